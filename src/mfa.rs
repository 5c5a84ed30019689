//! Load, decide, swap: the only loop, in two colours.

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use zeroize::Zeroizing;

use crate::association::{
    Administrator, Associate, AttemptKey, Authenticate, Authority, Claims, Context, Disassociate,
    Environment, Event, EventKind, Events, FinishSetup, Import, IssueRecoveryCodes, Operation,
    Prefer, Preference, Record, Recover, RecoveryCode, Rejection, Reseal, Reset, Respond,
    Resynchronise, Session, SessionKeys, SignIn, Status, Unlock, Verify,
};
use crate::entropy::{Entropy, NoEntropy};
use crate::error::{Error, Fault};
use crate::policy::Policy;
use crate::record::{AtRest, Place, Seal};
use crate::revision::Revision;
use crate::store::{BlockingStore, Snapshot, Store, Swap, Write};
use crate::time::{Clock, UnixTime};
use crate::totp::Code;

/// The longest subject, in bytes.
const MAX_SUBJECT_BYTES: usize = 256;

type Audit = Box<dyn Fn(&str, &Event) + Send + Sync>;

/// The second factor of an auth server: a policy, a clock and a source of randomness. Make one, share it.
///
/// Each of its verbs makes a [`Request`], which does nothing until it is run on a store for a subject: a name of 1 to 256 bytes
/// that the embedder chooses and that never changes, such as a user id (an e-mail address changes).
///
/// ```
/// use softtoken::totp::Verifier;
/// use softtoken::{Grant, MemoryStore, Mfa, Policy, UnixTime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let now = UnixTime::from_secs(1_700_000_000);
/// let mfa = Mfa::new(Policy::STANDARD, move || Some(now), softtoken::OsEntropy);
///
/// let issued = mfa.associate(Grant::first_factor(now)).run_blocking(&store, "alice")?;
/// let device = Verifier::new(issued.secret(), issued.totp());
/// let code = device.code(issued.totp().step(now));
///
/// let enrolled = mfa.verify(Grant::first_factor(now), code.clone()).named("phone").run_blocking(&store, "alice")?;
/// assert_eq!(enrolled.evidence().subject(), "alice");
///
/// let replayed = mfa.authenticate(code).run_blocking(&store, "alice").unwrap_err();
/// assert_eq!(replayed.code(), "reused");
/// # Ok(())
/// # }
/// ```
///
/// The verbs of recovery and of an administrator, in a pool that requires MFA:
///
/// ```
/// use softtoken::totp::{Secret, Totp, Verifier};
/// use softtoken::{
///     Administrator, Challenge, Context, Grant, Import, MemoryStore, Mfa, OsEntropy, Policy, Preference, RecoveryCode,
///     Requirement, SessionKeys, State,
/// };
/// # use softtoken::UnixTime;
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let now = UnixTime::from_secs(1_700_000_000);
/// # let clock = move || Some(now);
/// let store = MemoryStore::new();
/// let policy = Policy::builder().requirement(Requirement::Required).build()?;
/// let mfa = Mfa::new(policy, clock, OsEntropy)
///     .sessions(SessionKeys::generate(1, &OsEntropy)?)
///     .audited(|subject, event| println!("{subject} {:?}: {:?}", event.actor, event.kind));
///
/// // A token of the old system, with recovery codes.
/// let secret = Secret::from_base32("JBSW Y3DP EHPK 3PXP JBSW Y3DP EE")?;
/// let fob = Verifier::new(&secret, Totp::STANDARD);
/// let import = Import::proven(Administrator, secret, Totp::STANDARD).enabled(true);
/// mfa.import(import).run_blocking(&store, "user-1")?;
/// mfa.prefer(Administrator, Preference::Preferred).run_blocking(&store, "user-1")?;
/// let codes = mfa.issue_recovery_codes(Administrator).run_blocking(&store, "user-1")?;
///
/// // Its clock is ten minutes ahead: two codes in a row tell by how much.
/// let ahead = Totp::STANDARD.step(now).saturating_offset(20);
/// let (code, next) = (fob.code(ahead), fob.code(ahead.saturating_offset(1)));
/// mfa.resynchronise(Grant::first_factor(now), code, next).run_blocking(&store, "user-1")?;
///
/// // It is lost: a recovery code answers the challenge.
/// let challenge = mfa.sign_in(Context::new("web")?).run_blocking(&store, "user-1")?;
/// let Challenge::SoftwareToken { session, .. } = challenge else {
///     unreachable!("a token is verified");
/// };
/// let typed = RecoveryCode::parse(&codes.iter().next().expect("ten of them").expose())?;
/// let claims = mfa.claims_of(&session)?; // a handler has only the session
/// let evidence = mfa.recover(typed).within(&session).run_blocking(&store, claims.subject())?;
/// assert!(evidence.should_end_other_sessions());
///
/// // Nobody removes a factor that the pool requires; an administrator resets it.
/// let grant = Grant::second_factor(evidence.at());
/// let refused = mfa.disassociate(grant).run_blocking(&store, "user-1").unwrap_err();
/// assert_eq!(refused.code(), "mfa_required");
/// mfa.unlock(Administrator).run_blocking(&store, "user-1")?; // had it been locked
/// mfa.reset(Administrator).run_blocking(&store, "user-1")?;
///
/// // The next sign-in sets up a new one, and the code that proves it completes it.
/// let challenge = mfa.sign_in(Context::new("web")?).run_blocking(&store, "user-1")?;
/// let Challenge::Setup { session } = challenge else {
///     unreachable!("nothing is verified");
/// };
/// let issued = mfa.associate(session).run_blocking(&store, "user-1")?;
/// let code = Verifier::new(issued.secret(), issued.totp()).code(issued.totp().step(now));
/// let session = issued.session().expect("it came with one");
/// let enrolled = mfa.verify(session, code).run_blocking(&store, "user-1")?;
/// let session = enrolled.session().expect("it came with one");
/// let evidence = mfa.finish_setup(session).run_blocking(&store, "user-1")?;
/// assert_eq!(evidence.context().as_bytes(), b"web");
///
/// let report = mfa.status().run_blocking(&store, "user-1")?;
/// assert!(matches!(report.state, State::Verified { .. }));
/// # Ok(())
/// # }
/// ```
pub struct Mfa {
    policy: Policy,
    clock: Box<dyn Clock>,
    entropy: Box<dyn Entropy>,
    sessions: Option<SessionKeys>,
    at_rest: AtRest,
    audit: Option<Audit>,
}

