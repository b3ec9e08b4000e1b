"""The migrations and the models tell the same story, on both kinds of database."""

import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app import migrate
from app.errors import ConfigError


def test_models_and_migrations_agree(database_url: str) -> None:
    with migrate.connect(database_url) as connection:
        command.check(migrate.config(connection))  # raises when a migration is wanting


def test_a_migrated_database_is_at_the_revision_this_version_needs(database_url: str) -> None:
    assert migrate.current(database_url) == migrate.head()


def test_the_revision_read_without_alembic_is_the_one_that_alembic_finds() -> None:
    found = ScriptDirectory.from_config(migrate.config()).get_current_head()
    assert migrate.head() == found


def test_processes_that_start_together_migrate_once(
    tmp_path: Path, empty_postgres_url: str
) -> None:
    for url in (f"sqlite:///{tmp_path / 'new.db'}", empty_postgres_url):
        failures: list[BaseException] = []

        def start(url: str = url, failures: list[BaseException] = failures) -> None:
            try:
                migrate.upgrade(url)
            except BaseException as error:  # noqa: BLE001 - told to the test below
                failures.append(error)

        starts = [threading.Thread(target=start) for _ in range(4)]
        for thread in starts:
            thread.start()
        for thread in starts:
            thread.join()
        assert failures == []
        assert migrate.current(url) == migrate.head()


def test_a_database_from_a_newer_version_is_refused_and_left_alone(database_url: str) -> None:
    with migrate.connect(database_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from_later'"))
        connection.commit()
    with pytest.raises(ConfigError, match="newer version"):
        migrate.upgrade(database_url)
    assert migrate.current(database_url) == "from_later"


def test_a_database_that_cannot_be_reached_is_told_in_one_sentence() -> None:
    with pytest.raises(ConfigError, match="cannot be reached") as caught:
        migrate.current("postgresql+psycopg://stoep@127.0.0.1:1/stoep")
    assert "\n" not in str(caught.value)
