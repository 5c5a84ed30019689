//! Holds the toolbox of every operation: the environment that it is decided in, the record that it
//! changes, the one judgement of codes.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::association::credential::{
    Attempt, BrowserKeys, BrowserText, ChallengeSession, Claims, Draw, Purpose, PurposeKind,
    SessionKeys,
};
use crate::association::names::{Context, LoginId, TokenId, TokenName};
use crate::association::outcome::{
    Actor, Event, EventKind, Events, Evidence, NamedToken, Proof, Proven, Refusal, Rejection,
    SessionFlaw,
};
use crate::association::state::{LastAnswer, Pending, Record, Token};
use crate::policy::Policy;
use crate::time::{Step, UnixTime};
use crate::totp::{Code, Secret, Totp, Verdict, Verifier};

/// Holds what an operation is decided in: the subject, the policy, the time, and the context.
///
/// ```
/// use softtoken::association::{Environment, Operation, Record, State, Status};
/// use softtoken::{Policy, UnixTime};
///
/// let now = UnixTime::from_secs(1_700_000_000);
/// let environment = Environment::new("alice", &Policy::STANDARD, now);
/// let transition = Status.apply(Record::default(), &environment);
/// assert_eq!(transition.outcome?.state, State::Unassociated);
/// assert!(transition.next.is_none());
/// # Ok::<(), softtoken::Rejection>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Environment<'a> {
    subject: &'a str,
    /// Holds the subject once more where it can be shared.
    shared: Option<&'a Arc<str>>,
    policy: &'a Policy,
    now: UnixTime,
    context: &'a Context,
    sessions: Option<&'a SessionKeys>,
    browsers: Option<(&'a BrowserKeys, Duration)>,
}

impl<'a> Environment<'a> {
    /// Decides for this subject, by this policy, at this time. Without keys, what takes or makes a
    /// challenge session is refused as [`Rejection::InvalidSession`].
    #[must_use]
    pub fn new(subject: &'a str, policy: &'a Policy, now: UnixTime) -> Self {
        Self {
            subject,
            shared: None,
            policy,
            now,
            context: &Context::NONE,
            sessions: None,
            browsers: None,
        }
    }

    /// Decides for this subject, whose name what is made shares.
    pub(crate) fn of(subject: &'a Arc<str>, policy: &'a Policy, now: UnixTime) -> Self {
        Self {
            shared: Some(subject),
            ..Self::new(subject, policy, now)
        }
    }

    /// Signs challenge sessions with these keys, in this context.
    #[must_use]
    pub fn with_sessions(mut self, keys: &'a SessionKeys, context: &'a Context) -> Self {
        self.sessions = Some(keys);
        self.context = context;
        self
    }

    pub(crate) fn in_context(mut self, context: &'a Context) -> Self {
        self.context = context;
        self
    }

    /// Accepts browsers that these keys remember, for so long after they were.
    #[must_use]
    pub fn with_browsers(mut self, keys: &'a BrowserKeys, lifetime: Duration) -> Self {
        self.browsers = Some((keys, lifetime));
        self
    }
}

