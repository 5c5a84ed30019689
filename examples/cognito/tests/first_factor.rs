//! Users and passwords.

use serde_json::{Value, json};

use crate::world::{OPTIONAL, PASSWORD, Pool, REQUIRED, World, by_password, secret_hash, text};

#[test]
fn who_signs_up_is_confirmed_before_it_signs_in() {
    let world = World::new();
    let sign_up = json!({
        "ClientId": OPTIONAL.client, "Username": "anna", "Password": PASSWORD,
        "UserAttributes": [{ "Name": "email", "Value": "anna@example.com" }],
    });
    let signed_up = world.done("SignUp", &sign_up);
    assert_eq!(signed_up["UserConfirmed"], false);
    assert_eq!(world.refused("SignUp", &sign_up), "UsernameExistsException");
    let sign_in = by_password(OPTIONAL, "anna", PASSWORD);
    assert_eq!(
        world.refused("InitiateAuth", &sign_in),
        "UserNotConfirmedException"
    );
    let confirm = |code: &str| json!({ "ClientId": OPTIONAL.client, "Username": "anna", "ConfirmationCode": code });
    assert_eq!(
        world.refused("ConfirmSignUp", &confirm("000000")),
        "CodeMismatchException"
    );
    world.done("ConfirmSignUp", &confirm("123456"));
    assert_eq!(
        world.refused("ConfirmSignUp", &confirm("123456")),
        "NotAuthorizedException"
    );
    let signed_in = world.done("InitiateAuth", &sign_in);
    let token = text(&signed_in, "/AuthenticationResult/AccessToken");
    let user = world.done("GetUser", &json!({ "AccessToken": token }));
    assert_eq!(
        user["UserAttributes"][0],
        json!({ "Name": "sub", "Value": signed_up["UserSub"] })
    );
    assert!(user.get("UserMFASettingList").is_none());
}

#[test]
fn a_temporary_password_is_changed_before_anything_else() {
    let world = World::new();
    let named =
        json!({ "UserPoolId": OPTIONAL.id, "Username": "tom", "TemporaryPassword": "Temporary-1" });
    let created = world.done("AdminCreateUser", &named);
    assert_eq!(created["User"]["UserStatus"], "FORCE_CHANGE_PASSWORD");
    assert_eq!(
        world.refused("AdminCreateUser", &named),
        "UsernameExistsException"
    );

    let sign_in = by_password(OPTIONAL, "tom", "Temporary-1");
    let challenge = world.done("InitiateAuth", &sign_in);
    assert_eq!(challenge["ChallengeName"], "NEW_PASSWORD_REQUIRED");
    let respond = |password: &str| {
        json!({
            "ClientId": OPTIONAL.client, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge["Session"],
            "ChallengeResponses": { "USERNAME": "tom", "NEW_PASSWORD": password },
        })
    };
    assert_eq!(
        world.refused("RespondToAuthChallenge", &respond("short")),
        "InvalidPasswordException"
    );
    let signed_in = world.done("RespondToAuthChallenge", &respond("Permanent-1"));
    text(&signed_in, "/AuthenticationResult/AccessToken");
    assert_eq!(
        world.refused("RespondToAuthChallenge", &respond("Permanent-2")),
        "NotAuthorizedException"
    );
    assert_eq!(
        world.refused("InitiateAuth", &sign_in),
        "NotAuthorizedException"
    );
    world.done("InitiateAuth", &by_password(OPTIONAL, "tom", "Permanent-1"));
}

#[test]
fn the_session_of_a_temporary_password_dies_with_it() {
    let world = World::new();
    let named =
        json!({ "UserPoolId": OPTIONAL.id, "Username": "tom", "TemporaryPassword": "Temporary-1" });
    world.done("AdminCreateUser", &named);
    let challenge = world.done("InitiateAuth", &by_password(OPTIONAL, "tom", "Temporary-1"));
    let again = json!({ "UserPoolId": OPTIONAL.id, "Username": "tom", "Password": "Temporary-2" });
    world.done("AdminSetUserPassword", &again);
    let respond = json!({
        "ClientId": OPTIONAL.client, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge["Session"],
        "ChallengeResponses": { "USERNAME": "tom", "NEW_PASSWORD": "Permanent-1" },
    });
    assert_eq!(
        world.refused("RespondToAuthChallenge", &respond),
        "NotAuthorizedException"
    );
}

