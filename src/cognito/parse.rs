//! Reads a target and a body.

use alloc::string::String;

use super::call::{
    Answer, Asked, ByAccessToken, ByAdministrator, BySession, Call, ChallengeAnswer, Ordered, SetUp,
};
use super::constraints::{self, invalid};
use super::exception::{Exception, Name};
use super::members::{self, Object, Settings, Text};
use crate::association::Preference;

/// Stands before the operation's name in `X-Amz-Target`.
const SERVICE: &str = "AWSCognitoIdentityProviderService.";

/// Returns the operation that an `X-Amz-Target` names, whether or not it is about a second factor.
///
/// # Errors
///
/// `UnknownOperationException` where it is none of this service.
///
/// ```
/// use softtoken::cognito::operation;
///
/// assert_eq!(operation("AWSCognitoIdentityProviderService.SignUp")?, "SignUp");
/// assert!(operation("DynamoDB_20120810.GetItem").is_err());
/// # Ok::<(), softtoken::cognito::Exception>(())
/// ```
pub fn operation(target: &str) -> Result<&str, Exception> {
    target
        .strip_prefix(SERVICE)
        .filter(|operation| !operation.is_empty())
        .ok_or_else(|| Name::UnknownOperation.into())
}

impl Call {
    /// Reads a request: the header `X-Amz-Target` and the body. Returns `None` for an operation, or
    /// a challenge, that has nothing to do with software tokens and is your application's own.
    ///
    /// # Errors
    ///
    /// `UnknownOperationException`, `SerializationException` or `InvalidParameterException`.
    /// Nothing was looked at but the request, and nothing is counted.
    pub fn parse(target: &str, body: &[u8]) -> Result<Option<Self>, Exception> {
        match operation(target)? {
            "AssociateSoftwareToken" => associate(body).map(Some),
            "VerifySoftwareToken" => verify(body).map(Some),
            "RespondToAuthChallenge" => respond(body, false),
            "AdminRespondToAuthChallenge" => respond(body, true),
            "SetUserMFAPreference" => prefer(body).map(Some),
            "AdminSetUserMFAPreference" => admin_prefer(body).map(Some),
            "AdminDeleteSoftwareToken" => admin_delete(body).map(Some),
            _ => Ok(None),
        }
    }
}

fn associate(body: &[u8]) -> Result<Call, Exception> {
    let members: members::Associate = members::read(body)?;
    set_up(members.access_token, members.session, SetUp::Associate)
}

fn verify(body: &[u8]) -> Result<Call, Exception> {
    let members: members::Verify = members::read(body)?;
    let code = constraints::USER_CODE.require("userCode", members.user_code)?;
    let name = members
        .friendly_device_name
        .map(|name| constraints::DEVICE_NAME.check("friendlyDeviceName", name))
        .transpose()?;
    let code = members::code(&code)?;
    let verify = SetUp::Verify { code, name };
    set_up(members.access_token, members.session, verify)
}

/// Reads a request that sets up a token: by an access token or by a session, never by both.
fn set_up(
    access_token: Option<Text>,
    session: Option<Text>,
    asked: SetUp,
) -> Result<Call, Exception> {
    match (access_token, session) {
        (Some(access_token), None) => Ok(Call::AccessToken(ByAccessToken {
            access_token: constraints::ACCESS_TOKEN.check("accessToken", access_token)?,
            asked: Asked::SetUp(asked),
        })),
        (None, Some(session)) => {
            let session = constraints::SESSION.check("session", session)?;
            Ok(Call::Session(BySession { session, asked }))
        }
        (Some(_), Some(_)) => Err(invalid("Only one of AccessToken and Session can be given")),
        (None, None) => Err(invalid("One of AccessToken and Session has to be given")),
    }
}

fn respond(body: &[u8], administrator: bool) -> Result<Option<Call>, Exception> {
    let members: members::Respond = members::read(body)?;
    let name = members.challenge_name.as_deref().unwrap_or_default();
    if !matches!(name, "SOFTWARE_TOKEN_MFA" | "MFA_SETUP") {
        return Ok(None);
    }
    let user_pool_id = administrator
        .then(|| constraints::USER_POOL_ID.require("userPoolId", members.user_pool_id))
        .transpose()?;
    let client_id = constraints::CLIENT_ID.require("clientId", members.client_id)?;
    let session = constraints::SESSION.require("session", members.session)?;
    let mut responses = members.challenge_responses.unwrap_or_default();
    let user_name = members::response(&mut responses, "USERNAME")?;
    let user_name = constraints::USER_NAME.check("username", user_name)?;
    let answer = if name == "MFA_SETUP" {
        Answer::SetUp
    } else {
        let typed = members::response(&mut responses, "SOFTWARE_TOKEN_MFA_CODE")?;
        Answer::Code(members::code(&typed)?)
    };
    Ok(Some(Call::Challenge(ChallengeAnswer {
        user_pool_id,
        client_id,
        user_name: (*user_name).into(),
        secret_hash: responses.remove("SECRET_HASH").flatten(),
        session,
        answer,
    })))
}

fn prefer(body: &[u8]) -> Result<Call, Exception> {
    let members: members::Prefer = members::read(body)?;
    let preference = preference(&members)?;
    let access_token = constraints::ACCESS_TOKEN.require("accessToken", members.access_token)?;
    Ok(Call::AccessToken(ByAccessToken {
        access_token,
        asked: Asked::Prefer(preference),
    }))
}

fn admin_prefer(body: &[u8]) -> Result<Call, Exception> {
    let members: members::Prefer = members::read(body)?;
    let preference = preference(&members)?;
    let ordered = Ordered::Prefer(preference);
    by_administrator(members.user_pool_id, members.username, ordered)
}

fn admin_delete(body: &[u8]) -> Result<Call, Exception> {
    let members: members::OfUser = members::read(body)?;
    by_administrator(members.user_pool_id, members.username, Ordered::Delete)
}

fn by_administrator(
    user_pool_id: Option<String>,
    username: Option<String>,
    ordered: Ordered,
) -> Result<Call, Exception> {
    Ok(Call::Administrator(ByAdministrator {
        user_pool_id: constraints::USER_POOL_ID.require("userPoolId", user_pool_id)?,
        user_name: constraints::USER_NAME.require("username", username)?,
        ordered,
    }))
}

/// Returns what is to become of the software token; `None` where nothing is.
fn preference(members: &members::Prefer) -> Result<Option<Preference>, Exception> {
    let others = [
        ("SMS_MFA", members.sms_mfa_settings),
        ("EMAIL_OTP", members.email_mfa_settings),
        ("WEB_AUTHN", members.web_authn_mfa_settings),
    ];
    for (factor, settings) in others {
        if settings.is_some_and(|Object(settings)| settings.is_enabled() || settings.is_preferred())
        {
            return Err(invalid(alloc::format!("{factor} is not supported")));
        }
    }
    let settings = members.software_token_mfa_settings;
    settings
        .map(|Object(settings)| preferred(settings))
        .transpose()
}

fn preferred(settings: Settings) -> Result<Preference, Exception> {
    match (settings.is_enabled(), settings.is_preferred()) {
        (true, true) => Ok(Preference::Preferred),
        (true, false) => Ok(Preference::Enabled),
        (false, false) => Ok(Preference::Disabled),
        (false, true) => Err(invalid("A factor that is not enabled cannot be preferred")),
    }
}
