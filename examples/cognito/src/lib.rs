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
mod connections;
mod directory;
mod exception;
mod gateway;
mod http;
mod members;
mod operations;
mod passwords;
mod pools;
mod random_id;
mod records;
mod second_factors;
mod server;
mod srp;
mod tokens;

pub use builder::{ServerBuilder, StartError};
pub use connections::{Limits, serve};
pub use directory::OpenError;
pub use operations::CONFIRMATION_CODE;
pub use pools::{Pools, PoolsError, Seeded};
pub use server::Server;
