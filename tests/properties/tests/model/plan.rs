//! Random plans: what is done next, in words that get their meaning from what exists by then.

use std::rc::Rc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use softtoken::totp::{Algorithm, Digits, Secret, Totp};
use softtoken::{Policy, Preference, Requirement, Throttle};

use crate::reading::{Purpose, Reading, Token};
use crate::rules;
use crate::words::{Bearer, By, Call, Key, Shown};

pub const SUBJECTS: [&str; 3] = ["alice", "bob", "carol"];

const EDGES: [Edge; 7] = [
    Edge::Wait,
    Edge::Pending,
    Edge::Session,
    Edge::Debt,
    Edge::Window,
    Edge::Behind,
    Edge::Step,
];

const NAMES: [&str; 3] = ["phone", "", "Ärger mit dem Telefön"];

#[derive(Clone, Debug)]
pub struct Plan {
    pub pool: usize,
    pub seed: u64,
    pub moves: Vec<Move>,
}

#[derive(Clone, Debug)]
pub struct Move {
    pub tick: Tick,
    pub who: usize,
    pub act: Act,
}

/// Where the clock goes first.
#[derive(Clone, Debug)]
pub enum Tick {
    Stay,
    Ahead(u64),
    Back(u64),
    /// To the latest time there was.
    Forth,
    /// To a second before, at or after a time at which something runs out.
    Around(Edge, i64),
}

/// When something of the subject's runs out.
#[derive(Clone, Copy, Debug)]
pub enum Edge {
    Wait,
    Pending,
    Session,
    Debt,
    /// The window of the last code.
    Window,
    /// The clock is behind before it.
    Behind,
    Step,
}

#[derive(Clone, Debug)]
pub enum Act {
    /// What an honest user might do next.
    Proceed(usize),
    /// The same call as so many calls ago, to the letter.
    Again(usize),
    /// The last call that named its attempt, to the letter.
    Retry,
    /// The last answer to a challenge, to another challenge.
    Elsewhere,
    /// The pool's rules change.
    Govern(usize),
    Associate(Who, Name),
    Verify(Who, Typed, Name, Attempt),
    SignIn(u8),
    Respond(Pass, Typed, Attempt),
    FinishSetup(Pass),
    Authenticate(Typed, Attempt),
    Resynchronise(Who, Typed, Typed),
    Prefer(Who, Preference),
    IssueRecoveryCodes(Who),
    Recover(Recovery, Option<Pass>),
    Disassociate(Who),
    Reset,
    Unlock,
    Import {
        seed: u8,
        totp: usize,
        proven: bool,
        enabled: bool,
        last: Option<i64>,
        name: Name,
    },
}

type Name = Option<usize>;
type Attempt = Option<u8>;

#[derive(Clone, Debug)]
pub enum Who {
    FirstFactor(When, Option<u8>),
    SecondFactor(When, Option<u8>),
    SteppedUp(When, i64, Option<u8>),
    Session(Pass),
    Administrator,
}

#[derive(Clone, Debug)]
pub enum When {
    Now,
    Ago(u64),
    /// As old as the policy allows, and so many seconds younger.
    Stale(i64),
    /// Around a time at which something came into force or was reset.
    Moment(usize, i64),
}

#[derive(Clone, Debug)]
pub struct Pass {
    pub pick: Pick,
    /// `true`: the context it was made in.
    pub expecting: Option<bool>,
    /// The place of a character that is changed.
    pub forged: Option<usize>,
}

#[derive(Clone, Debug)]
pub enum Pick {
    /// The subject's latest that is for this.
    Fitting,
    /// So many before that.
    Earlier(usize),
    /// Of all that were ever issued, so many before the last.
    Recent(usize),
}

#[derive(Clone, Debug)]
pub enum Typed {
    /// The next code that was not accepted yet.
    Fresh,
    /// The last one that would be accepted.
    Late,
    /// What a device shows whose clock is off by so many steps.
    Off(i64),
    /// The code that was accepted last.
    Last,
    /// What another device shows, one that the subject had.
    OldDevice(usize, i64),
    Wrong(u32),
    OtherLength,
}

