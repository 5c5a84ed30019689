//! A store that works until it is told not to.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU8, Ordering};

use softtoken::MemoryStore;
use softtoken::store::{Snapshot, Store, Swap, Write};

/// What it does.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
pub enum Trouble {
    None,
    /// Every swap comes too late.
    Conflicts,
    /// No call succeeds.
    Fails,
}

/// Rows in memory, with trouble.
pub struct TroubledStore {
    rows: MemoryStore,
    trouble: AtomicU8,
}

#[derive(Debug)]
pub struct Unreachable;

impl std::fmt::Display for Unreachable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the database does not answer")
    }
}

impl std::error::Error for Unreachable {}

impl From<Infallible> for Unreachable {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl TroubledStore {
    pub fn new() -> Self {
        Self {
            rows: MemoryStore::new(),
            trouble: AtomicU8::new(Trouble::None as u8),
        }
    }

    pub fn set(&self, trouble: Trouble) {
        self.trouble.store(trouble as u8, Ordering::SeqCst);
    }

    fn is(&self, trouble: Trouble) -> bool {
        self.trouble.load(Ordering::SeqCst) == trouble as u8
    }
}

impl Store for TroubledStore {
    type Error = Unreachable;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Unreachable> {
        if self.is(Trouble::Fails) {
            return Err(Unreachable);
        }
        Ok(self.rows.load(subject).await?)
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Unreachable> {
        if self.is(Trouble::Fails) {
            return Err(Unreachable);
        }
        if self.is(Trouble::Conflicts) {
            return Ok(Swap::Conflict);
        }
        Ok(self.rows.compare_and_swap(write).await?)
    }
}
