//! Remembers browsers: a string that the server signs spares the browser that holds it the question
//! for a code.

use alloc::string::String;
use core::fmt;

use zeroize::Zeroizing;

use super::signed::{self, Payload};
use crate::association::names::{Context, Generation, TokenId};
use crate::association::outcome::{Evidence, Method};
use crate::entropy::{Entropy, NoEntropy};
use crate::keys::Keys;
use crate::time::UnixTime;

/// Holds the keys that sign the tokens of remembered browsers: the current one signs, all of them
/// open.
///
/// They are keys of their own, since they outlive those of challenge sessions: the old one opens
/// until the last browser that it remembers has run out, 90 days at the most. They rotate as
/// [`SessionKeys`](crate::SessionKeys) do.
///
/// ```
/// use core::time::Duration;
/// use softtoken::{Mfa, OsEntropy, Policy};
/// use softtoken::association::BrowserKeys;
///
/// let keys = BrowserKeys::generate(1, &OsEntropy)?;
/// let month = Duration::from_secs(30 * 86_400);
/// let mfa = Mfa::system(Policy::STANDARD).with_browsers(keys, month)?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct BrowserKeys(Keys);

impl BrowserKeys {
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

    /// Makes the token of the browser that has just shown this evidence. Returns `None` unless a
    /// code stands behind it, and a first factor, in a context.
    pub(crate) fn remember(&self, evidence: &Evidence) -> Option<BrowserToken> {
        let token = evidence.token()?;
        evidence.first_factor_at()?;
        if evidence.method() != Method::SoftwareToken || evidence.0.context.is_none() {
            return None;
        }
        let text = Payload::new(&self.0)
            .number(evidence.0.generation)
            .number(evidence.0.browsers_from)
            .put(&token.0)
            .number(evidence.at().as_secs())
            .context_and_subject(&evidence.0.context, &evidence.0.subject)
            .sign(&self.0, PURPOSE);
        Some(BrowserToken(text))
    }

    /// Reads what a text says, where one of the keys has signed it.
    pub(crate) fn open(&self, text: &BrowserText) -> Option<Remembered> {
        let mut said = signed::open(&self.0, PURPOSE, &text.0)?;
        let generation = said.number()?;
        let browsers_from = said.number()?;
        let token = said.array().map(TokenId)?;
        let issued = said.number().map(UnixTime::from_secs)?;
        let (context, subject) = said.context_and_subject()?;
        Some(Remembered {
            subject,
            context,
            generation,
            browsers_from,
            token,
            issued,
        })
    }
}

const PURPOSE: &[u8] = b"softtoken browser";

impl fmt::Debug for BrowserKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Remembers a browser: a credential to keep in a cookie (`HttpOnly`, `Secure`, `SameSite=Lax` or
/// stricter) of that browser alone.
///
/// It waives the question for a code and proves nothing: no evidence comes of it, and no grant.
/// Nothing is stored for it. [`Mfa::remember`](crate::Mfa::remember) makes one.
pub struct BrowserToken(Zeroizing<String>);

impl BrowserToken {
    /// Returns the text for the cookie: lower-case letters and digits, at most 1,000 of them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BrowserToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BrowserToken(..)")
    }
}

/// Holds what a client says is the token of a browser: wiped when dropped, in a buffer that never
/// grew.
#[derive(Clone)]
pub(crate) struct BrowserText(Zeroizing<String>);

impl BrowserText {
    pub(crate) fn new(text: &str) -> Self {
        let mut copy = Zeroizing::new(String::with_capacity(text.len()));
        copy.push_str(text);
        Self(copy)
    }
}

impl fmt::Debug for BrowserText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BrowserText(..)")
    }
}

/// Holds what the token of a browser says, its signature checked.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) subject: String,
    pub(crate) context: Context,
    pub(crate) generation: Generation,
    pub(crate) browsers_from: u64,
    pub(crate) token: TokenId,
    pub(crate) issued: UnixTime,
}
