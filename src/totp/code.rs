//! Reads the code that a person reads off an authenticator.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::truncation::split_last_digit;
use super::{Digits, is_separator};
use crate::ascii;
use crate::reveal::reveal;

/// Holds a code of 6 to 8 digits, read once.
///
/// White space and hyphens group digits and mean nothing, so a code that was copied with the end of
/// its line is read. Digits of other scripts are refused, so a spent code stays spent however it is
/// written. [`Factor::parse`](crate::Factor::parse) reads a field that takes a recovery code as
/// well. A code is wiped when dropped, hides its digits from `Debug` and compares in constant time.
///
/// ```
/// use softtoken::totp::{Code, CodeError, Digits};
///
/// let code: Code = "012-345".parse()?;
/// assert_eq!(code, Code::parse("012\u{a0}345\n")?);
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
    /// Reads a code as it was typed: white space, as Unicode has it, and hyphens are dropped.
    /// Wiping the text is left to the caller.
    ///
    /// # Errors
    ///
    /// Returns [`CodeError`] if what is left is not 6 to 8 ASCII digits. Such a text is no guess:
    /// nothing was compared.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let mut value = Zeroizing::new(0_u32);
        let mut digits = 0_usize;
        for typed in text.chars().filter(|&typed| !is_separator(typed)) {
            let '0'..='9' = typed else {
                return Err(CodeError::NotDigits);
            };
            // The last four bits of an ASCII digit are what it counts.
            *value = value.wrapping_mul(10).wrapping_add(typed as u32 & 0xf);
            digits += 1;
        }
        let length = match digits {
            6 => Digits::Six,
            7 => Digits::Seven,
            8 => Digits::Eight,
            _ => return Err(CodeError::Length { digits }),
        };
        Ok(Self::new(*value, length))
    }

    pub(super) const fn new(value: u32, digits: Digits) -> Self {
        Self { value, digits }
    }

    pub(super) const fn value(&self) -> u32 {
        self.value
    }

    /// Returns how many digits the code has. Leading zeros count.
    #[must_use]
    pub const fn digits(&self) -> Digits {
        self.digits
    }

    /// Returns the digits, leading zeros included. The time that it takes depends on the number of
    /// digits, not on which digits they are.
    ///
    /// ```
    /// use softtoken::totp::Code;
    ///
    /// assert_eq!(*Code::parse("081 804")?.expose(), "081804");
    /// # Ok::<(), softtoken::totp::CodeError>(())
    /// ```
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut shown = Zeroizing::new(alloc::vec![b'0'; self.digits.get().into()]);
        let mut rest = Zeroizing::new(self.value);
        for place in shown.iter_mut().rev() {
            let (before, digit) = split_last_digit(*rest);
            *rest = before;
            let [.., digit] = digit.to_be_bytes();
            *place |= digit;
        }
        ascii::text(shown)
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
        reveal(same & self.digits.get().ct_eq(&other.digits.get()))
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

/// Reports why a text is not a code. The error holds nothing of the text, so it is safe to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// A character is neither an ASCII digit nor white space nor a hyphen.
    #[error("a code has digits only")]
    NotDigits,
    /// There are not 6, 7 or 8 digits.
    #[error("a code has 6 to 8 digits, not {digits}")]
    Length {
        /// Says how many digits there were.
        digits: usize,
    },
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "the codes are valid")]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn white_space_and_hyphens_mean_nothing_wherever_they_stand() {
        let code = Code::parse("081804").unwrap();
        for text in [
            "081 804",
            "081-804",
            " 081804 ",
            "--081804--",
            "0 8 1 8 0 4",
            "08-18 -04",
            "081804\n",
            "\t081804\r\n",
            // No-break, narrow no-break, thin and ideographic spaces; next line; line separator.
            "081\u{a0}804",
            "081\u{202f}804",
            "081\u{2009}804",
            "\u{3000}081804\u{85}\u{2028}",
        ] {
            assert_eq!(Code::parse(text), Ok(code.clone()), "{text}");
        }
        assert_eq!(*Code::parse("123456\n").unwrap().expose(), "123456");
        assert_eq!(*Code::parse("123\u{a0}456").unwrap().expose(), "123456");
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
            "081804\0",
            "081_804",
            // Arabic-Indic, Devanagari, full-width and mathematical digits; a superscript; a
            // fraction.
            "٠٨١٨٠٤",
            "०८१८०४",
            "０８１８０４",
            "𝟎𝟖𝟏𝟖𝟎𝟒",
            "08180⁴",
            "08180½",
            "08180４",
            // What is no white space to Unicode: a zero-width space, a joiner, a byte order mark;
            // dashes and a minus; the bells beside the tab.
            "081\u{200b}804",
            "081\u{2060}804",
            "081\u{7}804",
            "081\u{8}804",
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
    fn what_is_shown_is_the_number_with_leading_zeros_whatever_the_length() {
        let numbers = [0, 7, 10, 81_804, 100_000, 345_678, 909_090, 999_999];
        for value in numbers {
            for (digits, text) in [
                (Digits::Six, format!("{value:06}")),
                (Digits::Seven, format!("{value:07}")),
                (Digits::Eight, format!("{value:08}")),
            ] {
                let shown = Code::new(value, digits).expose();
                assert_eq!(*shown, text);
                assert_eq!(shown.capacity(), shown.len(), "never moved");
            }
        }
        assert_eq!(*Code::new(99_999_999, Digits::Eight).expose(), "99999999");
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
