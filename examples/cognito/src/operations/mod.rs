//! The operations, by name.

mod absent;
mod admin;
mod asked_by;
mod attributes;
mod clients;
mod new_password;
mod paging;
mod parameters;
mod pools;
mod refresh;
mod respond;
mod second_factor;
mod sign_in;
mod sign_up;
mod signed_in;
mod srp;
mod users;

use softtoken::cognito::{Call, Response, operation};

use crate::exception::Answer;
use crate::members::Members;
use crate::server::Server;

pub(crate) use clients::settings as client_settings;
pub(crate) use pools::settings as pool_settings;
pub use sign_up::CONFIRMATION_CODE;

macro_rules! operations {
    ($server:ident, $members:ident, $request_id:ident;
     bodies { $($plain:literal => $body:expr,)* }
     responses { $($other:literal => $response:expr,)* }
     mapped { $($mapped:literal,)* }) => {
        /// The name as this server has it.
        pub(crate) fn find(name: &str) -> Option<&'static str> {
            [$($plain,)* $($other,)* $($mapped,)*].into_iter().find(|known| *known == name)
        }

        /// Answers an operation that the crate does not map.
        async fn other($server: &Server, name: &str, body: &[u8], $request_id: &str) -> Answer<Response> {
            let $members = &Members::parse(body)?;
            match name {
                $($plain => Ok(Response::success(&$body.await?, $request_id)),)*
                $($other => $response.await,)*
                _ => Err(absent::operation(name)),
            }
        }
    };
}

operations! { server, members, request_id;
    bodies {
        "AdminConfirmSignUp" => admin::confirm_sign_up(server, members),
        "AdminCreateUser" => admin::create_user(server, members),
        "AdminDeleteUser" => admin::delete_user(server, members),
        "AdminDeleteUserAttributes" => attributes::admin_delete(server, members),
        "AdminDisableUser" => admin::enable_user(server, members, false),
        "AdminEnableUser" => admin::enable_user(server, members, true),
        "AdminGetUser" => admin::get_user(server, members),
        "AdminResetUserPassword" => admin::reset_user_password(server, members),
        "AdminSetUserPassword" => admin::set_user_password(server, members),
        "AdminUpdateUserAttributes" => attributes::admin_update(server, members),
        "AdminUserGlobalSignOut" => admin::sign_out(server, members),
        "ChangePassword" => signed_in::change_password(server, members),
        "ConfirmForgotPassword" => sign_up::confirm_forgot_password(server, members),
        "ConfirmSignUp" => sign_up::confirm_sign_up(server, members),
        "CreateUserPool" => pools::create(server, members),
        "CreateUserPoolClient" => clients::create(server, members),
        "DeleteUser" => signed_in::delete_user(server, members),
        "DeleteUserAttributes" => attributes::delete(server, members),
        "DeleteUserPool" => pools::delete(server, members),
        "DeleteUserPoolClient" => clients::delete(server, members),
        "DescribeUserPool" => pools::describe(server, members),
        "DescribeUserPoolClient" => clients::describe(server, members),
        "ForgotPassword" => sign_up::forgot_password(server, members),
        "GetUser" => signed_in::get_user(server, members),
        "GetTokensFromRefreshToken" => refresh::get_tokens(server, members),
        "GetUserAuthFactors" => signed_in::auth_factors(server, members),
        "GetUserPoolMfaConfig" => pools::get_mfa_config(server, members),
        "GlobalSignOut" => signed_in::sign_out(server, members),
        "ListUserPoolClients" => clients::list(server, members),
        "ListUserPools" => pools::list(server, members),
        "ListUsers" => users::list(server, members),
        "ResendConfirmationCode" => sign_up::resend_code(server, members),
        "RevokeToken" => refresh::revoke(server, members),
        "SetUserPoolMfaConfig" => pools::set_mfa_config(server, members),
        "SignUp" => sign_up::sign_up(server, members),
        "UpdateUserAttributes" => attributes::update(server, members),
        "UpdateUserPool" => pools::update(server, members),
        "UpdateUserPoolClient" => clients::update(server, members),
    }
    responses {
        "AdminInitiateAuth" => sign_in::admin_initiate(server, members, request_id),
        "AdminRespondToAuthChallenge" => respond::admin_respond(server, members, request_id),
        "InitiateAuth" => sign_in::initiate(server, members, request_id),
        "RespondToAuthChallenge" => respond::respond(server, members, request_id),
    }
    mapped {
        "AdminDeleteSoftwareToken",
        "AdminSetUserMFAPreference",
        "AssociateSoftwareToken",
        "SetUserMFAPreference",
        "VerifySoftwareToken",
    }
}

/// Answers a request.
pub(crate) async fn answer(
    server: &Server,
    target: &str,
    body: &[u8],
    request_id: &str,
) -> Answer<Response> {
    match Call::parse(target, body)? {
        Some(call) => second_factor::answer(server, call, request_id).await,
        None => other(server, operation(target)?, body, request_id).await,
    }
}
