//! Enrols a user and signs in, in an SQLite file:
//!
//! ```text
//! cargo run -p softtoken-sqlite [FILE]
//! ```
//!
//! It asks for nothing: the authenticator app is part of it. Each run enrols another user.

use core::error::Error;
use std::env;
use std::path::PathBuf;
use std::process;

use softtoken::record::Keyring;
use softtoken::totp::Verifier;
use softtoken::{Challenge, Context, Grant, Mfa, OsEntropy, Policy, SessionKeys};
use softtoken_sqlite::SqliteStore;

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args_os().nth(1).map_or_else(
        || env::temp_dir().join("softtoken-example.sqlite3"),
        PathBuf::from,
    );
    println!("file            {}", file.display());
    let store = SqliteStore::open(&file)?;
    // Yours outlive the process, and come from where its other secrets do.
    let mfa = Mfa::system(Policy::STANDARD)
        .with_sessions(SessionKeys::generate(1, &OsEntropy)?, Context::new("web")?)
        .sealed(Keyring::generate(1, &OsEntropy)?)
        .seal_label("example/softtoken");

    let now = mfa.now()?;
    let user = format!("user-{}-{}", now.as_secs(), process::id());
    let grant = Grant::first_factor(&user, now).with_id("the access token's jti");
    let associate = mfa.associate(&grant).named("phone");
    let issued = associate.run_blocking(&store, &user)?;
    let app = Verifier::new(issued.secret(), issued.totp());
    let step = issued.totp().step(now);
    let verify = mfa.verify(&grant, app.code(step));
    let enrolled = verify.run_blocking(&store, &user)?;
    println!("enrolled        {}", enrolled.evidence().subject());

    let sign_in = mfa.sign_in();
    let Challenge::SoftwareToken { session, .. } = sign_in.run_blocking(&store, &user)? else {
        return Err("a verified token is asked for".into());
    };
    // That of the step is spent; so the app's clock is a little ahead.
    let code = app.code(step.saturating_offset(1));
    let respond = mfa.respond(&session, code.clone());
    let evidence = respond.run_blocking(&store, &user)?;
    println!("signed in       amr {}", evidence.amr().join(" "));

    drop(store);
    let reopened = SqliteStore::open(&file)?;
    let replay = mfa.sign_in_with(Some(code.into()));
    match replay.run_blocking(&reopened, &user) {
        Ok(_evidence) => Err("a code was accepted twice".into()),
        Err(error) => {
            println!("opened again    the same code: {error}");
            Ok(())
        }
    }
}
