//! Keeps users, passwords and logins.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix_web::http::StatusCode;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{self, ConnectionManager, CustomizeConnection};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use softtoken::entropy::Entropy as _;
use softtoken::{Grant, OsEntropy};
use softtoken_diesel::SQLITE_SETTINGS;

use crate::failure::{Failure, UNAUTHORIZED};

diesel::table! {
    users (name) {
        name -> Text,
        password -> Text,
    }
}

diesel::table! {
    logins (key) {
        key -> Binary,
        user -> Text,
        grant -> Binary,
    }
}

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, password TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS logins
    (key BLOB PRIMARY KEY, user TEXT NOT NULL, \"grant\" BLOB NOT NULL);";

pub(crate) type Pool = r2d2::Pool<ConnectionManager<SqliteConnection>>;

/// Holds what a user types to sign up or to log in.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    user: String,
    password: String,
}

/// Keeps users and logins in a database.
#[derive(Clone)]
pub(crate) struct Accounts {
    pool: Pool,
    /// Stands in where there is no such user, who then takes as long as another.
    nobody: Arc<str>,
}

#[derive(Debug)]
struct Settings;

impl CustomizeConnection<SqliteConnection, r2d2::Error> for Settings {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), r2d2::Error> {
        Ok(connection.batch_execute(SQLITE_SETTINGS)?)
    }
}

impl Accounts {
    /// Opens the database in this file, and makes the tables where there are none.
    pub(crate) fn open(file: &str) -> Result<Self, Failure> {
        let pool = Pool::builder()
            .min_idle(Some(1))
            .connection_customizer(Box::new(Settings))
            .build(ConnectionManager::new(file))
            .map_err(Failure::internal)?;
        let nobody = hash("nobody")?.into();
        let accounts = Self { pool, nobody };
        accounts.ask(|database| database.batch_execute(TABLES))?;
        Ok(accounts)
    }

    /// Returns the database, for the second factors.
    pub(crate) fn pool(&self) -> Pool {
        self.pool.clone()
    }

    /// Creates a user, whose name has as many bytes as a subject may.
    pub(crate) fn sign_up(&self, new: &Credentials) -> Result<(), Failure> {
        if !(1..=256).contains(&new.user.len()) {
            return Err(Failure::Refused(StatusCode::UNPROCESSABLE_ENTITY, "name"));
        }
        let hash = hash(&new.password)?;
        let row = (users::name.eq(&new.user), users::password.eq(hash));
        let insert = diesel::insert_or_ignore_into(users::table).values(row);
        match self.ask(|database| insert.execute(database))? {
            0 => Err(Failure::Refused(StatusCode::CONFLICT, "user exists")),
            _ => Ok(()),
        }
    }

    /// Returns the user, where the password is right.
    pub(crate) fn check(&self, given: Credentials) -> Result<String, Failure> {
        let Credentials { user, password } = given;
        let row = users::table.find(&user).select(users::password);
        let kept: Option<String> = self.ask(|database| row.first(database).optional())?;
        let hash = PasswordHash::new(kept.as_deref().unwrap_or(&self.nobody));
        let hash = hash.map_err(Failure::internal)?;
        let verified = Argon2::default().verify_password(password.as_bytes(), &hash);
        (verified.is_ok() && kept.is_some())
            .then_some(user)
            .ok_or(UNAUTHORIZED)
    }

    /// Begins a login, and returns its token.
    pub(crate) fn begin(&self, grant: &Grant) -> Result<String, Failure> {
        begin(&mut *self.connection()?, grant)
    }

    /// Returns the grant of the login that has this token.
    pub(crate) fn login(&self, token: &str) -> Result<Grant, Failure> {
        login(&mut *self.connection()?, token)
    }

    fn ask<T>(
        &self,
        statement: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
    ) -> Result<T, Failure> {
        statement(&mut *self.connection()?).map_err(Failure::internal)
    }

    fn connection(
        &self,
    ) -> Result<r2d2::PooledConnection<ConnectionManager<SqliteConnection>>, Failure> {
        self.pool.get().map_err(Failure::internal)
    }
}

/// Begins a login over a connection, which may be in a transaction. Returns the token.
pub(crate) fn begin(database: &mut SqliteConnection, grant: &Grant) -> Result<String, Failure> {
    let mut random = [0; 16];
    OsEntropy.fill(&mut random).map_err(Failure::internal)?;
    let token = format!("{:032x}", u128::from_be_bytes(random));
    let row = (
        logins::key.eq(key(&token)),
        logins::user.eq(grant.subject()),
        logins::grant.eq(grant.to_bytes()),
    );
    let insert = diesel::insert_into(logins::table).values(row);
    insert.execute(database).map_err(Failure::internal)?;
    Ok(token)
}

/// Returns the grant of the login that has this token, over a connection, which may be in a
/// transaction.
pub(crate) fn login(database: &mut SqliteConnection, token: &str) -> Result<Grant, Failure> {
    let row = logins::table.find(key(token));
    let row = row.select((logins::user, logins::grant));
    let row: Option<(String, Vec<u8>)> =
        row.first(database).optional().map_err(Failure::internal)?;
    let (user, grant) = row.ok_or(UNAUTHORIZED)?;
    Grant::from_bytes(&grant, &user).map_err(Failure::internal)
}

/// Replaces the grant of a login over a connection, which may be in a transaction. Roll that back
/// where it fails: a login may have been ended since its request was let in.
pub(crate) fn renew(
    database: &mut SqliteConnection,
    token: &str,
    grant: &Grant,
) -> Result<(), Failure> {
    let row = diesel::update(logins::table.find(key(token)));
    let update = row.set(logins::grant.eq(grant.to_bytes()));
    match update.execute(database).map_err(Failure::internal)? {
        1 => Ok(()),
        _ => Err(UNAUTHORIZED),
    }
}

/// Ends a login over a connection, which may be in a transaction.
pub(crate) fn end(database: &mut SqliteConnection, token: &str) -> Result<(), Failure> {
    let delete = diesel::delete(logins::table.find(key(token)));
    delete.execute(database).map_err(Failure::internal)?;
    Ok(())
}

/// Ends all logins of a user but one over a connection, which may be in a transaction.
pub(crate) fn end_others(
    database: &mut SqliteConnection,
    user: &str,
    token: &str,
) -> Result<(), Failure> {
    let others = logins::table.filter(logins::user.eq(user).and(logins::key.ne(key(token))));
    let delete = diesel::delete(others);
    delete.execute(database).map_err(Failure::internal)?;
    Ok(())
}

/// Hashes the token, which was drawn at random: a plain hash is enough.
fn key(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

fn hash(password: &str) -> Result<String, Failure> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(Failure::internal)?.to_string())
}
