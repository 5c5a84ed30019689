//! Holds a wrong name to the price of a wrong password: the same hash.

use argon2::Params;
use argon2::password_hash::PasswordHash as Phc;
use serde_json::json;
use tokio::runtime::Runtime;

use super::PasswordHash;
use crate::operations;
use crate::server::Server;

const CLIENT: &str = "optional1client00000000000";

fn hashes(server: &Server) -> u64 {
    let (compared, _) = server.passwords().work();
    compared
}

/// Signs in with a wrong password, and returns how many passwords were hashed for it.
async fn cost_of_a_refusal(server: &Server, operation: &str, flow: &str, user: &str) -> u64 {
    let before = hashes(server);
    let body = json!({
        "UserPoolId": "local_optional1", "ClientId": CLIENT, "AuthFlow": flow,
        "AuthParameters": { "USERNAME": user, "PASSWORD": "Wrong-Horse-1" },
    });
    let target = format!("AWSCognitoIdentityProviderService.{operation}");
    let answered = operations::answer(server, &target, body.to_string().as_bytes(), "id").await;
    assert!(answered.is_err(), "the password is wrong");
    hashes(server) - before
}

#[test]
fn an_unknown_user_costs_as_many_hashes_as_a_wrong_password() {
    let runtime = Runtime::new().expect("a runtime starts");
    let server = Server::builder().build().expect("it starts");
    for (operation, flow) in [
        ("InitiateAuth", "USER_PASSWORD_AUTH"),
        ("AdminInitiateAuth", "ADMIN_USER_PASSWORD_AUTH"),
    ] {
        for user in ["otto", "nobody", "somebody-else"] {
            let cost = runtime.block_on(cost_of_a_refusal(&server, operation, flow, user));
            assert_eq!(cost, 1, "{operation} of {user}");
        }
    }
}

#[test]
fn the_password_of_nobody_lets_nobody_in() {
    let runtime = Runtime::new().expect("a runtime starts");
    let server = Server::builder().build().expect("it starts");
    let verify = server.passwords().verify("nobody".into(), None);
    assert!(!runtime.block_on(verify).expect("it is compared"));
}

#[test]
fn the_hash_of_nobody_is_as_expensive_as_that_of_a_user() {
    let server = Server::builder().build().expect("it starts");
    let of_a_user = PasswordHash::of("Correct-Horse-1").expect("it is hashed");
    let cost = |hash: &PasswordHash| {
        let hash = Phc::new(&hash.0).expect("a PHC string");
        Params::try_from(&hash).expect("Argon2's parameters")
    };
    assert_eq!(cost(&server.passwords().work.nobody), cost(&of_a_user));
}

#[test]
fn a_hash_costs_eight_mebibytes_and_no_two_of_one_password_are_alike() {
    let hash = || PasswordHash::of("Correct-Horse-1").expect("it is hashed").0;
    let (one, other) = (hash(), hash());
    assert!(one.starts_with("$argon2id$v=19$m=8192,t=1,p=1$"), "{one}");
    assert_ne!(one, other, "the salt is drawn");
}

#[test]
fn a_password_that_nobody_can_have_is_not_hashed() {
    let runtime = Runtime::new().expect("a runtime starts");
    let server = Server::builder().build().expect("it starts");
    let sign_in = async |length: usize| {
        let before = hashes(&server);
        let body = json!({
            "ClientId": CLIENT, "AuthFlow": "USER_PASSWORD_AUTH",
            "AuthParameters": { "USERNAME": "otto", "PASSWORD": "a".repeat(length) },
        });
        let target = "AWSCognitoIdentityProviderService.InitiateAuth";
        let answered = operations::answer(&server, target, body.to_string().as_bytes(), "id").await;
        (answered.is_err(), hashes(&server) - before)
    };
    assert_eq!(runtime.block_on(sign_in(256)), (true, 1));
    assert_eq!(runtime.block_on(sign_in(257)), (true, 0));
}

#[tokio::test]
async fn a_password_that_nobody_waits_for_counts_until_it_is_hashed() {
    let server = Server::builder().build().expect("it starts");
    let passwords = server.passwords().clone();
    let room = passwords.at_once.clone();
    let before = room.available_permits();
    let (tell, is_hashing) = tokio::sync::oneshot::channel();
    let (go_on, told) = std::sync::mpsc::channel::<()>();
    let hashing = tokio::spawn(async move {
        let work = move |_: &super::Work| {
            tell.send(()).expect("the test waits");
            told.recv().expect("the test says so");
        };
        passwords.apart(work).await
    });
    is_hashing.await.expect("it begins");
    hashing.abort();
    assert!(hashing.await.expect_err("aborted").is_cancelled());
    assert_eq!(room.available_permits(), before - 1);
    go_on.send(()).expect("it waits");
    let all = u32::try_from(before).expect("few cores");
    drop(room.acquire_many(all).await.expect("open"));
}
