//! Says what each engine is asked, in its own SQL.

use core::future::ready;

use softtoken::Revision;
use softtoken::store::{Snapshot, Swap, Write};
use sqlx::{Database, Error};

use crate::SqlxStoreError;

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

/// Is a database that this crate has SQL for: `Sqlite`, `Postgres` and `MySql` of sqlx, each with
/// the feature of its name.
pub trait Engine: Database + Sealed {}

/// Keeps [`Engine`] to this crate.
pub trait Sealed: Database {
    /// Begins a transaction, where the driver's own statement will not do. One that is open without
    /// the driver's knowledge is rolled back.
    const BEGIN: Option<&'static str> = None;
    /// Says that the whole database has one writer at a time.
    const ONE_WRITER: bool = false;

    /// Makes the table where there is none, outside of a transaction as [`load`](Self::load) reads.
    fn migrate(connection: &mut Self::Connection)
    -> impl Future<Output = Result<(), Error>> + Send;

    /// Marks the transaction that has just begun, where the engine has no number for it. One that
    /// was ended, by the engine itself or by the application, and perhaps begun anew, would be
    /// committed otherwise without what was written in the first.
    fn mark(_: &mut Self::Connection) -> impl Future<Output = Result<(), Error>> + Send {
        ready(Ok(()))
    }

    /// Takes the mark off. Fails where this is not the transaction that was marked.
    fn unmark(_: &mut Self::Connection) -> impl Future<Output = Result<(), Error>> + Send {
        ready(Ok(()))
    }

    /// Fails where a setting of the connection or of the server would have a swap lost that was
    /// acknowledged, or a row read that was not committed. `durability`: whether the settings count
    /// that a crash puts to the test.
    fn check(
        connection: &mut Self::Connection,
        durability: bool,
    ) -> impl Future<Output = Result<(), SqlxStoreError>> + Send;

    /// Reads the row of a subject, outside of a transaction, from a server that does not lag.
    ///
    /// Whoever drops a BEGIN whose answer is on its way leaves a transaction open of which the
    /// driver does not know: it counts once it has read the answer, and the pool reads that and
    /// throws it away. What is open so is rolled back first, or what is read is of when it was
    /// begun.
    fn load(
        connection: &mut Self::Connection,
        subject: &str,
    ) -> impl Future<Output = Result<Option<Row>, SqlxStoreError>> + Send;

    /// Reads the row of a subject in a transaction, as it is now, and keeps others from writing it.
    fn load_locked(
        connection: &mut Self::Connection,
        subject: &str,
    ) -> impl Future<Output = Result<Locked, SqlxStoreError>> + Send;

    /// Writes a row on its condition, in a transaction. Returns how many rows that were.
    fn swap(
        connection: &mut Self::Connection,
        write: &Write,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Writes a row as [`swap`](Self::swap) does, outside of a transaction as [`load`](Self::load)
    /// reads: what it has answered is stored.
    fn swap_alone(
        connection: &mut Self::Connection,
        write: &Write,
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        Self::swap(connection, write)
    }
}

/// Says what an error leaves behind.
#[allow(dead_code, reason = "no engine has all of them")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Nothing was stored: another transaction was faster.
    Outrun,
    /// Nothing was stored: another transaction has held a lock for too long.
    Busy,
    /// Nothing was stored: the server lets nothing be written.
    ReadOnly,
    /// Nothing was stored.
    Refused,
    /// It is not known.
    Unknown,
}

/// Is a row as the table holds it.
pub(crate) type Row = (i64, Vec<u8>);

/// Is the number of the transaction, where the engine has one, and the row that it has locked.
pub(crate) type Locked = (Option<i64>, Option<Row>);

/// Marks a transaction, where the engine has no number for it: a savepoint is gone with it.
#[cfg(any(feature = "mysql", feature = "sqlite"))]
const MARK: &str = "SAVEPOINT softtoken_began";
#[cfg(any(feature = "mysql", feature = "sqlite"))]
const UNMARK: &str = "RELEASE SAVEPOINT softtoken_began";

/// Says what the columns of a row mean.
pub(crate) fn snapshot(row: Option<Row>) -> Result<Option<Snapshot>, SqlxStoreError> {
    let Some((revision, record)) = row else {
        return Ok(None);
    };
    // A revision that was never written is an error, not a row to begin anew.
    let revision = Revision::from_i64(revision).ok_or(SqlxStoreError::Revision(revision))?;
    Ok(Some(Snapshot { revision, record }))
}

/// Says what a swap came to, by the rows that it wrote. Everything else is an error: a connection
/// that is lost has stored it, or has not.
pub(crate) fn swapped(rows: Result<u64, Error>) -> Result<Swap, SqlxStoreError> {
    match rows {
        Ok(1) => Ok(Swap::Stored),
        Ok(_) => Ok(Swap::Conflict),
        // The subject's own row is there already.
        Err(Error::Database(error)) if error.is_unique_violation() => Ok(Swap::Conflict),
        Err(error) => match SqlxStoreError::from(error) {
            error if error.is_outrun() => Ok(Swap::Conflict),
            error => Err(error),
        },
    }
}

/// Says what a transaction has come to whose commit failed.
pub(crate) fn refused(error: Error) -> SqlxStoreError {
    match verdict(&error) {
        Verdict::Refused => SqlxStoreError::Refused(error),
        _ => error.into(),
    }
}

/// Says what an error leaves behind that the engine has answered with.
#[allow(unused_variables, reason = "without an engine it has no errors")]
pub(crate) fn verdict(error: &Error) -> Verdict {
    let Some(error) = error.as_database_error() else {
        return Verdict::Unknown;
    };
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return mysql::verdict(error.number(), error.message());
    }
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        return postgres::verdict(error.code());
    }
    #[cfg(feature = "sqlite")]
    if error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some()
    {
        return sqlite::verdict(error.code().and_then(|code| code.parse().ok()));
    }
    Verdict::Unknown
}
