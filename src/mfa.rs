//! Loads, decides and swaps: the only loop, async and blocking.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

#[cfg(feature = "export")]
use crate::association::Export;
use crate::association::{
    Administrator, Associate, AttemptKey, Authority, BrowserKeys, BrowserToken, ChallengeSession,
    Check, Context, Disassociate, Environment, Event, EventKind, Events, Evidence, Factor,
    FinishSetup, ForgetBrowsers, Grant, Import, ImportedToken, IssueRecoveryCodes,
    IssueTemporaryCode, Operation, Prefer, Preference, Record, Rejection, Remove, Rename, Reseal,
    Reset, Respond, Resynchronise, SessionFlaw, SessionKeys, SetEnabled, SignIn, SignInWith,
    Status, StepUp, TokenId, Unlock, Verify,
};
use crate::drawn::Drawn;
use crate::entropy::{Entropy, NoEntropy};
use crate::error::{Error, Fault, OpenError};
use crate::policy::{Policy, PolicyError};
use crate::record::{self, AtRest, Place, Seal};
use crate::revision::Revision;
use crate::scrub;
use crate::store::{BlockingStore, Snapshot, Store, Swap, Write};
use crate::time::{Clock, UnixTime};
use crate::totp::Code;

/// Limits a subject, in bytes.
const MAX_SUBJECT_BYTES: usize = 256;

type Audit = Arc<dyn Fn(&str, &Event) + Send + Sync>;

/// Holds the hidden beginning of the verbs' examples: a store in which `alice` has a token in
/// force, the `phone` that shows its codes, the `code` of the present step, and her `login` by
/// password.
macro_rules! enrolled {
    () => {
        r#"# use core::time::Duration;
# use softtoken::association::{BrowserKeys, ImportedToken, Preference, State};
# use softtoken::totp::{Secret, Totp, Verifier};
# use softtoken::{Administrator, Challenge, Code, Context, Error, Factor, Grant, MemoryStore};
# use softtoken::{Mfa, OsEntropy, Policy, RecoveryCode, Rejection, SessionKeys, SignedIn};
# use softtoken::UnixTime;
# let (store, now) = (MemoryStore::new(), UnixTime::from_secs(1_700_000_000));
# let mfa = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy)
#     .with_sessions(SessionKeys::generate(1, &OsEntropy)?, Context::new("web")?);
# let secret = Secret::from_base32("JBSW Y3DP EHPK 3PXP JBSW Y3DP EE")?;
# let (phone, step) = (Verifier::new(&secret, Totp::STANDARD), Totp::STANDARD.step(now));
# let code = phone.code(step);
# let token = ImportedToken::proven(secret, Totp::STANDARD).named("phone");
# let token = token.last_step(step.saturating_offset(-2));
# mfa.import(&Administrator::named("ops"), [token]).run_blocking(&store, "alice")?;
# let login = Grant::first_factor("alice", now).with_id("login-1");
"#
    };
}

/// Runs the second factor of an auth server: a policy, a clock, a source of randomness, and keys.
///
/// An `Mfa` is also the view of a request: who must have a second factor, in which context, and how
/// the request is logged are replaced as cheaply as a reference is counted. Make one `Mfa` at the
/// start, and from it the view of each request, in one place:
///
/// ```
/// use softtoken::{Context, Error, Mfa, Policy};
///
/// struct User { admin: bool, password_version: u32 }
///
/// /// Chooses policy, context and audit of a request.
/// fn view(mfa: &Mfa, user: &User, request_id: u64) -> Result<Mfa, Error> {
///     let policy = if user.admin { Policy::STANDARD.required() } else { Policy::STANDARD };
///     let context = Context::new(user.password_version.to_be_bytes())?;
///     Ok(mfa.with_policy(policy)?.with_context(context).with_audit(move |subject, event| {
///         println!("{request_id} {subject} {}", event.name());
///     }))
/// }
/// ```
///
/// Each verb makes a [`Request`], which does nothing until it is run on a store for a subject: a
/// name of 1 to 256 bytes that your application chooses and that never changes, such as a user id
/// (an e-mail address changes).
///
/// | when | verb |
/// |---|---|
/// | the password was right | [`sign_in`], and [`respond`] to its challenge |
/// | password and code came in one request | [`sign_in_with`] |
/// | the user sets up a phone | [`associate`], then [`verify`] |
/// | before something dangerous ("sudo mode") | [`check`], and [`step_up`] where it refuses |
/// | the user reads the settings page | [`status`] |
/// | the user changes the second factor | [`rename`], [`remove`], [`set_enabled`], [`disassociate`] |
/// | the user asks for recovery codes | [`issue_recovery_codes`] |
/// | the user logs out other browsers | [`forget_browsers`] |
/// | codes do not fit, because a clock is off | [`resynchronise`] |
/// | an administrator helps a user who is shut out | [`unlock`], [`issue_temporary_code`], [`reset`] |
/// | users move in or out | [`import`], `export` (feature `export`) |
/// | a seal's key is rotated | [`reseal`] |
///
/// The manual says on whose authority each verb acts, from which state, with which outcome
/// ([matrix](crate::manual::handlers#operation-authority-state)), and which HTTP status and words
/// fit each rejection ([answering](crate::manual::handlers#answering)).
///
/// ```
/// use softtoken::totp::Verifier;
/// use softtoken::{Grant, MemoryStore, Mfa, OsEntropy, Policy, UnixTime};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new();
/// let now = UnixTime::from_secs(1_700_000_000);
/// let mfa = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy);
///
/// let grant = Grant::first_factor("alice", now).with_id("login-1");
/// let issued = mfa.associate(&grant).named("phone").run_blocking(&store, "alice")?;
/// let phone = Verifier::new(issued.secret(), issued.totp());
/// let code = phone.code(issued.totp().step(now));
///
/// let enrolled = mfa.verify(&grant, code.clone()).run_blocking(&store, "alice")?;
/// assert_eq!(enrolled.evidence().subject(), "alice");
///
/// let replayed = mfa.sign_in_with(Some(code.into())).run_blocking(&store, "alice");
/// assert_eq!(replayed.unwrap_err().name(), "reused");
/// # Ok(())
/// # }
/// ```
///
/// [`sign_in`]: Self::sign_in
/// [`respond`]: Self::respond
/// [`sign_in_with`]: Self::sign_in_with
/// [`associate`]: Self::associate
/// [`verify`]: Self::verify
/// [`check`]: Self::check
/// [`step_up`]: Self::step_up
/// [`status`]: Self::status
/// [`rename`]: Self::rename
/// [`remove`]: Self::remove
/// [`set_enabled`]: Self::set_enabled
/// [`disassociate`]: Self::disassociate
/// [`issue_recovery_codes`]: Self::issue_recovery_codes
/// [`forget_browsers`]: Self::forget_browsers
/// [`resynchronise`]: Self::resynchronise
/// [`unlock`]: Self::unlock
/// [`issue_temporary_code`]: Self::issue_temporary_code
/// [`reset`]: Self::reset
/// [`import`]: Self::import
/// [`reseal`]: Self::reseal
#[derive(Clone)]
pub struct Mfa {
    /// Counts one reference, since every request makes a view.
    view: Arc<View>,
}

/// Holds what a request may replace.
#[derive(Clone)]
struct View {
    shared: Arc<Shared>,
    policy: Policy,
    context: Context,
    audit: Option<Audit>,
}

/// Holds what every view of a store's records shares.
#[derive(Clone)]
struct Shared {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    sessions: Option<SessionKeys>,
    browsers: Option<(BrowserKeys, Duration)>,
    at_rest: AtRest,
}

impl fmt::Debug for Mfa {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Mfa")
            .field("policy", &self.view.policy)
            .field("context", &self.view.context)
            .field("sessions", &self.view.shared.sessions)
            .field("browsers", &self.view.shared.browsers)
            .field("sealed", &self.view.shared.at_rest.seal.is_some())
            .finish_non_exhaustive()
    }
}

/// # At the start of your application
impl Mfa {
    /// Creates an `Mfa` with this policy, this clock and this source of randomness.
    #[must_use]
    pub fn new(
        policy: Policy,
        clock: impl Clock + 'static,
        entropy: impl Entropy + 'static,
    ) -> Self {
        let shared = Shared {
            clock: Arc::new(clock),
            entropy: Arc::new(entropy),
            sessions: None,
            browsers: None,
            at_rest: AtRest::default(),
        };
        let view = View {
            shared: Arc::new(shared),
            policy,
            context: Context::NONE,
            audit: None,
        };
        Self {
            view: Arc::new(view),
        }
    }

    /// Creates an `Mfa` with this policy, and with the operating system's clock and generator.
    #[cfg(all(feature = "std", feature = "getrandom"))]
    #[must_use]
    pub fn system(policy: Policy) -> Self {
        Self::new(policy, crate::time::SystemClock, crate::entropy::OsEntropy)
    }

    fn viewed(mut self, change: impl FnOnce(&mut View)) -> Self {
        change(Arc::make_mut(&mut self.view));
        self
    }

    fn share(self, change: impl FnOnce(&mut Shared)) -> Self {
        self.viewed(|view| change(Arc::make_mut(&mut view.shared)))
    }

