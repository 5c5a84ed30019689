//! The verbs of a server whose users lie in a [`MemoryStore`], each call by another user, by a
//! clock that moves between batches. What is drawn comes from a counter: the crate is measured, not
//! the operating system's generator.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::time::Duration;

use allocation_counter::measure;
use softtoken::association::{BrowserKeys, BrowserToken, Operation};
use softtoken::mfa::Request;
use softtoken::record::Keyring;
use softtoken::time::Step;
use softtoken::totp::Verifier;
use softtoken::{
    Administrator, BlockingStore as _, Challenge, Code, Context, Error, Factor, Grant, MemoryStore,
    Mfa, Policy, SessionKeys, SignedIn, UnixTime,
};

use crate::contenders::wrong_code;
use crate::interleaved::{Batch, timed};

const MINUTE: u64 = 60;
/// Between two batches: it pays off what the throttle asks for after one wrong code.
const PAUSE: u64 = 12 * 60 * MINUTE;
const KEY: [u8; 32] = [7; 32];

static THREADS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(1_700_000_015) };
    /// A counter for each thread: threads that count by one wait for each other.
    static DRAWN: Cell<u64> = Cell::new(THREADS.fetch_add(1, Relaxed) << 40);
}

/// The time of this thread, in seconds.
pub(crate) fn now() -> u64 {
    NOW.get()
}

/// Sets the time of this thread.
pub(crate) fn set_clock(seconds: u64) {
    NOW.set(seconds);
}

/// An `Mfa` by the clock of whichever thread asks.
pub(crate) fn mfa(tokens: usize, is_sealed: bool) -> Mfa {
    let mfa = Mfa::new(
        Policy::builder().max_tokens(tokens.max(1)).build().unwrap(),
        || Some(UnixTime::from_secs(now())),
        // Every draw another one, so that no two tokens have one secret.
        |bytes: &mut [u8]| {
            let drawn = DRAWN.replace(DRAWN.get() + 1).to_be_bytes();
            bytes
                .iter_mut()
                .zip(drawn.into_iter().rev().cycle())
                .for_each(|(byte, drawn)| *byte = drawn);
            Ok(())
        },
    );
    let month = Duration::from_secs(30 * 24 * 60 * MINUTE);
    let mfa = mfa
        .with_sessions(
            SessionKeys::from_bytes(1, &KEY),
            Context::new("web").unwrap(),
        )
        .with_browsers(BrowserKeys::from_bytes(1, &KEY), month)
        .unwrap();
    if is_sealed {
        mfa.sealed(Keyring::from_bytes(1, &KEY))
    } else {
        mfa
    }
}

/// How requests are run, and how records are at rest.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) is_sealed: bool,
    pub(crate) is_async: bool,
}

/// Both colours in the clear, then both sealed.
pub(crate) const WAYS: [Way; 4] = [
    way(false, false),
    way(false, true),
    way(true, false),
    way(true, true),
];

const fn way(is_sealed: bool, is_async: bool) -> Way {
    Way {
        is_sealed,
        is_async,
    }
}

pub(crate) struct User {
    pub(crate) subject: String,
    /// Of each token in force.
    pub(crate) devices: Vec<Verifier>,
}

impl User {
    /// Sets up so many tokens.
    pub(crate) fn enrolled(subject: String, tokens: usize, mfa: &Mfa, store: &MemoryStore) -> Self {
        let mut grant = first_factor(&subject);
        let mut devices = Vec::new();
        for _ in 0..tokens {
            let issued = mfa.associate(&grant).run_blocking(store, &subject).unwrap();
            let device = Verifier::new(issued.secret(), issued.totp());
            let verify = mfa.verify(&grant, device.code(step()));
            let enrolled = verify.run_blocking(store, &subject).unwrap();
            grant = Grant::from(enrolled.evidence());
            devices.push(device);
        }
        Self { subject, devices }
    }

    /// Of the token that was set up last.
    fn code(&self) -> Code {
        self.devices.last().unwrap().code(step())
    }
}

fn first_factor(subject: &str) -> Grant {
    Grant::first_factor(subject, UnixTime::from_secs(now()))
}

fn step() -> Step {
    Policy::STANDARD.totp().step(UnixTime::from_secs(now()))
}

struct Server {
    mfa: Mfa,
    store: MemoryStore,
    is_async: bool,
    operator: Administrator,
}

