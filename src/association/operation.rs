//! Defines what every operation is:
//! `(record, operation, policy, now) -> (record', outcome, events)`.

use super::draft::{Draft, Environment};
use super::outcome::{Actor, Events, Refusal, Rejection};
use super::state::Record;
use crate::revision::Revision;

/// Holds what an operation decided.
///
/// Store `next` before you act on `outcome`, a rejection included: a guess that is not written down
/// is free. A `Transition` is no `Result`, so that `?` cannot skip the write.
#[derive(Debug)]
#[must_use = "a decision that is not stored counts no guess and spends no code"]
#[expect(
    clippy::exhaustive_structs,
    reason = "who drives the machine takes it apart"
)]
pub struct Transition<T> {
    /// Holds the record to store; `None` where nothing changes.
    pub next: Option<Record>,
    /// Holds the answer, to be given once `next` is stored.
    pub outcome: Result<T, Rejection>,
    /// Holds the events, to be told once `next` is stored.
    pub events: Events,
}

/// Holds what a [`Transition`] holds, but for the record, which lies elsewhere.
#[derive(Debug)]
#[non_exhaustive]
pub struct Applied<T> {
    pub(crate) changed: bool,
    pub(crate) outcome: Result<T, Rejection>,
    pub(crate) events: Events,
}

/// Decides one row of the state machine's table, as a value.
///
/// An operation draws the randomness that it needs when it is made, so it can be applied again to a
/// newer record after a lost race; it then decides afresh.
pub trait Operation: sealed::Sealed + Send + Sync + 'static {
    /// Names the type that success gives.
    type Output: Send + 'static;

    /// Names the verb, as events have it.
    const NAME: &'static str;

    #[doc(hidden)]
    fn actor(&self) -> Actor;

    /// Returns whether the operation makes or takes a challenge session.
    #[doc(hidden)]
    fn needs_session_keys(&self) -> bool {
        false
    }

    /// Returns whether the operation is for nothing but sealing.
    #[doc(hidden)]
    fn needs_seal(&self) -> bool {
        false
    }

    /// Returns whether the operation has drawn what is one subject's: a secret, codes, or the ids
    /// of tokens.
    #[doc(hidden)]
    fn is_one_subjects(&self) -> bool {
        false
    }

    /// Returns the revision at which the operation overwrites a record that does not open.
    #[doc(hidden)]
    fn overwrites_unreadable(&self) -> Option<Revision> {
        None
    }

    #[doc(hidden)]
    fn decide(&self, draft: &mut Draft<'_>) -> Result<Self::Output, Refusal>;

    /// Decides on a record where it lies, which is the record to store where it changed.
    #[doc(hidden)]
    #[inline]
    fn apply_to(
        &self,
        record: &mut Record,
        environment: &Environment<'_>,
    ) -> Applied<Self::Output> {
        let mut draft = Draft::new(record, *environment, Self::NAME, self.actor());
        let outcome = self
            .decide(&mut draft)
            .map_err(|refusal| draft.refused(refusal));
        let (changed, events) = draft.close();
        Applied {
            changed,
            outcome,
            events,
        }
    }

    /// Decides on a record. The function is pure: the same record, operation and environment give
    /// the same transition. What has drawn a secret or codes has drawn them for one subject: apply
    /// it to no other's record, or both have the same.
    fn apply(&self, mut record: Record, environment: &Environment<'_>) -> Transition<Self::Output> {
        let Applied {
            changed,
            outcome,
            events,
        } = self.apply_to(&mut record, environment);
        Transition {
            next: changed.then_some(record),
            outcome,
            events,
        }
    }
}

pub(super) mod sealed {
    pub trait Sealed {}
}
