//! Getting at a token by what is weaker than the token.

use softtoken::association::SessionFlaw;
use softtoken::totp::Totp;
use softtoken::{
    Administrator, Challenge, Context, EventKind, Grant, Import, Policy, Preference, Rejection,
    Requirement, Session,
};

use super::{
    Answer, ROUNDS, THREADS, Touch, accepted, authenticate, authorises_nothing, flaw, no,
    recovery_codes, replacement, respond, untouched,
};
use crate::crowd::together;
use crate::world::{Device, World};

fn required() -> Policy {
    let policy = Policy::builder().requirement(Requirement::Required);
    policy.build().unwrap()
}

fn verify(world: &World, subject: &str, grant: Grant, device: &Device) -> Answer {
    let code = device.code(world.now());
    let verify = world.mfa.verify(grant, code);
    verify.run_blocking(&world.store, subject).map(drop)
}

fn prefer(world: &World, grant: Grant, preference: Preference) -> Answer {
    let prefer = world.mfa.prefer(grant, preference);
    prefer.run_blocking(&world.store, "alice")
}

fn reset(world: &World, subject: &str) {
    let reset = world.mfa.reset(Administrator);
    reset.run_blocking(&world.store, subject).unwrap();
}

fn sign_in(world: &World, subject: &str) -> Challenge {
    let sign_in = world.mfa.sign_in(Context::default());
    sign_in.run_blocking(&world.store, subject).unwrap()
}

/// `associate` over a verified token: the old one works on.
#[test]
fn the_token_in_force_works_on_while_a_secret_waits_to_replace_it() {
    for policy in [Policy::STANDARD, required()] {
        let world = World::new(policy);
        let device = world.enrol("alice");
        let before = world.challenge("alice");
        for _ in 0..2 {
            let issued = replacement(&world, "alice");
            world.time.advance(60);
            let session = world.challenge("alice");
            respond(&world, "alice", &session, device.code(world.now())).unwrap();
            let of_another = authenticate(&world, "alice", issued.code_in(world.now(), 1));
            assert_eq!(no(of_another), Rejection::Mismatch);
        }
        let code = device.code_in(world.now(), 1);
        respond(&world, "alice", &before, code).expect("its sessions are alive");
    }
}

/// `associate` over a verified token: the old one works on.
#[test]
fn associating_in_parallel_keeps_no_code_of_the_token_in_force_out() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(60);
        let session = world.challenge("alice");
        let answers = together(4, |thread| match thread {
            0 => respond(&world, "alice", &session, device.code(world.now())),
            _ => world
                .mfa
                .associate(world.second_factor())
                .run_blocking(&world.store, "alice")
                .map(drop),
        });
        assert_eq!(accepted(&answers, &[]), 4);
    }
}

/// A pending token gating a sign-in: no.
#[test]
fn a_pending_secret_changes_nothing_about_a_sign_in() {
    for policy in [Policy::STANDARD, Policy::COGNITO] {
        let world = World::new(policy);
        let _ = world.associate("alice");
        for _ in 0..2 {
            assert!(matches!(sign_in(&world, "alice"), Challenge::NotRequired));
            world.time.advance(700);
        }
    }

    let world = World::new(Policy::COGNITO);
    let _ = world.enrol("alice");
    let _ = replacement(&world, "alice");
    let asked = sign_in(&world, "alice");
    assert!(matches!(asked, Challenge::NotRequired), "never enabled");

    let world = World::new(required());
    let issued = Device::of(&world.associate("alice"));
    let asked = sign_in(&world, "alice");
    assert!(
        matches!(asked, Challenge::Setup { .. }),
        "nothing to show a code of"
    );
    let code = issued.code(world.now());
    let unproven = || authenticate(&world, "alice", code);
    assert_eq!(
        untouched(&world, "alice", unproven),
        Rejection::NotAssociated
    );
}

