//! The attributes of a user: the standard ones of `OpenID` Connect, and `custom:` ones of any name.

use serde::{Deserialize, Serialize};

use crate::exception::{Answer, Exception};
use crate::members::Members;

/// A name and a value, as they are on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Attribute {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) value: String,
}

const STANDARD: [&str; 19] = [
    "address",
    "birthdate",
    "email",
    "email_verified",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "updated_at",
    "website",
    "zoneinfo",
];

impl Attribute {
    /// `UserAttributes` of a request.
    ///
    /// # Errors
    ///
    /// `InvalidParameterException` for a name that no user has, or a text that is too long.
    pub(crate) fn all(members: &Members) -> Answer<Vec<Self>> {
        let attributes: Vec<Self> = members.any("UserAttributes")?.unwrap_or_default();
        for Self { name, value } in &attributes {
            let custom = name
                .strip_prefix("custom:")
                .is_some_and(|name| !name.is_empty());
            if !custom && !STANDARD.contains(&name.as_str()) {
                return Err(Exception::invalid_parameter(format!(
                    "Attributes did not conform to the schema: {name}: Attribute does not exist in the schema."
                )));
            }
            if name.chars().count() > 32 || value.chars().count() > 2048 {
                return Err(Exception::invalid_parameter(
                    "1 validation error detected: Value at 'userAttributes' failed to satisfy constraint: too long",
                ));
            }
        }
        Ok(attributes)
    }
}
