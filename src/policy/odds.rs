//! How likely guessing is to succeed.

use core::time::Duration;

use super::Policy;

impl Policy {
    /// An upper bound on the probability that somebody who has the user's password passes the second factor by guessing
    /// codes for `duration`, while the user signs in `successes` times.
    ///
    /// It assumes the worst: guesses whenever the throttle allows, the user's sign-ins when they help most, and a token
    /// with a drift, so that two windows are open. It covers every operation that takes a code, since they share one
    /// throttle; a recovery code has 80 bits and adds nothing to speak of.
    ///
    /// It is for tokens with this policy's digits, and for a subject who begins with nothing on the count: an `unlock`, a
    /// `reset` or a recovery code begins a new count, and adds the odds of another beginning.
    ///
    /// ```
    /// use core::time::Duration;
    /// use softtoken::Policy;
    ///
    /// let year = Duration::from_secs(365 * 86_400);
    /// assert!(Policy::STANDARD.guess_odds(year, 0) < 0.006);
    /// ```
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a probability is quoted to two digits, counts beyond 2^53 are clamped to 1 by the product"
    )]
    pub fn guess_odds(&self, duration: Duration, successes: u64) -> f64 {
        let steps = self
            .steps_open()
            .saturating_mul(self.guesses(duration, successes));
        // Truncation gives 31 bits, and 2^31 is no multiple of 10^digits: the likeliest codes are these.
        let likeliest = (1_u64 << 31).div_ceil(10_u64.pow(u32::from(self.0.totp.digits().get())));
        (steps as f64 * likeliest as f64 / (1_u64 << 31) as f64).min(1.0)
    }

    /// How many steps' codes are right at one time, at the most: resynchronising can open a second window.
    fn steps_open(&self) -> u64 {
        2 * self.0.window_steps()
    }

    /// How many guesses are judged within `duration` at the most.
    fn guesses(&self, duration: Duration, successes: u64) -> u64 {
        let throttle = &self.0.throttle;
        let decays = duration.as_secs() / throttle.debt_decay.as_secs();
        let by_debt = u64::from(throttle.debt_limit)
            .saturating_add(successes)
            .saturating_add(decays);

        // Each of the user's sign-ins begins a new run of failures, and each run has the same waits, the shortest first:
        // so the most guesses come from taking the first wait in every run, then the second in every run, and so on.
        let runs = successes.saturating_add(1);
        let mut guesses = runs.saturating_mul(u64::from(throttle.free));
        let mut left = duration.as_secs();
        let mut failures = throttle.free;
        while guesses < by_debt {
            let wait = throttle.wait(failures).as_secs();
            let affordable = left / wait;
            if affordable < runs || wait == throttle.cap.as_secs() {
                guesses = guesses.saturating_add(affordable);
                break;
            }
            guesses = guesses.saturating_add(runs);
            left -= wait * runs;
            failures += 1;
        }
        guesses.min(by_debt)
    }
}
