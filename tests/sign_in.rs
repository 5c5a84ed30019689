//! From the password to the evidence: challenges, sessions, preference, and what they cost.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use crate::world::{Device, World};
use softtoken::association::SessionFlaw;
use softtoken::{
    Administrator, BlockingStore, Challenge, Code, Context, EventKind, Evidence, Import,
    MemoryStore, Method, Mfa, OsEntropy, Policy, Preference, Rejection, Requirement, Session,
    SessionKeys, Snapshot, Swap, Write, record,
};

fn required() -> World {
    let policy = Policy::builder().requirement(Requirement::Required);
    World::new(policy.build().unwrap())
}

fn respond(world: &World, session: &Session, code: Code) -> Result<Evidence, Rejection> {
    let respond = world.mfa.respond(session, code);
    let answer = respond.run_blocking(&world.store, "alice");
    answer.map_err(|error| error.rejection().unwrap())
}

/// What was wrong with the session of the last refusal.
fn flaw(world: &World) -> Option<SessionFlaw> {
    world.events().into_iter().find_map(|event| match event {
        EventKind::Refused { flaw, .. } => flaw,
        _ => None,
    })
}

#[test]
fn what_a_sign_in_asks_for_is_the_table_of_the_specification() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Asks {
        Nothing,
        Code,
        Setup,
    }
    use Asks::{Code, Nothing, Setup};
    // Columns: nothing verified, something pending, verified and enabled, verified and not enabled.
    let table = [
        (Requirement::Off, [Nothing, Nothing, Nothing, Nothing]),
        (Requirement::Optional, [Nothing, Nothing, Code, Nothing]),
        (Requirement::Required, [Setup, Setup, Code, Code]),
    ];
    for (requirement, row) in table {
        for (column, expected) in row.into_iter().enumerate() {
            let world = World::standard();
            match column {
                0 => {}
                1 => drop(world.associate("alice")),
                _ => {
                    world.enrol("alice");
                    let preference = [Preference::Enabled, Preference::Disabled][column - 2];
                    let prefer = world.mfa.prefer(Administrator, preference);
                    prefer.run_blocking(&world.store, "alice").unwrap();
                }
            }
            let policy = Policy::builder().requirement(requirement).build().unwrap();
            let mut asked = World::new(policy);
            asked.store = world.store;
            let before = asked.row("alice").map(|row| row.revision);
            let sign_in = asked.mfa.sign_in(Context::default());
            let asks = match sign_in.run_blocking(&asked.store, "alice").unwrap() {
                Challenge::NotRequired => Nothing,
                Challenge::SoftwareToken { .. } => Code,
                Challenge::Setup { .. } => Setup,
            };
            assert_eq!(asks, expected, "{requirement:?}, column {column}");
            assert_eq!(asked.row("alice").map(|row| row.revision), before);
        }
    }
}

#[test]
fn a_challenge_is_answered_by_a_code_and_gives_evidence_in_its_context() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    let context = Context::new("pool-1/web").unwrap();
    let sign_in = world.mfa.sign_in(context.clone());
    let Challenge::SoftwareToken { session, .. } =
        sign_in.run_blocking(&world.store, "alice").unwrap()
    else {
        panic!("a verified token is asked for");
    };
    let claims = world.mfa.claims_of(&session).unwrap();
    assert_eq!(claims.subject(), "alice");
    assert_eq!(claims.context(), &context);

    let expecting = session.expecting(&context);
    let evidence = respond(&world, &expecting, device.code(world.now())).unwrap();
    assert_eq!(evidence.context(), &context);
    assert_eq!(evidence.amr(), ["otp", "mfa"]);
    assert_eq!(evidence.method(), Method::SoftwareToken);
}

#[test]
fn the_challenge_names_the_device() {
    let world = World::standard();
    let issued = world.associate("alice");
    let code = Device::of(&issued).code(world.now());
    let verify = world.mfa.verify(world.password(), code).named("phone");
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    let sign_in = world.mfa.sign_in(Context::default());
    let challenge = sign_in.run_blocking(&world.store, "alice").unwrap();
    let Challenge::SoftwareToken { device_name, .. } = challenge else {
        panic!("a verified token is asked for");
    };
    assert_eq!(device_name.as_deref(), Some("phone"));
}

