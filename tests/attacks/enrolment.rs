//! Getting at a token by what is weaker than the token.

use softtoken::association::{EventKind, ImportedToken, Preference, SessionFlaw};
use softtoken::totp::Totp;
use softtoken::{Challenge, ChallengeSession, Code, Grant, Policy, Rejection, Vouched};

use super::{
    Answer, ROUNDS, THREADS, Touch, accepted, authorises_nothing, flaw, is_ignored, no,
    recovery_codes, replacement, respond, sign_in_with, step_up, untouched,
};
use crate::crowd::together;
use crate::world::{Device, World, admin};

fn required() -> Policy {
    Policy::STANDARD.required()
}

/// Proves what is pending by this device; the grant that its code makes.
fn verify(world: &World, grant: &Grant, device: &Device) -> Answer<Grant> {
    let verify = world.mfa.verify(grant, device.code(world.now()));
    let enrolled = verify.run_blocking(&world.store, grant.subject())?;
    Ok(Grant::from(enrolled.evidence()))
}

fn prefer(world: &World, grant: &Grant, preference: Preference) -> Answer {
    let prefer = world.mfa.prefer(grant, preference);
    prefer.run_blocking(&world.store, "alice")
}

fn reset(world: &World, subject: &str) {
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, subject).unwrap();
}

fn sign_in(world: &World, subject: &str) -> Challenge {
    let sign_in = world.mfa.sign_in();
    sign_in.run_blocking(&world.store, subject).unwrap()
}

fn code_of_nobody() -> Code {
    Code::parse("000000").unwrap()
}

/// `associate` over a verified token: the old one works on.
#[test]
fn the_token_in_force_works_on_while_a_secret_waits_to_replace_it() {
    for policy in [Policy::STANDARD, required()] {
        let world = World::new(policy);
        let (device, grant) = world.enrolled("alice");
        let before = world.challenge("alice");
        for _ in 0..2 {
            let issued = replacement(&world, &grant);
            world.time.advance(60);
            let session = world.challenge("alice");
            respond(&world, "alice", &session, device.code(world.now())).unwrap();
            let of_another = sign_in_with(&world, "alice", issued.code_in(world.now(), 1));
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
                .associate(&world.second_factor("alice"))
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
            let asked = sign_in(&world, "alice");
            assert!(matches!(asked, Challenge::NotRequired { .. }), "{asked:?}");
            world.time.advance(700);
        }
    }

    let world = World::new(Policy::COGNITO);
    let (_, grant) = world.enrolled("alice");
    let _ = replacement(&world, &grant);
    let asked = sign_in(&world, "alice");
    let not_required = matches!(asked, Challenge::NotRequired { .. });
    assert!(not_required, "never enabled");

    let world = World::new(required());
    let issued = Device::of(&world.associate("alice"));
    let asked = sign_in(&world, "alice");
    assert!(
        matches!(asked, Challenge::Setup { .. }),
        "nothing to show a code of"
    );
    let code = issued.code(world.now());
    is_ignored(&world, "alice", code.clone());
    let unproven = || step_up(&world, &world.password("alice"), code);
    assert_eq!(
        untouched(&world, "alice", unproven),
        Rejection::NotAssociated
    );
}

/// A password-only grant that replaces, removes or switches off a verified token, or mints recovery
/// codes: refused.
#[test]
fn a_password_only_grant_touches_no_verified_token() {
    for policy in [Policy::STANDARD, required()] {
        let world = World::new(policy);
        let device = Device::of(&world.associate("alice"));
        let proved_it = world.password("alice").with_id("the login that proved it");
        let owner = verify(&world, &proved_it, &device).unwrap();
        world.time.advance(60);
        let right = replacement(&world, &owner).code(world.now());
        let reason = Rejection::SecondFactorRequired;
        let another = world.password("alice").with_id("another login");
        for grant in [world.password("alice"), another] {
            authorises_nothing(&grant, &world, "alice", &right, reason);
        }
    }
}

