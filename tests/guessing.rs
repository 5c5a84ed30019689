//! How far guessing gets: the throttle's schedule, the debt, the lock, and the odds that the policy states.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::time::Duration;

use crate::world::{Device, World};
use softtoken::totp::{Digits, Totp, Window};
use softtoken::{
    Administrator, BlockingStore, Code, EventKind, Policy, PolicyError, Rejection, Requirement,
    Step, Swap, Throttle,
};

const DAY: u64 = 86_400;

fn authenticate(world: &World, code: Code) -> Result<Step, Rejection> {
    let authenticate = world.mfa.authenticate(code);
    match authenticate.run_blocking(&world.store, "alice") {
        Ok(evidence) => Ok(evidence.step().unwrap()),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

#[test]
fn failures_wait_longer_and_longer() {
    let world = World::standard();
    let device = world.enrol("alice");
    let mut waits = Vec::new();
    for _ in 0..13 {
        let wrong = device.wrong_code(world.now());
        assert_eq!(
            authenticate(&world, wrong.clone()),
            Err(Rejection::Mismatch)
        );
        match authenticate(&world, wrong) {
            Err(Rejection::Throttled { until }) => {
                waits.push(until.since(world.now()).as_secs());
                world.time.set(until.as_secs());
            }
            Err(Rejection::Mismatch) => waits.push(0),
            other => panic!("{other:?}"),
        }
    }
    // The first two that cost nothing are two failures each.
    assert_eq!(
        waits,
        [0, 5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]
    );
}

#[test]
fn a_failure_that_costs_no_wait_announces_none_even_at_the_beginning_of_time() {
    let world = World::standard();
    world.time.set(0);
    let device = world.enrol("alice");
    world.events();
    let wrong = authenticate(&world, device.wrong_code(world.now()));
    assert_eq!(wrong, Err(Rejection::Mismatch));
    let refused = EventKind::Refused {
        rejection: Rejection::Mismatch,
        flaw: None,
    };
    assert_eq!(world.events(), [refused]);
}

#[test]
fn an_attempt_made_too_early_is_neither_judged_nor_counted() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    for _ in 0..3 {
        let wrong = device.wrong_code(world.now());
        assert_eq!(authenticate(&world, wrong), Err(Rejection::Mismatch));
    }
    let until = world.now().saturating_add(Duration::from_secs(5));
    let before = world.row("alice").unwrap().revision;
    world.time.advance(4);
    for code in [device.code(world.now()), device.wrong_code(world.now())] {
        assert_eq!(
            authenticate(&world, code),
            Err(Rejection::Throttled { until })
        );
    }
    assert_eq!(world.row("alice").unwrap().revision, before);
    world.time.advance(1);
    assert!(authenticate(&world, device.code(world.now())).is_ok());
}

#[test]
fn a_success_clears_the_streak_and_pays_one_failure_back() {
    let one_failure = Throttle {
        debt_limit: 4,
        ..Throttle::STANDARD
    };
    let policy = Policy::builder().throttle(one_failure).build().unwrap();
    let world = World::new(policy);
    let device = world.enrol("alice");
    let fail = || {
        let wrong = device.wrong_code(world.now());
        assert_eq!(authenticate(&world, wrong), Err(Rejection::Mismatch));
    };
    fail();
    fail();
    world.time.advance(30);
    assert!(authenticate(&world, device.code(world.now())).is_ok());
    // The debt is one, the streak none: three more failures, the third of which is the fourth that is owed.
    fail();
    fail();
    fail();
    assert_eq!(
        authenticate(&world, device.code(world.now())),
        Err(Rejection::Locked)
    );
}

#[test]
fn time_pays_failures_back_and_ends_no_lock() {
    let quick = Throttle {
        debt_limit: 3,
        ..Throttle::STANDARD
    };
    let world = World::new(Policy::builder().throttle(quick).build().unwrap());
    let device = world.enrol("alice");
    let fail = || {
        let wrong = device.wrong_code(world.now());
        assert_eq!(authenticate(&world, wrong), Err(Rejection::Mismatch));
    };
    fail();
    fail();
    world.time.advance(DAY / 2);
    fail();
    let locked = |world: &World| {
        let status = world.mfa.status();
        status.run_blocking(&world.store, "alice").unwrap().locked
    };
    assert!(!locked(&world), "twelve hours paid one back");
    world.time.advance(10);
    world.events();
    fail();
    assert!(locked(&world));
    assert!(world.events().contains(&EventKind::Locked));
    world.time.advance(1000 * DAY);
    assert!(locked(&world), "no time ends it");
    let unlock = world.mfa.unlock(Administrator);
    unlock.run_blocking(&world.store, "alice").unwrap();
    assert!(authenticate(&world, device.code(world.now())).is_ok());
}

#[test]
fn time_pays_from_the_first_failure_on_and_no_other_begins_it_anew() {
    let world = |debt_limit| {
        let throttle = Throttle {
            debt_limit,
            ..Throttle::STANDARD
        };
        let world = World::new(Policy::builder().throttle(throttle).build().unwrap());
        let device = world.enrol("alice");
        (world, device)
    };
    let fail = |(world, device): &(World, Device)| {
        let wrong = device.wrong_code(world.now());
        assert_eq!(authenticate(world, wrong), Err(Rejection::Mismatch));
        let status = world.mfa.status();
        status.run_blocking(&world.store, "alice").unwrap().locked
    };

    let early = world(2);
    assert!(!fail(&early));
    early.0.time.advance(DAY / 2 - 1);
    assert!(fail(&early), "nothing is paid back before twelve hours");

    let late = world(3);
    assert!(!fail(&late));
    late.0.time.advance(DAY / 4);
    assert!(!fail(&late));
    late.0.time.advance(DAY / 4);
    assert!(!fail(&late), "one is, twelve hours after the first");
}

#[test]
fn five_failures_in_a_row_say_that_the_password_is_probably_known() {
    let world = World::standard();
    let device = world.enrol("alice");
    let mut told = Vec::new();
    for failure in 1..=6 {
        world.time.advance(900);
        world.events();
        let wrong = device.wrong_code(world.now());
        assert_eq!(authenticate(&world, wrong), Err(Rejection::Mismatch));
        let known = EventKind::PasswordProbablyKnown { failures: failure };
        if world.events().contains(&known) {
            told.push(failure);
        }
    }
    assert_eq!(told, [5]);
    world.time.advance(900);
    assert!(authenticate(&world, device.code(world.now())).is_ok());
    assert!(
        matches!(
            world.events()[..],
            [EventKind::SignedIn { failures: 6, .. }]
        ),
        "a success tells how many came before it"
    );
}

#[test]
fn a_reused_code_is_no_guess_and_clears_nothing() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..2 {
        let wrong = device.wrong_code(world.now());
        assert_eq!(authenticate(&world, wrong), Err(Rejection::Mismatch));
    }
    for _ in 0..20 {
        let spent = device.code(world.now());
        assert_eq!(authenticate(&world, spent), Err(Rejection::Reused));
    }
    let wrong = device.wrong_code(world.now());
    assert_eq!(authenticate(&world, wrong), Err(Rejection::Mismatch));
    assert!(matches!(
        authenticate(&world, device.code(world.now())),
        Err(Rejection::Throttled { .. })
    ));
}

