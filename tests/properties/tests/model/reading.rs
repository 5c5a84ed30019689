//! What a server answers by the letter of the specification: what is kept for a subject, and the
//! operations of section 4.

use std::collections::HashMap;
use std::rc::Rc;

use softtoken::association::{EventKind, Method, Preference, SessionFlaw, State};
use softtoken::{Policy, Rejection, Requirement, TokenId, UnixTime};

use crate::pools::View;
use crate::rules::kept;
use crate::words::{
    By, Call, Cookie, Drawn, Factor, Given, Grant, Imported, Kept, Key, Moved, Proof, Shown,
    Standing, Told, Waiting,
};

#[derive(Default)]
pub struct Reading {
    pub accounts: Vec<Account>,
    /// Every session that was ever issued.
    pub tickets: Vec<Ticket>,
    /// Every evidence that was ever given.
    pub proofs: Vec<Proven>,
    /// Every browser that was ever remembered.
    pub browsers: Vec<Browser>,
}

/// Section 3: what is kept for a subject.
#[derive(Clone, Debug, Default)]
pub struct Account {
    pub tokens: Vec<Token>,
    pub pending: Option<Pending>,
    pub generation: u64,
    /// Generation and time of the last change that took a token out of force.
    pub factors_from: Option<(u64, u64)>,
    pub ever_verified: bool,
    pub streak: u32,
    pub debt: u32,
    pub debt_since: u64,
    pub suspicion: u32,
    pub not_before: u64,
    pub locked: bool,
    pub preference: Option<Preference>,
    pub asked: bool,
    pub off_from: u64,
    pub recovery: Vec<String>,
    pub temporary: Option<(String, u64)>,
    pub wrong: u32,
    /// Sessions that succeeded, and when they run out.
    pub spent: HashMap<usize, u64>,
    pub grants_from: u64,
    pub browsers_from: u64,
    pub exported: Option<u64>,
    pub last_answer: Option<LastAnswer>,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub id: TokenId,
    pub key: Rc<Key>,
    pub since: u64,
    pub proved_by: Option<String>,
    pub last: u64,
    pub last_used: Option<u64>,
    pub drift: i64,
    pub name: Option<String>,
    /// The set-up mark: the sign-in that set it up may still be completed.
    pub unfinished: bool,
}

#[derive(Clone, Debug)]
pub struct Pending {
    pub id: TokenId,
    pub key: Rc<Key>,
    pub expires: u64,
    pub name: Option<String>,
    pub replaces: Option<TokenId>,
}

#[derive(Clone, Debug)]
pub struct Ticket {
    pub subject: usize,
    pub context: u8,
    pub purpose: Purpose,
    pub generation: u64,
    pub expires: u64,
    pub first_factor: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    Setup,
    SetupPending(TokenId),
    SetupDone(TokenId, u64),
    SoftwareToken,
}

/// An evidence, with what it carries for grants and for browsers.
#[derive(Clone, Debug)]
pub struct Proven {
    pub proof: Proof,
    pub generation: u64,
    pub browsers_from: u64,
}

#[derive(Clone, Debug)]
pub struct Browser {
    pub subject: usize,
    pub context: u8,
    pub generation: u64,
    pub browsers_from: u64,
    pub token: TokenId,
    pub issued: u64,
}

/// A success that named its attempt.
#[derive(Clone, Debug)]
pub struct LastAnswer {
    pub attempt: Attempt,
    pub generation: u64,
    /// The last step in which the code would have been in the window, and the period of its steps.
    pub last_step: u64,
    pub period: u64,
    pub proven: Proven,
}

/// Key, operation, session, context and codes.
pub type Attempt = (u8, &'static str, Option<usize>, u8, Vec<String>);

pub struct Answer {
    pub reply: Result<Given, Rejection>,
    pub events: Vec<Told>,
    /// Which of several ways led there, for the count of what was reached.
    pub way: String,
}

/// No: what is said, and what only the event tells.
pub struct No {
    pub rejection: Rejection,
    pub flaw: Option<SessionFlaw>,
}

impl From<Rejection> for No {
    fn from(rejection: Rejection) -> Self {
        let flaw = None;
        Self { rejection, flaw }
    }
}

impl From<SessionFlaw> for No {
    fn from(flaw: SessionFlaw) -> Self {
        Self {
            rejection: Rejection::InvalidSession,
            flaw: Some(flaw),
        }
    }
}

/// A request: whose, when, in which view.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub who: usize,
    pub now: u64,
    pub view: &'a View,
    pub context: u8,
    pub call: &'a Call,
}

impl Reading {
    pub fn new(subjects: usize) -> Self {
        Self {
            accounts: vec![Account::default(); subjects],
            ..Self::default()
        }
    }

