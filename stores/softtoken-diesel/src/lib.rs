//! Keeps the second factors of [`softtoken`] in PostgreSQL or SQLite, over the pool of an
//! application that uses diesel.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg(any(
    feature = "postgres",
    feature = "sqlite",
    feature = "async-postgres",
    feature = "async-sqlite"
))]

#[cfg(any(feature = "async-postgres", feature = "async-sqlite"))]
mod asynchronous;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod blocking;
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "async-sqlite"))]
mod engine;
mod error;
mod migrations;
mod statements;

#[cfg(feature = "async-postgres")]
pub use asynchronous::AsyncPostgresStore;
#[cfg(feature = "async-sqlite")]
pub use asynchronous::AsyncSqliteStore;
#[cfg(any(feature = "async-postgres", feature = "async-sqlite"))]
pub use asynchronous::{Accepted, AsyncDieselStore, AsyncEngine};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use blocking::DieselStore;
#[cfg(feature = "postgres")]
pub use blocking::PostgresStore;
#[cfg(feature = "sqlite")]
pub use blocking::SqliteStore;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use engine::Engine;
pub use error::DieselError;
#[cfg(any(feature = "postgres", feature = "async-postgres"))]
pub use migrations::POSTGRES_MIGRATIONS;
#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
pub use migrations::{SQLITE_MIGRATIONS, SQLITE_SETTINGS};

/// How often a statement is sent that only another transaction's speed has failed.
const ATTEMPTS: u32 = 16;
