//! What an async connection does, each in its engine's way.

use core::num::NonZeroU32;

use deadpool::managed::Manager;
use diesel_async::AsyncConnection;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, PoolError};
use softtoken::store::{Snapshot, Swap, Write};

use crate::DieselStoreError;
use crate::statements::Locked;

/// Marks the connections that records can be kept over:
/// [`AsyncPgConnection`](diesel_async::AsyncPgConnection) (feature `async-postgres`) and
/// `SyncConnectionWrapper<SqliteConnection>` (feature `async-sqlite`).
pub trait AsyncEngine: AsyncConnection + sealed::AsyncRows + 'static {
    /// Makes the connections of a pool: diesel-async's.
    type Manager: Manager<Type = Self, Error = PoolError>;
}

pub(crate) mod sealed {
    use super::{AsyncConnection, DieselStoreError, Locked, NonZeroU32, Snapshot, Swap, Write};
    use diesel_async::TransactionManager as _;

    pub trait AsyncRows: AsyncConnection {
        /// Makes the table where there is none.
        const TABLE: &str;

        /// Loads the row of a subject, outside of a transaction, from a server that does not lag.
        fn find(
            &mut self,
            subject: &str,
        ) -> impl Future<Output = Result<Option<Snapshot>, DieselStoreError>> + Send;

        /// Loads the row of a subject in a transaction, as it is now, and keeps others from writing
        /// it.
        fn find_locked(
            &mut self,
            subject: &str,
        ) -> impl Future<Output = Result<Locked, DieselStoreError>> + Send;

        /// Loads it again, before the commit. Fails where the transaction that began has ended, and
        /// the engine has no number to tell by.
        fn find_again(
            &mut self,
            subject: &str,
        ) -> impl Future<Output = Result<Locked, DieselStoreError>> + Send;

        /// Swaps, within a transaction or without.
        fn swap(
            &mut self,
            write: &Write,
        ) -> impl Future<Output = Result<Swap, DieselStoreError>> + Send;

        /// Makes the next commit wait for the disk, where the swap itself does not.
        fn durable(&mut self) -> impl Future<Output = Result<(), DieselStoreError>> + Send;

        /// Begins a transaction in which what was loaded can be swapped.
        fn begin(&mut self) -> impl Future<Output = Result<(), DieselStoreError>> + Send;

        /// Returns whether one transaction is open, and none within it.
        fn is_outermost(&mut self) -> bool {
            let status = Self::TransactionManager::transaction_manager_status_mut(self);
            matches!(status.transaction_depth(), Ok(Some(NonZeroU32::MIN)))
        }
    }
}

#[cfg(feature = "async-postgres")]
mod postgres {
    use diesel_async::{
        AnsiTransactionManager, AsyncPgConnection, RunQueryDsl as _, TransactionManager as _,
    };

    use super::{
        AsyncDieselConnectionManager, AsyncEngine, DieselStoreError, Locked, Snapshot, Swap, Write,
        sealed,
    };
    use crate::statements::{CompareAndSwap, Load, LoadLocked, found, locked, swapped};

    impl AsyncEngine for AsyncPgConnection {
        type Manager = AsyncDieselConnectionManager<Self>;
    }

    impl sealed::AsyncRows for AsyncPgConnection {
        const TABLE: &str = crate::migrations::POSTGRES_TABLE;

        async fn find(&mut self, subject: &str) -> Result<Option<Snapshot>, DieselStoreError> {
            found(Load(subject).get_result(self).await?)
        }

        async fn find_locked(&mut self, subject: &str) -> Result<Locked, DieselStoreError> {
            locked(LoadLocked(subject).get_result(self).await?)
        }

        async fn find_again(&mut self, subject: &str) -> Result<Locked, DieselStoreError> {
            self.find_locked(subject).await
        }

        async fn swap(&mut self, write: &Write) -> Result<Swap, DieselStoreError> {
            swapped(CompareAndSwap::new(write).execute(self).await?)
        }

        async fn durable(&mut self) -> Result<(), DieselStoreError> {
            Ok(())
        }

        async fn begin(&mut self) -> Result<(), DieselStoreError> {
            Ok(AnsiTransactionManager::begin_transaction(self).await?)
        }
    }
}

#[cfg(feature = "async-sqlite")]
mod sqlite {
    use diesel::SqliteConnection;
    use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;

    use super::{
        AsyncDieselConnectionManager, AsyncEngine, DieselStoreError, Locked, Snapshot, Swap, Write,
        sealed,
    };
    use crate::engine::sealed::Rows;

    type Wrapper = SyncConnectionWrapper<SqliteConnection>;

    impl AsyncEngine for Wrapper {
        type Manager = AsyncDieselConnectionManager<Self>;
    }

    impl sealed::AsyncRows for Wrapper {
        const TABLE: &str = <SqliteConnection as Rows>::TABLE;

        async fn find(&mut self, subject: &str) -> Result<Option<Snapshot>, DieselStoreError> {
            let subject = subject.to_owned();
            self.spawn_blocking(move |sqlite| Ok(sqlite.find(&subject)))
                .await?
        }

        async fn find_locked(&mut self, subject: &str) -> Result<Locked, DieselStoreError> {
            let subject = subject.to_owned();
            self.spawn_blocking(move |sqlite| Ok(sqlite.find_locked(&subject)))
                .await?
        }

        async fn find_again(&mut self, subject: &str) -> Result<Locked, DieselStoreError> {
            let subject = subject.to_owned();
            self.spawn_blocking(move |sqlite| Ok(sqlite.find_again(&subject)))
                .await?
        }

        async fn swap(&mut self, write: &Write) -> Result<Swap, DieselStoreError> {
            let write = write.clone();
            self.spawn_blocking(move |sqlite| Ok(sqlite.swap(&write)))
                .await?
        }

        async fn durable(&mut self) -> Result<(), DieselStoreError> {
            Ok(self.spawn_blocking(Rows::durable).await?)
        }

        async fn begin(&mut self) -> Result<(), DieselStoreError> {
            Ok(self.spawn_blocking(Rows::begin).await?)
        }
    }
}
