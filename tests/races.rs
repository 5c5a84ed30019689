//! Many requests about one record at the same time, in both colours: what one would be allowed, all
//! of them are together.
//!
//! Every race is run where the requests are known to meet (they all load before the first of them
//! swaps), and over a store of one's own on real threads. That they can fail at all is shown at the
//! end, on a store that reads, then writes.
#![allow(
    clippy::unwrap_used,
    reason = "a step of a race that goes otherwise than it should fails the test"
)]

use core::convert::Infallible;
use core::fmt::Debug;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Barrier, Mutex};

use crate::crowd::{
    Colour, Distant, Interrupted, Meeting, Task, in_turn, on_threads, pause, together,
};
use crate::world::{Device, World, admin};
use softtoken::association::{
    EventKind, Events, ImportedToken, Method, Operation, Preference, SessionFlaw, State,
};
use softtoken::mfa::Request;
use softtoken::policy::Throttle;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::time::Step;
use softtoken::totp::{Secret, Totp};
use softtoken::{
    BlockingStore, ChallengeSession, Code, Error, Evidence, Grant, MemoryStore, Policy,
    RecoveryCode, Rejection, Requirement, SignedIn, Store, TokenId, Vouched,
};

/// How many requests meet.
const CROWD: usize = 1000;
const DAY: Duration = Duration::from_secs(86_400);
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
    fn run<A: Ask>(
        self,
        crowd: usize,
        rows: &MemoryStore,
        request: impl Fn(usize) -> A + Sync,
    ) -> Vec<Answer<A::Output>> {
        match self {
            Self::InTurn => in_turn(tasks(crowd, &Distant(rows), request)),
            Self::OnThreads => on_threads(4, tasks(crowd, &Distant(rows), request)),
            Self::Meeting => {
                let store = Meeting::of(crowd, rows);
                together(crowd, |number| request(number).ask_blocking(&store))
            }
            Self::Threads => together(crowd, |number| request(number).ask_blocking(rows)),
        }
    }
}

/// A request about alice.
trait Ask {
    type Output: Send;

    fn ask_blocking<S: BlockingStore>(self, store: &S) -> Result<Self::Output, Error<S::Error>>;
    fn ask<S: Store>(self, store: &S) -> Running<'_, Self::Output, S::Error>;
}

impl<O: Operation> Ask for Request<O> {
    type Output = O::Output;

    fn ask_blocking<S: BlockingStore>(self, store: &S) -> Result<O::Output, Error<S::Error>> {
        self.run_blocking(store, "alice")
    }

    fn ask<S: Store>(self, store: &S) -> Running<'_, O::Output, S::Error> {
        Box::pin(self.run(store, "alice"))
    }
}

/// A request of one of two kinds, whose answers are alike.
enum Either<A, B> {
    One(A),
    Other(B),
}

impl<A: Ask, B: Ask<Output = A::Output>> Ask for Either<A, B> {
    type Output = A::Output;

    fn ask_blocking<S: BlockingStore>(self, store: &S) -> Result<A::Output, Error<S::Error>> {
        match self {
            Self::One(request) => request.ask_blocking(store),
            Self::Other(request) => request.ask_blocking(store),
        }
    }

    fn ask<S: Store>(self, store: &S) -> Running<'_, A::Output, S::Error> {
        match self {
            Self::One(request) => request.ask(store),
            Self::Other(request) => request.ask(store),
        }
    }
}

/// Requests about alice that have not begun.
fn tasks<A: Ask, S: Store>(
    crowd: usize,
    store: &S,
    request: impl Fn(usize) -> A,
) -> Vec<Running<'_, A::Output, S::Error>> {
    (0..crowd)
        .map(|number| request(number).ask(store))
        .collect()
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

fn count(events: &[EventKind], wanted: &EventKind) -> usize {
    events.iter().filter(|event| *event == wanted).count()
}

fn step_up(world: &World, code: Code) -> Answer<Evidence> {
    let request = world.mfa.step_up(&world.password("alice"), code);
    request.run_blocking(&world.store, "alice")
}

fn respond(world: &World, session: &ChallengeSession, code: Code) -> Answer<Evidence> {
    let request = world.mfa.respond(session, code);
    request.run_blocking(&world.store, "alice")
}

