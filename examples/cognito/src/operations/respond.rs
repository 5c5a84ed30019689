//! `RespondToAuthChallenge` and `AdminRespondToAuthChallenge`, where no software token is asked
//! for.

use softtoken::cognito::Response;

use super::asked_by::{named_client, named_pool_and_client};
use super::new_password;
use super::parameters::Parameters;
use crate::directory::{Client, Pool};
use crate::exception::{Answer, Exception};
use crate::members::{Members, Shape};
use crate::server::Server;

const CHALLENGES: [&str; 16] = [
    "SMS_MFA",
    "EMAIL_OTP",
    "SOFTWARE_TOKEN_MFA",
    "SELECT_MFA_TYPE",
    "MFA_SETUP",
    "PASSWORD_VERIFIER",
    "CUSTOM_CHALLENGE",
    "SELECT_CHALLENGE",
    "DEVICE_SRP_AUTH",
    "DEVICE_PASSWORD_VERIFIER",
    "ADMIN_NO_SRP_AUTH",
    "NEW_PASSWORD_REQUIRED",
    "SMS_OTP",
    "PASSWORD",
    "WEB_AUTHN",
    "PASSWORD_SRP",
];

pub(super) async fn respond(
    server: &Server,
    members: &Members,
    request_id: &str,
) -> Answer<Response> {
    let asked_by = named_client(server, members).await?;
    answer(server, members, asked_by, request_id).await
}

pub(super) async fn admin_respond(
    server: &Server,
    members: &Members,
    request_id: &str,
) -> Answer<Response> {
    let asked_by = named_pool_and_client(server, members).await?;
    answer(server, members, asked_by, request_id).await
}

async fn answer(
    server: &Server,
    members: &Members,
    (pool, client): (Pool, Client),
    request_id: &str,
) -> Answer<Response> {
    let challenge = members.required_word("ChallengeName", &CHALLENGES)?;
    if challenge != new_password::NAME {
        return Err(Exception::invalid_parameter(format!(
            "{challenge} is not supported."
        )));
    }
    let session = members.required("Session", Shape::SESSION)?;
    let responses = Parameters::of(members, "ChallengeResponses")?;
    new_password::respond(server, pool, client, &session, &responses, request_id).await
}
