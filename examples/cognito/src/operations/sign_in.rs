//! From a first factor, or a refresh token, to a challenge or tokens: `InitiateAuth`,
//! `AdminInitiateAuth`.

use core::time::Duration;

use softtoken::cognito::{AuthenticationResult, Response};

use super::asked_by::{named_client, named_pool_and_client};
use super::parameters::Parameters;
use super::{absent, new_password, refresh, second_factor, srp};
use crate::directory::{AuthFlow, Client, Pool, Standing, User};
use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};
use crate::server::Server;
use crate::tokens::{Authentication, RefreshToken};

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

/// Who asks: the client and its pool, and whether as an administrator.
pub(super) struct Asked {
    pub(super) pool: Pool,
    pub(super) client: Client,
    by_administrator: bool,
}

impl Asked {
    /// By a user, or somebody who wants to be one.
    pub(super) async fn by_user(server: &Server, members: &Members) -> Answer<Self> {
        let (pool, client) = named_client(server, members).await?;
        Ok(Self {
            pool,
            client,
            by_administrator: false,
        })
    }

    pub(super) async fn by_administrator(server: &Server, members: &Members) -> Answer<Self> {
        let (pool, client) = named_pool_and_client(server, members).await?;
        Ok(Self {
            pool,
            client,
            by_administrator: true,
        })
    }

    /// Whether who asks may be told that there is no such user.
    pub(super) fn may_know_users(&self) -> bool {
        self.by_administrator || !self.client.hides_users
    }

    /// The user by this name.
    pub(super) async fn find(&self, server: &Server, name: &str) -> Answer<Option<User>> {
        let (pool, name) = (self.pool.id.clone(), name.to_owned());
        let read = server.directory().read(move |rows| rows.user(&pool, &name));
        read.await
    }
}

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
    let asked = Asked::by_user(server, members).await?;
    begin(server, members, asked, request_id).await
}

pub(super) async fn admin_initiate(
    server: &Server,
    members: &Members,
    request_id: &str,
) -> Answer<Response> {
    let asked = Asked::by_administrator(server, members).await?;
    begin(server, members, asked, request_id).await
}

async fn begin(
    server: &Server,
    members: &Members,
    asked: Asked,
    request_id: &str,
) -> Answer<Response> {
    let name = members.required_word("AuthFlow", &FLOWS)?;
    let flow = match name.as_str() {
        "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => AuthFlow::Refresh,
        "USER_SRP_AUTH" => AuthFlow::UserSrp,
        "USER_PASSWORD_AUTH" => AuthFlow::UserPassword,
        "ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH" => AuthFlow::AdminUserPassword,
        _ => return Err(absent::sign_in(&name)),
    };
    let of_users = asked.by_administrator && flow == AuthFlow::UserPassword;
    if of_users || (!asked.by_administrator && flow == AuthFlow::AdminUserPassword) {
        return Err(Exception::invalid_parameter(
            "Initiate Auth method not supported.",
        ));
    }
    if !asked.client.may(flow) {
        return Err(not_enabled(flow, &name));
    }
    if flow == AuthFlow::Refresh && asked.client.rotation.is_some() {
        return Err(Exception::invalid_parameter(
            "The client rotates its refresh tokens: refresh by GetTokensFromRefreshToken.",
        ));
    }
    let parameters = Parameters::of(members, "AuthParameters")?;
    match flow {
        AuthFlow::Refresh => {
            let Asked { pool, client, .. } = asked;
            let issued = refresh::by_auth_flow(server, &pool, client, &parameters).await?;
            Ok(Response::authenticated(&issued, request_id))
        }
        AuthFlow::UserSrp => srp::begin(server, asked, &parameters, request_id).await,
        AuthFlow::UserPassword | AuthFlow::AdminUserPassword => {
            by_password(server, asked, &parameters, request_id).await
        }
    }
}

async fn by_password(
    server: &Server,
    asked: Asked,
    parameters: &Parameters,
    request_id: &str,
) -> Answer<Response> {
    let username = parameters.required("USERNAME")?;
    let password = parameters.required("PASSWORD")?.to_owned();
    Shape::USERNAME.check("username", username)?;
    Shape::PASSWORD.check_length("password", &password)?;
    let hash = parameters.get("SECRET_HASH");
    asked.client.check_secret_hash(username, hash)?;
    let user = asked.find(server, username).await?;
    let kept = user.as_ref().and_then(|user| user.password.clone());
    let right = server.passwords().verify(password, kept).await?;
    let user = match user {
        Some(user) if right => user,
        None if asked.may_know_users() => {
            return Err(Exception::user_not_found("User does not exist."));
        }
        _ => return Err(wrong_password()),
    };
    let Asked { pool, client, .. } = asked;
    go_on(server, SignedIn { pool, client, user }, request_id).await
}

/// What follows a right password, however it was shown.
pub(super) async fn go_on(
    server: &Server,
    signed_in: SignedIn,
    request_id: &str,
) -> Answer<Response> {
    let SignedIn { client, user, .. } = &signed_in;
    user.check_standing()?;
    if user.standing == Standing::ForceChangePassword {
        let challenge = new_password::challenge(server, user, client)?;
        return Ok(Response::success(&challenge, request_id));
    }
    second_factor::begin(server, &signed_in, request_id).await
}

/// The same, whether there is such a user or not.
pub(super) fn wrong_password() -> Exception {
    Exception::not_authorized("Incorrect username or password.")
}

/// Tokens for a sign-in that is complete.
pub(super) fn tokens(
    server: &Server,
    signed_in: &SignedIn,
    by: &Authentication,
) -> Answer<AuthenticationResult> {
    let SignedIn { client, user, .. } = signed_in;
    let now = server.now()?;
    let lifetime = Duration::from_secs(client.refresh_validity);
    let refresh_token = RefreshToken::Until(now.saturating_add(lifetime));
    server.tokens().issue(user, client, by, now, refresh_token)
}

/// In the words of the service, which differ.
pub(super) fn not_enabled(flow: AuthFlow, name: &str) -> Exception {
    Exception::invalid_parameter(match flow {
        AuthFlow::UserSrp => "USER_SRP_AUTH is not enabled for the client.".to_owned(),
        AuthFlow::AdminUserPassword => "Auth flow not enabled for this client".to_owned(),
        AuthFlow::UserPassword | AuthFlow::Refresh => {
            format!("{name} flow not enabled for this client")
        }
    })
}
