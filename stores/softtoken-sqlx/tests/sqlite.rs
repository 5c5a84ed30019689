//! Runs the store on SQLite files.
#![cfg(feature = "sqlite")]

use core::error::Error;

use softtoken::store::conformance;
use softtoken_sqlx::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use tokio::runtime::Runtime;

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn it_keeps_every_rule() -> Outcome {
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("records.sqlite3"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = runtime.block_on(SqlitePoolOptions::new().connect_with(options))?;
    let store = SqliteStore::new(pool);
    runtime.block_on(store.migrate())?;
    runtime.block_on(store.migrate())?;
    conformance::check(|| store.clone(), |future| runtime.block_on(future))?;
    Ok(())
}
