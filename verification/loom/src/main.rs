//! `MemoryStore` and the loop under every interleaving of a few threads.
//!
//! Prints a line a case: how many interleavings there are, and that none breaks the case's rule.
//! The last lines are negative controls, stores that are wrong in one way, in which the attack has
//! to be found and is printed.

use std::convert::Infallible;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use loom::thread;
use softtoken::association::{Events, ImportedToken};
use softtoken::entropy::NoEntropy;
use softtoken::policy::Throttle;
use softtoken::store::{BlockingStore, Snapshot, Store, Swap, Write};
use softtoken::totp::{Secret, Totp, Verifier};
use softtoken::{Administrator, Code, Error, Fault, Mfa, Policy, Revision, SignedIn, UnixTime};
use softtoken_loom::MemoryStore;

const SUBJECT: &str = "alice";
const NOW: UnixTime = UnixTime::from_secs(1_700_000_025);
const SECRET: &[u8; 20] = b"twenty bytes of seed";

/// One failure is for nothing; the next attempt waits.
const THROTTLE: Throttle = Throttle {
    free: 1,
    ..Throttle::STANDARD
};

fn main() -> ExitCode {
    let right: fn() -> MemoryStore = MemoryStore::new;
    let cases = [
        Case::new(
            "one code, three times, blocking",
            right,
            one_code_three_times,
        )
        .keeps(8_597),
        Case::new(
            "one code, three times, async",
            right,
            one_code_three_times_async,
        )
        .keeps(8_597),
        Case::new("three guesses where one is free", right, three_guesses).keeps(8_597),
        Case::new("two guesses and the code", right, two_guesses_and_the_code).keeps(14_933),
        Case::new("three that may try twice", right, three_that_may_try_twice).keeps(17_175),
        Case::new(
            "what was stored is loaded",
            right,
            what_was_stored_is_loaded,
        )
        .keeps(144),
        Case::new(
            "a store that reads, and then writes",
            ReadThenWrite::default,
            one_code_three_times,
        )
        .breaks(),
        Case::new(
            "a store that does not compare",
            Blind::default,
            three_guesses,
        )
        .breaks(),
    ];
    let gave_up = GAVE_UP.load(Ordering::Relaxed);
    println!("loom: {gave_up} requests gave up");
    if gave_up > 0 && cases.iter().all(|good| *good) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A rule that every interleaving keeps, or the first one that breaks it.
struct Case<S> {
    name: &'static str,
    store: fn() -> S,
    holds: fn(&loom::sync::Arc<Logged<S>>) -> bool,
}

impl<S: 'static> Case<S> {
    fn new(
        name: &'static str,
        store: fn() -> S,
        holds: fn(&loom::sync::Arc<Logged<S>>) -> bool,
    ) -> Self {
        Self { name, store, holds }
    }

    /// How many interleavings there are, and what happened in the first that breaks the rule. It
    /// does not panic: the others are run all the same, so that their number is that of the case.
    fn run(self, most: Option<usize>) -> (usize, Option<(usize, Vec<String>)>) {
        let runs = Arc::new(AtomicUsize::new(0));
        let broken = Arc::new(Mutex::new(None));
        let (count, found) = (Arc::clone(&runs), Arc::clone(&broken));
        let mut every = loom::model::Builder::new();
        every.max_permutations = most;
        every.check(move || {
            let run = count.fetch_add(1, Ordering::Relaxed) + 1;
            let store = loom::sync::Arc::new(Logged::new((self.store)()));
            if !(self.holds)(&store) {
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.get_or_insert_with(|| (run, store.log()));
            }
        });
        let broken = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        (runs.load(Ordering::Relaxed), broken)
    }

    /// That none breaks it, of as many as there have to be.
    fn keeps(self, expected: usize) -> bool {
        let (name, began) = (self.name, Instant::now());
        let (runs, broken) = self.run(None);
        let seconds = began.elapsed().as_secs_f64();
        let Some((run, log)) = broken else {
            println!("loom: {name}: {runs} interleavings, {seconds:.1} s");
            if runs != expected {
                println!("loom: {name}: {expected} interleavings were expected");
            }
            return runs == expected;
        };
        println!("loom: {name}: BROKEN in interleaving {run} of {runs}");
        tell(&log);
        false
    }

    /// That one of the first few breaks it.
    fn breaks(self) -> bool {
        let name = self.name;
        let (runs, broken) = self.run(Some(1000));
        let Some((run, log)) = broken else {
            println!("loom: {name}: NOT FOUND OUT in {runs} interleavings");
            return false;
        };
        println!("loom: {name}: found out in interleaving {run}");
        tell(&log);
        true
    }
}

