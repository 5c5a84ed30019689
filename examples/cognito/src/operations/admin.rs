//! The operations of an administrator on users. Anyone who reaches this server is one: the
//! signatures of requests are not checked.

use serde_json::{Value, json};

use super::sign_up::{confirm, may_reset};
use crate::directory::{Attribute, Standing, User};
use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};
use crate::passwords::check_policy;
use crate::server::Server;

pub(super) async fn create_user(server: &Server, members: &Members) -> Answer<Value> {
    let (pool, username) = named(members)?;
    let password = members.text("TemporaryPassword", Shape::PASSWORD)?;
    let attributes = Attribute::all(members)?;
    let again = members
        .word("MessageAction", &["RESEND", "SUPPRESS"])?
        .as_deref()
        == Some("RESEND");
    let takes_aliases: Option<bool> = members.any("ForceAliasCreation")?;
    let takes_aliases = takes_aliases.unwrap_or(false);
    let name = username.clone();
    let read = server
        .directory()
        .read(move |rows| Ok((rows.pool(&pool)?, rows.user(&pool, &name)?)));
    let (settings, known) = read.await?;
    let mut user = settings.new_user(username.clone(), attributes, server.now()?)?;
    user.standing = Standing::ForceChangePassword;
    if let Some(password) = password {
        check_policy(&password, settings.minimum_password_length)?;
        // An invitation that is sent again is of the user who is known.
        let name = &known.as_ref().unwrap_or(&user).username;
        let kept = server.passwords().keep(&user.pool, name, password);
        user.password = Some(kept.await?);
    }
    let put = server.directory().change(move |rows| {
        match rows.user(&user.pool, &username)? {
            None if again => return Err(Exception::user_not_found("User does not exist.")),
            None => {}
            Some(known) if again && known.standing == Standing::ForceChangePassword => {
                let password = user.password.take();
                user = known;
                if let Some(password) = password {
                    user.set_password(password, Standing::ForceChangePassword);
                }
            }
            Some(_) if again => {
                return Err(Exception::unsupported_user_state(
                    "Resend not possible. Status is not FORCE_CHANGE_PASSWORD",
                ));
            }
            Some(_) => return Err(Exception::username_exists("User account already exists")),
        }
        rows.claim_aliases(&settings, &user, takes_aliases)?;
        rows.put_user(&user)?;
        Ok(user)
    });
    let user = put.await?;
    let mut described = describe(&user);
    described["Attributes"] = json!(user.attributes());
    Ok(json!({ "User": described }))
}

pub(super) async fn get_user(server: &Server, members: &Members) -> Answer<Value> {
    let (pool, username) = named(members)?;
    let user = server
        .directory()
        .read(move |rows| rows.known_user(&pool, &username))
        .await?;
    let mut described = describe(&user);
    described["UserAttributes"] = json!(user.attributes());
    with_mfa(server, &user, described).await
}

/// What is told of a user, and of its second factor.
pub(super) async fn with_mfa(server: &Server, user: &User, mut described: Value) -> Answer<Value> {
    let settings =
        serde_json::to_value(server.mfa_settings(user).await?).map_err(Exception::internal)?;
    if let (Some(described), Value::Object(settings)) = (described.as_object_mut(), settings) {
        described.extend(settings);
    }
    Ok(described)
}

pub(super) async fn confirm_sign_up(server: &Server, members: &Members) -> Answer<Value> {
    change(server, members, |user| confirm(user, || Ok(()))).await
}

pub(super) async fn set_user_password(server: &Server, members: &Members) -> Answer<Value> {
    let (pool, username) = named(members)?;
    let password = members.required("Password", Shape::PASSWORD)?;
    let permanent: Option<bool> = members.any("Permanent")?;
    let read = server
        .directory()
        .read(move |rows| Ok((rows.pool(&pool)?, rows.known_user(&pool, &username)?)));
    let (pool, user) = read.await?;
    check_policy(&password, pool.minimum_password_length)?;
    let kept = server.passwords().keep(&pool.id, &user.username, password);
    let kept = kept.await?;
    let set = change(server, members, move |user| {
        let standing = if permanent == Some(true) {
            Standing::Confirmed
        } else {
            Standing::ForceChangePassword
        };
        user.set_password(kept, standing);
        Ok(())
    });
    set.await
}

pub(super) async fn reset_user_password(server: &Server, members: &Members) -> Answer<Value> {
    let reset = change(server, members, |user| {
        may_reset(user)?;
        user.standing = Standing::ResetRequired;
        Ok(())
    });
    reset.await
}

pub(super) async fn enable_user(
    server: &Server,
    members: &Members,
    enabled: bool,
) -> Answer<Value> {
    let set = change(server, members, move |user| {
        user.enabled = enabled;
        if !enabled {
            user.revoke_tokens();
        }
        Ok(())
    });
    set.await
}

pub(super) async fn sign_out(server: &Server, members: &Members) -> Answer<Value> {
    let raise = change(server, members, |user| {
        user.revoke_tokens();
        Ok(())
    });
    raise.await
}

pub(super) async fn delete_user(server: &Server, members: &Members) -> Answer<Value> {
    let (pool, username) = named(members)?;
    let delete = server.directory().change(move |rows| {
        let user = rows.known_user(&pool, &username)?;
        rows.delete_user(&user)?;
        Ok(user)
    });
    server.forget(&[delete.await?]).await?;
    Ok(json!({}))
}

async fn change(
    server: &Server,
    members: &Members,
    apply: impl FnOnce(&mut User) -> Answer<()> + Send + 'static,
) -> Answer<Value> {
    let (pool, username) = named(members)?;
    let now = server.now()?.as_secs();
    let change = server.directory().change(move |rows| {
        let mut user = rows.known_user(&pool, &username)?;
        apply(&mut user)?;
        user.modified = now;
        rows.put_user(&user)
    });
    change.await?;
    Ok(json!({}))
}

/// The pool and the user that a request names.
pub(super) fn named(members: &Members) -> Answer<(String, String)> {
    let pool = members.required("UserPoolId", Shape::POOL_ID)?;
    Ok((pool, members.required("Username", Shape::USERNAME)?))
}

pub(super) fn describe(user: &User) -> Value {
    json!({
        "Username": user.username,
        "UserCreateDate": user.created,
        "UserLastModifiedDate": user.modified,
        "Enabled": user.enabled,
        "UserStatus": user.standing,
    })
}
