//! A call that has what it needs: a request like any other.

use alloc::string::String;

use super::refusal::{During, Refusal};
use super::reply::{self, Reply};
use super::scope::Scope;
use crate::association::{
    Associate, Authority, FinishSetup, Prefer, Preference, Respond, SignIn, Status, Verify,
};
use crate::error::Error;
use crate::mfa::{Mfa, Request};
use crate::store::{BlockingStore, Store};

/// A request that waits to be run on a store: [`run`](Self::run) with an executor, [`run_blocking`](Self::run_blocking) without.
///
/// ```
/// use softtoken::cognito::{Exchange, Reply, Scope};
/// use softtoken::{MemoryStore, Mfa, OsEntropy, Policy, SessionKeys};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let keys = SessionKeys::generate(1, &OsEntropy)?;
/// let (store, mfa) = (MemoryStore::new(), Mfa::system(Policy::COGNITO).sessions(keys));
/// let scope = Scope::new("local_optional", "webclient")?;
/// let reply = Exchange::sign_in(&mfa, &scope, "user-1", "alice").run_blocking(&store)?;
/// assert!(matches!(reply, Reply::NotRequired)); // nothing is verified, and the pool asks for nothing
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request does nothing until it is run"]
pub struct Exchange<'m> {
    subject: String,
    request: AnyRequest<'m>,
}

#[derive(Debug)]
enum AnyRequest<'m> {
    Associate(Request<'m, Associate>),
    Verify(Request<'m, Verify>),
    Respond(Request<'m, Respond>),
    FinishSetup(Request<'m, FinishSetup>),
    Prefer(Request<'m, Prefer>),
    Unchanged(Request<'m, Status>),
    SignIn(Request<'m, SignIn>, String),
}

/// The two colours, from one table: what each request gives, and what its refusal is called.
macro_rules! run {
    ($exchange:ident, |$request:ident| $run:expr) => {
        match $exchange.request {
            AnyRequest::Associate($request) => {
                told($run, During::Associate, |given| reply::issued(&given))
            }
            AnyRequest::Verify($request) => {
                told($run, During::Verify, |given| reply::enrolled(&given))
            }
            AnyRequest::Respond($request) => told($run, During::SignIn, Reply::Authenticated),
            AnyRequest::FinishSetup($request) => told($run, During::SignIn, Reply::Authenticated),
            AnyRequest::Prefer($request) => told($run, During::Prefer, |()| reply::unchanged()),
            AnyRequest::Unchanged($request) => told($run, During::Prefer, |_| reply::unchanged()),
            AnyRequest::SignIn($request, user_name) => told($run, During::SignIn, |challenge| {
                reply::challenged(challenge, &user_name)
            }),
        }
    };
}

impl Exchange<'_> {
    /// Loads, decides and swaps: see [`Request::run`].
    ///
    /// # Errors
    ///
    /// [`Refusal`], the answer no or a failure. Nothing was accepted.
    pub async fn run<S: Store + ?Sized>(self, store: &S) -> Result<Reply, Refusal<S::Error>> {
        let subject = self.subject.as_str();
        run!(self, |request| request.run(store, subject).await)
    }

    /// The same without an executor.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_blocking<S: BlockingStore + ?Sized>(
        self,
        store: &S,
    ) -> Result<Reply, Refusal<S::Error>> {
        let subject = self.subject.as_str();
        run!(self, |request| request.run_blocking(store, subject))
    }
}

impl<'m> Exchange<'m> {
    /// What `InitiateAuth` and `AdminInitiateAuth` go on with, once the password was right: a challenge, or
    /// [`Reply::NotRequired`].
    pub fn sign_in(mfa: &'m Mfa, scope: &Scope, subject: &str, user_name: &str) -> Self {
        let request = mfa.sign_in(scope.context().clone());
        Self::new(AnyRequest::SignIn(request, user_name.into()), subject)
    }

    pub(super) fn associate(request: Request<'m, Associate>, subject: &str) -> Self {
        Self::new(AnyRequest::Associate(request), subject)
    }

    pub(super) fn verify(request: Request<'m, Verify>, subject: &str) -> Self {
        Self::new(AnyRequest::Verify(request), subject)
    }

    pub(super) fn respond(request: Request<'m, Respond>, subject: &str) -> Self {
        Self::new(AnyRequest::Respond(request), subject)
    }

    pub(super) fn finish_setup(request: Request<'m, FinishSetup>, subject: &str) -> Self {
        Self::new(AnyRequest::FinishSetup(request), subject)
    }

    pub(super) fn prefer(
        mfa: &'m Mfa,
        subject: &str,
        authority: impl Into<Authority>,
        preference: Option<Preference>,
    ) -> Self {
        let request = match preference {
            Some(preference) => AnyRequest::Prefer(mfa.prefer(authority, preference)),
            None => AnyRequest::Unchanged(mfa.status()),
        };
        Self::new(request, subject)
    }

    fn new(request: AnyRequest<'m>, subject: &str) -> Self {
        let subject = subject.into();
        Self { subject, request }
    }
}

fn told<T, E>(
    outcome: Result<T, Error<E>>,
    during: During,
    reply: impl FnOnce(T) -> Reply,
) -> Result<Reply, Refusal<E>> {
    outcome
        .map(reply)
        .map_err(|error| Refusal::of(error, during))
}
