//! The acts: every operation, every refusal and every drop of what holds a secret.
//!
//! When an act returns, everything in it was dropped. What an act types, it types from memory that
//! it wipes. The controls at the end leak, in one way each.

use core::convert::Infallible;
use core::future::Future as _;
use core::pin::pin;
use core::task::{Context as Task, Poll, Waker};
use core::time::Duration;

use softtoken::association::{
    AttemptKey, BrowserKeys, Events, ImportedToken, RecoveryCodes, SessionKeys,
};
use softtoken::cognito::{AuthenticationResult, Call, Exchange, Reply, Response, Scope};
use softtoken::record::{Keyring, Place, Seal};
use softtoken::rows::{OldRow, OldToken, Rows};
use softtoken::store::{BlockingStore, Snapshot, Store, Swap, Write};
use softtoken::totp::{Algorithm, Digits, KeyUri, Secret, Totp, Verifier, Window};
use softtoken::{
    Challenge, ChallengeSession, Code, Evidence, Factor, Grant, MemoryStore, Mfa, Policy,
    RecoveryCode, Revision, SignedIn,
};
use zeroize::Zeroizing;

use crate::stage::{SUBJECT, Stage, administrator, context, deep, joined};

/// How a control leaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leak {
    /// Frees a secret.
    Freed,
    /// Leaves a secret in memory that is not freed.
    Left,
}

/// An act.
#[derive(Clone, Copy, Debug)]
pub struct Act {
    /// Its name.
    pub name: &'static str,
    /// What is done in it.
    pub play: fn(&Stage),
    /// `None` where nothing may be found.
    pub leak: Option<Leak>,
}

/// Returns the act of this name.
#[must_use]
pub fn find(name: &str) -> Option<Act> {
    all().into_iter().find(|act| act.name == name)
}

/// Returns all acts.
#[must_use]
pub fn all() -> Vec<Act> {
    let act = |name, play| Act {
        name,
        play,
        leak: None,
    };
    let control = |name, play, leak| Act {
        name,
        play,
        leak: Some(leak),
    };
    vec![
        act("secrets", secrets),
        act("base32", base32),
        act("base32, read deep", base32_read_deep),
        act("hexadecimal, read deep", hexadecimal_read_deep),
        act("codes", codes),
        act("verifiers", verifiers),
        act("verifier, made deep", verifier_made_deep),
        act("verifier of a long key, made deep", long_verifier_made_deep),
        act("key URIs", key_uris),
        act("QR codes", qr_codes),
        act("QR code, drawn deep", qr_code_drawn_deep),
        act("keys", keys),
        act("grants", grants),
        act("seal", seal),
        act("enrolment", enrolment),
        act("enrolment, in a flow", enrolment_in_a_flow),
        act("sign-in", sign_in),
        act("session text", session_text),
        act("browsers", browsers),
        act("recovery codes", recovery_codes),
        act("recovery codes, typed", recovery_codes_typed),
        act("temporary code", temporary_code),
        act("import and export", import_and_export),
        act("administration", administration),
        act("management", management),
        act("sealed rows", sealed_rows),
        act("rows that do not open", rows_that_do_not_open),
        act("rows, moved in", rows_moved_in),
        act("rows, moved in and dropped", rows_moved_in_and_dropped),
        act("rows, resealed", rows_resealed),
        act("memory store", memory_store),
        act("a store that fails", a_store_that_fails),
        act("a lost race", a_lost_race),
        act("a dropped future", a_dropped_future),
        act("own transaction", own_transaction),
        act("Cognito, set-up", cognito_set_up),
        act("Cognito, sign-in", cognito_sign_in),
        act("Cognito, refused", cognito_refused),
        act("Cognito, tokens", cognito_tokens),
        control("control: a copy is freed", frees_a_copy, Leak::Freed),
        control("control: a text grows", grows, Leak::Freed),
        control("control: letters are freed", frees_letters, Leak::Freed),
        control("control: a number is freed", frees_a_number, Leak::Freed),
        control("control: a value is forgotten", forgets, Leak::Left),
        control("control: a half is left", leaves_a_half, Leak::Left),
    ]
}

// What a person has typed.

fn secrets(stage: &Stage) {
    let secret = stage.secret();
    let copy = Secret::from_bytes(secret.expose()).expect("twenty bytes");
    assert!(copy == secret.clone());
    assert!(Secret::generate(1, stage).is_err());
    let long = Zeroizing::new([secret.expose(), secret.expose()].concat());
    assert!(Secret::from_bytes(&long[..5]).is_err());
    let longer = Zeroizing::new(long.repeat(4));
    assert!(Secret::from_bytes(&longer).is_err());
    drop(Secret::from_bytes(&long).expect("forty bytes"));
}

fn base32(stage: &Stage) {
    let secret = stage.secret();
    let text = secret.expose_base32();
    let lower = {
        let mut lower = joined(&[&text]);
        lower.make_ascii_lowercase();
        lower
    };
    for typed in [
        joined(&[&text]),
        joined(&[&lower]),
        joined(&[" ", &text, "\n"]),
        joined(&[&lower, "======"]),
        joined(&[&text[..8], "-", &text[8..16], " ", &text[16..]]),
    ] {
        assert!(Secret::from_base32(&typed) == Ok(secret.clone()));
        assert!(Secret::from_base32_legacy(&typed).is_ok());
    }
    // A length that no encoding has, trailing bits, another character, too long, too short.
    for typed in [
        joined(&[&text, "A"]),
        joined(&[&text, "B7"]),
        joined(&[&text, "!"]),
        joined(&["1", &text]),
        joined(&[&text, &text, &text, &text, &text, &text, &text]),
        joined(&[&text[..12]]),
    ] {
        assert!(Secret::from_base32(&typed).is_err());
        let _ = Secret::from_base32_legacy(&typed);
    }
}

fn base32_read_deep(stage: &Stage) {
    let text = stage.secret().expose_base32();
    drop(deep(|| Secret::from_base32(&text)));
}

fn hexadecimal_read_deep(stage: &Stage) {
    let secret = stage.secret();
    let mut text = Zeroizing::new(String::with_capacity(2 * secret.expose().len()));
    for byte in secret.expose() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("four bits"));
        }
    }
    assert!(Secret::from_hex(&text) == Ok(secret));
    drop(deep(|| Secret::from_hex(&text)));
}

