"""What a session is good for, and what not."""

import pytest

from phone import Phone
from world import INVALID_SESSION, USED_SESSION, Pool, refused


def no_session():
    return refused("NotAuthorizedException", message=INVALID_SESSION)


def used_session():
    return refused("NotAuthorizedException", message=USED_SESSION)


def test_a_session_is_spent_by_success(optional):
    user = optional.enrolled()
    session = user.challenge()
    user.answer(session, user.phone.code())
    with used_session():
        user.answer(session, user.phone.code())


def test_several_sessions_live_side_by_side(optional):
    user = optional.enrolled()
    first, second = user.challenge(), user.challenge()
    assert first != second
    assert user.answer(second, user.phone.code())["AuthenticationResult"]
    assert user.answer(first, user.phone.code())["AuthenticationResult"]


def test_a_setup_is_finished_once(required, idp):
    user, phone, session = required.setting_up()
    verified = idp.verify_software_token(Session=session, UserCode=phone.code())["Session"]
    user.finish_setup(verified)
    with used_session():
        user.finish_setup(verified)


def test_a_session_verifies_once(required, idp):
    user, phone, session = required.setting_up()
    done = idp.verify_software_token(Session=session, UserCode=phone.code())["Session"]
    for code in (phone.last(), phone.wrong(), phone.code()):
        with used_session():
            idp.verify_software_token(Session=session, UserCode=code)
    assert user.finish_setup(done)["AuthenticationResult"]


def test_once_something_is_verified_a_setup_session_associates_nothing(required, idp):
    user = required.user()
    setup = user.begin()["Session"]
    issued = idp.associate_software_token(Session=setup)
    phone = Phone(issued["SecretCode"])
    idp.verify_software_token(Session=issued["Session"], UserCode=phone.code())
    with no_session():
        idp.associate_software_token(Session=setup)


def test_a_session_is_bound_to_its_user(optional):
    mine, yours = optional.enrolled(), optional.enrolled()
    session = mine.challenge()
    with no_session():
        yours.answer(session, yours.phone.code())
    with no_session():
        yours.answer(session, mine.phone.code())
    assert mine.answer(session, mine.phone.last())["AuthenticationResult"]


def test_a_setup_session_is_bound_to_its_user(required, idp):
    mine, phone, session = required.setting_up()
    yours = required.user()
    verified = idp.verify_software_token(Session=session, UserCode=phone.code())["Session"]
    with no_session():
        yours.finish_setup(verified)
    assert mine.finish_setup(verified)["AuthenticationResult"]


def test_a_session_is_bound_to_its_client(optional):
    user = optional.enrolled()
    session, other = user.challenge(), optional.another_client()
    with no_session():
        user.answer(session, user.phone.code(), client_id=other)
    assert user.answer(session, user.phone.last())["AuthenticationResult"]


def test_a_setup_session_is_bound_to_its_client(required, idp):
    user, phone, session = required.setting_up()
    verified = idp.verify_software_token(Session=session, UserCode=phone.code())["Session"]
    with no_session():
        user.finish_setup(verified, client_id=required.another_client())
    assert user.finish_setup(verified)["AuthenticationResult"]


def test_a_session_is_bound_to_its_pool(optional, idp):
    user = optional.enrolled()
    other = Pool(idp).mfa("OPTIONAL")
    namesake = other.user(user.name)
    namesake.phone, token = namesake.enrol(namesake.access_token())
    namesake.prefer(token, enabled=True)
    with no_session():
        namesake.answer(user.challenge(), namesake.phone.code())


OWN = {"challenge": "respond", "setup": "associate", "pending": "verify", "done": "finish_setup"}
FOREIGN = [(purpose, operation) for purpose in OWN for operation in OWN.values() if operation != OWN[purpose]]


@pytest.mark.parametrize(("purpose", "operation"), FOREIGN)
def test_a_session_is_good_for_its_own_step_alone(optional, required, idp, purpose, operation):
    if purpose == "challenge":
        user = optional.enrolled()
        phone, session = user.phone, user.challenge()
    elif purpose == "setup":
        user = required.user()
        phone, session = Phone("A" * 52), user.begin()["Session"]
    else:
        user, phone, session = required.setting_up()
        if purpose == "done":
            session = idp.verify_software_token(Session=session, UserCode=phone.code())["Session"]
    with no_session():
        match operation:
            case "associate":
                idp.associate_software_token(Session=session)
            case "verify":
                idp.verify_software_token(Session=session, UserCode=phone.code())
            case "respond":
                user.answer(session, phone.code())
            case "finish_setup":
                user.finish_setup(session)


def forged(session):
    """One bit of one character, in each part of it."""
    for at in (0, len(session) // 3, len(session) // 2, len(session) - 2):
        yield session[:at] + ("A" if session[at] != "A" else "B") + session[at + 1 :]


def test_a_forged_session_is_refused(optional):
    user = optional.enrolled()
    session = user.challenge()
    for forgery in forged(session):
        with no_session():
            user.answer(forgery, user.phone.last())
    assert user.answer(session, user.phone.code())["AuthenticationResult"]


@pytest.mark.parametrize("damage", ["truncated", "lengthened", "twice", "upper", "halved"])
def test_a_damaged_session_is_refused(optional, damage):
    user = optional.enrolled()
    session = user.challenge()
    damaged = {
        "truncated": session[:-1],
        "lengthened": session + "A",
        "twice": session + session,
        "upper": session.swapcase(),
        "halved": session[: max(20, len(session) // 2)],
    }[damage]
    with no_session():
        user.answer(damaged, user.phone.code())


@pytest.mark.parametrize("length", [20, 4096])
def test_a_session_of_any_lawful_length_is_just_invalid(optional, required, idp, length):
    user = optional.enrolled()
    with no_session():
        user.answer("s" * length, user.phone.code())
    with no_session():
        idp.associate_software_token(Session="s" * length)
    with no_session():
        idp.verify_software_token(Session="s" * length, UserCode="123456")


@pytest.mark.parametrize("length", [0, 1, 19, 4097, 100_000])
def test_a_session_of_another_length_is_no_parameter(optional, unchecked, length):
    session = "s" * length
    with refused("InvalidParameterException"):
        unchecked.associate_software_token(Session=session)
    with refused("InvalidParameterException"):
        unchecked.verify_software_token(Session=session, UserCode="123456")
    with refused("InvalidParameterException"):
        unchecked.respond_to_auth_challenge(
            ClientId=optional.client_id,
            ChallengeName="SOFTWARE_TOKEN_MFA",
            Session=session,
            ChallengeResponses={"USERNAME": "nobody", "SOFTWARE_TOKEN_MFA_CODE": "123456"},
        )


def test_a_session_does_not_outlive_the_token_it_was_made_for(optional, idp):
    user = optional.enrolled()
    session = user.challenge()
    new, _ = user.enrol(user.token)
    with no_session():
        user.answer(session, new.code())
