//! Asks who is signed in to prove it anew, before something dangerous.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use serde::Deserialize;
use softtoken::{Factor, Grant};
use tower_sessions::Session;

use crate::app::App;
use crate::gate::{Login, SignedIn};
use crate::journal::Journal;
use crate::logins;
use crate::next::Next;
use crate::page::{Answer, Asked, Frame, go, show};
use crate::problem::{Advice, Problem};
use crate::users::User;

#[derive(Template)]
#[template(path = "step_up.html")]
struct StepUp {
    frame: Frame,
    advice: Option<Advice>,
    next: Next,
    /// Names the authenticators that have a code; without one the password is asked for.
    names: Vec<String>,
    has_second_factor: bool,
    is_recovery: bool,
}

impl StepUp {
    async fn of(app: &App, login: &Login<User>) -> Result<Self, Problem> {
        let status = login.mfa.status().run(app.store(), &login.user.id).await?;
        Ok(Self {
            frame: Frame::of(&login.user),
            advice: None,
            next: Next::default(),
            has_second_factor: status.is_verified(),
            names: status
                .tokens
                .into_iter()
                .filter_map(|token| token.name)
                .collect(),
            is_recovery: false,
        })
    }
}

/// Shows the form.
pub(crate) async fn form(
    login: SignedIn<App>,
    State(app): State<App>,
    Query(asked): Query<Asked>,
) -> Answer {
    let page = StepUp {
        next: asked.next,
        is_recovery: asked.with == "recovery",
        ..StepUp::of(&app, &login).await?
    };
    show(&page, None)
}

/// Holds what was typed: a code, a recovery code, or the password.
#[derive(Deserialize)]
pub(crate) struct Typed {
    code: Option<String>,
    password: Option<String>,
    #[serde(default)]
    next: Next,
    #[serde(default)]
    with: String,
}

/// Takes what was typed, and keeps what it proved with the login.
pub(crate) async fn submit(
    login: SignedIn<App>,
    State(app): State<App>,
    session: Session,
    journal: Journal,
    Form(typed): Form<Typed>,
) -> Answer {
    match prove(
        &app,
        &session,
        &journal,
        &login,
        typed.code.as_deref(),
        typed.password,
    )
    .await
    {
        Ok(()) => go(typed.next.path()),
        Err(problem) => {
            let page = StepUp {
                next: typed.next,
                is_recovery: typed.with == "recovery",
                advice: Some(problem.advice()?),
                ..StepUp::of(&app, &login).await?
            };
            show(&page, page.advice.as_ref())
        }
    }
}

async fn prove(
    app: &App,
    session: &Session,
    journal: &Journal,
    login: &Login<User>,
    code: Option<&str>,
    password: Option<String>,
) -> Result<(), Problem> {
    let Login { user, grant, mfa } = login;
    if let Some(code) = code {
        let step_up = mfa.step_up(grant, Factor::parse(code)?);
        let evidence = logins::judge(app, session, user, step_up).await?;
        return logins::begin(session, user, Grant::from(&evidence)).await;
    }
    // A fresh password proves a password, and where a second factor is in force no more than that.
    let password = password.unwrap_or_default();
    if !app
        .passwords()
        .is_right(password, Some(&user.password))
        .await?
    {
        journal.note(mfa.now()?, &user.id, "wrong_password", None);
        return Err(Problem::said("That password is not right. Try again."));
    }
    logins::begin(session, user, Grant::first_factor(&user.id, mfa.now()?)).await
}
