"""The process: what stands ready, what it prints, how it ends, and what it keeps."""

import re
import socket
import time

import pytest

from raw import call
from world import PASSWORD, USED_CODE, Pool, client, refused


def printed(server, pattern, times=1):
    """What the console says in this pattern, when it does."""
    deadline = time.monotonic() + 10
    while len(found := re.findall(pattern, server.said())) < times:
        assert time.monotonic() < deadline, server.said()
        time.sleep(0.1)
    return found


def test_it_ends_cleanly_when_asked(start):
    assert start().stop() == 0


def test_it_ends_cleanly_with_a_connection_open(start):
    server = start()
    with socket.create_connection(("127.0.0.1", server.port)):
        assert server.stop() == 0


def test_forty_open_connections_keep_nobody_out(start):
    server = start()
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
    assert call(server.endpoint, "GetUser", {"AccessToken": "no-token"}).status == 400
    for connection in idle:
        connection.close()


def test_three_pools_stand_ready_and_are_printed(start):
    server = start()
    idp = client(server.endpoint)
    pools = set(printed(server, r"\b[\w-]+_[0-9a-zA-Z]{6,}\b", 3))
    told = []
    for pool in pools:
        try:
            configuration = idp.get_user_pool_mfa_config(UserPoolId=pool)
        except idp.exceptions.ResourceNotFoundException:
            continue
        tokens = configuration.get("SoftwareTokenMfaConfiguration", {}).get("Enabled", False)
        told.append((configuration["MfaConfiguration"], tokens))
    assert sorted(told) == [("OFF", False), ("ON", True), ("OPTIONAL", True)]


def test_the_code_that_confirms_is_printed(start):
    server = start()
    pool = Pool(client(server.endpoint))
    user = pool.sign_up()
    code = printed(server, r"confirmation code is (\S+)\.")[0]
    with refused("CodeMismatchException"):
        pool.idp.confirm_sign_up(ClientId=pool.client_id, Username=user.name, ConfirmationCode="no-code")
    pool.idp.confirm_sign_up(ClientId=pool.client_id, Username=user.name, ConfirmationCode=code)
    assert user.tokens()["AccessToken"]


@pytest.mark.parametrize("arguments", [[], ["--verbose"]], ids=["", "verbose"])
def test_the_console_tells_no_secret(start, arguments):
    server = start(*arguments)
    idp = client(server.endpoint)
    required, optional = Pool(idp).mfa("ON"), Pool(idp).mfa("OPTIONAL")
    user, phone, session = required.setting_up()
    typed = [phone.wrong(), phone.code()]
    with refused("EnableSoftwareTokenMFAException"):
        idp.verify_software_token(Session=session, UserCode=typed[0])
    done = idp.verify_software_token(Session=session, UserCode=typed[1])["Session"]
    result = user.finish_setup(done)["AuthenticationResult"]
    challenge = user.challenge()
    typed.append(phone.code())
    user.answer(challenge, typed[-1])
    enrolled = optional.enrolled()
    typed.append(enrolled.phone.last())
    with refused("NotAuthorizedException"):
        user.begin("A-Wrong-Password-9")
    secrets = [phone.secret, enrolled.phone.secret, session, done, challenge, PASSWORD, "A-Wrong-Password-9", *typed]
    secrets += [result["AccessToken"], result["IdToken"], result["RefreshToken"], enrolled.token]
    assert server.stop() == 0
    said = server.said()
    assert said.strip()
    assert [secret for secret in secrets if secret in said] == []


@pytest.fixture
def kept(start, tmp_path):
    """A server that keeps what it is told, which is killed, and started again."""
    server = start("--sqlite", str(tmp_path / "kept.db"))

    def again():
        server.kill()
        server.start()
        return client(server.endpoint)

    return client(server.endpoint), again


def test_what_is_kept_outlives_a_kill(kept):
    idp, again = kept
    pool = Pool(idp).mfa("OPTIONAL")
    user = pool.enrolled()
    user.sign_in()
    pool.idp = user.idp = again()
    challenge = user.begin()
    assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    assert challenge["ChallengeParameters"]["FRIENDLY_DEVICE_NAME"] == "phone"
    assert user.answer(challenge["Session"], user.phone.code())["AuthenticationResult"]["AccessToken"]


def test_a_used_code_is_used_after_a_kill(kept):
    idp, again = kept
    pool = Pool(idp).mfa("OPTIONAL")
    user = pool.enrolled()
    user.sign_in()
    pool.idp = user.idp = again()
    with refused("ExpiredCodeException", message=USED_CODE):
        user.answer(user.challenge(), user.phone.last())


def test_guesses_are_counted_after_a_kill(kept):
    idp, again = kept
    pool = Pool(idp).mfa("OPTIONAL")
    user = pool.enrolled()
    session = user.challenge()
    for nth in range(3):
        with refused("CodeMismatchException"):
            user.answer(session, user.phone.wrong(nth))
    time.sleep(5.5)
    with refused("CodeMismatchException"):
        user.answer(session, user.phone.wrong(7))
    pool.idp = user.idp = again()
    with refused("TooManyRequestsException"):
        user.answer(user.challenge(), user.phone.code())
