//! Runs one of the two servers, on loopback and on a clock that can be set.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use softtoken_adopting_accounts::{Clock, Failure};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Names the two servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there are two servers")]
pub enum Which {
    /// The second factor is written by hand.
    Before,
    /// The second factor is softtoken's.
    After,
}

/// Holds a server that runs, with its database and its clock.
pub(crate) struct Server {
    which: Which,
    folder: TempDir,
    now: Arc<AtomicU64>,
    running: Option<Runtime>,
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
        let (listener, app) = runtime.block_on(async {
            let app = app(self.which, &file, clock).await;
            let listener = TcpListener::bind(("127.0.0.1", 0)).await;
            (listener.expect("a port"), app.expect("a database"))
        });
        self.address = listener.local_addr().expect("an address");
        runtime.spawn(async { axum::serve(listener, app).await });
        self.running = Some(runtime);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    pub(crate) fn wait(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }
}

async fn app(which: Which, file: &Path, clock: Clock) -> Result<Router, Failure> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePool::connect_with(options).await?;
    match which {
        Which::Before => softtoken_adopting_before::app(pool, clock).await,
        Which::After => softtoken_adopting_after::app(pool, clock, &[7; 32]).await,
    }
}
