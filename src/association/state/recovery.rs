//! Keeps recovery codes: hashes, each accepted once, and how many were wrong.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::association::credential::{RecoveryCode, RecoveryCodes};
use crate::reveal::reveal;
use crate::time::UnixTime;

/// Holds what is kept of a subject's recovery codes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Recovery {
    pub(crate) set: Option<RecoverySet>,
    pub(crate) temporary: Option<Box<TemporaryCode>>,
    /// Counts wrong codes in a row.
    pub(crate) wrong: u32,
}

/// Holds the codes of a set that have not been used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RecoverySet {
    pub(crate) salt: [u8; 16],
    pub(crate) hashes: Vec<[u8; 16]>,
}

/// Holds one code that an administrator issued.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TemporaryCode {
    pub(crate) salt: [u8; 16],
    pub(crate) hash: [u8; 16],
    pub(crate) expires: UnixTime,
}

/// Says which of the codes kept it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// Names the code at this place of the set.
    OfSet(usize),
    Temporary,
}

impl RecoverySet {
    pub(crate) fn of(codes: &RecoveryCodes, salt: [u8; 16]) -> Self {
        Self {
            salt,
            hashes: codes.iter().map(|code| code.hash(&salt)).collect(),
        }
    }
}

impl TemporaryCode {
    /// Lives for so long at most.
    pub(crate) const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    pub(crate) fn of(code: &RecoveryCode, salt: [u8; 16], expires: UnixTime) -> Self {
        Self {
            salt,
            hash: code.hash(&salt),
            expires,
        }
    }
}

impl Recovery {
    /// Limits the wrong codes in a row that are still written.
    pub(crate) const MOST_WRONG: u32 = 100;

    /// Returns how many codes of the set are left.
    pub(crate) fn left(&self) -> u32 {
        let left = self.set.as_ref().map_or(0, |set| set.hashes.len());
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// Returns whether there is a code that could be guessed.
    pub(crate) fn has_code(&self, now: UnixTime) -> bool {
        self.left() > 0 || self.alive(now).is_some()
    }

    /// Returns the temporary code, while it is good.
    pub(crate) fn alive(&self, now: UnixTime) -> Option<&TemporaryCode> {
        let code = self.temporary.as_deref()?;
        now.is_before_end(code.expires, TemporaryCode::LONGEST)
            .then_some(code)
    }

    /// Finds which code of those kept it is. Whether it is one, and which, takes the same time to
    /// find.
    pub(crate) fn find(&self, code: &RecoveryCode, now: UnixTime) -> Option<Found> {
        let (mut is_of_set, mut place) = (Choice::from(0), 0_u32);
        if let Some(set) = &self.set {
            let hash = code.hash(&set.salt);
            for (position, kept) in (0..).zip(&set.hashes) {
                let equal = kept.ct_eq(&hash);
                place.conditional_assign(&position, equal);
                is_of_set |= equal;
            }
        }
        let is_temporary = self.alive(now).map_or(Choice::from(0), |kept| {
            kept.hash.ct_eq(&code.hash(&kept.salt))
        });
        revealed(is_of_set, place, is_temporary)
    }

    /// Takes a code that was found out of those kept.
    pub(crate) fn take(&mut self, found: Found) {
        match (found, &mut self.set) {
            (Found::OfSet(position), Some(set)) => {
                set.hashes.remove(position);
            }
            (Found::OfSet(_), None) => {}
            (Found::Temporary, _) => self.temporary = None,
        }
        self.wrong = 0;
    }
}

/// Returns which code it was: that is no secret once it is spent. A function of its own, so that a
/// checker can leave it out of what has to take the same time.
#[inline(never)]
fn revealed(is_of_set: Choice, place: u32, is_temporary: Choice) -> Option<Found> {
    if reveal(is_of_set) {
        (0..u32::MAX)
            .position(|position: u32| reveal(place.ct_eq(&position)))
            .map(Found::OfSet)
    } else {
        reveal(is_temporary).then_some(Found::Temporary)
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{Found, Recovery, RecoveryCode, RecoverySet, TemporaryCode};
    use crate::time::UnixTime;

    const NOW: UnixTime = UnixTime::from_secs(1_000);
    const SALT: [u8; 16] = [7; 16];

    fn code() -> RecoveryCode {
        RecoveryCode::parse("01234-56789-ABCDE-FGHJK-MNPQR").expect("it has 25 characters")
    }

    /// Makes what is kept of the code, and as many again in which one bit of its hash is another.
    fn hash_and_all_but_one_bit() -> ([u8; 16], Vec<[u8; 16]>) {
        let hash = code().hash(&SALT);
        let others = (0..128).map(|bit| {
            let mut other = hash;
            other[bit / 8] ^= 1 << (bit % 8);
            other
        });
        (hash, others.collect())
    }

    #[test]
    fn a_code_of_the_set_is_found_by_every_bit_of_its_hash() {
        let (hash, others) = hash_and_all_but_one_bit();
        let found = |hashes: Vec<[u8; 16]>| {
            let set = Some(RecoverySet { salt: SALT, hashes });
            let recovery = Recovery {
                set,
                ..Recovery::default()
            };
            recovery.find(&code(), NOW)
        };
        assert_eq!(found(others.clone()), None);
        for position in [0, 5, 128] {
            let mut hashes = others.clone();
            hashes.insert(position, hash);
            assert_eq!(found(hashes), Some(Found::OfSet(position)));
        }
    }

    #[test]
    fn a_temporary_code_is_found_by_every_bit_of_its_hash() {
        let (hash, others) = hash_and_all_but_one_bit();
        let found = |hash: [u8; 16]| {
            let temporary = TemporaryCode {
                salt: SALT,
                hash,
                expires: NOW.saturating_add(core::time::Duration::from_secs(1)),
            };
            let recovery = Recovery {
                temporary: Some(Box::new(temporary)),
                ..Recovery::default()
            };
            recovery.find(&code(), NOW)
        };
        assert_eq!(found(hash), Some(Found::Temporary));
        for other in others {
            assert_eq!(found(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_code_is_found_under_its_salt_alone() {
        let set = RecoverySet {
            salt: [8; 16],
            hashes: vec![code().hash(&SALT)],
        };
        let recovery = Recovery {
            set: Some(set),
            ..Recovery::default()
        };
        assert_eq!(recovery.find(&code(), NOW), None);
    }
}
