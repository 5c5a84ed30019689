//! Enrols an authenticator app as a user's second factor and signs in with it, in this terminal:
//!
//! ```text
//! cargo run --example enroll
//! ```
//!
//! `--help` lists the options. Where standard input is not a terminal, codes are read from it line
//! by line, so that a script can be the user.
//!
//! Exit status: 0 where one code has enrolled the app and another one has signed in; 1 where the
//! input ended before that, or no further code could help; 2 where an option is not understood.

use core::error::Error;
use core::time::Duration;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use softtoken::association::Issued;
use softtoken::time::Step;
use softtoken::totp::{Algorithm, Digits, Totp, TotpError};
use softtoken::{Code, Evidence, Grant, MemoryStore, Mfa, Policy, Rejection, SignedIn};

const HELP: &str = "\
Usage: cargo run --example enroll -- [OPTIONS]

  --account NAME      whose account the app shows          [alice@example.com]
  --issuer NAME       whose server the app shows           [Example]
  --algorithm NAME    SHA1, SHA256 or SHA512               [SHA1]
  --digits NUMBER     6, 7 or 8                            [6]
  --period SECONDS    how long a code is shown, 15 to 120  [30]
  --help              this text

Some apps ignore algorithm, digits and period in silence, and show wrong codes.
";

/// Names the user by an id that never changes. The account, which the app shows, may change.
const SUBJECT: &str = "user-1";

fn main() -> ExitCode {
    let options = match Options::read() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("enroll: {error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    if options.help {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match enrol_and_sign_in(&options) {
        Ok(evidence) => {
            println!("Signed in, on this evidence:\n");
            println!("  subject  {}", evidence.subject());
            println!("  amr      {}", evidence.amr().join(" "));
            println!("  step     {}", evidence.step().map_or(0, Step::get));
            println!("  time     {}", evidence.at());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\nenroll: {error}");
            ExitCode::FAILURE
        }
    }
}

fn enrol_and_sign_in(options: &Options) -> Result<Evidence, Box<dyn Error>> {
    let policy = Policy::builder().totp(options.totp).build()?;
    let mfa = Mfa::system(policy);
    let store = MemoryStore::new();

    // In a server: the access token that came with the request, once you have checked it.
    let grant = Grant::first_factor(SUBJECT, mfa.now()?).with_id("its jti");
    let associate = mfa.associate(&grant).named("phone");
    let issued = associate.run_blocking(&store, SUBJECT)?;
    show(&issued, options)?;

    let enrolled = until_accepted("Code", |code| {
        mfa.verify(&grant, code).run_blocking(&store, SUBJECT)
    })?;
    println!(
        "Enrolled: {} has a second factor now.\n",
        enrolled.evidence().subject()
    );

    let period = issued.totp().period().as_secs();
    println!("That code is spent. The app shows the next one within {period} s.\n");
    let signed_in = until_accepted("Next code", |code| {
        let sign_in = mfa.sign_in_with(Some(code.into()));
        sign_in.run_blocking(&store, SUBJECT)
    })?;
    match signed_in {
        SignedIn::Proven(evidence) => Ok(evidence),
        other => Err(format!("a token is in force, and the answer is {other:?}").into()),
    }
}

/// Shows the secret in the three ways that apps take it. Nothing shows it again.
fn show(issued: &Issued, options: &Options) -> Result<(), Box<dyn Error>> {
    let uri = issued.uri(&options.issuer, &options.account)?;
    let blocks = uri.qr_code()?.expose_blocks();
    // White on black, whatever colours the terminal has.
    let (white_on_black, as_before) = if io::stdout().is_terminal() {
        ("\x1b[38;5;231;48;5;16m", "\x1b[0m")
    } else {
        ("", "")
    };
    println!("Scan this with an authenticator app:\n");
    for line in blocks.lines() {
        println!("  {white_on_black}{line}{as_before}");
    }

    print!("\nor type this key into it:\n\n ");
    for (position, character) in issued.secret().expose_base32().chars().enumerate() {
        let gap = if position % 4 == 0 { " " } else { "" };
        print!("{gap}{character}");
    }
    println!("\n\nor open this on the phone:\n\n  {}\n", *uri.expose());
    println!("Then type the code that it shows.\n");
    Ok(())
}

/// Asks for codes until one is accepted, and says what is wrong with the others.
fn until_accepted<T>(
    prompt: &str,
    attempt: impl Fn(Code) -> Result<T, softtoken::Error>,
) -> Result<T, Box<dyn Error>> {
    loop {
        let code: Code = match ask(prompt)?.parse() {
            Ok(code) => code,
            Err(error) => {
                println!("Not a code: {error}.");
                continue;
            }
        };
        let error = match attempt(code) {
            Ok(accepted) => return Ok(accepted),
            Err(error) => error,
        };
        let reason = match error.rejection() {
            Some(Rejection::Throttled { .. }) => "too many wrong codes".into(),
            Some(Rejection::Mismatch | Rejection::Reused | Rejection::CodeLength { .. }) => {
                error.to_string()
            }
            // No other code would help.
            _ => return Err(error.into()),
        };
        match error.retry_after() {
            None => println!("Refused: {reason}."),
            Some(wait) => println!("Refused: {reason}. Wait {} s.", wait.as_secs()),
        }
    }
}

/// Reads the next line of the input.
fn ask(prompt: &str) -> io::Result<String> {
    print!("{prompt}: ");
    if !io::stdin().is_terminal() {
        println!(); // as the return key would
    }
    io::stdout().flush()?;
    let line = io::stdin().lines().next();
    line.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))
}

struct Options {
    account: String,
    issuer: String,
    totp: Totp,
    help: bool,
}

impl Options {
    fn read() -> Result<Self, Box<dyn Error>> {
        let (mut account, mut issuer) = ("alice@example.com".into(), "Example".into());
        let (mut algorithm, mut digits, mut seconds) = (Algorithm::Sha1, 6, 30);
        let mut help = false;
        let mut arguments = std::env::args().skip(1);
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{option} needs a value"));
            match option.as_str() {
                "--account" => account = value()?,
                "--issuer" => issuer = value()?,
                "--algorithm" => algorithm = value()?.parse()?,
                "--digits" => digits = value()?.parse().map_err(|_| TotpError::Digits)?,
                "--period" => seconds = value()?.parse().map_err(|_| TotpError::Period)?,
                "--help" => help = true,
                _ => return Err(format!("there is no option {option}").into()),
            }
        }
        let (digits, period) = (Digits::try_from(digits)?, Duration::from_secs(seconds));
        let totp = Totp::new(algorithm, digits, period)?;
        Ok(Self {
            account,
            issuer,
            totp,
            help,
        })
    }
}
