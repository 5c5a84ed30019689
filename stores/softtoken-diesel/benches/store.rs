//! Sign-ins a second through the adapter, beside bare statements of diesel over the same pool, on a
//! server or a file of its own:
//!
//! ```text
//! cargo bench -p softtoken-diesel --all-features -- sqlite|postgres|async-sqlite|async-postgres \
//!     [--million | --storm] [--plain] [--quick]
//! ```
//!
//! Without a name every store whose feature is on has its turn.

#![cfg_attr(
    not(any(
        feature = "sqlite",
        feature = "postgres",
        feature = "async-sqlite",
        feature = "async-postgres"
    )),
    allow(unused, reason = "there is no store")
)]

use ::softtoken::Revision;
use ::softtoken::store::{Snapshot, Swap};
use diesel::sql_query;
use diesel::sql_types::{Binary, Text};
use softtoken_faults::{On, bench};

/// As many as there are tasks.
const CONNECTIONS: u32 = 32;

diesel::table! {
    /// The records.
    softtoken (subject) {
        /// The key.
        subject -> Text,
        /// How often it was written.
        revision -> BigInt,
        /// The bytes.
        record -> Binary,
    }
}

type Row = (i64, Vec<u8>);

fn snapshot((revision, record): Row) -> Snapshot {
    let revision = Revision::from_i64(revision).expect("it was written");
    Snapshot { revision, record }
}

fn swapped(rows: usize) -> Swap {
    match rows {
        1 => Swap::Stored,
        _ => Swap::Conflict,
    }
}

/// Sends the bare load on this connection: what an application sends that has no adapter, over the
/// pool and without a transaction, prepared once a connection.
macro_rules! load {
    ($subject:expr, $connection:expr) => {
        softtoken::table
            .find($subject)
            .select((softtoken::revision, softtoken::record))
            .get_result::<Row>($connection)
    };
}

macro_rules! swap {
    ($write:expr, $connection:expr) => {
        diesel::update(softtoken::table)
            .filter(softtoken::subject.eq($write.subject()))
            .filter(softtoken::revision.eq($write.expected().map_or(0, Revision::as_i64)))
            .set((
                softtoken::revision.eq($write.next().as_i64()),
                softtoken::record.eq($write.record()),
            ))
            .execute($connection)
    };
}

#[cfg(any(feature = "sqlite", feature = "async-sqlite"))]
mod file {
    pub(super) const INSERT: &str =
        "INSERT INTO softtoken (subject, revision, record) VALUES (?, 1, ?)";

    pub(super) fn folder() -> tempfile::TempDir {
        // Where builds go, which is a disk also where the temporary folder is memory.
        tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
    }

    pub(super) fn settings(pool: &str) -> String {
        let connections = super::CONNECTIONS;
        format!(
            "SQLite {}, journal_mode=WAL, synchronous=FULL, a pool of {connections} of {pool}",
            version()
        )
    }

    fn version() -> String {
        use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, sql_query};

        #[derive(QueryableByName)]
        struct Version {
            #[diesel(sql_type = diesel::sql_types::Text)]
            version: String,
        }

        let mut memory = diesel::SqliteConnection::establish(":memory:").expect("it opens");
        let version = sql_query("SELECT sqlite_version() AS version");
        let version = version.get_result::<Version>(&mut memory);
        version.expect("it has one").version
    }
}

#[cfg(any(feature = "postgres", feature = "async-postgres"))]
mod server {
    pub(super) const INSERT: &str =
        "INSERT INTO softtoken SELECT unnest($1::text[]), 1, unnest($2::bytea[])";

