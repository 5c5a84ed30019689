"""The wire itself: JSON 1.1, its headers, and what is not of it."""

import json

import botocore.session
import pytest

from raw import SERVICE, call, send

OPERATIONS = [
    "AssociateSoftwareToken",
    "VerifySoftwareToken",
    "RespondToAuthChallenge",
    "SetUserMFAPreference",
    "AdminSetUserMFAPreference",
    "GetUser",
    "AdminGetUser",
    "InitiateAuth",
    "AdminInitiateAuth",
    "AdminRespondToAuthChallenge",
    "SignUp",
    "ConfirmSignUp",
    "AdminConfirmSignUp",
    "AdminCreateUser",
    "AdminSetUserPassword",
    "AdminResetUserPassword",
    "CreateUserPool",
    "CreateUserPoolClient",
    "SetUserPoolMfaConfig",
    "GetUserPoolMfaConfig",
]


def is_typed_refusal(answer):
    """A 4xx that says what it is in the body and in the header, and has an id."""
    assert 400 <= answer.status < 500, answer.text
    assert answer.body["__type"]
    assert "#" not in answer.body["__type"]
    assert answer.body["message"]
    assert answer.headers["x-amzn-ErrorType"] == answer.body["__type"]
    assert answer.headers["x-amzn-RequestId"]
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    return answer.body["__type"]


def test_success_is_200_with_json_and_an_id(optional, endpoint):
    answer = call(endpoint, "GetUser", {"AccessToken": optional.user().access_token()})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert answer.headers["x-amzn-RequestId"]
    assert "x-amzn-ErrorType" not in answer.headers
    assert answer.body["Username"]


def test_every_request_has_an_id_of_its_own(endpoint):
    ids = {call(endpoint, "GetUser", {}).headers["x-amzn-RequestId"] for _ in range(3)}
    assert len(ids) == 3


def nulls(value):
    if isinstance(value, dict):
        return any(nulls(it) for it in value.values())
    if isinstance(value, list):
        return any(nulls(it) for it in value)
    return value is None


def test_absent_members_are_left_out(optional, required, endpoint):
    user = optional.user()
    token = user.access_token()
    members = {
        "ClientId": optional.client_id,
        "AuthFlow": "USER_PASSWORD_AUTH",
        "AuthParameters": {"USERNAME": user.name, "PASSWORD": "Correct-Horse-7"},
    }
    answers = [
        call(endpoint, "InitiateAuth", members),
        call(endpoint, "AssociateSoftwareToken", {"AccessToken": token}),
        call(endpoint, "GetUser", {"AccessToken": token}),
        call(endpoint, "GetUserPoolMfaConfig", {"UserPoolId": optional.id}),
        call(endpoint, "AssociateSoftwareToken", {"Session": required.user().begin()["Session"]}),
    ]
    for answer in answers:
        assert answer.status == 200
        assert not nulls(answer.body), answer.text


def test_a_refusal_is_400_with_its_type_twice(endpoint):
    answer = call(endpoint, "GetUser", {"AccessToken": "no-token"})
    assert answer.status == 400
    assert is_typed_refusal(answer) == "NotAuthorizedException"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_takes_an_empty_structure_for_a_request(endpoint, operation):
    answer = call(endpoint, operation, {})
    assert answer.status == 400
    assert is_typed_refusal(answer) == "InvalidParameterException"


MALFORMED = {
    "nothing": b"",
    "half": b'{"AccessToken": "a',
    "no JSON": b"AccessToken=a",
    "a list": b"[]",
    "a string": b'"AccessToken"',
    "a number": b"7",
    "null": b"null",
    "two structures": b"{}{}",
    "no UTF-8": b'{"AccessToken": "\xff\xfe"}',
    "half a surrogate": b'{"AccessToken": "\\ud800"}',
    "a comma too many": b'{"AccessToken": "a",}',
    "very deep": b'{"AccessToken":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a zero byte": b"\0",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("operation", ["AssociateSoftwareToken", "VerifySoftwareToken", "InitiateAuth", "SignUp"])
def test_what_is_no_request_is_a_typed_refusal(endpoint, operation, body):
    answer = call(endpoint, operation, body)
    assert is_typed_refusal(answer) in ("SerializationException", "InvalidParameterException")


TARGETS = {
    "none": None,
    "empty": "",
    "no operation": f"{SERVICE}.",
    "an unknown operation": f"{SERVICE}.NoSuchOperation",
    "another service": "DynamoDB_20120810.GetItem",
    "no service": "GetUser",
    "another case": f"{SERVICE}.getuser",
    "two operations": f"{SERVICE}.GetUser.GetUser",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_a_target_that_nobody_knows_is_a_typed_refusal(endpoint, target):
    is_typed_refusal(send(endpoint, json.dumps({"AccessToken": "no-token"}), target=target))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_refused(endpoint, method):
    answer = send(endpoint, "{}", target=f"{SERVICE}.GetUser", method=method)
    assert 400 <= answer.status < 500
    assert answer.headers["x-amzn-RequestId"]


def test_another_path_is_refused(endpoint):
    answer = send(endpoint, "{}", target=f"{SERVICE}.GetUser", path="/nowhere")
    assert 400 <= answer.status < 500
    assert answer.headers["x-amzn-RequestId"]


def test_a_body_beyond_reason_is_refused(endpoint):
    body = json.dumps({"AccessToken": "a" * 8_000_000})
    try:
        assert 400 <= call(endpoint, "GetUser", body).status < 500
    except (BrokenPipeError, ConnectionResetError):
        pass  # hung up before the end of it
    assert call(endpoint, "GetUser", {}).status == 400


def test_the_same_member_twice_is_no_way_around(optional, endpoint):
    token = optional.user().access_token()
    body = f'{{"AccessToken": "no-token", "AccessToken": "{token}", "Session": "{"s" * 40}"}}'
    assert call(endpoint, "AssociateSoftwareToken", body).status == 400


def test_an_operation_of_the_service_is_answered_or_refused_with_the_reason(server):
    model = botocore.session.get_session().get_service_model("cognito-idp")
    for name in model.operation_names:
        answer = call(server.endpoint, name, {})
        if answer.status == 200:
            continue
        is_typed_refusal(answer)
        if answer.body["__type"] == "UnknownOperationException":
            assert answer.body["message"].startswith(f"{name} is not supported: "), answer.text
