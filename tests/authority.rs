//! On whose word a token is touched: what a grant proves, how fresh it has to be, what a policy
//! waives, what stands in a grant's bytes.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::time::Duration;
use std::sync::{Arc, Mutex};

use crate::world::{Device, START, World, admin};
use softtoken::association::{
    Actor, Authority, EventKind, GrantError, ImportedToken, Preference, StatusReport,
};
use softtoken::policy::PolicyBuilder;
use softtoken::totp::{Secret, Totp};
use softtoken::{
    Administrator, Code, Evidence, Factor, Grant, Policy, Rejection, TokenId, UnixTime, Vouched,
};

const MINUTE: u64 = 60;

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_secs(START + seconds)
}

fn report(world: &World) -> StatusReport {
    let status = world.mfa.status();
    status.run_blocking(&world.store, "alice").unwrap()
}

fn revision(world: &World) -> Option<softtoken::Revision> {
    world.row("alice").map(|row| row.revision)
}

fn associate(world: &World, by: impl Into<Authority>) -> Result<Device, Rejection> {
    let associate = world.mfa.associate(by);
    match associate.run_blocking(&world.store, "alice") {
        Ok(issued) => Ok(Device::of(&issued)),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

fn replace(world: &World, by: impl Into<Authority>, token: TokenId) -> Result<Device, Rejection> {
    let associate = world.mfa.associate(by).replacing(token);
    match associate.run_blocking(&world.store, "alice") {
        Ok(issued) => Ok(Device::of(&issued)),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

fn verify(world: &World, by: impl Into<Authority>, code: Code) -> Result<Grant, Rejection> {
    match world
        .mfa
        .verify(by, code)
        .run_blocking(&world.store, "alice")
    {
        Ok(enrolled) => Ok(Grant::from(enrolled.evidence())),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

/// Sets up one token more on the word of an administrator, with the grant that its code makes.
fn add(world: &World) -> (TokenId, Device, Grant) {
    let associate = world.mfa.associate(&admin());
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let device = Device::of(&issued);
    let grant = verify(world, &admin(), device.code(world.now())).unwrap();
    (issued.token(), device, grant)
}

fn remove(world: &World, token: TokenId) {
    let remove = world.mfa.remove(&admin(), token);
    remove.run_blocking(&world.store, "alice").unwrap();
}

fn step_up(world: &World, factor: impl Into<Factor>) -> Result<Evidence, Rejection> {
    let step_up = world.mfa.step_up(&world.password("alice"), factor);
    let answer = step_up.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

fn prefer(
    world: &World,
    by: impl Into<Authority>,
    preference: Preference,
) -> Result<(), Rejection> {
    let prefer = world.mfa.prefer(by, preference);
    let answer = prefer.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

fn check(world: &World, grant: &Grant, max_age: u64) -> Result<(), Rejection> {
    let check = world.mfa.check(grant, Duration::from_secs(max_age));
    let answer = check.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

/// Whether the grant proves possession, however long ago.
fn proves(world: &World, grant: &Grant) -> bool {
    let answer = check(world, grant, u64::MAX);
    assert!(matches!(
        answer,
        Ok(()) | Err(Rejection::SecondFactorRequired)
    ));
    answer.is_ok()
}

fn three() -> World {
    World::new(Policy::builder().max_tokens(3).build().unwrap())
}

// Possession, by a token.

#[test]
fn a_grant_from_a_code_proves_possession_while_that_token_is_in_force() {
    let world = three();
    let (phone, _, by_phone) = add(&world);
    let (fob, _, by_fob) = add(&world);
    assert!(proves(&world, &by_phone) && proves(&world, &by_fob));
    assert!(replace(&world, &by_phone, fob).is_ok(), "of any that is");

    world.time.advance(60);
    remove(&world, phone);
    assert!(!proves(&world, &by_phone), "a thief's grant proves nothing");
    assert!(proves(&world, &by_fob), "the owner's goes on");
    let before = revision(&world);
    assert_eq!(
        replace(&world, &by_phone, fob).unwrap_err(),
        Rejection::SecondFactorRequired
    );
    assert_eq!(revision(&world), before);
}

#[test]
fn a_grant_from_a_code_ends_with_its_token_however_that_goes() {
    let ways: [fn(&World); 3] = [
        |world| {
            let (_, _, _) = add(world); // in its place
        },
        |world| {
            let disassociate = world.mfa.disassociate(&admin());
            disassociate.run_blocking(&world.store, "alice").unwrap();
            add(world);
        },
        |world| {
            let secret = Secret::from_bytes(&[9; 20]).unwrap();
            let token = ImportedToken::proven(secret, Totp::STANDARD);
            let import = world.mfa.import(&admin(), [token]);
            let import = import.replacing_everything();
            import.run_blocking(&world.store, "alice").unwrap();
        },
    ];
    for way in ways {
        let world = World::standard();
        let (_, _, grant) = add(&world);
        assert!(proves(&world, &grant));
        way(&world);
        assert!(report(&world).is_verified());
        assert!(!proves(&world, &grant), "in the very same second, too");
    }
}

#[test]
fn a_grant_is_made_of_every_kind_of_evidence_and_keeps_what_stood_behind_it() {
    let world = World::new(Policy::STANDARD.required());
    let issued = world
        .mfa
        .associate(&world.setup("alice"))
        .run_blocking(&world.store, "alice")
        .unwrap();
    let device = Device::of(&issued);
    world.time.advance(20);
    let session = issued.session().unwrap();
    let grant = verify(&world, session, device.code(world.now())).unwrap();
    assert_eq!(grant.subject(), "alice");
    assert_eq!(grant.first_factor_at(), at(0), "the password's time");
    assert_eq!(grant.second_factor_at(), Some(at(20)));
    assert_eq!(grant.id(), None);
    assert!(proves(&world, &grant));

    world.time.advance(30);
    let session = world.challenge("alice");
    world.time.advance(5);
    let respond = world.mfa.respond(&session, device.code(world.now()));
    let evidence = respond.run_blocking(&world.store, "alice").unwrap();
    let grant = Grant::from(&evidence);
    assert_eq!(grant.first_factor_at(), at(50));
    assert_eq!(grant.second_factor_at(), Some(at(55)));
    assert!(proves(&world, &grant));
    assert_eq!(grant.with_id("jti-7").id(), Some("jti-7"));
}

// Possession, by the generation.

#[test]
fn a_grant_from_another_factor_proves_possession_until_a_token_is_taken_out_of_force() {
    let world = three();
    let (phone, _, grant) = add(&world);
    let codes = world.mfa.issue_recovery_codes(&grant);
    let codes = codes.run_blocking(&world.store, "alice").unwrap();
    let hour = Duration::from_secs(3600);
    let temporary = world.mfa.issue_temporary_code(&admin(), hour);
    let temporary = temporary.run_blocking(&world.store, "alice").unwrap();
    let factors = [
        Factor::from(codes.iter().next().unwrap().clone()),
        temporary.into(),
        Vouched::factor(&["hwk", "user"]).into(),
        Vouched::recovery_code(true).into(),
    ];
    let grants = factors.map(|factor| Grant::from(&step_up(&world, factor).unwrap()));
    let prove = |world: &World| grants.each_ref().map(|grant| proves(world, grant));
    assert_eq!(prove(&world), [true; 4], "in the second of the enrolment");

    let (fob, _, _) = add(&world);
    assert_eq!(prove(&world), [true; 4], "adding voids no grant");
    let rename = world.mfa.rename(&admin(), phone, "phone");
    rename.run_blocking(&world.store, "alice").unwrap();
    let unlock = world.mfa.unlock(&admin());
    unlock.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(prove(&world), [true; 4], "nor does renaming");

    remove(&world, fob);
    assert_eq!(prove(&world), [false; 4], "whichever token it was");
    let vouched = step_up(&world, Vouched::factor(&["hwk"])).unwrap();
    let vouched = Grant::from(&vouched);
    assert!(proves(&world, &vouched), "in the same second");
    add(&world);
    assert!(
        proves(&world, &vouched),
        "adding voids none of these either"
    );
}

#[test]
fn a_grant_of_a_generation_that_has_not_been_proves_nothing() {
    let world = World::standard();
    let [.., by_generation] = kinds(&world);
    assert!(proves(&world, &by_generation));
    // As of a row that was put back since.
    let mut bytes = by_generation.to_bytes();
    bytes[25] += 1;
    let ahead = Grant::from_bytes(&bytes, "alice").unwrap();
    assert!(!proves(&world, &ahead));
}

#[test]
fn a_grant_from_another_factor_dies_with_a_reset_and_is_not_revived_by_a_new_token() {
    let world = World::standard();
    add(&world);
    let vouched = step_up(&world, Vouched::factor(&["hwk"])).unwrap();
    let grant = Grant::from(&vouched);
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    add(&world);
    assert!(!proves(&world, &grant));
}

// Possession, by bare times.

#[test]
fn bare_times_prove_possession_of_tokens_that_were_verified_in_an_earlier_second() {
    let world = three();
    world.time.advance(100);
    add(&world);
    let bare = |second: u64| Grant::from_bare_times("alice", at(0), at(second));
    let proves = |second| proves(&world, &bare(second));
    assert_eq!([99, 100, 101].map(proves), [false, false, true]);
    world.time.advance(50);
    add(&world);
    assert_eq!(
        [100, 101, 150].map(proves),
        [false, true, true],
        "one token that was shown is enough"
    );
}

#[test]
fn bare_times_prove_nothing_once_a_token_has_gone_in_that_second_or_later() {
    let world = three();
    add(&world);
    world.time.advance(50);
    let (fob, _, _) = add(&world);
    world.time.advance(50);
    let proves = |second| {
        let grant = Grant::from_bare_times("alice", at(second), at(second));
        proves(&world, &grant)
    };
    assert!(proves(90) && proves(100));
    remove(&world, fob);
    world.time.advance(10);
    assert_eq!([90, 100, 101].map(proves), [false, false, true]);
}

#[test]
fn bare_times_of_a_token_that_has_gone_do_not_prove_the_next_one() {
    let world = World::standard();
    add(&world);
    world.time.advance(10);
    let stolen = Grant::from_bare_times("alice", at(10), at(10));
    assert!(proves(&world, &stolen));
    world.time.advance(10);
    let disassociate = world.mfa.disassociate(&admin());
    disassociate.run_blocking(&world.store, "alice").unwrap();
    world.time.go_back(15); // whatever the clock does
    add(&world);
    assert!(!proves(&world, &stolen));
}

// Possession, by the grant that proved a token.

#[test]
fn the_login_that_proved_a_token_counts_as_a_factor_shown_then() {
    let world = three();
    let login = world.password("alice").with_id("login-1");
    let mine = associate(&world, &login).unwrap();
    world.time.advance(10);
    verify(&world, &login, mine.code(world.now())).unwrap();
    let others = [
        world.password("alice"),
        world.password("alice").with_id("login-2"),
        world.password("alice").with_id("login-1 "),
    ];
    assert!(proves(&world, &login));
    assert!(others.iter().all(|grant| !proves(&world, grant)));

    world.time.advance(15 * MINUTE);
    let codes = world.mfa.issue_recovery_codes(&login);
    assert!(codes.run_blocking(&world.store, "alice").is_ok());
    world.time.advance(1);
    let codes = world.mfa.issue_recovery_codes(&login);
    let stale = codes.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(
        stale.rejection(),
        Some(Rejection::ReauthenticationRequired),
        "it was shown when the token was verified"
    );
    let later = world.password("alice").with_id("login-1");
    let codes = world.mfa.issue_recovery_codes(&later);
    let stale = codes.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(
        stale.rejection(),
        Some(Rejection::ReauthenticationRequired),
        "and by no password typed since"
    );
}

#[test]
fn a_login_proves_the_token_that_it_proved_and_loses_it_with_that_token_alone() {
    let world = three();
    let (phone, _, _) = add(&world);
    world.time.advance(30);
    let vouched = Grant::from(&step_up(&world, Vouched::factor(&["hwk"])).unwrap());
    let login = vouched.with_id("login-1");
    let associate = world.mfa.associate(&login);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    verify(&world, &login, code).unwrap();

    let refreshed = world.password("alice").with_id("login-1");
    assert!(proves(&world, &refreshed));
    remove(&world, phone);
    assert!(
        proves(&world, &refreshed),
        "another token's end is nothing to it"
    );
    add(&world);
    remove(&world, issued.token());
    assert!(!proves(&world, &refreshed));
}

#[test]
fn a_session_and_an_administrator_leave_no_login_behind_that_proved_the_token() {
    for by_session in [true, false] {
        let world = World::new(Policy::STANDARD.required());
        if by_session {
            let setup = world.mfa.associate(&world.setup("alice"));
            let issued = setup.run_blocking(&world.store, "alice").unwrap();
            let code = Device::of(&issued).code(world.now());
            verify(&world, issued.session().unwrap(), code).unwrap();
        } else {
            add(&world);
        }
        assert!(!proves(&world, &world.password("alice")));
        assert!(!proves(&world, &world.password("alice").with_id("")));
    }
}

// Freshness.

fn codes(world: &World, grant: &Grant) -> Result<(), Rejection> {
    let codes = world.mfa.issue_recovery_codes(grant);
    let answer = codes.run_blocking(&world.store, "alice");
    answer.map(drop).map_err(|error| error.rejection().unwrap())
}

#[test]
fn where_possession_is_needed_the_second_factors_time_decides() {
    let world = World::standard();
    let (_, device, _) = add(&world);
    world.time.advance(30);
    let shown = world.stepped_up("alice", &device);
    world.time.advance(15 * MINUTE);
    assert_eq!(codes(&world, &shown), Ok(()), "15 minutes are fresh");
    world.time.advance(1);
    let stale = Err(Rejection::ReauthenticationRequired);
    assert_eq!(codes(&world, &shown), stale, "a second more is not");

    // A login whose code is a month old, the password typed again.
    world.time.advance(30 * 24 * 60 * MINUTE);
    let month_old = shown.second_factor_at().unwrap();
    let typed_again = Grant::from_bare_times("alice", world.now(), month_old);
    assert_eq!(codes(&world, &typed_again), stale);

    // A login of a month ago, a code shown now.
    let grant = Grant::first_factor("alice", at(30));
    let code = device.code(world.now());
    let step_up = world.mfa.step_up(&grant, code);
    let evidence = step_up.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(codes(&world, &Grant::from(&evidence)), Ok(()));
}

#[test]
fn where_nothing_is_in_force_the_first_factors_time_decides() {
    let world = World::standard();
    let (login, recent) = (world.password("alice"), |world: &World| {
        Grant::from_bare_times("alice", at(0), world.now())
    });
    world.time.advance(15 * MINUTE);
    assert!(associate(&world, &login).is_ok());
    world.time.advance(1);
    let stale = Rejection::ReauthenticationRequired;
    assert_eq!(associate(&world, &login).unwrap_err(), stale);
    assert_eq!(associate(&world, &recent(&world)).unwrap_err(), stale);
    for grant in [&login, &recent(&world)] {
        let disassociate = world.mfa.disassociate(grant);
        let refused = disassociate.run_blocking(&world.store, "alice");
        assert_eq!(refused.unwrap_err().rejection(), Some(stale));
        let forget = world.mfa.forget_browsers(grant);
        let refused = forget.run_blocking(&world.store, "alice");
        assert_eq!(refused.unwrap_err().rejection(), Some(stale));
    }
}

#[test]
fn resynchronising_asks_for_a_fresh_first_factor_and_for_no_second() {
    let world = World::standard();
    let (_, device, _) = add(&world);
    let login = world.password("alice");
    let resynchronise = |grant: &Grant| {
        let (code, next) = (
            device.code_in(world.now(), 5),
            device.code_in(world.now(), 6),
        );
        let resynchronise = world.mfa.resynchronise(grant, code, next);
        let answer = resynchronise.run_blocking(&world.store, "alice");
        answer.map_err(|error| error.rejection().unwrap())
    };
    world.time.advance(15 * MINUTE + 1);
    let before = revision(&world);
    assert_eq!(
        resynchronise(&login),
        Err(Rejection::ReauthenticationRequired)
    );
    assert_eq!(
        resynchronise(&world.password("bob")),
        Err(Rejection::NotAuthorized)
    );
    assert_eq!(revision(&world), before, "no code was looked at");
    assert_eq!(resynchronise(&world.password("alice")), Ok(()));
}

#[test]
fn the_expiry_of_the_access_token_decides_in_cognitos_policy() {
    let world = World::new(Policy::COGNITO);
    let (_, _, grant) = add(&world);
    world.time.advance(365 * 24 * 60 * MINUTE);
    assert_eq!(codes(&world, &grant), Ok(()));
}

#[test]
fn an_administrator_is_asked_for_nothing_of_the_users() {
    let world = World::standard();
    let (token, _, _) = add(&world);
    world.time.advance(365 * 24 * 60 * MINUTE);
    assert!(associate(&world, &admin()).is_ok());
    assert_eq!(prefer(&world, &admin(), Preference::Preferred), Ok(()));
    assert_eq!(prefer(&world, &admin(), Preference::Disabled), Ok(()));
    let codes = world.mfa.issue_recovery_codes(&admin());
    assert!(codes.run_blocking(&world.store, "alice").is_ok());
    let forget = world.mfa.forget_browsers(&admin());
    assert!(forget.run_blocking(&world.store, "alice").is_ok());
    remove(&world, token);
}

// The waiver.

/// A world with one token, verified at once, whose policy is Cognito's but for what `change`
/// changes.
fn waiving(change: impl Fn(PolicyBuilder) -> PolicyBuilder) -> (World, Device, Grant) {
    let policy = change(Policy::COGNITO.to_builder()).build().unwrap();
    let world = World::new(policy);
    let (_, device, grant) = add(&world);
    (world, device, grant)
}

/// Whether a password that was given just now may replace the only token.
fn waives(world: &World) -> bool {
    let token = report(world).tokens[0].id;
    let answer = replace(world, &world.password("alice"), token);
    assert!(matches!(
        answer,
        Ok(_) | Err(Rejection::SecondFactorRequired)
    ));
    answer.is_ok()
}

#[test]
fn the_waiver_takes_a_policy_that_waives() {
    let (world, ..) = waiving(|policy| policy);
    assert!(waives(&world));
    let (world, ..) = waiving(|policy| policy.waive_possession_of_unasked_token(false));
    assert!(!waives(&world));
}

#[test]
fn the_waiver_takes_one_token_in_force_and_no_more() {
    let (world, ..) = waiving(|policy| policy.max_tokens(3));
    assert!(waives(&world));
    let (fob, ..) = add(&world);
    assert!(!waives(&world));
    remove(&world, fob);
    assert!(waives(&world));
}

#[test]
fn the_waiver_lets_a_password_replace_the_token_and_not_add_one() {
    let (world, _, grant) = waiving(|policy| policy.max_tokens(3));
    assert_eq!(
        associate(&world, &world.password("alice")).unwrap_err(),
        Rejection::SecondFactorRequired
    );
    let added = associate(&world, &grant).unwrap();
    let code = added.code(world.now());
    let before = revision(&world);
    assert_eq!(
        verify(&world, &world.password("alice"), code.clone()).unwrap_err(),
        Rejection::SecondFactorRequired
    );
    assert_eq!(revision(&world), before);
    assert!(verify(&world, &grant, code).is_ok());
}

/// The password alone would let guessing go on.
#[test]
fn the_waiver_does_not_end_the_limit_on_wrong_recovery_codes() {
    let (world, ..) = waiving(|policy| policy.recovery_limit(Some(1)));
    let vouched = |is_right| {
        let factor = Vouched::recovery_code(is_right).into();
        let sign_in = world.mfa.sign_in_with(Some(factor));
        let answer = sign_in.run_blocking(&world.store, "alice");
        answer.unwrap_err().rejection().unwrap()
    };
    assert_eq!(vouched(false), Rejection::Mismatch);
    assert_eq!(vouched(true), Rejection::RecoveryLocked);
    let token = report(&world).tokens[0].id;
    let password = world.password("alice");
    let replacement = replace(&world, &password, token).unwrap();
    let code = replacement.code(world.now());
    assert!(verify(&world, &password, code).is_ok());
    assert_ne!(report(&world).tokens[0].id, token);
    assert_eq!(vouched(true), Rejection::RecoveryLocked);
}

#[test]
fn the_waiver_takes_a_sign_in_that_would_not_ask() {
    let (world, _, grant) = waiving(|policy| policy);
    prefer(&world, &world.password("alice"), Preference::Enabled).unwrap();
    assert!(!waives(&world), "it is turned on");
    prefer(&world, &grant, Preference::Disabled).unwrap();
    assert!(waives(&world));
}

#[test]
fn the_waiver_takes_a_grant_without_a_second_factor() {
    let (world, ..) = waiving(|policy| policy);
    let token = report(&world).tokens[0].id;
    for second in [0, 1] {
        world.time.set(START + second);
        let weak = Grant::from_bare_times("alice", world.now(), at(0));
        assert_eq!(
            replace(&world, &weak, token).unwrap_err(),
            Rejection::SecondFactorRequired,
            "one that proves nothing is not none"
        );
    }
    assert!(waives(&world));
}

#[test]
fn the_waiver_takes_a_password_given_since_the_token_was_verified() {
    let policy = Policy::COGNITO;
    let world = World::new(policy);
    world.time.advance(100);
    let (token, ..) = add(&world);
    world.time.advance(10);
    let given = |second| Grant::first_factor("alice", at(second));
    let answer = replace(&world, &given(99), token);
    assert_eq!(answer.unwrap_err(), Rejection::SecondFactorRequired);
    assert!(replace(&world, &given(100), token).is_ok());
}

#[test]
fn the_waiver_takes_a_password_given_since_the_token_was_last_turned_off() {
    let (world, device, _) = waiving(|policy| policy);
    let token = report(&world).tokens[0].id;
    world.time.advance(100);
    let _ = step_up(&world, device.code(world.now())).unwrap();
    let turned_off = world.mfa.set_enabled(&admin(), false);
    turned_off.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(10);
    let given = |second| Grant::first_factor("alice", at(second));
    let stolen = replace(&world, &given(99), token);
    assert_eq!(stolen.unwrap_err(), Rejection::SecondFactorRequired);
    assert!(replace(&world, &given(100), token).is_ok());

    // A clock that went back does not lower it.
    world.time.set(START + 50);
    let _ = step_up(&world, Vouched::factor(&["hwk"])).unwrap();
    let turned_off = world.mfa.set_enabled(&admin(), false);
    turned_off.run_blocking(&world.store, "alice").unwrap();
    let stolen = replace(&world, &given(99), token);
    assert_eq!(stolen.unwrap_err(), Rejection::SecondFactorRequired);
    assert!(replace(&world, &given(100), token).is_ok());
}

#[test]
fn the_waiver_takes_a_fresh_password_where_freshness_is_asked_for() {
    let (world, ..) =
        waiving(|policy| policy.reauthenticate_within(Some(Duration::from_secs(15 * MINUTE))));
    let token = report(&world).tokens[0].id;
    let login = world.password("alice");
    world.time.advance(15 * MINUTE);
    assert!(replace(&world, &login, token).is_ok());
    world.time.advance(1);
    assert_eq!(
        replace(&world, &login, token).unwrap_err(),
        Rejection::ReauthenticationRequired
    );
}

#[test]
fn a_token_that_has_guarded_something_is_not_taken_by_the_password() {
    type Guard = fn(&World, &Device);
    let guards: [(&str, Guard); 7] = [
        ("a recovery code", |world, _| {
            let issue = world.mfa.issue_recovery_codes(&admin());
            let codes = issue.run_blocking(&world.store, "alice").unwrap();
            let _ = step_up(world, codes.iter().next().unwrap().clone()).unwrap();
        }),
        ("a vouched factor", |world, _| {
            let _ = step_up(world, Vouched::factor(&["hwk"])).unwrap();
        }),
        ("a token that this one has replaced", |world, device| {
            let _ = step_up(world, device.code(world.now())).unwrap();
            let device = associate(world, &admin()).unwrap();
            verify(world, &admin(), device.code(world.now())).unwrap();
        }),
        ("respond", |world, device| {
            prefer(world, &admin(), Preference::Enabled).unwrap();
            let session = world.challenge("alice");
            let respond = world.mfa.respond(&session, device.code(world.now()));
            let _ = respond.run_blocking(&world.store, "alice").unwrap();
        }),
        ("sign_in_with", |world, device| {
            let code = device.code(world.now());
            let sign_in = world.mfa.sign_in_with(Some(code.into()));
            let _ = sign_in.run_blocking(&world.store, "alice").unwrap();
        }),
        ("step_up", |world, device| {
            let _ = step_up(world, device.code(world.now())).unwrap();
        }),
        ("verify where a sign-in asks for it", |world, _| {
            prefer(world, &admin(), Preference::Enabled).unwrap();
            let device = associate(world, &admin()).unwrap();
            verify(world, &admin(), device.code(world.now())).unwrap();
        }),
    ];
    for (name, guard) in guards {
        let (world, device, _) = waiving(|policy| policy);
        world.time.advance(30);
        guard(&world, &device);
        // Off by a policy that never asks, not by the user.
        let off = Policy::COGNITO.to_builder();
        let off = off.requirement(softtoken::Requirement::Off);
        let mut off = World::new(off.build().unwrap());
        off.store = world.store;
        off.time.set(START + 60);
        assert!(!waives(&off), "{name}");
    }
}

#[test]
fn a_login_proves_no_token_that_one_with_another_end_of_its_id_has_proved() {
    let world = World::standard();
    let login = |id: &str| world.password("alice").with_id(id);
    let start = "0123456789abcdef".repeat(4);
    let own = login(&format!("{start}1"));
    let device = associate(&world, &own).unwrap();
    verify(&world, &own, device.code(world.now())).unwrap();
    assert!(proves(&world, &own));
    for other in [&format!("{start}2"), &start, &start[..16]] {
        assert!(!proves(&world, &login(other)), "{other}");
    }
}

#[test]
fn the_login_that_proved_a_token_grows_old_though_the_token_is_used() {
    let world = World::standard();
    let login = world.password("alice").with_id("login-1");
    let device = associate(&world, &login).unwrap();
    verify(&world, &login, device.code(world.now())).unwrap();
    world.time.advance(10 * MINUTE);
    assert_eq!(check(&world, &login, 10 * MINUTE), Ok(()));
    let _ = step_up(&world, device.code(world.now())).unwrap();
    world.time.advance(1);
    let old = Err(Rejection::ReauthenticationRequired);
    assert_eq!(check(&world, &login, 10 * MINUTE), old);
}

#[test]
fn turning_off_again_by_an_old_possession_leaves_that_the_token_has_guarded() {
    let policy = Policy::COGNITO.to_builder();
    let within = Some(Duration::from_secs(15 * MINUTE));
    let world = World::new(policy.reauthenticate_within(within).build().unwrap());
    let (_, device, _) = add(&world);
    world.time.advance(MINUTE);
    let _ = step_up(&world, device.code(world.now())).unwrap();
    let shown = world.now();
    world.time.advance(16 * MINUTE);
    // The password is fresh, and the code is not.
    let stale = Grant::from_bare_times("alice", world.now(), shown);
    let before = revision(&world);
    assert_eq!(prefer(&world, &stale, Preference::Disabled), Ok(()));
    assert_eq!(revision(&world), before, "it is a read");
    let refused = associate(&world, &world.password("alice")).map(drop);
    assert_eq!(refused, Err(Rejection::SecondFactorRequired));
}

/// An enabled token is not taken by a password under a view that asks nobody: a sign-in of another
/// view asks for it.
#[test]
fn the_waiver_takes_no_token_that_is_enabled() {
    let (world, _, _) = waiving(|policy| policy);
    world.time.advance(30);
    prefer(&world, &admin(), Preference::Enabled).unwrap();
    let off = Policy::COGNITO.to_builder();
    let off = off.requirement(softtoken::Requirement::Off);
    let mut off = World::new(off.build().unwrap());
    off.store = world.store;
    off.time.set(START + 60);
    assert!(!waives(&off));
    prefer(&off, &admin(), Preference::Disabled).unwrap();
    off.time.advance(30);
    assert!(waives(&off));
}

#[test]
fn what_proves_nothing_makes_no_token_one_that_has_guarded_something() {
    let (world, device, _) = waiving(|policy| policy);
    world.time.advance(30);
    prefer(&world, &admin(), Preference::Enabled).unwrap();
    let session = world.challenge("alice");
    let wrong = world.mfa.respond(&session, device.wrong_code(world.now()));
    assert!(wrong.run_blocking(&world.store, "alice").is_err());
    assert!(step_up(&world, device.code_in(world.now(), -1)).is_err());
    let (code, next) = (
        device.code_in(world.now(), 5),
        device.code_in(world.now(), 6),
    );
    let by = world.password("alice");
    let resynchronise = world.mfa.resynchronise(&by, code, next);
    resynchronise.run_blocking(&world.store, "alice").unwrap();
    prefer(&world, &admin(), Preference::Disabled).unwrap();
    assert!(waives(&world));
}

#[test]
fn turning_off_with_possession_or_by_an_administrator_makes_the_token_replaceable_again() {
    // Off it is already, in Cognito's policy; the code has guarded something all the same.
    let guarded = || {
        let (world, device, _) = waiving(|policy| policy);
        world.time.advance(30);
        let evidence = step_up(&world, device.code(world.now())).unwrap();
        assert!(!report(&world).preference.is_enabled());
        assert!(!waives(&world));
        world.events();
        (world, Grant::from(&evidence))
    };
    let changed = [EventKind::PreferenceChanged {
        enabled: false,
        preferred: false,
    }];

    let (world, _) = guarded();
    let before = revision(&world);
    let password = world.password("alice");
    assert_eq!(prefer(&world, &password, Preference::Disabled), Ok(()));
    assert_eq!(world.events(), [], "by a password it is a read");
    assert_eq!(revision(&world), before);
    assert!(!waives(&world));

    let (world, grant) = guarded();
    assert_eq!(prefer(&world, &grant, Preference::Disabled), Ok(()));
    assert_eq!(world.events(), changed);
    assert!(waives(&world));

    let (world, _) = guarded();
    assert_eq!(prefer(&world, &admin(), Preference::Disabled), Ok(()));
    assert_eq!(world.events(), changed);
    assert!(waives(&world));
    assert_eq!(prefer(&world, &admin(), Preference::Disabled), Ok(()));

    // A policy that requires lets an administrator change nothing.
    let (world, _) = guarded();
    let strict = world.mfa.with_policy(Policy::COGNITO.required()).unwrap();
    let off = strict.set_enabled(&admin(), false);
    off.run_blocking(&world.store, "alice").unwrap();
    assert!(!waives(&world));
}

#[test]
fn a_new_token_has_guarded_nothing_where_nothing_was_in_force() {
    let (world, device, _) = waiving(|policy| policy);
    world.time.advance(30);
    let _ = step_up(&world, device.code(world.now())).unwrap();
    let disassociate = world.mfa.disassociate(&admin());
    disassociate.run_blocking(&world.store, "alice").unwrap();
    add(&world);
    assert!(waives(&world));
}

#[test]
fn a_replacement_that_was_begun_by_the_waiver_is_not_finished_by_it_once_the_token_was_shown() {
    let (world, device, grant) = waiving(|policy| policy);
    let begun = associate(&world, &world.password("alice")).unwrap();
    world.time.advance(30);
    let _ = step_up(&world, device.code(world.now())).unwrap();
    let code = begun.code(world.now());
    let before = revision(&world);
    assert_eq!(
        verify(&world, &world.password("alice"), code.clone()).unwrap_err(),
        Rejection::SecondFactorRequired
    );
    assert_eq!(revision(&world), before);
    assert!(verify(&world, &grant, code).is_ok());
}

#[test]
fn who_has_lost_the_phone_under_cognitos_policy_is_helped_by_turning_off_as_there() {
    let (world, device, _) = waiving(|policy| policy);
    world.time.advance(30);
    prefer(&world, &world.password("alice"), Preference::Preferred).unwrap();
    let session = world.challenge("alice");
    let respond = world.mfa.respond(&session, device.code(world.now()));
    let _ = respond.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(30);
    let before = world.password("alice");
    assert!(!waives(&world));
    world.time.advance(30);
    prefer(&world, &admin(), Preference::Disabled).unwrap();
    let token = report(&world).tokens[0].id;
    assert_eq!(
        replace(&world, &before, token).unwrap_err(),
        Rejection::SecondFactorRequired,
        "a password that was given before is no sign of the user's return"
    );
    let login = world.password("alice");
    let new = associate(&world, &login).unwrap();
    verify(&world, &login, new.code(world.now())).unwrap();
    prefer(&world, &login, Preference::Preferred).unwrap();
    world.time.advance(30);
    let session = world.challenge("alice");
    let respond = world.mfa.respond(&session, new.code(world.now()));
    assert!(respond.run_blocking(&world.store, "alice").is_ok());
}

// The preference.

#[test]
fn a_preference_goes_up_by_possession_and_by_the_password_alone_under_cognitos_policy() {
    use Preference::{Disabled, Enabled, Preferred};
    let ups = [
        (Disabled, Enabled),
        (Disabled, Preferred),
        (Enabled, Preferred),
    ];
    for (policy, by_password) in [(Policy::STANDARD, false), (Policy::COGNITO, true)] {
        for (from, to) in ups {
            let world = World::new(policy);
            let (_, _, grant) = add(&world);
            prefer(&world, &admin(), from).unwrap();
            let answer = prefer(&world, &world.password("alice"), to);
            if by_password {
                assert_eq!(answer, Ok(()));
            } else {
                assert_eq!(answer, Err(Rejection::SecondFactorRequired));
                assert_eq!(report(&world).preference, from);
                world.time.advance(365 * 24 * 60 * MINUTE);
                let up = prefer(&world, &grant, to);
                assert_eq!(up, Ok(()), "however old: it protects more");
            }
            assert_eq!(report(&world).preference, to);
        }
    }
}

#[test]
fn a_preference_goes_down_by_possession_always() {
    use Preference::{Disabled, Enabled, Preferred};
    let downs = [
        (Preferred, Enabled),
        (Preferred, Disabled),
        (Enabled, Disabled),
    ];
    for policy in [Policy::STANDARD, Policy::COGNITO] {
        for (from, to) in downs {
            let world = World::new(policy);
            let (_, _, grant) = add(&world);
            prefer(&world, &admin(), from).unwrap();
            assert_eq!(
                prefer(&world, &world.password("alice"), to),
                Err(Rejection::SecondFactorRequired)
            );
            assert_eq!(prefer(&world, &grant, to), Ok(()));
            assert_eq!(report(&world).preference, to);
        }
    }
    let world = World::standard();
    let (_, _, grant) = add(&world);
    world.time.advance(15 * MINUTE + 1);
    assert_eq!(
        prefer(&world, &grant, Disabled),
        Err(Rejection::ReauthenticationRequired)
    );
}

#[test]
fn the_same_preference_again_is_a_read_by_a_login_that_has_just_stepped_up() {
    let world = World::standard();
    let device = world.enrol("alice");
    let password = world.password("alice");
    world.time.advance(3600);
    let step_up = world.mfa.step_up(&password, device.code(world.now()));
    let evidence = step_up.run_blocking(&world.store, "alice").unwrap();
    let grant = Grant::from(&evidence);
    assert_eq!(prefer(&world, &grant, Preference::Disabled), Ok(()));
    assert_eq!(
        prefer(&world, &grant, Preference::Disabled),
        Ok(()),
        "a double click"
    );
}

#[test]
fn the_same_preference_again_is_a_read_by_a_fresh_password() {
    let world = World::standard();
    add(&world);
    let before = revision(&world);
    let password = world.password("alice");
    assert_eq!(prefer(&world, &password, Preference::Enabled), Ok(()));
    world.time.advance(15 * MINUTE + 1);
    assert_eq!(
        prefer(&world, &password, Preference::Enabled),
        Err(Rejection::ReauthenticationRequired)
    );
    assert_eq!(
        prefer(&world, &world.password("bob"), Preference::Enabled),
        Err(Rejection::NotAuthorized)
    );
    assert_eq!(revision(&world), before);
}

#[test]
fn the_password_alone_writes_to_the_row_twice_at_most() {
    let world = World::new(Policy::COGNITO);
    add(&world);
    let before = revision(&world).unwrap().get();
    for _ in 0..20 {
        for preference in [
            Preference::Enabled,
            Preference::Preferred,
            Preference::Disabled,
        ] {
            let _ = prefer(&world, &world.password("alice"), preference);
        }
    }
    assert_eq!(revision(&world).unwrap().get(), before + 2);
}

// Grants that authorise nothing.

#[test]
fn a_grant_of_another_subject_authorises_nothing() {
    let world = World::standard();
    let (_, _, grant) = add(&world);
    let issued = world
        .mfa
        .associate(&grant)
        .run_blocking(&world.store, "bob");
    assert_eq!(
        issued.unwrap_err().rejection(),
        Some(Rejection::NotAuthorized)
    );
    assert!(world.row("bob").is_none());
    for foreign in [
        world.password("bob"),
        world.password("Alice"),
        world.password("alice "),
        world.password(""),
        world.second_factor("bob"),
    ] {
        assert_eq!(
            associate(&world, &foreign).unwrap_err(),
            Rejection::NotAuthorized
        );
        assert_eq!(
            check(&world, &foreign, u64::MAX),
            Err(Rejection::NotAuthorized)
        );
    }
}

#[test]
fn a_grant_from_the_future_authorises_nothing_beyond_what_clocks_may_differ() {
    let world = World::standard();
    let now = world.now();
    let by = |seconds| now.saturating_add(Duration::from_secs(seconds));
    assert!(associate(&world, &Grant::first_factor("alice", by(60))).is_ok());
    let milliseconds = UnixTime::from_secs(now.as_secs() * 1000);
    for ahead in [by(61), milliseconds, UnixTime::from_secs(u64::MAX)] {
        for grant in [
            Grant::first_factor("alice", ahead),
            Grant::from_bare_times("alice", now, ahead),
            Grant::from_bare_times("alice", ahead, now),
        ] {
            assert_eq!(
                associate(&world, &grant).unwrap_err(),
                Rejection::NotAuthorized
            );
            assert_eq!(
                check(&world, &grant, u64::MAX),
                Err(Rejection::NotAuthorized)
            );
        }
    }
    add(&world);
    world.time.advance(10);
    let grant = Grant::from_bare_times("alice", by(0), by(70));
    assert!(proves(&world, &grant), "a minute ahead, of another server");
    let grant = Grant::from_bare_times("alice", by(0), by(71));
    assert_eq!(
        check(&world, &grant, u64::MAX),
        Err(Rejection::NotAuthorized)
    );
}

#[test]
fn a_grant_from_before_a_reset_authorises_nothing_whatever_it_has_proven() {
    let world = World::standard();
    world.time.advance(100);
    let (_, _, proven) = add(&world);
    world.time.advance(100);
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    for void in [
        proven,
        Grant::first_factor("alice", at(199)),
        Grant::from_bare_times("alice", at(199), at(199)),
        Grant::from_bare_times("alice", at(199), at(250)), // stepped up since
    ] {
        assert_eq!(
            associate(&world, &void).unwrap_err(),
            Rejection::NotAuthorized
        );
        assert_eq!(
            check(&world, &void, u64::MAX),
            Err(Rejection::NotAuthorized)
        );
    }
    let same_second = Grant::first_factor("alice", at(200));
    assert!(associate(&world, &same_second).is_ok(), "not before it");
}

#[test]
fn a_bad_authority_is_told_before_any_code_is_looked_at_and_is_no_guess() {
    let world = World::standard();
    let (_, _, grant) = add(&world);
    let pending = associate(&world, &grant).unwrap();
    let codes = [
        pending.code(world.now()),
        pending.wrong_code(world.now()),
        Code::parse("12345678").unwrap(),
    ];
    let before = revision(&world);
    for (by, expected) in [
        (world.password("bob"), Rejection::NotAuthorized),
        (world.password("alice"), Rejection::SecondFactorRequired),
    ] {
        for code in &codes {
            world.events();
            let refused = verify(&world, &by, code.clone()).unwrap_err();
            assert_eq!(refused, expected);
            let flaw = None;
            assert_eq!(
                world.events(),
                [EventKind::Refused {
                    rejection: expected,
                    flaw
                }]
            );
        }
    }
    assert_eq!(revision(&world), before);
    assert_eq!(report(&world).failures, 0);
}

// The administrator.

#[test]
fn an_administrator_is_named_in_the_events_as_far_as_256_bytes() {
    let world = World::standard();
    let log = Arc::<Mutex<Vec<Actor>>>::default();
    let told = Arc::clone(&log);
    let mfa = world.mfa.with_audit(move |_, event| {
        told.lock().unwrap().push(event.actor.clone());
    });
    let names = ["root", "", &"ö".repeat(200)];
    let kept = ["root", "", &"ö".repeat(128)];
    for name in names {
        let unlock = mfa.unlock(&Administrator::named(name));
        unlock.run_blocking(&world.store, "alice").unwrap();
    }
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 3);
    for (actor, kept) in log.iter().zip(kept) {
        assert_eq!(actor.name(), "administrator");
        let Actor::Administrator { name, .. } = actor else {
            panic!("an administrator did it: {actor:?}");
        };
        assert_eq!(&**name, kept);
    }
    assert_eq!(Administrator::named(names[2]).name(), kept[2]);
    let odd = format!("a{}", names[2]);
    let cut = Administrator::named(&odd);
    assert_eq!(cut.name().len(), 255, "whole characters");
}

// Check.

#[test]
fn a_check_asks_for_possession_within_an_age_where_a_token_is_in_force() {
    let world = World::standard();
    let (_, device, _) = add(&world);
    world.time.advance(30);
    let shown = world.stepped_up("alice", &device);
    world.time.advance(100);
    let before = revision(&world);
    world.events();
    assert_eq!(check(&world, &shown, 100), Ok(()));
    assert_eq!(world.events(), [], "a read tells nobody that it is right");
    let stale = Err(Rejection::ReauthenticationRequired);
    assert_eq!(check(&world, &shown, 99), stale);
    assert_eq!(
        check(&world, &world.password("alice"), 100),
        Err(Rejection::SecondFactorRequired)
    );
    let typed_again = Grant::from_bare_times("alice", world.now(), at(30));
    assert_eq!(check(&world, &typed_again, 99), stale);
    assert_eq!(revision(&world), before);

    world.time.advance(24 * 60 * MINUTE);
    let two_days = 2 * 24 * 60 * MINUTE;
    assert_eq!(
        check(&world, &shown, two_days),
        Ok(()),
        "by its own age, not by the policy's"
    );
}

#[test]
fn a_check_asks_for_the_first_factor_within_an_age_where_no_token_is_in_force() {
    let world = World::standard();
    let login = world.password("alice");
    world.time.advance(100);
    for _ in 0..2 {
        assert_eq!(check(&world, &login, 100), Ok(()));
        assert_eq!(
            check(&world, &login, 99),
            Err(Rejection::ReauthenticationRequired)
        );
        assert_eq!(
            check(&world, &world.password("bob"), 100),
            Err(Rejection::NotAuthorized)
        );
        let _ = world.associate("alice"); // pending is not in force
    }
}

#[test]
fn a_check_knows_no_waiver() {
    let (world, ..) = waiving(|policy| policy);
    assert!(waives(&world));
    assert_eq!(
        check(&world, &world.password("alice"), 100),
        Err(Rejection::SecondFactorRequired)
    );
}

// A grant as bytes.

/// One of each kind, and what it proves in this world.
fn kinds(world: &World) -> [Grant; 6] {
    let (_, _, by_token) = add(world);
    let vouched = step_up(world, Vouched::factor(&["hwk"])).unwrap();
    [
        world.password("alice"),
        world.password("alice").with_id("jti-1"),
        world.second_factor("alice"),
        by_token.clone(),
        by_token.with_id("origin_jti \u{e4}\u{1f511}"),
        Grant::from(&vouched),
    ]
}

#[test]
fn a_grant_comes_back_from_its_bytes_as_it_was() {
    let world = World::standard();
    for grant in kinds(&world) {
        let kept = Grant::from_bytes(&grant.to_bytes(), "alice").unwrap();
        assert_eq!(kept, grant);
        assert_eq!(kept.id(), grant.id());
        assert_eq!(kept.second_factor_at(), grant.second_factor_at());
        assert_eq!(proves(&world, &kept), proves(&world, &grant));
        assert_eq!(
            Grant::from_bytes(&grant.to_bytes(), "bob"),
            Err(GrantError::OtherSubject)
        );
        assert_eq!(
            Grant::from_bytes(&grant.to_bytes(), ""),
            Err(GrantError::OtherSubject)
        );
    }
}

#[test]
fn no_part_of_a_grants_bytes_is_a_grant() {
    let world = World::standard();
    for grant in kinds(&world) {
        let bytes = grant.to_bytes();
        for length in 0..bytes.len() {
            let part = Grant::from_bytes(&bytes[..length], "alice");
            assert!(part.is_err(), "{length} of {}", bytes.len());
        }
        let more = [bytes.as_slice(), b"!"].concat();
        assert_eq!(
            Grant::from_bytes(&more, "alice"),
            Err(GrantError::OtherSubject)
        );
    }
}

#[test]
fn the_bytes_of_a_grant_are_a_stable_form() {
    let (first, second) = (
        UnixTime::from_secs(0x0102_0304_0506_0708),
        UnixTime::from_secs(0x1112_1314_1516_1718),
    );
    let head = [1, 1, 2, 3, 4, 5, 6, 7, 8];
    let shown = [0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18];
    let bare = Grant::from_bare_times("alice", first, second).with_id("jti");
    let written = [
        (
            Grant::first_factor("alice", first),
            [head.as_slice(), &[0], &[0, 0, 0, 0], b"alice"].concat(),
        ),
        (
            bare.clone(),
            [
                head.as_slice(),
                &[3],
                &shown,
                &[0, 0, 0, 3],
                b"jti",
                b"alice",
            ]
            .concat(),
        ),
    ];
    for (grant, bytes) in &written {
        assert_eq!(grant.to_bytes(), *bytes);
        assert_eq!(Grant::from_bytes(bytes, "alice").as_ref(), Ok(grant));
    }
    // A code of a token, and a factor of a generation: 16 bytes of the token's id, 8 of the number.
    let world = World::standard();
    let [.., by_token, _, by_generation] = kinds(&world);
    let id = report(&world).tokens[0].id.to_string();
    let id: Vec<u8> = (0..16)
        .map(|byte| u8::from_str_radix(&id[2 * byte..2 * byte + 2], 16).unwrap())
        .collect();
    let bytes = by_token.to_bytes();
    assert_eq!((bytes[9], &bytes[18..34]), (1, id.as_slice()));
    let bytes = by_generation.to_bytes();
    assert_eq!((bytes[9], bytes.len()), (2, 10 + 8 + 8 + 4 + 5));
}

#[test]
fn bytes_that_are_no_grant_are_told_apart_from_a_newer_versions() {
    let good = Grant::first_factor("alice", at(0))
        .with_id("jti")
        .to_bytes();
    let changed = |place: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[place] = byte;
        Grant::from_bytes(&bytes, "alice")
    };
    assert!(changed(0, 1).is_ok());
    assert_eq!(changed(0, 0), Err(GrantError::Damaged));
    for format in [2, 255] {
        assert_eq!(
            changed(0, format),
            Err(GrantError::UnknownFormat { format })
        );
    }
    let unknown = GrantError::UnknownFormat { format: 2 };
    assert_eq!(Grant::from_bytes(&[2], "alice"), Err(unknown));
    assert_eq!(Grant::from_bytes(&[], "alice"), Err(GrantError::Damaged));
    assert_eq!(changed(9, 4), Err(GrantError::Damaged), "no such proof");
    assert_eq!(changed(10, 255), Err(GrantError::Damaged), "no such length");
    assert_eq!(changed(14, 0xff), Err(GrantError::Damaged), "not UTF-8");
    let last = good.len() - 1;
    assert_eq!(changed(last, 0xff), Err(GrantError::Damaged));
}

#[test]
fn debug_output_of_a_grant_says_what_it_proves_and_not_its_id() {
    let grant = Grant::from_bare_times("alice", at(0), at(1)).with_id("credential");
    let shown = format!("{grant:?} {:?}", Authority::from(&grant));
    assert!(shown.contains("alice") && shown.contains("second_factor"));
    assert!(!shown.contains("credential"));
}

#[cfg(feature = "serde")]
mod as_text {
    use super::{World, at, kinds, proves, report};
    use softtoken::Grant;

    #[test]
    fn a_grant_comes_back_from_serde_as_it_was() {
        let world = World::standard();
        for grant in kinds(&world) {
            let text = serde_json::to_string(&grant).unwrap();
            let kept: Grant = serde_json::from_str(&text).unwrap();
            assert_eq!(kept, grant);
            assert_eq!(proves(&world, &kept), proves(&world, &grant));
        }
    }

    #[test]
    fn the_fields_of_a_grant_are_a_stable_form() {
        let world = World::standard();
        let now = world.now().as_secs();
        let [password, named, bare, by_token, _, by_generation] = kinds(&world);
        let token = report(&world).tokens[0].id.to_string();
        for (grant, written) in [
            (
                password,
                serde_json::json!({
                    "subject": "alice", "first_factor": now, "second_factor": null, "id": null,
                }),
            ),
            (
                named,
                serde_json::json!({
                    "subject": "alice", "first_factor": now, "second_factor": null, "id": "jti-1",
                }),
            ),
            (
                bare,
                serde_json::json!({
                    "subject": "alice", "first_factor": now, "id": null,
                    "second_factor": { "at": now, "proved_by": "time" },
                }),
            ),
            (
                by_token,
                serde_json::json!({
                    "subject": "alice", "first_factor": now, "id": null,
                    "second_factor": { "at": now, "proved_by": { "token": token } },
                }),
            ),
            (
                by_generation,
                serde_json::json!({
                    "subject": "alice", "first_factor": now, "id": null,
                    "second_factor": { "at": now, "proved_by": { "generation": 1 } },
                }),
            ),
        ] {
            assert_eq!(serde_json::to_value(&grant).unwrap(), written);
            assert_eq!(serde_json::from_value::<Grant>(written).unwrap(), grant);
        }
    }

    #[test]
    fn an_empty_id_is_none_in_every_form() {
        let nameless = Grant::first_factor("alice", at(0));
        assert_eq!(nameless.clone().with_id(""), nameless);
        let written = serde_json::json!({
            "subject": "alice", "first_factor": at(0).as_secs(), "second_factor": null, "id": "",
        });
        let read: Grant = serde_json::from_value(written).unwrap();
        assert_eq!(read.id(), None, "or two logins without one would be one");
        assert_eq!(read, nameless);
    }
}
