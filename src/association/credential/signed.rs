//! Signs the text that the server takes back: challenge sessions, and the tokens of remembered
//! browsers.

use alloc::string::String;
use alloc::vec::Vec;

use base32ct::{Base32Unpadded, Encoding as _};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::mac::keyed_hash;
use crate::ascii;
use crate::association::names::Context;
use crate::keys::{Key, Keys};
use crate::reveal::reveal;

const VERSION: u8 = 1;
/// Limits the text that is looked at, in characters: more than the longest that is ever made.
pub(super) const MAX_LEN: usize = 1000;
/// Exceeds the longest payload: a buffer that grows leaves pieces behind.
const CAPACITY: usize = MAX_LEN * 5 / 8;

/// Holds what a text says, to be signed.
pub(super) struct Payload(Zeroizing<Vec<u8>>);

impl Payload {
    /// Begins a payload with the version and the id of the key that will sign it.
    pub(super) fn new(keys: &Keys) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(CAPACITY));
        bytes.push(VERSION);
        bytes.extend_from_slice(&keys.current().id().to_be_bytes());
        Self(bytes)
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        self.put(&number.to_be_bytes())
    }

    /// Writes the context, of at most 128 bytes, and the subject after it, to the end.
    pub(super) fn context_and_subject(&mut self, context: &Context, subject: &str) -> &mut Self {
        let context = context.as_bytes();
        self.put(&[u8::try_from(context.len()).unwrap_or(u8::MAX)]);
        self.put(context);
        self.put(subject.as_bytes())
    }

    /// Signs the payload for this purpose with the current key, and returns the text.
    pub(super) fn sign(&mut self, keys: &Keys, purpose: &[u8]) -> Zeroizing<String> {
        let end = self.0.len();
        self.put(&[0; 32]);
        let (signed, signature) = self.0.split_at_mut(end);
        mac(keys.current(), purpose, signed, |made| {
            signature.copy_from_slice(made);
        });
        ascii::text(encode(&self.0))
    }
}

/// Reads what a text says, where one of the keys has signed it for this purpose.
pub(super) fn open(keys: &Keys, purpose: &[u8], text: &str) -> Option<Said> {
    if text.len() > MAX_LEN {
        return None;
    }
    let mut bytes = Zeroizing::new(alloc::vec![0; text.len()]);
    let length = Base32Unpadded::decode(text, &mut bytes).ok()?.len();
    bytes.truncate(length);
    // Base32 has many spellings of the same bytes; what is signed has one.
    if *encode(&bytes) != *text.as_bytes() {
        return None;
    }
    let (signed, signature) = bytes.split_last_chunk::<32>()?;
    let [VERSION, after_version @ ..] = signed else {
        return None;
    };
    let (id, _) = after_version.split_first_chunk()?;
    let key = keys.find(u32::from_be_bytes(*id))?;
    if !reveal(mac(key, purpose, signed, |expected| {
        expected.ct_eq(signature)
    })) {
        return None;
    }
    let end = signed.len();
    Some(Said { bytes, at: 5, end })
}

fn mac<T>(key: &Key, purpose: &[u8], signed: &[u8], read: impl FnOnce(&[u8; 32]) -> T) -> T {
    keyed_hash(key.expose(), purpose, &[signed], read)
}

/// Returns the letters for these bytes, in a buffer that never grew.
fn encode(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut letters = Zeroizing::new(alloc::vec![0; (bytes.len() * 8).div_ceil(5)]);
    // As many as there is room for.
    let _ = Base32Unpadded::encode(bytes, &mut letters);
    letters
}

/// Holds a payload whose signature held, read from its beginning.
pub(super) struct Said {
    bytes: Zeroizing<Vec<u8>>,
    at: usize,
    end: usize,
}

impl Said {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..self.end]
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.rest().first_chunk()?;
        self.at += N;
        Some(array)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads the context and the subject, the last two things in every payload.
    pub(super) fn context_and_subject(mut self) -> Option<(Context, String)> {
        let [length] = self.array()?;
        let (context, subject) = self.rest().split_at_checked(usize::from(length))?;
        let subject = core::str::from_utf8(subject).ok()?;
        Some((Context::new(context).ok()?, subject.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five bits a letter: what is longer would be read by nobody.
    #[test]
    fn a_payload_has_room_from_the_start_for_the_longest_text_that_is_read() {
        let payload = Payload::new(&Keys::from_bytes(1, &[1; 32]));
        assert_eq!(payload.0.capacity(), 625);
    }
}
