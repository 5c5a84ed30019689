//! Enrolments and sign-ins, step by step, as a client walks them.

use super::{
    CLIENT, INVALID_SESSION, POOL, USED_SESSION, answered, ask, challenge, code, device, enrolled,
    exchange, ok, parse, refused, respond, respond_by_code, scope, tokens, world, wrong,
};
use crate::crowd::together;
use crate::world::World;
use pollster::block_on;
use serde_json::{Value, json};
use softtoken::association::{EventKind, SessionFlaw};
use softtoken::cognito::{Call, Exchange, MfaSettings, Reply, Response, Scope};
use softtoken::{Context, Grant, Mfa, OsEntropy, Policy, Rejection, Requirement, SessionKeys};
use std::sync::{Arc, Mutex};

#[test]
fn an_optional_pool_enrols_by_an_access_token_and_challenges() {
    let world = world(Requirement::Optional);
    let exchange = Exchange::sign_in(&world.mfa, &scope(CLIENT), "alice", "Alice");
    let (_, answer) = answered(exchange, &world.store);
    assert_eq!(
        answer,
        json!({"ChallengeParameters": {}, "AuthenticationResult": {
            "AccessToken": "a.b.c", "ExpiresIn": 3600, "TokenType": "Bearer", "RefreshToken": "d.e.f",
        }}),
        "nothing is asked for"
    );

    let issued = ok(
        &world,
        "AssociateSoftwareToken",
        &json!({"AccessToken": "t"}),
    );
    assert_eq!(issued.as_object().unwrap().len(), 1, "no session");
    assert_eq!(issued["SecretCode"].as_str().unwrap().len(), 52);

    let device = enrolled(&world);
    let asked = challenge(&world);
    assert_eq!(asked["ChallengeName"], "SOFTWARE_TOKEN_MFA");
    assert_eq!(
        asked["ChallengeParameters"],
        json!({"USER_ID_FOR_SRP": "Alice", "FRIENDLY_DEVICE_NAME": "phone"})
    );
    let respond = respond_by_code(&asked["Session"], &code(&device, &world));
    let answer = ok(&world, "RespondToAuthChallenge", &respond);
    assert_eq!(answer["AuthenticationResult"]["AccessToken"], "a.b.c");
}

#[test]
fn a_required_pool_leads_from_the_challenge_through_set_up_to_tokens() {
    let world = world(Requirement::Required);
    let asked = challenge(&world);
    assert_eq!(asked["ChallengeName"], "MFA_SETUP");
    assert_eq!(
        asked["ChallengeParameters"],
        json!({"USER_ID_FOR_SRP": "Alice", "MFAS_CAN_SETUP": "[\"SOFTWARE_TOKEN_MFA\"]"})
    );
    let issued = ok(
        &world,
        "AssociateSoftwareToken",
        &json!({"Session": asked["Session"]}),
    );
    let device = device(&issued);
    assert_ne!(issued["Session"], asked["Session"]);
    let verify = json!({"Session": issued["Session"], "UserCode": code(&device, &world)});
    let verified = ok(&world, "VerifySoftwareToken", &verify);
    assert_eq!(verified["Status"], "SUCCESS");
    assert_ne!(verified["Session"], issued["Session"]);
    let finish = respond(&verified["Session"], "MFA_SETUP", None);
    let answer = ok(&world, "RespondToAuthChallenge", &finish);
    assert!(answer["AuthenticationResult"].is_object());
    let again = refused(&world, "RespondToAuthChallenge", &finish);
    let used = ("NotAuthorizedException".to_owned(), USED_SESSION.to_owned());
    assert_eq!(again, used);
}