#[test]
fn a_reset_password_lets_nobody_in_until_there_is_another() {
    let world = World::new();
    let token = json!({ "AccessToken": world.access_token(OPTIONAL) });
    let named = json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user });
    world.done("AdminResetUserPassword", &named);
    let sign_in = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    assert_eq!(
        world.refused("InitiateAuth", &sign_in),
        "PasswordResetRequiredException"
    );
    assert_eq!(
        world.refused("GetUser", &token),
        "PasswordResetRequiredException"
    );
    let confirm = |code: &str| {
        json!({
            "ClientId": OPTIONAL.client, "Username": OPTIONAL.user, "ConfirmationCode": code, "Password": "Another-Horse-2",
        })
    };
    assert_eq!(
        world.refused("ConfirmForgotPassword", &confirm("654321")),
        "CodeMismatchException"
    );
    world.done("ConfirmForgotPassword", &confirm("123456"));
    assert_eq!(
        world.refused("InitiateAuth", &sign_in),
        "NotAuthorizedException"
    );
    world.done(
        "InitiateAuth",
        &by_password(OPTIONAL, OPTIONAL.user, "Another-Horse-2"),
    );
}

#[test]
fn a_disabled_user_is_let_in_again_when_it_is_enabled() {
    let world = World::new();
    let signed_in = world.sign_in(OPTIONAL);
    let token = json!({ "AccessToken": text(&signed_in, "/AuthenticationResult/AccessToken") });
    let named = json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user });
    world.done("AdminDisableUser", &named);
    let refused = world.call(
        "InitiateAuth",
        &by_password(OPTIONAL, OPTIONAL.user, PASSWORD),
    );
    assert_eq!(refused.body["message"], "User is disabled.");
    assert_eq!(world.refused("GetUser", &token), "NotAuthorizedException");
    world.done("AdminEnableUser", &named);
    let refresh = json!({
        "ClientId": OPTIONAL.client,
        "RefreshToken": text(&signed_in, "/AuthenticationResult/RefreshToken"),
    });
    for (operation, request) in [("GetUser", &token), ("GetTokensFromRefreshToken", &refresh)] {
        assert_eq!(
            world.refused(operation, request),
            "NotAuthorizedException",
            "{operation} by what was issued before"
        );
    }
    world.access_token(OPTIONAL);
}

#[test]
fn nobody_signs_up_under_the_sub_of_another() {
    let world = World::new();
    let token = json!({ "AccessToken": world.access_token(OPTIONAL) });
    let sub = text(&world.done("GetUser", &token), "/UserAttributes/0/Value");
    let sign_up = json!({ "ClientId": OPTIONAL.client, "Username": sub, "Password": PASSWORD });
    assert_eq!(world.refused("SignUp", &sign_up), "UsernameExistsException");
}

#[test]
fn who_does_not_exist_is_named_only_to_clients_that_may_know() {
    let world = World::new();
    let nobody = by_password(OPTIONAL, "nobody", PASSWORD);
    assert_eq!(
        world.refused("InitiateAuth", &nobody),
        "UserNotFoundException"
    );
    let hiding = client(&world, &json!({ "PreventUserExistenceErrors": "ENABLED" }));
    let mut asked = by_password(OPTIONAL, "nobody", PASSWORD);
    asked["ClientId"] = hiding["ClientId"].clone();
    let unknown = world.call("InitiateAuth", &asked);
    asked["AuthParameters"] = json!({ "USERNAME": OPTIONAL.user, "PASSWORD": "Wrong-Horse-1" });
    let wrong = world.call("InitiateAuth", &asked);
    assert_eq!(unknown.body["__type"], "NotAuthorizedException");
    assert_eq!(unknown.body, wrong.body);
    let administrator = json!({ "UserPoolId": OPTIONAL.id, "Username": "nobody" });
    assert_eq!(
        world.refused("AdminGetUser", &administrator),
        "UserNotFoundException"
    );
}

#[test]
fn a_client_with_a_secret_is_asked_for_its_hash_at_each_step() {
    let world = World::new();
    let phone = world.enrol(OPTIONAL);
    let client = client(&world, &json!({ "GenerateSecret": true }));
    let id = text(&client, "/ClientId");
    let secret = text(&client, "/ClientSecret");
    let hash = secret_hash(&secret, OPTIONAL.user, &id);
    let other = secret_hash("another secret", OPTIONAL.user, &id);
    let mut sign_in = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    sign_in["ClientId"] = id.clone().into();
    assert_eq!(
        world.refused("InitiateAuth", &sign_in),
        "NotAuthorizedException"
    );
    sign_in["AuthParameters"]["SECRET_HASH"] = other.clone().into();
    assert_eq!(
        world.refused("InitiateAuth", &sign_in),
        "NotAuthorizedException"
    );
    sign_in["AuthParameters"]["SECRET_HASH"] = hash.clone().into();
    let challenge = world.done("InitiateAuth", &sign_in);

    let mut respond = json!({
        "ClientId": id, "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": challenge["Session"],
        "ChallengeResponses": { "USERNAME": OPTIONAL.user, "SOFTWARE_TOKEN_MFA_CODE": world.code(&phone) },
    });
    assert_eq!(
        world.refused("RespondToAuthChallenge", &respond),
        "NotAuthorizedException"
    );
    respond["ChallengeResponses"]["SECRET_HASH"] = hash.clone().into();
    let tokens = world.done("RespondToAuthChallenge", &respond)["AuthenticationResult"].clone();

    let mut refresh = json!({
        "ClientId": id, "AuthFlow": "REFRESH_TOKEN_AUTH",
        "AuthParameters": { "REFRESH_TOKEN": tokens["RefreshToken"], "SECRET_HASH": other },
    });
    assert_eq!(
        world.refused("InitiateAuth", &refresh),
        "NotAuthorizedException"
    );
    refresh["AuthParameters"]["SECRET_HASH"] = hash.into();
    world.done("InitiateAuth", &refresh);
}

