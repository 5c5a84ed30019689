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

use softtoken::totp::Verifier;
use softtoken::{
    Challenge, Clock as _, Context, Grant, Keyring, Mfa, OsEntropy, Policy, SessionKeys,
    SystemClock,
};
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
    // In truth both keys outlive the process, and come from where its other secrets do.
    let mfa = Mfa::system(Policy::STANDARD)
        .sessions(SessionKeys::generate(1, &OsEntropy)?)
        .sealed(Keyring::generate(1, &OsEntropy)?);

    let now = SystemClock.now().ok_or("it is before 1970")?;
    let user = format!("user-{}-{}", now.as_secs(), process::id());
    let grant = Grant::first_factor(now).id("the access token's jti");
    let issued = mfa.associate(grant.clone()).run(&store, &user).await?;
    let app = Verifier::new(issued.secret(), issued.totp());
    let step = issued.totp().step(now);
    let verify = mfa.verify(grant, app.code(step.saturating_offset(-1)));
    let enrolled = verify.named("phone").run(&store, &user).await?;
    println!("enrolled     {}", enrolled.evidence().subject());

    let sign_in = mfa.sign_in(Context::new("web")?);
    let Challenge::SoftwareToken { session, .. } = sign_in.run(&store, &user).await? else {
        return Err("a verified token is asked for".into());
    };
    let respond = mfa.respond(&session, app.code(step));
    let evidence = respond.run(&store, &user).await?;
    println!("signed in    amr {}", evidence.amr().join(" "));

    println!("\nWith a row of the server's own in the same transaction:");
    for (what, code) in [
        ("the same code", app.code(step)),
        ("the next code", app.code(step.saturating_offset(1))),
    ] {
        let answer = log_in(&store, &mfa, &user, code).await;
        let client = store.client().await?;
        let select = "SELECT logins FROM logins WHERE subject = $1";
        let row = client.query_opt(select, &[&user]).await?;
        let logins = row.map_or(0, |row| row.get::<_, i64>(0));
        let said = answer.map_or_else(|error| error.to_string(), |_evidence| "logged in".into());
        println!("{what}    logins: {logins}    {said}");
    }
    Ok(())
}
