"""Access, id and refresh tokens: what they say, and which are refused."""

import time
from urllib.parse import urlsplit

import pytest

import tokens
from raw import send
from world import Pool, refused


@pytest.fixture
def keys(endpoint):
    """The public keys, from where the issuer says they are."""

    def keys(token):
        path = urlsplit(tokens.claims(token)["iss"]).path + "/.well-known/jwks.json"
        return {key["kid"]: key for key in send(endpoint, None, method="GET", path=path).body["keys"]}

    return keys


def test_a_sign_in_gives_three_tokens(optional):
    result = optional.user().tokens()
    assert result["TokenType"] == "Bearer"
    assert result["ExpiresIn"] > 0
    assert len({result["AccessToken"], result["IdToken"], result["RefreshToken"]}) == 3


def test_access_and_id_tokens_are_signed_by_a_published_key(optional, keys):
    result = optional.user().tokens()
    for token in (result["AccessToken"], result["IdToken"]):
        head = tokens.header(token)
        assert head["alg"] == "RS256"
        assert tokens.is_signed_by(token, keys(token)[head["kid"]])


def test_the_access_token_says_whose_it_is(optional):
    user = optional.user()
    result = user.tokens()
    access = tokens.claims(result["AccessToken"])
    assert access["token_use"] == "access"
    assert access["sub"] == user.sub
    assert access["username"] == user.name
    assert access["client_id"] == optional.client_id
    assert access["iss"].endswith(optional.id)
    assert access["exp"] - access["iat"] == result["ExpiresIn"]
    assert abs(access["auth_time"] - time.time()) < 60


def test_the_id_token_says_for_whom_it_is(optional):
    user = optional.user()
    identity = tokens.claims(user.tokens()["IdToken"])
    assert identity["token_use"] == "id"
    assert identity["sub"] == user.sub
    assert identity["aud"] == optional.client_id
    assert identity["cognito:username"] == user.name


def test_a_refresh_belongs_to_the_same_login(optional):
    user = optional.user()
    first = user.tokens()
    second = tokens.claims(user.refresh(first["RefreshToken"])["AccessToken"])
    first = tokens.claims(first["AccessToken"])
    assert second["origin_jti"] == first["origin_jti"]
    assert tokens.claims(user.access_token())["origin_jti"] != first["origin_jti"]


def test_every_access_token_has_an_id_of_its_own(optional):
    user = optional.user()
    assert len({tokens.claims(user.access_token())["jti"] for _ in range(3)}) == 3


def refusals(token, result, keys):
    """Each of what is no access token, by name."""
    key = keys[tokens.header(token)["kid"]]
    head, body, signature = token.split(".")
    return {
        "tampered signature": f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "another user": tokens.with_claims(token, sub="00000000-0000-4000-8000-000000000000"),
        "another name": tokens.with_claims(token, username="nobody"),
        "longer life": tokens.with_claims(token, exp=tokens.claims(token)["exp"] + 86_400),
        "expired": tokens.with_claims(token, exp=1_000_000_000),
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "alg none": tokens.unsigned(token),
        "alg None": tokens.unsigned(token, "None"),
        "public key as secret": tokens.signed_by_public_key(token, key),
        "id token": result["IdToken"],
        "refresh token": result["RefreshToken"],
        "no token": "no-token",
        "truncated": token[:-4],
    }


REFUSALS = [
    "tampered signature",
    "another user",
    "another name",
    "longer life",
    "expired",
    "no signature",
    "two parts",
    "alg none",
    "alg None",
    "public key as secret",
    "id token",
    "refresh token",
    "no token",
    "truncated",
]


@pytest.mark.parametrize("what", REFUSALS)
def test_what_is_no_access_token_is_refused(optional, idp, keys, what):
    user = optional.user()
    result = user.tokens()
    bad = refusals(result["AccessToken"], result, keys(result["AccessToken"]))[what]
    with refused("NotAuthorizedException"):
        idp.get_user(AccessToken=bad)
    with refused("NotAuthorizedException"):
        idp.associate_software_token(AccessToken=bad)
    with refused("NotAuthorizedException"):
        idp.verify_software_token(AccessToken=bad, UserCode="123456")
    with refused("NotAuthorizedException"):
        user.prefer(bad, enabled=True)


def test_a_refresh_gives_new_tokens(optional, idp):
    user = optional.user()
    first = user.tokens()
    second = user.refresh(first["RefreshToken"])
    assert second["AccessToken"] != first["AccessToken"]
    assert second["IdToken"]
    assert idp.get_user(AccessToken=second["AccessToken"])["Username"] == user.name


def test_a_refresh_asks_for_no_code(optional):
    user = optional.enrolled()
    assert user.refresh(user.sign_in()["RefreshToken"])["AccessToken"]


