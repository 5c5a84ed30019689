//! What a request promises around the decision: retries, faults, events after the commit,
//! repetition.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::convert::Infallible;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use crate::crowd::{Colour, pause};
use crate::world::{Device, World, admin, context};
use softtoken::association::{
    AttemptKey, EventKind, Events, ImportedToken, Operation, Preference, Record,
};
use softtoken::entropy::{Entropy, NoEntropy};
use softtoken::mfa::{Decision, Request};
use softtoken::store::{DynStore, Snapshot, Swap, Write};
use softtoken::totp::{Digits, Secret, Totp};
use softtoken::{
    BlockingStore, Code, Context, Error, Evidence, Factor, Fault, Grant, MemoryStore, Mfa,
    OsEntropy, Policy, RecoveryCode, Rejection, Revision, SignedIn, Store, UnixTime, Vouched,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the database is on fire")
    }
}

impl core::error::Error for Broken {}

/// A store that fails or loses as it is told.
#[derive(Default)]
struct Unreliable {
    store: MemoryStore,
    conflicts: AtomicU32,
    loads: AtomicU32,
    swaps: AtomicU32,
    pauses: Mutex<Vec<Duration>>,
    broken_load: bool,
    broken_swap: bool,
}

impl BlockingStore for Unreliable {
    type Error = Broken;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Broken> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        if self.broken_load {
            return Err(Broken);
        }
        Ok(self.store.load_blocking(subject).unwrap())
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Broken> {
        self.swaps.fetch_add(1, Ordering::SeqCst);
        if self.broken_swap {
            return Err(Broken);
        }
        let lose = |left: u32| left.checked_sub(1);
        if self
            .conflicts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose)
            .is_ok()
        {
            return Ok(Swap::Conflict);
        }
        Ok(self.store.compare_and_swap_blocking(write).unwrap())
    }

    fn pause_blocking(&self, time: Duration) {
        self.pauses.lock().unwrap().push(time);
    }
}

