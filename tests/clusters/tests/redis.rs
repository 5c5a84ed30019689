//! A primary of Redis that is cut off from its replica and killed, and the replica made primary.

use core::error::Error;
use core::time::Duration;
use std::thread;

use softtoken_clusters::{Redis, Replication, broke, held, row};
use softtoken_faults::{Broken, Tally, Violation, endure};

const ENGINE: &str = "Redis, primary killed, replica made primary by hand";

/// The same for both settings.
fn fail_over(replication: Replication) -> Result<Tally, Broken> {
    let redis = Redis::start(replication);
    endure(&redis, || {
        thread::sleep(Duration::from_secs(3));
        redis.cut();
        thread::sleep(Duration::from_secs(3));
        redis.fail_over();
        thread::sleep(Duration::from_secs(3));
    })
}

#[test]
#[ignore = "needs root, iproute2 and Redis: apt-get install redis-server iproute2"]
fn what_a_replica_was_waited_for_survives_one_failover() -> Result<(), Box<dyn Error>> {
    let tally = fail_over(Replication::Waited)?;
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "it was cut under load: {tally}");
    row(
        ENGINE,
        "`appendfsync always`, `WAIT 1` after each swap, an error where nobody is counted",
        "nothing: `WAIT` is no commit, and Sentinel may choose a replica that was not counted",
        &held(&tally),
    );
    Ok(())
}

#[test]
#[ignore = "needs root, iproute2 and Redis: apt-get install redis-server iproute2"]
fn what_a_replica_was_not_waited_for_is_lost_by_a_failover() {
    let broken = fail_over(Replication::Unwaited).expect_err("it was acknowledged, and is lost");
    let lost = |violation: &_| matches!(violation, Violation::SwapLost { .. });
    assert!(broken.0.iter().any(lost), "{broken}");
    row(
        ENGINE,
        "`appendfsync always`, replication alone",
        "nothing of the last moments",
        &broke(&broken),
    );
}
