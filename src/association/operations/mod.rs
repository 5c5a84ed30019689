//! The rows of the state machine's table: a file for each family, a type for each operation.

mod administer;
mod enrol;
mod manage;
mod recovery_codes;
mod reseal;
mod resynchronise;
mod sign_in;
mod status;

pub use administer::{Import, Reset, Unlock};
pub use enrol::{Associate, Enrolled, Issued, Verify};
pub use manage::{Disassociate, Prefer};
pub use recovery_codes::{IssueRecoveryCodes, Recover};
pub use reseal::Reseal;
pub use resynchronise::Resynchronise;
pub use sign_in::{Authenticate, Challenge, FinishSetup, Respond, SignIn};
pub use status::{State, Status, StatusReport};