fn codes(stage: &Stage) {
    let secret = stage.secret();
    let boxed = Box::new(stage.code(&secret, 0));
    stage.note_number(&boxed);
    drop(core::hint::black_box(boxed));
    let text = stage.code(&secret, 0).expose();
    let code = Code::parse(&text).expect("eight digits");
    assert!(code == code.clone());
    let typed = joined(&[&text[..4], " ", &text[4..], "\n"]);
    assert!(Code::parse(&typed).is_ok());
    for refused in [joined(&[&text, "9"]), joined(&[&text, "x"])] {
        assert!(Code::parse(&refused).is_err());
        assert!(Factor::parse(&refused).is_err());
    }
    assert!(Factor::parse(&typed).is_ok());
}

fn verifiers(stage: &Stage) {
    let secret = stage.secret();
    let long = Zeroizing::new(secret.expose().repeat(5));
    let long = Secret::from_bytes(&long).expect("a hundred bytes");
    let period = Duration::from_secs(30);
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
        let totp = Totp::new(algorithm, Digits::Eight, period).expect("a period");
        for secret in [&secret, &long] {
            let verifier = Verifier::new(secret, totp);
            let copy = verifier.clone();
            drop(verifier);
            let (step, next) = (stage.step(), stage.step().saturating_offset(1));
            let (code, second) = (copy.code(step), copy.code(next));
            stage.note("code", code.expose().as_bytes());
            stage.note("code", second.expose().as_bytes());
            for after in [None, Some(step)] {
                let _ = copy.verify(&code, step, Window::STANDARD, after);
                let _ = copy.verify_pair(&code, &second, step, 20, after);
            }
        }
    }
}

fn verifier_made_deep(stage: &Stage) {
    let secret = stage.secret();
    drop(deep(|| Verifier::new(&secret, stage.totp())));
}

fn long_verifier_made_deep(stage: &Stage) {
    let key = Zeroizing::new(stage.secret().expose().repeat(5));
    stage.note_key("long key", &key);
    let secret = Secret::from_bytes(&key).expect("a hundred bytes");
    drop(deep(|| Verifier::new(&secret, stage.totp())));
}

fn key_uris(stage: &Stage) {
    let (secret, totp) = (stage.secret(), stage.totp());
    let uri = KeyUri::new(Some("Example"), "alice", &secret, totp).expect("names");
    let text = uri.clone().expose();
    drop(uri);
    assert!(KeyUri::parse(&text).is_ok());
    let base32 = secret.expose_base32();
    let before = "otpauth://totp/Example:alice?secret=";
    for refused in [
        joined(&[&text, "&secret=", &base32]),
        joined(&[&text, "#", &base32]),
        joined(&[&text, "&digits=9"]),
        joined(&[before, &base32, "A"]),
        joined(&[before, &base32, "%fg"]),
        joined(&["otpauth://hotp/alice?secret=", &base32]),
        joined(&["otpauth://", &base32, "@totp/alice"]),
    ] {
        assert!(KeyUri::parse(&refused).is_err());
        let _ = KeyUri::parse_legacy(&refused);
    }
    let legacy = joined(&[
        "otpauth://totp/A: B:",
        "c?issuer=D&secret=",
        &base32,
        "B&x=y",
    ]);
    let legacy = KeyUri::parse_legacy(&legacy).expect("the key is clear");
    drop(legacy.clone());
    // Put together wrongly: the key stands where names do.
    let among_names = joined(&[
        "otpauth://totp/",
        &base32,
        "?issuer=",
        &base32,
        "&secret=",
        &base32,
    ]);
    assert!(KeyUri::parse_legacy(&among_names).is_ok());
    assert!(KeyUri::new(Some(":"), "alice", &secret, totp).is_err());
}

fn qr_codes(stage: &Stage) {
    let (secret, totp) = (stage.secret(), stage.totp());
    let uri = KeyUri::new(None, "a", &secret, totp).expect("a name");
    let code = uri.qr_code().expect("it is short");
    stage.note_qr_code(&uri.expose(), &code.expose_svg(), &code.expose_blocks());
    drop(code.clone());
    // Of several blocks, interleaved; and none at all.
    let name = "a".repeat(1_000);
    let long = KeyUri::new(Some("Example"), &name, &secret, totp).expect("names");
    let code = long.qr_code().expect("it is short enough");
    stage.note_picture(&code.expose_svg(), &code.expose_blocks());
    let longest = KeyUri::new(None, &name.repeat(3), &secret, totp).expect("a name");
    assert!(longest.qr_code().is_err());
}

fn qr_code_drawn_deep(stage: &Stage) {
    let uri = KeyUri::new(None, "a", &stage.secret(), stage.totp()).expect("a name");
    if stage.is_rehearsal() {
        let code = uri.qr_code().expect("it is short");
        stage.note_qr_code(&uri.expose(), &code.expose_svg(), &code.expose_blocks());
    }
    drop(deep(|| uri.qr_code()));
}

// Keys.

/// The id of a login may be what its cookie holds.
fn grants(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.mfa(stage.policy()));
    let text = stage.secret().expose_base32();
    let id = joined(&[text.as_str(); 5]);
    let grant = Grant::first_factor(SUBJECT, stage.now()).with_id(&id);
    let bytes = Zeroizing::new(grant.to_bytes());
    assert!(Grant::from_bytes(&bytes, SUBJECT).as_ref() == Ok(&grant));
    assert!(Grant::from_bytes(&bytes, "bob").is_err());
    let mut json = Zeroizing::new(Vec::with_capacity(1_000));
    serde_json::to_writer(&mut *json, &grant).expect("JSON");
    let read: Grant = serde_json::from_slice(&json).expect("a grant");
    let issued = run(mfa.associate(&read), &store).expect("nothing is in force");
    let code = stage.code(issued.secret(), 0);
    let verified = run(mfa.verify(&grant, code), &store).expect("the code is right");
    assert!(verified.evidence().login_id() == Some(&*id));
    let proven = Grant::from(verified.evidence());
    drop(verified);
    stage.later(60);
    let code = stage.code(issued.secret(), 0);
    let evidence = run(mfa.step_up(&proven, code), &store).expect("the code is right");
    drop((evidence.clone(), grant.with_id("other")));
    drop(mfa.step_up(&proven, stage.code(issued.secret(), 9)));
}

