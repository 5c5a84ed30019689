"""Pools, and users who sign in: made and asked through the API alone."""

import itertools
import json
import os
from contextlib import contextmanager
from functools import cache

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import model
from phone import Phone

PASSWORD = "Correct-Horse-7"
WRONG_PASSWORD = "Incorrect-Horse-8"
INVALID_SESSION = "Invalid session for the user, session is expired or invalid."
USED_SESSION = "Invalid session for the user, session can only be used once."
TOKENS_OFF = "Software Token MFA has not been enabled by the userPool"
USED_CODE = "Your software token has already been used once."

_numbers = itertools.count()


def client(endpoint, **config):
    """boto3 as it comes, which asks once; every answer is held to the service model."""
    made = boto3.client(
        "cognito-idp",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=64, read_timeout=60, **config),
    )
    made.meta.events.register("after-call.cognito-idp", model.check)
    return made


@cache
def modelled(operation):
    """The exceptions that an operation has in the service model."""
    return {
        shape.name for shape in client("http://127.0.0.1:1").meta.service_model.operation_model(operation).error_shapes
    }


@contextmanager
def refused(*names, message=None, status=400):
    """What stands inside must be refused with one of these exceptions; yields a list that will hold the response."""
    caught = []
    with pytest.raises(ClientError) as error:
        yield caught
    response = error.value.response
    caught.append(response)
    assert response["Error"]["Code"] in names, response["Error"]
    assert response["Error"]["Code"] in modelled(error.value.operation_name)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    if message is not None:
        assert response["Error"]["Message"] == message


def outcome(call):
    """The answer's exception, or SUCCESS."""
    try:
        call()
        return "SUCCESS"
    except ClientError as error:
        return error.response["Error"]["Code"]


class Pool:
    """A new pool, with MFA and software tokens as they are when new, and a client."""

    def __init__(self, idp, **members):
        self.idp = idp
        self.id = idp.create_user_pool(PoolName="wire", **members)["UserPool"]["Id"]
        self.client_id = self.another_client()

    def another_client(self, **members):
        flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        members = {"ExplicitAuthFlows": flows} | members
        made = self.idp.create_user_pool_client(UserPoolId=self.id, ClientName="wire", **members)
        return made["UserPoolClient"]["ClientId"]

    def mfa(self, configuration, software_tokens=True):
        """Sets it to OFF, OPTIONAL or ON."""
        self.idp.set_user_pool_mfa_config(
            UserPoolId=self.id,
            MfaConfiguration=configuration,
            SoftwareTokenMfaConfiguration={"Enabled": software_tokens},
        )
        return self

    def sign_up(self, name=None):
        """Somebody who is not confirmed yet."""
        user = User(self, name or f"user-{os.getpid()}-{next(_numbers)}")
        made = self.idp.sign_up(ClientId=self.client_id, Username=user.name, Password=PASSWORD)
        user.sub = made["UserSub"]
        return user

    def user(self, name=None):
        """Somebody who may sign in."""
        user = self.sign_up(name)
        self.idp.admin_confirm_sign_up(UserPoolId=self.id, Username=user.name)
        return user

    def enrolled(self, device="phone"):
        """Somebody who is asked for a code at every sign-in, with the phone and the access token that verified it."""
        user = self.user()
        user.phone, user.token = user.enrol(user.access_token(), device)
        user.prefer(user.token, enabled=True, preferred=True)
        return user

    def setting_up(self):
        """Somebody in a pool that requires MFA whose secret waits for a code, with phone and session."""
        user = self.user()
        challenge = user.begin()
        assert challenge["ChallengeName"] == "MFA_SETUP"
        issued = self.idp.associate_software_token(Session=challenge["Session"])
        return user, Phone(issued["SecretCode"]), issued["Session"]

    def set_up(self):
        """Somebody in a pool that requires MFA who has completed it, with phone and tokens."""
        user, user.phone, session = self.setting_up()
        verified = self.idp.verify_software_token(Session=session, UserCode=user.phone.code())
        user.result = user.finish_setup(verified["Session"])["AuthenticationResult"]
        user.token = user.result["AccessToken"]
        return user


