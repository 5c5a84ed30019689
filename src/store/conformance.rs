//! Checks a store against the [list](super#to-be-correct) of rules, with races on real threads.
//!
//! One call runs the whole suite. `open` returns a handle on one and the same storage each time:
//! another connection to a test database, or the same pool. A row that one handle acknowledged must
//! be there for the others, and for a handle that is opened later.
//!
//! ```
//! use softtoken::store::{MemoryStore, conformance};
//!
//! let store = MemoryStore::new();
//! conformance::check_blocking(|| &store)?;
//! # Ok::<(), conformance::Violation>(())
//! ```
//!
//! An async store brings the executor that its driver needs. `block_on` runs a future to its end on
//! the thread that calls it, and is called by several threads at once:
//!
//! ```
//! use softtoken::store::{MemoryStore, conformance};
//!
//! let store = MemoryStore::new();
//! conformance::check(|| &store, |future| pollster::block_on(future))?;
//! # Ok::<(), conformance::Violation>(())
//! ```
//!
//! Each run has subjects of its own, so the suite may be run again on the same database. The rows
//! stay there, about 600 of them, most under names that begin with `conformance-`. A run stores
//! some 1,500 swaps: a fraction of a second in memory, half a minute at 20 ms a commit. A store
//! that deadlocks hangs the suite.
//!
//! No suite of this kind can see whether `Stored` outlives a crash of the database or of the
//! machine (write under load, kill the database, start it again, and compare), a replica that lags
//! only during a failover, backups that are put back, and rows that something else deletes.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::error::Error;
use core::fmt;
use core::pin::Pin;

use super::{BlockingStore, BoxedError, Store};
use adapted::Adapted;
pub(crate) use adapted::dropped_after;
use bench::Bench;

mod adapted;
mod bench;
mod dropped;
mod races;
mod sequential;

/// Checks a blocking store by the standard [`Suite`]. `open` is called several times: each call
/// returns another handle on the same storage, a connection of its own where there is one.
///
/// # Errors
///
/// Returns the first [`Violation`] that was found. The storage is then in any state.
pub fn check_blocking<S: BlockingStore>(open: impl Fn() -> S + Sync) -> Result<(), Violation> {
    Suite::new().check_blocking(open)
}

/// Checks an async store by the standard [`Suite`]. `open` is called several times: each call
/// returns another handle on the same storage. `block_on` runs a future to its end on the thread
/// that calls it.
///
/// # Errors
///
/// Returns the first [`Violation`] that was found. The storage is then in any state.
pub fn check<S: Store>(
    open: impl Fn() -> S + Sync,
    block_on: impl Fn(Pin<Box<dyn Future<Output = ()> + Send + '_>>) + Sync,
) -> Result<(), Violation> {
    Suite::new().check(open, block_on)
}

/// Sets how much is tried. [`check`] and [`check_blocking`] run the standard suite.
///
/// The suite sees a race only where threads meet in it. Over a network or a disk, where a swap
/// takes long, the standard suite catches a store that reads and then writes every time; where a
/// swap takes nanoseconds, ask for thousands of rounds.
///
/// ```
/// use softtoken::store::{MemoryStore, conformance::Suite};
///
/// let store = MemoryStore::new();
/// Suite::new().rounds(200).check_blocking(|| &store)?;
/// # Ok::<(), softtoken::store::conformance::Violation>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    rounds: u32,
    record_bytes: usize,
}

impl Suite {
    /// Creates the standard suite: 128 rounds, records of up to 4,096 bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rounds: 128,
            record_bytes: 4096,
        }
    }

    /// Runs every race `rounds` times. More rounds find narrower windows; the time grows in
    /// proportion.
    #[must_use]
    pub const fn rounds(self, rounds: u32) -> Self {
        Self { rounds, ..self }
    }

    /// Tries records of up to so many bytes: what
    /// [`Policy::max_record_bytes`](crate::Policy::max_record_bytes) says, where a policy with many
    /// tokens or long names needs more than the standard suite tries, or a column of yours holds
    /// less.
    ///
    /// ```
    /// use softtoken::Policy;
    /// use softtoken::store::{MemoryStore, conformance::Suite};
    ///
    /// let policy = Policy::builder().max_tokens(10).name_bytes(1024).build()?;
    /// let store = MemoryStore::new();
    /// let suite = Suite::new().record_bytes(policy.max_record_bytes());
    /// suite.check_blocking(|| &store)?;
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn record_bytes(self, record_bytes: usize) -> Self {
        Self {
            record_bytes,
            ..self
        }
    }

    /// Checks a blocking store.
    ///
    /// # Errors
    ///
    /// Returns the first [`Violation`] that was found. The storage is then in any state.
    pub fn check_blocking<S: BlockingStore>(
        self,
        open: impl Fn() -> S + Sync,
    ) -> Result<(), Violation> {
        let bench = Bench::new(&open);
        sequential::check(&bench, self.record_bytes)?;
        races::check(&bench, self.rounds)
    }

    /// Checks an async store, and that futures dropped before they end do no harm.
    ///
    /// # Errors
    ///
    /// Returns the first [`Violation`] that was found. The storage is then in any state.
    pub fn check<S: Store>(
        self,
        open: impl Fn() -> S + Sync,
        block_on: impl Fn(Pin<Box<dyn Future<Output = ()> + Send + '_>>) + Sync,
    ) -> Result<(), Violation> {
        let open = || Adapted::new(open(), &block_on);
        let bench = Bench::new(&open);
        sequential::check(&bench, self.record_bytes)?;
        dropped::check(&bench)?;
        races::check(&bench, self.rounds)
    }
}

