//! Runs the store on connections whose transaction the driver does not know of: a client of the
//! application's own has hung up amid a BEGIN, and the connection has gone home to the pool.
#![cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use softtoken::association::{Administrator, Events, Import, ImportedToken};
use softtoken::mfa::Request;
use softtoken::store::{Store as _, Swap, Write};
use softtoken::totp::{Secret, Totp};
use softtoken::{Mfa, Policy, Revision};
use softtoken_sqlx::{Engine, SqlxStore};
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::{Connection as _, Database, Executor, Pool};

type Outcome = Result<(), Box<dyn core::error::Error>>;
type OptionsOf<DB> = <<DB as Database>::Connection as sqlx::Connection>::Options;

/// Makes a pool of so many connections, each set like this.
fn pool<DB: Database>(options: &OptionsOf<DB>, connections: u32, setting: &'static str) -> Pool<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    PoolOptions::new()
        .max_connections(connections)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(setting).execute(connection).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options.clone())
}

/// Leaves the pool's one connection as a handler does whose client hangs up while the server's
/// answer to its BEGIN is on its way.
async fn hang_up_amid_a_begin<DB: Database>(pool: &Pool<DB>) {
    loop {
        let mut connection = pool.acquire().await.expect("it is reached");
        let is_cut = {
            let mut begin = pin!(connection.begin());
            poll_fn(|context| Poll::Ready(begin.as_mut().poll(context).is_pending())).await
        };
        go_home(connection).await;
        if is_cut {
            return;
        }
    }
}

/// Drops a connection, and waits until it is in its pool.
async fn go_home<DB: Database>(connection: PoolConnection<DB>) {
    drop(connection);
    // The pool hands over no connection before, and keeps it where it was not used.
    tokio::time::sleep(core::time::Duration::from_millis(50)).await;
}

/// Ends the pool's one connection, by which the engine rolls back what is open on it.
async fn end<DB: Database>(pool: &Pool<DB>) {
    let connection = pool.acquire().await.expect("it is reached");
    connection.close().await.expect("it says farewell");
}

fn first(subject: &str) -> Write {
    let write = Write::new(subject, None, b"first".to_vec(), Events::default());
    write.expect("a first")
}

fn second(subject: &str) -> Write {
    let revision = Some(Revision::FIRST);
    let write = Write::new(subject, revision, b"second".to_vec(), Events::default());
    write.expect("a second")
}

/// What is answered holds, whatever the connection was left in by `leave`, which says how.
async fn what_is_answered_holds<DB: Engine>(
    options: &OptionsOf<DB>,
    setting: &'static str,
    leave: impl AsyncFn(&Pool<DB>, &str),
) -> Outcome
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let ours = pool::<DB>(options, 1, setting);
    let (store, others) = (
        SqlxStore::new(ours.clone()),
        SqlxStore::new(pool::<DB>(options, 2, setting)),
    );
    // Before a table is there.
    leave(&ours, "migrate").await;
    store.migrate().await?;
    end(&ours).await;
    assert_eq!(others.load("alice").await?, None);

    // The first one looks at the settings as well, the second one does not.
    for subject in ["alice", "bob"] {
        leave(&ours, "insert").await;
        assert_eq!(store.compare_and_swap(first(subject)).await?, Swap::Stored);
        let found = others.load(subject).await?.expect("it was stored");
        assert_eq!(found.record, b"first");
        leave(&ours, "update").await;
        assert_eq!(store.compare_and_swap(second(subject)).await?, Swap::Stored);
        end(&ours).await;
        let found = others.load(subject).await?.expect("it was stored");
        assert_eq!(found.record, b"second");
    }
    for write in [first("alice"), second("alice")] {
        leave(&ours, "conflict").await;
        assert_eq!(store.compare_and_swap(write).await?, Swap::Conflict);
    }

    // A load is of now, and not of when somebody began.
    leave(&ours, "load").await;
    assert_eq!(store.load("carol").await?, None);
    assert_eq!(others.compare_and_swap(first("carol")).await?, Swap::Stored);
    assert!(store.load("carol").await?.is_some());
    leave(&ours, "load again").await;
    assert!(store.load("carol").await?.is_some());
    let write = second("carol");
    assert_eq!(others.compare_and_swap(write).await?, Swap::Stored);
    let found = store.load("carol").await?.expect("it is there");
    assert_eq!(found.record, b"second");

    // So is a login, which commits nothing of whoever has hung up.
    leave(&ours, "login").await;
    let accepted = store.begin("dave", import()?).await?;
    accepted.commit().await?;
    end(&ours).await;
    assert!(others.load("dave").await?.is_some());
    Ok(())
}

