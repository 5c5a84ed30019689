//! A code that was accepted before.

use softtoken::association::Method;
use softtoken::totp::{Code, CodeError, Digits};
use softtoken::{
    Administrator, AttemptKey, BlockingStore, EventKind, Evidence, OsEntropy, Preference,
    Rejection, Swap,
};

use super::{
    Answer, ROUNDS, THREADS, accepted, authenticate, flaw, no, recovery_codes, respond, untouched,
    wrong,
};
use crate::crowd::{Interrupted, together};
use crate::world::{Device, World};

/// One code sent N times in parallel: exactly one success.
#[test]
fn one_code_sent_in_parallel_is_accepted_once() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(60);
        world.events();
        let code = device.code(world.now());
        let answers = together(THREADS, |_| authenticate(&world, "alice", code.clone()));
        assert_eq!(accepted(&answers, &[Rejection::Reused]), 1);

        let events = world.events();
        let told = |wanted: EventKind| events.iter().filter(|told| **told == wanted).count();
        let step = softtoken::totp::Totp::STANDARD.step(world.now());
        let method = Method::SoftwareToken;
        assert_eq!(
            told(EventKind::SignedIn {
                method,
                failures: 0
            }),
            1
        );
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
        let answers = together(THREADS, |thread| match thread % 3 {
            0 => authenticate(&world, "alice", code.clone()),
            1 => respond(&world, "alice", &sessions[thread], code.clone()),
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

    let step = softtoken::totp::Totp::STANDARD.step(world.now());
    for _ in 0..4 {
        let by_session = untouched(&world, "alice", || {
            respond(&world, "alice", &second, code.clone())
        });
        let alone = untouched(&world, "alice", || {
            authenticate(&world, "alice", code.clone())
        });
        assert_eq!([by_session, alone], [Rejection::Reused; 2]);
        assert_eq!(world.events(), [EventKind::ReusedCode { step }; 2]);
        world.time.advance(11);
    }
    world.time.advance(30);
    assert_eq!(no(authenticate(&world, "alice", code)), Rejection::Mismatch);
}

/// One after another: reused. (SPEC 7: not a guess; not counted, nothing cleared.)
#[test]
fn a_spent_code_is_no_guess_and_clears_none() {
    let world = World::standard();
    let device = world.enrol("alice");
    let spent = device.code(world.now());
    for _ in 0..2 {
        let code = wrong(&[&device], &world);
        assert_eq!(no(authenticate(&world, "alice", code)), Rejection::Mismatch);
    }
    for _ in 0..50 {
        let again = || authenticate(&world, "alice", spent.clone());
        assert_eq!(untouched(&world, "alice", again), Rejection::Reused);
    }
    world.events();
    authenticate(&world, "alice", device.code_in(world.now(), 1)).unwrap();
    let method = Method::SoftwareToken;
    assert_eq!(
        world.events(),
        [EventKind::SignedIn {
            method,
            failures: 2
        }]
    );
}

/// The code of step T+1, then of T: refused.
#[test]
fn a_code_of_an_earlier_step_than_the_last_is_refused() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(90);
    authenticate(&world, "alice", device.code_in(world.now(), 1)).unwrap();
    for steps in [0, -1] {
        let code = device.code_in(world.now(), steps);
        let earlier = || authenticate(&world, "alice", code);
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
            let request = world.mfa.authenticate(code);
            let evidence = request.run_blocking(&world.store, "alice")?;
            let row = world.row("alice").unwrap();
            Ok((evidence.step().unwrap(), row.revision))
        });
        accepted(&answers, &[Rejection::Reused]);
        let mut steps: Vec<_> = answers.into_iter().filter_map(Result::ok).collect();
        steps.sort_unstable();
        let last = device.code_in(world.now(), 1);
        assert_eq!(no(authenticate(&world, "alice", last)), Rejection::Reused);
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
    let slow = world.mfa.authenticate(device.code(world.now()));
    let decision = slow.decide("alice", world.row("alice")).unwrap();
    assert!(!decision.is_refusal());

    authenticate(&world, "alice", device.code_in(world.now(), 1)).unwrap();
    let meanwhile = world.row("alice");
    let write = decision.write().expect("an accepted code is written down");
    let swap = world.store.compare_and_swap_blocking(write.clone());
    assert_eq!(swap, Ok(Swap::Conflict));
    assert_eq!(world.row("alice"), meanwhile);

    let anew = slow.decide("alice", meanwhile).unwrap();
    assert_eq!(anew.committed().unwrap_err(), Rejection::Reused);
}

type Writer = fn(&World, &Device, &dyn BlockingStore<Error = core::convert::Infallible>) -> Answer;

/// Everything that writes and leaves the token in force. Each begins before a sign-in, and ends after it.
const WRITERS: [(&str, Writer); 7] = [
    ("an accepted code", |world, device, store| {
        let code = device.code(world.now());
        world
            .mfa
            .authenticate(code)
            .run_blocking(store, "alice")
            .map(drop)
    }),
    ("a wrong code", |world, device, store| {
        let code = wrong(&[device], world);
        world
            .mfa
            .authenticate(code)
            .run_blocking(store, "alice")
            .map(drop)
    }),
    ("a preference", |world, _, store| {
        let prefer = world.mfa.prefer(world.password(), Preference::Preferred);
        prefer.run_blocking(store, "alice")
    }),
    ("a new secret", |world, _, store| {
        let associate = world.mfa.associate(world.second_factor());
        associate.run_blocking(store, "alice").map(drop)
    }),
    ("new recovery codes", |world, _, store| {
        let issue = world.mfa.issue_recovery_codes(world.second_factor());
        issue.run_blocking(store, "alice").map(drop)
    }),
    ("a recovery code", |world, _, store| {
        let code = recovery_codes(world, "alice").remove(0);
        world
            .mfa
            .recover(code)
            .run_blocking(store, "alice")
            .map(drop)
    }),
    ("an administrator", |world, _, store| {
        world.mfa.unlock(Administrator).run_blocking(store, "alice")
    }),
];

