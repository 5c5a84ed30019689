//! What every request lives in: one subject, a clock that only the model moves, draws that repeat.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use softtoken::association::BrowserKeys;
use softtoken::entropy::{Entropy, NoEntropy};
use softtoken::policy::Throttle;
use softtoken::totp::{Secret, Totp, Verifier};
use softtoken::{Code, Context, Mfa, Policy, SessionKeys, UnixTime};

pub(crate) const SUBJECT: &str = "alice";

/// The first second of a step.
pub(crate) const START: u64 = 1_700_000_010;

/// In seconds.
pub(crate) const PERIOD: u64 = 30;

/// Short enough that a few requests reach every wait and both locks.
pub(crate) const THROTTLE: Throttle = Throttle {
    free: 1,
    base: Duration::from_secs(PERIOD),
    cap: Duration::from_secs(2 * PERIOD),
    streak_limit: 3,
    debt_limit: 3,
    debt_decay: Duration::from_secs(12 * 60 * 60),
    suspect_at: 2,
    suspicion_limit: 3,
};

/// How often a request may try; few clients have to be able to make one lose as often.
pub(crate) const SWAP_ATTEMPTS: u32 = 2;

thread_local! {
    /// The model checks on several threads, and each request is decided at a time of its own.
    static NOW: Cell<u64> = const { Cell::new(START) };
}

pub(crate) fn set_clock(seconds: u64) {
    NOW.set(seconds);
}

pub(crate) fn policy(max_tokens: usize, swap_attempts: u32) -> Policy {
    let policy = Policy::builder()
        .throttle(THROTTLE)
        .swap_attempts(swap_attempts)
        .max_tokens(max_tokens)
        .build();
    policy.expect("every number is in its range")
}

pub(crate) fn mfa(policy: Policy) -> Mfa {
    let context = Context::new("model").expect("a short context");
    // What is drawn is drawn by operations that are made by hand; a record in the clear draws
    // nothing.
    let nothing = |_: &mut [u8]| Err(NoEntropy);
    Mfa::new(policy, || Some(UnixTime::from_secs(NOW.get())), nothing)
        .with_sessions(SessionKeys::from_bytes(1, &[7; 32]), context)
        .with_browsers(
            BrowserKeys::from_bytes(1, &[8; 32]),
            Duration::from_secs(60 * 60),
        )
        .expect("an hour is allowed")
}

/// The same bytes for the same label, or the states would have no end: `SplitMix64`.
pub(crate) fn entropy(label: u64) -> impl Entropy {
    let drawn = AtomicU64::new(label << 32);
    move |bytes: &mut [u8]| {
        for chunk in bytes.chunks_mut(8) {
            let at = drawn.fetch_add(1, Ordering::Relaxed);
            let mut mixed = at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// The code that a phone with this secret shows so many steps after this time.
pub(crate) fn code(secret: &[u8], at: u64, steps: i64) -> Code {
    let secret = Secret::from_bytes(secret).expect("an issued secret");
    let totp = Totp::STANDARD;
    let step = totp.step(UnixTime::from_secs(at)).saturating_offset(steps);
    Verifier::new(&secret, totp).code(step)
}
