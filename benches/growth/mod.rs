//! Many subjects, of whom each call takes any: how a request grows with them, and what two threads
//! do at once.

use core::hint::black_box;
use core::slice::from_ref;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::fs;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use allocation_counter::measure;
use softtoken::association::{Events, ImportedToken};
use softtoken::store::{BlockingStore as _, Write};
use softtoken::totp::{Secret, Totp, Verdict, Verifier, Window};
use softtoken::{Administrator, Challenge, Code, MemoryStore, Mfa, SignedIn, UnixTime};

use crate::contenders::wrong_code;
use crate::glue::{Answer, Glue};
use crate::interleaved::{Batch, timed};
use crate::server::{mfa, now, set_clock};

const SECRET: [u8; 20] = *b"12345678901234567890";
const PERIOD: u64 = 30;
/// Between two wrong codes: what the throttle asks for is paid off.
const PAUSE: u64 = 12 * 60 * 60;

/// Subjects with a token each, who have signed in before, in a store and in the map of the glue. All
/// tokens have one secret: no row knows of another.
pub(crate) struct Population {
    pub(crate) subjects: u64,
    mfa: Mfa,
    store: MemoryStore,
    glue: Glue,
    device: Verifier,
    seconds: AtomicU64,
    chosen: AtomicU64,
    /// Bytes a subject that were asked of the allocator: softtoken's, the glue's.
    pub(crate) bytes: [u64; 2],
}

/// Who judges the texts that users send.
#[derive(Clone, Copy)]
pub(crate) enum By {
    Softtoken,
    Glue,
    /// Nothing but the verifier: no store, and no state that threads share.
    Verifier,
}

/// What users send.
#[derive(Clone, Copy)]
pub(crate) enum Sent {
    Right,
    Wrong,
}

fn subject(number: u64) -> String {
    format!("user-{number:08}")
}

impl Population {
    pub(crate) fn new(subjects: u64) -> Arc<Self> {
        let mfa = mfa(1, false);
        let (store, glue) = (MemoryStore::new(), Glue::default());
        let secret = Secret::from_bytes(&SECRET).unwrap();
        let device = Verifier::new(&secret, Totp::STANDARD);
        let token = ImportedToken::proven(secret, Totp::STANDARD).named("phone");
        let import = mfa.import(&Administrator::named("bench"), [token]);
        let first = MemoryStore::new();
        import.run_blocking(&first, "first").unwrap();
        // A first sign-in makes a row longer, and has to find new memory for it.
        set_clock(now() + PAUSE);
        let code = device.code(Totp::STANDARD.step(UnixTime::from_secs(now())));
        let sign_in = mfa.sign_in_with(Some(code.into()));
        let signed_in = sign_in.run_blocking(&first, "first");
        assert!(matches!(signed_in, Ok(SignedIn::Proven(_))));
        let row = first.load_blocking("first").unwrap().unwrap();
        let held = measure(|| {
            for number in 0..subjects {
                let record = row.record.clone();
                let write = Write::new(&subject(number), None, record, Events::default());
                let _ = store.compare_and_swap_blocking(write.unwrap());
            }
        });
        let held_by_glue = measure(|| {
            for number in 0..subjects {
                glue.enrol(&subject(number), SECRET);
            }
        });
        let bytes = [held, held_by_glue].map(|held| {
            let held = u64::try_from(held.bytes_current).unwrap();
            held / subjects
        });
        Arc::new(Self {
            subjects,
            mfa,
            store,
            glue,
            device,
            seconds: AtomicU64::new(now() + PAUSE),
            chosen: AtomicU64::new(1),
            bytes,
        })
    }

