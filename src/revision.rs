//! Numbers the versions of a subject's record.

use core::fmt;
use core::num::NonZeroU64;

/// Numbers a stored record: 1 for a subject's first, one more with each swap, never used twice.
///
/// From 1 to [`i64::MAX`], as most databases' integers are signed: [`as_i64`](Self::as_i64) and
/// [`from_i64`](Self::from_i64) lose nothing.
///
/// ```
/// use softtoken::Revision;
///
/// assert_eq!(Revision::FIRST.get(), 1);
/// assert_eq!(Revision::FIRST.next(), Revision::new(2));
/// assert_eq!(Revision::from_i64(2), Revision::new(2));
/// assert_eq!(Revision::new(0), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Revision(NonZeroU64);

impl Revision {
    /// Is the revision of the first record that is stored for a subject.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// Returns the revision with this number; `None` for 0 and above [`i64::MAX`].
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) if number.get() <= i64::MAX.unsigned_abs() => Some(Self(number)),
            _ => None,
        }
    }

    /// Returns the revision that [`as_i64`](Self::as_i64) wrote; `None` for every number that it
    /// does not write.
    #[must_use]
    pub const fn from_i64(number: i64) -> Option<Self> {
        if number.is_negative() {
            return None;
        }
        Self::new(number.unsigned_abs())
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// Returns the number as a signed integer, for a database's column. It is positive.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0.get().cast_signed()
    }

    /// Returns the revision that is stored where this one is found, or no row.
    pub(crate) const fn after(found: Option<Self>) -> Option<Self> {
        match found {
            None => Some(Self::FIRST),
            Some(revision) => revision.next(),
        }
    }

    /// Returns the revision after this one; `None` after the last, [`i64::MAX`].
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0.get() + 1)
    }
}

impl fmt::Display for Revision {
    /// Writes the number in decimal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::Revision;

    const LAST: u64 = i64::MAX.unsigned_abs();

    #[test]
    fn a_revision_is_a_positive_signed_integer() {
        for (number, is_one) in [
            (0, false),
            (1, true),
            (LAST, true),
            (LAST + 1, false),
            (u64::MAX, false),
        ] {
            assert_eq!(
                Revision::new(number).map(Revision::get),
                is_one.then_some(number)
            );
        }
    }

    #[test]
    fn every_revision_survives_a_signed_column() {
        for number in [1, 2, 1 << 32, (1 << 53) + 1, LAST] {
            let revision = Revision::new(number).expect("in range");
            assert_eq!(Revision::from_i64(revision.as_i64()), Some(revision));
            assert_eq!(revision.to_string(), number.to_string());
        }
        for number in [0, -1, i64::MIN] {
            assert_eq!(Revision::from_i64(number), None);
        }
    }

    #[test]
    fn after_the_last_revision_there_is_none() {
        let last = Revision::new(LAST).expect("in range");
        assert_eq!(Revision::new(LAST - 1).and_then(Revision::next), Some(last));
        assert_eq!(last.next(), None);
    }
}
