//! The table, as text and as migrations of diesel's.

use diesel_migrations::{EmbeddedMigrations, embed_migrations};

/// Makes the table in PostgreSQL, as `store.migrate()` does: for an application that runs
/// migrations of its own by `diesel_migrations`.
#[cfg(any(feature = "postgres", feature = "async-postgres"))]
pub const POSTGRES_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Makes the table in SQLite, as `store.migrate()` does: for an application that runs migrations of
/// its own by `diesel_migrations`.
#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
pub const SQLITE_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

// One transaction, by one message: of several processes that begin at once, the others wait. The
// packages for sqlx and diesel have one number, and wait for each other.
#[cfg(any(feature = "postgres", feature = "async-postgres"))]
pub(crate) const POSTGRES_TABLE: &str = concat!(
    "SELECT pg_advisory_xact_lock(8314036122518907234);",
    include_str!("../migrations/postgres/2026-11-26-000000_softtoken/up.sql")
);

#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
pub(crate) const SQLITE_TABLE: &str =
    include_str!("../migrations/sqlite/2026-11-26-000000_softtoken/up.sql");

/// Sets a connection to SQLite up as a server needs it: writers wait for each other for up to ten
/// seconds, readers for nobody, and a commit waits for the disk. For
/// [`batch_execute`](diesel::connection::SimpleConnection::batch_execute) on each connection that
/// a pool makes.
#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
pub const SQLITE_SETTINGS: &str =
    "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
