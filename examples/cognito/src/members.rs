//! The members of a request, as the service model constrains them.

use serde::Deserialize;
use serde_json::{Map, Value};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

use crate::exception::{Answer, Exception};

/// As the service model writes it, and whether a text fits.
type Pattern = (&'static str, fn(&str) -> bool);

/// What the service model says of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    least: usize,
    most: usize,
    pattern: Option<Pattern>,
}

impl Shape {
    const fn new(least: usize, most: usize) -> Self {
        Self {
            least,
            most,
            pattern: None,
        }
    }

    const fn of(least: usize, most: usize, pattern: &'static str, holds: fn(&str) -> bool) -> Self {
        Self {
            least,
            most,
            pattern: Some((pattern, holds)),
        }
    }

    pub(crate) const CLIENT_ID: Self = Self::of(1, 128, "[\\w+]+", |text| {
        text.chars().all(|c| is_word(c) || c == '+')
    });
    pub(crate) const CLIENT_NAME: Self = Self::of(1, 128, "[\\w\\s+=,.@-]+", is_name);
    pub(crate) const CLIENT_SECRET: Self = Self::of(1, 64, "[\\w+]+", |text| {
        text.chars().all(|c| is_word(c) || c == '+')
    });
    pub(crate) const CODE: Self = Self::of(1, 2048, "[\\S]+", has_no_space);
    pub(crate) const FILTER: Self = Self::new(0, 256);
    pub(crate) const PASSWORD: Self = Self::of(0, 256, "[\\S]+", has_no_space);
    pub(crate) const POOL_ID: Self = Self::of(1, 55, "[\\w-]+_[0-9a-zA-Z]+", |text| {
        text.rsplit_once('_').is_some_and(|(region, id)| {
            let region = !region.is_empty() && region.chars().all(|c| is_word(c) || c == '-');
            region && !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric())
        })
    });
    pub(crate) const POOL_NAME: Self = Self::CLIENT_NAME;
    pub(crate) const SECRET_HASH: Self = Self::of(1, 128, "[\\w+=/]+", |text| {
        text.chars().all(|c| is_word(c) || "+=/".contains(c))
    });
    pub(crate) const SESSION: Self = Self::new(20, 4096);
    pub(crate) const TEXT: Self = Self::new(0, 131_072);
    pub(crate) const TOKEN: Self = Self::of(0, usize::MAX, "[A-Za-z0-9-_=.]+", |text| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_=.".contains(c))
    });
    pub(crate) const USERNAME: Self =
        Self::of(1, 128, "[\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+", |text| {
            // As the crate reads it, at a challenge: nothing that cannot be seen.
            !text.chars().any(|c| {
                let group = c.general_category_group();
                matches!(
                    group,
                    GeneralCategoryGroup::Separator | GeneralCategoryGroup::Other
                )
            })
        });

    /// # Errors
    ///
    /// `InvalidParameterException`, in the words of the service.
    pub(crate) fn check(&self, member: &str, text: &str) -> Answer<()> {
        self.check_length(member, text)?;
        match self.pattern {
            Some((pattern, holds)) if text.is_empty() || !holds(text) => Err(violation(
                member,
                &format!("Member must satisfy regular expression pattern: {pattern}"),
            )),
            _ => Ok(()),
        }
    }

    /// The same for a text of which nothing but its length is to be told.
    ///
    /// # Errors
    ///
    /// `InvalidParameterException`, in the words of the service.
    pub(crate) fn check_length(&self, member: &str, text: &str) -> Answer<()> {
        let length = text.chars().count();
        let broken = if length < self.least {
            format!(
                "Member must have length greater than or equal to {}",
                self.least
            )
        } else if length > self.most {
            format!(
                "Member must have length less than or equal to {}",
                self.most
            )
        } else {
            return Ok(());
        };
        Err(violation(member, &broken))
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_name(text: &str) -> bool {
    text.chars()
        .all(|c| is_word(c) || c.is_ascii_whitespace() || "+=,.@-".contains(c))
}

fn has_no_space(text: &str) -> bool {
    !text.contains(char::is_whitespace)
}

/// A member breaks a constraint; the service names members with a small first letter.
fn violation(member: &str, broken: &str) -> Exception {
    let mut letters = member.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    let member: String = first.into_iter().chain(letters).collect();
    Exception::invalid_parameter(format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: {broken}"
    ))
}

