//! Holds the shared key.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::base32::{self, Leftover};
use super::hex;
use crate::entropy::{Entropy, NoEntropy};
use crate::reveal::reveal;

/// Holds a TOTP key of 10 to 128 bytes, shared with one authenticator.
///
/// [RFC 4226 section 4](https://www.rfc-editor.org/rfc/rfc4226#section-4), R6, demands 128 bits and
/// recommends 160. [`generate`](Self::generate) makes no secret of fewer. Other systems have issued
/// secrets of 80 bits and of 1024, so these are read; [`is_weak`](Self::is_weak) tells those that
/// the RFC does not allow.
///
/// A secret is wiped when dropped, hides its bytes from `Debug`, and compares in time that depends
/// on the lengths alone. Base32 is read and written without a table lookup or a branch that depends
/// on the key. The caller must guard what [`expose`](Self::expose) and
/// [`expose_base32`](Self::expose_base32) return.
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
    /// Is the fewest bytes that [`generate`](Self::generate) makes a secret of: 128 bits, RFC
    /// 4226's R6. A secret of fewer is [weak](Self::is_weak).
    pub const MIN_BYTES: usize = 16;
    /// Is the most bytes that [`generate`](Self::generate) makes a secret of: the block of SHA-1
    /// and SHA-256. HMAC hashes a longer key first, so that more bytes would add nothing.
    pub const MAX_BYTES: usize = 64;
    /// Is the fewest bytes that a secret is read with: the 80 bits that popular libraries issued by
    /// default.
    pub const MIN_READ_BYTES: usize = 10;
    /// Is the most bytes that a secret is read with.
    pub const MAX_READ_BYTES: usize = 128;

    /// Copies a secret from its bytes. Wiping `bytes` is left to the caller.
    ///
    /// # Errors
    ///
    /// Returns [`SecretError::TooShort`] below 10 bytes, [`SecretError::TooLong`] above 128.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        match bytes.len() {
            length @ ..Self::MIN_READ_BYTES => Err(SecretError::TooShort { bytes: length }),
            Self::MIN_READ_BYTES..=Self::MAX_READ_BYTES => {
                Ok(Self(Zeroizing::new(Box::from(bytes))))
            }
            length => Err(SecretError::TooLong { bytes: length }),
        }
    }

    /// Draws a secret of `bytes` bytes from a generator; 20 are customary with SHA-1, 32 with
    /// SHA-256.
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
    /// Returns [`GenerateError::Length`] if `bytes` is not 16 to 64, [`GenerateError::Entropy`] if
    /// the generator fails; no secret exists then.
    pub fn generate(bytes: usize, entropy: &dyn Entropy) -> Result<Self, GenerateError> {
        if !(Self::MIN_BYTES..=Self::MAX_BYTES).contains(&bytes) {
            return Err(GenerateError::Length { bytes });
        }
        let mut secret = Zeroizing::new(alloc::vec![0; bytes].into_boxed_slice());
        entropy.fill(&mut secret)?;
        Ok(Self(secret))
    }

    /// Reads a secret from its base32 text, [RFC 4648 section
    /// 6](https://www.rfc-editor.org/rfc/rfc4648#section-6), without regard to case, white space,
    /// hyphens and the padding at the end. Wiping the text is left to the caller.
    ///
    /// Only what an encoder writes is read, so that a letter lost in typing is noticed.
    /// [`from_base32_legacy`](Self::from_base32_legacy) reads what other systems have drawn letter
    /// by letter.
    ///
    /// # Errors
    ///
    /// Returns [`SecretError::Base32`] if a character is not of the alphabet, if no encoding has
    /// the length, or if the bits that make no whole byte are not zero. Fails otherwise as
    /// [`from_bytes`](Self::from_bytes) does.
    pub fn from_base32(text: &str) -> Result<Self, SecretError> {
        Self::decode(text, Leftover::Checked)
    }

    /// Reads a secret that another system issued, as authenticator apps read its base32 text: like
    /// [`from_base32`](Self::from_base32), but the bits at the end that make no whole byte are
    /// dropped, whatever they are and however many.
    ///
    /// Systems that draw letters instead of bytes have issued such secrets. The key is what the
    /// authenticator made of the text; the text cannot be recovered from the key. Use this reader
    /// to import secrets from tables, not for what a person types: it notices fewer typing errors.
    ///
    /// ```
    /// use softtoken::totp::{Secret, SecretError};
    ///
    /// let issued = "K5QXEZ3TJBSWY3DPEHPK3PXPQB"; // 130 bits, of which the last is set
    /// assert_eq!(Secret::from_base32(issued), Err(SecretError::Base32));
    /// let secret = Secret::from_base32_legacy(issued)?;
    /// assert_eq!(secret.expose().len(), 16);
    /// assert_eq!(*secret.expose_base32(), "K5QXEZ3TJBSWY3DPEHPK3PXPQA");
    /// # Ok::<(), SecretError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`SecretError::Base32`] if a character is not of the alphabet. Fails otherwise as
    /// [`from_bytes`](Self::from_bytes) does.
    pub fn from_base32_legacy(text: &str) -> Result<Self, SecretError> {
        Self::decode(text, Leftover::Dropped)
    }

    /// Reads a secret that another system keeps in hexadecimal, without regard to case, white space
    /// and hyphens. Wiping the text is left to the caller.
    ///
    /// ```
    /// use softtoken::totp::Secret;
    ///
    /// let secret = Secret::from_hex("3132333435363738393031323334353637383930")?;
    /// assert_eq!(secret.expose(), b"12345678901234567890");
    /// # Ok::<(), softtoken::totp::SecretError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`SecretError::Hexadecimal`] if a character is no digit, or one digit is left over.
    /// Fails otherwise as [`from_bytes`](Self::from_bytes) does.
    pub fn from_hex(text: &str) -> Result<Self, SecretError> {
        let mut bytes = Zeroizing::new([0; Self::MAX_READ_BYTES]);
        let length = hex::decode(text, &mut *bytes);
        Self::decoded(length.ok_or(SecretError::Hexadecimal)?, &*bytes)
    }

    fn decode(text: &str, leftover: Leftover) -> Result<Self, SecretError> {
        let mut bytes = Zeroizing::new([0; Self::MAX_READ_BYTES]);
        let length = base32::decode(text, leftover, &mut *bytes);
        Self::decoded(length.ok_or(SecretError::Base32)?, &*bytes)
    }

    fn decoded(length: usize, bytes: &[u8]) -> Result<Self, SecretError> {
        let bytes = bytes.get(..length);
        Self::from_bytes(bytes.ok_or(SecretError::TooLong { bytes: length })?)
    }

    /// Returns whether this secret has fewer than the 128 bits that RFC 4226 demands.
    ///
    /// A weak secret works as any other does. Its holder should be asked to enrol anew.
    ///
    /// ```
    /// use softtoken::totp::Secret;
    ///
    /// assert!(Secret::from_base32("JBSWY3DPEHPK3PXP")?.is_weak());
    /// assert!(!Secret::from_base32("JBSWY3DPEHPK3PXPJBSWY3DPEE")?.is_weak());
    /// # Ok::<(), softtoken::totp::SecretError>(())
    /// ```
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.0.len() < Self::MIN_BYTES
    }

    /// Returns the bytes of the key.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Returns the key as people type it into an app: base32 in upper case without padding, 16 to
    /// 205 characters.
    #[must_use]
    pub fn expose_base32(&self) -> Zeroizing<String> {
        base32::encode(&self.0)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        reveal(self.0.ct_eq(&other.0))
    }
}

