//! Holds what comes out of an operation: the answer no, the proof that a factor was accepted, what
//! happened.

mod event;
mod evidence;
mod rejection;

pub use event::{Actor, Event, EventKind, Events, NamedToken};
pub use evidence::{Evidence, Method};
pub(crate) use evidence::{Proof, Proven};
pub(crate) use rejection::Refusal;
pub use rejection::{Rejection, SessionFlaw};
