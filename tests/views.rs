//! The view of a request: policy, context and audit are replaced for one request, and several views
//! of one row may meet in the middle of a flow.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::time::Duration;
use std::sync::{Arc, Mutex};

use crate::world::{Device, START, World, admin, context};
use softtoken::association::{
    EventKind, ImportedToken, Issued, Preference, SessionFlaw, StatusReport,
};
use softtoken::policy::{PolicyBuilder, PolicyError, Throttle};
use softtoken::totp::{Algorithm, Digits, Secret, Totp, Window};
use softtoken::{
    Challenge, ChallengeSession, Code, Error, Evidence, Grant, Mfa, OsEntropy, Policy, Rejection,
    Requirement, SessionKeys, SignedIn, UnixTime,
};

fn report(world: &World) -> StatusReport {
    let status = world.mfa.status();
    status.run_blocking(&world.store, "alice").unwrap()
}

fn challenge(mfa: &Mfa, world: &World) -> Challenge {
    mfa.sign_in().run_blocking(&world.store, "alice").unwrap()
}

/// The session of a challenge for a code.
fn challenged(mfa: &Mfa, world: &World) -> ChallengeSession {
    match challenge(mfa, world) {
        Challenge::SoftwareToken { session, .. } => session,
        other => panic!("no challenge for a code: {other:?}"),
    }
}

/// The session of a challenge to set up a token, and from when one is required.
fn invited(mfa: &Mfa, world: &World) -> (ChallengeSession, Option<UnixTime>) {
    match challenge(mfa, world) {
        Challenge::Setup {
            session,
            required_from,
            ..
        } => (session, required_from),
        other => panic!("no challenge to set up: {other:?}"),
    }
}

fn lets_in(mfa: &Mfa, world: &World) -> bool {
    let asked = challenge(mfa, world);
    let in_one = mfa.sign_in_with(None).run_blocking(&world.store, "alice");
    let lets_in = matches!(asked, Challenge::NotRequired { .. });
    let in_one = matches!(in_one.unwrap(), SignedIn::NotRequired { .. });
    assert_eq!(lets_in, in_one, "both ways to sign in agree");
    lets_in
}