/// The best attacker there is: guesses whenever the throttle allows it, but not the guess that would lock the token, since
/// time and the user's own sign-ins pay for more; and takes that one at the very end. The user's clock is so far behind
/// that a second window is open beside the server's.
fn odds_of_the_best_attacker(days: u64, sign_ins_a_day: u64) -> f64 {
    const BEHIND: i64 = -19;
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(3600);
    let now = world.now();
    let codes = [BEHIND - 1, BEHIND].map(|steps| device.code_in(now, steps));
    let [code, next] = codes;
    let resynchronise = world.mfa.resynchronise(world.password(), code, next);
    resynchronise.run_blocking(&world.store, "alice").unwrap();

    let end = world.now().as_secs() + days * DAY;
    let every = (days * DAY).checked_div(days * sign_ins_a_day);
    let mut due = every.map(|every| world.now().as_secs() + every);
    let mut floor = Totp::STANDARD.step(world.now()).saturating_offset(BEHIND);
    let window = Window::STANDARD.with_drift(i16::try_from(BEHIND).unwrap());
    let mut odds = 0.0;
    let mut guesses = 0;
    loop {
        assert!(guesses < 10_000, "nothing holds the attacker back");
        let now = world.now().as_secs();
        if due.is_some_and(|due| due <= now) {
            match authenticate(&world, device.code_in(world.now(), BEHIND)) {
                Ok(step) => {
                    floor = step;
                    due = due.zip(every).map(|(due, every)| due + every);
                }
                Err(Rejection::Throttled { until }) => world.time.set(until.as_secs()),
                Err(other) => panic!("{other:?}"),
            }
            continue;
        }
        let open: Vec<Step> = window
            .steps(Totp::STANDARD.step(world.now()))
            .filter(|step| *step > floor)
            .collect();
        let guess = wrong_guess(&device, &world);
        let authenticate = world.mfa.authenticate(guess);
        let decision = authenticate.decide("alice", world.row("alice")).unwrap();
        let write = decision.write();
        let locks = write.is_some_and(|write| {
            let mut events = write.events().iter();
            events.any(|event| event.kind == EventKind::Locked)
        });
        let again_at = match write {
            Some(write) if !locks || now >= end => {
                let swapped = world.store.compare_and_swap_blocking(write.clone());
                assert_eq!(swapped, Ok(Swap::Stored));
                odds += f64::from(u32::try_from(open.len()).unwrap()) / 1e6;
                guesses += 1;
                now
            }
            Some(_) => now + 3 * 3600,
            None => match decision.committed() {
                Err(Rejection::Throttled { until }) => until.as_secs(),
                Err(Rejection::Locked) => return odds,
                other => panic!("{other:?}"),
            },
        };
        if now >= end {
            return odds;
        }
        let next = due.map_or(again_at, |due| due.min(again_at));
        world.time.set(next.max(now).min(end));
    }
}

