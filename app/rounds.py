"""Work that is due by the clock, and looked for now and then, or as soon as somebody says so.

Nothing sleeps until something is due: what is due is read anew each round. So a restart misses
nothing, and of two processes one finds it done.
"""

import asyncio
import logging
from typing import ClassVar

from sqlalchemy.exc import SQLAlchemyError

from app.clock import Clock
from app.db import Database

log = logging.getLogger(__name__)


class Rounds:
    """Goes round every so often; `once` is one round."""

    every_s: ClassVar[float]
    looks_for: ClassVar[str]
    """What the log calls it when a round fails."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def once(self) -> int:
        """Do all that is due now; return how much there was."""
        raise NotImplementedError

    async def run(self) -> None:
        """Work until cancelled. A round that the database fails is made up for by the next."""
        while True:
            try:
                await self.once()
            except (SQLAlchemyError, OSError) as error:
                log.error("%s: %s", self.looks_for, type(error).__name__)  # noqa: TRY400
            await asyncio.sleep(self.every_s)


class Woken:
    """Looks for work when it is woken, and now and then all the same: whom nobody woke misses none.

    Its `run` is for who does all that is due in `once`; who has several rounds on their way at a
    time has one of its own, and rests in between.
    """

    looks_for: ClassVar[str]
    """What the log calls it when a round fails."""

    idle_s: ClassVar[float] = 1.0

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look for work at once."""
        self._woken.set()

    async def rest(self, at_most_s: float) -> None:
        """Wait until somebody wakes it, or for so long."""
        try:
            async with asyncio.timeout(at_most_s):
                await self._woken.wait()
        except TimeoutError:
            pass
        # Before the next look, and not after it: what comes in meanwhile is looked for again.
        self._woken.clear()

    async def once(self) -> int:
        """Do all that is due now; return how much there was."""
        raise NotImplementedError

    async def run(self) -> None:
        """Work until cancelled. Whatever fails a round, the next tries again."""
        while True:
            try:
                busy = await self.once()
            except Exception as error:  # noqa: BLE001  (one round's fault ends no worker)
                # Not the traceback: a message of an error may hold a resident's words.
                log.error("%s: %s", self.looks_for, type(error).__name__)  # noqa: TRY400
                busy = 0
            if not busy:
                await self.rest(self.idle_s)
