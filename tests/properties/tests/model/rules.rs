//! The rules of the same: authority, sessions, guessing and drift in sections 5 to 8, and the
//! attempt key of section 10.

use std::collections::BTreeSet;

use softtoken::association::{EventKind, Method, Preference, SessionFlaw};
use softtoken::time::Step;
use softtoken::{Policy, Rejection, TokenId, UnixTime};

use crate::reading::{Attempt, Browser, LastAnswer, No, Proven, Purpose, Ticket, Token, Turn};
use crate::words::{By, Claimed, Cookie, Factor, Given, Grant, Key, Proof, ProvedBy, Shown, Told};

/// Section 5: authority.
impl Turn<'_> {
    /// That it is of any use: the subject's, of after the last reset, of no time to come.
    pub fn grant(&self, grant: &Grant) -> Result<(), No> {
        let second = grant.second.map_or(0, |(at, _)| at);
        let ahead = grant.first.max(second) > self.now + 60;
        if grant.subject != self.who || grant.first < self.account.grants_from || ahead {
            return Err(Rejection::NotAuthorized.into());
        }
        Ok(())
    }

    pub fn freshness(&self) -> Option<u64> {
        let within = self.policy.reauthenticate_within();
        within.map(|within| within.as_secs())
    }

    fn fresh(&self, at: u64, within: Option<u64>) -> Result<(), No> {
        if within.is_some_and(|within| self.now.saturating_sub(at) > within) {
            return Err(Rejection::ReauthenticationRequired.into());
        }
        Ok(())
    }

    /// When a second factor was shown that proves possession of what is in force.
    fn shown(&self, grant: &Grant) -> Option<u64> {
        let account = &*self.account;
        let shown = grant.second.filter(|(at, proved_by)| match proved_by {
            ProvedBy::Token(id) => account.token(*id).is_some(),
            ProvedBy::Generation(generation) => account
                .factors_from
                .is_none_or(|(from, _)| from <= *generation),
            ProvedBy::Time => {
                account.tokens.iter().any(|token| token.since < *at)
                    && account.factors_from.is_none_or(|(_, from)| from < *at)
            }
        });
        let proved = account.tokens.iter();
        // Nothing that a clock ahead has proven, which would be fresh for as long.
        let proved = proved.filter(|it| {
            grant.id.is_some() && it.proved_by == grant.id && it.since <= self.now + 60
        });
        let shown = shown.map(|(at, _)| at).into_iter();
        shown.chain(proved.map(|token| token.since)).max()
    }

    /// Possession where a token is in force, else the first factor; as lately as this.
    pub fn possession(&self, grant: &Grant, within: Option<u64>) -> Result<(), No> {
        let at = if self.account.tokens.is_empty() {
            grant.first
        } else {
            self.shown(grant).ok_or(Rejection::SecondFactorRequired)?
        };
        self.fresh(at, within)
    }

    /// Whether possession is waived.
    pub fn may_set_up(&self, grant: &Grant, within: Option<u64>) -> Result<bool, No> {
        let possession = self.possession(grant, within);
        match possession {
            Err(No {
                rejection: Rejection::SecondFactorRequired,
                ..
            }) if self.is_waived(grant) => {
                self.fresh(grant.first, within)?;
                Ok(true)
            }
            possession => possession.map(|()| false),
        }
    }

    fn is_waived(&self, grant: &Grant) -> bool {
        let account = &*self.account;
        self.policy.waive_possession_of_unasked_token()
            && account.tokens.len() == 1
            && !self.is_asked_for()
            && !account.preference().is_enabled()
            && !account.asked
            && grant.second.is_none()
            && grant.first >= account.tokens[0].since
            && grant.first >= account.off_from
    }

    /// Who may touch what is in force; no session does.
    pub fn owner(&self, by: &By) -> Result<(), No> {
        match by {
            By::Administrator => Ok(()),
            By::Session(shown) => self.session(shown, |_| false).map(|_| ()),
            By::Grant(grant) => {
                self.grant(grant)?;
                self.possession(grant, self.freshness())
            }
        }
    }

    /// Up protects only more; down needs possession always; the same value is a read.
    pub fn may_prefer(&self, grant: &Grant, from: Preference, to: Preference) -> Result<(), No> {
        if to > from {
            if self.policy.raise_preference_by_first_factor() {
                return Ok(());
            }
            return self.possession(grant, None);
        }
        if to == from {
            let shown = self.possession(grant, self.freshness());
            return shown.or_else(|_| self.fresh(grant.first, self.freshness()));
        }
        self.possession(grant, self.freshness())
    }
}

