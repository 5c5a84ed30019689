//! Keeps the last answer, so that a caller who lost it can ask again.

use subtle::ConstantTimeEq as _;

use crate::association::credential::Attempt;
use crate::association::outcome::Proof;
use crate::reveal::reveal;
use crate::time::UnixTime;

/// Holds the answer to the last attempt that was named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LastAnswer {
    pub(crate) attempt: [u8; 16],
    pub(crate) generation: u64,
    pub(crate) until: UnixTime,
    pub(crate) proof: Proof,
}

impl LastAnswer {
    /// Keeps the answer to this attempt, until then.
    pub(crate) fn to(attempt: Attempt, generation: u64, until: UnixTime, proof: Proof) -> Self {
        Self {
            attempt: attempt.0,
            generation,
            until,
            proof,
        }
    }

    /// Returns the answer to this attempt, while the code's window is open and what is in force is
    /// the same.
    pub(crate) fn answer(&self, attempt: Attempt, generation: u64, now: UnixTime) -> Option<Proof> {
        let same = reveal(self.attempt.ct_eq(&attempt.0));
        (same && self.generation == generation && now < self.until).then_some(self.proof)
    }
}
