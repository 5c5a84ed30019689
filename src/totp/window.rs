//! Says which steps a code may belong to.

use core::ops::RangeInclusive;

use super::TotpError;
use crate::time::Step;

/// Says how many steps before and after the present one a code is looked for in.
///
/// Every step more gives an attacker one more code that is right: [RFC 6238 section
/// 5.2](https://www.rfc-editor.org/rfc/rfc6238#section-5.2) recommends at most one step back, for
/// the time that a code is on its way.
///
/// ```
/// use softtoken::time::Step;
/// use softtoken::totp::Window;
///
/// let steps: Vec<u64> = Window::STANDARD.steps(Step::new(100)).map(Step::get).collect();
/// assert_eq!(steps, [99, 100, 101]);
///
/// let drifted = Window::new(1, 0)?.with_drift(-3);
/// let drifted: Vec<u64> = drifted.steps(Step::new(100)).map(Step::get).collect();
/// assert_eq!(drifted, [96, 97, 99, 100]);
/// # Ok::<(), softtoken::totp::TotpError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Written", into = "Written")
)]
pub struct Window {
    back: u8,
    forward: u8,
    drift: i16,
}

impl Window {
    /// Holds one step back for the time on the way, one forward for a clock that is ahead; no
    /// drift.
    pub const STANDARD: Self = Self {
        back: 1,
        forward: 1,
        drift: 0,
    };

    /// Makes a window of `back` steps before the present one, that one, and `forward` steps after
    /// it; no drift.
    ///
    /// # Errors
    ///
    /// [`TotpError::Window`] where either is above 10.
    pub const fn new(back: u8, forward: u8) -> Result<Self, TotpError> {
        if back > 10 || forward > 10 {
            return Err(TotpError::Window);
        }
        Ok(Self {
            back,
            forward,
            drift: 0,
        })
    }

    /// Returns the steps before the centre, 0 to 10.
    #[must_use]
    pub const fn back(self) -> u8 {
        self.back
    }

    /// Returns the steps after the centre, 0 to 10.
    #[must_use]
    pub const fn forward(self) -> u8 {
        self.forward
    }

    /// Returns how many steps the authenticator's clock is known to be ahead; negative where it is
    /// behind.
    #[must_use]
    pub const fn drift(self) -> i16 {
        self.drift
    }

    /// Returns this window, centred on both the present step and the one `drift` steps after it, so
    /// that neither a clock that drifts nor one that was mended is locked out. It holds up to twice
    /// as many steps.
    #[must_use]
    pub const fn with_drift(self, drift: i16) -> Self {
        Self { drift, ..self }
    }

    /// Returns the steps of the window around `now`: ascending, each once, none before the first
    /// step or after the last there is. Where the two centres lie so far apart that there are steps
    /// between, those are not in it.
    #[must_use]
    pub fn steps(self, now: Step) -> impl DoubleEndedIterator<Item = Step> {
        let (back, forward) = (i32::from(self.back), i32::from(self.forward));
        let earlier = i32::from(self.drift.min(0));
        let later = i32::from(self.drift.max(0));
        let behind = earlier + forward;
        span(now, earlier - back, behind).chain(span(
            now,
            (later - back).max(behind + 1),
            later + forward,
        ))
    }
}

/// Returns the steps from `now + first` to `now + last`, as far as there are such.
#[inline]
pub(super) fn span(now: Step, first: i32, last: i32) -> impl DoubleEndedIterator<Item = Step> {
    let now = i128::from(now.get());
    let lowest = (now + i128::from(first)).max(0);
    let highest = (now + i128::from(last)).min(u64::MAX.into());
    match (u64::try_from(lowest), u64::try_from(highest)) {
        (Ok(lowest), Ok(highest)) => lowest..=highest,
        _ => RangeInclusive::new(1, 0),
    }
    .map(Step::new)
}

/// Holds a [`Window`] as configuration has it.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "Window")]
struct Written {
    back: u8,
    forward: u8,
    #[serde(default)]
    drift: i16,
}

#[cfg(feature = "serde")]
impl From<Window> for Written {
    fn from(window: Window) -> Self {
        Self {
            back: window.back,
            forward: window.forward,
            drift: window.drift,
        }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Written> for Window {
    type Error = TotpError;

    fn try_from(written: Written) -> Result<Self, TotpError> {
        Ok(Self::new(written.back, written.forward)?.with_drift(written.drift))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "the windows are valid")]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn steps(window: Window, now: u64) -> Vec<u64> {
        window.steps(Step::new(now)).map(Step::get).collect()
    }

    /// Says what the documentation says, step by step.
    fn said(window: Window, now: u64) -> Vec<u64> {
        let (back, forward) = (i128::from(window.back), i128::from(window.forward));
        let now = i128::from(now);
        let near = |centre: i128, step: i128| centre - back <= step && step <= centre + forward;
        let drifted = now + i128::from(window.drift);
        (now.min(drifted) - back..=now.max(drifted) + forward)
            .filter(|&step| near(now, step) || near(drifted, step))
            .filter_map(|step| u64::try_from(step).ok())
            .collect()
    }

    #[test]
    fn the_steps_are_those_of_both_centres_ascending_and_once_each() {
        let ends = [0, 1, 9, 25, 1 << 40, u64::MAX - 25, u64::MAX - 9, u64::MAX];
        for back in 0..=10 {
            for forward in [0, 1, 2, 5, 10] {
                for drift in (-30..=30).chain([i16::MIN, i16::MAX]) {
                    let window = Window::new(back, forward).unwrap().with_drift(drift);
                    for now in ends {
                        assert_eq!(steps(window, now), said(window, now), "{window:?} at {now}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_steps_backwards_are_the_same_steps() {
        let window = Window::new(2, 1).unwrap().with_drift(9);
        let mut backwards: Vec<_> = window.steps(Step::new(1)).rev().map(Step::get).collect();
        backwards.reverse();
        assert_eq!(backwards, [0, 1, 2, 8, 9, 10, 11]);
        assert_eq!(backwards, steps(window, 1));
    }

    #[test]
    fn a_window_reaches_ten_steps_and_no_further() {
        assert!(Window::new(10, 10).is_ok());
        assert_eq!(Window::new(11, 0), Err(TotpError::Window));
        assert_eq!(Window::new(0, 11), Err(TotpError::Window));
    }
}