/// A password-only grant that replaces, removes or switches off a verified token, or mints recovery codes: refused.
#[test]
fn a_password_only_grant_touches_no_verified_token() {
    for policy in [Policy::STANDARD, required()] {
        let world = World::new(policy);
        let device = Device::of(&world.associate("alice"));
        let proved_it = world.password().id("the access token that proved it");
        verify(&world, "alice", proved_it, &device).unwrap();
        world.time.advance(60);
        let right = replacement(&world, "alice").code(world.now());
        let reason = Rejection::SecondFactorRequired;
        let another = world.password().id("another access token");
        for grant in [world.password(), another] {
            authorises_nothing(&grant, &world, "alice", &right, reason);
        }
    }
}

/// A password-only session that replaces, removes or switches off a verified token, or mints recovery codes: refused.
#[test]
fn a_password_only_session_touches_no_verified_token() {
    let world = World::new(required());
    let setup = world.setup("alice");
    let associate = world.mfa.associate(&setup);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let pending = issued.session().unwrap();
    let device = Device::of(&issued);
    verify(&world, "alice", world.password(), &device).unwrap();

    let challenge = world.challenge("alice");
    let right = replacement(&world, "alice").code(world.now());
    for session in [&setup, pending, &challenge] {
        for touch in Touch::ALL {
            let attack = || touch.by(session, &world, "alice", right.clone());
            assert_eq!(
                untouched(&world, "alice", attack),
                Rejection::InvalidSession
            );
            let expected = match touch {
                Touch::Associate if same(session, &setup) => SessionFlaw::OtherGeneration,
                Touch::Verify if same(session, pending) => SessionFlaw::OtherGeneration,
                _ => SessionFlaw::OtherPurpose,
            };
            assert_eq!(flaw(&world), expected, "{touch:?}");
        }
    }
}

fn same(session: &Session, other: &Session) -> bool {
    session.expose() == other.expose()
}

/// A password-only session or grant that replaces, removes or switches off a verified token: refused, in parallel
/// with the user's own sign-ins as well, which it does not disturb.
#[test]
fn a_password_only_grant_in_parallel_disturbs_no_sign_in() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(60);
        let session = world.challenge("alice");
        let code = device.code(world.now());
        let answers = together(THREADS, |thread| match thread {
            0 => respond(&world, "alice", &session, code.clone()),
            _ => Touch::ALL[thread % 5].by(world.password(), &world, "alice", code.clone()),
        });
        assert!(answers[0].is_ok());
        assert_eq!(accepted(&answers, &[Rejection::SecondFactorRequired]), 1);
    }
}

/// A password-only grant that replaces: refused, even where it began while the token had never been enabled. (SPEC 5:
/// the one exception is a token that never protected anything, and it covers nothing but replacing.)
#[test]
fn a_token_that_was_ever_enabled_is_not_replaced_by_a_password_alone() {
    let world = World::new(Policy::COGNITO);
    let _ = world.enrol("alice");
    let codes = recovery_codes(&world, "alice");
    world.time.advance(60);
    let second_factor = Rejection::SecondFactorRequired;
    for touch in [Touch::IssueRecoveryCodes, Touch::Disassociate] {
        let code = codes_of_nobody();
        let attack = || touch.by(world.password(), &world, "alice", code);
        assert_eq!(
            untouched(&world, "alice", attack),
            second_factor,
            "{touch:?}"
        );
    }

    let begun = Device::of(&world.associate("alice"));
    prefer(&world, world.password(), Preference::Enabled).unwrap();
    let too_late = || verify(&world, "alice", world.password(), &begun);
    assert_eq!(untouched(&world, "alice", too_late), second_factor);
    prefer(&world, world.second_factor(), Preference::Disabled).unwrap();
    assert_eq!(untouched(&world, "alice", too_late), second_factor);
    super::recover(&world, "alice", &codes[0]).expect("they are as they were");
}

