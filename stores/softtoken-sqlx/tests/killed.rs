//! The process that has an SQLite file by the store is killed, again and again.
#![cfg(feature = "sqlite")]

use std::path::Path;

use softtoken_faults::{Blocked, endure_in_a_file};
use softtoken_sqlx::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use tokio::runtime::Runtime;

const KILLS: u64 = 20;

fn open(file: &Path) -> impl softtoken::BlockingStore + use<> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let runtime = Runtime::new().expect("a runtime");
    let store = runtime.block_on(async {
        let store = SqliteStore::new(SqlitePool::connect_with(options).await?);
        store.migrate().await.map(|()| store)
    });
    let store = store.expect("the file opens");
    Blocked::new(store, move |future| runtime.block_on(future))
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let tally = endure_in_a_file(KILLS, open);
    println!("{KILLS} kills, {tally}");
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "it was killed under load");
}
