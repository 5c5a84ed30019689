//! Many at once: threads that begin together, futures that are polled in turn, stores in which
//! requests meet.
#![allow(clippy::unwrap_used, reason = "a thread that fails fails the test")]

use core::convert::Infallible;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Barrier, Mutex};
use std::thread::{self, Builder};

use softtoken::association::Operation;
use softtoken::mfa::Request;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::{BlockingStore, Error, MemoryStore, Store};

/// The two colours of the loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Colour {
    Blocking,
    Async,
}

impl Colour {
    pub(crate) const BOTH: [Self; 2] = [Self::Blocking, Self::Async];

    /// Runs a request about alice on a store that has both colours.
    pub(crate) fn run<O: Operation, S, E>(
        self,
        request: Request<O>,
        store: &S,
    ) -> Result<O::Output, Error<E>>
    where
        S: BlockingStore<Error = E> + Store<Error = E>,
    {
        match self {
            Self::Blocking => request.run_blocking(store, "alice"),
            Self::Async => pollster::block_on(request.run(store, "alice")),
        }
    }
}

/// Does `work` on that many threads, which begin together; the answers in the threads' order.
pub(crate) fn together<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let beginning = Barrier::new(threads);
    thread::scope(|scope| {
        let (work, beginning) = (&work, &beginning);
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let small = Builder::new().stack_size(256 * 1024);
                let work = move || {
                    beginning.wait();
                    work(thread)
                };
                small.spawn_scoped(scope, work).unwrap()
            })
            .collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

pub(crate) type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Polls all of them in turn, on this thread, until each has ended.
pub(crate) fn in_turn<T>(tasks: Vec<Task<'_, T>>) -> Vec<T> {
    let mut context = Context::from_waker(Waker::noop());
    let mut answers: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
    let mut tasks: Vec<_> = tasks.into_iter().enumerate().collect();
    while !tasks.is_empty() {
        tasks.retain_mut(|(number, task)| match task.as_mut().poll(&mut context) {
            Poll::Ready(answer) => {
                answers[*number] = Some(answer);
                false
            }
            Poll::Pending => true,
        });
    }
    answers.into_iter().map(Option::unwrap).collect()
}

/// Polls all of them on that many threads, each future now by one thread, now by another, until
/// each has ended.
pub(crate) fn on_threads<T: Send>(threads: usize, tasks: Vec<Task<'_, T>>) -> Vec<T> {
    let left = AtomicUsize::new(tasks.len());
    let slots: Vec<_> = tasks
        .into_iter()
        .map(|task| Mutex::new((Some(task), None)))
        .collect();
    together(threads, |thread| {
        let mut context = Context::from_waker(Waker::noop());
        let first = thread * slots.len() / threads;
        for slot in slots.iter().cycle().skip(first) {
            if left.load(Ordering::SeqCst) == 0 {
                return;
            }
            let Ok(mut slot) = slot.try_lock() else {
                continue;
            };
            let (task, answer) = &mut *slot;
            if let Some(running) = task
                && let Poll::Ready(ended) = running.as_mut().poll(&mut context)
            {
                *answer = Some(ended);
                *task = None;
                left.fetch_sub(1, Ordering::SeqCst);
            }
        }
    });
    slots
        .into_iter()
        .map(|slot| slot.into_inner().unwrap().1.unwrap())
        .collect()
}

/// Lets everybody else go first, once.
pub(crate) async fn pause() {
    let mut paused = false;
    core::future::poll_fn(|context| {
        if core::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A store whose every answer is a while on its way: requests that are polled in turn all load
/// before the first of them swaps.
pub(crate) struct Distant<'a>(pub(crate) &'a MemoryStore);

impl Store for Distant<'_> {
    type Error = Infallible;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        let found = self.0.load_blocking(subject);
        pause().await;
        found
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Infallible> {
        let swap = self.0.compare_and_swap_blocking(write);
        pause().await;
        swap
    }
}

/// A store at which so many requests meet: nobody's first load is answered before all of them have
/// loaded.
pub(crate) struct Meeting<'a> {
    rows: &'a MemoryStore,
    expected: usize,
    loads: AtomicUsize,
    all: Barrier,
}

impl<'a> Meeting<'a> {
    pub(crate) fn of(expected: usize, rows: &'a MemoryStore) -> Self {
        Self {
            rows,
            expected,
            loads: AtomicUsize::new(0),
            all: Barrier::new(expected),
        }
    }
}

impl BlockingStore for Meeting<'_> {
    type Error = Infallible;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        let found = self.rows.load_blocking(subject);
        if self.loads.fetch_add(1, Ordering::SeqCst) < self.expected {
            self.all.wait();
        }
        found
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        self.rows.compare_and_swap_blocking(write)
    }
}

/// A store in which somebody else is served between a request's first load and its swap.
pub(crate) struct Interrupted<'a, F> {
    rows: &'a MemoryStore,
    meanwhile: Mutex<Option<F>>,
}

impl<'a, F: FnOnce()> Interrupted<'a, F> {
    pub(crate) fn by(meanwhile: F, rows: &'a MemoryStore) -> Self {
        Self {
            rows,
            meanwhile: Mutex::new(Some(meanwhile)),
        }
    }
}

impl<F: FnOnce() + Send> BlockingStore for Interrupted<'_, F> {
    type Error = Infallible;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        let found = self.rows.load_blocking(subject);
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        found
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        self.rows.compare_and_swap_blocking(write)
    }
}

impl<F: FnOnce() + Send> Store for Interrupted<'_, F> {
    type Error = Infallible;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, Infallible> {
        let found = self.load_blocking(subject);
        pause().await;
        found
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Infallible> {
        pause().await;
        self.compare_and_swap_blocking(write)
    }
}
