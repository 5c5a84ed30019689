//! What each refusal and failure is called.

use core::error::Error;
use core::fmt;
use core::time::Duration;

use super::{
    CLIENT, USED_SESSION, ask, challenge, code, device, enrolled, exchange, ok, parse, refused,
    respond_by_code, scope, world, wrong,
};
use crate::world::{World, admin};
use serde_json::{Value, json};
use softtoken::cognito::{Call, Name, Response};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{BlockingStore, Mfa, OsEntropy, Policy, Requirement};

#[test]
fn a_wrong_code_and_a_used_one_have_names_of_their_own_at_each_place() {
    let world = world(Requirement::Optional);
    let device = device(&ok(
        &world,
        "AssociateSoftwareToken",
        &json!({"AccessToken": "t"}),
    ));
    let verify = json!({"AccessToken": "t", "UserCode": wrong(&device, &world)});
    let (name, _) = refused(&world, "VerifySoftwareToken", &verify);
    assert_eq!(name, "EnableSoftwareTokenMFAException");

    let device = enrolled(&world);
    let session = &challenge(&world)["Session"];
    let respond = |code: &str| respond_by_code(session, code);
    let mismatch = refused(
        &world,
        "RespondToAuthChallenge",
        &respond(&wrong(&device, &world)),
    );
    assert_eq!(mismatch.0, "CodeMismatchException");
    world.time.go_back(30);
    let set_up = refused(
        &world,
        "RespondToAuthChallenge",
        &respond(&code(&device, &world)),
    );
    let used = (
        "ExpiredCodeException".to_owned(),
        "Your software token has already been used once.".to_owned(),
    );
    assert_eq!(set_up, used, "the code that set the token up");
    world.time.advance(30);
    let code = code(&device, &world);
    let _ = ok(&world, "RespondToAuthChallenge", &respond(&code));
    let other = &challenge(&world)["Session"];
    let again = refused(
        &world,
        "RespondToAuthChallenge",
        &respond_by_code(other, &code),
    );
    assert_eq!(again, used);
}

#[test]
fn what_is_not_there_or_off_has_one_name() {
    let not_found = "SoftwareTokenMFANotFoundException";
    let world = world(Requirement::Optional);
    let verify = json!({"AccessToken": "t", "UserCode": "123456"});
    assert_eq!(refused(&world, "VerifySoftwareToken", &verify).0, not_found);
    let _ = ok(
        &world,
        "AssociateSoftwareToken",
        &json!({"AccessToken": "t"}),
    );
    world.time.advance(601);
    assert_eq!(refused(&world, "VerifySoftwareToken", &verify).0, not_found);
    let off = Policy::COGNITO.to_builder().software_tokens(false);
    let mut off = World::new(off.build().unwrap());
    let associate = json!({"AccessToken": "t"});
    let message = "Software Token MFA has not been enabled by the userPool";
    let switched_off = (not_found.to_owned(), message.to_owned());
    for is_enrolled in [false, true] {
        // A second factor is not asked for where it opens nothing.
        if is_enrolled {
            let on = super::world(Requirement::Optional);
            enrolled(&on);
            off.store = on.store;
        }
        for (operation, body) in [
            ("AssociateSoftwareToken", &associate),
            ("VerifySoftwareToken", &verify),
        ] {
            let refused = refused(&off, operation, body);
            assert_eq!(refused, switched_off, "{operation} {is_enrolled}");
        }
    }
}

#[test]
fn a_preference_tells_what_is_set_up_from_what_is_verified() {
    let world = world(Requirement::Optional);
    let prefer = json!({"AccessToken": "t", "SoftwareTokenMfaSettings": {"Enabled": true}});
    let admin = json!({
        "UserPoolId": "local_optional", "Username": "alice",
        "SoftwareTokenMfaSettings": {"Enabled": true},
    });
    let told = |message: &str| {
        let expected = ("InvalidParameterException".to_owned(), message.to_owned());
        assert_eq!(refused(&world, "SetUserMFAPreference", &prefer), expected);
        assert_eq!(
            refused(&world, "AdminSetUserMFAPreference", &admin),
            expected
        );
    };
    told("User has not set up software token mfa");
    let associate = json!({"AccessToken": "t"});
    let _ = ok(&world, "AssociateSoftwareToken", &associate);
    told("User has not verified software token mfa");
    world.time.advance(601);
    told("User has not set up software token mfa");
}

