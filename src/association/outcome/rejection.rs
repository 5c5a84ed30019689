//! Says no, and why.

use core::time::Duration;

use crate::time::UnixTime;
use crate::totp::Digits;

/// Says why an operation was refused, in terms that the user may be told.
///
/// A rejection is a decision, not a failure: what it had to count is counted in the record that
/// goes with it.
///
/// ```
/// use core::time::Duration;
/// use softtoken::{Rejection, UnixTime};
///
/// let throttled = Rejection::Throttled { until: UnixTime::from_secs(65) };
/// assert_eq!(throttled.name(), "throttled");
/// assert_eq!(throttled.retry_after(UnixTime::from_secs(60)), Some(Duration::from_secs(5)));
/// assert!(throttled.may_retry());
/// assert!(!Rejection::InvalidSession.may_retry());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "name", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Rejection {
    /// There is no token in the state that the operation needs: none is verified, or none is
    /// pending.
    #[error("no software token is associated")]
    NotAssociated,
    /// The pending secret's time has run out. No code was judged. Associate anew.
    #[error("the time to verify this software token has run out")]
    Expired,
    /// The code is not right. A token's code was counted in the throttle; a recovery code was
    /// counted by itself, while there is one to guess, up to 100.
    #[error("the code does not match")]
    Mismatch,
    /// The code is right and was accepted before. It was not counted.
    #[error("the code has been used already")]
    Reused,
    /// The code has another length than the codes of the token. It was not judged, and not counted.
    #[error("a code of this token has {} digits", expected.get())]
    CodeLength {
        /// Holds the length of the token's codes; where there are several tokens, of the first.
        expected: Digits,
    },
    /// The attempt came too early: after failures, or after more successes than there is room to
    /// remember. Nothing was judged, nothing counted.
    #[error("too many wrong codes; the next attempt has to wait")]
    Throttled {
        /// Says when the next attempt will be judged.
        until: UnixTime,
    },
    /// The tokens are locked after too many failures. Nothing was judged. An administrator's
    /// `unlock` or `reset`, a recovery code or a vouched factor ends the lock.
    #[error("the software token is locked")]
    Locked,
    /// Too many wrong recovery codes in a row, where the policy limits them
    /// ([`Policy::recovery_limit`](crate::Policy::recovery_limit)). Nothing was judged. The token's
    /// codes are not locked by it; an administrator's `unlock`, `issue_temporary_code` or `reset`
    /// ends it.
    #[error("too many wrong recovery codes")]
    RecoveryLocked,
    /// Something is wrong with the challenge session; which thing, only the event says. Nothing was
    /// counted.
    #[error("the session is not valid")]
    InvalidSession,
    /// The grant authorises nothing: it is another subject's, was given before a reset, or lies in
    /// the future. No code was judged, nothing counted.
    #[error("not authorized")]
    NotAuthorized,
    /// The grant is too old. Let the user authenticate again, with the second factor (`step_up`)
    /// where a token is in force. No code was judged, nothing counted.
    #[error("authentication is too old")]
    ReauthenticationRequired,
    /// A token is in force, and the grant does not prove its possession. No code was judged,
    /// nothing counted.
    #[error("a second factor is required")]
    SecondFactorRequired,
    /// The policy requires MFA: the last token can be neither removed nor turned off. Nothing was
    /// changed.
    #[error("MFA is required")]
    MfaRequired,
    /// The policy has software tokens switched off. Nothing was issued, verified or imported.
    #[error("software tokens are disabled")]
    SoftwareTokenDisabled,
    /// The session has put a token in force already; or the grant has, and no other secret waits;
    /// or, for an import, any token is in force. Nothing was judged or changed.
    #[error("a software token is verified already")]
    AlreadyVerified,
    /// The subject has as many tokens in force as the policy allows. Nothing was issued or
    /// verified. Replace one, or remove one first.
    #[error("there are as many software tokens as allowed")]
    TooManyTokens,
    /// The token that the request names is not in force. Nothing was changed.
    #[error("there is no such software token")]
    NoSuchToken,
    /// A token was in force here before, and an import does not bring one back unless it says so.
    /// Nothing was imported.
    #[error("a software token was verified here before")]
    VerifiedBefore,
    /// The last step of an imported token lies in the future, as when seconds are taken for steps,
    /// or -1 for none. Nothing was imported.
    #[error("the last step of the imported software token lies in the future")]
    LastStepInFuture,
    /// The server's clock stands before a step that was accepted already. Nothing was judged,
    /// nothing counted.
    #[error("the server's clock has gone back")]
    ClockBehind,
}

impl Rejection {
    /// Returns a stable name for logs, metrics and protocols.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotAssociated => "not_associated",
            Self::Expired => "expired",
            Self::Mismatch => "mismatch",
            Self::Reused => "reused",
            Self::CodeLength { .. } => "code_length",
            Self::Throttled { .. } => "throttled",
            Self::Locked => "locked",
            Self::RecoveryLocked => "recovery_locked",
            Self::InvalidSession => "invalid_session",
            Self::NotAuthorized => "not_authorized",
            Self::ReauthenticationRequired => "reauthentication_required",
            Self::SecondFactorRequired => "second_factor_required",
            Self::MfaRequired => "mfa_required",
            Self::SoftwareTokenDisabled => "software_token_disabled",
            Self::AlreadyVerified => "already_verified",
            Self::TooManyTokens => "too_many_tokens",
            Self::NoSuchToken => "no_such_token",
            Self::VerifiedBefore => "verified_before",
            Self::LastStepInFuture => "last_step_in_future",
            Self::ClockBehind => "clock_behind",
        }
    }

    /// Returns how long after `now` the same request may succeed, where time alone can make it.
    #[must_use]
    pub const fn retry_after(&self, now: UnixTime) -> Option<Duration> {
        match self {
            Self::Throttled { until } => Some(until.since(now)),
            _ => None,
        }
    }

    /// Returns whether the user may go on in the same flow: with another code, a little later, or,
    /// where the token is locked, with a recovery code. Where it is `false`, the flow has to start
    /// over, or something else has to change first.
    #[must_use]
    pub const fn may_retry(&self) -> bool {
        matches!(
            self,
            Self::Mismatch
                | Self::Reused
                | Self::CodeLength { .. }
                | Self::Throttled { .. }
                | Self::Locked
                | Self::RecoveryLocked
                | Self::ClockBehind
        )
    }
}

/// Says what was wrong with a challenge session. The caller is told only
/// [`Rejection::InvalidSession`]; the event says this.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SessionFlaw {
    /// None of the keys has signed the text.
    Forged,
    /// The session is another subject's.
    OtherSubject,
    /// The session was made in another context than the view's.
    OtherContext,
    /// The session was made for another step of the flow.
    OtherPurpose,
    /// A token has come into force or gone out of it since.
    OtherGeneration,
    /// The session is for a pending secret that has been replaced.
    OtherPending,
    /// The session's time has run out, or is yet to come; or it would finish a set-up whose code is
    /// too old, or of a time to come.
    Expired,
    /// The session has succeeded already, or it would finish a set-up that can no longer be
    /// finished: browsers were forgotten since.
    Spent,
}

impl SessionFlaw {
    /// Returns a stable name for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::OtherSubject => "other_subject",
            Self::OtherContext => "other_context",
            Self::OtherPurpose => "other_purpose",
            Self::OtherGeneration => "other_generation",
            Self::OtherPending => "other_pending",
            Self::Expired => "expired",
            Self::Spent => "spent",
        }
    }
}

/// Holds a refusal with what only the event tells.
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
