//! What users do without being signed in: `SignUp`, `ConfirmSignUp`,
//! `ResendConfirmationCode`, `ForgotPassword`, `ConfirmForgotPassword`.
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
        let mut user = found(&client, rows.user(&client.pool, &username)?, &code)?;
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
    let may_confirm = |user: &User| match user.standing {
        Standing::Unconfirmed => Ok(()),
        _ => Err(Exception::invalid_parameter("User is already confirmed.")),
    };
    send(server, members, may_confirm).await
}

pub(super) async fn forgot_password(server: &Server, members: &Members) -> Answer<Value> {
    send(server, members, may_reset).await
}

/// Says where a code has gone, which a user may have where `may` says so. A client that hides users
/// is told so of everybody: of somebody unknown, or without an address, that it went to one that is
/// made up.
async fn send(
    server: &Server,
    members: &Members,
    may: impl FnOnce(&User) -> Answer<()>,
) -> Answer<Value> {
    let (client, username) = caller(server, members).await?;
    let (pool, name) = (client.pool.clone(), username.clone());
    let read = server.directory().read(move |rows| rows.user(&pool, &name));
    let user = read.await?;
    let details = if client.hides_users {
        let known = user.as_ref().and_then(delivery);
        known.or_else(|| Some(delivery_to_nobody(server, &client.pool, &username)))
    } else {
        let user = user.ok_or_else(not_found)?;
        may(&user)?;
        delivery(&user)
    };
    Ok(details.map_or_else(
        || json!({}),
        |details| json!({ "CodeDeliveryDetails": details }),
    ))
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
        let mut user = found(&client, rows.user(&client.pool, &username)?, &code)?;
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

/// The user who shows this code. To a client that hides users a wrong one tells nothing of anybody,
/// nor does the right one of somebody unknown or disabled.
fn found(client: &Client, user: Option<User>, code: &str) -> Answer<User> {
    if client.hides_users {
        check(code)?;
        let user = user.filter(|user| user.enabled);
        return user.ok_or_else(|| Exception::code_mismatch(WRONG_CODE));
    }
    user.ok_or_else(not_found)
}

fn not_found() -> Exception {
    Exception::user_not_found("Username/client id combination not found.")
}

const WRONG_CODE: &str = "Invalid verification code provided, please try again.";

fn check(code: &str) -> Answer<()> {
    if code == CONFIRMATION_CODE {
        Ok(())
    } else {
        Err(Exception::code_mismatch(WRONG_CODE))
    }
}

fn delivery(user: &User) -> Option<Value> {
    let (name, medium, at) = sent_to(user)?;
    Some(details(name, medium, at))
}

/// Where a code for somebody unknown went: to the address that was asked for, or by e-mail to one
/// that is the same for the same name.
fn delivery_to_nobody(server: &Server, pool: &str, asked: &str) -> Value {
    if asked.starts_with('+') {
        return details("phone_number", "SMS", asked);
    }
    if asked.contains('@') {
        return details("email", "EMAIL", asked);
    }
    let made_up = server.passwords().name_of_nobody(pool, asked);
    let sum = made_up.bytes().fold(0, u8::wrapping_add);
    details("email", "EMAIL", &char::from(b'a' + sum % 26).to_string())
}

fn details(attribute: &str, medium: &str, at: &str) -> Value {
    let shown: String = at.chars().take(1).collect();
    json!({
        "Destination": format!("{shown}***"), "DeliveryMedium": medium, "AttributeName": attribute,
    })
}

/// Where the code would have gone: the attribute, the medium and the address.
fn sent_to(user: &User) -> Option<(&'static str, &'static str, &str)> {
    let to = |name, medium| Some((name, medium, user.attribute(name)?));
    to("email", "EMAIL").or_else(|| to("phone_number", "SMS"))
}
