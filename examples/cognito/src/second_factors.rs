//! The second factors of all pools, and the view of each request.

use std::collections::BTreeMap;
use std::sync::Arc;

use core::time::Duration;

use softtoken::cognito::Name;
use softtoken::time::Clock;
use softtoken::{
    ChallengeSession, Context, Mfa, OsEntropy, Policy, Requirement, SessionKeys, UnixTime,
};

use crate::directory::{Client, MfaConfiguration, Pool};
use crate::exception::{Answer, Exception};

/// One clock and one set of keys, and an `Mfa` for each lifetime, in minutes, that a client may
/// give its sessions. These share their rows, although no view changes a lifetime: a spent session
/// is remembered for as long as it says itself, and there is room for those of the longest one.
pub(crate) struct SecondFactors {
    shortest: Mfa,
    by_session_validity: BTreeMap<u64, Mfa>,
}

impl core::fmt::Debug for SecondFactors {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("SecondFactors")
            .finish_non_exhaustive()
    }
}

impl SecondFactors {
    pub(crate) fn new(clock: &Arc<dyn Clock>, keys: &SessionKeys) -> Answer<Self> {
        // Every challenge has the context of its scope instead.
        let context = Context::new("softtoken-cognito").map_err(Exception::internal)?;
        let by = |policy| {
            let clock = clock.clone();
            Mfa::new(policy, move || clock.now(), OsEntropy)
                .with_sessions(keys.clone(), context.clone())
        };
        let of_minutes = |minutes| {
            let lifetime = Duration::from_secs(60 * minutes);
            let policy = Policy::COGNITO.to_builder().session_lifetime(lifetime);
            Ok((minutes, by(policy.build().map_err(Exception::internal)?)))
        };
        Ok(Self {
            shortest: by(Policy::COGNITO),
            by_session_validity: Client::SESSION_VALIDITY
                .map(of_minutes)
                .collect::<Answer<_>>()?,
        })
    }

    /// # Errors
    ///
    /// `InternalErrorException` where the clock does not know.
    pub(crate) fn now(&self) -> Answer<UnixTime> {
        self.shortest.now().map_err(Exception::internal)
    }

    /// The view of a request that depends on no setting of a pool.
    pub(crate) fn view(&self) -> Mfa {
        audited(&self.shortest)
    }

    /// The view of a request in this pool, by its settings of now.
    ///
    /// # Errors
    ///
    /// `InvalidUserPoolConfigurationException` where they contradict each other.
    pub(crate) fn view_of(&self, pool: &Pool) -> Answer<Mfa> {
        view(&self.shortest, pool)
    }

    /// The same for a sign-in by this client.
    ///
    /// # Errors
    ///
    /// As [`view_of`](Self::view_of).
    pub(crate) fn view_for(&self, pool: &Pool, client: &Client) -> Answer<Mfa> {
        let mfa = self.by_session_validity.get(&client.session_validity);
        let none = || Exception::internal("no session lives as long as this client says");
        view(mfa.ok_or_else(none)?, pool)
    }

    /// Whose session it is and what it was made in, where it is alive.
    ///
    /// # Errors
    ///
    /// `NotAuthorizedException`.
    pub(crate) fn open(&self, session: &str) -> Answer<ChallengeSession> {
        Ok(self.view().open(session)?)
    }

    /// The same for a session that is opened again later, which tells of what is wrong with it.
    pub(crate) fn peek(&self, session: &str) -> Option<ChallengeSession> {
        self.shortest.open(session).ok()
    }
}

fn view(mfa: &Mfa, pool: &Pool) -> Answer<Mfa> {
    let requirement = match pool.mfa {
        MfaConfiguration::Off => Requirement::Off,
        MfaConfiguration::Optional => Requirement::Optional,
        MfaConfiguration::On => Requirement::Required,
    };
    let policy = mfa
        .policy()
        .to_builder()
        .requirement(requirement)
        .software_tokens(pool.software_tokens)
        .build()
        .map_err(|_| Name::InvalidUserPoolConfiguration)?;
    let view = mfa.with_policy(policy).map_err(Exception::internal)?;
    Ok(audited(&view))
}

fn audited(mfa: &Mfa) -> Mfa {
    mfa.with_audit(|subject, event| {
        tracing::debug!(
            subject,
            event = event.name(),
            operation = event.operation,
            actor = ?event.actor,
            kind = ?event.kind,
        );
    })
}
