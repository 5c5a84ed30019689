//! What is known of users, changed and found; the names that they go by; pools and clients,
//! changed.

use std::sync::Arc;

use serde_json::{Value, json};
use softtoken::association::State;
use softtoken::{MemoryStore, Mfa, OsEntropy, Policy, UnixTime};

use crate::world::{OPTIONAL, PASSWORD, Pool, World, by_password, text};

fn pool(world: &World, settings: Value) -> String {
    let mut create = settings;
    create["PoolName"] = "made".into();
    text(&world.done("CreateUserPool", &create), "/UserPool/Id")
}

fn client(world: &World, pool: &str) -> String {
    let create = json!({
        "UserPoolId": pool, "ClientName": "made", "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
    });
    let made = world.done("CreateUserPoolClient", &create);
    text(&made, "/UserPoolClient/ClientId")
}

fn sign_up(client: &str, name: &str, attributes: &[(&str, &str)]) -> Value {
    let attributes: Vec<_> = attributes
        .iter()
        .map(|(name, value)| json!({ "Name": name, "Value": value }))
        .collect();
    json!({ "ClientId": client, "Username": name, "Password": PASSWORD, "UserAttributes": attributes })
}

fn confirm(client: &str, name: &str) -> Value {
    json!({ "ClientId": client, "Username": name, "ConfirmationCode": "123456" })
}

/// The access token of a sign-in by this name.
#[track_caller]
fn token(world: &World, client: &str, name: &str) -> String {
    let signed_in = world.done("InitiateAuth", &named(client, name));
    text(&signed_in, "/AuthenticationResult/AccessToken")
}

fn named(client: &str, name: &str) -> Value {
    json!({
        "ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH",
        "AuthParameters": { "USERNAME": name, "PASSWORD": PASSWORD },
    })
}

fn attribute(user: &Value, name: &str) -> Option<String> {
    let attributes = user["UserAttributes"].as_array().expect("attributes");
    let found = attributes.iter().find(|known| known["Name"] == name)?;
    Some(text(found, "/Value"))
}

#[test]
fn attributes_are_changed_by_their_user_and_by_an_administrator() {
    let world = World::new();
    let token = world.access_token(OPTIONAL);
    let get = || world.done("GetUser", &json!({ "AccessToken": token }));
    let admin = json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user });
    let with = |member: &str, value: Value| {
        let mut members = admin.clone();
        members[member] = value;
        members
    };
    let by_admin = json!([
        { "Name": "email", "Value": "otto@example.org" }, { "Name": "email_verified", "Value": "true" },
    ]);
    world.done(
        "AdminUpdateUserAttributes",
        &with("UserAttributes", by_admin),
    );
    assert_eq!(attribute(&get(), "email_verified").as_deref(), Some("true"));

    let update = |attributes: Value| json!({ "AccessToken": token, "UserAttributes": attributes });
    let other = json!([{ "Name": "email", "Value": "o@example.org" }, { "Name": "custom:team", "Value": "a" }]);
    world.done("UpdateUserAttributes", &update(other));
    assert_eq!(attribute(&get(), "email").as_deref(), Some("o@example.org"));
    assert_eq!(
        attribute(&get(), "email_verified").as_deref(),
        Some("false"),
        "nobody has seen the new address"
    );
    for (refused, exception) in [
        (
            json!([{ "Name": "email_verified", "Value": "true" }]),
            "NotAuthorizedException",
        ),
        (
            json!([{ "Name": "sub", "Value": "x" }]),
            "InvalidParameterException",
        ),
        (
            json!([{ "Name": "shoe", "Value": "x" }]),
            "InvalidParameterException",
        ),
        (json!([]), "InvalidParameterException"),
    ] {
        assert_eq!(
            world.refused("UpdateUserAttributes", &update(refused)),
            exception
        );
    }

    let delete = json!({ "AccessToken": token, "UserAttributeNames": ["email"] });
    world.done("DeleteUserAttributes", &delete);
    assert_eq!(attribute(&get(), "email"), None);
    assert_eq!(attribute(&get(), "email_verified"), None);
    world.done(
        "AdminDeleteUserAttributes",
        &with("UserAttributeNames", json!(["custom:team"])),
    );
    assert_eq!(attribute(&get(), "custom:team"), None);
}

