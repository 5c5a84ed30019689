//! App clients: `CreateUserPoolClient`, `DescribeUserPoolClient`, `ListUserPoolClients`,
//! `UpdateUserPoolClient`, `DeleteUserPoolClient`.

use serde_json::{Map, Value, json};

use super::paging::page;
use crate::directory::Client;
use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};
use crate::random_id::random_id;
use crate::server::Server;

const FLOWS: [&str; 11] = [
    "ADMIN_NO_SRP_AUTH",
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "ALLOW_CUSTOM_AUTH",
    "ALLOW_REFRESH_TOKEN_AUTH",
    "ALLOW_TOKEN_EXCHANGE_DELEGATION",
    "ALLOW_TOKEN_EXCHANGE_IMPERSONATION",
    "ALLOW_USER_AUTH",
    "ALLOW_USER_PASSWORD_AUTH",
    "ALLOW_USER_SRP_AUTH",
    "CUSTOM_AUTH_FLOW_ONLY",
    "USER_PASSWORD_AUTH",
];

pub(super) async fn create(server: &Server, members: &Members) -> Answer<Value> {
    let makes_secret: Option<bool> = members.any("GenerateSecret")?;
    let default = Client::new(
        random_id(26),
        members.required("UserPoolId", Shape::POOL_ID)?,
        members.required("ClientName", Shape::CLIENT_NAME)?,
        server.now()?,
    );
    let client = Client {
        secret: makes_secret.unwrap_or(false).then(|| random_id(51)),
        ..settings(members, default)?
    };
    let described = describe_client(&client);
    let put = server.directory().change(move |rows| {
        rows.pool(&client.pool)?;
        rows.put_client(&client)
    });
    put.await?;
    Ok(json!({ "UserPoolClient": described }))
}

/// What is not named is as in a new client.
pub(super) async fn update(server: &Server, members: &Members) -> Answer<Value> {
    let old = named(server, members).await?;
    let name = members.text("ClientName", Shape::CLIENT_NAME)?;
    let default = Client::new(old.id, old.pool, name.unwrap_or(old.name), server.now()?);
    let new = settings(members, default)?;
    let change = server.directory().change(move |rows| {
        let old = rows.client_of(&new.pool, &new.id)?;
        let client = Client {
            secret: old.secret,
            created: old.created,
            ..new
        };
        rows.put_client(&client)?;
        Ok(client)
    });
    Ok(json!({ "UserPoolClient": describe_client(&change.await?) }))
}

pub(super) async fn delete(server: &Server, members: &Members) -> Answer<Value> {
    let client = named(server, members).await?;
    server
        .directory()
        .change(move |rows| rows.delete_client(&client))
        .await?;
    Ok(json!({}))
}

pub(super) async fn list(server: &Server, members: &Members) -> Answer<Value> {
    let pool = members.required("UserPoolId", Shape::POOL_ID)?;
    let most = members.number("MaxResults", 1, 60)?.unwrap_or(60);
    let after = members.text("NextToken", Shape::TEXT)?;
    let read = server.directory().read(move |rows| {
        rows.pool(&pool)?;
        let clients = rows.clients(&pool)?;
        let (clients, next) = page(&clients, |client| &client.id, after.as_deref(), most)?;
        let describe = |client: &Client| {
            json!({
                "ClientId": client.id, "UserPoolId": client.pool, "ClientName": client.name,
            })
        };
        let clients: Vec<_> = clients.iter().map(describe).collect();
        let mut answer = json!({ "UserPoolClients": clients });
        if let Some(next) = next {
            answer["NextToken"] = next.into();
        }
        Ok(answer)
    });
    read.await
}