/// A token that is to take the place of the one in force, on the word of who holds that.
fn replacement(world: &World, holder: &Grant) -> Device {
    let associate = world.mfa.associate(holder);
    Device::of(&associate.run_blocking(&world.store, "alice").unwrap())
}

/// Puts the replacement in force; the grant of who holds it now.
fn verify(world: &World, device: &Device, holder: &Grant) -> Grant {
    let code = device.code(world.now());
    let verify = world.mfa.verify(holder, code);
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    Grant::from(enrolled.evidence())
}

/// By a code, after so many failures.
fn signed_in(failures: u32) -> EventKind {
    let method = Method::SoftwareToken;
    EventKind::SignedIn { method, failures }
}

fn reset(world: &World) {
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
}

#[test]
fn of_a_thousand_requests_with_one_code_exactly_one_is_accepted() {
    for arena in Arena::ALL {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(60);
        let (grant, session) = (world.password("alice"), world.challenge("alice"));
        world.events();
        let revision = world.row("alice").unwrap().revision;
        let code = device.code(world.now());
        let request = |number: usize| {
            if number.is_multiple_of(2) {
                Either::One(world.mfa.step_up(&grant, code.clone()))
            } else {
                Either::Other(world.mfa.respond(&session, code.clone()))
            }
        };
        let answers = arena.run(CROWD, &world.store, request);
        // A session that has succeeded is found to be spent before a code is looked at.
        let refusals = [Rejection::Reused, Rejection::InvalidSession];
        assert_eq!(accepted(&answers, &refusals), 1, "{arena:?}");

        let events = world.events();
        assert_eq!(count(&events, &signed_in(0)), 1);
        let step = Totp::STANDARD.step(world.now());
        let refused = EventKind::Refused {
            rejection: Rejection::InvalidSession,
            flaw: Some(SessionFlaw::Spent),
        };
        let lost = [EventKind::ReusedCode { step }, refused];
        let lost = lost
            .map(|event| count(&events, &event))
            .iter()
            .sum::<usize>();
        assert_eq!(lost, CROWD - 1);
        assert_eq!(Some(world.row("alice").unwrap().revision), revision.next());
    }
}

#[test]
fn of_a_thousand_sign_ins_in_one_request_with_one_code_exactly_one_is_proven() {
    for arena in Arena::ALL {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(60);
        let code = device.code(world.now());
        let request = |_| world.mfa.sign_in_with(Some(code.clone().into()));
        let answers = arena.run(CROWD, &world.store, request);
        assert_eq!(accepted(&answers, &[Rejection::Reused]), 1, "{arena:?}");
        let signed_in = answers.into_iter().flatten().next();
        assert!(matches!(signed_in, Some(SignedIn::Proven(_))));
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
        assert_eq!(count(&world.events(), &refused), 98, "{arena:?}");
    }
}

