//! What users do with their access token, apart from setting up a second factor:
//! `GetUser`, `GetUserAuthFactors`, `ChangePassword`, `GlobalSignOut`, `DeleteUser`.

use serde_json::{Value, json};

use super::admin::with_mfa;
use crate::directory::User;
use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};
use crate::passwords::check_policy;
use crate::server::Server;
use crate::tokens::{Claims, TokenUse};

/// Whose access token it is, and its claims.
///
/// # Errors
///
/// `NotAuthorizedException` for a token that is none, expired or was revoked, or whose user is
/// disabled; `ResourceNotFoundException` where the pool is gone, `UserNotFoundException` where the
/// user is; `UserNotConfirmedException` and `PasswordResetRequiredException` where the user may do
/// nothing now.
pub(super) async fn holder(server: &Server, token: &str) -> Answer<(User, Claims)> {
    let claims = server
        .tokens()
        .check(token, TokenUse::Access, server.now()?)?;
    let read = server.directory().read(move |rows| {
        let user = rows.holder(claims.pool(), &claims.sub)?;
        if claims.generation != user.generation || rows.void_since(&claims.login())?.is_some() {
            return Err(Exception::not_authorized("Access Token has been revoked"));
        }
        user.check_standing()?;
        Ok((user, claims))
    });
    read.await
}

pub(super) async fn get_user(server: &Server, members: &Members) -> Answer<Value> {
    let token = members.required("AccessToken", Shape::TOKEN)?;
    let (user, _) = holder(server, &token).await?;
    let described = json!({ "Username": user.username, "UserAttributes": user.attributes() });
    with_mfa(server, &user, described).await
}

pub(super) async fn auth_factors(server: &Server, members: &Members) -> Answer<Value> {
    let token = members.required("AccessToken", Shape::TOKEN)?;
    let (user, _) = holder(server, &token).await?;
    let password = user.password.is_some().then_some("PASSWORD");
    let in_force = server.status(&user).await?.is_verified();
    let token = in_force.then_some("SOFTWARE_TOKEN");
    let factors: Vec<_> = password.into_iter().chain(token).collect();
    let described = json!({ "Username": user.username, "ConfiguredUserAuthFactors": factors });
    with_mfa(server, &user, described).await
}

pub(super) async fn change_password(server: &Server, members: &Members) -> Answer<Value> {
    let token = members.required("AccessToken", Shape::TOKEN)?;
    let previous = members.required("PreviousPassword", Shape::PASSWORD)?;
    let proposed = members.required("ProposedPassword", Shape::PASSWORD)?;
    let (user, _) = holder(server, &token).await?;
    let generation = user.password_generation;
    let kept = user.password.clone();
    if !server.passwords().verify(previous, kept).await? {
        return Err(Exception::not_authorized("Incorrect username or password."));
    }
    let pool = user.pool.clone();
    let pool = server
        .directory()
        .read(move |rows| rows.pool(&pool))
        .await?;
    check_policy(&proposed, pool.minimum_password_length)?;
    let kept = server.passwords().keep(&pool.id, &user.username, proposed);
    let kept = kept.await?;
    let now = server.now()?.as_secs();
    let change = server.directory().change(move |rows| {
        let mut user = rows.holder(&user.pool, &user.sub)?;
        if user.password_generation != generation {
            return Err(Exception::not_authorized("Incorrect username or password."));
        }
        let standing = user.standing;
        user.set_password(kept, standing);
        user.modified = now;
        rows.put_user(&user)
    });
    change.await?;
    Ok(json!({}))
}

pub(super) async fn sign_out(server: &Server, members: &Members) -> Answer<Value> {
    let token = members.required("AccessToken", Shape::TOKEN)?;
    let (user, _) = holder(server, &token).await?;
    let raise = server.directory().change(move |rows| {
        let mut user = rows.holder(&user.pool, &user.sub)?;
        user.revoke_tokens();
        rows.put_user(&user)
    });
    raise.await?;
    Ok(json!({}))
}

pub(super) async fn delete_user(server: &Server, members: &Members) -> Answer<Value> {
    let token = members.required("AccessToken", Shape::TOKEN)?;
    let (user, _) = holder(server, &token).await?;
    let delete = server.directory().change(move |rows| {
        let user = rows.holder(&user.pool, &user.sub)?;
        rows.delete_user(&user)?;
        Ok(user)
    });
    server.forget(&[delete.await?]).await?;
    Ok(json!({}))
}
