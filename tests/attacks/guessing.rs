//! Wrong codes, one after another and all at once.

use core::convert::Infallible;
use core::time::Duration;
use std::sync::Mutex;

use softtoken::association::{EventKind, Events, Method, Preference};
use softtoken::policy::Throttle;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{
    BlockingStore, Code, Factor, Grant, MemoryStore, Mfa, OsEntropy, Policy, Rejection, Store,
    UnixTime, Vouched,
};

use super::{
    Answer, no, recovery_codes, replacement, respond, sign_in_with, step_up, untouched, wrong,
    wrong_recovery_code,
};
use crate::crowd::{in_turn, together};
use crate::world::{Device, World, admin};

/// Lists every operation that takes a code, on an authority that is good for it.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Guess {
    VerifyByGrant,
    VerifyByAdministrator,
    VerifyByTwoCodes,
    Respond,
    SignInWith,
    StepUp,
    ResynchroniseByGrant,
    ResynchroniseBySession,
}

impl Guess {
    const ALL: [Self; 8] = [
        Self::VerifyByGrant,
        Self::VerifyByAdministrator,
        Self::VerifyByTwoCodes,
        Self::Respond,
        Self::SignInWith,
        Self::StepUp,
        Self::ResynchroniseByGrant,
        Self::ResynchroniseBySession,
    ];

    /// Returns whether it guesses the code of a secret that waits.
    fn is_verify(self) -> bool {
        matches!(
            self,
            Self::VerifyByGrant | Self::VerifyByAdministrator | Self::VerifyByTwoCodes
        )
    }

    /// Makes it, in a session of its own where it needs one.
    fn with(self, code: &Code, world: &World, store: &MemoryStore, subject: &str) -> Answer {
        let (mfa, code) = (&world.mfa, code.clone());
        let grant = world.second_factor(subject);
        match self {
            Self::VerifyByGrant => mfa
                .verify(&grant, code)
                .run_blocking(store, subject)
                .map(drop),
            Self::VerifyByAdministrator => mfa
                .verify(&admin(), code)
                .run_blocking(store, subject)
                .map(drop),
            Self::VerifyByTwoCodes => mfa
                .verify(&grant, code.clone())
                .followed_by(code)
                .run_blocking(store, subject)
                .map(drop),
            Self::Respond => {
                let respond = mfa.respond(&world.challenge(subject), code);
                respond.run_blocking(store, subject).map(drop)
            }
            Self::SignInWith => {
                let sign_in = mfa.sign_in_with(Some(code.into()));
                sign_in.run_blocking(store, subject).map(drop)
            }
            Self::StepUp => mfa
                .step_up(&world.password(subject), code)
                .run_blocking(store, subject)
                .map(drop),
            Self::ResynchroniseByGrant => mfa
                .resynchronise(&grant, code.clone(), code)
                .run_blocking(store, subject),
            Self::ResynchroniseBySession => mfa
                .resynchronise(&world.challenge(subject), code.clone(), code)
                .run_blocking(store, subject),
        }
    }
}

/// Enrols, and issues a secret that waits to replace the token: everything that takes a code takes
/// one, from the next second on.
fn guessable(world: &World, subject: &str) -> [Device; 2] {
    let (device, grant) = world.enrolled(subject);
    let issued = replacement(world, &grant);
    world.time.advance(1);
    [device, issued]
}

/// Returns the event of a code that was accepted, after so many failures in a row.
fn signed_in(failures: u32) -> EventKind {
    EventKind::SignedIn {
        method: Method::SoftwareToken,
        failures,
    }
}

/// Returns the event of an operation that was refused.
fn refused(rejection: Rejection) -> EventKind {
    EventKind::Refused {
        rejection,
        flaw: None,
    }
}

