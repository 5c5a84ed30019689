//! Runs one of the servers, on loopback and on a clock that can be set.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer};
use axum::Router;
use softtoken::{Context, Mfa, OsEntropy, Policy, SessionKeys, UnixTime};
use softtoken_actix_example::Api;
use softtoken_adopting_accounts::{Clock, Failure};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Names the servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there are three servers")]
pub enum Which {
    /// The second factor is written by hand.
    Before,
    /// The second factor is softtoken's.
    After,
    /// The second factor is softtoken's, and the server is on actix-web and diesel.
    Actix,
}

/// Signs the challenges.
const KEY: [u8; 32] = [7; 32];

/// Holds the threads of a server, which end with it.
struct Running {
    runtime: Runtime,
    /// Ends the threads that are the server's own.
    actix: Option<ServerHandle>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(actix) = &self.actix {
            self.runtime.block_on(actix.stop(false));
        }
    }
}

/// Holds a server that runs, with its database and its clock.
pub(crate) struct Server {
    which: Which,
    folder: TempDir,
    now: Arc<AtomicU64>,
    running: Option<Running>,
    address: SocketAddr,
}

impl Server {
    /// Starts a server on a database of its own.
    pub(crate) fn start(which: Which) -> Self {
        let mut server = Self {
            which,
            folder: TempDir::new().expect("a temporary folder"),
            now: Arc::new(AtomicU64::new(1_800_000_000)),
            running: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        server.restart();
        server
    }

    /// Ends the server, and starts it on the same database.
    pub(crate) fn restart(&mut self) {
        // The runtime waits for its tasks to end, and the database is closed with the last of them.
        drop(self.running.take());
        let runtime = Runtime::new().expect("threads");
        let file = self.folder.path().join("accounts.db");
        let now = Arc::clone(&self.now);
        let clock: Clock = Arc::new(move || now.load(Ordering::SeqCst));
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        self.address = listener.local_addr().expect("an address");
        let actix = match self.which {
            Which::Before => {
                let app = async { softtoken_adopting_before::app(pool(&file).await?, clock).await };
                serve_axum(&runtime, listener, app);
                None
            }
            Which::After => {
                let pool = pool(&file);
                let app = async { softtoken_adopting_after::app(pool.await?, clock, &KEY).await };
                serve_axum(&runtime, listener, app);
                None
            }
            Which::Actix => Some(serve_actix(&runtime, listener, &file, clock)),
        };
        self.running = Some(Running { runtime, actix });
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    pub(crate) fn wait(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }
}

async fn pool(file: &Path) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    SqlitePool::connect_with(options).await
}

fn serve_axum(
    runtime: &Runtime,
    listener: TcpListener,
    app: impl Future<Output = Result<Router, Failure>>,
) {
    listener.set_nonblocking(true).expect("a listener");
    let (listener, app) = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener);
        (
            listener.expect("a listener"),
            app.await.expect("a database"),
        )
    });
    runtime.spawn(async { axum::serve(listener, app).await });
}

fn serve_actix(
    runtime: &Runtime,
    listener: TcpListener,
    file: &Path,
    clock: Clock,
) -> ServerHandle {
    let clock = move || Some(UnixTime::from_secs(clock()));
    let mfa = Mfa::new(Policy::STANDARD, clock, OsEntropy).with_sessions(
        SessionKeys::from_bytes(1, &KEY),
        Context::new("web").expect("a context"),
    );
    let api = Api::open(file.to_str().expect("UTF-8"), mfa).expect("a database");
    let server = HttpServer::new(move || {
        let api = api.clone();
        App::new().configure(|config| api.routes(config))
    });
    let server = server.workers(2).disable_signals().listen(listener);
    let entered = runtime.enter();
    let server = server.expect("a listener").run();
    drop(entered);
    let handle = server.handle();
    runtime.spawn(server);
    handle
}