    /// Signs challenge sessions with these keys, in this context. Without keys, what makes or takes
    /// a session fails as [`Fault::NoSessionKeys`].
    #[must_use]
    pub fn with_sessions(self, keys: SessionKeys, context: Context) -> Self {
        self.share(|shared| shared.sessions = Some(keys))
            .viewed(|view| view.context = context)
    }

    /// Remembers browsers with these keys, each for `lifetime`, 1 hour to 90 days. Without keys no
    /// browser is remembered.
    ///
    /// # Errors
    ///
    /// [`PolicyError::BrowserLifetime`] where the lifetime is out of its range.
    pub fn with_browsers(self, keys: BrowserKeys, lifetime: Duration) -> Result<Self, PolicyError> {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        if !(HOUR..=90 * 24 * HOUR).contains(&lifetime) {
            return Err(PolicyError::BrowserLifetime);
        }
        Ok(self.share(|shared| shared.browsers = Some((keys, lifetime))))
    }

    /// Seals every record that is written, and reads none that is not sealed: see
    /// [`record`](crate::record#sealed). A process without the seal reads none of these records:
    /// the manual says how a seal is [introduced](crate::manual::operators#a-seal-is-introduced).
    #[must_use]
    pub fn sealed(self, seal: impl Seal + 'static) -> Self {
        self.share(|shared| shared.at_rest.seal = Some(Arc::new(seal)))
    }

    /// Binds this label into every seal: the table and the environment, say, so that a row of one
    /// does not open in another. Until it is set, the label is empty. Without
    /// [`sealed`](Self::sealed) it changes nothing.
    #[must_use]
    pub fn seal_label(self, label: impl AsRef<[u8]>) -> Self {
        self.share(|shared| shared.at_rest.set_label(label.as_ref()))
    }

    /// Opens records that were sealed under this label as well, until the last of them is
    /// [resealed](Self::reseal).
    #[must_use]
    pub fn also_open_seal_label(self, label: impl AsRef<[u8]>) -> Self {
        self.share(|shared| shared.at_rest.also_open_label(label.as_ref()))
    }

    /// Reads records in the clear as well, and seals them when they are next written: for as long
    /// as it takes to [`reseal`](Self::reseal) the rows of before there was a seal, and not a day
    /// longer. Until then, anybody who can write to the database can put a record of their own
    /// making in any row. Without [`sealed`](Self::sealed) it changes nothing.
    #[must_use]
    pub fn adopting_plain_records(self) -> Self {
        self.share(|shared| shared.at_rest.adopts_plain = true)
    }
}

/// # The view of a request
impl Mfa {
    /// Returns the same view under another policy: who must have a second factor, from when, how
    /// fresh a grant has to be. To make a view costs one small allocation, and views of one record
    /// may meet in the middle of a flow.
    ///
    /// # Errors
    ///
    /// [`PolicyError::OtherRecordRules`] where the policy differs in what the shared record depends
    /// on: throttle, window, reach, drift, number of tokens, session lifetime, recovery limit,
    /// length of names.
    pub fn with_policy(&self, policy: Policy) -> Result<Self, PolicyError> {
        if !policy.shares_record_with(&self.view.policy) {
            return Err(PolicyError::OtherRecordRules);
        }
        Ok(self.clone().viewed(|view| view.policy = policy))
    }

    /// Returns the same view in another context: it makes challenge sessions and remembers browsers
    /// in it, and takes no others.
    #[must_use]
    pub fn with_context(&self, context: Context) -> Self {
        self.clone().viewed(|view| view.context = context)
    }

    /// Returns the same view with another audit, which is called with the subject and each event
    /// once the change it describes has been stored: with a request id and an address of your own,
    /// say.
    ///
    /// With feature `tracing` the events are emitted as well, with target `softtoken`, at level
    /// `WARN` where a token was locked or the password is probably known, else `INFO`. To write
    /// events with the record instead, see [`Write::events`]; what writes no record (a reused code,
    /// a throttled attempt, a bad session) has events too, so an outbox alone is no audit log.
    #[must_use]
    pub fn with_audit(&self, audit: impl Fn(&str, &Event) + Send + Sync + 'static) -> Self {
        let audit: Audit = Arc::new(audit);
        self.clone().viewed(|view| view.audit = Some(audit))
    }

    /// Returns the same view, whose events are heard here as well.
    #[cfg(feature = "cognito")]
    pub(crate) fn overheard(&self, hears: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        let audit = self.view.audit.clone();
        self.with_audit(move |subject, event| {
            hears(event);
            if let Some(audit) = &audit {
                audit(subject, event);
            }
        })
    }

    /// Returns the policy of this view.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.view.policy
    }

    /// Returns the context of this view.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.view.context
    }

    /// Returns the time now, by the clock that this `Mfa` was made with.
    ///
    /// # Errors
    ///
    /// [`Fault::NoTime`] where the clock does not know it.
    pub fn now(&self) -> Result<UnixTime, Fault> {
        self.view.shared.clock.now().ok_or(Fault::NoTime)
    }

    /// Opens the text that a client says is a challenge session: checks its signature and its
    /// expiry, and returns the session, which tells subject and context.
    ///
    /// No store is read. The verb that takes the session decides whether it is still good, and
    /// refuses a session of another context than its view's.
    ///
    /// # Errors
    ///
    /// [`OpenError::Invalid`], which does not say what is wrong with the text; the event does,
    /// under an empty subject where none of the keys has signed it. Nothing was looked up, nothing
    /// counted.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # let challenge = mfa.sign_in().run_blocking(&store, "alice")?;
    /// # let Challenge::SoftwareToken { session, .. } = challenge else {
    /// #     panic!("a token is in force");
    /// # };
    /// # let typed = session.expose();
    /// let session = mfa.open(typed)?; // the hidden field of a form
    /// let subject = session.subject(); // find the user by it
    /// assert_eq!(subject, "alice");
    ///
    /// assert!(mfa.open("no session").is_err());
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn open(&self, text: &str) -> Result<ChallengeSession, OpenError> {
        let keys = self.view.shared.sessions.as_ref();
        let keys = keys.ok_or(OpenError::NoSessionKeys)?;
        let now = self.now().map_err(|_| OpenError::NoTime)?;
        let Some(claims) = keys.open(text) else {
            self.tell_of_bad_session("", now, SessionFlaw::Forged);
            return Err(OpenError::Invalid);
        };
        if !claims.is_alive(now) {
            self.tell_of_bad_session(&claims.subject, now, SessionFlaw::Expired);
            return Err(OpenError::Invalid);
        }
        Ok(ChallengeSession::opened(text, claims))
    }

    fn tell_of_bad_session(&self, subject: &str, now: UnixTime, flaw: SessionFlaw) {
        let rejection = Rejection::InvalidSession;
        let flaw = Some(flaw);
        let kind = EventKind::Refused { rejection, flaw };
        self.tell(subject, &Event::of_session(now, kind));
    }

    /// Remembers the browser that has just shown this evidence, and returns the token to keep in
    /// its cookie. Hand the cookie's text to [`sign_in`](Self::sign_in) by
    /// [`from_browser`](Request::from_browser). Nothing is stored.
    ///
    /// Returns `None` where there are no [keys](Self::with_browsers) for it, where the evidence is
    /// not that of a token's code with a first factor behind it, and where the factor was accepted
    /// in another context than this view's, or in none.
    ///
    /// # Errors
    ///
    /// [`Fault::NoTime`] where the clock does not know the time. No token was made.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// let keys = BrowserKeys::generate(1, &OsEntropy)?;
    /// let mfa = mfa.with_browsers(keys, Duration::from_secs(30 * 24 * 60 * 60))?;
    /// let SignedIn::Proven(evidence) =
    ///     mfa.sign_in_with(Some(code.into())).run_blocking(&store, "alice")?
    /// else {
    ///     panic!("the code is right");
    /// };
    /// let cookie = mfa.remember(&evidence)?.expect("a code, a first factor and a context");
    ///
    /// let later = mfa.sign_in().from_browser(Some(cookie.expose()));
    /// let challenge = later.run_blocking(&store, "alice")?;
    /// assert!(matches!(challenge, Challenge::NotRequired { remembered: true, .. }));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn remember(&self, evidence: &Evidence) -> Result<Option<BrowserToken>, Fault> {
        let Some((keys, _)) = &self.view.shared.browsers else {
            return Ok(None);
        };
        let now = self.now()?;
        if *evidence.context() != self.view.context {
            return Ok(None);
        }
        let token = keys.remember(evidence);
        if token.is_some() {
            self.tell(evidence.subject(), &Event::of_browser(now, evidence));
        }
        Ok(token)
    }

    fn tell(&self, subject: &str, event: &Event) {
        tell(self.view.audit.as_ref(), subject, event);
    }

    /// Returns how long to wait before the next attempt, after so many lost swaps: an even draw, so
    /// that those who have lost together do not come back together.
    fn pause(&self, lost: u32) -> Option<Duration> {
        /// Half a second, 2^9 milliseconds: some fifty commits of a slow disk.
        const DOUBLED: u32 = 9;
        if lost == 0 {
            return None;
        }
        let most = 1000_u64 << lost.min(DOUBLED);
        let mut drawn = [0; 4];
        // It is no secret: where nothing is drawn, all of it is waited.
        let share = match self.view.shared.entropy.fill(&mut drawn) {
            Ok(()) => u32::from_le_bytes(drawn),
            Err(NoEntropy) => u32::MAX,
        };
        Some(Duration::from_micros((most * u64::from(share)) >> 32))
    }

    fn environment<'a>(&'a self, subject: &'a Arc<str>, now: UnixTime) -> Environment<'a> {
        let environment = Environment::of(subject, &self.view.policy, now);
        let environment = match &self.view.shared.sessions {
            Some(keys) => environment.with_sessions(keys, &self.view.context),
            None => environment.in_context(&self.view.context),
        };
        match &self.view.shared.browsers {
            Some((keys, lifetime)) => environment.with_browsers(keys, *lifetime),
            None => environment,
        }
    }
}

