//! A code that was accepted before.

use core::convert::Infallible;
use core::time::Duration;

use softtoken::association::{AttemptKey, EventKind, Method, Preference, SessionFlaw};
use softtoken::store::Swap;
use softtoken::time::Step;
use softtoken::totp::{Code, CodeError, Digits, Totp};
use softtoken::{
    BlockingStore, Evidence, Factor, Grant, OsEntropy, Policy, Rejection, SignedIn, Vouched,
};

use super::{
    Answer, ROUNDS, THREADS, accepted, flaw, no, recovery_codes, replacement, respond,
    sign_in_with, step_up, token, untouched, wrong,
};
use crate::crowd::{Interrupted, together};
use crate::world::{Device, World, admin, context};

fn step(world: &World) -> Step {
    Totp::STANDARD.step(world.now())
}

/// Returns the event of a code that was accepted, after so many failures in a row.
fn signed_in(failures: u32) -> EventKind {
    EventKind::SignedIn {
        method: Method::SoftwareToken,
        failures,
    }
}

/// One code sent N times in parallel: exactly one success.
#[test]
fn one_code_sent_in_parallel_is_accepted_once() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(60);
        world.events();
        let code = device.code(world.now());
        let answers = together(THREADS, |_| sign_in_with(&world, "alice", code.clone()));
        assert_eq!(accepted(&answers, &[Rejection::Reused]), 1);

        let events = world.events();
        let told = |wanted: EventKind| events.iter().filter(|told| **told == wanted).count();
        assert_eq!(told(signed_in(0)), 1);
        let step = step(&world);
        assert_eq!(told(EventKind::ReusedCode { step }), THREADS - 1);
    }
}

/// One code sent N times in parallel: exactly one success.
#[test]
fn one_code_sent_in_parallel_through_every_operation_is_accepted_once() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(90);
        let code = device.code(world.now());
        let next = device.code_in(world.now(), 1);
        let sessions: Vec<_> = (0..THREADS).map(|_| world.challenge("alice")).collect();
        let grant = world.password("alice");
        let answers = together(THREADS, |thread| match thread % 4 {
            0 => sign_in_with(&world, "alice", code.clone()),
            1 => respond(&world, "alice", &sessions[thread], code.clone()),
            2 => step_up(&world, &grant, code.clone()),
            _ => world
                .mfa
                .resynchronise(&sessions[thread], code.clone(), next.clone())
                .run_blocking(&world.store, "alice"),
        });
        assert_eq!(accepted(&answers, &[Rejection::Reused]), 1);
    }
}

/// One after another: reused.
#[test]
fn a_spent_code_is_reused_for_as_long_as_its_window_is_open() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let code = device.code(world.now());
    let (first, second) = (world.challenge("alice"), world.challenge("alice"));
    respond(&world, "alice", &first, code.clone()).unwrap();
    world.events();

    let step = step(&world);
    let reused = EventKind::ReusedCode { step };
    for _ in 0..4 {
        let by_session = untouched(&world, "alice", || {
            respond(&world, "alice", &second, code.clone())
        });
        let alone = untouched(&world, "alice", || {
            sign_in_with(&world, "alice", code.clone())
        });
        let by_grant = untouched(&world, "alice", || {
            step_up(&world, &world.password("alice"), code.clone())
        });
        assert_eq!([by_session, alone, by_grant], [Rejection::Reused; 3]);
        assert_eq!(world.events(), vec![reused.clone(); 3]);
        world.time.advance(11);
    }
    world.time.advance(30);
    assert_eq!(no(sign_in_with(&world, "alice", code)), Rejection::Mismatch);
}

