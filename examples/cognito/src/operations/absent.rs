//! What Cognito has and this server does not, each with the reason.

use serde_json::{Map, Value};

use crate::exception::{Answer, Exception};
use crate::members::Members;

const DEVICES: &str =
    "this server remembers no devices, so every sign-in asks for its second factor";
const GROUPS: &str = "this server has no groups";
const HOSTED: &str =
    "this server has no hosted pages, domains, resource servers or other identity providers";
const SENT: &str = "this server sends no messages: every confirmation code is 123456, and an administrator verifies addresses by AdminUpdateUserAttributes";
const PASSKEYS: &str = "this server has no passkeys; the software token is the only second factor";
const TRIGGERS: &str = "this server calls no Lambda functions";
const ELSE: &str = "this server is for sign-in with a software token, and has no such thing";

const OPERATIONS: [(&str, &[&str]); 7] = [
    (
        DEVICES,
        &[
            "AdminForgetDevice",
            "AdminGetDevice",
            "AdminListDevices",
            "AdminUpdateDeviceStatus",
            "ConfirmDevice",
            "ForgetDevice",
            "GetDevice",
            "ListDevices",
            "UpdateDeviceStatus",
        ],
    ),
    (
        GROUPS,
        &[
            "AdminAddUserToGroup",
            "AdminListGroupsForUser",
            "AdminRemoveUserFromGroup",
            "CreateGroup",
            "DeleteGroup",
            "GetGroup",
            "ListGroups",
            "ListUsersInGroup",
            "UpdateGroup",
        ],
    ),
    (
        HOSTED,
        &[
            "AdminDisableProviderForUser",
            "AdminLinkProviderForUser",
            "CreateIdentityProvider",
            "CreateManagedLoginBranding",
            "CreateResourceServer",
            "CreateTerms",
            "CreateUserPoolDomain",
            "DeleteIdentityProvider",
            "DeleteManagedLoginBranding",
            "DeleteResourceServer",
            "DeleteTerms",
            "DeleteUserPoolDomain",
            "DescribeIdentityProvider",
            "DescribeManagedLoginBranding",
            "DescribeManagedLoginBrandingByClient",
            "DescribeResourceServer",
            "DescribeTerms",
            "DescribeTermsByClient",
            "DescribeUserPoolDomain",
            "GetIdentityProviderByIdentifier",
            "GetUICustomization",
            "ListIdentityProviders",
            "ListResourceServers",
            "ListTerms",
            "SetUICustomization",
            "UpdateIdentityProvider",
            "UpdateManagedLoginBranding",
            "UpdateResourceServer",
            "UpdateTerms",
            "UpdateUserPoolDomain",
        ],
    ),
    (
        SENT,
        &["GetUserAttributeVerificationCode", "VerifyUserAttribute"],
    ),
    (
        PASSKEYS,
        &[
            "CompleteWebAuthnRegistration",
            "DeleteWebAuthnCredential",
            "ListWebAuthnCredentials",
            "StartWebAuthnRegistration",
        ],
    ),
    (
        "this server's second factor is SetUserMFAPreference and AdminSetUserMFAPreference",
        &["AdminSetUserSettings", "SetUserSettings"],
    ),
    (
        ELSE,
        &[
            "AddCustomAttributes",
            "AddUserPoolClientSecret",
            "AdminGetUserAuthFactors",
            "AdminListUserAuthEvents",
            "AdminListUserSessions",
            "AdminRevokeUserSession",
            "AdminUpdateAuthEventFeedback",
            "CancelPointInTimeRecovery",
            "CreateCIMDPolicy",
            "CreateUserImportJob",
            "CreateUserPoolReplica",
            "DeleteCIMDPolicy",
            "DeleteUserPoolClientSecret",
            "DeleteUserPoolReplica",
            "DescribeCIMDPolicy",
            "DescribePointInTimeRecovery",
            "DescribeRiskConfiguration",
            "DescribeUserImportJob",
            "GetCSVHeader",
            "GetClientToken",
            "GetDerivedToken",
            "GetLogDeliveryConfiguration",
            "GetProvisionedLimit",
            "GetSigningCertificate",
            "GetUserPoolClientSessionConfiguration",
            "GetUserPoolSessionConfiguration",
            "InitiatePointInTimeRecovery",
            "ListCIMDPolicies",
            "ListClientMetadataURLs",
            "ListPointInTimeRecoveries",
            "ListTagsForResource",
            "ListUserImportJobs",
            "ListUserPoolClientSecrets",
            "ListUserPoolReplicas",
            "ListUserSessions",
            "RevokeUserSession",
            "SetLogDeliveryConfiguration",
            "SetRiskConfiguration",
            "SetUserPoolClientSessionConfiguration",
            "SetUserPoolSessionConfiguration",
            "StartPointInTimeRecovery",
            "StartUserImportJob",
            "StopUserImportJob",
            "TagResource",
            "UntagResource",
            "UpdateAuthEventFeedback",
            "UpdateCIMDPolicy",
            "UpdateClientMetadataURLState",
            "UpdateProvisionedLimit",
            "UpdateUserPoolReplica",
        ],
    ),
];

/// An operation of the service's that is not answered here.
pub(super) fn operation(name: &str) -> Exception {
    let of = |(reason, names): &(&'static str, &'static [&'static str])| {
        let name = names.iter().find(|known| **known == name)?;
        Some(Exception::unknown_operation(format!(
            "{name} is not supported: {reason}."
        )))
    };
    let found = OPERATIONS.iter().find_map(of);
    found.unwrap_or_else(|| {
        Exception::unknown_operation("The target names no operation of Amazon Cognito user pools.")
    })
}

/// Settings of a pool that would change how a user signs in, and cannot here.
///
/// # Errors
///
/// `InvalidParameterException` where one of them says something.
pub(super) fn check_pool(members: &Members) -> Answer<()> {
    for (member, reason) in [("LambdaConfig", TRIGGERS), ("DeviceConfiguration", DEVICES)] {
        let set: Option<Map<String, Value>> = members.any(member)?;
        if set.is_some_and(|set| !set.is_empty()) {
            return Err(Exception::invalid_parameter(format!(
                "{member} is not supported: {reason}."
            )));
        }
    }
    Ok(())
}

/// A flow, or a challenge, of the service's that there is not here.
pub(super) fn sign_in(name: &str) -> Exception {
    let reason = match name {
        "CUSTOM_AUTH" | "CUSTOM_CHALLENGE" => TRIGGERS,
        "DEVICE_SRP_AUTH" | "DEVICE_PASSWORD_VERIFIER" => DEVICES,
        "SMS_MFA" | "EMAIL_OTP" | "SMS_OTP" => {
            "this server sends no messages; the software token is the only second factor"
        }
        "WEB_AUTHN" => PASSKEYS,
        "USER_AUTH" | "SELECT_CHALLENGE" | "PASSWORD" | "PASSWORD_SRP" => {
            "this server does not let users choose the first factor; it is the password"
        }
        _ => ELSE,
    };
    Exception::invalid_parameter(format!("{name} is not supported: {reason}."))
}
