//! When codes do not come or do not fit: recovery codes, resynchronisation, drift, a clock that goes back.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use crate::world::{Device, World};
use softtoken::totp::Window;
use softtoken::{
    Administrator, Code, EventKind, Method, Mfa, OsEntropy, Policy, RecoveryCode, RecoveryCodes,
    Rejection, UnixTime,
};

fn codes(world: &World) -> RecoveryCodes {
    let issue = world.mfa.issue_recovery_codes(world.second_factor());
    issue.run_blocking(&world.store, "alice").unwrap()
}

fn recover(world: &World, code: &RecoveryCode) -> Result<softtoken::Evidence, Rejection> {
    let recover = world.mfa.recover(code.clone());
    let answer = recover.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

fn authenticate(world: &World, code: Code) -> Result<i64, Rejection> {
    let step = world.mfa.policy().totp().step(world.now());
    let authenticate = world.mfa.authenticate(code);
    match authenticate.run_blocking(&world.store, "alice") {
        Ok(evidence) => Ok(evidence.step().unwrap().steps_since(step)),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

fn resynchronise(world: &World, device: &Device, steps: i64) -> Result<(), Rejection> {
    let code = device.code_in(world.now(), steps);
    let next = device.code_in(world.now(), steps + 1);
    let request = world.mfa.resynchronise(world.password(), code, next);
    let answer = request.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

#[test]
fn every_recovery_code_is_accepted_once() {
    let world = World::standard();
    world.enrol("alice");
    let codes = codes(&world);
    assert_eq!(codes.iter().count(), RecoveryCodes::COUNT);
    for (used, code) in codes.iter().enumerate() {
        world.events();
        let evidence = recover(&world, code).unwrap();
        assert_eq!(evidence.method(), Method::RecoveryCode);
        assert_eq!(evidence.step(), None);
        assert_eq!(evidence.amr(), ["otp"]);
        assert!(evidence.should_end_other_sessions());
        let left = u32::try_from(RecoveryCodes::COUNT - used - 1).unwrap();
        assert!(
            world
                .events()
                .contains(&EventKind::RecoveryCodeUsed { left })
        );
        assert_eq!(recover(&world, code).unwrap_err(), Rejection::Mismatch);
    }
}

#[test]
fn recovery_codes_are_read_as_a_person_types_them() {
    let world = World::standard();
    world.enrol("alice");
    for code in &codes(&world) {
        let shown = code.expose();
        assert_eq!(shown.len(), 19);
        let typed = shown
            .to_lowercase()
            .replace('-', " ")
            .replace('0', "O")
            .replace('1', "l");
        let read = RecoveryCode::parse(&typed).unwrap();
        assert!(recover(&world, &read).is_ok(), "{typed}");
    }
    for nonsense in [
        "",
        "1234",
        "0123-4567-89AB-CDEFG",
        "0123-4567-89AB-CDEU",
        "٠123-4567-89AB-CDEF",
    ] {
        assert!(RecoveryCode::parse(nonsense).is_err(), "{nonsense}");
    }
    assert_eq!(
        RecoveryCode::parse("I1L1-oO00-iiii-llll"),
        RecoveryCode::parse("1111-0000-1111-1111")
    );
}

#[test]
fn recovery_codes_are_shown_in_four_groups_and_no_two_are_the_same() {
    let shown = RecoveryCode::parse("0123456789abcdef").unwrap();
    assert_eq!(shown.expose().as_str(), "0123-4567-89AB-CDEF");
    let world = World::standard();
    world.enrol("alice");
    let codes = codes(&world);
    let mut seen: Vec<&RecoveryCode> = Vec::new();
    for code in &codes {
        assert!(!seen.contains(&code));
        seen.push(code);
    }
    assert_eq!(seen.len(), RecoveryCodes::COUNT);
}

#[test]
fn a_recovery_code_answers_a_challenge_and_ends_its_session() {
    let world = World::standard();
    world.enrol("alice");
    let codes = codes(&world);
    let session = world.challenge("alice");
    let mut codes = codes.iter();
    let answer = |code: &RecoveryCode| {
        let recover = world.mfa.recover(code.clone()).within(&session);
        let answer = recover.run_blocking(&world.store, "alice");
        answer.map_err(|error| error.rejection().unwrap())
    };
    let evidence = answer(codes.next().unwrap()).unwrap();
    assert_eq!(evidence.amr(), ["otp", "mfa"]);
    assert_eq!(
        answer(codes.next().unwrap()).unwrap_err(),
        Rejection::InvalidSession
    );
}

#[test]
fn a_new_set_kills_the_old_one() {
    let world = World::standard();
    world.enrol("alice");
    let old = codes(&world);
    let new = codes(&world);
    for code in &old {
        assert_eq!(recover(&world, code).unwrap_err(), Rejection::Mismatch);
    }
    assert!(recover(&world, new.iter().next().unwrap()).is_ok());
}

#[test]
fn recovery_codes_need_a_verified_token() {
    let world = World::standard();
    let issue = world.mfa.issue_recovery_codes(world.second_factor());
    let refused = issue.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::NotAssociated));
    let code = RecoveryCode::parse("0000-0000-0000-0000").unwrap();
    assert_eq!(
        recover(&world, &code).unwrap_err(),
        Rejection::NotAssociated
    );
    world.enrol("alice");
    assert_eq!(recover(&world, &code).unwrap_err(), Rejection::Mismatch);
}

#[test]
fn a_recovery_code_waits_for_no_lock_and_ends_it() {
    let world = World::standard();
    let device = world.enrol("alice");
    let codes = codes(&world);
    let mut guesses = (0..1000).map(|_| {
        let status = world.mfa.status();
        let status = status.run_blocking(&world.store, "alice").unwrap();
        if let Some(until) = status.throttled_until {
            world.time.set(until.as_secs());
        }
        authenticate(&world, device.wrong_code(world.now()))
    });
    let locked = guesses.find(|answer| *answer != Err(Rejection::Mismatch));
    assert_eq!(locked, Some(Err(Rejection::Locked)));
    assert!(recover(&world, codes.iter().next().unwrap()).is_ok());
    assert!(authenticate(&world, device.code(world.now())).is_ok());
}

#[test]
fn a_wrong_recovery_code_is_an_event_and_counts_nothing() {
    let world = World::standard();
    world.enrol("alice");
    let _ = codes(&world);
    let before = world.row("alice").unwrap().revision;
    world.events();
    let wrong = RecoveryCode::parse("0000-0000-0000-0000").unwrap();
    assert_eq!(recover(&world, &wrong).unwrap_err(), Rejection::Mismatch);
    assert_eq!(
        world.events(),
        [EventKind::Refused {
            rejection: Rejection::Mismatch,
            flaw: None
        }]
    );
    assert_eq!(world.row("alice").unwrap().revision, before);
}

#[test]
fn two_codes_in_a_row_tell_how_far_a_clock_is_off() {
    for steps in [-15, 8, 20] {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(3600);
        assert_eq!(resynchronise(&world, &device, steps), Ok(()));
        assert_eq!(
            authenticate(&world, device.code_in(world.now(), steps + 1)),
            Err(Rejection::Reused),
            "the second code is spent"
        );
        world.time.advance(30);
        assert_eq!(
            authenticate(&world, device.code_in(world.now(), steps + 1)),
            Ok(steps + 1),
            "the device's next code is accepted"
        );
    }
}

#[test]
fn resynchronising_reaches_as_far_as_the_policy_and_not_further() {
    for steps in [-21, 21] {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(3600);
        assert_eq!(
            resynchronise(&world, &device, steps),
            Err(Rejection::Mismatch)
        );
    }
}

#[test]
fn resynchronising_takes_two_codes_in_a_row_that_are_not_spent() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(3600);
    let now = world.now();
    let apart = world.mfa.resynchronise(
        world.password(),
        device.code_in(now, 5),
        device.code_in(now, 7),
    );
    let refused = apart.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::Mismatch));
    assert!(authenticate(&world, device.code(now)).is_ok());
    assert_eq!(resynchronise(&world, &device, 0), Err(Rejection::Reused));
    assert_eq!(resynchronise(&world, &device, 1), Ok(()));
}

