//! Sign-in by SRP, and which flows a client may use.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::world::{
    OPTIONAL, PASSWORD, Pool, REQUIRED, Reply, SrpClient, World, modulus, secret_hash, text,
};

#[test]
fn a_password_is_proven_without_being_sent() {
    let world = World::new();
    let signed_in = world.done(
        "RespondToAuthChallenge",
        &proven(&world, OPTIONAL, PASSWORD),
    );
    let token = text(&signed_in, "/AuthenticationResult/AccessToken");
    let user = world.done("GetUser", &json!({ "AccessToken": token }));
    assert_eq!(user["Username"], OPTIONAL.user);
}

#[test]
fn the_second_factor_follows_as_after_a_password() {
    let world = World::new();
    let phone = world.enrol(OPTIONAL);
    let challenge = world.done(
        "RespondToAuthChallenge",
        &proven(&world, OPTIONAL, PASSWORD),
    );
    assert_eq!(challenge["ChallengeName"], "SOFTWARE_TOKEN_MFA");
    assert!(challenge.get("AuthenticationResult").is_none());
    let session = text(&challenge, "/Session");
    let wrong = world.respond(OPTIONAL, &session, &world.wrong_code(&phone));
    assert_eq!(wrong.body["__type"], "CodeMismatchException");
    let right = world.respond(OPTIONAL, &session, &world.code(&phone));
    text(&right.body, "/AuthenticationResult/AccessToken");

    let challenge = world.done(
        "RespondToAuthChallenge",
        &proven(&world, REQUIRED, PASSWORD),
    );
    assert_eq!(challenge["ChallengeName"], "MFA_SETUP");
    assert!(challenge.get("AuthenticationResult").is_none());
}

#[test]
fn a_user_is_found_by_sub_as_well_and_proves_by_name() {
    let world = World::new();
    let token = json!({ "AccessToken": world.access_token(OPTIONAL) });
    let sub = text(&world.done("GetUser", &token), "/UserAttributes/0/Value");
    let client = SrpClient::new();
    let challenge = world.done("InitiateAuth", &begin(OPTIONAL, &sub, &client.public()));
    let parameters = &challenge["ChallengeParameters"];
    assert_eq!(parameters["USER_ID_FOR_SRP"], OPTIONAL.user);
    let answer = answer(OPTIONAL, &client.prove(OPTIONAL.id, parameters, PASSWORD));
    world.done("RespondToAuthChallenge", &answer);
}

#[test]
fn an_administrator_signs_in_by_srp_too() {
    let world = World::new();
    let client = SrpClient::new();
    let as_administrator = |mut request: Value| {
        request["UserPoolId"] = OPTIONAL.id.into();
        request
    };
    let begin = as_administrator(begin(OPTIONAL, OPTIONAL.user, &client.public()));
    let challenge = world.done("AdminInitiateAuth", &begin);
    let proof = client.prove(OPTIONAL.id, &challenge["ChallengeParameters"], PASSWORD);
    let signed_in = world.done(
        "AdminRespondToAuthChallenge",
        &as_administrator(answer(OPTIONAL, &proof)),
    );
    text(&signed_in, "/AuthenticationResult/AccessToken");
}

#[test]
fn a_temporary_password_is_changed_after_it_was_proven() {
    let world = World::new();
    let named =
        json!({ "UserPoolId": OPTIONAL.id, "Username": "tom", "TemporaryPassword": "Temporary-1" });
    world.done("AdminCreateUser", &named);
    let tom = Pool {
        user: "tom",
        ..OPTIONAL
    };
    let challenge = world.done(
        "RespondToAuthChallenge",
        &proven(&world, tom, "Temporary-1"),
    );
    assert_eq!(challenge["ChallengeName"], "NEW_PASSWORD_REQUIRED");
    let respond = json!({
        "ClientId": OPTIONAL.client, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge["Session"],
        "ChallengeResponses": { "USERNAME": "tom", "NEW_PASSWORD": "Permanent-1" },
    });
    world.done("RespondToAuthChallenge", &respond);
    world.done(
        "RespondToAuthChallenge",
        &proven(&world, tom, "Permanent-1"),
    );
}

