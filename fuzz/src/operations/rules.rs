//! What holds of every operation, whatever came before it.

use core::fmt::Debug;
use std::sync::LazyLock;

use softtoken::association::{
    BrowserKeys, Enrolled, Environment, Event, EventKind, ImportedToken, Issued, Method, Operation,
    Record, RecoveryCodes, State, Status, StatusReport, Transition,
};
use softtoken::time::Step;
use softtoken::totp::{Code, Verifier};
use softtoken::{
    Challenge, ChallengeSession, Context, Evidence, Grant, RecoveryCode, Rejection, Requirement,
    SessionKeys, SignedIn, record,
};

use super::Player;
use super::kept::Kept;
use crate::world::{self, BROWSER_KEY, MONTH, SESSION_KEY, SUBJECT};

/// On whose authority an operation is asked for.
#[derive(Clone)]
pub(super) enum By {
    Grant(Grant),
    Session(ChallengeSession),
    Administrator,
}

/// What a factor was, as the player knows it.
pub(super) enum Shown {
    Code(Code),
    /// The code after the one before.
    Pair(Code),
    RecoveryCode(String),
    Vouched,
    NotVouched,
}

/// What an operation is asked to do, as far as the rules depend on it.
#[derive(Default)]
pub(super) struct Asked {
    by: Option<By>,
    pub(super) shown: Vec<Shown>,
    attempt: Option<u8>,
    may: Vec<May>,
}

/// What an operation may do that others may not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    /// Make a secret wait that did not before.
    SetUp,
    /// Put the secret that waits in force.
    Verify,
    /// Put a token in force that nobody has proven here.
    BringIn,
    /// Take a token out of force.
    Remove,
    /// Complete a sign-in by the code that has set a token up.
    Finish,
}

impl Asked {
    pub(super) fn by(by: &By) -> Self {
        Self {
            by: Some(by.clone()),
            ..Self::default()
        }
    }

    pub(super) fn showing(mut self, shown: Shown) -> Self {
        self.shown.push(shown);
        self
    }

    pub(super) fn attempt(mut self, name: u8) -> Self {
        self.attempt = Some(name);
        self
    }

    pub(super) fn that(mut self, may: &[May]) -> Self {
        self.may.extend(may);
        self
    }

    fn may(&self, may: May) -> bool {
        self.may.contains(&may)
    }
}

/// An evidence, of an outcome that may have one.
pub(super) trait MayProve {
    fn evidence(&self) -> Option<&Evidence> {
        None
    }
}

impl MayProve for Evidence {
    fn evidence(&self) -> Option<&Evidence> {
        Some(self)
    }
}

impl MayProve for Enrolled {
    fn evidence(&self) -> Option<&Evidence> {
        Some(Enrolled::evidence(self))
    }
}

impl MayProve for SignedIn {
    fn evidence(&self) -> Option<&Evidence> {
        match self {
            Self::Proven(evidence) => Some(evidence),
            _ => None,
        }
    }
}

impl MayProve for () {}
impl MayProve for Challenge {}
impl MayProve for Issued {}
impl MayProve for RecoveryCode {}
impl MayProve for RecoveryCodes {}
impl MayProve for StatusReport {}
impl MayProve for Vec<ImportedToken> {}

struct Keys {
    sessions: SessionKeys,
    browsers: BrowserKeys,
    context: Context,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    sessions: SessionKeys::from_bytes(1, &SESSION_KEY),
    browsers: BrowserKeys::from_bytes(1, &BROWSER_KEY),
    context: world::context(),
});

/// The record before an operation and after it, and what the operation says.
struct Seen<'a> {
    before: Kept,
    after: Kept,
    /// How the subject stood before.
    stood: StatusReport,
    changed: bool,
    events: Vec<&'a Event>,
    asked: &'a Asked,
    name: &'static str,
}