/// Holds a record that is being decided about. A change stays when the operation is refused.
#[derive(Debug)]
pub struct Draft<'a> {
    // Where it lies: a record is worth not moving.
    record: &'a mut Record,
    changed: bool,
    environment: Environment<'a>,
    operation: &'static str,
    actor: Actor,
    events: Events,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        record: &'a mut Record,
        environment: Environment<'a>,
        operation: &'static str,
        actor: Actor,
    ) -> Self {
        Self {
            record,
            changed: false,
            environment,
            operation,
            actor,
            events: Events::default(),
        }
    }

    /// Returns whether the record changed, and the events.
    pub(super) fn close(self) -> (bool, Events) {
        (self.changed, self.events)
    }

    pub(super) fn record(&self) -> &Record {
        self.record
    }

    /// Returns the record, to be changed.
    pub(super) fn change(&mut self) -> &mut Record {
        self.changed = true;
        self.record
    }

    pub(super) fn policy(&self) -> &'a Policy {
        self.environment.policy
    }

    pub(super) fn now(&self) -> UnixTime {
        self.environment.now
    }

    /// Returns within what time a grant's factor must have been shown.
    pub(super) fn freshness(&self) -> Option<Duration> {
        self.policy().reauthenticate_within()
    }

    pub(super) fn subject(&self) -> &'a str {
        self.environment.subject
    }

    pub(super) fn context(&self) -> &'a Context {
        self.environment.context
    }

    pub(super) fn event(&mut self, kind: EventKind) {
        self.event_about(kind, None);
    }

    pub(super) fn event_about(&mut self, kind: EventKind, token: Option<NamedToken>) {
        self.events.push(Event {
            at: self.now(),
            actor: self.actor.clone(),
            operation: self.operation,
            token,
            kind,
        });
    }

    pub(super) fn refused(&mut self, refusal: Refusal) -> Rejection {
        let Refusal { rejection, flaw } = refusal;
        // These have events of their own, which say more.
        if !matches!(rejection, Rejection::Reused | Rejection::ClockBehind) {
            self.event(EventKind::Refused { rejection, flaw });
        }
        // Told every time: a caller that hung up as the lock was stored was told nothing.
        if rejection == Rejection::Locked {
            self.event(EventKind::Locked);
        }
        rejection
    }

    pub(super) fn claims(
        &self,
        session: &ChallengeSession,
        purpose: Option<PurposeKind>,
    ) -> Result<Claims, SessionFlaw> {
        let Environment {
            subject,
            now,
            sessions,
            context,
            ..
        } = self.environment;
        session.claims(sessions, subject, context, purpose, now)
    }

    /// Issues a session of the generation that the record now has.
    pub(super) fn issue(
        &self,
        draw: Draw,
        purpose: Purpose,
        expires: UnixTime,
        first_factor: UnixTime,
    ) -> Result<ChallengeSession, SessionFlaw> {
        let keys = self.environment.sessions.ok_or(SessionFlaw::Forged)?;
        Ok(keys.issue(Claims {
            subject: self.subject().into(),
            context: self.context().clone(),
            purpose,
            generation: self.record.generation,
            expires,
            nonce: draw.0,
            first_factor,
        }))
    }

    /// Returns whether no server whose clock is right has given a time.
    pub(super) fn lies_ahead(&self, at: UnixTime) -> bool {
        at.lies_ahead(self.now())
    }

    /// Returns when a session that is issued at this time ends.
    pub(super) fn session_end(&self, issued: UnixTime) -> UnixTime {
        issued.saturating_add(self.policy().session_lifetime())
    }

    /// Returns the token by which this view has remembered the browser that shows this text, while
    /// it is good.
    pub(super) fn remembered(&self, text: &BrowserText) -> Option<&Token> {
        let (keys, lifetime) = self.environment.browsers?;
        let browser = keys.open(text)?;
        let record = &*self.record;
        let now = self.now();
        let is_good = browser.subject == self.subject()
            && browser.context == *self.context()
            && browser.generation == record.generation
            && browser.browsers_from == record.browsers_from
            && browser.issued <= now
            && now < browser.issued.saturating_add(lifetime);
        record.token(browser.token).ok().filter(|_| is_good)
    }

    /// Makes the evidence for a proof, of the record as it now is.
    #[inline]
    pub(super) fn evidence(&self, proof: Proof, login_id: Option<LoginId>) -> Evidence {
        let token = proof.token.and_then(|id| self.record.token(id).ok());
        Evidence(Box::new(Proven {
            subject: self
                .environment
                .shared
                .map_or_else(|| self.subject().into(), Arc::clone),
            context: self.context().clone(),
            proof,
            amr: Cow::Borrowed(proof.amr()),
            token_name: token.and_then(|token| token.name.clone()),
            generation: self.record.generation,
            browsers_from: self.record.browsers_from,
            login_id,
            recovery_codes_left: None,
        }))
    }

    /// Checks that software tokens may be set up at all.
    pub(super) fn software_tokens_allowed(&self) -> Result<(), Rejection> {
        if self.policy().software_tokens() {
            Ok(())
        } else {
            Err(Rejection::SoftwareTokenDisabled)
        }
    }

    /// Returns as much of the name as the policy keeps, in whole characters; an empty one is none.
    pub(super) fn kept_name(&self, name: Option<&str>) -> Option<TokenName> {
        let name = name?;
        let mut end = name.len().min(self.policy().name_bytes());
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        (end > 0).then(|| name[..end].into())
    }

    /// Returns the names of the tokens in force that have one.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self.record.tokens.iter();
        names
            .filter_map(|token| token.name.as_deref().map(String::from))
            .collect()
    }

    /// Returns a token in force as an event names it.
    pub(super) fn named(&self, id: Option<TokenId>) -> Option<NamedToken> {
        Some(self.record.token(id?).ok()?.named())
    }

    /// Judges what was typed against every token in force.
    pub(super) fn judge_tokens(&mut self, typed: Typed<'_>) -> Result<Judged, Refusal> {
        let mut verdicts = self.examine(typed, self.record.tokens.iter().map(Key::of_token))?;
        if matches!(typed, Typed::Pair(..)) {
            verdicts.refuse_ambiguity();
        }
        self.count(verdicts)
    }

    /// Judges what was typed against a secret that waits for its first code.
    pub(super) fn judge_pending(
        &mut self,
        typed: Typed<'_>,
        pending: &Pending,
    ) -> Result<Judged, Refusal> {
        let verdicts = self.examine(typed, core::iter::once(Key::of_pending(pending)))?;
        self.count(verdicts)
    }

    /// Judges codes, the one place that does, against all the keys to the end: only where a code
    /// has the length of one of them, the throttle admits the attempt, and the clock has not gone
    /// back behind them all.
    fn examine<'k>(
        &self,
        typed: Typed<'_>,
        keys: impl Iterator<Item = Key<'k>> + Clone,
    ) -> Result<Verdicts, Rejection> {
        let policy = self.policy();
        let now = self.now();
        if !keys.clone().any(|key| typed.fits(key.totp))
            && let Some(first) = keys.clone().next()
        {
            let expected = first.totp.digits();
            return Err(Rejection::CodeLength { expected });
        }
        self.record
            .throttle
            .admits(now, self.record.is_verified(), policy.throttle())?;

        let mut verdicts = Verdicts::default();
        for (index, key) in keys.enumerate().filter(|(_, key)| typed.fits(key.totp)) {
            let step = key.totp.step(now);
            match key.floor {
                Some(last) if key.is_ahead_of(step, policy) => {
                    verdicts.behind = verdicts.behind.max(Some(last));
                }
                _ => verdicts.note(index, key.verdict(typed, step, policy)),
            }
        }
        Ok(verdicts)
    }

    /// Counts the verdicts in the throttle, and records the events.
    fn count(&mut self, verdicts: Verdicts) -> Result<Judged, Refusal> {
        let (now, limits) = (self.now(), self.policy().throttle());
        let Verdicts {
            judged,
            accepted,
            reused,
            behind,
        } = verdicts;
        if accepted.first.is_some() {
            let failures = self.record.throttle.streak;
            self.change().throttle.succeeded(now, limits);
            Ok(Judged { accepted, failures })
        } else if let Some((index, step)) = reused {
            let token = self.record.tokens.get(index).map(Token::named);
            self.event_about(EventKind::ReusedCode { step }, token);
            Err(Rejection::Reused.into())
        } else if let Some(last) = behind.filter(|_| judged == 0) {
            self.event(EventKind::ClockBehind { last });
            Err(Rejection::ClockBehind.into())
        } else {
            self.change().throttle.failed(now, limits);
            self.report_failure();
            Err(Rejection::Mismatch.into())
        }
    }

    fn report_failure(&mut self) {
        let limits = self.policy().throttle();
        let count = self.record.throttle;
        if count.is_suspicious(limits) {
            self.event(EventKind::PasswordProbablyKnown {
                failures: count.streak,
                suspicion: count.suspicion,
            });
        }
        if self.record.is_verified() && count.is_locked(limits) {
            self.event(EventKind::Locked);
        } else if count.not_before > self.now() {
            self.event(EventKind::Throttled {
                until: count.not_before,
            });
        }
    }

    /// Returns the proof that this attempt was given before, where it is a repetition.
    pub(super) fn answered(&mut self, attempt: Option<Attempt>) -> Option<Proof> {
        let last = self.record.last_answer.as_ref()?;
        let proof = last.answer(attempt?, self.record.generation, self.now())?;
        // It would be repeated for as long as the clock was ahead.
        if self.lies_ahead(proof.at) {
            return None;
        }
        self.event_about(EventKind::AnsweredAgain, self.named(proof.token));
        Some(proof)
    }

    /// Keeps the proof for an attempt that may be repeated, until the code's window has passed.
    pub(super) fn remember(&mut self, attempt: Option<Attempt>, proof: Proof) {
        let (Some(attempt), Some(step), Some(id)) = (attempt, proof.step, proof.token) else {
            return;
        };
        let Ok(token) = self.record.token(id) else {
            return;
        };
        let window = self.policy().window();
        let open_for = i64::from(window.back()) + (-i64::from(token.drift)).max(0) + 1;
        let until = token.totp.step_start(step.saturating_offset(open_for));
        let generation = self.record.generation;
        let answer = LastAnswer::to(attempt, generation, until, proof);
        self.change().last_answer = Some(Box::new(answer));
    }

    /// Checks that another success within a session can be remembered. Each one was proven by a
    /// factor, so nobody fills the list who has none.
    pub(super) fn has_room_for(&self, claims: Option<&Claims>) -> Result<(), Rejection> {
        let full = claims.and_then(|_| self.record.spent.full_until(self.now()));
        full.map_or(Ok(()), |until| Err(Rejection::Throttled { until }))
    }

    /// Raises the replay floor of every token that a code was accepted for, and answers with the
    /// first of them.
    pub(super) fn spend_steps(&mut self, judged: &Judged) -> Option<(TokenId, Step)> {
        let now = self.now();
        let mut first = None;
        for (index, accepted) in judged.matches() {
            let known = self.record.tokens.get(index).map_or(0, |token| token.drift);
            let drift = self.learned(known, accepted.drift);
            if let Some(token) = self.change().tokens.get_mut(index) {
                token.last_step = accepted.step;
                token.last_used = Some(now);
                token.drift = drift;
                first = first.or(Some((token.id, accepted.step)));
            }
        }
        first
    }

    /// Ends a session by its success.
    pub(super) fn spend(&mut self, claims: Option<&Claims>) {
        if let Some(claims) = claims {
            let now = self.now();
            self.change().spent.spend(claims, now);
        }
    }

    /// Returns how far ahead the user's clock is taken to be, once a code has been `drift` steps
    /// ahead.
    ///
    /// Success after success may teach at most [`MAX_LEARNED_DRIFT`], or a patient thief of codes
    /// would walk the window away; a drift that was set by resynchronising may be kept, and not
    /// exceeded.
    pub(super) fn learned(&self, known: i16, drift: i64) -> i16 {
        if !self.policy().learn_drift() {
            return known;
        }
        let limit = i64::from(known).abs().max(MAX_LEARNED_DRIFT);
        i16::try_from(drift.clamp(-limit, limit)).unwrap_or(known)
    }
}

