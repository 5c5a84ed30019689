//! Rule E2: the names of rejections, flaws, faults and malformed input. Logs, metrics, alerts and
//! protocols hold on to them: none may change.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use std::collections::BTreeSet;

use softtoken::association::{
    FactorError, GrantError, ImportError, Method, SessionFlaw, TemporaryCodeError, TokenIdError,
};
use softtoken::entropy::NoEntropy;
use softtoken::error::{Malformed, OpenError};
use softtoken::policy::PolicyError;
use softtoken::record::{RecordError, SealError};
use softtoken::totp::{Digits, KeyUri, Secret, Totp};
use softtoken::{Code, Context, Error, Factor, Fault, RecoveryCode, Rejection, TokenId, UnixTime};

#[test]
fn every_rejection_has_its_name_for_good() {
    let until = UnixTime::from_secs(1_700_000_000);
    let expected = Digits::try_from(6).unwrap();
    let names = [
        (Rejection::NotAssociated, "not_associated"),
        (Rejection::Expired, "expired"),
        (Rejection::Mismatch, "mismatch"),
        (Rejection::Reused, "reused"),
        (Rejection::CodeLength { expected }, "code_length"),
        (Rejection::Throttled { until }, "throttled"),
        (Rejection::Locked, "locked"),
        (Rejection::RecoveryLocked, "recovery_locked"),
        (Rejection::InvalidSession, "invalid_session"),
        (Rejection::NotAuthorized, "not_authorized"),
        (
            Rejection::ReauthenticationRequired,
            "reauthentication_required",
        ),
        (Rejection::SecondFactorRequired, "second_factor_required"),
        (Rejection::MfaRequired, "mfa_required"),
        (Rejection::SoftwareTokenDisabled, "software_token_disabled"),
        (Rejection::AlreadyVerified, "already_verified"),
        (Rejection::TooManyTokens, "too_many_tokens"),
        (Rejection::NoSuchToken, "no_such_token"),
        (Rejection::VerifiedBefore, "verified_before"),
        (Rejection::LastStepInFuture, "last_step_in_future"),
        (Rejection::ClockBehind, "clock_behind"),
    ];
    for (rejection, name) in names {
        assert_eq!(rejection.name(), name);
        let error = Error::<NoEntropy>::from(rejection);
        assert_eq!(error.name(), name);
    }
    are_different(names.map(|(_, name)| name));
}

#[test]
fn every_method_has_its_name_for_good() {
    let names = [
        (Method::SoftwareToken, "software_token"),
        (Method::RecoveryCode, "recovery_code"),
        (Method::TemporaryCode, "temporary_code"),
        (Method::Vouched, "vouched"),
    ];
    for (method, name) in names {
        assert_eq!(method.name(), name);
    }
    are_different(names.map(|(_, name)| name));
}

#[test]
fn every_flaw_of_a_session_has_its_name_for_good() {
    let names = [
        (SessionFlaw::Forged, "forged"),
        (SessionFlaw::OtherSubject, "other_subject"),
        (SessionFlaw::OtherContext, "other_context"),
        (SessionFlaw::OtherPurpose, "other_purpose"),
        (SessionFlaw::OtherGeneration, "other_generation"),
        (SessionFlaw::OtherPending, "other_pending"),
        (SessionFlaw::Expired, "expired"),
        (SessionFlaw::Spent, "spent"),
    ];
    for (flaw, name) in names {
        assert_eq!(flaw.name(), name);
        #[cfg(feature = "serde")]
        assert_eq!(serde_json::to_value(flaw).unwrap(), name);
    }
    are_different(names.map(|(_, name)| name));
}

