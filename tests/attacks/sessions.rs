//! Sessions that are not what they should be, and more of them than anybody needs.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use base32::Alphabet;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use softtoken::association::{AttemptKey, EventKind, SessionFlaw};
use softtoken::entropy::NoEntropy;
use softtoken::error::OpenError;
use softtoken::totp::Totp;
use softtoken::{
    Challenge, ChallengeSession, Code, Context, Error, Event, Evidence, Factor, Fault, Grant, Mfa,
    OsEntropy, Policy, RecoveryCode, Rejection, SessionKeys, UnixTime, Vouched,
};

use super::{
    Answer, ROUNDS, THREADS, Touch, accepted, flaw, no, recovery_codes, replacement, respond,
    step_up, untouched, wrong, wrong_recovery_code,
};
use crate::crowd::together;
use crate::world::{Device, START, World, admin, context};

/// The one message for every session that is not valid.
const TOLD: &str = "the session is not valid";

/// The key that signs the sessions of every world, and its id.
const KEY: (u32, [u8; 32]) = (1, [7; 32]);

/// Everything that takes a session, each with a factor that is right.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Takes {
    Associate,
    Verify,
    FinishSetup,
    Code,
    RecoveryCode,
    Vouched,
    Resynchronise,
}

impl Takes {
    const ALL: [Self; 7] = [
        Self::Associate,
        Self::Verify,
        Self::FinishSetup,
        Self::Code,
        Self::RecoveryCode,
        Self::Vouched,
        Self::Resynchronise,
    ];
}

/// Lists the answers that a session of a challenge is good for.
const ANSWERS: [Takes; 4] = [
    Takes::Code,
    Takes::RecoveryCode,
    Takes::Vouched,
    Takes::Resynchronise,
];

/// Somebody whose codes and recovery codes are right, so that nothing but the session can be wrong.
struct User<'w> {
    world: &'w World,
    mfa: Mfa,
    subject: &'w str,
    device: Device,
    recovery: RecoveryCode,
}

impl<'w> User<'w> {
    fn new(world: &'w World, subject: &'w str) -> Self {
        let (device, grant) = world.enrolled(subject);
        Self {
            world,
            mfa: world.mfa.clone(),
            subject,
            device,
            recovery: recovery_codes(world, &grant).remove(0),
        }
    }

    /// The same, at another view of the server.
    fn at(&self, mfa: Mfa) -> Self {
        Self {
            mfa,
            device: self.device.clone(),
            recovery: self.recovery.clone(),
            ..*self
        }
    }

    fn code(&self, steps: i64) -> Code {
        self.device.code_in(self.world.now(), steps)
    }

    fn responds(&self, session: &ChallengeSession, factor: impl Into<Factor>) -> Answer<Evidence> {
        let request = self.mfa.respond(session, factor);
        request.run_blocking(&self.world.store, self.subject)
    }

    fn presents(&self, session: &ChallengeSession, to: Takes) -> Answer {
        let (mfa, store) = (&self.mfa, &self.world.store);
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
            Takes::Code => self.responds(session, self.code(0)).map(drop),
            Takes::RecoveryCode => self.responds(session, self.recovery.clone()).map(drop),
            Takes::Vouched => self.responds(session, Vouched::factor(&["hwk"])).map(drop),
            Takes::Resynchronise => mfa
                .resynchronise(session, self.code(0), self.code(1))
                .run_blocking(store, self.subject),
        }
    }

    /// Asserts that this session is refused without a trace, in the words in which every session
    /// is.
    #[track_caller]
    fn is_refused(&self, session: &ChallengeSession, to: Takes, why: SessionFlaw) {
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

/// A session of another client: refused alike. The evidence names the client that the flow began
/// at.
#[test]
fn a_session_of_another_client_is_refused() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    world.time.advance(60);
    let web = world.mfa.with_context(context("web"));
    let session = challenge(&web, &world);
    for to in ANSWERS {
        for other in ["phone", "we", "web2", "world", "WEB"] {
            let alice = alice.at(world.mfa.with_context(context(other)));
            alice.is_refused(&session, to, SessionFlaw::OtherContext);
        }
    }
    let evidence = alice.at(web).responds(&session, alice.code(0)).unwrap();
    assert_eq!(evidence.context(), &context("web"));
}

/// A session of another client: refused alike, from the first call of a flow that sets a token up
/// to its last.
#[test]
fn a_flow_that_sets_a_token_up_ends_at_the_client_that_it_began_at() {
    let world = World::new(Policy::STANDARD.required());
    let phone = world.mfa.with_context(context("phone"));
    let setup = world.setup("alice");
    let issue = |mfa: &Mfa| mfa.associate(&setup).run_blocking(&world.store, "alice");
    assert_eq!(no(issue(&phone)), Rejection::InvalidSession);
    let issued = issue(&world.mfa).unwrap();

    let (device, pending) = (Device::of(&issued), issued.session().unwrap());
    let verify = |mfa: &Mfa| {
        let verify = mfa.verify(pending, device.code(world.now()));
        verify.run_blocking(&world.store, "alice")
    };
    assert_eq!(no(verify(&phone)), Rejection::InvalidSession);
    let enrolled = verify(&world.mfa).unwrap();

    let done = enrolled.session().unwrap();
    let finish = |mfa: &Mfa| mfa.finish_setup(done).run_blocking(&world.store, "alice");
    assert_eq!(no(finish(&phone)), Rejection::InvalidSession);
    assert_eq!(flaw(&world), SessionFlaw::OtherContext);
    assert_eq!(finish(&world.mfa).unwrap().context(), &context("world"));
}

/// Returns the session of a challenge for a code, of this view.
fn challenge(mfa: &Mfa, world: &World) -> ChallengeSession {
    match mfa.sign_in().run_blocking(&world.store, "alice").unwrap() {
        Challenge::SoftwareToken { session, .. } => session,
        other => panic!("no challenge for a code: {other:?}"),
    }
}