fn keys(stage: &Stage) {
    let drawn = || {
        let mut key = Zeroizing::new([0; 32]);
        softtoken::entropy::Entropy::fill(stage, &mut *key).expect("it draws");
        key
    };
    let mut sessions = SessionKeys::generate(1, stage).expect("it draws");
    let mut browsers = BrowserKeys::from_bytes(1, &drawn());
    let mut keyring = Keyring::generate(1, stage).expect("it draws");
    for id in 2..9 {
        sessions.also_open(id, &drawn());
        sessions.rotate(id, &drawn());
        browsers.rotate(id, &drawn());
        browsers.also_open(id + 10, &drawn());
        keyring.also_open(id, &drawn());
        keyring.rotate(id, &drawn());
    }
    for id in 1..5 {
        sessions.retire(id);
        browsers.retire(id);
        keyring.retire(id);
    }
    let mfa = stage
        .mfa(stage.policy())
        .with_sessions(sessions.clone(), context());
    let mfa = mfa
        .with_browsers(browsers.clone(), Duration::from_secs(3_600))
        .expect("an hour");
    let view = mfa.with_context(softtoken::Context::new("app").expect("three bytes"));
    // Shared with the view, and so copied before it is changed.
    let other = mfa
        .sealed(keyring.clone())
        .with_sessions(sessions, context());
    drop((view, other, browsers, keyring));
    let attempt = AttemptKey::generate(stage).expect("it draws");
    stage.note("attempt", attempt.expose());
    drop(attempt.clone());
}

fn seal(stage: &Stage) {
    let mut keyring = Keyring::generate(1, stage).expect("it draws");
    let place = Place::new(SUBJECT, Revision::FIRST);
    let secret = stage.secret();
    let plain = Zeroizing::new(secret.expose().repeat(9));
    let mut sealed = keyring.seal(place, stage, &plain).expect("it draws");
    drop(keyring.open(place, &sealed).expect("the same place"));
    assert!(
        keyring
            .open(Place::new("bob", Revision::FIRST), &sealed)
            .is_err()
    );
    for byte in [0, 5, 30, sealed.len() - 1] {
        sealed[byte] ^= 1;
        assert!(keyring.open(place, &sealed).is_err());
        sealed[byte] ^= 1;
    }
    assert!(keyring.open(place, &sealed[..20]).is_err());
    let nothing = |_: &mut [u8]| Err(softtoken::entropy::NoEntropy);
    assert!(keyring.seal(place, &nothing, &plain).is_err());
    keyring.rotate(2, &[7; 32]);
    keyring.retire(1);
    assert!(keyring.open(place, &sealed).is_err());
}

// The verbs.

fn run<O: softtoken::association::Operation>(
    request: softtoken::mfa::Request<O>,
    store: &MemoryStore,
) -> Option<O::Output> {
    request.run_blocking(store, SUBJECT).ok()
}

/// Enrols by a grant; the secret goes back to the phone.
fn enrolled(stage: &Stage, mfa: &Mfa, store: &MemoryStore) -> (Secret, Evidence) {
    let grant = stage.grant();
    let issued = run(mfa.associate(&grant).named("phone"), store).expect("nothing is in force");
    let code = stage.code(issued.secret(), 0);
    let verified = run(mfa.verify(&grant, code), store).expect("the code is right");
    let secret = Secret::from_bytes(issued.secret().expose()).expect("twenty bytes");
    stage.later(60);
    (secret, verified.evidence().clone())
}

fn enrolment(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.mfa(stage.policy()));
    let grant = stage.grant();
    let first = run(mfa.associate(&grant), &store).expect("nothing is in force");
    let issued = run(mfa.associate(&grant).named("phone"), &store).expect("nothing is in force");
    drop(issued.uri("Example", "alice").expect("names").expose());
    // The code of the secret that was pending before, one of another length, the right one twice.
    assert!(run(mfa.verify(&grant, stage.code(first.secret(), 0)), &store).is_none());
    let six = Code::parse("314159").expect("six digits");
    assert!(run(mfa.verify(&grant, six), &store).is_none());
    for is_first in [true, false] {
        let code = stage.code(issued.secret(), 0);
        assert_eq!(run(mfa.verify(&grant, code), &store).is_some(), is_first);
    }
    // A second token, by two codes in a row; and one that replaces it, and expires.
    stage.later(60);
    let evidence = run(mfa.step_up(&grant, stage.code(issued.secret(), 0)), &store);
    let grant = Grant::from(&evidence.expect("the code is right"));
    let second = run(mfa.associate(&grant), &store).expect("two are allowed");
    let (code, next) = (
        stage.code(second.secret(), 7),
        stage.code(second.secret(), 8),
    );
    let attempt = AttemptKey::generate(stage).expect("it draws");
    stage.note("attempt", attempt.expose());
    let verify = mfa.verify(&grant, code).followed_by(next).attempt(attempt);
    assert!(run(verify, &store).is_some());
    let third = mfa.associate(&grant).replacing(second.token());
    let third = run(third, &store).expect("it replaces");
    stage.later(86_400);
    let late = mfa.verify(&grant, stage.code(third.secret(), 0));
    assert!(run(late, &store).is_none());
    assert!(
        run(
            mfa.associate(&Grant::first_factor("bob", stage.now())),
            &store
        )
        .is_none()
    );
}

fn enrolment_in_a_flow(stage: &Stage) {
    let store = MemoryStore::new();
    let mfa = stage.keyed(stage.policy().required());
    let Some(Challenge::Setup { session, .. }) = run(mfa.sign_in(), &store) else {
        panic!("nothing is in force");
    };
    note_session(stage, &session);
    let issued = run(mfa.associate(&session), &store).expect("nothing is in force");
    let pending = issued.session().expect("in a flow");
    note_session(stage, pending);
    let wrong = stage.code(issued.secret(), 99);
    assert!(run(mfa.verify(pending, wrong), &store).is_none());
    let code = stage.code(issued.secret(), 0);
    let verified = run(mfa.verify(pending, code), &store).expect("the code is right");
    let done = verified.session().expect("in a flow");
    note_session(stage, done);
    assert!(run(mfa.finish_setup(done), &store).is_some());
    assert!(run(mfa.finish_setup(done), &store).is_none());
}

fn note_session(stage: &Stage, session: &ChallengeSession) {
    stage.note_signed("session", session.expose());
}

fn challenged(stage: &Stage, mfa: &Mfa, store: &MemoryStore) -> ChallengeSession {
    let Some(Challenge::SoftwareToken { session, .. }) = run(mfa.sign_in(), store) else {
        panic!("a token is in force");
    };
    note_session(stage, &session);
    session
}

