//! Says what went wrong: to the user what to do next, to the log the rest.

use core::error::Error as StdError;
use std::borrow::Cow;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use softtoken::error::{Malformed, OpenError};
use softtoken::policy::PolicyError;
use softtoken::totp::{CodeError, UriError};
use softtoken::{Error, Fault, Rejection};
use softtoken_sqlx::SqlxStoreError;

use crate::app::App;
use crate::gate::Open;
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
    /// The form comes from another site.
    Elsewhere,
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

    /// Returns whether the login, or the sign-in that waits, has ended: by time, or by what happened
    /// elsewhere.
    fn is_over(&self) -> bool {
        self.rejection() == Some(Rejection::InvalidSession)
    }

    /// Returns the advice for a form to show, where the user can do something about it there; else
    /// the problem, which has a page of its own, or leads to the sign-in.
    ///
    /// # Errors
    ///
    /// The problem itself.
    pub(crate) fn advice(self) -> Result<Advice, Self> {
        match self {
            Self::Refused(Error::Fault(_) | Error::Store(_)) => Err(self),
            _ if self.is_over() => Err(self),
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
            Self::NotFound | Self::Forbidden | Self::Elsewhere | Self::Broken(_) => Err(self),
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
        Some(Rejection::NotAuthorized) => "That took too long. Sign in again.",
        Some(Rejection::ClockBehind) => {
            "The clock of this server is wrong. Try again later, or tell an administrator."
        }
        Some(_) => "That is not possible. Go back to your account and look again.",
        None => "Type the 6 digits from your app, or a recovery code of 25 characters.",
    }
}

/// Holds what the page of a problem says.
#[derive(Clone, Debug)]
struct Told {
    status: StatusCode,
    title: &'static str,
    sentence: Cow<'static, str>,
}

impl Told {
    fn new(
        status: StatusCode,
        title: &'static str,
        sentence: impl Into<Cow<'static, str>>,
    ) -> Self {
        let sentence = sentence.into();
        Self {
            status,
            title,
            sentence,
        }
    }

    /// Returns what there is to say of a failure that is known by its status alone.
    fn of(status: StatusCode) -> Self {
        let (title, sentence) = match status {
            StatusCode::METHOD_NOT_ALLOWED => (
                "There is no page at this address",
                "Only a form leads here, and a form is not sent by loading the page anew. Go to \
                 your account, and begin again from there.",
            ),
            StatusCode::REQUEST_TIMEOUT => (
                "That took too long",
                "The form did not arrive in time, and nothing was done. Send it again.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => {
                ("That is too long", "Type less, and send the form again.")
            }
            status if status.is_server_error() => (BROKEN, UNSURE),
            _ => (
                "That cannot be read",
                "The form or the address is damaged. Open the page again, and go on from there.",
            ),
        };
        Self::new(status, title, sentence)
    }

    fn page(&self, frame: Frame) -> Response {
        let shown = ProblemPage {
            frame,
            title: self.title,
            sentence: &self.sentence,
        };
        page(&shown).map_or_else(
            |_| self.status.into_response(),
            |page| (self.status, page).into_response(),
        )
    }
}

const BROKEN: &str = "Something went wrong on our side";
/// Stands on the page of a form: what failed may have been the last of what it does, or a commit
/// whose answer was lost.
const UNSURE: &str =
    "This may have been done all the same. Look at your account before you try again.";
/// Stands on the page of what changes nothing.
const UNCHANGED: &str = "Nothing was accepted or changed. Try again in a minute.";

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.is_over() {
            return Redirect::to("/sign-in?notice=expired").into_response();
        }
        let told = match self {
            Self::NotFound => Told::new(
                StatusCode::NOT_FOUND,
                "There is no such page",
                "The link may be old. Go to your account, and look for it there.",
            ),
            Self::Forbidden => Told::new(
                StatusCode::FORBIDDEN,
                "This page is for administrators",
                "Ask an administrator for what you need.",
            ),
            Self::Elsewhere => Told::new(
                StatusCode::FORBIDDEN,
                "Nothing was done",
                "This form did not come from a page of this server. Open the page again.",
            ),
            Self::Broken(error) => broken(&*error),
            Self::Refused(Error::Store(error)) => broken(&error),
            Self::Refused(Error::Fault(error)) => broken(&error),
            Self::Refused(error) => {
                Told::new(status(&error), "That did not work", sentence(&error))
            }
            Self::Said(sentence) => Told::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "That did not work",
                sentence,
            ),
        };
        let mut response = told.page(Frame::default());
        response.extensions_mut().insert(told);
        response
    }
}

/// Logs what the user need not know.
fn broken(error: &(dyn StdError + 'static)) -> Told {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        told = format!("{told}: {error}");
        source = error.source();
    }
    tracing::error!("{told}");
    Told::of(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Gives every failure its page, with what stands around the pages of the user who is signed in.
/// What axum itself refuses, a form that cannot be read or a method that a page does not have, gets
/// one in place of a text that repeats what was sent.
pub(crate) async fn show(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let response = next.run(Request::from_parts(parts.clone(), body)).await;
    let status = response.status();
    let is_page = response.headers().get(header::CONTENT_TYPE);
    let is_page = is_page.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let mut told = match response.extensions().get::<Told>() {
        Some(told) => told.clone(),
        None if is_page || !(status.is_client_error() || status.is_server_error()) => {
            return response;
        }
        None => Told::of(status),
    };
    if told.sentence == UNSURE && parts.method.is_safe() {
        told.sentence = UNCHANGED.into();
    }
    // Asked after the handler, which may have ended the login.
    let open = Open::<App>::from_request_parts(&mut parts, &app).await.ok();
    let login = open.as_ref().and_then(Open::login);
    let frame = login.map_or_else(Frame::default, |login| Frame::of(&login.user));
    let (mut answer, body) = told.page(frame).into_parts();
    // Which methods there are, and what else was said beside the text.
    for (name, value) in response.headers() {
        if name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE {
            answer.headers.append(name, value.clone());
        }
    }
    Response::from_parts(answer, body)
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
    Rejection,
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
            Self::Elsewhere => formatter.write_str("a form of another site"),
            Self::Broken(error) => write!(formatter, "{error}"),
        }
    }
}

impl StdError for Problem {}