fn respond(
    mfa: &Mfa,
    world: &World,
    session: &ChallengeSession,
    code: Code,
) -> Result<Evidence, Rejection> {
    let respond = mfa.respond(session, code);
    let answer = respond.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

fn associate(mfa: &Mfa, world: &World, session: &ChallengeSession) -> Result<Issued, Rejection> {
    let associate = mfa.associate(session);
    let issued = associate.run_blocking(&world.store, "alice");
    issued.map_err(|error| error.rejection().unwrap())
}

fn set_enabled(mfa: &Mfa, world: &World, grant: &Grant, on: bool) -> Result<(), Rejection> {
    let set = mfa.set_enabled(grant, on);
    let answer = set.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

/// A view of the world under the policy that is required of administrators.
fn strict(world: &World) -> Mfa {
    let policy = world.mfa.policy().required();
    world.mfa.with_policy(policy).unwrap()
}

/// What an audit was told: of whom, and what.
type Log = Arc<Mutex<Vec<(String, &'static str)>>>;

fn audited(mfa: &Mfa) -> (Mfa, Log) {
    let log = Log::default();
    let told = Arc::clone(&log);
    let view = mfa.with_audit(move |subject, event| {
        told.lock().unwrap().push((subject.into(), event.name()));
    });
    (view, log)
}

// Who must have a second factor.

#[test]
fn a_view_says_who_must_have_a_second_factor_and_leaves_the_others_views_as_they_are() {
    let world = World::standard();
    let strict = strict(&world);
    assert_eq!(strict.policy().requirement(), Requirement::Required);
    assert_eq!(world.mfa.policy().requirement(), Requirement::Optional);
    assert!(lets_in(&world.mfa, &world));
    assert_eq!(invited(&strict, &world).1, None);

    let (_, grant) = world.enrolled("alice");
    set_enabled(&world.mfa, &world, &grant, false).unwrap();
    assert!(lets_in(&world.mfa, &world));
    assert!(!lets_in(&strict, &world));
    assert_eq!(
        set_enabled(&strict, &world, &grant, false),
        Err(Rejection::MfaRequired)
    );
    let lenient = strict.with_policy(Policy::STANDARD).unwrap();
    assert!(lets_in(&lenient, &world), "and back again");
}

#[test]
fn before_its_date_a_requirement_invites_and_from_it_on_it_requires() {
    let world = World::standard();
    let date = world.now().saturating_add(Duration::from_secs(100));
    let view = |world: &World| {
        let policy = Policy::STANDARD.required_from(date);
        world.mfa.with_policy(policy).unwrap()
    };
    let dated = view(&world);
    world.time.advance(99);
    let (session, from) = invited(&dated, &world);
    assert_eq!(from, Some(date), "says from when");
    let in_one = dated.sign_in_with(None).run_blocking(&world.store, "alice");
    let Ok(SignedIn::SetupRequired { required_from, .. }) = in_one else {
        panic!("nothing is verified");
    };
    assert_eq!(required_from, Some(date));
    world.time.advance(1);
    assert_eq!(invited(&dated, &world).1, None);
    let in_one = dated.sign_in_with(None).run_blocking(&world.store, "alice");
    let Ok(SignedIn::SetupRequired { required_from, .. }) = in_one else {
        panic!("nothing is verified");
    };
    assert_eq!(required_from, None);
    assert!(
        associate(&dated, &world, &session).is_ok(),
        "an invitation of before is good still"
    );
}

#[test]
fn before_its_date_a_requirement_leaves_the_preference_to_the_user_and_not_after() {
    let world = World::standard();
    let date = world.now().saturating_add(Duration::from_secs(100));
    let dated = world
        .mfa
        .with_policy(Policy::STANDARD.required_from(date))
        .unwrap();
    let (device, grant) = world.enrolled("alice");
    challenged(&dated, &world);
    assert_eq!(set_enabled(&dated, &world, &grant, false), Ok(()));
    assert!(lets_in(&dated, &world));
    let token = report(&world).tokens[0].id;

    world.time.advance(99);
    assert!(lets_in(&dated, &world));
    world.time.advance(1);
    let session = challenged(&dated, &world);
    assert_eq!(
        set_enabled(&dated, &world, &grant, false),
        Err(Rejection::MfaRequired)
    );
    let remove = dated.remove(&grant, token);
    let refused = remove.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::MfaRequired));
    let disassociate = dated.disassociate(&grant);
    let refused = disassociate.run_blocking(&world.store, "alice");
    assert_eq!(
        refused.unwrap_err().rejection(),
        Some(Rejection::MfaRequired)
    );
    assert!(respond(&dated, &world, &session, device.code(world.now())).is_ok());

    world.time.go_back(1);
    let remove = dated.remove(&grant, token);
    assert!(remove.run_blocking(&world.store, "alice").is_ok());
}

#[test]
fn a_date_passes_in_the_middle_of_a_flow() {
    let world = World::standard();
    let date = world.now().saturating_add(Duration::from_secs(10));
    let dated = world
        .mfa
        .with_policy(Policy::STANDARD.required_from(date))
        .unwrap();
    let (session, _) = invited(&dated, &world);
    world.time.advance(20);
    let issued = associate(&dated, &world, &session).unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = dated.verify(issued.session().unwrap(), code);
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    let finish = dated.finish_setup(enrolled.session().unwrap());
    assert!(finish.run_blocking(&world.store, "alice").is_ok());
}

#[test]
fn software_tokens_that_a_view_turns_off_are_off_for_that_view_alone() {
    let world = World::standard();
    let off = Policy::builder().software_tokens(false).build().unwrap();
    let off = world.mfa.with_policy(off).unwrap();
    let grant = world.password("alice");
    let refused = off.associate(&grant).run_blocking(&world.store, "alice");
    assert_eq!(
        refused.unwrap_err().rejection(),
        Some(Rejection::SoftwareTokenDisabled)
    );
    let issued = world.associate("alice");
    let code = Device::of(&issued).code(world.now());
    let verify = off.verify(&grant, code.clone());
    let refused = verify.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::SoftwareTokenDisabled));
    let verify = world.mfa.verify(&grant, code);
    assert!(verify.run_blocking(&world.store, "alice").is_ok());
    challenged(&off, &world);
    assert!(
        off.with_policy(off.policy().required()).is_ok(),
        "required allows them"
    );
}

