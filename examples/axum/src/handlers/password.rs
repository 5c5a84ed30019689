//! Changes a password.

use askama::Template;
use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use softtoken::Rejection;
use tower_sessions::Session;

use crate::app::App;
use crate::gate::{Login, Reauthenticated};
use crate::journal::Journal;
use crate::logins;
use crate::page::{Answer, Frame, go, show};
use crate::passwords;
use crate::problem::{Advice, Problem};
use crate::sessions::end_logins;
use crate::users::{User, Users};

#[derive(Template)]
#[template(path = "password.html")]
struct Password {
    frame: Frame,
    advice: Option<Advice>,
}

impl Password {
    const SHORTEST: usize = passwords::SHORTEST;
}

/// Shows the form.
pub(crate) async fn form(login: Reauthenticated<App>) -> Answer {
    let page = Password {
        frame: Frame::of(&login.user),
        advice: None,
    };
    show(&page, None)
}

/// Holds what was typed.
#[derive(Deserialize)]
pub(crate) struct Typed {
    old: String,
    new: String,
}

/// Keeps the new password. It ends every other login, every sign-in that waits, and every browser
/// that was remembered.
pub(crate) async fn submit(
    login: Reauthenticated<App>,
    State(app): State<App>,
    session: Session,
    journal: Journal,
    Form(typed): Form<Typed>,
) -> Answer {
    match change(&app, &session, &journal, &login, typed).await {
        Ok(user) => {
            logins::renew(&session, &user).await?;
            logins::begin(&session, &user, login.grant.clone()).await?;
            go("/account?notice=password")
        }
        Err(problem) => {
            let page = Password {
                frame: Frame::of(&login.user),
                advice: Some(problem.advice()?),
            };
            show(&page, page.advice.as_ref())
        }
    }
}

/// Keeps the new password and ends every login, this one included, by one transaction, if this
/// login and the old password are what they were when the request came: a request that was held
/// back overwrites no newer password, and no login that was ended meanwhile goes on.
async fn change(
    app: &App,
    session: &Session,
    journal: &Journal,
    login: &Login<User>,
    typed: Typed,
) -> Result<User, Problem> {
    let kept = Some(login.user.password.as_str());
    if !app.passwords().is_right(typed.old, kept).await? {
        journal.note(login.mfa.now()?, &login.user.id, "wrong_password", None);
        return Err(Problem::said(
            "Your present password is not right. Try again.",
        ));
    }
    let hash = app.passwords().hash(typed.new).await?;
    let now = login.mfa.now()?;
    let mut transaction = logins::begin_write(app, session).await?;
    let changed = Users::set_password(&mut *transaction, &login.user, hash).await?;
    let user = changed.ok_or(Rejection::InvalidSession)?;
    end_logins(&mut *transaction, &user.id, None).await?;
    transaction.commit().await?;
    journal.note(now, &user.id, "password_changed", None);
    Ok(user)
}
