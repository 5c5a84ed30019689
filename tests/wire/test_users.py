"""SignUp and ConfirmSignUp, the operations of an administrator, and users whose state changes on the way."""

import base64
import hashlib
import hmac
import re

import pytest

from phone import Phone
from world import INVALID_SESSION, PASSWORD, WRONG_PASSWORD, User, refused


def test_who_signs_up_is_not_confirmed(optional):
    user = optional.sign_up()
    assert user.as_admin_sees()["UserStatus"] == "UNCONFIRMED"


def test_sign_up_says_so(optional, idp):
    made = idp.sign_up(ClientId=optional.client_id, Username="says-so", Password=PASSWORD)
    assert made["UserConfirmed"] is False
    assert made["UserSub"]


def test_who_is_confirmed_is(optional):
    assert optional.user().as_admin_sees()["UserStatus"] == "CONFIRMED"


def test_a_name_is_taken_once(optional, idp):
    user = optional.user()
    with refused("UsernameExistsException"):
        idp.sign_up(ClientId=optional.client_id, Username=user.name, Password=PASSWORD)
    with refused("UsernameExistsException"):
        idp.admin_create_user(UserPoolId=optional.id, Username=user.name)


def test_sign_up_needs_a_client(idp):
    with refused("ResourceNotFoundException"):
        idp.sign_up(ClientId="0123456789abcdefghijklmnop", Username="somebody", Password=PASSWORD)


def test_a_wrong_confirmation_confirms_nobody(optional, idp):
    user = optional.sign_up()
    with refused("CodeMismatchException", "ExpiredCodeException"):
        idp.confirm_sign_up(ClientId=optional.client_id, Username=user.name, ConfirmationCode="no-code")
    with refused("UserNotConfirmedException"):
        user.begin()


def test_nobody_confirms_nobody(optional, idp):
    with refused("UserNotFoundException"):
        idp.confirm_sign_up(ClientId=optional.client_id, Username="nobody", ConfirmationCode="123456")
    with refused("UserNotFoundException"):
        idp.admin_confirm_sign_up(UserPoolId=optional.id, Username="nobody")


def test_who_is_confirmed_is_not_confirmed_again(optional, idp):
    with refused("NotAuthorizedException"):
        idp.admin_confirm_sign_up(UserPoolId=optional.id, Username=optional.user().name)


def test_get_user_tells_name_and_sub(optional, idp):
    user = optional.user()
    told = idp.get_user(AccessToken=user.access_token())
    assert told["Username"] == user.name
    assert {"Name": "sub", "Value": user.sub} in told["UserAttributes"]


def test_admin_get_user_tells_the_same(optional):
    user = optional.user()
    told = user.as_admin_sees()
    assert told["Username"] == user.name
    assert told["Enabled"] is True
    assert told["UserCreateDate"]
    assert {"Name": "sub", "Value": user.sub} in told["UserAttributes"]


def test_attributes_are_kept(optional, idp):
    attributes = [{"Name": "email", "Value": "a@example.com"}]
    idp.sign_up(ClientId=optional.client_id, Username="attributes", Password=PASSWORD, UserAttributes=attributes)
    told = idp.admin_get_user(UserPoolId=optional.id, Username="attributes")
    assert attributes[0] in told["UserAttributes"]


def test_an_administrator_makes_a_user_who_signs_in(optional, idp):
    idp.admin_create_user(UserPoolId=optional.id, Username="made", MessageAction="SUPPRESS")
    told = idp.admin_get_user(UserPoolId=optional.id, Username="made")
    assert told["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    idp.admin_set_user_password(UserPoolId=optional.id, Username="made", Password=WRONG_PASSWORD, Permanent=True)
    assert idp.admin_get_user(UserPoolId=optional.id, Username="made")["UserStatus"] == "CONFIRMED"
    answer = idp.initiate_auth(
        ClientId=optional.client_id,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "made", "PASSWORD": WRONG_PASSWORD},
    )
    assert answer["AuthenticationResult"]["AccessToken"]


def test_a_new_password_replaces_the_old_one(optional, idp):
    user = optional.user()
    idp.admin_set_user_password(UserPoolId=optional.id, Username=user.name, Password=WRONG_PASSWORD, Permanent=True)
    with refused("NotAuthorizedException"):
        user.begin()
    assert user.begin(WRONG_PASSWORD)["AuthenticationResult"]["AccessToken"]


