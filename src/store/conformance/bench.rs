//! Holds several handles on the storage under test, and what one expects of them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::BuildHasher as _;
use std::hash::RandomState;

use super::{Rule, Violation};
use crate::association::Events;
use crate::revision::Revision;
use crate::store::{BlockingStore, Snapshot, Swap, Write};

pub(super) const HANDLES: usize = 3;

pub(super) struct Bench<'o, S> {
    handles: [S; HANDLES],
    open: &'o (dyn Fn() -> S + Sync),
    /// Another one in every run, in decimal digits.
    pub(super) run: u64,
}

/// Describes a row without its bytes: a tester who runs this on a table in use may be shown
/// somebody's row.
pub(super) fn describe(row: Option<&Snapshot>) -> String {
    row.map_or("None".into(), |row| {
        format!("revision {} ({} bytes)", row.revision, row.record.len())
    })
}

pub(super) fn expectation(expected: Option<Revision>) -> String {
    expected.map_or("no row".into(), |revision| format!("revision {revision}"))
}

pub(super) fn swap_on<S: BlockingStore>(
    store: &S,
    subject: &str,
    expected: Option<Revision>,
    record: &[u8],
) -> Result<Swap, Violation> {
    let write = Write::new(subject, expected, record.to_vec(), Events::default())
        .ok_or_else(|| Violation::new(Rule::Revisions, "the revisions are used up"))?;
    store
        .compare_and_swap_blocking(write)
        .map_err(|error| Violation::failed("compare_and_swap", subject, error))
}

impl<'o, S: BlockingStore> Bench<'o, S> {
    pub(super) fn new(open: &'o (dyn Fn() -> S + Sync)) -> Self {
        Self {
            handles: core::array::from_fn(|_| open()),
            open,
            // The keys of the hash are drawn anew; 15 digits are a number in any column.
            run: RandomState::new().hash_one(0) % 1_000_000_000_000_000,
        }
    }

    pub(super) fn subject(&self, name: &str) -> String {
        format!("conformance-{}-{name}", self.run)
    }

    pub(super) fn handle(&self, index: usize) -> &S {
        &self.handles[index % HANDLES]
    }

    pub(super) fn opened(&self) -> S {
        (self.open)()
    }

    pub(super) fn load(&self, handle: usize, subject: &str) -> Result<Option<Snapshot>, Violation> {
        load_on(self.handle(handle), subject)
    }

    pub(super) fn swap(
        &self,
        handle: usize,
        subject: &str,
        expected: Option<Revision>,
        record: &[u8],
    ) -> Result<Swap, Violation> {
        swap_on(self.handle(handle), subject, expected, record)
    }

    /// Swaps by an expectation that holds: it must not be a conflict.
    pub(super) fn swapped(
        &self,
        handle: usize,
        subject: &str,
        expected: Option<Revision>,
        record: &[u8],
    ) -> Result<(), Violation> {
        match self.swap(handle, subject, expected, record)? {
            Swap::Stored => Ok(()),
            Swap::Conflict => Err(Violation::new(
                Rule::Progress,
                format!(
                    "{subject:?} holds {}; a swap that expects it was a Conflict",
                    expectation(expected),
                ),
            )),
        }
    }

    /// Swaps by an expectation that holds: the swap must be stored, and every handle must load it
    /// from now on.
    pub(super) fn stored(
        &self,
        handle: usize,
        subject: &str,
        expected: Option<Revision>,
        record: &[u8],
    ) -> Result<Snapshot, Violation> {
        self.swapped(handle, subject, expected, record)?;
        let stored = row_after(expected, record);
        self.acknowledged(handle, subject, &stored)?;
        Ok(stored)
    }

    /// Swaps by an expectation that does not hold: it must be refused, and change nothing.
    pub(super) fn refused(
        &self,
        handle: usize,
        subject: &str,
        expected: Option<Revision>,
        held: Option<&Snapshot>,
    ) -> Result<(), Violation> {
        if self.swap(handle, subject, expected, b"not to be stored")? == Swap::Stored {
            return Err(Violation::new(
                Rule::Expectation,
                format!(
                    "{subject:?} holds {}; a swap that expects {} was stored",
                    describe(held),
                    expectation(expected),
                ),
            ));
        }
        for index in 0..HANDLES {
            let loaded = self.load(index, subject)?;
            if loaded.as_ref() != held {
                return Err(Violation::new(
                    Rule::Unchanged,
                    format!(
                        "{subject:?} held {}, and {} after a Conflict",
                        describe(held),
                        describe(loaded.as_ref()),
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Checks that every handle loads what `writer` was told is stored, its own first.
    pub(super) fn acknowledged(
        &self,
        writer: usize,
        subject: &str,
        stored: &Snapshot,
    ) -> Result<(), Violation> {
        for reader in writer..writer + HANDLES {
            let lost = if reader == writer {
                Rule::Durable
            } else {
                Rule::Shared
            };
            holds(self.handle(reader), lost, subject, stored)?;
        }
        Ok(())
    }

    /// Checks that a handle that is opened now loads what is stored.
    pub(super) fn reopened(&self, subject: &str, stored: &Snapshot) -> Result<(), Violation> {
        holds(&self.opened(), Rule::Shared, subject, stored)
    }
}

/// Checks that a handle loads what was stored; `lost` is the rule that is broken where the row is
/// not there at all.
fn holds<S: BlockingStore>(
    reader: &S,
    lost: Rule,
    subject: &str,
    stored: &Snapshot,
) -> Result<(), Violation> {
    let loaded = load_on(reader, subject)?;
    let rule = match &loaded {
        Some(row) if row == stored => return Ok(()),
        Some(row) if row.revision == stored.revision => Rule::Opaque,
        Some(row) if row.record == stored.record => Rule::Revisions,
        // Only a swap tells an old answer from a row that is lost.
        _ if swap_on(reader, subject, Some(stored.revision), b"probe")? == Swap::Stored => {
            Rule::Latest
        }
        _ => lost,
    };
    let record = loaded.as_ref().map_or(&[][..], |row| &row.record);
    let first = record.iter().zip(&stored.record).position(|(a, b)| a != b);
    let seen = format!(
        "{subject:?} was stored as {}, and loads {}{}",
        describe(Some(stored)),
        describe(loaded.as_ref()),
        first.map_or(String::new(), |at| format!(", other bytes from {at} on")),
    );
    Err(Violation::new(rule, seen))
}

/// Returns the row that a swap leaves, of the few revisions that the suite makes.
pub(super) fn row_after(expected: Option<Revision>, record: &[u8]) -> Snapshot {
    Snapshot {
        revision: expected.and_then(Revision::next).unwrap_or(Revision::FIRST),
        record: record.to_vec(),
    }
}

pub(super) fn load_on<S: BlockingStore>(
    store: &S,
    subject: &str,
) -> Result<Option<Snapshot>, Violation> {
    store
        .load_blocking(subject)
        .map_err(|error| Violation::failed("load", subject, error))
}

/// Makes `length` bytes, other ones for each `seed`.
pub(super) fn bytes(seed: u8, length: usize) -> Vec<u8> {
    (seed..=u8::MAX)
        .chain(0..seed)
        .cycle()
        .take(length)
        .collect()
}