impl fmt::Debug for Mfa {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Mfa")
            .field("policy", &self.policy)
            .field("sessions", &self.sessions)
            .field("sealed", &self.at_rest.seal.is_some())
            .finish_non_exhaustive()
    }
}

impl Mfa {
    /// By this policy, with this clock and this source of randomness.
    #[must_use]
    pub fn new(
        policy: Policy,
        clock: impl Clock + 'static,
        entropy: impl Entropy + 'static,
    ) -> Self {
        Self {
            policy,
            clock: Box::new(clock),
            entropy: Box::new(entropy),
            sessions: None,
            at_rest: AtRest::default(),
            audit: None,
        }
    }

    /// By this policy, with the operating system's clock and generator.
    #[cfg(all(feature = "std", feature = "getrandom"))]
    #[must_use]
    pub fn system(policy: Policy) -> Self {
        Self::new(policy, crate::time::SystemClock, crate::entropy::OsEntropy)
    }

    /// Signs sessions with these keys. Without it, what makes or takes a session fails as [`Fault::NoSessionKeys`].
    #[must_use]
    pub fn sessions(mut self, keys: SessionKeys) -> Self {
        self.sessions = Some(keys);
        self
    }

    /// Seals every record that it writes, and reads none that is not sealed: see [`record`](crate::record#sealed).
    #[must_use]
    pub fn sealed(mut self, seal: impl Seal + 'static) -> Self {
        self.at_rest.seal = Some(Box::new(seal));
        self
    }

    /// Reads records in the clear as well, and seals them when they are next written: for as long as it takes to
    /// [`reseal`](Self::reseal) the rows of before there was a seal, and not a day longer. Until then, who can write to the
    /// database can put a record of their own making in anybody's row. Without [`sealed`](Self::sealed) it changes nothing.
    #[must_use]
    pub fn adopting_plain_records(mut self) -> Self {
        self.at_rest.adopts_plain = true;
        self
    }