impl Default for Suite {
    fn default() -> Self {
        Self::new()
    }
}

/// Names a rule that a store must keep. Each variant says what rests on the rule.
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// The store answers. The store's own error is the violation's [`source`](Error::source).
    Answers,
    /// A subject that was never written loads as `None`: nobody is enrolled by accident.
    Absent,
    /// A swap that was answered with `Stored` is there: a code signs in once, a failed guess stays
    /// counted.
    Durable,
    /// A swap that one handle stored is there for every other handle, and for a handle that is
    /// opened later: the same, across connections, processes and restarts.
    Shared,
    /// A load finds the latest acknowledged swap, or a later one: a user who has just enrolled is
    /// asked for a code.
    Latest,
    /// The revision is kept as given: none is used twice, so no stale decision is stored.
    Revisions,
    /// The record comes back to the byte: a record that does not open locks its user out.
    Opaque,
    /// A swap whose expectation does not hold is answered with `Conflict`: the decision of another
    /// request in the meantime stays.
    Expectation,
    /// A swap that was answered with `Conflict` has stored nothing: else the answer to an accepted
    /// code is lost.
    Unchanged,
    /// A swap whose expectation holds is stored: else nobody signs in.
    Progress,
    /// One of several swaps with one expectation is stored: the same code, sent twice in parallel,
    /// signs in once, and parallel guesses are counted one by one.
    OneWinner,
    /// Rows are never deleted, rows with an empty record included: the throttle does not forget,
    /// and a swap that was prepared before a reset does not succeed after it.
    NeverDeleted,
    /// Subjects are compared byte for byte: one user's factor is not another's.
    ByteForByte,
    /// Subjects have nothing to do with each other: one user does not hold up, or change, another
    /// user.
    Independent,
    /// A load returns the bytes and the revision of one swap: a half-written record is nobody's
    /// decision.
    Whole,
    /// A future that is dropped leaves the old record or the new one, and its handle fit for use: a
    /// client that hangs up is harmless.
    Dropped,
}

impl fmt::Display for Rule {
    /// Writes the rule as a clause.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Answers => "a store answers",
            Self::Absent => "a subject that was never written loads as None",
            Self::Durable => "what was answered with Stored is there",
            Self::Shared => "what one handle stored is there for every other",
            Self::Latest => "a load finds the latest acknowledged swap",
            Self::Revisions => "the revision is kept as given",
            Self::Opaque => "the record comes back to the byte",
            Self::Expectation => "a swap whose expectation does not hold is a Conflict",
            Self::Unchanged => "a swap that was answered with Conflict has stored nothing",
            Self::Progress => "a swap whose expectation holds is stored",
            Self::OneWinner => "of several swaps with one expectation, one is stored",
            Self::NeverDeleted => "rows are never deleted",
            Self::ByteForByte => "subjects are compared byte for byte",
            Self::Independent => "subjects have nothing to do with each other",
            Self::Whole => "a load gives the bytes and the revision of one swap",
            Self::Dropped => "a dropped future leaves the old record or the new one",
        })
    }
}

/// Reports a rule that a store does not keep, and how the suite saw it.
///
/// ```
/// use core::convert::Infallible;
/// use softtoken::store::{BlockingStore, Snapshot, Swap, Write, conformance::{self, Rule}};
///
/// struct Forgetful;
///
/// impl BlockingStore for Forgetful {
///     type Error = Infallible;
///
///     fn load_blocking(&self, _: &str) -> Result<Option<Snapshot>, Infallible> {
///         Ok(None)
///     }
///
///     fn compare_and_swap_blocking(&self, _: Write) -> Result<Swap, Infallible> {
///         Ok(Swap::Stored)
///     }
/// }
///
/// let violation = conformance::check_blocking(|| Forgetful).expect_err("it keeps nothing");
/// println!("{violation}");
/// # assert_ne!(violation.rule(), Rule::Answers);
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{rule}; but {seen}")]
pub struct Violation {
    rule: Rule,
    seen: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Violation {
    fn new(rule: Rule, seen: impl Into<String>) -> Self {
        Self {
            rule,
            seen: seen.into(),
            source: None,
        }
    }

    fn failed(call: &str, subject: &str, error: impl Error + Send + Sync + 'static) -> Self {
        Self {
            rule: Rule::Answers,
            seen: format!("{call} of {subject:?} failed"),
            source: Some(BoxedError::new(error).into_inner()),
        }
    }

    /// Returns the rule that was broken; of several broken rules, the first that the suite saw.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }
}