/// Every answer of it is a while on its way.
impl Store for Unreliable {
    type Error = Broken;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Broken> {
        pause().await;
        self.load_blocking(subject)
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Broken> {
        pause().await;
        self.compare_and_swap_blocking(write)
    }

    async fn pause(&self, time: Duration) {
        pause().await;
        self.pause_blocking(time);
    }
}

/// Stores these bytes as alice's first record.
fn put(store: &MemoryStore, bytes: &[u8]) {
    let write = Write::new("alice", None, bytes.to_vec(), Events::default()).unwrap();
    let stored = store.compare_and_swap_blocking(write);
    assert_eq!(stored, Ok(Swap::Stored));
}

fn code() -> Code {
    Code::parse("123456").unwrap()
}

#[test]
fn a_lost_race_is_run_again_and_a_lasting_one_is_an_error() {
    for colour in Colour::BOTH {
        for (conflicts, expected) in [
            (0, Ok(1)),
            (15, Ok(16)),
            (16, Err(Error::Fault(Fault::Contended))),
        ] {
            let world = World::standard();
            let store = Unreliable {
                conflicts: conflicts.into(),
                ..Unreliable::default()
            };
            let associate = world.mfa.associate(&world.password("alice"));
            let answer = colour.run(associate, &store);
            let swaps = store.swaps.load(Ordering::SeqCst);
            assert_eq!(answer.map(|_| swaps), expected, "{colour:?}");
            assert_eq!(world.events().len(), usize::from(conflicts < 16));
        }
    }
}

/// Rule K18.
#[test]
fn each_lost_race_is_paused_after_for_a_drawn_time_from_twice_as_much_up_to_half_a_second() {
    for colour in Colour::BOTH {
        for (conflicts, attempts, pauses) in [(0, 16, 0), (3, 16, 3), (64, 40, 39)] {
            let world = World::new(Policy::builder().swap_attempts(attempts).build().unwrap());
            let store = Unreliable {
                conflicts: conflicts.into(),
                ..Unreliable::default()
            };
            let associate = world.mfa.associate(&world.password("alice"));
            // By every pointer to the store, and where its type is not known.
            let answer = match colour {
                Colour::Blocking => associate.run_blocking(&Box::new(&store), "alice").is_ok(),
                Colour::Async => {
                    let erased: &dyn DynStore = &&store;
                    pollster::block_on(associate.run(&Box::new(erased), "alice")).is_ok()
                }
            };
            assert_eq!(answer, pauses < 39);
            let paused = store.pauses.into_inner().unwrap();
            assert_eq!(
                paused.len(),
                pauses,
                "none before the first load or after the last"
            );
            let most = (1..).map(|lost| Duration::from_millis(1 << u32::min(lost, 9)));
            let shares: Vec<_> = paused
                .iter()
                .zip(most)
                .map(|(pause, most)| pause.as_secs_f64() / most.as_secs_f64())
                .collect();
            assert!(
                shares.iter().all(|share| (0.0..1.0).contains(share)),
                "{shares:?}"
            );
            if pauses == 39 {
                // One run in 2^39 draws from one half alone.
                assert!(shares.iter().any(|share| *share < 0.5), "{shares:?}");
                assert!(shares.iter().any(|share| *share > 0.5), "{shares:?}");
            }
        }
    }
}

/// Rule K18: to wait needs no secret.
#[test]
fn without_randomness_a_lost_race_is_paused_after_for_the_whole_time() {
    let dry = Arc::new(AtomicBool::new(false));
    let spring = Arc::clone(&dry);
    let drawn = move |bytes: &mut [u8]| {
        if spring.load(Ordering::SeqCst) {
            return Err(NoEntropy);
        }
        OsEntropy.fill(bytes)
    };
    let now = UnixTime::from_secs(1_700_000_000);
    let mfa = Mfa::new(Policy::STANDARD, move || Some(now), drawn);
    let store = Unreliable {
        conflicts: 2.into(),
        ..Unreliable::default()
    };
    let associate = mfa.associate(&Grant::first_factor("alice", now));
    dry.store(true, Ordering::SeqCst);
    assert!(associate.run_blocking(&store, "alice").is_ok());
    let paused: Vec<_> = store.pauses.into_inner().unwrap();
    let paused: Vec<_> = paused.iter().map(Duration::as_micros).collect();
    assert_eq!(paused, [1_999, 3_999]);
}

#[test]
fn a_race_that_is_always_lost_is_run_as_often_as_the_policy_says_and_no_oftener() {
    for colour in Colour::BOTH {
        for attempts in [1, 3, 1000] {
            let policy = Policy::builder().swap_attempts(attempts).build().unwrap();
            let world = World::new(policy);
            let store = Unreliable {
                // More than any policy has attempts: a loop without a bound comes to an end, and is seen.
                conflicts: 10_000.into(),
                ..Unreliable::default()
            };
            let associate = world.mfa.associate(&world.password("alice"));
            let failed = colour.run(associate, &store).unwrap_err();
            assert_eq!(failed, Error::Fault(Fault::Contended), "{colour:?}");
            let [loads, swaps] = [&store.loads, &store.swaps].map(|n| n.load(Ordering::SeqCst));
            assert_eq!([loads, swaps], [attempts; 2], "{colour:?}");
            assert!(store.store.load_blocking("alice").unwrap().is_none());
            assert_eq!(world.events(), [], "nothing that was not stored is told");
        }
    }
}

#[test]
fn the_time_is_read_anew_after_a_lost_race() {
    for colour in Colour::BOTH {
        let ticks = AtomicU32::new(0);
        let clock = move || {
            let tick = ticks.fetch_add(1, Ordering::SeqCst);
            Some(UnixTime::from_secs(1_000 + u64::from(tick)))
        };
        let mfa = Mfa::new(Policy::STANDARD, clock, OsEntropy);
        let store = Unreliable {
            conflicts: 3.into(),
            ..Unreliable::default()
        };
        let grant = Grant::first_factor("alice", UnixTime::from_secs(1_000));
        let issued = colour.run(mfa.associate(&grant), &store).unwrap();
        let fourth = UnixTime::from_secs(1_003 + 600);
        assert_eq!(issued.expires(), fourth, "{colour:?}");
    }
}

#[test]
fn a_code_that_expires_while_races_are_lost_is_refused() {
    for colour in Colour::BOTH {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(60);
        let time = world.time.clone();
        let late = move || {
            let now = time.now();
            time.advance(30);
            Some(now)
        };
        let mfa = Mfa::new(Policy::STANDARD, late, OsEntropy);
        let store = Unreliable {
            conflicts: 2.into(),
            ..Unreliable::default()
        };
        put(&store.store, &world.row("alice").unwrap().record);
        let code = device.code(world.now());
        let step_up = mfa.step_up(&world.password("alice"), code);
        let refused = colour.run(step_up, &store).unwrap_err();
        assert_eq!(
            refused.rejection(),
            Some(Rejection::Mismatch),
            "{colour:?}: at the third attempt it is two steps old"
        );
    }
}

#[test]
fn a_failing_store_is_an_error_and_never_an_answer() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    world.events();
    let enrolled = || {
        let row = world.row("alice").unwrap();
        let store = Unreliable::default();
        put(&store.store, &row.record);
        store
    };
    for colour in Colour::BOTH {
        let unreadable = Unreliable {
            broken_load: true,
            ..enrolled()
        };
        let unwritable = Unreliable {
            broken_swap: true,
            ..enrolled()
        };
        for store in [unreadable, unwritable] {
            for code in [device.code(world.now()), device.wrong_code(world.now())] {
                let step_up = world.mfa.step_up(&world.password("alice"), code);
                let failed = colour.run(step_up, &store).unwrap_err();
                assert_eq!(failed, Error::Store(Broken));
                assert_eq!(failed.name(), "store");
                assert_eq!(failed.rejection(), None);
                let source = core::error::Error::source(&failed).unwrap();
                assert_eq!(source.downcast_ref::<Broken>(), Some(&Broken));
            }
        }
    }
    assert_eq!(world.events(), [], "nothing that was not stored is told");
}

