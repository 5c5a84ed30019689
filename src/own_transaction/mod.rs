//! Checks that a login's own rows and its second factor are committed together, or not at all.
//!
//! For a [transaction of your own](crate::manual::handlers#in-a-transaction-of-your-own) that is
//! written by hand, or for others in a package. Implement [`Logins`] over an async driver or
//! [`BlockingLogins`] over one that blocks, on top of a store that passes
//! [`store::conformance`](crate::store::conformance), and run the suite on the real engine, through
//! the real pool: [`check`] or [`check_blocking`].
//!
//! ```
//! use core::convert::Infallible;
//! use std::sync::Mutex;
//! use std::{collections::HashMap, collections::HashSet};
//! use softtoken::association::Operation;
//! use softtoken::mfa::Request;
//! use softtoken::own_transaction::{self, BlockingLogins, Ending, Login};
//! use softtoken::store::{BlockingStore, Snapshot, Swap, Write};
//! use softtoken::Error;
//!
//! /// Stands for a database: two tables, and one transaction at a time.
//! #[derive(Default)]
//! struct Database(Mutex<Tables>);
//!
//! #[derive(Clone, Default)]
//! struct Tables {
//!     records: HashMap<String, Snapshot>,
//!     logins: HashSet<String>,
//! }
//!
//! impl Tables {
//!     fn swap(&mut self, write: &Write) -> Swap {
//!         let found = self.records.get(write.subject()).map(|row| row.revision);
//!         if found != write.expected() {
//!             return Swap::Conflict;
//!         }
//!         self.records.insert(write.subject().into(), write.snapshot());
//!         Swap::Stored
//!     }
//! }
//!
//! impl BlockingLogins for Database {
//!     fn log_in_blocking<O: Operation>(
//!         &self,
//!         subject: &str,
//!         request: Request<O>,
//!         login: &Login,
//!     ) -> Result<Option<O::Output>, Error<Infallible>> {
//!         let mut committed = self.0.lock().unwrap_or_else(|panicked| panicked.into_inner());
//!         let mut tables = committed.clone(); // BEGIN
//!         let decision = request.decide(subject, tables.records.get(subject).cloned())?;
//!         if let Some(write) = decision.write() {
//!             assert_eq!(tables.swap(write), Swap::Stored, "nobody else writes");
//!         }
//!         if !decision.is_rejection() {
//!             tables.logins.insert(login.row().into()); // a row of the application's own
//!             match login.ending() {
//!                 Ending::Commit | Ending::WriteTwice => {}
//!                 Ending::Leave => return Ok(None), // ROLLBACK
//!                 Ending::Fail | Ending::RollBack => {
//!                     return Err(Error::Fault(softtoken::Fault::Contended));
//!                 }
//!                 Ending::Panic => panic!("as the suite asks"),
//!             }
//!         }
//!         *committed = tables; // COMMIT
//!         decision.committed().map(Some)
//!     }
//!
//!     fn has_row_blocking(&self, row: &str) -> Result<bool, Infallible> {
//!         Ok(self.0.lock().unwrap_or_else(|panicked| panicked.into_inner()).logins.contains(row))
//!     }
//! }
//! #
//! # impl BlockingStore for Database {
//! #     type Error = Infallible;
//! #
//! #     fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
//! #         let tables = self.0.lock().unwrap_or_else(|panicked| panicked.into_inner());
//! #         Ok(tables.records.get(subject).cloned())
//! #     }
//! #
//! #     fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
//! #         Ok(self.0.lock().unwrap_or_else(|panicked| panicked.into_inner()).swap(&write))
//! #     }
//! # }
//!
//! let database = Database::default();
//! own_transaction::check_blocking(|| &database)?;
//! # Ok::<(), own_transaction::Violation>(())
//! ```
//!
//! Each run has subjects and rows of its own, whose names begin with `own-transaction-`; they stay
//! there. What no suite of this kind can see is a commit that was acknowledged and is lost in a
//! crash: kill the database under load, as the manual says for
//! [stores](crate::manual::stores#kills).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::error::Error as StdError;
use core::fmt;
use core::pin::Pin;

use crate::association::Operation;
use crate::error::Error;
use crate::mfa::Request;
use crate::store::{BlockingStore, BoxedError, Store};
use adapted::Adapted;
use bench::Bench;

