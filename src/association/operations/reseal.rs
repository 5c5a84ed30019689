//! A record written again as it is.

use crate::association::draft::Draft;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, Refusal};

/// Writes the record again as it is, so that it is sealed under the current key: for each subject in turn after a rotation,
/// before the old key is retired.
///
/// Nothing in it changes, and there is no event. It needs no authority. A subject without a row is left without one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reseal;

impl sealed::Sealed for Reseal {}
impl Operation for Reseal {
    type Output = ();

    fn actor(&self) -> Actor {
        Actor::Embedder
    }

    fn needs_seal(&self) -> bool {
        true
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<(), Refusal> {
        let _ = draft.change();
        Ok(())
    }
}
