//! Lets requests in: what a handler needs to know of a login is its first argument, and only the
//! crate's answer makes it.
//!
//! This file is to be copied. It knows neither how a login is kept nor how a refusal looks: your
//! application says both, by [`Gate`]. A handler names what it needs:
//!
//! | first argument | opens for |
//! |---|---|
//! | [`Open`] | everybody |
//! | [`SignedIn`] | a login that no reset has ended |
//! | [`Reauthenticated`] | a login that was proven within [`Gate::FRESH`], by everything its user has |
//! | [`SecondFactor`] | a login by a second factor that is still in force |
//! | [`SteppedUp`] | a second factor that was shown within [`Gate::FRESH`] |
//!
//! A user without a second factor passes [`Reauthenticated`] by a fresh password, to set the first
//! one up; nobody passes [`SecondFactor`] and [`SteppedUp`] without one.
//!
//! The gate decides once the head of a request is there, and axum reads the body after that. Have
//! the body read before, as `body::read` does, in a bounded time: a form that is held back would
//! otherwise be judged by the login of when its head came, which stays fresh for as long as the
//! form takes.
//!
//! [`Routes`] takes no handler whose first argument is not one of these, so a route that nobody
//! thought about does not compile, and lists what each route asks for, so that a test can knock on
//! every door.

use core::time::Duration;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::handler::Handler;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use softtoken::association::Check;
use softtoken::mfa::Request;
use softtoken::{Error, Fault, Grant, Mfa, Rejection, Store};

/// Tells the gate how your application keeps logins, and how it refuses.
pub trait Gate: Clone + Send + Sync + 'static {
    /// Stands for whom a login belongs to.
    type User: Send + Sync + 'static;
    /// Keeps the second factors.
    type Store: Store;
    /// Bounds how old a proof may be before something dangerous.
    const FRESH: Duration;

    /// Returns the login that the request belongs to, if there is one. You owe: that its user still
    /// exists and has the same password, that nobody has signed out, and that its grant is the one
    /// that was kept for it.
    fn login(
        &self,
        parts: &mut Parts,
    ) -> impl Future<Output = Result<Option<Login<Self::User>>, Response>> + Send;

    /// Returns the store of the second factors.
    fn store(&self) -> &Self::Store;

    /// Answers a request that the gate does not let in.
    fn refuse(&self, parts: &Parts, refused: Refused) -> Response;

    /// Answers where nobody knows: the store failed, or the clock.
    fn fail(&self, error: Error<<Self::Store as Store>::Error>) -> Response;
}

/// Holds a login: its user, its grant, and the view of this request.
#[derive(Clone, Debug)]
pub struct Login<U> {
    /// Names whom the login belongs to.
    pub user: U,
    /// Proves what was shown for it. Its subject is the user's id.
    pub grant: Grant,
    /// Judges second factors in this request.
    pub mfa: Mfa,
}

/// Says what a request lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// There is no login.
    SignIn,
    /// The login has to be proven anew: by a code where the user has a second factor, else by the
    /// password.
    StepUp,
    /// The user has no second factor, and needs one here.
    SetUp,
}

/// Names what a handler asks for, in the table of the routes.
pub trait Level {
    /// Names it.
    const NAME: &'static str;
}

/// Lets everybody in, and says who is signed in.
#[derive(Debug)]
pub struct Open<S: Gate>(Option<Login<S::User>>);

impl<S: Gate> Open<S> {
    /// Returns the login, if there is one.
    #[must_use]
    pub fn login(&self) -> Option<&Login<S::User>> {
        self.0.as_ref()
    }
}

impl<S: Gate> Level for Open<S> {
    const NAME: &'static str = "open";
}

impl<S: Gate> FromRequestParts<S> for Open<S> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        Ok(Self(signed_in(parts, state).await?.ok()))
    }
}

/// Declares an extractor that holds a login. Its field is private: this file alone makes it.
macro_rules! level {
    ($(#[$doc:meta])* $name:ident, $text:literal, $find:ident($($check:expr)?)) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<S: Gate>(Login<S::User>);

        impl<S: Gate> core::ops::Deref for $name<S> {
            type Target = Login<S::User>;

            fn deref(&self) -> &Login<S::User> {
                &self.0
            }
        }

        impl<S: Gate> Level for $name<S> {
            const NAME: &'static str = $text;
        }

        impl<S: Gate> FromRequestParts<S> for $name<S> {
            type Rejection = Response;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
                let login = $find(parts, state $(, $check)?).await?;
                login.map(Self).map_err(|refused| state.refuse(parts, refused))
            }
        }
    };
}

level! {
    /// Lets a login in.
    SignedIn, "signed in", signed_in()
}
level! {
    /// Lets a login in that was proven within [`Gate::FRESH`], by everything its user has.
    Reauthenticated, "reauthenticated",
    passing(|login| login.mfa.check(&login.grant, S::FRESH))
}
level! {
    /// Lets a login in by a second factor that is still in force.
    SecondFactor, "second factor",
    passing(|login| login.mfa.check(&login.grant, Duration::MAX).expect_enrolled())
}
level! {
    /// Lets a login in whose second factor was shown within [`Gate::FRESH`].
    SteppedUp, "stepped up",
    passing(|login| login.mfa.check(&login.grant, S::FRESH).expect_enrolled())
}

