//! What a challenge hands out and the next call of the flow hands back (SPEC 6): a string that the server signs.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base32::Alphabet;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::mac::keyed_hash;
use crate::association::names::{Context, Nonce, PendingId};
use crate::association::outcome::SessionFlaw;
use crate::entropy::{Entropy, NoEntropy};
use crate::keys::{Key, Keys};
use crate::time::{Step, UnixTime};

/// The keys that sign sessions: the current one signs, all of them open, each by its id.
///
/// Give every process of the server the same keys, or a flow that begins at one cannot end at another. To rotate: let all
/// of them open with the new key ([`also_open`](Self::also_open)); once they do, let all of them sign with it
/// ([`rotate`](Self::rotate)); once the sessions of the old one have run out, 15 minutes at the most, retire that.
///
/// ```
/// use softtoken::{OsEntropy, SessionKeys};
///
/// let mut keys = SessionKeys::generate(1, &OsEntropy)?;
/// let new = [7; 32]; // from the embedder's key store
/// keys.also_open(2, &new);
/// keys.rotate(2, &new);
/// keys.retire(1);
/// # Ok::<(), softtoken::NoEntropy>(())
/// ```
#[derive(Clone)]
pub struct SessionKeys(Keys);

impl SessionKeys {
    /// One new key under this id.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] where the source fails. There is no key then.
    pub fn generate(id: u32, entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        Keys::generate(id, entropy).map(Self)
    }

    /// One key under this id. The 32 bytes come from a cryptographic generator, and are used for nothing else.
    #[must_use]
    pub fn from_bytes(id: u32, bytes: &[u8; 32]) -> Self {
        Self(Keys::from_bytes(id, bytes))
    }

    /// Signs with this key from now on; those before it go on opening. A key that had this id is forgotten.
    pub fn rotate(&mut self, id: u32, bytes: &[u8; 32]) {
        self.0.rotate(id, bytes);
    }

    /// Opens with this key as well from now on, and goes on signing as before. A key that had this id is forgotten, unless it
    /// is the one that signs.
    pub fn also_open(&mut self, id: u32, bytes: &[u8; 32]) {
        self.0.also_open(id, bytes);
    }

    /// Forgets the key with this id, unless it is the one that signs.
    pub fn retire(&mut self, id: u32) {
        self.0.retire(id);
    }

    /// What a session says, once its signature holds: no store is read, and whether it has expired or been spent is
    /// not looked at. `None`: none of these keys has signed it.
    #[must_use]
    pub fn open(&self, session: &Session) -> Option<Claims> {
        if session.text.len() > Session::MAX_LEN {
            return None;
        }
        let bytes = base32::decode(ALPHABET, &session.text)?;
        // Base32 has many spellings of the same bytes; a session has one.
        if base32::encode(ALPHABET, &bytes) != *session.text {
            return None;
        }
        let (signed, signature) = bytes.split_last_chunk::<32>()?;
        let [VERSION, after_version @ ..] = signed else {
            return None;
        };
        let (id, claims) = after_version.split_first_chunk()?;
        let key = self.0.find(u32::from_be_bytes(*id))?;
        mac(key, signed).verify_slice(signature).ok()?;
        Claims::decode(claims)
    }

    /// The session that says this, signed with the current key.
    pub(crate) fn issue(&self, claims: &Claims) -> Session {
        let key = self.0.current();
        let mut bytes = alloc::vec![VERSION];
        bytes.extend_from_slice(&key.id().to_be_bytes());
        claims.encode(&mut bytes);
        let signature = mac(key, &bytes).finalize().into_bytes();
        bytes.extend_from_slice(&signature);
        Session {
            text: Zeroizing::new(base32::encode(ALPHABET, &bytes)),
            expected: None,
        }
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

const ALPHABET: Alphabet = Alphabet::Rfc4648Lower { padding: false };
const VERSION: u8 = 1;

fn mac(key: &Key, signed: &[u8]) -> Hmac<Sha256> {
    let mut mac = keyed_hash(key.expose(), b"softtoken session");
    mac.update(signed);
    mac
}

/// What one call of a flow hands to the next: a credential that the server signed, for one subject and one purpose.
///
/// Hand [`expose`](Self::expose) to the client, and take what comes back with [`from_text`](Self::from_text). It is not encrypted:
/// its holder can read the subject and the context.
///
/// ```
/// # use core::time::Duration;
/// use softtoken::{Challenge, Claims, Context, MemoryStore, Mfa, OsEntropy, Policy, Requirement, Session, SessionKeys};
/// # use softtoken::UnixTime;
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let now = UnixTime::from_secs(1_700_000_000);
/// # let clock = move || Some(now);
/// # let store = MemoryStore::new();
/// let keys = SessionKeys::generate(1, &OsEntropy)?;
/// let policy = Policy::builder().requirement(Requirement::Required).build()?;
/// let mfa = Mfa::new(policy, clock, OsEntropy).sessions(keys.clone());
///
/// let web = Context::new("web")?;
/// let Challenge::Setup { session } = mfa.sign_in(web.clone()).run_blocking(&store, "user-1")? else {
///     unreachable!("nothing is verified yet");
/// };
/// let sent = session.expose().to_owned();
/// assert!(sent.len() <= Session::MAX_LEN);
///
/// // The client's next request has only that text.
/// let session = Session::from_text(&sent).expecting(&web);
/// let claims: Claims = keys.open(&session).expect("one of the keys has signed it");
/// assert_eq!((claims.subject(), claims.context()), ("user-1", &web));
/// assert_eq!(claims.expires(), now.saturating_add(Duration::from_secs(180)));
/// let issued = mfa.associate(&session).run_blocking(&store, claims.subject())?;
/// assert!(issued.session().is_some()); // for verify
///
/// let elsewhere = Session::from_text(&sent).expecting(&Context::new("app")?);
/// let refused = mfa.associate(&elsewhere).run_blocking(&store, "user-1").unwrap_err();
/// assert_eq!(refused.code(), "invalid_session");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Session {
    text: Zeroizing<String>,
    expected: Option<Context>,
}

impl Session {
    /// The longest text of a session, in characters.
    pub const MAX_LEN: usize = 1000;

