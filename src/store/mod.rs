//! Keeps each subject's record in your own database, by two methods.
//!
//! A store keeps one row for each subject: the record, whose bytes only this crate reads, and the
//! record's [`Revision`]. Implement [`Store`] over an async driver and [`BlockingStore`] over one
//! that blocks; the two traits share no method name, so a type may be both. `MemoryStore` (feature
//! `std`) is both, for tests and examples.
//!
//! # To be correct
//!
//! 1. **The swap is atomic and durable before it says [`Swap::Stored`].** The swap compares the
//!    row's revision with [`Write::expected`] and puts [`Write::record`] under [`Write::next`], as
//!    one step: in one statement, transaction or script, never as a read and then a write. A swap
//!    that was acknowledged outlives a crash. *Protects: a code signs in once; a failed guess stays
//!    counted.*
//! 2. **Of two swaps with one expectation at most one is stored.** [`None`] expects that there is
//!    no row. *Protects: the same code, sent twice in parallel, signs in once; N parallel guesses
//!    are N counted guesses.*
//! 3. **[`Swap::Conflict`] means that nothing was stored**, and is the answer exactly where the
//!    expectation does not hold. *Protects: the answer to an accepted code, see below.*
//! 4. **Loads are linearizable:** a load that begins after a swap was acknowledged, anywhere, finds
//!    that swap or a later one. Ask the primary, never a replica or a cache that may lag. The swap
//!    would refuse a stale expectation, but a sign-in that asks for no code, and a status, are
//!    answered from a load alone. *Protects: a user who has just enrolled is asked for a code.*
//! 5. **Rows are not deleted:** a reset writes a record, which may be empty, and an empty record is
//!    a record. Nothing expires, nothing is evicted. A row may go only with a subject that never
//!    comes back, and not before the longest session, grant and browser token have run out.
//!    *Protects: a revision is never used twice, so a swap that was prepared before a reset does
//!    not succeed after it; and the throttle does not forget.*
//! 6. **Revisions are kept as given**, one more each time, up to [`i64::MAX`]: as signed 64-bit
//!    integers, not as floating-point numbers.
//! 7. **Record bytes are opaque** and come back as they were: any byte, any length from 0 to what
//!    [`Policy::max_record_bytes`](crate::Policy::max_record_bytes) says, 3 kilobytes in
//!    `Policy::STANDARD`. The bytes may hold secrets in the clear, unless records are
//!    [sealed](crate::record#sealed): keep the bytes out of logs.
//! 8. **Subjects are compared byte for byte**, in UTF-8, up to 256 bytes: no folding of case, no
//!    Unicode normalisation, no trimming, no truncation. *Protects: one user's factor is not
//!    another's.*
//! 9. **A future that is dropped leaves the old record or the new one**, never part of either; and
//!    no transaction open on a connection that is used again.
//!
//! Answer [`Err`] where the store does not know whether the swap was applied (a timeout, a
//! connection lost at commit): the caller learns that nothing is certain, and may ask again.
//! Answering `Conflict` to a swap that was stored loses an answer: the crate decides anew, and
//! tells a user whose code was accepted that the code was used already. Answering `Stored` to a
//! swap that was not is the dangerous error: the code signs in a second time, and the guess was
//! free.
//!
//! # In SQL
//!
//! ```sql
//! CREATE TABLE mfa (
//!     subject  TEXT   NOT NULL PRIMARY KEY, -- where TEXT compares bytes; in MySQL VARBINARY(256)
//!     revision BIGINT NOT NULL,
//!     record   BYTEA  NOT NULL
//! );
//! -- the load:
//! SELECT revision, record FROM mfa WHERE subject = $1;
//! -- the swap, where expected() is None:
//! INSERT INTO mfa (subject, revision, record) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;
//! -- the swap, where expected() is Some:
//! UPDATE mfa SET revision = $2, record = $3 WHERE subject = $1 AND revision = $4;
//! ```
//!
//! No row found is [`None`]. One row affected is `Stored`, none is `Conflict`. Where the database
//! has no `ON CONFLICT`, insert, and answer `Conflict` to a duplicate key and to no other error. An
//! outbox row for [`Write::events`] can be written in the same transaction.
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
//!     fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
//!         let mut rows = self.0.lock().unwrap();
//!         if rows.get(write.subject()).map(|row| row.revision) != write.expected() {
//!             return Ok(Swap::Conflict);
//!         }
//!         rows.insert(write.subject().into(), write.snapshot());
//!         Ok(Swap::Stored)
//!     }
//! }
//!
//! // In the store's tests, with feature `conformance`:
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
//! The suite checks the list above with races on real threads; see `conformance` for an async store
//! and for the faults that no suite can see. The [manual](crate::manual) goes from here to a store
//! on a real engine: isolation, pools, replicas, kills.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::revision::Revision;

mod boxed;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "std")]
mod memory;
mod pointer;
mod write;

pub use boxed::{BoxFuture, BoxedError, DynStore};
#[cfg(feature = "std")]
pub use memory::MemoryStore;
pub use write::Write;

