//! `AuthParameters` and `ChallengeResponses`: texts by name.

use std::collections::HashMap;

use crate::exception::{Answer, Exception};
use crate::members::Members;

pub(super) struct Parameters(HashMap<String, String>);

impl Parameters {
    /// Those of this member; none where it is missing.
    ///
    /// # Errors
    ///
    /// `SerializationException` where it is something else.
    pub(super) fn of(members: &Members, member: &str) -> Answer<Self> {
        // Clients in a browser send what they do not have as null.
        let named: HashMap<String, Option<String>> = members.any(member)?.unwrap_or_default();
        let given = named.into_iter();
        Ok(Self(
            given
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
        ))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// # Errors
    ///
    /// `InvalidParameterException` where it is missing.
    pub(super) fn required(&self, name: &str) -> Answer<&str> {
        self.get(name).ok_or_else(|| {
            Exception::invalid_parameter(format!("Missing required parameter {name}"))
        })
    }
}
