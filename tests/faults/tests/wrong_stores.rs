//! A check that finds nothing in a wrong store shows nothing.

use core::convert::Infallible;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::thread;

use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{BlockingStore, MemoryStore};
use softtoken_faults::{Broken, Tally, Violation, endure};

fn under_load<S: BlockingStore>(store: &S) -> Result<Tally, Broken> {
    endure(store, || thread::sleep(Duration::from_secs(1)))
}

fn violations<S: BlockingStore>(store: &S) -> Vec<Violation> {
    under_load(store).expect_err("it is wrong").0
}

#[test]
fn a_right_store_passes_and_every_kind_of_request_was_made() {
    let tally = under_load(&MemoryStore::new()).expect("it is right");
    assert!(tally.sign_ins > 0 && tally.enrolments > 24, "{tally}");
    assert!(tally.failures > 0 && tally.reused > 0, "{tally}");
    assert_eq!(tally.unknown, 0);
}

/// Reads, and then writes whatever was there.
struct ReadsThenWrites(MemoryStore);

impl BlockingStore for ReadsThenWrites {
    type Error = Infallible;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        self.0.load_blocking(subject)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        let found = self.0.load_blocking(write.subject())?;
        if found.map(|row| row.revision) != write.expected() {
            return Ok(Swap::Conflict);
        }
        thread::yield_now(); // an answer from a database is a while on its way
        overwrite(&self.0, &write)
    }
}

fn overwrite(rows: &MemoryStore, write: &Write) -> Result<Swap, Infallible> {
    loop {
        let expected = rows.load_blocking(write.subject())?.map(|row| row.revision);
        let (record, events) = (write.record().to_vec(), write.events().clone());
        let write = Write::new(write.subject(), expected, record, events).expect("one of many");
        if rows.compare_and_swap_blocking(write)? == Swap::Stored {
            return Ok(Swap::Stored);
        }
    }
}

#[test]
fn a_store_that_reads_and_then_writes_accepts_a_code_twice() {
    let found = violations(&ReadsThenWrites(MemoryStore::new()));
    let twice = |violation: &_| matches!(violation, Violation::AcceptedTwice { .. });
    assert!(found.iter().any(twice), "{found:?}");
}

/// Says `Stored` of everything, and forgets one in so many: as a server does that is killed before
/// it has written.
struct Forgets {
    rows: MemoryStore,
    swaps: AtomicUsize,
}

impl BlockingStore for Forgets {
    type Error = Infallible;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        self.rows.load_blocking(subject)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        // Not the first rows, without which there is nothing to lose.
        let swap = self.swaps.fetch_add(1, Ordering::Relaxed);
        if swap > 100 && swap.is_multiple_of(20) {
            return Ok(Swap::Stored);
        }
        self.rows.compare_and_swap_blocking(write)
    }
}

#[test]
fn a_store_that_forgets_what_it_acknowledged_loses_codes_enrolments_and_failures() {
    let store = Forgets {
        rows: MemoryStore::new(),
        swaps: AtomicUsize::new(0),
    };
    // As many swaps as it takes, on a slow machine too: few of those that are lost are enrolments.
    let outcome = endure(&store, || {
        while store.swaps.load(Ordering::Relaxed) < 6_000 {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let found = outcome.expect_err("it is wrong").0;
    let any = |wanted: fn(&Violation) -> bool| assert!(found.iter().any(wanted), "{found:?}");
    any(|violation| matches!(violation, Violation::AcceptedTwice { .. }));
    any(|violation| matches!(violation, Violation::EnrolmentLost { .. }));
    any(|violation| matches!(violation, Violation::Uncounted { .. }));
}

/// Keeps nothing but what was there a moment ago, now and then: as a server does that acknowledges
/// before it writes, and is killed.
#[derive(Default)]
struct FallsBack(Mutex<HashMap<String, Snapshot>>);

impl FallsBack {
    fn rows(&self) -> MutexGuard<'_, HashMap<String, Snapshot>> {
        self.0.lock().expect("no thread panics")
    }
}

impl BlockingStore for FallsBack {
    type Error = Infallible;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        Ok(self.rows().get(subject).cloned())
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        let mut rows = self.rows();
        if rows.get(write.subject()).map(|row| row.revision) != write.expected() {
            return Ok(Swap::Conflict);
        }
        rows.insert(write.subject().to_owned(), write.snapshot());
        Ok(Swap::Stored)
    }
}

#[test]
fn a_store_that_falls_back_accepts_a_code_that_was_spent_before() {
    let store = FallsBack::default();
    let outcome = endure(&store, || {
        for _ in 0..50 {
            let before = store.rows().clone();
            thread::sleep(Duration::from_millis(20));
            *store.rows() = before;
        }
    });
    let found = outcome.expect_err("it is wrong").0;
    let any = |wanted: fn(&Violation) -> bool| assert!(found.iter().any(wanted), "{found:?}");
    any(|violation| matches!(violation, Violation::AcceptedTwice { .. }));
    any(|violation| matches!(violation, Violation::SwapLost { .. }));
}