#[test]
fn every_way_to_another_password_changes_what_is_proven() {
    let world = World::new();
    let named = json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user });
    let set = |password: &str| {
        json!({
            "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user, "Password": password, "Permanent": true,
        })
    };
    let change = json!({
        "AccessToken": world.access_token(OPTIONAL), "PreviousPassword": PASSWORD, "ProposedPassword": "Changed-Horse-2",
    });
    let confirm = json!({
        "ClientId": OPTIONAL.client, "Username": OPTIONAL.user, "ConfirmationCode": "123456",
        "Password": "Confirmed-Horse-4",
    });
    let mut before = PASSWORD;
    for (operation, request, after) in [
        ("ChangePassword", &change, "Changed-Horse-2"),
        ("AdminSetUserPassword", &set("Set-Horse-3"), "Set-Horse-3"),
        ("ConfirmForgotPassword", &confirm, "Confirmed-Horse-4"),
    ] {
        if operation == "ConfirmForgotPassword" {
            world.done("AdminResetUserPassword", &named);
            let reset = world.call("RespondToAuthChallenge", &proven(&world, OPTIONAL, before));
            assert_eq!(reset.body["__type"], "PasswordResetRequiredException");
        }
        world.done(operation, request);
        let old = world.call("RespondToAuthChallenge", &proven(&world, OPTIONAL, before));
        assert_eq!(old.body["__type"], "NotAuthorizedException", "{operation}");
        world.done("RespondToAuthChallenge", &proven(&world, OPTIONAL, after));
        before = after;
    }
}

#[test]
fn who_has_signed_up_proves_the_password_once_confirmed() {
    let world = World::new();
    let sign_up = json!({ "ClientId": OPTIONAL.client, "Username": "anna", "Password": PASSWORD });
    world.done("SignUp", &sign_up);
    let anna = Pool {
        user: "anna",
        ..OPTIONAL
    };
    let answered = world.call("RespondToAuthChallenge", &proven(&world, anna, PASSWORD));
    assert_eq!(answered.body["__type"], "UserNotConfirmedException");
    let wrong = world.call(
        "RespondToAuthChallenge",
        &proven(&world, anna, "Wrong-Horse-1"),
    );
    assert_eq!(wrong.body["message"], "Incorrect username or password.");
    let confirm =
        json!({ "ClientId": OPTIONAL.client, "Username": "anna", "ConfirmationCode": "123456" });
    world.done("ConfirmSignUp", &confirm);
    world.done("RespondToAuthChallenge", &proven(&world, anna, PASSWORD));
}

