//! Reads and writes base32, [RFC 4648 section 6](https://www.rfc-editor.org/rfc/rfc4648#section-6).
//!
//! The letters are a secret. So neither an address nor a branch depends on what one stands for: a
//! letter becomes a value by comparisons and selections, not by a table. That a character is white
//! space, a hyphen or padding, or that the text is refused, may show. Nothing is kept in memory
//! that grows, or that is freed without being wiped.

use alloc::string::String;
use alloc::vec::Vec;

use subtle::{
    Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess,
};
use zeroize::Zeroizing;

use super::is_separator;
use crate::ascii;
use crate::reveal::reveal;

/// Says what becomes of the bits at the end that make no whole byte.
#[derive(Clone, Copy)]
pub(super) enum Leftover {
    /// The bits must be those that an encoder writes: fewer than a letter's, and zeros.
    Checked,
    /// The bits are dropped.
    Dropped,
}

/// Reads a text into `bytes`. Returns how many bytes the text stands for; those beyond the end of
/// `bytes` are dropped. `None` if the text is not base32: then what is in `bytes` stands for
/// nothing.
pub(super) fn decode(text: &str, leftover: Leftover, bytes: &mut [u8]) -> Option<usize> {
    let text = text.trim_end_matches(|typed| is_padding(typed) || is_separator(typed));
    let mut room = bytes.iter_mut();
    let mut length = 0;
    // The bits that have been read and make no byte yet are the lowest; those above them have been
    // written.
    let mut held = Zeroizing::new(0_u16);
    let mut bits = 0_u32;
    let mut known = Choice::from(1);
    for typed in text.chars().filter(|&typed| !is_separator(typed)) {
        let letter = Zeroizing::new(u8::try_from(typed).unwrap_or_default());
        let (value, is_known) = value(*letter);
        known &= is_known;
        *held = *held << 5 | u16::from(value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            if let Some(byte) = room.next() {
                [_, *byte] = (*held >> bits).to_be_bytes();
            }
            length += 1;
        }
    }
    if let Leftover::Checked = leftover {
        known &= Choice::from(u8::from(bits < 5));
        known &= (*held & ((1 << bits) - 1)).ct_eq(&0);
    }
    reveal(known).then_some(length)
}

/// Writes bytes in upper case without padding.
pub(super) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(Vec::with_capacity((bytes.len() * 8).div_ceil(5)));
    let mut held = Zeroizing::new(0_u16);
    let mut bits = 0_u32;
    for &byte in bytes {
        *held = *held << 8 | u16::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(*held >> bits));
        }
    }
    if bits > 0 {
        text.push(letter(*held << (5 - bits)));
    }
    ascii::text(text)
}

/// Returns whether a character is padding. A plain comparison would be merged with those of
/// separators into a branch that tells the digits, which come before `=`, from the letters after
/// it.
fn is_padding(typed: char) -> bool {
    reveal(u32::from(typed).ct_eq(&u32::from('=')))
}

/// Returns what a letter of either case stands for, and whether it stands for anything. If not, the
/// value is any.
fn value(letter: u8) -> (u8, Choice) {
    // Clears what tells the cases of a letter apart. Nothing but a letter becomes a letter by it.
    let from_a = (letter & !0x20).wrapping_sub(b'A');
    let from_2 = letter.wrapping_sub(b'2');
    let is_digit = from_2.ct_lt(&6);
    let value = u8::conditional_select(&from_a, &from_2.wrapping_add(26), is_digit);
    (value, is_digit | from_a.ct_lt(&26))
}

/// Returns the letter for the five lowest bits of `value`.
fn letter(value: u16) -> u8 {
    let [_, value] = (value & 31).to_be_bytes();
    let letter = value.wrapping_add(b'A');
    let digit = value.wrapping_sub(26).wrapping_add(b'2');
    u8::conditional_select(&letter, &digit, value.ct_gt(&25))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    fn decoded(text: &str, leftover: Leftover) -> Option<Vec<u8>> {
        let mut bytes = [0; 300];
        decode(text, leftover, &mut bytes).map(|length| bytes[..length].to_vec())
    }

    #[test]
    fn every_byte_stands_for_its_place_in_the_alphabet_or_for_nothing() {
        for byte in 0..=u8::MAX {
            let place = ALPHABET
                .iter()
                .position(|letter| *letter == byte.to_ascii_uppercase());
            let (value, is_known) = value(byte);
            assert_eq!(bool::from(is_known), place.is_some(), "{byte}");
            assert!(
                place.is_none_or(|place| place == usize::from(value)),
                "{byte}"
            );
        }
        for (value, byte) in (0..).zip(ALPHABET) {
            assert_eq!(letter(value), *byte);
            assert_eq!(letter(value | 0xffe0), *byte, "the lowest five bits");
        }
    }

    /// RFC 4648 section 10.
    #[test]
    fn the_vectors_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(*encode(bytes.as_bytes()), text);
            for leftover in [Leftover::Checked, Leftover::Dropped] {
                assert_eq!(decoded(text, leftover).as_deref(), Some(bytes.as_bytes()));
            }
        }
    }

    /// The `base32` crate encodes; it decodes whole groups alone as it should.
    #[test]
    fn text_and_bytes_of_every_length_are_those_of_the_base32_crate() {
        let alphabet = ::base32::Alphabet::Rfc4648 { padding: false };
        let bytes: Vec<u8> = (0..=u8::MAX).map(|byte| byte.wrapping_mul(151)).collect();
        for length in 0..=bytes.len() {
            let bytes = &bytes[..length];
            let text = encode(bytes);
            assert_eq!(*text, ::base32::encode(alphabet, bytes));
            assert_eq!(decoded(&text, Leftover::Checked).as_deref(), Some(bytes));
        }
    }

    /// A string that grows frees what it held without wiping it.
    #[test]
    fn a_text_is_never_moved_while_it_is_written() {
        for length in 1..=128 {
            let text = encode(&[0xff; 128][..length]);
            assert_eq!(text.capacity(), text.len());
        }
    }

    #[test]
    fn more_bytes_than_there_is_room_for_are_counted_and_dropped() {
        let mut room = [0; 4];
        assert_eq!(decode("MZXW6YTBOI", Leftover::Checked, &mut room), Some(6));
        assert_eq!(&room, b"foob");
    }
}
