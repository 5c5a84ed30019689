//! Names one attempt, so that its caller can repeat it after a lost answer.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::mac::{half, keyed_hash};
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
pub struct AttemptKey(
    // Boxed, so that moving it leaves no copy behind.
    Box<Zeroizing<[u8; 16]>>,
);

impl AttemptKey {
    /// Generates a new key.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. There is no key then.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let mut key = Box::new(Zeroizing::new([0; 16]));
        entropy.fill(&mut **key)?;
        Ok(Self(key))
    }

    /// Takes a key that was generated before, in another process that repeats the request.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let mut key = Box::new(Zeroizing::new([0; 16]));
        key.copy_from_slice(&*bytes);
        Self(key)
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
        // Two codes of eight digits at the most.
        let mut typed = Zeroizing::new(Vec::with_capacity(32));
        for code in codes {
            typed.push(code.digits().get());
            typed.extend_from_slice(code.expose().as_bytes());
        }
        let count = u8::try_from(codes.len()).unwrap_or(u8::MAX);
        Attempt(keyed_hash(
            &**self.0,
            b"softtoken attempt",
            &[
                &[operation as u8, count],
                &typed,
                &[u8::from(nonce.is_some())],
                nonce.map_or(&[], |nonce| nonce.as_slice()),
                context.as_bytes(),
            ],
            half,
        ))
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
