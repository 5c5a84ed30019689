//! The statements, as values that diesel prepares once a connection.

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
use diesel::{QueryResult, RunQueryDsl};
use softtoken::Revision;
use softtoken::mfa::Decision;
use softtoken::store::{Snapshot, Swap, Write};

use crate::DieselStoreError;

/// What the engines say differently.
pub(crate) trait Dialect: Backend {
    /// Whether the server is a standby.
    const IS_STANDBY: &'static str;
    /// Keeps others from writing the rows that are read.
    const LOCKED: &'static str;
    /// The number of the transaction, where the engine has one.
    const NUMBER: &'static str;
    /// Is always true, and makes the commit wait for the disk.
    const DURABLY: &'static str;
}

#[cfg(any(feature = "postgres", feature = "async-postgres"))]
impl Dialect for diesel::pg::Pg {
    const IS_STANDBY: &'static str = "pg_is_in_recovery()";
    const LOCKED: &'static str = " FOR UPDATE";
    const NUMBER: &'static str = "txid_current()";
    // For this transaction alone, whatever the role, the database or the pool says. What waits for
    // standbys as well goes on waiting.
    const DURABLY: &'static str = "set_config('synchronous_commit',
        CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
        ELSE current_setting('synchronous_commit') END, true) IS NOT NULL";
}

#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
impl Dialect for diesel::sqlite::Sqlite {
    const IS_STANDBY: &'static str = "FALSE";
    // A transaction has the only write lock from its beginning.
    const LOCKED: &'static str = "";
    // It has a savepoint for a mark instead.
    const NUMBER: &'static str = "0";
    const DURABLY: &'static str = "TRUE";
}

/// Finds the row of a subject. One row comes back in any case, so that a standby is told from a
/// subject without a row.
#[derive(Debug)]
pub(crate) struct Load<'a>(pub(crate) &'a str);

/// What [`Load`] finds: revision, record, and whether the server is a standby.
pub(crate) type Row = (Option<i64>, Option<Vec<u8>>, bool);

impl QueryId for Load<'_> {
    type QueryId = Load<'static>;
}

impl Query for Load<'_> {
    type SqlType = (Nullable<BigInt>, Nullable<Binary>, Bool);
}

impl<C> RunQueryDsl<C> for Load<'_> {}

impl<D: Dialect> QueryFragment<D> for Load<'_>
where
    str: ToSql<Text, D>,
{
    fn walk_ast<'b>(&'b self, mut sql: AstPass<'_, 'b, D>) -> QueryResult<()> {
        sql.push_sql("SELECT softtoken.revision, softtoken.record, ");
        sql.push_sql(D::IS_STANDBY);
        sql.push_sql(" FROM (SELECT 1) AS one LEFT JOIN softtoken ON softtoken.subject = ");
        sql.push_bind_param::<Text, str>(self.0)
    }
}

/// Returns what was found, where there is a row.
pub(crate) fn found(row: Row) -> Result<Option<Snapshot>, DieselStoreError> {
    match row {
        (_, _, true) => Err(DieselStoreError::Standby),
        (revision, record, _) => held(revision, record),
    }
}

/// Finds the row of a subject as it is now, and keeps others from writing it until the transaction
/// ends, whose number comes along. Fails on a standby.
#[derive(Debug)]
pub(crate) struct LoadLocked<'a>(pub(crate) &'a str);

/// What [`LoadLocked`] finds: revision, record, and the number of the transaction.
pub(crate) type LockedRow = (Option<i64>, Option<Vec<u8>>, i64);

impl QueryId for LoadLocked<'_> {
    type QueryId = LoadLocked<'static>;
}

impl Query for LoadLocked<'_> {
    type SqlType = (Nullable<BigInt>, Nullable<Binary>, BigInt);
}

impl<C> RunQueryDsl<C> for LoadLocked<'_> {}

impl<D: Dialect> QueryFragment<D> for LoadLocked<'_>
where
    str: ToSql<Text, D>,
{
    fn walk_ast<'b>(&'b self, mut sql: AstPass<'_, 'b, D>) -> QueryResult<()> {
        sql.push_sql("SELECT held.revision, held.record, ");
        sql.push_sql(D::NUMBER);
        sql.push_sql(" FROM (SELECT 1) AS one LEFT JOIN (SELECT * FROM softtoken WHERE subject = ");
        sql.push_bind_param::<Text, str>(self.0)?;
        sql.push_sql(D::LOCKED);
        sql.push_sql(") AS held ON TRUE");
        Ok(())
    }
}

/// Is the number of the transaction, and the row that it has locked, where there is one.
pub(crate) type Locked = (i64, Option<Snapshot>);

/// Returns what was locked.
pub(crate) fn locked((revision, record, number): LockedRow) -> Result<Locked, DieselStoreError> {
    Ok((number, held(revision, record)?))
}

/// Returns what a row holds, where there is a row.
fn held(
    revision: Option<i64>,
    record: Option<Vec<u8>>,
) -> Result<Option<Snapshot>, DieselStoreError> {
    let Some(revision) = revision else {
        return Ok(None);
    };
    // A revision that no store has written is an error, not a row to begin anew.
    let known = Revision::from_i64(revision).ok_or(DieselStoreError::Revision(revision))?;
    Ok(Some(Snapshot {
        revision: known,
        record: record.unwrap_or_default(),
    }))
}

