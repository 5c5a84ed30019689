//! The states and the steps between them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use softtoken::Mfa;
use stateright::{Model, Property};

use crate::ledger::{Happened, Ledger, Rules};
use crate::request::{Answer, Known, Load, Loads, Login, Marked, Ran, Running, Shelf, Verb, Waits};
use crate::row::Held;
use crate::scenario::Scenario;
use crate::world::{PERIOD, START, mfa, policy};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State {
    pub(crate) row: Held,
    /// Which of the scenario's times it is.
    tick: usize,
    clients: Vec<Client>,
    crashes: u8,
    known: Known,
    ledger: Ledger,
    pub(crate) broken: Rules,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Client {
    /// How many requests it has made.
    made: u8,
    request: Option<Request>,
}

/// A request under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Request {
    verb: Verb,
    loads: Loads,
    waits: Waits,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// The clock moves on.
    Tick,
    /// A client makes this request, which loads and decides.
    Begin(usize, Verb),
    /// A request that has lost its race loads again.
    Load(usize),
    /// A request swaps, and is answered where that was stored.
    Swap(usize),
    /// A request swaps, and nobody hears the answer.
    SwapUnheard(usize),
    /// A request is dropped.
    Crash(usize),
}

/// What a step did, for the story of an attack.
pub(crate) struct Told {
    pub(crate) state: State,
    client: Option<(usize, Verb)>,
    what: What,
}

enum What {
    Ticked(u64),
    Decided,
    Conflict,
    Answered(Answer, Heard),
    Crashed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    FromRead,
    Stored,
    Unheard,
}

pub(crate) struct World {
    scenario: Scenario,
    shelf: Shelf,
    /// The rules that end the search when one of them is broken.
    watched: Rules,
    mfa: Mfa,
    seen: Mutex<BTreeSet<(&'static str, &'static str)>>,
}

impl World {
    pub(crate) fn new(
        scenario: Scenario,
        shelf: Shelf,
        watched: Rules,
        swap_attempts: u32,
    ) -> Self {
        let mfa = mfa(policy(scenario.max_tokens, swap_attempts));
        Self {
            scenario,
            shelf,
            watched,
            mfa,
            seen: Mutex::default(),
        }
    }

