//! What can be asked and answered, in words that the machine and its reading share.
//!
//! Time is in seconds, a subject, a session, an evidence and a cookie are their numbers, a code is
//! its text.

use core::cell::RefCell;
use core::fmt;
use std::collections::HashMap;
use std::rc::Rc;

use softtoken::TokenId;
use softtoken::association::{Event, EventKind, Method, Preference, State};
use softtoken::time::Step;
use softtoken::totp::{Secret, Totp, Verifier};

use crate::START;
use crate::plan::SUBJECTS;

/// A secret, as the authenticator that has it knows it.
pub struct Key {
    verifier: Verifier,
    pub secret: Secret,
    pub totp: Totp,
    codes: RefCell<HashMap<u64, String>>,
}

impl Key {
    pub fn new(secret: Secret, totp: Totp) -> Rc<Self> {
        Rc::new(Self {
            verifier: Verifier::new(&secret, totp),
            secret,
            totp,
            codes: RefCell::default(),
        })
    }

    pub fn code(&self, step: u64) -> String {
        let mut codes = self.codes.borrow_mut();
        let code = || self.verifier.code(Step::new(step)).expose().to_string();
        codes.entry(step).or_insert_with(code).clone()
    }

    pub fn step(&self, now: u64) -> u64 {
        now / self.period()
    }

    pub fn period(&self) -> u64 {
        self.totp.period().as_secs()
    }

    pub fn is_weak(&self) -> bool {
        self.secret.expose().len() < 16
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({:?})", self.totp)
    }
}

/// What stands behind a second factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProvedBy {
    Token(TokenId),
    Generation(u64),
    Time,
}

/// A login that the application has checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    pub subject: usize,
    pub first: u64,
    pub second: Option<(u64, ProvedBy)>,
    pub id: Option<String>,
    /// The number of the evidence that it was made from.
    pub made_from: Option<usize>,
    /// Whether it was kept as bytes in between.
    pub kept: bool,
}

impl fmt::Debug for Grant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "grant of {} at {}",
            SUBJECTS[self.subject],
            Since(self.first)
        )?;
        if let Some((second, proved_by)) = self.second {
            write!(formatter, ", {} by {proved_by:?}", Since(second))?;
        }
        self.id
            .iter()
            .try_for_each(|id| write!(formatter, ", {id}"))
    }
}

/// A time, in seconds since the story began.
pub struct Since(pub u64);

impl fmt::Display for Since {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:+} s", i128::from(self.0) - i128::from(START))
    }
}

/// A session as somebody shows it: `ticket` is `None` where the text was tampered with.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    pub ticket: Option<usize>,
    pub text: String,
    /// Whether the handler has only the text, and opens it; or has kept the value.
    pub opened: bool,
}

/// The text of a browser's cookie: `number` is `None` where it was tampered with.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    pub number: Option<usize>,
    pub text: String,
}

