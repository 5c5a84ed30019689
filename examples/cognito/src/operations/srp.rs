//! Sign-in by SRP: `USER_SRP_AUTH`, and the challenge `PASSWORD_VERIFIER`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use core::time::Duration;
use serde_json::json;
use softtoken::cognito::Response;

use super::parameters::Parameters;
use super::sign_in::{Asked, SignedIn, go_on, not_enabled, wrong_password};
use crate::directory::{AuthFlow, Client, Pool, User};
use crate::exception::{Answer, Exception};
use crate::members::Shape;
use crate::server::Server;
use crate::srp::{Party, Proof};

pub(super) const NAME: &str = "PASSWORD_VERIFIER";

/// Answers `USER_SRP_AUTH` by the challenge.
///
/// # Errors
///
/// `UserNotFoundException` where whoever asks may know who exists.
pub(super) async fn begin(
    server: &Server,
    asked: Asked,
    parameters: &Parameters,
    request_id: &str,
) -> Answer<Response> {
    let Asked { pool, client, .. } = &asked;
    let username = parameters.required("USERNAME")?;
    let srp_a = parameters.required("SRP_A")?.to_owned();
    Shape::USERNAME.check("username", username)?;
    client.check_secret_hash(username, parameters.get("SECRET_HASH"))?;
    let user = asked.find(server, username).await?;
    if user.is_none() && asked.may_know_users() {
        return Err(Exception::user_not_found("User does not exist."));
    }
    let party = party(server, pool, client, user.as_ref(), username);
    let named = party.username.clone();
    let kept = user.and_then(|user| user.password);
    let challenge = server
        .passwords()
        .challenge(party, kept, srp_a, server.now()?);
    let challenge = challenge.await?;
    let body = json!({
        "ChallengeName": NAME,
        "ChallengeParameters": {
            "USERNAME": named,
            "USER_ID_FOR_SRP": named,
            "SALT": challenge.salt,
            "SRP_B": challenge.srp_b,
            "SECRET_BLOCK": challenge.secret_block,
        },
    });
    Ok(Response::success(&body, request_id))
}

/// Judges the answer to the challenge; each is judged once.
///
/// # Errors
///
/// `NotAuthorizedException` for a wrong password, whether there is such a user or not; for a block
/// that was made for somebody or something else, too long ago, or answered before.
/// `InvalidParameterException` where the client may not use SRP any more.
pub(super) async fn respond(
    server: &Server,
    asked: Asked,
    responses: &Parameters,
    request_id: &str,
) -> Answer<Response> {
    let Asked { pool, client, .. } = &asked;
    // It may have been taken from the client since the challenge.
    if !client.may(AuthFlow::UserSrp) {
        return Err(not_enabled(AuthFlow::UserSrp, NAME));
    }
    let username = responses.required("USERNAME")?;
    let block = responses.required("PASSWORD_CLAIM_SECRET_BLOCK")?;
    let signature = responses.required("PASSWORD_CLAIM_SIGNATURE")?;
    let timestamp = responses.required("TIMESTAMP")?.to_owned();
    if !is_timestamp(&timestamp) {
        return Err(Exception::invalid_parameter(
            "TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english.",
        ));
    }
    client.check_secret_hash(username, responses.get("SECRET_HASH"))?;
    let proof = Proof {
        secret_block: BASE64_STANDARD.decode(block).unwrap_or_default(),
        signature: BASE64_STANDARD.decode(signature).unwrap_or_default(),
        timestamp,
    };
    let user = asked.find(server, username).await?;
    let party = party(server, pool, client, user.as_ref(), username);
    let issued = server.passwords().challenged(&party, &proof);
    let issued = issued.ok_or_else(Exception::invalid_session)?;
    let now = server.now()?;
    let lifetime = Duration::from_secs(60 * client.session_validity);
    if now >= issued.saturating_add(lifetime) {
        return Err(Exception::invalid_session());
    }
    let id = proof.id();
    // The client may say something else tomorrow: it is remembered for as long as it could be good.
    let longest = Duration::from_secs(60 * Client::SESSION_VALIDITY.end());
    let until = issued.saturating_add(longest);
    let spend = server
        .directory()
        .change(move |rows| rows.void(&id, now, now, until));
    if spend.await?.is_some() {
        return Err(Exception::session_used());
    }
    let kept = user.as_ref().and_then(|user| user.password.clone());
    let proven = server.passwords().is_proven(party, kept, proof).await?;
    match user {
        Some(user) if proven => {
            let Asked { pool, client, .. } = asked;
            go_on(server, SignedIn { pool, client, user }, request_id).await
        }
        _ => Err(wrong_password()),
    }
}

/// Who signs in: by the name that a known user has, whatever it was called, and that somebody
/// unknown might have.
fn party(server: &Server, pool: &Pool, client: &Client, user: Option<&User>, asked: &str) -> Party {
    let made_up = server.passwords().name_of_nobody(&pool.id, asked);
    let username = match user {
        Some(user) => user.username.clone(),
        None if pool.has_alias_like(asked) => made_up,
        None => asked.to_owned(),
    };
    Party {
        pool: pool.id.clone(),
        client: client.id.clone(),
        username,
    }
}

