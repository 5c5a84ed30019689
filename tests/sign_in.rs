//! From the password to the evidence: challenges, sessions, preference, and what they cost.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use crate::world::{Device, START, World, admin, context};
use softtoken::association::{
    AttemptKey, EventKind, ImportedToken, Issued, Method, Preference, SessionFlaw,
};
use softtoken::error::OpenError;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::totp::{Digits, Secret, Totp};
use softtoken::{
    BlockingStore, Challenge, ChallengeSession, Code, Error, Evidence, Factor, Fault, Grant,
    MemoryStore, Mfa, OsEntropy, Policy, Rejection, Requirement, SessionKeys, SignedIn, UnixTime,
    Vouched, record,
};

fn required() -> World {
    World::new(Policy::STANDARD.required())
}

fn respond(
    world: &World,
    session: &ChallengeSession,
    factor: impl Into<Factor>,
) -> Result<Evidence, Rejection> {
    let respond = world.mfa.respond(session, factor);
    let answer = respond.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

fn sign_in_with(world: &World, factor: Option<Factor>) -> Result<SignedIn, Rejection> {
    let sign_in = world.mfa.sign_in_with(factor);
    let answer = sign_in.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

fn step_up(world: &World, grant: &Grant, factor: impl Into<Factor>) -> Result<Evidence, Rejection> {
    let step_up = world.mfa.step_up(grant, factor);
    let answer = step_up.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

/// The first two calls of a flow that sets up a token.
fn issued_in_a_flow(world: &World) -> Issued {
    let associate = world.mfa.associate(&world.setup("alice"));
    associate.run_blocking(&world.store, "alice").unwrap()
}

/// What was wrong with the session of the last refusal.
fn flaw(world: &World) -> Option<SessionFlaw> {
    world.events().into_iter().find_map(|event| match event {
        EventKind::Refused { flaw, .. } => flaw,
        _ => None,
    })
}

fn revision(world: &World) -> Option<softtoken::Revision> {
    world.row("alice").map(|row| row.revision)
}

/// Signs with these keys what the world's views sign with their own.
fn with_keys(world: &World, keys: SessionKeys) -> Mfa {
    let now = world.now();
    Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy).with_sessions(keys, context("world"))
}

fn challenged_by(mfa: &Mfa, world: &World) -> ChallengeSession {
    match mfa.sign_in().run_blocking(&world.store, "alice").unwrap() {
        Challenge::SoftwareToken { session, .. } => session,
        other => panic!("a verified token is asked for: {other:?}"),
    }
}

#[test]
fn what_a_sign_in_asks_for_is_the_table_of_the_specification() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Asks {
        Nothing,
        Code,
        Setup(Option<UnixTime>),
    }
    use Asks::{Code, Nothing, Setup};
    let (now, later) = (UnixTime::from_secs(START), UnixTime::from_secs(START + 1));
    let at_once = Setup(None);
    let invited = Setup(Some(later));
    // Columns: nothing verified, something pending, verified and enabled, verified and not enabled.
    let table = [
        (Requirement::Off, [Nothing, Nothing, Nothing, Nothing]),
        (Requirement::Optional, [Nothing, Nothing, Code, Nothing]),
        (Requirement::Required, [at_once, at_once, Code, Code]),
        (
            Requirement::RequiredFrom(later),
            [invited, invited, Code, Nothing],
        ),
        (
            Requirement::RequiredFrom(now),
            [at_once, at_once, Code, Code],
        ),
    ];
    for (requirement, row) in table {
        for (column, expected) in row.into_iter().enumerate() {
            let world = World::standard();
            match column {
                0 => {}
                1 => drop(world.associate("alice")),
                _ => {
                    world.enrol("alice");
                    let set = world.mfa.set_enabled(&admin(), column == 2);
                    set.run_blocking(&world.store, "alice").unwrap();
                }
            }
            let policy = Policy::builder().requirement(requirement).build().unwrap();
            let mut asked = World::new(policy);
            asked.store = world.store;
            let before = revision(&asked);
            let sign_in = asked.mfa.sign_in();
            let asks = match sign_in.run_blocking(&asked.store, "alice").unwrap() {
                Challenge::NotRequired { remembered, .. } => {
                    assert!(!remembered);
                    Nothing
                }
                Challenge::SoftwareToken { .. } => Code,
                Challenge::Setup { required_from, .. } => Setup(required_from),
            };
            assert_eq!(asks, expected, "{requirement:?}, column {column}");

            let asks = match sign_in_with(&asked, None).unwrap() {
                SignedIn::NotRequired { remembered, .. } => {
                    assert!(!remembered);
                    Nothing
                }
                SignedIn::FactorRequired { .. } => Code,
                SignedIn::SetupRequired { required_from, .. } => Setup(required_from),
                SignedIn::Proven(evidence) => panic!("nothing was shown: {evidence:?}"),
            };
            assert_eq!(asks, expected, "in one request, {requirement:?}, {column}");
            assert_eq!(revision(&asked), before, "both are reads");
            assert_eq!(asked.events(), [], "of which nobody is told");
        }
    }
}

#[test]
fn a_challenge_is_answered_by_a_code_and_gives_evidence_in_its_context() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    let context = context("pool-1/web");
    let mfa = world.mfa.with_context(context.clone());
    let issued = challenged_by(&mfa, &world);
    let password_at = world.now();
    world.time.advance(10);

    let session = mfa.open(issued.expose()).unwrap();
    assert_eq!(session.subject(), "alice");
    assert_eq!(session.context(), &context);
    let lifetime = Duration::from_secs(180);
    assert_eq!(session.expires(), password_at.saturating_add(lifetime));
    assert_eq!(session.first_factor_at(), password_at);

    let answer = mfa.respond(&session, device.code(world.now()));
    let evidence = answer.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(evidence.context(), &context);
    assert_eq!(evidence.amr(), ["otp", "mfa"]);
    assert_eq!(evidence.method(), Method::SoftwareToken);
    assert_eq!(evidence.first_factor_at(), Some(password_at));
    assert_eq!(evidence.at(), world.now());
    assert!(evidence.token().is_some());
    assert!(!evidence.should_end_other_logins());
}