/// Section 6: challenge sessions.
impl Turn<'_> {
    pub fn session_end(&self, issued: u64) -> u64 {
        issued + self.policy.session_lifetime().as_secs()
    }

    pub fn issue(&mut self, purpose: Purpose, expires: u64, first_factor: u64) -> Claimed {
        let (subject, context) = (self.who, self.context);
        self.tickets.push(Ticket {
            subject,
            context,
            purpose,
            generation: self.account.generation,
            expires,
            first_factor,
        });
        Claimed {
            subject,
            context,
            expires,
            first_factor,
        }
    }

    /// What a handler does first that has only the text. What is wrong then is told before there is
    /// an operation, of the subject that the text names, if any.
    pub fn open(&mut self) -> Result<(), Rejection> {
        let Some(shown) = self.call.session().filter(|shown| shown.opened) else {
            return Ok(());
        };
        let (flaw, whose) = match shown.ticket.map(|number| &self.tickets[number]) {
            None => (SessionFlaw::Forged, None),
            Some(ticket) if !ticket.is_of(self.now) => (SessionFlaw::Expired, Some(ticket.subject)),
            Some(_) => return Ok(()),
        };
        let rejection = Rejection::InvalidSession;
        self.events.push(Told {
            whose,
            at: self.now,
            actor: "session",
            operation: "open",
            token: None,
            kind: EventKind::Refused {
                rejection,
                flaw: Some(flaw),
            },
        });
        self.way(&format!("{}_text", flaw.name()));
        Err(rejection)
    }

    /// That it is this subject's, in this context, for this purpose, and has not run out.
    pub fn session(&self, shown: &Shown, fits: impl Fn(Purpose) -> bool) -> Result<Ticket, No> {
        let ticket = shown.ticket.map(|number| self.tickets[number].clone());
        let ticket = ticket.ok_or(SessionFlaw::Forged)?;
        if ticket.subject != self.who {
            return Err(SessionFlaw::OtherSubject.into());
        }
        if ticket.context != self.context {
            return Err(SessionFlaw::OtherContext.into());
        }
        if !fits(ticket.purpose) {
            return Err(SessionFlaw::OtherPurpose.into());
        }
        if !ticket.is_of(self.now) {
            return Err(SessionFlaw::Expired.into());
        }
        Ok(ticket)
    }

    /// That nothing has ended it.
    pub fn alive(&self, shown: &Shown, ticket: &Ticket) -> Result<(), No> {
        if ticket.generation != self.account.generation {
            return Err(SessionFlaw::OtherGeneration.into());
        }
        let spent = |number| self.account.spent.contains_key(&number);
        if shown.ticket.is_some_and(spent) {
            return Err(SessionFlaw::Spent.into());
        }
        let pending = self.account.pending.as_ref().map(|it| it.id);
        match ticket.purpose {
            Purpose::SetupPending(id) if pending != Some(id) => {
                Err(SessionFlaw::OtherPending.into())
            }
            _ => Ok(()),
        }
    }

    /// Room in `spent`, which remembers 64.
    fn room(&self) -> Result<(), No> {
        let spent = self.account.spent.values();
        let alive: Vec<u64> = spent
            .copied()
            .filter(|expires| self.now < *expires)
            .collect();
        match alive.iter().min() {
            Some(first) if alive.len() >= 64 => {
                let until = UnixTime::from_secs(*first);
                Err(Rejection::Throttled { until }.into())
            }
            _ => Ok(()),
        }
    }

    /// What has run out by then needs no remembering.
    fn spend(&mut self, shown: &Shown, ticket: &Ticket) {
        let now = self.now;
        let spent = &mut self.account.spent;
        spent.retain(|_, expires| now < *expires);
        spent.extend(shown.ticket.map(|number| (number, ticket.expires)));
    }
}

