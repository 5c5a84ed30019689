//! Keeps a record at rest: in the clear, or sealed where there is a [`Seal`].

use alloc::sync::Arc;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{FORMAT, RecordError, decode, encode_into};
use crate::association::Record;
use crate::entropy::{Entropy, NoEntropy};
use crate::revision::Revision;
use crate::scrub;

/// Begins a sealed record's row: its first byte. No record in the clear begins so, nor with any
/// other byte from `0x80` on.
pub const SEALED: u8 = 0x81;

/// Says where a sealed record stands: under which label, for which subject, at which revision. The
/// record opens there and nowhere else.
///
/// ```
/// use softtoken::{Revision, record::Place};
///
/// let place = Place::new("user-1", Revision::FIRST).labelled(b"production/softtoken");
/// assert_eq!((place.subject(), place.revision().get()), ("user-1", 1));
/// assert_eq!(place.label(), b"production/softtoken");
/// let unlabelled = Place::new("user-1", Revision::FIRST);
/// assert_ne!(place.associated_data(), unlabelled.associated_data());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    label: &'a [u8],
    subject: &'a str,
    revision: Revision,
}

impl<'a> Place<'a> {
    /// Names the row of this subject, at this revision, under an empty label.
    #[must_use]
    pub fn new(subject: &'a str, revision: Revision) -> Self {
        Self {
            label: &[],
            subject,
            revision,
        }
    }

    /// Names the same row under this label.
    #[must_use]
    pub fn labelled(self, label: &'a [u8]) -> Self {
        Self { label, ..self }
    }

    /// Returns the label: which table, of which environment.
    #[must_use]
    pub fn label(&self) -> &'a [u8] {
        self.label
    }

    /// Returns whose record it is.
    #[must_use]
    pub fn subject(&self) -> &'a str {
        self.subject
    }

    /// Returns the revision that the row has, or will have.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Returns what a [`Seal`] has to bind in: the format, the label, the subject and the revision,
    /// each after its length, so that no two places have the same bytes.
    #[must_use]
    pub fn associated_data(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.associated_data_len());
        self.extend_with_associated_data(&mut bytes);
        bytes
    }

    pub(super) fn associated_data_len(&self) -> usize {
        let revision = self.revision.get().to_be_bytes();
        self.parts(&revision)
            .iter()
            .map(|part| 8 + part.len())
            .sum()
    }

    pub(super) fn extend_with_associated_data(&self, bytes: &mut Vec<u8>) {
        let revision = self.revision.get().to_be_bytes();
        for part in self.parts(&revision) {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(part);
        }
    }

    fn parts<'p>(&'p self, revision: &'p [u8; 8]) -> [&'p [u8]; 5] {
        let subject = self.subject.as_bytes();
        [
            b"softtoken record",
            &[SEALED],
            self.label,
            subject,
            revision,
        ]
    }
}

/// Seals records and opens them: authenticated encryption, bound to a [`Place`].
///
/// `Keyring` (feature `seal`) is one. Write another where the keys must stay elsewhere, or the
/// cipher must be one of your own choosing; hand it to [`Mfa::sealed`](crate::Mfa::sealed).
///
/// `Seal` is blocking rather than asynchronous: it is called between a load and a swap. Where the
/// keys are in a key management service, keep a data key in memory that the service has wrapped.
///
/// To be correct:
///
/// - The bytes that [`seal`](Self::seal) returns tell nothing of the record but its length, and
///   [`open`](Self::open) refuses whatever `seal` did not return for the very same place. Bind
///   [`Place::associated_data`] in.
/// - Each call of `seal` draws a nonce of its own: requests that race for a row each seal a record
///   of their own under the same revision, and the store sees them all.
/// - Sealed bytes name their key, so that keys can change.
///
/// A seal whose keys change while the server runs:
///
/// ```
/// # #[cfg(feature = "seal")]
/// # mod example {
/// use std::sync::{Arc, RwLock};
///
/// use softtoken::entropy::Entropy;
/// use softtoken::record::{Keyring, Place, RecordError, Seal, SealError, Zeroizing};
///
/// #[derive(Clone)]
/// struct Live(Arc<RwLock<Keyring>>);
///
/// impl Seal for Live {
///     fn seal(
///         &self,
///         place: Place<'_>,
///         entropy: &dyn Entropy,
///         plain: &[u8],
///     ) -> Result<Vec<u8>, SealError> {
///         let keyring = self.0.read().map_err(|_| SealError::Failed)?;
///         keyring.seal(place, entropy, plain)
///     }
///
///     fn open(
///         &self,
///         place: Place<'_>,
///         sealed: &[u8],
///     ) -> Result<Zeroizing<Vec<u8>>, RecordError> {
///         let keyring = self.0.read().map_err(|_| RecordError::SealFailed)?;
///         keyring.open(place, sealed)
///     }
///
///     fn is_current(&self, sealed: &[u8]) -> bool {
///         self.0.read().is_ok_and(|keyring| keyring.is_current(sealed))
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

    /// Opens the record that was sealed for this place.
    ///
    /// # Errors
    ///
    /// [`RecordError::DoesNotOpen`], which says no more than that; [`RecordError::UnknownKey`]
    /// where the record names a key that is not there; [`RecordError::SealFailed`] where the key
    /// cannot be reached. Nothing is judged, and nothing overwritten. Never answer a failure that
    /// will pass with one of the first two: an administrator may overwrite a record for which they
    /// are answered ([`Reset::unreadable`](crate::association::Reset::unreadable)).
    fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError>;

    /// Returns whether these bytes name the key that seals now, so that
    /// [`Rows::reseal`](crate::rows::Rows::reseal) may leave a record as it is that opens. `false`
    /// where that is not known: the record is then sealed anew.
    fn is_current(&self, sealed: &[u8]) -> bool {
        let _ = sealed;
        false
    }
}

