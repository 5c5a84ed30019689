//! Refuses forms that another site sent in the user's name.
//!
//! Every browser of today says where a form comes from, in `Sec-Fetch-Site` or in `Origin`, and no
//! page can change either. What says neither is refused as well.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::problem::Problem;

/// Lets requests through that change nothing, and those that come from a page of this server.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_same_origin(request.headers()) {
        return next.run(request).await;
    }
    Problem::Elsewhere.into_response()
}

fn is_same_origin(headers: &HeaderMap) -> bool {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (value("sec-fetch-site"), value(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == value(HOST.as_str())
        }
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn judged(given: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("example.com:8443"));
        for (name, value) in given {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        is_same_origin(&headers)
    }

    #[test]
    fn forms_of_this_server_alone_are_taken() {
        assert!(judged(&[("sec-fetch-site", "same-origin")]));
        assert!(judged(&[("origin", "https://example.com:8443")]));
        for elsewhere in [
            &[][..],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "null")],
            &[("origin", "https://example.com")],
            &[("origin", "https://example.com.evil.test:8443")],
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://example.com:8443"),
            ],
        ] {
            assert!(!judged(elsewhere), "{elsewhere:?}");
        }
    }
}