fn tell(log: &[String]) {
    for line in log {
        println!("    {line}");
    }
}

/// A store, and what was asked of it. The log's lock is none of loom's: it adds no interleaving.
struct Logged<S> {
    store: S,
    log: Mutex<Vec<String>>,
}

fn this_thread() -> String {
    let id = format!("{:?}", thread::current().id());
    let number: String = id.chars().filter(char::is_ascii_digit).collect();
    format!("thread {number}")
}

impl<S> Logged<S> {
    fn new(store: S) -> Self {
        Self {
            store,
            log: Mutex::default(),
        }
    }

    fn note(&self, what: String) {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(what);
    }

    fn log(&self) -> Vec<String> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note_load(&self, found: Option<&Snapshot>) {
        let revision = found.map_or(0, |row| row.revision.get());
        self.note(format!("{} loads revision {revision}", this_thread()));
    }

    fn note_swap(&self, next: Revision, swap: Swap) {
        let thread = this_thread();
        self.note(format!(
            "{thread} swaps for revision {}: {swap:?}",
            next.get()
        ));
    }
}

impl<S: BlockingStore> BlockingStore for Logged<S> {
    type Error = S::Error;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, S::Error> {
        let found = self.store.load_blocking(subject)?;
        self.note_load(found.as_ref());
        Ok(found)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, S::Error> {
        let next = write.next();
        let swap = self.store.compare_and_swap_blocking(write)?;
        self.note_swap(next, swap);
        Ok(swap)
    }
}

impl<S: Store> Store for Logged<S> {
    type Error = S::Error;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, S::Error> {
        let found = self.store.load(subject).await?;
        self.note_load(found.as_ref());
        Ok(found)
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, S::Error> {
        let next = write.next();
        let swap = self.store.compare_and_swap(write).await?;
        self.note_swap(next, swap);
        Ok(swap)
    }
}

/// An `Mfa` that lets a request try so often, and a token in force in this store.
fn enrolled<S: BlockingStore<Error = Infallible>>(store: &S, attempts: u32) -> Mfa {
    let policy = Policy::builder().throttle(THROTTLE).swap_attempts(attempts);
    let policy = policy.build().expect("every number is in its range");
    let nothing = |bytes: &mut [u8]| {
        bytes.fill(1);
        Ok::<_, NoEntropy>(())
    };
    let mfa = Mfa::new(policy, || Some(NOW), nothing);
    let secret = Secret::from_bytes(SECRET).expect("twenty bytes");
    let floor = Totp::STANDARD.step(NOW).saturating_offset(-9);
    let token = ImportedToken::proven(secret, Totp::STANDARD).last_step(floor);
    let import = mfa.import(&Administrator::named("admin"), [token]);
    import.run_blocking(store, SUBJECT).expect("an empty row");
    mfa
}

fn right() -> Code {
    let secret = Secret::from_bytes(SECRET).expect("twenty bytes");
    Verifier::new(&secret, Totp::STANDARD).code(Totp::STANDARD.step(NOW))
}

fn wrong() -> Code {
    Code::parse("314159").expect("six digits")
}

type Answer = Result<SignedIn, Error<Infallible>>;

fn is_accepted(answer: &Answer) -> bool {
    matches!(answer, Ok(SignedIn::Proven(_)))
}

fn is(answer: &Answer, name: &str) -> bool {
    answer.as_ref().is_err_and(|error| error.name() == name)
}

/// Signs in with each of these codes at once: the first by the main thread, so that there is one
/// less to schedule.
fn at_once<S: BlockingStore<Error = Infallible> + 'static>(
    store: &loom::sync::Arc<Logged<S>>,
    mfa: &Mfa,
    codes: [Code; 3],
) -> Vec<Answer> {
    let [first, others @ ..] = codes;
    let others = others.map(|code| {
        let (store, mfa) = (loom::sync::Arc::clone(store), mfa.clone());
        thread::spawn(move || sign_in(&*store, &mfa, code))
    });
    let mut answers = vec![sign_in(&**store, mfa, first)];
    answers.extend(others.map(|other| other.join().expect("a thread that ends")));
    answers
}

fn sign_in<S: BlockingStore<Error = Infallible>>(store: &S, mfa: &Mfa, code: Code) -> Answer {
    mfa.sign_in_with(Some(code.into()))
        .run_blocking(store, SUBJECT)
}

/// By the other colour of the loop; a store in memory never has it wait.
fn sign_in_async<S: Store<Error = Infallible>>(store: &S, mfa: &Mfa, code: Code) -> Answer {
    let request = mfa.sign_in_with(Some(code.into()));
    let future = pin!(request.run(store, SUBJECT));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("nothing of it is ever pending"),
    }
}

