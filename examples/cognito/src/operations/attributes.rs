//! What is known of a user, changed: `UpdateUserAttributes`, `DeleteUserAttributes`, and the same
//! by an administrator.

use serde_json::{Value, json};

use super::admin::named;
use super::signed_in::holder;
use crate::directory::{Attribute, Pool, Rows, User};
use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};
use crate::server::Server;

pub(super) async fn update(server: &Server, members: &Members) -> Answer<Value> {
    let token = members.required("AccessToken", Shape::TOKEN)?;
    let changes = Attribute::of_user(members)?;
    let (user, _) = holder(server, &token).await?;
    let now = server.now()?.as_secs();
    let change = server.directory().change(move |rows| {
        let user = rows.holder(&user.pool, &user.sub)?;
        set(rows, user, &changes, now)
    });
    change.await?;
    // Nothing is mailed: an address that has changed is verified by an administrator.
    Ok(json!({ "CodeDeliveryDetailsList": [] }))
}

pub(super) async fn admin_update(server: &Server, members: &Members) -> Answer<Value> {
    let (pool, username) = named(members)?;
    let changes = Attribute::all(members)?;
    let now = server.now()?.as_secs();
    let change = server.directory().change(move |rows| {
        let user = rows.known_user(&pool, &username)?;
        set(rows, user, &changes, now)
    });
    change.await?;
    Ok(json!({}))
}

pub(super) async fn delete(server: &Server, members: &Members) -> Answer<Value> {
    let token = members.required("AccessToken", Shape::TOKEN)?;
    let names = Attribute::names(members)?;
    let (user, _) = holder(server, &token).await?;
    let now = server.now()?.as_secs();
    let change = server.directory().change(move |rows| {
        let user = rows.holder(&user.pool, &user.sub)?;
        unset(rows, user, &names, now)
    });
    change.await?;
    Ok(json!({}))
}

pub(super) async fn admin_delete(server: &Server, members: &Members) -> Answer<Value> {
    let (pool, username) = named(members)?;
    let names = Attribute::names(members)?;
    let now = server.now()?.as_secs();
    let change = server.directory().change(move |rows| {
        let user = rows.known_user(&pool, &username)?;
        unset(rows, user, &names, now)
    });
    change.await?;
    Ok(json!({}))
}

fn set(rows: &Rows<'_>, mut user: User, changes: &[Attribute], now: u64) -> Answer<()> {
    if changes.is_empty() {
        return Err(Exception::invalid_parameter(
            "1 validation error detected: Value at 'userAttributes' failed to satisfy constraint: Member must not be null",
        ));
    }
    let pool = rows.pool(&user.pool)?;
    user.change_attributes(changes);
    keeps_a_name(&pool, &user)?;
    user.modified = now;
    rows.claim_aliases(&pool, &user, false)?;
    rows.put_user(&user)
}

fn unset(rows: &Rows<'_>, mut user: User, names: &[String], now: u64) -> Answer<()> {
    let pool = rows.pool(&user.pool)?;
    for name in names {
        user.delete_attribute(name);
    }
    keeps_a_name(&pool, &user)?;
    user.modified = now;
    rows.put_user(&user)
}

/// A user without a user name of their own would have nothing to sign in by.
fn keeps_a_name(pool: &Pool, user: &User) -> Answer<()> {
    if pool.username_attributes.is_empty() || pool.aliases_of(user).next().is_some() {
        return Ok(());
    }
    Err(Exception::invalid_parameter(format!(
        "Users of this pool sign in by {}, so one of them has to stay.",
        pool.username_attributes.join(" or ")
    )))
}
