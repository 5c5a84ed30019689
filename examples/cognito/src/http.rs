//! One route: `POST /`, the operation in a header. Beside it the public key of each pool.

use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use softtoken::cognito::{self, Name};
use uuid::Uuid;

use crate::exception::{Answer, Exception};
use crate::operations;
use crate::server::Server;

/// A device name of 131,072 characters, each escaped, and room for a token.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

pub(crate) fn router(server: Server) -> Router {
    Router::new()
        .route("/", post(operation).fallback(wrong_method))
        .route(
            "/{pool}/.well-known/jwks.json",
            get(jwks).fallback(wrong_method),
        )
        .fallback(wrong_path)
        .with_state(server)
}

async fn operation(State(server): State<Server>, headers: HeaderMap, body: Body) -> Response {
    let begun = Instant::now();
    let request_id = Uuid::new_v4().to_string();
    let target = headers
        .get(TARGET)
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    let answered = match to_bytes(body, MAX_BODY_BYTES).await {
        Ok(body) => answer(&server, target, &headers, &body, &request_id).await,
        Err(_) => Err(Exception::serialization(
            "The body did not arrive, or has more than 2 MiB.",
        )),
    };
    let (exception, response) = match answered {
        Ok(response) => ("", response),
        Err(Exception(exception)) => (
            exception.name(),
            cognito::Response::refused(&exception, &request_id),
        ),
    };
    // What a client names is shown where it is an operation.
    let operation = cognito::operation(target)
        .ok()
        .and_then(operations::find)
        .unwrap_or("unknown");
    let ms = begun.elapsed().as_millis();
    tracing::info!("{operation} {} {exception} {ms} ms", response.status);
    over_http(response)
}

async fn answer(
    server: &Server,
    target: &str,
    headers: &HeaderMap,
    body: &[u8],
    request_id: &str,
) -> Answer<cognito::Response> {
    server.gateway().check(headers, body)?;
    operations::answer(server, target, body, request_id).await
}

/// The key is the same in every pool.
async fn jwks(State(server): State<Server>, Path(pool): Path<String>) -> Response {
    let request_id = Uuid::new_v4().to_string();
    match server.directory().read(move |rows| rows.pool(&pool)).await {
        Ok(_) => over_http(cognito::Response::success(
            &server.tokens().jwks(),
            &request_id,
        )),
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
