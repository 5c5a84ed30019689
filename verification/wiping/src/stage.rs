//! Gives an act its clock, its randomness and its keys, and notes what is a secret in it.
//!
//! An act is rehearsed first, in the process that scans: there every secret is noted, in all its
//! forms. In the process that is scanned the same act draws the same secrets, and notes nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha1::Digest as _;
use softtoken::association::{BrowserKeys, SessionKeys};
use softtoken::entropy::{Entropy, NoEntropy};
use softtoken::policy::Policy;
use softtoken::record::Keyring;
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Digits, Secret, Totp, Verifier};
use softtoken::{Administrator, Code, Context, Grant, Mfa, UnixTime};
use zeroize::Zeroizing;

/// The user.
pub const SUBJECT: &str = "alice";
const START: u64 = 1_700_000_025;

/// The name of a secret, and one of its forms.
pub type Note = (String, Vec<u8>);

/// What an act is played on.
#[derive(Clone, Debug)]
pub struct Stage {
    /// `None` where the act is not rehearsed.
    notes: Option<Arc<Mutex<Vec<Note>>>>,
    draws: Arc<AtomicU64>,
    seconds: Arc<AtomicU64>,
}

impl Stage {
    fn of(act: &str, notes: Option<Arc<Mutex<Vec<Note>>>>) -> Self {
        let seed = act
            .bytes()
            .fold(1_u64, |seed, byte| mix(seed ^ u64::from(byte)));
        Self {
            notes,
            draws: Arc::new(AtomicU64::new(seed)),
            seconds: Arc::new(AtomicU64::new(START)),
        }
    }

    /// A stage that notes nothing.
    #[must_use]
    pub fn performance(act: &str) -> Self {
        Self::of(act, None)
    }

    /// Plays an act on a stage that notes its secrets, and returns these.
    pub fn rehearse(act: &str, play: fn(&Self)) -> Vec<Note> {
        let notes = Arc::new(Mutex::new(Vec::new()));
        play(&Self::of(act, Some(Arc::clone(&notes))));
        let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
        core::mem::take(&mut *notes)
    }

    /// Says that this is a secret.
    pub fn note(&self, what: &str, secret: &[u8]) {
        if let Some(notes) = &self.notes {
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.push((what.to_owned(), secret.to_vec()));
        }
    }

    /// Says that this text is a secret, as it is and in the other case.
    pub fn note_text(&self, what: &str, text: &str) {
        self.note(what, text.as_bytes());
        if self.notes.is_some() {
            self.note(what, text.to_ascii_lowercase().as_bytes());
        }
    }

