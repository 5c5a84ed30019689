//! When codes do not come or do not fit: recovery codes, temporary codes, vouched factors,
//! resynchronisation, drift, a clock that goes back.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::time::Duration;

use crate::world::{Device, World, admin};
use softtoken::association::{EventKind, Method, RecoveryCodes};
use softtoken::totp::Window;
use softtoken::{
    Code, Evidence, Factor, Fault, Mfa, OsEntropy, Policy, RecoveryCode, Rejection, SignedIn,
    UnixTime, Vouched,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Three wrong recovery codes in a row are as many as are judged.
fn limited() -> World {
    let policy = Policy::builder().recovery_limit(Some(3));
    World::new(policy.build().unwrap())
}

fn codes(world: &World) -> RecoveryCodes {
    let issue = world.mfa.issue_recovery_codes(&admin());
    issue.run_blocking(&world.store, "alice").unwrap()
}

fn temporary_code(world: &World, lifetime: Duration) -> RecoveryCode {
    let issue = world.mfa.issue_temporary_code(&admin(), lifetime);
    issue.run_blocking(&world.store, "alice").unwrap()
}

fn sign_in_with(world: &World, factor: impl Into<Factor>) -> Result<Evidence, Rejection> {
    let sign_in = world.mfa.sign_in_with(Some(factor.into()));
    match sign_in.run_blocking(&world.store, "alice") {
        Ok(SignedIn::Proven(evidence)) => Ok(evidence),
        Ok(other) => panic!("not judged: {other:?}"),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

fn recover(world: &World, code: &RecoveryCode) -> Result<Evidence, Rejection> {
    sign_in_with(world, code.clone())
}

/// How many steps ahead the code was that is accepted.
fn authenticate(world: &World, code: Code) -> Result<i64, Rejection> {
    let step = world.mfa.policy().totp().step(world.now());
    sign_in_with(world, code).map(|evidence| evidence.step().unwrap().steps_since(step))
}

fn resynchronise(world: &World, device: &Device, steps: i64) -> Result<(), Rejection> {
    let code = device.code_in(world.now(), steps);
    let next = device.code_in(world.now(), steps + 1);
    let request = world
        .mfa
        .resynchronise(&world.password("alice"), code, next);
    let answer = request.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

/// Wrong codes, each as soon as it is judged, until one is refused otherwise.
fn guess_until_locked(world: &World, device: &Device) {
    let mut guesses = (0..1000).map(|_| {
        let status = world.mfa.status();
        let status = status.run_blocking(&world.store, "alice").unwrap();
        if let Some(until) = status.throttled_until {
            world.time.set(until.as_secs());
        }
        authenticate(world, device.wrong_code(world.now()))
    });
    let locked = guesses.find(|answer| *answer != Err(Rejection::Mismatch));
    assert_eq!(locked, Some(Err(Rejection::Locked)));
}

const WRONG: &str = "00000-00000-00000-00000-00000";

fn wrong_recovery_code() -> RecoveryCode {
    RecoveryCode::parse(WRONG).unwrap()
}

fn suspicions(world: &World) -> usize {
    let is_alarm = |kind: &EventKind| matches!(kind, EventKind::PasswordProbablyKnown { .. });
    world.events().iter().filter(|kind| is_alarm(kind)).count()
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
        assert_eq!(evidence.amr(), ["otp", "mfa"]);
        assert!(evidence.should_end_other_logins());
        let left = u32::try_from(RecoveryCodes::COUNT - used - 1).unwrap();
        assert_eq!(evidence.recovery_codes_left(), Some(left));
        let temporary = false;
        assert!(
            world
                .events()
                .contains(&EventKind::RecoveryCodeUsed { left, temporary })
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
        assert_eq!(shown.len(), 29);
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
        "01234-56789-ABCDE-FGHJK-MNPQRS",
        "01234-56789-ABCDE-FGHJK-MNPQ",
        "01234-56789-ABCDE-FGHJK-MNPQU",
        "٠1234-56789-ABCDE-FGHJK-MNPQR",
    ] {
        assert!(RecoveryCode::parse(nonsense).is_err(), "{nonsense}");
    }
    assert_eq!(
        RecoveryCode::parse("I1L1i-oO00o-iiiii-lllll-\u{a0}AbCdE\n"),
        RecoveryCode::parse("11111-00000-11111-11111-ABCDE")
    );
}

#[test]
fn recovery_codes_are_shown_in_five_groups_and_no_two_are_the_same() {
    let shown = RecoveryCode::parse("0123456789abcdefghjkmnpqr").unwrap();
    assert_eq!(shown.expose().as_str(), "01234-56789-ABCDE-FGHJK-MNPQR");
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
        let recover = world.mfa.respond(&session, code.clone());
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
    let issue = world
        .mfa
        .issue_recovery_codes(&world.second_factor("alice"));
    let refused = issue.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::NotAssociated));
    let temporary = world.mfa.issue_temporary_code(&admin(), HOUR);
    let refused = temporary.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::NotAssociated));

    let step_up = || {
        let step_up = world
            .mfa
            .step_up(&world.password("alice"), wrong_recovery_code());
        let answer = step_up.run_blocking(&world.store, "alice");
        answer.unwrap_err().rejection().unwrap()
    };
    assert_eq!(step_up(), Rejection::NotAssociated);
    world.enrol("alice");
    assert_eq!(step_up(), Rejection::Mismatch);
}

