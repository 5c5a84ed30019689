//! What a server answers by the letter of the specification: the operations of section 4.

use std::collections::HashSet;
use std::rc::Rc;

use softtoken::association::{Actor, SessionFlaw};
use softtoken::{EventKind, Method, Policy, Preference, Rejection, Requirement, State, UnixTime};

use crate::rules::{kept, length, matching, window};
use crate::words::{By, Call, Drawn, Given, Key, Proof, Shown, Standing};

pub struct Reading {
    pub policy: Policy,
    pub accounts: Vec<Account>,
    /// Every session that was ever issued.
    pub tickets: Vec<Ticket>,
    pendings: usize,
}

#[derive(Debug)]
pub struct Account {
    pub pending: Option<Pending>,
    pub token: Option<Token>,
    pub generation: u64,
    pub streak: u32,
    pub debt: u32,
    pub debt_since: u64,
    pub not_before: u64,
    pub locked: bool,
    pub preference: Preference,
    pub recovery: Vec<String>,
    pub spent: HashSet<usize>,
    pub grants_from: u64,
    pub remembered: Option<Remembered>,
}

#[derive(Clone, Debug)]
pub struct Pending {
    pub number: usize,
    pub key: Rc<Key>,
    pub expires: u64,
    pub name: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub key: Rc<Key>,
    pub since: u64,
    pub proved_by: Option<u8>,
    pub last: u64,
    pub drift: i64,
    pub ever_enabled: bool,
    /// Whether the sign-in that set it up is still to be finished.
    pub finishes_sign_in: bool,
    pub name: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Ticket {
    pub subject: usize,
    pub context: u8,
    pub purpose: Purpose,
    pub generation: u64,
    pub expires: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    Setup,
    SetupPending(usize),
    SetupDone(u64),
    SoftwareToken,
}

/// A success that named its attempt.
#[derive(Debug)]
pub struct Remembered {
    pub attempt: Attempt,
    pub generation: u64,
    pub last_step: u64,
    pub proof: Proof,
}

/// Key, operation, session and code.
pub type Attempt = (u8, &'static str, Option<usize>, String);

pub struct Answer {
    pub reply: Result<Given, Rejection>,
    pub events: Vec<(Actor, EventKind)>,
    /// Which of several ways led there, for the count of what was reached.
    pub path: String,
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

impl Reading {
    pub fn new(policy: Policy, subjects: usize) -> Self {
        let account = |_| Account {
            pending: None,
            token: None,
            generation: 0,
            streak: 0,
            debt: 0,
            debt_since: 0,
            not_before: 0,
            locked: false,
            preference: Preference::Disabled,
            recovery: Vec::new(),
            spent: HashSet::new(),
            grants_from: 0,
            remembered: None,
        };
        Self {
            policy,
            accounts: (0..subjects).map(account).collect(),
            tickets: Vec::new(),
            pendings: 0,
        }
    }

    pub fn answer(&mut self, who: usize, now: u64, call: &Call, drawn: Drawn) -> Answer {
        let mut turn = Turn {
            who,
            now,
            policy: self.policy,
            account: &mut self.accounts[who],
            tickets: &mut self.tickets,
            pendings: &mut self.pendings,
            events: Vec::new(),
            path: "",
        };
        let reply = turn.answer(call, drawn);
        let (mut events, mut path) = (turn.events, turn.path.to_owned());
        if let Err(No { rejection, flaw }) = reply {
            if !matches!(rejection, Rejection::Reused | Rejection::ClockBehind) {
                events.push(EventKind::Refused { rejection, flaw });
            }
            let said = flaw.map_or(rejection.code().into(), |flaw| format!("{flaw:?}"));
            path = format!("{said}{path}");
        }
        let actor = actor(call);
        Answer {
            reply: reply.map_err(|no| no.rejection),
            events: events.into_iter().map(|kind| (actor, kind)).collect(),
            path,
        }
    }

    pub fn standing(&self, who: usize, now: u64) -> Standing {
        let account = &self.accounts[who];
        let live = account.pending.as_ref().filter(|it| now < it.expires);
        let expires = live.map(|it| UnixTime::from_secs(it.expires));
        let waits = now < account.not_before && !account.locked;
        Standing {
            state: match (&account.token, expires) {
                (Some(token), replacement_expires) => State::Verified {
                    since: UnixTime::from_secs(token.since),
                    device_name: token.name.clone(),
                    replacement_expires,
                },
                (None, Some(expires)) => State::Pending { expires },
                (None, None) => State::Unassociated,
            },
            preference: account.preference,
            recovery_codes: account.recovery.len(),
            throttled_until: waits.then_some(account.not_before),
            locked: account.locked,
        }
    }
}

fn actor(call: &Call) -> Actor {
    match call {
        Call::Associate { by, .. }
        | Call::Verify { by, .. }
        | Call::Resynchronise { by, .. }
        | Call::Prefer { by, .. }
        | Call::IssueRecoveryCodes { by }
        | Call::Disassociate { by } => match by {
            By::Grant(_) => Actor::Grant,
            By::Session(_) => Actor::Session,
            By::Administrator => Actor::Administrator,
        },
        Call::Respond { .. } | Call::FinishSetup { .. } => Actor::Session,
        Call::Recover { within, .. } if within.is_some() => Actor::Session,
        Call::SignIn { .. } | Call::Authenticate { .. } | Call::Recover { .. } => Actor::Embedder,
        Call::Reset | Call::Unlock | Call::Import { .. } => Actor::Administrator,
    }
}

/// One call.
pub struct Turn<'a> {
    pub who: usize,
    pub now: u64,
    pub policy: Policy,
    pub account: &'a mut Account,
    pub tickets: &'a mut Vec<Ticket>,
    pub pendings: &'a mut usize,
    pub events: Vec<EventKind>,
    pub path: &'static str,
}

/// Section 4: operations.
impl Turn<'_> {
    fn answer(&mut self, call: &Call, drawn: Drawn) -> Result<Given, No> {
        match call {
            Call::Associate { by, name } => self.associate(by, *name, drawn),
            Call::Verify {
                by,
                code,
                name,
                key,
            } => self.verify(by, code, *name, *key),
            Call::SignIn { context } => Ok(self.sign_in(*context)),
            Call::Respond { session, code, key } => self.respond(session, code, *key),
            Call::FinishSetup { session } => self.finish_setup(session),
            Call::Authenticate { code, key } => self.authenticate(code, *key),
            Call::Resynchronise { by, first, next } => self.resynchronise(by, first, next),
            Call::Prefer { by, preference } => self.prefer(by, *preference),
            Call::IssueRecoveryCodes { by } => self.issue_recovery_codes(by, drawn),
            Call::Recover { code, within } => self.recover(code, within.as_ref()),
            Call::Disassociate { by } => self.disassociate(by),
            Call::Reset => Ok(self.reset()),
            Call::Unlock => Ok(self.unlock()),
            Call::Import {
                key,
                proven,
                enabled,
                last,
                name,
                ..
            } if *proven => self.import_proven(key, *enabled, *last, *name),
            Call::Import { key, name, .. } => self.import_pending(key, *name),
        }
    }

    fn associate(&mut self, by: &By, name: Option<&str>, drawn: Drawn) -> Result<Given, No> {
        let mut flow = None;
        match by {
            By::Administrator => {}
            By::Grant(grant) => {
                self.grant(grant)?;
                self.may_replace(grant)?;
            }
            By::Session(shown) => {
                let ticket = self.session(shown, |it| it == Purpose::Setup)?;
                self.alive(shown, &ticket)?;
                flow = Some(ticket.context);
            }
        }
        self.software_tokens()?;
        self.path = match (&self.account.token, &self.account.pending) {
            (Some(_), _) => "replacement",
            (None, Some(_)) => "again",
            (None, None) => "first",
        };
        let (number, expires) = self.wait_for_proof(drawn.key, name);
        self.event(EventKind::Associated);
        let purpose = Purpose::SetupPending(number);
        let session = flow.map(|context| self.issue(context, purpose));
        Ok(Given::Issued { expires, session })
    }

    fn verify(
        &mut self,
        by: &By,
        code: &str,
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
        let session = ticket.as_ref().and_then(|(shown, _)| shown.ticket);
        let flow = ticket.as_ref().map(|(_, ticket)| ticket.context);
        let attempt = key.map(|key| (key, "verify", session, code.to_owned()));
        if let Some(proof) = self.repeated(attempt.as_ref()) {
            return Ok(self.enrolled(flow, proof));
        }
        let mut waived = false;
        if let By::Grant(grant) = by {
            waived = self.may_replace(grant)?;
        }
        if let Some((shown, ticket)) = &ticket {
            self.alive(shown, ticket)?;
        }
        self.software_tokens()?;
        let pending = self.account.pending.clone();
        let pending = pending.ok_or(Rejection::NotAssociated)?;
        if self.now >= pending.expires {
            return Err(Rejection::Expired.into());
        }
        length(&pending.key, code)?;
        self.throttle()?;
        let now = pending.key.step(self.now);
        let matches = matching(&pending.key, code, &window(now, 0, &self.policy));
        let step = *matches.first().ok_or_else(|| self.failed())?;

        let failures = self.succeeded();
        let replaced = self.account.token.is_some();
        let codes_die = waived && !self.account.recovery.is_empty();
        self.path = match (replaced, waived, codes_die) {
            (false, ..) if flow.is_some() => "in_a_sign_in",
            (false, ..) => "first",
            (true, false, _) => "replaced",
            (true, true, false) => "replaced_waived",
            (true, true, true) => "replaced_waived_codes_die",
        };
        self.event(if replaced {
            EventKind::Replaced { failures }
        } else {
            EventKind::Verified { failures }
        });
        if codes_die {
            self.account.recovery.clear();
        }
        if self.policy.enable_on_verify() && !self.account.preference.is_enabled() {
            self.account.preference = Preference::Enabled;
        }
        let required = self.policy.requirement() == Requirement::Required;
        let before = self.account.token.as_ref().map_or(0, |token| token.since);
        self.put_in_force(Token {
            key: pending.key,
            since: self.now.max(before),
            proved_by: match by {
                By::Grant(grant) => grant.id,
                By::Session(_) | By::Administrator => None,
            },
            last: step,
            drift: 0,
            ever_enabled: required || self.account.preference.is_enabled(),
            finishes_sign_in: flow.is_some(),
            name: kept(name, &self.policy).or(pending.name),
        });
        self.learn(now, step);
        let proof = Proof {
            context: flow,
            first_factor: !matches!(by, By::Administrator),
            end_other_sessions: replaced,
            ..self.proof(step)
        };
        self.remember(attempt, &proof);
        Ok(self.enrolled(flow, proof))
    }

    fn enrolled(&mut self, flow: Option<u8>, proof: Proof) -> Given {
        let purpose = Purpose::SetupDone(proof.step.unwrap());
        let session = flow.map(|context| self.issue(context, purpose));
        Given::Enrolled { proof, session }
    }

    fn sign_in(&mut self, context: u8) -> Given {
        let enabled = self.account.preference.is_enabled();
        let token = self.account.token.clone();
        match (self.policy.requirement(), token) {
            (Requirement::Required, None) => {
                self.path = "setup";
                let session = self.issue(context, Purpose::Setup);
                Given::Setup { session }
            }
            (Requirement::Required, Some(token)) => self.challenge(context, token.name),
            (Requirement::Optional, Some(token)) if enabled => self.challenge(context, token.name),
            (Requirement::Optional | Requirement::Off, _) => {
                self.path = "not_required";
                Given::NotRequired
            }
        }
    }

    fn challenge(&mut self, context: u8, name: Option<String>) -> Given {
        self.path = "challenge";
        let session = self.issue(context, Purpose::SoftwareToken);
        Given::SoftwareToken { session, name }
    }

    fn respond(&mut self, shown: &Shown, code: &str, key: Option<u8>) -> Result<Given, No> {
        let ticket = self.session(shown, |it| it == Purpose::SoftwareToken)?;
        let attempt = key.map(|key| (key, "respond", shown.ticket, code.to_owned()));
        if let Some(proof) = self.repeated(attempt.as_ref()) {
            return Ok(Given::Evidence(proof));
        }
        self.alive(shown, &ticket)?;
        let step = self.accept(code)?;
        self.spend(shown);
        let proof = Proof {
            context: Some(ticket.context),
            ..self.proof(step)
        };
        self.remember(attempt, &proof);
        Ok(Given::Evidence(proof))
    }

    fn finish_setup(&mut self, shown: &Shown) -> Result<Given, No> {
        let ticket = self.session(shown, |it| matches!(it, Purpose::SetupDone(_)))?;
        self.alive(shown, &ticket)?;
        let Purpose::SetupDone(step) = ticket.purpose else {
            unreachable!()
        };
        let token = self.account.token.as_mut().unwrap();
        let since = token.since;
        if !core::mem::take(&mut token.finishes_sign_in) {
            return Err(SessionFlaw::Spent.into());
        }
        self.path = "done";
        self.signed_in(Method::SoftwareToken, 0);
        Ok(Given::Evidence(Proof {
            context: Some(ticket.context),
            at: since,
            ..self.proof(step)
        }))
    }

    fn authenticate(&mut self, code: &str, key: Option<u8>) -> Result<Given, No> {
        let attempt = key.map(|key| (key, "authenticate", None, code.to_owned()));
        if let Some(proof) = self.repeated(attempt.as_ref()) {
            return Ok(Given::Evidence(proof));
        }
        let step = self.accept(code)?;
        let proof = Proof {
            first_factor: false,
            ..self.proof(step)
        };
        self.remember(attempt, &proof);
        Ok(Given::Evidence(proof))
    }

    fn prefer(&mut self, by: &By, preference: Preference) -> Result<Given, No> {
        let off = !preference.is_enabled();
        let turns_off = off && self.account.preference.is_enabled();
        self.owner(by, turns_off)?;
        let required = self.policy.requirement() == Requirement::Required;
        let token = self.account.token.as_mut();
        let token = token.ok_or(Rejection::NotAssociated)?;
        if off && required {
            return Err(Rejection::MfaRequired.into());
        }
        token.ever_enabled |= !off;
        self.path = match (self.account.preference == preference, off) {
            (true, _) => "nothing",
            (false, true) => "off",
            (false, false) => "on",
        };
        if self.account.preference != preference {
            self.account.preference = preference;
            self.event(EventKind::PreferenceChanged {
                enabled: preference.is_enabled(),
                preferred: preference.is_preferred(),
            });
        }
        Ok(Given::Done)
    }

    fn issue_recovery_codes(&mut self, by: &By, drawn: Drawn) -> Result<Given, No> {
        self.owner(by, true)?;
        if self.account.token.is_none() {
            return Err(Rejection::NotAssociated.into());
        }
        let had = !self.account.recovery.is_empty();
        self.path = if had { "again" } else { "first" };
        self.account.recovery = drawn.codes;
        self.event(EventKind::RecoveryCodesIssued);
        Ok(Given::RecoveryCodes(10))
    }

    fn recover(&mut self, code: &str, within: Option<&Shown>) -> Result<Given, No> {
        let mut context = None;
        if let Some(shown) = within {
            let ticket = self.session(shown, |it| it == Purpose::SoftwareToken)?;
            self.alive(shown, &ticket)?;
            context = Some(ticket.context);
        }
        if self.account.token.is_none() {
            return Err(Rejection::NotAssociated.into());
        }
        let found = self.account.recovery.iter().position(|it| it == code);
        self.account
            .recovery
            .remove(found.ok_or(Rejection::Mismatch)?);
        if let Some(shown) = within {
            self.spend(shown);
        }
        self.path = match (within.is_some(), self.account.locked) {
            (false, false) => "code",
            (true, false) => "session",
            (false, true) => "code_locked",
            (true, true) => "session_locked",
        };
        let left = u32::try_from(self.account.recovery.len()).unwrap();
        self.event(EventKind::RecoveryCodeUsed { left });
        let failures = self.clear_throttle();
        self.signed_in(Method::RecoveryCode, failures);
        Ok(Given::Evidence(Proof {
            context,
            method: Method::RecoveryCode,
            step: None,
            first_factor: within.is_some(),
            end_other_sessions: true,
            ..self.proof(0)
        }))
    }

    fn disassociate(&mut self, by: &By) -> Result<Given, No> {
        self.owner(by, true)?;
        if self.policy.requirement() == Requirement::Required {
            return Err(Rejection::MfaRequired.into());
        }
        self.path = match (&self.account.token, &self.account.pending) {
            (None, None) => "nothing",
            (None, Some(_)) => "pending",
            (Some(_), _) => "token",
        };
        if self.path != "nothing" {
            self.event(EventKind::Disassociated);
        }
        // A pending secret was never in force: the sessions of before live on.
        if self.account.token.is_some() {
            self.remove();
        }
        self.account.pending = None;
        Ok(Given::Done)
    }

    fn reset(&mut self) -> Given {
        self.path = match (&self.account.token, self.account.locked) {
            (None, _) => "nothing_verified",
            (Some(_), false) => "token",
            (Some(_), true) => "locked",
        };
        self.remove();
        self.clear_throttle();
        // For a clock that goes back as well, what was void stays void.
        self.account.grants_from = self.now.max(self.account.grants_from);
        self.event(EventKind::Reset);
        Given::Done
    }

    fn unlock(&mut self) -> Given {
        self.path = match (self.account.locked, self.account.streak) {
            (true, _) => "locked",
            (false, 0) => "nothing",
            (false, _) => "failures",
        };
        self.clear_throttle();
        self.event(EventKind::Unlocked);
        Given::Done
    }

    fn import_proven(
        &mut self,
        key: &Rc<Key>,
        enabled: bool,
        last: Option<u64>,
        name: Option<&str>,
    ) -> Result<Given, No> {
        self.may_import()?;
        let forward = u64::from(self.policy.window().forward());
        self.path = last.map_or("proven", |_| "proven_last_step");
        self.account.preference = if enabled {
            Preference::Enabled
        } else {
            Preference::Disabled
        };
        self.put_in_force(Token {
            key: Rc::clone(key),
            since: self.now,
            proved_by: None,
            last: last.unwrap_or(key.step(self.now) + forward),
            drift: 0,
            ever_enabled: enabled || self.policy.requirement() == Requirement::Required,
            finishes_sign_in: false,
            name: kept(name, &self.policy),
        });
        self.event(EventKind::Imported);
        Ok(Given::Done)
    }

    fn import_pending(&mut self, key: &Rc<Key>, name: Option<&str>) -> Result<Given, No> {
        self.may_import()?;
        self.path = "pending";
        self.wait_for_proof(Some(Rc::clone(key)), name);
        self.event(EventKind::Imported);
        Ok(Given::Done)
    }

    fn may_import(&self) -> Result<(), No> {
        self.software_tokens()?;
        match self.account.token {
            Some(_) => Err(Rejection::AlreadyVerified.into()),
            None => Ok(()),
        }
    }

    fn software_tokens(&self) -> Result<(), No> {
        if self.policy.software_tokens() {
            Ok(())
        } else {
            Err(Rejection::SoftwareTokenDisabled.into())
        }
    }

    fn wait_for_proof(&mut self, key: Option<Rc<Key>>, name: Option<&str>) -> (usize, u64) {
        *self.pendings += 1;
        let (number, expires) = (
            *self.pendings,
            self.now + self.policy.pending_lifetime().as_secs(),
        );
        let name = kept(name, &self.policy);
        self.account.pending = key.map(|key| Pending {
            number,
            key,
            expires,
            name,
        });
        (number, expires)
    }

    fn put_in_force(&mut self, token: Token) {
        self.account.pending = None;
        self.account.token = Some(token);
        self.account.generation += 1;
    }

    fn remove(&mut self) {
        self.account.pending = None;
        self.account.token = None;
        self.account.preference = Preference::Disabled;
        self.account.recovery.clear();
        self.account.generation += 1;
    }

    fn proof(&self, step: u64) -> Proof {
        Proof {
            subject: self.who,
            context: None,
            method: Method::SoftwareToken,
            step: Some(step),
            at: self.now,
            first_factor: true,
            end_other_sessions: false,
        }
    }

    pub fn signed_in(&mut self, method: Method, failures: u32) {
        self.event(EventKind::SignedIn { method, failures });
    }

    pub fn event(&mut self, kind: EventKind) {
        self.events.push(kind);
    }
}