// Two views of one row, in the middle of a flow.

#[test]
fn a_set_up_goes_on_whichever_view_its_next_call_has() {
    for first_is_strict in [true, false] {
        let world = World::standard();
        let strict = strict(&world);
        let (session, _) = invited(&strict, &world);
        let (one, other) = if first_is_strict {
            (&strict, &world.mfa)
        } else {
            (&world.mfa, &strict)
        };
        let issued = associate(one, &world, &session).unwrap();
        let code = Device::of(&issued).code(world.now());
        let verify = other.verify(issued.session().unwrap(), code);
        let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
        let finish = one.finish_setup(enrolled.session().unwrap());
        let evidence = finish.run_blocking(&world.store, "alice").unwrap();
        assert_eq!(evidence.token(), Some(issued.token()));
    }
}

#[test]
fn a_challenge_is_answered_under_another_view_and_spent_for_both() {
    let world = World::standard();
    let strict = strict(&world);
    let device = world.enrol("alice");
    world.time.advance(30);
    let session = challenged(&strict, &world);
    let code = device.code(world.now());
    let wrong = device.wrong_code(world.now());
    for mfa in [&world.mfa, &strict] {
        let refused = respond(mfa, &world, &session, wrong.clone());
        assert_eq!(refused.unwrap_err(), Rejection::Mismatch);
    }
    assert_eq!(report(&world).failures, 2, "one throttle for both");
    assert!(respond(&world.mfa, &world, &session, code).is_ok());
    world.time.advance(30);
    for mfa in [&world.mfa, &strict] {
        let code = device.code(world.now());
        assert_eq!(
            respond(mfa, &world, &session, code).unwrap_err(),
            Rejection::InvalidSession
        );
    }
    let other = challenged(&world.mfa, &world);
    let code = device.code(world.now());
    assert!(respond(&strict, &world, &other, code.clone()).is_ok());
    let again = challenged(&world.mfa, &world);
    assert_eq!(
        respond(&world.mfa, &world, &again, code).unwrap_err(),
        Rejection::Reused,
        "and one floor"
    );
}

#[test]
fn a_throttle_that_one_view_has_filled_holds_for_the_other() {
    let world = World::standard();
    let strict = strict(&world);
    let device = world.enrol("alice");
    world.time.advance(30);
    let grant = world.password("alice");
    for _ in 0..3 {
        let wrong = strict.step_up(&grant, device.wrong_code(world.now()));
        assert!(wrong.run_blocking(&world.store, "alice").is_err());
    }
    let step_up = world.mfa.step_up(&grant, device.code(world.now()));
    let refused = step_up.run_blocking(&world.store, "alice").unwrap_err();
    assert!(matches!(
        refused.rejection(),
        Some(Rejection::Throttled { .. })
    ));
}

