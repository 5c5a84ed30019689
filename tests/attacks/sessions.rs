//! Sessions that are not what they should be, and more of them than anybody needs.

use softtoken::association::SessionFlaw;
use softtoken::{
    Administrator, AttemptKey, Challenge, Code, Context, Error, EventKind, Evidence, Mfa,
    OsEntropy, Policy, RecoveryCode, Rejection, Requirement, Session, SessionKeys,
};

use super::{
    Answer, ROUNDS, THREADS, accepted, flaw, no, recovery_codes, replacement, respond, untouched,
    wrong,
};
use crate::crowd::together;
use crate::world::{Device, World};

const TOLD: &str = "Invalid session for the user, session is expired or invalid.";

/// Everything that takes a session, each with a code that is right.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Takes {
    Associate,
    Verify,
    FinishSetup,
    Respond,
    Recover,
    Resynchronise,
}

impl Takes {
    const ALL: [Self; 6] = [
        Self::Associate,
        Self::Verify,
        Self::FinishSetup,
        Self::Respond,
        Self::Recover,
        Self::Resynchronise,
    ];
}

/// Somebody whose codes and recovery codes are right, so that nothing but the session can be wrong.
struct User<'w> {
    world: &'w World,
    subject: &'w str,
    device: Device,
    recovery: RecoveryCode,
}

impl<'w> User<'w> {
    fn new(world: &'w World, subject: &'w str) -> Self {
        let device = world.enrol(subject);
        let recovery = recovery_codes(world, subject).remove(0);
        Self {
            world,
            subject,
            device,
            recovery,
        }
    }

    fn code(&self, steps: i64) -> Code {
        self.device.code_in(self.world.now(), steps)
    }

    fn presents(&self, session: &Session, to: Takes) -> Answer {
        let World { mfa, store, .. } = self.world;
        match to {
            Takes::Associate => {
                let associate = mfa.associate(session);
                associate.run_blocking(store, self.subject).map(drop)
            }
            Takes::Verify => {
                let verify = mfa.verify(session, self.code(0));
                verify.run_blocking(store, self.subject).map(drop)
            }
            Takes::FinishSetup => {
                let finish = mfa.finish_setup(session);
                finish.run_blocking(store, self.subject).map(drop)
            }
            Takes::Respond => {
                let respond = mfa.respond(session, self.code(0));
                respond.run_blocking(store, self.subject).map(drop)
            }
            Takes::Recover => {
                let recover = mfa.recover(self.recovery.clone()).within(session);
                recover.run_blocking(store, self.subject).map(drop)
            }
            Takes::Resynchronise => mfa
                .resynchronise(session, self.code(0), self.code(1))
                .run_blocking(store, self.subject),
        }
    }

    /// That it is refused without a trace, in the words in which every session is.
    #[track_caller]
    fn is_refused(&self, session: &Session, to: Takes, why: SessionFlaw) {
        let before = self.world.row(self.subject);
        self.world.events();
        let error = self.presents(session, to).expect_err("it must be refused");
        let alike = Error::from(Rejection::InvalidSession);
        assert_eq!(error, alike, "{to:?}");
        assert_eq!(error.to_string(), TOLD);
        assert_eq!(flaw(self.world), why, "{to:?}");
        assert_eq!(self.world.row(self.subject), before, "{to:?}");
    }
}

/// What a session of a challenge is good for.
const ANSWERS: [Takes; 3] = [Takes::Respond, Takes::Recover, Takes::Resynchronise];

/// A session of another user: refused alike.
#[test]
fn a_session_of_another_user_is_refused() {
    let world = World::standard();
    let [alice, bob] = ["alice", "bob"].map(|subject| User::new(&world, subject));
    world.time.advance(60);
    for to in ANSWERS {
        alice.is_refused(&world.challenge("bob"), to, SessionFlaw::OtherSubject);
        bob.is_refused(&world.challenge("alice"), to, SessionFlaw::OtherSubject);
    }
}