fn sign_in(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.keyed(stage.policy()));
    let (secret, evidence) = enrolled(stage, &mfa, &store);
    let attempt = AttemptKey::generate(stage).expect("it draws");
    stage.note("attempt", attempt.expose());
    let session = challenged(stage, &mfa, &store);
    assert!(run(mfa.respond(&session, stage.code(&secret, 99)), &store).is_none());
    for _ in 0..2 {
        // The second time it is answered again.
        let respond = mfa
            .respond(&session, stage.code(&secret, 0))
            .attempt(attempt.clone());
        assert!(run(respond, &store).is_some());
    }
    let reused = mfa.sign_in_with(Some(stage.code(&secret, 0).into()));
    assert!(run(reused, &store).is_none());
    stage.later(30);
    let right = mfa.sign_in_with(Some(stage.code(&secret, 0).into()));
    assert!(matches!(run(right, &store), Some(SignedIn::Proven(_))));
    assert!(run(mfa.sign_in_with(None), &store).is_some());
    stage.later(30);
    let grant = Grant::from(&evidence);
    let step_up = mfa.step_up(&grant, stage.code(&secret, 0)).attempt(attempt);
    assert!(run(step_up, &store).is_some());
    for offset in 90..100 {
        // Throttled after a few.
        let guess = mfa.sign_in_with(Some(stage.code(&secret, offset).into()));
        assert!(run(guess, &store).is_none());
    }
    let other = mfa.with_context(softtoken::Context::new("app").expect("three bytes"));
    assert!(run(other.respond(&session, stage.code(&secret, 0)), &store).is_none());
    assert!(
        mfa.respond(&session, stage.code(&secret, 0))
            .run_blocking(&store, "")
            .is_err()
    );
    drop(mfa.respond(&session, stage.code(&secret, 0)));
}

fn session_text(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.keyed(stage.policy()));
    let (secret, _) = enrolled(stage, &mfa, &store);
    let text = {
        let session = challenged(stage, &mfa, &store);
        joined(&[session.expose()])
    };
    let session = mfa.open(&text).expect("it was signed");
    assert!(run(mfa.respond(&session, stage.code(&secret, 0)), &store).is_some());
    let end = text.len() - 4;
    for refused in [
        joined(&[&text[..end], "aaaa"]),
        joined(&[&text[..end]]),
        joined(&[&text, "a"]),
        joined(&[&text, "!"]),
        joined(&[&text, &text, &text, &text, &text, &text, &text, &text]),
    ] {
        assert!(mfa.open(&refused).is_err());
    }
    let other = stage.mfa(stage.policy()).with_sessions(
        SessionKeys::generate(1, stage).expect("it draws"),
        context(),
    );
    assert!(other.open(&text).is_err());
    stage.later(86_400);
    assert!(mfa.open(&text).is_err());
}

fn browsers(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.keyed(stage.policy()));
    let (secret, _) = enrolled(stage, &mfa, &store);
    let right = mfa.sign_in_with(Some(stage.code(&secret, 0).into()));
    let Some(SignedIn::Proven(evidence)) = run(right, &store) else {
        panic!("the code is right");
    };
    let token = mfa
        .remember(&evidence)
        .expect("a clock")
        .expect("a browser");
    stage.note_signed("browser", token.expose());
    let text = joined(&[token.expose()]);
    drop(token);
    let end = text.len() - 4;
    let forged = joined(&[&text[..end], "aaaa"]);
    let longer = joined(&[&text, &text, &text, &text, &text, &text, &text, &text]);
    for shown in [&text, &forged, &longer] {
        assert!(run(mfa.sign_in().from_browser(Some(shown)), &store).is_some());
        assert!(run(mfa.sign_in_with(None).from_browser(Some(shown)), &store).is_some());
    }
    drop(mfa.sign_in().from_browser(Some(&text)));
    let grant = Grant::from(&evidence);
    assert!(run(mfa.forget_browsers(&grant), &store).is_some());
    assert!(run(mfa.sign_in().from_browser(Some(&text)), &store).is_some());
}

fn recovery_codes(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.mfa(stage.policy()));
    let (_, evidence) = enrolled(stage, &mfa, &store);
    let password = stage.grant();
    assert!(run(mfa.issue_recovery_codes(&password), &store).is_some());
    let grant = Grant::from(&evidence);
    let codes: RecoveryCodes = run(mfa.issue_recovery_codes(&grant), &store).expect("it is fresh");
    drop(codes.clone());
    drop(mfa.issue_recovery_codes(&grant));
    let bob = Grant::first_factor("bob", stage.now());
    assert!(run(mfa.issue_recovery_codes(&bob), &store).is_none());
    for code in &codes {
        drop(code.expose());
        for is_right in [true, false] {
            let factor = Some(Factor::RecoveryCode(code.clone()));
            assert_eq!(run(mfa.sign_in_with(factor), &store).is_some(), is_right);
        }
    }
}

fn recovery_codes_typed(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.mfa(stage.policy()));
    let _ = enrolled(stage, &mfa, &store);
    let codes = run(mfa.issue_recovery_codes(&administrator()), &store).expect("in force");
    let text = codes.iter().next().expect("ten codes").expose();
    drop(codes);
    assert!(RecoveryCode::parse(&text).is_ok());
    for refused in [
        joined(&[&text[..28]]),
        joined(&[&text, "A"]),
        joined(&[&text[..28], "U"]),
        joined(&[&text, "!"]),
    ] {
        assert!(RecoveryCode::parse(&refused).is_err());
        assert!(Factor::parse(&refused).is_err());
    }
    let factor = Factor::parse(&text).expect("25 characters");
    assert!(run(mfa.sign_in_with(Some(factor)), &store).is_some());
}

fn temporary_code(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.mfa(stage.policy()));
    let _ = enrolled(stage, &mfa, &store);
    let issue = || mfa.issue_temporary_code(&administrator(), Duration::from_secs(3_600));
    let old = run(issue(), &store).expect("in force");
    let code = run(issue(), &store).expect("in force");
    drop(issue());
    for (code, is_right) in [(&old, false), (&code, true), (&code, false)] {
        let factor = Some(Factor::RecoveryCode(code.clone()));
        assert_eq!(run(mfa.sign_in_with(factor), &store).is_some(), is_right);
    }
    drop(mfa.issue_temporary_code(&administrator(), Duration::ZERO));
}

fn token(stage: &Stage, secret: &Secret) -> ImportedToken {
    ImportedToken::proven(secret.clone(), stage.totp()).named("fob")
}

fn import_and_export(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.mfa(stage.policy()));
    let (first, second) = (stage.secret(), stage.secret());
    let admin = administrator();
    let tokens = || [token(stage, &first), token(stage, &second)];
    assert!(
        run(
            mfa.import(&admin, [token(stage, &first), token(stage, &first)]),
            &store
        )
        .is_none()
    );
    let pending = ImportedToken::pending(first.clone(), stage.totp());
    let among = [pending.clone(), token(stage, &second)];
    assert!(run(mfa.import(&admin, among), &store).is_none());
    assert!(run(mfa.import(&admin, [pending]), &store).is_some());
    assert!(run(mfa.import(&admin, tokens()), &store).is_some());
    assert!(run(mfa.import(&admin, tokens()), &store).is_none());
    let many: Vec<ImportedToken> = (0..9).map(|_| token(stage, &stage.secret())).collect();
    assert!(run(mfa.import(&admin, many), &store).is_none());
    let exported = run(mfa.export(&admin), &store).expect("in force");
    assert_eq!(exported.len(), 2);
    drop(exported.clone());
    let again = mfa.import(&admin, exported).replacing_everything();
    assert!(run(again, &store).is_some());
    drop(mfa.import(&admin, tokens()));
    assert!(run(mfa.reset(&admin), &store).is_some());
    assert!(run(mfa.export(&admin), &store).is_none());
}

