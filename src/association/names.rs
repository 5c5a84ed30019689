//! Holds the names that all floors use: the context of a flow, a token, the nonce of a challenge
//! session.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use zeroize::Zeroizing;

use crate::entropy::{Entropy, NoEntropy, draw};

/// Names what a flow is bound to: the pool, the app client, the version of the password. It has 1
/// to 128 bytes that your application chooses; anybody who holds a challenge session can read them.
///
/// Challenge sessions and remembered browsers carry the context of the view that made them, and
/// every other view refuses them. Put the version of the user's password in, so that a flow that
/// began with an old password ends with it.
///
/// ```
/// use softtoken::Context;
///
/// let context = Context::new("pool-7/web")?;
/// assert_eq!(context.as_bytes(), b"pool-7/web");
/// assert!(Context::new([0; 129]).is_err());
/// assert!(Context::new("").is_err());
/// # Ok::<(), softtoken::association::ContextError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Context(Kept);

/// Holds a short context where it is: a reference that all requests count is counted by one
/// processor at a time.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Kept {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Arc<[u8]>),
}

const SHORT: usize = 22;

impl Kept {
    fn of(bytes: &[u8]) -> Self {
        match u8::try_from(bytes.len()) {
            Ok(length) if bytes.len() <= SHORT => {
                let mut short = [0; SHORT];
                short[..bytes.len()].copy_from_slice(bytes);
                let bytes = short;
                Self::Short { length, bytes }
            }
            _ => Self::Long(bytes.into()),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().fmt(formatter)
    }
}

/// Reports a context that is empty or has more than 128 bytes. Nothing was made of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a context has 1 to 128 bytes")]
#[non_exhaustive]
pub struct ContextError;

impl Context {
    /// Limits a context, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Stands for the context of a view that has none: what needs no session is decided in it.
    pub(crate) const NONE: Self = Self(Kept::Short {
        length: 0,
        bytes: [0; SHORT],
    });

    /// Makes a context of 1 to 128 bytes.
    ///
    /// # Errors
    ///
    /// [`ContextError`] where `bytes` is empty or longer than [`Self::MAX_BYTES`].
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, ContextError> {
        let bytes = bytes.as_ref();
        if bytes.is_empty() || bytes.len() > Self::MAX_BYTES {
            return Err(ContextError);
        }
        Ok(Self(Kept::of(bytes)))
    }

    /// Returns the bytes; none where the view has no context.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) fn is_none(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

/// Names a software token: 128 random bits, drawn when its secret was issued or imported.
///
/// It is no secret. `Display` writes 32 hexadecimal digits, which `FromStr` reads.
///
/// ```
/// use softtoken::TokenId;
///
/// let id: TokenId = "000102030405060708090a0b0c0d0e0f".parse()?;
/// assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0e0f");
/// assert!("token-1".parse::<TokenId>().is_err());
/// # Ok::<(), softtoken::association::TokenIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub(crate) [u8; 16]);

/// Reports a text that is not 32 hexadecimal digits. Nothing was looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a token's id has 32 hexadecimal digits")]
#[non_exhaustive]
pub struct TokenIdError;

impl TokenId {
    pub(crate) fn draw(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        draw(entropy).map(Self)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TokenId({self})")
    }
}

impl FromStr for TokenId {
    type Err = TokenIdError;

    fn from_str(text: &str) -> Result<Self, TokenIdError> {
        let mut bytes = [0; 16];
        if text.len() != 2 * bytes.len() {
            return Err(TokenIdError);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |at: usize| char::from(digits[at]).to_digit(16).ok_or(TokenIdError);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).map_err(|_| TokenIdError)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for TokenId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for TokenId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Holds the name that a user gave to a token.
pub(crate) type TokenName = Arc<str>;

/// Holds the id of a login. It may be a credential, so `Debug` does not print it, and it is wiped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LoginId(Arc<Zeroizing<String>>);

impl LoginId {
    /// Keeps this id; `None` where it is empty.
    pub(crate) fn new(id: impl Into<String>) -> Option<Self> {
        let id = Zeroizing::new(id.into());
        (!id.is_empty()).then(|| Self(Arc::new(id)))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for LoginId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl fmt::Debug for LoginId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginId(..)")
    }
}

/// Makes a challenge session differ from every other.
pub(crate) type Nonce = [u8; 16];

/// Numbers what is in force: challenge sessions and remembered browsers of another generation are
/// dead.
pub(crate) type Generation = u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_of_every_length_is_what_it_was_made_of_and_no_other() {
        let bytes = [7; Context::MAX_BYTES + 1];
        for length in 1..=Context::MAX_BYTES {
            let context = Context::new(&bytes[..length]);
            assert_eq!(
                context.as_ref().map(Context::as_bytes),
                Ok(&bytes[..length])
            );
            assert_ne!(context, Context::new(&bytes[1..length]));
            assert_ne!(context, Ok(Context::NONE));
        }
        assert_eq!(Context::new(bytes), Err(ContextError));
    }
}
