//! Grants: what a login proves, and what it does not.

use core::time::Duration;

use softtoken::association::{EventKind, Preference};
use softtoken::{Grant, Policy, Rejection, TokenId, UnixTime, Vouched};

use super::{
    Answer, Touch, authorises_nothing, no, recovery_codes, replacement, sign_in_with, step_up,
    untouched,
};
use crate::world::{Device, START, World, admin};

fn several() -> World {
    World::new(Policy::builder().max_tokens(3).build().unwrap())
}

/// Adds a token on this login: its id, the device, and the grant that its first code makes.
fn add(world: &World, grant: &Grant) -> (TokenId, Device, Grant) {
    let associate = world.mfa.associate(grant);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let device = Device::of(&issued);
    let verify = world.mfa.verify(grant, device.code(world.now()));
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    (issued.token(), device, Grant::from(enrolled.evidence()))
}

fn remove(world: &World, grant: &Grant, token: TokenId) -> Answer {
    let remove = world.mfa.remove(grant, token);
    remove.run_blocking(&world.store, "alice")
}

fn check(world: &World, grant: &Grant, seconds: u64) -> Answer {
    let check = world.mfa.check(grant, Duration::from_secs(seconds));
    check.run_blocking(&world.store, "alice")
}

/// Everything that a login may try, with a code that is right for what is pending, where something
/// is.
#[track_caller]
fn proves_nothing(world: &World, grant: &Grant, owner: &Grant) {
    let right = replacement(world, owner).code(world.now());
    let reason = Rejection::SecondFactorRequired;
    authorises_nothing(grant, world, "alice", &right, reason);
    let attack = || check(world, grant, u64::MAX);
    assert_eq!(untouched(world, "alice", attack), reason);
}

/// A thief's grant, proven by token A while B was in force, after A was removed: proves nothing.
/// Nor does what the login proved by which A was set up.
#[test]
fn a_grant_proven_by_a_token_that_was_removed_proves_nothing_of_those_that_stay() {
    let world = several();
    let (_, owner) = world.enrolled("alice");
    // The thief had an unlocked session for a minute.
    let (thiefs, device, of_set_up) = add(&world, &owner.clone().with_id("the thief's login"));
    world.time.advance(60);
    let stepped_up = world.stepped_up("alice", &device);
    let bare = world.second_factor("alice");
    let by_id = world.password("alice").with_id("the thief's login");
    for grant in [&of_set_up, &stepped_up, &bare, &by_id] {
        check(&world, grant, u64::MAX).expect("A is in force");
    }

    remove(&world, &owner, thiefs).unwrap();
    for grant in [&of_set_up, &stepped_up, &bare, &by_id] {
        proves_nothing(&world, grant, &owner);
    }
    world.time.advance(60);
    for grant in [&of_set_up, &stepped_up, &bare, &by_id] {
        proves_nothing(&world, grant, &owner);
    }
    let dead = sign_in_with(&world, "alice", device.code(world.now()));
    assert_eq!(no(dead), Rejection::Mismatch);
}

/// A thief's grant that names no token, of a recovery code or of what was vouched: it ends with any
/// token that is taken out of force, and not by one that is added.
#[test]
fn a_grant_of_a_recovery_code_ends_when_a_token_is_taken_out_of_force() {
    let world = several();
    let (_, owner) = world.enrolled("alice");
    let codes = recovery_codes(&world, &owner);
    let of = |factor: softtoken::Factor| {
        let step_up = world.mfa.step_up(&world.password("alice"), factor);
        Grant::from(&step_up.run_blocking(&world.store, "alice").unwrap())
    };
    let recovered = of(codes[0].clone().into());
    let passkey = of(Vouched::factor(&["hwk", "user"]).into());
    let (added, _, _) = add(&world, &owner);
    for grant in [&recovered, &passkey] {
        check(&world, grant, 60).expect("adding voids no grant");
    }
    remove(&world, &owner, added).unwrap();
    for grant in [&recovered, &passkey] {
        proves_nothing(&world, grant, &owner);
    }
}

