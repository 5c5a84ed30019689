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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::association::outcome::Method;

    #[test]
    fn an_attempt_is_known_by_every_bit_of_its_hash() {
        let now = UnixTime::from_secs(1_700_000_000);
        let proof = Proof {
            method: Method::SoftwareToken,
            token: None,
            step: None,
            at: now,
            first_factor: None,
            end_other_logins: false,
        };
        let until = UnixTime::from_secs(1_700_000_001);
        let hash = [7; 16];
        let last = LastAnswer::to(Attempt(hash), 1, until, proof);
        assert_eq!(last.answer(Attempt(hash), 1, now), Some(proof));
        for bit in 0..128 {
            let mut other = hash;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(last.answer(Attempt(other), 1, now), None, "{bit}");
        }
    }
}
