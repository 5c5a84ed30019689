"""InitiateAuth and RespondToAuthChallenge: which challenge, and what answers it."""

import subprocess

import pytest

from phone import Phone
from world import PASSWORD, USED_CODE, WRONG_PASSWORD, Pool, mfas_can_setup, refused


def test_the_optional_pool_from_sign_up_to_the_second_sign_in(optional, idp):
    user = optional.sign_up()
    idp.admin_confirm_sign_up(UserPoolId=optional.id, Username=user.name)
    token = user.access_token()
    phone = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])
    idp.verify_software_token(AccessToken=token, UserCode=phone.code(), FriendlyDeviceName="phone")
    user.prefer(token, enabled=True, preferred=True)

    challenge = user.begin()
    assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    result = user.answer(challenge["Session"], phone.code())["AuthenticationResult"]
    assert idp.get_user(AccessToken=result["AccessToken"])["Username"] == user.name


def test_the_required_pool_from_sign_up_to_the_second_sign_in(required, idp):
    user = required.sign_up()
    idp.admin_confirm_sign_up(UserPoolId=required.id, Username=user.name)
    challenge = user.begin()
    assert challenge["ChallengeName"] == "MFA_SETUP"
    issued = idp.associate_software_token(Session=challenge["Session"])
    phone = Phone(issued["SecretCode"])
    verified = idp.verify_software_token(Session=issued["Session"], UserCode=phone.code())
    result = user.finish_setup(verified["Session"])["AuthenticationResult"]
    assert idp.get_user(AccessToken=result["AccessToken"])["Username"] == user.name

    challenge = user.begin()
    assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    result = user.answer(challenge["Session"], phone.code())["AuthenticationResult"]
    assert idp.get_user(AccessToken=result["AccessToken"])["Username"] == user.name


def test_an_authenticator_that_nobody_here_wrote_enrols_and_signs_in(optional, idp):
    user = optional.user()
    token = user.access_token()
    phone = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])

    def oathtool():
        phone.code()
        command = ["oathtool", "--totp", "--base32", "--now", f"@{phone.spent * 30}", phone.secret]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    idp.verify_software_token(AccessToken=token, UserCode=oathtool())
    user.prefer(token, enabled=True)
    assert user.answer(user.challenge(), oathtool())["AuthenticationResult"]["AccessToken"]


def test_mfa_setup_says_what_can_be_set_up(required):
    challenge = required.user().begin()
    assert challenge["ChallengeName"] == "MFA_SETUP"
    assert mfas_can_setup(challenge) == ["SOFTWARE_TOKEN_MFA"]


def test_mfa_setup_carries_the_user_and_no_tokens(required):
    user = required.user()
    challenge = user.begin()
    assert challenge["ChallengeParameters"]["USER_ID_FOR_SRP"] == user.name
    assert "AuthenticationResult" not in challenge
    assert 20 <= len(challenge["Session"]) <= 4096


def test_the_challenge_carries_the_user_and_no_tokens(optional):
    user = optional.enrolled()
    challenge = user.begin()
    assert challenge["ChallengeParameters"]["USER_ID_FOR_SRP"] == user.name
    assert "AuthenticationResult" not in challenge


def test_the_challenge_names_the_device(optional):
    challenge = optional.enrolled(device="Anna's phone é").begin()
    assert challenge["ChallengeParameters"]["FRIENDLY_DEVICE_NAME"] == "Anna's phone é"


def test_a_device_without_a_name_is_not_named(optional):
    assert "FRIENDLY_DEVICE_NAME" not in optional.enrolled(device=None).begin()["ChallengeParameters"]


def test_a_sign_in_that_asks_for_nothing_has_no_challenge(optional):
    answer = optional.user().begin()
    assert answer["AuthenticationResult"]["AccessToken"]
    assert "ChallengeName" not in answer
    assert "Session" not in answer


def test_an_answered_challenge_has_no_challenge(optional):
    user = optional.enrolled()
    answer = user.answer(user.challenge(), user.phone.code())
    assert "ChallengeName" not in answer
    assert "Session" not in answer


def test_a_pending_secret_changes_no_sign_in(optional, idp):
    user = optional.user()
    idp.associate_software_token(AccessToken=user.access_token())
    assert "AuthenticationResult" in user.begin()


def test_in_an_optional_pool_a_verified_token_waits_until_it_is_preferred(optional):
    user = optional.user()
    _, token = user.enrol(user.access_token())
    assert "AuthenticationResult" in user.begin()
    user.prefer(token, enabled=True)
    assert user.begin()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_in_a_required_pool_verify_alone_enrols(required, idp):
    user, phone, session = required.setting_up()
    idp.verify_software_token(Session=session, UserCode=phone.code())
    assert user.answer(user.challenge(), phone.code())["AuthenticationResult"]["AccessToken"]


def test_where_mfa_is_off_nobody_is_asked(idp):
    pool = Pool(idp).mfa("OPTIONAL")
    user = pool.enrolled()
    assert user.begin()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    pool.mfa("OFF")
    assert "AuthenticationResult" in user.begin()


def test_where_mfa_becomes_required_who_has_a_token_is_asked_for_a_code(idp):
    pool = Pool(idp).mfa("OPTIONAL")
    user, stranger = pool.user(), pool.user()
    user.enrol(user.access_token())
    pool.mfa("ON")
    assert user.begin()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    assert stranger.begin()["ChallengeName"] == "MFA_SETUP"


def test_a_wrong_code_does_not_sign_in(optional):
    user = optional.enrolled()
    with refused("CodeMismatchException"):
        user.answer(user.challenge(), user.phone.wrong())


