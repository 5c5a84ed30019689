//! Where secrets come from.

/// A source of unpredictable bytes: secrets, identifiers, nonces and recovery codes are drawn from it.
///
/// It must be a cryptographic generator. One that repeats itself gives two users one secret.
///
/// - [`OsEntropy`] asks the operating system (feature `getrandom`).
/// - With feature `std`, a [`Mutex`](std::sync::Mutex) around any [`TryCryptoRng`](rand_core::TryCryptoRng) is one.
/// - Without either, a closure is one:
///
/// ```
/// use softtoken::{Entropy, NoEntropy};
///
/// let unavailable = |_: &mut [u8]| Err(NoEntropy);
/// assert_eq!(unavailable.fill(&mut [0; 20]), Err(NoEntropy));
/// ```
pub trait Entropy: Send + Sync {
    /// Fills `bytes` whole.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where it cannot; `bytes` is then not used for anything.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The generator failed. Nothing was made from what it gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct NoEntropy;

impl<F: Fn(&mut [u8]) -> Result<(), NoEntropy> + Send + Sync> Entropy for F {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        self(bytes)
    }
}

/// A lock that a panic poisoned is a source that failed: the generator's state is not known.
#[cfg(feature = "std")]
impl<R: rand_core::TryCryptoRng + Send> Entropy for std::sync::Mutex<R> {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let mut generator = self.lock().map_err(|_| NoEntropy)?;
        generator.try_fill_bytes(bytes).map_err(|_| NoEntropy)
    }
}

/// The operating system's generator.
///
/// ```
/// use softtoken::{Entropy, OsEntropy};
///
/// let mut bytes = [0; 20];
/// OsEntropy.fill(&mut bytes)?;
/// assert_ne!(bytes, [0; 20]);
/// # Ok::<(), softtoken::NoEntropy>(())
/// ```
#[cfg(feature = "getrandom")]
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

#[cfg(feature = "getrandom")]
impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        use rand_core::TryRng as _;
        getrandom::SysRng
            .try_fill_bytes(bytes)
            .map_err(|_| NoEntropy)
    }
}

/// `N` bytes from `entropy`.
pub(crate) fn draw<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}