#[test]
fn the_challenge_names_the_tokens() {
    let world = World::standard();
    let issued = world.associate("alice");
    let code = Device::of(&issued).code(world.now());
    let verify = world.mfa.verify(&world.password("alice"), code);
    let _ = verify
        .named("phone")
        .run_blocking(&world.store, "alice")
        .unwrap();
    let sign_in = world.mfa.sign_in();
    let challenge = sign_in.run_blocking(&world.store, "alice").unwrap();
    let Challenge::SoftwareToken { names, .. } = challenge else {
        panic!("a verified token is asked for");
    };
    assert_eq!(names, ["phone"]);
    let Ok(SignedIn::FactorRequired { names, .. }) = sign_in_with(&world, None) else {
        panic!("a verified token is asked for");
    };
    assert_eq!(names, ["phone"]);
}

#[test]
fn a_policy_that_requires_leads_from_the_password_through_set_up_to_evidence() {
    let world = required();
    let context = context("client-7");
    let mfa = world.mfa.with_context(context.clone());
    let password_at = world.now();
    let sign_in = mfa.sign_in();
    let Challenge::Setup { session, .. } = sign_in.run_blocking(&world.store, "alice").unwrap()
    else {
        panic!("a policy that requires asks to set up");
    };
    world.time.advance(20);
    let associate = mfa.associate(&session);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = mfa.verify(issued.session().unwrap(), code);
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(enrolled.evidence().context(), &context);
    assert_eq!(enrolled.evidence().amr(), ["otp", "mfa"]);
    assert_eq!(enrolled.evidence().first_factor_at(), Some(password_at));
    let proven_at = world.now();

    world.time.advance(60);
    world.events();
    let finish = mfa.finish_setup(enrolled.session().unwrap());
    let evidence = finish.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(evidence.context(), &context);
    assert_eq!(evidence.amr(), ["otp", "mfa"]);
    assert_eq!(evidence.token(), Some(issued.token()));
    assert_eq!(evidence.step(), enrolled.evidence().step());
    assert_eq!(evidence.first_factor_at(), Some(password_at));
    assert_eq!(evidence.at(), proven_at, "when it was proven");
    let method = Method::SoftwareToken;
    assert_eq!(
        world.events(),
        [EventKind::SignedIn {
            method,
            failures: 0
        }]
    );
}

#[test]
fn a_set_up_is_finished_once_and_not_after_its_time_nor_after_a_change_nor_elsewhere() {
    let enrolled = || {
        let world = required();
        let issued = issued_in_a_flow(&world);
        let device = Device::of(&issued);
        let code = device.code(world.now());
        let verify = world.mfa.verify(issued.session().unwrap(), code);
        let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
        let done = enrolled.session().unwrap().clone();
        (world, Grant::from(enrolled.evidence()), done)
    };
    let finish = |world: &World, mfa: &Mfa, session: &ChallengeSession, subject: &str| {
        world.events();
        let finish = mfa.finish_setup(session);
        let answer = finish.run_blocking(&world.store, subject);
        answer.map(drop).map_err(|error| {
            assert_eq!(error.rejection(), Some(Rejection::InvalidSession));
            flaw(world).unwrap()
        })
    };

    let (world, _, done) = enrolled();
    let elsewhere = world.mfa.with_context(context("elsewhere"));
    let mfa = world.mfa.clone();
    assert_eq!(
        finish(&world, &elsewhere, &done, "alice"),
        Err(SessionFlaw::OtherContext)
    );
    assert_eq!(
        finish(&world, &mfa, &done, "bob"),
        Err(SessionFlaw::OtherSubject)
    );
    let challenge = world.challenge("alice");
    assert_eq!(
        finish(&world, &mfa, &challenge, "alice"),
        Err(SessionFlaw::OtherPurpose)
    );
    world.time.advance(180);
    assert_eq!(
        finish(&world, &mfa, &done, "alice"),
        Err(SessionFlaw::Expired)
    );
    world.time.go_back(1);
    assert_eq!(finish(&world, &mfa, &done, "alice"), Ok(()));
    let before = revision(&world);
    assert_eq!(
        finish(&world, &mfa, &done, "alice"),
        Err(SessionFlaw::Spent),
        "a double click"
    );
    assert_eq!(revision(&world), before);

    let (world, grant, done) = enrolled();
    let associate = world.mfa.associate(&grant);
    let replacement = associate.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&replacement).code(world.now());
    let verify = world.mfa.verify(&grant, code);
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    let mfa = world.mfa.clone();
    assert_eq!(
        finish(&world, &mfa, &done, "alice"),
        Err(SessionFlaw::OtherGeneration)
    );
}

