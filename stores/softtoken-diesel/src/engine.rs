//! What a connection does, each in its engine's way.

#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
use diesel::connection::SimpleConnection as _;
#[cfg(feature = "postgres")]
use diesel::connection::TransactionManager as _;
use diesel::connection::{AnsiTransactionManager, Connection};
use diesel::{QueryResult, RunQueryDsl as _};
use softtoken::store::{Snapshot, Swap, Write};

use crate::DieselStoreError;
use crate::statements::{CompareAndSwap, Load, LoadLocked, Locked, found, locked, swapped};
#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
use crate::statements::{FULL, Synchronous};

/// Marks the connections that records can be kept over: [`PgConnection`](diesel::PgConnection)
/// (feature `postgres`) and [`SqliteConnection`](diesel::SqliteConnection) (feature `sqlite`).
pub trait Engine: Connection<TransactionManager = AnsiTransactionManager> + sealed::Rows {}

pub(crate) mod sealed {
    use diesel::QueryResult;

    use super::{DieselStoreError, Locked, Snapshot, Swap, Write};

    pub trait Rows: Sized {
        /// Makes the table where there is none.
        const TABLE: &str;

        /// Loads the row of a subject, outside of a transaction, from a server that does not lag.
        fn find(&mut self, subject: &str) -> Result<Option<Snapshot>, DieselStoreError>;

        /// Loads the row of a subject in a transaction, as it is now, and keeps others from writing
        /// it.
        fn find_locked(&mut self, subject: &str) -> Result<Locked, DieselStoreError>;

        /// Loads it again, before the commit. Fails where the transaction that began has ended, and
        /// the engine has no number to tell by.
        fn find_again(&mut self, subject: &str) -> Result<Locked, DieselStoreError> {
            self.find_locked(subject)
        }

        /// Swaps, within a transaction or without.
        fn swap(&mut self, write: &Write) -> Result<Swap, DieselStoreError>;

        /// Makes the next commit wait for the disk, where the swap itself does not.
        fn durable(&mut self) -> QueryResult<()>;

        /// Begins a transaction in which what was loaded can be swapped.
        fn begin(&mut self) -> QueryResult<()>;
    }
}

macro_rules! rows {
    () => {
        fn find(&mut self, subject: &str) -> Result<Option<Snapshot>, DieselStoreError> {
            found(Load(subject).get_result(self)?)
        }

        fn find_locked(&mut self, subject: &str) -> Result<Locked, DieselStoreError> {
            locked(LoadLocked(subject).get_result(self)?)
        }

        fn swap(&mut self, write: &Write) -> Result<Swap, DieselStoreError> {
            swapped(CompareAndSwap::new(write).execute(self)?)
        }
    };
}

#[cfg(feature = "postgres")]
impl Engine for diesel::PgConnection {}

#[cfg(feature = "postgres")]
impl sealed::Rows for diesel::PgConnection {
    const TABLE: &str = crate::migrations::POSTGRES_TABLE;

    rows!();

    fn durable(&mut self) -> QueryResult<()> {
        Ok(())
    }

    fn begin(&mut self) -> QueryResult<()> {
        AnsiTransactionManager::begin_transaction(self)
    }
}

#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
impl Engine for diesel::SqliteConnection {}

#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
impl sealed::Rows for diesel::SqliteConnection {
    const TABLE: &str = crate::migrations::SQLITE_TABLE;

    rows!();

    fn find_again(&mut self, subject: &str) -> Result<Locked, DieselStoreError> {
        self.batch_execute("RELEASE SAVEPOINT softtoken_began")?;
        self.find_locked(subject)
    }

    fn durable(&mut self) -> QueryResult<()> {
        let held: i32 = Synchronous.get_result(self)?;
        // With NORMAL, which is often recommended beside WAL, a loss of power takes acknowledged
        // swaps back, and their codes sign in again. EXTRA stays what it is.
        if held < FULL {
            self.batch_execute("PRAGMA synchronous = FULL")?;
        }
        // Apple's fsync alone does not reach the disk. Elsewhere it means nothing.
        if cfg!(target_vendor = "apple") {
            self.batch_execute("PRAGMA fullfsync = TRUE")?;
        }
        Ok(())
    }

    fn begin(&mut self) -> QueryResult<()> {
        // Within a transaction it cannot be changed.
        self.durable()?;
        // A transaction that has read first and then writes would fail where another has written in
        // between.
        AnsiTransactionManager::begin_transaction_sql(self, "BEGIN IMMEDIATE")?;
        // It is gone with the transaction: another one that has begun since is not committed.
        self.batch_execute("SAVEPOINT softtoken_began")
    }
}
