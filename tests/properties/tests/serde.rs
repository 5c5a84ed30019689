//! Policy, status, grants and events as configuration and as JSON.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

#[path = "../../world/mod.rs"]
mod world;

use core::time::Duration;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, from_str, from_value, json, to_string, to_value};
use softtoken::association::{ImportedToken, Method, Preference, SessionFlaw, State, StatusReport};
use softtoken::policy::Throttle;
use softtoken::totp::{Algorithm, Digits, Secret, Totp, Window};
use softtoken::{Event, Factor, Grant, Policy, Requirement, TokenId, UnixTime, Vouched};
use world::{Device, World, admin};

fn requirement() -> impl Strategy<Value = Requirement> {
    prop_oneof![
        Just(Requirement::Off),
        Just(Requirement::Optional),
        Just(Requirement::Required),
        any::<u64>().prop_map(|from| Requirement::RequiredFrom(UnixTime::from_secs(from))),
    ]
}

fn totp() -> impl Strategy<Value = Totp> {
    let algorithm = select(&[Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512]);
    let digits = select(&[Digits::Six, Digits::Seven, Digits::Eight]);
    (algorithm, digits, 60..=120_u64).prop_map(|(algorithm, digits, period)| {
        Totp::new(algorithm, digits, Duration::from_secs(period)).unwrap()
    })
}

fn throttle() -> impl Strategy<Value = Throttle> {
    let numbers = (
        1..=10_u32,
        1..=60_u64,
        60..=90_000_u64,
        1..=100_u32,
        1..=100_u32,
        60..=90_000_u64,
        1..=100_u32,
        1..=100_u32,
    );
    numbers.prop_map(
        |(free, base, cap, streak_limit, debt_limit, decay, suspect_at, suspicion_limit)| {
            Throttle {
                free,
                base: Duration::from_secs(base),
                cap: Duration::from_secs(cap),
                streak_limit,
                debt_limit,
                debt_decay: Duration::from_secs(decay),
                suspect_at,
                suspicion_limit,
            }
        },
    )
}

