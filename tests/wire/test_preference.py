"""SetUserMFAPreference, AdminSetUserMFAPreference, and what GetUser and AdminGetUser tell of them."""

import pytest

from world import refused

MFA = "SOFTWARE_TOKEN_MFA"


def seen(user, token):
    """What both of them say, which is the same."""
    theirs, admins = user.idp.get_user(AccessToken=token), user.as_admin_sees()
    members = [(it.get("UserMFASettingList"), it.get("PreferredMfaSetting")) for it in (theirs, admins)]
    assert members[0] == members[1]
    return members[0]


def test_who_has_nothing_has_no_mfa_members(optional):
    user = optional.user()
    assert seen(user, user.access_token()) == (None, None)


def test_a_pending_secret_is_not_to_be_seen(optional, idp):
    user = optional.user()
    token = user.access_token()
    idp.associate_software_token(AccessToken=token)
    assert seen(user, token) == (None, None)


def test_enabled_stands_in_the_list(optional):
    user = optional.user()
    _, token = user.enrol(user.access_token())
    user.prefer(token, enabled=True)
    assert seen(user, token) == ([MFA], None)


def test_preferred_stands_in_both(optional):
    user = optional.enrolled()
    assert seen(user, user.token) == ([MFA], MFA)


def test_turned_off_stands_in_neither(optional):
    user = optional.enrolled()
    user.prefer(user.token, enabled=False)
    assert seen(user, user.token) == (None, None)


def test_turned_off_is_not_asked_for(optional):
    user = optional.enrolled()
    user.prefer(user.token, enabled=False)
    assert "AuthenticationResult" in user.begin()


def test_turned_on_again_it_is_asked_for(optional):
    user = optional.enrolled()
    user.prefer(user.token, enabled=False)
    user.prefer(user.token, enabled=True)
    assert user.sign_in()["AccessToken"]


@pytest.mark.parametrize("enabled", [True, False])
def test_a_preference_needs_a_verified_token(optional, enabled):
    user = optional.user()
    with refused("InvalidParameterException"):
        user.prefer(user.access_token(), enabled=enabled)


def test_a_pending_one_is_not_enough(optional, idp):
    user = optional.user()
    token = user.access_token()
    idp.associate_software_token(AccessToken=token)
    with refused("InvalidParameterException"):
        user.prefer(token, enabled=True, preferred=True)


def test_turning_on_needs_no_second_factor(optional):
    user = optional.user()
    other = user.access_token()
    user.enrol(user.access_token())
    user.prefer(other, enabled=True, preferred=True)
    assert user.begin()["ChallengeName"] == MFA


def test_turning_off_needs_a_second_factor(optional):
    user = optional.user()
    other = user.access_token()
    _, token = user.enrol(user.access_token())
    user.prefer(token, enabled=True)
    with refused("NotAuthorizedException"):
        user.prefer(other, enabled=False)
    assert user.begin()["ChallengeName"] == MFA


def test_preferring_it_no_more_needs_a_second_factor_too(optional):
    user = optional.user()
    other = user.access_token()
    _, token = user.enrol(user.access_token())
    user.prefer(token, enabled=True, preferred=True)
    with refused("NotAuthorizedException"):
        user.prefer(other, enabled=True, preferred=False)
    assert seen(user, token) == ([MFA], MFA)
    user.prefer(token, enabled=True, preferred=False)
    assert seen(user, token) == ([MFA], None)


def test_a_sign_in_with_a_code_may_turn_it_off(optional):
    user = optional.enrolled()
    user.prefer(user.sign_in()["AccessToken"], enabled=False)
    assert "AuthenticationResult" in user.begin()


def test_in_a_required_pool_nobody_turns_it_off(required):
    user = required.set_up()
    user.prefer(user.token, enabled=True, preferred=True)
    with refused("InvalidParameterException"):
        user.prefer(user.token, enabled=False)
    assert user.begin()["ChallengeName"] == MFA


def test_an_administrators_off_there_is_no_error_and_changes_nothing(required):
    user = required.set_up()
    user.prefer(user.token, enabled=True, preferred=True)
    answer = user.prefer_as_admin(enabled=False)
    assert set(answer) == {"ResponseMetadata"}
    assert seen(user, user.token) == ([MFA], MFA)
    assert user.begin()["ChallengeName"] == MFA