    pub fn answer(&mut self, asked: Asked<'_>, drawn: Drawn) -> Answer {
        let mut turn = Turn {
            who: asked.who,
            now: asked.now,
            policy: asked.view.policy,
            remembers: asked.view.remembers,
            context: asked.context,
            call: asked.call,
            account: &mut self.accounts[asked.who],
            tickets: &mut self.tickets,
            proofs: &mut self.proofs,
            browsers: &mut self.browsers,
            events: Vec::new(),
            way: String::new(),
        };
        let reply = match turn.open() {
            Ok(()) => turn.answer(drawn),
            Err(rejection) => return turn.refused(rejection),
        };
        if let Err(No { rejection, flaw }) = reply {
            if !matches!(rejection, Rejection::Reused | Rejection::ClockBehind) {
                turn.event(EventKind::Refused { rejection, flaw });
            }
            if rejection == Rejection::Locked {
                turn.event(EventKind::Locked);
            }
            let said = flaw.map_or(rejection.name(), SessionFlaw::name);
            turn.way = format!("{said}{}", turn.way);
        }
        Answer {
            reply: reply.map_err(|no| no.rejection),
            events: turn.events,
            way: turn.way,
        }
    }

    pub fn standing(&self, who: usize, now: u64) -> Standing {
        let account = &self.accounts[who];
        let pending = account.pending.as_ref().filter(|it| it.waits(now));
        let pending = pending.map(|it| Waiting {
            id: it.id,
            name: it.name.clone(),
            expires: it.expires,
            replaces: it.replaces,
        });
        let locked = account.locked && !account.tokens.is_empty();
        Standing {
            state: match (account.tokens.is_empty(), &pending) {
                (false, _) => State::Verified,
                (true, Some(_)) => State::Pending,
                (true, None) => State::Unassociated,
            },
            tokens: account.tokens.iter().map(Token::kept).collect(),
            pending,
            preference: account.preference(),
            recovery_codes: u32::try_from(account.recovery.len()).unwrap(),
            temporary_code_expires: account.temporary(now).map(|(_, expires)| *expires),
            failures: account.streak,
            throttled_until: (now < account.not_before && !locked).then_some(account.not_before),
            locked,
            exported: account.exported,
        }
    }
}

impl Account {
    /// An answer from before is not given again, nor a set-up from before completed: its evidence
    /// would be one to remember.
    pub fn forget_browsers(&mut self) {
        self.browsers_from += 1;
        self.last_answer = None;
        for token in &mut self.tokens {
            token.unfinished = false;
        }
    }

    pub fn preference(&self) -> Preference {
        self.preference.unwrap_or(Preference::Disabled)
    }

    pub fn token(&self, id: TokenId) -> Option<&Token> {
        self.tokens.iter().find(|token| token.id == id)
    }

    /// The temporary code, while it has not ended, and could have been issued by a right clock.
    pub fn temporary(&self, now: u64) -> Option<&(String, u64)> {
        self.temporary
            .as_ref()
            .filter(|(_, expires)| now < *expires && *expires <= now + 7 * 86_400 + 60)
    }
}

impl Pending {
    /// That it has not ended, and could have been issued by a right clock.
    pub fn waits(&self, now: u64) -> bool {
        now < self.expires && self.expires <= now + 86_400 + 60
    }
}

impl Ticket {
    /// That it has not ended, and is of no time to come.
    pub fn is_of(&self, now: u64) -> bool {
        now < self.expires && self.first_factor <= now + 60
    }
}

impl Token {
    fn kept(&self) -> Kept {
        Kept {
            id: self.id,
            name: self.name.clone(),
            since: self.since,
            last_used: self.last_used,
            weak: self.key.is_weak(),
            drift: i16::try_from(self.drift).unwrap(),
        }
    }
}

/// One call.
pub struct Turn<'a> {
    pub who: usize,
    pub now: u64,
    pub policy: Policy,
    /// For how long this view remembers a browser, if it does.
    pub remembers: Option<u64>,
    pub context: u8,
    pub call: &'a Call,
    pub account: &'a mut Account,
    pub tickets: &'a mut Vec<Ticket>,
    pub proofs: &'a mut Vec<Proven>,
    pub browsers: &'a mut Vec<Browser>,
    pub events: Vec<Told>,
    pub way: String,
}

/// What a sign-in asks for.
enum Asks {
    Nothing,
    Remembered,
    Factor,
    Setup(Option<u64>),
}

