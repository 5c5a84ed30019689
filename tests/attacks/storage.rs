//! A store that fails, contends, forgets or is damaged.

use core::error::Error as _;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Poll, Waker};
use std::io;

use softtoken::record::RecordError;
use softtoken::{
    BlockingStore, Code, Error, Events, Fault, MemoryStore, Mfa, OsEntropy, Policy, Preference,
    Rejection, Revision, Session, SessionKeys, Snapshot, Store, Swap, Write,
};

use super::{authenticate, no, recovery_codes, replacement, wrong};
use crate::crowd::{Distant, in_turn, together};
use crate::world::{Device, World};

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

type Request = fn(&Mfa, &World, &Broken<'_>, &Session, Code) -> Result<(), Error<io::Error>>;

/// Everything that writes, in one colour or the other.
const REQUESTS: [(&str, Request); 8] = [
    ("authenticate", |mfa, _, store, _, code| {
        mfa.authenticate(code)
            .run_blocking(store, "alice")
            .map(drop)
    }),
    ("authenticate, awaited", |mfa, _, store, _, code| {
        let run = Box::pin(mfa.authenticate(code).run(store, "alice"));
        in_turn(vec![run]).remove(0).map(drop)
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
    ("verify", |mfa, world, store, _, code| {
        let verify = mfa.verify(world.second_factor(), code);
        verify.run_blocking(store, "alice").map(drop)
    }),
    ("resynchronise", |mfa, _, store, session, code| {
        let resynchronise = mfa.resynchronise(session, code.clone(), code);
        resynchronise.run_blocking(store, "alice")
    }),
    ("associate", |mfa, world, store, _, _| {
        let associate = mfa.associate(world.second_factor());
        associate.run_blocking(store, "alice").map(drop)
    }),
    ("prefer", |mfa, world, store, _, _| {
        let prefer = mfa.prefer(world.second_factor(), Preference::Preferred);
        prefer.run_blocking(store, "alice")
    }),
];

/// SPEC 7: a store's error is an error: never success, never "wrong code"; and nobody is told of an event that was not
/// stored.
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
            let device = world.enrol("alice");
            let issued = replacement(&world, "alice");
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
            assert_eq!(error.code(), "store");
            let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
            assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);
            assert_eq!(world.events(), [], "{name}, {fails:?}: nobody is told");
            let stored = world.row("alice") != before;
            assert_eq!(stored, fails == Break::Answer, "{name}, {fails:?}");
        }
    }
}

/// SPEC 11: what was being written may have been stored, a spent code and a counted failure as well; neither is given
/// out twice.
#[test]
fn an_answer_that_was_lost_accepted_nothing_and_counted_everything() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let right = device.code(world.now());
    let store = Broken(&world.store, Break::Answer);
    let lost = world
        .mfa
        .authenticate(right.clone())
        .run_blocking(&store, "alice");
    assert!(matches!(lost, Err(Error::Store(_))));
    assert_eq!(no(authenticate(&world, "alice", right)), Rejection::Reused);

    let codes = recovery_codes(&world, "alice");
    let lost = world
        .mfa
        .recover(codes[0].clone())
        .run_blocking(&store, "alice");
    assert!(matches!(lost, Err(Error::Store(_))));
    assert_eq!(
        no(super::recover(&world, "alice", &codes[0])),
        Rejection::Mismatch
    );

    for _ in 0..3 {
        let guess = world.mfa.authenticate(wrong(&[&device], &world));
        assert!(matches!(
            guess.run_blocking(&store, "alice"),
            Err(Error::Store(_))
        ));
    }
    let early = authenticate(&world, "alice", device.code_in(world.now(), 1));
    assert!(matches!(no(early), Rejection::Throttled { .. }));
}

/// A store in which somebody else is always faster.
struct Contended<'a>(&'a MemoryStore, AtomicU32);

impl BlockingStore for Contended<'_> {
    type Error = core::convert::Infallible;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Self::Error> {
        self.0.load_blocking(subject)
    }

    fn compare_and_swap_blocking(&self, _: Write) -> Result<Swap, Self::Error> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Ok(Swap::Conflict)
    }
}

