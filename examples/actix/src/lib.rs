//! Serves logins with a second factor as a JSON API, on actix-web and diesel. The API is that of
//! `../adopting/after`, which is on axum and sqlx, and both are held to the same tests.

mod accounts;
mod failure;

use core::future::Future;
use core::pin::Pin;

use accounts::{Accounts, Credentials};
use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Json, ServiceConfig, block, get, post, resource};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
pub use failure::Failure;
use failure::UNAUTHORIZED;
use serde::Deserialize;
use serde_json::{Value, json};
use softtoken::association::Operation;
use softtoken::mfa::Request;
use softtoken::{Challenge, Code, Factor, Grant, Mfa};
use softtoken_diesel::SqliteStore;

/// Holds what the handlers share.
#[derive(Clone)]
pub struct Api {
    accounts: Accounts,
    mfa: Mfa,
    store: SqliteStore,
}

impl core::fmt::Debug for Api {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Api")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Opens the database in this file, which is made where there is none. Every process has an
    /// `mfa` with the same session keys.
    ///
    /// # Errors
    ///
    /// [`Failure::Internal`]: the database, or the system's generator, fails.
    pub fn open(file: &str, mfa: Mfa) -> Result<Self, Failure> {
        let accounts = Accounts::open(file)?;
        let store = SqliteStore::new(accounts.pool());
        store.migrate().map_err(Failure::internal)?;
        Ok(Self {
            accounts,
            mfa,
            store,
        })
    }

    /// Adds the routes of the API to an application.
    pub fn routes(self, config: &mut ServiceConfig) {
        let second_factor = resource("/second-factor")
            .route(post().to(associate))
            .route(web::put().to(verify))
            .route(web::delete().to(remove));
        config
            .app_data(Data::new(self))
            .route("/sign-up", post().to(sign_up))
            .route("/login", post().to(log_in))
            .route("/login/code", post().to(code))
            .route("/me", get().to(me))
            .route("/recovery-codes", post().to(recovery_codes))
            .service(second_factor);
    }

    /// Begins a login by the password alone, and asks again once its row is stored, in a transaction
    /// that waits for a set-up. One that ends meanwhile either finds the row and ends this login
    /// with the others, or is found by the question.
    fn begin(&self, user: &str) -> Result<(Challenge, String), Failure> {
        let login = self
            .accounts
            .begin(&Grant::first_factor(user, self.mfa.now()?))?;
        let again = self.mfa.sign_in();
        let (challenge, ()) = self
            .store
            .transaction(user, &again, |database, challenge| match challenge {
                Challenge::NotRequired { .. } => Ok(()),
                _ => accounts::end(database, &login),
            })?;
        Ok((challenge, login))
    }

    /// Does what a login asks for where its row is there still, in one transaction.
    fn run<O: Operation>(
        &self,
        login: &SignedIn,
        request: &Request<O>,
    ) -> Result<O::Output, Failure> {
        let user = login.grant.subject();
        let is_there = |database: &mut _, _: &_| accounts::login(database, &login.token);
        Ok(self.store.transaction(user, request, is_there)?.0)
    }

    /// Issues recovery codes, which take the place of those before: also for a user who has never
    /// seen those, because the client hung up.
    fn issue(&self, login: &SignedIn) -> Result<Value, Failure> {
        let codes = self.run(login, &self.mfa.issue_recovery_codes(&login.grant))?;
        let codes: Vec<_> = codes.iter().map(|code| code.expose().to_string()).collect();
        Ok(json!({ "recovery_codes": codes }))
    }
}

/// Runs what blocks on a thread that may. It goes on where the client hangs up: a guess is counted.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    block(work).await.map_err(Failure::internal)?
}

async fn sign_up(api: Data<Api>, Json(new): Json<Credentials>) -> Result<HttpResponse, Failure> {
    apart(move || api.accounts.sign_up(&new)).await?;
    Ok(HttpResponse::Ok().finish())
}