/// Leaves half of what a handler writes, whose statements begin a transaction themselves.
#[cfg(any(feature = "mysql", feature = "postgres"))]
async fn hang_up_amid_own_statements<DB: Database>(pool: &Pool<DB>, row: &str)
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let mut connection = pool.acquire().await.expect("it is reached");
    let half = format!("BEGIN; INSERT INTO halves VALUES ('{row}')");
    let half = sqlx::raw_sql(sqlx::AssertSqlSafe(half));
    half.execute(&mut *connection).await.expect("it is written");
    go_home(connection).await;
}

/// What the README has a pool do keeps an application's own rows.
#[cfg(any(feature = "mysql", feature = "postgres"))]
async fn own_rows_are_committed<DB: Database>(
    options: &OptionsOf<DB>,
    table: &'static str,
    leave: &'static str,
) -> Outcome
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let own = "INSERT INTO halves VALUES ('own')";
    let others = pool::<DB>(options, 1, "SELECT 1");
    sqlx::raw_sql(table)
        .execute(&mut *others.acquire().await?)
        .await?;
    let ours = PoolOptions::<DB>::new()
        .max_connections(1)
        .after_release(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(leave).execute(connection).await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options.clone());
    hang_up_amid_a_begin(&ours).await;
    sqlx::raw_sql(own)
        .execute(&mut *ours.acquire().await?)
        .await?;
    end(&ours).await;
    // The key is taken: it is there.
    let mut other = others.acquire().await?;
    let again = sqlx::raw_sql(own).execute(&mut *other).await;
    again.map(drop).expect_err("it is there");
    Ok(())
}

/// A request that writes.
fn import() -> Result<Request<Import>, Box<dyn core::error::Error>> {
    let token = ImportedToken::proven(Secret::from_bytes(&[7; 20])?, Totp::STANDARD);
    let mfa = Mfa::system(Policy::STANDARD);
    Ok(mfa.import(&Administrator::named("tests"), [token]))
}

#[cfg(feature = "mysql")]
mod mysql {
    use core::str::FromStr as _;

    use softtoken_faults::MariaDb;
    use softtoken_sqlx::SqlxStoreError;
    use sqlx::MySql;
    use sqlx::mysql::MySqlConnectOptions;
    use tokio::runtime::Runtime;

    use super::*;

    const TABLE: &str = "CREATE TABLE halves (half VARCHAR(100) PRIMARY KEY)";
    const HALVES: &str = "SELECT count(*) FROM halves";

    fn start() -> (MariaDb, Runtime, MySqlConnectOptions) {
        let server = MariaDb::start(&[]);
        let options = MySqlConnectOptions::from_str(&server.url).expect("an address");
        (server, Runtime::new().expect("a runtime"), options)
    }

    #[test]
    #[ignore = "needs MariaDB: apt-get install mariadb-server"]
    fn what_is_answered_holds_where_somebody_has_hung_up_amid_a_begin() -> Outcome {
        let (_server, runtime, options) = start();
        runtime.block_on(what_is_answered_holds::<MySql>(
            &options,
            "SELECT 1",
            async |pool, _| hang_up_amid_a_begin(pool).await,
        ))
    }

    #[test]
    #[ignore = "needs MariaDB: apt-get install mariadb-server"]
    fn what_is_answered_holds_where_half_a_transaction_was_left_which_nobody_commits() -> Outcome {
        let (_server, runtime, options) = start();
        runtime.block_on(async {
            let other = pool::<MySql>(&options, 1, "SELECT 1");
            sqlx::raw_sql(TABLE).execute(&other).await?;
            what_is_answered_holds::<MySql>(&options, "SELECT 1", hang_up_amid_own_statements)
                .await?;
            let halves: i64 = sqlx::query_scalar(HALVES).fetch_one(&other).await?;
            assert_eq!(halves, 0);
            Ok(())
        })
    }

    #[test]
    #[ignore = "needs MariaDB: apt-get install mariadb-server"]
    fn the_pools_own_hook_ends_what_was_left_open() -> Outcome {
        let (_server, runtime, options) = start();
        runtime.block_on(own_rows_are_committed::<MySql>(&options, TABLE, "ROLLBACK"))
    }

