//! What a refusal is called.

use std::borrow::Cow;

use softtoken::Rejection;
use softtoken::cognito::{self, Name};
use softtoken::error::OpenError;

/// A refusal or a failure. The message goes to the client: it says what a client may know.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Exception(#[from] pub(crate) cognito::Exception);

/// What an operation gives.
pub(crate) type Answer<T> = Result<T, Exception>;

macro_rules! names {
    ($($constructor:ident => $name:expr;)*) => {
        $(pub(crate) fn $constructor(message: impl Into<Cow<'static, str>>) -> Self {
            Self(cognito::Exception::new($name, message))
        })*
    };
}

impl Exception {
    names! {
        alias_exists => Name::Other("AliasExistsException");
        code_mismatch => Name::CodeMismatch;
        forbidden => Name::Forbidden;
        invalid_parameter => Name::InvalidParameter;
        invalid_password => Name::Other("InvalidPasswordException");
        not_authorized => Name::NotAuthorized;
        password_reset_required => Name::PasswordResetRequired;
        resource_not_found => Name::ResourceNotFound;
        refresh_token_reuse => Name::Other("RefreshTokenReuseException");
        serialization => Name::Serialization;
        unauthorized => Name::Other("UnauthorizedException");
        unsupported_operation => Name::Other("UnsupportedOperationException");
        unsupported_token_type => Name::Other("UnsupportedTokenTypeException");
        unknown_operation => Name::UnknownOperation;
        unsupported_user_state => Name::Other("UnsupportedUserStateException");
        user_not_confirmed => Name::UserNotConfirmed;
        user_not_found => Name::UserNotFound;
        username_exists => Name::Other("UsernameExistsException");
    }

    /// A session that is not taken, whatever is wrong with it.
    pub(crate) fn invalid_session() -> Self {
        Self(Rejection::InvalidSession.into())
    }

    /// A session that was taken before.
    pub(crate) fn session_used() -> Self {
        Self::not_authorized("Invalid session for the user, session can only be used once.")
    }

    /// Whether there is no such pool or client.
    pub(crate) fn is_not_found(&self) -> bool {
        self.0.kind() == Name::ResourceNotFound
    }

    /// The cause is for the log alone.
    pub(crate) fn internal(cause: impl core::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Name::InternalError.into()
    }
}

impl From<Name> for Exception {
    fn from(name: Name) -> Self {
        Self(name.into())
    }
}

impl From<OpenError> for Exception {
    fn from(error: OpenError) -> Self {
        Self(error.into())
    }
}

impl From<rusqlite::Error> for Exception {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(error)
    }
}
