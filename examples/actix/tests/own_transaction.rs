//! Shows that the row of a login and its second factor are stored together, or not at all.

use core::sync::atomic::{AtomicU64, Ordering};
use std::fs;
use std::sync::Arc;

use actix_web::App;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, init_service, read_body};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use serde_json::{Value, json};
use softtoken::totp::{Secret, Totp, Verifier};
use softtoken::{Context, Mfa, OsEntropy, Policy, SessionKeys, UnixTime};
use softtoken_actix_example::Api;

struct Server {
    folder: tempfile::TempDir,
    database: SqliteConnection,
    now: Arc<AtomicU64>,
    api: Api,
}

impl Server {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("accounts.db");
        let file = file.to_str().expect("UTF-8");
        let now = Arc::new(AtomicU64::new(1_800_000_000));
        let clock = Arc::clone(&now);
        let clock = move || Some(UnixTime::from_secs(clock.load(Ordering::SeqCst)));
        let mfa = Mfa::new(Policy::STANDARD, clock, OsEntropy).with_sessions(
            SessionKeys::generate(1, &OsEntropy).expect("keys"),
            Context::new("web").expect("a context"),
        );
        let api = Api::open(file, mfa).expect("a database");
        let database = SqliteConnection::establish(file).expect("the same database");
        Self {
            folder,
            database,
            now,
            api,
        }
    }

    fn code(&self, secret: &str) -> String {
        let secret = Secret::from_base32(secret).expect("a secret");
        let now = UnixTime::from_secs(self.now.load(Ordering::SeqCst));
        let phone = Verifier::new(&secret, Totp::STANDARD);
        phone.code(Totp::STANDARD.step(now)).expose().to_string()
    }

    /// Makes the database refuse such a statement on a table, from now on.
    fn refuse(&mut self, statement: &str, table: &str) {
        let trigger = format!(
            "CREATE TRIGGER refused BEFORE {statement} ON {table}
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        );
        self.database.batch_execute(&trigger).expect("a trigger");
    }

    fn relent(&mut self) {
        let dropped = self.database.batch_execute("DROP TRIGGER refused");
        dropped.expect("the trigger was there");
    }
}

/// Sends JSON to an application. Returns status and body, which is text where it is no JSON.
macro_rules! send {
    ($app:ident, $method:ident $path:literal, $login:expr, $body:tt) => {{
        let request = TestRequest::with_uri($path)
            .method(Method::$method)
            .insert_header(("authorization", format!("Bearer {}", $login)))
            .set_json(json!($body));
        let answer = request.send_request(&$app).await;
        let status = answer.status();
        let body = read_body(answer).await;
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        let body: Value = serde_json::from_slice(&body).unwrap_or_else(|_| text());
        (status, body)
    }};
}

