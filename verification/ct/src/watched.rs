//! Runs the library with secrets that memcheck watches.
//!
//! A secret is memory that memcheck takes for undefined, and so is whatever is computed of it.
//! Memcheck reports every branch and every address that depends on such memory. The functions that
//! may branch are named in `outcomes.supp`; where one of them gives more than an answer of yes or
//! no (which step it was), that is shown here by hand.

use core::time::Duration;

use softtoken::association::AttemptKey;
use softtoken::record::{Keyring, Place, RecordError, Seal};
use softtoken::totp::{Algorithm, Digits, Secret, Totp, Verdict, Verifier, Window};
use softtoken::{
    Challenge, Error, Factor, Grant, Mfa, Policy, RecoveryCode, Rejection, Revision, SignedIn,
};

use crate::valgrind::{errors, hide, hide_bits, is_hidden, show};
use crate::world::{self, NOW, SUBJECT, World};
use crate::{twins, world::step};

/// Runs everything, and says whether nothing was reported but for the twins.
#[must_use]
pub fn all() -> bool {
    let cases: [(&str, fn()); 14] = [
        ("verifier, SHA-1", || verifier(Algorithm::Sha1)),
        ("verifier, SHA-256", || verifier(Algorithm::Sha256)),
        ("verifier, SHA-512", || verifier(Algorithm::Sha512)),
        ("verifier, two codes in a row", pairs),
        ("codes and secrets, compared and shown", comparisons),
        ("challenge session", sessions),
        ("remembered browser", browsers),
        ("recovery codes", recovery_codes),
        ("temporary code", temporary_code),
        ("attempt", attempts),
        ("id of a grant", grants),
        ("seal", seal),
        ("base32 of a secret", base32),
        ("hexadecimal of a secret", hexadecimal),
    ];
    let twins: [(&str, fn()); 4] = [
        ("twin that compares until the first difference", || {
            let (left, right) = (world::bytes(1, 16), world::bytes(2, 16));
            hide(left.as_slice());
            let _ = show(twins::compares_until_the_first_difference(&left, &right));
        }),
        ("twin that compares as slices", || {
            let (left, right) = (world::bytes(1, 16), world::bytes(2, 16));
            hide(left.as_slice());
            let same = twins::compares_as_slices(&left, &right);
            assert!(!show(branch(same)));
        }),
        ("twin that looks up", || {
            let value = world::bytes(1, 1);
            hide(value.as_slice());
            let _ = show(twins::looks_up(value[0]));
        }),
        ("twin that leaves at the first match", || {
            let shown = [1, 2, 3, 4, 5];
            hide(&shown);
            let _ = show(twins::leaves_at_the_first_match(&shown, 3));
        }),
    ];
    let clean = cases.map(|(name, case)| reported(name, case) == 0);
    let caught = twins.map(|(name, twin)| reported(name, twin) > 0);
    clean.into_iter().chain(caught).all(|holds| holds)
}

/// A comparison that is made without a branch has one where its answer is asked for.
#[inline(never)]
fn branch(answer: bool) -> bool {
    if answer {
        core::hint::black_box(true)
    } else {
        core::hint::black_box(false)
    }
}

fn reported(name: &str, case: impl FnOnce()) -> u64 {
    let before = errors();
    case();
    let reported = errors() - before;
    println!("{name}: {reported} reported");
    reported
}

fn hidden_secret(seed: u8, length: usize) -> Secret {
    let secret = world::secret(seed, length);
    hide(secret.expose());
    secret
}

fn totp(algorithm: Algorithm, digits: Digits) -> Totp {
    Totp::new(algorithm, digits, Duration::from_secs(30)).expect("a period")
}

fn verifier(algorithm: Algorithm) {
    let wide = Window::new(10, 10).expect("a window");
    for digits in [Digits::Six, Digits::Seven, Digits::Eight] {
        // Shorter than a block of either size, as long, and longer.
        for length in [10, 20, 64, 65, 128] {
            let verifier = Verifier::new(&hidden_secret(1, length), totp(algorithm, digits));
            judge(&verifier, Window::STANDARD);
        }
        let verifier = Verifier::new(&hidden_secret(1, 20), totp(algorithm, digits));
        judge(&verifier, wide);
        judge(&verifier, Window::STANDARD.with_drift(-7));
    }
    // A code of another length is none of the token's.
    let [six, eight] = [Digits::Six, Digits::Eight].map(|digits| totp(algorithm, digits));
    let code = Verifier::new(&hidden_secret(1, 20), eight).code(step());
    let verifier = Verifier::new(&hidden_secret(1, 20), six);
    let verdict = show(verifier.verify(&code, step(), Window::STANDARD, None));
    assert_eq!(verdict, Verdict::Mismatch);
}

