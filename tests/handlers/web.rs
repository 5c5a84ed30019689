//! A web application: a login is a cookie, the second factor is asked for on a page of its own.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use softtoken::association::BrowserKeys;
use softtoken::error::Malformed;
use softtoken::store::Swap;
use softtoken::totp::KeyUri;
use softtoken::{
    Challenge, Code, Context, Error, Evidence, Factor, Fault, Grant, Mfa, Policy, Rejection,
    TokenId, UnixTime,
};

use super::{Database, Down, serve};
use crate::world::{Device, START, World};

struct App {
    mfa: Mfa,
    store: Arc<Database>,
    users: Mutex<HashMap<String, User>>,
    /// What stands behind the cookie of a login.
    logins: Mutex<HashMap<String, Vec<u8>>>,
    cookies: AtomicU64,
}

#[derive(Clone)]
struct User {
    id: String,
    password: String,
    password_version: u32,
    is_admin: bool,
    must_by: UnixTime,
}

/// What the browser is told.
#[derive(Debug)]
enum Page {
    /// With a cookie.
    Welcome(String),
    Code {
        session: String,
        phones: Vec<String>,
    },
    /// With a link to skip it, where the time has not come.
    SetUp { session: String, may_wait: bool },
}

/// What the browser is told where the answer is not yes.
#[derive(PartialEq, Eq, Debug)]
struct Problem {
    status: u16,
    name: &'static str,
    retry_after: Option<Duration>,
}

type Response<T> = Result<T, Problem>;

/// Whatever the crate refuses becomes a page, in one place.
impl<E: Into<Error<Down>>> From<E> for Problem {
    fn from(error: E) -> Self {
        let error = error.into();
        let status = match &error {
            // These the application makes itself.
            Error::Malformed(
                Malformed::Policy(_) | Malformed::Context(_) | Malformed::Grant(_),
            )
            | Error::Fault(_) => 500,
            Error::Malformed(_) => 400,
            Error::Rejected { rejection, .. } => status(*rejection),
            Error::Store(_) => 503,
        };
        Self {
            status,
            name: error.name(),
            retry_after: error.retry_after(),
        }
    }
}

fn status(rejection: Rejection) -> u16 {
    match rejection {
        Rejection::Mismatch
        | Rejection::Reused
        | Rejection::InvalidSession
        | Rejection::NotAuthorized => 401,
        Rejection::Throttled { .. } => 429,
        Rejection::CodeLength { .. } => 400,
        Rejection::Expired => 410,
        Rejection::NoSuchToken => 404,
        Rejection::NotAssociated | Rejection::AlreadyVerified | Rejection::TooManyTokens => 409,
        Rejection::ClockBehind => 503,
        _ => 403,
    }
}

impl App {
    /// The view of a request: the one place where policy and context are chosen.
    fn view(&self, user: &User) -> Response<Mfa> {
        let policy = if user.is_admin {
            self.mfa.policy().required()
        } else {
            self.mfa.policy().required_from(user.must_by)
        };
        let context = Context::new(user.password_version.to_be_bytes())?;
        Ok(self.mfa.with_policy(policy)?.with_context(context))
    }

    fn user(&self, id: &str) -> Response<User> {
        let users = self.users.lock().unwrap();
        let known = users.get(id).cloned();
        Ok(known.ok_or(Rejection::NotAuthorized)?)
    }

    fn grant(&self, cookie: &str) -> Response<Grant> {
        let logins = self.logins.lock().unwrap();
        let kept = logins.get(cookie).ok_or(Rejection::NotAuthorized)?;
        let user = cookie.split('.').next().unwrap();
        Ok(Grant::from_bytes(kept, user)?)
    }

    fn keep(&self, cookie: &str, grant: &Grant) {
        let mut logins = self.logins.lock().unwrap();
        logins.insert(cookie.into(), grant.to_bytes());
    }

    fn log_in(&self, grant: &Grant) -> String {
        let number = self.cookies.fetch_add(1, Ordering::SeqCst);
        let cookie = format!("{}.{number}", grant.subject());
        self.keep(&cookie, grant);
        cookie
    }

