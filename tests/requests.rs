//! What a request promises around the decision: retries, faults, events after the commit, repetition.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Mutex;

use crate::world::{Device, World};
use softtoken::association::Operation;
use softtoken::{
    Administrator, AttemptKey, BlockingStore, Code, Context, Error, EventKind, Events, Fault,
    MemoryStore, Mfa, NoEntropy, OsEntropy, Policy, Preference, RecoveryCode, Rejection, Request,
    Revision, Snapshot, Store, Swap, UnixTime, Write,
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
    swaps: AtomicU32,
    broken_load: bool,
    broken_swap: bool,
}

impl BlockingStore for Unreliable {
    type Error = Broken;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Broken> {
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
        let associate = world.mfa.associate(world.password());
        let answer = associate.run_blocking(&store, "alice");
        let swaps = store.swaps.load(Ordering::SeqCst);
        assert_eq!(answer.map(|_| swaps), expected);
        assert_eq!(world.events().len(), usize::from(conflicts < 16));
    }
}

#[test]
fn the_time_is_read_anew_after_a_lost_race() {
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
    let grant = softtoken::Grant::first_factor(UnixTime::from_secs(1_000));
    let issued = mfa.associate(grant).run_blocking(&store, "alice").unwrap();
    assert_eq!(issued.expires(), UnixTime::from_secs(1_003 + 600));
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
            let authenticate = world.mfa.authenticate(code);
            let failed = authenticate.run_blocking(&store, "alice").unwrap_err();
            assert_eq!(failed, Error::Store(Broken));
            assert_eq!(failed.code(), "store");
            assert_eq!(failed.rejection(), None);
            let source = core::error::Error::source(&failed).unwrap();
            assert_eq!(source.downcast_ref::<Broken>(), Some(&Broken));
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
    let grant = softtoken::Grant::first_factor(now);
    let failed = mfa
        .associate(grant)
        .run_blocking(&store, "alice")
        .unwrap_err();
    assert_eq!(failed, Error::Fault(Fault::NoEntropy(NoEntropy)));
}

#[test]
fn a_subject_has_at_least_one_byte_and_at_most_256() {
    let world = World::standard();
    let status = |subject: &str| world.mfa.status().run_blocking(&world.store, subject);
    assert_eq!(status("").unwrap_err(), Fault::Subject.into());
    assert_eq!(status(&"é".repeat(129)).unwrap_err(), Fault::Subject.into());
    assert!(status(&"é".repeat(128)).is_ok());
}

/// The failure of a request, which is neither yes nor no.
fn fault<O: Operation>(world: &World, request: Request<'_, O>) -> Fault {
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
    let typed = RecoveryCode::parse("0123456789ABCDEF").unwrap();
    let refused = [
        fault(&world, keyless.sign_in(Context::default())),
        fault(&world, keyless.respond(&session, code())),
        fault(&world, keyless.finish_setup(&session)),
        fault(&world, keyless.recover(typed).within(&session)),
        fault(&world, keyless.resynchronise(&session, code(), code())),
        fault(&world, keyless.associate(&session)),
        fault(&world, keyless.verify(&session, code())),
        fault(&world, keyless.prefer(&session, Preference::Disabled)),
        fault(&world, keyless.issue_recovery_codes(&session)),
        fault(&world, keyless.disassociate(&session)),
    ];
    assert_eq!(refused, [Fault::NoSessionKeys; 10]);
    assert_eq!(
        keyless.claims_of(&session).unwrap_err(),
        Fault::NoSessionKeys.into()
    );
    assert!(keyless.status().run_blocking(&world.store, "alice").is_ok());
}

