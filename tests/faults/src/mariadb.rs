//! A MariaDB server of one's own: on loopback, in a temporary folder, ended with it.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::server::{Server, free_port};

/// A MariaDB server to be killed, from Debian's package, with its defaults.
#[derive(Debug)]
pub struct MariaDb {
    /// Its process.
    pub server: Server,
    /// Its database, for a user who may do everything.
    pub url: String,
    _folder: TempDir,
}

/// Who may do everything, over loopback and without a password.
const USER: &str = "CREATE DATABASE IF NOT EXISTS softtoken;
CREATE USER IF NOT EXISTS softtoken@'127.0.0.1';
GRANT ALL ON *.* TO softtoken@'127.0.0.1';
";

impl MariaDb {
    /// Makes a server of its own, with these settings beside its defaults, and waits until it
    /// answers.
    ///
    /// # Panics
    ///
    /// Where it is not installed, or does not start.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, init) = (folder.path().join("data"), folder.path().join("init.sql"));
        fs::write(&init, USER).expect("a file");
        // The server does not run as root; Debian's package has made a user for it.
        let user = fs::metadata("/proc/self").is_ok_and(|process| {
            use std::os::unix::fs::MetadataExt as _;
            process.uid() == 0
        });
        if user {
            let output = Command::new("id").args(["-u", "mysql"]).output();
            let id = String::from_utf8(output.expect("id starts").stdout).expect("a number");
            let id = id.trim().parse().unwrap_or_else(|_| missing());
            chown(folder.path(), Some(id), None).expect("root may");
        }
        let user = user.then_some("--user=mysql");
        let made = Command::new("mariadb-install-db")
            .env("TMPDIR", folder.path())
            .args([
                "--no-defaults",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ])
            .args(user)
            .arg(option("datadir", &data))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(
            made.unwrap_or_else(|_| missing()).success(),
            "mariadb-install-db"
        );

        let port = free_port();
        let mut mariadb = Command::new("mariadbd");
        mariadb
            .env("TMPDIR", folder.path())
            .args([
                "--no-defaults",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
            ])
            .args(user)
            .arg(format!("--port={port}"))
            .arg(option("datadir", &data))
            .arg(option("init-file", &init))
            .arg(option("socket", &folder.path().join("socket")))
            .arg(option("pid-file", &folder.path().join("pid")))
            .args(settings)
            .stderr(File::create(folder.path().join("log")).expect("a log"));
        let answers = move || {
            let ready = Command::new("mariadb-admin")
                .args([
                    "--no-defaults",
                    "--user=softtoken",
                    "--protocol=tcp",
                    "--host=127.0.0.1",
                ])
                .arg(format!("--port={port}"))
                .arg("ping")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            ready.is_ok_and(|status| status.success())
        };
        Self {
            server: Server::start(mariadb, answers).expect("it starts"),
            url: format!("mysql://softtoken@127.0.0.1:{port}/softtoken"),
            _folder: folder,
        }
    }
}

fn option(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

fn missing() -> ! {
    panic!("MariaDB's server is not installed: apt-get install mariadb-server")
}
