//! The oracle: what has been answered so far, and the rules that hold between answers and rows.

use softtoken::Rejection;
use softtoken::association::Method;

use crate::request::{Answer, By, Known, Load, Proven, Typed, Verb};
use crate::row::{Count, Held, Id, View};
use crate::world::{SWAP_ATTEMPTS, THROTTLE};

/// A set of rules.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Rules(u16);

impl Rules {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const STEP_ONCE: Self = Self(1);
    pub(crate) const FLOORS: Self = Self(1 << 1);
    pub(crate) const COUNTED: Self = Self(1 << 2);
    pub(crate) const THROTTLED: Self = Self(1 << 3);
    pub(crate) const DEAD: Self = Self(1 << 4);
    pub(crate) const CODE_ONCE: Self = Self(1 << 5);
    pub(crate) const SESSION_ONCE: Self = Self(1 << 6);
    pub(crate) const BOUNDED: Self = Self(1 << 7);
    pub(crate) const GENERATION: Self = Self(1 << 8);
    pub(crate) const POSSESSION: Self = Self(1 << 9);
    pub(crate) const BROWSER: Self = Self(1 << 10);
    pub(crate) const ONLY_RIGHT: Self = Self(1 << 11);
    pub(crate) const ALL: Self = Self((1 << 12) - 1);

    const NAMES: [(Self, &'static str); 12] = [
        (Self::STEP_ONCE, "no step of a token is accepted twice"),
        (
            Self::FLOORS,
            "a floor never falls, and covers every step that was accepted",
        ),
        (
            Self::COUNTED,
            "as many failures are counted as were answered",
        ),
        (
            Self::THROTTLED,
            "no more is judged than the throttle allows",
        ),
        (
            Self::DEAD,
            "a token that is taken out of force is out, and never accepted again",
        ),
        (
            Self::CODE_ONCE,
            "a recovery or temporary code is accepted once, and not after it died",
        ),
        (
            Self::SESSION_ONCE,
            "a session succeeds once, while what is in force is the same",
        ),
        (
            Self::BOUNDED,
            "a request tries as often as the policy says, and no more",
        ),
        (
            Self::GENERATION,
            "revisions follow each other, and no generation exceeds its revision",
        ),
        (
            Self::POSSESSION,
            "what is in force changes by its possession alone",
        ),
        (
            Self::BROWSER,
            "a remembered browser ends with what it was remembered for",
        ),
        (
            Self::ONLY_RIGHT,
            "only the right code of a token in force is accepted",
        ),
    ];

    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        let named = Self::NAMES.iter().copied();
        named.filter_map(move |(rule, name)| self.meets(rule).then_some(name))
    }

    pub(crate) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn broken_if(&mut self, broken: bool, rule: Self) {
        if broken {
            self.0 |= rule.0;
        }
    }
}

/// What the answers so far amount to, kept without a look at the crate's own account.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Ledger {
    /// Which steps were accepted of which token; by which named attempt, where it was named.
    accepted: Vec<Accepted>,
    /// Tokens that were taken out of force.
    pub(crate) dead: Vec<Id>,
    pub(crate) count: Count,
    /// Recovery and temporary codes that are no longer good.
    dead_codes: Vec<usize>,
    temporary: Option<usize>,
    sessions_ended: Vec<usize>,
    /// How often what is in force has changed.
    pub(crate) changes: u8,
    /// How often remembered browsers were forgotten, for any reason.
    pub(crate) forgotten: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Accepted {
    token: Id,
    step: u64,
    key: Option<[u8; 16]>,
}

/// What has just happened: a request was answered, or would have been if nobody had hung up.
pub(crate) struct Happened<'a> {
    pub(crate) verb: Verb,
    pub(crate) key: Option<[u8; 16]>,
    pub(crate) answer: &'a Answer,
    pub(crate) known: &'a Known,
    pub(crate) loads: &'a [Load],
    pub(crate) before: &'a Held,
    pub(crate) after: &'a Held,
    pub(crate) max_tokens: usize,
}

