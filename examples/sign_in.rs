//! Shows a login from password to evidence, in this terminal: one user must have a second factor,
//! the other may.
//!
//! ```text
//! cargo run --example sign_in
//! ```
//!
//! You need an authenticator app, or `oathtool`. Sign in as either, set up a phone, take recovery
//! codes, sign out, and sign in again: with the app's next code, with a recovery code as if the
//! phone were lost, or from a browser that is remembered. What is dangerous asks for a code within
//! the login ("sudo mode").
//!
//! Where standard input is not a terminal, the answers are read from it line by line. Exit status:
//! 0 where the input ends at the question for a user, 1 where it ends elsewhere.

use core::error::Error;
use core::time::Duration;
use std::collections::HashMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use softtoken::association::{Authority, BrowserKeys, Enrolled, Issued};
use softtoken::{
    Challenge, ChallengeSession, Code, Context, Evidence, Factor, Grant, MemoryStore, Mfa,
    OsEntropy, Policy, Rejection, SessionKeys,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // Any executor will do.
    match pollster::block_on(serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nsign_in: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What your application keeps of a user. The id never changes; the name may.
struct User {
    id: &'static str,
    name: &'static str,
    must_have_second_factor: bool,
    password_version: u32,
}

const USERS: [User; 2] = [
    User {
        id: "user-1",
        name: "rosa",
        must_have_second_factor: true,
        password_version: 1,
    },
    User {
        id: "user-2",
        name: "otto",
        must_have_second_factor: false,
        password_version: 1,
    },
];

async fn serve() -> Outcome<()> {
    // A server has its keys from where it keeps its secrets, the same ones in every process.
    let sessions = SessionKeys::generate(1, &OsEntropy)?;
    let browsers = BrowserKeys::generate(1, &OsEntropy)?;
    let week = Duration::from_secs(7 * 24 * 60 * 60);
    let mfa = Mfa::system(Policy::STANDARD)
        .with_sessions(sessions, Context::new("web")?)
        .with_browsers(browsers, week)?;
    let store = MemoryStore::new();
    let mut cookies = HashMap::new();

    println!("rosa must have a second factor, otto may. Their password: correct horse");
    while let Some(name) = ask("\nUser")? {
        let password = answer("Password")?;
        let user = USERS.iter().find(|user| user.name == name);
        let Some(user) = user.filter(|_| password_is_right(&password)) else {
            println!("Refused: user or password is wrong.");
            continue;
        };
        let visit = Visit {
            mfa: view(&mfa, user)?,
            store: &store,
            user,
        };
        visit.begin(cookies.entry(user.id).or_default()).await?;
    }
    println!();
    Ok(())
}

/// Checks the first factor, which is the business of your server: a slow hash, a throttle of its
/// own. This is neither.
fn password_is_right(password: &str) -> bool {
    password == "correct horse"
}

/// Makes the view of a request, in one place: who must have a second factor, and in which context.
/// The version of the password is part of it, so that a new password ends every flow and every
/// remembered browser of before.
fn view(mfa: &Mfa, user: &User) -> Result<Mfa, softtoken::Error> {
    let policy = if user.must_have_second_factor {
        mfa.policy().required()
    } else {
        *mfa.policy()
    };
    let context = Context::new(format!("web/{}", user.password_version))?;
    Ok(mfa.with_policy(policy)?.with_context(context))
}

/// A visit of a user whose password was right.
struct Visit<'a> {
    mfa: Mfa,
    store: &'a MemoryStore,
    user: &'a User,
}

impl Visit<'_> {
    /// `cookie`: what the browser keeps. The grant is what your application keeps with the login.
    async fn begin(&self, cookie: &mut Option<String>) -> Outcome<()> {
        let mut grant = match self.sign_in(cookie).await {
            Ok(grant) => grant,
            Err(error) => return refused(error),
        };
        loop {
            self.print_status().await?;
            let wish = "codes (new recovery codes), phone (a new one), delete (the account), \
                        forget (browsers) or out";
            let done = match answer(wish)?.as_str() {
                "codes" => self.take_recovery_codes(&grant).await,
                "phone" => self.change_phone(&mut grant).await,
                "delete" => self.delete_account(&mut grant).await,
                "forget" => self.forget_browsers(&grant).await,
                "out" => return Ok(()),
                _ => Ok(()),
            };
            done.or_else(refused)?;
        }
    }

    async fn sign_in(&self, cookie: &mut Option<String>) -> Outcome<Grant> {
        let sign_in = self.mfa.sign_in().from_browser(cookie.as_deref());
        let evidence = match sign_in.run(self.store, self.user.id).await? {
            Challenge::NotRequired { remembered, .. } => {
                let why = if remembered {
                    "this browser is remembered"
                } else {
                    "nothing else was asked for"
                };
                println!("Signed in with amr pwd: {why}, and nothing was proven.");
                return Ok(Grant::first_factor(self.user.id, self.mfa.now()?));
            }
            Challenge::SoftwareToken { session, names, .. } => {
                let session = self.sent_and_received(&session)?;
                let evidence = self.respond(&session, &names).await?;
                self.offer_to_remember(&evidence, cookie)?;
                evidence
            }
            Challenge::Setup { session, .. } => {
                println!("A second factor is required.");
                let session = self.sent_and_received(&session)?;
                let enrolled = self.set_up(&session).await?;
                enrolled.evidence().clone()
            }
        };
        print(&evidence);
        Ok(Grant::from(&evidence))
    }

    /// Answers a challenge: with a code of the phone or, where that is lost, with a recovery code,
    /// in one field.
    async fn respond(&self, session: &ChallengeSession, names: &[String]) -> Outcome<Evidence> {
        let question = format!("Code of {}, or a recovery code", names.join(" or "));
        loop {
            let Some(factor) = read(Factor::parse(&answer(&question)?)) else {
                continue;
            };
            let respond = self.mfa.respond(session, factor);
            match respond.run(self.store, self.user.id).await {
                Ok(evidence) => return Ok(evidence),
                Err(error) => ask_again(error)?,
            }
        }
    }

    fn offer_to_remember(&self, evidence: &Evidence, cookie: &mut Option<String>) -> Outcome<()> {
        let token = self.mfa.remember(evidence)?;
        if let Some(token) = token
            && answer("Remember this browser, yes or no")? == "yes"
        {
            *cookie = Some(token.expose().into());
        }
        Ok(())
    }

    /// Associates and verifies, by the session of a challenge or by a grant.
    async fn set_up(&self, authority: impl Into<Authority>) -> Outcome<Enrolled> {
        let mut authority = authority.into();
        let associate = self.mfa.associate(authority.clone()).named("the phone");
        let issued = associate.run(self.store, self.user.id).await?;
        show(&issued, self.user.name)?;

        // A session is followed by the next one of the flow; a grant goes on.
        if let Some(session) = issued.session() {
            authority = Authority::from(&self.sent_and_received(session)?);
        }
        loop {
            let Some(code) = read(Code::parse(&answer("Code")?)) else {
                continue;
            };
            let verify = self.mfa.verify(authority.clone(), code);
            match verify.run(self.store, self.user.id).await {
                Ok(enrolled) => return Ok(enrolled),
                Err(error) => ask_again(error)?,
            }
        }
    }

    async fn change_phone(&self, grant: &mut Grant) -> Outcome<()> {
        let enrolled = self.set_up(&*grant).await?;
        print(enrolled.evidence());
        *grant = Grant::from(enrolled.evidence());
        Ok(())
    }

    async fn take_recovery_codes(&self, grant: &Grant) -> Outcome<()> {
        let issue = self.mfa.issue_recovery_codes(grant);
        let codes = issue.run(self.store, self.user.id).await?;
        println!("Keep these apart from the phone; each is good for one sign-in:\n");
        for code in &codes {
            println!("  {}", *code.expose());
        }
        Ok(())
    }

    async fn forget_browsers(&self, grant: &Grant) -> Outcome<()> {
        let forget = self.mfa.forget_browsers(grant);
        forget.run(self.store, self.user.id).await?;
        println!("No browser is remembered any more.");
        Ok(())
    }

    /// Asks for a code first, unless one was shown within the last five minutes.
    async fn delete_account(&self, grant: &mut Grant) -> Outcome<()> {
        let five_minutes = Duration::from_secs(5 * 60);
        loop {
            let check = self.mfa.check(grant, five_minutes);
            let error = match check.run(self.store, self.user.id).await {
                Ok(()) => break,
                Err(error) => error,
            };
            match error.rejection() {
                Some(Rejection::SecondFactorRequired | Rejection::ReauthenticationRequired) => {
                    println!("This asks for a second factor first.");
                    *grant = self.step_up(grant).await?;
                }
                _ => return Err(error.into()),
            }
        }
        println!("Here your application would delete the account.");
        Ok(())
    }

    async fn step_up(&self, grant: &Grant) -> Outcome<Grant> {
        loop {
            let typed = answer("Code of your phone, or a recovery code")?;
            let Some(factor) = read(Factor::parse(&typed)) else {
                continue;
            };
            let step_up = self.mfa.step_up(grant, factor);
            match step_up.run(self.store, self.user.id).await {
                Ok(evidence) => {
                    print(&evidence);
                    return Ok(Grant::from(&evidence));
                }
                Err(error) => ask_again(error)?,
            }
        }
    }

    async fn print_status(&self) -> Outcome<()> {
        let status = self.mfa.status().run(self.store, self.user.id).await?;
        if status.is_verified() {
            println!("\nRecovery codes left: {}", status.recovery_codes);
        } else {
            println!("\nNo second factor is set up.");
        }
        Ok(())
    }

    /// Stands for the way to the client and back. Anybody can have sent what comes back: `open`
    /// checks it.
    fn sent_and_received(
        &self,
        session: &ChallengeSession,
    ) -> Result<ChallengeSession, softtoken::Error> {
        let text = session.expose().to_owned();
        Ok(self.mfa.open(&text)?)
    }
}

