//! How a server is made.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use softtoken::cognito::Name;
use softtoken::entropy::Entropy as _;
use softtoken::store::DynStore;
use softtoken::time::{Clock, SystemClock};
use softtoken::{MemoryStore, OsEntropy, SessionKeys, UnixTime};
use softtoken_sqlite::SqliteStore;
use tokio::sync::Semaphore;

use crate::connections::Limits;
use crate::directory::{Directory, OpenError};
use crate::exception::{Answer, Exception};
use crate::gateway::Gateway;
use crate::members::Shape;
use crate::passwords::Passwords;
use crate::pools::{Pools, PoolsError};
use crate::records::Records;
use crate::second_factors::SecondFactors;
use crate::server::{Parts, Server};
use crate::srp::Srp;
use crate::tokens::Tokens;

/// Makes a [`Server`]; begins with one that keeps everything in memory and lives by the system's
/// clock.
pub struct ServerBuilder {
    clock: Arc<dyn Clock>,
    store: Option<Arc<dyn DynStore>>,
    file: Option<PathBuf>,
    issuer: Option<String>,
    region: String,
    pools: Option<Pools>,
    limits: Limits,
    gateway: Gateway,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            store: None,
            file: None,
            issuer: None,
            region: "local".into(),
            pools: None,
            limits: Limits::default(),
            gateway: Gateway::default(),
        }
    }
}

impl core::fmt::Debug for ServerBuilder {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("ServerBuilder")
            .field("file", &self.file)
            .field("issuer", &self.issuer)
            .field("region", &self.region)
            .field("limits", &self.limits)
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

impl ServerBuilder {
    /// By this clock, which decides about codes, sessions and tokens.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Keeps second factors here, whatever [`file`](Self::file) says.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn DynStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Keeps everything in this SQLite file, which is made where there is none: pools, clients,
    /// users, second factors and the keys that sign tokens and sessions.
    #[must_use]
    pub fn file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The address that stands before the pool's id in `iss`, whatever name the server is reached
    /// by. Without it, that is the host that a request names.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// What stands before the `_` in the ids of pools. Default: `local`.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// These pools to begin with, instead of the three of this server. Those that the file has
    /// stay as they are.
    #[must_use]
    pub fn pools(mut self, pools: Pools) -> Self {
        self.pools = Some(pools);
        self
    }

    /// What clients can make the server hold.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Answers requests of this app client by `ForbiddenException`, as a web application firewall
    /// would.
    #[must_use]
    pub fn forbid_client(mut self, id: impl Into<String>) -> Self {
        self.gateway.clients.push(id.into());
        self
    }

    /// Answers requests whose `User-Agent` contains this text by `ForbiddenException`, as a web
    /// application firewall would.
    #[must_use]
    pub fn forbid_agent(mut self, text: impl Into<String>) -> Self {
        self.gateway.agents.push(text.into());
        self
    }

    /// The server, with the pools to begin with.
    ///
    /// # Errors
    ///
    /// The file does not open, a key cannot be made, or the region, a limit or a pool is not one
    /// that can be. Nothing is served.
    pub fn build(self) -> Result<Server, StartError> {
        check_region(&self.region)?;
        self.limits.check()?;
        let pools = match self.pools {
            Some(pools) => pools,
            None => Pools::built_in(&self.region),
        };
        let directory = Directory::open(self.file.as_deref())?;
        let store = match self.store {
            Some(store) => store,
            None => open_store(self.file.as_deref())?,
        };
        let now = self.clock.now().unwrap_or(UnixTime::from_secs(0));
        let (key, session_key, passwords, seeded) = directory.change_here(|rows| {
            let key = rows.key("tokens", Tokens::generate_key)?;
            let session_key = rows.key("sessions", random_key)?;
            let srp = Srp::new(
                &rows.key("secret blocks", random_key)?,
                &rows.key("made up for nobody", random_key)?,
            )?;
            let passwords = Passwords::new(srp)?;
            let seeded = pools.plant(rows, &passwords, now)?;
            Ok((key, session_key, passwords, seeded))
        })?;
        let session_key = <[u8; 32]>::try_from(session_key)
            .map_err(|_| Exception::internal("the key of the sessions is damaged"))?;
        let tokens = Tokens::new(self.issuer.as_deref().unwrap_or_default(), &key)?;
        let parts = Parts {
            store,
            second_factors: SecondFactors::new(
                &self.clock,
                &SessionKeys::from_bytes(1, &session_key),
            )?,
            directory,
            passwords,
            gateway: self.gateway,
            bodies: Arc::new(Semaphore::new(self.limits.held_kib())),
            limits: self.limits,
            region: self.region,
            issuer_is_fixed: self.issuer.is_some(),
            seeded,
        };
        Ok(Server::of(parts, tokens))
    }
}

fn random_key() -> Answer<Vec<u8>> {
    let mut bytes = vec![0; 32];
    OsEntropy.fill(&mut bytes).map_err(Exception::internal)?;
    Ok(bytes)
}

/// # Errors
///
/// Ids of pools could not be made of it.
fn check_region(region: &str) -> Result<(), StartError> {
    // The clients of SRP take what stands behind the first one for the pool's name.
    if region.contains('_') {
        return Err(StartError::Region);
    }
    let id = format!("{region}_{}", "0".repeat(9));
    Shape::POOL_ID
        .check("region", &id)
        .map_err(|_| StartError::Region)
}

fn open_store(file: Option<&Path>) -> rusqlite::Result<Arc<dyn DynStore>> {
    Ok(match file {
        Some(file) => Arc::new(Records::new(SqliteStore::open(file)?)),
        None => Arc::new(MemoryStore::new()),
    })
}

/// The server does not start. Nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file, as a directory.
    #[error(transparent)]
    Directory(#[from] OpenError),
    /// The file, as a store of second factors.
    #[error(transparent)]
    Store(#[from] rusqlite::Error),
    /// The region.
    #[error("a region is letters, digits and hyphens, at most 45 of them, as us-east-1")]
    Region,
    /// A limit, which is named.
    #[error("{0}")]
    Limit(&'static str),
    /// A pool, a client or a user to begin with, which is named.
    #[error("{0}")]
    Pools(#[from] PoolsError),
    /// A key. The log says why.
    #[error("what a server begins with cannot be made or read: see the log")]
    Beginning,
}

impl From<Exception> for StartError {
    fn from(Exception(exception): Exception) -> Self {
        match exception.kind() {
            Name::InternalError => Self::Beginning,
            _ => Self::Pools(PoolsError::new(exception.message())),
        }
    }
}
