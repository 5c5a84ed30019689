//! Keeps the users, passwords and logins of a small server: what stays as it is when the server
//! takes up softtoken.

use core::time::Duration;
use std::sync::Arc;

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sqlx::{SqliteExecutor, SqlitePool};

/// Tells the time, in seconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Holds what a user types to sign up or to log in.
#[derive(Deserialize)]
pub struct Credentials {
    user: String,
    password: String,
}

impl core::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Holds what is kept of a login: the user, and what the server noted of the second factor.
#[derive(Clone, Debug)]
pub struct Login {
    /// Names the user.
    pub user: String,
    /// Holds the server's note.
    pub note: Vec<u8>,
}

/// Says why there is no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The request was refused.
    Refused(StatusCode, &'static str),
    /// The request was refused, and the next one has to wait.
    Wait(&'static str, Duration),
    /// The server failed.
    Internal(Box<dyn core::error::Error + Send + Sync>),
}

/// Refuses a request whose password, code or login is not right.
pub const UNAUTHORIZED: Failure = Failure::Refused(StatusCode::UNAUTHORIZED, "unauthorized");

impl<E: core::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(status, name) => (status, name).into_response(),
            Self::Wait(name, wait) => {
                let header = [(RETRY_AFTER, wait.as_secs())];
                (StatusCode::TOO_MANY_REQUESTS, header, name).into_response()
            }
            Self::Internal(error) => {
                eprintln!("{error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// Keeps users and logins in a database.
#[derive(Clone, Debug)]
pub struct Accounts {
    pool: SqlitePool,
    /// Stands in where there is no such user, who then takes as long as another.
    nobody: Arc<str>,
}

impl Accounts {
    /// Makes the tables where there are none.
    ///
    /// # Errors
    ///
    /// [`Failure::Internal`]: the database fails.
    pub async fn open(pool: SqlitePool) -> Result<Self, Failure> {
        sqlx::raw_sql(
            "create table if not exists users (name text primary key, password text not null);
             create table if not exists logins
             (token text primary key, user text not null, note blob not null);",
        )
        .execute(&pool)
        .await?;
        let nobody = apart(|| hash("nobody")).await??.into();
        Ok(Self { pool, nobody })
    }

    /// Returns the database, for the server's other tables.
    #[must_use]
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Creates a user.
    ///
    /// # Errors
    ///
    /// [`Failure::Refused`] where there is a user of this name already, or the name has not 1 to 256
    /// bytes.
    pub async fn sign_up(&self, new: Credentials) -> Result<(), Failure> {
        let Credentials { user, password } = new;
        if !(1..=256).contains(&user.len()) {
            return Err(Failure::Refused(StatusCode::UNPROCESSABLE_ENTITY, "name"));
        }
        let password = apart(move || hash(&password)).await??;
        let created = sqlx::query("insert into users values (?, ?) on conflict do nothing")
            .bind(user)
            .bind(password)
            .execute(&self.pool)
            .await?;
        if created.rows_affected() == 0 {
            return Err(Failure::Refused(StatusCode::CONFLICT, "user exists"));
        }
        Ok(())
    }

    /// Returns the user, where the password is right.
    ///
    /// # Errors
    ///
    /// [`UNAUTHORIZED`] where the password is wrong, or there is no such user.
    pub async fn check(&self, given: Credentials) -> Result<String, Failure> {
        let Credentials { user, password } = given;
        let kept: Option<String> = sqlx::query_scalar("select password from users where name = ?")
            .bind(&user)
            .fetch_optional(&self.pool)
            .await?;
        let (is_known, nobody) = (kept.is_some(), Arc::clone(&self.nobody));
        let is_right = apart(move || {
            let hash = PasswordHash::new(kept.as_deref().unwrap_or(&nobody));
            let hash = hash.map_err(|_| WRONG_HASH)?;
            let verified = argon2().verify_password(password.as_bytes(), &hash);
            Ok::<_, Failure>(verified.is_ok())
        })
        .await??;
        (is_right && is_known).then_some(user).ok_or(UNAUTHORIZED)
    }

    /// Begins a login, and returns its token. Writes in the database, or in a transaction of it.
    ///
    /// # Errors
    ///
    /// [`Failure::Internal`]: the database, or the system's generator, fails.
    pub async fn begin(
        rows: impl SqliteExecutor<'_>,
        user: &str,
        note: &[u8],
    ) -> Result<String, Failure> {
        let token = random()?;
        sqlx::query("insert into logins values (?, ?, ?)")
            .bind(&token)
            .bind(user)
            .bind(note)
            .execute(rows)
            .await?;
        Ok(token)
    }

    /// Returns the login of a token, in the database or in a transaction of it.
    ///
    /// # Errors
    ///
    /// [`UNAUTHORIZED`] where there is none.
    pub async fn login(rows: impl SqliteExecutor<'_>, token: &str) -> Result<Login, Failure> {
        let row: Option<(String, Vec<u8>)> =
            sqlx::query_as("select user, note from logins where token = ?")
                .bind(token)
                .fetch_optional(rows)
                .await?;
        let (user, note) = row.ok_or(UNAUTHORIZED)?;
        Ok(Login { user, note })
    }

    /// Ends a login, in the database or in a transaction of it.
    ///
    /// # Errors
    ///
    /// [`Failure::Internal`]: the database fails.
    pub async fn end(rows: impl SqliteExecutor<'_>, token: &str) -> Result<(), Failure> {
        sqlx::query("delete from logins where token = ?")
            .bind(token)
            .execute(rows)
            .await?;
        Ok(())
    }

    /// Ends all logins of a user but one, in the database or in a transaction of it.
    ///
    /// # Errors
    ///
    /// [`Failure::Internal`]: the database fails.
    pub async fn end_others(
        rows: impl SqliteExecutor<'_>,
        user: &str,
        token: &str,
    ) -> Result<(), Failure> {
        sqlx::query("delete from logins where user = ? and token <> ?")
            .bind(user)
            .bind(token)
            .execute(rows)
            .await?;
        Ok(())
    }

    /// Replaces the note of a login, in the database or in a transaction of it. Roll that back
    /// where it fails: a login may have been ended since its request was let in.
    ///
    /// # Errors
    ///
    /// [`UNAUTHORIZED`] where the login has been ended, [`Failure::Internal`] where the database
    /// fails.
    pub async fn note(
        rows: impl SqliteExecutor<'_>,
        token: &str,
        note: &[u8],
    ) -> Result<(), Failure> {
        let noted = sqlx::query("update logins set note = ? where token = ?")
            .bind(note)
            .bind(token)
            .execute(rows)
            .await?;
        if noted.rows_affected() != 1 {
            return Err(UNAUTHORIZED);
        }
        Ok(())
    }
}

/// Returns 128 random bits as text.
///
/// # Errors
///
/// [`Failure::Internal`]: the system's generator fails.
pub fn random() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

const WRONG_HASH: Failure = Failure::Refused(StatusCode::INTERNAL_SERVER_ERROR, "password hash");

/// Hashes quickly, since the logins of this server are the attacks that are played against it. A
/// server that keeps real passwords takes what OWASP recommends, 19 MiB and two passes.
fn argon2() -> Argon2<'static> {
    let params = Params::new(8, 1, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &str) -> Result<String, Failure> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = argon2().hash_password(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|_| WRONG_HASH)
}

async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    tokio::task::spawn_blocking(work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_hashed_where_there_is_no_such_user_as_well() {
        let pool = SqlitePool::connect("sqlite::memory:").await;
        let accounts = Accounts::open(pool.expect("a database")).await;
        let mut accounts = accounts.expect("tables");
        let of_bob = |password: &str| Credentials {
            user: "bob".into(),
            password: password.into(),
        };
        for password in ["nobody", "battery staple"] {
            let checked = accounts.check(of_bob(password)).await;
            let refused = matches!(checked, Err(Failure::Refused(StatusCode::UNAUTHORIZED, _)));
            assert!(refused, "{checked:?}");
        }
        let cost = |hash: &str| PasswordHash::new(hash).expect("a hash").params;
        let of_somebody = hash("battery staple").expect("a hash");
        assert_eq!(cost(&accounts.nobody), cost(&of_somebody));
        // Whether it is hashed shows where it cannot be.
        accounts.nobody = "no hash".into();
        let checked = accounts.check(of_bob("battery staple")).await;
        let failed = matches!(checked, Err(Failure::Refused(_, "password hash")));
        assert!(failed, "{checked:?}");
    }

    #[test]
    fn no_two_hashes_of_one_password_are_alike() {
        let [one, other] = ["correct horse"; 2].map(|password| hash(password).expect("a hash"));
        assert!(one.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{one}");
        assert_ne!(one, other, "the salt is drawn");
    }
}