fn tell(audit: Option<&Audit>, subject: &str, event: &Event) {
    #[cfg(feature = "tracing")]
    emit(subject, event);
    if let Some(audit) = audit {
        audit(subject, event);
    }
}

/// Emits an event with the names that an audit has, as fields.
#[cfg(feature = "tracing")]
fn emit(subject: &str, event: &Event) {
    let token = event.token.as_ref();
    let token_name = token.and_then(|token| token.name.as_deref());
    let token = token.map(|token| tracing::field::display(token.id));
    macro_rules! emit {
        ($level:expr) => {
            tracing::event!(
                target: "softtoken",
                $level,
                subject,
                event = event.name(),
                operation = event.operation,
                actor = event.actor.name(),
                administrator = event.actor.administrator(),
                token,
                token_name,
                kind = ?event.kind,
            )
        };
    }
    if event.is_warning() {
        emit!(tracing::Level::WARN);
    } else {
        emit!(tracing::Level::INFO);
    }
}

/// # Signing in
impl Mfa {
    fn entropy(&self) -> &dyn Entropy {
        &*self.view.shared.entropy
    }

    /// Makes a request for any [`Operation`], one that your application has made by hand included.
    ///
    /// Each verb below is this call with an operation that draws its randomness from this `Mfa`.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// use softtoken::association::Status;
    ///
    /// let report = mfa.request(Status).run_blocking(&store, "alice")?;
    /// assert_eq!(report.state, State::Verified);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn request<O: Operation>(&self, operation: O) -> Request<O> {
        self.drawn(Ok::<_, Fault>(operation))
    }

    fn drawn<O: Operation>(&self, operation: Result<O, impl Into<Fault>>) -> Request<O> {
        let operation = operation.map_err(Into::into);
        let draws = operation.as_ref().is_ok_and(O::is_one_subjects);
        Request {
            mfa: self.clone(),
            operation,
            drawn: draws.then(Arc::default),
            expect_enrolled: false,
            at_least: None,
        }
    }

    /// Asks what a sign-in needs, once your application has accepted the first factor. Gives a
    /// [`Challenge`](crate::Challenge).
    ///
    /// Use it where the code comes on the next page. Hand the challenge's session to the client,
    /// and take the code by [`respond`](Self::respond). Call it only after the password was right:
    /// the answer tells whether the user has a second factor. It is one read; nothing changes, so
    /// it may be repeated. It needs [session keys](Self::with_sessions); [`SignIn`] has the table
    /// of its answers, the [matrix](crate::manual::handlers#operation-authority-state) that of all
    /// verbs.
    ///
    /// # Errors
    ///
    /// No rejection. Without keys [`Fault::NoSessionKeys`], and the faults of [`Request::run`].
    /// Nothing was proven by any of them: show an error, not the way in.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// match mfa.sign_in().run_blocking(&store, "alice")? {
    ///     Challenge::NotRequired { .. } => {} // issue a login
    ///     Challenge::SoftwareToken { session, names, .. } => {
    ///         assert_eq!(names, ["phone"]); // ask for a code; keep the session in the form
    ///         assert!(!session.expose().is_empty());
    ///     }
    ///     Challenge::Setup { .. } => {} // lead to the set-up
    /// }
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn sign_in(&self) -> Request<SignIn> {
        self.drawn(SignIn::new(self.entropy()))
    }

    /// Signs in with everything in one request: your application has accepted the first factor in
    /// it, and `factor` came with it, or nothing did. Gives [`SignedIn`](crate::SignedIn).
    ///
    /// Use it where one form or one API call takes password and code (LDAP, IMAP, a command line).
    /// It needs no session keys. A factor that is given is judged wherever a token is in force,
    /// asked for or not; where no token is in force it is ignored, with an event. You owe that the
    /// first factor was right: check it before, every time. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`Mismatch`](Rejection::Mismatch): the code is wrong, and counted. Nobody is signed in.
    /// - [`Reused`](Rejection::Reused), [`CodeLength`](Rejection::CodeLength): the code was not
    ///   counted.
    /// - [`Throttled`](Rejection::Throttled), [`Locked`](Rejection::Locked),
    ///   [`RecoveryLocked`](Rejection::RecoveryLocked): the code was neither judged nor counted.
    /// - [`ClockBehind`](Rejection::ClockBehind): nothing was judged.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// let asked = mfa.sign_in_with(None).run_blocking(&store, "alice")?;
    /// assert!(matches!(asked, SignedIn::FactorRequired { .. })); // no login yet
    ///
    /// let typed = Factor::parse(&code.expose())?; // what the user typed
    /// match mfa.sign_in_with(Some(typed)).run_blocking(&store, "alice")? {
    ///     SignedIn::Proven(evidence) => assert_eq!(evidence.amr(), ["otp", "mfa"]),
    ///     SignedIn::NotRequired { .. } => {} // issue a login without a second factor
    ///     SignedIn::FactorRequired { .. } => {} // no login
    ///     SignedIn::SetupRequired { required_from: Some(_), .. } => {} // not yet: a login
    ///     SignedIn::SetupRequired { .. } => {} // no login
    /// }
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn sign_in_with(&self, factor: Option<Factor>) -> Request<SignInWith> {
        self.request(SignInWith::new(factor))
    }

    /// Answers the challenge that gave this session with a factor, and completes the sign-in. Gives
    /// [`Evidence`].
    ///
    /// Use it where the form of the code comes back: [`open`](Self::open) gives the session, and
    /// [`Factor::parse`] reads a code or a recovery code from one field. Then issue the login, keep
    /// [`Grant::from`](Grant) of the evidence with it, and end other logins where
    /// [`should_end_other_logins`](Evidence::should_end_other_logins) says so. A wrong code does
    /// not end the session. See the [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`InvalidSession`](Rejection::InvalidSession): the session was forged, has expired,
    ///   succeeded before, or is another subject's or context's. No code was judged, nothing
    ///   counted.
    /// - [`Mismatch`](Rejection::Mismatch): the code is wrong, and counted; the session lives on.
    /// - [`Reused`](Rejection::Reused), [`CodeLength`](Rejection::CodeLength): the code was not
    ///   counted.
    /// - [`Throttled`](Rejection::Throttled), [`Locked`](Rejection::Locked),
    ///   [`RecoveryLocked`](Rejection::RecoveryLocked): the code was neither judged nor counted.
    /// - [`ClockBehind`](Rejection::ClockBehind): nothing was judged.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// let challenge = mfa.sign_in().run_blocking(&store, "alice")?;
    /// let Challenge::SoftwareToken { session, .. } = challenge else {
    ///     panic!("a token is in force");
    /// };
    /// let evidence = mfa.respond(&session, code.clone()).run_blocking(&store, "alice")?;
    /// let login = Grant::from(&evidence); // keep it with the login that you issue
    /// assert!(login.second_factor_at().is_some());
    ///
    /// let again = mfa.respond(&session, code).run_blocking(&store, "alice").unwrap_err();
    /// assert_eq!(again.rejection(), Some(Rejection::InvalidSession));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn respond(
        &self,
        session: &ChallengeSession,
        factor: impl Into<Factor>,
    ) -> Request<Respond> {
        self.request(Respond::new(session, factor))
    }

    /// Completes a sign-in that set up a token. Gives [`Evidence`].
    ///
    /// Use it for protocols with one call more than [`verify`](Self::verify), such as Amazon
    /// Cognito's: the code that proved the token counts for the sign-in. Elsewhere the evidence of
    /// `verify` itself completes the sign-in. The session is that of
    /// [`Enrolled::session`](crate::association::Enrolled); it lives as long as
    /// [`Policy::session_lifetime`] says, and works once. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// [`InvalidSession`](Rejection::InvalidSession): the session was forged, has expired, or
    /// succeeded before; or a token came into force or went out of it, or browsers were forgotten,
    /// since its code. Nobody is signed in.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # let required = mfa.with_policy(Policy::STANDARD.required())?;
    /// # let challenge = required.sign_in().run_blocking(&store, "bob")?;
    /// # let Challenge::Setup { session, .. } = challenge else {
    /// #     panic!("bob has no token");
    /// # };
    /// # let issued = required.associate(&session).run_blocking(&store, "bob")?;
    /// # let session = issued.session().expect("a flow").clone();
    /// # let code = Verifier::new(issued.secret(), issued.totp()).code(step);
    /// let enrolled = mfa.verify(&session, code).run_blocking(&store, "bob")?;
    /// let session = enrolled.session().expect("a session came with `verify`");
    ///
    /// let evidence = mfa.finish_setup(session).run_blocking(&store, "bob")?;
    /// assert_eq!(evidence.amr(), ["otp", "mfa"]);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn finish_setup(&self, session: &ChallengeSession) -> Request<FinishSetup> {
        self.request(FinishSetup::new(session))
    }

    /// Shows the second factor within a login ("sudo mode"). Gives [`Evidence`], of which the
    /// login's new grant is made.
    ///
    /// Use it where [`check`](Self::check) or a change of the second factor answers
    /// [`SecondFactorRequired`](Rejection::SecondFactorRequired) or
    /// [`ReauthenticationRequired`](Rejection::ReauthenticationRequired): ask for a code, step up,
    /// keep the new grant with the login, and repeat the request. You owe that the grant is that of
    /// this very login. See the [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`NotAuthorized`](Rejection::NotAuthorized): the grant is another subject's, older than a
    ///   reset, or ahead of the clock. No code was judged.
    /// - [`NotAssociated`](Rejection::NotAssociated): no token is in force. Nothing was counted.
    /// - [`Mismatch`](Rejection::Mismatch): the code is wrong, and counted.
    /// - [`Reused`](Rejection::Reused), [`CodeLength`](Rejection::CodeLength): the code was not
    ///   counted.
    /// - [`Throttled`](Rejection::Throttled), [`Locked`](Rejection::Locked),
    ///   [`RecoveryLocked`](Rejection::RecoveryLocked): the code was neither judged nor counted.
    /// - [`ClockBehind`](Rejection::ClockBehind): nothing was judged.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// let evidence = mfa.step_up(&login, code).run_blocking(&store, "alice")?;
    /// let login = Grant::from(&evidence); // in place of the login's old grant
    /// assert_eq!((login.id(), login.second_factor_at()), (Some("login-1"), Some(now)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn step_up(&self, grant: &Grant, factor: impl Into<Factor>) -> Request<StepUp> {
        self.request(StepUp::new(grant, factor))
    }

    /// Checks that a login may do something dangerous: it has shown a token in force, or the first
    /// factor where no token is in force, at most `max_age` ago. It is one read; nothing changes.
    ///
    /// Use it before a deletion, a payment, or a new e-mail address. `max_age` is yours: 5 to 15
    /// minutes are customary, and whole seconds count. Where the check refuses, ask for a code and
    /// call [`step_up`](Self::step_up); where no token is in force, ask for the password and make a
    /// new [`Grant::first_factor`]. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`NotAuthorized`](Rejection::NotAuthorized): the grant is another subject's, older than a
    ///   reset, or ahead of the clock.
    /// - [`SecondFactorRequired`](Rejection::SecondFactorRequired): a token is in force, and the
    ///   grant has not shown it.
    /// - [`ReauthenticationRequired`](Rejection::ReauthenticationRequired): the factor was shown
    ///   longer than `max_age` ago.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// let five_minutes = Duration::from_secs(5 * 60);
    /// let refused = mfa.check(&login, five_minutes).run_blocking(&store, "alice").unwrap_err();
    /// assert_eq!(refused.rejection(), Some(Rejection::SecondFactorRequired));
    ///
    /// let login = Grant::from(&mfa.step_up(&login, code).run_blocking(&store, "alice")?);
    /// mfa.check(&login, five_minutes).run_blocking(&store, "alice")?;
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn check(&self, grant: &Grant, max_age: Duration) -> Request<Check> {
        self.request(Check::new(grant, max_age))
    }
}

