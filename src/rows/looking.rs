//! Looks at every row that a request loads, and ends the request where there is nothing to do.

use core::time::Duration;

use super::Work;
use crate::scrub;
use crate::store::{Snapshot, Store, Swap, Write};

/// Is the store of one row's request: whatever comes in between two looks is looked at as well.
pub(super) struct Looking<'a, S: ?Sized, W: Work> {
    pub(super) store: &'a S,
    pub(super) work: &'a W,
    pub(super) row: &'a W::Row,
}

/// Says why a request came to no decision.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended<E> {
    /// Nothing is to be done, for this reason.
    #[error("{0}")]
    Unchanged(&'static str),
    #[error(transparent)]
    Store(E),
}

impl<S: Store + ?Sized, W: Work> Store for Looking<'_, S, W> {
    type Error = Ended<S::Error>;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Self::Error> {
        let found = self.store.load(subject).await.map_err(Ended::Store)?;
        match self.work.unchanged(self.row, found.as_ref()) {
            None => Ok(found),
            Some(why) => {
                // `decide` wipes the row that it is given, and is not given this one.
                drop(found.map(|row| scrub::Bytes::from(row.record)));
                Err(Ended::Unchanged(why))
            }
        }
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Self::Error> {
        let swap = self.store.compare_and_swap(write).await;
        swap.map_err(Ended::Store)
    }

    async fn pause(&self, time: Duration) {
        self.store.pause(time).await;
    }
}
