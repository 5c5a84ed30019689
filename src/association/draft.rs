//! The toolbox of every operation: what it is decided in, and the record that it is deciding about.

use alloc::string::String;

use super::credential::{Attempt, Claims, Draw, Purpose, PurposeKind, Session, SessionKeys};
use super::names::Context;
use super::outcome::{
    Actor, Event, EventKind, Events, Evidence, Proof, Refusal, Rejection, SessionFlaw,
};
use super::state::{LastAnswer, Record, SpentSessions};
use crate::policy::Policy;
use crate::time::{Step, UnixTime};
use crate::totp::{Code, Totp, Verdict};

/// What an operation is decided in: whose record it is, by which policy, at what time.
///
/// ```
/// use softtoken::{Environment, Policy, Record, UnixTime};
/// use softtoken::association::{Operation, State, Status};
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
    policy: &'a Policy,
    now: UnixTime,
    keys: Option<&'a SessionKeys>,
}

impl<'a> Environment<'a> {
    /// Decides for this subject, by this policy, at this time, without keys: what takes or makes a session is refused as
    /// [`Rejection::InvalidSession`].
    #[must_use]
    pub fn new(subject: &'a str, policy: &'a Policy, now: UnixTime) -> Self {
        Self {
            subject,
            policy,
            now,
            keys: None,
        }
    }

    /// The same with the keys that sign sessions.
    #[must_use]
    pub fn with_sessions(mut self, keys: &'a SessionKeys) -> Self {
        self.keys = Some(keys);
        self
    }
}

/// A record that is being decided about. What was changed stays changed when the operation is refused.
#[derive(Debug)]
pub struct Draft<'a> {
    record: Record,
    changed: bool,
    environment: Environment<'a>,
    actor: Actor,
    events: Events,
}

impl<'a> Draft<'a> {
    pub(super) fn new(record: Record, environment: Environment<'a>, actor: Actor) -> Self {
        Self {
            record,
            changed: false,
            environment,
            actor,
            events: Events::default(),
        }
    }

    /// The record to store, where it was changed, and what happened.
    pub(super) fn close(self) -> (Option<Record>, Events) {
        (self.changed.then_some(self.record), self.events)
    }

    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    /// The record, to be written.
    pub(super) fn change(&mut self) -> &mut Record {
        self.changed = true;
        &mut self.record
    }

