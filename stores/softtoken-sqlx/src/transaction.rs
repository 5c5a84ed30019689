//! Keeps a transaction from being left open.

use softtoken::Revision;
use sqlx::{Pool, SqlSafeStr as _, Transaction};
use tokio::runtime::Handle;

use crate::SqlxError;
use crate::engine::{self, Engine};

/// Is a transaction, rolled back where it is dropped.
pub(crate) struct Open<DB: Engine> {
    /// `None` only while it is dropped.
    transaction: Option<Transaction<'static, DB>>,
    /// Where the pool takes its connection back, wherever this is dropped.
    runtime: Handle,
}

// Whoever drops one of these futures leaves a transaction open, or not, and cannot tell: the driver
// knows of a transaction once the server's answer was read. They run in tasks of their own.
impl<DB: Engine> Open<DB> {
    pub(crate) async fn begin(pool: &Pool<DB>) -> Result<Self, SqlxError> {
        let transaction = match DB::BEGIN {
            Some(begin) => pool.begin_with(begin.into_sql_str()).await?,
            None => pool.begin().await?,
        };
        Ok(Self {
            transaction: Some(transaction),
            runtime: Handle::current(),
        })
    }

    pub(crate) fn transaction(&mut self) -> &mut Transaction<'static, DB> {
        let transaction = self.transaction.as_mut();
        transaction.expect("it is there until it is dropped")
    }

    /// Fails where the transaction no longer holds this revision, or cannot be read: where the
    /// engine has rolled it back by itself, a commit would not say so.
    pub(crate) async fn holds(
        &mut self,
        subject: &str,
        revision: Option<Revision>,
    ) -> Result<(), SqlxError> {
        let row = DB::load_locked(self.transaction(), subject).await;
        let row = row.map_err(|error| match engine::ended::<DB>(error) {
            SqlxError::Database(error) => SqlxError::Undone(error),
            other => other,
        });
        let found = engine::snapshot(row?)?;
        if revision.is_some() && found.map(|row| row.revision) != revision {
            return Err(SqlxError::Undone(sqlx::Error::RowNotFound));
        }
        Ok(())
    }

    pub(crate) async fn commit(mut self) -> Result<(), SqlxError> {
        match self.transaction.take() {
            Some(transaction) => {
                let committed = transaction.commit().await;
                committed.map_err(|error| engine::ended::<DB>(error.into()))
            }
            None => Ok(()),
        }
    }

    pub(crate) async fn rollback(mut self) -> Result<(), SqlxError> {
        match self.transaction.take() {
            Some(transaction) => Ok(transaction.rollback().await?),
            None => Ok(()),
        }
    }
}

impl<DB: Engine> Drop for Open<DB> {
    fn drop(&mut self) {
        let _within = self.runtime.enter();
        self.transaction = None;
    }
}