/// A password-only session that replaces, removes or switches off a verified token, or mints
/// recovery codes: refused.
#[test]
fn a_password_only_session_touches_no_verified_token() {
    let world = World::new(required());
    let setup = world.setup("alice");
    let associate = world.mfa.associate(&setup);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let pending = issued.session().unwrap();
    let device = Device::of(&issued);
    let owner = verify(&world, &world.password("alice"), &device).unwrap();

    let challenge = world.challenge("alice");
    let right = replacement(&world, &owner).code(world.now());
    for session in [&setup, pending, &challenge] {
        for touch in Touch::ALL {
            world.events();
            let attack = || touch.by(session, &world, "alice", right.clone());
            let refused = untouched(&world, "alice", attack);
            if matches!(touch, Touch::Verify) && same(session, pending) {
                // A double click is told what it is, and proves no more than the first.
                assert_eq!(refused, Rejection::AlreadyVerified);
                continue;
            }
            assert_eq!(refused, Rejection::InvalidSession);
            let expected = match touch {
                Touch::Associate if same(session, &setup) => SessionFlaw::OtherGeneration,
                _ => SessionFlaw::OtherPurpose,
            };
            assert_eq!(flaw(&world), expected, "{touch:?}");
        }
    }
}

fn same(session: &ChallengeSession, other: &ChallengeSession) -> bool {
    session.expose() == other.expose()
}

/// A password-only session or grant that replaces, removes or switches off a verified token:
/// refused, in parallel with the user's own sign-ins as well, which it does not disturb.
#[test]
fn a_password_only_grant_in_parallel_disturbs_no_sign_in() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(60);
        let session = world.challenge("alice");
        let code = device.code(world.now());
        let answers = together(THREADS, |thread| {
            if thread == 0 {
                return respond(&world, "alice", &session, code.clone());
            }
            let touch = Touch::ALL[thread % Touch::ALL.len()];
            touch.by(&world.password("alice"), &world, "alice", code.clone())
        });
        assert!(answers[0].is_ok());
        assert_eq!(accepted(&answers, &[Rejection::SecondFactorRequired]), 1);
    }
}

/// A password-only grant that replaces: refused, by everything but what the waiver is for; a token
/// that the password has switched on is asked for. (Rule A8: the waiver is for a token that no
/// sign-in would ask for.)
#[test]
fn the_waiver_covers_replacing_alone_and_ends_when_the_token_is_asked_for() {
    let world = World::new(Policy::COGNITO);
    let (device, owner) = world.enrolled("alice");
    let codes = recovery_codes(&world, &owner);
    world.time.advance(60);
    let second_factor = Rejection::SecondFactorRequired;
    for touch in Touch::ALL {
        if matches!(touch, Touch::Associate | Touch::Verify | Touch::TurnOff) {
            continue;
        }
        let attack = || touch.by(&world.password("alice"), &world, "alice", code_of_nobody());
        let refused = untouched(&world, "alice", attack);
        assert_eq!(refused, second_factor, "{touch:?}");
    }
    let already_off = prefer(&world, &world.password("alice"), Preference::Disabled);
    already_off.expect("a read: it is off");

    let begun = Device::of(&world.associate("alice"));
    let before = world.password("alice");
    prefer(&world, &before, Preference::Enabled).unwrap();
    let too_late = || verify(&world, &world.password("alice"), &begun);
    assert_eq!(untouched(&world, "alice", too_late), second_factor);

    // Turned off by its owner: what was begun before, and a login of before, are none.
    world.time.advance(60);
    let owner = world.stepped_up("alice", &device);
    prefer(&world, &owner, Preference::Disabled).unwrap();
    let too_old = || verify(&world, &before, &begun);
    assert_eq!(untouched(&world, "alice", too_old), second_factor);
    sign_in_with(&world, "alice", codes[0].clone()).expect("they are as they were");
}

