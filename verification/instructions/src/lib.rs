//! Makes what a case is about, before anything is counted: a judgement, or a user with a request.
//!
//! Nothing is drawn at random and no clock is read, so that each run does the same. Memory comes
//! from the arena of `verification/ct` in each case.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::time::Duration;
use std::sync::Arc;

use softtoken::association::{BrowserKeys, BrowserToken, ImportedToken, Record};
use softtoken::entropy::{Entropy, NoEntropy};
use softtoken::record::{Keyring, Zeroizing};
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Digits, Secret, Totp, Verdict, Verifier, Window};
use softtoken::{
    Administrator, BlockingStore, Challenge, ChallengeSession, Code, Context, Error, Evidence,
    Factor, Grant, MemoryStore, Mfa, Policy, SessionKeys, SignedIn, UnixTime, record,
};
use softtoken_ct::arena::Arena;

const SUBJECT: &str = "alice";
const KEY: [u8; 32] = *b"12345678901234567890123456789012";
const START: u64 = 1_700_000_025;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Holds a wrong code, and what judges it from the raw secret.
#[derive(Debug)]
pub struct Judgement {
    secret: Secret,
    totp: Totp,
    window: Window,
    code: Code,
    next: Code,
}

impl Judgement {
    /// Makes the judgement with this hash, in a window that reaches so many steps either way.
    #[must_use]
    pub fn new(algorithm: Algorithm, reach: u8) -> Self {
        Arena::turn_on();
        let secret = Secret::from_bytes(&KEY[..20]).expect("twenty bytes");
        let totp = Totp::new(algorithm, Digits::Six, Totp::STANDARD.period());
        let totp = totp.expect("the period of the standard");
        let verifier = Verifier::new(&secret, totp);
        Self {
            code: verifier.code(step().saturating_offset(1_000)),
            next: verifier.code(step().saturating_offset(1_001)),
            window: Window::new(reach, reach).expect("at most ten"),
            secret,
            totp,
        }
    }

    /// Judges the code.
    pub fn judge(&self) -> Verdict {
        Verifier::new(&self.secret, self.totp).verify(&self.code, step(), self.window, None)
    }

    /// Judges the code, and the one that follows it, as far away as a set-up allows.
    pub fn judge_pair(&self) -> Verdict {
        Verifier::new(&self.secret, self.totp).verify_pair(&self.code, &self.next, step(), 20, None)
    }
}

fn step() -> Step {
    Totp::STANDARD.step(UnixTime::from_secs(START))
}

/// Draws other bytes each time, the same ones in each run.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, into: &mut [u8]) -> Result<(), NoEntropy> {
        let drawn = self.0.fetch_add(1, Relaxed).to_le_bytes();
        for (byte, drawn) in into.iter_mut().zip(drawn.into_iter().cycle()) {
            *byte = drawn;
        }
        Ok(())
    }
}

/// Holds a user with tokens in force, and the factor of the request that is counted.
#[derive(Debug)]
pub struct User {
    mfa: Mfa,
    store: MemoryStore,
    seconds: Arc<AtomicU64>,
    devices: Vec<Verifier>,
    factor: Option<Factor>,
}

/// Says how a record is at rest.
#[derive(Clone, Copy, Debug)]
pub enum AtRest {
    /// In the clear.
    Plain,
    /// Under a `Keyring`.
    Sealed,
}

impl User {
    /// Makes a user with so many tokens in force, who has the right code at hand.
    #[must_use]
    pub fn new(at_rest: AtRest, tokens: u8) -> Self {
        Arena::turn_on();
        let seconds = Arc::new(AtomicU64::new(START));
        let clock = Arc::clone(&seconds);
        let policy = Policy::builder().max_tokens(tokens.into()).build();
        let mfa = Mfa::new(
            policy.expect("at most ten"),
            move || Some(UnixTime::from_secs(clock.load(Relaxed))),
            Counter::default(),
        );
        let context = Context::new("web").expect("three bytes");
        let keys = SessionKeys::from_bytes(1, &KEY);
        let mfa = mfa
            .with_sessions(keys, context)
            .with_browsers(BrowserKeys::from_bytes(1, &KEY), 30 * DAY);
        let mfa = mfa.expect("a month is a lifetime");
        let mfa = match at_rest {
            AtRest::Plain => mfa,
            AtRest::Sealed => mfa.sealed(Keyring::from_bytes(1, &KEY)),
        };
        let secrets = (0..tokens).map(|token| {
            let mut bytes = KEY;
            bytes[0] = token;
            Secret::from_bytes(&bytes[..20]).expect("twenty bytes")
        });
        let secrets: Vec<Secret> = secrets.collect();
        let tokens = secrets.iter().map(|secret| {
            let token = ImportedToken::proven(secret.clone(), Totp::STANDARD);
            token.last_step(step().saturating_offset(-9))
        });
        let store = MemoryStore::new();
        let import = mfa.import(&Administrator::named("ops"), tokens);
        import.run_blocking(&store, SUBJECT).expect("an empty row");
        let verifier = |secret| Verifier::new(secret, Totp::STANDARD);
        let devices: Vec<Verifier> = secrets.iter().map(verifier).collect();
        let mut user = Self {
            mfa,
            store,
            seconds,
            devices,
            factor: None,
        };
        // A user of whom something was kept before.
        user.factor = Some(user.code(0).into());
        let signed_in = user.sign_in_with();
        assert!(matches!(signed_in, Ok(SignedIn::Proven(_))));
        user.seconds.fetch_add(60, Relaxed);
        user.factor = Some(user.code(0).into());
        user
    }

