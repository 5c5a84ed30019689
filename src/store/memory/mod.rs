//! Keeps records in the memory of this process.

mod key;

use alloc::boxed::Box;
use core::convert::Infallible;
use core::fmt;
use core::hash::BuildHasher as _;
use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use self::key::{AsItIs, Key, Sought};
use super::{BlockingStore, Snapshot, Store, Swap, Write};
use crate::revision::Revision;

const SHARDS: usize = 16;

/// Keeps records in memory: for tests, examples, and a server of one process that may forget.
///
/// When the process ends, or the store is dropped, everything is lost: the enrolments, so that
/// users who had a second factor sign in without one where the policy allows that; **and** the
/// throttle's counts, the spent codes and the spent sessions, so that a restart hands an attacker a
/// fresh set of guesses. Two processes share nothing.
///
/// `MemoryStore` is a [`Store`] and a [`BlockingStore`], and never fails. Share it by reference or
/// in an [`Arc`](std::sync::Arc). A subject waits for another subject's swap only in the one case
/// in sixteen that both share a lock; which subjects do is keyed at random, so nobody can choose a
/// subject to be in the way. The store wipes its records when they are replaced and when the store
/// is dropped.
///
/// ```
/// use softtoken::association::Events;
/// use softtoken::store::{BlockingStore, MemoryStore, Swap, Write};
///
/// let store = MemoryStore::new();
/// let first = Write::new("alice", None, b"record".to_vec(), Events::default());
/// let first = first.expect("one write of many");
/// assert_eq!(store.compare_and_swap_blocking(first.clone())?, Swap::Stored);
/// assert_eq!(store.compare_and_swap_blocking(first.clone())?, Swap::Conflict);
/// assert_eq!(store.load_blocking("alice")?, Some(first.snapshot()));
/// # Ok::<(), core::convert::Infallible>(())
/// ```
#[derive(Default)]
pub struct MemoryStore {
    shards: [Shard; SHARDS],
    hash: RandomState,
}

/// Holds the rows under one lock. Aligned, since threads that take locks on one cache line wait for
/// each other as well.
#[derive(Default)]
#[repr(align(64))]
struct Shard(Mutex<Rows>);

type Rows = HashMap<Key, Row, AsItIs>;

struct Row {
    revision: Revision,
    record: Zeroizing<Box<[u8]>>,
}

impl Row {
    fn new(revision: Revision, record: &[u8]) -> Self {
        let record = Zeroizing::new(record.into());
        Self { revision, record }
    }
}

impl MemoryStore {
    /// Creates a store without subjects.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the subjects that have a record, an empty record included. Where other threads swap
    /// meanwhile, the count is a figure of the past.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Returns whether no subject has a record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hashes a subject, once for the shard and the place there: a map looks at the hash's low bits
    /// and its highest, not at those between.
    fn find(&self, subject: &str) -> (&Shard, u64) {
        let hash = self.hash.hash_one(subject);
        let between = usize::from(hash.to_le_bytes()[6]);
        (&self.shards[between % SHARDS], hash)
    }

    fn get(&self, subject: &str) -> Option<Snapshot> {
        let (shard, hash) = self.find(subject);
        let sought: &dyn Sought = &(hash, subject);
        shard.lock().get(sought).map(|row| Snapshot {
            revision: row.revision,
            record: row.record.to_vec(),
        })
    }

    fn swap(&self, write: &Write) -> Swap {
        let (subject, record) = (write.subject(), write.record());
        let (shard, hash) = self.find(subject);
        let mut rows = shard.lock();
        let held = rows.get_mut(&(hash, subject) as &dyn Sought);
        if held.as_ref().map(|row| row.revision) != write.expected() {
            return Swap::Conflict;
        }
        let revision = write.next();
        match held {
            // Nearly always: a sign-in changes numbers, which all have one length.
            Some(held) if held.record.len() == record.len() => {
                held.record.copy_from_slice(record);
                held.revision = revision;
            }
            Some(held) => *held = Row::new(revision, record),
            None => {
                rows.insert(Key::new(hash, subject), Row::new(revision, record));
            }
        }
        Swap::Stored
    }
}

impl Shard {
    /// Takes a poisoned lock as well: rows change one at a time, each completely, so the shard
    /// holds the last acknowledged swap of each subject, whatever panicked. To refuse, or to start
    /// empty, would lose those swaps.
    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockingStore for MemoryStore {
    type Error = Infallible;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        Ok(self.get(subject))
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        Ok(self.swap(&write))
    }
}

impl Store for MemoryStore {
    type Error = Infallible;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        Ok(self.get(subject))
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Infallible> {
        Ok(self.swap(&write))
    }
}

impl fmt::Debug for MemoryStore {
    /// Prints the number of subjects, and no subject.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MemoryStore")
            .field("subjects", &self.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString as _};

    use super::{MemoryStore, Revision, Shard, Swap, Write};
    use crate::association::Events;

    fn write(subject: &str, expected: Option<Revision>) -> Write {
        let record = b"record".to_vec();
        Write::new(subject, expected, record, Events::default()).expect("one of the first")
    }

    fn shard<'a>(store: &'a MemoryStore, subject: &str) -> &'a Shard {
        store.find(subject).0
    }

    fn elsewhere(store: &MemoryStore, subject: &str) -> String {
        (0..1000)
            .map(|number| number.to_string())
            .find(|other| !core::ptr::eq(shard(store, other), shard(store, subject)))
            .expect("a subject under another lock")
    }

    #[test]
    fn a_subject_that_is_held_up_does_not_stop_the_others() {
        let store = MemoryStore::new();
        let other = elsewhere(&store, "alice");
        let held = shard(&store, "alice").lock();
        let write = write(&other, None);
        assert_eq!(store.swap(&write), Swap::Stored);
        assert_eq!(store.get(&other), Some(write.snapshot()));
        drop(held);
    }

    #[test]
    fn a_thread_that_panicked_loses_no_record() {
        let store = MemoryStore::new();
        let first = write("alice", None);
        assert_eq!(store.swap(&first), Swap::Stored);
        let panicked = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let _held = shard(&store, "alice").lock();
                    panic!("while it holds the lock");
                })
                .join()
        });
        assert!(panicked.is_err() && shard(&store, "alice").0.is_poisoned());

        assert_eq!(store.get("alice"), Some(first.snapshot()));
        let second = write("alice", Some(first.next()));
        assert_eq!(store.swap(&first), Swap::Conflict);
        assert_eq!(store.swap(&second), Swap::Stored);
        assert_eq!(store.get("alice"), Some(second.snapshot()));
    }
}
