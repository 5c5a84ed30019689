//! Says on whose authority an operation is done: a grant, a challenge session or an administrator,
//! never two.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use subtle::ConstantTimeEq as _;

use super::credential::{ChallengeSession, Claims, PurposeKind, half, keyed_hash};
use super::draft::Draft;
use super::names::{Generation, LoginId, TokenId};
use super::outcome::{Actor, Evidence, Method, Refusal, Rejection};
use super::state::Token;
use crate::reveal::reveal;
use crate::time::UnixTime;
use crate::totp::Secret;

/// Says that your application has checked a login of a subject: an access token, a cookie.
///
/// You owe the check: of its signature and its expiry, that it is an access token and no other, and
/// whose it is. The times are those of the authentication, not of the token's issue: refreshing
/// proves nothing.
///
/// A grant is the value to keep with a login, server-side or signed by your application: as bytes
/// ([`to_bytes`](Self::to_bytes)) or with feature `serde`. After a second factor keep the one made
/// [from its evidence](Self::from), which names what proved it.
///
/// ```
/// use softtoken::{Grant, UnixTime};
///
/// let password_at = UnixTime::from_secs(1_700_000_000);
/// let grant = Grant::first_factor("user-1", password_at).with_id("jti-1");
/// let kept = grant.to_bytes();
///
/// assert_eq!(Grant::from_bytes(&kept, "user-1")?, grant);
/// assert!(Grant::from_bytes(&kept, "user-2").is_err());
/// # Ok::<(), softtoken::association::GrantError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Grant {
    subject: Arc<str>,
    first_factor: UnixTime,
    second_factor: Option<SecondFactor>,
    #[cfg_attr(feature = "serde", serde(default, deserialize_with = "read_id"))]
    id: Option<LoginId>,
}

/// Reads the id of a login; an empty one counts as none in this form, too.
#[cfg(feature = "serde")]
fn read_id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<LoginId>, D::Error> {
    let id = <Option<alloc::string::String> as serde::Deserialize>::deserialize(deserializer)?;
    Ok(id.and_then(LoginId::new))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct SecondFactor {
    at: UnixTime,
    proved_by: ProvedBy,
}

/// Holds what stands behind a second factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
enum ProvedBy {
    /// Names the token whose code it was.
    Token(TokenId),
    /// Holds the generation at which a recovery code, a temporary code or a vouched factor was
    /// accepted.
    Generation(Generation),
    /// Names nothing: the times alone decide.
    Time,
}

/// Reports bytes that are no grant of the subject's. Nothing was authorised.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// A newer version of this crate has written the bytes.
    #[error("the grant has format {format}, which this version does not know")]
    UnknownFormat {
        /// Holds the first of the bytes.
        format: u8,
    },
    /// No version of this crate has written the bytes.
    #[error("the grant is damaged")]
    Damaged,
    /// The grant is another subject's.
    #[error("the grant is another subject's")]
    OtherSubject,
}

const FORMAT: u8 = 1;

impl Grant {
    /// Grants what a first factor proves: this subject authenticated at this time, without a second
    /// factor.
    #[must_use]
    pub fn first_factor(subject: &str, at: UnixTime) -> Self {
        Self {
            subject: subject.into(),
            first_factor: at,
            second_factor: None,
            id: None,
        }
    }

    /// Grants what two bare times prove: when the first factor was accepted, and when a second one
    /// was, with nothing known of what proved it.
    ///
    /// Such a grant proves [possession](crate::manual#glossary) only of tokens that were verified
    /// before `second_factor`, and only while no token was taken out of force at that time or
    /// since. Prefer the grant made from an [`Evidence`].
    #[must_use]
    pub fn from_bare_times(subject: &str, first_factor: UnixTime, second_factor: UnixTime) -> Self {
        Self {
            second_factor: Some(SecondFactor {
                at: second_factor,
                proved_by: ProvedBy::Time,
            }),
            ..Self::first_factor(subject, first_factor)
        }
    }

