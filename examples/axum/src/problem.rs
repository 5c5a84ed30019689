//! Says what went wrong: to the user what to do next, to the log the rest.

use core::error::Error as StdError;
use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use softtoken::error::{Malformed, OpenError};
use softtoken::policy::PolicyError;
use softtoken::totp::{CodeError, UriError};
use softtoken::{Error, Fault, Rejection};
use softtoken_sqlx::SqlxStoreError;

use crate::page::{Frame, ProblemPage, page};

/// Says why there is no page.
#[derive(Debug)]
pub enum Problem {
    /// The second factor was refused, or could not be judged.
    Refused(Error<SqlxStoreError>),
    /// What was typed cannot be taken, for this reason.
    Said(Cow<'static, str>),
    /// There is no such page, user or authenticator.
    NotFound,
    /// The page is not for this user.
    Forbidden,
    /// The server failed.
    Broken(Box<dyn StdError + Send + Sync>),
}

/// Holds what the user reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Advice {
    /// Goes with the page.
    pub(crate) status: StatusCode,
    /// Says what to do next.
    pub(crate) sentence: Cow<'static, str>,
    /// Says in how many seconds the next attempt will be judged.
    pub(crate) wait: Option<u64>,
}

impl Problem {
    /// Creates a problem that the user can mend.
    #[must_use]
    pub(crate) fn said(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self::Said(sentence.into())
    }

    /// Creates a problem of the server's.
    #[must_use]
    pub(crate) fn broken(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Broken(error.into())
    }

    /// Returns the rejection, where the second factor was refused.
    #[must_use]
    pub(crate) fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Refused(error) => error.rejection(),
            _ => None,
        }
    }

    /// Returns the advice for a form to show, where the user can do something about it; else the
    /// problem, for a page of its own.
    ///
    /// # Errors
    ///
    /// The problem itself.
    pub(crate) fn advice(self) -> Result<Advice, Self> {
        match self {
            Self::Refused(ref error) if matches!(error, Error::Fault(_) | Error::Store(_)) => {
                Err(self)
            }
            Self::Refused(error) => Ok(Advice {
                status: status(&error),
                wait: error.retry_after().map(|wait| wait.as_secs()),
                sentence: sentence(&error).into(),
            }),
            Self::Said(sentence) => Ok(Advice {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                sentence,
                wait: None,
            }),
            Self::NotFound | Self::Forbidden | Self::Broken(_) => Err(self),
        }
    }
}

