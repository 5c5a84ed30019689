//! Names what the machine and the store refuse, in one place.

use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::exception::{Exception, Name};
use crate::association::{EventKind, Rejection, SessionFlaw};
use crate::error::{Error, Fault, OpenError};
use crate::mfa::Mfa;

/// Holds the answer no, or a failure: as the client is told, and as it was.
///
/// ```
/// use softtoken::cognito::Call;
/// use softtoken::{Administrator, MemoryStore, Mfa, Policy};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let (store, mfa) = (MemoryStore::new(), Mfa::system(Policy::COGNITO));
/// let target = "AWSCognitoIdentityProviderService.AdminSetUserMFAPreference";
/// let body = br#"{
///     "UserPoolId": "local_pool", "Username": "alice",
///     "SoftwareTokenMfaSettings": {"Enabled": true}
/// }"#;
/// let Some(Call::Administrator(call)) = Call::parse(target, body)? else {
///     panic!("an administrator speaks");
/// };
/// let root = Administrator::named("root");
/// let refusal = call.answer(&mfa, "user-1", &root).run_blocking(&store).unwrap_err();
/// assert_eq!(refusal.exception().name(), "InvalidParameterException");
/// assert_eq!(refusal.exception().message(), "User has not set up software token mfa");
/// assert_eq!(refusal.error().name(), "not_associated");
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
            Error::Malformed(malformed) => {
                Exception::new(Name::InvalidParameter, alloc::format!("{malformed}"))
            }
            Error::Fault(_) | Error::Store(_) => Name::InternalError.into(),
        };
        Self { exception, error }
    }

    /// Returns the exception for the client: [`Response::refused`](super::Response::refused).
    #[must_use]
    pub fn exception(&self) -> &Exception {
        &self.exception
    }

    /// Returns the error, for the log and for `Retry-After`.
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

/// Says what was asked, as far as it changes what an answer is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum During {
    Associate,
    /// Verifies by an access token.
    Verify,
    VerifyBySession,
    SignIn,
    Prefer,
    /// Says that the user has no token, but a secret that waits for its code.
    PreferPending,
}

impl During {
    pub(super) fn prefer(is_pending: bool) -> Self {
        if is_pending {
            Self::PreferPending
        } else {
            Self::Prefer
        }
    }
}

/// Knows whether a session was refused because it has succeeded before: that alone of a session's
/// flaws has words of its own, which clients look for.
#[derive(Clone, Debug, Default)]
pub(super) struct Used(Arc<AtomicBool>);

impl Used {
    /// Returns the same view; what it refuses is heard here.
    pub(super) fn watching(&self, mfa: &Mfa) -> Mfa {
        let used = self.0.clone();
        mfa.overheard(move |event| {
            let spent = Some(SessionFlaw::Spent);
            if matches!(&event.kind, EventKind::Refused { flaw, .. } if *flaw == spent) {
                used.store(true, Relaxed);
            }
        })
    }

    pub(super) fn named<T, E>(&self, outcome: Result<T, Refusal<E>>) -> Result<T, Refusal<E>> {
        outcome.map_err(|refusal| match refusal.error.rejection() {
            Some(Rejection::InvalidSession) if self.0.load(Relaxed) => Refusal {
                exception: Exception::new(Name::NotAuthorized, USED_SESSION),
                ..refusal
            },
            _ => refusal,
        })
    }
}

/// Holds the service's own words for a session that has succeeded before.
const USED_SESSION: &str = "Invalid session for the user, session can only be used once.";

/// Holds the service's own words for a session that is not taken, whatever else is wrong with it.
const INVALID_SESSION: &str = "Invalid session for the user, session is expired or invalid.";

