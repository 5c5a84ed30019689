//! Overwrites what calls have left on the stack.

use core::hint::black_box;

/// Overwrites the two kilobytes of stack below the caller: where the functions that it has called
/// kept what they computed. A function of its own, which lies where those have lain.
///
/// The compiler is not told what looks at the array, so it has to be written. That takes fewer
/// instructions than volatile writes, word by word; `.ci/wiping` sees whether it is done.
#[inline(never)]
pub(crate) fn stack() {
    let below = [0_u64; 256];
    black_box(&below);
}
