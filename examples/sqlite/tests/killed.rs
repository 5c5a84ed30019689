//! The process that uses the file is killed, again and again.

use softtoken_faults::endure_in_a_file;
use softtoken_sqlite::SqliteStore;

const KILLS: u64 = 20;

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let tally = endure_in_a_file(KILLS, |file| {
        SqliteStore::open(file).expect("the file opens")
    });
    println!("{KILLS} kills, {tally}");
    assert!(tally.sign_ins > 0 && tally.enrolments > 24 && tally.failures > 0);
    assert!(tally.unknown > 0, "it was killed under load");
}