/// A password-only grant that replaces: refused, where the token in force has taken the place of an enabled one.
#[test]
fn the_replacement_of_an_enabled_token_is_not_replaced_by_a_password_alone() {
    let world = World::new(Policy::COGNITO);
    let _ = world.enrol("alice");
    prefer(&world, world.password(), Preference::Enabled).unwrap();
    world.time.advance(60);
    let associate = world.mfa.associate(world.second_factor());
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    verify(&world, "alice", world.second_factor(), &Device::of(&issued)).unwrap();
    prefer(&world, world.second_factor(), Preference::Disabled).unwrap();
    let attack = || {
        let associate = world.mfa.associate(world.password());
        associate.run_blocking(&world.store, "alice").map(drop)
    };
    assert_eq!(
        untouched(&world, "alice", attack),
        Rejection::SecondFactorRequired
    );
}

fn codes_of_nobody() -> softtoken::Code {
    softtoken::Code::parse("000000").unwrap()
}

/// A password-only grant that replaces: refused. (SPEC 5: where the exception lets it, the recovery codes of the token
/// that is replaced die with it, and a grant from before that token is none.)
#[test]
fn the_exception_for_a_token_that_never_protected_hands_over_nothing() {
    let world = World::new(Policy::COGNITO);
    let before = world.password();
    world.time.advance(1);
    let old = world.enrol("alice");
    let codes = recovery_codes(&world, "alice");
    world.time.advance(60);
    let attack = || Touch::Associate.by(before.clone(), &world, "alice", codes_of_nobody());
    assert_eq!(
        untouched(&world, "alice", attack),
        Rejection::SecondFactorRequired
    );

    let new = Device::of(&world.associate("alice"));
    verify(&world, "alice", world.password(), &new).unwrap();
    for code in &codes {
        let dead = || super::recover(&world, "alice", code);
        assert_eq!(untouched(&world, "alice", dead), Rejection::Mismatch);
    }
    let dead = authenticate(&world, "alice", old.code_in(world.now(), 1));
    assert_eq!(no(dead), Rejection::Mismatch);
}

/// A second-factor grant stolen before the token was replaced: refused.
#[test]
fn a_grant_stolen_before_the_token_was_replaced_authorises_nothing() {
    let world = World::standard();
    let issued = Device::of(&world.associate("alice"));
    let proved_it = world
        .password()
        .id("the access token that proved the old one");
    verify(&world, "alice", proved_it.clone(), &issued).unwrap();
    world.time.advance(60);
    let stolen = world.second_factor().id("a stolen one");
    let stepped_up = proved_it.clone().with_second_factor(world.now());

    world.time.advance(60);
    let new = replacement(&world, "alice");
    let grant = world.second_factor().id("the one that proved the new one");
    verify(&world, "alice", grant, &new).unwrap();
    let right = replacement(&world, "alice").code(world.now());
    for grant in [stolen, stepped_up, proved_it] {
        let reason = Rejection::SecondFactorRequired;
        authorises_nothing(&grant, &world, "alice", &right, reason);
    }
}

/// A second-factor grant stolen before a reset: refused.
#[test]
fn a_grant_stolen_before_a_reset_authorises_nothing() {
    let world = World::standard();
    let _ = world.enrol("alice");
    let first = world.password().id("a password's");
    let stolen = world.second_factor().id("a stolen one");
    world.time.advance(60);
    let late = stolen.clone().with_second_factor(world.now());
    reset(&world, "alice");
    let later = first.clone().with_second_factor(world.now());
    let stolen = [first, stolen, late, later];

    let code = codes_of_nobody();
    let not_authorized = Rejection::NotAuthorized;
    for grant in &stolen {
        authorises_nothing(grant, &world, "alice", &code, not_authorized);
    }
    let pending = Device::of(&world.associate("alice"));
    for grant in &stolen {
        let right = pending.code(world.now());
        authorises_nothing(grant, &world, "alice", &right, not_authorized);
    }
    verify(&world, "alice", world.password(), &pending).unwrap();
    world.time.advance(60);
    for grant in &stolen {
        let right = replacement(&world, "alice").code(world.now());
        authorises_nothing(grant, &world, "alice", &right, not_authorized);
        let resynchronise = world
            .mfa
            .resynchronise(grant.clone(), code.clone(), code.clone());
        let attack = || resynchronise.run_blocking(&world.store, "alice");
        assert_eq!(untouched(&world, "alice", attack), not_authorized);
    }
}

