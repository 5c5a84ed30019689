//! Moves a subject out: its secrets, for another system.
#![cfg(feature = "export")]

use alloc::vec::Vec;

use super::import::ImportedToken;
use crate::association::authority::Administrator;
use crate::association::draft::Draft;
use crate::association::operation::{Operation, sealed};
use crate::association::outcome::{Actor, EventKind, Refusal};

/// Hands out the secrets of all tokens in force, by an administrator, as the list that
/// [`Import`](super::Import) takes.
///
/// The record keeps the time of the export, stored with its event before a secret leaves. From then
/// on another system may hold the secrets.
///
/// [`Mfa::export`](crate::Mfa::export) makes a request of this operation. Its page has an example,
/// and lists the rejections.
#[derive(Clone, Debug)]
pub struct Export {
    by: Administrator,
}

impl Export {
    /// Exports by an administrator.
    #[must_use]
    pub fn new(by: &Administrator) -> Self {
        Self { by: by.clone() }
    }
}

impl sealed::Sealed for Export {}
impl Operation for Export {
    type Output = Vec<ImportedToken>;

    const NAME: &'static str = "export";

    fn actor(&self) -> Actor {
        self.by.actor()
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Vec<ImportedToken>, Refusal> {
        draft.record().verified()?;
        let now = draft.now();
        draft.change().exported = Some(now);
        draft.event(EventKind::Exported);
        Ok(draft
            .record()
            .tokens
            .iter()
            .map(ImportedToken::of)
            .collect())
    }
}
