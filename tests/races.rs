//! Many requests about one record at the same time, in both colours: what one would be allowed, all of them are together.
//!
//! Every race is run where the requests are known to meet (they all load before the first of them swaps), and over a
//! store of one's own on real threads. That they can fail at all is shown at the end, on a store that reads, then writes.
#![allow(
    clippy::unwrap_used,
    reason = "a step of a race that goes otherwise than it should fails the test"
)]

use core::convert::Infallible;
use core::fmt::Debug;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};

use crate::crowd::{Distant, Interrupted, Meeting, Task, in_turn, on_threads, pause, together};
use crate::world::{Device, World};
use softtoken::association::{Method, Operation, SessionFlaw, State};
use softtoken::totp::Totp;
use softtoken::{
    Administrator, BlockingStore, Code, Error, EventKind, Events, Evidence, MemoryStore, Policy,
    Preference, Rejection, Request, Requirement, Session, Snapshot, Store, Swap, Throttle, Write,
};

/// How many requests meet.
const CROWD: usize = 1000;
/// How often what takes luck is tried.
const ROUNDS: u32 = 20;

type Answer<T> = Result<T, Error<Infallible>>;
type Running<'a, T, E> = Task<'a, Result<T, Error<E>>>;

/// How requests come together.
#[derive(Clone, Copy, Debug)]
enum Arena {
    /// Futures, polled in turn: all have loaded before one swaps.
    InTurn,
    /// Futures, polled now by one of four threads, now by another.
    OnThreads,
    /// Threads: all have loaded before one swaps.
    Meeting,
    /// Threads, straight on the store.
    Threads,
}

impl Arena {
    const ALL: [Self; 4] = [Self::InTurn, Self::OnThreads, Self::Meeting, Self::Threads];

    /// Runs so many requests at once.
    fn run<'m, O: Operation + 'm>(
        self,
        crowd: usize,
        rows: &MemoryStore,
        request: impl Fn(usize) -> Request<'m, O> + Sync,
    ) -> Vec<Answer<O::Output>> {
        match self {
            Self::InTurn => in_turn(tasks(crowd, &Distant(rows), request)),
            Self::OnThreads => on_threads(4, tasks(crowd, &Distant(rows), request)),
            Self::Meeting => {
                let store = Meeting::of(crowd, rows);
                together(crowd, |number| {
                    request(number).run_blocking(&store, "alice")
                })
            }
            Self::Threads => together(crowd, |number| request(number).run_blocking(rows, "alice")),
        }
    }
}

/// Requests about alice that have not begun.
fn tasks<'s, 'm: 's, O: Operation + 'm, S: Store>(
    crowd: usize,
    store: &'s S,
    request: impl Fn(usize) -> Request<'m, O>,
) -> Vec<Running<'s, O::Output, S::Error>> {
    let task = |number| -> Running<'s, _, _> { Box::pin(request(number).run(store, "alice")) };
    (0..crowd).map(task).collect()
}