/// A login whose code is a month old, the password typed again: not fresh.
#[test]
fn a_month_old_code_is_not_made_fresh_by_the_password() {
    let world = World::standard();
    let (device, old) = world.enrolled("alice");
    let then = world.now();
    world.time.advance(86_400 * 30);
    // The application has noted the password's new time in the login.
    let again = Grant::from_bare_times("alice", world.now(), then.saturating_add(SECOND));
    for grant in [&old, &again] {
        let code = device.code(world.now());
        let reason = Rejection::ReauthenticationRequired;
        for touch in Touch::ALL {
            // No freshness is asked of who proves a pending secret: there is none here.
            let reason = match touch {
                Touch::Verify => Rejection::NotAssociated,
                _ => reason,
            };
            let attack = || touch.by(grant, &world, "alice", code.clone());
            assert_eq!(untouched(&world, "alice", attack), reason, "{touch:?}");
        }
        let attack = || check(&world, grant, 15 * 60);
        assert_eq!(untouched(&world, "alice", attack), reason);
    }
    let fresh = world.stepped_up("alice", &device);
    check(&world, &fresh, 15 * 60).unwrap();
    world.time.advance(15 * 60);
    check(&world, &fresh, 15 * 60).expect("a quarter of an hour is within one");
    world.time.advance(1);
    let stale = || check(&world, &fresh, 15 * 60);
    let reason = Rejection::ReauthenticationRequired;
    assert_eq!(untouched(&world, "alice", stale), reason);
    assert_eq!(
        no(Touch::Disassociate.by(&fresh, &world, "alice", device.code(world.now()))),
        reason
    );
}

const SECOND: Duration = Duration::from_secs(1);

/// A grant of one subject for another: refused, by every verb that takes one, whatever is in force.
#[test]
fn a_grant_of_one_subject_is_none_for_another() {
    let world = World::standard();
    let (_, of_bob) = world.enrolled("bob");
    let of_bob = [
        of_bob,
        world.password("bob"),
        world.password("bob").with_id("login"),
    ];
    let not_authorized = Rejection::NotAuthorized;
    let device = Device::of(&world.associate("alice"));
    for in_force in [false, true] {
        let code = if in_force {
            let verify = world.mfa.verify(
                &world.password("alice").with_id("login"),
                device.code(world.now()),
            );
            let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
            replacement(&world, &Grant::from(enrolled.evidence())).code(world.now())
        } else {
            device.code(world.now())
        };
        for grant in &of_bob {
            authorises_nothing(grant, &world, "alice", &code, not_authorized);
            let attacks: [&dyn Fn() -> Answer; 6] = [
                &|| check(&world, grant, u64::MAX),
                &|| {
                    let step_up = world.mfa.step_up(grant, device.code_in(world.now(), 1));
                    step_up.run_blocking(&world.store, "alice").map(drop)
                },
                &|| {
                    let vouched = world.mfa.step_up(grant, Vouched::factor(&["hwk"]));
                    vouched.run_blocking(&world.store, "alice").map(drop)
                },
                &|| {
                    let [first, second] = [1, 2].map(|steps| device.code_in(world.now(), steps));
                    let resynchronise = world.mfa.resynchronise(grant, first, second);
                    resynchronise.run_blocking(&world.store, "alice")
                },
                &|| {
                    let prefer = world.mfa.prefer(grant, Preference::Preferred);
                    prefer.run_blocking(&world.store, "alice")
                },
                &|| {
                    let enable = world.mfa.set_enabled(grant, true);
                    enable.run_blocking(&world.store, "alice")
                },
            ];
            for attack in attacks {
                assert_eq!(untouched(&world, "alice", attack), not_authorized);
            }
        }
    }
}