/// # Setting up and managing tokens
impl Mfa {
    /// Issues a secret to set up. Gives [`Issued`](crate::association::Issued).
    ///
    /// Use it where the user adds a phone, or where a [`Challenge::Setup`](crate::Challenge::Setup)
    /// asks for one. Show [`Issued::uri`](crate::association::Issued::uri) as a QR code, and the
    /// secret to users who type; it is handed out this once. It waits for its first code for
    /// [`Policy::pending_lifetime`] (1 minute to 24 hours; 10 minutes by default). Nothing in force
    /// changes until [`verify`](Self::verify). With [`Policy::max_tokens`] 1 the new token will
    /// replace the one in force; with more it is added, unless [`replacing`](Request::replacing)
    /// names one. See the [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`NotAuthorized`](Rejection::NotAuthorized),
    ///   [`ReauthenticationRequired`](Rejection::ReauthenticationRequired),
    ///   [`SecondFactorRequired`](Rejection::SecondFactorRequired),
    ///   [`InvalidSession`](Rejection::InvalidSession): the authority does not suffice.
    /// - [`SoftwareTokenDisabled`](Rejection::SoftwareTokenDisabled): the policy allows no set-up.
    /// - [`TooManyTokens`](Rejection::TooManyTokens), [`NoSuchToken`](Rejection::NoSuchToken):
    ///   there is no room, or nothing to replace.
    ///
    /// None of these issues a secret; one that waited before still waits.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// let grant = Grant::first_factor("bob", now).with_id("login-2");
    /// let issued = mfa.associate(&grant).named("phone").run_blocking(&store, "bob")?;
    /// let qr = issued.uri("Example", "bob@example.com")?; // draw `qr.expose()` as a QR code
    /// assert!(qr.expose().starts_with("otpauth://totp/Example:bob"));
    /// let typed = issued.secret().expose_base32(); // for a user who types
    /// assert_eq!(typed.len(), 32);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn associate(&self, by: impl Into<Authority>) -> Request<Associate> {
        self.drawn(Associate::new(by, &self.view.policy, self.entropy()))
    }

    /// Confirms a pending enrolment with the first code from the authenticator. Gives
    /// [`Enrolled`](crate::association::Enrolled).
    ///
    /// Use it where the form with the first code comes back. The token is in force from then on,
    /// and the code is spent: the next sign-in wants a later one. Where the set-up ended a sign-in,
    /// the evidence completes it; within a login, keep `Grant::from(enrolled.evidence())` in place
    /// of the old grant, and end other logins where
    /// [`should_end_other_logins`](Evidence::should_end_other_logins) says so. Offer [recovery
    /// codes](Self::issue_recovery_codes) next. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`NotAuthorized`](Rejection::NotAuthorized),
    ///   [`SecondFactorRequired`](Rejection::SecondFactorRequired),
    ///   [`InvalidSession`](Rejection::InvalidSession): the authority does not suffice.
    /// - [`NotAssociated`](Rejection::NotAssociated), [`Expired`](Rejection::Expired): nothing
    ///   waits, or it has waited too long. No code was judged.
    /// - [`AlreadyVerified`](Rejection::AlreadyVerified): the same session has verified a token
    ///   already, as by a double click; or the same grant has, and no other secret waits. Nothing
    ///   was judged: show which tokens are in force, since the code may be that of a QR code which
    ///   a newer one has replaced.
    /// - [`Mismatch`](Rejection::Mismatch): the code is wrong, and counted; the secret still waits.
    /// - [`CodeLength`](Rejection::CodeLength): the code was not counted.
    /// - [`Throttled`](Rejection::Throttled), [`Locked`](Rejection::Locked): the code was neither
    ///   judged nor counted.
    /// - [`SoftwareTokenDisabled`](Rejection::SoftwareTokenDisabled),
    ///   [`TooManyTokens`](Rejection::TooManyTokens), [`NoSuchToken`](Rejection::NoSuchToken): the
    ///   policy or the tokens in force have changed since. No code was judged.
    ///
    /// None of these puts a token in force.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # let grant = Grant::first_factor("bob", now).with_id("login-2");
    /// # let issued = mfa.associate(&grant).run_blocking(&store, "bob")?;
    /// # let phone = Verifier::new(issued.secret(), issued.totp());
    /// # let typed = phone.code(step).expose();
    /// let enrolled = mfa.verify(&grant, Code::parse(&typed)?).named("phone");
    /// let enrolled = enrolled.run_blocking(&store, "bob")?;
    /// let grant = Grant::from(enrolled.evidence()); // in place of the login's old grant
    /// assert_eq!(enrolled.evidence().token_name(), Some("phone"));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[doc(alias = "confirm")]
    pub fn verify(&self, by: impl Into<Authority>, code: Code) -> Request<Verify> {
        self.drawn(Verify::new(by, code, self.entropy()))
    }

    /// Tells how the second factor stands. Gives a
    /// [`StatusReport`](crate::association::StatusReport).
    ///
    /// Use it for the settings page, and for your support. It is one read, and needs no authority:
    /// you owe that only the user and your support see it. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// No rejection; only the faults of [`Request::run`].
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// let report = mfa.status().run_blocking(&store, "alice")?;
    /// assert_eq!(report.state, State::Verified);
    /// assert_eq!(report.tokens[0].name.as_deref(), Some("phone"));
    /// assert_eq!(report.recovery_codes, 0); // offer some
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn status(&self) -> Request<Status> {
        self.request(Status)
    }

    /// Turns the second factor on or off: whether a sign-in asks for a token where the policy
    /// leaves it to the user. Gives nothing.
    ///
    /// Use it for the switch on the settings page. The token stays in force either way, and so do
    /// its recovery codes. Turning off needs possession of a token in force, shown within
    /// [`Policy::reauthenticate_within`]; turning on needs possession, or under [`Policy::COGNITO`]
    /// the first factor. See the [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`NotAuthorized`](Rejection::NotAuthorized),
    ///   [`ReauthenticationRequired`](Rejection::ReauthenticationRequired),
    ///   [`SecondFactorRequired`](Rejection::SecondFactorRequired),
    ///   [`InvalidSession`](Rejection::InvalidSession): the authority does not suffice.
    /// - [`NotAssociated`](Rejection::NotAssociated): no token is in force.
    /// - [`MfaRequired`](Rejection::MfaRequired): the policy requires a second factor, so the user
    ///   cannot turn it off.
    ///
    /// None of these changes the preference.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # let grant = Grant::from(&mfa.step_up(&login, code).run_blocking(&store, "alice")?);
    /// mfa.set_enabled(&grant, false).run_blocking(&store, "alice")?;
    /// let challenge = mfa.sign_in().run_blocking(&store, "alice")?;
    /// assert!(matches!(challenge, Challenge::NotRequired { .. }));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn set_enabled(&self, by: impl Into<Authority>, enabled: bool) -> Request<SetEnabled> {
        self.request(SetEnabled::new(by, enabled))
    }

    /// Sets the preference: off, on, or before any other factor, as Amazon Cognito has it. Gives
    /// nothing.
    ///
    /// Use it where your application offers several second factors and asks this crate which one
    /// comes first; else [`set_enabled`](Self::set_enabled) is enough. A lower preference needs
    /// possession of a token in force, a higher one what [`set_enabled`](Self::set_enabled) needs
    /// to turn on. See the [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`NotAuthorized`](Rejection::NotAuthorized),
    ///   [`ReauthenticationRequired`](Rejection::ReauthenticationRequired),
    ///   [`SecondFactorRequired`](Rejection::SecondFactorRequired),
    ///   [`InvalidSession`](Rejection::InvalidSession): the authority does not suffice.
    /// - [`NotAssociated`](Rejection::NotAssociated): no token is in force.
    /// - [`MfaRequired`](Rejection::MfaRequired): the policy requires a second factor, so the user
    ///   cannot turn it off.
    ///
    /// None of these changes the preference.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # let grant = Grant::from(&mfa.step_up(&login, code).run_blocking(&store, "alice")?);
    /// mfa.prefer(&grant, Preference::Preferred).run_blocking(&store, "alice")?;
    /// let report = mfa.status().run_blocking(&store, "alice")?;
    /// assert_eq!(report.preference, Preference::Preferred);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn prefer(&self, by: impl Into<Authority>, preference: Preference) -> Request<Prefer> {
        self.request(Prefer::new(by, preference))
    }

    /// Gives a token in force another name; an empty one takes the name away. Gives nothing.
    ///
    /// Use it for the settings page, with an id from [`status`](Self::status). Of the name,
    /// [`Policy::name_bytes`] bytes are kept (256 by default). No grant is voided. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`NotAuthorized`](Rejection::NotAuthorized),
    ///   [`ReauthenticationRequired`](Rejection::ReauthenticationRequired),
    ///   [`SecondFactorRequired`](Rejection::SecondFactorRequired),
    ///   [`InvalidSession`](Rejection::InvalidSession): the authority does not suffice.
    /// - [`NotAssociated`](Rejection::NotAssociated): no token is in force.
    /// - [`NoSuchToken`](Rejection::NoSuchToken): the token is not in force.
    ///
    /// None of these changes a name.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # let grant = Grant::from(&mfa.step_up(&login, code).run_blocking(&store, "alice")?);
    /// let token = mfa.status().run_blocking(&store, "alice")?.tokens[0].id;
    /// mfa.rename(&grant, token, "work phone").run_blocking(&store, "alice")?;
    /// let report = mfa.status().run_blocking(&store, "alice")?;
    /// assert_eq!(report.tokens[0].name.as_deref(), Some("work phone"));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn rename(&self, by: impl Into<Authority>, token: TokenId, name: &str) -> Request<Rename> {
        self.request(Rename::new(by, token, name))
    }

    /// Removes one token; the last one as [`disassociate`](Self::disassociate) does. Gives nothing.
    ///
    /// Use it for the settings page, with an id from [`status`](Self::status). Grants that only
    /// this token has proven prove possession no more, and remembered browsers, a temporary code
    /// and what is pending end. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// Nobody is signed out by it: end the other logins of the user, where the phone was lost or
    /// stolen.
    ///
    /// # Errors
    ///
    /// - [`NotAuthorized`](Rejection::NotAuthorized),
    ///   [`ReauthenticationRequired`](Rejection::ReauthenticationRequired),
    ///   [`SecondFactorRequired`](Rejection::SecondFactorRequired),
    ///   [`InvalidSession`](Rejection::InvalidSession): the authority does not suffice.
    /// - [`NotAssociated`](Rejection::NotAssociated): no token is in force.
    /// - [`NoSuchToken`](Rejection::NoSuchToken): the token is not in force.
    /// - [`MfaRequired`](Rejection::MfaRequired): the policy requires a second factor, and the
    ///   token is the last.
    ///
    /// None of these removes a token.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # let grant = Grant::from(&mfa.step_up(&login, code).run_blocking(&store, "alice")?);
    /// let token = mfa.status().run_blocking(&store, "alice")?.tokens[0].id;
    /// mfa.remove(&grant, token).run_blocking(&store, "alice")?;
    /// let report = mfa.status().run_blocking(&store, "alice")?;
    /// assert_eq!(report.state, State::Unassociated); // it was the last
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn remove(&self, by: impl Into<Authority>, token: TokenId) -> Request<Remove> {
        self.request(Remove::new(by, token))
    }

    /// Removes every token, what is pending, and the recovery codes. Gives nothing.
    ///
    /// Use it where a user gives the second factor up. Where a token is in force it needs
    /// possession, else a fresh first factor. See the
    /// [matrix](crate::manual::handlers#operation-authority-state); for a user who has lost the
    /// phone, [`reset`](Self::reset).
    ///
    /// Nobody is signed out by it: end the other logins of the user, where the phone was lost or
    /// stolen.
    ///
    /// # Errors
    ///
    /// - [`NotAuthorized`](Rejection::NotAuthorized),
    ///   [`ReauthenticationRequired`](Rejection::ReauthenticationRequired),
    ///   [`SecondFactorRequired`](Rejection::SecondFactorRequired),
    ///   [`InvalidSession`](Rejection::InvalidSession): the authority does not suffice.
    /// - [`MfaRequired`](Rejection::MfaRequired): the policy requires a second factor.
    ///
    /// None of these removes anything.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # let grant = Grant::from(&mfa.step_up(&login, code).run_blocking(&store, "alice")?);
    /// mfa.disassociate(&grant).run_blocking(&store, "alice")?;
    /// let report = mfa.status().run_blocking(&store, "alice")?;
    /// assert_eq!(report.state, State::Unassociated);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn disassociate(&self, by: impl Into<Authority>) -> Request<Disassociate> {
        self.request(Disassociate::new(by))
    }

    /// Issues ten recovery codes. Gives [`RecoveryCodes`](crate::association::RecoveryCodes).
    ///
    /// Use it after an enrolment, and where few are left. Show the codes this once, to be printed
    /// or saved: only their hashes are kept. A new set kills the old one and a temporary code. Each
    /// code signs in once, in place of the token. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`NotAuthorized`](Rejection::NotAuthorized),
    ///   [`ReauthenticationRequired`](Rejection::ReauthenticationRequired),
    ///   [`SecondFactorRequired`](Rejection::SecondFactorRequired),
    ///   [`InvalidSession`](Rejection::InvalidSession): the authority does not suffice.
    /// - [`NotAssociated`](Rejection::NotAssociated): no token is in force.
    ///
    /// None of these issues codes; an old set stays good.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # let grant = Grant::from(&mfa.step_up(&login, code).run_blocking(&store, "alice")?);
    /// let codes = mfa.issue_recovery_codes(&grant).run_blocking(&store, "alice")?;
    /// let shown: Vec<_> = codes.iter().map(RecoveryCode::expose).collect();
    /// assert_eq!((shown.len(), shown[0].len()), (10, 29)); // five groups of five
    ///
    /// let lost = Factor::parse(&shown[0])?; // the phone is gone
    /// let signed_in = mfa.sign_in_with(Some(lost)).run_blocking(&store, "alice")?;
    /// assert!(matches!(signed_in, SignedIn::Proven(_)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn issue_recovery_codes(&self, by: impl Into<Authority>) -> Request<IssueRecoveryCodes> {
        self.drawn(IssueRecoveryCodes::new(by, self.entropy()))
    }

    /// Forgets every remembered browser of the subject's. Gives nothing.
    ///
    /// Use it for "log out everywhere" and after an attack. The cookies of
    /// [`remember`](Self::remember) waive nothing from then on. Where a token is in force it needs
    /// possession, else a fresh first factor. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`NotAuthorized`](Rejection::NotAuthorized),
    ///   [`ReauthenticationRequired`](Rejection::ReauthenticationRequired),
    ///   [`SecondFactorRequired`](Rejection::SecondFactorRequired),
    ///   [`InvalidSession`](Rejection::InvalidSession): the authority does not suffice.
    ///
    /// None of these forgets a browser.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # let grant = Grant::from(&mfa.step_up(&login, code).run_blocking(&store, "alice")?);
    /// mfa.forget_browsers(&grant).run_blocking(&store, "alice")?;
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn forget_browsers(&self, by: impl Into<Authority>) -> Request<ForgetBrowsers> {
        self.request(ForgetBrowsers::new(by))
    }

    /// Finds out how far a token's clock is off, from two codes that it showed one after the other.
    /// Gives nothing, and signs nobody in.
    ///
    /// Use it where the codes of a right phone or fob do not fit. The codes may lie up to
    /// [`Policy::resynchronise_reach`] steps off (1 to 120; 20 by default, which is ten minutes).
    /// They count as one guess, and are spent: ask for the next code to sign in. It takes a grant,
    /// the session of a [`Challenge::SoftwareToken`](crate::Challenge::SoftwareToken), or an
    /// administrator. See the [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`NotAuthorized`](Rejection::NotAuthorized),
    ///   [`ReauthenticationRequired`](Rejection::ReauthenticationRequired),
    ///   [`InvalidSession`](Rejection::InvalidSession): the authority does not suffice. No code was
    ///   judged.
    /// - [`NotAssociated`](Rejection::NotAssociated): no token is in force.
    /// - [`Mismatch`](Rejection::Mismatch): the two codes fit no two steps in a row within reach;
    ///   one guess is counted.
    /// - [`Reused`](Rejection::Reused), [`CodeLength`](Rejection::CodeLength): nothing was counted.
    /// - [`Throttled`](Rejection::Throttled), [`Locked`](Rejection::Locked),
    ///   [`ClockBehind`](Rejection::ClockBehind): nothing was judged, nothing counted.
    ///
    /// None of these changes the drift.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// let (first, second) = (step.saturating_offset(9), step.saturating_offset(10));
    /// let (code, next) = (phone.code(first), phone.code(second)); // a fob five minutes ahead
    /// mfa.resynchronise(&login, code, next).run_blocking(&store, "alice")?;
    /// assert_eq!(mfa.status().run_blocking(&store, "alice")?.tokens[0].drift, 10);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn resynchronise(
        &self,
        by: impl Into<Authority>,
        code: Code,
        next: Code,
    ) -> Request<Resynchronise> {
        self.request(Resynchronise::new(by, code, next))
    }
}

