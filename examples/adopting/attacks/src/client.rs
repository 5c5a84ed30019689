//! Talks to a server: as its user, and as somebody who has the password.

use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;

use serde_json::{Value, json};
use softtoken::UnixTime;
use softtoken::totp::{Secret, Totp, Verifier};

use crate::server::{Server, Which};

/// Holds a user who has signed up, and what belongs to the user.
pub(crate) struct Scene {
    pub(crate) server: Server,
    agent: ureq::Agent,
}

/// Holds an authenticator app.
pub(crate) struct Phone(Verifier);

/// Holds a user's login.
#[derive(Clone)]
pub(crate) struct Login(pub(crate) String);

/// Holds the first half of a sign-in: the password was right, the code is missing.
#[derive(Clone)]
pub(crate) struct Half(String);

/// Holds what a server answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Says in how many seconds to come back.
    pub(crate) retry_after: Option<u64>,
    /// Holds the JSON, or the text where it is none.
    pub(crate) body: Value,
}

pub(crate) enum Begun {
    Half(Half),
    Whole(Login),
}

impl Scene {
    /// Starts a server, at which a user has signed up.
    pub(crate) fn new(which: Which) -> Self {
        // A server may close the connection of a request whose body it has not read.
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(0);
        let scene = Self {
            server: Server::start(which),
            agent: config.build().into(),
        };
        let signed_up = scene.send("POST", "/sign-up", None, &credentials());
        assert_eq!(signed_up.status, 200, "the user signs up");
        scene
    }

    /// Starts a server, at which a user has a phone, and waits until its next code.
    pub(crate) fn enrolled(which: Which) -> (Self, Phone, Login) {
        let scene = Self::new(which);
        let (phone, login) = scene.enrol();
        scene.server.wait(90);
        (scene, phone, login)
    }

    pub(crate) fn enrol(&self) -> (Phone, Login) {
        let Begun::Whole(login) = self.log_in() else {
            panic!("nothing guards the account yet");
        };
        let phone = self.associate(&login).expect("a phone is set up");
        let verified = self.verify(&login, &self.code(&phone));
        assert_eq!(verified.status, 200, "the first code is right");
        (phone, login)
    }

    /// Types the password.
    pub(crate) fn log_in(&self) -> Begun {
        let Answer { status, body, .. } = self.send("POST", "/login", None, &credentials());
        assert_eq!(status, 200, "the password is right");
        match (body["step"].as_str(), body["login"].as_str()) {
            (Some(step), None) => Begun::Half(Half(step.into())),
            (None, Some(login)) => Begun::Whole(Login(login.into())),
            _ => panic!("neither a step nor a login: {body}"),
        }
    }

    /// Types the password of a user who has a phone.
    pub(crate) fn half(&self) -> Half {
        match self.log_in() {
            Begun::Half(half) => half,
            Begun::Whole(_) => panic!("a code is asked for"),
        }
    }

    /// Answers with a code, or with a recovery code.
    pub(crate) fn answer(&self, half: &Half, code: &str) -> Answer {
        let body = json!({ "step": half.0, "code": code });
        self.send("POST", "/login/code", None, &body)
    }

    /// Returns whether password and code give a login.
    pub(crate) fn signs_in(&self, code: &str) -> bool {
        match self.log_in() {
            Begun::Half(half) => self.answer(&half, code).status == 200,
            Begun::Whole(_) => true,
        }
    }

    pub(crate) fn sign_in(&self, code: &str) -> Login {
        let answer = self.answer(&self.half(), code);
        assert_eq!(answer.status, 200, "the owner signs in");
        Login::of(&answer)
    }

    pub(crate) fn associate(&self, login: &Login) -> Option<Phone> {
        let issued = self.send("POST", "/second-factor", Some(login), &Value::Null);
        let Answer { status, body, .. } = issued;
        (status == 200).then(|| Phone::new(body["secret"].as_str().expect("a secret")))
    }