/// Section 4: signing in.
impl Turn<'_> {
    fn answer(&mut self, drawn: Drawn) -> Result<Given, No> {
        match self.call {
            Call::SignIn { cookie } => Ok(self.sign_in(cookie.as_ref())),
            Call::SignInWith {
                factor,
                cookie,
                key,
            } => self.sign_in_with(factor.as_ref(), cookie.as_ref(), *key),
            Call::Respond {
                session,
                factor,
                key,
            } => self.respond(session, factor, *key),
            Call::StepUp { grant, factor, key } => self.step_up(grant, factor, *key),
            Call::FinishSetup { session } => self.finish_setup(session),
            Call::Check { grant, max_age } => self.check(grant, *max_age),
            Call::Remember { evidence } => Ok(self.remember_browser(*evidence)),
            Call::Associate {
                by,
                name,
                replacing,
            } => self.associate(by, *name, *replacing, drawn),
            Call::Verify {
                by,
                code,
                next,
                name,
                key,
            } => self.verify(by, code, next.as_deref(), *name, *key),
            Call::Resynchronise { by, first, next } => self.resynchronise(by, first, next),
            Call::SetEnabled { by, on: true } => self.set_enabled(by),
            Call::SetEnabled { by, on: false } => self.prefer(by, Preference::Disabled),
            Call::Prefer { by, preference } => self.prefer(by, *preference),
            Call::Rename { by, token, name } => self.rename(by, *token, name),
            Call::Remove { by, token } => self.remove(by, *token),
            Call::Disassociate { by } => self.disassociate(by),
            Call::ForgetBrowsers { by } => self.forget_browsers(by),
            Call::IssueRecoveryCodes { by } => self.issue_recovery_codes(by, drawn),
            Call::IssueTemporaryCode { lifetime } => self.issue_temporary_code(*lifetime, drawn),
            Call::Reset { mending } => Ok(self.reset(*mending)),
            Call::Unlock => Ok(self.unlock()),
            Call::Import {
                tokens,
                proven,
                enabled,
                replacing,
                again,
            } => {
                self.may_import(tokens, *replacing, *again)?;
                Ok(self.import(tokens, *proven, *enabled, *replacing, drawn))
            }
            Call::Export => self.export(),
        }
    }

    fn asks(&mut self, cookie: Option<&Cookie>) -> Asks {
        let verified = !self.account.tokens.is_empty();
        if verified && self.is_asked_for() {
            return match self.remembered(cookie) {
                None => Asks::Factor,
                Some(token) => {
                    self.event_about(EventKind::BrowserAccepted, token);
                    Asks::Remembered
                }
            };
        }
        match self.policy.requirement() {
            Requirement::Required if !verified => Asks::Setup(None),
            Requirement::RequiredFrom(from) if !verified => {
                Asks::Setup(Some(from.as_secs()).filter(|from| self.now < *from))
            }
            _ => Asks::Nothing,
        }
    }

    /// Whether a sign-in in this view asks for the token that is in force, by the table.
    pub fn is_asked_for(&self) -> bool {
        let enabled = self.account.preference().is_enabled();
        !self.account.tokens.is_empty()
            && match self.policy.requirement() {
                Requirement::Off => false,
                Requirement::Optional => enabled,
                Requirement::Required => true,
                Requirement::RequiredFrom(from) => enabled || self.now >= from.as_secs(),
            }
    }

    /// Whether the policy requires a second factor by now.
    fn requires(&self) -> bool {
        match self.policy.requirement() {
            Requirement::Off | Requirement::Optional => false,
            Requirement::Required => true,
            Requirement::RequiredFrom(from) => self.now >= from.as_secs(),
        }
    }

    fn names(&self) -> Vec<String> {
        let tokens = self.account.tokens.iter();
        tokens.filter_map(|token| token.name.clone()).collect()
    }

    fn sign_in(&mut self, cookie: Option<&Cookie>) -> Given {
        match self.asks(cookie) {
            Asks::Nothing => {
                self.way("not_required");
                Given::NotRequired { remembered: false }
            }
            Asks::Remembered => {
                self.way("remembered");
                Given::NotRequired { remembered: true }
            }
            Asks::Factor => {
                self.way("challenge");
                let names = self.names();
                let expires = self.session_end(self.now);
                let session = self.issue(Purpose::SoftwareToken, expires, self.now);
                Given::SoftwareToken { session, names }
            }
            Asks::Setup(required_from) => {
                self.way(if required_from.is_some() {
                    "setup_from"
                } else {
                    "setup"
                });
                let expires = self.session_end(self.now);
                let session = self.issue(Purpose::Setup, expires, self.now);
                Given::Setup {
                    session,
                    required_from,
                }
            }
        }
    }

    fn sign_in_with(
        &mut self,
        factor: Option<&Factor>,
        cookie: Option<&Cookie>,
        key: Option<u8>,
    ) -> Result<Given, No> {
        if let Some(factor) = factor {
            if !self.account.tokens.is_empty() {
                return self.accept(factor, None, self.now, None, key);
            }
            self.event(EventKind::FactorIgnored);
        }
        let ignored = if factor.is_some() { "_ignored" } else { "" };
        let (way, given) = match self.asks(cookie) {
            Asks::Nothing => ("not_required", Given::NotRequired { remembered: false }),
            Asks::Remembered => ("remembered", Given::NotRequired { remembered: true }),
            Asks::Factor => {
                let names = self.names();
                ("factor_required", Given::FactorRequired { names })
            }
            Asks::Setup(required_from) => {
                ("setup_required", Given::SetupRequired { required_from })
            }
        };
        self.way(&format!("{way}{ignored}"));
        Ok(given)
    }

    fn respond(&mut self, shown: &Shown, factor: &Factor, key: Option<u8>) -> Result<Given, No> {
        let ticket = self.session(shown, |it| it == Purpose::SoftwareToken)?;
        let first_factor = ticket.first_factor;
        self.accept(factor, Some((shown, &ticket)), first_factor, None, key)
    }

    fn step_up(&mut self, grant: &Grant, factor: &Factor, key: Option<u8>) -> Result<Given, No> {
        self.grant(grant)?;
        self.accept(factor, None, grant.first, grant.id.as_deref(), key)
    }

    fn finish_setup(&mut self, shown: &Shown) -> Result<Given, No> {
        let ticket = self.session(shown, |it| matches!(it, Purpose::SetupDone(..)))?;
        self.alive(shown, &ticket)?;
        let Purpose::SetupDone(id, step) = ticket.purpose else {
            unreachable!()
        };
        let token = self.account.token(id).unwrap();
        let since = token.since;
        if !token.unfinished {
            return Err(SessionFlaw::Spent.into());
        }
        if self.now >= self.session_end(since) || since > self.now + 60 {
            return Err(SessionFlaw::Expired.into());
        }
        let mut tokens = self.account.tokens.iter_mut();
        let finished = tokens.find(|token| token.id == id).unwrap();
        finished.unfinished = false;
        self.way("done");
        let method = Method::SoftwareToken;
        let failures = 0;
        self.event_about(EventKind::SignedIn { method, failures }, id);
        let proof = Proof {
            token: Some(id),
            step: Some(step),
            at: since,
            ..self.proof(method, Some(ticket.first_factor), None)
        };
        Ok(self.evidence(proof))
    }

    fn check(&mut self, grant: &Grant, max_age: u64) -> Result<Given, No> {
        self.grant(grant)?;
        self.possession(grant, Some(max_age))?;
        self.way(if self.account.tokens.is_empty() {
            "first_factor"
        } else {
            "possession"
        });
        Ok(Given::Done)
    }
}

