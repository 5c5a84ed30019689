//! An authenticator app: RFC 6238 with SHA-1, six digits and 30 s, and nothing of the server's.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// One secret.
pub struct Phone {
    key: Vec<u8>,
}

impl Phone {
    /// With the secret as it was typed.
    pub fn new(secret: &str) -> Self {
        let alphabet = base32::Alphabet::Rfc4648 { padding: false };
        Self {
            key: base32::decode(alphabet, secret).expect("a secret is base32"),
        }
    }

    /// What it shows at this time, in seconds since 1970.
    pub fn code(&self, seconds: u64) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.key).expect("any length is a key");
        mac.update(&(seconds / 30).to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let at = usize::from(digest[19] & 15);
        let word = u32::from_be_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]]);
        format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
    }

    /// Six digits that it does not show within five minutes of this time.
    pub fn wrong(&self, seconds: u64) -> String {
        let near: Vec<_> = (0..21)
            .map(|step| self.code(seconds + 30 * step - 300))
            .collect();
        let mut candidates = (111_111..).map(|number| format!("{number:06}"));
        candidates
            .find(|code| !near.contains(code))
            .expect("one of twenty-two")
    }
}
