//! Tells browsers what pages of this server may do.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

use crate::app::App;

/// Allows files of this server and nothing else: no inline script, no inline style, no other host.
const CONTENT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                       form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Adds the headers to an answer.
pub(crate) async fn add(State(app): State<App>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    set(headers, header::CONTENT_SECURITY_POLICY, CONTENT);
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Not `no-referrer`, under which forms would say that they come from nowhere.
    set(headers, header::REFERRER_POLICY, "same-origin");
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    set(headers, opener, "same-origin");
    if !headers.contains_key(header::CACHE_CONTROL) {
        // The back button after a sign-out shows nothing of what was there.
        set(headers, header::CACHE_CONTROL, "no-store");
    }
    if app.is_secure() {
        set(
            headers,
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000",
        );
    }
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
