//! Judges whether a code is right, and whether it has been used.

use core::fmt;
use core::iter::once;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::ZeroizeOnDrop;

use super::hmac::{Key, Macs, Unhashed};
use super::truncation::truncate;
use super::window::span;
use super::{Code, Secret, Totp, Window};
use crate::reveal::reveal;
use crate::time::Step;

/// Judges codes with a prepared key, and shows what an authenticator shows.
///
/// A `Verifier` knows no state. The caller keeps the highest step that was ever accepted and hands
/// it in as `after`; without that a code is good for as long as the window holds it, for everybody
/// who saw it ([RFC 6238 section 5.2](https://www.rfc-editor.org/rfc/rfc6238#section-5.2)). Nor
/// does it limit attempts.
///
/// The time that a judgement takes depends on the parameters, `now`, the window and `after`, not on
/// the secret, nor on the code, nor on which step it belongs to: every step is judged, and no
/// branch, address or division depends on them until the verdict is given. The prepared key is
/// wiped when dropped.
///
/// ```
/// use softtoken::time::Step;
/// use softtoken::totp::{Secret, Totp, Verdict, Verifier, Window};
///
/// let verifier = Verifier::new(&Secret::from_bytes(b"12345678901234567890")?, Totp::STANDARD);
/// let now = Step::new(37_037_036);
/// let code = verifier.code(Step::new(37_037_035));
///
/// let verdict = verifier.verify(&code, now, Window::STANDARD, Some(Step::new(37_037_034)));
/// assert_eq!(verdict, Verdict::Accepted { step: Step::new(37_037_035), drift: -1 });
/// # Ok::<(), softtoken::totp::SecretError>(())
/// ```
#[derive(Clone)]
pub struct Verifier {
    key: Key,
    totp: Totp,
}

impl Verifier {
    /// Hashes the key. Its parameters must be those of the authenticator.
    #[must_use]
    pub fn new(secret: &Secret, totp: Totp) -> Self {
        Self {
            key: Key::new(secret, totp.algorithm()),
            totp,
        }
    }

    /// Judges `code` at the step `now` against every step of `window`.
    ///
    /// `after` is the last step that was accepted, `None` where there was none: only a step above
    /// it is accepted, and of several the lowest. A code of another length than the token's is a
    /// mismatch.
    pub fn verify(&self, code: &Code, now: Step, window: Window, after: Option<Step>) -> Verdict {
        verify(&self.key, self.totp, code, now, window, after)
    }

    /// Does what [`verify`](Self::verify) does, by a key that is hashed for this one judgement.
    pub(crate) fn verify_once(
        secret: &Secret,
        totp: Totp,
        code: &Code,
        now: Step,
        window: Window,
        after: Option<Step>,
    ) -> Verdict {
        let algorithm = totp.algorithm();
        let key = Unhashed { secret, algorithm };
        verify(&key, totp, code, now, window, after)
    }

    /// Judges two codes that an authenticator showed one after the other, to learn how far its
    /// clock is off: resynchronisation, [RFC 4226 section
    /// 7.4](https://www.rfc-editor.org/rfc/rfc4226#section-7.4).
    ///
    /// `first` must be the code of a step `k` at most `reach` steps from `now` (0 to 120; more
    /// counts as 120), `second` that of `k + 1`. Where both steps are above `after`, `k + 1` is
    /// accepted; of several pairs the lowest. Where pairs match, but none is above `after`, the
    /// verdict is [`Verdict::Reused`] with the lowest pair's `k + 1`.
    ///
    /// ```
    /// use softtoken::time::Step;
    /// use softtoken::totp::{Secret, Totp, Verdict, Verifier};
    ///
    /// let verifier = Verifier::new(&Secret::from_bytes(b"12345678901234567890")?, Totp::STANDARD);
    /// let (first, second) = (verifier.code(Step::new(1_014)), verifier.code(Step::new(1_015)));
    /// let verdict = verifier.verify_pair(&first, &second, Step::new(1_000), 20, None);
    /// assert_eq!(verdict, Verdict::Accepted { step: Step::new(1_015), drift: 15 });
    /// # Ok::<(), softtoken::totp::SecretError>(())
    /// ```
    pub fn verify_pair(
        &self,
        first: &Code,
        second: &Code,
        now: Step,
        reach: u8,
        after: Option<Step>,
    ) -> Verdict {
        let reach = i32::from(reach.min(120));
        let (first, second) = (sought(first, self.totp), sought(second, self.totp));
        let mut second_matches = Choice::from(0);
        let mut judgement = Judgement::new();
        for_each(
            &self.key,
            self.totp,
            span(now, -reach, reach + 1).rev(),
            |step, shown| {
                let spent = after.is_some_and(|after| step <= after);
                let matches = shown.ct_eq(&first) & second_matches;
                judgement.note(step.saturating_offset(1), spent, matches);
                second_matches = shown.ct_eq(&second);
            },
        );
        judgement.verdict(now)
    }

