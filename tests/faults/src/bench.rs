//! What the crate costs beside the bare reads and writes of the same store, in one run.

use core::cell::Cell;
use core::time::Duration;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use softtoken::association::{Events, Import, ImportedToken};
use softtoken::mfa::Request;
use softtoken::record::Keyring;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::totp::{Secret, Totp, Verifier};
use softtoken::{
    Administrator, BlockingStore, Challenge, ChallengeSession, Code, Context, Error, Evidence,
    Fault, Grant, MemoryStore, Mfa, OsEntropy, Policy, Rejection, Revision, SessionKeys, UnixTime,
};

const BEGINNING: u64 = 1_700_000_000;
const HOUR: u64 = 60 * 60;
/// A record is enrolled at the beginning, and no two batches share a month.
const MONTH: u64 = 30 * 24 * HOUR;

thread_local! {
    /// What time it is for the requests of this thread.
    static NOW: Cell<u64> = const { Cell::new(BEGINNING) };
}

fn now() -> UnixTime {
    UnixTime::from_secs(NOW.get())
}

/// Prints how many sign-ins a second there are through the crate, beside as many bare loads and
/// conditional writes of rows of the same size, at 1 and at 32 tasks, with 10,000 subjects; and
/// what 64 tasks on one subject do to each other.
///
/// `settings` names the engine and its durable settings. `insert` puts rows into an empty table by
/// whatever is fastest, each under [`Revision::FIRST`](softtoken::Revision::FIRST). The program's
/// arguments: `--million` measures a million subjects as well, `--plain` leaves records in the
/// clear, `--quick` only shows that all of it runs.
///
/// # Panics
///
/// Where the store fails, or a request is not answered as it must be.
pub fn bench<S: BlockingStore>(settings: &str, store: &S, insert: impl Fn(&[(String, Vec<u8>)])) {
    let (rounds, batch, subjects, crowded) = if given("--quick") {
        (2, Duration::from_millis(50), 1_000, 3)
    } else {
        (150, Duration::from_millis(50), 10_000, 30)
    };
    println!("{settings}\n");
    let mut bench = Bench::new(store);
    let mut filled = 0;
    let mut sizes = vec![subjects];
    if given("--million") {
        sizes.push(1_000_000);
    }
    let mut whole = Vec::new();
    for subjects in sizes {
        bench.fill(filled..subjects, &insert);
        filled = subjects;
        println!(
            "{subjects} subjects, {} records of {} bytes; {rounds} rounds of all four in turn",
            if given("--plain") { "plain" } else { "sealed" },
            bench.bare.len()
        );
        println!(
            "  tasks  answers/s  bare load+swap/s  ratio  sign-ins/s  bare load+load+swap/s  ratio"
        );
        whole.push([1, 32].map(|tasks| bench.measure(subjects, tasks, rounds, batch)));
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
    bench.crowd(crowded);
}

struct Bench<'s, S> {
    store: &'s S,
    mfa: Mfa,
    /// The same keys for sessions, and no seal: makes challenges from the record of somebody whose
    /// token is everybody's.
    challenges: Mfa,
    plain: Vec<u8>,
    secret: Secret,
    phone: Verifier,
    /// As many bytes as a record in use has.
    bare: Vec<u8>,
    batches: u64,
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
fn given(argument: &str) -> bool {
    std::env::args().any(|given| given == argument)
}

/// How much was done, in which time of all tasks together.
#[derive(Clone, Copy, Default)]
struct Rate {
    done: usize,
    time: Duration,
}

impl Rate {
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    fn a_second(self, tasks: usize) -> f64 {
        (self.done * tasks) as f64 / self.time.as_secs_f64()
    }
}

/// One task's place in a batch: whom it serves next, who is nobody else's, at a time that they have
/// not seen yet.
struct Turn {
    subject: usize,
    time: u64,
}

impl<'s, S: BlockingStore> Bench<'s, S> {
    fn new(store: &'s S) -> Self {
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
            mfa: if given("--plain") {
                clear()
            } else {
                clear().sealed(seal)
            },
            challenges: clear(),
            plain: Vec::new(),
            phone: Verifier::new(&secret, Totp::STANDARD),
            secret,
            bare: Vec::new(),
            batches: 0,
        };
        bench.plain = bench.enrolled(&bench.challenges, "one");
        // After one sign-in, as every record is that is in use.
        let rows = MemoryStore::new();
        let import = bench.import(&bench.mfa);
        import.run_blocking(&rows, "one").expect("it is new");
        NOW.set(BEGINNING + HOUR);
        let _evidence = whole(&bench.mfa, &rows, "one", &bench.phone).expect("it signs in");
        let row = rows.load_blocking("one").expect("in memory");
        bench.bare = row.expect("it is enrolled").record;
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
    fn fill(&self, subjects: core::ops::Range<usize>, insert: &impl Fn(&[(String, Vec<u8>)])) {
        let numbers: Vec<_> = subjects.collect();
        for numbers in numbers.chunks(10_000) {
            let rows: Vec<_> = numbers
                .iter()
                .flat_map(|number| {
                    let (subject, bare) = (subject(*number), bare(*number));
                    let record = self.enrolled(&self.mfa, &subject);
                    [(subject, record), (bare, self.bare.clone())]
                })
                .collect();
            insert(&rows);
        }
    }

    /// Sign-ins a second, and as many bare reads and writes.
    fn measure(
        &mut self,
        subjects: usize,
        tasks: usize,
        rounds: usize,
        batch: Duration,
    ) -> [f64; 2] {
        let mut rates = [Rate::default(); 4];
        // One round that does not count.
        for round in 0..=rounds {
            for turn in 0..4 {
                // Each round begins with another one.
                let contender = Contender::ALL[(round + turn) % 4];
                let (done, time) = self.batch(contender, subjects, tasks, batch);
                if round > 0 {
                    rates[contender as usize].done += done;
                    rates[contender as usize].time += time;
                }
            }
        }
        let rate = |contender| rates[contender as usize].a_second(tasks);
        println!(
            "  {tasks:>5}  {:>9.0}  {:>16.0}  {:>5.2}  {:>10.0}  {:>21.0}  {:>5.2}",
            rate(Answer),
            rate(BarePair),
            rate(Answer) / rate(BarePair),
            rate(SignIn),
            rate(BareTriple),
            rate(SignIn) / rate(BareTriple)
        );
        [rate(SignIn), rate(BareTriple)]
    }

    /// How many were done, and the time that all tasks together took.
    fn batch(
        &mut self,
        contender: Contender,
        subjects: usize,
        tasks: usize,
        batch: Duration,
    ) -> (usize, Duration) {
        self.batches += 1;
        let month = BEGINNING + self.batches * MONTH;
        let each = subjects / tasks;
        let beginning = Barrier::new(tasks);
        let work = |task| {
            beginning.wait();
            let began = Instant::now();
            let mut done = 0;
            while began.elapsed() < batch {
                // All over the table: the step is prime.
                let turn = Turn {
                    subject: task * each + done * 7919 % each,
                    time: month + (done / each) as u64 * HOUR,
                };
                self.once(contender, &turn);
                done += 1;
            }
            (done, began.elapsed())
        };
        thread::scope(|scope| {
            let work = &work;
            let tasks: Vec<_> = (0..tasks)
                .map(|task| scope.spawn(move || work(task)))
                .collect();
            tasks.into_iter().fold((0, Duration::ZERO), |sum, task| {
                let (done, time) = task.join().expect("no request panics");
                (sum.0 + done, sum.1 + time)
            })
        })
    }

    fn once(&self, contender: Contender, turn: &Turn) {
        NOW.set(turn.time);
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
                let _evidence = respond
                    .run_blocking(self.store, &subject)
                    .expect("it signs in");
            }
            SignIn => {
                let _evidence =
                    whole(&self.mfa, self.store, &subject, &self.phone).expect("it signs in");
            }
            BarePair | BareTriple => {
                if contender == BareTriple {
                    let _ = self.store.load_blocking(&bare).expect("a load");
                }
                let found = self
                    .store
                    .load_blocking(&bare)
                    .expect("a load")
                    .expect("it is there");
                let (expected, record) = (Some(found.revision), self.bare.clone());
                let write = Write::new(&bare, expected, record, Events::default());
                let write = write.expect("one of many");
                let swap = self.store.compare_and_swap_blocking(write).expect("a swap");
                assert_eq!(swap, Swap::Stored);
            }
        }
    }

    /// 64 tasks on one subject.
    fn crowd(&mut self, rounds: u64) {
        const TASKS: usize = 64;
        self.batches += 1;
        let month = BEGINNING + self.batches * MONTH;
        let name = subject(0);
        let mut one_code = [0; 3];
        let mut every_one_writes = [0; 3];
        for round in 0..rounds {
            let all = Barrier::new(TASKS);
            let work = || {
                NOW.set(month + round * HOUR);
                let sign_in = self.mfa.sign_in();
                let asked = sign_in.run_blocking(self.store, &name);
                // Nobody gives up before all have come here, or the others wait for ever.
                all.wait();
                let session = asked.map(session);
                let answer = session.and_then(|session| {
                    let respond = self.mfa.respond(&session, code(&self.phone));
                    respond.run_blocking(self.store, &name).map(drop)
                });
                all.wait();
                let grant = Grant::from_bare_times(&name, now(), now());
                let issued = self.mfa.associate(&grant).run_blocking(self.store, &name);
                (outcome(&answer), outcome(&issued.map(drop)))
            };
            let outcomes: Vec<_> = thread::scope(|scope| {
                let tasks: Vec<_> = (0..TASKS).map(|_| scope.spawn(work)).collect();
                tasks
                    .into_iter()
                    .map(|task| task.join().expect("no request panics"))
                    .collect()
            });
            let accepted = outcomes.iter().filter(|(answer, _)| *answer == 0).count();
            assert_eq!(accepted, 1, "one code, one success");
            assert!(
                outcomes.iter().any(|(_, issued)| *issued == 0),
                "none of them was stored"
            );
            for (answer, issued) in outcomes {
                one_code[answer] += 1;
                every_one_writes[issued] += 1;
            }
        }
        println!(
            "{TASKS} tasks on one subject, {rounds} rounds, of each round at least one stored"
        );
        println!(
            "  one code            {} accepted, {} refused as used, {} contended",
            one_code[0], one_code[1], one_code[2]
        );
        let share =
            f64::from(every_one_writes[2]) / f64::from(every_one_writes.iter().sum::<u32>());
        println!(
            "  every one a write   {} stored, {} contended ({:.0} %)",
            every_one_writes[0],
            every_one_writes[2],
            share * 100.0
        );
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

fn whole<S: BlockingStore>(
    mfa: &Mfa,
    store: &S,
    subject: &str,
    phone: &Verifier,
) -> Result<Evidence, Error<S::Error>> {
    let session = session(mfa.sign_in().run_blocking(store, subject)?);
    mfa.respond(&session, code(phone))
        .run_blocking(store, subject)
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

fn subject(number: usize) -> String {
    format!("user-{number:07}")
}

fn bare(number: usize) -> String {
    format!("bare-{number:07}")
}