/// One code sent N times in parallel: exactly one success, for each of two tokens, whose codes
/// spend none of the other's.
#[test]
fn the_codes_of_two_tokens_sent_in_parallel_are_accepted_once_each() {
    let policy = Policy::builder().max_tokens(2).build().unwrap();
    let world = World::new(policy);
    let (first, grant) = world.enrolled("alice");
    let second = replace(&world, &grant);
    for _ in 0..ROUNDS {
        world.time.advance(60);
        let codes = [first.code(world.now()), second.code(world.now())];
        let shows = |device: &Device, code: &Code| {
            (-2..=2).any(|steps| device.code_in(world.now(), steps) == *code)
        };
        if shows(&first, &codes[1]) || shows(&second, &codes[0]) {
            continue; // by chance, as once in a million
        }
        let answers = together(THREADS, |thread| {
            sign_in_with(&world, "alice", codes[thread % 2].clone())
        });
        assert_eq!(accepted(&answers, &[Rejection::Reused]), 2);
        for code in codes {
            let again = || sign_in_with(&world, "alice", code);
            assert_eq!(untouched(&world, "alice", again), Rejection::Reused);
        }
    }
}

/// One after another: reused. (Rule G8: not a guess; not counted, nothing cleared.)
#[test]
fn a_spent_code_is_no_guess_and_clears_none() {
    let world = World::standard();
    let device = world.enrol("alice");
    let spent = device.code(world.now());
    for _ in 0..2 {
        let code = wrong(&[&device], &world);
        assert_eq!(no(sign_in_with(&world, "alice", code)), Rejection::Mismatch);
    }
    for _ in 0..50 {
        let again = || sign_in_with(&world, "alice", spent.clone());
        assert_eq!(untouched(&world, "alice", again), Rejection::Reused);
    }
    world.events();
    sign_in_with(&world, "alice", device.code_in(world.now(), 1)).unwrap();
    assert_eq!(world.events(), [signed_in(2)]);
}

/// The code of step T+1, then of T: refused.
#[test]
fn a_code_of_an_earlier_step_than_the_last_is_refused() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(90);
    sign_in_with(&world, "alice", device.code_in(world.now(), 1)).unwrap();
    for steps in [0, -1] {
        let code = device.code_in(world.now(), steps);
        let earlier = || sign_in_with(&world, "alice", code);
        assert_eq!(untouched(&world, "alice", earlier), Rejection::Reused);
    }
}

/// The code of step T+1, then of T: refused.
#[test]
fn codes_of_neighbouring_steps_in_parallel_are_accepted_in_their_order_or_not_at_all() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(120);
        let answers = together(THREADS, |thread| {
            let code = device.code_in(world.now(), [1, 0, -1][thread % 3]);
            let request = world.mfa.step_up(&world.password("alice"), code);
            let evidence = request.run_blocking(&world.store, "alice")?;
            let row = world.row("alice").unwrap();
            Ok((evidence.step().unwrap(), row.revision))
        });
        accepted(&answers, &[Rejection::Reused]);
        let mut steps: Vec<_> = answers.into_iter().filter_map(Result::ok).collect();
        steps.sort_unstable();
        let last = device.code_in(world.now(), 1);
        assert_eq!(no(sign_in_with(&world, "alice", last)), Rejection::Reused);
        assert!((1..=3).contains(&steps.len()));
        for pair in steps.windows(2) {
            assert!(pair[0].0 < pair[1].0, "one step was accepted twice");
        }
    }
}

/// A slow writer lowering the last step: impossible.
#[test]
fn a_decision_on_an_older_record_is_not_stored_and_decided_anew() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let code = device.code(world.now());
    let slow = world.mfa.sign_in_with(Some(code.into()));
    let decision = slow.decide("alice", world.row("alice")).unwrap();
    assert!(!decision.is_rejection());

    sign_in_with(&world, "alice", device.code_in(world.now(), 1)).unwrap();
    let meanwhile = world.row("alice");
    let write = decision.write().expect("an accepted code is written down");
    let swap = world.store.compare_and_swap_blocking(write.clone());
    assert_eq!(swap, Ok(Swap::Conflict));
    assert_eq!(world.row("alice"), meanwhile);

    let anew = slow.decide("alice", meanwhile).unwrap();
    assert_eq!(no(anew.committed::<Infallible>()), Rejection::Reused);
}

type Writer = fn(&World, &Device, &dyn BlockingStore<Error = Infallible>) -> Answer;