/// A code that no open step has: the attacker is unlucky every time, and guesses on.
fn wrong_guess(device: &Device, world: &World) -> Code {
    let close: Vec<Code> = (-24..=4)
        .map(|steps| device.code_in(world.now(), steps))
        .collect();
    let mut guesses = (0..100).map(|number| Code::parse(&format!("{number:06}")).unwrap());
    guesses.find(|guess| !close.contains(guess)).unwrap()
}

#[test]
fn the_stated_odds_are_never_exceeded_and_at_most_twice_too_high() {
    for days in [1, 30, 365] {
        for sign_ins_a_day in [0, 1, 10] {
            let duration = Duration::from_secs(days * DAY);
            let bound = Policy::STANDARD.guess_odds(duration, days * sign_ins_a_day);
            let odds = odds_of_the_best_attacker(days, sign_ins_a_day);
            assert!(
                odds <= bound && bound <= 2.0 * odds,
                "{days} days, {sign_ins_a_day} sign-ins a day: {odds} of {bound}"
            );
        }
    }
}

#[test]
fn the_odds_follow_from_every_number_they_depend_on() {
    let odds = |policy: Policy| policy.guess_odds(Duration::from_secs(DAY), 1);
    let standard = odds(Policy::STANDARD);
    let eight = Totp::new(
        softtoken::totp::Algorithm::Sha1,
        Digits::Eight,
        Duration::from_secs(30),
    );
    let eight = Policy::builder().totp(eight.unwrap()).build().unwrap();
    assert!(odds(eight) < standard / 90.0);
    let wide = Policy::builder().window(Window::new(2, 3).unwrap());
    let doubled = odds(wide.build().unwrap()) / standard;
    assert!((1.9..2.1).contains(&doubled));
    let strict = Throttle {
        debt_limit: 10,
        ..Throttle::STANDARD
    };
    let strict = Policy::builder().throttle(strict).build().unwrap();
    assert!(odds(strict) < standard / 5.0);
    let slow = Throttle {
        base: Duration::from_secs(3600),
        cap: Duration::from_secs(3600),
        ..Throttle::STANDARD
    };
    let slow = Policy::builder().throttle(slow).build().unwrap();
    assert!(odds(slow) < standard / 2.0);
    let forever = Policy::STANDARD.guess_odds(Duration::MAX, u64::MAX);
    assert!((forever - 1.0).abs() < f64::EPSILON);
    assert!(Policy::STANDARD.guess_odds(Duration::ZERO, 0) <= 3.0 * 6.1e-6);
}