/// A session of another client: refused alike. The evidence names the client that the flow began at.
#[test]
fn a_session_of_another_client_is_refused() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    world.time.advance(60);
    let [web, phone] = ["web", "phone"].map(|client| Context::new(client).unwrap());
    let sign_in = world
        .mfa
        .sign_in(web.clone())
        .run_blocking(&world.store, "alice");
    let Challenge::SoftwareToken { session, .. } = sign_in.unwrap() else {
        panic!("no challenge for a code");
    };
    for to in ANSWERS {
        for expected in [&phone, &Context::default(), &Context::new("we").unwrap()] {
            let session = session.clone().expecting(expected);
            alice.is_refused(&session, to, SessionFlaw::OtherContext);
        }
    }
    let session = session.expecting(&web);
    let request = world.mfa.respond(&session, alice.code(0));
    let evidence = request.run_blocking(&world.store, "alice").unwrap();
    assert_eq!(evidence.context(), &web);
}

/// A session of another purpose: refused alike.
#[test]
fn a_session_of_another_purpose_is_refused() {
    let world = World::new(required());
    let setup = world.setup("alice");
    let associate = world.mfa.associate(&setup);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let pending = issued.session().unwrap().clone();
    let alice = User {
        world: &world,
        subject: "alice",
        device: Device::of(&issued),
        recovery: RecoveryCode::parse("0123-4567-89AB-CDEF").unwrap(),
    };
    let cross = |session: &Session, own: &[Takes]| {
        for to in Takes::ALL.into_iter().filter(|to| !own.contains(to)) {
            alice.is_refused(session, to, SessionFlaw::OtherPurpose);
        }
    };
    cross(&setup, &[Takes::Associate]);
    cross(&pending, &[Takes::Verify]);

    let verify = world.mfa.verify(&pending, alice.code(-1));
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    let done = enrolled.session().unwrap();
    let challenge = world.challenge("alice");
    // With what would be right now: a fresh code, a recovery code, a secret that waits.
    let recovery = recovery_codes(&world, "alice").remove(0);
    let alice = User { recovery, ..alice };
    let cross = |session: &Session, own: &[Takes]| {
        for to in Takes::ALL.into_iter().filter(|to| !own.contains(to)) {
            alice.is_refused(session, to, SessionFlaw::OtherPurpose);
        }
    };
    cross(&setup, &[Takes::Associate]);
    cross(&pending, &[Takes::Verify]);
    cross(done, &[Takes::FinishSetup]);
    cross(&challenge, &ANSWERS);

    alice.presents(done, Takes::FinishSetup).unwrap();
    alice.presents(&challenge, Takes::Respond).unwrap();
}

fn required() -> Policy {
    let policy = Policy::builder().requirement(Requirement::Required);
    policy.build().unwrap()
}

fn replace(world: &World, subject: &str) -> Device {
    let device = replacement(world, subject);
    let verify = world
        .mfa
        .verify(world.second_factor(), device.code(world.now()));
    let _ = verify.run_blocking(&world.store, subject).unwrap();
    device
}

/// A session of another generation: refused alike.
#[test]
fn a_session_of_another_generation_is_refused() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    world.time.advance(60);
    let session = world.challenge("alice");
    let device = replace(&world, "alice");
    world.time.advance(60);
    let recovery = recovery_codes(&world, "alice").remove(0);
    let alice = User {
        device,
        recovery,
        ..alice
    };
    for to in ANSWERS {
        alice.is_refused(&session, to, SessionFlaw::OtherGeneration);
    }

    let session = world.challenge("alice");
    let reset = world.mfa.reset(Administrator);
    reset.run_blocking(&world.store, "alice").unwrap();
    for to in ANSWERS {
        alice.is_refused(&session, to, SessionFlaw::OtherGeneration);
    }
    let again = User::new(&world, "alice");
    world.time.advance(60);
    for to in ANSWERS {
        again.is_refused(&session, to, SessionFlaw::OtherGeneration);
    }
}

/// A session that is spent: refused alike.
#[test]
fn a_session_is_spent_by_its_success_and_by_nothing_else() {
    for to in [Takes::Respond, Takes::Recover] {
        let world = World::standard();
        let alice = User::new(&world, "alice");
        let recovery = recovery_codes(&world, "alice");
        let session = world.challenge("alice");
        let guess = wrong(&[&alice.device], &world);
        assert_eq!(
            no(respond(&world, "alice", &session, guess)),
            Rejection::Mismatch
        );
        world.time.advance(60);
        let alice = User {
            recovery: recovery[0].clone(),
            ..alice
        };
        alice
            .presents(&session, to)
            .expect("a wrong code does not end it");

        world.time.advance(60);
        let alice = User {
            recovery: recovery[1].clone(),
            ..alice
        };
        for to in ANSWERS {
            alice.is_refused(&session, to, SessionFlaw::Spent);
        }
    }
}