/// A session of another purpose: refused alike.
#[test]
fn a_session_of_another_purpose_is_refused() {
    let world = World::new(Policy::STANDARD.required());
    let setup = world.setup("alice");
    let associate = world.mfa.associate(&setup);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let pending = issued.session().unwrap().clone();
    let alice = User {
        world: &world,
        mfa: world.mfa.clone(),
        subject: "alice",
        device: Device::of(&issued),
        recovery: wrong_recovery_code(),
    };
    let cross = |alice: &User<'_>, session: &ChallengeSession, own: &[Takes]| {
        for to in Takes::ALL.into_iter().filter(|to| !own.contains(to)) {
            alice.is_refused(session, to, SessionFlaw::OtherPurpose);
        }
        authorises_nothing_else(&world, session);
    };
    cross(&alice, &setup, &[Takes::Associate]);
    cross(&alice, &pending, &[Takes::Verify]);

    let verify = world.mfa.verify(&pending, alice.code(-1));
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    let done = enrolled.session().unwrap();
    let challenge = world.challenge("alice");
    // With what would be right now: a fresh code, a recovery code, a secret that waits.
    let grant = Grant::from(enrolled.evidence());
    let recovery = recovery_codes(&world, &grant).remove(0);
    let _ = replacement(&world, &grant);
    let alice = User { recovery, ..alice };
    cross(&alice, &setup, &[Takes::Associate]);
    cross(&alice, &pending, &[Takes::Verify]);
    cross(&alice, done, &[Takes::FinishSetup]);
    cross(&alice, &challenge, &ANSWERS);

    alice.presents(done, Takes::FinishSetup).unwrap();
    alice.presents(&challenge, Takes::Code).unwrap();
}

/// Asserts that a session is no authority for what is done to a token outside of its flow.
#[track_caller]
fn authorises_nothing_else(world: &World, session: &ChallengeSession) {
    let code = wrong(&[], world);
    for touch in Touch::ALL {
        if let Touch::Associate | Touch::Verify = touch {
            continue;
        }
        let attack = || touch.by(session, world, "alice", code.clone());
        let refused = untouched(world, "alice", attack);
        assert_eq!(refused, Rejection::InvalidSession, "{touch:?}");
        assert_eq!(flaw(world), SessionFlaw::OtherPurpose, "{touch:?}");
    }
}

fn replace(world: &World, grant: &Grant) -> (Device, Grant) {
    let device = replacement(world, grant);
    let verify = world.mfa.verify(grant, device.code(world.now()));
    let enrolled = verify.run_blocking(&world.store, grant.subject()).unwrap();
    (device, Grant::from(enrolled.evidence()))
}

fn reset(world: &World) {
    let reset = world.mfa.reset(&admin());
    reset.run_blocking(&world.store, "alice").unwrap();
}

/// A session of another generation: refused alike.
#[test]
fn a_session_of_another_generation_is_refused() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    world.time.advance(60);
    let session = world.challenge("alice");
    let grant = world.stepped_up("alice", &alice.device);
    let (device, grant) = replace(&world, &grant);
    world.time.advance(60);
    let recovery = recovery_codes(&world, &grant).remove(0);
    let alice = User {
        device,
        recovery,
        ..alice
    };
    for to in ANSWERS {
        alice.is_refused(&session, to, SessionFlaw::OtherGeneration);
    }

    let session = world.challenge("alice");
    reset(&world);
    for to in ANSWERS {
        alice.is_refused(&session, to, SessionFlaw::OtherGeneration);
    }
    let again = User::new(&world, "alice");
    world.time.advance(60);
    for to in ANSWERS {
        again.is_refused(&session, to, SessionFlaw::OtherGeneration);
    }
}

/// A session of another generation: refused alike, where a token was added or removed beside the
/// one that it asks for.
#[test]
fn a_session_from_before_a_token_was_added_or_removed_is_refused() {
    let policy = Policy::builder().max_tokens(2).build().unwrap();
    let world = World::new(policy);
    let alice = User::new(&world, "alice");
    world.time.advance(60);
    let session = world.challenge("alice");
    let grant = world.stepped_up("alice", &alice.device);
    let _ = replace(&world, &grant);
    world.time.advance(60);
    for to in ANSWERS {
        alice.is_refused(&session, to, SessionFlaw::OtherGeneration);
    }
    let session = world.challenge("alice");
    let status = world.mfa.status().run_blocking(&world.store, "alice");
    let added = status.unwrap().tokens[1].id;
    let remove = world.mfa.remove(&grant, added);
    remove.run_blocking(&world.store, "alice").unwrap();
    for to in ANSWERS {
        alice.is_refused(&session, to, SessionFlaw::OtherGeneration);
    }
    alice
        .presents(&world.challenge("alice"), Takes::Code)
        .unwrap();
}

/// A session of another generation: refused alike, be it a later one, as after a row was put back.
#[test]
fn a_session_of_a_later_generation_is_refused() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    world.time.advance(60);
    let of_generation = |generation| {
        let says = Says {
            generation,
            ..Says::challenge(&world)
        };
        world.mfa.open(&says.signed()).unwrap()
    };
    for generation in [0, 2, 3, 1 << 32, u64::MAX] {
        let session = of_generation(generation);
        for to in ANSWERS {
            alice.is_refused(&session, to, SessionFlaw::OtherGeneration);
        }
    }
    alice
        .presents(&of_generation(1), Takes::Code)
        .expect("it is that which makes the difference");
}

