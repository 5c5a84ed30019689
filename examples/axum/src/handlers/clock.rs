//! Finds out how far the clock of an authenticator is off, where no code of it fits.

use askama::Template;
use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use softtoken::{Code, Rejection};
use tower_sessions::Session;

use super::set_up::found;
use crate::app::App;
use crate::gate::Open;
use crate::journal::Journal;
use crate::logins;
use crate::page::{Answer, Frame, go, show};
use crate::problem::{Advice, Problem};

#[derive(Template)]
#[template(path = "clock.html")]
struct Clock {
    frame: Frame,
    advice: Option<Advice>,
}

impl Clock {
    fn of(advice: Option<Advice>) -> Self {
        Self {
            frame: Frame::default(),
            advice,
        }
    }
}

/// Asks for two codes that the app shows one after the other.
pub(crate) async fn form(_: Open<App>, session: Session) -> Answer {
    if logins::waiting(&session).await?.is_none() {
        return go("/sign-in?notice=expired");
    }
    show(&Clock::of(None), None)
}

/// Holds the two codes.
#[derive(Deserialize)]
pub(crate) struct Typed {
    code: String,
    following: String,
}

/// Takes both codes. The sign-in goes on with the next one.
pub(crate) async fn submit(
    _: Open<App>,
    State(app): State<App>,
    session: Session,
    journal: Journal,
    Form(typed): Form<Typed>,
) -> Answer {
    let Err(problem) = compare(&app, &session, &journal, &typed).await else {
        return go("/sign-in/code?notice=clock");
    };
    let is_mismatch = problem.rejection() == Some(Rejection::Mismatch);
    let mut advice = problem.advice()?;
    if is_mismatch {
        advice.sentence =
            "These are not two codes that your app shows one after the other, or its \
                           clock is off by more than ten minutes. Set the clock of the phone, and \
                           try again."
                .into();
    }
    let page = Clock::of(Some(advice));
    show(&page, page.advice.as_ref())
}

async fn compare(
    app: &App,
    session: &Session,
    journal: &Journal,
    typed: &Typed,
) -> Result<(), Problem> {
    let Some((user, mfa, challenge, _)) = found(app, session, journal).await? else {
        return Err(Rejection::InvalidSession.into());
    };
    let (code, following) = (Code::parse(&typed.code)?, Code::parse(&typed.following)?);
    let compare = mfa.resynchronise(&challenge, code, following);
    logins::run(app, session, &user.id, compare).await
}
