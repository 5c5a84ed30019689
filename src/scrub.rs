//! Overwrites what calls have left on the stack.

use zeroize::Zeroize as _;

/// Overwrites the two kilobytes of stack below the caller: where the functions that it has called
/// kept what they computed. A function of its own, which lies where those have lain.
#[inline(never)]
pub(crate) fn stack() {
    let mut below = [0_u64; 256];
    below.zeroize();
}