#[test]
fn a_user_who_stops_after_verify_is_enrolled_and_challenged() {
    let world = required();
    let issued = issued_in_a_flow(&world);
    let device = Device::of(&issued);
    let verify = world
        .mfa
        .verify(issued.session().unwrap(), device.code(world.now()));
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(30);
    let session = world.challenge("alice");
    assert!(respond(&world, &session, device.code(world.now())).is_ok());
}

#[test]
fn a_wrong_code_does_not_end_a_session_and_success_does() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    let session = world.challenge("alice");
    let wrong = device.wrong_code(world.now());
    assert_eq!(
        respond(&world, &session, wrong).unwrap_err(),
        Rejection::Mismatch
    );
    assert!(respond(&world, &session, device.code(world.now())).is_ok());
    world.time.advance(30);
    world.events();
    assert_eq!(
        respond(&world, &session, device.code(world.now())).unwrap_err(),
        Rejection::InvalidSession
    );
    assert_eq!(flaw(&world), Some(SessionFlaw::Spent));
}

#[test]
fn every_factor_that_answers_ends_the_session() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    let issue = world.mfa.issue_recovery_codes(&grant);
    let codes = issue.run_blocking(&world.store, "alice").unwrap();
    let code = codes.iter().next().unwrap().clone();
    for (factor, method) in [
        (Factor::from(code), Method::RecoveryCode),
        (Vouched::factor(&["hwk"]).into(), Method::Vouched),
    ] {
        let session = world.challenge("alice");
        let evidence = respond(&world, &session, factor).unwrap();
        assert_eq!(evidence.method(), method);
        let passkey = Vouched::factor(&["hwk"]);
        let again = respond(&world, &session, passkey).unwrap_err();
        assert_eq!(again, Rejection::InvalidSession, "{method:?}");
    }
}

#[test]
fn a_session_lives_as_long_as_the_policy_says() {
    let world = World::standard();
    let device = world.enrol("alice");
    let session = world.challenge("alice");
    world.time.advance(180);
    world.events();
    assert_eq!(
        respond(&world, &session, device.code(world.now())).unwrap_err(),
        Rejection::InvalidSession
    );
    assert_eq!(flaw(&world), Some(SessionFlaw::Expired));
    assert_eq!(
        world.mfa.open(session.expose()).unwrap_err(),
        OpenError::Invalid
    );
    assert_eq!(flaw(&world), Some(SessionFlaw::Expired));
    world.time.go_back(1);
    assert!(world.mfa.open(session.expose()).is_ok());
    assert!(respond(&world, &session, device.code(world.now())).is_ok());
}