    pub(super) fn settings(pool: &str) -> String {
        let connections = super::CONNECTIONS;
        format!(
            "PostgreSQL, its defaults: fsync=on, synchronous_commit=on, READ COMMITTED; a pool of \
             {connections} of {pool} over loopback"
        )
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod blocking {
    use ::softtoken::store::{BlockingStore, Write};
    use diesel::connection::SimpleConnection as _;
    use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};
    use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
    use softtoken_diesel::{DieselStore, DieselStoreError};
    use softtoken_faults::Blocking;

    use super::{
        Binary, CONNECTIONS, On, Revision, Row, Snapshot, Swap, Text, bench, snapshot, softtoken,
        sql_query, swapped,
    };

    type Connections<C> = Pool<ConnectionManager<C>>;

    struct Bare<C: diesel::r2d2::R2D2Connection + 'static>(Connections<C>);

    macro_rules! bare {
        ($connection:ty) => {
            impl BlockingStore for Bare<$connection> {
                type Error = DieselStoreError;

                fn load_blocking(
                    &self,
                    subject: &str,
                ) -> Result<Option<Snapshot>, DieselStoreError> {
                    let mut connection = self.0.get().expect("one of them is free");
                    let row = load!(subject, &mut connection)?;
                    Ok(Some(snapshot(row)))
                }

                fn compare_and_swap_blocking(
                    &self,
                    write: Write,
                ) -> Result<Swap, DieselStoreError> {
                    let mut connection = self.0.get().expect("one of them is free");
                    let rows = swap!(write, &mut connection)?;
                    Ok(swapped(rows))
                }
            }
        };
    }

    #[cfg(feature = "sqlite")]
    bare!(diesel::SqliteConnection);

    #[cfg(feature = "sqlite")]
    pub(super) fn sqlite() {
        use diesel::{Connection as _, SqliteConnection};

        #[derive(Debug)]
        struct Settings;

        impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for Settings {
            fn on_acquire(
                &self,
                connection: &mut SqliteConnection,
            ) -> Result<(), diesel::r2d2::Error> {
                Ok(connection.batch_execute(softtoken_diesel::SQLITE_SETTINGS)?)
            }
        }

        let folder = super::file::folder();
        let file = folder.path().join("records.sqlite3");
        let manager = ConnectionManager::new(file.to_str().expect("of letters"));
        let pool = Pool::builder()
            .max_size(CONNECTIONS)
            .connection_customizer(Box::new(Settings));
        let pool = pool.build(manager).expect("a file");
        let store = DieselStore::new(pool.clone());
        store.migrate().expect("a table");
        let insert = |rows: &[(String, Vec<u8>)]| {
            let mut connection = pool.get().expect("it opens");
            let inserted = connection.transaction(|connection| {
                for (subject, record) in rows {
                    let insert = sql_query(super::file::INSERT).bind::<Text, _>(subject);
                    insert.bind::<Binary, _>(record).execute(connection)?;
                }
                diesel::QueryResult::Ok(())
            });
            inserted.expect("they are new");
        };
        let settings = super::file::settings("r2d2");
        bench(
            &settings,
            Blocking(store),
            Blocking(Bare(pool.clone())),
            insert,
            On::Threads,
        );
    }

    #[cfg(feature = "postgres")]
    bare!(diesel::PgConnection);

    #[cfg(feature = "postgres")]
    pub(super) fn postgres() {
        use diesel::PgConnection;
        use diesel::sql_types::Array;

        let server = softtoken_faults::Postgres::start();
        let pool = Pool::builder().max_size(CONNECTIONS);
        let pool = pool.build(ConnectionManager::<PgConnection>::new(&server.url));
        let pool = pool.expect("it answers");
        let store = DieselStore::new(pool.clone());
        store.migrate().expect("a table");
        let insert = |rows: &[(String, Vec<u8>)]| {
            let (names, records): (Vec<_>, Vec<_>) = rows
                .iter()
                .map(|(name, record)| (&name[..], &record[..]))
                .unzip();
            let insert = sql_query(super::server::INSERT).bind::<Array<Text>, _>(names);
            let insert = insert.bind::<Array<Binary>, _>(records);
            let mut connection = pool.get().expect("it answers");
            insert.execute(&mut connection).expect("they are new");
        };
        let settings = super::server::settings("r2d2");
        bench(
            &settings,
            Blocking(store),
            Blocking(Bare(pool.clone())),
            insert,
            On::Threads,
        );
    }
}

#[cfg(any(feature = "async-sqlite", feature = "async-postgres"))]
mod asynchronous {
    use ::softtoken::store::{Store, Write};
    use deadpool::managed::Pool;
    use diesel::{ExpressionMethods as _, QueryDsl as _};
    use diesel_async::RunQueryDsl as _;
    use diesel_async::pooled_connection::AsyncDieselConnectionManager;
    use softtoken_diesel::{AsyncDieselStore, AsyncEngine, DieselStoreError};
    use tokio::runtime::Runtime;

    use super::{
        Binary, CONNECTIONS, On, Revision, Row, Snapshot, Swap, Text, bench, snapshot, softtoken,
        sql_query, swapped,
    };

    struct Bare<C: AsyncEngine>(Pool<C::Manager>);

    macro_rules! bare {
        ($connection:ty) => {
            impl Store for Bare<$connection> {
                type Error = DieselStoreError;

                async fn load(&self, subject: &str) -> Result<Option<Snapshot>, DieselStoreError> {
                    let mut connection = self.0.get().await.expect("one of them is free");
                    let row = load!(subject, &mut *connection).await?;
                    Ok(Some(snapshot(row)))
                }

                async fn compare_and_swap(&self, write: Write) -> Result<Swap, DieselStoreError> {
                    let mut connection = self.0.get().await.expect("one of them is free");
                    let rows = swap!(write, &mut *connection).await?;
                    Ok(swapped(rows))
                }
            }
        };
    }