def test_an_administrator_turns_it_on_and_off(optional):
    user = optional.user()
    _, token = user.enrol(user.access_token())
    user.prefer_as_admin(enabled=True, preferred=True)
    assert seen(user, token) == ([MFA], MFA)
    assert user.begin()["ChallengeName"] == MFA
    user.prefer_as_admin(enabled=False)
    assert seen(user, token) == (None, None)
    assert "AuthenticationResult" in user.begin()


def test_an_administrators_preference_needs_a_verified_token_too(optional):
    with refused("InvalidParameterException"):
        optional.user().prefer_as_admin(enabled=True)


def test_an_administrator_names_somebody(optional, idp):
    with refused("UserNotFoundException"):
        idp.admin_set_user_mfa_preference(
            UserPoolId=optional.id, Username="nobody", SoftwareTokenMfaSettings={"Enabled": True}
        )


def test_an_administrator_names_a_pool(optional, idp):
    with refused("ResourceNotFoundException"):
        idp.admin_set_user_mfa_preference(
            UserPoolId="eu-central-1_nosuchpool",
            Username=optional.user().name,
            SoftwareTokenMfaSettings={"Enabled": True},
        )


def test_a_replaced_token_stays_enabled(optional):
    user = optional.enrolled()
    user.phone, token = user.enrol(user.token)
    assert user.begin()["ChallengeName"] == MFA
    assert seen(user, token) == ([MFA], MFA)


def test_an_answer_without_members_is_empty(optional):
    user = optional.user()
    _, token = user.enrol(user.access_token())
    answer = user.prefer(token, enabled=True)
    assert set(answer) == {"ResponseMetadata"}


def test_what_is_not_enabled_is_not_preferred(optional):
    user = optional.user()
    _, token = user.enrol(user.access_token())
    with refused("InvalidParameterException"):
        user.prefer(token, enabled=False, preferred=True)
    assert seen(user, token) == (None, None)


def test_other_factors_may_be_turned_off_beside_it(optional, idp):
    user = optional.user()
    _, token = user.enrol(user.access_token())
    idp.set_user_mfa_preference(
        AccessToken=token,
        SMSMfaSettings={"Enabled": False, "PreferredMfa": False},
        SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True},
    )
    assert seen(user, token) == ([MFA], MFA)


def test_other_factors_cannot_be_turned_on(optional, idp):
    user = optional.user()
    _, token = user.enrol(user.access_token())
    with refused("InvalidParameterException"):
        idp.set_user_mfa_preference(
            AccessToken=token, SMSMfaSettings={"Enabled": True}, SoftwareTokenMfaSettings={"Enabled": True}
        )
    assert seen(user, token) == (None, None)


def test_what_is_not_set_up_is_told_from_what_is_not_verified(optional, idp):
    user = optional.user()
    token = user.access_token()
    with refused("InvalidParameterException", message="User has not set up software token mfa"):
        user.prefer(token, enabled=True)
    idp.associate_software_token(AccessToken=token)
    with refused("InvalidParameterException", message="User has not verified software token mfa"):
        user.prefer(token, enabled=True)


def test_an_administrator_deletes_a_lost_token(optional, idp):
    user = optional.enrolled()
    idp.admin_delete_software_token(UserPoolId=optional.id, Username=user.name)
    assert seen(user, user.access_token()) == (None, None)
    user.phone, token = user.enrol(user.access_token())
    user.prefer(token, enabled=True, preferred=True)
    assert user.sign_in()["AccessToken"]


def test_a_deleted_token_is_set_up_again_where_mfa_is_required(required, idp):
    user = required.set_up()
    idp.admin_delete_software_token(UserPoolId=required.id, Username=user.name)
    assert user.begin()["ChallengeName"] == "MFA_SETUP"


def test_the_factors_that_are_set_up(optional, idp):
    user = optional.user()
    told = idp.get_user_auth_factors(AccessToken=user.access_token())
    assert (told["Username"], told["ConfiguredUserAuthFactors"]) == (user.name, ["PASSWORD"])
    user.enrol(user.access_token())
    told = idp.get_user_auth_factors(AccessToken=user.access_token())
    assert told["ConfiguredUserAuthFactors"] == ["PASSWORD", "SOFTWARE_TOKEN"]