#[test]
fn whatever_is_wrong_with_a_session_is_refused_alike_and_told_apart_by_the_event() {
    let world = required();
    let elsewhere = world.mfa.with_context(context("elsewhere"));
    let foreign = with_keys(&world, SessionKeys::from_bytes(1, &[8; 32]));
    let code = Code::parse("123456").unwrap();
    let setup = world.setup("alice");
    let bobs = world.setup("bob");
    let associate = world.mfa.associate(&setup);
    let replaced = associate.run_blocking(&world.store, "alice").unwrap();
    let associate = world.mfa.associate(&setup);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let session = issued.session().unwrap();

    let unopened = |text: &str| {
        world.events();
        let refused = world.mfa.open(text).unwrap_err();
        assert_eq!(refused, OpenError::Invalid);
        assert_eq!(flaw(&world), Some(SessionFlaw::Forged));
        let error: Error = refused.into();
        assert_eq!(error.rejection(), Some(Rejection::InvalidSession));
        assert_eq!(error.to_string(), "the session is not valid");
    };
    let mut tampered = session.expose().to_owned();
    let first = if tampered.starts_with('a') { "b" } else { "a" };
    tampered.replace_range(..1, first);
    unopened(&tampered);
    unopened(&session.expose()[..session.expose().len() - 1]);
    unopened("");
    unopened(&session.expose().to_uppercase());
    unopened(&"a".repeat(ChallengeSession::MAX_LEN + 1));

    let refused = |mfa: &Mfa, session: &ChallengeSession, flawed: SessionFlaw| {
        world.events();
        // Told to the view of this request.
        let log = std::sync::Arc::new(std::sync::Mutex::new(None));
        let told = std::sync::Arc::clone(&log);
        let mfa = mfa.with_audit(move |_, event| {
            if let EventKind::Refused { flaw, .. } = event.kind {
                *told.lock().unwrap() = flaw;
            }
        });
        let verify = mfa.verify(session, code.clone());
        let refused = verify.run_blocking(&world.store, "alice").unwrap_err();
        assert_eq!(refused.rejection(), Some(Rejection::InvalidSession));
        assert_eq!(refused.to_string(), "the session is not valid");
        assert_eq!(refused.retry_after(), None);
        assert_eq!(*log.lock().unwrap(), Some(flawed));
    };
    refused(&foreign, session, SessionFlaw::Forged);
    refused(&world.mfa, &bobs, SessionFlaw::OtherSubject);
    refused(&elsewhere, session, SessionFlaw::OtherContext);
    // Of several flaws, the one that tells more of an attack.
    refused(&elsewhere, &bobs, SessionFlaw::OtherSubject);
    refused(&world.mfa, &setup, SessionFlaw::OtherPurpose);
    let replaced = replaced.session().unwrap();
    refused(&world.mfa, replaced, SessionFlaw::OtherPending);

    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
    refused(&world.mfa, session, SessionFlaw::OtherGeneration);
}

#[test]
fn no_session_stands_in_for_a_grant() {
    let world = World::standard();
    let device = world.enrol("alice");
    let status = world.mfa.status();
    let token = status.run_blocking(&world.store, "alice").unwrap().tokens[0].id;
    world.time.advance(30);
    let session = world.challenge("alice");
    let before = revision(&world);
    let invalid = Some(Rejection::InvalidSession);
    macro_rules! refused {
        ($request:expr) => {
            let refused = $request.run_blocking(&world.store, "alice").unwrap_err();
            assert_eq!(refused.rejection(), invalid);
            assert_eq!(flaw(&world), Some(SessionFlaw::OtherPurpose));
        };
    }
    refused!(world.mfa.prefer(&session, Preference::Disabled));
    refused!(world.mfa.set_enabled(&session, false));
    refused!(world.mfa.rename(&session, token, "mine"));
    refused!(world.mfa.remove(&session, token));
    refused!(world.mfa.disassociate(&session));
    refused!(world.mfa.issue_recovery_codes(&session));
    refused!(world.mfa.forget_browsers(&session));
    refused!(world.mfa.associate(&session));
    let code = device.code(world.now());
    refused!(world.mfa.verify(&session, code.clone()));
    assert_eq!(revision(&world), before);
    assert!(respond(&world, &session, code).is_ok());
}

#[test]
fn keys_rotate_without_ending_the_flows_that_are_under_way() {
    let world = World::standard();
    world.enrol("alice");
    let session = world.challenge("alice");
    let opens = |keys: &SessionKeys| {
        with_keys(&world, keys.clone())
            .open(session.expose())
            .is_ok()
    };
    let mut keys = SessionKeys::from_bytes(1, &[7; 32]);
    keys.rotate(2, &[8; 32]);
    assert!(opens(&keys));
    keys.retire(2);
    assert!(opens(&keys), "the key that signs stays, and the other too");
    keys.retire(1);
    assert!(!opens(&keys));
    keys.rotate(1, &[6; 32]);
    assert!(!opens(&keys), "another key with this id");

    let timeless = Mfa::new(Policy::STANDARD, || None, OsEntropy);
    let timeless = timeless.with_sessions(SessionKeys::from_bytes(1, &[7; 32]), context("world"));
    let refused = timeless.open(session.expose()).unwrap_err();
    assert_eq!(refused, OpenError::NoTime, "it may have expired");
}

#[test]
fn a_key_that_only_opens_does_not_sign() {
    let world = World::standard();
    world.enrol("alice");
    let session = world.challenge("alice");
    let opens = |keys: &SessionKeys, session: &ChallengeSession| {
        with_keys(&world, keys.clone())
            .open(session.expose())
            .is_ok()
    };
    let mut keys = SessionKeys::from_bytes(9, &[9; 32]);
    keys.also_open(1, &[8; 32]);
    assert!(!opens(&keys, &session));
    keys.also_open(1, &[7; 32]);
    assert!(opens(&keys, &session));

    let signed = challenged_by(&with_keys(&world, keys), &world);
    assert!(opens(&SessionKeys::from_bytes(9, &[9; 32]), &signed));
}