/// A second-factor grant stolen before a reset: refused, by everything that begins after the reset has answered.
#[test]
fn a_stolen_grant_that_races_a_reset_leaves_nothing_behind() {
    for _ in 0..ROUNDS {
        let world = World::standard();
        let device = world.enrol("alice");
        let pending = replacement(&world, "alice");
        let stolen = world.second_factor();
        world.time.advance(60);
        let code = pending.code(world.now());
        let racers = [Touch::Associate, Touch::Verify, Touch::IssueRecoveryCodes];
        let answers = together(8, |thread| match thread {
            0 => {
                reset(&world, "alice");
                let late = |touch: Touch| touch.by(stolen.clone(), &world, "alice", code.clone());
                assert_eq!(
                    Touch::ALL.map(|touch| no(late(touch))),
                    [Rejection::NotAuthorized; 5]
                );
                Ok(())
            }
            _ => racers[thread % 3].by(stolen.clone(), &world, "alice", code.clone()),
        });
        let refusals = [
            Rejection::NotAuthorized,
            Rejection::SecondFactorRequired,
            Rejection::NotAssociated,
            Rejection::Mismatch,
        ];
        accepted(&answers, &refusals);
        for gone in [&device, &pending] {
            let code = gone.code_in(world.now(), 1);
            let dead = || authenticate(&world, "alice", code);
            assert_eq!(untouched(&world, "alice", dead), Rejection::NotAssociated);
        }
    }
}

/// Two `verify` of one pending: one wins.
#[test]
fn one_pending_secret_is_verified_once() {
    for _ in 0..ROUNDS {
        let world = World::standard();
        let issued = Device::of(&world.associate("alice"));
        let revision = world.row("alice").unwrap().revision;
        world.events();
        let answers = together(THREADS, |thread| {
            let steps = i64::try_from(thread % 3).unwrap() - 1;
            let grant = if thread % 2 == 0 {
                world.password()
            } else {
                world.second_factor()
            };
            let code = issued.code_in(world.now(), steps);
            let verify = world.mfa.verify(grant, code);
            verify.run_blocking(&world.store, "alice").map(drop)
        });
        let refusals = [Rejection::SecondFactorRequired, Rejection::NotAssociated];
        assert_eq!(accepted(&answers, &refusals), 1);
        assert_eq!(Some(world.row("alice").unwrap().revision), revision.next());
        let events = world.events();
        let verified = |event: &&EventKind| matches!(event, EventKind::Verified { .. });
        assert_eq!(events.iter().filter(verified).count(), 1);
        assert_eq!(events.len(), THREADS);
    }
}

/// A replaced pending: dead.
#[test]
fn a_pending_secret_that_was_replaced_is_dead() {
    let world = World::new(required());
    let associate = |session| {
        let associate = world.mfa.associate(session);
        associate.run_blocking(&world.store, "alice").unwrap()
    };
    let setup = world.setup("alice");
    let dead = associate(&setup);
    let alive = associate(&setup);
    let code = |issued| Device::of(issued).code(world.now());
    let verify = |session: &Session, code| {
        let verify = world.mfa.verify(session, code);
        verify.run_blocking(&world.store, "alice").map(drop)
    };
    for code in [code(&dead), code(&alive)] {
        let attack = || verify(dead.session().unwrap(), code);
        assert_eq!(
            untouched(&world, "alice", attack),
            Rejection::InvalidSession
        );
        assert_eq!(flaw(&world), SessionFlaw::OtherPending);
    }
    let crossed = verify(alive.session().unwrap(), code(&dead));
    assert_eq!(no(crossed), Rejection::Mismatch);
    verify(alive.session().unwrap(), code(&alive)).unwrap();
}