/// A session that is spent: refused alike.
#[test]
fn a_session_is_spent_by_its_success_and_by_nothing_else() {
    for to in [Takes::Code, Takes::RecoveryCode, Takes::Vouched] {
        let world = World::standard();
        let (device, grant) = world.enrolled("alice");
        let recovery = recovery_codes(&world, &grant);
        let alice = User {
            world: &world,
            mfa: world.mfa.clone(),
            subject: "alice",
            device,
            recovery: recovery[0].clone(),
        };
        let session = world.challenge("alice");
        let guess = wrong(&[&alice.device], &world);
        let wrong_vouched = Vouched::recovery_code(false);
        for wrong in [
            Factor::from(guess),
            wrong_recovery_code().into(),
            wrong_vouched.into(),
        ] {
            assert_eq!(no(alice.responds(&session, wrong)), Rejection::Mismatch);
        }
        world.time.advance(60);
        alice
            .presents(&session, Takes::Resynchronise)
            .expect("a wrong code does not end it");
        world.time.advance(60);
        alice
            .presents(&session, to)
            .expect("nor does a resynchronisation");

        world.time.advance(59);
        let recovery = recovery[1].clone();
        let alice = User { recovery, ..alice };
        for to in ANSWERS {
            alice.is_refused(&session, to, SessionFlaw::Spent);
        }
    }
}

/// A session that is spent: refused alike, up to its last second, whatever is spent meanwhile.
#[test]
fn a_spent_session_is_remembered_up_to_its_last_second() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    let session = world.challenge("alice");
    alice.presents(&session, Takes::Vouched).unwrap();
    for seconds in [0, 1, 59, 118, 1] {
        world.time.advance(seconds);
        let other = world.challenge("alice");
        alice.presents(&other, Takes::Vouched).unwrap();
        for to in ANSWERS {
            alice.is_refused(&session, to, SessionFlaw::Spent);
        }
    }
    world.time.advance(1);
    alice.is_refused(&session, Takes::Vouched, SessionFlaw::Expired);
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
            let code = device.code_in(world.now(), steps);
            respond(&world, "alice", &session, code)
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
    assert_eq!(session.expires(), UnixTime::from_secs(START + 180));
    world.time.advance(180);
    for to in ANSWERS {
        alice.is_refused(&session, to, SessionFlaw::Expired);
    }
    world.time.advance(u64::MAX - world.now().as_secs());
    alice.is_refused(&session, Takes::Vouched, SessionFlaw::Expired);
    world.time.set(START + 179);
    alice.presents(&session, Takes::Code).unwrap();
}

/// A session that is expired: refused alike. Each purpose has its own time, which is not begun
/// anew.
#[test]
fn the_sessions_of_a_set_up_end_when_they_say_and_keep_the_first_factors_time() {
    let world = World::new(Policy::STANDARD.required());
    let began = world.now();
    let after = |seconds| began.saturating_add(Duration::from_secs(seconds));
    let setup = world.setup("alice");
    assert_eq!(setup.expires(), after(180));

    world.time.advance(179);
    let associate = world.mfa.associate(&setup);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let pending = issued.session().unwrap();
    assert_eq!(pending.expires(), issued.expires());
    assert_eq!(pending.expires(), after(179 + 600));
    world.time.advance(1);
    let late = world.mfa.associate(&setup);
    let late = || late.run_blocking(&world.store, "alice");
    assert_eq!(untouched(&world, "alice", late), Rejection::InvalidSession);
    assert_eq!(flaw(&world), SessionFlaw::Expired);

    let device = Device::of(&issued);
    let verify = || {
        let verify = world.mfa.verify(pending, device.code(world.now()));
        verify.run_blocking(&world.store, "alice")
    };
    world.time.set(START + 179 + 600);
    assert_eq!(
        untouched(&world, "alice", verify),
        Rejection::InvalidSession
    );
    assert_eq!(flaw(&world), SessionFlaw::Expired);
    world.time.set(START + 179 + 599);
    let enrolled = verify().unwrap();
    let done = enrolled.session().unwrap();
    assert_eq!(done.expires(), after(179 + 599 + 180));

    world.time.advance(179);
    let evidence = finish(&world, "alice", done).unwrap();
    assert_eq!(evidence.first_factor_at(), Some(began));
    for session in [&setup, pending, done] {
        assert_eq!(session.first_factor_at(), began);
    }
}

/// Rule C6: a session carries the time of the first factor, which its answer does not make younger.
#[test]
fn the_answer_to_a_challenge_keeps_the_first_factors_time() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    let began = world.now();
    let sessions = [(); 3].map(|()| world.challenge("alice"));
    world.time.advance(60);
    let factors = [
        Factor::from(alice.code(0)),
        alice.recovery.clone().into(),
        Vouched::factor(&["hwk"]).into(),
    ];
    for (session, factor) in sessions.iter().zip(factors) {
        let evidence = alice.responds(session, factor).unwrap();
        assert_eq!(evidence.first_factor_at(), Some(began));
        assert_eq!(evidence.at(), world.now());
        assert_eq!(Grant::from(&evidence).first_factor_at(), began);
    }
}

/// Holds what the text of a session says, put together by hand.
struct Says {
    version: u8,
    key: u32,
    kind: u8,
    generation: u64,
    expires: u64,
    nonce: [u8; 16],
    first_factor: u64,
    carried: Vec<u8>,
    context: Vec<u8>,
    subject: Vec<u8>,
}