fn administration(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.mfa(stage.policy()));
    let (secret, _) = enrolled(stage, &mfa, &store);
    for offset in 90..95 {
        let guess = mfa.sign_in_with(Some(stage.code(&secret, offset).into()));
        assert!(run(guess, &store).is_none());
    }
    let admin = administrator();
    assert!(run(mfa.unlock(&admin), &store).is_some());
    assert!(run(mfa.status(), &store).is_some());
    assert!(run(mfa.reset(&admin).mending_clock(), &store).is_some());
    stage.later(60);
    let (_, evidence) = enrolled(stage, &mfa, &store);
    assert!(run(mfa.reset(&admin).unreadable(Revision::FIRST), &store).is_none());
    assert!(run(mfa.disassociate(&Grant::from(&evidence)), &store).is_some());
}

fn management(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.mfa(stage.policy()));
    let (secret, evidence) = enrolled(stage, &mfa, &store);
    let grant = Grant::from(&evidence);
    let id = evidence.token().expect("a code was shown");
    assert!(run(mfa.rename(&grant, id, "telephone"), &store).is_some());
    assert!(run(mfa.set_enabled(&grant, false), &store).is_some());
    assert!(run(mfa.set_enabled(&grant, true), &store).is_some());
    assert!(run(mfa.check(&grant, Duration::from_secs(600)), &store).is_some());
    let (code, next) = (stage.code(&secret, 9), stage.code(&secret, 10));
    assert!(run(mfa.resynchronise(&grant, code, next), &store).is_some());
    let (code, next) = (stage.code(&secret, 9), stage.code(&secret, 99));
    assert!(run(mfa.resynchronise(&grant, code, next), &store).is_none());
    let issued = run(mfa.associate(&grant), &store).expect("two are allowed");
    drop(issued);
    assert!(run(mfa.remove(&grant, id), &store).is_some());
    assert!(run(mfa.remove(&grant, id), &store).is_none());
}

// Rows.

fn sealed_rows(stage: &Stage) {
    let store = MemoryStore::new();
    let plain = stage.mfa(stage.policy());
    let (secret, _) = enrolled(stage, &plain, &store);
    let mut keyring = Keyring::generate(1, stage).expect("it draws");
    let adopting = plain.sealed(keyring.clone()).adopting_plain_records();
    assert!(run(adopting.reseal(), &store).is_some());
    let mut key = Zeroizing::new([0; 32]);
    softtoken::entropy::Entropy::fill(stage, &mut *key).expect("it draws");
    keyring.rotate(2, &key);
    let mfa = stage.mfa(stage.policy()).sealed(keyring).seal_label("new");
    assert!(run(mfa.status(), &store).is_none());
    let mfa = mfa.also_open_seal_label("");
    assert!(run(mfa.reseal(), &store).is_some());
    let right = mfa.sign_in_with(Some(stage.code(&secret, 0).into()));
    assert!(run(right, &store).is_some());
}

/// One row, whatever the subject.
struct Row(Zeroizing<Vec<u8>>);

impl BlockingStore for Row {
    type Error = Infallible;

    fn load_blocking(&self, _: &str) -> Result<Option<Snapshot>, Infallible> {
        let (revision, record) = (Revision::FIRST, self.0.to_vec());
        Ok(Some(Snapshot { revision, record }))
    }

    fn compare_and_swap_blocking(&self, _: Write) -> Result<Swap, Infallible> {
        Ok(Swap::Conflict)
    }
}

fn rows_that_do_not_open(stage: &Stage) {
    let store = MemoryStore::new();
    let mfa = stage.mfa(stage.policy());
    let _ = enrolled(stage, &mfa, &store);
    let row = store
        .load_blocking(SUBJECT)
        .expect("it never fails")
        .expect("a row");
    let row = Zeroizing::new(row.record);
    let damaged = |at: usize, byte: u8| {
        let mut damaged = Zeroizing::new(row.to_vec());
        damaged[at] = byte;
        Row(damaged)
    };
    let longer = Row(Zeroizing::new([row.as_slice(), b"x"].concat()));
    let shorter = Row(Zeroizing::new(row[..row.len() - 1].to_vec()));
    let end = row.len() - 1;
    for row in [
        longer,
        shorter,
        damaged(0, 9),
        damaged(0, 0x81),
        damaged(end, 9),
        damaged(3, 9),
    ] {
        let _ = mfa.status().run_blocking(&row, SUBJECT);
        let _ = mfa.sign_in_with(None).run_blocking(&row, SUBJECT);
    }
    let keyring = Keyring::generate(1, stage).expect("it draws");
    let sealed = mfa.sealed(keyring);
    let whole = Row(Zeroizing::new(row.to_vec()));
    assert!(sealed.status().run_blocking(&whole, SUBJECT).is_err());
}

/// A secret in hexadecimal.
fn hexadecimal(stage: &Stage, secret: &Secret) -> Zeroizing<String> {
    let digits = b"0123456789abcdef";
    let mut text = Zeroizing::new(String::with_capacity(2 * secret.expose().len()));
    for byte in secret.expose() {
        text.push(digits[usize::from(byte >> 4)].into());
        text.push(digits[usize::from(byte & 15)].into());
    }
    stage.note("secret, hexadecimal", text.as_bytes());
    text
}

/// The same secret in every way that a column has it: read, and refused.
fn old_rows(stage: &Stage, secret: &Secret) -> Vec<OldRow> {
    let base32 = secret.expose_base32();
    let hexadecimal = hexadecimal(stage, secret);
    let uri = joined(&["otpauth://totp/alice?secret=", &base32]);
    let too_many = Zeroizing::new(secret.expose().repeat(9));
    let tokens = [
        OldToken::bytes(secret.expose()),
        OldToken::base32(base32.as_str()),
        OldToken::legacy_base32(joined(&[&base32, "B"]).as_str()).pending(),
        OldToken::hexadecimal(hexadecimal.as_str()).named("fob"),
        OldToken::key_uri(uri.as_str()).named("phone"),
        OldToken::bytes(too_many.as_slice()),
        OldToken::base32(joined(&[&base32, "!"]).as_str()),
        OldToken::legacy_base32(joined(&[&base32, "1"]).as_str()),
        OldToken::hexadecimal(joined(&[&hexadecimal, "0"]).as_str()),
        OldToken::key_uri(joined(&[&uri, "&digits=9"]).as_str()),
        OldToken::key_uri(uri.as_str()).digits(8),
        OldToken::bytes(secret.expose()).drift(1_000),
    ];
    let rows = (b'a'..).zip(tokens);
    let rows = rows.map(|(name, token)| OldRow::new(char::from(name)).token(token));
    let twice = OldRow::new("z").token(OldToken::bytes(secret.expose()));
    rows.chain([twice.clone(), twice]).collect()
}

