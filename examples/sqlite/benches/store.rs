//! Sign-ins a second in an SQLite file, beside bare reads and writes of it:
//!
//! ```text
//! cargo bench -p softtoken-sqlite [-- --million] [-- --quick]
//! ```

use std::sync::Arc;

use rusqlite::{Connection, Error};
use softtoken_faults::{Blocking, On, bench};
use softtoken_sqlite::SqliteStore;

fn main() {
    // Where builds go, which is a disk also where the temporary folder is memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let file = folder.path().join("records.sqlite3");
    let store = SqliteStore::open(&file).expect("the file opens");
    let settings = format!(
        "SQLite {}, journal_mode=WAL, synchronous=FULL",
        rusqlite::version()
    );
    let insert = |rows: &[(String, Vec<u8>)]| -> Result<(), Error> {
        let mut connection = Connection::open(&file)?;
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare("INSERT INTO softtoken VALUES (?1, 1, ?2)")?;
            for row in rows {
                insert.execute((&row.0, &row.1))?;
            }
        }
        transaction.commit()
    };
    let store = Blocking(Arc::new(store));
    let bare = store.clone(); // the adapter is nothing but the statements
    let insert = |rows: &[_]| insert(rows).expect("they are new");
    bench(&settings, store, bare, insert, On::Threads);
}
