//! Says why there is no answer.

use core::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError};
use softtoken::Error;
use softtoken_diesel::DieselStoreError;

/// Says why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The request was refused.
    #[error("{1}")]
    Refused(StatusCode, &'static str),
    /// The request was refused, and the next one has to wait.
    #[error("{0}")]
    Wait(&'static str, Duration),
    /// The server failed.
    #[error("the server failed")]
    Internal(#[source] Box<dyn core::error::Error + Send + Sync>),
}

/// Refuses a request whose password or login is not right.
pub(crate) const UNAUTHORIZED: Failure = Failure::Refused(StatusCode::UNAUTHORIZED, "unauthorized");

impl Failure {
    pub(crate) fn internal(error: impl Into<Box<dyn core::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }
}

/// Takes everything that softtoken refuses or fails at, so that handlers need `?` alone: the client
/// learns the name of a refusal, and when to come back.
impl<E> From<E> for Failure
where
    Error<DieselStoreError>: From<E>,
{
    fn from(error: E) -> Self {
        let error = Error::from(error);
        match error {
            Error::Rejected {
                retry_after: Some(wait),
                ..
            } => Self::Wait(error.name(), wait),
            Error::Malformed(_) | Error::Rejected { .. } => {
                Self::Refused(StatusCode::UNAUTHORIZED, error.name())
            }
            Error::Fault(_) | Error::Store(_) => Self::internal(error),
        }
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Refused(status, _) => *status,
            Self::Wait(..) => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        match self {
            Self::Refused(..) => {}
            Self::Wait(_, wait) => {
                answer.insert_header((RETRY_AFTER, wait.as_secs()));
            }
            Self::Internal(error) => eprintln!("{error:?}"),
        }
        answer.body(self.to_string())
    }
}
