//! Enrols a user and logs in, with a login of the server's own in the same transaction:
//!
//! ```text
//! cargo run -p softtoken-sqlx --features sqlite --example log_in [FILE]
//! ```
//!
//! Without a file all is in memory. The authenticator app is part of it.

use core::error::Error;
use std::env;

use softtoken::totp::{Code, Verifier};
use softtoken::{
    Challenge, ChallengeSession, Context, Error as MfaError, Evidence, Grant, Mfa, OsEntropy,
    Policy, SessionKeys,
};
use softtoken_sqlx::{SqliteStore, SqlxStoreError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};

const LOGINS: &str =
    "CREATE TABLE IF NOT EXISTS logins (user_id TEXT NOT NULL, device TEXT NOT NULL)";

/// Logs in a user who answers a challenge. The login is written in the transaction in which the
/// code is spent; a rejection is counted, and no login is written.
async fn log_in(
    store: &SqliteStore,
    mfa: &Mfa,
    session: &ChallengeSession,
    code: Code,
    device: &str,
) -> Result<Evidence, MfaError<SqlxStoreError>> {
    let request = mfa.respond(session, code);
    let mut accepted = store.begin(session.subject(), request).await?;
    let login = sqlx::query("INSERT INTO logins (user_id, device) VALUES (?, ?)")
        .bind(session.subject())
        .bind(device);
    let written = login.execute(accepted.transaction()).await;
    // Where it fails, both are rolled back: nobody is let in, and the code is not spent.
    written.map_err(|error| MfaError::Store(error.into()))?;
    accepted.commit().await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::new(pool().await?);
    store.migrate().await?;
    sqlx::raw_sql(LOGINS).execute(store.pool()).await?;
    // Yours outlive the process, and come from where its other secrets do.
    let mfa = Mfa::system(Policy::STANDARD)
        .with_sessions(SessionKeys::generate(1, &OsEntropy)?, Context::new("web")?);

    let now = mfa.now()?;
    let user = format!("user-{}", now.as_secs());
    let grant = Grant::first_factor(&user, now);
    let issued = mfa
        .associate(&grant)
        .named("phone")
        .run(&store, &user)
        .await?;
    let app = Verifier::new(issued.secret(), issued.totp());
    let step = issued.totp().step(now);
    let verify = mfa.verify(&grant, app.code(step.saturating_offset(-1)));
    let _enrolled = verify.run(&store, &user).await?;

    for (what, code) in [
        ("the code", app.code(step)),
        ("the same code", app.code(step)),
        ("the next code", app.code(step.saturating_offset(1))),
    ] {
        let Challenge::SoftwareToken { session, .. } = mfa.sign_in().run(&store, &user).await?
        else {
            return Err("a verified token is asked for".into());
        };
        let answer = log_in(&store, &mfa, &session, code, "browser").await;
        let select = "SELECT count(*) FROM logins WHERE user_id = ?";
        let select = sqlx::query_scalar(select).bind(&user);
        let logins: i64 = select.fetch_one(store.pool()).await?;
        let said = answer.map_or_else(|error| error.to_string(), |_evidence| "logged in".into());
        println!("{what:14} logins: {logins}   {said}");
    }
    Ok(())
}

async fn pool() -> Result<SqlitePool, sqlx::Error> {
    match env::args_os().nth(1) {
        None => {
            // Each connection has a memory of its own.
            let pool = SqlitePoolOptions::new().max_connections(1);
            pool.connect("sqlite::memory:").await
        }
        Some(file) => {
            let options = SqliteConnectOptions::new()
                .filename(file)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal);
            SqlitePool::connect_with(options).await
        }
    }
}
