//! What a request has to look like, before anything is looked up.

use super::{
    CLIENT, POOL, challenge, code, enrolled, exchange, ok, parse, refused, respond,
    respond_by_code, tokens, world,
};
use serde_json::{Value, json};
use softtoken::Requirement;
use softtoken::cognito::{Call, Name, Response, Scope, operation};

#[test]
fn a_call_is_by_an_access_token_or_a_session_and_never_by_both() {
    let session = "s".repeat(20);
    for operation in ["AssociateSoftwareToken", "VerifySoftwareToken"] {
        for body in [
            json!({"UserCode": "123456"}),
            json!({"UserCode": "123456", "AccessToken": null, "Session": null}),
            json!({"UserCode": "123456", "AccessToken": "t", "Session": session}),
        ] {
            let exception = parse(operation, &body).unwrap_err();
            assert_eq!(exception.kind(), Name::InvalidParameter, "{body}");
        }
    }
}

/// Operation, body, and the member that is at fault.
fn misshapen() -> Vec<(&'static str, Value, &'static str)> {
    let verify = |code: Value| json!({"AccessToken": "t", "UserCode": code});
    let named = |name: String| json!({"AccessToken": "t", "UserCode": "123456", "FriendlyDeviceName": name});
    let session = |length: usize| json!({"Session": "s".repeat(length)});
    let user = |pool: &str, name: &str| json!({"UserPoolId": pool, "Username": name});
    vec![
        (
            "AssociateSoftwareToken",
            json!({"AccessToken": ""}),
            "accessToken",
        ),
        (
            "AssociateSoftwareToken",
            json!({"AccessToken": "a b"}),
            "accessToken",
        ),
        ("AssociateSoftwareToken", session(19), "session"),
        ("AssociateSoftwareToken", session(4097), "session"),
        (
            "VerifySoftwareToken",
            json!({"AccessToken": "t"}),
            "userCode",
        ),
        ("VerifySoftwareToken", verify("12345".into()), "userCode"),
        ("VerifySoftwareToken", verify("1234567".into()), "userCode"),
        ("VerifySoftwareToken", verify("12 456".into()), "userCode"),
        ("VerifySoftwareToken", verify("١٢٣٤٥٦".into()), "userCode"),
        (
            "VerifySoftwareToken",
            named("n".repeat(131_073)),
            "friendlyDeviceName",
        ),
        ("SetUserMFAPreference", json!({}), "accessToken"),
        (
            "AdminSetUserMFAPreference",
            user("nounderscore", "alice"),
            "userPoolId",
        ),
        (
            "AdminSetUserMFAPreference",
            user("local_", "alice"),
            "userPoolId",
        ),
        (
            "AdminSetUserMFAPreference",
            user(&"a_".repeat(28), "alice"),
            "userPoolId",
        ),
        ("AdminSetUserMFAPreference", user("local_a", ""), "username"),
        (
            "AdminSetUserMFAPreference",
            user("local_a", "a b"),
            "username",
        ),
        (
            "AdminSetUserMFAPreference",
            user("local_a", &"n".repeat(129)),
            "username",
        ),
        (
            "AdminSetUserMFAPreference",
            json!({"Username": "alice"}),
            "userPoolId",
        ),
    ]
}

#[test]
fn members_are_held_to_the_constraints_of_the_service_model() {
    for (operation, body, member) in misshapen() {
        let exception = parse(operation, &body).unwrap_err();
        assert_eq!(exception.kind(), Name::InvalidParameter, "{body}");
        let value = format!("Value at '{member}' failed");
        assert!(exception.message().contains(&value), "{exception}");
    }
    for (operation, body) in [
        ("AssociateSoftwareToken", json!({"AccessToken": "A-z_0.9="})),
        ("AssociateSoftwareToken", json!({"Session": "s".repeat(20)})),
        (
            "AssociateSoftwareToken",
            json!({"Session": "s".repeat(4096), "Unknown": [1]}),
        ),
        (
            "VerifySoftwareToken",
            json!({"AccessToken": "t", "UserCode": "012345", "FriendlyDeviceName": "ü".repeat(131_072)}),
        ),
        (
            "AdminSetUserMFAPreference",
            json!({"UserPoolId": "eu-west-1_aB9", "Username": "älice@example.com"}),
        ),
    ] {
        assert!(parse(operation, &body).unwrap().is_some(), "{body}");
    }
}