impl Seen<'_> {
    fn tells(&self, is_it: impl Fn(&EventKind) -> bool) -> bool {
        self.events.iter().any(|event| is_it(&event.kind))
    }

    fn is_answered_again(&self) -> bool {
        self.tells(|kind| matches!(kind, EventKind::AnsweredAgain))
    }

    /// The tokens whose last step is another than before, those included that are new by a code.
    fn raised(&self) -> Vec<(String, Step)> {
        let raised = self.after.tokens.iter().filter(|token| {
            let before = self.before.token(&token.id);
            before.map_or(self.asked.may(May::Verify), |before| {
                before.last_step != token.last_step
            })
        });
        let raised = raised.map(|token| (token.id.clone(), token.last_step.expect("in force")));
        raised.collect()
    }
}

impl Player<'_> {
    /// Applies an operation, holds what comes of it to the rules, and keeps it unless its swap is lost.
    pub(super) fn apply<O>(&mut self, lost: bool, operation: &O, asked: &Asked) -> Option<O::Output>
    where
        O: Operation<Output: Debug + MayProve>,
    {
        let (policy, now) = (self.policy(), self.time());
        let environment = Environment::new(SUBJECT, &policy, now)
            .with_sessions(&KEYS.sessions, &KEYS.context)
            .with_browsers(&KEYS.browsers, MONTH);
        let row = record::encode(&self.record);
        let stood = Status.apply(self.record.clone(), &environment);
        let Transition {
            next,
            outcome,
            events,
        } = operation.apply(self.record.clone(), &environment);
        is_the_same_again(&row, operation, &environment, (&next, &outcome, &events));
        assert!(
            events
                .iter()
                .all(|event| event.at == now && event.operation == O::NAME)
        );

        let after = next.as_ref().map(record::encode);
        if let (Some(next), Some(after)) = (&next, &after) {
            assert!(after.len() <= policy.max_record_bytes());
            assert_eq!(record::decode(after).as_ref(), Ok(next));
        }
        let seen = Seen {
            before: Kept::read(&row),
            after: Kept::read(after.as_deref().unwrap_or(&row)),
            stood: stood.outcome.expect("a status is never refused"),
            changed: next.is_some(),
            events: events.iter().collect(),
            asked,
            name: O::NAME,
        };
        self.holds_of_what_is_kept(&seen);
        match &outcome {
            Ok(told) => {
                self.may_succeed(&seen);
                if let Some(evidence) = told.evidence() {
                    self.is_proven(&seen, evidence);
                }
            }
            Err(rejection) => is_counted(&seen, *rejection),
        }
        if lost {
            return None;
        }
        let told = outcome.ok();
        self.keep(&seen, told.as_ref().and_then(MayProve::evidence));
        if let Some(next) = next {
            self.record = next;
            self.revision += 1;
        }
        told
    }

    fn holds_of_what_is_kept(&self, seen: &Seen<'_>) {
        let Seen {
            before,
            after,
            asked,
            ..
        } = seen;
        assert_eq!(seen.stood.state == State::Verified, before.is_verified());
        assert!(after.generation == before.generation || after.generation == before.generation + 1);
        let revision = self.revision + u64::from(seen.changed);
        assert!(
            after.generation <= revision,
            "a generation is ahead of its revision"
        );

        for token in &before.tokens {
            let Some(kept) = after.token(&token.id) else {
                assert!(
                    asked.may(May::Remove),
                    "{} took a token out of force",
                    seen.name
                );
                continue;
            };
            assert_eq!(kept.secret, token.secret);
            assert!(kept.last_step >= token.last_step, "a floor fell");
            let is_judged = asked
                .shown
                .iter()
                .any(|shown| matches!(shown, Shown::Code(_)));
            assert!(kept.last_step == token.last_step || is_judged);
        }
        for token in &after.tokens {
            let pending = before.pending.as_ref().filter(|_| asked.may(May::Verify));
            let is_proven = pending.is_some_and(|pending| pending.id == token.id);
            let is_known = before.token(&token.id).is_some();
            assert!(
                is_known || is_proven || asked.may(May::BringIn),
                "{} brought a token in",
                seen.name
            );
        }
        let waits = |kept: &Kept| kept.pending.as_ref().map(|pending| pending.id.clone());
        let waits_now = waits(after);
        assert!(waits_now.is_none() || waits_now == waits(before) || asked.may(May::SetUp));
        for raised in seen.raised() {
            assert!(
                !self.accepted.contains(&raised),
                "a step was accepted twice"
            );
        }
    }

    /// What no operation does that succeeds.
    fn may_succeed(&self, seen: &Seen<'_>) {
        let now = self.time();
        let latest = now.as_secs().saturating_add(60);
        match &seen.asked.by {
            Some(By::Grant(grant)) => {
                assert_eq!(grant.subject(), SUBJECT, "another subject's grant");
                assert!(
                    grant.first_factor_at().as_secs() <= latest,
                    "a grant of the future"
                );
            }
            Some(By::Session(session)) => {
                assert!(now < session.expires(), "a session that has ended");
                assert!(
                    session.first_factor_at().as_secs() <= latest,
                    "a session of the future"
                );
            }
            Some(By::Administrator) | None => {}
        }
    }

    fn is_proven(&self, seen: &Seen<'_>, evidence: &Evidence) {
        assert_eq!(
            (evidence.subject(), evidence.context()),
            (SUBJECT, &KEYS.context)
        );
        assert!(!evidence.amr().is_empty());
        assert!(seen.before.is_verified() || seen.asked.may(May::Verify));
        match evidence.method() {
            Method::SoftwareToken => self.is_proven_by_code(seen, evidence),
            Method::RecoveryCode => assert!(seen.asked.shown.iter().any(|shown| {
                matches!(shown, Shown::RecoveryCode(text) if self.issued.contains(text))
            })),
            Method::TemporaryCode => assert!(seen.asked.shown.iter().any(|shown| {
                matches!(shown, Shown::RecoveryCode(text) if self.temporary.as_ref() == Some(text))
            })),
            Method::Vouched => {
                let is_vouched = |shown: &Shown| matches!(shown, Shown::Vouched);
                assert!(seen.asked.shown.iter().any(is_vouched));
            }
            method => panic!("an unknown method: {method:?}"),
        }
        if seen.name == "respond"
            && let Some(By::Session(session)) = &seen.asked.by
            && !seen.is_answered_again()
            // What has ended is forgotten, and a clock that goes back brings it to life.
            && self.latest < session.expires().as_secs()
        {
            assert!(
                !self.spent.contains(session.expose()),
                "a session succeeded twice"
            );
        }
    }

    fn is_proven_by_code(&self, seen: &Seen<'_>, evidence: &Evidence) {
        let id = evidence.token().expect("a code of a token's").to_string();
        let step = evidence.step().expect("of a step");
        let proof = (id.clone(), step);
        if seen.is_answered_again() {
            assert!(!seen.changed);
            let name = seen
                .asked
                .attempt
                .expect("only what has a name is repeated");
            let answered = self.answered.get(&name).expect("it was answered before");
            assert!(answered.contains(&(id, step, evidence.at())));
            return;
        }
        if seen.asked.may(May::Finish) {
            assert!(seen.before.token(&id).is_some());
            assert!(
                self.accepted.contains(&proof),
                "a set-up that no code has proven"
            );
            assert!(
                !self.finished.contains(&proof),
                "a set-up was completed twice, or after browsers were forgotten"
            );
            let end = evidence.at().saturating_add(self.policy.session_lifetime());
            assert!(
                self.now < end.as_secs() && evidence.at().as_secs() <= self.now + 60,
                "a set-up of long ago, or of a time to come, was completed"
            );
            return;
        }
        let known = seen.before.token(&id);
        let pending = seen.before.pending.as_ref();
        let pending = pending.filter(|pending| seen.asked.may(May::Verify) && pending.id == id);
        let token = known.filter(|_| !seen.asked.may(May::Verify)).or(pending);
        let token = token.expect("in force, or waiting for this very code");
        assert!(token.last_step < Some(step), "a floor was not asked");
        let right = Verifier::new(&token.secret, token.totp).code(step);
        let is_right = |shown: &Shown| match shown {
            Shown::Code(code) | Shown::Pair(code) => *code == right,
            _ => false,
        };
        assert!(
            seen.asked.shown.iter().any(is_right),
            "a wrong code was accepted"
        );
        assert!(
            seen.raised().contains(&proof),
            "a code was accepted and not spent"
        );
        assert!(!seen.stood.locked && seen.stood.throttled_until.is_none());
        assert_eq!(seen.after.streak, 0);
    }

    /// Keeps what the rules have to know of what is now told.
    fn keep(&mut self, seen: &Seen<'_>, evidence: Option<&Evidence>) {
        self.accepted.extend(seen.raised());
        let changes = seen.after.generation != seen.before.generation;
        let forgets = seen.tells(|kind| {
            matches!(
                kind,
                EventKind::BrowsersForgotten
                    | EventKind::PreferenceChanged { enabled: false, .. }
                    | EventKind::RecoveryCodeUsed { .. }
            )
        });
        let is_recovery = |evidence: &Evidence| {
            evidence.method() == Method::Vouched && evidence.should_end_other_logins()
        };
        let is_news = !seen.is_answered_again();
        let forgets = forgets || (is_news && evidence.is_some_and(is_recovery));
        if changes || forgets {
            self.remembered.clear();
        }
        if forgets {
            self.finished.extend(self.accepted.iter().cloned());
        }
        if changes {
            self.temporary = None;
        }
        if !seen.after.is_verified() {
            self.issued.clear();
        }
        let Some(evidence) = evidence else {
            return;
        };
        if let (Some(id), Some(step)) = (evidence.token(), evidence.step()) {
            if seen.asked.may(May::Finish) {
                self.finished.insert((id.to_string(), step));
            } else if let Some(name) = seen.asked.attempt {
                let answered = self.answered.entry(name).or_default();
                answered.push((id.to_string(), step, evidence.at()));
            }
        }
        for shown in &seen.asked.shown {
            if let Shown::RecoveryCode(text) = shown {
                self.issued.remove(text);
                self.temporary.take_if(|code| code == text);
            }
        }
        if let Some(By::Session(session)) = &seen.asked.by
            && seen.name == "respond"
        {
            self.spent.insert(session.expose().to_owned());
        }
    }

    /// A sign-in that asks for nothing is one of nobody who has to show a token, or from a browser that is remembered.
    pub(super) fn not_required(&self, remembered: bool, browser: Option<&str>) {
        if remembered {
            let at = browser.and_then(|text| self.remembered.get(text));
            let at = *at.expect("only a browser that was remembered is let in");
            assert!(at <= self.now && self.now < at.saturating_add(MONTH.as_secs()));
            return;
        }
        let kept = Kept::read(&record::encode(&self.record));
        let policy = self.policy();
        if kept.is_verified() {
            assert!(!policy.requires(self.time()) && !kept.enabled);
        } else {
            assert_eq!(policy.requirement(), Requirement::Optional);
        }
    }
}

