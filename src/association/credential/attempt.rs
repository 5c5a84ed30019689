//! Names one attempt, so that its caller can repeat it after a lost answer.

use core::fmt;

use hmac::Mac as _;
use zeroize::Zeroizing;

use super::mac::keyed_hash;
use crate::association::names::{Context, Nonce};
use crate::entropy::{Entropy, NoEntropy};
use crate::totp::Code;

/// Names one attempt of a caller that may have to repeat a request: 128 random bits of the server's
/// own making.
///
/// A request repeated after its answer was lost is told that its code was used already, unless both
/// times it named the same attempt: then it is given the same evidence again, until the code's
/// window has passed. Draw it where the request begins (not from anything that a client sends), and
/// keep it as long as you may repeat.
///
/// ```
/// use softtoken::{OsEntropy, association::AttemptKey};
///
/// let attempt = AttemptKey::generate(&OsEntropy)?;
/// # Ok::<(), softtoken::entropy::NoEntropy>(())
/// ```
#[derive(Clone)]
pub struct AttemptKey(Zeroizing<[u8; 16]>);

impl AttemptKey {
    /// Generates a new key.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. There is no key then.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        crate::entropy::draw(entropy).map(Self::from_bytes)
    }

    /// Takes a key that was generated before, in another process that repeats the request.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the bytes, to hand to another process. A process that has these bytes, the session
    /// and the code is given the evidence.
    #[must_use]
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }

    /// Hashes this attempt at this operation, in this context, within this session, with these
    /// codes.
    pub(crate) fn attempt(
        &self,
        operation: Repeatable,
        context: &Context,
        nonce: Option<&Nonce>,
        codes: &[&Code],
    ) -> Attempt {
        let mut mac = keyed_hash(&*self.0, b"softtoken attempt");
        mac.update(&[
            operation as u8,
            u8::try_from(codes.len()).unwrap_or(u8::MAX),
        ]);
        for code in codes {
            mac.update(&[code.digits().get()]);
            mac.update(code.expose().as_bytes());
        }
        mac.update(&[u8::from(nonce.is_some())]);
        if let Some(nonce) = nonce {
            mac.update(nonce);
        }
        mac.update(context.as_bytes());
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

/// Lists the operations whose answer is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Repeatable {
    Verify = 1,
    Respond = 2,
    SignInWith = 3,
    StepUp = 4,
}

/// Holds the hash of an attempt and of what it asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt(pub(crate) [u8; 16]);
