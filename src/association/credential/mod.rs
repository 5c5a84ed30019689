//! Holds the credentials: what is shown to prove something, and what it is compared with.

mod attempt;
mod browser;
mod factor;
mod mac;
mod recovery_code;
mod session;
mod signed;

pub use attempt::AttemptKey;
pub(crate) use attempt::{Attempt, Repeatable};
pub(crate) use browser::BrowserText;
pub use browser::{BrowserKeys, BrowserToken};
pub(crate) use factor::VouchedFor;
pub use factor::{Factor, FactorError, Vouched};
pub(crate) use mac::{half, keyed_hash};
pub use recovery_code::{RecoveryCode, RecoveryCodeError, RecoveryCodes};
pub use session::{ChallengeSession, SessionKeys};
pub(crate) use session::{Claims, Draw, Purpose, PurposeKind};
