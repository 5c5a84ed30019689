//! Seals every record under the current key and label.

use super::run::sealed::Sealed;
use super::{Refusal, Rows, Work};
use crate::association::Reseal;
use crate::mfa::{Mfa, Request};
use crate::store::Snapshot;

use alloc::string::String;

/// Seals each record anew that is not under the current key and label: [`Rows::reseal`].
#[derive(Clone, Debug)]
pub struct Sealing {
    mfa: Mfa,
}

impl Rows<Sealing> {
    /// Seals the records of all subjects that are listed under the current key and label: after a
    /// key was rotated and before the old one is retired, after a label was changed, and where
    /// [plain records are adopted](Mfa::adopting_plain_records).
    ///
    /// A record that is under the current key and label already is `current` and is left as it is,
    /// where the seal can tell ([`Seal::is_current`](crate::record::Seal::is_current)); a subject
    /// without a row is `no_row`. A record that does not open is refused by the name of its
    /// [fault](crate::Fault::Record), and is left as it is. A run after which every row is
    /// unchanged shows that the old key may be retired.
    pub fn reseal(mfa: &Mfa) -> Self {
        Self::of(Sealing { mfa: mfa.clone() })
    }
}

impl Sealed for Sealing {}

impl Work for Sealing {
    type Row = String;
    type Operation = Reseal;

    fn subject(row: &String) -> &str {
        row
    }

    fn request(&self, _row: &String) -> Result<(Request<Reseal>, &'static str), Refusal> {
        Ok((self.mfa.reseal(), "resealed"))
    }

    fn unchanged(&self, subject: &String, found: Option<&Snapshot>) -> Option<&'static str> {
        match found {
            None => Some("no_row"),
            Some(row) => self.mfa.is_sealed_anew(subject, row).then_some("current"),
        }
    }

    fn forgives(_refusal: &Refusal) -> Option<&'static str> {
        None
    }
}
