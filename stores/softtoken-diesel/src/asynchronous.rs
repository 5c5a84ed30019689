//! The async store, over a pool of deadpool.

use core::fmt;
use core::ops::{Deref, DerefMut};
use core::pin::pin;
use core::time::Duration;
use std::panic::resume_unwind;
use std::sync::Arc;

use deadpool::managed::{Object, Pool};
use diesel_async::{SimpleAsyncConnection as _, TransactionManager as _};
use softtoken::association::Operation;
use softtoken::mfa::{Decision, Request};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{Error, Fault, Store};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio::time::{sleep, timeout};

use crate::statements::{is_written, outrun};
use crate::{ATTEMPTS, DieselStoreError};

mod engine;

pub use engine::AsyncEngine;

/// Keeps records in one table of a PostgreSQL or SQLite database, over the deadpool pool of your
/// application.
///
/// `C` is [`AsyncPgConnection`](diesel_async::AsyncPgConnection) (feature `async-postgres`) or
/// diesel-async's `SyncConnectionWrapper<SqliteConnection>` (feature `async-sqlite`). A clone
/// shares the pool. The store asks nothing of a connection: each swap makes its own commit wait for
/// the disk, and each load refuses a PostgreSQL standby. The server's own settings are yours: a
/// server with `fsync` or `full_page_writes` off, and an SQLite file with `journal_mode` off or in
/// memory, lose commits.
///
/// Statements run in tasks of their own, on the runtime of Tokio that calls: a future that is
/// dropped leaves its statement to end by itself, and the connection goes back to the pool
/// afterwards, or is closed where the database has not answered after
/// [`answer_timeout`](Self::answer_timeout). The runtime must have its timer. diesel-async runs SQLite's on the threads of a multi-threaded runtime only.
pub struct AsyncDieselStore<C: AsyncEngine> {
    pool: Pool<C::Manager>,
    limit: Duration,
}

/// Keeps records in PostgreSQL, without blocking.
#[cfg(feature = "async-postgres")]
pub type AsyncPostgresStore = AsyncDieselStore<diesel_async::AsyncPgConnection>;
/// Keeps records in SQLite, on the threads that the runtime has for what blocks.
#[cfg(feature = "async-sqlite")]
pub type AsyncSqliteStore = AsyncDieselStore<
    diesel_async::sync_connection_wrapper::SyncConnectionWrapper<diesel::SqliteConnection>,
>;

impl<C: AsyncEngine> AsyncDieselStore<C> {
    /// Creates a store over `pool`, whose database has the table
    /// ([`migrations`](crate#migrations)).
    #[must_use]
    pub fn new(pool: Pool<C::Manager>) -> Self {
        let limit = Duration::from_secs(60);
        Self { pool, limit }
    }

