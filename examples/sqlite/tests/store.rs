//! The file keeps what a store must.

use core::error::Error;
use std::process::Command;

use softtoken::association::Events;
use softtoken::store::{Write, conformance};
use softtoken::{BlockingStore as _, Revision};
use softtoken_sqlite::SqliteStore;

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn handles_on_one_file_keep_every_rule() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("records.sqlite3");
    let open = || SqliteStore::open(&file).expect("the file opens");
    Ok(conformance::check_blocking(open)?)
}

#[test]
fn one_handle_that_threads_share_keeps_every_rule() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("records.sqlite3"))?;
    Ok(conformance::check_blocking(|| &store)?)
}

#[test]
fn a_revision_that_was_never_written_is_an_error_and_no_row_to_begin_anew() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("records.sqlite3");
    let store = SqliteStore::open(&file)?;
    let first = Write::new("alice", None, b"record".to_vec(), Events::default());
    let first = first.ok_or("there is a first")?;
    let _ = store.compare_and_swap_blocking(first)?;
    assert_eq!(
        store.load_blocking("alice")?.map(|row| row.revision),
        Some(Revision::FIRST)
    );

    rusqlite::Connection::open(&file)?.execute("UPDATE softtoken SET revision = -1", [])?;
    assert!(store.load_blocking("alice").is_err());
    Ok(())
}

#[test]
fn who_has_lost_a_race_waits_as_long_as_it_is_told() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("records.sqlite3"))?;
    softtoken_faults::pauses_blocking(&store);
    Ok(())
}

#[test]
fn the_program_enrols_and_signs_in() -> Outcome {
    let folder = tempfile::tempdir()?;
    let program = Command::new(env!("CARGO_BIN_EXE_softtoken-sqlite"))
        .arg(folder.path().join("records.sqlite3"))
        .output()?;
    let said = String::from_utf8(program.stdout)?;
    assert!(program.status.success(), "{said}");
    assert!(said.contains("signed in       amr otp mfa"), "{said}");
    assert!(
        said.contains("the same code: the code has been used already"),
        "{said}"
    );
    Ok(())
}