/// Bounds the learned drift, in steps.
const MAX_LEARNED_DRIFT: i64 = 4;

/// Holds what a user typed from a display.
#[derive(Clone, Copy)]
pub(super) enum Typed<'a> {
    One(&'a Code),
    /// Holds a code, and the one that the display showed after it.
    Pair(&'a Code, &'a Code),
}

impl Typed<'_> {
    fn fits(self, totp: Totp) -> bool {
        match self {
            Self::One(code) => code.digits() == totp.digits(),
            Self::Pair(code, next) => [code, next]
                .iter()
                .all(|code| code.digits() == totp.digits()),
        }
    }
}

/// Holds what codes are judged by.
#[derive(Clone, Copy)]
struct Key<'k> {
    secret: &'k Secret,
    totp: Totp,
    floor: Option<Step>,
    drift: i16,
}

impl<'k> Key<'k> {
    fn of_token(token: &'k Token) -> Self {
        Self {
            secret: &token.secret,
            totp: token.totp,
            floor: Some(token.last_step),
            drift: token.drift,
        }
    }

    fn of_pending(pending: &'k Pending) -> Self {
        Self {
            secret: &pending.secret,
            totp: pending.totp,
            floor: None,
            drift: 0,
        }
    }

    /// Returns whether the key's floor lies further ahead than any code that could have been
    /// accepted by now.
    fn is_ahead_of(&self, step: Step, policy: &Policy) -> bool {
        let reach = i64::from(policy.window().forward()) + i64::from(self.drift.max(0)) + 1;
        self.floor
            .is_some_and(|last| step.saturating_offset(reach) < last)
    }

