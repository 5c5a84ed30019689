//! Random plans: what is done next, in words that get their meaning from what exists by then.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use softtoken::association::Preference;

use crate::pools::{COGNITO, LOCKING, REQUIRED, VIEWS, WAIVING, pools};

pub const SUBJECTS: [&str; 3] = ["alice", "bob", "carol"];

pub const NAMES: [&str; 3] = ["phone", "", "Ärger mit dem Telefön"];

const EDGES: [Edge; 10] = [
    Edge::Wait,
    Edge::Pending,
    Edge::Session,
    Edge::Debt,
    Edge::Window,
    Edge::Behind,
    Edge::Step,
    Edge::Temporary,
    Edge::Browser,
    Edge::Required,
];

/// What is done to one pool. It prints as a story, a line a move.
#[derive(Clone)]
pub struct Plan {
    pub pool: usize,
    pub seed: u64,
    pub moves: Vec<Move>,
}

#[derive(Clone, Debug)]
pub struct Move {
    pub tick: Tick,
    pub who: usize,
    /// Another view than the one that governs.
    pub under: Option<usize>,
    /// Another context than the one that fits.
    pub context: Option<u8>,
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
    /// The temporary code.
    Temporary,
    /// The browser that was remembered last, by the shorter lifetime.
    Browser,
    /// From when on one of the views requires a second factor.
    Required,
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
    /// Another of the pool's views governs from now on.
    Govern(usize),
    SignIn(Holds),
    SignInWith(Option<Shows>, Holds, Attempt),
    Respond(Pass, Shows, Attempt),
    StepUp(Login, Shows, Attempt),
    FinishSetup(Pass),
    Check(Login, u64),
    Associate(Who, Name, Option<Which>),
    Verify {
        who: Who,
        typed: Typed,
        /// With the code of so many steps later as well.
        next: Option<i64>,
        name: Name,
        key: Attempt,
    },
    Resynchronise(Who, usize, Typed, Typed),
    SetEnabled(Who, bool),
    Prefer(Who, Preference),
    Rename(Who, Which, usize),
    Remove(Who, Which),
    Disassociate(Who),
    ForgetBrowsers(Who),
    IssueRecoveryCodes(Who),
    IssueTemporaryCode(u64),
    Reset {
        mending: bool,
    },
    Unlock,
    Import {
        tokens: Vec<Brought>,
        proven: bool,
        enabled: Option<bool>,
        replacing: bool,
        again: bool,
    },
    /// What was exported last comes back.
    MoveBack {
        replacing: bool,
        again: bool,
    },
    Export,
    /// The browser that showed the evidence of so many ago.
    Remember(usize),
}

pub type Name = Option<usize>;
pub type Attempt = Option<u8>;

#[derive(Clone, Debug)]
pub enum Who {
    Login(Login),
    Session(Pass),
    Administrator,
}

#[derive(Clone, Debug)]
pub struct Login {
    pub by: Shown,
    pub id: Option<u8>,
    /// Another subject's.
    pub stranger: bool,
    /// Kept as bytes in between.
    pub kept: bool,
}

/// What a login has shown.
#[derive(Clone, Debug)]
pub enum Shown {
    FirstFactor(When),
    /// Both times, the first so many seconds before the second.
    Times(When, i64),
    /// The evidence of so many of the subject's ago.
    Evidence(usize),
    /// The same of anybody's.
    AnyEvidence(usize),
}

#[derive(Clone, Debug)]
pub enum When {
    Now,
    Ago(u64),
    Ahead(u64),
    /// As old as the policy allows, and so many seconds younger.
    Stale(i64),
    /// Around a time at which something came into force, was turned off or was reset.
    Moment(usize, i64),
}

