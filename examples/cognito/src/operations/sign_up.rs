//! What users do without being signed in: `SignUp`, `ConfirmSignUp`, `ForgotPassword`,
//! `ConfirmForgotPassword`.
//!
//! Nothing is mailed. The code that would have been is always [`CONFIRMATION_CODE`].

use serde_json::{Value, json};

use crate::directory::{Attribute, Client, Standing, User};
use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};
use crate::passwords::check_policy;
use crate::server::Server;

/// What a user would have been mailed.
pub const CONFIRMATION_CODE: &str = "123456";

pub(super) async fn sign_up(server: &Server, members: &Members) -> Answer<Value> {
    let (client, username) = caller(server, members).await?;
    let password = members.required("Password", Shape::PASSWORD)?;
    let attributes = Attribute::of_user(members)?;
    let pool = client.pool.clone();
    let pool = server
        .directory()
        .read(move |rows| rows.pool(&pool))
        .await?;
    check_policy(&password, pool.minimum_password_length)?;
    let mut user = pool.new_user(username.clone(), attributes, server.now()?)?;
    let kept = server
        .passwords()
        .keep(&user.pool, &user.username, password);
    user.password = Some(kept.await?);
    let mut answer = json!({ "UserConfirmed": false, "UserSub": user.sub });
    if let Some(details) = delivery(&user) {
        answer["CodeDeliveryDetails"] = details;
    }
    let put = server.directory().change(move |rows| {
        if rows.user(&user.pool, &username)?.is_some() {
            return Err(Exception::username_exists("User already exists"));
        }
        rows.claim_aliases(&pool, &user, false)?;
        rows.put_user(&user)
    });
    put.await?;
    Ok(answer)
}

pub(super) async fn confirm_sign_up(server: &Server, members: &Members) -> Answer<Value> {
    let (client, username) = caller(server, members).await?;
    let code = members.required("ConfirmationCode", Shape::CODE)?;
    let takes_aliases: Option<bool> = members.any("ForceAliasCreation")?;
    let takes_aliases = takes_aliases.unwrap_or(false);
    let now = server.now()?.as_secs();
    let confirm = server.directory().change(move |rows| {
        let mut user = found(&client, rows.user(&client.pool, &username)?)?;
        confirm(&mut user, || check(&code))?;
        // The code was read where it would have been sent.
        if let Some((attribute, ..)) = sent_to(&user) {
            user.set_attribute(&format!("{attribute}_verified"), "true");
        }
        user.modified = now;
        rows.claim_aliases(&rows.pool(&client.pool)?, &user, takes_aliases)?;
        rows.put_user(&user)
    });
    confirm.await?;
    Ok(json!({}))
}

/// Makes an unconfirmed user a confirmed one, where what else is asked holds.
///
/// # Errors
///
/// `NotAuthorizedException` where there is nothing to confirm.
pub(super) fn confirm(user: &mut User, and: impl FnOnce() -> Answer<()>) -> Answer<()> {
    if !user.enabled {
        return Err(Exception::not_authorized("User is disabled."));
    }
    if user.standing != Standing::Unconfirmed {
        let status = json!(user.standing);
        return Err(Exception::not_authorized(format!(
            "User cannot be confirmed. Current status is {}",
            status.as_str().unwrap_or_default()
        )));
    }
    and()?;
    user.standing = Standing::Confirmed;
    Ok(())
}

pub(super) async fn resend_code(server: &Server, members: &Members) -> Answer<Value> {
    let (client, username) = caller(server, members).await?;
    let read = server.directory().read(move |rows| {
        let user = found(&client, rows.user(&client.pool, &username)?)?;
        if user.standing != Standing::Unconfirmed {
            return Err(Exception::invalid_parameter("User is already confirmed."));
        }
        Ok(delivered(&user))
    });
    read.await
}

