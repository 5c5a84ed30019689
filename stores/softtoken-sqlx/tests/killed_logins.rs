//! The process that has an SQLite file by the store is killed while it logs users in, in
//! transactions with rows of their own.
#![cfg(feature = "sqlite")]

use softtoken_faults::{Blocked, endure_logins_in_a_file};
use softtoken_sqlx::SqliteStore;
use sqlx::Sqlite;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use tokio::runtime::Runtime;

#[allow(dead_code, reason = "the suites and the crowds are other tests'")]
mod application;

use application::{Application, application};

application! {
    Sqlite,
    insert: "INSERT INTO logins VALUES (?)",
    rows: "SELECT count(*) FROM logins WHERE login = ?",
    fail: "ROLLBACK"
}

const KILLS: u64 = 20;

#[test]
fn a_login_and_its_row_are_both_there_or_neither_when_the_process_is_killed() {
    let tally = endure_logins_in_a_file(KILLS, |file| {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let runtime = Runtime::new().expect("a runtime");
        let application = runtime.block_on(async {
            let store = SqliteStore::new(SqlitePool::connect_with(options).await?);
            store.migrate().await?;
            let table = "CREATE TABLE IF NOT EXISTS logins (login TEXT PRIMARY KEY)";
            sqlx::raw_sql(table).execute(store.pool()).await?;
            Ok::<_, Box<dyn core::error::Error>>(Application { store })
        });
        let application = application.expect("the file opens");
        Blocked::new(application, move |future| runtime.block_on(future))
    });
    println!("{KILLS} kills, {tally}");
    assert!(tally.accepted > 0 && tally.guesses > 0);
    assert!(tally.kept + tally.undone > 0, "it was killed under load");
}
