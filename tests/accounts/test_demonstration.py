"""Signing in by a tap, and everywhere that this door does not exist."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from app.accounts import people
from app.accounts.models import Person
from app.clock import SetClock
from app.config import Settings
from tests.support.browsers import OURS, Client


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> Settings:
    """A demonstration's settings."""
    return Settings(data_dir=tmp_path, database_url=sqlite_url, demo=True, worker=False)


async def test_a_tap_signs_in(client: Client, anna: Person) -> None:
    browser = client()
    page = await browser.get("/sign-in")
    assert page.status_code == 200
    assert f'value="{anna.id}"' in page.text
    assert "Noordwest" in page.text
    answer = await browser.post("/demo/sign-in", data={"person": anna.id})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?signed-in"
    assert (await browser.get("/api/v1/me")).json()["person_id"] == anna.id
    assert "Je bent aangemeld als Anna." in (await browser.get("/sign-in")).text


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"])
async def test_it_works_under_every_name_of_this_machine(
    client: Client, anna: Person, peer: str, host: str
) -> None:
    browser = client(peer=peer, headers={"Host": host, "Sec-Fetch-Site": "same-origin"})
    answer = await browser.post("/demo/sign-in", data={"person": anna.id})
    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.0.2.7", {}),
        ("::ffff:192.0.2.7", {}),
        ("2001:db8::1", {}),
        ("", {}),
        ("testclient", {}),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}),
        ("127.0.0.1", {"X-Forwarded-Host": "localhost"}),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}),
        ("127.0.0.1", {"Via": "1.1 proxy"}),
        ("127.0.0.1", {"Host": "192.0.2.1:8000"}),
    ],
)
async def test_who_does_not_sit_at_this_machine_finds_no_door(
    client: Client, anna: Person, peer: str, headers: dict[str, str]
) -> None:
    browser = client(peer=peer, headers={"Sec-Fetch-Site": "same-origin"} | headers)
    answer = await browser.post("/demo/sign-in", data={"person": anna.id})
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers
    page = await browser.get("/sign-in")
    assert page.status_code == 200
    assert anna.id not in page.text


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "localhost@evil.example"]
)
async def test_a_name_that_was_pointed_at_this_machine_is_refused(
    client: Client, anna: Person, host: str
) -> None:
    """DNS rebinding: the browser says same-origin, for it knows no better."""
    browser = client(headers={"Host": host, "Sec-Fetch-Site": "same-origin"})
    answer = await browser.post("/demo/sign-in", data={"person": anna.id})
    assert answer.status_code in {404, 421}
    assert "set-cookie" not in answer.headers
    assert anna.id not in (await browser.get("/sign-in")).text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:9000"},
        {"Sec-Fetch-Site": "cross-site", **OURS},
        {"Sec-Fetch-Site": "same-site", **OURS},
    ],
)
async def test_another_site_cannot_tap_for_her(
    client: Client, anna: Person, headers: dict[str, str]
) -> None:
    answer = await client(headers=headers).post("/demo/sign-in", data={"person": anna.id})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("person", ["", "nobody", "a\x00b", "x" * 100, "😀"])
async def test_who_is_not_in_the_demonstration_does_not_sign_in(
    client: Client, anna: Person, person: str
) -> None:
    answer = await client().post("/demo/sign-in", data={"person": person})
    assert answer.status_code in {400, 404}
    assert "set-cookie" not in answer.headers


async def test_a_closed_account_is_not_offered(
    app: FastAPI, client: Client, anna: Person, clock: SetClock
) -> None:
    app.state.db.write_now(
        lambda session: people.disable_person(
            session, people.get_person(session, anna.email), now_ms=clock.now_ms()
        )
    )
    assert anna.id not in (await client().get("/sign-in")).text
    answer = await client().post("/demo/sign-in", data={"person": anna.id})
    assert answer.status_code == 404


class TestOutsideTheDemonstration:
    """A municipality that works for real."""

    @pytest.fixture
    def settings(self, sqlite_url: str, tmp_path: Path) -> Settings:
        return Settings(data_dir=tmp_path, database_url=sqlite_url, demo=False, worker=False)

    async def test_there_is_no_door(self, client: Client, anna: Person) -> None:
        answer = await client().post("/demo/sign-in", data={"person": anna.id})
        assert answer.status_code == 404
        assert "set-cookie" not in answer.headers
        assert anna.id not in (await client().get("/sign-in")).text
