"""CreateUserPool, CreateUserPoolClient, SetUserPoolMfaConfig and GetUserPoolMfaConfig."""

import re

import pytest

from world import TOKENS_OFF, Pool, refused


def configuration(pool):
    told = pool.idp.get_user_pool_mfa_config(UserPoolId=pool.id)
    return told["MfaConfiguration"], told.get("SoftwareTokenMfaConfiguration", {}).get("Enabled", False)


def test_a_new_pool_has_mfa_off_and_software_tokens_off(idp):
    assert configuration(Pool(idp)) == ("OFF", False)


def test_in_a_new_pool_nobody_is_asked(off):
    assert off.user().tokens()["AccessToken"]


def test_ids_have_the_shape_of_the_model(off):
    assert re.fullmatch(r"[\w-]+_[0-9a-zA-Z]+", off.id) and len(off.id) <= 55
    assert re.fullmatch(r"[\w+]+", off.client_id) and len(off.client_id) <= 128


def test_a_new_pool_is_told_by_name(idp):
    made = idp.create_user_pool(PoolName="a name")["UserPool"]
    assert made["Name"] == "a name"
    client = idp.create_user_pool_client(UserPoolId=made["Id"], ClientName="an app")["UserPoolClient"]
    assert (client["UserPoolId"], client["ClientName"]) == (made["Id"], "an app")


@pytest.mark.parametrize("mfa", ["OFF", "OPTIONAL", "ON"])
def test_what_is_set_is_told(idp, mfa):
    pool = Pool(idp)
    told = idp.set_user_pool_mfa_config(
        UserPoolId=pool.id, MfaConfiguration=mfa, SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    assert told["MfaConfiguration"] == mfa
    assert told["SoftwareTokenMfaConfiguration"] == {"Enabled": True}
    assert configuration(pool) == (mfa, True)


def test_what_is_set_holds_for_the_next_sign_in(idp):
    pool = Pool(idp)
    user = pool.user()
    assert "AuthenticationResult" in user.begin()
    pool.mfa("ON")
    assert user.begin()["ChallengeName"] == "MFA_SETUP"
    pool.mfa("OFF")
    assert "AuthenticationResult" in user.begin()


def test_mfa_off_with_software_tokens_on_enrols_and_asks_nobody(idp):
    user = Pool(idp).mfa("OFF").enrolled()
    assert "AuthenticationResult" in user.begin()


def test_software_tokens_switched_off_stop_enrolment_and_not_the_challenge(idp):
    pool = Pool(idp).mfa("OPTIONAL")
    user, other = pool.enrolled(), pool.user()
    token = other.access_token()
    pool.mfa("OFF", software_tokens=False)
    with refused("SoftwareTokenMFANotFoundException", message=TOKENS_OFF):
        idp.associate_software_token(AccessToken=token)
    idp.set_user_pool_mfa_config(
        UserPoolId=pool.id,
        MfaConfiguration="OPTIONAL",
        EmailMfaConfiguration={"Message": "{####}", "Subject": "Code"},
    )
    assert user.sign_in()["AccessToken"]


def test_software_tokens_switched_off_stop_what_is_pending(idp):
    pool = Pool(idp).mfa("OPTIONAL")
    token = pool.user().access_token()
    idp.associate_software_token(AccessToken=token)
    pool.mfa("OFF", software_tokens=False)
    with refused("SoftwareTokenMFANotFoundException", message=TOKENS_OFF):
        idp.verify_software_token(AccessToken=token, UserCode="123456")


def test_a_pool_without_tokens_says_so_before_it_asks_for_a_factor(idp):
    pool = Pool(idp).mfa("OPTIONAL")
    user = pool.enrolled()
    pool.mfa("OFF", software_tokens=False)
    with refused("SoftwareTokenMFANotFoundException", message=TOKENS_OFF):
        idp.associate_software_token(AccessToken=user.access_token())


@pytest.mark.parametrize("mfa", ["ON", "OPTIONAL"])
@pytest.mark.parametrize("was", ["OFF", "OPTIONAL", "ON"])
def test_a_pool_that_asks_for_mfa_has_a_factor(idp, mfa, was):
    pool = Pool(idp).mfa(was)
    with refused("InvalidParameterException"):
        pool.mfa(mfa, software_tokens=False)
    assert configuration(pool) == (was, True)


def test_a_pool_made_to_require_mfa_without_a_factor_contradicts_itself(idp):
    pool = Pool(idp, MfaConfiguration="ON")
    with refused("InvalidUserPoolConfigurationException"):
        pool.user().begin()


@pytest.mark.parametrize("operation", ["get_user_pool_mfa_config", "set_user_pool_mfa_config"])
def test_an_unknown_pool_is_not_found(idp, operation):
    members = {"MfaConfiguration": "OFF"} if operation.startswith("set") else {}
    with refused("ResourceNotFoundException"):
        getattr(idp, operation)(UserPoolId="eu-central-1_nosuchpool", **members)


def test_an_unknown_pool_gets_no_client(idp):
    with refused("ResourceNotFoundException"):
        idp.create_user_pool_client(UserPoolId="eu-central-1_nosuchpool", ClientName="app")


def test_an_unknown_configuration_is_refused(idp, off):
    with refused("InvalidParameterException"):
        idp.set_user_pool_mfa_config(UserPoolId=off.id, MfaConfiguration="SOMETIMES")


def test_pools_share_no_users(idp, optional):
    user = optional.user()
    with refused("UserNotFoundException"):
        idp.admin_get_user(UserPoolId=Pool(idp).id, Username=user.name)
