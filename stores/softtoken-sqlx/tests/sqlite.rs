//! Runs the store on SQLite files.
#![cfg(feature = "sqlite")]

use core::time::Duration;

use softtoken::Revision;
use softtoken::association::Events;
use softtoken::own_transaction;
use softtoken::store::{Store as _, Swap, Write, conformance};
use softtoken_sqlx::{SqliteStore, SqlxStoreError};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Sqlite};
use tempfile::TempDir;
use tokio::runtime::Runtime;

mod application;

use application::{Application, Outcome, Own as _, application, is_undone};

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
    type Lax = fn(SqliteConnectOptions) -> SqliteConnectOptions;
    let lax: [(Lax, &str); 4] = [
        (
            |options| options.synchronous(SqliteSynchronous::Normal),
            "synchronous",
        ),
        (
            |options| options.synchronous(SqliteSynchronous::Off),
            "synchronous",
        ),
        (
            |options| options.journal_mode(SqliteJournalMode::Off),
            "journal_mode",
        ),
        (
            |options| options.journal_mode(SqliteJournalMode::Memory),
            "journal_mode",
        ),
    ];
    for (lax, why) in lax {
        let engine = Engine::new();
        let store = SqliteStore::new(engine.pool(lax(engine.options.clone())));
        engine.runtime.block_on(async {
            store.migrate().await?;
            application::it_is_refused_unless_it_is_durable_otherwise(store, why).await
        })?;
    }
    Ok(())
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
            assert!(matches!(refused, SqlxStoreError::Revision(held) if held == revision));
        }
        Ok(())
    })
}

#[test]
fn who_has_lost_a_race_waits_as_long_as_it_is_told() {
    let engine = Engine::new();
    engine
        .runtime
        .block_on(softtoken_faults::pauses(&engine.store()));
}

#[test]
fn a_lock_that_is_waited_for_in_vain_is_a_conflict() {
    let engine = Engine::new();
    let application = engine.application();
    // Another process, for all that the first store knows.
    let patience = Duration::from_millis(200);
    let impatient = engine.pool(engine.options.clone().busy_timeout(patience));
    let impatient = SqliteStore::new(impatient);
    let waits = application::a_lock_that_is_waited_for_in_vain_is_a_conflict;
    engine.runtime.block_on(waits(&application, &impatient));
}

