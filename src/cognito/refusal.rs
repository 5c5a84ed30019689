//! Which no it is: the one place that names what the machine and the store refuse (SPEC 11).

use core::fmt;

use super::exception::{Exception, Name};
use crate::association::Rejection;
use crate::error::{Error, Fault};

/// The answer no, or a failure: as the client is told, and as it was.
///
/// ```
/// use softtoken::cognito::Call;
/// use softtoken::{Administrator, MemoryStore, Mfa, Policy};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let (store, mfa) = (MemoryStore::new(), Mfa::system(Policy::COGNITO));
/// let target = "AWSCognitoIdentityProviderService.AdminSetUserMFAPreference";
/// let body = br#"{"UserPoolId": "local_pool", "Username": "alice", "SoftwareTokenMfaSettings": {"Enabled": true}}"#;
/// let Some(Call::Administrator(call)) = Call::parse(target, body)? else {
///     unreachable!("an administrator speaks");
/// };
/// let refusal = call.answer(&mfa, "user-1", Administrator).run_blocking(&store).unwrap_err();
/// assert_eq!(refusal.exception().name(), "InvalidParameterException");
/// assert_eq!(refusal.exception().message(), "User has not verified software token mfa");
/// assert_eq!(refusal.error().code(), "not_associated");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Refusal<E> {
    exception: Exception,
    error: Error<E>,
}

impl<E> Refusal<E> {
    pub(super) fn of(error: Error<E>, during: During) -> Self {
        let exception = match &error {
            Error::Rejected { rejection, .. } => rejected(*rejection, during),
            Error::Fault(Fault::Contended) if during == During::Associate => {
                Name::ConcurrentModification.into()
            }
            Error::Fault(Fault::Contended) => Name::TooManyRequests.into(),
            Error::Fault(_) | Error::Store(_) => Name::InternalError.into(),
        };
        Self { exception, error }
    }

    /// For the client: [`Response::refused`](super::Response::refused).
    #[must_use]
    pub fn exception(&self) -> &Exception {
        &self.exception
    }

    /// For the log, and for `Retry-After`.
    #[must_use]
    pub fn error(&self) -> &Error<E> {
        &self.error
    }
}

impl<E> fmt::Display for Refusal<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exception.fmt(formatter)
    }
}

impl<E: core::error::Error + 'static> core::error::Error for Refusal<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// What was asked, as far as it changes what an answer is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum During {
    Associate,
    Verify,
    SignIn,
    Prefer,
}

/// The table.
fn rejected(rejection: Rejection, during: During) -> Exception {
    let name = match (rejection, during) {
        (Rejection::Mismatch | Rejection::Reused, During::Verify) => Name::EnableSoftwareTokenMfa,
        (Rejection::Mismatch, _) => Name::CodeMismatch,
        (Rejection::Reused, _) => Name::ExpiredCode,
        (Rejection::NotAssociated, During::Prefer) => {
            return Exception::new(
                Name::InvalidParameter,
                "User has not verified software token mfa",
            );
        }
        (Rejection::MfaRequired, _) => {
            return Exception::new(
                Name::InvalidParameter,
                "MFA is required in this user pool and cannot be turned off",
            );
        }
        (Rejection::CodeLength { expected }, _) => {
            let message = alloc::format!("A code has {} digits", expected.get());
            return Exception::new(Name::InvalidParameter, message);
        }
        (Rejection::NotAssociated | Rejection::Expired | Rejection::SoftwareTokenDisabled, _) => {
            Name::SoftwareTokenMfaNotFound
        }
        (Rejection::Throttled { .. }, _) => Name::TooManyRequests,
        (
            Rejection::InvalidSession
            | Rejection::Locked
            | Rejection::NotAuthorized
            | Rejection::ReauthenticationRequired
            | Rejection::SecondFactorRequired,
            _,
        ) => return Exception::new(Name::NotAuthorized, alloc::format!("{rejection}")),
        // An administrator's operations, and a server's clock, are nothing a client can do anything about.
        (Rejection::AlreadyVerified | Rejection::ClockBehind, _) => Name::InternalError,
    };
    name.into()
}