/// All rows on one page.
fn page<R>(after: Option<&str>, rows: impl FnOnce() -> Vec<R>) -> Result<Vec<R>, Failed> {
    Ok(if after.is_none() { rows() } else { Vec::new() })
}

fn rows_moved_in(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.mfa(stage.policy()));
    let secret = stage.secret();
    let rows = old_rows(stage, &secret);
    drop((rows.clone(), Rows::move_in(&mfa, &administrator())));
    let move_in = Rows::move_in(&mfa, &administrator());
    let pages = |after: Option<&str>| page(after, || rows.clone());
    // What would be, what is, and once more, where all is there.
    let report = move_in
        .clone()
        .dry_run()
        .run_blocking(&store, pages, |_, _| {});
    assert!(report.expect("it never fails").changed() == 6);
    for changed in [6, 0] {
        let report = move_in.run_blocking(&store, pages, |_, _| {});
        assert!(report.expect("it never fails").changed() == changed);
    }
    let failing = FailsAt {
        store: &store,
        at: 0,
        asked: 0.into(),
    };
    let stopped = move_in
        .stop_after(1)
        .run_blocking(&failing, pages, |_, _| {});
    assert!(stopped.is_err());
}

fn rows_moved_in_and_dropped(stage: &Stage) {
    let mfa = stage.mfa(stage.policy());
    let store = MemoryStore::new();
    let _ = enrolled(stage, &mfa, &store);
    let row = store.load_blocking(SUBJECT).expect("it never fails");
    let silent = Silent(Zeroizing::new(row.expect("a row").record));
    let secret = stage.secret();
    let again = |row: OldRow| row.even_if_verified_before();
    let rows: Vec<_> = old_rows(stage, &secret).into_iter().map(again).collect();
    let pages =
        |after: Option<String>| core::future::ready(page(after.as_deref(), || rows.clone()));
    let mut waker = Task::from_waker(Waker::noop());
    let move_in = Rows::move_in(&mfa, &administrator()).at_once(20);
    let empty = Unwritten(Silent(Zeroizing::default()));
    let mut future = Box::pin(move_in.run(&empty, pages, |_: &str, _: &_| {}));
    assert!(future.as_mut().poll(&mut waker).is_pending());
    drop(future);
    let mut future = Box::pin(move_in.run(&silent, pages, |_: &str, _: &_| {}));
    assert!(future.as_mut().poll(&mut waker).is_ready());
    drop(future);
    let adopting = stage.keyed(stage.policy()).adopting_plain_records();
    let reseal = Rows::reseal(&adopting).at_once(2);
    let pages = |after: Option<String>| {
        let rows = || vec![SUBJECT.to_owned(), "bob".to_owned()];
        core::future::ready(page(after.as_deref(), rows))
    };
    let mut future = Box::pin(reseal.run(&silent, pages, |_: &str, _: &_| {}));
    assert!(future.as_mut().poll(&mut waker).is_pending());
    drop(future);
}

fn rows_resealed(stage: &Stage) {
    let store = MemoryStore::new();
    let plain = stage.mfa(stage.policy());
    let secret = stage.secret();
    let rows = || vec!["a".to_owned(), "b".to_owned(), "nobody".to_owned()];
    let pages = |after: Option<&str>| page(after, rows);
    for subject in ["a", "b"] {
        let import = plain.import(&administrator(), [token(stage, &secret)]);
        assert!(import.run_blocking(&store, subject).is_ok());
    }
    let mut keyring = Keyring::generate(1, stage).expect("it draws");
    let sealed = plain.clone().sealed(keyring.clone());
    let reseal = |mfa: &Mfa| Rows::reseal(mfa).run_blocking(&store, pages, |_, _| {});
    // In the clear, and refused; adopted, in a dry run and in earnest; current.
    assert!(reseal(&sealed).expect("it never fails").refused() == 2);
    let adopting = sealed.clone().adopting_plain_records();
    let dry = Rows::reseal(&adopting).dry_run();
    let report = dry.run_blocking(&store, pages, |_, _| {});
    assert!(report.expect("it never fails").changed() == 2);
    for changed in [2, 0] {
        assert!(reseal(&adopting).expect("it never fails").changed() == changed);
    }
    let mut key = Zeroizing::new([0; 32]);
    softtoken::entropy::Entropy::fill(stage, &mut *key).expect("it draws");
    keyring.rotate(2, &key);
    let rotated = plain.sealed(keyring);
    assert!(reseal(&rotated).expect("it never fails").changed() == 2);
    assert!(reseal(&sealed).expect("it never fails").refused() == 2);
}

fn memory_store(stage: &Stage) {
    let store = MemoryStore::new();
    let mut expected = None;
    for length in [1, 5, 2, 5] {
        let secret = stage.secret();
        let record = Zeroizing::new(secret.expose().repeat(length));
        let write = Write::new(SUBJECT, expected, record, Events::default());
        let write = write.expect("one of the first");
        assert_eq!(
            store.compare_and_swap_blocking(write.clone()),
            Ok(Swap::Stored)
        );
        assert_eq!(
            store.compare_and_swap_blocking(write.clone()),
            Ok(Swap::Conflict)
        );
        expected = Some(write.next());
    }
    for subject in 0..200 {
        let secret = stage.secret();
        let record = Zeroizing::new(secret.expose().to_vec());
        let subject = format!("user-{subject}");
        let write = Write::new(&subject, None, record, Events::default());
        let stored = store.compare_and_swap_blocking(write.expect("the first"));
        assert_eq!(stored, Ok(Swap::Stored));
    }
}

#[derive(Debug)]
struct Failed;

impl core::fmt::Display for Failed {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("failed")
    }
}

impl core::error::Error for Failed {}

