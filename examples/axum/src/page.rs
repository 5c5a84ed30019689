//! Renders pages: what stands around each, and how an answer is made of one.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use softtoken::UnixTime;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::next::Next;
use crate::problem::{Advice, Problem, retry_after};
use crate::users::User;

/// Gives the answer of a handler.
pub(crate) type Answer = Result<Response, Problem>;

/// Holds what stands around a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// Tells who is signed in.
    pub(crate) email: Option<String>,
    /// Says whether there is an administrator's page.
    pub(crate) is_administrator: bool,
    /// Says what has just been done.
    pub(crate) notice: Option<&'static str>,
}

impl Frame {
    /// Returns the frame of a user's page.
    #[must_use]
    pub(crate) fn of(user: &User) -> Self {
        Self {
            email: Some(user.email.clone()),
            is_administrator: user.is_administrator,
            notice: None,
        }
    }

    /// Returns the frame with a notice.
    #[must_use]
    pub(crate) fn saying(self, asked: &Asked) -> Self {
        Self {
            notice: notice(&asked.notice),
            ..self
        }
    }
}

/// Holds the parameters that pages are asked for with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    /// Says where to go afterwards.
    pub(crate) next: Next,
    /// Names what has just been done.
    pub(crate) notice: String,
    /// Names another form of the page.
    pub(crate) with: String,
}

/// Returns what a notice says. A name that is not known says nothing: nobody else's words appear.
fn notice(name: &str) -> Option<&'static str> {
    Some(match name {
        "signed-out" => "You are signed out.",
        "expired" => "That took too long. Sign in again.",
        "later" => "You can set up your second factor whenever you like, from this page.",
        "required" => "This page needs a second factor. Set one up first.",
        "clock" => {
            "The clock of your authenticator is known now. Wait for the next code, and type that."
        }
        "set-up" => "Your authenticator is set up. Its next code will sign you in.",
        "already" => "Your authenticator is set up already.",
        "renamed" => "The authenticator has its new name.",
        "removed" => "The authenticator is removed. You can delete its entry in the app.",
        "turned-off" => "Your second factor is off. Your password alone signs you in.",
        "forgotten" => "Every browser will ask for a code again.",
        "password" => "Your password is changed. Other browsers are signed out.",
        "recovered" => {
            "You signed in without your phone. If it is lost, replace it here, or set up a \
             new one."
        }
        "unlocked" => "Codes are unlocked.",
        "reset" => "The second factor is reset, and the user signed out everywhere.",
        "role" => "The role is changed.",
        "requirement" => "The date is kept.",
        _ => return None,
    })
}

/// Returns a page.
///
/// # Errors
///
/// Fails where the page could not be rendered.
pub(crate) fn page(template: &impl Template) -> Result<Html<String>, Problem> {
    Ok(Html(template.render().map_err(Problem::broken)?))
}

/// Answers with a page, and with the status and the wait of its advice where it has one.
///
/// # Errors
///
/// Fails where the page could not be rendered.
pub(crate) fn show(template: &impl Template, advice: Option<&Advice>) -> Answer {
    let status = advice.map_or(StatusCode::OK, |advice| advice.status);
    let wait = retry_after(advice.and_then(|advice| advice.wait));
    Ok((status, wait, page(template)?).into_response())
}

/// Answers with another page, for the browser to get.
#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands where a handler answers"
)]
pub(crate) fn go(to: &str) -> Answer {
    Ok(Redirect::to(to).into_response())
}

/// Says what went wrong where there is no page.
#[derive(Debug, Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage<'a> {
    /// Stands around the page.
    pub(crate) frame: Frame,
    /// Names the problem.
    pub(crate) title: &'a str,
    /// Says what to do next.
    pub(crate) sentence: &'a str,
}

/// Returns a time for people.
#[must_use]
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "templates hand references"
)]
pub(crate) fn date(time: &UnixTime) -> String {
    written(
        *time,
        format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC"),
    )
}

/// Returns a day, as a form has it.
#[must_use]
pub(crate) fn day(time: UnixTime) -> String {
    written(time, format_description!("[year]-[month]-[day]"))
}

/// Returns a time for machines.
#[must_use]
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "templates hand references"
)]
pub(crate) fn machine(time: &UnixTime) -> String {
    written(
        *time,
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"),
    )
}

fn written(time: UnixTime, format: &(impl time::formatting::Formattable + ?Sized)) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let time = seconds.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let text = time.and_then(|time| time.format(format).ok());
    text.unwrap_or_else(|| "a time that no calendar has".into())
}