def test_a_refreshed_token_was_authenticated_when_the_first_was(optional):
    user = optional.user()
    first = user.tokens()
    time.sleep(1.1)
    second = user.refresh(first["RefreshToken"])
    assert tokens.claims(second["AccessToken"])["auth_time"] == tokens.claims(first["AccessToken"])["auth_time"]


def test_a_refresh_keeps_the_second_factor(optional, idp):
    user = optional.enrolled()
    token = user.refresh(user.sign_in()["RefreshToken"])["AccessToken"]
    assert idp.associate_software_token(AccessToken=token)["SecretCode"]


def test_a_refresh_gains_no_second_factor(optional, idp):
    user = optional.user()
    before = user.tokens()
    _, token = user.enrol(user.access_token())
    user.prefer(token, enabled=True)
    with refused("NotAuthorizedException"):
        idp.associate_software_token(AccessToken=user.refresh(before["RefreshToken"])["AccessToken"])


@pytest.mark.parametrize("kind", ["AccessToken", "IdToken"])
def test_no_other_token_refreshes(optional, kind):
    user = optional.user()
    with refused("NotAuthorizedException"):
        user.refresh(user.tokens()[kind])


def test_a_tampered_refresh_token_refreshes_nothing(optional):
    user = optional.user()
    token = user.tokens()["RefreshToken"]
    at = len(token) // 2
    for bad in (token[:-2], token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :], "no-token"):
        with refused("NotAuthorizedException"):
            user.refresh(bad)


def test_a_refresh_token_is_its_clients(optional, idp):
    user = optional.user()
    token = user.tokens()["RefreshToken"]
    for other in (optional.another_client(), Pool(idp).client_id):
        with refused("NotAuthorizedException"):
            user.refresh(token, client_id=other)


def test_a_second_factor_of_a_token_that_was_replaced_is_none_from_that_second_on(optional, idp):
    user = optional.enrolled()
    stolen = user.sign_in()["AccessToken"]
    user.phone, _ = user.enrol(user.token)
    with refused("NotAuthorizedException"):
        idp.associate_software_token(AccessToken=stolen)


def test_an_access_token_expires(optional, idp):
    client_id = optional.another_client(AccessTokenValidity=2, TokenValidityUnits={"AccessToken": "seconds"})
    result = optional.user().begin(client_id=client_id)["AuthenticationResult"]
    assert result["ExpiresIn"] == 2
    assert idp.get_user(AccessToken=result["AccessToken"])
    time.sleep(3.1)
    with refused("NotAuthorizedException"):
        idp.get_user(AccessToken=result["AccessToken"])
    with refused("NotAuthorizedException"):
        idp.associate_software_token(AccessToken=result["AccessToken"])


def test_a_new_password_ends_what_a_refresh_token_was_good_for(optional, idp):
    user = optional.user()
    token = user.tokens()["RefreshToken"]
    idp.admin_reset_user_password(UserPoolId=optional.id, Username=user.name)
    with refused("NotAuthorizedException", "PasswordResetRequiredException"):
        user.refresh(token)


def test_a_refresh_token_has_an_operation_of_its_own(optional, idp):
    user = optional.user()
    token = user.tokens()["RefreshToken"]
    refreshed = idp.get_tokens_from_refresh_token(ClientId=optional.client_id, RefreshToken=token)
    assert "RefreshToken" not in refreshed["AuthenticationResult"]
    assert idp.get_user(AccessToken=refreshed["AuthenticationResult"]["AccessToken"])["Username"] == user.name


def test_a_client_that_rotates_gets_another_refresh_token(optional, idp):
    client_id = optional.another_client(
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"],
        RefreshTokenRotation={"Feature": "ENABLED", "RetryGracePeriodSeconds": 0},
    )
    first = optional.user().begin(client_id=client_id)["AuthenticationResult"]["RefreshToken"]

    def rotate(token):
        answer = idp.get_tokens_from_refresh_token(ClientId=client_id, RefreshToken=token)
        return answer["AuthenticationResult"]["RefreshToken"]

    second = rotate(first)
    with refused("RefreshTokenReuseException"):
        rotate(first)
    assert rotate(second) not in (first, second)


def test_a_revoked_login_is_void(optional, idp):
    tokens = optional.user().tokens()
    idp.revoke_token(ClientId=optional.client_id, Token=tokens["RefreshToken"])
    with refused("NotAuthorizedException", message="Access Token has been revoked"):
        idp.get_user(AccessToken=tokens["AccessToken"])
    with refused("NotAuthorizedException"):
        idp.get_tokens_from_refresh_token(ClientId=optional.client_id, RefreshToken=tokens["RefreshToken"])
    with refused("UnsupportedTokenTypeException"):
        idp.revoke_token(ClientId=optional.client_id, Token=tokens["AccessToken"])
