//! The process that uses the file is killed, again and again.

use core::error::Error;
use core::time::Duration;
use std::thread;

use softtoken_faults::{Remote, endure};
use softtoken_sqlite::SqliteStore;

const KILLS: u64 = 20;

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("records.sqlite3");
    let open = |file: &_| SqliteStore::open(file).expect("the file opens");
    let (mut server, store) = Remote::start(&file, open)?;
    let tally = endure(&store, || {
        for kill in 0..KILLS {
            thread::sleep(Duration::from_millis(300 + 20 * kill));
            server.kill().expect("it runs");
            server.restart().expect("it starts again");
        }
    })?;
    println!("{KILLS} kills, {tally}");
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "it was killed under load");
    Ok(())
}