impl Ledger {
    /// Enters it, and tells which rules it breaks.
    pub(crate) fn enter(&mut self, happened: &Happened<'_>) -> Rules {
        let mut rules = Rules::NONE;
        let (before, after) = (View::of(happened.before), View::of(happened.after));
        let attempts = u32::try_from(happened.loads.len()).unwrap_or(u32::MAX);
        let gave_up = *happened.answer == Answer::Contended;
        rules.broken_if(attempts > SWAP_ATTEMPTS, Rules::BOUNDED);
        rules.broken_if(gave_up && attempts != SWAP_ATTEMPTS, Rules::BOUNDED);

        self.judge(happened, &before, &mut rules);
        self.compare(happened, &before, &after, &mut rules);
        rules.broken_if(after.count != self.count, Rules::COUNTED);
        rules
    }

    /// What is answered, against what was answered before.
    fn judge(&mut self, happened: &Happened<'_>, before: &View, rules: &mut Rules) {
        let last = happened.loads.last().expect("nothing is decided unread");
        match (happened.answer, happened.verb.typed()) {
            (Answer::Proven(proven), Some(typed)) => {
                self.accept(happened, typed, proven, before, last.at, rules);
            }
            (
                Answer::Refused(Rejection::Mismatch),
                None | Some(Typed::Phone(..) | Typed::Wrong),
            ) => {
                self.admit(before, last.at, rules);
                self.fail(last.at);
            }
            (Answer::Done, _) => match happened.verb {
                Verb::Resynchronise { phone, .. } => {
                    self.admit(before, last.at, rules);
                    self.succeed();
                    let id = happened.known.phones[phone].id;
                    let first = happened.loads[0].at / crate::world::PERIOD;
                    for step in [first, first + 1] {
                        self.spend(id, step, None, rules);
                    }
                }
                Verb::Reset | Verb::Unlock => self.count = Count::default(),
                Verb::ForgetBrowsers(_) | Verb::SetEnabled { on: false, .. } => self.forgotten += 1,
                _ => {}
            },
            (Answer::Codes(_), _) => {
                // What a new set takes the place of, and what a new temporary code does.
                let is_set = matches!(happened.verb, Verb::IssueRecoveryCodes(_));
                let given = happened.known.codes.len();
                if is_set {
                    self.dead_codes = (0..given).collect();
                    self.temporary = None;
                } else {
                    self.dead_codes.extend(self.temporary.replace(given));
                }
            }
            (Answer::Ignored { remembered: true }, _) => {
                let epoch = match happened.verb {
                    Verb::SignIn { browser } => browser.map(|at| happened.known.browsers[at].epoch),
                    _ => None,
                };
                // A read: it is as old as what it has loaded, which is the row as it stands.
                rules.broken_if(epoch != Some(self.forgotten), Rules::BROWSER);
            }
            _ => {}
        }
    }

    fn accept(
        &mut self,
        happened: &Happened<'_>,
        typed: Typed,
        proven: &Proven,
        before: &View,
        at: u64,
        rules: &mut Rules,
    ) {
        let is_written = happened.before != happened.after;
        match (typed, proven.method, proven.token.zip(proven.step)) {
            (Typed::Phone(phone, _), Method::SoftwareToken, Some((token, step))) => {
                if !is_written && happened.key.is_some() {
                    let repeated = Accepted {
                        token,
                        step,
                        key: happened.key,
                    };
                    rules.broken_if(!self.accepted.contains(&repeated), Rules::STEP_ONCE);
                    return;
                }
                let enrols = matches!(happened.verb, Verb::Verify { .. });
                let is_shown = happened.known.phones[phone].id == token;
                let is_in_force = before.token(token).is_some();
                rules.broken_if(!is_shown || is_in_force == enrols, Rules::ONLY_RIGHT);
                rules.broken_if(self.dead.contains(&token), Rules::DEAD);
                self.admit(before, at, rules);
                self.succeed();
                self.spend(token, step, happened.key, rules);
            }
            (Typed::Recovery(code), Method::RecoveryCode | Method::TemporaryCode, None) => {
                rules.broken_if(self.dead_codes.contains(&code), Rules::CODE_ONCE);
                self.dead_codes.push(code);
                if self.temporary == Some(code) {
                    self.temporary = None;
                }
                self.count = Count::default();
                self.forgotten += 1;
            }
            _ => rules.broken_if(true, Rules::ONLY_RIGHT),
        }
        if let Verb::Respond { session, .. } = happened.verb {
            let is_over = self.sessions_ended.contains(&session)
                || happened.known.sessions[session].epoch != self.changes;
            rules.broken_if(is_over, Rules::SESSION_ONCE);
            self.sessions_ended.push(session);
        }
    }

