//! A plan as a story, a line a move, for who has to read why it fails.

use core::fmt::{self, Debug, Display, Formatter};

use softtoken::association::Preference;

use crate::plan::{
    Act, Attempt, Brought, Edge, Holds, Last, Login, Move, NAMES, Name, Pass, Pick, Plan, Recovery,
    SUBJECTS, Shown, Shows, Tick, Typed, When, Which, Who,
};
use crate::pools::pools;

/// What proptest prints of the smallest plan that fails.
impl Debug for Plan {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, formatter)
    }
}

impl Display for Plan {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let view = pools()[self.pool][0];
        writeln!(formatter, "pool {} (seed {}): {view}", self.pool, self.seed)?;
        for (number, step) in (1..).zip(&self.moves) {
            writeln!(formatter, "{number:>3}. {step}")?;
        }
        Ok(())
    }
}

impl Display for Move {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        if let Act::Govern(view) = self.act {
            return write!(formatter, "{}view {view} governs", self.tick);
        }
        write!(
            formatter,
            "{}{} {}",
            self.tick, SUBJECTS[self.who], self.act
        )?;
        if let Some(view) = self.under {
            write!(formatter, ", under view {view}")?;
        }
        if let Some(context) = self.context {
            write!(formatter, ", in context {context}")?;
        }
        Ok(())
    }
}

impl Display for Tick {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stay => Ok(()),
            Self::Ahead(seconds) => write!(formatter, "{seconds} s later "),
            Self::Back(seconds) => write!(formatter, "the clock goes back {seconds} s; "),
            Self::Forth => write!(formatter, "the clock is right again; "),
            Self::Around(edge, 0) => write!(formatter, "when {edge}, "),
            Self::Around(edge, by) => write!(formatter, "{by:+} s from when {edge}, "),
        }
    }
}

impl Display for Edge {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Wait => "the throttle admits",
            Self::Pending => "the pending secret expires",
            Self::Session => "the last session expires",
            Self::Debt => "time pays off a failure",
            Self::Window => "the window of the last code has passed",
            Self::Behind => "the clock is no longer behind",
            Self::Step => "the next step begins",
            Self::Temporary => "the temporary code ends",
            Self::Browser => "the last browser is forgotten",
            Self::Required => "a view begins to require",
        })
    }
}