#[test]
fn a_session_is_signed_with_the_newest_key() {
    let world = World::standard();
    world.enrol("alice");
    let mut keys = SessionKeys::from_bytes(1, &[7; 32]);
    keys.rotate(2, &[8; 32]);
    let session = challenged_by(&with_keys(&world, keys), &world);
    let opens = |id, byte| {
        let keys = SessionKeys::from_bytes(id, &[byte; 32]);
        with_keys(&world, keys).open(session.expose()).is_ok()
    };
    assert!(opens(2, 8));
    assert!(!opens(1, 7));
}

#[test]
fn without_keys_there_are_no_challenges_and_a_sign_in_in_one_request() {
    let world = World::standard();
    let device = world.enrol("alice");
    let session = world.challenge("alice");
    world.time.advance(30);
    let now = world.now();
    let mfa = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy);
    let code = device.code(now);
    let no_keys = |fault| matches!(fault, Error::Fault(Fault::NoSessionKeys));
    let sign_in = mfa.sign_in().run_blocking(&world.store, "alice");
    assert!(no_keys(sign_in.unwrap_err()));
    let respond = mfa.respond(&session, code.clone());
    let respond = respond.run_blocking(&world.store, "alice");
    assert!(no_keys(respond.unwrap_err()));
    let finish = mfa.finish_setup(&session);
    let finish = finish.run_blocking(&world.store, "alice");
    assert!(no_keys(finish.unwrap_err()));
    assert_eq!(
        mfa.open(session.expose()).unwrap_err(),
        OpenError::NoSessionKeys
    );

    let sign_in = mfa.sign_in_with(Some(code.into()));
    let signed_in = sign_in.run_blocking(&world.store, "alice").unwrap();
    assert!(matches!(signed_in, SignedIn::Proven(_)));
}

#[test]
fn a_factor_that_is_given_is_judged_wherever_a_token_is_in_force() {
    for (requirement, enabled) in [
        (Requirement::Off, true),
        (Requirement::Optional, true),
        (Requirement::Optional, false),
        (Requirement::Required, false),
    ] {
        let world = World::standard();
        let device = world.enrol("alice");
        let set = world.mfa.set_enabled(&admin(), enabled);
        set.run_blocking(&world.store, "alice").unwrap();
        world.time.advance(30);
        let policy = Policy::builder().requirement(requirement).build().unwrap();
        let mut asked = World::new(policy);
        asked.store = world.store;
        asked.time.set(world.time.now().as_secs());

        let wrong = device.wrong_code(asked.now());
        assert_eq!(
            sign_in_with(&asked, Some(wrong.into())).unwrap_err(),
            Rejection::Mismatch,
            "{requirement:?}, {enabled}: asked for or not"
        );
        let long = Code::parse("12345678").unwrap();
        let expected = Digits::Six;
        assert_eq!(
            sign_in_with(&asked, Some(long.into())).unwrap_err(),
            Rejection::CodeLength { expected }
        );
        let code = device.code(asked.now());
        let Ok(SignedIn::Proven(evidence)) = sign_in_with(&asked, Some(code.clone().into())) else {
            panic!("the code is right");
        };
        assert_eq!(evidence.amr(), ["otp", "mfa"]);
        assert_eq!(evidence.first_factor_at(), Some(asked.now()));
        assert_eq!(
            sign_in_with(&asked, Some(code.into())).unwrap_err(),
            Rejection::Reused
        );
    }
}

#[test]
fn a_factor_that_is_given_where_no_token_is_in_force_is_ignored_with_an_event() {
    for (policy, pending) in [
        (Policy::STANDARD, false),
        (Policy::STANDARD, true),
        (Policy::STANDARD.required(), false),
        (Policy::STANDARD.required(), true),
    ] {
        let world = World::new(policy);
        let code = if pending {
            Device::of(&world.associate("alice")).code(world.now())
        } else {
            Code::parse("123456").unwrap()
        };
        let before = revision(&world);
        for factor in [
            Factor::from(code),
            Vouched::factor(&["hwk"]).into(),
            Vouched::recovery_code(false).into(),
        ] {
            world.events();
            let signed_in = sign_in_with(&world, Some(factor)).unwrap();
            let asks = match signed_in {
                SignedIn::NotRequired { .. } => Requirement::Optional,
                SignedIn::SetupRequired { .. } => Requirement::Required,
                other => panic!("there is no token: {other:?}"),
            };
            assert_eq!(asks, policy.requirement());
            assert_eq!(world.events(), [EventKind::FactorIgnored]);
        }
        assert_eq!(revision(&world), before);
    }
}

