//! The rules of the same: authority, sessions, guessing and drift in sections 5 to 8, and the
//! attempt key of section 10.

use std::collections::BTreeSet;

use softtoken::association::SessionFlaw;
use softtoken::{EventKind, Method, Policy, Rejection, Requirement, Step, UnixTime};

use crate::reading::{Attempt, No, Purpose, Remembered, Ticket, Token, Turn};
use crate::words::{Bearer, By, Claimed, Given, Key, Proof, Shown};

/// Section 5: authority.
impl Turn<'_> {
    pub fn grant(&self, grant: &Bearer) -> Result<(), No> {
        if grant.at < self.account.grants_from {
            return Err(Rejection::NotAuthorized.into());
        }
        let latest = grant.at.max(grant.second.unwrap_or(0));
        let age = self.now.saturating_sub(latest);
        match self.policy.reauthenticate_within() {
            Some(within) if age > within.as_secs() => {
                Err(Rejection::ReauthenticationRequired.into())
            }
            _ => Ok(()),
        }
    }

    /// Whether it shows that its bearer has the token in force, where there is one.
    fn proves(&self, grant: &Bearer) -> bool {
        self.account.token.as_ref().is_none_or(|token| {
            grant.second.is_some_and(|at| at >= token.since)
                || (grant.id.is_some() && grant.id == token.proved_by)
        })
    }

    /// `true`: by the exception.
    pub fn may_replace(&self, grant: &Bearer) -> Result<bool, No> {
        if self.proves(grant) {
            return Ok(false);
        }
        let token = self.account.token.as_ref();
        let excepted = token.is_some_and(|token| !token.ever_enabled && grant.at >= token.since);
        if excepted && self.policy.requirement() != Requirement::Required {
            return Ok(true);
        }
        Err(Rejection::SecondFactorRequired.into())
    }

    /// Who may manage what is in force; no session does.
    pub fn owner(&self, by: &By, second_factor: bool) -> Result<(), No> {
        match by {
            By::Administrator => Ok(()),
            By::Session(shown) => self.session(shown, |_| false).map(|_| ()),
            By::Grant(grant) => {
                self.grant(grant)?;
                if second_factor && !self.proves(grant) {
                    return Err(Rejection::SecondFactorRequired.into());
                }
                Ok(())
            }
        }
    }
}

/// Section 6: sessions.
impl Turn<'_> {
    pub fn issue(&mut self, context: u8, purpose: Purpose) -> Claimed {
        let (subject, expires) = (
            self.who,
            self.now + self.policy.session_lifetime().as_secs(),
        );
        self.tickets.push(Ticket {
            subject,
            context,
            purpose,
            generation: self.account.generation,
            expires,
        });
        Claimed {
            subject,
            context,
            expires,
        }
    }

    /// That it is this subject's, in this context, for this purpose, and has not run out.
    pub fn session(&self, shown: &Shown, fits: impl Fn(Purpose) -> bool) -> Result<Ticket, No> {
        let ticket = shown.ticket.map(|number| self.tickets[number].clone());
        let ticket = ticket.ok_or(SessionFlaw::Forged)?;
        if ticket.subject != self.who {
            return Err(SessionFlaw::OtherSubject.into());
        }
        if shown.expecting.is_some_and(|it| it != ticket.context) {
            return Err(SessionFlaw::OtherContext.into());
        }
        if !fits(ticket.purpose) {
            return Err(SessionFlaw::OtherPurpose.into());
        }
        if self.now >= ticket.expires {
            return Err(SessionFlaw::Expired.into());
        }
        Ok(ticket)
    }

    /// That nothing has ended it.
    pub fn alive(&self, shown: &Shown, ticket: &Ticket) -> Result<(), No> {
        if ticket.generation != self.account.generation {
            return Err(SessionFlaw::OtherGeneration.into());
        }
        if shown
            .ticket
            .is_some_and(|number| self.account.spent.contains(&number))
        {
            return Err(SessionFlaw::Spent.into());
        }
        let pending = self.account.pending.as_ref().map(|it| it.number);
        match ticket.purpose {
            Purpose::SetupPending(number) if pending != Some(number) => {
                Err(SessionFlaw::OtherPending.into())
            }
            _ => Ok(()),
        }
    }

    /// What has run out by then needs no remembering.
    pub fn spend(&mut self, shown: &Shown) {
        let (now, tickets) = (self.now, &*self.tickets);
        let spent = &mut self.account.spent;
        spent.retain(|number| now < tickets[*number].expires);
        spent.extend(shown.ticket);
    }
}

