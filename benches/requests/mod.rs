//! `authenticate` on a [`MemoryStore`] that holds one user, by a clock that moves between requests.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

use softtoken::association::Authenticate;
use softtoken::totp::{Code, Verifier};
use softtoken::{Error, Evidence, Grant, MemoryStore, Mfa, Policy, Request, UnixTime};

use crate::contenders::wrong_code;
use crate::interleaved::{Batch, timed};

const SUBJECT: &str = "alice";
const HOUR: u64 = 60 * 60;

#[derive(Clone, Copy)]
pub(crate) enum Attempt {
    /// A right code in each period: accepted, and its step stored.
    Right,
    /// A wrong code in each half day, which pays it off: counted, and the count stored.
    Wrong,
    /// While the throttle says wait: refused, nothing judged, nothing stored.
    TooEarly,
}

impl Attempt {
    pub(crate) fn blocking(self) -> Batch {
        self.requests(|request, store| request.run_blocking(store, SUBJECT))
    }

    pub(crate) fn asynchronous(self) -> Batch {
        self.requests(|request, store| pollster::block_on(request.run(store, SUBJECT)))
    }

    /// The codes of a batch are made before it begins.
    fn requests(self, run: fn(Request<'_, Authenticate>, &MemoryStore) -> Outcome) -> Batch {
        let user = User::enrolled();
        let (pause, expected) = match self {
            Self::Right => (user.period(), "accepted"),
            Self::Wrong => (12 * HOUR, "mismatch"),
            Self::TooEarly => (0, "throttled"),
        };
        if matches!(self, Self::TooEarly) {
            for _ in 0..Policy::STANDARD.throttle().free {
                let code = user.wrong_code(0);
                user.mfa
                    .authenticate(code)
                    .run_blocking(&user.store, SUBJECT)
                    .unwrap_err();
            }
        }
        Box::new(move |calls| {
            let codes = (1..=u64::from(calls)).map(|call| match self {
                Self::Right => user.right_code(call * pause),
                Self::Wrong | Self::TooEarly => user.wrong_code(call * pause),
            });
            let codes: Vec<Code> = codes.collect();
            let mut codes = codes.into_iter();
            timed(calls, || {
                user.seconds.fetch_add(pause, Relaxed);
                let request = user.mfa.authenticate(codes.next().unwrap());
                let outcome = run(request, &user.store);
                assert_eq!(
                    outcome.as_ref().map_or_else(Error::code, |_| "accepted"),
                    expected
                );
            })
        })
    }
}

type Outcome = Result<Evidence, Error>;

struct User {
    seconds: Arc<AtomicU64>,
    mfa: Mfa,
    store: MemoryStore,
    device: Verifier,
}

impl User {
    fn enrolled() -> Self {
        let seconds = Arc::new(AtomicU64::new(1_700_000_015));
        let clock = Arc::clone(&seconds);
        let mfa = Mfa::new(
            Policy::STANDARD,
            move || Some(UnixTime::from_secs(clock.load(Relaxed))),
            |bytes: &mut [u8]| {
                bytes.fill(7);
                Ok(())
            },
        );
        let store = MemoryStore::new();
        let grant = Grant::first_factor(UnixTime::from_secs(seconds.load(Relaxed)));
        let issued = mfa
            .associate(grant.clone())
            .run_blocking(&store, SUBJECT)
            .unwrap();
        let user = Self {
            device: Verifier::new(issued.secret(), issued.totp()),
            seconds,
            mfa,
            store,
        };
        let verify = user.mfa.verify(grant, user.right_code(0));
        let _ = verify.run_blocking(&user.store, SUBJECT).unwrap();
        user
    }

    fn period(&self) -> u64 {
        self.mfa.policy().totp().period().as_secs()
    }

    fn right_code(&self, seconds_on: u64) -> Code {
        self.device.code(self.step(seconds_on))
    }

    fn wrong_code(&self, seconds_on: u64) -> Code {
        wrong_code(&self.device, self.step(seconds_on))
    }

    fn step(&self, seconds_on: u64) -> softtoken::Step {
        let time = UnixTime::from_secs(self.seconds.load(Relaxed) + seconds_on);
        self.mfa.policy().totp().step(time)
    }
}
