//! Sign-ins, guesses and re-enrolments, many at once, until told to stop.

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;

use softtoken::association::Operation;
use softtoken::mfa::Request;
use softtoken::policy::Throttle;
use softtoken::record::Keyring;
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Digits, Totp, Verifier, Window};
use softtoken::{
    BlockingStore, Challenge, ChallengeSession, Code, Context, Error, Grant, Mfa, OsEntropy,
    Policy, SessionKeys, UnixTime,
};

use crate::check::{Broken, check};
use crate::history::{Answer, Asked, Entry, Tally, Watched};

const SUBJECTS: usize = 24;
const TASKS: usize = 12;
/// How many actions make a step of time go by: fewer than there are subjects, so that most have a
/// code that is not used.
const ACTIONS_A_STEP: usize = 8;
const STEP: Duration = Duration::from_secs(30);

/// Keeps up a load on the store while `disturb` runs, and checks what must hold afterwards: no code
/// accepted twice, no acknowledged enrolment lost, no acknowledged failure uncounted, every record
/// opens, every request ended in an answer or a typed error.
///
/// The store must be up at the beginning and at the end, and there bears no other load. Its time
/// runs by the requests that are made, many steps a second. An error of the store's is an answer
/// that is not known; a store that hangs hangs this.
///
/// # Errors
///
/// What does not hold.
///
/// # Panics
///
/// Where a request does.
pub fn endure<S: BlockingStore>(store: &S, disturb: impl FnOnce()) -> Result<Tally, Broken> {
    let world = World::new(store);
    for subject in 0..SUBJECTS {
        world.enrol(
            subject,
            &Grant::first_factor(world.name(subject), world.now()),
        );
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for task in 0..TASKS {
            let (world, stop) = (&world, &stop);
            let mut random = fastrand::Rng::with_seed(task as u64);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    world.act(&mut random);
                }
            });
        }
        let _ends_the_load = Stop(&stop);
        disturb();
    });
    let mut violations: Vec<_> = (0..SUBJECTS)
        .filter_map(|subject| world.settle(subject))
        .collect();
    let history = world
        .history
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    violations.extend(check(SUBJECTS, &history));
    if violations.is_empty() {
        Ok(Tally::of(&history))
    } else {
        Err(Broken(violations))
    }
}

/// Tells the tasks to stop, also where `disturb` panics.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct World<'s, S> {
    store: &'s S,
    mfa: Mfa,
    totp: Totp,
    seconds: Arc<AtomicU64>,
    /// Whether the last request was not answered.
    down: AtomicBool,
    actions: AtomicUsize,
    /// The one order of all beginnings and ends.
    order: AtomicUsize,
    people: Vec<Person>,
    history: Mutex<Vec<Entry>>,
}

struct Person {
    name: String,
    /// All that were ever issued to them.
    tokens: Mutex<Vec<Verifier>>,
    /// The one that was last acknowledged to be in force.
    current: AtomicUsize,
    /// The code that was accepted last, and its token.
    spent: Mutex<Option<(usize, Code)>>,
}

impl<'s, S: BlockingStore> World<'s, S> {
    fn new(store: &'s S) -> Self {
        // Eight digits: none of some ten thousand guesses is right by chance. The window is wide,
        // since time goes by while a code is on its way, and debts are paid off fast, so that
        // nobody is locked out.
        let totp = Totp::new(Algorithm::Sha1, Digits::Eight, STEP).expect("in range");
        let policy = Policy::builder()
            .totp(totp)
            .window(Window::new(4, 4).expect("in range"))
            .session_lifetime(Duration::from_secs(15 * 60))
            .throttle(Throttle {
                debt_decay: Duration::from_secs(60),
                ..Throttle::STANDARD
            })
            .build()
            .expect("a policy");
        let seconds = Arc::new(AtomicU64::new(1_700_000_000));
        let clock = {
            let seconds = Arc::clone(&seconds);
            move || Some(UnixTime::from_secs(seconds.load(Ordering::SeqCst)))
        };
        let keys = SessionKeys::generate(1, &OsEntropy).expect("the system's generator");
        // So that a record that came back under another subject, or another revision, does not
        // open.
        let seal = Keyring::generate(1, &OsEntropy).expect("the system's generator");
        let run = fastrand::u64(..);
        let person = |subject| Person {
            name: format!("faults-{run:016x}-{subject}"),
            tokens: Mutex::default(),
            current: AtomicUsize::new(0),
            spent: Mutex::default(),
        };
        Self {
            store,
            mfa: Mfa::new(policy, clock, OsEntropy)
                .with_sessions(keys, Context::new("faults").expect("one of 1 to 128 bytes"))
                .sealed(seal),
            totp,
            seconds,
            down: AtomicBool::new(false),
            actions: AtomicUsize::new(0),
            order: AtomicUsize::new(0),
            people: (0..SUBJECTS).map(person).collect(),
            history: Mutex::default(),
        }
    }

