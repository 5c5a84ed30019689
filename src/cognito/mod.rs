//! The second factor in the protocol of Amazon Cognito user pools: a client that was written for Cognito enrols and signs in.
//!
//! Shapes and mappings, and not a rule: what is judged is judged by the [machine](crate::association). There is no I/O: a
//! request comes in as a target and a body, and goes out as a [`Response`]; HTTP, users, passwords and tokens are the
//! embedder's. A [`Call`] says what has to be looked up for it; with that it is an [`Exchange`], a request like any other.
//!
//! Give a pool an [`Mfa`](crate::Mfa) of its own, by [`Policy::COGNITO`](crate::Policy::COGNITO) and what the pool requires, and all of them the same
//! [`SessionKeys`](crate::SessionKeys). A subject is one user of one pool: where pools share a store, no two users of theirs share a subject.
//!
//! A code at a challenge is read as a person types it, with spaces and hyphens. What is no code is `InvalidParameterException`, never
//! `CodeMismatchException`: no state was read, and nothing is counted. `UserCode` is exactly six digits, as the service model has it.
//!
//! ```
//! use softtoken::cognito::{AuthenticationResult, Call, Exception, Exchange, Name, Response, Scope};
//! use softtoken::{Administrator, Evidence, Grant, MemoryStore, Mfa, Policy, Rejection, UnixTime};
//! # use softtoken::{OsEntropy, Requirement, SessionKeys};
//!
//! # struct Pool { mfa: Mfa, id: &'static str }
//! # struct User { subject: &'static str, name: &'static str }
//! # struct Server { pool: Pool, store: MemoryStore }
//! impl Server {
//!     /// One call of `POST /`.
//!     fn answer(&self, target: &str, body: &[u8], request_id: &str) -> Response {
//!         let answered = self.answered(target, body, request_id);
//!         answered.unwrap_or_else(|exception| Response::refused(&exception, request_id))
//!     }
//!
//!     fn answered(&self, target: &str, body: &[u8], request_id: &str) -> Result<Response, Exception> {
//!         let Some(call) = Call::parse(target, body)? else {
//!             return self.other_operation(target, body, request_id);
//!         };
//!         let exchange = match &call {
//!             Call::AccessToken(call) => {
//!                 let (pool, user, grant) = self.check(call.access_token())?;
//!                 call.answer(&pool.mfa, user.subject, grant)
//!             }
//!             Call::Session(call) => {
//!                 let claims = self.pool.mfa.claims_of(call.session()).map_err(|_| Rejection::InvalidSession)?;
//!                 let scope = Scope::of(claims.context()).ok_or(Rejection::InvalidSession)?;
//!                 call.answer(&self.pool(scope.user_pool_id())?.mfa, claims.subject())
//!             }
//!             Call::Challenge(call) => {
//!                 let (pool, user) = self.user_of(call.client_id(), call.user_name())?;
//!                 let scope = Scope::new(pool.id, call.client_id()).map_err(|_| Name::ResourceNotFound)?;
//!                 call.answer(&pool.mfa, &scope, user.subject)
//!             }
//!             Call::Administrator(call) => {
//!                 let pool = self.pool(call.user_pool_id())?;
//!                 call.answer(&pool.mfa, self.user(pool, call.user_name())?.subject, Administrator)
//!             }
//!         };
//!         let reply = exchange.run_blocking(&self.store).map_err(|refusal| refusal.exception().clone())?;
//!         Ok(reply.response(request_id).unwrap_or_else(|evidence| {
//!             Response::authenticated(&self.tokens_for(evidence), request_id)
//!         }))
//!     }
//!
//!     /// `InitiateAuth` is the embedder's: what comes after the right password is not.
//!     fn password_was_right(&self, pool: &Pool, client_id: &str, user: &User, request_id: &str) -> Result<Response, Exception> {
//!         let scope = Scope::new(pool.id, client_id).map_err(|_| Name::ResourceNotFound)?;
//!         let exchange = Exchange::sign_in(&pool.mfa, &scope, user.subject, user.name);
//!         let reply = exchange.run_blocking(&self.store).map_err(|refusal| refusal.exception().clone())?;
//!         Ok(reply.response(request_id).unwrap_or_else(|evidence| {
//!             Response::authenticated(&self.tokens_for(evidence), request_id)
//!         }))
//!     }
//! #   fn other_operation(&self, _: &str, _: &[u8], _: &str) -> Result<Response, Exception> { Err(Name::UnknownOperation.into()) }
//! #   fn check(&self, token: &str) -> Result<(&Pool, User, Grant), Exception> {
//! #       if token != "valid" { return Err(Name::NotAuthorized.into()); }
//! #       Ok((&self.pool, self.user(&self.pool, "alice")?, Grant::first_factor(UnixTime::from_secs(1_700_000_000))))
//! #   }
//! #   fn pool(&self, _: &str) -> Result<&Pool, Exception> { Ok(&self.pool) }
//! #   fn user(&self, _: &Pool, _: &str) -> Result<User, Exception> { Ok(User { subject: "user-1", name: "alice" }) }
//! #   fn user_of(&self, _: &str, name: &str) -> Result<(&Pool, User), Exception> { Ok((&self.pool, self.user(&self.pool, name)?)) }
//! #   fn tokens_for(&self, _: Option<Evidence>) -> AuthenticationResult {
//! #       AuthenticationResult { access_token: "a.b.c".into(), expires_in: 3600, token_type: "Bearer".into(), refresh_token: None, id_token: None }
//! #   }
//! }
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # let now = UnixTime::from_secs(1_700_000_000);
//! # let policy = Policy::COGNITO.to_builder().requirement(Requirement::Required).build()?;
//! # let mfa = Mfa::new(policy, move || Some(now), OsEntropy).sessions(SessionKeys::generate(1, &OsEntropy)?);
//! # let server = Server { pool: Pool { mfa, id: "local_pool" }, store: MemoryStore::new() };
//! let target = "AWSCognitoIdentityProviderService.AssociateSoftwareToken";
//! let response = server.answer(target, br#"{"AccessToken": "valid"}"#, "d3b07384");
//! assert_eq!(response.status, 200);
//! let response = server.answer(target, br#"{"AccessToken": "stolen"}"#, "d3b07385");
//! assert_eq!(response.status, 400);
//! assert!(response.headers.contains(&("x-amzn-ErrorType", "NotAuthorizedException".into())));
//!
//! # let user = User { subject: "user-1", name: "alice" };
//! let target = "AWSCognitoIdentityProviderService.VerifySoftwareToken";
//! let response = server.answer(target, br#"{"Session": "aaaaaaaaaaaaaaaaaaaa", "UserCode": "123456"}"#, "d3b07386");
//! assert!(core::str::from_utf8(&response.body)?.contains("Invalid session for the user, session is expired or invalid."));
//!
//! let challenge = server.password_was_right(&server.pool, "webclient", &user, "d3b07387")?;
//! assert!(core::str::from_utf8(&challenge.body)?.contains(r#""ChallengeName":"MFA_SETUP""#));
//! # Ok(())
//! # }
//! ```

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
