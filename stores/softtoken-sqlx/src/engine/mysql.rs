//! MySQL and MariaDB.

use softtoken::store::Write;
use sqlx::{Error, MySql, MySqlConnection, Row as _};

use super::{Engine, Locked, MARK, Row, Sealed, UNMARK, Verdict};
use crate::SqlxStoreError;

const MIGRATION: &str = include_str!("../../migrations/mysql/0001_softtoken.sql");

// The condition and the write are one statement. A SELECT and then an UPDATE accept a code twice.
// Not INSERT IGNORE, which takes more than a duplicate key for nothing to do.
const INSERT: &str = "INSERT INTO softtoken (subject, revision, record) VALUES (?, ?, ?)";
const UPDATE: &str =
    "UPDATE softtoken SET revision = ?, record = ? WHERE subject = ? AND revision = ?";
/// A replica lags, and answers a sign-in as things were before an enrolment: each load asks for
/// what keeps others from writing to it.
macro_rules! select {
    () => {
        "SELECT CAST(@@GLOBAL.read_only AS CHAR) IN ('0', 'OFF'), revision, record
        FROM (SELECT 1) AS always LEFT JOIN softtoken ON softtoken.subject = ?"
    };
}
const SELECT: &str = select!();
// Not what was there when the transaction began, which is what a SELECT alone reads.
const SELECT_LOCKED: &str = concat!(select!(), " FOR UPDATE");

/// Ends what is open without the driver's knowledge, whatever `completion_type` is. In MySQL no
/// variable, and no table that everybody may read, tells a statement whether it is in a
/// transaction, as MariaDB's `@@in_transaction` does. So this is asked before each: an exchange
/// more.
macro_rules! leave {
    () => {
        "ROLLBACK AND NO CHAIN NO RELEASE"
    };
}
const LEAVE: &str = leave!();
// BEGIN alone would commit what is open.
const BEGIN: &str = concat!(leave!(), "; BEGIN");

impl Engine for MySql {}

impl Sealed for MySql {
    const BEGIN: Option<&'static str> = Some(BEGIN);

    async fn migrate(connection: &mut MySqlConnection) -> Result<(), Error> {
        leave(connection).await?;
        sqlx::raw_sql(MIGRATION).execute(connection).await?;
        Ok(())
    }

    // After a deadlock, and wherever else the engine has rolled the transaction back, every statement
    // is a transaction of its own, and COMMIT has nothing to do and succeeds. A record that another
    // request has stored since, by the same code, may be the same one.
    async fn mark(connection: &mut MySqlConnection) -> Result<(), Error> {
        sqlx::raw_sql(MARK).execute(connection).await?;
        Ok(())
    }

    async fn unmark(connection: &mut MySqlConnection) -> Result<(), Error> {
        sqlx::raw_sql(UNMARK).execute(connection).await?;
        Ok(())
    }

    async fn check(
        connection: &mut MySqlConnection,
        durability: bool,
    ) -> Result<(), SqlxStoreError> {
        let settings = "SELECT @@autocommit = 1, @@GLOBAL.innodb_flush_log_at_trx_commit = 1,
            @@GLOBAL.log_bin = 0 OR @@GLOBAL.sync_binlog = 1, @@completion_type = 'CHAIN'";
        let settings = sqlx::query(settings).fetch_one(&mut *connection).await?;
        if settings.try_get::<i64, _>(0)? == 0 {
            return Err(SqlxStoreError::Setting("autocommit is off"));
        }
        // The connection would go home in a transaction of which the driver does not know.
        if settings.try_get::<i64, _>(3)? == 1 {
            return Err(SqlxStoreError::Setting("completion_type is CHAIN"));
        }
        if durability && settings.try_get::<i64, _>(1)? == 0 {
            return Err(SqlxStoreError::Setting(
                "innodb_flush_log_at_trx_commit is not 1",
            ));
        }
        // With a binary log InnoDB waits for the disk at the prepare alone: after a crash the
        // binary log says what was committed, and what it does not hold is rolled back.
        if durability && settings.try_get::<i64, _>(2)? == 0 {
            return Err(SqlxStoreError::Setting(
                "log_bin is on and sync_binlog is not 1",
            ));
        }
        // The one is MariaDB's name, the other MySQL's.
        let isolation = "SHOW VARIABLES
            WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')";
        for level in sqlx::query(isolation).fetch_all(connection).await? {
            if level.try_get::<String, _>(1)? == "READ-UNCOMMITTED" {
                return Err(SqlxStoreError::Setting("the isolation is READ UNCOMMITTED"));
            }
        }
        Ok(())
    }

    async fn load(
        connection: &mut MySqlConnection,
        subject: &str,
    ) -> Result<Option<Row>, SqlxStoreError> {
        leave(connection).await?;
        found(connection, SELECT, subject).await
    }

    async fn load_locked(
        connection: &mut MySqlConnection,
        subject: &str,
    ) -> Result<Locked, SqlxStoreError> {
        Ok((None, found(connection, SELECT_LOCKED, subject).await?))
    }

    async fn swap(connection: &mut MySqlConnection, write: &Write) -> Result<u64, Error> {
        let (subject, next) = (write.subject().as_bytes(), write.next().as_i64());
        let query = match write.expected() {
            None => sqlx::query(INSERT)
                .bind(subject)
                .bind(next)
                .bind(write.record()),
            Some(expected) => sqlx::query(UPDATE)
                .bind(next)
                .bind(write.record())
                .bind(subject)
                .bind(expected.as_i64()),
        };
        Ok(query.execute(connection).await?.rows_affected())
    }

    async fn swap_alone(connection: &mut MySqlConnection, write: &Write) -> Result<u64, Error> {
        leave(connection).await?;
        Self::swap(connection, write).await
    }
}

/// Rolls back what is open without the driver's knowledge.
async fn leave(connection: &mut MySqlConnection) -> Result<(), Error> {
    sqlx::raw_sql(LEAVE).execute(connection).await?;
    Ok(())
}

pub(super) fn verdict(number: u16, message: &str) -> Verdict {
    const CHANGED_SINCE: u16 = 1020;
    const DEADLOCK: u16 = 1213;
    const WAITED: u16 = 1205;
    const OPTION: u16 = 1290;
    match number {
        // A cluster of Galera's says so of the commit that was not the first.
        CHANGED_SINCE | DEADLOCK => Verdict::Outrun,
        WAITED => Verdict::Busy,
        OPTION if message.contains("read-only") => Verdict::ReadOnly,
        _ => Verdict::Unknown,
    }
}

async fn found(
    connection: &mut MySqlConnection,
    select: &'static str,
    subject: &str,
) -> Result<Option<Row>, SqlxStoreError> {
    let select = sqlx::query(select).bind(subject.as_bytes());
    let row = select.fetch_one(connection).await?;
    if row.try_get::<i64, _>(0)? == 0 {
        return Err(SqlxStoreError::Standby);
    }
    match row.try_get(1)? {
        Some(revision) => Ok(Some((revision, row.try_get(2)?))),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, verdict};

    #[test]
    fn a_number_says_what_it_leaves_behind() {
        for (numbers, left) in [
            (&[1020, 1213][..], Verdict::Outrun),
            (&[1205], Verdict::Busy),
            (&[1290, 1062, 1317, 2013], Verdict::Unknown),
        ] {
            for number in numbers {
                assert_eq!(verdict(*number, "said"), left, "{number}");
            }
        }
        let read_only = "The server is running with the --read-only option";
        assert_eq!(verdict(1290, read_only), Verdict::ReadOnly);
        assert_eq!(verdict(1317, read_only), Verdict::Unknown);
    }
}