/// # For administrators
impl Mfa {
    /// Removes everything, and voids every grant given before: the user has lost the phone, or
    /// somebody else has it. Gives nothing.
    ///
    /// Use it by your support, once the user has been identified by other means: the password alone
    /// enrols anew from then on. The throttle is cleared. End all logins of the user as well.
    /// [`unreadable`](Request::unreadable) resets a record that does not open,
    /// [`mending_clock`](Request::mending_clock) one that was written under a clock ahead. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// No rejection. [`Fault::Record`] where the record does not open, unless `unreadable` was said
    /// of this revision and nothing else would help; [`Fault::OtherRevision`] where the record
    /// opens and `unreadable` was said of another revision. Nothing was overwritten.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// let support = Administrator::named("support: carol");
    /// mfa.reset(&support).run_blocking(&store, "alice")?;
    /// assert_eq!(mfa.status().run_blocking(&store, "alice")?.state, State::Unassociated);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn reset(&self, by: &Administrator) -> Request<Reset> {
        self.request(Reset::new(by))
    }

    /// Clears the throttle, the lock and the count of wrong recovery codes. Gives nothing.
    ///
    /// Use it by your support, where a user is locked out and still has the phone. Somebody has
    /// guessed: have the password changed first. Tokens, spent codes and recovery codes stay as
    /// they are. See the [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// No rejection; only the faults of [`Request::run`].
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # let wrong = Code::parse("000000")?;
    /// # for _ in 0..3 {
    /// #     mfa.step_up(&login, wrong.clone()).run_blocking(&store, "alice").unwrap_err();
    /// # }
    /// let waits = mfa.step_up(&login, code.clone()).run_blocking(&store, "alice").unwrap_err();
    /// assert_eq!(waits.retry_after(), Some(Duration::from_secs(5)));
    ///
    /// mfa.unlock(&Administrator::named("support: carol")).run_blocking(&store, "alice")?;
    /// mfa.step_up(&login, code).run_blocking(&store, "alice")?;
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn unlock(&self, by: &Administrator) -> Request<Unlock> {
        self.request(Unlock::new(by))
    }

    /// Issues one code to pass on to a user whose phone is not at hand, good once and for
    /// `lifetime`, 1 minute to 7 days. Gives a [`RecoveryCode`](crate::RecoveryCode).
    ///
    /// Use it by your support, once the user has been identified by other means. The user types the
    /// code where a code of the phone is asked for. It stands beside the user's own recovery codes,
    /// and ends by use, by its end, by a newer one, by a new set, and by any change of the tokens
    /// in force. See the [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// [`NotAssociated`](Rejection::NotAssociated): no token is in force, so nothing is asked for.
    /// Outside its range the lifetime is [`Fault::TemporaryCodeLifetime`]. No code was issued.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// let support = Administrator::named("support: carol");
    /// let day = Duration::from_secs(24 * 60 * 60);
    /// let code = mfa.issue_temporary_code(&support, day).run_blocking(&store, "alice")?;
    /// let text = code.expose(); // tell the user
    ///
    /// let sign_in = mfa.sign_in_with(Some(Factor::parse(&text)?));
    /// let signed_in = sign_in.run_blocking(&store, "alice")?;
    /// assert!(matches!(signed_in, SignedIn::Proven(_)));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn issue_temporary_code(
        &self,
        by: &Administrator,
        lifetime: Duration,
    ) -> Request<IssueTemporaryCode> {
        self.drawn(IssueTemporaryCode::new(by, lifetime, self.entropy()))
    }

    /// Takes over tokens that another system has issued: 1 to [`Policy::max_tokens`] proven ones,
    /// or one alone that waits for its first code. Gives nothing.
    ///
    /// Use it to move users in, a whole table by [`Rows::move_in`](crate::rows::Rows::move_in);
    /// [the manual](crate::manual::migrations) names the units of other systems. Proven tokens are
    /// enabled, unless [`enabled`](Request::enabled) says otherwise. Say the last step that the
    /// other system accepted ([`ImportedToken::last_step`], in steps, not seconds): without it
    /// every code that is valid now counts as spent. A migration may run twice: a second run is
    /// refused. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// - [`AlreadyVerified`](Rejection::AlreadyVerified): a token is in force, and
    ///   [`replacing_everything`](Request::replacing_everything) was not said.
    /// - [`VerifiedBefore`](Rejection::VerifiedBefore): a token was in force before, and
    ///   [`even_if_verified_before`](Request::even_if_verified_before) was not said.
    /// - [`TooManyTokens`](Rejection::TooManyTokens),
    ///   [`LastStepInFuture`](Rejection::LastStepInFuture),
    ///   [`SoftwareTokenDisabled`](Rejection::SoftwareTokenDisabled).
    /// - [`Fault::Import`]: the list contradicts itself.
    ///
    /// None of these imports a token.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # let secret = Secret::from_base32("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ")?;
    /// let token = ImportedToken::proven(secret, Totp::STANDARD)
    ///     .named("phone")
    ///     .last_step(step.saturating_offset(-1)); // the time of its last code, divided by 30 s
    /// let migration = Administrator::named("migration");
    /// mfa.import(&migration, [token.clone()]).run_blocking(&store, "bob")?;
    ///
    /// let again = mfa.import(&migration, [token]).run_blocking(&store, "bob").unwrap_err();
    /// assert_eq!(again.rejection(), Some(Rejection::AlreadyVerified));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn import(
        &self,
        by: &Administrator,
        tokens: impl IntoIterator<Item = ImportedToken>,
    ) -> Request<Import> {
        self.drawn(Import::new(by, tokens, self.entropy()))
    }

    /// Hands out the secrets of all tokens in force, for another system. Gives the list that
    /// [`import`](Self::import) takes.
    ///
    /// Use it to move users out. The record says from then on when that was, and the event is
    /// stored before a secret leaves. You owe the secrets the care that a password deserves: a
    /// system that has them can sign in as the user. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// [`NotAssociated`](Rejection::NotAssociated): no token is in force. No secret was handed out.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// let migration = Administrator::named("migration");
    /// let tokens = mfa.export(&migration).run_blocking(&store, "alice")?;
    /// assert_eq!(tokens[0].name(), Some("phone"));
    /// assert_eq!(mfa.status().run_blocking(&store, "alice")?.exported, Some(now));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[cfg(feature = "export")]
    pub fn export(&self, by: &Administrator) -> Request<Export> {
        self.request(Export::new(by))
    }

    /// Writes a record again as it is, sealed under the current key and label. Gives nothing.
    ///
    /// Use it for each subject after a key was rotated, and before the old one is retired; after a
    /// label was changed; and to seal the rows of before there was a seal. The whole table is gone
    /// over by [`Rows::reseal`](crate::rows::Rows::reseal). A record that is
    /// sealed under the current key already is sealed anew. There is no event, and a subject
    /// without a row is left without one. See the
    /// [matrix](crate::manual::handlers#operation-authority-state).
    ///
    /// # Errors
    ///
    /// [`Fault::NoSeal`] where there is no [seal](Self::sealed); [`Fault::Record`] where the record
    /// does not open. Nothing was written.
    ///
    /// # Examples
    ///
    /// ```
    #[doc = enrolled!()]
    /// # #[cfg(feature = "seal")]
    /// # {
    /// use softtoken::record::Keyring;
    ///
    /// let mut keyring = Keyring::generate(1, &OsEntropy)?; // in your application, `from_bytes`
    /// let before = mfa.clone().sealed(keyring.clone()).adopting_plain_records();
    /// before.reseal().run_blocking(&store, "alice")?; // the row was in the clear
    ///
    /// keyring.rotate(2, &[7; 32]); // 32 bytes of a generator's
    /// let after = mfa.sealed(keyring);
    /// after.reseal().run_blocking(&store, "alice")?; // key 1 may be retired now
    /// assert!(after.status().run_blocking(&store, "alice")?.is_verified());
    /// # }
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn reseal(&self) -> Request<Reseal> {
        self.request(Reseal)
    }

    /// Returns whether this row is sealed under the current key and label.
    pub(crate) fn is_sealed_anew(&self, subject: &str, row: &Snapshot) -> bool {
        let at_rest = &self.view.shared.at_rest;
        at_rest.is_current(Place::new(subject, row.revision), &row.record)
    }
}

