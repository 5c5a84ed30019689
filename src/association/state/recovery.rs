//! What is kept of recovery codes: keyed hashes, each accepted once (SPEC 7).

use alloc::vec::Vec;

use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::association::credential::{RecoveryCode, RecoveryCodes};

/// What is kept of the codes that have not been used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RecoverySet {
    pub(crate) salt: [u8; 16],
    pub(crate) hashes: Vec<[u8; 16]>,
}

impl RecoverySet {
    /// The hashes of all of them.
    pub(crate) fn of(codes: &RecoveryCodes) -> Self {
        Self {
            salt: codes.salt,
            hashes: codes.iter().map(|code| code.hash(&codes.salt)).collect(),
        }
    }

    /// Takes the code out of the set; `false`: it is not in it. Which one it is, and whether it is one, takes the same
    /// time to find.
    pub(crate) fn take(&mut self, code: &RecoveryCode) -> bool {
        let hash = code.hash(&self.salt);
        let mut found = Choice::from(0);
        let mut position = 0_u64;
        for (candidate, index) in self.hashes.iter().zip(0_u64..) {
            let equal = candidate.ct_eq(&hash);
            position.conditional_assign(&index, equal);
            found |= equal;
        }
        if !bool::from(found) {
            return false;
        }
        // Which code was used is no secret once it is spent.
        if let Ok(position) = usize::try_from(position) {
            self.hashes.remove(position);
        }
        true
    }
}
