//! The requests that clients make, and the real loop that runs them: `Request::run`, stopped
//! wherever it waits for the store, and driven again from its beginning when the store has
//! answered.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use softtoken::association::{
    Associate, AttemptKey, Authority, Disassociate, ForgetBrowsers, IssueRecoveryCodes,
    IssueTemporaryCode, Method, Operation, Remove, Reset, Respond, Resynchronise, SetEnabled,
    SignIn, SignInWith, Unlock, Verify,
};
use softtoken::store::{Snapshot, Store, Swap, Write};
use softtoken::totp::Code;
use softtoken::{
    Administrator, Challenge, Error, Evidence, Factor, Fault, Grant, Mfa, RecoveryCode, Rejection,
    SignedIn, UnixTime,
};

use crate::row::{Held, Id, Row, View, number_of, token_of};
use crate::world::{SUBJECT, code, entropy, set_clock};

/// What somebody types. Phones and codes are numbered in the order in which they were given out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Typed {
    /// The code of this phone, of the step so many after the present one.
    Phone(usize, i64),
    /// A code that no phone shows.
    Wrong,
    /// This recovery code, or temporary code.
    Recovery(usize),
    /// A recovery code that nobody was given.
    WrongRecovery,
}

/// On whose authority.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum By {
    /// The password has just been given.
    Password,
    /// A login that ended with evidence, in the order of the answers; whoever has stolen it may use
    /// it as well.
    Login(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Verb {
    SignIn { browser: Option<usize> },
    SignInWith(Typed),
    Respond { session: usize, typed: Typed },
    Associate { by: By, replacing: Option<usize> },
    Verify { by: By, typed: Typed },
    Remove { by: By, phone: usize },
    Disassociate(By),
    SetEnabled { by: By, on: bool },
    ForgetBrowsers(By),
    IssueRecoveryCodes(By),
    IssueTemporaryCode,
    Resynchronise { by: By, phone: usize },
    Reset,
    Unlock,
}

/// What has been handed out so far. All of it is known to all clients: the owner and whoever has
/// stolen it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Known {
    pub(crate) phones: Vec<Phone>,
    pub(crate) logins: Vec<Login>,
    pub(crate) sessions: Vec<Marked>,
    pub(crate) browsers: Vec<Marked>,
    pub(crate) codes: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Phone {
    pub(crate) id: Id,
    pub(crate) secret: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Login {
    pub(crate) grant: Vec<u8>,
    /// The token that proved it.
    pub(crate) token: Option<Id>,
    /// How many tokens had been taken out of force when it was made.
    pub(crate) taken_out: usize,
}

/// A text that the server has signed, and which of its epochs that was in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Marked {
    pub(crate) text: String,
    pub(crate) epoch: u8,
}

/// What a request answers, in as much as the rules ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    Proven(Proven),
    Asked { session: String },
    Ignored { remembered: bool },
    Issued(Phone),
    Codes(Vec<String>),
    Done,
    Refused(Rejection),
    Contended,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Proven {
    pub(crate) method: Method,
    pub(crate) token: Option<Id>,
    pub(crate) step: Option<u64>,
    pub(crate) grant: Vec<u8>,
    pub(crate) browser: Option<String>,
}

impl Answer {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Proven(_) => "accepted",
            Self::Asked { .. } => "asked for a code",
            Self::Ignored { remembered: true } => "asked for nothing, the browser is remembered",
            Self::Ignored { remembered: false } => "asked for nothing",
            Self::Issued(_) => "given a secret",
            Self::Codes(_) => "given codes",
            Self::Done => "done",
            Self::Refused(rejection) => rejection.name(),
            Self::Contended => "contended",
        }
    }
}

