//! A store that fails, contends, forgets or is damaged.

use core::convert::Infallible;
use core::error::Error as _;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Poll, Waker};
use std::io;

use softtoken::association::{Events, Preference};
use softtoken::entropy::NoEntropy;
use softtoken::record::{FORMAT, RecordError, SEALED};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{
    BlockingStore, ChallengeSession, Code, Error, Factor, Fault, MemoryStore, Mfa, OsEntropy,
    Policy, Rejection, Revision, SessionKeys, SignedIn, Store, Vouched,
};

use super::{Answer, no, recovery_codes, replacement, sign_in_with, step_up, wrong};
use crate::crowd::{Distant, in_turn, together};
use crate::world::{Device, World, admin, context};

/// Where a store breaks.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Break {
    Load,
    /// Before anything was stored.
    Swap,
    /// The record was stored, and the answer was lost.
    Answer,
}

struct Broken<'a>(&'a MemoryStore, Break);

impl BlockingStore for Broken<'_> {
    type Error = io::Error;

    fn load_blocking(&self, subject: &str) -> io::Result<Option<Snapshot>> {
        match self.1 {
            Break::Load => Err(io::ErrorKind::ConnectionReset.into()),
            Break::Swap | Break::Answer => Ok(self.0.load_blocking(subject).unwrap()),
        }
    }

    fn compare_and_swap_blocking(&self, write: Write) -> io::Result<Swap> {
        if self.1 == Break::Answer {
            let swap = self.0.compare_and_swap_blocking(write);
            assert_eq!(swap, Ok(Swap::Stored));
        }
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl Store for Broken<'_> {
    type Error = io::Error;

    async fn load(&self, subject: &str) -> io::Result<Option<Snapshot>> {
        self.load_blocking(subject)
    }

    async fn compare_and_swap(&self, write: Write) -> io::Result<Swap> {
        self.compare_and_swap_blocking(write)
    }
}

type Request = fn(&Mfa, &World, &Broken<'_>, &ChallengeSession, Code) -> Broke;
type Broke = Result<(), Error<io::Error>>;

/// Everything that writes, in one colour or the other.
const REQUESTS: [(&str, Request); 12] = [
    ("sign_in_with", |mfa, _, store, _, code| {
        mfa.sign_in_with(Some(code.into()))
            .run_blocking(store, "alice")
            .map(drop)
    }),
    ("sign_in_with, awaited", |mfa, _, store, _, code| {
        let request = mfa.sign_in_with(Some(code.into()));
        let run = Box::pin(request.run(store, "alice"));
        in_turn(vec![run]).remove(0).map(drop)
    }),
    ("step_up", |mfa, world, store, _, code| {
        let step_up = mfa.step_up(&world.password("alice"), code);
        step_up.run_blocking(store, "alice").map(drop)
    }),
    ("respond", |mfa, _, store, session, code| {
        mfa.respond(session, code)
            .run_blocking(store, "alice")
            .map(drop)
    }),
    ("respond, awaited", |mfa, _, store, session, code| {
        let run = Box::pin(mfa.respond(session, code).run(store, "alice"));
        in_turn(vec![run]).remove(0).map(drop)
    }),
    ("respond, vouched", |mfa, _, store, session, _| {
        let respond = mfa.respond(session, Vouched::factor(&["hwk"]));
        respond.run_blocking(store, "alice").map(drop)
    }),
    ("verify", |mfa, world, store, _, code| {
        let verify = mfa.verify(&world.second_factor("alice"), code);
        verify.run_blocking(store, "alice").map(drop)
    }),
    ("resynchronise", |mfa, _, store, session, code| {
        let resynchronise = mfa.resynchronise(session, code.clone(), code);
        resynchronise.run_blocking(store, "alice")
    }),
    ("associate", |mfa, world, store, _, _| {
        let associate = mfa.associate(&world.second_factor("alice"));
        associate.run_blocking(store, "alice").map(drop)
    }),
    ("prefer", |mfa, world, store, _, _| {
        let grant = world.second_factor("alice");
        let prefer = mfa.prefer(&grant, Preference::Preferred);
        prefer.run_blocking(store, "alice")
    }),
    ("issue_recovery_codes", |mfa, world, store, _, _| {
        let issue = mfa.issue_recovery_codes(&world.second_factor("alice"));
        issue.run_blocking(store, "alice").map(drop)
    }),
    ("reset", |mfa, _, store, _, _| {
        mfa.reset(&admin()).run_blocking(store, "alice")
    }),
];

/// Rule K3: a store's error is an error: never success, never "wrong code"; and nobody is told of
/// an event that was not stored.
#[test]
fn a_store_that_fails_is_neither_a_wrong_code_nor_a_success() {
    for (name, request) in REQUESTS {
        for (fails, right) in [
            (Break::Load, true),
            (Break::Load, false),
            (Break::Swap, true),
            (Break::Swap, false),
            (Break::Answer, true),
            (Break::Answer, false),
        ] {
            let world = World::standard();
            let (device, grant) = world.enrolled("alice");
            let issued = replacement(&world, &grant);
            world.time.advance(60);
            let session = world.challenge("alice");
            let code = if !right {
                wrong(&[&device, &issued], &world)
            } else if name == "verify" {
                issued.code(world.now())
            } else {
                device.code(world.now())
            };
            let before = world.row("alice");
            world.events();
            let store = Broken(&world.store, fails);
            let error = request(&world.mfa, &world, &store, &session, code).unwrap_err();

            assert!(
                matches!(error, Error::Store(_)),
                "{name}, {fails:?}: {error:?}"
            );
            assert_eq!((error.rejection(), error.retry_after()), (None, None));
            assert_eq!(error.name(), "store");
            let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
            assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);
            assert_eq!(world.events(), [], "{name}, {fails:?}: nobody is told");
            let stored = world.row("alice") != before;
            assert_eq!(stored, fails == Break::Answer, "{name}, {fails:?}");
        }
    }
}