#[test]
fn a_recovery_code_waits_for_no_lock_and_ends_it() {
    let world = World::standard();
    let device = world.enrol("alice");
    let codes = codes(&world);
    guess_until_locked(&world, &device);
    assert!(recover(&world, codes.iter().next().unwrap()).is_ok());
    assert!(authenticate(&world, device.code(world.now())).is_ok());
}

#[test]
fn wrong_recovery_codes_are_counted_by_themselves_and_told_from_the_fifth_on() {
    let world = World::standard();
    let device = world.enrol("alice");
    let codes = codes(&world);
    world.events();
    for wrong in 1..=7 {
        let answer = recover(&world, &wrong_recovery_code());
        assert_eq!(answer.unwrap_err(), Rejection::Mismatch);
        assert_eq!(suspicions(&world), usize::from(wrong >= 5), "{wrong}");
    }
    let status = world.mfa.status();
    let status = status.run_blocking(&world.store, "alice").unwrap();
    assert_eq!((status.failures, status.throttled_until), (0, None));
    world.time.advance(30);
    assert!(authenticate(&world, device.code(world.now())).is_ok());
    assert!(recover(&world, codes.iter().next().unwrap()).is_ok());

    // The right one has ended the run.
    for _ in 0..4 {
        let _ = recover(&world, &wrong_recovery_code());
    }
    assert_eq!(suspicions(&world), 0);
}

#[test]
fn after_a_hundred_wrong_recovery_codes_nothing_is_written_and_the_right_one_works() {
    let world = World::standard();
    world.enrol("alice");
    let codes = codes(&world);
    for _ in 0..100 {
        let _ = recover(&world, &wrong_recovery_code());
    }
    let full = world.row("alice").unwrap().revision;
    world.events();
    for _ in 0..20 {
        let answer = recover(&world, &wrong_recovery_code());
        assert_eq!(answer.unwrap_err(), Rejection::Mismatch);
    }
    assert_eq!(suspicions(&world), 20, "each is told");
    assert_eq!(world.row("alice").unwrap().revision, full);
    assert!(recover(&world, codes.iter().next().unwrap()).is_ok());
}

#[test]
fn where_there_is_no_recovery_code_a_wrong_one_writes_nothing() {
    let world = World::standard();
    world.enrol("alice");
    let before = world.row("alice").unwrap().revision;
    for _ in 0..10 {
        let answer = recover(&world, &wrong_recovery_code());
        assert_eq!(answer.unwrap_err(), Rejection::Mismatch);
    }
    assert_eq!(world.row("alice").unwrap().revision, before);
}

