//! What a person reads off an authenticator.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Digits;

/// A code of 6 to 8 digits, read once.
///
/// ASCII spaces and hyphens are how people group digits, and mean nothing. Digits of other scripts are not digits here:
/// one code has one reading, so that a spent code stays spent however it is written. It is wiped when dropped,
/// hides itself from `Debug` and compares in constant time.
///
/// ```
/// use softtoken::totp::{Code, CodeError, Digits};
///
/// let code: Code = "012-345".parse()?;
/// assert_eq!(code, Code::parse("012345")?);
/// assert_eq!(code.digits(), Digits::Six);
/// assert_eq!(Code::parse("12345"), Err(CodeError::Length { digits: 5 }));
/// assert_eq!(Code::parse("١٢٣٤٥٦"), Err(CodeError::NotDigits));
/// # Ok::<(), CodeError>(())
/// ```
#[derive(Clone)]
pub struct Code {
    value: u32,
    digits: Digits,
}

impl Code {
    /// Reads a code as it was typed. The text is yours to wipe.
    ///
    /// # Errors
    ///
    /// [`CodeError`] where it is no code at all. That is no guess: nothing was compared.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let mut value = 0_u32;
        let mut digits = 0_usize;
        for byte in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
            let b'0'..=b'9' = byte else {
                return Err(CodeError::NotDigits);
            };
            value = value.wrapping_mul(10).wrapping_add((byte - b'0').into());
            digits += 1;
        }
        let length = match digits {
            6 => Digits::Six,
            7 => Digits::Seven,
            8 => Digits::Eight,
            _ => return Err(CodeError::Length { digits }),
        };
        Ok(Self::new(value, length))
    }

    pub(super) const fn new(value: u32, digits: Digits) -> Self {
        Self { value, digits }
    }

    pub(super) const fn value(&self) -> u32 {
        self.value
    }

    /// How many digits it has. Leading zeros count.
    #[must_use]
    pub const fn digits(&self) -> Digits {
        self.digits
    }

    /// The digits, leading zeros included.
    ///
    /// ```
    /// use softtoken::totp::Code;
    ///
    /// assert_eq!(*Code::parse("081 804")?.expose(), "081804");
    /// # Ok::<(), softtoken::totp::CodeError>(())
    /// ```
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(8));
        let mut place = 10_u32.pow(self.digits.get().into());
        while place > 1 {
            let above = self.value % place;
            place /= 10;
            text.extend(char::from_digit(above / place, 10));
        }
        text
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        Self::parse(text)
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        let same = self.value.ct_eq(&other.value);
        (same & self.digits.get().ct_eq(&other.digits.get())).into()
    }
}

impl Eq for Code {}

impl Drop for Code {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl ZeroizeOnDrop for Code {}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Code(..)")
    }
}

/// This is not a code. Safe to show: it does not hold the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodeError {
    /// There is something in it that is neither an ASCII digit nor an ASCII space or hyphen.
    #[error("a code has digits only")]
    NotDigits,
    /// Not 6, 7 or 8 digits.
    #[error("a code has 6 to 8 digits, not {digits}")]
    Length {
        /// How many there were.
        digits: usize,
    },
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "the codes are valid")]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn spaces_and_hyphens_mean_nothing_wherever_they_stand() {
        let code = Code::parse("081804").unwrap();
        for text in [
            "081 804",
            "081-804",
            " 081804 ",
            "--081804--",
            "0 8 1 8 0 4",
            "08-18 -04",
        ] {
            assert_eq!(Code::parse(text), Ok(code.clone()), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_ascii_digit_is_refused() {
        for text in [
            "08180a",
            "08180:",
            "08180/",
            "08180.4",
            "+81804",
            "0x1804",
            "081804\n",
            "\t081804",
            "081804\0",
            "081_804",
            // Arabic-Indic, Devanagari, full-width and mathematical digits; a superscript; a fraction.
            "٠٨١٨٠٤",
            "०८१८०४",
            "０８１８０４",
            "𝟎𝟖𝟏𝟖𝟎𝟒",
            "08180⁴",
            "08180½",
            "08180４",
            // No-break, narrow, ideographic and zero-width spaces; a byte order mark; dashes and a minus.
            "081\u{a0}804",
            "081\u{202f}804",
            "081\u{3000}804",
            "081\u{200b}804",
            "\u{feff}081804",
            "081\u{2010}804",
            "081\u{2013}804",
            "081\u{2212}804",
            "081\u{ad}804",
            // Wrong beyond the length as well.
            "0818041234567890a",
        ] {
            assert_eq!(Code::parse(text), Err(CodeError::NotDigits), "{text}");
        }
    }

    #[test]
    fn six_seven_and_eight_digits_are_a_code_and_nothing_else_is() {
        for (text, digits) in [
            ("", 0),
            ("-", 0),
            (" - - ", 0),
            ("1", 1),
            ("12345", 5),
            ("123456789", 9),
        ] {
            assert_eq!(
                Code::parse(text),
                Err(CodeError::Length { digits }),
                "{text}"
            );
        }
        let endless = "4".repeat(10_000);
        assert_eq!(
            Code::parse(&endless),
            Err(CodeError::Length { digits: 10_000 })
        );
        for (text, digits) in [
            ("123456", Digits::Six),
            ("1234567", Digits::Seven),
            ("12345678", Digits::Eight),
        ] {
            assert_eq!(Code::parse(text).unwrap().digits(), digits);
        }
    }

    #[test]
    fn leading_zeros_are_part_of_a_code() {
        for text in [
            "000000", "0000000", "00000000", "000001", "0123456", "99999999", "999999",
        ] {
            assert_eq!(*Code::parse(text).unwrap().expose(), text);
        }
        assert_ne!(Code::parse("012345"), Code::parse("0012345"));
        assert_ne!(Code::parse("012345"), Code::parse("012346"));
    }

    #[test]
    fn no_code_shows_in_its_debug_or_in_an_error() {
        assert_eq!(format!("{:?}", Code::parse("123456").unwrap()), "Code(..)");
        for text in ["12345", "12345x"] {
            let error = Code::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("1234"));
        }
    }
}
