//! Keeps second factors in PostgreSQL.
//!
//! This file is written to be copied. What must be kept is marked **keep**; names, the pool and its
//! settings are yours. [`PostgresStore`] is the store; [`log_in`] writes a row of your
//! application's own in the same transaction.

use core::time::Duration;

use deadpool_postgres::{
    Client, GenericClient, Hook, HookError, Manager, Pool, PoolError, Runtime, Timeouts,
};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{Revision, Store};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

mod log_in;

pub use log_in::log_in;

/// Makes the table, for a tool of yours that runs migrations. It may be run again.
pub const MIGRATION: &str = include_str!("../migration.sql");

/// Keep: a commit waits for the disk, whatever the session, the role or the database says, also
/// behind a pooler that lends another session for each transaction; one that waits for standbys as
/// well goes on waiting for them. The setting ends with the transaction.
macro_rules! durably {
    () => {
        "(current_setting('synchronous_commit') NOT IN ('off', 'local')
            OR set_config('synchronous_commit', 'on', true) IS NOT NULL)"
    };
}
// Keep: the condition and the write are one statement. A SELECT and then an UPDATE accept a code
// twice.
const INSERT: &str = concat!(
    "INSERT INTO softtoken (subject, revision, record) SELECT $1, $2, $3 WHERE ",
    durably!(),
    " ON CONFLICT DO NOTHING"
);
const UPDATE: &str = concat!(
    "UPDATE softtoken SET revision = $2, record = $3 WHERE subject = $1 AND revision = $4 AND ",
    durably!()
);
const SELECT: &str = "SELECT revision, record FROM softtoken WHERE subject = $1";
// Whatever the role or the database says: the loser of a race finds the row changed, instead of
// being told to begin again, and no statement waits for ever, for a lock of somebody's who does not
// let it go. Behind a pooler that lends another session for each transaction, set both there.
const SESSION: &str = "SET statement_timeout = '10s';
    SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Longer than any answer takes, and shorter than a person waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps records in one table of a PostgreSQL database, or of an engine that speaks its protocol.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: Pool,
}