    /// Tells of every event, after what it reports is stored. With feature `tracing` they are emitted as well, at level
    /// `INFO` with target `softtoken` and fields `subject`, `actor` and `kind`. To write them with the record instead, see
    /// [`Write::events`].
    #[must_use]
    pub fn audited(mut self, audit: impl Fn(&str, &Event) + Send + Sync + 'static) -> Self {
        self.audit = Some(Box::new(audit));
        self
    }

    /// What it lives by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A request for any operation, one that was made by hand included.
    pub fn request<O: Operation>(&self, operation: O) -> Request<'_, O> {
        self.drawn(Ok(operation))
    }

    fn drawn<O: Operation>(&self, operation: Result<O, NoEntropy>) -> Request<'_, O> {
        Request {
            mfa: self,
            operation: operation.map_err(Fault::from),
            expect_enrolled: false,
            at_least: None,
        }
    }

    /// Issues a secret to set up: see [`Associate`].
    pub fn associate(&self, authority: impl Into<Authority>) -> Request<'_, Associate> {
        self.drawn(Associate::new(authority, &self.policy, &*self.entropy))
    }

    /// Proves it by its first code: see [`Verify`].
    pub fn verify(&self, authority: impl Into<Authority>, code: Code) -> Request<'_, Verify> {
        self.drawn(Verify::new(authority, code, &*self.entropy))
    }

    /// Removes the token at the user's wish: see [`Disassociate`].
    pub fn disassociate(&self, authority: impl Into<Authority>) -> Request<'_, Disassociate> {
        self.request(Disassociate::new(authority))
    }

    /// Removes everything: see [`Reset`].
    pub fn reset(&self, by: Administrator) -> Request<'_, Reset> {
        self.request(Reset::new(by))
    }

    /// Clears the throttle: see [`Unlock`].
    pub fn unlock(&self, by: Administrator) -> Request<'_, Unlock> {
        self.request(Unlock::new(by))
    }

    /// Takes over another system's token: see [`Import`].
    pub fn import(&self, import: Import) -> Request<'_, Import> {
        self.request(import)
    }

    /// Says what a sign-in asks for, the first factor accepted: see [`SignIn`].
    pub fn sign_in(&self, context: Context) -> Request<'_, SignIn> {
        self.drawn(SignIn::new(context, &*self.entropy))
    }

    /// Answers its challenge with a code: see [`Respond`].
    pub fn respond(&self, session: &Session, code: Code) -> Request<'_, Respond> {
        self.request(Respond::new(session, code))
    }

    /// Completes a sign-in that set up a token: see [`FinishSetup`].
    pub fn finish_setup(&self, session: &Session) -> Request<'_, FinishSetup> {
        self.request(FinishSetup::new(session))
    }

    /// Accepts a code without a session: see [`Authenticate`].
    pub fn authenticate(&self, code: Code) -> Request<'_, Authenticate> {
        self.request(Authenticate::new(code))
    }

    /// Turns the token on or off, or prefers it: see [`Prefer`].
    pub fn prefer(
        &self,
        authority: impl Into<Authority>,
        preference: Preference,
    ) -> Request<'_, Prefer> {
        self.request(Prefer::new(authority, preference))
    }

    /// Issues recovery codes: see [`IssueRecoveryCodes`].
    pub fn issue_recovery_codes(
        &self,
        authority: impl Into<Authority>,
    ) -> Request<'_, IssueRecoveryCodes> {
        self.drawn(IssueRecoveryCodes::new(authority, &*self.entropy))
    }

    /// Accepts a recovery code: see [`Recover`].
    pub fn recover(&self, code: RecoveryCode) -> Request<'_, Recover> {
        self.request(Recover::new(code))
    }

    /// Finds out how far the user's clock is off: see [`Resynchronise`].
    pub fn resynchronise(
        &self,
        authority: impl Into<Authority>,
        code: Code,
        next: Code,
    ) -> Request<'_, Resynchronise> {
        self.request(Resynchronise::new(authority, code, next))
    }

    /// Tells how the token stands: see [`Status`].
    pub fn status(&self) -> Request<'_, Status> {
        self.request(Status)
    }

    /// Seals a record under the current key: see [`Reseal`]. One that is under it already is sealed anew all the same.
    ///
    /// Without a seal it fails as [`Fault::NoSeal`].
    pub fn reseal(&self) -> Request<'_, Reseal> {
        self.request(Reseal)
    }

    /// What a session says, for a handler that holds only the string: whose record to load, in which context. No store
    /// is read; whether the session is still alive, the request decides.
    ///
    /// # Errors
    ///
    /// [`Rejection::InvalidSession`] where none of the keys has signed it, [`Fault::NoSessionKeys`] where there are none.
    pub fn claims_of(&self, session: &Session) -> Result<Claims, Error> {
        let keys = self.sessions.as_ref().ok_or(Fault::NoSessionKeys)?;
        Ok(keys.open(session).ok_or(Rejection::InvalidSession)?)
    }

    fn tell(&self, subject: &str, event: &Event) {
        #[cfg(feature = "tracing")]
        tracing::info!(target: "softtoken", subject, actor = ?event.actor, kind = ?event.kind);
        if let Some(audit) = &self.audit {
            audit(subject, event);
        }
    }

    fn environment<'a>(&'a self, subject: &'a str, now: UnixTime) -> Environment<'a> {
        let environment = Environment::new(subject, &self.policy, now);
        match &self.sessions {
            Some(keys) => environment.with_sessions(keys),
            None => environment,
        }
    }
}

