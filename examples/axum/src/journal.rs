//! Keeps what happens in a request, for the user's own log and the administrators', and tells the
//! user by mail what somebody else may have done.

use core::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use softtoken::association::{Actor, EventKind};
use softtoken::{Event, UnixTime};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use crate::app::App;
use crate::mail;
use crate::problem::Problem;

/// Collects the events of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<Entry>>>);

/// Holds one event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// Tells the time.
    pub(crate) at: UnixTime,
    /// Names the user whom it happened to.
    pub(crate) user: String,
    /// Names the event.
    pub(crate) name: String,
    /// Names the authenticator.
    pub(crate) token: Option<String>,
    /// Names the administrator.
    pub(crate) by: Option<String>,
    /// Tells the client's address.
    pub(crate) address: Option<String>,
}

impl Journal {
    /// Returns an audit for [`Mfa::with_audit`](softtoken::Mfa::with_audit).
    pub(crate) fn audit(&self) -> impl Fn(&str, &Event) + Send + Sync + 'static + use<> {
        let journal = self.clone();
        move |user, event| {
            // The gate looks before every page; what it sees is no news.
            if event.operation == "check" || event.operation == "status" {
                return;
            }
            let token = event.token.as_ref().and_then(|token| token.name.as_deref());
            let by = match &event.actor {
                Actor::Administrator { name, .. } => Some(name.to_string()),
                _ => None,
            };
            journal.push(Entry {
                at: event.at,
                user: user.to_owned(),
                name: match &event.kind {
                    // What the user was told, or was not.
                    EventKind::Refused { rejection, .. } => format!("refused_{}", rejection.name()),
                    EventKind::RecoveryCodeUsed {
                        temporary: true, ..
                    } => "temporary_code_used".into(),
                    kind => kind.name().to_owned(),
                },
                token: token.map(ToOwned::to_owned),
                by,
                address: None,
            });
        }
    }

    /// Notes an event of the application's own.
    pub(crate) fn note(&self, at: UnixTime, user: &str, name: &str, by: Option<&str>) {
        self.push(Entry {
            at,
            user: user.to_owned(),
            name: name.to_owned(),
            token: None,
            by: by.map(ToOwned::to_owned),
            address: None,
        });
    }

    fn push(&self, entry: Entry) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(entry);
    }

    fn take(&self) -> Vec<Entry> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        core::mem::take(&mut *entries)
    }
}

