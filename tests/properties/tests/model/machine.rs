//! The real machine, called by the words of the test.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use softtoken::association::Operation;
use softtoken::totp::{Code, Secret};
use softtoken::{
    Administrator, AttemptKey, Authority, BlockingStore, Challenge, Context, Error, Event,
    Evidence, Grant, Import, MemoryStore, Mfa, Policy, RecoveryCode, Request, Session, SessionKeys,
    Step, UnixTime,
};

use crate::plan::SUBJECTS;
use crate::words::{Bearer, By, Call, Claimed, Drawn, Given, Key, Proof, Shown, Standing};

/// One store and one clock, under whatever rules.
pub struct Machine {
    time: Arc<AtomicU64>,
    store: MemoryStore,
    told: Arc<Mutex<Vec<(String, Event)>>>,
    drawn: Arc<AtomicU64>,
    rules: Vec<Mfa>,
    governed_by: usize,
}

pub type Failure = Error<<MemoryStore as BlockingStore>::Error>;

/// What was given, what was drawn for it, and the text of the session that came with it.
type Gave = Result<(Given, Drawn, Option<String>), Failure>;

impl Machine {
    pub fn new(pool: &[Policy], seed: u64) -> Self {
        let time = Arc::new(AtomicU64::new(0));
        let told = Arc::<Mutex<Vec<(String, Event)>>>::default();
        let drawn = Arc::new(AtomicU64::new(seed));
        let mfa = |policy: &Policy| {
            let (clock, log, drawn) = (Arc::clone(&time), Arc::clone(&told), Arc::clone(&drawn));
            let now = move || Some(UnixTime::from_secs(clock.load(Ordering::SeqCst)));
            let draw = move |bytes: &mut [u8]| {
                fill(&drawn, bytes);
                Ok(())
            };
            Mfa::new(*policy, now, draw)
                .sessions(SessionKeys::from_bytes(1, &[7; 32]))
                .audited(move |subject, event| log.lock().unwrap().push((subject.into(), *event)))
        };
        Self {
            rules: pool.iter().map(mfa).collect(),
            time,
            store: MemoryStore::new(),
            told,
            drawn,
            governed_by: 0,
        }
    }

    pub fn govern(&mut self, rules: usize) {
        self.governed_by = rules;
    }

    pub fn set(&self, now: u64) {
        self.time.store(now, Ordering::SeqCst);
    }

    /// The events since this was last asked.
    pub fn told(&self) -> Vec<(String, Event)> {
        core::mem::take(&mut *self.told.lock().unwrap())
    }

    pub fn revision(&self, who: usize) -> Option<i64> {
        let row = self.store.load_blocking(SUBJECTS[who]).unwrap();
        row.map(|row| row.revision.as_i64())
    }

    pub fn standing(&self, who: usize) -> Standing {
        let status = self.mfa().status();
        let report = status.run_blocking(&self.store, SUBJECTS[who]).unwrap();
        Standing {
            state: report.state,
            preference: report.preference,
            recovery_codes: usize::try_from(report.recovery_codes).unwrap(),
            throttled_until: report.throttled_until.map(UnixTime::as_secs),
            locked: report.locked,
        }
    }

    fn mfa(&self) -> &Mfa {
        &self.rules[self.governed_by]
    }

    fn run<O: Operation>(&self, who: usize, request: Request<'_, O>) -> Result<O::Output, Failure> {
        request.run_blocking(&self.store, SUBJECTS[who])
    }

    pub fn call(&self, who: usize, call: &Call) -> Gave {
        let mfa = self.mfa();
        let given = match call {
            Call::Associate { by, name } => return self.associate(who, by, *name),
            Call::Verify {
                by,
                code,
                name,
                key,
            } => return self.verify(who, by, code, *name, *key),
            Call::SignIn { context } => return self.sign_in(who, *context),
            Call::IssueRecoveryCodes { by } => return self.issue_recovery_codes(who, by),
            Call::Respond {
                session: shown,
                code,
                key,
            } => {
                let mut request = mfa.respond(&session(shown), parsed(code));
                if let Some(key) = key {
                    request = request.attempt(attempt(*key));
                }
                Given::Evidence(proof(&self.run(who, request)?))
            }
            Call::FinishSetup { session: shown } => {
                let request = mfa.finish_setup(&session(shown));
                Given::Evidence(proof(&self.run(who, request)?))
            }
            Call::Authenticate { code, key } => {
                let mut request = mfa.authenticate(parsed(code));
                if let Some(key) = key {
                    request = request.attempt(attempt(*key));
                }
                Given::Evidence(proof(&self.run(who, request)?))
            }
            Call::Recover { code, within } => {
                let mut request = mfa.recover(RecoveryCode::parse(code).unwrap());
                if let Some(shown) = within {
                    request = request.within(&session(shown));
                }
                Given::Evidence(proof(&self.run(who, request)?))
            }
            Call::Resynchronise { by, first, next } => {
                let request = mfa.resynchronise(authority(by), parsed(first), parsed(next));
                self.run(who, request).map(|()| Given::Done)?
            }
            Call::Prefer { by, preference } => {
                let request = mfa.prefer(authority(by), *preference);
                self.run(who, request).map(|()| Given::Done)?
            }
            Call::Disassociate { by } => {
                let request = mfa.disassociate(authority(by));
                self.run(who, request).map(|()| Given::Done)?
            }
            Call::Reset => {
                let request = mfa.reset(Administrator);
                self.run(who, request).map(|()| Given::Done)?
            }
            Call::Unlock => {
                let request = mfa.unlock(Administrator);
                self.run(who, request).map(|()| Given::Done)?
            }
            Call::Import { .. } => {
                let request = mfa.import(self.import(call));
                self.run(who, request).map(|()| Given::Done)?
            }
        };
        Ok((given, Drawn::default(), None))
    }