/// An operation that waits to be run.
///
/// [`run`](Self::run) and [`run_blocking`](Self::run_blocking) do all of it. Who wants the write inside a transaction of their own
/// calls the middle of it, [`decide`](Self::decide):
///
/// ```
/// use softtoken::association::Authenticate;
/// use softtoken::{BlockingStore, Code, Decision, Error, Evidence, MemoryStore, Mfa, Request, Revision, Swap};
/// # use core::time::Duration;
/// # use softtoken::totp::{Secret, Totp, Verifier};
/// # use softtoken::{Administrator, Fault, Import, OsEntropy, Policy, UnixTime};
///
/// /// `seen`: the revision that the embedder's own row of the user names.
/// fn step_up(mfa: &Mfa, rows: &MemoryStore, user: &str, code: &Code, seen: Revision) -> Result<Evidence, Error> {
///     loop {
///         let found = rows.load_blocking(user).map_err(Error::Store)?; // BEGIN; SELECT
///         let request: Request<'_, Authenticate> = mfa.authenticate(code.clone()).expect_enrolled().at_least(seen);
///         let decision: Decision<'_, '_, Evidence> = request.decide(user, found)?;
///         if let Some(write) = decision.write() {
///             let swap = rows.compare_and_swap_blocking(write.clone()).map_err(Error::Store)?; // UPDATE .. WHERE revision = ..
///             if swap == Swap::Conflict {
///                 continue; // ROLLBACK
///             }
///         }
///         if !decision.is_refusal() {
///             // the rest of the login's writes: only here, so that their failure undoes no refusal's count
///         }
///         // COMMIT
///         let retry_after = decision.retry_after();
///         return decision.committed().map_err(|rejection| Error::Rejected { rejection, retry_after });
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let now = UnixTime::from_secs(1_700_000_000);
/// # let mfa = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy);
/// # let rows = MemoryStore::new();
/// # let secret = Secret::from_base32("JBSW Y3DP EHPK 3PXP JBSW Y3DP EE")?;
/// # let step = Totp::STANDARD.step(now);
/// # let code = Verifier::new(&secret, Totp::STANDARD).code(step);
/// # let import = Import::proven(Administrator, secret, Totp::STANDARD).last_step(step.saturating_offset(-1));
/// # mfa.import(import).run_blocking(&rows, "user-1")?;
/// # let seen = Revision::FIRST;
/// let evidence = step_up(&mfa, &rows, "user-1", &code, seen)?;
/// assert_eq!(evidence.amr(), ["otp"]);
///
/// let wrong = Code::parse("000000")?;
/// let refusals = [(); 3].map(|()| step_up(&mfa, &rows, "user-1", &wrong, seen).unwrap_err());
/// assert_eq!(refusals[0].retry_after(), None);
/// assert_eq!(refusals[2].retry_after(), Some(Duration::from_secs(5)));
///
/// let emptied = MemoryStore::new(); // somebody has deleted the row
/// let fault = step_up(&mfa, &emptied, "user-1", &code, seen).unwrap_err();
/// assert!(matches!(fault, Error::Fault(Fault::RolledBack)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until it is run"]
pub struct Request<'m, O> {
    mfa: &'m Mfa,
    /// A failed draw is reported when the request is run.
    operation: Result<O, Fault>,
    expect_enrolled: bool,
    at_least: Option<Revision>,
}