fn status(error: &Error<SqlxStoreError>) -> StatusCode {
    match error.rejection() {
        None | Some(Rejection::CodeLength { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(Rejection::Throttled { .. }) => StatusCode::TOO_MANY_REQUESTS,
        Some(Rejection::Expired) => StatusCode::GONE,
        Some(Rejection::NoSuchToken) => StatusCode::NOT_FOUND,
        Some(Rejection::NotAssociated | Rejection::AlreadyVerified | Rejection::TooManyTokens) => {
            StatusCode::CONFLICT
        }
        Some(Rejection::ClockBehind) => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) => StatusCode::FORBIDDEN,
    }
}

fn sentence(error: &Error<SqlxStoreError>) -> &'static str {
    match error.rejection() {
        Some(Rejection::Mismatch) if error.retry_after().is_some() => {
            "That code is not right, and it was not the first one. Wait, then type the code that \
             the app shows."
        }
        Some(Rejection::Mismatch) => {
            "That code is not right. Type the one that your app shows now. If no code fits, see \
             that the phone sets its time automatically."
        }
        Some(Rejection::Reused) => {
            "That code was used already. Wait until your app shows the next one, and type that."
        }
        Some(Rejection::Throttled { .. }) => {
            "There were too many wrong codes. Wait, then type the code that your app shows."
        }
        Some(Rejection::CodeLength { .. }) => "Type all 6 digits that your app shows.",
        Some(Rejection::Locked) => {
            "Codes are locked after too many wrong ones. Use a recovery code, or ask an \
             administrator to unlock them."
        }
        Some(Rejection::RecoveryLocked) => {
            "Recovery codes are locked. Use the code from your app, or ask an administrator."
        }
        Some(Rejection::Expired) => {
            "This QR code is no longer good. Show a new one, and scan that."
        }
        Some(Rejection::NotAssociated | Rejection::NoSuchToken) => {
            "This authenticator is not set up any more. Go back to your account and look again."
        }
        Some(Rejection::AlreadyVerified) => "Your authenticator is set up already.",
        Some(Rejection::TooManyTokens) => {
            "You have as many authenticators as you may. Remove or replace one first."
        }
        Some(Rejection::MfaRequired) => {
            "A second factor is required here. You can replace an authenticator, but not turn the \
             last one off."
        }
        Some(Rejection::SecondFactorRequired | Rejection::ReauthenticationRequired) => {
            "Confirm that it is you, then try again."
        }
        Some(Rejection::InvalidSession | Rejection::NotAuthorized) => {
            "That took too long. Sign in again."
        }
        Some(Rejection::ClockBehind) => {
            "The clock of this server is wrong. Try again later, or tell an administrator."
        }
        Some(_) => "That is not possible. Go back to your account and look again.",
        None => "Type the 6 digits from your app, or a recovery code of 25 characters.",
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, sentence) = match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "There is no such page",
                "The link may be old. Go to your account, and look for it there.".into(),
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "This page is for administrators",
                "Ask an administrator for what you need.".into(),
            ),
            Self::Broken(error) => broken(&*error),
            Self::Refused(Error::Store(error)) => broken(&error),
            Self::Refused(Error::Fault(error)) => broken(&error),
            Self::Refused(error) => (
                status(&error),
                "That did not work",
                Cow::from(sentence(&error)),
            ),
            Self::Said(sentence) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "That did not work",
                sentence,
            ),
        };
        let shown = ProblemPage {
            frame: Frame::default(),
            title,
            sentence: &sentence,
        };
        page(&shown).map_or_else(
            |_| status.into_response(),
            |page| (status, page).into_response(),
        )
    }
}

/// Logs what the user need not know.
fn broken(error: &(dyn StdError + 'static)) -> (StatusCode, &'static str, Cow<'static, str>) {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        told = format!("{told}: {error}");
        source = error.source();
    }
    tracing::error!("{told}");
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something went wrong on our side",
        "Nothing was accepted or changed. Try again in a minute.".into(),
    )
}

/// Returns how long to wait, as a header.
#[must_use]
pub(crate) fn retry_after(wait: Option<u64>) -> Option<[(header::HeaderName, HeaderValue); 1]> {
    wait.map(|seconds| [(header::RETRY_AFTER, seconds.into())])
}

/// Takes what the crate refuses, by `?`.
macro_rules! refused {
    ($($error:ty),*) => {
        $(impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                Self::Refused(error.into())
            }
        })*
    };
}
refused!(
    CodeError,
    Fault,
    Malformed,
    OpenError,
    PolicyError,
    UriError,
    softtoken::association::ContextError,
    softtoken::association::FactorError,
    softtoken::association::TokenIdError
);

impl From<Error<SqlxStoreError>> for Problem {
    fn from(error: Error<SqlxStoreError>) -> Self {
        Self::Refused(error)
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::broken(error)
    }
}

impl From<tower_sessions::session::Error> for Problem {
    fn from(error: tower_sessions::session::Error) -> Self {
        Self::broken(error)
    }
}

impl core::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Refused(error) => write!(formatter, "{error}"),
            Self::Said(sentence) => formatter.write_str(sentence),
            Self::NotFound => formatter.write_str("not found"),
            Self::Forbidden => formatter.write_str("forbidden"),
            Self::Broken(error) => write!(formatter, "{error}"),
        }
    }
}

impl StdError for Problem {}