impl Says {
    /// Says a challenge for a code of Alice's, just now, once she has enrolled.
    fn challenge(world: &World) -> Self {
        Self {
            version: 1,
            key: KEY.0,
            kind: 4,
            generation: 1,
            expires: world.now().as_secs() + 180,
            nonce: [0xa5; 16],
            first_factor: world.now().as_secs(),
            carried: Vec::new(),
            context: b"world".to_vec(),
            subject: b"alice".to_vec(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let length = u8::try_from(self.context.len()).unwrap();
        [
            &[self.version][..],
            &self.key.to_be_bytes(),
            &[self.kind],
            &self.generation.to_be_bytes(),
            &self.expires.to_be_bytes(),
            &self.nonce,
            &self.first_factor.to_be_bytes(),
            &self.carried,
            &[length],
            &self.context,
            &self.subject,
        ]
        .concat()
    }

    fn signed(&self) -> String {
        signed(&KEY.1, SESSION, &self.bytes())
    }
}

/// Names the purpose of the signature of a session.
pub(super) const SESSION: &[u8] = b"softtoken session";

const ALPHABET: Alphabet = Alphabet::Rfc4648Lower { padding: false };

/// Returns the text that says this, signed with this key for this purpose.
pub(super) fn signed(key: &[u8; 32], purpose: &[u8], bytes: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(purpose);
    mac.update(bytes);
    text_of(&[bytes, &mac.finalize().into_bytes()].concat())
}

pub(super) fn text_of(bytes: &[u8]) -> String {
    base32::encode(ALPHABET, bytes)
}

pub(super) fn bytes_of(text: &str) -> Vec<u8> {
    base32::decode(ALPHABET, text).unwrap()
}

/// Returns this text with one thing changed, in every way there is: each bit, each length, other
/// spellings.
pub(super) fn forgeries(genuine: &str) -> Vec<String> {
    let bytes = bytes_of(genuine);
    let flipped = (0..bytes.len() * 8).map(|bit| {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        text_of(&bytes)
    });
    let cut = (0..bytes.len()).map(|length| text_of(&bytes[..length]));
    let mut forged: Vec<_> = flipped.chain(cut).collect();
    forged.push(text_of(&[&bytes[..], &[0]].concat()));

    for position in 0..genuine.len() {
        let (before, after) = genuine.split_at(position);
        forged.push(before.into());
        let (letter, after) = after.split_at(1);
        forged.push([before, after].concat());
        for other in ["a", "b", "q", "7", "A", "0", "-", " "] {
            if other != letter {
                forged.push([before, other, after].concat());
            }
        }
    }
    // The last character has bits that say nothing.
    let last = genuine.len() - 1;
    for other in ('a'..='z').chain('2'..='7') {
        forged.push(format!("{}{other}", &genuine[..last]));
        forged.push(format!("{genuine}{other}"));
    }
    forged.retain(|text| text != genuine);
    forged.extend([
        genuine.to_uppercase(),
        format!(" {genuine}"),
        format!("{genuine}\n"),
        format!("{genuine}="),
        format!("{genuine}{genuine}"),
        "7".repeat(1_000_000),
        String::from("\u{0}"),
        String::from("ﬃ"),
    ]);
    forged
}

/// Keeps the events of a view, each with its subject.
type Log = Arc<Mutex<Vec<(String, Event)>>>;

/// Returns the same view, with an audit that keeps the subject of each event as well.
fn overheard(mfa: &Mfa) -> (Mfa, Log) {
    let log = Log::default();
    let told = Arc::clone(&log);
    let mfa = mfa.with_audit(move |subject, event| {
        told.lock().unwrap().push((subject.into(), event.clone()));
    });
    (mfa, log)
}

/// Asserts that this text is refused as forged, and that the event names no subject: nobody has
/// signed it.
#[track_caller]
fn is_forged(mfa: &Mfa, log: &Log, text: &str) {
    assert_eq!(mfa.open(text).err(), Some(OpenError::Invalid), "{text}");
    let told = core::mem::take(&mut *log.lock().unwrap());
    let [(subject, event)] = told.as_slice() else {
        panic!("{told:?}");
    };
    let flaw = Some(SessionFlaw::Forged);
    let rejection = Rejection::InvalidSession;
    assert_eq!(subject, "");
    assert_eq!(event.kind, EventKind::Refused { rejection, flaw });
    assert_eq!((event.operation, event.actor.name()), ("open", "session"));
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
        let (mfa, log) = overheard(&world.mfa);
        for text in forgeries(session.expose()) {
            is_forged(&mfa, &log, &text);
        }
        let opened = mfa.open(session.expose()).unwrap();
        assert_eq!(opened.subject(), subject);
        alice.presents(&opened, Takes::Code).unwrap();
    }
}

/// A session that is forged: refused alike, by one who knows how they are made, and has another
/// signature of the key.
#[test]
fn a_session_is_what_was_signed_whole_for_that_purpose_in_that_version() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    world.time.advance(60);
    let (mfa, log) = overheard(&world.mfa);
    let says = || Says::challenge(&world);
    let genuine = says().bytes();
    let sign = |bytes: &[u8]| signed(&KEY.1, SESSION, bytes);

    for version in [0, 2, 255] {
        let bytes = [&[version], &genuine[1..]].concat();
        is_forged(&mfa, &log, &sign(&bytes));
    }
    for purpose in [
        b"softtoken browser" as &[u8],
        b"softtoken attempt",
        b"softtoken recovery",
        b"softtoken sessio",
        b"",
    ] {
        is_forged(&mfa, &log, &signed(&KEY.1, purpose, &genuine));
    }
    // The signature of a part, be it all but the first byte or the last one.
    for part in [&genuine[1..], &genuine[5..], &genuine[..genuine.len() - 1]] {
        let signature = bytes_of(&sign(part))[part.len()..].to_vec();
        is_forged(&mfa, &log, &text_of(&[genuine.clone(), signature].concat()));
    }
    // Signed, and cut before it has said everything.
    for length in 0..genuine.len() - says().subject.len() {
        is_forged(&mfa, &log, &sign(&genuine[..length]));
    }
    for nonsense in [
        Says { kind: 0, ..says() },
        Says { kind: 5, ..says() },
        Says {
            kind: 255,
            ..says()
        },
        Says { key: 2, ..says() },
        Says {
            context: Vec::new(),
            ..says()
        },
        Says {
            context: vec![b'c'; 129],
            ..says()
        },
        Says {
            subject: vec![b'a', 0xff],
            ..says()
        },
    ] {
        is_forged(&mfa, &log, &nonsense.signed());
    }