/// Holds an operation that waits to be run. It is owned: it may move into a task or onto another
/// thread.
///
/// [`run`](Self::run) and [`run_blocking`](Self::run_blocking) do all of it. To perform the write
/// inside your own transaction, call [`decide`](Self::decide):
///
/// ```
/// use softtoken::store::{BlockingStore, Swap};
/// use softtoken::{Code, Error, Evidence, Grant, MemoryStore, Mfa, Revision};
/// # use core::time::Duration;
/// # use softtoken::association::ImportedToken;
/// # use softtoken::totp::{Secret, Totp, Verifier};
/// # use softtoken::{Administrator, Fault, OsEntropy, Policy, UnixTime};
///
/// /// `seen`: the revision that your application's own row of the user names.
/// fn step_up(
///     mfa: &Mfa,
///     rows: &MemoryStore,
///     grant: &Grant,
///     code: &Code,
///     seen: Revision,
/// ) -> Result<Evidence, Error> {
///     let request = mfa.step_up(grant, code.clone()).expect_enrolled().at_least(seen);
///     loop {
///         let found = rows.load_blocking(grant.subject()).map_err(Error::Store)?; // BEGIN; SELECT
///         let decision = request.decide(grant.subject(), found)?;
///         if let Some(write) = decision.write() {
///             // UPDATE .. WHERE revision = ..
///             let swap = rows.compare_and_swap_blocking(write.clone());
///             if swap.map_err(Error::Store)? == Swap::Conflict {
///                 continue; // ROLLBACK
///             }
///         }
///         if !decision.is_rejection() {
///             // The rest of the login's writes: only here, so that their failure undoes no
///             // rejection's count.
///         }
///         return decision.committed(); // COMMIT
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
/// # let token = ImportedToken::proven(secret, Totp::STANDARD);
/// # let token = token.last_step(step.saturating_offset(-1));
/// # mfa.import(&Administrator::named("migration"), [token]).run_blocking(&rows, "user-1")?;
/// # let (grant, seen) = (Grant::first_factor("user-1", now), Revision::FIRST);
/// let evidence = step_up(&mfa, &rows, &grant, &code, seen)?;
/// assert_eq!(evidence.amr(), ["otp", "mfa"]);
///
/// let wrong = Code::parse("000000")?;
/// let rejections = [(); 3].map(|()| step_up(&mfa, &rows, &grant, &wrong, seen).unwrap_err());
/// assert_eq!(rejections[0].retry_after(), None);
/// assert_eq!(rejections[2].retry_after(), Some(Duration::from_secs(5)));
///
/// let emptied = MemoryStore::new(); // somebody has deleted the row
/// let fault = step_up(&mfa, &emptied, &grant, &code, seen).unwrap_err();
/// assert!(matches!(fault, Error::Fault(Fault::RolledBack)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request does nothing until it is run"]
pub struct Request<O> {
    mfa: Mfa,
    /// A failed draw is reported when the request is run.
    operation: Result<O, Fault>,
    /// Guards what was drawn, where it is one subject's. Its decisions share it.
    drawn: Option<Arc<Drawn>>,
    expect_enrolled: bool,
    at_least: Option<Revision>,
}