#[test]
fn a_required_pool_leads_from_the_password_through_set_up_to_evidence() {
    let world = required();
    let context = Context::new("client-7").unwrap();
    let sign_in = world.mfa.sign_in(context.clone());
    let Challenge::Setup { session } = sign_in.run_blocking(&world.store, "alice").unwrap() else {
        panic!("a required pool asks to set up");
    };
    let associate = world.mfa.associate(&session);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = world.mfa.verify(issued.session().unwrap(), code);
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(enrolled.evidence().context(), &context);

    world.time.advance(60);
    let finish = world.mfa.finish_setup(enrolled.session().unwrap());
    let evidence = finish.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(evidence.context(), &context);
    assert_eq!(evidence.amr(), ["otp", "mfa"]);
    assert_eq!(evidence.step(), enrolled.evidence().step());
    assert_eq!(
        evidence.at(),
        enrolled.evidence().at(),
        "when it was proven"
    );
}

#[test]
fn whoever_stops_after_verify_is_enrolled_and_challenged() {
    let world = required();
    let session = world.setup("alice");
    let associate = world.mfa.associate(&session);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
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
    world.time.go_back(1);
    assert!(respond(&world, &session, device.code(world.now())).is_ok());
}

#[test]
fn whatever_is_wrong_with_a_session_is_refused_alike_and_told_apart_by_the_event() {
    let world = required();
    let elsewhere = Context::new("elsewhere").unwrap();
    let code = Code::parse("123456").unwrap();
    let setup = world.setup("alice");
    let bobs = world.setup("bob");
    let associate = world.mfa.associate(&setup);
    let replaced = associate.run_blocking(&world.store, "alice").unwrap();
    let associate = world.mfa.associate(&setup);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();

    let refused = |session: &Session, flawed: SessionFlaw| {
        world.events();
        let verify = world.mfa.verify(session, code.clone());
        let refused = verify.run_blocking(&world.store, "alice").unwrap_err();
        assert_eq!(refused.rejection(), Some(Rejection::InvalidSession));
        assert_eq!(
            refused.to_string(),
            "Invalid session for the user, session is expired or invalid."
        );
        assert_eq!(flaw(&world), Some(flawed));
    };
    let session = issued.session().unwrap();
    let mut tampered = session.expose().to_owned();
    let first = if tampered.starts_with('a') { "b" } else { "a" };
    tampered.replace_range(..1, first);
    refused(&Session::from_text(&tampered), SessionFlaw::Forged);
    let truncated = &session.expose()[..session.expose().len() - 1];
    refused(&Session::from_text(truncated), SessionFlaw::Forged);
    refused(&Session::from_text(""), SessionFlaw::Forged);
    let upper = session.expose().to_uppercase();
    refused(&Session::from_text(&upper), SessionFlaw::Forged);
    refused(&bobs, SessionFlaw::OtherSubject);
    refused(
        &session.clone().expecting(&elsewhere),
        SessionFlaw::OtherContext,
    );
    refused(&setup, SessionFlaw::OtherPurpose);
    refused(replaced.session().unwrap(), SessionFlaw::OtherPending);

    let reset = world.mfa.reset(Administrator);
    reset.run_blocking(&world.store, "alice").unwrap();
    refused(session, SessionFlaw::OtherGeneration);
}

#[test]
fn no_session_stands_in_for_a_grant() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(30);
    let session = world.challenge("alice");
    let invalid = Some(Rejection::InvalidSession);
    let prefer = world.mfa.prefer(&session, Preference::Disabled);
    let refused = prefer.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), invalid);
    let disassociate = world.mfa.disassociate(&session);
    let refused = disassociate
        .run_blocking(&world.store, "alice")
        .unwrap_err();
    assert_eq!(refused.rejection(), invalid);
    let codes = world.mfa.issue_recovery_codes(&session);
    let refused = codes.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), invalid);
    assert_eq!(flaw(&world), Some(SessionFlaw::OtherPurpose));
    let forged = Session::from_text("forged");
    let codes = world.mfa.issue_recovery_codes(&forged);
    let refused = codes.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), invalid);
    assert_eq!(flaw(&world), Some(SessionFlaw::Forged));
    let associate = world.mfa.associate(&session);
    let refused = associate.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), invalid);
    assert!(respond(&world, &session, device.code(world.now())).is_ok());
}