#[derive(Clone, Debug)]
pub enum Recovery {
    /// One that is left.
    Left(usize),
    /// Any that anybody was ever given.
    Old(usize),
    Invented,
}

pub fn plan(moves: usize) -> impl Strategy<Value = Plan> {
    let pool = prop_oneof![
        6 => 0..pools().len(),
        2 => Just(REQUIRED),
        2 => Just(COGNITO),
        1 => Just(LOCKING),
    ];
    // Somebody gets as far as a token, more often than not.
    let opening = vec(honest(Just(0)), 0..8);
    let one = step().prop_map(|step| vec![step]);
    let then = vec(prop_oneof![40 => one, 1 => siege()], 1..moves);
    (pool, any::<u64>(), opening, then).prop_map(|(pool, seed, mut moves, then)| {
        moves.extend(then.into_iter().flatten());
        Plan { pool, seed, moves }
    })
}

fn step() -> impl Strategy<Value = Move> {
    let who = || prop_oneof![9 => Just(0_usize), 2 => Just(1), 1 => Just(2)];
    let soon = prop_oneof![Just(Tick::Stay), (1_u64..40).prop_map(Tick::Ahead)];
    let planned = |(tick, who, act)| Move { tick, who, act };
    prop_oneof![
        6 => honest(who()),
        3 => (Just(Tick::Around(Edge::Wait, 0)), who(), guess()).prop_map(planned),
        2 => (soon, who(), repeat()).prop_map(planned),
        10 => (tick(), who(), act()).prop_map(planned),
    ]
}

/// Guess upon guess, as soon as the throttle allows, while time pays off some of them.
fn siege() -> impl Strategy<Value = Vec<Move>> {
    let tick = prop_oneof![
        6 => Just(Tick::Around(Edge::Wait, 0)),
        1 => (-1_i64..=1).prop_map(|by| Tick::Around(Edge::Debt, by)),
        1 => (20_u64..100).prop_map(Tick::Ahead),
    ];
    let guess = (tick, guess()).prop_map(|(tick, act)| Move { tick, who: 0, act });
    vec(guess, 4..12)
}

fn repeat() -> impl Strategy<Value = Act> {
    let earlier = |session| Pass {
        pick: Pick::Earlier(session),
        expecting: None,
        forged: None,
    };
    let finished = move |session| Act::FinishSetup(earlier(session));
    prop_oneof![
        6 => (0_usize..6).prop_map(Act::Again),
        2 => Just(Act::Retry),
        2 => Just(Act::Elsewhere),
        1 => (0_usize..3).prop_map(finished),
    ]
}

/// What somebody does next who means well.
fn honest(who: impl Strategy<Value = usize>) -> impl Strategy<Value = Move> {
    let tick = prop_oneof![2 => Just(Tick::Stay), 3 => (5_u64..=45).prop_map(Tick::Ahead)];
    (tick, who, 0_usize..1000).prop_map(|(tick, who, choice)| Move {
        tick,
        who,
        act: Act::Proceed(choice),
    })
}

/// As soon as the throttle allows.
fn guess() -> impl Strategy<Value = Act> {
    let wrong = || (0_u32..1000).prop_map(Typed::Wrong);
    let fitting = || Pass {
        pick: Pick::Fitting,
        expecting: None,
        forged: None,
    };
    prop_oneof![
        3 => wrong().prop_map(|code| Act::Authenticate(code, None)),
        2 => wrong().prop_map(move |code| Act::Respond(fitting(), code, None)),
        1 => wrong().prop_map(|code| Act::Verify(Who::Administrator, code, None, None)),
        1 => Just(Act::Resynchronise(
            Who::FirstFactor(When::Now, None),
            Typed::Off(0),
            Typed::Off(0),
        )),
    ]
}

