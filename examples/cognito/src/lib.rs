//! A local stand-in for Amazon Cognito user pools that gets the second factor right.
//!
//! It answers the unmodified AWS SDKs: pools, clients, users, sign-in, and the software token with
//! every rule of `softtoken`'s. It keeps test data: anyone who reaches it is an administrator,
//! since the signatures of requests are not checked.
//!
//! ```no_run
//! use softtoken_cognito::{Server, serve};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::builder().build()?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! println!("http://{}", listener.local_addr()?);
//! serve(server, listener, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod directory;
mod exception;
mod gateway;
mod http;
mod members;
mod operations;
mod passwords;
mod random_id;
mod records;
mod second_factors;
mod seed;
mod server;
mod srp;
mod tokens;

use core::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

pub use builder::{ServerBuilder, StartError};
pub use directory::OpenError;
pub use operations::CONFIRMATION_CODE;
pub use seed::Seeded;
pub use server::Server;

/// How long requests that are under way at a shutdown have to finish.
const GRACE: Duration = Duration::from_secs(10);

/// Answers requests until `shutdown` is ready; those under way then are finished, for ten seconds
/// at most.
///
/// # Errors
///
/// The listener failed.
pub async fn serve(
    server: Server,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stop, mut stopped) = watch::channel(false);
    let asked = async move {
        shutdown.await;
        stop.send_replace(true);
    };
    let serving = axum::serve(listener, http::router(server)).with_graceful_shutdown(asked);
    let patience = async {
        // Ends with an error where the server is gone: then there is nothing to wait for.
        if stopped.wait_for(|stopped| *stopped).await.is_ok() {
            tokio::time::sleep(GRACE).await;
        }
    };
    tokio::select! {
        done = serving.into_future() => done,
        () = patience => Ok(()),
    }
}