/// A password-only grant that replaces: refused, where the token that nobody asks for has guarded
/// something, if only a single step-up; and where it has taken the place of such a one.
#[test]
fn a_token_that_has_guarded_something_is_not_replaced_by_a_password_alone() {
    for replaced in [false, true] {
        let world = World::new(Policy::COGNITO);
        let device = world.enrol("alice");
        world.time.advance(60);
        let owner = world.stepped_up("alice", &device);
        if replaced {
            let new = replacement(&world, &owner);
            verify(&world, &owner, &new).unwrap();
        }
        world.time.advance(60);
        let asked = sign_in(&world, "alice");
        assert!(matches!(asked, Challenge::NotRequired { .. }), "{asked:?}");
        let attack = || {
            let associate = world.mfa.associate(&world.password("alice"));
            associate.run_blocking(&world.store, "alice").map(drop)
        };
        let refused = untouched(&world, "alice", attack);
        assert_eq!(refused, Rejection::SecondFactorRequired);
    }
}

/// A password-only grant that replaces: refused. (Rule A14: where the waiver lets it, the recovery
/// codes of the token that is replaced die with it, the event says so, and a grant from before that
/// token is none.)
#[test]
fn the_waiver_for_a_token_that_never_guarded_hands_over_nothing() {
    let world = World::new(Policy::COGNITO);
    let before = world.password("alice");
    world.time.advance(1);
    let (old, owner) = world.enrolled("alice");
    let codes = recovery_codes(&world, &owner);
    world.time.advance(60);
    let attack = || Touch::Associate.by(&before, &world, "alice", code_of_nobody());
    assert_eq!(
        untouched(&world, "alice", attack),
        Rejection::SecondFactorRequired
    );

    // A second factor that proves nothing of it is none that was not asked for.
    let of_before = before.first_factor_at();
    let of_another = Grant::from_bare_times("alice", world.now(), of_before);
    let attack = || Touch::Associate.by(&of_another, &world, "alice", code_of_nobody());
    assert_eq!(
        untouched(&world, "alice", attack),
        Rejection::SecondFactorRequired
    );

    let new = Device::of(&world.associate("alice"));
    world.events();
    verify(&world, &world.password("alice"), &new).unwrap();
    let told = world.events();
    let [
        EventKind::Replaced {
            possession_waived: true,
            ..
        },
    ] = told.as_slice()
    else {
        panic!("{told:?}");
    };
    for code in &codes {
        let dead = || sign_in_with(&world, "alice", code.clone());
        assert_eq!(untouched(&world, "alice", dead), Rejection::Mismatch);
    }
    let dead = sign_in_with(&world, "alice", old.code_in(world.now(), 1));
    assert_eq!(no(dead), Rejection::Mismatch);
    // The owner's login of before proves nothing of the new token.
    let attack = || Touch::Disassociate.by(&owner, &world, "alice", code_of_nobody());
    assert_eq!(
        untouched(&world, "alice", attack),
        Rejection::SecondFactorRequired
    );
}

/// A second-factor grant stolen before the token was replaced: refused, whatever proved it.
#[test]
fn a_grant_stolen_before_the_token_was_replaced_authorises_nothing() {
    let world = World::standard();
    let issued = Device::of(&world.associate("alice"));
    let proved_it = world
        .password("alice")
        .with_id("the login that proved the old one");
    let of_set_up = verify(&world, &proved_it, &issued).unwrap();
    let codes = recovery_codes(&world, &of_set_up);
    world.time.advance(60);
    let bare = world.second_factor("alice").with_id("a stolen one");
    let of_code = world.stepped_up("alice", &issued);
    let of = |factor: softtoken::Factor| {
        let step_up = world.mfa.step_up(&world.password("alice"), factor);
        Grant::from(&step_up.run_blocking(&world.store, "alice").unwrap())
    };
    let of_recovery = of(codes[0].clone().into());
    let of_passkey = of(Vouched::factor(&["hwk", "user"]).into());

    world.time.advance(60);
    let owner = world
        .second_factor("alice")
        .with_id("the one that proved the new one");
    let new = replacement(&world, &owner);
    let owner = verify(&world, &owner, &new).unwrap();
    let right = replacement(&world, &owner).code(world.now());
    for grant in [proved_it, of_set_up, bare, of_code, of_recovery, of_passkey] {
        let reason = Rejection::SecondFactorRequired;
        authorises_nothing(&grant, &world, "alice", &right, reason);
    }
}