impl Verb {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SignIn { .. } => SignIn::NAME,
            Self::SignInWith(_) => SignInWith::NAME,
            Self::Respond { .. } => Respond::NAME,
            Self::Associate { .. } => Associate::NAME,
            Self::Verify { .. } => Verify::NAME,
            Self::Remove { .. } => Remove::NAME,
            Self::Disassociate(_) => Disassociate::NAME,
            Self::SetEnabled { .. } => SetEnabled::NAME,
            Self::ForgetBrowsers(_) => ForgetBrowsers::NAME,
            Self::IssueRecoveryCodes(_) => IssueRecoveryCodes::NAME,
            Self::IssueTemporaryCode => IssueTemporaryCode::NAME,
            Self::Resynchronise { .. } => Resynchronise::NAME,
            Self::Reset => Reset::NAME,
            Self::Unlock => Unlock::NAME,
        }
    }

    pub(crate) fn typed(self) -> Option<Typed> {
        match self {
            Self::SignInWith(typed) | Self::Respond { typed, .. } | Self::Verify { typed, .. } => {
                Some(typed)
            }
            _ => None,
        }
    }

    pub(crate) fn by(self) -> Option<By> {
        match self {
            Self::Associate { by, .. }
            | Self::Verify { by, .. }
            | Self::Remove { by, .. }
            | Self::Disassociate(by)
            | Self::SetEnabled { by, .. }
            | Self::ForgetBrowsers(by)
            | Self::IssueRecoveryCodes(by)
            | Self::Resynchronise { by, .. } => Some(by),
            _ => None,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())?;
        match *self {
            Self::SignIn {
                browser: Some(browser),
            } => write!(formatter, ", from browser {browser}")?,
            Self::Associate {
                replacing: Some(phone),
                ..
            } => write!(formatter, ", to replace phone {phone}")?,
            Self::Respond { session, .. } => write!(formatter, " in session {session}")?,
            Self::Remove { phone, .. } | Self::Resynchronise { phone, .. } => {
                write!(formatter, " phone {phone}")?;
            }
            Self::SetEnabled { on, .. } => formatter.write_str(if on { " on" } else { " off" })?,
            _ => {}
        }
        match self.typed() {
            Some(Typed::Phone(phone, 0)) => write!(formatter, " with phone {phone}'s code")?,
            Some(Typed::Phone(phone, _)) => write!(formatter, " with phone {phone}'s next code")?,
            Some(Typed::Wrong) => formatter.write_str(" with a wrong code")?,
            Some(Typed::Recovery(code)) => write!(formatter, " with recovery code {code}")?,
            Some(Typed::WrongRecovery) => formatter.write_str(" with a wrong recovery code")?,
            None => {}
        }
        match self.by() {
            Some(By::Password) => formatter.write_str(", by the password"),
            Some(By::Login(login)) => write!(formatter, ", by login {login}"),
            None => Ok(()),
        }
    }
}

/// What the store has answered to a request so far: what each attempt has loaded, and when. All but
/// the last were told that they lost their race.
pub(crate) type Loads = Vec<Load>;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Load {
    pub(crate) row: Held,
    pub(crate) at: u64,
}

/// Is a store, right or wrong in one way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shelf {
    /// Compares the revision, and swaps.
    Right,
    /// Swaps, whatever the revision.
    Blind,
    /// Forgets that a step was accepted: every token keeps the floor that it came into force with.
    Floorless,
    /// Says that it has stored a refusal, and has not.
    Lossy,
}

/// What the loop waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Waits {
    Load,
    Swap,
}

/// Answers the loop from a script, then from the row as it stands; and has it wait at the first
/// question that the script has no answer to.
struct Scripted<'a> {
    shelf: Shelf,
    loads: &'a [Load],
    progress: Mutex<Progress>,
}

struct Progress {
    loaded: usize,
    /// Whether the last attempt may swap.
    may_swap: bool,
    waits: Waits,
    row: Held,
}

impl Scripted<'_> {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_load(&self) -> Option<&Load> {
        let mut progress = self.progress();
        let load = self.loads.get(progress.loaded);
        match load {
            Some(load) => {
                progress.loaded += 1;
                set_clock(load.at);
            }
            None => progress.waits = Waits::Load,
        }
        load
    }

    fn swap(&self, write: &Write) -> Option<Swap> {
        let mut progress = self.progress();
        if progress.loaded < self.loads.len() {
            return Some(Swap::Conflict);
        }
        if !progress.may_swap {
            progress.waits = Waits::Swap;
            return None;
        }
        progress.may_swap = false;
        let found = progress.row.as_ref().map(|row| row.revision);
        let expected = write.expected().map(softtoken::Revision::get);
        if found != expected && self.shelf != Shelf::Blind {
            return Some(Swap::Conflict);
        }
        let is_refusal = || write.events().iter().any(|event| event.name() == "refused");
        if self.shelf == Shelf::Lossy && is_refusal() {
            return Some(Swap::Stored);
        }
        let mut row = Row {
            revision: write.next().get(),
            record: write.record().into(),
        };
        if self.shelf == Shelf::Floorless {
            let before = View::of(&progress.row);
            for token in View::of(&Some(Arc::new(row.clone()))).tokens {
                if let Some(held) = before.token(token.id) {
                    let place = token.floor_at..token.floor_at + 8;
                    row.record[place].copy_from_slice(&held.floor.to_be_bytes());
                }
            }
        }
        progress.row = Some(Arc::new(row));
        Some(Swap::Stored)
    }
}