/// Judges a code of every step of the window, fresh and spent, and one of none.
fn judge(verifier: &Verifier, window: Window) {
    for right in window.steps(step()) {
        let code = verifier.code(right);
        assert!(is_hidden(&code));
        let before = right.saturating_offset(-1);
        for after in [None, Some(before)] {
            let verdict = show(verifier.verify(&code, step(), window, after));
            assert!(matches!(verdict, Verdict::Accepted { step, .. } if step == right));
        }
        let verdict = show(verifier.verify(&code, step(), window, Some(right)));
        assert_eq!(verdict, Verdict::Reused { step: right });
    }
    let code = verifier.code(step().saturating_offset(1_000));
    let verdict = show(verifier.verify(&code, step(), window, None));
    assert_eq!(verdict, Verdict::Mismatch);
}

fn pairs() {
    let verifier = Verifier::new(&hidden_secret(1, 20), Totp::STANDARD);
    for offset in [-20, -1, 0, 7, 20] {
        let first = step().saturating_offset(offset);
        let second = first.saturating_offset(1);
        let (code, next) = (verifier.code(first), verifier.code(second));
        for after in [None, Some(first)] {
            let verdict = show(verifier.verify_pair(&code, &next, step(), 20, after));
            assert!(matches!(
                (verdict, after),
                (Verdict::Accepted { step, .. }, None) | (Verdict::Reused { step }, Some(_))
                    if step == second
            ));
        }
        let verdict = show(verifier.verify_pair(&next, &code, step(), 20, None));
        assert_eq!(verdict, Verdict::Mismatch);
    }
}

fn comparisons() {
    assert!(hidden_secret(1, 20) == hidden_secret(1, 20));
    assert!(hidden_secret(1, 20) != hidden_secret(2, 20));
    for digits in [Digits::Six, Digits::Eight] {
        let verifier = Verifier::new(&hidden_secret(1, 20), totp(Algorithm::Sha1, digits));
        let (code, next) = (
            verifier.code(step()),
            verifier.code(step().saturating_offset(1)),
        );
        assert!(code == code.clone());
        assert!(code != next);
        assert!(is_hidden(code.expose().as_bytes()));
    }
}

fn hidden_key(seed: u8) -> [u8; 32] {
    let key = world::key(seed);
    hide(&key);
    key
}

fn sessions() {
    let required = Policy::STANDARD.required();
    let world = World::new();
    let mfa = world.mfa.with_policy(required).expect("the same record");
    let challenge = mfa.sign_in().run_blocking(&world.store, SUBJECT);
    let Ok(Challenge::Setup { session, .. }) = challenge else {
        panic!("nothing is in force");
    };
    let text = session.expose();
    let watched = Mfa::new(required, || Some(NOW), world.drawn.clone())
        .with_sessions(world::sessions(&hidden_key(1)), world::context());
    assert!(watched.open(text).is_ok());
    for byte in [0, 16, 31] {
        assert!(watched.open(&world::forged(text, byte)).is_err());
    }
}

fn browsers() {
    let world = World::enrolled();
    let factor = Some(Factor::Code(world::code(0)));
    let signed_in = world.mfa.sign_in_with(factor);
    let Ok(SignedIn::Proven(evidence)) = signed_in.run_blocking(&world.store, SUBJECT) else {
        panic!("the code is right");
    };
    let token = world
        .mfa
        .remember(&evidence)
        .expect("a clock")
        .expect("a browser");
    let day = Duration::from_secs(86_400);
    let watched = Mfa::new(Policy::STANDARD, || Some(NOW), world.drawn.clone())
        .with_sessions(world::sessions(&world::key(1)), world::context())
        .with_browsers(world::browsers(&hidden_key(2)), day)
        .expect("a lifetime");
    let is_remembered = |text: &str| {
        let request = watched.sign_in().from_browser(Some(text));
        let challenge = request.run_blocking(&world.store, SUBJECT);
        matches!(challenge, Ok(Challenge::NotRequired { .. }))
    };
    assert!(is_remembered(token.expose()));
    for byte in [0, 16, 31] {
        assert!(!is_remembered(&world::forged(token.expose(), byte)));
    }
}

fn signs_in(world: &World, code: &RecoveryCode) -> bool {
    let factor = Some(Factor::RecoveryCode(code.clone()));
    let signed_in = world.mfa.sign_in_with(factor);
    let signed_in = signed_in.run_blocking(&world.store, SUBJECT);
    matches!(signed_in, Ok(SignedIn::Proven(_)))
}

fn recovery_codes() {
    let world = World::enrolled();
    world.drawn.hides(true);
    let issue = || {
        let request = world.mfa.issue_recovery_codes(&world.administrator);
        let codes = request.run_blocking(&world.store, SUBJECT);
        codes.expect("a token is in force")
    };
    let (old, codes) = (issue(), issue());
    world.drawn.hides(false);
    let code = |place| codes.iter().nth(place).expect("ten codes");
    assert!(is_hidden(code(0).expose().as_bytes()));
    assert!(code(0) == code(0));
    assert!(code(0) != code(1));
    for wrong in &old {
        assert!(!signs_in(&world, wrong));
    }
    for place in [0, 9, 4] {
        assert!(signs_in(&world, code(place)));
        assert!(!signs_in(&world, code(place)));
    }
}

