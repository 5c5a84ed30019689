//! Three nodes of MariaDB that are a cluster of Galera's.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use softtoken::BlockingStore;
use softtoken::store::{Snapshot, Store as _, Swap, Write};
use softtoken_faults::Server;
use softtoken_sqlx::{MySqlStore, SqlxStoreError};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};

use crate::Network;

const NODES: u8 = 3;
const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";
/// Who may do everything, from the machine of the test.
const USER: &str = "FLUSH PRIVILEGES;
CREATE DATABASE softtoken;
CREATE USER softtoken@'%';
GRANT ALL ON *.* TO softtoken@'%';
";
/// A node that is not heard of is taken for lost sooner than by default.
const TIMES: &str = "evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT1.5S;\
    evs.inactive_timeout=PT4S;evs.install_timeout=PT4S";
const PATIENCE: Duration = Duration::from_secs(10);

/// What a node's answer to a load waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Causality {
    /// `wsrep_sync_wait = 1`: for all that was committed anywhere before.
    Waited,
    /// `wsrep_sync_wait = 0`, the default: for nothing.
    Unwaited,
}

/// A cluster, each node on a machine of its own; and a store that asks its nodes in turn.
#[derive(Debug)]
pub struct Galera {
    nodes: Vec<Server>,
    network: Network,
    runtime: Runtime,
    _folder: TempDir,
}

impl Galera {
    /// Starts it, and waits until all nodes are members.
    ///
    /// # Panics
    ///
    /// Where a node does not start.
    #[must_use]
    pub fn start() -> Self {
        let network = Network::new(NODES);
        let folder = tempfile::tempdir().expect("a folder");
        let mysql = user();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("root may");
        for node in 0..NODES {
            let own = folder.path().join(node.to_string());
            fs::create_dir(&own).expect("a folder");
            chown(&own, Some(mysql), None).expect("root may");
        }
        make(&folder.path().join("0"));
        // The others are sent what the first one has.
        let nodes = (0..NODES).map(|node| serve(&network, node, folder.path()));
        let galera = Self {
            nodes: nodes.collect(),
            network,
            runtime: Runtime::new().expect("a runtime"),
            _folder: folder,
        };
        let store = galera.node(0, Causality::Waited);
        let migrated = galera.runtime.block_on(store.migrate());
        migrated.expect("the cluster is whole");
        galera
    }

    /// A store that asks one node.
    #[must_use]
    pub fn node(&self, node: u8, causality: Causality) -> MySqlStore {
        let _within = self.runtime.enter();
        let options = MySqlConnectOptions::new()
            .host(&self.network.address(node).to_string())
            .username("softtoken")
            .database("softtoken");
        let pool = MySqlPoolOptions::new()
            .max_connections(24)
            .acquire_timeout(Duration::from_secs(2))
            .after_connect(move |connection, _| {
                let set = match causality {
                    Causality::Waited => "SET SESSION wsrep_sync_wait = 1",
                    Causality::Unwaited => "SET SESSION wsrep_sync_wait = 0",
                };
                Box::pin(async move { sqlx::raw_sql(set).execute(connection).await.map(drop) })
            })
            .connect_lazy_with(options);
        MySqlStore::new(pool).answer_timeout(PATIENCE)
    }

    /// A store that asks the nodes in turn, each request another one.
    #[must_use]
    pub fn store(
        &self,
        causality: Causality,
    ) -> impl BlockingStore<Error = SqlxStoreError> + use<> {
        let node = |node| (self.node(node, causality), AtomicBool::new(false));
        InTurn {
            nodes: (0..NODES).map(node).collect(),
            requests: AtomicUsize::new(0),
            runtime: self.runtime.handle().clone(),
        }
    }

    /// The machines.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What the stores run on.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Kills a node, for good.
    ///
    /// # Panics
    ///
    /// Where it does not run.
    pub fn kill(&mut self, node: u8) {
        self.nodes[usize::from(node)].kill().expect("it runs");
    }

    /// Waits until a node is a member of what has the majority.
    ///
    /// # Panics
    ///
    /// Where it is none within a minute.
    pub fn wait_for(&self, node: u8) {
        let address = self.network.address(node).to_string();
        for _ in 0..300 {
            if is_ready(&address) {
                return;
            }
            thread::sleep(Duration::from_millis(200));
        }
        panic!("node {node} is no member");
    }
}