/// How many were accepted; the others must have been refused by one of these.
#[track_caller]
fn accepted<T>(answers: &[Answer<T>], refusals: &[Rejection]) -> usize {
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        let refused = error.rejection();
        assert!(
            refused.is_some_and(|rejection| refusals.contains(&rejection)),
            "{error:?} is none of {refusals:?}"
        );
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

#[track_caller]
fn no<T: Debug>(answer: Answer<T>) -> Rejection {
    answer.unwrap_err().rejection().expect("no fault")
}

fn count(events: &[EventKind], wanted: EventKind) -> usize {
    events.iter().filter(|event| **event == wanted).count()
}

fn authenticate(world: &World, code: Code) -> Answer<Evidence> {
    let request = world.mfa.authenticate(code);
    request.run_blocking(&world.store, "alice")
}

fn respond(world: &World, session: &Session, code: Code) -> Answer<Evidence> {
    let request = world.mfa.respond(session, code);
    request.run_blocking(&world.store, "alice")
}

fn replacement(world: &World) -> Device {
    let associate = world.mfa.associate(world.second_factor());
    Device::of(&associate.run_blocking(&world.store, "alice").unwrap())
}

/// Puts the replacement in force.
fn verify(world: &World, device: &Device) {
    let code = device.code(world.now());
    let verify = world.mfa.verify(world.second_factor(), code);
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
}

fn reset(world: &World) {
    let reset = world.mfa.reset(Administrator);
    reset.run_blocking(&world.store, "alice").unwrap();
}

#[test]
fn of_a_thousand_requests_with_one_code_exactly_one_is_accepted() {
    for arena in Arena::ALL {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(60);
        world.events();
        let revision = world.row("alice").unwrap().revision;
        let code = device.code(world.now());
        let request = |_| world.mfa.authenticate(code.clone());
        let answers = arena.run(CROWD, &world.store, request);
        assert_eq!(accepted(&answers, &[Rejection::Reused]), 1, "{arena:?}");

        let events = world.events();
        let method = Method::SoftwareToken;
        let step = Totp::STANDARD.step(world.now());
        assert_eq!(
            count(
                &events,
                EventKind::SignedIn {
                    method,
                    failures: 0
                }
            ),
            1
        );
        assert_eq!(count(&events, EventKind::ReusedCode { step }), CROWD - 1);
        assert_eq!(Some(world.row("alice").unwrap().revision), revision.next());
    }
}

#[test]
fn of_a_thousand_sessions_with_one_code_exactly_one_is_answered() {
    for arena in Arena::ALL {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(60);
        let sessions: Vec<_> = (0..CROWD).map(|_| world.challenge("alice")).collect();
        let code = device.code(world.now());
        let request = |number: usize| world.mfa.respond(&sessions[number], code.clone());
        let answers = arena.run(CROWD, &world.store, request);
        assert_eq!(accepted(&answers, &[Rejection::Reused]), 1, "{arena:?}");
    }
}

#[test]
fn one_session_with_three_valid_codes_is_answered_once() {
    for arena in Arena::ALL {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(90);
        let session = world.challenge("alice");
        world.events();
        let codes = [-1, 0, 1].map(|steps| device.code_in(world.now(), steps));
        let request = |number: usize| world.mfa.respond(&session, codes[number % 3].clone());
        let answers = arena.run(99, &world.store, request);
        assert_eq!(
            accepted(&answers, &[Rejection::InvalidSession]),
            1,
            "{arena:?}"
        );

        let refused = EventKind::Refused {
            rejection: Rejection::InvalidSession,
            flaw: Some(SessionFlaw::Spent),
        };
        assert_eq!(count(&world.events(), refused), 98, "{arena:?}");
    }
}

#[test]
fn of_three_valid_codes_in_parallel_each_is_accepted_at_most_once() {
    for arena in Arena::ALL {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(90);
        let codes = [-1, 0, 1].map(|steps| device.code_in(world.now(), steps));
        let request = |number: usize| world.mfa.authenticate(codes[number % 3].clone());
        let answers = arena.run(99, &world.store, request);
        let accepted = accepted(&answers, &[Rejection::Reused]);
        let mut steps: Vec<_> = answers
            .into_iter()
            .flatten()
            .map(|told| told.step())
            .collect();
        steps.sort_unstable();
        steps.dedup();
        assert_eq!(steps.len(), accepted, "{arena:?}: one step twice");
        let last = Totp::STANDARD.step(world.now()).saturating_offset(1);
        assert_eq!(
            steps.last(),
            Some(&Some(last)),
            "the last step is always there to be had"
        );
    }
}

#[test]
fn of_many_verifies_of_one_secret_one_wins_and_raises_the_generation_once() {
    for arena in Arena::ALL {
        let required = Policy::builder().requirement(Requirement::Required);
        let world = World::new(required.build().unwrap());
        let setup = world.setup("alice");
        let associate = world.mfa.associate(&setup);
        let issued = associate.run_blocking(&world.store, "alice").unwrap();
        let (device, session) = (Device::of(&issued), issued.session().unwrap());
        let revision = world.row("alice").unwrap().revision;
        world.events();
        let codes = [0, 1].map(|steps| device.code_in(world.now(), steps));
        let request = |number: usize| world.mfa.verify(session, codes[number % 2].clone());
        let answers = arena.run(100, &world.store, request);
        assert_eq!(
            accepted(&answers, &[Rejection::InvalidSession]),
            1,
            "{arena:?}"
        );
        assert_eq!(Some(world.row("alice").unwrap().revision), revision.next());
        assert_eq!(
            count(&world.events(), EventKind::Verified { failures: 0 }),
            1
        );

        // Of the generation that is stored, or it would be refused.
        let enrolled = answers.into_iter().flatten().next().unwrap();
        let done = enrolled.session().unwrap();
        let finish = |_| world.mfa.finish_setup(done);
        let finished = arena.run(100, &world.store, finish);
        assert_eq!(
            accepted(&finished, &[Rejection::InvalidSession]),
            1,
            "{arena:?}"
        );
    }
}

#[test]
fn two_verifies_by_grants_put_one_token_in_force() {
    for arena in Arena::ALL {
        let world = World::standard();
        let device = Device::of(&world.associate("alice"));
        world.events();
        let code = device.code(world.now());
        let request = |_| world.mfa.verify(world.password(), code.clone());
        let answers = arena.run(2, &world.store, request);
        assert_eq!(
            accepted(&answers, &[Rejection::SecondFactorRequired]),
            1,
            "{arena:?}"
        );
        assert_eq!(
            count(&world.events(), EventKind::Verified { failures: 0 }),
            1
        );
    }
}

#[test]
fn of_a_thousand_requests_with_one_recovery_code_exactly_one_is_accepted() {
    for arena in Arena::ALL {
        let world = World::standard();
        let _ = world.enrol("alice");
        let issue = world.mfa.issue_recovery_codes(world.second_factor());
        let codes = issue.run_blocking(&world.store, "alice").unwrap();
        let code = codes.iter().next().unwrap();
        let sessions: Vec<_> = (0..CROWD).map(|_| world.challenge("alice")).collect();
        world.events();
        let request = |number: usize| {
            let recover = world.mfa.recover(code.clone());
            if number.is_multiple_of(2) {
                recover
            } else {
                recover.within(&sessions[number])
            }
        };
        let answers = arena.run(CROWD, &world.store, request);
        assert_eq!(accepted(&answers, &[Rejection::Mismatch]), 1, "{arena:?}");
        assert_eq!(
            count(&world.events(), EventKind::RecoveryCodeUsed { left: 9 }),
            1
        );
        let status = world.mfa.status().run_blocking(&world.store, "alice");
        assert_eq!(
            status.unwrap().recovery_codes,
            9,
            "the others are there still"
        );
    }
}

/// The same record in another store.
fn copied(world: &World) -> MemoryStore {
    let rows = MemoryStore::new();
    let row = world.row("alice").unwrap();
    let write = Write::new("alice", None, row.record, Events::default()).unwrap();
    assert_eq!(rows.compare_and_swap_blocking(write), Ok(Swap::Stored));
    rows
}

#[test]
fn parallel_failures_are_all_counted_as_if_they_came_one_after_another() {
    let throttle = Throttle {
        free: 10,
        ..Throttle::STANDARD
    };
    let policy = Policy::builder().throttle(throttle).build().unwrap();
    for (arena, crowd) in [
        (Arena::InTurn, CROWD),
        (Arena::OnThreads, CROWD),
        (Arena::Meeting, 40),
        (Arena::Threads, CROWD),
    ] {
        for at_once in [7, crowd] {
            let world = World::new(policy);
            let device = world.enrol("alice");
            let alone = copied(&world);
            let code = device.wrong_code(world.now());
            let request = |_| world.mfa.authenticate(code.clone());
            world.events();
            let answers = arena.run(at_once, &world.store, request);
            let parallel = world.events();
            for number in 0..at_once {
                let _ = no(request(number).run_blocking(&alone, "alice"));
            }
            let sequential = world.events();

            let until = world.now().saturating_add(throttle.base);
            let refusals = [Rejection::Mismatch, Rejection::Throttled { until }];
            assert_eq!(accepted(&answers, &refusals), 0);
            let judged = answers.iter().filter(|answer| {
                let refused = answer.as_ref().err().and_then(Error::rejection);
                refused == Some(Rejection::Mismatch)
            });
            assert_eq!(judged.count(), at_once.min(10), "{arena:?}");

            let record = |rows: &MemoryStore| rows.load_blocking("alice").unwrap().unwrap().record;
            assert_eq!(
                record(&world.store),
                record(&alone),
                "{arena:?}: another count"
            );
            assert_eq!(parallel.len(), sequential.len(), "{arena:?}: other events");
            for event in &sequential {
                let [met, alone] = [&parallel, &sequential].map(|events| count(events, *event));
                assert_eq!(met, alone, "{arena:?}: {event:?}");
            }
        }
    }
}

#[test]
fn the_right_code_among_parallel_failures_is_accepted_once_or_too_early() {
    for arena in Arena::ALL {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(60);
        let codes = [device.code(world.now()), device.wrong_code(world.now())];
        let request = |number: usize| world.mfa.authenticate(codes[number % 2].clone());
        let answers = arena.run(100, &world.store, request);
        let until = world.now().saturating_add(Throttle::STANDARD.base);
        let throttled = Rejection::Throttled { until };
        let refusals = [Rejection::Mismatch, Rejection::Reused, throttled];
        assert!(accepted(&answers, &refusals) <= 1, "{arena:?}");
        let judged = answers.iter().filter_map(|answer| answer.as_ref().err());
        let judged = judged.filter(|error| error.rejection() == Some(Rejection::Mismatch));
        assert!(
            judged.count() <= 5,
            "{arena:?}: three, and two that a success cleared"
        );
    }
}

#[test]
fn after_a_replacement_has_answered_no_code_of_the_old_token_is_accepted() {
    for _ in 0..ROUNDS {
        let world = World::standard();
        let old = world.enrol("alice");
        let new = replacement(&world);
        world.time.advance(90);
        let sessions: Vec<_> = (0..8).map(|_| world.challenge("alice")).collect();
        let answered = AtomicBool::new(false);
        let answers = together(8, |thread| {
            if thread == 0 {
                verify(&world, &new);
                answered.store(true, Ordering::SeqCst);
                return Vec::new();
            }
            let mut answers = Vec::new();
            for steps in [-1, 0, 1] {
                let late = answered.load(Ordering::SeqCst);
                let code = old.code_in(world.now(), steps);
                let answer = if thread % 2 == 0 {
                    authenticate(&world, code)
                } else {
                    respond(&world, &sessions[thread], code)
                };
                answers.push((late, answer.is_ok()));
            }
            answers
        });
        assert!(!answers.concat().contains(&(true, true)));

        let unlock = world.mfa.unlock(Administrator);
        unlock.run_blocking(&world.store, "alice").unwrap();
        let dead = authenticate(&world, old.code_in(world.now(), 1));
        assert_eq!(no(dead), Rejection::Mismatch);
        let _ = authenticate(&world, new.code_in(world.now(), 1)).unwrap();
    }
}

#[test]
fn a_sign_in_that_a_replacement_overtakes_is_refused() {
    let world = World::standard();
    let old = world.enrol("alice");
    let new = replacement(&world);
    world.time.advance(60);
    let session = world.challenge("alice");
    let code = old.code(world.now());

    let overtaken = Interrupted::by(|| verify(&world, &new), &world.store);
    let late = world
        .mfa
        .respond(&session, code.clone())
        .run_blocking(&overtaken, "alice");
    assert_eq!(no(late), Rejection::InvalidSession);
    let refused = EventKind::Refused {
        rejection: Rejection::InvalidSession,
        flaw: Some(SessionFlaw::OtherGeneration),
    };
    assert_eq!(world.events().last(), Some(&refused));

    let newer = replacement(&world);
    let overtaken = Interrupted::by(|| verify(&world, &newer), &world.store);
    let code = new.code_in(world.now(), 1);
    let late = world
        .mfa
        .authenticate(code)
        .run_blocking(&overtaken, "alice");
    assert_eq!(no(late), Rejection::Mismatch);
}

#[test]
fn a_replacement_that_a_sign_in_overtakes_is_the_last_word() {
    let world = World::standard();
    let old = world.enrol("alice");
    let new = replacement(&world);
    world.time.advance(60);
    let sign_in = || {
        let _ = authenticate(&world, old.code(world.now())).unwrap();
    };
    let overtaken = Interrupted::by(sign_in, &world.store);
    let request = world
        .mfa
        .verify(world.second_factor(), new.code(world.now()));
    let _ = request.run_blocking(&overtaken, "alice").unwrap();
    let dead = authenticate(&world, old.code_in(world.now(), 1));
    assert_eq!(no(dead), Rejection::Mismatch);
    let _ = authenticate(&world, new.code_in(world.now(), 1)).unwrap();
}

#[test]
fn after_a_reset_has_answered_nothing_is_accepted() {
    for _ in 0..ROUNDS {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(90);
        let sessions: Vec<_> = (0..8).map(|_| world.challenge("alice")).collect();
        let answered = AtomicBool::new(false);
        let answers = together(8, |thread| {
            if thread == 0 {
                reset(&world);
                answered.store(true, Ordering::SeqCst);
                return Vec::new();
            }
            let attempt = |steps| {
                let late = answered.load(Ordering::SeqCst);
                let code = device.code_in(world.now(), steps);
                (late, respond(&world, &sessions[thread], code).is_ok())
            };
            [-1, 0, 1].map(attempt).to_vec()
        });
        let answers = answers.concat();
        assert!(!answers.contains(&(true, true)));
        assert!(answers.iter().filter(|(_, accepted)| *accepted).count() <= 3);
        let status = world.mfa.status().run_blocking(&world.store, "alice");
        assert_eq!(status.unwrap().state, State::Unassociated);
    }
}

#[test]
fn a_sign_in_and_a_reset_that_overtake_each_other_end_in_the_reset() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let session = world.challenge("alice");
    let overtaken = Interrupted::by(|| reset(&world), &world.store);
    let request = world.mfa.respond(&session, device.code(world.now()));
    let late = request.run_blocking(&overtaken, "alice");
    assert_eq!(no(late), Rejection::InvalidSession);

    let device = world.enrol("alice");
    let session = world.challenge("alice");
    let sign_in = || {
        let code = device.code_in(world.now(), 1);
        let _ = respond(&world, &session, code).unwrap();
    };
    let overtaken = Interrupted::by(sign_in, &world.store);
    let request = world.mfa.reset(Administrator);
    request.run_blocking(&overtaken, "alice").unwrap();
    let status = world.mfa.status().run_blocking(&world.store, "alice");
    assert_eq!(status.unwrap().state, State::Unassociated);
}