#[test]
fn too_many_wrong_codes_make_every_way_to_sign_in_wait_and_say_how_long() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    let session = world.challenge("alice");
    for _ in 0..3 {
        let wrong = device.wrong_code(world.now());
        assert_eq!(
            respond(&world, &session, wrong).unwrap_err(),
            Rejection::Mismatch
        );
    }
    let until = world.now().saturating_add(Duration::from_secs(5));
    let (code, before) = (device.code(world.now()), revision(&world));
    let throttled = Rejection::Throttled { until };
    let grant = world.password("alice");
    let in_one = sign_in_with(&world, Some(code.clone().into()));
    assert_eq!(in_one.unwrap_err(), throttled);
    let stepped_up = step_up(&world, &grant, code.clone());
    assert_eq!(stepped_up.unwrap_err(), throttled);
    assert_eq!(
        respond(&world, &session, code.clone()).unwrap_err(),
        throttled
    );
    let told = world.mfa.respond(&session, code.clone());
    let told = told.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(told.retry_after(), Some(Duration::from_secs(5)));
    assert_eq!(revision(&world), before, "not judged, not counted");
    world.time.set(until.as_secs());
    assert!(respond(&world, &session, code).is_ok());
}

#[test]
fn a_step_up_gives_the_login_a_grant_that_proves_possession() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(40);
    let login = world.password("alice").with_id("login-1");
    world.time.advance(3600);
    let code = device.code(world.now());
    let evidence = step_up(&world, &login, code.clone()).unwrap();
    assert_eq!(evidence.login_id(), Some("login-1"));
    assert_eq!(evidence.first_factor_at(), Some(login.first_factor_at()));
    assert_eq!(evidence.at(), world.now());
    assert_eq!(evidence.amr(), ["otp", "mfa"]);
    assert_eq!(
        step_up(&world, &login, code).unwrap_err(),
        Rejection::Reused
    );

    let grant = Grant::from(&evidence);
    assert_eq!(grant.first_factor_at(), login.first_factor_at());
    assert_eq!(grant.second_factor_at(), Some(world.now()));
    assert_eq!((grant.subject(), grant.id()), ("alice", Some("login-1")));
    let codes = world.mfa.issue_recovery_codes(&grant);
    assert!(codes.run_blocking(&world.store, "alice").is_ok());
}

#[test]
fn a_step_up_is_refused_for_a_grant_that_authorises_nothing_and_for_a_wrong_code() {
    let world = World::standard();
    let code = Code::parse("123456").unwrap();
    let password = world.password("alice");
    assert_eq!(
        step_up(&world, &password, code).unwrap_err(),
        Rejection::NotAssociated
    );
    let device = world.enrol("alice");
    world.time.advance(30);
    let (code, before) = (device.code(world.now()), revision(&world));
    let ahead = UnixTime::from_secs(world.now().as_secs() + 61);
    for nobody in [
        world.password("bob"),
        Grant::first_factor("alice", ahead),
        Grant::from_bare_times("alice", world.now(), ahead),
    ] {
        assert_eq!(
            step_up(&world, &nobody, code.clone()).unwrap_err(),
            Rejection::NotAuthorized
        );
    }
    assert_eq!(revision(&world), before, "and no code was looked at");
    let wrong = device.wrong_code(world.now());
    assert_eq!(
        step_up(&world, &password, wrong).unwrap_err(),
        Rejection::Mismatch
    );
    assert_ne!(revision(&world), before, "this one was counted");
    assert!(step_up(&world, &password, code).is_ok());
}

#[test]
fn the_preference_is_the_users_within_what_the_policy_requires() {
    let world = World::standard();
    let prefer = |grant: &Grant, preference| {
        let prefer = world.mfa.prefer(grant, preference);
        let answer = prefer.run_blocking(&world.store, "alice");
        answer.map_err(|error| error.rejection().unwrap())
    };
    assert_eq!(
        prefer(&world.password("alice"), Preference::Enabled),
        Err(Rejection::NotAssociated),
        "nothing is verified"
    );
    let (_, grant) = world.enrolled("alice");
    world.events();
    assert_eq!(prefer(&grant, Preference::Preferred), Ok(()));
    assert_eq!(
        world.events(),
        [EventKind::PreferenceChanged {
            enabled: true,
            preferred: true
        }]
    );
    assert_eq!(prefer(&grant, Preference::Disabled), Ok(()));
    assert_eq!(
        world.events(),
        [EventKind::PreferenceChanged {
            enabled: false,
            preferred: false
        }]
    );
    let before = revision(&world);
    assert_eq!(prefer(&grant, Preference::Disabled), Ok(()), "off already");
    assert_eq!(world.events(), [], "and nothing changes");
    assert_eq!(revision(&world), before);
}