#[test]
fn a_limit_on_wrong_recovery_codes_refuses_the_right_one_too_until_an_administrator_helps() {
    let world = limited();
    let device = world.enrol("alice");
    let codes = codes(&world);
    let mut codes = codes.iter();
    let vouched = || sign_in_with(&world, Vouched::recovery_code(true));
    for _ in 0..3 {
        let answer = recover(&world, &wrong_recovery_code());
        assert_eq!(answer.unwrap_err(), Rejection::Mismatch);
    }
    let right = codes.next().unwrap();
    assert_eq!(
        recover(&world, right).unwrap_err(),
        Rejection::RecoveryLocked
    );
    assert_eq!(vouched().unwrap_err(), Rejection::RecoveryLocked);
    world.time.advance(30);
    assert!(
        authenticate(&world, device.code(world.now())).is_ok(),
        "the token is not locked"
    );

    let unlock = world.mfa.unlock(&admin());
    unlock.run_blocking(&world.store, "alice").unwrap();
    assert!(recover(&world, right).is_ok());
    assert!(vouched().is_ok());
}

/// Nobody has guessed a code of the token, whose throttle has nothing to clear.
#[test]
fn an_administrator_helps_where_recovery_codes_alone_were_guessed() {
    let world = limited();
    world.enrol("alice");
    let codes = codes(&world);
    let right = codes.iter().next().unwrap();
    for _ in 0..3 {
        let _ = recover(&world, &wrong_recovery_code());
    }
    assert_eq!(
        recover(&world, right).unwrap_err(),
        Rejection::RecoveryLocked
    );
    let unlock = world.mfa.unlock(&admin());
    unlock.run_blocking(&world.store, "alice").unwrap();
    assert!(recover(&world, right).is_ok());
}

#[test]
fn a_temporary_code_does_not_put_the_limit_on_wrong_recovery_codes_off() {
    let world = limited();
    world.enrol("alice");
    let codes = codes(&world);
    let temporary = temporary_code(&world, HOUR);
    for _ in 0..3 {
        let answer = recover(&world, &wrong_recovery_code());
        assert_eq!(answer.unwrap_err(), Rejection::Mismatch);
    }
    for right in [&temporary, codes.iter().next().unwrap()] {
        assert_eq!(
            recover(&world, right).unwrap_err(),
            Rejection::RecoveryLocked
        );
    }
}

#[test]
fn a_recovery_code_clears_the_wait_and_pays_off_one_suspicion() {
    let world = World::standard();
    let device = world.enrol("alice");
    let codes = codes(&world);
    for _ in 0..3 {
        let _ = authenticate(&world, device.wrong_code(world.now()));
    }
    let right = device.code_in(world.now(), 1);
    assert!(matches!(
        authenticate(&world, right.clone()),
        Err(Rejection::Throttled { .. })
    ));
    assert!(recover(&world, codes.iter().next().unwrap()).is_ok());
    assert!(authenticate(&world, right).is_ok());
}

#[test]
fn a_temporary_code_stands_beside_the_set_and_is_accepted_once_before_its_end() {
    let world = World::standard();
    world.enrol("alice");
    let codes = codes(&world);
    let code = temporary_code(&world, HOUR);
    let status = world.mfa.status();
    let status = status.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(
        status.temporary_code_expires,
        Some(world.now().saturating_add(HOUR))
    );
    assert_eq!(status.recovery_codes, 10);

    world.time.advance(3599);
    let evidence = recover(&world, &code).unwrap();
    assert_eq!(evidence.method(), Method::TemporaryCode);
    assert_eq!(evidence.recovery_codes_left(), Some(10));
    assert!(evidence.should_end_other_logins());
    assert_eq!(recover(&world, &code).unwrap_err(), Rejection::Mismatch);
    assert!(recover(&world, codes.iter().next().unwrap()).is_ok());

    let late = temporary_code(&world, HOUR);
    world.time.advance(3600);
    assert_eq!(recover(&world, &late).unwrap_err(), Rejection::Mismatch);
}

#[test]
fn a_temporary_code_ends_by_a_newer_one_a_new_set_and_a_change_of_what_is_in_force() {
    let world = World::new(Policy::builder().max_tokens(2).build().unwrap());
    let (_, grant) = world.enrolled("alice");
    let first = temporary_code(&world, HOUR);
    let second = temporary_code(&world, HOUR);
    assert_eq!(recover(&world, &first).unwrap_err(), Rejection::Mismatch);
    let _ = codes(&world);
    assert_eq!(recover(&world, &second).unwrap_err(), Rejection::Mismatch);

    let third = temporary_code(&world, HOUR);
    let associate = world.mfa.associate(&grant);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = world.mfa.verify(&grant, code);
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(recover(&world, &third).unwrap_err(), Rejection::Mismatch);
}

