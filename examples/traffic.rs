//! Counts what each request asks of a store, and how many bytes that are, in the clear and sealed.
//!
//! ```text
//! cargo run --example traffic --features seal
//! ```
//!
//! These are the numbers by which `docs/scaling.md` says what a database has to do.

use core::error::Error;
use core::mem;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use softtoken::record::Keyring;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::totp::Verifier;
use softtoken::{
    BlockingStore, Challenge, Context, Factor, Grant, MemoryStore, Mfa, OsEntropy, Policy,
    SessionKeys, UnixTime,
};

/// Has the length of a UUID.
const SUBJECT: &str = "0b6c7f3e-6f6d-4f0c-9f0f-2a5b7a0c1d2e";

static SECONDS: AtomicU64 = AtomicU64::new(1_700_000_000);

fn now() -> UnixTime {
    UnixTime::from_secs(SECONDS.load(Ordering::Relaxed))
}

/// Counts what goes through to the store in memory.
#[derive(Default)]
struct Counted {
    store: MemoryStore,
    traffic: Mutex<Traffic>,
}

#[derive(Default)]
struct Traffic {
    loads: u32,
    bytes_loaded: usize,
    swaps: u32,
    bytes_swapped: usize,
}

impl Counted {
    fn count(&self, count: impl FnOnce(&mut Traffic)) {
        count(&mut self.traffic.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Prints what there was since it was called last.
    fn print(&self, request: &str) {
        self.count(|traffic| {
            let Traffic {
                loads,
                bytes_loaded,
                swaps,
                bytes_swapped,
            } = mem::take(traffic);
            println!("{request:22} {loads:>6} {bytes_loaded:>6} {swaps:>6} {bytes_swapped:>6}");
        });
    }
}

impl BlockingStore for Counted {
    type Error = <MemoryStore as BlockingStore>::Error;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Self::Error> {
        let found = self.store.load_blocking(subject)?;
        self.count(|traffic| {
            traffic.loads += 1;
            traffic.bytes_loaded += found.as_ref().map_or(0, |row| row.record.len());
        });
        Ok(found)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Self::Error> {
        self.count(|traffic| {
            traffic.swaps += 1;
            traffic.bytes_swapped += write.record().len();
        });
        self.store.compare_and_swap_blocking(write)
    }

    fn pause_blocking(&self, time: Duration) {
        self.store.pause_blocking(time);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    for is_sealed in [false, true] {
        let keys = SessionKeys::generate(1, &OsEntropy)?;
        let mfa = Mfa::new(Policy::STANDARD, || Some(now()), OsEntropy)
            .with_sessions(keys, Context::new("traffic")?);
        if is_sealed {
            println!();
            print("sealed", &mfa.sealed(Keyring::generate(1, &OsEntropy)?))?;
        } else {
            print("in the clear", &mfa)?;
        }
    }
    Ok(())
}

fn print(title: &str, mfa: &Mfa) -> Result<(), Box<dyn Error>> {
    println!(
        "{title:22} {:>6} {:>6} {:>6} {:>6}",
        "loads", "bytes", "swaps", "bytes"
    );
    let store = Counted::default();
    let password_given = Grant::first_factor(SUBJECT, now());

    let issued = mfa
        .associate(&password_given)
        .run_blocking(&store, SUBJECT)?;
    store.print("associate");
    let app = Verifier::new(issued.secret(), issued.totp());
    let code = || app.code(issued.totp().step(now()));
    let verify = mfa.verify(&password_given, code());
    drop(verify.run_blocking(&store, SUBJECT)?);
    store.print("verify");

    SECONDS.fetch_add(60, Ordering::Relaxed);
    let challenge = mfa.sign_in().run_blocking(&store, SUBJECT)?;
    store.print("sign_in");
    let Challenge::SoftwareToken { session, .. } = challenge else {
        return Err("the phone is in force".into());
    };
    let opened = mfa.open(session.expose())?;
    let respond = mfa.respond(&opened, Factor::Code(code()));
    drop(respond.run_blocking(&store, SUBJECT)?);
    store.print("respond");

    SECONDS.fetch_add(60, Ordering::Relaxed);
    let right = Some(Factor::Code(code()));
    drop(mfa.sign_in_with(right).run_blocking(&store, SUBJECT)?);
    store.print("sign_in_with");
    drop(mfa.status().run_blocking(&store, SUBJECT)?);
    store.print("status");
    Ok(())
}
