//! Tokens: which are taken, and what they say.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::world::{OPTIONAL, PASSWORD, REQUIRED, Reply, World, by_password, secret_hash, text};

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
fn access_and_id_tokens_live_as_long_as_their_client_says() {
    let world = World::new();
    let client = client(
        &world,
        &json!({
            "AccessTokenValidity": 5, "IdTokenValidity": 10, "RefreshTokenValidity": 15,
            "TokenValidityUnits": { "AccessToken": "minutes", "IdToken": "minutes", "RefreshToken": "minutes" },
        }),
    );
    let mut sign_in = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    sign_in["ClientId"] = client.into();
    let signed_in = world.done("InitiateAuth", &sign_in);
    assert_eq!(signed_in["AuthenticationResult"]["ExpiresIn"], 300);
    for (token, seconds) in [
        ("AccessToken", 300),
        ("IdToken", 600),
        ("RefreshToken", 900),
    ] {
        let [_, payload, _] = parts(&text(&signed_in, &format!("/AuthenticationResult/{token}")));
        let claims = json_of(&payload);
        let [issued, expires] = ["iat", "exp"].map(|claim| claims[claim].as_u64());
        assert_eq!(issued, Some(world.now()), "{token}");
        assert_eq!(expires, Some(world.now() + seconds), "{token}");
    }
}

#[test]
fn a_client_that_says_nothing_has_the_lifetimes_of_cognito() {
    let world = World::new();
    let client = client(&world, &json!({}));
    let named = json!({ "UserPoolId": OPTIONAL.id, "ClientId": client });
    let described = world.done("DescribeUserPoolClient", &named);
    for (member, validity) in [
        ("AuthSessionValidity", 3),
        ("AccessTokenValidity", 3_600),
        ("IdTokenValidity", 3_600),
        ("RefreshTokenValidity", 2_592_000),
    ] {
        assert_eq!(described["UserPoolClient"][member], validity, "{member}");
    }
}

#[test]
fn an_administrator_signs_a_user_out_everywhere() {
    let world = World::new();
    let before = world.sign_in(OPTIONAL);
    let named = json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user });
    world.done("AdminUserGlobalSignOut", &named);
    let access = json!({ "AccessToken": before["AuthenticationResult"]["AccessToken"] });
    assert_eq!(world.refused("GetUser", &access), "NotAuthorizedException");
    let refresh = text(&before, "/AuthenticationResult/RefreshToken");
    let get = json!({ "ClientId": OPTIONAL.client, "RefreshToken": refresh });
    for (operation, request) in [
        ("InitiateAuth", &refreshing(&refresh)),
        ("GetTokensFromRefreshToken", &get),
    ] {
        let refused = world.refused(operation, request);
        assert_eq!(refused, "NotAuthorizedException", "{operation}");
    }
    let after = json!({ "AccessToken": world.access_token(OPTIONAL) });
    world.done("GetUser", &after);
}

#[test]
fn who_has_to_choose_another_password_refreshes_nothing() {
    let world = World::new();
    let signed_in = world.sign_in(OPTIONAL);
    let token = text(&signed_in, "/AuthenticationResult/RefreshToken");
    let named = json!({ "UserPoolId": OPTIONAL.id, "Username": OPTIONAL.user });
    world.done("AdminResetUserPassword", &named);
    let get = json!({ "ClientId": OPTIONAL.client, "RefreshToken": token });
    for (operation, request) in [
        ("InitiateAuth", &refreshing(&token)),
        ("GetTokensFromRefreshToken", &get),
    ] {
        let refused = world.refused(operation, request);
        assert_eq!(refused, "PasswordResetRequiredException", "{operation}");
    }
}

#[test]
fn a_client_without_the_flow_refreshes_nothing_by_it() {
    let world = World::new();
    let client = client(&world, &json!({}));
    let token = refresh_token_of(&world, &client);
    let settings = json!({
        "UserPoolId": OPTIONAL.id, "ClientId": client, "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
    });
    world.done("UpdateUserPoolClient", &settings);
    let mut refresh = refreshing(&token);
    refresh["ClientId"] = client.into();
    assert_eq!(
        world.refused("InitiateAuth", &refresh),
        "InvalidParameterException"
    );
}

