//! An application with a table of its own, and the claims that hold of it on every engine.

use core::error::Error;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use softtoken::association::{Administrator, Events, Import, ImportedToken, Operation};
use softtoken::mfa::Request;
use softtoken::own_transaction::Login;
use softtoken::store::{Store as _, Write};
use softtoken::totp::{Code, Secret, Totp, Verifier};
use softtoken::{
    Challenge, Context, Error as MfaError, Evidence, Fault, Grant, Mfa, OsEntropy, Policy,
    Rejection, Revision, SessionKeys, UnixTime,
};
use softtoken_sqlx::{Accepted, Engine, SqlxStore, SqlxStoreError};
use tokio::task::JoinSet;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// Beside the table `logins`, whose key is `login`.
pub(crate) struct Application<DB: Engine> {
    pub(crate) store: SqlxStore<DB>,
}

/// What an application does in its transaction, in each engine's own SQL.
pub(crate) trait Own: Engine {
    /// Writes the login's row, and ends as it is asked to.
    fn end<T: Send + 'static>(
        accepted: Accepted<Self, T>,
        login: &Login,
    ) -> impl Future<Output = Result<Option<T>, MfaError<SqlxStoreError>>> + Send;

    /// Sends statements in the login's transaction.
    fn send<T: Send + 'static>(
        accepted: &mut Accepted<Self, T>,
        statements: &'static str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Writes the login's row.
    fn write<T: Send + 'static>(
        accepted: &mut Accepted<Self, T>,
        login: &str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Counts the rows of this login.
    fn rows(
        store: &SqlxStore<Self>,
        login: &str,
    ) -> impl Future<Output = Result<i64, sqlx::Error>> + Send;
}

impl<DB: Own> Application<DB> {
    pub(crate) async fn log_in<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, MfaError<SqlxStoreError>> {
        let request = Arc::new(request);
        // As an application does that runs at SERIALIZABLE.
        for _ in 0..64 {
            let accepted = self.store.begin(subject, Arc::clone(&request)).await?;
            match DB::end(accepted, login).await {
                Err(MfaError::Store(SqlxStoreError::Conflict(_))) => {}
                ended => return ended,
            }
        }
        Err(Fault::Contended.into())
    }
}

impl<DB: Engine> Clone for Application<DB> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
        }
    }
}

/// Implements the suite's trait, by this engine's SQL.
macro_rules! application {
    ($database:ty, insert: $insert:expr, rows: $rows:expr, fail: $fail:expr) => {
        impl application::Own for $database {
            async fn send<T: Send + 'static>(
                accepted: &mut softtoken_sqlx::Accepted<Self, T>,
                statements: &'static str,
            ) -> Result<(), sqlx::Error> {
                let sent = sqlx::raw_sql(statements).execute(accepted.transaction());
                sent.await.map(drop)
            }

            async fn write<T: Send + 'static>(
                accepted: &mut softtoken_sqlx::Accepted<Self, T>,
                login: &str,
            ) -> Result<(), sqlx::Error> {
                let insert = sqlx::query($insert).bind(login);
                insert.execute(accepted.transaction()).await?;
                Ok(())
            }

            async fn end<T: Send + 'static>(
                mut accepted: softtoken_sqlx::Accepted<Self, T>,
                login: &softtoken::own_transaction::Login,
            ) -> Result<Option<T>, softtoken::Error<softtoken_sqlx::SqlxStoreError>> {
                use softtoken::own_transaction::Ending;
                let failed = |error: sqlx::Error| softtoken::Error::Store(error.into());
                Self::write(&mut accepted, login.row())
                    .await
                    .map_err(failed)?;
                match login.ending() {
                    Ending::Commit => {}
                    Ending::Leave => return Ok(None),
                    Ending::WriteTwice => {
                        let again = Self::write(&mut accepted, login.row()).await;
                        again.expect_err("it is there");
                    }
                    Ending::Fail => {
                        // Where the connection is ended by it, that is an error as well.
                        drop(Self::send(&mut accepted, $fail).await);
                    }
                    Ending::RollBack => {
                        let ended = Self::send(&mut accepted, "ROLLBACK").await;
                        ended.map_err(failed)?;
                    }
                    Ending::Panic => panic!("as the suite asks"),
                }
                accepted.commit().await.map(Some)
            }

            async fn rows(
                store: &softtoken_sqlx::SqlxStore<Self>,
                login: &str,
            ) -> Result<i64, sqlx::Error> {
                let select = sqlx::query_scalar($rows).bind(login);
                select.fetch_one(store.pool()).await
            }
        }
    };
}
pub(crate) use application;

