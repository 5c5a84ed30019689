//! The store on a server of its own.

use softtoken_faults::{Blocked, Postgres};
use softtoken_postgres::PostgresStore;
use tokio::runtime::Runtime;

pub(crate) struct Engine {
    pub(crate) postgres: Postgres,
    pub(crate) runtime: Runtime,
}

impl Engine {
    pub(crate) fn start() -> Self {
        let engine = Self {
            postgres: Postgres::start(),
            runtime: Runtime::new().expect("a runtime"),
        };
        let store = engine.store(1);
        engine.runtime.block_on(store.migrate()).expect("a table");
        engine
    }

    /// A pool of its own.
    pub(crate) fn store(&self, connections: usize) -> PostgresStore {
        PostgresStore::new(&self.postgres.url, connections).expect("a URL")
    }

    /// The same for threads.
    #[allow(dead_code, reason = "the benchmark runs tasks")]
    pub(crate) fn blocking(&self, connections: usize) -> impl softtoken::BlockingStore + use<> {
        let runtime = self.runtime.handle().clone();
        Blocked::new(self.store(connections), move |future| {
            runtime.block_on(future);
        })
    }
}