    fn verdict(&self, typed: Typed<'_>, step: Step, policy: &Policy) -> Verdict {
        match typed {
            Typed::One(code) => {
                let window = policy.window().with_drift(self.drift);
                Verifier::verify_once(self.secret, self.totp, code, step, window, self.floor)
            }
            Typed::Pair(code, next) => {
                let verifier = Verifier::new(self.secret, self.totp);
                let reach = policy.resynchronise_reach();
                verifier.verify_pair(code, next, step, reach, self.floor)
            }
        }
    }
}

/// Holds a code that was accepted for a key, its step not yet spent.
#[derive(Clone, Copy)]
pub(super) struct Accepted {
    pub(super) step: Step,
    pub(super) drift: i64,
}

/// Holds what became of a code at each key.
#[derive(Default)]
struct Verdicts {
    judged: usize,
    accepted: Matches,
    /// Holds the first key at which the code was reused, and the step.
    reused: Option<(usize, Step)>,
    /// Holds the highest floor that the clock has not reached.
    behind: Option<Step>,
}

impl Verdicts {
    fn note(&mut self, index: usize, verdict: Verdict) {
        self.judged += 1;
        match verdict {
            Verdict::Accepted { step, drift } => {
                self.accepted.push((index, Accepted { step, drift }));
            }
            Verdict::Reused { step } => self.reused = self.reused.or(Some((index, step))),
            Verdict::Mismatch => {}
        }
    }

