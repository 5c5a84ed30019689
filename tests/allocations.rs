//! How often each operation asks the allocator for memory, on a [`MemoryStore`]: a count is no
//! clock, and a rise shows before anybody measures it. Where a count falls, lower it here.
#![allow(clippy::unwrap_used, reason = "a failing step fails the test")]

use core::pin::pin;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::task::{self, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;

use allocation_counter::measure;
use softtoken::association::{BrowserKeys, Operation};
use softtoken::mfa::Request;
use softtoken::totp::Verifier;
use softtoken::{
    Challenge, Code, Context, Error, Grant, MemoryStore, Mfa, Policy, RecoveryCode, SessionKeys,
    SignedIn, UnixTime,
};

const SUBJECT: &str = "alice";

/// One user with one token, by a clock that moves with each code.
struct User {
    seconds: Arc<AtomicU64>,
    mfa: Mfa,
    store: MemoryStore,
    phone: Verifier,
    grant: Grant,
}

impl User {
    fn enrolled(dress: impl Fn(Mfa) -> Mfa) -> Self {
        let seconds = Arc::new(AtomicU64::new(1_700_000_025));
        let clock = Arc::clone(&seconds);
        let drawn = AtomicU64::new(7);
        let mfa = Mfa::new(
            Policy::STANDARD,
            move || Some(UnixTime::from_secs(clock.load(Relaxed))),
            // Every draw another one.
            move |bytes: &mut [u8]| {
                let drawn = drawn.fetch_add(1, Relaxed).to_le_bytes();
                let drawn = drawn.into_iter().cycle();
                bytes
                    .iter_mut()
                    .zip(drawn)
                    .for_each(|(byte, drawn)| *byte = drawn);
                Ok(())
            },
        );
        let keys = SessionKeys::from_bytes(1, &[7; 32]);
        let mfa = dress(mfa.with_sessions(keys, Context::new("web").unwrap()));
        let store = MemoryStore::new();
        let now = UnixTime::from_secs(seconds.load(Relaxed));
        let grant = Grant::first_factor(SUBJECT, now);

        let issued = mfa.associate(&grant).run_blocking(&store, SUBJECT).unwrap();
        let phone = Verifier::new(issued.secret(), issued.totp());
        let code = phone.code(issued.totp().step(now));
        let enrolled = mfa.verify(&grant, code).run_blocking(&store, SUBJECT);
        let grant = Grant::from(enrolled.unwrap().evidence());
        Self {
            seconds,
            mfa,
            store,
            phone,
            grant,
        }
    }

    fn plain() -> Self {
        Self::enrolled(|mfa| mfa)
    }

    fn remembering() -> Self {
        Self::enrolled(|mfa| {
            let keys = BrowserKeys::from_bytes(1, &[7; 32]);
            mfa.with_browsers(keys, Duration::from_secs(24 * 60 * 60))
                .unwrap()
        })
    }

    #[cfg(feature = "seal")]
    fn sealed() -> Self {
        Self::enrolled(|mfa| mfa.sealed(softtoken::record::Keyring::from_bytes(1, &[7; 32])))
    }

    /// Moves on by a period.
    fn wait(&self) {
        self.seconds.fetch_add(30, Relaxed);
    }

    /// Shows the codes of the next two periods, one after the other.
    fn codes(&self) -> impl Iterator<Item = Code> + use<> {
        let step = self.mfa.policy().totp().step(self.mfa.now().unwrap());
        let codes = [1, 2].map(|offset| self.phone.code(step.saturating_offset(offset)));
        codes.into_iter()
    }

    /// Returns a code that the window does not hold.
    fn wrong_code(&self) -> Code {
        let step = self.mfa.policy().totp().step(self.mfa.now().unwrap());
        let shown = [-1, 0, 1].map(|offset| self.phone.code(step.saturating_offset(offset)));
        let mut codes = (2..).map(|offset| self.phone.code(step.saturating_offset(offset)));
        codes.find(|code| !shown.contains(code)).unwrap()
    }

    fn run<O: Operation>(&self, request: Request<O>) -> Result<O::Output, Error> {
        request.run_blocking(&self.store, SUBJECT)
    }

    /// Counts what the request and its answer allocate, when it is run for the second time: the
    /// first of its kind may lengthen the record.
    fn count<T>(&self, mut run: impl FnMut(&Self) -> T, is_expected: impl Fn(&T) -> bool) -> u64 {
        assert!(is_expected(&run(self)));
        let mut answer = None;
        let info = measure(|| answer = Some(run(self)));
        assert!(is_expected(&answer.unwrap()));
        info.count_total
    }
}

/// Runs a future that never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut context = task::Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a store in memory does not wait"),
    }
}

