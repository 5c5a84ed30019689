//! Starts the server:
//!
//! ```text
//! cargo run -p softtoken-axum-example [-- [ADDRESS:PORT] [FOLDER]]
//! ```
//!
//! It listens on 127.0.0.1:3000, and keeps its files in `target/axum-example`. On any other address
//! than loopback, and where `ORIGIN` begins with `https://`, its cookies are for TLS alone: put a
//! proxy in front of it that speaks TLS and hands `Host` through.

use core::error::Error;
use core::net::SocketAddr;
use std::path::PathBuf;

use softtoken::time::SystemClock;
use softtoken_axum_example::{App, server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".into());
    let address: SocketAddr = address.parse()?;
    let folder = PathBuf::from(
        arguments
            .next()
            .unwrap_or_else(|| "target/axum-example".into()),
    );
    std::fs::create_dir_all(&folder)?;

    // A proxy on the same machine speaks to loopback, and TLS to everybody else.
    let is_behind_tls = std::env::var("ORIGIN").is_ok_and(|origin| origin.starts_with("https://"));
    let is_secure = is_behind_tls || !address.ip().is_loopback();
    let app = App::open(&folder, is_secure, SystemClock).await?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    tracing::info!(
        "open http://{address} in a browser; files are in {}",
        folder.display()
    );
    let service = server(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(async {
            // Without the signal the server ends as it would without this line.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    Ok(())
}
