//! What a server consists of.

use core::net::SocketAddr;
use std::sync::Arc;

use axum::http::HeaderValue;
use axum::http::uri::Authority;
use softtoken::association::StatusReport;
use softtoken::cognito::MfaSettings;
use softtoken::store::DynStore;
use softtoken::{Administrator, UnixTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::builder::ServerBuilder;
use crate::connections::Limits;
use crate::directory::{Directory, User};
use crate::exception::{Answer, Exception};
use crate::gateway::Gateway;
use crate::passwords::Passwords;
use crate::pools::{Seeded, table};
use crate::second_factors::SecondFactors;
use crate::tokens::Tokens;

/// A stand-in for Cognito, ready to [serve](crate::serve). Clones are the same server.
#[derive(Clone, Debug)]
pub struct Server {
    parts: Arc<Parts>,
    /// Those of this request: their issuer may be the address that it was reached at.
    tokens: Tokens,
}

/// The parts that a server is built from.
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn DynStore>,
    pub(crate) second_factors: SecondFactors,
    pub(crate) directory: Directory,
    pub(crate) passwords: Passwords,
    pub(crate) gateway: Gateway,
    pub(crate) limits: Limits,
    /// In KiB.
    pub(crate) bodies: Arc<Semaphore>,
    pub(crate) region: String,
    /// Whether the issuer was given, so that no address stands for it.
    pub(crate) issuer_is_fixed: bool,
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

    pub(crate) fn of(parts: Parts, tokens: Tokens) -> Self {
        Self {
            parts: Arc::new(parts),
            tokens,
        }
    }

    /// The same server, whose tokens are issued by the address that it listens at, unless an issuer
    /// was given.
    pub(crate) fn listening_at(self, address: SocketAddr) -> Self {
        self.issuing_as(&address.to_string())
    }

    /// The same server, whose tokens are issued by the host that a request names, unless an issuer
    /// was given.
    pub(crate) fn reached_at(self, host: Option<&HeaderValue>) -> Self {
        let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        match host {
            Some(host) => self.issuing_as(host.as_str()),
            None => self,
        }
    }

    fn issuing_as(mut self, host: &str) -> Self {
        if !self.parts.issuer_is_fixed {
            self.tokens = self.tokens.issued_by(&format!("http://{host}"));
        }
        self
    }

    /// The pools that stand ready at the start, each with its client and its user.
    #[must_use]
    pub fn seeded(&self) -> &[Seeded] {
        &self.parts.seeded
    }

    /// The same as a table with a line for each.
    #[must_use]
    pub fn table(&self) -> String {
        table(&self.parts.seeded)
    }

    /// # Errors
    ///
    /// `InternalErrorException` where the clock does not know.
    pub(crate) fn now(&self) -> Answer<UnixTime> {
        self.parts.second_factors.now()
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.parts.directory
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.parts.passwords
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.parts.gateway
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.parts.limits
    }

    /// The place of a body among those that are being answered.
    pub(crate) async fn hold(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        // An empty one has a place as well.
        let kib = bytes.clamp(1, self.limits().body_bytes).div_ceil(1024);
        // There is room for four of the longest. The semaphore is never closed.
        let kib = kib.try_into().unwrap_or(u32::MAX);
        self.parts.bodies.clone().acquire_many_owned(kib).await.ok()
    }

    /// How much of bodies may still be answered.
    #[cfg(test)]
    pub(crate) fn room_for_bodies(&self) -> Arc<Semaphore> {
        self.parts.bodies.clone()
    }

    /// What stands before the `_` in the ids of new pools.
    pub(crate) fn region(&self) -> &str {
        &self.parts.region
    }

    /// Where second factors are kept.
    pub(crate) fn store(&self) -> &dyn DynStore {
        &*self.parts.store
    }

    pub(crate) fn second_factors(&self) -> &SecondFactors {
        &self.parts.second_factors
    }

    /// Takes what is kept of the second factors of users who are gone out of their records, secrets
    /// included, and makes what they had been given void.
    ///
    /// # Errors
    ///
    /// `InternalErrorException` where the store fails: the users are gone, and secrets may be left,
    /// under subjects that are nobody's.
    pub(crate) async fn forget(&self, gone: &[User]) -> Answer<()> {
        let administrator = Administrator::named("deleted with the user");
        for user in gone {
            let reset = self.parts.second_factors.view().reset(&administrator);
            let reset = reset.run(self.store(), &user.subject()).await;
            reset.map_err(Exception::internal)?;
        }
        Ok(())
    }

    /// What `GetUser` and `AdminGetUser` tell of a second factor, which depends on no setting.
    pub(crate) async fn mfa_settings(&self, user: &User) -> Answer<MfaSettings> {
        Ok(MfaSettings::from(&self.status(user).await?))
    }

    /// What is kept of a user's second factor.
    pub(crate) async fn status(&self, user: &User) -> Answer<StatusReport> {
        let status = self.parts.second_factors.view().status();
        let status = status.run(self.store(), &user.subject()).await;
        status.map_err(Exception::internal)
    }
}

#[cfg(test)]
mod tests {
    use core::future::poll_fn;
    use core::task::Poll;
    use std::pin::pin;

    use super::Server;

    #[tokio::test]
    async fn four_of_the_longest_bodies_are_answered_at_once_and_a_fifth_waits() {
        let server = Server::builder().build().expect("it starts");
        let longest = server.limits().body_bytes;
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(server.hold(longest).await.expect("room"));
        }
        let mut fifth = pin!(server.hold(longest));
        let waits = poll_fn(|context| Poll::Ready(fifth.as_mut().poll(context).is_pending()));
        assert!(waits.await);
        held.pop();
        assert!(fifth.await.is_some());
    }
}
