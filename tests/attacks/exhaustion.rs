//! More of something than anybody needs, so that there is none left for the user.

use core::time::Duration;

use softtoken::totp::{Algorithm, Digits, Totp, Window};
use softtoken::{Policy, PolicyError, RecoveryCode, Rejection};

use super::{Touch, authenticate, no, recovery_codes, respond, wrong};
use crate::crowd::together;
use crate::world::{Device, World};

/// Thousands of sessions opened by one who has the password: nobody else is kept out, and nothing is stored.
#[test]
fn opening_thousands_of_sessions_stores_nothing_and_ends_none() {
    let world = World::standard();
    let [alice, bob] = ["alice", "bob"].map(|subject| world.enrol(subject));
    world.time.advance(60);
    let first = world.challenge("alice");
    let before = world.row("alice");
    let opened = together(4, |_| (0..500).map(|_| world.challenge("alice")).last());
    assert_eq!(world.row("alice"), before);
    assert_eq!(world.store.len(), 2);

    let session = world.challenge("bob");
    respond(&world, "bob", &session, bob.code(world.now())).unwrap();
    respond(&world, "alice", &first, alice.code(world.now())).unwrap();
    for session in opened.into_iter().flatten() {
        world.time.advance(30);
        respond(&world, "alice", &session, alice.code(world.now())).unwrap();
    }
}

/// Thousands of `associate` calls by one who has the password: nobody else is kept out, and the user sets up a token
/// and signs in.
#[test]
fn thousands_of_associate_calls_keep_nobody_from_setting_up() {
    let world = World::standard();
    let length = |_| world.row("alice").unwrap().record.len();
    let first = length(world.associate("alice"));
    together(4, |_| {
        for _ in 0..250 {
            // Where they race each other, one may lose every time.
            let associate = world.mfa.associate(world.password());
            if let Err(error) = associate.run_blocking(&world.store, "alice") {
                assert_eq!(error.code(), "contended");
            }
        }
    });
    assert_eq!(length(world.associate("alice")), first);
    let bob = world.enrol("bob");
    let alice = world.enrol("alice");

    world.time.advance(60);
    let before = world.row("alice");
    for _ in 0..1000 {
        for touch in [Touch::Associate, Touch::Disassociate] {
            let code = alice.code(world.now());
            let attack = touch.by(world.password(), &world, "alice", code);
            assert_eq!(no(attack), Rejection::SecondFactorRequired);
        }
    }
    assert_eq!(world.row("alice"), before);
    for (subject, device) in [("alice", alice), ("bob", bob)] {
        let session = world.challenge(subject);
        respond(&world, subject, &session, device.code(world.now())).unwrap();
    }
}

/// Thousands of `associate` calls by one who has the password: a user whose secret was replaced while setting up begins
/// again, and is through.
#[test]
fn a_user_whose_secret_was_replaced_by_somebody_else_begins_again() {
    let world = World::standard();
    let lost = Device::of(&world.associate("alice"));
    let _ = world.associate("alice");
    let verify = world.mfa.verify(world.password(), lost.code(world.now()));
    assert_eq!(
        no(verify.run_blocking(&world.store, "alice")),
        Rejection::Mismatch
    );
    let device = world.enrol("alice");
    authenticate(&world, "alice", device.code_in(world.now(), 1)).unwrap();
}

/// A record as long as it can get: one with a drift, so that two windows are open.
fn fully_grown(world: &World) -> (Device, usize) {
    let device = world.enrol("alice");
    let _ = recovery_codes(world, "alice");
    world.time.advance(1800);
    let (first, second) = (
        device.code_in(world.now(), -20),
        device.code_in(world.now(), -19),
    );
    let resynchronise = world.mfa.resynchronise(world.password(), first, second);
    resynchronise.run_blocking(&world.store, "alice").unwrap();
    let length = world.row("alice").unwrap().record.len();
    (device, length)
}

