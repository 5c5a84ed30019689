//! Tokens: which are taken, and what they say.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::world::{OPTIONAL, PASSWORD, Reply, World, by_password, text};

#[test]
fn only_an_access_token_that_this_server_signed_is_taken() {
    let world = World::new();
    let signed_in = world.sign_in(OPTIONAL);
    let access = text(&signed_in, "/AuthenticationResult/AccessToken");
    world.done("GetUser", &json!({ "AccessToken": access }));

    let [header, payload, signature] = parts(&access);
    let header = json_of(&header);
    let none = json!({ "alg": "none", "kid": header["kid"] });
    let symmetric = json!({ "alg": "HS256", "kid": header["kid"] });
    let mut elevated = json_of(&payload);
    elevated["amr"] = json!(["pwd", "otp", "mfa"]);
    let elsewhere = World::new().access_token(OPTIONAL);
    for (what, token) in [
        (
            "an id token",
            text(&signed_in, "/AuthenticationResult/IdToken"),
        ),
        (
            "a refresh token",
            text(&signed_in, "/AuthenticationResult/RefreshToken"),
        ),
        ("none", format!("{}.{payload}.", base64_of(&none))),
        (
            "none, signed",
            format!("{}.{payload}.{signature}", base64_of(&none)),
        ),
        (
            "another algorithm",
            format!("{}.{payload}.{signature}", base64_of(&symmetric)),
        ),
        (
            "other claims",
            format!(
                "{}.{}.{signature}",
                base64_of(&header),
                base64_of(&elevated)
            ),
        ),
        ("no signature", format!("{}.{payload}.", base64_of(&header))),
        ("another key", elsewhere),
        ("a word", "token".to_owned()),
        ("dots", "..".to_owned()),
    ] {
        for operation in ["GetUser", "AssociateSoftwareToken", "GlobalSignOut"] {
            let refusal = world.refused(operation, &json!({ "AccessToken": token }));
            assert_eq!(refusal, "NotAuthorizedException", "{operation} with {what}");
        }
    }
}

#[test]
fn an_access_token_expires() {
    let world = World::new();
    let token = json!({ "AccessToken": world.access_token(OPTIONAL) });
    world.wait(3599);
    world.done("GetUser", &token);
    world.wait(1);
    let expired = world.call("GetUser", &token);
    assert_eq!(expired.body["__type"], "NotAuthorizedException");
    assert_eq!(expired.body["message"], "Access Token has expired");
}

#[test]
fn a_global_sign_out_revokes_what_was_issued_before_and_nothing_after() {
    let world = World::new();
    let before = world.sign_in(OPTIONAL);
    let token = json!({ "AccessToken": before["AuthenticationResult"]["AccessToken"] });
    world.done("GlobalSignOut", &token);
    assert_eq!(world.refused("GetUser", &token), "NotAuthorizedException");
    let refresh = text(&before, "/AuthenticationResult/RefreshToken");
    assert_eq!(
        world.refused("InitiateAuth", &refreshing(&refresh)),
        "NotAuthorizedException"
    );
    let after = json!({ "AccessToken": world.access_token(OPTIONAL) });
    world.done("GetUser", &after);
}

#[test]
fn refreshing_proves_nothing_new() {
    let world = World::new();
    let signed_in = world.sign_in(OPTIONAL);
    let refresh = text(&signed_in, "/AuthenticationResult/RefreshToken");
    world.wait(600);
    let refreshed = world.done("InitiateAuth", &refreshing(&refresh));
    assert!(
        refreshed["AuthenticationResult"]
            .get("RefreshToken")
            .is_none()
    );
    let [before, after] = [&signed_in, &refreshed].map(|answer| {
        let [_, payload, _] = parts(&text(answer, "/AuthenticationResult/AccessToken"));
        json_of(&payload)
    });
    for claim in [
        "sub",
        "auth_time",
        "amr",
        "origin_jti",
        "client_id",
        "iss",
        "softtoken:grant",
    ] {
        assert!(!before[claim].is_null(), "{claim}");
        assert_eq!(before[claim], after[claim], "{claim}");
    }
    assert_eq!(before["amr"], json!(["pwd"]));
    assert_ne!(before["jti"], after["jti"]);
    let access = text(&signed_in, "/AuthenticationResult/AccessToken");
    assert_eq!(
        world.refused("InitiateAuth", &refreshing(&access)),
        "NotAuthorizedException"
    );
}

#[test]
fn a_token_refreshed_after_a_code_still_carries_the_second_factor() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let by_password_only = json!({ "AccessToken": password_only(&world) });
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let answered = world.respond(OPTIONAL, &session, &world.code(&secret));
    let refresh = text(&answered.body, "/AuthenticationResult/RefreshToken");
    let refreshed = world.done("InitiateAuth", &refreshing(&refresh));
    let with_code = json!({ "AccessToken": refreshed["AuthenticationResult"]["AccessToken"] });
    assert_eq!(
        world.refused("AssociateSoftwareToken", &by_password_only),
        "NotAuthorizedException"
    );
    world.done("AssociateSoftwareToken", &with_code);
}