#[actix_web::test]
async fn a_code_is_spent_with_the_row_of_its_login_or_not_at_all() {
    let mut server = Server::new();
    let api = server.api.clone();
    let app = init_service(App::new().configure(|config| api.routes(config))).await;
    let user = json!({ "user": "alice", "password": "correct horse" });
    send!(app, POST "/sign-up", "", user);
    let (_, begun) = send!(app, POST "/login", "", user);
    let login = begun["login"].as_str().expect("a login");
    let (_, issued) = send!(app, POST "/second-factor", login, null);
    let secret = issued["secret"].as_str().expect("a secret");

    // The phone is in force with the renewed grant of the login, or not at all.
    let code = server.code(secret);
    server.refuse("UPDATE", "logins");
    let (failed, body) = send!(app, PUT "/second-factor", login, { "code": code });
    assert_eq!(failed, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(body, json!("the server failed"));
    let (_, begun) = send!(app, POST "/login", "", user);
    assert!(begun["login"].is_string(), "nothing is in force");
    server.relent();
    // The phone is in force, and the recovery codes are not there: they are asked for again.
    server.refuse("UPDATE", "softtoken WHEN NEW.revision > 2");
    let (failed, _) = send!(app, PUT "/second-factor", login, { "code": code });
    assert_eq!(failed, StatusCode::INTERNAL_SERVER_ERROR);
    server.relent();
    let (issued, body) = send!(app, POST "/recovery-codes", login, null);
    assert_eq!(issued, StatusCode::OK, "{body}");
    let codes = body["recovery_codes"].as_array().map(Vec::len);
    assert_eq!(codes, Some(10));

    server.now.fetch_add(30, Ordering::SeqCst);
    let (_, begun) = send!(app, POST "/login", "", user);
    let step = begun["step"].as_str().expect("a code is asked for");
    let answer = json!({ "step": step, "code": server.code(secret) });
    // Neither the row of a login that is refused nor the record of a code is a wrong code.
    for (statement, table) in [("INSERT", "logins"), ("UPDATE", "softtoken")] {
        server.refuse(statement, table);
        let (failed, body) = send!(app, POST "/login/code", "", answer);
        assert_eq!(failed, StatusCode::INTERNAL_SERVER_ERROR, "{table}");
        // No login, and nothing of what the database said.
        assert_eq!(body, json!("the server failed"), "{table}");
        server.relent();
    }
    let (signed_in, _) = send!(app, POST "/login/code", "", answer);
    assert_eq!(signed_in, StatusCode::OK);
}

/// Another request ends every login in the moment in which one of them changes the second factor.
#[actix_web::test]
async fn a_login_that_is_ended_meanwhile_changes_nothing() {
    let mut server = Server::new();
    let api = server.api.clone();
    let app = init_service(App::new().configure(|config| api.routes(config))).await;
    let user = json!({ "user": "alice", "password": "correct horse" });
    send!(app, POST "/sign-up", "", user);
    let (_, begun) = send!(app, POST "/login", "", user);
    let login = begun["login"].as_str().expect("a login");
    let (_, issued) = send!(app, POST "/second-factor", login, null);
    let code = server.code(issued["secret"].as_str().expect("a secret"));

    macro_rules! ended {
        ($method:ident $path:literal $body:tt) => {
            let ends = "CREATE TRIGGER ends AFTER UPDATE ON softtoken
                        BEGIN DELETE FROM logins; END";
            server.database.batch_execute(ends).expect("a trigger");
            let refused = send!(app, $method $path, login, $body);
            let unauthorized = (StatusCode::UNAUTHORIZED, json!("unauthorized"));
            assert_eq!(refused, unauthorized, $path);
            // What was undone with the rest can be done by a login that is there.
            let dropped = server.database.batch_execute("DROP TRIGGER ends");
            dropped.expect("the trigger was there");
            let (done, body) = send!(app, $method $path, login, $body);
            assert_eq!(done, StatusCode::OK, "{body}");
        };
    }
    ended!(PUT "/second-factor" { "code": code });
    ended!(POST "/second-factor" null);
    ended!(POST "/recovery-codes" null);
    ended!(DELETE "/second-factor" null);
}

/// Shows that who reads the database has nobody's login.
#[actix_web::test]
async fn of_a_token_and_a_password_the_database_holds_hashes_alone() {
    let server = Server::new();
    let api = server.api.clone();
    let app = init_service(App::new().configure(|config| api.routes(config))).await;
    let user = json!({ "user": "alice", "password": "correct horse" });
    send!(app, POST "/sign-up", "", user);
    let (_, begun) = send!(app, POST "/login", "", user);
    let login = begun["login"].as_str().expect("a login");

    let mut stored = Vec::new();
    for file in fs::read_dir(server.folder.path()).expect("a folder") {
        stored.extend(fs::read(file.expect("a file").path()).expect("its bytes"));
    }
    let holds = |text: &str| {
        stored
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(holds("alice"), "the user is found");
    assert!(!holds(login), "the token is not");
    assert!(!holds("correct horse"), "the password is not");
}
