//! SQLite.

use softtoken::store::Write;
use sqlx::{Error, Sqlite, SqliteConnection};

use super::{Engine, Locked, MARK, Row, Sealed, UNMARK, Verdict};
use crate::SqlxStoreError;

const MIGRATION: &str = include_str!("../../migrations/sqlite/0001_softtoken.sql");

// The condition and the write are one statement. A SELECT and then an UPDATE accept a code twice.
const INSERT: &str =
    "INSERT INTO softtoken (subject, revision, record) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
const UPDATE: &str =
    "UPDATE softtoken SET revision = ?2, record = ?3 WHERE subject = ?1 AND revision = ?4";
const SELECT: &str = "SELECT revision, record FROM softtoken WHERE subject = ?1";

// A transaction that reads first and then writes fails at once where another has written in
// between, whatever the timeout; so the write lock is taken at the beginning.
const BEGIN: &str = "BEGIN IMMEDIATE";

impl Engine for Sqlite {}

impl Sealed for Sqlite {
    const BEGIN: Option<&'static str> = Some(BEGIN);
    const ONE_WRITER: bool = true;

    async fn migrate(connection: &mut SqliteConnection) -> Result<(), Error> {
        sqlx::raw_sql(MIGRATION).execute(connection).await?;
        Ok(())
    }

    async fn mark(connection: &mut SqliteConnection) -> Result<(), Error> {
        sqlx::raw_sql(MARK).execute(connection).await?;
        Ok(())
    }

    async fn unmark(connection: &mut SqliteConnection) -> Result<(), Error> {
        sqlx::raw_sql(UNMARK).execute(connection).await?;
        Ok(())
    }

    async fn check(
        connection: &mut SqliteConnection,
        durability: bool,
    ) -> Result<(), SqlxStoreError> {
        // None: in memory, where rows and users are gone together.
        let file = "SELECT file FROM pragma_database_list WHERE name = 'main' AND file <> ''";
        let file: Option<String> = sqlx::query_scalar(file)
            .fetch_optional(&mut *connection)
            .await?;
        if !durability || file.is_none() {
            return Ok(());
        }
        let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&mut *connection)
            .await?;
        if matches!(&*journal, "off" | "memory") {
            return Err(SqlxStoreError::Setting("journal_mode is off or memory"));
        }
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
            .fetch_one(connection)
            .await?;
        // 2 is FULL, 3 is EXTRA.
        if synchronous < 2 {
            return Err(SqlxStoreError::Setting("synchronous is less than FULL"));
        }
        Ok(())
    }

    async fn load(
        connection: &mut SqliteConnection,
        subject: &str,
    ) -> Result<Option<Row>, SqlxStoreError> {
        let select = sqlx::query_as(SELECT).bind(subject);
        Ok(select.fetch_optional(connection).await?)
    }

    async fn load_locked(
        connection: &mut SqliteConnection,
        subject: &str,
    ) -> Result<Locked, SqlxStoreError> {
        Ok((None, Self::load(connection, subject).await?))
    }

    async fn swap(connection: &mut SqliteConnection, write: &Write) -> Result<u64, Error> {
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

pub(super) fn verdict(code: Option<u32>) -> Verdict {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const READ_ONLY: u32 = 8;
    const CONSTRAINT: u32 = 19;
    // The low byte is the error, what stands above it says more.
    match code.map(|code| code & 0xff) {
        Some(BUSY | LOCKED) => Verdict::Busy,
        Some(READ_ONLY) => Verdict::ReadOnly,
        Some(CONSTRAINT) => Verdict::Refused,
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, verdict};

    #[test]
    fn a_code_says_what_it_leaves_behind_by_its_low_byte() {
        for (codes, left) in [
            (&[5, 6, 261, 262, 517][..], Verdict::Busy),
            (&[8, 264, 1544], Verdict::ReadOnly),
            (&[19, 787, 2067], Verdict::Refused),
            (&[1, 10, 13, 266], Verdict::Unknown),
        ] {
            for code in codes {
                assert_eq!(verdict(Some(*code)), left, "{code}");
            }
        }
        assert_eq!(verdict(None), Verdict::Unknown);
    }
}