#[test]
fn a_token_is_made_by_the_view_that_associates_and_enabled_by_the_one_that_verifies() {
    let totp = Totp::new(Algorithm::Sha256, Digits::Eight, Duration::from_secs(60)).unwrap();
    let world = World::standard();
    let policy = Policy::builder()
        .totp(totp)
        .secret_bytes(32)
        .pending_lifetime(Duration::from_secs(60))
        .enable_on_verify(false)
        .build()
        .unwrap();
    let view = world.mfa.with_policy(policy).unwrap();
    let grant = world.password("alice");
    let associate = view.associate(&grant);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    assert_eq!((issued.totp(), issued.secret().expose().len()), (totp, 32));
    let expires = world.now().saturating_add(Duration::from_secs(60));
    assert_eq!(issued.expires(), expires);
    world.time.advance(60);
    let device = Device::of(&issued);
    let verify = world.mfa.verify(&grant, device.code(world.now()));
    let refused = verify.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::Expired));
    world.time.go_back(1);
    let verify = world.mfa.verify(&grant, device.code(world.now()));
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(report(&world).preference, Preference::Enabled);
    world.time.advance(60);
    let step_up = view.step_up(&world.password("alice"), device.code(world.now()));
    assert!(step_up.run_blocking(&world.store, "alice").is_ok());
}

// What each view asks of a grant.

#[test]
fn a_view_says_how_fresh_a_grant_has_to_be() {
    let world = World::standard();
    let sudo = Policy::builder().reauthenticate_within(Some(Duration::from_secs(60)));
    let sudo = world.mfa.with_policy(sudo.build().unwrap()).unwrap();
    let (_, grant) = world.enrolled("alice");
    let codes = |mfa: &Mfa| {
        let codes = mfa.issue_recovery_codes(&grant);
        let answer = codes.run_blocking(&world.store, "alice");
        answer.map(drop).map_err(|error| error.rejection().unwrap())
    };
    world.time.advance(60);
    assert_eq!(codes(&sudo), Ok(()));
    world.time.advance(1);
    assert_eq!(codes(&sudo), Err(Rejection::ReauthenticationRequired));
    assert_eq!(codes(&world.mfa), Ok(()));
}

#[test]
fn a_view_says_whether_the_password_may_turn_on() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    set_enabled(&world.mfa, &world, &grant, false).unwrap();
    let lax = Policy::builder().raise_preference_by_first_factor(true);
    let lax = world.mfa.with_policy(lax.build().unwrap()).unwrap();
    let password = world.password("alice");
    assert_eq!(
        set_enabled(&world.mfa, &world, &password, true),
        Err(Rejection::SecondFactorRequired)
    );
    assert_eq!(set_enabled(&lax, &world, &password, true), Ok(()));
}

#[test]
fn the_waiver_of_an_optional_view_is_none_for_a_token_that_a_strict_view_has_asked_for() {
    let replace = |world: &World, mfa: &Mfa| {
        let associate = mfa.associate(&world.password("alice"));
        let answer = associate.run_blocking(&world.store, "alice");
        answer.map(drop).map_err(|error| error.rejection().unwrap())
    };
    let waived = Ok(());
    let refused = Err(Rejection::SecondFactorRequired);

    // Set up under the optional view, then shown to the strict one.
    let world = World::new(Policy::COGNITO);
    let strict_view = strict(&world);
    let device = world.enrol("alice");
    assert_eq!(replace(&world, &strict_view), refused, "it would ask");
    assert_eq!(replace(&world, &world.mfa), waived);
    world.time.advance(30);
    let session = challenged(&strict_view, &world);
    let code = device.code(world.now());
    let _ = respond(&strict_view, &world, &session, code).unwrap();
    assert!(lets_in(&world.mfa, &world));
    assert_eq!(replace(&world, &world.mfa), refused);

    // Set up under the strict one.
    let world = World::new(Policy::COGNITO);
    let strict_view = strict(&world);
    let (session, _) = invited(&strict_view, &world);
    let issued = associate(&strict_view, &world, &session).unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = strict_view.verify(issued.session().unwrap(), code);
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    assert!(lets_in(&world.mfa, &world));
    assert_eq!(replace(&world, &world.mfa), refused);

    // Proven in another system, which has asked for it.
    let world = World::new(Policy::COGNITO);
    let secret = Secret::from_bytes(&[9; 20]).unwrap();
    let token = ImportedToken::proven(secret, Totp::STANDARD);
    let import = world.mfa.import(&admin(), [token]).enabled(false);
    import.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(replace(&world, &world.mfa), refused);
}