fn temporary_code() {
    let world = World::enrolled();
    world.drawn.hides(true);
    let issue = || {
        let hour = Duration::from_secs(3_600);
        let request = world.mfa.issue_temporary_code(&world.administrator, hour);
        let code = request.run_blocking(&world.store, SUBJECT);
        code.expect("a token is in force")
    };
    let (old, code) = (issue(), issue());
    world.drawn.hides(false);
    assert!(!signs_in(&world, &old));
    assert!(signs_in(&world, &code));
}

fn attempts() {
    let world = World::enrolled();
    let key = |seed| {
        let bytes: [u8; 16] = world::bytes(seed, 16).try_into().expect("16 bytes");
        hide(&bytes);
        AttemptKey::from_bytes(bytes)
    };
    let attempt = |key| {
        let request = world.mfa.sign_in_with(Some(Factor::Code(world::code(0))));
        request.attempt(key).run_blocking(&world.store, SUBJECT)
    };
    assert!(is_hidden(key(1).expose()));
    assert!(matches!(attempt(key(1)), Ok(SignedIn::Proven(_))));
    assert!(matches!(attempt(key(1)), Ok(SignedIn::Proven(_))));
    let rejection = Rejection::Reused;
    assert!(
        matches!(attempt(key(2)), Err(Error::Rejected { rejection: told, .. }) if told == rejection)
    );
}

fn grants() {
    let world = World::new();
    let grant = |id| {
        let grant = Grant::first_factor(SUBJECT, NOW).with_id(id);
        hide(grant.id().expect("it has one").as_bytes());
        grant
    };
    let own = grant("0123456789abcdef");
    let issued = world
        .mfa
        .associate(&own)
        .run_blocking(&world.store, SUBJECT);
    let issued = issued.expect("nothing is in force");
    let code = Verifier::new(issued.secret(), issued.totp()).code(step());
    let enrolled = world
        .mfa
        .verify(&own, code)
        .run_blocking(&world.store, SUBJECT);
    assert!(enrolled.is_ok());
    let check = |grant: &Grant| {
        let request = world.mfa.check(grant, Duration::from_secs(60));
        request.run_blocking(&world.store, SUBJECT).is_ok()
    };
    assert!(check(&own));
    assert!(!check(&grant("0123456789abcdeF")));
    assert!(!check(&grant("x123456789abcdef")));
}

fn seal() {
    let keyring = Keyring::from_bytes(1, &hidden_key(3));
    let place = Place::new(SUBJECT, Revision::FIRST);
    let plain = world::bytes(1, 200);
    hide(plain.as_slice());
    let sealed = keyring.seal(place, &World::new().drawn, &plain);
    let sealed = sealed.expect("it draws");
    assert!(is_hidden(sealed.as_slice()));
    // It stands in a row.
    let mut row = sealed.clone();
    crate::valgrind::shown(&row);
    let opened = keyring.open(place, &row).expect("the same place");
    assert!(is_hidden(opened.as_slice()));
    for byte in [30, row.len() - 16, row.len() - 1] {
        row[byte] ^= 1;
        assert!(matches!(
            keyring.open(place, &row),
            Err(RecordError::DoesNotOpen)
        ));
        row[byte] ^= 1;
    }
}

fn base32() {
    for length in [10, 16, 20, 33, 64, 128] {
        let text = world::secret(1, length).expose_base32();
        for text in [text.to_string(), text.to_lowercase()] {
            // Which characters are ASCII may show, and nothing else.
            hide_bits(text.as_bytes(), 0x7f);
            for read in [Secret::from_base32, Secret::from_base32_legacy] {
                let secret = read(&text).expect("it was written so");
                assert!(is_hidden(secret.expose()));
                assert!(is_hidden(secret.expose_base32().as_bytes()));
            }
        }
    }
    for refused in [
        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1",
        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQB7",
    ] {
        let text = refused.to_owned();
        hide_bits(text.as_bytes(), 0x7f);
        assert!(Secret::from_base32(&text).is_err());
    }
}

fn hexadecimal() {
    for length in [10, 20, 128] {
        let bytes = world::bytes(1, length);
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [text.clone(), text.to_uppercase()] {
            hide_bits(text.as_bytes(), 0x7f);
            let secret = Secret::from_hex(&text).expect("it was written so");
            assert!(is_hidden(secret.expose()));
        }
    }
    let refused = "3132333435363738393031323334353g".to_owned();
    hide_bits(refused.as_bytes(), 0x7f);
    assert!(Secret::from_hex(&refused).is_err());
}