/// What a request, or a file, says of a client; what it does not is as in `default`.
///
/// # Errors
///
/// `InvalidParameterException` for what cannot be.
pub(crate) fn settings(members: &Members, default: Client) -> Answer<Client> {
    let flows: Vec<String> = members.any("ExplicitAuthFlows")?.unwrap_or_default();
    if let Some(unknown) = flows.iter().find(|flow| !FLOWS.contains(&flow.as_str())) {
        return Err(Exception::invalid_parameter(format!(
            "{unknown} is no auth flow."
        )));
    }
    if flows.iter().any(|flow| flow.starts_with("ALLOW_"))
        && !flows.iter().all(|flow| flow.starts_with("ALLOW_"))
    {
        return Err(Exception::invalid_parameter(
            "ExplicitAuthFlows with the prefix ALLOW_ cannot be mixed with those without.",
        ));
    }
    let hides = members.word("PreventUserExistenceErrors", &["LEGACY", "ENABLED"])?;
    let revokes: Option<bool> = members.any("EnableTokenRevocation")?;
    Ok(Client {
        flows: if flows.is_empty() {
            default.flows
        } else {
            flows
        },
        hides_users: hides.as_deref() == Some("ENABLED"),
        session_validity: members
            .number(
                "AuthSessionValidity",
                *Client::SESSION_VALIDITY.start(),
                *Client::SESSION_VALIDITY.end(),
            )?
            .unwrap_or(default.session_validity),
        access_validity: validity(members, "AccessToken", Client::LONGEST_VALIDITY, "hours")?
            .unwrap_or(default.access_validity),
        id_validity: validity(members, "IdToken", Client::LONGEST_VALIDITY, "hours")?
            .unwrap_or(default.id_validity),
        refresh_validity: validity(members, "RefreshToken", 3650 * DAY, "days")?
            .unwrap_or(default.refresh_validity),
        rotation: rotation(members)?,
        revokes: revokes.unwrap_or(default.revokes),
        ..default
    })
}

/// For how long a refresh token may be used again once it is rotated out, in seconds; `None` where
/// it is not rotated.
fn rotation(members: &Members) -> Answer<Option<u64>> {
    let Some(settings) = members.object("RefreshTokenRotation")? else {
        return Ok(None);
    };
    let feature = settings.required_word("Feature", &["ENABLED", "DISABLED"])?;
    let grace = settings.number("RetryGracePeriodSeconds", 0, 60)?;
    Ok((feature == "ENABLED").then_some(grace.unwrap_or(0)))
}

pub(super) async fn describe(server: &Server, members: &Members) -> Answer<Value> {
    let client = named(server, members).await?;
    Ok(json!({ "UserPoolClient": describe_client(&client) }))
}

async fn named(server: &Server, members: &Members) -> Answer<Client> {
    let pool = members.required("UserPoolId", Shape::POOL_ID)?;
    let id = members.required("ClientId", Shape::CLIENT_ID)?;
    let read = server.directory().read(move |rows| {
        rows.pool(&pool)?;
        rows.client_of(&pool, &id)
    });
    read.await
}

const DAY: u64 = 86_400;

/// How long this kind of token lives, in seconds, `most` of them; `None`, or 0 for a refresh token,
/// is the default.
/// Any time will do, less than Cognito's five minutes as well, so that an expiry can be waited for.
fn validity(members: &Members, token: &str, most: u64, default_unit: &str) -> Answer<Option<u64>> {
    let least = u64::from(token != "RefreshToken");
    let number = members.number(&format!("{token}Validity"), least, most)?;
    let units: Option<Map<String, Value>> = members.any("TokenValidityUnits")?;
    let unit = units.as_ref().and_then(|units| units.get(token)?.as_str());
    let seconds = match unit.unwrap_or(default_unit) {
        "seconds" => 1,
        "minutes" => 60,
        "hours" => 3600,
        "days" => DAY,
        _ => {
            return Err(Exception::invalid_parameter(
                "TokenValidityUnits are seconds, minutes, hours or days.",
            ));
        }
    };
    match number.map(|number| number.saturating_mul(seconds)) {
        None | Some(0) => Ok(None),
        Some(seconds) if seconds <= most => Ok(Some(seconds)),
        Some(_) => Err(Exception::invalid_parameter(format!(
            "Invalid range for token validity: {token}."
        ))),
    }
}

fn describe_client(client: &Client) -> Value {
    let rotation = match client.rotation {
        Some(grace) => json!({ "Feature": "ENABLED", "RetryGracePeriodSeconds": grace }),
        None => json!({ "Feature": "DISABLED" }),
    };
    let mut described = json!({
        "UserPoolId": client.pool,
        "ClientName": client.name,
        "ClientId": client.id,
        "ExplicitAuthFlows": client.flows,
        "PreventUserExistenceErrors": if client.hides_users { "ENABLED" } else { "LEGACY" },
        "AuthSessionValidity": client.session_validity,
        "AccessTokenValidity": client.access_validity,
        "IdTokenValidity": client.id_validity,
        "RefreshTokenValidity": client.refresh_validity,
        "TokenValidityUnits": { "AccessToken": "seconds", "IdToken": "seconds", "RefreshToken": "seconds" },
        "RefreshTokenRotation": rotation,
        "EnableTokenRevocation": client.revokes,
        "CreationDate": client.created,
        "LastModifiedDate": client.created,
    });
    if let Some(secret) = &client.secret {
        described["ClientSecret"] = secret.clone().into();
    }
    described
}