#[test]
fn a_telephone_number_is_verified_by_an_administrator_and_not_by_its_user() {
    let world = World::new();
    let token = world.access_token(OPTIONAL);
    let verified = || {
        let user = world.done("GetUser", &json!({ "AccessToken": token }));
        attribute(&user, "phone_number_verified")
    };
    let update = |name: &str, value: &str| {
        let attributes = json!([{ "Name": name, "Value": value }]);
        json!({ "AccessToken": token, "UserAttributes": attributes })
    };
    world.done("UpdateUserAttributes", &update("phone_number", "+491"));
    assert_eq!(
        world.refused(
            "UpdateUserAttributes",
            &update("phone_number_verified", "true")
        ),
        "NotAuthorizedException"
    );
    let by_admin = json!({
        "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user,
        "UserAttributes": [{ "Name": "phone_number_verified", "Value": "true" }],
    });
    world.done("AdminUpdateUserAttributes", &by_admin);
    world.done("UpdateUserAttributes", &update("phone_number", "+491"));
    assert_eq!(verified().as_deref(), Some("true"), "it is the same number");
    world.done("UpdateUserAttributes", &update("phone_number", "+492"));
    assert_eq!(verified().as_deref(), Some("false"));
}

#[test]
fn nobody_of_another_pool_is_found_by_name_sub_or_address() {
    let world = World::new();
    let [(one, own), (other, elsewhere)] = [(); 2].map(|()| {
        let id = pool(&world, json!({ "AliasAttributes": ["email"] }));
        (client(&world, &id), id)
    });
    let address = "anna@example.org";
    let of_anna = sign_up(&one, "anna", &[("email", address)]);
    let sub = text(&world.done("SignUp", &of_anna), "/UserSub");
    world.done("ConfirmSignUp", &confirm(&one, "anna"));
    for name in ["anna", &sub, address] {
        token(&world, &one, name);
        assert_eq!(
            world.refused("InitiateAuth", &named(&other, name)),
            "UserNotFoundException",
            "{name}"
        );
        for (pool, status) in [(&own, 200), (&elsewhere, 400)] {
            let asked = json!({ "UserPoolId": pool, "Username": name });
            assert_eq!(world.call("AdminGetUser", &asked).status, status, "{name}");
        }
    }
    world.done("SignUp", &sign_up(&other, "berta", &[("email", address)]));
    world.done("ConfirmSignUp", &confirm(&other, "berta"));
    for (client, name) in [(&one, "anna"), (&other, "berta")] {
        let token = token(&world, client, address);
        let user = world.done("GetUser", &json!({ "AccessToken": token }));
        assert_eq!(user["Username"], name);
    }
}

#[test]
fn a_user_who_is_deleted_is_gone_and_its_second_factor_is_nobodys() {
    let world = World::new();
    let token = world.access_token(OPTIONAL);
    world.done("DeleteUser", &json!({ "AccessToken": token }));
    assert_eq!(
        world.refused("GetUser", &json!({ "AccessToken": token })),
        "UserNotFoundException"
    );
    let again = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    assert_eq!(
        world.refused("InitiateAuth", &again),
        "UserNotFoundException"
    );
}

