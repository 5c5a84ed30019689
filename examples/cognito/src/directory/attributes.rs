//! The attributes of a user: the standard ones of `OpenID` Connect, and `custom:` ones of any name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::aliases::is_a;
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
    /// `UserAttributes` of an administrator's request, or of a file.
    ///
    /// # Errors
    ///
    /// `InvalidParameterException` for a name that no user has or that is there twice, for a text
    /// that is too long, or for an address that is none.
    pub(crate) fn all(members: &Members) -> Answer<Vec<Self>> {
        let attributes: Vec<Self> = members.any("UserAttributes")?.unwrap_or_default();
        let mut named = BTreeSet::new();
        for Self { name, value } in &attributes {
            check_name(name)?;
            if !named.insert(name) {
                return Err(Exception::invalid_parameter(format!(
                    "The attribute {name} is named twice."
                )));
            }
            let none = match name.as_str() {
                "email" => Some("Invalid email address format."),
                "phone_number" => Some("Invalid phone number format."),
                _ => None,
            };
            if let Some(none) = none.filter(|_| !value.is_empty() && !is_a(name, value)) {
                return Err(Exception::invalid_parameter(none));
            }
            if name.chars().count() > 32 || value.chars().count() > 2048 {
                return Err(Exception::invalid_parameter(
                    "1 validation error detected: Value at 'userAttributes' failed to satisfy constraint: too long",
                ));
            }
        }
        Ok(attributes)
    }

    /// `UserAttributes` of a user's own request: no user says of an address that it is verified.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all), and `NotAuthorizedException`.
    pub(crate) fn of_user(members: &Members) -> Answer<Vec<Self>> {
        let attributes = Self::all(members)?;
        if attributes
            .iter()
            .any(|attribute| attribute.name.ends_with("_verified"))
        {
            return Err(Exception::not_authorized(
                "A client attempted to write unauthorized attribute",
            ));
        }
        Ok(attributes)
    }

    /// `UserAttributeNames` of a request.
    ///
    /// # Errors
    ///
    /// `InvalidParameterException` where it is missing, or for a name that no user has.
    pub(crate) fn names(members: &Members) -> Answer<Vec<String>> {
        let names: Option<Vec<String>> = members.any("UserAttributeNames")?;
        let names = names.ok_or_else(|| {
            Exception::invalid_parameter(
                "1 validation error detected: Value at 'userAttributeNames' failed to satisfy constraint: Member must not be null",
            )
        })?;
        names.iter().try_for_each(|name| check_name(name))?;
        Ok(names)
    }
}

fn check_name(name: &str) -> Answer<()> {
    if name == "sub" {
        return Err(Exception::invalid_parameter(
            "Cannot modify the non-mutable attribute sub",
        ));
    }
    let custom = name
        .strip_prefix("custom:")
        .is_some_and(|name| !name.is_empty());
    if custom || STANDARD.contains(&name) {
        return Ok(());
    }
    Err(Exception::invalid_parameter(format!(
        "Attributes did not conform to the schema: {name}: Attribute does not exist in the schema."
    )))
}
