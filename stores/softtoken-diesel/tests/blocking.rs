//! What holds of the blocking store, through r2d2's pool, on SQLite and on a PostgreSQL server of
//! its own.
#![cfg(all(feature = "sqlite", feature = "postgres"))]

use core::error::Error;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::Barrier;
use std::thread;

use diesel::connection::{
    AnsiTransactionManager, Connection as _, SimpleConnection, TransactionManager as _,
};
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool, R2D2Connection};
use diesel::sql_types::{BigInt, Text};
use diesel::{PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};
use diesel_migrations::MigrationHarness as _;
use softtoken::association::{Events, Operation};
use softtoken::mfa::Request;
use softtoken::own_transaction::{self, BlockingLogins, Ending};
use softtoken::store::{Snapshot, Swap, Write, conformance};
use softtoken::{
    BlockingStore, Code, Error as MfaError, Evidence, Fault, Policy, Rejection, Revision,
};
use softtoken_diesel::{
    DieselStore, DieselStoreError, Engine, POSTGRES_MIGRATIONS, PostgresStore, SQLITE_MIGRATIONS,
    SQLITE_SETTINGS, SqliteStore,
};
use softtoken_faults::{IN_THE_WAY, Postgres, endure, endure_logins, pauses_blocking};
use tempfile::TempDir;

mod login;

use login::{CHANGED_IN_POSTGRESQL, CHANGED_IN_SQLITE, IN_VAIN, Login};

type Failure = Box<dyn Error + Send + Sync>;
type Outcome = Result<(), Failure>;

const KILLS: u64 = 20;
/// Nothing waits for a lock that nobody lets go.
const PATIENCE: &str = "SET statement_timeout = '20s'";
const ISOLATIONS: [&str; 3] = ["read committed", "repeatable read", "serializable"];

/// A table whose rows go with logins; one of them may be forbidden until its commit.
const LOGINS: &str = "CREATE TABLE allowed (number BIGINT PRIMARY KEY);
    CREATE TABLE logins (subject TEXT NOT NULL, number BIGINT NOT NULL
        REFERENCES allowed (number) DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO allowed VALUES (1)";
const ALLOWED: &str = "INSERT INTO logins VALUES ('alice', 1)";
const FORBIDDEN: &str = "INSERT INTO logins VALUES ('alice', 2)";

#[derive(Debug)]
struct Settings(&'static str);

impl<C: SimpleConnection + 'static> CustomizeConnection<C, diesel::r2d2::Error> for Settings {
    fn on_acquire(&self, connection: &mut C) -> Result<(), diesel::r2d2::Error> {
        Ok(connection.batch_execute(self.0)?)
    }
}

fn pool<C: R2D2Connection + 'static>(
    url: &str,
    connections: u32,
    settings: &'static str,
) -> Pool<ConnectionManager<C>> {
    Pool::builder()
        .max_size(connections)
        .min_idle(Some(1))
        .connection_timeout(Duration::from_secs(20))
        .connection_customizer(Box::new(Settings(settings)))
        .build(ConnectionManager::new(url))
        .expect("it answers")
}

fn postgres(server: &Postgres, connections: u32) -> PostgresStore {
    let store = PostgresStore::new(pool(&server.url, connections, PATIENCE));
    store.migrate().expect("a table");
    store
}

fn sqlite(folder: &TempDir, connections: u32, settings: &'static str) -> SqliteStore {
    let file = folder.path().join("records.sqlite3");
    let file = file.to_str().expect("it is UTF-8");
    let store = SqliteStore::new(pool(file, connections, settings));
    store.migrate().expect("a table");
    store
}

const ENFORCED: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON";

/// Makes another isolation the default of new connections.
fn isolate(server: &Postgres, isolation: &str) -> Outcome {
    let mut connection = PgConnection::establish(&server.url)?;
    let role = format!("ALTER ROLE postgres SET default_transaction_isolation = '{isolation}'");
    Ok(connection.batch_execute(&role)?)
}