/// The rows as another process finds them.
fn copied(world: &World, subject: &str) -> MemoryStore {
    let rows = MemoryStore::new();
    let row = world.row(subject).unwrap();
    let write = Write::new(subject, None, row.record, Events::default()).unwrap();
    assert_eq!(rows.compare_and_swap_blocking(write), Ok(Swap::Stored));
    rows
}

fn record(store: &MemoryStore, subject: &str) -> Vec<u8> {
    let row = store.load_blocking(subject).unwrap();
    row.unwrap().record
}

/// Sequential guessing, across many sessions, through every operation that takes a code: one count.
#[test]
fn guesses_through_every_operation_share_one_count() {
    let limits = Throttle::STANDARD;
    let policy = Policy::builder().pending_lifetime(Duration::from_secs(DAY));
    let policy = policy.build().unwrap();
    for first in 0..Guess::ALL.len() {
        let world = World::new(policy);
        let [device, issued] = guessable(&world, "alice");
        for failures in 1..=12 {
            world.events();
            let guess = Guess::ALL[(first + failures) % Guess::ALL.len()];
            let code = wrong(&[&device, &issued], &world);
            let answer = guess.with(&code, &world, &world.store, "alice");
            assert_eq!(
                no(answer),
                Rejection::Mismatch,
                "guess {failures}, by {guess:?}"
            );

            let failures = u32::try_from(failures).unwrap();
            let wait = limits.wait(failures);
            let until = world.now().saturating_add(wait);
            let suspicion = EventKind::PasswordProbablyKnown {
                failures,
                suspicion: failures,
            };
            assert_eq!(world.events().contains(&suspicion), failures >= 5);
            if wait == Duration::ZERO {
                continue;
            }
            world.time.advance(wait.as_secs() - 1);
            for guess in Guess::ALL {
                let early = || guess.with(&code, &world, &world.store, "alice");
                let refused = untouched(&world, "alice", early);
                assert_eq!(refused, Rejection::Throttled { until }, "{guess:?}");
            }
            world.time.advance(1);
        }
    }
}

/// Sequential guessing: one count, of attempts, however many tokens a code is judged against.
#[test]
fn a_wrong_code_counts_once_for_all_tokens() {
    let policy = Policy::builder().max_tokens(10).build().unwrap();
    let world = World::new(policy);
    let (device, grant) = world.enrolled("alice");
    let mut devices = vec![device];
    for _ in 1..10 {
        let device = replacement(&world, &grant);
        let verify = world.mfa.verify(&grant, device.code(world.now()));
        let _ = verify.run_blocking(&world.store, "alice").unwrap();
        devices.push(device);
    }
    let all: Vec<_> = devices.iter().collect();
    for failures in 1..=3 {
        let guess = wrong(&all, &world);
        assert_eq!(
            no(sign_in_with(&world, "alice", guess)),
            Rejection::Mismatch
        );
        let status = world.mfa.status().run_blocking(&world.store, "alice");
        assert_eq!(status.unwrap().failures, failures);
    }
    // The throttle is one for all of them as well.
    for device in devices {
        let right = device.code_in(world.now(), 1);
        let early = || sign_in_with(&world, "alice", right);
        let early = untouched(&world, "alice", early);
        assert!(matches!(early, Rejection::Throttled { .. }));
    }
}

