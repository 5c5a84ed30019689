//! What holds of the async store, through deadpool's pool, on SQLite and on a PostgreSQL server of
//! its own.
#![cfg(all(feature = "async-sqlite", feature = "async-postgres"))]

use core::error::Error;
use core::time::Duration;
use std::sync::Arc;
use std::thread;

use deadpool::Runtime as Timer;
use deadpool::managed::Timeouts;
use diesel::SqliteConnection;
use diesel::{QueryableByName, sql_query, sql_types::BigInt};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection};
use softtoken::association::{Events, Operation, Respond};
use softtoken::mfa::Request;
use softtoken::own_transaction::{self, Ending, Logins};
use softtoken::store::{Snapshot, Swap, Write, conformance};
use softtoken::{Code, Error as MfaError, Evidence, Fault, Policy, Rejection, Revision, Store};
use softtoken_diesel::{
    Accepted, AsyncDieselStore, AsyncEngine, AsyncPostgresStore, AsyncSqliteStore, DieselStoreError,
};
use softtoken_faults::{Blocked, IN_THE_WAY, Postgres, endure, endure_logins, pauses};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

mod login;

use login::{CHANGED_IN_POSTGRESQL, CHANGED_IN_SQLITE, IN_VAIN, Login};

type Failure = Box<dyn Error + Send + Sync>;
type Outcome = Result<(), Failure>;
type Sqlite = SyncConnectionWrapper<SqliteConnection>;

const KILLS: u64 = 20;
const ISOLATIONS: [&str; 3] = ["read committed", "repeatable read", "serializable"];
/// Nothing waits for a lock that nobody lets go.
const PATIENCE: &str = "SET statement_timeout = '20s'";
const ENFORCED: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON";

/// A table whose rows go with logins; one of them may be forbidden until its commit.
const LOGINS: &str = "CREATE TABLE allowed (number BIGINT PRIMARY KEY);
    CREATE TABLE logins (subject TEXT NOT NULL, number BIGINT NOT NULL
        REFERENCES allowed (number) DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO allowed VALUES (1)";
const ALLOWED: &str = "INSERT INTO logins VALUES ('alice', 1)";
const FORBIDDEN: &str = "INSERT INTO logins VALUES ('alice', 2)";
const IDLE: &str = "SELECT count(*) AS number FROM pg_stat_activity WHERE state LIKE 'idle in %'";

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// What is asked past the store.
trait Own: AsyncEngine {
    /// Counts the transactions that are open.
    const OPEN: &str;

    /// The column `number` of one row.
    fn try_number(&mut self, select: &str)
    -> impl Future<Output = diesel::QueryResult<i64>> + Send;
}

macro_rules! own {
    ($connection:ty, $open:expr) => {
        impl Own for $connection {
            const OPEN: &str = $open;

            async fn try_number(&mut self, select: &str) -> diesel::QueryResult<i64> {
                let row = sql_query(select).get_result::<Number>(self).await?;
                Ok(row.number)
            }
        }
    };
}

own!(AsyncPgConnection, IDLE);
own!(Sqlite, "SELECT 0 AS number");

fn config<C: AsyncConnection + 'static>(settings: &'static str) -> ManagerConfig<C> {
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(move |url| {
        let url = url.to_owned();
        Box::pin(async move {
            let mut connection = C::establish(&url).await?;
            let set = connection.batch_execute(settings).await;
            set.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
            Ok(connection)
        })
    });
    config
}

const WAITS: Timeouts = Timeouts {
    wait: Some(Duration::from_secs(20)),
    create: Some(Duration::from_secs(20)),
    recycle: Some(Duration::from_secs(20)),
};

/// A server, or a file, and a store on it.
struct Engine<C: AsyncEngine, K> {
    store: AsyncDieselStore<C>,
    runtime: Runtime,
    kept: K,
}

fn postgres(server: Postgres, connections: usize) -> Engine<AsyncPgConnection, Postgres> {
    let config = config(PATIENCE);
    let manager = AsyncDieselConnectionManager::new_with_config(&server.url, config);
    let pool = deadpool::managed::Pool::builder(manager)
        .max_size(connections)
        .runtime(Timer::Tokio1)
        .timeouts(WAITS)
        .build()
        .expect("it has a runtime");
    let (store, runtime) = (AsyncPostgresStore::new(pool), Runtime::new().expect("one"));
    runtime.block_on(store.migrate()).expect("a table");
    Engine {
        store,
        runtime,
        kept: server,
    }
}

