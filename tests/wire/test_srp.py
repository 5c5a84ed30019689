"""Sign-in by SRP, as pycognito and warrant-lite compute it."""

import warnings

import pytest
from pycognito.aws_srp import AWSSRP
from pycognito.exceptions import SoftwareTokenMFAChallengeException

from world import PASSWORD, WRONG_PASSWORD, refused

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from warrant_lite import WarrantLite

CLIENTS = [AWSSRP, WarrantLite]
FLOWS = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]


def signing_in(client, user, password=PASSWORD, **settings):
    """One of the clients, about to sign this user in."""
    settings = {"client_id": user.pool.srp_client_id} | settings
    return client(username=user.name, password=password, pool_id=user.pool.id, client=user.idp, **settings)


@pytest.fixture
def user(optional):
    optional.srp_client_id = optional.another_client(ExplicitAuthFlows=FLOWS)
    return optional.user()


@pytest.mark.parametrize("client", CLIENTS)
def test_the_password_is_right_every_time(client, user):
    # Leading zeros, and highest bits that are set, are rare.
    for _ in range(8):
        assert signing_in(client, user).authenticate_user()["AuthenticationResult"]["RefreshToken"]


@pytest.mark.parametrize("client", CLIENTS)
def test_users_of_many_salts_sign_in(client, optional, user):
    for _ in range(8):
        assert signing_in(client, optional.user()).authenticate_user()["AuthenticationResult"]["AccessToken"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_password_is_refused(client, user):
    with refused("NotAuthorizedException", message="Incorrect username or password."):
        signing_in(client, user, WRONG_PASSWORD).authenticate_user()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_with_a_secret(client, optional, user):
    made = optional.idp.create_user_pool_client(
        UserPoolId=optional.id, ClientName="secret", GenerateSecret=True, ExplicitAuthFlows=FLOWS
    )["UserPoolClient"]
    secret = {"client_id": made["ClientId"], "client_secret": made["ClientSecret"]}
    assert signing_in(client, user, **secret).authenticate_user()["AuthenticationResult"]["IdToken"]
    with refused("NotAuthorizedException"):
        signing_in(client, user, **(secret | {"client_secret": "another"})).authenticate_user()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_temporary_password(client, optional, user, idp):
    user.name = f"{user.name}-temporary"
    idp.admin_create_user(UserPoolId=optional.id, Username=user.name, TemporaryPassword="Temporary-1")
    signing_in(client, user, "Temporary-1").set_new_password_challenge(PASSWORD)
    assert signing_in(client, user).authenticate_user()["AuthenticationResult"]["AccessToken"]


def test_a_code_is_asked_for_afterwards(optional, user):
    user.phone, token = user.enrol(user.access_token())
    user.prefer(token, enabled=True, preferred=True)
    with pytest.raises(SoftwareTokenMFAChallengeException) as asked:
        signing_in(AWSSRP, user).authenticate_user()
    session = asked.value.get_tokens()["Session"]
    with refused("CodeMismatchException"):
        user.answer(session, user.phone.wrong(), user.pool.srp_client_id)
    assert user.answer(session, user.phone.code(), user.pool.srp_client_id)["AuthenticationResult"]


def test_in_a_required_pool_the_token_is_set_up_first(required):
    required.srp_client_id = required.another_client(ExplicitAuthFlows=FLOWS)
    challenge = signing_in(AWSSRP, required.user()).authenticate_user()
    assert challenge["ChallengeName"] == "MFA_SETUP"
    assert "AuthenticationResult" not in challenge


def test_an_unknown_user_gets_a_challenge_where_users_are_hidden(optional, user):
    hiding = optional.another_client(PreventUserExistenceErrors="ENABLED", ExplicitAuthFlows=FLOWS)
    user.name = "nobody"
    with refused("NotAuthorizedException", message="Incorrect username or password."):
        signing_in(AWSSRP, user, client_id=hiding).authenticate_user()
    with refused("UserNotFoundException"):
        signing_in(AWSSRP, user).authenticate_user()


def test_a_client_that_names_no_flow_takes_srp_and_no_password(optional, user, idp):
    made = idp.create_user_pool_client(UserPoolId=optional.id, ClientName="default")["UserPoolClient"]
    assert signing_in(AWSSRP, user, client_id=made["ClientId"]).authenticate_user()["AuthenticationResult"]
    with refused("InvalidParameterException", message="USER_PASSWORD_AUTH flow not enabled for this client"):
        user.begin(client_id=made["ClientId"])
