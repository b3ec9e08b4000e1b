"""The command line: one clear sentence when something is wrong, and copies that can be trusted."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartServer

Stoep = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def stoep(tmp_path: Path) -> Stoep:
    """Run `stoep …` with settings, as in `stoep("check", database_url="…")`."""

    def run(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("STOEP_")}
        given = {f"STOEP_{name.upper()}": value for name, value in settings.items()}
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            env=inherited | {"STOEP_DATA_DIR": str(tmp_path / "data")} | given,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"port": "eighty"}, "STOEP_PORT"),
        ({"port": "70000"}, "STOEP_PORT"),
        ({"database_url": "mysql://localhost/stoep"}, "STOEP_DATABASE_URL"),
        ({"base_url": "stoep.example.nl"}, "STOEP_BASE_URL"),
        ({"database_url": "postgresql://stoep@127.0.0.1:1/stoep"}, "The database"),
        ({"host": "192.0.2.1"}, "192.0.2.1"),
    ],
)
def test_wrong_configuration_is_one_clear_sentence_and_exit_2(
    stoep: Stoep, settings: dict[str, str], names: str
) -> None:
    ended = stoep("serve", **settings)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stderr.startswith("stoep: ")
    assert names in ended.stderr
    assert ended.stdout == ""


def test_a_port_that_is_taken_is_told(stoep: Stoep, start_server: StartServer) -> None:
    taken = start_server()
    ended = stoep("serve", "--port", str(taken.port))
    assert ended.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{taken.port}" in ended.stderr


def test_the_command_line_goes_before_the_environment(stoep: Stoep) -> None:
    ended = stoep("serve", "--port", "99999", port="8000")
    assert ended.returncode == 2
    assert "STOEP_PORT" in ended.stderr


def test_check_says_what_is_in_order(stoep: Stoep, database_url: str) -> None:
    ended = stoep("check", database_url=database_url)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "FAIL" not in ended.stdout


def test_check_fails_on_a_database_that_was_never_migrated(
    stoep: Stoep, empty_postgres_url: str
) -> None:
    ended = stoep("check", database_url=empty_postgres_url)
    assert ended.returncode == 1
    assert "FAIL  migrations: none" in ended.stdout


def test_a_backup_of_a_running_server_is_sound_and_private(
    stoep: Stoep, start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(command="demo")
    copy = tmp_path / "copy.db"
    ended = stoep("backup", str(copy))
    assert ended.returncode == 0, ended.stderr
    for private in (copy, server.data_dir, server.data_dir / "stoep.db"):
        assert private.stat().st_mode & 0o077 == 0
    with sqlite3.connect(server.data_dir / "stoep.db") as live, sqlite3.connect(copy) as saved:
        count = "SELECT count(*) FROM message"
        messages = live.execute(count).fetchone()
        assert messages[0] > 0
        assert saved.execute(count).fetchone() == messages
    live.close()
    saved.close()


def test_a_backup_never_writes_over_a_file(stoep: Stoep, sqlite_url: str, tmp_path: Path) -> None:
    target = tmp_path / "holiday.jpg"
    target.write_text("precious")
    ended = stoep("backup", str(target), database_url=sqlite_url)
    assert ended.returncode == 2
    assert target.read_text() == "precious"


def test_a_backup_of_postgresql_points_to_pg_dump(
    stoep: Stoep, postgres_url: str, tmp_path: Path
) -> None:
    ended = stoep("backup", str(tmp_path / "copy"), database_url=postgres_url)
    assert ended.returncode == 2
    assert "pg_dump" in ended.stderr


def test_openapi_is_printed_without_a_database(stoep: Stoep, tmp_path: Path) -> None:
    ended = stoep("openapi")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["openapi"].startswith("3.")
    assert not (tmp_path / "data" / "stoep.db").exists()


def test_the_demonstration_loads_once_and_starts_again(start_server: StartServer) -> None:
    first = start_server(command="demo")
    assert first.stop() == 0
    again = start_server(command="demo")
    for server in (first, again):
        assert any(f"{server.url}/" in line and "Anna" in line for line in server.said), server.said
    assert httpx.get(f"{again.url}/").status_code == 200
    with sqlite3.connect(again.data_dir / "stoep.db") as database:
        names = database.execute("SELECT name FROM person").fetchall()
    database.close()
    assert len(names) == len(set(names))


def test_a_server_told_to_stop_ends_in_good_order(start_server: StartServer) -> None:
    assert start_server().stop() == 0
