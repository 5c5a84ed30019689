//! Keeps what was drawn for one subject from another.

use core::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest as _, Sha256};

/// Remembers the first subject that it is asked about, by a hash. It guards against a mistake, and
/// against nobody who looks for two subjects with one hash.
#[derive(Debug, Default)]
pub(crate) struct OneSubject(AtomicUsize);

impl OneSubject {
    /// Nobody was asked about yet.
    const NONE: usize = 0;

    /// Returns whether this is the subject that was asked about first.
    pub(crate) fn is(&self, subject: &str) -> bool {
        let hash = Sha256::digest(subject);
        let mut mark = [0; size_of::<usize>()];
        mark.copy_from_slice(&hash[..size_of::<usize>()]);
        // Never the mark of nobody.
        let mark = usize::from_ne_bytes(mark).max(1);
        let (set, read) = (Ordering::Relaxed, Ordering::Relaxed);
        match self.0.compare_exchange(Self::NONE, mark, set, read) {
            Ok(_) => true,
            Err(first) => first == mark,
        }
    }
}