#[test]
fn a_temporary_code_clears_the_count_of_wrong_ones_and_lives_a_minute_to_seven_days() {
    let world = World::standard();
    world.enrol("alice");
    let _ = codes(&world);
    for _ in 0..4 {
        let _ = recover(&world, &wrong_recovery_code());
    }
    let _ = temporary_code(&world, HOUR);
    world.events();
    let _ = recover(&world, &wrong_recovery_code());
    assert_eq!(suspicions(&world), 0);

    for (seconds, is_one) in [(59, false), (60, true), (604_800, true), (604_801, false)] {
        let issue = world
            .mfa
            .issue_temporary_code(&admin(), Duration::from_secs(seconds));
        let answer = issue.run_blocking(&world.store, "alice");
        assert_eq!(answer.is_ok(), is_one, "{seconds}");
        if let Err(error) = answer {
            assert_eq!(error, Fault::TemporaryCodeLifetime.into());
        }
    }
}

#[test]
fn wrong_codes_beside_a_temporary_code_alone_are_counted_until_it_is_used() {
    let world = World::standard();
    world.enrol("alice");
    // Issued before the wrong ones: to issue one clears the count as well.
    let code = temporary_code(&world, HOUR);
    world.events();
    for wrong in 1..=5 {
        let answer = recover(&world, &wrong_recovery_code());
        assert_eq!(answer.unwrap_err(), Rejection::Mismatch);
        assert_eq!(suspicions(&world), usize::from(wrong == 5), "{wrong}");
    }
    assert!(recover(&world, &code).is_ok());
    let _ = codes(&world);
    world.events();
    let _ = recover(&world, &wrong_recovery_code());
    assert_eq!(suspicions(&world), 0, "the right one has ended the run");
}

#[test]
fn a_new_set_does_not_end_the_limit_on_wrong_recovery_codes() {
    let world = limited();
    world.enrol("alice");
    let _ = codes(&world);
    for _ in 0..3 {
        let answer = recover(&world, &wrong_recovery_code());
        assert_eq!(answer.unwrap_err(), Rejection::Mismatch);
    }
    let new = codes(&world);
    let answer = recover(&world, new.iter().next().unwrap());
    assert_eq!(answer.unwrap_err(), Rejection::RecoveryLocked);
}

#[test]
fn a_token_taken_off_and_set_up_anew_does_not_end_the_limit_on_wrong_recovery_codes() {
    let world = limited();
    let (_, login) = world.enrolled("alice");
    let _ = codes(&world);
    for _ in 0..3 {
        let answer = recover(&world, &wrong_recovery_code());
        assert_eq!(answer.unwrap_err(), Rejection::Mismatch);
    }
    let disassociate = world.mfa.disassociate(&login);
    disassociate.run_blocking(&world.store, "alice").unwrap();
    world.enrol("alice");
    let new = codes(&world);
    let answer = recover(&world, new.iter().next().unwrap());
    assert_eq!(answer.unwrap_err(), Rejection::RecoveryLocked);
}

#[test]
fn the_event_of_a_recovery_says_whether_the_code_was_a_temporary_one() {
    let world = World::standard();
    world.enrol("alice");
    let of_set = codes(&world).iter().next().unwrap().clone();
    let temporary = temporary_code(&world, HOUR);
    for (code, is_temporary) in [(of_set, false), (temporary, true)] {
        world.events();
        let _ = recover(&world, &code).unwrap();
        let told = world.events();
        let Some(EventKind::RecoveryCodeUsed { left, temporary }) = told.first() else {
            panic!("a recovery code was used: {told:?}");
        };
        assert_eq!((*left, *temporary), (9, is_temporary));
    }
}