    /// Says that this signed text is a secret, and so are the 32 bytes that it ends with.
    pub fn note_signed(&self, what: &str, text: &str) {
        self.note(what, text.as_bytes());
        if self.notes.is_none() {
            return;
        }
        let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u16, 0);
        for letter in text.bytes() {
            let value = if letter.is_ascii_digit() {
                letter - b'2' + 26
            } else {
                letter - b'a'
            };
            held = held << 5 | u16::from(value);
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                bytes.push((held >> bits).to_be_bytes()[1]);
            }
        }
        let signature = bytes.split_off(bytes.len() - 32);
        self.note(&format!("{what}, its signature"), &signature);
    }

    /// Says that this is a key: its base32, and what HMAC makes of it, are secrets as well.
    pub fn note_key(&self, what: &str, key: &[u8]) {
        if self.notes.is_none() {
            return;
        }
        self.note(what, key);
        if key.len() > 64 {
            // Of a key that is longer than a block, its digest is the key.
            let digest = sha1::Sha1::digest(key);
            let words = digest.chunks(4).map(|word| word.iter().rev());
            let words: Vec<u8> = words.flatten().copied().collect();
            self.note(&format!("{what}, as words"), &words);
            self.note_key(&format!("{what}, digested"), &digest);
            return;
        }
        for pad in [0x36, 0x5c] {
            let mut block = [pad; 64];
            for (byte, key) in block.iter_mut().zip(key) {
                *byte ^= key;
            }
            self.note(&format!("{what}, in a block"), &block[..key.len()]);
            let mut state = [
                0x6745_2301,
                0xefcd_ab89,
                0x98ba_dcfe,
                0x1032_5476,
                0xc3d2_e1f0,
            ];
            sha1::block_api::compress(&mut state, &[block]);
            let state = state.iter().flat_map(|word: &u32| word.to_ne_bytes());
            let state: Vec<u8> = state.collect();
            self.note(&format!("{what}, hashed"), &state);
        }
        if let Ok(secret) = Secret::from_bytes(key) {
            self.note_text(&format!("{what}, base32"), &secret.expose_base32());
        }
    }

    /// Says that this QR code is a secret: its pictures, and in a code of version 5 with little
    /// error correction, which has one block, the bytes that it encodes and those that correct them.
    pub fn note_qr_code(&self, uri: &str, svg: &str, blocks: &str) {
        if self.notes.is_none() {
            return;
        }
        self.note_picture(svg, blocks);
        assert!((85..=106).contains(&uri.len()), "a code of version 5-L");
        let length = u8::try_from(uri.len()).expect("it is short");
        // By bytes, after four bits for that and eight for how many.
        let bytes = [&[length], uri.as_bytes(), &[0]].concat();
        let mut words = vec![0x40 | length >> 4];
        words.extend(bytes.windows(2).map(|pair| pair[0] << 4 | pair[1] >> 4));
        self.note("QR code, encoded", &words);
        words.extend([0xec, 0x11].iter().cycle().take(108 - words.len()));
        self.note("QR code, error correction", &error_correction(&words));
    }

    /// Says that these pictures of a QR code are secrets, and so are its modules.
    pub fn note_picture(&self, svg: &str, blocks: &str) {
        if self.notes.is_none() {
            return;
        }
        let (_, path) = svg.rsplit_once("d=\"").expect("a path");
        self.note("QR code, SVG", path.as_bytes());
        self.note("QR code, blocks", blocks.as_bytes());
        let lines: Vec<Vec<char>> = blocks.lines().map(|line| line.chars().collect()).collect();
        let size = lines[0].len() - 8;
        let mut modules = vec![0_u8; (size * size).div_ceil(8)];
        for at in 0..size * size {
            let (x, y) = (at % size + 4, at / size + 4);
            // What is shown is light.
            let dark = if y % 2 == 0 { " ▄" } else { " ▀" };
            modules[at / 8] |= u8::from(dark.contains(lines[y / 2][x])) << (at % 8);
        }
        self.note("QR code, modules", &modules);
    }

    /// Returns whether secrets are noted.
    #[must_use]
    pub fn is_rehearsal(&self) -> bool {
        self.notes.is_some()
    }

    /// The time moves on.
    pub fn later(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.seconds.load(Ordering::Relaxed))
    }

    /// Eight digits: a code's text is as long as a piece.
    #[must_use]
    pub fn totp(&self) -> Totp {
        Totp::new(Algorithm::Sha1, Digits::Eight, Duration::from_secs(30)).expect("a period")
    }

    /// The step of now.
    #[must_use]
    pub fn step(&self) -> Step {
        self.totp().step(self.now())
    }

    /// The code that an authenticator shows so many steps from now.
    #[must_use]
    pub fn code(&self, secret: &Secret, offset: i64) -> Code {
        let code = Verifier::new(secret, self.totp()).code(self.step().saturating_offset(offset));
        self.note("code", code.expose().as_bytes());
        code
    }

    /// Says that the number of this code is a secret, in blocks that are freed.
    pub fn note_number(&self, code: &Code) {
        if let Ok(number) = code.expose().parse::<u32>() {
            self.note("code, as a number", &number.to_ne_bytes());
        }
    }

    /// A policy with codes of eight digits, and two tokens.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let policy = Policy::builder()
            .totp(self.totp())
            .max_tokens(2)
            .recovery_limit(None);
        policy.build().expect("every number is in its range")
    }

    /// An `Mfa` without keys.
    #[must_use]
    pub fn mfa(&self, policy: Policy) -> Mfa {
        let clock = self.clone();
        Mfa::new(policy, move || Some(clock.now()), self.clone())
    }

    /// An `Mfa` with keys that were drawn, under two ids each, and with a seal.
    #[must_use]
    pub fn keyed(&self, policy: Policy) -> Mfa {
        let sessions = SessionKeys::generate(1, self).expect("it draws");
        let browsers = BrowserKeys::generate(1, self).expect("it draws");
        let keyring = Keyring::generate(1, self).expect("it draws");
        let mfa = self.mfa(policy).with_sessions(sessions, context());
        let mfa = mfa.with_browsers(browsers, Duration::from_secs(86_400));
        mfa.expect("a day").sealed(keyring).seal_label("label")
    }

    /// The grant of a login by password.
    #[must_use]
    pub fn grant(&self) -> Grant {
        Grant::first_factor(SUBJECT, self.now()).with_id("login-1")
    }

    /// A secret that was drawn.
    #[must_use]
    pub fn secret(&self) -> Secret {
        Secret::generate(20, self).expect("it draws")
    }
}

