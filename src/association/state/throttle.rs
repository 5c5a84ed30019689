//! Counts wrong codes, once for all verbs: may an attempt be judged, has it failed, has it
//! succeeded.

use core::time::Duration;

use crate::association::outcome::Rejection;
use crate::policy::Throttle;
use crate::time::UnixTime;

/// Holds the count that is kept for a subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Count {
    /// Counts failures in a row.
    pub(crate) streak: u32,
    /// Counts failures that neither successes nor time have paid off.
    pub(crate) debt: u32,
    /// Says from when on time pays off the next of them.
    pub(crate) debt_since: UnixTime,
    /// Counts failures that no success has paid off.
    pub(crate) suspicion: u32,
    /// Says when the next attempt may be made.
    pub(crate) not_before: UnixTime,
}

const NO_WAIT: UnixTime = UnixTime::from_secs(0);

impl Count {
    pub(crate) const NONE: Self = Self {
        streak: 0,
        debt: 0,
        debt_since: UnixTime::from_secs(0),
        suspicion: 0,
        not_before: NO_WAIT,
    };

    /// Checks that an attempt may be judged now. Where nothing is in force there is nothing to
    /// guess, and failures wait without ever locking.
    pub(crate) fn admits(
        &self,
        now: UnixTime,
        in_force: bool,
        limits: &Throttle,
    ) -> Result<(), Rejection> {
        if in_force && self.is_locked(limits) {
            return Err(Rejection::Locked);
        }
        if now < self.not_before {
            return Err(Rejection::Throttled {
                until: self.not_before,
            });
        }
        Ok(())
    }

    pub(crate) fn is_locked(&self, limits: &Throttle) -> bool {
        self.streak >= limits.streak_limit || self.debt >= limits.debt_limit
    }

    /// Returns whether the person who makes these failures probably has the password.
    pub(crate) fn is_suspicious(&self, limits: &Throttle) -> bool {
        self.streak >= limits.suspect_at || self.suspicion >= limits.suspicion_limit
    }

    pub(crate) fn failed(&mut self, now: UnixTime, limits: &Throttle) {
        self.decay(now, limits);
        if self.debt == 0 {
            self.debt_since = now;
        }
        self.debt = self.debt.saturating_add(1);
        self.streak = self.streak.saturating_add(1);
        self.suspicion = self.suspicion.saturating_add(1);
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
        self.suspicion = self.suspicion.saturating_sub(1);
        self.not_before = NO_WAIT;
    }

    /// Ends every wait and lock, as a recovery code does; suspicion is paid off as by any success.
    pub(crate) fn recovered(&mut self) {
        *self = Self {
            suspicion: self.suspicion.saturating_sub(1),
            ..Self::NONE
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Else guesses beside a recovery code now and then would never be reported.
    #[test]
    fn a_recovery_code_pays_off_one_failure_of_those_that_are_suspicious() {
        let (now, limits) = (UnixTime::from_secs(1_700_000_000), Throttle::STANDARD);
        let mut count = Count::NONE;
        for _ in 1..limits.suspicion_limit {
            count.failed(now, &limits);
        }
        count.recovered();
        assert!(!count.is_suspicious(&limits));
        count.failed(now, &limits);
        assert!(!count.is_suspicious(&limits), "one was paid off");
        count.failed(now, &limits);
        assert!(count.is_suspicious(&limits), "and no more than one");
    }
}
