//! Sign-ins a second in PostgreSQL, beside bare reads and writes of it, on a server of its own:
//!
//! ```text
//! cargo bench -p softtoken-postgres [-- --million] [-- --quick]
//! ```

use softtoken_faults::{On, bench};
use tokio_postgres::Error;

#[path = "../tests/engine/mod.rs"]
mod engine;

const INSERT: &str = "INSERT INTO softtoken SELECT unnest($1::text[]), 1, unnest($2::bytea[])";

fn main() {
    let engine = engine::Engine::start();
    let bulk = engine.store(1);
    let version: Result<String, Error> = engine.runtime.block_on(async {
        let client = bulk.client().await.expect("it runs");
        client
            .query_one("SHOW server_version", &[])
            .await?
            .try_get(0)
    });
    let settings = format!(
        "PostgreSQL {}, its defaults: fsync=on, synchronous_commit=on; a pool of 32 over loopback",
        version.expect("it has one")
    );
    let insert = |rows: &[(String, Vec<u8>)]| {
        let (names, records): (Vec<_>, Vec<_>) = rows
            .iter()
            .map(|(name, record)| (name, &record[..]))
            .unzip();
        engine.runtime.block_on(async {
            let client = bulk.client().await.expect("it runs");
            let inserted = client.execute(INSERT, &[&names, &records]).await;
            inserted.expect("they are new");
        });
    };
    let store = engine.store(32);
    let bare = store.clone(); // the adapter is nothing but the statements
    bench(&settings, store, bare, insert, On::Runtime(&engine.runtime));
}
