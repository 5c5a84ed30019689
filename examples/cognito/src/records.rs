//! Where second factors are kept with `--sqlite`.

use core::time::Duration;
use std::sync::Arc;

use softtoken::store::{BlockingStore, Snapshot, Store, Swap, Write};
use softtoken_sqlite::SqliteStore;

/// SQLite, on threads that may block.
#[derive(Clone, Debug)]
pub(crate) struct Records(Arc<SqliteStore>);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordsError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Thread(#[from] tokio::task::JoinError),
}

impl Records {
    pub(crate) fn new(store: SqliteStore) -> Self {
        Self(Arc::new(store))
    }
}

impl Store for Records {
    type Error = RecordsError;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, RecordsError> {
        let (store, subject) = (self.0.clone(), subject.to_owned());
        Ok(tokio::task::spawn_blocking(move || store.load_blocking(&subject)).await??)
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, RecordsError> {
        let store = self.0.clone();
        let swap = move || store.compare_and_swap_blocking(write);
        Ok(tokio::task::spawn_blocking(swap).await??)
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_that_has_lost_a_race_waits_as_long_as_it_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(folder.path().join("records.sqlite3"));
        softtoken_faults::pauses(&Records::new(store.expect("a database"))).await;
    }
}
