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
    asked: Arc<AtomicU64>,
}

impl Login {
    pub(crate) fn new() -> Self {
        Self::by(Policy::STANDARD)
    }

    pub(crate) fn by(policy: Policy) -> Self {
        let seconds = Arc::new(AtomicU64::new(1_700_000_000));
        let asked = Arc::new(AtomicU64::new(0));
        let clock = {
            let (seconds, asked) = (Arc::clone(&seconds), Arc::clone(&asked));
            move || {
                asked.fetch_add(1, Ordering::SeqCst);
                Some(UnixTime::from_secs(seconds.load(Ordering::SeqCst)))
            }
        };
        let keys = SessionKeys::generate(1, &OsEntropy).expect("the system's generator");
        let context = Context::new("web").expect("one of 1 to 128 bytes");
        let secret = Self::secret();
        Self {
            mfa: Mfa::new(policy, clock, OsEntropy).with_sessions(keys, context),
            phone: Verifier::new(&secret, Totp::STANDARD),
            seconds,
            asked,
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

    /// How often the clock was asked since this was asked: once by each decision.
    pub(crate) fn decisions(&self) -> u64 {
        self.asked.swap(0, Ordering::SeqCst)
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

/// Lets no row of an SQLite table be updated, and does not say so.
pub(crate) const IN_VAIN: &str = "CREATE TRIGGER in_vain BEFORE UPDATE ON softtoken
    BEGIN SELECT RAISE(IGNORE); END";
/// Write something else into every record, and leave the revisions.
pub(crate) const CHANGED_IN_SQLITE: &str = "UPDATE softtoken SET record = x'00'";
pub(crate) const CHANGED_IN_POSTGRESQL: &str = r"UPDATE softtoken SET record = '\x00'";
