//! A PostgreSQL server of one's own: on loopback, in a temporary folder, ended with it.

use std::fs::File;
use std::io::Result;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::server::{Server, free_port};

/// A PostgreSQL server to be killed, from Debian's package, with its defaults.
#[derive(Debug)]
pub struct Postgres {
    /// Its process.
    pub server: Server,
    /// Its database, for the user who may do everything.
    pub url: String,
    folder: TempDir,
}

/// Puts a view in the place of the table `softtoken` that fails, as PostgreSQL does at SERIALIZABLE,
/// as long as the sequence `failures` is below 1: it counts on whatever is rolled back.
/// `SELECT setval('failures', -3)` makes it three times more.
pub const IN_THE_WAY: &str = "CREATE SEQUENCE failures MINVALUE -1000;
    CREATE FUNCTION served() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        IF nextval('failures') < 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'serialization_failure';
        END IF;
        RETURN true;
    END $$;
    ALTER TABLE softtoken RENAME TO kept;
    CREATE VIEW softtoken AS SELECT * FROM kept WHERE served()";

impl Postgres {
    /// Makes a server of its own, and waits until it answers.
    ///
    /// # Panics
    ///
    /// Where it is not installed, or does not start.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // The server does not run as root; Debian's package has made a user for it.
        let user = (id("-u", None) == Some(0)).then(|| {
            let (user, group) = postgres_user();
            chown(folder.path(), Some(user), Some(group)).expect("root may");
            (user, group)
        });
        let command = |name| {
            let mut command = Command::new(postgres_program(name));
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
            let ready = Command::new(postgres_program("pg_isready"))
                .args(["--quiet", "--host=127.0.0.1", "--port", &port])
                .status();
            ready.is_ok_and(|status| status.success())
        };
        let server = Server::start(postgres, answers).expect("it starts");
        Self {
            server,
            url,
            folder,
        }
    }

    /// Kills the server, and starts it again as a standby that waits for a primary, and answers
    /// reads.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn become_standby(&mut self) -> Result<()> {
        self.server.kill()?;
        File::create(self.folder.path().join("data/standby.signal"))?;
        self.server.restart()
    }
}

/// The user, and the group, that Debian's package has made for the server, which does not run as
/// root.
///
/// # Panics
///
/// Where there is none.
#[must_use]
pub fn postgres_user() -> (u32, u32) {
    let user = [id("-u", Some("postgres")), id("-g", Some("postgres"))];
    let [Some(user), Some(group)] = user else {
        missing()
    };
    (user, group)
}

fn id(of: &str, user: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(of).args(user).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// A program of PostgreSQL's: in the path, or where Debian keeps it, the newest one.
///
/// # Panics
///
/// Where it is not installed.
#[must_use]
pub fn postgres_program(name: &str) -> PathBuf {
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
