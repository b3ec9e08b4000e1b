"""Work that is due by the clock goes on when a round fails, and its failure is not the world's."""

import asyncio
import logging

import pytest
from sqlalchemy.exc import OperationalError

from app.clock import SetClock
from app.db import Database
from app.rounds import Rounds


class Bells(Rounds):
    """Fails in the way that is given for the first round, and rings in the second."""

    every_s = 0.0
    looks_for = "looking for bells"

    def __init__(self, database: Database, clock: SetClock, trouble: Exception) -> None:
        super().__init__(database, clock)
        self.trouble: Exception | None = trouble
        self.rung = asyncio.Event()

    async def once(self) -> int:
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble
        self.rung.set()
        return 1


@pytest.mark.parametrize(
    "trouble", [OperationalError("SELECT 'geheim'", {}, Exception("geheim")), OSError("geheim")]
)
async def test_a_round_that_the_database_fails_is_made_up_for_by_the_next(
    sqlite_url: str, clock: SetClock, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(sqlite_url)
    bells = Bells(database, clock, trouble)
    with caplog.at_level(logging.ERROR):
        working = asyncio.create_task(bells.run())
        async with asyncio.timeout(20):
            await bells.rung.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    database.close()
    assert caplog.messages == [f"looking for bells: {type(trouble).__name__}"]


async def test_a_fault_of_our_own_is_not_hidden(sqlite_url: str, clock: SetClock) -> None:
    database = Database(sqlite_url)
    with pytest.raises(KeyError):
        await Bells(database, clock, KeyError("bell")).run()
    database.close()