#[test]
fn a_failed_draw_is_reported_before_anything_is_read() {
    let broken = |_: &mut [u8]| Err(NoEntropy);
    let now = UnixTime::from_secs(1_000);
    let mfa = Mfa::new(Policy::STANDARD, move || Some(now), broken);
    let store = Unreliable {
        broken_load: true,
        ..Unreliable::default()
    };
    let grant = Grant::first_factor("alice", now);
    for colour in Colour::BOTH {
        let failed = colour.run(mfa.associate(&grant), &store).unwrap_err();
        assert_eq!(failed, Error::Fault(Fault::NoEntropy(NoEntropy)));
    }
    assert_eq!(store.loads.load(Ordering::SeqCst), 0);
}

#[test]
fn a_subject_has_at_least_one_byte_and_at_most_256() {
    let world = World::standard();
    let status = |subject: &str| world.mfa.status().run_blocking(&world.store, subject);
    assert_eq!(status("").unwrap_err(), Fault::Subject.into());
    assert_eq!(status(&"é".repeat(129)).unwrap_err(), Fault::Subject.into());
    assert!(status(&"é".repeat(128)).is_ok());
}

/// A decision that is written in a transaction of the application's is checked as a request that is run.
#[test]
fn a_decision_of_ones_own_is_checked_as_a_request_is() {
    let world = World::standard();
    world.enrol("alice");
    let session = world.challenge("alice");
    let row = || world.row("alice");
    for subject in [String::new(), "a".repeat(257), "é".repeat(129)] {
        let decision = world.mfa.status().decide(&subject, row());
        assert_eq!(decision.unwrap_err(), Fault::Subject, "{subject:?}");
    }
    let longest = world.mfa.status().decide(&"é".repeat(128), row());
    assert!(longest.is_ok());

    let now = world.now();
    let keyless = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy);
    let sign_in = keyless.sign_in().decide("alice", row());
    assert_eq!(sign_in.unwrap_err(), Fault::NoSessionKeys);
    let respond = keyless.respond(&session, code()).decide("alice", row());
    assert_eq!(respond.unwrap_err(), Fault::NoSessionKeys);
    let associate = keyless.associate(&session).decide("alice", row());
    assert_eq!(associate.unwrap_err(), Fault::NoSessionKeys);
    let reseal = keyless.reseal().decide("alice", row());
    assert_eq!(reseal.unwrap_err(), Fault::NoSeal);

    let broken = Mfa::new(
        Policy::STANDARD,
        move || Some(now),
        |_: &mut [u8]| Err(NoEntropy),
    );
    let drawn = broken.sign_in().decide("alice", row());
    assert_eq!(drawn.unwrap_err(), Fault::NoEntropy(NoEntropy));
}

/// The failure of a request, which is neither yes nor no.
fn fault<O: Operation>(world: &World, request: Request<O>) -> Fault {
    match request.run_blocking(&world.store, "alice") {
        Err(Error::Fault(fault)) => fault,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was accepted"),
    }
}

#[test]
fn without_keys_there_are_no_sessions() {
    let world = World::standard();
    world.enrol("alice");
    let session = world.challenge("alice");
    let now = world.now();
    let keyless = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy);
    let typed = RecoveryCode::parse("01234-56789-ABCDE-FGHJK-MNPQR").unwrap();
    let status = keyless.status().run_blocking(&world.store, "alice");
    let token = status.unwrap().tokens[0].id;
    let refused = [
        fault(&world, keyless.sign_in()),
        fault(&world, keyless.respond(&session, code())),
        fault(&world, keyless.respond(&session, typed)),
        fault(&world, keyless.respond(&session, vouched())),
        fault(&world, keyless.finish_setup(&session)),
        fault(&world, keyless.resynchronise(&session, code(), code())),
        fault(&world, keyless.associate(&session)),
        fault(&world, keyless.verify(&session, code())),
        fault(&world, keyless.prefer(&session, Preference::Disabled)),
        fault(&world, keyless.set_enabled(&session, false)),
        fault(&world, keyless.rename(&session, token, "phone")),
        fault(&world, keyless.remove(&session, token)),
        fault(&world, keyless.issue_recovery_codes(&session)),
        fault(&world, keyless.forget_browsers(&session)),
        fault(&world, keyless.disassociate(&session)),
    ];
    assert_eq!(refused, [Fault::NoSessionKeys; 15]);
    let opened = keyless.open(session.expose()).unwrap_err();
    assert_eq!(Error::<Broken>::from(opened), Fault::NoSessionKeys.into());
    assert!(keyless.status().run_blocking(&world.store, "alice").is_ok());
}

/// A passkey that the application has checked.
fn vouched() -> Vouched {
    Vouched::factor(&["hwk", "user"])
}

