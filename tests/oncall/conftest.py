"""A town with a rota, on each kind of database."""

from pathlib import Path

import pytest

from app.clock import SetClock
from app.db import Database
from tests.oncall.duty import Duty, on_duty


@pytest.fixture
def duty(database: Database, clock: SetClock, tmp_path: Path) -> Duty:
    """A town whose clock stands still, with nobody on call yet."""
    return on_duty(database, clock, tmp_path / "data")