impl Store for Scripted<'_> {
    type Error = Infallible;

    async fn load(&self, _: &str) -> Result<Option<Snapshot>, Infallible> {
        match self.next_load() {
            Some(load) => Ok(load.row.as_ref().map(|row| row.snapshot())),
            None => pending().await,
        }
    }

    async fn compare_and_swap(&self, write: Write) -> Result<Swap, Infallible> {
        match self.swap(&write) {
            Some(swap) => Ok(swap),
            None => pending().await,
        }
    }
}

/// One request, as far as it has come.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    pub(crate) mfa: &'a Mfa,
    pub(crate) shelf: Shelf,
    pub(crate) verb: Verb,
    /// Makes its draws differ from those of every other request.
    pub(crate) label: u64,
    /// Names the attempt, where it is to be repeatable.
    pub(crate) key: Option<[u8; 16]>,
    pub(crate) known: &'a Known,
    pub(crate) loads: &'a [Load],
}

/// How far a request has come, and the row after it.
pub(crate) struct Ran {
    pub(crate) came: Result<Answer, Waits>,
    pub(crate) row: Held,
}

impl Running<'_> {
    /// When the request was made: what is typed is read from the display then.
    fn made_at(&self) -> u64 {
        self.loads[0].at
    }

    /// Runs the loop as far as it comes; where it `may_swap`, its last attempt swaps against this
    /// row.
    pub(crate) fn run(&self, row: &Held, may_swap: bool) -> Ran {
        let store = Scripted {
            shelf: self.shelf,
            loads: self.loads,
            progress: Mutex::new(Progress {
                loaded: 0,
                may_swap,
                waits: Waits::Load,
                row: row.clone(),
            }),
        };
        set_clock(self.made_at());
        let came = self.drive(&store);
        let progress = store.progress();
        Ran {
            came: came.ok_or(progress.waits),
            row: progress.row.clone(),
        }
    }

    fn drive(&self, store: &Scripted<'_>) -> Option<Answer> {
        let entropy = entropy(self.label);
        let administrator = Administrator::named("admin");
        match self.verb {
            Verb::SignIn { browser } => {
                let text = browser.map(|index| self.known.browsers[index].text.as_str());
                let operation = SignIn::new(&entropy).expect(DRAWN).from_browser(text);
                self.request(store, operation, |challenge| match challenge {
                    Challenge::SoftwareToken { session, .. } => Answer::Asked {
                        session: session.expose().into(),
                    },
                    Challenge::NotRequired { remembered, .. } => Answer::Ignored { remembered },
                    Challenge::Setup { .. } => unreachable!("the policy requires nothing"),
                })
            }
            Verb::SignInWith(typed) => {
                let operation = SignInWith::new(Some(self.factor(typed)));
                let operation = match self.key {
                    Some(key) => operation.attempt(AttemptKey::from_bytes(key)),
                    None => operation,
                };
                self.request(store, operation, |signed_in| match signed_in {
                    SignedIn::Proven(evidence) => Answer::Proven(self.proven(&evidence)),
                    SignedIn::NotRequired { remembered, .. } => Answer::Ignored { remembered },
                    SignedIn::FactorRequired { .. } | SignedIn::SetupRequired { .. } => {
                        unreachable!("a factor is given, and the policy requires nothing")
                    }
                })
            }
            Verb::Respond { session, typed } => {
                let Ok(session) = self.mfa.open(&self.known.sessions[session].text) else {
                    return Some(Answer::Refused(Rejection::InvalidSession));
                };
                let operation = Respond::new(&session, self.factor(typed));
                let operation = match self.key {
                    Some(key) => operation.attempt(AttemptKey::from_bytes(key)),
                    None => operation,
                };
                self.request(store, operation, |evidence| {
                    Answer::Proven(self.proven(&evidence))
                })
            }
            Verb::Associate { by, replacing } => {
                let policy = self.mfa.policy();
                let operation = Associate::new(self.authority(by), policy, &entropy);
                let operation = operation.expect(DRAWN);
                let operation = match replacing {
                    Some(phone) => operation.replacing(token_of(self.known.phones[phone].id)),
                    None => operation,
                };
                self.request(store, operation, |issued| {
                    Answer::Issued(Phone {
                        id: number_of(issued.token()),
                        secret: issued.secret().expose().into(),
                    })
                })
            }
            Verb::Verify { by, typed } => {
                let operation = Verify::new(self.authority(by), self.code(typed), &entropy);
                self.request(store, operation.expect(DRAWN), |enrolled| {
                    Answer::Proven(self.proven(enrolled.evidence()))
                })
            }
            Verb::Remove { by, phone } => {
                let token = token_of(self.known.phones[phone].id);
                self.done(store, Remove::new(self.authority(by), token))
            }
            Verb::Disassociate(by) => self.done(store, Disassociate::new(self.authority(by))),
            Verb::SetEnabled { by, on } => {
                self.done(store, SetEnabled::new(self.authority(by), on))
            }
            Verb::ForgetBrowsers(by) => self.done(store, ForgetBrowsers::new(self.authority(by))),
            Verb::IssueRecoveryCodes(by) => {
                let operation = IssueRecoveryCodes::new(self.authority(by), &entropy);
                // Two of the ten are enough to find one that was used, and one that was not.
                self.request(store, operation.expect(DRAWN), |codes| {
                    Answer::Codes(codes.iter().take(2).map(text_of).collect())
                })
            }
            Verb::IssueTemporaryCode => {
                let lifetime = Duration::from_secs(60 * 60);
                let operation = IssueTemporaryCode::new(&administrator, lifetime, &entropy);
                self.request(store, operation.expect(DRAWN), |code| {
                    Answer::Codes(vec![text_of(&code)])
                })
            }
            Verb::Resynchronise { by, phone } => {
                let [code, next] = [0, 1].map(|steps| self.code(Typed::Phone(phone, steps)));
                self.done(store, Resynchronise::new(self.authority(by), code, next))
            }
            Verb::Reset => self.done(store, Reset::new(&administrator)),
            Verb::Unlock => self.done(store, Unlock::new(&administrator)),
        }
    }

    fn done<O: Operation<Output = ()>>(
        &self,
        store: &Scripted<'_>,
        operation: O,
    ) -> Option<Answer> {
        self.request(store, operation, |()| Answer::Done)
    }

    /// `None`: it waits for the store.
    fn request<O: Operation>(
        &self,
        store: &Scripted<'_>,
        operation: O,
        answer: impl FnOnce(O::Output) -> Answer,
    ) -> Option<Answer> {
        let mut future = pin!(self.mfa.request(operation).run(store, SUBJECT));
        let mut context = Context::from_waker(Waker::noop());
        match future.as_mut().poll(&mut context) {
            Poll::Pending => None,
            Poll::Ready(Ok(output)) => Some(answer(output)),
            Poll::Ready(Err(Error::Rejected { rejection, .. })) => Some(Answer::Refused(rejection)),
            Poll::Ready(Err(Error::Fault(Fault::Contended))) => Some(Answer::Contended),
            Poll::Ready(Err(error)) => panic!("{:?} failed: {error}", self.verb),
        }
    }

    fn factor(&self, typed: Typed) -> Factor {
        match typed {
            Typed::Phone(..) | Typed::Wrong => self.code(typed).into(),
            Typed::Recovery(index) => recovery_code(&self.known.codes[index]).into(),
            Typed::WrongRecovery => recovery_code("ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ-ZZZZZ").into(),
        }
    }

    fn code(&self, typed: Typed) -> Code {
        match typed {
            Typed::Phone(phone, steps) => {
                code(&self.known.phones[phone].secret, self.made_at(), steps)
            }
            // That no phone shows it, the ledger finds out: it would be accepted.
            _ => Code::parse("314159").expect("six digits"),
        }
    }

    fn authority(&self, by: By) -> Authority {
        match by {
            By::Password => {
                let now = UnixTime::from_secs(self.made_at());
                Authority::from(&Grant::first_factor(SUBJECT, now))
            }
            By::Login(index) => {
                let grant = Grant::from_bytes(&self.known.logins[index].grant, SUBJECT);
                Authority::from(&grant.expect("as it was written"))
            }
        }
    }

    fn proven(&self, evidence: &Evidence) -> Proven {
        let browser = self.mfa.remember(evidence).expect("the clock goes");
        Proven {
            method: evidence.method(),
            token: evidence.token().map(number_of),
            step: evidence.step().map(softtoken::time::Step::get),
            grant: Grant::from(evidence).to_bytes(),
            browser: browser.map(|browser| browser.expose().into()),
        }
    }
}

const DRAWN: &str = "the draws of the model never fail";

fn recovery_code(text: &str) -> RecoveryCode {
    RecoveryCode::parse(text).expect("five groups of five")
}

fn text_of(code: &RecoveryCode) -> String {
    code.expose().as_str().into()
}