    let by_hand = mfa.open(&says().signed()).unwrap();
    alice
        .presents(&by_hand, Takes::Code)
        .expect("what is made by hand is a session");
}

/// A session that is forged, by one who has a session key: it is dated anew, and the proof behind
/// it is not.
#[test]
fn a_session_key_finishes_no_set_up_of_another_time() {
    const YEAR: u64 = 365 * 24 * 60 * 60;
    let clocks = [
        // How far the clock is ahead until somebody mends it, how much later it is, and the answer.
        (0, 179, true),
        (0, 180, false),
        (0, YEAR, false),
        (60, 0, true),
        (61, 0, false),
        (10 * YEAR, 0, false),
    ];
    for (ahead, age, is_finished) in clocks {
        let world = World::new(Policy::STANDARD.required());
        world.time.advance(ahead);
        // The evidence of `verify` has signed Alice in: nothing else finishes her set-up.
        let (_, session) = set_up(&world, "alice");
        world.time.go_back(ahead);
        world.time.advance(age);
        let mut says = bytes_of(session.expose());
        says.truncate(says.len() - 32);
        says[14..22].copy_from_slice(&(world.now().as_secs() + 180).to_be_bytes());
        says[38..46].copy_from_slice(&world.now().as_secs().to_be_bytes());
        let forged = world.mfa.open(&signed(&KEY.1, SESSION, &says)).unwrap();
        let finish = || finish(&world, "alice", &forged);
        if is_finished {
            let _ = finish().expect("what is made by hand is a session");
        } else {
            assert_eq!(
                untouched(&world, "alice", finish),
                Rejection::InvalidSession
            );
            assert_eq!(flaw(&world), SessionFlaw::Expired, "{ahead} {age}");
        }
    }
}

/// Rule C10: what a session is made of, by keys, a nonce and a time that are known.
#[test]
fn the_texts_of_sessions_are_known() {
    let world = World::new(Policy::STANDARD.required());
    let clock = world.time.clone();
    let same = |bytes: &mut [u8]| -> Result<(), NoEntropy> {
        bytes.fill(0xa5);
        Ok(())
    };
    let mfa = Mfa::new(*world.mfa.policy(), move || Some(clock.now()), same);
    let keys = SessionKeys::from_bytes(KEY.0, &KEY.1);
    let mfa = mfa.with_sessions(keys, context("world"));
    let says = || Says::challenge(&world);
    let id = vec![0xa5; 16];

    let sign_in = mfa.sign_in().run_blocking(&world.store, "alice");
    let Challenge::Setup { session, .. } = sign_in.unwrap() else {
        panic!("no challenge to set up");
    };
    assert_eq!(
        session.expose(),
        "aeaaaaabaeaaaaaaaaaaaaaaaaaaazkt6hg2ljnfuws2ljnfuws2ljnfuws2kaaaaaagku7rdecxo33snrsgc3djm\
         nsumbaqhnn3rqyfsq5xg3xtn7k4zhlgpuyn3mb3bpt2hevd24t2i6y"
    );
    let by_hand = Says {
        kind: 1,
        generation: 0,
        ..says()
    };
    assert_eq!(session.expose(), by_hand.signed());

    let associate = mfa.associate(&session);
    let issued = associate.run_blocking(&world.store, "alice").unwrap();
    let pending = issued.session().unwrap();
    assert_eq!(
        pending.expose(),
        "aeaaaaabaiaaaaaaaaaaaaaaaaaaazkt6ny2ljnfuws2ljnfuws2ljnfuws2kaaaaaagku7rdgs2ljnfuws2ljnfu\
         ws2ljnfuwsqk53pojwgiylmnfrwljmf3bnqgvdvvh25kgkn5zkwbid7holwajjzdc3wdjdbuhpdrt7g"
    );
    let by_hand = Says {
        kind: 2,
        generation: 0,
        expires: issued.expires().as_secs(),
        carried: id.clone(),
        ..says()
    };
    assert_eq!(pending.expose(), by_hand.signed());

    let code = Device::of(&issued).code(world.now());
    let verify = mfa.verify(pending, code);
    let enrolled = verify.run_blocking(&world.store, "alice").unwrap();
    let done = enrolled.session().unwrap();
    assert_eq!(
        done.expose(),
        "aeaaaaabamaaaaaaaaaaaaiaaaaaazkt6hg2ljnfuws2ljnfuws2ljnfuws2kaaaaaagku7rdgs2ljnfuws2ljnfu\
         ws2ljnfuwsqaaaaaabwbkrlav3w64tmmrqwy2ldmuijh73xvfzrx4qirqbiw6inmwarwbxaterig6xrnndvt3mspix\
         wg"
    );
    let step = Totp::STANDARD.step(world.now()).get().to_be_bytes();
    let by_hand = Says {
        kind: 3,
        carried: [&id[..], &step].concat(),
        ..says()
    };
    assert_eq!(done.expose(), by_hand.signed());

    let session = challenge(&mfa, &world);
    assert_eq!(
        session.expose(),
        "aeaaaaabaqaaaaaaaaaaaaiaaaaaazkt6hg2ljnfuws2ljnfuws2ljnfuws2kaaaaaagku7rdecxo33snrsgc3djm\
         nsxac4tzybw7m4go4exooycwzjyc5grbaox7d7szgem5qfhpa5bs3i"
    );
    assert_eq!(session.expose(), says().signed());
}

