//! PostgreSQL.

use softtoken::store::Write;
use sqlx::postgres::PgRow;
use sqlx::{Error, PgConnection, Postgres, Row as _};

use super::{Engine, Locked, Row, Sealed, Verdict};
use crate::SqlxStoreError;

// Two servers that start at once take turns: two CREATE TABLE IF NOT EXISTS get in each other's
// way. One simple query is one transaction, which holds the lock.
const MIGRATION: &str = concat!(
    "SELECT pg_advisory_xact_lock(8314036122518907234); ",
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

// The condition and the write are one statement. A SELECT and then an UPDATE accept a code twice.
const INSERT: &str = concat!(
    "INSERT INTO softtoken (subject, revision, record) SELECT $1, $2, $3 WHERE ",
    durably!(),
    " ON CONFLICT DO NOTHING"
);
const UPDATE: &str = concat!(
    "UPDATE softtoken SET revision = $2, record = $3 WHERE subject = $1 AND revision = $4 AND ",
    durably!()
);
// A standby lags, and answers a sign-in as things were before an enrolment: each load asks.
const SELECT: &str = "SELECT pg_is_in_recovery(), revision, record
    FROM (SELECT 1) AS always LEFT JOIN softtoken ON softtoken.subject = $1";
// Fails on a standby, as what would write. After a ROLLBACK of the application's each statement is a
// transaction of its own, and the COMMIT succeeds; a record that another request has stored since,
// by the same code, may be the same one. So the number of the transaction comes along.
const SELECT_LOCKED: &str = "SELECT txid_current(), revision, record FROM (SELECT 1) AS always
    LEFT JOIN (SELECT * FROM softtoken WHERE subject = $1 FOR UPDATE) AS held ON TRUE";

impl Engine for Postgres {}

impl Sealed for Postgres {
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
        let row = sqlx::query(SELECT).bind(subject);
        let row = row.fetch_one(connection).await?;
        if row.try_get(0)? {
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
        Ok((row.try_get(0)?, held(&row)?))
    }

    async fn swap(connection: &mut PgConnection, write: &Write) -> Result<u64, Error> {
        let (subject, next) = (write.subject(), write.next().as_i64());
        let query = match write.expected() {
            None => sqlx::query(INSERT)
                .bind(subject)
                .bind(next)
                .bind(write.record()),
            Some(expected) => sqlx::query(UPDATE)
                .bind(subject)
                .bind(next)
                .bind(write.record())
                .bind(expected.as_i64()),
        };
        Ok(query.execute(connection).await?.rows_affected())
    }
}

/// Returns what stands behind the first column, where the subject has a row.
fn held(row: &PgRow) -> Result<Option<Row>, Error> {
    match row.try_get(1)? {
        Some(revision) => Ok(Some((revision, row.try_get(2)?))),
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