    /// Gives up what the database has not answered after so long:
    /// [`DieselStoreError::TimedOut`]. 60 seconds, unless you set it; that a connection of the pool
    /// is waited for does not count.
    ///
    /// The connection is closed then, so that a database that does not answer uses no pool up.
    /// What the database does about it is another matter: a commit that waits for a synchronous
    /// standby which is gone goes on waiting, with the lock of the subject's row, and is stored
    /// once the standby is back. No server's own limit counts during such a wait. SQLite's
    /// connection is closed once SQLite has ended its wait, after its `busy_timeout`: nothing ends
    /// a call that blocks.
    #[must_use]
    pub fn answer_timeout(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Returns the pool.
    #[must_use]
    pub fn pool(&self) -> &Pool<C::Manager> {
        &self.pool
    }

    /// Makes the table where there is none. It may be run again, and by several processes at once.
    /// An application that runs diesel's migrations has the same ones to run
    /// ([`migrations`](crate#migrations)).
    ///
    /// # Errors
    ///
    /// There is no database, or it does not let this user make a table.
    pub async fn migrate(&self) -> Result<(), DieselStoreError> {
        let mut connection = Connection::<C>::of(&self.pool).await?;
        let task = async move {
            connection.batch_execute(C::TABLE).await?;
            connection.back();
            Ok(())
        };
        spawn(self.limit, task).await?
    }

    /// Begins a transaction, and runs `request` for `subject` in it: the row of the subject is
    /// loaded, decided on and swapped. Gives the transaction, for rows of your application's own,
    /// and what the request gives. Nothing is accepted before [`Accepted::commit`] has returned
    /// [`Ok`].
    ///
    /// All of it runs in a task of its own, which goes on where this future is dropped: a guess is
    /// counted although its client hangs up. An accepted code is then given back, since nobody is
    /// there to commit it.
    ///
    /// `READ COMMITTED` is enough, and the isolation that the connection has by default is what is
    /// used. To be able to begin the same request again, pass an [`Arc`] of it.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`]: the answer is no, and what it had to count is committed. Any other:
    /// there is no answer, and nothing was stored, except that it is not known whether a rejection
    /// was counted whose commit failed.
    pub async fn begin<O: Operation>(
        &self,
        subject: &str,
        request: impl Into<Arc<Request<O>>>,
    ) -> Result<Accepted<C, O::Output>, Error<DieselStoreError>> {
        let request = request.into();
        let connection = Connection::of(&self.pool).await.map_err(Error::Store)?;
        let subject = subject.to_owned();
        let limit = self.limit;
        let begun = spawn(limit, async move {
            begin(connection, limit, &subject, &request).await
        });
        begun.await.map_err(Error::Store)?
    }
}

/// Makes the attempts that the policy allows, each in a transaction of its own.
async fn begin<C: AsyncEngine, O: Operation>(
    mut connection: Connection<C>,
    limit: Duration,
    subject: &str,
    request: &Request<O>,
) -> Result<Accepted<C, O::Output>, Error<DieselStoreError>> {
    for _ in 0..request.swap_attempts() {
        connection.begin().await.map_err(Error::Store)?;
        let (number, decision) = match within(&mut *connection, subject, request).await {
            Ok(Some(decided)) => decided,
            Ok(None) => {
                connection.roll_back().await.map_err(Error::Store)?;
                continue;
            }
            Err(error) => {
                // The answer is the same where this fails, and the connection is closed.
                let _ = connection.end().await;
                return Err(error);
            }
        };
        if !decision.is_rejection() {
            return Ok(Accepted {
                subject: subject.into(),
                number,
                decision,
                open: Open {
                    connection: Some(connection),
                    limit,
                    runtime: Handle::current(),
                },
            });
        }
        // Without the rows of the application: a count that shares the fate of a login makes
        // guessing free.
        match connection.commit().await {
            Ok(()) => {
                connection.back();
                return decision.committed().and(Err(Fault::Contended.into()));
            }
            Err(error) if error.is_outrun() => {}
            Err(error) => return Err(Error::Store(error)),
        }
    }
    connection.back();
    Err(Fault::Contended.into())
}

/// Writes, in the transaction that has begun, what the request decides, and gives the number of the
/// transaction; `None` where another one was faster.
async fn within<C: AsyncEngine, O: Operation>(
    connection: &mut C,
    subject: &str,
    request: &Request<O>,
) -> Result<Option<(i64, Decision<O::Output>)>, Error<DieselStoreError>> {
    let Some((number, found)) = not_lost(connection.find_locked(subject).await)? else {
        return Ok(None);
    };
    let decision = request.decide(subject, found)?;
    if let Some(write) = decision.write()
        && not_lost(connection.swap(write).await)? != Some(Swap::Stored)
    {
        return Ok(None);
    }
    Ok(Some((number, decision)))
}

/// Returns `None` where the database says that another transaction was faster.
fn not_lost<T>(answer: Result<T, DieselStoreError>) -> Result<Option<T>, Error<DieselStoreError>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_outrun() => Ok(None),
        Err(error) => Err(Error::Store(error)),
    }
}

/// Holds a transaction in which a request was accepted, and nothing is committed yet.
///
/// Write the rows of your application over [`transaction`](Self::transaction), and
/// [`commit`](Self::commit): what both have written is committed, or neither is. Dropped before
/// that, by an error of yours, a panic, or a client that hangs up, the transaction is rolled back:
/// the code is not spent. No connection goes back to the pool with a transaction open: it goes back
/// where the database has said that the transaction has ended, and is closed where that is not
/// known, which ends the transaction as well.
///
/// An `Accepted` holds the lock of the subject's row, and SQLite's only write lock: do not wait for
/// anything else while you have one.
#[must_use = "dropped, it is rolled back: nothing is accepted"]
pub struct Accepted<C: AsyncEngine, T> {
    subject: Box<str>,
    /// The transaction's own, where the engine has one.
    number: i64,
    decision: Decision<T>,
    open: Open<C>,
}