fn a_store_that_fails(stage: &Stage) {
    let store = MemoryStore::new();
    let mfa = stage.mfa(stage.policy());
    let (secret, _) = enrolled(stage, &mfa, &store);
    for fails_at in [0, 1] {
        let failing = FailsAt {
            store: &store,
            at: fails_at,
            asked: 0.into(),
        };
        let request = mfa.sign_in_with(Some(stage.code(&secret, 0).into()));
        assert!(request.run_blocking(&failing, SUBJECT).is_err());
        let failing = FailsAt {
            asked: 0.into(),
            ..failing
        };
        let issue = mfa.issue_recovery_codes(&administrator());
        assert!(issue.run_blocking(&failing, SUBJECT).is_err());
    }
    let silent = softtoken::entropy::NoEntropy;
    let broken = Mfa::new(stage.policy(), || None, move |_: &mut [u8]| Err(silent));
    let code = stage.code(&secret, 0);
    assert!(
        broken
            .sign_in_with(Some(code.into()))
            .run_blocking(&store, SUBJECT)
            .is_err()
    );
}

struct FailsAt<'a> {
    store: &'a MemoryStore,
    at: u32,
    asked: core::sync::atomic::AtomicU32,
}

impl FailsAt<'_> {
    fn ask(&self) -> Result<(), Failed> {
        let asked = self
            .asked
            .fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        if asked == self.at {
            Err(Failed)
        } else {
            Ok(())
        }
    }
}

impl BlockingStore for FailsAt<'_> {
    type Error = Failed;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Failed> {
        self.ask()?;
        Ok(self.store.load_blocking(subject).expect("it never fails"))
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Failed> {
        self.ask()?;
        Ok(self
            .store
            .compare_and_swap_blocking(write)
            .expect("it never fails"))
    }
}

fn a_lost_race(stage: &Stage) {
    let store = MemoryStore::new();
    let mfa = stage.mfa(stage.policy());
    let (secret, _) = enrolled(stage, &mfa, &store);
    let row = store
        .load_blocking(SUBJECT)
        .expect("it never fails")
        .expect("a row");
    // Loses every race that its policy allows.
    let row = Row(Zeroizing::new(row.record));
    let request = mfa.sign_in_with(Some(stage.code(&secret, 0).into()));
    assert!(request.run_blocking(&row, SUBJECT).is_err());
    let request = mfa.associate(&administrator());
    assert!(request.run_blocking(&row, SUBJECT).is_err());
}

/// Has no row.
struct Unwritten(Silent);

impl Store for Unwritten {
    type Error = Infallible;

    async fn load(&self, _: &str) -> Result<Option<Snapshot>, Infallible> {
        Ok(None)
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Infallible> {
        self.0.compare_and_swap(write).await
    }
}

/// Never answers a swap.
struct Silent(Zeroizing<Vec<u8>>);

impl Store for Silent {
    type Error = Infallible;

    async fn load(&self, _: &str) -> Result<Option<Snapshot>, Infallible> {
        let (revision, record) = (Revision::FIRST, self.0.to_vec());
        Ok(Some(Snapshot { revision, record }))
    }