    fn associate(&self, who: usize, by: &By, name: Option<&str>) -> Gave {
        let mut request = self.mfa().associate(authority(by));
        if let Some(name) = name {
            request = request.named(name);
        }
        let issued = self.run(who, request)?;
        let drawn = Drawn {
            key: Some(Key::new(issued.secret(), issued.totp())),
            codes: Vec::new(),
        };
        let given = Given::Issued {
            expires: issued.expires().as_secs(),
            session: issued.session().map(|session| self.claimed(session)),
        };
        Ok((given, drawn, issued.session().map(text)))
    }

    fn verify(&self, who: usize, by: &By, code: &str, name: Option<&str>, key: Option<u8>) -> Gave {
        let mut request = self.mfa().verify(authority(by), parsed(code));
        if let Some(name) = name {
            request = request.named(name);
        }
        if let Some(key) = key {
            request = request.attempt(attempt(key));
        }
        let enrolled = self.run(who, request)?;
        let given = Given::Enrolled {
            proof: proof(enrolled.evidence()),
            session: enrolled.session().map(|session| self.claimed(session)),
        };
        Ok((given, Drawn::default(), enrolled.session().map(text)))
    }

    fn sign_in(&self, who: usize, number: u8) -> Gave {
        let request = self.mfa().sign_in(context(number));
        let (given, text) = match self.run(who, request)? {
            Challenge::NotRequired => (Given::NotRequired, None),
            Challenge::SoftwareToken {
                session,
                device_name: name,
            } => {
                let (session, text) = (self.claimed(&session), text(&session));
                (Given::SoftwareToken { session, name }, Some(text))
            }
            Challenge::Setup { session } => {
                let (session, text) = (self.claimed(&session), text(&session));
                (Given::Setup { session }, Some(text))
            }
        };
        Ok((given, Drawn::default(), text))
    }

    fn issue_recovery_codes(&self, who: usize, by: &By) -> Gave {
        let request = self.mfa().issue_recovery_codes(authority(by));
        let codes = self.run(who, request)?;
        let codes: Vec<String> = codes.iter().map(|it| it.expose().to_string()).collect();
        let given = Given::RecoveryCodes(codes.len());
        Ok((given, Drawn { key: None, codes }, None))
    }

    fn import(&self, call: &Call) -> Import {
        let Call::Import {
            key,
            secret,
            proven,
            enabled,
            last,
            name,
        } = call
        else {
            unreachable!()
        };
        let secret = Secret::from_bytes(secret).unwrap();
        let mut import = if *proven {
            Import::proven(Administrator, secret, key.totp)
        } else {
            let draw = |bytes: &mut [u8]| {
                fill(&self.drawn, bytes);
                Ok(())
            };
            Import::pending(Administrator, secret, key.totp, &draw).unwrap()
        };
        import = import.enabled(*enabled);
        if let Some(last) = last {
            import = import.last_step(Step::new(*last));
        }
        if let Some(name) = name {
            import = import.named(name);
        }
        import
    }

    fn claimed(&self, session: &Session) -> Claimed {
        let claims = self.mfa().claims_of(session).unwrap();
        Claimed {
            subject: number_of(claims.subject()),
            context: claims.context().as_bytes()[0],
            expires: claims.expires().as_secs(),
        }
    }
}

fn authority(by: &By) -> Authority {
    match by {
        By::Grant(Bearer { at, second, id }) => {
            let time = UnixTime::from_secs;
            let grant = match second {
                None => Grant::first_factor(time(*at)),
                Some(second) if second == at => Grant::second_factor(time(*at)),
                Some(second) => Grant::first_factor(time(*at)).with_second_factor(time(*second)),
            };
            match id {
                None => grant.into(),
                Some(id) => grant.id([*id]).into(),
            }
        }
        By::Session(shown) => session(shown).into(),
        By::Administrator => Administrator.into(),
    }
}

fn session(shown: &Shown) -> Session {
    let session = Session::from_text(&shown.text);
    match shown.expecting {
        Some(number) => session.expecting(&context(number)),
        None => session,
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

fn text(session: &Session) -> String {
    session.expose().to_owned()
}

fn number_of(subject: &str) -> usize {
    SUBJECTS.iter().position(|it| *it == subject).unwrap()
}

fn proof(evidence: &Evidence) -> Proof {
    let first_factor = evidence.amr() == ["otp", "mfa"];
    assert!(first_factor || evidence.amr() == ["otp"]);
    Proof {
        subject: number_of(evidence.subject()),
        context: evidence.context().as_bytes().first().copied(),
        method: evidence.method(),
        step: evidence.step().map(Step::get),
        at: evidence.at().as_secs(),
        first_factor,
        end_other_sessions: evidence.should_end_other_sessions(),
    }
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
