//! A server in this process, its clock in the test's hands, and a client that knows nothing of it.

mod client;
mod srp;

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::JoinHandle;

use serde_json::{Value, json};
use softtoken::UnixTime;
use softtoken::totp::{Secret, Totp, Verifier};
use softtoken_cognito::{Server, ServerBuilder, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) use client::{Client, Reply};
pub(crate) use srp::{SrpClient, modulus};

pub(crate) const OPTIONAL: Pool = Pool {
    id: "local_optional1",
    client: "optional1client00000000000",
    user: "otto",
};
pub(crate) const REQUIRED: Pool = Pool {
    id: "local_required1",
    client: "required1client00000000000",
    user: "rosa",
};
pub(crate) const OFF: Pool = Pool {
    id: "local_off000001",
    client: "off000001client00000000000",
    user: "olga",
};
pub(crate) const PASSWORD: &str = "Correct-Horse-1";

/// A pool that stands ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pool {
    pub(crate) id: &'static str,
    pub(crate) client: &'static str,
    pub(crate) user: &'static str,
}

pub(crate) struct World {
    client: Client,
    now: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<std::io::Result<()>>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// A server that was built otherwise; its clock is the test's all the same.
    pub(crate) fn with(build: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let now = Arc::new(AtomicU64::new(1_700_000_000));
        let clock = now.clone();
        let builder =
            Server::builder().clock(move || Some(UnixTime::from_secs(clock.load(SeqCst))));
        let server = build(builder).build().expect("it starts");
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            tokio::runtime::Runtime::new()?.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                tell.send(listener.local_addr()?).expect("the test waits");
                serve(server, listener, async {
                    stopped.await.expect("told before the world ends");
                })
                .await
            })
        });
        Self {
            client: Client::at(format!("http://{}", told.recv().expect("it listens"))),
            now,
            stop: Some(stop),
            served: Some(thread),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(SeqCst)
    }

    pub(crate) fn wait(&self, seconds: u64) {
        self.now.fetch_add(seconds, SeqCst);
    }

    pub(crate) fn go_back(&self, seconds: u64) {
        self.now.fetch_sub(seconds, SeqCst);
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn call(&self, operation: &str, members: &Value) -> Reply {
        self.client.call(operation, members)
    }

    /// The answer to what must succeed.
    #[track_caller]
    pub(crate) fn done(&self, operation: &str, members: &Value) -> Value {
        let reply = self.call(operation, members);
        assert_eq!(reply.status, 200, "{operation}: {}", reply.body);
        reply.body
    }

    /// The exception of what must be refused, with a 400 and the same name in body and header.
    #[track_caller]
    pub(crate) fn refused(&self, operation: &str, members: &Value) -> String {
        let reply = self.call(operation, members);
        assert_eq!(reply.status, 400, "{operation}: {}", reply.body);
        let kind = reply.body["__type"].as_str().expect("a type").to_owned();
        assert_eq!(reply.error_type.as_ref(), Some(&kind));
        assert!(reply.body["message"].is_string());
        kind
    }

    /// Signs in by password.
    #[track_caller]
    pub(crate) fn sign_in(&self, pool: Pool) -> Value {
        self.done("InitiateAuth", &by_password(pool, pool.user, PASSWORD))
    }

    /// The access token of a sign-in that asks for nothing else.
    #[track_caller]
    pub(crate) fn access_token(&self, pool: Pool) -> String {
        text(&self.sign_in(pool), "/AuthenticationResult/AccessToken")
    }

    /// What an authenticator shows at this moment.
    pub(crate) fn code(&self, secret: &str) -> String {
        self.code_after(secret, 0)
    }

    /// What an authenticator shows so many steps later.
    pub(crate) fn code_after(&self, secret: &str, steps: i64) -> String {
        let secret = Secret::from_base32(secret).expect("base32");
        let step = Totp::STANDARD.step(UnixTime::from_secs(self.now()));
        let code = Verifier::new(&secret, Totp::STANDARD).code(step.saturating_offset(steps));
        code.expose().to_string()
    }

    /// A code that none of the steps around now has.
    pub(crate) fn wrong_code(&self, secret: &str) -> String {
        let near: Vec<_> = (-2..=2)
            .map(|steps| self.code_after(secret, steps))
            .collect();
        let wrong = (0..6)
            .map(|n| format!("{n:06}"))
            .find(|code| !near.contains(code));
        wrong.expect("six codes are not all among five")
    }

    /// Answers a challenge for a code.
    pub(crate) fn respond(&self, pool: Pool, session: &str, code: &str) -> Reply {
        self.call(
            "RespondToAuthChallenge",
            &json!({
                "ClientId": pool.client, "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": session,
                "ChallengeResponses": { "USERNAME": pool.user, "SOFTWARE_TOKEN_MFA_CODE": code },
            }),
        )
    }

    /// Enrols the pool's user by access token; the secret.
    #[track_caller]
    pub(crate) fn enrol(&self, pool: Pool) -> String {
        let token = self.access_token(pool);
        let secret = text(
            &self.done("AssociateSoftwareToken", &json!({ "AccessToken": token })),
            "/SecretCode",
        );
        let verify = json!({ "AccessToken": token, "UserCode": self.code(&secret), "FriendlyDeviceName": "phone" });
        assert_eq!(
            self.done("VerifySoftwareToken", &verify),
            json!({ "Status": "SUCCESS" })
        );
        let prefer = json!({
            "AccessToken": token, "SoftwareTokenMfaSettings": { "Enabled": true, "PreferredMfa": true },
        });
        assert_eq!(self.done("SetUserMFAPreference", &prefer), json!({}));
        self.wait(30);
        secret
    }

    /// Ends the server, and waits for it.
    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).expect("it serves");
        }
        if let Some(thread) = self.served.take() {
            thread.join().expect("no panic").expect("it ends well");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

pub(crate) fn by_password(pool: Pool, user: &str, password: &str) -> Value {
    json!({
        "ClientId": pool.client, "AuthFlow": "USER_PASSWORD_AUTH",
        "AuthParameters": { "USERNAME": user, "PASSWORD": password },
    })
}

/// The text at this JSON pointer.
#[track_caller]
pub(crate) fn text(body: &Value, pointer: &str) -> String {
    let found = body.pointer(pointer).and_then(Value::as_str);
    found
        .unwrap_or_else(|| panic!("no {pointer} in {body}"))
        .to_owned()
}

/// `SECRET_HASH`.
pub(crate) fn secret_hash(secret: &str, username: &str, client: &str) -> String {
    use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
    use base64::Engine as _;

    let key = Key::new(HMAC_SHA256, secret.as_bytes());
    base64::prelude::BASE64_STANDARD.encode(sign(&key, format!("{username}{client}").as_bytes()))
}
