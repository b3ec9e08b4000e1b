"""People, their town, and an application that answers them."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.accounts import people, service
from app.accounts.models import Area, Person
from app.clock import SetClock
from app.config import Settings
from app.main import create_app
from tests.support.authenticator import Authenticator
from tests.support.browsers import BEIJUM, ORIGIN, OURS, PADDEPOEL, Client


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """A municipality's settings; the demonstration is off."""
    return Settings(
        data_dir=tmp_path, database_url=database_url, base_url=ORIGIN, demo=False, worker=False
    )


@pytest.fixture
def app(settings: Settings, clock: SetClock) -> Iterator[FastAPI]:
    """The whole application on a migrated database, without its background work."""
    app = create_app(settings, clock=clock)
    yield app
    app.state.db.close()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[Client]:
    """Make browsers: `client()`; each has its own cookies. They speak from our own origin."""
    opened = []

    def open_client(
        *, peer: str = "127.0.0.1", headers: dict[str, str] | None = None, url: str = ORIGIN
    ) -> httpx.AsyncClient:
        browser = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=(peer, 50_000)),
            base_url=url,
            headers=OURS if headers is None else headers,
        )
        opened.append(browser)
        return browser

    yield open_client
    for browser in opened:
        await browser.aclose()


@pytest.fixture
def town(app: FastAPI, clock: SetClock) -> dict[str, str]:
    """Two wijken, each with its own team; returns the teams' ids by name."""

    def build(session: Any) -> dict[str, str]:
        session.add(Area(code=PADDEPOEL, name="Paddepoel", kind="WK"))
        session.add(Area(code=BEIJUM, name="Beijum", kind="WK"))
        session.flush()
        return {
            name: people.add_team(session, name, [area], now_ms=clock.now_ms()).id
            for name, area in (("Noordwest", PADDEPOEL), ("Noordoost", BEIJUM))
        }

    built: dict[str, str] = app.state.db.write_now(build)
    return built


@pytest.fixture
def add_person(app: FastAPI, town: dict[str, str], clock: SetClock) -> Callable[..., Person]:
    """Add somebody: `add_person("Carla", role="coach", team="Noordoost")`."""

    def add(name: str, *, role: str = "coordinator", team: str = "Noordwest") -> Person:
        person: Person = app.state.db.write_now(
            lambda session: people.add_person(
                session,
                name=name,
                email=f"{name.lower()}@example.nl",
                role=role,
                teams=[town[team]],
                now_ms=clock.now_ms(),
            )
        )
        return person

    return add


@pytest.fixture
def anna(add_person: Callable[..., Person]) -> Person:
    """A coordinator of Paddepoel."""
    return add_person("Anna")


@pytest.fixture
def bram(add_person: Callable[..., Person]) -> Person:
    """A coordinator of Beijum."""
    return add_person("Bram", team="Noordoost")


@pytest.fixture
def beheer(add_person: Callable[..., Person]) -> Person:
    """An administrator."""
    return add_person("Beheer", role="admin")


@pytest.fixture
def invitation(app: FastAPI, clock: SetClock) -> Callable[[Person], str]:
    """Invite somebody; returns the secret of the link."""

    def invite(person: Person) -> str:
        link, _ = app.state.db.write_now(
            lambda session: people.invite(
                session, person, app.state.settings, now_ms=clock.now_ms()
            )
        )
        return str(link).rpartition("/")[2]

    return invite


@pytest.fixture
def sign_in(app: FastAPI, client: Client, clock: SetClock) -> Callable[..., httpx.AsyncClient]:
    """A browser in which somebody has signed in, without the ceremony."""

    def begin(person: Person, **kwargs: Any) -> httpx.AsyncClient:
        begun = app.state.db.write_now(
            lambda session: service.begin_session(
                session,
                person.id,
                now_ms=clock.now_ms(),
                session_days=30,
                device_name="Android, Chrome",
            )
        )
        browser = client(**kwargs)
        browser.cookies.set("stoep_session", begun.secret)
        return browser

    return begin


@pytest.fixture
def phone() -> Authenticator:
    """A phone that can make passkeys for our address."""
    return Authenticator(ORIGIN)
