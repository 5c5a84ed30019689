//! Runs the store on a MariaDB server of its own.
#![cfg(feature = "mysql")]

use core::str::FromStr as _;
use core::time::Duration;
use std::process::Command;
use std::thread;

use softtoken::association::Events;
use softtoken::own_transaction;
use softtoken::store::{Store as _, Swap, Write, conformance};
use softtoken::{Mfa, Policy};
use softtoken_faults::{Blocked, MariaDb, endure, endure_logins};
use softtoken_sqlx::{Accepted, MySqlStore, SqlxStoreError};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::{Connection as _, MySql};
use tokio::runtime::Runtime;

mod application;

use application::{Application, Outcome, Own as _, application, is_undone};

application! {
    MySql,
    insert: "INSERT INTO logins VALUES (?)",
    rows: "SELECT count(*) FROM logins WHERE login = ?",
    fail: "KILL CONNECTION_ID()"
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS logins (login VARCHAR(100) PRIMARY KEY)";
const LEVELS: [&str; 3] = ["READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"];
const KILLS: u64 = 20;
/// What MariaDB says of a write while it is `read_only`.
const READ_ONLY: &str = "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290, MESSAGE_TEXT = 'The MariaDB \
    server is running with the --read-only option so it cannot execute this statement'";

struct Engine {
    server: MariaDb,
    runtime: Runtime,
}

impl Engine {
    fn start(settings: &[&str]) -> Self {
        Self {
            server: MariaDb::start(settings),
            runtime: Runtime::new().expect("a runtime"),
        }
    }

    fn at(level: &str) -> Self {
        Self::start(&[&format!("--transaction-isolation={level}")])
    }

    /// A pool of its own, with this setting.
    fn store_set(&self, setting: &'static str) -> MySqlStore {
        let _within = self.runtime.enter();
        let options = MySqlConnectOptions::from_str(&self.server.url).expect("a URL");
        let pool = MySqlPoolOptions::new()
            .max_connections(8)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(setting).execute(connection).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        MySqlStore::new(pool)
    }

    fn store(&self) -> MySqlStore {
        let store = self.store_set("SELECT 1");
        self.runtime.block_on(store.migrate()).expect("a table");
        store
    }

    fn application(&self) -> Application<MySql> {
        let store = self.store();
        let table = sqlx::raw_sql(TABLE).execute(store.pool());
        self.runtime.block_on(table).expect("a table of its own");
        Application { store }
    }
}

#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn it_keeps_every_rule_at_every_isolation() -> Outcome {
    for level in LEVELS {
        let engine = Engine::at(level);
        let store = engine.store();
        let checked =
            conformance::check(|| store.clone(), |future| engine.runtime.block_on(future));
        checked.map_err(|violation| format!("{level}: {violation:?}"))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn a_login_and_its_row_are_committed_together_at_every_isolation() -> Outcome {
    for level in LEVELS {
        let engine = Engine::at(level);
        let application = engine.application();
        let checked = own_transaction::Suite::new().hang_ups(1500).check(
            || application.clone(),
            |future| engine.runtime.block_on(future),
        );
        checked.map_err(|violation| format!("{level}: {violation:?}"))?;
        let left = "SELECT count(*) FROM information_schema.innodb_trx";
        let left: i64 = engine.runtime.block_on(async {
            let left = sqlx::query_scalar(left);
            left.fetch_one(application.store.pool()).await
        })?;
        assert_eq!(left, 0, "{level}");
    }
    Ok(())
}

#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn one_of_sixty_four_logins_with_one_code_is_one() {
    for level in LEVELS {
        let engine = Engine::at(level);
        let application = engine.application();
        let logins = application::one_of_sixty_four_logs_in(&application);
        engine.runtime.block_on(logins);
    }
}

#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn everybody_is_served_after_fifteen_hundred_clients_have_hung_up() {
    for level in LEVELS {
        let engine = Engine::at(level);
        let application = engine.application();
        let served = application::everybody_is_served_after_fifteen_hundred_hang_ups(&application);
        engine.runtime.block_on(served);
    }
}

#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() -> Outcome {
    let mut engine = Engine::start(&[]);
    let (store, runtime) = (engine.store(), engine.runtime.handle().clone());
    let store = Blocked::new(store, move |future| runtime.block_on(future));
    let tally = endure(&store, || {
        for kill in 0..KILLS {
            thread::sleep(Duration::from_millis(500 + 20 * kill));
            engine.server.server.kill().expect("it runs");
            engine.server.server.restart().expect("it starts again");
        }
    })?;
    println!("{KILLS} kills, {tally}");
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "it was killed under load");
    Ok(())
}

