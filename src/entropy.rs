//! Supplies the randomness that secrets are made of.

/// Supplies unpredictable bytes: secrets, identifiers, nonces and recovery codes are drawn from it.
///
/// The source must be a cryptographic generator. A source that repeats itself gives two users one
/// secret.
///
/// - [`OsEntropy`] asks the operating system (feature `getrandom`).
/// - With feature `std`, a [`Mutex`](std::sync::Mutex) around any
///   [`TryCryptoRng`](rand_core::TryCryptoRng) is one.
/// - Without either, a closure is one:
///
/// ```
/// use softtoken::entropy::{Entropy, NoEntropy};
///
/// let unavailable = |_: &mut [u8]| Err(NoEntropy);
/// assert_eq!(unavailable.fill(&mut [0; 20]), Err(NoEntropy));
/// ```
pub trait Entropy: Send + Sync {
    /// Fills all of `bytes`.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source cannot; the crate then uses `bytes` for nothing.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy>;
}

/// Reports that the generator failed. Nothing was made from what it gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the source of randomness failed")]
#[expect(clippy::exhaustive_structs, reason = "sources make it")]
pub struct NoEntropy;

impl<F: Fn(&mut [u8]) -> Result<(), NoEntropy> + Send + Sync> Entropy for F {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        self(bytes)
    }
}

/// Draws from a generator behind a lock. A lock that a panic poisoned is a source that failed: the
/// generator's state is not known.
#[cfg(feature = "std")]
impl<R: rand_core::TryCryptoRng + Send> Entropy for std::sync::Mutex<R> {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let mut generator = self.lock().map_err(|_| NoEntropy)?;
        fill_by(&mut *generator, bytes)
    }
}

/// Draws from the operating system's generator.
///
/// ```
/// use softtoken::{OsEntropy, entropy::Entropy};
///
/// let mut bytes = [0; 20];
/// OsEntropy.fill(&mut bytes)?;
/// assert_ne!(bytes, [0; 20]);
/// # Ok::<(), softtoken::entropy::NoEntropy>(())
/// ```
#[cfg(feature = "getrandom")]
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it is made by its name")]
pub struct OsEntropy;

#[cfg(feature = "getrandom")]
impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        fill_by(&mut getrandom::SysRng, bytes)
    }
}

/// Fills the bytes from any generator, the operating system's included: that one cannot be made to
/// fail, and others can.
#[cfg(any(feature = "std", feature = "getrandom"))]
fn fill_by(
    generator: &mut impl rand_core::TryCryptoRng,
    bytes: &mut [u8],
) -> Result<(), NoEntropy> {
    generator.try_fill_bytes(bytes).map_err(|_| NoEntropy)
}

/// Draws `N` bytes from `entropy`.
pub(crate) fn draw<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}
