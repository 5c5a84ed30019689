//! Enrols a user and signs in, in PostgreSQL:
//!
//! ```text
//! cargo run -p softtoken-postgres postgres://postgres@127.0.0.1/postgres
//! ```
//!
//! It asks for nothing: the authenticator app is part of it. Each run enrols another user.

use core::error::Error;
use std::env;
use std::process::{self, ExitCode};

use softtoken::record::Keyring;
use softtoken::totp::Verifier;
use softtoken::{Challenge, ChallengeSession, Context, Grant, Mfa, OsEntropy, Policy, SessionKeys};
use softtoken_postgres::{PostgresStore, log_in};

const LOGINS: &str =
    "CREATE TABLE IF NOT EXISTS logins (subject TEXT PRIMARY KEY, logins BIGINT NOT NULL)";

const NO_SERVER: &str = "Name a database as the argument or in DATABASE_URL:
    cargo run -p softtoken-postgres postgres://postgres@127.0.0.1:5432/postgres
One to try it with, from the package postgresql, not as root (Debian keeps its programs in /usr/lib/postgresql/*/bin):
    initdb --auth=trust --username=postgres /tmp/softtoken-postgres
    postgres -D /tmp/softtoken-postgres -k /tmp";

#[tokio::main]
async fn main() -> ExitCode {
    match enrol_and_sign_in().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn enrol_and_sign_in() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).or_else(|| env::var("DATABASE_URL").ok());
    let store = PostgresStore::new(&url.ok_or(NO_SERVER)?, 4)?;
    if let Err(error) = store.migrate().await {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        return Err(format!("{error}: {cause}\n\n{NO_SERVER}").into());
    }
    store.client().await?.batch_execute(LOGINS).await?;
    // Yours outlive the process, and come from where its other secrets do.
    let mfa = Mfa::system(Policy::STANDARD)
        .with_sessions(SessionKeys::generate(1, &OsEntropy)?, Context::new("web")?)
        .sealed(Keyring::generate(1, &OsEntropy)?)
        .seal_label("example/softtoken");

    let now = mfa.now()?;
    let user = format!("user-{}-{}", now.as_secs(), process::id());
    let grant = Grant::first_factor(&user, now).with_id("the access token's jti");
    let associate = mfa.associate(&grant).named("phone");
    let issued = associate.run(&store, &user).await?;
    let app = Verifier::new(issued.secret(), issued.totp());
    let step = issued.totp().step(now);
    let verify = mfa.verify(&grant, app.code(step.saturating_offset(-1)));
    let enrolled = verify.run(&store, &user).await?;
    println!("enrolled     {}", enrolled.evidence().subject());

    let session = challenge(&mfa, &store, &user).await?;
    let respond = mfa.respond(&session, app.code(step));
    let evidence = respond.run(&store, &user).await?;
    println!("signed in    amr {}", evidence.amr().join(" "));

    println!("\nWith a row of the server's own in the same transaction:");
    for (what, code) in [
        ("the same code", app.code(step)),
        ("the next code", app.code(step.saturating_offset(1))),
    ] {
        let session = challenge(&mfa, &store, &user).await?;
        let answer = log_in(&store, &mfa, &session, code.into()).await;
        let client = store.client().await?;
        let select = "SELECT logins FROM logins WHERE subject = $1";
        let row = client.query_opt(select, &[&user]).await?;
        let logins = row.map_or(0, |row| row.get::<_, i64>(0));
        let said = answer.map_or_else(|error| error.to_string(), |_evidence| "logged in".into());
        println!("{what}    logins: {logins}    {said}");
    }
    Ok(())
}

/// Asks for the second factor of a user whose password was right.
async fn challenge(
    mfa: &Mfa,
    store: &PostgresStore,
    user: &str,
) -> Result<ChallengeSession, Box<dyn Error>> {
    match mfa.sign_in().run(store, user).await? {
        Challenge::SoftwareToken { session, .. } => Ok(session),
        Challenge::Setup { .. } | Challenge::NotRequired { .. } => {
            Err("a verified token is asked for".into())
        }
    }
}
