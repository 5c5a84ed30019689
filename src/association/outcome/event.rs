//! Tells what happened, as data.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::evidence::{Evidence, Method};
use super::rejection::{Rejection, SessionFlaw};
use crate::association::names::TokenId;
use crate::time::{Step, UnixTime};

/// Says on whose authority something happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Actor {
    /// The user acted, by a login that your application has checked.
    Grant,
    /// The user acted, by a challenge session.
    Session,
    /// An administrator of your application acted.
    #[non_exhaustive]
    Administrator {
        /// Holds the name that your application gave.
        name: Arc<str>,
    },
    /// Your application acted alone, in a verb that takes no authority: a sign-in, for which the
    /// factor itself speaks, or a status.
    Application,
}

impl Actor {
    /// Returns a stable name for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Session => "session",
            Self::Administrator { .. } => "administrator",
            Self::Application => "application",
        }
    }

    /// Returns the name of the administrator, where it was one.
    #[cfg(any(feature = "serde", feature = "tracing"))]
    pub(crate) fn administrator(&self) -> Option<&str> {
        match self {
            Self::Administrator { name } => Some(name),
            Self::Grant | Self::Session | Self::Application => None,
        }
    }
}

/// Names the token that an event is about.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct NamedToken {
    /// Holds the token's id.
    pub id: TokenId,
    /// Holds the name that the user gave to the token.
    pub name: Option<Arc<str>>,
}

/// Reports one thing that happened to one subject. It holds no secret, no code and no session.
///
/// `Serialize` (feature `serde`) writes one flat object, for a log whose fields are columns: `at`,
/// `name` (what [`name`](Self::name) returns), `operation`, `actor` and `administrator`, `token`
/// and `token_name`, and the fields of the [kind](EventKind); of a rejection its name.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Event {
    /// Says when the operation was decided.
    pub at: UnixTime,
    /// Says on whose authority it happened.
    pub actor: Actor,
    /// Names the operation that decided it: a verb of [`Mfa`](crate::Mfa).
    pub operation: &'static str,
    /// Names the token that the event is about, where it is about one.
    pub token: Option<NamedToken>,
    /// Says what happened.
    pub kind: EventKind,
}

#[cfg(feature = "serde")]
impl serde::Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Flat<'a> {
            at: UnixTime,
            operation: &'static str,
            actor: &'static str,
            administrator: Option<&'a str>,
            token: Option<TokenId>,
            token_name: Option<&'a str>,
            #[serde(flatten)]
            kind: &'a EventKind,
        }
        let flat = Flat {
            at: self.at,
            operation: self.operation,
            actor: self.actor.name(),
            administrator: self.actor.administrator(),
            token: self.token.as_ref().map(|token| token.id),
            token_name: self.token.as_ref().and_then(|token| token.name.as_deref()),
            kind: &self.kind,
        };
        flat.serialize(serializer)
    }
}

impl Event {
    /// Reports a text that is no challenge session.
    pub(crate) fn of_session(at: UnixTime, kind: EventKind) -> Self {
        Self {
            at,
            actor: Actor::Session,
            operation: "open",
            token: None,
            kind,
        }
    }

    /// Reports that the browser that showed this evidence was remembered.
    pub(crate) fn of_browser(at: UnixTime, evidence: &Evidence) -> Self {
        let name = evidence.0.token_name.clone();
        Self {
            at,
            actor: Actor::Application,
            operation: "remember",
            token: evidence.token().map(|id| NamedToken { id, name }),
            kind: EventKind::BrowserRemembered,
        }
    }

    /// Returns the stable name of what happened, for logs, metrics and alerts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// Returns whether somebody should look at the event: a token was locked, or the password is
    /// probably known.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        matches!(
            self.kind,
            EventKind::Locked | EventKind::PasswordProbablyKnown { .. }
        )
    }
}