/// Everything that writes and leaves the token in force. Each begins before a sign-in, and ends
/// after it.
const WRITERS: [(&str, Writer); 15] = [
    (ACCEPTED[0], |world, device, store| {
        let factor = Some(device.code(world.now()).into());
        let sign_in = world.mfa.sign_in_with(factor);
        sign_in.run_blocking(store, "alice").map(drop)
    }),
    (ACCEPTED[1], |world, device, store| {
        let (grant, code) = (world.password("alice"), device.code(world.now()));
        let step_up = world.mfa.step_up(&grant, code);
        step_up.run_blocking(store, "alice").map(drop)
    }),
    (ACCEPTED[2], |world, device, store| {
        let [code, next] = [0, 1].map(|steps| device.code_in(world.now(), steps));
        let grant = world.password("alice");
        let resynchronise = world.mfa.resynchronise(&grant, code, next);
        resynchronise.run_blocking(store, "alice")
    }),
    ("a wrong code", |world, device, store| {
        let factor = Some(wrong(&[device], world).into());
        let sign_in = world.mfa.sign_in_with(factor);
        sign_in.run_blocking(store, "alice").map(drop)
    }),
    ("a preference", |world, _, store| {
        let grant = world.second_factor("alice");
        let prefer = world.mfa.prefer(&grant, Preference::Preferred);
        prefer.run_blocking(store, "alice")
    }),
    ("turning off", |world, _, store| {
        let grant = world.second_factor("alice");
        let set_enabled = world.mfa.set_enabled(&grant, false);
        set_enabled.run_blocking(store, "alice")
    }),
    ("a new name", |world, _, store| {
        let grant = world.second_factor("alice");
        let rename = world.mfa.rename(&grant, token(world, "alice"), "fob");
        rename.run_blocking(store, "alice")
    }),
    ("forgetting browsers", |world, _, store| {
        let grant = world.second_factor("alice");
        let forget = world.mfa.forget_browsers(&grant);
        forget.run_blocking(store, "alice")
    }),
    ("a new secret", |world, _, store| {
        let associate = world.mfa.associate(&world.second_factor("alice"));
        associate.run_blocking(store, "alice").map(drop)
    }),
    ("new recovery codes", |world, _, store| {
        let grant = world.second_factor("alice");
        let issue = world.mfa.issue_recovery_codes(&grant);
        issue.run_blocking(store, "alice").map(drop)
    }),
    ("a recovery code", |world, _, store| {
        let code = recovery_codes(world, &world.second_factor("alice")).remove(0);
        let sign_in = world.mfa.sign_in_with(Some(code.into()));
        sign_in.run_blocking(store, "alice").map(drop)
    }),
    ("a factor that was vouched for", |world, _, store| {
        let vouched = Vouched::factor(&["hwk"]);
        let sign_in = world.mfa.sign_in_with(Some(vouched.into()));
        sign_in.run_blocking(store, "alice").map(drop)
    }),
    ("an administrator's unlock", |world, _, store| {
        world.mfa.unlock(&admin()).run_blocking(store, "alice")
    }),
    ("an administrator's temporary code", |world, _, store| {
        let hour = Duration::from_secs(3600);
        let issue = world.mfa.issue_temporary_code(&admin(), hour);
        issue.run_blocking(store, "alice").map(drop)
    }),
    ("an administrator's turning off", |world, _, store| {
        let set_enabled = world.mfa.set_enabled(&admin(), false);
        set_enabled.run_blocking(store, "alice")
    }),
];

/// Those that show a code of their own, which is older than that of the sign-in.
const ACCEPTED: [&str; 3] = ["a sign-in", "a step-up", "a resynchronisation"];

