//! Keeps logins in the session of a browser. To keep them otherwise, change this file alone.

use core::time::Duration;

use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::{Deserialize, Serialize};
use softtoken::association::{Enrolled, Operation, SignIn};
use softtoken::mfa::Request;
use softtoken::{Challenge, ChallengeSession, Error, Evidence, Grant, Rejection, SignedIn};
use softtoken_sqlx::{Accepted, SqliteStore, SqlxStoreError};
use sqlx::{Sqlite, Transaction};
use tower_sessions::Session;

use crate::app::App;
use crate::gate::{Gate, Login, Refused};
use crate::journal::Journal;
use crate::next::Next;
use crate::problem::Problem;
use crate::sessions::{USER, end_logins, is_there};
use crate::users::{User, random_id};

/// Names the member of a session that holds its login.
const LOGIN: &str = "login";

/// Names the member of a session that holds a sign-in which waits for its second factor. It is no
/// login, and opens nothing but the page for the code.
const CHALLENGE: &str = "challenge";

/// Bounds the age of a login: NIST SP 800-63B-4 section 2.2.3 has a day.
const LIFETIME: Duration = Duration::from_hours(24);

#[derive(Serialize, Deserialize)]
struct Kept {
    user: String,
    password_version: i64,
    grant: Grant,
}

/// Holds a sign-in whose password was right.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Waiting {
    /// Holds the text of the challenge session.
    pub(crate) session: String,
    /// Names the authenticators that have a code.
    pub(crate) names: Vec<String>,
    /// Says where the user wanted to go.
    pub(crate) next: Next,
}

/// Gives the session a new id, and nothing in it but whose it is: at every password that was right,
/// so that nobody who knew the old id is signed in.
///
/// The row is stored before anything is asked of the second factor. Whatever ends the user's logins
/// from then on ends this session too, and a row that is gone is not written again: no login that
/// was about to begin outlives a phone that is set up, or replaced, in the same moment. A new
/// password has ended the session before, with all others: nothing that ended it is undone here.
///
/// # Errors
///
/// Fails where the old session cannot be deleted, or the new one stored.
pub(crate) async fn renew(session: &Session, user: &User) -> Result<(), Problem> {
    session.clear().await;
    session.cycle_id().await?;
    session.insert(USER, &user.id).await?;
    Ok(session.save().await?)
}

/// Asks what a sign-in needs, in a session that is the user's already. The transaction waits for a
/// set-up that is being stored: either the answer knows of it, or it has yet to end this session.
///
/// # Errors
///
/// Fails where the store does.
pub(crate) async fn ask(
    app: &App,
    user: &User,
    sign_in: Request<SignIn>,
) -> Result<Challenge, Problem> {
    let asked = app.store().begin(&user.id, sign_in).await?;
    Ok(asked.commit().await?)
}

/// Begins a login, or goes on with it under a new grant, unless the session has been ended.
///
/// The id of the session stays the one of the password: a form that is sent twice then finds the
/// login that the first one has begun. Who has typed the password elsewhere cannot have a user
/// complete that sign-in: no other host can plant the cookie, whose name begins with `__Host-`.
///
/// # Errors
///
/// Fails where the session cannot be stored: there is no login then.
pub(crate) async fn begin(session: &Session, user: &User, grant: Grant) -> Result<(), Problem> {
    session.remove_value(CHALLENGE).await?;
    // By the id a token knows the login that set it up.
    let grant = match grant.id() {
        Some(_) => grant,
        None => grant.with_id(&random_id()?),
    };
    let kept = Kept {
        user: user.id.clone(),
        password_version: user.password_version,
        grant,
    };
    session.insert(LOGIN, kept).await?;
    Ok(session.save().await?)
}

/// Says whether an answer ends the logins that its user has in other browsers.
pub(crate) trait EndsOthers {
    /// Returns whether it does.
    fn ends_others(&self) -> bool;
}

impl EndsOthers for Evidence {
    fn ends_others(&self) -> bool {
        self.should_end_other_logins()
    }
}

impl EndsOthers for SignedIn {
    fn ends_others(&self) -> bool {
        matches!(self, Self::Proven(evidence) if evidence.ends_others())
    }
}

impl EndsOthers for Enrolled {
    /// Says yes: another browser may have signed in by less than is asked for from now on.
    fn ends_others(&self) -> bool {
        true
    }
}

/// Begins what the application writes on its own in the name of this session: whoever ends the
/// session has to wait for the commit, so that nothing is done by a login that has been ended.
///
/// # Errors
///
/// - [`Rejection::InvalidSession`] where the session has been ended.
/// - Fails where the database does.
pub(crate) async fn begin_write(
    app: &App,
    session: &Session,
) -> Result<Transaction<'static, Sqlite>, Problem> {
    let mut transaction = app.pool().begin_with("BEGIN IMMEDIATE").await?;
    if !is_there(&mut *transaction, session.id()).await? {
        return Err(Rejection::InvalidSession.into());
    }
    Ok(transaction)
}

