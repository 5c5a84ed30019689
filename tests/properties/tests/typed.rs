//! Secrets, codes and recovery codes as people type them and tables hold them, against readers that
//! go letter by letter.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use proptest::prelude::*;
use softtoken::association::{FactorError, RecoveryCodeError};
use softtoken::totp::{Code, CodeError, Secret, SecretError};
use softtoken::{Factor, RecoveryCode};

/// What only groups letters and digits: some of Unicode's white space, and the hyphen.
const SEPARATORS: [&str; 14] = [
    "", "-", "--", " ", "\t", "\n", "\r\n", "\u{b}", "\u{85}", "\u{a0}", "\u{2003}", "\u{2028}",
    "\u{202f}", "\u{3000}",
];

/// Groups of what `pattern` describes, with a separator after each.
fn grouped(pattern: &'static str) -> impl Strategy<Value = String> {
    let group = (pattern, proptest::sample::select(&SEPARATORS));
    let group = group.prop_map(|(group, separator)| group + separator);
    proptest::collection::vec(group, 0..12).prop_map(|groups| groups.concat())
}

/// Base32 by the words of RFC 4648: every letter five bits, every eight bits a byte. Returns the
/// bytes, and the bits that are left over.
fn bits(text: &str) -> Option<(Vec<u8>, String)> {
    let letters: String = text
        .chars()
        .filter(|typed| !typed.is_whitespace() && *typed != '-')
        .collect();
    let mut bits = String::new();
    for letter in letters.trim_end_matches('=').chars() {
        let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter.to_ascii_uppercase())?;
        bits.extend(
            (0..5)
                .rev()
                .map(|bit| if value >> bit & 1 == 1 { '1' } else { '0' }),
        );
    }
    let whole = bits.len() / 8 * 8;
    let bytes = bits.as_bytes()[..whole].chunks(8);
    let byte = |eight: &[u8]| {
        eight
            .iter()
            .fold(0, |byte, bit| byte << 1 | u8::from(*bit == b'1'))
    };
    Some((bytes.map(byte).collect(), bits[whole..].to_owned()))
}

fn sized(bytes: Vec<u8>) -> Result<Vec<u8>, SecretError> {
    match bytes.len() {
        length @ 0..10 => Err(SecretError::TooShort { bytes: length }),
        10..=128 => Ok(bytes),
        length => Err(SecretError::TooLong { bytes: length }),
    }
}

/// What both readers make of a text.
fn secrets(text: &str) -> [Result<Vec<u8>, SecretError>; 2] {
    [Secret::from_base32(text), Secret::from_base32_legacy(text)]
        .map(|read| read.map(|secret| secret.expose().to_vec()))
}

fn expected(text: &str) -> [Result<Vec<u8>, SecretError>; 2] {
    let Some((bytes, left)) = bits(text) else {
        return [Err(SecretError::Base32), Err(SecretError::Base32)];
    };
    let strict = if left.len() < 5 && !left.contains('1') {
        sized(bytes.clone())
    } else {
        Err(SecretError::Base32)
    };
    [strict, sized(bytes)]
}

fn code(text: &str) -> Result<String, CodeError> {
    let digits: String = text
        .chars()
        .filter(|typed| !typed.is_whitespace() && *typed != '-')
        .collect();
    match digits.len() {
        _ if !digits.chars().all(|digit| digit.is_ascii_digit()) => Err(CodeError::NotDigits),
        6..=8 => Ok(digits),
        digits => Err(CodeError::Length { digits }),
    }
}

fn parsed(text: &str) -> Result<String, CodeError> {
    Code::parse(text).map(|code| code.expose().as_str().to_owned())
}

/// Twenty-five of Crockford's digits, in groups of five, and what looks like one read as it.
fn recovery_code(text: &str) -> Result<String, RecoveryCodeError> {
    let mut read = String::new();
    for letter in text
        .chars()
        .filter(|typed| !typed.is_whitespace() && *typed != '-')
    {
        let letter = match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            letter => letter,
        };
        if !"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(letter) {
            return Err(no_recovery_code());
        }
        if read.len() % 6 == 5 {
            read.push('-');
        }
        read.push(letter);
    }
    if read.len() == 29 {
        Ok(read)
    } else {
        Err(no_recovery_code())
    }
}

fn no_recovery_code() -> RecoveryCodeError {
    RecoveryCode::parse("").unwrap_err()
}

fn parsed_recovery_code(text: &str) -> Result<String, RecoveryCodeError> {
    RecoveryCode::parse(text).map(|code| code.expose().as_str().to_owned())
}

