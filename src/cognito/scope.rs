//! Names the scope that a session of a sign-in is bound to, beside its user.

use alloc::string::String;
use alloc::vec::Vec;

use crate::association::{Context, ContextError};

/// Names where a sign-in happens: in a user pool, one of its app clients, and the version of the
/// password with which it began. A scope stands for the [context](Self::context) of the request's
/// view, so a session that was made in one scope is refused in another.
///
/// ```
/// use softtoken::cognito::Scope;
///
/// let scope = Scope::new("local_optional", "webclient")?.with_password_version(3);
/// let found = Scope::of(scope.context()).expect("made by Scope");
/// assert_eq!((found.user_pool_id(), found.client_id()), ("local_optional", "webclient"));
/// assert_eq!(found.password_version(), 3);
/// # Ok::<(), softtoken::association::ContextError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scope {
    user_pool_id: String,
    client_id: String,
    password_version: u64,
    context: Context,
}

impl Scope {
    /// Makes the scope of this pool and client, with a password that never changes.
    ///
    /// # Errors
    ///
    /// [`ContextError`] where the two ids have more than 119 bytes together. Those of the service
    /// have at most 81.
    pub fn new(user_pool_id: &str, client_id: &str) -> Result<Self, ContextError> {
        Self::versioned(user_pool_id, client_id, 0)
    }

    /// Binds the version of the user's password in as well: a number that every new password
    /// changes, so that no sign-in that began with the old one is completed.
    #[must_use]
    pub fn with_password_version(self, version: u64) -> Self {
        // The version has one length, whatever it is.
        Self::versioned(&self.user_pool_id, &self.client_id, version).unwrap_or(self)
    }

    fn versioned(
        user_pool_id: &str,
        client_id: &str,
        password_version: u64,
    ) -> Result<Self, ContextError> {
        let length = u8::try_from(user_pool_id.len()).map_err(|_| ContextError)?;
        let mut bytes = Vec::with_capacity(9 + user_pool_id.len() + client_id.len());
        bytes.extend_from_slice(&password_version.to_be_bytes());
        bytes.push(length);
        bytes.extend_from_slice(user_pool_id.as_bytes());
        bytes.extend_from_slice(client_id.as_bytes());
        Ok(Self {
            user_pool_id: user_pool_id.into(),
            client_id: client_id.into(),
            password_version,
            context: Context::new(bytes)?,
        })
    }

    /// Returns the scope that a session's [context](crate::ChallengeSession::context) stands for;
    /// `None` where the context was made otherwise.
    #[must_use]
    pub fn of(context: &Context) -> Option<Self> {
        let (version, rest) = context.as_bytes().split_first_chunk()?;
        let (&length, ids) = rest.split_first()?;
        let (user_pool_id, client_id) = ids.split_at_checked(usize::from(length))?;
        Some(Self {
            user_pool_id: String::from_utf8(user_pool_id.into()).ok()?,
            client_id: String::from_utf8(client_id.into()).ok()?,
            password_version: u64::from_be_bytes(*version),
            context: context.clone(),
        })
    }

    /// Returns the pool.
    #[must_use]
    pub fn user_pool_id(&self) -> &str {
        &self.user_pool_id
    }

    /// Returns the client.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Returns the version of the user's password.
    #[must_use]
    pub fn password_version(&self) -> u64 {
        self.password_version
    }

    /// Returns the context, as the sessions and the evidence of a sign-in carry it.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }
}
