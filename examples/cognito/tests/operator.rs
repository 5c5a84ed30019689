//! What whoever runs the server tells it: pools to begin with, region, issuer, and options.

use std::process::{Command, Output};

use serde_json::{Value, json};
use softtoken_cognito::{Pools, Server};

use crate::world::{OPTIONAL, PASSWORD, World, text};

const SHOP: &str = r#"
[[UserPools]]
Id = "us-east-1_Shop00001"
PoolName = "shop"
MfaConfiguration = "ON"
AliasAttributes = ["email"]
Policies = { PasswordPolicy = { MinimumLength = 12 } }

[[UserPools.Clients]]
ClientId = "web"
ClientSecret = "0123456789abcdef"
ExplicitAuthFlows = ["ALLOW_USER_PASSWORD_AUTH"]
AccessTokenValidity = 5
TokenValidityUnits = { AccessToken = "minutes" }

[[UserPools.Clients]]
ClientId = "app"
ExplicitAuthFlows = ["ALLOW_USER_PASSWORD_AUTH"]

[[UserPools.Users]]
Username = "anna"
Sub = "11111111-2222-4333-8444-555555555555"
Password = "Correct-Horse-1"
UserAttributes = [
    { Name = "email", Value = "anna@example.org" },
    { Name = "email_verified", Value = "true" },
]

[[UserPools.Users]]
Username = "berta"
TemporaryPassword = "Correct-Horse-1"
"#;

fn toml(text: &str) -> Pools {
    Pools::from_toml(text).expect("TOML")
}

fn sign_in(client: &str, user: &str) -> Value {
    json!({
        "ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH",
        "AuthParameters": { "USERNAME": user, "PASSWORD": PASSWORD },
    })
}

#[test]
fn pools_of_a_file_stand_ready_with_their_clients_and_users() {
    let world = World::with(|builder| builder.pools(toml(SHOP)));
    let by_alias = world.done("InitiateAuth", &sign_in("app", "anna@example.org"));
    assert_eq!(by_alias["ChallengeName"], "MFA_SETUP");
    let temporary = world.done("InitiateAuth", &sign_in("app", "berta"));
    assert_eq!(temporary["ChallengeName"], "NEW_PASSWORD_REQUIRED");
    let named = json!({ "UserPoolId": "us-east-1_Shop00001", "Username": "anna" });
    let anna = world.done("AdminGetUser", &named);
    assert_eq!(
        anna["UserAttributes"][0]["Value"],
        "11111111-2222-4333-8444-555555555555"
    );
    let client = json!({ "UserPoolId": "us-east-1_Shop00001", "ClientId": "web" });
    let client = world.done("DescribeUserPoolClient", &client);
    assert_eq!(client["UserPoolClient"]["ClientSecret"], "0123456789abcdef");
    assert_eq!(client["UserPoolClient"]["AccessTokenValidity"], 300);
    assert_eq!(
        world.refused("DescribeUserPool", &json!({ "UserPoolId": OPTIONAL.id })),
        "ResourceNotFoundException",
        "the file stands instead of the three pools"
    );
}

