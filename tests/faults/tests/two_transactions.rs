//! A check that finds no halves where there are some shows nothing.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard};
use std::thread;

use softtoken::association::Operation;
use softtoken::mfa::Request;
use softtoken::own_transaction::{BlockingLogins, Login};
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{BlockingStore, Error, MemoryStore};
use softtoken_faults::{Violation, endure_logins};

/// The database is down.
#[derive(Debug)]
struct Down;

impl fmt::Display for Down {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the database is down")
    }
}

impl core::error::Error for Down {}

/// Commits the record, and then, in a transaction of its own, the row; or the other way round, or
/// both at once.
struct Application {
    records: MemoryStore,
    rows: Mutex<HashSet<String>>,
    order: Order,
    is_down: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Together,
    RecordFirst,
    RowFirst,
}

impl Application {
    fn new(order: Order) -> Self {
        Self {
            records: MemoryStore::new(),
            rows: Mutex::default(),
            order,
            is_down: AtomicBool::new(false),
        }
    }

    fn rows(&self) -> MutexGuard<'_, HashSet<String>> {
        self.rows.lock().expect("no thread panics")
    }

    /// A statement is a while on its way.
    fn statement(&self) -> Result<(), Down> {
        thread::sleep(Duration::from_millis(1));
        if self.is_down.load(Ordering::SeqCst) {
            return Err(Down);
        }
        Ok(())
    }

    fn fall_and_rise(&self) {
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(20));
            self.is_down.store(true, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(20));
            self.is_down.store(false, Ordering::SeqCst);
        }
    }
}

impl BlockingStore for Application {
    type Error = Down;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Down> {
        self.statement()?;
        let Ok(found) = self.records.load_blocking(subject);
        Ok(found)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Down> {
        self.statement()?;
        let Ok(swap) = self.records.compare_and_swap_blocking(write);
        Ok(swap)
    }
}

impl BlockingLogins for Application {
    fn log_in_blocking<O: Operation>(
        &self,
        subject: &str,
        request: Request<O>,
        login: &Login,
    ) -> Result<Option<O::Output>, Error<Down>> {
        if self.order == Order::RecordFirst {
            let output = request.run_blocking(self, subject)?;
            self.statement().map_err(Error::Store)?;
            self.rows().insert(login.row().into());
            return Ok(Some(output));
        }
        let found = self.load_blocking(subject).map_err(Error::Store)?;
        let decision = request.decide(subject, found)?;
        if self.order == Order::RowFirst && !decision.is_rejection() {
            self.rows().insert(login.row().into());
            self.statement().map_err(Error::Store)?;
        }
        if let Some(write) = decision.write() {
            // Nobody else writes this one.
            let swap = self.compare_and_swap_blocking(write.clone());
            assert_eq!(swap.map_err(Error::Store)?, Swap::Stored);
        }
        if !decision.is_rejection() {
            self.rows().insert(login.row().into());
        }
        decision.committed().map(Some)
    }

    fn has_row_blocking(&self, row: &str) -> Result<bool, Down> {
        Ok(self.rows().contains(row))
    }
}

#[test]
fn one_transaction_leaves_no_half() {
    let application = Application::new(Order::Together);
    let tally = endure_logins(&application, || application.fall_and_rise());
    let tally = tally.expect("both are committed at once");
    assert!(tally.accepted > 0 && tally.refused > 0 && tally.guesses > 0);
    assert!(tally.undone > 0, "it fell under load: {tally}");
}

#[test]
fn of_two_transactions_one_is_found_without_the_other() {
    for (order, is_half) in [
        (Order::RecordFirst, (|rows| rows == 0) as fn(usize) -> bool),
        (Order::RowFirst, |rows| rows > 1),
    ] {
        let application = Application::new(order);
        let broken = endure_logins(&application, || application.fall_and_rise());
        let found = broken.expect_err("they are two").0;
        let half =
            |violation: &_| matches!(violation, Violation::Half { rows, .. } if is_half(*rows));
        assert!(found.iter().any(half), "{found:?}");
    }
}
