//! Carries the Quickstart on: a small server, from its keys to "sudo mode".
//!
//! The server below is whole but for your framework, your passwords and your database. Copy the
//! listing, replace the comments that say *yours*, and read the sections under it.
//!
//! ```
//! use core::time::Duration;
//! use std::collections::HashMap;
//! use std::path::Path;
//!
//! use softtoken::{Challenge, Code, Context, Error, Factor, Grant, MemoryStore, Mfa, Policy};
//! use softtoken::{Rejection, SessionKeys};
//!
//! /// A row of yours. The id never changes; each new password raises the version.
//! struct User {
//!     id: String,
//!     email: String,
//!     password_version: u32,
//! }
//!
//! struct Server {
//!     mfa: Mfa,
//!     store: MemoryStore,           // yours: a table
//!     users: HashMap<String, User>, // yours
//! }
//!
//! enum Page {
//!     Welcome(Grant), // issue a login, and keep the grant with it
//!     Code { session: String, names: Vec<String> },
//!     SetUp { session: String },
//! }
//!
//! impl Server {
//!     /// Reads the key that every process shares: `head -c 32 /dev/urandom > session.key`, once.
//!     fn start(key: &Path) -> Result<Self, Box<dyn core::error::Error>> {
//!         let key: [u8; 32] = std::fs::read(key)?.as_slice().try_into()?;
//!         let keys = SessionKeys::from_bytes(1, &key);
//!         let mfa = Mfa::system(Policy::STANDARD).with_sessions(keys, Context::new("web")?);
//!         Ok(Self { mfa, store: MemoryStore::new(), users: HashMap::new() })
//!     }
//!
//!     /// Makes the view of a request: every handler begins with it.
//!     fn view(&self, user: &User) -> Result<Mfa, Error> {
//!         let context = Context::new(format!("web/{}", user.password_version))?;
//!         Ok(self.mfa.with_context(context).with_audit(|subject, event| {
//!             println!("{subject} {}", event.name()); // yours: a log
//!         }))
//!     }
//!
//!     /// Sign-in, first page: the password was right. `login_id` is new.
//!     fn password_was_right(&self, user: &User, login_id: &str) -> Result<Page, Error> {
//!         let mfa = self.view(user)?;
//!         Ok(match mfa.sign_in().run_blocking(&self.store, &user.id)? {
//!             Challenge::NotRequired { .. } => {
//!                 Page::Welcome(Grant::first_factor(&user.id, mfa.now()?).with_id(login_id))
//!             }
//!             Challenge::SoftwareToken { session, names, .. } => {
//!                 Page::Code { session: session.expose().into(), names }
//!             }
//!             Challenge::Setup { session, .. } => {
//!                 Page::SetUp { session: session.expose().into() }
//!             }
//!         })
//!     }
//!
//!     /// Sign-in, second page: a code or a recovery code was typed.
//!     fn factor_was_typed(&self, session: &str, typed: &str) -> Result<Grant, Error> {
//!         let session = self.mfa.open(session)?;
//!         let user = self.users.get(session.subject()).ok_or(Rejection::InvalidSession)?;
//!         let respond = self.view(user)?.respond(&session, Factor::parse(typed)?);
//!         let evidence = respond.run_blocking(&self.store, &user.id)?;
//!         if evidence.should_end_other_logins() {
//!             // yours: end the other logins of `user`
//!         }
//!         Ok(Grant::from(&evidence))
//!     }
//!
//!     /// Settings: returns the key URI, to show as a QR code this once.
//!     fn set_up(&self, user: &User, login: &Grant) -> Result<String, Error> {
//!         let associate = self.view(user)?.associate(login).named("phone");
//!         let issued = associate.run_blocking(&self.store, &user.id)?;
//!         Ok(issued.uri("Example", &user.email)?.expose().to_string())
//!     }
//!
//!     /// Settings: the first code. Returns the login's new grant, and the recovery codes to show.
//!     fn first_code(
//!         &self,
//!         user: &User,
//!         login: &Grant,
//!         typed: &str,
//!     ) -> Result<(Grant, Vec<String>), Error> {
//!         let mfa = self.view(user)?;
//!         let verify = mfa.verify(login, Code::parse(typed)?);
//!         let enrolled = verify.run_blocking(&self.store, &user.id)?;
//!         let login = Grant::from(enrolled.evidence());
//!         let codes = mfa.issue_recovery_codes(&login).run_blocking(&self.store, &user.id)?;
//!         Ok((login, codes.iter().map(|code| code.expose().to_string()).collect()))
//!     }
//!
//!     /// Sudo mode: returns whether to ask for a code before the account is deleted.
//!     fn must_step_up(&self, user: &User, login: &Grant) -> Result<bool, Error> {
//!         let check = self.view(user)?.check(login, Duration::from_secs(5 * 60));
//!         match check.run_blocking(&self.store, &user.id) {
//!             Ok(()) => Ok(false),
//!             Err(error) => match error.rejection() {
//!                 Some(Rejection::SecondFactorRequired) => Ok(true),
//!                 Some(Rejection::ReauthenticationRequired) => Ok(true),
//!                 _ => Err(error),
//!             },
//!         }
//!     }
//!
//!     /// Sudo mode: the code. Returns the login's new grant.
//!     fn step_up(&self, user: &User, login: &Grant, typed: &str) -> Result<Grant, Error> {
//!         let step_up = self.view(user)?.step_up(login, Factor::parse(typed)?);
//!         Ok(Grant::from(&step_up.run_blocking(&self.store, &user.id)?))
//!     }
//! }
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # use softtoken::totp::{KeyUri, Verifier};
//! # let file = format!("softtoken-ten-minutes-{}.key", std::process::id());
//! # let file = std::env::temp_dir().join(file);
//! # std::fs::write(&file, [7; 32])?;
//! # let mut server = Server::start(&file)?;
//! # std::fs::remove_file(&file)?;
//! # let user = || User { id: "user-1".into(), email: "a@b.example".into(), password_version: 1 };
//! # server.users.insert("user-1".into(), user());
//! # let alice = user();
//! # let Page::Welcome(login) = server.password_was_right(&alice, "login-1")? else { panic!() };
//! # assert!(!server.must_step_up(&alice, &login)?);
//! # let uri = KeyUri::parse(&server.set_up(&alice, &login)?)?;
//! # let phone = Verifier::new(uri.secret(), uri.totp());
//! # let step = uri.totp().step(server.mfa.now()?);
//! # let typed = phone.code(step).expose();
//! # let (login, codes) = server.first_code(&alice, &login, &typed)?;
//! # assert_eq!(codes.len(), 10);
//! # assert!(!server.must_step_up(&alice, &login)?);
//! # let Page::Code { session, names } = server.password_was_right(&alice, "login-2")? else {
//! #     panic!()
//! # };
//! # assert_eq!(names, ["phone"]);
//! # assert_eq!(server.factor_was_typed(&session, &typed).unwrap_err().name(), "reused");
//! # server.factor_was_typed(&session, &codes[0])?;
//! # let password = Grant::first_factor("user-1", server.mfa.now()?).with_id("login-3");
//! # assert!(server.must_step_up(&alice, &password)?);
//! # let stepped_up = server.step_up(&alice, &password, &codes[1])?;
//! # assert!(!server.must_step_up(&alice, &stepped_up)?);
//! # Ok(())
//! # }
//! ```
//!
//! # The store
//!
//! [`MemoryStore`](crate::MemoryStore) forgets everything with the process: replace it before
//! anybody enrols. Three packages stand ready, each with a README: `softtoken-sqlx` (SQLite,
//! PostgreSQL, MySQL, MariaDB), `softtoken-diesel` (SQLite, PostgreSQL) and `softtoken-redis`. For
//! another driver copy a store from `examples/sqlite`, `examples/postgres` or `examples/etcd` in
//! the repository, or write one: a table and three statements ([stores](super::stores)). With an
//! async store write `run(&self.store, &user.id).await` in place of `run_blocking`.
//!
//! # The keys
//!
//! Every process needs the same session key, from where your other secrets are kept. A key that is
//! generated at the start signs flows that end with the process, and that no other process opens.
//! Rotation, and the keys that seal records and remember browsers, are
//! [operators'](super::operators#keys) matters.
//!
//! # What to keep with the login
//!
//! | keep | why |
//! |---|---|
//! | the login's own id, in the grant by [`with_id`](crate::Grant::with_id) | the login that set a phone up goes on managing it |
//! | the grant, by [`to_bytes`](crate::Grant::to_bytes), where the client cannot write | every change of a factor and every `check` takes it |
//! | the new grant after `first_code` and `step_up`, in place of the old one | the times in it say how fresh the login is |
//! | nothing of the challenge session | it lives in the form, and comes back with it |
//!
//! # What is left
//!
//! - `Page::SetUp` comes only where the [policy](crate::Policy::required) requires a second factor:
//!   see [forced set-up](super::handlers#forced-set-up).
//! - A phone may be set up between `NotRequired` and the row of that login: once it is stored,
//!   [ask again](super::handlers#a-login-without-a-code).
//! - Each error wants a status ([answering](super::handlers#answering)) and a sentence
//!   ([users](super::users)).
//! - Somebody has to help users who are shut out: [operators](super::operators#a-user-is-shut-out).
