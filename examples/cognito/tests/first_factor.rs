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
fn the_session_of_a_temporary_password_lives_as_long_as_its_client_says() {
    let world = World::new();
    let begun = ["tom", "tim"].map(|name| {
        let named =
            json!({ "UserPoolId": OPTIONAL.id, "Username": name, "TemporaryPassword": "Temporary-1" });
        world.done("AdminCreateUser", &named);
        let challenge = world.done("InitiateAuth", &by_password(OPTIONAL, name, "Temporary-1"));
        json!({
            "ClientId": OPTIONAL.client, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge["Session"],
            "ChallengeResponses": { "USERNAME": name, "NEW_PASSWORD": "Permanent-1" },
        })
    });
    let [in_time, late] = begun;
    world.wait(179);
    world.done("RespondToAuthChallenge", &in_time);
    world.wait(1);
    assert_eq!(
        world.refused("RespondToAuthChallenge", &late),
        "NotAuthorizedException"
    );
}

#[test]
fn a_disabled_user_is_asked_for_nothing_else() {
    let world = World::new();
    world.enrol(OPTIONAL);
    let named =
        json!({ "UserPoolId": OPTIONAL.id, "Username": "tom", "TemporaryPassword": PASSWORD });
    world.done("AdminCreateUser", &named);
    for name in [OPTIONAL.user, "tom"] {
        let named = json!({ "UserPoolId": OPTIONAL.id, "Username": name });
        world.done("AdminDisableUser", &named);
        let refused = world.call("InitiateAuth", &by_password(OPTIONAL, name, PASSWORD));
        assert_eq!(refused.body["message"], "User is disabled.", "{name}");
    }
}

#[test]
fn a_disabled_user_chooses_no_new_password() {
    let world = World::new();
    let named =
        json!({ "UserPoolId": OPTIONAL.id, "Username": "tom", "TemporaryPassword": "Temporary-1" });
    world.done("AdminCreateUser", &named);
    let sign_in = by_password(OPTIONAL, "tom", "Temporary-1");
    let challenge = world.done("InitiateAuth", &sign_in);
    let respond = json!({
        "ClientId": OPTIONAL.client, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge["Session"],
        "ChallengeResponses": { "USERNAME": "tom", "NEW_PASSWORD": "Permanent-1" },
    });
    let tom = json!({ "UserPoolId": OPTIONAL.id, "Username": "tom" });
    world.done("AdminDisableUser", &tom);
    let refused = world.call("RespondToAuthChallenge", &respond);
    assert_eq!(refused.body["message"], "User is disabled.");
    world.done("AdminEnableUser", &tom);
    let again = world.done("InitiateAuth", &sign_in);
    assert_eq!(again["ChallengeName"], "NEW_PASSWORD_REQUIRED");
}

#[test]
fn a_password_has_the_length_that_its_pool_asks_for_however_it_is_given() {
    let world = World::new();
    let token = world.access_token(OPTIONAL);
    let named = |name: &str| json!({ "UserPoolId": OPTIONAL.id, "Username": name });
    let refused_and_taken = |operation: &str, members: Value, pointer: &str| {
        for (password, is_taken) in [("Seven-7", false), ("Eight--8", true)] {
            let mut request = members.clone();
            *request.pointer_mut(pointer).expect("a member") = password.into();
            if is_taken {
                world.done(operation, &request);
            } else {
                let refused = world.refused(operation, &request);
                assert_eq!(refused, "InvalidPasswordException", "{operation}");
            }
        }
    };
    let change =
        json!({ "AccessToken": token, "PreviousPassword": PASSWORD, "ProposedPassword": "" });
    refused_and_taken("ChangePassword", change, "/ProposedPassword");
    let forgot = json!({
        "ClientId": OPTIONAL.client, "Username": OPTIONAL.user, "ConfirmationCode": "123456", "Password": "",
    });
    refused_and_taken("ConfirmForgotPassword", forgot, "/Password");
    let mut set = named(OPTIONAL.user);
    set["Password"] = "".into();
    refused_and_taken("AdminSetUserPassword", set, "/Password");
    let sign_up = json!({ "ClientId": OPTIONAL.client, "Username": "anna", "Password": "" });
    refused_and_taken("SignUp", sign_up, "/Password");
    let mut create = named("tom");
    create["TemporaryPassword"] = "".into();
    refused_and_taken("AdminCreateUser", create, "/TemporaryPassword");
    let challenge = world.done("InitiateAuth", &by_password(OPTIONAL, "tom", "Eight--8"));
    let respond = json!({
        "ClientId": OPTIONAL.client, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge["Session"],
        "ChallengeResponses": { "USERNAME": "tom", "NEW_PASSWORD": "" },
    });
    let password = "/ChallengeResponses/NEW_PASSWORD";
    refused_and_taken("RespondToAuthChallenge", respond, password);
}