#[test]
fn of_three_valid_codes_in_parallel_each_is_accepted_at_most_once() {
    for arena in Arena::ALL {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(90);
        let codes = [-1, 0, 1].map(|steps| device.code_in(world.now(), steps));
        let grant = world.password("alice");
        let request = |number: usize| world.mfa.step_up(&grant, codes[number % 3].clone());
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
fn of_many_verifies_of_one_secret_one_wins_and_the_others_are_told_so() {
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
        let refusals = [Rejection::AlreadyVerified];
        assert_eq!(accepted(&answers, &refusals), 1, "{arena:?}");
        assert_eq!(Some(world.row("alice").unwrap().revision), revision.next());
        assert_eq!(count(&world.events(), &verified()), 1);

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

/// That the first token came into force, at the first attempt.
fn verified() -> EventKind {
    EventKind::Verified { failures: 0 }
}

#[test]
fn two_verifies_by_grants_put_one_token_in_force() {
    for arena in Arena::ALL {
        let named = |grant: Grant| grant.with_id("login-1");
        for (named, refusal) in [
            (named as fn(Grant) -> Grant, Rejection::AlreadyVerified),
            // Nobody can know that it is the same login.
            (|grant| grant, Rejection::SecondFactorRequired),
        ] {
            let world = World::standard();
            let device = Device::of(&world.associate("alice"));
            world.events();
            let code = device.code(world.now());
            let grant = named(world.password("alice"));
            let request = |_| world.mfa.verify(&grant, code.clone());
            let answers = arena.run(2, &world.store, request);
            assert_eq!(accepted(&answers, &[refusal]), 1, "{arena:?}");
            assert_eq!(count(&world.events(), &verified()), 1);
        }
    }
}

/// Up to this many tokens.
fn with_tokens(tokens: usize) -> Policy {
    Policy::builder().max_tokens(tokens).build().unwrap()
}

#[test]
fn of_many_verifies_that_add_a_token_one_adds_it() {
    for arena in Arena::ALL {
        let world = World::new(with_tokens(3));
        let (_, grant) = world.enrolled("alice");
        let second = replacement(&world, &grant);
        world.events();
        let code = second.code(world.now());
        let request = |_| world.mfa.verify(&grant, code.clone());
        let answers = arena.run(100, &world.store, request);
        let refusals = [Rejection::NotAssociated];
        assert_eq!(accepted(&answers, &refusals), 1, "{arena:?}");
        let added = EventKind::Added { failures: 0 };
        assert_eq!(count(&world.events(), &added), 1);
        assert_eq!(tokens(&world).len(), 2, "{arena:?}");
    }
}

/// The tokens in force.
fn tokens(world: &World) -> Vec<TokenId> {
    let status = world.mfa.status().run_blocking(&world.store, "alice");
    let tokens = status.unwrap().tokens;
    tokens.iter().map(|token| token.id).collect()
}

#[test]
fn two_tokens_that_remove_each_other_leave_one() {
    for arena in Arena::ALL {
        let world = World::new(with_tokens(2));
        let (_, first) = world.enrolled("alice");
        let second = replacement(&world, &first);
        let second = verify(&world, &second, &first);
        world.events();
        let (ids, holders) = (tokens(&world), [first, second]);
        // Each holder removes the other's.
        let request = |number: usize| {
            let holder = number % 2;
            world.mfa.remove(&holders[holder], ids[1 - holder])
        };
        let answers = arena.run(100, &world.store, request);
        let refusals = [Rejection::SecondFactorRequired, Rejection::NoSuchToken];
        assert_eq!(accepted(&answers, &refusals), 1, "{arena:?}");
        assert_eq!(count(&world.events(), &EventKind::Removed), 1);
        assert_eq!(tokens(&world).len(), 1, "{arena:?}");
    }
}

#[test]
fn of_many_imports_one_puts_its_tokens_in_force() {
    for arena in Arena::ALL {
        let world = World::new(with_tokens(10));
        let (mfa, admin) = (&world.mfa, admin());
        let imported = |byte: u8| {
            let secret = Secret::from_bytes(&[byte; 20]).unwrap();
            ImportedToken::proven(secret, Totp::STANDARD)
        };
        let request = |number: usize| {
            let byte = u8::try_from(number).unwrap();
            mfa.import(&admin, [imported(2 * byte), imported(2 * byte + 1)])
        };
        let answers = arena.run(100, &world.store, request);
        let refusals = [Rejection::AlreadyVerified];
        assert_eq!(accepted(&answers, &refusals), 1, "{arena:?}");
        assert_eq!(tokens(&world).len(), 2, "{arena:?}");
    }
}

#[test]
fn of_many_resynchronisations_by_one_pair_of_codes_one_is_accepted() {
    for arena in Arena::ALL {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(600);
        let grant = world.password("alice");
        let [code, next] = [8, 9].map(|steps| device.code_in(world.now(), steps));
        let request = |_| {
            let (code, next) = (code.clone(), next.clone());
            world.mfa.resynchronise(&grant, code, next)
        };
        let answers = arena.run(100, &world.store, request);
        assert_eq!(accepted(&answers, &[Rejection::Reused]), 1, "{arena:?}");
    }
}

/// Answers by step-ups and by sessions in turn, all with this code.
fn recover_in(arena: Arena, world: &World, code: &RecoveryCode) -> Vec<Answer<Evidence>> {
    let grant = world.password("alice");
    let sessions: Vec<_> = (0..CROWD).map(|_| world.challenge("alice")).collect();
    world.events();
    arena.run(CROWD, &world.store, |number| {
        if number.is_multiple_of(2) {
            Either::One(world.mfa.step_up(&grant, code.clone()))
        } else {
            Either::Other(world.mfa.respond(&sessions[number], code.clone()))
        }
    })
}

fn recovery_codes_left(world: &World) -> u32 {
    let status = world.mfa.status().run_blocking(&world.store, "alice");
    status.unwrap().recovery_codes
}

#[test]
fn of_a_thousand_requests_with_one_recovery_code_exactly_one_is_accepted() {
    for arena in Arena::ALL {
        let world = World::new(persistent());
        let (_, grant) = world.enrolled("alice");
        let issue = world.mfa.issue_recovery_codes(&grant);
        let codes = issue.run_blocking(&world.store, "alice").unwrap();
        let answers = recover_in(arena, &world, codes.iter().next().unwrap());
        assert_eq!(accepted(&answers, &[Rejection::Mismatch]), 1, "{arena:?}");
        let used = EventKind::RecoveryCodeUsed {
            left: 9,
            temporary: false,
        };
        assert_eq!(count(&world.events(), &used), 1);
        assert_eq!(recovery_codes_left(&world), 9, "the others are there still");
    }
}

#[test]
fn of_a_thousand_requests_with_a_temporary_code_exactly_one_is_accepted() {
    for arena in Arena::ALL {
        let world = World::new(persistent());
        let (_, grant) = world.enrolled("alice");
        let issue = world.mfa.issue_recovery_codes(&grant);
        let _ = issue.run_blocking(&world.store, "alice").unwrap();
        let issue = world.mfa.issue_temporary_code(&admin(), DAY);
        let code = issue.run_blocking(&world.store, "alice").unwrap();
        let answers = recover_in(arena, &world, &code);
        assert_eq!(accepted(&answers, &[Rejection::Mismatch]), 1, "{arena:?}");
        let used = EventKind::RecoveryCodeUsed {
            left: 10,
            temporary: true,
        };
        assert_eq!(count(&world.events(), &used), 1);
        assert_eq!(recovery_codes_left(&world), 10);
    }
}

/// Where every request of a crowd writes, each may lose to all the others.
fn persistent() -> Policy {
    Policy::builder().swap_attempts(1000).build().unwrap()
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
            let grant = world.password("alice");
            let request = |_| world.mfa.step_up(&grant, code.clone());
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
                let [met, alone] = [&parallel, &sequential].map(|events| count(events, event));
                assert_eq!(met, alone, "{arena:?}: {event:?}");
            }
        }
    }
}

