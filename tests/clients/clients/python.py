"""pycognito by its defaults, and the AWS CLI: `python.py CLIENT FLOW`, the world as JSON on standard input.

Prints the tokens that it has at the end, as JSON, where it has any; a flow that fails ends it with an error.
"""

import base64
import hmac
import json
import os
import struct
import subprocess
import sys
import time
import urllib.request

WORLD = json.load(sys.stdin)
USERNAME, PASSWORD, ENDPOINT = WORLD["username"], WORLD["password"], WORLD["endpoint"]
OPTIONAL, REQUIRED, SHORT = WORLD["optional"], WORLD["required"], WORLD["short"]
EMAIL = f"{USERNAME}@example.org"


def code(secret, ahead):
    """What an authenticator shows so many steps after this one (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30 + ahead), "sha1")
    number = struct.unpack_from(">I", mac, mac[19] & 15)[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def wrong_code(secret):
    near = [code(secret, ahead) for ahead in range(-2, 3)]
    return next(wrong for wrong in map("{:06}".format, range(6)) if wrong not in near)


def remove_token():
    """The administrator's part of a lost phone."""
    operation, members = WORLD["remove"]
    target = f"AWSCognitoIdentityProviderService.{operation}"
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    body = json.dumps(members).encode()
    urllib.request.urlopen(urllib.request.Request(ENDPOINT, body, headers)).close()


def same(found, wanted):
    assert found == wanted, f"{found} instead of {wanted}"


class Pycognito:
    def __init__(self, pool):
        import pycognito

        self.exceptions = pycognito.exceptions
        self.user = pycognito.Cognito(
            pool["pool"],
            pool["client"],
            username=USERNAME,
            access_key="any",
            secret_key="any",
            boto3_client_kwargs={"endpoint_url": ENDPOINT},
        )

    def tokens(self):
        # Both are checked against the keys of the issuer.
        self.user.verify_tokens()
        return {"access": self.user.access_token, "id": self.user.id_token}

    def fails(self, name, call, *arguments):
        try:
            call(*arguments)
        except self.user.client.exceptions.ClientError as error:
            return same(error.response["Error"]["Code"], name)
        raise AssertionError(f"it succeeded, and {name} was due")

    def challenged(self):
        try:
            self.user.authenticate(PASSWORD)
        except self.exceptions.SoftwareTokenMFAChallengeException:
            return
        raise AssertionError("no code was asked for")

    def enrol(self):
        self.user.authenticate(PASSWORD)
        secret = self.user.associate_software_token()
        assert self.user.verify_software_token(code(secret, 0), "phone")
        self.user.set_user_mfa_preference(False, True, "SOFTWARE_TOKEN")
        return secret

    @staticmethod
    def sign_up():
        self = Pycognito(OPTIONAL)
        self.user.set_base_attributes(email=EMAIL)
        self.user.register(USERNAME, PASSWORD)
        self.user.confirm_sign_up("123456", USERNAME)
        self.user.authenticate(PASSWORD)
        return self.tokens()

    @staticmethod
    def sign_in():
        self = Pycognito(OPTIONAL)
        self.fails("NotAuthorizedException", self.user.authenticate, PASSWORD + ".")
        self.user.authenticate(PASSWORD)
        return self.tokens()

    @staticmethod
    def code():
        self = Pycognito(OPTIONAL)
        secret = self.enrol()
        self.challenged()
        answer = self.user.respond_to_software_token_mfa_challenge
        self.fails("CodeMismatchException", answer, wrong_code(secret))
        answer(code(secret, 1))
        return self.tokens()

    @staticmethod
    def preference():
        self = Pycognito(OPTIONAL)
        secret = self.enrol()
        self.challenged()
        self.user.respond_to_software_token_mfa_challenge(code(secret, 1))
        self.user.set_user_mfa_preference(False, False)
        self.user.authenticate(PASSWORD)
        return self.tokens()

    @staticmethod
    def refresh():
        self = Pycognito(SHORT)
        self.user.authenticate(PASSWORD)
        before = self.user.access_token
        time.sleep(WORLD["expiry"])
        assert self.user.check_token(), "the token has not expired"
        assert self.user.access_token != before
        self.user.get_user()
        return self.tokens()

    @staticmethod
    def sign_out():
        self = Pycognito(OPTIONAL)
        self.user.authenticate(PASSWORD)
        access = self.user.access_token
        self.user.logout()
        self.user.access_token = access
        self.fails("NotAuthorizedException", self.user.get_user)

    @staticmethod
    def lost_phone():
        self = Pycognito(OPTIONAL)
        self.enrol()
        remove_token()
        self.enrol()
        return self.tokens()


class Refused(Exception):
    pass


