//! Runs the server in this process, with a clock of its own, and browsers and phones around it.

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
use core::task::Poll;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use softtoken::UnixTime;
use softtoken::totp::{KeyUri, Totp, Verifier};
use softtoken_axum_example::{App, server};
use tokio::sync::oneshot;
use tower::ServiceExt as _;

pub(crate) const PASSWORD: &str = "four plain words of mine";

/// Holds a server. Its clock begins now, since sessions run out by the real one.
pub(crate) struct World {
    pub(crate) app: App,
    router: Router,
    clock: Arc<AtomicU64>,
    stop: Arc<Mutex<Option<Stop>>>,
    folder: tempfile::TempDir,
}

/// Stops the request that reads the clock for the last of so many times.
struct Stop {
    readings: u32,
    stopped: oneshot::Sender<()>,
    go_on: mpsc::Receiver<()>,
}

/// Holds a request that has stopped, or will.
pub(crate) struct Stopped {
    stopped: oneshot::Receiver<()>,
    go_on: mpsc::Sender<()>,
}

impl Stopped {
    /// Waits until the request has stopped.
    pub(crate) async fn has_stopped(&mut self) {
        (&mut self.stopped).await.unwrap();
    }

    /// Lets it go on.
    pub(crate) fn go_on(self) {
        self.go_on.send(()).unwrap();
    }
}

/// Stops here, where it is this reading of the clock.
fn read(stop: &Mutex<Option<Stop>>) {
    let due = {
        let mut stop = stop.lock().unwrap();
        if let Some(stop) = stop.as_mut() {
            stop.readings -= 1;
        }
        stop.take_if(|stop| stop.readings == 0)
    };
    if let Some(stop) = due {
        stop.stopped.send(()).unwrap();
        tokio::task::block_in_place(|| stop.go_on.recv().unwrap());
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::served(false).await
    }

    /// Starts a server that is reached by TLS, if so.
    pub(crate) async fn served(is_secure: bool) -> Self {
        let clock = std::time::SystemTime::now();
        let clock = UnixTime::from(clock).as_secs();
        let clock = Arc::new(AtomicU64::new(clock));
        Self::at(tempfile::tempdir().unwrap(), clock, is_secure).await
    }

    async fn at(folder: tempfile::TempDir, clock: Arc<AtomicU64>, is_secure: bool) -> Self {
        let stop = Arc::<Mutex<Option<Stop>>>::default();
        let (now, reading) = (Arc::clone(&clock), Arc::clone(&stop));
        let now = move || {
            read(&reading);
            Some(UnixTime::from_secs(now.load(SeqCst)))
        };
        let app = App::open(folder.path(), is_secure, now).await.unwrap();
        Self {
            router: server(app.clone()),
            app,
            clock,
            stop,
            folder,
        }
    }

    /// Has the next request stop where it reads the clock for the last of so many times.
    pub(crate) fn stop_at(&self, readings: u32) -> Stopped {
        let (sender, stopped) = oneshot::channel();
        let (go_on, receiver) = mpsc::channel();
        *self.stop.lock().unwrap() = Some(Stop {
            readings,
            stopped: sender,
            go_on: receiver,
        });
        Stopped { stopped, go_on }
    }

    /// Starts the server anew, on what it has kept.
    pub(crate) async fn restarted(self) -> Self {
        Self::at(self.folder, self.clock, false).await
    }

    pub(crate) fn wait(&self, seconds: u64) {
        self.clock.fetch_add(seconds, SeqCst);
    }

    /// Waits until no code that was shown is good any more.
    pub(crate) fn next_code(&self) {
        self.wait(60);
    }

    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.clock.load(SeqCst))
    }

    /// Signs the first user up, who administers the others, with a phone.
    pub(crate) async fn administrator(&self) -> (Browser, Phone) {
        let mut browser = Browser::default();
        browser.sign_up(self, "root@example.com").await;
        browser
            .post(self, "/sign-in/set-up", &[("name", "phone")])
            .await;
        let phone = Phone::scanning(&browser.body);
        let code = phone.code(self);
        browser
            .post(self, "/sign-in/set-up/confirm", &[("code", &code)])
            .await;
        assert_eq!(browser.location(), "/account/recovery-codes?notice=set-up");
        (browser, phone)
    }

    /// Signs a user up without a second factor. There has to be an administrator already.
    pub(crate) async fn user(&self, email: &str) -> Browser {
        let mut browser = Browser::default();
        browser.sign_up(self, email).await;
        assert_eq!(browser.location(), "/account");
        browser
    }

    /// Signs a user up, with a phone.
    pub(crate) async fn enrolled(&self, email: &str) -> (Browser, Phone) {
        let mut browser = self.user(email).await;
        let phone = browser.set_up(self, "phone").await;
        (browser, phone)
    }

    /// Returns the id of a user.
    pub(crate) async fn id(&self, email: &str) -> String {
        sqlx::query_scalar("SELECT id FROM users WHERE email = ?")
            .bind(email)
            .fetch_one(self.app.pool())
            .await
            .unwrap()
    }

    /// Returns the subjects of the mail to this address.
    pub(crate) async fn mail(&self, email: &str) -> Vec<String> {
        sqlx::query_scalar("SELECT subject FROM mail WHERE email = ? ORDER BY id")
            .bind(email)
            .fetch_all(self.app.pool())
            .await
            .unwrap()
    }
}