mod adapted;
mod bench;
mod hung_up;
mod rules;

/// Is the answer of a login, where it was not left.
type Answer<T, E> = Result<Option<T>, Error<E>>;

/// Logs users in over an async driver, with a row of the application's own in the transaction.
pub trait Logins: Store {
    /// Decides the request in a transaction; where it is accepted, writes [`Login::row`] in the
    /// same transaction, and ends it as [`Login::ending`] says. Returns the answer where both were
    /// committed, and `None` where the transaction was left.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Request::run`], and those of the commit.
    fn log_in<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> impl Future<Output = Result<Option<O::Output>, Error<Self::Error>>> + Send;

    /// Returns whether this row is there, committed, as another connection sees it.
    ///
    /// # Errors
    ///
    /// The row could not be read.
    fn has_row(&self, row: &str) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

/// Logs users in over a driver that blocks, with a row of the application's own in the transaction.
pub trait BlockingLogins: BlockingStore {
    /// Does what [`Logins::log_in`] does.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Request::run_blocking`], and those of the commit.
    fn log_in_blocking<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, Error<Self::Error>>;

    /// Returns whether this row is there, committed, as another connection sees it.
    ///
    /// # Errors
    ///
    /// The row could not be read.
    fn has_row_blocking(&self, row: &str) -> Result<bool, Self::Error>;
}

impl<L: Logins + ?Sized> Logins for &L {
    fn log_in<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> impl Future<Output = Result<Option<O::Output>, Error<Self::Error>>> + Send {
        (**self).log_in(subject, request, login)
    }

    fn has_row(&self, row: &str) -> impl Future<Output = Result<bool, Self::Error>> + Send {
        (**self).has_row(row)
    }
}

impl<L: BlockingLogins + ?Sized> BlockingLogins for &L {
    fn log_in_blocking<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, Error<Self::Error>> {
        (**self).log_in_blocking(subject, request, login)
    }

    fn has_row_blocking(&self, row: &str) -> Result<bool, Self::Error> {
        (**self).has_row_blocking(row)
    }
}

/// Says what the application does in an accepted login's transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    row: String,
    ending: Ending,
}

impl Login {
    /// Creates what a check of your own asks of [`Logins`] or [`BlockingLogins`], such as one that
    /// kills the database. The suite makes its own.
    #[must_use]
    pub fn new(row: impl Into<String>, ending: Ending) -> Self {
        let row = row.into();
        Self { row, ending }
    }

    /// Returns the key of the row to write: at most 64 ASCII characters, in a table whose primary
    /// key it is.
    #[must_use]
    pub fn row(&self) -> &str {
        &self.row
    }

    /// Returns how the transaction is to end, once the row is written.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending
    }
}

/// Says how an accepted login's transaction is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an implementation does each")]
pub enum Ending {
    /// Commit, and return the answer.
    Commit,
    /// Leave without a commit, and return `None`.
    Leave,
    /// Write the same row once more, whatever the database says to it, and then commit. Where the
    /// engine takes the second error for the whole transaction's, the commit must say so.
    WriteTwice,
    /// Commit in such a way that the engine fails: by a row that a deferred constraint refuses, or
    /// by ending the connection before.
    Fail,
    /// Send `ROLLBACK` as a statement, and then commit. Some engines end a transaction so by
    /// themselves, on a deadlock or a full disk; the commit must say so, and the connection must be
    /// fit for the next login, or be closed.
    RollBack,
    /// Panic instead of the commit.
    Panic,
}

/// Checks a blocking implementation by the standard [`Suite`]. `open` is called several times: each
/// call returns another handle on the same database, or the same pool.
///
/// # Errors
///
/// Returns the first [`Violation`] that was found. The database is then in any state.
pub fn check_blocking<L: BlockingLogins>(open: impl Fn() -> L + Sync) -> Result<(), Violation> {
    Suite::new().check_blocking(open)
}