#[test]
fn a_response_that_is_missing_or_no_code_is_refused_before_anything_is_counted() {
    let world = world(Requirement::Optional);
    let device = enrolled(&world);
    let session = &challenge(&world)["Session"];
    let before = world.row("alice");
    let mut no_user = respond_by_code(session, "123456");
    no_user["ChallengeResponses"] = json!({"SOFTWARE_TOKEN_MFA_CODE": "123456"});
    let mut no_session = respond_by_code(session, "123456");
    no_session["Session"] = Value::Null;
    let mut no_client = respond_by_code(session, "123456");
    no_client["ClientId"] = "no client".into();
    for body in [
        respond(session, "SOFTWARE_TOKEN_MFA", None),
        respond_by_code(session, "12345"),
        respond_by_code(session, "1234567"),
        respond_by_code(session, "123456789"),
        respond_by_code(session, "١٢٣٤٥٦"),
        no_user,
        no_session,
        no_client,
    ] {
        let (name, _) = refused(&world, "RespondToAuthChallenge", &body);
        assert_eq!(name, "InvalidParameterException", "{body}");
    }
    assert_eq!(world.row("alice"), before);
    let grouped = code(&device, &world);
    let grouped = format!("{} {}", &grouped[..3], &grouped[3..]);
    let _ = ok(
        &world,
        "RespondToAuthChallenge",
        &respond_by_code(session, &grouped),
    );
}