/// A slow writer lowering the last step: impossible.
#[test]
fn no_slow_writer_lowers_the_last_step() {
    for (name, writer) in WRITERS {
        let world = World::standard();
        let device = world.enrol("alice");
        let failed = sign_in_with(&world, "alice", wrong(&[&device], &world));
        assert_eq!(no(failed), Rejection::Mismatch);
        world.time.advance(60);
        let fresh = device.code_in(world.now(), 1);
        let sign_in = || sign_in_with(&world, "alice", fresh.clone()).unwrap();
        let store = Interrupted::by(sign_in, &world.store);
        let slow = writer(&world, &device, &store);
        match name {
            _ if ACCEPTED.contains(&name) => assert_eq!(no(slow), Rejection::Reused, "{name}"),
            "a wrong code" => assert_eq!(no(slow), Rejection::Mismatch),
            _ => slow.expect(name),
        }
        for steps in [1, 0, -1] {
            let code = device.code_in(world.now(), steps);
            assert_eq!(
                no(sign_in_with(&world, "alice", code)),
                Rejection::Reused,
                "{name}, {steps} steps on"
            );
        }
    }
}

/// Spaces and Unicode variants of a spent code: one and the same, or malformed.
#[test]
fn a_spent_code_written_otherwise_is_the_same_or_none() {
    let world = World::standard();
    let device = world.enrol("alice");
    let spent = device.code(world.now()).expose().to_string();
    let (left, right) = spent.split_at(3);
    let in_digits_from = |zero: char| -> String {
        let digit = |ascii: char| char::from_u32(u32::from(zero) + ascii.to_digit(10)?);
        spent.chars().map(|ascii| digit(ascii).unwrap()).collect()
    };

    let same = [
        format!("{left} {right}"),
        format!("{left}-{right}"),
        format!("  {spent} "),
        format!("--{left} - {right}-"),
        format!("{spent}\n"),
    ];
    let white = ["\u{a0}", "\u{2009}", "\u{3000}", "\u{85}", "\t", "\n", "\r"];
    let white = white.map(|white| format!("{white}{left}{white}{right}{white}"));
    for written in same.into_iter().chain(white) {
        let code = Code::parse(&written).unwrap();
        let again = || sign_in_with(&world, "alice", code);
        assert_eq!(
            untouched(&world, "alice", again),
            Rejection::Reused,
            "{written:?}"
        );
    }

    for other in [
        "\u{200b}", "\u{ad}", "\u{2010}", "\u{2013}", "\u{2212}", "\u{feff}", "\0", ".", ",", "_",
        "+", "e", "\u{301}", "\u{20e3}",
    ] {
        for written in [
            format!("{left}{other}{right}"),
            format!("{other}{spent}"),
            format!("{spent}{other}"),
        ] {
            assert_eq!(
                Code::parse(&written),
                Err(CodeError::NotDigits),
                "{written:?}"
            );
        }
    }
    // Arabic-Indic, Devanagari, fullwidth, mathematical, superscript.
    for zero in ['\u{660}', '\u{966}', '\u{ff10}', '\u{1d7ce}', '\u{2070}'] {
        let written = in_digits_from(zero);
        assert_eq!(
            Code::parse(&written),
            Err(CodeError::NotDigits),
            "{written:?}"
        );
    }

    let expected = Digits::Six;
    for written in [
        format!("0{spent}"),
        format!("{spent}0"),
        format!("00{spent}"),
    ] {
        let longer = Code::parse(&written).unwrap();
        let longer = || sign_in_with(&world, "alice", longer);
        let length = Rejection::CodeLength { expected };
        assert_eq!(untouched(&world, "alice", longer), length, "{written:?}");
    }
    for (written, digits) in [(format!("000{spent}"), 9), (spent[1..].into(), 5)] {
        assert_eq!(Code::parse(&written), Err(CodeError::Length { digits }));
    }
    let folded = format!("4294967296{spent}"); // 2^32, as a prefix
    assert!(Code::parse(&folded).is_err());
}

/// Lists the operations whose answer is kept for the attempt that was named.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Repeats {
    SignInWith,
    StepUp,
    Respond,
}

impl Repeats {
    const ALL: [Self; 3] = [Self::SignInWith, Self::StepUp, Self::Respond];
}

/// Repeats what was asked, always in the same session and by the same grant.
struct Caller<'w> {
    world: &'w World,
    session: softtoken::ChallengeSession,
    grant: Grant,
}