#[test]
fn what_takes_no_session_takes_no_keys() {
    let world = World::standard();
    let store = &world.store;
    let time = world.time.clone();
    let keyless = Mfa::new(Policy::STANDARD, move || Some(time.now()), OsEntropy);
    let password = || world.password("alice");
    let issued = keyless.associate(&password()).run_blocking(store, "alice");
    let device = Device::of(&issued.unwrap());
    let code = device.code(world.now());
    let enrolled = keyless.verify(&password(), code);
    let enrolled = enrolled.run_blocking(store, "alice").unwrap();
    let grant = Grant::from(enrolled.evidence());
    let issue = keyless.issue_recovery_codes(&grant);
    let codes = issue.run_blocking(store, "alice").unwrap();
    let typed = codes.iter().next().unwrap().clone();
    let step_up = keyless.step_up(&password(), typed);
    let _ = step_up.run_blocking(store, "alice").unwrap();
    world.time.advance(300);
    let [code, next] = [8, 9].map(|steps| device.code_in(world.now(), steps));
    let resynchronise = keyless.resynchronise(&password(), code, next);
    resynchronise.run_blocking(store, "alice").unwrap();
    world.time.advance(60);
    let code = device.code_in(world.now(), 8);
    let sign_in = keyless.sign_in_with(Some(code.into()));
    let signed_in = sign_in.run_blocking(store, "alice").unwrap();
    assert!(matches!(signed_in, SignedIn::Proven(_)), "{signed_in:?}");
    let check = keyless.check(&grant, Duration::from_secs(600));
    check.run_blocking(store, "alice").unwrap();
    let token = keyless
        .status()
        .run_blocking(store, "alice")
        .unwrap()
        .tokens[0]
        .id;
    let rename = keyless.rename(&grant, token, "phone");
    rename.run_blocking(store, "alice").unwrap();
    let forget = keyless.forget_browsers(&grant);
    forget.run_blocking(store, "alice").unwrap();
    let prefer = keyless.prefer(&grant, Preference::Disabled);
    prefer.run_blocking(store, "alice").unwrap();
    let disassociate = keyless.disassociate(&grant);
    disassociate.run_blocking(store, "alice").unwrap();
}

#[test]
fn damaged_bytes_are_an_error_and_are_not_overwritten() {
    let world = World::standard();
    for bytes in [&b""[..], b"\x01\x07", b"\xff"] {
        let store = MemoryStore::new();
        put(&store, bytes);
        let associate = world.mfa.associate(&world.password("alice"));
        let failed = associate.run_blocking(&store, "alice").unwrap_err();
        assert!(
            matches!(failed, Error::Fault(Fault::Record(_))),
            "{failed:?}"
        );
        let reset = world.mfa.reset(&admin());
        assert!(reset.run_blocking(&store, "alice").is_err());
        let row = store.load_blocking("alice").unwrap().unwrap();
        assert_eq!(row.record, bytes);
        assert_eq!(row.revision, Revision::FIRST);
    }
}

#[test]
fn a_caller_that_knows_better_notices_a_row_that_was_put_back_or_deleted() {
    let world = World::standard();
    let rolled_back = Error::Fault(Fault::RolledBack);
    let sign_in = world.mfa.sign_in().expect_enrolled();
    assert_eq!(
        sign_in.run_blocking(&world.store, "alice").unwrap_err(),
        rolled_back
    );
    world.enrol("alice");
    let sign_in = world.mfa.sign_in().expect_enrolled();
    assert!(sign_in.run_blocking(&world.store, "alice").is_ok());

    let revision = world.row("alice").unwrap().revision;
    let known = world.mfa.status().at_least(revision);
    assert!(known.run_blocking(&world.store, "alice").is_ok());
    let newer = world.mfa.status().at_least(revision.next().unwrap());
    assert_eq!(
        newer.run_blocking(&world.store, "alice").unwrap_err(),
        rolled_back
    );
    let missing = world.mfa.status().at_least(Revision::FIRST);
    assert_eq!(
        missing.run_blocking(&world.store, "bob").unwrap_err(),
        rolled_back
    );
}

#[test]
fn a_revision_that_cannot_be_raised_is_an_error() {
    let world = World::standard();
    let last = Revision::new(u64::try_from(i64::MAX).unwrap()).unwrap();
    let found = Snapshot {
        revision: last,
        record: softtoken::record::encode(&Record::default()).to_vec(),
    };
    let associate = world.mfa.associate(&world.password("alice"));
    let failed = associate.decide("alice", Some(found)).unwrap_err();
    assert_eq!(failed, Fault::RevisionsExhausted);
}

#[test]
fn a_throttled_caller_is_told_when_to_come_back() {
    let world = World::standard();
    let device = world.enrol("alice");
    for wait in [None, None, Some(Duration::from_secs(5))] {
        let wrong = device.wrong_code(world.now());
        let wrong = world.mfa.step_up(&world.password("alice"), wrong);
        let refused = wrong.run_blocking(&world.store, "alice").unwrap_err();
        assert_eq!(refused.rejection(), Some(Rejection::Mismatch));
        assert_eq!(refused.retry_after(), wait);
    }
    world.time.advance(2);
    let code = device.code(world.now());
    let early = world.mfa.step_up(&world.password("alice"), code);
    let refused = early.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.retry_after().unwrap().as_secs(), 3);
    assert_eq!(refused.name(), "throttled");
}