/// A second-factor grant stolen before a reset: refused.
#[test]
fn a_grant_stolen_before_a_reset_authorises_nothing() {
    let world = World::standard();
    let (device, of_set_up) = world.enrolled("alice");
    let first = world.password("alice").with_id("a password's");
    let stolen = world.second_factor("alice").with_id("a stolen one");
    world.time.advance(60);
    let (at_first, now) = (first.first_factor_at(), world.now());
    let late = Grant::from_bare_times("alice", at_first, now).with_id("a stolen one");
    let stepped_up = {
        let step_up = world.mfa.step_up(&first, device.code(now));
        Grant::from(&step_up.run_blocking(&world.store, "alice").unwrap())
    };
    reset(&world, "alice");
    let later = Grant::from_bare_times("alice", at_first, world.now());
    let stolen = [first, stolen, late, later, of_set_up, stepped_up];

    let code = code_of_nobody();
    let not_authorized = Rejection::NotAuthorized;
    for grant in &stolen {
        authorises_nothing(grant, &world, "alice", &code, not_authorized);
    }
    let pending = Device::of(&world.associate("alice"));
    for grant in &stolen {
        let right = pending.code(world.now());
        authorises_nothing(grant, &world, "alice", &right, not_authorized);
    }
    let owner = verify(&world, &world.password("alice"), &pending).unwrap();
    world.time.advance(60);
    for grant in &stolen {
        let right = replacement(&world, &owner).code(world.now());
        authorises_nothing(grant, &world, "alice", &right, not_authorized);
        let resynchronise = world.mfa.resynchronise(grant, code.clone(), code.clone());
        let attack = || resynchronise.run_blocking(&world.store, "alice");
        assert_eq!(untouched(&world, "alice", attack), not_authorized);
        let attack = || step_up(&world, grant, code.clone());
        assert_eq!(untouched(&world, "alice", attack), not_authorized);
    }
}

/// A second-factor grant stolen before a reset: refused, by everything that begins after the reset
/// has answered.
#[test]
fn a_stolen_grant_that_races_a_reset_leaves_nothing_behind() {
    for _ in 0..ROUNDS {
        let world = World::standard();
        let (device, stolen) = world.enrolled("alice");
        let pending = replacement(&world, &stolen);
        world.time.advance(60);
        let code = pending.code(world.now());
        let racers = [Touch::Associate, Touch::Verify, Touch::IssueRecoveryCodes];
        let answers = together(8, |thread| match thread {
            0 => {
                reset(&world, "alice");
                let late = |touch: Touch| touch.by(&stolen, &world, "alice", code.clone());
                for touch in Touch::ALL {
                    assert_eq!(no(late(touch)), Rejection::NotAuthorized);
                }
                Ok(())
            }
            _ => racers[thread % 3].by(&stolen, &world, "alice", code.clone()),
        });
        let refusals = [
            Rejection::NotAuthorized,
            Rejection::SecondFactorRequired,
            Rejection::NotAssociated,
            Rejection::Mismatch,
        ];
        accepted(&answers, &refusals);
        for gone in [&device, &pending] {
            is_ignored(&world, "alice", gone.code_in(world.now(), 1));
        }
    }
}