/// Section 4: a remembered browser.
impl Turn<'_> {
    pub fn remember_browser(&mut self, evidence: usize) -> Given {
        let Proven {
            proof,
            generation,
            browsers_from,
        } = self.proofs[evidence].clone();
        let good = self.remembers.is_some()
            && proof.method == Method::SoftwareToken
            && proof.first_factor.is_some()
            && proof.context == self.context;
        self.way(if good { "done" } else { "nothing" });
        if good {
            let token = proof.token.unwrap();
            self.browsers.push(Browser {
                subject: proof.subject,
                context: proof.context,
                generation,
                browsers_from,
                token,
                issued: proof.at,
            });
            self.events.push(Told {
                whose: Some(proof.subject),
                at: self.now,
                actor: "application",
                operation: "remember",
                token: Some((token, proof.token_name)),
                kind: EventKind::BrowserRemembered,
            });
        }
        Given::Remembered(good)
    }

    /// The token that has let this browser in, where it is remembered still.
    pub fn remembered(&self, cookie: Option<&Cookie>) -> Option<TokenId> {
        let lifetime = self.remembers?;
        let browser = &self.browsers[cookie?.number?];
        let good = browser.subject == self.who
            && browser.context == self.context
            && browser.generation == self.account.generation
            && browser.browsers_from == self.account.browsers_from
            && browser.issued <= self.now
            && self.now < browser.issued + lifetime;
        good.then_some(browser.token)
    }
}