def test_after_a_wrong_code_the_session_lives_on(optional):
    user = optional.enrolled()
    session = user.challenge()
    for nth in range(2):
        with refused("CodeMismatchException"):
            user.answer(session, user.phone.wrong(nth))
    assert user.answer(session, user.phone.code())["AuthenticationResult"]["AccessToken"]


def test_a_used_code_is_refused_by_name(optional):
    user = optional.enrolled()
    user.sign_in()
    with refused("ExpiredCodeException", message=USED_CODE):
        user.answer(user.challenge(), user.phone.last())


def test_after_a_used_code_the_session_lives_on(optional):
    user = optional.enrolled()
    user.sign_in()
    session = user.challenge()
    with refused("ExpiredCodeException"):
        user.answer(session, user.phone.last())
    assert user.answer(session, user.phone.code())["AuthenticationResult"]["AccessToken"]


def test_the_code_that_verified_cannot_also_sign_in(optional):
    user = optional.enrolled()
    with refused("ExpiredCodeException", message=USED_CODE):
        user.answer(user.challenge(), user.phone.last())


def test_the_code_that_set_up_cannot_also_sign_in(required):
    user = required.set_up()
    with refused("ExpiredCodeException", message=USED_CODE):
        user.answer(user.challenge(), user.phone.last())


def test_codes_are_used_in_their_order(optional):
    user = optional.enrolled()
    skipped = user.phone.code()
    assert user.sign_in()["AccessToken"]
    with refused("ExpiredCodeException", message=USED_CODE):
        user.answer(user.challenge(), skipped)


def test_a_code_outside_the_window_does_not_sign_in(optional):
    user = optional.enrolled()
    session = user.challenge()
    with refused("CodeMismatchException"):
        user.answer(session, user.phone.at(user.phone.spent + 5))


def test_used_codes_are_no_guesses(optional):
    user = optional.enrolled()
    session = user.challenge()
    for _ in range(5):
        with refused("ExpiredCodeException"):
            user.answer(session, user.phone.last())
    assert user.answer(session, user.phone.code())["AuthenticationResult"]["AccessToken"]


def test_a_wrong_password_gets_no_challenge(optional):
    user = optional.enrolled()
    with refused("NotAuthorizedException"):
        user.begin(WRONG_PASSWORD)


def test_nobody_by_that_name_is_not_found(optional, idp):
    with refused("UserNotFoundException"):
        idp.initiate_auth(
            ClientId=optional.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "nobody", "PASSWORD": WRONG_PASSWORD},
        )


def test_who_has_not_confirmed_does_not_sign_in(optional):
    with refused("UserNotConfirmedException"):
        optional.sign_up().begin()


def test_an_unknown_client_is_not_found(optional):
    with refused("ResourceNotFoundException"):
        optional.user().begin(client_id="0123456789abcdefghijklmnop")


def test_an_unknown_client_answers_no_challenge(optional):
    user = optional.enrolled()
    with refused("ResourceNotFoundException"):
        user.answer(user.challenge(), user.phone.code(), client_id="0123456789abcdefghijklmnop")


@pytest.mark.parametrize("missing", ["USERNAME", "PASSWORD"])
def test_both_auth_parameters_are_needed(optional, idp, missing):
    parameters = {"USERNAME": optional.user().name, "PASSWORD": WRONG_PASSWORD}
    del parameters[missing]
    with refused("InvalidParameterException"):
        idp.initiate_auth(ClientId=optional.client_id, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=parameters)


@pytest.mark.parametrize("missing", ["USERNAME", "SOFTWARE_TOKEN_MFA_CODE"])
def test_both_challenge_responses_are_needed(optional, idp, missing):
    user = optional.enrolled()
    responses = {"USERNAME": user.name, "SOFTWARE_TOKEN_MFA_CODE": user.phone.code()}
    del responses[missing]
    with refused("InvalidParameterException"):
        idp.respond_to_auth_challenge(
            ClientId=optional.client_id,
            ChallengeName="SOFTWARE_TOKEN_MFA",
            Session=user.challenge(),
            ChallengeResponses=responses,
        )


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "abcdef", "１２３４５６", "١٢٣٤٥٦"])
def test_what_is_no_code_does_not_sign_in_and_is_no_guess(optional, code):
    user = optional.enrolled()
    session = user.challenge()
    for _ in range(4):
        with refused("InvalidParameterException", "CodeMismatchException"):
            user.answer(session, code)
    assert user.answer(session, user.phone.code())["AuthenticationResult"]["AccessToken"]


def test_an_unknown_flow_is_refused(optional, idp):
    with refused("InvalidParameterException"):
        idp.initiate_auth(ClientId=optional.client_id, AuthFlow="NO_AUTH", AuthParameters={})


def test_an_administrators_flow_is_an_administrators(optional, idp):
    with refused("InvalidParameterException"):
        idp.initiate_auth(
            ClientId=optional.client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": optional.user().name, "PASSWORD": PASSWORD},
        )


def test_an_unknown_challenge_is_refused(optional, idp):
    user = optional.enrolled()
    with refused("InvalidParameterException"):
        idp.respond_to_auth_challenge(
            ClientId=optional.client_id,
            ChallengeName="NO_CHALLENGE",
            Session=user.challenge(),
            ChallengeResponses={"USERNAME": user.name},
        )


def test_a_challenge_without_its_session_is_refused(optional, idp):
    user = optional.enrolled()
    with refused("InvalidParameterException", "NotAuthorizedException"):
        idp.respond_to_auth_challenge(
            ClientId=optional.client_id,
            ChallengeName="SOFTWARE_TOKEN_MFA",
            ChallengeResponses={"USERNAME": user.name, "SOFTWARE_TOKEN_MFA_CODE": user.phone.code()},
        )
