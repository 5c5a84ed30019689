//! Holds what every request needs.

use core::time::Duration;
use std::path::Path;
use std::sync::Arc;

use softtoken::time::Clock;
use softtoken::{Context, Mfa, OsEntropy, Policy};
use softtoken_sqlx::SqliteStore;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use crate::journal::Journal;
use crate::keys::Keys;
use crate::passwords::Passwords;
use crate::problem::Problem;
use crate::sessions::Sessions;
use crate::users::{User, Users};

/// Names the service in authenticator apps.
pub(crate) const ISSUER: &str = "Example";
/// Bounds the number of authenticators of a user.
const AUTHENTICATORS: usize = 5;
/// Says for how long a browser is remembered.
const REMEMBERED: Duration = Duration::from_hours(30 * 24);

/// Holds the database, the second factors, and how cookies are set. A clone is the same one.
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: SqlitePool,
    store: SqliteStore,
    mfa: Mfa,
    users: Users,
    sessions: Sessions,
    passwords: Passwords,
    is_secure: bool,
}

impl App {
    /// Opens database and keys in this folder, and makes them where there are none. Cookies are
    /// `Secure` where `is_secure` says so: always, but on loopback.
    ///
    /// # Errors
    ///
    /// Fails where the folder cannot be written, or what is in it cannot be read.
    pub async fn open(
        folder: &Path,
        is_secure: bool,
        clock: impl Clock + 'static,
    ) -> Result<Self, Problem> {
        let file = SqliteConnectOptions::new()
            .filename(folder.join("example.sqlite"))
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged outlives a crash.
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePool::connect_with(file).await?;
        sqlx::raw_sql(include_str!("../schema.sql"))
            .execute(&pool)
            .await?;
        let store = SqliteStore::new(pool.clone());
        store.migrate().await.map_err(Problem::broken)?;

        let keys = Keys::open(&folder.join("example.keys")).map_err(Problem::broken)?;
        let policy = Policy::STANDARD
            .to_builder()
            .max_tokens(AUTHENTICATORS)
            .build()?;
        let mfa = Mfa::new(policy, clock, OsEntropy)
            .with_sessions(keys.sessions, Context::new("web")?)
            .with_browsers(keys.browsers, REMEMBERED)?
            .sealed(keys.records)
            .seal_label("example");
        Ok(Self(Arc::new(Inner {
            users: Users::new(pool.clone()),
            sessions: Sessions::new(pool.clone()),
            passwords: Passwords::new()?,
            pool,
            store,
            mfa,
            is_secure,
        })))
    }

    /// Returns the view of a request: who must have a second factor, what ends with the password,
    /// and where events go. This is the one place that says so.
    ///
    /// # Errors
    ///
    /// Fails where the policy contradicts itself, which no user can bring about.
    pub(crate) fn view(&self, user: &User, journal: &Journal) -> Result<Mfa, Problem> {
        let policy = *self.0.mfa.policy();
        let policy = match user.required_from {
            _ if user.is_administrator => policy.required(),
            Some(time) => policy.required_from(time),
            None => policy,
        };
        let context = Context::new(format!("web, password {}", user.password_version))?;
        let view = self.0.mfa.with_policy(policy)?.with_context(context);
        Ok(view.with_audit(journal.audit()))
    }

    /// Returns the second factors, without a user: to read the clock, and to open a session.
    #[must_use]
    pub(crate) fn mfa(&self) -> &Mfa {
        &self.0.mfa
    }

    /// Returns the store of the second factors.
    #[must_use]
    pub(crate) fn store(&self) -> &SqliteStore {
        &self.0.store
    }

    /// Returns the database.
    #[must_use]
    pub fn pool(&self) -> &SqlitePool {
        &self.0.pool
    }

    /// Returns the accounts.
    #[must_use]
    pub(crate) fn users(&self) -> &Users {
        &self.0.users
    }

    /// Returns the sessions.
    #[must_use]
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// Returns what hashes passwords.
    #[must_use]
    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Returns whether cookies are sent over TLS alone.
    #[must_use]
    pub(crate) fn is_secure(&self) -> bool {
        self.0.is_secure
    }
}