class User:
    """A user by name, who knows the password."""

    def __init__(self, pool, name):
        self.pool = pool
        self.idp = pool.idp
        self.name = name

    def begin(self, password=PASSWORD, client_id=None):
        """The first factor."""
        return self.idp.initiate_auth(
            ClientId=client_id or self.pool.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": self.name, "PASSWORD": password},
        )

    def begin_as_admin(self, flow="ADMIN_USER_PASSWORD_AUTH"):
        return self.idp.admin_initiate_auth(
            UserPoolId=self.pool.id,
            ClientId=self.pool.client_id,
            AuthFlow=flow,
            AuthParameters={"USERNAME": self.name, "PASSWORD": PASSWORD},
        )

    def tokens(self):
        """The tokens of a sign-in that asks for no code."""
        return self.begin()["AuthenticationResult"]

    def access_token(self):
        return self.tokens()["AccessToken"]

    def refresh(self, token, client_id=None):
        """The tokens that a refresh token gives."""
        return self.idp.initiate_auth(
            ClientId=client_id or self.pool.client_id,
            AuthFlow="REFRESH_TOKEN_AUTH",
            AuthParameters={"REFRESH_TOKEN": token},
        )["AuthenticationResult"]

    def challenge(self):
        """The session of a sign-in that asks for a code."""
        challenge = self.begin()
        assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
        return challenge["Session"]

    def answer(self, session, code, client_id=None):
        return self.idp.respond_to_auth_challenge(
            ClientId=client_id or self.pool.client_id,
            ChallengeName="SOFTWARE_TOKEN_MFA",
            Session=session,
            ChallengeResponses={"USERNAME": self.name, "SOFTWARE_TOKEN_MFA_CODE": code},
        )

    def answer_as_admin(self, session, code):
        return self.idp.admin_respond_to_auth_challenge(
            UserPoolId=self.pool.id,
            ClientId=self.pool.client_id,
            ChallengeName="SOFTWARE_TOKEN_MFA",
            Session=session,
            ChallengeResponses={"USERNAME": self.name, "SOFTWARE_TOKEN_MFA_CODE": code},
        )

    def finish_setup(self, session, client_id=None):
        return self.idp.respond_to_auth_challenge(
            ClientId=client_id or self.pool.client_id,
            ChallengeName="MFA_SETUP",
            Session=session,
            ChallengeResponses={"USERNAME": self.name},
        )

    def sign_in(self, phone=None):
        """The tokens of a sign-in with password and code."""
        phone = phone or self.phone
        return self.answer(self.challenge(), phone.code())["AuthenticationResult"]

    def enrol(self, token, device=None):
        """Associates and verifies with an access token; the phone, and that token."""
        phone = Phone(self.idp.associate_software_token(AccessToken=token)["SecretCode"])
        named = {} if device is None else {"FriendlyDeviceName": device}
        verified = self.idp.verify_software_token(AccessToken=token, UserCode=phone.code(), **named)
        assert verified["Status"] == "SUCCESS"
        return phone, token

    def prefer(self, token, enabled, preferred=False):
        settings = {"Enabled": enabled, "PreferredMfa": preferred}
        return self.idp.set_user_mfa_preference(AccessToken=token, SoftwareTokenMfaSettings=settings)

    def prefer_as_admin(self, enabled, preferred=False):
        return self.idp.admin_set_user_mfa_preference(
            UserPoolId=self.pool.id,
            Username=self.name,
            SoftwareTokenMfaSettings={"Enabled": enabled, "PreferredMfa": preferred},
        )

    def as_admin_sees(self):
        return self.idp.admin_get_user(UserPoolId=self.pool.id, Username=self.name)


def mfas_can_setup(challenge):
    """A JSON list inside a string."""
    return json.loads(challenge["ChallengeParameters"]["MFAS_CAN_SETUP"])