def test_a_new_password_takes_no_second_factor_away(optional, idp):
    user = optional.enrolled()
    idp.admin_set_user_password(UserPoolId=optional.id, Username=user.name, Password=WRONG_PASSWORD, Permanent=True)
    assert user.begin(WRONG_PASSWORD)["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_a_reset_password_signs_nobody_in(optional, idp):
    user = optional.user()
    idp.admin_reset_user_password(UserPoolId=optional.id, Username=user.name)
    assert user.as_admin_sees()["UserStatus"] == "RESET_REQUIRED"
    with refused("PasswordResetRequiredException"):
        user.begin()


def test_a_reset_password_between_challenge_and_answer_signs_nobody_in(optional, idp):
    user = optional.enrolled()
    session = user.challenge()
    idp.admin_reset_user_password(UserPoolId=optional.id, Username=user.name)
    with refused("PasswordResetRequiredException"):
        user.answer(session, user.phone.code())


def test_a_reset_password_in_the_middle_of_a_setup_finishes_nothing(required, idp):
    user, phone, session = required.setting_up()
    verified = idp.verify_software_token(Session=session, UserCode=phone.code())["Session"]
    idp.admin_reset_user_password(UserPoolId=required.id, Username=user.name)
    with refused("PasswordResetRequiredException"):
        user.finish_setup(verified)


def test_a_reset_password_verifies_nothing(required, idp):
    user, phone, session = required.setting_up()
    idp.admin_reset_user_password(UserPoolId=required.id, Username=user.name)
    with refused("PasswordResetRequiredException"):
        idp.verify_software_token(Session=session, UserCode=phone.code())


def test_a_refusal_for_the_users_state_spends_no_code(optional, idp):
    user = optional.enrolled()
    session, code = user.challenge(), user.phone.code()
    idp.admin_reset_user_password(UserPoolId=optional.id, Username=user.name)
    with refused("PasswordResetRequiredException"):
        user.answer(session, code)
    idp.admin_set_user_password(UserPoolId=optional.id, Username=user.name, Password=PASSWORD, Permanent=True)
    assert user.answer(user.challenge(), user.phone.last())["AuthenticationResult"]["AccessToken"]


ADMIN_OPERATIONS = {
    "admin_get_user": {},
    "admin_confirm_sign_up": {},
    "admin_reset_user_password": {},
    "admin_set_user_password": {"Password": PASSWORD, "Permanent": True},
}


@pytest.mark.parametrize("operation", ADMIN_OPERATIONS)
def test_an_administrator_finds_nobody(optional, idp, operation):
    with refused("UserNotFoundException"):
        getattr(idp, operation)(UserPoolId=optional.id, Username="nobody", **ADMIN_OPERATIONS[operation])


@pytest.mark.parametrize("operation", [*ADMIN_OPERATIONS, "admin_create_user"])
def test_an_administrator_finds_no_pool(idp, operation):
    members = ADMIN_OPERATIONS.get(operation, {})
    with refused("ResourceNotFoundException"):
        getattr(idp, operation)(UserPoolId="eu-central-1_nosuchpool", Username="somebody", **members)


@pytest.mark.parametrize("flow", ["ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"])
def test_an_administrator_signs_somebody_in(optional, flow):
    assert optional.user().begin_as_admin(flow)["AuthenticationResult"]["AccessToken"]


def test_an_administrator_is_asked_for_the_code(optional):
    user = optional.enrolled()
    challenge = user.begin_as_admin()
    assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    assert challenge["ChallengeParameters"]["FRIENDLY_DEVICE_NAME"] == "phone"
    with refused("CodeMismatchException"):
        user.answer_as_admin(challenge["Session"], user.phone.wrong())
    answer = user.answer_as_admin(challenge["Session"], user.phone.code())
    assert answer["AuthenticationResult"]["AccessToken"]
    with refused("ExpiredCodeException"):
        user.answer_as_admin(user.begin_as_admin()["Session"], user.phone.last())


def test_an_administrator_sets_up_and_finishes(required, idp):
    user = required.user()
    challenge = user.begin_as_admin()
    assert challenge["ChallengeName"] == "MFA_SETUP"
    issued = idp.associate_software_token(Session=challenge["Session"])
    phone = Phone(issued["SecretCode"])
    verified = idp.verify_software_token(Session=issued["Session"], UserCode=phone.code())
    answer = idp.admin_respond_to_auth_challenge(
        UserPoolId=required.id,
        ClientId=required.client_id,
        ChallengeName="MFA_SETUP",
        Session=verified["Session"],
        ChallengeResponses={"USERNAME": user.name},
    )
    assert answer["AuthenticationResult"]["AccessToken"]


def test_an_administrator_signs_in_nobody(optional, idp):
    with refused("UserNotFoundException"):
        idp.admin_initiate_auth(
            UserPoolId=optional.id,
            ClientId=optional.client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "nobody", "PASSWORD": PASSWORD},
        )