#[test]
fn a_password_that_an_administrator_sets_is_temporary_unless_it_is_said_to_stay() {
    let world = World::new();
    let mut set = json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user, "Password": "Another-Horse-2" });
    let sign_in = by_password(OPTIONAL, OPTIONAL.user, "Another-Horse-2");
    for permanent in [Value::Null, false.into()] {
        set["Permanent"] = permanent;
        world.done("AdminSetUserPassword", &set);
        let challenge = world.done("InitiateAuth", &sign_in);
        assert_eq!(challenge["ChallengeName"], "NEW_PASSWORD_REQUIRED");
    }
    set["Permanent"] = true.into();
    world.done("AdminSetUserPassword", &set);
    let signed_in = world.done("InitiateAuth", &sign_in);
    text(&signed_in, "/AuthenticationResult/AccessToken");
}

#[test]
fn who_is_disabled_or_not_confirmed_gets_no_other_password_by_a_code() {
    let world = World::new();
    let sign_up = json!({ "ClientId": OPTIONAL.client, "Username": "anna", "Password": PASSWORD });
    world.done("SignUp", &sign_up);
    let named =
        json!({ "UserPoolId": OPTIONAL.id, "Username": "tom", "TemporaryPassword": PASSWORD });
    world.done("AdminCreateUser", &named);
    let otto = json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user });
    world.done("AdminDisableUser", &otto);
    for name in ["anna", "tom", OPTIONAL.user] {
        let forgot = json!({ "ClientId": OPTIONAL.client, "Username": name });
        let confirm = json!({
            "ClientId": OPTIONAL.client, "Username": name, "ConfirmationCode": "123456",
            "Password": "Another-Horse-2",
        });
        let reset = json!({ "UserPoolId": OPTIONAL.id, "Username": name });
        for (operation, request) in [
            ("ForgotPassword", &forgot),
            ("ConfirmForgotPassword", &confirm),
            ("AdminResetUserPassword", &reset),
        ] {
            let refused = world.refused(operation, request);
            assert_eq!(refused, "NotAuthorizedException", "{operation} of {name}");
        }
    }
    let anna = by_password(OPTIONAL, "anna", PASSWORD);
    assert_eq!(
        world.refused("InitiateAuth", &anna),
        "UserNotConfirmedException"
    );
    let tom = world.done("InitiateAuth", &by_password(OPTIONAL, "tom", PASSWORD));
    assert_eq!(tom["ChallengeName"], "NEW_PASSWORD_REQUIRED");
    world.done("AdminEnableUser", &otto);
    world.access_token(OPTIONAL);
}