impl<DB: Own> softtoken::Store for Application<DB> {
    type Error = SqlxStoreError;

    async fn load(
        &self,
        subject: &str,
    ) -> Result<Option<softtoken::store::Snapshot>, SqlxStoreError> {
        self.store.load(subject).await
    }

    async fn compare_and_swap(
        &self,
        write: softtoken::store::Write,
    ) -> Result<softtoken::store::Swap, SqlxStoreError> {
        self.store.compare_and_swap(write).await
    }

    async fn pause(&self, time: core::time::Duration) {
        self.store.pause(time).await;
    }
}

impl<DB: Own> softtoken::own_transaction::Logins for Application<DB> {
    async fn log_in<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, MfaError<SqlxStoreError>> {
        self.log_in(subject, request, login).await
    }

    async fn has_row(&self, row: &str) -> Result<bool, SqlxStoreError> {
        Ok(DB::rows(&self.store, row).await? == 1)
    }
}

/// A user with a token in force, and a clock that stands.
#[derive(Clone)]
struct User {
    subject: String,
    mfa: Mfa,
    phone: Verifier,
}

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

impl User {
    fn new() -> (Self, Request<Import>) {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let secret = Secret::from_bytes(&[7; 20]).expect("it is long enough");
        let user = Self {
            subject: format!("user-{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
            mfa: Mfa::new(Policy::STANDARD, || Some(NOW), OsEntropy),
            phone: Verifier::new(&secret, Totp::STANDARD),
        };
        let step = Totp::STANDARD.step(NOW).saturating_offset(-2);
        let token = ImportedToken::proven(secret, Totp::STANDARD).last_step(step);
        let import = user.mfa.import(&Administrator::named("tests"), [token]);
        (user, import)
    }

    async fn enrolled<DB: Own>(application: &Application<DB>) -> Self {
        let (user, import) = Self::new();
        let imported = import.run(&application.store, &user.subject).await;
        imported.expect("nobody has the name");
        user
    }

    fn request(&self, code: Code) -> Request<softtoken::association::StepUp> {
        self.mfa
            .step_up(&Grant::first_factor(&self.subject, NOW), code)
    }

    fn code(&self, steps: i64) -> Code {
        self.phone
            .code(Totp::STANDARD.step(NOW).saturating_offset(steps))
    }

    /// Logs in with the code of this step; says whether the row was written.
    async fn log_in<DB: Own>(
        &self,
        application: &Application<DB>,
        code: Code,
        login: &str,
    ) -> Result<(), MfaError<SqlxStoreError>> {
        let request = Arc::new(self.request(code));
        for _ in 0..64 {
            let mut accepted = application
                .store
                .begin(&self.subject, request.clone())
                .await?;
            let written = DB::write(&mut accepted, login).await;
            let ended = match written.map_err(|error| MfaError::Store(error.into())) {
                Ok(()) => accepted.commit().await.map(drop),
                Err(error) => Err(error),
            };
            match ended {
                Err(MfaError::Store(SqlxStoreError::Conflict(_))) => {}
                ended => return ended,
            }
        }
        Err(Fault::Contended.into())
    }
}

/// A user who is enrolled, and whose first row is not committed.
#[allow(dead_code, reason = "asked of some engines")]
pub(crate) async fn imported<DB: Own>(application: &Application<DB>) -> Accepted<DB, ()> {
    let (user, import) = User::new();
    let imported = application.store.begin(&user.subject, import).await;
    imported.expect("nobody has the name")
}

/// A wrong code is refused as such, and is a failure, whatever is done before it.
#[allow(dead_code, reason = "asked of some engines")]
pub(crate) async fn a_guess_is_counted<DB: Own>(
    application: &Application<DB>,
    before: impl AsyncFnOnce(),
) {
    let user = User::enrolled(application).await;
    before().await;
    let wrong = user.request(user.code(10));
    let refused = application.store.begin(&user.subject, wrong).await;
    let refused = refused.expect_err("the code is of another time");
    assert_eq!(refused.rejection(), Some(Rejection::Mismatch), "{refused}");
    let status = user.mfa.status();
    let status = status.run(&application.store, &user.subject).await;
    assert_eq!(status.expect("a row").failures, 1);
}

/// A login that is accepted, and not committed.
#[allow(dead_code, reason = "asked of some engines")]
pub(crate) async fn accepted<DB: Own>(application: &Application<DB>) -> Accepted<DB, Evidence> {
    let user = User::enrolled(application).await;
    let request = user.request(user.code(0));
    let accepted = application.store.begin(&user.subject, request).await;
    accepted.expect("the code is right")
}

/// A login that is accepted without a write, and not committed: a challenge.
#[allow(dead_code, reason = "asked of some engines")]
pub(crate) async fn challenged<DB: Own>(application: &Application<DB>) -> Accepted<DB, Challenge> {
    let user = User::enrolled(application).await;
    let keys = SessionKeys::from_bytes(1, &[7; 32]);
    let mfa = Mfa::new(Policy::STANDARD, || Some(NOW), OsEntropy)
        .with_sessions(keys, Context::new("tests").expect("it is short"));
    let accepted = application.store.begin(&user.subject, mfa.sign_in());
    accepted.await.expect("there is a token to ask for")
}

/// Two logins by one code: one that is accepted, and not committed, and one to be run over
/// `other`, the same database.
#[allow(dead_code, reason = "asked of some engines")]
pub(crate) async fn twice<DB: Own>(
    application: &Application<DB>,
    other: &Application<DB>,
) -> (
    Accepted<DB, Evidence>,
    impl Future<Output = Result<(), MfaError<SqlxStoreError>>>,
) {
    let user = User::enrolled(application).await;
    let request = user.request(user.code(0));
    let accepted = application.store.begin(&user.subject, request).await;
    let accepted = accepted.expect("the code is right");
    let again = async move {
        let login = format!("{}-again", user.subject);
        user.log_in(other, user.code(0), &login).await
    };
    (accepted, again)
}

pub(crate) fn is_undone<T>(ended: &Result<T, MfaError<SqlxStoreError>>) -> bool {
    matches!(ended, Err(MfaError::Store(SqlxStoreError::Undone(_))))
}

/// By what was written in it, it cannot be told: nothing was, or the other login, over `other` and
/// the same database, has stored the same record, to the byte.
pub(crate) async fn a_transaction_that_was_ended_lets_nobody_in<DB: Own>(
    application: &Application<DB>,
    other: &Application<DB>,
) -> Outcome {
    for ends in ["ROLLBACK", "ROLLBACK; BEGIN"] {
        let mut challenged = challenged(application).await;
        DB::send(&mut challenged, ends).await?;
        let ended = challenged.commit().await;
        assert!(is_undone(&ended), "{ends}: {ended:?}");

        let (mut accepted, again) = twice(application, other).await;
        DB::send(&mut accepted, ends).await?;
        again.await?;
        let ended = accepted.commit().await;
        assert!(is_undone(&ended), "{ends}: {ended:?}");
    }
    Ok(())
}

/// `changes` writes something else into every record, and leaves the revisions.
pub(crate) async fn another_record_of_the_same_revision_is_not_the_logins<DB: Own>(
    application: &Application<DB>,
    changes: &'static str,
) -> Outcome {
    let mut accepted = accepted(application).await;
    DB::send(&mut accepted, changes).await?;
    let ended = accepted.commit().await;
    assert!(is_undone(&ended), "{ended:?}");
    Ok(())
}

/// The table lets no row be updated, and does not say so.
#[allow(dead_code, reason = "asked of some engines")]
pub(crate) async fn who_is_outrun_every_time_makes_the_attempts_of_the_policy<DB: Own>(
    application: &Application<DB>,
) {
    let user = User::enrolled(application).await;
    let decisions = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&decisions);
    let clock = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Some(NOW)
    };
    let policy = Policy::builder().swap_attempts(3).build();
    let mfa = Mfa::new(policy.expect("in bounds"), clock, OsEntropy);
    let request = mfa.step_up(&Grant::first_factor(&user.subject, NOW), user.code(0));
    let begun = application.store.begin(&user.subject, request).await;
    let is_contended = matches!(begun, Err(MfaError::Fault(Fault::Contended)));
    assert!(is_contended, "{begun:?}");
    assert_eq!(decisions.load(Ordering::Relaxed), 3);
}

