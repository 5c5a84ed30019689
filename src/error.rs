//! Reports what went wrong: malformed input, the answer no, and the operation's own failures.

use core::convert::Infallible;
use core::time::Duration;

use crate::association::{
    ContextError, FactorError, GrantError, ImportError, RecoveryCodeError, Rejection,
    TemporaryCodeError, TokenIdError,
};
use crate::entropy::NoEntropy;
use crate::policy::PolicyError;
use crate::record::{RecordError, SealError};
use crate::totp::{CodeError, SecretError, TotpError, UriError};

/// Reports that the operation failed; the answer is neither yes nor no.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The clock does not know the time. Nothing was judged, nothing stored.
    #[error("the time is not known")]
    NoTime,
    /// The source of randomness failed. Nothing was accepted, nothing stored.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The operation makes or takes challenge sessions, and the `Mfa` has no keys to sign them with
    /// ([`Mfa::with_sessions`](crate::Mfa::with_sessions)). Nothing was read, nothing stored.
    #[error("there are no keys to sign challenge sessions with")]
    NoSessionKeys,
    /// The record that the store holds does not open. Nothing was judged, nothing overwritten.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A record is to be sealed, and the `Mfa` has no seal ([`Mfa::sealed`](crate::Mfa::sealed)).
    /// Nothing was read, nothing stored.
    #[error("there is nothing to seal records with")]
    NoSeal,
    /// The record could not be sealed. Nothing was accepted, nothing stored.
    #[error("the record could not be sealed")]
    SealFailed,
    /// The store does not hold what the caller knows it held
    /// ([`expect_enrolled`](crate::mfa::Request::expect_enrolled),
    /// [`at_least`](crate::mfa::Request::at_least)). Nothing was judged, nothing stored.
    #[error("the stored record is older than the caller knows it to be")]
    RolledBack,
    /// The row opens, and has another revision than the one that a reset of an unreadable record
    /// stated: another request has written since. Nothing was stored.
    #[error("the stored record has another revision than was stated")]
    OtherRevision,
    /// Other requests for the same subject were faster, every time. Nothing was accepted, nothing
    /// stored.
    #[error("too many requests for the same subject at the same time")]
    Contended,
    /// The record has been written 2^63 - 1 times. Nothing was stored.
    #[error("the revisions of this record are used up")]
    RevisionsExhausted,
    /// The subject is empty or has more than 256 bytes: input that is safe to report. Nothing was
    /// read.
    #[error("a subject has 1 to 256 bytes")]
    Subject,
    /// The request has drawn a secret, codes or the ids of tokens, and was used for another subject
    /// before. Nothing was read: make a request for each subject.
    #[error("what this request has drawn is another subject's")]
    OtherSubject,
    /// The request has drawn a secret, codes or the ids of tokens, and has issued them: they may be
    /// spent by now. Nothing was read: make a request for each issue.
    #[error("what this request has drawn was issued already")]
    AlreadyIssued,
    /// The list of tokens to import cannot be imported as it stands. Nothing was read.
    #[error(transparent)]
    Import(ImportError),
    /// The lifetime of a temporary code is out of its range. Nothing was read.
    #[error("a temporary code lives 1 minute to 7 days")]
    TemporaryCodeLifetime,
}

impl Fault {
    /// Returns a stable name for logs, metrics and protocols.
    #[must_use]
    pub const fn name(&self) -> &'static str {
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
            Self::OtherRevision => "other_revision",
            Self::Contended => "contended",
            Self::RevisionsExhausted => "revisions_exhausted",
            Self::Subject => "subject",
            Self::OtherSubject => "other_subject",
            Self::AlreadyIssued => "already_issued",
            Self::Import(_) => "import",
            Self::TemporaryCodeLifetime => "temporary_code_lifetime",
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

impl From<ImportError> for Fault {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::NoEntropy(none) => Self::NoEntropy(none),
            error => Self::Import(error),
        }
    }
}

impl From<TemporaryCodeError> for Fault {
    fn from(error: TemporaryCodeError) -> Self {
        match error {
            TemporaryCodeError::NoEntropy(none) => Self::NoEntropy(none),
            TemporaryCodeError::Lifetime => Self::TemporaryCodeLifetime,
        }
    }
}

