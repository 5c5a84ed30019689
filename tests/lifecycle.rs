//! How a token comes into force and goes: every row of the table of operations, and every reason to
//! refuse it.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::fmt;
use core::time::Duration;

use crate::world::{Device, START, World, admin, context};
use softtoken::association::{
    AttemptKey, Authority, EventKind, ImportedToken, Issued, Method, Preference, State,
    StatusReport,
};
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Digits, Secret, Totp};
use softtoken::{
    ChallengeSession, Code, Grant, Mfa, OsEntropy, Policy, RecoveryCode, Rejection, Requirement,
    SessionKeys, SignedIn, TokenId, UnixTime,
};

fn report(world: &World) -> StatusReport {
    let status = world.mfa.status();
    status.run_blocking(&world.store, "alice").unwrap()
}

fn state(world: &World) -> State {
    report(world).state
}

fn verify(world: &World, by: impl Into<Authority>, code: Code) -> Result<(), Rejection> {
    let verify = world.mfa.verify(by, code);
    match verify.run_blocking(&world.store, "alice") {
        Ok(enrolled) => {
            assert_eq!(enrolled.evidence().subject(), "alice");
            Ok(())
        }
        Err(error) => Err(error.rejection().unwrap()),
    }
}

/// Shows a code after a password that was given just now.
fn step_up(world: &World, code: Code) -> Result<Step, Rejection> {
    let step_up = world.mfa.step_up(&world.password("alice"), code);
    match step_up.run_blocking(&world.store, "alice") {
        Ok(evidence) => Ok(evidence.step().unwrap()),
        Err(error) => Err(error.rejection().unwrap()),
    }
}

fn issue(world: &World, by: impl Into<Authority>) -> Result<Issued, Rejection> {
    let associate = world.mfa.associate(by);
    let issued = associate.run_blocking(&world.store, "alice");
    issued.map_err(|error| error.rejection().unwrap())
}

fn associate(world: &World, by: impl Into<Authority>) -> Result<Device, Rejection> {
    issue(world, by).map(|issued| Device::of(&issued))
}

/// A pending secret with the session to verify it, as a policy that requires one leads to it.
fn pending_in_a_flow(world: &World) -> (Device, ChallengeSession) {
    let issued = issue(world, &world.setup("alice")).unwrap();
    (Device::of(&issued), issued.session().unwrap().clone())
}

/// Failures that the throttle holds against alice.
fn failures(world: &World) -> u32 {
    report(world).failures
}

#[test]
fn a_token_goes_from_unassociated_through_pending_to_verified() {
    let world = World::standard();
    assert_eq!(state(&world), State::Unassociated);

    let issued = world.associate("alice");
    let expires = world.now().saturating_add(Duration::from_secs(600));
    assert_eq!(issued.expires(), expires);
    let waits = report(&world);
    assert_eq!(waits.state, State::Pending);
    assert!(!waits.is_verified() && !waits.is_enabled());
    let pending = waits.pending.unwrap();
    assert_eq!((pending.id, pending.expires), (issued.token(), expires));
    assert_eq!((pending.name, pending.replaces), (None, None));

    let code = Device::of(&issued).code(world.now());
    assert_eq!(verify(&world, &world.password("alice"), code), Ok(()));
    let verified = report(&world);
    assert_eq!(verified.state, State::Verified);
    assert!(verified.is_verified() && verified.is_enabled());
    assert_eq!(verified.pending, None);
    let [token] = verified.tokens.as_slice() else {
        panic!("one token is in force");
    };
    assert_eq!((token.id, token.since), (issued.token(), world.now()));
    assert_eq!(token.last_used, Some(world.now()));
    assert_eq!((token.name.as_deref(), token.weak), (None, false));
    assert_eq!(token.drift, 0);
    assert_eq!(
        world.events(),
        [
            EventKind::Associated {
                possession_waived: false
            },
            EventKind::Verified { failures: 0 }
        ],
    );
}

#[test]
fn a_status_is_one_read_that_tells_everything_and_needs_no_authority() {
    let world = World::standard();
    let nothing = report(&world);
    assert_eq!(nothing.state, State::Unassociated);
    assert_eq!((nothing.tokens, nothing.pending), (vec![], None));
    assert_eq!(nothing.preference, Preference::Disabled);
    assert_eq!((nothing.failures, nothing.throttled_until), (0, None));
    assert_eq!((nothing.locked, nothing.exported), (false, None));
    assert!(world.row("alice").is_none(), "a read writes nothing");

    let (device, grant) = world.enrolled("alice");
    let codes = world.mfa.issue_recovery_codes(&grant);
    let _ = codes.run_blocking(&world.store, "alice").unwrap();
    let hour = Duration::from_secs(3600);
    let temporary = world.mfa.issue_temporary_code(&admin(), hour);
    temporary.run_blocking(&world.store, "alice").unwrap();
    let replacement = world.mfa.associate(&grant).named("tablet");
    let issued = replacement.run_blocking(&world.store, "alice").unwrap();
    for _ in 0..3 {
        let wrong = device.wrong_code(world.now());
        assert_eq!(step_up(&world, wrong), Err(Rejection::Mismatch));
    }

    let before = world.row("alice").unwrap().revision;
    world.events();
    let all = report(&world);
    assert_eq!(world.row("alice").unwrap().revision, before);
    assert_eq!(world.events(), [], "a read tells nobody");
    assert_eq!(
        (all.state, all.preference),
        (State::Verified, Preference::Enabled)
    );
    assert_eq!((all.recovery_codes, all.failures), (10, 3));
    let ends = world.now().saturating_add(hour);
    assert_eq!(all.temporary_code_expires, Some(ends));
    let waits = world.now().saturating_add(Duration::from_secs(5));
    assert_eq!((all.throttled_until, all.locked), (Some(waits), false));
    let pending = all.pending.unwrap();
    assert_eq!(pending.name.as_deref(), Some("tablet"));
    assert_eq!(pending.id, issued.token());
    assert_eq!(pending.replaces, Some(all.tokens[0].id));
}

