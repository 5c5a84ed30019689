//! The challenge `NEW_PASSWORD_REQUIRED`: who has a temporary password chooses another one.

use serde_json::{Map, Value, json};
use softtoken::cognito::Response;

use super::parameters::Parameters;
use super::second_factor;
use super::sign_in::SignedIn;
use crate::directory::{Client, Pool, Standing, User};
use crate::exception::{Answer, Exception};
use crate::members::Shape;
use crate::passwords::check_policy;
use crate::server::Server;
use crate::tokens::TokenUse;

pub(super) const NAME: &str = "NEW_PASSWORD_REQUIRED";

pub(super) fn challenge(server: &Server, user: &User, client: &Client) -> Answer<Value> {
    let attributes = user.attributes.iter();
    let attributes =
        attributes.map(|attribute| (attribute.name.clone(), attribute.value.clone().into()));
    Ok(json!({
        "ChallengeName": NAME,
        "ChallengeParameters": {
            "USER_ID_FOR_SRP": user.username,
            "requiredAttributes": "[]",
            "userAttributes": Value::from(attributes.collect::<Map<_, _>>()).to_string(),
        },
        "Session": server.tokens().new_password_session(user, client, server.now()?)?,
    }))
}

pub(super) async fn respond(
    server: &Server,
    pool: Pool,
    client: Client,
    session: &str,
    responses: &Parameters,
    request_id: &str,
) -> Answer<Response> {
    let username = responses.required("USERNAME")?;
    let password = responses.required("NEW_PASSWORD")?.to_owned();
    client.check_secret_hash(username, responses.get("SECRET_HASH"))?;
    let claims = server
        .tokens()
        .check(session, TokenUse::NewPassword, server.now()?)?;
    let of_this = claims.client_id == client.id && claims.pool() == pool.id;
    let (id, name) = (pool.id.clone(), username.to_owned());
    let read = server.directory().read(move |rows| rows.user(&id, &name));
    let named = read.await?;
    if !of_this || named.is_none_or(|named| named.sub != claims.sub) {
        return Err(Exception::invalid_session());
    }
    Shape::PASSWORD.check("newPassword", &password)?;
    check_policy(&password, pool.minimum_password_length)?;
    let kept = server
        .passwords()
        .keep(&pool.id, &claims.username, password);
    let kept = kept.await?;
    let now = server.now()?.as_secs();
    let change = server.directory().change(move |rows| {
        let mut user = rows.holder(claims.pool(), &claims.sub)?;
        user.check_standing()?;
        if user.password_generation != claims.generation {
            return Err(Exception::invalid_session());
        }
        user.set_password(kept, Standing::Confirmed);
        user.modified = now;
        rows.put_user(&user)?;
        Ok(user)
    });
    let user = change.await?;
    second_factor::begin(server, &SignedIn { pool, client, user }, request_id).await
}
