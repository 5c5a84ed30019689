//! The shared key.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use base32::Alphabet;
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::entropy::{Entropy, NoEntropy};

const ALPHABET: Alphabet = Alphabet::Rfc4648 { padding: false };

/// A TOTP key of 16 to 64 bytes, shared with one authenticator.
///
/// [RFC 4226 section 4](https://www.rfc-editor.org/rfc/rfc4226#section-4), R6, demands 128 bits and recommends 160. It is
/// wiped when dropped, hides itself from `Debug`, and compares in time that depends on the lengths alone. What
/// [`expose`](Self::expose) and [`expose_base32`](Self::expose_base32) give is yours to guard.
///
/// ```
/// use softtoken::totp::Secret;
///
/// let secret = Secret::from_bytes(b"12345678901234567890")?;
/// assert_eq!(*secret.expose_base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
/// assert_eq!(Secret::from_base32("gezd-gnbv-gy3t-qojq-gezd-gnbv-gy3t-qojq")?, secret);
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// # Ok::<(), softtoken::totp::SecretError>(())
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<[u8]>>);

impl Secret {
    /// The fewest bytes a secret has: 128 bits, RFC 4226's R6.
    pub const MIN_BYTES: usize = 16;
    /// The most bytes a secret has: the block of SHA-1 and SHA-256, so that HMAC never hashes a key.
    pub const MAX_BYTES: usize = 64;

    /// A secret of these bytes. The copy that you hold is yours to wipe.
    ///
    /// # Errors
    ///
    /// [`SecretError::TooShort`] below 16 bytes, [`SecretError::TooLong`] above 64.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        check_length(bytes.len())?;
        Ok(Self(Zeroizing::new(Box::from(bytes))))
    }

    /// A secret of this many bytes from the generator; 20 are customary with SHA-1, 32 with SHA-256.
    ///
    /// ```
    /// # #[cfg(feature = "getrandom")] {
    /// use softtoken::OsEntropy;
    /// use softtoken::totp::Secret;
    ///
    /// let secret = Secret::generate(20, &OsEntropy)?;
    /// assert_eq!(secret.expose().len(), 20);
    /// # }
    /// # Ok::<(), softtoken::totp::GenerateError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`GenerateError::Length`] where `bytes` is not 16 to 64, [`GenerateError::Entropy`] where the generator fails;
    /// there is no secret then.
    pub fn generate(bytes: usize, entropy: &dyn Entropy) -> Result<Self, GenerateError> {
        check_length(bytes)?;
        let mut secret = Zeroizing::new(alloc::vec![0; bytes].into_boxed_slice());
        entropy.fill(&mut secret)?;
        Ok(Self(secret))
    }

    /// A secret from its base32 text, [RFC 4648 section 6](https://www.rfc-editor.org/rfc/rfc4648#section-6), without
    /// regard to case, spaces, hyphens and padding. The text is yours to wipe.
    ///
    /// # Errors
    ///
    /// [`SecretError::Base32`] where a character is not of the alphabet, or no bytes are written like this: a length
    /// that no encoding has, or bits left over that are not zero. Otherwise as [`from_bytes`](Self::from_bytes).
    pub fn from_base32(text: &str) -> Result<Self, SecretError> {
        let text = text.trim_end_matches([' ', '-', '=']);
        let mut letters = Zeroizing::new(String::with_capacity(text.len()));
        letters.extend(
            text.chars()
                .filter(|letter| !matches!(letter, ' ' | '-'))
                .map(|letter| letter.to_ascii_uppercase()),
        );
        // Before `decode`, which frees what it has decoded so far without wiping it when it meets another character.
        let known = |letter| matches!(letter, b'A'..=b'Z' | b'2'..=b'7');
        if !letters.bytes().all(known) {
            return Err(SecretError::Base32);
        }
        let bytes = base32::decode(ALPHABET, &letters).map(Zeroizing::new);
        let bytes = bytes.ok_or(SecretError::Base32)?;
        // `decode` drops bits that are left over, and whole letters: only what `encode` writes is base32.
        if !bool::from(encode(&bytes).as_bytes().ct_eq(letters.as_bytes())) {
            return Err(SecretError::Base32);
        }
        Self::from_bytes(&bytes)
    }

    /// The bytes of the key.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The key as people type it into an app: base32 in upper case without padding, 26 to 103 characters.
    #[must_use]
    pub fn expose_base32(&self) -> Zeroizing<String> {
        encode(&self.0)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl ZeroizeOnDrop for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

const fn check_length(bytes: usize) -> Result<(), SecretError> {
    match bytes {
        ..Secret::MIN_BYTES => Err(SecretError::TooShort { bytes }),
        Secret::MIN_BYTES..=Secret::MAX_BYTES => Ok(()),
        _ => Err(SecretError::TooLong { bytes }),
    }
}

/// Five bytes at a time: for more, or for fewer, the crate's buffer grows and leaves the key behind in freed memory.
fn encode(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().div_ceil(5) * 8));
    for chunk in bytes.chunks(5) {
        let mut group = Zeroizing::new([0; 5]);
        for (to, from) in group.iter_mut().zip(chunk) {
            *to = *from;
        }
        let letters = Zeroizing::new(base32::encode(ALPHABET, &*group));
        text.extend(letters.chars().take((chunk.len() * 8).div_ceil(5)));
    }
    text
}

