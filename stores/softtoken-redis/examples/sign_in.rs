//! Enrols a user and signs in, in Redis:
//!
//! ```text
//! cargo run -p softtoken-redis --example sign_in redis://127.0.0.1:6379
//! ```
//!
//! It asks for nothing: the authenticator app is part of it. Each run enrols another user.

use core::error::Error;
use std::process::ExitCode;
use std::{env, process};

use softtoken::record::Keyring;
use softtoken::totp::Verifier;
use softtoken::{Challenge, Context, Grant, Mfa, OsEntropy, Policy, SessionKeys};
use softtoken_redis::RedisStore;

const NO_SERVER: &str = "Name a server as the argument or in REDIS_URL:
    cargo run -p softtoken-redis --example sign_in redis://127.0.0.1:6379
One to try it with, from the package redis-server (valkey-server takes the same arguments):
    redis-server --port 6379 --bind 127.0.0.1 --dir /tmp --appendonly yes --appendfsync always";

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
    let url = env::args().nth(1).or_else(|| env::var("REDIS_URL").ok());
    let url = url.ok_or(NO_SERVER)?;
    let store = RedisStore::connect(&url).await.map_err(|error| {
        let cause = error.source().map(|cause| format!(": {cause}"));
        format!("{error}{}\n\n{NO_SERVER}", cause.unwrap_or_default())
    })?;
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
    let verify = mfa.verify(&grant, app.code(step));
    let enrolled = verify.run(&store, &user).await?;
    println!("enrolled           {}", enrolled.evidence().subject());

    let sign_in = mfa.sign_in();
    let Challenge::SoftwareToken { session, .. } = sign_in.run(&store, &user).await? else {
        return Err("a verified token is asked for".into());
    };
    // That of the step is spent; so the app's clock is a little ahead.
    let code = app.code(step.saturating_offset(1));
    let respond = mfa.respond(&session, code.clone());
    let evidence = respond.run(&store, &user).await?;
    println!("signed in          amr {}", evidence.amr().join(" "));

    drop(store);
    let again = RedisStore::connect(&url).await?;
    let replay = mfa.sign_in_with(Some(code.into()));
    match replay.run(&again, &user).await {
        Ok(_evidence) => Err("a code was accepted twice".into()),
        Err(error) => {
            println!("connected again    the same code: {error}");
            Ok(())
        }
    }
}
