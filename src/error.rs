//! What went wrong, for whom: malformed input, the answer no, and the operation's own failures.

use core::convert::Infallible;
use core::time::Duration;

use crate::association::Rejection;
use crate::entropy::NoEntropy;
use crate::record::{RecordError, SealError};

/// The operation failed; the answer is neither yes nor no.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The clock does not know the time. Nothing was judged, nothing stored.
    #[error("the time is not known")]
    NoTime,
    /// The source of randomness failed. Nothing was accepted, nothing stored.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The operation makes or takes sessions, and there are no keys to sign them with
    /// ([`Mfa::sessions`](crate::Mfa::sessions)). Nothing was read, nothing stored.
    #[error("there are no keys to sign sessions with")]
    NoSessionKeys,
    /// What the store holds does not open. Nothing was judged, nothing overwritten.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A record is to be sealed, and there is nothing to seal it with ([`Mfa::sealed`](crate::Mfa::sealed)). Nothing was read,
    /// nothing stored.
    #[error("there is nothing to seal records with")]
    NoSeal,
    /// The record could not be sealed. Nothing was accepted, nothing stored.
    #[error("the record could not be sealed")]
    SealFailed,
    /// The store does not hold what the caller knows it held
    /// ([`expect_enrolled`](crate::Request::expect_enrolled), [`at_least`](crate::Request::at_least)). Nothing was judged,
    /// nothing stored.
    #[error("the stored record is older than the caller knows it to be")]
    RolledBack,
    /// Other requests for the same subject were faster, every time. Nothing was accepted, nothing stored.
    #[error("too many requests for the same subject at the same time")]
    Contended,
    /// The record has been written 2^63 - 1 times. Nothing was stored.
    #[error("the revisions of this record are used up")]
    RevisionsExhausted,
    /// The subject is empty or has more than 256 bytes: input of the caller's that is safe to report. Nothing was read.
    #[error("a subject has 1 to 256 bytes")]
    Subject,
}

impl Fault {
    /// A stable name for logs, metrics and protocols.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoTime => "no_time",
            Self::NoEntropy(_) => "no_entropy",
            Self::NoSessionKeys => "no_session_keys",
            Self::Record(RecordError::UnknownFormat { .. }) => "record_unknown_format",
            Self::Record(RecordError::Damaged) => "record_damaged",
            Self::Record(RecordError::DoesNotOpen) => "record_does_not_open",
            Self::Record(RecordError::UnknownKey { .. }) => "record_unknown_key",
            Self::Record(RecordError::NotSealed) => "record_not_sealed",
            Self::Record(RecordError::Sealed) => "record_sealed",
            Self::NoSeal => "no_seal",
            Self::SealFailed | Self::Record(RecordError::SealFailed) => "seal_failed",
            Self::RolledBack => "rolled_back",
            Self::Contended => "contended",
            Self::RevisionsExhausted => "revisions_exhausted",
            Self::Subject => "subject",
        }
    }
}

impl From<SealError> for Fault {
    fn from(error: SealError) -> Self {
        match error {
            SealError::NoEntropy(none) => Self::NoEntropy(none),
            SealError::Failed => Self::SealFailed,
        }
    }
}

/// Why a request did not give what was asked for. Only `Ok` means yes.
///
/// `E` is the store's own error, kept whole as the source.
///
/// ```
/// use core::convert::Infallible;
/// use softtoken::{Error, Rejection};
///
/// let error: Error<Infallible> = Rejection::Mismatch.into();
/// assert_eq!(error.rejection(), Some(Rejection::Mismatch));
/// assert_eq!(error.code(), "mismatch");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error<E = Infallible> {
    /// The answer is no, and what it had to count is stored.
    #[error("{rejection}")]
    Rejected {
        /// Why.
        rejection: Rejection,
        /// In how long the next attempt will be judged, where it must wait.
        retry_after: Option<Duration>,
    },
    /// The operation failed. Nothing was accepted.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The store failed. Nothing was accepted as far as the caller is to act on it; what was being written (a spent code, a
    /// counted failure) may have been stored.
    #[error("the store failed")]
    Store(#[source] E),
}

impl<E> From<Rejection> for Error<E> {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected {
            rejection,
            retry_after: None,
        }
    }
}

impl<E> Error<E> {
    /// The rejection, where it is one.
    pub fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Rejected { rejection, .. } => Some(*rejection),
            Self::Fault(_) | Self::Store(_) => None,
        }
    }

    /// In how long the next attempt will be judged, where it must wait: for `Retry-After`. A wrong code that was one too
    /// many has it too.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected { retry_after, .. } => *retry_after,
            Self::Fault(_) | Self::Store(_) => None,
        }
    }

    /// A stable name for logs, metrics and protocols.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected { rejection, .. } => rejection.code(),
            Self::Fault(fault) => fault.code(),
            Self::Store(_) => "store",
        }
    }
}