#[test]
fn the_secret_of_a_second_factor_goes_with_its_user() {
    let token = |world: &World| json!({ "AccessToken": world.access_token(OPTIONAL) });
    let named = json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user });
    let of_pool = json!({ "UserPoolId": OPTIONAL.id });
    for is_pending in [true, false] {
        for operation in ["DeleteUser", "AdminDeleteUser", "DeleteUserPool"] {
            let store = Arc::new(MemoryStore::new());
            let kept = store.clone();
            let world = World::with(|builder| builder.store(kept));
            let by_user = token(&world);
            if is_pending {
                world.done("AssociateSoftwareToken", &by_user);
            } else {
                world.enrol(OPTIONAL);
            }
            let user = world.done("AdminGetUser", &named);
            let sub = text(&user, "/UserAttributes/0/Value");
            let subject = format!("{}/{sub}", OPTIONAL.id);
            let state = || {
                let now = UnixTime::from_secs(world.now());
                let mfa = Mfa::new(Policy::COGNITO, move || Some(now), OsEntropy);
                let status = mfa.status().run_blocking(&*store, &subject);
                status.expect("a record").state
            };
            assert_ne!(state(), State::Unassociated);
            let members = match operation {
                "DeleteUser" => &by_user,
                "AdminDeleteUser" => &named,
                _ => &of_pool,
            };
            world.done(operation, members);
            assert_eq!(state(), State::Unassociated, "{operation}");
        }
    }
}

