//! What happened, as data.

use alloc::vec::Vec;

use super::evidence::Method;
use super::rejection::{Rejection, SessionFlaw};
use crate::time::{Step, UnixTime};

/// On whose authority.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Actor {
    /// The user, by an access token.
    Grant,
    /// The user, by a session.
    Session,
    /// An administrator.
    Administrator,
    /// The embedder alone: a step-up or a sign-in, which the code itself has to justify.
    Embedder,
}

/// One thing that happened to one subject. It holds no secret, no code and no session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Event {
    /// When it was decided.
    pub at: UnixTime,
    /// On whose authority.
    pub actor: Actor,
    /// What it was.
    pub kind: EventKind,
}

/// What an [`Event`] reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// A secret was issued, pending its first code.
    Associated,
    /// A pending secret was proven, and nothing was in force before.
    Verified {
        /// Failures in a row before it.
        failures: u32,
    },
    /// A pending secret was proven, and the token in force before is dead.
    Replaced {
        /// Failures in a row before it.
        failures: u32,
    },
    /// A code was accepted.
    SignedIn {
        /// Which kind of code.
        method: Method,
        /// Failures in a row before it: many, and a success, deserve a look.
        failures: u32,
    },
    /// The token was turned on or off, or preferred.
    PreferenceChanged {
        /// Whether an optional pool asks for it.
        enabled: bool,
        /// Whether it is preferred over other factors.
        preferred: bool,
    },
    /// A new set of recovery codes; the one before is dead.
    RecoveryCodesIssued,
    /// One of them was accepted.
    RecoveryCodeUsed {
        /// How many are left.
        left: u32,
    },
    /// The drift of the user's clock was set.
    Resynchronised {
        /// In steps; positive where the user's clock is ahead.
        drift: i16,
        /// Failures in a row before it.
        failures: u32,
    },
    /// An attempt that was repeated by its caller was given the same evidence again.
    AnsweredAgain,
    /// The token was removed.
    Disassociated,
    /// Everything was removed, and grants given before are void.
    Reset,
    /// The throttle was cleared.
    Unlocked,
    /// A token was taken over from elsewhere.
    Imported,
    /// An operation was refused.
    Refused {
        /// As the caller was told.
        rejection: Rejection,
        /// What the caller was not told.
        flaw: Option<SessionFlaw>,
    },
    /// A failure that makes the next attempt wait.
    Throttled {
        /// When the next attempt will be judged.
        until: UnixTime,
    },
    /// A failure that locked the token.
    Locked,
    /// So many failures in a row that whoever makes them probably has the password.
    PasswordProbablyKnown {
        /// Failures in a row.
        failures: u32,
    },
    /// A code that was accepted before came again: a replay, or an impatient user.
    ReusedCode {
        /// Its step.
        step: Step,
    },
    /// The server's clock has gone back behind an accepted step; nothing was judged.
    ClockBehind {
        /// The last accepted step.
        last: Step,
    },
}

/// What one decision made happen, oldest first.
///
/// ```
/// use softtoken::Events;
///
/// assert!(Events::default().is_empty());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Events(Vec<Event>);

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        self.0.push(event);
    }

    /// The events, oldest first.
    pub fn iter(&self) -> core::slice::Iter<'_, Event> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = core::slice::Iter<'a, Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
