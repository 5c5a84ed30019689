//! Where randomness comes from: asked for whole, by everything that is drawn; and a generator that fails is an
//! error, whichever draw it fails at.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::fmt;
use core::time::Duration;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::world::{Device, World, admin, context};
use rand_core::{TryCryptoRng, TryRng};
use softtoken::association::{AttemptKey, BrowserKeys, ImportedToken, Operation};
use softtoken::entropy::{Entropy, NoEntropy};
use softtoken::mfa::Request;
use softtoken::totp::{Secret, Totp};
use softtoken::{Challenge, Error, Fault, Grant, Mfa, OsEntropy, SessionKeys};

/// Fills what it is asked for, but for one draw, at which it fails; it remembers how much was asked for.
#[derive(Clone)]
struct Failing {
    at: usize,
    asked: Arc<Mutex<Vec<usize>>>,
}

impl Failing {
    fn at(draw: usize) -> Self {
        Self {
            at: draw,
            asked: Arc::default(),
        }
    }

    fn never() -> Self {
        Self::at(usize::MAX)
    }
}

impl Entropy for Failing {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(bytes.len());
        if asked.len().checked_sub(1) == Some(self.at) {
            return Err(NoEntropy);
        }
        bytes.fill(0xa5);
        Ok(())
    }
}

/// How much a draw asks for, in its order. It is run on a generator that fails at the first of these, on one that
/// fails at the second, and so on: each time it must fail, although the generator has gone on since.
#[track_caller]
fn lengths<T>(draw: impl Fn(Failing) -> Result<T, NoEntropy>) -> Vec<usize> {
    let generator = Failing::never();
    assert!(draw(generator.clone()).is_ok());
    let asked = generator.asked.lock().unwrap().clone();
    for at in 0..asked.len() {
        assert!(draw(Failing::at(at)).is_err(), "draw {at} failed unseen");
    }
    asked
}

/// The draws of a request that succeeds about alice, of whom `world` keeps a row.
#[track_caller]
fn lengths_of<O: Operation>(world: &World, request: impl Fn(&Mfa) -> Request<O>) -> Vec<usize> {
    lengths(|generator| {
        let clock = world.time.clone();
        let mfa = Mfa::new(*world.mfa.policy(), move || Some(clock.now()), generator)
            .with_sessions(SessionKeys::from_bytes(1, &[7; 32]), context("world"));
        match request(&mfa).decide("alice", world.row("alice")) {
            Ok(decision) => {
                assert!(!decision.is_rejection());
                Ok(())
            }
            Err(Fault::NoEntropy(none)) => Err(none),
            Err(other) => panic!("{other}"),
        }
    })
}

#[test]
fn every_request_draws_all_of_it_and_fails_at_whichever_draw_the_generator_does() {
    let world = World::standard();
    // An id, a nonce, a secret.
    let associate = lengths_of(&world, |mfa| mfa.associate(&world.password("alice")));
    assert_eq!(sorted(associate), [16, 16, 20]);
    let (device, grant) = world.enrolled("alice");
    world.time.advance(30);

    assert_eq!(lengths_of(&world, Mfa::sign_in), [16], "a nonce");
    let issue = lengths_of(&world, |mfa| mfa.issue_recovery_codes(&grant));
    assert_eq!(sorted(issue), [[16].as_slice(), &[25; 10]].concat());
    let hour = Duration::from_secs(3_600);
    let issue = lengths_of(&world, |mfa| mfa.issue_temporary_code(&admin(), hour));
    assert_eq!(sorted(issue), [16, 25]);

    let issued = world.mfa.associate(&grant);
    let issued = issued.run_blocking(&world.store, "alice").unwrap();
    let code = Device::of(&issued).code(world.now());
    let verify = lengths_of(&world, |mfa| mfa.verify(&grant, code.clone()));
    assert_eq!(verify, [16], "a nonce");
    let step_up = |mfa: &Mfa| mfa.step_up(&grant, device.code(world.now()));
    assert_eq!(lengths_of(&world, step_up), [0; 0], "it draws nothing");

    let bob = World::standard();
    let secret = |number: u8| Secret::from_bytes(&[number; 20]).unwrap();
    let import = lengths_of(&bob, |mfa| {
        mfa.import(&admin(), [ImportedToken::proven(secret(1), Totp::STANDARD)])
    });
    assert_eq!(import, [16], "an id");
}

fn sorted(mut lengths: Vec<usize>) -> Vec<usize> {
    lengths.sort_unstable();
    lengths
}

#[test]
fn every_key_is_drawn_whole_or_not_made() {
    let session = lengths(|generator| SessionKeys::generate(1, &generator));
    let browser = lengths(|generator| BrowserKeys::generate(1, &generator));
    let attempt = lengths(|generator| AttemptKey::generate(&generator));
    assert_eq!((session, browser), (vec![32], vec![32]));
    assert_eq!(attempt, [16]);
    let key = AttemptKey::generate(&Failing::never()).unwrap();
    assert_eq!(key.expose(), &[0xa5; 16], "it is what was drawn");
}