/// Parallel guessing, across many sessions, through every operation that takes a code: one count.
#[test]
fn forty_parallel_guesses_are_judged_no_more_than_one_after_another() {
    let world = World::standard();
    let [device, issued] = guessable(&world, "alice");
    let mut judged_before = 0;
    for round in 0..8 {
        let alone = copied(&world, "alice");
        let code = wrong(&[&device, &issued], &world);
        let guess = |store: &MemoryStore, number: usize| {
            let guess = Guess::ALL[number % Guess::ALL.len()];
            no(guess.with(&code, &world, store, "alice"))
        };
        let revision = || world.row("alice").unwrap().revision.get();
        let before = revision();
        let parallel = together(40, |number| guess(&world.store, number));
        let written = usize::try_from(revision() - before).unwrap();
        let sequential: Vec<_> = (0..40).map(|number| guess(&alone, number)).collect();

        let judged = |answers: &[Rejection]| {
            let judged = |answer: &&Rejection| **answer == Rejection::Mismatch;
            answers.iter().filter(judged).count()
        };
        let expected = if round == 0 { 3 } else { 1 };
        assert_eq!(judged(&parallel), expected);
        assert_eq!(judged(&sequential), expected);
        assert_eq!(written, expected, "what is not judged is in nobody's way");
        assert_eq!(record(&world.store, "alice"), record(&alone, "alice"));

        judged_before += expected;
        let wait = Throttle::STANDARD.wait(u32::try_from(judged_before).unwrap());
        let until = world.now().saturating_add(wait);
        let refused = Rejection::Throttled { until };
        assert!(
            parallel
                .iter()
                .all(|told| [Rejection::Mismatch, refused].contains(told))
        );
        world.time.advance(wait.as_secs());
        let _ = replacement(&world, &world.second_factor("alice"));
    }
}

/// Sequential and parallel guessing: an attempt that comes too early is not judged, be it right or
/// wrong.
#[test]
fn the_right_code_too_early_is_told_from_a_wrong_one_by_nothing() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..3 {
        let code = wrong(&[&device], &world);
        assert_eq!(no(sign_in_with(&world, "alice", code)), Rejection::Mismatch);
    }
    let until = world.now().saturating_add(Duration::from_secs(5));
    world.time.advance(4);
    let right = device.code_in(world.now(), 1);
    let spent = device.code(UnixTime::from_secs(crate::world::START));
    for code in [right.clone(), spent, wrong(&[&device], &world)] {
        world.events();
        let early = || sign_in_with(&world, "alice", code);
        let throttled = Rejection::Throttled { until };
        assert_eq!(untouched(&world, "alice", early), throttled);
        assert_eq!(world.events(), [refused(throttled)]);
    }
    world.time.advance(1);
    sign_in_with(&world, "alice", right).expect("it is unspent");
    assert_eq!(world.events(), [signed_in(3)]);
}

/// Sequential guessing: a new secret, associated by the guesser, does not begin a new count.
#[test]
fn a_new_secret_does_not_begin_a_new_count() {
    let world = World::standard();
    for failures in 1..=8 {
        let issued = Device::of(&world.associate("alice"));
        let code = wrong(&[&issued], &world);
        let guess = || {
            let verify = world.mfa.verify(&world.password("alice"), code.clone());
            verify.run_blocking(&world.store, "alice")
        };
        assert_eq!(no(guess()), Rejection::Mismatch);
        let wait = Throttle::STANDARD.wait(failures);
        let until = world.now().saturating_add(wait);
        if wait > Duration::ZERO {
            let _ = world.associate("alice");
            assert_eq!(no(guess()), Rejection::Throttled { until });
        }
        let remove = world.mfa.disassociate(&world.password("alice"));
        remove.run_blocking(&world.store, "alice").unwrap();
        world.time.advance(wait.as_secs());
    }
}

/// A code that is not one of the three steps around now; cheaper to find than [`wrong`].
fn wrong_now(device: &Device, now: UnixTime) -> Code {
    let shown = [-2, -1, 0, 1, 2].map(|steps| device.code_in(now, steps));
    let codes = ["000000", "111111", "222222", "333333", "444444", "555555"];
    let codes = codes.map(|code| Code::parse(code).unwrap());
    codes
        .into_iter()
        .find(|code| !shown.contains(code))
        .unwrap()
}

const DAY: u64 = 24 * 60 * 60;

struct Year {
    judged: u64,
    successes: u64,
    /// The day on which the token was locked.
    locked: Option<u64>,
}

