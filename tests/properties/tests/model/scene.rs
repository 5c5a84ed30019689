//! Where a plan's words get their meaning: from what the reading keeps, and from what has been.

use std::rc::Rc;

use softtoken::association::{Method, Preference};
use softtoken::totp::{Algorithm, Digits, Secret, Totp};
use softtoken::{Requirement, TokenId};

use crate::START;
use crate::plan::{
    Act, Brought, Edge, Holds, Last, Login, Move, NAMES, Pass, Pick, Recovery, SUBJECTS, Shown,
    Shows, Tick, Typed, When, Which, Who,
};
use crate::pools::{OPTIONAL, VIEWS, View};
use crate::reading::{Account, Purpose, Reading, Token};
use crate::rules;
use crate::words::{self, By, Call, Cookie, Factor, Grant, Imported, Key, Moved, ProvedBy};

/// What has been, for plans to come back to.
#[derive(Default)]
pub struct Past {
    /// The text of every session that was ever issued, and of every browser's cookie.
    pub texts: Vec<String>,
    pub cookies: Vec<String>,
    pub latest: u64,
    pub of: [Life; SUBJECTS.len()],
}

#[derive(Default)]
pub struct Life {
    pub keys: Vec<Rc<Key>>,
    pub ids: Vec<TokenId>,
    pub recovery: Vec<String>,
    pub moments: Vec<u64>,
    pub calls: Vec<(u8, Call)>,
    pub exported: Vec<Moved>,
}