impl Display for Act {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proceed(choice) => write!(formatter, "goes on honestly (choice {choice})"),
            Self::Again(0) => write!(formatter, "repeats the last call"),
            Self::Again(ago) => write!(formatter, "repeats the call of {ago} before the last"),
            Self::Retry => write!(formatter, "retries the last attempt that has a key"),
            Self::Elsewhere => write!(formatter, "answers another challenge as the last one"),
            Self::Govern(view) => write!(formatter, "is governed by view {view}"),
            Self::SignIn(holds) => write!(formatter, "signs in{holds}"),
            Self::SignInWith(None, holds, key) => {
                write!(formatter, "signs in with nothing{holds}{}", Key(*key))
            }
            Self::SignInWith(Some(shows), holds, key) => {
                write!(formatter, "signs in with {shows}{holds}{}", Key(*key))
            }
            Self::Respond(pass, shows, key) => {
                write!(formatter, "responds with {shows} to {pass}{}", Key(*key))
            }
            Self::StepUp(login, shows, key) => {
                write!(formatter, "steps up {login} with {shows}{}", Key(*key))
            }
            Self::FinishSetup(pass) => write!(formatter, "finishes the set-up of {pass}"),
            Self::Check(login, age) => write!(formatter, "has {login} checked for {age} s"),
            Self::Associate(who, name, which) => {
                write!(formatter, "associates {}by {who}", Named(*name))?;
                which
                    .iter()
                    .try_for_each(|which| write!(formatter, ", replacing {which}"))
            }
            Self::Verify {
                who,
                typed,
                next,
                name,
                key,
            } => {
                write!(formatter, "verifies {}by {who} with {typed}", Named(*name))?;
                if let Some(next) = next {
                    write!(formatter, " and the code {next:+} from it")?;
                }
                write!(formatter, "{}", Key(*key))
            }
            Self::Resynchronise(who, of, first, next) => write!(
                formatter,
                "resynchronises token {of} by {who} with {first} and {next}"
            ),
            Self::SetEnabled(who, on) => {
                let state = if *on { "on" } else { "off" };
                write!(formatter, "turns the second factor {state} by {who}")
            }
            Self::Prefer(who, preference) => {
                let preference = match preference {
                    Preference::Disabled => "not to be asked",
                    Preference::Enabled => "to be asked",
                    Preference::Preferred => "to be asked first",
                };
                write!(formatter, "prefers {preference} by {who}")
            }
            Self::Rename(who, which, name) => {
                write!(formatter, "renames {which} to {:?} by {who}", NAMES[*name])
            }
            Self::Remove(who, which) => write!(formatter, "removes {which} by {who}"),
            Self::Disassociate(who) => write!(formatter, "disassociates by {who}"),
            Self::ForgetBrowsers(who) => write!(formatter, "has browsers forgotten by {who}"),
            Self::IssueRecoveryCodes(who) => write!(formatter, "takes recovery codes by {who}"),
            Self::IssueTemporaryCode(lifetime) => {
                write!(formatter, "is given a temporary code for {lifetime} s")
            }
            Self::Reset { mending: false } => write!(formatter, "is reset"),
            Self::Reset { mending: true } => write!(formatter, "is reset to mend the clock"),
            Self::Unlock => write!(formatter, "is unlocked"),
            Self::Import {
                tokens,
                proven,
                enabled,
                replacing,
                again,
            } => {
                let state = if *proven { "proven" } else { "pending" };
                write!(formatter, "is imported {state}, ")?;
                if let Some(enabled) = enabled {
                    write!(formatter, "enabled({enabled}), ")?;
                }
                moved(formatter, *replacing, *again)?;
                tokens
                    .iter()
                    .try_for_each(|token| write!(formatter, "[{token}]"))
            }
            Self::MoveBack { replacing, again } => {
                write!(formatter, "is imported as exported last, ")?;
                moved(formatter, *replacing, *again)
            }
            Self::Export => write!(formatter, "is exported"),
            Self::Remember(0) => write!(formatter, "has the browser remembered"),
            Self::Remember(ago) => {
                write!(
                    formatter,
                    "has the browser of {ago} evidences ago remembered"
                )
            }
        }
    }
}

fn moved(formatter: &mut Formatter<'_>, replacing: bool, again: bool) -> fmt::Result {
    if replacing {
        write!(formatter, "replacing, ")?;
    }
    if again {
        write!(formatter, "even if verified before, ")?;
    }
    Ok(())
}

struct Key(Attempt);

impl Display for Key {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|key| write!(formatter, " (attempt {key})"))
    }
}

struct Named(Name);

impl Display for Named {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|name| write!(formatter, "{:?} ", NAMES[*name]))
    }
}

impl Display for Who {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login(login) => write!(formatter, "{login}"),
            Self::Session(pass) => write!(formatter, "{pass}"),
            Self::Administrator => write!(formatter, "an administrator"),
        }
    }
}

impl Display for Login {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.by {
            Shown::FirstFactor(when) => write!(formatter, "the password {when}")?,
            Shown::Times(when, 0) => write!(formatter, "the bare time {when}")?,
            Shown::Times(when, lag) => write!(formatter, "the bare time {when} (lag {lag} s)")?,
            Shown::Evidence(0) => write!(formatter, "the last evidence")?,
            Shown::Evidence(ago) => write!(formatter, "the evidence {ago} before the last")?,
            Shown::AnyEvidence(ago) => write!(formatter, "anybody's evidence of {ago} ago")?,
        }
        self.id
            .iter()
            .try_for_each(|id| write!(formatter, " in login {id}"))?;
        formatter.write_str(if self.stranger {
            " of another subject"
        } else {
            ""
        })?;
        formatter.write_str(if self.kept { " (as bytes)" } else { "" })
    }
}

