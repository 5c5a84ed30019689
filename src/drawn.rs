//! Guards what a request has drawn, a secret, codes or ids: it is one subject's, and issued once.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sha2::{Digest as _, Sha256};

use crate::error::Fault;

/// Remembers whom the request is for, by a hash, and whether it has answered. It guards against a
/// mistake, and against nobody who looks for two subjects with one hash.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    subject: AtomicUsize,
    is_issued: AtomicBool,
}

impl Drawn {
    /// Nobody was asked about yet.
    const NONE: usize = 0;

    /// Checks that this is the subject that was asked about first, and that nothing is issued yet.
    pub(crate) fn check(&self, subject: &str) -> Result<(), Fault> {
        let hash = Sha256::digest(subject);
        let mut mark = [0; size_of::<usize>()];
        mark.copy_from_slice(&hash[..size_of::<usize>()]);
        // Never the mark of nobody.
        let mark = usize::from_ne_bytes(mark).max(1);
        let (set, read) = (Ordering::Relaxed, Ordering::Relaxed);
        let first = self
            .subject
            .compare_exchange(Self::NONE, mark, set, read)
            .map_or_else(|first| first, |_| mark);
        if first != mark {
            return Err(Fault::OtherSubject);
        }
        if self.is_issued.load(Ordering::Relaxed) {
            return Err(Fault::AlreadyIssued);
        }
        Ok(())
    }

    /// Says that it is handed out now. What was decided before that and is stored after it loses
    /// to whatever spends it: both write the row.
    pub(crate) fn issue(&self) {
        self.is_issued.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn of_many_subjects_none_is_taken_for_another() {
        let drawn = Drawn::default();
        assert_eq!(drawn.check("0"), Ok(()));
        for number in 1..5000 {
            let other = drawn.check(&number.to_string());
            assert_eq!(other, Err(Fault::OtherSubject), "{number}");
        }
        assert_eq!(drawn.check("0"), Ok(()));
    }
}
