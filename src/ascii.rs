//! Makes a text of characters that are a secret.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use zeroize::Zeroizing;

/// Returns the text of these ASCII characters, in the same memory.
///
/// `String::push` asks of a character how long it is in UTF-8, which is a question about a secret.
/// Here no bit is asked about that could be set.
pub(crate) fn text(mut characters: Zeroizing<Vec<u8>>) -> Zeroizing<String> {
    characters.iter_mut().for_each(|byte| *byte &= 0x7f);
    let text = String::from_utf8(mem::take(&mut *characters));
    Zeroizing::new(text.unwrap_or_default())
}
