//! The pools to begin with: three of this server's, or those of a file. Their members are those of
//! `CreateUserPool`, `CreateUserPoolClient` and `AdminCreateUser`, and are read as there.

use core::fmt;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use softtoken::UnixTime;
use softtoken::cognito;
use uuid::Uuid;

use crate::directory::{Attribute, Client, MfaConfiguration, Pool, Rows, Standing};
use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};
use crate::operations::{client_settings, pool_settings};
use crate::passwords::{Passwords, check_policy};

/// Pools to begin with, each with its clients and users.
#[derive(Clone, Debug)]
pub struct Pools {
    value: Value,
    /// What they were read from, to be named where they cannot be.
    file: Option<PathBuf>,
}

/// The pools of a file cannot be read. Nothing is served.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct PoolsError(String);

impl PoolsError {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

/// A user who stands ready, with the pool and one client of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seeded {
    /// Whether the pool asks for MFA, as in `MfaConfiguration`.
    pub mfa: String,
    /// Its `UserPoolId`.
    pub pool_id: String,
    /// The `ClientId` of its first client, where it has one.
    pub client_id: String,
    /// The name of the user, where there is one.
    pub username: String,
    /// The user's password, unless it was changed since.
    pub password: String,
}

const POOL: [&str; 9] = [
    "Id",
    "PoolName",
    "MfaConfiguration",
    "SoftwareTokenMfaConfiguration",
    "Policies",
    "AliasAttributes",
    "UsernameAttributes",
    "Clients",
    "Users",
];
const CLIENT: [&str; 12] = [
    "ClientId",
    "ClientName",
    "ClientSecret",
    "EnableTokenRevocation",
    "ExplicitAuthFlows",
    "PreventUserExistenceErrors",
    "AuthSessionValidity",
    "AccessTokenValidity",
    "IdTokenValidity",
    "RefreshTokenRotation",
    "RefreshTokenValidity",
    "TokenValidityUnits",
];
const USER: [&str; 5] = [
    "Username",
    "Sub",
    "Password",
    "TemporaryPassword",
    "UserAttributes",
];

impl Pools {
    /// Reads a file, as JSON where its name ends in `.json`, else as TOML.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is neither. The members are looked at when the server is built.
    pub fn read(file: &Path) -> Result<Self, PoolsError> {
        let told = |error: &dyn fmt::Display| PoolsError(format!("{}: {error}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| told(&error))?;
        let is_json = file.extension().is_some_and(|ending| ending == "json");
        let pools = if is_json {
            Self::from_json(&text)
        } else {
            Self::from_toml(&text)
        };
        Ok(Self {
            file: Some(file.to_owned()),
            ..pools.map_err(|error| told(&error))?
        })
    }

    fn of(value: Value) -> Self {
        Self { value, file: None }
    }

    /// Reads TOML.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn from_toml(text: &str) -> Result<Self, PoolsError> {
        toml::from_str(text).map(Self::of).map_err(PoolsError::new)
    }

    /// Reads JSON.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn from_json(text: &str) -> Result<Self, PoolsError> {
        serde_json::from_str(text)
            .map(Self::of)
            .map_err(PoolsError::new)
    }

    /// The three of this server.
    pub(crate) fn built_in(region: &str) -> Self {
        let pool = |mfa: &str, name: &str, id: &str, user: &str| {
            json!({
                "Id": format!("{region}_{id}"), "PoolName": name, "MfaConfiguration": mfa,
                "Clients": [{
                    "ClientId": format!("{id}client00000000000"), "ClientName": "seeded",
                    "ExplicitAuthFlows": Client::EVERY_FLOW,
                }],
                "Users": [{ "Username": user, "Password": "Correct-Horse-1" }],
            })
        };
        Self::of(json!({ "UserPools": [
            pool("OPTIONAL", "optional", "optional1", "otto"),
            pool("ON", "required", "required1", "rosa"),
            pool("OFF", "off", "off000001", "olga"),
        ] }))
    }

