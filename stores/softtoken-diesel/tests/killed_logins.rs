//! The process that has an SQLite file is killed while it logs users in, in transactions with rows
//! of their own.
#![cfg(feature = "sqlite")]

use core::error::Error as StdError;

use diesel::connection::SimpleConnection as _;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Error, Pool};
use diesel::sql_types::{Bool, Text};
use diesel::{QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};
use softtoken::association::Operation;
use softtoken::mfa::Request;
use softtoken::own_transaction::{BlockingLogins, Ending, Login};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{BlockingStore, Error as MfaError};
use softtoken_diesel::{DieselStoreError, SQLITE_SETTINGS, SqliteStore};
use softtoken_faults::endure_logins_in_a_file;

const KILLS: u64 = 20;

#[derive(Debug)]
struct Settings;

impl CustomizeConnection<SqliteConnection, Error> for Settings {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        Ok(connection.batch_execute(SQLITE_SETTINGS)?)
    }
}

/// The application, with a table of its own.
struct Application(SqliteStore);

impl BlockingStore for Application {
    type Error = DieselStoreError;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, DieselStoreError> {
        self.0.load_blocking(subject)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, DieselStoreError> {
        self.0.compare_and_swap_blocking(write)
    }

    fn pause_blocking(&self, time: core::time::Duration) {
        self.0.pause_blocking(time);
    }
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

impl BlockingLogins for Application {
    fn log_in_blocking<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, MfaError<DieselStoreError>> {
        assert_eq!(login.ending(), Ending::Commit);
        let answer = self.0.transaction(subject, &request, |own, _| {
            let insert = sql_query("INSERT INTO logins VALUES (?)");
            let written = insert.bind::<Text, _>(login.row()).execute(own);
            written.map_err(|error| MfaError::Store(DieselStoreError::from(error)))
        });
        answer.map(|(output, _rows)| Some(output))
    }

    fn has_row_blocking(&self, row: &str) -> Result<bool, DieselStoreError> {
        let connection = self.0.pool().get();
        let mut connection = connection.map_err(|error| DieselStoreError::Pool(Box::new(error)))?;
        let select = sql_query("SELECT EXISTS (SELECT 1 FROM logins WHERE login = ?) AS found");
        let row: Found = select.bind::<Text, _>(row).get_result(&mut connection)?;
        Ok(row.found)
    }
}

#[test]
fn a_login_and_its_row_are_both_there_or_neither_when_the_process_is_killed() {
    let tally = endure_logins_in_a_file(KILLS, |file| {
        let open = || {
            let pool = Pool::builder()
                .connection_customizer(Box::new(Settings))
                .build(ConnectionManager::new(file.to_string_lossy()))?;
            let store = SqliteStore::new(pool);
            store.migrate()?;
            let table = "CREATE TABLE IF NOT EXISTS logins (login TEXT PRIMARY KEY)";
            store.pool().get()?.batch_execute(table)?;
            Ok::<_, Box<dyn StdError>>(Application(store))
        };
        open().expect("the file opens")
    });
    println!("{KILLS} kills, {tally}");
    assert!(tally.accepted > 0 && tally.guesses > 0);
    assert!(tally.kept + tally.undone > 0, "it was killed under load");
}