/// The machine is pure: from the stored bytes it decides as it did, another time.
fn is_the_same_again<O>(
    row: &[u8],
    operation: &O,
    environment: &Environment<'_>,
    decided: (
        &Option<Record>,
        &Result<O::Output, Rejection>,
        &softtoken::association::Events,
    ),
) where
    O: Operation<Output: Debug>,
{
    let stored = record::decode(row).expect("it was encoded");
    let again = operation.apply(stored, environment);
    assert_eq!(again.next, *decided.0);
    assert_eq!(format!("{:?}", again.outcome), format!("{:?}", decided.1));
    assert!(again.events.iter().eq(decided.2.iter()));
}

/// A refusal changes nothing but the count of what was judged and wrong, and is told of.
fn is_counted(seen: &Seen<'_>, rejection: Rejection) {
    assert!(!seen.events.is_empty());
    assert!(!seen.changed || rejection == Rejection::Mismatch);
    assert!(seen.raised().is_empty());
    assert_eq!(seen.after.generation, seen.before.generation);
    let is_code = |shown: &Shown| matches!(shown, Shown::Code(_));
    if rejection == Rejection::Mismatch && seen.asked.shown.iter().any(is_code) {
        assert!(seen.changed, "a guess was free");
        assert_eq!(seen.after.streak, seen.before.streak.saturating_add(1));
        assert!(!seen.stood.locked && seen.stood.throttled_until.is_none());
    }
}