/// Section 7: guessing.
impl Turn<'_> {
    fn is_verified(&self) -> bool {
        !self.account.tokens.is_empty()
    }

    pub fn throttle(&self) -> Result<(), No> {
        if self.account.locked && self.is_verified() {
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
            self.way = "_paid_off".into();
        }
    }

    fn failed(&mut self) -> No {
        let throttle = *self.policy.throttle();
        self.pay_off();
        if self.account.debt == 0 {
            self.account.debt_since = self.now;
        }
        self.account.debt += 1;
        self.account.streak += 1;
        self.account.suspicion += 1;
        let failures = self.account.streak;
        let suspicion = self.account.suspicion;
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
        if failures >= throttle.suspect_at || suspicion >= throttle.suspicion_limit {
            self.event(EventKind::PasswordProbablyKnown {
                failures,
                suspicion,
            });
        }
        let in_a_row = failures >= throttle.streak_limit;
        self.account.locked = in_a_row || self.account.debt >= throttle.debt_limit;
        if self.account.locked && self.is_verified() {
            self.way = if in_a_row {
                "_locks_in_a_row"
            } else {
                "_locks"
            }
            .into();
            self.event(EventKind::Locked);
        } else if wait > 0 {
            let until = UnixTime::from_secs(self.account.not_before);
            self.event(EventKind::Throttled { until });
        }
        Rejection::Mismatch.into()
    }

    /// How many failures came before.
    fn succeeded(&mut self) -> u32 {
        self.pay_off();
        self.way.clear();
        self.account.debt = self.account.debt.saturating_sub(1);
        self.account.suspicion = self.account.suspicion.saturating_sub(1);
        self.account.not_before = 0;
        core::mem::take(&mut self.account.streak)
    }

    pub fn clear_throttle(&mut self) -> u32 {
        self.account.debt = 0;
        self.account.not_before = 0;
        self.account.locked = false;
        core::mem::take(&mut self.account.streak)
    }

    /// Accepts a factor within a session, if there is one, on this first factor.
    pub fn accept(
        &mut self,
        factor: &Factor,
        within: Option<(&Shown, &Ticket)>,
        first_factor: u64,
        login_id: Option<&str>,
        key: Option<u8>,
    ) -> Result<Given, No> {
        let mut attempt = None;
        if let Factor::Code(code) = factor {
            let number = within.and_then(|(shown, _)| shown.ticket);
            let (operation, codes) = (self.call.name(), vec![code.clone()]);
            attempt = key.map(|key| (key, operation, number, self.context, codes));
            if let Some(proven) = self.answered(attempt.as_ref(), login_id) {
                return Ok(self.given(proven));
            }
        }
        if let Some((shown, ticket)) = within {
            self.alive(shown, ticket)?;
        }
        self.verified()?;
        if within.is_some() {
            self.room()?;
        }
        let proof = |turn: &Self, method| turn.proof(method, Some(first_factor), login_id);
        let (proof, failures) = match factor {
            Factor::Code(code) => {
                let (id, step, failures) = self.accept_code(code)?;
                let proof = Proof {
                    token: Some(id),
                    step: Some(step),
                    ..proof(self, Method::SoftwareToken)
                };
                (proof, failures)
            }
            Factor::RecoveryCode(code) => {
                let (method, failures) = self.accept_recovery_code(code)?;
                let left = u32::try_from(self.account.recovery.len()).unwrap();
                let proof = Proof {
                    recovery_codes_left: Some(left),
                    end_other_logins: true,
                    ..proof(self, method)
                };
                (proof, failures)
            }
            Factor::Vouched => {
                let failures = self.accept_vouched();
                let proof = Proof {
                    amr: vec!["hwk", "user"],
                    ..proof(self, Method::Vouched)
                };
                (proof, failures)
            }
            Factor::VouchedRecoveryCode { matched } => {
                self.may_recover()?;
                if !matched {
                    return Err(self.wrong_recovery_code());
                }
                let failures = self.accept_vouched();
                self.account.wrong = 0;
                self.account.forget_browsers();
                let proof = Proof {
                    end_other_logins: true,
                    ..proof(self, Method::Vouched)
                };
                (proof, failures)
            }
        };
        if let Some((shown, ticket)) = within {
            self.spend(shown, ticket);
        }
        self.account.asked = true;
        let method = proof.method;
        let signed_in = EventKind::SignedIn { method, failures };
        match proof.token {
            Some(id) => self.event_about(signed_in, id),
            None => self.event(signed_in),
        }
        let proven = self.proven(proof);
        self.remember(attempt, &proven);
        Ok(self.given(proven))
    }

    /// Judges a code against every token in force, and spends its step. Returns the token that is
    /// named, the step, and the failures before.
    fn accept_code(&mut self, code: &str) -> Result<(TokenId, u64, u32), No> {
        let tokens = self.tokens_to_judge(&[code])?;
        let (now, policy) = (self.now, self.policy);
        let found = tokens.into_iter().map(|token| {
            let window = window(token.key.step(now), token.drift, &policy);
            let steps = matching(&token.key, code, &window);
            (token, steps)
        });
        let found: Vec<_> = found.collect();
        let new = |(token, steps): &(Token, Vec<u64>)| {
            let new = steps.iter().copied().find(|step| *step > token.last);
            new.map(|step| (token.id, step))
        };
        let accepted: Vec<_> = found.iter().filter_map(new).collect();
        let Some((id, step)) = accepted.first().copied() else {
            let reused = found.iter().find(|(_, steps)| !steps.is_empty());
            return Err(self.no_new(reused.map(|(token, steps)| (token.id, steps[0]))));
        };
        let failures = self.succeeded();
        let before = self.account.token(id).unwrap();
        let punctual = window(before.key.step(now), 0, &policy).contains(&step);
        self.way(match (punctual, failures) {
            (true, 0) => "at_once",
            (true, _) => "after_failures",
            (false, _) => "by_the_drift",
        });
        if self.account.tokens.len() > 1 {
            self.way("_of_several");
        }
        if accepted.len() > 1 {
            self.way("_with_its_code");
        }
        for (id, step) in accepted {
            let learn = policy.learn_drift();
            let mut tokens = self.account.tokens.iter_mut();
            let token = tokens.find(|token| token.id == id).unwrap();
            token.last = step;
            token.last_used = Some(now);
            if learn {
                token.drift = learned(token.drift, step, token.key.step(now));
            }
        }
        Ok((id, step, failures))
    }

    /// Those in force that a code may be one of: of its length, under the throttle, the clock not
    /// behind.
    fn tokens_to_judge(&mut self, codes: &[&str]) -> Result<Vec<Token>, No> {
        let tokens = self.account.tokens.clone();
        let fits = |token: &Token| codes.iter().all(|code| has_length(&token.key, code));
        if !tokens.iter().any(fits) {
            let expected = tokens[0].key.totp.digits();
            return Err(Rejection::CodeLength { expected }.into());
        }
        self.throttle()?;
        let fitting: Vec<_> = tokens.into_iter().filter(fits).collect();
        let forward = i64::from(self.policy.window().forward());
        let behind = |token: &Token| {
            let ahead = forward + token.drift.max(0) + 1;
            signed(token.key.step(self.now)) + ahead < signed(token.last)
        };
        if fitting.iter().all(behind) {
            let last = fitting.iter().map(|token| token.last).max().unwrap();
            let last = Step::new(last);
            self.event(EventKind::ClockBehind { last });
            return Err(Rejection::ClockBehind.into());
        }
        Ok(fitting.into_iter().filter(|it| !behind(it)).collect())
    }

    fn no_new(&mut self, reused: Option<(TokenId, u64)>) -> No {
        let Some((id, step)) = reused else {
            return self.failed();
        };
        let step = Step::new(step);
        self.event_about(EventKind::ReusedCode { step }, id);
        Rejection::Reused.into()
    }

    fn may_recover(&self) -> Result<(), No> {
        let limit = self.policy.recovery_limit();
        if limit.is_some_and(|limit| self.account.wrong >= limit) {
            return Err(Rejection::RecoveryLocked.into());
        }
        Ok(())
    }

    /// The method that it was, and the failures before.
    fn accept_recovery_code(&mut self, code: &str) -> Result<(Method, u32), No> {
        self.may_recover()?;
        let of_set = self.account.recovery.iter().position(|it| it == code);
        let temporary = self.account.temporary(self.now);
        let is_temporary = temporary.is_some_and(|(it, _)| it == code);
        let method = if let Some(position) = of_set {
            self.account.recovery.remove(position);
            Method::RecoveryCode
        } else if is_temporary {
            self.account.temporary = None;
            Method::TemporaryCode
        } else if self.account.recovery.is_empty() && temporary.is_none() {
            self.way = "_of_none".into();
            return Err(Rejection::Mismatch.into());
        } else {
            return Err(self.wrong_recovery_code());
        };
        self.way(match (method, self.account.locked) {
            (Method::TemporaryCode, false) => "temporary_code",
            (Method::TemporaryCode, true) => "temporary_code_locked",
            (_, false) => "recovery_code",
            (_, true) => "recovery_code_locked",
        });
        let left = u32::try_from(self.account.recovery.len()).unwrap();
        let temporary = method == Method::TemporaryCode;
        self.event(EventKind::RecoveryCodeUsed { left, temporary });
        self.account.wrong = 0;
        self.account.forget_browsers();
        self.account.suspicion = self.account.suspicion.saturating_sub(1);
        Ok((method, self.clear_throttle()))
    }

    fn wrong_recovery_code(&mut self) -> No {
        self.way = "_of_recovery".into();
        self.account.wrong = (self.account.wrong + 1).min(100);
        let failures = self.account.wrong;
        if failures >= self.policy.throttle().suspect_at {
            let suspicion = self.account.suspicion;
            self.event(EventKind::PasswordProbablyKnown {
                failures,
                suspicion,
            });
        }
        Rejection::Mismatch.into()
    }

    /// It counts as one success, and ends a lock.
    fn accept_vouched(&mut self) -> u32 {
        let locked = self.account.locked;
        let failures = self.succeeded();
        self.account.locked = false;
        self.way(if locked { "vouched_locked" } else { "vouched" });
        self.event(EventKind::Vouched);
        failures
    }

    /// Judges a code, or two in a row, against a pending secret. Returns the step that is spent,
    /// the drift, and the failures before.
    pub fn prove(
        &mut self,
        key: &Key,
        code: &str,
        next: Option<&str>,
    ) -> Result<(u64, i64, u32), No> {
        if [Some(code), next]
            .iter()
            .flatten()
            .any(|code| !has_length(key, code))
        {
            let expected = key.totp.digits();
            return Err(Rejection::CodeLength { expected }.into());
        }
        self.throttle()?;
        let now = key.step(self.now);
        let learn = self.policy.learn_drift();
        let (step, drift) = match next {
            None => {
                let steps = matching(key, code, &window(now, 0, &self.policy));
                let step = *steps.first().ok_or_else(|| self.failed())?;
                (step, if learn { learned(0, step, now) } else { 0 })
            }
            Some(next) => {
                let pairs = pairs(key, code, next, self.now, &self.policy);
                let k = *pairs.first().ok_or_else(|| self.failed())?;
                (k + 1, signed(k + 1) - signed(now))
            }
        };
        Ok((step, drift, self.succeeded()))
    }
}

