//! Shows that the row of a login and its second factor are stored together, or not at all.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use softtoken::UnixTime;
use softtoken::totp::{Secret, Totp, Verifier};
use softtoken_adopting_after::app;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool};
use tower::ServiceExt as _;

struct Server {
    _folder: tempfile::TempDir,
    database: SqliteConnection,
    now: Arc<AtomicU64>,
    router: Router,
}

impl Server {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("accounts.db");
        let file = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true);
        let pool = SqlitePool::connect_with(file.clone());
        let pool = pool.await.expect("a database");
        let now = Arc::new(AtomicU64::new(1_800_000_000));
        let clock = Arc::clone(&now);
        let clock = Arc::new(move || clock.load(Ordering::SeqCst));
        let router = app(pool, clock, &[7; 32]).await.expect("a server");
        let database = SqliteConnection::connect_with(&file).await;
        let database = database.expect("the same database");
        Self {
            _folder: folder,
            database,
            now,
            router,
        }
    }

    fn code(&self, secret: &str) -> String {
        let secret = Secret::from_base32(secret).expect("a secret");
        let now = UnixTime::from_secs(self.now.load(Ordering::SeqCst));
        let phone = Verifier::new(&secret, Totp::STANDARD);
        phone.code(Totp::STANDARD.step(now)).expose().to_string()
    }

    /// Makes the database refuse such a statement on a table, from now on.
    async fn refuse(&mut self, statement: &str, table: &str) {
        self.change(&format!(
            "CREATE TRIGGER refused BEFORE {statement} ON {table}
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        ))
        .await;
    }

    async fn relent(&mut self) {
        self.change("DROP TRIGGER refused").await;
    }

    async fn change(&mut self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let changed = sqlx::raw_sql(sql).execute(&mut self.database).await;
        changed.expect("SQL");
    }

    /// Sends JSON. Returns status and body, which is text where it is no JSON.
    async fn send(&self, to: (&str, &str), login: &str, body: &Value) -> (StatusCode, Value) {
        let (method, path) = to;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {login}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .expect("a request");
        let answer = self.router.clone().oneshot(request).await;
        let (parts, body) = answer.expect("an answer").into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        (
            parts.status,
            serde_json::from_slice(&body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned())),
        )
    }
}

#[tokio::test]
async fn a_code_is_spent_with_the_row_of_its_login_or_not_at_all() {
    let mut server = Server::new().await;
    let user = json!({ "user": "alice", "password": "correct horse" });
    let (signing_in, verifying) = (("POST", "/login"), ("PUT", "/second-factor"));
    server.send(("POST", "/sign-up"), "", &user).await;
    let (_, begun) = server.send(signing_in, "", &user).await;
    let login = begun["login"].as_str().expect("a login");
    let associate = server.send(("POST", "/second-factor"), login, &Value::Null);
    let (_, issued) = associate.await;
    let secret = issued["secret"].as_str().expect("a secret");

    // The phone is in force with the renewed grant of the login, or not at all.
    let code = json!({ "code": server.code(secret) });
    server.refuse("UPDATE", "logins").await;
    let (failed, body) = server.send(verifying, login, &code).await;
    assert_eq!(failed, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(body, json!(""));
    let (_, begun) = server.send(signing_in, "", &user).await;
    assert!(begun["login"].is_string(), "nothing is in force");
    server.relent().await;
    // The phone is in force, and the recovery codes are not there: they are asked for again.
    server
        .refuse("UPDATE", "softtoken WHEN NEW.revision > 2")
        .await;
    let (failed, _) = server.send(verifying, login, &code).await;
    assert_eq!(failed, StatusCode::INTERNAL_SERVER_ERROR);
    server.relent().await;
    let issue = server.send(("POST", "/recovery-codes"), login, &Value::Null);
    let (issued, body) = issue.await;
    assert_eq!(issued, StatusCode::OK, "{body}");
    let codes = body["recovery_codes"].as_array().map(Vec::len);
    assert_eq!(codes, Some(10));

    server.now.fetch_add(30, Ordering::SeqCst);
    let (_, begun) = server.send(signing_in, "", &user).await;
    let step = begun["step"].as_str().expect("a code is asked for");
    let answer = json!({ "step": step, "code": server.code(secret) });
    let respond = ("POST", "/login/code");
    // Neither the row of a login that is refused nor the record of a code is a wrong code.
    for (statement, table) in [("INSERT", "logins"), ("UPDATE", "softtoken")] {
        server.refuse(statement, table).await;
        let (failed, body) = server.send(respond, "", &answer).await;
        assert_eq!(failed, StatusCode::INTERNAL_SERVER_ERROR, "{table}");
        // No login, and nothing of what the database said.
        assert_eq!(body, json!(""), "{table}");
        server.relent().await;
    }
    let (signed_in, _) = server.send(respond, "", &answer).await;
    assert_eq!(signed_in, StatusCode::OK);
}

/// Another request ends every login in the moment in which one of them changes the second factor.
#[tokio::test]
async fn a_login_that_is_ended_meanwhile_changes_nothing() {
    let mut server = Server::new().await;
    let user = json!({ "user": "alice", "password": "correct horse" });
    server.send(("POST", "/sign-up"), "", &user).await;
    let (_, begun) = server.send(("POST", "/login"), "", &user).await;
    let login = begun["login"].as_str().expect("a login");
    let (associate, verify) = (("POST", "/second-factor"), ("PUT", "/second-factor"));
    let (_, issued) = server.send(associate, login, &Value::Null).await;
    let code = server.code(issued["secret"].as_str().expect("a secret"));
    let forms = [
        (verify, json!({ "code": code })),
        (associate, Value::Null),
        (("POST", "/recovery-codes"), Value::Null),
        (("DELETE", "/second-factor"), Value::Null),
    ];
    for (to, form) in forms {
        let ends = "CREATE TRIGGER ends AFTER UPDATE ON softtoken BEGIN DELETE FROM logins; END";
        server.change(ends).await;
        let refused = server.send(to, login, &form).await;
        let unauthorized = (StatusCode::UNAUTHORIZED, json!("unauthorized"));
        assert_eq!(refused, unauthorized, "{to:?}");
        // What was undone with the rest can be done by a login that is there.
        server.change("DROP TRIGGER ends").await;
        let (done, body) = server.send(to, login, &form).await;
        assert_eq!(done, StatusCode::OK, "{to:?}: {body}");
    }
}
