//! Runs the library with callgrind counting the instructions of what judges.
//!
//! The cases of a family differ in what is secret alone, so their numbers are equal; those of a
//! family that begins with `twin` are not. What gives the outcome after it was judged is left out
//! by its name: `Judgement::verdict`, `recovery::revealed`.

use core::hint::black_box;

use softtoken::time::Step;
use softtoken::totp::{Algorithm, Digits, Secret, Totp, Verifier, Window};
use softtoken::{Code, Factor};

use crate::twins;
use crate::valgrind::count;
use crate::world::{self, SUBJECT, World, step};

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];

type Case = (String, Box<dyn Fn()>);

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut case = |family: &str, name: String, run: Box<dyn Fn()>| {
        cases.push((format!("{family}: {name}"), run));
    };
    // Two steps that are spent, three that are fresh, and one that is none of the window's.
    for offset in [-2, -1, 0, 1, 2, 1_000] {
        for algorithm in ALGORITHMS {
            let run = move || judges(algorithm, offset);
            case(
                &format!("verifier, {algorithm}"),
                format!("{offset}"),
                Box::new(run),
            );
        }
        case(
            "verifier, pair",
            format!("{offset}"),
            Box::new(move || judges_pair(offset)),
        );
        let run = move || twin_judges(offset);
        case("twin of the verifier", format!("{offset}"), Box::new(run));
    }
    for place in [Some(0), Some(1), Some(5), Some(9), None] {
        let name = place.map_or("wrong".to_owned(), |place: usize| place.to_string());
        case("recovery code", name, Box::new(move || recovers(place)));
    }
    for byte in [0, 1, 16, 31] {
        case(
            "session",
            format!("wrong in {byte}"),
            Box::new(move || opens(byte)),
        );
        case(
            "twin of a comparison",
            format!("wrong in {byte}"),
            Box::new(move || compares(byte)),
        );
    }
    for seed in [1, 2, 3] {
        case(
            "base32, read",
            format!("secret {seed}"),
            Box::new(move || reads(seed)),
        );
        case(
            "base32, written",
            format!("secret {seed}"),
            Box::new(move || writes(seed)),
        );
    }
    for digits in ["000000", "999999", "314159"] {
        case(
            "code, shown",
            digits.to_owned(),
            Box::new(move || shows(digits)),
        );
    }
    cases
}

/// Returns the names of the cases: a family, a colon, and what is told apart in it.
#[must_use]
pub fn names() -> Vec<String> {
    cases().into_iter().map(|(name, _)| name).collect()
}

/// Runs the case at this place among the names; `false` where there is none.
#[must_use]
pub fn run(place: usize) -> bool {
    let case = cases().into_iter().nth(place);
    case.map(|(_, run)| run()).is_some()
}

fn totp(algorithm: Algorithm) -> Totp {
    Totp::new(algorithm, Digits::Six, Totp::STANDARD.period()).expect("the period of the standard")
}

fn window() -> Window {
    Window::new(2, 2).expect("five steps")
}

fn floor() -> Step {
    step().saturating_offset(-1)
}

fn judges(algorithm: Algorithm, offset: i64) {
    let verifier = Verifier::new(&world::secret(1, 20), totp(algorithm));
    let code = verifier.code(step().saturating_offset(offset));
    let (window, floor) = (window(), Some(floor()));
    let verdict = count(|| verifier.verify(black_box(&code), step(), window, floor));
    let _ = black_box(verdict);
}

fn judges_pair(offset: i64) {
    let verifier = Verifier::new(&world::secret(1, 20), Totp::STANDARD);
    let first = verifier.code(step().saturating_offset(offset));
    let second = verifier.code(step().saturating_offset(offset + 1));
    let floor = Some(floor());
    let verdict = count(|| verifier.verify_pair(black_box(&first), &second, step(), 4, floor));
    let _ = black_box(verdict);
}

fn twin_judges(offset: i64) {
    let verifier = Verifier::new(&world::secret(1, 20), Totp::STANDARD);
    let code = verifier.code(step().saturating_offset(offset));
    let steps: Vec<Step> = window().steps(step()).collect();
    let judge = || twins::judges_until_the_first_match(&verifier, &code, &steps, floor());
    black_box(count(judge));
}

/// The counting is begun and ended by the name of `Recovery::find`.
fn recovers(place: Option<usize>) {
    let world = World::enrolled();
    let issue = || {
        let request = world.mfa.issue_recovery_codes(&world.administrator);
        request
            .run_blocking(&world.store, SUBJECT)
            .expect("a token is in force")
    };
    let (old, codes) = (issue(), issue());
    let code = match place {
        Some(place) => codes.iter().nth(place),
        None => old.iter().next(),
    };
    let factor = Some(Factor::RecoveryCode(code.expect("ten codes").clone()));
    let signed_in = world
        .mfa
        .sign_in_with(factor)
        .run_blocking(&world.store, SUBJECT);
    assert_eq!(signed_in.is_ok(), place.is_some());
}

fn opens(byte: usize) {
    let world = World::enrolled();
    let challenge = world.mfa.sign_in().run_blocking(&world.store, SUBJECT);
    let Ok(softtoken::Challenge::SoftwareToken { session, .. }) = challenge else {
        panic!("a token is in force");
    };
    let text = world::forged(session.expose(), byte);
    assert!(count(|| world.mfa.open(&text)).is_err());
}

fn compares(byte: usize) {
    let right = world::bytes(1, 32);
    let mut wrong = right.clone();
    wrong[byte] ^= 1;
    black_box(count(|| {
        twins::compares_until_the_first_difference(black_box(&right), black_box(&wrong))
    }));
}

/// A secret that is all letters, one that is all digits, and one of both.
fn text(seed: u8) -> String {
    match seed {
        1 => "A".repeat(32),
        2 => "7".repeat(32),
        _ => world::secret(seed, 20).expose_base32().to_string(),
    }
}

fn reads(seed: u8) {
    let text = text(seed);
    assert!(count(|| Secret::from_base32(black_box(&text))).is_ok());
}

fn writes(seed: u8) {
    let secret = Secret::from_base32(&text(seed)).expect("base32");
    black_box(count(|| black_box(&secret).expose_base32()));
}

fn shows(digits: &str) {
    let code = Code::parse(digits).expect("six digits");
    black_box(count(|| black_box(&code).expose()));
}
