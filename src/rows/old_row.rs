//! Holds a user's row of another system, as its columns have it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use zeroize::Zeroizing;

use super::Refusal;
use crate::association::{ImportError, ImportedToken};
use crate::error::Fault;
use crate::time::{Step, UnixTime};
use crate::totp::{Digits, KeyUri, Secret, Totp, TotpError};

/// Holds one user of another system with all tokens, to be [moved in](super::Rows::move_in).
///
/// Backup codes are no part of it: their hashes stay with your application, which
/// [vouches](crate::manual::migrations#backup-codes-of-before) for them.
#[derive(Clone, Debug)]
pub struct OldRow {
    subject: String,
    tokens: Vec<OldToken>,
    is_enabled: bool,
    may_come_back: bool,
}

impl OldRow {
    /// Begins the row of this subject, by the name that it has here.
    #[must_use]
    pub fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            tokens: Vec::new(),
            is_enabled: true,
            may_come_back: false,
        }
    }

    /// Adds a token.
    #[must_use]
    pub fn token(mut self, token: OldToken) -> Self {
        self.tokens.push(token);
        self
    }

    /// Says whether sign-ins asked for the tokens; they did unless said otherwise. Of a secret that
    /// waits for its first code it says nothing.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.is_enabled = enabled;
        self
    }

    /// Moves the user in although a token was in force here before, and none is now. Say it of a
    /// user who asks, not of a whole table: it brings back what users have removed.
    #[must_use]
    pub fn even_if_verified_before(mut self) -> Self {
        self.may_come_back = true;
        self
    }

    /// Returns the subject.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    pub(super) fn is_pending(&self) -> bool {
        self.tokens.iter().any(|token| token.is_pending)
    }

    pub(super) fn may_come_back(&self) -> bool {
        self.may_come_back
    }

    pub(super) fn read(&self) -> Result<Vec<ImportedToken>, Refusal> {
        self.tokens.iter().map(OldToken::read).collect()
    }
}

/// Holds a token of another system, as its columns have it. Nothing is read or checked before the
/// row is judged, so that what is wrong with it is in the report.
///
/// Numbers are signed, as databases have them. The key is wiped when dropped.
///
/// ```
/// use softtoken::rows::OldToken;
///
/// // Hexadecimal, never used
/// let token = OldToken::hexadecimal("3132333435363738393031323334353637383930")
///     .period(30)
///     .digits(6)
///     .last_step(-1);
/// // A whole URI
/// let token = OldToken::key_uri("otpauth://totp/alice?secret=JBSWY3DPEHPK3PXP").named("phone");
/// assert!(!format!("{token:?}").contains("JBSW"));
/// ```
#[derive(Clone)]
pub struct OldToken {
    key: Key,
    algorithm: Option<String>,
    digits: Option<i64>,
    period: Option<i64>,
    last: Last,
    drift: i64,
    name: Option<String>,
    is_pending: bool,
}

#[derive(Clone)]
enum Key {
    Bytes(Zeroizing<Vec<u8>>),
    Base32(Zeroizing<String>),
    LegacyBase32(Zeroizing<String>),
    Hexadecimal(Zeroizing<String>),
    Uri(Zeroizing<String>),
}

#[derive(Clone, Copy)]
enum Last {
    Unknown,
    Step(i64),
    Time(i64),
}

/// # The key
impl OldToken {
    /// Has this key, as bytes.
    #[must_use]
    pub fn bytes(key: impl Into<Vec<u8>>) -> Self {
        Self::of(Key::Bytes(Zeroizing::new(key.into())))
    }

    /// Has the key that [`Secret::from_base32`] reads.
    #[must_use]
    pub fn base32(key: impl Into<String>) -> Self {
        Self::of(Key::Base32(Zeroizing::new(key.into())))
    }

    /// Has the key that [`Secret::from_base32_legacy`] reads, as authenticator apps do.
    #[must_use]
    pub fn legacy_base32(key: impl Into<String>) -> Self {
        Self::of(Key::LegacyBase32(Zeroizing::new(key.into())))
    }

    /// Has the key that [`Secret::from_hex`] reads.
    #[must_use]
    pub fn hexadecimal(key: impl Into<String>) -> Self {
        Self::of(Key::Hexadecimal(Zeroizing::new(key.into())))
    }

    /// Has the key and the parameters that [`KeyUri::parse_legacy`] reads. Algorithm, digits and
    /// period that are said as well have to be those of the URI.
    #[must_use]
    pub fn key_uri(uri: impl Into<String>) -> Self {
        Self::of(Key::Uri(Zeroizing::new(uri.into())))
    }

