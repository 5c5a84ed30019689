//! From a password, or a refresh token, to a challenge or tokens: `InitiateAuth`,
//! `AdminInitiateAuth`.

use softtoken::cognito::{AuthenticationResult, Response};

use super::asked_by::{named_client, named_pool_and_client};
use super::parameters::Parameters;
use super::{new_password, second_factor};
use crate::directory::{AuthFlow, Client, Pool, Standing, User};
use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};
use crate::server::Server;
use crate::tokens::{Authentication, TokenUse};

const FLOWS: [&str; 8] = [
    "USER_SRP_AUTH",
    "REFRESH_TOKEN_AUTH",
    "REFRESH_TOKEN",
    "CUSTOM_AUTH",
    "ADMIN_NO_SRP_AUTH",
    "USER_PASSWORD_AUTH",
    "ADMIN_USER_PASSWORD_AUTH",
    "USER_AUTH",
];

/// A first factor that was accepted.
pub(super) struct SignedIn {
    pub(super) pool: Pool,
    pub(super) client: Client,
    pub(super) user: User,
}

pub(super) async fn initiate(
    server: &Server,
    members: &Members,
    request_id: &str,
) -> Answer<Response> {
    let asked_by = named_client(server, members).await?;
    begin(
        server,
        members,
        asked_by,
        AuthFlow::UserPassword,
        request_id,
    )
    .await
}

pub(super) async fn admin_initiate(
    server: &Server,
    members: &Members,
    request_id: &str,
) -> Answer<Response> {
    let asked_by = named_pool_and_client(server, members).await?;
    begin(
        server,
        members,
        asked_by,
        AuthFlow::AdminUserPassword,
        request_id,
    )
    .await
}

async fn begin(
    server: &Server,
    members: &Members,
    (pool, client): (Pool, Client),
    by_password: AuthFlow,
    request_id: &str,
) -> Answer<Response> {
    let name = members.required_word("AuthFlow", &FLOWS)?;
    let flow = match name.as_str() {
        "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => AuthFlow::Refresh,
        "USER_PASSWORD_AUTH" => AuthFlow::UserPassword,
        "ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH" => AuthFlow::AdminUserPassword,
        _ => return Err(not_enabled(&name)),
    };
    if flow != AuthFlow::Refresh && flow != by_password {
        return Err(Exception::invalid_parameter(
            "Initiate Auth method not supported.",
        ));
    }
    if !client.may(flow) {
        return Err(not_enabled(&name));
    }
    let parameters = Parameters::of(members, "AuthParameters")?;
    if flow == AuthFlow::Refresh {
        let issued = refresh(server, &pool, client, &parameters).await?;
        return Ok(Response::authenticated(&issued, request_id));
    }
    let username = parameters.required("USERNAME")?;
    let password = parameters.required("PASSWORD")?.to_owned();
    Shape::USERNAME.check("username", username)?;
    client.check_secret_hash(username, parameters.get("SECRET_HASH"))?;
    let (pool_id, name) = (pool.id.clone(), username.to_owned());
    let user = server
        .directory()
        .read(move |rows| rows.user(&pool_id, &name))
        .await?;
    let kept = user.as_ref().and_then(|user| user.password.clone());
    let right = server.passwords().verify(password, kept).await?;
    let wrong = || Exception::not_authorized("Incorrect username or password.");
    let user = match user {
        Some(user) if right => user,
        None if by_password == AuthFlow::AdminUserPassword || !client.hides_users => {
            return Err(Exception::user_not_found("User does not exist."));
        }
        _ => return Err(wrong()),
    };
    user.check_standing()?;
    if user.standing == Standing::ForceChangePassword {
        let challenge = new_password::challenge(server, &user, &client)?;
        return Ok(Response::success(&challenge, request_id));
    }
    second_factor::begin(server, &SignedIn { pool, client, user }, request_id).await
}

/// Tokens for a sign-in that is complete.
pub(super) fn tokens(
    server: &Server,
    signed_in: &SignedIn,
    by: &Authentication,
) -> Answer<AuthenticationResult> {
    let SignedIn { client, user, .. } = signed_in;
    server
        .tokens()
        .issue(user, client, by, server.now()?, false)
}

async fn refresh(
    server: &Server,
    pool: &Pool,
    client: Client,
    parameters: &Parameters,
) -> Answer<AuthenticationResult> {
    let token = parameters.required("REFRESH_TOKEN")?;
    let now = server.now()?;
    let claims = server.tokens().check(token, TokenUse::Refresh, now)?;
    if claims.client_id != client.id || claims.pool() != pool.id {
        return Err(Exception::not_authorized("Invalid Refresh Token"));
    }
    let (pool_id, sub) = (pool.id.clone(), claims.sub.clone());
    let user = server
        .directory()
        .read(move |rows| rows.holder(&pool_id, &sub))
        .await?;
    if claims.generation != user.generation {
        return Err(Exception::not_authorized("Refresh Token has been revoked"));
    }
    user.check_standing()?;
    let hash = parameters.get("SECRET_HASH");
    client
        .check_secret_hash(&user.username, hash)
        .or_else(|_| client.check_secret_hash(&user.sub, hash))?;
    server
        .tokens()
        .issue(&user, &client, &claims.authentication, now, true)
}

fn not_enabled(flow: &str) -> Exception {
    Exception::invalid_parameter(format!("{flow} flow not enabled for this client"))
}