impl<O: Operation> Request<O> {
    /// Loads, decides and swaps, until the swap succeeds or the policy's attempts are used up.
    /// Dropping the future leaves the old record or the new one, never part of either.
    ///
    /// # Errors
    ///
    /// - [`Error::Rejected`]: the answer is no, and what it had to count is stored. Each verb
    ///   lists its rejections.
    /// - [`Error::Fault`]: there is no answer, and nothing was accepted. Any request fails so where
    ///   the subject is out of its range, the time or randomness is missing, the record does not
    ///   open, or other requests for the subject were faster [every
    ///   time](crate::Policy::swap_attempts).
    /// - [`Error::Store`]: the store failed. Nothing was accepted; a code may be spent, or a guess
    ///   counted.
    #[expect(
        clippy::manual_async_fn,
        reason = "the future of an async function has each argument twice: where it was handed \
                  over, a code would lie without ever being wiped"
    )]
    pub fn run<S: Store + ?Sized>(
        self,
        store: &S,
        subject: &str,
    ) -> impl Future<Output = Result<O::Output, Error<S::Error>>> {
        async move { self.run_where_it_lies(store, subject).await }
    }

    pub(crate) async fn run_where_it_lies<S: Store + ?Sized>(
        &self,
        store: &S,
        subject: &str,
    ) -> Result<O::Output, Error<S::Error>> {
        self.check(subject)?;
        for lost in 0..self.swap_attempts() {
            if let Some(time) = self.mfa.pause(lost) {
                store.pause(time).await;
            }
            let found = store.load(subject).await.map_err(Error::Store)?;
            let decision = self.decide(subject, found)?;
            let swap = match decision.write() {
                None => Swap::Stored,
                Some(write) => {
                    let swap = store.compare_and_swap(write.clone()).await;
                    swap.map_err(Error::Store)?
                }
            };
            if swap == Swap::Stored {
                return decision.committed();
            }
        }
        Err(Fault::Contended.into())
    }

    /// Does what [`run`](Self::run) does, without an executor.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`run`](Self::run), under the same conditions.
    pub fn run_blocking<S: BlockingStore + ?Sized>(
        self,
        store: &S,
        subject: &str,
    ) -> Result<O::Output, Error<S::Error>> {
        self.run_blocking_where_it_lies(store, subject)
    }

    pub(crate) fn run_blocking_where_it_lies<S: BlockingStore + ?Sized>(
        &self,
        store: &S,
        subject: &str,
    ) -> Result<O::Output, Error<S::Error>> {
        self.check(subject)?;
        for lost in 0..self.swap_attempts() {
            if let Some(time) = self.mfa.pause(lost) {
                store.pause_blocking(time);
            }
            let found = store.load_blocking(subject).map_err(Error::Store)?;
            let decision = self.decide(subject, found)?;
            let swap = match decision.write() {
                None => Swap::Stored,
                Some(write) => {
                    let swap = store.compare_and_swap_blocking(write.clone());
                    swap.map_err(Error::Store)?
                }
            };
            if swap == Swap::Stored {
                return decision.committed();
            }
        }
        Err(Fault::Contended.into())
    }

    /// Decides on what was loaded, to be written in a transaction of your own. You owe what `run`
    /// does:
    ///
    /// 1. load the row, in the transaction, at an isolation that lets only one of two writers of
    ///    the row commit;
    /// 2. decide; write [`Decision::write`] where there is one, on the condition it names;
    /// 3. commit; where the condition failed, or the commit did, begin again with 1;
    /// 4. take the answer, by [`Decision::committed`].
    ///
    /// A rejection's write must not share your transaction's fate: see [`Decision::is_rejection`].
    ///
    /// A request may decide as often as it takes, for one subject, until one of its decisions is
    /// [committed](Decision::committed): a secret, codes or ids that it has drawn are that
    /// subject's, and issued once.
    ///
    /// # Errors
    ///
    /// [`Fault`]: there is no decision. Nothing is to be written. Where the request has drawn a
    /// secret, codes or ids, [`Fault::OtherSubject`] if it has decided for another subject, and
    /// [`Fault::AlreadyIssued`] if it has answered: what it drew may be spent by now.
    #[inline]
    pub fn decide(
        &self,
        subject: &str,
        found: Option<Snapshot>,
    ) -> Result<Decision<O::Output>, Fault> {
        // Wiped whatever comes of it.
        let found = found.map(|row| (row.revision, scrub::Bytes::from(row.record)));
        let operation = self.check(subject)?;
        let shared = &*self.mfa.view.shared;
        let now = self.mfa.now()?;
        let (mut current, expected, buffer);
        match found {
            None => {
                current = Record::default();
                (expected, buffer) = (None, scrub::Bytes::default());
            }
            Some((revision, row)) => {
                let read = shared.at_rest.read(Place::new(subject, revision), &row);
                let overwrites =
                    operation.overwrites_unreadable() == Some(revision) && !record::is_newer(&row);
                current = match read {
                    Err(error) if overwrites && error.is_final() => {
                        Record::unreadable(revision, now)
                    }
                    read => read?,
                };
                (expected, buffer) = (Some(revision), row);
            }
        }
        let stated = operation.overwrites_unreadable();
        if stated.is_some() && expected.is_some() && expected != stated {
            return Err(Fault::OtherRevision);
        }
        if expected < self.at_least || (self.expect_enrolled && !current.is_verified()) {
            return Err(Fault::RolledBack);
        }
        // Evidence, write and decision share it.
        let subject: Arc<str> = subject.into();
        let applied = operation.apply_to(&mut current, &self.mfa.environment(&subject, now));
        // Where there is no row, an empty record says nothing more.
        let is_news = expected.is_some() || current != Record::default();
        let told = if applied.changed && is_news {
            let revision = Revision::after(expected).ok_or(Fault::RevisionsExhausted)?;
            let place = Place::new(&subject, revision);
            let row = shared
                .at_rest
                .write(place, &*shared.entropy, &current, buffer)?;
            let revisions = (expected, revision);
            let events = applied.events;
            Told::Written(Write::decided(subject, revisions, row, events, &current))
        } else {
            Told::Unwritten(subject, applied.events)
        };
        Ok(Decision {
            audit: self.mfa.view.audit.clone(),
            now,
            issues: self.drawn.clone().filter(|_| applied.outcome.is_ok()),
            outcome: applied.outcome,
            told,
        })
    }

    /// Fails unless a token is in force in the record that is found. Say it where you know from
    /// elsewhere that one is: then a row that was deleted or put back does not open the account to
    /// a new enrolment.
    pub fn expect_enrolled(mut self) -> Self {
        self.expect_enrolled = true;
        self
    }

    /// Fails unless the row that is found has at least this revision, which you know from elsewhere
    /// that it had.
    pub fn at_least(mut self, revision: Revision) -> Self {
        self.at_least = Some(revision);
        self
    }

    /// Returns how often a decision is to be attempted before the request fails as
    /// [`Fault::Contended`]: what the policy of this request's view says.
    #[must_use]
    pub fn swap_attempts(&self) -> u32 {
        self.mfa.view.policy.swap_attempts()
    }

    /// Checks what can be told before anything is read.
    pub(crate) fn check(&self, subject: &str) -> Result<&O, Fault> {
        let operation = self.operation.as_ref().map_err(|fault| *fault)?;
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES {
            return Err(Fault::Subject);
        }
        if operation.needs_session_keys() && self.mfa.view.shared.sessions.is_none() {
            return Err(Fault::NoSessionKeys);
        }
        if operation.needs_seal() && self.mfa.view.shared.at_rest.seal.is_none() {
            return Err(Fault::NoSeal);
        }
        if let Some(drawn) = &self.drawn {
            drawn.check(subject)?;
        }
        Ok(operation)
    }

    fn map(mut self, change: impl FnOnce(O) -> O) -> Self {
        self.operation = self.operation.map(change);
        self
    }

    fn and_then<E: Into<Fault>>(mut self, change: impl FnOnce(O) -> Result<O, E>) -> Self {
        self.operation = self
            .operation
            .and_then(|operation| change(operation).map_err(Into::into));
        self
    }
}