/// Rule C10: the longest that are made are taken back.
#[test]
fn the_longest_sessions_there_are_open() {
    let world = World::new(Policy::STANDARD.required());
    let [subject, text] = [256, 128].map(|length| "x".repeat(length));
    let mfa = world.mfa.with_context(context(&text));
    let setup = mfa.sign_in().run_blocking(&world.store, &subject);
    let Challenge::Setup { session, .. } = setup.unwrap() else {
        panic!("no challenge to set up");
    };
    let opened = |session: &ChallengeSession| {
        assert!(session.expose().len() <= ChallengeSession::MAX_LEN);
        let opened = mfa.open(session.expose()).unwrap();
        assert_eq!(opened.subject(), subject);
        assert_eq!(opened.context(), &context(&text));
        opened
    };
    let associate = mfa.associate(&opened(&session));
    let issued = associate.run_blocking(&world.store, &subject).unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = mfa.verify(&opened(issued.session().unwrap()), code);
    let enrolled = verify.run_blocking(&world.store, &subject).unwrap();
    let finish = mfa.finish_setup(&opened(enrolled.session().unwrap()));
    let _ = finish.run_blocking(&world.store, &subject).unwrap();
}

/// Returns another server over the same store and by the same clock, with these keys.
fn elsewhere(world: &World, keys: SessionKeys) -> Mfa {
    let clock = world.time.clone();
    Mfa::new(Policy::STANDARD, move || Some(clock.now()), OsEntropy)
        .with_sessions(keys, context("world"))
}

/// A session that is forged: refused alike, made with another key, or with a key that was retired.
/// That it was opened elsewhere is worth nothing here.
#[test]
fn a_session_that_no_key_in_use_has_signed_is_refused() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    world.time.advance(60);
    let (mfa, log) = overheard(&world.mfa);
    let mut rotated = SessionKeys::from_bytes(KEY.0, &KEY.1);
    rotated.rotate(2, &[8; 32]);
    for keys in [
        SessionKeys::from_bytes(1, &[8; 32]),
        SessionKeys::from_bytes(2, &KEY.1),
        SessionKeys::generate(1, &OsEntropy).unwrap(),
        rotated,
    ] {
        let elsewhere = elsewhere(&world, keys);
        let session = challenge(&elsewhere, &world);
        is_forged(&mfa, &log, session.expose());
        let opened = elsewhere.open(session.expose()).unwrap();
        for to in ANSWERS {
            alice.is_refused(&session, to, SessionFlaw::Forged);
            alice.is_refused(&opened, to, SessionFlaw::Forged);
        }
    }
}

/// A session that is forged: refused alike, from the moment on at which the key that signed it is
/// retired.
#[test]
fn a_session_is_taken_while_its_key_is_in_use() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    let mut keys = SessionKeys::from_bytes(KEY.0, &KEY.1);
    keys.also_open(2, &[8; 32]);
    keys.rotate(2, &[8; 32]);
    let session = world.challenge("alice");
    let rotated = elsewhere(&world, keys.clone());
    let opened = rotated.open(session.expose()).unwrap();
    keys.retire(KEY.0);
    let retired = elsewhere(&world, keys);
    let invalid = Some(OpenError::Invalid);
    assert_eq!(retired.open(session.expose()).err(), invalid);
    let refused = no(alice.at(retired).presents(&opened, Takes::Vouched));
    assert_eq!(refused, Rejection::InvalidSession);
    alice.at(rotated).presents(&opened, Takes::Vouched).unwrap();
}

/// Rule C9: `open` checks signature and expiry, reads no store, and tells subject and context;
/// which of the two is wrong, only the event says.
#[test]
fn opening_a_session_tells_whose_it_is_and_not_why_it_is_none() {
    let world = World::standard();
    let alice = User::new(&world, "alice");
    let session = world.challenge("alice");
    let (mfa, log) = overheard(&world.mfa.with_context(context("phone")));
    let text = session.expose();

    let opened = mfa.open(text).expect("of whatever context it is");
    assert_eq!((opened.subject(), opened.expose()), ("alice", text));
    assert_eq!(opened.context(), &context("world"));
    assert_eq!(opened.expires(), session.expires());
    assert!(log.lock().unwrap().is_empty());
    let phone = alice.at(mfa.clone());
    assert_eq!(
        no(phone.presents(&opened, Takes::Code)),
        Rejection::InvalidSession
    );
    reset(&world);
    assert!(mfa.open(text).is_ok(), "no store is asked");

    world.time.set(START + 180);
    log.lock().unwrap().clear();
    let expired = mfa.open(text).unwrap_err();
    {
        let told = log.lock().unwrap();
        let [(subject, event)] = told.as_slice() else {
            panic!("{told:?}");
        };
        let flaw = Some(SessionFlaw::Expired);
        let rejection = Rejection::InvalidSession;
        assert_eq!(subject, "alice");
        assert_eq!(event.kind, EventKind::Refused { rejection, flaw });
        assert!(!format!("{told:?}").contains(text));
    }
    let forged = mfa.open("a").unwrap_err();
    assert_eq!(expired, forged);
    let error: Error = forged.into();
    assert_eq!(error, Error::from(Rejection::InvalidSession));
    assert_eq!(error.to_string(), TOLD);

    let keyless = Mfa::new(Policy::STANDARD, || Some(UnixTime::from_secs(0)), OsEntropy);
    assert_eq!(keyless.open(text).err(), Some(OpenError::NoSessionKeys));
    let error: Error = OpenError::NoSessionKeys.into();
    assert_eq!(error, Error::Fault(Fault::NoSessionKeys));
    let keys = SessionKeys::from_bytes(KEY.0, &KEY.1);
    let timeless = Mfa::new(Policy::STANDARD, || None, OsEntropy);
    let timeless = timeless.with_sessions(keys, context("world"));
    assert_eq!(timeless.open(text).err(), Some(OpenError::NoTime));
}

