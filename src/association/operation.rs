//! `(record, operation, policy, now) -> (record', outcome, events)`: what every operation is.

use super::draft::{Draft, Environment};
use super::outcome::{Actor, Events, Refusal, Rejection};
use super::state::Record;

/// What an operation decided.
///
/// Store `next` before you act on `outcome`, a refusal included: a guess that is not written down is free. It is no
/// `Result`, so that `?` cannot skip the write.
#[derive(Debug)]
#[must_use = "a decision that is not stored counts no guess and spends no code"]
pub struct Transition<T> {
    /// The record to store; `None` where nothing changes.
    pub next: Option<Record>,
    /// The answer, once `next` is stored.
    pub outcome: Result<T, Rejection>,
    /// What happened, once `next` is stored.
    pub events: Events,
}

/// One row of the state machine's table, as a value.
///
/// What it needs of randomness was drawn when it was made, so it can be applied again to a newer record after a lost
/// race; it then decides afresh.
pub trait Operation: sealed::Sealed + Send + Sync {
    /// What success gives.
    type Output: Send;

    #[doc(hidden)]
    fn actor(&self) -> Actor;

    /// Whether it makes or takes a session.
    #[doc(hidden)]
    fn needs_session_keys(&self) -> bool {
        false
    }

    /// Whether it is for nothing but sealing.
    #[doc(hidden)]
    fn needs_seal(&self) -> bool {
        false
    }

    #[doc(hidden)]
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Self::Output, Refusal>;

    /// Decides. Pure: the same record, operation and environment give the same transition.
    fn apply(&self, record: Record, environment: &Environment<'_>) -> Transition<Self::Output> {
        let mut draft = Draft::new(record, *environment, self.actor());
        let outcome = self
            .decide(&mut draft)
            .map_err(|refusal| draft.refused(refusal));
        let (next, events) = draft.close();
        Transition {
            next,
            outcome,
            events,
        }
    }
}

pub(super) mod sealed {
    pub trait Sealed {}
}