/// SPEC 10: a conflict is retried a bounded number of times, then it is an error: nothing was accepted.
#[test]
fn a_request_that_never_gets_through_is_neither_a_wrong_code_nor_a_success() {
    let policy = Policy::builder().swap_attempts(7).build().unwrap();
    let world = World::new(policy);
    let device = world.enrol("alice");
    world.events();
    for code in [device.code_in(world.now(), 1), wrong(&[&device], &world)] {
        let store = Contended(&world.store, 0.into());
        let error = world.mfa.authenticate(code).run_blocking(&store, "alice");
        assert_eq!(error.unwrap_err(), Error::Fault(Fault::Contended));
        assert_eq!(store.1.into_inner(), 7);
    }
    assert_eq!(world.events(), []);
}

/// SPEC 10: dropping a future before it ends leaves the old record or the new one: who goes away before the answer has
/// learnt nothing, and a guess of which anything was learnt is counted.
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
            let mut request = Box::pin(world.mfa.authenticate(code).run(&store, "alice"));
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

/// SPEC 9: a whole row put back, or deleted. Who knows better says so, and nothing is judged.
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
        let known = world.mfa.authenticate(code.clone()).expect_enrolled();
        assert_eq!(
            known.decide("alice", found.clone()).unwrap_err(),
            Fault::RolledBack
        );
        let known = world.mfa.associate(world.password()).expect_enrolled();
        assert_eq!(
            known.decide("alice", found.clone()).unwrap_err(),
            Fault::RolledBack
        );
        let known = world.mfa.associate(world.password()).at_least(row.revision);
        assert_eq!(known.decide("alice", found).unwrap_err(), Fault::RolledBack);
    }
    let known = world
        .mfa
        .authenticate(code)
        .expect_enrolled()
        .at_least(row.revision);
    assert!(!known.decide("alice", Some(row)).unwrap().is_refusal());
}

/// SPEC 13: a record moved to another subject, or old bytes under a newer revision: does not open. In the clear, the first
/// signs in whoever moved it, and the second accepts a spent code again.
#[cfg(feature = "seal")]
#[test]
fn a_record_moved_to_another_subject_or_put_back_under_a_newer_revision_does_not_open() {
    for sealed in [false, true] {
        let mut world = World::standard();
        if sealed {
            let keyring = softtoken::Keyring::generate(1, &OsEntropy).unwrap();
            world.mfa = world.mfa.sealed(keyring);
        }
        let (alice, mallory) = (world.enrol("alice"), world.enrol("mallory"));
        world.time.advance(60);
        let before = world.row("alice").unwrap();
        let code = alice.code(world.now());
        assert!(authenticate(&world, "alice", code.clone()).is_ok());
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
            let request = world.mfa.authenticate(code);
            let answer = request.decide("alice", Some(found)).map(|decision| {
                assert!(decision.write().is_some());
                decision.committed().is_ok()
            });
            let does_not_open = Err(Fault::Record(RecordError::DoesNotOpen));
            let expected = if sealed { does_not_open } else { Ok(true) };
            assert_eq!(answer, expected, "{attack}");
        }
        assert_eq!(world.events().is_empty(), sealed);
        assert_eq!(world.row("alice"), Some(row));
    }
}

/// SPEC 9: damaged bytes are a typed error, never a panic, never an empty record; and they are not overwritten.
#[test]
fn a_damaged_row_is_not_taken_for_an_empty_one() {
    let world = World::standard();
    let device = world.enrol("alice");
    let _ = recovery_codes(&world, "alice");
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
        let judged = world.mfa.authenticate(code).decide("alice", found.clone());
        assert!(matches!(judged.unwrap_err(), Fault::Record(_)));
        let issued = world
            .mfa
            .associate(world.password())
            .decide("alice", found.clone());
        assert!(matches!(issued.unwrap_err(), Fault::Record(_)));
        let asked = world
            .mfa
            .sign_in(softtoken::Context::default())
            .decide("alice", found);
        assert!(matches!(asked.unwrap_err(), Fault::Record(_)));
    }
    let found = Some(Snapshot {
        revision: row.revision,
        record: vec![2],
    });
    let newer = world.mfa.status().decide("alice", found).unwrap_err();
    assert_eq!(
        newer,
        Fault::Record(RecordError::UnknownFormat { format: 2 })
    );
}

