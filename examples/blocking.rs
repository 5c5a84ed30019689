//! Runs a second factor without an executor: enrol, sign in, a replay, a wrong code.
//!
//! ```text
//! cargo run --example blocking
//! ```
//!
//! It asks for nothing: the authenticator app and the clock are part of it.

use core::error::Error;
use core::sync::atomic::{AtomicU64, Ordering};

use softtoken::association::Issued;
use softtoken::totp::{Totp, Verifier};
use softtoken::{Code, Evidence, Grant, MemoryStore, Mfa, OsEntropy, Policy, SignedIn, UnixTime};

/// Holds what the clocks of the server and of the app show. A server says `Mfa::system`, and has
/// the operating system's.
static SECONDS: AtomicU64 = AtomicU64::new(1_700_000_000);

fn now() -> UnixTime {
    UnixTime::from_secs(SECONDS.load(Ordering::Relaxed))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mfa = Mfa::new(Policy::STANDARD, || Some(now()), OsEntropy);
    let store = MemoryStore::new();

    let password_given = Grant::first_factor("alice", now());
    let associate = mfa.associate(&password_given).named("phone");
    let issued = associate.run_blocking(&store, "alice")?;
    let app = App::scan(&issued);
    println!(
        "associate         a secret, to be proven before {}",
        issued.expires()
    );

    let first = app.code(now());
    let verify = mfa.verify(&password_given, first.clone());
    let enrolled = verify.run_blocking(&store, "alice")?;
    accepted("verify", enrolled.evidence());

    // The password was right, and a code came in the same request, or none did.
    let sign_in = |what: &str, code: Option<Code>| {
        let request = mfa.sign_in_with(code.map(Into::into));
        match request.run_blocking(&store, "alice") {
            Ok(SignedIn::Proven(evidence)) => accepted(what, &evidence),
            Ok(SignedIn::FactorRequired { names, .. }) => {
                println!("{what:16}  asked for a code of {}", names.join(" or "));
            }
            Ok(SignedIn::NotRequired { .. }) => println!("{what:16}  let in without a code"),
            Ok(SignedIn::SetupRequired { .. }) => println!("{what:16}  asked to set up a phone"),
            Err(error) => println!("{what:16}  refused: {error} ({})", error.name()),
        }
    };
    sign_in("no code", None);
    sign_in("the same code", Some(first));
    SECONDS.fetch_add(30, Ordering::Relaxed);
    sign_in("the next code", Some(app.code(now())));
    let yesterday = UnixTime::from_secs(now().as_secs() - 86_400);
    sign_in("yesterday's code", Some(app.code(yesterday)));
    Ok(())
}

fn accepted(what: &str, evidence: &Evidence) {
    println!(
        "{what:16}  accepted: amr {}, at {}",
        evidence.amr().join(" "),
        evidence.at()
    );
}

/// Stands for what the user holds: it has the secret, and shows codes.
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
