//! From the first sign-in to the second one, in the pools that stand ready.

use serde_json::{Value, json};

use crate::world::{OFF, OPTIONAL, PASSWORD, Pool, REQUIRED, World, by_password, text};

const USED_SESSION: &str = "Invalid session for the user, session can only be used once.";

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
fn the_session_of_somebody_else_tells_nothing_of_a_users_standing() {
    let world = World::new();
    world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let sign_up = json!({ "ClientId": OPTIONAL.client, "Username": "anna", "Password": PASSWORD });
    world.done("SignUp", &sign_up);
    let anna = Pool {
        user: "anna",
        ..OPTIONAL
    };
    let answered = world.respond(anna, &session, "123456");
    assert_eq!(
        answered.body["message"],
        "Invalid session for the user, session is expired or invalid."
    );
}

#[test]
fn who_is_disabled_sets_up_no_token_within_a_sign_in() {
    let world = World::new();
    let session = world.sign_in(REQUIRED)["Session"].clone();
    let named = json!({ "UserPoolId": REQUIRED.id, "Username": REQUIRED.user });
    world.done("AdminDisableUser", &named);
    for (operation, request) in [
        ("AssociateSoftwareToken", json!({ "Session": session })),
        (
            "VerifySoftwareToken",
            json!({ "Session": session, "UserCode": "123456" }),
        ),
    ] {
        let refused = world.call(operation, &request);
        assert_eq!(refused.body["message"], "User is disabled.", "{operation}");
    }
}

#[test]
fn an_administrator_answers_in_the_pool_of_the_client() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let respond = |pool: Pool| {
        json!({
            "UserPoolId": pool.id, "ClientId": OPTIONAL.client, "ChallengeName": "SOFTWARE_TOKEN_MFA",
            "Session": session,
            "ChallengeResponses": { "USERNAME": OPTIONAL.user, "SOFTWARE_TOKEN_MFA_CODE": world.code(&secret) },
        })
    };
    assert_eq!(
        world.refused("AdminRespondToAuthChallenge", &respond(REQUIRED)),
        "ResourceNotFoundException"
    );
    world.done("AdminRespondToAuthChallenge", &respond(OPTIONAL));
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
fn software_tokens_switched_off_beside_another_factor_stop_new_ones_and_not_those_in_force() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let off = json!({
        "UserPoolId": OPTIONAL.id, "MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": { "Enabled": false },
        "EmailMfaConfiguration": { "Message": "{####}", "Subject": "Code" },
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
fn a_pool_that_asks_for_mfa_has_a_factor() {
    let world = World::new();
    let off = json!({ "Enabled": false });
    for (pool, mfa, software_tokens) in [
        (OFF, json!("ON"), Value::Null),
        (OFF, json!("OPTIONAL"), Value::Null),
        (OFF, json!("ON"), off.clone()),
        (OPTIONAL, json!("OPTIONAL"), off.clone()),
        (OPTIONAL, json!("ON"), off.clone()),
        (OPTIONAL, Value::Null, off.clone()),
        (REQUIRED, Value::Null, off.clone()),
    ] {
        let set = json!({
            "UserPoolId": pool.id, "MfaConfiguration": mfa, "SoftwareTokenMfaConfiguration": software_tokens,
        });
        assert_eq!(
            world.refused("SetUserPoolMfaConfig", &set),
            "InvalidParameterException",
            "{set}"
        );
    }
    for (factor, settings) in [
        ("SmsMfaConfiguration", json!({})),
        (
            "WebAuthnConfiguration",
            json!({ "UserVerification": "required" }),
        ),
    ] {
        let mut set = json!({ "UserPoolId": OFF.id, "MfaConfiguration": "ON" });
        set[factor] = settings;
        assert_eq!(
            world.refused("SetUserPoolMfaConfig", &set),
            "InvalidParameterException",
            "{factor} is no second factor"
        );
    }
    let named = json!({ "UserPoolId": OPTIONAL.id });
    let config = world.done("GetUserPoolMfaConfig", &named);
    assert_eq!(config["SoftwareTokenMfaConfiguration"]["Enabled"], true);
    assert_eq!(config["MfaConfiguration"], "OPTIONAL");
}

#[test]
fn a_pool_made_to_require_mfa_without_a_factor_is_misconfigured() {
    let world = World::new();
    let create = json!({ "PoolName": "mine", "MfaConfiguration": "ON" });
    let pool = world.done("CreateUserPool", &create)["UserPool"]["Id"].clone();
    let create = json!({ "UserPoolId": pool, "ClientName": "app", "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"] });
    let client = world.done("CreateUserPoolClient", &create)["UserPoolClient"]["ClientId"].clone();
    let user =
        json!({ "UserPoolId": pool, "Username": "anna", "Password": PASSWORD, "Permanent": true });
    world.done(
        "AdminCreateUser",
        &json!({ "UserPoolId": pool, "Username": "anna" }),
    );
    world.done("AdminSetUserPassword", &user);
    let mut sign_in = by_password(OPTIONAL, "anna", PASSWORD);
    sign_in["ClientId"] = client;
    assert_eq!(
        world.refused("InitiateAuth", &sign_in),
        "InvalidUserPoolConfigurationException"
    );
}

#[test]
fn a_pool_without_software_tokens_says_so_before_it_asks_for_one() {
    let world = World::new();
    world.enrol(OPTIONAL);
    let off = json!({ "UserPoolId": OPTIONAL.id, "MfaConfiguration": "OFF" });
    world.done("SetUserPoolMfaConfig", &off);
    let by_password_alone = world.access_token(OPTIONAL);
    for (operation, request) in [
        (
            "AssociateSoftwareToken",
            json!({ "AccessToken": by_password_alone }),
        ),
        (
            "VerifySoftwareToken",
            json!({ "AccessToken": by_password_alone, "UserCode": "123456" }),
        ),
    ] {
        let refused = world.call(operation, &request);
        assert_eq!(
            (&refused.body["__type"], &refused.body["message"]),
            (
                &json!("SoftwareTokenMFANotFoundException"),
                &json!("Software Token MFA has not been enabled by the userPool")
            ),
            "{operation}"
        );
    }
    let elsewhere = json!({ "AccessToken": "forged" });
    assert_eq!(
        world.refused("AssociateSoftwareToken", &elsewhere),
        "NotAuthorizedException"
    );
}

#[test]
fn a_session_that_has_succeeded_is_told_apart_from_one_that_is_not_valid() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let right = world.respond(OPTIONAL, &session, &world.code(&secret));
    assert_eq!(right.status, 200);
    world.wait(30);
    let again = world.respond(OPTIONAL, &session, &world.code(&secret));
    assert_eq!(
        (&again.body["__type"], &again.body["message"]),
        (&json!("NotAuthorizedException"), &json!(USED_SESSION))
    );
    let forged = world.respond(OPTIONAL, &"S".repeat(100), &world.code(&secret));
    assert_eq!(
        forged.body["message"],
        "Invalid session for the user, session is expired or invalid."
    );
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let once = world.respond(OPTIONAL, &session, &world.code(&secret));
    assert_eq!(once.status, 200, "another session is not taken for it");
}

