//! What a server consists of.

use core::time::Duration;
use std::sync::Arc;

use softtoken::cognito::{MfaSettings, Name};
use softtoken::store::DynStore;
use softtoken::{
    Claims, Clock, Mfa, OsEntropy, Policy, Requirement, Session, SessionKeys, UnixTime,
};

use crate::builder::ServerBuilder;
use crate::directory::{Client, Directory, MfaConfiguration, Pool, User};
use crate::exception::{Answer, Exception};
use crate::gateway::Gateway;
use crate::passwords::Passwords;
use crate::seed::{self, Seeded};
use crate::tokens::Tokens;

/// A stand-in for Cognito, ready to [serve](crate::serve). Clones are the same server.
#[derive(Clone, Debug)]
pub struct Server(Arc<Parts>);

/// Whatever it was built from.
pub(crate) struct Parts {
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) store: Arc<dyn DynStore>,
    pub(crate) session_keys: SessionKeys,
    pub(crate) directory: Directory,
    pub(crate) passwords: Passwords,
    pub(crate) tokens: Tokens,
    pub(crate) gateway: Gateway,
    pub(crate) seeded: Vec<Seeded>,
}

impl core::fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Parts")
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// One that keeps everything in memory, unless told otherwise.
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    pub(crate) fn of(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The pools that stand ready at the start, each with its client and its user.
    #[must_use]
    pub fn seeded(&self) -> &[Seeded] {
        &self.0.seeded
    }

    /// The same as a table with a line for each.
    #[must_use]
    pub fn table(&self) -> String {
        seed::table(&self.0.seeded)
    }

    /// # Errors
    ///
    /// `InternalErrorException` where the clock does not know.
    pub(crate) fn now(&self) -> Answer<UnixTime> {
        let now = self.0.clock.now();
        now.ok_or_else(|| Exception::internal("the time is not known"))
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.0.directory
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.0.gateway
    }

    /// Where second factors are kept.
    pub(crate) fn store(&self) -> &dyn DynStore {
        &*self.0.store
    }

    /// Whose session it is and what it was made in, where this server signed it.
    pub(crate) fn claims_of(&self, session: &Session) -> Option<Claims> {
        self.0.session_keys.open(session)
    }

    /// The second factor of this pool's users, by the pool's settings of now.
    ///
    /// # Errors
    ///
    /// `InvalidUserPoolConfigurationException` where they contradict each other.
    pub(crate) fn mfa(&self, pool: &Pool) -> Answer<Mfa> {
        self.mfa_with(pool, Policy::COGNITO.session_lifetime())
    }

    /// The same for sign-ins by this client.
    ///
    /// # Errors
    ///
    /// As [`mfa`](Self::mfa).
    pub(crate) fn mfa_for(&self, pool: &Pool, client: &Client) -> Answer<Mfa> {
        self.mfa_with(pool, Duration::from_secs(60 * client.session_validity))
    }

    fn mfa_with(&self, pool: &Pool, session_lifetime: Duration) -> Answer<Mfa> {
        let requirement = match pool.mfa {
            MfaConfiguration::Off => Requirement::Off,
            MfaConfiguration::Optional => Requirement::Optional,
            MfaConfiguration::On => Requirement::Required,
        };
        let policy = Policy::COGNITO
            .to_builder()
            .requirement(requirement)
            .software_tokens(pool.software_tokens)
            .session_lifetime(session_lifetime)
            .build()
            .map_err(|_| Name::InvalidUserPoolConfiguration)?;
        Ok(self.mfa_by(policy))
    }

    /// What `GetUser` and `AdminGetUser` tell of a second factor, which depends on no setting.
    pub(crate) async fn mfa_settings(&self, user: &User) -> Answer<MfaSettings> {
        let mfa = self.mfa_by(Policy::COGNITO);
        let status = mfa.status().run(self.store(), &user.subject()).await;
        Ok(MfaSettings::from(&status.map_err(Exception::internal)?))
    }

    fn mfa_by(&self, policy: Policy) -> Mfa {
        let parts = self.0.clone();
        Mfa::new(policy, move || parts.clock.now(), OsEntropy)
            .sessions(self.0.session_keys.clone())
            .audited(
                |subject, event| tracing::debug!(subject, actor = ?event.actor, kind = ?event.kind),
            )
    }
}