    async fn compare_and_swap(&self, _: Write) -> Result<Swap, Infallible> {
        core::future::pending().await
    }
}

fn a_dropped_future(stage: &Stage) {
    let store = MemoryStore::new();
    let mfa = stage.keyed(stage.policy());
    let (secret, _) = enrolled(stage, &stage.mfa(stage.policy()), &store);
    let row = store
        .load_blocking(SUBJECT)
        .expect("it never fails")
        .expect("a row");
    let silent = Silent(Zeroizing::new(row.record));
    let mfa = mfa.adopting_plain_records();
    let session = challenged(stage, &stage_view(stage, &mfa), &store);
    let code = stage.code(&secret, 0);
    stage.note_number(&code);
    let respond = mfa.respond(&session, code.clone());
    let mut waker = Task::from_waker(Waker::noop());
    let mut future = Box::pin(respond.run(&silent, SUBJECT));
    assert!(matches!(future.as_mut().poll(&mut waker), Poll::Pending));
    drop(future);
    drop(Box::pin(
        mfa.sign_in_with(Some(code.into())).run(&silent, SUBJECT),
    ));
    let mut future = pin!(mfa.associate(&administrator()).run(&silent, SUBJECT));
    assert!(matches!(future.as_mut().poll(&mut waker), Poll::Pending));
}

fn stage_view(_: &Stage, mfa: &Mfa) -> Mfa {
    mfa.with_audit(|_, _| {})
}

fn own_transaction(stage: &Stage) {
    let (store, mfa) = (MemoryStore::new(), stage.mfa(stage.policy()));
    let (secret, _) = enrolled(stage, &mfa, &store);
    let load = || store.load_blocking(SUBJECT).expect("it never fails");
    let request = mfa.sign_in_with(Some(stage.code(&secret, 0).into()));
    drop(request.decide(SUBJECT, load()).expect("a decision"));
    let decision = request.decide(SUBJECT, load()).expect("a decision");
    let write = decision.write().expect("a code is spent").clone();
    assert_eq!(store.compare_and_swap_blocking(write), Ok(Swap::Stored));
    assert!(decision.committed::<Infallible>().is_ok());
    let reused = request.decide(SUBJECT, load()).expect("a decision");
    assert!(reused.is_rejection());
    assert!(request.decide("", load()).is_err());
}

// Cognito.

fn target(operation: &str) -> String {
    format!("AWSCognitoIdentityProviderService.{operation}")
}

fn call(operation: &str, members: &[&str]) -> Option<Call> {
    let body = joined(members);
    Call::parse(&target(operation), body.as_bytes())
        .ok()
        .flatten()
}

fn answered(reply: Option<Reply>) -> Response {
    let response = reply.expect("a reply").response("request-1");
    response.unwrap_or_else(|_| panic!("nothing is complete"))
}

fn cognito(stage: &Stage, policy: Policy) -> (Mfa, Scope) {
    let scope = Scope::new("local_pool", "webclient").expect("short names");
    (stage.keyed(policy), scope)
}

/// A device name that makes a body longer than a buffer begins with.
const DEVICE: &str =
    "a telephone with a name that is long enough to make a buffer grow, if it does";

fn cognito_set_up(stage: &Stage) {
    let store = MemoryStore::new();
    let (mfa, scope) = cognito(stage, eight_digits(stage, true));
    let in_scope = mfa.with_context(scope.context().clone());
    let Some(Challenge::Setup { session, .. }) = run(in_scope.sign_in(), &store) else {
        panic!("nothing is in force");
    };
    note_session(stage, &session);
    let body = ["{\"Session\":\"", session.expose(), "\"}"];
    let Some(Call::Session(associate)) = call("AssociateSoftwareToken", &body) else {
        panic!("a session");
    };
    let reply = associate.answer(&mfa, &scope, SUBJECT).run_blocking(&store);
    drop(associate);
    let response = answered(reply.ok());
    // A client's copy of the answer: its session, out of the body.
    let text = core::str::from_utf8(&response.body).expect("JSON");
    let (_, after) = text.split_once("\"Session\":\"").expect("a session");
    let (next, _) = after.split_once('"').expect("a text");
    stage.note_signed("session", next);
    let next = joined(&[next]);
    drop(response);
    let body = [
        "{\"UserCode\":\"314159\",\"FriendlyDeviceName\":\"",
        DEVICE,
        "\",\"Session\":\"",
        &next,
        "\"}",
    ];
    let Some(Call::Session(verify)) = call("VerifySoftwareToken", &body) else {
        panic!("a session");
    };
    assert!(
        verify
            .clone()
            .answer(&mfa, &scope, SUBJECT)
            .run_blocking(&store)
            .is_err()
    );
    assert!(
        verify
            .answer(&mfa, &scope, "bob")
            .run_blocking(&store)
            .is_err()
    );
}

/// The codes of a pool have six digits: those of these tokens are only ever wrong here.
fn eight_digits(stage: &Stage, required: bool) -> Policy {
    let policy = stage.policy();
    if required { policy.required() } else { policy }
}

fn cognito_sign_in(stage: &Stage) {
    let store = MemoryStore::new();
    let (mfa, scope) = cognito(stage, eight_digits(stage, false));
    let (secret, evidence) = enrolled(stage, &mfa, &store);
    let signs_in = || Exchange::sign_in(&mfa, &scope, SUBJECT, "alice").run_blocking(&store);
    let response = answered(signs_in().ok());
    let text = core::str::from_utf8(&response.body).expect("JSON");
    let (_, after) = text.split_once("\"Session\":\"").expect("a session");
    let (session, _) = after.split_once('"').expect("a text");
    stage.note_signed("session", session);
    for offset in [99, 0] {
        let code = stage.code(&secret, offset).expose();
        let body = [
            "{\"ClientId\":\"webclient\",\"ChallengeName\":\"SOFTWARE_TOKEN_MFA\",\"Session\":\"",
            session,
            "\",\"ChallengeResponses\":{\"USERNAME\":\"alice\",\"SECRET_HASH\":\"aGFzaA==\",",
            "\"SOFTWARE_TOKEN_MFA_CODE\":\"",
            &code,
            "\"}}",
        ];
        let Some(Call::Challenge(respond)) = call("RespondToAuthChallenge", &body) else {
            panic!("an answer");
        };
        drop(respond.clone());
        let reply = respond.answer(&mfa, &scope, SUBJECT).run_blocking(&store);
        assert_eq!(reply.is_ok(), offset == 0);
        stage.note_number(&Code::parse(&code).expect("eight digits"));
        let silent = Unwritten(Silent(Zeroizing::default()));
        let mut future = Box::pin(respond.answer(&mfa, &scope, SUBJECT).run(&silent));
        let _ = future.as_mut().poll(&mut Task::from_waker(Waker::noop()));
        drop(future);
    }
    drop(signs_in());
    let body = ["{\"AccessToken\":\"a.b.c\"}"];
    let Some(Call::AccessToken(associate)) = call("AssociateSoftwareToken", &body) else {
        panic!("an access token");
    };
    let grant = Grant::from(&evidence);
    let response = answered(associate.answer(&mfa, &grant).run_blocking(&store).ok());
    drop(response.clone());
}

fn cognito_refused(stage: &Stage) {
    let store = MemoryStore::new();
    let (mfa, _) = cognito(stage, eight_digits(stage, false));
    let (secret, _) = enrolled(stage, &mfa, &store);
    let session = challenged(stage, &mfa, &store);
    let code = stage.code(&secret, 0).expose();
    let text = session.expose();
    let session = ["\"Session\":\"", text, "\""].concat_wiped();
    let code = ["\"UserCode\":\"", &code, "\""].concat_wiped();
    for body in [
        joined(&["{", &session, ",", &code, "}"]),
        joined(&["{", &session, ",", &session, "}"]),
        joined(&["{", &session, ",\"AccessToken\":\"a.b.c\"}"]),
        joined(&["{", &session, ",\"UserCode\":7}"]),
        joined(&["{", &session]),
        joined(&["[", &session, "]"]),
        joined(&[
            "{\"UserCode\":\"123456\",\"Session\":\"",
            &text[..19],
            "\"}",
        ]),
        joined(&["{\"UserCode\":\"123456\",\"AccessToken\":\"", text, " \"}"]),
        joined(&[
            "{",
            &session,
            ",\"UserCode\":\"123456\",\"FriendlyDeviceName\":\"\\",
            "ud800\"}",
        ]),
    ] {
        for operation in [
            "VerifySoftwareToken",
            "AssociateSoftwareToken",
            "RespondToAuthChallenge",
        ] {
            drop(Call::parse(&target(operation), body.as_bytes()));
        }
    }
}

/// Puts parts together, and wipes what comes of it.
trait ConcatWiped {
    fn concat_wiped(&self) -> Zeroizing<String>;
}

impl<const N: usize> ConcatWiped for [&str; N] {
    fn concat_wiped(&self) -> Zeroizing<String> {
        joined(self)
    }
}

fn cognito_tokens(stage: &Stage) {
    // Tokens that the application has issued: its own copies are its own to wipe.
    let secret = stage.secret();
    let token = secret.expose_base32();
    let tokens = AuthenticationResult {
        access_token: joined(&[&token, ".", &token, ".", &token, DEVICE]).to_string(),
        id_token: Some(joined(&[&token, DEVICE]).to_string()),
        refresh_token: None,
        expires_in: 3_600,
        token_type: "Bearer".into(),
    };
    let response = Response::authenticated(&tokens, "request-1");
    drop(response);
    wipe(tokens);
}

fn wipe(tokens: AuthenticationResult) {
    drop(Zeroizing::new(tokens.access_token));
    drop(tokens.id_token.map(Zeroizing::new));
}

// Controls.

fn frees_a_copy(stage: &Stage) {
    drop(core::hint::black_box(stage.secret().expose().to_vec()));
}

fn grows(stage: &Stage) {
    let mut text = Zeroizing::new(String::new());
    text.push_str(&stage.secret().expose_base32());
    text.push_str(DEVICE);
}

fn frees_letters(stage: &Stage) {
    let text = stage.secret().expose_base32();
    drop(core::hint::black_box(text[5..13].to_owned()));
}

fn frees_a_number(stage: &Stage) {
    let code = stage.code(&stage.secret(), 0);
    stage.note_number(&code);
    let number: u32 = code.expose().parse().expect("digits");
    drop(core::hint::black_box(Box::new(number)));
}

fn forgets(stage: &Stage) {
    core::mem::forget(stage.secret());
}

fn leaves_a_half(stage: &Stage) {
    let secret = stage.secret();
    core::mem::forget(Box::<[u8]>::from(&secret.expose()[10..]));
}
