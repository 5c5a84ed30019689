//! A primary of PostgreSQL and its standby.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use deadpool::Runtime as Timer;
use deadpool::managed::{Pool, Timeouts};
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use softtoken::BlockingStore;
use softtoken_diesel::{AsyncPostgresStore, DieselStoreError};
use softtoken_faults::{Blocked, Server, postgres_program, postgres_user};
use softtoken_sqlx::{PostgresStore, SqlxStoreError};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::Network;

const PRIMARY: u8 = 0;
const STANDBY: u8 = 1;
/// Less than the standby is away: a commit that waits for it is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// All of the networks of tests.
const ANYBODY: &str =
    "host all all 10.213.0.0/16 trust\nhost replication all 10.213.0.0/16 trust\n";

/// How the primary treats its standby.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standby {
    /// `synchronous_standby_names = '*'`: a commit waits until the standby has it on disk.
    Synchronous,
    /// A commit does not wait.
    Asynchronous,
}

/// A primary and a standby that follows it, each on a machine of its own.
#[derive(Debug)]
pub struct Postgres {
    primary: Server,
    _standby: Server,
    network: Network,
    runtime: Runtime,
    user: (u32, u32),
    folder: TempDir,
}

impl Postgres {
    /// Starts both, and waits until the standby follows.
    ///
    /// # Panics
    ///
    /// Where one does not start.
    #[must_use]
    pub fn start(standby: Standby) -> Self {
        let network = Network::new(2);
        // Where the server's own user may go.
        let folder = tempfile::tempdir().expect("a folder");
        // The server does not run as root, which namespaces need.
        let user = postgres_user();
        chown(folder.path(), Some(user.0), Some(user.1)).expect("root may");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("root may");
        let data = folder.path().join("primary");
        let made = as_user("initdb", user, folder.path())
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--pgdata"])
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("initdb starts").success(), "initdb");
        let rules = data.join("pg_hba.conf");
        let said = fs::read_to_string(&rules).expect("initdb has made it");
        fs::write(&rules, said + ANYBODY).expect("root may");

        let waits_for = match standby {
            Standby::Synchronous => "synchronous_standby_names=*",
            Standby::Asynchronous => "synchronous_standby_names=",
        };
        // Without a standby that follows, nothing is committed: the copy is made first.
        let primary = serve(&network, PRIMARY, user, folder.path(), "primary", waits_for);
        let copied = as_user("pg_basebackup", user, folder.path())
            .args(["--host", &network.address(PRIMARY).to_string()])
            .args(["--username=postgres", "--write-recovery-conf", "--no-sync"])
            .args(["--checkpoint=fast", "--pgdata"])
            .arg(folder.path().join("standby"))
            .status();
        assert!(copied.expect("it starts").success(), "pg_basebackup");
        // Once it is promoted nobody follows it.
        let nobody = "synchronous_standby_names=";
        let standby = serve(&network, STANDBY, user, folder.path(), "standby", nobody);

        let postgres = Self {
            primary,
            _standby: standby,
            network,
            runtime: Runtime::new().expect("a runtime"),
            user,
            folder,
        };
        postgres.network.let_serve(PRIMARY);
        let store = postgres.connect(postgres.network.service());
        let migrated = postgres.runtime.block_on(store.migrate());
        migrated.expect("it is committed, so the standby follows");
        postgres
    }

    /// A store over sqlx that asks the address of the service.
    #[must_use]
    pub fn sqlx(&self) -> impl BlockingStore<Error = SqlxStoreError> + use<> {
        self.blocking(self.network.service())
    }

    /// A store over diesel-async that asks the address of the service.
    ///
    /// # Panics
    ///
    /// Where the pool cannot be made.
    #[must_use]
    pub fn diesel(&self) -> impl BlockingStore<Error = DieselStoreError> + use<> {
        let url = format!("postgres://postgres@{}/postgres", self.network.service());
        let pool = Pool::builder(AsyncDieselConnectionManager::new(url))
            .max_size(24)
            .runtime(Timer::Tokio1)
            .timeouts(Timeouts {
                wait: Some(PATIENCE),
                create: Some(PATIENCE),
                recycle: Some(PATIENCE),
            })
            .build()
            .expect("it has a timer");
        let store = AsyncPostgresStore::new(pool).answer_timeout(PATIENCE);
        let runtime = self.runtime.handle().clone();
        Blocked::new(store, move |future| runtime.block_on(future))
    }

    /// A store that asks the first primary, wherever the service is.
    #[must_use]
    pub fn old_primary(&self) -> impl BlockingStore<Error = SqlxStoreError> + use<> {
        self.blocking(self.network.address(PRIMARY))
    }

    /// A store that asks the standby alone, once it is promoted.
    #[must_use]
    pub fn new_primary(&self) -> impl BlockingStore<Error = SqlxStoreError> + use<> {
        self.blocking(self.network.address(STANDBY))
    }

    fn blocking(&self, address: Ipv4Addr) -> impl BlockingStore<Error = SqlxStoreError> + use<> {
        let runtime = self.runtime.handle().clone();
        Blocked::new(self.connect(address), move |future| {
            runtime.block_on(future);
        })
    }

    fn connect(&self, address: Ipv4Addr) -> PostgresStore {
        let _within = self.runtime.enter();
        let options = PgConnectOptions::new_without_pgpass()
            .host(&address.to_string())
            .username("postgres")
            .database("postgres");
        let pool = PgPoolOptions::new()
            .max_connections(24)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options);
        PostgresStore::new(pool).answer_timeout(PATIENCE)
    }

    /// Cuts primary and standby off from each other.
    pub fn cut(&self) {
        self.network.cut(PRIMARY, STANDBY);
    }

    /// Kills the primary, for good.
    ///
    /// # Panics
    ///
    /// Where it does not run.
    pub fn kill_primary(&mut self) {
        self.primary.kill().expect("it runs");
    }

    /// Makes the standby the primary, by `pg_ctl promote`, and has it serve.
    ///
    /// # Panics
    ///
    /// Where it does not become that.
    pub fn promote(&self) {
        let promoted = as_user("pg_ctl", self.user, self.folder.path())
            .args(["promote", "--silent", "--pgdata"])
            .arg(self.folder.path().join("standby"))
            .status();
        assert!(promoted.expect("pg_ctl starts").success(), "promote");
        self.network.let_serve(STANDBY);
    }
}

fn serve(
    network: &Network,
    machine: u8,
    (user, group): (u32, u32),
    folder: &Path,
    name: &str,
    waits_for: &str,
) -> Server {
    let mut postgres = network.command(machine);
    postgres
        // In the place of the command before it, which only root may give.
        .args(["setpriv", "--clear-groups"])
        .args(["--reuid", &user.to_string(), "--regid", &group.to_string()])
        .arg(postgres_program("postgres"))
        .arg("-D")
        .arg(folder.join(name))
        .args(["-h", "*", "-p", "5432", "-c", "unix_socket_directories="])
        .args(["-c", waits_for])
        .args(["-c", "recovery_init_sync_method=syncfs"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(File::create(folder.join(format!("{name}.log"))).expect("a log"));
    let host = network.address(machine).to_string();
    let answers = move || {
        let ready = Command::new(postgres_program("pg_isready"))
            .args(["--quiet", "--host", &host])
            .status();
        ready.is_ok_and(|status| status.success())
    };
    Server::start(postgres, answers).expect("it starts")
}

fn as_user(name: &str, (user, group): (u32, u32), folder: &Path) -> Command {
    let mut command = Command::new(postgres_program(name));
    command.uid(user).gid(group).current_dir(folder);
    command
}
