//! Tells authors of handlers which verb to call when, what to show, and what to keep.
//!
//! # The view of a request
//!
//! Make one [`Mfa`](crate::Mfa) at the start. For each request, make a view of it in one function,
//! and begin every handler with that function. Then who must have a second factor, which flows
//! belong together, and how a request is logged stand in one place:
//!
//! ```
//! use softtoken::{Context, Error, Mfa, UnixTime};
//!
//! struct User {
//!     is_admin: bool,
//!     must_by: Option<UnixTime>, // a column of yours
//!     password_version: u32,
//! }
//!
//! fn view(mfa: &Mfa, user: &User, request_id: u64) -> Result<Mfa, Error> {
//!     let policy = match user.must_by {
//!         _ if user.is_admin => mfa.policy().required(),
//!         Some(time) => mfa.policy().required_from(time),
//!         None => *mfa.policy(),
//!     };
//!     let context = Context::new(format!("web/{}", user.password_version))?;
//!     Ok(mfa.with_policy(policy)?.with_context(context).with_audit(move |subject, event| {
//!         println!("{request_id} {subject} {}", event.name());
//!     }))
//! }
//! ```
//!
//! - **Requirement.** Take the time of `required_from` from a row of yours, never from now: a time
//!   that moves with every request never comes.
//! - **Context.** Put the version of the password in. A new password then ends every flow that
//!   began with the old one, and every remembered browser. Put the client or the pool in where one
//!   set of keys serves several.
//! - **Audit.** Log every event here, with your request's id and address. An outbox in the store
//!   alone is no audit log: a replay and an attempt that came too early write no record.
//! - Views of one row may differ, in the middle of a flow too. What the row itself depends on (the
//!   throttle, the window, the number of tokens, ..) is the same in all; `with_policy` refuses the
//!   rest.
//!
//! # Which verb when
//!
//! | moment | verb | then |
//! |---|---|---|
//! | the password was right, the code comes on the next page | [`sign_in`] | a [`Challenge`](crate::Challenge) says what to show |
//! | that page comes back | [`open`], [`respond`] | issue a login, keep [`Grant::from`](crate::Grant) of the evidence |
//! | password and code came in one request | [`sign_in_with`] | [`SignedIn`](crate::SignedIn) says whether to let the user in |
//! | the challenge asks to set up | [`associate`] and [`verify`], by the session | the evidence of `verify` ends the sign-in |
//! | the user adds or changes a phone | [`associate`] and [`verify`], by the grant | keep the new grant |
//! | before a deletion, a payment, a new e-mail address | [`check`] | where it refuses, [`step_up`], keep the new grant, check again |
//! | the settings page | [`status`] | tokens by id and name, recovery codes left |
//! | the user asks for recovery codes | [`issue_recovery_codes`] | show them once |
//! | codes of a right phone do not fit | [`resynchronise`] | sign in with the next code |
//!
//! One text field can take a code and a recovery code: [`Factor::parse`](crate::Factor::parse)
//! tells them apart.
//!
//! `NotRequired` carries no evidence, since nothing was proven: keep
//! [`Grant::first_factor`](crate::Grant::first_factor) with that login, and
//! [ask again](#a-login-without-a-code) once its row is stored. A
//! [`Setup`](crate::Challenge::Setup) that says `required_from` may be skipped until then: offer a
//! link that logs the user in by the first factor.
//!
//! # Operation, authority, state
//!
//! The matrix has a row for each verb and state, and a column for each authority. *Verified* means
//! that a token is in force; *not verified*, that none is, whatever is pending. A *password's
//! grant* has shown no second factor, or none that still counts; a *factor's grant* proves
//! possession of what is in force. An empty cell cannot be written: the verb takes no such
//! authority. Of the refusals, *no: step up* is `SecondFactorRequired`, *no: nothing there* is
//! `NotAssociated`, and *no: session* is `InvalidSession`.
//!
//! | verb | state | password's grant | factor's grant | session | administrator |
//! |---|---|---|---|---|---|
//! | [`associate`] | not verified | issues (1) | issues | `Setup`: issues | issues |
//! | | verified | *no: step up* (2) | issues | *no: session* | issues |
//! | [`verify`] | not verified, pending | in force | in force | `SetupPending`: in force | in force |
//! | | verified, pending beside | *no: step up* (2) | in force | *no: session* (3) | in force |
//! | | verified, nothing pending | *no: step up* | *no: nothing there* (3) | *no: session* (3) | *no: nothing there* |
//! | | not verified, nothing pending | *no: nothing there* | *no: nothing there* | *no: session* | *no: nothing there* |
//! | [`finish_setup`] | just verified | | | `SetupDone`: evidence, once | |
//! | [`respond`] | verified | | | `SoftwareToken`: evidence | |
//! | [`step_up`] | verified | evidence | evidence | | |
//! | | not verified | *no: nothing there* | *no: nothing there* | | |
//! | [`check`] | verified | *no: step up* | yes (1) | | |
//! | | not verified | yes (1) | yes (1) | | |
//! | [`resynchronise`] | verified | sets the drift (1) | sets the drift | `SoftwareToken`: sets the drift | sets the drift |
//! | | not verified | *no: nothing there* | *no: nothing there* | *no: session* | *no: nothing there* |
//! | [`set_enabled`] on, [`prefer`] up | verified | *no: step up* (4) | turned on | *no: session* | turned on |
//! | [`set_enabled`] off, [`prefer`] down | verified | *no: step up* | turned off (5) | *no: session* | turned off (5) |
//! | [`rename`] | verified | *no: step up* | renamed | *no: session* | renamed |
//! | [`remove`] | verified | *no: step up* | removed (5) | *no: session* | removed |
//! | [`issue_recovery_codes`] | verified | *no: step up* | issued | *no: session* | issued |
//! | the five above | not verified | *no: nothing there* | *no: nothing there* | *no: session* | *no: nothing there* |
//! | [`disassociate`] | verified | *no: step up* | removed (5) | *no: session* | removed |
//! | | not verified | drops what is pending (1) (5) | the same | *no: session* | the same |
//! | [`forget_browsers`] | verified | *no: step up* | forgotten | *no: session* | forgotten |
//! | | not verified | forgotten (1) | forgotten | *no: session* | forgotten |
//! | [`issue_temporary_code`], `export` | verified | | | | issued, handed out |
//! | | not verified | | | | *no: nothing there* |
//! | [`import`] | not verified | | | | in force, or pending (6) |
//! | | verified | | | | replaces all (6) |
//! | [`reset`], [`unlock`] | any | | | | done |
//!
//! 1. The first factor, or where possession is shown the second, must lie within
//!    [`reauthenticate_within`](crate::Policy::reauthenticate_within) of now, else
//!    `ReauthenticationRequired`. That holds for every grant in the matrix but in `verify`, in
//!    `step_up`, and where a preference goes up. `check` has an age of its own; `resynchronise`
//!    looks at the first factor alone.
//! 2. [`Policy::COGNITO`](crate::Policy::COGNITO) waives possession of the only token, where no
//!    sign-in has asked for it since it was last turned off: the new token replaces the old one.
//! 3. `AlreadyVerified` for the grant or the session that has just verified a token which is still
//!    in force, whatever the code: a double click, or a code of a QR code that a newer one has
//!    replaced.
//! 4. Turned on under [`Policy::COGNITO`](crate::Policy::COGNITO), for which the first factor is
//!    enough.
//! 5. `MfaRequired` where the policy requires a second factor; for `remove`, where the token is the
//!    last. An administrator's `set_enabled(false)` then changes nothing, and is no error.
//! 6. Where nothing is in force but once was, `VerifiedBefore` unless the request says
//!    [`even_if_verified_before`](crate::mfa::Request::even_if_verified_before); where a token is
//!    in force, `AlreadyVerified` unless it says
//!    [`replacing_everything`](crate::mfa::Request::replacing_everything).
//!
//! A grant of another subject, of before a reset, or ahead of the clock is `NotAuthorized` in every
//! row. All of these are told before a code is looked at, and count no guess. [`sign_in`],
//! [`sign_in_with`], [`status`] and [`reseal`] take no authority: your application calls the first
//! two once the password was right.
//!
//! [`associate`]: crate::Mfa::associate
//! [`verify`]: crate::Mfa::verify
//! [`finish_setup`]: crate::Mfa::finish_setup
//! [`respond`]: crate::Mfa::respond
//! [`step_up`]: crate::Mfa::step_up
//! [`check`]: crate::Mfa::check
//! [`resynchronise`]: crate::Mfa::resynchronise
//! [`set_enabled`]: crate::Mfa::set_enabled
//! [`prefer`]: crate::Mfa::prefer
//! [`rename`]: crate::Mfa::rename
//! [`remove`]: crate::Mfa::remove
//! [`issue_recovery_codes`]: crate::Mfa::issue_recovery_codes
//! [`disassociate`]: crate::Mfa::disassociate
//! [`forget_browsers`]: crate::Mfa::forget_browsers
//! [`issue_temporary_code`]: crate::Mfa::issue_temporary_code
//! [`import`]: crate::Mfa::import
//! [`reset`]: crate::Mfa::reset
//! [`unlock`]: crate::Mfa::unlock
//! [`sign_in`]: crate::Mfa::sign_in
//! [`sign_in_with`]: crate::Mfa::sign_in_with
//! [`status`]: crate::Mfa::status
//! [`reseal`]: crate::Mfa::reseal
//! [`open`]: crate::Mfa::open
//!
//! # Keeping a login
//!
//! Keep the [`Grant`](crate::Grant), as bytes, where only your application writes: in the row of
//! the login, or in a claim of the token that you sign. Replace it after every `verify` and
//! `step_up`.
//!
//! ```
//! use softtoken::association::GrantError;
//! use softtoken::{Evidence, Grant};
//!
//! struct Login {
//!     user: String,
//!     grant: Vec<u8>,
//! }
//!
//! impl Login {
//!     fn of(evidence: &Evidence) -> Self {
//!         Self { user: evidence.subject().into(), grant: Grant::from(evidence).to_bytes() }
//!     }
//!
//!     fn grant(&self) -> Result<Grant, GrantError> {
//!         Grant::from_bytes(&self.grant, &self.user)
//!     }
//! }
//! ```
//!
//! - Give a grant made by [`first_factor`](crate::Grant::first_factor) the id of its login
//!   ([`with_id`](crate::Grant::with_id)), the same after a refresh. The login that sets up a phone
//!   may then manage it without another code, as long as the policy's freshness lasts.
//! - A refresh proves nothing: the times of a grant stay those of the authentication.
//! - End the user's other logins where
//!   [`should_end_other_logins`](crate::Evidence::should_end_other_logins) says so, and then issue
//!   the new one.
//! - Keep no evidence and no challenge session with a login: an evidence is used up by the handler
//!   that received it, a session goes to the client and comes back.
//!
//! ## A login without a code
//!
//! Between the answer `NotRequired` and the row of its login the user may set a phone up. The
//! handler of that set-up ends the user's other logins, and does not find this one. So ask again
//! once the row is stored, and give the login out only where the answer is the same:
//!
//! ```
//! use softtoken::{Challenge, Error, MemoryStore, Mfa};
//! # struct Logins(Vec<String>);
//! # impl Logins {
//! #     fn store(&mut self, user: &str) -> String {
//! #         self.0.push(user.into());
//! #         user.into()
//! #     }
//! #     fn delete(&mut self, id: &str) {
//! #         self.0.retain(|kept| kept != id);
//! #     }
//! # }
//!
//! /// A login may begin without a code. Returns what the answer is now, and the id of the login.
//! fn begin(
//!     mfa: &Mfa,
//!     store: &MemoryStore,
//!     logins: &mut Logins, // yours
//!     user: &str,
//!     browser: Option<&str>, // the text of the cookie, as at the first question
//! ) -> Result<(Challenge, String), Error> {
//!     let id = logins.store(user); // committed
//!     let again = mfa.sign_in().from_browser(browser).run_blocking(store, user)?;
//!     let is_login = match again {
//!         Challenge::NotRequired { .. } => true,
//!         Challenge::Setup { required_from, .. } => required_from.is_some(), // may be put off
//!         _ => false,
//!     };
//!     if !is_login {
//!         logins.delete(&id);
//!     }
//!     Ok((again, id))
//! }
//! # use core::time::Duration;
//! # use softtoken::{Administrator, Context, Grant, OsEntropy, Policy, SessionKeys, UnixTime};
//! # let (store, mut logins) = (MemoryStore::new(), Logins(Vec::new()));
//! # let now = UnixTime::from_secs(1_700_000_000);
//! # let mfa = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy)
//! #     .with_sessions(SessionKeys::generate(1, &OsEntropy)?, Context::new("web")?);
//! # begin(&mfa, &store, &mut logins, "alice", None)?;
//! # assert_eq!(logins.0, ["alice"]);
//! # let required = mfa.with_policy(Policy::STANDARD.required())?;
//! # begin(&required, &store, &mut logins, "bob", None)?;
//! # assert_eq!(logins.0, ["alice"]);
//! # let later = UnixTime::from_secs(1_700_000_001);
//! # let announced = mfa.with_policy(Policy::STANDARD.required_from(later))?;
//! # begin(&announced, &store, &mut logins, "carol", None)?;
//! # assert_eq!(logins.0, ["alice", "carol"]);
//! # use softtoken::association::{BrowserKeys, ImportedToken};
//! # use softtoken::totp::{Secret, Totp, Verifier};
//! # let secret = Secret::from_base32("JBSW Y3DP EHPK 3PXP JBSW Y3DP EE")?;
//! # let step = Totp::STANDARD.step(now);
//! # let code = Verifier::new(&secret, Totp::STANDARD).code(step);
//! # let token = ImportedToken::proven(secret, Totp::STANDARD);
//! # let token = token.last_step(step.saturating_offset(-1));
//! # mfa.import(&Administrator::named("ops"), [token]).run_blocking(&store, "dave")?;
//! # let (keys, day) = (BrowserKeys::generate(1, &OsEntropy)?, Duration::from_secs(86_400));
//! # let mfa = mfa.with_browsers(keys, day)?;
//! # let step_up = mfa.step_up(&Grant::first_factor("dave", now), code);
//! # let cookie = mfa.remember(&step_up.run_blocking(&store, "dave")?)?;
//! # let cookie = cookie.expect("browsers are remembered");
//! # begin(&mfa, &store, &mut logins, "dave", None)?;
//! # assert_eq!(logins.0, ["alice", "carol"]);
//! # begin(&mfa, &store, &mut logins, "dave", Some(cookie.expose()))?;
//! # assert_eq!(logins.0, ["alice", "carol", "dave"]);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! The question sees a set-up that was stored before it. A set-up that is stored after the question
//! ends this login itself, if it looks for logins after this row was committed:
//!
//! | the set-up ends the others | ask again |
//! |---|---|
//! | once `verify` has answered | as above |
//! | in the transaction of `verify`, in SQLite | as above: while one transaction writes, no row is committed beside it |
//! | in the transaction of `verify`, in PostgreSQL at `READ COMMITTED`, MySQL or MariaDB | in a transaction that locks the user's record (`begin` and `transaction` of the packages), and so waits for that of the set-up: its `DELETE` may have run before the row was there, and its commit be still to come |
//! | the same at a stricter level of PostgreSQL, or on several nodes of Galera | the same, and end the others once more after the commit: the first `DELETE` sees what was there when its transaction began, or on its node |
//!
//! A request that fails in between leaves a row whose id nobody was told.
//!
//! A login by a code has the same race where the phone that shows the code is replaced at that
//! moment. It ends with the phone if its row is written
//! [in the transaction](#in-a-transaction-of-your-own) that spends the code. Where your sessions
//! are written otherwise, store the row as the user's, and no login yet, before any question; make
//! it a login afterwards, unless it is gone. `examples/axum` does, and asks once.
//!
//! ## Cookies
//!
//! | cookie | holds | lives |
//! |---|---|---|
//! | of the flow, or a hidden field | the text of the challenge session | until the flow ends; it is no login |
//! | of the login | a random id of a row of yours; a new one when the second factor is shown | as long as you let logins live |
//! | of the browser | the text of [`remember`](crate::Mfa::remember) | the lifetime given to [`with_browsers`](crate::Mfa::with_browsers); it outlives the login |
//!
//! The new id is for a user whose password somebody else knows: that person could begin the
//! sign-in, plant the cookie in the user's browser, and have the user type the code. Where nobody
//! can plant it, since its name begins with `__Host-`, an id that was new when the password was
//! right may stay: a form that is sent twice then finds the login that the first one has begun.
//!
//! All of them are `HttpOnly`, `Secure` and `SameSite=Lax` or stricter. The browser's cookie stays
//! when the user logs out. It proves nothing by itself, and is asked for after the password.
//!
//! ## When to end the others
//!
//! | moment | end |
//! |---|---|
//! | [`should_end_other_logins`](crate::Evidence::should_end_other_logins) is true | all logins of the user but the new one |
//! | the first phone was set up | the same, unless a login by the password alone may go on: it changes no factor any more |
//! | the user has a new password | the same; raise the version in the context, which ends flows and remembered browsers |
//! | a token was removed, or turned off by the user | offer to end all others; do so where the phone was lost or stolen. The grants of the removed token prove no possession any more, and its logins go on |
//! | [`reset`](crate::Mfa::reset) by an administrator | all logins; their grants are void at once, the logins are yours |
//! | the user logs out everywhere | all logins, and [`forget_browsers`](crate::Mfa::forget_browsers) |
//!
//! # Roles
//!
//! The view says whether a user must have a second factor; the record does not. A user who becomes
//! an administrator needs no migration: at the next sign-in the policy of the view asks for the
//! user's token, or answers [`Setup`](crate::Challenge::Setup).
//!
//! A login that runs already is not asked again by a new role. Before an action that only the role
//! allows, require that the login has shown a factor:
//!
//! ```
//! use core::time::Duration;
//! use softtoken::{Error, Grant, MemoryStore, Mfa, Rejection};
//!
//! /// Refuses a login that has shown no second factor, or none within eight hours.
//! fn may_administrate(mfa: &Mfa, store: &MemoryStore, login: &Grant) -> Result<(), Error> {
//!     if login.second_factor_at().is_none() {
//!         return Err(Rejection::SecondFactorRequired.into());
//!     }
//!     let shift = Duration::from_secs(8 * 60 * 60);
//!     mfa.check(login, shift).run_blocking(store, login.subject())
//! }
//! # use softtoken::{OsEntropy, Policy, UnixTime};
//! # let now = UnixTime::from_secs(1_700_000_000);
//! # let mfa = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy);
//! # let refused = may_administrate(&mfa, &MemoryStore::new(), &Grant::first_factor("alice", now));
//! # assert_eq!(refused.unwrap_err().name(), "second_factor_required");
//! ```
//!
//! The first line matters: [`check`](crate::Mfa::check) alone accepts a recent password where the
//! user has no token.
//!
//! # Forced set-up
//!
//! Under a policy that requires a second factor, a user without one is given
//! [`Setup`](crate::Challenge::Setup) in place of a login. The flow goes by its sessions: that of
//! the challenge makes [`associate`](crate::Mfa::associate), that of
//! [`Issued`](crate::association::Issued) makes [`verify`](crate::Mfa::verify), and the evidence of
//! `verify` ends the sign-in.
//!
//! ```
//! use softtoken::{Code, Error, Evidence, MemoryStore, Mfa};
//!
//! /// Shows the QR code. Returns key URI and next session.
//! fn scan(mfa: &Mfa, store: &MemoryStore, session: &str) -> Result<(String, String), Error> {
//!     let session = mfa.open(session)?;
//!     let issued = mfa.associate(&session).run_blocking(store, session.subject())?;
//!     let uri = issued.uri("Example", session.subject())?.expose().to_string();
//!     let next = issued.session().expect("a session made it");
//!     Ok((uri, next.expose().into()))
//! }
//!
//! /// Takes the first code. The evidence is that of the sign-in: issue the login for it.
//! fn confirm(
//!     mfa: &Mfa,
//!     store: &MemoryStore,
//!     session: &str,
//!     typed: &str,
//! ) -> Result<Evidence, Error> {
//!     let session = mfa.open(session)?;
//!     let verify = mfa.verify(&session, Code::parse(typed)?);
//!     Ok(verify.run_blocking(store, session.subject())?.evidence().clone())
//! }
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # use softtoken::totp::{KeyUri, Verifier};
//! # use softtoken::{Challenge, Context, OsEntropy, Policy, SessionKeys, UnixTime};
//! # let (store, now) = (MemoryStore::new(), UnixTime::from_secs(1_700_000_000));
//! # let mfa = Mfa::new(Policy::STANDARD.required(), move || Some(now), OsEntropy)
//! #     .with_sessions(SessionKeys::generate(1, &OsEntropy)?, Context::new("web")?);
//! # let Challenge::Setup { session, .. } = mfa.sign_in().run_blocking(&store, "alice")? else {
//! #     panic!("alice has no token");
//! # };
//! # let (uri, next) = scan(&mfa, &store, session.expose())?;
//! # let uri = KeyUri::parse(&uri)?;
//! # let code = Verifier::new(uri.secret(), uri.totp()).code(uri.totp().step(now));
//! # assert_eq!(confirm(&mfa, &store, &next, &code.expose())?.subject(), "alice");
//! # Ok(())
//! # }
//! ```
//!
//! - A user who loads the page of the QR code again begins with the challenge's session, and is
//!   issued a new secret; the one before is dead.
//! - Before the time of `required_from` the page has a second link, "later", which issues a login
//!   by [`Grant::first_factor`](crate::Grant::first_factor). Ask the crate again there
//!   ([`sign_in`](crate::Mfa::sign_in)): the time may have come since the page was made.
//! - Anybody with the password of a user without a token can set one up. Where that is not enough,
//!   have an administrator hand the first secret out, or ask for another proof before the set-up.
//! - Recovery codes come after the login is issued, by the grant of that evidence.
//!
//! # Passkeys beside codes
//!
//! Your application checks passkeys by itself, and [vouches](crate::Vouched) for one that was
//! right. The crate accepts what is vouched for only where a token is in force, as a second way to
//! answer for the user of that token:
//!
//! | the user has | a passkey that was right, vouched for |
//! |---|---|
//! | a token, and a passkey | [`respond`], [`sign_in_with`] and [`step_up`] give [`Evidence`](crate::Evidence) |
//! | a passkey alone | no evidence: [`sign_in_with`] ignores the factor, with the event `factor_ignored`; [`step_up`] is `NotAssociated`; [`respond`] has no challenge to answer |
//!
//! So your application decides by itself about a user with a passkey alone. For that user the crate
//! answers `NotRequired`, or, under a policy that requires a second factor, `Setup`: it knows of no
//! passkey. Look at your own row first, and let nobody in by `NotRequired` who has a passkey and
//! has not shown it:
//!
//! ```
//! use softtoken::{Challenge, Error, Grant, MemoryStore, Mfa, Rejection, SignedIn, Vouched};
//!
//! struct User {
//!     id: String,
//!     has_passkey: bool, // a row of yours
//! }
//!
//! enum Page {
//!     Welcome(Grant),
//!     Factor { session: String, passkey_too: bool },
//!     Passkey,
//!     SetUp(String),
//! }
//!
//! /// The password was right.
//! fn sign_in(mfa: &Mfa, store: &MemoryStore, user: &User) -> Result<Page, Error> {
//!     Ok(match mfa.sign_in().run_blocking(store, &user.id)? {
//!         Challenge::SoftwareToken { session, .. } => Page::Factor {
//!             session: session.expose().into(),
//!             passkey_too: user.has_passkey,
//!         },
//!         Challenge::NotRequired { remembered: true, .. } => {
//!             Page::Welcome(Grant::first_factor(&user.id, mfa.now()?))
//!         }
//!         Challenge::NotRequired { .. } | Challenge::Setup { .. } if user.has_passkey => {
//!             Page::Passkey
//!         }
//!         Challenge::NotRequired { .. } => {
//!             Page::Welcome(Grant::first_factor(&user.id, mfa.now()?))
//!         }
//!         Challenge::Setup { session, .. } => Page::SetUp(session.expose().into()),
//!     })
//! }
//!
//! /// The password was right, and so is the passkey: your application has checked it in this very
//! /// request, with user verification. `session` is that of `Page::Factor`.
//! fn passkey_was_right(
//!     mfa: &Mfa,
//!     store: &MemoryStore,
//!     user: &User,
//!     session: Option<&str>,
//! ) -> Result<Grant, Error> {
//!     let passkey = Vouched::factor(&["hwk", "user"]);
//!     if let Some(session) = session {
//!         let respond = mfa.respond(&mfa.open(session)?, passkey);
//!         return Ok(Grant::from(&respond.run_blocking(store, &user.id)?));
//!     }
//!     let sign_in = mfa.sign_in_with(Some(passkey.into()));
//!     match sign_in.run_blocking(store, &user.id)? {
//!         // A token is in force, which its user has turned off, or has set up meanwhile.
//!         SignedIn::Proven(evidence) => Ok(Grant::from(&evidence)),
//!         // No token is in force: the crate has proven nothing, and your check stands alone.
//!         SignedIn::NotRequired { .. } | SignedIn::SetupRequired { .. } => {
//!             Ok(Grant::first_factor(&user.id, mfa.now()?))
//!         }
//!         SignedIn::FactorRequired { .. } => Err(Rejection::SecondFactorRequired.into()),
//!     }
//! }
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # use softtoken::association::ImportedToken;
//! # use softtoken::totp::{Secret, Totp};
//! # use softtoken::{Administrator, Context, OsEntropy, Policy, SessionKeys, UnixTime};
//! # let (store, now) = (MemoryStore::new(), UnixTime::from_secs(1_700_000_000));
//! # let mfa = Mfa::new(Policy::STANDARD, move || Some(now), OsEntropy)
//! #     .with_sessions(SessionKeys::generate(1, &OsEntropy)?, Context::new("web")?);
//! # let required = mfa.with_policy(Policy::STANDARD.required())?;
//! # let user = |id: &str, has_passkey| User { id: id.into(), has_passkey };
//! # let (none, alone, both) = (user("a", false), user("b", true), user("c", true));
//! # let secret = Secret::from_base32("JBSW Y3DP EHPK 3PXP JBSW Y3DP EE")?;
//! # let token = ImportedToken::proven(secret, Totp::STANDARD);
//! # let ops = Administrator::named("ops");
//! # mfa.import(&ops, [token]).run_blocking(&store, "c")?;
//! # assert!(matches!(sign_in(&mfa, &store, &none)?, Page::Welcome(_)));
//! # assert!(matches!(sign_in(&required, &store, &none)?, Page::SetUp(_)));
//! # for mfa in [&mfa, &required] {
//! #     assert!(matches!(sign_in(mfa, &store, &alone)?, Page::Passkey));
//! #     let grant = passkey_was_right(mfa, &store, &alone, None)?;
//! #     assert_eq!(grant.second_factor_at(), None);
//! #     let step_up = mfa.step_up(&grant, Vouched::factor(&["hwk", "user"]));
//! #     assert_eq!(step_up.run_blocking(&store, "b").unwrap_err().name(), "not_associated");
//! #     let Page::Factor { session, passkey_too: true } = sign_in(mfa, &store, &both)? else {
//! #         panic!("c has both");
//! #     };
//! #     let grant = passkey_was_right(mfa, &store, &both, Some(&session))?;
//! #     assert_eq!(grant.second_factor_at(), Some(now));
//! # }
//! # mfa.set_enabled(&ops, false).run_blocking(&store, "c")?;
//! # assert!(matches!(sign_in(&mfa, &store, &both)?, Page::Passkey));
//! # let grant = passkey_was_right(&mfa, &store, &both, None)?;
//! # assert_eq!(grant.second_factor_at(), Some(now));
//! # Ok(())
//! # }
//! ```
//!
//! - The password page leads to the passkey page by a state of your application's own, bound to the
//!   user whose password was right: there is no challenge session for a passkey alone.
//! - Within a login, a passkey steps up a user with a token ([`step_up`]). For a user with a
//!   passkey alone, [`check`] looks at the first factor: give the login a new
//!   [`Grant::first_factor`](crate::Grant::first_factor) once the passkey was shown again.
//! - A password is then enough to set a first token up, for the crate knows of no passkey. Ask for
//!   the passkey before [`associate`], where the user has one.
//! - Guesses at a passkey, its counter and its recovery are your application's.
//!
//! # Answering
//!
//! Every request ends in `Ok`, in a [`Rejection`](crate::Rejection), or in an error that is neither
//! yes nor no. [`may_retry`](crate::Rejection::may_retry) tells in code what the last column tells
//! here:
//!
//! | rejection | status | show | then |
//! |---|---|---|---|
//! | `Mismatch` | 401 | "This code is not right." With a `retry_after`: "Wait 5 s." | the same form again |
//! | `Reused` | 401 | "This code was used. Wait for the next one." | the same form again |
//! | `CodeLength` | 400 | "A code has 6 digits." | the same form again |
//! | `Throttled` | 429, `Retry-After` | "Too many wrong codes. Wait 5 s." | the same form again, later |
//! | `Locked` | 403 | "Locked. Use a recovery code, or ask support." | the same form again, with a recovery code |
//! | `RecoveryLocked` | 403 | "Recovery codes are locked. Use your phone, or ask support." | the same form again, with a code |
//! | `InvalidSession` | 401 | "That took too long. Sign in again." | the password again |
//! | `Expired` | 410 | "That took too long. Set up again." | `associate` again |
//! | `AlreadyVerified` | 409 | the settings page, with the phones in force: a double click, or an outdated QR code | go on |
//! | `NotAssociated` | 409 | the settings page, loaded anew | start over |
//! | `NoSuchToken` | 404 | the settings page, loaded anew | start over |
//! | `TooManyTokens` | 409 | "Replace or remove a phone first." | `replacing`, or `remove` |
//! | `ReauthenticationRequired` | 403 | the form of a code; of the password, where no token is in force | `step_up`, or a new login; the request again |
//! | `SecondFactorRequired` | 403 | the form of a code | `step_up`, and the request again |
//! | `NotAuthorized` | 401 | "Sign in again." | end the login |
//! | `MfaRequired` | 403 | "Your organisation requires a second factor." | nothing; an administrator may |
//! | `SoftwareTokenDisabled` | 403 | nothing: do not offer it | nothing |
//! | `ClockBehind` | 503 | "Try again later." | the same form again, later; tell your operators |
//! | `VerifiedBefore`, `LastStepInFuture` | | only a [migration](super::migrations) is told | |
//!
//! | error | status | show | then |
//! |---|---|---|---|
//! | [`Malformed`](crate::Error::Malformed) | 400 | its text, which holds nothing of the input | the same form again |
//! | the same, of a policy, a context or a grant | 500 | "Try again later." | mend your application: users do not type these |
//! | [`Fault`](crate::Error::Fault) | 500 | "Try again later." | nothing was accepted |
//! | [`Store`](crate::Error::Store) | 503 | "Try again later." | nothing was accepted, and a code may be spent |
//!
//! Write it once. A wrapper of your own takes whatever the crate refuses, by `?`:
//!
//! ```
//! # #[derive(Debug)]
//! # struct DbError;
//! # impl core::fmt::Display for DbError {
//! #     fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
//! #         formatter.write_str("no answer")
//! #     }
//! # }
//! # impl core::error::Error for DbError {}
//! use softtoken::error::Malformed;
//! use softtoken::{Code, Error, Rejection};
//!
//! /// What your framework makes a response of.
//! struct Problem {
//!     status: u16,
//!     name: &'static str, // for the client, and for translations
//!     retry_after: Option<core::time::Duration>,
//! }
//!
//! impl<E: Into<Error<DbError>>> From<E> for Problem {
//!     fn from(error: E) -> Self {
//!         let error = error.into();
//!         let status = match &error {
//!             Error::Malformed(Malformed::Policy(_) | Malformed::Context(_)) => 500,
//!             Error::Malformed(Malformed::Grant(_)) => 500,
//!             Error::Malformed(_) => 400,
//!             Error::Rejected { rejection, .. } => status(*rejection),
//!             Error::Fault(_) => 500,
//!             Error::Store(_) => 503,
//!         };
//!         Self { status, name: error.name(), retry_after: error.retry_after() }
//!     }
//! }
//!
//! fn status(rejection: Rejection) -> u16 {
//!     match rejection {
//!         Rejection::Mismatch | Rejection::Reused => 401,
//!         Rejection::InvalidSession | Rejection::NotAuthorized => 401,
//!         Rejection::Throttled { .. } => 429,
//!         Rejection::CodeLength { .. } => 400,
//!         Rejection::Expired => 410,
//!         Rejection::NoSuchToken => 404,
//!         Rejection::NotAssociated | Rejection::AlreadyVerified | Rejection::TooManyTokens => 409,
//!         Rejection::ClockBehind => 503,
//!         _ => 403,
//!     }
//! }
//!
//! fn handler(typed: &str) -> Result<(), Problem> {
//!     let _code = Code::parse(typed)?;
//!     Ok(())
//! }
//!
//! let problem = handler("12345").unwrap_err();
//! assert_eq!((problem.status, problem.name), (400, "malformed_code"));
//! # assert!(problem.retry_after.is_none());
//! # assert_eq!(status(Rejection::Mismatch), 401);
//! ```
//!
//! Ask the crate only after the password was right: its answers then tell strangers nothing of a
//! user.
//!
//! # Before something dangerous
//!
//! ```
//! use core::time::Duration;
//! use softtoken::{Error, Factor, Grant, MemoryStore, Mfa, Rejection};
//!
//! /// Whether to show the form of a code first.
//! fn must_step_up(mfa: &Mfa, store: &MemoryStore, login: &Grant) -> Result<bool, Error> {
//!     let check = mfa.check(login, Duration::from_secs(5 * 60));
//!     match check.run_blocking(store, login.subject()) {
//!         Ok(()) => Ok(false),
//!         Err(error) => match error.rejection() {
//!             Some(Rejection::SecondFactorRequired) => Ok(true),
//!             Some(Rejection::ReauthenticationRequired) => Ok(true),
//!             _ => Err(error),
//!         },
//!     }
//! }
//!
//! /// That form: keep the new grant with the login.
//! fn step_up(mfa: &Mfa, store: &MemoryStore, login: &Grant, typed: &str) -> Result<Grant, Error> {
//!     let step_up = mfa.step_up(login, Factor::parse(typed)?);
//!     Ok(Grant::from(&step_up.run_blocking(store, login.subject())?))
//! }
//! ```
//!
//! A user without a token is asked for nothing but a recent first factor: where `check` answers
//! `ReauthenticationRequired` and [`status`](crate::Mfa::status) shows no token, ask for the
//! password.
//!
//! # In a transaction of your own
//!
//! To write rows of your own with the code that was spent, decide inside your transaction
//! ([`Request::decide`](crate::mfa::Request::decide) has the loop; the example `own_transaction`
//! runs it). Three rules:
//!
//! 1. **A rejection is committed without your rows.** It counts a guess, and a count that is rolled
//!    back with a login makes guessing free ([`is_rejection`](crate::mfa::Decision::is_rejection)).
//! 2. **After a conflict, or a commit that failed, begin again from the load.** A decision is for
//!    the row that it was made of.
//! 3. **Take the answer last**, by [`committed`](crate::mfa::Decision::committed): it tells the
//!    audit.
//!
//! Use [`respond`](crate::Mfa::respond) or [`step_up`](crate::Mfa::step_up) there. An answer of
//! [`sign_in_with`](crate::Mfa::sign_in_with) may be that a factor is still missing, which is no
//! rejection, and no login either.
//!
//! A login that takes part may have been ended since its request was let in, by a recovery code
//! say: require in the transaction that its row is there still, by the number of rows that an
//! `UPDATE` has changed, and roll back where it is not. Else a stolen login that was ended sets a
//! phone up all the same, and ends the login of its owner. Hours may lie in between: most
//! frameworks ask who has sent a request once its head is there, and read the body afterwards.
//!
//! Request, decision and write are owned: they move into a spawned task and onto another thread.
//!
//! The packages for SQL (`softtoken-sqlx` and others, see
//! [stores](super::stores#stores-that-stand-ready)) have this transaction as a value that commits,
//! or rolls back where it is dropped. For one that you write by hand there is a suite,
//! `own_transaction` (feature `conformance`): it hangs up at each await, lets commits fail, and
//! tells what is left.
//!
//! ## Dropped futures and spawned tasks
//!
//! A client that hangs up drops the future of its handler, in most frameworks, at whatever `await`
//! it stands. Between the load and the commit that is harmless: the transaction is rolled back, and
//! nobody has learnt the verdict. After the commit it is not: the code is spent, and neither the
//! user nor the audit was told. A guesser who hangs up before each answer is still counted, since
//! the commit comes before the answer.
//!
//! To have every commit told, and every login of yours finished, run the loop in a task of its own,
//! and let the handler await that task. Everything that the loop needs moves in:
//!
//! ```
//! use std::sync::Arc;
//! use softtoken::{Error, Evidence, Factor, MemoryStore, Mfa};
//! # /// Stands for your executor's `spawn`, which wants a future that is `Send` and `'static`.
//! # async fn spawn<F: Future<Output: Send> + Send + 'static>(task: F) -> F::Output {
//! #     task.await
//! # }
//!
//! async fn answer(
//!     mfa: Mfa, // a clone is a reference
//!     store: Arc<MemoryStore>,
//!     session: String,
//!     factor: Factor,
//! ) -> Result<Evidence, Error> {
//!     let session = mfa.open(&session)?;
//!     // Goes on where the client hangs up.
//!     spawn(async move {
//!         let respond = mfa.respond(&session, factor);
//!         let evidence = respond.run(&*store, session.subject()).await?;
//!         // yours: issue the login here
//!         Ok::<_, Error>(evidence)
//!     })
//!     .await
//! }
//! # fn is_send<T: Send>(_: &T) {}
//! # let mfa = Mfa::system(softtoken::Policy::STANDARD);
//! # let factor = Factor::parse("123456")?;
//! # is_send(&answer(mfa, Arc::default(), String::new(), factor));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! The same holds for the loop around [`decide`](crate::mfa::Request::decide). Two things stay
//! yours: a pool that rolls back what a dropped future left open ([stores](super::stores#pools)),
//! and at shutdown a wait for the tasks that still run.
//!
//! # When an answer is lost
//!
//! A client that repeats a request after its answer was lost is told that the code was used. Where
//! your own server repeats requests, name the attempt
//! ([`AttemptKey`](crate::association::AttemptKey)): the same attempt is given the same evidence
//! again.
