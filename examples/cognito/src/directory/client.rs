//! An app client: which flows it may use, and how long its tokens live.

use core::ops::RangeInclusive;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use softtoken::UnixTime;

use crate::exception::{Answer, Exception};

/// A client as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) pool: String,
    pub(crate) name: String,
    pub(crate) secret: Option<String>,
    /// As they were given, or the default ones.
    pub(crate) flows: Vec<String>,
    /// Whether an unknown user is to look like a wrong password.
    pub(crate) hides_users: bool,
    /// In minutes.
    pub(crate) session_validity: u64,
    /// In seconds.
    pub(crate) access_validity: u64,
    pub(crate) id_validity: u64,
    pub(crate) refresh_validity: u64,
    /// Whether each refresh gives another refresh token, and for how many seconds the old one may
    /// be used again then.
    pub(crate) rotation: Option<u64>,
    /// Whether a refresh token may be revoked.
    pub(crate) revokes: bool,
    pub(crate) created: u64,
}

/// The flows that this server has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AuthFlow {
    UserSrp,
    UserPassword,
    AdminUserPassword,
    Refresh,
}

/// The flows of a client that names none, as Cognito has them. This server has no custom ones.
const DEFAULT_FLOWS: [&str; 3] = [
    "ALLOW_CUSTOM_AUTH",
    "ALLOW_REFRESH_TOKEN_AUTH",
    "ALLOW_USER_SRP_AUTH",
];

impl Client {
    /// The lifetimes that a client may give its sessions, in minutes.
    pub(crate) const SESSION_VALIDITY: RangeInclusive<u64> = 3..=15;

    /// For how long an access or an id token may live, in seconds: a day, as in Cognito.
    pub(crate) const LONGEST_VALIDITY: u64 = 24 * 60 * 60;

    /// All flows that this server has.
    pub(crate) const EVERY_FLOW: [&str; 4] = [
        "ALLOW_ADMIN_USER_PASSWORD_AUTH",
        "ALLOW_REFRESH_TOKEN_AUTH",
        "ALLOW_USER_PASSWORD_AUTH",
        "ALLOW_USER_SRP_AUTH",
    ];

    /// With Cognito's defaults.
    pub(crate) fn new(id: String, pool: String, name: String, now: UnixTime) -> Self {
        Self {
            id,
            pool,
            name,
            secret: None,
            flows: DEFAULT_FLOWS.map(String::from).to_vec(),
            hides_users: false,
            session_validity: *Self::SESSION_VALIDITY.start(),
            access_validity: 60 * 60,
            id_validity: 60 * 60,
            refresh_validity: 30 * 24 * 60 * 60,
            rotation: None,
            revokes: true,
            created: now.as_secs(),
        }
    }

    /// Whether `ExplicitAuthFlows` has it, by its name of today or of before 2019.
    pub(crate) fn may(&self, flow: AuthFlow) -> bool {
        let has = |name: &str| self.flows.iter().any(|flow| flow == name);
        // The old names come without any for SRP and for refreshing.
        let old = !self.flows.iter().any(|flow| flow.starts_with("ALLOW_"));
        match flow {
            AuthFlow::UserSrp => {
                has("ALLOW_USER_SRP_AUTH") || (old && !has("CUSTOM_AUTH_FLOW_ONLY"))
            }
            AuthFlow::UserPassword => has("ALLOW_USER_PASSWORD_AUTH") || has("USER_PASSWORD_AUTH"),
            AuthFlow::AdminUserPassword => {
                has("ALLOW_ADMIN_USER_PASSWORD_AUTH") || has("ADMIN_NO_SRP_AUTH")
            }
            AuthFlow::Refresh => has("ALLOW_REFRESH_TOKEN_AUTH") || old,
        }
    }

    /// Whether it is this client's secret; one that has none needs none.
    pub(crate) fn has_secret(&self, shown: Option<&str>) -> bool {
        let shown = shown.unwrap_or_default();
        self.secret.as_ref().is_none_or(|secret| {
            verify_slices_are_equal(secret.as_bytes(), shown.as_bytes()).is_ok()
        })
    }

    /// Checks `SECRET_HASH`: base64 of HMAC-SHA-256 over user name and client id, keyed with the
    /// client's secret.
    ///
    /// # Errors
    ///
    /// `NotAuthorizedException` where the client has a secret and this is not its hash.
    pub(crate) fn check_secret_hash(&self, username: &str, hash: Option<&str>) -> Answer<()> {
        let Some(secret) = &self.secret else {
            return Ok(());
        };
        let id = &self.id;
        let hash = hash.ok_or_else(|| {
            Exception::not_authorized(format!(
                "Client {id} is configured with secret but SECRET_HASH was not received"
            ))
        })?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let message = [username.as_bytes(), id.as_bytes()].concat();
        let tag = BASE64_STANDARD.decode(hash).unwrap_or_default();
        hmac::verify(&key, &message, &tag).map_err(|_| {
            Exception::not_authorized(format!("SecretHash does not match for the client: {id}"))
        })
    }
}
