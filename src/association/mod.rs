//! The state machine of a subject's software token: Unassociated -> Pending -> Verified.
//!
//! Pure: no store, no clock, no generator. Every [`Operation`] is a value that is applied to a [`Record`] in an
//! [`Environment`], and answers with a [`Transition`]: the record to store, the outcome, the events.
//! [`Mfa`](crate::Mfa) does the loading and storing; whoever wants to do it differently can drive this module alone.
//!
//! # The machine by itself
//!
//! Whoever drives it keeps what it decides:
//!
//! ```
//! use core::time::Duration;
//! use softtoken::association::{
//!     Actor, Associate, Authenticate, FinishSetup, Operation, Respond, SessionFlaw, SignIn, Status, Transition, Verify,
//! };
//! use softtoken::totp::Verifier;
//! use softtoken::{
//!     Challenge, Context, Enrolled, Environment, Event, EventKind, Grant, Issued, OsEntropy, Policy, Record, Rejection,
//!     SessionKeys, State, UnixTime,
//! };
//!
//! #[derive(Default)]
//! struct Row {
//!     record: Record,
//!     log: Vec<Event>,
//! }
//!
//! impl Row {
//!     fn apply<O: Operation>(&mut self, operation: &O, environment: &Environment<'_>) -> Result<O::Output, Rejection> {
//!         let Transition { next, outcome, events } = operation.apply(self.record.clone(), environment);
//!         if let Some(next) = next {
//!             self.record = next; // a refusal's too, or guessing is free
//!         }
//!         self.log.extend(&events);
//!         outcome
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! let policy = Policy::STANDARD;
//! let keys = SessionKeys::generate(1, &OsEntropy)?;
//! let now = UnixTime::from_secs(1_700_000_000);
//! let environment = Environment::new("alice", &policy, now);
//! let mut alice = Row::default();
//!
//! // Enrol.
//! let grant = Grant::first_factor(now);
//! let issued: Issued = alice.apply(&Associate::new(grant.clone(), &policy, &OsEntropy)?, &environment)?;
//! let phone = Verifier::new(issued.secret(), issued.totp());
//! let code = phone.code(issued.totp().step(now));
//! let enrolled: Enrolled = alice.apply(&Verify::new(grant, code, &OsEntropy)?.named("phone"), &environment)?;
//! assert_eq!(enrolled.evidence().subject(), "alice");
//! let state = alice.apply(&Status, &environment)?.state;
//! assert!(matches!(state, State::Verified { since, .. } if since == now));
//!
//! // Sign in, a minute later.
//! let now = now.saturating_add(Duration::from_secs(60));
//! let environment = Environment::new("alice", &policy, now).with_sessions(&keys);
//! let challenge = alice.apply(&SignIn::new(Context::default(), &OsEntropy)?, &environment)?;
//! let Challenge::SoftwareToken { session, .. } = challenge else {
//!     unreachable!("a token is verified and enabled");
//! };
//! let code = phone.code(issued.totp().step(now));
//! let evidence = alice.apply(&Respond::new(&session, code.clone()), &environment)?;
//! assert_eq!(evidence.at(), now);
//!
//! // No other verb takes the same code again.
//! assert_eq!(alice.apply(&Authenticate::new(code), &environment), Err(Rejection::Reused));
//!
//! assert_eq!(alice.log[0].kind, EventKind::Associated);
//! assert_eq!(alice.log[1].kind, EventKind::Verified { failures: 0 });
//! assert!(matches!(alice.log[2].kind, EventKind::SignedIn { failures: 0, .. }));
//! assert!(matches!(alice.log[3].kind, EventKind::ReusedCode { .. }));
//! assert_eq!(alice.log[2].actor, Actor::Session);
//!
//! // What the caller is not told, the event says.
//! assert_eq!(alice.apply(&FinishSetup::new(&session), &environment), Err(Rejection::InvalidSession));
//! let flaw = Some(SessionFlaw::OtherPurpose);
//! assert_eq!(alice.log[4].kind, EventKind::Refused { rejection: Rejection::InvalidSession, flaw });
//! # Ok(())
//! # }
//! ```
//!
//! What an administrator does, and what helps where codes do not come or do not fit:
//!
//! ```
//! use softtoken::association::{
//!     Authenticate, Disassociate, IssueRecoveryCodes, Operation, Prefer, Recover, Reset, Resynchronise, Status, Unlock,
//! };
//! use softtoken::totp::{Secret, Totp, Verifier};
//! use softtoken::{
//!     Administrator, Authority, Environment, Events, Grant, Import, Method, OsEntropy, Policy, Preference, Record,
//!     RecoveryCodes, Rejection, State, StatusReport, UnixTime,
//! };
//!
//! # struct Row { record: Record, last: Events }
//! # impl Row {
//! #     fn apply<O: Operation>(&mut self, operation: &O, environment: &Environment<'_>) -> Result<O::Output, Rejection> {
//! #         let transition = operation.apply(self.record.clone(), environment);
//! #         if let Some(next) = transition.next { self.record = next; }
//! #         self.last = transition.events;
//! #         transition.outcome
//! #     }
//! # }
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # let now = UnixTime::from_secs(1_700_000_000);
//! let environment = Environment::new("bob", &Policy::STANDARD, now);
//! let mut bob = Row { record: Record::default(), last: Events::default() };
//!
//! // Another system's token, and recovery codes for it.
//! let secret = Secret::from_base32("JBSW Y3DP EHPK 3PXP JBSW Y3DP EE")?;
//! let fob = Verifier::new(&secret, Totp::STANDARD);
//! bob.apply(&Import::proven(Administrator, secret, Totp::STANDARD).named("key fob"), &environment)?;
//! bob.apply(&Prefer::new(Administrator, Preference::Preferred), &environment)?;
//! let codes: RecoveryCodes = bob.apply(&IssueRecoveryCodes::new(Administrator, &OsEntropy)?, &environment)?;
//! assert_eq!(codes.iter().len(), RecoveryCodes::COUNT);
//!
//! // Its clock is ten minutes ahead: two codes in a row tell by how much.
//! let ahead = Totp::STANDARD.step(now).saturating_offset(20);
//! let (code, next) = (fob.code(ahead), fob.code(ahead.saturating_offset(1)));
//! assert_eq!(bob.apply(&Authenticate::new(code.clone()), &environment), Err(Rejection::Mismatch));
//! bob.apply(&Resynchronise::new(Grant::first_factor(now), code, next), &environment)?;
//! bob.apply(&Unlock::new(Administrator), &environment)?;
//!
//! // The fob is lost: a recovery code is the second factor with which to remove it.
//! let typed = codes.iter().next().expect("ten of them").clone();
//! let evidence = bob.apply(&Recover::new(typed), &environment)?;
//! assert_eq!(evidence.method(), Method::RecoveryCode);
//! assert_eq!(bob.last.len(), 2); // RecoveryCodeUsed, SignedIn
//! let report: StatusReport = bob.apply(&Status, &environment)?;
//! assert!(report.preference.is_enabled() && report.preference.is_preferred());
//! assert_eq!(report.recovery_codes, 9);
//! let stepped_up = Authority::from(Grant::second_factor(evidence.at()));
//! bob.apply(&Disassociate::new(stepped_up), &environment)?;
//! assert_eq!(bob.apply(&Status, &environment)?.state, State::Unassociated);
//!
//! // Somebody else has the account: everything goes, and access tokens of before are void.
//! bob.apply(&Reset::new(Administrator), &environment)?;
//!
//! // A secret that nobody has proven yet waits for its first code.
//! let secret = Secret::generate(20, &OsEntropy)?;
//! bob.apply(&Import::pending(Administrator, secret, Totp::STANDARD, &OsEntropy)?, &environment)?;
//! assert!(matches!(bob.apply(&Status, &environment)?.state, State::Pending { .. }));
//! # Ok(())
//! # }
//! ```