/// In a server: ends other logins where it should, and issues tokens with these claims.
fn print(evidence: &Evidence) {
    let (method, amr, at) = (evidence.method(), evidence.amr().join(" "), evidence.at());
    println!("Proven by {method:?}: amr pwd {amr}, auth_time {at}.");
    if evidence.should_end_other_logins() {
        println!("Other logins of {} end now.", evidence.subject());
    }
}

/// The example `enroll` shows a QR code as well.
fn show(issued: &Issued, account: &str) -> Outcome<()> {
    println!("Type this key into an authenticator app, or open this on the phone:\n");
    println!("  {}", *issued.secret().expose_base32());
    println!("  {}\n", *issued.uri("Example", account)?.expose());
    Ok(())
}

/// Returns what was typed, where it has the right shape.
fn read<T, E: Error>(typed: Result<T, E>) -> Option<T> {
    typed.inspect_err(|error| println!("Refused: {error}")).ok()
}

/// Tells why a factor was refused, where another one may do.
fn ask_again(error: softtoken::Error) -> Outcome<()> {
    let Some(rejection) = error.rejection() else {
        return Err(error.into());
    };
    // Where the token is locked, a recovery code still helps.
    if !rejection.may_retry() && rejection != Rejection::Locked {
        return Err(error.into());
    }
    match error.retry_after() {
        Some(wait) => println!("Refused: too many wrong codes. Wait {} s.", wait.as_secs()),
        None => println!("Refused: {error}"),
    }
    Ok(())
}

/// Tells why a request was refused; what is not a rejection ends the example.
fn refused(error: Box<dyn Error>) -> Outcome<()> {
    let rejected = error.downcast_ref().and_then(<softtoken::Error>::rejection);
    if rejected.is_none() {
        return Err(error);
    }
    println!("Refused: {error}");
    Ok(())
}

/// Reads the next line of the input, which has to be there.
fn answer(prompt: &str) -> Outcome<String> {
    Ok(ask(prompt)?.ok_or("the input has ended")?)
}

/// Reads the next line of the input, where there is one.
fn ask(prompt: &str) -> io::Result<Option<String>> {
    print!("{prompt}: ");
    if !io::stdin().is_terminal() {
        println!(); // as the return key would
    }
    io::stdout().flush()?;
    io::stdin().lines().next().transpose()
}
