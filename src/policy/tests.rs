#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::time::Duration;

use super::{Policy, PolicyBuilder, PolicyError, Requirement, Throttle};
use crate::time::UnixTime;
use crate::totp::{Algorithm, Digits, Totp, Window};

const FROM: UnixTime = UnixTime::from_secs(1_700_000_000);

fn is_ok(builder: PolicyBuilder) {
    assert!(builder.build().is_ok(), "{builder:?}");
}

fn is_refused(builder: PolicyBuilder, error: PolicyError) {
    assert_eq!(builder.build(), Err(error), "{builder:?}");
}

#[test]
fn a_wait_is_never_shorter_than_the_one_before() {
    let throttle = Throttle::STANDARD;
    let mut before = Duration::ZERO;
    for failures in 0..=200 {
        let wait = throttle.wait(failures);
        assert!(wait >= before, "{failures}");
        before = wait;
    }
    assert_eq!(before, throttle.cap);
    assert_eq!(throttle.wait(u32::MAX), throttle.cap);
}

/// Holds every number as the documentation states it; a field that is added has to be named here.
#[test]
fn every_number_of_the_standard_policy_is_the_documented_one() {
    let seconds = Duration::from_secs;
    let standard = PolicyBuilder {
        requirement: Requirement::Optional,
        software_tokens: true,
        max_tokens: 1,
        enable_on_verify: true,
        totp: Totp::new(Algorithm::Sha1, Digits::Six, seconds(30)).unwrap(),
        secret_bytes: 20,
        window: Window::new(1, 1).unwrap(),
        learn_drift: false,
        resynchronise_reach: 20,
        pending_lifetime: seconds(600),
        session_lifetime: seconds(180),
        reauthenticate_within: Some(seconds(900)),
        waive_possession_of_unasked_token: false,
        raise_preference_by_first_factor: false,
        name_bytes: 256,
        throttle: Throttle {
            free: 3,
            base: seconds(5),
            cap: seconds(900),
            streak_limit: 100,
            debt_limit: 100,
            debt_decay: seconds(43_200),
            suspect_at: 5,
            suspicion_limit: 10,
        },
        recovery_limit: None,
        swap_attempts: 16,
    };
    assert_eq!(Policy::STANDARD.to_builder(), standard);
    assert_eq!(Policy::MAX_TOKENS, 10);
}

#[test]
fn the_named_policies_differ_in_what_cognito_is_known_for() {
    let cognito = Policy::builder()
        .enable_on_verify(false)
        .secret_bytes(32)
        .reauthenticate_within(None)
        .waive_possession_of_unasked_token(true)
        .raise_preference_by_first_factor(true);
    assert_eq!(cognito.build(), Ok(Policy::COGNITO));
}

#[test]
fn a_requirement_begins_with_its_time() {
    let before = UnixTime::from_secs(FROM.as_secs() - 1);
    for (requirement, required) in [
        (Requirement::Off, [false, false]),
        (Requirement::Optional, [false, false]),
        (Requirement::Required, [true, true]),
        (Requirement::RequiredFrom(FROM), [false, true]),
    ] {
        let policy = Policy::builder().requirement(requirement).build().unwrap();
        assert_eq!([before, FROM].map(|now| policy.requires(now)), required);
    }
}

#[test]
fn what_requires_a_second_factor_allows_software_tokens() {
    let off = Policy::builder().software_tokens(false);
    for requirement in [Requirement::Off, Requirement::Optional] {
        is_ok(off.requirement(requirement));
    }
    for requirement in [Requirement::Required, Requirement::RequiredFrom(FROM)] {
        is_refused(
            off.requirement(requirement),
            PolicyError::RequiredButDisabled,
        );
    }
    let off = off.build().unwrap();
    for policy in [off.required(), off.required_from(FROM)] {
        assert!(policy.software_tokens());
        assert_eq!(policy.to_builder().build(), Ok(policy));
    }
    assert_eq!(off.required(), Policy::STANDARD.required());
    assert_eq!(
        off.required_from(FROM).requirement(),
        Requirement::RequiredFrom(FROM)
    );
}

#[test]
fn a_number_is_refused_just_out_of_its_range() {
    let new = Policy::builder;
    for tokens in [1, Policy::MAX_TOKENS] {
        is_ok(new().max_tokens(tokens));
    }
    for tokens in [0, Policy::MAX_TOKENS + 1] {
        is_refused(new().max_tokens(tokens), PolicyError::MaxTokens);
    }
    for wrong in [None, Some(1), Some(100)] {
        is_ok(new().recovery_limit(wrong));
    }
    for wrong in [0, 101] {
        is_refused(
            new().recovery_limit(Some(wrong)),
            PolicyError::RecoveryLimit,
        );
    }
    for bytes in [16, 64] {
        is_ok(new().secret_bytes(bytes));
    }
    for bytes in [15, 65] {
        is_refused(new().secret_bytes(bytes), PolicyError::SecretBytes);
    }
}

#[test]
fn a_number_of_the_throttle_is_refused_just_out_of_its_range() {
    let with = |throttle| Policy::builder().throttle(throttle);
    let standard = Throttle::STANDARD;
    let streak = |streak_limit| Throttle {
        streak_limit,
        ..standard
    };
    let suspicion = |suspicion_limit| Throttle {
        suspicion_limit,
        ..standard
    };
    for throttle in [streak(1), streak(100), suspicion(1), suspicion(u32::MAX)] {
        is_ok(with(throttle));
    }
    for throttle in [streak(0), streak(101), suspicion(0)] {
        is_refused(with(throttle), PolicyError::Throttle);
    }
}