mod administer;
mod answer;
mod authority;
mod draft;
mod enrol;
mod event;
mod evidence;
mod recover;
mod recovery;
mod rejection;
mod reseal;
mod session;
mod sign_in;
mod status;
mod throttle;

use alloc::string::String;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::time::{Step, UnixTime};
use crate::totp::{Secret, Totp, Verifier, Window};

pub use administer::{Import, Reset, Unlock};
pub use answer::AttemptKey;
pub use authority::{Administrator, Authority, Grant};
pub use draft::{Environment, Operation, Transition};
pub use enrol::{Associate, Disassociate, Enrolled, Issued, Verify};
pub use event::{Actor, Event, EventKind, Events};
pub use evidence::{Evidence, Method};
pub use recover::{IssueRecoveryCodes, Recover, Resynchronise};
pub use recovery::{RecoveryCode, RecoveryCodeError, RecoveryCodes};
pub use rejection::{Rejection, SessionFlaw};
pub use reseal::Reseal;
pub use session::{Claims, Context, ContextTooLong, Session, SessionKeys};
pub use sign_in::{Authenticate, Challenge, FinishSetup, Prefer, Preference, Respond, SignIn};
pub use status::{State, Status, StatusReport};

pub(crate) use answer::LastAnswer;
pub(crate) use evidence::Proof;
pub(crate) use recovery::RecoverySet;
pub(crate) use session::{Spent, SpentSessions};
pub(crate) use throttle::Count;

