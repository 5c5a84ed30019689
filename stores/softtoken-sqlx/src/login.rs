//! Decides a request in a transaction that your application's own rows share.

use core::fmt;
use std::sync::Arc;

use crate::engine::{self, Engine};
use crate::task::uncut;
use crate::transaction::Open;
use crate::{SqlxStore, SqlxStoreError};
use softtoken::association::Operation;
use softtoken::mfa::{Decision, Request};
use softtoken::store::Swap;
use softtoken::{Error, Fault};
use tokio::time::timeout;

impl<DB: Engine> SqlxStore<DB> {
    /// Decides a request in a transaction, and leaves that open for rows of your application's,
    /// which are committed with the record or not at all.
    ///
    /// Where another transaction was faster, the decision is made anew, as often as the policy's
    /// [`swap_attempts`](softtoken::Policy::swap_attempts) say; your application has written nothing
    /// by then. To be able to begin the same request again yourself, pass an [`Arc`] of it.
    ///
    /// Until the commit the row is locked: other requests for the subject wait, in SQLite all that
    /// write. Do what takes long before, or afterwards. Another write over the same store, while
    /// this transaction is open, waits for it in vain.
    ///
    /// # Errors
    ///
    /// - [`Error::Rejected`]: the answer is no. What it had to count is committed, whatever becomes
    ///   of the login, and no transaction is open.
    /// - [`Error::Fault`]: there is no answer, and nothing was stored; [`Fault::Contended`] where
    ///   other transactions were faster every time.
    /// - [`Error::Store`]: the database failed. Nothing was accepted; a guess may have been
    ///   counted.
    pub async fn begin<O: Operation>(
        &self,
        subject: &str,
        request: impl Into<Arc<Request<O>>>,
    ) -> Result<Accepted<DB, O::Output>, Error<SqlxStoreError>> {
        let request = request.into();
        let turn = Arc::new(self.turn().await.map_err(Error::Store)?);
        let (store, subject) = (self.clone(), subject.to_owned());
        let work = async move {
            for _ in 0..request.swap_attempts() {
                let mut open = store.open(Arc::clone(&turn)).await.map_err(Error::Store)?;
                let attempted = attempt(&mut open, &subject, &request);
                let Ok(attempted) = timeout(store.limit, attempted).await else {
                    return Err(Error::Store(open.give_up()));
                };
                match attempted {
                    Ok(Some(decision)) if decision.is_rejection() => match open.commit().await {
                        // The count is stored, and no transaction is open.
                        Ok(()) => drop(decision.committed()?),
                        Err(error) if error.is_outrun() => {}
                        Err(error) => return Err(Error::Store(error)),
                    },
                    Ok(Some(decision)) => {
                        return Ok(Accepted {
                            open,
                            decision,
                            subject,
                        });
                    }
                    // Another request was faster: decide again, on the row as it is now.
                    Ok(None) => open.rollback().await.map_err(Error::Store)?,
                    Err(Error::Store(error)) if error.is_outrun() => {
                        open.rollback().await.map_err(Error::Store)?;
                    }
                    Err(error) => return Err(error),
                }
            }
            Err(Fault::Contended.into())
        };
        uncut(work).await.map_err(Error::Store)?
    }
}

/// Loads, decides and swaps. Returns `None` where the condition of the swap did not hold.
async fn attempt<DB: Engine, O: Operation>(
    open: &mut Open<DB>,
    subject: &str,
    request: &Request<O>,
) -> Result<Option<Decision<O::Output>>, Error<SqlxStoreError>> {
    let found = open.load(subject).await.map_err(Error::Store)?;
    let decision = request.decide(subject, found)?;
    if let Some(write) = decision.write() {
        let swap = engine::swapped(DB::swap(open.connection(), write).await);
        if swap.map_err(Error::Store)? == Swap::Conflict {
            return Ok(None);
        }
    }
    Ok(Some(decision))
}

/// Holds a login that is accepted and not yet committed: the answer, and the transaction in which
/// the code is spent. Dropped, it is rolled back: nobody is let in, and the code is not spent.
#[must_use = "what is dropped is rolled back"]
pub struct Accepted<DB: Engine, T> {
    open: Open<DB>,
    decision: Decision<T>,
    subject: String,
}

impl<DB: Engine, T: Send + 'static> Accepted<DB, T> {
    /// Returns what success gives, to write rows by it. Nothing is accepted before the commit.
    #[must_use]
    pub fn output(&self) -> &T {
        match self.decision.output() {
            Some(output) => output,
            None => unreachable!("it was accepted"),
        }
    }

    /// Lends the connection, in the transaction, for rows of your application's own. Leave the
    /// transaction to this value: what a COMMIT of your own has stored, or a statement that commits
    /// by itself (in MySQL a CREATE TABLE), stays stored. A nested one is a savepoint,
    /// `accepted.transaction().begin().await?` by [`Connection::begin`](sqlx::Connection::begin).
    ///
    /// Where a statement fails, drop this value and begin again: the failure may have taken the
    /// whole transaction with it (in PostgreSQL any does, elsewhere a deadlock or a full disk), and
    /// then [`commit`](Self::commit) fails, as [`SqlxStoreError::Undone`] where that is known. Write
    /// nothing after it: in MySQL and SQLite, where the transaction has ended, what you write then is
    /// stored by itself, without the login. A savepoint lets a statement fail alone that another
    /// row refuses, a duplicate key say; it does not help against a deadlock or a full disk.
    /// `SqlxStoreError::from` says of the driver's error whether another transaction was in the way.
    pub fn transaction(&mut self) -> &mut DB::Connection {
        self.open.connection()
    }

    /// Commits the record and the rows together, and returns the answer. It is told to the audit
    /// even where the caller no longer waits for it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`], and nobody is let in. By [`SqlxStoreError::Conflict`],
    /// [`SqlxStoreError::Refused`] and [`SqlxStoreError::Undone`] the transaction has stored
    /// nothing: the code is not spent, and the same request may begin again. By any other it is
    /// not known whether all was stored or nothing. Rows that were written after a statement had
    /// failed are another matter ([`transaction`](Self::transaction)). So is a record that a
    /// statement of your own has committed: `Undone` is told of it though it is stored, and the
    /// code spent.
    pub async fn commit(self) -> Result<T, Error<SqlxStoreError>> {
        let Self {
            mut open,
            decision,
            subject,
        } = self;
        let work = async move {
            let limit = open.limit();
            let held = timeout(limit, open.holds(&subject, decision.write())).await;
            match held {
                Ok(held) => held.map_err(Error::Store)?,
                Err(_) => return Err(Error::Store(open.give_up())),
            }
            open.commit().await.map_err(Error::Store)?;
            decision.committed()
        };
        uncut(work).await.map_err(Error::Store)?
    }

    /// Rolls back, and waits for it. To drop this does the same, a little later.
    ///
    /// # Errors
    ///
    /// The connection was lost; then the database rolls back by itself.
    pub async fn rollback(self) -> Result<(), SqlxStoreError> {
        uncut(async move { self.open.rollback().await }).await?
    }
}

impl<DB: Engine, T> fmt::Debug for Accepted<DB, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Accepted")
            .field("decision", &self.decision)
            .finish_non_exhaustive()
    }
}