def test_an_administrator_uses_the_pools_own_client(optional, required, idp):
    user = optional.user()
    with refused("ResourceNotFoundException"):
        idp.admin_initiate_auth(
            UserPoolId=optional.id,
            ClientId=required.client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": user.name, "PASSWORD": PASSWORD},
        )


def test_a_temporary_password_is_replaced_before_the_second_factor(required, idp):
    name, temporary = "temporary", "Temporary-Horse-9"
    idp.admin_create_user(UserPoolId=required.id, Username=name, TemporaryPassword=temporary)
    challenge = User(required, name).begin(temporary)
    assert challenge["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    answer = idp.respond_to_auth_challenge(
        ClientId=required.client_id,
        ChallengeName="NEW_PASSWORD_REQUIRED",
        Session=challenge["Session"],
        ChallengeResponses={"USERNAME": name, "NEW_PASSWORD": PASSWORD},
    )
    assert answer["ChallengeName"] == "MFA_SETUP"
    assert User(required, name).begin()["ChallengeName"] == "MFA_SETUP"


@pytest.mark.parametrize("name", ["x", "Ünï-çödé", "漢" * 128, "a@example.org", "n" * 128])
def test_any_name_of_the_model_enrols_and_signs_in(optional, name):
    user = optional.user(name)
    user.phone, token = user.enrol(user.access_token())
    user.prefer(token, enabled=True)
    assert user.begin()["ChallengeParameters"]["USER_ID_FOR_SRP"] == name
    assert user.sign_in()["AccessToken"]


def secret_hash(name, client):
    """HMAC-SHA-256 of name and client id under the client's secret, as the developer guide has it."""
    text = (name + client["ClientId"]).encode()
    return base64.b64encode(hmac.digest(client["ClientSecret"].encode(), text, hashlib.sha256)).decode()


def test_a_client_with_a_secret_proves_that_it_knows_it(required, idp):
    client = idp.create_user_pool_client(
        UserPoolId=required.id,
        ClientName="secret",
        GenerateSecret=True,
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"],
    )["UserPoolClient"]
    user = required.user()

    def begin(**more):
        parameters = {"USERNAME": user.name, "PASSWORD": PASSWORD} | more
        return idp.initiate_auth(ClientId=client["ClientId"], AuthFlow="USER_PASSWORD_AUTH", AuthParameters=parameters)

    def finish(session, **more):
        return idp.respond_to_auth_challenge(
            ClientId=client["ClientId"],
            ChallengeName="MFA_SETUP",
            Session=session,
            ChallengeResponses={"USERNAME": user.name} | more,
        )

    known = {"SECRET_HASH": secret_hash(user.name, client)}
    for unknown in ({}, {"SECRET_HASH": secret_hash("another", client)}):
        with refused("NotAuthorizedException"):
            begin(**unknown)
    issued = idp.associate_software_token(Session=begin(**known)["Session"])
    code = Phone(issued["SecretCode"]).code()
    session = idp.verify_software_token(Session=issued["Session"], UserCode=code)["Session"]
    with refused("NotAuthorizedException"):
        finish(session)
    assert finish(session, **known)["AuthenticationResult"]["AccessToken"]


def test_a_user_who_is_deleted_on_the_way_is_not_found(optional, idp):
    user = optional.enrolled()
    session = user.challenge()
    idp.admin_delete_user(UserPoolId=optional.id, Username=user.name)
    with refused("UserNotFoundException"):
        user.answer(session, user.phone.code())
    for call in (
        lambda: idp.get_user(AccessToken=user.token),
        lambda: idp.verify_software_token(AccessToken=user.token, UserCode=user.phone.last()),
    ):
        with refused("UserNotFoundException", "NotAuthorizedException"):
            call()


def test_whoever_takes_the_name_of_a_deleted_user_takes_nothing_else(optional, idp):
    user = optional.enrolled()
    session = user.challenge()
    idp.admin_delete_user(UserPoolId=optional.id, Username=user.name)
    heir = optional.user(user.name)
    assert "AuthenticationResult" in heir.begin()
    with refused("NotAuthorizedException"):
        heir.answer(session, user.phone.code())
    with refused("UserNotFoundException", "NotAuthorizedException"):
        idp.get_user(AccessToken=user.token)


