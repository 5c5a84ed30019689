//! `sign_in_with` on a [`MemoryStore`] that holds one user, by a clock that moves between requests.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

use softtoken::association::SignInWith;
use softtoken::mfa::Request;
use softtoken::time::Step;
use softtoken::totp::Verifier;
use softtoken::{Administrator, Code, Error, Grant, MemoryStore, Mfa, Policy, SignedIn, UnixTime};

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
    /// Of a user who holds so many tokens.
    pub(crate) fn blocking(self, tokens: usize) -> Batch {
        self.requests(tokens, |request, store| {
            request.run_blocking(store, SUBJECT)
        })
    }

    pub(crate) fn asynchronous(self, tokens: usize) -> Batch {
        self.requests(tokens, |request, store| {
            pollster::block_on(request.run(store, SUBJECT))
        })
    }

    /// The codes of a batch are made before it begins.
    fn requests(
        self,
        tokens: usize,
        run: fn(Request<SignInWith>, &MemoryStore) -> Outcome,
    ) -> Batch {
        let user = User::enrolled(tokens);
        let (pause, expected) = match self {
            Self::Right => (user.period(), "accepted"),
            Self::Wrong => (12 * HOUR, "mismatch"),
            Self::TooEarly => (0, "throttled"),
        };
        if matches!(self, Self::TooEarly) {
            for _ in 0..Policy::STANDARD.throttle().free {
                let request = user.mfa.sign_in_with(Some(user.wrong_code(0).into()));
                request.run_blocking(&user.store, SUBJECT).unwrap_err();
            }
        }
        Box::new(move |calls| {
            if matches!(self, Self::Wrong) {
                // A hundred in a row would lock the tokens, whatever time has paid off.
                user.unlock();
            }
            let codes = (1..=u64::from(calls)).map(|call| match self {
                Self::Right => user.right_code(call * pause),
                Self::Wrong | Self::TooEarly => user.wrong_code(call * pause),
            });
            let codes: Vec<Code> = codes.collect();
            let mut codes = codes.into_iter();
            timed(calls, || {
                user.seconds.fetch_add(pause, Relaxed);
                let factor = codes.next().map(Into::into);
                let outcome = run(user.mfa.sign_in_with(factor), &user.store);
                assert_eq!(
                    match &outcome {
                        Ok(SignedIn::Proven(_)) => "accepted",
                        Ok(_) => "not asked for",
                        Err(error) => error.name(),
                    },
                    expected
                );
            })
        })
    }
}

type Outcome = Result<SignedIn, Error>;

struct User {
    seconds: Arc<AtomicU64>,
    mfa: Mfa,
    store: MemoryStore,
    devices: Vec<Verifier>,
}

impl User {
    fn enrolled(tokens: usize) -> Self {
        let seconds = Arc::new(AtomicU64::new(1_700_000_015));
        let clock = Arc::clone(&seconds);
        let drawn = AtomicU64::new(7);
        let mfa = Mfa::new(
            Policy::builder().max_tokens(tokens).build().unwrap(),
            move || Some(UnixTime::from_secs(clock.load(Relaxed))),
            // Every draw another one, so that no two tokens have one secret.
            move |bytes: &mut [u8]| {
                let drawn = drawn.fetch_add(1, Relaxed).to_be_bytes();
                bytes
                    .iter_mut()
                    .zip(drawn.into_iter().rev().cycle())
                    .for_each(|(byte, drawn)| *byte = drawn);
                Ok(())
            },
        );
        let mut user = Self {
            seconds,
            mfa,
            store: MemoryStore::new(),
            devices: Vec::new(),
        };
        let now = UnixTime::from_secs(user.seconds.load(Relaxed));
        let mut grant = Grant::first_factor(SUBJECT, now);
        for _ in 0..tokens {
            let associate = user.mfa.associate(&grant);
            let issued = associate.run_blocking(&user.store, SUBJECT).unwrap();
            let device = Verifier::new(issued.secret(), issued.totp());
            let verify = user.mfa.verify(&grant, device.code(user.step(0)));
            let enrolled = verify.run_blocking(&user.store, SUBJECT).unwrap();
            grant = Grant::from(enrolled.evidence());
            user.devices.push(device);
        }
        user
    }

    fn unlock(&self) {
        let unlock = self.mfa.unlock(&Administrator::named("bench"));
        unlock.run_blocking(&self.store, SUBJECT).unwrap();
    }

    fn period(&self) -> u64 {
        self.mfa.policy().totp().period().as_secs()
    }

    /// Of the token that was set up last.
    fn right_code(&self, seconds_on: u64) -> Code {
        self.devices.last().unwrap().code(self.step(seconds_on))
    }

    fn wrong_code(&self, seconds_on: u64) -> Code {
        wrong_code(&self.devices, self.step(seconds_on))
    }

    fn step(&self, seconds_on: u64) -> Step {
        let time = UnixTime::from_secs(self.seconds.load(Relaxed) + seconds_on);
        self.mfa.policy().totp().step(time)
    }
}