    pub(super) fn policy(&self) -> &'a Policy {
        self.environment.policy
    }

    pub(super) fn now(&self) -> UnixTime {
        self.environment.now
    }

    pub(super) fn event(&mut self, kind: EventKind) {
        self.events.push(Event {
            at: self.now(),
            actor: self.actor,
            kind,
        });
    }

    pub(super) fn refused(&mut self, refusal: Refusal) -> Rejection {
        let Refusal { rejection, flaw } = refusal;
        // These have events of their own, which say more.
        if !matches!(rejection, Rejection::Reused | Rejection::ClockBehind) {
            self.event(EventKind::Refused { rejection, flaw });
        }
        rejection
    }

    pub(super) fn claims(
        &self,
        session: &Session,
        purpose: Option<PurposeKind>,
    ) -> Result<Claims, SessionFlaw> {
        let Environment {
            subject, now, keys, ..
        } = self.environment;
        session.claims(keys, subject, purpose, now)
    }

    /// A session of the generation that the record now has.
    pub(super) fn issue(
        &self,
        draw: Draw,
        purpose: Purpose,
        context: Context,
    ) -> Result<Session, SessionFlaw> {
        let keys = self.environment.keys.ok_or(SessionFlaw::Forged)?;
        Ok(keys.issue(&Claims {
            subject: self.environment.subject.into(),
            context,
            purpose,
            generation: self.record.generation,
            expires: self.now().saturating_add(self.policy().session_lifetime()),
            nonce: draw.0,
        }))
    }

    pub(super) fn evidence(&self, context: Context, proof: Proof) -> Evidence {
        Evidence {
            subject: self.environment.subject.into(),
            context,
            proof,
        }
    }

    /// Whether software tokens may be set up at all.
    pub(super) fn software_tokens_allowed(&self) -> Result<(), Rejection> {
        if self.policy().software_tokens() {
            Ok(())
        } else {
            Err(Rejection::SoftwareTokenDisabled)
        }
    }

    /// As much of the name as the policy keeps, in whole characters; an empty one is none.
    pub(super) fn kept_name(&self, name: Option<&str>) -> Option<String> {
        let name = name?;
        let mut end = name.len().min(self.policy().name_bytes());
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        (end > 0).then(|| name[..end].into())
    }

    /// The one place where codes are judged: the throttle before, the count after.
    ///
    /// `verdict` is asked only where the throttle admits the attempt, the codes have the token's length, and the clock
    /// has not gone back behind the `floor` (the last accepted step and the drift of the token in force).
    pub(super) fn judge(
        &mut self,
        totp: Totp,
        codes: &[&Code],
        floor: Option<(Step, i16)>,
        verdict: impl FnOnce(Step) -> Verdict,
    ) -> Result<Accepted, Refusal> {
        let expected = totp.digits();
        if codes.iter().any(|code| code.digits() != expected) {
            return Err(Rejection::CodeLength { expected }.into());
        }
        let now = self.now();
        let limits = self.policy().throttle();
        self.record.throttle.admits(now, limits)?;

        let step = totp.step(now);
        if let Some((last, drift)) = floor {
            let ahead = i64::from(self.policy().window().forward()) + i64::from(drift.max(0)) + 1;
            if step.saturating_offset(ahead) < last {
                self.event(EventKind::ClockBehind { last });
                return Err(Rejection::ClockBehind.into());
            }
        }

        match verdict(step) {
            Verdict::Accepted { step, drift } => {
                let failures = self.record.throttle.streak;
                self.change().throttle.succeeded(now, limits);
                Ok(Accepted {
                    step,
                    drift,
                    failures,
                })
            }
            Verdict::Reused { step } => {
                self.event(EventKind::ReusedCode { step });
                Err(Rejection::Reused.into())
            }
            Verdict::Mismatch => {
                self.change().throttle.failed(now, limits);
                self.report_failure();
                Err(Rejection::Mismatch.into())
            }
        }
    }

    fn report_failure(&mut self) {
        let limits = self.policy().throttle();
        let count = self.record.throttle;
        if count.streak == limits.suspect_at {
            self.event(EventKind::PasswordProbablyKnown {
                failures: count.streak,
            });
        }
        if count.debt >= limits.debt_limit {
            self.event(EventKind::Locked);
        } else if count.not_before > self.now() {
            self.event(EventKind::Throttled {
                until: count.not_before,
            });
        }
    }

    /// The proof that this attempt was given before, where it is a repetition.
    pub(super) fn answered(&mut self, attempt: Option<Attempt>) -> Option<Proof> {
        let last = self.record.last_answer.as_ref()?;
        let proof = last.answer(attempt?, self.record.generation, self.now())?;
        self.event(EventKind::AnsweredAgain);
        Some(proof)
    }

    /// Keeps the proof for an attempt that may be repeated, until the code's window has passed.
    pub(super) fn remember(&mut self, attempt: Option<Attempt>, proof: Proof) {
        let (Some(attempt), Some(step), Ok(token)) = (attempt, proof.step, self.record.token())
        else {
            return;
        };
        let window = self.policy().window();
        let open_for = i64::from(window.back()) + (-i64::from(token.drift)).max(0) + 1;
        let until = token.totp.step_start(step.saturating_offset(open_for));
        let answer = LastAnswer::to(attempt, self.record.generation, until, proof);
        self.change().last_answer = Some(answer);
    }

    /// Whether another success within a session can be remembered. What is remembered was proven by a code each, so
    /// only its holder can get here.
    pub(super) fn has_room_for(&self, claims: Option<&Claims>) -> Result<(), Rejection> {
        let full = claims.and_then(|_| {
            self.record
                .spent
                .full_until(SpentSessions::MOST, self.now())
        });
        full.map_or(Ok(()), |until| Err(Rejection::Throttled { until }))
    }

    /// Raises the replay floor to an accepted step.
    pub(super) fn spend_step(&mut self, step: Step, drift: i16) {
        if let Some(token) = self.change().token_mut() {
            token.last_step = step;
            token.drift = drift;
        }
    }

    /// Ends a session by its success.
    pub(super) fn spend(&mut self, claims: Option<&Claims>) {
        if let Some(claims) = claims {
            let now = self.now();
            self.change().spent.spend(claims, now);
        }
    }

    /// How far ahead the user's clock is taken to be, once a code has been `drift` steps ahead.
    ///
    /// Success after success may teach at most [`MAX_LEARNED_DRIFT`], or a patient thief of codes would walk the window
    /// away; a drift that was set by resynchronising may be kept, and not exceeded.
    pub(super) fn learned(&self, known: i16, drift: i64) -> i16 {
        if !self.policy().learn_drift() {
            return known;
        }
        let limit = i64::from(known).abs().max(MAX_LEARNED_DRIFT);
        i16::try_from(drift.clamp(-limit, limit)).unwrap_or(known)
    }
}

/// In steps.
const MAX_LEARNED_DRIFT: i64 = 4;

/// A code that was accepted, its step not yet spent.
pub(super) struct Accepted {
    pub(super) step: Step,
    pub(super) drift: i64,
    /// Failures in a row before it.
    pub(super) failures: u32,
}