#[test]
fn a_view_that_waives_nothing_finishes_no_replacement_that_another_one_began() {
    let world = World::new(Policy::COGNITO);
    world.enrol("alice");
    let login = world.password("alice");
    let associate = world.mfa.associate(&login);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    let unwaived = Policy::COGNITO
        .to_builder()
        .waive_possession_of_unasked_token(false);
    let unwaived = world.mfa.with_policy(unwaived.build().unwrap()).unwrap();
    for mfa in [&unwaived, &strict(&world)] {
        let verify = mfa.verify(&login, code.clone());
        let refused = verify.run_blocking(&world.store, "alice").unwrap_err();
        assert_eq!(refused.rejection(), Some(Rejection::SecondFactorRequired));
    }
    let verify = world.mfa.verify(&login, code);
    assert!(verify.run_blocking(&world.store, "alice").is_ok());
}

// What all views of a row share.

#[test]
fn a_view_that_differs_in_what_the_row_depends_on_is_refused_when_it_is_made() {
    type Change = fn(PolicyBuilder) -> PolicyBuilder;
    let changes: [(&str, Change); 10] = [
        ("a lenient throttle", |policy| {
            policy.throttle(Throttle {
                free: 10,
                ..Throttle::STANDARD
            })
        }),
        ("a strict throttle", |policy| {
            policy.throttle(Throttle {
                debt_limit: 50,
                ..Throttle::STANDARD
            })
        }),
        ("another count of suspicion", |policy| {
            policy.throttle(Throttle {
                suspect_at: 6,
                ..Throttle::STANDARD
            })
        }),
        ("window", |policy| policy.window(Window::new(1, 0).unwrap())),
        ("reach", |policy| policy.resynchronise_reach(21)),
        ("drift", |policy| policy.learn_drift(true)),
        ("max_tokens", |policy| policy.max_tokens(2)),
        ("session lifetime", |policy| {
            policy.session_lifetime(Duration::from_secs(181))
        }),
        ("recovery limit", |policy| policy.recovery_limit(Some(100))),
        ("length of names", |policy| policy.name_bytes(255)),
    ];
    let world = World::standard();
    for (name, change) in changes {
        let other = change(Policy::builder()).build().unwrap();
        let refused = world.mfa.with_policy(other).unwrap_err();
        assert_eq!(refused, PolicyError::OtherRecordRules, "{name}");
        let refused = world.mfa.with_policy(other.required()).unwrap_err();
        assert_eq!(refused, PolicyError::OtherRecordRules, "{name}, strict");

        let there = World::new(other);
        let refused = there.mfa.with_policy(Policy::STANDARD).unwrap_err();
        assert_eq!(refused, PolicyError::OtherRecordRules, "{name}, reversed");
        assert!(there.mfa.with_policy(other.required()).is_ok(), "{name}");
    }
    let refused: Error = PolicyError::OtherRecordRules.into();
    assert_eq!(refused.name(), "malformed_policy");
}

#[test]
fn a_view_may_differ_in_everything_else() {
    type Change = fn(PolicyBuilder) -> PolicyBuilder;
    let changes: [Change; 10] = [
        |policy| policy.requirement(Requirement::Off),
        |policy| policy.requirement(Requirement::RequiredFrom(UnixTime::from_secs(START))),
        |policy| policy.software_tokens(false),
        |policy| policy.enable_on_verify(false),
        |policy| policy.secret_bytes(64),
        |policy| policy.pending_lifetime(Duration::from_secs(60)),
        |policy| policy.reauthenticate_within(None),
        |policy| policy.waive_possession_of_unasked_token(true),
        |policy| policy.raise_preference_by_first_factor(true),
        |policy| policy.swap_attempts(1),
    ];
    let world = World::standard();
    for change in changes {
        let other = change(Policy::builder()).build().unwrap();
        let view = world.mfa.with_policy(other).unwrap();
        assert_eq!(view.policy(), &other);
    }
    assert!(world.mfa.with_policy(Policy::COGNITO).is_ok());
}

