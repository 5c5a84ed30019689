//! Provides the keyed hash behind every credential.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::scrub;

/// Hands over the HMAC-SHA-256 of these parts, one after the other, for one purpose. The hash stays
/// where it is wiped, since moving it would leave a copy behind. What the computation had on the
/// stack is wiped.
pub(crate) fn keyed_hash<T>(
    key: &[u8],
    purpose: &[u8],
    parts: &[&[u8]],
    read: impl FnOnce(&[u8; 32]) -> T,
) -> T {
    let mut hash = Zeroizing::new([0; 32]);
    write_hash(key, purpose, parts, &mut hash);
    scrub::stack();
    read(&hash)
}

#[inline(never)]
fn write_hash(key: &[u8], purpose: &[u8], parts: &[&[u8]], hash: &mut [u8; 32]) {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(purpose);
    for part in parts {
        mac.update(part);
    }
    hash.copy_from_slice(&mac.finalize().into_bytes());
}

/// Returns the first half of a keyed hash, to be kept.
pub(crate) fn half(hash: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}