/// Names a rejection, by the table.
fn rejected(rejection: Rejection, during: During) -> Exception {
    let name = match (rejection, during) {
        (Rejection::Mismatch | Rejection::Reused, During::Verify | During::VerifyBySession) => {
            Name::EnableSoftwareTokenMfa
        }
        (Rejection::Mismatch, _) => Name::CodeMismatch,
        (Rejection::Reused, _) => Name::ExpiredCode,
        (Rejection::NotAssociated, During::Prefer) => {
            let message = "User has not set up software token mfa";
            return Exception::new(Name::InvalidParameter, message);
        }
        (Rejection::NotAssociated, During::PreferPending) => {
            let message = "User has not verified software token mfa";
            return Exception::new(Name::InvalidParameter, message);
        }
        (Rejection::SoftwareTokenDisabled, _) => {
            let message = "Software Token MFA has not been enabled by the userPool";
            return Exception::new(Name::SoftwareTokenMfaNotFound, message);
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
        // The service's users have one token; an application that allows more has to say which
        // one is to go, for which the service has no member.
        (Rejection::TooManyTokens, _) => {
            let message = "The user has as many software tokens as allowed";
            return Exception::new(Name::InvalidParameter, message);
        }
        // A session that has verified its token has ended, as far as the service's clients know.
        (Rejection::AlreadyVerified, During::VerifyBySession) => {
            return Exception::new(Name::NotAuthorized, USED_SESSION);
        }
        (Rejection::InvalidSession, _) => {
            return Exception::new(Name::NotAuthorized, INVALID_SESSION);
        }
        // Just verified: nothing is left that waits for a code.
        (Rejection::AlreadyVerified, During::Verify)
        | (Rejection::NotAssociated | Rejection::Expired | Rejection::NoSuchToken, _) => {
            Name::SoftwareTokenMfaNotFound
        }
        (Rejection::Throttled { .. }, _) => Name::TooManyRequests,
        (
            Rejection::Locked
            | Rejection::RecoveryLocked
            | Rejection::NotAuthorized
            | Rejection::ReauthenticationRequired
            | Rejection::SecondFactorRequired,
            _,
        ) => return Exception::new(Name::NotAuthorized, alloc::format!("{rejection}")),
        // Imports, and the server's clock: a client can do nothing about them.
        (
            Rejection::AlreadyVerified
            | Rejection::VerifiedBefore
            | Rejection::LastStepInFuture
            | Rejection::ClockBehind,
            _,
        ) => Name::InternalError,
    };
    name.into()
}

impl From<Rejection> for Exception {
    /// Names a rejection as a sign-in does: for what your application refuses before there is an
    /// exchange.
    fn from(rejection: Rejection) -> Self {
        rejected(rejection, During::SignIn)
    }
}

impl From<OpenError> for Exception {
    /// Names what [`Mfa::open`](crate::Mfa::open) refuses before there is an exchange.
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Invalid => Rejection::InvalidSession.into(),
            OpenError::NoSessionKeys | OpenError::NoTime => Name::InternalError.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use super::{During, Exception, Name, Refusal, rejected};
    use crate::association::Rejection;
    use crate::entropy::NoEntropy;
    use crate::error::{Error, Fault, Malformed, OpenError};
    use crate::record::RecordError;
    use crate::time::UnixTime;
    use crate::totp::{CodeError, Digits};

    const EVERYWHERE: [During; 6] = [
        During::Associate,
        During::Verify,
        During::VerifyBySession,
        During::SignIn,
        During::Prefer,
        During::PreferPending,
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
            (Rejection::RecoveryLocked, Name::NotAuthorized),
            (Rejection::InvalidSession, Name::NotAuthorized),
            (Rejection::NotAuthorized, Name::NotAuthorized),
            (Rejection::ReauthenticationRequired, Name::NotAuthorized),
            (Rejection::SecondFactorRequired, Name::NotAuthorized),
            (Rejection::TooManyTokens, Name::InvalidParameter),
            (Rejection::NoSuchToken, Name::SoftwareTokenMfaNotFound),
            (Rejection::VerifiedBefore, Name::InternalError),
            (Rejection::LastStepInFuture, Name::InternalError),
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
            (
                Rejection::Mismatch,
                During::VerifyBySession,
                Name::EnableSoftwareTokenMfa,
            ),
            (
                Rejection::Reused,
                During::VerifyBySession,
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

    const INVALID_SESSION: &str = "Invalid session for the user, session is expired or invalid.";
    const USED_SESSION: &str = "Invalid session for the user, session can only be used once.";

    #[test]
    fn what_is_wrong_with_a_session_has_the_services_words() {
        for during in EVERYWHERE {
            let exception = rejected(Rejection::InvalidSession, during);
            assert_eq!(exception.kind(), Name::NotAuthorized);
            assert_eq!(exception.message(), INVALID_SESSION);
        }
        let exception = Exception::from(OpenError::Invalid);
        assert_eq!(exception, Exception::from(Rejection::InvalidSession));
    }

    #[test]
    fn just_verified_is_not_there_by_access_token_and_an_ended_session_by_session() {
        let told = |during| rejected(Rejection::AlreadyVerified, during);
        assert_eq!(
            told(During::Verify),
            Name::SoftwareTokenMfaNotFound.into(),
            "by access token"
        );
        let by_session = told(During::VerifyBySession);
        assert_eq!(by_session.kind(), Name::NotAuthorized);
        assert_eq!(by_session.message(), USED_SESSION);
        for during in [During::Associate, During::SignIn, During::Prefer] {
            assert_eq!(told(during), Name::InternalError.into(), "{during:?}");
        }
    }

    #[test]
    fn a_session_that_cannot_be_opened_for_want_of_keys_or_time_is_internal() {
        for error in [OpenError::NoSessionKeys, OpenError::NoTime] {
            assert_eq!(Exception::from(error), Name::InternalError.into());
        }
    }

    #[test]
    fn malformed_input_is_a_parameter_with_its_own_words() {
        let error: Error<Infallible> = Malformed::Code(CodeError::NotDigits).into();
        let refusal = Refusal::of(error, During::SignIn);
        assert_eq!(refusal.exception().kind(), Name::InvalidParameter);
        assert_eq!(
            refusal.exception().message(),
            CodeError::NotDigits.to_string()
        );
    }
}