// The context.

#[test]
fn a_view_has_a_context_and_leaves_the_others_as_they_are() {
    let world = World::standard();
    let app = world.mfa.with_context(context("app"));
    assert_eq!(app.context(), &context("app"));
    assert_eq!(world.mfa.context(), &context("world"));
    let both = strict(&world).with_context(context("app"));
    assert_eq!(both.policy().requirement(), Requirement::Required);
    let both = app.with_policy(Policy::STANDARD.required()).unwrap();
    assert_eq!(both.context(), &context("app"));
    let keys = SessionKeys::generate(1, &OsEntropy).unwrap();
    let last = app.with_sessions(keys, context("last"));
    assert_eq!(
        last.context(),
        &context("last"),
        "the one that was given last"
    );
}

#[test]
fn a_session_of_another_context_is_refused_by_every_verb_that_takes_one() {
    // By the view that made it, and by the one that did not.
    for reversed in [false, true] {
        let world = World::new(Policy::STANDARD.required());
        let app = world.mfa.with_context(context("app"));
        let web = world.mfa.with_context(context("web"));
        let (own, other) = if reversed { (&app, &web) } else { (&web, &app) };
        let refused = |world: &World, answer: Result<(), Option<Rejection>>| {
            assert_eq!(answer, Err(Some(Rejection::InvalidSession)));
            let rejection = Rejection::InvalidSession;
            let flaw = Some(SessionFlaw::OtherContext);
            assert_eq!(world.events(), [EventKind::Refused { rejection, flaw }]);
        };
        macro_rules! refuse {
            ($request:expr) => {
                world.events();
                let answer = $request.run_blocking(&world.store, "alice");
                refused(&world, answer.map(drop).map_err(|error| error.rejection()));
            };
        }

        let (setup, _) = invited(own, &world);
        assert!(other.open(setup.expose()).is_ok(), "it is told whose it is");
        assert_eq!(setup.context(), own.context());
        refuse!(other.associate(&setup));
        let issued = associate(own, &world, &setup).unwrap();
        let device = Device::of(&issued);
        let pending = issued.session().unwrap();
        let code = device.code(world.now());
        refuse!(other.verify(pending, code.clone()));
        let verify = own.verify(pending, code);
        let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
        let done = enrolled.session().unwrap();
        refuse!(other.finish_setup(done));
        let finish = own.finish_setup(done);
        assert!(finish.run_blocking(&world.store, "alice").is_ok());

        world.time.advance(60);
        let session = challenged(own, &world);
        let before = world.row("alice").unwrap().revision;
        let code = device.code(world.now());
        refuse!(other.respond(&session, code.clone()));
        refuse!(other.respond(&session, device.wrong_code(world.now())));
        let next = device.code_in(world.now(), 1);
        refuse!(other.resynchronise(&session, code.clone(), next));
        assert_eq!(world.row("alice").unwrap().revision, before, "not counted");
        let evidence = respond(own, &world, &session, code).unwrap();
        assert_eq!(evidence.context(), own.context());
    }
}

#[test]
fn a_context_ends_the_flows_of_an_old_password() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    let at_version = |version: u32| {
        let version = softtoken::Context::new(version.to_be_bytes()).unwrap();
        world.mfa.with_context(version)
    };
    let session = challenged(&at_version(1), &world);
    let code = device.code(world.now());
    let refused = respond(&at_version(2), &world, &session, code.clone());
    assert_eq!(refused.unwrap_err(), Rejection::InvalidSession);
    assert!(respond(&at_version(1), &world, &session, code).is_ok());
}

