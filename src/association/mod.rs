//! Decides what becomes of a subject's software tokens: the state machine Unassociated -> Pending
//! -> Verified.
//!
//! The module is pure: it has no store, no clock and no generator. Every [`Operation`] is a value
//! that is applied to a [`Record`] in an [`Environment`], and answers with a [`Transition`]: the
//! record to store, the outcome, the events. [`Mfa`](crate::Mfa) does the loading and storing; to
//! do it differently, drive this module alone.
//!
//! # The machine by itself
//!
//! Your application keeps what each operation decides:
//!
//! ```
//! use core::time::Duration;
//! use softtoken::association::{
//!     Associate, Environment, EventKind, FinishSetup, Operation, Record, Respond, SessionFlaw,
//!     SignIn, SignInWith, State, Status, Transition, Verify,
//! };
//! use softtoken::totp::Verifier;
//! use softtoken::{Challenge, Context, Event, Grant, OsEntropy, Policy, Rejection, SessionKeys};
//! use softtoken::UnixTime;
//!
//! #[derive(Default)]
//! struct Row {
//!     record: Record,
//!     log: Vec<Event>,
//! }
//!
//! impl Row {
//!     fn apply<O: Operation>(
//!         &mut self,
//!         operation: &O,
//!         environment: &Environment<'_>,
//!     ) -> Result<O::Output, Rejection> {
//!         let transition = operation.apply(self.record.clone(), environment);
//!         let Transition { next, outcome, events } = transition;
//!         if let Some(next) = next {
//!             self.record = next; // a rejection's too, or guessing is free
//!         }
//!         self.log.extend(events.iter().cloned());
//!         outcome
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! let policy = Policy::STANDARD;
//! let (keys, context) = (SessionKeys::generate(1, &OsEntropy)?, Context::new("web")?);
//! let now = UnixTime::from_secs(1_700_000_000);
//! let environment = Environment::new("alice", &policy, now);
//! let mut alice = Row::default();
//!
//! // Enrol.
//! let grant = Grant::first_factor("alice", now);
//! let issued = alice.apply(&Associate::new(&grant, &policy, &OsEntropy)?, &environment)?;
//! let phone = Verifier::new(issued.secret(), issued.totp());
//! let code = phone.code(issued.totp().step(now));
//! let verify = Verify::new(&grant, code, &OsEntropy)?.named("phone");
//! let enrolled = alice.apply(&verify, &environment)?;
//! assert_eq!(enrolled.evidence().subject(), "alice");
//! assert_eq!(alice.apply(&Status, &environment)?.state, State::Verified);
//!
//! // Sign in, a minute later.
//! let now = now.saturating_add(Duration::from_secs(60));
//! let environment = Environment::new("alice", &policy, now).with_sessions(&keys, &context);
//! let challenge = alice.apply(&SignIn::new(&OsEntropy)?, &environment)?;
//! let Challenge::SoftwareToken { session, names, .. } = challenge else {
//!     panic!("a token is verified and enabled");
//! };
//! assert_eq!(names, ["phone"]);
//! let code = phone.code(issued.totp().step(now));
//! let evidence = alice.apply(&Respond::new(&session, code.clone()), &environment)?;
//! assert_eq!(evidence.at(), now);
//!
//! // No other verb takes the same code again.
//! let again = alice.apply(&SignInWith::new(Some(code.into())), &environment);
//! assert_eq!(again.unwrap_err(), Rejection::Reused);
//!
//! let told: Vec<_> = alice.log.iter().map(Event::name).collect();
//! assert_eq!(told, ["associated", "verified", "signed_in", "reused_code"]);
//!
//! // The event says what the caller is not told.
//! let refused = alice.apply(&FinishSetup::new(&session), &environment);
//! assert_eq!(refused.unwrap_err(), Rejection::InvalidSession);
//! let (rejection, flaw) = (Rejection::InvalidSession, Some(SessionFlaw::OtherPurpose));
//! assert_eq!(alice.log[4].kind, EventKind::Refused { rejection, flaw });
//! # Ok(())
//! # }
//! ```
//!
//! # Floors
//!
//! The files of this module stand on floors, each using only those below it: operations (a file a
//! family, a type each) on what an operation is and on whose authority, on the draft (the toolbox
//! of every operation, with the one judgement of codes), on what is kept, on what is shown, on what
//! comes out, on the names that all of them use.

// The floors, from the top: each uses only those below it.
mod operations;
// What an operation is.
mod operation;
// On whose authority.
mod authority;
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

pub use authority::{Administrator, Authority, Grant, GrantError};
pub use credential::{
    AttemptKey, BrowserKeys, BrowserToken, ChallengeSession, Factor, FactorError, RecoveryCode,
    RecoveryCodeError, RecoveryCodes, SessionKeys, Vouched,
};
pub use draft::Environment;
pub use names::{Context, ContextError, TokenId, TokenIdError};
pub use operation::{Operation, Transition};
#[cfg(feature = "export")]
pub use operations::Export;
pub use operations::{
    Associate, Challenge, Check, Disassociate, Enrolled, FinishSetup, ForgetBrowsers, Import,
    ImportError, ImportedToken, IssueRecoveryCodes, IssueTemporaryCode, Issued, PendingStatus,
    Prefer, Remove, Rename, Reseal, Reset, Respond, Resynchronise, SetEnabled, SignIn, SignInWith,
    SignedIn, Status, StatusReport, StepUp, TemporaryCodeError, TokenStatus, Unlock, Verify,
};
pub use outcome::{
    Actor, Event, EventKind, Events, Evidence, Method, NamedToken, Rejection, SessionFlaw,
};
pub use state::{Preference, Record, State};

pub(crate) use outcome::Proof;
pub(crate) use state::{
    Count, FactorsFrom, LastAnswer, Pending, Recovery, RecoverySet, Spent, SpentSessions,
    TemporaryCode, Token,
};
