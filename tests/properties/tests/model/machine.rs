//! The real machine, called by the words of the test.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use softtoken::association::{
    AttemptKey, Authority, BrowserKeys, ImportedToken, Operation, State, StatusReport,
};
use softtoken::mfa::Request;
use softtoken::store::{Snapshot, Swap, Write};
use softtoken::time::Step;
use softtoken::{
    Administrator, BlockingStore, Challenge, ChallengeSession, Code, Context, Error, Event,
    Evidence, Grant, MemoryStore, Mfa, RecoveryCode, SessionKeys, SignedIn, UnixTime, Vouched,
};

use crate::plan::SUBJECTS;
use crate::pools::View;
use crate::words::{
    self, By, Call, Claimed, Cookie, Drawn, Factor, Given, Imported, Kept, Key, Moved, Proof,
    Shown, Standing, Told, Waiting,
};

/// One store and one clock, in whatever view.
pub struct Machine {
    time: Arc<AtomicU64>,
    store: Marked,
    told: Arc<Mutex<Vec<(String, Event)>>>,
    views: Vec<Mfa>,
    sessions: Vec<ChallengeSession>,
    evidences: Vec<Evidence>,
}

pub type Failure = Error<<MemoryStore as BlockingStore>::Error>;

/// A store that keeps beside each row what its write says is in force.
#[derive(Default)]
struct Marked {
    rows: MemoryStore,
    marks: Mutex<HashMap<String, (State, bool)>>,
}

impl BlockingStore for Marked {
    type Error = <MemoryStore as BlockingStore>::Error;

    fn load_blocking(&self, subject: &str) -> Result<Option<Snapshot>, Self::Error> {
        self.rows.load_blocking(subject)
    }

    fn compare_and_swap_blocking(&self, write: Write) -> Result<Swap, Self::Error> {
        let (subject, mark) = (
            write.subject().to_owned(),
            (write.state(), write.is_enabled()),
        );
        let swap = self.rows.compare_and_swap_blocking(write)?;
        if swap == Swap::Stored {
            self.marks.lock().unwrap().insert(subject, mark);
        }
        Ok(swap)
    }
}

impl Marked {
    /// That the status is what the last write has said is in force.
    fn agrees(&self, subject: &str, status: &StatusReport) {
        let Some((state, is_enabled)) = self.marks.lock().unwrap().get(subject).copied() else {
            return;
        };
        // A secret that has waited in vain is gone, and no write says so.
        let is_over = state == State::Pending && status.state == State::Unassociated;
        assert!(
            is_over || state == status.state,
            "{state:?} is told of {status:?}"
        );
        assert_eq!(is_enabled, status.preference.is_enabled(), "of {status:?}");
    }
}

/// What was given, what was drawn for it, and the text of the session or the cookie that came with
/// it.
#[derive(Default)]
pub struct Gave {
    pub given: Option<Given>,
    pub drawn: Drawn,
    pub session: Option<String>,
    pub cookie: Option<String>,
}

impl From<Given> for Gave {
    fn from(given: Given) -> Self {
        Self {
            given: Some(given),
            ..Self::default()
        }
    }
}

impl Machine {
    pub fn new(views: &[View], seed: u64) -> Self {
        let time = Arc::new(AtomicU64::new(0));
        let told = Arc::<Mutex<Vec<(String, Event)>>>::default();
        let (clock, log) = (Arc::clone(&time), Arc::clone(&told));
        let now = move || Some(UnixTime::from_secs(clock.load(Ordering::SeqCst)));
        let drawn = AtomicU64::new(seed);
        let draw = move |bytes: &mut [u8]| {
            fill(&drawn, bytes);
            Ok(())
        };
        let audit = move |subject: &str, event: &Event| {
            log.lock().unwrap().push((subject.into(), event.clone()));
        };
        let base = Mfa::new(views[0].policy, now, draw)
            .with_sessions(SessionKeys::from_bytes(1, &[7; 32]), context(1))
            .with_audit(audit);
        // Views of one store, made as an application makes them.
        let view = |view: &View| {
            let mfa = base.with_policy(view.policy).unwrap();
            match view.remembers {
                None => mfa,
                Some(lifetime) => {
                    let keys = BrowserKeys::from_bytes(1, &[8; 32]);
                    mfa.with_browsers(keys, seconds(lifetime)).unwrap()
                }
            }
        };
        Self {
            views: views.iter().map(view).collect(),
            time,
            store: Marked::default(),
            told,
            sessions: Vec::new(),
            evidences: Vec::new(),
        }
    }

