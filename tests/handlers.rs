//! The handlers of four applications, as their authors write them: no lifetime, no generic, no
//! clone of a grant, no qualified call; their futures move between threads. They compile, and they
//! run, on a store of their own.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::fmt;
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Poll;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;

use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{Error, Store};

mod migration;
mod one_request;
mod operator;
mod web;

/// Tables in memory, behind calls that wait as calls to a server do.
#[derive(Default)]
struct Database {
    committed: Mutex<Tables>,
    is_down: AtomicBool,
}

#[derive(Clone, Default)]
struct Tables {
    commits: u64,
    tokens: HashMap<String, Snapshot>,
    /// How often each user has logged in: the application's own.
    logins: HashMap<String, u32>,
}

/// Sees what was committed when it began, and is committed only where nobody else has committed
/// since.
struct Transaction {
    database: Arc<Database>,
    tables: Tables,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Down;

impl fmt::Display for Down {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the database does not answer")
    }
}

impl core::error::Error for Down {}

type Answer<T> = Result<T, Error<Down>>;

impl Database {
    async fn begin(database: &Arc<Self>) -> Result<Transaction, Down> {
        a_moment().await;
        database.answers()?;
        let tables = database.committed.lock().unwrap().clone();
        let database = Arc::clone(database);
        Ok(Transaction { database, tables })
    }

    fn answers(&self) -> Result<(), Down> {
        if self.is_down.load(Ordering::SeqCst) {
            Err(Down)
        } else {
            Ok(())
        }
    }

    fn logins(&self, user: &str) -> u32 {
        let tables = self.committed.lock().unwrap();
        tables.logins.get(user).copied().unwrap_or(0)
    }
}

impl Tables {
    fn swap(&mut self, write: &Write) -> Swap {
        let user = write.subject();
        if self.tokens.get(user).map(|row| row.revision) != write.expected() {
            return Swap::Conflict;
        }
        self.tokens.insert(user.into(), write.snapshot());
        Swap::Stored
    }
}

impl Transaction {
    async fn commit(self) -> Result<bool, Down> {
        a_moment().await;
        self.database.answers()?;
        let mut committed = self.database.committed.lock().unwrap();
        let is_alone = committed.commits == self.tables.commits;
        if is_alone {
            *committed = self.tables;
            committed.commits += 1;
        }
        Ok(is_alone)
    }
}

impl Store for Database {
    type Error = Down;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Down> {
        a_moment().await;
        self.answers()?;
        Ok(self.committed.lock().unwrap().tokens.get(subject).cloned())
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Down> {
        a_moment().await;
        self.answers()?;
        let mut committed = self.committed.lock().unwrap();
        committed.commits += 1;
        Ok(committed.swap(&write))
    }
}

/// Is not ready when it is asked first.
async fn a_moment() {
    let mut was_asked = false;
    let wait = poll_fn(|context| {
        if core::mem::replace(&mut was_asked, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    });
    wait.await;
}

/// Serves a request as a server does: its future moves to another thread, and so does its answer.
fn serve<T: Send + 'static>(request: impl Future<Output = T> + Send + 'static) -> T {
    thread::spawn(move || pollster::block_on(request))
        .join()
        .unwrap()
}
