//! Serves logins with a second factor by softtoken. `../before` is the same server with one that is
//! written by hand, and `../attacks` plays attacks against both.

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use softtoken::association::Operation;
use softtoken::mfa::Request;
use softtoken::{
    Challenge, Code, Context, Error, Factor, Grant, Mfa, OsEntropy, Policy, SessionKeys, UnixTime,
};
use softtoken_adopting_accounts::{Accounts, Clock, Credentials, Failure, UNAUTHORIZED};
use softtoken_sqlx::{SqliteStore, SqlxStoreError};
use sqlx::SqlitePool;

#[derive(Clone)]
struct App {
    accounts: Accounts,
    mfa: Mfa,
    store: SqliteStore,
}

/// Makes the server, whose challenges are signed with this key: the same in every process.
///
/// # Errors
///
/// [`Failure`]: the database fails.
pub async fn app(pool: SqlitePool, clock: Clock, key: &[u8; 32]) -> Result<Router, Failure> {
    let accounts = Accounts::open(pool.clone()).await?;
    let store = SqliteStore::new(pool);
    store.migrate().await?;
    let clock = move || Some(UnixTime::from_secs(clock()));
    let mfa = Mfa::new(Policy::STANDARD, clock, OsEntropy)
        .with_sessions(SessionKeys::from_bytes(1, key), Context::new("web")?);
    Ok(Router::new()
        .route("/sign-up", post(sign_up))
        .route("/login", post(log_in))
        .route("/login/code", post(code))
        .route("/me", get(me))
        .route("/second-factor", post(associate).put(verify).delete(remove))
        .route("/recovery-codes", post(recovery_codes))
        .with_state(App {
            accounts,
            mfa,
            store,
        }))
}

async fn sign_up(State(app): State<App>, Json(new): Json<Credentials>) -> Result<(), Failure> {
    app.accounts.sign_up(new).await
}

async fn log_in(
    State(app): State<App>,
    Json(given): Json<Credentials>,
) -> Result<Json<Value>, Failure> {
    let user = app.accounts.check(given).await?;
    let challenge = app.mfa.sign_in().run(&app.store, &user).await;
    let (challenge, login) = match challenge.map_err(refused)? {
        Challenge::NotRequired { .. } => app.begin(&user).await?,
        challenge => (challenge, String::new()),
    };
    Ok(Json(match challenge {
        Challenge::NotRequired { .. } => json!({ "login": login }),
        Challenge::SoftwareToken { session, .. } => json!({ "step": session.expose() }),
        Challenge::Setup { session, .. } => json!({ "set_up": session.expose() }),
    }))
}

impl App {
    /// Begins a login by the password alone, and asks again once its row is stored, in a transaction
    /// that waits for a set-up. One that ends meanwhile either finds the row and ends this login
    /// with the others, or is found by the question.
    async fn begin(&self, user: &str) -> Result<(Challenge, String), Failure> {
        let note = Grant::first_factor(user, self.mfa.now()?).to_bytes();
        let login = Accounts::begin(self.accounts.pool(), user, &note).await?;
        let again = self.store.begin(user, self.mfa.sign_in()).await;
        let mut again = again.map_err(refused)?;
        if !matches!(again.output(), Challenge::NotRequired { .. }) {
            Accounts::end(again.transaction(), &login).await?;
        }
        Ok((again.commit().await.map_err(refused)?, login))
    }

    /// Does what a login asks for where its row is there still, in one transaction.
    async fn run<O: Operation>(
        &self,
        login: &SignedIn,
        request: Request<O>,
    ) -> Result<O::Output, Failure> {
        let accepted = self.store.begin(login.grant.subject(), request).await;
        let mut accepted = accepted.map_err(refused)?;
        Accounts::login(accepted.transaction(), &login.token).await?;
        accepted.commit().await.map_err(refused)
    }
}

#[derive(Deserialize)]
struct Step {
    step: String,
    code: String,
}