/// Rule K3: what was being written may have been stored, a spent code and a counted failure as
/// well; neither is given out twice.
#[test]
fn an_answer_that_was_lost_accepted_nothing_and_counted_everything() {
    let world = World::standard();
    let (device, grant) = world.enrolled("alice");
    world.time.advance(60);
    let store = Broken(&world.store, Break::Answer);
    let lost = |factor: Factor| {
        let lost = world.mfa.sign_in_with(Some(factor));
        let lost = lost.run_blocking(&store, "alice");
        assert!(matches!(lost, Err(Error::Store(_))));
    };
    let right = device.code(world.now());
    lost(right.clone().into());
    assert_eq!(no(sign_in_with(&world, "alice", right)), Rejection::Reused);

    let codes = recovery_codes(&world, &grant);
    lost(codes[0].clone().into());
    let again = sign_in_with(&world, "alice", codes[0].clone());
    assert_eq!(no(again), Rejection::Mismatch);

    for _ in 0..3 {
        lost(wrong(&[&device], &world).into());
    }
    let early = sign_in_with(&world, "alice", device.code_in(world.now(), 1));
    assert!(matches!(no(early), Rejection::Throttled { .. }));
}

/// A store in which somebody else is always faster.
struct Contended<'a>(&'a MemoryStore, AtomicU32);

impl BlockingStore for Contended<'_> {
    type Error = Infallible;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Self::Error> {
        self.0.load_blocking(subject)
    }

    fn compare_and_swap_blocking(&self, _: Write) -> Result<Swap, Self::Error> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Ok(Swap::Conflict)
    }
}

/// Rule K2: a conflict is retried a bounded number of times, then it is an error: nothing was
/// accepted.
#[test]
fn a_request_that_never_gets_through_is_neither_a_wrong_code_nor_a_success() {
    let policy = Policy::builder().swap_attempts(7).build().unwrap();
    let world = World::new(policy);
    let device = world.enrol("alice");
    world.events();
    for code in [device.code_in(world.now(), 1), wrong(&[&device], &world)] {
        let store = Contended(&world.store, 0.into());
        let sign_in = world.mfa.sign_in_with(Some(code.into()));
        let error = sign_in.run_blocking(&store, "alice");
        assert_eq!(error.unwrap_err(), Error::Fault(Fault::Contended));
        assert_eq!(store.1.into_inner(), 7);
    }
    assert_eq!(world.events(), []);
}