/// Section 7: guessing.
impl Turn<'_> {
    pub fn throttle(&self) -> Result<(), No> {
        if self.account.locked {
            return Err(Rejection::Locked.into());
        }
        if self.now < self.account.not_before {
            let until = UnixTime::from_secs(self.account.not_before);
            return Err(Rejection::Throttled { until }.into());
        }
        Ok(())
    }

    fn pay_off(&mut self) {
        let interval = self.policy.throttle().debt_decay.as_secs();
        while self.account.debt > 0 && self.account.debt_since + interval <= self.now {
            self.account.debt -= 1;
            self.account.debt_since += interval;
            self.path = "_paid_off";
        }
    }

    pub fn failed(&mut self) -> No {
        let throttle = *self.policy.throttle();
        self.pay_off();
        if self.account.debt == 0 {
            self.account.debt_since = self.now;
        }
        self.account.debt += 1;
        self.account.streak += 1;
        let failures = self.account.streak;
        let mut wait = if failures < throttle.free {
            0
        } else {
            throttle.base.as_secs()
        };
        for _ in throttle.free..failures {
            wait = (wait * 2).min(throttle.cap.as_secs());
        }
        // No wait is none for a clock that goes back, too.
        self.account.not_before = if wait == 0 { 0 } else { self.now + wait };
        if self.account.debt >= throttle.debt_limit {
            self.account.locked = true;
            self.path = "_locks";
            self.event(EventKind::Locked);
        } else if wait > 0 {
            let until = UnixTime::from_secs(self.account.not_before);
            self.event(EventKind::Throttled { until });
        }
        if failures == throttle.suspect_at {
            self.event(EventKind::PasswordProbablyKnown { failures });
        }
        Rejection::Mismatch.into()
    }

    /// How many failures came before.
    pub fn succeeded(&mut self) -> u32 {
        self.pay_off();
        self.account.debt = self.account.debt.saturating_sub(1);
        self.account.not_before = 0;
        core::mem::take(&mut self.account.streak)
    }

    pub fn clear_throttle(&mut self) -> u32 {
        self.account.debt = 0;
        self.account.not_before = 0;
        self.account.locked = false;
        core::mem::take(&mut self.account.streak)
    }

    /// Judges a code of the token in force, and spends its step.
    pub fn accept(&mut self, code: &str) -> Result<u64, No> {
        let token = self.token_to_judge(&[code])?;
        let now = token.key.step(self.now);
        let matches = matching(&token.key, code, &window(now, token.drift, &self.policy));
        let new = matches.iter().copied().find(|step| *step > token.last);
        let step = new.ok_or_else(|| self.no_new(matches.first().copied()))?;
        let failures = self.succeeded();
        let punctual = window(now, 0, &self.policy).contains(&step);
        self.path = match (punctual, failures) {
            (true, 0) => "at_once",
            (true, _) => "after_failures",
            (false, _) => "by_the_drift",
        };
        self.signed_in(Method::SoftwareToken, failures);
        self.account.token.as_mut().unwrap().last = step;
        self.learn(now, step);
        Ok(step)
    }

    /// The token, where there is one, a code may be judged, and the clock is not behind.
    fn token_to_judge(&mut self, codes: &[&str]) -> Result<Token, No> {
        let token = self.account.token.clone();
        let token = token.ok_or(Rejection::NotAssociated)?;
        for code in codes {
            length(&token.key, code)?;
        }
        self.throttle()?;
        let ahead = i64::from(self.policy.window().forward()) + token.drift.max(0) + 1;
        if signed(token.key.step(self.now)) + ahead < signed(token.last) {
            let last = Step::new(token.last);
            self.event(EventKind::ClockBehind { last });
            return Err(Rejection::ClockBehind.into());
        }
        Ok(token)
    }

    fn no_new(&mut self, reused: Option<u64>) -> No {
        let Some(step) = reused.map(Step::new) else {
            return self.failed();
        };
        self.event(EventKind::ReusedCode { step });
        Rejection::Reused.into()
    }
}

