//! What all floors name: the context of a flow, a secret that waits, a session that was drawn.

use alloc::vec::Vec;

/// What the embedder wants to find again at the end of a flow: the pool, the app client, the password's version. Up to 128
/// bytes of its choosing; everybody who holds the session can read them.
///
/// ```
/// use softtoken::Context;
///
/// let context = Context::new("pool-7/web")?;
/// assert_eq!(context.as_bytes(), b"pool-7/web");
/// assert!(Context::new([0; 129]).is_err());
/// # Ok::<(), softtoken::ContextTooLong>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Context(Vec<u8>);

/// A context of more than 128 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a context has at most 128 bytes")]
pub struct ContextTooLong;

impl Context {
    /// The longest context, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// A context of these bytes.
    ///
    /// # Errors
    ///
    /// [`ContextTooLong`] above [`Self::MAX_BYTES`].
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, ContextTooLong> {
        let bytes = bytes.as_ref();
        if bytes.len() > Self::MAX_BYTES {
            return Err(ContextTooLong);
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What makes a secret that waits differ from every other.
pub(crate) type PendingId = [u8; 16];

/// What makes a session differ from every other.
pub(crate) type Nonce = [u8; 16];