/// Finds the login of a request, unless a reset has ended it. A password alone is enough: a browser
/// that is remembered signs in with no more.
async fn signed_in<S: Gate>(
    parts: &mut Parts,
    state: &S,
) -> Result<Result<Login<S::User>, Refused>, Response> {
    let Some(login) = state.login(parts).await? else {
        return Ok(Err(Refused::SignIn));
    };
    let check = login.mfa.check(&login.grant, Duration::MAX);
    Ok(match verdict(state, &login.grant, check).await? {
        None | Some(Refused::StepUp) => Ok(login),
        Some(refused) => Err(refused),
    })
}

/// Finds the login of a request, where it passes this check.
async fn passing<S: Gate>(
    parts: &mut Parts,
    state: &S,
    check: impl Fn(&Login<S::User>) -> Request<Check>,
) -> Result<Result<Login<S::User>, Refused>, Response> {
    let Some(login) = state.login(parts).await? else {
        return Ok(Err(Refused::SignIn));
    };
    Ok(match verdict(state, &login.grant, check(&login)).await? {
        None => Ok(login),
        Some(refused) => Err(refused),
    })
}

/// Runs the check, and returns what the login lacks.
async fn verdict<S: Gate>(
    state: &S,
    grant: &Grant,
    check: Request<Check>,
) -> Result<Option<Refused>, Response> {
    match check.run(state.store(), grant.subject()).await {
        Ok(()) => Ok(None),
        Err(Error::Rejected { rejection, .. }) => Ok(Some(match rejection {
            Rejection::SecondFactorRequired | Rejection::ReauthenticationRequired => {
                Refused::StepUp
            }
            _ => Refused::SignIn,
        })),
        // No second factor is in force, and the check has asked for one.
        Err(Error::Fault(Fault::RolledBack)) => Ok(Some(Refused::SetUp)),
        Err(error) => Err(state.fail(error)),
    }
}

/// Stands for the arguments of a handler whose first one is a [`Level`].
pub trait Gated {
    /// Names the first argument.
    type Level: Level;
}

/// Declares that handlers of so many arguments are gated by their first one.
macro_rules! gated {
    ($($argument:ident)*) => {
        impl<M, L: Level, $($argument),*> Gated for (M, L, $($argument,)*) {
            type Level = L;
        }
    };
}
gated! {}
gated! { A }
gated! { A B }
gated! { A B C }
gated! { A B C D }
gated! { A B C D E }
gated! { A B C D E F }

/// Describes a route: what is asked for, and what it asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// Tells the method.
    pub method: Method,
    /// Tells the path, as the router has it.
    pub path: &'static str,
    /// Names the [`Level`].
    pub level: &'static str,
}

/// Collects routes that are all gated.
///
/// A handler that forgets its gate does not compile:
///
/// ```compile_fail,E0277
/// use axum::extract::State;
/// use softtoken_axum_example::App;
/// use softtoken_axum_example::gate::Routes;
///
/// async fn delete_account(_: State<App>) {}
///
/// let routes = Routes::<App>::new().post("/account/delete", delete_account);
/// ```
///
/// With one it does:
///
/// ```
/// use axum::extract::State;
/// use softtoken_axum_example::App;
/// use softtoken_axum_example::gate::{Routes, SteppedUp};
///
/// async fn delete_account(_: SteppedUp<App>, _: State<App>) {}
///
/// let routes = Routes::<App>::new().post("/account/delete", delete_account);
/// assert_eq!(routes.table()[0].level, "stepped up");
/// ```
#[derive(Debug)]
pub struct Routes<S> {
    router: Router<S>,
    table: Vec<Route>,
}

impl<S: Gate> Routes<S> {
    /// Creates an empty collection.
    #[must_use]
    pub fn new() -> Self {
        Self {
            router: Router::new(),
            table: Vec::new(),
        }
    }

    /// Adds a handler of GET and HEAD.
    #[must_use]
    pub fn get<H: Handler<T, S>, T: Gated + 'static>(self, path: &'static str, handler: H) -> Self {
        let route = get::<H, T, S>(handler);
        self.route::<T>(Method::GET, path, route)
    }

    /// Adds a handler of POST.
    #[must_use]
    pub fn post<H: Handler<T, S>, T: Gated + 'static>(
        self,
        path: &'static str,
        handler: H,
    ) -> Self {
        let route = post::<H, T, S>(handler);
        self.route::<T>(Method::POST, path, route)
    }

    fn route<T: Gated>(
        mut self,
        method: Method,
        path: &'static str,
        route: MethodRouter<S>,
    ) -> Self {
        let level = T::Level::NAME;
        self.table.push(Route {
            method,
            path,
            level,
        });
        self.router = self.router.route(path, route);
        self
    }

    /// Returns every route, in the order in which they were added.
    #[must_use]
    pub fn table(&self) -> &[Route] {
        &self.table
    }

    /// Returns the router.
    pub fn into_router(self) -> Router<S> {
        self.router
    }
}

impl<S: Gate> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}
