//! Carries a flow from one call to the next: a challenge hands out a string that the server signs,
//! and the next call hands it back.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use zeroize::Zeroizing;

use super::signed::{self, Payload};
use crate::association::names::{Context, Generation, Nonce, TokenId};
use crate::association::outcome::SessionFlaw;
use crate::entropy::{Entropy, NoEntropy, draw};
use crate::keys::Keys;
use crate::time::{Step, UnixTime};

/// Holds the keys that sign challenge sessions: the current one signs, all of them open, each by
/// its id.
///
/// Give every process of the server the same keys, or a flow that begins at one cannot end at
/// another. To rotate:
///
/// 1. Let all processes open with the new key ([`also_open`](Self::also_open)).
/// 2. Once they do, let all of them sign with it ([`rotate`](Self::rotate)).
/// 3. Once the sessions of the old key have run out, [`retire`](Self::retire) it: after 15 minutes,
///    or the policy's pending lifetime where that is longer (a set-up lives as long as its secret).
///
/// ```
/// use softtoken::{OsEntropy, SessionKeys};
///
/// let mut keys = SessionKeys::generate(1, &OsEntropy)?;
/// let new = [7; 32]; // from your key store
/// keys.also_open(2, &new);
/// keys.rotate(2, &new);
/// keys.retire(1);
/// # Ok::<(), softtoken::entropy::NoEntropy>(())
/// ```
#[derive(Clone)]
pub struct SessionKeys(Keys);

impl SessionKeys {
    /// Generates one new key under this id.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. There is no key then.
    pub fn generate(id: u32, entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        Keys::generate(id, entropy).map(Self)
    }

    /// Takes one key under this id. The 32 bytes come from a cryptographic generator, and are used
    /// for nothing else.
    #[must_use]
    pub fn from_bytes(id: u32, bytes: &[u8; 32]) -> Self {
        Self(Keys::from_bytes(id, bytes))
    }

    /// Signs with this key from now on; those before it go on opening. A key that had this id is
    /// forgotten.
    pub fn rotate(&mut self, id: u32, bytes: &[u8; 32]) {
        self.0.rotate(id, bytes);
    }

    /// Opens with this key as well from now on, and goes on signing as before. A key that had this
    /// id is forgotten, unless it is the one that signs.
    pub fn also_open(&mut self, id: u32, bytes: &[u8; 32]) {
        self.0.also_open(id, bytes);
    }

    /// Forgets the key with this id, unless it is the one that signs.
    pub fn retire(&mut self, id: u32) {
        self.0.retire(id);
    }

    /// Reads what a text says, where one of the keys has signed it.
    pub(crate) fn open(&self, text: &str) -> Option<Claims> {
        Claims::decode(signed::open(&self.0, PURPOSE, text)?)
    }

    /// Issues the session that says this, signed with the current key.
    pub(crate) fn issue(&self, claims: Claims) -> ChallengeSession {
        let mut payload = Payload::new(&self.0);
        claims.encode(&mut payload);
        let text = payload.sign(&self.0, PURPOSE);
        ChallengeSession(Arc::new(Inner { text, claims }))
    }
}

const PURPOSE: &[u8] = b"softtoken session";

impl fmt::Debug for SessionKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Carries one call of a flow to the next: a credential that the server signed, for one subject,
/// one context and one purpose.
///
/// Hand [`expose`](Self::expose) to the client, and open what comes back with
/// [`Mfa::open`](crate::Mfa::open). The text is not encrypted: its holder can read the subject and
/// the context. A clone is a reference.
///
/// ```
/// use softtoken::{Challenge, Context, MemoryStore, Mfa, OsEntropy, Policy, SessionKeys};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let store = MemoryStore::new();
/// let keys = SessionKeys::generate(1, &OsEntropy)?;
/// let mfa = Mfa::system(Policy::STANDARD.required()).with_sessions(keys, Context::new("web")?);
///
/// let challenge = mfa.sign_in().run_blocking(&store, "user-1")?;
/// let Challenge::Setup { session, .. } = challenge else { panic!("nothing is verified yet") };
/// let sent = session.expose().to_owned();
///
/// // The client's next request has only that text.
/// let session = mfa.open(&sent)?;
/// assert_eq!(session.subject(), "user-1");
/// let issued = mfa.associate(&session).run_blocking(&store, session.subject())?;
/// assert!(issued.session().is_some()); // for verify
///
/// // The view of another context refuses it.
/// let app = mfa.with_context(Context::new("app")?);
/// let refused = app.associate(&session).run_blocking(&store, "user-1").unwrap_err();
/// assert_eq!(refused.name(), "invalid_session");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ChallengeSession(Arc<Inner>);

struct Inner {
    text: Zeroizing<String>,
    claims: Claims,
}

