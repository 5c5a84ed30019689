//! One route: `POST /`, the operation in a header. Beside it each pool's public key and issuer.

use core::time::Duration;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};
use softtoken::cognito::{self, Name};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use uuid::Uuid;

use crate::exception::{Answer, Exception};
use crate::operations;
use crate::server::Server;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

pub(crate) fn router(server: Server) -> Router {
    Router::new()
        .route("/", post(operation).fallback(wrong_method))
        .route(
            "/{pool}/.well-known/jwks.json",
            get(jwks).fallback(wrong_method),
        )
        .route(
            "/{pool}/.well-known/openid-configuration",
            get(openid_configuration).fallback(wrong_method),
        )
        .fallback(wrong_path)
        .layer(cross_origin())
        .with_state(server)
}

/// Answers pages of every origin, as the service does: it knows requests by what they carry, and
/// has no cookies. A browser asks first (`OPTIONS`) whether it may send what the SDKs send.
fn cross_origin() -> CorsLayer {
    const TWO_DAYS: Duration = Duration::from_secs(172_800);
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(TWO_DAYS)
}

/// What a page may read of an answer, beside its body.
const EXPOSED: [HeaderName; 4] = [
    HeaderName::from_static("x-amzn-requestid"),
    HeaderName::from_static("x-amzn-errortype"),
    HeaderName::from_static("x-amzn-errormessage"),
    HeaderName::from_static("date"),
];

async fn operation(State(server): State<Server>, headers: HeaderMap, body: Body) -> Response {
    let begun = Instant::now();
    let request_id = Uuid::new_v4().to_string();
    let server = server.reached_at(headers.get(HOST));
    let answered = match arrived(&server, body).await {
        Ok(body) => answer(&server, &headers, body, &request_id).await,
        Err(exception) => Err(exception),
    };
    let (exception, response) = match answered {
        Ok(response) => ("", response),
        Err(Exception(exception)) => (
            exception.name(),
            cognito::Response::refused(&exception, &request_id),
        ),
    };
    // What a client names is shown where it is an operation.
    let operation = cognito::operation(target(&headers))
        .ok()
        .and_then(operations::find)
        .unwrap_or("unknown");
    let ms = begun.elapsed().as_millis();
    tracing::info!("{operation} {} {exception} {ms} ms", response.status);
    over_http(response)
}

/// The whole body, in its time.
async fn arrived(server: &Server, body: Body) -> Answer<Bytes> {
    let limits = server.limits();
    let read = tokio::time::timeout(limits.body_time, to_bytes(body, limits.body_bytes));
    let message = match read.await {
        Ok(Ok(body)) => return Ok(body),
        Ok(Err(_)) => format!(
            "The body did not arrive whole, or has more than {} bytes.",
            limits.body_bytes
        ),
        Err(_) => format!(
            "The body did not arrive within {} s.",
            limits.body_time.as_secs()
        ),
    };
    Err(Exception::serialization(message))
}

/// What the request asks for.
fn target(headers: &HeaderMap) -> &str {
    let target = headers.get(TARGET);
    target
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default()
}

async fn answer(
    server: &Server,
    headers: &HeaderMap,
    body: Bytes,
    request_id: &str,
) -> Answer<cognito::Response> {
    let (of, headers, request_id) = (server.clone(), headers.clone(), request_id.to_owned());
    let head = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    let bytes = head.sum::<usize>() + body.len();
    to_the_end(server, bytes, async move {
        of.gateway().check(&headers, &body)?;
        operations::answer(&of, target(&headers), &body, &request_id).await
    })
    .await
}

/// Does this work on behalf of a request of so many bytes. What a request grows to has a bound, for
/// all of them together: it counts until the work has ended, although its client may have gone.
async fn to_the_end<T: Send + 'static>(
    server: &Server,
    bytes: usize,
    work: impl Future<Output = Answer<T>> + Send + 'static,
) -> Answer<T> {
    let held = server.hold(bytes).await;
    let work = tokio::spawn(async move {
        let _held = held;
        work.await
    });
    work.await.map_err(Exception::internal)?
}