#[test]
fn evidence_says_who_proved_what_and_when() {
    let world = World::standard();
    let grant = world.password("alice").with_id("login-1");
    let issued = world.mfa.associate(&grant).named("phone");
    let issued = issued.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(2);
    let code = Device::of(&issued).code(world.now());
    let verify = world.mfa.verify(&grant, code);
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();

    let evidence = enrolled.evidence();
    assert_eq!(evidence.subject(), "alice");
    assert_eq!(evidence.context(), &context("world"));
    assert_eq!(evidence.method(), Method::SoftwareToken);
    assert_eq!(evidence.token(), Some(issued.token()));
    assert_eq!(evidence.token_name(), Some("phone"));
    assert_eq!(evidence.step(), Some(Totp::STANDARD.step(world.now())));
    assert_eq!(evidence.at(), world.now());
    assert_eq!(evidence.first_factor_at(), Some(grant.first_factor_at()));
    assert_eq!(evidence.login_id(), Some("login-1"));
    assert_eq!(evidence.amr(), ["otp", "mfa"], "a grant stands behind it");
    assert_eq!(evidence.recovery_codes_left(), None);
    assert!(!evidence.should_end_other_logins(), "nothing was replaced");
    assert!(enrolled.session().is_none(), "a grant begins no flow");

    world.time.advance(30);
    let code = Device::of(&issued).code(world.now());
    let sign_in = world.mfa.sign_in_with(Some(code.into()));
    let SignedIn::Proven(signed_in) = sign_in.run_blocking(&world.store, "alice").unwrap() else {
        panic!("the code is right");
    };
    assert_eq!(signed_in.amr(), ["otp", "mfa"], "a first factor as well");
    assert_eq!(signed_in.first_factor_at(), Some(world.now()));
    assert_eq!(signed_in.login_id(), None);
    assert_eq!(signed_in.token_name(), Some("phone"));
}

#[test]
fn the_code_that_enrols_cannot_also_sign_in() {
    let world = World::standard();
    let issued = world.associate("alice");
    let code = Device::of(&issued).code(world.now());
    verify(&world, &world.password("alice"), code.clone()).unwrap();
    assert_eq!(step_up(&world, code), Err(Rejection::Reused));
}

#[test]
fn nothing_is_accepted_before_a_code_has_proven_the_secret() {
    let world = World::standard();
    let ignored = |code: Code| {
        world.events();
        let sign_in = world.mfa.sign_in_with(Some(code.into()));
        let signed_in = sign_in.run_blocking(&world.store, "alice").unwrap();
        assert!(matches!(signed_in, SignedIn::NotRequired { .. }));
        assert_eq!(world.events(), [EventKind::FactorIgnored]);
    };
    let code = Code::parse("000000").unwrap();
    assert_eq!(step_up(&world, code.clone()), Err(Rejection::NotAssociated));
    ignored(code.clone());
    let device = Device::of(&world.associate("alice"));
    let right = device.code(world.now());
    assert_eq!(
        step_up(&world, right.clone()),
        Err(Rejection::NotAssociated)
    );
    ignored(right);
    let empty = World::standard();
    assert_eq!(
        verify(&empty, &empty.password("alice"), code),
        Err(Rejection::NotAssociated)
    );
}

#[test]
fn a_pending_secret_is_dead_once_it_has_expired_and_not_before() {
    let world = World::standard();
    let device = Device::of(&world.associate("alice"));
    world.time.advance(600);
    assert_eq!(state(&world), State::Unassociated);
    assert_eq!(report(&world).pending, None);
    assert_eq!(
        verify(&world, &world.password("alice"), device.code(world.now())),
        Err(Rejection::Expired)
    );
    world.time.go_back(1);
    assert_eq!(
        verify(&world, &world.password("alice"), device.code(world.now())),
        Ok(())
    );
}

#[test]
fn a_session_ends_with_its_pending_secret_and_not_before() {
    let world = World::new(Policy::STANDARD.required());
    let (device, session) = pending_in_a_flow(&world);
    let expires = world.now().saturating_add(Duration::from_secs(600));
    assert_eq!(session.expires(), expires);
    world.time.advance(600);
    let code = device.code(world.now());
    assert_eq!(
        verify(&world, &session, code),
        Err(Rejection::InvalidSession)
    );
    world.time.go_back(1);
    assert_eq!(verify(&world, &session, device.code(world.now())), Ok(()));
}

#[test]
fn associating_again_kills_the_secret_that_was_pending() {
    let world = World::standard();
    let first = Device::of(&world.associate("alice"));
    let second = Device::of(&world.associate("alice"));
    assert_eq!(
        verify(&world, &world.password("alice"), first.code(world.now())),
        Err(Rejection::Mismatch)
    );
    assert_eq!(
        verify(&world, &world.password("alice"), second.code(world.now())),
        Ok(())
    );
}

#[test]
fn a_wrong_code_for_a_pending_secret_is_counted_waits_and_never_locks() {
    let world = World::standard();
    let device = Device::of(&world.associate("alice"));
    let wrong = device.wrong_code(world.now());
    for failed in 1..=3 {
        assert_eq!(
            verify(&world, &world.password("alice"), wrong.clone()),
            Err(Rejection::Mismatch)
        );
        assert_eq!(failures(&world), failed);
    }
    let until = world.now().saturating_add(Duration::from_secs(5));
    let right = device.code(world.now());
    assert_eq!(
        verify(&world, &world.password("alice"), right.clone()),
        Err(Rejection::Throttled { until }),
        "and the right one was not judged"
    );
    world.time.set(until.as_secs());
    world.events();
    assert_eq!(verify(&world, &world.password("alice"), right), Ok(()));
    assert_eq!(world.events(), [EventKind::Verified { failures: 3 }]);
    assert_eq!(failures(&world), 0);
}