/// Rule C11: there are no keys without a context.
#[test]
fn there_is_no_empty_context() {
    assert!(Context::new("").is_err());
    assert!(Context::new([0; 129]).is_err());
    assert_eq!(Context::new([0; 128]).unwrap().as_bytes(), [0; 128]);
}

/// Sets a token up, as far as the session for `finish_setup`.
pub(super) fn set_up(world: &World, subject: &str) -> (Grant, ChallengeSession) {
    let setup = world.setup(subject);
    let associate = world.mfa.associate(&setup);
    let issued = associate.run_blocking(&world.store, subject).unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = world.mfa.verify(issued.session().unwrap(), code);
    let enrolled = verify.run_blocking(&world.store, subject).unwrap();
    let grant = Grant::from(enrolled.evidence());
    (grant, enrolled.session().unwrap().clone())
}

fn finish(world: &World, subject: &str, session: &ChallengeSession) -> Answer<Evidence> {
    let finish = world.mfa.finish_setup(session);
    finish.run_blocking(&world.store, subject)
}

/// A `SetupDone` session after a reset: refused. Nor after anything else that changed what it
/// stands for.
#[test]
fn a_finished_set_up_is_worth_nothing_after_a_reset() {
    for (ended_by, tokens) in [
        ("reset", 1),
        ("reset and set up anew", 1),
        ("replaced", 1),
        ("another token added", 2),
        ("another token added and removed", 2),
    ] {
        let policy = Policy::builder().max_tokens(tokens).build().unwrap();
        let world = World::new(policy.required());
        let (grant, session) = set_up(&world, "alice");
        if ended_by.starts_with("reset") {
            reset(&world);
        } else {
            let _ = replace(&world, &grant);
        }
        if ended_by == "reset and set up anew" {
            let _ = set_up(&world, "alice");
        }
        if ended_by == "another token added and removed" {
            let status = world.mfa.status().run_blocking(&world.store, "alice");
            let added = status.unwrap().tokens[1].id;
            let remove = world.mfa.remove(&grant, added);
            remove.run_blocking(&world.store, "alice").unwrap();
        }
        let attack = || finish(&world, "alice", &session);
        let refused = untouched(&world, "alice", attack);
        assert_eq!(refused, Rejection::InvalidSession, "{ended_by}");
        assert_eq!(flaw(&world), SessionFlaw::OtherGeneration, "{ended_by}");
    }
}

/// A `SetupDone` session after a reset: refused. What changes nothing that is in force does not end
/// it.
#[test]
fn a_set_up_is_finished_after_a_secret_was_issued_or_a_code_was_shown() {
    let world = World::new(Policy::STANDARD.required());
    let (grant, session) = set_up(&world, "alice");
    let _ = replacement(&world, &grant);
    let _ = recovery_codes(&world, &grant);
    let vouched = Vouched::factor(&["hwk"]);
    respond(&world, "alice", &world.challenge("alice"), vouched).unwrap();
    let _ = finish(&world, "alice", &session).unwrap();
    let again = || finish(&world, "alice", &session);
    assert_eq!(untouched(&world, "alice", again), Rejection::InvalidSession);
    assert_eq!(flaw(&world), SessionFlaw::Spent);
}

/// A session that is spent, `SetupPending`: refused alike, once its secret was replaced.
#[test]
fn a_session_of_a_secret_that_was_replaced_is_refused() {
    let world = World::new(Policy::STANDARD.required());
    let setup = world.setup("alice");
    let [first, second] = [(); 2].map(|()| {
        let associate = world.mfa.associate(&setup);
        associate.run_blocking(&world.store, "alice").unwrap()
    });
    for device in [Device::of(&first), Device::of(&second)] {
        let code = device.code(world.now());
        let verify = world.mfa.verify(first.session().unwrap(), code);
        let dead = || verify.run_blocking(&world.store, "alice");
        assert_eq!(untouched(&world, "alice", dead), Rejection::InvalidSession);
        assert_eq!(flaw(&world), SessionFlaw::OtherPending);
    }
}

/// A session that is spent, `SetupDone`: refused alike.
#[test]
fn a_set_up_is_finished_once() {
    for _ in 0..ROUNDS {
        let world = World::new(Policy::STANDARD.required());
        let (_, session) = set_up(&world, "alice");
        let answers = together(THREADS, |_| finish(&world, "alice", &session));
        assert_eq!(accepted(&answers, &[Rejection::InvalidSession]), 1);
        world.time.advance(179);
        let again = || finish(&world, "alice", &session);
        assert_eq!(untouched(&world, "alice", again), Rejection::InvalidSession);
        assert_eq!(flaw(&world), SessionFlaw::Spent);
    }
}

/// A session that is spent, `SetupDone`: refused alike. An attempt at `verify` that was repeated
/// gives another session, and no second sign-in.
#[test]
fn a_set_up_that_was_verified_by_a_repeated_attempt_is_finished_once() {
    let world = World::new(Policy::STANDARD.required());
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
        world.time.advance(10);
        enrolled.unwrap().session().unwrap().clone()
    });
    let [first, again] = sessions.each_ref().map(ChallengeSession::expires);
    assert_eq!(first, again, "three minutes from the code");
    let finished = sessions.map(|session| finish(&world, "alice", &session));
    assert_eq!(accepted(&finished, &[Rejection::InvalidSession]), 1);
}

/// A session of another user: refused alike. (Rule C1: the event says which, and holds neither code
/// nor session.)
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
    let told = format!("{events:?} {session:?}");
    assert!(!told.contains(session.expose()) && !told.contains(alice.code(0).expose().as_str()));
}

/// Answers so many challenges with a factor that needs no code of the token's.
fn spend(world: &World, sessions: usize) {
    for _ in 0..sessions {
        let session = world.challenge("alice");
        respond(world, "alice", &session, Vouched::factor(&["hwk"])).unwrap();
    }
}