#[test]
fn parallel_wrong_recovery_codes_are_all_counted_as_if_they_came_one_after_another() {
    for arena in [Arena::InTurn, Arena::OnThreads, Arena::Threads] {
        for at_once in [7, 150] {
            let world = World::new(persistent());
            let (_, grant) = world.enrolled("alice");
            let issue = world.mfa.issue_recovery_codes(&grant);
            let codes = issue.run_blocking(&world.store, "alice").unwrap();
            let alone = copied(&world);
            let wrong = RecoveryCode::parse("01234-56789-ABCDE-FGHJK-MNPQR").unwrap();
            let request = |_| world.mfa.step_up(&grant, wrong.clone());
            world.events();
            let answers = arena.run(at_once, &world.store, request);
            let parallel = world.events();
            for number in 0..at_once {
                let _ = no(request(number).run_blocking(&alone, "alice"));
            }
            let sequential = world.events();

            assert_eq!(accepted(&answers, &[Rejection::Mismatch]), 0);
            let record = |rows: &MemoryStore| rows.load_blocking("alice").unwrap().unwrap().record;
            assert_eq!(record(&world.store), record(&alone), "{arena:?}");
            for event in &sequential {
                let [met, alone] = [&parallel, &sequential].map(|events| count(events, event));
                assert_eq!(met, alone, "{arena:?}: {event:?}");
            }
            let right = codes.iter().next().unwrap().clone();
            let recovered = world.mfa.step_up(&grant, right);
            let recovered = recovered.run_blocking(&world.store, "alice");
            assert!(recovered.is_ok(), "a right one is always accepted");
        }
    }
}

