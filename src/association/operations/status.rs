//! What can be told about a subject's token without changing or proving anything.

use alloc::string::String;

use crate::association::draft::Draft;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, Refusal, Rejection};
use crate::association::state::{Association, Pending, Preference};
use crate::time::UnixTime;

/// Tells how a subject's token stands: one read, no write. It needs no authority; whom you tell is yours to decide.
#[derive(Clone, Copy, Debug, Default)]
pub struct Status;

/// How a subject's token stands.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StatusReport {
    /// What is associated.
    pub state: State,
    /// Whether a sign-in asks for it. In a pool that requires MFA it always does.
    pub preference: Preference,
    /// How many recovery codes are left.
    pub recovery_codes: u32,
    /// When the next attempt will be judged, where it must wait.
    pub throttled_until: Option<UnixTime>,
    /// Whether only an administrator or a recovery code can help.
    pub locked: bool,
}

/// What is associated.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum State {
    /// Nothing, or a secret that was not proven in time.
    Unassociated,
    /// A secret that waits for its first code.
    Pending {
        /// Until when.
        expires: UnixTime,
    },
    /// A token in force.
    Verified {
        /// Since when.
        since: UnixTime,
        /// The friendly name of its device.
        device_name: Option<String>,
        /// Until when a secret that would replace it waits for its first code.
        replacement_expires: Option<UnixTime>,
    },
}

impl sealed::Sealed for Status {}
impl Operation for Status {
    type Output = StatusReport;

    fn actor(&self) -> Actor {
        Actor::Embedder
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<StatusReport, Refusal> {
        let record = draft.record();
        let now = draft.now();
        let alive = |pending: &Pending| (now < pending.expires).then_some(pending.expires);
        let state = match &record.association {
            Association::Unassociated => State::Unassociated,
            Association::Pending(pending) => {
                alive(pending).map_or(State::Unassociated, |expires| State::Pending { expires })
            }
            Association::Verified(verified) => State::Verified {
                since: verified.token.since,
                device_name: verified.token.name.clone(),
                replacement_expires: verified.replacement.as_ref().and_then(alive),
            },
        };
        let recovery_codes = record.recovery.as_ref().map_or(0, |set| set.hashes.len());
        let admission = record.throttle.admits(now, draft.policy().throttle());
        Ok(StatusReport {
            state,
            preference: record.preference,
            recovery_codes: u32::try_from(recovery_codes).unwrap_or(u32::MAX),
            throttled_until: match admission {
                Err(Rejection::Throttled { until }) => Some(until),
                _ => None,
            },
            locked: matches!(admission, Err(Rejection::Locked)),
        })
    }
}
