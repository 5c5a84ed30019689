//! Holds one swap, as a value.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::Snapshot;
use crate::association::{Events, Record, State};
use crate::revision::Revision;
use crate::scrub;

/// Holds a record to store, and the revision that must be there for it to be stored.
///
/// A [`Decision`](crate::mfa::Decision) makes each write; [`new`](Self::new) is for a store's own
/// tests. A write is owned, so that it can move into a task or onto another thread, and its clones
/// share one record, whose bytes are wiped when the last clone is dropped. `Debug` prints no
/// record.
///
/// ```
/// use softtoken::{Revision, association::Events, store::Write};
///
/// let expected = Some(Revision::FIRST);
/// let write = Write::new("alice", expected, b"record".to_vec(), Events::default());
/// let write = write.expect("one write of many");
/// assert_eq!(write.subject(), "alice");
/// assert_eq!(write.expected(), expected);
/// assert_eq!(write.next().get(), 2);
/// assert!(write.events().is_empty());
///
/// let bytes = std::thread::spawn(move || write.record().to_vec()).join();
/// assert_eq!(bytes.expect("no panic"), b"record");
/// ```
#[derive(Clone)]
pub struct Write(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    subject: Arc<str>,
    expected: Option<Revision>,
    next: Revision,
    record: scrub::Bytes,
    events: Events,
    state: State,
    is_enabled: bool,
}

impl Write {
    /// Creates the write that follows the revision `expected`, where `None` stands for a subject
    /// without a row. Returns `None` where the revisions are used up.
    #[must_use]
    pub fn new(
        subject: &str,
        expected: Option<Revision>,
        record: impl Into<Zeroizing<Vec<u8>>>,
        events: Events,
    ) -> Option<Self> {
        // Before anything returns, so that the bytes are wiped on every path.
        let record = record.into().into();
        let next = Revision::after(expected)?;
        Some(Self(Arc::new(Parts {
            subject: subject.into(),
            expected,
            next,
            record,
            events,
            state: State::Unassociated,
            is_enabled: false,
        })))
    }

    /// Makes the write of a decision on a record that is in this state.
    pub(crate) fn decided(
        subject: Arc<str>,
        (expected, next): (Option<Revision>, Revision),
        record: scrub::Bytes,
        events: Events,
        left: &Record,
    ) -> Self {
        Self(Arc::new(Parts {
            subject,
            expected,
            next,
            record,
            events,
            state: left.state(),
            is_enabled: left.preference.is_enabled(),
        }))
    }

    /// Says what is in force once this write is stored, for a store that keeps a marker of its own.
    #[must_use]
    pub fn leaving(mut self, state: State, is_enabled: bool) -> Self {
        // Its own parts from here on, where a clone shares them.
        let parts = Arc::make_mut(&mut self.0);
        parts.state = state;
        parts.is_enabled = is_enabled;
        self
    }

    /// Returns the subject whose row is written: the one that the decision was made for.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Returns the revision that the row must have; `None`: there must be no row.
    #[must_use]
    pub fn expected(&self) -> Option<Revision> {
        self.0.expected
    }

    /// Returns the revision to store: the expected one plus one, or the first.
    #[must_use]
    pub fn next(&self) -> Revision {
        self.0.next
    }

    /// Returns the record to store, which may be empty and may hold a secret in the clear.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        &self.0.record
    }

    /// Returns the events that this write reports, for an outbox row in the same transaction. A
    /// store may ignore them.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.0.events
    }

    /// Returns which of the three states the subject is in once this write is stored, for a store
    /// that keeps a marker of its own. A store may ignore it.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.state
    }

    /// Returns whether a sign-in asks for a token once this write is stored, where the policy
    /// leaves it to the user. A store may ignore it.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.0.is_enabled
    }

    /// Copies the row as it is once this write is stored: the record under [`next`](Self::next).
    /// Nothing wipes the copy.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            revision: self.next(),
            record: self.record().to_vec(),
        }
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Write")
            .field("subject", &self.subject())
            .field("expected", &self.expected())
            .field("next", &self.next())
            .field("record", &format_args!("{} bytes", self.record().len()))
            .field("events", self.events())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::{Events, Revision, State, Write};

    fn write(expected: Option<Revision>) -> Option<Write> {
        let record = b"JBSWY3DPEHPK3PXP".to_vec();
        Write::new("alice", expected, record, Events::default())
    }

    #[test]
    fn a_write_shows_its_subject_and_not_its_record() {
        assert_eq!(
            format!("{:?}", write(None).expect("the first")),
            "Write { subject: \"alice\", expected: None, next: Revision(1), record: 16 bytes, \
             events: Events([]) }"
        );
    }

    #[test]
    fn clones_share_one_record() {
        let write = write(None).expect("the first");
        assert!(core::ptr::eq(write.record(), write.clone().record()));
    }

    #[test]
    fn a_write_moves_to_another_thread_and_is_shared_between_threads() {
        fn moves<T: Send + Sync + 'static>() {}
        moves::<Write>();
    }

    #[test]
    fn after_the_last_revision_nothing_can_be_written() {
        let last = Revision::from_i64(i64::MAX);
        assert!(write(last).is_none());
        let one_before = Revision::from_i64(i64::MAX - 1);
        assert_eq!(write(one_before).map(|write| write.next()), last);
    }

    #[test]
    fn a_clone_leaves_what_is_said_of_it_and_the_other_what_was_said_before() {
        let write = write(None).expect("the first");
        let clone = write.clone().leaving(State::Verified, true);
        assert_eq!((clone.state(), clone.is_enabled()), (State::Verified, true));
        assert_eq!(
            (write.state(), write.is_enabled()),
            (State::Unassociated, false)
        );
        assert_eq!(clone.record(), write.record());
    }
}