/// Rule K4: dropping a future before it ends leaves the old record or the new one: who goes away
/// before the answer has learnt nothing, and a guess of which anything was learnt is counted.
#[test]
fn a_request_that_is_dropped_has_answered_nothing_that_is_not_stored() {
    for right in [true, false] {
        for polls in 0..=3 {
            let world = World::standard();
            let device = world.enrol("alice");
            world.time.advance(60);
            let code = if right {
                device.code(world.now())
            } else {
                wrong(&[&device], &world)
            };
            let before = world.row("alice");
            let store = Distant(&world.store);
            let request = world.mfa.step_up(&world.password("alice"), code);
            let mut request = Box::pin(request.run(&store, "alice"));
            let mut answered = false;
            for _ in 0..polls {
                let mut context = core::task::Context::from_waker(Waker::noop());
                answered |= matches!(request.as_mut().poll(&mut context), Poll::Ready(_));
            }
            drop(request);
            let stored = world.row("alice") != before;
            assert!(stored || !answered);
            assert_eq!(stored, polls >= 2, "the swap is in the second step");
            assert_eq!(answered, polls == 3, "the answer is in the third");
        }
    }
}

/// Rule K6: a whole row put back, or deleted. Who knows better says so, and nothing is judged.
#[test]
fn a_row_that_was_put_back_or_deleted_is_refused_to_who_knows_better() {
    let world = World::standard();
    let old = {
        let _ = world.associate("alice");
        world.row("alice").unwrap()
    };
    let device = world.enrol("alice");
    let row = world.row("alice").unwrap();
    let code = device.code_in(world.now(), 1);
    let put_back = [None, Some(old)];
    for found in put_back {
        let sign_in = || world.mfa.sign_in_with(Some(code.clone().into()));
        for known in [
            sign_in().expect_enrolled(),
            sign_in().at_least(row.revision),
            sign_in().expect_enrolled().at_least(row.revision),
        ] {
            let fault = known.decide("alice", found.clone()).unwrap_err();
            assert_eq!(fault, Fault::RolledBack);
        }
        let associate = || world.mfa.associate(&world.password("alice"));
        for known in [
            associate().expect_enrolled(),
            associate().at_least(row.revision),
        ] {
            let fault = known.decide("alice", found.clone()).unwrap_err();
            assert_eq!(fault, Fault::RolledBack);
        }
    }
    let known = world.mfa.sign_in_with(Some(code.into()));
    let known = known.expect_enrolled().at_least(row.revision);
    assert!(!known.decide("alice", Some(row)).unwrap().is_rejection());
}

/// A record moved to another subject, or old bytes under a newer revision: does not open.
/// In the clear, the first signs in an attacker who moved it, and the second accepts a spent code
/// again.
#[cfg(feature = "seal")]
#[test]
fn a_record_moved_to_another_subject_or_put_back_under_a_newer_revision_does_not_open() {
    for sealed in [false, true] {
        let mut world = World::standard();
        if sealed {
            let keyring = softtoken::record::Keyring::generate(1, &OsEntropy).unwrap();
            world.mfa = world.mfa.sealed(keyring);
        }
        let (alice, mallory) = (world.enrol("alice"), world.enrol("mallory"));
        world.time.advance(60);
        let before = world.row("alice").unwrap();
        let code = alice.code(world.now());
        sign_in_with(&world, "alice", code.clone()).unwrap();
        let row = world.row("alice").unwrap();
        world.events();

        let moved = Snapshot {
            revision: row.revision,
            record: world.row("mallory").unwrap().record,
        };
        let put_back = Snapshot {
            revision: row.revision,
            record: before.record,
        };
        for (attack, found, code) in [
            ("moved", moved, mallory.code(world.now())),
            ("put back", put_back, code),
        ] {
            let request = world.mfa.sign_in_with(Some(code.into()));
            let answer = request.decide("alice", Some(found)).map(|decision| {
                assert!(decision.write().is_some());
                let signed_in = decision.committed::<Infallible>();
                matches!(signed_in, Ok(SignedIn::Proven(_)))
            });
            let does_not_open = Err(Fault::Record(RecordError::DoesNotOpen));
            let expected = if sealed { does_not_open } else { Ok(true) };
            assert_eq!(answer, expected, "{attack}");
        }
        assert_eq!(world.events().is_empty(), sealed);
        assert_eq!(world.row("alice"), Some(row));
    }
}