/// This is not a secret. Nothing was made from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SecretError {
    /// Under 128 bits.
    #[error("a secret has at least 16 bytes, not {bytes}")]
    TooShort {
        /// How many there were.
        bytes: usize,
    },
    /// Over 512 bits.
    #[error("a secret has at most 64 bytes, not {bytes}")]
    TooLong {
        /// How many there were.
        bytes: usize,
    },
    /// The text is not the base32 of anything.
    #[error("the secret is not base32")]
    Base32,
}

/// There is no new secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GenerateError {
    /// Not a length that a secret has; the generator was not asked.
    #[error(transparent)]
    Length(#[from] SecretError),
    /// The generator failed.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "the secrets are valid")]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    /// RFC 4648 section 10.
    const VECTORS: [(&str, &str); 7] = [
        ("", ""),
        ("f", "MY"),
        ("fo", "MZXQ"),
        ("foo", "MZXW6"),
        ("foob", "MZXW6YQ"),
        ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI"),
    ];
    /// Twenty bytes.
    const TEXT: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn base32_is_written_in_upper_case_without_padding() {
        for (bytes, text) in VECTORS {
            assert_eq!(*encode(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn the_vectors_are_read_as_what_they_are() {
        for (bytes, text) in &VECTORS {
            let short = SecretError::TooShort { bytes: bytes.len() };
            assert_eq!(Secret::from_base32(text), Err(short));
        }
        for (bytes, text) in &VECTORS[1..] {
            let secret = Secret::from_base32(&format!("MFRGGZDFMFRGGZDFMFRGGZDF{text}")).unwrap();
            assert_eq!(
                secret.expose(),
                format!("abcdeabcdeabcde{bytes}").as_bytes()
            );
        }
    }

    #[test]
    fn every_length_is_read_as_it_was_written() {
        for length in Secret::MIN_BYTES..=Secret::MAX_BYTES {
            let bytes: Vec<u8> = (0..)
                .map(|byte: u8| byte.wrapping_mul(151))
                .take(length)
                .collect();
            let secret = Secret::from_bytes(&bytes).unwrap();
            assert_eq!(secret.expose(), bytes);
            let text = secret.expose_base32();
            assert_eq!(text.len(), (length * 8).div_ceil(5));
            assert_eq!(Secret::from_base32(&text).unwrap().expose(), bytes);
        }
    }

    #[test]
    fn case_spaces_hyphens_and_padding_mean_nothing() {
        let secret = Secret::from_base32(TEXT).unwrap();
        for text in [
            "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
            "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ",
            " GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ- ",
            "GeZdGnBvGy3TqOjQGEZDGNBVGY3TQOJQ======",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ= = -",
        ] {
            assert_eq!(Secret::from_base32(text), Ok(secret.clone()), "{text}");
        }
    }

    #[test]
    fn characters_of_no_alphabet_are_refused() {
        // The last three are letters of the alphabet to a wider reading.
        for wrong in [
            "0", "1", "8", "9", "=", "+", "/", "_", ".", "@", "[", "\t", "\n", "\0", "\u{a0}", "É",
            "Ａ", "ı", "ſ",
        ] {
            for at in [0, 9, TEXT.len() - 2] {
                let text = format!("{}{wrong}{}", &TEXT[..at], &TEXT[at + 1..]);
                assert_eq!(
                    Secret::from_base32(&text),
                    Err(SecretError::Base32),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn lengths_that_no_encoding_has_are_refused() {
        for extra in 1..=16 {
            let text = format!("{TEXT}{}", "A".repeat(extra));
            let read = Secret::from_base32(&text);
            match extra % 8 {
                1 | 3 | 6 => assert_eq!(read, Err(SecretError::Base32), "{extra}"),
                _ => assert_eq!(read.unwrap().expose().len(), 20 + extra * 5 / 8),
            }
        }
    }

    #[test]
    fn bits_left_over_must_be_zero() {
        // Letters after whole groups, and how many bits of the last one are left over.
        for (letters, spare) in [(2, 2), (4, 4), (5, 1), (7, 3)] {
            let lead = format!("{TEXT}{}", "A".repeat(letters - 1));
            for (value, letter) in ('A'..='Z').chain('2'..='7').enumerate() {
                let read = Secret::from_base32(&format!("{lead}{letter}"));
                if value % (1 << spare) == 0 {
                    assert!(read.is_ok(), "{letters} {letter}");
                } else {
                    assert_eq!(read, Err(SecretError::Base32), "{letters} {letter}");
                }
            }
        }
    }

    #[test]
    fn a_secret_has_sixteen_to_sixty_four_bytes() {
        let bytes = [7; 65];
        assert_eq!(
            Secret::from_bytes(&bytes[..15]),
            Err(SecretError::TooShort { bytes: 15 })
        );
        assert!(Secret::from_bytes(&bytes[..16]).is_ok());
        assert!(Secret::from_bytes(&bytes[..64]).is_ok());
        assert_eq!(
            Secret::from_bytes(&bytes),
            Err(SecretError::TooLong { bytes: 65 })
        );
        assert_eq!(
            Secret::from_base32(&"A".repeat(104)),
            Err(SecretError::TooLong { bytes: 65 })
        );
    }

    #[test]
    fn a_generator_is_asked_for_the_whole_secret_and_for_no_other_length() {
        let counting = |bytes: &mut [u8]| {
            bytes
                .iter_mut()
                .zip(1..)
                .for_each(|(byte, count)| *byte = count);
            Ok(())
        };
        let secret = Secret::generate(20, &counting).unwrap();
        assert_eq!(secret.expose(), (1..=20).collect::<Vec<u8>>());
        let untouched = |_: &mut [u8]| panic!("the length is refused before");
        let short = SecretError::TooShort { bytes: 15 };
        assert_eq!(
            Secret::generate(15, &untouched),
            Err(GenerateError::Length(short))
        );
        let failing = |_: &mut [u8]| Err(NoEntropy);
        assert_eq!(
            Secret::generate(20, &failing),
            Err(GenerateError::Entropy(NoEntropy))
        );
    }

    #[test]
    fn equal_means_every_byte_and_the_length() {
        let bytes = [7; 64];
        let secret = Secret::from_bytes(&bytes[..20]).unwrap();
        assert_eq!(secret, Secret::from_bytes(&bytes[..20]).unwrap());
        assert_ne!(secret, Secret::from_bytes(&bytes[..21]).unwrap());
        for at in 0..20 {
            let mut other = bytes;
            other[at] ^= 0x80;
            assert_ne!(secret, Secret::from_bytes(&other[..20]).unwrap());
        }
    }

    /// A string that grows frees what it held without wiping it.
    #[test]
    fn the_text_of_a_secret_is_never_moved_while_it_is_written() {
        for length in 1..=Secret::MAX_BYTES {
            let text = encode(&[0xff; 64][..length]);
            assert_eq!(text.capacity(), length.div_ceil(5) * 8);
        }
    }
}
