"""Migrations, run from code: there is no alembic.ini, and the address of the database is given in.

A new one is made in a source checkout with

    python -m app.migrate "what it changes"

Alembic itself is imported only when there is something to migrate: a server that finds its database
up to date does without its twelve megabytes.
"""

import argparse
import ast
import importlib
import pkgutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, MetaData, NullPool, create_engine, event, inspect, text
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

import app
from app import paths
from app.errors import ConfigError

if TYPE_CHECKING:
    from alembic.config import Config

LOCK = 0x5106E9
"""PostgreSQL advisory lock: of processes that start together, one migrates and the others wait."""


def metadata() -> MetaData:
    """Return the tables of every feature: `app/<feature>/models.py`."""
    for module in pkgutil.iter_modules(app.__path__):
        name = f"{app.__name__}.{module.name}.models"
        if module.ispkg and importlib.util.find_spec(name):
            importlib.import_module(name)
    return SQLModel.metadata


def head() -> str:
    """Return the revision that this version of Stoep works with, as the migrations name it."""
    said = [_identity(file) for file in sorted((paths.migrations() / "versions").glob("*.py"))]
    earlier: set[str] = set()
    for one in said:
        before = one["down_revision"]
        earlier |= {before} if isinstance(before, str) else set(before or ())
    newest = [one["revision"] for one in said if one["revision"] not in earlier]
    if len(newest) != 1:
        raise ConfigError("The migrations have no single end; this installation is incomplete.")
    return str(newest[0])


def _identity(file: Path) -> dict[str, Any]:
    """Return what a migration says of its place in the chain, without running it."""
    assigned: dict[str, Any] = {"revision": None, "down_revision": None}
    for line in ast.parse(file.read_bytes()).body:
        if isinstance(line, ast.Assign):
            targets, value = line.targets, line.value
        elif isinstance(line, ast.AnnAssign) and line.value is not None:
            targets, value = [line.target], line.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in assigned:
                assigned[target.id] = ast.literal_eval(value)
    return assigned


def current(url: str) -> str | None:
    """Return the revision of a database, None for one that is empty.

    Raises ConfigError when it cannot be reached.
    """
    with connect(url) as connection:
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    """Return what the table says that Alembic keeps."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def upgrade(url: str) -> None:
    """Bring a database to the revision that this version works with, in one transaction.

    Raises ConfigError when the database cannot be reached or was made by a newer version.
    """
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    with connect(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        if _revision(connection) != head():
            _migrate(connection)
            connection.commit()


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(config(connection), "head")
    except CommandError as error:
        if "locate revision" not in str(error):
            raise
        raise ConfigError(
            "The database was made by a newer version of Stoep; install that version, "
            "or put back a backup from before it."
        ) from error


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    """Open one connection for changing tables; what is not committed is rolled back.

    On SQLite foreign keys stay off, because a table that is rebuilt is dropped for a moment.
    Raises ConfigError when the database cannot be reached.
    """
    engine = create_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "begin", _begin_writing)
    try:
        connection = engine.connect()
        connection.execute(text("SELECT 1"))
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise ConfigError(f"The database cannot be reached: {reason}.") from error
    try:
        yield connection
    finally:
        connection.close()
        engine.dispose()


def _leave_transactions_to_us(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 60000")
    connection.execute("PRAGMA journal_mode = WAL")


def _begin_writing(connection: Connection) -> None:
    # Of processes that start together one migrates; the others wait here and find it done.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def config(connection: Connection | None = None) -> "Config":
    """Return what Alembic's commands need in place of an alembic.ini."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(paths.migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def main(arguments: list[str] | None = None) -> int:
    """Write a migration that turns the newest one's tables into those of the models."""
    from alembic import command
    from alembic.script import ScriptDirectory

    parser = argparse.ArgumentParser(prog="python -m app.migrate", description=main.__doc__)
    parser.add_argument("message", help="what it changes, in a few words")
    message = parser.parse_args(arguments).message
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/empty.db"
        if ScriptDirectory.from_config(config()).get_current_head():
            upgrade(url)
        with connect(url) as connection:
            command.revision(config(connection), message, autogenerate=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
