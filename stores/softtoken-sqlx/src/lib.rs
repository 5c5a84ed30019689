//! Keeps second factors in SQLite, PostgreSQL, MySQL or MariaDB, over your application's own pool
//! of sqlx, and commits rows of yours with them.
//!
//! [`SqlxStore`] is a [`Store`]: every request of
//! [`softtoken::Mfa`] runs on it. [`SqlxStore::begin`] decides a request in a transaction, which it
//! lends for rows of your application's own until [`Accepted::commit`].
//!
//! | feature | gives |
//! |---|---|
//! | `sqlite` | `SqliteStore`, with SQLite compiled in |
//! | `postgres` | `PostgresStore` |
//! | `mysql` | `MySqlStore`, for MySQL and MariaDB |
//!
//! None is on by default. TLS is for your application's own sqlx to choose. The README says what
//! each engine needs, and what is refused.
//!
//! # Why tasks of their own
//!
//! A driver knows of a transaction once it has read the server's answer to the BEGIN. A future that
//! is dropped in between, since a client has hung up, leaves a transaction open that nobody rolls
//! back, on a connection that goes home to the pool: the next user's writes are part of it, and are
//! never committed, or wait for its locks. So what is asked here runs in a task that is spawned on
//! Tokio's runtime, to its end. That is sound because a [`Request`](softtoken::mfa::Request), its
//! decision and its write are owned: the task borrows nothing of whoever waits for it. Where nobody
//! waits any more, the runtime drops what the task returns, and an [`Accepted`] that is dropped
//! rolls back. A panic in the task goes on in whoever waits; the transaction is dropped on the way.
//! A runtime that is shut down drops tasks amid their work, and the pool's connections with them,
//! by which the engine rolls back.
//!
//! A handler of your application's own that awaits `pool.begin()` has no such task, and its client
//! hangs up as well. What the store asks on a connection that was left so is no part of that
//! transaction, which is rolled back first. The README says what your own statements need.
//!
//! # Panics
//!
//! Outside of a runtime of Tokio's, as sqlx does.
#![cfg_attr(docsrs, feature(doc_cfg))]

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;

use softtoken::Store;
use softtoken::store::{Snapshot, Swap, Write};
use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Pool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

mod engine;
mod error;
mod login;
mod task;
mod transaction;

pub use engine::Engine;
pub use error::SqlxStoreError;
pub use login::Accepted;

use engine::Verdict;
use task::{uncut, uncut_over};
use transaction::Open;

/// Keeps records in SQLite.
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub type SqliteStore = SqlxStore<sqlx::Sqlite>;
/// Keeps records in PostgreSQL.
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub type PostgresStore = SqlxStore<sqlx::Postgres>;
/// Keeps records in MySQL or MariaDB.
#[cfg(feature = "mysql")]
#[cfg_attr(docsrs, doc(cfg(feature = "mysql")))]
pub type MySqlStore = SqlxStore<sqlx::MySql>;

/// Keeps records in the table `softtoken` of a database, over your application's own pool.
///
/// A clone is the same store, and as cheap as a clone of the pool. The engine's settings are looked
/// at once, by the first request, and what would lose acknowledged swaps is refused as
/// [`SqlxStoreError::Setting`].
pub struct SqlxStore<DB: Engine> {
    pool: Pool<DB>,
    shared: Arc<Shared>,
    durable_otherwise: bool,
    limit: Duration,
}

/// Is longer than an engine waits for a lock, MySQL 50 seconds.
const LIMIT: Duration = Duration::from_mins(1);

/// Sends a statement so often, where other transactions are in the way.
const ATTEMPTS: u32 = 16;

/// Is what clones of a store share.
struct Shared {
    /// Whether the settings were found to do.
    checked: AtomicBool,
    /// The turns to write, of which SQLite has one: its writers queue here, in order, instead of
    /// polling the engine's lock until their time is up. Elsewhere there is one for each
    /// connection, so that a client who hangs up while waiting for one costs nothing.
    turns: Arc<Semaphore>,
    /// The turns to read, one for each connection: what waits here is a few bytes, and what waits
    /// for the pool is a task.
    loads: Arc<Semaphore>,
}

