//! Makes an async store a blocking one, by the caller's executor.

use alloc::boxed::Box;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;

use crate::store::{BlockingStore, BoxedError, Snapshot, Store, Swap, Write};

pub(super) struct Adapted<'b, S, B> {
    store: S,
    block_on: &'b B,
}

/// Reports that `block_on` did not run a future to its end.
#[derive(Debug, thiserror::Error)]
#[error("block_on returned before the future had ended")]
struct Unfinished;

impl<'b, S: Store, B: Fn(Pin<Box<dyn Future<Output = ()> + Send + '_>>) + Sync> Adapted<'b, S, B> {
    pub(super) fn new(store: S, block_on: &'b B) -> Self {
        Self { store, block_on }
    }

    fn run<T: Send>(
        &self,
        future: impl Future<Output = Result<T, S::Error>> + Send,
    ) -> Result<T, BoxedError> {
        let mut slot = None;
        (self.block_on)(Box::pin(async { slot = Some(future.await) }));
        slot.ok_or_else(|| BoxedError::new(Unfinished))?
            .map_err(BoxedError::new)
    }

    /// Drops a swap after so many polls; returns what it answered, if it came to that.
    pub(super) fn swap_dropped_after(
        &self,
        polls: u32,
        write: Write,
    ) -> Result<Option<Swap>, BoxedError> {
        let swap = dropped_after(polls, self.store.compare_and_swap(write));
        self.run(async { swap.await.transpose() })
    }

    /// Drops a load after so many polls.
    pub(super) fn load_dropped_after(&self, polls: u32, subject: &str) -> Result<(), BoxedError> {
        let load = dropped_after(polls, self.store.load(subject));
        self.run(async { load.await.transpose() }).map(drop)
    }
}

/// Polls so often, and then drops the future: returns what it was ready with, if it came to that.
pub(crate) async fn dropped_after<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            // At once: whether it would be woken again is not known.
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

impl<S: Store, B: Fn(Pin<Box<dyn Future<Output = ()> + Send + '_>>) + Sync> BlockingStore
    for Adapted<'_, S, B>
{
    type Error = BoxedError;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, BoxedError> {
        self.run(self.store.load(subject))
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, BoxedError> {
        self.run(self.store.compare_and_swap(write))
    }
}

#[cfg(test)]
mod tests {
    use core::task::{Context, Waker};

    use super::*;

    fn after_one_poll<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_future_is_dropped_right_after_its_last_poll_though_nobody_wakes_it() {
        let never = dropped_after(1, core::future::pending::<()>());
        assert_eq!(after_one_poll(never), Poll::Ready(None));
        let never = dropped_after(2, core::future::pending::<()>());
        assert_eq!(after_one_poll(never), Poll::Pending);
        let ready = core::future::ready(7);
        assert_eq!(
            after_one_poll(dropped_after(1, ready)),
            Poll::Ready(Some(7))
        );
        let unpolled = dropped_after(0, core::future::ready(7));
        assert_eq!(after_one_poll(unpolled), Poll::Ready(None));
    }
}