/// Rule W1: damaged bytes are a typed error, never a panic, never an empty record; and they are not
/// overwritten.
#[test]
fn a_damaged_row_is_not_taken_for_an_empty_one() {
    let world = World::standard();
    let (device, grant) = world.enrolled("alice");
    let _ = recovery_codes(&world, &grant);
    let row = world.row("alice").unwrap();
    let longer = [row.record.clone(), vec![0]].concat();
    let newer = [vec![255], row.record[1..].to_vec()].concat();
    let damaged = (0..row.record.len()).map(|length| row.record[..length].to_vec());
    for record in damaged.chain([longer, newer]) {
        let found = Some(Snapshot {
            revision: row.revision,
            record,
        });
        let code = device.code_in(world.now(), 1);
        let sign_in = world.mfa.sign_in_with(Some(code.into()));
        let judged = sign_in.decide("alice", found.clone());
        assert!(matches!(judged.unwrap_err(), Fault::Record(_)));
        let associate = world.mfa.associate(&world.password("alice"));
        let issued = associate.decide("alice", found.clone());
        assert!(matches!(issued.unwrap_err(), Fault::Record(_)));
        let asked = world.mfa.sign_in().decide("alice", found.clone());
        assert!(matches!(asked.unwrap_err(), Fault::Record(_)));
        let reset = world.mfa.reset(&admin()).decide("alice", found);
        assert!(matches!(reset.unwrap_err(), Fault::Record(_)));
    }
    let format = FORMAT + 1;
    let found = Some(Snapshot {
        revision: row.revision,
        record: vec![format],
    });
    let newer = world.mfa.status().decide("alice", found).unwrap_err();
    assert_eq!(newer, Fault::Record(RecordError::UnknownFormat { format }));
}

/// An unreadable reset of a newer format, or at another revision: refused. It overwrites
/// what cannot be read where it says that, and nothing else does.
#[test]
fn an_unreadable_row_is_overwritten_at_the_revision_that_was_stated_alone() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    world.time.advance(60);
    let row = world.row("alice").unwrap();
    let reset = |record: &[u8], revision| {
        let found = Some(Snapshot {
            revision: row.revision,
            record: record.to_vec(),
        });
        let reset = world.mfa.reset(&admin()).unreadable(revision);
        reset.decide("alice", found)
    };
    let damaged = &row.record[..row.record.len() - 1];
    let close = [-1, 1].map(|by| Revision::from_i64(row.revision.as_i64() + by));
    for other in close.into_iter().chain([Revision::from_i64(i64::MAX)]) {
        let refused = reset(damaged, other.unwrap()).unwrap_err();
        assert_eq!(refused, Fault::Record(RecordError::Damaged), "{other:?}");
    }
    for format in [FORMAT + 1, 127] {
        let newer = [&[format], &row.record[1..]].concat();
        let refused = reset(&newer, row.revision).unwrap_err();
        let unknown = RecordError::UnknownFormat { format };
        assert_eq!(refused, Fault::Record(unknown));
    }
    let sealed = [&[SEALED], &row.record[1..]].concat();
    let refused = reset(&sealed, row.revision).unwrap_err();
    assert_eq!(
        refused,
        Fault::Record(RecordError::Sealed),
        "without a seal"
    );

    let decision = reset(damaged, row.revision).unwrap();
    let write = decision.write().unwrap().clone();
    assert_eq!(write.expected(), Some(row.revision));
    let swap = world.store.compare_and_swap_blocking(write);
    assert_eq!(swap, Ok(Swap::Stored));
    decision.committed::<Infallible>().unwrap();

    // A grant of before is worth nothing, nor is what it proved.
    let associate = world.mfa.associate(&grant);
    let void = no(associate.run_blocking(&world.store, "alice"));
    assert_eq!(void, Rejection::NotAuthorized);
    world.enrol("alice");
}

/// Rule K8: a revision is never used twice, so a write that was prepared before a reset is not
/// stored after it.
#[test]
fn a_write_from_before_a_reset_is_not_stored_after_it() {
    let world = World::standard();
    let device = world.enrol("alice");
    let code = device.code_in(world.now(), 1);
    let slow = world.mfa.step_up(&world.password("alice"), code);
    let decision = slow.decide("alice", world.row("alice")).unwrap();
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    let empty = world.row("alice");
    let swap = world
        .store
        .compare_and_swap_blocking(decision.write().unwrap().clone());
    assert_eq!(swap, Ok(Swap::Conflict));
    assert_eq!(world.row("alice"), empty);
    let anew = slow.decide("alice", empty).unwrap();
    assert_eq!(no(anew.committed::<Infallible>()), Rejection::NotAssociated);
}