/// A plan's words are spoken here.
pub struct Scene<'a> {
    pub reading: &'a Reading,
    pub past: &'a Past,
    pub now: u64,
    pub who: usize,
    pub view: View,
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

    fn account(&self) -> &Account {
        &self.reading.accounts[self.who]
    }

    fn edge(&self, edge: Edge) -> Option<u64> {
        let account = self.account();
        let policy = &self.view.policy;
        let token = account.tokens.iter().max_by_key(|token| token.last_used);
        let start = |token: &Token, step: u64| step * token.key.period();
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
            Edge::Temporary => account.temporary.as_ref().map(|(_, expires)| *expires),
            Edge::Browser => {
                let mut browsers = self.reading.browsers.iter().rev();
                let latest = browsers.find(|browser| browser.subject == self.who);
                latest.map(|browser| browser.issued + self.view.remembers.unwrap_or(3600))
            }
            Edge::Required => Some(START + 400).filter(|time| *time > self.now),
        }
    }

    /// What a move comes to: in which context which call, or which view governs.
    pub fn speak(&self, step: &Move) -> Spoken {
        let act = match &step.act {
            Act::Proceed(choice) => self.proceed(*choice),
            act => act.clone(),
        };
        if let Act::Govern(view) = act {
            return Spoken::Governs(view % VIEWS);
        }
        let (fitting, call) = match &act {
            Act::Again(ago) => self.again(|calls| calls.iter().rev().nth(*ago)),
            Act::Retry => {
                self.again(|calls| calls.iter().rev().find(|call| call.1.names_its_attempt()))
            }
            Act::Elsewhere => (None, self.elsewhere()),
            act => (None, self.call(act)),
        };
        let Some(call) = call else {
            return Spoken::Nothing;
        };
        let fitting = fitting.unwrap_or_else(|| self.fitting_context(&call));
        Spoken::Calls(step.context.unwrap_or(fitting), call)
    }

    /// Where the flow began, or the browser was remembered.
    fn fitting_context(&self, call: &Call) -> u8 {
        let cookie = |cookie: &Option<Cookie>| {
            let number = cookie.as_ref()?.number?;
            Some(self.reading.browsers[number].context)
        };
        let fitting = match call {
            Call::Remember { evidence } => Some(self.reading.proofs[*evidence].proof.context),
            Call::SignIn { cookie: it } | Call::SignInWith { cookie: it, .. } => cookie(it),
            call => call
                .session()
                .and_then(|shown| Some(self.reading.tickets[shown.ticket?].context)),
        };
        fitting.unwrap_or(1)
    }

    fn again<'a>(
        &'a self,
        pick: impl FnOnce(&'a [(u8, Call)]) -> Option<&'a (u8, Call)>,
    ) -> (Option<u8>, Option<Call>) {
        let picked = pick(&self.past.of[self.who].calls);
        (picked.map(|it| it.0), picked.map(|it| it.1.clone()))
    }

    #[expect(clippy::too_many_lines, reason = "a list of the acts")]
    fn call(&self, act: &Act) -> Option<Call> {
        if let Act::Respond(Pass { pick, .. }, ..) = act
            && let Pick::Fitting = pick
            && self.latest(Purpose::SoftwareToken, 0).is_none()
        {
            return Some(Call::SignIn { cookie: None });
        }
        let named = |name: &Option<usize>| name.map(|name| NAMES[name]);
        Some(match act {
            Act::Govern(_) | Act::Proceed(_) | Act::Again(_) | Act::Retry | Act::Elsewhere => {
                return None;
            }
            Act::SignIn(holds) => Call::SignIn {
                cookie: self.cookie(holds),
            },
            Act::SignInWith(shows, holds, key) => Call::SignInWith {
                factor: shows.as_ref().map(|shows| self.factor(shows)),
                cookie: self.cookie(holds),
                key: *key,
            },
            Act::Respond(pass, shows, key) => Call::Respond {
                session: self.shown(pass, Some(Purpose::SoftwareToken)),
                factor: self.factor(shows),
                key: *key,
            },
            Act::StepUp(login, shows, key) => Call::StepUp {
                grant: self.grant(login),
                factor: self.factor(shows),
                key: *key,
            },
            Act::FinishSetup(pass) => Call::FinishSetup {
                session: self.shown(pass, Some(Purpose::SetupDone(nobody(), 0))),
            },
            Act::Check(login, max_age) => Call::Check {
                grant: self.grant(login),
                max_age: *max_age,
            },
            Act::Remember(ago) => {
                let proofs = self.reading.proofs.iter().enumerate().rev();
                let mut own = proofs.filter(|(_, it)| it.proof.subject == self.who);
                Call::Remember {
                    evidence: own.nth(*ago)?.0,
                }
            }
            Act::Associate(who, name, which) => Call::Associate {
                by: self.by(who, Some(Purpose::Setup)),
                name: named(name),
                replacing: which.as_ref().map(|which| self.which(which)),
            },
            Act::Verify {
                who,
                typed,
                next,
                name,
                key,
            } => {
                let code = self.typed(0, typed, true);
                Call::Verify {
                    by: self.by(who, Some(Purpose::SetupPending(nobody()))),
                    next: next.map(|by| self.next_to(&code, by)),
                    code,
                    name: named(name),
                    key: *key,
                }
            }
            Act::Resynchronise(who, of, first, next) => Call::Resynchronise {
                by: self.by(who, Some(Purpose::SoftwareToken)),
                first: self.typed(*of, first, false),
                next: self.typed(*of, next, false),
            },
            Act::SetEnabled(who, on) => Call::SetEnabled {
                by: self.by(who, None),
                on: *on,
            },
            Act::Prefer(who, preference) => Call::Prefer {
                by: self.by(who, None),
                preference: *preference,
            },
            Act::Rename(who, which, name) => Call::Rename {
                by: self.by(who, None),
                token: self.which(which),
                name: NAMES[*name],
            },
            Act::Remove(who, which) => Call::Remove {
                by: self.by(who, None),
                token: self.which(which),
            },
            Act::Disassociate(who) => Call::Disassociate {
                by: self.by(who, None),
            },
            Act::ForgetBrowsers(who) => Call::ForgetBrowsers {
                by: self.by(who, None),
            },
            Act::IssueRecoveryCodes(who) => Call::IssueRecoveryCodes {
                by: self.by(who, None),
            },
            Act::IssueTemporaryCode(lifetime) => Call::IssueTemporaryCode {
                lifetime: *lifetime,
            },
            Act::Reset { mending } => Call::Reset { mending: *mending },
            Act::Unlock => Call::Unlock,
            Act::Export => Call::Export,
            Act::Import {
                tokens,
                proven,
                enabled,
                replacing,
                again,
            } => self.import(tokens, *proven, *enabled, *replacing, *again),
            Act::MoveBack { replacing, again } => {
                let exported = &self.past.of[self.who].exported;
                if exported.is_empty() {
                    return Some(Call::Export);
                }
                let tokens = exported.iter().map(|moved| Imported {
                    key: Key::new(moved.secret.clone(), moved.totp),
                    name: NAMES
                        .into_iter()
                        .find(|it| Some(*it) == moved.name.as_deref()),
                    last: moved.last,
                    drift: Some(moved.drift),
                });
                Call::Import {
                    tokens: tokens.collect(),
                    proven: true,
                    enabled: None,
                    replacing: *replacing,
                    again: *again,
                }
            }
        })
    }

    /// The last answer to a challenge, within another.
    fn elsewhere(&self) -> Option<Call> {
        let mut calls = self.past.of[self.who].calls.iter().rev();
        let (mut shown, factor, key) = calls.find_map(|(_, call)| match call {
            Call::Respond {
                session,
                factor,
                key,
            } => Some((session.clone(), factor, key)),
            _ => None,
        })?;
        let latest = self.latest(Purpose::SoftwareToken, 0)?;
        if shown.ticket == Some(latest) {
            return Some(Call::SignIn { cookie: None });
        }
        shown.ticket = Some(latest);
        shown.text.clone_from(&self.past.texts[latest]);
        Some(Call::Respond {
            session: shown,
            factor: factor.clone(),
            key: *key,
        })
    }

    #[expect(clippy::too_many_lines, reason = "a list of what there is to do")]
    fn proceed(&self, choice: usize) -> Act {
        let account = self.account();
        let live = |kind: Purpose| {
            self.latest(kind, 0).is_some_and(|number| {
                let ticket = &self.reading.tickets[number];
                ticket.generation == account.generation
                    && ticket.is_of(self.now)
                    && !account.spent.contains_key(&number)
            })
        };
        let bits = [1, 2, 4, 8].map(|bit| (choice / 100) & bit != 0);
        let id = bits[0].then_some(0);
        let typed = || match choice / 7 % 3 {
            0 => Typed::Late,
            _ => Typed::Fresh,
        };
        let password = || Who::Login(Login::just_now(id));
        let session = || Who::Session(Pass::fitting());
        let verify = |who| Act::Verify {
            who,
            typed: typed(),
            next: (choice / 11).is_multiple_of(5).then_some(1),
            name: None,
            key: id,
        };
        let setup = Purpose::SetupPending(nobody());
        let required = !matches!(
            self.view.policy.requirement(),
            Requirement::Off | Requirement::Optional
        );
        let pending = account.pending.as_ref();
        let waits = pending.is_some_and(|it| it.waits(self.now));
        let mut next = Vec::new();
        if account.tokens.is_empty() {
            next.push(match (waits, bits) {
                (true, [true, true, true, _]) if required => Act::Govern(OPTIONAL),
                (true, [true, true, true, _]) => Act::Disassociate(password()),
                (true, _) if live(setup) => verify(session()),
                (true, _) => verify(password()),
                (false, _) if live(Purpose::Setup) => Act::Associate(session(), None, None),
                (false, _) if required => Act::SignIn(Holds::Nothing),
                (false, _) => Act::Associate(password(), Some(0), None),
            });
            return next.swap_remove(0);
        }

        let unfinished = account.tokens.iter().any(|it| it.unfinished);
        if unfinished && live(Purpose::SetupDone(nobody(), 0)) {
            next.push(Act::FinishSetup(Pass::fitting()));
        }
        let proofs = self.reading.proofs.iter().rev();
        let mut own = proofs
            .map(|it| &it.proof)
            .filter(|it| it.subject == self.who);
        let shown = own.next().filter(|proof| {
            let in_force = proof.token.is_some_and(|id| account.token(id).is_some());
            (in_force || proof.method != Method::SoftwareToken) && proof.at + 100 > self.now
        });
        let code = || Shows::Code(choice / 13 % 3, typed());
        let possession = if bits[1] {
            password()
        } else if shown.is_some() {
            Who::Login(Login::of(Shown::Evidence(0), id))
        } else {
            return Act::StepUp(Login::just_now(id), code(), id);
        };
        if waits {
            next.push(verify(possession.clone()));
        } else {
            let full = account.tokens.len() >= self.view.policy.max_tokens();
            let which = (full || bits[3]).then_some(Which::InForce(choice / 17 % 3));
            next.push(Act::Associate(possession.clone(), None, which));
        }
        next.push(if live(Purpose::SoftwareToken) {
            Act::Respond(Pass::fitting(), code(), id)
        } else {
            Act::SignIn(Holds::Nothing)
        });
        if bits[2] {
            next.push(Act::SignIn(Holds::Own(0)));
            next.push(Act::Remember(0));
            next.push(Act::SetEnabled(possession.clone(), bits[3]));
            let preference = match account.preference() {
                Preference::Preferred => Preference::Enabled,
                _ => Preference::Preferred,
            };
            next.push(Act::Prefer(possession.clone(), preference));
        }
        if bits[2] && required {
            next.push(Act::Govern(OPTIONAL));
        }
        next.push(Act::SignInWith(Some(code()), Holds::Nothing, id));
        next.push(Act::StepUp(Login::just_now(id), code(), id));
        if self.view.policy.learn_drift() && bits[0] {
            let steps = i64::try_from(choice / 10 % 10).unwrap() + 2;
            let (first, then) = (Typed::Off(steps), Typed::Off(steps + 1));
            next.push(Act::Resynchronise(password(), 0, first, then));
        }
        if account.recovery.is_empty() {
            next.push(Act::IssueRecoveryCodes(possession.clone()));
        } else if bits[3] {
            next.push(Act::IssueTemporaryCode(300));
        }
        if bits == [true, false, true, true] {
            next.push(Act::Remove(possession.clone(), Which::InForce(0)));
            next.push(Act::Rename(possession, Which::InForce(0), 0));
        }
        if account.locked || bits[..3] == [true; 3] {
            let code = Shows::Recovery(if bits[3] {
                Recovery::Temporary
            } else {
                Recovery::Left(0)
            });
            next.push(Act::SignInWith(Some(code), Holds::Nothing, None));
        }
        if account.locked {
            let code = Shows::Recovery(Recovery::Left(0));
            next.push(Act::Respond(Pass::fitting(), code, None));
            next.push(match bits {
                [_, _, true, true] => Act::Unlock,
                [_, _, true, false] => Act::StepUp(Login::just_now(id), Shows::Vouched, None),
                [_, _, false, _] => Act::Reset { mending: bits[3] },
            });
        }
        next.swap_remove(choice % next.len())
    }

    fn by(&self, who: &Who, kind: Option<Purpose>) -> By {
        match who {
            Who::Login(login) => By::Grant(self.grant(login)),
            Who::Session(pass) => By::Session(self.shown(pass, kind)),
            Who::Administrator => By::Administrator,
        }
    }

    fn grant(&self, login: &Login) -> Grant {
        let made = |made: Option<usize>| made.map(|number| self.grant_of(number, login.kept));
        let proofs = &self.reading.proofs;
        let own = |ago: usize| {
            let all = proofs.iter().enumerate().rev();
            let mut own = all.filter(|(_, it)| it.proof.subject == self.who);
            own.nth(ago).map(|(number, _)| number)
        };
        let (first, second) = match &login.by {
            Shown::FirstFactor(when) => (self.when(when), None),
            Shown::Times(when, lag) => {
                let second = self.when(when);
                (second.checked_add_signed(-lag).unwrap(), Some(second))
            }
            Shown::Evidence(ago) => match made(own(*ago)) {
                Some(grant) => return grant,
                None => (self.now, Some(self.now)),
            },
            Shown::AnyEvidence(ago) => {
                let all = proofs.len();
                match made(all.checked_sub(1 + ago % all.max(1))) {
                    Some(grant) => return grant,
                    None => (self.now, None),
                }
            }
        };
        Grant {
            subject: (self.who + usize::from(login.stranger)) % SUBJECTS.len(),
            first,
            second: second.map(|at| (at, ProvedBy::Time)),
            id: login.id.map(|id| format!("login {id}")),
            made_from: None,
            kept: login.kept,
        }
    }

    /// Section 5: of a code it names the token, of any other factor the generation.
    fn grant_of(&self, number: usize, kept: bool) -> Grant {
        let proven = &self.reading.proofs[number];
        let proof = &proven.proof;
        let proved_by = match proof.token {
            Some(id) => ProvedBy::Token(id),
            None => ProvedBy::Generation(proven.generation),
        };
        Grant {
            subject: proof.subject,
            first: proof.first_factor.unwrap_or(proof.at),
            second: Some((proof.at, proved_by)),
            id: proof.login_id.clone(),
            made_from: Some(number),
            kept,
        }
    }

    fn when(&self, when: &When) -> u64 {
        match *when {
            When::Now => self.now,
            When::Ago(seconds) => self.now - seconds,
            When::Ahead(seconds) => self.now + seconds,
            When::Stale(by) => {
                let within = self.view.policy.reauthenticate_within();
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
        let tickets = self.reading.tickets.iter().enumerate();
        let mut fitting = tickets.filter(|(_, ticket)| {
            ticket.subject == self.who && core::mem::discriminant(&ticket.purpose) == kind
        });
        fitting.nth_back(before).map(|(number, _)| number)
    }

    fn shown(&self, pass: &Pass, kind: Option<Purpose>) -> words::Shown {
        let tickets = &self.reading.tickets;
        let fitting = |before| kind.and_then(|kind| self.latest(kind, before));
        let recent = |ago| tickets.len().checked_sub(1 + ago % tickets.len().max(1));
        let ticket = match pass.pick {
            Pick::Fitting => fitting(0),
            Pick::Earlier(before) => fitting(before),
            Pick::Recent(ago) => recent(ago),
        };
        let opened = pass.opened;
        let Some(number) = ticket.or(recent(0)) else {
            return words::Shown {
                ticket: None,
                text: "nonsense".into(),
                opened: true,
            };
        };
        let text = &self.past.texts[number];
        match pass.forged {
            // What does not open, no handler has kept.
            Some(place) => words::Shown {
                ticket: None,
                text: forge(text, place),
                opened: true,
            },
            None => words::Shown {
                ticket: Some(number),
                text: text.clone(),
                opened,
            },
        }
    }

    fn cookie(&self, holds: &Holds) -> Option<Cookie> {
        let browsers = &self.reading.browsers;
        let recent = |ago| browsers.len().checked_sub(1 + ago % browsers.len().max(1));
        let own = |before| {
            let all = browsers.iter().enumerate().rev();
            let mut own = all.filter(|(_, browser)| browser.subject == self.who);
            own.nth(before).map(|(number, _)| number)
        };
        let number = match *holds {
            Holds::Nothing => None,
            Holds::Own(before) => own(before),
            Holds::Anybodys(ago) => recent(ago),
            Holds::Forged(_) => own(0),
        }?;
        let text = &self.past.cookies[number];
        Some(match *holds {
            Holds::Forged(place) => Cookie {
                number: None,
                text: forge(text, place),
            },
            _ => Cookie {
                number: Some(number),
                text: text.clone(),
            },
        })
    }

    fn which(&self, which: &Which) -> TokenId {
        let tokens = &self.account().tokens;
        let all: Vec<TokenId> = self
            .past
            .of
            .iter()
            .flat_map(|life| life.ids.clone())
            .collect();
        match *which {
            Which::InForce(number) => {
                let number = number % tokens.len().max(1);
                tokens.get(number).map(|token| token.id)
            }
            Which::Any(ago) => all.iter().rev().nth(ago % all.len().max(1)).copied(),
            Which::Nobodys => None,
        }
        .unwrap_or_else(nobody)
    }

    fn factor(&self, shows: &Shows) -> Factor {
        match shows {
            Shows::Code(of, typed) => Factor::Code(self.typed(*of, typed, false)),
            Shows::Recovery(code) => Factor::RecoveryCode(self.recovery(code)),
            Shows::Vouched => Factor::Vouched,
            Shows::VouchedRecoveryCode(matched) => {
                Factor::VouchedRecoveryCode { matched: *matched }
            }
        }
    }

    fn typed(&self, of: usize, typed: &Typed, pending: bool) -> String {
        let account = self.account();
        let waiting = account.pending.as_ref();
        let token = account.tokens.get(of % account.tokens.len().max(1));
        let keys = &self.past.of[self.who].keys;
        let key = waiting.filter(|_| pending).map(|pending| &pending.key);
        let Some(key) = key
            .or(token.map(|token| &token.key))
            .or(waiting.map(|pending| &pending.key))
        else {
            return keys
                .last()
                .map_or("123456".into(), |key| key.code(key.step(self.now)));
        };
        let pending = pending && waiting.is_some();
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
                let (drift, last) = match token.filter(|_| !pending) {
                    Some(token) => (token.drift, token.last),
                    None => (0, 0),
                };
                let window = rules::window(now, drift, &self.view.policy);
                let mut new = window.into_iter().filter(|step| *step > last);
                let step = match typed {
                    Typed::Fresh => new.next(),
                    _ => new.next_back(),
                };
                key.code(step.unwrap_or(now))
            }
            Typed::Wrong(number) => {
                let width = usize::from(key.totp.digits().get());
                let tokens = account.tokens.iter().map(|token| &token.key);
                let keys: Vec<_> = tokens.chain(waiting.map(|it| &it.key)).collect();
                let right = |key: &Rc<Key>| {
                    let now = key.step(self.now);
                    (now - 130..=now + 130)
                        .map(|step| key.code(step))
                        .collect::<Vec<_>>()
                };
                let right: Vec<String> = keys.into_iter().flat_map(right).collect();
                (*number..number + 2000)
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

    /// The code of so many steps after this one, of whatever device shows it.
    fn next_to(&self, code: &str, by: i64) -> String {
        let account = self.account();
        let waiting = account.pending.iter().map(|pending| &pending.key);
        let keys = waiting.chain(&self.past.of[self.who].keys);
        for key in keys {
            let now = key.step(self.now);
            let shown = (now - 30..=now + 30).find(|step| key.code(*step) == code);
            if let Some(step) = shown {
                return key.code(step.saturating_add_signed(by));
            }
        }
        code.to_owned()
    }

    fn recovery(&self, code: &Recovery) -> String {
        let account = self.account();
        let left: Vec<&String> = account.recovery.iter().collect();
        let lives = self.past.of.iter();
        let all: Vec<&String> = lives.flat_map(|life| &life.recovery).collect();
        let nth = |list: &[&String], number: usize| {
            list.get(number % list.len().max(1))
                .map(|code| (*code).clone())
        };
        match *code {
            Recovery::Left(number) => nth(&left, number),
            Recovery::Temporary => account.temporary.as_ref().map(|(code, _)| code.clone()),
            Recovery::Old(number) => nth(&all, number),
            Recovery::Invented => None,
        }
        .unwrap_or_else(|| "01234-56789-ABCDE-FGHJK-MNPQR".into())
    }

    fn import(
        &self,
        tokens: &[Brought],
        proven: bool,
        enabled: Option<bool>,
        replacing: bool,
        again: bool,
    ) -> Call {
        // A list that contradicts itself is refused before there is a request.
        let tokens = if proven { tokens } else { &tokens[..1] };
        let tokens = (0..).zip(tokens).map(|(number, token)| {
            let totp = self.imported(token.totp);
            let secret = Secret::from_bytes(&brought_bytes(token, number)).unwrap();
            let key = Key::new(secret, totp);
            let now = key.step(self.now);
            let last = match token.last {
                Last::Unknown => None,
                Last::Off(steps) => now.checked_add_signed(steps),
                Last::Seconds => Some(self.now),
                Last::MinusOne => Some(u64::MAX),
            };
            Imported {
                last: last.filter(|_| proven),
                drift: token.drift.filter(|_| proven),
                key,
                name: token.name.map(|name| NAMES[name]),
            }
        });
        let mut tokens: Vec<Imported> = tokens.collect();
        let mut before: Vec<Vec<u8>> = Vec::new();
        tokens.retain(|token| {
            let secret = token.key.secret.expose().to_vec();
            let new = !before.contains(&secret);
            before.push(secret);
            new
        });
        Call::Import {
            tokens,
            proven,
            enabled: enabled.filter(|_| proven),
            replacing: replacing && proven,
            again,
        }
    }

    fn imported(&self, number: usize) -> Totp {
        let seconds = core::time::Duration::from_secs;
        let other = |algorithm, digits, period| Totp::new(algorithm, digits, seconds(period));
        match number {
            0 => other(Algorithm::Sha512, Digits::Eight, 60).unwrap(),
            1 => other(Algorithm::Sha256, Digits::Seven, 15).unwrap(),
            _ => self.view.policy.totp(),
        }
    }
}

/// A key of its own for each seed; or, for the lowest, keys that are others and have the same
/// codes: HMAC fills a key up with zeros.
fn brought_bytes(token: &Brought, number: u8) -> Vec<u8> {
    if token.is_twin() {
        let zeros = vec![0; usize::from(number)];
        return [vec![7; 20], zeros].concat();
    }
    let seed = token.seed.wrapping_add(number);
    let bytes = (0..token.bytes).map(|place| seed ^ u8::try_from(place).unwrap());
    bytes.collect()
}

/// What a move comes to.
pub enum Spoken {
    Governs(usize),
    Calls(u8, Call),
    Nothing,
}

/// The id of no token.
fn nobody() -> TokenId {
    "ee".repeat(16).parse().unwrap()
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
