//! Clusters of real engines, each server in a network of its own, to be cut off and killed.
//!
//! Each test prints one row of a table: the engine, its setting, what is promised, what was seen.
//! The load, the history of all requests and its check are those of `softtoken-faults`.

mod etcd;
mod galera;
mod network;
mod postgres;
mod redis;

pub use etcd::Etcd;
pub use galera::{Causality, Galera};
pub use network::Network;
pub use postgres::{Postgres, Standby};
pub use redis::{Redis, Replication};

use softtoken_faults::{Broken, Tally, Violation};

/// Prints a row of the table.
pub fn row(engine: &str, setting: &str, promised: &str, seen: &str) {
    println!("| {engine} | {setting} | {promised} | {seen} |");
}

/// Says what was seen of a history that holds.
#[must_use]
pub fn held(tally: &Tally) -> String {
    format!(
        "held: {} requests, of which {} were not answered",
        tally.requests, tally.unknown
    )
}

/// Says what was seen of a history that does not hold.
#[must_use]
pub fn broke(broken: &Broken) -> String {
    let count = |is: fn(&&Violation) -> bool| broken.0.iter().filter(is).count();
    format!(
        "broken: {} acknowledged swaps lost, {} codes accepted twice, {} users whose failures are forgotten",
        count(|found| matches!(found, Violation::SwapLost { .. })),
        count(|found| matches!(found, Violation::AcceptedTwice { .. })),
        count(|found| matches!(found, Violation::Uncounted { .. })),
    )
}
