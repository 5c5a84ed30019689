//! May I, failed, succeeded: the one count of wrong codes (SPEC 7).

use core::time::Duration;

use crate::association::outcome::Rejection;
use crate::policy::Throttle;
use crate::time::UnixTime;

/// The count that is kept for a subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Count {
    /// Failures in a row.
    pub(crate) streak: u32,
    /// Failures that neither successes nor time have paid off.
    pub(crate) debt: u32,
    /// From when on time pays off the next of them.
    pub(crate) debt_since: UnixTime,
    /// When the next attempt may be made.
    pub(crate) not_before: UnixTime,
}

const NO_WAIT: UnixTime = UnixTime::from_secs(0);

impl Count {
    pub(crate) const NONE: Self = Self {
        streak: 0,
        debt: 0,
        debt_since: UnixTime::from_secs(0),
        not_before: NO_WAIT,
    };

    /// Whether an attempt may be judged now.
    pub(crate) fn admits(&self, now: UnixTime, limits: &Throttle) -> Result<(), Rejection> {
        if self.debt >= limits.debt_limit {
            return Err(Rejection::Locked);
        }
        if now < self.not_before {
            return Err(Rejection::Throttled {
                until: self.not_before,
            });
        }
        Ok(())
    }

    pub(crate) fn failed(&mut self, now: UnixTime, limits: &Throttle) {
        self.decay(now, limits);
        if self.debt == 0 {
            self.debt_since = now;
        }
        self.debt = self.debt.saturating_add(1);
        self.streak = self.streak.saturating_add(1);
        // No wait is none for a clock that goes back, too.
        self.not_before = match limits.wait(self.streak) {
            Duration::ZERO => NO_WAIT,
            wait => now.saturating_add(wait),
        };
    }

    pub(crate) fn succeeded(&mut self, now: UnixTime, limits: &Throttle) {
        self.decay(now, limits);
        self.debt = self.debt.saturating_sub(1);
        self.streak = 0;
        self.not_before = NO_WAIT;
    }

    fn decay(&mut self, now: UnixTime, limits: &Throttle) {
        let periods = now.since(self.debt_since).as_secs() / limits.debt_decay.as_secs();
        self.debt = self
            .debt
            .saturating_sub(u32::try_from(periods).unwrap_or(u32::MAX));
        // The product is at most the time that has passed.
        let paid = Duration::from_secs(periods * limits.debt_decay.as_secs());
        self.debt_since = self.debt_since.saturating_add(paid);
    }
}
