//! Keeps the second factors of [`softtoken`] in Redis, or in Valkey, which works alike.
//!
//! ```no_run
//! # async fn serve(mfa: softtoken::Mfa) -> Result<(), Box<dyn core::error::Error>> {
//! use softtoken_redis::RedisStore;
//!
//! let store = RedisStore::connect("redis://127.0.0.1:6379").await?;
//! let status = mfa.status().run(&store, "user-1").await?;
//! # Ok(())
//! # }
//! ```
//!
//! Each subject is a hash at `softtoken:` and the subject, with two fields: `revision`, in decimal,
//! and `record`. That is the first layout, and needs no migration; a change of the layout takes
//! another prefix. A subject is one key, so that a script has one, and any node of a cluster can
//! hold it.
//!
//! # What the server must keep
//!
//! [`RedisStore::connect`] refuses a server that would forget. By default every Redis does: it
//! needs `appendonly yes`, `appendfsync always`, `no-appendfsync-on-rewrite no` and
//! `maxmemory-policy noeviction`.
//!
//! Redis copies to its replicas after it has answered. When one of them is made primary, by
//! Sentinel, by Redis Cluster or by hand, acknowledged swaps that it had not received are gone: a
//! code that was spent signs in again for as long as it is valid, failed guesses are uncounted, and
//! an enrolment or a reset of the last moment has not been. No setting cures it. If the second
//! factor must survive the loss of a server, take a store that acknowledges what a majority has.
#![cfg_attr(docsrs, feature(doc_cfg))]

use core::fmt;
use core::time::Duration;
use std::sync::LazyLock;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, RedisError, Script, ServerErrorKind, Value, cmd, pipe};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{Revision, Store};
use tokio::time::sleep;

// The condition and the write are one script. A HGET and then a HSET accept a code twice.
// Revisions are compared as text: Lua's numbers are doubles, for which 9007199254740993 is
// 9007199254740992.
static SWAP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if (redis.call('HGET', KEYS[1], 'revision') or '') ~= ARGV[1] then return 0 end
         redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'record', ARGV[3])
         return 1",
    )
});

// A swap is on the disk before it is acknowledged, also while the log is rewritten; and no
// key is thrown out, since a subject without a key has no second factor.
const SETTINGS: [(&str, &str); 4] = [
    ("appendonly", "yes"),
    ("appendfsync", "always"),
    ("no-appendfsync-on-rewrite", "no"),
    ("maxmemory-policy", "noeviction"),
];

/// Longer than any answer takes, and shorter than a person waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps records in Redis, over one connection that all tasks share.
///
/// `C` is the connection: one that is made again where it was lost, unless your application brings
/// its own ([`over_unchecked`](Self::over_unchecked)). A clone shares it.
#[derive(Clone)]
pub struct RedisStore<C = ConnectionManager> {
    connection: C,
    /// Whether each load asks for the role of the server as well.
    asks_role: bool,
}

/// Says why a store could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisStoreError {
    /// There is no connection, or the command failed. Where a swap was under way, it is not known
    /// whether the server has stored it.
    #[error("the command failed")]
    Database(#[source] RedisError),
    /// The server forgets what it has acknowledged.
    #[error("the server's {setting} is {found:?}, and must be {demanded:?}")]
    Setting {
        /// Its name in `redis.conf`.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it has to be.
        demanded: &'static str,
    },
    /// The server does not let its settings be read, as many hosted ones do not.
    #[error(
        "the server does not show its {0}: if you have seen to it otherwise, use connect_unchecked"
    )]
    Hidden(&'static str, #[source] RedisError),
    /// The server follows another one, and lags behind it. Nothing was stored.
    #[error("the server is a replica")]
    Standby,
    /// The key holds what this store has never written.
    #[error("the key of the subject holds no record that a store has written")]
    Layout,
}

impl From<RedisError> for RedisStoreError {
    /// Tells a server that lets nothing be written, since it has become a replica, from everything
    /// else.
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::Standby,
            _ => Self::Database(error),
        }
    }
}