fn tick() -> impl Strategy<Value = Tick> {
    prop_oneof![
        12 => Just(Tick::Stay),
        8 => (1_u64..=35).prop_map(Tick::Ahead),
        2 => (36_u64..=400).prop_map(Tick::Ahead),
        1 => (400_u64..=100_000).prop_map(Tick::Ahead),
        1 => (1_u64..=90).prop_map(Tick::Back),
        1 => (90_u64..=3_000).prop_map(Tick::Back),
        3 => Just(Tick::Forth),
        8 => (select(&EDGES), -1_i64..=1).prop_map(|(edge, by)| Tick::Around(edge, by)),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let flag = any::<bool>;
    let preference = prop_oneof![
        2 => Just(Preference::Disabled),
        2 => Just(Preference::Enabled),
        1 => Just(Preference::Preferred),
    ];
    let rules = prop_oneof![3 => Just(0), 1 => 1_usize..4];
    let import = (
        any::<u8>(),
        0_usize..4,
        prop::bool::weighted(0.7),
        flag(),
        option::of(-3_i64..=4),
        name(),
    )
        .prop_map(|(seed, totp, proven, enabled, last, name)| Act::Import {
            seed,
            totp,
            proven,
            enabled,
            last,
            name,
        });
    let pair = (
        prop_oneof![4 => -6_i64..=6, 1 => -25_i64..=25],
        prop_oneof![9 => Just(1_i64), 1 => -1_i64..=2],
    )
        .prop_map(|(first, on)| (Typed::Off(first), Typed::Off(first + on)));
    let short = Just((Typed::Fresh, Typed::OtherLength));
    let pair = prop_oneof![24 => pair, 2 => (typed(), typed()), 1 => short];
    prop_oneof![
        3 => rules.prop_map(Act::Govern),
        6 => (who(), name()).prop_map(|(who, name)| Act::Associate(who, name)),
        8 => (who(), typed(), name(), attempt())
            .prop_map(|(who, typed, name, key)| Act::Verify(who, typed, name, key)),
        6 => (0_u8..3).prop_map(Act::SignIn),
        8 => (pass(), typed(), attempt())
            .prop_map(|(pass, typed, key)| Act::Respond(pass, typed, key)),
        7 => pass().prop_map(Act::FinishSetup),
        8 => (typed(), attempt()).prop_map(|(typed, key)| Act::Authenticate(typed, key)),
        6 => (prop_oneof![who(), pass().prop_map(Who::Session)], pair)
            .prop_map(|(who, (first, next))| Act::Resynchronise(who, first, next)),
        4 => (who(), preference).prop_map(|(who, preference)| Act::Prefer(who, preference)),
        3 => who().prop_map(Act::IssueRecoveryCodes),
        4 => (recovery(), option::of(pass())).prop_map(|(code, pass)| Act::Recover(code, pass)),
        3 => who().prop_map(Act::Disassociate),
        1 => Just(Act::Reset),
        1 => Just(Act::Unlock),
        3 => import,
    ]
}

fn who() -> impl Strategy<Value = Who> {
    let id = || option::of(0_u8..3);
    prop_oneof![
        4 => (when(), id()).prop_map(|(when, id)| Who::FirstFactor(when, id)),
        5 => (when(), id()).prop_map(|(when, id)| Who::SecondFactor(when, id)),
        2 => (when(), -40_i64..=400, id())
            .prop_map(|(when, lag, id)| Who::SteppedUp(when, lag, id)),
        4 => pass().prop_map(Who::Session),
        1 => Just(Who::Administrator),
    ]
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        5 => Just(When::Now),
        2 => (1_u64..=400).prop_map(When::Ago),
        1 => (-1_i64..=1).prop_map(When::Stale),
        3 => (0_usize..4, -1_i64..=1).prop_map(|(moment, by)| When::Moment(moment, by)),
    ]
}

