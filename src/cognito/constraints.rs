//! Holds the constraints of the published service model on a member, and how the service says that
//! one breaks them.

use alloc::borrow::Cow;
use alloc::format;

use unicode_properties::{GeneralCategoryGroup as Group, UnicodeGeneralCategory as _};

use super::exception::{Exception, Name};

/// Holds what the service model says of a text: its length in characters, and its pattern.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    least: usize,
    most: usize,
    pattern: Option<Pattern>,
}

/// Holds a pattern as the service model writes it, and the test whether a text fits.
type Pattern = (&'static str, fn(&str) -> bool);

pub(super) const ACCESS_TOKEN: Shape = Shape {
    least: 0,
    most: usize::MAX,
    pattern: Some(("[A-Za-z0-9-_=.]+", |text| {
        all(text, |c| c.is_ascii_alphanumeric() || "-_=.".contains(c))
    })),
};
pub(super) const SESSION: Shape = Shape {
    least: 20,
    most: 4096,
    pattern: None,
};
pub(super) const USER_CODE: Shape = Shape {
    least: 6,
    most: 6,
    pattern: Some(("[0-9]+", |text| all(text, |c| c.is_ascii_digit()))),
};
pub(super) const DEVICE_NAME: Shape = Shape {
    least: 0,
    most: 131_072,
    pattern: None,
};
pub(super) const CLIENT_ID: Shape = Shape {
    least: 1,
    most: 128,
    pattern: Some(("[\\w+]+", |text| {
        all(text, |c| c.is_ascii_alphanumeric() || "_+".contains(c))
    })),
};
pub(super) const USER_POOL_ID: Shape = Shape {
    least: 1,
    most: 55,
    pattern: Some(("[\\w-]+_[0-9a-zA-Z]+", |text| {
        text.rsplit_once('_').is_some_and(|(region, id)| {
            all(region, |c| c.is_ascii_alphanumeric() || "_-".contains(c))
                && all(id, |c| c.is_ascii_alphanumeric())
        })
    })),
};
pub(super) const USER_NAME: Shape = Shape {
    least: 1,
    most: 128,
    pattern: Some(("[\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+", |text| {
        all(text, |c| {
            let group = c.general_category_group();
            !matches!(group, Group::Separator | Group::Other)
        })
    })),
};

fn all(text: &str, is_allowed: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(is_allowed)
}

impl Shape {
    /// Returns the member, where it has this shape. `name` is the member's with a small first
    /// letter, as the service says it.
    pub(super) fn check<T: core::ops::Deref<Target = str>>(
        self,
        name: &str,
        text: T,
    ) -> Result<T, Exception> {
        let length = text.chars().count();
        if length < self.least {
            let least = self.least;
            let broken = format!("Member must have length greater than or equal to {least}");
            return Err(violation(name, &broken));
        }
        if length > self.most {
            let most = self.most;
            let broken = format!("Member must have length less than or equal to {most}");
            return Err(violation(name, &broken));
        }
        match self.pattern {
            Some((pattern, fits)) if !fits(&text) => {
                let broken = format!("Member must satisfy regular expression pattern: {pattern}");
                Err(violation(name, &broken))
            }
            _ => Ok(text),
        }
    }

    /// Does the same for a member that has to be there.
    pub(super) fn require<T: core::ops::Deref<Target = str>>(
        self,
        name: &str,
        text: Option<T>,
    ) -> Result<T, Exception> {
        let text = text.ok_or_else(|| violation(name, "Member must not be null"))?;
        self.check(name, text)
    }
}

pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Exception {
    Exception::new(Name::InvalidParameter, message)
}

fn violation(name: &str, broken: &str) -> Exception {
    invalid(format!(
        "1 validation error detected: Value at '{name}' failed to satisfy constraint: {broken}"
    ))
}