/// Holds an authenticator app with one entry.
pub(crate) struct Phone(KeyUri);

impl Phone {
    /// Reads the key of a page's link.
    pub(crate) fn scanning(page: &str) -> Self {
        let start = page.find("otpauth://").expect("the page shows a key");
        let end = start + page[start..].find('"').unwrap();
        let uri = page[start..end].replace("&#38;", "&").replace("&amp;", "&");
        Self(KeyUri::parse(&uri).unwrap())
    }

    pub(crate) fn code(&self, world: &World) -> String {
        self.code_ahead(world, 0)
    }

    /// Returns the code of a phone whose clock is so many steps ahead.
    pub(crate) fn code_ahead(&self, world: &World, steps: i64) -> String {
        let verifier = Verifier::new(self.0.secret(), Totp::STANDARD);
        let step = Totp::STANDARD.step(world.now());
        let code = verifier.code(step.saturating_offset(steps));
        code.expose().to_string()
    }

    /// Returns a code that the phone shows neither now nor soon.
    pub(crate) fn wrong(&self, world: &World) -> String {
        let verifier = Verifier::new(self.0.secret(), Totp::STANDARD);
        let step = Totp::STANDARD.step(world.now());
        let shown: Vec<String> = (-5..=5)
            .map(|by| {
                verifier
                    .code(step.saturating_offset(by))
                    .expose()
                    .to_string()
            })
            .collect();
        let mut codes = (0..).map(|number| format!("{number:06}"));
        codes.find(|code| !shown.contains(code)).unwrap()
    }
}