#[test]
fn the_right_code_among_parallel_failures_is_accepted_once_or_too_early() {
    for arena in Arena::ALL {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(60);
        let grant = world.password("alice");
        let codes = [device.code(world.now()), device.wrong_code(world.now())];
        let request = |number: usize| world.mfa.step_up(&grant, codes[number % 2].clone());
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
        let (old, holder) = world.enrolled("alice");
        let new = replacement(&world, &holder);
        world.time.advance(90);
        let sessions: Vec<_> = (0..8).map(|_| world.challenge("alice")).collect();
        let answered = AtomicBool::new(false);
        let answers = together(8, |thread| {
            if thread == 0 {
                verify(&world, &new, &holder);
                answered.store(true, Ordering::SeqCst);
                return Vec::new();
            }
            let mut answers = Vec::new();
            for steps in [-1, 0, 1] {
                let late = answered.load(Ordering::SeqCst);
                let code = old.code_in(world.now(), steps);
                let answer = if thread % 2 == 0 {
                    step_up(&world, code)
                } else {
                    respond(&world, &sessions[thread], code)
                };
                answers.push((late, answer.is_ok()));
            }
            answers
        });
        assert!(!answers.concat().contains(&(true, true)));

        let unlock = world.mfa.unlock(&admin());
        unlock.run_blocking(&world.store, "alice").unwrap();
        let dead = step_up(&world, old.code_in(world.now(), 1));
        assert_eq!(no(dead), Rejection::Mismatch);
        let _ = step_up(&world, new.code_in(world.now(), 1)).unwrap();
    }
}

#[test]
fn a_sign_in_that_a_replacement_overtakes_is_refused() {
    for colour in Colour::BOTH {
        let world = World::standard();
        let (old, holder) = world.enrolled("alice");
        let new = replacement(&world, &holder);
        world.time.advance(60);
        let session = world.challenge("alice");
        let code = old.code(world.now());

        let replace = || drop(verify(&world, &new, &holder));
        let overtaken = Interrupted::by(replace, &world.store);
        let late = colour.run(world.mfa.respond(&session, code.clone()), &overtaken);
        assert_eq!(no(late), Rejection::InvalidSession);
        let refused = EventKind::Refused {
            rejection: Rejection::InvalidSession,
            flaw: Some(SessionFlaw::OtherGeneration),
        };
        assert_eq!(world.events().last(), Some(&refused));

        world.time.advance(30);
        let holder = world.stepped_up("alice", &new);
        let newer = replacement(&world, &holder);
        let replace = || drop(verify(&world, &newer, &holder));
        let overtaken = Interrupted::by(replace, &world.store);
        let code = new.code_in(world.now(), 1);
        let late = world.mfa.step_up(&world.password("alice"), code);
        assert_eq!(no(colour.run(late, &overtaken)), Rejection::Mismatch);
    }
}

#[test]
fn a_replacement_that_a_sign_in_overtakes_is_the_last_word() {
    for colour in Colour::BOTH {
        let world = World::standard();
        let (old, holder) = world.enrolled("alice");
        let new = replacement(&world, &holder);
        world.time.advance(60);
        let sign_in = || {
            let _ = step_up(&world, old.code(world.now())).unwrap();
        };
        let overtaken = Interrupted::by(sign_in, &world.store);
        let request = world.mfa.verify(&holder, new.code(world.now()));
        let _ = colour.run(request, &overtaken).unwrap();
        let dead = step_up(&world, old.code_in(world.now(), 1));
        assert_eq!(no(dead), Rejection::Mismatch);
        let _ = step_up(&world, new.code_in(world.now(), 1)).unwrap();
    }
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
        assert_eq!(state(&world), State::Unassociated);
    }
}

fn state(world: &World) -> State {
    let status = world.mfa.status().run_blocking(&world.store, "alice");
    status.unwrap().state
}

