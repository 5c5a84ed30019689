//! Runs the store on a PostgreSQL server of its own.
#![cfg(feature = "postgres")]

use core::str::FromStr as _;
use core::time::Duration;
use std::thread;

use softtoken::Revision;
use softtoken::association::Events;
use softtoken::own_transaction;
use softtoken::store::{Store as _, Swap, Write, conformance};
use softtoken_faults::{Blocked, IN_THE_WAY, Postgres as Server, endure, endure_logins};
use softtoken_sqlx::{Accepted, PostgresStore, SqlxStoreError};
use sqlx::Postgres;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::runtime::Runtime;

mod application;

use application::{Application, Outcome, Own as _, application, is_undone};

application! {
    Postgres,
    insert: "INSERT INTO logins VALUES ($1)",
    rows: "SELECT count(*) FROM logins WHERE login = $1",
    fail: "INSERT INTO notes VALUES ('nobody')"
}

const TABLES: &str = "CREATE TABLE logins (login TEXT PRIMARY KEY);
    CREATE TABLE users (name TEXT PRIMARY KEY);
    CREATE TABLE notes (name TEXT REFERENCES users DEFERRABLE INITIALLY DEFERRED);";
const LEVELS: [&str; 3] = ["read committed", "repeatable read", "serializable"];
const KILLS: u64 = 20;

struct Engine {
    server: Server,
    runtime: Runtime,
}

impl Engine {
    fn start() -> Self {
        let engine = Self {
            server: Server::start(),
            runtime: Runtime::new().expect("a runtime"),
        };
        let store = engine.store("");
        engine.runtime.block_on(async {
            store.migrate().await.expect("a table");
            let tables = sqlx::raw_sql(TABLES).execute(store.pool()).await;
            tables.expect("tables of its own");
        });
        engine
    }

    /// A pool of its own, with this setting.
    fn store(&self, setting: &'static str) -> PostgresStore {
        let _within = self.runtime.enter();
        let options = PgConnectOptions::from_str(&self.server.url).expect("a URL");
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(setting).execute(connection).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        PostgresStore::new(pool)
    }