/// Reports input that was refused by the type that reads it, before anything was looked up or
/// counted. It is safe to show, and holds nothing of the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The text is no code.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The text is no recovery code.
    #[error(transparent)]
    RecoveryCode(#[from] RecoveryCodeError),
    /// The text is neither a code nor a recovery code.
    #[error(transparent)]
    Factor(#[from] FactorError),
    /// The text or the bytes are no secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The value is no parameter of a token.
    #[error(transparent)]
    Totp(#[from] TotpError),
    /// The text is no key URI, or cannot stand in one.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// The bytes are no context.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The bytes are no grant of the subject's.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The text is no token's id.
    #[error(transparent)]
    TokenId(#[from] TokenIdError),
    /// The policy contradicts itself, or the policy of the store's other views.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl Malformed {
    /// Returns a stable name for logs, metrics and protocols.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Code(_) => "malformed_code",
            Self::RecoveryCode(_) => "malformed_recovery_code",
            Self::Factor(_) => "malformed_factor",
            Self::Secret(_) => "malformed_secret",
            Self::Totp(_) => "malformed_totp",
            Self::Uri(_) => "malformed_uri",
            Self::Context(_) => "malformed_context",
            Self::Grant(_) => "malformed_grant",
            Self::TokenId(_) => "malformed_token_id",
            Self::Policy(_) => "malformed_policy",
        }
    }
}

/// Reports why a text is no challenge session ([`Mfa::open`](crate::Mfa::open)). No store was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// None of the keys has signed the text, or it has expired: the error does not tell which. It
    /// becomes [`Rejection::InvalidSession`].
    #[error("the session is not valid")]
    Invalid,
    /// There are no keys to open the text with.
    #[error("there are no keys to sign challenge sessions with")]
    NoSessionKeys,
    /// The clock does not know the time.
    #[error("the time is not known")]
    NoTime,
}

/// Reports why a request did not give what was asked for. Only `Ok` means yes.
///
/// `E` is the store's own error, kept whole as the source. Everything that this crate refuses
/// without reading a store converts into an `Error<E>`, so `?` takes it along.
///
/// ```
/// use core::convert::Infallible;
/// use softtoken::{Error, Rejection};
///
/// let error: Error<Infallible> = Rejection::Mismatch.into();
/// assert_eq!(error.rejection(), Some(Rejection::Mismatch));
/// assert_eq!(error.name(), "mismatch");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a handler says what becomes of each kind"
)]
pub enum Error<E = Infallible> {
    /// The input was refused before anything was read or counted.
    #[error(transparent)]
    Malformed(Malformed),
    /// The answer is no, and what it had to count is stored.
    #[error("{rejection}")]
    Rejected {
        /// Says why.
        rejection: Rejection,
        /// Says in how long the next attempt will be judged, where it must wait.
        retry_after: Option<Duration>,
    },
    /// The operation failed. Nothing was accepted.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The store failed. Nothing was accepted as far as the caller is to act on it; what was being
    /// written (a spent code, a counted failure) may have been stored.
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

impl<E> From<OpenError> for Error<E> {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Invalid => Rejection::InvalidSession.into(),
            OpenError::NoSessionKeys => Fault::NoSessionKeys.into(),
            OpenError::NoTime => Fault::NoTime.into(),
        }
    }
}

macro_rules! malformed {
    ($($error:ty),*) => {
        $(impl<E> From<$error> for Error<E> {
            fn from(error: $error) -> Self {
                Self::Malformed(error.into())
            }
        })*
    };
}

malformed!(
    Malformed,
    CodeError,
    RecoveryCodeError,
    FactorError,
    SecretError,
    TotpError,
    UriError,
    ContextError,
    GrantError,
    TokenIdError,
    PolicyError
);

impl<E> From<NoEntropy> for Error<E> {
    fn from(error: NoEntropy) -> Self {
        Fault::from(error).into()
    }
}

impl<E> Error<E> {
    /// Returns the rejection, where it is one.
    pub fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Rejected { rejection, .. } => Some(*rejection),
            Self::Malformed(_) | Self::Fault(_) | Self::Store(_) => None,
        }
    }

    /// Returns in how long the next attempt will be judged, where it must wait: for `Retry-After`.
    /// A wrong code that was one too many has it too.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected { retry_after, .. } => *retry_after,
            Self::Malformed(_) | Self::Fault(_) | Self::Store(_) => None,
        }
    }

    /// Returns a stable name for logs, metrics and protocols.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Malformed(malformed) => malformed.name(),
            Self::Rejected { rejection, .. } => rejection.name(),
            Self::Fault(fault) => fault.name(),
            Self::Store(_) => "store",
        }
    }
}
