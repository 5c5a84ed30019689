//! A hundred thousand sign-ins that wait at once, beside as many bare statements, in one run.

use core::time::Duration;
use std::fs;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use softtoken::store::Store;
use softtoken::{Error, Rejection};
use tokio::sync::Barrier;

use crate::bench::{BEGINNING, Bench, Contender, HOUR, On, Task, Turn};
use crate::bench::{at, bare, given, subject, whole};

/// Both have as many turns, the first and the last among them.
const WAVES: [Contender; 4] = [
    Contender::BareTriple,
    Contender::SignIn,
    Contender::SignIn,
    Contender::BareTriple,
];
const WAVES_OF_EACH: i64 = 2;
/// Who look what was stored, at once.
const CHECKERS: usize = 16;

/// Prints how long sign-ins take that all wait at once, and what they need.
///
/// # Panics
///
/// Where one of them is not answered, or an answer is not in the store.
pub(crate) fn storm<S: Store + 'static, B: Store + 'static>(
    bench: &Arc<Bench<S, B>>,
    insert: impl Fn(&[(String, Vec<u8>)]),
    on: On<'_>,
) {
    assert!(
        matches!(on, On::Runtime(_)),
        "so many threads wait at no store"
    );
    let size = if given("--quick") { 2_000 } else { 100_000 };
    bench.fill(0..size, &insert);
    println!("{size} at once, each a subject's; times from the moment when all begin");
    println!("                        each/s  p50 ms  p99 ms  p99.9 ms  peak MB  bytes each");
    for (wave, contender) in WAVES.into_iter().enumerate() {
        run(
            bench,
            contender,
            size,
            BEGINNING + (1 + wave as u64) * HOUR,
            on,
        );
    }
    check(bench, size, on);
    println!("every acknowledged one is in the store; a code of the storm is refused as used");
}

fn run<S: Store + 'static, B: Store + 'static>(
    bench: &Arc<Bench<S, B>>,
    contender: Contender,
    size: usize,
    time: u64,
    on: On<'_>,
) {
    let all = Arc::new(Barrier::new(size));
    let began = Arc::new(OnceLock::new());
    let waits = Arc::new(Mutex::new(Vec::with_capacity(size)));
    let before = forget_peak();
    let work = |subject| {
        let (bench, all) = (Arc::clone(bench), Arc::clone(&all));
        let (began, waits) = (Arc::clone(&began), Arc::clone(&waits));
        Box::pin(async move {
            all.wait().await;
            // Whoever is let go late has waited since then.
            let began = *began.get_or_init(Instant::now);
            let turn = Turn { subject, time };
            at(time, bench.once(contender, &turn)).await;
            let waited = began.elapsed();
            let mut waits = waits.lock().unwrap_or_else(PoisonError::into_inner);
            waits.push(waited);
        }) as Task
    };
    on.run((0..size).map(work));
    let peak = memory("VmHWM:");
    let mut waits = waits.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(waits.len(), size, "each was answered");
    waits.sort_unstable();
    let slowest = |one_in: usize| millis(waits[size - 1 - size / one_in]);
    println!(
        "{:<22} {:>7.0} {:>7} {:>7} {:>9} {:>8.1} {:>11}",
        match contender {
            Contender::SignIn => "sign-in",
            _ => "bare load+load+swap",
        },
        per_second(size, waits[size - 1]),
        slowest(2),
        slowest(100),
        slowest(1000),
        f64::from(peak) / 1024.0,
        u64::from(peak.saturating_sub(before)) * 1024 / size as u64,
    );
}

/// Looks whether each acknowledged swap is in the store, and each code spent.
fn check<S: Store + 'static, B: Store + 'static>(
    bench: &Arc<Bench<S, B>>,
    size: usize,
    on: On<'_>,
) {
    let last = WAVES.iter().rposition(|wave| *wave == Contender::SignIn);
    let last = BEGINNING + (1 + last.expect("one of them") as u64) * HOUR;
    let work = |checker| {
        let bench = Arc::clone(bench);
        Box::pin(async move {
            for number in (checker..size).step_by(CHECKERS) {
                let (name, bare) = (subject(number), bare(number));
                for found in [
                    bench.store.load(&name).await.expect("a load"),
                    bench.store.load(&bare).await.expect("a load"),
                ] {
                    let revision = found.expect("it is there").revision.as_i64();
                    assert_eq!(revision, 1 + WAVES_OF_EACH, "an answer was lost: {name}");
                }
                if number % 100 == 0 {
                    let again = whole(&bench.mfa, &bench.store, &name, &bench.phone);
                    let again = at(last, again).await.expect_err("it was used");
                    let Error::Rejected { rejection, .. } = again else {
                        panic!("{again}");
                    };
                    assert_eq!(rejection, Rejection::Reused);
                }
            }
        }) as Task
    };
    on.run((0..CHECKERS).map(work));
}

fn millis(time: Duration) -> u128 {
    time.as_millis()
}

#[expect(clippy::cast_precision_loss, reason = "some hundred thousand")]
fn per_second(size: usize, time: Duration) -> f64 {
    size as f64 / time.as_secs_f64()
}

/// Begins a new peak of memory, and says how much is held now, in kilobytes.
fn forget_peak() -> u32 {
    // Where the system has no such thing the peak is that of the whole run.
    let _ = fs::write("/proc/self/clear_refs", "5");
    memory("VmRSS:")
}

/// A line of what Linux says of this process, in kilobytes; elsewhere nothing.
fn memory(line: &str) -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|found| found.strip_prefix(line));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}