/// Has a request decided, in a transaction that is to be committed, where this session is there
/// still, by the same transaction: one that was ended meanwhile does nothing.
///
/// # Errors
///
/// - [`Rejection::InvalidSession`] where the session has been ended: nothing was accepted.
/// - Fails where the request is refused: nothing was accepted.
/// - Fails where the database does: nothing was accepted.
pub(crate) async fn accept<O>(
    app: &App,
    session: &Session,
    subject: &str,
    request: Request<O>,
) -> Result<Accepted<Sqlite, O::Output>, Problem>
where
    O: Operation,
{
    let mut accepted = app.store().begin(subject, request).await?;
    if !is_there(accepted.transaction(), session.id()).await? {
        return Err(Rejection::InvalidSession.into());
    }
    Ok(accepted)
}

/// Has a request done that ends no login.
///
/// # Errors
///
/// - Fails where [`accept`] does: nothing was accepted.
/// - Fails where the database does: it may not be known whether the request was accepted.
pub(crate) async fn run<O>(
    app: &App,
    session: &Session,
    subject: &str,
    request: Request<O>,
) -> Result<O::Output, Problem>
where
    O: Operation,
{
    let accepted = accept(app, session, subject, request).await?;
    Ok(accepted.commit().await?)
}

/// Has a code judged, and the user's other logins ended where the answer ends them: both are stored
/// by one transaction, so that no crash leaves a browser signed in that should not be.
///
/// # Errors
///
/// - Fails where [`accept`] does: nothing was accepted.
/// - Fails where the database does: it may not be known whether the code was accepted.
pub(crate) async fn judge<O>(
    app: &App,
    session: &Session,
    user: &User,
    request: Request<O>,
) -> Result<O::Output, Problem>
where
    O: Operation,
    O::Output: EndsOthers,
{
    let mut accepted = accept(app, session, &user.id, request).await?;
    if accepted.output().ends_others() {
        end_logins(accepted.transaction(), &user.id, session.id()).await?;
    }
    Ok(accepted.commit().await?)
}

/// Ends the login of this session.
///
/// # Errors
///
/// Fails where the session cannot be deleted: the login goes on.
pub(crate) async fn end(session: &Session) -> Result<(), Problem> {
    Ok(session.flush().await?)
}

/// Keeps a sign-in that waits for its second factor.
///
/// # Errors
///
/// Fails where the session cannot be stored.
pub(crate) async fn wait(
    session: &Session,
    challenge: &ChallengeSession,
    names: Vec<String>,
    next: Next,
) -> Result<(), Problem> {
    let session_text = challenge.expose().to_owned();
    let waiting = Waiting {
        session: session_text,
        names,
        next,
    };
    Ok(session.insert(CHALLENGE, waiting).await?)
}

/// Returns the sign-in that waits, if one does.
///
/// # Errors
///
/// Fails where the session cannot be read.
pub(crate) async fn waiting(session: &Session) -> Result<Option<Waiting>, Problem> {
    Ok(session.get(CHALLENGE).await?)
}

impl Gate for App {
    type User = User;
    type Store = SqliteStore;
    const FRESH: Duration = Duration::from_mins(5);

    async fn login(&self, parts: &mut Parts) -> Result<Option<Login<User>>, Response> {
        find(self, parts).await.map_err(Problem::into_response)
    }

    fn store(&self) -> &SqliteStore {
        App::store(self)
    }

    fn refuse(&self, parts: &Parts, refused: Refused) -> Response {
        let next = Next::after(parts);
        let to = match refused {
            Refused::SignIn => next.by("/sign-in"),
            Refused::StepUp => next.by("/account/step-up"),
            Refused::SetUp => "/account/authenticators/new?notice=required".into(),
        };
        Redirect::to(&to).into_response()
    }

    fn fail(&self, error: Error<SqlxStoreError>) -> Response {
        Problem::from(error).into_response()
    }
}

async fn find(app: &App, parts: &Parts) -> Result<Option<Login<User>>, Problem> {
    let Some(session) = parts.extensions.get::<Session>() else {
        return Ok(None);
    };
    let Some(kept) = session.get::<Kept>(LOGIN).await? else {
        return Ok(None);
    };
    let Some(user) = app.users().by_id(&kept.user).await? else {
        return Ok(None);
    };
    let age = app.mfa().now()?.since(kept.grant.first_factor_at());
    if kept.password_version != user.password_version
        || kept.grant.subject() != user.id
        || age > LIFETIME
    {
        return Ok(None);
    }
    let journal = parts.extensions.get::<Journal>();
    let mfa = app.view(&user, &journal.cloned().unwrap_or_default())?;
    Ok(Some(Login {
        user,
        grant: kept.grant,
        mfa,
    }))
}
