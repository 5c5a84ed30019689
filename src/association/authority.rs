//! On whose authority an operation is done (SPEC 5): a grant, a session or an administrator, never two.

use alloc::vec::Vec;
use core::fmt;

use hmac::Mac as _;
use subtle::ConstantTimeEq as _;

use super::credential::{Claims, PurposeKind, Session, keyed_hash};
use super::draft::Draft;
use super::names::Context;
use super::outcome::{Actor, Refusal, Rejection};
use super::state::{Association, Token};
use crate::policy::Requirement;
use crate::time::UnixTime;
use crate::totp::Secret;

/// That the embedder has checked an access token of the subject's.
///
/// You owe that it was: its signature, its expiry, that it is an access token, that its subject is the one named in the
/// request. The times are those of the authentication, not of the token's issue: refreshing proves nothing.
///
/// ```
/// use softtoken::{Grant, UnixTime};
///
/// let password_at = UnixTime::from_secs(1_700_000_000);
/// let password_only = Grant::first_factor(password_at).id("jti-1");
/// let stepped_up = password_only.with_second_factor(UnixTime::from_secs(1_700_000_300));
/// let signed_in_with_a_code = Grant::second_factor(password_at);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    authenticated: UnixTime,
    second_factor: Option<UnixTime>,
    id: Option<Vec<u8>>,
}

impl Grant {
    /// The user authenticated at this time, without a second factor.
    #[must_use]
    pub fn first_factor(at: UnixTime) -> Self {
        Self {
            authenticated: at,
            second_factor: None,
            id: None,
        }
    }

    /// The user authenticated at this time with a second factor: an [`Evidence`](crate::Evidence) stands behind it.
    #[must_use]
    pub fn second_factor(at: UnixTime) -> Self {
        Self::first_factor(at).with_second_factor(at)
    }

    /// The user showed a second factor at this time, after having authenticated without one.
    #[must_use]
    pub fn with_second_factor(mut self, at: UnixTime) -> Self {
        self.second_factor = Some(at);
        self
    }

    /// The access token's id (`jti`, [RFC 7519 section 4.1.7](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.7)). The
    /// grant with which a token is verified counts as a second factor for that token afterwards, where it has an id. No
    /// two access tokens may share one: what is not unique is better left out. An empty id is none.
    #[must_use]
    pub fn id(mut self, id: impl AsRef<[u8]>) -> Self {
        self.id = Some(id.as_ref().to_vec()).filter(|id| !id.is_empty());
        self
    }

    /// The hash by which a token remembers the grant that proved it. Its key is the token's secret, so it says nothing
    /// about grants, and nothing once the token is gone.
    fn mark(&self, secret: &Secret) -> Option<[u8; 16]> {
        let id = self.id.as_ref()?;
        let mut mac = keyed_hash(secret.expose(), b"softtoken proved by");
        mac.update(id);
        mac.finalize().into_bytes().first_chunk().copied()
    }

    /// Whether it proves possession of this token.
    fn proves(&self, token: &Token) -> bool {
        let authenticated_with_it = self.second_factor.is_some_and(|at| at >= token.since);
        let proved_it = match (self.mark(&token.secret), token.proved_by) {
            (Some(mark), Some(proved_by)) => bool::from(mark.ct_eq(&proved_by)),
            _ => false,
        };
        authenticated_with_it || proved_it
    }

    /// Whether it is of any use: given after the last reset, and fresh enough for the policy.
    fn check(&self, draft: &Draft<'_>) -> Result<(), Rejection> {
        if draft
            .record()
            .grants_from
            .is_some_and(|from| self.authenticated < from)
        {
            return Err(Rejection::NotAuthorized);
        }
        let latest = self
            .second_factor
            .map_or(self.authenticated, |at| at.max(self.authenticated));
        if draft
            .policy()
            .reauthenticate_within()
            .is_some_and(|within| draft.now().since(latest) > within)
        {
            return Err(Rejection::ReauthenticationRequired);
        }
        Ok(())
    }
}

/// The embedder's administrator, whom the embedder has authenticated and authorised. Nothing of the user's is asked for.
///
/// Every use of it is one to review.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Administrator;

/// On whose authority an operation is done. Made from a [`Grant`], a [`Session`] or [`Administrator`].
#[derive(Clone)]
pub struct Authority(Kind);

#[derive(Clone)]
enum Kind {
    Grant(Grant),
    Session(Session),
    Administrator,
}

impl From<Grant> for Authority {
    fn from(grant: Grant) -> Self {
        Self(Kind::Grant(grant))
    }
}

