//! PostgreSQL.

use softtoken::store::Write;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgRow;
use sqlx::{Error, PgConnection, Postgres, Row as _};

use super::{Engine, Locked, Row, Sealed, Verdict};
use crate::SqlxStoreError;

/// Ends what is open without the driver's knowledge. ROLLBACK alone says in the server's log that
/// there was nothing to do.
macro_rules! leave {
    () => {
        "BEGIN; ROLLBACK"
    };
}
const BEGIN: &str = concat!(leave!(), "; BEGIN");
// Two servers that start at once take turns: two CREATE TABLE IF NOT EXISTS get in each other's
// way. What follows ROLLBACK in one simple query is one transaction, which holds the lock.
const MIGRATION: &str = concat!(
    leave!(),
    "; SELECT pg_advisory_xact_lock(8314036122518907234); ",
    include_str!("../../migrations/postgres/0001_softtoken.sql")
);

/// A commit waits for the disk, whatever the role or the database says; one that waits for standbys
/// as well goes on waiting for them. The setting ends with the transaction.
macro_rules! durably {
    () => {
        "(current_setting('synchronous_commit') NOT IN ('off', 'local')
            OR set_config('synchronous_commit', 'on', true) IS NOT NULL)"
    };
}

/// A statement that is a transaction of its own has begun it in the moment in which its portal,
/// which has no name, was made: the server asks the clock once for both. One that is within a
/// transaction has begun nothing. Where a pooler between prepares statements itself, the
/// transaction begins with that, a little earlier, and a statement that is alone is taken for one
/// that is not.
macro_rules! alone {
    () => {
        "EXISTS (SELECT FROM pg_catalog.pg_cursors
            WHERE name = '' AND creation_time = transaction_timestamp())"
    };
}
const IS_ALONE: &str = concat!("SELECT ", alone!());

// The condition and the write are one statement. A SELECT and then an UPDATE accept a code twice.
const INSERT: &str = concat!(
    "INSERT INTO softtoken (subject, revision, record) SELECT $1, $2, $3 WHERE ",
    durably!(),
    " AND ($4 OR ",
    alone!(),
    ") ON CONFLICT DO NOTHING"
);
const UPDATE: &str = concat!(
    "UPDATE softtoken SET revision = $2, record = $3 WHERE subject = $1 AND revision = $5 AND ",
    durably!(),
    " AND ($4 OR ",
    alone!(),
    ")"
);
// A standby lags, and answers a sign-in as things were before an enrolment: each load asks.
const SELECT: &str = concat!(
    "SELECT revision, record, pg_is_in_recovery(), $2 OR ",
    alone!(),
    " FROM (SELECT 1) AS always LEFT JOIN softtoken ON softtoken.subject = $1"
);
// Fails on a standby, as what would write. After a ROLLBACK of the application's each statement is a
// transaction of its own, and the COMMIT succeeds; a record that another request has stored since,
// by the same code, may be the same one. So the number of the transaction comes along.
const SELECT_LOCKED: &str = "SELECT revision, record, txid_current() FROM (SELECT 1) AS always
    LEFT JOIN (SELECT * FROM softtoken WHERE subject = $1 FOR UPDATE) AS held ON TRUE";

impl Engine for Postgres {}

impl Sealed for Postgres {
    const BEGIN: Option<&'static str> = Some(BEGIN);

    async fn migrate(connection: &mut PgConnection) -> Result<(), Error> {
        sqlx::raw_sql(MIGRATION).execute(connection).await?;
        Ok(())
    }

    async fn check(connection: &mut PgConnection, durability: bool) -> Result<(), SqlxStoreError> {
        let settings = "SELECT current_setting('fsync') = 'on'
            AND current_setting('full_page_writes') = 'on'";
        let durable: bool = sqlx::query_scalar(settings).fetch_one(connection).await?;
        if durability && !durable {
            return Err(SqlxStoreError::Setting("fsync or full_page_writes is off"));
        }
        Ok(())
    }

