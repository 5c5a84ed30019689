//! What is stored can be read for ever: kept fixtures, and bytes that are no record.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::time::Duration;

use crate::world::{Device, World};
use softtoken::association::{Authenticate, Operation, Recover};
use softtoken::record::{self, FORMAT, RecordError};
use softtoken::totp::{Algorithm, Digits, Secret, Totp};
use softtoken::{
    Administrator, AttemptKey, Environment, Import, Mfa, Policy, Preference, Record, RecoveryCode,
    SessionKeys, Step, UnixTime,
};

#[expect(clippy::unnecessary_wraps, reason = "the shape of an Entropy")]
fn fixed_bytes(bytes: &mut [u8]) -> Result<(), softtoken::NoEntropy> {
    for (byte, value) in bytes.iter_mut().zip(1..) {
        *byte = value;
    }
    Ok(())
}

/// A world in which nothing is random.
fn fixed_world(policy: Policy) -> World {
    let mut world = World::new(policy);
    world.time.set(1_700_000_000);
    let time = world.time.clone();
    world.mfa = Mfa::new(policy, move || Some(time.now()), fixed_bytes)
        .sessions(SessionKeys::from_bytes(1, &[7; 32]));
    world
}

/// The parameters of the token in the fixture `everything`.
fn unusual() -> Totp {
    Totp::new(Algorithm::Sha256, Digits::Eight, Duration::from_secs(60)).unwrap()
}

/// A record with everything set.
fn everything() -> Record {
    let world = fixed_world(Policy::builder().learn_drift(true).build().unwrap());
    let secret = Secret::from_bytes(&[0xa5; 32]).unwrap();
    let device = Device::new(&secret, unusual());

    let reset = world.mfa.reset(Administrator);
    reset.run_blocking(&world.store, "alice").unwrap();
    let import = Import::pending(Administrator, secret, unusual(), &fixed_bytes).unwrap();
    let import = world.mfa.import(import.named("Pixel 9"));
    import.run_blocking(&world.store, "alice").unwrap();
    world.time.advance(60);
    let code = device.code(world.now());
    let verify = world.mfa.verify(world.password().id("jti-1"), code);
    let _ = verify.run_blocking(&world.store, "alice").unwrap();
    let prefer = world.mfa.prefer(Administrator, Preference::Preferred);
    prefer.run_blocking(&world.store, "alice").unwrap();
    let _ = recovery_codes(&world);

    world.time.advance(60);
    let session = world.challenge("alice");
    let respond = world.mfa.respond(&session, device.code_in(world.now(), 1));
    let respond = respond.attempt(AttemptKey::from_bytes([3; 16]));
    let _ = respond.run_blocking(&world.store, "alice").unwrap();
    for _ in 0..3 {
        let wrong = world.mfa.authenticate(device.wrong_code(world.now()));
        assert!(wrong.run_blocking(&world.store, "alice").is_err());
    }
    let replacement = world.mfa.associate(Administrator).named("Pixel 10");
    let _ = replacement.run_blocking(&world.store, "alice").unwrap();
    world.record("alice")
}

fn recovery_codes(world: &World) -> softtoken::RecoveryCodes {
    let issue = world.mfa.issue_recovery_codes(Administrator);
    issue.run_blocking(&world.store, "alice").unwrap()
}

fn pending() -> Record {
    let world = fixed_world(Policy::STANDARD);
    let _ = world.associate("alice");
    world.record("alice")
}

/// Kept since format 1 was written. Never make them anew: they are what is out there.
const FIXTURES: [(&str, &[u8]); 3] = [
    ("empty", include_bytes!("fixtures/format-1-empty.bin")),
    ("pending", include_bytes!("fixtures/format-1-pending.bin")),
    (
        "everything",
        include_bytes!("fixtures/format-1-everything.bin"),
    ),
];

fn made_today() -> [(&'static str, Record); 3] {
    [
        ("empty", Record::default()),
        ("pending", pending()),
        ("everything", everything()),
    ]
}

#[test]
fn every_format_ever_released_is_read() {
    for ((name, bytes), (made, record)) in FIXTURES.iter().zip(made_today()) {
        assert_eq!(*name, made);
        assert_eq!(record::decode(bytes), Ok(record), "{name}");
    }
}

#[test]
fn the_format_that_is_written_is_the_one_of_the_fixtures() {
    assert_eq!(FORMAT, 1);
    for (_, bytes) in FIXTURES {
        let read = record::decode(bytes).unwrap();
        assert_eq!(record::encode(&read).as_slice(), bytes);
    }
}

#[test]
fn a_token_out_of_a_fixture_signs_in() {
    let (_, bytes) = FIXTURES[2];
    let now = UnixTime::from_secs(1_700_000_300);
    let environment = Environment::new("alice", &Policy::STANDARD, now);
    let record = record::decode(bytes).unwrap();
    let device = Device::new(&Secret::from_bytes(&[0xa5; 32]).unwrap(), unusual());
    let authenticate = Authenticate::new(device.code(now));
    let accepted = authenticate.apply(record.clone(), &environment);
    assert!(accepted.outcome.is_ok());

    let shown = RecoveryCode::parse("0410-6105-0R3G-G28A").unwrap();
    let recovered = Recover::new(shown).apply(record, &environment);
    assert!(recovered.outcome.is_ok());
}

#[test]
fn a_newer_format_is_refused_by_name() {
    for format in [FORMAT + 1, 0x7f, 0xff] {
        let mut bytes = record::encode(&Record::default()).to_vec();
        bytes[0] = format;
        let refused = record::decode(&bytes).unwrap_err();
        assert_eq!(refused, RecordError::UnknownFormat { format });
        assert!(refused.to_string().contains(&format.to_string()));
    }
    assert_eq!(record::decode(&[0]), Err(RecordError::Damaged));
    assert_eq!(record::decode(&[]), Err(RecordError::Damaged));
}

#[test]
fn a_record_that_is_cut_short_or_too_long_is_damaged() {
    for (name, bytes) in FIXTURES {
        for length in 0..bytes.len() {
            let cut = record::decode(&bytes[..length]);
            assert_eq!(cut, Err(RecordError::Damaged), "{name} cut to {length}");
        }
        let longer = [bytes, &[0]].concat();
        assert_eq!(record::decode(&longer), Err(RecordError::Damaged));
    }
}

#[test]
fn step_numbers_survive_their_extremes() {
    for step in [0, 1, u64::MAX] {
        let world = fixed_world(Policy::STANDARD);
        world.time.set(u64::MAX);
        let secret = Secret::from_bytes(&[1; 16]).unwrap();
        let import = Import::proven(Administrator, secret, Totp::STANDARD);
        let import = world.mfa.import(import.last_step(Step::new(step)));
        import.run_blocking(&world.store, "alice").unwrap();
        let record = world.record("alice");
        assert_eq!(record::decode(&record::encode(&record)), Ok(record));
    }
}