    /// Any of them.
    fn any(&self) -> u64 {
        let step = |state: u64| {
            state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1)
        };
        let before = self
            .chosen
            .fetch_update(Relaxed, Relaxed, |state| Some(step(state)));
        (before.unwrap() >> 33) % self.subjects
    }

    /// A code right or wrong, at a time that comes after all times before it.
    fn call(&self, sent: Sent, chosen: u64) -> Call {
        let pause = match sent {
            Sent::Right => PERIOD,
            Sent::Wrong => PAUSE,
        };
        let seconds = self.seconds.fetch_add(pause, Relaxed) + pause;
        let step = Totp::STANDARD.step(UnixTime::from_secs(seconds));
        let code = match sent {
            Sent::Right => self.device.code(step),
            Sent::Wrong => wrong_code(from_ref(&self.device), step),
        };
        Call {
            seconds,
            subject: subject(chosen),
            text: code.expose().to_string(),
        }
    }

    fn judge(&self, by: By, sent: Sent, call: &Call) {
        let Call {
            seconds,
            subject,
            text,
        } = call;
        match by {
            By::Softtoken => {
                set_clock(*seconds);
                let factor = Some(Code::parse(text).unwrap().into());
                let request = self.mfa.sign_in_with(factor);
                let signed_in = request.run_blocking(&self.store, subject);
                assert_eq!(
                    matches!(signed_in, Ok(SignedIn::Proven(_))),
                    matches!(sent, Sent::Right)
                );
            }
            By::Verifier => {
                let code = Code::parse(text).unwrap();
                let step = Totp::STANDARD.step(UnixTime::from_secs(*seconds));
                let verdict = self.device.verify(&code, step, Window::STANDARD, None);
                let is_accepted = matches!(verdict, Verdict::Accepted { .. });
                assert_eq!(is_accepted, matches!(sent, Sent::Right));
            }
            By::Glue => {
                let answer = self.glue.sign_in(subject, text, *seconds);
                assert_eq!(
                    answer,
                    match sent {
                        Sent::Right => Answer::SignedIn,
                        Sent::Wrong => Answer::Wrong,
                    }
                );
            }
        }
    }

    /// Calls that take any subject each.
    pub(crate) fn batch(self: &Arc<Self>, by: By, sent: Sent) -> Batch {
        let population = Arc::clone(self);
        Box::new(move |calls| {
            let calls = 0..calls;
            let prepared = calls.map(|_| population.call(sent, population.any()));
            let prepared: Vec<Call> = prepared.collect();
            let mut given = prepared.iter();
            timed(u32::try_from(prepared.len()).unwrap(), || {
                population.judge(by, sent, given.next().unwrap());
            })
        })
    }

    /// What a sign-in asks for: one read.
    pub(crate) fn asked(self: &Arc<Self>) -> Batch {
        self.read(|population, subject| {
            let sign_in = population.mfa.sign_in();
            let challenge = sign_in.run_blocking(&population.store, subject);
            assert!(matches!(challenge, Ok(Challenge::SoftwareToken { .. })));
        })
    }

    /// That read alone: what the memory of the machine takes, whatever is done with the row.
    pub(crate) fn loaded(self: &Arc<Self>) -> Batch {
        self.read(|population, subject| {
            let row = population.store.load_blocking(subject);
            assert!(black_box(row).unwrap().is_some());
        })
    }

    fn read(self: &Arc<Self>, read: fn(&Self, &str)) -> Batch {
        let population = Arc::clone(self);
        Box::new(move |calls| {
            let subjects: Vec<String> = (0..calls).map(|_| subject(population.any())).collect();
            let mut given = subjects.iter();
            timed(calls, || {
                read(&population, given.next().unwrap());
            })
        })
    }

    /// So many threads at once, who share everything but their subjects.
    pub(crate) fn on_threads(&self, by: By, threads: u64, calls: u64) -> Pace {
        let beginning = Barrier::new(usize::try_from(threads).unwrap());
        let share = self.subjects / threads;
        let seen: Vec<Pace> = thread::scope(|scope| {
            let run = |thread: u64| {
                let beginning = &beginning;
                move || {
                    let chosen = (0..calls).map(|_| thread * share + self.any() % share);
                    let calls: Vec<Call> = chosen.map(|one| self.call(Sent::Right, one)).collect();
                    beginning.wait();
                    let (began, worked) = (Instant::now(), work());
                    for call in &calls {
                        self.judge(by, Sent::Right, call);
                    }
                    Pace {
                        clock: began.elapsed().as_secs_f64(),
                        work: work() - worked,
                    }
                }
            };
            let running: Vec<_> = (0..threads)
                .map(|thread| scope.spawn(run(thread)))
                .collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        });
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let (threads, calls) = (threads as f64, calls as f64);
        let slowest = seen.iter().map(|pace| pace.clock).fold(0.0, f64::max);
        let work: f64 = seen.iter().map(|pace| pace.work).sum();
        Pace {
            clock: threads * calls / slowest,
            work: threads * threads * calls / work,
        }
    }
}

/// One request, made ready.
struct Call {
    seconds: u64,
    subject: String,
    text: String,
}

/// Calls a second, by the clock, and as many as there were if each thread had a core of its own
/// all the time, by what the kernel says that they were at work.
pub(crate) struct Pace {
    pub(crate) clock: f64,
    pub(crate) work: f64,
}

/// Seconds that this thread has been at work; not a number where the kernel does not tell.
fn work() -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told
        .split(' ')
        .next()
        .and_then(|first| first.parse::<f64>().ok());
    nanoseconds.map_or(f64::NAN, |nanoseconds| nanoseconds / 1e9)
}
