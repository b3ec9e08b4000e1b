"""Listens for the saved searches: each is looked at again and again by the account it names.

The cursor of a search is stored in the transaction that stores what it covers. Accounts are
searched side by side, the searches of one after each other: a platform counts per account.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from sqlmodel import Session, col, select

from app.channels.contract import (
    Adapter,
    Batch,
    ChannelError,
    Incoming,
    Permanent,
    Searching,
    SignedOut,
    Temporary,
)
from app.channels.intake import storable
from app.channels.models import Account
from app.clock import Clock
from app.db import Database
from app.listening import service as listening
from app.listening.models import SavedSearch

log = logging.getLogger(__name__)

LOOK_S = 15.0
EVERY_MS = 300_000
AGAIN_MS = 900_000
BATCH = 50
SEARCH_S = 120.0
"""One look takes no longer than this: no account holds up those of the next round."""


class Searches:
    """Looks at what is due."""

    def __init__(
        self, db: Database, clock: Clock, open_adapter: Callable[[Account], Adapter | None]
    ) -> None:
        self._db = db
        self._clock = clock
        self._open = open_adapter

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.once()
            except Exception as error:  # noqa: BLE001  (a database that is away comes back)
                log.error("listening: %s", type(error).__name__)  # noqa: TRY400
            await asyncio.sleep(LOOK_S)

    async def once(self) -> int:
        """Look at all that is due now; return how many searches that were."""
        await self._db.write(lambda session: listening.forget(session, now_ms=self._clock.now_ms()))
        due = await self._db.read(self._due)
        by_account: dict[str, list[tuple[SavedSearch, Account]]] = defaultdict(list)
        for search, account in due:
            by_account[account.id].append((search, account))
        await asyncio.gather(*(self._look_all(some) for some in by_account.values()))
        return len(due)

    def _due(self, session: Session) -> list[tuple[SavedSearch, Account]]:
        query = (
            select(SavedSearch, Account)
            .join(Account, col(Account.id) == col(SavedSearch.account_id))
            .where(SavedSearch.due_at_ms <= self._clock.now_ms(), col(Account.enabled))
            .order_by(col(SavedSearch.due_at_ms), col(SavedSearch.id))
            .limit(BATCH)
        )
        found = [(search, account) for search, account in session.exec(query)]
        session.expunge_all()
        return found

    async def _look_all(self, searches: list[tuple[SavedSearch, Account]]) -> None:
        adapter: Adapter | None = None
        try:
            for search, account in searches:
                try:
                    adapter = adapter or self._open(account)
                    batch = await _search(adapter, search)
                    await self._db.write(partial(self._store, search, account, batch))
                except (Temporary, SignedOut) as error:
                    wait_s = error.retry_after_s if isinstance(error, Temporary) else 0.0
                    await self._db.write(partial(self._rest, account.id, error.code, wait_s))
                    return
                except ChannelError as error:
                    await self._db.write(partial(self._trouble, search.id, error.code))
                except Exception as error:  # noqa: BLE001  (one search's fault stops no other)
                    log.error("search %s: %s", search.id, type(error).__name__)  # noqa: TRY400
                    await self._db.write(partial(self._trouble, search.id, "internal"))
        finally:
            if adapter is not None:
                await adapter.close()

    def _store(self, search: SavedSearch, account: Account, batch: Batch, session: Session) -> None:
        stored = session.get(SavedSearch, search.id, with_for_update=True)
        if stored is None or stored.cursor != search.cursor:
            return  # ended meanwhile, or another process looked
        now_ms = self._clock.now_ms()
        heard = listening.Heard(account.id, search.scope, f"search:{search.id}")
        for item in batch.items:
            if isinstance(item, Incoming):
                listening.take(session, heard, storable(item), now_ms=now_ms)
        stored.cursor, stored.trouble = batch.cursor, batch.remark
        stored.due_at_ms = now_ms + (0 if batch.more else EVERY_MS)

    def _trouble(self, search_id: str, code: str, session: Session) -> None:
        stored = session.get(SavedSearch, search_id, with_for_update=True)
        if stored is not None:
            stored.trouble = code
            stored.due_at_ms = self._clock.now_ms() + AGAIN_MS

    def _rest(self, account_id: str, code: str, wait_s: float, session: Session) -> None:
        """Let all that is due by an account wait: every one of its searches would meet the same.

        One at a time they would ask again at once of who told us to stay away, and as those that
        are due longest keep the others out of a round.
        """
        now_ms = self._clock.now_ms()
        query = select(SavedSearch).where(
            SavedSearch.account_id == account_id, SavedSearch.due_at_ms <= now_ms
        )
        for stored in session.exec(query.order_by(col(SavedSearch.id)).with_for_update()):
            stored.trouble = code
            stored.due_at_ms = now_ms + max(AGAIN_MS, int(wait_s * 1000))


async def _search(adapter: Adapter | None, search: SavedSearch) -> Batch:
    if adapter is None or not isinstance(adapter, Searching):
        raise Permanent("cannot_search")
    try:
        async with asyncio.timeout(SEARCH_S):
            return await adapter.search(search.query, search.cursor)
    except TimeoutError:
        raise Temporary("no_answer") from None
