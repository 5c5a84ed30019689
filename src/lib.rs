//! Runs the whole life of a user's TOTP second factor, for an auth server of your own.
//!
//! `softtoken` is neither an authenticator app nor an auth server: users, passwords, access tokens,
//! the clock and the database stay yours. It takes care of what goes wrong around a code: replay,
//! guessing, re-enrolment, races, recovery.
//!
//! # The states of a user
//!
//! ```text
//!                  associate              verify
//! +--------------+           +---------+          +----------+ --+  associate and verify
//! | Unassociated | --------> | Pending | -------> | Verified |   |  again: to add a token,
//! +--------------+           +---------+          +----------+ <-+  or to replace one
//!         ^                       |                     |
//!         +-----------------------+---------------------+
//!               disassociate, remove (the last), reset
//! ```
//!
//! The arrows are verbs of [`Mfa`]. Its page has a table, which verb for which moment, and the
//! manual a [matrix](manual::handlers#operation-authority-state), which verb from which state.
//!
//! # Three layers, each usable alone
//!
//! ```text
//! +-------------------------------------------------------------------+
//! |                          your application                         |
//! +-------------------------------------------------------------------+
//! | Mfa:  loads, decides, swaps; again, where the race was lost       |
//! +---------------------+----------------------+----------------------+
//! | store               | association          | totp                 |
//! | two methods over    | the state machine,   | a verifier in        |
//! | your database       | without I/O          | constant time        |
//! +---------------------+----------------------+----------------------+
//! ```
//!
//! - [`totp`]: a constant-time RFC 6238 verifier, secrets, codes and key URIs. It knows no state.
//! - [`association`]: the state machine. An operation is a value that is applied to a
//!   [`Record`](association::Record); it gives a new record, an outcome and events. It knows no
//!   store, no clock and no generator.
//! - [`store`]: two methods, load and compare-and-swap, over a database of yours; [`record`]
//!   encodes what is kept there.
//!
//! # How it is used
//!
//! ```
//! use softtoken::totp::Verifier;
//! use softtoken::{Challenge, Context, Grant, MemoryStore, Mfa, OsEntropy, Policy, SessionKeys};
//! # use softtoken::UnixTime;
//! # use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # static NOW: AtomicU64 = AtomicU64::new(1_700_000_000);
//! # let clock = || Some(UnixTime::from_secs(NOW.load(SeqCst)));
//! # let login_id = "d7b1";
//! let store = MemoryStore::new(); // your database, by two methods
//! let keys = SessionKeys::generate(1, &OsEntropy)?;
//! // `Mfa::system(policy)` has clock and generator built in.
//! let mfa = Mfa::new(Policy::STANDARD, clock, OsEntropy);
//! let mfa = mfa.with_sessions(keys, Context::new("web")?);
//!
//! // Enrol: the user's login, which you have checked, is the grant.
//! let grant = Grant::first_factor("user-1", mfa.now()?).with_id(login_id);
//! let issued = mfa.associate(&grant).named("phone").run_blocking(&store, "user-1")?;
//! // The user scans `issued.uri(..)` as a QR code; here the phone is simulated.
//! let phone = Verifier::new(issued.secret(), issued.totp());
//! let code = phone.code(issued.totp().step(mfa.now()?));
//! let enrolled = mfa.verify(&grant, code).run_blocking(&store, "user-1")?;
//! let grant = Grant::from(enrolled.evidence()); // keep it with the login
//!
//! // Sign in, a minute later: the password was right.
//! # NOW.fetch_add(60, SeqCst);
//! match mfa.sign_in().run_blocking(&store, "user-1")? {
//!     Challenge::SoftwareToken { session, .. } => {
//!         let code = phone.code(issued.totp().step(mfa.now()?));
//!         let evidence = mfa.respond(&session, code).run_blocking(&store, "user-1")?;
//!         assert_eq!(evidence.amr(), ["otp", "mfa"]); // issue a login for it
//!     }
//!     Challenge::NotRequired { .. } => {} // issue a login without a second factor
//!     Challenge::Setup { .. } => {}       // lead the user to the set-up
//! }
//! # Ok(())
//! # }
//! ```
//!
//! With an executor, call `run(&store, "user-1").await` in place of `run_blocking`.
//!
//! # Where to go from here
//!
//! | you want to | page |
//! |---|---|
//! | have a small server run | [`manual::ten_minutes`] |
//! | write sign-in, set-up and settings | [`manual::handlers`], beside [`Mfa`] |
//! | keep records in your database | [`manual::stores`], beside [`Store`] |
//! | know what to say on the screen | [`manual::users`] |
//! | bring users from another system | [`manual::migrations`], [`rows`] |
//! | take password and code in one field | [`manual::one_field`] |
//! | run it: keys, locked users, alerts | [`manual::operators`] |
//! | look a word up | the [glossary](manual#glossary) |
//! | know the rules and their reasons | [`design`] |
//!
//! # What you owe
//!
//! - A [`Store`] that keeps what [its page](store) asks for, shown by `store::conformance`.
//! - A [`Clock`](time::Clock) that is right, or says that it is not. It decides which codes are
//!   valid.
//! - Subjects that never change and are nobody else's afterwards: a user id, not an e-mail address.
//! - [`Grant`]s only for logins that you have checked, [`Administrator`] only for administrators,
//!   [`Vouched`] only for what you have verified.
//! - [`SessionKeys`] that all your servers share.
//! - Logins only for [`Evidence`], or for a [`Challenge::NotRequired`] that still holds [once the
//!   login is stored](manual::handlers#a-login-without-a-code).
//!
//! # Errors
//!
//! Errors are of three kinds, for three audiences. Malformed input is refused by the type that
//! reads it ([`totp::CodeError`], [`totp::UriError`], [`policy::PolicyError`], ..), before anything
//! is counted. A [`Rejection`] is the answer no. A [`Fault`], or the store's own error, is neither
//! yes nor no: nothing was accepted, and a wrong code is never among them. [`Error`] is one of
//! these; only `Ok` means yes. The manual has a [table](manual::handlers#answering) from rejection
//! to HTTP status.
//!
//! # Features
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `std` | yes | [`SystemClock`](time::SystemClock), [`MemoryStore`] |
//! | `getrandom` | yes | [`OsEntropy`] |
//! | `conformance` | | the suites that a store must pass, `store::conformance`, and a transaction of your own, `own_transaction` |
//! | `seal` | | `Keyring`, the keys that [seal records](record#sealed) at rest |
//! | `cognito` | | the operations and challenges of Amazon Cognito, as JSON 1.1 |
//! | `export` | | `Mfa::export`, which hands secrets out again |
//! | `qr` | | `KeyUri::qr_code`: key URIs as QR codes, for a page or a terminal |
//! | `serde` | | `Serialize` and `Deserialize` for policy, status and grants, `Serialize` for events |
//! | `tracing` | | every event as a `tracing` event |
//!
//! Without `std` the crate is `no_std` with `alloc`, on targets with atomic pointers.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::exhaustive_enums, clippy::exhaustive_structs)]

