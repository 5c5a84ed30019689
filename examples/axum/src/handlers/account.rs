//! Shows a user's account, and what has happened to it.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::HeaderName;
use axum::response::IntoResponse as _;
use softtoken::UnixTime;
use softtoken::association::StatusReport;
use tower_sessions::Session;

use crate::app::App;
use crate::browser;
use crate::gate::{Reauthenticated, SignedIn};
use crate::journal::{self, Journal};
use crate::logins;
use crate::page::{Answer, Asked, Frame, go, show};
use crate::problem::Advice;

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    frame: Frame,
    status: StatusReport,
    may_add: bool,
    is_required: bool,
    required_from: Option<UnixTime>,
}

/// Shows the account.
pub(crate) async fn overview(
    login: SignedIn<App>,
    State(app): State<App>,
    Query(asked): Query<Asked>,
) -> Answer {
    let status = login.mfa.status().run(app.store(), &login.user.id).await?;
    let is_required = login.mfa.policy().requires(login.mfa.now()?);
    let page = Account {
        frame: Frame::of(&login.user).saying(&asked),
        may_add: status.tokens.len() < login.mfa.policy().max_tokens(),
        is_required,
        required_from: login.user.required_from.filter(|_| !is_required),
        status,
    };
    show(&page, None)
}

#[derive(Template)]
#[template(path = "activity.html")]
struct Activity {
    frame: Frame,
    log: journal::Page,
}

/// Shows what has happened to the account.
pub(crate) async fn activity(
    login: SignedIn<App>,
    State(app): State<App>,
    Query(from): Query<journal::From>,
) -> Answer {
    let page = Activity {
        frame: Frame::of(&login.user),
        log: journal::page(app.pool(), Some(&login.user.id), from).await?,
    };
    show(&page, None)
}

/// Ends the login.
pub(crate) async fn sign_out(login: SignedIn<App>, session: Session, journal: Journal) -> Answer {
    logins::end(&session).await?;
    journal.note(login.mfa.now()?, &login.user.id, "signed_out", None);
    // Browsers keep whole pages for the back button, those that are not to be stored as well.
    let forget = [(HeaderName::from_static("clear-site-data"), "\"cache\"")];
    let answer = go("/sign-in?notice=signed-out")?;
    Ok((forget, answer).into_response())
}

#[derive(Template)]
#[template(path = "turn_off.html")]
struct TurnOff {
    frame: Frame,
    advice: Option<Advice>,
}

/// Says what turning the second factor off means.
pub(crate) async fn turn_off_form(login: Reauthenticated<App>) -> Answer {
    let page = TurnOff {
        frame: Frame::of(&login.user),
        advice: None,
    };
    show(&page, None)
}

/// Turns the second factor off.
pub(crate) async fn turn_off(
    login: Reauthenticated<App>,
    State(app): State<App>,
    session: Session,
) -> Answer {
    let off = login.mfa.disassociate(&login.grant);
    match logins::run(&app, &session, &login.user.id, off).await {
        Ok(()) => go("/account?notice=turned-off"),
        Err(problem) => {
            let page = TurnOff {
                frame: Frame::of(&login.user),
                advice: Some(problem.advice()?),
            };
            show(&page, page.advice.as_ref())
        }
    }
}

#[derive(Template)]
#[template(path = "forget.html")]
struct Forget {
    frame: Frame,
}

/// Says what forgetting browsers means.
pub(crate) async fn forget_browsers_form(login: Reauthenticated<App>) -> Answer {
    show(
        &Forget {
            frame: Frame::of(&login.user),
        },
        None,
    )
}

/// Forgets every browser that was remembered, this one included.
pub(crate) async fn forget_browsers(
    login: Reauthenticated<App>,
    State(app): State<App>,
    session: Session,
) -> Answer {
    let forget = login.mfa.forget_browsers(&login.grant);
    logins::run(&app, &session, &login.user.id, forget).await?;
    let answer = go("/account?notice=forgotten")?;
    Ok((browser::cookie(&app, None)?, answer).into_response())
}