/// Holds a subject's row, as a store loads it.
///
/// `record` is, to the byte, the [`Write::record`] that was stored. The record may hold a secret in
/// the clear, so `Debug` prints only its length. The crate wipes the record that it was handed; one
/// that your store keeps, or hands to another caller, is yours to wipe.
///
/// ```
/// use softtoken::{Revision, store::Snapshot};
///
/// let row = Snapshot { revision: Revision::FIRST, record: b"secret".to_vec() };
/// assert_eq!(format!("{row:?}"), "Snapshot { revision: Revision(1), record: 6 bytes }");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "stores make it")]
pub struct Snapshot {
    /// Numbers this record.
    pub revision: Revision,
    /// Holds the record, opaque.
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

/// Says what became of a swap. A store that cannot tell answers [`Err`] instead.
#[must_use = "nothing is accepted before the store has said `Stored`"]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a store answers one of two")]
pub enum Swap {
    /// Says that the expectation held: the record is stored, durably, under [`Write::next`].
    Stored,
    /// Says that the expectation did not hold: nothing has changed.
    Conflict,
}

/// Keeps records for callers with an executor.
///
/// A store owes what the [list](self#to-be-correct) in the module's documentation says. `async fn`
/// implements the trait; it names no runtime, and its futures are `Send`. The [`Write`] is owned,
/// so an implementation may move it into a task or onto another thread. For a store that is chosen
/// at run time, see [`DynStore`].
///
/// ```
/// # #[cfg(feature = "std")]
/// # mod example {
/// use core::convert::Infallible;
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use core::time::Duration;
/// use softtoken::store::{MemoryStore, Snapshot, Store, Swap, Write};
///
/// struct Counted {
///     rows: MemoryStore,
///     swaps: AtomicU64,
/// }
///
/// impl Store for Counted {
///     type Error = Infallible;
///
///     async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
///         self.rows.load(subject).await
///     }
///
///     async fn compare_and_swap(&self, write: Write) -> Result<Swap, Infallible> {
///         self.swaps.fetch_add(1, Ordering::Relaxed);
///         self.rows.compare_and_swap(write).await
///     }
///
///     async fn pause(&self, time: Duration) {
///         Store::pause(&self.rows, time).await;
///     }
/// }
/// # }
/// ```
pub trait Store: Send + Sync {
    /// Says why the store could not answer. The error reaches the caller whole, as a source.
    type Error: core::error::Error + Send + Sync + 'static;

    /// Loads the subject's row as the latest acknowledged swap left it, or `None` where there never
    /// was one.
    ///
    /// # Errors
    ///
    /// The row could not be read. Nothing has changed, and nothing is accepted.
    fn load(
        &self,
        subject: &str,
    ) -> impl Future<Output = Result<Option<Snapshot>, Self::Error>> + Send;

    /// Stores [`Write::record`] under [`Write::next`] in the row of [`Write::subject`] if the row's
    /// revision is [`Write::expected`], as one step, durably before it answers.
    ///
    /// # Errors
    ///
    /// It is not known that the record was stored, nor that it was not. Nothing is accepted.
    fn compare_and_swap(
        &self,
        write: Write,
    ) -> impl Future<Output = Result<Swap, Self::Error>> + Send;

    /// Waits for `time` before a request whose swap was a conflict loads the row again. Where many
    /// requests write one row at once, all of them get through if they wait, and most are
    /// [`Contended`](crate::Fault::Contended) if they do not: `time` is drawn anew each time, from
    /// twice as much after each lost swap, up to half a second.
    ///
    /// The crate has no timer. A store that has one waits by it, holding no connection, such as
    /// `tokio::time::sleep(time).await`; by default nothing is waited for. A store that wraps
    /// another one waits as that does.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send {
        let _ = time;
        async {}
    }
}

/// Keeps records for callers that may block.
///
/// A store owes what the [list](self#to-be-correct) in the module's documentation says; the same
/// page has an [example](self#a-whole-store). A store that is chosen at run time is a
/// `dyn BlockingStore<Error = YourError>`.
pub trait BlockingStore: Send + Sync {
    /// Says why the store could not answer. The error reaches the caller whole, as a source.
    type Error: core::error::Error + Send + Sync + 'static;

    /// Loads the subject's row as the latest acknowledged swap left it, or `None` where there never
    /// was one.
    ///
    /// # Errors
    ///
    /// The row could not be read. Nothing has changed, and nothing is accepted.
    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Self::Error>;

    /// Stores [`Write::record`] under [`Write::next`] in the row of [`Write::subject`] if the row's
    /// revision is [`Write::expected`], as one step, durably before it returns.
    ///
    /// # Errors
    ///
    /// It is not known that the record was stored, nor that it was not. Nothing is accepted.
    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Self::Error>;

    /// Waits as [`Store::pause`] does, such as by `std::thread::sleep(time)`; by default nothing is
    /// waited for.
    fn pause_blocking(&self, time: Duration) {
        let _ = time;
    }
}
