//! Cognito's protocol over the machine: shapes, constraints, and what each refusal is called.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

mod constraints;
mod flows;
mod refusals;

use crate::world::{Device, World, admin};
use serde_json::{Value, json};
use softtoken::cognito::{AuthenticationResult, Call, Exception, Exchange, Response, Scope};
use softtoken::totp::Secret;
use softtoken::{BlockingStore, Evidence, Grant, Policy, Requirement};

const POOL: &str = "local_optional";
const CLIENT: &str = "webclient";
const INVALID_SESSION: &str = "Invalid session for the user, session is expired or invalid.";
const USED_SESSION: &str = "Invalid session for the user, session can only be used once.";

fn world(requirement: Requirement) -> World {
    let policy = Policy::COGNITO.to_builder().requirement(requirement);
    World::new(policy.build().unwrap())
}

fn parse(operation: &str, body: &Value) -> Result<Option<Call>, Exception> {
    let target = format!("AWSCognitoIdentityProviderService.{operation}");
    Call::parse(&target, body.to_string().as_bytes())
}

fn scope(client: &str) -> Scope {
    Scope::new(POOL, client).unwrap()
}

/// The request of a call: on this grant where it has an access token, for Alice where it has a
/// session, else for the name given.
fn exchange(world: &World, call: &Call, grant: &Grant) -> Exchange {
    match call {
        Call::AccessToken(call) => call.answer(&world.mfa, grant),
        Call::Session(call) => call.answer(&world.mfa, &scope(CLIENT), "alice"),
        Call::Challenge(call) => {
            call.answer(&world.mfa, &scope(call.client_id()), call.user_name())
        }
        Call::Administrator(call) => call.answer(&world.mfa, call.user_name(), &admin()),
    }
}

fn tokens() -> AuthenticationResult {
    AuthenticationResult {
        access_token: "a.b.c".into(),
        expires_in: 3600,
        token_type: "Bearer".into(),
        refresh_token: Some("d.e.f".into()),
        id_token: None,
    }
}

/// Status and body of the answer, over this store.
fn answered<S: BlockingStore>(exchange: Exchange, store: &S) -> (u16, Value) {
    let response = match exchange.run_blocking(store) {
        Ok(reply) => reply
            .response("request")
            .unwrap_or_else(|_: Option<Evidence>| Response::authenticated(&tokens(), "request")),
        Err(refusal) => Response::refused(refusal.exception(), "request"),
    };
    (
        response.status,
        serde_json::from_slice(&response.body).unwrap(),
    )
}

fn ask(world: &World, operation: &str, grant: &Grant, body: &Value) -> (u16, Value) {
    let call = match parse(operation, body) {
        Ok(call) => call.unwrap(),
        Err(exception) => {
            let response = Response::refused(&exception, "request");
            return (
                response.status,
                serde_json::from_slice(&response.body).unwrap(),
            );
        }
    };
    answered(exchange(world, &call, grant), &world.store)
}

fn ok(world: &World, operation: &str, body: &Value) -> Value {
    let (status, answer) = ask(world, operation, &world.password("alice"), body);
    assert_eq!(status, 200, "{answer}");
    answer
}

#[track_caller]
fn refused(world: &World, operation: &str, body: &Value) -> (String, String) {
    let (status, answer) = ask(world, operation, &world.password("alice"), body);
    let name = answer["__type"].as_str().unwrap().to_owned();
    let expected = if name == "InternalErrorException" {
        500
    } else {
        400
    };
    assert_eq!(status, expected, "{answer}");
    (name, answer["message"].as_str().unwrap().to_owned())
}

/// The password was right.
fn challenge(world: &World) -> Value {
    let exchange = Exchange::sign_in(&world.mfa, &scope(CLIENT), "alice", "Alice");
    let (status, answer) = answered(exchange, &world.store);
    assert_eq!(status, 200, "{answer}");
    answer
}

fn device(issued: &Value) -> Device {
    let secret = Secret::from_base32(issued["SecretCode"].as_str().unwrap()).unwrap();
    Device::new(&secret, Policy::COGNITO.totp())
}

fn code(device: &Device, world: &World) -> String {
    device.code(world.now()).expose().as_str().to_owned()
}

fn wrong(device: &Device, world: &World) -> String {
    device.wrong_code(world.now()).expose().as_str().to_owned()
}

/// Verified by an access token, and enabled.
fn enrolled(world: &World) -> Device {
    let device = device(&ok(
        world,
        "AssociateSoftwareToken",
        &json!({"AccessToken": "t"}),
    ));
    let verify = json!({
        "AccessToken": "t", "UserCode": code(&device, world), "FriendlyDeviceName": "phone",
    });
    assert_eq!(
        ok(world, "VerifySoftwareToken", &verify),
        json!({"Status": "SUCCESS"})
    );
    let settings = json!({"Enabled": true, "PreferredMfa": true});
    let prefer = json!({"AccessToken": "t", "SoftwareTokenMfaSettings": settings});
    assert_eq!(ok(world, "SetUserMFAPreference", &prefer), json!({}));
    world.time.advance(30);
    device
}

fn respond(session: &Value, name: &str, code: Option<&str>) -> Value {
    let mut responses = json!({"USERNAME": "alice"});
    if let Some(code) = code {
        responses["SOFTWARE_TOKEN_MFA_CODE"] = code.into();
    }
    json!({
        "ClientId": CLIENT, "ChallengeName": name, "Session": session, "ChallengeResponses": responses,
    })
}

fn respond_by_code(session: &Value, code: &str) -> Value {
    respond(session, "SOFTWARE_TOKEN_MFA", Some(code))
}
