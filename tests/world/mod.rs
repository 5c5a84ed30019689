//! A server in a world where time stands still until a test moves it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test crate that takes it uses a part of it; a failing step fails the test"
)]

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use softtoken::association::{EventKind, Issued, Record};
use softtoken::store::Snapshot;
use softtoken::totp::{Code, Secret, Totp, Verifier};
use softtoken::{
    Administrator, BlockingStore as _, Challenge, ChallengeSession, Context, Event, Grant,
    MemoryStore, Mfa, OsEntropy, Policy, SessionKeys, UnixTime, record,
};

/// 2023-11-14T22:13:45Z, the middle of a step.
pub(crate) const START: u64 = 1_700_000_025;

/// A clock that only a test moves.
#[derive(Clone, Debug)]
pub(crate) struct Time(Arc<AtomicU64>);

impl Time {
    pub(crate) fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn go_back(&self, seconds: u64) {
        self.0.fetch_sub(seconds, Ordering::SeqCst);
    }
}

pub(crate) struct World {
    pub(crate) time: Time,
    pub(crate) mfa: Mfa,
    pub(crate) store: MemoryStore,
    told: Arc<Mutex<Vec<(String, Event)>>>,
}

impl World {
    pub(crate) fn new(policy: Policy) -> Self {
        let time = Time(Arc::new(AtomicU64::new(START)));
        let told = Arc::<Mutex<Vec<(String, Event)>>>::default();
        let (clock, log) = (time.clone(), Arc::clone(&told));
        let mfa = Mfa::new(policy, move || Some(clock.now()), OsEntropy)
            .with_sessions(SessionKeys::from_bytes(1, &[7; 32]), context("world"))
            .with_audit(move |subject, event| {
                log.lock().unwrap().push((subject.into(), event.clone()));
            });
        Self {
            time,
            mfa,
            store: MemoryStore::new(),
            told,
        }
    }

    pub(crate) fn standard() -> Self {
        Self::new(Policy::STANDARD)
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.time.now()
    }

    /// A login of somebody who has given the password just now, and nothing else.
    pub(crate) fn password(&self, subject: &str) -> Grant {
        Grant::first_factor(subject, self.now())
    }

    /// A login of somebody who has given the password and a code just now, with nothing known of
    /// the code. It proves possession of tokens that were verified in an earlier second.
    pub(crate) fn second_factor(&self, subject: &str) -> Grant {
        Grant::from_bare_times(subject, self.now(), self.now())
    }

    /// The login of somebody who shows a code of this device just now.
    pub(crate) fn stepped_up(&self, subject: &str, device: &Device) -> Grant {
        let step_up = self
            .mfa
            .step_up(&self.password(subject), device.code(self.now()));
        Grant::from(&step_up.run_blocking(&self.store, subject).unwrap())
    }

    /// Enrols with a device that shows the right time.
    pub(crate) fn enrol(&self, subject: &str) -> Device {
        self.enrolled(subject).0
    }

    /// Enrols with a device that shows the right time; with the grant that its first code makes.
    pub(crate) fn enrolled(&self, subject: &str) -> (Device, Grant) {
        let issued = self.associate(subject);
        let device = Device::of(&issued);
        let code = device.code(self.now());
        let verify = self.mfa.verify(&self.password(subject), code);
        let enrolled = verify.run_blocking(&self.store, subject).unwrap();
        (device, Grant::from(enrolled.evidence()))
    }

    /// Issues a secret to somebody who has given the password.
    pub(crate) fn associate(&self, subject: &str) -> Issued {
        let associate = self.mfa.associate(&self.password(subject));
        associate.run_blocking(&self.store, subject).unwrap()
    }

    /// The session of a challenge for a code.
    pub(crate) fn challenge(&self, subject: &str) -> ChallengeSession {
        let sign_in = self.mfa.sign_in();
        match sign_in.run_blocking(&self.store, subject).unwrap() {
            Challenge::SoftwareToken { session, .. } => session,
            other => panic!("no challenge for a code: {other:?}"),
        }
    }

    /// The session of a challenge to set up a token.
    pub(crate) fn setup(&self, subject: &str) -> ChallengeSession {
        let sign_in = self.mfa.sign_in();
        match sign_in.run_blocking(&self.store, subject).unwrap() {
            Challenge::Setup { session, .. } => session,
            other => panic!("no challenge to set up: {other:?}"),
        }
    }

    /// What has happened since this was last asked, to anybody.
    pub(crate) fn events(&self) -> Vec<EventKind> {
        let told = core::mem::take(&mut *self.told.lock().unwrap());
        told.into_iter().map(|(_, event)| event.kind).collect()
    }

    /// The row as it is stored.
    pub(crate) fn row(&self, subject: &str) -> Option<Snapshot> {
        self.store.load_blocking(subject).unwrap()
    }

    pub(crate) fn record(&self, subject: &str) -> Record {
        self.row(subject)
            .map_or_else(Record::default, |row| record::decode(&row.record).unwrap())
    }
}

pub(crate) fn context(text: &str) -> Context {
    Context::new(text).unwrap()
}

/// The administrator of every world.
pub(crate) fn admin() -> Administrator {
    Administrator::named("root")
}

/// An authenticator: it has a secret, and shows codes by whatever clock it has.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    verifier: Verifier,
    totp: Totp,
}

impl Device {
    pub(crate) fn of(issued: &Issued) -> Self {
        Self::new(issued.secret(), issued.totp())
    }

    pub(crate) fn new(secret: &Secret, totp: Totp) -> Self {
        Self {
            verifier: Verifier::new(secret, totp),
            totp,
        }
    }

    /// What it shows at this time.
    pub(crate) fn code(&self, time: UnixTime) -> Code {
        self.verifier.code(self.totp.step(time))
    }

    /// What it shows so many steps later, or earlier.
    pub(crate) fn code_in(&self, time: UnixTime, steps: i64) -> Code {
        self.verifier
            .code(self.totp.step(time).saturating_offset(steps))
    }

    /// A code of the right length that none of the steps for two hours around this time has.
    pub(crate) fn wrong_code(&self, time: UnixTime) -> Code {
        let close: Vec<Code> = (-250..=250)
            .map(|steps| self.code_in(time, steps))
            .collect();
        (0..1000_u32)
            .map(|number| {
                let width = usize::from(self.totp.digits().get());
                Code::parse(&format!("{number:0width$}")).unwrap()
            })
            .find(|candidate| !close.contains(candidate))
            .unwrap()
    }
}