/// A replaced pending: dead. So is one that would have replaced a token, one whose time has run out, and one that was
/// removed.
#[test]
fn a_secret_that_waits_no_longer_is_dead() {
    let world = World::standard();
    let old = world.enrol("alice");
    world.time.advance(60);
    let dead = replacement(&world, "alice");
    let alive = replacement(&world, "alice");
    let attack = verify(&world, "alice", world.second_factor(), &dead);
    assert_eq!(no(attack), Rejection::Mismatch);
    let of_the_old = verify(&world, "alice", world.second_factor(), &old);
    assert_eq!(no(of_the_old), Rejection::Mismatch);

    world.time.advance(600);
    let late = || verify(&world, "alice", world.second_factor(), &alive);
    assert_eq!(untouched(&world, "alice", late), Rejection::Expired);
    world.time.go_back(1);
    verify(&world, "alice", world.second_factor(), &alive).expect("until then it is in time");

    let removed = replacement(&world, "alice");
    let remove = world.mfa.disassociate(world.second_factor());
    remove.run_blocking(&world.store, "alice").unwrap();
    let attack = || verify(&world, "alice", world.second_factor(), &removed);
    assert_eq!(untouched(&world, "alice", attack), Rejection::NotAssociated);
}

/// The set-up code at sign-in: refused.
#[test]
fn the_set_up_code_does_not_sign_in() {
    for policy in [Policy::STANDARD, required()] {
        let world = World::new(policy);
        let issued = Device::of(&world.associate("alice"));
        let code = issued.code_in(world.now(), -1);
        let verify = world.mfa.verify(world.password(), code.clone());
        let _ = verify.run_blocking(&world.store, "alice").unwrap();
        let session = world.challenge("alice");
        let attack = || respond(&world, "alice", &session, code.clone());
        assert_eq!(untouched(&world, "alice", attack), Rejection::Reused);
        let attack = || authenticate(&world, "alice", code.clone());
        assert_eq!(untouched(&world, "alice", attack), Rejection::Reused);
    }
}

/// The set-up code at sign-in: refused, in parallel as well.
#[test]
fn the_set_up_code_is_accepted_once_by_verify_and_a_sign_in_in_parallel() {
    for _ in 0..ROUNDS {
        let world = World::standard();
        let issued = Device::of(&world.associate("alice"));
        let code = issued.code(world.now());
        let answers = together(THREADS, |thread| {
            if thread % 2 == 0 {
                verify(&world, "alice", world.password(), &issued)
            } else {
                authenticate(&world, "alice", code.clone())
            }
        });
        let refusals = [
            Rejection::NotAssociated,
            Rejection::SecondFactorRequired,
            Rejection::Reused,
        ];
        assert_eq!(accepted(&answers, &refusals), 1);
    }
}

/// The set-up code at sign-in: refused. (SPEC 4: nor a code that another system accepted before a token was imported.)
#[test]
fn a_code_from_before_an_import_does_not_sign_in() {
    let world = World::standard();
    let secret = softtoken::totp::Secret::from_bytes(b"12345678901234567890").unwrap();
    let device = Device::new(&secret, Totp::STANDARD);
    let import = Import::proven(Administrator, secret, Totp::STANDARD).enabled(true);
    world
        .mfa
        .import(import)
        .run_blocking(&world.store, "alice")
        .unwrap();
    for steps in [-1, 0, 1] {
        let code = device.code_in(world.now(), steps);
        let attack = || authenticate(&world, "alice", code);
        assert_eq!(untouched(&world, "alice", attack), Rejection::Reused);
    }
    world.time.advance(60);
    authenticate(&world, "alice", device.code(world.now())).unwrap();
}
