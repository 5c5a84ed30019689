"""Many at once: one code is one success, and no more guesses are judged than one after another."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from phone import Phone
from raw import call
from world import outcome


def together(calls):
    """Makes all of them at the same moment; the outcomes, counted."""
    barrier = threading.Barrier(len(calls))

    def one(call):
        barrier.wait()
        return outcome(call)

    with ThreadPoolExecutor(len(calls)) as threads:
        return Counter(threads.map(one, calls))


def test_one_code_in_twenty_sessions_signs_in_once(optional):
    user = optional.enrolled()
    sessions = [user.challenge() for _ in range(20)]
    code = user.phone.code()
    outcomes = together([lambda session=session: user.answer(session, code) for session in sessions])
    assert outcomes["SUCCESS"] == 1
    assert outcomes.keys() <= {"SUCCESS", "ExpiredCodeException", "TooManyRequestsException"}


def test_one_code_twenty_times_in_one_session_signs_in_once(optional):
    user = optional.enrolled()
    session, code = user.challenge(), user.phone.code()
    outcomes = together([lambda: user.answer(session, code)] * 20)
    assert outcomes["SUCCESS"] == 1
    refusals = {"ExpiredCodeException", "NotAuthorizedException", "TooManyRequestsException"}
    assert outcomes.keys() <= {"SUCCESS"} | refusals


def test_of_forty_wrong_codes_at_most_twelve_are_judged(optional):
    user = optional.enrolled()
    session = user.challenge()
    wrong = [user.phone.wrong(nth) for nth in range(40)]
    outcomes = together([lambda code=code: user.answer(session, code) for code in wrong])
    assert 1 <= outcomes["CodeMismatchException"] <= 12
    assert outcomes["CodeMismatchException"] + outcomes["TooManyRequestsException"] == 40
    assert outcome(lambda: user.answer(session, user.phone.code())) == "TooManyRequestsException"


def test_nor_in_forty_sessions(optional):
    user = optional.enrolled()
    with ThreadPoolExecutor(8) as threads:
        sessions = list(threads.map(lambda _: user.challenge(), range(40)))
    wrong = [(session, user.phone.wrong(nth)) for nth, session in enumerate(sessions)]
    outcomes = together([lambda it=it: user.answer(*it) for it in wrong])
    assert 1 <= outcomes["CodeMismatchException"] <= 12
    assert outcomes["CodeMismatchException"] + outcomes["TooManyRequestsException"] == 40
    assert outcome(lambda: user.answer(user.challenge(), user.phone.code())) == "TooManyRequestsException"


def test_nor_at_verify(optional, idp):
    token = optional.user().access_token()
    phone = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])
    wrong = [phone.wrong(nth) for nth in range(40)]
    outcomes = together(
        [lambda code=code: idp.verify_software_token(AccessToken=token, UserCode=code) for code in wrong]
    )
    assert 1 <= outcomes["EnableSoftwareTokenMFAException"] <= 12
    assert outcomes["EnableSoftwareTokenMFAException"] + outcomes["TooManyRequestsException"] == 40
    right = outcome(lambda: idp.verify_software_token(AccessToken=token, UserCode=phone.code()))
    assert right == "TooManyRequestsException"


def test_of_two_verifies_one_wins(optional, idp):
    token = optional.user().access_token()
    phone = Phone(idp.associate_software_token(AccessToken=token)["SecretCode"])
    code = phone.code()
    outcomes = together([lambda: idp.verify_software_token(AccessToken=token, UserCode=code)] * 2)
    assert outcomes == {"SUCCESS": 1, "SoftwareTokenMFANotFoundException": 1}


def test_of_two_verifies_of_one_session_one_wins(required, idp):
    _, phone, session = required.setting_up()
    code = phone.code()
    outcomes = together([lambda: idp.verify_software_token(Session=session, UserCode=code)] * 2)
    assert outcomes == {"SUCCESS": 1, "NotAuthorizedException": 1}


def test_of_two_ends_of_one_setup_one_gets_tokens(required, idp):
    user, phone, session = required.setting_up()
    verified = idp.verify_software_token(Session=session, UserCode=phone.code())["Session"]
    outcomes = together([lambda: user.finish_setup(verified)] * 2)
    assert outcomes["SUCCESS"] == 1


def test_of_three_secrets_one_can_be_verified(optional, idp):
    token = optional.user().access_token()
    # As many as are judged without a wait.
    with ThreadPoolExecutor(3) as threads:
        issued = list(threads.map(lambda _: issue(idp, token), range(3)))
    phones = [Phone(secret) for secret in issued if secret]
    codes = {phone.code(): phone for phone in phones}
    assert len(codes) == len(phones)
    verified = 0
    for code in codes:
        said = outcome(lambda code=code: idp.verify_software_token(AccessToken=token, UserCode=code))
        assert said in ("SUCCESS", "EnableSoftwareTokenMFAException", "SoftwareTokenMFANotFoundException")
        verified += said == "SUCCESS"
    assert verified == 1


def issue(idp, token):
    """A secret, or nothing where others were faster, every time."""
    try:
        return idp.associate_software_token(AccessToken=token)["SecretCode"]
    except idp.exceptions.ConcurrentModificationException:
        return None


def test_forty_connections_are_served_at_once(optional, endpoint):
    user = optional.user()
    token = user.access_token()
    barrier = threading.Barrier(40)

    def one(_):
        barrier.wait()
        answer = call(endpoint, "GetUser", {"AccessToken": token})
        return answer.status, answer.body["Username"]

    with ThreadPoolExecutor(40) as threads:
        assert Counter(threads.map(one, range(40))) == {(200, user.name): 40}


def test_ten_users_enrol_and_sign_in_at_once(optional):
    def one(_):
        user = optional.enrolled()
        return bool(user.sign_in()["AccessToken"])

    with ThreadPoolExecutor(10) as threads:
        assert list(threads.map(one, range(10))) == [True] * 10
