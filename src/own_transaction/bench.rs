//! Holds the database under test, and the users who log in.

use alloc::format;
use alloc::string::String;
use core::hash::BuildHasher as _;
use core::sync::atomic::{AtomicU64, Ordering};
use std::hash::RandomState;

use super::{Answer, BlockingLogins, Ending, Login, Rule, Violation};
use crate::association::{Administrator, Evidence, Grant, ImportedToken, StepUp};
use crate::mfa::{Mfa, Request};
use crate::policy::Policy;
use crate::time::{Step, UnixTime};
use crate::totp::{Code, Secret, Totp, Verifier};

pub(super) struct Bench<'o, L> {
    open: &'o (dyn Fn() -> L + Sync),
    /// Another one in every run, in decimal digits.
    run: u64,
    /// Numbers what is made in this run.
    made: AtomicU64,
}

/// Is a user with a token in force, and a clock of their own.
pub(super) struct User {
    pub(super) subject: String,
    phone: Verifier,
    seconds: AtomicU64,
}

/// Is what a handle finds of a login.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// Counts the writes of the record.
    pub(super) revision: u64,
    pub(super) row: bool,
}

impl<'o, L: BlockingLogins> Bench<'o, L> {
    pub(super) fn new(open: &'o (dyn Fn() -> L + Sync)) -> Self {
        Self {
            open,
            run: random() % 1_000_000_000_000_000,
            made: AtomicU64::new(0),
        }
    }

    /// Returns another handle.
    pub(super) fn opened(&self) -> L {
        (self.open)()
    }

    fn name(&self) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        format!("own-transaction-{}-{number}", self.run)
    }

    /// Names a row that nobody has written.
    pub(super) fn login(&self, ending: Ending) -> Login {
        Login::new(self.name(), ending)
    }

    /// Enrols a user whom nobody knows, on this handle.
    pub(super) fn user(&self, handle: &L) -> Result<User, Violation> {
        let secret = Secret::from_bytes(&[7; 20])
            .map_err(|error| Violation::failed(Rule::Answers, "there is no secret", error))?;
        let user = User {
            subject: self.name(),
            phone: Verifier::new(&secret, Totp::STANDARD),
            seconds: AtomicU64::new(1_700_000_000),
        };
        let token = ImportedToken::proven(secret, Totp::STANDARD);
        let token = token.last_step(user.step().saturating_offset(-2));
        let import = user
            .mfa()
            .import(&Administrator::named("the suite"), [token]);
        match import.run_blocking(handle, &user.subject) {
            Ok(()) => Ok(user),
            Err(error) => Err(Violation::failed(
                Rule::Answers,
                "nobody could be enrolled",
                error,
            )),
        }
    }

    /// Logs a user in an hour later, whatever was before.
    pub(super) fn served(&self, handle: &L, user: &User) -> Result<(), Violation> {
        user.wait();
        self.served_by(handle, user, user.code())
    }

    /// Logs a user in with a code that is good, whatever was before.
    pub(super) fn served_by(&self, handle: &L, user: &User, code: Code) -> Result<(), Violation> {
        let login = self.login(Ending::Commit);
        let before = user.revision(handle)?;
        match user.log_in(handle, code, &login) {
            Ok(Some(_)) => {}
            Ok(None) => return Err(Violation::new(Rule::Served, "a login was left")),
            Err(error) => {
                return Err(Violation::failed(Rule::Served, "a login failed", error));
            }
        }
        let found = user.found(handle, &login)?;
        if !found.row || found.revision == before {
            return Err(Violation::new(Rule::Both, "a login has left no trace"));
        }
        Ok(())
    }
}

impl User {
    /// Logs in with a code.
    pub(super) fn log_in<L: BlockingLogins>(
        &self,
        handle: &L,
        code: Code,
        login: &Login,
    ) -> Answer<Evidence, L::Error> {
        handle.log_in_blocking(&self.subject, self.request(code), login)
    }

    /// Returns what is there of a login.
    pub(super) fn found<L: BlockingLogins>(
        &self,
        handle: &L,
        login: &Login,
    ) -> Result<Found, Violation> {
        let failed = |error| Violation::failed(Rule::Served, "a row could not be read", error);
        // Until nothing was committed in between.
        loop {
            let before = self.revision(handle)?;
            let row = handle.has_row_blocking(login.row()).map_err(failed)?;
            let revision = self.revision(handle)?;
            if revision == before {
                return Ok(Found { revision, row });
            }
        }
    }

    /// Returns how often the record was written.
    pub(super) fn revision<L: BlockingLogins>(&self, handle: &L) -> Result<u64, Violation> {
        let found = handle.load_blocking(&self.subject).map_err(|error| {
            Violation::failed(Rule::Served, "a record could not be read", error)
        })?;
        Ok(found.map_or(0, |row| row.revision.get()))
    }

    /// Returns how many failures the record counts.
    pub(super) fn failures<L: BlockingLogins>(&self, handle: &L) -> Result<u32, Violation> {
        let status = self.mfa().status().run_blocking(handle, &self.subject);
        let status = status.map_err(|error| {
            Violation::failed(Rule::Served, "a status could not be read", error)
        })?;
        Ok(status.failures)
    }

    /// Lets an hour pass: nothing has to wait, and every code is fresh.
    pub(super) fn wait(&self) {
        self.seconds.fetch_add(60 * 60, Ordering::Relaxed);
    }

    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.seconds.load(Ordering::Relaxed))
    }

    /// Judges by the time that it is now, however late that comes to pass: a code whose client has
    /// hung up is not taken for a wrong one an hour later.
    fn mfa(&self) -> Mfa {
        let now = self.now();
        let entropy = |bytes: &mut [u8]| {
            bytes.fill_with(|| random().to_le_bytes()[0]);
            Ok(())
        };
        Mfa::new(Policy::STANDARD, move || Some(now), entropy)
    }

    fn step(&self) -> Step {
        Totp::STANDARD.step(self.now())
    }

    /// Returns the code that is shown now.
    pub(super) fn code(&self) -> Code {
        self.phone.code(self.step())
    }

    /// Returns the code that is shown next, which is good already, and after which the one that is
    /// shown now is used.
    pub(super) fn next_code(&self) -> Code {
        self.phone.code(self.step().saturating_offset(1))
    }

    /// Returns a code that is not good.
    pub(super) fn wrong_code(&self) -> Code {
        let shown: [_; 3] = [-1, 0, 1].map(|steps| {
            let code = self.phone.code(self.step().saturating_offset(steps));
            code.expose()
        });
        let mut codes = (0..).map(|number| format!("{number:06}"));
        let code = codes.find(|code| shown.iter().all(|shown| **shown != *code));
        let code = code.and_then(|code| Code::parse(&code).ok());
        code.expect("three of a million are shown")
    }

    pub(super) fn request(&self, code: Code) -> Request<StepUp> {
        let grant = Grant::first_factor(&self.subject, self.now());
        self.mfa().step_up(&grant, code)
    }
}

/// Returns another number each time. Nothing that anybody protects is made of it.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