#[test]
fn a_preference_says_whether_a_token_waits_for_its_code() {
    let world = World::new();
    let token = world.access_token(OPTIONAL);
    let prefer = json!({ "AccessToken": token, "SoftwareTokenMfaSettings": { "Enabled": true } });
    let message = || {
        let refused = world.call("SetUserMFAPreference", &prefer);
        assert_eq!(refused.body["__type"], "InvalidParameterException");
        text(&refused.body, "/message")
    };
    assert_eq!(message(), "User has not set up software token mfa");
    world.done("AssociateSoftwareToken", &json!({ "AccessToken": token }));
    assert_eq!(message(), "User has not verified software token mfa");
}

#[test]
fn an_administrator_deletes_a_lost_token_with_its_preference() {
    let named = |pool: Pool| json!({ "UserPoolId": pool.id, "Username": pool.user });
    let world = World::new();
    let lost = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    assert_eq!(
        world.done("AdminDeleteSoftwareToken", &named(OPTIONAL)),
        json!({})
    );
    let told = world.done("AdminGetUser", &named(OPTIONAL));
    assert!(told.get("UserMFASettingList").is_none() && told.get("PreferredMfaSetting").is_none());
    let late = world.respond(OPTIONAL, &session, &world.code(&lost));
    assert_eq!(late.body["__type"], "NotAuthorizedException");
    let found = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let old = world.respond(OPTIONAL, &session, &world.code(&lost));
    assert_eq!(old.body["__type"], "CodeMismatchException");
    let new = world.respond(OPTIONAL, &session, &world.code(&found));
    assert_eq!(new.status, 200, "{}", new.body);

    world.done("AdminDeleteSoftwareToken", &named(REQUIRED));
    set_up(&world, REQUIRED);
    assert_eq!(
        world.sign_in(REQUIRED)["ChallengeName"],
        "SOFTWARE_TOKEN_MFA"
    );
    world.done("AdminDeleteSoftwareToken", &named(REQUIRED));
    assert_eq!(world.sign_in(REQUIRED)["ChallengeName"], "MFA_SETUP");
    set_up(&world, REQUIRED);

    let nobody = json!({ "UserPoolId": OPTIONAL.id, "Username": "nobody" });
    assert_eq!(
        world.refused("AdminDeleteSoftwareToken", &nobody),
        "UserNotFoundException"
    );
    let nowhere = json!({ "UserPoolId": "local_nowhere", "Username": "otto" });
    assert_eq!(
        world.refused("AdminDeleteSoftwareToken", &nowhere),
        "ResourceNotFoundException"
    );
}

#[test]
fn a_verified_token_that_is_off_is_replaced_by_the_password() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let answered = world.respond(OPTIONAL, &session, &world.code(&secret));
    let token = text(&answered.body, "/AuthenticationResult/AccessToken");
    let off = json!({ "AccessToken": token, "SoftwareTokenMfaSettings": { "Enabled": false } });
    world.done("SetUserMFAPreference", &off);
    world.wait(1);
    let new = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let answered = world.respond(OPTIONAL, &session, &world.code(&new));
    assert_eq!(answered.status, 200, "{}", answered.body);
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
    assert_eq!(again.body["message"], USED_SESSION);
    let finish = finish(REQUIRED, &verified["Session"]);
    let signed_in = world.done("RespondToAuthChallenge", &finish);
    let token = text(&signed_in, "/AuthenticationResult/AccessToken");
    world.done("AssociateSoftwareToken", &json!({ "AccessToken": token }));
}

/// Sets a token up within the sign-in that demands it, to the tokens.
fn set_up(world: &World, pool: Pool) {
    let session = json!({ "Session": world.sign_in(pool)["Session"] });
    let issued = world.done("AssociateSoftwareToken", &session);
    let code = world.code(&text(&issued, "/SecretCode"));
    let verify = json!({ "Session": issued["Session"], "UserCode": code });
    let verified = world.done("VerifySoftwareToken", &verify);
    world.done(
        "RespondToAuthChallenge",
        &finish(pool, &verified["Session"]),
    );
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