/// A challenge session.
#[derive(Clone, Debug)]
pub struct Pass {
    pub pick: Pick,
    /// Whether the handler opens the text, or has kept the value.
    pub opened: bool,
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

/// The cookie of a browser.
#[derive(Clone, Debug)]
pub enum Holds {
    Nothing,
    /// The subject's latest, or so many before it.
    Own(usize),
    Anybodys(usize),
    Forged(usize),
}

#[derive(Clone, Debug)]
pub enum Shows {
    /// A code of the token at this place.
    Code(usize, Typed),
    Recovery(Recovery),
    Vouched,
    VouchedRecoveryCode(bool),
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
    Temporary,
    /// Any that anybody was ever given.
    Old(usize),
    Invented,
}

/// A token.
#[derive(Clone, Debug)]
pub enum Which {
    InForce(usize),
    /// One of anybody's, perhaps gone.
    Any(usize),
    Nobodys,
}

/// A token of another system.
#[derive(Clone, Debug)]
pub struct Brought {
    pub seed: u8,
    pub bytes: usize,
    pub totp: usize,
    pub name: Name,
    pub last: Last,
    pub drift: Option<i16>,
}

#[derive(Clone, Debug)]
pub enum Last {
    Unknown,
    Off(i64),
    /// The time itself.
    Seconds,
    /// All ones.
    MinusOne,
}

pub fn plan(moves: usize) -> impl Strategy<Value = Plan> {
    let pool = prop_oneof![
        6 => 0..pools().len(),
        2 => Just(REQUIRED),
        3 => Just(COGNITO),
        1 => Just(WAIVING),
        1 => Just(LOCKING),
    ];
    // Somebody gets as far as a token, more often than not, or comes with several.
    let opening = prop_oneof![
        6 => vec(honest(Just(0)), 0..8),
        2 => (moves_in(), vec(honest(Just(0)), 0..6))
            .prop_map(|(moves_in, then)| [vec![moves_in], then].concat()),
    ];
    let one = step().prop_map(|step| vec![step]);
    let then = prop_oneof![160 => one, 4 => siege(), 1 => flood()];
    let then = vec(then, 1..moves);
    (pool, any::<u64>(), opening, then).prop_map(|(pool, seed, mut moves, then)| {
        moves.extend(then.into_iter().flatten());
        Plan { pool, seed, moves }
    })
}

/// From another system, with tokens that were not used of late.
fn moves_in() -> impl Strategy<Value = Move> {
    let token = brought().prop_map(|token| Brought {
        last: Last::Off(-3),
        ..token
    });
    vec(token, 1..=3).prop_map(|tokens| {
        let imported = Act::Import {
            tokens,
            proven: true,
            enabled: None,
            replacing: false,
            again: false,
        };
        plain(Tick::Stay, 0, imported)
    })
}

/// In the view that governs and the context that fits.
pub fn plain(tick: Tick, who: usize, act: Act) -> Move {
    Move {
        tick,
        who,
        under: None,
        context: None,
        act,
    }
}

fn step() -> BoxedStrategy<Move> {
    let who = || prop_oneof![12 => Just(0_usize), 2 => Just(1), 1 => Just(2)];
    let soon = prop_oneof![Just(Tick::Stay), (1_u64..40).prop_map(Tick::Ahead)];
    let planned = |(tick, who, act)| plain(tick, who, act);
    let moves = prop_oneof![
        8 => honest(who()),
        3 => (Just(Tick::Around(Edge::Wait, 0)), who(), guess()).prop_map(planned),
        2 => (soon, who(), repeat()).prop_map(planned),
        10 => (tick(), who(), act()).prop_map(planned),
    ];
    let under = prop_oneof![9 => Just(None), 2 => (0..VIEWS).prop_map(Some)];
    let context = prop_oneof![14 => Just(None), 1 => (1_u8..=3).prop_map(Some)];
    (moves, under, context)
        .prop_map(|(step, under, context)| Move {
            under,
            context,
            ..step
        })
        .boxed()
}

/// Guess upon guess, as soon as the throttle allows, while time pays off some of them.
fn siege() -> impl Strategy<Value = Vec<Move>> {
    let tick = prop_oneof![
        6 => Just(Tick::Around(Edge::Wait, 0)),
        1 => (-1_i64..=1).prop_map(|by| Tick::Around(Edge::Debt, by)),
        1 => (20_u64..100).prop_map(Tick::Ahead),
    ];
    let guess = (tick, guess()).prop_map(|(tick, act)| plain(tick, 0, act));
    vec(guess, 4..12)
}

/// As many sign-ins within one session's life as are remembered, and more.
fn flood() -> impl Strategy<Value = Vec<Move>> {
    (60_usize..68).prop_map(|times| {
        let challenged = plain(Tick::Stay, 0, Act::SignIn(Holds::Nothing));
        let vouched = Act::Respond(Pass::fitting(), Shows::Vouched, None);
        let answered = plain(Tick::Stay, 0, vouched);
        vec![[challenged, answered]; times].concat()
    })
}

fn repeat() -> impl Strategy<Value = Act> {
    let earlier = |session| Pass {
        pick: Pick::Earlier(session),
        ..Pass::fitting()
    };
    let finished = move |session| Act::FinishSetup(earlier(session));
    let verified = move |session| Act::Verify {
        who: Who::Session(earlier(session)),
        typed: Typed::Last,
        next: None,
        name: None,
        key: None,
    };
    prop_oneof![
        6 => (0_usize..6).prop_map(Act::Again),
        2 => Just(Act::Retry),
        2 => Just(Act::Elsewhere),
        1 => (0_usize..3).prop_map(finished),
        1 => (0_usize..2).prop_map(verified),
    ]
}

/// What somebody does next who means well.
fn honest(who: impl Strategy<Value = usize>) -> impl Strategy<Value = Move> {
    let tick = prop_oneof![2 => Just(Tick::Stay), 3 => (5_u64..=45).prop_map(Tick::Ahead)];
    (tick, who, 0_usize..8000)
        .prop_map(|(tick, who, choice)| plain(tick, who, Act::Proceed(choice)))
}

/// As soon as the throttle allows.
fn guess() -> BoxedStrategy<Act> {
    let wrong = || (0_u32..1000).prop_map(Typed::Wrong);
    let code = || wrong().prop_map(|typed| Shows::Code(0, typed));
    prop_oneof![
        3 => code().prop_map(|code| Act::SignInWith(Some(code), Holds::Nothing, None)),
        2 => code().prop_map(|code| Act::Respond(Pass::fitting(), code, None)),
        1 => code().prop_map(|code| Act::StepUp(Login::just_now(None), code, None)),
        1 => wrong().prop_map(|typed| Act::Verify {
            who: Who::Administrator,
            typed,
            next: None,
            name: None,
            key: None,
        }),
        1 => Just(Act::Resynchronise(
            Who::Login(Login::just_now(None)),
            0,
            Typed::Off(0),
            Typed::Off(0),
        )),
        1 => Just(Act::Respond(Pass::fitting(), Shows::Recovery(Recovery::Invented), None)),
        1 => Just(Act::SignInWith(
            Some(Shows::VouchedRecoveryCode(false)),
            Holds::Nothing,
            None,
        )),
    ]
    .boxed()
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

fn act() -> BoxedStrategy<Act> {
    let flag = any::<bool>;
    let preference = prop_oneof![
        2 => Just(Preference::Disabled),
        2 => Just(Preference::Enabled),
        1 => Just(Preference::Preferred),
    ];
    let view = prop_oneof![3 => Just(0), 1 => 1..VIEWS];
    let pair = (
        prop_oneof![4 => -6_i64..=6, 1 => -25_i64..=25],
        prop_oneof![9 => Just(1_i64), 1 => -1_i64..=2],
    )
        .prop_map(|(first, on)| (Typed::Off(first), Typed::Off(first + on)));
    let short = Just((Typed::Fresh, Typed::OtherLength));
    let pair = prop_oneof![24 => pair, 2 => (typed(), typed()), 1 => short];
    let pair = (
        prop_oneof![who(), pass().prop_map(Who::Session)],
        0_usize..3,
        pair,
    )
        .prop_map(|(who, of, (first, next))| Act::Resynchronise(who, of, first, next));
    let signs = [
        (holds().prop_map(Act::SignIn)).boxed(),
        (option::weighted(0.8, shows()), holds(), attempt())
            .prop_map(|(shows, holds, key)| Act::SignInWith(shows, holds, key))
            .boxed(),
        (pass(), shows(), attempt())
            .prop_map(|(pass, shows, key)| Act::Respond(pass, shows, key))
            .boxed(),
        (login(), shows(), attempt())
            .prop_map(|(login, shows, key)| Act::StepUp(login, shows, key))
            .boxed(),
        pass().prop_map(Act::FinishSetup).boxed(),
        (login(), prop_oneof![Just(0_u64), 1_u64..400])
            .prop_map(|(login, age)| Act::Check(login, age))
            .boxed(),
        (0_usize..4).prop_map(Act::Remember).boxed(),
    ];
    let [
        sign_in,
        sign_in_with,
        respond,
        step_up,
        finish_setup,
        check,
        remember,
    ] = signs;
    let next = prop_oneof![6 => Just(None), 2 => Just(Some(1)), 1 => (-1_i64..=2).prop_map(Some)];
    let verify = (who(), typed(), next, name(), attempt());
    let manages = prop_oneof![
        5 => (who(), preference).prop_map(|(who, preference)| Act::Prefer(who, preference)),
        2 => (who(), flag()).prop_map(|(who, on)| Act::SetEnabled(who, on)),
        2 => (who(), which(), 0..NAMES.len())
            .prop_map(|(who, which, name)| Act::Rename(who, which, name)),
        3 => (who(), which()).prop_map(|(who, which)| Act::Remove(who, which)),
        2 => who().prop_map(Act::Disassociate),
        1 => who().prop_map(Act::ForgetBrowsers),
        3 => who().prop_map(Act::IssueRecoveryCodes),
    ];
    let administers = prop_oneof![
        3 => (60_u64..4000).prop_map(Act::IssueTemporaryCode),
        2 => prop::bool::weighted(0.3).prop_map(|mending| Act::Reset { mending }),
        1 => Just(Act::Unlock),
        6 => import(),
        1 => Just(Act::Export),
        1 => (flag(), flag())
            .prop_map(|(replacing, again)| Act::MoveBack { replacing, again }),
    ];
    prop_oneof![
        3 => view.prop_map(Act::Govern),
        6 => sign_in,
        8 => sign_in_with,
        8 => respond,
        6 => step_up,
        5 => finish_setup,
        4 => check,
        3 => remember,
        7 => (who(), name(), option::weighted(0.3, which()))
            .prop_map(|(who, name, which)| Act::Associate(who, name, which)),
        9 => verify.prop_map(|(who, typed, next, name, key)| Act::Verify {
            who, typed, next, name, key,
        }),
        6 => pair,
        16 => manages,
        9 => administers,
    ]
    .boxed()
}

/// A token of another system.
fn brought() -> impl Strategy<Value = Brought> {
    let last = prop_oneof![
        5 => Just(Last::Unknown),
        8 => (-3_i64..=4).prop_map(Last::Off),
        1 => Just(Last::Seconds),
        1 => Just(Last::MinusOne),
    ];
    let drift = option::weighted(0.3, prop_oneof![4 => -3_i16..=3, 1 => -121_i16..=121]);
    let bytes = select(&[10_usize, 15, 16, 20, 20, 64, 65, 128]);
    (any::<u8>(), bytes, 0_usize..5, name(), last, drift).prop_map(
        |(seed, bytes, totp, name, last, drift)| Brought {
            seed,
            bytes,
            totp,
            name,
            last,
            drift,
        },
    )
}

fn import() -> BoxedStrategy<Act> {
    let tokens = prop_oneof![
        3 => vec(brought(), 1),
        2 => vec(brought(), 1..=4),
    ];
    let enabled = prop_oneof![2 => Just(None), 1 => any::<bool>().prop_map(Some)];
    let proven = prop::bool::weighted(0.75);
    (
        tokens,
        proven,
        enabled,
        prop::bool::weighted(0.4),
        any::<bool>(),
    )
        .prop_map(|(tokens, proven, enabled, replacing, again)| Act::Import {
            tokens,
            proven,
            enabled,
            replacing,
            again,
        })
        .boxed()
}

fn who() -> BoxedStrategy<Who> {
    prop_oneof![
        10 => login().prop_map(Who::Login),
        4 => pass().prop_map(Who::Session),
        1 => Just(Who::Administrator),
    ]
    .boxed()
}

fn login() -> BoxedStrategy<Login> {
    let by = prop_oneof![
        4 => when().prop_map(Shown::FirstFactor),
        2 => (when(), prop_oneof![Just(0), -40_i64..=400])
            .prop_map(|(when, lag)| Shown::Times(when, lag)),
        6 => Just(Shown::Evidence(0)),
        3 => (0_usize..6).prop_map(Shown::Evidence),
        1 => (0_usize..50).prop_map(Shown::AnyEvidence),
    ];
    let stranger = prop::bool::weighted(0.03);
    (by, option::of(0_u8..3), stranger, any::<bool>())
        .prop_map(|(by, id, stranger, kept)| Login {
            by,
            id,
            stranger,
            kept,
        })
        .boxed()
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        5 => Just(When::Now),
        2 => (1_u64..=400).prop_map(When::Ago),
        1 => prop_oneof![59_u64..=62, 1_u64..=10_000].prop_map(When::Ahead),
        1 => (-1_i64..=1).prop_map(When::Stale),
        3 => (0_usize..4, -1_i64..=1).prop_map(|(moment, by)| When::Moment(moment, by)),
    ]
}

fn pass() -> BoxedStrategy<Pass> {
    let pick = prop_oneof![
        12 => Just(Pick::Fitting),
        5 => (1_usize..5).prop_map(Pick::Earlier),
        3 => (0_usize..4).prop_map(Pick::Recent),
        3 => (0_usize..1000).prop_map(Pick::Recent),
    ];
    let forged = prop_oneof![20 => Just(None), 1 => (0_usize..500).prop_map(Some)];
    (pick, any::<bool>(), forged)
        .prop_map(|(pick, opened, forged)| Pass {
            pick,
            opened,
            forged,
        })
        .boxed()
}

fn holds() -> BoxedStrategy<Holds> {
    prop_oneof![
        5 => Just(Holds::Nothing),
        5 => Just(Holds::Own(0)),
        2 => (1_usize..4).prop_map(Holds::Own),
        1 => (0_usize..20).prop_map(Holds::Anybodys),
        1 => (0_usize..500).prop_map(Holds::Forged),
    ]
    .boxed()
}

fn shows() -> BoxedStrategy<Shows> {
    prop_oneof![
        12 => (0_usize..3, typed()).prop_map(|(of, typed)| Shows::Code(of, typed)),
        4 => recovery().prop_map(Shows::Recovery),
        1 => Just(Shows::Vouched),
        1 => any::<bool>().prop_map(Shows::VouchedRecoveryCode),
    ]
    .boxed()
}

fn typed() -> BoxedStrategy<Typed> {
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
    .boxed()
}

fn recovery() -> impl Strategy<Value = Recovery> {
    prop_oneof![
        4 => (0_usize..10).prop_map(Recovery::Left),
        4 => Just(Recovery::Temporary),
        2 => (0_usize..1000).prop_map(Recovery::Old),
        1 => Just(Recovery::Invented),
    ]
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        8 => (0_usize..3).prop_map(Which::InForce),
        2 => (0_usize..20).prop_map(Which::Any),
        1 => Just(Which::Nobodys),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    option::of(0..NAMES.len())
}

fn attempt() -> impl Strategy<Value = Attempt> {
    option::of(0_u8..2)
}

impl Pass {
    /// The latest that is for this, its text opened.
    pub fn fitting() -> Self {
        Self {
            pick: Pick::Fitting,
            opened: true,
            forged: None,
        }
    }
}

impl Login {
    /// By the password, in this second.
    pub fn just_now(id: Option<u8>) -> Self {
        Self::of(Shown::FirstFactor(When::Now), id)
    }

    pub fn of(by: Shown, id: Option<u8>) -> Self {
        Self {
            by,
            id,
            stranger: false,
            kept: false,
        }
    }
}

impl Brought {
    /// One of those that have the same codes, not used of late.
    pub fn twin() -> Self {
        Self {
            seed: 0,
            bytes: 20,
            totp: 4,
            name: None,
            last: Last::Off(-3),
            drift: None,
        }
    }

    /// Whether it has the codes of every other one.
    pub fn is_twin(&self) -> bool {
        self.seed < 64
    }
}