#[cfg(feature = "seal")]
#[test]
fn a_seals_key_and_every_nonce_are_drawn_whole_or_nothing_is_sealed() {
    use softtoken::record::{Keyring, Place, Seal as _, SealError};

    let key = lengths(|generator| Keyring::generate(1, &generator));
    assert_eq!(key, [32]);
    let keyring = Keyring::from_bytes(1, &[7; 32]);
    let place = Place::new("alice", softtoken::Revision::FIRST);
    let nonce = lengths(|generator| {
        let sealed = keyring.seal(place, &generator, b"record");
        sealed.map_err(|error| match error {
            SealError::NoEntropy(none) => none,
            other => panic!("{other}"),
        })
    });
    assert_eq!(nonce, [24]);
    let sealed = keyring.seal(place, &Failing::never(), b"record").unwrap();
    assert_eq!(sealed[4..28], [0xa5; 24], "it is what was drawn");
}

#[test]
fn a_generated_key_is_all_of_what_was_drawn() {
    let counting = |bytes: &mut [u8]| {
        for (byte, number) in bytes.iter_mut().zip(1..) {
            *byte = number;
        }
        Ok(())
    };
    let drawn: [u8; 32] = core::array::from_fn(|at| u8::try_from(at + 1).unwrap());
    let world = World::standard();
    let generated = SessionKeys::generate(1, &counting).unwrap();
    let generating = world.mfa.clone().with_sessions(generated, context("world"));
    let given = SessionKeys::from_bytes(1, &drawn);
    let given = world.mfa.clone().with_sessions(given, context("world"));
    world.enrol("alice");
    let sign_in = generating.sign_in().run_blocking(&world.store, "alice");
    let Challenge::SoftwareToken { session, .. } = sign_in.unwrap() else {
        panic!("a token is in force");
    };
    assert!(given.open(session.expose()).is_ok());
}

#[derive(Debug)]
struct Exhausted;

impl fmt::Display for Exhausted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the generator is exhausted")
    }
}

impl core::error::Error for Exhausted {}

/// A generator of an application's: it fails, it panics, or it counts.
#[derive(Clone, Copy)]
enum Generator {
    Counts(u8),
    Fails,
    Panics,
}

impl TryRng for Generator {
    type Error = Exhausted;

    fn try_next_u32(&mut self) -> Result<u32, Exhausted> {
        Err(Exhausted)
    }

    fn try_next_u64(&mut self) -> Result<u64, Exhausted> {
        Err(Exhausted)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Exhausted> {
        match self {
            Self::Counts(count) => {
                for byte in bytes {
                    *byte = *count;
                    *count += 1;
                }
                Ok(())
            }
            Self::Fails => Err(Exhausted),
            Self::Panics => panic!("in the generator"),
        }
    }
}

impl TryCryptoRng for Generator {}

#[test]
fn a_generator_behind_a_lock_fills_whole_and_goes_on_where_it_was() {
    let generator = Mutex::new(Generator::Counts(1));
    let mut bytes = [0; 4];
    generator.fill(&mut bytes).unwrap();
    assert_eq!(bytes, [1, 2, 3, 4]);
    generator.fill(&mut bytes).unwrap();
    assert_eq!(bytes, [5, 6, 7, 8]);
}

#[test]
fn a_generator_behind_a_lock_that_fails_is_no_entropy() {
    let generator = Mutex::new(Generator::Fails);
    assert_eq!(generator.fill(&mut [0; 20]), Err(NoEntropy));
    let world = World::standard();
    let now = world.now();
    let mfa = Mfa::new(*world.mfa.policy(), move || Some(now), generator);
    let associate = mfa.associate(&Grant::first_factor("alice", now));
    let failed = associate.run_blocking(&world.store, "alice").unwrap_err();
    assert_eq!(failed, Error::Fault(Fault::NoEntropy(NoEntropy)));
}

#[test]
fn a_generator_whose_lock_a_panic_poisoned_is_no_entropy() {
    let generator = Mutex::new(Generator::Panics);
    let panicked = thread::scope(|scope| scope.spawn(|| generator.fill(&mut [0; 20])).join());
    assert!(panicked.is_err());
    let mut poisoned = generator;
    // It would answer now; what state the panic left it in, nobody knows.
    *poisoned
        .get_mut()
        .unwrap_or_else(|poison| poison.into_inner()) = Generator::Counts(1);
    assert!(poisoned.is_poisoned());
    assert_eq!(poisoned.fill(&mut [0; 20]), Err(NoEntropy));
}

/// All of the bytes, not only the first: of 64 draws, each byte differs in some two of them.
#[test]
fn the_operating_systems_generator_fills_whole() {
    let draws: Vec<[u8; 40]> = (0..64)
        .map(|_| {
            let mut bytes = [0; 40];
            OsEntropy.fill(&mut bytes).unwrap();
            bytes
        })
        .collect();
    for at in 0..40 {
        let values: HashSet<u8> = draws.iter().map(|bytes| bytes[at]).collect();
        assert!(values.len() > 1, "byte {at} is always {values:?}");
    }
}

/// R1: of 125 bits, every one counts. A code that differs in its last character, or in any other, is another one.
#[test]
fn recovery_codes_differ_in_every_character_that_is_drawn() {
    let world = World::standard();
    let (_, grant) = world.enrolled("alice");
    let mut characters: Vec<HashSet<char>> = vec![HashSet::new(); 25];
    for _ in 0..8 {
        let issue = world.mfa.issue_recovery_codes(&grant);
        let codes = issue.run_blocking(&world.store, "alice").unwrap();
        for code in &codes {
            let text = code.expose();
            let typed = text.chars().filter(|typed| *typed != '-');
            for (seen, typed) in characters.iter_mut().zip(typed) {
                seen.insert(typed);
            }
        }
    }
    for (at, seen) in characters.iter().enumerate() {
        assert!(seen.len() > 8, "character {at} is one of {seen:?}");
    }
}
