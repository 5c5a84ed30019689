//! Wrong codes, one after another and all at once.

use core::convert::Infallible;
use core::time::Duration;
use std::sync::Mutex;

use softtoken::association::Method;
use softtoken::{
    Administrator, BlockingStore, Code, Context, EventKind, Events, MemoryStore, Mfa, OsEntropy,
    Policy, Preference, RecoveryCode, Rejection, Snapshot, Store, Swap, Throttle, UnixTime, Write,
};

use super::{Answer, authenticate, no, recovery_codes, replacement, respond, untouched, wrong};
use crate::crowd::{in_turn, together};
use crate::world::{Device, World};

/// Every operation that takes a code, on the authority of whoever may use it.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Guess {
    Verify,
    Respond,
    Authenticate,
    ResynchroniseByGrant,
    ResynchroniseBySession,
}

impl Guess {
    const ALL: [Self; 5] = [
        Self::Verify,
        Self::Respond,
        Self::Authenticate,
        Self::ResynchroniseByGrant,
        Self::ResynchroniseBySession,
    ];

    /// Makes it, in a session of its own where it needs one.
    fn with(self, code: &Code, world: &World, store: &MemoryStore, subject: &str) -> Answer {
        let (mfa, code) = (&world.mfa, code.clone());
        let grant = world.second_factor();
        match self {
            Self::Verify => mfa
                .verify(grant, code)
                .run_blocking(store, subject)
                .map(drop),
            Self::Respond => {
                let respond = mfa.respond(&world.challenge(subject), code);
                respond.run_blocking(store, subject).map(drop)
            }
            Self::Authenticate => mfa
                .authenticate(code)
                .run_blocking(store, subject)
                .map(drop),
            Self::ResynchroniseByGrant => mfa
                .resynchronise(grant, code.clone(), code)
                .run_blocking(store, subject),
            Self::ResynchroniseBySession => mfa
                .resynchronise(world.challenge(subject), code.clone(), code)
                .run_blocking(store, subject),
        }
    }
}

/// Somebody with a token, and a secret that waits to replace it: everything that takes a code takes one.
fn guessable(world: &World, subject: &str) -> [Device; 2] {
    let device = world.enrol(subject);
    let issued = replacement(world, subject);
    [device, issued]
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
            let suspicion = EventKind::PasswordProbablyKnown { failures };
            assert_eq!(world.events().contains(&suspicion), failures == 5);
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
        let _ = replacement(&world, "alice");
    }
}

/// Sequential and parallel guessing: an attempt that comes too early is not judged, be it right or wrong.
#[test]
fn the_right_code_too_early_is_told_from_a_wrong_one_by_nothing() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..3 {
        let code = wrong(&[&device], &world);
        assert_eq!(no(authenticate(&world, "alice", code)), Rejection::Mismatch);
    }
    let until = world.now().saturating_add(Duration::from_secs(5));
    world.time.advance(4);
    let right = device.code_in(world.now(), 1);
    let spent = device.code(UnixTime::from_secs(crate::world::START));
    for code in [right.clone(), spent, wrong(&[&device], &world)] {
        world.events();
        let early = || authenticate(&world, "alice", code);
        let throttled = Rejection::Throttled { until };
        assert_eq!(untouched(&world, "alice", early), throttled);
        let refused = EventKind::Refused {
            rejection: throttled,
            flaw: None,
        };
        assert_eq!(world.events(), [refused]);
    }
    world.time.advance(1);
    authenticate(&world, "alice", right).expect("it is unspent");
    let method = Method::SoftwareToken;
    assert_eq!(
        world.events(),
        [EventKind::SignedIn {
            method,
            failures: 3
        }]
    );
}