#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn a_login_and_its_row_are_both_there_or_neither_when_the_server_is_killed() -> Outcome {
    let mut engine = Engine::start(&[]);
    let application = engine.application();
    let runtime = engine.runtime.handle().clone();
    let application = Blocked::new(application, move |future| runtime.block_on(future));
    let tally = endure_logins(application, || {
        for kill in 0..KILLS {
            thread::sleep(Duration::from_millis(500 + 20 * kill));
            engine.server.server.kill().expect("it runs");
            engine.server.server.restart().expect("it starts again");
        }
    })?;
    println!("{KILLS} kills, {tally}");
    assert!(tally.accepted > 0 && tally.guesses > 0);
    assert!(tally.kept + tally.undone > 0, "it was killed under load");
    Ok(())
}

/// Whether an UPDATE reports the rows that it found or those that it changed is the client's to
/// choose. The swap does not rest on it, since a revision always changes.
#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn an_update_reports_the_rows_that_it_found_and_a_swap_the_row_that_it_changed() -> Outcome {
    let engine = Engine::start(&[]);
    let store = engine.store();
    engine.runtime.block_on(async {
        let record = || b"record".to_vec();
        let first = || Write::new("alice", None, record(), Events::default()).expect("a first");
        let (next, revision) = (first().next(), first().next());
        assert_eq!(store.compare_and_swap(first()).await?, Swap::Stored);
        assert_eq!(store.compare_and_swap(first()).await?, Swap::Conflict);

        let same = sqlx::query("UPDATE softtoken SET revision = revision");
        assert_eq!(same.execute(store.pool()).await?.rows_affected(), 1);

        let second = || Write::new("alice", Some(next), record(), Events::default());
        let second = || second().expect("one of many");
        assert_eq!(store.compare_and_swap(second()).await?, Swap::Stored);
        assert_eq!(store.compare_and_swap(second()).await?, Swap::Conflict);
        let found = store.load("alice").await?.map(|row| row.revision);
        assert_eq!(found, revision.next());
        Ok(())
    })
}

#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn settings_that_lose_or_invent_rows_are_refused() -> Outcome {
    let engine = Engine::start(&["--innodb-flush-log-at-trx-commit=2"]);
    let lax = engine.store();
    let uncommitted = "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED";
    engine.runtime.block_on(async {
        let refused = application::it_is_refused_unless_it_is_durable_otherwise;
        refused(lax.clone(), "innodb_flush_log_at_trx_commit").await?;

        for setting in ["SET autocommit = 0", uncommitted] {
            let store = engine.store_set(setting).durable_otherwise();
            let refused = store
                .load("alice")
                .await
                .expect_err("no durability mends it");
            assert!(matches!(refused, SqlxStoreError::Setting(_)), "{refused:?}");
        }

        let replica = sqlx::raw_sql("SET GLOBAL read_only = 1");
        replica.execute(lax.pool()).await?;
        let store = lax.durable_otherwise();
        application::a_standby_is_refused(&store).await;
        Ok(())
    })
}

/// The engine waits for the disk at the prepare alone then, and rolls back what the binary log does
/// not hold after a power failure.
#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn a_binary_log_that_is_not_on_the_disk_is_refused() -> Outcome {
    let engine = Engine::start(&["--log-bin"]);
    drop(engine.store());
    engine.runtime.block_on(async {
        // MariaDB's default is 0.
        for sync in ["SELECT 1", "SET GLOBAL sync_binlog = 1000"] {
            let refused = application::it_is_refused_unless_it_is_durable_otherwise;
            refused(engine.store_set(sync), "sync_binlog").await?;
        }
        let durable = engine.store_set("SET GLOBAL sync_binlog = 1");
        assert!(durable.load("alice").await?.is_none());
        Ok(())
    })
}

#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn a_lock_that_is_waited_for_in_vain_is_a_conflict() {
    let engine = Engine::start(&[]);
    let application = engine.application();
    let impatient = engine.store_set("SET innodb_lock_wait_timeout = 1");
    let waits = application::a_lock_that_is_waited_for_in_vain_is_a_conflict;
    engine.runtime.block_on(waits(&application, &impatient));
}