/// A session that is spent: refused alike, in parallel as well, with another valid code.
#[test]
fn one_session_signs_in_once_with_two_valid_codes_in_parallel() {
    let world = World::standard();
    let device = world.enrol("alice");
    for _ in 0..ROUNDS {
        world.time.advance(120);
        let session = world.challenge("alice");
        let answers = together(THREADS, |thread| {
            let steps = i64::try_from(thread % 3).unwrap() - 1;
            respond(
                &world,
                "alice",
                &session,
                device.code_in(world.now(), steps),
            )
        });
        assert_eq!(accepted(&answers, &[Rejection::InvalidSession]), 1);
    }
}

/// A session that is expired: refused alike.
#[test]
fn a_session_is_refused_from_its_expiry_on() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    let session = world.challenge("alice");
    world.time.advance(180);
    for to in ANSWERS {
        alice.is_refused(&session, to, SessionFlaw::Expired);
    }
    world.time.advance(u64::MAX - world.now().as_secs());
    alice.is_refused(&session, Takes::Recover, SessionFlaw::Expired);
    world.time.set(crate::world::START + 179);
    alice.presents(&session, Takes::Respond).unwrap();
}

/// A session that is forged, or truncated: refused alike.
#[test]
fn a_session_with_anything_changed_is_refused() {
    // Each length of a subject leaves the text another number of unused bits.
    for subject in ["a", "al", "ali", "alic", "alice"] {
        let world = World::standard();
        let alice = User::new(&world, subject);
        world.time.advance(60);
        let session = world.challenge(subject);
        let genuine = session.expose();
        let refuse = |text: &str| {
            let forged = Session::from_text(text);
            assert_eq!(
                world.mfa.claims_of(&forged),
                Err(Rejection::InvalidSession.into())
            );
            alice.is_refused(&forged, Takes::Respond, SessionFlaw::Forged);
        };
        for length in 0..genuine.len() {
            refuse(&genuine[..length]);
        }
        for position in 0..genuine.len() {
            let (before, after) = genuine.split_at(position);
            let (letter, after) = after.split_at(1);
            for other in ["a", "b", "q", "7", "A"] {
                if other != letter {
                    refuse(&[before, other, after].concat());
                }
            }
            refuse(&[before, after].concat());
        }
        let last = genuine.len() - 1;
        for other in ('a'..='z').chain('2'..='7') {
            let forged = format!("{}{other}", &genuine[..last]);
            if forged != genuine {
                refuse(&forged);
            }
            refuse(&format!("{genuine}{other}"));
        }
        for forged in [
            genuine.to_uppercase(),
            format!(" {genuine}"),
            format!("{genuine}\n"),
            format!("{genuine}="),
            format!("{genuine}{genuine}"),
            "7".repeat(1_000_000),
            String::from("\u{0}"),
        ] {
            refuse(&forged);
        }
        alice.presents(&session, Takes::Respond).unwrap();
    }
}

/// A session that is forged: refused alike, whoever has another key, or a key that was retired.
#[test]
fn a_session_that_no_key_in_use_has_signed_is_refused() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    world.time.advance(60);
    let elsewhere = |keys: SessionKeys| {
        let clock = world.time.clone();
        Mfa::new(Policy::STANDARD, move || Some(clock.now()), OsEntropy).sessions(keys)
    };
    let mut retired = SessionKeys::from_bytes(1, &[7; 32]);
    retired.rotate(2, &[8; 32]);
    for keys in [
        SessionKeys::from_bytes(1, &[8; 32]),
        SessionKeys::from_bytes(2, &[7; 32]),
        SessionKeys::generate(1, &OsEntropy).unwrap(),
        retired,
    ] {
        let sign_in = elsewhere(keys)
            .sign_in(Context::default())
            .run_blocking(&world.store, "alice");
        let Challenge::SoftwareToken { session, .. } = sign_in.unwrap() else {
            panic!("no challenge for a code");
        };
        for to in ANSWERS {
            alice.is_refused(&session, to, SessionFlaw::Forged);
        }
    }
}