#[test]
fn what_was_failed_before_the_first_token_came_into_force_counts_against_nobody_after() {
    let policy = Policy::builder().pending_lifetime(Duration::from_secs(24 * 3600));
    let world = World::new(policy.reauthenticate_within(None).build().unwrap());
    let grant = world.password("alice").with_id("login-1");
    let device = associate(&world, &grant).unwrap();
    let fail = |attempt: &dyn Fn(Code) -> Result<(), Rejection>| {
        let mut wrong = device.wrong_code(world.now());
        for failed in 0..60 {
            world.time.advance(900);
            if failed % 5 == 0 {
                wrong = device.wrong_code(world.now());
            }
            assert_eq!(attempt(wrong.clone()), Err(Rejection::Mismatch));
        }
    };
    fail(&|code| verify(&world, &grant, code));
    world.time.advance(900);
    verify(&world, &grant, device.code(world.now())).unwrap();
    world.events();
    let wrong = device.wrong_code(world.now());
    let rejection = Rejection::Mismatch;
    assert_eq!(step_up(&world, wrong), Err(rejection));
    let flaw = None;
    assert_eq!(
        world.events(),
        [EventKind::Refused { rejection, flaw }],
        "and no alarm"
    );
    fail(&|code| step_up(&world, code).map(drop));
    assert!(!report(&world).locked);
}

#[test]
fn a_code_of_another_length_than_the_pending_secrets_is_refused_and_not_counted() {
    let world = World::standard();
    let device = Device::of(&world.associate("alice"));
    let expected = Digits::Six;
    assert_eq!(
        verify(
            &world,
            &world.password("alice"),
            Code::parse("12345678").unwrap()
        ),
        Err(Rejection::CodeLength { expected })
    );
    assert_eq!(failures(&world), 0);
    let code = device.code(world.now());
    assert_eq!(verify(&world, &world.password("alice"), code), Ok(()));
}

#[test]
fn the_old_token_works_until_its_replacement_is_proven_and_not_after() {
    let world = World::standard();
    let (old, grant) = world.enrolled("alice");
    let replaced = report(&world).tokens[0].id;
    world.time.advance(30);
    let new = associate(&world, &grant).unwrap();
    assert!(step_up(&world, old.code(world.now())).is_ok());

    world.time.advance(30);
    assert_eq!(
        verify(&world, &grant, old.code(world.now())),
        Err(Rejection::Mismatch),
        "a code of the old token proves nothing of the new one"
    );
    world.events();
    let replace = world.mfa.verify(&grant, new.code(world.now()));
    let enrolled = replace.run_blocking(&world.store, "alice").unwrap();
    assert!(enrolled.evidence().should_end_other_logins());
    assert_eq!(
        world.events(),
        [EventKind::Replaced {
            failures: 1,
            replaced,
            possession_waived: false
        }]
    );

    world.time.advance(30);
    assert_eq!(
        step_up(&world, old.code(world.now())),
        Err(Rejection::Mismatch)
    );
    assert!(step_up(&world, new.code(world.now())).is_ok());
}

#[test]
fn a_replacement_that_expires_leaves_the_token_in_force() {
    let world = World::standard();
    let (old, grant) = world.enrolled("alice");
    let new = associate(&world, &grant).unwrap();
    world.time.advance(600);
    assert_eq!(
        verify(&world, &grant, new.code(world.now())),
        Err(Rejection::Expired)
    );
    assert!(step_up(&world, old.code(world.now())).is_ok());
}

/// What each verb that touches a token in force answers to this grant.
fn touch(world: &World, grant: &Grant, token: TokenId) -> [(&'static str, Option<Rejection>); 9] {
    fn answer<T, E: fmt::Debug>(result: Result<T, softtoken::Error<E>>) -> Option<Rejection> {
        result.err().map(|error| error.rejection().unwrap())
    }
    let (mfa, store) = (&world.mfa, &world.store);
    let code = Code::parse("000000").unwrap();
    let off = Preference::Disabled;
    [
        (
            "associate",
            answer(mfa.associate(grant).run_blocking(store, "alice")),
        ),
        (
            "verify",
            answer(mfa.verify(grant, code).run_blocking(store, "alice")),
        ),
        (
            "remove",
            answer(mfa.remove(grant, token).run_blocking(store, "alice")),
        ),
        (
            "rename",
            answer(
                mfa.rename(grant, token, "mine")
                    .run_blocking(store, "alice"),
            ),
        ),
        (
            "set_enabled",
            answer(mfa.set_enabled(grant, false).run_blocking(store, "alice")),
        ),
        (
            "prefer",
            answer(mfa.prefer(grant, off).run_blocking(store, "alice")),
        ),
        (
            "issue_recovery_codes",
            answer(mfa.issue_recovery_codes(grant).run_blocking(store, "alice")),
        ),
        (
            "forget_browsers",
            answer(mfa.forget_browsers(grant).run_blocking(store, "alice")),
        ),
        (
            "disassociate",
            answer(mfa.disassociate(grant).run_blocking(store, "alice")),
        ),
    ]
}

#[test]
fn touching_a_verified_token_takes_its_possession() {
    let world = World::standard();
    let stolen_before = world.second_factor("alice");
    world.time.advance(1);
    let (device, _) = world.enrolled("alice");
    let token = report(&world).tokens[0].id;
    let before = world.row("alice").unwrap().revision;
    for weak in [
        world.password("alice"),
        world.second_factor("alice"), // of the same second
        stolen_before,
    ] {
        for (verb, answer) in touch(&world, &weak, token) {
            assert_eq!(answer, Some(Rejection::SecondFactorRequired), "{verb}");
        }
    }
    assert_eq!(world.row("alice").unwrap().revision, before, "and no count");
    world.time.advance(30);
    let stepped_up = world.stepped_up("alice", &device);
    assert!(associate(&world, &stepped_up).is_ok());
}

#[test]
fn touching_a_verified_token_takes_a_possession_that_was_shown_lately() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    let token = report(&world).tokens[0].id;
    world.time.advance(15 * 60 + 1);
    let before = world.row("alice").unwrap().revision;
    for (verb, answer) in touch(&world, &grant, token) {
        let expected = match verb {
            // The code of a pending secret is proof enough of the present; here is none.
            "verify" => Rejection::NotAssociated,
            _ => Rejection::ReauthenticationRequired,
        };
        assert_eq!(answer, Some(expected), "{verb}");
    }
    assert_eq!(world.row("alice").unwrap().revision, before);
}