impl From<Session> for Authority {
    fn from(session: Session) -> Self {
        Self(Kind::Session(session))
    }
}

impl From<&Session> for Authority {
    fn from(session: &Session) -> Self {
        Self(Kind::Session(session.clone()))
    }
}

impl From<Administrator> for Authority {
    fn from(_: Administrator) -> Self {
        Self(Kind::Administrator)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Authority({:?})", self.actor())
    }
}

impl Authority {
    pub(super) fn actor(&self) -> Actor {
        match self.0 {
            Kind::Grant(_) => Actor::Grant,
            Kind::Session(_) => Actor::Session,
            Kind::Administrator => Actor::Administrator,
        }
    }

    /// Whether it needs the keys that sign sessions.
    pub(crate) fn is_session(&self) -> bool {
        matches!(self.0, Kind::Session(_))
    }

    /// Who it is, as far as can be told before looking at what is in force. `purpose` is the one a session must have; an
    /// operation without one takes no session.
    pub(super) fn recognise(
        &self,
        draft: &Draft<'_>,
        purpose: Option<PurposeKind>,
    ) -> Result<Recognised<'_>, Refusal> {
        match &self.0 {
            Kind::Grant(grant) => {
                grant.check(draft)?;
                Ok(Recognised::Grant(grant))
            }
            Kind::Session(session) => Ok(Recognised::Session(draft.claims(session, purpose)?)),
            Kind::Administrator => Ok(Recognised::Administrator),
        }
    }
}

/// An authority that is what it says it is; what it may do depends on what is in force.
pub(super) enum Recognised<'a> {
    Grant(&'a Grant),
    Session(Claims),
    Administrator,
}

impl Recognised<'_> {
    /// What it takes to touch a factor: where a token is verified, its possession.
    ///
    /// Except that a token which no sign-in has ever asked for may be replaced, in a pool that does not require MFA, by
    /// whoever has given the password since it was verified: or a phone lost before it was enabled would be a dead end. The
    /// answer says whether that exception was needed.
    pub(super) fn may_replace(&self, draft: &Draft<'_>) -> Result<Possession, Refusal> {
        let Association::Verified(verified) = &draft.record().association else {
            return self.is_alive(draft).map(|()| Possession::Proven);
        };
        match self {
            Self::Grant(grant) if !grant.proves(&verified.token) => {
                let never_protected = !verified.token.ever_enabled
                    && draft.policy().requirement() != Requirement::Required
                    && grant.authenticated >= verified.token.since;
                if never_protected {
                    Ok(Possession::Waived)
                } else {
                    Err(Rejection::SecondFactorRequired.into())
                }
            }
            Self::Grant(_) | Self::Administrator => Ok(Possession::Proven),
            Self::Session(_) => self.is_alive(draft).map(|()| Possession::Proven),
        }
    }

    /// What it takes to remove or turn off a factor, or to mint recovery codes: its possession, without exception.
    pub(super) fn proves_possession(&self, draft: &Draft<'_>) -> Result<(), Refusal> {
        match (self, &draft.record().association) {
            (Self::Grant(grant), Association::Verified(verified))
                if !grant.proves(&verified.token) =>
            {
                Err(Rejection::SecondFactorRequired.into())
            }
            _ => self.is_alive(draft),
        }
    }

    /// That a session has not ended: nothing has come into force since, and it has not succeeded.
    pub(super) fn is_alive(&self, draft: &Draft<'_>) -> Result<(), Refusal> {
        let Self::Session(claims) = self else {
            return Ok(());
        };
        draft.record().admits(claims).map_err(Refusal::from)
    }

    /// What the session says, where there is a flow.
    pub(super) fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Session(claims) => Some(claims),
            Self::Grant(_) | Self::Administrator => None,
        }
    }

    /// The context to carry on; empty where there is no flow.
    pub(super) fn context(&self) -> Context {
        self.claims()
            .map_or_else(Context::default, |claims| claims.context().clone())
    }

    /// How a token that this authority proves will know it again.
    pub(super) fn mark(&self, secret: &Secret) -> Option<[u8; 16]> {
        match self {
            Self::Grant(grant) => grant.mark(secret),
            Self::Session(_) | Self::Administrator => None,
        }
    }

    /// Whether a first factor of the user's stands behind it.
    pub(super) fn has_first_factor(&self) -> bool {
        !matches!(self, Self::Administrator)
    }
}

/// How the right to replace a token was shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Possession {
    Proven,
    /// By the exception for a token that never protected anything.
    Waived,
}