impl<'m, O: Operation> Request<'m, O> {
    /// Loads, decides and swaps, until the swap succeeds or the policy's attempts are used up. Dropping the future leaves
    /// the old record or the new one, never part of either.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`]: the answer is no, and what it had to count is stored. [`Error::Fault`] and
    /// [`Error::Store`]: there is no answer, and nothing was accepted.
    pub async fn run<S: Store + ?Sized>(
        self,
        store: &S,
        subject: &str,
    ) -> Result<O::Output, Error<S::Error>> {
        self.check(subject)?;
        for _ in 0..self.mfa.policy.swap_attempts() {
            let found = store.load(subject).await.map_err(Error::Store)?;
            let decision = self.decide(subject, found)?;
            let swap = match decision.write().cloned() {
                None => Swap::Stored,
                Some(write) => {
                    let swap = store.compare_and_swap(write).await;
                    swap.map_err(Error::Store)?
                }
            };
            if swap == Swap::Stored {
                return decision.answer();
            }
        }
        Err(Fault::Contended.into())
    }

    /// The same without an executor.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_blocking<S: BlockingStore + ?Sized>(
        self,
        store: &S,
        subject: &str,
    ) -> Result<O::Output, Error<S::Error>> {
        self.check(subject)?;
        for _ in 0..self.mfa.policy.swap_attempts() {
            let found = store.load_blocking(subject).map_err(Error::Store)?;
            let decision = self.decide(subject, found)?;
            let swap = match decision.write().cloned() {
                None => Swap::Stored,
                Some(write) => store
                    .compare_and_swap_blocking(write)
                    .map_err(Error::Store)?,
            };
            if swap == Swap::Stored {
                return decision.answer();
            }
        }
        Err(Fault::Contended.into())
    }

    /// Decides on what was loaded, for those who write in a transaction of their own. You owe what `run` does:
    ///
    /// 1. load the row, in the transaction, at an isolation that lets only one of two writers of the row commit;
    /// 2. decide; write [`Decision::write`] where there is one, on the condition it names;
    /// 3. commit; where the condition failed, or the commit did, begin again with 1;
    /// 4. take the answer, by [`Decision::committed`].
    ///
    /// A refusal's write must not share your transaction's fate: see [`Decision::is_refusal`].
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no decision. Nothing is to be written.
    pub fn decide<'s>(
        &self,
        subject: &'s str,
        found: Option<Snapshot>,
    ) -> Result<Decision<'m, 's, O::Output>, Fault> {
        // Wiped whatever comes of it.
        let found = found.map(|row| (row.revision, Zeroizing::new(row.record)));
        let operation = self.check(subject)?;
        let now = self.mfa.clock.now().ok_or(Fault::NoTime)?;
        let (expected, current) = match &found {
            None => (None, Record::default()),
            Some((revision, row)) => {
                let place = Place::new(subject, *revision);
                (Some(*revision), self.mfa.at_rest.read(place, row)?)
            }
        };
        if expected < self.at_least || (self.expect_enrolled && !current.is_verified()) {
            return Err(Fault::RolledBack);
        }
        let transition = operation.apply(current, &self.mfa.environment(subject, now));
        // Where there is no row, an empty record says nothing more.
        let changed = |next: &Record| expected.is_some() || *next != Record::default();
        let write = match transition.next.filter(changed) {
            None => None,
            Some(next) => {
                let revision = Revision::after(expected).ok_or(Fault::RevisionsExhausted)?;
                let place = Place::new(subject, revision);
                let row = self.mfa.at_rest.write(place, &*self.mfa.entropy, &next)?;
                let write = Write::new(subject, expected, row, transition.events.clone());
                Some(write.ok_or(Fault::RevisionsExhausted)?)
            }
        };
        Ok(Decision {
            mfa: self.mfa,
            subject,
            now,
            write,
            outcome: transition.outcome,
            events: transition.events,
        })
    }

    /// Fails unless something is verified in the record that is found. Say it where you know from elsewhere that
    /// something is: then a row that was deleted or put back does not open the account to a new enrolment.
    pub fn expect_enrolled(mut self) -> Self {
        self.expect_enrolled = true;
        self
    }

    /// Fails unless the row that is found has at least this revision, which you know from elsewhere that it had.
    pub fn at_least(mut self, revision: Revision) -> Self {
        self.at_least = Some(revision);
        self
    }

    /// What can be told before anything is read.
    fn check(&self, subject: &str) -> Result<&O, Fault> {
        let operation = self.operation.as_ref().map_err(|fault| *fault)?;
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES {
            return Err(Fault::Subject);
        }
        if operation.needs_session_keys() && self.mfa.sessions.is_none() {
            return Err(Fault::NoSessionKeys);
        }
        if operation.needs_seal() && self.mfa.at_rest.seal.is_none() {
            return Err(Fault::NoSeal);
        }
        Ok(operation)
    }

    fn map(mut self, change: impl FnOnce(O) -> O) -> Self {
        self.operation = self.operation.map(change);
        self
    }
}

