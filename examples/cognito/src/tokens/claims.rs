//! What a token says.

use serde::{Deserialize, Serialize};
use softtoken::{Evidence, Grant, UnixTime};
use uuid::Uuid;

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
    /// The id of the first access token of this sign-in.
    #[serde(rename = "origin_jti")]
    pub(crate) origin: String,
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
    /// By password alone.
    pub(crate) fn password(at: UnixTime) -> Self {
        Self::by(at, &["pwd"])
    }

    /// By password and second factor.
    pub(crate) fn second_factor(evidence: &Evidence) -> Self {
        Self::by(evidence.at(), &[&["pwd"], evidence.amr()].concat())
    }

    fn by(at: UnixTime, amr: &[&str]) -> Self {
        Self {
            at: at.as_secs(),
            amr: amr.iter().map(ToString::to_string).collect(),
            origin: Uuid::new_v4().to_string(),
        }
    }
}

impl Claims {
    /// The pool, the last part of the issuer.
    pub(crate) fn pool(&self) -> &str {
        self.iss.rsplit('/').next().unwrap_or_default()
    }

    /// What a checked access token authorises.
    pub(crate) fn grant(&self) -> Grant {
        let at = UnixTime::from_secs(self.authentication.at);
        let with_code = self.authentication.amr.iter().any(|method| method == "mfa");
        let grant = if with_code {
            Grant::second_factor(at)
        } else {
            Grant::first_factor(at)
        };
        grant.id(&self.jti)
    }
}
