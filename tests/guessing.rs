//! How far guessing gets: the throttle's schedule, the debt, the lock, and the odds that the policy
//! states.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::convert::Infallible;
use core::time::Duration;

use crate::world::{Device, START, World, admin};
use softtoken::association::{EventKind, ImportedToken, StatusReport};
use softtoken::policy::{PolicyError, Throttle};
use softtoken::store::Swap;
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Digits, Secret, Totp, Window};
use softtoken::{
    BlockingStore, Code, Factor, Policy, RecoveryCode, Rejection, Requirement, Vouched,
};

const DAY: u64 = 86_400;

/// The step of the code that was accepted, if it was a code.
fn step_up(world: &World, factor: impl Into<Factor>) -> Result<Option<Step>, Rejection> {
    let step_up = world.mfa.step_up(&world.password("alice"), factor);
    match step_up.run_blocking(&world.store, "alice") {
        Ok(evidence) => Ok(evidence.step()),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

/// Guesses wrongly, and is judged.
#[track_caller]
fn fail(world: &World, device: &Device) {
    let wrong = device.wrong_code(world.now());
    assert_eq!(step_up(world, wrong), Err(Rejection::Mismatch));
}

/// Guesses wrongly so many times, as soon as each guess will be judged.
#[track_caller]
fn fail_times(world: &World, device: &Device, times: u32) {
    for _ in 0..times {
        if let Some(until) = status(world).throttled_until {
            world.time.set(until.as_secs());
        }
        fail(world, device);
    }
}

/// The code that the device shows now, once attempts are judged again.
fn right(world: &World, device: &Device) -> Result<Option<Step>, Rejection> {
    if let Some(until) = status(world).throttled_until {
        world.time.set(until.as_secs());
    }
    step_up(world, device.code(world.now()))
}

fn status(world: &World) -> StatusReport {
    let status = world.mfa.status();
    status.run_blocking(&world.store, "alice").unwrap()
}

fn with(throttle: Throttle) -> World {
    World::new(Policy::builder().throttle(throttle).build().unwrap())
}

/// A factor that the application has checked itself.
fn vouched() -> Vouched {
    Vouched::factor(&["hwk", "user"])
}

#[test]
fn failures_wait_longer_and_longer() {
    let world = World::standard();
    let device = world.enrol("alice");
    let mut waits = Vec::new();
    for _ in 0..13 {
        let wrong = device.wrong_code(world.now());
        assert_eq!(step_up(&world, wrong.clone()), Err(Rejection::Mismatch));
        match step_up(&world, wrong) {
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
    fail(&world, &device);
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
    fail_times(&world, &device, 3);
    let until = world.now().saturating_add(Duration::from_secs(5));
    let before = world.row("alice").unwrap().revision;
    world.time.advance(4);
    for code in [device.code(world.now()), device.wrong_code(world.now())] {
        assert_eq!(step_up(&world, code), Err(Rejection::Throttled { until }));
    }
    assert_eq!(world.row("alice").unwrap().revision, before);
    world.time.advance(1);
    assert!(step_up(&world, device.code(world.now())).is_ok());
}

#[test]
fn a_success_clears_the_streak_and_pays_one_failure_back() {
    let world = with(Throttle {
        debt_limit: 4,
        ..Throttle::STANDARD
    });
    let device = world.enrol("alice");
    fail_times(&world, &device, 2);
    world.time.advance(30);
    assert!(right(&world, &device).is_ok());
    // The debt is one, the streak none: three more failures, the third of which is the fourth that
    // is owed.
    for _ in 0..3 {
        fail(&world, &device);
    }
    assert_eq!(right(&world, &device), Err(Rejection::Locked));
}

#[test]
fn a_vouched_factor_is_one_success_and_waits_for_nothing() {
    let world = with(Throttle {
        debt_limit: 5,
        ..Throttle::STANDARD
    });
    let device = world.enrol("alice");
    fail_times(&world, &device, 4);
    assert!(status(&world).throttled_until.is_some());
    assert_eq!(step_up(&world, vouched()), Ok(None));
    assert_eq!(status(&world).throttled_until, None);
    assert_eq!(status(&world).failures, 0);
    // Of the debt of four one is paid.
    fail(&world, &device);
    fail(&world, &device);
    assert!(status(&world).locked);
}

#[test]
fn time_pays_failures_back_and_ends_no_lock() {
    let world = with(Throttle {
        debt_limit: 3,
        ..Throttle::STANDARD
    });
    let device = world.enrol("alice");
    fail(&world, &device);
    fail(&world, &device);
    world.time.advance(DAY / 2);
    fail(&world, &device);
    assert!(!status(&world).locked, "twelve hours paid one back");
    world.time.advance(10);
    world.events();
    fail(&world, &device);
    assert!(status(&world).locked);
    assert!(world.events().contains(&EventKind::Locked));
    world.time.advance(1000 * DAY);
    assert!(status(&world).locked, "no time ends it");
    let unlock = world.mfa.unlock(&admin());
    unlock.run_blocking(&world.store, "alice").unwrap();
    assert!(right(&world, &device).is_ok());
}

#[test]
fn time_pays_from_the_first_failure_on_and_no_other_begins_it_anew() {
    let world = |debt_limit| {
        let world = with(Throttle {
            debt_limit,
            ..Throttle::STANDARD
        });
        let device = world.enrol("alice");
        (world, device)
    };
    let fails = |(world, device): &(World, Device)| {
        fail(world, device);
        status(world).locked
    };

    let early = world(2);
    assert!(!fails(&early));
    early.0.time.advance(DAY / 2 - 1);
    assert!(fails(&early), "nothing is paid back before twelve hours");

    let late = world(3);
    assert!(!fails(&late));
    late.0.time.advance(DAY / 4);
    assert!(!fails(&late));
    late.0.time.advance(DAY / 4);
    assert!(!fails(&late), "one is, twelve hours after the first");
}

#[test]
fn a_failure_after_everything_was_paid_off_begins_the_twelve_hours_anew() {
    let world = with(Throttle {
        debt_limit: 2,
        ..Throttle::STANDARD
    });
    let device = world.enrol("alice");
    fail(&world, &device);
    world.time.advance(3 * DAY / 4);
    fail(&world, &device);
    // Twelve hours after the first was paid off; seven after the second was made.
    world.time.advance(7 * 60 * 60);
    fail(&world, &device);
    assert!(status(&world).locked, "two were made within twelve hours");
}

#[test]
fn what_is_left_of_twelve_hours_counts_towards_the_next_ones() {
    let world = with(Throttle {
        debt_limit: 3,
        ..Throttle::STANDARD
    });
    let device = world.enrol("alice");
    fail(&world, &device);
    fail(&world, &device);
    world.time.advance(3 * DAY / 4);
    fail(&world, &device);
    world.time.advance(DAY / 4);
    fail(&world, &device);
    assert!(!status(&world).locked, "a day has paid off two of four");
    fail_times(&world, &device, 1);
    assert!(status(&world).locked);
}

#[test]
fn a_success_does_not_begin_the_twelve_hours_anew() {
    let world = with(Throttle {
        debt_limit: 3,
        ..Throttle::STANDARD
    });
    let device = world.enrol("alice");
    fail_times(&world, &device, 2);
    world.time.set(START + DAY / 4);
    assert!(right(&world, &device).is_ok());
    world.time.set(START + DAY / 2);
    fail_times(&world, &device, 2);
    assert!(!status(&world).locked, "one was paid off by each");
    fail_times(&world, &device, 1);
    assert!(status(&world).locked);
}

#[test]
fn a_recovery_code_pays_off_everything_that_is_owed() {
    let world = with(Throttle {
        debt_limit: 3,
        ..Throttle::STANDARD
    });
    let device = world.enrol("alice");
    let issue = world.mfa.issue_recovery_codes(&admin());
    let codes = issue.run_blocking(&world.store, "alice").unwrap();
    fail_times(&world, &device, 3);
    assert!(status(&world).locked);
    let code = codes.iter().next().unwrap().clone();
    assert_eq!(step_up(&world, code), Ok(None));
    for failures in 1..3 {
        fail(&world, &device);
        assert!(!status(&world).locked, "{failures} of three");
    }
    fail(&world, &device);
    assert!(status(&world).locked);
}

#[test]
fn a_recovery_code_and_a_vouched_factor_tell_how_many_failures_came_before_them() {
    let world = World::standard();
    let device = world.enrol("alice");
    let issue = world.mfa.issue_recovery_codes(&admin());
    let codes = issue.run_blocking(&world.store, "alice").unwrap();
    let code = codes.iter().next().unwrap().clone();
    for factor in [Factor::from(code), vouched().into()] {
        fail_times(&world, &device, 2);
        world.events();
        assert_eq!(step_up(&world, factor), Ok(None));
        let told = world.events();
        let Some(EventKind::SignedIn { failures, method }) = told.last() else {
            panic!("somebody signed in: {told:?}");
        };
        assert_eq!(*failures, 2, "{method:?}");
    }
}

#[test]
fn a_code_of_another_length_is_told_before_the_throttle_is() {
    let world = World::standard();
    let device = world.enrol("alice");
    fail_times(&world, &device, 3);
    assert!(status(&world).throttled_until.is_some());
    let long = Code::parse("12345678").unwrap();
    let expected = Digits::Six;
    assert_eq!(
        step_up(&world, long),
        Err(Rejection::CodeLength { expected })
    );
}

#[test]
fn a_status_calls_nothing_locked_where_nothing_is_in_force() {
    let world = with(Throttle {
        streak_limit: 3,
        ..Throttle::STANDARD
    });
    let device = Device::of(&world.associate("alice"));
    for _ in 0..4 {
        world.time.advance(60);
        let wrong = device.wrong_code(world.now());
        let verify = world.mfa.verify(&world.password("alice"), wrong);
        assert!(verify.run_blocking(&world.store, "alice").is_err());
    }
    let status = status(&world);
    assert_eq!((status.failures, status.locked), (4, false));
}

#[test]
fn a_hundred_failures_in_a_row_lock_whatever_time_has_paid_back_and_no_fewer() {
    let world = World::standard();
    let device = world.enrol("alice");
    // One a day: time pays back more than is owed.
    let fail_daily = |times| {
        for _ in 0..times {
            world.time.advance(DAY);
            fail(&world, &device);
        }
    };
    fail_daily(99);
    assert!(!status(&world).locked);
    assert!(right(&world, &device).is_ok(), "a success ends the row");
    fail_daily(99);
    assert!(!status(&world).locked, "and another begins");
    fail_daily(1);
    assert!(status(&world).locked);
    world.time.advance(1000 * DAY);
    assert_eq!(right(&world, &device), Err(Rejection::Locked));
}

#[test]
fn a_debt_of_a_hundred_locks_however_often_the_owner_ends_the_row() {
    let world = World::standard();
    let device = world.enrol("alice");
    // Of each two failures the sign-in after them pays one; two more are the hundredth.
    for _ in 0..98 {
        fail(&world, &device);
        fail(&world, &device);
        assert!(!status(&world).locked);
        world.time.advance(30);
        assert!(right(&world, &device).is_ok());
    }
    fail(&world, &device);
    assert!(!status(&world).locked);
    fail(&world, &device);
    assert!(status(&world).locked);
}

#[test]
fn a_lock_ends_by_an_administrator_a_recovery_code_or_a_vouched_factor() {
    let locked = || {
        let world = with(Throttle {
            streak_limit: 7,
            ..Throttle::STANDARD
        });
        let (device, grant) = world.enrolled("alice");
        let issue = world.mfa.issue_recovery_codes(&grant);
        let codes = issue.run_blocking(&world.store, "alice").unwrap();
        fail_times(&world, &device, 7);
        world.time.advance(60);
        assert_eq!(right(&world, &device), Err(Rejection::Locked));
        (world, device, codes.iter().next().unwrap().clone())
    };

    let (world, device, _) = locked();
    let unlock = world.mfa.unlock(&admin());
    unlock.run_blocking(&world.store, "alice").unwrap();
    assert!(right(&world, &device).is_ok());

    let (world, device, code) = locked();
    assert_eq!(step_up(&world, code), Ok(None));
    assert!(right(&world, &device).is_ok());

    let (world, device, _) = locked();
    assert_eq!(step_up(&world, vouched()), Ok(None));
    assert!(right(&world, &device).is_ok());

    let (world, _, _) = locked();
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    let device = world.enrol("alice");
    world.time.advance(30);
    assert!(right(&world, &device).is_ok());
}

#[test]
fn a_vouched_factor_ends_a_lock_by_debt_for_one_failure() {
    let world = with(Throttle {
        debt_limit: 3,
        ..Throttle::STANDARD
    });
    let device = world.enrol("alice");
    fail_times(&world, &device, 3);
    for _ in 0..5 {
        assert!(status(&world).locked);
        assert_eq!(step_up(&world, vouched()), Ok(None));
        fail(&world, &device);
    }
    assert!(status(&world).locked);
}

/// Verifies what is pending with a code that is wrong.
fn guess_pending(world: &World, device: &Device) -> Result<(), Rejection> {
    let wrong = device.wrong_code(world.now());
    let verify = world.mfa.verify(&world.second_factor("alice"), wrong);
    match verify.run_blocking(&world.store, "alice") {
        Ok(_) => Ok(()),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

/// Guesses so many codes of pending secrets, where nothing is in force.
fn guess_while_nothing_is_in_force(world: &World, guesses: u32) {
    let mut device = Device::of(&world.associate("alice"));
    let mut judged = 0;
    while judged < guesses {
        match guess_pending(world, &device) {
            Err(Rejection::Mismatch) => judged += 1,
            Err(Rejection::Throttled { until }) => world.time.set(until.as_secs()),
            Err(Rejection::Expired) => device = Device::of(&world.associate("alice")),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn while_nothing_is_in_force_a_thousand_wrong_codes_wait_and_lock_nobody_out() {
    let patient = Policy::builder().pending_lifetime(Duration::from_secs(DAY));
    let world = World::new(patient.build().unwrap());
    let begun = world.now();
    guess_while_nothing_is_in_force(&world, 1000);
    let taken = world.now().since(begun).as_secs();
    assert!(taken > 980 * 900, "they waited as any others: {taken} s");
    let told = world.events();
    assert!(!told.contains(&EventKind::Locked));
    assert!(!status(&world).locked);

    // The owner waits a quarter of an hour at the most, and enrols.
    let until = status(&world).throttled_until.unwrap();
    assert!(until.since(world.now()).as_secs() <= 900);
    world.time.set(until.as_secs());
    let device = world.enrol("alice");
    assert_eq!(
        world.events().last(),
        Some(&EventKind::Verified { failures: 1000 })
    );

    // The count begins anew: what is told of the next failure is that of a first one.
    assert_eq!(status(&world).failures, 0);
    world.time.advance(60);
    fail(&world, &device);
    let rejection = Rejection::Mismatch;
    let flaw = None;
    assert_eq!(world.events(), [EventKind::Refused { rejection, flaw }]);
    assert!(right(&world, &device).is_ok());
    fail_times(&world, &device, 99);
    assert!(right(&world, &device).is_ok(), "nor is a debt left");
}

#[test]
fn the_count_begins_anew_when_the_first_token_is_imported() {
    let world = World::standard();
    guess_while_nothing_is_in_force(&world, 7);
    assert!(status(&world).throttled_until.is_some());
    let token = ImportedToken::proven(secret(1), Totp::STANDARD);
    let import = world.mfa.import(&admin(), [token]);
    import.run_blocking(&world.store, "alice").unwrap();
    world.events();
    let report = status(&world);
    assert_eq!((report.failures, report.throttled_until), (0, None));
    fail(&world, &Device::new(&secret(1), Totp::STANDARD));
    let rejection = Rejection::Mismatch;
    let flaw = None;
    assert_eq!(world.events(), [EventKind::Refused { rejection, flaw }]);
}

fn secret(number: u8) -> Secret {
    Secret::from_bytes(&[number; 20]).unwrap()
}

#[test]
fn beside_a_token_in_force_wrong_codes_of_a_pending_one_are_of_the_same_count() {
    let world = with(Throttle {
        debt_limit: 4,
        ..Throttle::STANDARD
    });
    let (device, grant) = world.enrolled("alice");
    let associate = world.mfa.associate(&grant);
    let pending = Device::of(&associate.run_blocking(&world.store, "alice").unwrap());
    world.time.advance(60);
    fail(&world, &device);
    for _ in 0..2 {
        assert_eq!(guess_pending(&world, &pending), Err(Rejection::Mismatch));
    }
    let until = world.now().saturating_add(Duration::from_secs(5));
    let throttled = Err(Rejection::Throttled { until });
    assert_eq!(guess_pending(&world, &pending), throttled);
    world.time.set(until.as_secs());
    assert_eq!(guess_pending(&world, &pending), Err(Rejection::Mismatch));
    assert_eq!(right(&world, &device), Err(Rejection::Locked));
    let right = world.mfa.verify(&grant, pending.code(world.now()));
    let refused = right.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::Locked));
}

#[test]
fn a_token_beside_another_is_one_success_and_begins_no_count_anew() {
    let throttle = Throttle {
        debt_limit: 5,
        ..Throttle::STANDARD
    };
    let policy = Policy::builder().max_tokens(2).throttle(throttle);
    let world = World::new(policy.build().unwrap());
    let (device, grant) = world.enrolled("alice");
    fail_times(&world, &device, 2);
    let associate = world.mfa.associate(&grant);
    let second = Device::of(&associate.run_blocking(&world.store, "alice").unwrap());
    let verify = world.mfa.verify(&grant, second.code(world.now()));
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    // Of the debt of two one is paid.
    fail_times(&world, &device, 3);
    assert!(!status(&world).locked);
    fail_times(&world, &device, 1);
    assert!(status(&world).locked);
}

#[test]
fn a_reused_code_is_no_guess_and_clears_nothing() {
    let world = World::standard();
    let device = world.enrol("alice");
    fail(&world, &device);
    fail(&world, &device);
    for _ in 0..20 {
        let spent = device.code(world.now());
        assert_eq!(step_up(&world, spent), Err(Rejection::Reused));
    }
    fail(&world, &device);
    assert!(matches!(
        step_up(&world, device.code(world.now())),
        Err(Rejection::Throttled { .. })
    ));
}

#[test]
fn wrong_recovery_codes_are_never_in_the_throttle() {
    let world = World::standard();
    let (device, grant) = world.enrolled("alice");
    let issue = world.mfa.issue_recovery_codes(&grant);
    let codes = issue.run_blocking(&world.store, "alice").unwrap();
    let wrong = RecoveryCode::parse("01234-56789-ABCDE-FGHJK-MNPQR").unwrap();
    world.time.advance(30);
    for _ in 0..200 {
        assert_eq!(step_up(&world, wrong.clone()), Err(Rejection::Mismatch));
    }
    let report = status(&world);
    assert_eq!((report.failures, report.throttled_until), (0, None));
    assert!(step_up(&world, device.code(world.now())).is_ok());
    let right = codes.iter().next().unwrap().clone();
    assert_eq!(step_up(&world, right), Ok(None));
}

/// How long the attacker guesses, at whose account.
#[derive(Clone, Copy, Debug)]
struct Siege {
    days: u64,
    /// Tokens in force.
    tokens: u8,
    sign_ins_a_day: u64,
    /// Whether the owner signs in by a factor that is vouched for.
    vouched: bool,
}

/// How many steps the clocks of the owner's devices are ahead: so far behind that a second window
/// is open beside the server's.
const AHEAD: i16 = -19;

impl Siege {
    fn policy(self) -> Policy {
        let tokens = Policy::builder().max_tokens(self.tokens.into());
        tokens.build().unwrap()
    }

    fn sign_ins(self) -> u64 {
        self.days * self.sign_ins_a_day
    }

    fn bound(self) -> f64 {
        let duration = Duration::from_secs(self.days * DAY);
        self.policy().guess_odds(duration, self.sign_ins())
    }

    /// What the best attacker there is has achieved in the end.
    ///
    /// It guesses whenever the throttle allows it, but not the guess that would lock the token,
    /// since time and the owner's own sign-ins pay for more; and takes that one at the very end.
    fn odds(self) -> f64 {
        let world = World::new(self.policy());
        let mut account = Account::of(&world, self.tokens);
        let end = world.now().as_secs() + self.days * DAY;
        let every = (self.days * DAY).checked_div(self.sign_ins());
        let mut due = every.map(|every| world.now().as_secs() + every);
        let mut odds = 0.0;
        let mut guesses = 0;
        loop {
            assert!(guesses < 10_000, "nothing holds the attacker back");
            let now = world.now().as_secs();
            if due.is_some_and(|due| due <= now) {
                match account.sign_in(self.vouched) {
                    Ok(()) => due = due.zip(every).map(|(due, every)| due + every),
                    Err(Rejection::Throttled { until }) => world.time.set(until.as_secs()),
                    Err(other) => panic!("{other:?}"),
                }
                continue;
            }
            let again_at = match account.guess(now >= end) {
                Guess::Judged => {
                    odds += f64::from(account.open_codes()) / 1e6;
                    guesses += 1;
                    now
                }
                Guess::WouldLock => now + 3 * 3600,
                Guess::TooEarly { until } => until,
                Guess::Locked => return odds,
            };
            if now >= end {
                return odds;
            }
            let next = due.map_or(again_at, |due| due.min(again_at));
            world.time.set(next.max(now).min(end));
        }
    }
}

enum Guess {
    Judged,
    /// It was not taken.
    WouldLock,
    TooEarly {
        until: u64,
    },
    Locked,
}

/// The account that is guessed at.
struct Account<'w> {
    world: &'w World,
    devices: Vec<Device>,
    /// The last accepted step of each token.
    floors: Vec<Step>,
}

impl<'w> Account<'w> {
    fn of(world: &'w World, tokens: u8) -> Self {
        let step = Totp::STANDARD.step(world.now());
        let floor = step.saturating_offset(i64::from(AHEAD) - 2);
        let secrets: Vec<_> = (1..=tokens).map(secret).collect();
        let imported = secrets.iter().map(|secret| {
            let token = ImportedToken::proven(secret.clone(), Totp::STANDARD);
            token.drift(AHEAD).last_step(floor)
        });
        let import = world.mfa.import(&admin(), imported);
        import.run_blocking(&world.store, "alice").unwrap();
        let device = |secret| Device::new(secret, Totp::STANDARD);
        Self {
            world,
            devices: secrets.iter().map(device).collect(),
            floors: vec![floor; secrets.len()],
        }
    }

    fn sign_in(&mut self, by_vouched_factor: bool) -> Result<(), Rejection> {
        if by_vouched_factor {
            return step_up(self.world, vouched()).map(|_| ());
        }
        let code = self.devices[0].code_in(self.world.now(), AHEAD.into());
        self.floors[0] = step_up(self.world, code)?.unwrap();
        Ok(())
    }

    /// How many codes would be accepted now.
    fn open_codes(&self) -> u32 {
        let window = Window::STANDARD.with_drift(AHEAD);
        let step = Totp::STANDARD.step(self.world.now());
        let open = self.floors.iter().flat_map(|floor| {
            let steps = window.steps(step);
            steps.filter(move |step| step > floor)
        });
        u32::try_from(open.count()).unwrap()
    }

    /// Guesses wrongly, unless that would lock the tokens and is not wanted.
    fn guess(&self, even_if_it_locks: bool) -> Guess {
        let world = self.world;
        let step_up = world
            .mfa
            .step_up(&world.password("alice"), self.wrong_code());
        let decision = step_up.decide("alice", world.row("alice")).unwrap();
        let Some(write) = decision.write() else {
            let refused = decision.committed::<Infallible>().unwrap_err();
            return match refused.rejection() {
                Some(Rejection::Throttled { until }) => Guess::TooEarly {
                    until: until.as_secs(),
                },
                Some(Rejection::Locked) => Guess::Locked,
                other => panic!("{other:?}"),
            };
        };
        let mut events = write.events().iter();
        if events.any(|event| event.kind == EventKind::Locked) && !even_if_it_locks {
            return Guess::WouldLock;
        }
        let swapped = world.store.compare_and_swap_blocking(write.clone());
        assert_eq!(swapped, Ok(Swap::Stored));
        Guess::Judged
    }

    /// A code that no open step has: the attacker is unlucky every time, and guesses on.
    fn wrong_code(&self) -> Code {
        let now = self.world.now();
        let shown = |device: &Device| (-24..=4).map(|steps| device.code_in(now, steps)).collect();
        let close: Vec<Vec<Code>> = self.devices.iter().map(shown).collect();
        let mut guesses = (0..1000).map(|number| Code::parse(&format!("{number:06}")).unwrap());
        let is_wrong = |guess: &Code| !close.iter().any(|close| close.contains(guess));
        guesses.find(is_wrong).unwrap()
    }
}

#[track_caller]
fn assert_odds_are_never_exceeded_and_at_most_twice_too_high(sieges: &[Siege]) {
    for siege in sieges {
        let (odds, bound) = (siege.odds(), siege.bound());
        assert!(
            odds <= bound && bound <= 2.0 * odds,
            "{siege:?}: {odds} of {bound}"
        );
    }
}

/// An owner with one token who signs in by its codes.
const SIEGE: Siege = Siege {
    days: 1,
    tokens: 1,
    sign_ins_a_day: 0,
    vouched: false,
};

#[test]
fn the_stated_odds_are_never_exceeded_and_at_most_twice_too_high() {
    let sieges = [1, 30, 365].map(|days| {
        [0, 1, 10].map(|sign_ins_a_day| Siege {
            days,
            sign_ins_a_day,
            ..SIEGE
        })
    });
    assert_odds_are_never_exceeded_and_at_most_twice_too_high(sieges.as_flattened());
}

#[test]
fn the_stated_odds_hold_where_several_tokens_are_in_force() {
    let siege = |tokens, days, sign_ins_a_day| Siege {
        days,
        tokens,
        sign_ins_a_day,
        ..SIEGE
    };
    assert_odds_are_never_exceeded_and_at_most_twice_too_high(&[
        siege(5, 1, 0),
        siege(5, 30, 1),
        siege(5, 365, 1),
        siege(10, 1, 10),
        siege(10, 30, 0),
    ]);
}

#[test]
fn the_stated_odds_hold_where_the_owner_signs_in_by_a_vouched_factor() {
    let siege = |days, sign_ins_a_day| Siege {
        days,
        sign_ins_a_day,
        vouched: true,
        ..SIEGE
    };
    assert_odds_are_never_exceeded_and_at_most_twice_too_high(&[
        siege(1, 10),
        siege(30, 1),
        siege(365, 1),
    ]);
}

#[test]
fn the_odds_follow_from_every_number_they_depend_on() {
    let odds = |policy: Policy| policy.guess_odds(Duration::from_secs(DAY), 1);
    let standard = odds(Policy::STANDARD);
    let eight = Totp::new(Algorithm::Sha1, Digits::Eight, Duration::from_secs(30));
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
    let short = Throttle {
        streak_limit: 10,
        ..Throttle::STANDARD
    };
    let short = Policy::builder().throttle(short).build().unwrap();
    assert!(odds(short) < standard / 5.0);
    let tokens = Policy::builder().max_tokens(5).build().unwrap();
    let fivefold = odds(tokens) / standard;
    assert!((4.9..5.1).contains(&fivefold));
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
                streak_limit: 0,
                ..standard
            }),
            PolicyError::Throttle,
        ),
        (
            throttle(Throttle {
                streak_limit: 101,
                ..standard
            }),
            PolicyError::Throttle,
        ),
        (
            throttle(Throttle {
                suspicion_limit: 0,
                ..standard
            }),
            PolicyError::Throttle,
        ),
        (builder().max_tokens(0), PolicyError::MaxTokens),
        (builder().max_tokens(11), PolicyError::MaxTokens),
        (
            builder().recovery_limit(Some(0)),
            PolicyError::RecoveryLimit,
        ),
        (
            builder().recovery_limit(Some(101)),
            PolicyError::RecoveryLimit,
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
