//! Holds the rows of the state machine's table: a file for each family, a type for each operation.

mod accept;
mod administer;
mod enrol;
mod export;
mod import;
mod manage;
mod recovery_codes;
mod reseal;
mod resynchronise;
mod sign_in;
mod status;

pub use administer::{Reset, Unlock};
pub use enrol::{Associate, Enrolled, Issued, Verify};
#[cfg(feature = "export")]
pub use export::Export;
pub use import::{Import, ImportError, ImportedToken};
pub use manage::{Check, Disassociate, ForgetBrowsers, Prefer, Remove, Rename, SetEnabled};
pub use recovery_codes::{IssueRecoveryCodes, IssueTemporaryCode, TemporaryCodeError};
pub use reseal::Reseal;
pub use resynchronise::Resynchronise;
pub use sign_in::{Challenge, FinishSetup, Respond, SignIn, SignInWith, SignedIn, StepUp};
pub use status::{PendingStatus, Status, StatusReport, TokenStatus};