impl Eq for Secret {}

impl ZeroizeOnDrop for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// Reports why a text or bytes are not a secret. The error holds nothing of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// There are fewer than 80 bits.
    #[error("a secret has at least 10 bytes, not {bytes}")]
    TooShort {
        /// Says how many bytes there were.
        bytes: usize,
    },
    /// There are more than 1024 bits.
    #[error("a secret has at most 128 bytes, not {bytes}")]
    TooLong {
        /// Says how many bytes there were.
        bytes: usize,
    },
    /// The text is no base32.
    #[error("the secret is not base32")]
    Base32,
    /// The text is no hexadecimal.
    #[error("the secret is not hexadecimal")]
    Hexadecimal,
}

/// Reports why no new secret was drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The length is not one that a new secret has; the generator was not asked.
    #[error("a new secret has 16 to 64 bytes, not {bytes}")]
    Length {
        /// Says how many bytes were asked for.
        bytes: usize,
    },
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

    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    /// Twenty bytes.
    const TEXT: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    type Reader = fn(&str) -> Result<Secret, SecretError>;
    const READERS: [Reader; 2] = [Secret::from_base32, Secret::from_base32_legacy];

    #[test]
    fn every_length_is_read_as_it_was_written() {
        for length in Secret::MIN_READ_BYTES..=Secret::MAX_READ_BYTES {
            let bytes: Vec<u8> = (0..)
                .map(|byte: u8| byte.wrapping_mul(151))
                .take(length)
                .collect();
            let secret = Secret::from_bytes(&bytes).unwrap();
            assert_eq!(secret.expose(), bytes);
            assert_eq!(secret.is_weak(), length < 16);
            let text = secret.expose_base32();
            assert_eq!(text.len(), (length * 8).div_ceil(5));
            for read in READERS {
                assert_eq!(read(&text).unwrap().expose(), bytes);
            }
        }
    }

    /// 80 bits are what popular libraries issue, and what examples show; 120 and 1024 have been
    /// seen.
    #[test]
    fn what_other_systems_have_issued_is_read_and_under_128_bits_is_weak() {
        for read in READERS {
            let ten = read("JBSWY3DPEHPK3PXP").unwrap();
            assert_eq!(ten.expose(), b"Hello!\xde\xad\xbe\xef");
            assert!(ten.is_weak());
            let fifteen = read("MFRGGZDFMZTWQ2LKNNWG23TP").unwrap();
            assert_eq!(fifteen.expose(), b"abcdefghijklmno");
            assert!(fifteen.is_weak());
            let longest = read(&format!("{}A", "X".repeat(204))).unwrap();
            assert_eq!(longest.expose().len(), 128);
            assert!(!longest.is_weak());
        }
    }

    #[test]
    fn case_white_space_hyphens_and_padding_mean_nothing() {
        let secret = Secret::from_base32(TEXT).unwrap();
        for text in [
            "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
            "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ",
            " GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ- ",
            "GeZdGnBvGy3TqOjQGEZDGNBVGY3TQOJQ======",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ= = -",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n",
            "\t GEZDGNBV\r\nGY3TQOJQ\u{a0}GEZDGNBV\u{2009}GY3T\u{202f}QOJQ\u{3000}=\u{85}",
        ] {
            for read in READERS {
                assert_eq!(read(text), Ok(secret.clone()), "{text}");
            }
        }
    }

    #[test]
    fn characters_of_no_alphabet_are_refused() {
        // Neither white space nor hyphens, though they look it; and the last three are letters of
        // the alphabet to a wider reading.
        for wrong in [
            "0", "1", "8", "9", "=", "+", "/", "_", ".", "@", "[", "`", "{", "\0", "\u{12}",
            "\u{200b}", "\u{feff}", "\u{ad}", "\u{2010}", "\u{2212}", "\u{c1}", "É", "Ａ", "ı",
            "ſ",
        ] {
            for at in [0, 9, TEXT.len() - 2] {
                let text = format!("{}{wrong}{}", &TEXT[..at], &TEXT[at + 1..]);
                for read in READERS {
                    assert_eq!(read(&text), Err(SecretError::Base32), "{text}");
                }
            }
        }
        // Among the letters that are dropped, and beyond the longest secret, as well.
        for text in [format!("{TEXT}A!"), format!("{}!", "A".repeat(400))] {
            for read in READERS {
                assert_eq!(read(&text), Err(SecretError::Base32), "{text}");
            }
        }
    }

    #[test]
    fn lengths_that_no_encoding_has_are_refused_but_where_others_have_issued_them() {
        for extra in 0..=16 {
            let text = format!("{TEXT}{}", "A".repeat(extra));
            let bytes = 20 + extra * 5 / 8;
            let read = Secret::from_base32(&text);
            match extra % 8 {
                1 | 3 | 6 => assert_eq!(read, Err(SecretError::Base32), "{extra}"),
                _ => assert_eq!(read.unwrap().expose().len(), bytes),
            }
            let read = Secret::from_base32_legacy(&text);
            assert_eq!(read.unwrap().expose().len(), bytes);
        }
    }

    #[test]
    fn bits_left_over_must_be_zero_or_are_dropped() {
        // Letters after whole groups, and how many bits of the last one are left over.
        for (letters, spare) in [(2, 2), (4, 4), (5, 1), (7, 3)] {
            let lead = format!("{TEXT}{}", "A".repeat(letters - 1));
            for (value, letter) in LETTERS.iter().copied().map(char::from).enumerate() {
                let text = format!("{lead}{letter}");
                let legacy = Secret::from_base32_legacy(&text);
                let zeros = char::from(LETTERS[value >> spare << spare]);
                let zeros = format!("{lead}{zeros}");
                assert_eq!(legacy, Secret::from_base32(&zeros), "{letters} {letter}");
                let read = Secret::from_base32(&text);
                if value % (1 << spare) == 0 {
                    assert!(read.is_ok(), "{letters} {letter}");
                } else {
                    assert_eq!(read, Err(SecretError::Base32), "{letters} {letter}");
                }
            }
        }
    }

    #[test]
    fn of_bits_left_over_the_others_make_the_key() {
        for (text, key) in [
            // Twenty-six letters, drawn one by one.
            ("K5QXEZ3TJBSWY3DPEHPK3PXPQB", "K5QXEZ3TJBSWY3DPEHPK3PXPQA"),
            // Lengths that no encoding has: 1, 3 and 6 letters after whole groups.
            ("JBSWY3DPEHPK3PXP7", "JBSWY3DPEHPK3PXP"),
            ("JBSWY3DPEHPK3PXP777", "JBSWY3DPEHPK3PXP74"),
            ("JBSWY3DPEHPK3PXP777777", "JBSWY3DPEHPK3PXP77776"),
        ] {
            assert_eq!(
                Secret::from_base32(text),
                Err(SecretError::Base32),
                "{text}"
            );
            let secret = Secret::from_base32_legacy(text).unwrap();
            assert_eq!(*secret.expose_base32(), key);
        }
    }

    #[test]
    fn a_secret_has_ten_to_a_hundred_and_twenty_eight_bytes() {
        let bytes = [7; 129];
        assert_eq!(
            Secret::from_bytes(&bytes[..9]),
            Err(SecretError::TooShort { bytes: 9 })
        );
        assert!(Secret::from_bytes(&bytes[..10]).is_ok());
        assert!(Secret::from_bytes(&bytes[..128]).is_ok());
        assert_eq!(
            Secret::from_bytes(&bytes),
            Err(SecretError::TooLong { bytes: 129 })
        );
        for read in READERS {
            for (letters, error) in [
                (0, SecretError::TooShort { bytes: 0 }),
                (15, SecretError::TooShort { bytes: 9 }),
                (207, SecretError::TooLong { bytes: 129 }),
                (4_000, SecretError::TooLong { bytes: 2_500 }),
            ] {
                assert_eq!(read(&"A".repeat(letters)), Err(error));
            }
        }
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
        for bytes in [0, 10, 15, 65, 128] {
            assert_eq!(
                Secret::generate(bytes, &untouched),
                Err(GenerateError::Length { bytes })
            );
        }
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
}
