//! What users are named by beside their user name and `sub`: an e-mail address, a telephone number
//! or a preferred name, where the pool says so.

use softtoken::UnixTime;

use super::{Attribute, Pool, User};
use crate::exception::{Answer, Exception};

/// What `AliasAttributes` may have.
pub(crate) const ALIASES: [&str; 3] = ["email", "phone_number", "preferred_username"];
/// What `UsernameAttributes` may have.
pub(crate) const USERNAMES: [&str; 2] = ["email", "phone_number"];

impl Pool {
    /// Whether users of this pool may be asked for by what looks like this, under another user name.
    pub(crate) fn has_alias_like(&self, name: &str) -> bool {
        let aliases = [&self.alias_attributes, &self.username_attributes];
        let mut aliases = aliases.into_iter().flatten();
        aliases.any(|alias| is_a(alias, name))
    }

    /// A new user who asks for this name. Where the pool's users have an address for a name, it
    /// becomes an attribute, and the user name is the `sub`.
    ///
    /// # Errors
    ///
    /// `InvalidParameterException` where it has to be an address, or must not be one.
    pub(crate) fn new_user(
        &self,
        name: String,
        mut attributes: Vec<Attribute>,
        now: UnixTime,
    ) -> Answer<User> {
        if self.username_attributes.is_empty() {
            let like = self
                .alias_attributes
                .iter()
                .find(|alias| is_a(alias, &name));
            return match like {
                Some(alias) => Err(Exception::invalid_parameter(format!(
                    "Username cannot be of {0} format, since user pool is configured for {0} alias.",
                    words(alias)
                ))),
                None => Ok(User::new(self.id.clone(), name, attributes, now)),
            };
        }
        let names = &self.username_attributes;
        let Some(attribute) = names.iter().find(|attribute| is_a(attribute, &name)) else {
            let names: Vec<_> = names.iter().map(|attribute| words(attribute)).collect();
            return Err(Exception::invalid_parameter(match names.as_slice() {
                [one] => format!("Username should be a valid {one}."),
                several => format!(
                    "Username should be either a valid {}.",
                    several.join(" or ")
                ),
            }));
        };
        attributes.retain(|known| known.name != *attribute);
        attributes.push(Attribute {
            name: attribute.clone(),
            value: name,
        });
        let mut user = User::new(self.id.clone(), String::new(), attributes, now);
        user.username = user.sub.clone();
        Ok(user)
    }

    /// The attributes that this user is named by, with their values.
    pub(crate) fn aliases_of<'a>(
        &'a self,
        user: &'a User,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let always = self.username_attributes.iter();
        let always = always.filter_map(|name| Some((name.as_str(), user.attribute(name)?)));
        let verified = self.alias_attributes.iter();
        let verified = verified.filter_map(|name| Some((name.as_str(), user.attribute(name)?)));
        always.chain(verified.filter(|(name, _)| !needs_verifying(name) || user.has_verified(name)))
    }
}

/// Whether this attribute is a name only once it is verified. A preferred name reaches nobody, so
/// there is nothing to verify.
pub(super) fn needs_verifying(attribute: &str) -> bool {
    attribute != "preferred_username"
}

/// Whether it is an address of this kind.
pub(super) fn is_a(attribute: &str, name: &str) -> bool {
    match attribute {
        "email" => name.split_once('@').is_some_and(|(local, domain)| {
            let odd = domain.contains('@') || name.contains(char::is_whitespace);
            !odd && !local.is_empty() && domain.contains('.')
        }),
        "phone_number" => name
            .strip_prefix('+')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit())),
        _ => false,
    }
}

/// As the service's sentences call it.
fn words(attribute: &str) -> &'static str {
    match attribute {
        "email" => "email",
        "phone_number" => "phone number",
        _ => "preferred username",
    }
}