/// Says what an [`Event`] reports.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(tag = "name", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EventKind {
    /// A secret was issued, pending its first code.
    Associated {
        /// Says whether possession of the token in force was waived by policy.
        possession_waived: bool,
    },
    /// A pending secret was proven, and no token was in force before.
    Verified {
        /// Counts failures in a row before the success.
        failures: u32,
    },
    /// A pending secret was proven in place of a token, which is dead.
    Replaced {
        /// Counts failures in a row before the success.
        failures: u32,
        /// Names the token that is dead.
        replaced: TokenId,
        /// Says whether possession of that token was waived by policy.
        possession_waived: bool,
    },
    /// A pending secret was proven, beside the tokens in force.
    Added {
        /// Counts failures in a row before the success.
        failures: u32,
    },
    /// A token was removed; others are in force still.
    Removed,
    /// A token was given another name.
    Renamed,
    /// A factor was accepted.
    SignedIn {
        /// Says what proved the factor.
        method: Method,
        /// Counts failures in a row before the success: many of them, and then a success, deserve a
        /// look.
        failures: u32,
    },
    /// The second factor was turned on or off, or preferred.
    PreferenceChanged {
        /// Says whether a sign-in asks for the second factor under an optional policy.
        enabled: bool,
        /// Says whether the second factor is preferred over other factors.
        preferred: bool,
    },
    /// A new set of recovery codes was issued; the one before is dead.
    RecoveryCodesIssued,
    /// A recovery code was accepted.
    RecoveryCodeUsed {
        /// Counts the codes of the set that are left.
        left: u32,
        /// Says whether it was the temporary code.
        temporary: bool,
    },
    /// An administrator issued a temporary code.
    TemporaryCodeIssued {
        /// Says when the code ends.
        expires: UnixTime,
    },
    /// Your application vouched for a factor that it checked itself.
    Vouched,
    /// A factor was given where no token is in force; the factor was not looked at.
    FactorIgnored,
    /// A browser was remembered.
    BrowserRemembered,
    /// A remembered browser was let in without a second factor.
    BrowserAccepted,
    /// Every remembered browser was forgotten.
    BrowsersForgotten,
    /// The drift of a token's clock was set.
    Resynchronised {
        /// Counts steps; positive where the user's clock is ahead.
        drift: i16,
        /// Counts failures in a row before the success.
        failures: u32,
    },
    /// An attempt that was repeated by its caller was given the same evidence again.
    AnsweredAgain,
    /// Every token was removed.
    Disassociated,
    /// A secret that waited for its first code was removed, where no token was in force.
    PendingRemoved,
    /// Everything was removed, and grants given before are void.
    Reset {
        /// Says whether the record could not be read.
        unreadable: bool,
        /// Says whether stored times that lay ahead of the clock were lowered.
        clock_mended: bool,
    },
    /// The throttle and the count of wrong recovery codes were cleared.
    Unlocked,
    /// A token was taken over from elsewhere.
    Imported {
        /// Says whether the token waits for its first code.
        pending: bool,
        /// Says whether the token's secret has fewer than 16 bytes.
        weak: bool,
        /// Says whether tokens were in force, whose place it took.
        replacing: bool,
    },
    /// The secrets of all tokens in force were handed out.
    Exported,
    /// An operation was refused.
    Refused {
        /// Says what the caller was told.
        #[cfg_attr(
            feature = "serde",
            serde(flatten, serialize_with = "write_flat_rejection")
        )]
        rejection: Rejection,
        /// Says what the caller was not told.
        flaw: Option<SessionFlaw>,
    },
    /// A failure made the next attempt wait.
    Throttled {
        /// Says when the next attempt will be judged.
        until: UnixTime,
    },
    /// The tokens are locked: a failure locked them, or an attempt found them locked.
    Locked,
    /// There were so many failures that the person who makes them probably has the password.
    PasswordProbablyKnown {
        /// Counts failures in a row.
        failures: u32,
        /// Counts failures that no success has paid off, however long ago they were.
        suspicion: u32,
    },
    /// A code that was accepted before came again: a replay, or an impatient user.
    ReusedCode {
        /// Holds the step of the code.
        step: Step,
    },
    /// The server's clock has gone back behind an accepted step; nothing was judged.
    ClockBehind {
        /// Holds the last accepted step.
        last: Step,
    },
}