    async fn load(
        connection: &mut PgConnection,
        subject: &str,
    ) -> Result<Option<Row>, SqlxStoreError> {
        let select = |is_alone: bool| sqlx::query(SELECT).bind(subject).bind(is_alone);
        let row = match select(false).fetch_one(&mut *connection).await {
            Ok(row) if row.try_get(3)? => row,
            answer => {
                leave(&mut *connection, answer).await?;
                select(true).fetch_one(connection).await?
            }
        };
        if row.try_get(2)? {
            return Err(SqlxStoreError::Standby);
        }
        Ok(held(&row)?)
    }

    async fn load_locked(
        connection: &mut PgConnection,
        subject: &str,
    ) -> Result<Locked, SqlxStoreError> {
        let row = sqlx::query(SELECT_LOCKED).bind(subject);
        let row = row.fetch_one(connection).await?;
        Ok((row.try_get(2)?, held(&row)?))
    }

    async fn swap(connection: &mut PgConnection, write: &Write) -> Result<u64, Error> {
        swap(connection, write, true).await
    }

    async fn swap_alone(connection: &mut PgConnection, write: &Write) -> Result<u64, Error> {
        match swap(&mut *connection, write, false).await {
            Ok(0) if is_alone(&mut *connection).await? => Ok(0),
            answer @ (Ok(0) | Err(_)) => {
                leave(&mut *connection, answer).await?;
                swap(connection, write, true).await
            }
            stored => stored,
        }
    }
}

/// Writes a row on its condition. Where it is not known that this is no part of a transaction, that
/// is one more condition.
async fn swap(connection: &mut PgConnection, write: &Write, is_known: bool) -> Result<u64, Error> {
    let (subject, next) = (write.subject(), write.next().as_i64());
    let statement = if write.expected().is_none() {
        INSERT
    } else {
        UPDATE
    };
    let mut query = sqlx::query(statement)
        .bind(subject)
        .bind(next)
        .bind(write.record())
        .bind(is_known);
    if let Some(expected) = write.expected() {
        query = query.bind(expected.as_i64());
    }
    Ok(query.execute(connection).await?.rows_affected())
}

/// Says whether a statement was no part of a transaction: then the next one is none either.
async fn is_alone(connection: &mut PgConnection) -> Result<bool, Error> {
    sqlx::query_scalar(IS_ALONE).fetch_one(connection).await
}

/// Rolls back what is open without the driver's knowledge, as a statement has found that was to be
/// alone. Fails as that one did where it has failed for another reason.
async fn leave<T>(connection: &mut PgConnection, found: Result<T, Error>) -> Result<(), Error> {
    const GIVEN_UP: &str = "25P02";
    if let Err(error) = found {
        let code = error.as_database_error().and_then(DatabaseError::code);
        if code.as_deref() != Some(GIVEN_UP) {
            return Err(error);
        }
    }
    sqlx::raw_sql("ROLLBACK").execute(connection).await?;
    Ok(())
}

/// Returns what the first two columns hold, where the subject has a row.
fn held(row: &PgRow) -> Result<Option<Row>, Error> {
    match row.try_get(0)? {
        Some(revision) => Ok(Some((revision, row.try_get(1)?))),
        None => Ok(None),
    }
}

pub(super) fn verdict(code: &str) -> Verdict {
    match code {
        // Of class 40 these two alone: by 40003 it is not known how it ended.
        "40001" | "40P01" => Verdict::Outrun,
        "55P03" => Verdict::Busy,
        "25006" => Verdict::ReadOnly,
        code if code.starts_with("23") => Verdict::Refused,
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, verdict};

    #[test]
    fn a_code_says_what_it_leaves_behind() {
        for (codes, left) in [
            (&["40001", "40P01"][..], Verdict::Outrun),
            (&["55P03"], Verdict::Busy),
            (&["25006"], Verdict::ReadOnly),
            (&["23000", "23503", "23505", "23514"], Verdict::Refused),
            (
                &[
                    "40000", "40003", "25P02", "57014", "57P01", "08006", "53100",
                ],
                Verdict::Unknown,
            ),
        ] {
            for code in codes {
                assert_eq!(verdict(code), left, "{code}");
            }
        }
    }
}
