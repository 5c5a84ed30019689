//! Holds what an authenticator and its server agree on beside the secret.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use crate::time::{Step, UnixTime};

/// Names the hash under the HMAC, [RFC 6238 section
/// 1.2](https://www.rfc-editor.org/rfc/rfc6238#section-1.2).
///
/// SHA-1 is what every authenticator app can do, and some ignore any other wish without a word.
/// HMAC does not rest on the collision resistance that SHA-1 has lost.
///
/// ```
/// use softtoken::totp::Algorithm;
///
/// assert_eq!(Algorithm::Sha256.to_string(), "SHA256");
/// assert_eq!("sha512".parse(), Ok(Algorithm::Sha512));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "UPPERCASE")
)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6238 names three")]
pub enum Algorithm {
    /// Selects HMAC-SHA-1.
    Sha1,
    /// Selects HMAC-SHA-256.
    Sha256,
    /// Selects HMAC-SHA-512.
    Sha512,
}

impl fmt::Display for Algorithm {
    /// Writes the name as the key URI does: `SHA1`, `SHA256`, `SHA512`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        })
    }
}

impl FromStr for Algorithm {
    type Err = TotpError;

    /// Reads what `Display` writes, without regard to case.
    fn from_str(text: &str) -> Result<Self, TotpError> {
        match text {
            _ if text.eq_ignore_ascii_case("SHA1") => Ok(Self::Sha1),
            _ if text.eq_ignore_ascii_case("SHA256") => Ok(Self::Sha256),
            _ if text.eq_ignore_ascii_case("SHA512") => Ok(Self::Sha512),
            _ => Err(TotpError::Algorithm),
        }
    }
}

/// Counts the digits of a code, [RFC 4226 section
/// 5.3](https://www.rfc-editor.org/rfc/rfc4226#section-5.3).
///
/// ```
/// use softtoken::totp::{Digits, TotpError};
///
/// assert_eq!(Digits::try_from(8), Ok(Digits::Eight));
/// assert_eq!(Digits::Eight.get(), 8);
/// assert_eq!(Digits::try_from(9), Err(TotpError::Digits));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "u8", into = "u8")
)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4226 names three")]
pub enum Digits {
    /// Has codes from `000000` to `999999`, as authenticator apps expect.
    Six,
    /// Has codes of seven digits.
    Seven,
    /// Has codes of eight digits.
    Eight,
}

impl Digits {
    /// Returns 6, 7 or 8.
    #[must_use]
    pub const fn get(self) -> u8 {
        match self {
            Self::Six => 6,
            Self::Seven => 7,
            Self::Eight => 8,
        }
    }
}

impl TryFrom<u8> for Digits {
    type Error = TotpError;

    /// Returns the length that the number names, or [`TotpError::Digits`].
    fn try_from(digits: u8) -> Result<Self, TotpError> {
        match digits {
            6 => Ok(Self::Six),
            7 => Ok(Self::Seven),
            8 => Ok(Self::Eight),
            _ => Err(TotpError::Digits),
        }
    }
}

impl From<Digits> for u8 {
    fn from(digits: Digits) -> Self {
        digits.get()
    }
}

/// Holds what an authenticator and its server agree on beside the secret; `T0` is 0.
///
/// ```
/// use core::time::Duration;
/// use softtoken::totp::{Algorithm, Digits, Totp};
/// use softtoken::UnixTime;
/// use softtoken::time::Step;
///
/// let totp = Totp::new(Algorithm::Sha256, Digits::Eight, Duration::from_secs(60))?;
/// assert_eq!(totp.step(UnixTime::from_secs(119)), Step::new(1));
/// assert_eq!(totp.step_start(Step::new(1)), UnixTime::from_secs(60));
/// # Ok::<(), softtoken::totp::TotpError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Written", into = "Written")
)]
pub struct Totp {
    algorithm: Algorithm,
    digits: Digits,
    seconds: u8,
}

impl Totp {
    /// Holds SHA-1, six digits and 30 seconds: RFC 6238's defaults, and all that many authenticator
    /// apps know.
    pub const STANDARD: Self = Self {
        algorithm: Algorithm::Sha1,
        digits: Digits::Six,
        seconds: 30,
    };

    /// Makes parameters. `period` is how long one code is shown, 15 to 120 whole seconds; write it
    /// as the app has it.
    ///
    /// # Errors
    ///
    /// [`TotpError::Period`] where `period` is out of range, or not in whole seconds.
    pub const fn new(
        algorithm: Algorithm,
        digits: Digits,
        period: Duration,
    ) -> Result<Self, TotpError> {
        if period.subsec_nanos() != 0 {
            return Err(TotpError::Period);
        }
        match period.as_secs() {
            #[expect(clippy::cast_possible_truncation, reason = "at most 120")]
            seconds @ 15..=120 => Ok(Self {
                algorithm,
                digits,
                seconds: seconds as u8,
            }),
            _ => Err(TotpError::Period),
        }
    }

