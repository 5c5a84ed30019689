//! Reads hexadecimal without a table, in time that depends on the length of the text.
//!
//! Turns each digit into its value by comparisons and selections, as the reader of base32 does.

use subtle::{Choice, ConditionallySelectable, ConstantTimeLess};
use zeroize::Zeroizing;

use super::is_separator;
use crate::reveal::reveal;

/// Reads a text into `bytes`. Returns how many bytes the text stands for; those beyond the end of
/// `bytes` are dropped. `None` if the text is not hexadecimal: then what is in `bytes` stands for
/// nothing.
pub(super) fn decode(text: &str, bytes: &mut [u8]) -> Option<usize> {
    let mut room = bytes.iter_mut();
    let mut digits = 0_usize;
    let mut held = Zeroizing::new(0_u8);
    let mut known = Choice::from(1);
    for typed in text.chars().filter(|&typed| !is_separator(typed)) {
        let digit = Zeroizing::new(u8::try_from(typed).unwrap_or_default());
        let (value, is_known) = value(*digit);
        known &= is_known;
        *held = *held << 4 | value & 15;
        digits += 1;
        if digits.is_multiple_of(2)
            && let Some(byte) = room.next()
        {
            *byte = *held;
        }
    }
    (reveal(known) && digits.is_multiple_of(2)).then_some(digits / 2)
}

/// Returns what a digit of either case stands for, and whether it stands for anything. If not, the
/// value is any.
fn value(digit: u8) -> (u8, Choice) {
    let from_a = (digit & !0x20).wrapping_sub(b'A');
    let from_0 = digit.wrapping_sub(b'0');
    let is_decimal = from_0.ct_lt(&10);
    let value = u8::conditional_select(&from_a.wrapping_add(10), &from_0, is_decimal);
    (value, is_decimal | from_a.ct_lt(&6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_stands_for_its_digit_or_for_nothing() {
        for byte in 0..=u8::MAX {
            let digit = char::from(byte).to_digit(16);
            let (value, is_known) = value(byte);
            assert_eq!(bool::from(is_known), digit.is_some(), "{byte}");
            assert!(
                digit.is_none_or(|digit| digit == u32::from(value)),
                "{byte}"
            );
        }
    }

    #[test]
    fn a_text_is_read_without_regard_to_case_and_in_whole_bytes() {
        let mut bytes = [0; 3];
        assert_eq!(decode("0a F0-ff", &mut bytes), Some(3));
        assert_eq!(bytes, [0x0a, 0xf0, 0xff]);
        assert_eq!(decode("0aF0ff01", &mut bytes), Some(4), "counted");
        for wrong in ["0aF", "0x", "0g", "é0", "0:a0"] {
            assert_eq!(decode(wrong, &mut bytes), None, "{wrong}");
        }
    }
}
