"""Lengths, patterns and types of the members, as the service model has them."""

import json

import pytest

from phone import Phone
from raw import call
from world import refused


@pytest.fixture
def pending(optional, idp):
    """Somebody whose secret waits for a code, with phone and access token."""
    user = optional.user()
    token = user.access_token()
    return user, Phone(idp.associate_software_token(AccessToken=token)["SecretCode"]), token


NO_CODES = {
    "no digits": "",
    "five digits": "12345",
    "seven digits": "1234567",
    "a letter": "12345a",
    "letters": "abcdef",
    "a space": "123 56",
    "a space before": " 12345",
    "a space between": "123 456",
    "a hyphen": "123-56",
    "a sign": "+12345",
    "a full stop": "1234.5",
    "a line end": "123456\n",
    "full-width digits": "１２３４５６",
    "arabic digits": "١٢٣٤٥٦",
    "a mathematical digit": "12345𝟔",
}


@pytest.mark.parametrize("code", NO_CODES.values(), ids=NO_CODES.keys())
def test_a_user_code_is_six_ascii_digits(pending, unchecked, code):
    _, phone, token = pending
    for _ in range(4):
        with refused("InvalidParameterException"):
            unchecked.verify_software_token(AccessToken=token, UserCode=code)
    assert unchecked.verify_software_token(AccessToken=token, UserCode=phone.code())["Status"] == "SUCCESS"


def test_the_right_code_with_spaces_is_still_no_user_code(pending, unchecked):
    _, phone, token = pending
    code = phone.code()
    for typed in (f"{code} ", f" {code}", f"{code[:3]} {code[3:]}", f"{code[:3]}-{code[3:]}"):
        with refused("InvalidParameterException"):
            unchecked.verify_software_token(AccessToken=token, UserCode=typed)


def test_a_user_code_is_needed(pending, unchecked):
    with refused("InvalidParameterException"):
        unchecked.verify_software_token(AccessToken=pending[2])


def shown_name(pending, idp, name):
    """What the next challenge calls the device."""
    user, phone, token = pending
    verified = idp.verify_software_token(AccessToken=token, UserCode=phone.code(), FriendlyDeviceName=name)
    assert verified["Status"] == "SUCCESS"
    user.prefer(token, enabled=True)
    return user.begin()["ChallengeParameters"].get("FRIENDLY_DEVICE_NAME")


@pytest.mark.parametrize("character", ["n", "é", "漢", "😀"])
def test_a_device_name_may_have_131072_characters_and_is_kept_in_part(pending, idp, character):
    name = shown_name(pending, idp, character * 131_072)
    assert 0 < len(name.encode()) <= 256
    assert set(name) == {character}


@pytest.mark.parametrize("character", ["n", "é"])
def test_a_device_name_of_131073_characters_is_too_long(pending, unchecked, character):
    _, phone, token = pending
    with refused("InvalidParameterException"):
        unchecked.verify_software_token(
            AccessToken=token, UserCode=phone.code(), FriendlyDeviceName=character * 131_073
        )
    assert unchecked.verify_software_token(AccessToken=token, UserCode=phone.last())["Status"] == "SUCCESS"


@pytest.mark.parametrize("name", ["x", "n" * 256, 'a "quoted" \\ name\n<b>', "Телефон"])
def test_a_device_name_is_kept_as_it_is(pending, idp, name):
    assert shown_name(pending, idp, name) == name


def test_a_device_name_may_be_empty(pending, idp):
    assert not shown_name(pending, idp, "")


@pytest.mark.parametrize("token", ["", "a b", "a/b", "a+b", "a,b", "é", "a\nb"])
def test_an_access_token_has_its_alphabet(unchecked, token):
    with refused("InvalidParameterException"):
        unchecked.get_user(AccessToken=token)
    with refused("InvalidParameterException"):
        unchecked.associate_software_token(AccessToken=token)
    with refused("InvalidParameterException"):
        unchecked.verify_software_token(AccessToken=token, UserCode="123456")
    with refused("InvalidParameterException"):
        unchecked.set_user_mfa_preference(AccessToken=token, SoftwareTokenMfaSettings={"Enabled": True})


@pytest.mark.parametrize("operation", ["get_user", "set_user_mfa_preference"])
def test_an_access_token_is_needed(unchecked, operation):
    with refused("InvalidParameterException"):
        getattr(unchecked, operation)()


