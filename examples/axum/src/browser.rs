//! Keeps the token of a remembered browser in a cookie of its own, which outlives the session.

use core::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use softtoken::association::BrowserToken;

use crate::app::App;
use crate::problem::Problem;

/// Bounds the age of the cookie, in seconds. How long the token is good says the token.
const AGE: u32 = 90 * 24 * 60 * 60;

/// Holds the token that a browser has sent, if it has.
#[derive(Debug)]
pub(crate) struct Browser(Option<String>);

impl Browser {
    /// Returns the text of the token.
    #[must_use]
    pub(crate) fn token(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

fn name(app: &App) -> &'static str {
    // The prefix has the browser keep the cookie to this host, and to TLS.
    if app.is_secure() {
        "__Host-browser"
    } else {
        "browser"
    }
}

impl FromRequestParts<App> for Browser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let cookies = parts.headers.get_all(COOKIE).into_iter();
        let mut cookies = cookies
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='));
        let found = cookies.find(|(found, _)| *found == name(app));
        Ok(Self(found.map(|(_, token)| token.to_owned())))
    }
}

/// Returns the header that has a browser keep this token, or forget the one it has.
///
/// # Errors
///
/// Fails where the token cannot stand in a header, which no token of the crate's does.
pub(crate) fn cookie(
    app: &App,
    token: Option<&BrowserToken>,
) -> Result<[(HeaderName, HeaderValue); 1], Problem> {
    let (text, age) = token.map_or(("", 0), |token| (token.expose(), AGE));
    let secure = if app.is_secure() { "; Secure" } else { "" };
    let name = name(app);
    let cookie = format!("{name}={text}; Max-Age={age}; Path=/; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::try_from(cookie).map_err(Problem::broken)?;
    value.set_sensitive(true);
    Ok([(SET_COOKIE, value)])
}
