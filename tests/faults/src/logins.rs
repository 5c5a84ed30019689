//! Whole logins in transactions of the application's own, while its database is killed.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::thread;

use serde::{Deserialize, Serialize};
use softtoken::association::ImportedToken;
use softtoken::own_transaction::{BlockingLogins, Ending, Login};
use softtoken::totp::{Code, Secret, Totp, Verifier};
use softtoken::{
    Administrator, BlockingStore, Error, Fault, Grant, Mfa, OsEntropy, Policy, Rejection, UnixTime,
};

use crate::check::{Broken, Violation};
use crate::load::Stop;

const PEOPLE: usize = 12;
const BEGINNING: u64 = 1_700_000_000;
/// After a day nobody has to wait for a guess of before.
const DAY: u64 = 24 * 60 * 60;
/// A server recovers in less.
const ATTEMPTS: usize = 1_200;

/// One login: somebody, a code at a time, and the row that goes with it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Attempt {
    subject: String,
    seconds: u64,
    code: String,
    row: String,
}

/// What a login was answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// The code, and the row, are committed.
    Accepted,
    /// The code was used before.
    Reused,
    /// The code is wrong, and the failure is counted.
    Mismatch,
    /// Nobody knows.
    Unknown,
    /// What no login here may be answered.
    Other(String),
}

/// Where logins are made: an application, or a process that has one.
pub(crate) trait Place: BlockingStore {
    fn log_in(&self, attempt: &Attempt) -> Outcome;

    /// `None`: the database did not answer.
    fn has_row(&self, row: &str) -> Option<bool>;
}

/// An application in this process.
pub(crate) struct Here<A>(pub(crate) A);

impl<A: BlockingLogins> Place for Here<A> {
    fn log_in(&self, attempt: &Attempt) -> Outcome {
        let now = UnixTime::from_secs(attempt.seconds);
        let grant = Grant::first_factor(&attempt.subject, now);
        let code = Code::parse(&attempt.code).expect("it is one");
        let login = Login::new(&*attempt.row, Ending::Commit);
        let request = mfa(attempt.seconds).step_up(&grant, code);
        match self.0.log_in_blocking(&attempt.subject, request, &login) {
            Ok(Some(_evidence)) => Outcome::Accepted,
            Err(Error::Rejected {
                rejection: Rejection::Reused,
                ..
            }) => Outcome::Reused,
            Err(Error::Rejected {
                rejection: Rejection::Mismatch,
                ..
            }) => Outcome::Mismatch,
            Err(Error::Store(_) | Error::Fault(Fault::Contended)) => Outcome::Unknown,
            Ok(None) => Outcome::Other("left without a commit".into()),
            Err(error) => Outcome::Other(error.to_string()),
        }
    }

    fn has_row(&self, row: &str) -> Option<bool> {
        self.0.has_row_blocking(row).ok()
    }
}

impl<A: BlockingStore> BlockingStore for Here<A> {
    type Error = A::Error;

    fn load_blocking(&self, subject: &str) -> Result<Option<softtoken::store::Snapshot>, A::Error> {
        self.0.load_blocking(subject)
    }

    fn compare_and_swap_blocking(
        &self,
        write: softtoken::store::Write,
    ) -> Result<softtoken::store::Swap, A::Error> {
        self.0.compare_and_swap_blocking(write)
    }

    fn pause_blocking(&self, time: Duration) {
        self.0.pause_blocking(time);
    }
}

/// The view of a request at this time.
fn mfa(seconds: u64) -> Mfa {
    let clock = move || Some(UnixTime::from_secs(seconds));
    Mfa::new(Policy::STANDARD, clock, OsEntropy)
}

/// How many logins were answered in which way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LoginTally {
    /// Logins that were acknowledged.
    pub accepted: usize,
    /// Codes that were sent again once they were spent, and refused.
    pub refused: usize,
    /// Guesses that were acknowledged as wrong, and counted.
    pub guesses: usize,
    /// Logins that were not answered, of which the database has both rows.
    pub kept: usize,
    /// Logins that were not answered, of which the database has nothing.
    pub undone: usize,
}

impl fmt::Display for LoginTally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} logins acknowledged, {} codes refused as used, {} guesses counted; of {} logins without an answer {} are whole and {} nowhere",
            self.accepted,
            self.refused,
            self.guesses,
            self.kept + self.undone,
            self.kept,
            self.undone
        )
    }
}

/// Keeps up logins, each with a row of the application's own, while `disturb` runs, and checks
/// afterwards that there is no half of any: for every code that is spent exactly one row is there,
/// that of the login which was acknowledged, if one was; and no acknowledged guess is forgotten.
///
/// Every login that is not answered is made again, by the same code and with another row, until one
/// is. What is asked of the application, and that it must be up at the beginning and at the end, is
/// as for [`endure`](crate::endure).
///
/// # Errors
///
/// What does not hold.
///
/// # Panics
///
/// Where a login is answered as none of these may be, or a server does not come back.
pub fn endure_logins<A: BlockingLogins>(
    application: A,
    disturb: impl FnOnce(),
) -> Result<LoginTally, Broken> {
    log_in_while(&Here(application), disturb)
}