#[test]
fn a_login_that_set_up_a_token_may_go_on_with_it_after_a_refresh() {
    let world = World::new();
    let signed_in = world.sign_in(OPTIONAL);
    let other = json!({ "AccessToken": world.access_token(OPTIONAL) });
    let access = text(&signed_in, "/AuthenticationResult/AccessToken");
    let associate = json!({ "AccessToken": access });
    let secret = text(
        &world.done("AssociateSoftwareToken", &associate),
        "/SecretCode",
    );
    let verify = |token: &str| json!({ "AccessToken": token, "UserCode": world.code(&secret) });
    world.done("VerifySoftwareToken", &verify(&access));
    let prefer = json!({ "AccessToken": access, "SoftwareTokenMfaSettings": { "Enabled": true } });
    world.done("SetUserMFAPreference", &prefer);

    world.wait(600);
    let refresh = text(&signed_in, "/AuthenticationResult/RefreshToken");
    let refreshed = world.done("InitiateAuth", &refreshing(&refresh));
    let refreshed = text(&refreshed, "/AuthenticationResult/AccessToken");
    assert_eq!(
        world.refused("VerifySoftwareToken", &verify(&refreshed)),
        "SoftwareTokenMFANotFoundException",
        "it is verified already"
    );
    assert_eq!(
        world.refused("AssociateSoftwareToken", &other),
        "NotAuthorizedException",
        "of the same second, and another login"
    );
    world.done(
        "AssociateSoftwareToken",
        &json!({ "AccessToken": refreshed }),
    );
}

#[test]
fn a_login_is_worth_nothing_from_the_second_in_which_its_token_is_replaced() {
    let world = World::new();
    let old = world.enrol(OPTIONAL);
    let by_code = |step| {
        let session = text(&world.sign_in(OPTIONAL), "/Session");
        let answered = world.respond(OPTIONAL, &session, &world.code_after(&old, step));
        text(&answered.body, "/AuthenticationResult/AccessToken")
    };
    let [stolen, mine] = [0, 1].map(by_code);
    let associate = json!({ "AccessToken": mine });
    let new = text(
        &world.done("AssociateSoftwareToken", &associate),
        "/SecretCode",
    );
    let verify = json!({ "AccessToken": mine, "UserCode": world.code(&new) });
    world.done("VerifySoftwareToken", &verify);
    assert_eq!(
        world.refused("AssociateSoftwareToken", &json!({ "AccessToken": stolen })),
        "NotAuthorizedException"
    );
    world.done("AssociateSoftwareToken", &associate);
}

#[test]
fn what_proved_a_login_is_told_to_the_server_alone() {
    let world = World::new();
    let signed_in = world.sign_in(OPTIONAL);
    let [_, payload, _] = parts(&text(&signed_in, "/AuthenticationResult/IdToken"));
    let identity = json_of(&payload);
    assert!(identity.get("softtoken:grant").is_none());
    assert!(identity["origin_jti"].is_string());
}

#[test]
fn no_attribute_of_a_user_becomes_a_claim_of_the_servers() {
    let world = World::new();
    let sign_up = |name: &str| {
        json!({
            "ClientId": OPTIONAL.client, "Username": "eve", "Password": PASSWORD,
            "UserAttributes": [{ "Name": name, "Value": "access" }],
        })
    };
    for claim in ["token_use", "sub", "amr", "exp", "cognito:username"] {
        assert_eq!(
            world.refused("SignUp", &sign_up(claim)),
            "InvalidParameterException",
            "{claim}"
        );
    }
    world.done("SignUp", &sign_up("custom:token_use"));
}

#[test]
fn the_keys_are_published_for_each_pool() {
    let world = World::new();
    let get = |pool: &str| {
        world
            .client()
            .get(&format!("/{pool}/.well-known/jwks.json"))
    };
    let Reply {
        status, body: keys, ..
    } = get(OPTIONAL.id);
    assert_eq!(status, 200);
    let [header, ..] = parts(&world.access_token(OPTIONAL));
    assert_eq!(keys["keys"][0]["kid"], json_of(&header)["kid"]);
    assert_eq!(keys["keys"][0]["kty"], "RSA");
    assert!(
        !keys.to_string().contains("\"d\""),
        "the private exponent stays here"
    );
    assert_eq!(get("local_nowhere").status, 400);
}

/// From before the token was enabled; signed in by password alone.
fn password_only(world: &World) -> String {
    let off = json!({
        "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user, "SoftwareTokenMfaSettings": { "Enabled": false },
    });
    let on = json!({
        "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user, "SoftwareTokenMfaSettings": { "Enabled": true },
    });
    world.done("AdminSetUserMFAPreference", &off);
    let signed_in = world.done(
        "InitiateAuth",
        &by_password(OPTIONAL, OPTIONAL.user, PASSWORD),
    );
    world.done("AdminSetUserMFAPreference", &on);
    text(&signed_in, "/AuthenticationResult/AccessToken")
}

fn refreshing(token: &str) -> Value {
    json!({
        "ClientId": OPTIONAL.client, "AuthFlow": "REFRESH_TOKEN_AUTH", "AuthParameters": { "REFRESH_TOKEN": token },
    })
}

fn parts(token: &str) -> [String; 3] {
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().expect("header, payload and signature")
}

fn json_of(part: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

fn base64_of(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}