impl RedisStore {
    /// Connects to a server such as `redis://127.0.0.1:6379`, which must be the primary, and keep
    /// what it acknowledges: `appendonly yes`, `appendfsync always`, `no-appendfsync-on-rewrite
    /// no`, `maxmemory-policy noeviction`.
    ///
    /// The settings are read once. A connection that is lost is made again, to whatever answers at
    /// the address then; so each load asks, in the same exchange, whether that is the primary, and
    /// fails as [`RedisStoreError::Standby`] where it is not or is not any more. A swap fails there
    /// by itself.
    ///
    /// # Errors
    ///
    /// No server answers, or it is not such a one. Nothing was written.
    pub async fn connect(url: &str) -> Result<Self, RedisStoreError> {
        let store = Self {
            asks_role: true,
            ..Self::connect_unchecked(url).await?
        };
        let mut connection = store.connection.clone();
        primary(cmd("ROLE").query_async(&mut connection).await?)?;
        for (setting, demanded) in SETTINGS {
            let mut get = cmd("CONFIG");
            get.arg("GET").arg(setting);
            let shown: Option<(String, String)> =
                get.query_async(&mut connection)
                    .await
                    .map_err(|error| match error.code() {
                        Some("ERR" | "NOPERM") => RedisStoreError::Hidden(setting, error),
                        _ => error.into(),
                    })?;
            let found = shown.map(|(_, found)| found).unwrap_or_default();
            if found != demanded {
                return Err(RedisStoreError::Setting {
                    setting,
                    found,
                    demanded,
                });
            }
        }
        Ok(store)
    }

    /// Connects to a server that does not show its settings, or its role. They must be as
    /// [`connect`](Self::connect) demands: the caller has seen to it.
    ///
    /// # Errors
    ///
    /// No server answers.
    pub async fn connect_unchecked(url: &str) -> Result<Self, RedisStoreError> {
        // Every wait ends, and no command is sent twice. What is tried again is the
        // connection.
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(1);
        let connection = ConnectionManager::new_with_config(Client::open(url)?, config).await?;
        Ok(Self {
            connection,
            asks_role: false,
        })
    }
}

impl<C: ConnectionLike + Clone + Send + Sync> RedisStore<C> {
    /// Creates a store over a connection of your application's own, such as one to a cluster.
    ///
    /// Nothing is checked, and you owe what [`connect`](RedisStore::connect) demands, of every
    /// node: its settings; that commands go to the primary, loads as well; and that every wait
    /// ends. Where the connection sends a script again whose answer was lost, as the driver's does
    /// to a cluster unless its `retries` are 0, a swap that was stored is called a conflict, and a
    /// user whose code was accepted is told that the code was used.
    #[must_use]
    pub fn over_unchecked(connection: C) -> Self {
        Self {
            connection,
            asks_role: false,
        }
    }
}

impl<C> fmt::Debug for RedisStore<C> {
    /// Prints no address.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RedisStore").finish_non_exhaustive()
    }
}

/// Fails where the answer to ROLE is not a primary's. A replica lags, and answers a sign-in as
/// things were before an enrolment.
fn primary(about: Vec<Value>) -> Result<(), RedisStoreError> {
    let role = about.into_iter().next().unwrap_or(Value::Nil);
    let role: String = redis::from_redis_value(role).map_err(RedisError::from)?;
    if role == "master" {
        Ok(())
    } else {
        Err(RedisStoreError::Standby)
    }
}

/// Returns the key: byte for byte, under a prefix that nothing else writes. No expiry.
fn key(subject: &str) -> String {
    format!("softtoken:{subject}")
}

impl<C: ConnectionLike + Clone + Send + Sync> Store for RedisStore<C> {
    type Error = RedisStoreError;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, RedisStoreError> {
        let mut get = cmd("HMGET");
        get.arg(key(subject)).arg("revision").arg("record");
        let mut connection = self.connection.clone();
        let found = if self.asks_role {
            let mut both = pipe();
            both.cmd("ROLE").add_command(get);
            let (role, found) = both.query_async(&mut connection).await?;
            primary(role)?;
            found
        } else {
            get.query_async(&mut connection).await?
        };
        match found {
            (None::<i64>, None::<Vec<u8>>) => Ok(None),
            (Some(revision), Some(record)) => Ok(Some(Snapshot {
                // A revision that was never written is an error, not a record to begin anew.
                revision: Revision::from_i64(revision).ok_or(RedisStoreError::Layout)?,
                record,
            })),
            _ => Err(RedisStoreError::Layout),
        }
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, RedisStoreError> {
        let expected = write.expected().map(|expected| expected.to_string());
        let mut swap = SWAP.key(key(write.subject()));
        swap.arg(expected.unwrap_or_default())
            .arg(write.next().as_i64())
            .arg(write.record());
        // Whatever is neither of the two is an error. A connection that is lost has stored
        // it, or has not.
        match swap.invoke_async(&mut self.connection.clone()).await? {
            1 => Ok(Swap::Stored),
            0 => Ok(Swap::Conflict),
            _ => Err(RedisStoreError::Layout),
        }
    }

    async fn pause(&self, time: Duration) {
        sleep(time).await;
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
