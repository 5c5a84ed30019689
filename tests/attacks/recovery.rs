//! Recovery codes, each of which is good for one sign-in.

use softtoken::association::{Method, SessionFlaw};
use softtoken::{Administrator, EventKind, Policy, RecoveryCode, Rejection};

use super::{
    Answer, ROUNDS, THREADS, accepted, authenticate, flaw, no, recover, recovery_codes, respond,
    untouched, wrong,
};
use crate::crowd::together;
use crate::world::World;

fn within(
    world: &World,
    subject: &str,
    session: &softtoken::Session,
    code: &RecoveryCode,
) -> Answer {
    let recover = world.mfa.recover(code.clone()).within(session);
    recover.run_blocking(&world.store, subject).map(drop)
}

/// A recovery code twice: once.
#[test]
fn a_recovery_code_is_accepted_once_however_it_is_written() {
    let world = World::standard();
    let _ = world.enrol("alice");
    let codes = recovery_codes(&world, "alice");
    for (code, left) in codes.iter().zip((0..10).rev()) {
        world.events();
        recover(&world, "alice", code).unwrap();
        let method = Method::RecoveryCode;
        let used = EventKind::RecoveryCodeUsed { left };
        assert_eq!(
            world.events(),
            [
                used,
                EventKind::SignedIn {
                    method,
                    failures: 0
                }
            ]
        );

        let shown = code.expose();
        let typed = shown.to_lowercase().replace('-', " ");
        let misread = shown.replace('0', "O").replace('1', "l");
        for again in [shown.as_str(), &typed, &misread] {
            let again = RecoveryCode::parse(again).unwrap();
            assert_eq!(again, *code);
            let session = world.challenge("alice");
            let attack = || recover(&world, "alice", &again);
            assert_eq!(untouched(&world, "alice", attack), Rejection::Mismatch);
            let attack = || within(&world, "alice", &session, &again);
            assert_eq!(untouched(&world, "alice", attack), Rejection::Mismatch);
        }
    }
}

/// A recovery code in parallel: once.
#[test]
fn one_recovery_code_in_parallel_is_accepted_once() {
    let world = World::standard();
    let _ = world.enrol("alice");
    for _ in 0..ROUNDS {
        let codes = recovery_codes(&world, "alice");
        for code in &codes[..2] {
            let sessions: Vec<_> = (0..THREADS).map(|_| world.challenge("alice")).collect();
            let answers = together(THREADS, |thread| {
                if thread % 2 == 0 {
                    recover(&world, "alice", code)
                } else {
                    within(&world, "alice", &sessions[thread], code)
                }
            });
            assert_eq!(accepted(&answers, &[Rejection::Mismatch]), 1);
        }
        let status = world.mfa.status().run_blocking(&world.store, "alice");
        assert_eq!(status.unwrap().recovery_codes, 8);
        world.time.advance(180);
    }
}

/// A recovery code in parallel: once. Two codes in one session: one of them, and the other is not lost.
#[test]
fn one_session_is_recovered_once() {
    let world = World::standard();
    let _ = world.enrol("alice");
    for _ in 0..ROUNDS {
        let codes = recovery_codes(&world, "alice");
        let session = world.challenge("alice");
        let answers = together(2, |thread| {
            within(&world, "alice", &session, &codes[thread])
        });
        assert_eq!(accepted(&answers, &[Rejection::InvalidSession]), 1);
        for (answer, code) in answers.iter().zip(&codes) {
            let left = recover(&world, "alice", code);
            assert_eq!(left.is_ok(), answer.is_err());
        }
        world.time.advance(180);
    }
}

/// A recovery code twice: once. One of a set that was replaced, of a token that is gone, or of another user: never.
#[test]
fn a_recovery_code_is_good_for_nothing_but_the_token_it_was_issued_for() {
    let world = World::standard();
    let _ = world.enrol("alice");
    let replaced = recovery_codes(&world, "alice");
    let codes = recovery_codes(&world, "alice");
    let _ = world.enrol("bob");
    let _ = recovery_codes(&world, "bob");
    for code in &replaced {
        let attack = || recover(&world, "alice", code);
        assert_eq!(untouched(&world, "alice", attack), Rejection::Mismatch);
    }
    let of_another = || recover(&world, "bob", &codes[0]);
    assert_eq!(untouched(&world, "bob", of_another), Rejection::Mismatch);

    let remove = world.mfa.disassociate(world.second_factor());
    remove.run_blocking(&world.store, "alice").unwrap();
    let attack = || recover(&world, "alice", &codes[0]);
    assert_eq!(untouched(&world, "alice", attack), Rejection::NotAssociated);
    let _ = world.enrol("alice");
    assert_eq!(untouched(&world, "alice", attack), Rejection::Mismatch);

    let codes = recovery_codes(&world, "alice");
    let reset = world.mfa.reset(Administrator);
    reset.run_blocking(&world.store, "alice").unwrap();
    let _ = world.enrol("alice");
    let attack = || recover(&world, "alice", &codes[0]);
    assert_eq!(untouched(&world, "alice", attack), Rejection::Mismatch);
}

/// A recovery code twice: once. (SPEC 7: its failures are events, and not counted; it waits for no throttle.)
#[test]
fn guessing_recovery_codes_throttles_nobody() {
    let world = World::standard();
    let device = world.enrol("alice");
    let codes = recovery_codes(&world, "alice");
    let guess = RecoveryCode::parse("0123-4567-89AB-CDEF").unwrap();
    world.events();
    for _ in 0..100 {
        let attack = || recover(&world, "alice", &guess);
        assert_eq!(untouched(&world, "alice", attack), Rejection::Mismatch);
    }
    let rejection = Rejection::Mismatch;
    assert_eq!(
        world.events(),
        [EventKind::Refused {
            rejection,
            flaw: None
        }; 100]
    );
    authenticate(&world, "alice", device.code_in(world.now(), 1)).unwrap();

    for _ in 0..3 {
        let code = wrong(&[&device], &world);
        assert_eq!(no(authenticate(&world, "alice", code)), Rejection::Mismatch);
    }
    let session = world.challenge("alice");
    within(&world, "alice", &session, &codes[0]).expect("it waits for no throttle");
    world.time.advance(60);
    let spent = respond(&world, "alice", &session, device.code(world.now()));
    assert_eq!(no(spent), Rejection::InvalidSession);
    assert_eq!(flaw(&world), SessionFlaw::Spent);
    authenticate(&world, "alice", device.code(world.now())).expect("the throttle is cleared");
}

/// A recovery code where no token is in force: it is no second factor of its own.
#[test]
fn no_recovery_code_is_issued_or_taken_without_a_token() {
    let world = World::new(Policy::COGNITO);
    let _ = world.associate("alice");
    let issue = world.mfa.issue_recovery_codes(Administrator);
    let attack = || issue.run_blocking(&world.store, "alice");
    assert_eq!(untouched(&world, "alice", attack), Rejection::NotAssociated);
    let guess = RecoveryCode::parse("0123-4567-89AB-CDEF").unwrap();
    let attack = || recover(&world, "alice", &guess);
    assert_eq!(untouched(&world, "alice", attack), Rejection::NotAssociated);
}