#[test]
fn a_refresh_is_hashed_with_the_name_of_its_user_or_the_sub_and_nothing_else() {
    let world = World::new();
    let create = json!({
        "UserPoolId": OPTIONAL.id, "ClientName": "made", "GenerateSecret": true,
        "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    });
    let made = world.done("CreateUserPoolClient", &create)["UserPoolClient"].clone();
    let [id, secret] = ["/ClientId", "/ClientSecret"].map(|member| text(&made, member));
    let hash = |name: &str| secret_hash(&secret, name, &id);
    let mut sign_in = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    sign_in["ClientId"] = id.clone().into();
    sign_in["AuthParameters"]["SECRET_HASH"] = hash(OPTIONAL.user).into();
    let signed_in = world.done("InitiateAuth", &sign_in);
    let access = text(&signed_in, "/AuthenticationResult/AccessToken");
    let sub = text(&json_of(&parts(&access)[1]), "/sub");
    let mut refresh = refreshing(&text(&signed_in, "/AuthenticationResult/RefreshToken"));
    refresh["ClientId"] = id.clone().into();
    for name in [OPTIONAL.user, &sub] {
        refresh["AuthParameters"]["SECRET_HASH"] = hash(name).into();
        world.done("InitiateAuth", &refresh);
    }
    for other in [hash("somebody"), String::new()] {
        refresh["AuthParameters"]["SECRET_HASH"] = other.into();
        assert_eq!(
            world.refused("InitiateAuth", &refresh),
            "NotAuthorizedException"
        );
    }
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

#[test]
fn a_refresh_token_gives_new_tokens_by_its_own_operation_as_well() {
    let world = World::new();
    let secret = world.enrol(OPTIONAL);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let answered = world.respond(OPTIONAL, &session, &world.code(&secret));
    let token = text(&answered.body, "/AuthenticationResult/RefreshToken");
    world.wait(600);
    let get = |client: &str, token: &str| json!({ "ClientId": client, "RefreshToken": token });
    let refreshed = world.done("GetTokensFromRefreshToken", &get(OPTIONAL.client, &token));
    assert!(
        refreshed["AuthenticationResult"]
            .get("RefreshToken")
            .is_none()
    );
    text(&refreshed, "/AuthenticationResult/IdToken");
    let access = text(&refreshed, "/AuthenticationResult/AccessToken");
    let [_, payload, _] = parts(&access);
    assert_eq!(json_of(&payload)["amr"], json!(["pwd", "otp", "mfa"]));
    world.done("AssociateSoftwareToken", &json!({ "AccessToken": access }));
    for (client, token) in [
        (REQUIRED.client, token.as_str()),
        (OPTIONAL.client, access.as_str()),
        (OPTIONAL.client, "forged"),
    ] {
        let get = get(client, token);
        assert_eq!(
            world.refused("GetTokensFromRefreshToken", &get),
            "NotAuthorizedException"
        );
    }
    let sign_out = json!({ "AccessToken": access });
    world.done("GlobalSignOut", &sign_out);
    assert_eq!(
        world.refused("GetTokensFromRefreshToken", &get(OPTIONAL.client, &token)),
        "NotAuthorizedException"
    );
}

#[test]
fn a_client_that_rotates_gets_another_refresh_token_and_the_old_one_ends() {
    let world = World::new();
    let client = client(
        &world,
        &json!({
            "RefreshTokenRotation": { "Feature": "ENABLED", "RetryGracePeriodSeconds": 10 },
            "RefreshTokenValidity": 2, "TokenValidityUnits": { "RefreshToken": "hours" },
        }),
    );
    let first = refresh_token_of(&world, &client);
    let get = |token: &str| json!({ "ClientId": client, "RefreshToken": token });
    world.wait(3600);
    let refreshed = world.done("GetTokensFromRefreshToken", &get(&first));
    let second = text(&refreshed, "/AuthenticationResult/RefreshToken");
    let [one, two] = [&first, &second].map(|token| json_of(&parts(token)[1]));
    assert_eq!(one["origin_jti"], two["origin_jti"]);
    assert_eq!(
        one["exp"], two["exp"],
        "it lives as long as the first would"
    );
    world.wait(9);
    world.done("GetTokensFromRefreshToken", &get(&first));
    world.wait(1);
    assert_eq!(
        world.refused("GetTokensFromRefreshToken", &get(&first)),
        "RefreshTokenReuseException"
    );
    world.done("GetTokensFromRefreshToken", &get(&second));
    let mut by_flow = refreshing(&second);
    by_flow["ClientId"] = client.clone().into();
    assert_eq!(
        world.refused("InitiateAuth", &by_flow),
        "InvalidParameterException"
    );
    world.wait(3600);
    assert_eq!(
        world.refused("GetTokensFromRefreshToken", &get(&second)),
        "NotAuthorizedException",
        "expired"
    );
}

#[test]
fn a_token_that_was_rotated_out_stays_so_when_its_client_rotates_no_more() {
    let world = World::new();
    let rotation = json!({ "Feature": "ENABLED", "RetryGracePeriodSeconds": 0 });
    let client = client(&world, &json!({ "RefreshTokenRotation": rotation }));
    let token = refresh_token_of(&world, &client);
    let get = json!({ "ClientId": client, "RefreshToken": token });
    let refreshed = world.done("GetTokensFromRefreshToken", &get);
    let mut settings = json!({
        "UserPoolId": OPTIONAL.id, "ClientId": client,
        "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH"],
        "RefreshTokenRotation": { "Feature": "ENABLED", "RetryGracePeriodSeconds": 60 },
    });
    world.done("UpdateUserPoolClient", &settings);
    assert_eq!(
        world.refused("GetTokensFromRefreshToken", &get),
        "RefreshTokenReuseException",
        "the grace of now is for tokens that are rotated out now"
    );
    settings["RefreshTokenRotation"] = Value::Null;
    world.done("UpdateUserPoolClient", &settings);
    let by_flow = |token: &str| {
        let mut by_flow = refreshing(token);
        by_flow["ClientId"] = client.clone().into();
        by_flow
    };
    for (operation, request) in [
        ("GetTokensFromRefreshToken", &get),
        ("InitiateAuth", &by_flow(&token)),
    ] {
        let refused = world.refused(operation, request);
        assert_eq!(refused, "RefreshTokenReuseException", "{operation}");
    }
    let next = text(&refreshed, "/AuthenticationResult/RefreshToken");
    world.done("InitiateAuth", &by_flow(&next));
}

#[test]
fn a_token_that_was_rotated_out_stays_so_for_as_long_as_it_would_live() {
    let world = World::new();
    let rotation = json!({ "Feature": "ENABLED", "RetryGracePeriodSeconds": 10 });
    let client = client(&world, &json!({ "RefreshTokenRotation": rotation }));
    let [old, other] = [(); 2].map(|()| refresh_token_of(&world, &client));
    let get = |token: &str| json!({ "ClientId": client, "RefreshToken": token });
    world.done("GetTokensFromRefreshToken", &get(&old));
    world.wait(11);
    // Another rotation forgets what has ended.
    world.done("GetTokensFromRefreshToken", &get(&other));
    assert_eq!(
        world.refused("GetTokensFromRefreshToken", &get(&old)),
        "RefreshTokenReuseException"
    );
}

#[test]
fn an_access_token_lives_for_a_day_at_most() {
    let world = World::new();
    for (validity, unit) in [(2, "days"), (25, "hours"), (86_401, "seconds")] {
        let create = json!({
            "UserPoolId": OPTIONAL.id, "ClientName": "made", "AccessTokenValidity": validity,
            "TokenValidityUnits": { "AccessToken": unit },
        });
        assert_eq!(
            world.refused("CreateUserPoolClient", &create),
            "InvalidParameterException"
        );
    }
    client(
        &world,
        &json!({ "AccessTokenValidity": 1, "TokenValidityUnits": { "AccessToken": "days" } }),
    );
}

#[test]
fn without_a_grace_period_a_refresh_token_is_used_once() {
    let world = World::new();
    let rotation = json!({ "RefreshTokenRotation": { "Feature": "ENABLED" } });
    let client = client(&world, &rotation);
    let token = refresh_token_of(&world, &client);
    let get = json!({ "ClientId": client, "RefreshToken": token });
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..10)
            .map(|_| scope.spawn(|| world.call("GetTokensFromRefreshToken", &get).status))
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
fn a_client_says_what_it_does_with_refresh_tokens() {
    let world = World::new();
    let describe = |client: &str| {
        let named = json!({ "UserPoolId": OPTIONAL.id, "ClientId": client });
        world.done("DescribeUserPoolClient", &named)["UserPoolClient"].clone()
    };
    let told = describe(OPTIONAL.client);
    assert_eq!(told["EnableTokenRevocation"], true);
    assert_eq!(
        told["RefreshTokenRotation"],
        json!({ "Feature": "DISABLED" })
    );
    let settings = json!({
        "RefreshTokenRotation": { "Feature": "ENABLED", "RetryGracePeriodSeconds": 60 }, "EnableTokenRevocation": false,
    });
    let told = describe(&client(&world, &settings));
    assert_eq!(told["EnableTokenRevocation"], false);
    assert_eq!(
        told["RefreshTokenRotation"],
        settings["RefreshTokenRotation"]
    );
    for rotation in [
        json!({ "Feature": "ENABLED", "RetryGracePeriodSeconds": 61 }),
        json!({ "Feature": "SOMETIMES" }),
        json!({ "RetryGracePeriodSeconds": 1 }),
    ] {
        let create = json!({ "UserPoolId": OPTIONAL.id, "ClientName": "made", "RefreshTokenRotation": rotation });
        assert_eq!(
            world.refused("CreateUserPoolClient", &create),
            "InvalidParameterException",
            "{rotation}"
        );
    }
}

#[test]
fn a_revoked_login_is_void_and_no_other() {
    let world = World::new();
    let [mine, other] = [(); 2].map(|()| world.sign_in(OPTIONAL));
    let refresh = text(&mine, "/AuthenticationResult/RefreshToken");
    let refreshed = world.done("InitiateAuth", &refreshing(&refresh));
    let revoke = json!({ "ClientId": OPTIONAL.client, "Token": refresh });
    assert_eq!(world.done("RevokeToken", &revoke), json!({}));
    assert_eq!(world.done("RevokeToken", &revoke), json!({}), "once more");
    for void in [&mine, &refreshed] {
        let access = text(void, "/AuthenticationResult/AccessToken");
        for operation in ["GetUser", "AssociateSoftwareToken", "GetUserAuthFactors"] {
            let answered = world.call(operation, &json!({ "AccessToken": access }));
            assert_eq!(answered.body["__type"], "NotAuthorizedException");
            assert_eq!(answered.body["message"], "Access Token has been revoked");
        }
    }
    assert_eq!(
        world.refused("InitiateAuth", &refreshing(&refresh)),
        "NotAuthorizedException"
    );
    let get = json!({ "ClientId": OPTIONAL.client, "RefreshToken": refresh });
    assert_eq!(
        world.refused("GetTokensFromRefreshToken", &get),
        "NotAuthorizedException"
    );
    let access = text(&other, "/AuthenticationResult/AccessToken");
    world.done("GetUser", &json!({ "AccessToken": access }));
    let refresh = text(&other, "/AuthenticationResult/RefreshToken");
    world.done("InitiateAuth", &refreshing(&refresh));
}

#[test]
fn what_is_revoked_stays_so_for_as_long_as_it_would_live() {
    let world = World::new();
    let client = client(
        &world,
        &json!({
            "RefreshTokenValidity": 60, "AccessTokenValidity": 2,
            "TokenValidityUnits": { "RefreshToken": "seconds", "AccessToken": "hours" },
        }),
    );
    let mut sign_in = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    sign_in["ClientId"] = client.clone().into();
    let signed_in = world.done("InitiateAuth", &sign_in);
    let token = text(&signed_in, "/AuthenticationResult/RefreshToken");
    // What was issued lives as long as the client said then.
    let shorter = json!({
        "UserPoolId": OPTIONAL.id, "ClientId": client, "AccessTokenValidity": 5,
        "TokenValidityUnits": { "AccessToken": "minutes" },
    });
    world.done("UpdateUserPoolClient", &shorter);
    let revoke = json!({ "ClientId": client, "Token": token });
    world.done("RevokeToken", &revoke);
    // Another revocation forgets what has ended.
    world.wait(3600);
    let other = text(
        &world.sign_in(OPTIONAL),
        "/AuthenticationResult/RefreshToken",
    );
    let revoke = json!({ "ClientId": OPTIONAL.client, "Token": other });
    world.done("RevokeToken", &revoke);
    let access = json!({ "AccessToken": signed_in["AuthenticationResult"]["AccessToken"] });
    assert_eq!(world.refused("GetUser", &access), "NotAuthorizedException");
}

#[test]
fn a_refresh_token_that_was_revoked_stays_so_for_as_long_as_it_would_live() {
    let world = World::new();
    let [revoked, other] = [(); 2].map(|()| {
        let signed_in = world.sign_in(OPTIONAL);
        text(&signed_in, "/AuthenticationResult/RefreshToken")
    });
    let revoke = |token: &str| json!({ "ClientId": OPTIONAL.client, "Token": token });
    world.done("RevokeToken", &revoke(&revoked));
    // Every access token of that time has run out, and another revocation forgets what has ended.
    world.wait(2 * 86_400);
    world.done("RevokeToken", &revoke(&other));
    assert_eq!(
        world.refused("InitiateAuth", &refreshing(&revoked)),
        "NotAuthorizedException"
    );
}

#[test]
fn a_client_revokes_refresh_tokens_of_its_own() {
    let world = World::new();
    let signed_in = world.sign_in(OPTIONAL);
    let token = text(&signed_in, "/AuthenticationResult/RefreshToken");
    let revoke = |client: &str, token: &str| json!({ "ClientId": client, "Token": token });
    let access = text(&signed_in, "/AuthenticationResult/AccessToken");
    let forbidden = client(&world, &json!({ "EnableTokenRevocation": false }));
    for (client, token, refusal) in [
        (
            OPTIONAL.client,
            access.as_str(),
            "UnsupportedTokenTypeException",
        ),
        (OPTIONAL.client, "forged", "InvalidParameterException"),
        (REQUIRED.client, &token, "UnauthorizedException"),
        ("nowhere", &token, "UnauthorizedException"),
        (&forbidden, &token, "UnsupportedOperationException"),
    ] {
        assert_eq!(
            world.refused("RevokeToken", &revoke(client, token)),
            refusal,
            "{client} {token}"
        );
    }
    world.done("InitiateAuth", &refreshing(&token));
}

#[test]
fn a_client_with_a_secret_shows_it() {
    let world = World::new();
    let create = json!({
        "UserPoolId": OPTIONAL.id, "ClientName": "made", "GenerateSecret": true,
        "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
    });
    let made = world.done("CreateUserPoolClient", &create)["UserPoolClient"].clone();
    let [id, secret] = ["/ClientId", "/ClientSecret"].map(|member| text(&made, member));
    let mut sign_in = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    sign_in["ClientId"] = id.clone().into();
    sign_in["AuthParameters"]["SECRET_HASH"] = secret_hash(&secret, OPTIONAL.user, &id).into();
    let signed_in = world.done("InitiateAuth", &sign_in);
    let token = text(&signed_in, "/AuthenticationResult/RefreshToken");
    for (operation, member, refusal) in [
        (
            "GetTokensFromRefreshToken",
            "RefreshToken",
            "NotAuthorizedException",
        ),
        ("RevokeToken", "Token", "UnauthorizedException"),
    ] {
        let mut request = json!({ "ClientId": id });
        request[member] = token.clone().into();
        assert_eq!(world.refused(operation, &request), refusal, "{operation}");
        request["ClientSecret"] = "another0secret0of0some0length".into();
        assert_eq!(world.refused(operation, &request), refusal, "{operation}");
        request["ClientSecret"] = secret.clone().into();
        world.done(operation, &request);
    }
}

#[test]
fn a_user_is_told_which_factors_are_set_up() {
    let world = World::new();
    let token = json!({ "AccessToken": world.access_token(OPTIONAL) });
    assert_eq!(
        world.done("GetUserAuthFactors", &token),
        json!({ "Username": OPTIONAL.user, "ConfiguredUserAuthFactors": ["PASSWORD"] })
    );
    world.enrol(OPTIONAL);
    assert_eq!(
        world.done("GetUserAuthFactors", &token),
        json!({
            "Username": OPTIONAL.user, "ConfiguredUserAuthFactors": ["PASSWORD", "SOFTWARE_TOKEN"],
            "UserMFASettingList": ["SOFTWARE_TOKEN_MFA"], "PreferredMfaSetting": "SOFTWARE_TOKEN_MFA",
        })
    );
}

/// Another client of the optional pool.
fn client(world: &World, settings: &Value) -> String {
    let mut create = settings.clone();
    create["UserPoolId"] = OPTIONAL.id.into();
    create["ClientName"] = "made".into();
    create["ExplicitAuthFlows"] = json!(["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]);
    let made = world.done("CreateUserPoolClient", &create);
    text(&made, "/UserPoolClient/ClientId")
}

/// The refresh token of a sign-in by this client.
fn refresh_token_of(world: &World, client: &str) -> String {
    let mut sign_in = by_password(OPTIONAL, OPTIONAL.user, PASSWORD);
    sign_in["ClientId"] = client.into();
    let signed_in = world.done("InitiateAuth", &sign_in);
    text(&signed_in, "/AuthenticationResult/RefreshToken")
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