#[test]
fn turning_on_keeps_what_is_preferred_and_turning_off_does_not() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    let set = |enabled| {
        let set = world.mfa.set_enabled(&grant, enabled);
        set.run_blocking(&world.store, "alice").unwrap();
        let status = world.mfa.status();
        let status = status.run_blocking(&world.store, "alice").unwrap();
        status.preference
    };
    let prefer = world.mfa.prefer(&grant, Preference::Preferred);
    prefer.run_blocking(&world.store, "alice").unwrap();
    let before = revision(&world);
    assert_eq!(set(true), Preference::Preferred);
    assert_eq!(revision(&world), before, "the same is a read");
    assert_eq!(set(false), Preference::Disabled);
    assert_eq!(set(true), Preference::Enabled);

    let nobody = World::standard();
    let set = nobody
        .mfa
        .set_enabled(&nobody.password("alice"), true)
        .run_blocking(&nobody.store, "alice");
    assert_eq!(set.unwrap_err().rejection(), Some(Rejection::NotAssociated));
    assert!(nobody.row("alice").is_none());
}

#[test]
fn a_preference_says_whether_it_is_enabled_and_whether_preferred() {
    let said = [
        Preference::Disabled,
        Preference::Enabled,
        Preference::Preferred,
    ]
    .map(|preference| (preference.is_enabled(), preference.is_preferred()));
    assert_eq!(said, [(false, false), (true, false), (true, true)]);
}

#[test]
fn a_policy_that_requires_lets_no_user_turn_the_token_off() {
    for policy in [Policy::STANDARD, Policy::COGNITO] {
        let world = World::new(policy.required());
        // In Cognito's policy it is off already.
        let (_, grant) = world.enrolled("alice");
        let before = revision(&world);
        let prefer = world.mfa.prefer(&grant, Preference::Disabled);
        let refused = prefer.run_blocking(&world.store, "alice").unwrap_err();
        assert_eq!(refused.rejection(), Some(Rejection::MfaRequired));
        let turn_off = world.mfa.set_enabled(&grant, false);
        let refused = turn_off.run_blocking(&world.store, "alice").unwrap_err();
        assert_eq!(refused.rejection(), Some(Rejection::MfaRequired));

        let by_admin = world.mfa.set_enabled(&admin(), false);
        by_admin.run_blocking(&world.store, "alice").unwrap();
        assert_eq!(revision(&world), before, "no error, and nothing changes");
    }
}

#[test]
fn an_imported_token_that_is_enabled_is_asked_for() {
    let world = World::standard();
    let import = |subject, byte, enabled| {
        let secret = Secret::from_bytes(&[byte; 20]).unwrap();
        let token = ImportedToken::proven(secret, Totp::STANDARD);
        let import = world.mfa.import(&admin(), [token]).enabled(enabled);
        import.run_blocking(&world.store, subject).unwrap();
    };
    import("alice", 9, true);
    world.challenge("alice");
    import("bob", 8, false);
    let sign_in = world.mfa.sign_in().run_blocking(&world.store, "bob");
    assert!(matches!(sign_in.unwrap(), Challenge::NotRequired { .. }));
}

/// Counts what is asked of a store.
#[derive(Default)]
struct Counting {
    store: MemoryStore,
    reads: AtomicU32,
    writes: AtomicU32,
}

impl Counting {
    /// Reads and writes since this was last asked.
    fn taken(&self) -> (u32, u32) {
        let taken = |count: &AtomicU32| count.swap(0, Ordering::SeqCst);
        (taken(&self.reads), taken(&self.writes))
    }
}

impl BlockingStore for Counting {
    type Error = <MemoryStore as BlockingStore>::Error;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Self::Error> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.load_blocking(subject)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Self::Error> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.store.compare_and_swap_blocking(write)
    }
}

#[test]
fn a_sign_in_costs_two_reads_and_a_write_and_enrolling_two_and_two() {
    let world = World::standard();
    let store = Counting::default();

    let grant = world.password("alice");
    let associate = world.mfa.associate(&grant);
    let issued = associate.run_blocking(&store, "alice").unwrap();
    let device = Device::of(&issued);
    let code = device.code(world.now());
    let verify = world.mfa.verify(&grant, code);
    let enrolled = verify.run_blocking(&store, "alice").unwrap();
    assert_eq!(store.taken(), (2, 2), "enrolling");

    world.time.advance(30);
    let sign_in = world.mfa.sign_in();
    let challenge = sign_in.run_blocking(&store, "alice").unwrap();
    assert_eq!(store.taken(), (1, 0), "the challenge");
    let Challenge::SoftwareToken { session, .. } = challenge else {
        panic!("a verified token is asked for");
    };
    let session = world.mfa.open(session.expose()).unwrap();
    assert_eq!(store.taken(), (0, 0), "opening a session");
    let respond = world.mfa.respond(&session, device.code(world.now()));
    let _ = respond.run_blocking(&store, "alice").unwrap();
    assert_eq!(store.taken(), (1, 1), "the answer");

    world.time.advance(30);
    let code = device.code(world.now());
    let in_one = world.mfa.sign_in_with(Some(code.into()));
    let _ = in_one.run_blocking(&store, "alice").unwrap();
    assert_eq!(store.taken(), (1, 1), "a sign-in in one request");

    let status = world.mfa.status();
    let _ = status.run_blocking(&store, "alice").unwrap();
    assert_eq!(store.taken(), (1, 0), "the status");
    let grant = Grant::from(enrolled.evidence());
    let check = world.mfa.check(&grant, Duration::from_secs(3600));
    check.run_blocking(&store, "alice").unwrap();
    assert_eq!(store.taken(), (1, 0), "a check");
}