impl Request<'_, Associate> {
    /// Names the device: see [`Associate::named`].
    pub fn named(self, name: &str) -> Self {
        self.map(|operation| operation.named(name))
    }
}

impl Request<'_, Verify> {
    /// Names the device: see [`Verify::named`].
    pub fn named(self, name: &str) -> Self {
        self.map(|operation| operation.named(name))
    }

    /// Names the attempt, so that it can be repeated: see [`AttemptKey`].
    pub fn attempt(self, key: AttemptKey) -> Self {
        self.map(|operation| operation.attempt(key))
    }
}

impl Request<'_, Respond> {
    /// Names the attempt, so that it can be repeated: see [`AttemptKey`].
    pub fn attempt(self, key: AttemptKey) -> Self {
        self.map(|operation| operation.attempt(key))
    }
}

impl Request<'_, Authenticate> {
    /// Names the attempt, so that it can be repeated: see [`AttemptKey`].
    pub fn attempt(self, key: AttemptKey) -> Self {
        self.map(|operation| operation.attempt(key))
    }
}

impl Request<'_, Recover> {
    /// As the answer to a challenge: see [`Recover::within`].
    pub fn within(self, session: &Session) -> Self {
        self.map(|operation| operation.within(session))
    }
}

/// A decision that is not stored yet, and therefore not told.
#[must_use = "a decision that is not stored counts no guess and spends no code"]
pub struct Decision<'m, 's, T> {
    mfa: &'m Mfa,
    subject: &'s str,
    now: UnixTime,
    write: Option<Write>,
    outcome: Result<T, Rejection>,
    events: Events,
}

impl<T> fmt::Debug for Decision<'_, '_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Decision")
            .field("subject", &self.subject)
            .field("write", &self.write)
            .finish_non_exhaustive()
    }
}

impl<T> Decision<'_, '_, T> {
    /// What is to be stored, under the condition that it names; `None`: nothing changes.
    #[must_use]
    pub fn write(&self) -> Option<&Write> {
        self.write.as_ref()
    }

    /// Whether the answer is no. Its write, where there is one, counts a guess: commit it whatever becomes of the login
    /// around it, or guessing is free.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.outcome.is_err()
    }

    /// The answer. You owe that the write is committed; the events are told of now.
    ///
    /// # Errors
    ///
    /// The [`Rejection`], where the answer is no.
    pub fn committed(self) -> Result<T, Rejection> {
        for event in &self.events {
            self.mfa.tell(self.subject, event);
        }
        self.outcome
    }

    /// In how long the next attempt will be judged: where this one came too early, or was the failure that makes the next
    /// one wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let until = self.events.iter().find_map(|event| match event.kind {
            EventKind::Throttled { until }
            | EventKind::Refused {
                rejection: Rejection::Throttled { until },
                ..
            } => Some(until),
            _ => None,
        });
        until.map(|until| until.since(self.now))
    }

    fn answer<E>(self) -> Result<T, Error<E>> {
        let retry_after = self.retry_after();
        self.committed().map_err(|rejection| Error::Rejected {
            rejection,
            retry_after,
        })
    }
}
