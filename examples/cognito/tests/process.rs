//! The program: how it ends, and what is left of it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::world::{Client, OPTIONAL, PASSWORD, REQUIRED, World, by_password, text};

#[test]
fn what_is_kept_in_a_file_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pools.db");
    let mut world = World::with(|builder| builder.file(&file));
    let secret = world.enrol(OPTIONAL);
    let token = {
        let session = text(&world.sign_in(OPTIONAL), "/Session");
        let answered = world.respond(OPTIONAL, &session, &world.code(&secret));
        text(&answered.body, "/AuthenticationResult/AccessToken")
    };
    let pool =
        world.done("CreateUserPool", &json!({ "PoolName": "mine" }))["UserPool"]["Id"].clone();
    let sign_up = json!({ "ClientId": REQUIRED.client, "Username": "anna", "Password": PASSWORD });
    world.done("SignUp", &sign_up);
    let session = text(&world.sign_in(OPTIONAL), "/Session");
    let spent = world.code(&secret);
    world.stop();
    let mode = std::fs::metadata(&file)
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "keys are for the owner alone");

    let world = World::with(|builder| builder.file(&file));
    world.wait(30);
    world.done("GetUser", &json!({ "AccessToken": token }));
    world.done("DescribeUserPool", &json!({ "UserPoolId": pool }));
    let anna = by_password(REQUIRED, "anna", PASSWORD);
    assert_eq!(
        world.refused("InitiateAuth", &anna),
        "UserNotConfirmedException"
    );
    let again = world.respond(OPTIONAL, &session, &spent);
    assert_eq!(again.body["__type"], "ExpiredCodeException");
    let fresh = world.respond(OPTIONAL, &session, &world.code_after(&secret, 1));
    assert_eq!(fresh.status, 200, "{}", fresh.body);
}

#[test]
fn the_program_prints_its_pools_and_ends_well_when_it_is_told_to() {
    for name in ["TERM", "INT"] {
        let (mut server, printed) = start();
        for pool in [OPTIONAL, REQUIRED] {
            let line = printed
                .iter()
                .find(|line| line.contains(pool.id))
                .expect("a line of the table");
            assert!(
                line.contains(pool.client) && line.contains(pool.user) && line.contains(PASSWORD)
            );
        }
        let kill = Command::new("kill")
            .args([&format!("-{name}"), &server.id().to_string()])
            .status();
        assert!(kill.expect("kill").success());
        assert!(server.wait().expect("it ends").success(), "after {name}");
    }
}

#[test]
fn what_is_under_way_when_it_is_told_to_end_is_answered() {
    let (mut server, printed) = start();
    let client = Client::at(address(&printed));
    let body = by_password(OPTIONAL, OPTIONAL.user, PASSWORD).to_string();
    let headers = [(
        "x-amz-target",
        "AWSCognitoIdentityProviderService.InitiateAuth",
    )];
    let sign_ins: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..40)
            .map(|_| scope.spawn(|| client.post(&headers, &body)))
            .collect();
        // The first answer is there, the other thirty-nine wait for their turn at the password.
        while !asked.iter().any(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::yield_now();
        }
        let kill = Command::new("kill").arg(server.id().to_string()).status();
        assert!(kill.expect("kill").success());
        asked
            .into_iter()
            .map(|asked| asked.join().expect("no panic"))
            .collect()
    });
    let answered = sign_ins
        .iter()
        .filter(|sign_in| sign_in.as_ref().is_ok_and(|reply| reply.status == 200));
    assert!(answered.count() > 1, "only the first was answered");
    assert!(
        sign_ins
            .iter()
            .all(|sign_in| { sign_in.as_ref().map_or(true, |reply| reply.status == 200) })
    );
    assert!(server.wait().expect("it ends").success());
}

#[test]
fn the_console_shows_what_was_asked_and_nothing_secret() {
    let (mut server, printed) = start_with(&["--verbose"], Stdio::piped());
    let client = Client::at(address(&printed));
    let signed_in = client
        .call(
            "InitiateAuth",
            &by_password(OPTIONAL, OPTIONAL.user, PASSWORD),
        )
        .body;
    let token = text(&signed_in, "/AuthenticationResult/AccessToken");
    let secret = text(
        &client
            .call("AssociateSoftwareToken", &json!({ "AccessToken": token }))
            .body,
        "/SecretCode",
    );
    let wrong = json!({ "AccessToken": token, "UserCode": "918273" });
    client.call("VerifySoftwareToken", &wrong);
    let challenge = client
        .call(
            "InitiateAuth",
            &by_password(REQUIRED, REQUIRED.user, PASSWORD),
        )
        .body;
    let session = text(&challenge, "/Session");
    client.call(&format!("NoSuchThing{PASSWORD}"), &json!({}));
    let kill = Command::new("kill").arg(server.id().to_string()).status();
    assert!(kill.expect("kill").success());
    let mut console = String::new();
    server
        .stderr
        .take()
        .expect("piped")
        .read_to_string(&mut console)
        .expect("text");
    assert!(server.wait().expect("it ends").success());

    for line in [
        "InitiateAuth 200",
        "VerifySoftwareToken 400 EnableSoftwareTokenMFAException",
        "unknown 400",
        "Mismatch",
    ] {
        assert!(console.contains(line), "no {line} in {console}");
    }
    for kept in [PASSWORD, &token, &secret, &session, "918273"] {
        assert!(!console.contains(kept), "{kept} in {console}");
    }
}

fn start() -> (Child, Vec<String>) {
    start_with(&[], Stdio::null())
}

/// The program at a free port, and what it has printed until it listens.
fn start_with(options: &[&str], stderr: Stdio) -> (Child, Vec<String>) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_softtoken-cognito"))
        .args(["--listen", "127.0.0.1:0"])
        .args(options)
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .expect("it starts");
    let mut printed = Vec::new();
    for line in BufReader::new(server.stdout.take().expect("piped")).lines() {
        printed.push(line.expect("text"));
        if printed
            .last()
            .is_some_and(|line| line.contains("Endpoint: "))
        {
            break;
        }
    }
    (server, printed)
}

fn address(printed: &[String]) -> String {
    let found = printed
        .iter()
        .find_map(|line| Some(line.split_once("Endpoint: ")?.1.to_owned()));
    found.expect("an address")
}
