"""A meeting in a town, on each kind of database."""

import pytest

from app.db import Database
from tests.meetings.evening import Evening
from tests.support.town import build


@pytest.fixture
def evening(database: Database) -> Evening:
    """A meeting that Anna planned and opened."""
    made = Evening(build(database))
    assert made.plan()["outcome"] == "applied"
    assert made.state("open")["outcome"] == "applied"
    return made
