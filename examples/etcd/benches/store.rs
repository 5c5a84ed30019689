//! Sign-ins a second in etcd, beside bare reads and writes of it, on a cluster of its own:
//!
//! ```text
//! cargo bench -p softtoken-etcd [-- --million] [-- --quick]
//! ```

use std::sync::Arc;

use softtoken::BlockingStore as _;
use softtoken::association::Events;
use softtoken::store::{Swap, Write};
use softtoken_faults::{Blocking, On, bench};

#[path = "../tests/engine/mod.rs"]
mod engine;

/// Who insert at once.
const TASKS: usize = 32;

fn main() {
    let engine = engine::Engine::start();
    let status = engine::ask(
        &format!("{}/v3/maintenance/status", engine.endpoints[0]),
        "{}",
    );
    let status = status.expect("it answers");
    let version = status["version"].as_str().expect("it has one");
    let settings = format!(
        "etcd {version}, three members, their defaults: a majority has written and flushed; its JSON gateway over loopback"
    );
    let store = Blocking(Arc::new(engine.store()));
    let bare = store.clone(); // the adapter is nothing but the statements
    let insert = |rows: &[(String, Vec<u8>)]| {
        std::thread::scope(|scope| {
            for rows in rows.chunks(rows.len().div_ceil(TASKS)) {
                let bare = &bare.0;
                scope.spawn(move || {
                    for (subject, record) in rows {
                        let write = Write::new(subject, None, record.clone(), Events::default());
                        let write = write.expect("the first");
                        let swap = bare.compare_and_swap_blocking(write);
                        assert_eq!(swap.expect("it answers"), Swap::Stored);
                    }
                });
            }
        });
    };
    bench(&settings, store, bare.clone(), insert, On::Threads);
}