impl Display for When {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => write!(formatter, "of now"),
            Self::Ago(seconds) => write!(formatter, "of {seconds} s ago"),
            Self::Ahead(seconds) => write!(formatter, "of in {seconds} s"),
            Self::Stale(by) => write!(formatter, "just as fresh as it must be ({by:+} s)"),
            Self::Moment(0, by) => write!(formatter, "of the last change ({by:+} s)"),
            Self::Moment(ago, by) => write!(formatter, "of {ago} changes before ({by:+} s)"),
        }
    }
}

impl Display for Pass {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.pick {
            Pick::Fitting => write!(formatter, "the session")?,
            Pick::Earlier(before) => write!(formatter, "the session {before} before")?,
            Pick::Recent(ago) => write!(formatter, "whatever session of {ago} ago")?,
        }
        formatter.write_str(if self.opened { "" } else { " (kept open)" })?;
        self.forged
            .iter()
            .try_for_each(|place| write!(formatter, " (forged at {place})"))
    }
}

impl Display for Holds {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Own(0) => write!(formatter, ", with the browser's cookie"),
            Self::Own(before) => write!(formatter, ", with the cookie {before} before"),
            Self::Anybodys(ago) => write!(formatter, ", with anybody's cookie of {ago} ago"),
            Self::Forged(place) => write!(formatter, ", with a cookie forged at {place}"),
        }
    }
}

impl Display for Shows {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(0, typed) => write!(formatter, "{typed}"),
            Self::Code(of, typed) => write!(formatter, "{typed} of token {of}"),
            Self::Recovery(recovery) => write!(formatter, "{recovery}"),
            Self::Vouched => write!(formatter, "a factor that is vouched for"),
            Self::VouchedRecoveryCode(true) => write!(formatter, "an old system's recovery code"),
            Self::VouchedRecoveryCode(false) => {
                write!(formatter, "no recovery code of the old system")
            }
        }
    }
}

impl Display for Typed {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => write!(formatter, "the next code"),
            Self::Late => write!(formatter, "the last code of the window"),
            Self::Off(0) => write!(formatter, "the code of now"),
            Self::Off(steps) => write!(formatter, "the code {steps:+} steps off"),
            Self::Last => write!(formatter, "the code that was accepted last"),
            Self::OldDevice(ago, steps) => {
                write!(formatter, "the code of the device {ago} before ({steps:+})")
            }
            Self::Wrong(number) => write!(formatter, "a wrong code ({number})"),
            Self::OtherLength => write!(formatter, "a code of another length"),
        }
    }
}

impl Display for Recovery {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left(number) => write!(formatter, "recovery code {number}"),
            Self::Temporary => write!(formatter, "the temporary code"),
            Self::Old(number) => write!(formatter, "anybody's recovery code {number}"),
            Self::Invented => write!(formatter, "an invented recovery code"),
        }
    }
}

impl Display for Which {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::InForce(number) => write!(formatter, "token {number}"),
            Self::Any(ago) => write!(formatter, "anybody's token of {ago} ago"),
            Self::Nobodys => write!(formatter, "nobody's token"),
        }
    }
}

impl Display for Brought {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        if self.is_twin() {
            write!(formatter, "a twin, ")?;
        } else {
            write!(formatter, "secret {} of {} bytes, ", self.seed, self.bytes)?;
        }
        write!(
            formatter,
            "parameters {}, {}{}, drift {:?}",
            self.totp,
            Named(self.name),
            self.last,
            self.drift,
        )
    }
}

impl Display for Last {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => write!(formatter, "last step unknown"),
            Self::Off(steps) => write!(formatter, "last step {steps:+} from now"),
            Self::Seconds => write!(formatter, "last step in seconds"),
            Self::MinusOne => write!(formatter, "last step -1"),
        }
    }
}