@pytest.mark.parametrize("client_id", ["", "c" * 129, "a client", "a-client"])
def test_a_client_id_has_its_shape(unchecked, client_id):
    with refused("InvalidParameterException"):
        unchecked.initiate_auth(
            ClientId=client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "nobody", "PASSWORD": "nothing"},
        )


@pytest.mark.parametrize("missing", ["ClientId", "ChallengeName"])
def test_an_answer_needs_its_members(optional, unchecked, missing):
    user = optional.enrolled()
    members = {
        "ClientId": optional.client_id,
        "ChallengeName": "SOFTWARE_TOKEN_MFA",
        "Session": user.challenge(),
        "ChallengeResponses": {"USERNAME": user.name, "SOFTWARE_TOKEN_MFA_CODE": user.phone.code()},
    }
    del members[missing]
    with refused("InvalidParameterException"):
        unchecked.respond_to_auth_challenge(**members)


WRONG_TYPES = {
    "a number for a string": {"UserCode": 123456},
    "a list for a string": {"UserCode": ["123456"]},
    "a structure for a string": {"AccessToken": {}},
    "a boolean for a string": {"Session": True},
    "a number for a name": {"FriendlyDeviceName": 7},
}


@pytest.mark.parametrize("members", WRONG_TYPES.values(), ids=WRONG_TYPES.keys())
def test_a_member_of_another_type_is_refused(pending, endpoint, members):
    answer = call(endpoint, "VerifySoftwareToken", {"AccessToken": pending[2], "UserCode": "123456"} | members)
    assert answer.status == 400
    assert answer.body["__type"] in ("SerializationException", "InvalidParameterException")
    assert answer.headers["x-amzn-ErrorType"] == answer.body["__type"]


@pytest.mark.parametrize("responses", [[], "responses", 7, {"USERNAME": 7}, {"USERNAME": {}}, {"USERNAME": None}])
def test_challenge_responses_are_a_map_of_strings(optional, endpoint, responses):
    members = {
        "ClientId": optional.client_id,
        "ChallengeName": "SOFTWARE_TOKEN_MFA",
        "Session": "s" * 40,
        "ChallengeResponses": responses,
    }
    answer = call(endpoint, "RespondToAuthChallenge", members)
    assert answer.status == 400
    assert answer.body["__type"] in ("SerializationException", "InvalidParameterException")


def test_null_is_absent(optional, endpoint):
    token = optional.user().access_token()
    answer = call(endpoint, "AssociateSoftwareToken", {"AccessToken": token, "Session": None})
    assert answer.status == 200
    answer = call(endpoint, "AssociateSoftwareToken", {"AccessToken": None, "Session": None})
    assert (answer.status, answer.body["__type"]) == (400, "InvalidParameterException")


def test_members_that_nobody_knows_are_passed_over(optional, endpoint):
    members = {"AccessToken": optional.user().access_token(), "Unknown": {"deep": [1, None]}}
    assert call(endpoint, "AssociateSoftwareToken", members).status == 200


def test_the_optional_members_of_the_model_are_taken(optional):
    user = optional.enrolled()
    answer = user.idp.respond_to_auth_challenge(
        ClientId=optional.client_id,
        ChallengeName="SOFTWARE_TOKEN_MFA",
        Session=user.challenge(),
        ChallengeResponses={"USERNAME": user.name, "SOFTWARE_TOKEN_MFA_CODE": user.phone.code()},
        ClientMetadata={"key": "value"},
        AnalyticsMetadata={"AnalyticsEndpointId": "endpoint"},
        UserContextData={"IpAddress": "127.0.0.1", "EncodedData": "data"},
    )
    assert answer["AuthenticationResult"]["AccessToken"]


@pytest.mark.parametrize("text", ["true", "1", '"yes"', "[]"])
def test_settings_are_a_structure(optional, endpoint, text):
    token = json.dumps(optional.user().access_token())
    body = f'{{"AccessToken": {token}, "SoftwareTokenMfaSettings": {text}}}'
    answer = call(endpoint, "SetUserMFAPreference", body)
    assert answer.status == 400
    assert answer.body["__type"] in ("SerializationException", "InvalidParameterException")
