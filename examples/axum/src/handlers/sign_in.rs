//! Signs a user in: by password, then by what the second factor asks for.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::IntoResponse as _;
use serde::Deserialize;
use softtoken::association::Method;
use softtoken::{Challenge, Evidence, Factor, Grant, Rejection, SignedIn};
use tower_sessions::Session;

use crate::app::App;
use crate::browser::{self, Browser};
use crate::gate::Open;
use crate::journal::Journal;
use crate::logins::{self, Waiting};
use crate::next::Next;
use crate::page::{Answer, Asked, Frame, go, show};
use crate::problem::{Advice, Problem};
use crate::users::User;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    advice: Option<Advice>,
    email: String,
    next: Next,
    is_with_code: bool,
}

/// Shows the form: for the password, or for password and code at once.
pub(crate) async fn form(open: Open<App>, Query(asked): Query<Asked>) -> Answer {
    if open.login().is_some() {
        return go(asked.next.path());
    }
    let form = SignIn {
        frame: Frame::default().saying(&asked),
        advice: None,
        email: String::new(),
        is_with_code: asked.with == "code",
        next: asked.next,
    };
    show(&form, None)
}

/// Holds what was typed.
#[derive(Deserialize)]
pub(crate) struct Typed {
    email: String,
    password: String,
    code: Option<String>,
    #[serde(default)]
    next: Next,
}

/// Takes the password, and the code where the form has asked for both.
pub(crate) async fn submit(
    _: Open<App>,
    State(app): State<App>,
    session: Session,
    journal: Journal,
    browser: Browser,
    Form(typed): Form<Typed>,
) -> Answer {
    let code = typed.code.as_deref().map(str::trim);
    let answer = match by_password(&app, &journal, &typed.email, typed.password).await {
        Ok(user) => match code.filter(|code| !code.is_empty()) {
            None => {
                let next = typed.next.clone();
                password_was_right(&app, &session, &journal, &user, browser.token(), next).await
            }
            Some(code) => with_code(&app, &session, &journal, &user, code, &typed.next).await,
        },
        Err(problem) => Err(problem),
    };
    match answer {
        Ok(answer) => Ok(answer),
        Err(problem) => {
            let form = SignIn {
                frame: Frame::default(),
                advice: Some(problem.advice()?),
                email: typed.email,
                next: typed.next,
                is_with_code: typed.code.is_some(),
            };
            show(&form, form.advice.as_ref())
        }
    }
}

async fn by_password(
    app: &App,
    journal: &Journal,
    email: &str,
    password: String,
) -> Result<User, Problem> {
    let user = app.users().by_email(email).await?;
    let kept = user.as_ref().map(|user| user.password.as_str());
    let is_right = app.passwords().is_right(password, kept).await?;
    match user {
        Some(user) if is_right => Ok(user),
        user => {
            // Written for nobody too, or the time that it takes tells who has an account.
            let id = user.as_ref().map_or("", |user| &user.id);
            journal.note(app.mfa().now()?, id, "wrong_password", None);
            Err(Problem::said(
                "Address or password is not right. Check both, and try again.",
            ))
        }
    }
}

/// Goes on from a password that was right, to what the second factor asks for.
///
/// # Errors
///
/// Fails where the store does. Nobody is signed in then.
pub(crate) async fn password_was_right(
    app: &App,
    session: &Session,
    journal: &Journal,
    user: &User,
    browser: Option<&str>,
    next: Next,
) -> Answer {
    let mfa = app.view(user, journal)?;
    logins::renew(session, user).await?;
    match logins::ask(app, user, mfa.sign_in().from_browser(browser)).await? {
        Challenge::NotRequired { .. } => {
            let now = mfa.now()?;
            logins::begin(session, user, Grant::first_factor(&user.id, now)).await?;
            journal.note(now, &user.id, "signed_in_by_password", None);
            go(next.path())
        }
        Challenge::SoftwareToken {
            session: challenge,
            names,
            ..
        } => {
            logins::wait(session, &challenge, names, next).await?;
            go("/sign-in/code")
        }
        Challenge::Setup {
            session: challenge, ..
        } => {
            logins::wait(session, &challenge, Vec::new(), next).await?;
            go("/sign-in/set-up")
        }
    }
}

