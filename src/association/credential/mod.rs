//! What is shown to prove something, and what is compared with it.

mod attempt;
mod mac;
mod recovery_code;
mod session;

pub use attempt::AttemptKey;
pub(crate) use attempt::{Attempt, Repeatable};
pub(crate) use mac::keyed_hash;
pub use recovery_code::{RecoveryCode, RecoveryCodeError, RecoveryCodes};
pub use session::{Claims, Session, SessionKeys};
pub(crate) use session::{Draw, Purpose, PurposeKind};
