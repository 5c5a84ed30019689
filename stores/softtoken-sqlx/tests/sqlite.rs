//! Runs the store on SQLite files.
#![cfg(feature = "sqlite")]

use softtoken::Revision;
use softtoken::association::Events;
use softtoken::own_transaction;
use softtoken::store::{Store as _, Write, conformance};
use softtoken_sqlx::{SqliteStore, SqlxError};
use sqlx::Sqlite;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

mod application;

use application::{Application, Outcome, application};

application! {
    Sqlite,
    insert: "INSERT INTO logins VALUES (?)",
    rows: "SELECT count(*) FROM logins WHERE login = ?",
    fail: "INSERT INTO notes VALUES ('nobody')"
}

const TABLES: &str = "CREATE TABLE logins (login TEXT PRIMARY KEY);
    CREATE TABLE users (name TEXT PRIMARY KEY);
    CREATE TABLE notes (name TEXT REFERENCES users DEFERRABLE INITIALLY DEFERRED);";

/// A pool of sqlx's, on a file, as an application makes it.
struct Engine {
    runtime: Runtime,
    options: SqliteConnectOptions,
    _folder: TempDir,
}

impl Engine {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("records.sqlite3"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        Self {
            runtime: Runtime::new().expect("a runtime"),
            options,
            _folder: folder,
        }
    }

    fn pool(&self, options: SqliteConnectOptions) -> SqlitePool {
        let _within = self.runtime.enter();
        SqlitePoolOptions::new().connect_lazy_with(options)
    }

    fn store(&self) -> SqliteStore {
        let store = SqliteStore::new(self.pool(self.options.clone()));
        self.runtime.block_on(store.migrate()).expect("a table");
        store
    }
}

impl Engine {
    fn application(&self) -> Application<Sqlite> {
        let store = self.store();
        let tables = sqlx::raw_sql(TABLES).execute(store.pool());
        self.runtime.block_on(tables).expect("tables of its own");
        Application { store }
    }
}

#[test]
fn it_keeps_every_rule() -> Outcome {
    let engine = Engine::new();
    let store = engine.store();
    conformance::check(|| store.clone(), |future| engine.runtime.block_on(future))?;
    Ok(())
}

#[test]
fn several_pools_on_one_file_keep_every_rule() -> Outcome {
    let engine = Engine::new();
    conformance::check(|| engine.store(), |future| engine.runtime.block_on(future))?;
    Ok(())
}

#[test]
fn it_keeps_every_rule_in_memory_by_one_connection() -> Outcome {
    let runtime = Runtime::new()?;
    let pool = SqlitePoolOptions::new().max_connections(1);
    let store = SqliteStore::new(runtime.block_on(pool.connect("sqlite::memory:"))?);
    runtime.block_on(store.migrate())?;
    conformance::check(|| store.clone(), |future| runtime.block_on(future))?;
    Ok(())
}

#[test]
fn a_login_and_its_row_are_committed_together_or_not_at_all() -> Outcome {
    let engine = Engine::new();
    let application = engine.application();
    own_transaction::Suite::new().hang_ups(1500).check(
        || application.clone(),
        |future| engine.runtime.block_on(future),
    )?;
    Ok(())
}

#[test]
fn a_database_that_forgets_what_it_acknowledged_is_refused() -> Outcome {
    let engine = Engine::new();
    let lax = engine
        .options
        .clone()
        .synchronous(SqliteSynchronous::Normal);
    let store = SqliteStore::new(engine.pool(lax));
    engine.runtime.block_on(async {
        store.migrate().await?;
        for _ in 0..2 {
            let refused = store.load("alice").await.expect_err("it is lax");
            assert!(matches!(refused, SqlxError::Setting(_)), "{refused}");
        }
        let first = Write::new("alice", None, b"record".to_vec(), Events::default());
        let first = first.ok_or("there is a first")?;
        let refused = store.compare_and_swap(first).await.expect_err("it is lax");
        assert!(matches!(refused, SqlxError::Setting(_)), "{refused}");
        assert!(store.durable_otherwise().load("alice").await?.is_none());
        Ok(())
    })
}

#[test]
fn a_revision_that_was_never_written_is_an_error_and_no_absent_row() -> Outcome {
    let engine = Engine::new();
    let store = engine.store();
    engine.runtime.block_on(async {
        let first = Write::new("alice", None, b"record".to_vec(), Events::default());
        let _ = store
            .compare_and_swap(first.ok_or("there is a first")?)
            .await?;
        let row = store.load("alice").await?;
        assert_eq!(row.map(|row| row.revision), Some(Revision::FIRST));
        for revision in [0, -1, i64::MIN] {
            let update = sqlx::query("UPDATE softtoken SET revision = ?").bind(revision);
            update.execute(store.pool()).await?;
            let refused = store
                .load("alice")
                .await
                .expect_err("no store has written it");
            assert!(matches!(refused, SqlxError::Revision(held) if held == revision));
        }
        Ok(())
    })
}

#[test]
fn one_of_sixty_four_logins_with_one_code_is_one() {
    let engine = Engine::new();
    let application = engine.application();
    let logins = application::one_of_sixty_four_logs_in(&application);
    engine.runtime.block_on(logins);
}

#[test]
fn everybody_is_served_after_fifteen_hundred_clients_have_hung_up() {
    let engine = Engine::new();
    let application = engine.application();
    let served = application::everybody_is_served_after_fifteen_hundred_hang_ups(&application);
    engine.runtime.block_on(served);
}

#[test]
fn what_is_dropped_outside_of_the_runtime_is_rolled_back() {
    let engine = Engine::new();
    let application = engine.application();
    let accepted = engine.runtime.block_on(application::accepted(&application));
    std::thread::spawn(move || drop(accepted))
        .join()
        .expect("it does not panic");
    let served = application::one_of_sixty_four_logs_in(&application);
    engine.runtime.block_on(served);
}