#[test]
fn a_disabled_user_is_not_confirmed() {
    let world = World::new();
    let sign_up = json!({ "ClientId": OPTIONAL.client, "Username": "anna", "Password": PASSWORD });
    world.done("SignUp", &sign_up);
    let named = json!({ "UserPoolId": OPTIONAL.id, "Username": "anna" });
    world.done("AdminDisableUser", &named);
    let by_code =
        json!({ "ClientId": OPTIONAL.client, "Username": "anna", "ConfirmationCode": "123456" });
    for (operation, request) in [("ConfirmSignUp", &by_code), ("AdminConfirmSignUp", &named)] {
        let refused = world.call(operation, request);
        assert_eq!(refused.body["message"], "User is disabled.", "{operation}");
    }
    let told = world.done("AdminGetUser", &named);
    assert_eq!(told["UserStatus"], "UNCONFIRMED");
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
fn an_administrator_is_told_that_there_is_nobody_although_the_client_hides_it() {
    let world = World::new();
    let create = json!({
        "UserPoolId": OPTIONAL.id, "ClientName": "hiding", "PreventUserExistenceErrors": "ENABLED",
        "ExplicitAuthFlows": ["ALLOW_ADMIN_USER_PASSWORD_AUTH"],
    });
    let hiding = world.done("CreateUserPoolClient", &create)["UserPoolClient"].clone();
    let begin = json!({
        "UserPoolId": OPTIONAL.id, "ClientId": hiding["ClientId"], "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
        "AuthParameters": { "USERNAME": "nobody", "PASSWORD": PASSWORD },
    });
    assert_eq!(
        world.refused("AdminInitiateAuth", &begin),
        "UserNotFoundException"
    );
}

/// Makes users of every standing, with an address and without. Returns their names.
fn of_every_standing(world: &World) -> [&'static str; 4] {
    let sign_up = json!({
        "ClientId": OPTIONAL.client, "Username": "anna", "Password": PASSWORD,
        "UserAttributes": [{ "Name": "email", "Value": "anna@example.org" }],
    });
    world.done("SignUp", &sign_up);
    for (name, attributes) in [
        ("tom", json!([])),
        ("eve", json!([{ "Name": "phone_number", "Value": "+491" }])),
    ] {
        let created = json!({
            "UserPoolId": OPTIONAL.id, "Username": name, "TemporaryPassword": PASSWORD, "UserAttributes": attributes,
        });
        world.done("AdminCreateUser", &created);
    }
    let eve = json!({ "UserPoolId": OPTIONAL.id, "Username": "eve" });
    world.done("AdminDisableUser", &eve);
    ["anna", "tom", "eve", OPTIONAL.user]
}

#[test]
fn a_client_that_hides_users_takes_nobody_for_a_wrong_code() {
    let world = World::new();
    let users = of_every_standing(&world);
    let hiding = client(&world, &json!({ "PreventUserExistenceErrors": "ENABLED" }));
    for operation in ["ConfirmForgotPassword", "ConfirmSignUp"] {
        let asked = |client: &Value, user: &str, code: &str| {
            let mut request =
                json!({ "ClientId": client, "Username": user, "ConfirmationCode": code });
            if operation == "ConfirmForgotPassword" {
                request["Password"] = "Another-Horse-2".into();
            }
            world.call(operation, &request).body
        };
        let hidden = asked(&hiding["ClientId"], "nobody", "654321");
        assert_eq!(hidden["__type"], "CodeMismatchException", "{operation}");
        for user in users {
            let wrong = asked(&hiding["ClientId"], user, "654321");
            assert_eq!(wrong, hidden, "{operation} of {user}");
        }
        for user in ["nobody", "eve"] {
            let right = asked(&hiding["ClientId"], user, "123456");
            assert_eq!(right, hidden, "{operation} of {user}");
        }
        let told = asked(&json!(OPTIONAL.client), "nobody", "654321");
        assert_eq!(told["__type"], "UserNotFoundException", "{operation}");
    }
}

#[test]
fn a_client_that_hides_users_hears_of_everybody_that_a_code_was_sent() {
    let world = World::new();
    let users = of_every_standing(&world);
    let hiding = client(&world, &json!({ "PreventUserExistenceErrors": "ENABLED" }));
    for operation in ["ForgotPassword", "ResendConfirmationCode"] {
        let asked = |client: &Value, user: &str| {
            let request = json!({ "ClientId": client, "Username": user });
            world.call(operation, &request)
        };
        let unknown = ["nobody", "zoe", "zoe@example.org", "+4989"];
        for user in users.iter().chain(&unknown) {
            let told = asked(&hiding["ClientId"], user);
            assert_eq!(told.status, 200, "{operation} of {user}: {}", told.body);
            let details = &told.body["CodeDeliveryDetails"];
            let (medium, attribute, shown) = match *user {
                "eve" | "+4989" => ("SMS", "phone_number", '+'..='+'),
                "anna" => ("EMAIL", "email", 'a'..='a'),
                "zoe@example.org" => ("EMAIL", "email", 'z'..='z'),
                _ => ("EMAIL", "email", 'a'..='z'),
            };
            let destination = text(details, "/Destination");
            let first = destination.strip_suffix("***").expect("it is masked");
            assert!(
                first.parse().is_ok_and(|first| shown.contains(&first)),
                "{destination}"
            );
            let expected = json!({ "CodeDeliveryDetails": {
                "Destination": destination, "DeliveryMedium": medium, "AttributeName": attribute,
            } });
            assert_eq!(told.body, expected, "{operation} of {user}");
            let again = asked(&hiding["ClientId"], user);
            assert_eq!(again.body, told.body, "{operation} of {user}");
        }
        let told = asked(&json!(OPTIONAL.client), "nobody").body;
        assert_eq!(told["__type"], "UserNotFoundException", "{operation}");
    }
}

#[test]
fn a_client_with_a_secret_is_asked_for_its_hash_before_anybody_is_signed_in() {
    let world = World::new();
    let client = client(&world, &json!({ "GenerateSecret": true }));
    let id = text(&client, "/ClientId");
    let secret = text(&client, "/ClientSecret");
    let refused_without = |operation: &str, mut request: Value, pointer: &str, hash: &str| {
        let refused = world.refused(operation, &request);
        assert_eq!(refused, "NotAuthorizedException", "{operation}");
        let (within, member) = pointer.rsplit_once('/').expect("a pointer");
        let members = request.pointer_mut(within).expect("members");
        members[member] = hash.into();
        world.done(operation, &request)
    };
    let hash = secret_hash(&secret, "anna", &id);
    let sign_up = json!({ "ClientId": id, "Username": "anna", "Password": PASSWORD });
    refused_without("SignUp", sign_up, "/SecretHash", &hash);
    let confirm = json!({ "ClientId": id, "Username": "anna", "ConfirmationCode": "123456" });
    refused_without("ConfirmSignUp", confirm, "/SecretHash", &hash);

    let named =
        json!({ "UserPoolId": OPTIONAL.id, "Username": "tom", "TemporaryPassword": "Temporary-1" });
    world.done("AdminCreateUser", &named);
    let hash = secret_hash(&secret, "tom", &id);
    let mut sign_in = by_password(OPTIONAL, "tom", "Temporary-1");
    sign_in["ClientId"] = id.clone().into();
    let pointer = "/AuthParameters/SECRET_HASH";
    let challenge = refused_without("InitiateAuth", sign_in, pointer, &hash);
    let respond = json!({
        "ClientId": id, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge["Session"],
        "ChallengeResponses": { "USERNAME": "tom", "NEW_PASSWORD": "Permanent-1" },
    });
    let pointer = "/ChallengeResponses/SECRET_HASH";
    refused_without("RespondToAuthChallenge", respond, pointer, &hash);
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
fn of_ten_who_change_one_password_at_once_one_does() {
    let world = World::new();
    let token = world.access_token(OPTIONAL);
    let change = |number: u32| {
        json!({
            "AccessToken": token, "PreviousPassword": PASSWORD, "ProposedPassword": format!("Another-Horse-{number}"),
        })
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..10)
            .map(|number| (number, &world, &change))
            .map(|(number, world, change)| {
                scope.spawn(move || world.call("ChangePassword", &change(number)).status)
            })
            .collect();
        asked
            .into_iter()
            .map(|asked| asked.join().expect("no panic"))
            .collect()
    });
    let changed = statuses.iter().filter(|status| **status == 200);
    assert_eq!(changed.count(), 1, "{statuses:?}");
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
fn the_flow_of_users_is_no_administrators() {
    let world = World::new();
    let mut sign_in = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    sign_in["UserPoolId"] = OPTIONAL.id.into();
    assert_eq!(
        world.refused("AdminInitiateAuth", &sign_in),
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