#[test]
fn a_sign_in_and_a_reset_that_overtake_each_other_end_in_the_reset() {
    for colour in Colour::BOTH {
        let world = World::standard();
        let device = world.enrol("alice");
        world.time.advance(60);
        let session = world.challenge("alice");
        let overtaken = Interrupted::by(|| reset(&world), &world.store);
        let request = world.mfa.respond(&session, device.code(world.now()));
        let late = colour.run(request, &overtaken);
        assert_eq!(no(late), Rejection::InvalidSession);

        let device = world.enrol("alice");
        let session = world.challenge("alice");
        let sign_in = || {
            let code = device.code_in(world.now(), 1);
            let _ = respond(&world, &session, code).unwrap();
        };
        let overtaken = Interrupted::by(sign_in, &world.store);
        colour.run(world.mfa.reset(&admin()), &overtaken).unwrap();
        assert_eq!(state(&world), State::Unassociated);
    }
}

#[test]
fn everything_at_once_comes_to_an_end_and_accepts_no_step_twice() {
    for _ in 0..ROUNDS {
        let world = World::new(persistent());
        let device = world.enrol("alice");
        world.time.advance(90);
        let steps = Mutex::new(Vec::new());
        together(8, |thread| {
            for round in 0..32 {
                let steps_on = i64::from(round % 3) - 1;
                let code = device.code_in(world.now(), steps_on);
                let operation = thread + usize::try_from(round).unwrap();
                let accepted = anything(&world, operation % 8, code);
                steps.lock().unwrap().extend(accepted);
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

/// One of eight operations; the step whose code it accepted, if it did.
fn anything(world: &World, operation: usize, code: Code) -> Option<Step> {
    let World { mfa, store, .. } = world;
    let grant = world.second_factor("alice");
    match operation {
        0 => step_up(world, code).ok()?.step(),
        1 => respond(world, &world.challenge("alice"), code).ok()?.step(),
        2 => {
            let sign_in = mfa.sign_in_with(Some(code.into()));
            match sign_in.run_blocking(store, "alice").ok()? {
                SignedIn::Proven(evidence) => evidence.step(),
                other => panic!("{other:?}"),
            }
        }
        3 => {
            let associate = mfa.associate(&grant);
            let _ = associate.run_blocking(store, "alice").unwrap();
            None
        }
        4 => {
            let issue = mfa.issue_recovery_codes(&grant);
            let codes = issue.run_blocking(store, "alice").unwrap();
            let recover = mfa.step_up(&grant, codes.iter().next().unwrap().clone());
            let _ = recover.run_blocking(store, "alice");
            None
        }
        5 => {
            let vouched = mfa.step_up(&grant, Vouched::factor(&["hwk"]));
            let _ = vouched.run_blocking(store, "alice").unwrap();
            None
        }
        6 => {
            let preferred = mfa.prefer(&grant, Preference::Preferred);
            preferred.run_blocking(store, "alice").unwrap();
            let enabled = mfa.prefer(&grant, Preference::Enabled);
            enabled.run_blocking(store, "alice").unwrap();
            None
        }
        _ => {
            let unlock = mfa.unlock(&admin());
            unlock.run_blocking(store, "alice").unwrap();
            None
        }
    }
}

/// A store that is wrong: it compares what it has read, and then writes. Between the two, others
/// come.
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
    let grant = world.password("alice");
    let request = |_| world.mfa.step_up(&grant, code.clone());

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
    let grant = world.password("alice");
    let guess = |_| world.mfa.step_up(&grant, code.clone());
    let answers = in_turn(tasks(CROWD, &wrong, guess));
    assert_eq!(
        accepted(&answers, &[Rejection::Mismatch]),
        0,
        "a thousand guesses were judged"
    );
    let next = world.mfa.step_up(&grant, device.code_in(world.now(), 1));
    let _ = next
        .run_blocking(&ReadsThenWrites::with(wrong.read(), 1), "alice")
        .unwrap();
    let last = world.events().pop();
    assert_eq!(last, Some(signed_in(1)), "and one was counted");

    let world = World::standard();
    let device = Device::of(&world.associate("alice"));
    let wrong = ReadsThenWrites::with(world.row("alice"), 2);
    let code = device.code(world.now());
    let grant = world.password("alice");
    let verify = |_| world.mfa.verify(&grant, code.clone());
    let answers = in_turn(tasks(2, &wrong, verify));
    assert_eq!(accepted(&answers, &[]), 2);
}