#[test]
fn a_grant_that_authorises_nothing_touches_nothing() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    let token = report(&world).tokens[0].id;
    let times = (grant.first_factor_at(), grant.second_factor_at().unwrap());
    let bobs = Grant::from_bare_times("bob", times.0, times.1);
    let before = world.row("alice").unwrap().revision;
    for (verb, answer) in touch(&world, &bobs, token) {
        assert_eq!(answer, Some(Rejection::NotAuthorized), "{verb}");
    }
    assert_eq!(world.row("alice").unwrap().revision, before);
}

#[test]
fn verifying_a_replacement_takes_possession_as_well() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    let new = associate(&world, &grant).unwrap();
    let code = new.code(world.now());
    assert_eq!(
        verify(&world, &world.password("alice"), code.clone()),
        Err(Rejection::SecondFactorRequired)
    );
    assert_eq!(failures(&world), 0);
    assert_eq!(verify(&world, &grant, code), Ok(()));
}

#[test]
fn verifying_a_pending_secret_asks_for_no_freshness() {
    let policy = Policy::builder().pending_lifetime(Duration::from_secs(3600));
    let world = World::new(policy.build().unwrap());
    let grant = world.password("alice");
    let first = associate(&world, &grant).unwrap();
    world.time.advance(3599);
    assert_eq!(
        verify(&world, &grant, first.code(world.now())),
        Ok(()),
        "the code of the pending secret proves the present"
    );

    let fresh = {
        world.time.advance(30);
        world.stepped_up("alice", &first)
    };
    let second = associate(&world, &fresh).unwrap();
    world.time.advance(3599);
    assert_eq!(verify(&world, &fresh, second.code(world.now())), Ok(()));
}

#[test]
fn a_session_of_the_wrong_step_of_the_flow_sets_up_nothing() {
    let world = World::new(Policy::STANDARD.required());
    let setup = world.setup("alice");
    let (device, pending) = pending_in_a_flow(&world);
    let code = device.code(world.now());
    let invalid = Rejection::InvalidSession;
    assert_eq!(issue(&world, &pending).unwrap_err(), invalid);
    assert_eq!(verify(&world, &setup, code.clone()), Err(invalid));
    assert_eq!(verify(&world, &pending, code), Ok(()));
    assert_eq!(
        issue(&world, &setup).unwrap_err(),
        invalid,
        "something is verified since"
    );
}

#[test]
fn a_double_click_on_verify_is_told_what_it_is_and_counts_nothing() {
    let world = World::new(Policy::STANDARD.required());
    let (device, session) = pending_in_a_flow(&world);
    let code = device.code(world.now());
    verify(&world, &session, code.clone()).unwrap();
    let before = world.row("alice").unwrap().revision;
    let again = Err(Rejection::AlreadyVerified);
    assert_eq!(verify(&world, &session, code), again);
    let wrong = device.wrong_code(world.now());
    assert_eq!(verify(&world, &session, wrong), again, "whatever the code");
    let long = Code::parse("12345678").unwrap();
    assert_eq!(verify(&world, &session, long), again);
    assert_eq!(world.row("alice").unwrap().revision, before);

    // By the login that proved it, if that has an id.
    let world = World::standard();
    let grant = world.password("alice").with_id("login-1");
    let device = associate(&world, &grant).unwrap();
    let code = device.code(world.now());
    verify(&world, &grant, code.clone()).unwrap();
    let before = world.row("alice").unwrap().revision;
    assert_eq!(verify(&world, &grant, code.clone()), again);
    let wrong = device.wrong_code(world.now());
    assert_eq!(verify(&world, &grant, wrong), again);
    let other = world.password("alice").with_id("login-2");
    assert_eq!(
        verify(&world, &other, code.clone()),
        Err(Rejection::SecondFactorRequired),
        "another login is told nothing"
    );
    let proven = Grant::from_bare_times("alice", world.now(), world.now());
    assert_eq!(
        verify(&world, &proven.with_id("login-1"), code.clone()),
        again,
        "after a refresh it is the same login"
    );
    assert_eq!(world.row("alice").unwrap().revision, before);
    assert_eq!(failures(&world), 0);
}

#[test]
fn a_double_click_is_one_only_while_its_token_is_in_force_and_its_session_alive() {
    let world = World::new(Policy::STANDARD.required());
    let (device, session) = pending_in_a_flow(&world);
    let code = device.code(world.now());
    verify(&world, &session, code.clone()).unwrap();
    let (invalid, again) = (
        Err(Rejection::InvalidSession),
        Err(Rejection::AlreadyVerified),
    );
    let elsewhere = world.mfa.with_context(context("elsewhere"));
    let refused = elsewhere.verify(&session, code.clone());
    let refused = refused.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::InvalidSession));
    let refused = world.mfa.verify(&session, code.clone());
    let refused = refused.run_blocking(&world.store, "bob").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::InvalidSession));

    world.time.advance(599);
    assert_eq!(verify(&world, &session, code.clone()), again);
    world.time.advance(1);
    assert_eq!(verify(&world, &session, code.clone()), invalid, "expired");
    world.time.go_back(1);
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(verify(&world, &session, code), invalid, "the token is gone");
}

#[test]
fn a_token_that_another_login_has_proven_is_no_double_click_of_a_session() {
    let world = World::new(Policy::STANDARD.required());
    let (device, session) = pending_in_a_flow(&world);
    let other = associate(&world, &world.password("alice")).unwrap();
    let code = other.code(world.now());
    verify(&world, &world.password("alice"), code).unwrap();
    let code = device.code(world.now());
    assert_eq!(
        verify(&world, &session, code),
        Err(Rejection::InvalidSession)
    );
}

#[test]
fn a_login_that_has_begun_a_replacement_verifies_that_one() {
    let world = World::standard();
    let grant = world.password("alice").with_id("login-1");
    let device = associate(&world, &grant).unwrap();
    verify(&world, &grant, device.code(world.now())).unwrap();
    let new = associate(&world, &grant).unwrap();
    let wrong = new.wrong_code(world.now());
    assert_eq!(verify(&world, &grant, wrong), Err(Rejection::Mismatch));
    assert_eq!(verify(&world, &grant, new.code(world.now())), Ok(()));
    assert_eq!(
        verify(&world, &grant, new.code(world.now())),
        Err(Rejection::AlreadyVerified)
    );
}

