//! Plays the server of examples/cognito in this process, over the loopback interface.
//!
//! An input is an operation's name in its first line and a body in the rest; one that begins with `>` goes over the wire
//! as it stands after that. Before a body is sent, `@token@` in it becomes an access token that is valid, and
//! `@session@` the session of a challenge: nobody can guess either.

use core::cell::RefCell;
use core::future::pending;
use core::net::SocketAddr;
use core::time::Duration;

use serde_json::{Value, json};
use softtoken::UnixTime;
use softtoken_cognito::{Server, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::world::START;

/// After so many inputs a new server begins: they make users, and end the login that `@token@` is of.
const INPUTS: u32 = 2_000;
/// More than any answer needs, hashed passwords and a busy machine included.
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    runtime: Runtime,
    address: SocketAddr,
    token: String,
    session: String,
    inputs: u32,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Sends a request. Every one has an answer, which is no failure of the server's; bytes that are no request end the
/// connection.
pub fn http(data: &[u8]) {
    WORLD.with_borrow_mut(|world| {
        if world.as_ref().is_none_or(|world| world.inputs == INPUTS) {
            *world = Some(World::new());
        }
        let world = world.as_mut().expect("it was made");
        world.inputs += 1;
        match data.strip_prefix(b">") {
            Some(raw) => world.raw(raw),
            None => world.operation(data),
        }
    });
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime starts");
        let server = Server::builder()
            .clock(|| Some(UnixTime::from_secs(START)))
            .build();
        let server = server.expect("the server is made");
        let seeded = server.seeded().to_vec();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        runtime.spawn(serve(server, listener, pending()));
        let mut world = Self {
            runtime,
            address,
            token: String::new(),
            session: String::new(),
            inputs: 0,
        };
        let sign_in = |mfa: &str| {
            let pool = seeded
                .iter()
                .find(|pool| pool.mfa == mfa)
                .expect("it is seeded");
            let body = json!({
                "ClientId": pool.client_id, "AuthFlow": "USER_PASSWORD_AUTH",
                "AuthParameters": { "USERNAME": pool.username, "PASSWORD": pool.password },
            });
            let (status, body) = world.answer("InitiateAuth", &body.to_string());
            assert_eq!(status, 200, "{body}");
            body
        };
        let text = |body: &Value, path: &str| {
            body.pointer(path)
                .and_then(Value::as_str)
                .expect("it is there")
                .to_owned()
        };
        let token = text(&sign_in("OPTIONAL"), "/AuthenticationResult/AccessToken");
        let session = text(&sign_in("ON"), "/Session");
        world.token = token;
        world.session = session;
        world
    }

    /// Sends these bytes, and nothing after them.
    fn raw(&self, request: &[u8]) {
        let answer = self.sent(request, true);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."));
        assert!(
            !answer.starts_with(b"HTTP/1.1 5"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }

    /// Asks for an operation, in a request that is sound but for what the input says.
    fn operation(&self, data: &[u8]) {
        let text = String::from_utf8_lossy(data);
        let (name, body) = text.split_once('\n').unwrap_or((&text, ""));
        // What may stand in a header.
        if !name.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return;
        }
        let body = body
            .replace("@token@", &self.token)
            .replace("@session@", &self.session);
        let (status, body) = self.answer(name, &body);
        assert!(
            matches!(status, 200 | 400),
            "{name} was answered by {status}: {body}"
        );
        assert!(body.is_object());
    }

    fn answer(&self, name: &str, body: &str) -> (u16, Value) {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             x-amz-target: AWSCognitoIdentityProviderService.{name}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = self.sent(&[head.as_bytes(), body.as_bytes()].concat(), false);
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let body = serde_json::from_str(body).expect("JSON");
        (status.expect("a status"), body)
    }

    /// Returns all that comes back until the server ends the connection.
    fn sent(&self, request: &[u8], ends: bool) -> Vec<u8> {
        let exchange = async {
            let mut connection = TcpStream::connect(self.address).await.expect("it listens");
            let mut answer = Vec::new();
            // The server may end a connection before it has read all of what is none of its requests.
            let _ = connection.write_all(request).await;
            if ends {
                let _ = connection.shutdown().await;
            }
            let _ = connection.read_to_end(&mut answer).await;
            answer
        };
        let exchange = async { tokio::time::timeout(PATIENCE, exchange).await };
        self.runtime
            .block_on(exchange)
            .expect("the server ends every connection")
    }
}
