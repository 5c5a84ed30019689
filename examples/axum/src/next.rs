//! Says where a user goes after a sign-in: to a page of this server, and nowhere else.

use axum::http::Method;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};

/// Holds a path of this server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(from = "String")]
pub(crate) struct Next(String);

impl Next {
    /// Returns the page that was asked for; for a form that was sent, the page to begin again at.
    #[must_use]
    pub(crate) fn after(parts: &Parts) -> Self {
        let path = parts.uri.path();
        if parts.method == Method::GET {
            return Self::from(path.to_owned());
        }
        let home = if path.starts_with("/admin") {
            "/admin"
        } else {
            "/account"
        };
        Self(home.into())
    }

    /// Returns the path.
    #[must_use]
    pub(crate) fn path(&self) -> &str {
        &self.0
    }

    /// Returns a page that leads there afterwards.
    #[must_use]
    pub(crate) fn by(&self, page: &str) -> String {
        // A path of this server holds no character that would end the parameter, see below.
        format!("{page}?next={}", self.0)
    }
}

impl Default for Next {
    fn default() -> Self {
        Self("/account".into())
    }
}

impl From<String> for Next {
    fn from(text: String) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
        // Two slashes name another server.
        let is_ours = text.starts_with('/') && !text.contains("//") && text.chars().all(is_plain);
        if is_ours { Self(text) } else { Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_taken() {
        for path in ["/account", "/admin/users/00ff"] {
            assert_eq!(Next::from(path.to_owned()).path(), path);
        }
        for elsewhere in [
            "",
            "account",
            "//example.com",
            "/\\example.com",
            "https://example.com",
            "/a//example.com",
            "javascript:alert(1)",
            "/a?next=b",
            "/a\r\nset-cookie:b",
        ] {
            assert_eq!(Next::from(elsewhere.to_owned()), Next::default());
        }
    }
}