/// Checks an async implementation by the standard [`Suite`]. `open` is called several times: each
/// call returns another handle on the same database, or the same pool. `block_on` runs a future to
/// its end on the thread that calls it, several at once.
///
/// # Errors
///
/// Returns the first [`Violation`] that was found. The database is then in any state.
pub fn check<L: Logins>(
    open: impl Fn() -> L + Sync,
    block_on: impl Fn(Pin<Box<dyn Future<Output = ()> + Send + '_>>) + Sync,
) -> Result<(), Violation> {
    Suite::new().check(open, block_on)
}

/// Sets how much is tried. [`check`] and [`check_blocking`] run the standard suite.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    rounds: u32,
    hang_ups: u32,
}

impl Suite {
    /// Creates the standard suite: 16 rounds, 128 clients that hang up.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rounds: 16,
            hang_ups: 128,
        }
    }

    /// Runs every race `rounds` times. More rounds find narrower windows; the time grows in
    /// proportion.
    #[must_use]
    pub const fn rounds(self, rounds: u32) -> Self {
        Self { rounds, ..self }
    }

    /// Lets so many clients hang up in the middle of their logins, each at another point, before
    /// others are to be served. A pool is used up by as many as it has connections.
    #[must_use]
    pub const fn hang_ups(self, hang_ups: u32) -> Self {
        Self { hang_ups, ..self }
    }

    /// Checks a blocking implementation.
    ///
    /// # Errors
    ///
    /// Returns the first [`Violation`] that was found. The database is then in any state.
    pub fn check_blocking<L: BlockingLogins>(
        self,
        open: impl Fn() -> L + Sync,
    ) -> Result<(), Violation> {
        rules::check(&Bench::new(&open), self.rounds)
    }

    /// Checks an async implementation, and that futures dropped before they end do no harm.
    ///
    /// # Errors
    ///
    /// Returns the first [`Violation`] that was found. The database is then in any state.
    pub fn check<L: Logins>(
        self,
        open: impl Fn() -> L + Sync,
        block_on: impl Fn(Pin<Box<dyn Future<Output = ()> + Send + '_>>) + Sync,
    ) -> Result<(), Violation> {
        let open = || Adapted::new(open(), &block_on);
        let bench = Bench::new(&open);
        rules::check(&bench, self.rounds)?;
        hung_up::check(&bench, self.hang_ups)
    }
}

impl Default for Suite {
    fn default() -> Self {
        Self::new()
    }
}

/// Names a rule that a transaction of one's own must keep. Each variant says what rests on it.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// The database answers, and a right code is accepted. The error is the violation's
    /// [`source`](StdError::source).
    Answers,
    /// A login that was answered with its evidence has both its rows: else its code signs in again,
    /// or the application does not know of a login that it let in.
    Both,
    /// A login that was not committed has neither row: a code that let nobody in is not spent, and
    /// nothing speaks of a login that was none.
    Neither,
    /// A rejection's count is stored although the login is none: else guessing is free.
    Counted,
    /// A conflict is decided anew: one code signs in once, and parallel guesses are counted one by
    /// one.
    DecidedAnew,
    /// The next login is served, whatever became of others: else one client who hangs up shuts the
    /// database for everybody.
    Served,
}

impl fmt::Display for Rule {
    /// Writes the rule as a clause.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Answers => "a login is answered",
            Self::Both => "a login that was accepted has both its rows",
            Self::Neither => "a login that was not committed has neither row",
            Self::Counted => "a rejection's count is stored although the login is none",
            Self::DecidedAnew => "a conflict is decided anew",
            Self::Served => "the next login is served, whatever became of others",
        })
    }
}

/// Reports a rule that a transaction does not keep, and how the suite saw it.
#[derive(Debug, thiserror::Error)]
#[error("{rule}; but {seen}")]
pub struct Violation {
    rule: Rule,
    seen: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Violation {
    fn new(rule: Rule, seen: impl Into<String>) -> Self {
        Self {
            rule,
            seen: seen.into(),
            source: None,
        }
    }

    fn failed(
        rule: Rule,
        seen: impl Into<String>,
        error: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self {
            source: Some(BoxedError::new(error).into_inner()),
            ..Self::new(rule, seen)
        }
    }

    /// Says where in the suite the rule was broken.
    fn after(self, what: &str) -> Self {
        Self {
            seen: format!("after {what} {}", self.seen),
            ..self
        }
    }

    /// Returns the rule that was broken; of several broken rules, the first that the suite saw.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }
}