#[test]
fn keys_rotate_without_ending_the_flows_that_are_under_way() {
    let world = World::standard();
    world.enrol("alice");
    let session = world.challenge("alice");
    let mut keys = SessionKeys::from_bytes(1, &[7; 32]);
    keys.rotate(2, &[8; 32]);
    assert!(keys.open(&session).is_some());

    let other = Mfa::new(Policy::STANDARD, || None, OsEntropy).sessions(keys.clone());
    assert!(other.claims_of(&session).is_ok());
    keys.retire(2);
    assert!(keys.open(&session).is_some(), "the key that signs stays");
    keys.retire(1);
    assert!(keys.open(&session).is_none());
    keys.rotate(1, &[6; 32]);
    assert!(keys.open(&session).is_none(), "another key with this id");
}

#[test]
fn a_key_that_only_opens_does_not_sign() {
    let world = World::standard();
    world.enrol("alice");
    let session = world.challenge("alice");
    let mut keys = SessionKeys::from_bytes(9, &[9; 32]);
    keys.also_open(1, &[8; 32]);
    assert!(keys.open(&session).is_none());
    keys.also_open(1, &[7; 32]);
    assert!(keys.open(&session).is_some());

    let now = world.now();
    let mfa = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy).sessions(keys);
    let sign_in = mfa.sign_in(Context::default());
    let Challenge::SoftwareToken { session, .. } =
        sign_in.run_blocking(&world.store, "alice").unwrap()
    else {
        panic!("a verified token is asked for");
    };
    assert!(
        SessionKeys::from_bytes(9, &[9; 32])
            .open(&session)
            .is_some()
    );
}

#[test]
fn a_session_key_signs_with_the_newest() {
    let mut keys = SessionKeys::from_bytes(1, &[7; 32]);
    keys.rotate(2, &[8; 32]);
    let world = World::standard();
    world.enrol("alice");
    let now = world.now();
    let mfa = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy).sessions(keys);
    let challenge = mfa.sign_in(Context::default());
    let Challenge::SoftwareToken { session, .. } =
        challenge.run_blocking(&world.store, "alice").unwrap()
    else {
        panic!("a verified token is asked for");
    };
    assert!(
        SessionKeys::from_bytes(2, &[8; 32])
            .open(&session)
            .is_some()
    );
    assert!(
        SessionKeys::from_bytes(1, &[7; 32])
            .open(&session)
            .is_none()
    );
}