    pub fn set(&self, now: u64) {
        self.time.store(now, Ordering::SeqCst);
    }

    /// The events since this was last asked.
    pub fn told(&self) -> Vec<(Told, Event)> {
        let told = core::mem::take(&mut *self.told.lock().unwrap());
        let told = told.into_iter().map(|(subject, event)| {
            let whose = SUBJECTS.iter().position(|it| *it == subject);
            assert!(whose.is_some() || subject.is_empty());
            (Told::new(whose, &event), event)
        });
        told.collect()
    }

    pub fn row(&self, who: usize) -> Option<Snapshot> {
        self.store.load_blocking(SUBJECTS[who]).unwrap()
    }

    pub fn standing(&self, view: usize, who: usize) -> Standing {
        let status = self.views[view].status();
        let report = status.run_blocking(&self.store, SUBJECTS[who]).unwrap();
        self.store.agrees(SUBJECTS[who], &report);
        standing(report)
    }

    pub fn call(&mut self, view: usize, at: u8, who: usize, call: &Call) -> Result<Gave, Failure> {
        let mfa = self.views[view].with_context(context(at));
        let gave = Caller {
            mfa: &mfa,
            store: &self.store,
            subject: SUBJECTS[who],
            sessions: &mut self.sessions,
            evidences: &mut self.evidences,
        };
        gave.call(call)
    }
}

/// One call in one view.
struct Caller<'a> {
    mfa: &'a Mfa,
    store: &'a Marked,
    subject: &'static str,
    sessions: &'a mut Vec<ChallengeSession>,
    evidences: &'a mut Vec<Evidence>,
}