impl<'w> Caller<'w> {
    fn new(world: &'w World) -> Self {
        Self {
            world,
            session: world.challenge("alice"),
            grant: world.password("alice").with_id("login-1"),
        }
    }

    fn asks(
        &self,
        operation: Repeats,
        key: &AttemptKey,
        factor: impl Into<Factor>,
    ) -> Answer<Evidence> {
        let (World { mfa, store, .. }, key) = (self.world, key.clone());
        match operation {
            Repeats::SignInWith => {
                let request = mfa.sign_in_with(Some(factor.into())).attempt(key);
                match request.run_blocking(store, "alice")? {
                    SignedIn::Proven(evidence) => Ok(evidence),
                    other => panic!("nothing was judged: {other:?}"),
                }
            }
            Repeats::StepUp => {
                let request = mfa.step_up(&self.grant, factor).attempt(key);
                request.run_blocking(store, "alice")
            }
            Repeats::Respond => {
                let request = mfa.respond(&self.session, factor).attempt(key);
                request.run_blocking(store, "alice")
            }
        }
    }
}

fn key() -> AttemptKey {
    AttemptKey::generate(&OsEntropy).unwrap()
}

/// Signs in with an attempt that was named.
fn attempt(world: &World, key: &AttemptKey, code: &Code) -> Answer<Evidence> {
    Caller::new(world).asks(Repeats::SignInWith, key, code.clone())
}

/// Rule K5: the same again gives the same evidence with its first time, until the code's window has
/// passed.
#[test]
fn the_same_attempt_again_is_given_the_same_evidence_until_the_code_would_be_refused() {
    for operation in Repeats::ALL {
        for (ahead, open_for) in [(-1, 15), (0, 45), (1, 75)] {
            let world = World::standard();
            let device = world.enrol("alice");
            world.time.advance(90);
            let (caller, key) = (Caller::new(&world), key());
            let code = device.code_in(world.now(), ahead);
            let first = caller.asks(operation, &key, code.clone()).unwrap();
            assert_eq!(first.at(), world.now());
            world.events();

            let row = world.row("alice");
            for seconds in [0, 1, open_for - 2] {
                world.time.advance(seconds);
                let again = caller.asks(operation, &key, code.clone());
                assert_eq!(again.unwrap(), first, "{operation:?}");
                assert_eq!(world.events(), [EventKind::AnsweredAgain]);
            }
            assert_eq!(world.row("alice"), row, "it is a read");

            world.time.advance(1);
            let late = no(caller.asks(operation, &key, code));
            let told = match operation {
                Repeats::Respond => Rejection::InvalidSession,
                Repeats::SignInWith | Repeats::StepUp => Rejection::Mismatch,
            };
            assert_eq!(late, told, "{operation:?}, {ahead} steps ahead");
        }
    }
}

/// Rule K5: until the code's window has passed, which is a later one where the user's clock is
/// slow.
#[test]
fn the_same_attempt_of_a_slow_clock_is_answered_for_as_long_as_its_code_is_good() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(600);
    let grant = world.password("alice");
    let [code, next] = [-4, -3].map(|steps| device.code_in(world.now(), steps));
    let resynchronise = world.mfa.resynchronise(&grant, code, next);
    resynchronise.run_blocking(&world.store, "alice").unwrap();

    world.time.advance(60);
    let (caller, key) = (Caller::new(&world), key());
    let code = device.code_in(world.now(), -3);
    let first = caller.asks(Repeats::StepUp, &key, code.clone());
    let first = first.unwrap();
    world.time.advance(44);
    let again = caller.asks(Repeats::StepUp, &key, code.clone());
    assert_eq!(again.unwrap(), first);
    world.time.advance(1);
    let late = caller.asks(Repeats::StepUp, &key, code);
    assert_eq!(no(late), Rejection::Mismatch);
}