/// A text for one field: up to eight characters are a code, more are a recovery code.
fn factor(text: &str) -> Result<String, FactorError> {
    let typed = text
        .chars()
        .filter(|typed| !typed.is_whitespace() && *typed != '-');
    if typed.count() > 8 {
        recovery_code(text).map_err(FactorError::RecoveryCode)
    } else {
        code(text).map_err(FactorError::Code)
    }
}

fn parsed_factor(text: &str) -> Result<String, FactorError> {
    Factor::parse(text).map(|factor| match factor {
        Factor::Code(code) => code.expose().as_str().to_owned(),
        Factor::RecoveryCode(code) => code.expose().as_str().to_owned(),
        _ => "something that was vouched for".to_owned(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn letters_with_whatever_groups_them_are_read_as_the_rfc_says(
        letters in grouped("[A-Za-z2-7]{0,24}"),
        end in "=*",
    ) {
        let text = letters + &end;
        prop_assert_eq!(secrets(&text), expected(&text));
    }

    #[test]
    fn what_is_written_is_read_by_both_readers(
        bytes in proptest::collection::vec(any::<u8>(), 10..=128),
        lower in any::<bool>(),
    ) {
        let secret = Secret::from_bytes(&bytes).map_err(|error| error.to_string());
        let text = secret.map(|secret| secret.expose_base32().as_str().to_owned());
        let text = text.map(|text| if lower { text.to_ascii_lowercase() } else { text });
        prop_assert_eq!(secrets(&text.unwrap_or_default()), [Ok(bytes.clone()), Ok(bytes)]);
    }

    #[test]
    fn a_text_with_something_else_in_it_is_refused_by_both_readers(
        text in "[A-Z2-7]{20,60}",
        at in any::<proptest::sample::Index>(),
        other in any::<char>(),
    ) {
        let mut text = text;
        text.insert(at.index(text.len()), other);
        prop_assert_eq!(secrets(&text), expected(&text));
    }

    #[test]
    fn no_text_makes_a_reader_of_secrets_panic(text in any::<String>()) {
        prop_assert_eq!(secrets(&text), expected(&text));
    }

    #[test]
    fn digits_with_whatever_groups_them_are_a_code(text in grouped("[0-9]{0,2}")) {
        prop_assert_eq!(parsed(&text), code(&text));
    }

    #[test]
    fn digits_with_something_else_among_them_are_none(
        text in "[0-9]{5,8}",
        at in any::<proptest::sample::Index>(),
        other in any::<char>(),
    ) {
        let mut text = text;
        text.insert(at.index(text.len()), other);
        prop_assert_eq!(parsed(&text), code(&text));
    }

    #[test]
    fn no_text_makes_the_reader_of_codes_panic(text in any::<String>()) {
        prop_assert_eq!(parsed(&text), code(&text));
    }

    #[test]
    fn letters_with_whatever_groups_them_are_a_recovery_code(
        text in prop_oneof![
            grouped("[0-9A-Za-z]{0,4}"),
            grouped("[0-9A-TV-Za-tv-z]{5}"),
            "[0-9A-TV-Za-tv-z]{25}",
        ],
    ) {
        prop_assert_eq!(parsed_recovery_code(&text), recovery_code(&text));
        prop_assert_eq!(parsed_factor(&text), factor(&text));
    }

    #[test]
    fn a_recovery_code_with_something_else_in_it_is_none(
        text in "[0-9A-HJ-NP-TV-Z]{24,25}",
        at in any::<proptest::sample::Index>(),
        other in any::<char>(),
    ) {
        let mut text = text;
        text.insert(at.index(text.len()), other);
        prop_assert_eq!(parsed_recovery_code(&text), recovery_code(&text));
    }

    #[test]
    fn one_field_takes_a_code_or_a_recovery_code_told_apart_by_their_length(
        text in prop_oneof![
            grouped("[0-9]{0,2}"),
            "[0-9]{5,9}",
            "[0-9A-HJ-NP-TV-Z-]{8,30}",
            "[0-9A-HJ-NP-TV-Z]{25}",
        ],
    ) {
        prop_assert_eq!(parsed_factor(&text), factor(&text));
    }

    #[test]
    fn no_text_makes_the_readers_of_recovery_codes_and_factors_panic(text in any::<String>()) {
        prop_assert_eq!(parsed_recovery_code(&text), recovery_code(&text));
        prop_assert_eq!(parsed_factor(&text), factor(&text));
    }
}