/// Takes password and code in one request.
async fn with_code(
    app: &App,
    session: &Session,
    journal: &Journal,
    user: &User,
    code: &str,
    next: &Next,
) -> Answer {
    let mfa = app.view(user, journal)?;
    let sign_in = mfa.sign_in_with(Some(Factor::parse(code)?));
    logins::renew(session, user).await?;
    match logins::judge(app, session, user, sign_in).await? {
        SignedIn::Proven(evidence) => {
            logins::begin(session, user, Grant::from(&evidence)).await?;
            go(landing(&evidence, next))
        }
        // The code was for nothing.
        _ => password_was_right(app, session, journal, user, None, next.clone()).await,
    }
}

/// Returns the page after a sign-in: who has lost a phone is led to its replacement.
fn landing<'a>(evidence: &Evidence, next: &'a Next) -> &'a str {
    match evidence.method() {
        Method::RecoveryCode | Method::TemporaryCode => "/account?notice=recovered",
        _ => next.path(),
    }
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage {
    frame: Frame,
    advice: Option<Advice>,
    names: Vec<String>,
    is_recovery: bool,
    is_locked: bool,
}

/// Shows the form of the code, or of a recovery code.
pub(crate) async fn code_form(
    _: Open<App>,
    session: Session,
    Query(asked): Query<Asked>,
) -> Answer {
    let Some(waiting) = logins::waiting(&session).await? else {
        return go("/sign-in?notice=expired");
    };
    let form = CodePage {
        frame: Frame::default().saying(&asked),
        advice: None,
        names: waiting.names,
        is_recovery: asked.with == "recovery",
        is_locked: false,
    };
    show(&form, None)
}

/// Holds what was typed.
#[derive(Deserialize)]
pub(crate) struct TypedCode {
    code: String,
    remember: Option<String>,
    #[serde(default)]
    with: String,
}

/// Takes the code, or the recovery code.
pub(crate) async fn submit_code(
    _: Open<App>,
    State(app): State<App>,
    session: Session,
    journal: Journal,
    Form(typed): Form<TypedCode>,
) -> Answer {
    let Some(waiting) = logins::waiting(&session).await? else {
        return go("/sign-in?notice=expired");
    };
    match respond(&app, &session, &journal, &waiting, &typed).await {
        Ok(answer) => Ok(answer),
        Err(problem) => {
            let form = CodePage {
                frame: Frame::default(),
                is_locked: problem.rejection() == Some(Rejection::Locked),
                advice: Some(problem.advice()?),
                names: waiting.names,
                is_recovery: typed.with == "recovery",
            };
            show(&form, form.advice.as_ref())
        }
    }
}

async fn respond(
    app: &App,
    session: &Session,
    journal: &Journal,
    waiting: &Waiting,
    typed: &TypedCode,
) -> Answer {
    let challenge = app.mfa().open(&waiting.session)?;
    let user = app.users().by_id(challenge.subject()).await?;
    let user = user.ok_or(Problem::NotFound)?;
    let mfa = app.view(&user, journal)?;
    let respond = mfa.respond(&challenge, Factor::parse(&typed.code)?);
    let evidence = logins::judge(app, session, &user, respond).await?;
    logins::begin(session, &user, Grant::from(&evidence)).await?;
    let answer = go(landing(&evidence, &waiting.next))?;
    let remembered = match &typed.remember {
        Some(_) => mfa.remember(&evidence)?,
        None => None,
    };
    Ok(match remembered {
        Some(token) => (browser::cookie(app, Some(&token))?, answer).into_response(),
        None => answer,
    })
}