/// A constraint of `notes` is looked at by the commit.
#[allow(dead_code, reason = "asked of some engines")]
pub(crate) async fn a_login_that_a_constraint_refuses_at_its_commit_is_known_to_be_undone<
    DB: Own,
>(
    application: &Application<DB>,
) -> Outcome {
    let mut accepted = accepted(application).await;
    DB::send(&mut accepted, "INSERT INTO notes VALUES ('nobody')").await?;
    let refused = accepted.commit().await.expect_err("there is no such user");
    let is_refused = matches!(refused, MfaError::Store(SqlxStoreError::Refused(_)));
    assert!(is_refused, "{refused:?}");
    one_of_sixty_four_logs_in(application).await;
    Ok(())
}

/// A crash of this database takes back what it has acknowledged, for this reason.
pub(crate) async fn it_is_refused_unless_it_is_durable_otherwise<DB: Own>(
    lax: SqlxStore<DB>,
    why: &str,
) -> Outcome {
    let refused = |answer: Result<(), SqlxStoreError>| {
        let is_setting =
            matches!(&answer, Err(SqlxStoreError::Setting(said)) if said.contains(why));
        assert!(is_setting, "{why}: {answer:?}");
    };
    refused(lax.load("alice").await.map(drop));
    let first = Write::new("alice", None, b"record".to_vec(), Events::default());
    let swap = lax.compare_and_swap(first.expect("a first")).await;
    refused(swap.map(drop));
    let begun = lax.begin("alice", Mfa::system(Policy::STANDARD).status());
    match begun.await.expect_err("it is lax") {
        MfaError::Store(error) => refused(Err(error)),
        other => panic!("{other:?}"),
    }
    let otherwise = lax.clone().durable_otherwise();
    assert!(otherwise.load("alice").await?.is_none());
    refused(lax.load("alice").await.map(drop));
    Ok(())
}