pub(crate) fn log_in_while<P: Place>(
    place: &P,
    disturb: impl FnOnce(),
) -> Result<LoginTally, Broken> {
    let secret = Secret::generate(20, &OsEntropy).expect("the system's generator");
    let run = fastrand::u64(..);
    let mut people: Vec<_> = (0..PEOPLE)
        .map(|number| Person::enrol(place, &secret, number, format!("logins-{run:x}-{number}")))
        .collect();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for person in &mut people {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    person.use_a_code(place);
                }
            });
        }
        let _ends_the_load = Stop(&stop);
        disturb();
    });
    let (mut tally, mut violations) = (LoginTally::default(), Vec::new());
    for mut person in people {
        person.send_the_last_code_again(place);
        violations.extend(person.check(place, &mut tally));
    }
    if violations.is_empty() {
        Ok(tally)
    } else {
        Err(Broken(violations))
    }
}

struct Person {
    number: usize,
    subject: String,
    phone: Verifier,
    seconds: u64,
    /// The logins by each code, in their order: their rows, and what was answered.
    codes: Vec<Vec<(String, Outcome)>>,
    guesses: usize,
    violations: Vec<Violation>,
}

impl Person {
    fn enrol<P: Place>(place: &P, secret: &Secret, number: usize, subject: String) -> Self {
        let token = ImportedToken::proven(secret.clone(), Totp::STANDARD);
        let import = mfa(BEGINNING).import(&Administrator::named("faults"), [token]);
        let imported = import.run_blocking(place, &subject);
        imported.expect("the database is up, and nobody has the name");
        Self {
            number,
            subject,
            phone: Verifier::new(secret, Totp::STANDARD),
            seconds: BEGINNING,
            codes: Vec::new(),
            guesses: 0,
            violations: Vec::new(),
        }
    }

    /// A guess, then the code of a new day until it is spent, and once more.
    fn use_a_code<P: Place>(&mut self, place: &P) {
        self.seconds += DAY;
        let wrong = self.code(40);
        let guessed = self.log_in(place, &wrong, format!("{}-guess", self.subject));
        if guessed == Outcome::Mismatch {
            self.guesses += 1;
            self.look_for_the_guess(place);
        }
        self.codes.push(Vec::new());
        while !matches!(
            self.send_the_last_code(place),
            Outcome::Accepted | Outcome::Reused
        ) {}
        self.send_the_last_code_again(place);
    }

    /// What was acknowledged as counted is counted.
    fn look_for_the_guess<P: Place>(&mut self, place: &P) {
        let status = until(|| {
            let status = mfa(self.seconds).status();
            status.run_blocking(place, &self.subject).ok()
        });
        if status.failures == 0 {
            self.violations.push(Violation::Uncounted {
                subject: self.number,
                acknowledged: 1,
                counted: 0,
            });
        }
    }

    fn send_the_last_code<P: Place>(&mut self, place: &P) -> Outcome {
        let (code, sent) = (self.code(0), self.codes.last().map_or(0, Vec::len));
        let row = format!("{}-{}-{sent}", self.subject, self.codes.len());
        let outcome = self.log_in(place, &code, row.clone());
        if let Some(sent) = self.codes.last_mut() {
            sent.push((row, outcome.clone()));
        }
        outcome
    }

    fn send_the_last_code_again<P: Place>(&mut self, place: &P) {
        if !self.codes.is_empty() {
            while self.send_the_last_code(place) == Outcome::Unknown {}
        }
    }

    fn code(&self, steps: i64) -> Code {
        let step = Totp::STANDARD.step(UnixTime::from_secs(self.seconds));
        self.phone.code(step.saturating_offset(steps))
    }

    fn log_in<P: Place>(&self, place: &P, code: &Code, row: String) -> Outcome {
        let outcome = place.log_in(&Attempt {
            subject: self.subject.clone(),
            seconds: self.seconds,
            code: code.expose().as_str().into(),
            row,
        });
        match &outcome {
            Outcome::Other(other) => panic!("a login was answered by: {other}"),
            // A server that recovers is not helped by being asked at once again.
            Outcome::Unknown => thread::sleep(Duration::from_millis(50)),
            _ => {}
        }
        outcome
    }

    /// Every code was spent, and refused once more: of all its logins exactly one is to have its
    /// row.
    fn check<P: Place>(mut self, place: &P, tally: &mut LoginTally) -> Vec<Violation> {
        tally.guesses += self.guesses;
        for sent in &self.codes {
            let mut rows = 0;
            let mut acknowledged = 0;
            let mut whole = true;
            for (row, outcome) in sent {
                let has_row = until(|| place.has_row(row));
                rows += usize::from(has_row);
                match outcome {
                    Outcome::Accepted => acknowledged += 1,
                    Outcome::Reused => tally.refused += 1,
                    Outcome::Unknown if has_row => tally.kept += 1,
                    Outcome::Unknown => tally.undone += 1,
                    Outcome::Mismatch | Outcome::Other(_) => whole = false,
                }
                whole &= has_row || *outcome != Outcome::Accepted;
                whole &= !has_row || *outcome != Outcome::Reused;
            }
            tally.accepted += acknowledged;
            if !whole || rows != 1 || acknowledged > 1 {
                self.violations.push(Violation::Half {
                    subject: self.number,
                    acknowledged,
                    rows,
                });
            }
        }
        let guess = format!("{}-guess", self.subject);
        if until(|| place.has_row(&guess)) {
            let subject = self.number;
            self.violations.push(Violation::GuessAccepted { subject });
        }
        self.violations
    }
}

/// Asks until the database answers.
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..ATTEMPTS {
        if let Some(answer) = ask() {
            return answer;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("the database does not come back");
}
