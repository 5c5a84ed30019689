//! Policy and status as configuration and as JSON.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

#[path = "../../world/mod.rs"]
mod world;

use core::time::Duration;

use serde_json::{Value, from_value, json, to_value};
use softtoken::totp::{Algorithm, Digits, Totp, Window};
use softtoken::{Policy, Requirement, StatusReport, Throttle};
use world::World;

#[test]
fn a_policy_is_read_from_what_it_was_written_to() {
    let totp = Totp::new(Algorithm::Sha256, Digits::Eight, Duration::from_secs(60)).unwrap();
    let other = Policy::builder()
        .requirement(Requirement::Required)
        .totp(totp)
        .window(Window::new(2, 0).unwrap())
        .reauthenticate_within(Some(Duration::from_secs(300)))
        .throttle(Throttle {
            debt_limit: 50,
            ..Throttle::STANDARD
        });
    for policy in [Policy::STANDARD, Policy::COGNITO, other.build().unwrap()] {
        let written = to_value(policy).unwrap();
        assert_eq!(from_value::<Policy>(written).unwrap(), policy);
    }
}

#[test]
fn a_configuration_names_only_what_differs_and_durations_in_seconds() {
    let policy: Policy = from_value(json!({
        "requirement": "required",
        "pending_lifetime": 300,
        "reauthenticate_within": 60,
        "throttle": { "base": 10 },
    }))
    .unwrap();
    assert_eq!(policy.requirement(), Requirement::Required);
    assert_eq!(policy.pending_lifetime(), Duration::from_secs(300));
    assert_eq!(
        policy.reauthenticate_within(),
        Some(Duration::from_secs(60))
    );
    assert_eq!(policy.throttle().base, Duration::from_secs(10));
    assert_eq!(policy.throttle().cap, Throttle::STANDARD.cap);
    assert_eq!(policy.window(), Window::STANDARD);
}

#[test]
fn parameters_are_readable() {
    let totp = Totp::new(Algorithm::Sha1, Digits::Six, Duration::from_secs(60)).unwrap();
    let written = json!({ "algorithm": "SHA1", "digits": 6, "period": 60 });
    assert_eq!(to_value(totp).unwrap(), written);
    assert_eq!(from_value::<Totp>(written).unwrap(), totp);

    let window = Window::new(2, 1).unwrap();
    let written = json!({ "back": 2, "forward": 1, "drift": 0 });
    assert_eq!(to_value(window).unwrap(), written);
    let without_drift = json!({ "back": 2, "forward": 1 });
    assert_eq!(from_value::<Window>(without_drift).unwrap(), window);
}

#[test]
fn a_configuration_that_the_builder_refuses_or_does_not_know_is_refused() {
    for (refused, because) in [
        (json!({ "secret_bytes": 15 }), "16 to 64 bytes"),
        (
            json!({ "requirement": "required", "software_tokens": false }),
            "MFA cannot be required",
        ),
        (json!({ "windwo": {} }), "unknown field `windwo`"),
        (json!({ "throttle": { "cap": 1 } }), "throttle"),
        (json!({ "window": { "back": 11, "forward": 1 } }), "window"),
        (json!({ "window": { "back": 1, "forward": 11 } }), "window"),
        (
            json!({ "totp": { "algorithm": "MD5", "digits": 6, "period": 30 } }),
            "MD5",
        ),
        (
            json!({ "totp": { "algorithm": "SHA1", "digits": 6, "period": 14 } }),
            "period",
        ),
        (
            json!({ "totp": { "algorithm": "SHA1", "digits": 6 } }),
            "period",
        ),
        (
            json!({ "totp": { "algorithm": "SHA1", "digits": 5, "period": 30 } }),
            "digits",
        ),
    ] {
        let error = from_value::<Policy>(refused.clone()).unwrap_err();
        assert!(error.to_string().contains(because), "{refused}: {error}");
    }
}

#[test]
fn a_status_is_json_without_a_secret_in_it() {
    let world = World::standard();
    let issued = world.associate("alice");
    let status = world
        .mfa
        .status()
        .run_blocking(&world.store, "alice")
        .unwrap();
    let written = to_value(&status).unwrap();
    assert_eq!(
        written["state"],
        json!({ "pending": { "expires": issued.expires().as_secs() } })
    );
    world.enrol("bob");
    let status = world
        .mfa
        .status()
        .run_blocking(&world.store, "bob")
        .unwrap();
    let written = to_value(&status).unwrap();
    assert_eq!(written["preference"], "enabled");
    assert_eq!(written["throttled_until"], Value::Null);
    assert_eq!(from_value::<StatusReport>(written).unwrap(), status);
}