    /// Plants those that are not there; what is there stays as it is.
    ///
    /// # Errors
    ///
    /// Whatever refuses a member, with its file and its place.
    pub(crate) fn plant(
        &self,
        rows: &Rows<'_>,
        passwords: &Passwords,
        now: UnixTime,
    ) -> Answer<Vec<Seeded>> {
        self.plant_each(rows, passwords, now)
            .map_err(|error| match &self.file {
                Some(file) => at(&file.display().to_string(), error),
                None => error,
            })
    }

    fn plant_each(
        &self,
        rows: &Rows<'_>,
        passwords: &Passwords,
        now: UnixTime,
    ) -> Answer<Vec<Seeded>> {
        let file = Members::only(object("the file", &self.value)?, &["UserPools"])?;
        let mut seeded = Vec::new();
        let mut ids = BTreeSet::new();
        for (place, pool) in each("UserPools", "", &file)? {
            // Whether it is a text is looked at with the rest.
            let id = pool.get("Id").map(Value::to_string);
            if let Some(id) = id.filter(|id| !ids.insert(id.clone())) {
                return Err(Exception::invalid_parameter(format!(
                    "{place}: there are two pools {id}"
                )));
            }
            seeded.extend(
                plant_pool(rows, passwords, &place, pool, now)
                    .map_err(|error| at(&place, error))?,
            );
        }
        if seeded.is_empty() {
            return Err(Exception::invalid_parameter("UserPools has no pool"));
        }
        Ok(seeded)
    }
}

fn plant_pool(
    rows: &Rows<'_>,
    passwords: &Passwords,
    place: &str,
    members: Map<String, Value>,
    now: UnixTime,
) -> Answer<Vec<Seeded>> {
    let members = Members::only(members, &POOL)?;
    let id = members.required("Id", Shape::POOL_ID)?;
    if id.matches('_').count() > 1 {
        return Err(Exception::invalid_parameter(
            "Id has one _, behind the region: the clients of SRP go by what follows the first",
        ));
    }
    let name = members.text("PoolName", Shape::POOL_NAME)?;
    let default = Pool::new(id.clone(), name.unwrap_or_else(|| id.clone()), now);
    let mut pool = pool_settings(&members, default)?;
    let software_tokens: Option<Map<String, Value>> =
        members.any("SoftwareTokenMfaConfiguration")?;
    let asks = pool.mfa != MfaConfiguration::Off;
    pool.software_tokens = match software_tokens.as_ref().map(|set| set.get("Enabled")) {
        None => asks,
        Some(Some(Value::Bool(enabled))) => *enabled,
        Some(_) => {
            return Err(Exception::invalid_parameter(
                "SoftwareTokenMfaConfiguration has the member Enabled, true or false",
            ));
        }
    };
    if asks && !pool.software_tokens {
        return Err(Exception::invalid_parameter(
            "MfaConfiguration asks for a second factor, and software tokens are the only one here",
        ));
    }
    let known = rows.pools()?.iter().any(|pool| pool.id == id);
    if !known {
        rows.put_pool(&pool)?;
    }
    let mut first_client = String::new();
    for (place, members) in each("Clients", place, &members)? {
        let client = plant_client(rows, &pool, known, members, now);
        let id = client.map_err(|error| at(&place, error))?;
        if first_client.is_empty() {
            first_client = id;
        }
    }
    let mfa = json!(pool.mfa);
    let line = Seeded {
        mfa: mfa.as_str().unwrap_or_default().to_owned(),
        pool_id: id,
        client_id: first_client,
        username: String::new(),
        password: String::new(),
    };
    let mut seeded = Vec::new();
    for (place, members) in each("Users", place, &members)? {
        let user = plant_user(rows, passwords, &pool, known, members, now);
        let (username, password) = user.map_err(|error| at(&place, error))?;
        seeded.push(Seeded {
            username,
            password,
            ..line.clone()
        });
    }
    if seeded.is_empty() {
        seeded.push(line);
    }
    Ok(seeded)
}