    fn end_other_logins(&self, evidence: &Evidence) {
        let prefix = format!("{}.", evidence.subject());
        let mut logins = self.logins.lock().unwrap();
        logins.retain(|cookie, _| !cookie.starts_with(&prefix));
    }
}

async fn password(
    app: Arc<App>,
    id: String,
    password: String,
    browser: Option<String>,
) -> Response<Page> {
    let user = app.user(&id)?;
    if password != user.password {
        return Err(Rejection::NotAuthorized.into());
    }
    let mfa = app.view(&user)?;
    let sign_in = mfa.sign_in().from_browser(browser.as_deref());
    Ok(match sign_in.run(&app.store, &user.id).await? {
        Challenge::NotRequired { .. } => {
            let grant = Grant::first_factor(&user.id, mfa.now()?);
            Page::Welcome(app.log_in(&grant))
        }
        Challenge::SoftwareToken { session, names, .. } => Page::Code {
            session: session.expose().into(),
            phones: names,
        },
        Challenge::Setup {
            session,
            required_from,
            ..
        } => Page::SetUp {
            session: session.expose().into(),
            may_wait: required_from.is_some(),
        },
    })
}

/// The cookie of the login, and that of the browser where it is to be remembered.
async fn second(
    app: Arc<App>,
    session: String,
    typed: String,
    remember: bool,
) -> Response<(String, Option<String>)> {
    let session = app.mfa.open(&session)?;
    let user = app.user(session.subject())?;
    let mfa = app.view(&user)?;
    let respond = mfa.respond(&session, Factor::parse(&typed)?);
    let evidence = respond.run(&app.store, &user.id).await?;
    if evidence.should_end_other_logins() {
        app.end_other_logins(&evidence);
    }
    let browser = if remember {
        mfa.remember(&evidence)?
    } else {
        None
    };
    let browser = browser.map(|token| token.expose().into());
    Ok((app.log_in(&Grant::from(&evidence)), browser))
}

/// The set-up that a sign-in asks for: its secret, and the session of the next page.
async fn set_up_first(app: Arc<App>, session: String) -> Response<(KeyUri, String)> {
    let session = app.mfa.open(&session)?;
    let user = app.user(session.subject())?;
    let associate = app.view(&user)?.associate(&session).named("phone");
    let issued = associate.run(&app.store, &user.id).await?;
    let next = issued.session().ok_or(Fault::NoSessionKeys)?;
    Ok((issued.uri("Acme", "a@example.org")?, next.expose().into()))
}

async fn confirm_first(app: Arc<App>, session: String, typed: String) -> Response<String> {
    let session = app.mfa.open(&session)?;
    let user = app.user(session.subject())?;
    let verify = app.view(&user)?.verify(&session, Code::parse(&typed)?);
    let enrolled = verify.run(&app.store, &user.id).await?;
    Ok(app.log_in(&Grant::from(enrolled.evidence())))
}

async fn set_up(app: Arc<App>, cookie: String, name: String) -> Response<KeyUri> {
    let grant = app.grant(&cookie)?;
    let mfa = app.view(&app.user(grant.subject())?)?;
    let associate = mfa.associate(&grant).named(&name);
    let issued = associate.run(&app.store, grant.subject()).await?;
    Ok(issued.uri("Acme", "a@example.org")?)
}

async fn replace(app: Arc<App>, cookie: String, lost: String) -> Response<KeyUri> {
    let grant = app.grant(&cookie)?;
    let lost: TokenId = lost.parse()?;
    let mfa = app.view(&app.user(grant.subject())?)?;
    let associate = mfa.associate(&grant).replacing(lost);
    let issued = associate.run(&app.store, grant.subject()).await?;
    Ok(issued.uri("Acme", "a@example.org")?)
}