#[test]
fn verifying_with_two_codes_in_a_row_finds_a_fob_whose_clock_is_off() {
    let world = World::standard();
    let device = Device::of(&world.associate("alice"));
    let pair = |first, second| {
        let (code, next) = (
            device.code_in(world.now(), first),
            device.code_in(world.now(), second),
        );
        let verify = world.mfa.verify(&world.password("alice"), code);
        let enrolled = verify
            .followed_by(next)
            .run_blocking(&world.store, "alice")
            .map_err(|error| error.rejection().unwrap())?;
        Ok(enrolled.evidence().step().unwrap())
    };
    assert_eq!(pair(15, 17), Err(Rejection::Mismatch), "not in a row");
    assert_eq!(pair(22, 23), Err(Rejection::Mismatch), "out of reach");
    assert_eq!(failures(&world), 2);
    let now = Totp::STANDARD.step(world.now());
    assert_eq!(pair(15, 16), Ok(now.saturating_offset(16)));
    assert_eq!(report(&world).tokens[0].drift, 16);

    let spent = device.code_in(world.now(), 16);
    assert_eq!(step_up(&world, spent), Err(Rejection::Reused));
    let next = device.code_in(world.now(), 17);
    assert!(step_up(&world, next).is_ok());
}

#[test]
fn the_grant_that_proved_a_token_counts_as_a_second_factor_for_it() {
    let world = World::standard();
    let grant = world.password("alice").with_id("jti-1");
    let device = associate(&world, &grant).unwrap();
    world.time.advance(10);
    verify(&world, &grant, device.code(world.now())).unwrap();

    let other = world.password("alice").with_id("jti-2");
    assert_eq!(
        associate(&world, &other).unwrap_err(),
        Rejection::SecondFactorRequired
    );
    let nameless = world.password("alice");
    assert_eq!(
        associate(&world, &nameless).unwrap_err(),
        Rejection::SecondFactorRequired
    );
    let replacement = associate(&world, &grant).unwrap();
    world.time.advance(30);
    let stepped_up = world.stepped_up("alice", &device);
    verify(&world, &stepped_up, replacement.code(world.now())).unwrap();
    assert_eq!(
        associate(&world, &grant).unwrap_err(),
        Rejection::SecondFactorRequired,
        "it proved the old token, not this one"
    );
}

#[test]
fn an_empty_grant_id_is_none() {
    let world = World::standard();
    let grant = world.password("alice").with_id("");
    let device = associate(&world, &grant).unwrap();
    verify(&world, &grant, device.code(world.now())).unwrap();
    assert_eq!(
        associate(&world, &grant).unwrap_err(),
        Rejection::SecondFactorRequired
    );
}

#[test]
fn a_clock_that_went_back_brings_no_void_grant_to_life() {
    let at = |seconds| UnixTime::from_secs(START + seconds);
    let world = World::standard();
    world.time.advance(100);
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    world.time.go_back(50);
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    let between = Grant::first_factor("alice", at(70));
    assert_eq!(
        associate(&world, &between).unwrap_err(),
        Rejection::NotAuthorized
    );

    let world = World::standard();
    world.time.advance(100);
    let (_, grant) = world.enrolled("alice");
    let before = Grant::from_bare_times("alice", at(70), at(70));
    let replacement = associate(&world, &grant).unwrap();
    world.time.go_back(50);
    verify(&world, &grant, replacement.code(world.now())).unwrap();
    assert_eq!(
        associate(&world, &before).unwrap_err(),
        Rejection::SecondFactorRequired
    );
}

#[test]
fn a_token_that_was_never_asked_for_may_be_replaced_by_a_password_given_since_by_cognitos_waiver() {
    let world = World::new(Policy::COGNITO);
    let stale = world.password("alice");
    world.time.advance(1);
    let lost = world.enrol("alice");
    let replaced = report(&world).tokens[0].id;
    assert_eq!(
        associate(&world, &stale).unwrap_err(),
        Rejection::SecondFactorRequired,
        "the password was given before the token was verified"
    );
    world.events();
    let fresh = associate(&world, &world.password("alice")).unwrap();
    verify(&world, &world.password("alice"), fresh.code(world.now())).unwrap();
    assert_eq!(
        world.events(),
        [
            EventKind::Associated {
                possession_waived: true
            },
            EventKind::Replaced {
                failures: 0,
                replaced,
                possession_waived: true
            }
        ]
    );
    world.time.advance(30);
    let dead = lost.code(world.now());
    assert_eq!(step_up(&world, dead), Err(Rejection::Mismatch));
    assert!(step_up(&world, fresh.code(world.now())).is_ok());
    assert_eq!(
        associate(&world, &world.password("alice")).unwrap_err(),
        Rejection::SecondFactorRequired,
        "it was asked for once"
    );
}

#[test]
fn the_standard_policy_waives_nothing() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    let turn_off = world.mfa.set_enabled(&grant, false);
    turn_off.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(1);
    assert_eq!(
        associate(&world, &world.password("alice")).unwrap_err(),
        Rejection::SecondFactorRequired
    );
}

#[test]
fn a_policy_that_requires_knows_no_such_exception() {
    let world = World::new(Policy::COGNITO.required());
    world.enrol("alice");
    assert_eq!(
        associate(&world, &world.password("alice")).unwrap_err(),
        Rejection::SecondFactorRequired
    );
}

#[test]
fn what_was_waived_for_a_replacement_costs_the_recovery_codes() {
    let world = World::new(Policy::COGNITO);
    let (_, grant) = world.enrolled("alice");
    let left = |world: &World| report(world).recovery_codes;
    let issue = world.mfa.issue_recovery_codes(&grant);
    let _ = issue.run_blocking(&world.store, "alice").unwrap();

    let proven = associate(&world, &grant).unwrap();
    verify(&world, &grant, proven.code(world.now())).unwrap();
    assert_eq!(left(&world), 10, "possession of the old token keeps them");

    let waived = associate(&world, &world.password("alice")).unwrap();
    assert_eq!(left(&world), 10, "nothing is in force yet");
    verify(&world, &world.password("alice"), waived.code(world.now())).unwrap();
    assert_eq!(left(&world), 0);
}