/// Sets a token up, as far as the session for `finish_setup`.
fn set_up(world: &World, subject: &str) -> (Device, Session) {
    let setup = world.setup(subject);
    let associate = world.mfa.associate(&setup);
    let issued = associate.run_blocking(&world.store, subject).unwrap();
    let device = Device::of(&issued);
    let code = device.code(world.now());
    let verify = world.mfa.verify(issued.session().unwrap(), code);
    let enrolled = verify.run_blocking(&world.store, subject).unwrap();
    (device, enrolled.session().unwrap().clone())
}

fn finish(world: &World, subject: &str, session: &Session) -> Answer<Evidence> {
    let finish = world.mfa.finish_setup(session);
    finish.run_blocking(&world.store, subject)
}

/// A `SetupDone` session after a reset: refused. Nor after anything else that ended what it stands for.
#[test]
fn a_finished_set_up_is_worth_nothing_after_a_reset() {
    for ended_by in ["reset", "reset and set up anew", "replaced"] {
        let world = World::new(required());
        let (_, session) = set_up(&world, "alice");
        if ended_by == "replaced" {
            let _ = replace(&world, "alice");
        } else {
            let reset = world.mfa.reset(Administrator);
            reset.run_blocking(&world.store, "alice").unwrap();
        }
        if ended_by == "reset and set up anew" {
            let _ = set_up(&world, "alice");
        }
        let attack = || finish(&world, "alice", &session);
        let refused = untouched(&world, "alice", attack);
        assert_eq!(refused, Rejection::InvalidSession, "{ended_by}");
        assert_eq!(flaw(&world), SessionFlaw::OtherGeneration, "{ended_by}");
    }
}

/// A session that is spent, `SetupDone`: refused alike.
#[test]
fn a_set_up_is_finished_once() {
    for _ in 0..ROUNDS {
        let world = World::new(required());
        let (_, session) = set_up(&world, "alice");
        let answers = together(THREADS, |_| finish(&world, "alice", &session));
        assert_eq!(accepted(&answers, &[Rejection::InvalidSession]), 1);
        world.time.advance(179);
        let again = || finish(&world, "alice", &session);
        assert_eq!(untouched(&world, "alice", again), Rejection::InvalidSession);
    }
}

/// A session that is spent, `SetupDone`: refused alike. An attempt at `verify` that was repeated gives another session, and
/// no second sign-in.
#[test]
fn a_set_up_that_was_verified_by_a_repeated_attempt_is_finished_once() {
    let world = World::new(required());
    let setup = world.setup("alice");
    let associate = world.mfa.associate(&setup);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    let key = AttemptKey::generate(&OsEntropy).unwrap();
    let sessions = [(); 2].map(|()| {
        let verify = world.mfa.verify(issued.session().unwrap(), code.clone());
        let enrolled = verify
            .attempt(key.clone())
            .run_blocking(&world.store, "alice");
        enrolled.unwrap().session().unwrap().clone()
    });
    let finished = sessions.map(|session| finish(&world, "alice", &session));
    assert_eq!(accepted(&finished, &[Rejection::InvalidSession]), 1);
}

/// A session of another user: refused alike. (SPEC 12: the event says which, and holds neither code nor session.)
#[test]
fn the_event_of_a_refused_session_names_neither_code_nor_session() {
    let world = World::standard();
    let [alice, _] = ["alice", "bob"].map(|subject| User::new(&world, subject));
    let session = world.challenge("bob");
    world.events();
    let _ = no(respond(&world, "alice", &session, alice.code(0)));
    let events = world.events();
    let refused = EventKind::Refused {
        rejection: Rejection::InvalidSession,
        flaw: Some(SessionFlaw::OtherSubject),
    };
    assert_eq!(events, [refused]);
    let told = format!("{events:?}");
    assert!(!told.contains(session.expose()) && !told.contains(alice.code(0).expose().as_str()));
}