/// Writes the rejection by its name, with what it says beside it.
#[cfg(feature = "serde")]
fn write_flat_rejection<S: serde::Serializer>(
    rejection: &Rejection,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(serde::Serialize)]
    struct Flat {
        rejection: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<UnixTime>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expected: Option<crate::totp::Digits>,
    }
    let (until, expected) = match rejection {
        Rejection::Throttled { until } => (Some(*until), None),
        Rejection::CodeLength { expected } => (None, Some(*expected)),
        _ => (None, None),
    };
    let flat = Flat {
        rejection: rejection.name(),
        until,
        expected,
    };
    serde::Serialize::serialize(&flat, serializer)
}

impl EventKind {
    /// Returns a stable name for logs, metrics and alerts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Associated { .. } => "associated",
            Self::Verified { .. } => "verified",
            Self::Replaced { .. } => "replaced",
            Self::Added { .. } => "added",
            Self::Removed => "removed",
            Self::Renamed => "renamed",
            Self::SignedIn { .. } => "signed_in",
            Self::PreferenceChanged { .. } => "preference_changed",
            Self::RecoveryCodesIssued => "recovery_codes_issued",
            Self::RecoveryCodeUsed { .. } => "recovery_code_used",
            Self::TemporaryCodeIssued { .. } => "temporary_code_issued",
            Self::Vouched => "vouched",
            Self::FactorIgnored => "factor_ignored",
            Self::BrowserRemembered => "browser_remembered",
            Self::BrowserAccepted => "browser_accepted",
            Self::BrowsersForgotten => "browsers_forgotten",
            Self::Resynchronised { .. } => "resynchronised",
            Self::AnsweredAgain => "answered_again",
            Self::Disassociated => "disassociated",
            Self::PendingRemoved => "pending_removed",
            Self::Reset { .. } => "reset",
            Self::Unlocked => "unlocked",
            Self::Imported { .. } => "imported",
            Self::Exported => "exported",
            Self::Refused { .. } => "refused",
            Self::Throttled { .. } => "throttled",
            Self::Locked => "locked",
            Self::PasswordProbablyKnown { .. } => "password_probably_known",
            Self::ReusedCode { .. } => "reused_code",
            Self::ClockBehind { .. } => "clock_behind",
        }
    }
}

/// Lists what one decision made happen, oldest first.
///
/// ```
/// use softtoken::association::Events;
///
/// assert!(Events::default().is_empty());
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Events(Held);

/// Holds the one event of most decisions without an allocation.
#[derive(Clone, PartialEq, Eq)]
enum Held {
    AtMostOne(Option<Event>),
    Several(Vec<Event>),
}

impl Default for Held {
    fn default() -> Self {
        Self::AtMostOne(None)
    }
}

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        match &mut self.0 {
            Held::AtMostOne(held) => match held.take() {
                None => *held = Some(event),
                Some(first) => self.0 = Held::Several(alloc::vec![first, event]),
            },
            Held::Several(events) => events.push(event),
        }
    }

    fn as_slice(&self) -> &[Event] {
        match &self.0 {
            Held::AtMostOne(event) => event.as_slice(),
            Held::Several(events) => events,
        }
    }

    /// Returns the events, oldest first.
    pub fn iter(&self) -> core::slice::Iter<'_, Event> {
        self.as_slice().iter()
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Returns whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.as_slice();
        formatter.debug_tuple("Events").field(&events).finish()
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = core::slice::Iter<'a, Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(all(test, feature = "serde"))]
#[allow(clippy::unwrap_used, reason = "a failing step fails the test")]
mod tests {
    use serde_json::{Value, json, to_value};

    use super::*;
    use crate::totp::Digits;

    #[test]
    fn a_rejection_has_what_it_says_beside_its_name_and_nothing_else() {
        let written = |rejection| -> Value {
            let flaw = None;
            to_value(EventKind::Refused { rejection, flaw }).unwrap()
        };
        let until = UnixTime::from_secs(65);
        assert_eq!(
            written(Rejection::Throttled { until }),
            json!({"name": "refused", "rejection": "throttled", "until": 65, "flaw": null})
        );
        let expected = Digits::try_from(8).unwrap();
        assert_eq!(
            written(Rejection::CodeLength { expected }),
            json!({"name": "refused", "rejection": "code_length", "expected": 8, "flaw": null})
        );
        assert_eq!(
            written(Rejection::Locked),
            json!({"name": "refused", "rejection": "locked", "flaw": null})
        );
    }
}
