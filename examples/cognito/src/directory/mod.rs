//! Who and what is known: pools, clients and users, each a row with its document, in one SQLite
//! database.

mod aliases;
mod attributes;
mod client;
mod pool;
mod rows;
mod user;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, TransactionBehavior};

use crate::exception::{Answer, Exception};

pub(crate) use aliases::{ALIASES, USERNAMES};
pub(crate) use attributes::Attribute;
pub(crate) use client::{AuthFlow, Client};
pub(crate) use pool::{MfaConfiguration, Pool};
pub(crate) use rows::Rows;
pub(crate) use user::{Standing, User};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS cognito_key (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS cognito_pool (id TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS cognito_client (id TEXT PRIMARY KEY, pool TEXT NOT NULL, document TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS cognito_user (
        pool TEXT NOT NULL, username TEXT NOT NULL, sub TEXT NOT NULL UNIQUE, document TEXT NOT NULL,
        PRIMARY KEY (pool, username)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS cognito_alias (
        pool TEXT NOT NULL, attribute TEXT NOT NULL, value TEXT NOT NULL, sub TEXT NOT NULL,
        PRIMARY KEY (sub, attribute)
    ) STRICT;
    CREATE INDEX IF NOT EXISTS cognito_alias_by_value ON cognito_alias (pool, value);
    CREATE TABLE IF NOT EXISTS cognito_void (id TEXT PRIMARY KEY, since INTEGER NOT NULL, until INTEGER NOT NULL) STRICT;
";

/// Raised with every change to the tables or the documents that an older one cannot be read as.
const FORMAT: u8 = 3;

/// One connection: who changes something is alone.
#[derive(Clone, Debug)]
pub(crate) struct Directory(Arc<Mutex<Connection>>);

impl Directory {
    /// In this file, or in memory.
    pub(crate) fn open(file: Option<&Path>) -> Result<Self, OpenError> {
        let connection = match file {
            Some(file) => {
                make_private(file)?;
                Connection::open(file)?
            }
            None => Connection::open_in_memory()?,
        };
        connection.pragma_update(None, "busy_timeout", 10_000)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(TABLES)?;
        let directory = Self(Arc::new(Mutex::new(connection)));
        // A new file begins with the present one.
        let found = directory.change_here(|rows| rows.key("format", || Ok(vec![FORMAT])));
        match found {
            Ok(format) if format == [FORMAT] => Ok(directory),
            Ok(_) => Err(OpenError::Format),
            Err(exception) => Err(OpenError::Unreadable(exception.to_string())),
        }
    }

    /// Reads, on a thread that may block, what was there at one moment.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Rows<'_>) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        self.apart(TransactionBehavior::Deferred, work).await
    }

    /// One transaction, on a thread that may block: all of it happens, or, where it answers `Err`,
    /// nothing.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Rows<'_>) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        self.apart(TransactionBehavior::Immediate, work).await
    }

    /// The same on this thread.
    pub(crate) fn change_here<T>(&self, work: impl FnOnce(&Rows<'_>) -> Answer<T>) -> Answer<T> {
        self.here(TransactionBehavior::Immediate, work)
    }

    async fn apart<T: Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Rows<'_>) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let directory = self.clone();
        tokio::task::spawn_blocking(move || directory.here(behavior, work))
            .await
            .map_err(Exception::internal)?
    }

    fn here<T>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Rows<'_>) -> Answer<T>,
    ) -> Answer<T> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(behavior)?;
        let outcome = work(&Rows::new(&transaction))?;
        transaction.commit()?;
        Ok(outcome)
    }
}

/// Makes the file where there is none, for its owner's eyes alone: the keys that sign tokens are in
/// it. What SQLite puts beside it has the same mode.
fn make_private(file: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

/// The directory does not open. Nothing in it has changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite says why.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The file cannot be made.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It was written by another version of this server.
    #[error("the file has another format")]
    Format,
    /// What it holds cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_is_on_the_disk_before_it_is_answered() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = Directory::open(Some(&folder.path().join("pools.db"))).expect("it opens");
        let connection = directory.0.lock().expect("no panic");
        let synchronous = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let synchronous = connection.pragma_query_value(None, "synchronous", synchronous);
        assert_eq!(synchronous.expect("a number"), 2, "which is FULL");
    }

    #[test]
    fn a_file_of_another_format_is_not_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pools.db");
        for format in [FORMAT - 1, FORMAT, FORMAT + 1] {
            let connection = Connection::open(&file).expect("a file");
            connection.execute_batch(TABLES).expect("tables");
            let put = "INSERT OR REPLACE INTO cognito_key VALUES ('format', ?1)";
            connection.execute(put, [vec![format]]).expect("a row");
            let opened = Directory::open(Some(&file));
            if format == FORMAT {
                assert!(opened.is_ok());
            } else {
                assert!(matches!(opened, Err(OpenError::Format)), "{format}");
            }
        }
    }
}
