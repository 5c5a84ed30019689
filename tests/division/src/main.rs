//! What `.ci/division` takes apart: the verifier behind functions that stay functions at every
//! optimisation level, and a twin that divides, which the check must catch.

use core::error::Error;
use core::hint::black_box;
use core::time::Duration;

use softtoken::time::Step;
use softtoken::totp::{Algorithm, Code, Digits, Secret, Totp, Verdict, Verifier, Window};

#[inline(never)]
fn prepare(secret: &Secret, totp: Totp) -> Verifier {
    Verifier::new(secret, totp)
}

#[inline(never)]
fn judge(
    verifier: &Verifier,
    code: &Code,
    now: Step,
    window: Window,
    after: Option<Step>,
) -> Verdict {
    verifier.verify(code, now, window, after)
}

#[inline(never)]
fn judge_pair(verifier: &Verifier, codes: [&Code; 2], now: Step, after: Option<Step>) -> Verdict {
    verifier.verify_pair(codes[0], codes[1], now, 20, after)
}

#[inline(never)]
fn show(verifier: &Verifier, step: Step) -> Code {
    verifier.code(step)
}

/// Divides, but not itself: the check has to follow the call.
#[inline(never)]
fn twin(selected: u32, power: u32, code: u32) -> bool {
    remainder(selected, power) == code
}

#[inline(never)]
fn remainder(selected: u32, power: u32) -> u32 {
    selected % power
}

fn main() -> Result<(), Box<dyn Error>> {
    let secret = Secret::from_bytes(&[7; 64])?;
    let now = black_box(Step::new(37_037_036));
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
        for digits in [Digits::Six, Digits::Seven, Digits::Eight] {
            let totp = black_box(Totp::new(algorithm, digits, Duration::from_secs(30))?);
            let verifier = prepare(&secret, totp);
            let code = show(&verifier, now);
            let next = show(&verifier, now.saturating_offset(1));
            let verdict = judge(&verifier, &code, now, black_box(Window::STANDARD), None);
            let pair = judge_pair(&verifier, [&code, &next], now, black_box(None));
            println!("{totp:?}: {verdict:?}, {pair:?}");
        }
    }
    println!(
        "{}",
        twin(black_box(1_284_755_224), black_box(1_000_000), 755_224)
    );
    Ok(())
}