#[test]
fn the_readme_quotes_the_odds() {
    let readme = include_str!("../README.md");
    let unwrapped = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    let percent = |days: u64, successes| {
        let odds = Policy::STANDARD.guess_odds(Duration::from_secs(days * DAY), successes);
        format!("{:.2} %", 100.0 * odds)
    };
    let quoted = [
        format!("at most {} at an idle account", percent(365, 0)),
        format!("{} at one whose user signs in daily", percent(365, 365)),
        format!("a day: {}", percent(1, 0)),
    ];
    for quote in quoted {
        assert!(unwrapped.contains(&quote), "{quote}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn a_policy_that_contradicts_itself_or_the_standards_is_not_built() {
    let builder = Policy::builder;
    let throttle = |throttle| builder().throttle(throttle);
    let standard = Throttle::STANDARD;
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let table = [
        (builder().secret_bytes(15), PolicyError::SecretBytes),
        (builder().secret_bytes(65), PolicyError::SecretBytes),
        (
            builder()
                .requirement(Requirement::Required)
                .software_tokens(false),
            PolicyError::RequiredButDisabled,
        ),
        (
            builder().pending_lifetime(Duration::from_secs(59)),
            PolicyError::PendingLifetime,
        ),
        (
            builder().pending_lifetime(minutes(24 * 60 + 1)),
            PolicyError::PendingLifetime,
        ),
        (
            builder().session_lifetime(Duration::from_secs(179)),
            PolicyError::SessionLifetime,
        ),
        (
            builder().session_lifetime(Duration::from_secs(901)),
            PolicyError::SessionLifetime,
        ),
        (
            builder()
                .session_lifetime(minutes(15))
                .window(Window::new(10, 10).unwrap()),
            PolicyError::SpentBound,
        ),
        (builder().name_bytes(1025), PolicyError::NameBytes),
        (
            builder().window(Window::STANDARD.with_drift(1)),
            PolicyError::WindowDrift,
        ),
        (
            builder().resynchronise_reach(0),
            PolicyError::ResynchroniseReach,
        ),
        (
            builder().resynchronise_reach(121),
            PolicyError::ResynchroniseReach,
        ),
        (builder().swap_attempts(0), PolicyError::SwapAttempts),
        (builder().swap_attempts(1001), PolicyError::SwapAttempts),
        (
            throttle(Throttle {
                free: 0,
                ..standard
            }),
            PolicyError::Throttle,
        ),
        (
            throttle(Throttle {
                free: 11,
                ..standard
            }),
            PolicyError::Throttle,
        ),
        (
            throttle(Throttle {
                base: Duration::from_millis(999),
                ..standard
            }),
            PolicyError::Throttle,
        ),
        (
            throttle(Throttle {
                cap: Duration::from_secs(4),
                ..standard
            }),
            PolicyError::Throttle,
        ),
        (
            throttle(Throttle {
                debt_limit: 0,
                ..standard
            }),
            PolicyError::Throttle,
        ),
        (
            throttle(Throttle {
                debt_limit: 101,
                ..standard
            }),
            PolicyError::Throttle,
        ),
        (
            throttle(Throttle {
                debt_decay: Duration::from_secs(59),
                ..standard
            }),
            PolicyError::Throttle,
        ),
        (
            throttle(Throttle {
                suspect_at: 0,
                ..standard
            }),
            PolicyError::Throttle,
        ),
        (
            builder().reauthenticate_within(Some(Duration::from_millis(999))),
            PolicyError::ReauthenticateWithin,
        ),
    ];
    for (builder, error) in table {
        assert_eq!(builder.build(), Err(error), "{builder:?}");
    }
    for builder in [
        builder().secret_bytes(16).swap_attempts(1).name_bytes(0),
        builder()
            .secret_bytes(64)
            .swap_attempts(1000)
            .name_bytes(1024),
        builder()
            .pending_lifetime(minutes(1))
            .resynchronise_reach(1),
        builder()
            .pending_lifetime(minutes(24 * 60))
            .resynchronise_reach(120),
        builder().session_lifetime(minutes(3)),
        builder().session_lifetime(minutes(15)),
        throttle(Throttle {
            free: 10,
            cap: standard.base,
            debt_limit: 1,
            suspect_at: 1,
            ..standard
        }),
        throttle(Throttle {
            free: 1,
            base: Duration::from_secs(1),
            debt_decay: minutes(1),
            ..standard
        }),
        builder().reauthenticate_within(Some(Duration::from_secs(1))),
        builder().window(Window::new(10, 10).unwrap()),
    ] {
        assert!(builder.build().is_ok(), "{builder:?}");
    }
}

#[test]
fn the_named_policies_are_ones_that_the_builder_builds() {
    for policy in [Policy::STANDARD, Policy::COGNITO] {
        assert_eq!(policy.to_builder().build(), Ok(policy));
    }
    assert_eq!(Policy::default(), Policy::STANDARD);
}
