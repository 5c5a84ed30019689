//! Pools: `CreateUserPool`, `DescribeUserPool`, `ListUserPools`, `UpdateUserPool`,
//! `DeleteUserPool`, and what they demand of a sign-in.

use serde_json::{Map, Value, json};

use super::absent;
use super::paging::page;
use crate::directory::{ALIASES, MfaConfiguration, Pool, USERNAMES};
use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};
use crate::random_id::random_id;
use crate::server::Server;

/// Second factors of Cognito's that this server does not have: what is set of them is kept, to be
/// read back.
const OTHER_FACTORS: [&str; 3] = [
    "SmsMfaConfiguration",
    "EmailMfaConfiguration",
    "WebAuthnConfiguration",
];

pub(super) async fn create(server: &Server, members: &Members) -> Answer<Value> {
    let default = Pool::new(
        format!("{}_{}", server.region(), random_id(9)),
        members.required("PoolName", Shape::POOL_NAME)?,
        server.now()?,
    );
    let pool = settings(members, default)?;
    let described = describe_pool(&pool);
    server
        .directory()
        .change(move |rows| rows.put_pool(&pool))
        .await?;
    Ok(json!({ "UserPool": described }))
}

/// What is not named is as in a new pool, `MfaConfiguration` as well: the service model says of this
/// operation that a member without a value gets its default, `UserPoolTier` apart. Names of users do not change, and which second factors
/// there are is another operation's.
pub(super) async fn update(server: &Server, members: &Members) -> Answer<Value> {
    let old = named(server, members).await?;
    let name = members.text("PoolName", Shape::POOL_NAME)?;
    let now = server.now()?;
    let default = Pool::new(old.id, name.unwrap_or(old.name), now);
    let new = settings(members, default)?;
    let change = server.directory().change(move |rows| {
        let old = rows.pool(&new.id)?;
        if new.mfa != MfaConfiguration::Off && !old.has_second_factor() {
            return Err(no_second_factor());
        }
        rows.put_pool(&Pool {
            software_tokens: old.software_tokens,
            other_factors: old.other_factors,
            alias_attributes: old.alias_attributes,
            username_attributes: old.username_attributes,
            created: old.created,
            ..new
        })
    });
    change.await?;
    Ok(json!({}))
}

/// What a request, or a file, says of a pool; what it does not is as in `default`.
///
/// # Errors
///
/// `InvalidParameterException` for what cannot be.
pub(crate) fn settings(members: &Members, default: Pool) -> Answer<Pool> {
    absent::check_pool(members)?;
    let policies: Option<Map<String, Value>> = members.any("Policies")?;
    let minimum = policies.as_ref().and_then(|policies| {
        policies
            .get("PasswordPolicy")?
            .get("MinimumLength")?
            .as_u64()
    });
    if minimum.is_some_and(|minimum| !(6..=99).contains(&minimum)) {
        return Err(Exception::invalid_parameter("MinimumLength is 6 to 99"));
    }
    let alias_attributes = attributes(members, "AliasAttributes", &ALIASES)?;
    let username_attributes = attributes(members, "UsernameAttributes", &USERNAMES)?;
    if !alias_attributes.is_empty() && !username_attributes.is_empty() {
        return Err(Exception::invalid_parameter(
            "Only one of the aliasAttributes or usernameAttributes can be set in a user pool.",
        ));
    }
    Ok(Pool {
        mfa: mfa_configuration(members)?.unwrap_or(default.mfa),
        minimum_password_length: minimum
            .and_then(|minimum| minimum.try_into().ok())
            .unwrap_or(default.minimum_password_length),
        alias_attributes,
        username_attributes,
        ..default
    })
}

fn attributes(members: &Members, member: &str, known: &[&str]) -> Answer<Vec<String>> {
    let named: Vec<String> = members.any(member)?.unwrap_or_default();
    if named.iter().all(|name| known.contains(&name.as_str())) {
        return Ok(named);
    }
    Err(Exception::invalid_parameter(format!(
        "{member} are some of {}.",
        known.join(", ")
    )))
}

fn no_second_factor() -> Exception {
    Exception::invalid_parameter(
        "Invalid MFA configuration given, can't turn on MFA without a second factor.",
    )
}

pub(super) async fn describe(server: &Server, members: &Members) -> Answer<Value> {
    let pool = named(server, members).await?;
    Ok(json!({ "UserPool": describe_pool(&pool) }))
}

