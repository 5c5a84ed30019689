//! Defines time as the machine knows it: seconds, steps, and a clock that may say that it does not
//! know.

use core::fmt;
use core::time::Duration;

/// Holds a point in time: whole seconds since 1970-01-01T00:00:00Z, leap seconds not counted, as
/// [RFC 6238 section 4.1](https://www.rfc-editor.org/rfc/rfc6238#section-4.1) counts them.
///
/// Arithmetic saturates: no time that a clock or a stored record holds can make it panic.
///
/// ```
/// use core::time::Duration;
/// use softtoken::UnixTime;
///
/// let now = UnixTime::from_secs(1_111_111_109);
/// assert_eq!(now.saturating_add(Duration::from_secs(30)).as_secs(), 1_111_111_139);
/// assert_eq!(UnixTime::from_secs(5).since(now), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UnixTime(u64);

/// Allows for clocks of your servers that lie apart.
const CLOCKS_APART: Duration = Duration::from_secs(60);

impl UnixTime {
    /// Returns whether it lies further ahead than clocks may be apart: no server whose clock is
    /// right has given it.
    pub(crate) fn lies_ahead(self, now: Self) -> bool {
        self > now.saturating_add(CLOCKS_APART)
    }

    /// Returns whether it is before the end of what lives for so long at most. Where a clock that
    /// was ahead has given that, it is not: the thing would live on for as long.
    pub(crate) fn is_before_end(self, end: Self, longest: Duration) -> bool {
        self < end && !end.lies_ahead(self.saturating_add(longest))
    }

    /// Returns the time `seconds` after the epoch. Every `u64` is a time.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Returns the seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Returns this time and the whole seconds of `duration` after it, or the last time there is.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }

    /// Returns how long after `earlier` this time is; zero where this time is before it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

/// Converts to whole seconds, towards the past; a time before 1970 becomes the first there is.
///
/// ```
/// use core::time::Duration;
/// use std::time::UNIX_EPOCH;
/// use softtoken::UnixTime;
///
/// let from_a_column = UNIX_EPOCH + Duration::from_millis(5_999);
/// assert_eq!(UnixTime::from(from_a_column), UnixTime::from_secs(5));
/// assert_eq!(UnixTime::from(UNIX_EPOCH - Duration::from_secs(1)), UnixTime::from_secs(0));
/// ```
#[cfg(feature = "std")]
impl From<std::time::SystemTime> for UnixTime {
    fn from(time: std::time::SystemTime) -> Self {
        let since = time.duration_since(std::time::UNIX_EPOCH);
        Self(since.map_or(0, |since| since.as_secs()))
    }
}

impl fmt::Display for UnixTime {
    /// Writes the seconds since the epoch, in decimal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Holds RFC 6238's time counter: `T = floor(unix time / period)` ([section
/// 4.2](https://www.rfc-editor.org/rfc/rfc6238#section-4.2)). A code belongs to one step.
///
/// ```
/// use softtoken::{UnixTime, time::Step, totp::Totp};
///
/// assert_eq!(Totp::STANDARD.step(UnixTime::from_secs(59)), Step::new(1));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Step(u64);

impl Step {
    /// Returns the step with this number. Every `u64` is a step.
    #[must_use]
    pub const fn new(counter: u64) -> Self {
        Self(counter)
    }

    /// Returns the counter, the message of the HMAC.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the step `steps` later (earlier where negative), or the first or the last one there
    /// is.
    #[must_use]
    pub const fn saturating_offset(self, steps: i64) -> Self {
        Self(self.0.saturating_add_signed(steps))
    }

    /// Returns how many steps this one is after `other`; negative where this one is before.
    #[must_use]
    pub fn steps_since(self, other: Self) -> i64 {
        let distance = i128::from(self.0) - i128::from(other.0);
        i64::try_from(distance).unwrap_or(if distance.is_negative() {
            i64::MIN
        } else {
            i64::MAX
        })
    }
}

/// Tells the time, as your application knows it.
///
/// Answer `None` when the time is not known (not set since boot, not in agreement with its peers):
/// the operation then fails as [`Fault::NoTime`](crate::Fault::NoTime), and no code is judged. A
/// clock that is wrong and does not say so accepts codes that are no longer valid, and refuses
/// those that are; it never makes a spent code valid again.
///
/// A closure is a clock:
///
/// ```
/// use softtoken::UnixTime;
/// use softtoken::time::Clock;
///
/// let stopped = || Some(UnixTime::from_secs(1_111_111_109));
/// assert_eq!(stopped.now(), Some(UnixTime::from_secs(1_111_111_109)));
/// ```
pub trait Clock: Send + Sync {
    /// Returns the time now, or `None` where it is not known.
    fn now(&self) -> Option<UnixTime>;
}

impl<F: Fn() -> Option<UnixTime> + Send + Sync> Clock for F {
    fn now(&self) -> Option<UnixTime> {
        self()
    }
}

/// Reads the operating system's clock; it does not know the time while it stands before 1970.
///
/// ```
/// use softtoken::time::{Clock, SystemClock};
///
/// assert!(SystemClock.now().is_some());
/// ```
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it is made by its name")]
pub struct SystemClock;

#[cfg(feature = "std")]
impl Clock for SystemClock {
    fn now(&self) -> Option<UnixTime> {
        let elapsed = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .ok()?;
        Some(UnixTime(elapsed.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn a_distance_that_no_number_holds_is_the_longest_there_is() {
        let (first, last) = (Step::new(0), Step::new(u64::MAX));
        assert_eq!(first.steps_since(last), i64::MIN);
        assert_eq!(last.steps_since(first), i64::MAX);
        assert_eq!(first.steps_since(Step::new(7)), -7);
    }

    #[test]
    fn a_time_is_shown_in_seconds() {
        assert_eq!(UnixTime::from_secs(59).to_string(), "59");
    }

    #[cfg(feature = "std")]
    #[test]
    fn the_system_clock_tells_the_time_that_the_system_tells() {
        let told = || UnixTime::from(std::time::SystemTime::now());
        let earliest = told();
        let now = SystemClock.now().unwrap_or(UnixTime::from_secs(0));
        assert!((earliest..=told()).contains(&now));
    }
}
