//! Says what became of one row.

use core::convert::Infallible;

use super::looking::Ended;
use crate::error::Error;
use crate::totp::{SecretError, TotpError, UriError};

/// Says what became of a row; in a dry run, what would.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a tool says what becomes of each kind"
)]
pub enum Verdict<E> {
    /// The row was written, for the reason named: `resealed`, `moved_in`, `moved_in_weak`.
    Changed(&'static str),
    /// There was nothing to do, for the reason named: `current` or `no_row` to reseal,
    /// `already_verified`, `verified_before` or `already_pending` to move in.
    Unchanged(&'static str),
    /// The row was refused. Nothing was written.
    Refused(Refusal),
    /// The store did not answer for this row, and the run went on: the store answered for another
    /// row after it, the table ended, or a thousand refused rows came before either. Whether the
    /// row was written is not known.
    Store(E),
}

impl<E> Verdict<E> {
    /// Returns a stable name for logs, metrics and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Changed(name) | Self::Unchanged(name) => name,
            Self::Refused(refusal) => refusal.name(),
            Self::Store(_) => "store",
        }
    }

    /// Sorts what a request answered.
    pub(super) fn of<T>(answer: Result<T, Error<Ended<E>>>, changed: &'static str) -> Self {
        let error = match answer {
            Ok(_) => return Self::Changed(changed),
            Err(Error::Store(Ended::Unchanged(why))) => return Self::Unchanged(why),
            Err(Error::Store(Ended::Store(error))) => return Self::Store(error),
            Err(Error::Malformed(malformed)) => Error::Malformed(malformed),
            Err(Error::Fault(fault)) => Error::Fault(fault),
            Err(Error::Rejected {
                rejection,
                retry_after,
            }) => Error::Rejected {
                rejection,
                retry_after,
            },
        };
        Self::Refused(Refusal::Request(error))
    }
}

/// Says why a row was refused. It holds nothing of the row, and is safe to log.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The row could not be read, or its request was refused or failed.
    #[error(transparent)]
    Request(Error<Infallible>),
    /// The row before was of the same subject. All tokens of a user belong in one row.
    #[error("the subject is listed twice")]
    ListedTwice,
    /// The key URI of an old token and what is said beside the URI are of two opinions.
    #[error("the key URI and the columns beside it differ")]
    ParametersDiffer,
}

impl Refusal {
    /// Returns a stable name for logs, metrics and reports: that of the
    /// [error](crate::Error::name), or `listed_twice` or `parameters_differ`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Request(error) => error.name(),
            Self::ListedTwice => "listed_twice",
            Self::ParametersDiffer => "parameters_differ",
        }
    }
}

macro_rules! refusals {
    ($($error:ty),*) => {
        $(impl From<$error> for Refusal {
            fn from(error: $error) -> Self {
                Self::Request(error.into())
            }
        })*
    };
}

refusals!(crate::error::Fault, SecretError, TotpError, UriError);