/// A store over several nodes, which leaves out those that have failed.
struct InTurn {
    nodes: Vec<(MySqlStore, AtomicBool)>,
    requests: AtomicUsize,
    runtime: Handle,
}

impl InTurn {
    fn ask<T>(
        &self,
        request: impl AsyncFnOnce(&MySqlStore) -> Result<T, SqlxStoreError>,
    ) -> Result<T, SqlxStoreError> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let turn = |after| &self.nodes[(number + after) % self.nodes.len()];
        // Now and then one that has failed is asked again.
        let may = |(_, failed): &&(_, AtomicBool)| {
            number.is_multiple_of(32) || !failed.load(Ordering::Relaxed)
        };
        let (store, failed) = (0..self.nodes.len()).map(turn).find(may).unwrap_or(turn(0));
        let answer = self.runtime.block_on(request(store));
        failed.store(answer.is_err(), Ordering::Relaxed);
        answer
    }
}

impl BlockingStore for InTurn {
    type Error = SqlxStoreError;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, SqlxStoreError> {
        self.ask(async |store| store.load(subject).await)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, SqlxStoreError> {
        self.ask(async |store| store.compare_and_swap(write).await)
    }

    fn pause_blocking(&self, time: Duration) {
        let (store, _) = &self.nodes[0];
        self.runtime.block_on(store.pause(time));
    }
}

fn serve(network: &Network, node: u8, folder: &Path) -> Server {
    let own = folder.join(node.to_string());
    let address = network.address(node).to_string();
    let members: Vec<_> = (0..NODES)
        .map(|node| network.address(node).to_string())
        .collect();
    let mut mariadb = network.command(node);
    mariadb
        .env("TMPDIR", &own)
        .args(["mariadbd", "--no-defaults", "--user=mysql"])
        .args(["--bind-address=0.0.0.0", "--skip-name-resolve"])
        .arg(format!("--datadir={}", own.display()))
        .arg(format!("--socket={}", own.join("socket").display()))
        .arg(format!("--pid-file={}", own.join("pid").display()))
        .args(["--binlog-format=ROW", "--innodb-autoinc-lock-mode=2"])
        .args(["--wsrep-on=ON", "--wsrep-sst-method=rsync"])
        .arg(format!("--wsrep-provider={PROVIDER}"))
        .arg(format!("--wsrep-provider-options={TIMES}"))
        .arg(format!(
            "--wsrep-cluster-address=gcomm://{}",
            members.join(",")
        ))
        .arg(format!("--wsrep-node-address={address}"))
        .stdout(Stdio::null())
        .stderr(File::create(folder.join(format!("{node}.log"))).expect("a log"));
    if node == 0 {
        mariadb.arg("--wsrep-new-cluster");
    }
    Server::start(mariadb, move || is_ready(&address)).expect("it starts")
}

/// Whether a node answers, as a member of what has the majority.
fn is_ready(address: &str) -> bool {
    let answer = Command::new("mariadb")
        .args(["--no-defaults", "--user=softtoken", "--connect-timeout=2"])
        .args(["--skip-column-names", "--host", address])
        .args(["--execute", "SHOW STATUS LIKE 'wsrep_ready'"])
        .output();
    answer.is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).contains("ON"))
}

/// Makes the data of the first node.
fn make(data: &Path) {
    let made = Command::new("mariadb-install-db")
        .env("TMPDIR", data)
        .args(["--no-defaults", "--skip-test-db", "--user=mysql"])
        .arg("--auth-root-authentication-method=normal")
        .arg(format!("--datadir={}", data.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap_or_else(|_| missing()).success());
    let statements = data.with_extension("sql");
    fs::write(&statements, USER).expect("a file");
    let made = Command::new("mariadbd")
        .env("TMPDIR", data)
        .args(["--no-defaults", "--bootstrap", "--user=mysql"])
        .arg(format!("--datadir={}", data.display()))
        .stdin(File::open(&statements).expect("it is there"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap_or_else(|_| missing()).success());
}

/// The user of Debian's package, as which the server runs.
fn user() -> u32 {
    let output = Command::new("id").args(["-u", "mysql"]).output();
    let id = String::from_utf8(output.expect("id starts").stdout).expect("a number");
    id.trim().parse().unwrap_or_else(|_| missing())
}

fn missing() -> ! {
    panic!("Galera is not installed: apt-get install mariadb-server galera-4 rsync")
}
