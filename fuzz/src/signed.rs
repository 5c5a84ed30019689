//! What the server signs and takes back: challenge sessions, and the tokens of remembered browsers.
//!
//! An input is taken twice: as the text that a client sends, and as what is signed, with a signature put to it. Nobody
//! can do the second without the keys; it reaches what stands behind the signature.

use core::str;
use std::sync::LazyLock;

use base32::Alphabet;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use softtoken::association::{ChallengeSession, Operation};
use softtoken::mfa::Request;
use softtoken::totp::Totp;
use softtoken::{Challenge, Mfa, Policy};

use crate::world::{
    self, BROWSER_KEY, Enrolled, MONTH, NOW, Row, SESSION_KEY, START, SUBJECT, code_at, context,
    mfa,
};

const ALPHABET: Alphabet = Alphabet::Rfc4648Lower { padding: false };
const SIGNATURE: usize = 32;

/// A subject with a token in force, in the context of these targets.
#[must_use]
pub(crate) fn web() -> &'static Enrolled {
    static ENROLLED: LazyLock<Enrolled> = LazyLock::new(|| world::enrolled(&context()));
    &ENROLLED
}

fn signed(key: &[u8; 32], purpose: &str, payload: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(purpose.as_bytes());
    mac.update(payload);
    let bytes = [payload, &mac.finalize().into_bytes()].concat();
    base32::encode(ALPHABET, &bytes)
}

/// What a text says, whoever has signed it.
#[must_use]
pub fn payload(text: &str) -> Vec<u8> {
    let mut bytes = base32::decode(ALPHABET, text).expect("base32");
    bytes.truncate(bytes.len() - SIGNATURE);
    bytes
}

/// Texts that the crate itself has signed, for the seeds.
#[must_use]
pub fn session_texts() -> [String; 4] {
    web().sessions.clone()
}

/// As [`session_texts`], of a browser.
#[must_use]
pub fn browser_text() -> String {
    web().browser.clone()
}

/// A session that opens says what it was opened from, and succeeds for its subject in its context alone.
pub fn session(data: &[u8]) {
    let mfa = mfa(Policy::STANDARD);
    if let Ok(text) = str::from_utf8(data)
        && let Ok(session) = mfa.open(text)
    {
        assert!(
            web().sessions.iter().any(|known| known == text),
            "a forged session opens"
        );
        use_session(&mfa, &session, text);
    }
    let text = signed(&SESSION_KEY, "softtoken session", data);
    if let Ok(session) = mfa.open(&text) {
        use_session(&mfa, &session, &text);
    }
}

fn use_session(mfa: &Mfa, session: &ChallengeSession, text: &str) {
    assert_eq!(session.expose(), text);
    assert!(text.len() <= ChallengeSession::MAX_LEN);
    assert!(session.expires() > NOW);
    let code = || code_at(&web().secret, Totp::STANDARD, START);
    let succeeded = [
        succeeds(mfa.respond(session, code())),
        succeeds(mfa.associate(session)),
        succeeds(mfa.verify(session, code())),
        succeeds(mfa.finish_setup(session)),
        succeeds(mfa.resynchronise(session, code(), code())),
    ];
    // No verb takes a session for what it was not made for.
    assert!(succeeded.iter().filter(|succeeded| **succeeded).count() <= 1);
    if succeeded.contains(&true) {
        assert_eq!(
            (session.subject(), session.context()),
            (SUBJECT, &context())
        );
    }
    // These have no purpose that a session could have.
    assert!(!succeeds(mfa.set_enabled(session, false)));
    assert!(!succeeds(mfa.disassociate(session)));
    assert!(!succeeds(mfa.issue_recovery_codes(session)));
}

fn succeeds<O: Operation>(request: Request<O>) -> bool {
    let row = Row::of(Some(web().row.clone()));
    request.run_blocking(&row, SUBJECT).is_ok()
}

/// Only a browser that was remembered is let in without a code, while it may be.
pub fn browser(data: &[u8]) {
    let mfa = mfa(Policy::STANDARD);
    if let Ok(text) = str::from_utf8(data)
        && is_remembered(&mfa, text)
    {
        assert_eq!(text, web().browser, "a forged browser is let in");
    }
    if is_remembered(&mfa, &signed(&BROWSER_KEY, "softtoken browser", data)) {
        // All but when it was remembered.
        let known = payload(&web().browser);
        assert_eq!((&data[..37], &data[45..]), (&known[..37], &known[45..]));
        let at = data[37..45].try_into().map(u64::from_be_bytes);
        let at = at.expect("eight bytes");
        assert!(at <= START && START < at.saturating_add(MONTH.as_secs()));
    }
}

fn is_remembered(mfa: &Mfa, text: &str) -> bool {
    let row = Row::of(Some(web().row.clone()));
    let sign_in = mfa.sign_in().from_browser(Some(text));
    match sign_in
        .run_blocking(&row, SUBJECT)
        .expect("a sign-in is never refused")
    {
        Challenge::NotRequired { remembered, .. } => {
            assert!(remembered);
            true
        }
        Challenge::SoftwareToken { .. } => false,
        Challenge::Setup { .. } => panic!("a token is in force"),
    }
}