    pub(crate) fn verify(&self, login: &Login, code: &str) -> Answer {
        let body = json!({ "code": code });
        self.send("PUT", "/second-factor", Some(login), &body)
    }

    /// Turns the second factor off. Returns whether it is off.
    pub(crate) fn remove(&self, login: &Login) -> bool {
        let removed = self.send("DELETE", "/second-factor", Some(login), &Value::Null);
        removed.status == 200
    }

    /// Returns whether the login opens the account.
    pub(crate) fn opens(&self, login: &Login) -> bool {
        self.send("GET", "/me", Some(login), &Value::Null).status == 200
    }

    /// Returns the code that the phone shows.
    pub(crate) fn code(&self, phone: &Phone) -> String {
        self.code_in(phone, 0)
    }

    /// Returns the code that the phone shows so many steps from now.
    pub(crate) fn code_in(&self, phone: &Phone, steps: i64) -> String {
        let now = UnixTime::from_secs(self.server.now());
        let step = Totp::STANDARD.step(now).saturating_offset(steps);
        phone.0.code(step).expose().to_string()
    }

    /// Returns codes that the phone shows at none of the steps near now.
    pub(crate) fn wrong_codes(&self, phone: &Phone) -> impl Iterator<Item = String> {
        let near: Vec<_> = (-12..12).map(|steps| self.code_in(phone, steps)).collect();
        (0..1_000_000)
            .map(|code| format!("{code:06}"))
            .filter(move |code| !near.contains(code))
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        login: Option<&Login>,
        body: &Value,
    ) -> Answer {
        let bearer = login.map(|Login(token)| format!("Bearer {token}"));
        self.send_text(method, path, bearer.as_deref(), &body.to_string())
    }

    /// Sends a body that may be no JSON, and a header that may name no login.
    pub(crate) fn send_text(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: &str,
    ) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(self.server.url(path))
            .header("content-type", "application/json");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(body.to_owned()).expect("a request");
        let mut answer = self.agent.run(request).expect("the server answers");
        let text = answer.body_mut().read_to_string().expect("text");
        let status = answer.status().as_u16();
        assert!(status < 500, "the server failed: {text}");
        let retry_after = answer.headers().get("retry-after");
        let seconds = retry_after.map(|header| header.to_str().expect("text").parse());
        Answer {
            status,
            retry_after: seconds.map(|seconds| seconds.expect("seconds")),
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }

    /// Sends the head of a request with a body, and waits until the server asks for the body.
    /// Returns what sends it, which returns the status.
    pub(crate) fn hold(
        &self,
        method: &str,
        path: &str,
        login: &Login,
        body: &Value,
    ) -> impl FnOnce() -> u16 {
        let body = body.to_string();
        let address = self.server.address();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\
             connection: close\r\n\r\n",
            login.0,
            body.len()
        );
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(head.as_bytes()).expect("it is sent");
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).expect("an answer");
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        // A server may ask for the body before it has looked at the login.
        thread::sleep(Duration::from_millis(300));
        move || {
            stream.write_all(body.as_bytes()).expect("it is sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            let status = answer.split(' ').nth(1).expect("a status line");
            status.parse().expect("a status")
        }
    }
}

impl Answer {
    pub(crate) fn recovery_codes(&self) -> Vec<String> {
        let codes = self.body["recovery_codes"].as_array();
        let codes = codes.expect("recovery codes").iter();
        codes
            .map(|code| code.as_str().expect("text").into())
            .collect()
    }
}

impl Phone {
    fn new(secret: &str) -> Self {
        let secret = Secret::from_base32(secret).expect("a secret");
        Self(Verifier::new(&secret, Totp::STANDARD))
    }
}

impl Login {
    pub(crate) fn of(answer: &Answer) -> Self {
        Self(answer.body["login"].as_str().expect("a login").into())
    }
}

impl Half {
    /// Shows the first half of a sign-in where a login belongs.
    pub(crate) fn as_login(&self) -> Login {
        Login(self.0.clone())
    }
}

pub(crate) fn credentials() -> Value {
    json!({ "user": "alice", "password": "correct horse" })
}
