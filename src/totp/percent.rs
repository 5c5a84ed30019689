//! Percent-encodes and decodes, [RFC 3986 section
//! 2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use zeroize::Zeroizing;

/// Decodes a percent-encoded text. `None` if it holds what must be encoded, or is not UTF-8.
pub(super) fn decode(text: &str) -> Option<Zeroizing<String>> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut encoded = text.as_bytes();
    while let [byte, rest @ ..] = encoded {
        let (byte, rest) = match byte {
            b'%' => escaped(rest)?,
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(byte) => {
                (*byte, rest)
            }
            _ => return None,
        };
        decoded.push(byte);
        encoded = rest;
    }
    let decoded = core::str::from_utf8(&decoded).ok()?;
    Some(Zeroizing::new(decoded.to_owned()))
}

/// Decodes a text of which nobody knows whether and how it was encoded, as forms are decoded: a `+`
/// is a space. Text that is not percent-encoded stands for itself, a lone `%` as well, and bytes
/// that are not UTF-8 become U+FFFD.
pub(super) fn decode_legacy(text: &str) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut encoded = text.as_bytes();
    while let [byte, rest @ ..] = encoded {
        let (byte, rest) = match byte {
            b'%' => escaped(rest).unwrap_or((b'%', rest)),
            b'+' => (b' ', rest),
            _ => (*byte, rest),
        };
        bytes.push(byte);
        encoded = rest;
    }
    // Never grown: what a string outgrows is freed without being wiped.
    let replacement = char::REPLACEMENT_CHARACTER;
    let mut decoded = Zeroizing::new(String::with_capacity(replacement.len_utf8() * bytes.len()));
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            decoded.push(replacement);
        }
    }
    decoded
}

/// Returns the byte that the two hexadecimal digits after a `%` stand for, and what follows these.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = text else {
        return None;
    };
    Some((nibble(*high)? << 4 | nibble(*low)?, rest))
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Holds a name with all percent-encoded but RFC 3986's unreserved characters and the `@` of an
/// account.
pub(super) struct Encoded<'a>(pub(super) &'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            _ if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) => {
                formatter.write_char(byte.into())
            }
            _ => write!(formatter, "%{byte:02X}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_was_encoded_or_not_is_decoded_as_forms_are() {
        for (text, decoded) in [
            ("", ""),
            (
                "Acme+Inc%3aalice%40example.net",
                "Acme Inc:alice@example.net",
            ),
            ("Acme%20Inc%2B", "Acme Inc+"),
            ("Müller M%c3%bcller", "Müller Müller"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%4g%zz%%41", "%4g%zz%A"),
            ("%u00fc", "%u00fc"),
            ("%fc", "\u{fffd}"),
            ("%c3%28%ff%fe%e2%82", "\u{fffd}(\u{fffd}\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(*decode_legacy(text), decoded, "{text}");
        }
    }

    /// A string that grows frees what it held without wiping it.
    #[test]
    fn what_is_decoded_is_never_moved_while_it_is_written() {
        let invalid = "%ff".repeat(50);
        assert_eq!(decode_legacy(&invalid).len(), 150);
        assert_eq!(decode_legacy(&invalid).capacity(), 150);
    }
}