#[test]
fn of_the_rejections_time_alone_mends_only_the_throttle() {
    let now = UnixTime::from_secs(60);
    let until = UnixTime::from_secs(65);
    let wait = Rejection::Throttled { until }.retry_after(now);
    assert_eq!(wait, Some(Duration::from_secs(5)));
    assert_eq!(Rejection::Locked.retry_after(now), None);
}

#[test]
fn another_code_or_a_little_patience_mends_what_may_be_retried_and_nothing_else() {
    let until = UnixTime::from_secs(65);
    let expected = Digits::try_from(6).unwrap();
    for rejection in [
        Rejection::Mismatch,
        Rejection::Reused,
        Rejection::CodeLength { expected },
        Rejection::Throttled { until },
        Rejection::Locked,
        Rejection::RecoveryLocked,
        Rejection::ClockBehind,
    ] {
        assert!(rejection.may_retry(), "{rejection:?}");
    }
    for rejection in [
        Rejection::NotAssociated,
        Rejection::Expired,
        Rejection::InvalidSession,
        Rejection::NotAuthorized,
        Rejection::ReauthenticationRequired,
        Rejection::SecondFactorRequired,
        Rejection::MfaRequired,
        Rejection::SoftwareTokenDisabled,
        Rejection::AlreadyVerified,
        Rejection::TooManyTokens,
        Rejection::NoSuchToken,
        Rejection::VerifiedBefore,
        Rejection::LastStepInFuture,
    ] {
        assert!(!rejection.may_retry(), "{rejection:?}");
    }
}

#[test]
fn a_context_has_1_to_128_bytes_and_is_kept_to_the_byte() {
    for bytes in [&[0][..], &[0, 255, b'a'], &[7; 128]] {
        assert_eq!(Context::new(bytes).unwrap().as_bytes(), bytes);
    }
    assert!(Context::new([7; 129]).is_err());
    assert!(Context::new([]).is_err(), "an empty one binds nothing");
}

#[test]
fn a_repeated_attempt_is_given_the_same_evidence() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    let session = world.challenge("alice");
    let key = AttemptKey::generate(&OsEntropy).unwrap();
    let code = device.code(world.now());
    let attempt = |key: &AttemptKey, code: &Code| {
        let respond = world.mfa.respond(&session, code.clone());
        let answer = respond
            .attempt(key.clone())
            .run_blocking(&world.store, "alice");
        answer.map_err(|error| error.rejection().unwrap())
    };
    let first = attempt(&key, &code).unwrap();
    let revision = world.row("alice").unwrap().revision;
    world.time.advance(30);
    world.events();
    let again = attempt(&AttemptKey::from_bytes(*key.expose()), &code).unwrap();
    assert_eq!(world.events(), [EventKind::AnsweredAgain]);
    assert_eq!(first, again);
    assert_eq!(first.at(), again.at(), "with its first time");
    assert_eq!(world.row("alice").unwrap().revision, revision);

    let other = AttemptKey::generate(&OsEntropy).unwrap();
    assert_eq!(
        attempt(&other, &code).unwrap_err(),
        Rejection::InvalidSession,
        "another attempt is judged as ever"
    );
    assert_eq!(
        attempt(&key, &device.code(world.now())).unwrap_err(),
        Rejection::InvalidSession,
        "another code is judged as ever"
    );
    // The code of step T is right until T + 1 has ended, 45 s after the middle of T.
    world.time.advance(14);
    assert_eq!(attempt(&key, &code).unwrap(), first);
    world.time.advance(1);
    assert_eq!(
        attempt(&key, &code).unwrap_err(),
        Rejection::InvalidSession,
        "the code's window has passed"
    );
}

#[test]
fn a_repeated_verification_is_given_the_same_enrolment() {
    let world = World::standard();
    let issued = world.associate("alice");
    let code = Device::of(&issued).code(world.now());
    let key = AttemptKey::generate(&OsEntropy).unwrap();
    let verify = || {
        let verify = world.mfa.verify(&world.password("alice"), code.clone());
        verify
            .attempt(key.clone())
            .run_blocking(&world.store, "alice")
    };
    let first = verify().unwrap();
    world.time.advance(10);
    let again = verify().unwrap();
    assert_eq!(first.evidence(), again.evidence());

    let step_up = world.mfa.step_up(&world.password("alice"), code.clone());
    let refused = step_up
        .attempt(key.clone())
        .run_blocking(&world.store, "alice")
        .unwrap_err();
    assert_eq!(
        refused.rejection(),
        Some(Rejection::Reused),
        "another operation is judged as ever"
    );
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(
        verify().unwrap_err().rejection(),
        Some(Rejection::NotAssociated),
        "what is in force has changed"
    );
}

