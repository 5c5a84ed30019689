//! Helps a user who is shut out, by an administrator: reset, unlock.

use crate::association::authority::Administrator;
use crate::association::draft::Draft;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, EventKind, Refusal};
use crate::association::state::{Count, Record};
use crate::revision::Revision;

/// Removes everything and voids every grant given before: the user has lost the phone, or somebody
/// else has it.
///
/// [`Mfa::reset`](crate::Mfa::reset) makes a request of this operation. Its page has an example,
/// and lists the rejections.
#[derive(Clone, Debug)]
pub struct Reset {
    by: Administrator,
    unreadable_at: Option<Revision>,
    mends_clock: bool,
}

impl Reset {
    /// Resets by an administrator.
    #[must_use]
    pub fn new(by: &Administrator) -> Self {
        Self {
            by: by.clone(),
            unreadable_at: None,
            mends_clock: false,
        }
    }

    /// Overwrites a record that does not open (damaged, or sealed under a key that is lost) where
    /// its row has this revision. No other verb overwrites what it could not read.
    #[must_use]
    pub fn unreadable(mut self, revision: Revision) -> Self {
        self.unreadable_at = Some(revision);
        self
    }

    /// Lowers stored times that lie more than a minute ahead to now: the server's clock was ahead,
    /// and is mended.
    #[must_use]
    pub fn mending_clock(mut self) -> Self {
        self.mends_clock = true;
        self
    }
}

impl sealed::Sealed for Reset {}
impl Operation for Reset {
    type Output = ();

    const NAME: &'static str = "reset";

    fn actor(&self) -> Actor {
        self.by.actor()
    }

    fn overwrites_unreadable(&self) -> Option<Revision> {
        self.unreadable_at
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let now = draft.now();
        let unreadable = self
            .unreadable_at
            .is_some_and(|revision| *draft.record() == Record::unreadable(revision, now));
        let record = draft.change();
        record.change_in_force(|_| true, None, now);
        // Afterwards: what is taken out of force may be from a time ahead itself.
        if self.mends_clock {
            record.lower_times(now);
        }
        record.throttle = Count::NONE;
        record.recovery.wrong = 0;
        // A clock that went back must not bring grants to life that an earlier reset has voided.
        record.grants_from = record.grants_from.max(Some(now));
        draft.event(EventKind::Reset {
            unreadable,
            clock_mended: self.mends_clock,
        });
        Ok(())
    }
}

/// Clears the throttle, the lock and the count of wrong recovery codes. Spent codes stay spent.
///
/// [`Mfa::unlock`](crate::Mfa::unlock) makes a request of this operation. Its page has an example,
/// and lists the rejections.
#[derive(Clone, Debug)]
pub struct Unlock {
    by: Administrator,
}

impl Unlock {
    /// Unlocks by an administrator.
    #[must_use]
    pub fn new(by: &Administrator) -> Self {
        Self { by: by.clone() }
    }
}

impl sealed::Sealed for Unlock {}
impl Operation for Unlock {
    type Output = ();

    const NAME: &'static str = "unlock";

    fn actor(&self) -> Actor {
        self.by.actor()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let record = draft.record();
        if record.throttle != Count::NONE || record.recovery.wrong != 0 {
            let record = draft.change();
            record.throttle = Count::NONE;
            record.recovery.wrong = 0;
        }
        draft.event(EventKind::Unlocked);
        Ok(())
    }
}