/// Evidence of one subject in another's handler: refused, as a grant and as the bytes of one.
#[test]
fn evidence_of_one_subject_is_no_grant_in_the_handler_of_another() {
    let world = World::standard();
    let device = world.enrol("bob");
    let (_, owner) = world.enrolled("alice");
    world.time.advance(60);
    let step_up = world
        .mfa
        .step_up(&world.password("bob"), device.code(world.now()));
    let evidence = step_up.run_blocking(&world.store, "bob").unwrap();
    let grant = Grant::from(&evidence);
    let right = replacement(&world, &owner).code(world.now());
    authorises_nothing(&grant, &world, "alice", &right, Rejection::NotAuthorized);
    let kept = grant.to_bytes();
    assert!(Grant::from_bytes(&kept, "alice").is_err());
    let read = Grant::from_bytes(&kept, "bob").unwrap();
    authorises_nothing(&read, &world, "alice", &right, Rejection::NotAuthorized);
}

/// A pending begun by a thief, after the owner removed the thief's token: dead, whoever tries
/// it.
#[test]
fn what_a_thief_has_begun_ends_when_the_owner_removes_the_thiefs_token() {
    let world = several();
    let (_, owner) = world.enrolled("alice");
    let (thiefs, device, thief) = add(&world, &owner);
    let begun = replacement(&world, &thief);
    world.time.advance(30);
    remove(&world, &owner, thiefs).unwrap();
    let code = begun.code(world.now());
    let verify = |grant: &Grant| Touch::Verify.by(grant, &world, "alice", code.clone());
    assert_eq!(
        untouched(&world, "alice", || verify(&thief)),
        Rejection::SecondFactorRequired
    );
    assert_eq!(
        untouched(&world, "alice", || verify(&owner)),
        Rejection::NotAssociated
    );
    for dead in [&begun, &device] {
        let code = dead.code_in(world.now(), 1);
        assert_eq!(no(sign_in_with(&world, "alice", code)), Rejection::Mismatch);
    }
    // The same where what was begun is to replace a token that is gone.
    let (second, _, _) = add(&world, &owner);
    let associate = world.mfa.associate(&owner).replacing(second);
    let begun = Device::of(&associate.run_blocking(&world.store, "alice").unwrap());
    remove(&world, &owner, second).unwrap();
    let late = || Touch::Verify.by(&owner, &world, "alice", begun.code(world.now()));
    assert_eq!(untouched(&world, "alice", late), Rejection::NotAssociated);
}

/// A grant in milliseconds: refused, and so is everything more than a minute ahead, in either time.
#[test]
fn a_grant_from_the_future_is_refused() {
    for in_force in [false, true] {
        let world = World::standard();
        let (right, device) = if in_force {
            let (device, owner) = world.enrolled("alice");
            (replacement(&world, &owner).code(world.now()), device)
        } else {
            let device = Device::of(&world.associate("alice"));
            (device.code(world.now()), device)
        };
        let now = world.now();
        let times = [
            START * 1000,
            START * 1_000_000,
            START + 61,
            START + 86_400,
            u64::MAX / 1000,
            u64::MAX,
        ];
        for seconds in times {
            let ahead = UnixTime::from_secs(seconds);
            for grant in [
                Grant::first_factor("alice", ahead),
                Grant::first_factor("alice", ahead).with_id("login"),
                Grant::from_bare_times("alice", ahead, ahead),
                Grant::from_bare_times("alice", ahead, now),
                Grant::from_bare_times("alice", now, ahead),
            ] {
                let reason = Rejection::NotAuthorized;
                authorises_nothing(&grant, &world, "alice", &right, reason);
                let attack = || check(&world, &grant, u64::MAX);
                assert_eq!(untouched(&world, "alice", attack), reason);
                let attack = || step_up(&world, &grant, device.code_in(now, 1));
                assert_eq!(untouched(&world, "alice", attack), reason);
            }
        }
        // Clocks of one server may lie a minute apart.
        let close = Grant::first_factor("alice", UnixTime::from_secs(START + 60));
        let step_up = || step_up(&world, &close, device.code_in(now, 1));
        if in_force {
            step_up().unwrap();
        } else {
            assert_eq!(no(step_up()), Rejection::NotAssociated);
        }
    }
}