#[test]
fn disassociating_leaves_nothing_behind() {
    let world = World::standard();
    let (device, grant) = world.enrolled("alice");
    let issue = world.mfa.issue_recovery_codes(&grant);
    let codes = issue.run_blocking(&world.store, "alice").unwrap();
    let temporary = world
        .mfa
        .issue_temporary_code(&admin(), Duration::from_secs(3600));
    let temporary = temporary.run_blocking(&world.store, "alice").unwrap();
    let _ = associate(&world, &grant).unwrap();
    world.events();
    let disassociate = world.mfa.disassociate(&grant);
    disassociate.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(world.events(), [EventKind::Disassociated]);

    let left = report(&world);
    assert_eq!((left.state, left.pending), (State::Unassociated, None));
    assert_eq!(left.tokens, []);
    assert_eq!(left.preference, Preference::Disabled);
    assert_eq!(left.recovery_codes, 0);
    assert_eq!(left.temporary_code_expires, None);
    assert!(world.row("alice").is_some(), "the row stays");

    world.time.advance(30);
    assert_eq!(
        step_up(&world, device.code(world.now())),
        Err(Rejection::NotAssociated)
    );
    for code in codes.iter().chain([&temporary]) {
        let step_up = world.mfa.step_up(&world.password("alice"), code.clone());
        let refused = step_up.run_blocking(&world.store, "alice").unwrap_err();
        assert_eq!(refused.rejection(), Some(Rejection::NotAssociated));
    }
}

#[test]
fn a_pending_secret_can_be_dropped_by_the_password_that_could_associate_it() {
    let world = World::standard();
    let device = Device::of(&world.associate("alice"));
    let disassociate = world.mfa.disassociate(&world.password("alice"));
    disassociate.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(state(&world), State::Unassociated);
    assert_eq!(
        verify(&world, &world.password("alice"), device.code(world.now())),
        Err(Rejection::NotAssociated)
    );
}

#[test]
fn disassociating_nothing_is_no_error_and_stores_nothing() {
    let world = World::standard();
    let disassociate = world.mfa.disassociate(&world.password("alice"));
    disassociate.run_blocking(&world.store, "alice").unwrap();
    assert!(world.row("alice").is_none());
    assert_eq!(world.events(), []);
    let stale = world.password("alice");
    world.time.advance(15 * 60 + 1);
    let disassociate = world.mfa.disassociate(&stale);
    let refused = disassociate.run_blocking(&world.store, "alice");
    assert_eq!(
        refused.unwrap_err().rejection(),
        Some(Rejection::ReauthenticationRequired)
    );
}

#[test]
fn a_policy_that_requires_lets_no_user_disassociate() {
    let world = World::new(Policy::STANDARD.required());
    let (device, session) = pending_in_a_flow(&world);
    let drop_pending = world.mfa.disassociate(&world.password("alice"));
    let refused = drop_pending.run_blocking(&world.store, "alice");
    assert_eq!(
        refused.unwrap_err().rejection(),
        Some(Rejection::MfaRequired)
    );
    verify(&world, &session, device.code(world.now())).unwrap();
    world.time.advance(30);
    let grant = world.stepped_up("alice", &device);
    let disassociate = world.mfa.disassociate(&grant);
    let refused = disassociate.run_blocking(&world.store, "alice");
    assert_eq!(
        refused.unwrap_err().rejection(),
        Some(Rejection::MfaRequired)
    );
    assert_eq!(state(&world), State::Verified);
    let disassociate = world.mfa.disassociate(&admin());
    disassociate.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(state(&world), State::Unassociated);
}

#[test]
fn a_reset_voids_every_grant_given_before() {
    let world = World::standard();
    let (_, before) = world.enrolled("alice");
    world.time.advance(1);
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(state(&world), State::Unassociated);
    assert_eq!(
        associate(&world, &before).unwrap_err(),
        Rejection::NotAuthorized
    );
    assert!(associate(&world, &world.password("alice")).is_ok());
}

#[test]
fn a_reset_of_a_subject_without_a_row_voids_grants_too() {
    let world = World::standard();
    let before = world.password("alice");
    world.time.advance(1);
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(
        associate(&world, &before).unwrap_err(),
        Rejection::NotAuthorized
    );
}

#[test]
fn unlocking_clears_the_count_and_keeps_the_floor() {
    let world = World::standard();
    let device = world.enrol("alice");
    let spent = device.code(world.now());
    for _ in 0..3 {
        let wrong = device.wrong_code(world.now());
        assert_eq!(step_up(&world, wrong), Err(Rejection::Mismatch));
    }
    let refused = step_up(&world, spent.clone());
    assert!(matches!(refused, Err(Rejection::Throttled { .. })));
    let unlock = world.mfa.unlock(&admin());
    unlock.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(step_up(&world, spent), Err(Rejection::Reused));
    world.time.advance(30);
    assert!(step_up(&world, device.code(world.now())).is_ok());
}

#[test]
fn unlocking_somebody_unknown_stores_nothing() {
    let world = World::standard();
    let unlock = world.mfa.unlock(&admin());
    unlock.run_blocking(&world.store, "alice").unwrap();
    assert!(world.row("alice").is_none());
}

fn imported_secret() -> (Secret, Device) {
    let secret = Secret::from_bytes(&[9; 20]).unwrap();
    let device = Device::new(&secret, Totp::STANDARD);
    (secret, device)
}

fn import(world: &World, subject: &str, token: ImportedToken) -> Result<(), Rejection> {
    let import = world.mfa.import(&admin(), [token]);
    let answer = import.run_blocking(&world.store, subject);
    answer.map_err(|error| error.rejection().unwrap())
}

#[test]
fn an_import_without_a_last_step_spends_every_code_that_is_valid_now() {
    let world = World::standard();
    let (secret, device) = imported_secret();
    let token = ImportedToken::proven(secret, Totp::STANDARD);
    import(&world, "alice", token).unwrap();
    assert!(report(&world).is_enabled(), "proven means enabled");
    for steps in -1..=1 {
        let code = device.code_in(world.now(), steps);
        assert_eq!(step_up(&world, code), Err(Rejection::Reused));
    }
    world.time.advance(30);
    assert!(step_up(&world, device.code_in(world.now(), 1)).is_ok());
}