/// A slow writer lowering the last step: impossible.
#[test]
fn no_slow_writer_lowers_the_last_step() {
    for (name, writer) in WRITERS {
        let world = World::standard();
        let device = world.enrol("alice");
        let failed = authenticate(&world, "alice", wrong(&[&device], &world));
        assert_eq!(no(failed), Rejection::Mismatch);
        world.time.advance(60);
        let fresh = device.code_in(world.now(), 1);
        let sign_in = || authenticate(&world, "alice", fresh.clone()).unwrap();
        let store = Interrupted::by(sign_in, &world.store);
        let slow = writer(&world, &device, &store);
        if name == "an accepted code" {
            assert_eq!(no(slow), Rejection::Reused, "{name}");
        }
        for steps in [1, 0, -1] {
            let code = device.code_in(world.now(), steps);
            assert_eq!(
                no(authenticate(&world, "alice", code)),
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
        let again = || authenticate(&world, "alice", code);
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
        let longer = || authenticate(&world, "alice", longer);
        let length = Rejection::CodeLength { expected };
        assert_eq!(untouched(&world, "alice", longer), length, "{written:?}");
    }
    for (written, digits) in [(format!("000{spent}"), 9), (spent[1..].into(), 5)] {
        assert_eq!(Code::parse(&written), Err(CodeError::Length { digits }));
    }
    let folded = format!("4294967296{spent}"); // 2^32, as a prefix
    assert!(Code::parse(&folded).is_err());
}

fn attempt(world: &World, key: &AttemptKey, code: &Code) -> Answer<Evidence> {
    let request = world.mfa.authenticate(code.clone()).attempt(key.clone());
    request.run_blocking(&world.store, "alice")
}

/// The idempotency key with another code: judged as ever.
#[test]
fn the_attempt_key_with_another_code_is_judged_as_ever() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let key = AttemptKey::generate(&OsEntropy).unwrap();
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
    let method = Method::SoftwareToken;
    let signed_in = EventKind::SignedIn {
        method,
        failures: 1,
    };
    assert_eq!(
        world.events().last(),
        Some(&signed_in),
        "the guess was counted"
    );
    assert_eq!(
        no(attempt(&world, &key, &code)),
        Rejection::Reused,
        "only the last answer"
    );
}

/// The idempotency key with another code: judged as ever. (SPEC 10: in another operation, session or context, or
/// without the key, as well.)
#[test]
fn a_spent_code_is_given_its_evidence_again_to_nobody_but_its_attempt() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let key = AttemptKey::generate(&OsEntropy).unwrap();
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
        no(authenticate(&world, "alice", code.clone())),
        Rejection::Reused
    );
    world.enrol("bob");
    let of_bob = world.mfa.authenticate(code.clone()).attempt(key.clone());
    assert_eq!(
        no(of_bob.run_blocking(&world.store, "bob")),
        Rejection::Mismatch
    );
    assert_eq!(answer(&session, &key).unwrap(), first);

    world.time.advance(53);
    assert_eq!(
        no(answer(&session, &key)),
        Rejection::InvalidSession,
        "its window has passed"
    );
}

/// The idempotency key with another code: judged as ever. (SPEC 10: in another operation as well, so that the set-up code
/// does not sign in.)
#[test]
fn the_attempt_that_set_up_a_token_does_not_sign_in() {
    let world = World::standard();
    let device = Device::of(&world.associate("alice"));
    let key = AttemptKey::generate(&OsEntropy).unwrap();
    let code = device.code(world.now());
    let verify = || {
        let verify = world.mfa.verify(world.password(), code.clone());
        verify
            .attempt(key.clone())
            .run_blocking(&world.store, "alice")
    };
    let first = verify().unwrap();
    assert_eq!(verify().unwrap().evidence(), first.evidence());
    let attack = || attempt(&world, &key, &code);
    assert_eq!(untouched(&world, "alice", attack), Rejection::Reused);
}

/// The idempotency key with another code: judged as ever. (SPEC 10: in another generation as well.)
#[test]
fn the_attempt_that_is_repeated_after_a_replacement_is_judged_as_ever() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    let key = AttemptKey::generate(&OsEntropy).unwrap();
    let code = device.code(world.now());
    let _ = attempt(&world, &key, &code).unwrap();
    let new = replace(&world);
    assert_eq!(no(attempt(&world, &key, &code)), Rejection::Mismatch);

    let code = new.code_in(world.now(), 1);
    let _ = attempt(&world, &key, &code).unwrap();
    world
        .mfa
        .reset(Administrator)
        .run_blocking(&world.store, "alice")
        .unwrap();
    assert_eq!(no(attempt(&world, &key, &code)), Rejection::NotAssociated);
}

fn replace(world: &World) -> Device {
    let device = super::replacement(world, "alice");
    let verify = world
        .mfa
        .verify(world.second_factor(), device.code(world.now()));
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    device
}

/// The idempotency key with another code: judged as ever. One attempt repeated in parallel is one sign-in.
#[test]
fn one_attempt_repeated_in_parallel_is_one_sign_in() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(60);
        let code = device.code(world.now());
        let key = AttemptKey::generate(&OsEntropy).unwrap();
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

/// One after another: reused. (SPEC 6: and the session that it was accepted in is spent.)
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
    assert_eq!(flaw(&world), softtoken::association::SessionFlaw::Spent);
}