/// `impatient`, over the same database, does not wait for long.
pub(crate) async fn a_lock_that_is_waited_for_in_vain_is_a_conflict<DB: Own>(
    application: &Application<DB>,
    impatient: &SqlxStore<DB>,
) {
    let held = accepted(application).await;
    let subject = held.output().subject();
    let begun = impatient.begin(subject, Mfa::system(Policy::STANDARD).status());
    let waited = begun.await.expect_err("the row is locked");
    assert!(
        matches!(waited, MfaError::Store(SqlxStoreError::Conflict(_))),
        "{waited:?}"
    );
    let record = b"record".to_vec();
    let write = Write::new(subject, Some(Revision::FIRST), record, Events::default());
    let swap = impatient.compare_and_swap(write.expect("one of many"));
    let waited = swap.await.expect_err("the row is locked");
    assert!(matches!(waited, SqlxStoreError::Conflict(_)), "{waited:?}");
    let _evidence = held.commit().await.expect("nobody has taken it");
}

/// A server that lets nothing be written decides nothing.
#[allow(dead_code, reason = "asked of some engines")]
pub(crate) async fn a_standby_is_refused<DB: Own>(store: &SqlxStore<DB>) {
    for subject in ["alice", "nobody"] {
        let refused = store.load(subject).await.expect_err("it lags");
        assert!(matches!(refused, SqlxStoreError::Standby), "{refused:?}");
        let begun = store.begin(subject, Mfa::system(Policy::STANDARD).status());
        let refused = begun.await.expect_err("it lags");
        let is_standby = matches!(refused, MfaError::Store(SqlxStoreError::Standby));
        assert!(is_standby, "{refused:?}");
    }
}

