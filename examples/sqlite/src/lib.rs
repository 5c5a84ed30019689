//! Keeps second factors in an SQLite file, beside whatever else is kept there.
//!
//! This file is written to be copied. What must be kept is marked **keep**; names, the pool and the
//! path are yours.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rusqlite::{Connection, Error, OptionalExtension as _, Result, TransactionBehavior};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{BlockingStore, Revision};

/// Makes the table, for a tool of yours that runs migrations. It may be run again.
pub const MIGRATION: &str = include_str!("../migration.sql");

// Keep: the condition and the write are one statement. A SELECT and then an UPDATE accept a code
// twice.
const INSERT: &str =
    "INSERT INTO softtoken (subject, revision, record) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
const UPDATE: &str =
    "UPDATE softtoken SET revision = ?2, record = ?3 WHERE subject = ?1 AND revision = ?4";
const SELECT: &str = "SELECT revision, record FROM softtoken WHERE subject = ?1";

/// Keeps records in one SQLite file, which other tables, connections and processes may share.
///
/// One connection writes, since SQLite has one writer at a time; loads have connections of their
/// own and wait for nobody. It blocks: in an async server call it within `spawn_blocking`, or
/// whatever the runtime calls that.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: Mutex<Connection>,
    /// Those that nobody uses just now.
    readers: Mutex<Vec<Connection>>,
}

impl SqliteStore {
    /// Opens the file, which is made where there is none, and makes the table. A file on a disk of
    /// this machine: SQLite's locks do not hold on network file systems.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or is none of SQLite's.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let mut writer = connect(&path)?;
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(MIGRATION)?;
        transaction.commit()?;
        Ok(Self {
            path,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
        })
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    // Another process that writes is waited for, before anything else is asked.
    connection.pragma_update(None, "busy_timeout", 10_000)?;
    // Readers and the writer do not wait for each other.
    connection.pragma_update(None, "journal_mode", "wal")?;
    // Keep: a swap is on the disk before it is acknowledged. With NORMAL, which is often
    // recommended beside WAL, a power failure takes acknowledged swaps back, and their codes sign
    // in again.
    connection.pragma_update(None, "synchronous", "full")?;
    // Keep, for the same reason: Apple's fsync alone does not reach the disk. Elsewhere it means
    // nothing.
    connection.pragma_update(None, "fullfsync", true)?;
    Ok(connection)
}

impl BlockingStore for SqliteStore {
    type Error = Error;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>> {
        let idle = unpoisoned(&self.readers).pop();
        let reader = idle.map_or_else(|| connect(&self.path), Ok)?;
        // Keep: outside of any transaction, so that it sees the latest commit and not one from when
        // a transaction began.
        let found = reader
            .prepare_cached(SELECT)?
            .query_row([subject], |row| {
                let revision = row.get(0)?;
                Ok(Snapshot {
                    // Keep: a revision that was never written is an error, not a row to begin anew.
                    revision: Revision::from_i64(revision)
                        .ok_or(Error::IntegralValueOutOfRange(0, revision))?,
                    record: row.get(1)?,
                })
            })
            .optional()?;
        unpoisoned(&self.readers).push(reader);
        Ok(found)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap> {
        let writer = unpoisoned(&self.writer);
        let (subject, next) = (write.subject(), write.next().as_i64());
        let rows = match write.expected() {
            None => {
                let mut insert = writer.prepare_cached(INSERT)?;
                insert.execute((subject, next, write.record()))?
            }
            Some(expected) => {
                let mut update = writer.prepare_cached(UPDATE)?;
                update.execute((subject, next, write.record(), expected.as_i64()))?
            }
        };
        // Keep: by the rows that were changed, and an error is an error. Neither is ever taken for
        // the other.
        Ok(if rows == 1 {
            Swap::Stored
        } else {
            Swap::Conflict
        })
    }

    fn pause_blocking(&self, time: Duration) {
        thread::sleep(time);
    }
}

/// A statement that panicked has left nothing half done.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Result, connect};

    #[test]
    fn every_connection_waits_for_the_disk() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = connect(&folder.path().join("records.sqlite3"))?;
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        assert_eq!(pragma("synchronous")?, 2, "which is FULL");
        assert_eq!(pragma("fullfsync")?, 1);
        Ok(())
    }
}
