//! Holds the throttle's numbers.

use core::time::Duration;

#[cfg(feature = "serde")]
use super::seconds;

/// Sets how guessing is slowed, stopped and reported: one count of failures for each subject,
/// shared by every operation that takes a token's code.
///
/// With the defaults, [`Throttle::STANDARD`], the attempt after three failures in a row waits 5
/// seconds, the next one 10, and so on up to 15 minutes. The tokens are locked by 100 failures in a
/// row, and by 100 failures that neither successes nor time have paid off.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is made by updating a constant"
)]
pub struct Throttle {
    /// Sets how many attempts in a row are judged without a wait, 1 to 10: so many failures cost
    /// the first wait. Default: 3, which leaves room for two typing errors before the right code.
    pub free: u32,
    /// Sets the first wait, at least 1 second; each further failure in a row doubles it. Default: 5
    /// seconds.
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub base: Duration,
    /// Sets the longest wait, at least `base`. Default: 15 minutes, so that a user who corrects a
    /// wrong clock is not shut out for a day.
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub cap: Duration,
    /// Sets how many failures in a row lock the tokens, 1 to 100. Default: 100, the most that [NIST
    /// SP 800-63B-4 section 3.2.2][throttle] allows. Only a success ends a row of failures; the
    /// passing of time does not.
    ///
    /// [throttle]: https://pages.nist.gov/800-63-4/sp800-63b.html#throttle
    pub streak_limit: u32,
    /// Sets the debt that locks the tokens, 1 to 100. A failure adds one to the debt, a success
    /// takes one off, and so does each `debt_decay`. Default: 100. The debt stops an attacker whose
    /// row of failures is ended again and again by the user's own sign-ins.
    pub debt_limit: u32,
    /// Sets how long it takes to pay off one failure, at least 1 minute. Default: 12 hours, with
    /// which the user's own typing errors do not add up to the limit.
    #[cfg_attr(feature = "serde", serde(with = "seconds"))]
    pub debt_decay: Duration,
    /// Sets how many failures in a row, at least 1, make an event report that the password is
    /// probably known; every further failure in that row is reported as well. Default: 5.
    pub suspect_at: u32,
    /// Sets the suspicion, at least 1, at which every failure is reported as well, even where it is
    /// the first one in a row. A failure adds one to the suspicion, a success takes one off, and
    /// time changes nothing, so that an attacker who guesses slowly is seen. Default: 10.
    pub suspicion_limit: u32,
}

impl Throttle {
    /// Holds the default of every field.
    pub const STANDARD: Self = Self {
        free: 3,
        base: Duration::from_secs(5),
        cap: Duration::from_secs(900),
        streak_limit: 100,
        debt_limit: 100,
        debt_decay: Duration::from_secs(12 * 60 * 60),
        suspect_at: 5,
        suspicion_limit: 10,
    };

    /// Returns how long the next attempt has to wait after `failures` in a row: nothing while there
    /// are fewer than `free`, else `min(base * 2^(failures - free), cap)`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use softtoken::policy::Throttle;
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

    /// Returns whether every field is within its range.
    pub(super) fn is_valid(&self) -> bool {
        (1..=10).contains(&self.free)
            && self.base.as_secs() >= 1
            && self.base <= self.cap
            && (1..=100).contains(&self.streak_limit)
            && (1..=100).contains(&self.debt_limit)
            && self.debt_decay >= Duration::from_secs(60)
            && self.suspect_at >= 1
            && self.suspicion_limit >= 1
    }
}

impl Default for Throttle {
    /// Returns [`Throttle::STANDARD`].
    fn default() -> Self {
        Self::STANDARD
    }
}
