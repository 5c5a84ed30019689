//! A record at rest: in the clear, or sealed where there is a [`Seal`].

use alloc::boxed::Box;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{RecordError, decode, encode};
use crate::association::Record;
use crate::entropy::{Entropy, NoEntropy};
use crate::revision::Revision;

/// The first byte of a sealed record's row. No record in the clear has it, nor any other from `0x80` on.
pub const SEALED: u8 = 0x81;

/// Where a sealed record stands: whose it is, and under which revision. It opens there and nowhere else.
///
/// ```
/// use softtoken::{Revision, record::Place};
///
/// let place = Place::new("alice", Revision::FIRST);
/// assert_eq!((place.subject(), place.revision().get()), ("alice", 1));
/// assert_ne!(place.associated_data(), Place::new("alic", Revision::FIRST).associated_data());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    subject: &'a str,
    revision: Revision,
}

impl<'a> Place<'a> {
    /// The row of this subject, at this revision.
    #[must_use]
    pub fn new(subject: &'a str, revision: Revision) -> Self {
        Self { subject, revision }
    }

    /// Whose record it is.
    #[must_use]
    pub fn subject(&self) -> &'a str {
        self.subject
    }

    /// The revision that the row has, or will have.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// What a [`Seal`] has to bind in: the format, the subject and the revision, each after its length, so that no two
    /// places have the same bytes.
    #[must_use]
    pub fn associated_data(&self) -> Vec<u8> {
        let revision = self.revision.get().to_be_bytes();
        let parts: [&[u8]; 4] = [
            b"softtoken record",
            &[SEALED],
            self.subject.as_bytes(),
            &revision,
        ];
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
        for part in parts {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

/// Seals records and opens them: authenticated encryption, bound to a [`Place`].
///
/// `Keyring` (feature `seal`) is one. Write another where the keys must stay elsewhere, or the cipher must be one of your own
/// choosing; hand it to [`Mfa::sealed`](crate::Mfa::sealed).
///
/// To be correct:
///
/// - What [`seal`](Self::seal) returns tells nothing of the record but its length, and [`open`](Self::open) refuses whatever
///   `seal` did not return for the very same place. Bind [`Place::associated_data`] in.
/// - Each call of `seal` draws a nonce of its own: requests that race for a row each seal a record of their own under the
///   same revision, and the store sees them all.
/// - What is sealed names its key, so that keys can change.
///
/// One whose keys change while the server runs:
///
/// ```
/// # #[cfg(feature = "seal")]
/// # mod example {
/// use std::sync::{Arc, RwLock};
///
/// use softtoken::record::{Place, RecordError, SealError, Zeroizing};
/// use softtoken::{Entropy, Keyring, Seal};
///
/// #[derive(Clone)]
/// struct Live(Arc<RwLock<Keyring>>);
///
/// impl Seal for Live {
///     fn seal(&self, place: Place<'_>, entropy: &dyn Entropy, plain: &[u8]) -> Result<Vec<u8>, SealError> {
///         let keyring = self.0.read().map_err(|_| SealError::Failed)?;
///         keyring.seal(place, entropy, plain)
///     }
///
///     fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError> {
///         let keyring = self.0.read().map_err(|_| RecordError::SealFailed)?;
///         keyring.open(place, sealed)
///     }
/// }
/// # }
/// ```
pub trait Seal: Send + Sync {
    /// Seals a record for this place.
    ///
    /// # Errors
    ///
    /// [`SealError`]. Nothing is stored, and nothing accepted.
    fn seal(
        &self,
        place: Place<'_>,
        entropy: &dyn Entropy,
        plain: &[u8],
    ) -> Result<Vec<u8>, SealError>;

    /// The record that was sealed for this place.
    ///
    /// # Errors
    ///
    /// [`RecordError::DoesNotOpen`], which says no more than that; [`RecordError::UnknownKey`] where it names a key that
    /// is not there; [`RecordError::SealFailed`] where that is not known. Nothing is judged, and nothing overwritten.
    fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError>;
}

/// A record that could not be sealed. It is not stored, neither sealed nor in the clear.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The source of randomness failed.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The key or the cipher failed.
    #[error("the record could not be sealed")]
    Failed,
}

/// How records stand in their rows.
#[derive(Default)]
pub(crate) struct AtRest {
    pub(crate) seal: Option<Box<dyn Seal>>,
    pub(crate) adopts_plain: bool,
}

impl AtRest {
    /// The record in a row that was found at this place.
    pub(crate) fn read(&self, place: Place<'_>, row: &[u8]) -> Result<Record, RecordError> {
        match (&self.seal, row) {
            (Some(seal), [SEALED, sealed @ ..]) => decode(&seal.open(place, sealed)?),
            (Some(_), [1..=0x7f, ..]) if !self.adopts_plain => Err(RecordError::NotSealed),
            _ => decode(row),
        }
    }

    /// The row for a record that is to stand at this place.
    pub(crate) fn write(
        &self,
        place: Place<'_>,
        entropy: &dyn Entropy,
        record: &Record,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let plain = encode(record);
        let Some(seal) = &self.seal else {
            return Ok(plain);
        };
        let sealed = seal.seal(place, entropy, &plain)?;
        Ok([&[SEALED][..], &sealed].concat().into())
    }
}