#[test]
fn users_are_listed_by_filter_and_by_page() {
    let world = World::new();
    let id = pool(&world, json!({}));
    for name in ["anna", "anton", "berta"] {
        let email = json!([{ "Name": "email", "Value": format!("{name}@example.org") }]);
        let create = json!({ "UserPoolId": id, "Username": name, "UserAttributes": email });
        world.done("AdminCreateUser", &create);
    }
    world.done(
        "AdminDisableUser",
        &json!({ "UserPoolId": id, "Username": "berta" }),
    );
    let list = |filter: &str| {
        let listed = world.done("ListUsers", &json!({ "UserPoolId": id, "Filter": filter }));
        let users = listed["Users"].as_array().expect("users").clone();
        users
            .iter()
            .map(|user| text(user, "/Username"))
            .collect::<Vec<_>>()
    };
    assert_eq!(list(""), ["anna", "anton", "berta"]);
    assert_eq!(list("username ^= \"an\""), ["anna", "anton"]);
    assert_eq!(list("email = \"anton@example.org\""), ["anton"]);
    assert_eq!(list("email = \"anton\""), [""; 0]);
    assert_eq!(list("status=\"Disabled\""), ["berta"]);
    assert_eq!(
        list("cognito:user_status = \"FORCE_CHANGE_PASSWORD\"").len(),
        3
    );
    for filter in ["anna", "email = anna", "shoe = \"1\"", "email = \"a\"\""] {
        let filter = json!({ "UserPoolId": id, "Filter": filter });
        assert_eq!(
            world.refused("ListUsers", &filter),
            "InvalidParameterException"
        );
    }

    let first = world.done(
        "ListUsers",
        &json!({ "UserPoolId": id, "Limit": 2, "AttributesToGet": ["email"] }),
    );
    assert_eq!(first["Users"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        first["Users"][0]["Attributes"],
        json!([{ "Name": "email", "Value": "anna@example.org" }])
    );
    let next = json!({ "UserPoolId": id, "PaginationToken": first["PaginationToken"] });
    let rest = world.done("ListUsers", &next);
    assert_eq!(rest["Users"][0]["Username"], "berta");
    assert!(rest["PaginationToken"].is_null());
}

#[test]
fn an_address_is_a_name_once_it_is_verified_where_the_pool_says_so() {
    let world = World::new();
    let id = pool(&world, json!({ "AliasAttributes": ["email"] }));
    let client = client(&world, &id);
    let address = [("email", "anna@example.org")];
    assert_eq!(
        world.refused("SignUp", &sign_up(&client, "anna@example.org", &[])),
        "InvalidParameterException",
        "a user name is not to look like the alias of somebody else"
    );
    world.done("SignUp", &sign_up(&client, "anna", &address));
    let by_address = named(&client, "anna@example.org");
    assert_eq!(
        world.refused("InitiateAuth", &by_address),
        "UserNotFoundException"
    );
    world.done("ConfirmSignUp", &confirm(&client, "anna"));
    token(&world, &client, "anna@example.org");

    world.done("SignUp", &sign_up(&client, "thief", &address));
    assert_eq!(
        world.refused("ConfirmSignUp", &confirm(&client, "thief")),
        "AliasExistsException"
    );
    let verified = json!([
        { "Name": "email", "Value": "anna@example.org" }, { "Name": "email_verified", "Value": "true" },
    ]);
    let own = json!([{ "Name": "email_verified", "Value": "true" }]);
    let mut lying = sign_up(&client, "liar", &address);
    lying["UserAttributes"] = verified.clone();
    assert_eq!(world.refused("SignUp", &lying), "NotAuthorizedException");
    let anna = token(&world, &client, "anna");
    let update = json!({ "AccessToken": anna, "UserAttributes": own });
    assert_eq!(
        world.refused("UpdateUserAttributes", &update),
        "NotAuthorizedException"
    );

    let mut taking = confirm(&client, "thief");
    taking["ForceAliasCreation"] = true.into();
    world.done("ConfirmSignUp", &taking);
    let thief = token(&world, &client, "anna@example.org");
    let user = world.done("GetUser", &json!({ "AccessToken": thief }));
    assert_eq!(
        user["Username"], "thief",
        "the alias goes to who has shown the address last"
    );
    let before = world.done(
        "AdminGetUser",
        &json!({ "UserPoolId": id, "Username": "anna" }),
    );
    assert_eq!(
        attribute(&before, "email_verified").as_deref(),
        Some("false")
    );
}

#[test]
fn no_name_of_a_user_is_a_name_of_another_kind_of_somebody_else() {
    let world = World::new();
    let aliases = json!({ "AliasAttributes": ["email", "phone_number", "preferred_username"] });
    let id = pool(&world, aliases);
    let client = client(&world, &id);
    let signed_up = world.done("SignUp", &sign_up(&client, "anna", &[]));
    let sub = text(&signed_up, "/UserSub");
    world.done("ConfirmSignUp", &confirm(&client, "anna"));
    let prefers = |token: &str, name: &str| {
        let name = json!([{ "Name": "preferred_username", "Value": name }]);
        json!({ "AccessToken": token, "UserAttributes": name })
    };
    let anna = token(&world, &client, "anna");
    for own in ["anna", &sub, "annie"] {
        world.done("UpdateUserAttributes", &prefers(&anna, own));
    }
    world.done("SignUp", &sign_up(&client, "eve", &[]));
    world.done("ConfirmSignUp", &confirm(&client, "eve"));
    let eve = token(&world, &client, "eve");
    for (name, exception) in [
        ("anna", "AliasExistsException"),
        (&sub, "AliasExistsException"),
        ("annie", "AliasExistsException"),
        ("anna@example.org", "InvalidParameterException"),
        ("+491", "InvalidParameterException"),
    ] {
        let refused = world.refused("UpdateUserAttributes", &prefers(&eve, name));
        assert_eq!(refused, exception, "{name}");
    }
    let taking = json!({
        "UserPoolId": id, "Username": "thief", "ForceAliasCreation": true,
        "UserAttributes": [{ "Name": "preferred_username", "Value": "annie" }],
    });
    assert_eq!(
        world.refused("AdminCreateUser", &taking),
        "AliasExistsException",
        "nothing was shown that could be taken over"
    );
    for name in ["anna", "annie", &sub] {
        let token = token(&world, &client, name);
        let user = world.done("GetUser", &json!({ "AccessToken": token }));
        assert_eq!(user["Username"], "anna", "{name}");
    }
}

#[test]
fn an_address_looks_like_one_and_an_attribute_is_named_once() {
    let world = World::new();
    let token = world.access_token(OPTIONAL);
    for (attributes, message) in [
        (
            json!([{ "Name": "email", "Value": "anna" }]),
            "Invalid email address format.",
        ),
        (
            json!([{ "Name": "email", "Value": "a b@example.org" }]),
            "Invalid email address format.",
        ),
        (
            json!([{ "Name": "phone_number", "Value": "0123" }]),
            "Invalid phone number format.",
        ),
        (
            json!([{ "Name": "name", "Value": "Otto" }, { "Name": "name", "Value": "Eve" }]),
            "The attribute name is named twice.",
        ),
    ] {
        let update = json!({ "AccessToken": token, "UserAttributes": attributes });
        let refused = world.call("UpdateUserAttributes", &update).body;
        assert_eq!(refused["__type"], "InvalidParameterException");
        assert_eq!(refused["message"], message, "{attributes}");
    }
    let fine = json!([
        { "Name": "email", "Value": "o@example.org" }, { "Name": "phone_number", "Value": "+491" },
    ]);
    let none = json!([{ "Name": "email", "Value": "" }, { "Name": "phone_number", "Value": "" }]);
    for attributes in [fine, none] {
        let update = json!({ "AccessToken": token, "UserAttributes": attributes });
        world.done("UpdateUserAttributes", &update);
    }
}

#[test]
fn an_address_is_the_name_where_the_pool_has_no_other() {
    let world = World::new();
    let id = pool(&world, json!({ "UsernameAttributes": ["email"] }));
    let client = client(&world, &id);
    assert_eq!(
        world.refused("SignUp", &sign_up(&client, "anna", &[])),
        "InvalidParameterException"
    );
    let signed_up = world.done("SignUp", &sign_up(&client, "anna@example.org", &[]));
    assert_eq!(
        world.refused("SignUp", &sign_up(&client, "anna@example.org", &[])),
        "UsernameExistsException"
    );
    world.done("ConfirmSignUp", &confirm(&client, "anna@example.org"));
    let token = token(&world, &client, "anna@example.org");
    let user = world.done("GetUser", &json!({ "AccessToken": token }));
    assert_eq!(user["Username"], signed_up["UserSub"]);
    assert_eq!(
        attribute(&user, "email").as_deref(),
        Some("anna@example.org")
    );

    let delete = json!({ "AccessToken": token, "UserAttributeNames": ["email"] });
    assert_eq!(
        world.refused("DeleteUserAttributes", &delete),
        "InvalidParameterException",
        "there would be nothing to sign in by"
    );
    world.done("SignUp", &sign_up(&client, "berta@example.org", &[]));
    let of_berta = json!([{ "Name": "email", "Value": "berta@example.org" }]);
    let update = json!({ "AccessToken": token, "UserAttributes": of_berta });
    assert_eq!(
        world.refused("UpdateUserAttributes", &update),
        "AliasExistsException"
    );
}

#[test]
fn an_address_that_is_a_users_only_name_is_taken_by_nobody() {
    let world = World::new();
    let id = pool(
        &world,
        json!({ "UsernameAttributes": ["email", "phone_number"] }),
    );
    let client = client(&world, &id);
    world.done("SignUp", &sign_up(&client, "anna@example.org", &[]));
    world.done("ConfirmSignUp", &confirm(&client, "anna@example.org"));
    let taking = json!({
        "UserPoolId": id, "Username": "+491", "ForceAliasCreation": true,
        "UserAttributes": [{ "Name": "email", "Value": "anna@example.org" }],
    });
    assert_eq!(
        world.refused("AdminCreateUser", &taking),
        "AliasExistsException"
    );
    token(&world, &client, "anna@example.org");
}

#[test]
fn a_temporary_password_that_is_sent_again_is_of_the_address_too() {
    let world = World::new();
    let id = pool(&world, json!({ "UsernameAttributes": ["email"] }));
    let client = client(&world, &id);
    let mut create = json!({
        "UserPoolId": id, "Username": "anna@example.org", "TemporaryPassword": "Wrong-Horse-1",
    });
    world.done("AdminCreateUser", &create);
    create["MessageAction"] = "RESEND".into();
    create["TemporaryPassword"] = PASSWORD.into();
    world.done("AdminCreateUser", &create);
    let challenge = world.done("InitiateAuth", &named(&client, "anna@example.org"));
    let respond = json!({
        "ClientId": client, "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge["Session"],
        "ChallengeResponses": { "USERNAME": "anna@example.org", "NEW_PASSWORD": "Correct-Horse-2" },
    });
    world.done("RespondToAuthChallenge", &respond);
}

#[test]
fn a_pool_has_one_kind_of_names_and_settings_that_there_are() {
    let world = World::new();
    for settings in [
        json!({ "AliasAttributes": ["email"], "UsernameAttributes": ["email"] }),
        json!({ "AliasAttributes": ["shoe"] }),
        json!({ "LambdaConfig": { "PreSignUp": "arn:aws:lambda:local:0:function:f" } }),
        json!({ "DeviceConfiguration": { "ChallengeRequiredOnNewDevice": true } }),
    ] {
        let mut create = settings;
        create["PoolName"] = "made".into();
        let refused = world.refused("CreateUserPool", &create);
        assert_eq!(refused, "InvalidParameterException");
    }
    pool(&world, json!({ "LambdaConfig": {} }));
}

#[test]
fn what_an_update_of_a_pool_does_not_name_is_as_in_a_new_one() {
    let world = World::new();
    let update = json!({
        "UserPoolId": OPTIONAL.id, "MfaConfiguration": "ON",
        "Policies": { "PasswordPolicy": { "MinimumLength": 20 } },
    });
    world.done("UpdateUserPool", &update);
    assert_eq!(world.sign_in(OPTIONAL)["ChallengeName"], "MFA_SETUP");
    let sign_up = sign_up(OPTIONAL.client, "anna", &[]);
    assert_eq!(
        world.refused("SignUp", &sign_up),
        "InvalidPasswordException"
    );
    world.done("UpdateUserPool", &json!({ "UserPoolId": OPTIONAL.id }));
    world.access_token(OPTIONAL);
    world.done("SignUp", &sign_up);

    let id = pool(&world, json!({}));
    let on = json!({ "UserPoolId": id, "MfaConfiguration": "ON" });
    assert_eq!(
        world.refused("UpdateUserPool", &on),
        "InvalidParameterException",
        "nobody could sign in"
    );
}

#[test]
fn an_update_of_a_pool_keeps_the_names_of_its_users() {
    let world = World::new();
    for (member, names) in [
        ("AliasAttributes", json!(["email", "preferred_username"])),
        ("UsernameAttributes", json!(["phone_number"])),
    ] {
        let mut settings = json!({});
        settings[member] = names.clone();
        let id = json!({ "UserPoolId": pool(&world, settings) });
        world.done("UpdateUserPool", &id);
        let told = world.done("DescribeUserPool", &id);
        assert_eq!(told["UserPool"][member], names);
    }
}

#[test]
fn an_update_of_a_client_keeps_its_secret() {
    let world = World::new();
    let create = json!({ "UserPoolId": OPTIONAL.id, "ClientName": "made", "GenerateSecret": true });
    let made = world.done("CreateUserPoolClient", &create)["UserPoolClient"].clone();
    let secret = text(&made, "/ClientSecret");
    let named = json!({ "UserPoolId": OPTIONAL.id, "ClientId": made["ClientId"] });
    let updated = world.done("UpdateUserPoolClient", &named);
    assert_eq!(updated["UserPoolClient"]["ClientSecret"], secret);
    let described = world.done("DescribeUserPoolClient", &named);
    assert_eq!(described["UserPoolClient"]["ClientSecret"], secret);
}

#[test]
fn a_client_gives_its_sessions_three_to_fifteen_minutes() {
    let world = World::new();
    let with = |minutes: u32| {
        let create = json!({
            "UserPoolId": OPTIONAL.id, "ClientName": "made", "AuthSessionValidity": minutes,
        });
        world.call("CreateUserPoolClient", &create).status
    };
    assert_eq!([2, 3, 15, 16].map(with), [400, 200, 200, 400]);
}

#[test]
fn clients_are_changed_listed_and_deleted() {
    let world = World::new();
    let id = pool(&world, json!({}));
    let clients: Vec<_> = (0..3).map(|_| client(&world, &id)).collect();
    let first = world.done(
        "ListUserPoolClients",
        &json!({ "UserPoolId": id, "MaxResults": 2 }),
    );
    let names = |listed: &Value| {
        let listed = listed["UserPoolClients"]
            .as_array()
            .expect("clients")
            .clone();
        listed
            .iter()
            .map(|client| text(client, "/ClientId"))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&first), clients[..2]);
    let next = json!({ "UserPoolId": id, "NextToken": first["NextToken"] });
    assert_eq!(
        names(&world.done("ListUserPoolClients", &next)),
        clients[2..]
    );

    let update = json!({
        "UserPoolId": id, "ClientId": clients[0], "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
        "AccessTokenValidity": 7, "TokenValidityUnits": { "AccessToken": "minutes" },
    });
    world.done("UpdateUserPoolClient", &update);
    let first_client = json!({ "UserPoolId": id, "ClientId": clients[0] });
    let described = world.done("DescribeUserPoolClient", &first_client);
    assert_eq!(described["UserPoolClient"]["AccessTokenValidity"], 420);
    assert_eq!(described["UserPoolClient"]["ClientName"], "made");
    world.done("UpdateUserPoolClient", &first_client);
    let described = world.done("DescribeUserPoolClient", &first_client);
    assert_eq!(described["UserPoolClient"]["AccessTokenValidity"], 3600);

    world.done("DeleteUserPoolClient", &first_client);
    for operation in [
        "DeleteUserPoolClient",
        "UpdateUserPoolClient",
        "DescribeUserPoolClient",
    ] {
        assert_eq!(
            world.refused(operation, &first_client),
            "ResourceNotFoundException"
        );
    }
    let elsewhere = json!({ "UserPoolId": id, "ClientId": OPTIONAL.client });
    assert_eq!(
        world.refused("DeleteUserPoolClient", &elsewhere),
        "ResourceNotFoundException"
    );
    world.access_token(OPTIONAL);
}