    /// Which verbs were answered by what.
    pub(crate) fn seen(&self) -> BTreeSet<(&'static str, &'static str)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    fn running<'a>(
        &'a self,
        state: &'a State,
        client: usize,
        verb: Verb,
        loads: &'a [Load],
    ) -> Running<'a> {
        let number = u64::try_from(client).expect("a few clients");
        let made = u64::from(state.clients.get(client).map_or(0, |client| client.made));
        Running {
            mfa: &self.mfa,
            shelf: self.shelf,
            verb,
            label: number << 8 | made,
            key: self.key(client),
            known: &state.known,
            loads,
        }
    }

    fn key(&self, client: usize) -> Option<[u8; 16]> {
        let number = u8::try_from(client).expect("a few clients");
        self.scenario.repeats.then_some([number; 16])
    }

    /// What a step leads to; `None`: nothing of the kind is possible.
    pub(crate) fn step(&self, state: &State, action: Action) -> Option<Told> {
        let now = self.scenario.times[state.tick];
        match action {
            Action::Tick => {
                let mut next = state.clone();
                next.tick += 1;
                let at = *self.scenario.times.get(next.tick)?;
                Some(Told {
                    state: next,
                    client: None,
                    what: What::Ticked(at),
                })
            }
            Action::Begin(client, verb) => {
                let mut next = state.clone();
                next.clients[client].made += 1;
                let row = state.row.clone();
                let loads = vec![Load { row, at: now }];
                Some(self.decide(next, client, verb, loads))
            }
            Action::Load(client) => {
                let mut next = state.clone();
                let Request {
                    verb, mut loads, ..
                } = next.clients[client].request.take()?;
                let row = state.row.clone();
                loads.push(Load { row, at: now });
                Some(self.decide(next, client, verb, loads))
            }
            Action::Swap(client) => self.swap(state, client, Heard::Stored),
            Action::SwapUnheard(client) => self.swap(state, client, Heard::Unheard),
            Action::Crash(client) => {
                let mut next = state.clone();
                next.crashes -= 1;
                let Request { verb, .. } = next.clients[client].request.take()?;
                Some(Told {
                    state: next,
                    client: Some((client, verb)),
                    what: What::Crashed,
                })
            }
        }
    }

    /// It has loaded, and decides: it is answered, or waits for its swap.
    fn decide(&self, mut state: State, client: usize, verb: Verb, loads: Loads) -> Told {
        let Ran { came, row } = {
            let running = self.running(&state, client, verb, &loads);
            running.run(&state.row, false)
        };
        let what = match came {
            Ok(answer) => {
                self.answer(&mut state, client, verb, &loads, &answer, &row, true);
                What::Answered(answer, Heard::FromRead)
            }
            Err(waits) => {
                state.clients[client].request = Some(Request { verb, loads, waits });
                What::Decided
            }
        };
        Told {
            state,
            client: Some((client, verb)),
            what,
        }
    }

    fn swap(&self, state: &State, client: usize, heard: Heard) -> Option<Told> {
        let mut next = state.clone();
        let Request { verb, loads, .. } = next.clients[client].request.take()?;
        let Ran { came, row } = {
            let running = self.running(state, client, verb, &loads);
            running.run(&state.row, true)
        };
        let what = match came {
            Ok(answer) => {
                let is_heard = heard == Heard::Stored;
                if !is_heard {
                    // Only what was stored is worth losing the answer to.
                    if answer == Answer::Contended {
                        return None;
                    }
                    next.crashes -= 1;
                }
                self.answer(&mut next, client, verb, &loads, &answer, &row, is_heard);
                What::Answered(answer, heard)
            }
            Err(_) if heard == Heard::Unheard => return None,
            Err(waits) => {
                next.clients[client].request = Some(Request { verb, loads, waits });
                What::Conflict
            }
        };
        Some(Told {
            state: next,
            client: Some((client, verb)),
            what,
        })
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all that there is to know of an answer"
    )]
    fn answer(
        &self,
        state: &mut State,
        client: usize,
        verb: Verb,
        loads: &[Load],
        answer: &Answer,
        after: &Held,
        is_heard: bool,
    ) {
        let happened = Happened {
            verb,
            key: self.key(client),
            answer,
            known: &state.known,
            loads,
            before: &state.row,
            after,
            max_tokens: self.scenario.max_tokens,
        };
        state.broken = state.broken.and(state.ledger.enter(&happened));
        state.row.clone_from(after);
        // Codes that their owner has not heard of are as good as others.
        if is_heard || matches!(answer, Answer::Codes(_)) {
            self.learn(state, answer);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((verb.name(), answer.name()));
    }

    /// Of each kind, what the scenario can use.
    fn learn(&self, state: &mut State, answer: &Answer) {
        let State { known, ledger, .. } = state;
        match answer {
            Answer::Proven(proven) => {
                let menu = &self.scenario;
                if known.logins.len() < menu.logins {
                    known.logins.push(Login {
                        grant: proven.grant.clone(),
                        token: proven.token,
                        taken_out: ledger.dead.len(),
                    });
                }
                if let Some(text) = &proven.browser
                    && known.browsers.len() < menu.browsers
                {
                    known.browsers.push(Marked {
                        text: text.clone(),
                        epoch: ledger.forgotten,
                    });
                }
            }
            Answer::Asked { session } => {
                if known.sessions.len() < self.scenario.sessions {
                    known.sessions.push(Marked {
                        text: session.clone(),
                        epoch: ledger.changes,
                    });
                }
            }
            Answer::Issued(phone) => known.phones.push(phone.clone()),
            Answer::Codes(codes) => known.codes.extend(codes.iter().cloned()),
            Answer::Ignored { .. } | Answer::Done | Answer::Refused(_) | Answer::Contended => {}
        }
    }

    /// Runs the prelude, one request after the other.
    fn start(&self) -> State {
        let mut state = State {
            row: None,
            tick: 0,
            clients: vec![Client::default(); self.scenario.requests.len()],
            crashes: self.scenario.crashes,
            known: Known::default(),
            ledger: Ledger::default(),
            broken: Rules::NONE,
        };
        let nobody = usize::from(u8::MAX);
        for (number, verb) in (0..).zip(self.scenario.prelude) {
            let at = START - 3 * PERIOD + number;
            let loads = [Load {
                row: state.row.clone(),
                at,
            }];
            let mut running = self.running(&state, nobody, *verb, &loads);
            running.label |= number;
            running.key = None;
            let Ran { came, row } = running.run(&state.row, true);
            let answer = came.expect("nobody is in the way");
            self.answer(&mut state, nobody, *verb, &loads, &answer, &row, true);
        }
        assert_eq!(state.broken, Rules::NONE, "the prelude breaks no rule");
        state
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.tick + 1 < self.scenario.times.len() {
            actions.push(Action::Tick);
        }
        let mut menu = Vec::new();
        (self.scenario.menu)(&state.known, &mut menu);
        for (index, client) in state.clients.iter().enumerate() {
            let Some(request) = &client.request else {
                if client.made < self.scenario.requests[index] {
                    actions.extend(menu.iter().map(|verb| Action::Begin(index, *verb)));
                }
                continue;
            };
            match request.waits {
                Waits::Load => actions.push(Action::Load(index)),
                Waits::Swap => actions.push(Action::Swap(index)),
            }
            if state.crashes > 0 {
                actions.push(Action::Crash(index));
                if request.waits == Waits::Swap {
                    actions.push(Action::SwapUnheard(index));
                }
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.step(state, action).map(|told| told.state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always(KEPT, |world: &Self, state: &State| {
            !state.broken.meets(world.watched)
        })]
    }
}

/// The one property: no rule that is watched is broken.
pub(crate) const KEPT: &str = "every rule is kept";

impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revision = self.state.row.as_ref().map_or(0, |row| row.revision);
        if let Some((client, verb)) = self.client {
            write!(formatter, "client {client}: {verb}: ")?;
        }
        match &self.what {
            What::Ticked(at) => write!(formatter, "the clock moves to {at}"),
            What::Decided => write!(formatter, "loads revision {revision}, and decides"),
            What::Conflict => write!(formatter, "swaps, and has lost its race"),
            What::Crashed => write!(formatter, "is dropped"),
            What::Answered(answer, heard) => {
                let answer = answer.name();
                match heard {
                    Heard::FromRead => write!(formatter, "reads; the answer: {answer}"),
                    Heard::Stored => {
                        write!(
                            formatter,
                            "swaps; revision {revision} is stored, the answer: {answer}"
                        )
                    }
                    Heard::Unheard => {
                        write!(
                            formatter,
                            "swaps; revision {revision} is stored, nobody hears: {answer}"
                        )
                    }
                }
            }
        }
    }
}
