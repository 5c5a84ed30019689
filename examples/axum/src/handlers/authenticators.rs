//! Adds, renames, replaces and removes authenticators.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use softtoken::association::TokenStatus;
use softtoken::{Code, Grant, Rejection, TokenId, UnixTime};
use tower_sessions::Session;

use super::scan::{self, Paths};
use crate::app::App;
use crate::gate::{Login, Reauthenticated, SignedIn};
use crate::logins;
use crate::page::{Answer, Asked, Frame, go, show};
use crate::problem::{Advice, Problem};
use crate::users::User;

const PATHS: Paths = Paths {
    confirm: "/account/authenticators/confirm",
    again: "/account/authenticators/new",
    back: "/account",
};

/// Holds the name of an authenticator, as it was typed.
#[derive(Deserialize)]
pub(crate) struct Name {
    name: String,
}

#[derive(Template)]
#[template(path = "set_up.html")]
struct New {
    frame: Frame,
    advice: Option<Advice>,
    action: &'static str,
    required_from: Option<UnixTime>,
    is_required: bool,
}

impl New {
    fn of(frame: Frame, advice: Option<Advice>) -> Self {
        Self {
            frame,
            advice,
            action: PATHS.again,
            required_from: None,
            is_required: false,
        }
    }
}

/// Asks for the name of a new authenticator.
pub(crate) async fn new(login: Reauthenticated<App>, Query(asked): Query<Asked>) -> Answer {
    show(&New::of(Frame::of(&login.user).saying(&asked), None), None)
}

/// Issues a secret for a new authenticator, and shows it.
pub(crate) async fn begin(
    login: Reauthenticated<App>,
    State(app): State<App>,
    session: Session,
    Form(typed): Form<Name>,
) -> Answer {
    let associate = login.mfa.associate(&login.grant).named(&typed.name);
    match logins::run(&app, &session, &login.user.id, associate).await {
        Ok(issued) => scan::issued(Frame::of(&login.user), &login.user, &issued, PATHS),
        Err(problem) => {
            let page = New::of(Frame::of(&login.user), Some(problem.advice()?));
            show(&page, page.advice.as_ref())
        }
    }
}

/// Asks for the first code again.
pub(crate) async fn confirm_form(login: SignedIn<App>) -> Answer {
    scan::again(Frame::of(&login.user), None, PATHS)
}

/// Holds the first code.
#[derive(Deserialize)]
pub(crate) struct TypedCode {
    code: String,
}

/// Takes the first code of a new authenticator.
pub(crate) async fn confirm(
    login: SignedIn<App>,
    State(app): State<App>,
    session: Session,
    Form(typed): Form<TypedCode>,
) -> Answer {
    let Login { user, grant, mfa } = &*login;
    let code = match Code::parse(&typed.code) {
        Ok(code) => code,
        Err(error) => return scan::again(Frame::of(user), Some(error.into()), PATHS),
    };
    match logins::judge(&app, &session, user, mfa.verify(grant, code)).await {
        Ok(enrolled) => {
            logins::begin(&session, user, Grant::from(enrolled.evidence())).await?;
            go("/account/recovery-codes?notice=set-up")
        }
        Err(problem) => match problem.rejection() {
            // The same form, sent twice.
            Some(Rejection::AlreadyVerified) => go("/account/recovery-codes?notice=already"),
            _ => scan::again(Frame::of(user), Some(problem), PATHS),
        },
    }
}

#[derive(Template)]
#[template(path = "authenticator.html")]
struct Authenticator {
    frame: Frame,
    advice: Option<Advice>,
    token: TokenStatus,
    is_last: bool,
}

/// Shows an authenticator, with what can be done to it.
pub(crate) async fn show_one(
    login: Reauthenticated<App>,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Answer {
    authenticator(&app, &login, &id, None).await
}

async fn authenticator(
    app: &App,
    login: &Login<User>,
    id: &str,
    problem: Option<Problem>,
) -> Answer {
    let advice = problem.map(Problem::advice).transpose()?;
    let id: TokenId = id.parse().map_err(|_| Problem::NotFound)?;
    let status = login.mfa.status().run(app.store(), &login.user.id).await?;
    let is_last = status.tokens.len() == 1;
    let token = status.tokens.into_iter().find(|token| token.id == id);
    let page = Authenticator {
        frame: Frame::of(&login.user),
        advice,
        token: token.ok_or(Problem::NotFound)?,
        is_last,
    };
    show(&page, page.advice.as_ref())
}

/// Renames an authenticator.
pub(crate) async fn rename(
    login: Reauthenticated<App>,
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    Form(typed): Form<Name>,
) -> Answer {
    let token: TokenId = id.parse().map_err(|_| Problem::NotFound)?;
    let rename = login.mfa.rename(&login.grant, token, &typed.name);
    match logins::run(&app, &session, &login.user.id, rename).await {
        Ok(()) => go("/account?notice=renamed"),
        Err(problem) => authenticator(&app, &login, &id, Some(problem)).await,
    }
}

/// Issues a secret that is to take the place of an authenticator. That one works on until the first
/// code of the new one.
pub(crate) async fn replace(
    login: Reauthenticated<App>,
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    Form(typed): Form<Name>,
) -> Answer {
    let token: TokenId = id.parse().map_err(|_| Problem::NotFound)?;
    let associate = login
        .mfa
        .associate(&login.grant)
        .replacing(token)
        .named(&typed.name);
    match logins::run(&app, &session, &login.user.id, associate).await {
        Ok(issued) => scan::issued(Frame::of(&login.user), &login.user, &issued, PATHS),
        Err(problem) => authenticator(&app, &login, &id, Some(problem)).await,
    }
}

/// Removes an authenticator. Without the last one the second factor is off.
pub(crate) async fn remove(
    login: Reauthenticated<App>,
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
) -> Answer {
    let token: TokenId = id.parse().map_err(|_| Problem::NotFound)?;
    let remove = login.mfa.remove(&login.grant, token);
    match logins::run(&app, &session, &login.user.id, remove).await {
        Ok(()) => go("/account?notice=removed"),
        Err(problem) => authenticator(&app, &login, &id, Some(problem)).await,
    }
}