/// Two `verify` of one pending: one wins.
#[test]
fn one_pending_secret_is_verified_once() {
    for round in 0..2 * ROUNDS {
        let world = World::standard();
        let issued = Device::of(&world.associate("alice"));
        let revision = world.row("alice").unwrap().revision;
        world.events();
        let answers = together(THREADS, |thread| {
            let steps = i64::try_from(thread % 3).unwrap() - 1;
            let grant = match thread % 2 {
                _ if round % 2 == 0 => world.password("alice").with_id("one login"),
                0 => world.password("alice"),
                _ => world.second_factor("alice"),
            };
            let code = issued.code_in(world.now(), steps);
            let verify = world.mfa.verify(&grant, code);
            verify.run_blocking(&world.store, "alice").map(drop)
        });
        // The login that has verified it is told so; others are not told anything.
        let refusal = if round % 2 == 0 {
            Rejection::AlreadyVerified
        } else {
            Rejection::SecondFactorRequired
        };
        assert_eq!(accepted(&answers, &[refusal]), 1);
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
    let verify = |session: &ChallengeSession, code| {
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

/// A replaced pending: dead. So is one that would have replaced a token, one whose time has run
/// out, and one that was removed.
#[test]
fn a_secret_that_waits_no_longer_is_dead() {
    let world = World::standard();
    let (old, owner) = world.enrolled("alice");
    world.time.advance(60);
    let dead = replacement(&world, &owner);
    let alive = replacement(&world, &owner);
    assert_eq!(no(verify(&world, &owner, &dead)), Rejection::Mismatch);
    let of_the_old = verify(&world, &owner, &old);
    assert_eq!(no(of_the_old), Rejection::Mismatch);

    world.time.advance(600);
    let late = || verify(&world, &owner, &alive);
    assert_eq!(untouched(&world, "alice", late), Rejection::Expired);
    world.time.go_back(1);
    let owner = late().expect("until then it is in time");

    let removed = replacement(&world, &owner);
    let remove = world.mfa.disassociate(&owner);
    remove.run_blocking(&world.store, "alice").unwrap();
    for grant in [owner, world.password("alice")] {
        let attack = || verify(&world, &grant, &removed);
        assert_eq!(untouched(&world, "alice", attack), Rejection::NotAssociated);
    }
}

/// The set-up code at sign-in: refused.
#[test]
fn the_set_up_code_does_not_sign_in() {
    for policy in [Policy::STANDARD, required()] {
        let world = World::new(policy);
        let issued = Device::of(&world.associate("alice"));
        let code = issued.code_in(world.now(), -1);
        let verify = world.mfa.verify(&world.password("alice"), code.clone());
        let _ = verify.run_blocking(&world.store, "alice").unwrap();
        let session = world.challenge("alice");
        let attack = || respond(&world, "alice", &session, code.clone());
        assert_eq!(untouched(&world, "alice", attack), Rejection::Reused);
        let attack = || sign_in_with(&world, "alice", code.clone());
        assert_eq!(untouched(&world, "alice", attack), Rejection::Reused);
        let attack = || step_up(&world, &world.password("alice"), code.clone());
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
                verify(&world, &world.password("alice"), &issued).map(drop)
            } else {
                step_up(&world, &world.password("alice"), code.clone())
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

/// The set-up code at sign-in: refused. (Rule M3: nor a code that another system accepted before a
/// token was imported.)
#[test]
fn a_code_from_before_an_import_does_not_sign_in() {
    let world = World::standard();
    let secret = softtoken::totp::Secret::from_bytes(b"12345678901234567890").unwrap();
    let device = Device::new(&secret, Totp::STANDARD);
    let token = ImportedToken::proven(secret, Totp::STANDARD);
    let import = world.mfa.import(&admin(), [token]);
    import.run_blocking(&world.store, "alice").unwrap();
    for steps in [-1, 0, 1] {
        let code = device.code_in(world.now(), steps);
        let attack = || sign_in_with(&world, "alice", code);
        assert_eq!(untouched(&world, "alice", attack), Rejection::Reused);
    }
    world.time.advance(60);
    sign_in_with(&world, "alice", device.code(world.now())).unwrap();
}