/// Section 4: setting up and managing.
impl Turn<'_> {
    fn associate(
        &mut self,
        by: &By,
        name: Option<&str>,
        replacing: Option<TokenId>,
        drawn: Drawn,
    ) -> Result<Given, No> {
        let mut flow = None;
        let mut waived = false;
        match by {
            By::Administrator => {}
            By::Grant(grant) => {
                self.grant(grant)?;
                self.software_tokens()?;
                waived = self.may_set_up(grant, self.freshness())?;
            }
            By::Session(shown) => {
                let ticket = self.session(shown, |it| it == Purpose::Setup)?;
                self.software_tokens()?;
                self.alive(shown, &ticket)?;
                flow = Some(ticket.first_factor);
            }
        }
        self.software_tokens()?;
        let tokens = &self.account.tokens;
        let replaces = match replacing {
            Some(named) => {
                if self.account.token(named).is_none() {
                    return Err(Rejection::NoSuchToken.into());
                }
                Some(named)
            }
            None if self.policy.max_tokens() == 1 => tokens.first().map(|token| token.id),
            // Possession is waived to replace a token, not to add one.
            None if waived => return Err(Rejection::SecondFactorRequired.into()),
            None if tokens.len() >= self.policy.max_tokens() => {
                return Err(Rejection::TooManyTokens.into());
            }
            None => None,
        };
        let way = match (tokens.is_empty(), replaces, &self.account.pending) {
            (false, Some(_), _) if waived => "replacement_waived",
            (false, Some(_), _) => "replacement",
            (false, None, _) => "addition",
            (true, _, Some(_)) => "again",
            (true, _, None) => "first",
        };
        self.way(way);
        let id = drawn.ids.first().copied().unwrap_or_else(nobody);
        let key = drawn.key;
        let expires = self.wait_for_proof(id, key, name, replaces);
        self.event_about(
            EventKind::Associated {
                possession_waived: waived,
            },
            id,
        );
        let session = flow.map(|first_factor| {
            let purpose = Purpose::SetupPending(id);
            self.issue(purpose, expires, first_factor)
        });
        Ok(Given::Issued { expires, session })
    }

    fn wait_for_proof(
        &mut self,
        id: TokenId,
        key: Option<Rc<Key>>,
        name: Option<&str>,
        replaces: Option<TokenId>,
    ) -> u64 {
        let expires = self.now + self.policy.pending_lifetime().as_secs();
        let name = kept(name, &self.policy);
        self.account.pending = key.map(|key| Pending {
            id,
            key,
            expires,
            name,
            replaces,
        });
        expires
    }

    fn verify(
        &mut self,
        by: &By,
        code: &str,
        next: Option<&str>,
        name: Option<&str>,
        key: Option<u8>,
    ) -> Result<Given, No> {
        let mut ticket = None;
        match by {
            By::Administrator => {}
            By::Grant(grant) => self.grant(grant)?,
            By::Session(shown) => {
                let pending = |it| matches!(it, Purpose::SetupPending(_));
                ticket = Some((shown, self.session(shown, pending)?));
            }
        }
        let flow = ticket.as_ref().map(|(_, ticket)| ticket.first_factor);
        let number = ticket.as_ref().and_then(|(shown, _)| shown.ticket);
        let codes = [Some(code), next].into_iter().flatten().map(str::to_owned);
        let attempt = key.map(|key| (key, "verify", number, self.context, codes.collect()));
        let login = match by {
            By::Grant(grant) => grant.id.as_deref(),
            By::Session(_) | By::Administrator => None,
        };
        if let Some(proven) = self.answered(attempt.as_ref(), login) {
            return Ok(self.enrolled(flow, proven));
        }
        self.is_verified_already(by, ticket.as_ref().map(|(_, ticket)| ticket))?;
        self.software_tokens()?;
        let mut waived = false;
        if let By::Grant(grant) = by {
            // The pending secret's code proves it: no freshness.
            waived = self.may_set_up(grant, None)?;
        }
        if let Some((shown, ticket)) = &ticket {
            self.alive(shown, ticket)?;
        }
        let pending = self.account.pending.clone();
        let pending = pending.ok_or(Rejection::NotAssociated)?;
        if waived && pending.replaces.is_none() {
            return Err(Rejection::SecondFactorRequired.into());
        }
        if !pending.waits(self.now) {
            return Err(Rejection::Expired.into());
        }
        let (step, drift, failures) = self.prove(&pending.key, code, next)?;

        let replaced = pending.replaces;
        let first = self.account.tokens.is_empty();
        let codes_die = waived && !self.account.recovery.is_empty();
        self.way(match (first, replaced, waived) {
            (true, ..) if flow.is_some() => "in_a_sign_in",
            (true, ..) => "first",
            (false, None, _) => "added",
            (false, Some(_), false) => "replaced",
            (false, Some(_), true) if codes_die => "replaced_waived_codes_die",
            (false, Some(_), true) => "replaced_waived",
        });
        if next.is_some() {
            self.way("_by_two");
        }
        if codes_die {
            self.account.recovery.clear();
        }
        let token = Token {
            id: pending.id,
            key: pending.key,
            since: self.now,
            proved_by: login.map(str::to_owned),
            last: step,
            last_used: Some(self.now),
            drift,
            name: kept(name, &self.policy).or(pending.name),
            unfinished: flow.is_some(),
        };
        let id = token.id;
        self.change_in_force(|it| Some(it.id) == replaced, vec![token]);
        if self.policy.enable_on_verify() && !self.account.preference().is_enabled() {
            self.account.preference = Some(Preference::Enabled);
        }
        if self.is_asked_for() {
            self.account.asked = true;
        }
        let kind = match replaced {
            Some(replaced) => EventKind::Replaced {
                failures,
                replaced,
                possession_waived: waived,
            },
            None if first => EventKind::Verified { failures },
            None => EventKind::Added { failures },
        };
        self.event_about(kind, id);
        let first_factor = match by {
            By::Administrator => None,
            By::Grant(grant) => Some(grant.first),
            By::Session(_) => flow,
        };
        let proof = Proof {
            token: Some(id),
            step: Some(step),
            end_other_logins: replaced.is_some(),
            ..self.proof(Method::SoftwareToken, first_factor, login)
        };
        let proven = self.proven(proof);
        self.remember(attempt, &proven);
        Ok(self.enrolled(flow, proven))
    }

    /// Whether what is asked for has just been done, by this very session or grant.
    fn is_verified_already(&self, by: &By, ticket: Option<&Ticket>) -> Result<(), No> {
        let in_force = |id| self.account.token(id).is_some();
        let done = match (by, ticket.map(|ticket| ticket.purpose)) {
            (_, Some(Purpose::SetupPending(id))) => in_force(id),
            (By::Grant(grant), _) => {
                let mut tokens = self.account.tokens.iter();
                self.account.pending.is_none()
                    && grant.id.is_some()
                    && tokens.any(|token| token.proved_by == grant.id)
            }
            _ => false,
        };
        if done {
            return Err(Rejection::AlreadyVerified.into());
        }
        Ok(())
    }

    fn enrolled(&mut self, flow: Option<u64>, proven: Proven) -> Given {
        let proof = proven.proof.clone();
        self.proofs.push(proven);
        let session = flow.map(|first_factor| {
            let purpose = Purpose::SetupDone(proof.token.unwrap(), proof.step.unwrap());
            let expires = self.session_end(proof.at);
            self.issue(purpose, expires, first_factor)
        });
        Given::Enrolled { proof, session }
    }

    /// Turning on what is preferred already changes nothing.
    fn set_enabled(&mut self, by: &By) -> Result<Given, No> {
        let already = self.account.preference();
        self.prefer(by, already.max(Preference::Enabled))
    }

    fn prefer(&mut self, by: &By, preference: Preference) -> Result<Given, No> {
        let before = self.account.preference();
        let off = !preference.is_enabled();
        match by {
            By::Administrator => {}
            By::Session(shown) => self.session(shown, |_| false).map(|_| ())?,
            By::Grant(grant) => {
                self.grant(grant)?;
                self.may_prefer(grant, before, preference)?;
            }
        }
        self.verified()?;
        if off && self.requires() {
            if !matches!(by, By::Administrator) {
                return Err(Rejection::MfaRequired.into());
            }
            self.way("nothing_by_administrator");
            return Ok(Given::Done);
        }
        let proven = match by {
            By::Grant(grant) => self.possession(grant, self.freshness()).is_ok(),
            By::Session(_) | By::Administrator => true,
        };
        self.way(match (before == preference, off) {
            (true, true) if self.account.asked && proven => "off_again",
            (true, true) if self.account.asked => "nothing_cleared",
            (true, _) => "nothing",
            (false, true) => "off",
            (false, false) if before < preference => "up",
            (false, false) => "down",
        });
        let clears = off && self.account.asked && proven;
        if before == preference && !clears {
            return Ok(Given::Done);
        }
        if off {
            self.account.asked = false;
            self.account.off_from = self.account.off_from.max(self.now);
            self.account.forget_browsers();
        }
        self.account.preference = Some(preference);
        self.event(EventKind::PreferenceChanged {
            enabled: preference.is_enabled(),
            preferred: preference.is_preferred(),
        });
        Ok(Given::Done)
    }

    fn rename(&mut self, by: &By, id: TokenId, name: &str) -> Result<Given, No> {
        self.owner(by)?;
        self.verified()?;
        let name = kept(Some(name), &self.policy);
        let mut tokens = self.account.tokens.iter_mut();
        let token = tokens.find(|token| token.id == id);
        let token = token.ok_or(Rejection::NoSuchToken)?;
        let same = token.name == name;
        token.name = name;
        self.way(if same { "nothing" } else { "done" });
        if !same {
            self.event_about(EventKind::Renamed, id);
        }
        Ok(Given::Done)
    }

    fn remove(&mut self, by: &By, id: TokenId) -> Result<Given, No> {
        self.owner(by)?;
        self.verified()?;
        if self.account.token(id).is_none() {
            return Err(Rejection::NoSuchToken.into());
        }
        let last = self.account.tokens.len() == 1;
        if last && self.requires() && !matches!(by, By::Administrator) {
            return Err(Rejection::MfaRequired.into());
        }
        self.way(if last { "last" } else { "one" });
        let removed = EventKind::Removed;
        let kind = if last {
            EventKind::Disassociated
        } else {
            removed
        };
        self.event_about(kind, id);
        self.change_in_force(|token| token.id == id, Vec::new());
        Ok(Given::Done)
    }

    fn disassociate(&mut self, by: &By) -> Result<Given, No> {
        self.owner(by)?;
        if self.requires() && !matches!(by, By::Administrator) {
            return Err(Rejection::MfaRequired.into());
        }
        match (self.account.tokens.is_empty(), &self.account.pending) {
            (true, None) => self.way("nothing"),
            (true, Some(pending)) => {
                let id = pending.id;
                // A pending secret was never in force: the sessions of before live on.
                self.way("pending");
                self.event_about(EventKind::PendingRemoved, id);
                self.account.pending = None;
            }
            (false, _) => {
                self.way("token");
                self.change_in_force(|_| true, Vec::new());
                self.event(EventKind::Disassociated);
            }
        }
        Ok(Given::Done)
    }

    fn forget_browsers(&mut self, by: &By) -> Result<Given, No> {
        self.owner(by)?;
        self.way("done");
        self.account.forget_browsers();
        self.event(EventKind::BrowsersForgotten);
        Ok(Given::Done)
    }

    fn issue_recovery_codes(&mut self, by: &By, drawn: Drawn) -> Result<Given, No> {
        self.owner(by)?;
        self.verified()?;
        let had = !self.account.recovery.is_empty();
        self.way(if had { "again" } else { "first" });
        self.account.recovery = drawn.codes;
        self.account.temporary = None;
        self.event(EventKind::RecoveryCodesIssued);
        Ok(Given::RecoveryCodes(10))
    }
}

