//! What holds of the store, on a server of its own.

use core::error::Error;
use core::time::Duration;
use std::process::Command;
use std::thread;

use redis::cmd;
use softtoken::association::Events;
use softtoken::store::{Swap, Write, conformance};
use softtoken::{BlockingStore as _, Revision, Store as _};
use softtoken_faults::{endure, free_port, pauses};
use softtoken_redis::{RedisStore, RedisStoreError};
use tokio::time::timeout;

mod engine;

use engine::Engine;

/// The example.
fn program() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "run",
        "--quiet",
        "--package",
        "softtoken-redis",
        "--example",
        "sign_in",
        "--",
    ]);
    cargo
}

type Outcome = Result<(), Box<dyn Error>>;

const KILLS: u64 = 20;

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn it_keeps_every_rule() -> Outcome {
    let engine = Engine::start();
    // A connection of its own for each handle.
    let open = || engine.store();
    conformance::check(open, |future| engine.runtime.block_on(future))?;
    Ok(())
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn it_keeps_every_rule_in_a_cluster() -> Outcome {
    let nodes = [(0, 8191), (8192, 16383)].map(|(first, last)| {
        let bus = free_port().to_string();
        let node = Engine::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus]);
        let mut slots = cmd("CLUSTER");
        slots.arg("ADDSLOTSRANGE").arg(first).arg(last);
        slots.exec(&mut node.bare()).expect("they are free");
        (node, bus)
    });
    let [(one, _), (other, bus)] = &nodes;
    let port = other.url.rsplit(':').next().ok_or("it has a port")?;
    let mut meet = cmd("CLUSTER");
    meet.arg("MEET").arg("127.0.0.1").arg(port).arg(bus);
    meet.exec(&mut one.bare())?;
    for (node, _) in &nodes {
        let is_whole = || -> Result<bool, Box<dyn Error>> {
            let about: String = cmd("CLUSTER").arg("INFO").query(&mut node.bare())?;
            Ok(about.contains("cluster_state:ok"))
        };
        while !is_whole()? {
            thread::sleep(Duration::from_millis(20));
        }
    }
    let connect = async || {
        let client = redis::cluster::ClusterClient::new([&one.url[..]])?;
        client.get_async_connection().await
    };
    let connection = one.runtime.block_on(connect())?;
    let open = || RedisStore::over_unchecked(connection.clone());
    conformance::check(open, |future| one.runtime.block_on(future))?;
    for (node, _) in &nodes {
        let keys: u64 = cmd("DBSIZE").query(&mut node.bare())?;
        assert!(keys > 100, "each node has its share: {keys}");
    }
    Ok(())
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn of_64_swaps_at_once_one_is_stored() -> Outcome {
    let engine = Engine::start();
    let store = engine.store();
    let mut expected = None;
    for _ in 0..16 {
        let write = Write::new("alice", expected, b"record".to_vec(), Events::default());
        let write = write.ok_or("there is a next one")?;
        let swaps = engine.runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..64 {
                let (store, write) = (store.clone(), write.clone());
                tasks.spawn(async move { store.compare_and_swap(write).await });
            }
            tasks.join_all().await
        });
        let swaps: Vec<_> = swaps.into_iter().collect::<Result<_, _>>()?;
        let stored = swaps.iter().filter(|swap| **swap == Swap::Stored);
        assert_eq!(stored.count(), 1);
        expected = Some(write.next());
    }
    Ok(())
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() -> Outcome {
    let mut engine = Engine::start();
    let store = engine.blocking();
    let tally = endure(&store, || {
        for kill in 0..KILLS {
            thread::sleep(Duration::from_millis(500 + 20 * kill));
            engine.server.kill().expect("it runs");
            engine.server.restart().expect("it starts again");
        }
    })?;
    println!("{KILLS} kills, {tally}");
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "it was killed under load");
    Ok(())
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn revisions_that_are_one_double_are_two() -> Outcome {
    let engine = Engine::start();
    let store = engine.blocking();
    cmd("HSET")
        .arg("softtoken:alice")
        .arg(&[("revision", i64::MAX - 1)])
        .arg(&[("record", "old")])
        .exec(&mut engine.bare())?;
    let swap = |expected| {
        let (expected, record) = (Revision::from_i64(expected), b"new".to_vec());
        let write = Write::new("alice", expected, record, Events::default());
        store
            .compare_and_swap_blocking(write.ok_or("there is a next one")?)
            .map_err(Box::<dyn Error>::from)
    };
    assert_eq!(swap(i64::MAX - 2)?, Swap::Conflict);
    assert_eq!(swap(i64::MAX - 1)?, Swap::Stored);
    let found = store.load_blocking("alice")?.ok_or("it is there")?;
    assert_eq!(found.revision.as_i64(), i64::MAX);
    Ok(())
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn what_no_store_has_written_is_an_error() -> Outcome {
    let engine = Engine::start();
    let store = engine.store();
    let mut bare = engine.bare();
    for fields in [
        &["revision", "0", "record", "r"][..],
        &["revision", "-1", "record", "r"],
        &["revision", "9223372036854775808", "record", "r"],
        &["revision", "one", "record", "r"],
        &["revision", "1"],
        &["record", "r"],
    ] {
        cmd("DEL").arg("softtoken:alice").exec(&mut bare)?;
        cmd("HSET")
            .arg("softtoken:alice")
            .arg(fields)
            .exec(&mut bare)?;
        let loaded = engine.runtime.block_on(store.load("alice"));
        assert!(loaded.is_err(), "{fields:?}");
    }
    Ok(())
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn a_server_that_stands_still_is_given_up() -> Outcome {
    let engine = Engine::start();
    let store = engine.store();
    let signal = |name: &str| {
        let server = engine.server.id().to_string();
        Command::new("kill").args([name, &server]).status()
    };
    assert!(signal("-STOP")?.success());
    let waited = engine.runtime.block_on(async {
        // Far longer than the store has patience.
        timeout(Duration::from_secs(60), store.load("alice")).await
    });
    assert!(signal("-CONT")?.success());
    let loaded = waited?;
    assert!(
        matches!(loaded, Err(RedisStoreError::Database(_))),
        "{loaded:?}"
    );
    Ok(())
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn no_record_runs_out() -> Outcome {
    let engine = Engine::start();
    let store = engine.blocking();
    let mut expected = None;
    for record in ["first", "second"] {
        let write = Write::new(
            "alice",
            expected,
            record.as_bytes().to_vec(),
            Events::default(),
        );
        let write = write.ok_or("there is a next one")?;
        expected = Some(write.next());
        assert_eq!(store.compare_and_swap_blocking(write)?, Swap::Stored);
        let left: i64 = cmd("PTTL")
            .arg("softtoken:alice")
            .query(&mut engine.bare())?;
        assert_eq!(left, -1, "which is for ever");
    }
    Ok(())
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn who_has_lost_a_race_waits_as_long_as_it_is_told() {
    let engine = Engine::start();
    engine.runtime.block_on(pauses(&engine.store()));
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn a_server_that_would_forget_is_refused() {
    for (demanded, lax) in [
        ("appendonly", "no"),
        ("appendfsync", "everysec"),
        ("no-appendfsync-on-rewrite", "yes"),
        ("maxmemory-policy", "allkeys-lru"),
    ] {
        let engine = Engine::start_with(&[&format!("--{demanded}"), lax]);
        let connected = engine.runtime.block_on(RedisStore::connect(&engine.url));
        let error = connected.expect_err(demanded);
        assert!(
            matches!(&error, RedisStoreError::Setting { setting, found, .. } if *setting == demanded && found == lax),
            "{error:?}"
        );
    }
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn a_server_that_hides_its_settings_is_taken_only_by_name() -> Outcome {
    let engine = Engine::start_with(&["--rename-command", "CONFIG", ""]);
    let connected = engine.runtime.block_on(RedisStore::connect(&engine.url));
    let error = connected.expect_err("nothing was seen");
    assert!(
        matches!(error, RedisStoreError::Hidden("appendonly", _)),
        "{error:?}"
    );
    let connect = RedisStore::connect_unchecked(&engine.url);
    let store = engine.runtime.block_on(connect)?;
    assert_eq!(engine.runtime.block_on(store.load("alice"))?, None);
    Ok(())
}

/// A user who may do everything else, the role of the server included.
#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn a_server_that_hides_its_settings_from_this_user_is_not_taken_either() -> Outcome {
    let engine = Engine::start();
    let mut user = cmd("ACL");
    user.arg("SETUSER").arg("app").arg("on").arg(">password");
    user.arg("~*").arg("+@all").arg("-config");
    user.exec(&mut engine.bare())?;
    let url = engine.url.replace("redis://", "redis://app:password@");
    let connected = engine.runtime.block_on(RedisStore::connect(&url));
    let error = connected.expect_err("nothing was seen");
    assert!(
        matches!(error, RedisStoreError::Hidden("appendonly", _)),
        "{error:?}"
    );
    Ok(())
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn a_replica_is_refused() {
    let nobody = free_port().to_string();
    let engine = Engine::start_with(&["--replicaof", &format!("127.0.0.1 {nobody}")]);
    let connected = engine.runtime.block_on(RedisStore::connect(&engine.url));
    let error = connected.expect_err("it lags");
    assert!(matches!(error, RedisStoreError::Standby), "{error:?}");
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn a_primary_that_becomes_a_replica_is_refused_until_it_is_a_primary_again() -> Outcome {
    let engine = Engine::start();
    let store = engine.store();
    let write = |subject| {
        let write = Write::new(subject, None, b"record".to_vec(), Events::default());
        write.ok_or("there is a first")
    };
    let swap = engine
        .runtime
        .block_on(store.compare_and_swap(write("alice")?))?;
    assert_eq!(swap, Swap::Stored);
    let mut bare = engine.bare();
    let nobody = free_port().to_string();
    // Over the same connection, and over a new one, as Sentinel leaves the clients.
    for is_cut in [false, true] {
        let mut follow = cmd("REPLICAOF");
        follow.arg("127.0.0.1").arg(&nobody).exec(&mut bare)?;
        if is_cut {
            let mut cut = cmd("CLIENT");
            cut.arg("KILL")
                .arg("TYPE")
                .arg("normal")
                .arg("SKIPME")
                .arg("yes");
            let _: u64 = cut.query(&mut bare)?;
        }
        let refused = (0..100).find_map(|_| {
            match engine.runtime.block_on(store.load("alice")) {
                // The connection that was lost.
                Err(RedisStoreError::Database(error)) if is_cut && error.is_io_error() => None,
                answer => Some(answer),
            }
        });
        let refused = refused.ok_or("it does not reconnect")?;
        assert!(
            matches!(refused, Err(RedisStoreError::Standby)),
            "{refused:?}"
        );
        let refused = store.compare_and_swap(write("bob")?);
        let refused = engine.runtime.block_on(refused);
        assert!(
            matches!(refused, Err(RedisStoreError::Standby)),
            "{refused:?}"
        );
        cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut bare)?;
        let found = engine.runtime.block_on(store.load("alice"))?;
        assert!(found.is_some());
    }
    Ok(())
}

#[test]
#[ignore = "needs Redis: apt-get install redis-server"]
fn the_program_enrols_and_signs_in() -> Outcome {
    let engine = Engine::start();
    let program = program().arg(&engine.url).output()?;
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
    let program = program()
        .arg(format!("redis://127.0.0.1:{}", free_port()))
        .output()?;
    let said = String::from_utf8(program.stderr)?;
    assert!(!program.status.success());
    assert!(said.contains("redis-server --port"), "{said}");
    Ok(())
}
