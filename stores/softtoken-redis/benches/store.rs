//! Sign-ins a second in Redis, beside bare reads and writes of it, on a server of its own:
//!
//! ```text
//! cargo bench -p softtoken-redis [-- --million] [-- --quick]
//! ```

use softtoken_faults::bench;

#[path = "../tests/engine/mod.rs"]
mod engine;

fn main() {
    let engine = engine::Engine::start();
    let mut bare = engine.bare();
    let about: redis::InfoDict = redis::cmd("INFO").query(&mut bare).expect("it answers");
    let version: String = about.get("redis_version").expect("it has one");
    let settings = format!(
        "Redis {version}, appendonly=yes, appendfsync=always; one connection for all tasks, over loopback"
    );
    bench(&settings, &engine.blocking(), |rows| {
        let mut bare = engine.bare();
        for rows in rows.chunks(1000) {
            let mut insert = redis::pipe();
            for (subject, record) in rows {
                let key = format!("softtoken:{subject}");
                let insert = insert.cmd("HSET").arg(key).arg("revision").arg(1);
                insert.arg("record").arg(record).ignore();
            }
            insert.exec(&mut bare).expect("they are new");
        }
    });
}
