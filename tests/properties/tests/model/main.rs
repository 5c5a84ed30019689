//! Whatever happens in whatever order, the machine answers as a naive reading of the
//! specification does.
//!
//! `reading` is that reading, by its `rules`; `machine` is the real thing; `plan` is what is done
//! to both, in `words` that they share and that get their meaning in a `scene`; `laws` hold
//! whatever the reading says. A plan that fails is made as small as it can be, and told as a
//! `story`. `PROPTEST_CASES` asks for more plans than the usual 256.
#![expect(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "one test in several files, which a failing step fails"
)]

mod laws;
mod machine;
mod plan;
mod pools;
mod reading;
mod rules;
mod scene;
mod story;
mod ways;
mod words;

use core::cell::RefCell;
use core::fmt::{Debug, Write as _};
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseResult, TestRng, TestRunner};
use softtoken::association::EventKind;
use softtoken::{Event, Rejection, TokenId};

use laws::{Laws, Row, Seen};
use machine::{Failure, Gave, Machine};
use plan::{
    Act, Brought, Edge, Holds, Login, Move, Pass, Plan, SUBJECTS, Shows, Tick, Typed, When, Which,
    Who,
};
use pools::{SEVERAL, View, pools};
use reading::{Answer, Asked, Reading};
use scene::{Past, Scene, Spoken};
use ways::WAYS;
use words::{Call, Given, Since, Told};

/// 2023-11-14T22:13:35Z, within a step.
const START: u64 = 1_700_000_015;
const MOVES: usize = 60;

