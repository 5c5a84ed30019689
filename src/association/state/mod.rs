//! Holds what is kept for a subject.

mod last_answer;
mod record;
mod recovery;
mod spent;
mod throttle;

pub(crate) use last_answer::LastAnswer;
pub(crate) use record::{FactorsFrom, Pending, Token};
pub use record::{Preference, Record, State};
pub(crate) use recovery::{Found, Recovery, RecoverySet, TemporaryCode};
pub(crate) use spent::{Spent, SpentSessions};
pub(crate) use throttle::Count;
