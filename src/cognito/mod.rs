//! Speaks the protocol of Amazon Cognito user pools, for the second factor: a client that was
//! written for Cognito enrols and signs in.
//!
//! The module maps shapes and names, and has no rule of its own: the [machine](crate::association)
//! judges. There is no I/O: a request comes in as a target and a body, and goes out as a
//! [`Response`]; HTTP, users, passwords and tokens are your application's. A [`Call`] says what has
//! to be looked up for it; with that it is an [`Exchange`], a request like any other.
//!
//! Give each pool a [view](crate::Mfa::with_policy) by [`Policy::COGNITO`](crate::Policy::COGNITO)
//! and what the pool requires, of one [`Mfa`](crate::Mfa) with its
//! [`SessionKeys`](crate::SessionKeys). A subject is one user of one pool: where pools share a
//! store, no two users of theirs share a subject.
//!
//! A code at a challenge is read as a person types it, with spaces and hyphens. Anything else is
//! `InvalidParameterException`, never `CodeMismatchException`: no state was read, and nothing is
//! counted. `UserCode` is exactly six digits, as the service model has it.
//!
//! ```
//! use softtoken::cognito::{
//!     AuthenticationResult, Call, Exception, Exchange, Name, Reply, Response, Scope,
//! };
//! use softtoken::{Administrator, Evidence, Grant, MemoryStore, Mfa, Policy, Rejection, UnixTime};
//! # use softtoken::{Context, OsEntropy, SessionKeys};
//!
//! # struct Pool { mfa: Mfa, id: &'static str }
//! # struct User { subject: &'static str, name: &'static str, password_version: u64 }
//! # struct Server { mfa: Mfa, pool: Pool, store: MemoryStore }
//! impl Server {
//!     /// Answers one call of `POST /`.
//!     fn answer(&self, target: &str, body: &[u8], id: &str) -> Response {
//!         let answered = self.answered(target, body, id);
//!         answered.unwrap_or_else(|exception| Response::refused(&exception, id))
//!     }
//!
//!     fn answered(&self, target: &str, body: &[u8], id: &str) -> Result<Response, Exception> {
//!         let Some(call) = Call::parse(target, body)? else {
//!             return self.other_operation(target, body, id);
//!         };
//!         let exchange = match &call {
//!             Call::AccessToken(call) => {
//!                 let (pool, grant) = self.check(call.access_token())?;
//!                 call.answer(&pool.mfa, &grant)
//!             }
//!             Call::Session(call) => {
//!                 let session = self.mfa.open(call.session())?;
//!                 let began = Scope::of(session.context()).ok_or(Rejection::InvalidSession)?;
//!                 let pool = self.pool(began.user_pool_id())?;
//!                 let user = self.user_by_subject(pool, session.subject())?;
//!                 let scope = scope(pool, began.client_id(), &user)?;
//!                 call.answer(&pool.mfa, &scope, user.subject)
//!             }
//!             Call::Challenge(call) => {
//!                 let pool = self.pool_of(call.client_id())?;
//!                 let user = self.user(pool, call.user_name())?;
//!                 let scope = scope(pool, call.client_id(), &user)?;
//!                 call.answer(&pool.mfa, &scope, user.subject)
//!             }
//!             Call::Administrator(call) => {
//!                 let pool = self.pool(call.user_pool_id())?;
//!                 let user = self.user(pool, call.user_name())?;
//!                 call.answer(&pool.mfa, user.subject, &Administrator::named("root"))
//!             }
//!         };
//!         self.run(exchange, id)
//!     }
//!
//!     /// Goes on after the right password; `InitiateAuth` itself is your application's.
//!     fn password_was_right(
//!         &self,
//!         pool: &Pool,
//!         client_id: &str,
//!         user: &User,
//!         id: &str,
//!     ) -> Result<Response, Exception> {
//!         let scope = scope(pool, client_id, user)?;
//!         self.run(Exchange::sign_in(&pool.mfa, &scope, user.subject, user.name), id)
//!     }
//!
//!     fn run(&self, exchange: Exchange, id: &str) -> Result<Response, Exception> {
//!         let reply = exchange.run_blocking(&self.store);
//!         let reply: Reply = reply.map_err(|refusal| refusal.exception().clone())?;
//!         Ok(reply.response(id).unwrap_or_else(|evidence| {
//!             Response::authenticated(&self.tokens_for(evidence), id)
//!         }))
//!     }
//! #   fn other_operation(&self, _: &str, _: &[u8], _: &str) -> Result<Response, Exception> {
//! #       Err(Name::UnknownOperation.into())
//! #   }
//! #   fn check(&self, token: &str) -> Result<(&Pool, Grant), Exception> {
//! #       if token != "valid" { return Err(Name::NotAuthorized.into()); }
//! #       Ok((&self.pool, Grant::first_factor("user-1", UnixTime::from_secs(1_700_000_000))))
//! #   }
//! #   fn pool(&self, _: &str) -> Result<&Pool, Exception> { Ok(&self.pool) }
//! #   fn pool_of(&self, _: &str) -> Result<&Pool, Exception> { Ok(&self.pool) }
//! #   fn user(&self, _: &Pool, _: &str) -> Result<User, Exception> {
//! #       Ok(User { subject: "user-1", name: "alice", password_version: 1 })
//! #   }
//! #   fn user_by_subject(&self, pool: &Pool, _: &str) -> Result<User, Exception> {
//! #       self.user(pool, "alice")
//! #   }
//! #   fn tokens_for(&self, _: Option<Evidence>) -> AuthenticationResult {
//! #       AuthenticationResult {
//! #           access_token: "a.b.c".into(),
//! #           expires_in: 3600,
//! #           token_type: "Bearer".into(),
//! #           refresh_token: None,
//! #           id_token: None,
//! #       }
//! #   }
//! }
//!
//! /// The scope that a sign-in of this user by this client has now.
//! fn scope(pool: &Pool, client_id: &str, user: &User) -> Result<Scope, Exception> {
//!     let scope = Scope::new(pool.id, client_id).map_err(|_| Name::ResourceNotFound)?;
//!     Ok(scope.with_password_version(user.password_version))
//! }
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # let now = UnixTime::from_secs(1_700_000_000);
//! # let keys = SessionKeys::generate(1, &OsEntropy)?;
//! # let mfa = Mfa::new(Policy::COGNITO, move || Some(now), OsEntropy)
//! #     .with_sessions(keys, Context::new("cognito")?);
//! # let pool = Pool { mfa: mfa.with_policy(Policy::COGNITO.required())?, id: "local_pool" };
//! # let server = Server { mfa, pool, store: MemoryStore::new() };
//! let target = "AWSCognitoIdentityProviderService.AssociateSoftwareToken";
//! let response = server.answer(target, br#"{"AccessToken": "valid"}"#, "d3b07384");
//! assert_eq!(response.status, 200);
//! let response = server.answer(target, br#"{"AccessToken": "stolen"}"#, "d3b07385");
//! assert_eq!(response.status, 400);
//! assert!(response.headers.contains(&("x-amzn-ErrorType", "NotAuthorizedException".into())));
//!
//! let target = "AWSCognitoIdentityProviderService.VerifySoftwareToken";
//! let body = br#"{"Session": "aaaaaaaaaaaaaaaaaaaa", "UserCode": "123456"}"#;
//! let response = server.answer(target, body, "d3b07386");
//! let told = core::str::from_utf8(&response.body)?;
//! assert!(told.contains("Invalid session for the user, session is expired or invalid."));
//!
//! # let user = server.user(&server.pool, "alice")?;
//! let challenge = server.password_was_right(&server.pool, "webclient", &user, "d3b07387")?;
//! let told = core::str::from_utf8(&challenge.body)?.to_owned();
//! assert!(told.contains(r#""ChallengeName":"MFA_SETUP""#));
//!
//! // The client sets up a token with that session, unless the password changes meanwhile.
//! let target = "AWSCognitoIdentityProviderService.AssociateSoftwareToken";
//! assert_eq!(server.answer(target, told.as_bytes(), "d3b07388").status, 200);
//! # Ok(())
//! # }
//! ```
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "shapes of the published service model, which an application makes and matches whole"
)]

mod call;
mod constraints;
mod exception;
mod exchange;
mod members;
mod parse;
mod refusal;
mod reply;
mod response;
mod scope;
mod settings;

pub use call::{ByAccessToken, ByAdministrator, BySession, Call, ChallengeAnswer};
pub use exception::{Exception, Name};
pub use exchange::Exchange;
pub use parse::operation;
pub use refusal::Refusal;
pub use reply::{Body, Reply};
pub use response::{AuthenticationResult, Response};
pub use scope::Scope;
pub use settings::MfaSettings;