#[test]
fn what_is_vouched_for_waits_for_no_lock_and_ends_it() {
    let world = World::standard();
    let device = world.enrol("alice");
    guess_until_locked(&world, &device);
    let evidence = sign_in_with(&world, Vouched::factor(&["hwk", "user"])).unwrap();
    assert_eq!(evidence.method(), Method::Vouched);
    assert_eq!(evidence.amr(), ["hwk", "user", "mfa"]);
    assert!(!evidence.should_end_other_logins());
    // It has ended the run, and the lock with it.
    let wrong = device.wrong_code(world.now());
    assert_eq!(authenticate(&world, wrong), Err(Rejection::Mismatch));
    assert_eq!(authenticate(&world, device.code(world.now())), Ok(0));
}

#[test]
fn a_vouched_factor_that_names_mfa_itself_has_it_named_once() {
    let world = World::standard();
    world.enrol("alice");
    let evidence = sign_in_with(&world, Vouched::factor(&["mfa", "hwk"])).unwrap();
    assert_eq!(evidence.amr(), ["mfa", "hwk"]);
}

#[test]
fn a_code_is_told_from_a_recovery_code_by_its_length_without_white_space_and_hyphens() {
    for typed in ["081-804", "0-8-1-8-0-4", "08 18 04   ", "1234\u{2003}5678"] {
        assert!(
            matches!(Factor::parse(typed), Ok(Factor::Code(_))),
            "{typed}"
        );
    }
    let recovery_code = Factor::parse("01234-56789-ABCDE-FGHJK-MNPQR");
    assert!(matches!(recovery_code, Ok(Factor::RecoveryCode(_))));
}

#[test]
fn a_vouched_recovery_code_is_counted_where_it_was_wrong_and_ends_other_logins_where_right() {
    let world = World::standard();
    world.enrol("alice");
    world.events();
    for wrong in 1..=5 {
        let answer = sign_in_with(&world, Vouched::recovery_code(false));
        assert_eq!(answer.unwrap_err(), Rejection::Mismatch);
        assert_eq!(
            suspicions(&world),
            usize::from(wrong == 5),
            "with no code of our own"
        );
    }
    let evidence = sign_in_with(&world, Vouched::recovery_code(true)).unwrap();
    assert_eq!(evidence.amr(), ["otp", "mfa"]);
    assert!(evidence.should_end_other_logins());
    let _ = sign_in_with(&world, Vouched::recovery_code(false));
    assert_eq!(suspicions(&world), 0, "the right one has ended the run");
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
        &world.password("alice"),
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
fn resynchronising_judges_tokens_in_force_alone() {
    let world = World::standard();
    let pending = Device::of(&world.associate("alice"));
    let before = world.row("alice");
    let refused = resynchronise(&world, &pending, 0).unwrap_err();
    assert_eq!(refused, Rejection::NotAssociated);
    assert_eq!(world.row("alice"), before, "nothing was counted");

    let token = world.enrol("alice");
    let associate = world.mfa.associate(&admin());
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(60);
    let refused = resynchronise(&world, &Device::of(&issued), 0).unwrap_err();
    assert_eq!(refused, Rejection::Mismatch);
    assert_eq!(resynchronise(&world, &token, 0), Ok(()));
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
    let code = device.code(world.now());
    let request = timeless.sign_in_with(Some(code.into()));
    let failed = request.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(failed, Fault::NoTime.into());
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
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(30);
    world.enrol("alice");
    assert_eq!(
        recover(&world, codes.iter().next().unwrap()).unwrap_err(),
        Rejection::Mismatch
    );
}

#[test]
fn a_reset_clears_the_throttle_and_the_count_of_wrong_recovery_codes() {
    let limited = Policy::builder().recovery_limit(Some(3)).build().unwrap();
    let world = World::new(limited);
    let device = world.enrol("alice");
    let _ = codes(&world);
    for _ in 0..3 {
        let answer = recover(&world, &wrong_recovery_code());
        assert_eq!(answer.unwrap_err(), Rejection::Mismatch);
        let wrong = device.wrong_code(world.now());
        assert_eq!(authenticate(&world, wrong), Err(Rejection::Mismatch));
    }
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    let status = world.mfa.status().run_blocking(&world.store, "alice");
    let status = status.unwrap();
    assert_eq!((status.failures, status.throttled_until), (0, None));

    // At once: nothing waits, and recovery is as open as on the first day.
    world.enrol("alice");
    let codes = codes(&world);
    assert!(recover(&world, codes.iter().next().unwrap()).is_ok());
}
