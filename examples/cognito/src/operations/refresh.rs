//! Refresh tokens: `REFRESH_TOKEN_AUTH`, `GetTokensFromRefreshToken` with its rotation, and
//! `RevokeToken`.

use core::time::Duration;

use serde_json::{Value, json};
use softtoken::UnixTime;
use softtoken::cognito::AuthenticationResult;

use super::asked_by::named_client;
use super::parameters::Parameters;
use crate::directory::{Client, Pool, User};
use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};
use crate::server::Server;
use crate::tokens::{Claims, RefreshToken, TokenUse};

/// Answers `REFRESH_TOKEN_AUTH`.
///
/// # Errors
///
/// `NotAuthorizedException` for a token that is none, expired or was revoked.
pub(super) async fn by_auth_flow(
    server: &Server,
    pool: &Pool,
    client: Client,
    parameters: &Parameters,
) -> Answer<AuthenticationResult> {
    let token = parameters.required("REFRESH_TOKEN")?;
    let (claims, user) = holder(server, pool, &client, token).await?;
    let hash = parameters.get("SECRET_HASH");
    client
        .check_secret_hash(&user.username, hash)
        .or_else(|_| client.check_secret_hash(&user.sub, hash))?;
    let (by, now) = (&claims.authentication, server.now()?);
    server
        .tokens()
        .issue(&user, &client, by, now, RefreshToken::None)
}

/// Answers `GetTokensFromRefreshToken`.
///
/// # Errors
///
/// As [`by_auth_flow`], and `RefreshTokenReuseException` for a token that was rotated out.
pub(super) async fn get_tokens(server: &Server, members: &Members) -> Answer<Value> {
    let (pool, client) = named_client(server, members).await?;
    let token = members.required("RefreshToken", Shape::TOKEN)?;
    let secret = members.text("ClientSecret", Shape::CLIENT_SECRET)?;
    if !client.has_secret(secret.as_deref()) {
        return Err(Exception::not_authorized(
            "Unable to verify the secret of the client.",
        ));
    }
    let (claims, user) = holder(server, &pool, &client, &token).await?;
    let now = server.now()?;
    let refresh_token = match client.rotation {
        None => RefreshToken::None,
        Some(grace) => {
            rotate_out(server, &claims, Duration::from_secs(grace), now).await?;
            // It lives no longer than the one that it replaces.
            RefreshToken::Until(UnixTime::from_secs(claims.exp))
        }
    };
    let by = &claims.authentication;
    let issued = server
        .tokens()
        .issue(&user, &client, by, now, refresh_token)?;
    Ok(json!({ "AuthenticationResult": issued }))
}

/// Names a refresh token, as one that is spent.
fn spent(claims: &Claims) -> String {
    format!("refresh token {}", claims.jti)
}

fn reuse() -> Exception {
    Exception::refresh_token_reuse("Refresh token has been invalidated by rotation.")
}

/// From now on the token is good for retries within the grace period alone.
async fn rotate_out(
    server: &Server,
    claims: &Claims,
    grace: Duration,
    now: UnixTime,
) -> Answer<()> {
    let token = spent(claims);
    let (since, until) = (now.saturating_add(grace), UnixTime::from_secs(claims.exp));
    let change = server
        .directory()
        .change(move |rows| rows.void(&token, now, since, until));
    match change.await? {
        Some(since) if now >= since => Err(reuse()),
        _ => Ok(()),
    }
}

/// Answers `RevokeToken`: the whole login is void, with every token that was refreshed from it. One
/// that is so already, or has expired, is no error.
pub(super) async fn revoke(server: &Server, members: &Members) -> Answer<Value> {
    let id = members.required("ClientId", Shape::CLIENT_ID)?;
    let token = members.required("Token", Shape::TOKEN)?;
    let secret = members.text("ClientSecret", Shape::CLIENT_SECRET)?;
    let unauthorized = || Exception::unauthorized("The client is not known by this id and secret.");
    let read = server.directory().read(move |rows| rows.client(&id));
    let client = read.await.map_err(|exception| {
        if exception.is_not_found() {
            unauthorized()
        } else {
            exception
        }
    })?;
    if !client.has_secret(secret.as_deref()) {
        return Err(unauthorized());
    }
    if !client.revokes {
        return Err(Exception::unsupported_operation(
            "Token revocation is not enabled for this client.",
        ));
    }
    let claims = server.tokens().signed_claims(&token);
    let claims = claims.ok_or_else(|| Exception::invalid_parameter("Invalid Refresh Token"))?;
    if claims.token_use != TokenUse::Refresh {
        return Err(Exception::unsupported_token_type(
            "Only refresh tokens can be revoked.",
        ));
    }
    if claims.client_id != client.id {
        return Err(Exception::unauthorized(
            "The token was issued to another client.",
        ));
    }
    let now = server.now()?;
    // What was issued by it just now lives on after it, for as long as the client said then.
    let longest = Duration::from_secs(Client::LONGEST_VALIDITY);
    let until = now.saturating_add(longest);
    let until = until.max(UnixTime::from_secs(claims.exp));
    let login = claims.login();
    let change = server
        .directory()
        .change(move |rows| rows.void(&login, now, now, until));
    change.await?;
    Ok(json!({}))
}

/// Whose refresh token it is, and its claims. One that was rotated out is refused whatever the
/// client says of rotation now.
async fn holder(
    server: &Server,
    pool: &Pool,
    client: &Client,
    token: &str,
) -> Answer<(Claims, User)> {
    let now = server.now()?;
    let claims = server.tokens().check(token, TokenUse::Refresh, now)?;
    if claims.client_id != client.id || claims.pool() != pool.id {
        return Err(Exception::not_authorized("Invalid Refresh Token"));
    }
    let pool = pool.id.clone();
    let read = server.directory().read(move |rows| {
        let user = rows.holder(&pool, &claims.sub)?;
        if claims.generation != user.generation || rows.void_since(&claims.login())?.is_some() {
            return Err(Exception::not_authorized("Refresh Token has been revoked"));
        }
        user.check_standing()?;
        let void = rows.void_since(&spent(&claims))?;
        if void.is_some_and(|since| now >= since) {
            return Err(reuse());
        }
        Ok((claims, user))
    });
    read.await
}