/// Holds a browser: its cookies, and the last answer.
#[derive(Default, Clone)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) async fn get(&mut self, world: &World, path: &str) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.send(world, request).await;
    }

    pub(crate) async fn post(&mut self, world: &World, path: &str, fields: &[(&str, &str)]) {
        self.send(world, form(path, fields)).await;
    }

    pub(crate) async fn send(&mut self, world: &World, request: Request<Body>) {
        let response = world.router.clone().oneshot(self.sent(request));
        let (parts, body) = response.await.unwrap().into_parts();
        for cookie in parts.headers.get_all(SET_COOKIE) {
            let text = cookie.to_str().unwrap();
            let (name, rest) = text.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() || text.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = body.collect().await.unwrap().to_bytes();
        (self.status, self.headers) = (parts.status, parts.headers);
        self.body = String::from_utf8(body.to_vec()).unwrap();
    }

    /// Sends a form, and hangs up before there is an answer.
    pub(crate) async fn hang_up(&self, world: &World, path: &str, fields: &[(&str, &str)]) {
        let mut response = Box::pin(world.router.clone().oneshot(self.sent(form(path, fields))));
        let first = core::future::poll_fn(|context| Poll::Ready(response.as_mut().poll(context)));
        assert!(first.await.is_pending());
    }

    /// Adds what a browser sends with every request.
    fn sent(&self, mut request: Request<Body>) -> Request<Body> {
        let cookies = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        request
            .headers_mut()
            .insert(COOKIE, cookies.parse().unwrap());
        request
            .headers_mut()
            .insert(HOST, "localhost".parse().unwrap());
        request
    }

    /// Returns where the last answer leads.
    pub(crate) fn location(&self) -> &str {
        let location = self.headers.get(LOCATION);
        location.map_or_else(|| self.body.as_str(), |location| location.to_str().unwrap())
    }

    /// Returns whether the last page says this.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    pub(crate) async fn sign_up(&mut self, world: &World, email: &str) {
        let fields = [("email", email), ("password", PASSWORD)];
        self.post(world, "/sign-up", &fields).await;
    }

    pub(crate) async fn password(&mut self, world: &World, email: &str) {
        let fields = [("email", email), ("password", PASSWORD)];
        self.post(world, "/sign-in", &fields).await;
    }

    /// Signs in with password and code.
    pub(crate) async fn sign_in(&mut self, world: &World, email: &str, phone: &Phone) {
        self.password(world, email).await;
        assert_eq!(self.location(), "/sign-in/code");
        let code = phone.code(world);
        self.post(world, "/sign-in/code", &[("code", &code)]).await;
        assert_eq!(self.location(), "/account");
    }

    /// Signs in with password and code, and is remembered.
    pub(crate) async fn sign_in_for_good(&mut self, world: &World, email: &str, phone: &Phone) {
        self.password(world, email).await;
        let code = phone.code(world);
        let fields = [("code", code.as_str()), ("remember", "yes")];
        self.post(world, "/sign-in/code", &fields).await;
    }

    /// Shows a QR code within a login to a phone that is to be set up.
    pub(crate) async fn scan(&mut self, world: &World, name: &str) -> Phone {
        self.post(world, "/account/authenticators/new", &[("name", name)])
            .await;
        Phone::scanning(&self.body)
    }

    /// Sets up a phone within a login.
    pub(crate) async fn set_up(&mut self, world: &World, name: &str) -> Phone {
        let phone = self.scan(world, name).await;
        let code = phone.code(world);
        self.post(world, "/account/authenticators/confirm", &[("code", &code)])
            .await;
        assert_eq!(self.location(), "/account/recovery-codes?notice=set-up");
        phone
    }

    /// Makes recovery codes.
    pub(crate) async fn recovery_codes(&mut self, world: &World) -> Vec<String> {
        self.post(world, "/account/recovery-codes", &[]).await;
        let codes = self.body.split("<li><code>").skip(1);
        let codes: Vec<String> = codes
            .map(|rest| rest.split("</code>").next().unwrap().to_owned())
            .collect();
        assert_eq!(codes.len(), 10);
        codes
    }

    /// Makes a code for a user, as an administrator, that signs in once.
    pub(crate) async fn temporary_code(&mut self, world: &World, id: &str) -> String {
        let path = format!("/admin/users/{id}/temporary-code");
        self.post(world, &path, &[]).await;
        let mut parts = self.body.split("<p class=\"key\" id=\"code\"><code>");
        let code = parts.nth(1).expect("the page shows a code");
        code.split('<').next().unwrap().to_owned()
    }

    pub(crate) async fn step_up(&mut self, world: &World, phone: &Phone) {
        let code = phone.code(world);
        self.post(world, "/account/step-up", &[("code", &code)])
            .await;
        assert_eq!(self.location(), "/account");
    }

    /// Returns the path of the first authenticator of the account.
    pub(crate) async fn authenticator(&mut self, world: &World) -> String {
        self.get(world, "/account").await;
        let links = self.body.split("href=\"").skip(1);
        let mut links = links.map(|rest| rest.split('"').next().unwrap());
        let is_one =
            |link: &&str| link.starts_with("/account/authenticators/") && !link.ends_with("/new");
        links
            .find(is_one)
            .expect("there is an authenticator")
            .to_owned()
    }
}

fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let body = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)));
    Request::post(path)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(body.collect::<Vec<_>>().join("&")))
        .unwrap()
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
