//! Writes a record again as it is.

use crate::association::draft::Draft;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, Refusal};

/// Writes the record again as it is, so that it is sealed under the current key: after a rotation,
/// before the old key is retired.
///
/// Nothing in the record changes, and there is no event. The operation needs no authority. Your
/// application lists the subjects, since a [`Store`](crate::Store) does not. A subject without a
/// row is left without one.
///
/// [`Mfa::reseal`](crate::Mfa::reseal) makes a request of this operation. Its page has an example,
/// and lists the rejections.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it is made by its name")]
pub struct Reseal;

impl sealed::Sealed for Reseal {}
impl Operation for Reseal {
    type Output = ();

    const NAME: &'static str = "reseal";

    fn actor(&self) -> Actor {
        Actor::Application
    }

    fn needs_seal(&self) -> bool {
        true
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let _ = draft.change();
        Ok(())
    }
}