/// Compares and writes, in one statement: a `SELECT` and then an `UPDATE` would accept a code
/// twice.
#[derive(Debug)]
pub(crate) struct CompareAndSwap<'a> {
    write: &'a Write,
    next: i64,
    expected: Option<i64>,
}

impl<'a> CompareAndSwap<'a> {
    pub(crate) fn new(write: &'a Write) -> Self {
        Self {
            write,
            next: write.next().as_i64(),
            expected: write.expected().map(Revision::as_i64),
        }
    }
}

impl QueryId for CompareAndSwap<'_> {
    type QueryId = ();
    // It is one of two statements.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> RunQueryDsl<C> for CompareAndSwap<'_> {}

impl<D: Dialect> QueryFragment<D> for CompareAndSwap<'_>
where
    str: ToSql<Text, D>,
    i64: ToSql<BigInt, D>,
    [u8]: ToSql<Binary, D>,
{
    fn walk_ast<'b>(&'b self, mut sql: AstPass<'_, 'b, D>) -> QueryResult<()> {
        let (subject, record) = (self.write.subject(), self.write.record());
        match &self.expected {
            None => {
                sql.push_sql("INSERT INTO softtoken (subject, revision, record) SELECT ");
                sql.push_bind_param::<Text, str>(subject)?;
                sql.push_sql(", ");
                sql.push_bind_param::<BigInt, i64>(&self.next)?;
                sql.push_sql(", ");
                sql.push_bind_param::<Binary, [u8]>(record)?;
                sql.push_sql(" WHERE ");
                sql.push_sql(D::DURABLY);
                sql.push_sql(" ON CONFLICT DO NOTHING");
            }
            Some(expected) => {
                sql.push_sql("UPDATE softtoken SET revision = ");
                sql.push_bind_param::<BigInt, i64>(&self.next)?;
                sql.push_sql(", record = ");
                sql.push_bind_param::<Binary, [u8]>(record)?;
                sql.push_sql(" WHERE subject = ");
                sql.push_bind_param::<Text, str>(subject)?;
                sql.push_sql(" AND revision = ");
                sql.push_bind_param::<BigInt, i64>(expected)?;
                sql.push_sql(" AND ");
                sql.push_sql(D::DURABLY);
            }
        }
        Ok(())
    }
}

/// Returns what the number of changed rows says.
pub(crate) fn swapped(rows: usize) -> Result<Swap, DieselStoreError> {
    match rows {
        1 => Ok(Swap::Stored),
        0 => Ok(Swap::Conflict),
        rows => Err(DieselStoreError::Rows(rows)),
    }
}

/// Returns what a swap came to that was sent again and again: another transaction was faster.
pub(crate) fn outrun(swap: Result<Swap, DieselStoreError>) -> Result<Swap, DieselStoreError> {
    match swap {
        Err(error) if error.is_outrun() => Ok(Swap::Conflict),
        swap => swap,
    }
}

/// Returns whether a transaction holds what was decided in it, by the row that it finds now: all of
/// it, since another request may have stored the same revision.
pub(crate) fn is_written<T>(decision: &Decision<T>, held: Option<&Snapshot>) -> bool {
    let Some(write) = decision.write() else {
        return true;
    };
    // Not by `Write::snapshot`, which would copy the record.
    held.is_some_and(|row| row.revision == write.next() && row.record == write.record())
}

/// Is `FULL`, as `PRAGMA synchronous` counts.
#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
pub(crate) const FULL: i32 = 2;

/// Asks SQLite what a commit waits for.
#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
#[derive(Debug, QueryId)]
pub(crate) struct Synchronous;

#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
impl Query for Synchronous {
    type SqlType = diesel::sql_types::Integer;
}

#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
impl<C> RunQueryDsl<C> for Synchronous {}

#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
impl QueryFragment<diesel::sqlite::Sqlite> for Synchronous {
    fn walk_ast<'b>(&'b self, mut sql: AstPass<'_, 'b, diesel::sqlite::Sqlite>) -> QueryResult<()> {
        sql.push_sql("PRAGMA synchronous");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use softtoken::store::Swap;

    use super::{found, swapped};
    use crate::DieselStoreError;

    #[test]
    fn a_revision_that_was_never_written_is_an_error_and_no_absent_row() {
        for revision in [0, -1, i64::MIN] {
            let row = (Some(revision), Some(vec![1]), false);
            let refused = found(row).expect_err("no store has written it");
            assert!(matches!(refused, DieselStoreError::Revision(held) if held == revision));
        }
        assert_eq!(found((None, None, false)).expect("there is no row"), None);
        for revision in [1, i64::MAX] {
            let row = found((Some(revision), Some(vec![1]), false)).expect("it is one");
            assert_eq!(row.map(|row| row.revision.as_i64()), Some(revision));
        }
    }

    #[test]
    fn a_standby_is_refused_with_a_row_and_without() {
        for row in [(Some(1), Some(vec![1]), true), (None, None, true)] {
            assert!(matches!(found(row), Err(DieselStoreError::Standby)));
        }
    }

    #[test]
    fn two_rows_of_one_subject_are_neither_stored_nor_a_conflict() {
        assert!(matches!(swapped(1), Ok(Swap::Stored)));
        assert!(matches!(swapped(0), Ok(Swap::Conflict)));
        assert!(matches!(swapped(2), Err(DieselStoreError::Rows(2))));
    }
}
