//! Overwrites secrets: what calls have left on the stack, and buffers that are dropped.

use alloc::vec::Vec;
use core::hint::black_box;
use core::mem;
use core::ops::Deref;

use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

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

/// Holds bytes that are wiped when dropped, all the memory of the vector at once. Element by
/// element, as in [`Zeroizing`], the bytes of a record took a sixteenth of a decision.
#[derive(Clone, Default)]
pub(crate) struct Bytes(Vec<u8>);

impl Bytes {
    pub(crate) fn zeros(length: usize) -> Self {
        Self(alloc::vec![0; length])
    }

    /// Keeps the first bytes. The others lie there until all are dropped.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Hands the bytes out, in the type by which the crate does.
    pub(crate) fn into_zeroizing(mut self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(mem::take(&mut self.0))
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<Zeroizing<Vec<u8>>> for Bytes {
    fn from(mut bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(mem::take(&mut bytes))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
        self.0.spare_capacity_mut().zeroize();
    }
}

impl ZeroizeOnDrop for Bytes {}
