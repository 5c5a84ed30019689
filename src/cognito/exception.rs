//! The answer no, by the names of the service model.

use alloc::borrow::Cow;
use core::fmt;

use serde::Serialize;

/// A refusal or a failure as a client of Amazon Cognito knows it: a name, an HTTP status, and a message that it may see.
///
/// ```
/// use softtoken::cognito::{Exception, Name};
///
/// let unknown = Exception::from(Name::UserNotFound);
/// assert_eq!((unknown.name(), unknown.status()), ("UserNotFoundException", 400));
/// let taken = Exception::new(Name::Other("UsernameExistsException"), "User already exists");
/// assert_eq!(taken.to_string(), "UsernameExistsException: User already exists");
/// assert_eq!(Exception::from(Name::InternalError).status(), 500);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exception {
    name: Name,
    message: Cow<'static, str>,
}

/// What an exception is called.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Name {
    /// A member's shape, length or pattern; both or neither of `AccessToken` and `Session`; a preference that is not to be had.
    InvalidParameter,
    /// An access token or a session that is not valid, or without the second factor that it takes; a locked token.
    NotAuthorized,
    /// A wrong code at `VerifySoftwareToken`.
    EnableSoftwareTokenMfa,
    /// A wrong code at a sign-in.
    CodeMismatch,
    /// A code that was used already, at a sign-in.
    ExpiredCode,
    /// Software tokens are off, or there is none to verify.
    SoftwareTokenMfaNotFound,
    /// Other requests for the same user were faster, at `AssociateSoftwareToken`.
    ConcurrentModification,
    /// Throttled; elsewhere, other requests for the same user were faster.
    TooManyRequests,
    /// No such pool or client.
    ResourceNotFound,
    /// No such user.
    UserNotFound,
    /// The user has not confirmed their address.
    UserNotConfirmed,
    /// An administrator has reset the user's password.
    PasswordResetRequired,
    /// The pool's settings contradict each other.
    InvalidUserPoolConfiguration,
    /// The embedder's gateway lets nobody in from there.
    Forbidden,
    /// Everything else.
    InternalError,
    /// The body is no JSON object, or a member has another type.
    Serialization,
    /// The target names no operation of the service.
    UnknownOperation,
    /// One of the embedder's own, by the name on the wire.
    Other(&'static str),
}

impl Name {
    /// As it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidParameter => "InvalidParameterException",
            Self::NotAuthorized => "NotAuthorizedException",
            Self::EnableSoftwareTokenMfa => "EnableSoftwareTokenMFAException",
            Self::CodeMismatch => "CodeMismatchException",
            Self::ExpiredCode => "ExpiredCodeException",
            Self::SoftwareTokenMfaNotFound => "SoftwareTokenMFANotFoundException",
            Self::ConcurrentModification => "ConcurrentModificationException",
            Self::TooManyRequests => "TooManyRequestsException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::UserNotFound => "UserNotFoundException",
            Self::UserNotConfirmed => "UserNotConfirmedException",
            Self::PasswordResetRequired => "PasswordResetRequiredException",
            Self::InvalidUserPoolConfiguration => "InvalidUserPoolConfigurationException",
            Self::Forbidden => "ForbiddenException",
            Self::InternalError => "InternalErrorException",
            Self::Serialization => "SerializationException",
            Self::UnknownOperation => "UnknownOperationException",
            Self::Other(name) => name,
        }
    }

    /// The service's own words where it has any.
    const fn message(self) -> &'static str {
        match self {
            Self::InvalidParameter => "Invalid parameter",
            Self::NotAuthorized => "Not authorized",
            Self::EnableSoftwareTokenMfa => "Code mismatch",
            Self::CodeMismatch => "Invalid code received for user",
            Self::ExpiredCode => "Your software token has already been used once.",
            Self::SoftwareTokenMfaNotFound => "Software token MFA has not been set up",
            Self::ConcurrentModification => "Concurrent modification, please retry",
            Self::TooManyRequests => "Too many requests",
            Self::ResourceNotFound => "Resource not found",
            Self::UserNotFound => "User does not exist.",
            Self::UserNotConfirmed => "User is not confirmed.",
            Self::PasswordResetRequired => "Password reset required for the user",
            Self::InvalidUserPoolConfiguration => "The user pool's settings contradict each other",
            Self::Forbidden => "Forbidden",
            Self::InternalError => "Something went wrong",
            Self::Serialization => "The request is not of the operation's shape",
            Self::UnknownOperation => "Unknown operation",
            Self::Other(name) => name,
        }
    }
}

impl Exception {
    /// With a message of the embedder's, which the client sees: no secret, and nothing that a client may not know.
    #[must_use]
    pub fn new(name: Name, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name,
            message: message.into(),
        }
    }

    /// As it stands on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name.as_str()
    }

    /// Which one it is.
    #[must_use]
    pub fn kind(&self) -> Name {
        self.name
    }

    /// What the client is told.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// 500 for [`Name::InternalError`], else 400.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.name {
            Name::InternalError => 500,
            _ => 400,
        }
    }
}

impl From<Name> for Exception {
    fn from(name: Name) -> Self {
        Self::new(name, name.message())
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name(), self.message)
    }
}

impl core::error::Error for Exception {}

impl Serialize for Exception {
    /// The body of the answer.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(rename = "__type")]
            name: &'a str,
            message: &'a str,
        }
        let (name, message) = (self.name(), self.message());
        Body { name, message }.serialize(serializer)
    }
}