/// Section 8: clocks that drift.
impl Turn<'_> {
    pub fn learn(&mut self, now: u64, step: u64) {
        if self.policy.learn_drift() {
            let token = self.account.token.as_mut().unwrap();
            // What resynchronising has set may stay, or the next success would undo it.
            let most = token.drift.abs().max(4);
            token.drift = (signed(step) - signed(now)).clamp(-most, most);
        }
    }

    pub fn resynchronise(&mut self, by: &By, first: &str, next: &str) -> Result<Given, No> {
        match by {
            By::Administrator => {}
            By::Grant(grant) => self.grant(grant)?,
            By::Session(shown) => {
                let ticket = self.session(shown, |it| it == Purpose::SoftwareToken)?;
                self.alive(shown, &ticket)?;
            }
        }
        let token = self.token_to_judge(&[first, next])?;
        let now = token.key.step(self.now);
        let reach = u64::from(self.policy.resynchronise_reach());
        let mut pairs = matching(&token.key, first, &(now - reach..=now + reach).collect());
        pairs.retain(|k| token.key.code(k + 1) == next);
        let new = pairs.iter().copied().find(|k| *k > token.last);
        let k = new.ok_or_else(|| self.no_new(pairs.first().map(|k| k + 1)))?;
        let failures = self.succeeded();
        self.path = "done";
        let drift = signed(k + 1) - signed(now);
        let token = self.account.token.as_mut().unwrap();
        token.last = k + 1;
        token.drift = drift;
        let drift = i16::try_from(drift).unwrap();
        self.event(EventKind::Resynchronised { drift, failures });
        Ok(Given::Done)
    }
}

/// Section 10: a lost answer.
impl Turn<'_> {
    pub fn repeated(&mut self, attempt: Option<&Attempt>) -> Option<Proof> {
        let remembered = self.account.remembered.as_ref()?;
        let step = self.account.token.as_ref()?.key.step(self.now);
        if attempt? != &remembered.attempt
            || self.account.generation != remembered.generation
            || step > remembered.last_step
        {
            return None;
        }
        let proof = remembered.proof.clone();
        self.path = "repeated";
        self.event(EventKind::AnsweredAgain);
        Some(proof)
    }

    pub fn remember(&mut self, attempt: Option<Attempt>, proof: &Proof) {
        let Some(attempt) = attempt else { return };
        let behind = self.account.token.as_ref().unwrap().drift.min(0);
        let back = u64::from(self.policy.window().back()) + behind.unsigned_abs();
        self.account.remembered = Some(Remembered {
            attempt,
            generation: self.account.generation,
            last_step: proof.step.unwrap() + back,
            proof: proof.clone(),
        });
    }
}

/// The steps around now, and around the user's now where that is known to differ.
pub fn window(now: u64, drift: i64, policy: &Policy) -> BTreeSet<u64> {
    let (back, forward) = (policy.window().back(), policy.window().forward());
    let centres = [now, now.checked_add_signed(drift).unwrap()];
    let around = |centre| centre - u64::from(back)..=centre + u64::from(forward);
    centres.into_iter().flat_map(around).collect()
}

/// The steps whose code this is, the lowest first.
pub fn matching(key: &Key, code: &str, steps: &BTreeSet<u64>) -> Vec<u64> {
    let matches = |step: &u64| key.code(*step) == code;
    steps.iter().copied().filter(matches).collect()
}

pub fn length(key: &Key, code: &str) -> Result<(), No> {
    let expected = key.totp.digits();
    if code.len() == usize::from(expected.get()) {
        return Ok(());
    }
    Err(Rejection::CodeLength { expected }.into())
}

/// Kept to so many bytes, in whole characters; an empty name is none.
pub fn kept(name: Option<&str>, policy: &Policy) -> Option<String> {
    let mut name = name?.to_owned();
    while name.len() > policy.name_bytes() {
        name.pop();
    }
    Some(name).filter(|name| !name.is_empty())
}

fn signed(step: u64) -> i64 {
    i64::try_from(step).unwrap()
}