    fn of(key: Key) -> Self {
        Self {
            key,
            algorithm: None,
            digits: None,
            period: None,
            last: Last::Unknown,
            drift: 0,
            name: None,
            is_pending: false,
        }
    }
}

/// # Beside the key
impl OldToken {
    /// Names the algorithm, `SHA1` unless said otherwise, without regard to case.
    #[must_use]
    pub fn algorithm(mut self, name: impl Into<String>) -> Self {
        self.algorithm = Some(name.into());
        self
    }

    /// Says how many digits a code has, 6 unless said otherwise.
    #[must_use]
    pub fn digits(mut self, digits: i64) -> Self {
        self.digits = Some(digits);
        self
    }

    /// Says for how many seconds a code is shown, 30 unless said otherwise.
    #[must_use]
    pub fn period(mut self, seconds: i64) -> Self {
        self.period = Some(seconds);
        self
    }

    /// Says which step was accepted last; 0 and less is none. See
    /// [units](crate::manual::migrations#counters-are-steps-not-seconds).
    #[must_use]
    pub fn last_step(mut self, counter: i64) -> Self {
        self.last = Last::Step(counter);
        self
    }

    /// Says when the last accepted code was shown, in seconds since 1970; 0 and less is never. The
    /// time of the sign-in is not the time of the code.
    #[must_use]
    pub fn last_used(mut self, seconds: i64) -> Self {
        self.last = Last::Time(seconds);
        self
    }

    /// Says how many steps the token's clock is ahead.
    #[must_use]
    pub fn drift(mut self, steps: i64) -> Self {
        self.drift = steps;
        self
    }

    /// Names the token.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Waits for a first code, as [`ImportedToken::pending`] does: a fob that its holder has asked
    /// for, say.
    #[must_use]
    pub fn pending(mut self) -> Self {
        self.is_pending = true;
        self
    }

    fn read(&self) -> Result<ImportedToken, Refusal> {
        let (secret, of_uri) = match &self.key {
            Key::Bytes(bytes) => (Secret::from_bytes(bytes)?, None),
            Key::Base32(text) => (Secret::from_base32(text)?, None),
            Key::LegacyBase32(text) => (Secret::from_base32_legacy(text)?, None),
            Key::Hexadecimal(text) => (Secret::from_hex(text)?, None),
            Key::Uri(text) => {
                let uri = KeyUri::parse_legacy(text)?;
                (uri.secret().clone(), Some(uri.totp()))
            }
        };
        let totp = self.totp(of_uri.unwrap_or(Totp::STANDARD))?;
        if of_uri.is_some_and(|of_uri| of_uri != totp) {
            return Err(Refusal::ParametersDiffer);
        }
        let mut token = if self.is_pending {
            ImportedToken::pending(secret, totp)
        } else {
            ImportedToken::proven(secret, totp)
        };
        if let Some(step) = self.last(totp) {
            token = token.last_step(step);
        }
        if self.drift != 0 {
            let drift = i16::try_from(self.drift);
            token = token.drift(drift.map_err(|_| Fault::Import(ImportError::Drift))?);
        }
        if let Some(name) = &self.name {
            token = token.named(name);
        }
        Ok(token)
    }

    /// Returns the parameters that are said, the others as they are here.
    fn totp(&self, unsaid: Totp) -> Result<Totp, TotpError> {
        let algorithm = self.algorithm.as_deref().map(str::parse).transpose()?;
        let digits = self.digits.map(|digits| {
            let digits = u8::try_from(digits).map_err(|_| TotpError::Digits)?;
            Digits::try_from(digits)
        });
        let period = self.period.map(|seconds| {
            let seconds = u64::try_from(seconds).map_err(|_| TotpError::Period)?;
            Ok(Duration::from_secs(seconds))
        });
        Totp::new(
            algorithm.unwrap_or(unsaid.algorithm()),
            digits.transpose()?.unwrap_or(unsaid.digits()),
            period.transpose()?.unwrap_or(unsaid.period()),
        )
    }

    fn last(&self, totp: Totp) -> Option<Step> {
        let positive = |number| u64::try_from(number).ok().filter(|number| *number > 0);
        match self.last {
            Last::Unknown => None,
            Last::Step(counter) => positive(counter).map(Step::new),
            Last::Time(seconds) => {
                positive(seconds).map(|seconds| totp.step(UnixTime::from_secs(seconds)))
            }
        }
    }
}

impl fmt::Debug for OldToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OldToken(..)")
    }
}