async fn confirm(app: Arc<App>, cookie: String, typed: String) -> Response<()> {
    let grant = app.grant(&cookie)?;
    let mfa = app.view(&app.user(grant.subject())?)?;
    let verify = mfa.verify(&grant, Code::parse(&typed)?);
    let enrolled = verify.run(&app.store, grant.subject()).await?;
    let evidence = enrolled.evidence();
    if evidence.should_end_other_logins() {
        app.end_other_logins(evidence);
    }
    app.keep(&cookie, &Grant::from(evidence));
    Ok(())
}

/// "Sudo mode": the login goes on, with a second factor that was shown just now.
async fn sudo(app: Arc<App>, cookie: String, typed: String) -> Response<()> {
    let grant = app.grant(&cookie)?;
    let mfa = app.view(&app.user(grant.subject())?)?;
    let step_up = mfa.step_up(&grant, Factor::parse(&typed)?);
    let evidence = step_up.run(&app.store, grant.subject()).await?;
    app.keep(&cookie, &Grant::from(&evidence));
    Ok(())
}

/// Only what the user has shown a code for within five minutes.
async fn danger(app: Arc<App>, cookie: String) -> Response<()> {
    let grant = app.grant(&cookie)?;
    let mfa = app.view(&app.user(grant.subject())?)?;
    let check = mfa.check(&grant, Duration::from_secs(5 * 60));
    check.run(&app.store, grant.subject()).await?;
    Ok(())
}

async fn off(app: Arc<App>, cookie: String) -> Response<()> {
    let grant = app.grant(&cookie)?;
    let mfa = app.view(&app.user(grant.subject())?)?;
    let turn_off = mfa.set_enabled(&grant, false);
    turn_off.run(&app.store, grant.subject()).await?;
    Ok(())
}

async fn remove(app: Arc<App>, cookie: String, token: String) -> Response<()> {
    let grant = app.grant(&cookie)?;
    let token: TokenId = token.parse()?;
    let mfa = app.view(&app.user(grant.subject())?)?;
    let remove = mfa.remove(&grant, token);
    remove.run(&app.store, grant.subject()).await?;
    Ok(())
}

async fn recovery_codes(app: Arc<App>, cookie: String) -> Response<Vec<String>> {
    let grant = app.grant(&cookie)?;
    let mfa = app.view(&app.user(grant.subject())?)?;
    let issue = mfa.issue_recovery_codes(&grant);
    let codes = issue.run(&app.store, grant.subject()).await?;
    Ok(codes.iter().map(|code| code.expose().to_string()).collect())
}

async fn phones(app: Arc<App>, cookie: String) -> Response<Vec<(String, String)>> {
    let grant = app.grant(&cookie)?;
    let mfa = app.view(&app.user(grant.subject())?)?;
    let report = mfa.status().run(&app.store, grant.subject()).await?;
    let tokens = report.tokens.into_iter();
    Ok(tokens
        .map(|token| (token.id.to_string(), token.name.unwrap_or_default()))
        .collect())
}

/// The login is counted in the transaction that spends the code: both are committed, or neither is.
/// A rejection is committed alone.
async fn second_in_own_transaction(
    app: Arc<App>,
    session: String,
    typed: String,
) -> Response<String> {
    let session = app.mfa.open(&session)?;
    let mfa = app.view(&app.user(session.subject())?)?;
    let request = mfa.respond(&session, Factor::parse(&typed)?);
    for _ in 0..mfa.policy().swap_attempts() {
        let begin = Database::begin(&app.store).await;
        let mut transaction = begin.map_err(Error::Store)?;
        let found = transaction.tables.tokens.get(session.subject()).cloned();
        let decision = request.decide(session.subject(), found)?;
        if let Some(write) = decision.write()
            && transaction.tables.swap(write) == Swap::Conflict
        {
            continue;
        }
        if !decision.is_rejection() {
            let logins = &mut transaction.tables.logins;
            *logins.entry(session.subject().into()).or_default() += 1;
        }
        if transaction.commit().await.map_err(Error::Store)? {
            let evidence = decision.committed::<Down>()?;
            return Ok(app.log_in(&Grant::from(&evidence)));
        }
    }
    Err(Fault::Contended.into())
}

/// An application that keeps up to two phones a user, with one user, and the user's phone.
struct Site {
    world: World,
    app: Arc<App>,
}