fn count(answers: &[Answer], is: impl Fn(&Answer) -> bool) -> usize {
    answers.iter().filter(|answer| is(answer)).count()
}

fn revision<S: BlockingStore<Error = Infallible>>(store: &S) -> u64 {
    let Ok(row) = store.load_blocking(SUBJECT);
    row.map_or(0, |row| row.revision.get())
}

/// One is accepted, the others are told that the code was used; two writes in all.
fn one_code_three_times<S: BlockingStore<Error = Infallible> + 'static>(
    store: &loom::sync::Arc<Logged<S>>,
) -> bool {
    let mfa = enrolled(&**store, 16);
    let answers = at_once(store, &mfa, [right(), right(), right()]);
    count(&answers, is_accepted) == 1
        && count(&answers, |answer| is(answer, "reused")) == 2
        && revision(&**store) == 2
}

/// The same by the other colour of the loop.
fn one_code_three_times_async<S>(store: &loom::sync::Arc<Logged<S>>) -> bool
where
    S: BlockingStore<Error = Infallible> + Store<Error = Infallible> + 'static,
{
    let mfa = enrolled(&**store, 16);
    let others = [(); 2].map(|()| {
        let (store, mfa) = (loom::sync::Arc::clone(store), mfa.clone());
        thread::spawn(move || sign_in_async(&*store, &mfa, right()))
    });
    let mut answers = vec![sign_in_async(&**store, &mfa, right())];
    answers.extend(others.map(|other| other.join().expect("a thread that ends")));
    count(&answers, is_accepted) == 1 && count(&answers, |answer| is(answer, "reused")) == 2
}

/// One is judged and counted; the others come too early, and are neither.
fn three_guesses<S: BlockingStore<Error = Infallible> + 'static>(
    store: &loom::sync::Arc<Logged<S>>,
) -> bool {
    let mfa = enrolled(&**store, 16);
    let answers = at_once(store, &mfa, [wrong(), wrong(), wrong()]);
    let Ok(status) = mfa.status().run_blocking(&**store, SUBJECT) else {
        return false;
    };
    count(&answers, |answer| is(answer, "mismatch")) == 1
        && count(&answers, |answer| is(answer, "throttled")) == 2
        && status.failures == 1
}