/// Sequential guessing: a new secret, associated by whoever guesses, does not begin a new count.
#[test]
fn a_new_secret_does_not_begin_a_new_count() {
    let world = World::standard();
    for failures in 1..=8 {
        let issued = Device::of(&world.associate("alice"));
        let code = wrong(&[&issued], &world);
        let guess = || {
            let verify = world.mfa.verify(world.password(), code.clone());
            verify.run_blocking(&world.store, "alice")
        };
        assert_eq!(no(guess()), Rejection::Mismatch);
        let wait = Throttle::STANDARD.wait(failures);
        let until = world.now().saturating_add(wait);
        if wait > Duration::ZERO {
            let _ = world.associate("alice");
            assert_eq!(no(guess()), Rejection::Throttled { until });
        }
        let remove = world.mfa.disassociate(world.password());
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

const DAY: u64 = 86_400;

struct Year {
    judged: u64,
    successes: u64,
    /// The day on which the token was locked.
    locked: Option<u64>,
}

/// The user signs in once a day; somebody with the password guesses so often a day, as soon as the throttle allows.
fn a_year_of_guessing(a_day: u64) -> Year {
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
        match respond(&world, "alice", &session, device.code(world.now())) {
            Ok(()) => year.successes += 1,
            answer => {
                assert_eq!(no(answer), Rejection::Locked);
                year.locked.get_or_insert(day - 1);
            }
        }
        assert_eq!(year.locked.is_some(), year.successes < day);

        let mut today = 0;
        while today < a_day && world.now().as_secs() < start + (day + 1) * DAY - 1000 {
            let guess = wrong_now(&device, world.now());
            match no(respond(&world, "alice", &world.challenge("alice"), guess)) {
                Rejection::Mismatch => {
                    assert_eq!(year.locked, None, "judged while locked");
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
    let locked = world.events();
    let locked = locked.iter().filter(|event| **event == EventKind::Locked);
    assert_eq!(locked.count(), usize::from(year.locked.is_some()));
    year
}

/// Guessing between the user's own sign-ins, for a year: the debt ends it.
#[test]
fn guessing_between_the_users_own_sign_ins_is_ended_by_the_debt() {
    // A day pays off three failures: one by the sign-in, two by its hours.
    for (a_day, latest) in [(4, 100), (8, 20), (u64::MAX, 1)] {
        let year = a_year_of_guessing(a_day);
        let locked = year.locked.expect("within the year");
        assert!(
            locked <= latest,
            "{a_day} guesses a day went on for {locked} days"
        );
        assert!(year.judged <= 100 + year.successes + 2 * locked);
    }
}

/// Guessing between the user's own sign-ins, for a year: who stays below what the debt lets pass, stays within the
/// odds that are quoted.
#[test]
fn guessing_slowly_enough_never_to_be_locked_stays_within_the_odds() {
    let year = a_year_of_guessing(3);
    assert_eq!(year.locked, None);
    let odds = Policy::STANDARD.guess_odds(Duration::from_secs(365 * DAY), year.successes);
    let guesses = u32::try_from(year.judged).unwrap();
    let three_steps_each = f64::from(guesses) * 3.0 / 1e6;
    assert!(three_steps_each <= odds && odds < 0.01);
}

/// A user who is locked is let in by a recovery code, or after an administrator's unlock, and by nothing else.
#[test]
fn a_locked_token_takes_no_code() {
    let throttle = Throttle {
        debt_limit: 5,
        ..Throttle::STANDARD
    };
    let policy = Policy::builder().throttle(throttle).build().unwrap();
    let world = World::new(policy);
    let [device, issued] = guessable(&world, "alice");
    let codes = recovery_codes(&world, "alice");
    for failures in 1..=5 {
        let code = wrong(&[&device, &issued], &world);
        assert_eq!(no(authenticate(&world, "alice", code)), Rejection::Mismatch);
        world
            .time
            .advance(Throttle::STANDARD.wait(failures).as_secs());
    }
    for days in [0, 1, 400] {
        world.time.advance(days * DAY);
        for guess in Guess::ALL {
            let code = device.code(world.now());
            let expired = guess == Guess::Verify && days > 0;
            let refused = untouched(&world, "alice", || {
                guess.with(&code, &world, &world.store, "alice")
            });
            let told = if expired {
                Rejection::Expired
            } else {
                Rejection::Locked
            };
            assert_eq!(refused, told, "{guess:?}");
        }
    }
    let status = world
        .mfa
        .status()
        .run_blocking(&world.store, "alice")
        .unwrap();
    assert!(status.locked);
    super::recover(&world, "alice", &codes[0]).unwrap();
    authenticate(&world, "alice", device.code(world.now())).unwrap();
}

/// What a request, its store and its audit log did, in their order.
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

/// A failure rolled back with the embedder's own transaction: the crate's own loop never does it.
#[test]
fn a_failure_is_stored_before_anybody_is_told() {
    let world = World::standard();
    let device = world.enrol("alice");
    let log = Log::default();
    let (clock, audit) = (world.time.clone(), Log::clone(&log));
    let mfa = Mfa::new(Policy::STANDARD, move || Some(clock.now()), OsEntropy)
        .audited(move |_, _| audit.lock().unwrap().push("told"));
    let store = Recorded(&world.store, Log::clone(&log));
    let code = wrong(&[&device], &world);

    let blocking = mfa.authenticate(code.clone()).run_blocking(&store, "alice");
    log.lock().unwrap().push("answered");
    let awaited = in_turn(vec![Box::pin(mfa.authenticate(code).run(&store, "alice"))]);
    log.lock().unwrap().push("answered");
    assert_eq!(no(blocking), Rejection::Mismatch);
    assert_eq!(
        awaited.into_iter().map(no).collect::<Vec<_>>(),
        [Rejection::Mismatch]
    );
    let order = ["load", "stored", "told", "answered"];
    assert_eq!(*log.lock().unwrap(), [order, order].concat());
}

/// A failure rolled back with the embedder's own transaction: documented.
#[test]
fn a_refusal_that_counts_a_guess_says_that_its_write_must_not_be_rolled_back() {
    let world = World::standard();
    let device = world.enrol("alice");
    let row = world.row("alice");
    let request = world.mfa.authenticate(wrong(&[&device], &world));
    let decision = request.decide("alice", row.clone()).unwrap();
    assert!(decision.is_refusal());
    let write = decision.write().expect("a guess is written down");
    assert_eq!(write.expected(), row.map(|row| row.revision));
    let told: Vec<_> = write.events().iter().map(|event| event.kind).collect();
    let rejection = Rejection::Mismatch;
    assert_eq!(
        told,
        [EventKind::Refused {
            rejection,
            flaw: None
        }]
    );
    assert!(
        world.events().iter().all(|event| !told.contains(event)),
        "told too early"
    );

    assert_eq!(
        world.store.compare_and_swap_blocking(write.clone()),
        Ok(Swap::Stored)
    );
    assert_eq!(decision.committed().unwrap_err(), rejection);
    assert_eq!(world.events().last(), told.last());
}

/// The count after a restart: still there.
#[test]
fn the_count_survives_a_restart() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..3 {
        let code = wrong(&[&device], &world);
        assert_eq!(no(authenticate(&world, "alice", code)), Rejection::Mismatch);
    }
    let rows = copied(&world, "alice");
    let restarted = World::standard();
    restarted.time.set(world.now().as_secs());
    let code = device.code_in(world.now(), 1);
    let until = world.now().saturating_add(Duration::from_secs(5));
    let request = restarted.mfa.authenticate(code.clone());
    let throttled = Rejection::Throttled { until };
    assert_eq!(no(request.run_blocking(&rows, "alice")), throttled);

    restarted.time.advance(5);
    let request = restarted.mfa.authenticate(code);
    let _ = request.run_blocking(&rows, "alice").unwrap();
    let method = Method::SoftwareToken;
    let signed_in = EventKind::SignedIn {
        method,
        failures: 3,
    };
    assert_eq!(restarted.events().last(), Some(&signed_in));
}

/// A password success clears nothing.
#[test]
fn a_password_success_clears_nothing() {
    for policy in [Policy::STANDARD, Policy::COGNITO] {
        let world = World::new(policy);
        let device = world.enrol("alice");
        for _ in 0..3 {
            let code = wrong(&[&device], &world);
            assert_eq!(no(authenticate(&world, "alice", code)), Rejection::Mismatch);
        }
        let until = world.now().saturating_add(Duration::from_secs(5));
        for _ in 0..100 {
            let sign_in = world.mfa.sign_in(Context::default());
            let _ = sign_in.run_blocking(&world.store, "alice").unwrap();
        }
        // All that is not a code's, and not an administrator's.
        let prefer = world.mfa.prefer(world.password(), Preference::Preferred);
        prefer.run_blocking(&world.store, "alice").unwrap();
        let _ = world
            .mfa
            .associate(world.password())
            .run_blocking(&world.store, "alice");
        let _ = world
            .mfa
            .disassociate(world.password())
            .run_blocking(&world.store, "alice");
        let guessed = RecoveryCode::parse("0123-4567-89AB-CDEF").unwrap();
        assert_eq!(
            no(super::recover(&world, "alice", &guessed)),
            Rejection::Mismatch
        );
        let _ = world
            .mfa
            .status()
            .run_blocking(&world.store, "alice")
            .unwrap();

        let code = device.code_in(world.now(), 1);
        let early = authenticate(&world, "alice", code.clone());
        assert_eq!(no(early), Rejection::Throttled { until });
        world.time.advance(5);
        world.events();
        authenticate(&world, "alice", code).unwrap();
        let method = Method::SoftwareToken;
        assert_eq!(
            world.events(),
            [EventKind::SignedIn {
                method,
                failures: 3
            }]
        );
    }
}

/// Who has the password can keep the token throttled, and that is all: the user is let in when the throttle says.
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
            no(authenticate(&world, "alice", guess)),
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
        assert_eq!(no(authenticate(&world, "alice", slip)), Rejection::Mismatch);
    }
    world.time.advance(60);
    authenticate(&world, "alice", device.code(world.now())).expect("he is not throttled any more");
    let method = Method::SoftwareToken;
    let signed_in = EventKind::SignedIn {
        method,
        failures: 2,
    };
    assert_eq!(world.events().last(), Some(&signed_in));

    let unlock = world.mfa.unlock(Administrator);
    unlock.run_blocking(&world.store, "alice").unwrap();
    let spent = device.code(world.now());
    assert_eq!(no(authenticate(&world, "alice", spent)), Rejection::Reused);
}

/// The count after a restart: still there. Nor does a second server over the same store have one of its own.
#[test]
fn two_servers_share_one_count() {
    let servers = [World::standard(), World::standard()];
    let store = &servers[0].store;
    let device = servers[0].enrol("alice");
    let code = wrong(&[&device], &servers[0]);
    let answers = together(40, |number| {
        let request = servers[number % 2].mfa.authenticate(code.clone());
        no(request.run_blocking(store, "alice"))
    });
    let judged = answers.iter().filter(|told| **told == Rejection::Mismatch);
    assert_eq!(judged.count(), 3);
}
