"""Who is asking: sessions, devices and what becomes of them."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import Session, col, select

from app.accounts import cookies, people, policy, service
from app.accounts.models import Device, Person, UserSession
from app.clock import SetClock
from app.config import Settings
from app.errors import Revoked, SignedOut
from app.ids import fingerprint
from tests.support.browsers import BEIJUM, PADDEPOEL, Client

SignedIn = Callable[..., httpx.AsyncClient]
A_DAY_S = 86_400


def device_of(app: FastAPI, person: Person) -> Device:
    found: Device = app.state.db.read_now(
        lambda session: session.exec(select(Device).where(Device.person_id == person.id)).one()
    )
    return found


async def test_she_is_told_who_she_is_and_what_she_sees(
    sign_in: SignedIn, anna: Person, town: dict[str, str]
) -> None:
    answer = await sign_in(anna).get("/api/v1/me")
    assert answer.status_code == 200
    me = answer.json()
    assert me["person_id"] == anna.id
    assert me["areas"] == sorted([PADDEPOEL, f"team:{town['Noordwest']}"])
    assert set(me["rights"]) == policy.RIGHTS["coordinator"]
    assert me["rights"] == sorted(me["rights"])


async def test_what_another_team_answers_for_is_not_in_her_scopes(
    app: FastAPI, sign_in: SignedIn, anna: Person, bram: Person
) -> None:
    areas = (await sign_in(anna).get("/api/v1/me")).json()["areas"]
    assert BEIJUM not in areas
    who = app.state.db.read_now(lambda session: service.scope_of(session, anna.id))
    assert sorted(who) == areas
    assert who.isdisjoint(app.state.db.read_now(lambda session: service.scope_of(session, bram.id)))


async def test_a_new_team_counts_at_the_next_request(
    app: FastAPI, sign_in: SignedIn, anna: Person
) -> None:
    browser = sign_in(anna)
    await browser.get("/api/v1/me")
    app.state.db.write_now(lambda session: people.put_in_teams(session, anna, ["Noordoost"]))
    areas = (await browser.get("/api/v1/me")).json()["areas"]
    assert BEIJUM in areas
    assert PADDEPOEL not in areas


async def test_without_a_cookie_she_is_asked_to_sign_in(client: Client, town: object) -> None:
    answer = await client().get("/api/v1/me")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/signed-out"
    assert "clear-site-data" not in answer.headers


async def test_a_secret_that_was_never_given_opens_nothing(client: Client) -> None:
    for secret in ("", "x", "0" * 40, "\xe9", 'a"b', "a" * 4000):
        cookie = f"stoep_session={secret}".encode("latin-1")
        answer = await client().get("/api/v1/me", headers=[(b"cookie", cookie)])
        assert answer.json()["type"] == "/problems/signed-out"


async def test_a_session_ends_by_itself(sign_in: SignedIn, anna: Person, clock: SetClock) -> None:
    browser = sign_in(anna)
    clock.forward(s=30 * A_DAY_S - 1)
    assert (await browser.get("/api/v1/me")).status_code == 200
    clock.forward(s=1)
    answer = await browser.get("/api/v1/me")
    assert answer.json()["type"] == "/problems/signed-out"
    assert "clear-site-data" not in answer.headers


async def test_signing_out_ends_the_session_and_leaves_the_phone_its_work(
    sign_in: SignedIn, anna: Person
) -> None:
    browser = sign_in(anna)
    answer = await browser.delete("/api/v1/session")
    assert answer.status_code == 204
    assert "clear-site-data" not in answer.headers
    assert answer.headers["set-cookie"].startswith('stoep_session="";')
    assert "Max-Age=0" in answer.headers["set-cookie"]
    # Whoever copied the cookie has nothing in hand.
    assert (await browser.get("/api/v1/me")).json()["type"] == "/problems/signed-out"
    assert (await browser.delete("/api/v1/session")).status_code == 204


async def test_a_revoked_phone_is_told_to_clear_itself(
    app: FastAPI, sign_in: SignedIn, anna: Person
) -> None:
    dropped: list[str] = []
    app.state.on_revoke.append(dropped.append)
    lost, desk = sign_in(anna), sign_in(anna)
    devices = (await desk.get("/api/v1/devices")).json()
    [there] = [one["id"] for one in devices if not one["current"]]
    assert (await desk.delete(f"/api/v1/devices/{there}")).status_code == 204
    assert dropped == [there]

    answer = await lost.get("/api/v1/me")
    assert answer.status_code == 401
    assert answer.json()["type"] == "/problems/revoked"
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert (await desk.get("/api/v1/me")).status_code == 200
    assert [one["id"] for one in (await desk.get("/api/v1/devices")).json()] != [there]


async def test_a_phone_revoked_after_its_session_ran_out_still_clears_itself(
    app: FastAPI, sign_in: SignedIn, anna: Person, clock: SetClock
) -> None:
    lost = sign_in(anna)
    clock.forward(s=40 * A_DAY_S)
    await sign_in(anna).delete(f"/api/v1/devices/{device_id(lost, app)}")
    assert (await lost.get("/api/v1/me")).json()["type"] == "/problems/revoked"


def device_id(browser: httpx.AsyncClient, app: FastAPI) -> str:
    mark = fingerprint(browser.cookies["stoep_session"])
    found = app.state.db.read_now(lambda session: session.get(UserSession, mark))
    return str(found.device_id)


async def test_who_no_longer_works_here_has_her_phones_cleared(
    app: FastAPI, sign_in: SignedIn, anna: Person, clock: SetClock
) -> None:
    browser = sign_in(anna)
    app.state.db.write_now(
        lambda session: people.disable_person(
            session, people.get_person(session, "anna@example.nl"), now_ms=clock.now_ms()
        )
    )
    assert (await browser.get("/api/v1/me")).json()["type"] == "/problems/revoked"


async def test_nobody_sees_or_revokes_a_colleagues_devices(
    app: FastAPI, sign_in: SignedIn, anna: Person, bram: Person
) -> None:
    hers, his = sign_in(anna), sign_in(bram)
    there = device_id(hers, app)
    assert (await his.get(f"/api/v1/devices?person={anna.id}")).status_code == 403
    assert (await his.delete(f"/api/v1/devices/{there}")).status_code == 404
    assert [one["id"] for one in (await his.get("/api/v1/devices")).json()] != [there]
    assert (await hers.get("/api/v1/me")).status_code == 200


async def test_an_administrator_sees_and_revokes_anybodys_device(
    app: FastAPI, sign_in: SignedIn, anna: Person, beheer: Person
) -> None:
    hers, admin = sign_in(anna), sign_in(beheer)
    [there] = (await admin.get(f"/api/v1/devices?person={anna.id}")).json()
    assert there == {
        "id": device_id(hers, app),
        "name": "Android, Chrome",
        "signed_in_ms": there["signed_in_ms"],
        "last_seen_ms": there["last_seen_ms"],
        "current": False,
    }
    assert (await admin.delete(f"/api/v1/devices/{there['id']}")).status_code == 204
    assert (await hers.get("/api/v1/me")).json()["type"] == "/problems/revoked"


async def test_a_sign_of_life_is_written_at_most_once_in_five_minutes(
    app: FastAPI, sign_in: SignedIn, anna: Person, clock: SetClock
) -> None:
    browser = sign_in(anna)
    begun_ms = clock.now_ms()
    clock.forward(s=5 * 60)
    await browser.get("/api/v1/me")
    assert device_of(app, anna).seen_at_ms == begun_ms
    clock.forward(ms=1)
    await browser.get("/api/v1/me")
    assert device_of(app, anna).seen_at_ms == clock.now_ms()


async def test_signing_in_again_here_keeps_the_device_and_ends_the_earlier_session(
    app: FastAPI, anna: Person, clock: SetClock
) -> None:
    def begin(session: Session, earlier: str | None) -> service.SignIn:
        return service.begin_session(
            session,
            anna.id,
            now_ms=clock.now_ms(),
            session_days=30,
            device_name="iPhone, Safari",
            earlier_secret=earlier,
        )

    db = app.state.db
    first = db.write_now(lambda session: begin(session, None))
    second = db.write_now(lambda session: begin(session, first.secret))
    assert second.device_id == first.device_id
    assert second.secret != first.secret
    with pytest.raises(SignedOut):
        await service.principal(db, first.secret, clock.now_ms())
    assert (await service.principal(db, second.secret, clock.now_ms())).person_id == anna.id


async def test_a_secret_that_somebody_planted_never_becomes_a_session(
    app: FastAPI, anna: Person, bram: Person, clock: SetClock
) -> None:
    def begin(session: Session, person: Person, earlier: str | None) -> service.SignIn:
        return service.begin_session(
            session,
            person.id,
            now_ms=clock.now_ms(),
            session_days=30,
            device_name="",
            earlier_secret=earlier,
        )

    db = app.state.db
    planted = "f" * 40
    begun = db.write_now(lambda session: begin(session, anna, planted))
    assert begun.secret != planted
    with pytest.raises(SignedOut):
        await service.principal(db, planted, clock.now_ms())
    # Bram's own session, planted in Anna's browser, does not make her phone his device.
    his = db.write_now(lambda session: begin(session, bram, None))
    hers = db.write_now(lambda session: begin(session, anna, his.secret))
    assert hers.device_id != his.device_id


async def test_a_revoked_device_is_not_taken_up_again(
    app: FastAPI, sign_in: SignedIn, anna: Person, clock: SetClock
) -> None:
    db = app.state.db
    browser = sign_in(anna)
    secret = browser.cookies["stoep_session"]
    who = await service.principal(db, secret, clock.now_ms())
    db.write_now(
        lambda session: service.revoke_device(session, who.device_id, who, now_ms=clock.now_ms())
    )
    with pytest.raises(Revoked):
        await service.principal(db, secret, clock.now_ms())
    again = db.write_now(
        lambda session: service.begin_session(
            session,
            anna.id,
            now_ms=clock.now_ms(),
            session_days=30,
            device_name="",
            earlier_secret=secret,
        )
    )
    assert again.device_id != who.device_id


def test_the_database_holds_no_secret(app: FastAPI, sign_in: SignedIn, anna: Person) -> None:
    secret = sign_in(anna).cookies["stoep_session"]
    assert len(secret) * 4 == 160
    kept = app.state.db.read_now(
        lambda session: (
            session.exec(select(UserSession).where(col(UserSession.person_id) == anna.id))
            .one()
            .model_dump()
        )
    )
    assert secret not in str(kept)


@pytest.mark.parametrize(
    ("base_url", "name", "flags"),
    [
        ("http://localhost:8000", "stoep_session", {"httponly", "samesite=lax", "path=/"}),
        (
            "https://stoep.example.nl",
            "__Host-stoep_session",
            {"httponly", "samesite=lax", "path=/", "secure"},
        ),
    ],
)
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    base_url: str, name: str, flags: set[str]
) -> None:
    from starlette.responses import Response

    settings = Settings(base_url=base_url)
    response = Response()
    cookies.put(response, settings, "secret")
    first, *rest = [part.strip() for part in response.headers["set-cookie"].split(";")]
    assert first == f"{name}=secret"
    said = {part.lower() for part in rest}
    assert flags <= said
    assert ("secure" in said) == ("secure" in flags)
    assert not any(part.startswith("domain") for part in said)
    assert "max-age=2592000" in said


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"stoep_session=abc", "abc"),
        (b"theme=dark; stoep_session=abc; x=y", "abc"),
        (b"xstoep_session=abc", None),
        (b"stoep_session", ""),
        (b"stoep_session=one; stoep_session=two", "one"),
        (b"", None),
        (b";;;=", None),
    ],
)
def test_the_cookie_is_found_among_others(header: bytes, found: str | None) -> None:
    assert cookies.find([(b"cookie", header)], b"stoep_session") == found


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15"
                " (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
            ),
            "iPhone, Safari",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
                " Chrome/131.0.0.0 Mobile Safari/537.36"
            ),
            "Android, Chrome",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 14; SM-X200) AppleWebKit/537.36 (KHTML, like Gecko)"
                " SamsungBrowser/26.0 Chrome/122.0.0.0 Safari/537.36"
            ),
            "Android-tablet, Samsung Internet",
        ),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
                " Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0"
            ),
            "Windows, Edge",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/133.0",
            "Linux, Firefox",
        ),
        ("curl/8.5.0", "Browser"),
        ("", "Browser"),
    ],
)
def test_a_device_is_called_by_its_kind(user_agent: str, name: str) -> None:
    assert service.device_name(user_agent) == name


def test_asking_who_it_is_takes_one_query(app: FastAPI, anna: Person) -> None:
    """The busiest question of all must not grow a second round trip unnoticed."""
    asked: list[Any] = []
    db = app.state.db
    plain = db.all

    async def counted(sql: str, params: dict[str, Any]) -> Any:
        asked.append(sql)
        return await plain(sql, params)

    db.all = counted
    import asyncio

    with pytest.raises(SignedOut):
        asyncio.run(service.principal(db, "0" * 40, 0))
    assert len(asked) == 1