#[test]
fn a_session_is_for_its_user_its_client_and_one_success() {
    let world = world(Requirement::Optional);
    let device = enrolled(&world);
    let asked = challenge(&world);
    let right = respond_by_code(&asked["Session"], &code(&device, &world));
    let invalid = (
        "NotAuthorizedException".to_owned(),
        INVALID_SESSION.to_owned(),
    );
    let mut other_client = right.clone();
    other_client["ClientId"] = "appclient".into();
    let mut other_user = right.clone();
    other_user["ChallengeResponses"]["USERNAME"] = "bob".into();
    let mut forged = right.clone();
    forged["Session"] = "a".repeat(100).into();
    let set_up = respond(&asked["Session"], "MFA_SETUP", None);
    for body in [&other_client, &other_user, &forged, &set_up] {
        assert_eq!(refused(&world, "RespondToAuthChallenge", body), invalid);
    }
    let _ = ok(&world, "RespondToAuthChallenge", &right);
    world.time.advance(30);
    let mut next = respond_by_code(&asked["Session"], &code(&device, &world));
    let used = ("NotAuthorizedException".to_owned(), USED_SESSION.to_owned());
    assert_eq!(refused(&world, "RespondToAuthChallenge", &next), used);
    next["ChallengeResponses"]["USERNAME"] = "bob".into();
    assert_eq!(refused(&world, "RespondToAuthChallenge", &next), invalid);
}

#[test]
fn what_is_refused_is_heard_by_the_audit_of_the_view_as_before() {
    let mut world = world(Requirement::Optional);
    let device = enrolled(&world);
    let right = respond_by_code(&challenge(&world)["Session"], &code(&device, &world));
    let _ = ok(&world, "RespondToAuthChallenge", &right);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = heard.clone();
    world.mfa = world.mfa.with_audit(move |subject, event| {
        let line = (subject.to_owned(), event.name(), event.kind.clone());
        log.lock().unwrap().push(line);
    });
    let _ = refused(&world, "RespondToAuthChallenge", &right);
    let refused = EventKind::Refused {
        rejection: Rejection::InvalidSession,
        flaw: Some(SessionFlaw::Spent),
    };
    let line = ("alice".to_owned(), refused.name(), refused);
    assert_eq!(*heard.lock().unwrap(), [line]);
}

#[test]
fn a_used_session_is_named_where_nobody_hears_the_events_too() {
    let mut world = world(Requirement::Optional);
    let clock = world.time.clone();
    let mfa = Mfa::new(*world.mfa.policy(), move || Some(clock.now()), OsEntropy);
    let keys = SessionKeys::from_bytes(1, &[7; 32]);
    world.mfa = mfa.with_sessions(keys, Context::new("world").unwrap());
    let device = enrolled(&world);
    let right = respond_by_code(&challenge(&world)["Session"], &code(&device, &world));
    let _ = ok(&world, "RespondToAuthChallenge", &right);
    let used = ("NotAuthorizedException".to_owned(), USED_SESSION.to_owned());
    assert_eq!(refused(&world, "RespondToAuthChallenge", &right), used);
}

#[test]
fn an_administrator_deletes_a_token_with_its_preference_wherever_it_is_required() {
    let delete = json!({"UserPoolId": POOL, "Username": "alice"});
    for (requirement, asked) in [
        (Requirement::Optional, None),
        (Requirement::Required, Some("MFA_SETUP")),
    ] {
        let world = world(requirement);
        let nothing = ok(&world, "AdminDeleteSoftwareToken", &delete);
        assert_eq!(nothing, json!({}), "there is none");
        enrolled(&world);
        assert_eq!(ok(&world, "AdminDeleteSoftwareToken", &delete), json!({}));
        let report = world.mfa.status().run_blocking(&world.store, "alice");
        let settings = MfaSettings::from(&report.unwrap());
        assert_eq!(serde_json::to_value(settings).unwrap(), json!({}));
        assert_eq!(
            challenge(&world)["ChallengeName"].as_str(),
            asked,
            "{requirement:?}"
        );
    }
    let nobody = json!({"UserPoolId": POOL});
    assert_eq!(
        parse("AdminDeleteSoftwareToken", &nobody)
            .unwrap_err()
            .name(),
        "InvalidParameterException"
    );
}

fn prefer(settings: &Value) -> Value {
    json!({"AccessToken": "t", "SoftwareTokenMfaSettings": settings})
}

