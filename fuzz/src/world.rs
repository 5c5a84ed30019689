//! A server whose time stands still and whose randomness repeats itself, so that every input gives the same run.

use core::convert::Infallible;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use softtoken::association::{BrowserKeys, Operation};
use softtoken::entropy::NoEntropy;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::totp::{Code, Secret, Totp, Verifier};
use softtoken::{
    BlockingStore, Challenge, Context, Evidence, Grant, Mfa, Policy, SessionKeys, UnixTime,
};

/// 2023-11-14T22:13:45Z, the middle of a step.
pub(crate) const START: u64 = 1_700_000_025;
pub(crate) const NOW: UnixTime = UnixTime::from_secs(START);
pub(crate) const SESSION_KEY: [u8; 32] = [7; 32];
pub(crate) const BROWSER_KEY: [u8; 32] = [9; 32];
pub(crate) const MONTH: Duration = Duration::from_secs(30 * 86_400);
pub(crate) const SUBJECT: &str = "alice";

/// A generator that begins anew for every input: `SplitMix64`.
pub(crate) fn generator(
    seed: u64,
) -> impl Fn(&mut [u8]) -> Result<(), NoEntropy> + Send + Sync + 'static {
    let state = AtomicU64::new(seed);
    move |bytes| {
        for chunk in bytes.chunks_mut(8) {
            let state = state.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed);
            let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

pub(crate) fn context() -> Context {
    Context::new("web").expect("of a length that a context has")
}

/// A server at this time, with keys for everything but a seal.
pub(crate) fn mfa_at(policy: Policy, now: UnixTime) -> Mfa {
    Mfa::new(policy, move || Some(now), generator(1))
        .with_sessions(SessionKeys::from_bytes(1, &SESSION_KEY), context())
        .with_browsers(BrowserKeys::from_bytes(1, &BROWSER_KEY), MONTH)
        .expect("a month is a lifetime")
}

pub(crate) fn mfa(policy: Policy) -> Mfa {
    mfa_at(policy, NOW)
}

/// A store of one row, whoever's it is.
#[derive(Default)]
pub(crate) struct Row(Mutex<Option<Snapshot>>);

impl Row {
    pub(crate) fn of(found: Option<Snapshot>) -> Self {
        Self(Mutex::new(found))
    }

    pub(crate) fn now(&self) -> Option<Snapshot> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl BlockingStore for Row {
    type Error = Infallible;

    fn load_blocking(&self, _: &str) -> Result<Option<Snapshot>, Infallible> {
        Ok(self.now())
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        let mut row = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if row.as_ref().map(|row| row.revision) != write.expected() {
            return Ok(Swap::Conflict);
        }
        *row = Some(write.snapshot());
        Ok(Swap::Stored)
    }
}

/// A subject with a token in force, and what the flows before gave: made once, the same every time.
pub(crate) struct Enrolled {
    pub(crate) row: Snapshot,
    pub(crate) secret: Secret,
    /// Of a login that has shown a code.
    pub(crate) grant: Grant,
    /// Of a set-up, with a secret issued and with none, of the same set-up done, and of a challenge for a code.
    pub(crate) sessions: [String; 4],
    /// Of a browser that is remembered.
    pub(crate) browser: String,
}

pub(crate) fn enrolled(context: &Context) -> Enrolled {
    let row = Row::default();
    // Where a sign-in has to set a token up, every kind of session is made.
    let mfa = mfa_at(Policy::STANDARD.required(), UnixTime::from_secs(START - 60));
    let mfa = mfa.with_context(context.clone());
    let Challenge::Setup { session: setup, .. } = run(mfa.sign_in(), &row) else {
        panic!("nothing is in force yet");
    };
    let issued = run(mfa.associate(&setup), &row);
    let pending = issued.session().expect("in a flow").clone();
    let code = code_at(issued.secret(), issued.totp(), START - 60);
    let enrolled = run(mfa.verify(&pending, code).named("phone"), &row);
    let done = enrolled.session().expect("in a flow").clone();
    let evidence: &Evidence = enrolled.evidence();
    let browser = mfa.remember(evidence).expect("the clock knows the time");
    let browser = browser
        .expect("a code stands behind it")
        .expose()
        .to_owned();
    let Challenge::SoftwareToken { session, .. } = run(mfa.sign_in(), &row) else {
        panic!("a token is in force");
    };
    Enrolled {
        row: row.now().expect("it was stored"),
        secret: issued.secret().clone(),
        grant: Grant::from(evidence).with_id("login-1"),
        sessions: [&setup, &pending, &done, &session].map(|session| session.expose().to_owned()),
        browser,
    }
}

fn run<O: Operation>(request: softtoken::mfa::Request<O>, row: &Row) -> O::Output {
    request
        .run_blocking(row, SUBJECT)
        .unwrap_or_else(|error| panic!("a flow that is allowed: {error}"))
}

/// What a device shows.
pub(crate) fn code_at(secret: &Secret, totp: Totp, seconds: u64) -> Code {
    Verifier::new(secret, totp).code(totp.step(UnixTime::from_secs(seconds)))
}