    /// Returns the code that an authenticator with this key shows during `step`: [RFC 4226 section
    /// 5](https://www.rfc-editor.org/rfc/rfc4226#section-5)'s HOTP value of that counter.
    #[must_use]
    pub fn code(&self, step: Step) -> Code {
        let mut code = Code::new(0, self.totp.digits());
        for_each(&self.key, self.totp, once(step), |_, shown| {
            code = Code::new(shown, self.totp.digits());
        });
        code
    }
}

#[inline]
fn verify(
    key: &impl Macs,
    totp: Totp,
    code: &Code,
    now: Step,
    window: Window,
    after: Option<Step>,
) -> Verdict {
    let sought = sought(code, totp);
    let mut judgement = Judgement::new();
    for_each(key, totp, window.steps(now).rev(), |step, shown| {
        let spent = after.is_some_and(|after| step <= after);
        judgement.note(step, spent, shown.ct_eq(&sought));
    });
    judgement.verdict(now)
}

/// Returns the number that a display must show for `code` to match: its own, or one that none shows
/// where its length is not the token's.
#[inline]
fn sought(code: &Code, totp: Totp) -> u32 {
    let length = code.digits().get().ct_eq(&totp.digits().get());
    u32::conditional_select(&u32::MAX, &code.value(), length)
}

/// Hands what a display shows at every step to `judge`, in the order of `steps`.
#[inline]
fn for_each(
    key: &impl Macs,
    totp: Totp,
    steps: impl Iterator<Item = Step>,
    mut judge: impl FnMut(Step, u32),
) {
    key.for_each(steps, |step, mac| judge(step, truncate(mac, totp.digits())));
}

impl ZeroizeOnDrop for Verifier {}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Verifier")
            .field("totp", &self.totp)
            .finish_non_exhaustive()
    }
}

/// Says what became of a code. Only `Accepted` means yes.
///
/// ```
/// use softtoken::time::Step;
/// use softtoken::totp::{Secret, Totp, Verdict, Verifier, Window};
///
/// let verifier = Verifier::new(&Secret::from_bytes(b"12345678901234567890")?, Totp::STANDARD);
/// let (step, code) = (Step::new(9), verifier.code(Step::new(9)));
/// let judge = |now, after| verifier.verify(&code, Step::new(now), Window::STANDARD, after);
/// assert_eq!(judge(10, Some(Step::new(8))), Verdict::Accepted { step, drift: -1 });
/// assert_eq!(judge(10, Some(Step::new(9))), Verdict::Reused { step });
/// assert_eq!(judge(11, None), Verdict::Mismatch);
/// # Ok::<(), softtoken::totp::SecretError>(())
/// ```
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "only one of three means yes")]
pub enum Verdict {
    /// The code is right and new. Raise the last accepted step to `step`, durably, before anybody
    /// learns of it.
    Accepted {
        /// Holds the step that the code belongs to.
        step: Step,
        /// Counts the steps that the authenticator's clock is ahead: `step` minus the step that the
        /// code was judged at.
        drift: i64,
    },
    /// The code belongs to a step of the window, but to none above the last accepted one.
    Reused {
        /// Holds the lowest such step.
        step: Step,
    },
    /// The code belongs to no step of the window.
    Mismatch,
}