/// The idempotency key with another code: judged as ever.
#[test]
fn the_attempt_key_with_another_code_is_judged_as_ever() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let key = key();
    let code = device.code(world.now());
    let first = attempt(&world, &key, &code).unwrap();
    assert_eq!(attempt(&world, &key, &code).unwrap(), first);

    world.events();
    let guess = wrong(&[&device], &world);
    assert_eq!(no(attempt(&world, &key, &guess)), Rejection::Mismatch);
    let earlier = device.code_in(world.now(), -1);
    assert_eq!(no(attempt(&world, &key, &earlier)), Rejection::Reused);
    let later = device.code_in(world.now(), 1);
    let second = attempt(&world, &key, &later).unwrap();
    assert_ne!(second.step(), first.step());
    assert_eq!(
        world.events().last(),
        Some(&signed_in(1)),
        "the guess was counted"
    );
    assert_eq!(
        no(attempt(&world, &key, &code)),
        Rejection::Reused,
        "only the last answer"
    );
}

/// The idempotency key with another code: judged as ever. (Rule K5: in another session or context,
/// in another's record, or without the key, as well.)
#[test]
fn a_spent_code_is_given_its_evidence_again_to_nobody_but_its_attempt() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let key = key();
    let (session, other) = (world.challenge("alice"), world.challenge("alice"));
    let code = device.code(world.now());
    let answer = |session, key: &AttemptKey| {
        let request = world.mfa.respond(session, code.clone());
        request
            .attempt(key.clone())
            .run_blocking(&world.store, "alice")
    };
    let first = answer(&session, &key).unwrap();
    world.time.advance(7);
    assert_eq!(
        answer(&session, &key).unwrap(),
        first,
        "its first time included"
    );

    let another = AttemptKey::generate(&OsEntropy).unwrap();
    assert_eq!(no(answer(&other, &key)), Rejection::Reused);
    assert_eq!(no(answer(&session, &another)), Rejection::InvalidSession);
    assert_eq!(
        no(respond(&world, "alice", &session, code.clone())),
        Rejection::InvalidSession
    );
    assert_eq!(
        no(respond(&world, "alice", &other, code.clone())),
        Rejection::Reused
    );
    assert_eq!(no(attempt(&world, &key, &code)), Rejection::Reused);
    assert_eq!(
        no(sign_in_with(&world, "alice", code.clone())),
        Rejection::Reused
    );
    let elsewhere = world.mfa.with_context(context("elsewhere"));
    let request = elsewhere.respond(&session, code.clone());
    let request = request.attempt(key.clone());
    assert_eq!(
        no(request.run_blocking(&world.store, "alice")),
        Rejection::InvalidSession
    );
    world.enrol("bob");
    let of_bob = world.mfa.step_up(&world.password("bob"), code.clone());
    let of_bob = of_bob.attempt(key.clone());
    assert_eq!(
        no(of_bob.run_blocking(&world.store, "bob")),
        Rejection::Mismatch
    );
    assert_eq!(answer(&session, &key).unwrap(), first);
}

/// The idempotency key with another code: judged as ever. (Rule K5: in another context as well,
/// where no session says which it is.)
#[test]
fn the_attempt_that_is_repeated_in_another_context_is_judged_as_ever() {
    let mut world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let key = key();
    let code = device.code(world.now());
    let grant = world.password("alice");
    let asks = |world: &World| {
        let step_up = world.mfa.step_up(&grant, code.clone()).attempt(key.clone());
        step_up.run_blocking(&world.store, "alice")
    };
    let first = asks(&world).unwrap();
    let original = world.mfa.clone();
    for other in ["elsewhere", "worl", "world2", "w"] {
        world.mfa = original.with_context(context(other));
        assert_eq!(no(asks(&world)), Rejection::Reused, "{other}");
        assert_eq!(
            no(attempt(&world, &key, &code)),
            Rejection::Reused,
            "{other}"
        );
    }
    world.mfa = original;
    assert_eq!(asks(&world).unwrap(), first);
}