/// 60 steps of the lifetime, the present one, and a window of one step twice: 63 of 64.
#[test]
fn one_tokens_own_codes_cannot_fill_the_spent_sessions() {
    let quick = Totp::new(Algorithm::Sha1, Digits::Six, Duration::from_secs(15)).unwrap();
    let narrow = Policy::builder()
        .totp(quick)
        .session_lifetime(Duration::from_secs(900))
        .window(Window::new(0, 0).unwrap());
    is_ok(narrow);
    is_refused(
        narrow.window(Window::new(1, 0).unwrap()),
        PolicyError::SpentBound,
    );
}

#[test]
fn a_view_may_differ_in_what_no_record_depends_on() {
    let standard = Policy::builder();
    let long = Totp::new(Algorithm::Sha256, Digits::Eight, Duration::from_secs(60)).unwrap();
    for view in [
        standard.requirement(Requirement::RequiredFrom(FROM)),
        standard.software_tokens(false),
        standard.enable_on_verify(false),
        standard.totp(long),
        standard.secret_bytes(32),
        standard.pending_lifetime(Duration::from_secs(60)),
        standard.reauthenticate_within(None),
        standard.waive_possession_of_unasked_token(true),
        standard.raise_preference_by_first_factor(true),
        standard.swap_attempts(1),
    ] {
        let view = view.build().unwrap();
        assert!(Policy::STANDARD.shares_record_with(&view), "{view:?}");
        assert!(view.shares_record_with(&Policy::STANDARD), "{view:?}");
    }
    for view in [
        standard.max_tokens(2),
        standard.window(Window::new(1, 0).unwrap()),
        standard.learn_drift(true),
        standard.resynchronise_reach(21),
        standard.session_lifetime(Duration::from_secs(181)),
        standard.name_bytes(255),
        standard.recovery_limit(Some(100)),
        standard.throttle(Throttle {
            suspicion_limit: 11,
            ..Throttle::STANDARD
        }),
    ] {
        let view = view.build().unwrap();
        assert!(!Policy::STANDARD.shares_record_with(&view), "{view:?}");
        assert!(!view.shares_record_with(&Policy::STANDARD), "{view:?}");
    }
}

#[test]
fn a_record_grows_by_tokens_and_names() {
    let size = |tokens, name| {
        let policy = Policy::builder().max_tokens(tokens).name_bytes(name);
        policy.build().unwrap().max_record_bytes()
    };
    let token = size(2, 0) - size(1, 0);
    assert_eq!(size(10, 0) - size(1, 0), 9 * token);
    // One name for each token and one for what is pending.
    assert_eq!(size(1, 1024) - size(1, 0), 2 * 1024);
    assert_eq!(size(10, 1024) - size(10, 0), 11 * 1024);
}

#[cfg(feature = "serde")]
mod serde {
    use core::time::Duration;

    use serde_json::{from_value, json, to_value};

    use super::{FROM, Policy, Requirement, Throttle};

    #[test]
    fn a_requirement_is_a_word_or_a_word_and_a_time() {
        for (requirement, written) in [
            (Requirement::Off, json!("off")),
            (Requirement::Optional, json!("optional")),
            (Requirement::Required, json!("required")),
            (
                Requirement::RequiredFrom(FROM),
                json!({ "required_from": 1_700_000_000 }),
            ),
        ] {
            assert_eq!(to_value(requirement).unwrap(), written);
            assert_eq!(from_value::<Requirement>(written).unwrap(), requirement);
        }
    }

    #[test]
    fn a_policy_is_read_from_what_it_was_written_to() {
        let other = Policy::COGNITO
            .required_from(FROM)
            .to_builder()
            .max_tokens(10)
            .recovery_limit(Some(100))
            .raise_preference_by_first_factor(false)
            .throttle(Throttle {
                streak_limit: 50,
                suspicion_limit: 20,
                ..Throttle::STANDARD
            })
            .build()
            .unwrap();
        for policy in [Policy::STANDARD, Policy::COGNITO, other] {
            let written = to_value(policy).unwrap();
            assert_eq!(from_value::<Policy>(written).unwrap(), policy);
        }
    }

    #[test]
    fn a_configuration_names_what_differs_and_nothing_unknown() {
        let read = |value| from_value::<Policy>(value).map_err(|error| error.to_string());
        assert_eq!(read(json!({})), Ok(Policy::STANDARD));
        let policy = read(json!({ "max_tokens": 3, "throttle": { "streak_limit": 10 } })).unwrap();
        assert_eq!(policy.max_tokens(), 3);
        assert_eq!(policy.throttle().streak_limit, 10);
        assert_eq!(policy.throttle().suspicion_limit, 10);
        let quarter = Some(Duration::from_secs(900));
        assert_eq!(policy.reauthenticate_within(), quarter);
        let policy = read(json!({ "reauthenticate_within": null })).unwrap();
        assert_eq!(policy.reauthenticate_within(), None);

        for (refused, because) in [
            (json!({ "spent_bound": 64 }), "unknown field"),
            (json!({ "throttle": { "streak": 1 } }), "unknown field"),
            (json!({ "max_tokens": 11 }), "1 to 10 tokens"),
            (json!({ "recovery_limit": 0 }), "1 to 100"),
            (json!({ "throttle": { "streak_limit": 101 } }), "throttle"),
            (
                json!({ "requirement": { "required_from": 1 }, "software_tokens": false }),
                "MFA cannot be required",
            ),
        ] {
            let error = read(refused.clone()).unwrap_err();
            assert!(error.contains(because), "{refused}: {error}");
        }
    }
}
