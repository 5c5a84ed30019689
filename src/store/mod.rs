//! Where records are kept: two methods over a database of your own.
//!
//! A store keeps one row for each subject: the record, bytes that only this crate reads, and its
//! [`Revision`]. [`Store`] is its async form, [`BlockingStore`] the same without futures; write the one
//! that your driver speaks. `MemoryStore` (feature `std`) is both, for tests and examples.
//!
//! # To be correct
//!
//! 1. **The swap is atomic and durable before it says [`Swap::Stored`].** It compares the row's
//!    revision with [`Write::expected`] and puts [`Write::record`] under [`Write::next`], as one step: in
//!    one statement, transaction or script, never as a read and then a write. What was acknowledged
//!    outlives a crash. *Protects: a code signs in once; a failed guess stays counted.*
//! 2. **Of two swaps with one expectation at most one is stored.** [`None`] expects that there is no
//!    row. *Protects: the same code, sent twice in parallel, signs in once; N parallel guesses are N
//!    counted guesses.*
//! 3. **[`Swap::Conflict`] means that nothing was stored**, and is the answer exactly where the
//!    expectation does not hold. *Protects: the answer to an accepted code, see below.*
//! 4. **Loads are linearizable:** a load that begins after a swap was acknowledged, anywhere, finds that
//!    swap or a later one. Ask the primary, never a replica or a cache that may lag. The swap would refuse
//!    a stale expectation, but a sign-in that asks for no code, and a status, are answered from a load
//!    alone. *Protects: who has just enrolled is asked for a code.*
//! 5. **Rows are never deleted:** a reset writes a record, which may be empty, and an empty record is a
//!    record. Nothing expires, nothing is evicted. *Protects: a revision is never used twice, so a swap that
//!    was prepared before a reset does not succeed after it; and the throttle does not forget.*
//! 6. **Revisions are kept as given**, one more each time, up to [`i64::MAX`]: as signed 64-bit integers,
//!    not as floating-point numbers.
//! 7. **Record bytes are opaque** and come back as they were: any byte, any length from 0 to a few
//!    kilobytes. They may hold secrets in the clear, unless they are [sealed](crate::record#sealed): keep them out of logs.
//! 8. **Subjects are compared byte for byte**, in UTF-8, up to 256 bytes: no folding of case, no Unicode
//!    normalisation, no trimming, no truncation. *Protects: one user's factor is not another's.*
//! 9. **A future that is dropped leaves the old record or the new one**, never part of either; and no
//!    transaction open on a connection that is used again.
//!
//! Which error is safe: where you do not know whether the swap was applied (a timeout, a connection
//! lost at commit), answer [`Err`]; the caller is then told that nothing is certain, and may ask again. Saying
//! `Conflict` of a swap that was stored loses an answer: the crate decides anew, and a user whose code was
//! accepted is told that it was used already. Saying `Stored` of a swap that was not is the dangerous
//! one: the code signs in a second time, the guess was free.
//!
//! # In SQL
//!
//! ```sql
//! CREATE TABLE softtoken (
//!     subject  TEXT   NOT NULL PRIMARY KEY, -- where TEXT compares bytes; in MySQL VARBINARY(256)
//!     revision BIGINT NOT NULL,
//!     record   BYTEA  NOT NULL
//! );
//! -- expected() is None:
//! INSERT INTO softtoken (subject, revision, record) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;
//! -- expected() is Some:
//! UPDATE softtoken SET revision = $2, record = $3 WHERE subject = $1 AND revision = $4;
//! ```
//!
//! One row affected is `Stored`, none is `Conflict`. Where there is no `ON CONFLICT`, insert, and answer `Conflict`
//! to a duplicate key and to no other error. [`Write::events`] is there so that an outbox row can be written in
//! the same transaction.
//!
//! # A whole store
//!
//! ```
//! use core::convert::Infallible;
//! use std::{collections::HashMap, sync::Mutex};
//! use softtoken::store::{BlockingStore, Snapshot, Swap, Write};
//!
//! #[derive(Default)]
//! struct Map(Mutex<HashMap<String, Snapshot>>);
//!
//! impl BlockingStore for Map {
//!     type Error = Infallible;
//!
//!     fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
//!         Ok(self.0.lock().unwrap().get(subject).cloned())
//!     }
//!
//!     fn compare_and_swap_blocking(&self, subject: &str, write: Write<'_>) -> Result<Swap, Infallible> {
//!         let mut rows = self.0.lock().unwrap();
//!         if rows.get(subject).map(|row| row.revision) != write.expected() {
//!             return Ok(Swap::Conflict);
//!         }
//!         rows.insert(subject.into(), write.snapshot());
//!         Ok(Swap::Stored)
//!     }
//! }
//!
//! // In its tests, with feature `conformance`:
//! # #[cfg(feature = "conformance")]
//! # {
//! use softtoken::store::conformance;
//!
//! let map = Map::default();
//! conformance::check_blocking(|| &map)?;
//! # }
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! The suite checks the list above with races on real threads; see `conformance` for an async store and for
//! what no suite can see. The [manual](crate::manual) goes from here to a store on a real engine: isolation, pools,
//! replicas, kills.

