//! Reads and shows recovery codes: ten, each accepted once.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use super::mac::{half, keyed_hash};
use crate::ascii;
use crate::entropy::{Entropy, NoEntropy};
use crate::reveal::reveal;
use crate::totp::is_separator;

/// Counts the characters of a code, five bits each.
const LENGTH: usize = 25;
/// Counts the characters of a group, as codes are shown.
const GROUP: usize = 5;
/// Crockford's base32: without the letters I, L, O and U, and read as if they were the digits they
/// look like.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Holds a recovery code: 125 random bits, in 25 characters.
///
/// It is read without regard to case, white space and hyphens; `O` is read as `0`, `I` and `L` as
/// `1`. It is wiped when dropped. At 112 bits and more a hash of it is all that has to be kept
/// ([NIST SP 800-63B-4 section 3.1.2.2](https://pages.nist.gov/800-63-4/sp800-63b.html)), and no
/// throttle is needed against guessing it.
///
/// ```
/// use softtoken::RecoveryCode;
///
/// let shown = RecoveryCode::parse("01234-56789-ABCDE-FGHJK-MNPQR")?;
/// assert_eq!(RecoveryCode::parse("oi234 56789 abcde fghjk mnpqr")?, shown);
/// assert_eq!(*shown.expose(), "01234-56789-ABCDE-FGHJK-MNPQR");
/// assert!(RecoveryCode::parse("123456").is_err());
/// # Ok::<(), softtoken::association::RecoveryCodeError>(())
/// ```
#[derive(Clone)]
pub struct RecoveryCode(
    // Boxed, so that moving it leaves no copy behind.
    Zeroizing<Box<[u8]>>,
);

/// Reports a text that cannot be a recovery code. Nothing was looked up, nothing counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a recovery code has 25 letters and digits")]
#[non_exhaustive]
pub struct RecoveryCodeError;

impl RecoveryCode {
    pub(crate) fn draw(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let mut values = blank();
        entropy.fill(&mut values)?;
        // 256 is a multiple of 32, so every value is as likely as the next.
        values.iter_mut().for_each(|value| *value &= 31);
        Ok(Self(values))
    }

    /// Reads what a user typed.
    ///
    /// # Errors
    ///
    /// [`RecoveryCodeError`] where it has not 25 letters and digits of the alphabet. Nothing was
    /// looked up.
    pub fn parse(text: &str) -> Result<Self, RecoveryCodeError> {
        let mut values = blank();
        let mut length = 0;
        for typed in text.chars() {
            if is_separator(typed) {
                continue;
            }
            let value = values.get_mut(length).ok_or(RecoveryCodeError)?;
            *value = u8::try_from(typed)
                .ok()
                .and_then(value_of)
                .ok_or(RecoveryCodeError)?;
            length += 1;
        }
        if length == LENGTH {
            Ok(Self(values))
        } else {
            Err(RecoveryCodeError)
        }
    }

    /// Returns the code in five groups of five.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut grouped = Zeroizing::new(Vec::with_capacity(LENGTH + LENGTH / GROUP - 1));
        for (position, &value) in self.0.iter().enumerate() {
            if position > 0 && position % GROUP == 0 {
                grouped.push(b'-');
            }
            grouped.push(character_of(value));
        }
        ascii::text(grouped)
    }

    pub(crate) fn hash(&self, salt: &[u8; 16]) -> [u8; 16] {
        keyed_hash(salt, b"softtoken recovery", &[&self.0], half)
    }
}

fn blank() -> Zeroizing<Box<[u8]>> {
    Zeroizing::new(alloc::vec![0; LENGTH].into_boxed_slice())
}

/// Looks the character up in the whole alphabet: its place decides neither a branch nor an address.
fn value_of(typed: u8) -> Option<u8> {
    let typed = typed.to_ascii_uppercase();
    let mut value = u8::MAX;
    for (candidate, index) in ALPHABET.iter().zip(0..) {
        value.conditional_assign(&index, candidate.ct_eq(&typed));
    }
    for (look_alike, index) in [(b'O', 0), (b'I', 1), (b'L', 1)] {
        value.conditional_assign(&index, look_alike.ct_eq(&typed));
    }
    (value != u8::MAX).then_some(value)
}

fn character_of(value: u8) -> u8 {
    let mut character = 0;
    for (candidate, index) in ALPHABET.iter().zip(0_u8..) {
        character.conditional_assign(candidate, index.ct_eq(&value));
    }
    character
}

impl FromStr for RecoveryCode {
    type Err = RecoveryCodeError;

    fn from_str(text: &str) -> Result<Self, RecoveryCodeError> {
        Self::parse(text)
    }
}

impl PartialEq for RecoveryCode {
    fn eq(&self, other: &Self) -> bool {
        reveal(self.0.ct_eq(&other.0))
    }
}

impl Eq for RecoveryCode {}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryCode(..)")
    }
}

/// Holds a new set of recovery codes, to show to the user this once: only their hashes are kept.
#[derive(Clone, Debug)]
#[must_use = "the codes are handed out this once"]
pub struct RecoveryCodes {
    codes: Vec<RecoveryCode>,
}

impl RecoveryCodes {
    /// Counts the codes of a set.
    pub const COUNT: usize = 10;

    pub(crate) fn draw(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let mut codes = Vec::with_capacity(Self::COUNT);
        for _ in 0..Self::COUNT {
            codes.push(RecoveryCode::draw(entropy)?);
        }
        Ok(Self { codes })
    }

    /// Returns the codes.
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