    /// Names the login: `jti` where access tokens are not refreshed, else `origin_jti` or `sid`,
    /// the same after a refresh ([RFC 7519 section
    /// 4.1.7](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.7)).
    ///
    /// The grant by which a token is verified counts as a second factor for that token afterwards,
    /// where it has an id. No two logins may share one: leave out what is not unique. An empty id
    /// is none.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = LoginId::new(id);
        self
    }

    /// Returns whose login it is.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns when the first factor was accepted.
    #[must_use]
    pub fn first_factor_at(&self) -> UnixTime {
        self.first_factor
    }

    /// Returns when a second factor was accepted, if one was.
    #[must_use]
    pub fn second_factor_at(&self) -> Option<UnixTime> {
        self.second_factor.map(|second| second.at)
    }

    /// Returns the id of the login; `None` where [`with_id`](Self::with_id) gave none.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_ref().map(LoginId::expose)
    }

    pub(super) fn login_id(&self) -> Option<LoginId> {
        self.id.clone()
    }

    /// Returns the grant in a stable form, to be kept with the login. It is not signed: keep it
    /// where only your application writes. The bytes hold the id of the login: wiping them is left
    /// to the caller.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let id = self.id().unwrap_or_default().as_bytes();
        // Never grown: what a vector outgrows is freed without being wiped.
        let mut bytes = Vec::with_capacity(64 + id.len() + self.subject.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.first_factor.as_secs().to_be_bytes());
        match self.second_factor {
            None => bytes.push(0),
            Some(SecondFactor { at, proved_by }) => {
                let (kind, proof) = match proved_by {
                    ProvedBy::Token(id) => (1, id.0.to_vec()),
                    ProvedBy::Generation(number) => (2, number.to_be_bytes().to_vec()),
                    ProvedBy::Time => (3, Vec::new()),
                };
                bytes.push(kind);
                bytes.extend_from_slice(&at.as_secs().to_be_bytes());
                bytes.extend_from_slice(&proof);
            }
        }
        let length = u32::try_from(id.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(id);
        bytes.extend_from_slice(self.subject.as_bytes());
        bytes
    }

    /// Reads the bytes that [`to_bytes`](Self::to_bytes) wrote, for the subject whose login they
    /// are kept with.
    ///
    /// # Errors
    ///
    /// [`GrantError`] where the bytes are no grant, or another subject's. Nothing was authorised.
    pub fn from_bytes(bytes: &[u8], subject: &str) -> Result<Self, GrantError> {
        let (&format, rest) = bytes.split_first().ok_or(GrantError::Damaged)?;
        if format > FORMAT {
            return Err(GrantError::UnknownFormat { format });
        }
        let grant = Self::decode(format, rest).ok_or(GrantError::Damaged)?;
        if *grant.subject != *subject {
            return Err(GrantError::OtherSubject);
        }
        Ok(grant)
    }

    fn decode(format: u8, rest: &[u8]) -> Option<Self> {
        let (first_factor, rest) = rest.split_first_chunk().filter(|_| format == FORMAT)?;
        let (kind, mut rest) = rest.split_first()?;
        let second_factor = if *kind == 0 {
            None
        } else {
            let (at, proof) = rest.split_first_chunk()?;
            let proved_by = match kind {
                1 => {
                    let (id, after) = proof.split_first_chunk()?;
                    rest = after;
                    ProvedBy::Token(TokenId(*id))
                }
                2 => {
                    let (number, after) = proof.split_first_chunk()?;
                    rest = after;
                    ProvedBy::Generation(u64::from_be_bytes(*number))
                }
                3 => {
                    rest = proof;
                    ProvedBy::Time
                }
                _ => return None,
            };
            let at = UnixTime::from_secs(u64::from_be_bytes(*at));
            Some(SecondFactor { at, proved_by })
        };
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (id, subject) = rest.split_at_checked(length)?;
        let first_factor = UnixTime::from_secs(u64::from_be_bytes(*first_factor));
        let grant = Self::first_factor(core::str::from_utf8(subject).ok()?, first_factor);
        let grant = grant.with_id(core::str::from_utf8(id).ok()?);
        Some(Self {
            second_factor,
            ..grant
        })
    }

    /// Returns the hash by which a token remembers the grant that proved it. Its key is the token's
    /// secret, so it says nothing about grants, and nothing once the token is gone.
    fn mark(&self, secret: &Secret) -> Option<[u8; 16]> {
        let id = self.id()?;
        let purpose = b"softtoken proved by";
        let id = [id.as_bytes()];
        Some(keyed_hash(secret.expose(), purpose, &id, half))
    }

    /// Returns whether this grant proved this token.
    pub(super) fn proved(&self, token: &Token) -> bool {
        match (self.mark(&token.secret), token.proved_by) {
            (Some(mark), Some(proved_by)) => reveal(mark.ct_eq(&proved_by)),
            _ => false,
        }
    }

    /// Returns when a second factor was shown that proves possession of what is in force; `None`:
    /// none was.
    fn possession_shown(&self, draft: &Draft<'_>) -> Option<UnixTime> {
        let record = draft.record();
        let counts = |second: &SecondFactor| match second.proved_by {
            ProvedBy::Token(id) => record.token(id).is_ok(),
            ProvedBy::Generation(generation) => {
                generation <= record.generation
                    && record
                        .factors_from
                        .is_none_or(|from| generation >= from.generation)
            }
            ProvedBy::Time => {
                record.tokens.iter().any(|token| token.since < second.at)
                    && record.factors_from.is_none_or(|from| from.time < second.at)
            }
        };
        let shown = self.second_factor.filter(counts).map(|second| second.at);
        // What was proven under a clock that was ahead would be fresh for that long.
        let proved = record
            .tokens
            .iter()
            .filter(|token| self.proved(token) && !draft.lies_ahead(token.since));
        shown
            .into_iter()
            .chain(proved.map(|token| token.since))
            .max()
    }

    /// Checks that the grant is the subject's, given after the last reset, and not in the future.
    pub(super) fn is_good(&self, draft: &Draft<'_>) -> Result<(), Rejection> {
        let is_void = |from: UnixTime| self.first_factor < from;
        if *self.subject != *draft.subject()
            || draft.record().grants_from.is_some_and(is_void)
            || draft.lies_ahead(self.first_factor)
            || self
                .second_factor_at()
                .is_some_and(|at| draft.lies_ahead(at))
        {
            return Err(Rejection::NotAuthorized);
        }
        Ok(())
    }

    /// Checks that the grant proves possession of what is in force, shown within this time; where
    /// nothing is in force, that the first factor was accepted within it.
    pub(super) fn proves_possession(
        &self,
        draft: &Draft<'_>,
        within: Option<Duration>,
    ) -> Result<(), Rejection> {
        let shown = if draft.record().is_verified() {
            self.possession_shown(draft)
                .ok_or(Rejection::SecondFactorRequired)?
        } else {
            self.first_factor
        };
        is_fresh(shown, draft.now(), within)
    }

    /// Returns whether the policy waives possession: of the only token in force, which this view's
    /// sign-in would not ask for and which has guarded nothing since the second factor was last
    /// turned off, for a password given since. Without the waiver a user who has lost such a phone
    /// could never enrol again.
    fn is_waived_possession(&self, draft: &Draft<'_>) -> bool {
        let record = draft.record();
        let [token] = record.tokens.as_slice() else {
            return false;
        };
        draft.policy().waive_possession_of_unasked_token()
            && !record.is_asked_for(draft.policy(), draft.now())
            && !record.preference.is_enabled()
            && !record.asked
            && self.second_factor.is_none()
            && self.first_factor >= token.since
            && record.off_from.is_none_or(|from| self.first_factor >= from)
    }
}

