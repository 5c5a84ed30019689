//! What is explored: who may do what, how often, while the clock goes how.

use crate::request::{By, Known, Typed, Verb};
use crate::world::{PERIOD, START};

/// A few clients, each of which makes a few requests, any that the menu has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// How many requests each client makes.
    pub(crate) requests: &'static [u8],
    /// Where the clock goes.
    pub(crate) times: &'static [u64],
    /// How many requests may be dropped, before their swap or before their answer.
    pub(crate) crashes: u8,
    pub(crate) max_tokens: usize,
    /// What has been answered, one request after the other, an hour before.
    pub(crate) prelude: &'static [Verb],
    /// How much is kept of what is handed out: logins, sessions, browsers.
    pub(crate) logins: usize,
    pub(crate) sessions: usize,
    pub(crate) browsers: usize,
    /// Whether each client names its attempts, all by one key.
    pub(crate) repeats: bool,
    pub(crate) menu: fn(&Known, &mut Vec<Verb>),
    /// How many states there are.
    pub(crate) states: usize,
    /// What has to have been answered somewhere.
    pub(crate) seen: &'static [(&'static str, &'static str)],
}

const PASSWORD: By = By::Password;

const ENROL: [Verb; 2] = [
    Verb::Associate {
        by: PASSWORD,
        replacing: None,
    },
    Verb::Verify {
        by: PASSWORD,
        typed: Typed::Phone(0, 0),
    },
];

const WITH_CODES: [Verb; 3] = [ENROL[0], ENROL[1], Verb::IssueRecoveryCodes(By::Login(0))];

const RIGHT: Typed = Typed::Phone(0, 0);
const NEXT: Typed = Typed::Phone(0, 1);

/// Many requests with one phone's codes: no code twice, no guess for nothing.
fn codes(_: &Known, menu: &mut Vec<Verb>) {
    menu.extend([RIGHT, NEXT, Typed::Wrong].map(Verb::SignInWith));
    menu.push(Verb::Resynchronise {
        by: PASSWORD,
        phone: 0,
    });
}

/// Sign-ins that go their two ways, and answers that are lost and asked for again.
fn sessions(known: &Known, menu: &mut Vec<Verb>) {
    if known.sessions.is_empty() {
        menu.push(Verb::SignIn { browser: None });
    }
    for session in 0..known.sessions.len() {
        for typed in [RIGHT, NEXT, Typed::Wrong, Typed::Recovery(0)] {
            menu.push(Verb::Respond { session, typed });
        }
    }
    menu.push(Verb::SignInWith(RIGHT));
}

/// Tokens come and go: whoever has a grant, of today or stolen, tries everything with it.
fn enrolment(known: &Known, menu: &mut Vec<Verb>) {
    let logins = (0..known.logins.len()).map(By::Login);
    let phones = 0..known.phones.len();
    for by in logins.clone().chain([PASSWORD]) {
        menu.push(Verb::Associate {
            by,
            replacing: None,
        });
        for phone in phones.clone() {
            let typed = Typed::Phone(phone, 0);
            menu.push(Verb::Verify { by, typed });
        }
    }
    for by in logins {
        menu.push(Verb::Disassociate(by));
        for phone in phones.clone() {
            menu.push(Verb::Remove { by, phone });
        }
    }
    for phone in phones {
        menu.push(Verb::SignInWith(Typed::Phone(phone, 1)));
    }
}

fn administration(known: &Known, menu: &mut Vec<Verb>) {
    enrolment(known, menu);
    menu.extend([Verb::Reset, Verb::Unlock]);
    menu.push(Verb::SignInWith(Typed::Wrong));
}

/// A throttle that is raised, waited for, and cleared by all that clears it.
fn guessing(_: &Known, menu: &mut Vec<Verb>) {
    menu.extend([RIGHT, Typed::Wrong, Typed::Recovery(0)].map(Verb::SignInWith));
    menu.push(Verb::Unlock);
}

/// Codes for who has lost the phone.
fn recovery(known: &Known, menu: &mut Vec<Verb>) {
    for code in 0..known.codes.len() {
        menu.push(Verb::SignInWith(Typed::Recovery(code)));
    }
    let by = By::Login(0);
    menu.extend([
        Verb::SignInWith(Typed::WrongRecovery),
        Verb::IssueRecoveryCodes(by),
        Verb::IssueTemporaryCode,
        Verb::Disassociate(by),
    ]);
}

/// Browsers that are remembered, and all that ends them.
fn browsers(known: &Known, menu: &mut Vec<Verb>) {
    for browser in 0..known.browsers.len() {
        menu.push(Verb::SignIn {
            browser: Some(browser),
        });
    }
    let by = By::Login(0);
    menu.extend([
        Verb::SignInWith(RIGHT),
        Verb::SignInWith(Typed::Recovery(0)),
        Verb::ForgetBrowsers(by),
        Verb::SetEnabled { by, on: false },
        Verb::SetEnabled { by, on: true },
    ]);
}