    fn at(&self, level: &str) -> PostgresStore {
        let setting = format!("SET default_transaction_isolation = '{level}'");
        self.store(setting.leak())
    }
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn it_keeps_every_rule_at_every_isolation() -> Outcome {
    let engine = Engine::start();
    for level in LEVELS {
        let store = engine.at(level);
        let checked =
            conformance::check(|| store.clone(), |future| engine.runtime.block_on(future));
        checked.map_err(|violation| format!("{level}: {violation:?}"))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_login_and_its_row_are_committed_together_at_every_isolation() -> Outcome {
    let engine = Engine::start();
    for level in LEVELS {
        let application = Application {
            store: engine.at(level),
        };
        let checked = own_transaction::Suite::new().hang_ups(1500).check(
            || application.clone(),
            |future| engine.runtime.block_on(future),
        );
        checked.map_err(|violation| format!("{level}: {violation:?}"))?;
        // Open, and waited for by nobody.
        let left = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in %'";
        let left: i64 = engine.runtime.block_on(async {
            let left = sqlx::query_scalar(left);
            left.fetch_one(application.store.pool()).await
        })?;
        assert_eq!(left, 0, "{level}");
    }
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn one_of_sixty_four_logins_with_one_code_is_one() {
    let engine = Engine::start();
    for level in LEVELS {
        let application = Application {
            store: engine.at(level),
        };
        let logins = application::one_of_sixty_four_logs_in(&application);
        engine.runtime.block_on(logins);
    }
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn everybody_is_served_after_fifteen_hundred_clients_have_hung_up() {
    let engine = Engine::start();
    for level in LEVELS {
        let application = Application {
            store: engine.at(level),
        };
        let served = application::everybody_is_served_after_fifteen_hundred_hang_ups(&application);
        engine.runtime.block_on(served);
    }
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() -> Outcome {
    let mut engine = Engine::start();
    let (store, runtime) = (engine.store(""), engine.runtime.handle().clone());
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
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_login_and_its_row_are_both_there_or_neither_when_the_server_is_killed() -> Outcome {
    let mut engine = Engine::start();
    let application = Application {
        store: engine.store(""),
    };
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

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_commit_waits_for_the_disk_although_the_session_does_not() -> Outcome {
    let mut engine = Engine::start();
    let lax = "SET synchronous_commit = 'off'";
    engine.runtime.block_on(async {
        let slowly = "ALTER SYSTEM SET wal_writer_delay = '10s'; SELECT pg_reload_conf()";
        for statement in slowly.split("; ") {
            sqlx::raw_sql(statement)
                .execute(engine.store("").pool())
                .await?;
        }
        Ok::<_, sqlx::Error>(())
    })?;
    thread::sleep(Duration::from_millis(500));
    let store = engine.store(lax);
    engine.runtime.block_on(async {
        // Each has its own row, and all but the swap's are lost.
        let first = Write::new("alice", None, b"record".to_vec(), Events::default());
        assert_eq!(
            store.compare_and_swap(first.expect("a first")).await?,
            Swap::Stored
        );
        let lost = sqlx::query("INSERT INTO logins VALUES ('lost')");
        lost.execute(store.pool()).await?;
        Ok::<_, Box<dyn core::error::Error>>(())
    })?;
    engine.server.server.kill()?;
    engine.server.server.restart()?;
    let store = engine.store("");
    engine.runtime.block_on(async {
        assert!(store.load("alice").await?.is_some());
        let select = "SELECT count(*) FROM logins";
        let kept: i64 = sqlx::query_scalar(select).fetch_one(store.pool()).await?;
        assert_eq!(kept, 0, "the session was lax");
        Ok(())
    })
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_commit_waits_for_the_disk_and_for_no_less_than_it_is_told() {
    async fn waits<T: Send + 'static>(mut login: Accepted<Postgres, T>) -> String {
        let show = sqlx::query_scalar("SHOW synchronous_commit");
        let shown = show.fetch_one(login.transaction()).await;
        shown.expect("it answers")
    }
    let engine = Engine::start();
    for (told, expected) in [
        ("off", "on"),
        ("local", "on"),
        ("on", "on"),
        ("remote_write", "remote_write"),
        ("remote_apply", "remote_apply"),
    ] {
        let setting = format!("SET synchronous_commit = '{told}'");
        let application = Application {
            store: engine.store(setting.leak()),
        };
        // The first row of a subject, and the next one.
        let waited = engine.runtime.block_on(async {
            [
                waits(application::imported(&application).await).await,
                waits(application::accepted(&application).await).await,
            ]
        });
        assert_eq!(waited, [expected; 2], "{told}");
    }
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_server_that_does_not_wait_for_its_disk_is_refused() -> Outcome {
    let engine = Engine::start();
    let superuser = engine.store("");
    let set = async |setting, value| {
        let statements = [
            format!("ALTER SYSTEM SET {setting} = {value}"),
            String::from("SELECT pg_reload_conf()"),
        ];
        for statement in statements {
            let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
            statement.execute(superuser.pool()).await?;
        }
        // It takes the server a moment.
        let shown = format!("SELECT current_setting('{setting}') = '{value}'");
        while !sqlx::query_scalar(sqlx::AssertSqlSafe(shown.clone()))
            .fetch_one(superuser.pool())
            .await?
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok::<_, sqlx::Error>(())
    };
    engine.runtime.block_on(async {
        for setting in ["fsync", "full_page_writes"] {
            set(setting, "off").await?;
            let refused = application::it_is_refused_unless_it_is_durable_otherwise;
            refused(engine.store(""), setting).await?;
            set(setting, "on").await?;
            assert!(engine.store("").load("alice").await?.is_none());
        }
        Ok(())
    })
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn another_record_of_the_same_revision_is_not_the_logins() -> Outcome {
    let engine = Engine::start();
    let application = Application {
        store: engine.store(""),
    };
    let another = application::another_record_of_the_same_revision_is_not_the_logins;
    let changes = r"UPDATE softtoken SET record = '\x00'";
    engine.runtime.block_on(another(&application, changes))
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_login_that_a_constraint_refuses_at_its_commit_is_known_to_be_undone() -> Outcome {
    let engine = Engine::start();
    let application = Application {
        store: engine.store(""),
    };
    let refused =
        application::a_login_that_a_constraint_refuses_at_its_commit_is_known_to_be_undone;
    engine.runtime.block_on(refused(&application))
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_standby_is_refused_and_so_is_a_revision_that_was_never_written() -> Outcome {
    let mut engine = Engine::start();
    let store = engine.store("");
    engine.runtime.block_on(async {
        let first = Write::new("alice", None, b"record".to_vec(), Events::default());
        let _ = store.compare_and_swap(first.expect("a first")).await?;
        for revision in [0, -1, i64::MIN] {
            let update = sqlx::query("UPDATE softtoken SET revision = $1").bind(revision);
            update.execute(store.pool()).await?;
            let refused = store
                .load("alice")
                .await
                .expect_err("no store has written it");
            assert!(matches!(refused, SqlxStoreError::Revision(held) if held == revision));
        }
        Ok::<_, Box<dyn core::error::Error>>(())
    })?;
    engine.server.become_standby()?;
    let store = engine.store("");
    engine.runtime.block_on(async {
        application::a_standby_is_refused(&store).await;
        let first = Write::new("alice", None, b"record".to_vec(), Events::default());
        let swap = store.compare_and_swap(first.expect("a first")).await;
        assert!(matches!(swap, Err(SqlxStoreError::Standby)), "{swap:?}");
        Ok(())
    })
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_lock_that_is_waited_for_in_vain_is_a_conflict() {
    let engine = Engine::start();
    let application = Application {
        store: engine.store(""),
    };
    let impatient = engine.store("SET lock_timeout = '200ms'");
    let waits = application::a_lock_that_is_waited_for_in_vain_is_a_conflict;
    engine.runtime.block_on(waits(&application, &impatient));
}

/// No limit of the server's counts while a commit waits for its standby.
#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_commit_whose_standby_is_gone_is_given_up_and_uses_no_pool_up() -> Outcome {
    const PATIENCE: Duration = Duration::from_secs(2);
    let engine = Engine::start();
    let patient = engine.store("SET statement_timeout = '1s'");
    let store = patient.clone().answer_timeout(PATIENCE);
    let application = Application { store };
    let first = |subject: String| {
        let write = Write::new(&subject, None, b"record".to_vec(), Events::default());
        let store = application.store.clone();
        async move { store.compare_and_swap(write.expect("a first")).await }
    };
    let superuser = async |statement| {
        let done = sqlx::raw_sql(statement).execute(patient.pool()).await;
        done.map(drop)
    };
    engine.runtime.block_on(async {
        let mut accepted = application::accepted(&application).await;
        Postgres::write(&mut accepted, "waits").await?;
        superuser("ALTER SYSTEM SET synchronous_standby_names = 'gone'").await?;
        superuser("SELECT pg_reload_conf()").await?;
        // It takes the server a moment.
        let mut probes = 0;
        while first(format!("probe-{probes}")).await.is_ok() {
            probes += 1;
        }

        let given_up = accepted.commit().await.expect_err("nobody has answered");
        let given_up = matches!(given_up, softtoken::Error::Store(SqlxStoreError::TimedOut));
        assert!(given_up);
        // More than the pool has connections.
        let mut swaps = tokio::task::JoinSet::new();
        for number in 0..20 {
            swaps.spawn(first(format!("swap-{number}")));
        }
        for swap in swaps.join_all().await {
            let given_up = swap.expect_err("nobody has answered");
            assert!(matches!(given_up, SqlxStoreError::TimedOut), "{given_up:?}");
        }
        assert_eq!(application.store.load("alice").await?, None);
        // A commit that waits is seen by nobody.
        assert_eq!(Postgres::rows(&application.store, "waits").await?, 0);

        superuser("ALTER SYSTEM RESET synchronous_standby_names").await?;
        superuser("SELECT pg_reload_conf()").await?;
        while Postgres::rows(&application.store, "waits").await? == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let spent = "SELECT count(*) FROM softtoken WHERE revision = 2";
        let spent: i64 = sqlx::query_scalar(spent).fetch_one(patient.pool()).await?;
        assert_eq!(spent, 1, "both of them, or neither");
        Ok(())
    })
}

/// The pool would wait for the answer before it lends the connection anew.
#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_load_that_is_given_up_uses_no_pool_up() -> Outcome {
    let engine = Engine::start();
    let patient = engine.store("");
    let store = {
        let _within = engine.runtime.enter();
        let options = PgConnectOptions::from_str(&engine.server.url)?;
        let one = PgPoolOptions::new().max_connections(1);
        let one = one.acquire_timeout(Duration::from_secs(5));
        PostgresStore::new(one.connect_lazy_with(options)).answer_timeout(Duration::from_secs(1))
    };
    let served_by = async || -> Result<i32, sqlx::Error> {
        let backend = sqlx::query_scalar("SELECT pg_backend_pid()");
        backend.fetch_one(store.pool()).await
    };
    engine.runtime.block_on(async {
        for subject in ["alice", "bob"] {
            let record = subject.as_bytes().to_vec();
            let write = Write::new(subject, None, record, Events::default());
            let swap = patient.compare_and_swap(write.expect("a first")).await?;
            assert_eq!(swap, Swap::Stored);
        }
        let before = served_by().await?;
        let mut lock = patient.pool().begin().await?;
        sqlx::raw_sql("LOCK TABLE softtoken IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *lock)
            .await?;
        let given_up = store.load("alice").await.expect_err("nobody has answered");
        assert!(matches!(given_up, SqlxStoreError::TimedOut), "{given_up:?}");
        assert_ne!(served_by().await?, before, "the pool has another one");
        lock.rollback().await?;
        for subject in ["bob", "alice"] {
            let found = store.load(subject).await?.expect("a row");
            assert_eq!(found.record, subject.as_bytes());
        }
        Ok(())
    })
}

/// The engine may say so as late as at the commit.
#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_guess_whose_commit_was_in_the_way_is_decided_anew_and_counted() -> Outcome {
    const LATE: &str = "CREATE SEQUENCE failures MINVALUE -1000;
        CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('failures') < 1 THEN
                RAISE EXCEPTION USING ERRCODE = 'serialization_failure';
            END IF;
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON softtoken DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refused()";
    let engine = Engine::start();
    let application = Application {
        store: engine.store(""),
    };
    engine.runtime.block_on(async {
        let pool = application.store.pool();
        sqlx::raw_sql(LATE).execute(pool).await?;
        let setval = sqlx::query("SELECT setval('failures', -3)");
        application::a_guess_is_counted(&application, async || {
            setval.execute(pool).await.expect("a sequence");
        })
        .await;
        let last = sqlx::query_scalar("SELECT last_value FROM failures");
        let last: i64 = last.fetch_one(pool).await?;
        assert_eq!(last, 1, "as often as it was in the way");
        Ok(())
    })
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn servers_that_start_at_once_make_one_table() {
    let engine = Engine::start();
    let store = engine.store("");
    engine.runtime.block_on(async {
        let drop = sqlx::raw_sql("DROP TABLE softtoken")
            .execute(store.pool())
            .await;
        drop.expect("it was there");
        let mut starts = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            starts.spawn(async move { store.migrate().await });
        }
        for started in starts.join_all().await {
            started.expect("it takes its turn");
        }
    });
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn what_is_in_the_way_is_asked_again_and_a_statement_of_the_applications_says_so() -> Outcome {
    let engine = Engine::start();
    let application = Application {
        store: engine.store(""),
    };
    engine.runtime.block_on(async {
        for code in ["40001", "40P01", "55P03"] {
            let mut accepted = application::accepted(&application).await;
            let raise = format!("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$");
            let raise = sqlx::raw_sql(sqlx::AssertSqlSafe(raise));
            let raised = raise.execute(accepted.transaction()).await;
            let raised = SqlxStoreError::from(raised.expect_err("it raises"));
            assert!(matches!(raised, SqlxStoreError::Conflict(_)), "{raised:?}");
        }
        let mut accepted = application::accepted(&application).await;
        Postgres::write(&mut accepted, "twice").await?;
        let twice = Postgres::write(&mut accepted, "twice").await;
        let twice = SqlxStoreError::from(twice.expect_err("it is there"));
        assert!(matches!(twice, SqlxStoreError::Database(_)), "{twice:?}");
        drop(accepted);

        let store = &application.store;
        let first = Write::new("alice", None, b"record".to_vec(), Events::default());
        let _ = store.compare_and_swap(first.expect("a first")).await?;
        sqlx::raw_sql(IN_THE_WAY).execute(store.pool()).await?;
        let number = async |select| {
            let number = sqlx::query_scalar(select).fetch_one(store.pool()).await;
            number.map(|number: i64| number)
        };
        number("SELECT setval('failures', -3)").await?;
        assert!(store.load("alice").await?.is_some());
        assert_eq!(number("SELECT last_value FROM failures").await?, 1);
        number("SELECT setval('failures', -3)").await?;
        let record = b"record".to_vec();
        let second = Write::new("alice", Some(Revision::FIRST), record, Events::default());
        let swap = store.compare_and_swap(second.expect("one of many")).await?;
        assert_eq!(swap, Swap::Stored);
        number("SELECT setval('failures', -1000)").await?;
        let outrun = store.load("alice").await.expect_err("it is in the way");
        assert!(matches!(outrun, SqlxStoreError::Conflict(_)), "{outrun:?}");
        assert_eq!(number("SELECT last_value FROM failures").await?, -1000 + 16);
        Ok(())
    })
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_statement_of_which_nobody_knows_how_it_ended_is_no_conflict() {
    let engine = Engine::start();
    let application = Application {
        store: engine.store(""),
    };
    engine.runtime.block_on(async {
        for code in ["40003", "40000", "57014", "08006"] {
            let mut accepted = application::accepted(&application).await;
            let raise = format!("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$");
            let raise = sqlx::raw_sql(sqlx::AssertSqlSafe(raise));
            let raised = raise.execute(accepted.transaction()).await;
            let raised = SqlxStoreError::from(raised.expect_err("it raises"));
            assert!(matches!(raised, SqlxStoreError::Database(_)), "{raised:?}");
        }
    });
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_login_in_which_a_statement_has_failed_is_known_to_be_undone() -> Outcome {
    let engine = Engine::start();
    let application = Application {
        store: engine.store(""),
    };
    engine.runtime.block_on(async {
        let mut accepted = application::accepted(&application).await;
        Postgres::write(&mut accepted, "twice").await?;
        let twice = Postgres::write(&mut accepted, "twice").await;
        twice.expect_err("it is there");
        let ended = accepted.commit().await;
        assert!(is_undone(&ended), "{ended:?}");
        Ok(())
    })
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_transaction_that_was_ended_lets_nobody_in() -> Outcome {
    let engine = Engine::start();
    for level in LEVELS {
        let application = Application {
            store: engine.at(level),
        };
        let ended = application::a_transaction_that_was_ended_lets_nobody_in;
        engine.runtime.block_on(ended(&application, &application))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_subject_with_a_nul_character_is_an_error_at_each_request() {
    let engine = Engine::start();
    let store = engine.store("");
    engine.runtime.block_on(async {
        let first = Write::new("a\0b", None, b"record".to_vec(), Events::default());
        let refused = [
            store.load("a\0b").await.map(drop),
            store
                .compare_and_swap(first.expect("a first"))
                .await
                .map(drop),
        ];
        for refused in refused {
            assert!(
                matches!(refused, Err(SqlxStoreError::Database(_))),
                "{refused:?}"
            );
        }
        assert_eq!(store.load("a").await.expect("it answers"), None);
    });
}

/// A server that has both packages makes the table once, and by turns.
#[test]
fn the_table_and_its_lock_are_those_of_the_package_for_diesel() {
    assert_eq!(
        include_str!("../migrations/postgres/0001_softtoken.sql"),
        include_str!(
            "../../softtoken-diesel/migrations/postgres/2026-11-26-000000_softtoken/up.sql"
        )
    );
    let sources = [
        include_str!("../src/engine/postgres.rs"),
        include_str!("../../softtoken-diesel/src/migrations.rs"),
    ];
    let [ours, diesels] = sources.map(|source| {
        let lock = source.split_once("pg_advisory_xact_lock(");
        let number = lock.and_then(|(_, after)| after.split_once(')'));
        number.expect("it takes the lock").0
    });
    assert_eq!(ours, diesels);
}