/// Nobody has to poll the file's lock: who writes by one store waits for its turn.
#[test]
fn writers_of_one_store_are_in_no_ones_way() {
    let engine = Engine::new();
    // Kept: a pool that is closed has the file for a moment.
    let _kept = engine.store();
    let at_once = engine.options.clone().busy_timeout(Duration::ZERO);
    let store = SqliteStore::new(engine.pool(at_once));
    engine.runtime.block_on(async {
        // Opened beforehand: a connection that opens the file has to have it for a moment.
        let mut open = Vec::new();
        for _ in 0..store.pool().options().get_max_connections() {
            open.push(store.pool().acquire().await.expect("a connection"));
        }
        drop(open);
        assert_eq!(store.load("nobody").await.expect("an answer"), None);
        let mut swaps = tokio::task::JoinSet::new();
        for number in 0..64 {
            let store = store.clone();
            swaps.spawn(async move {
                let subject = format!("user-{number}");
                let write = Write::new(&subject, None, b"record".to_vec(), Events::default());
                store.compare_and_swap(write.expect("a first")).await
            });
        }
        for swap in swaps.join_all().await {
            assert_eq!(swap.expect("it is stored"), Swap::Stored);
        }
    });
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

/// A full disk, a statement's own `OR ROLLBACK`: SQLite ends the transaction, and the driver counts
/// on.
#[test]
fn a_transaction_that_the_engine_has_ended_leaves_nothing_to_the_next_one() -> Outcome {
    let engine = Engine::new();
    let other = engine.application();
    let user = "INSERT INTO users VALUES ('alice')";
    let alice = sqlx::raw_sql(user).execute(other.store.pool());
    engine.runtime.block_on(alice)?;
    let one = SqlitePoolOptions::new().max_connections(1);
    engine.runtime.block_on(async {
        let pool = one.connect_with(engine.options.clone()).await?;
        let store = SqliteStore::new(pool);
        let application = Application { store };
        for (number, within) in [false, true].into_iter().enumerate() {
            for ends in ["ROLLBACK", "INSERT OR ROLLBACK INTO users VALUES ('alice')"] {
                let mut accepted = application::accepted(&application).await;
                if within {
                    let mut savepoint = accepted.transaction().begin().await?;
                    drop(sqlx::raw_sql(ends).execute(&mut *savepoint).await);
                } else {
                    drop(sqlx::raw_sql(ends).execute(accepted.transaction()).await);
                }
                assert!(is_undone(&accepted.commit().await), "{ends}");

                // The application's own is a transaction, and a swap is committed at once.
                let own = application.store.pool().acquire().await?;
                assert!(!own.is_in_transaction(), "{ends}");
                drop(own);
                let subject = format!("{number}-{ends}");
                let first = Write::new(&subject, None, b"record".to_vec(), Events::default());
                let first = first.ok_or("there is a first")?;
                let swap = application.store.compare_and_swap(first).await?;
                assert_eq!(swap, Swap::Stored);
                assert!(other.store.load(&subject).await?.is_some(), "{ends}");
                application::one_of_sixty_four_logs_in(&application).await;
            }
        }
        Ok(())
    })
}

#[test]
fn a_transaction_that_was_ended_lets_nobody_in() -> Outcome {
    let engine = Engine::new();
    let application = engine.application();
    let other = Application {
        store: engine.store(),
    };
    let ended = application::a_transaction_that_was_ended_lets_nobody_in;
    engine.runtime.block_on(ended(&application, &other))
}

#[test]
fn what_is_dropped_after_the_engine_has_ended_it_leaves_nothing_to_the_next_one() -> Outcome {
    let engine = Engine::new();
    let other = engine.application();
    let one = SqlitePoolOptions::new().max_connections(1);
    engine.runtime.block_on(async {
        let store = SqliteStore::new(one.connect_with(engine.options.clone()).await?);
        let application = Application { store };
        let mut accepted = application::accepted(&application).await;
        let ends = sqlx::raw_sql("ROLLBACK");
        ends.execute(accepted.transaction()).await?;
        drop(accepted);
        // Left by the application, which rolls it back.
        let mut own = application.store.pool().begin().await?;
        let insert = sqlx::raw_sql("INSERT INTO logins VALUES ('own')");
        insert.execute(&mut *own).await?;
        drop(own);
        let next = sqlx::raw_sql("INSERT INTO logins VALUES ('next')");
        next.execute(application.store.pool()).await?;
        assert_eq!(Sqlite::rows(&other.store, "own").await?, 0);
        assert_eq!(Sqlite::rows(&other.store, "next").await?, 1);
        Ok(())
    })
}

#[test]
fn a_nested_transaction_that_is_left_open_is_not_what_is_committed() -> Outcome {
    let engine = Engine::new();
    let application = engine.application();
    engine.runtime.block_on(async {
        let mut accepted = application::accepted(&application).await;
        core::mem::forget(accepted.transaction().begin().await?);
        assert!(
            is_undone(&accepted.commit().await),
            "it is not the last one"
        );
        application::one_of_sixty_four_logs_in(&application).await;
        Ok(())
    })
}

#[test]
fn a_login_that_a_constraint_refuses_at_its_commit_is_known_to_be_undone() -> Outcome {
    let engine = Engine::new();
    let application = engine.application();
    let refused =
        application::a_login_that_a_constraint_refuses_at_its_commit_is_known_to_be_undone;
    engine.runtime.block_on(refused(&application))
}

#[test]
fn another_record_of_the_same_revision_is_not_the_logins() -> Outcome {
    let engine = Engine::new();
    let application = engine.application();
    let another = application::another_record_of_the_same_revision_is_not_the_logins;
    let changes = "UPDATE softtoken SET record = x'00'";
    engine.runtime.block_on(another(&application, changes))
}

#[test]
fn who_is_outrun_every_time_makes_the_attempts_of_the_policy() -> Outcome {
    let engine = Engine::new();
    let application = engine.application();
    let outrun = "CREATE TRIGGER outrun BEFORE UPDATE ON softtoken
        BEGIN SELECT RAISE(IGNORE); END";
    engine.runtime.block_on(async {
        sqlx::raw_sql(outrun)
            .execute(application.store.pool())
            .await?;
        application::who_is_outrun_every_time_makes_the_attempts_of_the_policy(&application).await;
        Ok(())
    })
}

#[test]
fn a_database_that_lets_nothing_be_written_is_a_standby() -> Outcome {
    let engine = Engine::new();
    let writable = engine.store();
    let store = SqliteStore::new(engine.pool(engine.options.clone().read_only(true)));
    engine.runtime.block_on(async {
        assert!(writable.load("alice").await?.is_none());
        let first = Write::new("alice", None, b"record".to_vec(), Events::default());
        let first = first.ok_or("there is a first")?;
        let refused = store.compare_and_swap(first).await.expect_err("read-only");
        assert!(matches!(refused, SqlxStoreError::Standby), "{refused:?}");
        Ok(())
    })
}

/// What others have left on a connection of the pool is nothing to write in.
#[test]
fn a_connection_that_is_in_a_transaction_already_is_not_used() -> Outcome {
    let engine = Engine::new();
    let other = engine.application();
    let one = SqlitePoolOptions::new().max_connections(1);
    engine.runtime.block_on(async {
        let store = SqliteStore::new(one.connect_with(engine.options.clone()).await?);
        for subject in ["alice", "bob"] {
            let mut connection = store.pool().acquire().await?;
            core::mem::forget(connection.begin().await?);
            drop(connection);
            let first = Write::new(subject, None, b"record".to_vec(), Events::default());
            let first = first.ok_or("there is a first")?;
            assert_eq!(store.compare_and_swap(first).await?, Swap::Stored);
            assert!(other.store.load(subject).await?.is_some());
        }
        let application = Application { store };
        let mut connection = application.store.pool().acquire().await?;
        core::mem::forget(connection.begin().await?);
        drop(connection);
        application::one_of_sixty_four_logs_in(&application).await;
        Ok(())
    })
}

#[test]
fn the_table_is_that_of_the_package_for_diesel() {
    assert_eq!(
        include_str!("../migrations/sqlite/0001_softtoken.sql"),
        include_str!("../../softtoken-diesel/migrations/sqlite/2026-11-26-000000_softtoken/up.sql")
    );
}