#[test]
fn a_user_who_mends_the_clock_is_not_locked_out() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(3600);
    assert_eq!(resynchronise(&world, &device, -10), Ok(()));
    world.time.advance(30);
    assert_eq!(authenticate(&world, device.code(world.now())), Ok(0));
    world.time.advance(600);
    let behind = device.code_in(world.now(), -9);
    assert_eq!(authenticate(&world, behind), Ok(-9), "nor one who does not");
}

#[test]
fn resynchronising_by_a_session_leaves_the_session_alive() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(3600);
    let session = world.challenge("alice");
    let now = world.now();
    let request =
        world
            .mfa
            .resynchronise(&session, device.code_in(now, 9), device.code_in(now, 10));
    request.run_blocking(&world.store, "alice").unwrap();
    let respond = world.mfa.respond(&session, device.code_in(now, 11));
    let _ = respond.run_blocking(&world.store, "alice").unwrap();
}

#[test]
fn drift_is_learned_only_where_the_policy_learns_and_only_so_far() {
    for (learn, reached) in [(false, 1), (true, 5)] {
        let policy = Policy::builder().learn_drift(learn).build().unwrap();
        let world = World::new(policy);
        let device = world.enrol("alice");
        // A clock that gains a step at each sign-in.
        let mut furthest = 0;
        for gained in 1..=10 {
            world.time.advance(3600);
            match authenticate(&world, device.code_in(world.now(), gained)) {
                Ok(steps) => furthest = steps,
                Err(rejection) => {
                    assert_eq!(rejection, Rejection::Mismatch);
                    break;
                }
            }
        }
        assert_eq!(furthest, reached, "learning: {learn}");
    }
}