/// Everything that is kept for a subject: one record, one row, one compare-and-swap.
///
/// A subject of whom nothing is stored has the default record. [`record`](crate::record) turns it into bytes and back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub(crate) association: Association,
    /// Raised whenever what is in force changes: sessions of another generation are dead.
    pub(crate) generation: u64,
    pub(crate) throttle: Count,
    pub(crate) preference: Preference,
    pub(crate) recovery: Option<RecoverySet>,
    pub(crate) spent: SpentSessions,
    /// Grants authenticated before this are void.
    pub(crate) grants_from: Option<UnixTime>,
    pub(crate) last_answer: Option<LastAnswer>,
}

/// The three states.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Association {
    Unassociated,
    Pending(Pending),
    Verified(Verified),
}

/// A token in force, and the secret that may replace it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Verified {
    pub(crate) token: Token,
    pub(crate) replacement: Option<Pending>,
}

/// A secret that was issued and not yet proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    pub(crate) id: PendingId,
    pub(crate) secret: Secret,
    pub(crate) totp: Totp,
    pub(crate) expires: UnixTime,
    pub(crate) name: Option<String>,
}

pub(crate) type PendingId = [u8; 16];

/// A secret that a code has proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) secret: Secret,
    pub(crate) totp: Totp,
    pub(crate) since: UnixTime,
    /// The hash of the id of the grant that proved it.
    pub(crate) proved_by: Option<[u8; 16]>,
    /// The last accepted step: only a later one is ever accepted.
    pub(crate) last_step: Step,
    /// How many steps the user's clock is ahead.
    pub(crate) drift: i16,
    pub(crate) name: Option<String>,
    /// Whether it has ever stood between somebody and a sign-in.
    pub(crate) ever_enabled: bool,
    /// Whether the sign-in that set it up may still be completed by the code that proved it. A mark on the token, since
    /// neither time, nor another session for the same proof, may make that possible twice.
    pub(crate) finishes_sign_in: bool,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            association: Association::Unassociated,
            generation: 0,
            throttle: Count::NONE,
            preference: Preference::Disabled,
            recovery: None,
            spent: SpentSessions::default(),
            grants_from: None,
            last_answer: None,
        }
    }
}

impl Record {
    /// Puts a token in force, in place of whatever was. Sessions of before are dead by their generation, so those of them
    /// that were spent need no remembering.
    fn enforce(&mut self, token: Token) {
        self.association = Association::Verified(Verified {
            token,
            replacement: None,
        });
        self.spent = SpentSessions::default();
        self.advance();
    }

    /// Ends what is in force, with all that hung on it.
    fn end(&mut self) {
        self.association = Association::Unassociated;
        self.preference = Preference::Disabled;
        self.recovery = None;
        self.last_answer = None;
        self.advance();
    }

    fn advance(&mut self) {
        self.generation = self.generation.saturating_add(1);
    }

    pub(crate) fn is_verified(&self) -> bool {
        matches!(self.association, Association::Verified(_))
    }

    fn token(&self) -> Result<&Token, Rejection> {
        match &self.association {
            Association::Verified(verified) => Ok(&verified.token),
            Association::Unassociated | Association::Pending(_) => Err(Rejection::NotAssociated),
        }
    }

    /// The token, to be written by those who have found that there is one.
    fn token_mut(&mut self) -> Option<&mut Token> {
        match &mut self.association {
            Association::Verified(verified) => Some(&mut verified.token),
            Association::Unassociated | Association::Pending(_) => None,
        }
    }
}

impl Association {
    /// The secret that waits for its first code.
    fn pending(&self) -> Option<&Pending> {
        match self {
            Self::Unassociated => None,
            Self::Pending(pending) => Some(pending),
            Self::Verified(verified) => verified.replacement.as_ref(),
        }
    }
}

impl Token {
    fn verifier(&self) -> Verifier {
        Verifier::new(&self.secret, self.totp)
    }

    /// The window for this token: around the server's time, and around the user's where that is known to differ.
    fn window(&self, window: Window) -> Window {
        window.with_drift(self.drift)
    }
}

/// HMAC-SHA-256 for one purpose.
fn keyed_hash(key: &[u8], purpose: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(purpose);
    mac
}
