"""Wrong codes one after another: one count, and what is too early is not judged."""

import time

from phone import Phone
from world import refused


def test_after_three_wrong_codes_the_right_one_has_to_wait(optional):
    user = optional.enrolled()
    session = user.challenge()
    for nth in range(3):
        with refused("CodeMismatchException"):
            user.answer(session, user.phone.wrong(nth))
    with refused("TooManyRequestsException"):
        user.answer(session, user.phone.code())


def test_and_is_accepted_in_time(optional):
    user = optional.enrolled()
    session = user.challenge()
    for nth in range(3):
        with refused("CodeMismatchException"):
            user.answer(session, user.phone.wrong(nth))
    time.sleep(6)
    assert user.answer(session, user.phone.code())["AuthenticationResult"]["AccessToken"]


def test_a_new_session_is_no_new_count(optional):
    user = optional.enrolled()
    for nth in range(3):
        with refused("CodeMismatchException"):
            user.answer(user.challenge(), user.phone.wrong(nth))
    with refused("TooManyRequestsException"):
        user.answer(user.challenge(), user.phone.code())


def test_the_right_password_clears_no_count(optional):
    user = optional.enrolled()
    for nth in range(3):
        with refused("CodeMismatchException"):
            user.answer(user.challenge(), user.phone.wrong(nth))
        user.begin()
    with refused("TooManyRequestsException"):
        user.answer(user.challenge(), user.phone.code())


def test_success_clears_it(optional):
    user = optional.enrolled()
    for _ in range(2):
        session = user.challenge()
        for nth in range(2):
            with refused("CodeMismatchException"):
                user.answer(session, user.phone.wrong(nth))
        user.answer(session, user.phone.code())


def test_verify_and_sign_in_share_one_count(optional, idp):
    user = optional.enrolled()
    replacement = Phone(idp.associate_software_token(AccessToken=user.token)["SecretCode"])
    session = user.challenge()
    for nth in range(2):
        with refused("EnableSoftwareTokenMFAException"):
            idp.verify_software_token(AccessToken=user.token, UserCode=replacement.wrong(nth))
    with refused("CodeMismatchException"):
        user.answer(session, user.phone.wrong())
    with refused("TooManyRequestsException"):
        user.answer(session, user.phone.code())
    with refused("TooManyRequestsException"):
        idp.verify_software_token(AccessToken=user.token, UserCode=replacement.code())


def test_a_new_secret_is_no_new_count(optional, idp):
    token = optional.user().access_token()
    for nth in range(3):
        phone = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])
        with refused("EnableSoftwareTokenMFAException"):
            idp.verify_software_token(AccessToken=token, UserCode=phone.wrong(nth))
    phone = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])
    with refused("TooManyRequestsException"):
        idp.verify_software_token(AccessToken=token, UserCode=phone.code())


def test_nobody_elses_count(optional):
    mine, yours = optional.enrolled(), optional.enrolled()
    session = mine.challenge()
    for nth in range(3):
        with refused("CodeMismatchException"):
            mine.answer(session, mine.phone.wrong(nth))
    assert yours.sign_in()["AccessToken"]