/// A write beyond the last revision there is: an error, never a revision that was used.
#[test]
fn a_record_whose_revisions_are_used_up_accepts_nothing() {
    let world = World::standard();
    let device = world.enrol("alice");
    let last = Revision::from_i64(i64::MAX).unwrap();
    let found = world.row("alice").map(|row| Snapshot {
        revision: last,
        ..row
    });
    let code = device.code_in(world.now(), 1);
    let request = world.mfa.sign_in_with(Some(code.into()));
    assert_eq!(
        request.decide("alice", found).unwrap_err(),
        Fault::RevisionsExhausted
    );
    assert!(Write::new("alice", Some(last), Vec::new(), Events::default()).is_none());
}

/// What fails before the store is asked is neither a wrong code nor a success: no time, no
/// randomness, no keys, no subject.
#[test]
fn a_server_that_does_not_know_the_time_judges_nothing() {
    let world = World::standard();
    let device = world.enrol("alice");
    let session = world.challenge("alice");
    let code = device.code_in(world.now(), 1);
    let keys = SessionKeys::from_bytes(1, &[7; 32]);
    let before = world.row("alice");
    let timeless = Mfa::new(Policy::STANDARD, || None, OsEntropy);
    let timeless = timeless.with_sessions(keys, context("world"));
    let grant = world.second_factor("alice");
    let sign_in = timeless.sign_in_with(Some(code.clone().into()));
    let answers = [
        sign_in.run_blocking(&world.store, "alice").map(drop),
        timeless
            .respond(&session, code.clone())
            .run_blocking(&world.store, "alice")
            .map(drop),
        timeless
            .step_up(&grant, code.clone())
            .run_blocking(&world.store, "alice")
            .map(drop),
    ];
    for answer in answers {
        assert_eq!(answer.unwrap_err(), Error::Fault(Fault::NoTime));
    }

    let clock = world.time.clone();
    let poor = Mfa::new(
        Policy::STANDARD,
        move || Some(clock.now()),
        |_: &mut [u8]| Err(NoEntropy),
    );
    let issued = poor.associate(&grant).run_blocking(&world.store, "alice");
    let no_entropy = Fault::NoEntropy(NoEntropy);
    assert_eq!(issued.unwrap_err(), Error::Fault(no_entropy));
    let respond = poor.respond(&session, code.clone());
    let keyless = respond.run_blocking(&world.store, "alice");
    assert_eq!(keyless.unwrap_err(), Error::Fault(Fault::NoSessionKeys));
    for subject in ["", &"a".repeat(257)] {
        let nobody = world.mfa.sign_in_with(Some(code.clone().into()));
        let nobody = nobody.run_blocking(&world.store, subject);
        assert_eq!(nobody.unwrap_err(), Error::Fault(Fault::Subject));
    }
    assert_eq!(world.row("alice"), before);
}

/// A store that fails now and then, under parallel requests: one code is accepted at most once, and
/// what was told as accepted stays spent.
#[test]
fn a_code_is_accepted_at_most_once_over_a_store_that_fails_now_and_then() {
    let world = World::standard();
    let device: Device = world.enrol("alice");
    for _ in 0..super::ROUNDS {
        world.time.advance(60);
        let code = device.code(world.now());
        let answers = together(super::THREADS, |thread| {
            let fails = [Break::Load, Break::Swap, Break::Answer][thread % 3];
            let request = world.mfa.step_up(&world.password("alice"), code.clone());
            if thread % 4 == 0 {
                let store = Flaky(Broken(&world.store, fails));
                request.run_blocking(&store, "alice").is_ok()
            } else {
                let whole: Answer<_> = request.run_blocking(&world.store, "alice");
                whole.is_ok()
            }
        });
        assert!(answers.iter().filter(|accepted| **accepted).count() <= 1);
        assert_eq!(
            no(step_up(&world, &world.password("alice"), code)),
            Rejection::Reused
        );
    }
}

/// Answers with an error where the other would panic: a lost race is no lost answer.
struct Flaky<'a>(Broken<'a>);

impl BlockingStore for Flaky<'_> {
    type Error = io::Error;

    fn load_blocking(&self, subject: &str) -> io::Result<Option<Snapshot>> {
        self.0.load_blocking(subject)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> io::Result<Swap> {
        if self.0.1 == Break::Answer {
            let _ = self.0.0.compare_and_swap_blocking(write);
        }
        Err(io::ErrorKind::ConnectionReset.into())
    }
}