#[test]
fn what_takes_no_session_takes_no_keys() {
    let world = World::standard();
    let time = world.time.clone();
    let keyless = Mfa::new(Policy::STANDARD, move || Some(time.now()), OsEntropy);
    let issued = keyless.associate(world.password());
    let issued = issued.run_blocking(&world.store, "alice").unwrap();
    let device = Device::of(&issued);
    let verify = keyless.verify(world.password(), device.code(world.now()));
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    let issue = keyless.issue_recovery_codes(world.second_factor());
    let codes = issue.run_blocking(&world.store, "alice").unwrap();
    let typed = codes.iter().next().unwrap().clone();
    let _ = keyless
        .recover(typed)
        .run_blocking(&world.store, "alice")
        .unwrap();
    world.time.advance(300);
    let [code, next] = [8, 9].map(|steps| device.code_in(world.now(), steps));
    let resynchronise = keyless.resynchronise(world.password(), code, next);
    resynchronise.run_blocking(&world.store, "alice").unwrap();
    let prefer = keyless.prefer(world.second_factor(), Preference::Disabled);
    prefer.run_blocking(&world.store, "alice").unwrap();
    let disassociate = keyless.disassociate(world.second_factor());
    disassociate.run_blocking(&world.store, "alice").unwrap();
}

#[test]
fn damaged_bytes_are_an_error_and_are_not_overwritten() {
    let world = World::standard();
    for bytes in [&b""[..], b"\x01\x07", b"\xff"] {
        let store = MemoryStore::new();
        put(&store, bytes);
        let associate = world.mfa.associate(world.password());
        let failed = associate.run_blocking(&store, "alice").unwrap_err();
        assert!(
            matches!(failed, Error::Fault(Fault::Record(_))),
            "{failed:?}"
        );
        let reset = world.mfa.reset(Administrator);
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
    let sign_in = world.mfa.sign_in(Context::default()).expect_enrolled();
    assert_eq!(
        sign_in.run_blocking(&world.store, "alice").unwrap_err(),
        rolled_back
    );
    world.enrol("alice");
    let sign_in = world.mfa.sign_in(Context::default()).expect_enrolled();
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
        record: softtoken::record::encode(&softtoken::Record::default()).to_vec(),
    };
    let associate = world.mfa.associate(world.password());
    let failed = associate.decide("alice", Some(found)).unwrap_err();
    assert_eq!(failed, Fault::RevisionsExhausted);
}

#[test]
fn a_throttled_caller_is_told_when_to_come_back() {
    let world = World::standard();
    let device = world.enrol("alice");
    for wait in [None, None, Some(Duration::from_secs(5))] {
        let wrong = world.mfa.authenticate(device.wrong_code(world.now()));
        let refused = wrong.run_blocking(&world.store, "alice").unwrap_err();
        assert_eq!(refused.rejection(), Some(Rejection::Mismatch));
        assert_eq!(refused.retry_after(), wait);
    }
    world.time.advance(2);
    let early = world.mfa.authenticate(device.code(world.now()));
    let refused = early.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.retry_after().unwrap().as_secs(), 3);
    assert_eq!(refused.code(), "throttled");
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
fn a_context_is_kept_to_the_byte() {
    for bytes in [&[][..], &[0, 255, b'a'], &[7; 128]] {
        assert_eq!(Context::new(bytes).unwrap().as_bytes(), bytes);
    }
    assert!(Context::new([7; 129]).is_err());
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
        let verify = world.mfa.verify(world.password(), code.clone());
        verify
            .attempt(key.clone())
            .run_blocking(&world.store, "alice")
    };
    let first = verify().unwrap();
    world.time.advance(10);
    let again = verify().unwrap();
    assert_eq!(first.evidence(), again.evidence());

    let authenticate = world.mfa.authenticate(code.clone()).attempt(key.clone());
    let refused = authenticate
        .run_blocking(&world.store, "alice")
        .unwrap_err();
    assert_eq!(
        refused.rejection(),
        Some(Rejection::Reused),
        "another operation is judged as ever"
    );
    let reset = world.mfa.reset(Administrator);
    reset.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(
        verify().unwrap_err().rejection(),
        Some(Rejection::NotAssociated),
        "what is in force has changed"
    );
}

#[test]
fn a_repeated_step_up_is_given_the_same_evidence() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    let key = AttemptKey::generate(&OsEntropy).unwrap();
    let code = device.code(world.now());
    let authenticate = || {
        let authenticate = world.mfa.authenticate(code.clone());
        authenticate
            .attempt(key.clone())
            .run_blocking(&world.store, "alice")
    };
    let first = authenticate().unwrap();
    world.time.advance(20);
    assert_eq!(authenticate().unwrap(), first);
}