#[test]
fn somebody_unknown_looks_like_somebody_with_another_password() {
    let world = World::new();
    let hiding = client(&world, &json!({ "PreventUserExistenceErrors": "ENABLED" }));
    let hiding = text(&hiding, "/ClientId");
    let begin = |user: &str, client: &SrpClient| {
        let mut begin = begin(OPTIONAL, user, &client.public());
        begin["ClientId"] = hiding.clone().into();
        world.done("InitiateAuth", &begin)
    };
    let without_password = json!({ "UserPoolId": OPTIONAL.id, "Username": "without" });
    world.done("AdminCreateUser", &without_password);
    let answers = [OPTIONAL.user, "without", "nobody"].map(|user| {
        let client = SrpClient::new();
        let [one, two] = [(); 2].map(|()| begin(user, &client));
        let [one, two] = [one, two].map(|told| told["ChallengeParameters"].clone());
        assert_eq!(one["SALT"], two["SALT"], "{user}: the salt is the user's");
        assert_ne!(one["SRP_B"], two["SRP_B"]);
        assert_ne!(one["SECRET_BLOCK"], two["SECRET_BLOCK"]);
        assert_eq!(
            (&one["USERNAME"], &one["USER_ID_FOR_SRP"]),
            (&json!(user), &json!(user))
        );
        assert!((29..=32).contains(&text(&one, "/SALT").len()));
        assert!((760..=768).contains(&text(&one, "/SRP_B").len()));
        let mut answer = answer(OPTIONAL, &client.prove(OPTIONAL.id, &one, "Wrong-Horse-1"));
        answer["ClientId"] = hiding.clone().into();
        let Reply { status, body, .. } = world.call("RespondToAuthChallenge", &answer);
        let members: Vec<_> = one
            .as_object()
            .expect("parameters")
            .keys()
            .cloned()
            .collect();
        (status, body, members, text(&one, "/SECRET_BLOCK").len())
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert_eq!(answers[0].1["message"], "Incorrect username or password.");
    let salts = ["nobody", "noone"].map(|user| {
        let challenge = begin(user, &SrpClient::new());
        text(&challenge, "/ChallengeParameters/SALT")
    });
    assert_ne!(salts[0], salts[1], "as two users have two");
}

#[test]
fn somebody_unknown_by_address_has_a_user_name_as_those_known_have() {
    let world = World::new();
    let create = json!({ "PoolName": "mine", "UsernameAttributes": ["email"] });
    let pool = text(&world.done("CreateUserPool", &create), "/UserPool/Id");
    let create = json!({
        "UserPoolId": pool, "ClientName": "made", "PreventUserExistenceErrors": "ENABLED",
    });
    let client = world.done("CreateUserPoolClient", &create)["UserPoolClient"]["ClientId"].clone();
    let sign_up =
        json!({ "ClientId": client, "Username": "anna@example.com", "Password": PASSWORD });
    let sub = text(&world.done("SignUp", &sign_up), "/UserSub");
    let name = |address: &str| {
        let begin = json!({
            "ClientId": client, "AuthFlow": "USER_SRP_AUTH",
            "AuthParameters": { "USERNAME": address, "SRP_A": SrpClient::new().public() },
        });
        let challenge = world.done("InitiateAuth", &begin);
        text(&challenge, "/ChallengeParameters/USER_ID_FOR_SRP")
    };
    assert_eq!(name("anna@example.com"), sub);
    let unknown = name("nobody@example.com");
    assert_eq!(
        uuid::Uuid::parse_str(&unknown)
            .expect("as a sub")
            .get_version_num(),
        4
    );
    assert_eq!(unknown, name("nobody@example.com"));
    assert_ne!(unknown, name("noone@example.com"));
    assert_eq!(name(&unknown), unknown, "as it is asked for next");
}

#[test]
fn who_may_know_is_told_that_there_is_nobody() {
    let world = World::new();
    let begin = begin(OPTIONAL, "nobody", &SrpClient::new().public());
    assert_eq!(
        world.refused("InitiateAuth", &begin),
        "UserNotFoundException"
    );
}

#[test]
fn a_block_is_answered_once_whatever_the_answer() {
    let world = World::new();
    let right = proven(&world, OPTIONAL, PASSWORD);
    world.done("RespondToAuthChallenge", &right);
    let again = world.call("RespondToAuthChallenge", &right);
    assert_eq!(again.body["__type"], "NotAuthorizedException");
    assert_eq!(
        again.body["message"],
        "Invalid session for the user, session can only be used once."
    );

    let client = SrpClient::new();
    let begun = world.done(
        "InitiateAuth",
        &begin(OPTIONAL, OPTIONAL.user, &client.public()),
    );
    let prove = |password| {
        answer(
            OPTIONAL,
            &client.prove(OPTIONAL.id, &begun["ChallengeParameters"], password),
        )
    };
    let guess = world.call("RespondToAuthChallenge", &prove("Wrong-Horse-1"));
    assert_eq!(guess.body["message"], "Incorrect username or password.");
    let second = world.call("RespondToAuthChallenge", &prove(PASSWORD));
    assert_eq!(second.body["__type"], "NotAuthorizedException");
}

#[test]
fn twenty_who_answer_one_block_at_once_are_judged_once() {
    let world = World::new();
    let right = proven(&world, OPTIONAL, PASSWORD);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| world.call("RespondToAuthChallenge", &right).status))
            .collect();
        asked
            .into_iter()
            .map(|asked| asked.join().expect("no panic"))
            .collect()
    });
    let successes = statuses.iter().filter(|status| **status == 200);
    assert_eq!(successes.count(), 1, "{statuses:?}");
}

#[test]
fn a_block_is_good_for_its_user_pool_client_and_time() {
    let world = World::new();
    let sign_up = json!({ "ClientId": OPTIONAL.client, "Username": "anna", "Password": PASSWORD });
    world.done("SignUp", &sign_up);
    let confirm = json!({ "UserPoolId": OPTIONAL.id, "Username": "anna" });
    world.done("AdminConfirmSignUp", &confirm);
    let other = text(&client(&world, &json!({})), "/ClientId");
    let refused = |what: &str, request: &Value| {
        let answered = world.call("RespondToAuthChallenge", request);
        assert_eq!(
            answered.body["message"],
            "Invalid session for the user, session is expired or invalid.",
            "{what}"
        );
    };
    let mut request = proven(&world, OPTIONAL, PASSWORD);
    request["ChallengeResponses"]["USERNAME"] = "anna".into();
    refused("another user", &request);
    request["ChallengeResponses"]["USERNAME"] = OPTIONAL.user.into();
    request["ClientId"] = other.into();
    refused("another client", &request);
    request["ClientId"] = REQUIRED.client.into();
    refused("another pool", &request);
    request["ClientId"] = OPTIONAL.client.into();
    let block = request["ChallengeResponses"]["PASSWORD_CLAIM_SECRET_BLOCK"].clone();
    let mut bytes = BASE64_STANDARD
        .decode(block.as_str().expect("text"))
        .expect("base64");
    bytes[40] ^= 1;
    for forged in [BASE64_STANDARD.encode(&bytes), String::new(), "?".into()] {
        request["ChallengeResponses"]["PASSWORD_CLAIM_SECRET_BLOCK"] = forged.into();
        refused("a forged block", &request);
    }
    request["ChallengeResponses"]["PASSWORD_CLAIM_SECRET_BLOCK"] = block;
    world.done("RespondToAuthChallenge", &request);

    let old = proven(&world, OPTIONAL, PASSWORD);
    let late = proven(&world, OPTIONAL, PASSWORD);
    world.wait(179);
    world.done("RespondToAuthChallenge", &late);
    world.wait(1);
    refused("three minutes old", &old);
}

