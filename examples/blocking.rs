//! A second factor without an executor: enrol, sign in, a replay, a wrong code.
//!
//! ```text
//! cargo run --example blocking
//! ```
//!
//! It asks for nothing: the authenticator app and the clock are part of it.

use core::error::Error;
use core::sync::atomic::{AtomicU64, Ordering};

use softtoken::totp::{Code, Totp, Verifier};
use softtoken::{Evidence, Grant, Issued, MemoryStore, Mfa, OsEntropy, Policy, UnixTime};

/// What the clocks of the server and of the app show. A server says `Mfa::system`, and has the operating system's.
static SECONDS: AtomicU64 = AtomicU64::new(1_700_000_000);

fn now() -> UnixTime {
    UnixTime::from_secs(SECONDS.load(Ordering::Relaxed))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mfa = Mfa::new(Policy::STANDARD, || Some(now()), OsEntropy);
    let store = MemoryStore::new();

    let password_given = Grant::first_factor(now());
    let associate = mfa.associate(password_given.clone());
    let issued = associate.run_blocking(&store, "alice")?;
    let app = App::scan(&issued);
    println!(
        "associate         a secret, to be proven before {}",
        issued.expires()
    );

    let first = app.code(now());
    let verify = mfa.verify(password_given, first.clone()).named("phone");
    let enrolled = verify.run_blocking(&store, "alice")?;
    print("verify", Ok(enrolled.evidence()));

    let replayed = mfa.authenticate(first).run_blocking(&store, "alice");
    print("the same code", replayed.as_ref());

    SECONDS.fetch_add(30, Ordering::Relaxed);
    let signed_in = mfa
        .authenticate(app.code(now()))
        .run_blocking(&store, "alice");
    print("the next code", signed_in.as_ref());

    let yesterday = UnixTime::from_secs(now().as_secs() - 86_400);
    let wrong = mfa
        .authenticate(app.code(yesterday))
        .run_blocking(&store, "alice");
    print("yesterday's code", wrong.as_ref());
    Ok(())
}

fn print(what: &str, outcome: Result<&Evidence, &softtoken::Error>) {
    match outcome {
        Ok(evidence) => println!(
            "{what:16}  accepted: amr {}, at {}",
            evidence.amr().join(" "),
            evidence.at()
        ),
        Err(error) => println!("{what:16}  refused: {error} ({})", error.code()),
    }
}

/// What the user holds: it has the secret, and shows codes.
struct App {
    verifier: Verifier,
    totp: Totp,
}

impl App {
    fn scan(issued: &Issued) -> Self {
        Self {
            verifier: Verifier::new(issued.secret(), issued.totp()),
            totp: issued.totp(),
        }
    }

    fn code(&self, time: UnixTime) -> Code {
        self.verifier.code(self.totp.step(time))
    }
}
