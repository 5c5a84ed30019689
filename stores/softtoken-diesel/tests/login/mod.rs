//! A user who is enrolled, her phone, and the clock of both.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use softtoken::association::{Import, ImportedToken, Respond};
use softtoken::mfa::Request;
use softtoken::totp::{Code, Secret, Totp, Verifier};
use softtoken::{
    Administrator, Challenge, ChallengeSession, Context, Mfa, OsEntropy, Policy, SessionKeys,
    UnixTime,
};

const HOUR: u64 = 60 * 60;

pub(crate) struct Login {
    pub(crate) mfa: Mfa,
    phone: Verifier,
    seconds: Arc<AtomicU64>,
}

impl Login {
    pub(crate) fn new() -> Self {
        let seconds = Arc::new(AtomicU64::new(1_700_000_000));
        let clock = {
            let seconds = Arc::clone(&seconds);
            move || Some(UnixTime::from_secs(seconds.load(Ordering::SeqCst)))
        };
        let keys = SessionKeys::generate(1, &OsEntropy).expect("the system's generator");
        let context = Context::new("web").expect("one of 1 to 128 bytes");
        let secret = Self::secret();
        Self {
            mfa: Mfa::new(Policy::STANDARD, clock, OsEntropy).with_sessions(keys, context),
            phone: Verifier::new(&secret, Totp::STANDARD),
            seconds,
        }
    }

    fn secret() -> Secret {
        Secret::from_base32("JBSW Y3DP EHPK 3PXP JBSW Y3DP EE").expect("a secret")
    }

    /// Enrols whom it is run for.
    pub(crate) fn import(&self) -> Request<Import> {
        let token = ImportedToken::proven(Self::secret(), Totp::STANDARD);
        self.mfa.import(&Administrator::named("tests"), [token])
    }

    /// Lets enough time go by for a new code, and for every debt to be paid off.
    pub(crate) fn later(&self) {
        self.seconds.fetch_add(24 * HOUR, Ordering::SeqCst);
    }

    /// The code that the phone shows.
    pub(crate) fn code(&self) -> Code {
        self.phone
            .code(Totp::STANDARD.step(self.mfa.now().expect("it is known")))
    }

    /// A code that the phone showed long ago.
    pub(crate) fn wrong(&self) -> Code {
        self.phone.code(Totp::STANDARD.step(UnixTime::from_secs(0)))
    }

    pub(crate) fn respond(&self, challenge: Challenge, code: Code) -> Request<Respond> {
        self.mfa.respond(&session(challenge), code)
    }
}

pub(crate) fn session(challenge: Challenge) -> ChallengeSession {
    match challenge {
        Challenge::SoftwareToken { session, .. } => session,
        Challenge::NotRequired { .. } | Challenge::Setup { .. } => panic!("a token is in force"),
    }
}
