//! Makes the async loop run over a store that blocks: nothing in it ever waits.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use crate::store::{BlockingStore, Snapshot, Store, Swap, Write};

/// Is a store whose futures are ready when they are first asked.
pub(super) struct Ready<'s, S: ?Sized>(pub(super) &'s S);

impl<S: BlockingStore + ?Sized> Store for Ready<'_, S> {
    type Error = S::Error;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, S::Error> {
        self.0.load_blocking(subject)
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, S::Error> {
        self.0.compare_and_swap_blocking(write)
    }

    async fn pause(&self, time: Duration) {
        self.0.pause_blocking(time);
    }
}

/// Runs a future that waits for nothing.
pub(super) fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
