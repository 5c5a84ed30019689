//! Measures whether two classes of codes take the same time, on the instructions of this processor
//! (those for SHA included), by dudect's statistics. A machine that does anything else meanwhile
//! says nothing.
//!
//! A value of t above some 10 that grows with the number of samples is a leak. The last case leaks,
//! and has to show it.

use dudect_bencher::rand::RngExt as _;
use dudect_bencher::{BenchRng, Class, CtRunner, ctbench_main};
use softtoken::Code;
use softtoken::time::Step;
use softtoken::totp::{Secret, Totp, Verifier, Window};
use softtoken_ct::twins;
use softtoken_ct::world::{self, step};

const SAMPLES: usize = 100_000;

fn verifier() -> Verifier {
    Verifier::new(&world::secret(1, 20), Totp::STANDARD)
}

fn window() -> Window {
    Window::new(2, 2).expect("five steps")
}

/// Runs `judge` on samples of two classes, in an order that is drawn.
fn compare<T>(
    runner: &mut CtRunner,
    rng: &mut BenchRng,
    sample: impl Fn(&mut BenchRng, bool) -> T,
    judge: impl Fn(&T),
) {
    let samples: Vec<(bool, T)> = (0..SAMPLES)
        .map(|_| {
            let left = rng.random::<bool>();
            (left, sample(rng, left))
        })
        .collect();
    for (left, sample) in &samples {
        let class = if *left { Class::Left } else { Class::Right };
        runner.run_one(class, || judge(sample));
    }
}

// Both classes have one outcome, since that is told: to say that a code was right takes less than
// to say that it was none of the window's.

fn one_wrong_code_or_any(runner: &mut CtRunner, rng: &mut BenchRng) {
    let verifier = verifier();
    let sample = |rng: &mut BenchRng, one: bool| {
        let further = if one { 0 } else { rng.random::<u16>() };
        verifier.code(shown(1_000 + i64::from(further)))
    };
    compare(runner, rng, sample, |code: &Code| {
        let _ = verifier.verify(code, step(), window(), None);
    });
}

fn first_or_last_step(runner: &mut CtRunner, rng: &mut BenchRng) {
    let verifier = verifier();
    let sample = |_: &mut BenchRng, first| verifier.code(shown(if first { -2 } else { 2 }));
    compare(runner, rng, sample, |code: &Code| {
        let _ = verifier.verify(code, step(), window(), None);
    });
}

fn one_secret_or_any(runner: &mut CtRunner, rng: &mut BenchRng) {
    // Wrong for each of them.
    let code = verifier().code(shown(1_000));
    let sample = |rng: &mut BenchRng, one: bool| {
        let seed = if one { 1 } else { rng.random() };
        world::secret(seed, 20)
    };
    compare(runner, rng, sample, |secret: &Secret| {
        let _ = Verifier::new(secret, Totp::STANDARD).verify(&code, step(), window(), None);
    });
}

fn twin_that_leaves_early(runner: &mut CtRunner, rng: &mut BenchRng) {
    let verifier = verifier();
    let steps: Vec<Step> = window().steps(step()).collect();
    let sample = |_: &mut BenchRng, first| verifier.code(shown(if first { -2 } else { 2 }));
    compare(runner, rng, sample, |code: &Code| {
        let _ = twins::judges_until_the_first_match(&verifier, code, &steps, Step::new(0));
    });
}

fn shown(offset: i64) -> Step {
    step().saturating_offset(offset)
}

ctbench_main!(
    one_wrong_code_or_any,
    first_or_last_step,
    one_secret_or_any,
    twin_that_leaves_early
);