impl<DB: Engine> SqlxStore<DB> {
    /// Creates a store over a pool. [`migrate`](Self::migrate) makes the table.
    ///
    /// Make one store at the start, and clone it.
    #[must_use]
    pub fn new(pool: Pool<DB>) -> Self {
        let connections = pool.options().get_max_connections();
        let connections = usize::try_from(connections).unwrap_or(Semaphore::MAX_PERMITS);
        let connections = connections.min(Semaphore::MAX_PERMITS);
        let turns = if DB::ONE_WRITER { 1 } else { connections };
        let shared = Shared {
            checked: AtomicBool::new(false),
            turns: Arc::new(Semaphore::new(turns)),
            loads: Arc::new(Semaphore::new(connections)),
        };
        Self {
            pool,
            shared: Arc::new(shared),
            durable_otherwise: false,
            limit: LIMIT,
        }
    }

    /// Gives up each statement, and each commit, that the database has not answered after so long:
    /// [`SqlxStoreError::TimedOut`]. 60 seconds, unless you set it; how long a connection of the
    /// pool is waited for is the pool's own `acquire_timeout`.
    ///
    /// The connection is closed then, so that a database that does not answer uses no pool up. What
    /// the database does about it is another matter: a commit that waits for a synchronous standby
    /// which is gone goes on waiting, with the lock of the subject's row, and is stored once the
    /// standby is back. No server's own limit counts during such a wait.
    #[must_use]
    pub fn answer_timeout(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Takes the database with settings by which a crash takes back what was acknowledged, so that
    /// spent codes sign in again and failures were free. For tests, which need no disk, and for a
    /// cluster whose members do not fall together. Clones that there are already go on refusing it.
    #[must_use]
    pub fn durable_otherwise(self) -> Self {
        // What suffices for this one does not for the clones that there are already.
        let shared = Shared {
            checked: AtomicBool::new(false),
            turns: Arc::clone(&self.shared.turns),
            loads: Arc::clone(&self.shared.loads),
        };
        Self {
            shared: Arc::new(shared),
            durable_otherwise: true,
            ..self
        }
    }

    /// Returns the pool, for your application's own tables.
    #[must_use]
    pub fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Makes the table where there is none. It may be run again, and by several processes at once;
    /// the statement stands in the package's folder `migrations`, for a tool of yours that runs
    /// migrations.
    ///
    /// # Errors
    ///
    /// [`SqlxStoreError::Database`]: there is no database, or it does not let this user make a table.
    pub async fn migrate(&self) -> Result<(), SqlxStoreError> {
        let store = self.clone();
        let work = async move {
            let mut connection = store.idle().await?;
            let made = match timeout(store.limit, DB::migrate(&mut connection)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.into(),
                Err(_) => SqlxStoreError::TimedOut,
            };
            drop(connection.detach());
            Err(made)
        };
        uncut(work).await?
    }

    /// Waits for a turn to write. Whoever drops this future has left the queue.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, SqlxStoreError> {
        self.queue(&self.shared.turns).await
    }

