//! A Redis server of one's own: on loopback, in a temporary folder, ended with it.

use core::net::Ipv4Addr;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use softtoken_faults::{Blocked, Server, free_port};
use softtoken_redis::RedisStore;
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) struct Engine {
    #[allow(dead_code, reason = "the benchmark kills nobody")]
    pub(crate) server: Server,
    pub(crate) url: String,
    pub(crate) runtime: Runtime,
    _folder: TempDir,
}

impl Engine {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The last word on a setting is `settings`'.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        // Where builds go, which is a disk also where the temporary folder is memory.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let port = free_port();
        let mut redis = Command::new(program());
        redis
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
            .arg(folder.path())
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .args(["--save", ""])
            .args(settings)
            .stdout(Stdio::null());
        let server = Server::start(redis, move || answers(port).is_some()).expect("it starts");
        Self {
            server,
            url: format!("redis://127.0.0.1:{port}"),
            runtime: Runtime::new().expect("a runtime"),
            _folder: folder,
        }
    }

    /// A connection of its own.
    pub(crate) fn store(&self) -> RedisStore {
        let connect = RedisStore::connect(&self.url);
        self.runtime.block_on(connect).expect("it answers")
    }

    /// The same for threads.
    #[allow(dead_code, reason = "the benchmark runs tasks")]
    pub(crate) fn blocking(&self) -> impl softtoken::BlockingStore + use<> {
        let runtime = self.runtime.handle().clone();
        Blocked::new(self.store(), move |future| runtime.block_on(future))
    }

    /// A connection past the store.
    pub(crate) fn bare(&self) -> redis::Connection {
        let client = redis::Client::open(&self.url[..]).expect("a URL");
        client.get_connection().expect("it answers")
    }
}

/// While it loads its files it answers something else.
fn answers(port: u16) -> Option<()> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    connection.write_all(b"PING\r\n").ok()?;
    let mut answer = [0; 5];
    connection.read_exact(&mut answer).ok()?;
    (answer == *b"+PONG").then_some(())
}

fn program() -> &'static str {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed =
        |name: &&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    ["redis-server", "valkey-server"]
        .into_iter()
        .find(installed)
        .expect("a server is installed: apt-get install redis-server")
}