    fn name(&self, subject: usize) -> &str {
        &self.people[subject].name
    }

    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.seconds.load(Ordering::SeqCst))
    }

    fn step(&self) -> Step {
        self.totp.step(self.now())
    }

    fn pass(&self, time: Duration) {
        self.seconds.fetch_add(time.as_secs(), Ordering::SeqCst);
    }

    fn act(&self, random: &mut fastrand::Rng) {
        let subject = random.usize(..SUBJECTS);
        match random.u8(..10) {
            0 => {
                // By an access token that a second factor stands behind, from just now.
                let now = self.now();
                self.enrol(
                    subject,
                    &Grant::from_bare_times(self.name(subject), now, now),
                );
            }
            1..3 => self.guess(subject),
            3 => self.replay(subject),
            // A token that was replaced, as far as there was one.
            4 => {
                let token = self.people[subject].current.load(Ordering::SeqCst);
                self.sign_in(subject, token.saturating_sub(1));
            }
            _ => {
                let token = self.people[subject].current.load(Ordering::SeqCst);
                self.sign_in(subject, token);
            }
        }
        let actions = self.actions.fetch_add(1, Ordering::Relaxed);
        // While the store is down time stands still, so that a code which was spent before is worth
        // trying after.
        if actions.is_multiple_of(ACTIONS_A_STEP) && !self.down.load(Ordering::SeqCst) {
            self.pass(STEP);
        }
    }

    /// One code, sent twice at once.
    fn sign_in(&self, subject: usize, token: usize) {
        let Some(code) = self.code(subject, token) else {
            return;
        };
        let both = Barrier::new(2);
        let send = || {
            let session = self.challenge(subject);
            both.wait();
            if let Some(session) = session
                && self.respond(subject, Asked::Code { token }, &session, code.clone())
            {
                *unpoisoned(&self.people[subject].spent) = Some((token, code.clone()));
            }
        };
        thread::scope(|scope| {
            scope.spawn(send);
            send();
        });
    }

    /// The code that was accepted last, once more.
    fn replay(&self, subject: usize) {
        let spent = unpoisoned(&self.people[subject].spent).clone();
        if let Some((token, code)) = spent
            && let Some(session) = self.challenge(subject)
        {
            self.respond(subject, Asked::Code { token }, &session, code);
        }
    }

    /// What no token shows for a long time.
    fn guess(&self, subject: usize) {
        let Some(session) = self.challenge(subject) else {
            return;
        };
        let shown: Vec<_> = {
            let tokens = unpoisoned(&self.people[subject].tokens);
            let steps = -40..40;
            let codes = tokens.iter().flat_map(|token| {
                steps
                    .clone()
                    .map(|steps| token.code(self.step().saturating_offset(steps)).expose())
            });
            codes.collect()
        };
        let mut numbers = (0..).map(|number| format!("{number:08}"));
        let free = numbers.find(|number| shown.iter().all(|code| code.as_str() != number));
        let code = free.and_then(|number| Code::parse(&number).ok());
        self.respond(
            subject,
            Asked::Guess,
            &session,
            code.expect("one of many is free"),
        );
    }

    fn enrol(&self, subject: usize, grant: &Grant) {
        let person = &self.people[subject];
        let associate = self.mfa.associate(grant);
        let Some(issued) = self.ask(subject, Asked::Associate, associate, |_| {
            Answer::Accepted(None)
        }) else {
            return;
        };
        let token = {
            let mut tokens = unpoisoned(&person.tokens);
            tokens.push(Verifier::new(issued.secret(), issued.totp()));
            tokens.len() - 1
        };
        let code = self.code(subject, token).expect("it was issued");
        let verify = self.mfa.verify(grant, code);
        let enrolled = self.ask(subject, Asked::Verify { token }, verify, |enrolled| {
            Answer::Accepted(enrolled.evidence().step())
        });
        if enrolled.is_some() {
            person.current.fetch_max(token, Ordering::SeqCst);
        }
    }

    /// Tries the tokens that can be in force when all is over, from the one before the last that
    /// was acknowledged to be: one is. The last answer is a success, which reports the failures.
    fn settle(&self, subject: usize) -> Option<crate::Violation> {
        let tokens = unpoisoned(&self.people[subject].tokens).len();
        let current = self.people[subject].current.load(Ordering::SeqCst);
        let in_force: Vec<_> = (current.saturating_sub(1)..tokens)
            .filter(|token| self.settled(subject, *token))
            .collect();
        match in_force[..] {
            [token] if self.settled(subject, token) => None,
            _ => Some(crate::Violation::InForce {
                subject,
                tokens: in_force.len(),
            }),
        }
    }

    /// Whether a code of this token is accepted, once nothing has to wait.
    fn settled(&self, subject: usize, token: usize) -> bool {
        // Connections from before the last restart fail once more each.
        for _ in 0..=2 * TASKS {
            self.pass(Duration::from_secs(60 * 60));
            let code = self.code(subject, token).expect("it was issued");
            let accepted = self.challenge(subject).is_some_and(|session| {
                self.respond(subject, Asked::Code { token }, &session, code)
            });
            let last = unpoisoned(&self.history).last().map(|entry| entry.answer);
            if last != Some(Answer::Unknown) {
                return accepted;
            }
        }
        false
    }

    /// The code that a token shows just now.
    fn code(&self, subject: usize, token: usize) -> Option<Code> {
        let tokens = unpoisoned(&self.people[subject].tokens);
        Some(tokens.get(token)?.code(self.step()))
    }

    fn challenge(&self, subject: usize) -> Option<ChallengeSession> {
        let sign_in = self.mfa.sign_in();
        let challenge = self.ask(
            subject,
            Asked::SignIn,
            sign_in,
            |challenge| match challenge {
                Challenge::NotRequired { .. } => Answer::NotRequired,
                _ => Answer::Accepted(None),
            },
        )?;
        match challenge {
            Challenge::SoftwareToken { session, .. } => Some(session),
            _ => None,
        }
    }

    fn respond(
        &self,
        subject: usize,
        asked: Asked,
        session: &ChallengeSession,
        code: Code,
    ) -> bool {
        let respond = self.mfa.respond(session, code);
        self.ask(subject, asked, respond, |evidence| {
            Answer::Accepted(evidence.step())
        })
        .is_some()
    }

    /// Runs a request, and writes down what it was and what was answered.
    fn ask<O: Operation>(
        &self,
        subject: usize,
        asked: Asked,
        request: Request<O>,
        accepted: impl FnOnce(&O::Output) -> Answer,
    ) -> Option<O::Output> {
        let watched = Watched::new(self.store);
        let began = self.order.fetch_add(1, Ordering::SeqCst);
        let outcome = request.run_blocking(&watched, self.name(subject));
        let ended = self.order.fetch_add(1, Ordering::SeqCst);
        let answer = match &outcome {
            Ok(output) => accepted(output),
            Err(Error::Rejected { rejection, .. }) => Answer::Rejected(*rejection),
            Err(Error::Fault(fault)) => Answer::Fault(*fault),
            Err(Error::Store(_)) => Answer::Unknown,
            Err(Error::Malformed(malformed)) => panic!("{malformed}"),
        };
        self.down.store(answer == Answer::Unknown, Ordering::SeqCst);
        let (events, stored) = watched.into_seen();
        unpoisoned(&self.history).push(Entry {
            subject,
            began,
            ended,
            asked,
            answer,
            events,
            stored,
        });
        if answer == Answer::Unknown {
            // A server that recovers is not helped by being asked at once again.
            thread::sleep(Duration::from_millis(100));
        }
        outcome.ok()
    }
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
