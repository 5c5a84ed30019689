//! What the crate costs beside the bare statements of the same store, in one run.

use core::cell::Cell;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context as Polled, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::Instant;

use softtoken::association::{Events, Import, ImportedToken};
use softtoken::mfa::Request;
use softtoken::record::Keyring;
use softtoken::store::{Snapshot, Store, Swap, Write};
use softtoken::totp::{Secret, Totp, Verifier};
use softtoken::{
    Administrator, BlockingStore, Challenge, ChallengeSession, Code, Context, Error, Evidence,
    Fault, Grant, MemoryStore, Mfa, OsEntropy, Policy, Rejection, Revision, SessionKeys, UnixTime,
};
use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::storm::storm;

pub(crate) const BEGINNING: u64 = 1_700_000_000;
pub(crate) const HOUR: u64 = 60 * 60;
/// Where the last of many tasks keeps every batch waiting, fewer rounds have to do.
const LONGEST: Duration = Duration::from_secs(40);
/// A record is enrolled at the beginning, and no two batches share a month.
const MONTH: u64 = 30 * 24 * HOUR;

thread_local! {
    /// What time it is for the requests of this thread.
    static NOW: Cell<u64> = const { Cell::new(BEGINNING) };
}

fn now() -> UnixTime {
    UnixTime::from_secs(NOW.get())
}

/// Prints how many sign-ins a second there are through `store`, beside as many bare loads and
/// conditional writes of rows of the same size through `bare`, at 1 and at 32 tasks, with 10,000
/// subjects; and what 64 tasks on one subject do to each other.
///
/// `settings` names the engine and its durable settings. `bare` sends the driver's statements over
/// the same pool, as an application would that has no adapter; an adapter that is nothing but these
/// statements is its own. `insert` puts rows into an empty table by whatever is fastest, each under
/// [`Revision::FIRST`](softtoken::Revision::FIRST). The program's arguments: `--million`
/// measures a million subjects as well, `--plain` leaves records in the clear, `--quick` only shows
/// that all of it runs, and `--storm` lets 100,000 sign-ins wait at once instead, where there is a
/// runtime.
///
/// # Panics
///
/// Where the store fails, or a request is not answered as it must be.
pub fn bench<S: Store + 'static, B: Store + 'static>(
    settings: &str,
    store: S,
    bare: B,
    insert: impl Fn(&[(String, Vec<u8>)]),
    on: On<'_>,
) {
    let (rounds, batch, subjects, crowded) = if given("--quick") {
        (2, Duration::from_millis(50), 1_000, 3)
    } else {
        (150, Duration::from_millis(50), 10_000, 30)
    };
    println!("{settings}\n");
    let bench = Arc::new(Bench::new(store, bare));
    if given("--storm") {
        return storm(&bench, insert, on);
    }
    let (mut filled, mut batches) = (0, 0);
    let mut sizes = vec![subjects];
    if given("--million") {
        sizes.push(1_000_000);
    }
    let mut whole = Vec::new();
    for subjects in sizes {
        bench.fill(filled..subjects, &insert);
        filled = subjects;
        println!(
            "{subjects} subjects, {} records of {} bytes; all four in turn",
            if given("--plain") { "plain" } else { "sealed" },
            bench.record.len()
        );
        println!(
            "  tasks           each/s    bare/s  ratio    CPU us  bare's  of this process, each"
        );
        whole.push([1, 32].map(|tasks| {
            let turns = Turns {
                subjects,
                tasks,
                rounds,
                batch,
            };
            bench.measure(&turns, &mut batches, on)
        }));
        println!();
    }
    if let [small, large] = whole[..] {
        // Minutes lie between the two: what disturbed the machine disturbed the bare rows as well.
        for (tasks, small, large) in [(1, small[0], large[0]), (32, small[1], large[1])] {
            println!(
                "a million subjects against {subjects}, {tasks} tasks: sign-ins {:.2}, bare {:.2}",
                large[0] / small[0],
                large[1] / small[1]
            );
        }
        println!();
    }
    bench.crowd(crowded, batches + 1, on);
}