const LATER: u64 = START + 30 * 24 * 60 * 60;

impl Site {
    fn new(is_admin: bool, must_by: u64) -> Self {
        let policy = Policy::builder().max_tokens(2).build().unwrap();
        let world = World::new(policy);
        let keys = BrowserKeys::from_bytes(1, &[9; 32]);
        let week = Duration::from_secs(7 * 24 * 60 * 60);
        let mfa = world.mfa.clone().with_browsers(keys, week).unwrap();
        let user = User {
            id: "u1".into(),
            password: "correct horse".into(),
            password_version: 1,
            is_admin,
            must_by: UnixTime::from_secs(must_by),
        };
        let app = Arc::new(App {
            mfa,
            store: Arc::default(),
            users: Mutex::new(HashMap::from([("u1".into(), user)])),
            logins: Mutex::default(),
            cookies: AtomicU64::default(),
        });
        Self { world, app }
    }

    fn app(&self) -> Arc<App> {
        Arc::clone(&self.app)
    }

    fn password(&self, browser: Option<&str>) -> Page {
        let browser = browser.map(String::from);
        serve(password(
            self.app(),
            "u1".into(),
            "correct horse".into(),
            browser,
        ))
        .unwrap()
    }

    fn challenge(&self) -> String {
        match self.password(None) {
            Page::Code { session, .. } => session,
            other => panic!("no challenge: {other:?}"),
        }
    }

    fn code(&self, phone: &Device) -> String {
        phone.code(self.world.now()).expose().to_string()
    }

    fn scan(uri: &KeyUri) -> Device {
        Device::new(uri.secret(), uri.totp())
    }

    /// Signed in, with a phone that was set up within the login.
    fn enrolled() -> (Self, String, Device) {
        let site = Self::new(false, LATER);
        let Page::SetUp { session, may_wait } = site.password(None) else {
            panic!("nothing is set up");
        };
        assert!(may_wait);
        let (uri, session) = serve(set_up_first(site.app(), session)).unwrap();
        let phone = Self::scan(&uri);
        let cookie = serve(confirm_first(site.app(), session, site.code(&phone))).unwrap();
        site.world.time.advance(30);
        (site, cookie, phone)
    }
}

#[test]
fn a_web_application_signs_in_with_a_second_factor() {
    let (site, _, phone) = Site::enrolled();
    let Page::Code { session, phones } = site.password(None) else {
        panic!("a token is in force");
    };
    assert_eq!(phones, ["phone"]);
    let wrong = phone.wrong_code(site.world.now()).expose().to_string();
    let refused = serve(second(site.app(), session.clone(), wrong, false)).unwrap_err();
    assert_eq!((refused.status, refused.name), (401, "mismatch"));

    let code = site.code(&phone);
    let (cookie, browser) = serve(second(site.app(), session.clone(), code, false)).unwrap();
    assert_eq!(browser, None);
    assert!(serve(danger(site.app(), cookie)).is_ok());

    let again = serve(second(site.app(), session, site.code(&phone), false)).unwrap_err();
    assert_eq!((again.status, again.name), (401, "invalid_session"));
    let typo = serve(second(site.app(), site.challenge(), "12345".into(), false)).unwrap_err();
    assert_eq!((typo.status, typo.name), (400, "malformed_factor"));
}

#[test]
fn a_web_application_shows_how_long_to_wait() {
    let (site, _, phone) = Site::enrolled();
    let session = site.challenge();
    let wrong = phone.wrong_code(site.world.now()).expose().to_string();
    let attempt = || serve(second(site.app(), session.clone(), wrong.clone(), false)).unwrap_err();
    let attempts = [attempt(), attempt(), attempt(), attempt()];
    assert_eq!(
        attempts.each_ref().map(|it| it.status),
        [401, 401, 401, 429]
    );
    let wait = Some(Duration::from_secs(5));
    assert_eq!(attempts.map(|it| it.retry_after), [None, None, wait, wait]);
}