fn plant_client(
    rows: &Rows<'_>,
    pool: &Pool,
    known: bool,
    members: Map<String, Value>,
    now: UnixTime,
) -> Answer<String> {
    let members = Members::only(members, &CLIENT)?;
    let id = members.required("ClientId", Shape::CLIENT_ID)?;
    let name = members.text("ClientName", Shape::CLIENT_NAME)?;
    let default = Client::new(
        id.clone(),
        pool.id.clone(),
        name.unwrap_or_else(|| id.clone()),
        now,
    );
    let client = Client {
        secret: members.text("ClientSecret", Shape::CLIENT_SECRET)?,
        ..client_settings(&members, default)?
    };
    if !known {
        if rows.client(&id).is_ok() {
            return Err(Exception::invalid_parameter(format!(
                "there are two clients {id}"
            )));
        }
        rows.put_client(&client)?;
    }
    Ok(id)
}

fn plant_user(
    rows: &Rows<'_>,
    passwords: &Passwords,
    pool: &Pool,
    known: bool,
    members: Map<String, Value>,
    now: UnixTime,
) -> Answer<(String, String)> {
    let members = Members::only(members, &USER)?;
    let name = members.required("Username", Shape::USERNAME)?;
    let permanent = members.text("Password", Shape::PASSWORD)?;
    let temporary = members.text("TemporaryPassword", Shape::PASSWORD)?;
    let (password, standing) = match (permanent, temporary) {
        (Some(password), None) => (password, Standing::Confirmed),
        (None, Some(password)) => (password, Standing::ForceChangePassword),
        _ => {
            return Err(Exception::invalid_parameter(
                "a user has Password or TemporaryPassword",
            ));
        }
    };
    check_policy(&password, pool.minimum_password_length)?;
    let mut user = pool.new_user(name.clone(), Attribute::all(&members)?, now)?;
    if let Some(sub) = members.text("Sub", Shape::TEXT)? {
        let sub =
            Uuid::parse_str(&sub).map_err(|_| Exception::invalid_parameter("Sub is a UUID"))?;
        user.is_of(sub);
        if !known && rows.has_sub(&user.sub)? {
            return Err(Exception::invalid_parameter(format!(
                "there is another user of the Sub {sub}"
            )));
        }
    }
    user.standing = standing;
    if !known {
        if rows.user(&pool.id, &name)?.is_some() {
            return Err(Exception::invalid_parameter(format!(
                "there are two users {name}"
            )));
        }
        user.password = Some(passwords.keep_here(&user.pool, &user.username, &password)?);
        rows.claim_aliases(pool, &user, false)?;
        rows.put_user(&user)?;
    }
    Ok((name, password))
}

/// The objects of a list, each with its place.
fn each(
    member: &str,
    within: &str,
    members: &Members,
) -> Answer<Vec<(String, Map<String, Value>)>> {
    let list: Vec<Value> = members.any(member)?.unwrap_or_default();
    let dot = if within.is_empty() { "" } else { "." };
    let placed = list.into_iter().enumerate().map(|(index, value)| {
        let place = format!("{within}{dot}{member}[{index}]");
        let object = object(&place, &value)?;
        Ok((place, object))
    });
    placed.collect()
}

fn object(place: &str, value: &Value) -> Answer<Map<String, Value>> {
    Map::deserialize(value)
        .map_err(|_| Exception::invalid_parameter(format!("{place} is not a table of members")))
}

/// The same refusal, with its place; an inner one has it already.
fn at(place: &str, Exception(exception): Exception) -> Exception {
    let message = exception.message();
    if exception.kind() == cognito::Name::InternalError || message.starts_with(place) {
        return Exception(exception);
    }
    Exception(cognito::Exception::new(
        exception.kind(),
        format!("{place}: {message}"),
    ))
}

/// They as a table, for the console.
pub(crate) fn table(seeded: &[Seeded]) -> String {
    let titles = ["MFA", "UserPoolId", "ClientId", "Username", "Password"];
    let rows = seeded.iter().map(|seeded| {
        [
            seeded.mfa.as_str(),
            &seeded.pool_id,
            &seeded.client_id,
            &seeded.username,
            &seeded.password,
        ]
    });
    let lines = [titles]
        .into_iter()
        .chain(rows)
        .map(|[mfa, pool, client, user, password]| {
            format!("{mfa:<8}  {pool:<19}  {client:<26}  {user:<8}  {password}\n")
        });
    lines.collect()
}
