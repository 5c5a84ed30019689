//! Helps users, and says who must have a second factor.

use core::time::Duration;

use askama::Template;
use axum::Form;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use softtoken::association::StatusReport;
use softtoken::{RecoveryCode, UnixTime};
use time::macros::format_description;
use tower_sessions::Session;

use crate::app::App;
use crate::gate::{Level, Login, SecondFactor, SteppedUp};
use crate::journal::{self, Journal};
use crate::logins;
use crate::page::{Answer, Asked, Frame, day, go, show};
use crate::problem::Problem;
use crate::sessions::end_logins;
use crate::users::{User, Users};

/// Says for how long a temporary code is good.
const TEMPORARY: Duration = Duration::from_hours(1);

/// Lets an administrator in who passes this level.
#[derive(Debug)]
pub(crate) struct Administrator<L>(L);

impl Level for Administrator<SecondFactor<App>> {
    const NAME: &'static str = "administrator, second factor";
}

impl Level for Administrator<SteppedUp<App>> {
    const NAME: &'static str = "administrator, stepped up";
}

impl<L> FromRequestParts<App> for Administrator<L>
where
    L: FromRequestParts<App, Rejection = Response> + core::ops::Deref<Target = Login<User>> + Send,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let login = L::from_request_parts(parts, app).await?;
        if !login.user.is_administrator {
            return Err(Problem::Forbidden.into_response());
        }
        Ok(Self(login))
    }
}

impl<L: core::ops::Deref<Target = Login<User>>> Administrator<L> {
    fn frame(&self) -> Frame {
        Frame::of(&self.0.user)
    }

    /// Returns the name by which the events of another's account know this administrator.
    fn named(&self) -> softtoken::Administrator {
        softtoken::Administrator::named(&self.0.user.email)
    }
}

#[derive(Template)]
#[template(path = "admin.html")]
struct Search {
    frame: Frame,
    text: String,
    users: Vec<User>,
    required_from: String,
}

/// Holds what is searched for.
#[derive(Deserialize)]
pub(crate) struct Searched {
    #[serde(default)]
    text: String,
    #[serde(default)]
    notice: String,
}

/// Finds users, and shows the date from which everybody must have a second factor.
pub(crate) async fn search(
    login: Administrator<SecondFactor<App>>,
    State(app): State<App>,
    Query(searched): Query<Searched>,
) -> Answer {
    let asked = Asked {
        notice: searched.notice,
        ..Asked::default()
    };
    let page = Search {
        frame: login.frame().saying(&asked),
        users: app.users().search(&searched.text).await?,
        text: searched.text,
        required_from: login.0.user.required_from.map(day).unwrap_or_default(),
    };
    show(&page, None)
}

/// Holds a date, or nothing.
#[derive(Deserialize)]
pub(crate) struct From {
    date: String,
}

/// Sets the date from which everybody must have a second factor.
pub(crate) async fn require(
    login: Administrator<SteppedUp<App>>,
    State(app): State<App>,
    session: Session,
    journal: Journal,
    Form(typed): Form<From>,
) -> Answer {
    let time = match typed.date.as_str() {
        "" => None,
        text => Some(midnight(text).ok_or_else(|| {
            Problem::said("That is not a date. Type it as year, month and day: 2027-03-01.")
        })?),
    };
    let (user, now) = (&login.0.user, login.0.mfa.now()?);
    let mut transaction = logins::begin_write(&app, &session).await?;
    Users::require_from(&mut *transaction, time).await?;
    transaction.commit().await?;
    journal.note(now, &user.id, "requirement_changed", Some(&user.email));
    go("/admin?notice=requirement")
}

fn midnight(text: &str) -> Option<UnixTime> {
    let date = time::Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
    let seconds = date.midnight().assume_utc().unix_timestamp();
    Some(UnixTime::from_secs(seconds.try_into().ok()?))
}

#[derive(Template)]
#[template(path = "log.html")]
struct Log {
    frame: Frame,
    log: journal::Page,
}