#[test]
fn the_preference_is_the_users_within_what_the_pool_requires() {
    let world = World::standard();
    let prefer = |preference| {
        let prefer = world.mfa.prefer(world.second_factor(), preference);
        let answer = prefer.run_blocking(&world.store, "alice");
        answer.map_err(|error| error.rejection().unwrap())
    };
    assert_eq!(
        prefer(Preference::Enabled),
        Err(Rejection::NotAssociated),
        "nothing is verified"
    );
    world.enrol("alice");
    world.events();
    assert_eq!(prefer(Preference::Preferred), Ok(()));
    assert_eq!(
        world.events(),
        [EventKind::PreferenceChanged {
            enabled: true,
            preferred: true
        }]
    );
    assert_eq!(prefer(Preference::Disabled), Ok(()));
    world.events();
    assert_eq!(prefer(Preference::Disabled), Ok(()), "it is off already");
    assert_eq!(world.events(), [], "and nothing changes");
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
fn turning_a_token_on_takes_no_second_factor() {
    let world = World::new(Policy::COGNITO);
    world.enrol("alice");
    for preference in [Preference::Enabled, Preference::Preferred] {
        let prefer = world.mfa.prefer(world.password(), preference);
        prefer.run_blocking(&world.store, "alice").unwrap();
    }
}

#[test]
fn a_required_pool_lets_nobody_turn_the_token_off() {
    let world = required();
    world.enrol("alice");
    let prefer = world
        .mfa
        .prefer(world.second_factor(), Preference::Disabled);
    let refused = prefer.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(refused.rejection(), Some(Rejection::MfaRequired));

    let unpreferred = World::new(
        Policy::COGNITO
            .to_builder()
            .requirement(Requirement::Required)
            .build()
            .unwrap(),
    );
    unpreferred.enrol("alice");
    let off_already = unpreferred
        .mfa
        .prefer(unpreferred.second_factor(), Preference::Disabled);
    let refused = off_already.run_blocking(&unpreferred.store, "alice");
    assert_eq!(
        refused.unwrap_err().rejection(),
        Some(Rejection::MfaRequired)
    );
}

#[test]
fn an_imported_token_that_is_enabled_is_asked_for() {
    let world = World::standard();
    let secret = softtoken::totp::Secret::from_bytes(&[9; 20]).unwrap();
    let import = Import::proven(Administrator, secret, softtoken::totp::Totp::STANDARD);
    let import = world.mfa.import(import.enabled(true));
    import.run_blocking(&world.store, "alice").unwrap();
    world.challenge("alice");
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

    let associate = world.mfa.associate(world.password());
    let issued = associate.run_blocking(&store, "alice").unwrap();
    let device = Device::of(&issued);
    let code = device.code(world.now());
    let verify = world.mfa.verify(world.password(), code);
    let _ = verify.run_blocking(&store, "alice").unwrap();
    assert_eq!(store.taken(), (2, 2), "enrolling");

    world.time.advance(30);
    let sign_in = world.mfa.sign_in(Context::default());
    let challenge = sign_in.run_blocking(&store, "alice").unwrap();
    assert_eq!(store.taken(), (1, 0), "the challenge");
    let Challenge::SoftwareToken { session, .. } = challenge else {
        panic!("a verified token is asked for");
    };
    assert!(world.mfa.claims_of(&session).is_ok());
    assert_eq!(store.taken(), (0, 0), "opening a session");
    let respond = world.mfa.respond(&session, device.code(world.now()));
    let _ = respond.run_blocking(&store, "alice").unwrap();
    assert_eq!(store.taken(), (1, 1), "the answer");

    let status = world.mfa.status();
    let _ = status.run_blocking(&store, "alice").unwrap();
    assert_eq!(store.taken(), (1, 0), "the status");
}

#[test]
fn the_record_of_somebody_with_everything_fits_a_kibibyte_and_stays_that_size() {
    let name = "a name of two and thirty bytes..";
    assert_eq!(name.len(), 32);
    let policy = Policy::builder().secret_bytes(64).build().unwrap();
    let world = World::new(policy);
    let grant = world.password().id("jti");
    let issued = world.mfa.associate(grant.clone());
    let issued = issued.run_blocking(&world.store, "alice").unwrap();
    let device = Device::of(&issued);
    let verify = world
        .mfa
        .verify(grant, device.code(world.now()))
        .named(name);
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    let issue = world.mfa.issue_recovery_codes(world.second_factor());
    let _ = issue.run_blocking(&world.store, "alice").unwrap();
    let replacement = world.mfa.associate(world.second_factor()).named(name);
    let _ = replacement.run_blocking(&world.store, "alice").unwrap();
    let wrong = world.mfa.authenticate(device.wrong_code(world.now()));
    assert!(wrong.run_blocking(&world.store, "alice").is_err());

    // The densest sign-ins there can be, one a step, each with a session and an attempt of its own. The record is a
    // function of what is alive, so after one session's life it stands for a million of them.
    let mut largest = [0; 2];
    for sign_in in 0..200_u32 {
        world.time.advance(30);
        let session = world.challenge("alice");
        let attempt = softtoken::AttemptKey::generate(&OsEntropy).unwrap();
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
