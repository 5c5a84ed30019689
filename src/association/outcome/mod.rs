//! What comes out of an operation: the answer no, the proof that a code was accepted, what happened.

mod event;
mod evidence;
mod rejection;

pub use event::{Actor, Event, EventKind, Events};
pub(crate) use evidence::Proof;
pub use evidence::{Evidence, Method};
pub(crate) use rejection::Refusal;
pub use rejection::{Rejection, SessionFlaw};
