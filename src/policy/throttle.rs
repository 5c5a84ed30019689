//! The throttle's numbers.

use core::time::Duration;

#[cfg(feature = "serde")]
use super::seconds;

/// How guessing is slowed and stopped (one count a subject, over every operation that takes a code).
///
/// With the defaults, in [`Throttle::STANDARD`], a fourth guess in a row waits 5 s, a fifth 10 s, and so on up to 15
/// minutes; at 100 failures that no success and no passing of time have paid off, the token is locked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Throttle {
    /// Consecutive failures that cost no wait, 1 to 10. Default 3: two slips of the finger and a code that ran out.
    pub free: u32,
    /// The first wait, in whole seconds, at least 1 s; it doubles with each further failure. Default 5 s.
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub base: Duration,
    /// The longest wait, at least `base`. Default 15 minutes: a user who mends a broken clock is not shut out for a day.
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub cap: Duration,
    /// The debt at which the token is locked, 1 to 100. Default 100, the most that
    /// [NIST SP 800-63B section 5.2.2](https://pages.nist.gov/800-63-3/sp800-63b.html#throttle) allows.
    pub debt_limit: u32,
    /// How long pays off one failure, at least 1 minute. Default 12 hours: an honest user never reaches the limit.
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub debt_decay: Duration,
    /// Consecutive failures at which an event says that the password is probably known, at least 1. Default 5.
    pub suspect_at: u32,
}

impl Throttle {
    /// The defaults.
    pub const STANDARD: Self = Self {
        free: 3,
        base: Duration::from_secs(5),
        cap: Duration::from_secs(900),
        debt_limit: 100,
        debt_decay: Duration::from_secs(12 * 60 * 60),
        suspect_at: 5,
    };

    /// How long the next attempt must wait after `failures` in a row: `0` below `free`, else
    /// `min(base * 2^(failures - free), cap)`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use softtoken::Throttle;
    ///
    /// let wait = |failures| Throttle::STANDARD.wait(failures).as_secs();
    /// assert_eq!([2, 3, 4, 10, 11].map(wait), [0, 5, 10, 640, 900]);
    /// ```
    #[must_use]
    pub fn wait(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(self.free) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.base
            .checked_mul(factor)
            .map_or(self.cap, |wait| wait.min(self.cap))
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::STANDARD
    }
}
