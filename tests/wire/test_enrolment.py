"""AssociateSoftwareToken and VerifySoftwareToken, by access token and by session."""

import re
import time

import pytest

from phone import Phone
from world import INVALID_SESSION, refused


def test_a_secret_is_base32_text_of_32_bytes(optional, idp):
    token = optional.user().access_token()
    secret = idp.associate_software_token(AccessToken=token)["SecretCode"]
    assert re.fullmatch("[A-Z2-7]{52}", secret)


def test_with_an_access_token_associate_returns_no_session(optional, idp):
    assert "Session" not in idp.associate_software_token(AccessToken=optional.user().access_token())


def test_with_an_access_token_verify_returns_no_session(optional, idp):
    token = optional.user().access_token()
    phone = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])
    verified = idp.verify_software_token(AccessToken=token, UserCode=phone.code())
    assert verified["Status"] == "SUCCESS"
    assert "Session" not in verified


def test_with_a_session_associate_returns_a_new_one(required, idp):
    session = required.user().begin()["Session"]
    issued = idp.associate_software_token(Session=session)
    assert 20 <= len(issued["Session"]) <= 4096
    assert issued["Session"] != session


def test_with_a_session_verify_returns_a_new_one(required, idp):
    _, phone, session = required.setting_up()
    verified = idp.verify_software_token(Session=session, UserCode=phone.code())
    assert verified["Status"] == "SUCCESS"
    assert 20 <= len(verified["Session"]) <= 4096
    assert verified["Session"] != session


def test_every_associate_issues_another_secret(optional, idp):
    token = optional.user().access_token()
    secrets = {idp.associate_software_token(AccessToken=token)["SecretCode"] for _ in range(3)}
    assert len(secrets) == 3


def test_a_pending_secret_that_was_replaced_is_dead(optional, idp):
    token = optional.user().access_token()
    first = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])
    second = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])
    with refused("EnableSoftwareTokenMFAException"):
        idp.verify_software_token(AccessToken=token, UserCode=first.code())
    assert idp.verify_software_token(AccessToken=token, UserCode=second.code())["Status"] == "SUCCESS"


def test_the_session_of_a_replaced_secret_is_dead(required, idp):
    user = required.user()
    challenge = user.begin()["Session"]
    first = idp.associate_software_token(Session=challenge)
    second = idp.associate_software_token(Session=challenge)
    phone = Phone(second["SecretCode"])
    with refused("NotAuthorizedException", message=INVALID_SESSION):
        idp.verify_software_token(Session=first["Session"], UserCode=phone.code())
    assert idp.verify_software_token(Session=second["Session"], UserCode=phone.code())["Status"] == "SUCCESS"


def test_a_wrong_code_does_not_verify(optional, idp):
    token = optional.user().access_token()
    phone = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])
    with refused("EnableSoftwareTokenMFAException"):
        idp.verify_software_token(AccessToken=token, UserCode=phone.wrong())


def test_after_a_wrong_code_the_right_one_verifies(optional, idp):
    token = optional.user().access_token()
    phone = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])
    with refused("EnableSoftwareTokenMFAException"):
        idp.verify_software_token(AccessToken=token, UserCode=phone.wrong())
    assert idp.verify_software_token(AccessToken=token, UserCode=phone.code())["Status"] == "SUCCESS"


def test_after_a_wrong_code_the_session_of_a_setup_lives_on(required, idp):
    user, phone, session = required.setting_up()
    with refused("EnableSoftwareTokenMFAException"):
        idp.verify_software_token(Session=session, UserCode=phone.wrong())
    verified = idp.verify_software_token(Session=session, UserCode=phone.code())
    assert user.finish_setup(verified["Session"])["AuthenticationResult"]["AccessToken"]


def test_a_code_outside_the_window_does_not_verify(optional, idp):
    token = optional.user().access_token()
    phone = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])
    step = int(phone.code() and phone.spent)
    for distant in (step - 4, step + 5):
        with refused("EnableSoftwareTokenMFAException"):
            idp.verify_software_token(AccessToken=token, UserCode=phone.at(distant))


def test_nothing_is_verified_twice(optional, idp):
    user = optional.user()
    phone, token = user.enrol(user.access_token())
    for code in (phone.last(), phone.wrong(), phone.code()):
        with refused("SoftwareTokenMFANotFoundException"):
            idp.verify_software_token(AccessToken=token, UserCode=code)


def test_a_double_click_on_verify_counts_no_guess(optional, idp):
    user = optional.enrolled()
    for nth in range(4):
        with refused("SoftwareTokenMFANotFoundException"):
            idp.verify_software_token(AccessToken=user.token, UserCode=user.phone.wrong(nth))
    assert user.sign_in()["AccessToken"]


def test_without_a_secret_there_is_nothing_to_verify(optional, idp):
    with refused("SoftwareTokenMFANotFoundException"):
        idp.verify_software_token(AccessToken=optional.user().access_token(), UserCode="123456")


@pytest.mark.parametrize("operation", ["associate_software_token", "verify_software_token"])
def test_where_software_tokens_are_off_there_are_none(off, idp, operation):
    members = {"UserCode": "123456"} if operation.startswith("verify") else {}
    with refused("SoftwareTokenMFANotFoundException"):
        getattr(idp, operation)(AccessToken=off.user().access_token(), **members)