#[test]
fn a_token_that_the_same_login_has_just_verified_is_not_found_again_whatever_the_code() {
    let world = world(Requirement::Optional);
    let grant = world.password("alice").with_id("d7b1");
    let issued = ask(
        &world,
        "AssociateSoftwareToken",
        &grant,
        &json!({"AccessToken": "t"}),
    )
    .1;
    let device = device(&issued);
    let verify = |code: String| {
        let body = json!({"AccessToken": "t", "UserCode": code});
        let (status, told) = ask(&world, "VerifySoftwareToken", &grant, &body);
        (status, told["__type"].clone())
    };
    assert_eq!(verify(code(&device, &world)).0, 200);
    let before = world.row("alice");
    for code in [code(&device, &world), wrong(&device, &world)] {
        assert_eq!(
            verify(code),
            (400, "SoftwareTokenMFANotFoundException".into())
        );
    }
    assert_eq!(world.row("alice"), before, "nothing is counted");
}

#[test]
fn a_session_that_has_just_verified_its_token_has_ended() {
    let world = world(Requirement::Required);
    let session = &challenge(&world)["Session"];
    let issued = ok(
        &world,
        "AssociateSoftwareToken",
        &json!({"Session": session}),
    );
    let device = device(&issued);
    let verify = json!({"Session": issued["Session"], "UserCode": code(&device, &world)});
    let _ = ok(&world, "VerifySoftwareToken", &verify);
    let before = world.row("alice");
    let again = refused(&world, "VerifySoftwareToken", &verify);
    let ended = ("NotAuthorizedException".to_owned(), USED_SESSION.to_owned());
    assert_eq!(again, ended);
    assert_eq!(world.row("alice"), before);
}

#[test]
fn a_login_that_is_too_old_or_of_before_a_reset_is_not_authorised() {
    let recent = Policy::COGNITO.to_builder();
    let recent = recent.reauthenticate_within(Some(Duration::from_secs(60)));
    let world = World::new(recent.build().unwrap());
    let grant = world.password("alice");
    let associate = |world: &World| {
        let (_, told) = ask(
            world,
            "AssociateSoftwareToken",
            &grant,
            &json!({"AccessToken": "t"}),
        );
        told["__type"].clone()
    };
    world.time.advance(61);
    assert_eq!(associate(&world), "NotAuthorizedException");

    let world = super::world(Requirement::Optional);
    world.time.advance(1);
    let reset = world
        .mfa
        .reset(&admin())
        .run_blocking(&world.store, "alice");
    reset.unwrap();
    assert_eq!(associate(&world), "NotAuthorizedException");
}

#[test]
fn a_server_without_session_keys_answers_sessions_by_an_internal_error() {
    let world = world(Requirement::Optional);
    let keyless = Mfa::new(Policy::COGNITO, || None, OsEntropy);
    let session = &"s".repeat(20).into();
    for (operation, body) in [
        ("AssociateSoftwareToken", json!({"Session": session})),
        ("RespondToAuthChallenge", respond_by_code(session, "123456")),
    ] {
        let call = parse(operation, &body).unwrap().unwrap();
        let exchange = match &call {
            Call::Session(call) => call.answer(&keyless, &scope(CLIENT), "alice"),
            Call::Challenge(call) => call.answer(&keyless, &scope(CLIENT), "alice"),
            other => panic!("{other:?}"),
        };
        let refusal = exchange.run_blocking(&world.store).unwrap_err();
        assert_eq!(refusal.exception().kind(), Name::InternalError);
        assert_eq!(refusal.error().name(), "no_session_keys", "for the log");
    }
}

#[test]
fn guessing_is_throttled_and_then_locked() {
    let world = world(Requirement::Optional);
    let device = enrolled(&world);
    let mut answers = Vec::new();
    loop {
        let session = &challenge(&world)["Session"];
        let guess = respond_by_code(session, &wrong(&device, &world));
        let (name, _) = refused(&world, "RespondToAuthChallenge", &guess);
        match name.as_str() {
            "CodeMismatchException" => {}
            "TooManyRequestsException" => world.time.advance(900),
            "NotAuthorizedException" => break,
            other => panic!("{other}"),
        }
        answers.push(name);
        assert!(answers.len() < 1000, "it is never locked");
    }
    let first: Vec<&str> = answers.iter().take(4).map(String::as_str).collect();
    let mismatch = "CodeMismatchException";
    assert_eq!(
        first,
        [mismatch, mismatch, mismatch, "TooManyRequestsException"]
    );
}

/// Fails, or is always slower than somebody else.
struct Unlucky<'w> {
    world: &'w World,
    fails: bool,
}

#[derive(Debug)]
struct Down;