#[test]
fn a_block_stays_spent_when_its_client_lets_sessions_live_longer() {
    let world = World::new();
    let spent = proven(&world, OPTIONAL, PASSWORD);
    world.done("RespondToAuthChallenge", &spent);
    let settings = json!({
        "UserPoolId": OPTIONAL.id, "ClientId": OPTIONAL.client, "AuthSessionValidity": 15,
    });
    world.done("UpdateUserPoolClient", &settings);
    world.wait(180);
    // Another answer forgets what has ended.
    let other = proven(&world, OPTIONAL, PASSWORD);
    world.done("RespondToAuthChallenge", &other);
    assert_eq!(
        world.refused("RespondToAuthChallenge", &spent),
        "NotAuthorizedException"
    );
}

#[test]
fn a_client_that_may_not_use_srp_any_more_completes_no_sign_in_by_it() {
    let world = World::new();
    let begun = proven(&world, OPTIONAL, PASSWORD);
    let settings = json!({
        "UserPoolId": OPTIONAL.id, "ClientId": OPTIONAL.client,
        "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
    });
    world.done("UpdateUserPoolClient", &settings);
    assert_eq!(
        world.refused("RespondToAuthChallenge", &begun),
        "InvalidParameterException"
    );
}

#[test]
fn a_number_that_makes_the_password_needless_is_refused() {
    let world = World::new();
    let huge = format!("1{}", "0".repeat(768));
    for srp_a in [
        "0".to_owned(),
        "00".to_owned(),
        String::new(),
        modulus().to_str_radix(16),
        modulus().to_str_radix(16).to_uppercase(),
        huge,
        "-2".to_owned(),
        "+2".to_owned(),
        "1_0".to_owned(),
        "xyz".to_owned(),
    ] {
        assert_eq!(
            world.refused("InitiateAuth", &begin(OPTIONAL, OPTIONAL.user, &srp_a)),
            "InvalidParameterException",
            "{srp_a}"
        );
    }
    let mut without = begin(OPTIONAL, OPTIONAL.user, "2");
    without["AuthParameters"] = json!({ "USERNAME": OPTIONAL.user });
    assert_eq!(
        world.refused("InitiateAuth", &without),
        "InvalidParameterException"
    );
}

#[test]
fn what_was_signed_is_what_is_answered() {
    let world = World::new();
    let mut request = proven(&world, OPTIONAL, PASSWORD);
    request["ChallengeResponses"]["TIMESTAMP"] = "Tue Nov 14 22:13:21 UTC 2023".into();
    assert_eq!(
        world.refused("RespondToAuthChallenge", &request),
        "NotAuthorizedException"
    );
    let mut request = proven(&world, OPTIONAL, PASSWORD);
    request["ChallengeResponses"]["TIMESTAMP"] = "2023-11-14T22:13:20Z".into();
    assert_eq!(
        world.refused("RespondToAuthChallenge", &request),
        "InvalidParameterException"
    );
}

#[test]
fn a_client_with_a_secret_is_asked_for_its_hash_by_srp_too() {
    let world = World::new();
    let made = client(&world, &json!({ "GenerateSecret": true }));
    let id = text(&made, "/ClientId");
    let hash = secret_hash(&text(&made, "/ClientSecret"), OPTIONAL.user, &id);
    let client = SrpClient::new();
    let mut begin = begin(OPTIONAL, OPTIONAL.user, &client.public());
    begin["ClientId"] = id.clone().into();
    assert_eq!(
        world.refused("InitiateAuth", &begin),
        "NotAuthorizedException"
    );
    begin["AuthParameters"]["SECRET_HASH"] = hash.clone().into();
    let challenge = world.done("InitiateAuth", &begin);
    let proof = client.prove(OPTIONAL.id, &challenge["ChallengeParameters"], PASSWORD);
    let mut answer = answer(OPTIONAL, &proof);
    answer["ClientId"] = id.into();
    assert_eq!(
        world.refused("RespondToAuthChallenge", &answer),
        "NotAuthorizedException"
    );
    answer["ChallengeResponses"]["SECRET_HASH"] = hash.into();
    world.done("RespondToAuthChallenge", &answer);
}