/// Section 8: clocks that drift.
impl Turn<'_> {
    pub fn resynchronise(&mut self, by: &By, first: &str, next: &str) -> Result<Given, No> {
        match by {
            By::Administrator => {}
            By::Grant(grant) => {
                self.grant(grant)?;
                self.fresh(grant.first, self.freshness())?;
            }
            By::Session(shown) => {
                let ticket = self.session(shown, |it| it == Purpose::SoftwareToken)?;
                self.alive(shown, &ticket)?;
            }
        }
        self.verified()?;
        let tokens = self.tokens_to_judge(&[first, next])?;
        let found = tokens.into_iter().map(|token| {
            let pairs = pairs(&token.key, first, next, self.now, &self.policy);
            (token, pairs)
        });
        let found: Vec<_> = found.filter(|(_, pairs)| !pairs.is_empty()).collect();
        let fresh = found.iter().filter_map(|(token, pairs)| {
            let new = pairs.iter().copied().find(|k| *k > token.last);
            new.map(|k| (token.id, k))
        });
        let (id, k) = match fresh.collect::<Vec<_>>().as_slice() {
            [] => {
                let reused = found.first().map(|(token, pairs)| (token.id, pairs[0] + 1));
                return Err(self.no_new(reused));
            }
            [one] => *one,
            // Which clock drifts is not known.
            _ => {
                let no = self.failed();
                self.way("_ambiguous");
                return Err(no);
            }
        };
        let failures = self.succeeded();
        self.way("done");
        if self.account.tokens.len() > 1 {
            self.way("_of_several");
        }
        let now = self.now;
        let token = self.account.tokens.iter_mut().find(|token| token.id == id);
        let token = token.unwrap();
        token.last = k + 1;
        token.last_used = Some(now);
        token.drift = signed(k + 1) - signed(token.key.step(now));
        let drift = i16::try_from(token.drift).unwrap();
        self.event_about(EventKind::Resynchronised { drift, failures }, id);
        Ok(Given::Done)
    }
}