/// Alice, whose list of spent sessions is full until [`ROOM`], with something of everything to
/// answer with.
struct Full {
    world: World,
    device: Device,
    codes: Vec<RecoveryCode>,
    temporary: RecoveryCode,
}

/// The number of sessions that a record remembers as spent.
const MOST: usize = 64;
/// The time at which the first of them has run out.
const ROOM: u64 = START + 180;

impl Full {
    fn new() -> Self {
        let world = World::standard();
        let (device, grant) = world.enrolled("alice");
        let codes = recovery_codes(&world, &grant);
        let hour = Duration::from_secs(3600);
        let temporary = world.mfa.issue_temporary_code(&admin(), hour);
        let temporary = temporary.run_blocking(&world.store, "alice").unwrap();
        spend(&world, 1);
        world.time.advance(1);
        spend(&world, MOST - 1);
        world.time.advance(59);
        Self {
            world,
            device,
            codes,
            temporary,
        }
    }

    /// Asserts that this factor is told when there will be room, and that nothing else of it is
    /// looked at.
    #[track_caller]
    fn waits(&self, factor: impl Into<Factor>) {
        let Self { world, .. } = self;
        let session = world.challenge("alice");
        world.events();
        let attack = || respond(world, "alice", &session, factor);
        let until = UnixTime::from_secs(ROOM);
        let rejection = Rejection::Throttled { until };
        assert_eq!(untouched(world, "alice", attack), rejection);
        let flaw = None;
        assert_eq!(world.events(), [EventKind::Refused { rejection, flaw }]);
    }
}

/// Rule C4: `spent` holds at most 64, whatever the factor; a full one answers `Throttled` before
/// anything is judged or spent.
#[test]
fn a_full_list_of_spent_sessions_is_asked_about_before_any_factor_is_judged() {
    let full = Full::new();
    let Full { world, device, .. } = &full;
    let right = device.code(world.now());
    let spent = device.code(UnixTime::from_secs(START));
    for code in [right.clone(), spent, wrong(&[device], world)] {
        full.waits(code);
    }
    for code in [&full.codes[0], &full.temporary, &wrong_recovery_code()] {
        full.waits(code.clone());
    }
    full.waits(Vouched::factor(&["hwk"]));
    for matched in [true, false] {
        full.waits(Vouched::recovery_code(matched));
    }

    // Nothing of it was spent: where there is no session to remember, all of it is good.
    let grant = world.password("alice");
    for code in [&full.codes[0], &full.temporary] {
        step_up(world, &grant, code.clone()).unwrap();
    }
    step_up(world, &grant, right).unwrap();
    let status = world.mfa.status().run_blocking(&world.store, "alice");
    assert_eq!(status.unwrap().failures, 0, "nothing was counted");
}

/// Rule S24: room in `spent` is asked about before the throttle and the lock are.
#[test]
fn a_full_list_of_spent_sessions_is_told_before_the_throttle_is() {
    let full = Full::new();
    let Full { world, device, .. } = &full;
    let guess = || {
        no(step_up(
            world,
            &world.password("alice"),
            wrong(&[device], world),
        ))
    };
    for _ in 0..3 {
        assert_eq!(guess(), Rejection::Mismatch);
    }
    assert!(matches!(guess(), Rejection::Throttled { until } if until.as_secs() < ROOM));
    full.waits(device.code(world.now()));
}

/// Rule C4: there is room again as soon as the first of them has run out, and not before.
#[test]
fn a_full_list_of_spent_sessions_has_room_when_it_says() {
    let full = Full::new();
    let Full { world, device, .. } = &full;
    world.time.set(ROOM - 1);
    full.waits(device.code(world.now()));
    let [first, second] = [(); 2].map(|()| world.challenge("alice"));
    world.time.set(ROOM);
    respond(world, "alice", &first, device.code(world.now())).unwrap();
    let until = UnixTime::from_secs(ROOM + 1);
    let next = || respond(world, "alice", &second, full.codes[0].clone());
    let refused = untouched(world, "alice", next);
    assert_eq!(refused, Rejection::Throttled { until }, "one has run out");
}

/// Rule K5: the attempt that is repeated is looked at before the session's spending, a full list
/// included.
#[test]
fn a_full_list_of_spent_sessions_takes_no_answer_back() {
    let world = World::standard();
    let device = world.enrol("alice");
    world.time.advance(60);
    spend(&world, MOST - 1);
    let (session, code) = (world.challenge("alice"), device.code(world.now()));
    let key = AttemptKey::generate(&OsEntropy).unwrap();
    let answer = || {
        let request = world.mfa.respond(&session, code.clone());
        let request = request.attempt(key.clone());
        request.run_blocking(&world.store, "alice")
    };
    let first = answer().expect("the last one has room");
    assert_eq!(answer().unwrap(), first);
    let other = world.challenge("alice");
    let full = no(respond(&world, "alice", &other, Vouched::factor(&["hwk"])));
    assert!(matches!(full, Rejection::Throttled { .. }));
}

/// Rule C4: `spent` holds at most 64, of those that succeed at the same time as well.
#[test]
fn the_last_room_among_spent_sessions_is_given_once() {
    for _ in 0..3 {
        let world = World::standard();
        let _ = world.enrol("alice");
        spend(&world, MOST - 1);
        let until = UnixTime::from_secs(ROOM);
        let sessions: Vec<_> = (0..THREADS).map(|_| world.challenge("alice")).collect();
        let answers = together(THREADS, |thread| {
            let vouched = Vouched::factor(&["hwk"]);
            respond(&world, "alice", &sessions[thread], vouched)
        });
        assert_eq!(accepted(&answers, &[Rejection::Throttled { until }]), 1);
    }
}
