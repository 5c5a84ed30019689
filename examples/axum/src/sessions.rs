//! Keeps sessions in the database, so that they outlive a restart and can be ended by user.

use core::fmt;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use sqlx::{Row as _, SqliteExecutor, SqlitePool};
use time::OffsetDateTime;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{SessionStore, session_store};

/// Names the member of a session that says whose it is, from the password on:
/// [`logins`](crate::logins) writes it.
pub(crate) const USER: &str = "user";

/// Keeps sessions.
#[derive(Clone)]
pub(crate) struct Sessions(SqlitePool);

impl fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Sessions {
    /// Keeps sessions in this database.
    #[must_use]
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self(pool)
    }

    /// Deletes the sessions that have run out.
    async fn sweep(&self) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM sessions WHERE expires <= ?")
            .bind(OffsetDateTime::now_utc().unix_timestamp())
            .execute(&self.0)
            .await?;
        Ok(())
    }
}

/// Ends every login of a user, and every sign-in that waits or begins, but those of this session,
/// on a connection that may be in a transaction.
///
/// # Errors
///
/// Fails where the database does: logins may be left.
pub(crate) async fn end_logins(
    at: impl SqliteExecutor<'_>,
    user: &str,
    but: Option<Id>,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sessions WHERE user = ? AND key IS NOT ?")
        .bind(user)
        .bind(but.map(|id| key(&id)))
        .execute(at)
        .await?;
    Ok(())
}

/// Returns whether a session is there still, on a connection that may be in a transaction: what is
/// written in the same transaction is written by a login that nobody has ended.
///
/// # Errors
///
/// Fails where the database does.
pub(crate) async fn is_there(at: impl SqliteExecutor<'_>, id: Option<Id>) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sessions WHERE key = ?)")
        .bind(id.map(|id| key(&id)))
        .fetch_one(at)
        .await
}

/// Hashes the id, which is drawn at random: a plain hash is enough.
fn key(id: &Id) -> Vec<u8> {
    Sha256::digest(id.0.to_le_bytes()).to_vec()
}

/// Returns whose a session is.
fn user(record: &Record) -> Option<&str> {
    record.data.get(USER)?.as_str()
}

#[async_trait]
impl SessionStore for Sessions {
    /// Makes a row, after those that have run out are gone: as many are kept as are in use,
    /// however long the server runs.
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.sweep().await.map_err(backend)?;
        sqlx::query("INSERT INTO sessions (key, user, data, expires) VALUES (?, ?, ?, ?)")
            .bind(key(&record.id))
            .bind(user(record))
            .bind(encoded(record)?)
            .bind(record.expiry_date.unix_timestamp())
            .execute(&self.0)
            .await
            .map_err(backend)?;
        Ok(())
    }

    /// Changes a row that is there, and makes none: a session that was ended meanwhile stays ended.
    async fn save(&self, record: &Record) -> Result<()> {
        sqlx::query("UPDATE sessions SET user = ?, data = ?, expires = ? WHERE key = ?")
            .bind(user(record))
            .bind(encoded(record)?)
            .bind(record.expiry_date.unix_timestamp())
            .bind(key(&record.id))
            .execute(&self.0)
            .await
            .map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let row = sqlx::query("SELECT data, expires FROM sessions WHERE key = ? AND expires > ?")
            .bind(key(id))
            .bind(OffsetDateTime::now_utc().unix_timestamp())
            .fetch_optional(&self.0)
            .await
            .map_err(backend)?;
        let Some(row) = row else { return Ok(None) };
        let data: String = row.try_get("data").map_err(backend)?;
        let expires: i64 = row.try_get("expires").map_err(backend)?;
        let decode = |error: &dyn fmt::Display| Error::Decode(error.to_string());
        Ok(Some(Record {
            id: *id,
            data: serde_json::from_str(&data).map_err(|error| decode(&error))?,
            expiry_date: OffsetDateTime::from_unix_timestamp(expires)
                .map_err(|error| decode(&error))?,
        }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE key = ?")
            .bind(key(id))
            .execute(&self.0)
            .await
            .map_err(backend)?;
        Ok(())
    }
}

fn encoded(record: &Record) -> Result<String> {
    serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err`")]
fn backend(error: sqlx::Error) -> session_store::Error {
    Error::Backend(error.to_string())
}

#[cfg(test)]
mod tests {
    use softtoken::UnixTime;

    use super::*;
    use crate::app::App;

    #[tokio::test]
    async fn a_session_that_has_ended_is_neither_loaded_nor_saved() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = || Some(UnixTime::from_secs(1_700_000_000));
        let app = App::open(folder.path(), false, clock)
            .await
            .expect("it opens");
        let sessions = app.sessions();
        let loaded = async |id: &Id| sessions.load(id).await.expect("an answer");
        let mut record = Record {
            id: Id::default(),
            data: std::collections::HashMap::default(),
            expiry_date: OffsetDateTime::now_utc() + core::time::Duration::from_hours(1),
        };
        sessions.create(&mut record).await.expect("a row");
        assert!(loaded(&record.id).await.is_some());
        sessions.delete(&record.id).await.expect("it is gone");
        sessions.save(&record).await.expect("it does nothing");
        assert!(
            loaded(&record.id).await.is_none(),
            "a request that was under way brings nothing back"
        );
        sessions.create(&mut record).await.expect("a row");
        record.expiry_date = OffsetDateTime::UNIX_EPOCH;
        sessions.save(&record).await.expect("it is changed");
        assert!(loaded(&record.id).await.is_none());
    }
}