impl Year {
    /// Asserts that the guesses are no more than the odds allow for that are quoted.
    #[track_caller]
    fn stays_within_the_odds(&self) {
        let year = Duration::from_secs(365 * DAY);
        let odds = Policy::STANDARD.guess_odds(year, self.successes);
        let guesses = u32::try_from(self.judged).unwrap();
        let three_steps_each = f64::from(guesses) * 3.0 / 1e6;
        assert!(three_steps_each <= odds, "{guesses} guesses");
        assert!(odds < 0.01);
    }
}

/// Lives a year in which the user signs in once a day by this factor, and somebody who has the
/// password guesses so often a day, as soon as the throttle allows.
fn a_year_of_guessing(a_day: u64, factor: impl Fn(&Device, UnixTime) -> Factor) -> Year {
    let world = World::standard();
    let device = world.enrol("alice");
    let start = world.now().as_secs();
    let mut year = Year {
        judged: 0,
        successes: 0,
        locked: None,
    };
    for day in 1..=365 {
        world.time.set(start + day * DAY);
        let session = world.challenge("alice");
        let shown = factor(&device, world.now());
        match respond(&world, "alice", &session, shown) {
            Ok(()) => year.successes += 1,
            answer => {
                assert_eq!(no(answer), Rejection::Locked);
                year.locked.get_or_insert(day - 1);
            }
        }

        let mut today = 0;
        while today < a_day && world.now().as_secs() < start + (day + 1) * DAY - 1000 {
            let guess = wrong_now(&device, world.now());
            match no(respond(&world, "alice", &world.challenge("alice"), guess)) {
                Rejection::Mismatch => {
                    year.judged += 1;
                    today += 1;
                }
                Rejection::Throttled { until } => world.time.set(until.as_secs()),
                Rejection::Locked => {
                    year.locked.get_or_insert(day);
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let told = world.events();
    assert_eq!(told.contains(&EventKind::Locked), year.locked.is_some());
    year
}

fn code(device: &Device, now: UnixTime) -> Factor {
    device.code(now).into()
}

/// Guessing between the user's own sign-ins, for a year: the debt ends it.
#[test]
fn guessing_between_the_users_own_sign_ins_is_ended_by_the_debt() {
    // A day pays off three failures: one by the sign-in, two by its hours.
    for (a_day, latest) in [(4, 100), (8, 20), (u64::MAX, 1)] {
        let year = a_year_of_guessing(a_day, code);
        let locked = year.locked.expect("within the year");
        assert_eq!(year.successes, locked, "no code is accepted any more");
        assert!(
            locked <= latest,
            "{a_day} guesses a day went on for {locked} days"
        );
        assert!(year.judged <= 100 + year.successes + 2 * locked);
    }
}

/// Guessing between the user's own sign-ins, for a year: who stays below what the debt lets pass,
/// stays within the odds that are quoted.
#[test]
fn guessing_slowly_enough_never_to_be_locked_stays_within_the_odds() {
    let year = a_year_of_guessing(3, code);
    assert_eq!((year.locked, year.successes), (None, 365));
    year.stays_within_the_odds();
}

/// The owner signs in daily by a vouched factor: the odds hold. Such a factor ends a lock, and pays
/// off one failure as a code does.
#[test]
fn guessing_between_daily_vouched_sign_ins_stays_within_the_odds() {
    let vouched = |_: &Device, _| Vouched::factor(&["hwk"]).into();
    for a_day in [3, 4, 8, u64::MAX] {
        let year = a_year_of_guessing(a_day, vouched);
        assert_eq!(year.successes, 365, "the owner is let in");
        assert_eq!(year.locked.is_some(), a_day > 3);
        year.stays_within_the_odds();
    }
}

/// A user who is locked is let in by a recovery code, or after an administrator's unlock, and by
/// nothing else.
#[test]
fn a_locked_token_takes_no_code() {
    let throttle = Throttle {
        debt_limit: 5,
        ..Throttle::STANDARD
    };
    let policy = Policy::builder().throttle(throttle).build().unwrap();
    let world = World::new(policy);
    let [device, issued] = guessable(&world, "alice");
    let codes = recovery_codes(&world, &world.second_factor("alice"));
    for failures in 1..=5 {
        let code = wrong(&[&device, &issued], &world);
        assert_eq!(no(sign_in_with(&world, "alice", code)), Rejection::Mismatch);
        world
            .time
            .advance(Throttle::STANDARD.wait(failures).as_secs());
    }
    for days in [0, 1, 400] {
        world.time.advance(days * DAY);
        for guess in Guess::ALL {
            let code = device.code(world.now());
            let expired = guess.is_verify() && days > 0;
            world.events();
            let refused = untouched(&world, "alice", || {
                guess.with(&code, &world, &world.store, "alice")
            });
            let told = if expired {
                Rejection::Expired
            } else {
                Rejection::Locked
            };
            assert_eq!(refused, told, "{guess:?}");
            let locked = world.events().contains(&EventKind::Locked);
            assert_eq!(
                locked, !expired,
                "an attempt that finds them locked says so"
            );
        }
    }
    let status = world
        .mfa
        .status()
        .run_blocking(&world.store, "alice")
        .unwrap();
    assert!(status.locked);
    sign_in_with(&world, "alice", codes[0].clone()).unwrap();
    sign_in_with(&world, "alice", device.code(world.now())).unwrap();
}

/// Lists the deeds of a request, its store and its audit log, in their order.
type Log = alloc::sync::Arc<Mutex<Vec<&'static str>>>;

struct Recorded<'a>(&'a MemoryStore, Log);

impl BlockingStore for Recorded<'_> {
    type Error = Infallible;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        self.1.lock().unwrap().push("load");
        self.0.load_blocking(subject)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        let swap = self.0.compare_and_swap_blocking(write);
        self.1.lock().unwrap().push("stored");
        swap
    }
}

impl Store for Recorded<'_> {
    type Error = Infallible;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        self.load_blocking(subject)
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Infallible> {
        self.compare_and_swap_blocking(write)
    }
}