use alloc::vec::Vec;
use core::fmt;

use crate::association::Events;
use crate::revision::Revision;

mod boxed;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "std")]
mod memory;
mod pointer;

pub use boxed::{BoxFuture, BoxedError, DynStore};
#[cfg(feature = "std")]
pub use memory::MemoryStore;

/// A subject's row, as a store loads it.
///
/// `record` is what [`Write::record`] was, to the byte; it may hold a secret in the clear, so `Debug` prints
/// only its length.
///
/// ```
/// use softtoken::{Revision, store::Snapshot};
///
/// let row = Snapshot { revision: Revision::FIRST, record: b"secret".to_vec() };
/// assert_eq!(format!("{row:?}"), "Snapshot { revision: Revision(1), record: 6 bytes }");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The number of this record.
    pub revision: Revision,
    /// The record, opaque.
    pub record: Vec<u8>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Snapshot")
            .field("revision", &self.revision)
            .field("record", &format_args!("{} bytes", self.record.len()))
            .finish()
    }
}

/// What became of a swap. Where a store cannot tell, that is an error, not one of these.
#[must_use = "nothing is accepted before the store has said `Stored`"]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Swap {
    /// The expectation held; the record is stored, durably, under [`Write::next`].
    Stored,
    /// The expectation did not hold; nothing has changed.
    Conflict,
}

/// What to store, and what must be there for it to be stored.
///
/// A [`Decision`](crate::Decision) makes one; [`new`](Self::new) is for a store's own tests. `Debug` prints no
/// record.
///
/// ```
/// use softtoken::{Events, Revision, store::Write};
///
/// let events = Events::default();
/// let write = Write::new(Some(Revision::FIRST), b"record", &events).expect("one write of many");
/// assert_eq!(write.expected(), Some(Revision::FIRST));
/// assert_eq!(write.next().get(), 2);
/// assert_eq!(write.record(), b"record");
/// assert!(write.events().is_empty());
/// ```
#[derive(Clone, Copy)]
pub struct Write<'a> {
    expected: Option<Revision>,
    next: Revision,
    record: &'a [u8],
    events: &'a Events,
}

impl<'a> Write<'a> {
    /// The write that follows `expected`, `None` for a subject's first; `None` where the revisions are used up.
    #[must_use]
    pub fn new(expected: Option<Revision>, record: &'a [u8], events: &'a Events) -> Option<Self> {
        Some(Self {
            expected,
            next: Revision::after(expected)?,
            record,
            events,
        })
    }

    /// The revision that the row must have; `None`: there must be no row.
    #[must_use]
    pub fn expected(&self) -> Option<Revision> {
        self.expected
    }

    /// The revision to store: the expected one plus one, or the first.
    #[must_use]
    pub fn next(&self) -> Revision {
        self.next
    }

    /// The record to store. It may be empty, and may hold a secret in the clear.
    #[must_use]
    pub fn record(&self) -> &'a [u8] {
        self.record
    }

    /// What this write means, for an outbox row in the same transaction. A store may ignore it.
    #[must_use]
    pub fn events(&self) -> &'a Events {
        self.events
    }

    /// The row as it is once this write is stored: a copy of the record under [`next`](Self::next).
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            revision: self.next,
            record: self.record.to_vec(),
        }
    }
}

