//! Writes a login's own row and its second factor in one transaction: both are committed, or
//! neither is.
//!
//! ```text
//! cargo run --example own_transaction
//! ```
//!
//! A rejection is the exception: it has counted a guess, and that is committed although the login
//! is rolled back. A count that shares the login's fate makes guessing free, and six digits are
//! guessed within hours.
//!
//! `log_in` is the part to copy. The database at the end stands for yours.

use core::convert::Infallible;
use core::error::Error;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;

use softtoken::store::{Snapshot, Swap, Write};
use softtoken::totp::Verifier;
use softtoken::{
    BlockingStore, Challenge, ChallengeSession, Code, Context, Evidence, Fault, Grant, Mfa,
    OsEntropy, Policy, SessionKeys, UnixTime,
};

/// Is a rule of this server's own.
const MOST_LOGINS: u32 = 3;

/// Logs in a user whose password was right, and who has been challenged.
fn log_in(
    database: &Database,
    mfa: &Mfa,
    session: &ChallengeSession,
    code: Code,
) -> Result<Evidence, Box<dyn Error + Send + Sync>> {
    let user = session.subject();
    let request = mfa.respond(session, code);
    for _ in 0..mfa.policy().swap_attempts() {
        let mut transaction = database.begin();
        let logins = transaction.count_login(user);

        let decision = request.decide(user, transaction.token(user))?;
        if decision.is_rejection() {
            // The login is gone; the guess is counted in a transaction of its own.
            transaction.rollback();
            transaction = database.begin();
        } else if logins > MOST_LOGINS {
            // Both are gone. That is safe: nobody is let in, and the code is not spent.
            transaction.rollback();
            return Err("too many logins".into());
        }

        let swap = decision
            .write()
            .map_or(Swap::Stored, |write| transaction.swap(write));
        if swap == Swap::Stored && transaction.commit() {
            return Ok(decision.committed::<Infallible>()?);
        }
        // Another request was faster: decide again, on the rows as they are now.
    }
    Err(Fault::Contended.into())
}

/// Holds what the clocks of the server and of the app show.
static SECONDS: AtomicU64 = AtomicU64::new(1_700_000_000);

fn now() -> UnixTime {
    UnixTime::from_secs(SECONDS.load(Ordering::Relaxed))
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let keys = SessionKeys::generate(1, &OsEntropy)?;
    let mfa = Mfa::new(Policy::STANDARD, || Some(now()), OsEntropy)
        .with_sessions(keys, Context::new("web")?);
    let database = Database::default();

    // No row of the server's own goes with the enrolment: for that the database is a store like any
    // other.
    let grant = Grant::first_factor("alice", now());
    let issued = mfa.associate(&grant).run_blocking(&database, "alice")?;
    let app = Verifier::new(issued.secret(), issued.totp());
    let step = || issued.totp().step(now());
    let verify = mfa.verify(&grant, app.code(step()));
    let enrolled = verify.run_blocking(&database, "alice")?;
    println!("enrolled {}\n", enrolled.evidence().subject());

    let attempt = |what: &str, code| {
        let outcome = match challenge(&database, &mfa, "alice")
            .and_then(|session| log_in(&database, &mfa, &session, code))
        {
            Ok(_evidence) => "logged in".into(),
            Err(error) => format!("rolled back, {error}"),
        };
        let logins = database.begin().logins("alice");
        println!("{what:16} logins: {logins}  {outcome}");
    };

    SECONDS.fetch_add(30, Ordering::Relaxed);
    attempt("a right code", app.code(step()));

    println!("\nThe logins are rolled back, their count is not:");
    for _ in 0..3 {
        attempt("a wrong code", app.code(step().saturating_offset(-2880)));
    }
    attempt("a right code", app.code(step().saturating_offset(1)));

    println!("\nOne code, four times at once:");
    SECONDS.fetch_add(60, Ordering::Relaxed);
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| attempt("the same code", app.code(step())));
        }
    });

    println!("\nA rule of the server's own takes the code back as well:");
    SECONDS.fetch_add(30, Ordering::Relaxed);
    attempt("a right code", app.code(step()));
    SECONDS.fetch_add(30, Ordering::Relaxed);
    attempt("a right code", app.code(step()));
    let mut log_out = database.begin();
    log_out.tables.logins.clear();
    assert!(log_out.commit(), "nobody else is there");
    attempt("the same code", app.code(step()));
    Ok(())
}

/// Asks what a sign-in needs, once the password was right: in this example, always a code.
fn challenge(
    database: &Database,
    mfa: &Mfa,
    user: &str,
) -> Result<ChallengeSession, Box<dyn Error + Send + Sync>> {
    match mfa.sign_in().run_blocking(database, user)? {
        Challenge::SoftwareToken { session, .. } => Ok(session),
        Challenge::NotRequired { .. } | Challenge::Setup { .. } => Err("no code is needed".into()),
    }
}

/// Holds tables in memory. A transaction sees what was committed when it began, and is committed
/// only where nobody else has committed since.
#[derive(Default)]
struct Database {
    committed: Mutex<Tables>,
}

#[derive(Clone, Default)]
struct Tables {
    commits: u64,
    logins: HashMap<String, u32>,
    tokens: HashMap<String, Snapshot>,
}

/// Is rolled back where it is dropped.
struct Transaction<'d> {
    database: &'d Database,
    tables: Tables,
}

impl Database {
    fn begin(&self) -> Transaction<'_> {
        Transaction {
            database: self,
            tables: self.committed.lock().expect("no panic").clone(),
        }
    }
}

impl Transaction<'_> {
    fn logins(&self, user: &str) -> u32 {
        self.tables.logins.get(user).copied().unwrap_or(0)
    }

    fn count_login(&mut self, user: &str) -> u32 {
        let logins = self.tables.logins.entry(user.into()).or_default();
        *logins += 1;
        *logins
    }

    fn token(&self, user: &str) -> Option<Snapshot> {
        self.tables.tokens.get(user).cloned()
    }

    /// Writes the record where the row's revision is the expected one.
    fn swap(&mut self, write: &Write) -> Swap {
        let user = write.subject();
        if self.tables.tokens.get(user).map(|row| row.revision) != write.expected() {
            return Swap::Conflict;
        }
        self.tables.tokens.insert(user.into(), write.snapshot());
        Swap::Stored
    }

    /// Returns whether it was committed.
    fn commit(mut self) -> bool {
        let mut committed = self.database.committed.lock().expect("no panic");
        let alone = committed.commits == self.tables.commits;
        if alone {
            self.tables.commits += 1;
            *committed = self.tables;
        }
        alone
    }

    fn rollback(self) {
        drop(self);
    }
}

/// Serves requests that no row of the server's own goes with.
impl BlockingStore for Database {
    type Error = Infallible;

    fn load_blocking(&self, user: &str) -> Result<Option<Snapshot>, Infallible> {
        Ok(self.begin().token(user))
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        loop {
            let mut transaction = self.begin();
            if transaction.swap(&write) == Swap::Conflict {
                return Ok(Swap::Conflict);
            }
            if transaction.commit() {
                return Ok(Swap::Stored);
            }
        }
    }
}
