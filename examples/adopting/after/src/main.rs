//! Serves on loopback: `cargo run -p softtoken-adopting-after -- 8080 accounts.db`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use softtoken::OsEntropy;
use softtoken::entropy::Entropy as _;
use softtoken_adopting_after::app;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

#[tokio::main]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().map_or(Ok(8080), |port| port.parse())?;
    let file = arguments.next().unwrap_or_else(|| "accounts.db".into());
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await?;
    let clock = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs())
    };
    let app = app(pool, Arc::new(clock), &key()?)
        .await
        .map_err(|failure| format!("{failure:?}"))?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

/// Returns the key of the challenges, which is made at the first start and kept in a file that this
/// user alone can read.
fn key() -> Result<[u8; 32], Box<dyn core::error::Error>> {
    let file = "challenge.key";
    match std::fs::read(file) {
        Ok(kept) => return Ok(kept.as_slice().try_into()?),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        Err(_) => {}
    }
    let mut key = [0; 32];
    OsEntropy.fill(&mut key)?;
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    file.write_all(&key)?;
    Ok(key)
}