fn is_fresh(shown: UnixTime, now: UnixTime, within: Option<Duration>) -> Result<(), Rejection> {
    if within.is_some_and(|within| now.since(shown) > within) {
        return Err(Rejection::ReauthenticationRequired);
    }
    Ok(())
}

/// Makes the grant of a login that ended with this evidence. Where no first factor is known to
/// stand behind the evidence ([`Evidence::first_factor_at`]), the grant takes its time for that of
/// the first factor too: make a grant of it only for a login that you have checked.
impl From<&Evidence> for Grant {
    fn from(evidence: &Evidence) -> Self {
        let proved_by = match (evidence.method(), evidence.token()) {
            (Method::SoftwareToken, Some(id)) => ProvedBy::Token(id),
            _ => ProvedBy::Generation(evidence.0.generation),
        };
        Self {
            subject: evidence.0.subject.clone(),
            first_factor: evidence.first_factor_at().unwrap_or(evidence.at()),
            second_factor: Some(SecondFactor {
                at: evidence.at(),
                proved_by,
            }),
            id: evidence.0.login_id.clone(),
        }
    }
}

/// Stands for an administrator whom your application has authenticated and authorised. Nothing of
/// the user's is asked for.
///
/// Every use of this type is one to review.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Administrator(Arc<str>);