#[test]
fn contexts_share_the_token_its_floor_and_its_throttle() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    let (app, web) = (
        world.mfa.with_context(context("app")),
        world.mfa.with_context(context("web")),
    );
    let (in_app, in_web) = (challenged(&app, &world), challenged(&web, &world));
    let code = device.code(world.now());
    assert!(respond(&app, &world, &in_app, code.clone()).is_ok());
    assert_eq!(
        respond(&web, &world, &in_web, code).unwrap_err(),
        Rejection::Reused
    );
}

#[test]
fn evidence_of_a_grant_has_the_context_of_the_view_that_accepted_it() {
    let world = World::standard();
    let app = world.mfa.with_context(context("app"));
    let grant = world.password("alice");
    let issued = app.associate(&grant).run_blocking(&world.store, "alice");
    let issued = issued.unwrap();
    let device = Device::of(&issued);
    let verify = world.mfa.verify(&grant, device.code(world.now()));
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(enrolled.evidence().context(), &context("world"));
    world.time.advance(30);
    let step_up = app.step_up(&grant, device.code(world.now()));
    let evidence = step_up.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(evidence.context(), &context("app"));
}

// The audit.

#[test]
fn each_request_is_told_to_the_audit_of_its_own_view() {
    let world = World::standard();
    let (first, log_of_first) = audited(&world.mfa);
    let (second, log_of_second) = audited(&first);
    let grant = world.password("alice");
    let associate = first.associate(&grant);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let device = Device::of(&issued);
    let code = device.code(world.now());
    let verify = second.verify(&grant, code.clone());
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    let bob = second.unlock(&admin());
    bob.run_blocking(&world.store, "bob").unwrap();
    let step_up = first.step_up(&grant, code);
    assert!(step_up.run_blocking(&world.store, "alice").is_err());
    assert!(second.open("no session").is_err());

    let told = |log: &[(&str, &'static str)]| -> Vec<(String, &'static str)> {
        let owned = log.iter();
        owned
            .map(|(subject, name)| ((*subject).into(), *name))
            .collect()
    };
    assert_eq!(
        *log_of_first.lock().unwrap(),
        told(&[("alice", "associated"), ("alice", "reused_code")])
    );
    assert_eq!(
        *log_of_second.lock().unwrap(),
        told(&[("alice", "verified"), ("bob", "unlocked"), ("", "refused")])
    );
    assert_eq!(world.events(), [], "one audit a view");
}

#[test]
fn an_audit_goes_with_the_views_that_are_made_of_its_view() {
    let world = World::standard();
    let (audited, log) = audited(&world.mfa);
    let view = audited
        .with_policy(Policy::STANDARD.required())
        .unwrap()
        .with_context(context("app"));
    let unlock = view.unlock(&admin());
    unlock.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[test]
fn a_request_keeps_the_view_that_made_it() {
    let world = World::standard();
    let request = {
        let strict = strict(&world);
        let (view, log) = audited(&strict.with_context(context("app")));
        (view.sign_in(), log)
    };
    let challenge = request.0.run_blocking(&world.store, "alice").unwrap();
    let Challenge::Setup { session, .. } = challenge else {
        panic!("the view that made the request requires one");
    };
    assert_eq!(session.context(), &context("app"));
}

#[test]
fn a_view_is_made_once_and_shared_by_threads() {
    let world = World::standard();
    let strict = strict(&world);
    let device = world.enrol("alice");
    world.time.advance(30);
    let code = device.code(world.now());
    let accepted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = [&world.mfa, &strict]
            .into_iter()
            .cycle()
            .take(8)
            .map(|mfa| {
                let (code, store) = (code.clone(), &world.store);
                scope.spawn(move || {
                    let sign_in = mfa.sign_in_with(Some(code.into()));
                    sign_in.run_blocking(store, "alice").is_ok()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| usize::from(thread.join().unwrap()))
            .sum()
    });
    assert_eq!(accepted, 1, "of all views together");
}