    /// Rows follow each other as the answers say.
    fn compare(&mut self, happened: &Happened<'_>, before: &View, after: &View, rules: &mut Rules) {
        let revision = |row: &Held| row.as_ref().map_or(0, |row| row.revision);
        let (earlier, later) = (revision(happened.before), revision(happened.after));
        let is_next = later == earlier || later == earlier + 1;
        rules.broken_if(
            !is_next || after.generation > later || after.generation < before.generation,
            Rules::GENERATION,
        );

        for token in &after.tokens {
            let fell = before
                .token(token.id)
                .is_some_and(|held| held.floor > token.floor);
            let mut accepted = self.accepted.iter().filter(|spent| spent.token == token.id);
            let is_open = accepted.any(|spent| spent.step > token.floor);
            rules.broken_if(fell || is_open, Rules::FLOORS);
            rules.broken_if(self.dead.contains(&token.id), Rules::DEAD);
        }

        let stays = match (happened.answer, happened.verb) {
            (Answer::Done, Verb::Remove { phone, .. }) => {
                after.token(happened.known.phones[phone].id).is_some()
            }
            (Answer::Done, Verb::Disassociate(_) | Verb::Reset) => after.is_verified(),
            // With one token allowed the new one takes the place of the old.
            _ => after.tokens.len() > happened.max_tokens,
        };
        rules.broken_if(stays, Rules::DEAD);

        let left = before
            .tokens
            .iter()
            .filter(|token| after.token(token.id).is_none());
        let left: Vec<Id> = left.map(|token| token.id).collect();
        let came = after
            .tokens
            .iter()
            .any(|token| before.token(token.id).is_none());
        if left.is_empty() && !came {
            return;
        }
        if before.is_verified() {
            let may = match happened.verb.by() {
                Some(by) => self.possesses(by, happened.known, before),
                None => happened.verb == Verb::Reset,
            };
            rules.broken_if(!may, Rules::POSSESSION);
        } else if came {
            self.count = Count::default();
        }
        self.dead.extend(left);
        self.changes += 1;
        self.forgotten += 1;
        // A temporary code ends with any change of what is in force, the set with the last token.
        self.dead_codes.extend(self.temporary.take());
        if !after.is_verified() {
            self.dead_codes = (0..happened.known.codes.len()).collect();
        }
    }

    fn possesses(&self, by: By, known: &Known, before: &View) -> bool {
        let By::Login(index) = by else { return false };
        let login = &known.logins[index];
        match login.token {
            Some(token) => before.token(token).is_some(),
            None => login.taken_out == self.dead.len(),
        }
    }

    fn spend(&mut self, token: Id, step: u64, key: Option<[u8; 16]>, rules: &mut Rules) {
        let is_spent = |spent: &Accepted| spent.token == token && spent.step == step;
        rules.broken_if(self.accepted.iter().any(is_spent), Rules::STEP_ONCE);
        self.accepted.push(Accepted { token, step, key });
    }

    /// That the throttle allows that a code is judged now.
    fn admit(&self, before: &View, at: u64, rules: &mut Rules) {
        let Count {
            streak,
            debt,
            not_before,
        } = self.count;
        let is_locked = before.is_verified()
            && (streak >= THROTTLE.streak_limit || debt >= THROTTLE.debt_limit);
        rules.broken_if(is_locked || at < not_before, Rules::THROTTLED);
    }

    fn fail(&mut self, at: u64) {
        let streak = self.count.streak + 1;
        let wait = match streak.checked_sub(THROTTLE.free) {
            None => 0,
            Some(doublings) => (THROTTLE.base.as_secs() << doublings).min(THROTTLE.cap.as_secs()),
        };
        self.count = Count {
            streak,
            debt: self.count.debt + 1,
            not_before: if wait == 0 { 0 } else { at + wait },
        };
    }

    fn succeed(&mut self) {
        self.count = Count {
            streak: 0,
            debt: self.count.debt.saturating_sub(1),
            not_before: 0,
        };
    }
}