/// Section 4: what an administrator does.
impl Turn<'_> {
    fn issue_temporary_code(&mut self, lifetime: u64, drawn: Drawn) -> Result<Given, No> {
        self.verified()?;
        self.way(if self.account.temporary.is_some() {
            "again"
        } else {
            "first"
        });
        let expires = self.now + lifetime;
        self.account.temporary = drawn.codes.into_iter().next().map(|code| (code, expires));
        self.account.wrong = 0;
        let expires = UnixTime::from_secs(expires);
        self.event(EventKind::TemporaryCodeIssued { expires });
        Ok(Given::Done)
    }

    fn reset(&mut self, mending: bool) -> Given {
        self.way(
            match (self.account.tokens.is_empty(), self.account.locked) {
                (true, _) => "nothing_verified",
                (false, false) => "token",
                (false, true) => "locked",
            },
        );
        if mending {
            self.way("_mending");
            self.mend_clock();
        }
        self.change_in_force(|_| true, Vec::new());
        self.clear_throttle();
        self.account.suspicion = 0;
        self.account.wrong = 0;
        // For a clock that goes back as well, what was void stays void.
        self.account.grants_from = self.now.max(self.account.grants_from);
        self.event(EventKind::Reset {
            unreadable: false,
            clock_mended: mending,
        });
        Given::Done
    }

    /// Stored times that lie more than a minute ahead become now.
    fn mend_clock(&mut self) {
        let now = self.now;
        let lower = |time: &mut u64| {
            if *time > now + 60 {
                *time = now;
            }
        };
        let account = &mut *self.account;
        lower(&mut account.grants_from);
        lower(&mut account.off_from);
        account.exported.iter_mut().for_each(lower);
        account
            .factors_from
            .iter_mut()
            .for_each(|it| lower(&mut it.1));
        account.spent.values_mut().for_each(lower);
        for token in &mut account.tokens {
            lower(&mut token.since);
            token.last_used.iter_mut().for_each(lower);
        }
    }

    fn unlock(&mut self) -> Given {
        self.way(match (self.account.locked, self.account.streak) {
            (true, _) => "locked",
            (false, 0) => "nothing",
            (false, _) => "failures",
        });
        self.clear_throttle();
        self.account.suspicion = 0;
        self.account.wrong = 0;
        self.event(EventKind::Unlocked);
        Given::Done
    }

    fn may_import(&self, tokens: &[Imported], replacing: bool, again: bool) -> Result<(), No> {
        self.software_tokens()?;
        let verified = !self.account.tokens.is_empty();
        if verified && !replacing {
            return Err(Rejection::AlreadyVerified.into());
        }
        if !verified && self.account.ever_verified && !again {
            return Err(Rejection::VerifiedBefore.into());
        }
        if tokens.len() > self.policy.max_tokens() {
            return Err(Rejection::TooManyTokens.into());
        }
        let ahead = |token: &Imported| token.last.is_some_and(|last| last > self.latest(token));
        if tokens.iter().any(ahead) {
            return Err(Rejection::LastStepInFuture.into());
        }
        Ok(())
    }

    /// `T + max(d, 0) + forward`.
    fn latest(&self, token: &Imported) -> u64 {
        let drift = u64::try_from(token.drift.unwrap_or(0).max(0)).unwrap();
        token.key.step(self.now) + drift + u64::from(self.policy.window().forward())
    }

    /// The floor that a secret has here, in steps of this period.
    fn floor_of(&self, key: &Key) -> u64 {
        let same = |token: &&Token| {
            token.key.secret == key.secret && token.key.totp.period() == key.totp.period()
        };
        self.account
            .tokens
            .iter()
            .find(same)
            .map_or(0, |token| token.last)
    }

    fn import(
        &mut self,
        tokens: &[Imported],
        proven: bool,
        enabled: Option<bool>,
        replacing: bool,
        drawn: Drawn,
    ) -> Given {
        let ids = drawn.ids.into_iter().chain(core::iter::repeat_with(nobody));
        let tokens: Vec<_> = ids.zip(tokens).collect();
        let replaced = !self.account.tokens.is_empty();
        if proven {
            self.way(match (self.account.tokens.is_empty(), tokens.len()) {
                (true, 1) => "proven",
                (true, _) => "proven_several",
                (false, 1) => "replacing",
                (false, _) => "replacing_several",
            });
            if replacing {
                self.account.recovery.clear();
                self.account.forget_browsers();
            }
            let come = tokens.iter().map(|(id, token)| Token {
                id: *id,
                key: Rc::clone(&token.key),
                since: self.now,
                proved_by: None,
                // What was spent here of the same secret stays spent.
                last: self
                    .floor_of(&token.key)
                    .max(token.last.unwrap_or(self.latest(token))),
                last_used: None,
                drift: token.drift.unwrap_or(0).into(),
                name: kept(token.name, &self.policy),
                unfinished: false,
            });
            let come = come.collect();
            self.change_in_force(|_| true, come);
            let before = self.account.preference();
            self.account.preference = Some(match enabled {
                Some(false) => Preference::Disabled,
                Some(true) | None => before.max(Preference::Enabled),
            });
            self.account.asked = true;
        } else {
            self.way("pending");
            let (id, token) = &tokens[0];
            let key = Some(Rc::clone(&token.key));
            self.wait_for_proof(*id, key, token.name, None);
        }
        for (id, token) in &tokens {
            let kind = EventKind::Imported {
                pending: !proven,
                weak: token.key.is_weak(),
                replacing: replaced,
            };
            self.event_about(kind, *id);
        }
        Given::Done
    }

    fn export(&mut self) -> Result<Given, No> {
        self.verified()?;
        self.way("done");
        self.account.exported = Some(self.now);
        self.event(EventKind::Exported);
        let tokens = self.account.tokens.iter().map(|token| Moved {
            secret: token.key.secret.clone(),
            totp: token.key.totp,
            name: token.name.clone(),
            last: Some(token.last),
            drift: i16::try_from(token.drift).unwrap(),
        });
        Ok(Given::Exported(tokens.collect()))
    }

    /// That a token is in force.
    pub fn verified(&self) -> Result<(), No> {
        if self.account.tokens.is_empty() {
            return Err(Rejection::NotAssociated.into());
        }
        Ok(())
    }

    fn software_tokens(&self) -> Result<(), No> {
        if self.policy.software_tokens() {
            Ok(())
        } else {
            Err(Rejection::SoftwareTokenDisabled.into())
        }
    }

    /// What is in force changes: these leave, those come, and what hung on it ends.
    fn change_in_force(&mut self, leaves: impl Fn(&Token) -> bool, come: Vec<Token>) {
        let account = &mut *self.account;
        account.generation += 1;
        let was_verified = !account.tokens.is_empty();
        let (left, stay): (Vec<Token>, _) = account.tokens.drain(..).partition(|it| leaves(it));
        account.tokens = stay;
        if !left.is_empty() {
            // Nor does a clock that went back let what these tokens proved outlive them.
            let times = left.iter().flat_map(|it| [Some(it.since), it.last_used]);
            let before = account.factors_from.map(|(_, time)| time);
            let latest = times.chain([before]).flatten().fold(self.now, u64::max);
            account.factors_from = Some((account.generation, latest));
        }
        if !come.is_empty() {
            account.ever_verified = true;
            account.tokens.extend(come);
            if !was_verified {
                account.streak = 0;
                account.debt = 0;
                account.suspicion = 0;
                account.not_before = 0;
                account.locked = false;
            }
        }
        account.pending = None;
        account.temporary = None;
        if account.tokens.is_empty() {
            account.preference = None;
            account.asked = false;
            account.recovery.clear();
        }
    }
}