#[test]
fn everything_at_once_comes_to_an_end_and_accepts_no_step_twice() {
    for _ in 0..ROUNDS {
        let policy = Policy::builder().swap_attempts(1000).build().unwrap();
        let world = World::new(policy);
        let device = world.enrol("alice");
        world.time.advance(90);
        let steps = Mutex::new(Vec::new());
        together(8, |thread| {
            for round in 0..24 {
                let steps_on = i64::from(round % 3) - 1;
                let code = device.code_in(world.now(), steps_on);
                let World { mfa, store, .. } = &world;
                let grant = world.second_factor();
                let evidence = match (thread + usize::try_from(round).unwrap()) % 6 {
                    0 => authenticate(&world, code).ok(),
                    1 => respond(&world, &world.challenge("alice"), code).ok(),
                    2 => {
                        let _ = mfa.associate(grant).run_blocking(store, "alice").unwrap();
                        None
                    }
                    3 => {
                        let issue = mfa.issue_recovery_codes(grant);
                        let codes = issue.run_blocking(store, "alice").unwrap();
                        let recover = mfa.recover(codes.iter().next().unwrap().clone());
                        let _ = recover.run_blocking(store, "alice");
                        None
                    }
                    4 => {
                        let preference = [Preference::Enabled, Preference::Preferred];
                        let prefer = mfa.prefer(grant, preference[thread % 2]);
                        prefer.run_blocking(store, "alice").unwrap();
                        None
                    }
                    _ => {
                        mfa.unlock(Administrator)
                            .run_blocking(store, "alice")
                            .unwrap();
                        None
                    }
                };
                steps
                    .lock()
                    .unwrap()
                    .extend(evidence.map(|told| told.step()));
            }
        });
        let mut steps = steps.into_inner().unwrap();
        let accepted = steps.len();
        steps.sort_unstable();
        steps.dedup();
        assert_eq!(steps.len(), accepted);
        assert!((1..=3).contains(&accepted));
    }
}