impl fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ticket {
            Some(number) => write!(formatter, "session {number}")?,
            None => write!(formatter, "a forged session")?,
        }
        formatter.write_str(if self.opened { "" } else { " (kept open)" })
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(formatter, "cookie {number}"),
            None => write!(formatter, "a forged cookie"),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum By {
    Grant(Grant),
    Session(Shown),
    Administrator,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Factor {
    Code(String),
    RecoveryCode(String),
    Vouched,
    VouchedRecoveryCode { matched: bool },
}

/// A token of another system.
#[derive(Clone, Debug)]
pub struct Imported {
    pub key: Rc<Key>,
    pub name: Option<&'static str>,
    pub last: Option<u64>,
    pub drift: Option<i16>,
}

type Attempt = Option<u8>;
type Name = Option<&'static str>;

#[derive(Clone, Debug)]
pub enum Call {
    SignIn {
        cookie: Option<Cookie>,
    },
    SignInWith {
        factor: Option<Factor>,
        cookie: Option<Cookie>,
        key: Attempt,
    },
    Respond {
        session: Shown,
        factor: Factor,
        key: Attempt,
    },
    StepUp {
        grant: Grant,
        factor: Factor,
        key: Attempt,
    },
    FinishSetup {
        session: Shown,
    },
    Check {
        grant: Grant,
        max_age: u64,
    },
    Associate {
        by: By,
        name: Name,
        replacing: Option<TokenId>,
    },
    Verify {
        by: By,
        code: String,
        next: Option<String>,
        name: Name,
        key: Attempt,
    },
    Resynchronise {
        by: By,
        first: String,
        next: String,
    },
    SetEnabled {
        by: By,
        on: bool,
    },
    Prefer {
        by: By,
        preference: Preference,
    },
    Rename {
        by: By,
        token: TokenId,
        name: &'static str,
    },
    Remove {
        by: By,
        token: TokenId,
    },
    Disassociate {
        by: By,
    },
    ForgetBrowsers {
        by: By,
    },
    IssueRecoveryCodes {
        by: By,
    },
    IssueTemporaryCode {
        lifetime: u64,
    },
    Reset {
        mending: bool,
    },
    Unlock,
    Import {
        tokens: Vec<Imported>,
        proven: bool,
        enabled: Option<bool>,
        replacing: bool,
        again: bool,
    },
    Export,
    Remember {
        evidence: usize,
    },
}

impl Call {
    pub fn name(&self) -> &'static str {
        match self {
            Self::SignIn { .. } => "sign_in",
            Self::SignInWith { .. } => "sign_in_with",
            Self::Respond { .. } => "respond",
            Self::StepUp { .. } => "step_up",
            Self::FinishSetup { .. } => "finish_setup",
            Self::Check { .. } => "check",
            Self::Associate { .. } => "associate",
            Self::Verify { .. } => "verify",
            Self::Resynchronise { .. } => "resynchronise",
            Self::SetEnabled { .. } => "set_enabled",
            Self::Prefer { .. } => "prefer",
            Self::Rename { .. } => "rename",
            Self::Remove { .. } => "remove",
            Self::Disassociate { .. } => "disassociate",
            Self::ForgetBrowsers { .. } => "forget_browsers",
            Self::IssueRecoveryCodes { .. } => "issue_recovery_codes",
            Self::IssueTemporaryCode { .. } => "issue_temporary_code",
            Self::Reset { .. } => "reset",
            Self::Unlock => "unlock",
            Self::Import { .. } => "import",
            Self::Export => "export",
            Self::Remember { .. } => "remember",
        }
    }

    pub fn names_its_attempt(&self) -> bool {
        match self {
            Self::Verify { key, .. }
            | Self::Respond { key, .. }
            | Self::SignInWith { key, .. }
            | Self::StepUp { key, .. } => key.is_some(),
            _ => false,
        }
    }

    /// The session that is shown with it.
    pub fn session(&self) -> Option<&Shown> {
        match self {
            Self::Respond { session, .. } | Self::FinishSetup { session } => Some(session),
            _ => match self.by()? {
                By::Session(session) => Some(session),
                By::Grant(_) | By::Administrator => None,
            },
        }
    }

    pub fn by(&self) -> Option<&By> {
        match self {
            Self::Associate { by, .. }
            | Self::Verify { by, .. }
            | Self::Resynchronise { by, .. }
            | Self::SetEnabled { by, .. }
            | Self::Prefer { by, .. }
            | Self::Rename { by, .. }
            | Self::Remove { by, .. }
            | Self::Disassociate { by }
            | Self::ForgetBrowsers { by }
            | Self::IssueRecoveryCodes { by } => Some(by),
            _ => None,
        }
    }

    /// Whether it hands in a code of a token, to be judged.
    pub fn takes_a_code(&self) -> bool {
        match self {
            Self::Verify { .. } | Self::Resynchronise { .. } => true,
            Self::SignInWith { factor, .. } => matches!(factor, Some(Factor::Code(_))),
            Self::Respond { factor, .. } | Self::StepUp { factor, .. } => {
                matches!(factor, Factor::Code(_))
            }
            _ => false,
        }
    }

    /// Whether grants of before and after its success are worth telling apart.
    pub fn moves_a_limit_for_grants(&self) -> bool {
        matches!(
            self,
            Self::Verify { .. }
                | Self::Import { .. }
                | Self::Remove { .. }
                | Self::Disassociate { .. }
                | Self::Reset { .. }
                | Self::SetEnabled { .. }
                | Self::Prefer { .. }
        )
    }
}

