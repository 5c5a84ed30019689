//! `RespondToAuthChallenge` and `AdminRespondToAuthChallenge`, where no software token is asked
//! for.

use softtoken::cognito::Response;

use super::parameters::Parameters;
use super::sign_in::Asked;
use super::{absent, new_password, srp};
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
    let asked = Asked::by_user(server, members).await?;
    answer(server, members, asked, request_id).await
}

pub(super) async fn admin_respond(
    server: &Server,
    members: &Members,
    request_id: &str,
) -> Answer<Response> {
    let asked = Asked::by_administrator(server, members).await?;
    answer(server, members, asked, request_id).await
}

async fn answer(
    server: &Server,
    members: &Members,
    asked: Asked,
    request_id: &str,
) -> Answer<Response> {
    let challenge = members.required_word("ChallengeName", &CHALLENGES)?;
    let session = members.text("Session", Shape::SESSION)?;
    let responses = Parameters::of(members, "ChallengeResponses")?;
    match challenge.as_str() {
        new_password::NAME => {
            let session = session.ok_or_else(|| {
                Exception::invalid_parameter("Missing required parameter Session")
            })?;
            let Asked { pool, client, .. } = asked;
            new_password::respond(server, pool, client, &session, &responses, request_id).await
        }
        srp::NAME => srp::respond(server, asked, &responses, request_id).await,
        _ => Err(absent::sign_in(&challenge)),
    }
}