/// Holds what the steps so far say of a code, without a branch on it.
struct Judgement {
    fresh: Lowest,
    spent: Lowest,
}

impl Judgement {
    #[inline]
    fn new() -> Self {
        Self {
            fresh: Lowest::none(),
            spent: Lowest::none(),
        }
    }

    /// Notes whether a step matches. Steps come in descending order; whether one is `spent` is no
    /// secret.
    #[inline]
    fn note(&mut self, step: Step, spent: bool, matches: Choice) {
        if spent {
            self.spent.note(step, matches);
        } else {
            self.fresh.note(step, matches);
        }
    }

    /// Returns the verdict, in the one place that reveals what was found: a function of its own, so
    /// that a checker can leave it out of what has to take the same time.
    #[inline(never)]
    fn verdict(&self, now: Step) -> Verdict {
        // Wrapped, this is the difference: no window reaches as far as 2^63 steps.
        let drift = self.fresh.step.wrapping_sub(now.get()).cast_signed();
        if reveal(self.fresh.found) {
            Verdict::Accepted {
                step: Step::new(self.fresh.step),
                drift,
            }
        } else if reveal(self.spent.found) {
            Verdict::Reused {
                step: Step::new(self.spent.step),
            }
        } else {
            Verdict::Mismatch
        }
    }
}

/// Holds the last step that matched, the lowest where steps descend.
struct Lowest {
    found: Choice,
    step: u64,
}

impl Lowest {
    #[inline]
    fn none() -> Self {
        Self {
            found: Choice::from(0),
            step: 0,
        }
    }

    #[inline]
    fn note(&mut self, step: Step, matches: Choice) {
        self.step.conditional_assign(&step.get(), matches);
        self.found |= matches;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(notes: &[(u64, bool, u8)], now: u64) -> Verdict {
        let mut judgement = Judgement::new();
        for &(step, spent, matches) in notes {
            judgement.note(Step::new(step), spent, Choice::from(matches));
        }
        judgement.verdict(Step::new(now))
    }

    #[test]
    fn the_lowest_fresh_match_wins_over_every_spent_one() {
        let verdict = judge(
            &[
                (9, false, 0),
                (8, false, 1),
                (7, false, 1),
                (6, false, 0),
                (5, true, 1),
            ],
            10,
        );
        let step = Step::new(7);
        assert_eq!(verdict, Verdict::Accepted { step, drift: -3 });
    }

    #[test]
    fn the_lowest_spent_match_is_reported_where_nothing_fresh_matches() {
        let verdict = judge(
            &[(9, false, 0), (8, true, 1), (7, true, 1), (6, true, 0)],
            10,
        );
        assert_eq!(verdict, Verdict::Reused { step: Step::new(7) });
        assert_eq!(judge(&[(9, false, 0), (8, true, 0)], 10), Verdict::Mismatch);
    }

    #[test]
    fn no_pair_is_sought_further_than_120_steps_away() {
        let secret = Secret::from_bytes(&[7; 20]).expect("twenty bytes");
        let verifier = Verifier::new(&secret, Totp::STANDARD);
        let now = Step::new(1_000);
        let judge = |drift| {
            let [first, second] =
                [drift, drift + 1].map(|steps| verifier.code(now.saturating_offset(steps)));
            verifier.verify_pair(&first, &second, now, u8::MAX, None)
        };
        let step = Step::new(1_121);
        assert_eq!(judge(120), Verdict::Accepted { step, drift: 121 });
        assert_eq!(judge(121), Verdict::Mismatch);
        assert_eq!(judge(-121), Verdict::Mismatch);
    }

    #[test]
    fn the_first_step_there_is_can_match() {
        let step = Step::new(0);
        let fresh = judge(&[(1, false, 0), (0, false, 1)], 1);
        assert_eq!(fresh, Verdict::Accepted { step, drift: -1 });
        assert_eq!(judge(&[(0, true, 1)], 0), Verdict::Reused { step });
    }
}