/// What comes out.
impl Turn<'_> {
    fn refused(self, rejection: Rejection) -> Answer {
        Answer {
            reply: Err(rejection),
            events: self.events,
            way: self.way,
        }
    }

    /// A proof of now.
    pub fn proof(&self, method: Method, first: Option<u64>, login_id: Option<&str>) -> Proof {
        Proof {
            subject: self.who,
            context: self.context,
            method,
            token: None,
            token_name: None,
            step: None,
            at: self.now,
            first_factor: first,
            login_id: login_id.map(str::to_owned),
            amr: vec!["otp"],
            recovery_codes_left: None,
            end_other_logins: false,
        }
    }

    /// The same, as an evidence has it.
    pub fn proven(&self, mut proof: Proof) -> Proven {
        let token = proof.token.and_then(|id| self.account.token(id));
        proof.token_name = token.and_then(|token| token.name.clone());
        if proof.first_factor.is_some() {
            proof.amr.push("mfa");
        }
        Proven {
            proof,
            generation: self.account.generation,
            browsers_from: self.account.browsers_from,
        }
    }

    pub fn evidence(&mut self, proof: Proof) -> Given {
        let proven = self.proven(proof);
        self.given(proven)
    }

    pub fn given(&mut self, proven: Proven) -> Given {
        let proof = proven.proof.clone();
        self.proofs.push(proven);
        Given::Evidence(proof)
    }

    pub fn way(&mut self, way: &str) {
        self.way += way;
    }

    pub fn event(&mut self, kind: EventKind) {
        let told = self.told(kind);
        self.events.push(told);
    }

    pub fn event_about(&mut self, kind: EventKind, id: TokenId) {
        let pending = self.account.pending.as_ref().filter(|it| it.id == id);
        let name = match self.account.token(id) {
            Some(token) => token.name.clone(),
            None => pending.and_then(|pending| pending.name.clone()),
        };
        let mut told = self.told(kind);
        told.token = Some((id, name));
        self.events.push(told);
    }

    fn told(&self, kind: EventKind) -> Told {
        Told {
            whose: Some(self.who),
            at: self.now,
            actor: actor(self.call),
            operation: self.call.name(),
            token: None,
            kind,
        }
    }
}

fn actor(call: &Call) -> &'static str {
    match (call, call.by()) {
        (_, Some(By::Grant(_))) | (Call::StepUp { .. } | Call::Check { .. }, _) => "grant",
        (_, Some(By::Session(_))) | (Call::Respond { .. } | Call::FinishSetup { .. }, _) => {
            "session"
        }
        (Call::SignIn { .. } | Call::SignInWith { .. } | Call::Remember { .. }, _) => "application",
        _ => "administrator",
    }
}

/// The id of no token.
fn nobody() -> TokenId {
    "ee".repeat(16).parse().unwrap()
}