/// The idempotency key with another code: judged as ever. (Rule K5: in another operation as well.)
#[test]
fn the_attempt_that_is_repeated_in_another_operation_is_judged_as_ever() {
    let world = World::standard();
    let device = world.enrol("alice");
    for first in Repeats::ALL {
        for second in Repeats::ALL {
            world.time.advance(120);
            let (caller, key) = (Caller::new(&world), key());
            let code = device.code(world.now());
            let evidence = caller.asks(first, &key, code.clone()).unwrap();
            let again = caller.asks(second, &key, code);
            if first == second {
                assert_eq!(again.unwrap(), evidence);
            } else {
                assert_eq!(no(again), Rejection::Reused, "{first:?}, {second:?}");
            }
        }
    }
}

/// The idempotency key with another code: judged as ever. (Rule K5: in another operation as well,
/// so that the set-up code does not sign in.)
#[test]
fn the_attempt_that_set_up_a_token_does_not_sign_in() {
    let world = World::standard();
    let device = Device::of(&world.associate("alice"));
    let key = key();
    let code = device.code(world.now());
    let grant = world.password("alice");
    let verify = || {
        let verify = world.mfa.verify(&grant, code.clone());
        verify
            .attempt(key.clone())
            .run_blocking(&world.store, "alice")
    };
    let first = verify().unwrap();
    world.time.advance(7);
    assert_eq!(verify().unwrap().evidence(), first.evidence());
    let caller = Caller::new(&world);
    for operation in Repeats::ALL {
        let attack = || caller.asks(operation, &key, code.clone());
        assert_eq!(untouched(&world, "alice", attack), Rejection::Reused);
    }
}

/// The idempotency key with another code: judged as ever. (Rule K5: the codes are those of the
/// attempt, each of two in a row.)
#[test]
fn the_attempt_that_set_up_a_token_by_two_codes_is_repeated_by_the_same_two() {
    let world = World::new(Policy::STANDARD.required());
    let setup = world.setup("alice");
    let associate = world.mfa.associate(&setup);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let (device, key) = (Device::of(&issued), key());
    let session = issued.session().unwrap();
    let [code, next, later] = [5, 6, 7].map(|steps| device.code_in(world.now(), steps));
    let verify = |codes: &[&Code]| {
        let verify = world.mfa.verify(session, codes[0].clone());
        let verify = match codes {
            [_, next] => verify.followed_by((*next).clone()),
            _ => verify,
        };
        let verify = verify.attempt(key.clone());
        verify.run_blocking(&world.store, "alice")
    };
    let first = verify(&[&code, &next]).unwrap();
    let again = verify(&[&code, &next]).unwrap();
    assert_eq!(again.evidence(), first.evidence());
    for other in [
        &[&code] as &[_],
        &[&next],
        &[&next, &code],
        &[&code, &later],
    ] {
        let attack = || verify(other);
        let refused = untouched(&world, "alice", attack);
        assert_eq!(refused, Rejection::AlreadyVerified);
    }
}

/// The idempotency key with another code: judged as ever. (Rule K5: in another generation as well.)
#[test]
fn the_attempt_that_is_repeated_after_a_replacement_or_a_reset_is_judged_as_ever() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let key = key();
    let code = device.code(world.now());
    let first = attempt(&world, &key, &code).unwrap();
    let new = replace(&world, &Grant::from(&first));
    assert_eq!(no(attempt(&world, &key, &code)), Rejection::Mismatch);

    let code = new.code_in(world.now(), 1);
    let caller = Caller::new(&world);
    let _ = caller.asks(Repeats::StepUp, &key, code.clone()).unwrap();
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    let again = caller.asks(Repeats::StepUp, &key, code);
    assert_eq!(no(again), Rejection::NotAssociated);
}

/// The idempotency key with another code: judged as ever. (Rule K5: in another generation as well,
/// where the token that was shown is in force still.)
#[test]
fn the_attempt_that_is_repeated_after_another_token_came_or_went_is_judged_as_ever() {
    let policy = Policy::builder().max_tokens(2).build().unwrap();
    let world = World::new(policy);
    let device = world.enrol("alice");
    world.time.advance(60);
    let (caller, key) = (Caller::new(&world), key());
    let asks = |code: &Code| caller.asks(Repeats::StepUp, &key, code.clone());

    let code = device.code(world.now());
    let grant = Grant::from(&asks(&code).unwrap());
    let _ = replace(&world, &grant);
    assert_eq!(no(asks(&code)), Rejection::Reused, "one was added");

    let code = device.code_in(world.now(), 1);
    let first = asks(&code).unwrap();
    assert_eq!(asks(&code).unwrap(), first);
    let status = world.mfa.status().run_blocking(&world.store, "alice");
    let added = status.unwrap().tokens[1].id;
    let remove = world.mfa.remove(&grant, added);
    remove.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(no(asks(&code)), Rejection::Reused, "it was removed");
}

