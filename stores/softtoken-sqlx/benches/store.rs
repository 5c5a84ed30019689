//! Sign-ins a second through the adapter, beside bare statements of sqlx over the same pool, on a
//! server or a file of its own:
//!
//! ```text
//! cargo bench -p softtoken-sqlx --all-features -- sqlite|postgres|mysql \
//!     [--million | --storm] [--plain] [--quick]
//! ```
//!
//! Without a name every engine whose feature is on has its turn.

#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(
        dead_code,
        unused_imports,
        unused_macros,
        reason = "there is no engine"
    )
)]

use core::time::Duration;

use softtoken::Revision;
use softtoken::store::{Snapshot, Store, Swap, Write};
use softtoken_faults::{On, bench};
use softtoken_sqlx::SqlxStore;
use sqlx::{Database, Pool};
use tokio::runtime::Runtime;

/// As many as there are tasks.
const CONNECTIONS: u32 = 32;
/// Longer than the last of a storm waits.
const PATIENCE: Duration = Duration::from_mins(10);

/// What an application sends that has no adapter: two statements, without a transaction, over the
/// pool.
struct Bare<DB: Database>(Pool<DB>);

/// Implements [`Bare`], and `fill`, which puts rows into the table.
macro_rules! engine {
    (
        $database:ty,
        key: $key:path,
        select: $select:literal,
        update: $update:literal,
        insert: $insert:literal
    ) => {
        impl Store for Bare<$database> {
            type Error = sqlx::Error;

            async fn load(&self, subject: &str) -> Result<Option<Snapshot>, sqlx::Error> {
                let row: Option<(i64, Vec<u8>)> = sqlx::query_as($select)
                    .bind($key(subject))
                    .fetch_optional(&self.0)
                    .await?;
                Ok(row.map(|(revision, record)| Snapshot {
                    revision: Revision::from_i64(revision).expect("it was written"),
                    record,
                }))
            }

            async fn compare_and_swap(&self, write: Write) -> Result<Swap, sqlx::Error> {
                let written = sqlx::query($update)
                    .bind(write.next().as_i64())
                    .bind(write.record())
                    .bind($key(write.subject()))
                    .bind(write.expected().map(Revision::as_i64))
                    .execute(&self.0)
                    .await?;
                Ok(match written.rows_affected() {
                    1 => Swap::Stored,
                    _ => Swap::Conflict,
                })
            }
        }

        impl Bare<$database> {
            async fn fill(&self, rows: &[(String, Vec<u8>)]) -> Result<(), sqlx::Error> {
                let mut transaction = self.0.begin().await?;
                for rows in rows.chunks(5_000) {
                    let mut insert = sqlx::QueryBuilder::<$database>::new($insert);
                    insert.push_values(rows, |mut row, (subject, record)| {
                        row.push_bind($key(subject))
                            .push_bind(1_i64)
                            .push_bind(&record[..]);
                    });
                    insert
                        .build()
                        .persistent(false)
                        .execute(&mut *transaction)
                        .await?;
                }
                transaction.commit().await
            }

            fn bench(self, runtime: &Runtime, settings: &str) {
                let store = SqlxStore::new(self.0.clone());
                runtime.block_on(store.migrate()).expect("a table");
                let rows = Self(self.0.clone());
                let insert = |new: &[_]| runtime.block_on(rows.fill(new)).expect("they are new");
                bench(settings, store, self, insert, On::Runtime(runtime));
            }
        }
    };
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use core::convert::identity;

    use sqlx::Sqlite;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

    use super::{
        Bare, CONNECTIONS, On, PATIENCE, Revision, Runtime, Snapshot, SqlxStore, Store, Swap,
        Write, bench,
    };

    engine! {
        Sqlite,
        key: identity,
        select: "SELECT revision, record FROM softtoken WHERE subject = ?",
        update: "UPDATE softtoken SET revision = ?, record = ? WHERE subject = ? AND revision = ?",
        insert: "INSERT INTO softtoken (subject, revision, record) "
    }

    pub(super) fn run(runtime: &Runtime) {
        // Where builds go, which is a disk also where the temporary folder is memory.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("records.sqlite3"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE);
        let pool = runtime
            .block_on(pool.connect_with(options))
            .expect("a file");
        let version = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&pool);
        let version: String = runtime.block_on(version).expect("it has one");
        let settings = format!(
            "SQLite {version}, journal_mode=WAL, synchronous=FULL, a pool of {CONNECTIONS}"
        );
        Bare(pool).bench(runtime, &settings);
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use core::convert::identity;

    use softtoken_faults::Postgres as Server;
    use sqlx::Postgres;
    use sqlx::postgres::PgPoolOptions;

    use super::{
        Bare, CONNECTIONS, On, PATIENCE, Revision, Runtime, Snapshot, SqlxStore, Store, Swap,
        Write, bench,
    };

    engine! {
        Postgres,
        key: identity,
        select: "SELECT revision, record FROM softtoken WHERE subject = $1",
        update: "UPDATE softtoken SET revision = $1, record = $2
            WHERE subject = $3 AND revision = $4",
        insert: "INSERT INTO softtoken (subject, revision, record) "
    }

    pub(super) fn run(runtime: &Runtime) {
        let server = Server::start();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE);
        let pool = runtime
            .block_on(pool.connect(&server.url))
            .expect("it answers");
        let version = sqlx::query_scalar("SHOW server_version").fetch_one(&pool);
        let version: String = runtime.block_on(version).expect("it has one");
        let settings = format!(
            "PostgreSQL {version}, its defaults: fsync=on, synchronous_commit=on, READ COMMITTED; \
             a pool of {CONNECTIONS} over loopback"
        );
        Bare(pool).bench(runtime, &settings);
    }
}

#[cfg(feature = "mysql")]
mod mysql {
    use softtoken_faults::MariaDb as Server;
    use sqlx::MySql;
    use sqlx::mysql::MySqlPoolOptions;

    use super::{
        Bare, CONNECTIONS, On, PATIENCE, Revision, Runtime, Snapshot, SqlxStore, Store, Swap,
        Write, bench,
    };

    engine! {
        MySql,
        key: str::as_bytes,
        select: "SELECT revision, record FROM softtoken WHERE subject = ?",
        update: "UPDATE softtoken SET revision = ?, record = ? WHERE subject = ? AND revision = ?",
        insert: "INSERT INTO softtoken (subject, revision, record) "
    }

    pub(super) fn run(runtime: &Runtime) {
        let server = Server::start(&[]);
        let pool = MySqlPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE);
        let pool = runtime
            .block_on(pool.connect(&server.url))
            .expect("it answers");
        let version = sqlx::query_scalar("SELECT version()").fetch_one(&pool);
        let version: String = runtime.block_on(version).expect("it has one");
        let settings = format!(
            "MariaDB {version}, its defaults: innodb_flush_log_at_trx_commit=1, REPEATABLE READ; \
             a pool of {CONNECTIONS} over loopback"
        );
        Bare(pool).bench(runtime, &settings);
    }
}

type Run = fn(&Runtime);

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let engines: &[(&str, Run)] = &[
        #[cfg(feature = "sqlite")]
        ("sqlite", sqlite::run),
        #[cfg(feature = "postgres")]
        ("postgres", postgres::run),
        #[cfg(feature = "mysql")]
        ("mysql", mysql::run),
    ];
    let wanted: Vec<_> = std::env::args()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    for (name, run) in engines {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            run(&runtime);
            println!();
        }
    }
}
