//! A user: who it is, and whether it may sign in.

use serde::{Deserialize, Serialize};
use softtoken::UnixTime;
use uuid::Uuid;

use super::Attribute;
use crate::exception::{Answer, Exception};
use crate::passwords::KeptPassword;

/// A user as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) pool: String,
    pub(crate) username: String,
    pub(crate) sub: String,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) password: Option<KeptPassword>,
    /// Raised with every password: what was begun with an older one is void.
    pub(crate) password_generation: u64,
    pub(crate) standing: Standing,
    pub(crate) enabled: bool,
    /// Tokens carry it; it is raised to make them void.
    pub(crate) generation: u64,
    /// Tells this user from an earlier one of the same `sub`, where it was chosen.
    #[serde(default)]
    planted: Option<u32>,
    pub(crate) created: u64,
    pub(crate) modified: u64,
}

/// The attributes that are addresses.
const VERIFIABLE: [&str; 2] = ["email", "phone_number"];

/// `UserStatus`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Standing {
    Unconfirmed,
    Confirmed,
    ForceChangePassword,
    ResetRequired,
}

impl User {
    /// A new one, under a `sub` that was nobody's.
    pub(crate) fn new(
        pool: String,
        username: String,
        attributes: Vec<Attribute>,
        now: UnixTime,
    ) -> Self {
        Self {
            pool,
            username,
            sub: Uuid::new_v4().to_string(),
            attributes,
            password: None,
            password_generation: 0,
            standing: Standing::Unconfirmed,
            enabled: true,
            generation: 0,
            planted: None,
            created: now.as_secs(),
            modified: now.as_secs(),
        }
    }

    /// Whose second factor it is. It never changes, and is nobody else's after this user is gone.
    pub(crate) fn subject(&self) -> String {
        let Self { pool, sub, .. } = self;
        match self.planted {
            None => format!("{pool}/{sub}"),
            Some(planted) => format!("{pool}/{sub}/{planted}"),
        }
    }

    /// The pool's id and the `sub` in a subject.
    pub(crate) fn of_subject(subject: &str) -> Option<(&str, &str)> {
        let (pool, rest) = subject.split_once('/')?;
        Some((pool, rest.split('/').next()?))
    }

    /// Makes every token void that was issued until now.
    pub(crate) fn revoke_tokens(&mut self) {
        self.generation = self.generation.saturating_add(1);
    }

    /// Gives it another password.
    pub(crate) fn set_password(&mut self, password: KeptPassword, standing: Standing) {
        self.password = Some(password);
        self.password_generation = self.password_generation.saturating_add(1);
        self.standing = standing;
    }

    /// Gives a new one this `sub`, which has to be nobody's now. It may have been somebody's whose
    /// pool was deleted: neither their tokens nor their second factor are this user's.
    pub(crate) fn is_of(&mut self, sub: Uuid) {
        let (planted, ..) = Uuid::new_v4().as_fields();
        self.planted = Some(planted);
        self.generation = planted.into();
        self.password_generation = planted.into();
        let sub = sub.to_string();
        if self.username == self.sub {
            self.username.clone_from(&sub);
        }
        self.sub = sub;
    }

    /// The value of an attribute, where there is one.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self
            .attributes
            .iter()
            .find(|attribute| attribute.name == name);
        found.map(|attribute| attribute.value.as_str())
    }

    /// Whether the address in this attribute is the user's, as somebody has seen.
    pub(crate) fn has_verified(&self, name: &str) -> bool {
        self.attribute(&format!("{name}_verified")) == Some("true")
    }

    /// Sets an attribute.
    pub(crate) fn set_attribute(&mut self, name: &str, value: &str) {
        self.attributes.retain(|attribute| attribute.name != name);
        self.attributes.push(Attribute {
            name: name.to_owned(),
            value: value.to_owned(),
        });
    }

    /// Changes attributes, as a request names them. An address that is another one is not verified
    /// any more, unless the request says so. An empty value is none.
    pub(crate) fn change_attributes(&mut self, changes: &[Attribute]) {
        for Attribute { name, value } in changes {
            let same = self.attribute(name) == Some(value);
            if value.is_empty() {
                self.delete_attribute(name);
            } else {
                self.set_attribute(name, value);
            }
            let verified = format!("{name}_verified");
            if !same && VERIFIABLE.contains(&name.as_str()) {
                self.set_attribute(&verified, "false");
            }
        }
        for Attribute { name, value } in changes {
            if name.ends_with("_verified") {
                self.set_attribute(name, value);
            }
        }
    }

    /// Deletes an attribute; an address takes along that it was verified.
    pub(crate) fn delete_attribute(&mut self, name: &str) {
        let verified = format!("{name}_verified");
        self.attributes
            .retain(|attribute| attribute.name != name && attribute.name != verified);
    }

    /// Every attribute, `sub` first.
    pub(crate) fn attributes(&self) -> Vec<Attribute> {
        let sub = Attribute {
            name: "sub".into(),
            value: self.sub.clone(),
        };
        [sub]
            .into_iter()
            .chain(self.attributes.iter().cloned())
            .collect()
    }

    /// Whether what was begun with a right password, or a token that was issued then, may go on.
    ///
    /// # Errors
    ///
    /// `NotAuthorizedException`, `UserNotConfirmedException` or `PasswordResetRequiredException`.
    pub(crate) fn check_standing(&self) -> Answer<()> {
        if !self.enabled {
            return Err(Exception::not_authorized("User is disabled."));
        }
        match self.standing {
            Standing::Unconfirmed => Err(Exception::user_not_confirmed("User is not confirmed.")),
            Standing::ResetRequired => Err(Exception::password_reset_required(
                "Password reset required for the user",
            )),
            Standing::Confirmed | Standing::ForceChangePassword => Ok(()),
        }
    }
}