#[test]
fn learning_does_not_undo_what_resynchronising_found() {
    let policy = Policy::builder().learn_drift(true).build().unwrap();
    let world = World::new(policy);
    let device = world.enrol("alice");
    world.time.advance(3600);
    assert_eq!(resynchronise(&world, &device, 15), Ok(()));
    for _ in 0..3 {
        world.time.advance(3600);
        let code = device.code_in(world.now(), 16);
        assert_eq!(authenticate(&world, code), Ok(16));
    }
}

#[test]
fn a_clock_that_went_back_is_noticed_before_any_code_is_judged() {
    let world = World::standard();
    let device = world.enrol("alice");
    let before = world.row("alice").unwrap();
    world.events();
    // The floor is at T; forward 1, and one more is still believed.
    world.time.go_back(60);
    let wrong = device.wrong_code(world.now());
    assert_eq!(
        authenticate(&world, wrong.clone()),
        Err(Rejection::Mismatch)
    );
    world.events();
    world.time.go_back(30);
    let counted = world.row("alice").unwrap();
    assert!(counted.revision > before.revision);
    assert_eq!(authenticate(&world, wrong), Err(Rejection::ClockBehind));
    assert_eq!(
        authenticate(&world, device.code(world.now())),
        Err(Rejection::ClockBehind)
    );
    assert!(matches!(
        world.events()[..],
        [EventKind::ClockBehind { .. }, EventKind::ClockBehind { .. }]
    ));
    assert_eq!(world.row("alice").unwrap().revision, counted.revision);
}

#[test]
fn a_drift_ahead_is_no_clock_that_went_back() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(3600);
    assert_eq!(resynchronise(&world, &device, 20), Ok(()));
    assert_eq!(
        authenticate(&world, device.wrong_code(world.now())),
        Err(Rejection::Mismatch)
    );
}

#[test]
fn a_clock_that_does_not_know_is_an_error_and_judges_nothing() {
    let world = World::standard();
    let device = world.enrol("alice");
    let before = world.row("alice").unwrap();
    let timeless = Mfa::new(Policy::STANDARD, || None::<UnixTime>, OsEntropy);
    let request = timeless.authenticate(device.code(world.now()));
    let failed = request.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(failed, softtoken::Fault::NoTime.into());
    assert_eq!(world.row("alice").unwrap().revision, before.revision);
}

#[test]
fn a_window_of_the_policy_is_the_window_of_the_machine() {
    let window = Window::new(3, 0).unwrap();
    let world = World::new(Policy::builder().window(window).build().unwrap());
    let device = world.enrol("alice");
    world.time.advance(3600);
    for (steps, expected) in [
        (-4, Err(Rejection::Mismatch)),
        (1, Err(Rejection::Mismatch)),
        (-3, Ok(-3)),
        (0, Ok(0)),
    ] {
        let code = device.code_in(world.now(), steps);
        assert_eq!(authenticate(&world, code), expected, "{steps}");
    }
}

#[test]
fn a_reset_takes_the_recovery_codes_too() {
    let world = World::standard();
    world.enrol("alice");
    let codes = codes(&world);
    let reset = world.mfa.reset(Administrator);
    reset.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(30);
    world.enrol("alice");
    assert_eq!(
        recover(&world, codes.iter().next().unwrap()).unwrap_err(),
        Rejection::Mismatch
    );
}