/// A failure rolled back with the application's own transaction: the crate's own loop never does
/// it.
#[test]
fn a_failure_is_stored_before_anybody_is_told() {
    let world = World::standard();
    let device = world.enrol("alice");
    let log = Log::default();
    let (clock, audit) = (world.time.clone(), Log::clone(&log));
    let mfa = Mfa::new(Policy::STANDARD, move || Some(clock.now()), OsEntropy)
        .with_audit(move |_, _| audit.lock().unwrap().push("told"));
    let store = Recorded(&world.store, Log::clone(&log));
    let code = wrong(&[&device], &world);

    let grant = world.password("alice");
    let step_up = || mfa.step_up(&grant, code.clone());
    let blocking = step_up().run_blocking(&store, "alice");
    log.lock().unwrap().push("answered");
    let awaited = in_turn(vec![Box::pin(step_up().run(&store, "alice"))]);
    log.lock().unwrap().push("answered");
    assert_eq!(no(blocking), Rejection::Mismatch);
    assert_eq!(
        awaited.into_iter().map(no).collect::<Vec<_>>(),
        [Rejection::Mismatch]
    );
    let order = ["load", "stored", "told", "answered"];
    assert_eq!(*log.lock().unwrap(), [order, order].concat());
}

/// A failure rolled back with the application's own transaction: documented.
#[test]
fn a_rejection_that_counts_a_guess_says_that_its_write_must_not_be_rolled_back() {
    let world = World::standard();
    let device = world.enrol("alice");
    let row = world.row("alice");
    let guess = wrong(&[&device], &world);
    let request = world.mfa.sign_in_with(Some(guess.into()));
    let decision = request.decide("alice", row.clone()).unwrap();
    assert!(decision.is_rejection());
    let write = decision.write().expect("a guess is written down");
    assert_eq!(write.expected(), row.map(|row| row.revision));
    let told = write.events().iter().map(|event| event.kind.clone());
    let told: Vec<_> = told.collect();
    assert_eq!(told, [refused(Rejection::Mismatch)]);
    assert!(
        world.events().iter().all(|event| !told.contains(event)),
        "told too early"
    );

    assert_eq!(
        world.store.compare_and_swap_blocking(write.clone()),
        Ok(Swap::Stored)
    );
    let answer = no(decision.committed::<Infallible>());
    assert_eq!(answer, Rejection::Mismatch);
    assert_eq!(world.events().last(), told.last());
}

