//! A user pool: what it demands of a sign-in.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use softtoken::UnixTime;

/// A pool as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) mfa: MfaConfiguration,
    pub(crate) software_tokens: bool,
    /// The settings of second factors that this server does not have (SMS, e-mail, passkeys), to be
    /// read back.
    pub(crate) other_factors: Map<String, Value>,
    pub(crate) minimum_password_length: usize,
    /// What a user may sign in by beside the user name, once it is verified.
    #[serde(default)]
    pub(crate) alias_attributes: Vec<String>,
    /// What a user signs up and signs in by; the user name is the `sub` then.
    #[serde(default)]
    pub(crate) username_attributes: Vec<String>,
    pub(crate) created: u64,
    pub(crate) modified: u64,
}

impl Pool {
    /// MFA off, software tokens off.
    pub(crate) fn new(id: String, name: String, now: UnixTime) -> Self {
        Self {
            id,
            name,
            mfa: MfaConfiguration::Off,
            software_tokens: false,
            other_factors: Map::new(),
            minimum_password_length: 8,
            alias_attributes: Vec::new(),
            username_attributes: Vec::new(),
            created: now.as_secs(),
            modified: now.as_secs(),
        }
    }

    /// Whether there is a second factor to ask for. SMS of which nothing is said is none, and a
    /// passkey is a first one.
    pub(crate) fn has_second_factor(&self) -> bool {
        let others = &self.other_factors;
        let sms = others.get("SmsMfaConfiguration").and_then(Value::as_object);
        self.software_tokens
            || sms.is_some_and(|settings| !settings.is_empty())
            || others.contains_key("EmailMfaConfiguration")
    }
}

/// Whether a sign-in asks for a second factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum MfaConfiguration {
    #[default]
    Off,
    Optional,
    On,
}
