//! Runs a call with what was looked up for it: a request like any other.

use alloc::string::String;

use super::refusal::{During, Refusal, Used};
use super::reply::{self, Reply};
use super::scope::Scope;
use crate::association::{
    Associate, Authority, Disassociate, FinishSetup, Prefer, Preference, Rejection, Respond,
    SignIn, Status, Verify,
};
use crate::error::{Error, OpenError};
use crate::mfa::{Mfa, Request};
use crate::store::{BlockingStore, Store};

/// Holds a request that waits to be run on a store: [`run`](Self::run) with an executor,
/// [`run_blocking`](Self::run_blocking) without. It is owned: it may move into a task or onto
/// another thread.
///
/// ```
/// use softtoken::cognito::{Exchange, Reply, Scope};
/// use softtoken::{Context, MemoryStore, Mfa, OsEntropy, Policy, SessionKeys};
///
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let store = MemoryStore::new();
/// let keys = SessionKeys::generate(1, &OsEntropy)?;
/// let mfa = Mfa::system(Policy::COGNITO).with_sessions(keys, Context::new("cognito")?);
/// let scope = Scope::new("local_optional", "webclient")?;
/// let reply = Exchange::sign_in(&mfa, &scope, "user-1", "alice").run_blocking(&store)?;
/// // No token is verified, and the pool requires none.
/// assert!(matches!(reply, Reply::NotRequired));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request does nothing until it is run"]
pub struct Exchange {
    subject: String,
    request: AnyRequest,
}

#[derive(Debug)]
enum AnyRequest {
    Associate(Request<Associate>),
    Verify(Request<Verify>, During),
    Respond(Request<Respond>, Used),
    FinishSetup(Request<FinishSetup>, Used),
    /// Asks as well, for a user who has no token, whether a secret waits for its code.
    Prefer(Request<Prefer>, Request<Status>),
    Unchanged(Request<Status>),
    Disassociate(Request<Disassociate>),
    SignIn(Request<SignIn>, String),
    /// The text that was given for a session does not open.
    Unopened(OpenError),
}

/// Makes the async and the blocking form from one table: what each request gives, and what its
/// refusal is called.
macro_rules! run {
    ($exchange:ident, |$request:ident| $run:expr) => {
        match &$exchange.request {
            AnyRequest::Associate($request) => {
                told($run, During::Associate, |given| reply::issued(&given))
            }
            AnyRequest::Verify($request, during) => {
                told($run, *during, |given| reply::enrolled(&given))
            }
            AnyRequest::Respond($request, used) => {
                used.named(told($run, During::SignIn, Reply::Authenticated))
            }
            AnyRequest::FinishSetup($request, used) => {
                used.named(told($run, During::SignIn, Reply::Authenticated))
            }
            AnyRequest::Prefer($request, status) => {
                let preferred = $run;
                let during = match preferred.as_ref().map_err(Error::rejection) {
                    Err(Some(Rejection::NotAssociated)) => {
                        let $request = status;
                        let status = $run;
                        During::prefer(status.is_ok_and(|status| status.pending.is_some()))
                    }
                    _ => During::Prefer,
                };
                told(preferred, during, |()| reply::unchanged())
            }
            AnyRequest::Unchanged($request) => told($run, During::Prefer, |_| reply::unchanged()),
            AnyRequest::Disassociate($request) => {
                told($run, During::Prefer, |_| reply::unchanged())
            }
            AnyRequest::SignIn($request, user_name) => told($run, During::SignIn, |challenge| {
                reply::challenged(challenge, user_name)
            }),
            // One answer, whatever the session was for.
            AnyRequest::Unopened(error) => Err(Refusal::of((*error).into(), During::SignIn)),
        }
    };
}

impl Exchange {
    /// Loads, decides and swaps: see [`Request::run`].
    ///
    /// # Errors
    ///
    /// [`Refusal`], the answer no or a failure. Nothing was accepted.
    #[expect(
        clippy::manual_async_fn,
        reason = "as of `Request::run`: a code lies in one place, and is wiped there"
    )]
    pub fn run<S: Store + ?Sized>(
        self,
        store: &S,
    ) -> impl Future<Output = Result<Reply, Refusal<S::Error>>> {
        async move { self.run_where_it_lies(store).await }
    }

    async fn run_where_it_lies<S: Store + ?Sized>(
        &self,
        store: &S,
    ) -> Result<Reply, Refusal<S::Error>> {
        let subject = self.subject.as_str();
        run!(self, |request| request
            .run_where_it_lies(store, subject)
            .await)
    }

    /// Does what [`run`](Self::run) does, without an executor.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`run`](Self::run), under the same conditions.
    pub fn run_blocking<S: BlockingStore + ?Sized>(
        self,
        store: &S,
    ) -> Result<Reply, Refusal<S::Error>> {
        let subject = self.subject.as_str();
        run!(self, |request| request
            .run_blocking_where_it_lies(store, subject))
    }

    /// Goes on with `InitiateAuth` or `AdminInitiateAuth`, once the password was right: gives a
    /// challenge, or [`Reply::NotRequired`].
    ///
    /// The protocol cannot put a set-up off: under
    /// [`RequiredFrom`](crate::Requirement::RequiredFrom) the challenge `MFA_SETUP` is given before
    /// that time too.
    pub fn sign_in(mfa: &Mfa, scope: &Scope, subject: &str, user_name: &str) -> Self {
        let request = mfa.with_context(scope.context().clone()).sign_in();
        Self::new(AnyRequest::SignIn(request, user_name.into()), subject)
    }

    pub(super) fn associate(request: Request<Associate>, subject: &str) -> Self {
        Self::new(AnyRequest::Associate(request), subject)
    }

    pub(super) fn verify(request: Request<Verify>, subject: &str, during: During) -> Self {
        Self::new(AnyRequest::Verify(request, during), subject)
    }

    pub(super) fn respond(request: Request<Respond>, subject: &str, used: Used) -> Self {
        Self::new(AnyRequest::Respond(request, used), subject)
    }

    pub(super) fn finish_setup(request: Request<FinishSetup>, subject: &str, used: Used) -> Self {
        Self::new(AnyRequest::FinishSetup(request, used), subject)
    }

    pub(super) fn disassociate(request: Request<Disassociate>, subject: &str) -> Self {
        Self::new(AnyRequest::Disassociate(request), subject)
    }

    pub(super) fn prefer(
        mfa: &Mfa,
        subject: &str,
        authority: impl Into<Authority>,
        preference: Option<Preference>,
    ) -> Self {
        let request = match preference {
            Some(preference) => AnyRequest::Prefer(mfa.prefer(authority, preference), mfa.status()),
            None => AnyRequest::Unchanged(mfa.status()),
        };
        Self::new(request, subject)
    }

    pub(super) fn unopened(error: OpenError) -> Self {
        Self::new(AnyRequest::Unopened(error), "")
    }

    fn new(request: AnyRequest, subject: &str) -> Self {
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