impl fmt::Debug for Write<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Write")
            .field("expected", &self.expected)
            .field("next", &self.next)
            .field("record", &format_args!("{} bytes", self.record.len()))
            .field("events", self.events)
            .finish()
    }
}

/// Keeps records: the async form. What it owes is [listed](self#to-be-correct) in the module's documentation.
///
/// `async fn` implements it. No runtime is named; the futures are `Send`. For a store that is chosen at run time
/// there is [`DynStore`].
///
/// ```
/// # #[cfg(feature = "std")]
/// # mod example {
/// use core::convert::Infallible;
/// use softtoken::store::{MemoryStore, Snapshot, Store, Swap, Write};
///
/// struct Counted { rows: MemoryStore }
///
/// impl Store for Counted {
///     type Error = Infallible;
///
///     async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
///         self.rows.load(subject).await
///     }
///
///     async fn compare_and_swap(&self, subject: &str, write: Write<'_>) -> Result<Swap, Infallible> {
///         self.rows.compare_and_swap(subject, write).await
///     }
/// }
/// # }
/// ```
pub trait Store: Send + Sync {
    /// Why it could not answer. It reaches the caller whole, as a source.
    type Error: core::error::Error + Send + Sync + 'static;

    /// The subject's row as the latest acknowledged swap left it, or `None` where there never was one.
    ///
    /// # Errors
    ///
    /// The row could not be read. Nothing has changed, and nothing is accepted.
    fn load(
        &self,
        subject: &str,
    ) -> impl Future<Output = Result<Option<Snapshot>, Self::Error>> + Send;

    /// Stores [`Write::record`] under [`Write::next`] if the row's revision is [`Write::expected`], as one step,
    /// durably before it answers.
    ///
    /// # Errors
    ///
    /// It is not known that the record was stored, nor that it was not. Nothing is accepted.
    fn compare_and_swap(
        &self,
        subject: &str,
        write: Write<'_>,
    ) -> impl Future<Output = Result<Swap, Self::Error>> + Send;
}

/// Keeps records: the form that blocks. What it owes is [listed](self#to-be-correct) in the module's
/// documentation, with an [example](self#a-whole-store).
///
/// For a store that is chosen at run time: `dyn BlockingStore<Error = YourError>`.
pub trait BlockingStore: Send + Sync {
    /// Why it could not answer. It reaches the caller whole, as a source.
    type Error: core::error::Error + Send + Sync + 'static;

    /// The subject's row as the latest acknowledged swap left it, or `None` where there never was one.
    ///
    /// # Errors
    ///
    /// The row could not be read. Nothing has changed, and nothing is accepted.
    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Self::Error>;

    /// Stores [`Write::record`] under [`Write::next`] if the row's revision is [`Write::expected`], as one step,
    /// durably before it returns.
    ///
    /// # Errors
    ///
    /// It is not known that the record was stored, nor that it was not. Nothing is accepted.
    fn compare_and_swap_blocking(
        &self,
        subject: &str,
        write: Write<'_>,
    ) -> Result<Swap, Self::Error>;
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::{Events, Revision, Write};

    #[test]
    fn a_write_shows_its_events_and_not_its_record() {
        let events = Events::default();
        let write = Write::new(None, b"JBSWY3DPEHPK3PXP", &events).expect("the first");
        let printed = format!("{write:?}");
        assert!(
            printed.starts_with("Write { expected: None, next: Revision(1), record: 16 bytes, ")
        );
        assert!(core::ptr::eq(write.events(), &raw const events));
    }

    #[test]
    fn after_the_last_revision_nothing_can_be_written() {
        let events = Events::default();
        let last = Revision::from_i64(i64::MAX);
        assert!(Write::new(last, b"record", &events).is_none());
        let one_before = Revision::from_i64(i64::MAX - 1);
        assert_eq!(
            Write::new(one_before, b"record", &events).map(|write| write.next()),
            last
        );
    }
}
