//! What is kept for a subject.

mod last_answer;
mod record;
mod recovery;
mod spent;
mod throttle;

pub(crate) use last_answer::LastAnswer;
pub(crate) use record::{Association, Pending, Token, Verified};
pub use record::{Preference, Record};
pub(crate) use recovery::RecoverySet;
pub(crate) use spent::{Spent, SpentSessions};
pub(crate) use throttle::Count;
