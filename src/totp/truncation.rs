//! Turns a MAC into the number on a display, [RFC 4226 section
//! 5.3](https://www.rfc-editor.org/rfc/rfc4226#section-5.3).
//!
//! The MAC itself chooses which of its bytes are taken, and those bytes become a code that signs
//! somebody in. So neither an address nor a branch depends on the MAC, and nothing is divided: the
//! time of a division depends on its operands.

use subtle::{Choice, ConditionallySelectable};

use super::Digits;
use super::hash::{Mac, high, low};

/// Returns the code as a number: the last `digits` decimal digits of what the MAC selects of
/// itself.
#[inline]
pub(super) fn truncate(mac: &Mac, digits: Digits) -> u32 {
    remainder(select(mac), digits)
}

/// Returns the 31 bits from the byte on that the last four bits of the MAC name.
#[inline]
fn select(mac: &Mac) -> u32 {
    let offset = mac.last & 0xf;
    let two_words_on = bit(offset >> 3);
    let one_word_on = bit(offset >> 2);
    let [w0, w1, w2, w3, w4] = mac.head;
    let w0 = u32::conditional_select(&w0, &w2, two_words_on);
    let w1 = u32::conditional_select(&w1, &w3, two_words_on);
    let w2 = u32::conditional_select(&w2, &w4, two_words_on);
    let first = u32::conditional_select(&w0, &w1, one_word_on);
    let second = u32::conditional_select(&w1, &w2, one_word_on);
    let words = u64::from(first) << 32 | u64::from(second);
    // A checked shift would branch on the distance.
    high(words.wrapping_shl((offset & 3) << 3)) & 0x7fff_ffff
}

#[inline]
fn bit(word: u32) -> Choice {
    let [low, ..] = word.to_le_bytes();
    Choice::from(low & 1)
}

/// Returns `value mod 10^digits`, for values of 31 bits.
#[inline]
fn remainder(value: u32, digits: Digits) -> u32 {
    const SIX: Divisor = Divisor::power_of_ten(6);
    const SEVEN: Divisor = Divisor::power_of_ten(7);
    const EIGHT: Divisor = Divisor::power_of_ten(8);
    match digits {
        Digits::Six => SIX.remainder(value),
        Digits::Seven => SEVEN.remainder(value),
        Digits::Eight => EIGHT.remainder(value),
    }
}

/// Returns the number without its last decimal digit, and that digit.
///
/// The factor is `2^35 / 10` rounded up, 0.2 too large. So the quotient is less than
/// `2^32 * 0.2 / 2^35`, a fortieth, too large, and its floor is exact: a tenth is the least
/// distance of a quotient to the next integer. Nothing wraps, but checked arithmetic would branch
/// on the value.
#[inline]
pub(super) const fn split_last_digit(value: u32) -> (u32, u32) {
    const TENTH: u64 = (1_u64 << 35).div_ceil(10);
    let quotient = low((value as u64).wrapping_mul(TENTH) >> 35);
    (quotient, value.wrapping_sub(quotient.wrapping_mul(10)))
}

/// Divides by `10^n = 2^n * 5^n`: a shift divides by the first, a product with `reciprocal / 2^44`
/// by the second.
struct Divisor {
    power: u64,
    twos: u32,
    reciprocal: u64,
}

impl Divisor {
    /// `reciprocal` is `2^44 / 5^n` rounded up, so less than 1 too large. The quotient
    /// `y * reciprocal / 2^44` of `y = value >> n` is then less than `y / 2^44` too large, and its
    /// floor is exact as long as that is no more than `1 / 5^n`, the least distance of a quotient
    /// to the next integer. For 31 bits `y < 2^(31 - n)`.
    const fn power_of_ten(exponent: u32) -> Self {
        let fives = 5_u64.pow(exponent);
        let reciprocal = (1_u64 << 44).div_ceil(fives);
        assert!(fives << (31 - exponent) < 1 << 44);
        Self {
            power: 10_u64.pow(exponent),
            twos: exponent,
            reciprocal,
        }
    }

    /// Returns the remainder. Nothing wraps, but checked arithmetic would branch on the value.
    #[inline]
    const fn remainder(&self, value: u32) -> u32 {
        let value = value as u64;
        let quotient = (value >> self.twos).wrapping_mul(self.reciprocal) >> 44;
        low(value.wrapping_sub(quotient.wrapping_mul(self.power)))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "the numbers are small")]
mod tests {
    use super::*;

    const LENGTHS: [(Digits, u32); 3] = [
        (Digits::Six, 1_000_000),
        (Digits::Seven, 10_000_000),
        (Digits::Eight, 100_000_000),
    ];
    const LARGEST: u32 = 0x7fff_ffff;

    /// The quotient never falls as the value rises, so it is right for all values between two where
    /// it is right and the same; and a remainder is right where the quotient is.
    #[test]
    fn the_remainder_is_exact_at_both_ends_of_every_quotient() {
        for (digits, power) in LENGTHS {
            for quotient in 0..=LARGEST / power {
                let first = quotient * power;
                assert_eq!(remainder(first, digits), 0, "{first}");
                let last = first.saturating_add(power - 1).min(LARGEST);
                assert_eq!(remainder(last, digits), last - first, "{last}");
            }
        }
    }

    /// The quotient never falls as the value rises, so it is right between two where it is.
    #[test]
    fn the_last_digit_is_exact_at_both_ends_of_every_ten_that_a_display_shows_and_of_the_largest() {
        let largest = u32::MAX / 10;
        for ten in (0..10_000_000).chain(largest - 1_000..largest) {
            assert_eq!(split_last_digit(10 * ten), (ten, 0));
            assert_eq!(split_last_digit(10 * ten + 9), (ten, 9));
        }
        assert_eq!(split_last_digit(u32::MAX), (largest, 5));
    }

    #[test]
    #[ignore = "2^31 values; a minute without optimisation"]
    fn the_remainder_is_exact_for_every_value() {
        for (digits, power) in LENGTHS {
            for value in 0..=LARGEST {
                assert_eq!(remainder(value, digits), value % power);
            }
        }
    }

    /// RFC 4226 section 5.3: offset by offset, against the bytes themselves.
    #[test]
    fn each_offset_selects_its_four_bytes_without_the_sign() {
        let bytes: [u8; 20] = core::array::from_fn(|at| u8::try_from(0x81 ^ (7 * at)).unwrap());
        let head = core::array::from_fn(|word| {
            u32::from_be_bytes(core::array::from_fn(|byte| bytes[4 * word + byte]))
        });
        for offset in 0..16 {
            let selected = u32::from_be_bytes(core::array::from_fn(|byte| bytes[offset + byte]));
            for rest in [0, 0xffff_fff0] {
                let last = rest | u32::try_from(offset).unwrap();
                assert_eq!(select(&Mac { head, last }), selected & LARGEST);
            }
        }
    }

    /// RFC 4226 section 5.4.
    #[test]
    fn the_example_of_the_rfc() {
        let mac = Mac {
            head: [
                0x1f86_9869,
                0x0e02_ca16,
                0x6185_50ef,
                0x7f19_da8e,
                0x945b_555a,
            ],
            last: 0x945b_555a,
        };
        assert_eq!(select(&mac), 0x50ef_7f19);
        assert_eq!(truncate(&mac, Digits::Six), 872_921);
    }
}
