//! How a token comes into force and goes: every row of the table of operations, and every reason to refuse it.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::fmt;
use core::time::Duration;

use crate::world::{Device, START, World};
use softtoken::totp::{Algorithm, Digits, Secret, Totp};
use softtoken::{
    Administrator, AttemptKey, Authority, Code, EventKind, Grant, Import, Method, Policy,
    Preference, RecoveryCode, Rejection, Requirement, Session, SessionKeys, State, Step,
};

fn state(world: &World) -> State {
    let status = world.mfa.status();
    status.run_blocking(&world.store, "alice").unwrap().state
}

fn verify(world: &World, grant: Grant, code: Code) -> Result<(), Rejection> {
    let verify = world.mfa.verify(grant, code);
    match verify.run_blocking(&world.store, "alice") {
        Ok(enrolled) => {
            assert_eq!(enrolled.evidence().subject(), "alice");
            Ok(())
        }
        Err(error) => Err(error.rejection().unwrap()),
    }
}

fn authenticate(world: &World, code: Code) -> Result<Step, Rejection> {
    let authenticate = world.mfa.authenticate(code);
    match authenticate.run_blocking(&world.store, "alice") {
        Ok(evidence) => Ok(evidence.step().unwrap()),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

fn associate(world: &World, grant: Grant) -> Result<Device, Rejection> {
    let associate = world.mfa.associate(grant);
    match associate.run_blocking(&world.store, "alice") {
        Ok(issued) => Ok(Device::of(&issued)),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

#[test]
fn a_token_goes_from_unassociated_through_pending_to_verified() {
    let world = World::standard();
    assert_eq!(state(&world), State::Unassociated);

    let issued = world.associate("alice");
    let expires = world.now().saturating_add(Duration::from_secs(600));
    assert_eq!(issued.expires(), expires);
    assert_eq!(state(&world), State::Pending { expires });

    let code = Device::of(&issued).code(world.now());
    assert_eq!(verify(&world, world.password(), code), Ok(()));
    let verified = State::Verified {
        since: world.now(),
        device_name: None,
        replacement_expires: None,
    };
    assert_eq!(state(&world), verified);
    assert_eq!(
        world.events(),
        [EventKind::Associated, EventKind::Verified { failures: 0 }],
    );
}

#[test]
fn evidence_says_who_proved_what_and_when() {
    let world = World::standard();
    let issued = world.associate("alice");
    let code = Device::of(&issued).code(world.now());
    let verify = world.mfa.verify(world.password(), code);
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();

    let evidence = enrolled.evidence();
    assert_eq!(evidence.method(), Method::SoftwareToken);
    assert_eq!(evidence.step(), Some(Totp::STANDARD.step(world.now())));
    assert_eq!(evidence.at(), world.now());
    assert_eq!(evidence.amr(), ["otp", "mfa"], "a grant stands behind it");
    assert!(
        !evidence.should_end_other_sessions(),
        "nothing was replaced"
    );
    assert!(enrolled.session().is_none(), "a grant begins no flow");

    world.time.advance(30);
    let code = Device::of(&issued).code(world.now());
    let authenticate = world.mfa.authenticate(code);
    let stepped_up = authenticate.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(stepped_up.amr(), ["otp"], "nothing stands behind it");
    assert_eq!(stepped_up.context().as_bytes(), b"");
}

#[test]
fn the_code_that_enrols_cannot_also_sign_in() {
    let world = World::standard();
    let issued = world.associate("alice");
    let code = Device::of(&issued).code(world.now());
    verify(&world, world.password(), code.clone()).unwrap();
    assert_eq!(authenticate(&world, code), Err(Rejection::Reused));
}

#[test]
fn nothing_is_authenticated_before_a_code_has_proven_the_secret() {
    let world = World::standard();
    let code = Code::parse("000000").unwrap();
    assert_eq!(
        authenticate(&world, code.clone()),
        Err(Rejection::NotAssociated)
    );
    let device = Device::of(&world.associate("alice"));
    assert_eq!(
        authenticate(&world, device.code(world.now())),
        Err(Rejection::NotAssociated)
    );
    assert_eq!(
        verify(&World::standard(), Grant::first_factor(world.now()), code),
        Err(Rejection::NotAssociated)
    );
}

#[test]
fn a_pending_secret_is_dead_once_it_has_expired_and_not_before() {
    let world = World::standard();
    let device = Device::of(&world.associate("alice"));
    world.time.advance(600);
    assert_eq!(state(&world), State::Unassociated);
    assert_eq!(
        verify(&world, world.password(), device.code(world.now())),
        Err(Rejection::Expired)
    );
    world.time.go_back(1);
    assert_eq!(
        verify(&world, world.password(), device.code(world.now())),
        Ok(())
    );
}

#[test]
fn associating_again_kills_the_secret_that_was_pending() {
    let world = World::standard();
    let first = Device::of(&world.associate("alice"));
    let second = Device::of(&world.associate("alice"));
    assert_eq!(
        verify(&world, world.password(), first.code(world.now())),
        Err(Rejection::Mismatch)
    );
    assert_eq!(
        verify(&world, world.password(), second.code(world.now())),
        Ok(())
    );
}

#[test]
fn the_old_token_works_until_its_replacement_is_proven_and_not_after() {
    let world = World::standard();
    let old = world.enrol("alice");
    world.time.advance(30);
    let new = associate(&world, world.second_factor()).unwrap();
    assert!(authenticate(&world, old.code(world.now())).is_ok());

    world.time.advance(30);
    assert_eq!(
        verify(&world, world.second_factor(), old.code(world.now())),
        Err(Rejection::Mismatch),
        "a code of the old token proves nothing of the new one"
    );
    world.events();
    let replace = world
        .mfa
        .verify(world.second_factor(), new.code(world.now()));
    let replaced = replace.run_blocking(&world.store, "alice").unwrap();
    assert!(replaced.evidence().should_end_other_sessions());
    assert_eq!(world.events(), [EventKind::Replaced { failures: 1 }]);

    world.time.advance(30);
    assert_eq!(
        authenticate(&world, old.code(world.now())),
        Err(Rejection::Mismatch)
    );
    assert!(authenticate(&world, new.code(world.now())).is_ok());
}

#[test]
fn a_replacement_that_expires_leaves_the_token_in_force() {
    let world = World::standard();
    let old = world.enrol("alice");
    let new = associate(&world, world.second_factor()).unwrap();
    world.time.advance(600);
    assert_eq!(
        verify(&world, world.second_factor(), new.code(world.now())),
        Err(Rejection::Expired)
    );
    assert!(authenticate(&world, old.code(world.now())).is_ok());
}

#[test]
fn touching_a_verified_token_takes_a_second_factor() {
    let world = World::standard();
    let stolen_before = Grant::second_factor(world.now());
    world.time.advance(1);
    world.enrol("alice");
    for weak in [world.password(), stolen_before] {
        assert_eq!(
            associate(&world, weak.clone()).unwrap_err(),
            Rejection::SecondFactorRequired
        );
        let disassociate = world.mfa.disassociate(weak.clone());
        let refused = disassociate
            .run_blocking(&world.store, "alice")
            .unwrap_err();
        assert_eq!(refused.rejection(), Some(Rejection::SecondFactorRequired));
        let recovery = world.mfa.issue_recovery_codes(weak.clone());
        let refused = recovery.run_blocking(&world.store, "alice").unwrap_err();
        assert_eq!(refused.rejection(), Some(Rejection::SecondFactorRequired));
        let turn_off = world.mfa.prefer(weak, Preference::Disabled);
        let refused = turn_off.run_blocking(&world.store, "alice").unwrap_err();
        assert_eq!(refused.rejection(), Some(Rejection::SecondFactorRequired));
    }
    let stepped_up = Grant::first_factor(world.now()).with_second_factor(world.now());
    assert!(associate(&world, stepped_up).is_ok());
}

#[test]
fn verifying_a_replacement_takes_a_second_factor_as_well() {
    let world = World::standard();
    world.enrol("alice");
    let new = associate(&world, world.second_factor()).unwrap();
    let code = new.code(world.now());
    assert_eq!(
        verify(&world, world.password(), code.clone()),
        Err(Rejection::SecondFactorRequired)
    );
    assert_eq!(verify(&world, world.second_factor(), code), Ok(()));
}

#[test]
fn the_grant_that_proved_a_token_counts_as_a_second_factor_for_it() {
    let world = World::standard();
    let grant = Grant::first_factor(world.now()).id("jti-1");
    let device = associate(&world, grant.clone()).unwrap();
    world.time.advance(10);
    verify(&world, grant.clone(), device.code(world.now())).unwrap();

    let other = Grant::first_factor(world.now()).id("jti-2");
    assert_eq!(
        associate(&world, other).unwrap_err(),
        Rejection::SecondFactorRequired
    );
    let nameless = Grant::first_factor(world.now());
    assert_eq!(
        associate(&world, nameless).unwrap_err(),
        Rejection::SecondFactorRequired
    );
    let replacement = associate(&world, grant.clone()).unwrap();
    let code = replacement.code(world.now());
    let second = Grant::second_factor(world.now());
    verify(&world, second, code).unwrap();
    assert_eq!(
        associate(&world, grant).unwrap_err(),
        Rejection::SecondFactorRequired,
        "it proved the old token, not this one"
    );
}

#[test]
fn an_empty_grant_id_is_none() {
    let world = World::standard();
    let grant = Grant::first_factor(world.now()).id("");
    let device = associate(&world, grant.clone()).unwrap();
    verify(&world, grant.clone(), device.code(world.now())).unwrap();
    assert_eq!(
        associate(&world, grant).unwrap_err(),
        Rejection::SecondFactorRequired
    );
}

#[test]
fn a_clock_that_went_back_brings_no_void_grant_to_life() {
    let world = World::standard();
    let start = world.now();
    world.time.advance(100);
    let reset = world.mfa.reset(Administrator);
    reset.run_blocking(&world.store, "alice").unwrap();
    world.time.go_back(50);
    let reset = world.mfa.reset(Administrator);
    reset.run_blocking(&world.store, "alice").unwrap();
    let between = Grant::first_factor(start.saturating_add(Duration::from_secs(70)));
    assert_eq!(
        associate(&world, between).unwrap_err(),
        Rejection::NotAuthorized
    );

    let world = World::standard();
    world.time.advance(100);
    world.enrol("alice");
    let before = Grant::second_factor(start.saturating_add(Duration::from_secs(70)));
    let replacement = associate(&world, world.second_factor()).unwrap();
    world.time.go_back(50);
    let grant = Grant::second_factor(start.saturating_add(Duration::from_secs(100)));
    verify(&world, grant, replacement.code(world.now())).unwrap();
    assert_eq!(
        associate(&world, before).unwrap_err(),
        Rejection::SecondFactorRequired
    );
}

#[test]
fn a_token_that_was_never_enabled_may_be_replaced_by_a_fresh_password() {
    let world = World::new(Policy::COGNITO);
    let stale = world.password();
    world.time.advance(1);
    world.enrol("alice");
    assert_eq!(
        associate(&world, stale).unwrap_err(),
        Rejection::SecondFactorRequired,
        "the password was given before the token was verified"
    );
    let fresh = associate(&world, world.password()).unwrap();
    verify(&world, world.password(), fresh.code(world.now())).unwrap();

    let prefer = world.mfa.prefer(world.password(), Preference::Enabled);
    prefer.run_blocking(&world.store, "alice").unwrap();
    let turn_off = world
        .mfa
        .prefer(world.second_factor(), Preference::Disabled);
    turn_off.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(
        associate(&world, world.password()).unwrap_err(),
        Rejection::SecondFactorRequired,
        "it was enabled once"
    );
}

#[test]
fn a_required_pool_knows_no_such_exception() {
    let required = Policy::COGNITO
        .to_builder()
        .requirement(Requirement::Required);
    let world = World::new(required.build().unwrap());
    world.enrol("alice");
    assert_eq!(
        associate(&world, world.password()).unwrap_err(),
        Rejection::SecondFactorRequired
    );
}

#[test]
fn what_was_waived_for_a_replacement_costs_the_recovery_codes() {
    let world = World::new(Policy::COGNITO);
    world.enrol("alice");
    let left = |world: &World| {
        let status = world.mfa.status();
        status
            .run_blocking(&world.store, "alice")
            .unwrap()
            .recovery_codes
    };
    let issue = world.mfa.issue_recovery_codes(world.second_factor());
    let _ = issue.run_blocking(&world.store, "alice").unwrap();

    let proven = associate(&world, world.second_factor()).unwrap();
    verify(&world, world.second_factor(), proven.code(world.now())).unwrap();
    assert_eq!(left(&world), 10, "who proves the old token keeps them");

    let waived = associate(&world, world.password()).unwrap();
    verify(&world, world.password(), waived.code(world.now())).unwrap();
    assert_eq!(left(&world), 0);
}

#[test]
fn disassociating_leaves_nothing_behind() {
    let world = World::standard();
    world.enrol("alice");
    let issue = world.mfa.issue_recovery_codes(world.second_factor());
    let _ = issue.run_blocking(&world.store, "alice").unwrap();
    let disassociate = world.mfa.disassociate(world.second_factor());
    disassociate.run_blocking(&world.store, "alice").unwrap();

    let status = world.mfa.status();
    let status = status.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(status.state, State::Unassociated);
    assert_eq!(status.preference, Preference::Disabled);
    assert_eq!(status.recovery_codes, 0);
    assert!(world.row("alice").is_some(), "the row stays");
}

#[test]
fn a_pending_secret_can_be_dropped_by_whoever_could_associate_it() {
    let world = World::standard();
    let _ = world.associate("alice");
    let disassociate = world.mfa.disassociate(world.password());
    disassociate.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(state(&world), State::Unassociated);
}

#[test]
fn a_required_pool_lets_nobody_disassociate() {
    let policy = Policy::builder().requirement(Requirement::Required);
    let world = World::new(policy.build().unwrap());
    world.enrol("alice");
    let disassociate = world.mfa.disassociate(world.second_factor());
    let refused = disassociate
        .run_blocking(&world.store, "alice")
        .unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::MfaRequired));
    assert!(matches!(state(&world), State::Verified { .. }));
}

#[test]
fn a_reset_voids_every_grant_given_before() {
    let world = World::standard();
    world.enrol("alice");
    let before = world.second_factor();
    world.time.advance(1);
    let reset = world.mfa.reset(Administrator);
    reset.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(state(&world), State::Unassociated);
    assert_eq!(
        associate(&world, before).unwrap_err(),
        Rejection::NotAuthorized
    );
    assert!(associate(&world, world.password()).is_ok());
}

#[test]
fn a_reset_of_a_subject_without_a_row_voids_grants_too() {
    let world = World::standard();
    let before = world.password();
    world.time.advance(1);
    let reset = world.mfa.reset(Administrator);
    reset.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(
        associate(&world, before).unwrap_err(),
        Rejection::NotAuthorized
    );
}

#[test]
fn unlocking_clears_the_count_and_keeps_the_floor() {
    let world = World::standard();
    let device = world.enrol("alice");
    let spent = device.code(world.now());
    for _ in 0..3 {
        let wrong = device.wrong_code(world.now());
        assert_eq!(authenticate(&world, wrong), Err(Rejection::Mismatch));
    }
    let refused = authenticate(&world, spent.clone());
    assert!(matches!(refused, Err(Rejection::Throttled { .. })));
    let unlock = world.mfa.unlock(Administrator);
    unlock.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(authenticate(&world, spent), Err(Rejection::Reused));
    world.time.advance(30);
    assert!(authenticate(&world, device.code(world.now())).is_ok());
}

#[test]
fn unlocking_somebody_unknown_stores_nothing() {
    let world = World::standard();
    let unlock = world.mfa.unlock(Administrator);
    unlock.run_blocking(&world.store, "alice").unwrap();
    assert!(world.row("alice").is_none());
}

fn imported_secret() -> (Secret, Device) {
    let secret = Secret::from_bytes(&[9; 20]).unwrap();
    let device = Device::new(&secret, Totp::STANDARD);
    (secret, device)
}

#[test]
fn an_import_without_a_last_step_spends_every_code_that_is_valid_now() {
    let world = World::standard();
    let (secret, device) = imported_secret();
    let import = Import::proven(Administrator, secret, Totp::STANDARD).enabled(true);
    world
        .mfa
        .import(import)
        .run_blocking(&world.store, "alice")
        .unwrap();
    for steps in -1..=1 {
        let code = device.code_in(world.now(), steps);
        assert_eq!(authenticate(&world, code), Err(Rejection::Reused));
    }
    world.time.advance(30);
    assert!(authenticate(&world, device.code_in(world.now(), 1)).is_ok());
}

#[test]
fn an_import_with_a_last_step_goes_on_from_there() {
    let world = World::standard();
    let (secret, device) = imported_secret();
    let now = Totp::STANDARD.step(world.now());
    let import = Import::proven(Administrator, secret, Totp::STANDARD)
        .last_step(now.saturating_offset(-1))
        .named("old phone");
    world
        .mfa
        .import(import)
        .run_blocking(&world.store, "alice")
        .unwrap();
    let old = device.code_in(world.now(), -1);
    assert_eq!(authenticate(&world, old), Err(Rejection::Reused));
    assert_eq!(authenticate(&world, device.code(world.now())), Ok(now));
}

#[test]
fn a_token_that_a_required_pool_asked_for_is_not_replaced_by_a_password_alone() {
    let required = Policy::builder().requirement(Requirement::Required);
    let required = World::new(required.build().unwrap());
    let (secret, _) = imported_secret();
    let import = Import::proven(Administrator, secret, Totp::STANDARD);
    let import = required.mfa.import(import);
    import.run_blocking(&required.store, "alice").unwrap();

    let mut optional = World::standard();
    optional.store = required.store;
    assert_eq!(
        associate(&optional, optional.password()).unwrap_err(),
        Rejection::SecondFactorRequired
    );
}

#[test]
fn a_pending_import_is_verified_like_any_other() {
    let world = World::standard();
    let (secret, device) = imported_secret();
    let import =
        Import::pending(Administrator, secret, Totp::STANDARD, &softtoken::OsEntropy).unwrap();
    world
        .mfa
        .import(import)
        .run_blocking(&world.store, "alice")
        .unwrap();
    assert!(matches!(state(&world), State::Pending { .. }));
    let code = device.code(world.now());
    assert_eq!(verify(&world, world.password(), code), Ok(()));
}

#[test]
fn an_import_never_overwrites_what_is_verified() {
    let world = World::standard();
    let device = world.enrol("alice");
    let (secret, _) = imported_secret();
    let import = Import::proven(Administrator, secret, Totp::STANDARD);
    let refused = world.mfa.import(import).run_blocking(&world.store, "alice");
    let refused = refused.unwrap_err().rejection();
    assert_eq!(refused, Some(Rejection::AlreadyVerified));
    world.time.advance(30);
    assert!(authenticate(&world, device.code(world.now())).is_ok());
}

#[test]
fn software_tokens_that_are_off_stop_set_up_and_not_those_in_force() {
    let on = World::standard();
    let device = on.enrol("alice");
    on.time.advance(30);
    let new = associate(&on, on.second_factor()).unwrap();

    let off = Policy::builder().software_tokens(false).build().unwrap();
    let mut off = World::new(off);
    off.store = on.store;
    off.time.set(on.time.now().as_secs());
    let disabled = Some(Rejection::SoftwareTokenDisabled);

    assert_eq!(associate(&off, off.second_factor()).err(), disabled);
    let code = new.code(off.now());
    assert_eq!(verify(&off, off.second_factor(), code).err(), disabled);
    let (secret, _) = imported_secret();
    let import = Import::proven(Administrator, secret, Totp::STANDARD);
    let refused = off.mfa.import(import).run_blocking(&off.store, "bob");
    assert_eq!(refused.unwrap_err().rejection(), disabled);
    assert!(authenticate(&off, device.code(off.now())).is_ok());
}

#[test]
fn a_stale_authentication_associates_nothing_where_freshness_is_asked_for() {
    let fresh = Policy::builder().reauthenticate_within(Some(Duration::from_secs(300)));
    let world = World::new(fresh.build().unwrap());
    let grant = world.password();
    world.time.advance(300);
    assert!(associate(&world, grant.clone()).is_ok());
    world.time.advance(1);
    assert_eq!(
        associate(&world, grant.clone()).unwrap_err(),
        Rejection::ReauthenticationRequired
    );
    assert!(associate(&world, grant.with_second_factor(world.now())).is_ok());
}

#[test]
fn a_device_name_is_kept_as_far_as_the_policy_keeps_it() {
    let policy = Policy::builder().name_bytes(8).build().unwrap();
    let world = World::new(policy);
    let name = |world: &World| match state(world) {
        State::Verified { device_name, .. } => device_name,
        other => panic!("{other:?}"),
    };
    let issued = world.mfa.associate(world.password()).named("tablet");
    let issued = issued.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    verify(&world, world.password(), code).unwrap();
    assert_eq!(name(&world).as_deref(), Some("tablet"));

    let device = associate(&world, world.second_factor()).unwrap();
    let verify = world
        .mfa
        .verify(world.second_factor(), device.code(world.now()));
    let _ = verify
        .named("hööööchst")
        .run_blocking(&world.store, "alice")
        .unwrap();
    assert_eq!(name(&world).as_deref(), Some("hööö"), "whole characters");

    let device = associate(&world, world.second_factor()).unwrap();
    let code = device.code(world.now());
    let verify = world.mfa.verify(world.second_factor(), code).named("");
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(name(&world), None, "an empty name is none");
}

#[test]
fn a_token_keeps_the_parameters_it_was_made_with() {
    let totp = Totp::new(Algorithm::Sha256, Digits::Eight, Duration::from_secs(60)).unwrap();
    let world = World::new(Policy::builder().totp(totp).build().unwrap());
    let device = world.enrol("alice");

    let mut standard = World::standard();
    standard.store = world.store;
    standard.time.set(START + 60);
    let short = Code::parse("123456").unwrap();
    assert_eq!(
        authenticate(&standard, short),
        Err(Rejection::CodeLength {
            expected: Digits::Eight
        })
    );
    assert!(authenticate(&standard, device.code(standard.now())).is_ok());
}

#[test]
fn a_code_of_another_length_is_not_counted() {
    let world = World::standard();
    world.enrol("alice");
    let before = world.row("alice").unwrap();
    for _ in 0..20 {
        let long = Code::parse("12345678").unwrap();
        assert!(matches!(
            authenticate(&world, long),
            Err(Rejection::CodeLength { .. })
        ));
    }
    assert_eq!(world.row("alice").unwrap().revision, before.revision);
}

#[test]
fn verifying_enables_in_the_standard_policy_and_not_in_cognitos() {
    for (policy, preference) in [
        (Policy::STANDARD, Preference::Enabled),
        (Policy::COGNITO, Preference::Disabled),
    ] {
        let world = World::new(policy);
        world.enrol("alice");
        let status = world.mfa.status();
        let status = status.run_blocking(&world.store, "alice").unwrap();
        assert_eq!(status.preference, preference);
    }
}

#[test]
fn secrets_have_the_length_of_the_policy() {
    for (policy, characters) in [(Policy::STANDARD, 32), (Policy::COGNITO, 52)] {
        let issued = World::new(policy).associate("alice");
        assert_eq!(issued.secret().expose_base32().len(), characters);
    }
}

#[test]
fn an_administrator_can_do_what_the_user_could_with_the_phone() {
    let world = World::standard();
    world.enrol("alice");
    let associate = world.mfa.associate(Administrator);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = world.mfa.verify(Administrator, code);
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(enrolled.evidence().amr(), ["otp"]);
    let turn_off = world.mfa.prefer(Administrator, Preference::Disabled);
    turn_off.run_blocking(&world.store, "alice").unwrap();
    let disassociate = world.mfa.disassociate(Administrator);
    disassociate.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(state(&world), State::Unassociated);
}

#[test]
fn nothing_of_a_secret_is_in_any_debug_output() {
    let world = World::standard();
    let issued = world.associate("alice");
    let base32 = issued.secret().expose_base32();
    let bytes = format!("{:?}", issued.secret().expose());
    let code = Device::of(&issued).code(world.now());
    let shown = format!(
        "{issued:?} {:?} {:?} {code:?} {:?}",
        world.record("alice"),
        world.row("alice"),
        world.mfa.verify(world.password(), code.clone()),
    );
    assert!(!shown.contains(base32.as_str()));
    assert!(!shown.contains(&bytes[1..bytes.len() - 1]));
    assert!(!shown.contains(code.expose().as_str()));
}

#[test]
fn whatever_holds_a_secret_shows_its_name_alone() {
    let world = World::standard();
    let device = world.enrol("alice");
    let keys = SessionKeys::from_bytes(7, &[1; 32]);
    let shown: [(&dyn fmt::Debug, &str); 7] = [
        (&AttemptKey::from_bytes([1; 16]), "AttemptKey(..)"),
        (&Authority::from(Administrator), "Authority(Administrator)"),
        (&device.code(world.now()), "Code(..)"),
        (
            &RecoveryCode::parse("0123456789ABCDEF").unwrap(),
            "RecoveryCode(..)",
        ),
        (&Secret::from_bytes(&[1; 20]).unwrap(), "Secret(..)"),
        (&Session::from_text("session"), "Session(..)"),
        (&keys, "[7]"),
    ];
    for (value, name) in shown {
        assert_eq!(format!("{value:?}"), name);
    }
}