/// SPEC 10: a revision is never used twice, so a write that was prepared before a reset is not stored after it.
#[test]
fn a_write_from_before_a_reset_is_not_stored_after_it() {
    let world = World::standard();
    let device = world.enrol("alice");
    let slow = world.mfa.authenticate(device.code_in(world.now(), 1));
    let decision = slow.decide("alice", world.row("alice")).unwrap();
    let reset = world.mfa.reset(softtoken::Administrator);
    reset.run_blocking(&world.store, "alice").unwrap();
    let empty = world.row("alice");
    let swap = world
        .store
        .compare_and_swap_blocking(decision.write().unwrap().clone());
    assert_eq!(swap, Ok(Swap::Conflict));
    assert_eq!(world.row("alice"), empty);
    let anew = slow.decide("alice", empty).unwrap();
    assert_eq!(anew.committed().unwrap_err(), Rejection::NotAssociated);
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
    let request = world.mfa.authenticate(device.code_in(world.now(), 1));
    assert_eq!(
        request.decide("alice", found).unwrap_err(),
        Fault::RevisionsExhausted
    );
    assert!(Write::new("alice", Some(last), Vec::new(), Events::default()).is_none());
}

/// What fails before the store is asked is neither a wrong code nor a success: no time, no randomness, no keys, no subject.
#[test]
fn a_server_that_does_not_know_the_time_judges_nothing() {
    let world = World::standard();
    let device = world.enrol("alice");
    let session = world.challenge("alice");
    let code = device.code_in(world.now(), 1);
    let keys = SessionKeys::from_bytes(1, &[7; 32]);
    let before = world.row("alice");
    let timeless = Mfa::new(Policy::STANDARD, || None, OsEntropy).sessions(keys);
    let answers = [
        timeless
            .authenticate(code.clone())
            .run_blocking(&world.store, "alice"),
        timeless
            .respond(&session, code.clone())
            .run_blocking(&world.store, "alice"),
    ];
    for answer in answers {
        assert_eq!(answer.unwrap_err(), Error::Fault(Fault::NoTime));
    }

    let clock = world.time.clone();
    let poor = Mfa::new(
        Policy::STANDARD,
        move || Some(clock.now()),
        |_: &mut [u8]| Err(softtoken::NoEntropy),
    );
    let issued = poor
        .associate(world.second_factor())
        .run_blocking(&world.store, "alice");
    let no_entropy = Fault::NoEntropy(softtoken::NoEntropy);
    assert_eq!(issued.unwrap_err(), Error::Fault(no_entropy));
    let keyless = poor
        .respond(&session, code.clone())
        .run_blocking(&world.store, "alice");
    assert_eq!(keyless.unwrap_err(), Error::Fault(Fault::NoSessionKeys));
    for subject in ["", &"a".repeat(257)] {
        let nobody = world
            .mfa
            .authenticate(code.clone())
            .run_blocking(&world.store, subject);
        assert_eq!(nobody.unwrap_err(), Error::Fault(Fault::Subject));
    }
    assert_eq!(world.row("alice"), before);
}

/// A store that fails now and then, under parallel requests: one code is accepted at most once, and what was told as
/// accepted stays spent.
#[test]
fn a_code_is_accepted_at_most_once_over_a_store_that_fails_now_and_then() {
    let world = World::standard();
    let device: Device = world.enrol("alice");
    for _ in 0..super::ROUNDS {
        world.time.advance(60);
        let code = device.code(world.now());
        let answers = together(super::THREADS, |thread| {
            let fails = [Break::Load, Break::Swap, Break::Answer][thread % 3];
            let request = world.mfa.authenticate(code.clone());
            if thread % 4 == 0 {
                let store = Flaky(Broken(&world.store, fails));
                request.run_blocking(&store, "alice").map(drop)
            } else {
                let whole = request.run_blocking(&world.store, "alice");
                whole.map(drop).map_err(|error| match error {
                    Error::Rejected {
                        rejection,
                        retry_after,
                    } => Error::Rejected {
                        rejection,
                        retry_after,
                    },
                    Error::Fault(fault) => Error::Fault(fault),
                    Error::Store(never) => match never {},
                })
            }
        });
        assert!(answers.iter().filter(|answer| answer.is_ok()).count() <= 1);
        assert_eq!(no(authenticate(&world, "alice", code)), Rejection::Reused);
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