/// Has the engine end this transaction, as the lighter one of a deadlock.
async fn meet_a_deadlock<T: Send + 'static>(
    accepted: &mut Accepted<MySql, T>,
    store: &MySqlStore,
) -> Outcome {
    const LOCK: &str = "SELECT login FROM logins WHERE login = ? FOR UPDATE";
    sqlx::raw_sql("INSERT IGNORE INTO logins VALUES ('ours'), ('theirs')")
        .execute(store.pool())
        .await?;
    let mut other = store.pool().begin().await?;
    for number in 0..100 {
        let insert = sqlx::query("INSERT INTO logins VALUES (?)").bind(format!("other-{number}"));
        insert.execute(&mut *other).await?;
    }
    let theirs = sqlx::query(LOCK).bind("theirs");
    theirs.fetch_one(&mut *other).await?;
    let ours = sqlx::query(LOCK).bind("ours");
    ours.fetch_one(accepted.transaction()).await?;
    let (waits, fails) = tokio::join!(
        sqlx::query(LOCK).bind("ours").fetch_one(&mut *other),
        sqlx::query(LOCK)
            .bind("theirs")
            .fetch_one(accepted.transaction()),
    );
    waits?;
    let fails = SqlxStoreError::from(fails.expect_err("it is the lighter one"));
    assert!(matches!(fails, SqlxStoreError::Conflict(_)), "{fails:?}");
    Ok(other.rollback().await?)
}

/// What an application has written before is gone, and what it writes afterwards, since it does not
/// look at the error, is stored by itself: none of it may be taken for a login.
#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn what_a_deadlock_has_ended_is_known_to_be_undone_though_no_record_was_written() -> Outcome {
    for level in LEVELS {
        let engine = Engine::at(level);
        let application = engine.application();
        let store = &application.store;
        engine.runtime.block_on(async {
            let mut challenged = application::challenged(&application).await;
            MySql::write(&mut challenged, "before").await?;
            meet_a_deadlock(&mut challenged, store).await?;
            MySql::write(&mut challenged, "after").await?;
            assert!(is_undone(&challenged.commit().await), "{level}");
            assert_eq!(MySql::rows(store, "before").await?, 0);
            assert_eq!(MySql::rows(store, "after").await?, 1);
            Ok::<_, Box<dyn core::error::Error>>(())
        })?;
    }
    Ok(())
}

/// The record of the other login is the same one, to the byte.
#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn a_login_that_a_deadlock_has_ended_is_undone_though_another_one_has_spent_its_code() -> Outcome {
    for level in LEVELS {
        let engine = Engine::at(level);
        let application = engine.application();
        engine.runtime.block_on(async {
            let (mut accepted, again) = application::twice(&application, &application).await;
            meet_a_deadlock(&mut accepted, &application.store).await?;
            again.await?;
            assert!(is_undone(&accepted.commit().await), "{level}");
            Ok::<_, Box<dyn core::error::Error>>(())
        })?;
    }
    Ok(())
}

#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn a_transaction_that_was_ended_lets_nobody_in() -> Outcome {
    let engine = Engine::start(&[]);
    let application = engine.application();
    let ended = application::a_transaction_that_was_ended_lets_nobody_in;
    engine.runtime.block_on(ended(&application, &application))
}

#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn another_record_of_the_same_revision_is_not_the_logins() -> Outcome {
    let engine = Engine::start(&[]);
    let application = engine.application();
    let another = application::another_record_of_the_same_revision_is_not_the_logins;
    let changes = "UPDATE softtoken SET record = x'00'";
    engine.runtime.block_on(another(&application, changes))
}

#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn a_nested_transaction_is_a_savepoint_and_one_that_is_left_open_is_not_committed() -> Outcome {
    let engine = Engine::start(&[]);
    let application = engine.application();
    let store = &application.store;
    engine.runtime.block_on(async {
        let mut accepted = application::accepted(&application).await;
        for (row, is_kept) in [("kept", true), ("given up", false)] {
            let mut nested = accepted.transaction().begin().await?;
            let insert = sqlx::query("INSERT INTO logins VALUES (?)").bind(row);
            insert.execute(&mut *nested).await?;
            if is_kept {
                nested.commit().await?;
            }
        }
        let _evidence = accepted.commit().await?;
        assert_eq!(MySql::rows(store, "kept").await?, 1);
        assert_eq!(MySql::rows(store, "given up").await?, 0);

        let mut accepted = application::accepted(&application).await;
        core::mem::forget(accepted.transaction().begin().await?);
        assert!(is_undone(&accepted.commit().await));
        application::one_of_sixty_four_logs_in(&application).await;
        Ok(())
    })
}