impl From<Rejection> for Exception {
    /// What a sign-in's rejection is called: [`Mfa::claims_of`](crate::Mfa::claims_of) refuses sessions before there is a call.
    fn from(rejection: Rejection) -> Self {
        rejected(rejection, During::SignIn)
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use super::{During, Exception, Name, Refusal, rejected};
    use crate::association::Rejection;
    use crate::entropy::NoEntropy;
    use crate::error::{Error, Fault};
    use crate::record::RecordError;
    use crate::time::UnixTime;
    use crate::totp::Digits;

    const EVERYWHERE: [During; 4] = [
        During::Associate,
        During::Verify,
        During::SignIn,
        During::Prefer,
    ];

    #[test]
    fn a_rejection_has_one_name_everywhere_but_for_a_code_and_a_token_that_is_not_there() {
        let until = UnixTime::from_secs(1);
        for (rejection, name) in [
            (Rejection::Expired, Name::SoftwareTokenMfaNotFound),
            (
                Rejection::SoftwareTokenDisabled,
                Name::SoftwareTokenMfaNotFound,
            ),
            (
                Rejection::CodeLength {
                    expected: Digits::Six,
                },
                Name::InvalidParameter,
            ),
            (Rejection::MfaRequired, Name::InvalidParameter),
            (Rejection::Throttled { until }, Name::TooManyRequests),
            (Rejection::Locked, Name::NotAuthorized),
            (Rejection::InvalidSession, Name::NotAuthorized),
            (Rejection::NotAuthorized, Name::NotAuthorized),
            (Rejection::ReauthenticationRequired, Name::NotAuthorized),
            (Rejection::SecondFactorRequired, Name::NotAuthorized),
            (Rejection::AlreadyVerified, Name::InternalError),
            (Rejection::ClockBehind, Name::InternalError),
        ] {
            for during in EVERYWHERE {
                assert_eq!(
                    rejected(rejection, during).kind(),
                    name,
                    "{rejection:?} {during:?}"
                );
            }
        }
    }

    #[test]
    fn a_code_that_does_not_fit_is_called_by_where_it_was_given() {
        for (rejection, during, name) in [
            (
                Rejection::Mismatch,
                During::Verify,
                Name::EnableSoftwareTokenMfa,
            ),
            (
                Rejection::Reused,
                During::Verify,
                Name::EnableSoftwareTokenMfa,
            ),
            (Rejection::Mismatch, During::SignIn, Name::CodeMismatch),
            (Rejection::Reused, During::SignIn, Name::ExpiredCode),
            (
                Rejection::NotAssociated,
                During::Verify,
                Name::SoftwareTokenMfaNotFound,
            ),
            (
                Rejection::NotAssociated,
                During::SignIn,
                Name::SoftwareTokenMfaNotFound,
            ),
            (
                Rejection::NotAssociated,
                During::Prefer,
                Name::InvalidParameter,
            ),
        ] {
            assert_eq!(
                rejected(rejection, during).kind(),
                name,
                "{rejection:?} {during:?}"
            );
        }
    }

    #[test]
    fn a_lost_race_is_the_clients_to_retry_and_every_other_fault_is_internal() {
        let of = |fault: Fault, during| {
            let error: Error<Infallible> = fault.into();
            Refusal::of(error, during).exception().clone()
        };
        for during in EVERYWHERE {
            let name = match during {
                During::Associate => Name::ConcurrentModification,
                _ => Name::TooManyRequests,
            };
            assert_eq!(of(Fault::Contended, during).kind(), name, "{during:?}");
            for fault in [
                Fault::NoTime,
                Fault::NoEntropy(NoEntropy),
                Fault::NoSessionKeys,
                Fault::Record(RecordError::Damaged),
                Fault::NoSeal,
                Fault::SealFailed,
                Fault::RolledBack,
                Fault::RevisionsExhausted,
                Fault::Subject,
            ] {
                let exception = of(fault, during);
                assert_eq!(exception, Name::InternalError.into(), "{fault:?}");
                assert_eq!(exception.status(), 500);
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_session_has_the_services_words() {
        let exception = Exception::from(Rejection::InvalidSession);
        assert_eq!(exception.kind(), Name::NotAuthorized);
        let told = "Invalid session for the user, session is expired or invalid.";
        assert_eq!(exception.message(), told);
    }
}
