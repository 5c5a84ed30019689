//! From the first sign-in to the second one, in the pools that stand ready.

use serde_json::{Value, json};

use crate::world::{OFF, OPTIONAL, PASSWORD, Pool, REQUIRED, World, by_password, text};

#[test]
fn an_optional_pool_asks_for_a_code_once_the_token_is_preferred() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let challenge = world.sign_in(OPTIONAL);
    assert_eq!(challenge["ChallengeName"], "SOFTWARE_TOKEN_MFA");
    assert_eq!(
        challenge["ChallengeParameters"]["FRIENDLY_DEVICE_NAME"],
        "phone"
    );
    assert_eq!(
        challenge["ChallengeParameters"]["USER_ID_FOR_SRP"],
        OPTIONAL.user
    );
    assert!(challenge.get("AuthenticationResult").is_none());

    let session = text(&challenge, "/Session");
    let wrong = world.respond(OPTIONAL, &session, &world.wrong_code(&secret));
    assert_eq!(wrong.body["__type"], "CodeMismatchException");
    let right = world.respond(OPTIONAL, &session, &world.code(&secret));
    let token = text(&right.body, "/AuthenticationResult/AccessToken");

    let user = world.done("GetUser", &json!({ "AccessToken": token }));
    assert_eq!(user["PreferredMfaSetting"], "SOFTWARE_TOKEN_MFA");
    assert_eq!(user["UserMFASettingList"], json!(["SOFTWARE_TOKEN_MFA"]));
}

#[test]
fn a_required_pool_sets_up_a_token_before_it_gives_any() {
    let world = World::new();
    let challenge = world.sign_in(REQUIRED);
    assert_eq!(challenge["ChallengeName"], "MFA_SETUP");
    let can = text(&challenge, "/ChallengeParameters/MFAS_CAN_SETUP");
    assert_eq!(
        serde_json::from_str::<Value>(&can).expect("JSON inside"),
        json!(["SOFTWARE_TOKEN_MFA"])
    );

    let issued = world.done(
        "AssociateSoftwareToken",
        &json!({ "Session": challenge["Session"] }),
    );
    let secret = text(&issued, "/SecretCode");
    assert_ne!(issued["Session"], challenge["Session"]);
    let verify = json!({ "Session": issued["Session"], "UserCode": world.code(&secret) });
    let verified = world.done("VerifySoftwareToken", &verify);
    assert_eq!(verified["Status"], "SUCCESS");
    let finish = finish(REQUIRED, &verified["Session"]);
    let signed_in = world.done("RespondToAuthChallenge", &finish);
    text(&signed_in, "/AuthenticationResult/RefreshToken");
    assert_eq!(
        world.refused("RespondToAuthChallenge", &finish),
        "NotAuthorizedException"
    );

    let session = text(&world.sign_in(REQUIRED), "/Session");
    let spent = world.respond(REQUIRED, &session, &world.code(&secret));
    assert_eq!(spent.body["__type"], "ExpiredCodeException");
    assert_eq!(
        spent.body["message"],
        "Your software token has already been used once."
    );
    world.wait(30);
    let fresh = world.respond(REQUIRED, &session, &world.code(&secret));
    assert_eq!(fresh.status, 200, "{}", fresh.body);
    assert_eq!(fresh.body["ChallengeParameters"], json!({}));
}

#[test]
fn a_pool_without_software_tokens_asks_for_none_and_sets_none_up() {
    let world = World::new();
    let token = world.access_token(OFF);
    let associate = json!({ "AccessToken": token });
    assert_eq!(
        world.refused("AssociateSoftwareToken", &associate),
        "SoftwareTokenMFANotFoundException"
    );
}

#[test]
fn an_administrator_signs_users_in_by_the_same_rules() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let begin = json!({
        "UserPoolId": OPTIONAL.id, "ClientId": OPTIONAL.client, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
        "AuthParameters": { "USERNAME": OPTIONAL.user, "PASSWORD": PASSWORD },
    });
    let challenge = world.done("AdminInitiateAuth", &begin);
    let respond = |code: String| {
        json!({
            "UserPoolId": OPTIONAL.id, "ClientId": OPTIONAL.client, "ChallengeName": "SOFTWARE_TOKEN_MFA",
            "Session": challenge["Session"],
            "ChallengeResponses": { "USERNAME": OPTIONAL.user, "SOFTWARE_TOKEN_MFA_CODE": code },
        })
    };
    let wrong = world.wrong_code(&secret);
    assert_eq!(
        world.refused("AdminRespondToAuthChallenge", &respond(wrong)),
        "CodeMismatchException"
    );
    let signed_in = world.done("AdminRespondToAuthChallenge", &respond(world.code(&secret)));
    text(&signed_in, "/AuthenticationResult/AccessToken");
}