    /// Of the token that was set up last.
    fn code(&self, offset: i64) -> Code {
        let now = UnixTime::from_secs(self.seconds.load(Relaxed));
        let now = Totp::STANDARD.step(now);
        let device = self.devices.last().expect("a token");
        device.code(now.saturating_offset(offset))
    }

    /// Gives the user a code that is wrong.
    #[must_use]
    pub fn with_a_wrong_code(mut self) -> Self {
        self.factor = Some(self.code(1_000).into());
        self
    }

    /// Gives the user ten recovery codes, and one of them for a factor: the one in this place.
    #[must_use]
    pub fn with_a_recovery_code(mut self, place: usize) -> Self {
        let ops = Administrator::named("ops");
        let issue = self.mfa.issue_recovery_codes(&ops);
        let codes = issue.run_blocking(&self.store, SUBJECT);
        let codes = codes.expect("a token is in force");
        let code = codes.iter().nth(place).expect("ten codes");
        self.factor = Some(Factor::RecoveryCode(code.clone()));
        self
    }

    /// Signs in with the factor in one request.
    ///
    /// # Errors
    ///
    /// What the crate answers to a wrong code.
    pub fn sign_in_with(&self) -> Result<SignedIn, Error> {
        let request = self.mfa.sign_in_with(self.factor.clone());
        request.run_blocking(&self.store, SUBJECT)
    }

    /// Does the same by a future.
    ///
    /// # Errors
    ///
    /// What the crate answers to a wrong code.
    pub fn sign_in_with_async(&self) -> Result<SignedIn, Error> {
        let request = self.mfa.sign_in_with(self.factor.clone());
        pollster::block_on(request.run(&self.store, SUBJECT))
    }

    /// Asks what a sign-in needs, and issues a session.
    ///
    /// # Errors
    ///
    /// None, where a token is in force.
    pub fn sign_in(&self) -> Result<Challenge, Error> {
        self.mfa.sign_in().run_blocking(&self.store, SUBJECT)
    }

    /// Returns the session of a sign-in that waits for its factor.
    #[must_use]
    pub fn session(&self) -> ChallengeSession {
        match self.sign_in() {
            Ok(Challenge::SoftwareToken { session, .. }) => session,
            other => panic!("a token is in force: {other:?}"),
        }
    }

    /// Opens a session's text.
    #[must_use]
    pub fn opens(&self, text: &str) -> bool {
        self.mfa.open(text).is_ok()
    }

    /// Answers the challenge of this session with the factor.
    ///
    /// # Errors
    ///
    /// None, where the code is right.
    pub fn respond(&self, session: &ChallengeSession) -> Result<Evidence, Error> {
        let factor = self.factor.clone().expect("a factor");
        let request = self.mfa.respond(session, factor);
        request.run_blocking(&self.store, SUBJECT)
    }

    /// Shows the factor within a login.
    ///
    /// # Errors
    ///
    /// None, where the code is right.
    pub fn step_up(&self, grant: &Grant) -> Result<Evidence, Error> {
        let factor = self.factor.clone().expect("a factor");
        let request = self.mfa.step_up(grant, factor);
        request.run_blocking(&self.store, SUBJECT)
    }

    /// Returns the grant of a login by password.
    #[must_use]
    pub fn grant(&self) -> Grant {
        let now = UnixTime::from_secs(self.seconds.load(Relaxed));
        Grant::first_factor(SUBJECT, now)
    }

    /// Remembers the browser that has shown the factor.
    #[must_use]
    pub fn remembered(&self) -> BrowserToken {
        let Ok(SignedIn::Proven(evidence)) = self.sign_in_with() else {
            panic!("the code is right");
        };
        let token = self.mfa.remember(&evidence).expect("a clock");
        token.expect("a code, a first factor and a context")
    }

    /// Signs in from a browser that shows this token.
    #[must_use]
    pub fn is_remembered(&self, token: &BrowserToken) -> bool {
        let request = self.mfa.sign_in().from_browser(Some(token.expose()));
        let challenge = request.run_blocking(&self.store, SUBJECT);
        matches!(challenge, Ok(Challenge::NotRequired { .. }))
    }

    /// Returns the user's row, which is in the clear.
    #[must_use]
    pub fn row(&self) -> Vec<u8> {
        let Ok(row) = self.store.load_blocking(SUBJECT);
        row.expect("it was stored").record
    }

    /// Returns what the row says.
    #[must_use]
    pub fn record(&self) -> Record {
        record::decode(&self.row()).expect("it was encoded")
    }
}

/// Writes a record.
#[must_use]
pub fn encode(record: &Record) -> Zeroizing<Vec<u8>> {
    record::encode(record)
}

/// Reads a record.
#[must_use]
pub fn decode(row: &[u8]) -> Record {
    record::decode(row).expect("it was encoded")
}