#[test]
fn a_store_that_is_down_lets_nobody_in() {
    let (site, cookie, phone) = Site::enrolled();
    let session = site.challenge();
    let is_down = |down| {
        let flag = &site.app.store.is_down;
        flag.store(down, Ordering::SeqCst);
    };
    is_down(true);
    let code = site.code(&phone);
    let refused = serve(second(site.app(), session.clone(), code.clone(), false)).unwrap_err();
    assert_eq!((refused.status, refused.name), (503, "store"));
    let check = serve(danger(site.app(), cookie)).unwrap_err();
    assert_eq!(check.status, 503);
    is_down(false);
    assert!(serve(second(site.app(), session, code, false)).is_ok());
}

#[test]
fn a_web_application_requires_administrators_to_set_up() {
    let site = Site::new(true, LATER);
    let Page::SetUp { session, may_wait } = site.password(None) else {
        panic!("it is required");
    };
    assert!(!may_wait, "of an administrator it is required now");
    let (uri, session) = serve(set_up_first(site.app(), session)).unwrap();
    let code = site.code(&Site::scan(&uri));
    let cookie = serve(confirm_first(site.app(), session.clone(), code.clone())).unwrap();
    let double_click = serve(confirm_first(site.app(), session, code)).unwrap_err();
    assert_eq!(
        (double_click.status, double_click.name),
        (409, "already_verified")
    );
    let refused = serve(off(site.app(), cookie)).unwrap_err();
    assert_eq!((refused.status, refused.name), (403, "mfa_required"));
}

#[test]
fn a_login_steps_up_before_it_does_what_is_dangerous() {
    let (site, cookie, phone) = Site::enrolled();
    site.world.time.advance(60 * 60);
    let refused = [
        serve(danger(site.app(), cookie.clone())).unwrap_err().name,
        serve(off(site.app(), cookie.clone())).unwrap_err().name,
        serve(set_up(site.app(), cookie.clone(), "tablet".into()))
            .unwrap_err()
            .name,
    ];
    assert_eq!(refused, ["reauthentication_required"; 3]);
    serve(sudo(site.app(), cookie.clone(), site.code(&phone))).unwrap();
    assert_eq!(serve(danger(site.app(), cookie.clone())), Ok(()));
    assert_eq!(serve(off(site.app(), cookie)), Ok(()));
    assert!(matches!(site.password(None), Page::Welcome(_)));
}

#[test]
fn a_login_adds_a_phone_removes_one_and_replaces_a_lost_one() {
    let (site, cookie, phone) = Site::enrolled();
    let uri = serve(set_up(site.app(), cookie.clone(), "tablet".into())).unwrap();
    let tablet = Site::scan(&uri);
    let proven = serve(confirm(site.app(), cookie.clone(), site.code(&phone))).unwrap_err();
    assert_eq!(proven.name, "mismatch", "the phone proves no tablet");
    serve(confirm(site.app(), cookie.clone(), site.code(&tablet))).unwrap();

    let listed = serve(phones(site.app(), cookie.clone())).unwrap();
    let names: Vec<_> = listed.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["phone", "tablet"]);
    let third = serve(set_up(site.app(), cookie.clone(), "watch".into())).unwrap_err();
    assert_eq!((third.status, third.name), (409, "too_many_tokens"));

    let (lost, _) = listed[0].clone();
    let uri = serve(replace(site.app(), cookie.clone(), lost.clone())).unwrap();
    let watch = Site::scan(&uri);
    serve(confirm(site.app(), cookie.clone(), site.code(&watch))).unwrap();
    site.world.time.advance(30);
    let by_lost = serve(sudo(site.app(), cookie.clone(), site.code(&phone))).unwrap_err();
    assert_eq!(by_lost.name, "mismatch");
    assert_eq!(
        serve(remove(site.app(), cookie.clone(), lost)).unwrap_err(),
        Problem {
            status: 404,
            name: "no_such_token",
            retry_after: None
        }
    );
    serve(sudo(site.app(), cookie, site.code(&watch))).unwrap();
}