/// A store that is wrong: it compares what it has read, and then writes. Between the two, others come.
struct ReadsThenWrites {
    row: Mutex<Option<Snapshot>>,
    /// For threads: how many meet between reading and writing, once.
    meet: Barrier,
    expected: usize,
    swaps: AtomicUsize,
}

impl ReadsThenWrites {
    fn with(row: Option<Snapshot>, expected: usize) -> Self {
        Self {
            row: Mutex::new(row),
            meet: Barrier::new(expected),
            expected,
            swaps: AtomicUsize::new(0),
        }
    }

    fn read(&self) -> Option<Snapshot> {
        self.row.lock().unwrap().clone()
    }

    fn holds(&self, write: &Write) -> bool {
        self.read().map(|row| row.revision) == write.expected()
    }

    fn write(&self, write: &Write) -> Swap {
        *self.row.lock().unwrap() = Some(write.snapshot());
        Swap::Stored
    }
}

impl BlockingStore for ReadsThenWrites {
    type Error = Infallible;

    fn load_blocking(&self, _: &str) -> Result<Option<Snapshot>, Infallible> {
        Ok(self.read())
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        if !self.holds(&write) {
            return Ok(Swap::Conflict);
        }
        if self.swaps.fetch_add(1, Ordering::SeqCst) < self.expected {
            self.meet.wait();
        }
        Ok(self.write(&write))
    }
}

