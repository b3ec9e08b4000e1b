"""Work that is due by the clock goes on when a round fails, and its failure is not the world's."""

import asyncio
import logging

import pytest
from sqlalchemy.exc import OperationalError

from app.clock import SetClock
from app.db import Database
from app.rounds import Rounds, Woken


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


class Guard(Woken):
    """Does what it is told to do, once it looks; what comes while it looks waits for the next."""

    looks_for = "guarding"
    idle_s = 3600.0

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.looked = asyncio.Event()
        self.while_looking: list[Exception | None] = []

    async def once(self) -> int:
        self.looks += 1
        self.looked.set()
        if self.while_looking:
            trouble = self.while_looking.pop(0)
            self.wake()
            if trouble is not None:
                raise trouble
        return 0


async def _looks(guard: Guard, times: int) -> None:
    async with asyncio.timeout(10):
        while guard.looks < times:
            guard.looked.clear()
            await guard.looked.wait()


async def test_who_is_woken_while_looking_looks_again_and_then_rests() -> None:
    guard = Guard()
    guard.while_looking = [None, None]
    running = asyncio.create_task(guard.run())
    await _looks(guard, 3)
    assert guard.looks == 3
    guard.wake()
    await _looks(guard, 4)
    running.cancel()


async def test_whatever_fails_a_look_is_logged_by_its_kind_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = Guard()
    guard.while_looking = [ValueError("geheim"), None]
    running = asyncio.create_task(guard.run())
    await _looks(guard, 3)
    running.cancel()
    assert "guarding: ValueError" in caplog.text
    assert "geheim" not in caplog.text