/// Where tasks run, all at once.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a store blocks, or does not")]
pub enum On<'r> {
    /// A thread for each, for a store that blocks.
    Threads,
    /// The runtime that an async driver wants.
    Runtime(&'r Runtime),
}

/// What is run at once with others, to its end.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl On<'_> {
    pub(crate) fn run(self, tasks: impl Iterator<Item = Task>) {
        match self {
            Self::Threads => thread::scope(|scope| {
                for task in tasks {
                    scope.spawn(|| wait_for(task));
                }
            }),
            Self::Runtime(runtime) => {
                let mut running = JoinSet::new();
                for task in tasks {
                    running.spawn_on(task, runtime.handle());
                }
                runtime.block_on(running.join_all());
            }
        }
    }
}

/// Runs a task on this thread.
fn wait_for(mut task: Task) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Polled::from_waker(&waker);
    while task.as_mut().poll(&mut context).is_pending() {
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A store that blocks, for [`bench()`]: its futures are ready when they are first polled.
#[derive(Clone, Debug)]
pub struct Blocking<S>(pub S);

impl<S: BlockingStore> Store for Blocking<S> {
    type Error = S::Error;

    async fn load(&self, subject: &str) -> Result<Option<Snapshot>, S::Error> {
        self.0.load_blocking(subject)
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, S::Error> {
        self.0.compare_and_swap_blocking(write)
    }

    async fn pause(&self, time: Duration) {
        self.0.pause_blocking(time);
    }
}

pub(crate) struct Bench<S, B> {
    pub(crate) store: S,
    bare: B,
    pub(crate) mfa: Mfa,
    /// The same keys for sessions, and no seal: makes challenges from the record of somebody whose
    /// token is everybody's.
    challenges: Mfa,
    plain: Vec<u8>,
    secret: Secret,
    pub(crate) phone: Verifier,
    /// As many bytes as a record in use has.
    record: Vec<u8>,
}

/// What is done in turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contender {
    /// The answer to a challenge: a load and a swap.
    Answer,
    BarePair,
    /// The challenge and its answer: two loads and a swap.
    SignIn,
    BareTriple,
}

use Contender::{Answer, BarePair, BareTriple, SignIn};

impl Contender {
    const ALL: [Self; 4] = [Answer, BarePair, SignIn, BareTriple];
}

/// Whether the program was given this argument.
pub(crate) fn given(argument: &str) -> bool {
    std::env::args().any(|given| given == argument)
}

/// How much was done, in which time of all tasks together.
#[derive(Clone, Copy, Default)]
struct Rate {
    done: usize,
    time: Duration,
    /// On the processors, of this process: the driver and the crate, and an engine within it.
    worked: Duration,
}

impl Rate {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    fn a_second(self, tasks: usize) -> f64 {
        (self.done * tasks) as f64 / self.time.as_secs_f64()
    }

    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    fn micros_of_work(self) -> f64 {
        self.worked.as_secs_f64() * 1e6 / self.done as f64
    }
}

/// How much is done.
struct Turns {
    subjects: usize,
    tasks: usize,
    rounds: usize,
    batch: Duration,
}

/// One task's place in a batch: whom it serves next, who is nobody else's, at a time that they have
/// not seen yet.
struct Turn {
    subject: usize,
    time: u64,
}

/// Runs a future whose requests are of this time, on whichever thread it goes on.
pub(crate) async fn at<T>(time: u64, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|context| {
        NOW.set(time);
        future.as_mut().poll(context)
    })
    .await
}

/// The time that this process has had on the processors.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("it counts from nothing")
}

/// Runs a future to its end that waits for nothing.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Polled::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("memory is there at once"),
    }
}