#[test]
fn a_recovery_code_signs_in_and_ends_other_logins() {
    let (site, cookie, _lost) = Site::enrolled();
    let codes = serve(recovery_codes(site.app(), cookie.clone())).unwrap();
    assert_eq!(codes.len(), 10);
    let (new, _) = serve(second(
        site.app(),
        site.challenge(),
        codes[0].to_lowercase(),
        true,
    ))
    .unwrap();
    assert_eq!(
        serve(danger(site.app(), cookie)).unwrap_err().name,
        "not_authorized"
    );

    let listed = serve(phones(site.app(), new.clone())).unwrap();
    let uri = serve(replace(site.app(), new.clone(), listed[0].0.clone())).unwrap();
    serve(confirm(site.app(), new, site.code(&Site::scan(&uri)))).unwrap();
}

#[test]
fn a_remembered_browser_is_asked_again_after_a_new_password() {
    let (site, _, phone) = Site::enrolled();
    let code = site.code(&phone);
    let (_, browser) = serve(second(site.app(), site.challenge(), code, true)).unwrap();
    let browser = browser.unwrap();
    let Page::Welcome(cookie) = site.password(Some(&browser)) else {
        panic!("the browser is remembered");
    };
    let check = serve(danger(site.app(), cookie)).unwrap_err();
    assert_eq!(check.name, "second_factor_required", "nothing was proven");

    let mut users = site.app.users.lock().unwrap();
    users.get_mut("u1").unwrap().password_version += 1;
    drop(users);
    assert!(matches!(site.password(Some(&browser)), Page::Code { .. }));
}

#[test]
fn a_flow_that_began_before_a_new_password_ends_with_it() {
    let (site, _, phone) = Site::enrolled();
    let session = site.challenge();
    let mut users = site.app.users.lock().unwrap();
    users.get_mut("u1").unwrap().password_version += 1;
    drop(users);
    let refused = serve(second(site.app(), session, site.code(&phone), false)).unwrap_err();
    assert_eq!(refused.name, "invalid_session");
}

#[test]
fn a_login_and_its_code_are_written_in_one_transaction_on_another_thread() {
    let (site, _, phone) = Site::enrolled();
    let session = site.challenge();
    let attempt = |typed| {
        serve(second_in_own_transaction(
            site.app(),
            session.clone(),
            typed,
        ))
    };
    let wrong = phone.wrong_code(site.world.now()).expose().to_string();
    assert_eq!(attempt(wrong).unwrap_err().name, "mismatch");
    assert_eq!(site.app.store.logins("u1"), 0);
    let report = site.app.mfa.status();
    let report = pollster::block_on(report.run(&site.app.store, "u1")).unwrap();
    assert_eq!(report.failures, 1, "the guess is counted, the login is not");

    let cookie = attempt(site.code(&phone)).unwrap();
    assert_eq!(site.app.store.logins("u1"), 1);
    assert!(serve(danger(site.app(), cookie)).is_ok());
    assert_eq!(
        attempt(site.code(&phone)).unwrap_err().name,
        "invalid_session"
    );
    assert_eq!(site.app.store.logins("u1"), 1);
}

#[test]
fn of_one_code_in_four_transactions_at_once_one_logs_in() {
    let (site, _, phone) = Site::enrolled();
    let code = site.code(&phone);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let attempt = second_in_own_transaction(site.app(), site.challenge(), code.clone());
            std::thread::spawn(move || pollster::block_on(attempt))
        })
        .collect();
    let answers: Vec<_> = threads.into_iter().map(|it| it.join().unwrap()).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    assert!(refused.clone().all(|problem| problem.name == "reused"));
    assert_eq!(site.app.store.logins("u1"), 1);
}

#[test]
fn a_grant_of_one_login_is_no_use_in_another_users_handler() {
    let (site, cookie, _) = Site::enrolled();
    let kept = site.app.logins.lock().unwrap()[&cookie].clone();
    let stolen = Grant::from_bytes(&kept, "u2").unwrap_err();
    let problem = Problem::from(stolen);
    assert_eq!((problem.status, problem.name), (500, "malformed_grant"));
}
