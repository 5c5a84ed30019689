//! The blocking store, over a pool of r2d2.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;
use std::thread::sleep;

use diesel::connection::{AnsiTransactionManager, SimpleConnection as _, TransactionManager as _};
use diesel::r2d2::{ConnectionManager, Pool, PooledConnection, R2D2Connection};
use softtoken::association::Operation;
use softtoken::mfa::{Decision, Request};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{BlockingStore, Error, Fault};

use crate::engine::Engine;
use crate::statements::{is_written, outrun};
use crate::{ATTEMPTS, DieselStoreError};

type Pooled<C> = PooledConnection<ConnectionManager<C>>;

/// Keeps records in one table of a PostgreSQL or SQLite database, over the r2d2 pool of your
/// application.
///
/// `C` is [`PgConnection`](diesel::PgConnection) (feature `postgres`) or
/// [`SqliteConnection`](diesel::SqliteConnection) (feature `sqlite`). A clone shares the pool. The
/// store asks nothing of a connection: each swap makes its own commit wait for the disk, and each
/// load refuses a PostgreSQL standby. The server's own settings are yours: a server with `fsync` or
/// `full_page_writes` off, and an SQLite file with `journal_mode` off or in memory, lose commits.
///
/// Nothing ends a call that blocks: where PostgreSQL waits for a synchronous standby that is gone,
/// a commit keeps its thread and its connection until the standby is back.
pub struct DieselStore<C: Engine + R2D2Connection + Send + 'static> {
    pool: Pool<ConnectionManager<C>>,
}

/// Keeps records in PostgreSQL.
#[cfg(feature = "postgres")]
pub type PostgresStore = DieselStore<diesel::PgConnection>;
/// Keeps records in SQLite.
#[cfg(feature = "sqlite")]
pub type SqliteStore = DieselStore<diesel::SqliteConnection>;

impl<C: Engine + R2D2Connection + Send + 'static> DieselStore<C> {
    /// Creates a store over `pool`, whose database has the table
    /// ([`migrations`](crate#migrations)).
    #[must_use]
    pub fn new(pool: Pool<ConnectionManager<C>>) -> Self {
        Self { pool }
    }

    /// Returns the pool.
    #[must_use]
    pub fn pool(&self) -> &Pool<ConnectionManager<C>> {
        &self.pool
    }

    /// Makes the table where there is none. It may be run again, and by several processes at once.
    /// An application that runs diesel's migrations has the same ones to run
    /// ([`migrations`](crate#migrations)).
    ///
    /// # Errors
    ///
    /// There is no database, or it does not let this user make a table.
    pub fn migrate(&self) -> Result<(), DieselStoreError> {
        Ok(self.connection()?.batch_execute(C::TABLE)?)
    }

    /// Runs `request` for `subject`, and `own` in the same transaction: what both write is
    /// committed, or neither is.
    ///
    /// In the transaction the row of the subject is loaded, decided on and swapped; then `own`
    /// gets the connection and what the request gives, and writes the rows of your application.
    /// Nothing is accepted before this method has returned [`Ok`], so issue the login then. `own`
    /// may run more than once: where another transaction was faster, all is rolled back and begins
    /// anew. Leave transactions to this method; a nested one is a savepoint, and may be used. Where a
    /// statement of `own` fails, return the error: the transaction may have ended (in PostgreSQL
    /// after any failure, in SQLite after a full disk), and in SQLite what `own` writes then is
    /// stored by itself, without the login. A savepoint lets a statement fail alone that another
    /// row refuses, a duplicate key say; it does not help against a deadlock or a full disk.
    ///
    /// A rejection is committed, with what it had to count, and `own` is not called. An error or a
    /// panic of `own` rolls back both: nobody is let in, and the code is not spent. A connection
    /// whose transaction could not be ended does not go back to the pool.
    ///
    /// `READ COMMITTED` is enough, and the isolation that the connection has by default is what is
    /// used. At a stricter one a statement of `own` may fail with `40001`: return it, and call
    /// again.
    ///
    /// # Errors
    ///
    /// What `own` returned, or the error of the request, which converts into `E`.
    /// [`Error::Rejected`]: the answer is no, and what it had to count is stored. Any other: there
    /// is no answer, and nobody is to be let in; a failed commit may have stored both rows, never
    /// one, as long as `own` has written nothing after a statement that failed.
    pub fn transaction<O: Operation, T, E: From<Error<DieselStoreError>>>(
        &self,
        subject: &str,
        request: &Request<O>,
        mut own: impl FnMut(&mut C, &O::Output) -> Result<T, E>,
    ) -> Result<(O::Output, T), E> {
        let mut connection = self.connection().map_err(Error::Store)?;
        for _ in 0..request.swap_attempts() {
            let attempt = attempt(&mut *connection, subject, request, &mut own)?;
            if let Some(answer) = attempt {
                return Ok(answer);
            }
        }
        Err(Error::from(Fault::Contended).into())
    }

    fn connection(&self) -> Result<Pooled<C>, DieselStoreError> {
        let connection = self.pool.get();
        connection.map_err(|error| DieselStoreError::Pool(Box::new(error)))
    }
}