impl Caller<'_> {
    fn run<O: Operation>(&self, request: Request<O>) -> Result<O::Output, Failure> {
        request.run_blocking(self.store, self.subject)
    }

    fn done<O: Operation<Output = ()>>(&self, request: Request<O>) -> Result<Gave, Failure> {
        self.run(request).map(|()| Given::Done.into())
    }

    #[expect(clippy::too_many_lines, reason = "a list of the verbs")]
    fn call(mut self, call: &Call) -> Result<Gave, Failure> {
        let mfa = self.mfa;
        match call {
            Call::SignIn { cookie } => self.sign_in(cookie.as_ref()),
            Call::SignInWith {
                factor,
                cookie,
                key,
            } => self.sign_in_with(factor.as_ref(), cookie.as_ref(), *key),
            Call::Respond {
                session,
                factor: shown,
                key,
            } => {
                let session = self.session(session)?;
                let request = mfa.respond(&session, factor(shown));
                let request = match key {
                    Some(key) => request.attempt(attempt(*key)),
                    None => request,
                };
                let evidence = self.run(request)?;
                Ok(Given::Evidence(self.proof(&evidence)).into())
            }
            Call::StepUp {
                grant: shown,
                factor: code,
                key,
            } => {
                let grant = self.grant(shown);
                let request = mfa.step_up(&grant, factor(code));
                let request = match key {
                    Some(key) => request.attempt(attempt(*key)),
                    None => request,
                };
                let evidence = self.run(request)?;
                Ok(Given::Evidence(self.proof(&evidence)).into())
            }
            Call::FinishSetup { session } => {
                let session = self.session(session)?;
                let evidence = self.run(mfa.finish_setup(&session))?;
                Ok(Given::Evidence(self.proof(&evidence)).into())
            }
            Call::Check { grant, max_age } => {
                self.done(mfa.check(&self.grant(grant), seconds(*max_age)))
            }
            Call::Remember { evidence } => {
                let remembered = mfa.remember(&self.evidences[*evidence]);
                let token = remembered.map_err(Failure::from)?;
                Ok(Gave {
                    given: Some(Given::Remembered(token.is_some())),
                    cookie: token.map(|token| token.expose().to_owned()),
                    ..Gave::default()
                })
            }
            Call::Associate {
                by,
                name,
                replacing,
            } => {
                let mut request = mfa.associate(self.authority(by)?);
                if let Some(name) = name {
                    request = request.named(name);
                }
                if let Some(token) = replacing {
                    request = request.replacing(*token);
                }
                self.associate(request)
            }
            Call::Verify {
                by,
                code,
                next,
                name,
                key,
            } => {
                let mut request = mfa.verify(self.authority(by)?, parsed(code));
                if let Some(next) = next {
                    request = request.followed_by(parsed(next));
                }
                if let Some(name) = name {
                    request = request.named(name);
                }
                if let Some(key) = key {
                    request = request.attempt(attempt(*key));
                }
                let enrolled = self.run(request)?;
                let proof = self.proof(enrolled.evidence());
                let (session, text) = self.issued(enrolled.session());
                Ok(Gave {
                    given: Some(Given::Enrolled { proof, session }),
                    session: text,
                    ..Gave::default()
                })
            }
            Call::Resynchronise { by, first, next } => {
                let by = self.authority(by)?;
                self.done(mfa.resynchronise(by, parsed(first), parsed(next)))
            }
            Call::SetEnabled { by, on } => self.done(mfa.set_enabled(self.authority(by)?, *on)),
            Call::Prefer { by, preference } => {
                self.done(mfa.prefer(self.authority(by)?, *preference))
            }
            Call::Rename { by, token, name } => {
                self.done(mfa.rename(self.authority(by)?, *token, name))
            }
            Call::Remove { by, token } => self.done(mfa.remove(self.authority(by)?, *token)),
            Call::Disassociate { by } => self.done(mfa.disassociate(self.authority(by)?)),
            Call::ForgetBrowsers { by } => self.done(mfa.forget_browsers(self.authority(by)?)),
            Call::IssueRecoveryCodes { by } => {
                let codes = self.run(mfa.issue_recovery_codes(self.authority(by)?))?;
                let codes: Vec<String> = codes.iter().map(|it| it.expose().to_string()).collect();
                Ok(Gave {
                    given: Some(Given::RecoveryCodes(codes.len())),
                    drawn: Drawn {
                        codes,
                        ..Drawn::default()
                    },
                    ..Gave::default()
                })
            }
            Call::IssueTemporaryCode { lifetime } => {
                let code = self.run(mfa.issue_temporary_code(&admin(), seconds(*lifetime)))?;
                Ok(Gave {
                    given: Some(Given::Done),
                    drawn: Drawn {
                        codes: vec![code.expose().to_string()],
                        ..Drawn::default()
                    },
                    ..Gave::default()
                })
            }
            Call::Reset { mending: false } => self.done(mfa.reset(&admin())),
            Call::Reset { mending: true } => self.done(mfa.reset(&admin()).mending_clock()),
            Call::Unlock => self.done(mfa.unlock(&admin())),
            Call::Import { .. } => self.import(call),
            Call::Export => {
                let tokens = self.run(mfa.export(&admin()))?;
                let tokens = tokens.iter().map(|token| Moved {
                    secret: token.secret().clone(),
                    totp: token.totp(),
                    name: token.name().map(str::to_owned),
                    last: token.last_accepted_step().map(Step::get),
                    drift: token.drift_steps(),
                });
                Ok(Given::Exported(tokens.collect()).into())
            }
        }
    }

    fn sign_in(&mut self, cookie: Option<&Cookie>) -> Result<Gave, Failure> {
        let text = cookie.map(|cookie| cookie.text.as_str());
        let challenge = self.run(self.mfa.sign_in().from_browser(text))?;
        let (given, session) = match challenge {
            Challenge::NotRequired { remembered, .. } => {
                return Ok(Given::NotRequired { remembered }.into());
            }
            Challenge::SoftwareToken { session, names, .. } => {
                let (session, text) = self.claimed(&session);
                (Given::SoftwareToken { session, names }, text)
            }
            Challenge::Setup {
                session,
                required_from,
                ..
            } => {
                let (session, text) = self.claimed(&session);
                let required_from = required_from.map(UnixTime::as_secs);
                (
                    Given::Setup {
                        session,
                        required_from,
                    },
                    text,
                )
            }
        };
        Ok(Gave {
            given: Some(given),
            session: Some(session),
            ..Gave::default()
        })
    }

    fn sign_in_with(
        &mut self,
        shown: Option<&Factor>,
        cookie: Option<&Cookie>,
        key: Option<u8>,
    ) -> Result<Gave, Failure> {
        let text = cookie.map(|cookie| cookie.text.as_str());
        let mut request = self.mfa.sign_in_with(shown.map(factor)).from_browser(text);
        if let Some(key) = key {
            request = request.attempt(attempt(key));
        }
        let given = match self.run(request)? {
            SignedIn::NotRequired { remembered, .. } => Given::NotRequired { remembered },
            SignedIn::Proven(evidence) => Given::Evidence(self.proof(&evidence)),
            SignedIn::FactorRequired { names, .. } => Given::FactorRequired { names },
            SignedIn::SetupRequired { required_from, .. } => Given::SetupRequired {
                required_from: required_from.map(UnixTime::as_secs),
            },
        };
        Ok(given.into())
    }

    fn associate(
        &mut self,
        request: Request<softtoken::association::Associate>,
    ) -> Result<Gave, Failure> {
        let issued = self.run(request)?;
        let (session, text) = self.issued(issued.session());
        Ok(Gave {
            given: Some(Given::Issued {
                expires: issued.expires().as_secs(),
                session,
            }),
            drawn: Drawn {
                key: Some(Key::new(issued.secret().clone(), issued.totp())),
                ids: vec![issued.token()],
                codes: Vec::new(),
            },
            session: text,
            cookie: None,
        })
    }

    fn import(&self, call: &Call) -> Result<Gave, Failure> {
        let Call::Import {
            tokens,
            proven,
            enabled,
            replacing,
            again,
        } = call
        else {
            unreachable!()
        };
        let tokens = tokens.iter().map(|token| brought(token, *proven));
        let mut request = self.mfa.import(&admin(), tokens);
        if let Some(enabled) = enabled {
            request = request.enabled(*enabled);
        }
        if *replacing {
            request = request.replacing_everything();
        }
        if *again {
            request = request.even_if_verified_before();
        }
        let mut gave = self.done(request)?;
        // What the ids are, only the status tells.
        let report = self.run(self.mfa.status())?;
        let pending = report.pending.map(|pending| pending.id);
        gave.drawn.ids = if *proven {
            report.tokens.iter().map(|token| token.id).collect()
        } else {
            pending.into_iter().collect()
        };
        Ok(gave)
    }

    fn session(&self, shown: &Shown) -> Result<ChallengeSession, Failure> {
        match shown.ticket {
            Some(number) if !shown.opened => Ok(self.sessions[number].clone()),
            _ => Ok(self.mfa.open(&shown.text)?),
        }
    }

    fn authority(&self, by: &By) -> Result<Authority, Failure> {
        Ok(match by {
            By::Grant(shown) => Authority::from(&self.grant(shown)),
            By::Session(shown) => Authority::from(&self.session(shown)?),
            By::Administrator => Authority::from(&admin()),
        })
    }

    fn grant(&self, shown: &words::Grant) -> Grant {
        let time = UnixTime::from_secs;
        let subject = SUBJECTS[shown.subject];
        let grant = match (shown.made_from, shown.second) {
            (Some(number), _) => Grant::from(&self.evidences[number]),
            (None, None) => Grant::first_factor(subject, time(shown.first)),
            (None, Some((second, _))) => {
                Grant::from_bare_times(subject, time(shown.first), time(second))
            }
        };
        let grant = match &shown.id {
            Some(id) if shown.made_from.is_none() => grant.with_id(id),
            _ => grant,
        };
        if shown.kept {
            return Grant::from_bytes(&grant.to_bytes(), subject).unwrap();
        }
        grant
    }

    /// What it says, and its text.
    fn claimed(&mut self, session: &ChallengeSession) -> (Claimed, String) {
        self.sessions.push(session.clone());
        let claimed = Claimed {
            subject: number_of(session.subject()),
            context: session.context().as_bytes()[0],
            expires: session.expires().as_secs(),
            first_factor: session.first_factor_at().as_secs(),
        };
        (claimed, session.expose().to_owned())
    }

    fn issued(&mut self, session: Option<&ChallengeSession>) -> (Option<Claimed>, Option<String>) {
        session.map(|session| self.claimed(session)).unzip()
    }

    fn proof(&mut self, evidence: &Evidence) -> Proof {
        self.evidences.push(evidence.clone());
        Proof {
            subject: number_of(evidence.subject()),
            context: evidence.context().as_bytes()[0],
            method: evidence.method(),
            token: evidence.token(),
            token_name: evidence.token_name().map(str::to_owned),
            step: evidence.step().map(Step::get),
            at: evidence.at().as_secs(),
            first_factor: evidence.first_factor_at().map(UnixTime::as_secs),
            login_id: evidence.login_id().map(str::to_owned),
            amr: evidence.amr().to_vec(),
            recovery_codes_left: evidence.recovery_codes_left(),
            end_other_logins: evidence.should_end_other_logins(),
        }
    }
}