/// Associates and verifies; the policy says whether that replaces the token in force.
fn replace(world: &World, grant: &Grant) -> Device {
    let device = replacement(world, grant);
    let verify = world.mfa.verify(grant, device.code(world.now()));
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    device
}

/// Rule K14: the idempotency key is not for recovery codes, nor for what was vouched.
#[test]
fn the_attempt_key_gives_neither_a_recovery_code_nor_a_vouched_factor_again() {
    for operation in Repeats::ALL {
        let world = World::standard();
        let (device, grant) = world.enrolled("alice");
        let codes = recovery_codes(&world, &grant);
        world.time.advance(60);
        let key = key();

        let caller = Caller::new(&world);
        let _ = caller.asks(operation, &key, codes[0].clone()).unwrap();
        let again = no(caller.asks(operation, &key, codes[0].clone()));
        let told = match operation {
            Repeats::Respond => Rejection::InvalidSession,
            Repeats::SignInWith | Repeats::StepUp => Rejection::Mismatch,
        };
        assert_eq!(again, told, "{operation:?}");

        let caller = Caller::new(&world);
        let vouch = || caller.asks(operation, &key, Vouched::factor(&["hwk"]));
        let first = vouch().unwrap();
        world.time.advance(1);
        world.events();
        if operation == Repeats::Respond {
            assert_eq!(no(vouch()), Rejection::InvalidSession);
        } else {
            let second = vouch().unwrap();
            assert!(second.at() > first.at(), "it is another one");
        }
        assert!(!world.events().contains(&EventKind::AnsweredAgain));

        // Nor is the answer to a code given to either.
        let caller = Caller::new(&world);
        let proven = caller.asks(operation, &key, device.code(world.now()));
        assert_eq!(proven.unwrap().method(), Method::SoftwareToken);
        let again = caller.asks(operation, &key, codes[0].clone());
        let _ = no(again);
        if let Ok(evidence) = caller.asks(operation, &key, Vouched::factor(&["hwk"])) {
            assert_eq!(evidence.method(), Method::Vouched);
        }
    }
}

/// The idempotency key with another code: judged as ever. One attempt repeated in parallel is one
/// sign-in.
#[test]
fn one_attempt_repeated_in_parallel_is_one_sign_in() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(60);
        let code = device.code(world.now());
        let key = key();
        world.events();
        let answers = together(THREADS, |thread| {
            let repeated = thread % 4 != 0;
            let other = AttemptKey::generate(&OsEntropy).unwrap();
            attempt(&world, if repeated { &key } else { &other }, &code)
        });
        accepted(&answers, &[Rejection::Reused]);
        let mut evidence: Vec<_> = answers.into_iter().filter_map(Result::ok).collect();
        evidence.dedup();
        assert_eq!(evidence.len(), 1);
        let signed_in = |event: &&EventKind| matches!(event, EventKind::SignedIn { .. });
        assert_eq!(world.events().iter().filter(signed_in).count(), 1);
    }
}

/// One after another: reused. (Rule C3: and the session that it was accepted in is spent.)
#[test]
fn a_spent_session_says_so_only_in_the_event() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let session = world.challenge("alice");
    respond(&world, "alice", &session, device.code(world.now())).unwrap();
    let fresh = device.code_in(world.now(), 1);
    let again = || respond(&world, "alice", &session, fresh);
    assert_eq!(untouched(&world, "alice", again), Rejection::InvalidSession);
    assert_eq!(flaw(&world), SessionFlaw::Spent);
}
