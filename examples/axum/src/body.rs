//! Reads forms before anybody is asked who has sent them.
//!
//! A gate decides by the head of a request, and axum reads the body afterwards. Whoever sends the
//! head at once and the form an hour later would be judged by the login of an hour ago.

use core::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// Bounds the length of a form, in bytes.
pub(crate) const LONGEST: usize = 64 * 1024;
/// Bounds how long a form may take to arrive.
const SLOWEST: Duration = Duration::from_secs(30);

/// Hands a request on once its body is there.
pub(crate) async fn read(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let whole = Bytes::from_request(Request::from_parts(parts.clone(), body), &());
    match tokio::time::timeout(SLOWEST, whole).await {
        Ok(Ok(body)) => next.run(Request::from_parts(parts, body.into())).await,
        Ok(Err(refused)) => refused.into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use http_body_util::channel::Channel;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_form_may_take_thirty_seconds() {
        for (seconds, status) in [(29, StatusCode::OK), (31, StatusCode::REQUEST_TIMEOUT)] {
            let router = Router::new().fallback(async || ()).layer(from_fn(read));
            let (mut rest, body) = Channel::<Bytes>::new(1);
            let late = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                // Where nobody waits any more, there is nobody to send it to.
                let _ = rest.send_data(Bytes::from_static(b"late")).await;
            });
            let request = Request::post("/").body(Body::new(body)).expect("a request");
            let answer = router.oneshot(request).await.expect("an answer");
            assert_eq!(answer.status(), status, "{seconds}");
            late.abort();
        }
    }
}
