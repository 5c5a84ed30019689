//! The answer no.

use core::time::Duration;

use crate::time::UnixTime;
use crate::totp::Digits;

/// Why an operation was refused, in terms that the user may be told.
///
/// A rejection is a decision, not a failure: what it had to count is counted in the record that goes with it.
///
/// ```
/// use core::time::Duration;
/// use softtoken::{Rejection, UnixTime};
///
/// let throttled = Rejection::Throttled { until: UnixTime::from_secs(65) };
/// assert_eq!(throttled.code(), "throttled");
/// assert_eq!(throttled.retry_after(UnixTime::from_secs(60)), Some(Duration::from_secs(5)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// There is no token in the state that the operation needs: nothing verified, or nothing pending.
    #[error("no software token is associated")]
    NotAssociated,
    /// The pending secret's time has run out. Associate anew.
    #[error("the time to verify this software token has run out")]
    Expired,
    /// The code is not right. A token's code was counted; a recovery code is not.
    #[error("the code does not match")]
    Mismatch,
    /// The code is right and was accepted before. It was not counted.
    #[error("the code has been used already")]
    Reused,
    /// The code has another length than the token's. It was not looked at, and not counted.
    #[error("a code of this token has {} digits", expected.get())]
    CodeLength {
        /// The length of the token's codes.
        expected: Digits,
    },
    /// Too early: after failures, or after more successes than there is room to remember. Nothing was judged, nothing
    /// counted.
    #[error("too many wrong codes; the next attempt has to wait")]
    Throttled {
        /// When the next attempt will be judged.
        until: UnixTime,
    },
    /// Too many failures. Nothing was judged. An administrator's `unlock` or `reset`, or a recovery code, ends it.
    #[error("the software token is locked")]
    Locked,
    /// Something is wrong with the session; which thing, only the event says.
    #[error("Invalid session for the user, session is expired or invalid.")]
    InvalidSession,
    /// The grant authorises nothing: it was given before a reset.
    #[error("not authorized")]
    NotAuthorized,
    /// The grant is too old for the policy. Authenticate again.
    #[error("authentication is too old")]
    ReauthenticationRequired,
    /// A token is verified, and the grant does not prove its possession.
    #[error("a second factor is required")]
    SecondFactorRequired,
    /// The pool requires MFA: the token cannot be removed or turned off.
    #[error("MFA is required")]
    MfaRequired,
    /// Software tokens are switched off in the pool.
    #[error("software tokens are disabled")]
    SoftwareTokenDisabled,
    /// Something is verified already; an import never overwrites it.
    #[error("a software token is verified already")]
    AlreadyVerified,
    /// The server's clock stands before a step that was accepted already. Nothing was judged, nothing counted.
    #[error("the server's clock has gone back")]
    ClockBehind,
}

impl Rejection {
    /// A stable name for logs, metrics and protocols.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAssociated => "not_associated",
            Self::Expired => "expired",
            Self::Mismatch => "mismatch",
            Self::Reused => "reused",
            Self::CodeLength { .. } => "code_length",
            Self::Throttled { .. } => "throttled",
            Self::Locked => "locked",
            Self::InvalidSession => "invalid_session",
            Self::NotAuthorized => "not_authorized",
            Self::ReauthenticationRequired => "reauthentication_required",
            Self::SecondFactorRequired => "second_factor_required",
            Self::MfaRequired => "mfa_required",
            Self::SoftwareTokenDisabled => "software_token_disabled",
            Self::AlreadyVerified => "already_verified",
            Self::ClockBehind => "clock_behind",
        }
    }

    /// How long after `now` the same request may succeed, where time alone can make it.
    #[must_use]
    pub const fn retry_after(&self, now: UnixTime) -> Option<Duration> {
        match self {
            Self::Throttled { until } => Some(until.since(now)),
            _ => None,
        }
    }
}

/// What was wrong with a session. The caller is told only [`Rejection::InvalidSession`]; the event says this.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SessionFlaw {
    /// Not a session that one of the keys has signed.
    Forged,
    /// Another user's.
    OtherSubject,
    /// Made in another context than the one the caller expects.
    OtherContext,
    /// Made for another step of the flow.
    OtherPurpose,
    /// What is in force has changed since.
    OtherGeneration,
    /// For a pending secret that has been replaced.
    OtherPending,
    /// Its time has run out.
    Expired,
    /// It has succeeded already.
    Spent,
}

/// A refusal with what only the event tells.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    pub(crate) rejection: Rejection,
    pub(crate) flaw: Option<SessionFlaw>,
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            flaw: None,
        }
    }
}

impl From<SessionFlaw> for Refusal {
    fn from(flaw: SessionFlaw) -> Self {
        Self {
            rejection: Rejection::InvalidSession,
            flaw: Some(flaw),
        }
    }
}