    /// Refuses two codes in a row that several keys showed: they tell nothing of the clock of any.
    fn refuse_ambiguity(&mut self) {
        if !self.accepted.others.is_empty() {
            self.accepted = Matches::default();
            self.reused = None;
        }
    }
}

/// Holds the keys at which a code was accepted, in their order: nearly always one.
#[derive(Default)]
struct Matches {
    first: Option<(usize, Accepted)>,
    others: Vec<(usize, Accepted)>,
}

impl Matches {
    fn push(&mut self, accepted: (usize, Accepted)) {
        if self.first.is_none() {
            self.first = Some(accepted);
        } else {
            self.others.push(accepted);
        }
    }
}

/// Holds a code that was accepted and counted as a success, its steps not yet spent.
pub(super) struct Judged {
    accepted: Matches,
    /// Counts failures in a row before the success.
    pub(super) failures: u32,
}

impl Judged {
    /// Returns the keys at which the code was accepted, in their order.
    pub(super) fn matches(&self) -> impl Iterator<Item = (usize, Accepted)> {
        let Matches { first, others } = &self.accepted;
        first.iter().chain(others).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_codes_that_two_tokens_match_are_no_reuse_of_a_third_ones() {
        let accepted = Verdict::Accepted {
            step: Step::new(8),
            drift: 1,
        };
        let reused = Verdict::Reused { step: Step::new(8) };
        let mut verdicts = Verdicts::default();
        for (index, verdict) in [reused, accepted, accepted].into_iter().enumerate() {
            verdicts.note(index, verdict);
        }
        verdicts.refuse_ambiguity();
        assert!(verdicts.accepted.first.is_none());
        assert_eq!((verdicts.reused, verdicts.judged), (None, 3));
    }
}