impl Store for ReadsThenWrites {
    type Error = Infallible;

    async fn load(&self, _: &str) -> Result<Option<Snapshot>, Infallible> {
        let found = self.read();
        pause().await;
        Ok(found)
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Infallible> {
        if !self.holds(&write) {
            return Ok(Swap::Conflict);
        }
        pause().await;
        Ok(self.write(&write))
    }
}

#[test]
fn a_store_that_reads_and_then_writes_accepts_one_code_again_and_again() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let code = device.code(world.now());
    let request = |_| world.mfa.authenticate(code.clone());

    let wrong = ReadsThenWrites::with(world.row("alice"), CROWD);
    let answers = in_turn(tasks(CROWD, &wrong, request));
    assert_eq!(accepted(&answers, &[]), CROWD);

    let wrong = ReadsThenWrites::with(world.row("alice"), 2);
    let meeting = Barrier::new(2);
    let store = LoadsTogether(&wrong, meeting);
    let answers = together(2, |number| request(number).run_blocking(&store, "alice"));
    assert_eq!(accepted(&answers, &[]), 2);
}

/// So that two threads surely load before one of them writes.
struct LoadsTogether<'a>(&'a ReadsThenWrites, Barrier);

impl BlockingStore for LoadsTogether<'_> {
    type Error = Infallible;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        let found = self.0.load_blocking(subject);
        self.1.wait();
        found
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        self.0.compare_and_swap_blocking(write)
    }
}

