//! From password to evidence, in this terminal: one user must have a second factor, the other may.
//!
//! ```text
//! cargo run --example sign_in
//! ```
//!
//! You need an authenticator app, or `oathtool`. Sign in as either, set up a phone, take recovery codes, sign out, and
//! sign in again: with the app's next code, or with a recovery code as if the phone were lost.
//!
//! Where standard input is not a terminal, the answers are read from it line by line. Exit status: 0 where the input
//! ends at the question for a user, 1 where it ends elsewhere.

use core::error::Error;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use softtoken::{
    Authority, Challenge, Clock as _, Code, Context, Enrolled, Evidence, Grant, Issued,
    MemoryStore, Mfa, OsEntropy, Policy, RecoveryCode, Rejection, Requirement, Session,
    SessionKeys, State, SystemClock, UnixTime,
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

async fn serve() -> Outcome<()> {
    // A server has its keys from where it keeps its secrets, the same ones in every process.
    let keys = SessionKeys::generate(1, &OsEntropy)?;
    let pools = [
        Pool::new("rosa", Requirement::Required, &keys)?,
        Pool::new("otto", Requirement::Optional, &keys)?,
    ];
    println!("rosa must have a second factor, otto may. Their password: correct horse");
    while let Ok(user) = ask("\nUser") {
        let password = ask("Password")?;
        let pool = pools.iter().find(|pool| pool.user == user);
        match pool.filter(|_| password_is_right(&password)) {
            Some(pool) => pool.visit().await?,
            None => println!("Refused: user or password is wrong."),
        }
    }
    println!();
    Ok(())
}

/// The first factor is the business of your server: a slow hash, a throttle of its own. This is neither.
fn password_is_right(password: &str) -> bool {
    password == "correct horse"
}

/// Users who live by one policy; here there is one of them.
struct Pool {
    user: &'static str,
    mfa: Mfa,
    store: MemoryStore,
    /// In every session of this pool's, so that none of another's is taken for it.
    context: Context,
}

impl Pool {
    fn new(user: &'static str, requirement: Requirement, keys: &SessionKeys) -> Outcome<Self> {
        let policy = Policy::builder().requirement(requirement).build()?;
        Ok(Self {
            user,
            mfa: Mfa::system(policy).sessions(keys.clone()),
            store: MemoryStore::new(),
            context: Context::new(format!("{requirement:?}"))?,
        })
    }

    /// The password was right. The grant stands for the access token that the user is given then.
    async fn visit(&self) -> Outcome<()> {
        let mut grant = match self.sign_in().await {
            Ok(grant) => grant,
            Err(error) => return refused(error),
        };
        loop {
            self.print_status().await?;
            let done = match ask("codes (new recovery codes), phone (a new one) or out")?.as_str() {
                "codes" => self.take_recovery_codes(&grant).await,
                "phone" => self.change_phone(&mut grant).await,
                "out" => return Ok(()),
                _ => Ok(()),
            };
            done.or_else(refused)?;
        }
    }

    async fn sign_in(&self) -> Outcome<Grant> {
        let sign_in = self.mfa.sign_in(self.context.clone());
        let evidence = match sign_in.run(&self.store, self.user).await? {
            Challenge::NotRequired => {
                println!("Signed in with amr pwd: nothing else was asked for, or proven.");
                return Ok(Grant::first_factor(now()));
            }
            Challenge::SoftwareToken {
                session,
                device_name,
            } => {
                let device = device_name.unwrap_or("your device".into());
                self.respond(&self.received(&session), &device).await?
            }
            Challenge::Setup { session } => {
                println!("A second factor is required.");
                let enrolled = self.set_up(self.received(&session)).await?;
                let session = enrolled.session().ok_or("verify gave no session")?;
                let finish = self.mfa.finish_setup(&self.received(session));
                finish.run(&self.store, self.user).await?
            }
        };
        print(&evidence);
        Ok(Grant::second_factor(evidence.at()))
    }

    /// Answers a challenge, with a code of the device or, where that is lost, with a recovery code.
    async fn respond(&self, session: &Session, device: &str) -> Outcome<Evidence> {
        loop {
            let typed = ask(&format!("Code of {device}, or lost"))?;
            let answer = if typed == "lost" {
                let Some(code) = read(RecoveryCode::parse(&ask("Recovery code")?)) else {
                    continue;
                };
                let recover = self.mfa.recover(code).within(session);
                recover.run(&self.store, self.user).await
            } else {
                let Some(code) = read(Code::parse(&typed)) else {
                    continue;
                };
                let respond = self.mfa.respond(session, code);
                respond.run(&self.store, self.user).await
            };
            match answer {
                Ok(evidence) => return Ok(evidence),
                Err(error) => ask_again(error)?,
            }
        }
    }

    /// Associates and verifies, by the session of a challenge or by a grant.
    async fn set_up(&self, authority: impl Into<Authority>) -> Outcome<Enrolled> {
        let mut authority = authority.into();
        let associate = self.mfa.associate(authority.clone());
        let issued = associate.run(&self.store, self.user).await?;
        show(&issued, self.user)?;

        // A session is followed by the next one of the flow; a grant goes on.
        if let Some(session) = issued.session() {
            authority = self.received(session).into();
        }
        loop {
            let Some(code) = read(Code::parse(&ask("Code")?)) else {
                continue;
            };
            let verify = self.mfa.verify(authority.clone(), code).named("the phone");
            match verify.run(&self.store, self.user).await {
                Ok(enrolled) => return Ok(enrolled),
                Err(error) => ask_again(error)?,
            }
        }
    }

    async fn change_phone(&self, grant: &mut Grant) -> Outcome<()> {
        let enrolled = self.set_up(grant.clone()).await?;
        print(enrolled.evidence());
        *grant = grant.clone().with_second_factor(enrolled.evidence().at());
        Ok(())
    }

    async fn take_recovery_codes(&self, grant: &Grant) -> Outcome<()> {
        let issue = self.mfa.issue_recovery_codes(grant.clone());
        let codes = issue.run(&self.store, self.user).await?;
        println!("Keep these apart from the phone; each is good for one sign-in:\n");
        for code in &codes {
            println!("  {}", *code.expose());
        }
        Ok(())
    }

    async fn print_status(&self) -> Outcome<()> {
        let status = self.mfa.status().run(&self.store, self.user).await?;
        match status.state {
            State::Verified { .. } => println!("\nRecovery codes left: {}", status.recovery_codes),
            _ => println!("\nNo second factor is set up."),
        }
        Ok(())
    }

    /// What went to the client as text and comes back as text: anybody can have sent it, so it says what it must be.
    fn received(&self, session: &Session) -> Session {
        Session::from_text(session.expose()).expecting(&self.context)
    }
}

/// In a server: ends other sessions where it should, and issues tokens with these claims.
fn print(evidence: &Evidence) {
    let (method, amr, at) = (evidence.method(), evidence.amr().join(" "), evidence.at());
    println!("Proven by {method:?}: amr pwd {amr}, auth_time {at}.");
    if evidence.should_end_other_sessions() {
        println!("Sessions of {} elsewhere end now.", evidence.subject());
    }
}

/// The example `enroll` shows a QR code as well.
fn show(issued: &Issued, account: &str) -> Outcome<()> {
    println!("Type this key into an authenticator app, or open this on the phone:\n");
    println!("  {}", *issued.secret().expose_base32());
    println!("  {}\n", *issued.uri("Example", account)?.expose());
    Ok(())
}

/// What was typed, where it has the right shape.
fn read<T, E: Error>(typed: Result<T, E>) -> Option<T> {
    typed.inspect_err(|error| println!("Refused: {error}")).ok()
}

/// Tells why a code was refused, where another one may do.
fn ask_again(error: softtoken::Error) -> Outcome<()> {
    use Rejection::{CodeLength, Locked, Mismatch, Reused};
    if let Some(wait) = error.retry_after() {
        println!("Refused: too many wrong codes. Wait {} s.", wait.as_secs());
        return Ok(());
    }
    match error.rejection() {
        Some(Mismatch | Reused | CodeLength { .. } | Locked) => {
            println!("Refused: {error}");
            Ok(())
        }
        _ => Err(error.into()),
    }
}

/// Tells why a request was refused; what is not a refusal ends the example.
fn refused(error: Box<dyn Error>) -> Outcome<()> {
    let rejected = error.downcast_ref().and_then(<softtoken::Error>::rejection);
    if rejected.is_none() {
        return Err(error);
    }
    println!("Refused: {error}");
    Ok(())
}

/// The next line of the input.
fn ask(prompt: &str) -> io::Result<String> {
    print!("{prompt}: ");
    if !io::stdin().is_terminal() {
        println!(); // as the return key would
    }
    io::stdout().flush()?;
    let line = io::stdin().lines().next();
    line.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))
}

fn now() -> UnixTime {
    SystemClock.now().expect("a clock that is set")
}