/// Runs one transaction to its end; `None` where another one was faster. Where `own` panics the
/// pool throws the connection away, and the transaction with it, as diesel's connections ask of
/// r2d2; and so it does where the transaction could not be ended.
fn attempt<C: Engine, O: Operation, T, E: From<Error<DieselStoreError>>>(
    connection: &mut C,
    subject: &str,
    request: &Request<O>,
    own: &mut impl FnMut(&mut C, &O::Output) -> Result<T, E>,
) -> Result<Option<(O::Output, T)>, E> {
    let begun = connection.begin().map_err(DieselStoreError::from);
    begun.map_err(Error::Store)?;
    let (decision, own) = match within(connection, subject, request, own) {
        Ok(Some(written)) => written,
        unwritten => {
            // The answer is the same where this fails, and the connection is not used again.
            let _ = AnsiTransactionManager::rollback_transaction(connection);
            return unwritten.map(|_| None);
        }
    };
    let committed = AnsiTransactionManager::commit_transaction(connection);
    if not_lost(committed.map_err(DieselStoreError::from))?.is_none() {
        return Ok(None);
    }
    let output = decision.committed()?;
    // Only a rejection has no rows beside it.
    Ok(own.map(|own| (output, own)))
}

/// Writes, in the transaction that has begun, what the request decides, and what `own` adds to it;
/// `None` where another transaction was faster.
#[expect(
    clippy::type_complexity,
    reason = "what is to be committed, and what goes with it"
)]
fn within<C: Engine, O: Operation, T, E: From<Error<DieselStoreError>>>(
    connection: &mut C,
    subject: &str,
    request: &Request<O>,
    own: &mut impl FnMut(&mut C, &O::Output) -> Result<T, E>,
) -> Result<Option<(Decision<O::Output>, Option<T>)>, E> {
    let Some((number, found)) = not_lost(connection.find_locked(subject))? else {
        return Ok(None);
    };
    let decision = request.decide(subject, found).map_err(Error::from)?;
    if let Some(write) = decision.write()
        && not_lost(connection.swap(write))? != Some(Swap::Stored)
    {
        return Ok(None);
    }
    // A rejection is committed without the rows of the application: a count that shares the fate of
    // a login makes guessing free.
    let Some(output) = decision.output() else {
        return Ok(Some((decision, None)));
    };
    let begun = depth(connection);
    let own = own(connection, output)?;
    // PostgreSQL answers the COMMIT of a transaction in which a statement has failed as if it were
    // one, and rolls back; SQLite rolls back by itself after some errors; and `own` may have ended
    // it. What is committed is asked for.
    let again = connection.find_again(subject);
    let Some((still, held)) = not_lost(again.map_err(DieselStoreError::undone))? else {
        return Ok(None);
    };
    let is_open = depth(connection) == begun && still == number;
    if !is_open || !is_written(&decision, held.as_ref()) {
        let undone = DieselStoreError::Undone(diesel::result::Error::NotInTransaction);
        return Err(Error::Store(undone).into());
    }
    Ok(Some((decision, Some(own))))
}

/// Returns how many transactions are open, one within the other; `None` where that is not known.
fn depth<C: Engine>(connection: &mut C) -> Option<NonZeroU32> {
    let status = AnsiTransactionManager::transaction_manager_status_mut(connection);
    status.transaction_depth().ok().flatten()
}

/// Returns `None` where the database says that another transaction was faster.
fn not_lost<T, E: From<Error<DieselStoreError>>>(
    answer: Result<T, DieselStoreError>,
) -> Result<Option<T>, E> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_outrun() => Ok(None),
        Err(error) => Err(Error::Store(error).into()),
    }
}

/// Asks again where the database says that another transaction was faster: nothing was stored, and
/// now it is known what the other has stored.
fn again<T>(
    mut statement: impl FnMut() -> Result<T, DieselStoreError>,
) -> Result<T, DieselStoreError> {
    for _ in 1..ATTEMPTS {
        match statement() {
            Err(error) if error.is_outrun() => {}
            answer => return answer,
        }
    }
    statement()
}

impl<C: Engine + R2D2Connection + Send + 'static> BlockingStore for DieselStore<C> {
    type Error = DieselStoreError;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, DieselStoreError> {
        let mut connection = self.connection()?;
        again(|| connection.find(subject))
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, DieselStoreError> {
        let mut connection = self.connection()?;
        connection.durable()?;
        outrun(again(|| connection.swap(&write)))
    }

    fn pause_blocking(&self, time: Duration) {
        sleep(time);
    }
}

impl<C: Engine + R2D2Connection + Send + 'static> Clone for DieselStore<C> {
    fn clone(&self) -> Self {
        Self::new(self.pool.clone())
    }
}

impl<C: Engine + R2D2Connection + Send + 'static> fmt::Debug for DieselStore<C> {
    /// Prints how the pool is, and no URL.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DieselStore")
            .field("pool", &self.pool.state())
            .finish_non_exhaustive()
    }
}
