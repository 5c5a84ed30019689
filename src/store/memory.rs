//! Keeps records in the memory of this process.

use alloc::boxed::Box;
use core::convert::Infallible;
use core::fmt;
use core::hash::{BuildHasher as _, BuildHasherDefault, Hasher};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::RandomState;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

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

/// Holds each row under the hash of its subject, or where another subject has the same hash, under
/// the next number that is free. No row is ever taken out.
type Rows = HashMap<u64, Row, BuildHasherDefault<Number>>;

/// Hashes a number, which is a hash, as it is.
#[derive(Default)]
struct Number(u64);

impl Hasher for Number {
    fn write(&mut self, _: &[u8]) {
        debug_assert!(false, "what is hashed is a u64");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Row {
    revision: Revision,
    /// Holds the subject, and the record after it: in a large store each piece of memory that is
    /// looked at is waited for.
    bytes: Zeroizing<Box<[u8]>>,
    subject_bytes: usize,
}

impl Row {
    fn new(subject: &str, revision: Revision, record: &[u8]) -> Self {
        Self {
            revision,
            bytes: Zeroizing::new([subject.as_bytes(), record].concat().into()),
            subject_bytes: subject.len(),
        }
    }

    fn is_of(&self, subject: &str) -> bool {
        self.bytes[..self.subject_bytes] == *subject.as_bytes()
    }

    fn record(&self) -> &[u8] {
        &self.bytes[self.subject_bytes..]
    }

    fn replace(&mut self, subject: &str, revision: Revision, record: &[u8]) {
        let held = &mut self.bytes[self.subject_bytes..];
        // Nearly always: a sign-in changes numbers, which all have one length.
        if held.len() == record.len() {
            held.copy_from_slice(record);
            self.revision = revision;
        } else {
            *self = Self::new(subject, revision, record);
        }
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
        let (shard, place) = self.find(subject);
        shard.get(place, subject)
    }

    fn swap(&self, write: &Write) -> Swap {
        let (shard, place) = self.find(write.subject());
        shard.swap(place, write)
    }
}

impl Shard {
    /// Takes a poisoned lock as well: rows change one at a time, each completely, so the shard
    /// holds the last acknowledged swap of each subject, whatever panicked. To refuse, or to start
    /// empty, would lose those swaps.
    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, mut place: u64, subject: &str) -> Option<Snapshot> {
        let rows = self.lock();
        let mut row = rows.get(&place)?;
        while !row.is_of(subject) {
            place = place.wrapping_add(1);
            row = rows.get(&place)?;
        }
        Some(Snapshot {
            revision: row.revision,
            record: row.record().to_vec(),
        })
    }

    fn swap(&self, mut place: u64, write: &Write) -> Swap {
        let (subject, record) = (write.subject(), write.record());
        let mut rows = self.lock();
        loop {
            match (rows.entry(place), write.expected()) {
                (Entry::Occupied(row), _) if !row.get().is_of(subject) => {
                    place = place.wrapping_add(1);
                }
                (Entry::Occupied(mut row), Some(expected)) if row.get().revision == expected => {
                    row.get_mut().replace(subject, write.next(), record);
                    return Swap::Stored;
                }
                (Entry::Vacant(room), None) => {
                    room.insert(Row::new(subject, write.next(), record));
                    return Swap::Stored;
                }
                _ => return Swap::Conflict,
            }
        }
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

    use core::hash::{BuildHasher as _, BuildHasherDefault};

    use super::{MemoryStore, Number, Revision, Shard, Swap, Write};
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

    /// Under one hash for all, a load would look through every row of its lock.
    #[test]
    fn a_row_is_found_by_the_whole_hash_of_its_subject() {
        let hash = BuildHasherDefault::<Number>::default();
        for number in [0, 1, 2, 1 << 63, u64::MAX] {
            assert_eq!(hash.hash_one(number), number);
        }
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
    fn subjects_whose_hashes_collide_have_a_row_each() {
        let (shard, place) = (Shard::default(), u64::MAX);
        let subjects = ["alice", "bob", "carol"];
        for subject in subjects {
            assert_eq!(shard.swap(place, &write(subject, None)), Swap::Stored);
        }
        let second = write("carol", Some(Revision::FIRST));
        assert_eq!(shard.swap(place, &second), Swap::Stored);
        let revision = |subject| shard.get(place, subject).map(|row| row.revision.get());
        assert_eq!(subjects.map(revision), [Some(1), Some(1), Some(2)]);

        assert_eq!(shard.get(place, "dave"), None);
        let stale = write("dave", Some(Revision::FIRST));
        assert_eq!(shard.swap(place, &stale), Swap::Conflict);
        assert_eq!(shard.lock().len(), subjects.len());
    }

    #[test]
    fn a_record_of_another_length_takes_the_place_of_the_one_before() {
        let store = MemoryStore::new();
        let mut expected = None;
        for record in [&b"short"[..], b"a longer one", b"", b"short"] {
            let write = Write::new("alice", expected, record.to_vec(), Events::default());
            let write = write.expect("one of the first");
            assert_eq!(store.swap(&write), Swap::Stored);
            assert_eq!(store.get("alice"), Some(write.snapshot()));
            expected = Some(write.next());
        }
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