/// Says why PostgreSQL did not answer. Whether a swap was applied is not known.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No connection could be made.
    #[error("no connection")]
    Pool(#[from] PoolError),
    /// The statement failed, or the connection while it ran.
    #[error("the statement failed")]
    Database(#[from] tokio_postgres::Error),
    /// The row holds a revision that this store has never written.
    #[error("the table holds revision {0}, which no store has written")]
    Revision(i64),
    /// The text is no URL of a database.
    #[error("the URL of the database cannot be used")]
    Url(#[source] tokio_postgres::Error),
}

impl PostgresStore {
    /// Makes a pool of up to `connections`, each made when it is needed, without TLS: over
    /// loopback, or a network that is yours alone. [`migrate`](Self::migrate) once, before the
    /// first use.
    ///
    /// # Errors
    ///
    /// [`PostgresError::Url`]. Nobody was asked yet.
    pub fn new(url: &str, connections: usize) -> Result<Self, PostgresError> {
        let pool = Pool::builder(Manager::new(config(url)?, NoTls))
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(PATIENCE),
                create: Some(PATIENCE),
                recycle: Some(PATIENCE),
            })
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move {
                    let set = client.batch_execute(SESSION).await;
                    set.map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(|_| PoolError::NoRuntimeSpecified)?;
        Ok(Self { pool })
    }

    /// Makes the table where there is none.
    ///
    /// # Errors
    ///
    /// There is no database, or it does not let this role make one.
    pub async fn migrate(&self) -> Result<(), PostgresError> {
        Ok(self.client().await?.batch_execute(MIGRATION).await?)
    }

    /// Takes a connection of the pool, for your application's own tables.
    ///
    /// # Errors
    ///
    /// None could be made.
    pub async fn client(&self) -> Result<Client, PostgresError> {
        Ok(self.pool.get().await?)
    }
}

/// How the server is reached.
fn config(url: &str) -> Result<Config, PostgresError> {
    let mut config: Config = url.parse().map_err(PostgresError::Url)?;
    config
        // Keep: the primary. A standby lags, and answers a sign-in as things were before an
        // enrolment.
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        // Keep: every wait ends, also where the server's machine has lost its power. One whose
        // process stands still is waited for.
        .connect_timeout(PATIENCE)
        .tcp_user_timeout(PATIENCE)
        .keepalives_idle(PATIENCE)
        .keepalives_interval(PATIENCE)
        .keepalives_retries(1);
    Ok(config)
}

/// The row of a subject, on a connection or within a transaction.
async fn load(
    client: &impl GenericClient,
    subject: &str,
) -> Result<Option<Snapshot>, PostgresError> {
    let select = client.prepare_cached(SELECT).await?;
    let row = client.query_opt(&select, &[&subject]).await?;
    let columns = row.map(|row| Ok::<_, PostgresError>((row.try_get(0)?, row.try_get(1)?)));
    found(columns.transpose()?)
}

/// What the columns of a row say, where there is a row.
fn found(columns: Option<(i64, Vec<u8>)>) -> Result<Option<Snapshot>, PostgresError> {
    let Some((revision, record)) = columns else {
        return Ok(None);
    };
    Ok(Some(Snapshot {
        // Keep: a revision that was never written is an error, not a row to begin anew.
        revision: Revision::from_i64(revision).ok_or(PostgresError::Revision(revision))?,
        record,
    }))
}

/// Writes a row, on a connection or within a transaction.
async fn swap(client: &impl GenericClient, write: &Write) -> Result<Swap, PostgresError> {
    let (subject, next, record) = (write.subject(), write.next().as_i64(), write.record());
    let rows = match write.expected() {
        None => {
            let insert = client.prepare_cached(INSERT).await?;
            client.execute(&insert, &[&subject, &next, &record]).await
        }
        Some(expected) => {
            let (update, expected) = (client.prepare_cached(UPDATE).await?, expected.as_i64());
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
                [&subject, &next, &record, &expected];
            client.execute(&update, &values).await
        }
    };
    match rows {
        Ok(1) => Ok(Swap::Stored),
        Ok(_) => Ok(Swap::Conflict),
        Err(error) if has_lost(error.code()) => Ok(Swap::Conflict),
        Err(error) => Err(error.into()),
    }
}

/// What an engine says to the loser that knows no isolation but stricter ones. Nothing was stored.
/// Keep: all else is an error. A connection that is lost at the commit has stored it, or has not.
fn has_lost(code: Option<&SqlState>) -> bool {
    code == Some(&SqlState::T_R_SERIALIZATION_FAILURE)
}

impl Store for PostgresStore {
    type Error = PostgresError;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, PostgresError> {
        // Keep: each statement is its own transaction. A future that is dropped leaves none open.
        load(&self.client().await?, subject).await
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, PostgresError> {
        swap(&self.client().await?, &write).await
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{
        PostgresError, PostgresStore, SqlState, TargetSessionAttrs, config, found, has_lost,
    };

    #[tokio::test]
    async fn who_has_lost_a_race_waits_as_long_as_it_is_told() {
        let store = PostgresStore::new("postgres://localhost", 1).expect("nobody is asked");
        softtoken_faults::pauses(&store).await;
    }

    #[test]
    fn only_who_lost_is_told_of_a_conflict() {
        assert!(has_lost(Some(&SqlState::from_code("40001"))));
        // Not known how it ended, a deadlock, a timeout, a lost connection, none.
        for code in ["40003", "40P01", "57014", "08006"] {
            assert!(!has_lost(Some(&SqlState::from_code(code))), "{code}");
        }
        assert!(!has_lost(None));
    }

    #[test]
    fn no_standby_is_asked() {
        for url in [
            "postgres://localhost/softtoken",
            "postgres://localhost/softtoken?target_session_attrs=any",
            "host=primary,standby dbname=softtoken",
        ] {
            let attributes = config(url).expect("it is a URL").get_target_session_attrs();
            assert_eq!(attributes, TargetSessionAttrs::ReadWrite, "{url}");
        }
    }

    #[test]
    fn a_revision_that_was_never_written_is_an_error_and_no_absent_row() {
        for revision in [0, -1, i64::MIN] {
            let refused = found(Some((revision, vec![1]))).expect_err("no store has written it");
            assert!(matches!(refused, PostgresError::Revision(held) if held == revision));
        }
        assert_eq!(found(None).expect("there is no row"), None);
        for revision in [1, i64::MAX] {
            let row = found(Some((revision, vec![1]))).expect("it is one");
            assert_eq!(row.map(|row| row.revision.as_i64()), Some(revision));
        }
    }
}