impl ChallengeSession {
    /// Limits the text of a challenge session, in characters.
    pub const MAX_LEN: usize = signed::MAX_LEN;

    pub(crate) fn opened(text: &str, claims: Claims) -> Self {
        let mut copy = Zeroizing::new(String::with_capacity(text.len()));
        copy.push_str(text);
        Self(Arc::new(Inner { text: copy, claims }))
    }

    /// Returns the text for the client: lower-case letters and digits, at most [`Self::MAX_LEN`] of
    /// them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0.text
    }

    /// Returns whose flow it is.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.claims.subject
    }

    /// Returns the context that the flow began in.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.0.claims.context
    }

    /// Returns when the session expires.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.0.claims.expires
    }

    /// Returns when the first factor of this flow was accepted.
    #[must_use]
    pub fn first_factor_at(&self) -> UnixTime {
        self.0.claims.first_factor
    }

    /// Returns what the session says, where it is alive for this purpose as far as can be told
    /// without the record. No session has the purpose of an operation that has none.
    pub(crate) fn claims(
        &self,
        keys: Option<&SessionKeys>,
        subject: &str,
        context: &Context,
        purpose: Option<PurposeKind>,
        now: UnixTime,
    ) -> Result<Claims, SessionFlaw> {
        // Opened again: it may have been opened by other keys than the view's.
        let claims = keys
            .and_then(|keys| keys.open(&self.0.text))
            .ok_or(SessionFlaw::Forged)?;
        if claims.subject != subject {
            return Err(SessionFlaw::OtherSubject);
        }
        if claims.context != *context {
            return Err(SessionFlaw::OtherContext);
        }
        if Some(claims.purpose.kind()) != purpose {
            return Err(SessionFlaw::OtherPurpose);
        }
        if !claims.is_alive(now) {
            return Err(SessionFlaw::Expired);
        }
        Ok(claims)
    }
}

impl fmt::Debug for ChallengeSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ChallengeSession(..)")
    }
}

/// Holds what a session is for, and what it carries for that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    Setup,
    SetupPending(TokenId),
    /// Names the token that was set up, and the step whose code proved it.
    SetupDone(TokenId, Step),
    SoftwareToken,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PurposeKind {
    Setup = 1,
    SetupPending = 2,
    SetupDone = 3,
    SoftwareToken = 4,
}

impl Purpose {
    fn kind(self) -> PurposeKind {
        match self {
            Self::Setup => PurposeKind::Setup,
            Self::SetupPending(_) => PurposeKind::SetupPending,
            Self::SetupDone(..) => PurposeKind::SetupDone,
            Self::SoftwareToken => PurposeKind::SoftwareToken,
        }
    }
}

/// Holds what a session says, its signature checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Claims {
    pub(crate) subject: String,
    pub(crate) context: Context,
    pub(crate) purpose: Purpose,
    pub(crate) generation: Generation,
    pub(crate) expires: UnixTime,
    pub(crate) nonce: Nonce,
    pub(crate) first_factor: UnixTime,
}

impl Claims {
    /// Returns whether the session's time has not run out. A session that a clock which was ahead
    /// has given would live on for as long: it is not alive.
    pub(crate) fn is_alive(&self, now: UnixTime) -> bool {
        now < self.expires && !self.first_factor.lies_ahead(now)
    }

    fn encode(&self, payload: &mut Payload) {
        payload
            .put(&[self.purpose.kind() as u8])
            .number(self.generation)
            .number(self.expires.as_secs())
            .put(&self.nonce)
            .number(self.first_factor.as_secs());
        match self.purpose {
            Purpose::SetupPending(id) => {
                payload.put(&id.0);
            }
            Purpose::SetupDone(id, step) => {
                payload.put(&id.0).number(step.get());
            }
            Purpose::Setup | Purpose::SoftwareToken => {}
        }
        payload.context_and_subject(&self.context, &self.subject);
    }

    fn decode(mut said: signed::Said) -> Option<Self> {
        let [kind] = said.array()?;
        let generation = said.number()?;
        let expires = said.number().map(UnixTime::from_secs)?;
        let nonce = said.array()?;
        let first_factor = said.number().map(UnixTime::from_secs)?;
        let purpose = match kind {
            1 => Purpose::Setup,
            2 => Purpose::SetupPending(said.array().map(TokenId)?),
            3 => Purpose::SetupDone(said.array().map(TokenId)?, said.number().map(Step::new)?),
            4 => Purpose::SoftwareToken,
            _ => return None,
        };
        let (context, subject) = said.context_and_subject()?;
        Some(Self {
            subject,
            context,
            purpose,
            generation,
            expires,
            nonce,
            first_factor,
        })
    }
}

/// Holds the beginning of a session, drawn when an operation is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw(pub(crate) Nonce);

impl Draw {
    pub(crate) fn new(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        draw(entropy).map(Self)
    }
}