#[test]
fn a_client_that_names_no_flow_signs_in_by_srp_alone() {
    let world = World::new();
    let create = json!({ "UserPoolId": OPTIONAL.id, "ClientName": "made" });
    let made = world.done("CreateUserPoolClient", &create)["UserPoolClient"].clone();
    let pool = |id: &Value| {
        let mut begin = begin(OPTIONAL, OPTIONAL.user, &SrpClient::new().public());
        begin["ClientId"] = id.clone();
        begin
    };
    world.done("InitiateAuth", &pool(&made["ClientId"]));
    let message = |flow: &str, members: Value| {
        let mut request = members;
        request["ClientId"] = made["ClientId"].clone();
        request["AuthFlow"] = flow.into();
        request["AuthParameters"] = json!({ "USERNAME": OPTIONAL.user, "PASSWORD": PASSWORD });
        let operation = if request.get("UserPoolId").is_some() {
            "AdminInitiateAuth"
        } else {
            "InitiateAuth"
        };
        let answered = world.call(operation, &request);
        assert_eq!(answered.body["__type"], "InvalidParameterException");
        text(&answered.body, "/message")
    };
    assert_eq!(
        message("USER_PASSWORD_AUTH", json!({})),
        "USER_PASSWORD_AUTH flow not enabled for this client"
    );
    assert_eq!(
        message(
            "ADMIN_USER_PASSWORD_AUTH",
            json!({ "UserPoolId": OPTIONAL.id })
        ),
        "Auth flow not enabled for this client"
    );
    for flow in ["CUSTOM_AUTH", "USER_AUTH"] {
        let told = message(flow, json!({}));
        assert!(
            told.starts_with(&format!("{flow} is not supported: this server")),
            "{told}"
        );
    }
}

#[test]
fn a_client_that_does_not_name_srp_is_refused_by_it() {
    let world = World::new();
    for (flows, may) in [
        (json!(["ALLOW_USER_PASSWORD_AUTH"]), false),
        (json!(["CUSTOM_AUTH_FLOW_ONLY"]), false),
        (json!(["ALLOW_USER_SRP_AUTH"]), true),
        (json!(["USER_PASSWORD_AUTH"]), true),
    ] {
        let create =
            json!({ "UserPoolId": OPTIONAL.id, "ClientName": "made", "ExplicitAuthFlows": flows });
        let made = world.done("CreateUserPoolClient", &create);
        let mut begin = begin(OPTIONAL, OPTIONAL.user, &SrpClient::new().public());
        begin["ClientId"] = made["UserPoolClient"]["ClientId"].clone();
        let answered = world.call("InitiateAuth", &begin);
        if may {
            assert_eq!(answered.status, 200, "{flows}");
        } else {
            assert_eq!(
                answered.body["message"],
                "USER_SRP_AUTH is not enabled for the client."
            );
        }
    }
}

fn begin(pool: Pool, user: &str, srp_a: &str) -> Value {
    json!({
        "ClientId": pool.client, "AuthFlow": "USER_SRP_AUTH",
        "AuthParameters": { "USERNAME": user, "SRP_A": srp_a },
    })
}

fn answer(pool: Pool, proof: &Value) -> Value {
    json!({
        "ClientId": pool.client, "ChallengeName": "PASSWORD_VERIFIER", "ChallengeResponses": proof,
    })
}

/// The answer to a challenge that was just asked for.
fn proven(world: &World, pool: Pool, password: &str) -> Value {
    let client = SrpClient::new();
    let challenge = world.done("InitiateAuth", &begin(pool, pool.user, &client.public()));
    assert_eq!(challenge["ChallengeName"], "PASSWORD_VERIFIER");
    answer(
        pool,
        &client.prove(pool.id, &challenge["ChallengeParameters"], password),
    )
}

fn client(world: &World, settings: &Value) -> Value {
    let mut create = settings.clone();
    create["UserPoolId"] = OPTIONAL.id.into();
    create["ClientName"] = "made".into();
    world.done("CreateUserPoolClient", &create)["UserPoolClient"].clone()
}
