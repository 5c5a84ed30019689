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

// The floors, from the top: each uses only those below it, and nothing beside it.
mod operations;

// What an operation is, and on whose word.
mod authority;
mod operation;

// The toolbox of every operation.
mod draft;

// What is kept.
mod state;

// What is shown.
mod credential;

// What comes out.
mod outcome;

// What all of them name.
mod names;

pub use authority::{Administrator, Authority, Grant};
pub use credential::{
    AttemptKey, Claims, RecoveryCode, RecoveryCodeError, RecoveryCodes, Session, SessionKeys,
};
pub use draft::Environment;
pub use names::{Context, ContextTooLong};
pub use operation::{Operation, Transition};
pub use operations::{
    Associate, Authenticate, Challenge, Disassociate, Enrolled, FinishSetup, Import,
    IssueRecoveryCodes, Issued, Prefer, Recover, Reseal, Reset, Respond, Resynchronise, SignIn,
    State, Status, StatusReport, Unlock, Verify,
};
pub use outcome::{Actor, Event, EventKind, Events, Evidence, Method, Rejection, SessionFlaw};
pub use state::{Preference, Record};

pub(crate) use outcome::Proof;
pub(crate) use state::{
    Association, Count, LastAnswer, Pending, RecoverySet, Spent, SpentSessions, Token, Verified,
};
