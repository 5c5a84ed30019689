//! What a token says.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use softtoken::{Evidence, Grant, UnixTime};
use uuid::Uuid;

use crate::exception::{Answer, Exception};

/// What a token is for. One that is for something else is refused as if it were forged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenUse {
    Access,
    Id,
    Refresh,
    /// Not a token of Cognito's: the session of a `NEW_PASSWORD_REQUIRED` challenge.
    NewPassword,
}

/// How the user authenticated, which refreshing does not change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Authentication {
    /// When.
    #[serde(rename = "auth_time")]
    pub(crate) at: u64,
    /// By what, as RFC 8176 names it: `pwd`, and what the evidence of a second factor says.
    pub(crate) amr: Vec<String>,
    /// The id of this login, the same in all its tokens.
    #[serde(rename = "origin_jti")]
    pub(crate) origin: String,
    /// The grant of this login, in base64: it names what proved the second factor, which the times
    /// alone do not tell.
    #[serde(rename = "softtoken:grant", default)]
    grant: String,
}

/// The claims of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: String,
    pub(crate) iss: String,
    pub(crate) token_use: TokenUse,
    /// An id token calls it `aud`.
    #[serde(alias = "aud")]
    pub(crate) client_id: String,
    /// An id token calls it `cognito:username`.
    #[serde(alias = "cognito:username")]
    pub(crate) username: String,
    #[serde(flatten)]
    pub(crate) authentication: Authentication,
    pub(crate) jti: String,
    pub(crate) iat: u64,
    pub(crate) exp: u64,
    /// The user's when it was issued: of its tokens, or of its password.
    pub(crate) generation: u64,
}

impl Authentication {
    /// The private claim of access and refresh tokens that holds the grant.
    pub(super) const GRANT: &str = "softtoken:grant";

    /// By password alone.
    pub(crate) fn password(subject: &str, at: UnixTime) -> Self {
        Self::by(Grant::first_factor(subject, at), at, &["pwd"])
    }

    /// By password and second factor.
    pub(crate) fn second_factor(evidence: &Evidence) -> Self {
        let amr = [&["pwd"], evidence.amr()].concat();
        Self::by(Grant::from(evidence), evidence.at(), &amr)
    }

    fn by(grant: Grant, at: UnixTime, amr: &[&str]) -> Self {
        let origin = Uuid::new_v4().to_string();
        let grant = grant.with_id(&origin);
        Self {
            at: at.as_secs(),
            amr: amr.iter().map(ToString::to_string).collect(),
            origin,
            grant: BASE64_STANDARD.encode(grant.to_bytes()),
        }
    }
}

impl Claims {
    /// The pool, the last part of the issuer.
    pub(crate) fn pool(&self) -> &str {
        self.iss.rsplit('/').next().unwrap_or_default()
    }

    /// Names the login, as one that is void.
    pub(crate) fn login(&self) -> String {
        format!("login {}", self.authentication.origin)
    }

    /// What a checked access token of this subject's authorises.
    ///
    /// # Errors
    ///
    /// `NotAuthorizedException` where another version of the server has written it.
    pub(crate) fn grant(&self, subject: &str) -> Answer<Grant> {
        let bytes = BASE64_STANDARD.decode(&self.authentication.grant);
        let grant = Grant::from_bytes(&bytes.unwrap_or_default(), subject);
        grant.map_err(|_| Exception::not_authorized("Invalid Access Token"))
    }
}