impl<S: Store + 'static, B: Store + 'static> Bench<S, B> {
    fn new(store: S, bare: B) -> Self {
        let keys = SessionKeys::generate(1, &OsEntropy).expect("the system's generator");
        let seal = Keyring::generate(1, &OsEntropy).expect("the system's generator");
        let secret = Secret::generate(20, &OsEntropy).expect("the system's generator");
        let context = Context::new("bench").expect("one of 1 to 128 bytes");
        let clear = || {
            Mfa::new(Policy::STANDARD, || Some(now()), OsEntropy)
                .with_sessions(keys.clone(), context.clone())
        };
        let mut bench = Self {
            store,
            bare,
            mfa: if given("--plain") {
                clear()
            } else {
                clear().sealed(seal)
            },
            challenges: clear(),
            plain: Vec::new(),
            phone: Verifier::new(&secret, Totp::STANDARD),
            secret,
            record: Vec::new(),
        };
        bench.plain = bench.enrolled(&bench.challenges, "one");
        // After one sign-in, as every record is that is in use.
        let rows = MemoryStore::new();
        let import = bench.import(&bench.mfa);
        import.run_blocking(&rows, "one").expect("it is new");
        NOW.set(BEGINNING + HOUR);
        let evidence = ready(whole(&bench.mfa, &rows, "one", &bench.phone));
        drop(evidence.expect("it signs in"));
        let row = rows.load_blocking("one").expect("in memory");
        bench.record = row.expect("it is enrolled").record;
        bench
    }

    fn import(&self, mfa: &Mfa) -> Request<Import> {
        let token = ImportedToken::proven(self.secret.clone(), Totp::STANDARD);
        mfa.import(&Administrator::named("bench"), [token])
    }

    /// The first record of a subject.
    fn enrolled(&self, mfa: &Mfa, subject: &str) -> Vec<u8> {
        NOW.set(BEGINNING);
        let decision = self.import(mfa).decide(subject, None);
        let decision = decision.expect("it is new");
        let write = decision.write().expect("it is new");
        write.record().to_vec()
    }

    /// As many bare rows as those of subjects, in the same table.
    pub(crate) fn fill(
        &self,
        subjects: core::ops::Range<usize>,
        insert: &impl Fn(&[(String, Vec<u8>)]),
    ) {
        let numbers: Vec<_> = subjects.collect();
        for numbers in numbers.chunks(10_000) {
            let rows: Vec<_> = numbers
                .iter()
                .flat_map(|number| {
                    let (subject, bare) = (subject(*number), bare(*number));
                    let record = self.enrolled(&self.mfa, &subject);
                    [(subject, record), (bare, self.record.clone())]
                })
                .collect();
            insert(&rows);
        }
    }

    /// Sign-ins a second, and as many bare reads and writes.
    fn measure(self: &Arc<Self>, turns: &Turns, batches: &mut u64, on: On<'_>) -> [f64; 2] {
        let mut rates = [Rate::default(); 4];
        let began = Instant::now();
        let mut rounds = 0;
        // One round that does not count.
        for round in 0..=turns.rounds {
            if began.elapsed() > LONGEST {
                break;
            }
            rounds = round;
            for turn in 0..4 {
                // Each round begins with another one.
                let contender = Contender::ALL[(round + turn) % 4];
                *batches += 1;
                let rate = self.batch(contender, turns, BEGINNING + *batches * MONTH, on);
                if round > 0 {
                    rates[contender as usize].done += rate.done;
                    rates[contender as usize].time += rate.time;
                    rates[contender as usize].worked += rate.worked;
                }
            }
        }
        let tasks = turns.tasks;
        let rate = |contender| rates[contender as usize].a_second(tasks);
        let work = |contender| rates[contender as usize].micros_of_work();
        for (through, beside, statements, name) in [
            (Answer, BarePair, "load+swap", "answer"),
            (SignIn, BareTriple, "load+load+swap", "sign-in"),
        ] {
            println!(
                "  {tasks:>5}  {name:<7}  {:>8.0}  {:>8.0}  {:>5.2}  {:>8.0}  {:>8.0}  \
                 {statements}, {rounds} rounds",
                rate(through),
                rate(beside),
                rate(through) / rate(beside),
                work(through),
                work(beside),
            );
        }
        [rate(SignIn), rate(BareTriple)]
    }