#[test]
fn the_record_of_somebody_with_everything_fits_a_kibibyte_and_stays_that_size() {
    let name = "a name of two and thirty bytes..";
    assert_eq!(name.len(), 32);
    let policy = Policy::builder()
        .secret_bytes(64)
        .name_bytes(32)
        .build()
        .unwrap();
    let world = World::new(policy);
    let grant = world.password("alice").with_id("jti");
    let issued = world.mfa.associate(&grant);
    let issued = issued.run_blocking(&world.store, "alice").unwrap();
    let device = Device::of(&issued);
    let verify = world
        .mfa
        .verify(&grant, device.code(world.now()))
        .named(name);
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    let issue = world.mfa.issue_recovery_codes(&grant);
    let _ = issue.run_blocking(&world.store, "alice").unwrap();
    let week = Duration::from_secs(7 * 24 * 3600);
    let temporary = world.mfa.issue_temporary_code(&admin(), week);
    let _ = temporary.run_blocking(&world.store, "alice").unwrap();
    let replacement = world.mfa.associate(&grant).named(name);
    let _ = replacement.run_blocking(&world.store, "alice").unwrap();
    let wrong = step_up(&world, &grant, device.wrong_code(world.now()));
    assert!(wrong.is_err());

    // The densest sign-ins there can be, one a step, each with a session and an attempt of its own.
    // The record is a function of what is alive, so after one session's life it stands for a
    // million of them.
    let mut largest = [0; 2];
    for sign_in in 0..200_u32 {
        world.time.advance(30);
        let session = world.challenge("alice");
        let attempt = AttemptKey::generate(&OsEntropy).unwrap();
        let respond = world.mfa.respond(&session, device.code(world.now()));
        let _ = respond
            .attempt(attempt)
            .run_blocking(&world.store, "alice")
            .unwrap();
        let size = world.row("alice").unwrap().record.len();
        let half = usize::from(sign_in >= 20);
        largest[half] = size.max(largest[half]);
    }
    assert!(largest[0] <= 1024, "{} bytes", largest[0]);
    assert!(largest[1] <= largest[0], "{largest:?}");
    assert!(largest[0] <= policy.max_record_bytes());
    assert_eq!(
        record::encode(&world.record("alice")).as_slice(),
        world.row("alice").unwrap().record.as_slice()
    );
}

#[test]
fn sessions_that_are_spent_are_remembered_only_while_they_would_live() {
    let world = World::standard();
    let device = world.enrol("alice");
    let empty = world.row("alice").unwrap().record.len();
    let bound = 64;
    for _ in 0..100 {
        world.time.advance(30);
        let session = world.challenge("alice");
        let _ = respond(&world, &session, device.code(world.now())).unwrap();
        let size = world.row("alice").unwrap().record.len();
        assert!(size <= empty + bound * 24, "{size} bytes");
    }
    world.time.advance(Duration::from_secs(3600).as_secs());
    let session = world.challenge("alice");
    let _ = respond(&world, &session, device.code(world.now())).unwrap();
    assert_eq!(world.row("alice").unwrap().record.len(), empty + 24);
}

#[test]
fn a_full_memory_of_spent_sessions_makes_the_next_success_wait_before_anything_is_judged() {
    let world = World::standard();
    let (device, grant) = world.enrolled("alice");
    let issue = world.mfa.issue_recovery_codes(&grant);
    let codes = issue.run_blocking(&world.store, "alice").unwrap();
    let passkey = || Factor::from(Vouched::factor(&["hwk", "user"]));
    let first_expires = world.challenge("alice").expires();
    for _ in 0..64 {
        let session = world.challenge("alice");
        let _ = respond(&world, &session, passkey()).unwrap();
    }
    world.time.advance(30);
    let session = world.challenge("alice");
    let before = revision(&world);
    let full = Rejection::Throttled {
        until: first_expires,
    };
    let recovery = codes.iter().next().unwrap().clone();
    for factor in [
        passkey(),
        device.code(world.now()).into(),
        device.wrong_code(world.now()).into(),
        recovery.into(),
    ] {
        assert_eq!(respond(&world, &session, factor).unwrap_err(), full);
    }
    assert_eq!(revision(&world), before, "not judged, not spent");
    let in_one = sign_in_with(&world, Some(device.code(world.now()).into()));
    assert!(in_one.is_ok(), "what has no session needs no room");
    world.time.set(first_expires.as_secs());
    let session = world.challenge("alice");
    assert!(respond(&world, &session, device.code(world.now())).is_ok());
}