impl Administrator {
    /// Names the administrator for the events; of a name, 256 bytes are kept.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut end = name.len().min(256);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        Self(name[..end].into())
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    pub(super) fn actor(&self) -> Actor {
        Actor::Administrator {
            name: self.0.clone(),
        }
    }
}

/// Says on whose authority an operation is done. Made from a [`Grant`], a [`ChallengeSession`] or
/// an [`Administrator`].
#[derive(Clone)]
pub struct Authority(Kind);

#[derive(Clone)]
enum Kind {
    Grant(Grant),
    Session(ChallengeSession),
    Administrator(Administrator),
}

impl From<&Grant> for Authority {
    fn from(grant: &Grant) -> Self {
        Self(Kind::Grant(grant.clone()))
    }
}

impl From<&ChallengeSession> for Authority {
    fn from(session: &ChallengeSession) -> Self {
        Self(Kind::Session(session.clone()))
    }
}

impl From<&Administrator> for Authority {
    fn from(administrator: &Administrator) -> Self {
        Self(Kind::Administrator(administrator.clone()))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Authority({:?})", self.actor())
    }
}

impl Authority {
    pub(super) fn actor(&self) -> Actor {
        match &self.0 {
            Kind::Grant(_) => Actor::Grant,
            Kind::Session(_) => Actor::Session,
            Kind::Administrator(administrator) => administrator.actor(),
        }
    }

    /// Returns whether this authority needs the keys that sign sessions.
    pub(crate) fn is_session(&self) -> bool {
        matches!(self.0, Kind::Session(_))
    }

    /// Recognises the authority, as far as can be told before looking at what is in force.
    /// `purpose` is the one that a session must have; an operation without one takes no session.
    pub(super) fn recognise(
        &self,
        draft: &Draft<'_>,
        purpose: Option<PurposeKind>,
    ) -> Result<Recognised<'_>, Refusal> {
        match &self.0 {
            Kind::Grant(grant) => {
                grant.is_good(draft)?;
                Ok(Recognised::Grant(grant))
            }
            Kind::Session(session) => Ok(Recognised::Session(draft.claims(session, purpose)?)),
            Kind::Administrator(_) => Ok(Recognised::Administrator),
        }
    }
}

/// Holds an authority that was recognised; what it may do depends on what is in force.
pub(super) enum Recognised<'a> {
    Grant(&'a Grant),
    Session(Claims),
    Administrator,
}

