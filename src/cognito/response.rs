//! Holds the answer that goes back over HTTP.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::exception::{Exception, Name};

/// Holds an HTTP answer in Amazon Cognito's protocol, JSON 1.1: a status, headers, a body.
///
/// ```
/// use softtoken::cognito::{Exception, Name, Response};
///
/// let response = Response::refused(&Exception::from(Name::CodeMismatch), "d3b07384");
/// assert_eq!(response.status, 400);
/// assert!(response.headers.contains(&("x-amzn-ErrorType", "CodeMismatchException".into())));
/// assert!(response.headers.contains(&("x-amzn-RequestId", "d3b07384".into())));
/// let body = r#"{"__type":"CodeMismatchException","message":"Invalid code received for user"}"#;
/// assert_eq!(response.body.as_slice(), body.as_bytes());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Holds the status: 200, 400 or 500.
    pub status: u16,
    /// Lists the headers, names and values.
    pub headers: Vec<(&'static str, String)>,
    /// Holds the body, JSON. It may hold a secret, a session or tokens, and is wiped when dropped.
    pub body: Zeroizing<Vec<u8>>,
}

impl Response {
    /// Answers with success and this body. Give each request an id of its own, such as a UUID: the
    /// client's logs and yours share it.
    #[must_use]
    pub fn success(body: &impl Serialize, request_id: &str) -> Self {
        match to_json(body) {
            Ok(body) => Self::new(200, body, request_id),
            Err(_) => Self::refused(&Name::InternalError.into(), request_id),
        }
    }

    /// Answers with success and the tokens that were issued for an
    /// [evidence](super::Reply::Authenticated), or where [no second factor is
    /// needed](super::Reply::NotRequired).
    #[must_use]
    pub fn authenticated(tokens: &AuthenticationResult, request_id: &str) -> Self {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Body<'a> {
            challenge_parameters: Empty,
            authentication_result: &'a AuthenticationResult,
        }
        let body = Body {
            challenge_parameters: Empty {},
            authentication_result: tokens,
        };
        Self::success(&body, request_id)
    }

    /// Answers with a refusal or a failure, under the same id as the request's log.
    #[must_use]
    pub fn refused(exception: &Exception, request_id: &str) -> Self {
        let body = to_json(exception).unwrap_or_default();
        let mut response = Self::new(exception.status(), body, request_id);
        let error_type = ("x-amzn-ErrorType", exception.name().into());
        response.headers.push(error_type);
        response
    }

    fn new(status: u16, body: Zeroizing<Vec<u8>>, request_id: &str) -> Self {
        Self {
            status,
            headers: alloc::vec![
                ("content-type", "application/x-amz-json-1.1".into()),
                ("x-amzn-RequestId", request_id.into()),
            ],
            body,
        }
    }
}

impl core::fmt::Debug for Response {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}

/// Writes a body into a buffer that never grows: one that does leaves pieces of it behind. So it is
/// written once to be measured.
#[cfg(feature = "std")]
fn to_json(body: &impl Serialize) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, body)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *bytes, body)?;
    Ok(bytes)
}

#[cfg(feature = "std")]
struct Length(usize);

#[cfg(feature = "std")]
impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes a body into a buffer that grows: without `std` the serializer takes no other.
#[cfg(not(feature = "std"))]
fn to_json(body: &impl Serialize) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    serde_json::to_vec(body).map(Zeroizing::new)
}

/// `{}`.
#[derive(Serialize)]
pub(super) struct Empty {}

/// Holds the tokens that complete a sign-in, which your application issues. Wiping them is left to
/// the caller; the [`Response`] made of them is wiped.
///
/// ```
/// use softtoken::cognito::{AuthenticationResult, Response};
///
/// let tokens = AuthenticationResult {
///     access_token: "eyJ0eXAi.eyJzdWIi.c2ln".into(),
///     id_token: None,
///     refresh_token: None,
///     expires_in: 3600,
///     token_type: "Bearer".into(),
/// };
/// let response = Response::authenticated(&tokens, "d3b07384");
/// let body = core::str::from_utf8(&response.body)?;
/// assert!(body.contains(r#""AuthenticationResult":{"AccessToken":"eyJ0eXAi.eyJzdWIi.c2ln","#));
/// # Ok::<(), core::str::Utf8Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AuthenticationResult {
    /// Opens the resource servers, and what the user may do to the account.
    pub access_token: String,
    /// Says for how many seconds the access token is valid.
    pub expires_in: u32,
    /// Names the kind of token: `Bearer`.
    pub token_type: String,
    /// Buys new tokens; it is not given out again by a refresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Tells the client who the user is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

impl core::fmt::Debug for AuthenticationResult {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("AuthenticationResult")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    /// A buffer that grows frees what it held without wiping it.
    #[test]
    fn a_body_is_never_moved_while_it_is_written() {
        for length in [1, 100, 10_000] {
            let text = "\u{1}é".repeat(length);
            let body = Response::success(&text, "request-1").body;
            assert_eq!(body.capacity(), body.len());
        }
    }
}
