//! What people type and scan: codes, recovery codes, secrets, key URIs.

use core::str;

use softtoken::association::FactorError;
use softtoken::totp::{Code, KeyUri, Secret, SecretError};
use softtoken::{Factor, RecoveryCode};

/// A code that is read shows as many digits as it has, and is read again from what it shows.
pub fn code(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(code) = Code::parse(text) {
        let shown = code.expose();
        assert_eq!(shown.len(), usize::from(code.digits().get()));
        assert_eq!(Code::parse(&shown), Ok(code));
        assert!(text.chars().filter(char::is_ascii_digit).eq(shown.chars()));
    }
}

/// A recovery code that is read is read again from what it shows.
pub fn recovery_code(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(code) = RecoveryCode::parse(text) {
        let shown = code.expose();
        assert_eq!(shown.len(), 29);
        assert_eq!(RecoveryCode::parse(&shown), Ok(code));
    }
}

/// One field for both is read as each of them is read by itself, and nobody vouches by typing.
pub fn factor(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let (code, recovery_code) = (Code::parse(text), RecoveryCode::parse(text));
    match Factor::parse(text) {
        Ok(Factor::Code(read)) => assert_eq!(code, Ok(read)),
        Ok(Factor::RecoveryCode(read)) => assert_eq!(recovery_code, Ok(read)),
        Ok(_) => panic!("a text was vouched for"),
        Err(FactorError::Code(error)) => assert_eq!(code, Err(error)),
        Err(FactorError::RecoveryCode(error)) => assert_eq!(recovery_code, Err(error)),
        Err(error) => panic!("an unknown error: {error}"),
    }
}

/// Both readers of secrets read as a naive one does, and any bytes are read again from what is
/// written of them.
pub fn base32(data: &[u8]) {
    if let Ok(secret) = Secret::from_bytes(data) {
        let text = secret.expose_base32();
        assert_eq!(Secret::from_base32(&text).as_ref(), Ok(&secret));
        assert_eq!(Secret::from_base32_legacy(&text), Ok(secret));
    }
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let bits = naive_bits(text);
    let of_bits = |bits: &[bool]| {
        let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        let bytes = bits.chunks_exact(8).map(byte).collect::<Vec<u8>>();
        Secret::from_bytes(&bytes)
    };
    let legacy = bits.as_deref().ok_or(SecretError::Base32).and_then(of_bits);
    assert_eq!(Secret::from_base32_legacy(text), legacy);
    // An encoder leaves over fewer bits than a letter has, and all of them zeros.
    let whole = bits.as_deref().map(|bits| bits.chunks_exact(8).remainder());
    let is_encoded = whole.is_some_and(|rest| rest.len() < 5 && !rest.contains(&true));
    let strict = if is_encoded {
        legacy
    } else {
        Err(SecretError::Base32)
    };
    assert_eq!(Secret::from_base32(text), strict);
}

/// The bits that a base32 text stands for, by a search in the alphabet.
fn naive_bits(text: &str) -> Option<Vec<bool>> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let ignored = |typed: char| typed.is_whitespace() || typed == '-';
    let text = text.trim_end_matches(|typed| ignored(typed) || typed == '=');
    let mut bits = Vec::new();
    for typed in text.chars().filter(|typed| !ignored(*typed)) {
        let value = ALPHABET.find(typed.to_ascii_uppercase())?;
        bits.extend((0..5).rev().map(|place| value >> place & 1 == 1));
    }
    Some(bits)
}

/// What parses strictly is written and read again, and is the same key to the lenient reader; what
/// the lenient one reads has a key that a URI can be written of.
pub fn key_uri(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let legacy = KeyUri::parse_legacy(text);
    if let Ok(strict) = KeyUri::parse(text) {
        assert_eq!(KeyUri::parse(&strict.expose()).as_ref(), Ok(&strict));
        let legacy = legacy
            .as_ref()
            .expect("what parses strictly parses leniently");
        assert_eq!(legacy.secret(), strict.secret());
        assert_eq!(legacy.totp(), strict.totp());
    }
    if let Ok(legacy) = legacy {
        for name in [legacy.name(), legacy.issuer(), legacy.account()]
            .into_iter()
            .flatten()
        {
            assert!(!name.is_empty() && name == name.trim());
        }
        let issuer = legacy.issuer();
        let account = legacy.account().unwrap_or("account");
        if let Ok(uri) = KeyUri::new(issuer, account, legacy.secret(), legacy.totp()) {
            assert_eq!(KeyUri::parse(&uri.expose()), Ok(uri));
        }
    }
}