fn pass() -> impl Strategy<Value = Pass> {
    let pick = prop_oneof![
        12 => Just(Pick::Fitting),
        5 => (1_usize..5).prop_map(Pick::Earlier),
        3 => (0_usize..4).prop_map(Pick::Recent),
        3 => (0_usize..1000).prop_map(Pick::Recent),
    ];
    let expecting = prop_oneof![6 => Just(None), 3 => Just(Some(true)), 1 => Just(Some(false))];
    let forged = prop_oneof![20 => Just(None), 1 => (0_usize..500).prop_map(Some)];
    (pick, expecting, forged).prop_map(|(pick, expecting, forged)| Pass {
        pick,
        expecting,
        forged,
    })
}

fn typed() -> impl Strategy<Value = Typed> {
    prop_oneof![
        9 => Just(Typed::Fresh),
        2 => Just(Typed::Late),
        6 => (-4_i64..=4).prop_map(Typed::Off),
        2 => (-26_i64..=26).prop_map(Typed::Off),
        3 => Just(Typed::Last),
        2 => (0_usize..4, -1_i64..=1).prop_map(|(device, off)| Typed::OldDevice(device, off)),
        7 => (0_u32..1000).prop_map(Typed::Wrong),
        2 => Just(Typed::OtherLength),
    ]
}

fn recovery() -> impl Strategy<Value = Recovery> {
    prop_oneof![
        4 => (0_usize..10).prop_map(Recovery::Left),
        2 => (0_usize..1000).prop_map(Recovery::Old),
        1 => Just(Recovery::Invented),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    option::of(0..NAMES.len())
}

fn attempt() -> impl Strategy<Value = Attempt> {
    option::of(0_u8..2)
}

const COGNITO: usize = 1;
const REQUIRED: usize = 2;
const LOCKING: usize = 9;

/// What the pools live by, each with what it may be changed to while its users live.
pub fn pools() -> Vec<[Policy; 4]> {
    let seconds = core::time::Duration::from_secs;
    let standard = Policy::builder();
    let cognito = Policy::COGNITO.to_builder();
    let window = |back, forward| softtoken::totp::Window::new(back, forward).unwrap();
    let tight = Throttle {
        free: 1,
        base: seconds(2),
        cap: seconds(5),
        debt_limit: 5,
        debt_decay: seconds(60),
        suspect_at: 2,
    };
    let eight = Totp::new(Algorithm::Sha256, Digits::Eight, seconds(60)).unwrap();
    [
        standard,
        cognito,
        standard.requirement(Requirement::Required),
        standard.requirement(Requirement::Off).throttle(tight),
        standard.learn_drift(true).window(window(2, 1)),
        cognito.learn_drift(true).throttle(tight),
        standard.reauthenticate_within(Some(seconds(60))),
        cognito
            .reauthenticate_within(Some(seconds(120)))
            .name_bytes(9),
        standard.window(window(0, 0)).throttle(tight).name_bytes(0),
        standard
            .learn_drift(true)
            .window(window(1, 6))
            .resynchronise_reach(3)
            .throttle(Throttle {
                debt_limit: 2,
                debt_decay: seconds(3600),
                ..tight
            }),
        cognito
            .requirement(Requirement::Required)
            .pending_lifetime(seconds(60))
            .session_lifetime(seconds(900)),
        standard
            .totp(eight)
            .reauthenticate_within(Some(seconds(300)))
            .throttle(Throttle {
                free: 2,
                debt_decay: seconds(300),
                ..tight
            }),
    ]
    .map(|rules| {
        let optional = rules.requirement(Requirement::Optional);
        [
            rules,
            optional.software_tokens(false),
            rules.requirement(Requirement::Required),
            optional,
        ]
        .map(|rules| rules.build().unwrap())
    })
    .into()
}

/// What has been, for plans to come back to.
#[derive(Default)]
pub struct Past {
    /// The text of every session that was ever issued.
    pub texts: Vec<String>,
    pub latest: u64,
    pub of: [Life; SUBJECTS.len()],
}

#[derive(Default)]
pub struct Life {
    pub keys: Vec<Rc<Key>>,
    pub recovery: Vec<String>,
    pub moments: Vec<u64>,
    pub calls: Vec<Call>,
}

/// A plan's words are spoken here.
pub struct Scene<'a> {
    pub reading: &'a Reading,
    pub past: &'a Past,
    pub now: u64,
    pub who: usize,
}