#[test]
fn json_says_the_same() {
    let pools =
        json!({ "UserPools": [{ "Id": "local_json", "Clients": [{ "ClientId": "app" }] }] });
    let pools = Pools::from_json(&pools.to_string()).expect("JSON");
    let server = Server::builder().pools(pools).build().expect("it starts");
    assert_eq!(server.seeded()[0].client_id, "app");
    assert_eq!(server.seeded()[0].mfa, "OFF");
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_place() {
    for (wrong, right, told) in [
        (
            "Id = \"nowhere\"",
            "Id = \"us-east-1_Shop00001\"",
            "UserPools[0]: ",
        ),
        (
            "Id = \"us_east_Shop00001\"",
            "Id = \"us-east-1_Shop00001\"",
            "UserPools[0]: Id has one _",
        ),
        (
            "PoolNames = 1",
            "PoolName = \"shop\"",
            "UserPools[0]: the member PoolNames is unknown",
        ),
        (
            "MfaConfiguration = \"YES\"",
            "MfaConfiguration = \"ON\"",
            "UserPools[0]: ",
        ),
        (
            "AliasAttributes = [\"shoe\"]",
            "AliasAttributes = [\"email\"]",
            "UserPools[0]: ",
        ),
        (
            "ClientId = \"web\"",
            "ClientId = \"app\"",
            "UserPools[0].Clients[1]: there are two clients",
        ),
        (
            "ClientId = 7",
            "ClientId = \"app\"",
            "UserPools[0].Clients[1]: ",
        ),
        (
            "Secret = \"a\"",
            "ClientSecret = \"0123456789abcdef\"",
            "UserPools[0].Clients[0]: ",
        ),
        (
            "Sub = \"anna\"",
            "Sub = \"11111111-2222-4333-8444-555555555555\"",
            "UserPools[0].Users[0]: Sub",
        ),
        (
            "Password = \"short\"",
            "Password = \"Correct-Horse-1\"",
            "UserPools[0].Users[0]: ",
        ),
        (
            "Username = \"anna\"",
            "Username = \"berta\"",
            "UserPools[0].Users[1]: there are two users",
        ),
        (
            "Username = \"berta\"\nSub = \"11111111-2222-4333-8444-555555555555\"",
            "Username = \"berta\"",
            "UserPools[0].Users[1]: there is another user of the Sub 11111111-",
        ),
        (
            "",
            "TemporaryPassword = \"Correct-Horse-1\"",
            "UserPools[0].Users[1]: a user has",
        ),
        (
            "MfaConfiguration = \"ON\"\nSoftwareTokenMfaConfiguration = { Enabled = false }",
            "MfaConfiguration = \"ON\"",
            "UserPools[0]: MfaConfiguration",
        ),
    ] {
        let text = SHOP.replacen(right, wrong, 1);
        assert_ne!(text, SHOP, "{right}");
        let refused = Server::builder().pools(toml(&text)).build();
        let message = refused.expect_err(wrong).to_string();
        assert!(message.starts_with(told), "{wrong}: {message}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("shop.toml");
    std::fs::write(&file, SHOP.replacen("berta", "anna", 1)).expect("written");
    let pools = Pools::read(&file).expect("TOML");
    let message = Server::builder()
        .pools(pools)
        .build()
        .expect_err("two users");
    let told = format!("{}: UserPools[0].Users[1]: ", file.display());
    assert!(message.to_string().starts_with(&told), "{message}");
    let twice = "[[UserPools]]\nId = \"local_one\"\n".repeat(2);
    let refused = Server::builder().pools(toml(&twice)).build();
    let message = refused.expect_err("two pools of one id").to_string();
    assert_eq!(message, "UserPools[1]: there are two pools \"local_one\"");
    assert!(Pools::from_toml("UserPools = [").is_err());
    assert!(Pools::from_json("{").is_err());
    for empty in ["", "UserPools = []", "UserPools = [7]", "UserPools = 7"] {
        assert!(
            Server::builder().pools(toml(empty)).build().is_err(),
            "{empty}"
        );
    }
}

#[test]
fn what_a_database_has_of_a_file_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pools.db");
    let start = |pools: &str| World::with(|builder| builder.file(&file).pools(toml(pools)));
    let mut world = start(SHOP);
    let named = json!({ "UserPoolId": "us-east-1_Shop00001", "Username": "anna" });
    world.done("AdminDeleteUser", &named);
    world.stop();
    let world = start(SHOP);
    assert_eq!(
        world.refused("AdminGetUser", &named),
        "UserNotFoundException"
    );
}

#[test]
fn a_user_who_is_planted_again_is_not_the_one_of_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pools.db");
    let pools = SHOP.replace("\"ON\"", "\"OPTIONAL\"");
    let start = || World::with(|builder| builder.file(&file).pools(toml(&pools)));
    let mut world = start();
    let signed_in = world.done("InitiateAuth", &sign_in("app", "anna"));
    let token = json!({ "AccessToken": text(&signed_in, "/AuthenticationResult/AccessToken") });
    let secret = text(&world.done("AssociateSoftwareToken", &token), "/SecretCode");
    let mut verify = token.clone();
    verify["UserCode"] = world.code(&secret).into();
    world.done("VerifySoftwareToken", &verify);
    let mut prefer = token.clone();
    prefer["SoftwareTokenMfaSettings"] = json!({ "Enabled": true });
    world.done("SetUserMFAPreference", &prefer);
    let challenge = world.done("InitiateAuth", &sign_in("app", "anna"));
    assert_eq!(challenge["ChallengeName"], "SOFTWARE_TOKEN_MFA");
    world.done(
        "DeleteUserPool",
        &json!({ "UserPoolId": "us-east-1_Shop00001" }),
    );
    world.stop();

    let world = start();
    let refresh = text(&signed_in, "/AuthenticationResult/RefreshToken");
    let refresh = json!({ "ClientId": "app", "RefreshToken": refresh });
    for (operation, request) in [("GetUser", &token), ("GetTokensFromRefreshToken", &refresh)] {
        let refused = world.refused(operation, request);
        assert_eq!(refused, "NotAuthorizedException", "{operation}");
    }
    let answer = json!({
        "ClientId": "app", "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": challenge["Session"],
        "ChallengeResponses": {
            "USERNAME": "anna", "SOFTWARE_TOKEN_MFA_CODE": world.code_after(&secret, 1),
        },
    });
    assert_eq!(
        world.refused("RespondToAuthChallenge", &answer),
        "NotAuthorizedException"
    );
    let anew = world.done("InitiateAuth", &sign_in("app", "anna"));
    let token = json!({ "AccessToken": text(&anew, "/AuthenticationResult/AccessToken") });
    let user = world.done("GetUser", &token);
    assert_eq!(
        user["UserAttributes"][0]["Value"],
        "11111111-2222-4333-8444-555555555555"
    );
    assert!(user["UserMFASettingList"].is_null(), "{user}");
}

#[test]
fn ids_of_pools_begin_with_the_region() {
    let world = World::with(|builder| builder.region("eu-central-1"));
    let made = world.done("CreateUserPool", &json!({ "PoolName": "made" }));
    let pool = &made["UserPool"];
    let id = text(pool, "/Id");
    let (region, rest) = id.split_once('_').expect("an id");
    assert_eq!((region, rest.len()), ("eu-central-1", 9));
    assert!(text(pool, "/Arn").contains(":eu-central-1:"));
    world.done(
        "DescribeUserPool",
        &json!({ "UserPoolId": "eu-central-1_optional1" }),
    );
    for region in ["", "eu central", "eu_central", &"a".repeat(46)] {
        assert!(
            Server::builder().region(region).build().is_err(),
            "{region}"
        );
    }
}

/// `iss` of the tokens that a sign-in by this name of the server gives.
fn issuer(world: &World, host: &str) -> String {
    use base64::Engine as _;
    let target = "AWSCognitoIdentityProviderService.InitiateAuth";
    let body = sign_in(OPTIONAL.client, OPTIONAL.user).to_string();
    let reply = world
        .client()
        .post(&[("x-amz-target", target), ("host", host)], &body)
        .expect("answered");
    let token = text(&reply.body, "/AuthenticationResult/IdToken");
    let claims = token.split('.').nth(1).expect("claims");
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(claims);
    let claims: Value = serde_json::from_slice(&claims.expect("base64")).expect("JSON");
    text(&claims, "/iss")
}

#[test]
fn the_issuer_is_the_name_that_the_server_is_reached_by_unless_it_is_given() {
    let world = World::new();
    for host in ["localhost:9229", "cognito:80", "[::1]:9229"] {
        assert_eq!(
            issuer(&world, host),
            format!("http://{host}/{}", OPTIONAL.id)
        );
    }
    let own = world.client().address().to_owned();
    let configuration = world
        .client()
        .get(&format!(
            "/{}/.well-known/openid-configuration",
            OPTIONAL.id
        ))
        .body;
    let expected = format!("http://{own}/{}", OPTIONAL.id);
    assert_eq!(configuration["issuer"], expected);
    let keys = text(&configuration, "/jwks_uri");
    let path = keys.strip_prefix(&format!("http://{own}")).expect("here");
    assert_eq!(world.client().get(path).status, 200);

    let fixed = World::with(|builder| builder.issuer("https://id.example.org"));
    let expected = format!("https://id.example.org/{}", OPTIONAL.id);
    assert_eq!(issuer(&fixed, "localhost:9229"), expected);
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_softtoken-cognito"))
        .args(arguments)
        .output()
        .expect("it starts")
}

#[test]
fn options_are_told_and_wrong_ones_end_it_with_two() {
    let help = run(&["--help"]);
    let text = String::from_utf8(help.stdout).expect("text");
    assert!(help.status.success() && text.contains("--pools") && text.contains("Exits with"));
    let version = run(&["--version"]);
    assert!(version.status.success());
    assert_eq!(
        String::from_utf8(version.stdout).expect("text").trim(),
        concat!("softtoken-cognito ", env!("CARGO_PKG_VERSION"))
    );
    for wrong in [
        &["--no-such-thing"][..],
        &["--listen", "nowhere"],
        &["--issuer", "id.example.org"],
        &["--max-connections", "many"],
        &["--max-connections", "0"],
        &["--max-connections", "65537"],
        &["--max-connections", "18446744073709551615"],
        &["--max-header-bytes", "7"],
        &["--max-body-bytes", "7"],
        &["--header-timeout", "0"],
        &["--body-timeout", "0"],
        &["--answer-timeout", "0"],
        &["--header-timeout", "86401"],
        &["--body-timeout", "18446744073709551615"],
        &["--answer-timeout", "18446744073709551615"],
    ] {
        assert_eq!(run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn what_keeps_it_from_starting_ends_it_with_one_and_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pools.toml");
    std::fs::write(&file, "[[UserPools]]\nId = \"nowhere\"\n").expect("written");
    let file = file.to_str().expect("text");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    for (arguments, told) in [
        (
            &["--pools", "/nowhere/pools.toml"][..],
            "/nowhere/pools.toml",
        ),
        (&["--pools", file], "UserPools[0]"),
        (&["--listen", &taken], "cannot be listened at"),
        (&["--sqlite", "/nowhere/pools.db"], "No such file"),
        (&["--region", "a b"], "region"),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        let console = String::from_utf8(ended.stderr).expect("text");
        assert!(console.contains(told), "{arguments:?}: {console}");
    }
}