#[test]
fn sqlite_keeps_every_rule() -> Outcome {
    let folder = tempfile::tempdir()?;
    let shared = sqlite(&folder, 8, SQLITE_SETTINGS);
    conformance::check_blocking(|| &shared)?;
    Ok(())
}

#[test]
fn pools_on_one_sqlite_file_keep_every_rule() -> Outcome {
    let folder = tempfile::tempdir()?;
    conformance::check_blocking(|| sqlite(&folder, 2, SQLITE_SETTINGS))?;
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn postgresql_keeps_every_rule_at_every_isolation() -> Outcome {
    let server = Postgres::start();
    for isolation in ISOLATIONS {
        isolate(&server, isolation)?;
        let shared = postgres(&server, 8);
        conformance::check_blocking(|| &shared)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn nothing_acknowledged_is_lost_when_postgresql_is_killed() -> Outcome {
    let mut server = Postgres::start();
    let store = postgres(&server, 24);
    let tally = endure(&store, || {
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

/// 64 at once, on one subject: of swaps one is stored, of one code's logins one is accepted.
fn one_of_64<C: Own>(store: &DieselStore<C>) -> Outcome {
    let at_once = |work: &(dyn Fn() -> bool + Sync)| {
        let all = Barrier::new(64);
        let one = || {
            all.wait();
            work()
        };
        thread::scope(|scope| {
            let tasks: Vec<_> = (0..64).map(|_| scope.spawn(one)).collect();
            let tasks = tasks.into_iter().map(|task| task.join().expect("no panic"));
            tasks.filter(|done| *done).count()
        })
    };
    let mut expected = None;
    for _ in 0..4 {
        let write = Write::new("bob", expected, b"record".to_vec(), Events::default());
        let write = write.ok_or("there is a next one")?;
        let stored = at_once(&|| {
            let swap = store.compare_and_swap_blocking(write.clone());
            swap.expect("it answers") == Swap::Stored
        });
        assert_eq!(stored, 1);
        expected = Some(write.next());
    }

    let login = Login::new();
    login.import().run_blocking(store, "alice")?;
    store.pool().get()?.batch_execute(LOGINS)?;
    for round in 1..=4 {
        login.later();
        let accepted = at_once(&|| {
            let challenge = login.mfa.sign_in().run_blocking(store, "alice");
            let request = login.respond(challenge.expect("it answers"), login.code());
            let answer = store.transaction("alice", &request, |own, _: &Evidence| {
                Ok::<_, Failure>(own.batch_execute(ALLOWED)?)
            });
            match answer {
                Ok(_) => true,
                Err(error) => {
                    let error = error.downcast_ref::<MfaError<DieselStoreError>>();
                    let rejection = error.and_then(MfaError::rejection);
                    assert_eq!(rejection, Some(Rejection::Reused), "{error:?}");
                    false
                }
            }
        });
        assert_eq!((accepted, logins(store)?), (1, round));
    }
    Ok(())
}

#[test]
fn of_64_at_once_one_is_accepted_in_sqlite() -> Outcome {
    let folder = tempfile::tempdir()?;
    one_of_64(&sqlite(&folder, 64, ENFORCED))
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn of_64_at_once_one_is_accepted_in_postgresql_at_every_isolation() -> Outcome {
    for isolation in ISOLATIONS {
        let server = Postgres::start();
        isolate(&server, isolation)?;
        one_of_64(&postgres(&server, 64))?;
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// What is asked past the store.
trait Own: Engine + R2D2Connection + Send + 'static {
    /// The column `number` of one row.
    fn try_number(&mut self, select: &str) -> diesel::QueryResult<i64>;

    fn number(&mut self, select: &str) -> i64 {
        self.try_number(select).expect("it is a number")
    }
}

macro_rules! own {
    ($($connection:ty),*) => {$(
        impl Own for $connection {
            fn try_number(&mut self, select: &str) -> diesel::QueryResult<i64> {
                let row: Number = sql_query(select).get_result(self)?;
                Ok(row.number)
            }
        }
    )*};
}

own!(PgConnection, SqliteConnection);

fn logins<C: Own>(store: &DieselStore<C>) -> Result<i64, Failure> {
    Ok(store
        .pool()
        .get()?
        .number("SELECT count(*) AS number FROM logins"))
}

/// A login, whose rows `own` writes, and whether it was called.
fn log_in<C: Own>(
    store: &DieselStore<C>,
    login: &Login,
    code: Code,
    own: impl Fn(&mut C) -> Outcome,
) -> (Result<Evidence, Failure>, bool) {
    let challenge = login.mfa.sign_in().run_blocking(store, "alice");
    let request = login.respond(challenge.expect("it answers"), code);
    let mut called = false;
    let answer = store.transaction("alice", &request, |connection, evidence: &Evidence| {
        called = true;
        assert_eq!(evidence.subject(), "alice");
        own(connection)
    });
    (answer.map(|(evidence, ())| evidence), called)
}

/// The error of a login that was not accepted, as the store has it.
fn failure(answer: Result<Evidence, Failure>) -> MfaError<DieselStoreError> {
    let error = answer.expect_err("nobody is let in");
    *error.downcast().expect("it is the request's")
}

fn login_and_code_share_their_fate<C: Own>(store: &DieselStore<C>, is_closed: &str) -> Outcome {
    let login = Login::new();
    login.import().run_blocking(store, "alice")?;
    store.pool().get()?.batch_execute(LOGINS)?;
    let allowed = |own: &mut C| Ok(own.batch_execute(ALLOWED)?);
    let accepted = |number| {
        let (answer, called) = log_in(store, &login, login.code(), allowed);
        assert!(
            answer.is_ok() && called,
            "the code is not spent: {answer:?}"
        );
        assert_eq!(logins(store)?, number, "the login is there once");
        login.later();
        Ok::<_, Failure>(())
    };
    login.later();

    let (answer, called) = log_in(store, &login, login.code(), allowed);
    assert!(answer.is_ok() && called, "{answer:?}");
    let (answer, called) = log_in(store, &login, login.code(), allowed);
    assert_eq!(
        (failure(answer).rejection(), called),
        (Some(Rejection::Reused), false)
    );
    for _ in 0..3 {
        let (answer, called) = log_in(store, &login, login.wrong(), allowed);
        assert_eq!(
            (failure(answer).rejection(), called),
            (Some(Rejection::Mismatch), false)
        );
    }
    let (answer, called) = log_in(store, &login, login.code(), allowed);
    assert_eq!(
        (failure(answer).name(), called),
        ("throttled", false),
        "three were counted"
    );
    assert_eq!(logins(store)?, 1, "no rejection has a login");
    login.later();

    let (answer, _) = log_in(store, &login, login.code(), |own| {
        own.batch_execute(ALLOWED)?;
        Err("too many logins".into())
    });
    let error = answer.expect_err("it is the application's");
    assert_eq!(error.to_string(), "too many logins");
    accepted(2)?;

    let panics = |own: &mut C| {
        own.batch_execute(ALLOWED)?;
        panic!("in a login")
    };
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        log_in(store, &login, login.code(), panics)
    }));
    assert!(panicked.is_err());
    accepted(3)?;

    // It fails at the commit, and takes the code back with it.
    let forbidden = |own: &mut C| Ok(own.batch_execute(FORBIDDEN)?);
    let (answer, _) = log_in(store, &login, login.code(), forbidden);
    let error = failure(answer);
    assert!(
        matches!(error, MfaError::Store(DieselStoreError::Refused(_))),
        "{error:?}"
    );
    accepted(4)?;

    // A transaction that was ended, and one that was left open within.
    let (answer, _) = log_in(store, &login, login.code(), |own| {
        Ok(own.batch_execute("ROLLBACK")?)
    });
    let error = failure(answer);
    assert!(
        matches!(error, MfaError::Store(DieselStoreError::Undone(_))),
        "{error:?}"
    );
    accepted(5)?;
    let (answer, _) = log_in(store, &login, login.code(), |own| {
        Ok(AnsiTransactionManager::begin_transaction(own)?)
    });
    let error = failure(answer);
    assert!(
        matches!(error, MfaError::Store(DieselStoreError::Undone(_))),
        "{error:?}"
    );
    accepted(6)?;

    assert_eq!(
        store.pool().get()?.number(is_closed),
        0,
        "no transaction is open"
    );
    Ok(())
}

#[test]
fn login_and_code_share_their_fate_in_sqlite() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = sqlite(&folder, 4, ENFORCED);
    // An open one that has written would be found by the next one that writes.
    login_and_code_share_their_fate(&store, "SELECT 0 AS number")?;
    store
        .pool()
        .get()?
        .batch_execute("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; COMMIT")?;
    Ok(())
}

/// The application, with a table of its own.
struct Application<C: Own>(DieselStore<C>);

impl<C: Own> Application<C> {
    fn new(store: DieselStore<C>) -> Result<Self, Failure> {
        let tables = format!("{LOGINS}; CREATE TABLE own (login TEXT PRIMARY KEY)");
        store.pool().get()?.batch_execute(&tables)?;
        Ok(Self(store))
    }
}

impl<C: Own> BlockingStore for Application<C> {
    type Error = DieselStoreError;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, DieselStoreError> {
        self.0.load_blocking(subject)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, DieselStoreError> {
        self.0.compare_and_swap_blocking(write)
    }

    fn pause_blocking(&self, time: core::time::Duration) {
        self.0.pause_blocking(time);
    }
}

/// Why a login was not committed.
enum Unfinished {
    Left,
    Failed(MfaError<DieselStoreError>),
}

impl From<MfaError<DieselStoreError>> for Unfinished {
    fn from(error: MfaError<DieselStoreError>) -> Self {
        Self::Failed(error)
    }
}

impl From<diesel::result::Error> for Unfinished {
    fn from(error: diesel::result::Error) -> Self {
        Self::Failed(MfaError::Store(error.into()))
    }
}

impl<C: Own> BlockingLogins for Application<C> {
    fn log_in_blocking<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &own_transaction::Login,
    ) -> Result<Option<O::Output>, MfaError<DieselStoreError>> {
        let insert = format!("INSERT INTO own VALUES ('{}')", login.row());
        let answer = self.0.transaction(subject, &request, |own, _| {
            own.batch_execute(&insert)?;
            match login.ending() {
                Ending::Commit => {}
                Ending::Leave => return Err(Unfinished::Left),
                Ending::WriteTwice => {
                    own.batch_execute(&insert).expect_err("it is there");
                }
                Ending::Fail => own.batch_execute(FORBIDDEN)?,
                Ending::RollBack => own.batch_execute("ROLLBACK")?,
                Ending::Panic => panic!("as the suite asks"),
            }
            Ok(())
        });
        match answer {
            Ok((output, ())) => Ok(Some(output)),
            Err(Unfinished::Left) => Ok(None),
            Err(Unfinished::Failed(error)) => Err(error),
        }
    }

    fn has_row_blocking(&self, row: &str) -> Result<bool, DieselStoreError> {
        let select = format!("SELECT count(*) AS number FROM own WHERE login = '{row}'");
        let connection = self.0.pool().get();
        let mut connection = connection.map_err(|error| DieselStoreError::Pool(Box::new(error)))?;
        Ok(connection.try_number(&select)? == 1)
    }
}

#[test]
fn sqlite_keeps_every_rule_of_own_transactions() -> Outcome {
    let folder = tempfile::tempdir()?;
    let application = Application::new(sqlite(&folder, 8, ENFORCED))?;
    Ok(own_transaction::check_blocking(|| &application)?)
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn postgresql_keeps_every_rule_of_own_transactions_at_every_isolation() -> Outcome {
    for isolation in ISOLATIONS {
        let server = Postgres::start();
        isolate(&server, isolation)?;
        let application = Application::new(postgres(&server, 8))?;
        own_transaction::check_blocking(|| &application)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_login_and_its_row_are_both_there_or_neither_when_postgresql_is_killed() -> Outcome {
    let mut server = Postgres::start();
    let application = Application::new(postgres(&server, 24))?;
    let tally = endure_logins(&application, || {
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

const IDLE: &str = "SELECT count(*) AS number FROM pg_stat_activity WHERE state LIKE 'idle in %'";

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn login_and_code_share_their_fate_in_postgresql_at_every_isolation() -> Outcome {
    for isolation in ISOLATIONS {
        let server = Postgres::start();
        isolate(&server, isolation)?;
        login_and_code_share_their_fate(&postgres(&server, 4), IDLE)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_failure_that_the_login_keeps_to_itself_lets_nobody_in() -> Outcome {
    let server = Postgres::start();
    let store = postgres(&server, 2);
    let login = Login::new();
    login.import().run_blocking(&store, "alice")?;
    login.later();
    let (answer, called) = log_in(&store, &login, login.code(), |own| {
        own.batch_execute("INSERT INTO nowhere VALUES (1)")
            .expect_err("there is no such table");
        Ok(())
    });
    let error = failure(answer);
    assert!(
        matches!(error, MfaError::Store(DieselStoreError::Undone(_))) && called,
        "{error:?}"
    );
    let (answer, _) = log_in(&store, &login, login.code(), |_| Ok(()));
    assert!(answer.is_ok(), "the code is not spent: {answer:?}");
    Ok(())
}

fn is_undone<T>(answer: &Result<T, MfaError<DieselStoreError>>) -> bool {
    matches!(answer, Err(MfaError::Store(DieselStoreError::Undone(_))))
}

/// By what was written in it, it cannot be told: nothing was, or the other login has stored the same
/// record, to the byte.
fn a_transaction_that_was_ended_lets_nobody_in<C: Own>(store: &DieselStore<C>) -> Outcome {
    let login = Login::new();
    login.import().run_blocking(store, "alice")?;
    for ends in ["ROLLBACK", "ROLLBACK; BEGIN"] {
        let ended = store.transaction("alice", &login.mfa.sign_in(), |own, _| {
            own.batch_execute(ends)
                .map_err(|error| MfaError::Store(error.into()))
        });
        assert!(is_undone(&ended), "{ends}: {ended:?}");

        login.later();
        let (answer, _) = log_in(store, &login, login.code(), |own| {
            own.batch_execute(ends)?;
            let (again, _) = log_in(store, &login, login.code(), |_| Ok(()));
            again.map(drop)
        });
        let ended = Err::<(), _>(failure(answer));
        assert!(is_undone(&ended), "{ends}: {ended:?}");
    }
    Ok(())
}

#[test]
fn a_transaction_that_was_ended_lets_nobody_in_in_sqlite() -> Outcome {
    let folder = tempfile::tempdir()?;
    a_transaction_that_was_ended_lets_nobody_in(&sqlite(&folder, 2, SQLITE_SETTINGS))
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_transaction_that_was_ended_lets_nobody_in_in_postgresql_at_every_isolation() -> Outcome {
    let server = Postgres::start();
    for isolation in ISOLATIONS {
        isolate(&server, isolation)?;
        let store = postgres(&server, 2);
        store.pool().get()?.batch_execute("DELETE FROM softtoken")?;
        a_transaction_that_was_ended_lets_nobody_in(&store)?;
    }
    Ok(())
}

fn another_record_of_the_same_revision_is_not_the_logins<C: Own>(
    store: &DieselStore<C>,
    changes: &str,
) -> Outcome {
    let login = Login::new();
    login.import().run_blocking(store, "alice")?;
    login.later();
    let (answer, called) = log_in(store, &login, login.code(), |own| {
        Ok(own.batch_execute(changes)?)
    });
    let ended = Err::<(), _>(failure(answer));
    assert!(is_undone(&ended) && called, "{ended:?}");
    Ok(())
}

#[test]
fn another_record_of_the_same_revision_is_not_the_logins_in_sqlite() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = sqlite(&folder, 2, SQLITE_SETTINGS);
    another_record_of_the_same_revision_is_not_the_logins(&store, CHANGED_IN_SQLITE)
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn another_record_of_the_same_revision_is_not_the_logins_in_postgresql() -> Outcome {
    let server = Postgres::start();
    let store = postgres(&server, 2);
    another_record_of_the_same_revision_is_not_the_logins(&store, CHANGED_IN_POSTGRESQL)
}

#[test]
fn who_is_outrun_every_time_makes_the_attempts_of_the_policy() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = sqlite(&folder, 2, SQLITE_SETTINGS);
    let login = Login::by(Policy::builder().swap_attempts(3).build()?);
    login.import().run_blocking(&store, "alice")?;
    login.later();
    store.pool().get()?.batch_execute(IN_VAIN)?;
    let challenge = login.mfa.sign_in().run_blocking(&store, "alice")?;
    let request = login.respond(challenge, login.code());
    login.decisions();
    let answer = store.transaction("alice", &request, |_, _| Ok(()));
    let is_contended = matches!(answer, Err(MfaError::Fault(Fault::Contended)));
    assert!(is_contended, "{answer:?}");
    assert_eq!(login.decisions(), 3);
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_statement_that_is_in_the_way_is_sent_again() -> Outcome {
    let server = Postgres::start();
    let store = postgres(&server, 3);
    let first = Write::new("alice", None, b"record".to_vec(), Events::default());
    let _ = store.compare_and_swap_blocking(first.ok_or("there is a first")?)?;
    let mut bare = store.pool().get()?;
    bare.batch_execute(IN_THE_WAY)?;
    let second = || {
        let first = Some(Revision::FIRST);
        let second = Write::new("alice", first, b"record".to_vec(), Events::default());
        second.expect("one of many")
    };
    let mut fail = |times: i64| {
        bare.number(&format!("SELECT setval('failures', {}) AS number", -times));
    };
    fail(1000);
    let outrun = store.load_blocking("alice");
    assert!(
        matches!(outrun, Err(DieselStoreError::Conflict(_))),
        "{outrun:?}"
    );
    let mut other = store.pool().get()?;
    let mut failed = || other.number("SELECT last_value + 1000 AS number FROM failures");
    assert_eq!(failed(), 16);
    fail(3);
    assert!(store.load_blocking("alice")?.is_some());

    // Whoever was faster: what there is now says it.
    fail(1000);
    let swap = store.compare_and_swap_blocking(second())?;
    assert_eq!((swap, failed()), (Swap::Conflict, 16));
    fail(3);
    assert_eq!(store.compare_and_swap_blocking(second())?, Swap::Stored);
    Ok(())
}

/// A login holds the lock, and a store that does not wait for long asks for the same.
fn a_lock_that_is_waited_for_in_vain_is_a_conflict<C: Own>(
    store: &DieselStore<C>,
    impatient: &DieselStore<C>,
) -> Outcome {
    let login = Login::new();
    login.import().run_blocking(store, "alice")?;
    let import = login.import().replacing_everything();
    let ((), ()) = store.transaction("alice", &import, |_, ()| {
        let begun = impatient.transaction("alice", &login.mfa.status(), |_, _| Ok(()));
        let Err(MfaError::Store(DieselStoreError::Conflict(_))) = begun else {
            panic!("{begun:?}")
        };
        let record = b"record".to_vec();
        let write = Write::new("alice", Some(Revision::FIRST), record, Events::default());
        let swap = impatient.compare_and_swap_blocking(write.expect("one of many"));
        assert!(
            matches!(swap, Err(DieselStoreError::Conflict(_))),
            "{swap:?}"
        );
        Ok::<_, MfaError<DieselStoreError>>(())
    })?;
    Ok(())
}

#[test]
fn a_lock_that_is_waited_for_in_vain_is_a_conflict_in_sqlite() -> Outcome {
    let folder = tempfile::tempdir()?;
    let impatient = "PRAGMA busy_timeout = 200; PRAGMA synchronous = FULL";
    let store = sqlite(&folder, 2, SQLITE_SETTINGS);
    a_lock_that_is_waited_for_in_vain_is_a_conflict(&store, &sqlite(&folder, 1, impatient))
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_lock_that_is_waited_for_in_vain_is_a_conflict_in_postgresql() -> Outcome {
    let server = Postgres::start();
    let impatient = PostgresStore::new(pool(&server.url, 1, "SET lock_timeout = '200ms'"));
    a_lock_that_is_waited_for_in_vain_is_a_conflict(&postgres(&server, 2), &impatient)
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_login_whose_statement_has_met_a_deadlock_may_begin_again() -> Outcome {
    let server = Postgres::start();
    let store = postgres(&server, 2);
    let login = Login::new();
    for subject in ["alice", "bob"] {
        login.import().run_blocking(&store, subject)?;
    }
    // Each holds its own row, and asks for the other's.
    let both = Barrier::new(2);
    let lock = |own: &str, other: &str| {
        let lock = format!("SELECT FROM softtoken WHERE subject = '{other}' FOR UPDATE");
        store.transaction(own, &login.mfa.status(), |connection, _| {
            both.wait();
            let locked = connection.batch_execute(&lock);
            locked.map_err(|error| MfaError::Store(DieselStoreError::from(error)))
        })
    };
    let answers = thread::scope(|scope| {
        let other = scope.spawn(|| lock("bob", "alice"));
        [lock("alice", "bob"), other.join().expect("no panic")]
    });
    let is_conflict = |answer: &Result<_, _>| {
        matches!(answer, Err(MfaError::Store(DieselStoreError::Conflict(_))))
    };
    let conflicts = answers.iter().filter(|answer| is_conflict(answer)).count();
    let whole = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!((conflicts, whole), (1, 1), "{answers:?}");
    Ok(())
}

#[derive(QueryableByName)]
struct Said {
    #[diesel(sql_type = Text)]
    said: String,
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn commits_wait_for_the_disk_although_the_role_says_otherwise() -> Outcome {
    let server = Postgres::start();
    let setting = |connection: &mut PgConnection| {
        let show = sql_query("SELECT current_setting('synchronous_commit') AS said");
        Ok::<_, Failure>(show.get_result::<Said>(connection)?.said)
    };
    for (role, expected) in [
        ("off", "on"),
        ("local", "on"),
        ("on", "on"),
        ("remote_write", "remote_write"),
        ("remote_apply", "remote_apply"),
    ] {
        let lax = format!("ALTER ROLE postgres SET synchronous_commit = '{role}'");
        PgConnection::establish(&server.url)?.batch_execute(&lax)?;
        let store = postgres(&server, 1);
        assert_eq!(setting(&mut *store.pool().get()?)?, role);
        let login = Login::new();
        // The first row of a subject, and the next one.
        for request in [login.import(), login.import().replacing_everything()] {
            let ((), said) = store.transaction(role, &request, |own, ()| setting(own))?;
            assert_eq!(said, expected, "{role}");
        }
        let said = setting(&mut *store.pool().get()?)?;
        assert_eq!(said, role, "for the transaction alone");
    }
    Ok(())
}

#[test]
fn commits_wait_for_the_disk_although_the_pool_says_otherwise() -> Outcome {
    let lax = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";
    let synchronous = "SELECT synchronous AS number FROM pragma_synchronous";
    let login = Login::new();

    let folder = tempfile::tempdir()?;
    let store = sqlite(&folder, 1, lax);
    assert_eq!(
        store.pool().get()?.number(synchronous),
        1,
        "which is NORMAL"
    );
    login.import().run_blocking(&store, "alice")?;
    assert_eq!(store.pool().get()?.number(synchronous), 2, "which is FULL");

    let folder = tempfile::tempdir()?;
    let store = sqlite(&folder, 1, lax);
    let own = |own: &mut SqliteConnection, (): &()| Ok::<_, Failure>(own.number(synchronous));
    assert_eq!(store.transaction("alice", &login.import(), own)?.1, 2);
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn a_standby_is_refused() -> Outcome {
    let mut server = Postgres::start();
    let store = postgres(&server, 1);
    let login = Login::new();
    login.import().run_blocking(&store, "alice")?;
    server.become_standby().expect("it starts again");
    for subject in ["alice", "nobody"] {
        let refused = store.load_blocking(subject).expect_err("it lags");
        assert!(matches!(refused, DieselStoreError::Standby), "{refused:?}");
    }
    for subject in ["alice", "nobody"] {
        let decided = store.transaction(subject, &login.mfa.status(), |_, _| {
            Ok::<_, MfaError<DieselStoreError>>(())
        });
        let refused = decided.expect_err("it lags");
        let is_standby = matches!(refused, MfaError::Store(DieselStoreError::Standby));
        assert!(is_standby, "{refused:?}");
    }
    let swapped = login.import().run_blocking(&store, "bob");
    assert_eq!(swapped.expect_err("it lags").name(), "store");
    Ok(())
}

#[test]
fn who_has_lost_a_race_waits_as_long_as_it_is_told() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = sqlite(&folder, 1, SQLITE_SETTINGS);
    pauses_blocking(&store);
    Ok(())
}

#[test]
fn what_no_store_has_written_is_an_error() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = sqlite(&folder, 1, SQLITE_SETTINGS);
    store
        .pool()
        .get()?
        .batch_execute("INSERT INTO softtoken VALUES ('alice', -1, x'01')")?;
    let refused = store.load_blocking("alice").expect_err("it is no revision");
    assert!(
        matches!(refused, DieselStoreError::Revision(-1)),
        "{refused:?}"
    );
    Ok(())
}

#[test]
fn two_rows_of_one_subject_are_an_error() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = sqlite(&folder, 1, SQLITE_SETTINGS);
    // A table of somebody else's making, without the primary key.
    store.pool().get()?.batch_execute(
        "DROP TABLE softtoken; CREATE TABLE softtoken (subject TEXT, revision BIGINT, record BLOB);
         INSERT INTO softtoken VALUES ('alice', 1, x'01'), ('alice', 1, x'01')",
    )?;
    let write = Write::new(
        "alice",
        Revision::new(1),
        b"record".to_vec(),
        Events::default(),
    );
    let swapped = store.compare_and_swap_blocking(write.ok_or("there is a next one")?);
    let refused = swapped.expect_err("two rows are no subject's");
    assert!(matches!(refused, DieselStoreError::Rows(2)), "{refused:?}");
    Ok(())
}

#[test]
fn an_application_runs_the_migrations_with_its_own() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("records.sqlite3");
    let pool = pool::<SqliteConnection>(file.to_str().ok_or("UTF-8")?, 1, SQLITE_SETTINGS);
    for _ in 0..2 {
        pool.get()?.run_pending_migrations(SQLITE_MIGRATIONS)?;
    }
    let store = SqliteStore::new(pool);
    store.migrate()?;
    assert_eq!(store.load_blocking("alice")?, None);
    Ok(())
}

#[test]
#[ignore = "needs PostgreSQL: apt-get install postgresql"]
fn processes_that_begin_at_once_make_one_table() -> Outcome {
    let server = Postgres::start();
    PgConnection::establish(&server.url)?.run_pending_migrations(POSTGRES_MIGRATIONS)?;
    for _ in 0..8 {
        PgConnection::establish(&server.url)?.batch_execute("DROP TABLE softtoken")?;
        let all = Barrier::new(8);
        let stores: Vec<_> = (0..8).map(|_| pool(&server.url, 1, PATIENCE)).collect();
        thread::scope(|scope| {
            let tasks = stores.into_iter().map(|pool| {
                scope.spawn(|| {
                    let store = PostgresStore::new(pool);
                    all.wait();
                    store.migrate()
                })
            });
            let tasks: Vec<_> = tasks.collect();
            tasks
                .into_iter()
                .try_for_each(|task| task.join().expect("no panic"))
        })?;
    }
    Ok(())
}