#[test]
fn a_store_that_reads_and_then_writes_loses_failures_and_verifies_twice() {
    let world = World::standard();
    let device = world.enrol("alice");
    let code = device.wrong_code(world.now());
    let wrong = ReadsThenWrites::with(world.row("alice"), CROWD);
    let guess = |_| world.mfa.authenticate(code.clone());
    let answers = in_turn(tasks(CROWD, &wrong, guess));
    assert_eq!(
        accepted(&answers, &[Rejection::Mismatch]),
        0,
        "a thousand guesses were judged"
    );
    let next = world.mfa.authenticate(device.code_in(world.now(), 1));
    let _ = next
        .run_blocking(&ReadsThenWrites::with(wrong.read(), 1), "alice")
        .unwrap();
    let method = Method::SoftwareToken;
    let signed_in = EventKind::SignedIn {
        method,
        failures: 1,
    };
    assert_eq!(
        world.events().last(),
        Some(&signed_in),
        "and one was counted"
    );

    let world = World::standard();
    let device = Device::of(&world.associate("alice"));
    let wrong = ReadsThenWrites::with(world.row("alice"), 2);
    let code = device.code(world.now());
    let verify = |_| world.mfa.verify(world.password(), code.clone());
    let answers = in_turn(tasks(2, &wrong, verify));
    assert_eq!(accepted(&answers, &[]), 2);
}