impl fmt::Display for Down {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the database is down")
    }
}

impl core::error::Error for Down {}

impl BlockingStore for Unlucky<'_> {
    type Error = Down;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Down> {
        if self.fails {
            Err(Down)
        } else {
            Ok(self.world.row(subject))
        }
    }

    fn compare_and_swap_blocking(&self, _: Write) -> Result<Swap, Down> {
        Ok(Swap::Conflict)
    }
}

#[test]
fn a_store_that_fails_is_internal_and_one_that_keeps_losing_is_the_clients_to_retry() {
    let world = world(Requirement::Optional);
    let device = enrolled(&world);
    let session = &challenge(&world)["Session"];
    let respond = respond_by_code(session, &code(&device, &world));
    let associate = json!({"AccessToken": "t"});
    let name = |operation: &str, body: &Value, fails: bool| {
        let call = parse(operation, body).unwrap().unwrap();
        let store = Unlucky {
            world: &world,
            fails,
        };
        let refusal = exchange(&world, &call, &world.second_factor("alice")).run_blocking(&store);
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.to_string(), refusal.exception().to_string());
        assert!(!refusal.to_string().contains("database"));
        let cause = refusal.source().and_then(Error::source);
        assert_eq!(
            cause.is_some_and(<dyn Error>::is::<Down>),
            fails,
            "for the log"
        );
        (
            refusal.exception().kind(),
            refusal.exception().status(),
            refusal.error().name(),
        )
    };
    for (operation, body) in [
        ("AssociateSoftwareToken", &associate),
        ("RespondToAuthChallenge", &respond),
    ] {
        assert_eq!(
            name(operation, body, true),
            (Name::InternalError, 500, "store")
        );
    }
    let contended = name("AssociateSoftwareToken", &associate, false);
    assert_eq!(contended, (Name::ConcurrentModification, 400, "contended"));
    let contended = name("RespondToAuthChallenge", &respond, false);
    assert_eq!(contended, (Name::TooManyRequests, 400, "contended"));
}

#[test]
fn a_servers_clock_that_went_back_is_internal() {
    let world = world(Requirement::Optional);
    let device = enrolled(&world);
    world.time.go_back(3600);
    let session = challenge(&world)["Session"].clone();
    let respond = respond_by_code(&session, &code(&device, &world));
    assert_eq!(
        refused(&world, "RespondToAuthChallenge", &respond).0,
        "InternalErrorException"
    );
}

#[test]
fn every_name_stands_on_the_wire_as_the_service_model_has_it() {
    for (name, wire) in [
        (Name::InvalidParameter, "InvalidParameterException"),
        (Name::NotAuthorized, "NotAuthorizedException"),
        (
            Name::EnableSoftwareTokenMfa,
            "EnableSoftwareTokenMFAException",
        ),
        (Name::CodeMismatch, "CodeMismatchException"),
        (Name::ExpiredCode, "ExpiredCodeException"),
        (
            Name::SoftwareTokenMfaNotFound,
            "SoftwareTokenMFANotFoundException",
        ),
        (
            Name::ConcurrentModification,
            "ConcurrentModificationException",
        ),
        (Name::TooManyRequests, "TooManyRequestsException"),
        (Name::ResourceNotFound, "ResourceNotFoundException"),
        (Name::UserNotFound, "UserNotFoundException"),
        (Name::UserNotConfirmed, "UserNotConfirmedException"),
        (
            Name::PasswordResetRequired,
            "PasswordResetRequiredException",
        ),
        (
            Name::InvalidUserPoolConfiguration,
            "InvalidUserPoolConfigurationException",
        ),
        (Name::Forbidden, "ForbiddenException"),
        (Name::InternalError, "InternalErrorException"),
        (Name::Serialization, "SerializationException"),
        (Name::UnknownOperation, "UnknownOperationException"),
        (Name::Other("AliasExistsException"), "AliasExistsException"),
    ] {
        let response = Response::refused(&name.into(), "request");
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(body["__type"], wire);
        assert!(
            body["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
        );
        assert_eq!(
            response.headers,
            [
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amzn-RequestId", "request".to_owned()),
                ("x-amzn-ErrorType", wire.to_owned()),
            ]
        );
    }
}

struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("half a secret"))
    }
}

#[test]
fn a_body_that_cannot_be_written_is_internal_and_nothing_of_it_is_sent() {
    let response = Response::success(&Unwritable, "request");
    assert_eq!(response.status, 500);
    assert_eq!(
        response,
        Response::refused(&Name::InternalError.into(), "request")
    );
}
