//! The users of a pool, found by what is known of them: `ListUsers`.

use serde_json::{Value, json};

use super::admin::describe;
use super::paging::page;
use crate::directory::{Attribute, User};
use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};
use crate::server::Server;

/// The attributes that the service searches by.
const SEARCHED: [&str; 11] = [
    "cognito:user_status",
    "email",
    "family_name",
    "given_name",
    "name",
    "phone_number",
    "preferred_username",
    "status",
    "sub",
    "username",
    "cognito:username",
];

pub(super) async fn list(server: &Server, members: &Members) -> Answer<Value> {
    let pool = members.required("UserPoolId", Shape::POOL_ID)?;
    let most = members.number("Limit", 0, 60)?.filter(|most| *most > 0);
    let after = members.text("PaginationToken", Shape::TEXT)?;
    let filter = members.text("Filter", Shape::FILTER)?;
    let filter = filter
        .filter(|filter| !filter.trim().is_empty())
        .map(|filter| Filter::parse(&filter))
        .transpose()?;
    let shown: Option<Vec<String>> = members.any("AttributesToGet")?;
    let read = server.directory().read(move |rows| {
        rows.pool(&pool)?;
        let mut users = rows.users(&pool)?;
        users.retain(|user| filter.as_ref().is_none_or(|filter| filter.finds(user)));
        let (users, next) = page(
            &users,
            |user| &user.sub,
            after.as_deref(),
            most.unwrap_or(60),
        )?;
        let users: Vec<_> = users
            .iter()
            .map(|user| described(user, shown.as_deref()))
            .collect();
        let mut answer = json!({ "Users": users });
        if let Some(next) = next {
            answer["PaginationToken"] = next.into();
        }
        Ok(answer)
    });
    read.await
}

fn described(user: &User, shown: Option<&[String]>) -> Value {
    let mut attributes = user.attributes();
    if let Some(shown) = shown {
        attributes.retain(|Attribute { name, .. }| shown.contains(name));
    }
    let mut described = describe(user);
    described["Attributes"] = json!(attributes);
    described
}

/// `name = "value"`, or `name ^= "beginning of the value"`.
struct Filter {
    name: String,
    value: String,
    beginning: bool,
}

impl Filter {
    /// # Errors
    ///
    /// `InvalidParameterException`.
    fn parse(text: &str) -> Answer<Self> {
        let read = |text: &str| {
            let (left, value) = text.split_once('=')?;
            let (name, beginning) = match left.strip_suffix('^') {
                Some(name) => (name, true),
                None => (left, false),
            };
            let name = name.trim().trim_matches('"').to_owned();
            let value = unquoted(value.trim())?;
            Some(Self {
                name,
                value,
                beginning,
            })
        };
        let filter = read(text).ok_or_else(|| {
            Exception::invalid_parameter(
                "A filter is AttributeName = \"value\", or AttributeName ^= \"beginning\".",
            )
        })?;
        if !SEARCHED.contains(&filter.name.as_str()) {
            return Err(Exception::invalid_parameter(format!(
                "A filter names one of {}.",
                SEARCHED.join(", ")
            )));
        }
        Ok(filter)
    }

    fn finds(&self, user: &User) -> bool {
        let standing = json!(user.standing);
        let value = match self.name.as_str() {
            "username" | "cognito:username" => Some(user.username.as_str()),
            "sub" => Some(user.sub.as_str()),
            "cognito:user_status" => standing.as_str(),
            "status" => Some(if user.enabled { "Enabled" } else { "Disabled" }),
            name => user.attribute(name),
        };
        let beginning = self.beginning;
        value.is_some_and(|value| {
            value == self.value || (beginning && value.starts_with(&self.value))
        })
    }
}

/// Quotes around it are gone, and the backslashes before those within.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut value = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return None,
            '\\' => value.push(letters.next()?),
            letter => value.push(letter),
        }
    }
    Some(value)
}