    /// A login says `Undone` where its transaction is gone, which a statement of the application's
    /// own may have committed.
    #[test]
    #[ignore = "needs MariaDB: apt-get install mariadb-server"]
    fn what_a_statement_has_committed_by_itself_is_stored_though_the_login_is_undone() -> Outcome {
        let (_server, runtime, options) = start();
        runtime.block_on(async {
            let store = SqlxStore::new(pool::<MySql>(&options, 2, "SELECT 1"));
            store.migrate().await?;
            let mut accepted = store.begin("alice", import()?).await?;
            let table = sqlx::raw_sql(TABLE).execute(accepted.transaction());
            table.await?;
            let undone = accepted.commit().await.map(drop);
            let is_undone = matches!(
                undone,
                Err(softtoken::Error::Store(SqlxStoreError::Undone(_)))
            );
            assert!(is_undone, "{undone:?}");
            assert!(store.load("alice").await?.is_some());
            Ok(())
        })
    }

    /// Whoever is lent the connection next would write what nobody commits.
    #[test]
    #[ignore = "needs MariaDB: apt-get install mariadb-server"]
    fn a_commit_that_begins_the_next_transaction_is_refused() -> Outcome {
        let (_server, runtime, options) = start();
        runtime.block_on(async {
            let others = SqlxStore::new(pool::<MySql>(&options, 1, "SELECT 1"));
            others.migrate().await?;
            for chained in ["SET completion_type = CHAIN", "SET completion_type = 1"] {
                let ours = pool::<MySql>(&options, 1, chained);
                let store = SqlxStore::new(ours).durable_otherwise();
                let refused = store.load("alice").await.expect_err("it chains");
                let is_setting = matches!(refused, SqlxStoreError::Setting(_));
                assert!(is_setting, "{refused:?}");
            }
            // By this one the server ends the connection, and the pool makes another.
            let ours = pool::<MySql>(&options, 1, "SET completion_type = 2");
            assert_eq!(SqlxStore::new(ours).load("alice").await?, None);
            Ok(())
        })
    }
}

/// Leaves a transaction in which a statement has failed.
#[cfg(feature = "postgres")]
async fn hang_up_amid_a_failure(pool: &Pool<sqlx::Postgres>) {
    let mut connection = pool.acquire().await.expect("it is reached");
    let failure = sqlx::raw_sql("BEGIN; SELECT 1 / 0");
    let failed = failure.execute(&mut *connection).await;
    failed.expect_err("it fails");
    go_home(connection).await;
}

#[cfg(feature = "postgres")]
mod postgres {
    use core::str::FromStr as _;

    use softtoken_faults::Postgres as Server;
    use sqlx::Postgres;
    use sqlx::postgres::PgConnectOptions;
    use tokio::runtime::Runtime;

    use super::*;

    const TABLE: &str = "CREATE TABLE halves (half TEXT PRIMARY KEY)";
    const HALVES: &str = "SELECT count(*) FROM halves";
    /// A load on a connection that was left open reads what there was, not what there is.
    const LEVELS: [&str; 2] = [
        "SET default_transaction_isolation = 'read committed'",
        "SET default_transaction_isolation = 'repeatable read'",
    ];

    fn start() -> (Server, Runtime, PgConnectOptions) {
        let server = Server::start();
        let options = PgConnectOptions::from_str(&server.url).expect("an address");
        (server, Runtime::new().expect("a runtime"), options)
    }

    #[test]
    #[ignore = "needs PostgreSQL: apt-get install postgresql"]
    fn what_is_answered_holds_where_somebody_has_hung_up_amid_a_begin() -> Outcome {
        for level in LEVELS {
            let (_server, runtime, options) = start();
            runtime.block_on(what_is_answered_holds::<Postgres>(
                &options,
                level,
                async |pool, _| hang_up_amid_a_begin(pool).await,
            ))?;
        }
        Ok(())
    }

    #[test]
    #[ignore = "needs PostgreSQL: apt-get install postgresql"]
    fn what_is_answered_holds_where_half_a_transaction_was_left_which_nobody_commits() -> Outcome {
        let (_server, runtime, options) = start();
        runtime.block_on(async {
            let other = pool::<Postgres>(&options, 1, "SELECT 1");
            sqlx::raw_sql(TABLE).execute(&other).await?;
            what_is_answered_holds::<Postgres>(&options, LEVELS[1], hang_up_amid_own_statements)
                .await?;
            let halves: i64 = sqlx::query_scalar(HALVES).fetch_one(&other).await?;
            assert_eq!(halves, 0);
            Ok(())
        })
    }

