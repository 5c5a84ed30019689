//! Enrols a user in an SQLite file, and signs in with a row of the server's own in the same
//! transaction:
//!
//! ```text
//! cargo run -p softtoken-diesel --features sqlite --example own_rows [FILE]
//! ```
//!
//! It asks for nothing: the authenticator app is part of it. Each run enrols another user.
#![allow(missing_docs, reason = "diesel::table! writes none")]

use core::error::Error;
use std::path::PathBuf;
use std::{env, process};

use diesel::connection::SimpleConnection as _;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};
use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _, SqliteConnection};
use softtoken::record::Keyring;
use softtoken::totp::Verifier;
use softtoken::{Challenge, Code, Context, Grant, Mfa, OsEntropy, Policy, SessionKeys};
use softtoken_diesel::{SQLITE_SETTINGS, SqliteStore};

type Failure = Box<dyn Error + Send + Sync>;

diesel::table! {
    logins (id) {
        id -> Integer,
        subject -> Text,
    }
}

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS logins (id INTEGER PRIMARY KEY, subject TEXT NOT NULL)";

#[derive(Debug)]
struct Settings;

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for Settings {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        Ok(connection.batch_execute(SQLITE_SETTINGS)?)
    }
}

fn main() -> Result<(), Failure> {
    let file = env::args_os().nth(1).map_or_else(
        || env::temp_dir().join("softtoken-diesel.sqlite3"),
        PathBuf::from,
    );
    println!("file            {}", file.display());
    let pool = Pool::builder()
        .connection_customizer(Box::new(Settings))
        .build(ConnectionManager::new(file.to_string_lossy()))?;
    let store = SqliteStore::new(pool);
    store.migrate()?;
    store.pool().get()?.batch_execute(TABLE)?;
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

    // The code of the step is spent; so the app's clock is a little ahead.
    let next = app.code(step.saturating_offset(1));
    for (what, code) in [("the next code", next.clone()), ("the same code", next)] {
        let said = match log_in(&store, &mfa, &user, code) {
            Ok(id) => format!("logged in as login {id}"),
            Err(error) => error.to_string(),
        };
        let rows = logins::table.filter(logins::subject.eq(&user)).count();
        let rows: i64 = rows.get_result(&mut *store.pool().get()?)?;
        println!("{what}   {said}; logins: {rows}");
    }
    Ok(())
}

/// Logs in a user whose password was right, and returns the login's id.
fn log_in(store: &SqliteStore, mfa: &Mfa, user: &str, code: Code) -> Result<i32, Failure> {
    let Challenge::SoftwareToken { session, .. } = mfa.sign_in().run_blocking(store, user)? else {
        return Err("a verified token is asked for".into());
    };
    let request = mfa.respond(&session, code);
    let (_evidence, id) = store.transaction(user, &request, |connection, evidence| {
        let login = logins::subject.eq(evidence.subject());
        let insert = diesel::insert_into(logins::table).values(login);
        insert.execute(connection)?;
        let newest = logins::table.select(logins::id).order(logins::id.desc());
        Ok::<_, Failure>(newest.first(connection)?)
    })?;
    // Committed: the login may be told of.
    Ok(id)
}