/// Section 10: a lost answer.
impl Turn<'_> {
    pub fn answered(
        &mut self,
        attempt: Option<&Attempt>,
        login_id: Option<&str>,
    ) -> Option<Proven> {
        let last = self.account.last_answer.clone()?;
        if attempt? != &last.attempt
            || self.account.generation != last.generation
            || self.now / last.period > last.last_step
            || last.proven.proof.at > self.now + 60
        {
            return None;
        }
        let mut proven = last.proven.clone();
        // Which login repeats it, its own grant says; the token's name may have changed meanwhile.
        proven.proof.login_id = login_id.map(str::to_owned);
        let token = proven.proof.token.and_then(|id| self.account.token(id));
        proven.proof.token_name = token.and_then(|token| token.name.clone());
        self.way("repeated");
        self.event_about(EventKind::AnsweredAgain, last.proven.proof.token.unwrap());
        Some(proven)
    }

    pub fn remember(&mut self, attempt: Option<Attempt>, proven: &Proven) {
        let Some(attempt) = attempt else { return };
        let token = self.account.token(proven.proof.token.unwrap()).unwrap();
        let behind = token.drift.min(0).unsigned_abs();
        let back = u64::from(self.policy.window().back()) + behind;
        self.account.last_answer = Some(LastAnswer {
            attempt,
            generation: self.account.generation,
            last_step: proven.proof.step.unwrap() + back,
            period: token.key.period(),
            proven: proven.clone(),
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

/// The steps within reach whose code is the first and whose next step's code is the second.
fn pairs(key: &Key, first: &str, next: &str, now: u64, policy: &Policy) -> Vec<u64> {
    let now = key.step(now);
    let reach = u64::from(policy.resynchronise_reach());
    let mut pairs = matching(key, first, &(now - reach..=now + reach).collect());
    pairs.retain(|k| key.code(k + 1) == next);
    pairs
}

/// What resynchronising has set may stay, or the next success would undo it.
fn learned(known: i64, step: u64, now: u64) -> i64 {
    let most = known.abs().max(4);
    (signed(step) - signed(now)).clamp(-most, most)
}

pub fn has_length(key: &Key, code: &str) -> bool {
    code.len() == usize::from(key.totp.digits().get())
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