#[test]
fn what_is_no_request_of_this_kind_is_named_and_never_an_internal_error() {
    let parse = |target: &str, body: &str| Call::parse(target, body.as_bytes());
    let associate = "AWSCognitoIdentityProviderService.AssociateSoftwareToken";
    for body in [
        "",
        "{",
        "[]",
        "\"\"",
        "null",
        "1",
        "[\"t\"]",
        "[\"t\",null]",
        "{\"AccessToken\":1}",
        "{}{}",
    ] {
        let exception = parse(associate, body).unwrap_err();
        assert_eq!(exception.kind(), Name::Serialization, "{body}");
        assert_eq!(exception.status(), 400);
    }
    let prefer = "AWSCognitoIdentityProviderService.SetUserMFAPreference";
    for settings in [
        "[true,true]",
        "[]",
        "true",
        "{\"Enabled\":1}",
        "{\"Enabled\":\"true\"}",
    ] {
        let body = format!(r#"{{"AccessToken":"t","SoftwareTokenMfaSettings":{settings}}}"#);
        let exception = parse(prefer, &body).unwrap_err();
        assert_eq!(exception.kind(), Name::Serialization, "{body}");
    }
    let twice = r#"{"AccessToken":"t","AccessToken":"u"}"#;
    let exception = parse(associate, twice).unwrap_err();
    assert_eq!(exception.kind(), Name::Serialization);
    for target in [
        "",
        "AssociateSoftwareToken",
        "AWSCognitoIdentityProviderService.",
    ] {
        let exception = parse(target, "{}").unwrap_err();
        assert_eq!(exception.kind(), Name::UnknownOperation, "{target}");
    }
    assert!(
        parse("AWSCognitoIdentityProviderService.SignUp", "")
            .unwrap()
            .is_none()
    );
    let other = r#"{"ChallengeName":"NEW_PASSWORD_REQUIRED"}"#;
    let respond = "AWSCognitoIdentityProviderService.RespondToAuthChallenge";
    assert!(parse(respond, other).unwrap().is_none());
    assert_eq!(operation(respond).unwrap(), "RespondToAuthChallenge");
}

#[test]
fn an_administrators_answer_names_the_pool() {
    let mut body = respond_by_code(&"s".repeat(20).into(), "123456");
    assert!(parse("AdminRespondToAuthChallenge", &body).is_err());
    body["UserPoolId"] = POOL.into();
    body["ChallengeResponses"]["SECRET_HASH"] = "hash".into();
    let Some(Call::Challenge(call)) = parse("AdminRespondToAuthChallenge", &body).unwrap() else {
        panic!("it answers a challenge");
    };
    assert_eq!(call.user_pool_id(), Some(POOL));
    assert_eq!((call.client_id(), call.user_name()), (CLIENT, "alice"));
    assert_eq!(call.secret_hash(), Some("hash"));
    assert_eq!(call.session(), "s".repeat(20));
}

#[test]
fn a_scope_is_read_as_it_was_written_and_no_two_are_one() {
    let scope = Scope::new("a_b", "c").unwrap();
    assert_ne!(scope.context(), Scope::new("a_", "bc").unwrap().context());
    assert_eq!(Scope::of(scope.context()), Some(scope.clone()));
    let changed = scope.clone().with_password_version(1);
    assert_ne!(scope.context(), changed.context());
    assert_eq!(Scope::of(changed.context()), Some(changed));
    assert!(Scope::new(&"p".repeat(55), &"c".repeat(64)).is_ok());
    assert!(Scope::new(&"p".repeat(55), &"c".repeat(65)).is_err());
    assert!(Scope::new(&"p".repeat(256), "c").is_err());
    for ids in [&b""[..], b"\x05abc", b"\x01\xffc"] {
        let context = [&[0; 8][..], ids].concat();
        let context = softtoken::Context::new(context).unwrap();
        assert_eq!(Scope::of(&context), None);
    }
    let short = softtoken::Context::new([0; 7]).unwrap();
    assert_eq!(Scope::of(&short), None);
}

#[test]
fn a_violated_constraint_is_told_in_the_services_words() {
    let verify = |code: Value| json!({"AccessToken": "t", "UserCode": code});
    for (code, broken) in [
        (Value::Null, "Member must not be null"),
        (
            "12345".into(),
            "Member must have length greater than or equal to 6",
        ),
        (
            "1234567".into(),
            "Member must have length less than or equal to 6",
        ),
        (
            "12345a".into(),
            "Member must satisfy regular expression pattern: [0-9]+",
        ),
    ] {
        let exception = parse("VerifySoftwareToken", &verify(code)).unwrap_err();
        let told = format!(
            "1 validation error detected: Value at 'userCode' failed to satisfy constraint: {broken}"
        );
        assert_eq!(exception.message(), told);
        let body = format!(r#"{{"__type":"InvalidParameterException","message":"{told}"}}"#);
        assert_eq!(*Response::refused(&exception, "r").body, body.into_bytes());
    }
}

/// Clients in a browser send members so that they have no value for.
#[test]
fn a_response_without_a_value_is_one_that_is_not_there() {
    let mut body = respond_by_code(&"s".repeat(20).into(), "123456");
    body["ChallengeResponses"]["SECRET_HASH"] = Value::Null;
    assert!(parse("RespondToAuthChallenge", &body).is_ok());
    body["ChallengeResponses"]["SOFTWARE_TOKEN_MFA_CODE"] = Value::Null;
    let exception = parse("RespondToAuthChallenge", &body).unwrap_err();
    let told = "Missing required parameter SOFTWARE_TOKEN_MFA_CODE";
    assert_eq!(exception.message(), told);
}

#[test]
fn names_and_ids_are_as_long_and_of_the_characters_that_the_service_model_has() {
    let responds = |client: &str| {
        let mut body = respond_by_code(&"s".repeat(20).into(), "123456");
        body["ClientId"] = client.into();
        parse("RespondToAuthChallenge", &body).is_ok()
    };
    for (client, fits) in [
        ("a", true),
        ("aB9_+", true),
        (&*"c".repeat(128), true),
        ("", false),
        ("a-b", false),
        ("ü", false),
        (&*"c".repeat(129), false),
    ] {
        assert_eq!(responds(client), fits, "{client}");
    }
    let prefers = |pool: &str, name: &str| {
        parse(
            "AdminSetUserMFAPreference",
            &json!({"UserPoolId": pool, "Username": name}),
        )
        .is_ok()
    };
    for (pool, fits) in [
        (&*format!("{}_a", "a".repeat(53)), true),
        (&*format!("{}_a", "a".repeat(54)), false),
        ("eu-west_1_a", true),
        ("_a", false),
        ("a_-", false),
        ("a b_c", false),
    ] {
        assert_eq!(prefers(pool, "alice"), fits, "{pool}");
    }
    for (name, fits) in [
        (&*"𝔫".repeat(128), true),
        (&*"n".repeat(129), false),
        ("e\u{301}+1@x.y", true),
        ("new\nline", false),
        ("no\u{a0}break", false),
        ("zero\u{200b}width", false),
        ("soft\u{ad}hyphen", false),
        ("turned\u{202e}round", false),
        ("private\u{e000}", false),
        ("nul\0", false),
    ] {
        assert_eq!(prefers("local_a", name), fits, "{name:?}");
        let mut body = respond_by_code(&"s".repeat(20).into(), "123456");
        body["ChallengeResponses"]["USERNAME"] = name.into();
        assert_eq!(
            parse("RespondToAuthChallenge", &body).is_ok(),
            fits,
            "{name:?}"
        );
    }
}

#[test]
fn what_a_client_sends_and_is_sent_is_in_no_log() {
    let world = world(Requirement::Optional);
    let session = "s".repeat(20);
    let mut respond = respond_by_code(&session.clone().into(), "135790");
    respond["ChallengeResponses"]["SECRET_HASH"] = "hashhash".into();
    for (operation, body) in [
        (
            "AssociateSoftwareToken",
            json!({"AccessToken": "token.token"}),
        ),
        (
            "VerifySoftwareToken",
            json!({"Session": session, "UserCode": "135790"}),
        ),
        ("RespondToAuthChallenge", respond),
    ] {
        let call = parse(operation, &body).unwrap().unwrap();
        let exchange = exchange(&world, &call, &world.password("alice"));
        let shown = format!("{call:?} {exchange:?}");
        for secret in ["token.token", &session, "135790", "hashhash"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    let shown = format!(
        "{:?} {:?}",
        tokens(),
        Response::authenticated(&tokens(), "r")
    );
    assert!(
        !shown.contains("a.b.c") && !shown.contains("d.e.f"),
        "{shown}"
    );
}