async fn log_in(api: Data<Api>, Json(given): Json<Credentials>) -> Result<Json<Value>, Failure> {
    let answer = apart(move || {
        let user = api.accounts.check(given)?;
        let challenge = api.mfa.sign_in().run_blocking(&api.store, &user)?;
        let (challenge, login) = match challenge {
            Challenge::NotRequired { .. } => api.begin(&user)?,
            challenge => (challenge, String::new()),
        };
        Ok(match challenge {
            Challenge::NotRequired { .. } => json!({ "login": login }),
            Challenge::SoftwareToken { session, .. } => json!({ "step": session.expose() }),
            Challenge::Setup { session, .. } => json!({ "set_up": session.expose() }),
        })
    });
    answer.await.map(Json)
}

#[derive(Deserialize)]
struct Step {
    step: String,
    code: String,
}

/// Spends the code and writes the login in one transaction: both are stored, or neither is.
async fn code(
    api: Data<Api>,
    Json(Step { step, code }): Json<Step>,
) -> Result<Json<Value>, Failure> {
    let answer = apart(move || {
        let session = api.mfa.open(&step)?;
        let respond = api.mfa.respond(&session, Factor::parse(&code)?);
        let (_, login) =
            api.store
                .transaction(session.subject(), &respond, |database, evidence| {
                    let login = accounts::begin(database, &Grant::from(evidence))?;
                    if evidence.should_end_other_logins() {
                        accounts::end_others(database, evidence.subject(), &login)?;
                    }
                    Ok::<_, Failure>(login)
                })?;
        Ok(json!({ "login": login }))
    });
    answer.await.map(Json)
}

/// Is the login of a request.
struct SignedIn {
    token: String,
    grant: Grant,
}

impl FromRequest for SignedIn {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let api = Data::<Api>::extract(request);
        let header = request.headers().get(AUTHORIZATION);
        let token = header
            .and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "))
            .map(String::from);
        Box::pin(async move {
            let api = api.await?;
            let token = token.ok_or(UNAUTHORIZED)?;
            let login = apart(move || {
                let grant = api.accounts.login(&token)?;
                Ok(Self { token, grant })
            });
            Ok(login.await?)
        })
    }
}

async fn me(login: SignedIn) -> Json<Value> {
    Json(json!({ "user": login.grant.subject() }))
}

async fn associate(api: Data<Api>, login: SignedIn) -> Result<Json<Value>, Failure> {
    let answer = apart(move || {
        let issued = api.run(&login, &api.mfa.associate(&login.grant))?;
        Ok(json!({ "secret": issued.secret().expose_base32().as_str() }))
    });
    answer.await.map(Json)
}

#[derive(Deserialize)]
struct Typed {
    code: String,
}

/// Puts the phone in force and renews the grant of the login in one transaction.
async fn verify(
    api: Data<Api>,
    login: SignedIn,
    Json(Typed { code }): Json<Typed>,
) -> Result<Json<Value>, Failure> {
    let answer = apart(move || {
        let SignedIn { token, grant } = login;
        let verify = api.mfa.verify(&grant, Code::parse(&code)?);
        let (_, grant) =
            api.store
                .transaction(grant.subject(), &verify, |database, enrolled| {
                    let grant = Grant::from(enrolled.evidence());
                    accounts::renew(database, &token, &grant)?;
                    accounts::end_others(database, grant.subject(), &token)?;
                    Ok::<_, Failure>(grant)
                })?;
        api.issue(&SignedIn { token, grant })
    });
    answer.await.map(Json)
}

async fn recovery_codes(api: Data<Api>, login: SignedIn) -> Result<Json<Value>, Failure> {
    apart(move || api.issue(&login)).await.map(Json)
}

async fn remove(api: Data<Api>, login: SignedIn) -> Result<HttpResponse, Failure> {
    apart(move || api.run(&login, &api.mfa.disassociate(&login.grant))).await?;
    Ok(HttpResponse::Ok().finish())
}