#[test]
fn a_verification_that_is_repeated_without_a_key_is_told_that_it_was_done() {
    let world = World::standard();
    let issued = world.associate("alice");
    let code = Device::of(&issued).code(world.now());
    let grant = world.password("alice").with_id("login-1");
    let verify = || {
        let verify = world.mfa.verify(&grant, code.clone());
        verify.run_blocking(&world.store, "alice")
    };
    let _ = verify().unwrap();
    let revision = world.row("alice").unwrap().revision;
    let again = verify().unwrap_err();
    assert_eq!(again.rejection(), Some(Rejection::AlreadyVerified));
    assert_eq!(world.row("alice").unwrap().revision, revision);
}

#[test]
fn a_repeated_step_up_is_given_the_same_evidence() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    let key = AttemptKey::generate(&OsEntropy).unwrap();
    let code = device.code(world.now());
    let grant = world.password("alice");
    let step_up = || {
        let step_up = world.mfa.step_up(&grant, code.clone());
        step_up
            .attempt(key.clone())
            .run_blocking(&world.store, "alice")
    };
    let first = step_up().unwrap();
    world.time.advance(20);
    assert_eq!(step_up().unwrap(), first);
}

/// A code of a phone that is so many steps ahead, which has been resynchronised: its step-up is
/// answered again for so many seconds after the middle of a step, and no second longer.
#[track_caller]
fn is_repeated_for(seconds: u64, ahead: i64) {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(600);
    let [code, next] = [ahead - 1, ahead].map(|steps| device.code_in(world.now(), steps));
    let resynchronise = world
        .mfa
        .resynchronise(&world.password("alice"), code, next);
    resynchronise.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(30);
    let key = AttemptKey::generate(&OsEntropy).unwrap();
    let code = device.code_in(world.now(), ahead);
    let grant = world.password("alice");
    let step_up = || {
        let step_up = world.mfa.step_up(&grant, code.clone());
        step_up
            .attempt(key.clone())
            .run_blocking(&world.store, "alice")
            .map_err(|error| error.rejection())
    };
    let first = step_up().unwrap();
    world.time.advance(seconds);
    assert_eq!(step_up().unwrap(), first);
    world.time.advance(1);
    assert_eq!(step_up(), Err(Some(Rejection::Mismatch)));
}

#[test]
fn a_step_up_by_a_phone_that_is_behind_is_repeated_for_as_long() {
    // By the drift, until the step after this one has ended.
    is_repeated_for(44, -9);
}

#[test]
fn a_step_up_by_a_phone_that_is_ahead_is_repeated_no_longer_than_its_code_is_good() {
    // Around the present step as well, until the step after the code's own has ended.
    is_repeated_for(6 * 30 + 44, 6);
}

#[test]
fn a_decision_commits_in_a_transaction_of_the_applications() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    world.events();

    let code = device.code(world.now());
    let step_up = world.mfa.step_up(&world.password("alice"), code);
    let decision = step_up.decide("alice", world.row("alice")).unwrap();
    assert!(!decision.is_rejection());
    let write = decision.write().unwrap();
    let promised = decision.output().unwrap().clone();
    assert_eq!(write.subject(), "alice");
    assert_eq!(write.expected(), world.row("alice").map(|row| row.revision));
    assert_eq!(write.events().len(), 1);
    assert_eq!(world.events(), [], "nothing is told before the commit");
    let swapped = world.store.compare_and_swap_blocking(write.clone());
    assert_eq!(swapped, Ok(Swap::Stored));
    let evidence = decision.committed::<Broken>().unwrap();
    assert_eq!(evidence, promised, "what was promised is given");
    assert_eq!(evidence.subject(), "alice");
    assert!(matches!(world.events()[..], [EventKind::SignedIn { .. }]));
}

#[test]
fn a_refusal_has_a_write_that_counts_it_and_the_time_to_come_back_at() {
    let world = World::standard();
    let device = world.enrol("alice");
    for wait in [None, None, Some(Duration::from_secs(5))] {
        let wrong = device.wrong_code(world.now());
        let step_up = world.mfa.step_up(&world.password("alice"), wrong);
        let decision = step_up.decide("alice", world.row("alice")).unwrap();
        assert!(decision.is_rejection());
        assert_eq!(decision.output(), None, "nothing is promised");
        let write = decision.write().unwrap().clone();
        let swapped = world.store.compare_and_swap_blocking(write);
        assert_eq!(swapped, Ok(Swap::Stored));
        let rejected = decision.committed::<Broken>().unwrap_err();
        assert_eq!(rejected.rejection(), Some(Rejection::Mismatch));
        assert_eq!(rejected.retry_after(), wait);
    }
}

#[test]
fn what_changes_nothing_writes_nothing_and_has_its_events_all_the_same() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.events();
    let spent = device.code(world.now());
    let step_up = world.mfa.step_up(&world.password("alice"), spent);
    let decision = step_up.decide("alice", world.row("alice")).unwrap();
    assert!(decision.is_rejection() && decision.write().is_none());
    let rejected = decision.committed::<Broken>().unwrap_err();
    assert_eq!(rejected.rejection(), Some(Rejection::Reused));
    let step = Totp::STANDARD.step(world.now());
    assert_eq!(world.events(), [EventKind::ReusedCode { step }]);

    let unlock = world.mfa.unlock(&admin());
    let decision = unlock.decide("alice", world.row("alice")).unwrap();
    assert_eq!(decision.write().map(|_| ()), None, "there was no lock");
    decision.committed::<Broken>().unwrap();
    assert_eq!(world.events(), [EventKind::Unlocked]);
}