#[test]
fn a_preference_is_for_a_verified_token_within_what_the_pool_requires() {
    let optional = world(Requirement::Optional);
    let on = prefer(&json!({"Enabled": true}));
    let refusal = refused(&optional, "SetUserMFAPreference", &on);
    assert_eq!(
        refusal,
        (
            "InvalidParameterException".to_owned(),
            "User has not set up software token mfa".to_owned()
        )
    );
    enrolled(&optional);
    let off = prefer(&json!({"Enabled": false}));
    let (name, _) = refused(&optional, "SetUserMFAPreference", &off);
    assert_eq!(name, "NotAuthorizedException", "without a second factor");
    let (status, _) = ask(
        &optional,
        "SetUserMFAPreference",
        &optional.second_factor("alice"),
        &off,
    );
    assert_eq!(status, 200);
    let unchanged = json!({"AccessToken": "t"});
    assert_eq!(ok(&optional, "SetUserMFAPreference", &unchanged), json!({}));
    for settings in [
        prefer(&json!({"Enabled": false, "PreferredMfa": true})),
        json!({"AccessToken": "t", "SMSMfaSettings": {"Enabled": true}}),
        json!({"AccessToken": "t", "EmailMfaSettings": {"PreferredMfa": true}}),
        json!({"AccessToken": "t", "WebAuthnMfaSettings": {"Enabled": true}}),
    ] {
        let (name, _) = refused(&optional, "SetUserMFAPreference", &settings);
        assert_eq!(name, "InvalidParameterException", "{settings}");
    }

    let required = world(Requirement::Required);
    enrolled(&required);
    let (status, answer) = ask(
        &required,
        "SetUserMFAPreference",
        &required.second_factor("alice"),
        &off,
    );
    assert_eq!(
        (status, &answer["__type"]),
        (400, &"InvalidParameterException".into())
    );
    let admin = json!({
        "UserPoolId": POOL, "Username": "alice", "SoftwareTokenMfaSettings": {"Enabled": false},
    });
    assert_eq!(
        ok(&optional, "AdminSetUserMFAPreference", &admin),
        json!({})
    );
}

#[test]
fn an_administrators_off_in_a_pool_that_requires_mfa_is_no_error_and_changes_nothing() {
    let world = world(Requirement::Required);
    let device = enrolled(&world);
    let before = world.row("alice");
    let off = json!({
        "UserPoolId": POOL, "Username": "alice", "SoftwareTokenMfaSettings": {"Enabled": false},
    });
    assert_eq!(ok(&world, "AdminSetUserMFAPreference", &off), json!({}));
    assert_eq!(world.row("alice"), before);
    let respond = respond_by_code(&challenge(&world)["Session"], &code(&device, &world));
    let _ = ok(&world, "RespondToAuthChallenge", &respond);
}

#[test]
fn the_members_of_a_user_say_what_is_enabled_and_preferred() {
    let world = world(Requirement::Optional);
    let settings = |world: &World| {
        let report = world.mfa.status().run_blocking(&world.store, "alice");
        serde_json::to_value(MfaSettings::from(&report.unwrap())).unwrap()
    };
    assert_eq!(settings(&world), json!({}));
    enrolled(&world);
    let both = json!({
        "UserMFASettingList": ["SOFTWARE_TOKEN_MFA"], "PreferredMfaSetting": "SOFTWARE_TOKEN_MFA",
    });
    assert_eq!(settings(&world), both);
    let enable = prefer(&json!({"Enabled": true}));
    let lower = |grant: &Grant| ask(&world, "SetUserMFAPreference", grant, &enable).0;
    assert_eq!(lower(&world.password("alice")), 400, "preferred is more");
    assert_eq!(lower(&world.second_factor("alice")), 200);
    let enabled = json!({"UserMFASettingList": ["SOFTWARE_TOKEN_MFA"]});
    assert_eq!(settings(&world), enabled);
}

#[test]
fn a_password_alone_does_not_replace_an_enabled_token() {
    let world = world(Requirement::Optional);
    enrolled(&world);
    world.time.advance(30);
    let refusal = refused(
        &world,
        "AssociateSoftwareToken",
        &json!({"AccessToken": "t"}),
    );
    assert_eq!(refusal.0, "NotAuthorizedException");
}

#[test]
fn of_twenty_parallel_answers_with_one_code_one_gives_tokens() {
    let world = world(Requirement::Optional);
    let device = enrolled(&world);
    let session = challenge(&world)["Session"].clone();
    let respond = respond_by_code(&session, &code(&device, &world));
    let answers = together(20, |_| {
        ask(
            &world,
            "RespondToAuthChallenge",
            &world.password("alice"),
            &respond,
        )
    });
    let tokens = answers.iter().filter(|(status, _)| *status == 200);
    assert_eq!(tokens.count(), 1);
}