/// How often each operation was answered in each of its ways.
type Reached = BTreeMap<(&'static str, String), u32>;

#[test]
fn any_sequence_is_answered_as_the_specification_reads() {
    let config = ProptestConfig {
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    };
    run(TestRunner::new(config));
}

#[test]
fn every_operation_is_granted_and_refused_in_each_of_its_ways() {
    let config = ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    let reached = run(TestRunner::new_with_rng(config, rng));

    let ways = WAYS.iter().flat_map(|(operation, ways)| {
        ways.split_whitespace()
            .map(move |way| (*operation, way.to_owned()))
    });
    let missed: Vec<_> = ways.filter(|way| !reached.contains_key(way)).collect();
    assert!(missed.is_empty(), "missed {missed:?} of {reached:#?}");
}

/// What chance tells too seldom.
#[test]
fn stories_that_matter_are_answered_as_the_specification_reads() {
    let password = || Who::Login(Login::just_now(None));
    let evidence = || Who::Login(Login::of(plan::Shown::Evidence(0), None));
    let bare = || Login::of(plan::Shown::Times(When::Now, 0), None);
    let fresh = || Shows::Code(0, Typed::Fresh);
    let enrol = || {
        let verify = Act::Verify {
            who: password(),
            typed: Typed::Fresh,
            next: None,
            name: None,
            key: None,
        };
        let associate = Act::Associate(password(), None, None);
        [(Tick::Stay, associate), (Tick::Stay, verify)]
    };
    let sign_in = |key| Act::SignInWith(Some(fresh()), Holds::Nothing, key);
    let now = Act::SignInWith(Some(Shows::Code(0, Typed::Off(0))), Holds::Nothing, None);
    let twins = |count| Act::Import {
        tokens: vec![Brought::twin(); count],
        proven: true,
        enabled: None,
        replacing: false,
        again: false,
    };
    let stories = [
        // A second factor of before the clock went back outlives no token that has proven it.
        [
            enrol().to_vec(),
            vec![
                (
                    Tick::Ahead(100),
                    Act::StepUp(Login::just_now(None), fresh(), None),
                ),
                (Tick::Back(90), Act::Disassociate(Who::Administrator)),
            ],
            enrol().to_vec(),
            vec![(Tick::Forth, Act::Check(bare(), 60))],
        ],
        // No answer is given again to remember a browser that was forgotten.
        [
            enrol().to_vec(),
            vec![(Tick::Ahead(60), sign_in(Some(0)))],
            vec![
                (Tick::Stay, Act::ForgetBrowsers(evidence())),
                (Tick::Stay, Act::Retry),
            ],
            vec![
                (Tick::Stay, Act::Remember(0)),
                (Tick::Stay, Act::SignIn(Holds::Own(0))),
            ],
        ],
        // Of two keys with the same codes, a code that one has accepted is spent for the other.
        [
            vec![(Tick::Stay, twins(2))],
            vec![(Tick::Stay, now.clone()), (Tick::Ahead(30), now.clone())],
            vec![(Tick::Stay, now)],
            Vec::new(),
        ],
    ];
    for story in stories {
        let moves = story.concat().into_iter();
        let plan = Plan {
            pool: SEVERAL,
            seed: 0,
            moves: moves.map(|(tick, act)| plan::plain(tick, 0, act)).collect(),
        };
        if let Err(failure) = Pair::new(&plan).live(&plan, &mut Reached::new()) {
            panic!("{failure}");
        }
    }
}

/// Somebody has to read it when it fails.
#[test]
fn a_plan_reads_as_a_story_of_a_line_a_move() {
    let pass = Pass {
        opened: false,
        ..Pass::fitting()
    };
    let by = |by| Who::Login(Login::of(by, Some(2)));
    let moves = [
        (
            Tick::Stay,
            Act::Associate(by(plan::Shown::FirstFactor(When::Now)), Some(0), None),
        ),
        (Tick::Ahead(5), Act::Govern(2)),
        (
            Tick::Around(Edge::Pending, -1),
            Act::Verify {
                who: Who::Session(pass),
                typed: Typed::Fresh,
                next: Some(1),
                name: None,
                key: Some(1),
            },
        ),
        (Tick::Back(90), Act::SignIn(Holds::Own(0))),
        (
            Tick::Forth,
            Act::Remove(by(plan::Shown::Evidence(0)), Which::InForce(1)),
        ),
    ];
    let mut moves = moves.map(|(tick, act)| plan::plain(tick, 0, act)).to_vec();
    moves[3].under = Some(4);
    let plan = Plan {
        pool: 0,
        seed: 7,
        moves,
    };
    assert_eq!(
        format!("{plan:?}"),
        "pool 0 (seed 7): Optional, at most 1 tokens, window 1+1, enables on verify, fresh within \
         Some(900s), remembers browsers for Some(3600), locked by 100 in a row or a debt of 100
  1. alice associates \"phone\" by the password of now in login 2
  2. 5 s later view 2 governs
  3. -1 s from when the pending secret expires, alice verifies by the session (kept open) with the \
         next code and the code +1 from it (attempt 1)
  4. the clock goes back 90 s; alice signs in, with the browser's cookie, under view 4
  5. the clock is right again; alice removes token 1 by the last evidence in login 2
"
    );
}

fn run(mut runner: TestRunner) -> Reached {
    let reached = RefCell::default();
    let result = runner.run(&plan::plan(MOVES), |plan| {
        Pair::new(&plan).live(&plan, &mut reached.borrow_mut())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    reached.into_inner()
}

/// The machine and its reading, side by side.
struct Pair {
    views: [View; pools::VIEWS],
    governed_by: usize,
    machine: Machine,
    reading: Reading,
    past: Past,
    laws: Laws,
    now: u64,
    /// What has happened, a line a call.
    story: String,
}

impl Pair {
    fn new(plan: &Plan) -> Self {
        let views = pools()[plan.pool];
        Self {
            machine: Machine::new(&views, plan.seed),
            reading: Reading::new(SUBJECTS.len()),
            past: Past::default(),
            laws: Laws::default(),
            views,
            governed_by: 0,
            now: START,
            story: String::new(),
        }
    }

    /// Both do what is planned, and what they say is compared after every move.
    fn live(&mut self, plan: &Plan, reached: &mut Reached) -> TestCaseResult {
        for (number, step) in (1..).zip(&plan.moves) {
            if let Err(TestCaseError::Fail(what)) = self.do_both(number, step, reached) {
                let story = self.named(&format!("{what}\n\nWhat happened:\n{}", self.story));
                return Err(TestCaseError::fail(story));
            }
        }
        Ok(())
    }

    fn do_both(&mut self, number: usize, step: &Move, reached: &mut Reached) -> TestCaseResult {
        let who = step.who;
        let view = step.under.unwrap_or(self.governed_by);
        let mut scene = Scene {
            reading: &self.reading,
            past: &self.past,
            now: self.now,
            who,
            view: self.views[view],
        };
        let now = scene.time(&step.tick).max(START / 2);
        scene.now = now;
        let spoken = scene.speak(step);
        self.machine.set(now);
        self.now = now;
        self.past.latest = self.past.latest.max(now);
        let (context, call) = match spoken {
            Spoken::Nothing => return Ok(()),
            Spoken::Governs(view) => {
                self.governed_by = view;
                return Ok(());
            }
            Spoken::Calls(context, call) => (context, call),
        };

        let before = Row::read(self.machine.row(who).as_ref());
        let after = Since(now);
        let subject = SUBJECTS[who];
        let _ = write!(
            self.story,
            "{number:>3}. {after}, {subject}, view {view}, context {context}: {call:?}"
        );
        let called = self.machine.call(view, context, who, &call);
        let (given, gave) = match called {
            Ok(gave) => (Ok(gave.given.clone().unwrap()), gave),
            Err(failure) => (Err(failure), Gave::default()),
        };
        let given = said(given)?;
        let told = self.machine.told();
        self.tell(&given, &told);

        let asked = Asked {
            who,
            now,
            view: &self.views[view],
            context,
            call: &call,
        };
        let Gave {
            drawn,
            session,
            cookie,
            ..
        } = gave;
        let life = &mut self.past.of[who];
        life.keys.extend(drawn.key.clone());
        life.ids.extend(drawn.ids.clone());
        life.recovery.extend(drawn.codes.clone());
        let read = self.reading.answer(asked, drawn);
        let Answer { reply, events, way } = read;
        let granted = reply.is_ok();
        agree("the answer", &given, &waits(reply, &events, now))?;
        legible(&told)?;
        let told: Vec<Told> = told.into_iter().map(|(told, _)| told).collect();
        agree("the events", &sorted(&told), &sorted(&events))?;
        for (other, name) in SUBJECTS.iter().enumerate() {
            let standing = self.machine.standing(view, other);
            let read = self.reading.standing(other, now);
            agree(&format!("the status of {name}"), &standing, &read)?;
        }
        self.past.texts.extend(session);
        self.past.cookies.extend(cookie);
        agree(
            "the number of sessions",
            &self.past.texts.len(),
            &self.reading.tickets.len(),
        )?;
        agree(
            "the number of cookies",
            &self.past.cookies.len(),
            &self.reading.browsers.len(),
        )?;

        self.laws.hold(&Seen {
            call: &call,
            policy: &self.views[view].policy,
            reply: given.as_ref().map_err(|(rejection, _)| *rejection),
            told: &told,
            before: &before,
            after: &Row::read(self.machine.row(who).as_ref()),
        })?;
        self.keep(who, context, call, &given, granted);
        *reached
            .entry((asked_name(&self.past, who), way))
            .or_default() += 1;
        Ok(())
    }

    /// For later moves to come back to.
    fn keep(&mut self, who: usize, context: u8, call: Call, given: &Said, granted: bool) {
        let life = &mut self.past.of[who];
        if let Call::Import { tokens, .. } = &call {
            life.keys
                .extend(tokens.iter().map(|token| token.key.clone()));
        }
        if let Ok(Given::Exported(tokens)) = given {
            life.exported.clone_from(tokens);
        }
        let proves = given.as_ref().is_ok_and(|given| given.proof().is_some());
        if granted && (proves || call.moves_a_limit_for_grants()) {
            life.moments.push(self.now);
        }
        life.calls.push((context, call));
    }

    fn tell(&mut self, given: &Said, told: &[(Told, Event)]) {
        let names: Vec<_> = told.iter().map(|(_, event)| event.name()).collect();
        let _ = match given {
            Ok(given) => write!(self.story, " -> {given:?}"),
            Err((rejection, None)) => write!(self.story, " -> NO, {}", rejection.name()),
            Err((rejection, Some(wait))) => {
                write!(self.story, " -> NO, {}, wait {wait} s", rejection.name())
            }
        };
        let _ = writeln!(self.story, " {names:?}");
    }

    /// With the tokens numbered, in place of their ids.
    fn named(&self, text: &str) -> String {
        let lives = self.past.of.iter();
        let ids: Vec<TokenId> = lives.flat_map(|life| life.ids.clone()).collect();
        let mut text = text.to_owned();
        for (number, id) in ids.iter().enumerate() {
            text = text.replace(&format!("TokenId({id})"), &format!("token {number}"));
        }
        text.replace(&format!("TokenId({})", "ee".repeat(16)), "nobody's token")
    }
}

fn asked_name(past: &Past, who: usize) -> &'static str {
    past.of[who]
        .calls
        .last()
        .map_or("", |(_, call)| call.name())
}

fn agree<T: PartialEq + Debug>(what: &str, machine: &T, reading: &T) -> TestCaseResult {
    if machine == reading {
        return Ok(());
    }
    Err(TestCaseError::fail(format!(
        "{what}\nmachine: {machine:?}\nreading: {reading:?}"
    )))
}

/// The answer, with the seconds that a refusal says to wait.
type Said = Result<Given, (Rejection, Option<u64>)>;

fn said(given: Result<Given, Failure>) -> Result<Said, TestCaseError> {
    let failure = match given {
        Ok(given) => return Ok(Ok(given)),
        Err(failure) => failure,
    };
    let Some(rejection) = failure.rejection() else {
        return Err(TestCaseError::fail(format!("a failure: {failure:?}")));
    };
    let wait = failure.retry_after().map(|wait| wait.as_secs());
    Ok(Err((rejection, wait)))
}

fn waits(reply: Result<Given, Rejection>, events: &[Told], now: u64) -> Said {
    let throttled = events.iter().find_map(|told| match told.kind {
        EventKind::Throttled { until } => Some(until),
        _ => None,
    });
    reply.map_err(|rejection| {
        let until = match rejection {
            Rejection::Throttled { until } => Some(until),
            _ => throttled,
        };
        (rejection, until.map(|until| until.as_secs() - now))
    })
}

/// As JSON, an event is one flat object that says its name.
fn legible(told: &[(Told, Event)]) -> TestCaseResult {
    for (_, event) in told {
        let written = serde_json::to_value(event).unwrap();
        let fields = written.as_object().unwrap();
        let nested = fields.values().find(|it| it.is_object() || it.is_array());
        agree("what an event holds", &nested, &None)?;
        let field = |name: &str| written[name].as_str();
        agree("the name", &field("name"), &Some(event.name()))?;
        agree("the operation", &field("operation"), &Some(event.operation))?;
        agree("the actor", &field("actor"), &Some(event.actor.name()))?;
    }
    Ok(())
}

/// What happens at once has no order.
fn sorted(events: &[Told]) -> Vec<String> {
    let mut events: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
    events.sort();
    events
}