impl<C: AsyncEngine, T: Send + 'static> Accepted<C, T> {
    /// Returns what the request gives, for the rows of your application. Issue no login by it:
    /// nothing is accepted before [`commit`](Self::commit) has returned it.
    #[must_use]
    pub fn output(&self) -> &T {
        let Some(output) = self.decision.output() else {
            unreachable!("a rejection is committed by `begin`")
        };
        output
    }

    /// Lends the connection, in the transaction, for rows of your application's own. Leave the
    /// transaction to this value: what a COMMIT of your own has stored stays stored. A nested one is
    /// a savepoint, and may be used.
    ///
    /// Where a statement fails, drop this value and begin again: the failure may have taken the
    /// whole transaction with it (in PostgreSQL any does, in SQLite a full disk), and then
    /// [`commit`](Self::commit) fails, as [`DieselStoreError::Undone`] where that is known. Write
    /// nothing after it: in SQLite, where the transaction has ended, what you write then is stored
    /// by itself, without the login. A savepoint lets a statement fail alone that another row
    /// refuses, a duplicate key say; it does not help against a deadlock or a full disk.
    pub fn transaction(&mut self) -> &mut C {
        self.open.connection()
    }

    /// Commits, and gives what the request gives. The commit runs in a task of its own, which goes
    /// on where this future is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Store`], and nobody is let in. By [`DieselStoreError::Conflict`],
    /// [`DieselStoreError::Refused`] and [`DieselStoreError::Undone`] the transaction has stored
    /// nothing: the code is not spent, and the same request may begin again. By any other it is not
    /// known whether all was stored or nothing. Rows that were written after a statement had failed
    /// are another matter ([`transaction`](Self::transaction)).
    pub async fn commit(self) -> Result<T, Error<DieselStoreError>> {
        let committed = spawn(self.open.limit, async move {
            let Self {
                subject,
                number,
                decision,
                mut open,
            } = self;
            // PostgreSQL answers the COMMIT of a transaction in which a statement has failed as if
            // it were one, and rolls back; SQLite rolls back by itself after some errors; and the
            // application may have ended it. What is committed is asked for.
            let connection = open.connection();
            let again = connection.find_again(&subject).await;
            let (still, held) = again.map_err(|error| Error::Store(error.undone()))?;
            let is_open = connection.is_outermost() && still == number;
            if !is_open || !is_written(&decision, held.as_ref()) {
                let undone = DieselStoreError::Undone(diesel::result::Error::NotInTransaction);
                return Err(Error::Store(undone));
            }
            let mut connection = open.close();
            connection.commit().await.map_err(Error::Store)?;
            connection.back();
            decision.committed()
        });
        committed.await.map_err(Error::Store)?
    }

    /// Rolls back, and waits until it is done: nothing is accepted. Dropping this value rolls back
    /// as well, and does not wait.
    ///
    /// # Errors
    ///
    /// The database did not answer. The connection is closed, which rolls back as well.
    pub async fn rollback(self) -> Result<(), DieselStoreError> {
        let open = self.open;
        spawn(open.limit, open.close().end()).await?
    }
}

impl<C: AsyncEngine, T> fmt::Debug for Accepted<C, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Accepted")
            .field("decision", &self.decision)
            .finish_non_exhaustive()
    }
}

/// Holds an open transaction, which is rolled back where this is dropped: in a task of its own, as
/// a drop cannot wait.
struct Open<C: AsyncEngine> {
    connection: Option<Connection<C>>,
    limit: Duration,
    runtime: Handle,
}

impl<C: AsyncEngine> Open<C> {
    fn connection(&mut self) -> &mut C {
        let Some(connection) = &mut self.connection else {
            unreachable!("it is taken by what consumes this value")
        };
        &mut *connection
    }

    /// Leaves the end of the transaction to the caller.
    fn close(mut self) -> Connection<C> {
        let Some(connection) = self.connection.take() else {
            unreachable!("it is taken by what consumes this value")
        };
        connection
    }
}

impl<C: AsyncEngine> Drop for Open<C> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // A runtime that shuts down drops the task, and with it the connection.
            let _within = self.runtime.enter();
            drop(self.runtime.spawn(timeout(self.limit, connection.end())));
        }
    }
}

/// Holds a connection of the pool. It is closed where this is dropped, whatever it was doing, and
/// goes back only by [`back`](Self::back): a future or a task that ends early, and a panic, leave
/// nothing to the next one.
struct Connection<C: AsyncEngine>(Option<Object<C::Manager>>);

impl<C: AsyncEngine> Connection<C> {
    async fn of(pool: &Pool<C::Manager>) -> Result<Self, DieselStoreError> {
        // The pool's own timers would panic.
        Handle::try_current().map_err(|_| DieselStoreError::NoRuntime)?;
        let connection = pool.get().await;
        let connection = connection.map_err(|error| DieselStoreError::Pool(Box::new(error)))?;
        Ok(Self(Some(connection)))
    }