#[test]
fn events_are_told_after_the_commit_and_written_with_it() {
    struct Outbox<'a> {
        world: &'a World,
        written: Mutex<Vec<EventKind>>,
    }
    impl BlockingStore for Outbox<'_> {
        type Error = <MemoryStore as BlockingStore>::Error;

        fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Self::Error> {
            self.world.store.load_blocking(subject)
        }

        fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Self::Error> {
            assert_eq!(self.world.events(), [], "nothing is told before");
            let events = write.events();
            let kinds: Vec<EventKind> = events.iter().map(|event| event.kind.clone()).collect();
            assert_eq!(
                (events.len(), events.is_empty()),
                (kinds.len(), kinds.is_empty())
            );
            self.written.lock().unwrap().extend(kinds);
            self.world.store.compare_and_swap_blocking(write)
        }
    }
    impl Store for Outbox<'_> {
        type Error = <MemoryStore as BlockingStore>::Error;

        async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Self::Error> {
            self.load_blocking(subject)
        }

        async fn compare_and_swap(&self, write: Write) -> Result<Swap, Self::Error> {
            let swap = self.compare_and_swap_blocking(write);
            pause().await;
            assert_eq!(self.world.events(), [], "nor before the swap has answered");
            swap
        }
    }
    let refusal = || EventKind::Refused {
        rejection: Rejection::Mismatch,
        flaw: None,
    };
    for colour in Colour::BOTH {
        let world = World::standard();
        let device = world.enrol("alice");
        world.events();
        let outbox = Outbox {
            world: &world,
            written: Mutex::default(),
        };
        let until = world.now().saturating_add(Duration::from_secs(5));
        let throttled = EventKind::Throttled { until };
        for told in [vec![refusal()], vec![refusal()], vec![throttled, refusal()]] {
            let wrong = device.wrong_code(world.now());
            let wrong = world.mfa.step_up(&world.password("alice"), wrong);
            assert!(colour.run(wrong, &outbox).is_err());
            assert_eq!(core::mem::take(&mut *outbox.written.lock().unwrap()), told);
            assert_eq!(world.events(), told);
        }
    }
    assert!(Events::default().is_empty());
}

#[test]
fn a_dropped_future_leaves_the_old_record_or_the_new_one() {
    struct Interrupted(MemoryStore);
    impl Store for Interrupted {
        type Error = <MemoryStore as Store>::Error;

        async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Self::Error> {
            self.0.load(subject).await
        }

        async fn compare_and_swap(&self, write: Write) -> Result<Swap, Self::Error> {
            let swap = self.0.compare_and_swap(write).await;
            let () = core::future::pending().await;
            swap
        }
    }
    let world = World::standard();
    let store = Interrupted(MemoryStore::new());
    let associate = world.mfa.associate(&world.password("alice"));
    let mut request = Box::pin(associate.run(&store, "alice"));
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    assert!(request.as_mut().poll(&mut context).is_pending());
    drop(request);
    let row = store.0.load_blocking("alice").unwrap().unwrap();
    assert!(softtoken::record::decode(&row.record).is_ok());
    assert_eq!(world.events(), [], "what nobody was told is told to nobody");
}

#[test]
fn requests_and_their_futures_travel_between_threads() {
    fn travels<T: Send>(value: T) -> T {
        value
    }
    let world = World::standard();
    let request = travels(world.mfa.associate(&world.password("alice")));
    let future = travels(request.run(&world.store, "alice"));
    assert!(pollster::block_on(future).is_ok());
    let device = world.enrol("bob");
    world.time.advance(30);
    let session = world.challenge("bob");
    let respond = world.mfa.respond(&session, device.code(world.now()));
    let future = travels(respond.run(&world.store, "bob"));
    assert!(pollster::block_on(future).is_ok());
}

#[test]
fn requests_decisions_and_writes_are_owned_and_move_into_a_task() {
    fn moves<T: Send + 'static>(value: T) -> T {
        value
    }
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    let request = {
        let (mfa, grant) = (world.mfa.clone(), world.password("alice"));
        moves(mfa.step_up(&grant, device.code(world.now())))
    };
    let row = world.row("alice");
    let decided = std::thread::spawn(move || request.decide("alice", row).unwrap());
    let decision: Decision<Evidence> = moves(decided.join().unwrap());
    let write = moves(decision.write().unwrap().clone());
    let store = world.store;
    let stored = std::thread::spawn(move || store.compare_and_swap_blocking(write));
    assert_eq!(stored.join().unwrap(), Ok(Swap::Stored));
    assert!(decision.committed::<Broken>().is_ok());
}

