"""Work that is due by the clock, and looked for now and then.

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
