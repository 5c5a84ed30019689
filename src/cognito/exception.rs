//! Names the answer no by the service model.

use alloc::borrow::Cow;
use core::fmt;

use serde::Serialize;

/// Holds a refusal or a failure as a client of Amazon Cognito knows it: a name, an HTTP status, and
/// a message that the client may see.
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

/// Names an exception.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Name {
    /// Reports a member's shape, length or pattern; both or neither of `AccessToken` and `Session`;
    /// a preference for a token that is not verified, or turned off by its user where MFA is
    /// required.
    InvalidParameter,
    /// Reports an access token or a session that is not valid, or without the second factor that is
    /// needed; a locked token.
    NotAuthorized,
    /// Reports a wrong code at `VerifySoftwareToken`.
    EnableSoftwareTokenMfa,
    /// Reports a wrong code at a sign-in.
    CodeMismatch,
    /// Reports a code that was used already, at a sign-in.
    ExpiredCode,
    /// Reports that software tokens are off, or that there is none to verify, or none any more.
    SoftwareTokenMfaNotFound,
    /// Reports that other requests for the same user were faster, at `AssociateSoftwareToken`.
    ConcurrentModification,
    /// Reports that an attempt came too early; elsewhere, that other requests for the same user
    /// were faster.
    TooManyRequests,
    /// Reports that there is no such pool or client.
    ResourceNotFound,
    /// Reports that there is no such user.
    UserNotFound,
    /// Reports that the user has not confirmed their address.
    UserNotConfirmed,
    /// Reports that an administrator has reset the user's password.
    PasswordResetRequired,
    /// Reports that the pool's settings contradict each other.
    InvalidUserPoolConfiguration,
    /// Reports that your application's gateway refuses the request.
    Forbidden,
    /// Reports everything else.
    InternalError,
    /// Reports that the body is no JSON object, or that a member has another type.
    Serialization,
    /// Reports that the target names no operation of the service.
    UnknownOperation,
    /// Reports an exception of your application's own, by the name on the wire.
    Other(&'static str),
}

impl Name {
    /// Returns the name as it stands on the wire.
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

    /// Returns the service's own words where it has any.
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
    /// Makes an exception with a message of your own, which the client sees: no secret, and nothing
    /// that a client may not know.
    #[must_use]
    pub fn new(name: Name, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name,
            message: message.into(),
        }
    }

    /// Returns the name as it stands on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name.as_str()
    }

    /// Returns which exception it is.
    #[must_use]
    pub fn kind(&self) -> Name {
        self.name
    }

    /// Returns what the client is told.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the HTTP status: 500 for [`Name::InternalError`], else 400.
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
    /// Returns the body of the answer.
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