    #[cfg(feature = "async-sqlite")]
    type Wrapper =
        diesel_async::sync_connection_wrapper::SyncConnectionWrapper<diesel::SqliteConnection>;
    #[cfg(feature = "async-sqlite")]
    bare!(Wrapper);

    #[cfg(feature = "async-sqlite")]
    pub(super) fn sqlite() {
        use diesel::{Connection as _, ConnectionError, SqliteConnection};
        use diesel_async::SimpleAsyncConnection as _;
        use diesel_async::pooled_connection::ManagerConfig;

        let runtime = Runtime::new().expect("a runtime");
        let folder = super::file::folder();
        let file = folder.path().join("records.sqlite3");
        let file = file.to_str().expect("of letters");
        let mut config = ManagerConfig::<Wrapper>::default();
        config.custom_setup = Box::new(|file| {
            let open = <Wrapper as diesel_async::AsyncConnection>::establish(file);
            Box::pin(async move {
                let mut connection = open.await?;
                let set = connection.batch_execute(softtoken_diesel::SQLITE_SETTINGS);
                set.await
                    .map_err(ConnectionError::CouldntSetupConfiguration)?;
                Ok(connection)
            })
        });
        let manager = AsyncDieselConnectionManager::new_with_config(file, config);
        let pool = Pool::<AsyncDieselConnectionManager<Wrapper>>::builder(manager);
        let pool = pool.max_size(CONNECTIONS as usize).build().expect("a pool");
        let store = AsyncDieselStore::<Wrapper>::new(pool.clone());
        runtime.block_on(store.migrate()).expect("a table");
        let mut connection = SqliteConnection::establish(file).expect("it opens");
        connection.set_prepared_statement_cache_size(diesel::connection::CacheSize::Unbounded);
        let connection = std::sync::Mutex::new(connection);
        let insert = |rows: &[(String, Vec<u8>)]| {
            let mut connection = connection.lock().expect("nobody panics");
            let inserted = connection.transaction(|connection| {
                for (subject, record) in rows {
                    let insert = sql_query(super::file::INSERT).bind::<Text, _>(subject);
                    let insert = insert.bind::<Binary, _>(record);
                    diesel::RunQueryDsl::execute(insert, connection)?;
                }
                diesel::QueryResult::Ok(())
            });
            inserted.expect("they are new");
        };
        let settings = super::file::settings("deadpool");
        bench(
            &settings,
            store,
            Bare::<Wrapper>(pool),
            insert,
            On::Runtime(&runtime),
        );
    }

    #[cfg(feature = "async-postgres")]
    bare!(diesel_async::AsyncPgConnection);

    #[cfg(feature = "async-postgres")]
    pub(super) fn postgres() {
        use diesel::sql_types::Array;
        use diesel_async::AsyncPgConnection;

        let runtime = Runtime::new().expect("a runtime");
        let server = softtoken_faults::Postgres::start();
        let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(&server.url);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS as usize)
            .build();
        let pool = pool.expect("a pool");
        let store = AsyncDieselStore::<AsyncPgConnection>::new(pool.clone());
        runtime.block_on(store.migrate()).expect("a table");
        let insert = |rows: &[(String, Vec<u8>)]| {
            let (names, records): (Vec<_>, Vec<_>) = rows
                .iter()
                .map(|(name, record)| (&name[..], &record[..]))
                .unzip();
            let insert = sql_query(super::server::INSERT).bind::<Array<Text>, _>(names);
            let insert = insert.bind::<Array<Binary>, _>(records);
            runtime.block_on(async {
                let mut connection = pool.get().await.expect("it answers");
                insert
                    .execute(&mut *connection)
                    .await
                    .expect("they are new");
            });
        };
        let settings = super::server::settings("deadpool");
        let bare = Bare::<AsyncPgConnection>(pool.clone());
        bench(&settings, store, bare, insert, On::Runtime(&runtime));
    }
}

fn main() {
    let stores: &[(&str, fn())] = &[
        #[cfg(feature = "sqlite")]
        ("sqlite", blocking::sqlite),
        #[cfg(feature = "postgres")]
        ("postgres", blocking::postgres),
        #[cfg(feature = "async-sqlite")]
        ("async-sqlite", asynchronous::sqlite),
        #[cfg(feature = "async-postgres")]
        ("async-postgres", asynchronous::postgres),
    ];
    let arguments = std::env::args().skip(1);
    let wanted: Vec<_> = arguments
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    for (name, run) in stores {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            run();
            println!();
        }
    }
}
