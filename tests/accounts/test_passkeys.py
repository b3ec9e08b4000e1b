"""Invitations and passkeys, with a phone in software."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from app.accounts import passkeys, people
from app.accounts.models import Passkey, Person, UserSession
from app.accounts.policy import ROLES
from app.clock import SetClock
from app.config import Settings
from app.errors import Problem
from tests.support.authenticator import Authenticator
from tests.support.browsers import ORIGIN, Client

Invite = Callable[[Person], str]
AN_HOUR_S = 3600


async def register(browser: httpx.AsyncClient, token: str, phone: Authenticator) -> httpx.Response:
    asked = await browser.post("/api/v1/session/registration", json={"invitation": token})
    if asked.status_code != 200:
        return asked
    credential = phone.create(asked.json()["options"])
    return await browser.post(
        "/api/v1/session/passkey", json={"invitation": token, "credential": credential}
    )


async def sign_in(browser: httpx.AsyncClient, phone: Authenticator) -> httpx.Response:
    asked = await browser.post("/api/v1/session/challenge")
    return await browser.post(
        "/api/v1/session", json={"credential": phone.get(asked.json()["options"])}
    )


async def test_an_invitation_makes_a_passkey_and_the_passkey_signs_in(
    client: Client, anna: Person, invitation: Invite, phone: Authenticator
) -> None:
    first = client()
    answer = await register(first, invitation(anna), phone)
    assert answer.status_code == 201
    assert answer.json()["person_id"] == anna.id
    assert (await first.get("/api/v1/me")).json()["name"] == "Anna"

    other = client()
    answer = await sign_in(other, phone)
    assert answer.status_code == 201
    assert "HttpOnly" in answer.headers["set-cookie"]
    me = (await other.get("/api/v1/me")).json()
    assert me["person_id"] == anna.id
    assert me["device_id"] == answer.json()["device_id"]


async def test_signing_in_again_gives_another_secret_and_ends_the_earlier_session(
    app: FastAPI, client: Client, anna: Person, invitation: Invite, phone: Authenticator
) -> None:
    browser = client()
    began = await register(browser, invitation(anna), phone)
    earlier = browser.cookies["stoep_session"]
    again = await sign_in(browser, phone)
    assert browser.cookies["stoep_session"] != earlier
    assert again.json()["device_id"] == began.json()["device_id"]
    thief = client()
    thief.cookies.set("stoep_session", earlier)
    assert (await thief.get("/api/v1/me")).json()["type"] == "/problems/signed-out"


async def test_the_options_ask_for_a_passkey_that_needs_no_name(
    client: Client, anna: Person, invitation: Invite
) -> None:
    token = invitation(anna)
    options = (
        await client().post("/api/v1/session/registration", json={"invitation": token})
    ).json()["options"]
    assert options["rp"]["id"] == "localhost"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "preferred"
    asked = (await client().post("/api/v1/session/challenge")).json()["options"]
    assert asked.get("allowCredentials", []) == []
    assert asked["challenge"] != options["challenge"]


async def test_an_invitation_works_once(
    app: FastAPI, client: Client, anna: Person, invitation: Invite, phone: Authenticator
) -> None:
    token = invitation(anna)
    await register(client(), token, phone)
    again = await register(client(), token, Authenticator(ORIGIN))
    assert again.status_code == 410
    assert again.json()["reason"] == "used"
    assert (await client().get(f"/invite/{token}")).status_code == 410
    kept = app.state.db.read_now(lambda session: session.exec(select(Passkey)).all())
    assert len(kept) == 1


async def test_of_two_phones_that_use_an_invitation_at_once_one_gets_in(
    app: FastAPI, client: Client, anna: Person, invitation: Invite
) -> None:
    token = invitation(anna)
    phones = [Authenticator(ORIGIN) for _ in range(4)]
    answers = await asyncio.gather(*(register(client(), token, phone) for phone in phones))
    assert sorted(answer.status_code for answer in answers) == [201, 410, 410, 410]
    kept = app.state.db.read_now(lambda session: session.exec(select(Passkey)).all())
    assert len(kept) == 1


async def test_an_invitation_expires(
    client: Client, anna: Person, invitation: Invite, phone: Authenticator, clock: SetClock
) -> None:
    token = invitation(anna)
    clock.forward(s=72 * AN_HOUR_S - 1)
    assert (await client().get(f"/invite/{token}")).status_code == 200
    clock.forward(s=1)
    assert (await client().get(f"/invite/{token}")).status_code == 410
    answer = await register(client(), token, phone)
    assert answer.status_code == 410
    assert answer.json()["reason"] == "expired"


async def test_a_newer_invitation_replaces_an_unused_one(
    client: Client, anna: Person, invitation: Invite, phone: Authenticator
) -> None:
    old, new = invitation(anna), invitation(anna)
    assert (await register(client(), old, phone)).status_code == 404
    assert (await register(client(), new, phone)).status_code == 201


async def test_an_invitation_dies_with_the_account(
    app: FastAPI, client: Client, anna: Person, invitation: Invite, clock: SetClock
) -> None:
    token = invitation(anna)
    app.state.db.write_now(
        lambda session: people.disable_person(
            session, people.get_person(session, anna.email), now_ms=clock.now_ms()
        )
    )
    assert (await client().get(f"/invite/{token}")).status_code == 404


async def test_a_closed_account_does_not_sign_in_with_its_passkey(
    app: FastAPI,
    client: Client,
    anna: Person,
    invitation: Invite,
    phone: Authenticator,
    clock: SetClock,
) -> None:
    await register(client(), invitation(anna), phone)
    app.state.db.write_now(
        lambda session: people.disable_person(
            session, people.get_person(session, anna.email), now_ms=clock.now_ms()
        )
    )
    answer = await sign_in(client(), phone)
    assert answer.status_code == 401
    assert answer.json()["reason"] == "closed"
    assert "set-cookie" not in answer.headers


async def test_looking_at_an_invitation_does_not_use_it(
    client: Client, anna: Person, invitation: Invite, phone: Authenticator
) -> None:
    """Mail scanners and link previews open every link."""
    token = invitation(anna)
    for _ in range(3):
        page = await client().get(f"/invite/{token}")
        assert page.status_code == 200
        assert page.headers["cache-control"] == "no-store"
    assert (await register(client(), token, phone)).status_code == 201


async def test_a_challenge_is_answered_once(
    client: Client, anna: Person, invitation: Invite, phone: Authenticator
) -> None:
    await register(client(), invitation(anna), phone)
    browser = client()
    asked = (await browser.post("/api/v1/session/challenge")).json()["options"]
    answer = {"credential": phone.get(asked)}
    assert (await browser.post("/api/v1/session", json=answer)).status_code == 201
    replayed = await client().post("/api/v1/session", json=answer)
    assert replayed.status_code == 409
    assert replayed.json()["reason"] == "challenge_expired"


async def test_a_wrong_answer_uses_its_challenge_up_too(
    client: Client, anna: Person, invitation: Invite, phone: Authenticator
) -> None:
    await register(client(), invitation(anna), phone)
    browser = client()
    asked = (await browser.post("/api/v1/session/challenge")).json()["options"]
    forged = phone.get(asked)
    forged["response"]["signature"] = forged["response"]["signature"][::-1]
    refused = await browser.post("/api/v1/session", json={"credential": forged})
    assert refused.status_code == 401
    assert refused.json()["reason"] == "refused"
    retried = await browser.post("/api/v1/session", json={"credential": phone.get(asked)})
    assert retried.status_code == 409


async def test_a_challenge_expires(
    client: Client, anna: Person, invitation: Invite, phone: Authenticator, clock: SetClock
) -> None:
    await register(client(), invitation(anna), phone)
    asked = (await client().post("/api/v1/session/challenge")).json()["options"]
    clock.forward(ms=passkeys.CHALLENGE_MS)
    late = await client().post("/api/v1/session", json={"credential": phone.get(asked)})
    assert late.status_code == 409


async def test_a_challenge_for_signing_in_registers_nothing(
    client: Client, anna: Person, invitation: Invite, phone: Authenticator
) -> None:
    asked = (await client().post("/api/v1/session/challenge")).json()["options"]
    made = phone.create(asked | {"user": {"id": "YW5uYQ"}})
    answer = await client().post(
        "/api/v1/session/passkey", json={"invitation": invitation(anna), "credential": made}
    )
    assert answer.status_code == 409


async def test_an_answer_to_brams_challenge_makes_no_passkey_for_anna(
    client: Client, anna: Person, bram: Person, invitation: Invite, phone: Authenticator
) -> None:
    his = await client().post("/api/v1/session/registration", json={"invitation": invitation(bram)})
    answer = await client().post(
        "/api/v1/session/passkey",
        json={"invitation": invitation(anna), "credential": phone.create(his.json()["options"])},
    )
    assert answer.status_code == 400
    assert answer.json()["reason"] == "refused"


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"origin": "https://st0ep.example.nl"},
        {"origin": "http://localhost:9000"},
        {"rp_id": "st0ep.example.nl"},
    ],
)
async def test_a_passkey_made_or_used_on_another_page_is_refused(
    client: Client,
    anna: Person,
    invitation: Invite,
    phone: Authenticator,
    elsewhere: dict[str, Any],
) -> None:
    token = invitation(anna)
    assert (await register(client(), token, replace(phone, **elsewhere))).status_code == 400
    assert (await register(client(), token, phone)).status_code == 201
    answer = await sign_in(client(), replace(phone, **elsewhere))
    assert answer.status_code == 401
    assert answer.json()["reason"] == "refused"


async def test_a_passkey_that_nobody_registered_is_not_known(
    client: Client, town: object, phone: Authenticator
) -> None:
    answer = await sign_in(client(), phone)
    assert answer.status_code == 401
    assert answer.json()["reason"] == "unknown"


async def test_a_passkey_signs_in_for_its_own_person_only(
    client: Client, anna: Person, bram: Person, invitation: Invite, phone: Authenticator
) -> None:
    await register(client(), invitation(anna), phone)
    answer = await sign_in(client(), replace(phone, user_id=bram.id.encode()))
    assert answer.status_code == 401


async def test_a_copied_passkey_whose_counter_runs_behind_is_refused(
    client: Client, anna: Person, invitation: Invite, phone: Authenticator
) -> None:
    await register(client(), invitation(anna), phone)
    copy = replace(phone)
    assert (await sign_in(client(), phone)).status_code == 201
    assert (await sign_in(client(), copy)).json()["reason"] == "refused"


async def test_the_same_passkey_registers_once(
    app: FastAPI, client: Client, anna: Person, bram: Person, invitation: Invite
) -> None:
    phone = Authenticator(ORIGIN)
    await register(client(), invitation(anna), phone)
    token = invitation(bram)
    answer = await register(client(), token, phone)
    assert answer.status_code == 409
    assert answer.json()["reason"] == "registered"
    # What failed changed nothing: his invitation still works.
    assert (await client().get(f"/invite/{token}")).status_code == 200
    owners = app.state.db.read_now(lambda session: session.exec(select(Passkey.person_id)).all())
    assert owners == [anna.id]


async def test_her_second_phone_is_told_to_leave_known_passkeys_alone(
    client: Client, anna: Person, invitation: Invite, phone: Authenticator
) -> None:
    await register(client(), invitation(anna), phone)
    asked = await client().post(
        "/api/v1/session/registration", json={"invitation": invitation(anna)}
    )
    [known] = asked.json()["options"]["excludeCredentials"]
    assert known["id"] == phone.create(asked.json()["options"])["id"]


async def test_an_administrator_lets_somebody_in_with_a_link_and_a_picture(
    client: Client,
    sign_in: Callable[..., httpx.AsyncClient],
    beheer: Person,
    town: dict[str, str],
    phone: Authenticator,
) -> None:
    new = {
        "name": "Cor",
        "email": "cor@example.nl",
        "role": "webcare",
        "teams": [town["Noordoost"]],
    }
    answer = await sign_in(beheer).post("/api/v1/invitations", json=new)
    assert answer.status_code == 201
    invited = answer.json()
    assert invited["link"].startswith(f"{ORIGIN}/invite/")
    assert invited["qr_svg"].startswith("<svg")
    browser = client()
    assert (await register(browser, invited["link"].rpartition("/")[2], phone)).status_code == 201
    me = (await browser.get("/api/v1/me")).json()
    assert (me["name"], me["role"]) == ("Cor", "webcare")
    assert f"team:{town['Noordoost']}" in me["areas"]

    again = await sign_in(beheer).post(f"/api/v1/people/{me['person_id']}/invitations")
    assert again.status_code == 201
    assert (await sign_in(beheer).post("/api/v1/invitations", json=new)).status_code == 409


async def test_nobody_but_an_administrator_lets_people_in(
    sign_in: Callable[..., httpx.AsyncClient], add_person: Callable[..., Person], anna: Person
) -> None:
    new = {"name": "Eva", "email": "eva@example.nl", "role": "admin"}
    for role in set(ROLES) - {"admin"}:
        browser = sign_in(add_person(f"A-{role}", role=role))
        assert (await browser.post("/api/v1/invitations", json=new)).status_code == 403
        assert (await browser.post(f"/api/v1/people/{anna.id}/invitations")).status_code == 403


WRONG_PEOPLE: list[tuple[dict[str, Any], int]] = [
    ({"name": ""}, 400),
    ({"name": "x" * 101}, 400),
    ({"name": "a\x00b"}, 400),
    ({"name": "a\ud800"}, 400),
    ({"email": "nobody"}, 400),
    ({"email": "a\x00@example.nl"}, 400),
    ({"role": "mayor"}, 400),
    ({"teams": ["no-such-team"]}, 404),
    ({"teams": ["a\x00b"]}, 400),
    ({"language": "fy"}, 400),
    ({"surprise": 1}, 400),
]


async def test_a_wrong_invitation_is_refused_and_changes_nothing(
    app: FastAPI, sign_in: Callable[..., httpx.AsyncClient], beheer: Person
) -> None:
    good = {"name": "Cor", "email": "cor@example.nl", "role": "webcare"}
    browser = sign_in(beheer)
    for wrong, status in WRONG_PEOPLE:
        body = json.dumps(good | wrong)
        answer = await browser.post(
            "/api/v1/invitations", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == status, wrong
        assert answer.headers["content-type"] == "application/problem+json"
    there = app.state.db.read_now(lambda session: session.exec(select(Person.name)).all())
    assert there == ["Beheer"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
broken_credentials = st.fixed_dictionaries(
    {},
    optional={
        "id": json_values,
        "rawId": json_values,
        "type": json_values | st.just("public-key"),
        "response": json_values
        | st.fixed_dictionaries(
            {},
            optional={
                "clientDataJSON": json_values | st.just("e30") | st.just("eyJ0eXBlIjoxfQ"),
                "attestationObject": json_values,
                "authenticatorData": json_values,
                "signature": json_values,
                "userHandle": json_values,
                "transports": json_values,
            },
        ),
    },
)
MANY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@MANY
@given(broken=broken_credentials, purpose=st.sampled_from(["register", "sign-in"]))
def test_whatever_a_phone_answers_it_gets_a_problem_and_no_session(
    app: FastAPI, anna: Person, clock: SetClock, broken: dict[str, Any], purpose: str
) -> None:
    """The judgement itself, with a real challenge in a broken answer, on both databases."""
    db, own = app.state.db, app.state.settings
    if purpose == "register":
        options = db.write_now(
            lambda session: passkeys.ask_to_register(session, anna, own, now_ms=clock.now_ms())
        )
        good = Authenticator(ORIGIN).create(options)
    else:
        options = db.write_now(
            lambda session: passkeys.ask_to_sign_in(session, own, now_ms=clock.now_ms())
        )
        good = Authenticator(ORIGIN).get(options)
    answer = good | broken
    if isinstance(answer["response"], dict):
        answer["response"] = good["response"] | answer["response"]
    if answer == good:
        return
    with pytest.raises(Problem) as caught:
        judge(app, answer, purpose, anna.id, own, clock.now_ms())
    assert caught.value.status in {400, 401, 409}
    begun = db.read_now(lambda session: session.exec(select(UserSession)).all())
    assert begun == []


def judge(
    app: FastAPI, answer: dict[str, Any], purpose: str, person_id: str, own: Settings, now_ms: int
) -> None:
    db = app.state.db
    asked = db.write_now(
        lambda session: passkeys.use_challenge(session, answer, purpose, now_ms=now_ms)
    )
    if purpose == "register":
        passkeys.judge_registration(answer, asked, person_id, own, now_ms=now_ms)
    db.write_now(lambda session: passkeys.judge_sign_in(session, answer, asked, own, now_ms=now_ms))


NO_ANSWERS = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"credential":1}',
    b"\xff\xfe",
    b'{"invitation":"\\u0000"}',
]


async def test_a_body_that_is_no_answer_gets_a_problem_without_an_echo(
    client: Client, town: object
) -> None:
    browser = client()
    for path in ("", "/passkey", "/registration"):
        for body in NO_ANSWERS:
            answer = await browser.post(
                f"/api/v1/session{path}", content=body, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == 400, (path, body)
            assert answer.headers["content-type"] == "application/problem+json"
            assert '"input"' not in answer.text
            assert "set-cookie" not in answer.headers


async def test_too_many_attempts_are_slowed_down(client: Client, town: object) -> None:
    browser = client()
    token = {"invitation": "0" * 40}
    codes = [
        (await browser.post("/api/v1/session/registration", json=token)).status_code
        for _ in range(61)
    ]
    assert codes == [404] * 60 + [429]
    elsewhere = client(peer="192.0.2.7")
    answer = await elsewhere.post("/api/v1/session/registration", json=token)
    assert answer.status_code == 404
