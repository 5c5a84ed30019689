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
    /// Tokens carry it; a global sign-out raises it, and with that they are void.
    pub(crate) generation: u64,
    pub(crate) created: u64,
    pub(crate) modified: u64,
}

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
            created: now.as_secs(),
            modified: now.as_secs(),
        }
    }

    /// Whose second factor it is. It never changes, and is nobody else's after this user is gone.
    pub(crate) fn subject(&self) -> String {
        format!("{}/{}", self.pool, self.sub)
    }

    /// Gives it another password.
    pub(crate) fn set_password(&mut self, password: KeptPassword, standing: Standing) {
        self.password = Some(password);
        self.password_generation = self.password_generation.saturating_add(1);
        self.standing = standing;
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