/// A request's body.
#[derive(Debug)]
pub(crate) struct Members(Map<String, Value>);

impl Members {
    /// # Errors
    ///
    /// `SerializationException` where it is no JSON object.
    pub(crate) fn parse(body: &[u8]) -> Answer<Self> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            _ => Err(Exception::serialization("The body is not a JSON object.")),
        }
    }

    /// Those of a file, which a slip of the pen is to be found in.
    ///
    /// # Errors
    ///
    /// `InvalidParameterException` for a member that is none of these.
    pub(crate) fn only(members: Map<String, Value>, known: &[&str]) -> Answer<Self> {
        let unknown = members.keys().find(|name| !known.contains(&name.as_str()));
        match unknown {
            Some(unknown) => Err(Exception::invalid_parameter(format!(
                "the member {unknown} is unknown; known are {}",
                known.join(", ")
            ))),
            None => Ok(Self(members)),
        }
    }

    /// # Errors
    ///
    /// `SerializationException` for another type, `InvalidParameterException` for another shape.
    pub(crate) fn text(&self, member: &str, shape: Shape) -> Answer<Option<String>> {
        let text: Option<String> = self.any(member)?;
        if let Some(text) = &text {
            shape.check(member, text)?;
        }
        Ok(text)
    }

    /// # Errors
    ///
    /// As [`text`](Self::text), and `InvalidParameterException` where it is missing.
    pub(crate) fn required(&self, member: &str, shape: Shape) -> Answer<String> {
        self.text(member, shape)?
            .ok_or_else(|| violation(member, "Member must not be null"))
    }

    /// One of these words.
    ///
    /// # Errors
    ///
    /// As [`text`](Self::text), and `InvalidParameterException` for any other word.
    pub(crate) fn word(&self, member: &str, words: &[&str]) -> Answer<Option<String>> {
        let word: Option<String> = self.any(member)?;
        match &word {
            Some(word) if !words.contains(&word.as_str()) => Err(violation(
                member,
                &format!("Member must satisfy enum value set: [{}]", words.join(", ")),
            )),
            _ => Ok(word),
        }
    }

    /// # Errors
    ///
    /// As [`word`](Self::word), and `InvalidParameterException` where it is missing.
    pub(crate) fn required_word(&self, member: &str, words: &[&str]) -> Answer<String> {
        self.word(member, words)?
            .ok_or_else(|| violation(member, "Member must not be null"))
    }

    /// A whole number in this range.
    ///
    /// # Errors
    ///
    /// `SerializationException` for another type, `InvalidParameterException` out of the range.
    pub(crate) fn number(&self, member: &str, least: u64, most: u64) -> Answer<Option<u64>> {
        let number: Option<i64> = self.any(member)?;
        match number.map(u64::try_from) {
            None => Ok(None),
            Some(Ok(number)) if (least..=most).contains(&number) => Ok(Some(number)),
            Some(Ok(number)) if number > most => Err(violation(
                member,
                &format!("Member must have value less than or equal to {most}"),
            )),
            Some(_) => Err(violation(
                member,
                &format!("Member must have value greater than or equal to {least}"),
            )),
        }
    }

    /// Members within a member.
    ///
    /// # Errors
    ///
    /// `SerializationException` where it is no object.
    pub(crate) fn object(&self, member: &str) -> Answer<Option<Self>> {
        Ok(self.any(member)?.map(Self))
    }

    /// Whatever type it has to be.
    ///
    /// # Errors
    ///
    /// `SerializationException` for another type.
    pub(crate) fn any<T: for<'de> Deserialize<'de>>(&self, member: &str) -> Answer<Option<T>> {
        let value = self.0.get(member).filter(|value| !value.is_null());
        value
            .map(T::deserialize)
            .transpose()
            .map_err(|_| Exception::serialization(format!("The member {member} has another type.")))
    }
}
