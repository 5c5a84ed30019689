//! Percent-encoding, [RFC 3986 section 2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use zeroize::Zeroizing;

/// What a percent-encoded text says, or `None` where it holds what must be encoded, or is not UTF-8.
pub(super) fn decode(text: &str) -> Option<Zeroizing<String>> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => nibble(bytes.next())? << 4 | nibble(bytes.next())?,
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte) => byte,
            _ => return None,
        });
    }
    let decoded = core::str::from_utf8(&decoded).ok()?;
    Some(Zeroizing::new(decoded.to_owned()))
}

fn nibble(digit: Option<u8>) -> Option<u8> {
    match digit? {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'a'..=b'f' => Some(digit - b'a' + 10),
        digit @ b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// A name with all percent-encoded but RFC 3986's unreserved characters and the `@` of an account.
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