#[test]
fn a_session_belongs_to_its_user_its_client_and_its_pool() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let client = json!({
        "UserPoolId": OPTIONAL.id, "ClientName": "other", "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
    });
    let client = text(
        &world.done("CreateUserPoolClient", &client),
        "/UserPoolClient/ClientId",
    );
    for (client, user) in [
        (client.as_str(), OPTIONAL.user),
        (REQUIRED.client, REQUIRED.user),
    ] {
        let respond = json!({
            "ClientId": client, "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": session,
            "ChallengeResponses": { "USERNAME": user, "SOFTWARE_TOKEN_MFA_CODE": world.code(&secret) },
        });
        assert_eq!(
            world.refused("RespondToAuthChallenge", &respond),
            "NotAuthorizedException"
        );
    }
    let answered = world.respond(OPTIONAL, &session, &world.code(&secret));
    assert_eq!(answered.status, 200, "{}", answered.body);
}

#[test]
fn who_is_disabled_unconfirmed_reset_or_gone_does_not_answer_a_challenge() {
    let named = json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user });
    for (operation, refusal) in [
        ("AdminDisableUser", "NotAuthorizedException"),
        ("AdminResetUserPassword", "PasswordResetRequiredException"),
        ("AdminDeleteUser", "UserNotFoundException"),
    ] {
        let world = World::new();
        let secret = world.enrol(OPTIONAL);
        let session = text(&world.sign_in(OPTIONAL), "/Session");
        world.done(operation, &named);
        let answered = world.respond(OPTIONAL, &session, &world.code(&secret));
        assert_eq!(answered.body["__type"], refusal, "after {operation}");
    }
}

#[test]
fn the_access_token_that_verified_a_token_may_replace_it() {
    let world = World::new();
    let token = json!({ "AccessToken": world.access_token(OPTIONAL) });
    let secret = text(&world.done("AssociateSoftwareToken", &token), "/SecretCode");
    let verify = json!({ "AccessToken": token["AccessToken"], "UserCode": world.code(&secret) });
    world.done("VerifySoftwareToken", &verify);
    let prefer = json!({ "AccessToken": token["AccessToken"], "SoftwareTokenMfaSettings": { "Enabled": true } });
    world.done("SetUserMFAPreference", &prefer);
    world.done("AssociateSoftwareToken", &token);
}

#[test]
fn a_session_lives_as_long_as_its_client_says() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let create = json!({
        "UserPoolId": OPTIONAL.id, "ClientName": "patient", "AuthSessionValidity": 15,
        "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
    });
    let client = text(
        &world.done("CreateUserPoolClient", &create),
        "/UserPoolClient/ClientId",
    );
    let mut sign_in = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    sign_in["ClientId"] = client.clone().into();
    let patient = world.done("InitiateAuth", &sign_in);
    let hasty = text(&world.sign_in(OPTIONAL), "/Session");
    world.wait(14 * 60);
    let late = world.respond(OPTIONAL, &hasty, &world.code(&secret));
    assert_eq!(late.body["__type"], "NotAuthorizedException");
    let respond = json!({
        "ClientId": client, "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": patient["Session"],
        "ChallengeResponses": { "USERNAME": OPTIONAL.user, "SOFTWARE_TOKEN_MFA_CODE": world.code(&secret) },
    });
    world.done("RespondToAuthChallenge", &respond);
}

#[test]
fn a_pool_that_is_switched_off_sets_up_no_tokens() {
    let world = World::new();
    let off = json!({ "UserPoolId": OPTIONAL.id, "MfaConfiguration": "OFF" });
    assert_eq!(
        world.done("SetUserPoolMfaConfig", &off),
        json!({ "MfaConfiguration": "OFF" })
    );
    let token = json!({ "AccessToken": world.access_token(OPTIONAL) });
    assert_eq!(
        world.refused("AssociateSoftwareToken", &token),
        "SoftwareTokenMFANotFoundException"
    );
}

#[test]
fn who_shows_no_session_of_a_user_is_not_told_of_its_standing() {
    let world = World::new();
    world.enrol(OPTIONAL);
    world.done(
        "AdminDisableUser",
        &json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user }),
    );
    let answered = world.respond(OPTIONAL, &"S".repeat(100), "123456");
    assert_eq!(answered.body["__type"], "NotAuthorizedException");
    assert_ne!(answered.body["message"], "User is disabled.");
}

#[test]
fn a_required_pool_keeps_its_tokens_on() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let require = json!({ "UserPoolId": OPTIONAL.id, "MfaConfiguration": "ON" });
    assert_eq!(
        world.done("SetUserPoolMfaConfig", &require)["MfaConfiguration"],
        "ON"
    );
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let signed_in = world.respond(OPTIONAL, &session, &world.code(&secret));
    let token = text(&signed_in.body, "/AuthenticationResult/AccessToken");
    let off = json!({ "AccessToken": token, "SoftwareTokenMfaSettings": { "Enabled": false } });
    assert_eq!(
        world.refused("SetUserMFAPreference", &off),
        "InvalidParameterException"
    );
}