/// Shows what has happened to everybody.
pub(crate) async fn log(
    login: Administrator<SecondFactor<App>>,
    State(app): State<App>,
    Query(from): Query<journal::From>,
) -> Answer {
    let page = Log {
        frame: login.frame(),
        log: journal::page(app.pool(), None, from).await?,
    };
    show(&page, None)
}

#[derive(Template)]
#[template(path = "admin_user.html")]
struct OneUser {
    frame: Frame,
    user: User,
    is_self: bool,
    status: StatusReport,
    log: journal::Page,
    /// Holds a code that was just made.
    temporary: Option<RecoveryCode>,
}

async fn one(
    app: &App,
    login: &Login<User>,
    frame: Frame,
    user: User,
    temporary: Option<RecoveryCode>,
) -> Answer {
    let page = OneUser {
        frame,
        is_self: user.id == login.user.id,
        status: login.mfa.status().run(app.store(), &user.id).await?,
        log: journal::page(app.pool(), Some(&user.id), journal::From::default()).await?,
        user,
        temporary,
    };
    show(&page, None)
}

async fn found(app: &App, id: &str) -> Result<User, Problem> {
    app.users().by_id(id).await?.ok_or(Problem::NotFound)
}

/// Shows a user, with what can be done for them.
pub(crate) async fn user(
    login: Administrator<SecondFactor<App>>,
    State(app): State<App>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    let user = found(&app, &id).await?;
    one(&app, &login.0, login.frame().saying(&asked), user, None).await
}

/// Lets codes be tried again.
pub(crate) async fn unlock(
    login: Administrator<SteppedUp<App>>,
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
) -> Answer {
    let user = found(&app, &id).await?;
    let unlock = login.0.mfa.unlock(&login.named());
    logins::run(&app, &session, &user.id, unlock).await?;
    go(&format!("/admin/users/{id}?notice=unlocked"))
}

/// Takes every authenticator from a user who has lost them, and signs that user out.
pub(crate) async fn reset(
    login: Administrator<SteppedUp<App>>,
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
) -> Answer {
    let user = found(&app, &id).await?;
    let reset = login.0.mfa.reset(&login.named());
    let mut accepted = logins::accept(&app, &session, &user.id, reset).await?;
    end_logins(accepted.transaction(), &user.id, None).await?;
    accepted.commit().await?;
    go(&format!("/admin/users/{id}?notice=reset"))
}

/// Makes a code that signs in once, and shows it.
pub(crate) async fn temporary_code(
    login: Administrator<SteppedUp<App>>,
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
) -> Answer {
    let user = found(&app, &id).await?;
    let issue = login.0.mfa.issue_temporary_code(&login.named(), TEMPORARY);
    let code = logins::run(&app, &session, &user.id, issue).await?;
    one(&app, &login.0, login.frame(), user, Some(code)).await
}

/// Holds the new role.
#[derive(Deserialize)]
pub(crate) struct Role {
    is_administrator: bool,
}

/// Makes another an administrator, or takes that away.
pub(crate) async fn make_administrator(
    login: Administrator<SteppedUp<App>>,
    State(app): State<App>,
    session: Session,
    journal: Journal,
    Path(id): Path<String>,
    Form(role): Form<Role>,
) -> Answer {
    let user = found(&app, &id).await?;
    if user.id == login.0.user.id {
        return Err(Problem::said(
            "Ask another administrator to change your own role.",
        ));
    }
    let now = login.0.mfa.now()?;
    let mut transaction = logins::begin_write(&app, &session).await?;
    Users::set_administrator(&mut *transaction, &user.id, role.is_administrator).await?;
    transaction.commit().await?;
    let name = if role.is_administrator {
        "administrator_made"
    } else {
        "administrator_unmade"
    };
    journal.note(now, &user.id, name, Some(&login.0.user.email));
    go(&format!("/admin/users/{id}?notice=role"))
}
