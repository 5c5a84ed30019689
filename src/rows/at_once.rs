//! Waits for several futures at once, without an executor of its own.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::Poll;

/// Runs all of them to their end, on the task that calls. Returns what they gave, in their order.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, output) in running.iter_mut().zip(&mut done) {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if done.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says that it has to wait, so many times.
    async fn wait(mut times: u32) -> u32 {
        let waited = times;
        poll_fn(|context| {
            if times == 0 {
                return Poll::Ready(waited);
            }
            times -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// A future that is asked once more after its end panics.
    #[test]
    fn each_is_asked_to_its_end_and_no_further() {
        let waits = [3, 0, 5, 1];
        assert_eq!(pollster::block_on(all(waits.map(wait))), waits);
    }
}