/// A pool tests a connection before it lends it, unless it is told not to, and a server may fall
/// silent right after that.
#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn a_server_that_falls_silent_is_given_up_by_the_first_question_as_well() -> Outcome {
    const PATIENCE: Duration = Duration::from_secs(20);
    let engine = Engine::start(&[]);
    drop(engine.store());
    let signal = |name: &str| {
        let id = engine.server.server.id().to_string();
        let sent = Command::new("kill").args([name, id.as_str()]).status();
        assert!(sent.is_ok_and(|sent| sent.success()));
    };
    engine.runtime.block_on(async {
        let options = MySqlConnectOptions::from_str(&engine.server.url)?;
        let pool = MySqlPoolOptions::new()
            .max_connections(4)
            .test_before_acquire(false)
            .connect_lazy_with(options);
        let mut idle = Vec::new();
        for _ in 0..4 {
            idle.push(pool.acquire().await?);
        }
        drop(idle);
        while pool.num_idle() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let store = MySqlStore::new(pool).answer_timeout(Duration::from_millis(500));
        signal("-STOP");
        let first = Write::new("alice", None, b"record".to_vec(), Events::default());
        let status = Mfa::system(Policy::STANDARD).status();
        let asked = tokio::time::timeout(PATIENCE, async {
            let begun = store.begin("alice", status).await.map(drop);
            [
                store.migrate().await,
                store.load("alice").await.map(drop),
                store
                    .compare_and_swap(first.expect("a first"))
                    .await
                    .map(drop),
                match begun.expect_err("it is silent") {
                    softtoken::Error::Store(error) => Err(error),
                    other => panic!("{other:?}"),
                },
            ]
        });
        for answer in asked.await.expect("it does not wait for ever") {
            assert!(
                matches!(answer, Err(SqlxStoreError::TimedOut)),
                "{answer:?}"
            );
        }
        assert_eq!(store.pool().size(), 0, "no pool is used up");
        signal("-CONT");
        assert!(store.load("alice").await?.is_none());
        Ok(())
    })
}

#[test]
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn a_revision_that_was_never_written_is_an_error_and_no_absent_row() -> Outcome {
    let engine = Engine::start(&[]);
    let store = engine.store();
    engine.runtime.block_on(async {
        let first = Write::new("alice", None, b"record".to_vec(), Events::default());
        let _ = store.compare_and_swap(first.expect("a first")).await?;
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
#[ignore = "needs MariaDB: apt-get install mariadb-server"]
fn a_statement_says_whether_another_transaction_was_in_the_way() -> Outcome {
    let engine = Engine::start(&[]);
    let application = engine.application();
    engine.runtime.block_on(async {
        for (number, state) in [(1213, "40001"), (1020, "HY000"), (1205, "HY000")] {
            let mut accepted = application::accepted(&application).await;
            let signal = format!("SIGNAL SQLSTATE '{state}' SET MYSQL_ERRNO = {number}");
            let signal = sqlx::raw_sql(sqlx::AssertSqlSafe(signal));
            let raised = signal.execute(accepted.transaction()).await;
            let raised = SqlxStoreError::from(raised.expect_err("it raises"));
            assert!(matches!(raised, SqlxStoreError::Conflict(_)), "{raised:?}");
        }
        // The user of these tests may write although the server is read-only.
        let mut accepted = application::accepted(&application).await;
        let refuse = sqlx::raw_sql(READ_ONLY).execute(accepted.transaction());
        let refused = SqlxStoreError::from(refuse.await.expect_err("it raises"));
        assert!(matches!(refused, SqlxStoreError::Standby), "{refused:?}");
        // A duplicate key of the application's own is its own affair.
        let mut accepted = application::accepted(&application).await;
        MySql::write(&mut accepted, "twice").await?;
        let twice = MySql::write(&mut accepted, "twice").await;
        let twice = SqlxStoreError::from(twice.expect_err("it is there"));
        assert!(matches!(twice, SqlxStoreError::Database(_)), "{twice:?}");
        Ok(())
    })
}
