//! The whole life of a user's TOTP second factor, for an auth server of your own.
//!
//! It is not an authenticator app and not an auth server: users, passwords, access tokens, the clock and the database
//! stay yours. What it does is what goes wrong around a code: replay, throttling, re-enrolment, races, recovery.
//!
//! # Three layers, each usable alone
//!
//! - [`totp`]: a constant-time RFC 6238 verifier, secrets, codes and key URIs. It knows no state.
//! - [`association`]: the state machine, Unassociated -> Pending -> Verified. An operation is a value that is applied to a
//!   [`Record`]; it gives a new record, an outcome and events. It knows no store, no clock and no generator.
//! - [`store`]: two methods, load and compare-and-swap, over a database of yours; [`record`] is what is kept there.
//!
//! [`Mfa`] ties them together: load, decide, swap, and again where the race was lost.
//!
//! # How it is used
//!
//! ```
//! use softtoken::totp::Verifier;
//! use softtoken::{Challenge, Context, Grant, MemoryStore, Mfa, OsEntropy, Policy, SessionKeys, UnixTime};
//! # use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # static NOW: AtomicU64 = AtomicU64::new(1_700_000_000);
//! # let clock = || Some(UnixTime::from_secs(NOW.load(SeqCst)));
//! # let now = || UnixTime::from_secs(NOW.load(SeqCst));
//! # let jti = "d7b1";
//! let store = MemoryStore::new(); // your database, by two methods
//! let keys = SessionKeys::generate(1, &OsEntropy)?;
//! let mfa = Mfa::new(Policy::STANDARD, clock, OsEntropy).sessions(keys); // Mfa::system(policy) has both built in
//!
//! // Enrol: the user's access token, which you have checked, is the grant.
//! let grant = Grant::first_factor(now()).id(jti);
//! let issued = mfa.associate(grant.clone()).run_blocking(&store, "user-1")?;
//! let phone = Verifier::new(issued.secret(), issued.totp()); // in truth by issued.uri(..) as a QR code
//! let code = phone.code(issued.totp().step(now()));
//! let enrolled = mfa.verify(grant, code).named("phone").run_blocking(&store, "user-1")?;
//!
//! // Sign in, a minute later: the password was right.
//! # NOW.fetch_add(60, SeqCst);
//! match mfa.sign_in(Context::new("web")?).run_blocking(&store, "user-1")? {
//!     Challenge::SoftwareToken { session, .. } => {
//!         let code = phone.code(issued.totp().step(now()));
//!         let evidence = mfa.respond(&session, code).run_blocking(&store, "user-1")?;
//!         assert_eq!(evidence.amr(), ["otp", "mfa"]); // issue tokens for it
//!     }
//!     Challenge::Setup { session } => unreachable!("a token is verified"),
//!     Challenge::NotRequired => unreachable!("and enabled"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! With an executor, `run(&store, "user-1").await` in place of `run_blocking`.
//!
//! # What you owe
//!
//! - A [`Store`] that keeps what [its page](store) asks for, shown by `store::conformance`; the [manual] says how to write one.
//! - A [`Clock`] that is right, or says that it is not. It decides which codes are valid.
//! - Subjects that never change and are nobody else's afterwards: a user id, not an e-mail address.
//! - [`Grant`]s only for access tokens that you have checked, [`Administrator`] only for administrators.
//! - Sessions taken back from a client with the context they must have been made in ([`Session::expecting`]).
//! - Tokens only for [`Evidence`], or for a [`Challenge::NotRequired`].
//!
//! # Errors
//!
//! Three kinds, for three audiences. What a user typed or an embedder passed is refused by the type that reads it
//! ([`totp::CodeError`], [`RecoveryCodeError`], [`totp::UriError`], [`PolicyError`], ...), before anything is counted. A [`Rejection`] is the
//! answer no. A [`Fault`], or the store's own error, is neither yes nor no: nothing was accepted, and a wrong code is never among
//! them. [`Error`] is one of these three; only `Ok` means yes.
//!
//! # Features
//!
//! `std` (default): [`SystemClock`], [`MemoryStore`]. `getrandom` (default): [`OsEntropy`]. `conformance`: the suite that a store must
//! pass. `seal`: `Keyring`, the keys that [seal records](record#sealed) at rest. `cognito`: the operations and challenges of Amazon Cognito,
//! as JSON 1.1. `serde`: for policy and status types. `tracing`: events for a subscriber. Without `std` the crate is `no_std` with `alloc`.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

// The layers, from the top: each uses only those below it, and nothing beside it.
#[cfg(feature = "cognito")]
pub mod cognito;
pub mod manual;

mod mfa;

mod error;

pub mod record;
pub mod store;

pub mod association;

mod policy;

mod keys;
pub mod totp;

mod entropy;
mod revision;
mod time;

pub use association::{
    Actor, Administrator, AttemptKey, Authority, Challenge, Claims, Context, ContextTooLong,
    Enrolled, Environment, Event, EventKind, Events, Evidence, Grant, Import, Issued, Method,
    Preference, Record, RecoveryCode, RecoveryCodeError, RecoveryCodes, Rejection, Session,
    SessionFlaw, SessionKeys, State, StatusReport,
};
#[cfg(feature = "getrandom")]
pub use entropy::OsEntropy;
pub use entropy::{Entropy, NoEntropy};
pub use error::{Error, Fault};
pub use mfa::{Decision, Mfa, Request};
pub use policy::{Policy, PolicyBuilder, PolicyError, Requirement, Throttle};
#[cfg(feature = "seal")]
pub use record::Keyring;
pub use record::Seal;
pub use revision::Revision;
#[cfg(feature = "std")]
pub use store::MemoryStore;
pub use store::{BlockingStore, Snapshot, Store, Swap, Write};
#[cfg(feature = "std")]
pub use time::SystemClock;
pub use time::{Clock, Step, UnixTime};
pub use totp::Code;

#[cfg(all(doctest, feature = "std", feature = "getrandom"))]
#[doc = include_str!("../README.md")]
struct Readme;