/// The count after a restart: still there.
#[test]
fn the_count_survives_a_restart() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..3 {
        let code = wrong(&[&device], &world);
        assert_eq!(no(sign_in_with(&world, "alice", code)), Rejection::Mismatch);
    }
    let rows = copied(&world, "alice");
    let restarted = World::standard();
    restarted.time.set(world.now().as_secs());
    let code = device.code_in(world.now(), 1);
    let until = world.now().saturating_add(Duration::from_secs(5));
    let sign_in = || {
        let request = restarted
            .mfa
            .step_up(&restarted.password("alice"), code.clone());
        request.run_blocking(&rows, "alice")
    };
    assert_eq!(no(sign_in()), Rejection::Throttled { until });

    restarted.time.advance(5);
    let _ = sign_in().unwrap();
    assert_eq!(restarted.events().last(), Some(&signed_in(3)));
}

/// A password success clears nothing.
#[test]
fn a_password_success_clears_nothing() {
    for policy in [Policy::STANDARD, Policy::COGNITO] {
        let world = World::new(policy);
        let device = world.enrol("alice");
        for _ in 0..3 {
            let code = wrong(&[&device], &world);
            assert_eq!(no(sign_in_with(&world, "alice", code)), Rejection::Mismatch);
        }
        let until = world.now().saturating_add(Duration::from_secs(5));
        let grant = world.password("alice");
        for _ in 0..100 {
            let sign_in = world.mfa.sign_in();
            let _ = sign_in.run_blocking(&world.store, "alice").unwrap();
            let sign_in = world.mfa.sign_in_with(None);
            let _ = sign_in.run_blocking(&world.store, "alice").unwrap();
        }
        // All that is not a code's, and not an administrator's.
        let prefer = world.mfa.prefer(&grant, Preference::Preferred);
        let _ = prefer.run_blocking(&world.store, "alice");
        let associate = world.mfa.associate(&grant);
        let _ = associate.run_blocking(&world.store, "alice");
        let disassociate = world.mfa.disassociate(&grant);
        let _ = disassociate.run_blocking(&world.store, "alice");
        let forget = world.mfa.forget_browsers(&grant);
        let _ = forget.run_blocking(&world.store, "alice");
        let check = world.mfa.check(&grant, Duration::from_secs(60));
        let _ = check.run_blocking(&world.store, "alice");
        for wrong in [
            Factor::from(wrong_recovery_code()),
            Vouched::recovery_code(false).into(),
        ] {
            let guessed = step_up(&world, &grant, wrong);
            assert_eq!(no(guessed), Rejection::Mismatch);
        }
        let status = world.mfa.status();
        let _ = status.run_blocking(&world.store, "alice").unwrap();

        let code = device.code_in(world.now(), 1);
        let early = sign_in_with(&world, "alice", code.clone());
        assert_eq!(no(early), Rejection::Throttled { until });
        world.time.advance(5);
        world.events();
        sign_in_with(&world, "alice", code).unwrap();
        assert_eq!(world.events(), [signed_in(3)]);
    }
}