#[test]
fn a_step_up_by_a_phone_that_is_behind_is_repeated_for_as_long() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(600);
    let [code, next] = [-10, -9].map(|steps| device.code_in(world.now(), steps));
    let resynchronise = world.mfa.resynchronise(world.password(), code, next);
    resynchronise.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(30);
    let key = AttemptKey::generate(&OsEntropy).unwrap();
    let code = device.code_in(world.now(), -9);
    let authenticate = || {
        let authenticate = world.mfa.authenticate(code.clone());
        authenticate
            .attempt(key.clone())
            .run_blocking(&world.store, "alice")
            .map_err(|error| error.rejection())
    };
    let first = authenticate().unwrap();
    // The drift is 9: the code is right until the step after this one has ended, 45 s after the middle.
    world.time.advance(44);
    assert_eq!(authenticate().unwrap(), first);
    world.time.advance(1);
    assert_eq!(authenticate(), Err(Some(Rejection::Mismatch)));
}

#[test]
fn a_decision_commits_in_a_transaction_of_the_embedders() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    world.events();

    let authenticate = world.mfa.authenticate(device.code(world.now()));
    let decision = authenticate.decide("alice", world.row("alice")).unwrap();
    assert!(!decision.is_refusal());
    let write = decision.write().unwrap();
    assert_eq!(write.subject(), "alice");
    assert_eq!(write.expected(), world.row("alice").map(|row| row.revision));
    assert_eq!(write.events().len(), 1);
    assert_eq!(world.events(), [], "nothing is told before the commit");
    let swapped = world.store.compare_and_swap_blocking(write.clone());
    assert_eq!(swapped, Ok(Swap::Stored));
    let evidence = decision.committed().unwrap();
    assert_eq!(evidence.subject(), "alice");
    assert!(matches!(world.events()[..], [EventKind::SignedIn { .. }]));
}

#[test]
fn a_refusal_has_a_write_that_counts_it() {
    let world = World::standard();
    let device = world.enrol("alice");
    let authenticate = world.mfa.authenticate(device.wrong_code(world.now()));
    let decision = authenticate.decide("alice", world.row("alice")).unwrap();
    assert!(decision.is_refusal());
    assert!(decision.write().is_some());
    assert_eq!(decision.committed().unwrap_err(), Rejection::Mismatch);
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
            let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
            assert_eq!(
                (events.len(), events.is_empty()),
                (kinds.len(), kinds.is_empty())
            );
            self.written.lock().unwrap().extend(kinds);
            self.world.store.compare_and_swap_blocking(write)
        }
    }
    let world = World::standard();
    let device = world.enrol("alice");
    world.events();
    let outbox = Outbox {
        world: &world,
        written: Mutex::default(),
    };
    let refusal = EventKind::Refused {
        rejection: Rejection::Mismatch,
        flaw: None,
    };
    let until = world.now().saturating_add(Duration::from_secs(5));
    let throttled = EventKind::Throttled { until };
    for told in [vec![refusal], vec![refusal], vec![throttled, refusal]] {
        let wrong = world.mfa.authenticate(device.wrong_code(world.now()));
        assert!(wrong.run_blocking(&outbox, "alice").is_err());
        assert_eq!(core::mem::take(&mut *outbox.written.lock().unwrap()), told);
        assert_eq!(world.events(), told);
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
    let mut request = Box::pin(world.mfa.associate(world.password()).run(&store, "alice"));
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
    let request = travels(world.mfa.associate(world.password()));
    let future = travels(request.run(&world.store, "alice"));
    assert!(pollster::block_on(future).is_ok());
    let device = world.enrol("bob");
    world.time.advance(30);
    let session = world.challenge("bob");
    let respond = world.mfa.respond(&session, device.code(world.now()));
    let future = travels(respond.run(&world.store, "bob"));
    assert!(pollster::block_on(future).is_ok());
}
