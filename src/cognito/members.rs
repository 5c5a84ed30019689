//! Reads the members of a request.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::constraints::invalid;
use super::exception::{Exception, Name};
use crate::totp::Code;

/// Holds a member that may be a credential: wiped when dropped.
#[derive(Clone)]
pub(super) struct Text(Zeroizing<String>);

impl core::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("..")
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// Holds the members of `AssociateSoftwareToken`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Associate {
    pub(super) access_token: Option<Text>,
    pub(super) session: Option<Text>,
}

/// Holds the members of `VerifySoftwareToken`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Verify {
    pub(super) access_token: Option<Text>,
    pub(super) session: Option<Text>,
    pub(super) user_code: Option<Text>,
    pub(super) friendly_device_name: Option<String>,
}

/// Holds the members of `RespondToAuthChallenge` and `AdminRespondToAuthChallenge`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Respond {
    pub(super) user_pool_id: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) challenge_name: Option<String>,
    pub(super) session: Option<Text>,
    /// Some clients send a member that they have no value for as `null`.
    pub(super) challenge_responses: Option<BTreeMap<String, Option<Text>>>,
}

/// Holds the members of `SetUserMFAPreference` and `AdminSetUserMFAPreference`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Prefer {
    pub(super) access_token: Option<Text>,
    pub(super) user_pool_id: Option<String>,
    pub(super) username: Option<String>,
    pub(super) software_token_mfa_settings: Option<Object<Settings>>,
    #[serde(rename = "SMSMfaSettings")]
    pub(super) sms_mfa_settings: Option<Object<Settings>>,
    pub(super) email_mfa_settings: Option<Object<Settings>>,
    pub(super) web_authn_mfa_settings: Option<Object<Settings>>,
}

/// Holds the members of `AdminDeleteSoftwareToken`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfUser {
    pub(super) user_pool_id: Option<String>,
    pub(super) username: Option<String>,
}

/// Holds one factor's settings.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Settings {
    pub(super) enabled: Option<bool>,
    pub(super) preferred_mfa: Option<bool>,
}

impl Settings {
    pub(super) fn is_enabled(self) -> bool {
        self.enabled == Some(true)
    }

    pub(super) fn is_preferred(self) -> bool {
        self.preferred_mfa == Some(true)
    }
}

/// Holds a JSON object and nothing else: an array would be taken for the members in their order.
#[derive(Clone, Copy)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        let members = deserializer.deserialize_map(Members(PhantomData))?;
        Ok(Self(members))
    }
}

/// Reads the members that a body has.
pub(super) fn read<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Exception> {
    match serde_json::from_slice(body) {
        Ok(Object(members)) => Ok(members),
        Err(_) => Err(Name::Serialization.into()),
    }
}

/// Returns the value of a challenge's response that has to be there.
pub(super) fn response(
    responses: &mut BTreeMap<String, Option<Text>>,
    key: &str,
) -> Result<Text, Exception> {
    responses
        .remove(key)
        .flatten()
        .ok_or_else(|| invalid(format!("Missing required parameter {key}")))
}

/// Reads a code as a challenge's response has it: no member of the model's, so it is read as a
/// person types.
pub(super) fn code(text: &str) -> Result<Code, Exception> {
    Code::parse(text).map_err(|error| invalid(format!("{error}")))
}
