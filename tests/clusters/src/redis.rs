//! A primary of Redis and its replica.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::thread;

use redis::{Client, Connection, ErrorKind, RedisError, cmd, pipe};
use softtoken::BlockingStore;
use softtoken::store::{Snapshot, Store as _, Swap, Write};
use softtoken_faults::Server;
use softtoken_redis::{RedisStore, RedisStoreError};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::Network;

const PRIMARY: u8 = 0;
const REPLICA: u8 = 1;

/// Whether a swap waits for the replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replication {
    /// A swap is acknowledged once `WAIT 1` has counted the replica.
    Waited,
    /// A swap is acknowledged once the primary has it on disk.
    Unwaited,
}

/// A primary and a replica that follows it, each on a machine of its own; and a store that asks
/// whichever is the primary.
pub struct Redis {
    primary: Mutex<Server>,
    _replica: Server,
    network: Network,
    replication: Replication,
    runtime: Runtime,
    primary_store: RedisStore,
    /// Whether the replica has become the primary, and the store of it.
    failed_over: AtomicBool,
    replica_store: RedisStore,
    /// Connections that wait, which nobody uses just now.
    idle: Mutex<Vec<Connection>>,
    _folder: TempDir,
}

impl core::fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Redis")
            .field("network", &self.network)
            .field("replication", &self.replication)
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// Starts both, and waits until the replica follows.
    ///
    /// # Panics
    ///
    /// Where one does not start, or does not follow.
    #[must_use]
    pub fn start(replication: Replication) -> Self {
        let network = Network::new(2);
        let folder = tempfile::tempdir().expect("a folder");
        let serve = |machine: u8, settings: &[&str]| {
            let own = folder.path().join(machine.to_string());
            std::fs::create_dir(&own).expect("a folder");
            let mut redis = network.command(machine);
            redis
                .args(["redis-server", "--port", "6379", "--bind", "*", "--dir"])
                .arg(own)
                .args(["--protected-mode", "no", "--save", ""])
                .args(["--appendonly", "yes", "--appendfsync", "always"])
                .args(settings)
                .stdout(Stdio::null());
            let url = url(&network, machine);
            Server::start(redis, move || ping(&url).is_ok()).expect("redis-server starts")
        };
        let primary = serve(PRIMARY, &[]);
        let follows = format!("{} 6379", network.address(PRIMARY));
        let replica = serve(REPLICA, &["--replicaof", &follows]);
        let runtime = Runtime::new().expect("a runtime");
        let [primary_url, replica_url] = [PRIMARY, REPLICA].map(|machine| url(&network, machine));
        let connect = RedisStore::connect(&primary_url);
        let primary_store = runtime.block_on(connect).expect("it is a primary");
        // It is asked once it is a primary, and not before.
        let connect = RedisStore::connect_unchecked(&replica_url);
        let replica_store = runtime.block_on(connect).expect("it answers");
        let redis = Self {
            primary: Mutex::new(primary),
            _replica: replica,
            network,
            replication,
            runtime,
            primary_store,
            failed_over: AtomicBool::new(false),
            replica_store,
            idle: Mutex::default(),
            _folder: folder,
        };
        for _ in 0..300 {
            if redis.wait().is_ok() {
                return redis;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the replica does not follow");
    }

    /// Cuts primary and replica off from each other.
    pub fn cut(&self) {
        self.network.cut(PRIMARY, REPLICA);
    }

    /// Kills the primary for good, and makes the replica the primary.
    ///
    /// # Panics
    ///
    /// Where that is refused.
    pub fn fail_over(&self) {
        let mut primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        primary.kill().expect("it runs");
        let client = Client::open(url(&self.network, REPLICA)).expect("a URL");
        let mut replica = client.get_connection().expect("it answers");
        let promoted = cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut replica);
        promoted.expect("it becomes the primary");
        self.failed_over.store(true, Ordering::SeqCst);
    }

    fn store(&self) -> &RedisStore {
        if self.failed_over.load(Ordering::SeqCst) {
            &self.replica_store
        } else {
            &self.primary_store
        }
    }

    /// Waits until the replica has whatever the primary had before. The stream to a replica has an
    /// order, so a later write of another connection stands for all before it.
    fn wait(&self) -> Result<(), RedisError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connect = || {
            let client = Client::open(url(&self.network, PRIMARY))?;
            client.get_connection_with_timeout(Duration::from_secs(2))
        };
        let connection = idle().pop();
        let mut connection = connection.map_or_else(connect, Ok)?;
        let (replicas,): (u64,) = pipe()
            .cmd("SET")
            .arg(&["waits", ""])
            .ignore()
            .cmd("WAIT")
            .arg(&[1, 1_000])
            .query(&mut connection)?;
        idle().push(connection);
        if replicas == 0 {
            return Err((ErrorKind::Io, "the replica has not answered").into());
        }
        Ok(())
    }
}

impl BlockingStore for Redis {
    type Error = RedisStoreError;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, RedisStoreError> {
        self.runtime.block_on(self.store().load(subject))
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, RedisStoreError> {
        let has_replica = !self.failed_over.load(Ordering::SeqCst);
        let swap = self
            .runtime
            .block_on(self.store().compare_and_swap(write))?;
        if swap == Swap::Stored && has_replica && self.replication == Replication::Waited {
            // Where it is not counted, whether it is kept is not known.
            self.wait()?;
        }
        Ok(swap)
    }

    fn pause_blocking(&self, time: Duration) {
        self.runtime.block_on(self.store().pause(time));
    }
}

fn url(network: &Network, machine: u8) -> String {
    format!("redis://{}:6379", network.address(machine))
}

fn ping(url: &str) -> Result<(), RedisError> {
    let mut connection = Client::open(url)?.get_connection_with_timeout(Duration::from_secs(1))?;
    cmd("PING").exec(&mut connection)
}
