//! Makes users and credentials, of bytes that are the same in every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use softtoken::association::{BrowserKeys, ImportedToken, SessionKeys};
use softtoken::entropy::{Entropy, NoEntropy};
use softtoken::time::Step;
use softtoken::totp::{Secret, Totp, Verifier};
use softtoken::{Administrator, Code, Context, MemoryStore, Mfa, Policy, UnixTime};

use crate::valgrind;

/// The time of every request.
pub const NOW: UnixTime = UnixTime::from_secs(1_700_000_025);
/// The user.
pub const SUBJECT: &str = "alice";

/// Returns bytes that look drawn, of this seed.
#[must_use]
pub fn bytes(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed) | 1 << 40;
    let next = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..length).map(next).collect()
}

/// Returns such bytes as a key.
#[must_use]
pub fn key(seed: u8) -> [u8; 32] {
    bytes(seed, 32).try_into().expect("32 bytes")
}

/// Returns such bytes as a secret.
#[must_use]
pub fn secret(seed: u8, length: usize) -> Secret {
    Secret::from_bytes(&bytes(seed, length)).expect("a length that a secret has")
}

/// Draws other bytes each time, and hides them from then on that it is told to.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    draws: Arc<AtomicU8>,
    hides: Arc<AtomicBool>,
}

impl Drawn {
    /// Says whether what is drawn is a secret.
    pub fn hides(&self, hides: bool) {
        self.hides.store(hides, Ordering::Relaxed);
    }
}

impl Entropy for Drawn {
    fn fill(&self, into: &mut [u8]) -> Result<(), NoEntropy> {
        let draw = self.draws.fetch_add(1, Ordering::Relaxed);
        into.copy_from_slice(&bytes(draw, into.len()));
        if self.hides.load(Ordering::Relaxed) {
            valgrind::hide(into);
        }
        Ok(())
    }
}

/// A user with a token in force, and what a request needs.
#[derive(Debug)]
pub struct World {
    /// Where the record is.
    pub store: MemoryStore,
    /// Knows the keys as bytes that are no secret to valgrind.
    pub mfa: Mfa,
    /// What is drawn.
    pub drawn: Drawn,
    /// Who may do anything.
    pub administrator: Administrator,
}

impl World {
    /// Makes the user, and imports the token.
    #[must_use]
    pub fn enrolled() -> Self {
        let world = Self::new();
        let token = ImportedToken::proven(secret(1, 20), Totp::STANDARD);
        let token = token.last_step(step().saturating_offset(-9));
        let import = world.mfa.import(&world.administrator, [token]);
        let imported = import.run_blocking(&world.store, SUBJECT);
        imported.expect("an empty row");
        world
    }

    /// Makes the user without a token.
    #[must_use]
    pub fn new() -> Self {
        let drawn = Drawn::default();
        let mfa = Mfa::new(Policy::STANDARD, || Some(NOW), drawn.clone())
            .with_sessions(sessions(&key(1)), context())
            .with_browsers(browsers(&key(2)), core::time::Duration::from_secs(86_400));
        Self {
            store: MemoryStore::new(),
            mfa: mfa.expect("a day is a lifetime"),
            drawn,
            administrator: Administrator::named("admin"),
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns these bytes as the key of sessions.
#[must_use]
pub fn sessions(key: &[u8; 32]) -> SessionKeys {
    SessionKeys::from_bytes(1, key)
}

/// Returns these bytes as the key of browsers.
#[must_use]
pub fn browsers(key: &[u8; 32]) -> BrowserKeys {
    BrowserKeys::from_bytes(1, key)
}

/// Returns the context of every flow.
#[must_use]
pub fn context() -> Context {
    Context::new("web").expect("three bytes")
}

/// Returns the step of now.
#[must_use]
pub fn step() -> Step {
    Totp::STANDARD.step(NOW)
}

/// Returns the user's code of a step so far from now.
#[must_use]
pub fn code(offset: i64) -> Code {
    Verifier::new(&secret(1, 20), Totp::STANDARD).code(step().saturating_offset(offset))
}

/// Returns a signed text with another signature: its last 32 bytes, of which this one is changed.
#[must_use]
pub fn forged(text: &str, byte: usize) -> String {
    // The letter that begins in this byte of the signature, and of which five bits are kept.
    let at = text.len() - 1 - ((31 - byte) * 8 + 7) / 5;
    let letter = &text[at..=at];
    let other = if letter == "q" { "a" } else { "q" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}
