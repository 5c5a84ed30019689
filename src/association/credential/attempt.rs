//! One attempt of a caller that may have to repeat it, because its answer can be lost (SPEC 10).

use core::fmt;

use hmac::Mac as _;
use zeroize::Zeroizing;

use super::mac::keyed_hash;
use super::session::Claims;
use crate::entropy::{Entropy, NoEntropy};
use crate::totp::Code;

/// Names one attempt of a caller that may have to repeat it: 128 random bits of the server's own making.
///
/// A request repeated after its answer was lost is told that its code was used already, unless both times it named the
/// same attempt: then it is given the same evidence again, until the code's window has passed. Draw it where the request
/// begins (not from anything that a client sends), and keep it as long as you may repeat.
///
/// ```
/// use softtoken::{AttemptKey, OsEntropy};
///
/// let attempt = AttemptKey::generate(&OsEntropy)?;
/// # Ok::<(), softtoken::NoEntropy>(())
/// ```
#[derive(Clone)]
pub struct AttemptKey(Zeroizing<[u8; 16]>);

impl AttemptKey {
    /// A new key.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. There is no key then.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        crate::entropy::draw(entropy).map(Self::from_bytes)
    }

    /// A key that was generated before, for another process that repeats the request.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, to hand to another process. Whoever has them, the session and the code is given the evidence.
    #[must_use]
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }

    /// This attempt at this operation, within this session, with this code.
    pub(crate) fn attempt(
        &self,
        operation: Repeatable,
        claims: Option<&Claims>,
        code: &Code,
    ) -> Attempt {
        let mut mac = keyed_hash(&*self.0, b"softtoken attempt");
        mac.update(&[operation as u8, code.digits().get()]);
        mac.update(code.expose().as_bytes());
        if let Some(claims) = claims {
            mac.update(&claims.nonce);
            mac.update(claims.context().as_bytes());
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        Attempt(digest)
    }
}

impl fmt::Debug for AttemptKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AttemptKey(..)")
    }
}

/// The operations whose answer is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Repeatable {
    Verify = 1,
    Respond = 2,
    Authenticate = 3,
}

/// The hash of an attempt and of what it asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt(pub(crate) [u8; 16]);
