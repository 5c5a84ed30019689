//! A primary of PostgreSQL that is cut off from its standby and killed, and the standby promoted.

use core::error::Error;
use core::time::Duration;
use std::thread;

use softtoken::association::Events;
use softtoken::store::{Swap, Write};
use softtoken::{BlockingStore, Revision};
use softtoken_clusters::{Postgres, Standby, broke, held, row};
use softtoken_faults::{Broken, Tally, Violation, endure};

type Outcome = Result<(), Box<dyn Error>>;

/// The same for both settings. The primary goes on for a while after the standby hears nothing any
/// more: what it acknowledges by then is what a failover can lose.
fn fail_over<S: BlockingStore>(
    standby: Standby,
    store: impl FnOnce(&Postgres) -> S,
) -> Result<Tally, Broken> {
    let mut postgres = Postgres::start(standby);
    let store = store(&postgres);
    endure(&store, || {
        thread::sleep(Duration::from_secs(3));
        postgres.cut();
        // Longer than the stores wait for an answer, which must not make a commit of one that still
        // waits for the standby.
        thread::sleep(Duration::from_secs(12));
        postgres.kill_primary();
        postgres.promote();
        thread::sleep(Duration::from_secs(3));
    })
}

fn a_synchronous_standby<S: BlockingStore>(
    driver: &str,
    store: impl FnOnce(&Postgres) -> S,
) -> Outcome {
    let tally = fail_over(Standby::Synchronous, store)?;
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "it was killed under load: {tally}");
    row(
        &format!("PostgreSQL by {driver}, primary killed, standby promoted"),
        "`synchronous_standby_names = '*'`, `synchronous_commit = on`",
        "a commit is on two disks before it is acknowledged",
        &held(&tally),
    );
    Ok(())
}

fn an_asynchronous_standby<S: BlockingStore>(driver: &str, store: impl FnOnce(&Postgres) -> S) {
    let broken = fail_over(Standby::Asynchronous, store);
    let broken = broken.expect_err("it was acknowledged, and is lost");
    let lost = |violation: &_| matches!(violation, Violation::SwapLost { .. });
    assert!(broken.0.iter().any(lost), "{broken}");
    row(
        &format!("PostgreSQL by {driver}, primary killed, standby promoted"),
        "asynchronous standby (the default)",
        "nothing of the last moments",
        &broke(&broken),
    );
}

#[test]
#[ignore = "needs root, iproute2 and PostgreSQL: apt-get install postgresql iproute2"]
fn what_a_synchronous_standby_has_acknowledged_survives_a_failover_by_sqlx() -> Outcome {
    a_synchronous_standby("sqlx", Postgres::sqlx)
}

#[test]
#[ignore = "needs root, iproute2 and PostgreSQL: apt-get install postgresql iproute2"]
fn what_a_synchronous_standby_has_acknowledged_survives_a_failover_by_diesel() -> Outcome {
    a_synchronous_standby("diesel-async", Postgres::diesel)
}

#[test]
#[ignore = "needs root, iproute2 and PostgreSQL: apt-get install postgresql iproute2"]
fn what_an_asynchronous_standby_has_not_heard_is_lost_by_sqlx() {
    an_asynchronous_standby("sqlx", Postgres::sqlx);
}

#[test]
#[ignore = "needs root, iproute2 and PostgreSQL: apt-get install postgresql iproute2"]
fn what_an_asynchronous_standby_has_not_heard_is_lost_by_diesel() {
    an_asynchronous_standby("diesel-async", Postgres::diesel);
}

#[test]
#[ignore = "needs root, iproute2 and PostgreSQL: apt-get install postgresql iproute2"]
fn an_old_primary_that_still_runs_answers_loads_as_things_were() -> Outcome {
    let postgres = Postgres::start(Standby::Synchronous);
    let write = |expected| {
        let write = Write::new("alice", expected, b"record".to_vec(), Events::default());
        write.expect("one of many")
    };
    let old = postgres.old_primary();
    assert_eq!(old.compare_and_swap_blocking(write(None))?, Swap::Stored);
    postgres.cut();
    postgres.promote();
    let new = postgres.new_primary();
    let swap = new.compare_and_swap_blocking(write(Some(Revision::FIRST)))?;
    assert_eq!(swap, Swap::Stored);
    let stale = old.load_blocking("alice")?.ok_or("it is there")?;
    assert_eq!(stale.revision, Revision::FIRST);
    row(
        "PostgreSQL, standby promoted, old primary alive",
        "the same, and nobody has shut the old primary off",
        "no two commits; nothing about reads",
        "stale: the old primary answered with the row of before. Shut it off first",
    );
    Ok(())
}