#[test]
fn software_tokens_switched_off_stop_new_ones_and_not_those_in_force() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let off = json!({
        "UserPoolId": OPTIONAL.id, "MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": { "Enabled": false },
    });
    world.done("SetUserPoolMfaConfig", &off);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let signed_in = world.respond(OPTIONAL, &session, &world.code(&secret));
    let token = text(&signed_in.body, "/AuthenticationResult/AccessToken");
    let associate = json!({ "AccessToken": token });
    assert_eq!(
        world.refused("AssociateSoftwareToken", &associate),
        "SoftwareTokenMFANotFoundException"
    );
}

#[test]
fn a_pool_that_requires_what_it_does_not_allow_is_misconfigured() {
    let world = World::new();
    let off =
        json!({ "UserPoolId": REQUIRED.id, "SoftwareTokenMfaConfiguration": { "Enabled": false } });
    world.done("SetUserPoolMfaConfig", &off);
    let sign_in = by_password(REQUIRED, REQUIRED.user, PASSWORD);
    assert_eq!(
        world.refused("InitiateAuth", &sign_in),
        "InvalidUserPoolConfigurationException"
    );
    let without = json!({ "UserPoolId": OFF.id, "MfaConfiguration": "ON" });
    assert_eq!(
        world.refused("SetUserPoolMfaConfig", &without),
        "InvalidParameterException"
    );
}

#[test]
fn an_administrator_turns_nothing_off_where_the_pool_requires_it_and_is_told_of_no_error() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let require = json!({ "UserPoolId": OPTIONAL.id, "MfaConfiguration": "ON" });
    world.done("SetUserPoolMfaConfig", &require);
    assert_eq!(
        world.done("AdminSetUserMFAPreference", &turned_off()),
        json!({})
    );
    let named = json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user });
    let told = world.done("AdminGetUser", &named);
    assert_eq!(told["UserMFASettingList"], json!(["SOFTWARE_TOKEN_MFA"]));
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let answered = world.respond(OPTIONAL, &session, &world.code(&secret));
    assert_eq!(answered.status, 200, "{}", answered.body);
}

#[test]
fn who_has_lost_the_phone_enrols_anew_once_an_administrator_has_turned_it_off() {
    let world = World::new();
    let password_before = world.access_token(OPTIONAL);
    world.wait(1);
    let lost = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let answered = world.respond(OPTIONAL, &session, &world.code(&lost));
    assert_eq!(answered.status, 200, "{}", answered.body);
    world.wait(30);

    world.done("AdminSetUserMFAPreference", &turned_off());
    let associate = json!({ "AccessToken": password_before });
    assert_eq!(
        world.refused("AssociateSoftwareToken", &associate),
        "NotAuthorizedException",
        "the password was given before"
    );
    let found = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let answered = world.respond(OPTIONAL, &session, &world.code(&lost));
    assert_eq!(answered.body["__type"], "CodeMismatchException");
    let answered = world.respond(OPTIONAL, &session, &world.code(&found));
    assert_eq!(answered.status, 200, "{}", answered.body);
}

#[test]
fn the_login_of_a_set_up_may_replace_its_token_at_once() {
    let world = World::new();
    let challenge = world.sign_in(REQUIRED);
    let session = json!({ "Session": challenge["Session"] });
    let issued = world.done("AssociateSoftwareToken", &session);
    let code = world.code(&text(&issued, "/SecretCode"));
    let verify = json!({ "Session": issued["Session"], "UserCode": code });
    let verified = world.done("VerifySoftwareToken", &verify);
    let again = world.call("VerifySoftwareToken", &verify);
    assert_eq!(again.body["__type"], "NotAuthorizedException");
    assert_eq!(
        again.body["message"],
        "Invalid session for the user, session is expired or invalid."
    );
    let finish = finish(REQUIRED, &verified["Session"]);
    let signed_in = world.done("RespondToAuthChallenge", &finish);
    let token = text(&signed_in, "/AuthenticationResult/AccessToken");
    world.done("AssociateSoftwareToken", &json!({ "AccessToken": token }));
}

/// The request by which an administrator turns the optional pool's token off.
fn turned_off() -> Value {
    json!({
        "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user, "SoftwareTokenMfaSettings": { "Enabled": false },
    })
}

fn finish(pool: Pool, session: &Value) -> Value {
    json!({
        "ClientId": pool.client, "ChallengeName": "MFA_SETUP", "Session": session,
        "ChallengeResponses": { "USERNAME": pool.user },
    })
}