    /// How many were done, and the time that all tasks together took.
    fn batch(
        self: &Arc<Self>,
        contender: Contender,
        turns: &Turns,
        month: u64,
        on: On<'_>,
    ) -> Rate {
        let (each, batch) = (turns.subjects / turns.tasks, turns.batch);
        let beginning = Arc::new(Barrier::new(turns.tasks));
        let rate = Arc::new(Mutex::new(Rate::default()));
        let work = |task| {
            let (bench, beginning) = (Arc::clone(self), Arc::clone(&beginning));
            let rate = Arc::clone(&rate);
            Box::pin(async move {
                beginning.wait().await;
                let began = Instant::now();
                let mut done = 0;
                while began.elapsed() < batch {
                    // All over the table: the step is prime.
                    let turn = Turn {
                        subject: task * each + done * 7919 % each,
                        time: month + (done / each) as u64 * HOUR,
                    };
                    at(turn.time, bench.once(contender, &turn)).await;
                    done += 1;
                }
                let mut rate = rate.lock().unwrap_or_else(PoisonError::into_inner);
                rate.done += done;
                rate.time += began.elapsed();
            }) as Task
        };
        let began = worked();
        on.run((0..turns.tasks).map(work));
        let mut rate = *rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.worked = worked().saturating_sub(began);
        rate
    }

    async fn once(&self, contender: Contender, turn: &Turn) {
        let (subject, bare) = (subject(turn.subject), bare(turn.subject));
        match contender {
            // The challenge is made from a record in memory, which leaves the store a load and a
            // swap.
            Answer => {
                let found = Snapshot {
                    revision: Revision::FIRST,
                    record: self.plain.clone(),
                };
                let decision = self.challenges.sign_in().decide(&subject, Some(found));
                let decision = decision.expect("it decides");
                let session = session(decision.committed::<S::Error>().expect("it asks"));
                let respond = self.mfa.respond(&session, code(&self.phone));
                let evidence = respond.run(&self.store, &subject).await;
                drop(evidence.expect("it signs in"));
            }
            SignIn => {
                self.sign_in(&subject).await;
            }
            BarePair => self.bare_swap(&bare).await,
            BareTriple => self.bare_sign_in(&bare).await,
        }
    }

    pub(crate) async fn sign_in(&self, subject: &str) {
        let evidence = whole(&self.mfa, &self.store, subject, &self.phone).await;
        drop(evidence.expect("it signs in"));
    }

    /// Two loads and a swap, as a sign-in has.
    pub(crate) async fn bare_sign_in(&self, bare: &str) {
        drop(self.bare.load(bare).await.expect("a load"));
        self.bare_swap(bare).await;
    }

    async fn bare_swap(&self, bare: &str) {
        let found = self.bare.load(bare).await.expect("a load");
        let found = found.expect("it is there");
        let (expected, record) = (Some(found.revision), self.record.clone());
        let write = Write::new(bare, expected, record, Events::default());
        let write = write.expect("one of many");
        let swap = self.bare.compare_and_swap(write).await.expect("a swap");
        assert_eq!(swap, Swap::Stored);
    }

