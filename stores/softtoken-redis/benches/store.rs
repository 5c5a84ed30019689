//! Sign-ins a second in Redis, beside bare commands, on a server of its own:
//!
//! ```text
//! cargo bench -p softtoken-redis [-- --million | --storm] [--plain] [--quick]
//! ```

use core::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{RedisError, Script, cmd};
use softtoken::Revision;
use softtoken::store::{Snapshot, Store, Swap, Write};
use softtoken_faults::{On, bench};

#[path = "../tests/engine/mod.rs"]
mod engine;

const PATIENCE: Duration = Duration::from_secs(10);

/// What an application sends that has no adapter, over a connection of the same kind.
struct Bare {
    connection: ConnectionManager,
    swap: Script,
}

impl Store for Bare {
    type Error = RedisError;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, RedisError> {
        let mut get = cmd("HMGET");
        get.arg(format!("softtoken:{subject}"));
        get.arg("revision").arg("record");
        let (revision, record) = get.query_async(&mut self.connection.clone()).await?;
        let revision = Revision::from_i64(revision).expect("it was written");
        Ok(Some(Snapshot { revision, record }))
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, RedisError> {
        let expected = write.expected().map_or(0, Revision::as_i64);
        let mut swap = self.swap.key(format!("softtoken:{}", write.subject()));
        swap.arg(expected)
            .arg(write.next().as_i64())
            .arg(write.record());
        let stored: bool = swap.invoke_async(&mut self.connection.clone()).await?;
        Ok(if stored { Swap::Stored } else { Swap::Conflict })
    }
}

fn main() {
    let engine = engine::Engine::start();
    let mut bulk = engine.bare();
    let about: redis::InfoDict = cmd("INFO").query(&mut bulk).expect("it answers");
    let version: String = about.get("redis_version").expect("it has one");
    let settings = format!(
        "Redis {version}, appendonly=yes, appendfsync=always; \
         one connection for all tasks, over loopback"
    );
    let client = redis::Client::open(&engine.url[..]).expect("a URL");
    // As long as the store waits: the driver's half a second is over before a storm is.
    let config = ConnectionManagerConfig::new().set_response_timeout(Some(PATIENCE));
    let connect = ConnectionManager::new_with_config(client, config);
    let bare = Bare {
        connection: engine.runtime.block_on(connect).expect("it answers"),
        swap: Script::new(
            "if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1] then return 0 end
             redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'record', ARGV[3])
             return 1",
        ),
    };
    let insert = |rows: &[(String, Vec<u8>)]| {
        let mut bulk = engine.bare();
        for rows in rows.chunks(1000) {
            let mut insert = redis::pipe();
            for (subject, record) in rows {
                let key = format!("softtoken:{subject}");
                let insert = insert.cmd("HSET").arg(key).arg("revision").arg(1);
                insert.arg("record").arg(record).ignore();
            }
            insert.exec(&mut bulk).expect("they are new");
        }
    };
    bench(
        &settings,
        engine.store(),
        bare,
        insert,
        On::Runtime(&engine.runtime),
    );
}