/// Whether it is `EEE MMM d HH:mm:ss UTC yyyy`, as all clients write it.
fn is_timestamp(text: &str) -> bool {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let parts: Vec<_> = text.split(' ').collect();
    let &[weekday, month, day, time, "UTC", year] = parts.as_slice() else {
        return false;
    };
    let number = |text: &str, width, most| {
        let digits = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
        digits && text.parse::<u16>().is_ok_and(|number| number <= most)
    };
    let day_of_month = !day.starts_with('0') && (number(day, 1, 9) || number(day, 2, 31));
    let time: Vec<_> = time.split(':').collect();
    let &[hour, minute, second] = time.as_slice() else {
        return false;
    };
    DAYS.contains(&weekday)
        && MONTHS.contains(&month)
        && day_of_month
        && number(hour, 2, 23)
        && number(minute, 2, 59)
        && number(second, 2, 60)
        && number(year, 4, 9999)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::is_timestamp;
    use crate::server::Server;

    /// What an answer took, in passwords compared and powers computed, and the answer.
    async fn answered(server: &Server, operation: &str, request: Value) -> (u64, u64, u16, Value) {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        let (compared, powers) = server.passwords().work();
        let body = request.to_string();
        let answer = crate::operations::answer(server, &target, body.as_bytes(), "id").await;
        let (status, body) = match answer {
            Ok(response) => (
                response.status,
                serde_json::from_slice(&response.body).expect("JSON"),
            ),
            Err(exception) => (400, exception.0.to_string().into()),
        };
        let (compared_now, powers_now) = server.passwords().work();
        (compared_now - compared, powers_now - powers, status, body)
    }

    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_user_take_the_same_work() {
        let server = Server::builder().build().expect("it starts");
        let create = json!({
            "UserPoolId": "local_optional1", "ClientName": "hiding", "PreventUserExistenceErrors": "ENABLED",
            "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH"],
        });
        let (.., made) = answered(&server, "CreateUserPoolClient", create).await;
        let client = &made["UserPoolClient"]["ClientId"];
        let mut work = Vec::new();
        for user in ["otto", "nobody"] {
            let begin = json!({
                "ClientId": client, "AuthFlow": "USER_SRP_AUTH",
                "AuthParameters": { "USERNAME": user, "SRP_A": "2" },
            });
            let (none, powers, status, challenge) = answered(&server, "InitiateAuth", begin).await;
            assert_eq!((none, powers, status), (0, 1, 200), "{user}");
            let block = &challenge["ChallengeParameters"]["SECRET_BLOCK"];
            let respond = json!({
                "ClientId": client, "ChallengeName": "PASSWORD_VERIFIER",
                "ChallengeResponses": {
                    "USERNAME": user, "TIMESTAMP": "Tue Nov 14 22:13:20 UTC 2023",
                    "PASSWORD_CLAIM_SECRET_BLOCK": block, "PASSWORD_CLAIM_SIGNATURE": "AAAA",
                },
            });
            let by_srp = answered(&server, "RespondToAuthChallenge", respond).await;
            let by_password = json!({
                "ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH",
                "AuthParameters": { "USERNAME": user, "PASSWORD": "Wrong-Horse-1" },
            });
            let by_password = answered(&server, "InitiateAuth", by_password).await;
            assert_eq!((by_srp.0, by_srp.1), (0, 2), "{user}");
            assert_eq!((by_password.0, by_password.1), (1, 0), "{user}");
            work.push((by_srp, by_password));
        }
        assert_eq!(work[0], work[1]);
    }

    #[test]
    fn a_timestamp_is_written_as_the_clients_write_it() {
        for text in [
            "Thu Nov 26 03:53:04 UTC 2026",
            "Sun Mar 1 23:59:59 UTC 2026",
        ] {
            assert!(is_timestamp(text), "{text}");
        }
        for text in [
            "",
            "Thu Nov 26 03:53:04 UTC",
            "Sun Mar 01 23:59:59 UTC 2026",
            "Sun Mar 0 23:59:59 UTC 2026",
            "Sun Mar 32 23:59:59 UTC 2026",
            "So Mär 1 23:59:59 UTC 2026",
            "Sun Mar 1 24:00:00 UTC 2026",
            "Sun Mar 1 3:00:00 UTC 2026",
            "Sun Mar 1 03:00 UTC 2026",
            "Sun Mar 1 03:00:00 CET 2026",
            "Sun Mar 1 03:00:00 UTC 26",
            "Sun Mar  1 03:00:00 UTC 2026",
            "Sun Mar 1 03:00:00 UTC +026",
        ] {
            assert!(!is_timestamp(text), "{text}");
        }
    }
}