/// At most one guess before the code and one after it; the code is accepted, or came too early.
fn two_guesses_and_the_code<S: BlockingStore<Error = Infallible> + 'static>(
    store: &loom::sync::Arc<Logged<S>>,
) -> bool {
    let mfa = enrolled(&**store, 16);
    let answers = at_once(store, &mfa, [right(), wrong(), wrong()]);
    let accepted = count(&answers, is_accepted);
    let guessed = count(&answers, |answer| is(answer, "mismatch"));
    let early = count(&answers, |answer| is(answer, "throttled"));
    let written = u64::try_from(1 + accepted + guessed).expect("a few");
    accepted + guessed + early == 3 && guessed == 1 && revision(&**store) == written
}

/// How often a request gave up, in all interleavings: the case is to reach that.
static GAVE_UP: AtomicUsize = AtomicUsize::new(0);

/// Who has lost two races gives up, and has written nothing.
fn three_that_may_try_twice<S: BlockingStore<Error = Infallible> + 'static>(
    store: &loom::sync::Arc<Logged<S>>,
) -> bool {
    let mfa = enrolled(&**store, 2);
    let early = |steps| {
        let secret = Secret::from_bytes(SECRET).expect("twenty bytes");
        let step = Totp::STANDARD.step(NOW).saturating_offset(steps);
        Verifier::new(&secret, Totp::STANDARD).code(step)
    };
    let answers = at_once(store, &mfa, [early(-1), early(0), early(1)]);
    let gave_up = |answer: &Answer| matches!(answer, Err(Error::Fault(Fault::Contended)));
    let accepted = count(&answers, is_accepted);
    let others = count(&answers, gave_up) + count(&answers, |answer| is(answer, "reused"));
    GAVE_UP.fetch_add(count(&answers, gave_up), Ordering::Relaxed);
    accepted >= 1
        && accepted + others == 3
        && revision(&**store) == 1 + u64::try_from(accepted).expect("a few")
}

/// A load that begins after a swap was acknowledged finds that swap, or a later one; and a row is
/// whole.
fn what_was_stored_is_loaded<S: BlockingStore<Error = Infallible> + 'static>(
    store: &loom::sync::Arc<Logged<S>>,
) -> bool {
    let writers = [1_u8, 2].map(|writer| {
        let store = loom::sync::Arc::clone(store);
        thread::spawn(move || {
            let mut expected = None;
            // Two writers and one row: each loses once at the most.
            loop {
                let record = vec![writer; 64];
                let write = Write::new(SUBJECT, expected, record, Events::default());
                let write = write.expect("one of the first");
                let next = write.next();
                let Ok(swap) = store.compare_and_swap_blocking(write);
                let Ok(row) = store.load_blocking(SUBJECT);
                let row = row.expect("somebody has written");
                let is_whole = row.record.iter().all(|byte| *byte == row.record[0]);
                if swap == Swap::Stored {
                    return is_whole && row.revision >= next;
                }
                expected = Some(row.revision);
            }
        })
    });
    let kept = writers.map(|writer| writer.join().expect("a thread that ends"));
    kept == [true, true] && revision(&**store) == 2
}

/// Compares under the lock, and takes it again to write.
#[derive(Default)]
struct ReadThenWrite(loom::sync::Mutex<Option<Snapshot>>);

impl BlockingStore for ReadThenWrite {
    type Error = Infallible;

    fn load_blocking(&self, _: &str) -> Result<Option<Snapshot>, Infallible> {
        Ok(self.0.lock().expect("nobody panics").clone())
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        let found = self.load_blocking(SUBJECT)?.map(|row| row.revision);
        if found != write.expected() {
            return Ok(Swap::Conflict);
        }
        *self.0.lock().expect("nobody panics") = Some(write.snapshot());
        Ok(Swap::Stored)
    }
}

/// Writes, whatever was expected.
#[derive(Default)]
struct Blind(loom::sync::Mutex<Option<Snapshot>>);

impl BlockingStore for Blind {
    type Error = Infallible;

    fn load_blocking(&self, _: &str) -> Result<Option<Snapshot>, Infallible> {
        Ok(self.0.lock().expect("nobody panics").clone())
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Infallible> {
        *self.0.lock().expect("nobody panics") = Some(write.snapshot());
        Ok(Swap::Stored)
    }
}
