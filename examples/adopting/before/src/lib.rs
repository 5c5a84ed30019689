//! Serves logins with a second factor that is written by hand, on a crate that verifies codes: the
//! way such servers are usually written. `../after` is the same server with softtoken, and
//! `../attacks` plays attacks against both.

use axum::extract::{FromRequestParts, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use softtoken_adopting_accounts::{Accounts, Clock, Credentials, Failure, UNAUTHORIZED, random};
use sqlx::SqlitePool;
use totp_rs::{Builder, Secret};

/// Notes that a login waits for its code.
const HALF: &[u8] = b"half";
/// Notes that a login is complete.
const WHOLE: &[u8] = b"whole";

#[derive(Clone)]
struct App {
    accounts: Accounts,
    clock: Clock,
}

/// Makes the server.
///
/// # Errors
///
/// [`Failure`]: the database fails.
pub async fn app(pool: SqlitePool, clock: Clock) -> Result<Router, Failure> {
    let accounts = Accounts::open(pool).await?;
    sqlx::raw_sql(
        "create table if not exists tokens
         (user text primary key, secret text not null, enabled integer not null);
         create table if not exists recovery_codes (user text not null, code text not null);",
    )
    .execute(accounts.pool())
    .await?;
    Ok(Router::new()
        .route("/sign-up", post(sign_up))
        .route("/login", post(log_in))
        .route("/login/code", post(code))
        .route("/me", get(me))
        .route("/second-factor", post(associate).put(verify).delete(remove))
        .route("/recovery-codes", post(recovery_codes))
        .with_state(App { accounts, clock }))
}

async fn sign_up(State(app): State<App>, Json(new): Json<Credentials>) -> Result<(), Failure> {
    app.accounts.sign_up(new).await
}

async fn log_in(
    State(app): State<App>,
    Json(given): Json<Credentials>,
) -> Result<Json<Value>, Failure> {
    let user = app.accounts.check(given).await?;
    let (token, logins) = (app.token(&user).await?, app.accounts.pool());
    Ok(Json(match token {
        Some((_, true)) => json!({ "step": Accounts::begin(logins, &user, HALF).await? }),
        _ => json!({ "login": Accounts::begin(logins, &user, WHOLE).await? }),
    }))
}

#[derive(Deserialize)]
struct Step {
    step: String,
    code: String,
}

async fn code(
    State(app): State<App>,
    Json(Step { step, code }): Json<Step>,
) -> Result<Json<Value>, Failure> {
    let login = Accounts::login(app.accounts.pool(), &step).await?;
    if login.note != HALF {
        return Err(UNAUTHORIZED);
    }
    let (secret, _) = app.token(&login.user).await?.ok_or(UNAUTHORIZED)?;
    if !app.is_right(&secret, &code)? && !app.recovers(&login.user, &code).await? {
        return Err(UNAUTHORIZED);
    }
    Accounts::note(app.accounts.pool(), &step, WHOLE).await?;
    Ok(Json(json!({ "login": step })))
}

/// Is the login of a request.
struct SignedIn {
    user: String,
    is_whole: bool,
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let header = parts.headers.get(AUTHORIZATION).ok_or(UNAUTHORIZED)?;
        let token = header
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("Bearer "));
        let login = Accounts::login(app.accounts.pool(), token.ok_or(UNAUTHORIZED)?).await?;
        Ok(Self {
            is_whole: login.note == WHOLE,
            user: login.user,
        })
    }
}

async fn me(login: SignedIn) -> Result<Json<Value>, Failure> {
    if !login.is_whole {
        return Err(UNAUTHORIZED);
    }
    Ok(Json(json!({ "user": login.user })))
}

async fn associate(State(app): State<App>, login: SignedIn) -> Result<Json<Value>, Failure> {
    let secret = Secret::generate().to_base32();
    sqlx::query("insert or replace into tokens values (?, ?, 0)")
        .bind(login.user)
        .bind(&secret)
        .execute(app.accounts.pool())
        .await?;
    Ok(Json(json!({ "secret": secret })))
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

async fn verify(
    State(app): State<App>,
    login: SignedIn,
    Json(Code { code }): Json<Code>,
) -> Result<Json<Value>, Failure> {
    let (secret, _) = app.token(&login.user).await?.ok_or(UNAUTHORIZED)?;
    if !app.is_right(&secret, &code)? {
        return Err(UNAUTHORIZED);
    }
    sqlx::query("update tokens set enabled = 1 where user = ?")
        .bind(&login.user)
        .execute(app.accounts.pool())
        .await?;
    recovery_codes(State(app), login).await
}

async fn recovery_codes(State(app): State<App>, login: SignedIn) -> Result<Json<Value>, Failure> {
    let pool = app.accounts.pool();
    sqlx::query("delete from recovery_codes where user = ?")
        .bind(&login.user)
        .execute(pool)
        .await?;
    let mut codes = Vec::new();
    for _ in 0..10 {
        let code = random()?;
        sqlx::query("insert into recovery_codes values (?, ?)")
            .bind(&login.user)
            .bind(&code)
            .execute(pool)
            .await?;
        codes.push(code);
    }
    Ok(Json(json!({ "recovery_codes": codes })))
}

async fn remove(State(app): State<App>, login: SignedIn) -> Result<(), Failure> {
    sqlx::query("delete from tokens where user = ?")
        .bind(login.user)
        .execute(app.accounts.pool())
        .await?;
    Ok(())
}

impl App {
    /// Returns the secret of a user, and whether it is enabled.
    async fn token(&self, user: &str) -> Result<Option<(String, bool)>, Failure> {
        let token = sqlx::query_as("select secret, enabled from tokens where user = ?")
            .bind(user)
            .fetch_optional(self.accounts.pool())
            .await?;
        Ok(token)
    }

    fn is_right(&self, secret: &str, code: &str) -> Result<bool, Failure> {
        let secret = Secret::try_from_base32(secret)?;
        let totp = Builder::new().with_secret(secret).build()?;
        Ok(totp.check(code.trim(), (self.clock)()).is_some())
    }

    /// Takes a recovery code away, where the user has it.
    async fn recovers(&self, user: &str, code: &str) -> Result<bool, Failure> {
        let pool = self.accounts.pool();
        let found = sqlx::query("select 1 from recovery_codes where user = ? and code = ?")
            .bind(user)
            .bind(code)
            .fetch_optional(pool)
            .await?;
        if found.is_none() {
            return Ok(false);
        }
        sqlx::query("delete from recovery_codes where user = ? and code = ?")
            .bind(user)
            .bind(code)
            .execute(pool)
            .await?;
        Ok(true)
    }
}