#[test]
fn of_forty_parallel_wrong_codes_no_more_are_judged_than_one_after_another() {
    let world = world(Requirement::Optional);
    let device = enrolled(&world);
    let session = challenge(&world)["Session"].clone();
    let guess = respond_by_code(&session, &wrong(&device, &world));
    let answers = together(40, |_| refused(&world, "RespondToAuthChallenge", &guess).0);
    let judged = answers
        .iter()
        .filter(|name| *name == "CodeMismatchException");
    assert!((1..=3).contains(&judged.count()), "{answers:?}");
    for name in &answers {
        assert!(
            ["CodeMismatchException", "TooManyRequestsException"].contains(&name.as_str()),
            "{name}"
        );
    }
}

#[test]
fn the_access_token_that_verified_a_token_may_replace_it_and_the_old_one_works_until_then() {
    let world = world(Requirement::Optional);
    let grant = world.password("alice").with_id("d7b1");
    let ask = |operation: &str, body: &Value| {
        let (status, answer) = ask(&world, operation, &grant, body);
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let sign_in = |code: String| {
        let respond = respond_by_code(&challenge(&world)["Session"], &code);
        super::ask(
            &world,
            "RespondToAuthChallenge",
            &world.password("alice"),
            &respond,
        )
        .0
    };
    let associate = json!({"AccessToken": "t"});
    let verify = |code: String| json!({"AccessToken": "t", "UserCode": code});
    let old = device(&ask("AssociateSoftwareToken", &associate));
    let _ = ask("VerifySoftwareToken", &verify(code(&old, &world)));
    let _ = ask("SetUserMFAPreference", &prefer(&json!({"Enabled": true})));

    let new = device(&ask("AssociateSoftwareToken", &associate));
    world.time.advance(30);
    assert_eq!(sign_in(code(&new, &world)), 400, "not yet in force");
    assert_eq!(sign_in(code(&old, &world)), 200, "still in force");
    let _ = ask("VerifySoftwareToken", &verify(code(&new, &world)));
    world.time.advance(30);
    assert_eq!(sign_in(code(&old, &world)), 400, "dead");
    assert_eq!(sign_in(code(&new, &world)), 200, "in force");
}

#[test]
fn who_stops_after_verifying_is_asked_for_a_code_at_the_next_sign_in() {
    let world = world(Requirement::Required);
    let session = &challenge(&world)["Session"];
    let issued = ok(
        &world,
        "AssociateSoftwareToken",
        &json!({"Session": session}),
    );
    let code = code(&device(&issued), &world);
    let verify = json!({"Session": issued["Session"], "UserCode": code});
    let _ = ok(&world, "VerifySoftwareToken", &verify);
    let asked = challenge(&world);
    assert_eq!(asked["ChallengeName"], "SOFTWARE_TOKEN_MFA");
    let spent = respond_by_code(&asked["Session"], &code);
    let (name, _) = refused(&world, "RespondToAuthChallenge", &spent);
    assert_eq!(name, "ExpiredCodeException");
}

/// By these an application checks whose request it is.
#[test]
fn a_call_and_a_scope_give_out_what_they_were_made_with() {
    let body = json!({"AccessToken": "access", "UserCode": "123456"});
    let Call::AccessToken(call) = parse("VerifySoftwareToken", &body).unwrap().unwrap() else {
        panic!("it has an access token");
    };
    assert_eq!(call.access_token(), "access");
    let session = "s".repeat(20);
    let body = json!({"Session": session, "UserCode": "123456"});
    let Call::Session(call) = parse("VerifySoftwareToken", &body).unwrap().unwrap() else {
        panic!("it has a session");
    };
    assert_eq!(call.session(), session);
    let body = json!({
        "UserPoolId": POOL, "Username": "alice",
        "SoftwareTokenMfaSettings": {"Enabled": false, "PreferredMfa": false},
    });
    let call = parse("AdminSetUserMFAPreference", &body).unwrap().unwrap();
    let Call::Administrator(call) = call else {
        panic!("it is an administrator's");
    };
    assert_eq!((call.user_pool_id(), call.user_name()), (POOL, "alice"));

    let made = scope(CLIENT).with_password_version(7);
    for scope in [&made, &Scope::of(made.context()).unwrap()] {
        assert_eq!(scope.user_pool_id(), POOL);
        assert_eq!(scope.client_id(), CLIENT);
        assert_eq!(scope.password_version(), 7);
    }
}

#[test]
fn a_session_of_one_pool_is_refused_in_another() {
    let world = world(Requirement::Optional);
    let device = enrolled(&world);
    let session = &challenge(&world)["Session"];
    let respond = respond_by_code(session, &code(&device, &world));
    let call = parse("RespondToAuthChallenge", &respond).unwrap().unwrap();
    let Call::Challenge(challenge) = &call else {
        panic!("it answers a challenge");
    };
    let elsewhere = Scope::new("local_required", CLIENT).unwrap();
    let (status, answer) = answered(
        challenge.answer(&world.mfa, &elsewhere, "alice"),
        &world.store,
    );
    assert_eq!(
        (status, &answer["__type"]),
        (400, &"NotAuthorizedException".into())
    );
    let (status, _) = answered(
        exchange(&world, &call, &world.password("alice")),
        &world.store,
    );
    assert_eq!(status, 200, "the session lives on where it was made");
}

/// The body of an answer that needs no tokens, as it stands on the wire.
fn bytes(exchange: Exchange, world: &World) -> String {
    let response = exchange
        .run_blocking(&world.store)
        .unwrap()
        .response("d3b07384")
        .unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(
        response.headers,
        [
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amzn-RequestId", "d3b07384".to_owned()),
        ]
    );
    core::str::from_utf8(&response.body).unwrap().to_owned()
}

#[test]
fn every_answer_has_its_members_in_order_and_no_others() {
    let world = world(Requirement::Required);
    let of = |operation: &str, body: &Value| {
        let call = parse(operation, body).unwrap().unwrap();
        bytes(exchange(&world, &call, &world.password("alice")), &world)
    };
    let sign_in = || {
        bytes(
            Exchange::sign_in(&world.mfa, &scope(CLIENT), "alice", "Al\"ice"),
            &world,
        )
    };
    let value = |bytes: &str| serde_json::from_str::<Value>(bytes).unwrap();

    let asked = sign_in();
    let session = value(&asked)["Session"].as_str().unwrap().to_owned();
    assert!((20..=4096).contains(&session.len()));
    assert_eq!(
        asked,
        format!(
            r#"{{"ChallengeName":"MFA_SETUP","Session":"{session}","ChallengeParameters":{{"USER_ID_FOR_SRP":"Al\"ice","MFAS_CAN_SETUP":"[\"SOFTWARE_TOKEN_MFA\"]"}}}}"#
        )
    );
    let issued = of("AssociateSoftwareToken", &json!({"Session": session}));
    let (secret, session) = (
        value(&issued)["SecretCode"].clone(),
        value(&issued)["Session"].clone(),
    );
    assert!(
        secret
            .as_str()
            .unwrap()
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric())
    );
    assert_eq!(
        issued,
        format!(r#"{{"SecretCode":{secret},"Session":{session}}}"#)
    );
    let code = code(&device(&value(&issued)), &world);
    let verify = json!({"Session": session, "UserCode": code, "FriendlyDeviceName": "phone"});
    let verified = of("VerifySoftwareToken", &verify);
    let session = value(&verified)["Session"].clone();
    assert_eq!(
        verified,
        format!(r#"{{"Status":"SUCCESS","Session":{session}}}"#)
    );
    let asked = sign_in();
    let session = value(&asked)["Session"].clone();
    assert_eq!(
        asked,
        format!(
            r#"{{"ChallengeName":"SOFTWARE_TOKEN_MFA","Session":{session},"ChallengeParameters":{{"USER_ID_FOR_SRP":"Al\"ice","FRIENDLY_DEVICE_NAME":"phone"}}}}"#
        )
    );
    assert_eq!(
        of("SetUserMFAPreference", &json!({"AccessToken": "t"})),
        "{}"
    );
    assert_eq!(
        core::str::from_utf8(&Response::authenticated(&tokens(), "d3b07384").body).unwrap(),
        r#"{"ChallengeParameters":{},"AuthenticationResult":{"AccessToken":"a.b.c","ExpiresIn":3600,"TokenType":"Bearer","RefreshToken":"d.e.f"}}"#
    );
}

/// The answer, with an executor.
fn awaited(exchange: Exchange, world: &World) -> Result<Reply, String> {
    let reply = block_on(exchange.run(&world.store));
    reply.map_err(|refusal| refusal.exception().to_string())
}

#[test]
fn a_required_pool_is_walked_with_an_executor_as_without() {
    let world = world(Requirement::Required);
    let of = |operation: &str, body: &Value| {
        let call = parse(operation, body).unwrap().unwrap();
        awaited(exchange(&world, &call, &world.password("alice")), &world)
    };
    let body = |reply: Result<Reply, String>| match reply {
        Ok(Reply::Body(body)) => serde_json::to_value(body).unwrap(),
        other => panic!("{other:?}"),
    };
    let sign_in = || {
        body(awaited(
            Exchange::sign_in(&world.mfa, &scope(CLIENT), "alice", "Alice"),
            &world,
        ))
    };
    let issued = body(of(
        "AssociateSoftwareToken",
        &json!({"Session": sign_in()["Session"]}),
    ));
    let device = device(&issued);
    let guess = json!({"Session": issued["Session"], "UserCode": wrong(&device, &world)});
    let refusal = of("VerifySoftwareToken", &guess).unwrap_err();
    assert_eq!(refusal, "EnableSoftwareTokenMFAException: Code mismatch");
    let verify = json!({"Session": issued["Session"], "UserCode": code(&device, &world)});
    let verified = body(of("VerifySoftwareToken", &verify));
    let finish = of(
        "RespondToAuthChallenge",
        &respond(&verified["Session"], "MFA_SETUP", None),
    );
    assert!(matches!(finish, Ok(Reply::Authenticated(_))), "{finish:?}");
    world.time.advance(30);
    let answer = respond_by_code(&sign_in()["Session"], &code(&device, &world));
    let Ok(Reply::Authenticated(evidence)) = of("RespondToAuthChallenge", &answer) else {
        panic!("the code is right");
    };
    assert_eq!(evidence.context(), scope(CLIENT).context());
    let on = prefer(&json!({"Enabled": true, "PreferredMfa": true}));
    assert_eq!(body(of("SetUserMFAPreference", &on)), json!({}));
    let nothing = json!({"AccessToken": "t"});
    assert_eq!(body(of("SetUserMFAPreference", &nothing)), json!({}));
}

#[test]
fn a_session_of_a_set_up_is_for_its_pool_its_client_and_the_password_of_now() {
    let world = world(Requirement::Required);
    let here = scope(CLIENT);
    let elsewhere = [
        ("another client", scope("appclient")),
        (
            "another pool",
            Scope::new("local_required", CLIENT).unwrap(),
        ),
        ("another password", here.clone().with_password_version(1)),
    ];
    let answer = |call: &Call, scope: &Scope| {
        let Call::Session(call) = call else {
            panic!("it has a session");
        };
        answered(call.answer(&world.mfa, scope, "alice"), &world.store)
    };
    let mut session = challenge(&world)["Session"].clone();
    let mut phone = None;
    for operation in ["AssociateSoftwareToken", "VerifySoftwareToken"] {
        let mut body = json!({"Session": session});
        if let Some(phone) = &phone {
            body["UserCode"] = code(phone, &world).into();
        }
        let call = parse(operation, &body).unwrap().unwrap();
        for (what, scope) in &elsewhere {
            let (status, told) = answer(&call, scope);
            assert_eq!(
                (status, &told["message"]),
                (400, &INVALID_SESSION.into()),
                "{what}"
            );
            assert_eq!(told["__type"], "NotAuthorizedException", "{what}");
        }
        let (status, told) = answer(&call, &here);
        assert_eq!(
            status, 200,
            "the session lives on where it was made: {told}"
        );
        session = told["Session"].clone();
        phone = phone.or_else(|| Some(device(&told)));
    }
}

#[test]
fn a_session_of_another_user_sets_nothing_up() {
    let world = world(Requirement::Required);
    let session = &challenge(&world)["Session"];
    let call = parse("AssociateSoftwareToken", &json!({"Session": session}));
    let Some(Call::Session(call)) = call.unwrap() else {
        panic!("it has a session");
    };
    let (_, told) = answered(call.answer(&world.mfa, &scope(CLIENT), "bob"), &world.store);
    assert_eq!(told["message"], INVALID_SESSION);
}

#[test]
fn an_exchange_is_owned_and_may_move_to_another_thread() {
    let world = world(Requirement::Optional);
    let exchange = {
        let call = parse("AssociateSoftwareToken", &json!({"AccessToken": "t"}));
        exchange(&world, &call.unwrap().unwrap(), &world.password("alice"))
    };
    let store = std::sync::Arc::new(softtoken::MemoryStore::new());
    let rows = store.clone();
    let (status, _) = std::thread::spawn(move || answered(exchange, &*rows))
        .join()
        .unwrap();
    assert_eq!((status, store.len()), (200, 1));
}

/// The verb by which Alice sets a token up with this grant.
fn associates(world: &World, grant: &Grant) -> (u16, Value) {
    let associate = json!({"AccessToken": "t"});
    ask(world, "AssociateSoftwareToken", grant, &associate)
}

#[test]
fn who_has_lost_the_phone_enrols_anew_once_an_administrator_has_turned_it_off() {
    let world = world(Requirement::Optional);
    let lost = enrolled(&world);
    let respond = respond_by_code(&challenge(&world)["Session"], &code(&lost, &world));
    let _ = ok(&world, "RespondToAuthChallenge", &respond);
    let thief = world.password("alice");
    world.time.advance(30);
    let password = world.password("alice");
    assert_eq!(
        associates(&world, &password).0,
        400,
        "the sign-in asks for a code"
    );

    world.time.advance(30);
    let off = json!({
        "UserPoolId": POOL, "Username": "alice", "SoftwareTokenMfaSettings": {"Enabled": false},
    });
    let _ = ok(&world, "AdminSetUserMFAPreference", &off);
    world.time.advance(30);
    for before in [&thief, &password] {
        let (status, told) = associates(&world, before);
        assert_eq!(
            (status, &told["__type"]),
            (400, &"NotAuthorizedException".into())
        );
    }
    let _ = enrolled(&world);
    let respond = respond_by_code(&challenge(&world)["Session"], &code(&lost, &world));
    let (name, _) = refused(&world, "RespondToAuthChallenge", &respond);
    assert_eq!(name, "CodeMismatchException", "the lost phone is out");
}

#[test]
fn a_token_that_was_asked_for_and_turned_on_again_is_not_replaced_by_a_password() {
    let world = world(Requirement::Optional);
    enrolled(&world);
    let set = |enabled: bool| {
        let settings = json!({
            "UserPoolId": POOL, "Username": "alice",
            "SoftwareTokenMfaSettings": {"Enabled": enabled},
        });
        let _ = ok(&world, "AdminSetUserMFAPreference", &settings);
        world.time.advance(30);
    };
    set(false);
    let password = world.password("alice");
    set(true);
    assert_eq!(associates(&world, &password).0, 400);
}

#[test]
fn a_pool_of_several_tokens_names_them_all_and_takes_no_more_than_allowed() {
    let policy = Policy::COGNITO.to_builder().max_tokens(2).build().unwrap();
    let world = World::new(policy);
    enrolled(&world);
    let grant = world.second_factor("alice");
    let (_, issued) = associates(&world, &grant);
    let verify = json!({
        "AccessToken": "t", "UserCode": code(&device(&issued), &world), "FriendlyDeviceName": "fob",
    });
    assert_eq!(ask(&world, "VerifySoftwareToken", &grant, &verify).0, 200);
    let asked = challenge(&world);
    assert_eq!(
        asked["ChallengeParameters"]["FRIENDLY_DEVICE_NAME"],
        "phone, fob"
    );
    let (status, told) = associates(&world, &grant);
    assert_eq!(
        (status, &told["__type"]),
        (400, &"InvalidParameterException".into())
    );
}

#[test]
fn a_set_up_that_is_due_later_is_asked_for_already() {
    let later = world(Requirement::Optional).now().as_secs() + 86_400;
    let later = softtoken::UnixTime::from_secs(later);
    let world = world(Requirement::RequiredFrom(later));
    assert_eq!(challenge(&world)["ChallengeName"], "MFA_SETUP");
}
