//! Recovery codes: ten, shown once (SPEC 7).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base32::Alphabet;
use hmac::Mac as _;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::mac::keyed_hash;
use crate::entropy::{Entropy, NoEntropy, draw};

/// The bytes of a code, 80 bits: no throttle is needed against guessing it.
const BYTES: usize = 10;
/// Without the letters I, L, O and U, and read as if they were the digits that they look like.
const ALPHABET: Alphabet = Alphabet::Crockford;

/// A recovery code as a user typed it.
///
/// Read without regard to case, spaces and hyphens; `O` is read as `0`, `I` and `L` as `1`. Wiped when dropped.
///
/// ```
/// use softtoken::RecoveryCode;
///
/// let shown = RecoveryCode::parse("0123-4567-89AB-CDEF")?;
/// assert_eq!(RecoveryCode::parse("oi23 4567 89ab cdef")?, shown);
/// assert!(RecoveryCode::parse("123456").is_err());
/// # Ok::<(), softtoken::RecoveryCodeError>(())
/// ```
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<[u8; BYTES]>);

/// What was typed cannot be a recovery code. Nothing was looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a recovery code has sixteen letters and digits")]
pub struct RecoveryCodeError;

impl RecoveryCode {
    fn new(bytes: [u8; BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads what a user typed.
    ///
    /// # Errors
    ///
    /// [`RecoveryCodeError`] where it has not 16 letters and digits of the alphabet. Nothing was looked up.
    pub fn parse(text: &str) -> Result<Self, RecoveryCodeError> {
        let mut typed = Zeroizing::new(String::with_capacity(text.len()));
        typed.extend(text.chars().filter(|typed| !matches!(typed, ' ' | '-')));
        if typed.len() != BYTES * 8 / 5 {
            return Err(RecoveryCodeError);
        }
        let bytes = base32::decode(ALPHABET, &typed).map(Zeroizing::new);
        let bytes = bytes.as_ref().and_then(|bytes| bytes.first_chunk());
        bytes.copied().map(Self::new).ok_or(RecoveryCodeError)
    }

    /// The code in four groups of four.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let plain = Zeroizing::new(base32::encode(ALPHABET, &*self.0));
        let mut grouped = Zeroizing::new(String::with_capacity(plain.len() + 3));
        for (position, character) in plain.chars().enumerate() {
            if position > 0 && position % 4 == 0 {
                grouped.push('-');
            }
            grouped.push(character);
        }
        grouped
    }

    pub(crate) fn hash(&self, salt: &[u8; 16]) -> [u8; 16] {
        let mut mac = keyed_hash(salt, b"softtoken recovery");
        mac.update(&*self.0);
        let mut hash = [0; 16];
        hash.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        hash
    }
}

impl FromStr for RecoveryCode {
    type Err = RecoveryCodeError;

    fn from_str(text: &str) -> Result<Self, RecoveryCodeError> {
        Self::parse(text)
    }
}

impl PartialEq for RecoveryCode {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for RecoveryCode {}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryCode(..)")
    }
}

/// A new set of recovery codes, to show to the user this once: only their hashes are kept.
#[derive(Clone, Debug)]
#[must_use = "the codes are not to be had again"]
pub struct RecoveryCodes {
    codes: Vec<RecoveryCode>,
    /// For the hashes that are kept of them.
    pub(crate) salt: [u8; 16],
}

impl RecoveryCodes {
    /// How many codes a set has.
    pub const COUNT: usize = 10;

    pub(crate) fn draw(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let codes = (0..Self::COUNT).map(|_| draw(entropy).map(RecoveryCode::new));
        Ok(Self {
            codes: codes.collect::<Result<_, _>>()?,
            salt: draw(entropy)?,
        })
    }

    /// The codes.
    pub fn iter(&self) -> core::slice::Iter<'_, RecoveryCode> {
        self.codes.iter()
    }
}

impl<'a> IntoIterator for &'a RecoveryCodes {
    type Item = &'a RecoveryCode;
    type IntoIter = core::slice::Iter<'a, RecoveryCode>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
