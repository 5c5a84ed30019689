//! The wait of a request that has lost a race.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::time::Instant;

use softtoken::{BlockingStore, Store};

/// Holds an async store to its pause: an hour is not over at once, and nothing is.
///
/// # Panics
///
/// Where the store does not wait.
pub async fn pauses(store: &impl Store) {
    let mut pause = pin!(store.pause(Duration::from_secs(60 * 60)));
    let waits = poll_fn(|context| Poll::Ready(pause.as_mut().poll(context).is_pending()));
    assert!(waits.await, "an hour was over at once");
    store.pause(Duration::ZERO).await;
}

/// Holds a store that blocks to its pause. A thread sleeps for at least as long as it is told,
/// however busy the machine is: no other time is looked at.
///
/// # Panics
///
/// Where the store does not wait.
pub fn pauses_blocking(store: &impl BlockingStore) {
    let (begun, time) = (Instant::now(), Duration::from_millis(50));
    store.pause_blocking(time);
    assert!(begun.elapsed() >= time, "the wait was over too soon");
}