impl Server {
    fn run<O: Operation>(&self, request: Request<O>, user: &User) -> Result<O::Output, Error> {
        if self.is_async {
            pollster::block_on(request.run(&self.store, &user.subject))
        } else {
            request.run_blocking(&self.store, &user.subject)
        }
    }
}

/// An operation of each user in turn.
pub(crate) struct Acts<T> {
    server: Server,
    tokens: usize,
    users: Vec<User>,
    now: u64,
    prepare: fn(&Server, &User) -> T,
    act: fn(&Server, &User, T),
}

impl<T: 'static> Acts<T> {
    fn new(
        way: Way,
        tokens: usize,
        prepare: fn(&Server, &User) -> T,
        act: fn(&Server, &User, T),
    ) -> Self {
        let server = Server {
            mfa: mfa(tokens, way.is_sealed),
            store: MemoryStore::new(),
            is_async: way.is_async,
            operator: Administrator::named("bench"),
        };
        Self {
            server,
            tokens,
            users: Vec::new(),
            now: now(),
            prepare,
            act,
        }
    }

    /// What so many users need for one call each.
    fn prepared(&mut self, calls: usize) -> Vec<T> {
        set_clock(self.now);
        let Server { mfa, store, .. } = &self.server;
        for number in self.users.len()..calls {
            let subject = format!("user-{number:08}");
            let user = User::enrolled(subject, self.tokens, mfa, store);
            self.users.push(user);
        }
        self.now += PAUSE;
        set_clock(self.now);
        let users = self.users.iter().take(calls);
        users
            .map(|user| (self.prepare)(&self.server, user))
            .collect()
    }

    /// How many allocations a call makes, once the first has been made.
    fn allocations(&mut self) -> u64 {
        for given in self.prepared(1) {
            (self.act)(&self.server, &self.users[0], given);
        }
        let mut given = self.prepared(1).into_iter();
        measure(|| (self.act)(&self.server, &self.users[0], given.next().unwrap())).count_total
    }

    fn batch(mut self) -> Measured {
        let allocations = self.allocations();
        let batch: Batch = Box::new(move |calls| {
            let prepared = self.prepared(usize::try_from(calls).unwrap());
            let mut given = self.users.iter().zip(prepared);
            timed(calls, || {
                let (user, given) = given.next().unwrap();
                (self.act)(&self.server, user, given);
            })
        });
        Measured { batch, allocations }
    }
}

/// What is entered in the run, and how many allocations a call of it makes.
pub(crate) struct Measured {
    pub(crate) batch: Batch,
    pub(crate) allocations: u64,
}