/// Rule G6: an attacker who has the password can keep the token throttled, and that is all: the
/// user is let in when the throttle says.
#[test]
fn a_throttled_user_is_let_in_at_the_time_that_was_named() {
    let world = World::standard();
    let device = world.enrol("alice");
    for failures in 1..=15 {
        world
            .time
            .advance(Throttle::STANDARD.wait(failures - 1).as_secs());
        let guess = wrong(&[&device], &world);
        assert_eq!(
            no(sign_in_with(&world, "alice", guess)),
            Rejection::Mismatch
        );
    }
    let session = world.challenge("alice");
    match no(respond(&world, "alice", &session, device.code(world.now()))) {
        Rejection::Throttled { until } => world.time.set(until.as_secs()),
        other => panic!("{other:?}"),
    }
    let session = world.challenge("alice");
    respond(&world, "alice", &session, device.code(world.now())).unwrap();
    for _ in 0..2 {
        let slip = wrong(&[&device], &world);
        assert_eq!(no(sign_in_with(&world, "alice", slip)), Rejection::Mismatch);
    }
    world.time.advance(60);
    sign_in_with(&world, "alice", device.code(world.now())).expect("he is not throttled any more");
    assert_eq!(world.events().last(), Some(&signed_in(2)));

    let unlock = world.mfa.unlock(&admin());
    unlock.run_blocking(&world.store, "alice").unwrap();
    let spent = device.code(world.now());
    assert_eq!(no(sign_in_with(&world, "alice", spent)), Rejection::Reused);
}

/// The count after a restart: still there. Nor does a second server over the same store have one of
/// its own.
#[test]
fn two_servers_share_one_count() {
    let servers = [World::standard(), World::standard()];
    let store = &servers[0].store;
    let device = servers[0].enrol("alice");
    let code = wrong(&[&device], &servers[0]);
    let answers = together(40, |number| {
        let server = &servers[number % 2];
        let request = server.mfa.step_up(&server.password("alice"), code.clone());
        no(request.run_blocking(store, "alice"))
    });
    let judged = answers.iter().filter(|told| **told == Rejection::Mismatch);
    assert_eq!(judged.count(), 3);
}

/// Guesses wrong by this verb, as soon as the throttle allows.
fn guesses(world: &World, device: &Device) {
    let status = world.mfa.status().run_blocking(&world.store, "alice");
    if let Some(until) = status.unwrap().throttled_until {
        world.time.set(until.as_secs());
    }
    let guess = wrong_now(device, world.now());
    assert_eq!(no(sign_in_with(world, "alice", guess)), Rejection::Mismatch);
}

/// Rule G3: at 100 in a row the tokens are locked: no more than 100 consecutive failures, to the
/// letter, however slowly they come.
#[test]
fn a_hundred_failures_in_a_row_lock_the_token_however_old_they_are() {
    let world = World::standard();
    let device = world.enrol("alice");
    for failures in 1..=100 {
        // Time pays off more debt than a failure makes.
        world.time.advance(DAY);
        world.events();
        guesses(&world, &device);
        let locked = world.events().contains(&EventKind::Locked);
        assert_eq!(locked, failures == 100, "{failures}");
    }
    for days in [0, 1, 1000] {
        world.time.advance(days * DAY);
        let right = device.code(world.now());
        let refused = untouched(&world, "alice", || sign_in_with(&world, "alice", right));
        assert_eq!(refused, Rejection::Locked);
    }
    sign_in_with(&world, "alice", Vouched::factor(&["hwk"])).expect("it ends a lock");
    let right = device.code(world.now());
    sign_in_with(&world, "alice", right).expect("the row is ended");
}

/// Rule G3: at a debt of 100 the tokens are locked, though a success comes between any two failures
/// of a row.
#[test]
fn a_hundred_failures_that_nothing_pays_off_lock_the_token() {
    let world = World::standard();
    let device = world.enrol("alice");
    let mut debt = 0;
    while debt < 100 {
        // Two failures and a success: the throttle never waits.
        for _ in 0..2 {
            guesses(&world, &device);
            debt += 1;
            if debt == 100 {
                break;
            }
        }
        if debt < 100 {
            world.time.advance(60);
            let right = device.code(world.now());
            sign_in_with(&world, "alice", right).unwrap();
            debt -= 1;
        }
    }
    let right = device.code_in(world.now(), 1);
    assert_eq!(no(sign_in_with(&world, "alice", right)), Rejection::Locked);
    let status = world.mfa.status().run_blocking(&world.store, "alice");
    assert!(status.unwrap().failures < 3, "it is not the row that locks");
}