#[test]
fn an_import_with_a_last_step_goes_on_from_there() {
    let world = World::standard();
    let (secret, device) = imported_secret();
    let now = Totp::STANDARD.step(world.now());
    let token = ImportedToken::proven(secret, Totp::STANDARD)
        .last_step(now.saturating_offset(-1))
        .named("old phone");
    import(&world, "alice", token).unwrap();
    assert_eq!(report(&world).tokens[0].name.as_deref(), Some("old phone"));
    assert_eq!(report(&world).tokens[0].last_used, None);
    let old = device.code_in(world.now(), -1);
    assert_eq!(step_up(&world, old), Err(Rejection::Reused));
    assert_eq!(step_up(&world, device.code(world.now())), Ok(now));
}

#[test]
fn an_import_refuses_a_last_step_in_the_future() {
    let world = World::standard();
    let (secret, _) = imported_secret();
    let now = Totp::STANDARD.step(world.now());
    let token = |step| ImportedToken::proven(secret.clone(), Totp::STANDARD).last_step(step);
    for step in [
        now.saturating_offset(2),
        Step::new(START), // seconds
        Step::new(u64::MAX),
    ] {
        assert_eq!(
            import(&world, "alice", token(step)),
            Err(Rejection::LastStepInFuture)
        );
    }
    assert!(world.row("alice").is_none());
    assert_eq!(
        import(&world, "alice", token(now.saturating_offset(1))),
        Ok(())
    );
}

#[test]
fn a_token_that_a_policy_asked_for_is_not_replaced_by_a_password_alone() {
    let required = World::new(Policy::COGNITO.required());
    required.enrol("alice");
    let mut optional = World::new(Policy::COGNITO);
    optional.store = required.store;
    assert_eq!(
        associate(&optional, &optional.password("alice")).unwrap_err(),
        Rejection::SecondFactorRequired
    );

    // One that is proven elsewhere has guarded something there.
    let imported = World::new(Policy::COGNITO);
    let (secret, _) = imported_secret();
    let proven = ImportedToken::proven(secret, Totp::STANDARD);
    let import = imported.mfa.import(&admin(), [proven]).enabled(false);
    import.run_blocking(&imported.store, "alice").unwrap();
    assert_eq!(
        associate(&imported, &imported.password("alice")).unwrap_err(),
        Rejection::SecondFactorRequired
    );
}

#[test]
fn a_pending_import_is_verified_like_any_other() {
    let world = World::standard();
    let (secret, device) = imported_secret();
    let token = ImportedToken::pending(secret, Totp::STANDARD);
    import(&world, "alice", token).unwrap();
    assert_eq!(state(&world), State::Pending);
    let code = device.code(world.now());
    assert_eq!(verify(&world, &world.password("alice"), code), Ok(()));
}

#[test]
fn an_import_never_overwrites_what_is_verified_unless_it_says_so() {
    let world = World::standard();
    let device = world.enrol("alice");
    let (secret, imported) = imported_secret();
    let token = ImportedToken::proven(secret, Totp::STANDARD);
    assert_eq!(
        import(&world, "alice", token.clone()),
        Err(Rejection::AlreadyVerified)
    );
    world.time.advance(30);
    assert!(step_up(&world, device.code(world.now())).is_ok());

    let replace = world.mfa.import(&admin(), [token]);
    let replace = replace.replacing_everything();
    replace.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(60);
    assert_eq!(
        step_up(&world, device.code(world.now())),
        Err(Rejection::Mismatch)
    );
    assert!(step_up(&world, imported.code(world.now())).is_ok());
}

#[test]
fn software_tokens_that_are_off_stop_set_up_and_not_those_in_force() {
    let on = World::standard();
    let (device, grant) = on.enrolled("alice");
    on.time.advance(30);
    let new = associate(&on, &grant).unwrap();

    let off = Policy::builder().software_tokens(false).build().unwrap();
    let mut off = World::new(off);
    off.store = on.store;
    off.time.set(on.time.now().as_secs());
    let disabled = Rejection::SoftwareTokenDisabled;

    let without_second_factor = off.password("alice");
    for grant in [&grant, &without_second_factor] {
        assert_eq!(associate(&off, grant).unwrap_err(), disabled);
        let code = new.code(off.now());
        assert_eq!(verify(&off, grant, code), Err(disabled));
    }
    let elsewhere = off.password("bob");
    assert_eq!(
        associate(&off, &elsewhere).unwrap_err(),
        Rejection::NotAuthorized,
        "whose login it is comes first"
    );
    let (secret, _) = imported_secret();
    let token = ImportedToken::proven(secret, Totp::STANDARD);
    assert_eq!(import(&off, "bob", token), Err(disabled));
    assert!(step_up(&off, device.code(off.now())).is_ok());
}

#[test]
fn a_stale_authentication_associates_nothing_where_freshness_is_asked_for() {
    let fresh = Policy::builder().reauthenticate_within(Some(Duration::from_secs(300)));
    let world = World::new(fresh.build().unwrap());
    let grant = world.password("alice");
    world.time.advance(300);
    assert!(associate(&world, &grant).is_ok());
    world.time.advance(1);
    assert_eq!(
        associate(&world, &grant).unwrap_err(),
        Rejection::ReauthenticationRequired
    );
    assert!(associate(&world, &world.password("alice")).is_ok());
    let second = world.second_factor("alice");
    let second = Grant::from_bare_times("alice", grant.first_factor_at(), second.first_factor_at());
    assert_eq!(
        associate(&world, &second).unwrap_err(),
        Rejection::ReauthenticationRequired,
        "where nothing is in force, the first factor's time decides"
    );
}