fn sign_in_with(user: &User) -> u64 {
    let mut codes = user.codes();
    user.count(
        |user| {
            user.wait();
            user.run(user.mfa.sign_in_with(codes.next().map(Into::into)))
        },
        |answer| matches!(answer, Ok(SignedIn::Proven(_))),
    )
}

#[test]
fn setting_up_a_token_allocates_so_often() {
    let seconds = UnixTime::from_secs(1_700_000_025);
    let (store, entropy) = (MemoryStore::new(), |bytes: &mut [u8]| {
        bytes.fill(7);
        Ok(())
    });
    let mfa = Mfa::new(Policy::STANDARD, move || Some(seconds), entropy);
    let grant = Grant::first_factor(SUBJECT, seconds);
    let mut issued = None;
    let associate = measure(|| {
        issued = Some(mfa.associate(&grant).run_blocking(&store, SUBJECT).unwrap());
    });
    let issued = issued.unwrap();
    let code = Verifier::new(issued.secret(), issued.totp()).code(issued.totp().step(seconds));
    let verify = measure(|| {
        let _ = mfa
            .verify(&grant, code)
            .run_blocking(&store, SUBJECT)
            .unwrap();
    });
    assert_eq!((associate.count_total, verify.count_total), (10, 11));
}

#[test]
fn signing_in_in_one_request_allocates_so_often() {
    assert_eq!(sign_in_with(&User::plain()), 6);
}

#[cfg(feature = "seal")]
#[test]
fn signing_in_under_a_seal_allocates_so_often() {
    assert_eq!(sign_in_with(&User::sealed()), 8);
}

#[test]
fn an_async_sign_in_allocates_no_oftener_than_a_blocking_one() {
    let user = User::plain();
    let mut codes = user.codes();
    let count = user.count(
        |user| {
            user.wait();
            let request = user.mfa.sign_in_with(codes.next().map(Into::into));
            at_once(request.run(&user.store, SUBJECT))
        },
        |answer| matches!(answer, Ok(SignedIn::Proven(_))),
    );
    assert_eq!(count, 6);
}

#[test]
fn a_refused_guess_allocates_so_often() {
    let user = User::plain();
    let wrong = user.wrong_code();
    let count = user.count(
        |user| user.run(user.mfa.sign_in_with(Some(wrong.clone().into()))),
        |answer| {
            answer
                .as_ref()
                .is_err_and(|error| error.name() == "mismatch")
        },
    );
    assert_eq!(count, 5);
}

#[test]
fn a_challenge_and_its_response_allocate_so_often() {
    let user = User::plain();
    let challenge = user.count(
        |user| user.run(user.mfa.sign_in()),
        |answer| matches!(answer, Ok(Challenge::SoftwareToken { .. })),
    );
    let session = || match user.run(user.mfa.sign_in()).unwrap() {
        Challenge::SoftwareToken { session, .. } => session,
        other => panic!("{other:?}"),
    };
    let texts = [session().expose().to_owned(), session().expose().to_owned()];
    let mut answers = texts.iter().zip(user.codes());
    let respond = user.count(
        |user| {
            user.wait();
            let (text, code) = answers.next().unwrap();
            let session = user.mfa.open(text).unwrap();
            user.run(user.mfa.respond(&session, code))
        },
        Result::is_ok,
    );
    assert_eq!((challenge, respond), (8, 18));
}

#[test]
fn a_recovery_code_allocates_so_often() {
    let user = User::plain();
    let issued = user
        .run(user.mfa.issue_recovery_codes(&user.grant))
        .unwrap();
    let codes: Vec<RecoveryCode> = issued.iter().cloned().collect();
    let mut codes = codes.into_iter();
    let count = user.count(
        |user| user.run(user.mfa.sign_in_with(codes.next().map(Into::into))),
        |answer| matches!(answer, Ok(SignedIn::Proven(_))),
    );
    assert_eq!(count, 9);
}

#[test]
fn a_remembered_browser_allocates_so_often() {
    let user = User::remembering();
    let code = user.codes().next().unwrap();
    let SignedIn::Proven(evidence) = user.run(user.mfa.sign_in_with(Some(code.into()))).unwrap()
    else {
        panic!("the code is right");
    };
    let cookie = user.mfa.remember(&evidence).unwrap().unwrap();
    let count = user.count(
        |user| {
            let request = user.mfa.sign_in_with(None);
            user.run(request.from_browser(Some(cookie.expose())))
        },
        |answer| {
            matches!(
                answer,
                Ok(SignedIn::NotRequired {
                    remembered: true,
                    ..
                })
            )
        },
    );
    assert_eq!(count, 8);
}

#[test]
fn stepping_up_allocates_so_often() {
    let user = User::plain();
    let mut codes = user.codes();
    let count = user.count(
        |user| {
            user.wait();
            user.run(user.mfa.step_up(&user.grant, codes.next().unwrap()))
        },
        Result::is_ok,
    );
    assert_eq!(count, 6);
}