/// SPEC 6, of sessions that are spent: the list cannot be filled by anyone who cannot produce valid codes.
#[test]
fn who_has_no_codes_puts_nothing_on_the_list_of_spent_sessions() {
    let world = World::standard();
    let (device, length) = fully_grown(&world);
    for _ in 0..200 {
        let session = world.challenge("alice");
        let guess = wrong(&[&device], &world);
        let _ = no(respond(&world, "alice", &session, guess));
        let guess = RecoveryCode::parse("0123-4567-89AB-CDEF").unwrap();
        let recover = world.mfa.recover(guess).within(&session);
        assert_eq!(
            no(recover.run_blocking(&world.store, "alice")),
            Rejection::Mismatch
        );
        let finish = world.mfa.finish_setup(&session);
        let refused = finish.run_blocking(&world.store, "alice");
        assert_eq!(no(refused), Rejection::InvalidSession);
        world.time.advance(1);
        assert_eq!(world.row("alice").unwrap().record.len(), length);
    }
}

/// SPEC 6, of sessions that are spent: whoever has every code, and uses each at once, is never kept out by the list, and
/// the list stays within its bound.
#[test]
fn no_more_sessions_are_spent_at_a_time_than_the_bound_says() {
    let world = World::standard();
    let (device, length) = fully_grown(&world);
    let bound = 64;
    let mut longest = 0;
    for _ in 0..20 {
        for steps in [-20, -19, -18, -1, 0, 1] {
            let session = world.challenge("alice");
            let code = device.code_in(world.now(), steps);
            match respond(&world, "alice", &session, code) {
                Ok(()) => {}
                answer => assert_eq!(no(answer), Rejection::Reused),
            }
            let spent = (world.row("alice").unwrap().record.len() - length) / 24;
            longest = longest.max(spent);
            assert!(
                spent <= bound,
                "{spent} sessions are kept, and the bound is {bound}"
            );
        }
        world.time.advance(30);
    }
    assert!(
        longest > 6,
        "{longest} at a time are too few to have tried it"
    );
}

/// SPEC 6, of sessions that are spent: nor does it grow past its bound by recovery codes.
#[test]
fn the_list_of_spent_sessions_stays_within_its_bound_whatever_succeeds() {
    let world = World::standard();
    let (_, length) = fully_grown(&world);
    let bound = 64;
    let mut codes = Vec::new();
    for number in 0..bound + 5 {
        if codes.is_empty() {
            codes = recovery_codes(&world, "alice");
        }
        let session = world.challenge("alice");
        let recover = world.mfa.recover(codes.pop().unwrap()).within(&session);
        let answer = recover.run_blocking(&world.store, "alice");
        let expires = world
            .now()
            .saturating_add(Policy::STANDARD.session_lifetime());
        if number < bound {
            let _ = answer.unwrap();
        } else {
            assert_eq!(no(answer), Rejection::Throttled { until: expires });
        }
    }
    let codes = recovery_codes(&world, "alice");
    assert_eq!(
        world.row("alice").unwrap().record.len(),
        length + 24 * bound
    );

    world.time.advance(180);
    let recover = world
        .mfa
        .recover(codes[0].clone())
        .within(&world.challenge("alice"));
    let _ = recover.run_blocking(&world.store, "alice").unwrap();
    assert!(world.row("alice").unwrap().record.len() < length + 24 * bound);
}

/// SPEC 6, of sessions that are spent: a policy under which there could be more than 64 is refused.
#[test]
fn a_policy_that_would_keep_too_many_spent_sessions_is_refused() {
    let quick = Totp::new(Algorithm::Sha1, Digits::Six, Duration::from_secs(15)).unwrap();
    let policy = Policy::builder()
        .totp(quick)
        .session_lifetime(Duration::from_secs(15 * 60));
    let with = |back, forward| {
        let window = Window::new(back, forward).unwrap();
        policy.window(window).build().map(drop)
    };
    assert_eq!(with(0, 0), Ok(()));
    assert_eq!(with(1, 0), Err(PolicyError::SpentBound));
    assert_eq!(with(1, 1), Err(PolicyError::SpentBound));
}