/// Reports a record that could not be sealed. It is not stored, neither sealed nor in the clear.
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

/// Says how records stand in their rows.
#[derive(Clone)]
pub(crate) struct AtRest {
    pub(crate) seal: Option<Arc<dyn Seal>>,
    pub(crate) adopts_plain: bool,
    /// Holds the label that seals.
    label: Arc<[u8]>,
    /// Holds the labels that open as well.
    other_labels: Vec<Arc<[u8]>>,
}

impl Default for AtRest {
    fn default() -> Self {
        Self {
            seal: None,
            adopts_plain: false,
            label: Arc::from([]),
            other_labels: Vec::new(),
        }
    }
}

impl AtRest {
    /// Seals under this label from now on.
    pub(crate) fn set_label(&mut self, label: &[u8]) {
        self.label = label.into();
    }

    /// Opens under this label as well.
    pub(crate) fn also_open_label(&mut self, label: &[u8]) {
        self.other_labels.push(label.into());
    }

    /// Reads the record in a row that was found at this place.
    pub(crate) fn read(&self, place: Place<'_>, row: &[u8]) -> Result<Record, RecordError> {
        match (&self.seal, row) {
            (Some(seal), [SEALED, sealed @ ..]) => {
                let mut opened = seal.open(place.labelled(&self.label), sealed);
                for label in &self.other_labels {
                    if !matches!(opened, Err(RecordError::DoesNotOpen)) {
                        break;
                    }
                    opened = seal.open(place.labelled(label), sealed);
                }
                decode(&scrub::Bytes::from(opened?))
            }
            (Some(_), [1..=0x7f, ..]) if !self.adopts_plain => Err(RecordError::NotSealed),
            _ => decode(row),
        }
    }

    /// Returns whether writing this row again would change neither its key nor its label nor its
    /// format; `false` where that is not known.
    pub(crate) fn is_current(&self, place: Place<'_>, row: &[u8]) -> bool {
        let (Some(seal), [SEALED, sealed @ ..]) = (&self.seal, row) else {
            return false;
        };
        if !seal.is_current(sealed) {
            return false;
        }
        let opened = seal.open(place.labelled(&self.label), sealed);
        opened.is_ok_and(|plain| plain.first() == Some(&FORMAT) && decode(&plain).is_ok())
    }

    /// Writes the row for a record that is to stand at this place, with the help of a buffer that
    /// is no longer needed.
    #[inline]
    pub(crate) fn write(
        &self,
        place: Place<'_>,
        entropy: &dyn Entropy,
        record: &Record,
        buffer: scrub::Bytes,
    ) -> Result<scrub::Bytes, SealError> {
        let plain = encode_into(record, buffer);
        let Some(seal) = &self.seal else {
            return Ok(plain);
        };
        let mut row = seal.seal(place.labelled(&self.label), entropy, &plain)?;
        row.insert(0, SEALED);
        Ok(row.into())
    }
}