/// Every field of a policy at random, but that software tokens stay on where MFA is required.
fn policy() -> impl Strategy<Value = Policy> {
    let who = (
        requirement(),
        any::<bool>(),
        any::<[bool; 4]>(),
        1..=10_usize,
    );
    let codes = (totp(), 16..=64_usize, 0..=3_u8, 0..=3_u8, 1..=120_u8);
    let times = (
        60..=86_400_u64,
        180..=900_u64,
        proptest::option::of(1..=1_000_000_u64),
    );
    let rest = (
        0..=1024_usize,
        throttle(),
        proptest::option::of(1..=100_u32),
        1..=1000_u32,
    );
    (who, codes, times, rest).prop_map(|(who, codes, times, rest)| {
        let (requirement, software_tokens, switches, max_tokens) = who;
        let (totp, secret_bytes, back, forward, reach) = codes;
        let (pending, session, fresh) = times;
        let (name_bytes, throttle, recovery_limit, swap_attempts) = rest;
        let requires = !matches!(requirement, Requirement::Off | Requirement::Optional);
        let seconds = Duration::from_secs;
        Policy::builder()
            .requirement(requirement)
            .software_tokens(software_tokens || requires)
            .max_tokens(max_tokens)
            .enable_on_verify(switches[0])
            .learn_drift(switches[1])
            .waive_possession_of_unasked_token(switches[2])
            .raise_preference_by_first_factor(switches[3])
            .totp(totp)
            .secret_bytes(secret_bytes)
            .window(Window::new(back, forward).unwrap())
            .resynchronise_reach(reach)
            .pending_lifetime(seconds(pending))
            .session_lifetime(seconds(session))
            .reauthenticate_within(fresh.map(seconds))
            .name_bytes(name_bytes)
            .throttle(throttle)
            .recovery_limit(recovery_limit)
            .swap_attempts(swap_attempts)
            .build()
            .unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_policy_is_read_from_what_it_was_written_to(policy in policy()) {
        let written = to_string(&policy).unwrap();
        prop_assert_eq!(from_str::<Policy>(&written).unwrap(), policy);
    }

    #[test]
    fn a_grant_of_a_login_is_read_from_what_it_was_written_to(
        subject in "[^\0]{1,40}",
        first in any::<u64>(),
        second in proptest::option::of(any::<u64>()),
        id in proptest::option::of(".{0,40}"),
    ) {
        let first = UnixTime::from_secs(first);
        let mut grant = match second {
            None => Grant::first_factor(&subject, first),
            Some(second) => Grant::from_bare_times(&subject, first, UnixTime::from_secs(second)),
        };
        if let Some(id) = id {
            grant = grant.with_id(&id);
        }
        let written = to_string(&grant).unwrap();
        prop_assert_eq!(from_str::<Grant>(&written).unwrap(), grant);
    }
}

#[test]
fn the_policies_that_are_ready_made_are_read_from_what_they_were_written_to() {
    let later = UnixTime::from_secs(1_800_000_000);
    let strict = Policy::STANDARD.required();
    for policy in [
        Policy::STANDARD,
        Policy::COGNITO,
        strict,
        Policy::COGNITO.required_from(later),
    ] {
        let written = to_value(policy).unwrap();
        assert_eq!(from_value::<Policy>(written).unwrap(), policy);
    }
    let written = to_value(Policy::COGNITO.required_from(later)).unwrap();
    assert_eq!(
        written["requirement"],
        json!({ "required_from": 1_800_000_000 })
    );
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

/// What was vouched for, a code and a recovery code each make a grant that says by what it was
/// proven.
#[test]
fn a_grant_made_from_evidence_is_read_from_what_it_was_written_to_and_proves_the_same() {
    let world = World::standard();
    let (phone, enrolled) = world.enrolled("alice");
    world.time.advance(60);
    let stepped_up = world.stepped_up("alice", &phone);
    let codes = world.mfa.issue_recovery_codes(&stepped_up);
    let codes = codes.run_blocking(&world.store, "alice").unwrap();
    let step_up = |factor: Factor| {
        let request = world
            .mfa
            .step_up(&world.password("alice").with_id("login"), factor);
        Grant::from(&request.run_blocking(&world.store, "alice").unwrap())
    };
    let recovered = step_up(codes.iter().next().unwrap().clone().into());
    let vouched = step_up(Vouched::factor(&["hwk"]).into());

    let status = world
        .mfa
        .status()
        .run_blocking(&world.store, "alice")
        .unwrap();
    let by_token = json!({ "token": status.tokens[0].id.to_string() });
    let by_generation = json!({ "generation": 1 });
    for (grant, proved_by) in [
        (&enrolled, &by_token),
        (&stepped_up, &by_token),
        (&recovered, &by_generation),
        (&vouched, &by_generation),
    ] {
        let written = to_value(grant).unwrap();
        assert_eq!(&written["second_factor"]["proved_by"], proved_by);
        let read: Grant = from_value(written).unwrap();
        assert_eq!(&read, grant);
        let check = world.mfa.check(&read, Duration::from_secs(300));
        check.run_blocking(&world.store, "alice").unwrap();
    }
}

#[test]
fn a_status_is_json_without_a_secret_in_it_and_is_read_from_it() {
    let world = World::new(Policy::builder().max_tokens(3).build().unwrap());
    let status = |subject| {
        world
            .mfa
            .status()
            .run_blocking(&world.store, subject)
            .unwrap()
    };
    let written = |subject| {
        let report: StatusReport = status(subject);
        let written = to_value(&report).unwrap();
        assert_eq!(from_value::<StatusReport>(written.clone()).unwrap(), report);
        written
    };

    let nothing = written("alice");
    assert_eq!(nothing["state"], "unassociated");
    assert_eq!(
        (&nothing["tokens"], &nothing["pending"]),
        (&json!([]), &Value::Null)
    );

    let issued = world.associate("alice");
    let waits = json!({
        "id": issued.token().to_string(),
        "name": null,
        "expires": issued.expires().as_secs(),
        "replaces": null,
    });
    assert_eq!(
        (&written("alice")["state"], &written("alice")["pending"]),
        (&json!("pending"), &waits)
    );

    let code = Device::of(&issued).code(world.now());
    let verify = world
        .mfa
        .verify(&world.password("alice"), code.clone())
        .named("phone");
    let _enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    let stands = written("alice");
    assert_eq!(stands["state"], "verified");
    assert_eq!(stands["preference"], "enabled");
    assert_eq!(stands["throttled_until"], Value::Null);
    let now = world.now().as_secs();
    let token = json!({
        "id": issued.token().to_string(),
        "name": "phone",
        "since": now,
        "last_used": now,
        "weak": false,
        "drift": 0,
    });
    assert_eq!(stands["tokens"], json!([token]));

    for _ in 0..3 {
        let wrong = Device::of(&issued).wrong_code(world.now());
        let guess = world.mfa.sign_in_with(Some(wrong.into()));
        guess.run_blocking(&world.store, "alice").unwrap_err();
    }
    let lifetime = Duration::from_secs(3600);
    let temporary = world.mfa.issue_temporary_code(&admin(), lifetime);
    temporary.run_blocking(&world.store, "alice").unwrap();
    let export = world.mfa.export(&admin());
    export.run_blocking(&world.store, "alice").unwrap();
    let guessed = written("alice");
    assert_eq!(
        (&guessed["failures"], &guessed["locked"]),
        (&json!(3), &json!(false))
    );
    assert_eq!(guessed["throttled_until"], now + 5);
    assert_eq!(
        (&guessed["temporary_code_expires"], &guessed["exported"]),
        (&json!(now + 3600), &json!(now))
    );

    let secret = issued.secret().expose_base32();
    let text = guessed.to_string();
    assert!(
        !text.contains(&**secret) && !text.contains(&**code.expose()),
        "{text}"
    );
}

#[test]
fn what_a_status_and_an_event_name_is_written_as_it_is_called() {
    for state in [State::Unassociated, State::Pending, State::Verified] {
        assert_eq!(
            from_value::<State>(to_value(state).unwrap()).unwrap(),
            state
        );
    }
    for preference in [
        Preference::Disabled,
        Preference::Enabled,
        Preference::Preferred,
    ] {
        let written = to_value(preference).unwrap();
        assert_eq!(from_value::<Preference>(written).unwrap(), preference);
    }
    for method in [
        Method::SoftwareToken,
        Method::RecoveryCode,
        Method::TemporaryCode,
        Method::Vouched,
    ] {
        assert_eq!(to_value(method).unwrap(), method.name());
        assert_eq!(from_value::<Method>(method.name().into()).unwrap(), method);
    }
    for flaw in [
        SessionFlaw::Forged,
        SessionFlaw::OtherSubject,
        SessionFlaw::OtherContext,
        SessionFlaw::OtherPurpose,
        SessionFlaw::OtherGeneration,
        SessionFlaw::OtherPending,
        SessionFlaw::Expired,
        SessionFlaw::Spent,
    ] {
        assert_eq!(to_value(flaw).unwrap(), flaw.name());
        assert_eq!(from_value::<SessionFlaw>(flaw.name().into()).unwrap(), flaw);
    }
    let id: TokenId = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
    assert_eq!(to_value(id).unwrap(), "000102030405060708090a0b0c0d0e0f");
    assert_eq!(from_value::<TokenId>(to_value(id).unwrap()).unwrap(), id);
    for nonsense in [
        json!("0001"),
        json!(1),
        json!("zz0102030405060708090a0b0c0d0e0f"),
    ] {
        assert!(from_value::<TokenId>(nonsense).is_err());
    }
}

/// One object, in which `name` is the event's, whatever the event holds.
#[test]
fn an_event_is_one_flat_object_with_its_name_and_without_a_secret_in_it() {
    let world = World::standard();
    let told = Arc::<Mutex<Vec<Event>>>::default();
    let log = Arc::clone(&told);
    let mfa = world
        .mfa
        .with_audit(move |_, event| log.lock().unwrap().push(event.clone()));
    let (store, now) = (&world.store, world.now());

    let secret = Secret::from_bytes(&[7; 10]).unwrap();
    let device = Device::new(&secret, Totp::STANDARD);
    let token = ImportedToken::proven(secret.clone(), Totp::STANDARD)
        .named("fob")
        .last_step(Totp::STANDARD.step(now).saturating_offset(-2));
    mfa.import(&admin(), [token])
        .run_blocking(store, "alice")
        .unwrap();
    let code = device.code(now);
    let sign_in = || mfa.sign_in_with(Some(code.clone().into()));
    let _evidence = sign_in().run_blocking(store, "alice").unwrap();
    sign_in().run_blocking(store, "alice").unwrap_err();
    let early = mfa.rename(
        &world.password("alice"),
        "00".repeat(16).parse().unwrap(),
        "x",
    );
    early.run_blocking(store, "alice").unwrap_err();

    let told: Vec<Value> = told
        .lock()
        .unwrap()
        .iter()
        .map(|event| to_value(event).unwrap())
        .collect();
    let at = now.as_secs();
    let step = Totp::STANDARD.step(now).get();
    let status = mfa.status().run_blocking(store, "alice").unwrap();
    let fob = status.tokens[0].id.to_string();
    assert_eq!(
        told,
        [
            json!({
                "name": "imported", "at": at, "operation": "import",
                "actor": "administrator", "administrator": "root",
                "token": fob, "token_name": "fob",
                "pending": false, "weak": true, "replacing": false,
            }),
            json!({
                "name": "signed_in", "at": at, "operation": "sign_in_with",
                "actor": "application", "administrator": null,
                "token": fob, "token_name": "fob",
                "method": "software_token", "failures": 0,
            }),
            json!({
                "name": "reused_code", "at": at, "operation": "sign_in_with",
                "actor": "application", "administrator": null,
                "token": fob, "token_name": "fob",
                "step": step,
            }),
            json!({
                "name": "refused", "at": at, "operation": "rename",
                "actor": "grant", "administrator": null,
                "token": null, "token_name": null,
                "rejection": "second_factor_required", "flaw": null,
            }),
        ]
    );
    let text = json!(told).to_string();
    assert!(
        !text.contains(&**secret.expose_base32()) && !text.contains(&**code.expose()),
        "{text}"
    );
}