pub(super) async fn forgot_password(server: &Server, members: &Members) -> Answer<Value> {
    let (client, username) = caller(server, members).await?;
    let read = server.directory().read(move |rows| {
        let user = found(&client, rows.user(&client.pool, &username)?)?;
        may_reset(&user)?;
        Ok(delivered(&user))
    });
    read.await
}

pub(super) async fn confirm_forgot_password(server: &Server, members: &Members) -> Answer<Value> {
    let (client, username) = caller(server, members).await?;
    let code = members.required("ConfirmationCode", Shape::CODE)?;
    let password = members.required("Password", Shape::PASSWORD)?;
    let (pool, name) = (client.pool.clone(), username.clone());
    let read = server
        .directory()
        .read(move |rows| Ok((rows.pool(&pool)?, rows.user(&pool, &name)?)));
    let (pool, user) = read.await?;
    check_policy(&password, pool.minimum_password_length)?;
    // For somebody unknown as well: that they are is told afterwards.
    let name = user.map_or_else(|| username.clone(), |user| user.username);
    let kept = server.passwords().keep(&pool.id, &name, password).await?;
    let now = server.now()?.as_secs();
    let change = server.directory().change(move |rows| {
        let mut user = found(&client, rows.user(&client.pool, &username)?)?;
        may_reset(&user)?;
        check(&code)?;
        user.set_password(kept, Standing::Confirmed);
        user.modified = now;
        rows.put_user(&user)
    });
    change.await?;
    Ok(json!({}))
}

/// Whether the user may be given another password without knowing the old one.
///
/// # Errors
///
/// `NotAuthorizedException` where it is disabled, was never confirmed, or has a temporary password.
pub(super) fn may_reset(user: &User) -> Answer<()> {
    if !user.enabled {
        return Err(Exception::not_authorized("User is disabled."));
    }
    match user.standing {
        Standing::Confirmed | Standing::ResetRequired => Ok(()),
        Standing::Unconfirmed | Standing::ForceChangePassword => Err(Exception::not_authorized(
            "User password cannot be reset in the current state.",
        )),
    }
}

/// The client that asks, its secret's hash checked, and the user it asks for.
async fn caller(server: &Server, members: &Members) -> Answer<(Client, String)> {
    let id = members.required("ClientId", Shape::CLIENT_ID)?;
    let username = members.required("Username", Shape::USERNAME)?;
    let hash = members.text("SecretHash", Shape::SECRET_HASH)?;
    let client = server
        .directory()
        .read(move |rows| rows.client(&id))
        .await?;
    client.check_secret_hash(&username, hash.as_deref())?;
    Ok((client, username))
}

fn found(client: &Client, user: Option<User>) -> Answer<User> {
    user.ok_or_else(|| {
        if client.hides_users {
            Exception::code_mismatch(WRONG_CODE)
        } else {
            Exception::user_not_found("Username/client id combination not found.")
        }
    })
}

const WRONG_CODE: &str = "Invalid verification code provided, please try again.";

fn check(code: &str) -> Answer<()> {
    if code == CONFIRMATION_CODE {
        Ok(())
    } else {
        Err(Exception::code_mismatch(WRONG_CODE))
    }
}

fn delivered(user: &User) -> Value {
    delivery(user).map_or_else(
        || json!({}),
        |details| json!({ "CodeDeliveryDetails": details }),
    )
}

fn delivery(user: &User) -> Option<Value> {
    let (name, medium, at) = sent_to(user)?;
    let shown: String = at.chars().take(1).collect();
    Some(
        json!({ "Destination": format!("{shown}***"), "DeliveryMedium": medium, "AttributeName": name }),
    )
}

/// Where the code would have gone: the attribute, the medium and the address.
fn sent_to(user: &User) -> Option<(&'static str, &'static str, &str)> {
    let to = |name, medium| Some((name, medium, user.attribute(name)?));
    to("email", "EMAIL").or_else(|| to("phone_number", "SMS"))
}