@pytest.mark.parametrize("operation", ["associate_software_token", "verify_software_token"])
def test_an_access_token_and_a_session_are_one_too_many(required, idp, operation):
    user, phone, session = required.setting_up()
    token = required.set_up().token
    members = {"UserCode": phone.code()} if operation.startswith("verify") else {}
    with refused("InvalidParameterException"):
        getattr(idp, operation)(AccessToken=token, Session=session, **members)


@pytest.mark.parametrize("operation", ["associate_software_token", "verify_software_token"])
def test_neither_an_access_token_nor_a_session_is_one_too_few(idp, operation):
    members = {"UserCode": "123456"} if operation.startswith("verify") else {}
    with refused("InvalidParameterException"):
        getattr(idp, operation)(**members)


def test_another_users_access_token_verifies_nothing_of_mine(optional, idp):
    mine, yours = optional.user().access_token(), optional.user().access_token()
    phone = Phone(idp.associate_software_token(AccessToken=mine)["SecretCode"])
    with refused("SoftwareTokenMFANotFoundException"):
        idp.verify_software_token(AccessToken=yours, UserCode=phone.code())


def test_associate_over_a_verified_token_needs_a_second_factor(optional, idp):
    user = optional.user()
    other = user.access_token()
    _, token = user.enrol(user.access_token())
    user.prefer(token, enabled=True)
    with refused("NotAuthorizedException"):
        idp.associate_software_token(AccessToken=other)


def test_the_access_token_that_verified_counts_as_a_second_factor(optional, idp):
    user = optional.enrolled()
    assert idp.associate_software_token(AccessToken=user.token)["SecretCode"]


def test_the_access_token_of_a_sign_in_with_a_code_counts_as_one(optional, idp):
    user = optional.enrolled()
    assert idp.associate_software_token(AccessToken=user.sign_in()["AccessToken"])["SecretCode"]


def test_the_access_token_of_a_setup_counts_as_one(required, idp):
    assert idp.associate_software_token(AccessToken=required.set_up().token)["SecretCode"]


def test_the_login_that_verified_counts_as_one_after_a_refresh_too(optional, idp):
    user = optional.user()
    result = user.tokens()
    _, token = user.enrol(result["AccessToken"])
    user.prefer(token, enabled=True)
    refreshed = user.refresh(result["RefreshToken"])["AccessToken"]
    assert idp.associate_software_token(AccessToken=refreshed)["SecretCode"]


def test_verify_of_a_replacement_needs_a_second_factor_too(optional, idp):
    user = optional.user()
    other = user.access_token()
    _, token = user.enrol(user.access_token())
    user.prefer(token, enabled=True)
    replacement = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])
    with refused("NotAuthorizedException"):
        idp.verify_software_token(AccessToken=other, UserCode=replacement.code())
    assert idp.verify_software_token(AccessToken=token, UserCode=replacement.last())["Status"] == "SUCCESS"


def test_a_token_that_was_never_enabled_may_be_replaced_by_password_alone(optional, idp):
    user = optional.user()
    user.enrol(user.access_token())
    replacement, token = user.enrol(user.access_token())
    user.prefer(token, enabled=True)
    assert user.sign_in(replacement)["AccessToken"]


def test_a_lost_phone_is_replaced_by_password_once_an_administrator_has_turned_it_off(optional, idp):
    user = optional.user()
    before = user.access_token()
    lost, token = user.enrol(user.access_token())
    user.prefer(token, enabled=True, preferred=True)
    assert user.sign_in(lost)["AccessToken"]
    # Whole seconds: the password has to be given after the token was turned off.
    time.sleep(1.1)
    user.prefer_as_admin(enabled=False)
    with refused("NotAuthorizedException"):
        idp.associate_software_token(AccessToken=before)
    found, token = user.enrol(user.access_token())
    user.prefer(token, enabled=True, preferred=True)
    session = user.challenge()
    with refused("CodeMismatchException"):
        user.answer(session, lost.code())
    assert user.answer(session, found.code())["AuthenticationResult"]["AccessToken"]


def test_a_lost_phone_is_not_replaced_by_password_where_mfa_is_required(required, idp):
    user = required.set_up()
    user.prefer_as_admin(enabled=False)
    challenge = user.begin()
    assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    with refused("NotAuthorizedException", message=INVALID_SESSION):
        idp.associate_software_token(Session=challenge["Session"])


def test_the_old_token_works_until_the_new_one_is_verified(optional, idp):
    user = optional.enrolled()
    idp.associate_software_token(AccessToken=user.token)
    assert user.sign_in()["AccessToken"]


def test_and_not_after(optional, idp):
    user = optional.enrolled()
    old = user.phone
    new, _ = user.enrol(user.token)
    session = user.challenge()
    with refused("CodeMismatchException"):
        user.answer(session, old.code())
    assert user.answer(session, new.code())["AuthenticationResult"]["AccessToken"]


def test_the_old_token_does_not_prove_the_new_one(optional, idp):
    user = optional.enrolled()
    idp.associate_software_token(AccessToken=user.token)
    with refused("EnableSoftwareTokenMFAException"):
        idp.verify_software_token(AccessToken=user.token, UserCode=user.phone.code())


def test_the_new_token_does_not_sign_in_before_it_is_verified(optional, idp):
    user = optional.enrolled()
    new = Phone(idp.associate_software_token(AccessToken=user.token)["SecretCode"])
    with refused("CodeMismatchException"):
        user.answer(user.challenge(), new.code())