extern crate alloc;

// The layers, from the top: each uses only those below it, and nothing beside it.
#[cfg(feature = "cognito")]
pub mod cognito;
pub mod design;
pub mod manual;
pub mod rows;

#[cfg(feature = "conformance")]
pub mod own_transaction;

pub mod mfa;

mod drawn;

pub mod error;

pub mod record;
pub mod store;

pub mod association;

pub mod policy;

mod keys;
pub mod totp;

mod ascii;
pub mod entropy;
mod reveal;
mod revision;
mod scrub;
pub mod time;

#[doc(inline)]
pub use association::{
    Administrator, Challenge, ChallengeSession, Context, Event, Evidence, Factor, Grant,
    RecoveryCode, Rejection, SessionKeys, SignedIn, TokenId, Vouched,
};
#[cfg(feature = "getrandom")]
#[doc(inline)]
pub use entropy::OsEntropy;
#[doc(inline)]
pub use error::{Error, Fault};
#[doc(inline)]
pub use mfa::Mfa;
#[doc(inline)]
pub use policy::{Policy, Requirement};
pub use revision::Revision;
#[cfg(feature = "std")]
#[doc(inline)]
pub use store::MemoryStore;
#[doc(inline)]
pub use store::{BlockingStore, Store};
#[doc(inline)]
pub use time::UnixTime;
#[doc(inline)]
pub use totp::Code;

#[cfg(all(doctest, feature = "std", feature = "getrandom"))]
#[doc = include_str!("../README.md")]
struct Readme;