/// The key is the same in every pool.
async fn jwks(State(server): State<Server>, Path(pool): Path<String>) -> Response {
    of_pool(&server, pool, |_| server.tokens().jwks()).await
}

/// The little of `OpenID` Connect Discovery that there is here: who issues tokens, and the address
/// of the key.
async fn openid_configuration(
    State(server): State<Server>,
    Path(pool): Path<String>,
    headers: HeaderMap,
) -> Response {
    let server = server.reached_at(headers.get(HOST));
    let configuration = |pool: &str| {
        let issuer = server.tokens().issuer_of(pool);
        json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
            "id_token_signing_alg_values_supported": ["RS256"],
            "subject_types_supported": ["public"],
        })
    };
    of_pool(&server, pool, configuration).await
}

/// A document of a pool that there is.
async fn of_pool(server: &Server, id: String, document: impl FnOnce(&str) -> Value) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let (directory, bytes) = (server.directory().clone(), id.len());
    let read = async move { directory.read(move |rows| rows.pool(&id)).await };
    match to_the_end(server, bytes, read).await {
        Ok(pool) => over_http(cognito::Response::success(&document(&pool.id), &request_id)),
        Err(Exception(exception)) => over_http(cognito::Response::refused(&exception, &request_id)),
    }
}

async fn wrong_method() -> Response {
    elsewhere(StatusCode::METHOD_NOT_ALLOWED)
}

async fn wrong_path() -> Response {
    elsewhere(StatusCode::NOT_FOUND)
}

fn elsewhere(status: StatusCode) -> Response {
    let exception = cognito::Exception::new(
        Name::UnknownOperation,
        "Operations are asked for by POST /.",
    );
    let refused = cognito::Response::refused(&exception, &Uuid::new_v4().to_string());
    let mut response = over_http(refused);
    *response.status_mut() = status;
    response
}

fn over_http(response: cognito::Response) -> Response {
    let mut answer = Response::new(Body::from(response.body.to_vec()));
    *answer.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use axum::body::Body;
    use axum::extract::{Path, State};
    use axum::http::{HeaderMap, HeaderValue};
    use axum::response::Response;
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::{TARGET, jwks, operation};
    use crate::server::Server;

    /// Asks while nobody can read the directory, and goes: whether the request counts until then,
    /// and not for longer.
    async fn counts_when_its_client_goes(
        server: &Server,
        ask: impl FnOnce() -> JoinHandle<Response>,
    ) {
        let room = server.room_for_bodies();
        let before = room.available_permits();
        let (tell, is_busy) = oneshot::channel();
        let (go_on, told) = mpsc::channel::<()>();
        let directory = server.directory().clone();
        let busy = std::thread::spawn(move || {
            directory.change_here(|_| {
                tell.send(()).expect("the test waits");
                told.recv().expect("the test says so");
                Ok(())
            })
        });
        is_busy.await.expect("it is busy");
        let asked = ask();
        while room.available_permits() == before {
            tokio::task::yield_now().await;
        }
        asked.abort();
        assert!(asked.await.expect_err("aborted").is_cancelled());
        tokio::task::yield_now().await;
        assert!(room.available_permits() < before, "it still waits");
        go_on.send(()).expect("it waits");
        busy.join().expect("no panic").expect("it is free");
        while room.available_permits() < before {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_is_asked_counts_until_it_is_done_although_nobody_waits() {
        let server = Server::builder().build().expect("it starts");
        let target = "AWSCognitoIdentityProviderService.ListUserPools";
        let headers = HeaderMap::from_iter([(TARGET, HeaderValue::from_static(target))]);
        let body = Body::from(r#"{"MaxResults":1}"#);
        let at = State(server.clone());
        counts_when_its_client_goes(&server, || tokio::spawn(operation(at, headers, body))).await;
        let (at, pool) = (State(server.clone()), Path("local_optional1".into()));
        counts_when_its_client_goes(&server, || tokio::spawn(jwks(at, pool))).await;
    }
}