impl<S: Sync> FromRequestParts<S> for Journal {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

/// Runs a request in a task of its own, so that what was begun is finished and written down even
/// where the client hangs up, and then writes its events.
pub(crate) async fn keep(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = address.map(|ConnectInfo(address)| address.ip().to_string());
    let journal = Journal::default();
    request.extensions_mut().insert(journal.clone());
    let finished = tokio::spawn(async move {
        let response = next.run(request).await;
        for mut entry in journal.take() {
            entry.address.clone_from(&address);
            if let Err(problem) = write(&app, &entry).await {
                tracing::error!(?problem, ?entry, "an event is not in the log");
            }
        }
        response
    });
    match finished.await {
        Ok(response) => response,
        Err(error) => Problem::broken(error).into_response(),
    }
}

async fn write(app: &App, entry: &Entry) -> Result<(), Problem> {
    sqlx::query(
        "INSERT INTO events (at, user, name, token, by, address) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(i64::try_from(entry.at.as_secs()).unwrap_or(i64::MAX))
    .bind(&entry.user)
    .bind(&entry.name)
    .bind(&entry.token)
    .bind(&entry.by)
    .bind(&entry.address)
    .execute(app.pool())
    .await?;
    mail::tell(app, entry).await
}

/// Limits how many events a page shows.
const ON_A_PAGE: usize = 100;

/// Holds the query of a log's page.
#[derive(Clone, Copy, Default, Deserialize)]
pub(crate) struct From {
    /// Names the event before which the page begins; without it the page begins with the newest.
    before: Option<i64>,
}

/// Holds a page of a log, the newest event first.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// Names the event before which the next page begins, where there is one.
    pub(crate) older: Option<i64>,
}

/// Returns events of a user, or of everybody. None is ever out of reach: whoever makes many of them
/// hides nothing behind them.
///
/// # Errors
///
/// Fails where the database does.
pub(crate) async fn page(
    pool: &SqlitePool,
    user: Option<&str>,
    from: From,
) -> Result<Page, Problem> {
    let mut rows = sqlx::query(
        "SELECT events.id AS id, at, coalesce(email, user) AS user, name, token, by, address \
         FROM events LEFT JOIN users ON users.id = events.user \
         WHERE (?1 IS NULL OR user = ?1) AND (?2 IS NULL OR events.id < ?2) \
         ORDER BY events.id DESC LIMIT ?3",
    )
    .bind(user)
    .bind(from.before)
    .bind(i64::try_from(ON_A_PAGE + 1).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await?;
    let is_all = rows.len() <= ON_A_PAGE;
    rows.truncate(ON_A_PAGE);
    let last = rows.last().filter(|_| !is_all);
    Ok(Page {
        older: last.map(|row| row.try_get("id")).transpose()?,
        entries: rows.iter().map(entry).collect::<Result<_, _>>()?,
    })
}

fn entry(row: &SqliteRow) -> Result<Entry, sqlx::Error> {
    let at: i64 = row.try_get("at")?;
    Ok(Entry {
        at: UnixTime::from_secs(u64::try_from(at).unwrap_or(0)),
        user: row.try_get("user")?,
        name: row.try_get("name")?,
        token: row.try_get("token")?,
        by: row.try_get("by")?,
        address: row.try_get("address")?,
    })
}

impl Entry {
    /// Says what happened.
    #[must_use]
    pub(crate) fn sentence(&self) -> String {
        let token = self.token.as_deref();
        let named = |before: &str| match token {
            Some(name) => format!("{before} “{name}”"),
            None => before.to_owned(),
        };
        match self.name.as_str() {
            "signed_up" => "The account was created".into(),
            "signed_in_by_password" => "Signed in by password".into(),
            "wrong_password" => "A wrong password was typed".into(),
            "signed_out" => "Signed out".into(),
            "password_changed" => "The password was changed".into(),
            "administrator_made" => "The account became an administrator’s".into(),
            "administrator_unmade" => "The account is an administrator’s no more".into(),
            "requirement_changed" => "The date from which everybody must enrol was changed".into(),
            "associated" => named("A QR code was shown for the authenticator"),
            "verified" | "added" => named("An authenticator was set up:"),
            "replaced" => named("An authenticator was replaced by"),
            "removed" => named("An authenticator was removed:"),
            "renamed" => named("An authenticator was renamed to"),
            "signed_in" => named("A code was accepted:"),
            "preference_changed" => "The second factor was switched".into(),
            "recovery_codes_issued" => "New recovery codes were shown".into(),
            "recovery_code_used" => "A recovery code was used".into(),
            "temporary_code_used" => "A temporary code was used".into(),
            "temporary_code_issued" => "A temporary code was issued".into(),
            "browser_remembered" => "A browser was remembered".into(),
            "browser_accepted" => "A remembered browser was not asked for a code".into(),
            "browsers_forgotten" => "All remembered browsers were forgotten".into(),
            "disassociated" => "The second factor was turned off".into(),
            "pending_removed" => "Setting up an authenticator was given up".into(),
            "reset" => "The second factor was reset".into(),
            "unlocked" => "Codes were unlocked".into(),
            "resynchronised" => named("The clock was found to be off: of the authenticator"),
            "refused_mismatch" => "A wrong code was typed".into(),
            "refused_second_factor_required" | "refused_reauthentication_required" => {
                "A change was refused before it was confirmed".into()
            }
            "throttled" => "A code came too early after wrong ones".into(),
            "locked" => "Codes were locked".into(),
            "password_probably_known" => "Somebody has the password, and guesses codes".into(),
            "reused_code" => "A code was typed a second time".into(),
            other => other.replace('_', " "),
        }
    }
}