impl Request<SignIn> {
    /// Comes from a browser whose cookie has this text, which may be remembered
    /// ([`Mfa::remember`]).
    pub fn from_browser(self, text: Option<&str>) -> Self {
        self.map(|operation| operation.from_browser(text))
    }
}

impl Request<SignInWith> {
    /// Comes from a browser whose cookie has this text, which may be remembered
    /// ([`Mfa::remember`]).
    pub fn from_browser(self, text: Option<&str>) -> Self {
        self.map(|operation| operation.from_browser(text))
    }

    /// Names the attempt, so that it can be repeated: see [`AttemptKey`].
    pub fn attempt(self, key: AttemptKey) -> Self {
        self.map(|operation| operation.attempt(key))
    }
}

impl Request<Respond> {
    /// Names the attempt, so that it can be repeated: see [`AttemptKey`].
    pub fn attempt(self, key: AttemptKey) -> Self {
        self.map(|operation| operation.attempt(key))
    }
}

impl Request<StepUp> {
    /// Names the attempt, so that it can be repeated: see [`AttemptKey`].
    pub fn attempt(self, key: AttemptKey) -> Self {
        self.map(|operation| operation.attempt(key))
    }
}

impl Request<Associate> {
    /// Names the token: see [`Associate::named`].
    pub fn named(self, name: &str) -> Self {
        self.map(|operation| operation.named(name))
    }

    /// Replaces this token once the new one is verified: see [`Associate::replacing`].
    pub fn replacing(self, token: TokenId) -> Self {
        self.map(|operation| operation.replacing(token))
    }
}

impl Request<Verify> {
    /// Names the token: see [`Verify::named`].
    pub fn named(self, name: &str) -> Self {
        self.map(|operation| operation.named(name))
    }

    /// Verifies with two codes in a row: see [`Verify::followed_by`].
    pub fn followed_by(self, next: Code) -> Self {
        self.map(|operation| operation.followed_by(next))
    }

    /// Names the attempt, so that it can be repeated: see [`AttemptKey`].
    pub fn attempt(self, key: AttemptKey) -> Self {
        self.map(|operation| operation.attempt(key))
    }
}

impl Request<Reset> {
    /// Overwrites a record that does not open, at this revision: see [`Reset::unreadable`].
    pub fn unreadable(self, revision: Revision) -> Self {
        self.map(|operation| operation.unreadable(revision))
    }

    /// Lowers stored times that lie ahead: see [`Reset::mending_clock`].
    pub fn mending_clock(self) -> Self {
        self.map(Reset::mending_clock)
    }
}

impl Request<Import> {
    /// Says whether sign-ins ask for the imported tokens: see [`Import::enabled`].
    pub fn enabled(self, enabled: bool) -> Self {
        self.and_then(|operation| operation.enabled(enabled))
    }

    /// Puts the imported tokens in place of everything: see [`Import::replacing_everything`].
    pub fn replacing_everything(self) -> Self {
        self.and_then(Import::replacing_everything)
    }

    /// Imports for a subject that had a token here before, too: see
    /// [`Import::even_if_verified_before`].
    pub fn even_if_verified_before(self) -> Self {
        self.map(Import::even_if_verified_before)
    }
}

/// Holds a decision that has been computed but not yet stored, and therefore not told. It is owned:
/// it may move into a task or onto another thread.
#[must_use = "a decision that is not stored counts no guess and spends no code"]
pub struct Decision<T> {
    audit: Option<Audit>,
    /// Is told when the answer is handed out, where that issues what the request has drawn.
    issues: Option<Arc<Drawn>>,
    now: UnixTime,
    outcome: Result<T, Rejection>,
    told: Told,
}

/// Holds what a decision tells, and of whom: with what it writes, where it writes.
enum Told {
    Written(Write),
    Unwritten(Arc<str>, Events),
}

impl<T> fmt::Debug for Decision<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Decision")
            .field("subject", &self.subject())
            .field("write", &self.write())
            .finish_non_exhaustive()
    }
}

impl<T> Decision<T> {
    /// Returns what is to be stored, under the condition that it names; `None` where nothing
    /// changes.
    #[must_use]
    pub fn write(&self) -> Option<&Write> {
        match &self.told {
            Told::Written(write) => Some(write),
            Told::Unwritten(..) => None,
        }
    }

    /// Returns whether the answer is no. Its write, where there is one, counts a guess: commit it
    /// whatever becomes of the login around it, or guessing is free.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        self.outcome.is_err()
    }

    /// Returns what success will give, to write rows of your own by it in the same transaction;
    /// `None` where the answer is no. Nothing is accepted before the commit: issue no login by it,
    /// and take the answer by [`committed`](Self::committed).
    #[must_use]
    pub fn output(&self) -> Option<&T> {
        self.outcome.as_ref().ok()
    }

    /// Returns the answer. You owe that the write is committed; the events are told of now.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] where the answer is no, with the time to come back at where there is
    /// one.
    #[inline]
    pub fn committed<E>(self) -> Result<T, Error<E>> {
        if let Some(drawn) = &self.issues {
            drawn.issue();
        }
        for event in self.events() {
            tell(self.audit.as_ref(), self.subject(), event);
        }
        let retry_after = self.retry_after();
        self.outcome.map_err(|rejection| Error::Rejected {
            rejection,
            retry_after,
        })
    }

    /// Returns the answer of a decision that nobody stores, and tells of no event.
    pub(crate) fn untold<E>(self) -> Result<T, Error<E>> {
        self.outcome.map_err(Error::from)
    }

    fn subject(&self) -> &str {
        match &self.told {
            Told::Written(write) => write.subject(),
            Told::Unwritten(subject, _) => subject,
        }
    }

    fn events(&self) -> &Events {
        match &self.told {
            Told::Written(write) => write.events(),
            Told::Unwritten(_, events) => events,
        }
    }

    /// Returns in how long the next attempt will be judged: where this one came too early, or was
    /// the failure that makes the next one wait.
    fn retry_after(&self) -> Option<Duration> {
        let until = self.events().iter().find_map(|event| match event.kind {
            EventKind::Throttled { until }
            | EventKind::Refused {
                rejection: Rejection::Throttled { until },
                ..
            } => Some(until),
            _ => None,
        });
        until.map(|until| until.since(self.now))
    }
}
