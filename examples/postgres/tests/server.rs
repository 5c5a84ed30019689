//! What holds of the store and of the login, on a server of their own.

use core::error::Error;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::process::Command;
use std::thread;

use softtoken::association::Events;
use softtoken::store::{Store as _, Swap, Write, conformance};
use softtoken::totp::{Code, Totp, Verifier};
use softtoken::{
    Challenge, Context, Error as MfaError, Evidence, Grant, Mfa, OsEntropy, Policy, Rejection,
    Revision, SessionKeys, UnixTime,
};
use softtoken_faults::{endure, free_port};
use softtoken_postgres::{PostgresError, PostgresStore, log_in};

mod engine;

use engine::Engine;

type Outcome = Result<(), Box<dyn Error>>;

const KILLS: u64 = 20;

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn it_keeps_every_rule() -> Outcome {
    let engine = Engine::start();
    // Connections of its own for each handle.
    let open = || engine.store(8);
    conformance::check(open, |future| engine.runtime.block_on(future))?;
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn it_keeps_every_rule_where_transactions_are_serializable_by_default() -> Outcome {
    let engine = Engine::start();
    let strict = "ALTER ROLE postgres SET default_transaction_isolation = 'serializable'";
    engine.runtime.block_on(async {
        let client = engine.store(1).client().await?;
        client.batch_execute(strict).await?;
        Ok::<_, Box<dyn Error>>(())
    })?;
    conformance::check(|| engine.store(8), |future| engine.runtime.block_on(future))?;
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() -> Outcome {
    let mut engine = Engine::start();
    let store = engine.blocking(24);
    let tally = endure(&store, || {
        for kill in 0..KILLS {
            thread::sleep(Duration::from_millis(500 + 20 * kill));
            engine.postgres.server.kill().expect("it runs");
            engine.postgres.server.restart().expect("it starts again");
        }
    })?;
    println!("{KILLS} kills, {tally}");
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "it was killed under load");
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_swap_waits_for_the_disk_and_for_no_less_than_its_connection_is_told() -> Outcome {
    // Writes down, in the transaction of each swap, what its commit waits for.
    const TOLD: &str = "CREATE TABLE told (setting TEXT);
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO told VALUES (current_setting('synchronous_commit'));
            RETURN NULL;
        END $$;
        CREATE TRIGGER tell AFTER INSERT OR UPDATE ON softtoken
            FOR EACH ROW EXECUTE FUNCTION tell()";
    let engine = Engine::start();
    let store = engine.store(1);
    engine.runtime.block_on(async {
        store.client().await?.batch_execute(TOLD).await?;
        for (told, waits) in [
            ("off", "on"),
            ("local", "on"),
            ("on", "on"),
            ("remote_write", "remote_write"),
            ("remote_apply", "remote_apply"),
        ] {
            let set = format!("SET synchronous_commit = '{told}'; DELETE FROM told");
            store.client().await?.batch_execute(&set).await?;
            for expected in [None, Some(Revision::FIRST)] {
                let write = Write::new(told, expected, b"record".to_vec(), Events::default());
                let swap = store.compare_and_swap(write.expect("one of many")).await?;
                assert_eq!(swap, Swap::Stored);
            }
            let client = store.client().await?;
            let rows = client.query("SELECT setting FROM told", &[]).await?;
            let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            assert_eq!(rows, [waits; 2], "{told}");
        }
        Ok(())
    })
}

/// A pooler that lends connections for a transaction lends others than those that were set.
#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_swap_waits_for_the_disk_although_its_connection_was_never_set() -> Outcome {
    let mut engine = Engine::start();
    let store = engine.store(1);
    engine.runtime.block_on(async {
        let client = store.client().await?;
        for slowly in [
            "ALTER SYSTEM SET wal_writer_delay = '10s'",
            "SELECT pg_reload_conf()",
        ] {
            client.batch_execute(slowly).await?;
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    thread::sleep(Duration::from_millis(500));
    engine.runtime.block_on(async {
        let lax = "CREATE TABLE lost (number INT); SET synchronous_commit = 'off'";
        store.client().await?.batch_execute(lax).await?;
        for expected in [None, Some(Revision::FIRST)] {
            let write = Write::new("alice", expected, b"record".to_vec(), Events::default());
            let swap = store.compare_and_swap(write.expect("one of many")).await?;
            assert_eq!(swap, Swap::Stored);
        }
        let lost = "INSERT INTO lost VALUES (1)";
        store.client().await?.batch_execute(lost).await?;
        Ok::<_, Box<dyn Error>>(())
    })?;
    engine.postgres.server.kill()?;
    engine.postgres.server.restart()?;
    let store = engine.store(1);
    engine.runtime.block_on(async {
        let found = store.load("alice").await?.expect("it was stored");
        assert_eq!(Some(found.revision), Revision::FIRST.next());
        let lost = "SELECT count(*) FROM lost";
        let kept = store.client().await?.query_one(lost, &[]).await?;
        assert_eq!(kept.get::<_, i64>(0), 0, "the connection was lax");
        Ok(())
    })
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn no_statement_waits_for_ever_and_none_is_stricter_than_it_has_to_be() -> Outcome {
    let engine = Engine::start();
    engine.runtime.block_on(async {
        let other = "ALTER ROLE postgres SET statement_timeout = 0;
            ALTER ROLE postgres SET default_transaction_isolation = 'serializable'";
        engine.store(1).client().await?.batch_execute(other).await?;
        let client = engine.store(1).client().await?;
        for (setting, expected) in [
            ("SHOW statement_timeout", "10s"),
            ("SHOW default_transaction_isolation", "read committed"),
        ] {
            let row = client.query_one(setting, &[]).await?;
            assert_eq!(row.get::<_, &str>(0), expected, "{setting}");
        }
        Ok(())
    })
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn the_program_enrols_and_signs_in() -> Outcome {
    let engine = Engine::start();
    let program = Command::new(env!("CARGO_BIN_EXE_softtoken-postgres"))
        .arg(&engine.postgres.url)
        .output()?;
    let said = String::from_utf8(program.stdout)?;
    assert!(program.status.success(), "{said}");
    assert!(said.contains("signed in    amr otp mfa"), "{said}");
    assert!(
        said.contains("the same code    logins: 0    the code has been used already"),
        "{said}"
    );
    assert!(
        said.contains("the next code    logins: 1    logged in"),
        "{said}"
    );
    Ok(())
}

#[test]
fn without_a_server_the_program_says_how_to_start_one() -> Outcome {
    let nobody = format!("postgres://postgres@127.0.0.1:{}/postgres", free_port());
    let program = Command::new(env!("CARGO_BIN_EXE_softtoken-postgres"))
        .arg(nobody)
        .output()?;
    let said = String::from_utf8(program.stderr)?;
    assert!(!program.status.success());
    assert!(said.contains("initdb"), "{said}");
    Ok(())
}

/// What the clock of the server and that of the app show.
static SECONDS: AtomicU64 = AtomicU64::new(1_700_000_000);

fn now() -> UnixTime {
    UnixTime::from_secs(SECONDS.load(Ordering::Relaxed))
}

fn code(app: &Verifier) -> Code {
    app.code(Totp::STANDARD.step(now()))
}

/// A whole sign-in of alice, whose password was right: the challenge, and its answer with the
/// login.
async fn logged_in(
    store: &PostgresStore,
    mfa: &Mfa,
    code: Code,
) -> Result<Evidence, MfaError<PostgresError>> {
    let Challenge::SoftwareToken { session, .. } = mfa.sign_in().run(store, "alice").await? else {
        panic!("a token is in force");
    };
    log_in(store, mfa, &session, code.into()).await
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_login_and_its_code_are_committed_together_and_a_failure_without_the_login() -> Outcome {
    let engine = Engine::start();
    let store = engine.store(8);
    let keys = SessionKeys::generate(1, &OsEntropy)?;
    let mfa = Mfa::new(Policy::STANDARD, || Some(now()), OsEntropy)
        .with_sessions(keys, Context::new("web")?);
    engine.runtime.block_on(async {
        let client = store.client().await?;
        let logins = "CREATE TABLE logins (subject TEXT PRIMARY KEY, logins BIGINT NOT NULL)";
        client.batch_execute(logins).await?;
        let counted = async || {
            let row = client.query_opt("SELECT logins FROM logins", &[]).await?;
            Ok::<_, tokio_postgres::Error>(row.map_or(0, |row| row.get::<_, i64>(0)))
        };

        let grant = Grant::first_factor("alice", now());
        let issued = mfa.associate(&grant).run(&store, "alice").await?;
        let app = Verifier::new(issued.secret(), issued.totp());
        let _enrolled = mfa.verify(&grant, code(&app)).run(&store, "alice").await?;

        SECONDS.fetch_add(3600, Ordering::Relaxed);
        let log_in = |code| logged_in(&store, &mfa, code);
        let same = code(&app);
        let (one, two, three, four) = tokio::join!(
            log_in(same.clone()),
            log_in(same.clone()),
            log_in(same.clone()),
            log_in(same)
        );
        let accepted = [one, two, three, four].into_iter().flatten();
        assert_eq!((accepted.count(), counted().await?), (1, 1));

        let past = app.code(Totp::STANDARD.step(UnixTime::from_secs(0)));
        for _ in 0..3 {
            let refused = log_in(past.clone()).await.expect_err("it is old");
            assert_eq!(refused.rejection(), Some(Rejection::Mismatch));
        }
        let refused = log_in(code(&app)).await.expect_err("three were counted");
        assert_eq!(refused.name(), "throttled");
        assert_eq!(counted().await?, 1, "the logins were rolled back");

        SECONDS.fetch_add(3600, Ordering::Relaxed);
        // The login fails at its commit, and takes the code back with it.
        let forbid = "CREATE TABLE allowed (logins BIGINT PRIMARY KEY); INSERT INTO allowed VALUES (1);
            ALTER TABLE logins ADD FOREIGN KEY (logins) REFERENCES allowed DEFERRABLE INITIALLY DEFERRED";
        client.batch_execute(forbid).await?;
        let failed = log_in(code(&app)).await.expect_err("a second login is forbidden");
        assert_eq!(failed.name(), "store");
        let allow = "INSERT INTO allowed VALUES (2)";
        client.batch_execute(allow).await?;
        let _evidence = log_in(code(&app)).await?;
        assert_eq!(counted().await?, 2);
        Ok(())
    })
}
