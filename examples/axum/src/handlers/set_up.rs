//! Sets up the second factor of a user who must have one, in the middle of a sign-in.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use serde::Deserialize;
use softtoken::{Challenge, Code, Grant, Mfa, Rejection, UnixTime};
use tower_sessions::Session;

use super::scan::{self, Paths};
use crate::app::App;
use crate::gate::Open;
use crate::journal::Journal;
use crate::logins;
use crate::next::Next;
use crate::page::{Answer, Asked, Frame, go, show};
use crate::problem::{Advice, Problem};
use crate::users::User;

const PATHS: Paths = Paths {
    confirm: "/sign-in/set-up/confirm",
    again: "/sign-in/set-up",
    back: "/sign-in",
};

#[derive(Template)]
#[template(path = "set_up.html")]
struct SetUp {
    frame: Frame,
    advice: Option<Advice>,
    action: &'static str,
    required_from: Option<UnixTime>,
    is_required: bool,
}

/// Finds the sign-in that waits: its user, the view for it, and the session.
pub(super) async fn found(
    app: &App,
    session: &Session,
    journal: &Journal,
) -> Result<Option<(User, Mfa, softtoken::ChallengeSession, Next)>, Problem> {
    let Some(waiting) = logins::waiting(session).await? else {
        return Ok(None);
    };
    let Ok(challenge) = app.mfa().open(&waiting.session) else {
        return Ok(None);
    };
    let user = app.users().by_id(challenge.subject()).await?;
    let user = user.ok_or(Problem::NotFound)?;
    let mfa = app.view(&user, journal)?;
    // A password that was changed meanwhile has ended the sign-in.
    if challenge.context() != mfa.context() {
        return Ok(None);
    }
    Ok(Some((user, mfa, challenge, waiting.next)))
}

/// Explains what is asked for, and until when it may wait.
pub(crate) async fn form(
    _: Open<App>,
    State(app): State<App>,
    session: Session,
    journal: Journal,
    Query(asked): Query<Asked>,
) -> Answer {
    let Some((user, mfa, ..)) = found(&app, &session, &journal).await? else {
        return go("/sign-in?notice=expired");
    };
    let is_required = mfa.policy().requires(mfa.now()?);
    let page = SetUp {
        frame: Frame::default().saying(&asked),
        advice: None,
        action: PATHS.again,
        required_from: user.required_from.filter(|_| !is_required),
        is_required,
    };
    show(&page, None)
}

/// Holds what was typed.
#[derive(Deserialize)]
pub(crate) struct Typed {
    name: String,
}

/// Issues a secret, and shows it.
pub(crate) async fn begin(
    _: Open<App>,
    State(app): State<App>,
    session: Session,
    journal: Journal,
    Form(typed): Form<Typed>,
) -> Answer {
    let Some((user, mfa, challenge, next)) = found(&app, &session, &journal).await? else {
        return go("/sign-in?notice=expired");
    };
    let associate = mfa.associate(&challenge).named(&typed.name);
    let issued = logins::run(&app, &session, &user.id, associate).await?;
    let session_for_code = issued.session().unwrap_or(&challenge);
    logins::wait(&session, session_for_code, Vec::new(), next).await?;
    scan::issued(Frame::default(), &user, &issued, PATHS)
}

/// Holds the first code.
#[derive(Deserialize)]
pub(crate) struct TypedCode {
    code: String,
}

/// Takes the first code, and signs in by it.
pub(crate) async fn confirm(
    open: Open<App>,
    State(app): State<App>,
    session: Session,
    journal: Journal,
    Form(typed): Form<TypedCode>,
) -> Answer {
    // The same form, sent twice: the first one has signed in.
    if open.login().is_some() {
        return go("/account/recovery-codes?notice=already");
    }
    let Some((user, mfa, challenge, _)) = found(&app, &session, &journal).await? else {
        return go("/sign-in?notice=expired");
    };
    let code = match Code::parse(&typed.code) {
        Ok(code) => code,
        Err(error) => return scan::again(Frame::default(), Some(error.into()), PATHS),
    };
    match logins::judge(&app, &session, &user, mfa.verify(&challenge, code)).await {
        Ok(enrolled) => {
            logins::begin(&session, &user, Grant::from(enrolled.evidence())).await?;
            go("/account/recovery-codes?notice=set-up")
        }
        Err(problem) => match problem.rejection() {
            // Set up by the same form: the next code signs in.
            Some(Rejection::AlreadyVerified) => go("/sign-in?notice=already"),
            _ => scan::again(Frame::default(), Some(problem), PATHS),
        },
    }
}

/// Goes on without a second factor, while that is allowed.
pub(crate) async fn later(
    _: Open<App>,
    State(app): State<App>,
    session: Session,
    journal: Journal,
) -> Answer {
    let Some((user, mfa, challenge, next)) = found(&app, &session, &journal).await? else {
        return go("/sign-in?notice=expired");
    };
    // Asked anew, since a factor may have been set up, or required, meanwhile.
    match logins::ask(&app, &user, mfa.sign_in()).await? {
        Challenge::Setup {
            required_from: Some(_),
            ..
        } => {
            let grant = Grant::first_factor(&user.id, challenge.first_factor_at());
            logins::begin(&session, &user, grant).await?;
            journal.note(mfa.now()?, &user.id, "signed_in_by_password", None);
            go(&format!("{}?notice=later", next.path()))
        }
        _ => go("/sign-in?notice=expired"),
    }
}