/// 64 tasks log one user in with one code: one does. 64 tasks guess: as many are counted as were
/// told that the code is wrong.
pub(crate) async fn one_of_sixty_four_logs_in<DB: Own>(application: &Application<DB>) {
    let user = User::enrolled(application).await;
    let mut logins = JoinSet::new();
    for number in 0..64 {
        let (user, application) = (user.clone(), application.clone());
        logins.spawn(async move {
            let login = format!("{}-{number}", user.subject);
            let answer = user.log_in(&application, user.code(0), &login).await;
            let rows = DB::rows(&application.store, &login)
                .await
                .expect("it is read");
            assert_eq!(rows == 1, answer.is_ok(), "{answer:?}");
            answer
        });
    }
    let mut accepted = 0;
    for answer in logins.join_all().await {
        match answer {
            Ok(()) => accepted += 1,
            Err(
                MfaError::Rejected {
                    rejection: Rejection::Reused,
                    ..
                }
                | MfaError::Fault(Fault::Contended),
            ) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(accepted, 1);

    let user = User::enrolled(application).await;
    let mut guesses = JoinSet::new();
    for _ in 0..64 {
        let (user, application) = (user.clone(), application.clone());
        guesses.spawn(async move { user.log_in(&application, user.code(90), "never").await });
    }
    let mut refused = 0;
    for answer in guesses.join_all().await {
        match answer {
            Err(MfaError::Rejected {
                rejection: Rejection::Mismatch,
                ..
            }) => refused += 1,
            Err(MfaError::Rejected { .. } | MfaError::Fault(Fault::Contended)) => {}
            other => panic!("{other:?}"),
        }
    }
    let status = user
        .mfa
        .status()
        .run(&application.store, &user.subject)
        .await;
    assert_eq!(status.expect("it answers").failures, refused);
    assert!(refused > 0);
    assert_eq!(
        DB::rows(&application.store, "never")
            .await
            .expect("it is read"),
        0
    );
}

/// 1,500 clients log in at once and hang up, each a little later than the one before; then others
/// come.
pub(crate) async fn everybody_is_served_after_fifteen_hundred_hang_ups<DB: Own>(
    application: &Application<DB>,
) {
    let user = User::enrolled(application).await;
    let mut clients = JoinSet::new();
    for number in 0..1_500_u64 {
        let (user, application) = (user.clone(), application.clone());
        clients.spawn(async move {
            let login = format!("{}-hung-up-{number}", user.subject);
            let request = user.request(user.code(0));
            let client = async {
                let mut accepted = application.store.begin(&user.subject, request).await?;
                let written = DB::write(&mut accepted, &login).await;
                written.map_err(|error| MfaError::Store(error.into()))?;
                // It waits for something of its own, and is given up there at the latest.
                tokio::time::sleep(Duration::from_millis(number % 7)).await;
                core::future::pending::<Result<(), MfaError<SqlxStoreError>>>().await
            };
            let patience = Duration::from_micros(100 * (number % 200));
            // Hung up, or told that something else holds the code.
            let answer = tokio::time::timeout(patience, client).await;
            assert!(!matches!(answer, Ok(Ok(()))));
        });
    }
    clients.join_all().await;

    let mut served = JoinSet::new();
    for _ in 0..32 {
        let application = application.clone();
        served.spawn(async move {
            let user = User::enrolled(&application).await;
            user.log_in(&application, user.code(0), &user.subject).await
        });
    }
    for answer in served.join_all().await {
        answer.expect("a client who stays is served");
    }
    let login = format!("{}-served", user.subject);
    user.log_in(application, user.code(0), &login)
        .await
        .expect("nobody has used the code");
}
