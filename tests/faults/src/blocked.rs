//! An async store, called by threads.

use core::fmt;
use core::pin::Pin;
use core::time::Duration;

use softtoken::association::Operation;
use softtoken::mfa::Request;
use softtoken::own_transaction::{BlockingLogins, Login, Logins};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{BlockingStore, Error, Store};

/// What is run to its end.
type Task<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A store, or an application with one, whose futures are run to their end by the thread that calls it.
pub struct Blocked<S, F> {
    store: S,
    block_on: F,
}

impl<S: Store, F: Fn(Task<'_>) + Send + Sync> Blocked<S, F> {
    /// `block_on` runs a future on the thread that calls it, such as `|future|
    /// runtime.block_on(future)`.
    pub fn new(store: S, block_on: F) -> Self {
        Self { store, block_on }
    }

    fn run<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        let mut answer = None;
        (self.block_on)(Box::pin(async { answer = Some(future.await) }));
        answer.expect("block_on runs the future to its end")
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Blocked<S, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Blocked").field(&self.store).finish()
    }
}

impl<S: Store, F: Fn(Task<'_>) + Send + Sync> BlockingStore for Blocked<S, F> {
    type Error = S::Error;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, S::Error> {
        self.run(self.store.load(subject))
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, S::Error> {
        self.run(self.store.compare_and_swap(write))
    }

    fn pause_blocking(&self, time: Duration) {
        self.run(self.store.pause(time));
    }
}

impl<S: Logins, F: Fn(Task<'_>) + Send + Sync> BlockingLogins for Blocked<S, F> {
    fn log_in_blocking<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, Error<S::Error>> {
        self.run(self.store.log_in(subject, request, login))
    }

    fn has_row_blocking(&self, row: &str) -> Result<bool, S::Error> {
        self.run(self.store.has_row(row))
    }
}
