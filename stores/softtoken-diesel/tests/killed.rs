//! The process that uses an SQLite file is killed, again and again.
#![cfg(feature = "sqlite")]

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection as _;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Error, Pool};
use softtoken_diesel::{SQLITE_SETTINGS, SqliteStore};
use softtoken_faults::endure_in_a_file;

const KILLS: u64 = 20;

#[derive(Debug)]
struct Settings;

impl CustomizeConnection<SqliteConnection, Error> for Settings {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        Ok(connection.batch_execute(SQLITE_SETTINGS)?)
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let tally = endure_in_a_file(KILLS, |file| {
        let pool = Pool::builder()
            .connection_customizer(Box::new(Settings))
            .build(ConnectionManager::new(file.to_string_lossy()));
        let store = SqliteStore::new(pool.expect("the file opens"));
        store.migrate().expect("a table");
        store
    });
    println!("{KILLS} kills, {tally}");
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "it was killed under load");
}