/// Spends the code and writes the login in one transaction: both are stored, or neither is, also
/// where the client hangs up.
async fn code(
    State(app): State<App>,
    Json(Step { step, code }): Json<Step>,
) -> Result<Json<Value>, Failure> {
    let session = app.mfa.open(&step).map_err(refused)?;
    let factor = Factor::parse(&code).map_err(refused)?;
    let (user, respond) = (session.subject(), app.mfa.respond(&session, factor));
    let mut accepted = app.store.begin(user, respond).await.map_err(refused)?;
    let grant = Grant::from(accepted.output());
    let ends_others = accepted.output().should_end_other_logins();
    let rows = accepted.transaction();
    let login = Accounts::begin(&mut *rows, user, &grant.to_bytes()).await?;
    if ends_others {
        Accounts::end_others(rows, user, &login).await?;
    }
    drop(accepted.commit().await.map_err(refused)?);
    Ok(Json(json!({ "login": login })))
}

/// Is the login of a request.
struct SignedIn {
    token: String,
    grant: Grant,
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let header = parts.headers.get(AUTHORIZATION).ok_or(UNAUTHORIZED)?;
        let token = header
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("Bearer "));
        let token = token.ok_or(UNAUTHORIZED)?;
        let login = Accounts::login(app.accounts.pool(), token).await?;
        Ok(Self {
            token: token.into(),
            grant: Grant::from_bytes(&login.note, &login.user)?,
        })
    }
}

async fn me(login: SignedIn) -> Json<Value> {
    Json(json!({ "user": login.grant.subject() }))
}

async fn associate(State(app): State<App>, login: SignedIn) -> Result<Json<Value>, Failure> {
    let issued = app.run(&login, app.mfa.associate(&login.grant)).await?;
    Ok(Json(
        json!({ "secret": issued.secret().expose_base32().as_str() }),
    ))
}

#[derive(Deserialize)]
struct Typed {
    code: String,
}

/// Puts the phone in force and renews the grant of the login in one transaction.
async fn verify(
    State(app): State<App>,
    login: SignedIn,
    Json(Typed { code }): Json<Typed>,
) -> Result<Json<Value>, Failure> {
    let code = Code::parse(&code).map_err(refused)?;
    let user = login.grant.subject();
    let verify = app.mfa.verify(&login.grant, code);
    let mut accepted = app.store.begin(user, verify).await.map_err(refused)?;
    let grant = Grant::from(accepted.output().evidence());
    let rows = accepted.transaction();
    Accounts::note(&mut *rows, &login.token, &grant.to_bytes()).await?;
    Accounts::end_others(rows, user, &login.token).await?;
    drop(accepted.commit().await.map_err(refused)?);
    recovery_codes(State(app), SignedIn { grant, ..login }).await
}

/// Issues recovery codes, which take the place of those before: also for a user who has never seen
/// those, because the client hung up.
async fn recovery_codes(State(app): State<App>, login: SignedIn) -> Result<Json<Value>, Failure> {
    let issue = app.mfa.issue_recovery_codes(&login.grant);
    let codes = app.run(&login, issue).await?;
    let codes: Vec<_> = codes.iter().map(|code| code.expose().to_string()).collect();
    Ok(Json(json!({ "recovery_codes": codes })))
}

async fn remove(State(app): State<App>, login: SignedIn) -> Result<(), Failure> {
    app.run(&login, app.mfa.disassociate(&login.grant)).await
}

/// Answers what softtoken refuses: the client learns its name, and when to come back.
fn refused(error: impl Into<Error<SqlxStoreError>>) -> Failure {
    let error = error.into();
    match error {
        Error::Rejected {
            retry_after: Some(wait),
            ..
        } => Failure::Wait(error.name(), wait),
        Error::Malformed(_) | Error::Rejected { .. } => {
            Failure::Refused(StatusCode::UNAUTHORIZED, error.name())
        }
        Error::Fault(_) | Error::Store(_) => error.into(),
    }
}
