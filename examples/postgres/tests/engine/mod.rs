//! A PostgreSQL server of one's own: on loopback, in a temporary folder, ended with it.

use std::fs::File;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use softtoken_faults::{Blocked, Server, free_port};
use softtoken_postgres::PostgresStore;
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
        let folder = tempfile::tempdir().expect("a folder");
        // The server does not run as root; Debian's package has made a user for it.
        let user = (id("-u", None) == Some(0)).then(|| {
            let user = [id("-u", Some("postgres")), id("-g", Some("postgres"))];
            let [Some(user), Some(group)] = user else {
                missing()
            };
            chown(folder.path(), Some(user), Some(group)).expect("root may");
            (user, group)
        });
        let command = |name| {
            let mut command = Command::new(program(name));
            command.current_dir(folder.path());
            if let Some((user, group)) = user {
                command.uid(user).gid(group);
            }
            command
        };
        let data = folder.path().join("data");
        let made = command("initdb")
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--pgdata"])
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("initdb starts").success(), "initdb");

        let port = free_port().to_string();
        let mut postgres = command("postgres");
        postgres
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-h", "127.0.0.1", "-p", &port])
            // How it flushes its files when it recovers; nothing that it promises depends on it,
            // only how long that takes.
            .args(["-c", "recovery_init_sync_method=syncfs"]);
        let log = File::create(folder.path().join("log")).expect("a log");
        postgres.stderr(log);
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let answers = move || {
            let ready = Command::new(program("pg_isready"))
                .args(["--quiet", "--host=127.0.0.1", "--port", &port])
                .status();
            ready.is_ok_and(|status| status.success())
        };
        let server = Server::start(postgres, answers).expect("it starts");
        let runtime = Runtime::new().expect("a runtime");
        let engine = Self {
            server,
            url,
            runtime,
            _folder: folder,
        };
        let store = engine.store(1);
        engine.runtime.block_on(store.migrate()).expect("a table");
        engine
    }

    /// A pool of its own.
    pub(crate) fn store(&self, connections: usize) -> PostgresStore {
        PostgresStore::new(&self.url, connections).expect("a URL")
    }

    /// The same for threads.
    pub(crate) fn blocking(&self, connections: usize) -> impl softtoken::BlockingStore + use<> {
        let runtime = self.runtime.handle().clone();
        Blocked::new(self.store(connections), move |future| {
            runtime.block_on(future);
        })
    }
}

fn id(of: &str, user: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(of).args(user).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// In the path, or where Debian keeps it: the newest one.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| folder.join(name));
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut debian: Vec<_> = versions
        .flatten()
        .map(|version| version.path().join("bin").join(name))
        .collect();
    debian.sort();
    in_path
        .chain(debian.into_iter().rev())
        .find(|program| program.is_file())
        .unwrap_or_else(|| missing())
}

fn missing() -> ! {
    panic!("PostgreSQL's server is not installed: apt-get install postgresql")
}