#[test]
fn a_name_is_kept_as_far_as_the_policy_keeps_it() {
    let policy = Policy::builder().name_bytes(8).build().unwrap();
    let world = World::new(policy);
    let name = |world: &World| report(world).tokens[0].name.clone();
    let grant = world.password("alice").with_id("login");
    let issued = world.mfa.associate(&grant).named("tablet");
    let issued = issued.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    verify(&world, &grant, code).unwrap();
    assert_eq!(name(&world).as_deref(), Some("tablet"));

    let replace = |grant: &Grant, associated: &str, named: &str| {
        let issued = world.mfa.associate(grant).named(associated);
        let issued = issued.run_blocking(&world.store, "alice").unwrap();
        let code = Device::of(&issued).code(world.now());
        let verify = world.mfa.verify(grant, code).named(named);
        let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
        Grant::from(enrolled.evidence())
    };
    let grant = replace(&grant, "first", "hööööchst");
    assert_eq!(name(&world).as_deref(), Some("hööö"), "whole characters");
    let grant = replace(&grant, "first", "");
    assert_eq!(
        name(&world).as_deref(),
        Some("first"),
        "none takes none away"
    );
    replace(&grant, "", "");
    assert_eq!(name(&world), None, "an empty name is none");
}

#[test]
fn a_name_is_kept_as_it_is_white_space_included() {
    let world = World::standard();
    let issued = world.mfa.associate(&world.password("alice"));
    let issued = issued.named(" my phone\u{a0}");
    let issued = issued.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    verify(&world, &world.password("alice"), code).unwrap();
    let kept = report(&world).tokens[0].name.clone();
    assert_eq!(kept.as_deref(), Some(" my phone\u{a0}"));
}

#[test]
fn a_token_keeps_the_parameters_it_was_made_with() {
    let totp = Totp::new(Algorithm::Sha256, Digits::Eight, Duration::from_secs(60)).unwrap();
    let world = World::new(Policy::builder().totp(totp).build().unwrap());
    let device = world.enrol("alice");

    let mut standard = World::standard();
    standard.store = world.store;
    standard.time.set(START + 60);
    let short = Code::parse("123456").unwrap();
    assert_eq!(
        step_up(&standard, short),
        Err(Rejection::CodeLength {
            expected: Digits::Eight
        })
    );
    assert!(step_up(&standard, device.code(standard.now())).is_ok());
}

#[test]
fn a_code_of_another_length_is_not_counted() {
    let world = World::standard();
    world.enrol("alice");
    let before = world.row("alice").unwrap();
    for _ in 0..20 {
        let long = Code::parse("12345678").unwrap();
        assert!(matches!(
            step_up(&world, long),
            Err(Rejection::CodeLength { .. })
        ));
    }
    assert_eq!(world.row("alice").unwrap().revision, before.revision);
}

#[test]
fn verifying_enables_in_the_standard_policy_and_not_in_cognitos() {
    for (policy, preference) in [
        (Policy::STANDARD, Preference::Enabled),
        (Policy::COGNITO, Preference::Disabled),
    ] {
        let world = World::new(policy);
        world.enrol("alice");
        assert_eq!(report(&world).preference, preference);
    }
}

#[test]
fn secrets_have_the_length_of_the_policy() {
    for (policy, characters) in [(Policy::STANDARD, 32), (Policy::COGNITO, 52)] {
        let issued = World::new(policy).associate("alice");
        assert_eq!(issued.secret().expose_base32().len(), characters);
    }
}

#[test]
fn an_administrator_can_do_what_the_user_could_with_the_phone() {
    let world = World::standard();
    world.enrol("alice");
    let issued = issue(&world, &admin()).unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = world.mfa.verify(&admin(), code);
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(
        enrolled.evidence().amr(),
        ["otp"],
        "nothing stands behind it"
    );
    assert_eq!(enrolled.evidence().first_factor_at(), None);
    let rename = world.mfa.rename(&admin(), issued.token(), "fob");
    rename.run_blocking(&world.store, "alice").unwrap();
    let turn_off = world.mfa.set_enabled(&admin(), false);
    turn_off.run_blocking(&world.store, "alice").unwrap();
    let disassociate = world.mfa.disassociate(&admin());
    disassociate.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(state(&world), State::Unassociated);
}

#[test]
fn nothing_of_a_secret_is_in_any_debug_output() {
    let world = World::standard();
    let issued = world.associate("alice");
    let base32 = issued.secret().expose_base32();
    let bytes = format!("{:?}", issued.secret().expose());
    let code = Device::of(&issued).code(world.now());
    let shown = format!(
        "{issued:?} {:?} {:?} {code:?} {:?}",
        world.record("alice"),
        world.row("alice"),
        world.mfa.verify(&world.password("alice"), code.clone()),
    );
    assert!(!shown.contains(base32.as_str()));
    assert!(!shown.contains(&bytes[1..bytes.len() - 1]));
    assert!(!shown.contains(code.expose().as_str()));
}

#[test]
fn whatever_holds_a_secret_shows_its_name_alone() {
    let world = World::standard();
    let device = world.enrol("alice");
    let keys = SessionKeys::from_bytes(7, &[1; 32]);
    let code = RecoveryCode::parse("01234-56789-ABCDE-FGHJK-MNPQR").unwrap();
    let shown: [(&dyn fmt::Debug, &str); 8] = [
        (&AttemptKey::from_bytes([1; 16]), "AttemptKey(..)"),
        (
            &Authority::from(&admin()),
            "Authority(Administrator { name: \"root\" })",
        ),
        (
            &Authority::from(&world.password("alice").with_id("jti")),
            "Authority(Grant)",
        ),
        (&device.code(world.now()), "Code(..)"),
        (&code, "RecoveryCode(..)"),
        (&Secret::from_bytes(&[1; 20]).unwrap(), "Secret(..)"),
        (&world.challenge("alice"), "ChallengeSession(..)"),
        (&keys, "[7]"),
    ];
    for (value, name) in shown {
        assert_eq!(format!("{value:?}"), name);
    }
    let grant = world.password("alice").with_id("a-jti-is-a-credential");
    assert!(!format!("{grant:?}").contains("credential"));
}

#[test]
fn without_keys_a_grant_enrols_all_the_same() {
    let world = World::standard();
    let now = world.now();
    let mfa = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy);
    let grant = world.password("alice");
    let issued = mfa.associate(&grant).run_blocking(&world.store, "alice");
    let issued = issued.unwrap();
    assert!(issued.session().is_none());
    let code = Device::of(&issued).code(now);
    let enrolled = mfa.verify(&grant, code).run_blocking(&world.store, "alice");
    assert!(enrolled.unwrap().session().is_none());
    assert_eq!(mfa.policy().requirement(), Requirement::Optional);
}
