//! What holds of the store, on a cluster of its own.

use core::error::Error;
use core::time::Duration;
use std::process::Command;
use std::thread;

use softtoken::BlockingStore as _;
use softtoken::store::conformance;
use softtoken_etcd::EtcdStore;
use softtoken_faults::{endure, free_port};

mod engine;

use engine::Engine;

type Outcome = Result<(), Box<dyn Error>>;

const KILLS: usize = 10;

#[test]
#[ignore = "needs etcd: apt-get install etcd-server"]
fn it_keeps_every_rule() -> Outcome {
    let engine = Engine::start();
    // Connections of its own for each handle.
    conformance::check_blocking(|| engine.store())?;
    Ok(())
}

#[test]
#[ignore = "needs etcd: apt-get install etcd-server"]
fn nothing_acknowledged_is_lost_when_members_are_killed() -> Outcome {
    let mut engine = Engine::start();
    let store = engine.store();
    let mut led = 0;
    let tally = endure(&store, || {
        for kill in 0..KILLS {
            thread::sleep(Duration::from_secs(1));
            let leader = engine.leader();
            let random = fastrand::usize(..engine.members.len());
            // Every second time the leader, if one is known; else any, which may be the leader as
            // well.
            let victim = leader.filter(|_| kill % 2 == 0).unwrap_or(random);
            led += usize::from(Some(victim) == leader);
            engine.members[victim].kill().expect("it runs");
            // The others elect another one, and go on.
            thread::sleep(Duration::from_secs(2));
            engine.members[victim].restart().expect("it starts again");
        }
    })?;
    println!("{KILLS} kills, {led} of the leader, {tally}");
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "they were killed under load");
    assert!(led > 0, "the leader was one of them");
    Ok(())
}

#[test]
#[ignore = "needs etcd: apt-get install etcd-server"]
fn a_member_without_a_majority_answers_no_load() -> Outcome {
    let mut engine = Engine::start();
    let alone = EtcdStore::new([engine.endpoints[0].as_str()])?;
    assert_eq!(alone.load_blocking("alice")?, None);
    engine.members[1].kill()?;
    engine.members[2].kill()?;
    assert!(
        alone.load_blocking("alice").is_err(),
        "it may lag behind the others"
    );
    Ok(())
}

#[test]
#[ignore = "needs etcd: apt-get install etcd-server"]
fn the_program_enrols_and_signs_in() -> Outcome {
    let engine = Engine::start();
    let program = Command::new(env!("CARGO_BIN_EXE_softtoken-etcd"))
        .args(&engine.endpoints)
        .output()?;
    let said = String::from_utf8(program.stdout)?;
    assert!(program.status.success(), "{said}");
    assert!(said.contains("signed in          amr otp mfa"), "{said}");
    assert!(
        said.contains("the same code: the code has been used already"),
        "{said}"
    );
    Ok(())
}

#[test]
fn without_a_server_the_program_says_how_to_start_one() -> Outcome {
    let program = Command::new(env!("CARGO_BIN_EXE_softtoken-etcd"))
        .arg(format!("http://127.0.0.1:{}", free_port()))
        .output()?;
    let said = String::from_utf8(program.stderr)?;
    assert!(!program.status.success());
    assert!(said.contains("etcd --data-dir"), "{said}");
    Ok(())
}