#[test]
fn who_changes_a_password_knows_the_one_before() {
    let world = World::new();
    let change = |previous: &str, proposed: &str| {
        json!({
            "AccessToken": world.access_token(OPTIONAL), "PreviousPassword": previous, "ProposedPassword": proposed,
        })
    };
    let guessed = change("Wrong-Horse-1", "Another-Horse-2");
    assert_eq!(
        world.refused("ChangePassword", &guessed),
        "NotAuthorizedException"
    );
    let short = change(PASSWORD, "short");
    assert_eq!(
        world.refused("ChangePassword", &short),
        "InvalidPasswordException"
    );
    world.done("ChangePassword", &change(PASSWORD, "Another-Horse-2"));
    let before = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    assert_eq!(
        world.refused("InitiateAuth", &before),
        "NotAuthorizedException"
    );
    world.done(
        "InitiateAuth",
        &by_password(OPTIONAL, OPTIONAL.user, "Another-Horse-2"),
    );
}

#[test]
fn what_one_client_was_given_another_does_not_use() {
    let world = World::new();
    let other = client(&world, &json!({}));
    let refresh = json!({
        "ClientId": other["ClientId"], "AuthFlow": "REFRESH_TOKEN_AUTH",
        "AuthParameters": { "REFRESH_TOKEN": world.sign_in(OPTIONAL)["AuthenticationResult"]["RefreshToken"] },
    });
    assert_eq!(
        world.refused("InitiateAuth", &refresh),
        "NotAuthorizedException"
    );

    for name in ["tom", "tim"] {
        let named = json!({ "UserPoolId": OPTIONAL.id, "Username": name, "TemporaryPassword": "Temporary-1" });
        world.done("AdminCreateUser", &named);
    }
    let challenge = world.done("InitiateAuth", &by_password(OPTIONAL, "tom", "Temporary-1"));
    for (client, name) in [
        (&other["ClientId"], "tom"),
        (&json!(OPTIONAL.client), "tim"),
    ] {
        let respond = json!({
            "ClientId": client, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge["Session"],
            "ChallengeResponses": { "USERNAME": name, "NEW_PASSWORD": "Permanent-1" },
        });
        assert_eq!(
            world.refused("RespondToAuthChallenge", &respond),
            "NotAuthorizedException"
        );
    }

    let across = json!({
        "UserPoolId": REQUIRED.id, "ClientId": OPTIONAL.client, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
        "AuthParameters": { "USERNAME": OPTIONAL.user, "PASSWORD": PASSWORD },
    });
    assert_eq!(
        world.refused("AdminInitiateAuth", &across),
        "ResourceNotFoundException"
    );
}

#[test]
fn a_client_may_use_the_flows_it_was_given_and_no_other() {
    let world = World::new();
    let create = json!({
        "UserPoolId": OPTIONAL.id, "ClientName": "refreshing", "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH"],
    });
    let id = text(
        &world.done("CreateUserPoolClient", &create),
        "/UserPoolClient/ClientId",
    );
    let mut sign_in = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    sign_in["ClientId"] = id.into();
    assert_eq!(
        world.refused("InitiateAuth", &sign_in),
        "InvalidParameterException"
    );
    sign_in["ClientId"] = "nowhere".into();
    assert_eq!(
        world.refused("InitiateAuth", &sign_in),
        "ResourceNotFoundException"
    );
    let mut sign_in = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    sign_in["AuthFlow"] = "ADMIN_USER_PASSWORD_AUTH".into();
    assert_eq!(
        world.refused("InitiateAuth", &sign_in),
        "InvalidParameterException"
    );
}

#[test]
fn twenty_who_sign_up_by_one_name_at_once_are_one_user() {
    let world = World::new();
    let sign_up = json!({ "ClientId": OPTIONAL.client, "Username": "anna", "Password": PASSWORD });
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| world.call("SignUp", &sign_up).status))
            .collect();
        asked
            .into_iter()
            .map(|asked| asked.join().expect("no panic"))
            .collect()
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
}

fn client(world: &World, settings: &Value) -> Value {
    let Pool { id, .. } = OPTIONAL;
    let mut create = settings.clone();
    create["UserPoolId"] = id.into();
    create["ClientName"] = "made".into();
    create["ExplicitAuthFlows"] = json!(["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]);
    world.done("CreateUserPoolClient", &create)["UserPoolClient"].clone()
}
