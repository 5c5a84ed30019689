//! Reports bytes that are no record.

/// Reports bytes that are no record. Nothing was read from them: an unreadable record is never an
/// empty one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A newer version of this crate has written the record.
    #[error("the record has format {format}, which this version does not know")]
    UnknownFormat {
        /// Holds the first byte of the row.
        format: u8,
    },
    /// No version has written these bytes.
    #[error("the record is damaged")]
    Damaged,
    /// The sealed record was changed, or stands where it was not sealed for: in another subject's
    /// row, or at another revision. Which of these is true cannot be told.
    #[error("the record does not open")]
    DoesNotOpen,
    /// The record was sealed with a key that is not there, retired or never known.
    #[error("the record is sealed with key {id}, which is not in the keyring")]
    UnknownKey {
        /// Holds the key's id, as the row has it.
        id: u32,
    },
    /// The record is in the clear, where there is a seal ([`Mfa::sealed`](crate::Mfa::sealed)).
    #[error("the record is not sealed")]
    NotSealed,
    /// The record is sealed, where there is no seal.
    #[error("the record is sealed, and there is nothing to open it with")]
    Sealed,
    /// The [`Seal`](super::Seal) failed: a key cannot be reached, or a device does not answer. That
    /// says nothing of the record.
    #[error("the record could not be opened")]
    SealFailed,
}

impl RecordError {
    /// Returns whether nothing but a reset helps: what stands there will never open. A newer
    /// version's format will, and so will a seal that failed, or one that was left out.
    pub(crate) const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Damaged | Self::DoesNotOpen | Self::UnknownKey { .. } | Self::NotSealed
        )
    }
}
