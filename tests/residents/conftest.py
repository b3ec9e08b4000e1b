"""A town on each kind of database."""

import pytest

from app.db import Database
from tests.support.town import Town, build


@pytest.fixture
def town(database: Database) -> Town:
    """A small town in a fresh database; the test runs once on each kind."""
    return build(database)