    /// What a client says is a session. Nothing is checked before it is used.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self {
            text: Zeroizing::new(text.into()),
            expected: None,
        }
    }

    /// The same session, to be refused unless it was made in this context. Without this its own context stands, which the
    /// [evidence](crate::Evidence::context) then names.
    #[must_use]
    pub fn expecting(mut self, context: &Context) -> Self {
        self.expected = Some(context.clone());
        self
    }

    /// The text for the client: lower-case letters and digits, at most [`Self::MAX_LEN`] of them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What it says, where it is alive for this purpose as far as can be told without the record. No session has the
    /// purpose of an operation that has none.
    pub(crate) fn claims(
        &self,
        keys: Option<&SessionKeys>,
        subject: &str,
        purpose: Option<PurposeKind>,
        now: UnixTime,
    ) -> Result<Claims, SessionFlaw> {
        let claims = keys
            .and_then(|keys| keys.open(self))
            .ok_or(SessionFlaw::Forged)?;
        if claims.subject != subject {
            return Err(SessionFlaw::OtherSubject);
        }
        if self
            .expected
            .as_ref()
            .is_some_and(|expected| *expected != claims.context)
        {
            return Err(SessionFlaw::OtherContext);
        }
        if Some(claims.purpose.kind()) != purpose {
            return Err(SessionFlaw::OtherPurpose);
        }
        if now >= claims.expires {
            return Err(SessionFlaw::Expired);
        }
        Ok(claims)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Session(..)")
    }
}

/// What a session is for, and what it carries for that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    Setup,
    SetupPending(PendingId),
    /// The step whose code proved the token.
    SetupDone(Step),
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
            Self::SetupDone(_) => PurposeKind::SetupDone,
            Self::SoftwareToken => PurposeKind::SoftwareToken,
        }
    }
}

/// What a session says, its signature checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claims {
    pub(crate) subject: String,
    pub(crate) context: Context,
    pub(crate) purpose: Purpose,
    pub(crate) generation: u64,
    pub(crate) expires: UnixTime,
    pub(crate) nonce: Nonce,
}

impl Claims {
    /// Whose session it is.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The context in which the flow began.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// When it ends.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.purpose.kind() as u8);
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.expires.as_secs().to_be_bytes());
        bytes.extend_from_slice(&self.nonce);
        match self.purpose {
            Purpose::SetupPending(id) => bytes.extend_from_slice(&id),
            Purpose::SetupDone(step) => bytes.extend_from_slice(&step.get().to_be_bytes()),
            Purpose::Setup | Purpose::SoftwareToken => {}
        }
        // At most 128 bytes.
        bytes.push(u8::try_from(self.context.as_bytes().len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(self.context.as_bytes());
        bytes.extend_from_slice(self.subject.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, bytes) = bytes.split_first()?;
        let (generation, bytes) = bytes.split_first_chunk()?;
        let (expires, bytes) = bytes.split_first_chunk()?;
        let (nonce, bytes) = bytes.split_first_chunk()?;
        let (purpose, bytes) = match kind {
            1 => (Purpose::Setup, bytes),
            2 => {
                let (id, bytes) = bytes.split_first_chunk()?;
                (Purpose::SetupPending(*id), bytes)
            }
            3 => {
                let (step, bytes) = bytes.split_first_chunk()?;
                (
                    Purpose::SetupDone(Step::new(u64::from_be_bytes(*step))),
                    bytes,
                )
            }
            4 => (Purpose::SoftwareToken, bytes),
            _ => return None,
        };
        let (length, bytes) = bytes.split_first()?;
        let (context, subject) = bytes.split_at_checked(usize::from(*length))?;
        Some(Self {
            subject: core::str::from_utf8(subject).ok()?.into(),
            context: Context::new(context).ok()?,
            purpose,
            generation: u64::from_be_bytes(*generation),
            expires: UnixTime::from_secs(u64::from_be_bytes(*expires)),
            nonce: *nonce,
        })
    }
}

/// The beginning of a session, drawn when an operation is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw(pub(crate) Nonce);

impl Draw {
    pub(crate) fn new(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        crate::entropy::draw(entropy).map(Self)
    }
}