    /// 64 tasks on one subject.
    fn crowd(self: &Arc<Self>, rounds: u64, month: u64, on: On<'_>) {
        const TASKS: usize = 64;
        let month = BEGINNING + month * MONTH;
        let mut one_code = [0; 3];
        let mut every_one_writes = [0; 3];
        let mut waits = Vec::new();
        let began = Instant::now();
        let mut held = 0;
        while held < rounds && began.elapsed() < LONGEST {
            let round = held;
            held += 1;
            let all = Arc::new(Barrier::new(TASKS));
            let outcomes = Arc::new(Mutex::new(Vec::new()));
            let work = |_| {
                let (bench, all) = (Arc::clone(self), Arc::clone(&all));
                let outcomes = Arc::clone(&outcomes);
                let work = async move {
                    let outcome = bench.meet(&all).await;
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes.push(outcome);
                };
                Box::pin(at(month + round * HOUR, work)) as Task
            };
            on.run((0..TASKS).map(work));
            let outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            let accepted = outcomes.iter().filter(|met| met.0 == 0).count();
            assert_eq!(accepted, 1, "one code, one success");
            assert!(
                outcomes.iter().any(|met| met.1 == 0),
                "none of them was stored"
            );
            for (answer, issued, waited) in &*outcomes {
                one_code[*answer] += 1;
                every_one_writes[*issued] += 1;
                waits.push(*waited);
            }
        }
        println!("{TASKS} tasks on one subject, {held} rounds, of each round at least one stored");
        println!(
            "  one code            {} accepted, {} refused as used, {} contended",
            one_code[0], one_code[1], one_code[2]
        );
        let share =
            f64::from(every_one_writes[2]) / f64::from(every_one_writes.iter().sum::<u32>());
        waits.sort_unstable();
        println!(
            "  every one a write   {} stored, {} contended ({:.0} %); \
             half within {} ms, all within {} ms",
            every_one_writes[0],
            every_one_writes[2],
            share * 100.0,
            waits[waits.len() / 2].as_millis(),
            waits[waits.len() - 1].as_millis(),
        );
    }

    /// One of a crowd: what its code came to, what its write, and how long that took.
    async fn meet(&self, all: &Barrier) -> (usize, usize, Duration) {
        let name = subject(0);
        let asked = self.mfa.sign_in().run(&self.store, &name).await;
        // Nobody gives up before all have come here, or the others wait for ever.
        all.wait().await;
        let answer = match asked.map(session) {
            Ok(session) => {
                let respond = self.mfa.respond(&session, code(&self.phone));
                respond.run(&self.store, &name).await.map(drop)
            }
            Err(error) => Err(error),
        };
        all.wait().await;
        let began = Instant::now();
        let grant = Grant::from_bare_times(&name, now(), now());
        let issued = self.mfa.associate(&grant).run(&self.store, &name).await;
        (
            outcome(&answer),
            outcome(&issued.map(drop)),
            began.elapsed(),
        )
    }
}

/// Stored, refused as used, or contended.
fn outcome<E: core::fmt::Debug>(answer: &Result<(), Error<E>>) -> usize {
    match answer {
        Ok(()) => 0,
        Err(Error::Rejected {
            rejection: Rejection::Reused,
            ..
        }) => 1,
        Err(Error::Fault(Fault::Contended)) => 2,
        Err(other) => panic!("{other:?}"),
    }
}

pub(crate) async fn whole<S: Store>(
    mfa: &Mfa,
    store: &S,
    subject: &str,
    phone: &Verifier,
) -> Result<Evidence, Error<S::Error>> {
    let session = session(mfa.sign_in().run(store, subject).await?);
    let respond = mfa.respond(&session, code(phone));
    respond.run(store, subject).await
}

fn code(phone: &Verifier) -> Code {
    phone.code(Totp::STANDARD.step(now()))
}

fn session(challenge: Challenge) -> ChallengeSession {
    match challenge {
        Challenge::SoftwareToken { session, .. } => session,
        _ => panic!("a token is in force"),
    }
}

pub(crate) fn subject(number: usize) -> String {
    format!("user-{number:07}")
}

pub(crate) fn bare(number: usize) -> String {
    format!("bare-{number:07}")
}