def test_a_user_who_is_disabled_on_the_way_is_refused(optional, idp):
    user = optional.enrolled()
    session = user.challenge()
    idp.admin_disable_user(UserPoolId=optional.id, Username=user.name)
    with refused("NotAuthorizedException"):
        user.answer(session, user.phone.code())
    with refused("NotAuthorizedException"):
        user.begin()
    idp.admin_enable_user(UserPoolId=optional.id, Username=user.name)
    assert user.answer(session, user.phone.last())["AuthenticationResult"]["AccessToken"]


@pytest.mark.parametrize("standing", ["confirmed", "reset", "unconfirmed"])
def test_a_client_that_hides_users_tells_nothing_of_them(optional, idp, standing):
    client_id = optional.another_client(PreventUserExistenceErrors="ENABLED")
    user = optional.sign_up() if standing == "unconfirmed" else optional.user()
    if standing == "reset":
        idp.admin_reset_user_password(UserPoolId=optional.id, Username=user.name)
    for name in (user, User(optional, "nobody")):
        with refused("NotAuthorizedException", message="Incorrect username or password."):
            name.begin(WRONG_PASSWORD, client_id=client_id)


@pytest.mark.parametrize("standing", ["reset", "unconfirmed", "disabled"])
def test_a_client_that_hides_users_tells_nothing_to_who_has_no_session(optional, idp, standing):
    client_id = optional.another_client(PreventUserExistenceErrors="ENABLED")
    user = optional.sign_up() if standing == "unconfirmed" else optional.user()
    if standing == "reset":
        idp.admin_reset_user_password(UserPoolId=optional.id, Username=user.name)
    elif standing == "disabled":
        idp.admin_disable_user(UserPoolId=optional.id, Username=user.name)
    for name in (user, User(optional, "nobody")):
        with refused("NotAuthorizedException", message=INVALID_SESSION):
            name.answer("s" * 100, "123456", client_id=client_id)


@pytest.mark.parametrize("standing", ["unknown", "confirmed", "unconfirmed", "disabled"])
def test_a_client_that_hides_users_hears_of_everybody_that_a_code_was_sent(optional, idp, standing):
    client_id = optional.another_client(PreventUserExistenceErrors="ENABLED")
    user = User(optional, "nobody")
    if standing != "unknown":
        user = optional.sign_up() if standing == "unconfirmed" else optional.user()
    if standing == "disabled":
        idp.admin_disable_user(UserPoolId=optional.id, Username=user.name)
    for send in (idp.forgot_password, idp.resend_confirmation_code):
        told, again = (send(ClientId=client_id, Username=user.name)["CodeDeliveryDetails"] for _ in range(2))
        assert told == again
        assert told["DeliveryMedium"] == "EMAIL" and told["AttributeName"] == "email"
        assert re.fullmatch(r"[a-z]\*\*\*", told["Destination"])
    wrong = {"ClientId": client_id, "Username": user.name, "ConfirmationCode": "654321"}
    with refused("CodeMismatchException"):
        idp.confirm_sign_up(**wrong)
    with refused("CodeMismatchException"):
        idp.confirm_forgot_password(**wrong, Password="Another-Horse-2")


def test_a_password_that_changes_ends_the_sign_ins_that_it_began(optional, idp):
    user = optional.enrolled()
    session = user.challenge()
    idp.admin_set_user_password(
        UserPoolId=optional.id, Username=user.name, Password="Another-Horse-2", Permanent=True
    )
    with refused("NotAuthorizedException", message=INVALID_SESSION):
        user.answer(session, user.phone.code())


def test_a_password_that_changes_ends_the_set_ups_that_it_began(required, idp):
    user, phone, session = required.setting_up()
    idp.admin_set_user_password(
        UserPoolId=required.id, Username=user.name, Password="Another-Horse-2", Permanent=True
    )
    with refused("NotAuthorizedException", message=INVALID_SESSION):
        idp.verify_software_token(Session=session, UserCode=phone.code())


def test_a_temporary_password_lets_nobody_past_it(optional, idp):
    user = optional.enrolled()
    session = user.challenge()
    idp.admin_set_user_password(
        UserPoolId=optional.id, Username=user.name, Password="Another-Horse-2", Permanent=False
    )
    with refused("NotAuthorizedException"):
        user.answer(session, user.phone.code())


def test_a_name_with_what_cannot_be_seen_is_refused_from_the_start(optional, idp):
    with refused("InvalidParameterException"):
        idp.sign_up(ClientId=optional.client_id, Username="a\u200db", Password=PASSWORD)