    #[test]
    #[ignore = "needs PostgreSQL: apt-get install postgresql"]
    fn the_pools_own_hook_ends_what_was_left_open() -> Outcome {
        let (_server, runtime, options) = start();
        let leave = "BEGIN; ROLLBACK";
        runtime.block_on(own_rows_are_committed::<Postgres>(&options, TABLE, leave))
    }

    /// A statement that fails on a connection which was left in a transaction has the server refuse
    /// whatever follows.
    #[test]
    #[ignore = "needs PostgreSQL: apt-get install postgresql"]
    fn a_transaction_that_was_left_failed_keeps_nobody_out() -> Outcome {
        let (_server, runtime, options) = start();
        runtime.block_on(async {
            let ours = pool::<Postgres>(&options, 1, "SELECT 1");
            let store = SqlxStore::new(ours.clone());
            store.migrate().await?;
            // Whether the settings do is asked first, and the connection that cannot say is closed.
            hang_up_amid_a_failure(&ours).await;
            store.load("alice").await.expect_err("it cannot say");
            assert_eq!(store.load("alice").await?, None);
            hang_up_amid_a_failure(&ours).await;
            assert_eq!(store.load("alice").await?, None);
            for write in [first("alice"), second("alice")] {
                hang_up_amid_a_failure(&ours).await;
                assert_eq!(store.compare_and_swap(write).await?, Swap::Stored);
            }
            end(&ours).await;
            assert!(store.load("alice").await?.is_some());

            hang_up_amid_a_failure(&ours).await;
            let status = || Mfa::system(Policy::STANDARD).status();
            store
                .begin("bob", status())
                .await
                .expect_err("it cannot begin");
            store.begin("bob", status()).await?.rollback().await?;
            hang_up_amid_a_failure(&ours).await;
            store.migrate().await.expect_err("it cannot begin");
            Ok(store.migrate().await?)
        })
    }

    /// That a statement is alone is asked by the statement itself.
    #[test]
    #[ignore = "needs PostgreSQL: apt-get install postgresql"]
    fn a_load_and_a_swap_are_one_statement_each() -> Outcome {
        const TIMES: i64 = 200;
        const COMMITS: &str = "SELECT pg_stat_get_db_xact_commit(oid) FROM pg_database
            WHERE datname = current_database()";
        const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity
            WHERE backend_type = 'client backend'";
        let (_server, runtime, options) = start();
        runtime.block_on(async {
            let other = pool::<Postgres>(&options, 1, "SELECT 1");
            let count = async |of| -> Result<i64, sqlx::Error> {
                sqlx::query_scalar(of).fetch_one(&other).await
            };
            let ours = pool::<Postgres>(&options, 1, "SELECT 1");
            let store = SqlxStore::new(ours.clone());
            store.migrate().await?;
            assert_eq!(store.load("alice").await?, None);
            let before = count(COMMITS).await?;
            for number in 0..TIMES {
                let subject = format!("user-{number}");
                assert_eq!(store.load(&subject).await?, None);
                let swap = store.compare_and_swap(first(&subject)).await?;
                assert_eq!(swap, Swap::Stored);
                let swap = store.compare_and_swap(second(&subject)).await?;
                assert_eq!(swap, Swap::Stored);
            }
            // A session tells the server what it did while it ends.
            ours.close().await;
            while count(SESSIONS).await? > 1 {
                tokio::time::sleep(core::time::Duration::from_millis(20)).await;
            }
            let statements = count(COMMITS).await? - before;
            // Some are the server's own, and those that count.
            assert!((3 * TIMES..4 * TIMES).contains(&statements), "{statements}");
            Ok(())
        })
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use sqlx::Sqlite;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
    use tokio::runtime::Runtime;

    use super::*;

    #[test]
    fn what_is_answered_holds_where_somebody_has_hung_up_amid_a_begin() -> Outcome {
        let (folder, runtime) = (tempfile::tempdir()?, Runtime::new()?);
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("records.sqlite3"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        runtime.block_on(what_is_answered_holds::<Sqlite>(
            &options,
            "SELECT 1",
            async |pool, _| hang_up_amid_a_begin(pool).await,
        ))
    }
}
