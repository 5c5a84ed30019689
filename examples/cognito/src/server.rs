//! What a server consists of.

use std::sync::Arc;

use softtoken::UnixTime;
use softtoken::cognito::MfaSettings;
use softtoken::store::DynStore;

use crate::builder::ServerBuilder;
use crate::directory::{Directory, User};
use crate::exception::{Answer, Exception};
use crate::gateway::Gateway;
use crate::passwords::Passwords;
use crate::second_factors::SecondFactors;
use crate::seed::{self, Seeded};
use crate::tokens::Tokens;

/// A stand-in for Cognito, ready to [serve](crate::serve). Clones are the same server.
#[derive(Clone, Debug)]
pub struct Server(Arc<Parts>);

/// The parts that a server is built from.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn DynStore>,
    pub(crate) second_factors: SecondFactors,
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
        self.0.second_factors.now()
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

    pub(crate) fn second_factors(&self) -> &SecondFactors {
        &self.0.second_factors
    }

    /// What `GetUser` and `AdminGetUser` tell of a second factor, which depends on no setting.
    pub(crate) async fn mfa_settings(&self, user: &User) -> Answer<MfaSettings> {
        let status = self.0.second_factors.view().status();
        let status = status.run(self.store(), &user.subject()).await;
        Ok(MfaSettings::from(&status.map_err(Exception::internal)?))
    }
}