pub(super) async fn list(server: &Server, members: &Members) -> Answer<Value> {
    let most = members.number("MaxResults", 1, 60)?;
    let most = most.ok_or_else(|| Exception::invalid_parameter("MaxResults must not be null"))?;
    let after = members.text("NextToken", Shape::TEXT)?;
    let read = server.directory().read(move |rows| {
        let pools = rows.pools()?;
        let (pools, next) = page(&pools, |pool| &pool.id, after.as_deref(), most)?;
        let describe = |pool: &Pool| {
            json!({
                "Id": pool.id, "Name": pool.name, "CreationDate": pool.created,
                "LastModifiedDate": pool.modified,
            })
        };
        let mut answer = json!({ "UserPools": pools.iter().map(describe).collect::<Vec<_>>() });
        if let Some(next) = next {
            answer["NextToken"] = next.into();
        }
        Ok(answer)
    });
    read.await
}

pub(super) async fn delete(server: &Server, members: &Members) -> Answer<Value> {
    let id = members.required("UserPoolId", Shape::POOL_ID)?;
    let delete = server.directory().change(move |rows| {
        rows.pool(&id)?;
        let users = rows.users(&id)?;
        rows.delete_pool(&id)?;
        Ok(users)
    });
    server.forget(&delete.await?).await?;
    Ok(json!({}))
}

/// What is not named stays as it is. `OFF` switches every factor off that is not named with it.
pub(super) async fn set_mfa_config(server: &Server, members: &Members) -> Answer<Value> {
    let id = members.required("UserPoolId", Shape::POOL_ID)?;
    let mfa = mfa_configuration(members)?;
    let software_tokens: Option<Map<String, Value>> =
        members.any("SoftwareTokenMfaConfiguration")?;
    let software_tokens = match software_tokens
        .as_ref()
        .map(|settings| settings.get("Enabled"))
    {
        None => None,
        Some(None | Some(Value::Null)) => Some(false),
        Some(Some(Value::Bool(enabled))) => Some(*enabled),
        Some(Some(_)) => return Err(Exception::serialization("Enabled is true or false.")),
    };
    let mut others = Map::new();
    for factor in OTHER_FACTORS {
        if let Some(settings) = members.any::<Map<String, Value>>(factor)? {
            others.insert(factor.to_owned(), settings.into());
        }
    }
    let now = server.now()?.as_secs();
    let change = server.directory().change(move |rows| {
        let mut pool = rows.pool(&id)?;
        if mfa == Some(MfaConfiguration::Off) {
            pool.software_tokens = false;
            pool.other_factors.clear();
        }
        pool.software_tokens = software_tokens.unwrap_or(pool.software_tokens);
        pool.other_factors.extend(others);
        pool.mfa = mfa.unwrap_or(pool.mfa);
        if pool.mfa != MfaConfiguration::Off && !pool.has_second_factor() {
            return Err(no_second_factor());
        }
        pool.modified = now;
        rows.put_pool(&pool)?;
        Ok(pool)
    });
    Ok(mfa_config(&change.await?))
}

pub(super) async fn get_mfa_config(server: &Server, members: &Members) -> Answer<Value> {
    Ok(mfa_config(&named(server, members).await?))
}

async fn named(server: &Server, members: &Members) -> Answer<Pool> {
    let id = members.required("UserPoolId", Shape::POOL_ID)?;
    server.directory().read(move |rows| rows.pool(&id)).await
}

fn mfa_configuration(members: &Members) -> Answer<Option<MfaConfiguration>> {
    let word = members.word("MfaConfiguration", &["OFF", "ON", "OPTIONAL"])?;
    Ok(word.map(|word| match word.as_str() {
        "ON" => MfaConfiguration::On,
        "OPTIONAL" => MfaConfiguration::Optional,
        _ => MfaConfiguration::Off,
    }))
}

fn mfa_config(pool: &Pool) -> Value {
    let mut config = Value::Object(pool.other_factors.clone());
    config["MfaConfiguration"] = json!(pool.mfa);
    if pool.software_tokens || pool.mfa != MfaConfiguration::Off {
        config["SoftwareTokenMfaConfiguration"] = json!({ "Enabled": pool.software_tokens });
    }
    config
}

fn describe_pool(pool: &Pool) -> Value {
    let region = pool.id.rsplit_once('_').map_or("", |(region, _)| region);
    let mut described = json!({
        "Id": pool.id,
        "Name": pool.name,
        "MfaConfiguration": pool.mfa,
        "Policies": { "PasswordPolicy": { "MinimumLength": pool.minimum_password_length } },
        "Arn": format!("arn:aws:cognito-idp:{region}:000000000000:userpool/{}", pool.id),
        "CreationDate": pool.created,
        "LastModifiedDate": pool.modified,
    });
    for (member, attributes) in [
        ("AliasAttributes", &pool.alias_attributes),
        ("UsernameAttributes", &pool.username_attributes),
    ] {
        if !attributes.is_empty() {
            described[member] = json!(attributes);
        }
    }
    described
}