/// A dropped fifth failure: the alarm is told with the sixth.
#[test]
fn an_attacker_who_hangs_up_at_the_fifth_failure_silences_no_alarm() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..4 {
        guesses(&world, &device);
    }
    world.time.advance(DAY);
    world.events();
    let guess = wrong_now(&device, world.now());
    let fifth = world.mfa.sign_in_with(Some(guess.into()));
    let decision = fifth.decide("alice", world.row("alice")).unwrap();
    let write = decision.write().unwrap().clone();
    drop(decision);
    let swap = world.store.compare_and_swap_blocking(write);
    assert_eq!(swap, Ok(Swap::Stored));
    assert_eq!(world.events(), [], "nobody was told of the fifth");

    for failures in 6..=9 {
        guesses(&world, &device);
        let suspicion = failures;
        let known = EventKind::PasswordProbablyKnown {
            failures,
            suspicion,
        };
        assert!(world.events().contains(&known), "{failures}");
    }
}

/// Rule G10: a patient guesser is seen: failures that no success has paid off are told of, though
/// none of them is one of many in a row.
#[test]
fn a_patient_guesser_is_told_of_though_the_row_is_ended_again_and_again() {
    let world = World::standard();
    let device = world.enrol("alice");
    let mut suspicion = 0;
    for day in 1..=12 {
        for failures in 1..=2 {
            world.time.advance(DAY);
            world.events();
            guesses(&world, &device);
            suspicion += 1;
            let known = EventKind::PasswordProbablyKnown {
                failures,
                suspicion,
            };
            let told = world.events().contains(&known);
            assert_eq!(told, suspicion >= 10, "{day}, {suspicion}");
        }
        let right = device.code(world.now());
        sign_in_with(&world, "alice", right).unwrap();
        suspicion -= 1;
    }
    assert_eq!(suspicion, 12, "time has paid nothing off");
}

/// While nothing is in force, a thousand wrong codes: the owner enrols.
#[test]
fn a_thousand_wrong_codes_while_nothing_is_in_force_lock_nobody_out() {
    let policy = Policy::builder().pending_lifetime(Duration::from_secs(DAY));
    let world = World::new(policy.build().unwrap());
    let verify = |code: Code| {
        let verify = world.mfa.verify(&world.password("alice"), code);
        verify.run_blocking(&world.store, "alice")
    };
    let mut waits = 0;
    for number in 0..1000 {
        let issued = Device::of(&world.associate("alice"));
        let guess = || verify(wrong_now(&issued, world.now()));
        let mut answer = no(guess());
        if let Rejection::Throttled { until } = answer {
            waits += 1;
            assert!(until.since(world.now()).as_secs() <= 900);
            world.time.set(until.as_secs());
            answer = no(guess());
        }
        assert_eq!(answer, Rejection::Mismatch, "{number}");
        assert!(!world.events().contains(&EventKind::Locked));
    }
    assert_eq!(waits, 997, "they wait all the same");

    let device = Device::of(&world.associate("alice"));
    world.time.advance(900);
    let enrolled = verify(device.code(world.now())).unwrap();
    // The count begins anew with the first token: it may be mistyped twice without a wait.
    for _ in 0..3 {
        let guess = wrong(&[&device], &world);
        assert_eq!(
            no(sign_in_with(&world, "alice", guess)),
            Rejection::Mismatch
        );
    }
    world.time.advance(30);
    let grant = Grant::from(enrolled.evidence());
    step_up(&world, &grant, device.code(world.now())).expect("it is not locked");
}