/// A reset under a clock ten years ahead: can be mended. Until then every login is void; and a
/// reset that does not say so leaves it at that.
#[test]
fn a_reset_under_a_clock_ten_years_ahead_can_be_mended() {
    let world = World::standard();
    let (_, stolen) = world.enrolled("alice");
    world.time.advance(TEN_YEARS);
    let reset = || world.mfa.reset(&admin());
    reset().run_blocking(&world.store, "alice").unwrap();
    let ahead = world.password("alice");

    world.time.set(START + 3600);
    let associate = |grant: &Grant| {
        let associate = world.mfa.associate(grant);
        associate.run_blocking(&world.store, "alice").map(drop)
    };
    let void = || associate(&world.password("alice"));
    assert_eq!(untouched(&world, "alice", void), Rejection::NotAuthorized);
    reset().run_blocking(&world.store, "alice").unwrap();
    assert_eq!(untouched(&world, "alice", void), Rejection::NotAuthorized);

    world.events();
    let mend = reset().mending_clock();
    mend.run_blocking(&world.store, "alice").unwrap();
    let told = EventKind::Reset {
        unreadable: false,
        clock_mended: true,
    };
    assert_eq!(world.events(), [told]);
    // Grants stolen before are as void as ever, and so are those from the time that never was.
    for grant in [&stolen, &ahead] {
        let attack = || associate(grant);
        assert_eq!(untouched(&world, "alice", attack), Rejection::NotAuthorized);
    }
    let (_, owner) = world.enrolled("alice");
    check(&world, &owner, 60).unwrap();
    // Bare times, too, prove something again.
    world.time.advance(60);
    let bare = world.second_factor("alice");
    check(&world, &bare, 60).unwrap();
}

/// The same of what turned a token off, and took one out of force, under such a clock: mended by a
/// reset that says so.
#[test]
fn what_a_clock_ten_years_ahead_has_left_behind_is_mended_by_a_reset() {
    let world = World::new(Policy::COGNITO);
    world.time.advance(TEN_YEARS);
    let _ = world.enrol("alice");
    for enabled in [true, false] {
        let turn = world.mfa.set_enabled(&admin(), enabled);
        turn.run_blocking(&world.store, "alice").unwrap();
    }
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();

    world.time.set(START);
    let mend = world.mfa.reset(&admin()).mending_clock();
    mend.run_blocking(&world.store, "alice").unwrap();
    let _ = world.enrol("alice");
    world.time.advance(60);
    let bare = world.second_factor("alice");
    check(&world, &bare, 60).expect("no change of what is in force lies ahead");
    let associate = world.mfa.associate(&world.password("alice"));
    let waived = associate.run_blocking(&world.store, "alice");
    let _ = waived.expect("no turning off lies ahead");
}

/// The same where the token itself, and its last code, are of a time that lies ahead: no reset
/// before was needed.
#[test]
fn a_token_from_a_clock_ten_years_ahead_leaves_nothing_behind_after_a_reset_that_mends() {
    for used in [false, true] {
        let world = World::standard();
        if !used {
            world.time.advance(TEN_YEARS);
        }
        let device = world.enrol("alice");
        if used {
            world.time.advance(TEN_YEARS);
            sign_in_with(&world, "alice", device.code(world.now())).unwrap();
        }
        world.time.set(START + 60);
        let mend = world.mfa.reset(&admin()).mending_clock();
        mend.run_blocking(&world.store, "alice").unwrap();
        let _ = world.enrol("alice");
        world.time.advance(60);
        let bare = world.second_factor("alice");
        check(&world, &bare, 60).expect("no change of what is in force lies ahead");
    }
}

const TEN_YEARS: u64 = 86_400 * 3652;
