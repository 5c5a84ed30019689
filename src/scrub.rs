//! Overwrites what calls have left on the stack.

use core::hint::black_box;

/// Overwrites the two kilobytes of stack below the caller, where the functions that the caller has
/// called kept their values. It is not inlined, so that its own frame lies where theirs have lain.
///
/// The compiler does not know who reads the array, so the array has to be written. That takes fewer
/// instructions than volatile writes, word by word; `.ci/wiping` sees whether it is done.
#[inline(never)]
pub(crate) fn stack() {
    let below = [0_u64; 256];
    black_box(&below);
}