#[test]
fn every_fault_has_its_name_for_good() {
    let record = |error: RecordError| Fault::from(error);
    let names = [
        (Fault::NoTime, "no_time"),
        (Fault::NoEntropy(NoEntropy), "no_entropy"),
        (Fault::NoSessionKeys, "no_session_keys"),
        (
            record(RecordError::UnknownFormat { format: 9 }),
            "record_unknown_format",
        ),
        (record(RecordError::Damaged), "record_damaged"),
        (record(RecordError::DoesNotOpen), "record_does_not_open"),
        (
            record(RecordError::UnknownKey { id: 9 }),
            "record_unknown_key",
        ),
        (record(RecordError::NotSealed), "record_not_sealed"),
        (record(RecordError::Sealed), "record_sealed"),
        (Fault::NoSeal, "no_seal"),
        (Fault::SealFailed, "seal_failed"),
        (Fault::RolledBack, "rolled_back"),
        (Fault::OtherRevision, "other_revision"),
        (Fault::OtherSubject, "other_subject"),
        (Fault::Contended, "contended"),
        (Fault::RevisionsExhausted, "revisions_exhausted"),
        (Fault::Subject, "subject"),
        (Fault::from(ImportError::Empty), "import"),
        (Fault::TemporaryCodeLifetime, "temporary_code_lifetime"),
    ];
    for (fault, name) in names {
        assert_eq!(fault.name(), name);
        let error = Error::<NoEntropy>::from(fault);
        assert_eq!(error.name(), name);
    }
    are_different(names.map(|(_, name)| name));
    let store = Error::Store(NoEntropy);
    assert_eq!(store.name(), "store");
}

/// What fails below has the name of what it is, not of where it was.
#[test]
fn a_fault_from_below_has_the_name_of_what_it_is() {
    for (fault, name) in [
        (Fault::from(RecordError::SealFailed), "seal_failed"),
        (Fault::from(SealError::Failed), "seal_failed"),
        (Fault::from(SealError::NoEntropy(NoEntropy)), "no_entropy"),
        (Fault::from(ImportError::NoEntropy(NoEntropy)), "no_entropy"),
        (
            Fault::from(TemporaryCodeError::NoEntropy(NoEntropy)),
            "no_entropy",
        ),
        (
            Fault::from(TemporaryCodeError::Lifetime),
            "temporary_code_lifetime",
        ),
    ] {
        assert_eq!(fault.name(), name);
    }
    for (error, name) in [
        (OpenError::Invalid, "invalid_session"),
        (OpenError::NoSessionKeys, "no_session_keys"),
        (OpenError::NoTime, "no_time"),
    ] {
        assert_eq!(Error::<NoEntropy>::from(error).name(), name);
    }
}

#[test]
fn every_malformed_input_has_its_name_for_good() {
    let day = core::time::Duration::from_secs(86_400);
    let totp = Totp::STANDARD;
    let names = [
        (
            Malformed::from(Code::parse("x").unwrap_err()),
            "malformed_code",
        ),
        (
            RecoveryCode::parse("x").unwrap_err().into(),
            "malformed_recovery_code",
        ),
        (
            Factor::parse("x")
                .map_err(|error: FactorError| error)
                .unwrap_err()
                .into(),
            "malformed_factor",
        ),
        (
            Secret::from_base32("1").unwrap_err().into(),
            "malformed_secret",
        ),
        (
            Totp::new(totp.algorithm(), totp.digits(), day)
                .unwrap_err()
                .into(),
            "malformed_totp",
        ),
        (KeyUri::parse("x").unwrap_err().into(), "malformed_uri"),
        (Context::new("").unwrap_err().into(), "malformed_context"),
        (GrantError::Damaged.into(), "malformed_grant"),
        (
            "x".parse::<TokenId>()
                .map_err(|error: TokenIdError| error)
                .unwrap_err()
                .into(),
            "malformed_token_id",
        ),
        (PolicyError::OtherRecordRules.into(), "malformed_policy"),
    ];
    for (malformed, name) in names {
        assert_eq!(malformed.name(), name);
        assert_eq!(Error::<NoEntropy>::Malformed(malformed).name(), name);
    }
    are_different(names.map(|(_, name)| name));
}

#[track_caller]
fn are_different<const N: usize>(names: [&str; N]) {
    let distinct = BTreeSet::from(names);
    assert_eq!(distinct.len(), N, "two have one name");
}
