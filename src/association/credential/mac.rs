//! Provides the keyed hash behind every credential.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Begins HMAC-SHA-256 for one purpose.
pub(crate) fn keyed_hash(key: &[u8], purpose: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(purpose);
    mac
}