#[test]
fn what_there_is_not_is_refused_with_the_reason() {
    let world = World::new();
    for (operation, reason) in [
        ("ListDevices", "remembers no devices"),
        ("AdminAddUserToGroup", "no groups"),
        ("CreateUserPoolDomain", "no hosted pages"),
        ("VerifyUserAttribute", "sends no messages"),
    ] {
        let reply = world.call(operation, &json!({}));
        assert_eq!(reply.body["__type"], "UnknownOperationException");
        let message = text(&reply.body, "/message");
        assert!(
            message.starts_with(operation) && message.contains(reason),
            "{message}"
        );
    }
    let respond = |challenge: &str| {
        let Pool { client, user, .. } = OPTIONAL;
        let answers = json!({ "USERNAME": user, "SMS_MFA_CODE": "123456" });
        let respond = json!({
            "ClientId": client, "ChallengeName": challenge, "Session": "0".repeat(30),
            "ChallengeResponses": answers,
        });
        text(
            &world.call("RespondToAuthChallenge", &respond).body,
            "/message",
        )
    };
    assert!(respond("SMS_MFA").contains("sends no messages"));
    assert!(respond("DEVICE_SRP_AUTH").contains("remembers no devices"));
    let custom = json!({
        "ClientId": OPTIONAL.client, "AuthFlow": "CUSTOM_AUTH", "AuthParameters": { "USERNAME": "otto" },
    });
    let reply = world.call("InitiateAuth", &custom);
    assert!(
        text(&reply.body, "/message").contains("Lambda"),
        "{}",
        reply.body
    );
}