fn standing(report: StatusReport) -> Standing {
    let tokens = report.tokens.into_iter().map(|token| Kept {
        id: token.id,
        name: token.name,
        since: token.since.as_secs(),
        last_used: token.last_used.map(UnixTime::as_secs),
        weak: token.weak,
        drift: token.drift,
    });
    Standing {
        state: report.state,
        tokens: tokens.collect(),
        pending: report.pending.map(|pending| Waiting {
            id: pending.id,
            name: pending.name,
            expires: pending.expires.as_secs(),
            replaces: pending.replaces,
        }),
        preference: report.preference,
        recovery_codes: report.recovery_codes,
        temporary_code_expires: report.temporary_code_expires.map(UnixTime::as_secs),
        failures: report.failures,
        throttled_until: report.throttled_until.map(UnixTime::as_secs),
        locked: report.locked,
        exported: report.exported.map(UnixTime::as_secs),
    }
}

fn brought(token: &Imported, proven: bool) -> ImportedToken {
    let (secret, totp) = (token.key.secret.clone(), token.key.totp);
    let mut brought = if proven {
        ImportedToken::proven(secret, totp)
    } else {
        ImportedToken::pending(secret, totp)
    };
    if let Some(last) = token.last {
        brought = brought.last_step(Step::new(last));
    }
    if let Some(drift) = token.drift {
        brought = brought.drift(drift);
    }
    match token.name {
        Some(name) => brought.named(name),
        None => brought,
    }
}

fn factor(shown: &Factor) -> softtoken::Factor {
    match shown {
        Factor::Code(code) => parsed(code).into(),
        Factor::RecoveryCode(code) => RecoveryCode::parse(code).unwrap().into(),
        Factor::Vouched => Vouched::factor(&["hwk", "user"]).into(),
        Factor::VouchedRecoveryCode { matched } => Vouched::recovery_code(*matched).into(),
    }
}

fn parsed(code: &str) -> Code {
    Code::parse(code).unwrap()
}

fn context(number: u8) -> Context {
    Context::new([number]).unwrap()
}

fn attempt(key: u8) -> AttemptKey {
    AttemptKey::from_bytes([key; 16])
}

fn admin() -> Administrator {
    Administrator::named("root")
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn number_of(subject: &str) -> usize {
    SUBJECTS.iter().position(|it| *it == subject).unwrap()
}

/// A generator that can be run again: `SplitMix64`.
fn fill(state: &AtomicU64, bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        let state = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
    }
}
