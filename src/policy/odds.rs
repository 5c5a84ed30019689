//! Bounds how likely guessing is to succeed.

use core::time::Duration;

use super::Policy;

impl Policy {
    /// Returns an upper bound on the probability that an attacker who has the user's password
    /// passes the second factor by guessing codes for `duration`, while the user passes it
    /// `successes` times.
    ///
    /// The bound assumes the worst: the attacker guesses whenever the throttle allows it, the user
    /// signs in when that helps the attacker most, the user holds [`max_tokens`](Self::max_tokens)
    /// tokens, and each of them has a drift, so that two windows are open. The bound covers every
    /// operation that takes a code, since all of them share one throttle.
    ///
    /// - Count among `successes` each accepted code and each vouched factor: both end a row of
    ///   failures and pay off one failure.
    /// - An `unlock`, a `reset` and a recovery code begin a new count: call this method for each
    ///   part of the time and add up the results.
    /// - Recovery codes add nothing to speak of: each has 125 bits.
    /// - A token whose codes have fewer digits than this policy's [`totp`](Self::totp) is easier to
    ///   guess than the bound says.
    ///
    /// ```
    /// use core::time::Duration;
    /// use softtoken::Policy;
    ///
    /// let (day, year) = (Duration::from_secs(86_400), Duration::from_secs(365 * 86_400));
    /// // At an account that nobody uses, 100 failures in a row are the end of it.
    /// assert!(Policy::STANDARD.guess_odds(year, 0) < 0.000_61);
    /// assert!(Policy::STANDARD.guess_odds(day, 0) < 0.000_61);
    /// // A user who signs in daily begins a new row of failures each day; the debt remains.
    /// assert!(Policy::STANDARD.guess_odds(year, 365) < 0.007_2);
    /// ```
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a probability is quoted to two digits; the product clamps counts beyond 2^53 to 1"
    )]
    pub fn guess_odds(&self, duration: Duration, successes: u64) -> f64 {
        let codes = self
            .codes_open()
            .saturating_mul(self.guesses(duration, successes));
        // Truncation gives 31 bits, and 2^31 is no multiple of 10^digits: the likeliest codes are
        // these.
        let likeliest = (1_u64 << 31).div_ceil(10_u64.pow(u32::from(self.0.totp.digits().get())));
        (codes as f64 * likeliest as f64 / (1_u64 << 31) as f64).min(1.0)
    }

    /// Returns how many codes are right at one time at the most: a drift opens a second window, and
    /// every token has windows of its own.
    fn codes_open(&self) -> u64 {
        let tokens = u64::try_from(self.0.max_tokens).unwrap_or(u64::MAX);
        (2 * self.0.window_steps()).saturating_mul(tokens)
    }

    /// Returns how many guesses are judged within `duration` at the most.
    fn guesses(&self, duration: Duration, successes: u64) -> u64 {
        let throttle = &self.0.throttle;
        let decays = duration.as_secs() / throttle.debt_decay.as_secs();
        let by_debt = u64::from(throttle.debt_limit)
            .saturating_add(successes)
            .saturating_add(decays);
        // Each of the user's successes begins a new run of failures, and no run is longer than
        // this.
        let runs = successes.saturating_add(1);
        let by_streak = runs.saturating_mul(u64::from(throttle.streak_limit));
        let limit = by_debt.min(by_streak);

        // Each run has the same waits, the shortest first: so the most guesses come from taking the
        // first wait in every run, then the second in every run, and so on.
        let mut guesses = runs.saturating_mul(u64::from(throttle.free));
        let mut left = duration.as_secs();
        let mut failures = throttle.free;
        while guesses < limit {
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
        guesses.min(limit)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing step fails the test")]
mod tests {
    use core::time::Duration;

    use super::Policy;
    use crate::policy::Throttle;

    const YEAR: Duration = Duration::from_secs(365 * 86_400);

    fn with(throttle: Throttle) -> Policy {
        Policy::builder().throttle(throttle).build().unwrap()
    }

    #[test]
    fn a_second_window_may_be_open_whatever_the_policy_learns() {
        for learns in [false, true] {
            let policy = Policy::builder().learn_drift(learns).build().unwrap();
            assert_eq!(policy.codes_open(), 2 * 3, "{learns}");
        }
    }

    #[test]
    fn one_run_has_as_many_guesses_as_lock_it() {
        assert_eq!(Policy::STANDARD.guesses(YEAR, 0), 100);
        for (free, streak_limit) in [(3, 7), (3, 3), (10, 1)] {
            let policy = with(Throttle {
                free,
                streak_limit,
                ..Throttle::STANDARD
            });
            for successes in [0, 1, 5] {
                let guesses = (successes + 1) * u64::from(streak_limit);
                assert_eq!(policy.guesses(YEAR, successes), guesses);
            }
        }
    }

    #[test]
    fn many_runs_have_as_many_guesses_as_the_debt_lets_pass() {
        assert_eq!(Policy::STANDARD.guesses(YEAR, 365), 100 + 365 + 730);
        let indebted = with(Throttle {
            debt_limit: 10,
            ..Throttle::STANDARD
        });
        assert_eq!(indebted.guesses(Duration::ZERO, 5), 15);
    }

    #[test]
    fn little_time_has_as_many_guesses_as_the_waits_leave() {
        let guesses = |seconds| Policy::STANDARD.guesses(Duration::from_secs(seconds), 0);
        assert_eq!(
            [0, 4, 5, 14, 15, 1274, 1275, 2174, 2175].map(guesses),
            [3, 3, 4, 4, 5, 10, 11, 11, 12]
        );
    }

    /// 3 in each of two runs, then waits of 5 s in both, of 10 s in both, and so on.
    #[test]
    fn each_run_has_waits_of_its_own() {
        let guesses = |seconds| Policy::STANDARD.guesses(Duration::from_secs(seconds), 1);
        assert_eq!(
            [0, 5, 10, 19, 20, 29, 30, 49, 50, 70].map(guesses),
            [6, 7, 8, 8, 9, 9, 10, 10, 11, 12]
        );
    }

    #[test]
    fn every_token_has_windows_of_its_own() {
        let ten = Policy::builder().max_tokens(10).build().unwrap();
        assert_eq!((Policy::STANDARD.codes_open(), ten.codes_open()), (6, 60));
        let odds = ten.guess_odds(YEAR, 0) / Policy::STANDARD.guess_odds(YEAR, 0);
        assert!((9.99..10.01).contains(&odds));
    }
}