    /// Returns the hash under the HMAC.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// Returns the length of a code.
    #[must_use]
    pub const fn digits(self) -> Digits {
        self.digits
    }

    /// Returns how long a step lasts: 15 to 120 whole seconds.
    #[must_use]
    pub const fn period(self) -> Duration {
        Duration::from_secs(self.seconds as u64)
    }

    /// Returns the step that `time` lies in, [RFC 6238 section
    /// 4.2](https://www.rfc-editor.org/rfc/rfc6238#section-4.2).
    #[must_use]
    pub const fn step(self, time: UnixTime) -> Step {
        Step::new(time.as_secs() / self.seconds as u64)
    }

    /// Returns when `step` begins, or the last time there is where that is not a time any more.
    #[must_use]
    pub const fn step_start(self, step: Step) -> UnixTime {
        UnixTime::from_secs(step.get().saturating_mul(self.seconds as u64))
    }
}

/// Reports a parameter that is out of its range. Nothing was made from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TotpError {
    /// The algorithm is none that RFC 6238 names.
    #[error("the algorithm is not SHA1, SHA256 or SHA512")]
    Algorithm,
    /// The number of digits is none that a code can have.
    #[error("a code has 6, 7 or 8 digits")]
    Digits,
    /// The period is not 15 to 120 whole seconds.
    #[error("the period is not 15 to 120 whole seconds")]
    Period,
    /// The window reaches more than 10 steps back or forward.
    #[error("the window reaches more than 10 steps back or forward")]
    Window,
}

/// Holds a [`Totp`] as configuration has it: the period in seconds.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "Totp")]
struct Written {
    algorithm: Algorithm,
    digits: Digits,
    period: u64,
}

#[cfg(feature = "serde")]
impl From<Totp> for Written {
    fn from(totp: Totp) -> Self {
        Self {
            algorithm: totp.algorithm,
            digits: totp.digits,
            period: totp.seconds.into(),
        }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Written> for Totp {
    type Error = TotpError;

    fn try_from(written: Written) -> Result<Self, TotpError> {
        Self::new(
            written.algorithm,
            written.digits,
            Duration::from_secs(written.period),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_period(period: Duration) -> Result<Totp, TotpError> {
        Totp::new(Algorithm::Sha1, Digits::Six, period)
    }

    #[test]
    fn an_algorithm_is_read_as_it_is_written_in_either_case() {
        for (algorithm, name) in [
            (Algorithm::Sha1, "SHA1"),
            (Algorithm::Sha256, "SHA256"),
            (Algorithm::Sha512, "SHA512"),
        ] {
            assert_eq!(alloc::format!("{algorithm}"), name);
            assert_eq!(name.parse(), Ok(algorithm));
            assert_eq!(name.to_ascii_lowercase().parse(), Ok(algorithm));
        }
        for other in ["", "SHA", "SHA-1", "MD5"] {
            assert_eq!(other.parse::<Algorithm>(), Err(TotpError::Algorithm));
        }
    }

    #[test]
    fn a_period_is_fifteen_to_a_hundred_and_twenty_whole_seconds() {
        for seconds in 15..=120 {
            let period = Duration::from_secs(seconds);
            assert_eq!(with_period(period).map(Totp::period), Ok(period));
        }
        for refused in [
            Duration::ZERO,
            Duration::from_secs(14),
            Duration::from_secs(121),
            Duration::from_secs(256 + 30),
            Duration::from_millis(30_500),
            Duration::new(30, 1),
            Duration::MAX,
        ] {
            assert_eq!(with_period(refused), Err(TotpError::Period), "{refused:?}");
        }
    }

    #[test]
    fn a_step_begins_with_its_first_second() {
        for seconds in [15, 30, 120] {
            let totp = with_period(Duration::from_secs(seconds)).unwrap_or(Totp::STANDARD);
            for step in [0, 1, 37_037_036, u64::MAX / seconds].map(Step::new) {
                let start = totp.step_start(step);
                assert_eq!(totp.step(start), step);
                let before = UnixTime::from_secs(start.as_secs().saturating_sub(1));
                assert_eq!(totp.step(before), step.saturating_offset(-1));
            }
            let last = totp.step_start(Step::new(u64::MAX));
            assert_eq!(last, UnixTime::from_secs(u64::MAX));
        }
    }
}