    async fn queue(&self, turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, SqlxStoreError> {
        let turn = Arc::clone(turns).acquire_owned();
        let waited = timeout(self.pool.options().get_acquire_timeout(), turn).await;
        let closed = |_| sqlx::Error::PoolClosed;
        Ok(waited
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(closed)?)
    }

    /// Takes a connection that is in no transaction that the driver knows of. One that it counts
    /// as in a transaction was left so, or its transaction has ended without the driver: a
    /// statement on it would be part of what nobody commits. What the driver does not know of is
    /// for the engine's own statements to end ([`Sealed::load`](engine::Sealed::load)).
    async fn idle(&self) -> Result<PoolConnection<DB>, SqlxStoreError> {
        loop {
            let connection = self.pool.acquire().await?;
            if !connection.is_in_transaction() {
                return Ok(connection);
            }
            // The engine rolls back what has no connection, and needs no farewell.
            drop(timeout(self.limit, connection.close()).await);
        }
    }

    /// Takes a connection whose settings do. The connections of a pool are made alike, so one of
    /// them is asked, once.
    async fn connection(&self) -> Result<PoolConnection<DB>, SqlxStoreError> {
        let mut connection = self.idle().await?;
        if !self.shared.checked.load(Ordering::Relaxed) {
            let check = DB::check(&mut connection, !self.durable_otherwise);
            let Ok(checked) = timeout(self.limit, check).await else {
                drop(connection.detach());
                return Err(SqlxStoreError::TimedOut);
            };
            if let Err(error) = checked {
                // A setting is everybody's. What cannot answer is nobody's.
                if matches!(error, SqlxStoreError::Database(_)) {
                    drop(connection.detach());
                }
                return Err(error);
            }
            self.shared.checked.store(true, Ordering::Relaxed);
        }
        Ok(connection)
    }

    /// Begins a transaction.
    async fn open(&self, turn: Arc<OwnedSemaphorePermit>) -> Result<Open<DB>, SqlxStoreError> {
        Open::begin(self.connection().await?, self.limit, turn).await
    }
}

/// Sends a statement again where other transactions were in the way.
macro_rules! again {
    ($is_outrun:expr, $statement:expr) => {{
        let mut answer = $statement;
        for _ in 1..ATTEMPTS {
            match &answer {
                Err(error) if $is_outrun(error) => answer = $statement,
                _ => break,
            }
        }
        answer
    }};
}

// Every statement runs in a task of its own. A driver whose future is dropped amid an exchange with
// the server has to find its place again, and not every one does; and a pool whose future is
// dropped closes the connection that it was about to give.
impl<DB: Engine> Store for SqlxStore<DB> {
    type Error = SqlxStoreError;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, SqlxStoreError> {
        let turn = self.queue(&self.shared.loads).await?;
        let (store, subject) = (self.clone(), subject.to_owned());
        uncut_over(async move {
            let mut connection = store.connection().await?;
            // At SERIALIZABLE a lone SELECT may be in another transaction's way as well.
            let load = async {
                again!(
                    SqlxStoreError::is_outrun,
                    DB::load(&mut connection, &subject).await
                )
            };
            let Ok(found) = timeout(store.limit, load).await else {
                drop(connection.detach());
                return Err(SqlxStoreError::TimedOut);
            };
            drop(turn);
            Ok((engine::snapshot(found?)?, connection))
        })
        .await
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, SqlxStoreError> {
        let (store, turn) = (self.clone(), self.turn().await?);
        uncut_over(async move {
            let mut connection = store.connection().await?;
            // Nothing was stored, and at SERIALIZABLE perhaps by nobody: what there is now says who
            // was faster.
            let swap = async {
                again!(
                    |error| engine::verdict(error) == Verdict::Outrun,
                    DB::swap_alone(&mut connection, &write).await
                )
            };
            let Ok(rows) = timeout(store.limit, swap).await else {
                drop(connection.detach());
                return Err(SqlxStoreError::TimedOut);
            };
            drop(turn);
            Ok((engine::swapped(rows)?, connection))
        })
        .await
    }

    async fn pause(&self, time: Duration) {
        sleep(time).await;
    }
}

impl<DB: Engine> Clone for SqlxStore<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            shared: Arc::clone(&self.shared),
            durable_otherwise: self.durable_otherwise,
            limit: self.limit,
        }
    }
}

impl<DB: Engine> fmt::Debug for SqlxStore<DB> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SqlxStore")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::SqliteStore;

    #[tokio::test]
    async fn a_database_is_waited_for_for_a_minute_unless_another_time_is_set() {
        let pool = sqlx::SqlitePool::connect_lazy("sqlite::memory:").expect("it is a URL");
        assert_eq!(SqliteStore::new(pool).limit.as_secs(), 60);
    }
}

#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../README.md")]
struct Readme;