impl Recognised<'_> {
    /// Checks that the authority may touch what is in force: by its possession, shown within this
    /// time.
    pub(super) fn possesses(
        &self,
        draft: &Draft<'_>,
        within: Option<Duration>,
    ) -> Result<(), Refusal> {
        match self {
            Self::Grant(grant) => Ok(grant.proves_possession(draft, within)?),
            _ => self.is_alive(draft),
        }
    }

    /// Checks that the authority may set up a token: by possession of what is in force, or by the
    /// policy's waiver.
    pub(super) fn may_set_up(
        &self,
        draft: &Draft<'_>,
        within: Option<Duration>,
    ) -> Result<Possession, Refusal> {
        let Self::Grant(grant) = self else {
            return self.is_alive(draft).map(|()| Possession::Proven);
        };
        match grant.proves_possession(draft, within) {
            Ok(()) => Ok(Possession::Proven),
            Err(Rejection::SecondFactorRequired) if grant.is_waived_possession(draft) => {
                is_fresh(grant.first_factor, draft.now(), within)?;
                Ok(Possession::Waived)
            }
            Err(rejection) => Err(rejection.into()),
        }
    }

    /// Checks that the authority's first factor is as recent as the policy wants: enough where
    /// possession is not needed.
    pub(super) fn is_recent(&self, draft: &Draft<'_>) -> Result<(), Refusal> {
        match self {
            Self::Grant(grant) => Ok(is_fresh(
                grant.first_factor,
                draft.now(),
                draft.freshness(),
            )?),
            _ => self.is_alive(draft),
        }
    }

    /// Checks that a session has not ended.
    pub(super) fn is_alive(&self, draft: &Draft<'_>) -> Result<(), Refusal> {
        match self {
            Self::Session(claims) => Ok(draft.record().admits(claims)?),
            Self::Grant(_) | Self::Administrator => Ok(()),
        }
    }

    pub(super) fn is_administrator(&self) -> bool {
        matches!(self, Self::Administrator)
    }

    /// Returns what the session says, where there is a flow.
    pub(super) fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Session(claims) => Some(claims),
            Self::Grant(_) | Self::Administrator => None,
        }
    }

    /// Returns the mark by which a token that this authority proves will know it again.
    pub(super) fn mark(&self, secret: &Secret) -> Option<[u8; 16]> {
        match self {
            Self::Grant(grant) => grant.mark(secret),
            Self::Session(_) | Self::Administrator => None,
        }
    }

    /// Returns whether this authority is the grant that proved this token.
    pub(super) fn proved(&self, token: &Token) -> bool {
        matches!(self, Self::Grant(grant) if grant.proved(token))
    }

    /// Returns when the first factor behind this authority was accepted.
    pub(super) fn first_factor(&self) -> Option<UnixTime> {
        match self {
            Self::Grant(grant) => Some(grant.first_factor),
            Self::Session(claims) => Some(claims.first_factor),
            Self::Administrator => None,
        }
    }

    pub(super) fn login_id(&self) -> Option<LoginId> {
        match self {
            Self::Grant(grant) => grant.login_id(),
            Self::Session(_) | Self::Administrator => None,
        }
    }
}

/// Says how the right to set up a token was shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Possession {
    Proven,
    /// Says that the policy waives possession.
    Waived,
}

impl Possession {
    /// Checks that this possession is enough for a token that replaces this one. The waiver is for
    /// a phone that is lost: it lets a password take the token's place, which its owner notices,
    /// and never stand beside it.
    pub(super) fn covers(self, replaces: Option<TokenId>) -> Result<(), Rejection> {
        if self == Self::Waived && replaces.is_none() {
            return Err(Rejection::SecondFactorRequired);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Step;
    use crate::totp::Totp;

    #[test]
    fn a_login_is_known_by_every_bit_of_the_mark_that_it_left() {
        let now = UnixTime::from_secs(1_700_000_000);
        let login = Grant::first_factor("alice", now).with_id("login-1");
        let secret = Secret::from_bytes(&[7; 20]).expect("twenty bytes");
        let mut token = Token {
            id: TokenId([1; 16]),
            totp: Totp::STANDARD,
            since: now,
            proved_by: login.mark(&secret),
            last_step: Step::new(0),
            last_used: None,
            drift: 0,
            name: None,
            unfinished: false,
            secret,
        };
        assert!(login.proved(&token));
        let mark = token.proved_by.expect("it has an id");
        for bit in 0..128 {
            let mut other = mark;
            other[bit / 8] ^= 1 << (bit % 8);
            token.proved_by = Some(other);
            assert!(!login.proved(&token), "{bit}");
        }
    }
}