#[test]
fn each_view_is_heard_by_its_own_audit_and_holds_sessions_to_its_own_context() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    world.events();
    let heard = Arc::<Mutex<Vec<(String, &str)>>>::default();
    let log = Arc::clone(&heard);
    let view = world.mfa.with_audit(move |subject, event| {
        let mut log = log.lock().unwrap();
        log.push((subject.into(), event.name()));
    });
    let session = world.challenge("alice");
    let wrong = device.wrong_code(world.now());
    let wrong = view.respond(&session, wrong);
    assert!(wrong.run_blocking(&world.store, "alice").is_err());
    let refused = ("alice".into(), "refused");
    assert_eq!(core::mem::take(&mut *heard.lock().unwrap()), [refused]);
    assert_eq!(
        world.events(),
        [],
        "the view that it was made from hears nothing"
    );

    let elsewhere = view.with_context(context("elsewhere"));
    let code = device.code(world.now());
    let other = elsewhere.respond(&session, code.clone());
    let refused = other.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::InvalidSession));
    assert_eq!(
        heard.lock().unwrap().len(),
        1,
        "a view of the view is heard"
    );
    let _ = view
        .respond(&session, code)
        .run_blocking(&world.store, "alice")
        .unwrap();
}

#[test]
fn what_is_decided_without_an_answer_is_told_to_nobody() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.events();
    let factor = Factor::from(device.wrong_code(world.now()));
    let sign_in = world.mfa.sign_in_with(Some(factor));
    drop(sign_in.decide("alice", world.row("alice")).unwrap());
    assert_eq!(world.events(), []);
}

/// Two subjects with one secret would have each other's codes.
#[test]
fn what_was_drawn_for_one_subject_is_decided_for_no_other() {
    fn holds<O: Operation>(world: &World, request: &Request<O>) {
        let decides = |subject: &str| {
            let found = world.store.load_blocking(subject).unwrap();
            request.decide(subject, found).map(drop)
        };
        assert_eq!(decides("alice"), Ok(()), "{}", O::NAME);
        for other in ["bob", "alic", "alicf", "carol"] {
            assert_eq!(decides(other), Err(Fault::OtherSubject), "{}", O::NAME);
        }
        assert_eq!(decides("alice"), Ok(()), "as often as it takes");
    }
    let world = World::standard();
    for subject in ["alice", "bob"] {
        let _ = world.enrol(subject);
    }
    let by = admin();
    holds(&world, &world.mfa.associate(&by));
    holds(&world, &world.mfa.issue_recovery_codes(&by));
    let hour = Duration::from_secs(60 * 60);
    holds(&world, &world.mfa.issue_temporary_code(&by, hour));
    let secret = Secret::from_base32("JBSW Y3DP EHPK 3PXP JBSW Y3DP EE").unwrap();
    let token = ImportedToken::proven(secret, Totp::STANDARD);
    holds(&world, &world.mfa.import(&by, [token]));

    // What has drawn nothing of the kind is anybody's.
    let status = world.mfa.status();
    for subject in ["alice", "bob"] {
        let found = world.store.load_blocking(subject).unwrap();
        assert!(status.decide(subject, found).is_ok());
    }
}

/// Decided again, a set-up would take the code that has proven it, and a recovery code would be
/// good once more.
#[test]
fn what_was_drawn_is_issued_once() {
    fn holds<O: Operation>(world: &World, subject: &str, request: &Request<O>) {
        let decide = || request.decide(subject, world.row(subject));
        for lost in 0..3 {
            let decision = decide().unwrap_or_else(|fault| panic!("{lost} {}: {fault}", O::NAME));
            assert!(
                !decision.is_rejection(),
                "it loses its race, or its commit fails"
            );
        }
        let decision = decide().unwrap();
        let write = decision.write().expect("it is written").clone();
        let swap = world.store.compare_and_swap_blocking(write);
        assert_eq!(swap, Ok(Swap::Stored));
        assert!(decide().is_ok(), "nobody has the answer yet");
        assert!(decision.committed::<Infallible>().is_ok());
        assert_eq!(decide().map(drop), Err(Fault::AlreadyIssued), "{}", O::NAME);
    }
    let world = World::standard();
    let by = admin();
    holds(&world, "bob", &world.mfa.associate(&by));
    let _ = world.enrol("alice");
    holds(&world, "alice", &world.mfa.issue_recovery_codes(&by));
    let hour = Duration::from_secs(60 * 60);
    holds(&world, "alice", &world.mfa.issue_temporary_code(&by, hour));
    let secret = Secret::from_base32("JBSW Y3DP EHPK 3PXP JBSW Y3DP EE").unwrap();
    let token = ImportedToken::proven(secret, Totp::STANDARD);
    holds(&world, "carol", &world.mfa.import(&by, [token]));
}

/// What is refused has issued nothing.
#[test]
fn what_was_refused_may_be_asked_again() {
    let world = World::standard();
    let codes = world.mfa.issue_recovery_codes(&admin());
    let refused = codes.decide("alice", world.row("alice")).unwrap();
    assert!(
        refused.committed::<Infallible>().is_err(),
        "nothing is in force"
    );
    let _ = world.enrol("alice");
    let issued = codes.decide("alice", world.row("alice")).unwrap();
    assert!(issued.committed::<Infallible>().is_ok());
}