/// The administrator.
#[must_use]
pub fn administrator() -> Administrator {
    Administrator::named("admin")
}

/// The context of every flow.
#[must_use]
pub fn context() -> Context {
    Context::new("web").expect("three bytes")
}

/// Puts a text together that is wiped, in a buffer that never grows.
#[must_use]
pub fn joined(parts: &[&str]) -> Zeroizing<String> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut text = Zeroizing::new(String::with_capacity(length));
    for part in parts {
        text.push_str(part);
    }
    text
}

/// Calls deep in the stack, and returns what comes of it: calls that follow overwrite nothing that
/// this one has left there.
#[inline(never)]
pub fn deep<T>(call: impl FnOnce() -> T) -> T {
    let above = [0_u8; 1 << 14];
    core::hint::black_box(&above);
    call()
}

/// Returns the 26 bytes that correct those of a block: the remainder of a division by the product
/// of x - 2^i.
fn error_correction(block: &[u8]) -> Vec<u8> {
    fn times(a: u8, b: u8) -> u8 {
        (0..8).rev().fold(0, |product: u8, bit| {
            let doubled = product << 1 ^ if product > 0x7f { 0x1d } else { 0 };
            doubled ^ if b >> bit & 1 == 1 { a } else { 0 }
        })
    }
    let (mut divisor, mut root) = (vec![1_u8], 1);
    for _ in 0..26 {
        divisor.push(0);
        for at in (1..divisor.len()).rev() {
            divisor[at] ^= times(divisor[at - 1], root);
        }
        root = times(root, 2);
    }
    let mut rest = [block, &[0; 26]].concat();
    for at in 0..block.len() {
        let factor = rest[at];
        for (place, by) in divisor.iter().enumerate() {
            rest[at + place] ^= times(*by, factor);
        }
    }
    rest.split_off(block.len())
}

fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// Draws bytes that are the same in every performance of an act: one at a time, so that no buffer
/// but the caller's has them. What is drawn in the length of a secret, of a recovery code or of a
/// key is one; ids, nonces and salts have other lengths, and are none.
impl Entropy for Stage {
    fn fill(&self, into: &mut [u8]) -> Result<(), NoEntropy> {
        let draw = self.draws.fetch_add(1, Ordering::Relaxed);
        for (place, byte) in (0_u64..).zip(into.iter_mut()) {
            *byte = mix(mix(draw) ^ place).to_be_bytes()[0];
        }
        if self.notes.is_some() {
            match into.len() {
                20 => self.note_key("secret", into),
                25 => self.note_recovery_code(into),
                32 => self.note_key("key", into),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Stage {
    fn note_recovery_code(&self, drawn: &[u8]) {
        let alphabet = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let values: Vec<u8> = drawn.iter().map(|byte| byte & 31).collect();
        let letters: Vec<u8> = values
            .iter()
            .map(|value| alphabet[usize::from(*value)])
            .collect();
        let groups: Vec<&[u8]> = letters.chunks(5).collect();
        let shown = String::from_utf8(groups.join(&b'-')).expect("ASCII");
        self.note("recovery code, drawn", drawn);
        self.note("recovery code, values", &values);
        self.note("recovery code, letters", &letters);
        self.note_text("recovery code, shown", &shown);
    }
}
