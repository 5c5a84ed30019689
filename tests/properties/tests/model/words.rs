//! What can be asked and answered, in words that the machine and its reading share.
//!
//! Time is in seconds, a subject and a session are their numbers, a code is its text.

use core::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use softtoken::totp::{Secret, Totp, Verifier};
use softtoken::{Method, Preference, State, Step};

/// A secret, as the authenticator that has it knows it.
#[derive(Debug)]
pub struct Key {
    verifier: Verifier,
    pub totp: Totp,
    codes: RefCell<HashMap<u64, String>>,
}

impl Key {
    pub fn new(secret: &Secret, totp: Totp) -> Rc<Self> {
        Rc::new(Self {
            verifier: Verifier::new(secret, totp),
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
        now / self.totp.period().as_secs()
    }
}

#[derive(Clone, Debug)]
pub struct Bearer {
    pub at: u64,
    pub second: Option<u64>,
    pub id: Option<u8>,
}

/// A session as somebody shows it: `ticket` is `None` where the text was tampered with.
#[derive(Clone, Debug)]
pub struct Shown {
    pub text: String,
    pub ticket: Option<usize>,
    pub expecting: Option<u8>,
}

#[derive(Clone, Debug)]
pub enum By {
    Grant(Bearer),
    Session(Shown),
    Administrator,
}

#[derive(Clone, Debug)]
pub enum Call {
    Associate {
        by: By,
        name: Option<&'static str>,
    },
    Verify {
        by: By,
        code: String,
        name: Option<&'static str>,
        key: Option<u8>,
    },
    SignIn {
        context: u8,
    },
    Respond {
        session: Shown,
        code: String,
        key: Option<u8>,
    },
    FinishSetup {
        session: Shown,
    },
    Authenticate {
        code: String,
        key: Option<u8>,
    },
    Resynchronise {
        by: By,
        first: String,
        next: String,
    },
    Prefer {
        by: By,
        preference: Preference,
    },
    IssueRecoveryCodes {
        by: By,
    },
    Recover {
        code: String,
        within: Option<Shown>,
    },
    Disassociate {
        by: By,
    },
    Reset,
    Unlock,
    Import {
        key: Rc<Key>,
        secret: Vec<u8>,
        proven: bool,
        enabled: bool,
        last: Option<u64>,
        name: Option<&'static str>,
    },
}

impl Call {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Associate { .. } => "associate",
            Self::Verify { .. } => "verify",
            Self::SignIn { .. } => "sign_in",
            Self::Respond { .. } => "respond",
            Self::FinishSetup { .. } => "finish_setup",
            Self::Authenticate { .. } => "authenticate",
            Self::Resynchronise { .. } => "resynchronise",
            Self::Prefer { .. } => "prefer",
            Self::IssueRecoveryCodes { .. } => "issue_recovery_codes",
            Self::Recover { .. } => "recover",
            Self::Disassociate { .. } => "disassociate",
            Self::Reset => "reset",
            Self::Unlock => "unlock",
            Self::Import { .. } => "import",
        }
    }

    pub fn names_its_attempt(&self) -> bool {
        match self {
            Self::Verify { key, .. }
            | Self::Respond { key, .. }
            | Self::Authenticate { key, .. } => key.is_some(),
            _ => false,
        }
    }

    /// Whether grants of before and after its success are worth telling apart.
    pub fn moves_a_limit_for_grants(&self) -> bool {
        matches!(
            self,
            Self::Verify { .. } | Self::Import { .. } | Self::Disassociate { .. } | Self::Reset
        )
    }
}

/// What the machine drew at random while it answered.
#[derive(Default)]
pub struct Drawn {
    pub key: Option<Rc<Key>>,
    pub codes: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    pub subject: usize,
    pub context: Option<u8>,
    pub method: Method,
    pub step: Option<u64>,
    pub at: u64,
    pub first_factor: bool,
    pub end_other_sessions: bool,
}

/// What a new session says to whoever reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claimed {
    pub subject: usize,
    pub context: u8,
    pub expires: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Given {
    Issued {
        expires: u64,
        session: Option<Claimed>,
    },
    Enrolled {
        proof: Proof,
        session: Option<Claimed>,
    },
    NotRequired,
    SoftwareToken {
        session: Claimed,
        name: Option<String>,
    },
    Setup {
        session: Claimed,
    },
    Evidence(Proof),
    RecoveryCodes(usize),
    Done,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    pub state: State,
    pub preference: Preference,
    pub recovery_codes: usize,
    pub throttled_until: Option<u64>,
    pub locked: bool,
}