/// What the machine drew at random while it answered.
#[derive(Default)]
pub struct Drawn {
    pub key: Option<Rc<Key>>,
    pub ids: Vec<TokenId>,
    /// The codes of a new set, or the temporary one.
    pub codes: Vec<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    pub subject: usize,
    pub context: u8,
    pub method: Method,
    pub token: Option<TokenId>,
    pub token_name: Option<String>,
    pub step: Option<u64>,
    pub at: u64,
    pub first_factor: Option<u64>,
    pub login_id: Option<String>,
    pub amr: Vec<&'static str>,
    pub recovery_codes_left: Option<u32>,
    pub end_other_logins: bool,
}

impl fmt::Debug for Proof {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whose, at) = (SUBJECTS[self.subject], Since(self.at));
        write!(
            formatter,
            "proof of {whose} at {at} in context {}, ",
            self.context
        )?;
        write!(formatter, "{:?} by {}", self.amr, self.method.name())?;
        if let Some(token) = self.token {
            write!(formatter, " {token:?} {:?}", self.token_name)?;
        }
        if let Some(step) = self.step {
            write!(formatter, ", step {step}")?;
        }
        if let Some(first_factor) = self.first_factor {
            write!(formatter, ", first factor at {}", Since(first_factor))?;
        }
        if let Some(id) = &self.login_id {
            write!(formatter, ", {id}")?;
        }
        if let Some(left) = self.recovery_codes_left {
            write!(formatter, ", {left} recovery codes left")?;
        }
        formatter.write_str(if self.end_other_logins {
            ", other logins end"
        } else {
            ""
        })
    }
}

/// What a new session says to its reader.
#[derive(Clone, PartialEq, Eq)]
pub struct Claimed {
    pub subject: usize,
    pub context: u8,
    pub expires: u64,
    pub first_factor: u64,
}

impl fmt::Debug for Claimed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whose, expires) = (SUBJECTS[self.subject], Since(self.expires));
        write!(
            formatter,
            "session of {whose} until {expires} in context {}",
            self.context
        )?;
        write!(formatter, ", first factor at {}", Since(self.first_factor))
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Given {
    NotRequired {
        remembered: bool,
    },
    SoftwareToken {
        session: Claimed,
        names: Vec<String>,
    },
    Setup {
        session: Claimed,
        required_from: Option<u64>,
    },
    FactorRequired {
        names: Vec<String>,
    },
    SetupRequired {
        required_from: Option<u64>,
    },
    Evidence(Proof),
    Issued {
        expires: u64,
        session: Option<Claimed>,
    },
    Enrolled {
        proof: Proof,
        session: Option<Claimed>,
    },
    RecoveryCodes(usize),
    Exported(Vec<Moved>),
    Remembered(bool),
    Done,
}

impl Given {
    pub fn proof(&self) -> Option<&Proof> {
        match self {
            Self::Evidence(proof) | Self::Enrolled { proof, .. } => Some(proof),
            _ => None,
        }
    }
}

/// A token as it is exported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    pub secret: Secret,
    pub totp: Totp,
    pub name: Option<String>,
    pub last: Option<u64>,
    pub drift: i16,
}

/// What a status reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    pub state: State,
    pub tokens: Vec<Kept>,
    pub pending: Option<Waiting>,
    pub preference: Preference,
    pub recovery_codes: u32,
    pub temporary_code_expires: Option<u64>,
    pub failures: u32,
    pub throttled_until: Option<u64>,
    pub locked: bool,
    pub exported: Option<u64>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    pub id: TokenId,
    pub name: Option<String>,
    pub since: u64,
    pub last_used: Option<u64>,
    pub weak: bool,
    pub drift: i16,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    pub id: TokenId,
    pub name: Option<String>,
    pub expires: u64,
    pub replaces: Option<TokenId>,
}

/// An event, as the audit is told it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    pub whose: Option<usize>,
    pub at: u64,
    pub actor: &'static str,
    pub operation: &'static str,
    pub token: Option<(TokenId, Option<String>)>,
    pub kind: EventKind,
}

impl Told {
    pub fn new(whose: Option<usize>, event: &Event) -> Self {
        let token = event.token.as_ref();
        Self {
            whose,
            at: event.at.as_secs(),
            actor: event.actor.name(),
            operation: event.operation,
            token: token.map(|token| (token.id, token.name.as_deref().map(str::to_owned))),
            kind: event.kind.clone(),
        }
    }
}
