//! Keeps a transaction from being left open.

use core::time::Duration;
use std::sync::Arc;

use softtoken::store::{Snapshot, Write};
use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, SqlSafeStr};
use sqlx_core::transaction::TransactionManager as _;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::SqlxStoreError;
use crate::engine::{self, Engine};

/// Is a transaction, rolled back where it is dropped. Its connection goes back to the pool where
/// the driver knows that the transaction has ended, and is closed elsewhere.
pub(crate) struct Open<DB: Engine> {
    /// `None` only while it ends.
    connection: Option<PoolConnection<DB>>,
    /// Where it is rolled back, wherever this is dropped.
    runtime: Handle,
    /// How long an answer of the database is waited for.
    limit: Duration,
    /// Given up after the transaction.
    turn: Arc<OwnedSemaphorePermit>,
    /// The transaction's own, once the row was read, where the engine has one.
    number: Option<i64>,
}

// Whoever drops one of these futures leaves a transaction open, or not, and cannot tell: the driver
// knows of a transaction once the server's answer was read. They run in tasks of their own.
impl<DB: Engine> Open<DB> {
    pub(crate) async fn begin(
        connection: PoolConnection<DB>,
        limit: Duration,
        turn: Arc<OwnedSemaphorePermit>,
    ) -> Result<Self, SqlxStoreError> {
        let mut open = Self {
            connection: Some(connection),
            runtime: Handle::current(),
            limit,
            turn,
            number: None,
        };
        let statement = DB::BEGIN.map(SqlSafeStr::into_sql_str);
        let begin = async {
            DB::TransactionManager::begin(open.connection(), statement).await?;
            DB::mark(open.connection()).await
        };
        match timeout(limit, begin).await {
            Ok(Ok(())) => Ok(open),
            // A connection on which nothing can begin, since a statement has failed in a
            // transaction of which the driver does not know, is nobody's.
            Ok(Err(error)) => {
                open.give_up();
                Err(error.into())
            }
            Err(_) => Err(open.give_up()),
        }
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Closes the connection, whatever the database is still doing on it.
    pub(crate) fn give_up(mut self) -> SqlxStoreError {
        drop(self.connection.take().map(PoolConnection::detach));
        SqlxStoreError::TimedOut
    }

    pub(crate) fn connection(&mut self) -> &mut DB::Connection {
        let connection = self.connection.as_mut();
        connection.expect("it is there until it ends")
    }

    /// Reads the row as it is now, and keeps others from writing it. Fails where this is not the
    /// transaction in which it was read before.
    pub(crate) async fn load(&mut self, subject: &str) -> Result<Option<Snapshot>, SqlxStoreError> {
        let (number, row) = DB::load_locked(self.connection(), subject).await?;
        if self.number.is_some() && number != self.number {
            return Err(SqlxStoreError::Undone(sqlx::Error::RowNotFound));
        }
        self.number = number;
        engine::snapshot(row)
    }

    /// Fails where this is no longer the transaction that has begun, or does not hold this write, or
    /// cannot be read: where it was rolled back in between, a commit would not say so.
    pub(crate) async fn holds(
        &mut self,
        subject: &str,
        write: Option<&Write>,
    ) -> Result<(), SqlxStoreError> {
        let undone = |error| match error {
            SqlxStoreError::Database(error) => SqlxStoreError::Undone(error),
            other => other,
        };
        // One that was begun within, and is open still, is what would be committed.
        if DB::TransactionManager::get_transaction_depth(self.connection()) != 1 {
            let open = sqlx::Error::InvalidSavePointStatement;
            return Err(SqlxStoreError::Undone(open));
        }
        let marked = DB::unmark(self.connection()).await;
        marked.map_err(|error| undone(error.into()))?;
        let found = self.load(subject).await.map_err(undone)?;
        let Some(write) = write else {
            return Ok(());
        };
        // Not by `Write::snapshot`, which would copy the record.
        match found {
            Some(row) if row.revision == write.next() && row.record == write.record() => Ok(()),
            _ => Err(SqlxStoreError::Undone(sqlx::Error::RowNotFound)),
        }
    }

    pub(crate) async fn commit(mut self) -> Result<(), SqlxStoreError> {
        let limit = self.limit;
        let committed = DB::TransactionManager::commit(self.connection());
        match timeout(limit, committed).await {
            Ok(committed) => committed.map_err(engine::refused)?,
            Err(_) => return Err(self.give_up()),
        }
        self.connection = None;
        Ok(())
    }

    pub(crate) async fn rollback(mut self) -> Result<(), SqlxStoreError> {
        match self.connection.take() {
            Some(connection) => roll_back(connection, self.limit).await,
            None => Ok(()),
        }
    }
}

/// Rolls back. SQLite ends a transaction by itself on some errors, of which the driver does not
/// know: its ROLLBACK fails, and it counts a transaction that is none. Such a connection is closed,
/// or whatever begins on it next would be a savepoint, and whatever is written on it uncommitted.
async fn roll_back<DB: Engine>(
    mut connection: PoolConnection<DB>,
    limit: Duration,
) -> Result<(), SqlxStoreError> {
    let rolled_back = DB::TransactionManager::rollback(&mut connection);
    let Ok(rolled_back) = timeout(limit, rolled_back).await else {
        // A statement of before is not answered.
        drop(connection.detach());
        return Err(SqlxStoreError::TimedOut);
    };
    if rolled_back.is_err() || connection.is_in_transaction() {
        // How it says farewell changes nothing: the engine rolls back what has no connection.
        drop(timeout(limit, connection.close()).await);
    }
    Ok(rolled_back?)
}

impl<DB: Engine> Drop for Open<DB> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let (limit, turn) = (self.limit, Arc::clone(&self.turn));
            // A runtime that is shut down drops the task here, and the connection with it.
            let _within = self.runtime.enter();
            drop(self.runtime.spawn(async move {
                // Nobody waits for it: where it fails, the connection is closed.
                let _ = roll_back(connection, limit).await;
                drop(turn);
            }));
        }
    }
}