/// A title, and what is done in a way.
pub(crate) type Row = (&'static str, fn(Way) -> Measured);

/// What users wait for.
pub(crate) const OPERATIONS: [Row; 11] = [
    ("associate", associate),
    ("verify", verify),
    ("sign_in: the session", sign_in),
    ("sign_in + respond", sign_in_and_respond),
    ("sign_in_with", |way| sign_in_with(way, 1)),
    ("sign_in_with, 5 tokens", |way| sign_in_with(way, 5)),
    ("step_up", |way| step_up(way, 1)),
    ("step_up, 5 tokens", |way| step_up(way, 5)),
    ("refused guess", refused_guess),
    ("recovery code, 10th of 10", recovery_code),
    ("remembered browser", remembered_browser),
];

fn associate(way: Way) -> Measured {
    let grant = |_: &Server, user: &User| first_factor(&user.subject);
    Acts::new(way, 0, grant, |server, user, grant| {
        assert!(server.run(server.mfa.associate(&grant), user).is_ok());
    })
    .batch()
}

fn verify(way: Way) -> Measured {
    let prepare = |server: &Server, user: &User| {
        let began = now();
        // A grant is void that is no younger than the reset.
        set_clock(began - MINUTE);
        server
            .run(server.mfa.reset(&server.operator), user)
            .unwrap();
        set_clock(began);
        let grant = first_factor(&user.subject);
        let issued = server.run(server.mfa.associate(&grant), user).unwrap();
        let code = Verifier::new(issued.secret(), issued.totp()).code(step());
        (grant, code)
    };
    Acts::new(way, 0, prepare, |server, user, (grant, code)| {
        assert!(server.run(server.mfa.verify(&grant, code), user).is_ok());
    })
    .batch()
}

fn sign_in(way: Way) -> Measured {
    Acts::new(
        way,
        1,
        |_, _| (),
        |server, user, ()| {
            let challenge = server.run(server.mfa.sign_in(), user);
            assert!(matches!(challenge, Ok(Challenge::SoftwareToken { .. })));
        },
    )
    .batch()
}

fn sign_in_and_respond(way: Way) -> Measured {
    Acts::new(
        way,
        1,
        |_, user| user.code(),
        |server, user, code| {
            let challenge = server.run(server.mfa.sign_in(), user);
            let Ok(Challenge::SoftwareToken { session, .. }) = challenge else {
                panic!("a token is in force");
            };
            assert!(server.run(server.mfa.respond(&session, code), user).is_ok());
        },
    )
    .batch()
}

fn is_proven(signed_in: &Result<SignedIn, Error>) -> bool {
    matches!(signed_in, Ok(SignedIn::Proven(_)))
}

fn sign_in_with(way: Way, tokens: usize) -> Measured {
    Acts::new(
        way,
        tokens,
        |_, user| user.code(),
        |server, user, code| {
            let factor = Some(code.into());
            assert!(is_proven(
                &server.run(server.mfa.sign_in_with(factor), user)
            ));
        },
    )
    .batch()
}

fn step_up(way: Way, tokens: usize) -> Measured {
    let prepare = |_: &Server, user: &User| (first_factor(&user.subject), user.code());
    Acts::new(way, tokens, prepare, |server, user, (grant, code)| {
        assert!(server.run(server.mfa.step_up(&grant, code), user).is_ok());
    })
    .batch()
}

fn refused_guess(way: Way) -> Measured {
    let prepare = |server: &Server, user: &User| {
        // A hundred in a row would lock the tokens.
        server
            .run(server.mfa.unlock(&server.operator), user)
            .unwrap();
        wrong_code(&user.devices, step())
    };
    Acts::new(way, 1, prepare, |server, user, code| {
        let factor = Some(code.into());
        let refused = server.run(server.mfa.sign_in_with(factor), user);
        assert_eq!(refused.unwrap_err().name(), "mismatch");
    })
    .batch()
}

fn recovery_code(way: Way) -> Measured {
    let prepare = |server: &Server, user: &User| {
        let issue = server.mfa.issue_recovery_codes(&server.operator);
        let codes = server.run(issue, user).unwrap();
        codes.iter().last().unwrap().clone()
    };
    Acts::new(way, 1, prepare, |server, user, code| {
        let factor = Some(Factor::RecoveryCode(code));
        assert!(is_proven(
            &server.run(server.mfa.sign_in_with(factor), user)
        ));
    })
    .batch()
}

fn remembered_browser(way: Way) -> Measured {
    let prepare = |server: &Server, user: &User| -> BrowserToken {
        let factor = Some(user.code().into());
        let signed_in = server.run(server.mfa.sign_in_with(factor), user);
        let Ok(SignedIn::Proven(evidence)) = signed_in else {
            panic!("the code is right");
        };
        server.mfa.remember(&evidence).unwrap().unwrap()
    };
    Acts::new(way, 1, prepare, |server, user, cookie| {
        let request = server.mfa.sign_in().from_browser(Some(cookie.expose()));
        let challenge = server.run(request, user);
        assert!(matches!(challenge, Ok(Challenge::NotRequired { .. })));
    })
    .batch()
}

/// Opening the session that a client brings back, which reads no store.
pub(crate) fn session_opened() -> Measured {
    let prepare = |server: &Server, user: &User| match server.run(server.mfa.sign_in(), user) {
        Ok(Challenge::SoftwareToken { session, .. }) => session,
        _ => panic!("a token is in force"),
    };
    Acts::new(WAYS[0], 1, prepare, |server, _, session| {
        server.mfa.open(session.expose()).unwrap();
    })
    .batch()
}

/// The row of a user with one token, who has signed in.
pub(crate) fn row() -> Vec<u8> {
    let acts = &mut Acts::new(
        WAYS[0],
        1,
        |_, user| user.code(),
        |server, user, code| {
            let factor = Some(code.into());
            assert!(is_proven(
                &server.run(server.mfa.sign_in_with(factor), user)
            ));
        },
    );
    acts.allocations();
    let row = acts.server.store.load_blocking(&acts.users[0].subject);
    row.unwrap().unwrap().record
}
