//! Tells about a subject's tokens without changing or proving anything.

use alloc::string::String;
use alloc::vec::Vec;

use crate::association::draft::Draft;
use crate::association::names::TokenId;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, Refusal, Rejection};
use crate::association::state::{Pending, Preference, State, Token};
use crate::time::UnixTime;

/// Tells how a subject's second factor stands: one read, no write. It needs no authority; your
/// application decides whom it tells.
///
/// [`Mfa::status`](crate::Mfa::status) makes a request of this operation. Its page has an example,
/// and lists the rejections.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it is made by its name")]
pub struct Status;

/// Tells how a subject's second factor stands.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StatusReport {
    /// Says which of the three states the subject is in; a secret whose time has run out no longer
    /// waits.
    pub state: State,
    /// Lists the tokens in force.
    pub tokens: Vec<TokenStatus>,
    /// Describes the secret that waits for its first code.
    pub pending: Option<PendingStatus>,
    /// Says whether a sign-in asks for a token where the policy leaves it to the user.
    pub preference: Preference,
    /// Counts the recovery codes that are left.
    pub recovery_codes: u32,
    /// Says when the temporary code of an administrator ends, where there is one.
    pub temporary_code_expires: Option<UnixTime>,
    /// Counts the wrong codes in a row.
    pub failures: u32,
    /// Says when the next attempt will be judged, where it must wait.
    pub throttled_until: Option<UnixTime>,
    /// Says whether the tokens are locked: only an administrator, a recovery code or a vouched
    /// factor helps.
    pub locked: bool,
    /// Says when the secrets were last exported, if ever.
    pub exported: Option<UnixTime>,
}

impl StatusReport {
    /// Returns whether a token is in force.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.state == State::Verified
    }

    /// Returns whether a sign-in asks for a token where the policy leaves it to the user.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.is_verified() && self.preference.is_enabled()
    }
}

/// Tells how a token in force stands.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TokenStatus {
    /// Names the token for the verbs that take one.
    pub id: TokenId,
    /// Holds the name that the user gave to the token.
    pub name: Option<String>,
    /// Says when the token was verified.
    pub since: UnixTime,
    /// Says when a code of the token was last accepted; `None` where none was since its import.
    pub last_used: Option<UnixTime>,
    /// Says whether the token's secret has fewer than 16 bytes. Ask its holder to enrol anew.
    pub weak: bool,
    /// Counts the steps that the token's clock is known to be ahead; negative where it is behind.
    pub drift: i16,
}

/// Tells how a secret that waits for its first code stands.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PendingStatus {
    /// Holds the id that the token will have.
    pub id: TokenId,
    /// Holds the name that the user gave to the token.
    pub name: Option<String>,
    /// Says when the secret can no longer be verified.
    pub expires: UnixTime,
    /// Names the token that the new one will replace.
    pub replaces: Option<TokenId>,
}

impl sealed::Sealed for Status {}
impl Operation for Status {
    type Output = StatusReport;

    const NAME: &'static str = "status";

    fn actor(&self) -> Actor {
        Actor::Application
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<StatusReport, Refusal> {
        let record = draft.record();
        let now = draft.now();
        let pending = record
            .pending
            .as_deref()
            .filter(|pending| pending.is_alive(now));
        let in_force = record.is_verified();
        let admission = record
            .throttle
            .admits(now, in_force, draft.policy().throttle());
        Ok(StatusReport {
            state: match record.state() {
                State::Pending if pending.is_none() => State::Unassociated,
                state => state,
            },
            tokens: record.tokens.iter().map(TokenStatus::of).collect(),
            pending: pending.map(PendingStatus::of),
            preference: record.preference,
            recovery_codes: record.recovery.left(),
            temporary_code_expires: record.recovery.alive(now).map(|code| code.expires),
            failures: record.throttle.streak,
            throttled_until: match admission {
                Err(Rejection::Throttled { until }) => Some(until),
                _ => None,
            },
            locked: admission == Err(Rejection::Locked),
            exported: record.exported,
        })
    }
}

impl TokenStatus {
    fn of(token: &Token) -> Self {
        Self {
            id: token.id,
            name: token.name.as_deref().map(String::from),
            since: token.since,
            last_used: token.last_used,
            weak: token.secret.is_weak(),
            drift: token.drift,
        }
    }
}

impl PendingStatus {
    fn of(pending: &Pending) -> Self {
        Self {
            id: pending.id,
            name: pending.name.as_deref().map(String::from),
            expires: pending.expires,
            replaces: pending.replaces,
        }
    }
}
