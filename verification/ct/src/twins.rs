//! Does what the library does, with a leak: each of these has to be found out.

use core::hint::black_box;

use softtoken::Code;
use softtoken::time::Step;
use softtoken::totp::Verifier;

/// Compares until the first difference.
#[inline(never)]
#[must_use]
pub fn compares_until_the_first_difference(left: &[u8], right: &[u8]) -> bool {
    for (left, right) in left.iter().zip(right) {
        if left != right {
            return false;
        }
    }
    true
}

/// Compares as slices are compared.
#[inline(never)]
#[must_use]
pub fn compares_as_slices(left: &[u8], right: &[u8]) -> bool {
    left == right
}

/// Looks a letter up by what it stands for.
#[inline(never)]
#[must_use]
pub fn looks_up(value: u8) -> u8 {
    let alphabet: &[u8; 32] = black_box(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    alphabet[usize::from(value & 31)]
}

/// Leaves at the first fresh match of what was shown.
#[inline(never)]
#[must_use]
pub fn leaves_at_the_first_match(shown: &[u32], sought: u32) -> Option<usize> {
    shown.iter().position(|shown| *shown == sought)
}

/// Judges a code, and leaves at the first fresh match.
#[inline(never)]
#[must_use]
pub fn judges_until_the_first_match(
    verifier: &Verifier,
    code: &Code,
    steps: &[Step],
    after: Step,
) -> Option<Step> {
    let mut fresh = steps.iter().copied().filter(|step| *step > after);
    fresh.find(|step| verifier.code(*step) == *code)
}
