//! Runs the store on SQLite files.
#![cfg(feature = "sqlite")]

use core::error::Error;

use softtoken::association::{Events, Operation};
use softtoken::mfa::Request;
use softtoken::own_transaction::{self, Ending, Login, Logins};
use softtoken::store::{Snapshot, Store, Swap, Write, conformance};
use softtoken::{Error as MfaError, Revision};
use softtoken_sqlx::{SqliteStore, SqlxError};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

type Outcome = Result<(), Box<dyn Error>>;

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

/// The application, with a table of its own.
#[derive(Clone)]
struct Application(SqliteStore);

impl Application {
    async fn new(store: SqliteStore) -> Result<Self, sqlx::Error> {
        let tables = "CREATE TABLE logins (login TEXT PRIMARY KEY);
            CREATE TABLE users (name TEXT PRIMARY KEY);
            CREATE TABLE notes (name TEXT REFERENCES users DEFERRABLE INITIALLY DEFERRED);";
        sqlx::raw_sql(tables).execute(store.pool()).await?;
        Ok(Self(store))
    }
}

impl Store for Application {
    type Error = SqlxError;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, SqlxError> {
        self.0.load(subject).await
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, SqlxError> {
        self.0.compare_and_swap(write).await
    }
}

impl Logins for Application {
    async fn log_in<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, MfaError<SqlxError>> {
        let mut accepted = self.0.begin(subject, request).await?;
        let insert = || sqlx::query("INSERT INTO logins VALUES (?)").bind(login.row().to_owned());
        let written = insert().execute(&mut **accepted.transaction()).await;
        written.map_err(|error| MfaError::Store(error.into()))?;
        match login.ending() {
            Ending::Commit => {}
            Ending::Leave => return Ok(None),
            Ending::WriteTwice => {
                let again = insert().execute(&mut **accepted.transaction()).await;
                again.expect_err("it is there");
            }
            Ending::Fail => {
                let orphan = sqlx::query("INSERT INTO notes VALUES ('nobody')");
                let written = orphan.execute(&mut **accepted.transaction()).await;
                written.map_err(|error| MfaError::Store(error.into()))?;
            }
            Ending::Panic => panic!("as the suite asks"),
        }
        accepted.commit().await.map(Some)
    }

    async fn has_row(&self, row: &str) -> Result<bool, SqlxError> {
        let select = sqlx::query_scalar("SELECT count(*) FROM logins WHERE login = ?").bind(row);
        let rows: i64 = select.fetch_one(self.0.pool()).await?;
        Ok(rows == 1)
    }
}

#[test]
fn a_login_and_its_row_are_committed_together_or_not_at_all() -> Outcome {
    let engine = Engine::new();
    let application = engine.runtime.block_on(Application::new(engine.store()))?;
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
