//! A hundred thousand sign-ins that wait at once, beside as many bare statements, in one run.

use core::time::Duration;
use std::fs;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use softtoken::store::Store;
use softtoken::{Error, Rejection};
use tokio::sync::Barrier;

use crate::bench::{BEGINNING, Bench, HOUR, On, Task};
use crate::bench::{at, bare, given, subject, whole};

/// What waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crowd {
    SignIns,
    /// As many bare loads and swaps.
    Bare,
}

/// Both have as many turns, the first and the last among them.
const WAVES: [Crowd; 4] = [Crowd::Bare, Crowd::SignIns, Crowd::SignIns, Crowd::Bare];
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
    println!("                      each/s  p50 ms  p99 ms  p99.9 ms  future  peak MB");
    for (wave, crowd) in WAVES.into_iter().enumerate() {
        run(bench, crowd, size, BEGINNING + (1 + wave as u64) * HOUR, on);
    }
    check(bench, size, on);
    println!("every acknowledged one is in the store; a code of the storm is refused as used");
}

fn run<S: Store + 'static, B: Store + 'static>(
    bench: &Arc<Bench<S, B>>,
    crowd: Crowd,
    size: usize,
    time: u64,
    on: On<'_>,
) {
    let all = Arc::new(Barrier::new(size));
    let began = Arc::new(OnceLock::new());
    let waits = Arc::new(Mutex::new(Vec::with_capacity(size)));
    forget_peak();
    let mut bytes = 0;
    let work = |number| {
        let bench = Arc::clone(bench);
        let of = match crowd {
            Crowd::SignIns => {
                let sign_in = async move { bench.sign_in(&subject(number)).await };
                bytes = size_of_val(&sign_in);
                Box::pin(at(time, sign_in)) as Task
            }
            Crowd::Bare => {
                let swap = async move { bench.bare_sign_in(&bare(number)).await };
                bytes = size_of_val(&swap);
                Box::pin(swap) as Task
            }
        };
        let (all, began, waits) = (Arc::clone(&all), Arc::clone(&began), Arc::clone(&waits));
        Box::pin(async move {
            all.wait().await;
            // Whoever is let go late has waited since then.
            let began = *began.get_or_init(Instant::now);
            of.await;
            let waited = began.elapsed();
            let mut waits = waits.lock().unwrap_or_else(PoisonError::into_inner);
            waits.push(waited);
        }) as Task
    };
    on.run((0..size).map(work));
    let mut waits = waits.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(waits.len(), size, "each was answered");
    waits.sort_unstable();
    let slowest = |one_in: usize| waits[size - 1 - size / one_in].as_millis();
    println!(
        "{:<20} {:>7.0} {:>7} {:>7} {:>9} {:>7} {:>8}",
        match crowd {
            Crowd::SignIns => "sign-in",
            Crowd::Bare => "bare load+load+swap",
        },
        per_second(size, waits[size - 1]),
        slowest(2),
        slowest(100),
        slowest(1000),
        bytes,
        peak().map_or_else(|| "-".into(), |kilobytes| (kilobytes / 1024).to_string()),
    );
}

/// Looks whether each acknowledged swap is in the store, and each code spent.
fn check<S: Store + 'static, B: Store + 'static>(
    bench: &Arc<Bench<S, B>>,
    size: usize,
    on: On<'_>,
) {
    let last = WAVES.iter().rposition(|wave| *wave == Crowd::SignIns);
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

#[expect(clippy::cast_precision_loss, reason = "some hundred thousand")]
fn per_second(size: usize, time: Duration) -> f64 {
    size as f64 / time.as_secs_f64()
}

/// Begins a new peak of memory, where the system has such a thing.
fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that this process has held, in kilobytes, where the system says so.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
