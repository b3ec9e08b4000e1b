"""What a server holds before anybody asks anything: nothing that most of them never need."""

import subprocess
import sys
from pathlib import Path

from app import migrate

RARELY_NEEDED = ("alembic", "httpx", "mako", "psycopg", "pywebpush", "segno", "webauthn")
"""Forty megabytes together. Each is imported by the first thing that needs it."""

START = """
import sys
from app import cli, migrate
from app.config import Settings
from app.main import create_app

settings = Settings()
migrate.upgrade(settings.database)
create_app(settings)
print(*sys.modules)
"""


def test_a_server_on_sqlite_starts_without_what_it_rarely_needs(tmp_path: Path) -> None:
    migrate.upgrade(f"sqlite:///{tmp_path / 'stoep.db'}")
    started = subprocess.run(
        [sys.executable, "-c", START],
        env={"STOEP_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parent.parent,
    )
    imported = {name.partition(".")[0] for name in started.stdout.split()}
    assert "fastapi" in imported
    assert imported.isdisjoint(RARELY_NEEDED)
