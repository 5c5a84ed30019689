//! Says why the database did not answer, and what that leaves behind.

use crate::engine::{self, Verdict};

/// Says why a store could not answer, or a transaction did not end as it should. What the driver
/// said is the [`source`](core::error::Error::source), whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlxStoreError {
    /// No connection was to be had, the statement failed, or the connection while the statement
    /// ran. Where a swap or a commit was under way, it is not known whether the database has stored
    /// it.
    #[error("the database did not answer")]
    Database(#[source] sqlx::Error),
    /// Another transaction was in the way: a serialization failure, a deadlock, or a lock that was
    /// waited for in vain. Nothing was stored, neither the record nor a row of your own, and the
    /// code is not spent: drop what is open, and begin the same request again.
    #[error("another transaction was in the way")]
    Conflict(#[source] sqlx::Error),
    /// The database has refused the commit, for a deferred constraint say, and has rolled the
    /// transaction back. Nothing was stored, neither the record nor a row of your own, and the code
    /// is not spent.
    #[error("the database refused the commit")]
    Refused(#[source] sqlx::Error),
    /// The transaction that was to be committed is gone, or no longer holds the record that was
    /// swapped in it: the database, or a statement of your application's own, had rolled it back.
    /// What was left of the transaction was rolled back as well; nothing is accepted, and the code
    /// is not spent by it. Except where a statement of your application's own had committed it, a
    /// COMMIT, or in MySQL one that commits by itself, as a CREATE TABLE does: then the record is
    /// stored, and the same request is told that its code is used. A row that your application
    /// wrote after the transaction had ended is stored by itself, so leave its end to the store.
    #[error("the transaction had been rolled back before its commit")]
    Undone(#[source] sqlx::Error),
    /// The row holds a revision that no store has written. Nothing was judged.
    #[error("the table holds revision {0}, which no store has written")]
    Revision(i64),
    /// The server is a standby, which lags behind its primary, or lets nothing be written. Nothing
    /// was stored.
    #[error("the server is a standby")]
    Standby,
    /// A setting of the connection or of the server would have a swap lost that was acknowledged,
    /// or a row read that was not committed. Nothing was judged. See
    /// [`SqlxStore::durable_otherwise`](crate::SqlxStore::durable_otherwise).
    #[error("the database is not set for second factors: {0}")]
    Setting(&'static str),
    /// The database has not answered within
    /// [`SqlxStore::answer_timeout`](crate::SqlxStore::answer_timeout), and the connection was
    /// closed. Of a swap or a commit it is not known whether the database has stored it, or will.
    #[error("the database did not answer in time")]
    TimedOut,
    /// The runtime was shut down while the statement ran. It is not known whether the database has
    /// stored it.
    #[error("the runtime was shut down")]
    ShutDown,
}

impl From<sqlx::Error> for SqlxStoreError {
    /// Tells what a statement has failed by, one of your application's own as well:
    /// [`Conflict`](Self::Conflict) where the engine says that another transaction was in the way,
    /// [`Standby`](Self::Standby) where it lets nothing be written, and
    /// [`Database`](Self::Database) for everything else.
    fn from(error: sqlx::Error) -> Self {
        match engine::verdict(&error) {
            Verdict::Outrun | Verdict::Busy => Self::Conflict(error),
            Verdict::ReadOnly => Self::Standby,
            Verdict::Refused | Verdict::Unknown => Self::Database(error),
        }
    }
}

impl SqlxStoreError {
    /// Returns whether another transaction was faster, so that it is known now what that one has
    /// stored, and the same may be tried at once. Who has waited for a lock in vain has waited long
    /// enough.
    pub(crate) fn is_outrun(&self) -> bool {
        matches!(self, Self::Conflict(error) if engine::verdict(error) == Verdict::Outrun)
    }
}
