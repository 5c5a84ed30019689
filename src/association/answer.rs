//! The last answer, kept so that a caller who lost it can ask again (SPEC 10).

use core::fmt;

use hmac::Mac as _;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::evidence::Proof;
use super::keyed_hash;
use super::session::Claims;
use crate::entropy::{Entropy, NoEntropy};
use crate::time::UnixTime;
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
    pub(super) fn attempt(
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
pub(super) enum Repeatable {
    Verify = 1,
    Respond = 2,
    Authenticate = 3,
}

/// The hash of an attempt and of what it asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt([u8; 16]);

impl Attempt {
    /// The answer to it, while the code's window is open and what is in force is the same.
    pub(super) fn answered(
        self,
        last: Option<&LastAnswer>,
        generation: u64,
        now: UnixTime,
    ) -> Option<Proof> {
        let last = last?;
        let same = bool::from(last.attempt.ct_eq(&self.0));
        (same && last.generation == generation && now < last.until).then_some(last.proof)
    }

    pub(super) fn answer(self, generation: u64, until: UnixTime, proof: Proof) -> LastAnswer {
        LastAnswer {
            attempt: self.0,
            generation,
            until,
            proof,
        }
    }
}

/// The answer to the last attempt that was named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LastAnswer {
    pub(crate) attempt: [u8; 16],
    pub(crate) generation: u64,
    pub(crate) until: UnixTime,
    pub(crate) proof: Proof,
}
