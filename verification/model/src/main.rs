//! Every interleaving of a few requests at one record.
//!
//! The requests are the real ones, run by the real loop (`Request::run`) on a store that answers
//! when the model says so. What is explored is in [`scenario`], what has to hold in [`ledger`].
//! Prints a line a scenario and a line a negative control: a store or a machine that is wrong in
//! one way, in which the attack has to be found.
//!
//! `model`: in a minute. `model --large`: more requests of each client. `model --stories`: every
//! attack of the controls, step by step. Other arguments are names of scenarios, or `controls`.

mod ledger;
mod model;
mod request;
mod row;
mod scenario;
mod world;

use std::process::ExitCode;
use std::time::Instant;

use stateright::{Checker as _, Model as _};

use ledger::Rules;
use model::{KEPT, World};
use request::Shelf;
use scenario::{SMALL, Scenario};
use world::SWAP_ATTEMPTS;

fn main() -> ExitCode {
    let (flags, names): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--"));
    let is_said = |flag: &str| flags.iter().any(|said| said == flag);
    let is_named = |name: &str| names.is_empty() || names.iter().any(|named| named == name);
    let mut good = true;
    for scenario in SMALL {
        if is_named(scenario.name) {
            good &= keeps_its_rules(if is_said("--large") {
                scenario.larger()
            } else {
                scenario
            });
        }
    }
    for control in &CONTROLS {
        let mut small = SMALL.into_iter();
        if let Some(scenario) = small.find(|scenario| scenario.name == control.scenario)
            && is_named("controls")
        {
            good &= control.is_found_out(scenario, is_said("--stories"));
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A store or a machine that is wrong in one way, and the rule that this breaks.
struct Control {
    what: &'static str,
    scenario: &'static str,
    shelf: Shelf,
    swap_attempts: u32,
    rule: Rules,
    /// Whether to print the attack.
    story: bool,
}

const BLIND: &str = "a store that does not compare";

const CONTROLS: [Control; 13] = [
    control(BLIND, "codes", Shelf::Blind, Rules::STEP_ONCE).told(),
    control(
        "a machine without the floor",
        "codes",
        Shelf::Floorless,
        Rules::STEP_ONCE,
    )
    .told(),
    control(
        "a store that loses refusals",
        "guessing",
        Shelf::Lossy,
        Rules::COUNTED,
    )
    .told(),
    control(BLIND, "codes", Shelf::Blind, Rules::FLOORS),
    control(BLIND, "guessing", Shelf::Blind, Rules::THROTTLED),
    control(BLIND, "replacement", Shelf::Blind, Rules::DEAD),
    control(BLIND, "recovery", Shelf::Blind, Rules::CODE_ONCE),
    control(BLIND, "sessions", Shelf::Blind, Rules::SESSION_ONCE),
    control(BLIND, "codes", Shelf::Blind, Rules::GENERATION),
    control(BLIND, "enrolment", Shelf::Blind, Rules::POSSESSION),
    control(BLIND, "browsers", Shelf::Blind, Rules::BROWSER),
    control(BLIND, "replacement", Shelf::Blind, Rules::ONLY_RIGHT),
    control(
        "a loop that tries once more",
        "codes",
        Shelf::Right,
        Rules::BOUNDED,
    )
    .once_more(),
];

const fn control(what: &'static str, scenario: &'static str, shelf: Shelf, rule: Rules) -> Control {
    Control {
        what,
        scenario,
        shelf,
        swap_attempts: SWAP_ATTEMPTS,
        rule,
        story: false,
    }
}

impl Control {
    const fn told(mut self) -> Self {
        self.story = true;
        self
    }

    const fn once_more(mut self) -> Self {
        self.swap_attempts += 1;
        self
    }

    /// Looks for the attack, the shortest first.
    fn is_found_out(&self, scenario: Scenario, stories: bool) -> bool {
        let (what, rule) = (self.what, self.rule.names().collect::<String>());
        let world = World::new(scenario, self.shelf, self.rule, self.swap_attempts);
        let checker = world.checker().spawn_bfs().join();
        let Some(path) = checker.discovery(KEPT) else {
            println!("model: {what}: NOT FOUND OUT: {rule}");
            return false;
        };
        let actions = path.into_actions();
        println!(
            "model: {what}: found out in {} steps: not \"{rule}\"",
            actions.len()
        );
        if self.story || stories {
            tell(checker.model(), &actions);
        }
        true
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn keeps_its_rules(scenario: Scenario) -> bool {
    let began = Instant::now();
    let (name, states, seen) = (scenario.name, scenario.states, scenario.seen);
    let world = World::new(scenario, Shelf::Right, Rules::ALL, SWAP_ATTEMPTS);
    let checker = world.checker().threads(threads()).spawn_dfs().join();
    if let Some(path) = checker.discovery(KEPT) {
        println!("model: {name}: a rule is broken");
        tell(checker.model(), &path.into_actions());
        return false;
    }
    let found = checker.unique_state_count();
    println!(
        "model: {name}: {found} states, {} steps, at most {} deep, {:.1} s",
        checker.state_count(),
        checker.max_depth(),
        began.elapsed().as_secs_f64(),
    );
    let answered = checker.model().seen();
    let missing: Vec<_> = seen
        .iter()
        .filter(|pair| !answered.contains(pair))
        .collect();
    if !missing.is_empty() {
        println!("model: {name}: nowhere answered: {missing:?}");
    }
    if states != found {
        println!("model: {name}: {states} states were expected");
    }
    missing.is_empty() && states == found
}

/// Prints what happened, a line a step.
fn tell(world: &World, actions: &[model::Action]) {
    let mut state = world.init_states().remove(0);
    for action in actions {
        let Some(told) = world.step(&state, *action) else {
            return;
        };
        println!("    {told}");
        state = told.state;
    }
    for rule in state.broken.names() {
        println!("    broken: {rule}");
    }
}