/// What most scenarios have.
const USUAL: Scenario = Scenario {
    name: "",
    requests: &[],
    times: &[START, START + PERIOD],
    crashes: 1,
    max_tokens: 1,
    prelude: &WITH_CODES,
    logins: 2,
    sessions: 1,
    browsers: 0,
    repeats: false,
    menu: codes,
    states: 0,
    seen: &[],
};

/// Every scenario, small enough for every change.
pub(crate) const SMALL: [Scenario; 9] = [
    Scenario {
        name: "codes",
        requests: &[2, 1, 1],
        prelude: &ENROL,
        states: 200_712,
        seen: &[
            ("sign_in_with", "accepted"),
            ("sign_in_with", "contended"),
            ("sign_in_with", "mismatch"),
            ("sign_in_with", "reused"),
            ("sign_in_with", "throttled"),
            ("resynchronise", "done"),
        ],
        ..USUAL
    },
    Scenario {
        name: "sessions",
        requests: &[3, 2],
        menu: sessions,
        states: 71_034,
        seen: &[
            ("respond", "accepted"),
            ("respond", "contended"),
            ("respond", "invalid_session"),
            ("respond", "mismatch"),
            ("respond", "reused"),
        ],
        ..USUAL
    },
    Scenario {
        name: "lost answers",
        requests: &[3, 2],
        crashes: 2,
        repeats: true,
        menu: sessions,
        states: 129_486,
        seen: &[("respond", "accepted"), ("respond", "invalid_session")],
        ..USUAL
    },
    Scenario {
        name: "enrolment",
        requests: &[3, 2],
        times: &[START, START + 2 * PERIOD],
        max_tokens: 2,
        prelude: &[],
        menu: enrolment,
        states: 116_256,
        seen: &[
            ("associate", "second_factor_required"),
            ("associate", "too_many_tokens"),
            ("disassociate", "done"),
            ("remove", "done"),
            ("verify", "accepted"),
            ("verify", "mismatch"),
            ("verify", "second_factor_required"),
        ],
        ..USUAL
    },
    Scenario {
        name: "replacement",
        requests: &[3, 2],
        times: &[START],
        prelude: &ENROL,
        menu: administration,
        states: 486_195,
        seen: &[
            ("remove", "not_authorized"),
            ("remove", "second_factor_required"),
            ("reset", "done"),
            ("verify", "accepted"),
            ("verify", "contended"),
        ],
        ..USUAL
    },
    Scenario {
        name: "guessing",
        requests: &[2, 1, 1],
        times: &[START, START + PERIOD, START + 3 * PERIOD],
        crashes: 0,
        logins: 1,
        menu: guessing,
        states: 561_070,
        seen: &[
            ("sign_in_with", "locked"),
            ("sign_in_with", "throttled"),
            ("unlock", "done"),
        ],
        ..USUAL
    },
    Scenario {
        name: "recovery",
        requests: &[2, 2],
        times: &[START],
        logins: 1,
        menu: recovery,
        states: 78_561,
        seen: &[
            ("issue_recovery_codes", "given codes"),
            ("issue_temporary_code", "given codes"),
            ("sign_in_with", "accepted"),
            ("sign_in_with", "mismatch"),
        ],
        ..USUAL
    },
    Scenario {
        name: "browsers",
        requests: &[2, 2],
        logins: 1,
        sessions: 0,
        browsers: 1,
        menu: browsers,
        states: 89_700,
        seen: &[
            ("forget_browsers", "done"),
            ("sign_in", "asked for a code"),
            ("sign_in", "asked for nothing, the browser is remembered"),
        ],
        ..USUAL
    },
    Scenario {
        name: "clock",
        requests: &[2, 1, 1],
        times: &[START + 3 * PERIOD, START, START + 4 * PERIOD],
        crashes: 0,
        prelude: &ENROL,
        states: 354_231,
        seen: &[
            ("resynchronise", "clock_behind"),
            ("sign_in_with", "clock_behind"),
        ],
        ..USUAL
    },
];

/// The same with more requests, and how many states there are then.
const LARGER: [(&str, &[u8], usize); 9] = [
    ("codes", &[2, 2, 2], 1_967_986),
    ("sessions", &[3, 3], 176_217),
    ("lost answers", &[3, 3], 397_558),
    ("enrolment", &[3, 3], 1_234_471),
    ("replacement", &[3, 3], 3_448_368),
    ("guessing", &[2, 2, 1], 4_904_263),
    ("recovery", &[3, 2], 661_427),
    ("browsers", &[3, 2], 481_612),
    ("clock", &[2, 2, 1], 1_205_558),
];

impl Scenario {
    /// The scenario as large as patience has it.
    pub(crate) fn larger(self) -> Self {
        let larger = LARGER.iter().find(|(name, ..)| *name == self.name);
        let (_, requests, states) = larger.expect("each has a larger one");
        Self {
            requests,
            states: *states,
            ..self
        }
    }
}
