//! Keeps the second factors of [`softtoken`] in PostgreSQL or SQLite, over the pool of an
//! application that uses diesel, and writes rows of the application in the same transaction.
//!
//! | feature | store | pool |
//! |---|---|---|
//! | `postgres` | [`PostgresStore`], blocking | r2d2 |
//! | `sqlite` | [`SqliteStore`], blocking | r2d2 |
//! | `async-postgres` | [`AsyncPostgresStore`], without libpq | deadpool |
//! | `async-sqlite` | [`AsyncSqliteStore`], on a multi-threaded runtime of Tokio | deadpool |
//!
//! No feature is on by default.
//!
//! # Logins of your own
//!
//! A login writes a row of your application, and spends a code. Both happen, or neither does; and
//! where the code is wrong the failure is counted although there is no login, since guessing would
//! be free otherwise. A blocking store does it in a closure:
//!
//! ```
//! # #[cfg(feature = "postgres")]
//! # mod example {
//! use diesel::{Connection, PgConnection, RunQueryDsl, sql_query, sql_types::Text};
//! use softtoken::{ChallengeSession, Evidence, Factor, Mfa};
//! use softtoken_diesel::PostgresStore;
//!
//! type Failure = Box<dyn core::error::Error + Send + Sync>;
//!
//! fn log_in(
//!     store: &PostgresStore,
//!     mfa: &Mfa,
//!     session: &ChallengeSession,
//!     factor: Factor,
//! ) -> Result<Evidence, Failure> {
//!     let request = mfa.respond(session, factor);
//!     let write = |connection: &mut PgConnection, evidence: &Evidence| {
//!         let insert = sql_query("INSERT INTO logins (subject) VALUES ($1)");
//!         insert.bind::<Text, _>(evidence.subject()).execute(connection)?;
//!         Ok::<_, Failure>(())
//!     };
//!     let (evidence, ()) = store.transaction(session.subject(), &request, write)?;
//!     Ok(evidence) // committed: issue the login
//! }
//! # }
//! ```
//!
//! An async store gives a value, which holds the transaction and is rolled back where it is
//! dropped:
//!
//! ```
//! # #[cfg(feature = "async-postgres")]
//! # mod example {
//! use diesel::{sql_query, sql_types::Text};
//! use diesel_async::RunQueryDsl;
//! use softtoken::{ChallengeSession, Evidence, Factor, Mfa};
//! use softtoken_diesel::AsyncPostgresStore;
//!
//! type Failure = Box<dyn core::error::Error + Send + Sync>;
//!
//! async fn log_in(
//!     store: &AsyncPostgresStore,
//!     mfa: &Mfa,
//!     session: &ChallengeSession,
//!     factor: Factor,
//! ) -> Result<Evidence, Failure> {
//!     let request = mfa.respond(session, factor);
//!     let mut accepted = store.begin(session.subject(), request).await?;
//!     let insert = sql_query("INSERT INTO logins (subject) VALUES ($1)");
//!     let insert = insert.bind::<Text, _>(accepted.output().subject().to_owned());
//!     insert.execute(accepted.transaction()).await?;
//!     Ok(accepted.commit().await?) // committed: issue the login
//! }
//! # }
//! ```
//!
//! # Why no transaction is left open
//!
//! - A connection goes back to the pool only where the database has said that its transaction has
//!   ended. After everything else, a failed commit, a panic, a task that was stopped, the
//!   connection is closed, and the database rolls back.
//! - What begins, commits or rolls back runs in a task that no client's hanging up can drop; an
//!   `Accepted` that is dropped is rolled back in one. diesel-async sends statements in their
//!   order, so that a statement whose future was dropped comes before the rollback.
//! - Before a commit the row is read again in the transaction: PostgreSQL answers the `COMMIT` of a
//!   transaction in which a statement has failed as if it were one, and rolls back. The number of
//!   the transaction is compared as well, and in SQLite a savepoint is released, so that no other
//!   one is committed which the application has begun in its place.
//!
//! # Migrations
//!
//! The table is `softtoken`, one row a subject. `store.migrate()` makes it where there is none. An
//! application that runs diesel's migrations runs `POSTGRES_MIGRATIONS` or [`SQLITE_MIGRATIONS`]
//! beside its own, or copies the files from this package's folder `migrations`. There is no way
//! down: it would take every second factor away.
//!
//! # What the database must keep
//!
//! - **PostgreSQL**: `fsync` and `full_page_writes` stay on. `synchronous_commit` is turned on for
//!   each swap's own transaction where it is `off` or `local`, whatever the role or the pool says.
//!   A standby is refused by each load. `READ COMMITTED`, `REPEATABLE READ` and `SERIALIZABLE` are
//!   all good: the loser of a race (`40001`) begins anew.
//! - **SQLite**: give each connection [`SQLITE_SETTINGS`]. Without a `busy_timeout` writers do not
//!   wait for each other. `synchronous` is raised to `FULL` before a swap.
//! - Set a limit of time in the pool and for statements. An async store gives up after its
//!   `answer_timeout`; a blocking one has no limit of its own, and waits for a commit as long as the
//!   server does, without an end where a synchronous standby is gone.
//! - Do not log the parameters of statements: a record may hold secrets in the clear.
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
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "async-sqlite"))]
pub use engine::Engine;
pub use error::DieselStoreError;
#[cfg(any(feature = "postgres", feature = "async-postgres"))]
pub use migrations::POSTGRES_MIGRATIONS;
#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
pub use migrations::{SQLITE_MIGRATIONS, SQLITE_SETTINGS};

/// How often a statement is sent that only another transaction's speed has failed.
const ATTEMPTS: u32 = 16;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
