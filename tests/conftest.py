"""What every test may ask for: a clock, a migrated database of each kind, a running server."""

import gc
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import migrate
from app.clock import SetClock
from app.db import Database
from tests.support import memory, postgres
from tests.support.missing import give_up
from tests.support.neighbourhood import Neighbourhood, open_neighbourhood
from tests.support.server import Server

memory.use()

MONDAY_MORNING_MS = 1_793_610_000_000
"""2 November 2026, 10:00 in Amsterdam."""


def pytest_collection_finish() -> None:
    """Keep what all tests share out of the collector's walks, as the program itself does."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def clock() -> SetClock:
    """A clock that stands still on a Monday morning until the test moves it."""
    return SetClock(MONDAY_MORNING_MS)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database file, migrated once."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a fresh, migrated SQLite database."""
    path = tmp_path / "stoep.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL cluster of our own for the whole run."""
    programs = postgres.programs()
    if programs is None:
        give_up("PostgreSQL's server programs (Debian: postgresql)")
    cluster = postgres.Cluster(programs)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def postgres_template(postgres_cluster: postgres.Cluster) -> str:
    """The name of an empty database, migrated once."""
    name = postgres_cluster.create()
    migrate.upgrade(postgres_cluster.url(name))
    return name


@pytest.fixture
def postgres_url(postgres_cluster: postgres.Cluster, postgres_template: str) -> Iterator[str]:
    """The address of a fresh, migrated PostgreSQL database."""
    name = postgres_cluster.create(postgres_template)
    yield postgres_cluster.url(name)
    postgres_cluster.drop(name)


@pytest.fixture
def empty_postgres_url(postgres_cluster: postgres.Cluster) -> Iterator[str]:
    """The address of a PostgreSQL database without a table."""
    name = postgres_cluster.create()
    yield postgres_cluster.url(name)
    postgres_cluster.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh, migrated database; the test runs once on each kind."""
    fixture = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated database; the test runs once on each kind."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
async def neighbourhood(
    database_url: str, tmp_path: Path, clock: SetClock
) -> AsyncIterator[Neighbourhood]:
    """A town with its web form open, in this process; the test runs once on each kind."""
    opened = open_neighbourhood(database_url, tmp_path / "data", clock)
    yield opened
    await opened.close()


StartServer = Callable[..., Server]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start the program: `start_server(command="demo", port=8080, undo_s="0")`.

    Starts in one test share a data folder, so a second one is a restart.
    """
    servers: list[Server] = []

    def start(*, command: str = "serve", port: int = 0, **settings: Any) -> Server:
        server = Server(tmp_path / "data", command=command, port=port, **settings)
        servers.append(server)
        return server

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture
def server(start_server: StartServer) -> Server:
    """A running `stoep serve` on a free port, with a data folder of its own."""
    return start_server()