impl Scene<'_> {
    pub fn time(&self, tick: &Tick) -> u64 {
        match *tick {
            Tick::Stay => self.now,
            Tick::Ahead(seconds) => self.now + seconds,
            Tick::Back(seconds) => self.now - seconds,
            Tick::Forth => self.past.latest,
            Tick::Around(edge, by) => {
                let time = self.edge(edge).unwrap_or(self.now);
                time.checked_add_signed(by).unwrap()
            }
        }
    }

    fn edge(&self, edge: Edge) -> Option<u64> {
        let account = &self.reading.accounts[self.who];
        let policy = &self.reading.policy;
        let token = account.token.as_ref();
        let start = |token: &Token, step: u64| step * token.key.totp.period().as_secs();
        match edge {
            Edge::Wait => Some(account.not_before).filter(|time| *time > self.now),
            Edge::Pending => account.pending.as_ref().map(|pending| pending.expires),
            Edge::Session => {
                let mut tickets = self.reading.tickets.iter().rev();
                let latest = tickets.find(|ticket| ticket.subject == self.who);
                latest.map(|ticket| ticket.expires)
            }
            Edge::Debt => {
                let paid = account.debt_since + policy.throttle().debt_decay.as_secs();
                Some(paid).filter(|_| account.debt > 0)
            }
            Edge::Window => {
                let back = u64::from(policy.window().back());
                token.map(|token| start(token, token.last + back + 1))
            }
            Edge::Behind => token.map(|token| {
                let ahead = token.drift.max(0).unsigned_abs() + 1;
                let forward = u64::from(policy.window().forward());
                start(token, token.last - forward - ahead)
            }),
            Edge::Step => Some(self.now / 30 * 30 + 30),
        }
    }

    /// What that comes to, without a general "what comes next".
    pub fn act(&self, act: &Act) -> Act {
        match act {
            Act::Proceed(choice) => self.proceed(*choice),
            act => act.clone(),
        }
    }

    pub fn call(&self, act: &Act) -> Option<Call> {
        if let Act::Respond(Pass { pick, .. }, ..) = act
            && let Pick::Fitting = pick
            && self.latest(Purpose::SoftwareToken, 0).is_none()
        {
            return Some(Call::SignIn { context: 1 });
        }
        Some(match act {
            Act::Govern(_) | Act::Proceed(_) => return None,
            Act::Again(ago) => {
                let calls = &self.past.of[self.who].calls;
                calls.iter().rev().nth(*ago)?.clone()
            }
            Act::Retry => {
                let mut calls = self.past.of[self.who].calls.iter().rev();
                calls.find(|call| call.names_its_attempt())?.clone()
            }
            Act::Elsewhere => return self.elsewhere(),
            Act::Associate(who, name) => Call::Associate {
                by: self.by(who, Some(Purpose::Setup)),
                name: name.map(|name| NAMES[name]),
            },
            Act::Verify(who, typed, name, key) => Call::Verify {
                by: self.by(who, Some(Purpose::SetupPending(0))),
                code: self.typed(typed, true),
                name: name.map(|name| NAMES[name]),
                key: *key,
            },
            Act::SignIn(context) => Call::SignIn { context: *context },
            Act::Respond(pass, typed, key) => Call::Respond {
                session: self.shown(pass, Some(Purpose::SoftwareToken)),
                code: self.typed(typed, false),
                key: *key,
            },
            Act::FinishSetup(pass) => Call::FinishSetup {
                session: self.shown(pass, Some(Purpose::SetupDone(0))),
            },
            Act::Authenticate(typed, key) => Call::Authenticate {
                code: self.typed(typed, false),
                key: *key,
            },
            Act::Resynchronise(who, first, next) => Call::Resynchronise {
                by: self.by(who, Some(Purpose::SoftwareToken)),
                first: self.typed(first, false),
                next: self.typed(next, false),
            },
            Act::Prefer(who, preference) => Call::Prefer {
                by: self.by(who, None),
                preference: *preference,
            },
            Act::IssueRecoveryCodes(who) => Call::IssueRecoveryCodes {
                by: self.by(who, None),
            },
            Act::Recover(code, pass) => Call::Recover {
                code: self.recovery(code),
                within: pass
                    .as_ref()
                    .map(|pass| self.shown(pass, Some(Purpose::SoftwareToken))),
            },
            Act::Disassociate(who) => Call::Disassociate {
                by: self.by(who, None),
            },
            Act::Reset => Call::Reset,
            Act::Unlock => Call::Unlock,
            Act::Import {
                seed,
                totp,
                proven,
                enabled,
                last,
                name,
            } => {
                let secret: Vec<u8> = (0..20).map(|place| seed ^ place).collect();
                let totp = self.imported(*totp);
                let key = Key::new(&Secret::from_bytes(&secret).unwrap(), totp);
                Call::Import {
                    last: last.map(|last| key.step(self.now).checked_add_signed(last).unwrap()),
                    key,
                    secret,
                    proven: *proven,
                    enabled: *enabled,
                    name: name.map(|name| NAMES[name]),
                }
            }
        })
    }

    fn elsewhere(&self) -> Option<Call> {
        let mut calls = self.past.of[self.who].calls.iter().rev();
        let (mut shown, code, key) = calls.find_map(|call| match call {
            Call::Respond { session, code, key } => Some((session.clone(), code, key)),
            _ => None,
        })?;
        let latest = self.latest(Purpose::SoftwareToken, 0)?;
        if shown.ticket == Some(latest) {
            let context = self.reading.tickets[latest].context;
            return Some(Call::SignIn { context });
        }
        shown.ticket = Some(latest);
        shown.text.clone_from(&self.past.texts[latest]);
        Some(Call::Respond {
            session: shown,
            code: code.clone(),
            key: *key,
        })
    }

    fn proceed(&self, choice: usize) -> Act {
        let account = &self.reading.accounts[self.who];
        let fitting = || Pass {
            pick: Pick::Fitting,
            expecting: None,
            forged: None,
        };
        let live = |kind: Purpose| {
            self.latest(kind, 0).is_some_and(|number| {
                let ticket = &self.reading.tickets[number];
                ticket.generation == account.generation
                    && self.now < ticket.expires
                    && !account.spent.contains(&number)
            })
        };
        let bits = [1, 2, 4].map(|bit| (choice / 100) & bit != 0);
        let id = bits[0].then_some(0);
        let typed = || match choice / 7 % 3 {
            0 => Typed::Late,
            _ => Typed::Fresh,
        };
        let grant = if bits[1] {
            Who::FirstFactor(When::Now, id)
        } else {
            Who::SecondFactor(When::Now, id)
        };
        let mut next = Vec::new();
        let unfinished = account.token.as_ref().is_some_and(|it| it.finishes_sign_in);
        if unfinished && live(Purpose::SetupDone(0)) {
            next.push(Act::FinishSetup(fitting()));
        }
        let required = self.reading.policy.requirement() == Requirement::Required;
        match (&account.token, &account.pending) {
            (None, None) => next.push(if live(Purpose::Setup) {
                Act::Associate(Who::Session(fitting()), None)
            } else if required {
                Act::SignIn(0)
            } else {
                Act::Associate(Who::FirstFactor(When::Now, id), Some(0))
            }),
            (None, Some(pending)) if self.now >= pending.expires => {
                next.push(Act::Associate(Who::FirstFactor(When::Now, id), Some(0)));
            }
            (None, Some(_)) if bits == [true; 3] && required => next.push(Act::Govern(3)),
            (None, Some(_)) if bits == [true; 3] => {
                next.push(Act::Disassociate(Who::FirstFactor(When::Now, id)));
            }
            (None, Some(_)) => next.push(if live(Purpose::SetupPending(0)) {
                Act::Verify(Who::Session(fitting()), typed(), None, id)
            } else {
                Act::Verify(Who::FirstFactor(When::Now, id), typed(), None, id)
            }),
            (Some(_), pending) => {
                if pending.as_ref().is_some_and(|it| self.now < it.expires) {
                    next.push(Act::Verify(grant, typed(), None, id));
                } else {
                    next.push(Act::Associate(grant, None));
                }
                next.push(if live(Purpose::SoftwareToken) {
                    Act::Respond(fitting(), typed(), id)
                } else {
                    Act::SignIn(1)
                });
                if bits[2] {
                    next.push(Act::SignIn(1));
                }
                if bits[2] && required {
                    next.push(Act::Govern(3));
                }
                next.push(Act::Authenticate(typed(), id));
                if self.reading.policy.learn_drift() && bits[0] {
                    let steps = i64::try_from(choice / 10 % 10).unwrap() + 2;
                    let (code, then) = (Typed::Off(steps), Typed::Off(steps + 1));
                    let who = Who::FirstFactor(When::Now, id);
                    next.push(Act::Resynchronise(who, code, then));
                }
                if account.recovery.is_empty() {
                    next.push(Act::IssueRecoveryCodes(Who::SecondFactor(When::Now, id)));
                }
                if account.locked || bits == [true; 3] {
                    next.push(Act::Recover(Recovery::Left(0), None));
                }
                if account.locked {
                    next.push(Act::Recover(Recovery::Left(0), Some(fitting())));
                    next.push(if bits[2] { Act::Unlock } else { Act::Reset });
                }
            }
        }
        next.swap_remove(choice % next.len())
    }

    fn by(&self, who: &Who, kind: Option<Purpose>) -> By {
        let bearer = |at, second, id: &Option<u8>| {
            By::Grant(Bearer {
                at,
                second,
                id: *id,
            })
        };
        match who {
            Who::FirstFactor(when, id) => bearer(self.when(when), None, id),
            Who::SecondFactor(when, id) => bearer(self.when(when), Some(self.when(when)), id),
            Who::SteppedUp(when, lag, id) => {
                let second = self.when(when);
                bearer(second.checked_add_signed(-lag).unwrap(), Some(second), id)
            }
            Who::Session(pass) => By::Session(self.shown(pass, kind)),
            Who::Administrator => By::Administrator,
        }
    }

    fn when(&self, when: &When) -> u64 {
        match *when {
            When::Now => self.now,
            When::Ago(seconds) => self.now - seconds,
            When::Stale(by) => {
                let within = self.reading.policy.reauthenticate_within();
                let oldest = self.now - within.map_or(0, |within| within.as_secs());
                oldest.checked_add_signed(by).unwrap()
            }
            When::Moment(ago, by) => {
                let moment = self.past.of[self.who].moments.iter().rev().nth(ago);
                moment.map_or(self.now, |time| time.checked_add_signed(by).unwrap())
            }
        }
    }

    fn latest(&self, kind: Purpose, before: usize) -> Option<usize> {
        let kind = core::mem::discriminant(&kind);
        let mut fitting = self
            .reading
            .tickets
            .iter()
            .enumerate()
            .filter(|(_, ticket)| {
                ticket.subject == self.who && core::mem::discriminant(&ticket.purpose) == kind
            });
        fitting.nth_back(before).map(|(number, _)| number)
    }

    fn shown(&self, pass: &Pass, kind: Option<Purpose>) -> Shown {
        let tickets = &self.reading.tickets;
        let fitting = |before| kind.and_then(|kind| self.latest(kind, before));
        let recent = |ago| tickets.len().checked_sub(1 + ago % tickets.len().max(1));
        let ticket = match pass.pick {
            Pick::Fitting => fitting(0),
            Pick::Earlier(before) => fitting(before),
            Pick::Recent(ago) => recent(ago),
        }
        .or(recent(0));
        let Some(number) = ticket else {
            return Shown {
                text: "nonsense".into(),
                ticket: None,
                expecting: None,
            };
        };
        let text = self.past.texts[number].clone();
        let context = tickets[number].context;
        Shown {
            text: match pass.forged {
                Some(place) => forge(&text, place),
                None => text,
            },
            ticket: ticket.filter(|_| pass.forged.is_none()),
            expecting: pass
                .expecting
                .map(|right| if right { context } else { context + 1 }),
        }
    }

    fn typed(&self, typed: &Typed, pending: bool) -> String {
        let account = &self.reading.accounts[self.who];
        let pending = account.pending.as_ref().filter(|_| pending);
        let token = account.token.as_ref();
        let keys = &self.past.of[self.who].keys;
        let key = pending.map(|pending| &pending.key);
        let Some(key) = key
            .or(token.map(|token| &token.key))
            .or(account.pending.as_ref().map(|pending| &pending.key))
        else {
            return keys
                .last()
                .map_or("123456".into(), |key| key.code(key.step(self.now)));
        };
        let now = key.step(self.now);
        let off = |key: &Key, steps: i64| key.code(key.step(self.now).saturating_add_signed(steps));
        match typed {
            Typed::Off(steps) => off(key, *steps),
            Typed::OldDevice(ago, steps) => {
                let old = keys.iter().rev().nth(*ago).unwrap_or(key);
                off(old, *steps)
            }
            Typed::Last => key.code(token.map_or(now, |token| token.last)),
            Typed::Fresh | Typed::Late => {
                let (drift, last) = match token.filter(|_| pending.is_none()) {
                    Some(token) => (token.drift, token.last),
                    None => (0, 0),
                };
                let window = rules::window(now, drift, &self.reading.policy);
                let mut new = window.into_iter().filter(|step| *step > last);
                let step = match typed {
                    Typed::Fresh => new.next(),
                    _ => new.next_back(),
                };
                key.code(step.unwrap_or(now))
            }
            Typed::Wrong(number) => {
                let width = usize::from(key.totp.digits().get());
                let steps = now.saturating_sub(30)..=now + 30;
                let right: Vec<String> = steps.map(|step| key.code(step)).collect();
                (*number..number + 100)
                    .map(|number| format!("{number:0width$}"))
                    .find(|code| !right.contains(code))
                    .unwrap()
            }
            Typed::OtherLength => match key.totp.digits() {
                Digits::Six => "1234567".into(),
                Digits::Seven | Digits::Eight => "123456".into(),
            },
        }
    }

    fn recovery(&self, code: &Recovery) -> String {
        let left = &self.reading.accounts[self.who].recovery;
        let all: Vec<&String> = self
            .past
            .of
            .iter()
            .flat_map(|life| &life.recovery)
            .collect();
        let nth = |list: &[&String], number: usize| {
            list.get(number % list.len().max(1))
                .map(|code| (*code).clone())
        };
        match *code {
            Recovery::Left(number) => nth(&left.iter().collect::<Vec<_>>(), number),
            Recovery::Old(number) => nth(&all, number),
            Recovery::Invented => None,
        }
        .unwrap_or_else(|| "0123-4567-89AB-CDEF".into())
    }

    fn imported(&self, number: usize) -> Totp {
        let seconds = core::time::Duration::from_secs;
        let other = |algorithm, digits, period| Totp::new(algorithm, digits, seconds(period));
        match number {
            0 => other(Algorithm::Sha512, Digits::Eight, 60).unwrap(),
            1 => other(Algorithm::Sha256, Digits::Seven, 15).unwrap(),
            _ => self.reading.policy.totp(),
        }
    }
}

/// The same text but for one character.
fn forge(text: &str, place: usize) -> String {
    let place = place % text.len();
    let other = if &text[place..=place] == "b" {
        "c"
    } else {
        "b"
    };
    format!("{}{other}{}", &text[..place], &text[place + 1..])
}