fn sqlite(connections: usize) -> Engine<Sqlite, TempDir> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("records.sqlite3");
    let file = file.to_str().expect("it is UTF-8");
    let manager = AsyncDieselConnectionManager::new_with_config(file, config(ENFORCED));
    let pool = deadpool::managed::Pool::builder(manager)
        .max_size(connections)
        .runtime(Timer::Tokio1)
        .timeouts(WAITS)
        .build()
        .expect("it has a runtime");
    let (store, runtime) = (AsyncSqliteStore::new(pool), Runtime::new().expect("one"));
    runtime.block_on(store.migrate()).expect("a table");
    Engine {
        store,
        runtime,
        kept: folder,
    }
}

/// A server whose connections have another isolation by default.
fn isolated(isolation: &str) -> Postgres {
    let server = Postgres::start();
    let role = format!("ALTER ROLE postgres SET default_transaction_isolation = '{isolation}'");
    Runtime::new().expect("a runtime").block_on(async {
        let connection = AsyncPgConnection::establish(&server.url).await;
        let set = connection.expect("it answers").batch_execute(&role).await;
        set.expect("it may");
    });
    server
}

#[test]
fn sqlite_keeps_every_rule() -> Outcome {
    let Engine {
        store,
        runtime,
        kept: _folder,
    } = sqlite(8);
    conformance::check(|| &store, |future| runtime.block_on(future))?;
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn postgresql_keeps_every_rule_at_every_isolation() -> Outcome {
    for isolation in ISOLATIONS {
        let Engine {
            store,
            runtime,
            kept: _server,
        } = postgres(isolated(isolation), 8);
        conformance::check(|| &store, |future| runtime.block_on(future))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn nothing_acknowledged_is_lost_when_postgresql_is_killed() -> Outcome {
    let Engine {
        store,
        runtime,
        kept: mut server,
    } = postgres(Postgres::start(), 24);
    let blocked = Blocked::new(store, |future| runtime.block_on(future));
    let tally = endure(&blocked, || {
        for kill in 0..KILLS {
            thread::sleep(Duration::from_millis(500 + 20 * kill));
            server.server.kill().expect("it runs");
            server.server.restart().expect("it starts again");
        }
    })?;
    println!("{KILLS} kills, {tally}");
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "it was killed under load");
    Ok(())
}

async fn number<C: Own>(store: &AsyncDieselStore<C>, select: &str) -> i64 {
    let mut connection = store.pool().get().await.expect("a connection");
    let number = connection.try_number(select).await;
    number.expect("it is a number")
}

async fn logins<C: Own>(store: &AsyncDieselStore<C>) -> i64 {
    number(store, "SELECT count(*) AS number FROM logins").await
}

/// An answer to a challenge, whose password was right.
async fn respond<C: Own>(
    store: &AsyncDieselStore<C>,
    login: &Login,
    code: Code,
) -> Request<Respond> {
    let challenge = login.mfa.sign_in().run(store, "alice").await;
    login.respond(challenge.expect("it answers"), code)
}

/// A transaction of a right code's, not yet committed.
async fn begun<C: Own>(store: &AsyncDieselStore<C>, login: &Login) -> Accepted<C, Evidence> {
    let request = respond(store, login, login.code()).await;
    let accepted = store
        .begin("alice", request)
        .await
        .expect("the code is not spent");
    assert_eq!(accepted.output().subject(), "alice");
    accepted
}

/// A whole login.
async fn log_in<C: Own>(
    store: &AsyncDieselStore<C>,
    login: &Login,
    code: Code,
    row: &str,
) -> Result<Evidence, MfaError<DieselStoreError>> {
    let request = respond(store, login, code).await;
    let mut accepted = store.begin("alice", request).await?;
    let written = accepted.transaction().batch_execute(row).await;
    written.map_err(|error| MfaError::Store(error.into()))?;
    accepted.commit().await
}

async fn enrolled<C: Own>(store: &AsyncDieselStore<C>) -> Arc<Login> {
    let login = Login::new();
    login
        .import()
        .run(store, "alice")
        .await
        .expect("she is new");
    let mut connection = store.pool().get().await.expect("a connection");
    connection
        .batch_execute(LOGINS)
        .await
        .expect("they are new");
    login.later();
    Arc::new(login)
}

/// The code of now is not spent, and is accepted, with a login, which makes so many.
async fn accepted<C: Own>(store: &AsyncDieselStore<C>, login: &Login, number: i64) {
    let answer = log_in(store, login, login.code(), ALLOWED).await;
    assert!(answer.is_ok(), "the code is not spent: {answer:?}");
    assert_eq!(logins(store).await, number);
    login.later();
}

/// As soon as what was dropped has ended.
async fn nothing_is_open<C: Own>(store: &AsyncDieselStore<C>) {
    for _ in 0..1000 {
        if number(store, C::OPEN).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a transaction is open");
}

/// The same request begins again where its commit was refused.
async fn one_request_begins_until_it_is_committed<C: Own>(
    store: &AsyncDieselStore<C>,
    login: &Login,
) {
    let request = Arc::new(respond(store, login, login.code()).await);
    for row in [FORBIDDEN, ALLOWED] {
        let mut begun_one = store
            .begin("alice", Arc::clone(&request))
            .await
            .expect("the code is not spent");
        let own = begun_one.transaction().batch_execute(row).await;
        own.expect("the commit refuses what is forbidden");
        assert_eq!(begun_one.commit().await.is_ok(), row == ALLOWED);
    }
    login.later();
}

async fn login_and_code_share_their_fate<C: Own>(store: &AsyncDieselStore<C>) {
    let login = enrolled(store).await;
    let refused = async |code| {
        let answer = log_in(store, &login, code, ALLOWED).await;
        answer.expect_err("nobody is let in")
    };
    let answer = log_in(store, &login, login.code(), ALLOWED).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(
        refused(login.code()).await.rejection(),
        Some(Rejection::Reused)
    );
    for _ in 0..3 {
        assert_eq!(
            refused(login.wrong()).await.rejection(),
            Some(Rejection::Mismatch)
        );
    }
    assert_eq!(
        refused(login.code()).await.name(),
        "throttled",
        "three were counted"
    );
    assert_eq!(logins(store).await, 1, "no rejection has a login");
    login.later();

    let mut begun_one = begun(store, &login).await;
    begun_one
        .transaction()
        .batch_execute(ALLOWED)
        .await
        .expect("it may");
    begun_one.rollback().await.expect("it answers");
    accepted(store, &login, 2).await;

    let mut begun_one = begun(store, &login).await;
    begun_one
        .transaction()
        .batch_execute(ALLOWED)
        .await
        .expect("it may");
    drop(begun_one);
    accepted(store, &login, 3).await;

    // It fails at the commit, and takes the code back with it.
    let answer = log_in(store, &login, login.code(), FORBIDDEN).await;
    let error = answer.expect_err("it is forbidden");
    assert!(
        matches!(error, MfaError::Store(DieselStoreError::Refused(_))),
        "{error:?}"
    );
    accepted(store, &login, 4).await;

    one_request_begins_until_it_is_committed(store, &login).await;

    // A transaction that was ended, and one that was left open within.
    let answer = log_in(store, &login, login.code(), "ROLLBACK").await;
    let error = answer.expect_err("it is not there any more");
    assert!(
        matches!(error, MfaError::Store(DieselStoreError::Undone(_))),
        "{error:?}"
    );
    accepted(store, &login, 6).await;
    let mut begun_one = begun(store, &login).await;
    let connections = store.pool().status().size;
    let nested = <C::TransactionManager as diesel_async::TransactionManager<C>>::begin_transaction(
        begun_one.transaction(),
    );
    nested.await.expect("it may");
    let error = begun_one
        .commit()
        .await
        .expect_err("it is not the last one");
    assert!(
        matches!(error, MfaError::Store(DieselStoreError::Undone(_))),
        "{error:?}"
    );
    // What is left of it is open on its connection, which is closed.
    for _ in 0..1000 {
        if store.pool().status().size < connections {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(store.pool().status().size, connections - 1);
    accepted(store, &login, 7).await;

    let panicked = {
        let (store, login) = (store.clone(), Arc::clone(&login));
        tokio::spawn(async move {
            let mut begun_one = begun(&store, &login).await;
            begun_one
                .transaction()
                .batch_execute(ALLOWED)
                .await
                .expect("it may");
            panic!("in a login");
        })
    };
    assert!(panicked.await.expect_err("it panics").is_panic());
    accepted(store, &login, 8).await;
    nothing_is_open(store).await;
}

#[test]
fn login_and_code_share_their_fate_in_sqlite() {
    let Engine {
        store,
        runtime,
        kept: _folder,
    } = sqlite(4);
    runtime.block_on(login_and_code_share_their_fate(&store));
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn login_and_code_share_their_fate_in_postgresql_at_every_isolation() {
    for isolation in ISOLATIONS {
        let Engine {
            store,
            runtime,
            kept: _server,
        } = postgres(isolated(isolation), 4);
        runtime.block_on(login_and_code_share_their_fate(&store));
    }
}

fn is_undone<T>(answer: &Result<T, MfaError<DieselStoreError>>) -> bool {
    matches!(answer, Err(MfaError::Store(DieselStoreError::Undone(_))))
}

/// By what was written in it, it cannot be told: nothing was, or the other login has stored the same
/// record, to the byte.
async fn a_transaction_that_was_ended_lets_nobody_in<C: Own>(
    store: &AsyncDieselStore<C>,
) -> Outcome {
    let login = enrolled(store).await;
    for ends in ["ROLLBACK", "ROLLBACK; BEGIN"] {
        let mut challenged = store.begin("alice", login.mfa.sign_in()).await?;
        challenged.transaction().batch_execute(ends).await?;
        let ended = challenged.commit().await;
        assert!(is_undone(&ended), "{ends}: {ended:?}");

        login.later();
        let mut begun_one = begun(store, &login).await;
        begun_one.transaction().batch_execute(ends).await?;
        let _again = log_in(store, &login, login.code(), ALLOWED).await?;
        let ended = begun_one.commit().await;
        assert!(is_undone(&ended), "{ends}: {ended:?}");
    }
    Ok(())
}

#[test]
fn a_transaction_that_was_ended_lets_nobody_in_in_sqlite() -> Outcome {
    let engine = sqlite(4);
    let ended = a_transaction_that_was_ended_lets_nobody_in(&engine.store);
    engine.runtime.block_on(ended)
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_transaction_that_was_ended_lets_nobody_in_in_postgresql() -> Outcome {
    let engine = postgres(Postgres::start(), 4);
    let ended = a_transaction_that_was_ended_lets_nobody_in(&engine.store);
    engine.runtime.block_on(ended)
}

async fn another_record_of_the_same_revision_is_not_the_logins<C: Own>(
    store: &AsyncDieselStore<C>,
    changes: &str,
) -> Outcome {
    let login = enrolled(store).await;
    let mut begun_one = begun(store, &login).await;
    begun_one.transaction().batch_execute(changes).await?;
    let ended = begun_one.commit().await;
    assert!(is_undone(&ended), "{ended:?}");
    Ok(())
}

#[test]
fn another_record_of_the_same_revision_is_not_the_logins_in_sqlite() -> Outcome {
    let engine = sqlite(4);
    let another = another_record_of_the_same_revision_is_not_the_logins;
    let another = another(&engine.store, CHANGED_IN_SQLITE);
    engine.runtime.block_on(another)
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn another_record_of_the_same_revision_is_not_the_logins_in_postgresql() -> Outcome {
    let engine = postgres(Postgres::start(), 4);
    let another = another_record_of_the_same_revision_is_not_the_logins;
    let another = another(&engine.store, CHANGED_IN_POSTGRESQL);
    engine.runtime.block_on(another)
}

#[test]
fn who_is_outrun_every_time_makes_the_attempts_of_the_policy() -> Outcome {
    let engine = sqlite(2);
    let store = &engine.store;
    let login = Login::by(Policy::builder().swap_attempts(3).build()?);
    engine.runtime.block_on(async {
        login.import().run(store, "alice").await?;
        login.later();
        store.pool().get().await?.batch_execute(IN_VAIN).await?;
        let request = respond(store, &login, login.code()).await;
        login.decisions();
        let begun = store.begin("alice", request).await;
        let is_contended = matches!(begun, Err(MfaError::Fault(Fault::Contended)));
        assert!(is_contended, "{begun:?}");
        assert_eq!(login.decisions(), 3);
        Ok(())
    })
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_statement_that_is_in_the_way_is_sent_again() -> Outcome {
    let engine = postgres(Postgres::start(), 2);
    let store = &engine.store;
    engine.runtime.block_on(async {
        let first = Write::new("alice", None, b"record".to_vec(), Events::default());
        let _ = store.compare_and_swap(first.expect("a first")).await?;
        store.pool().get().await?.batch_execute(IN_THE_WAY).await?;
        let second = || {
            let first = Some(Revision::FIRST);
            let second = Write::new("alice", first, b"record".to_vec(), Events::default());
            second.expect("one of many")
        };
        let fail = async |times: i64| {
            let set = format!("SELECT setval('failures', {}) AS number", -times);
            number(store, &set).await;
        };
        let failed = || number(store, "SELECT last_value + 1000 AS number FROM failures");
        fail(1000).await;
        let outrun = Store::load(store, "alice").await;
        assert!(
            matches!(outrun, Err(DieselStoreError::Conflict(_))),
            "{outrun:?}"
        );
        assert_eq!(failed().await, 16);
        fail(3).await;
        assert!(Store::load(store, "alice").await?.is_some());

        // Whoever was faster: what there is now says it.
        fail(1000).await;
        let swap = store.compare_and_swap(second()).await?;
        assert_eq!((swap, failed().await), (Swap::Conflict, 16));
        fail(3).await;
        assert_eq!(store.compare_and_swap(second()).await?, Swap::Stored);
        Ok(())
    })
}

/// The application, with a table of its own.
struct Application<C: AsyncEngine>(AsyncDieselStore<C>);

impl<C: Own> Application<C> {
    async fn new(store: AsyncDieselStore<C>) -> Self {
        let mut connection = store.pool().get().await.expect("a connection");
        let tables = format!("{LOGINS}; CREATE TABLE own (login TEXT PRIMARY KEY)");
        connection
            .batch_execute(&tables)
            .await
            .expect("they are new");
        drop(connection);
        Self(store)
    }
}

impl<C: Own> Store for Application<C> {
    type Error = DieselStoreError;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, DieselStoreError> {
        Store::load(&self.0, subject).await
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, DieselStoreError> {
        self.0.compare_and_swap(write).await
    }

    async fn pause(&self, time: core::time::Duration) {
        Store::pause(&self.0, time).await;
    }
}

impl<C: Own> Logins for Application<C> {
    async fn log_in<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &own_transaction::Login,
    ) -> Result<Option<O::Output>, MfaError<DieselStoreError>> {
        let failed = |error: diesel::result::Error| MfaError::Store(error.into());
        let request = Arc::new(request);
        let attempt = async || {
            let mut accepted = self.0.begin(subject, Arc::clone(&request)).await?;
            let insert = format!("INSERT INTO own VALUES ('{}')", login.row());
            let own = accepted.transaction();
            own.batch_execute(&insert).await.map_err(failed)?;
            match login.ending() {
                Ending::Commit => {}
                Ending::Leave => return Ok(None),
                Ending::WriteTwice => {
                    own.batch_execute(&insert).await.expect_err("it is there");
                }
                Ending::Fail => own.batch_execute(FORBIDDEN).await.map_err(failed)?,
                Ending::RollBack => own.batch_execute("ROLLBACK").await.map_err(failed)?,
                Ending::Panic => panic!("as the suite asks"),
            }
            accepted.commit().await.map(Some)
        };
        // As an application does that runs at SERIALIZABLE.
        for _ in 0..64 {
            match attempt().await {
                Err(MfaError::Store(DieselStoreError::Conflict(_))) => {}
                ended => return ended,
            }
        }
        Err(Fault::Contended.into())
    }

    async fn has_row(&self, row: &str) -> Result<bool, DieselStoreError> {
        let select = format!("SELECT count(*) AS number FROM own WHERE login = '{row}'");
        let connection = self.0.pool().get().await;
        let mut connection = connection.map_err(|error| DieselStoreError::Pool(Box::new(error)))?;
        Ok(connection.try_number(&select).await? == 1)
    }
}

/// With clients that hang up at each await, and 1,500 of them before others are served.
fn the_suite_for_own_transactions<C: Own>(
    store: AsyncDieselStore<C>,
    runtime: &Runtime,
) -> Outcome {
    let application = runtime.block_on(Application::new(store));
    let suite = own_transaction::Suite::new().hang_ups(1500);
    suite.check(|| &application, |future| runtime.block_on(future))?;
    runtime.block_on(nothing_is_open(&application.0));
    Ok(())
}

#[test]
fn sqlite_keeps_every_rule_of_own_transactions() -> Outcome {
    let Engine {
        store,
        runtime,
        kept: _folder,
    } = sqlite(8);
    the_suite_for_own_transactions(store, &runtime)
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn postgresql_keeps_every_rule_of_own_transactions_at_every_isolation() -> Outcome {
    for isolation in ISOLATIONS {
        let Engine {
            store,
            runtime,
            kept: _server,
        } = postgres(isolated(isolation), 8);
        the_suite_for_own_transactions(store, &runtime)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_login_and_its_row_are_both_there_or_neither_when_postgresql_is_killed() -> Outcome {
    let Engine {
        store,
        runtime,
        kept: mut server,
    } = postgres(Postgres::start(), 24);
    let application = runtime.block_on(Application::new(store));
    let blocked = Blocked::new(application, |future| runtime.block_on(future));
    let tally = endure_logins(&blocked, || {
        for kill in 0..KILLS {
            thread::sleep(Duration::from_millis(500 + 20 * kill));
            server.server.kill().expect("it runs");
            server.server.restart().expect("it starts again");
        }
    })?;
    println!("{KILLS} kills, {tally}");
    assert!(tally.accepted > 0 && tally.guesses > 0);
    assert!(tally.kept + tally.undone > 0, "it was killed under load");
    Ok(())
}

/// 64 at once, with one code of one subject: one is accepted.
async fn one_of_64<C: Own>(store: &AsyncDieselStore<C>) {
    let login = enrolled(store).await;
    for round in 1..=4 {
        let mut tasks = JoinSet::new();
        for _ in 0..64 {
            let (store, login) = (store.clone(), Arc::clone(&login));
            tasks.spawn(async move { log_in(&store, &login, login.code(), ALLOWED).await });
        }
        let mut accepted = 0;
        for answer in tasks.join_all().await {
            match answer {
                Ok(_) => accepted += 1,
                Err(error) => assert_eq!(error.rejection(), Some(Rejection::Reused), "{error:?}"),
            }
        }
        assert_eq!((accepted, logins(store).await), (1, round));
        login.later();
    }
}

#[test]
fn of_64_at_once_one_is_accepted_in_sqlite() {
    let Engine {
        store,
        runtime,
        kept: _folder,
    } = sqlite(16);
    runtime.block_on(one_of_64(&store));
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn of_64_at_once_one_is_accepted_in_postgresql_at_every_isolation() {
    for isolation in ISOLATIONS {
        let Engine {
            store,
            runtime,
            kept: _server,
        } = postgres(isolated(isolation), 16);
        runtime.block_on(one_of_64(&store));
    }
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_standby_is_refused() -> Outcome {
    let Engine {
        store,
        runtime,
        kept: mut server,
    } = postgres(Postgres::start(), 1);
    server.become_standby()?;
    for subject in ["alice", "nobody"] {
        let refused = runtime
            .block_on(Store::load(&store, subject))
            .expect_err("it lags");
        assert!(matches!(refused, DieselStoreError::Standby), "{refused:?}");
        let begun = runtime.block_on(store.begin(subject, Login::new().mfa.status()));
        let refused = begun.expect_err("it lags");
        let is_standby = matches!(refused, MfaError::Store(DieselStoreError::Standby));
        assert!(is_standby, "{refused:?}");
    }
    Ok(())
}

/// SQLite waits for a lock on a thread of its own, which nothing ends.
#[test]
fn whoever_waits_for_sqlite_is_told_in_time_though_sqlite_waits_on() -> Outcome {
    const LIMIT: Duration = Duration::from_millis(300);
    let Engine {
        store,
        runtime,
        kept: _folder,
    } = sqlite(4);
    let store = store.answer_timeout(LIMIT);
    runtime.block_on(async {
        let mut other = store.pool().get().await?;
        other.batch_execute("BEGIN IMMEDIATE").await?;
        let first = Write::new("alice", None, b"record".to_vec(), Events::default());
        let swap = store.compare_and_swap(first.expect("a first"));
        let status = store.begin("alice", Login::new().mfa.status());
        // `busy_timeout` is ten seconds.
        let told =
            tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(swap, status) });
        let (swap, status) = told.await.expect("both are told while SQLite waits");
        assert!(matches!(swap, Err(DieselStoreError::TimedOut)), "{swap:?}");
        let status = status.expect_err("it cannot begin");
        let is_unknown = matches!(status, MfaError::Store(DieselStoreError::TimedOut));
        assert!(is_unknown, "{status:?}");

        other.batch_execute("ROLLBACK").await?;
        drop(other);
        // What was given up is stored, or not, and keeps nobody out.
        let patient = store.answer_timeout(Duration::from_secs(60));
        let first = Write::new("bob", None, b"record".to_vec(), Events::default());
        let swap = patient.compare_and_swap(first.expect("a first")).await?;
        assert_eq!(swap, Swap::Stored);
        Ok(())
    })
}

/// No limit of the server's counts while a commit waits for its standby.
#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_commit_whose_standby_is_gone_is_given_up_and_uses_no_pool_up() -> Outcome {
    let Engine {
        store,
        runtime,
        kept: _server,
    } = postgres(Postgres::start(), 4);
    let store = store.answer_timeout(Duration::from_secs(2));
    let first = |subject: String| {
        let write = Write::new(&subject, None, b"record".to_vec(), Events::default());
        let store = store.clone();
        async move { store.compare_and_swap(write.expect("a first")).await }
    };
    let superuser = async |statement: &str| {
        let mut connection = store.pool().get().await.expect("a connection");
        connection.batch_execute(statement).await.expect("it may");
    };
    runtime.block_on(async {
        let login = enrolled(&store).await;
        let mut waits = begun(&store, &login).await;
        waits.transaction().batch_execute(ALLOWED).await?;
        superuser("ALTER SYSTEM SET synchronous_standby_names = 'gone'").await;
        superuser("SELECT pg_reload_conf()").await;
        // It takes the server a moment.
        let mut probes = 0;
        while first(format!("probe-{probes}")).await.is_ok() {
            probes += 1;
        }

        let given_up = waits.commit().await.expect_err("nobody has answered");
        let is_unknown = matches!(given_up, MfaError::Store(DieselStoreError::TimedOut));
        assert!(is_unknown, "{given_up:?}");
        // More than the pool has connections.
        let mut swaps = JoinSet::new();
        for number in 0..10 {
            swaps.spawn(first(format!("swap-{number}")));
        }
        for swap in swaps.join_all().await {
            let given_up = swap.expect_err("nobody has answered");
            assert!(
                matches!(given_up, DieselStoreError::TimedOut),
                "{given_up:?}"
            );
        }
        // A commit that waits is seen by nobody.
        assert_eq!(logins(&store).await, 0);

        superuser("ALTER SYSTEM RESET synchronous_standby_names").await;
        superuser("SELECT pg_reload_conf()").await;
        while logins(&store).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let answer = log_in(&store, &login, login.code(), ALLOWED).await;
        let refused = answer.expect_err("the code is spent");
        assert_eq!(refused.rejection(), Some(Rejection::Reused), "{refused:?}");
        Ok(())
    })
}

#[test]
fn commits_wait_for_the_disk_although_the_pool_says_otherwise() -> Outcome {
    const SYNCHRONOUS: &str = "SELECT synchronous AS number FROM pragma_synchronous";
    // One connection, so that what is set is what the store finds.
    let engine = sqlite(1);
    let store = &engine.store;
    let login = Login::new();
    engine.runtime.block_on(async {
        let relax = async || {
            let mut connection = store.pool().get().await.expect("a connection");
            let lax = "PRAGMA synchronous = NORMAL";
            connection.batch_execute(lax).await.expect("it is set");
        };
        relax().await;
        login.import().run(store, "alice").await?;
        assert_eq!(number(store, SYNCHRONOUS).await, 2, "which is FULL");

        relax().await;
        let mut accepted = store.begin("bob", login.import()).await?;
        assert_eq!(accepted.transaction().try_number(SYNCHRONOUS).await?, 2);
        accepted.rollback().await?;
        Ok(())
    })
}

#[test]
fn who_has_lost_a_race_waits_as_long_as_it_is_told() {
    let engine = sqlite(1);
    engine.runtime.block_on(pauses(&engine.store));
}

#[test]
fn without_a_runtime_nothing_is_asked() {
    let engine = sqlite(1);
    let answer = pollster::block_on(Store::load(&engine.store, "alice"));
    assert!(
        matches!(answer, Err(DieselStoreError::NoRuntime)),
        "{answer:?}"
    );
}