class Cli:
    @staticmethod
    def run(operation, **options):
        # The command beside this Python.
        command = [os.path.join(os.path.dirname(sys.executable), "aws"), "cognito-idp", operation]
        for name, value in options.items():
            value = value if isinstance(value, str) else json.dumps(value)
            command += [f"--{name.replace('_', '-')}", value]
        own = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_PAGER": ""}
        region = OPTIONAL["pool"].split("_")[0]
        environment = {**os.environ, **own, "AWS_ENDPOINT_URL": ENDPOINT, "AWS_DEFAULT_REGION": region}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused(done.stderr)
        return json.loads(done.stdout or "{}")

    @staticmethod
    def fails(name, operation, **options):
        try:
            Cli.run(operation, **options)
        except Refused as told:
            assert f"({name})" in str(told), f"{told} instead of {name}"
            return
        raise AssertionError(f"it succeeded, and {name} was due")

    @staticmethod
    def by_password(pool, password=PASSWORD):
        return {
            "client_id": pool["client"],
            "auth_flow": "USER_PASSWORD_AUTH",
            "auth_parameters": {"USERNAME": USERNAME, "PASSWORD": password},
        }

    @staticmethod
    def begin(pool):
        return Cli.run("initiate-auth", **Cli.by_password(pool))

    @staticmethod
    def answer(pool, name, session, **answers):
        return {
            "client_id": pool["client"],
            "challenge_name": name,
            "session": session,
            "challenge_responses": {"USERNAME": USERNAME, **answers},
        }

    @staticmethod
    def tokens(answer):
        issued = answer["AuthenticationResult"]
        return {"access": issued["AccessToken"], "id": issued["IdToken"]}

    @staticmethod
    def enrol():
        challenge = Cli.begin(REQUIRED)
        same(challenge["ChallengeName"], "MFA_SETUP")
        issued = Cli.run("associate-software-token", session=challenge["Session"])
        secret, session = issued["SecretCode"], issued["Session"]
        verified = Cli.run("verify-software-token", session=session, user_code=code(secret, 0))
        answer = Cli.answer(REQUIRED, "MFA_SETUP", verified["Session"])
        return secret, Cli.tokens(Cli.run("respond-to-auth-challenge", **answer))

    @staticmethod
    def sign_up():
        named = {"client_id": OPTIONAL["client"], "username": USERNAME}
        attributes = [{"Name": "email", "Value": EMAIL}]
        Cli.run("sign-up", **named, password=PASSWORD, user_attributes=attributes)
        Cli.run("confirm-sign-up", **named, confirmation_code="123456")
        return Cli.tokens(Cli.begin(OPTIONAL))

    @staticmethod
    def sign_in():
        Cli.fails("NotAuthorizedException", "initiate-auth", **Cli.by_password(OPTIONAL, PASSWORD + "."))
        return Cli.tokens(Cli.begin(OPTIONAL))

    @staticmethod
    def setup():
        return Cli.enrol()[1]

    @staticmethod
    def code():
        secret, _ = Cli.enrol()
        challenge = Cli.begin(REQUIRED)
        given = (REQUIRED, challenge["ChallengeName"], challenge["Session"])
        wrong = Cli.answer(*given, SOFTWARE_TOKEN_MFA_CODE=wrong_code(secret))
        Cli.fails("CodeMismatchException", "respond-to-auth-challenge", **wrong)
        right = Cli.answer(*given, SOFTWARE_TOKEN_MFA_CODE=code(secret, 1))
        return Cli.tokens(Cli.run("respond-to-auth-challenge", **right))

    @staticmethod
    def preference():
        access = {"access_token": Cli.tokens(Cli.begin(OPTIONAL))["access"]}
        secret = Cli.run("associate-software-token", **access)["SecretCode"]
        Cli.run("verify-software-token", **access, user_code=code(secret, 0))
        settings = {"software_token_mfa_settings": {"Enabled": True, "PreferredMfa": True}}
        Cli.run("set-user-mfa-preference", **access, **settings)
        same(Cli.run("get-user", **access)["PreferredMfaSetting"], "SOFTWARE_TOKEN_MFA")
        challenge = Cli.begin(OPTIONAL)
        given = (OPTIONAL, challenge["ChallengeName"], challenge["Session"])
        right = Cli.answer(*given, SOFTWARE_TOKEN_MFA_CODE=code(secret, 1))
        return Cli.tokens(Cli.run("respond-to-auth-challenge", **right))

    @staticmethod
    def refresh():
        issued = Cli.begin(SHORT)["AuthenticationResult"]
        time.sleep(WORLD["expiry"])
        Cli.fails("NotAuthorizedException", "get-user", access_token=issued["AccessToken"])
        refresh = {"auth_flow": "REFRESH_TOKEN_AUTH", "client_id": SHORT["client"]}
        parameters = {"REFRESH_TOKEN": issued["RefreshToken"]}
        return Cli.tokens(Cli.run("initiate-auth", **refresh, auth_parameters=parameters))

    @staticmethod
    def sign_out():
        access = {"access_token": Cli.tokens(Cli.begin(OPTIONAL))["access"]}
        Cli.run("global-sign-out", **access)
        Cli.fails("NotAuthorizedException", "get-user", **access)

    @staticmethod
    def lost_phone():
        Cli.enrol()
        remove_token()
        return Cli.enrol()[1]


FLOWS = {
    "sign-up": "sign_up",
    "sign-in": "sign_in",
    "MFA_SETUP by session": "setup",
    "code, a wrong one first": "code",
    "preference": "preference",
    "refresh after expiry": "refresh",
    "sign-out": "sign_out",
    "lost phone": "lost_phone",
}

if __name__ == "__main__":
    client, flow = {"pycognito": Pycognito, "AWS CLI": Cli}[sys.argv[1]], FLOWS[sys.argv[2]]
    print(json.dumps(getattr(client, flow)() or {}))