    fn back(mut self) {
        drop(self.0.take());
    }

    async fn commit(&mut self) -> Result<(), DieselStoreError> {
        Ok(C::TransactionManager::commit_transaction(&mut **self).await?)
    }

    async fn roll_back(&mut self) -> Result<(), DieselStoreError> {
        Ok(C::TransactionManager::rollback_transaction(&mut **self).await?)
    }

    /// Rolls back, and goes back to the pool.
    async fn end(mut self) -> Result<(), DieselStoreError> {
        // An inner one may be open: a future of the application's was dropped in it.
        let is_all = self.is_outermost();
        self.roll_back().await?;
        if is_all {
            self.back();
        }
        Ok(())
    }
}

impl<C: AsyncEngine> Deref for Connection<C> {
    type Target = C;

    fn deref(&self) -> &C {
        let Some(connection) = &self.0 else {
            unreachable!("`back` and the drop take it")
        };
        connection
    }
}

impl<C: AsyncEngine> DerefMut for Connection<C> {
    fn deref_mut(&mut self) -> &mut C {
        let Some(connection) = &mut self.0 else {
            unreachable!("`back` and the drop take it")
        };
        connection
    }
}

impl<C: AsyncEngine> Drop for Connection<C> {
    fn drop(&mut self) {
        drop(self.0.take().map(Object::take));
    }
}

/// Runs `task` to its end, or for so long, also where this future is dropped. A task that is given
/// up drops its connection, which is closed.
async fn spawn<T: Send + 'static>(
    limit: Duration,
    task: impl Future<Output = T> + Send + 'static,
) -> Result<T, DieselStoreError> {
    let runtime = Handle::try_current().map_err(|_| DieselStoreError::NoRuntime)?;
    let (tell, told) = oneshot::channel();
    let spawned = runtime.spawn(async move {
        let mut task = pin!(task);
        let answer = timeout(limit, task.as_mut()).await;
        // Before the task is dropped, which waits where a thread is busy for SQLite. Where nobody
        // waits any more the answer is dropped.
        let _ = tell.send(answer.map_err(|_| DieselStoreError::TimedOut));
    });
    match told.await {
        Ok(answer) => answer,
        Err(_) => match spawned.await.map_err(JoinError::try_into_panic) {
            Err(Ok(panic)) => resume_unwind(panic),
            // A task that is not stopped tells.
            Err(Err(_)) | Ok(()) => Err(DieselStoreError::ShutDown),
        },
    }
}

/// Sends a statement again where the database says that another transaction was faster: nothing was
/// stored, and now it is known what the other has stored.
macro_rules! again {
    ($statement:expr) => {{
        let mut answer = $statement;
        for _ in 1..ATTEMPTS {
            match &answer {
                Err(error) if error.is_outrun() => answer = $statement,
                _ => break,
            }
        }
        answer
    }};
}

impl<C: AsyncEngine> Store for AsyncDieselStore<C> {
    type Error = DieselStoreError;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, DieselStoreError> {
        let mut connection = Connection::<C>::of(&self.pool).await?;
        let subject = subject.to_owned();
        let task = async move {
            let found = again!(connection.find(&subject).await)?;
            connection.back();
            Ok(found)
        };
        spawn(self.limit, task).await?
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, DieselStoreError> {
        let mut connection = Connection::<C>::of(&self.pool).await?;
        let task = async move {
            connection.durable().await?;
            let swap = outrun(again!(connection.swap(&write).await))?;
            connection.back();
            Ok(swap)
        };
        spawn(self.limit, task).await?
    }

    async fn pause(&self, time: Duration) {
        sleep(time).await;
    }
}

impl<C: AsyncEngine> Clone for AsyncDieselStore<C> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            limit: self.limit,
        }
    }
}

impl<C: AsyncEngine> fmt::Debug for AsyncDieselStore<C> {
    /// Prints how the pool is, and no URL.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AsyncDieselStore")
            .field("pool", &self.pool.status())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "async-sqlite"))]
mod tests {
    use deadpool::managed::Pool;
    use diesel_async::pooled_connection::AsyncDieselConnectionManager;

    use super::AsyncSqliteStore;

    #[test]
    fn a_database_is_waited_for_for_a_minute_unless_another_time_is_set() {
        let pool = Pool::builder(AsyncDieselConnectionManager::new(":memory:")).build();
        let store = AsyncSqliteStore::new(pool.expect("it asks for no timer"));
        assert_eq!(store.limit.as_secs(), 60);
    }
}
