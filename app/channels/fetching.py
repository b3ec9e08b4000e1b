"""Keeps fetching from every account: waits where the channel can tell, polls where it cannot.

Accounts are fetched side by side, so one that hangs delays no other. The cursor is stored in the
transaction that stores what it covers.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from app.channels import batches, intake, registry, standing
from app.channels.contract import (
    Adapter,
    Batch,
    ChannelError,
    Gap,
    Receiver,
    SignedOut,
    Source,
    Temporary,
    Waiting,
)
from app.channels.models import Account
from app.clock import Clock
from app.db import Database
from app.delivery import health
from app.delivery import service as delivery
from app.delivery.health import add_gap

log = logging.getLogger(__name__)

WAIT_S = 240.0
"""How long one wait on a mailbox lasts; servers end longer ones (RFC 2177 says 29 minutes)."""
ACCOUNTS_S = 15.0
"""How soon an account that was added, changed or switched off is noticed."""
DOWN_S = 30.0
FETCH_S = 180.0
"""One fetch takes no longer than this; an adapter's own time limits are shorter."""
SLOW_S = 15.0
"""A fetch that takes longer makes an account slow, which is said."""
LOOK_S = 900.0
"""How often an account that is only called (webhooks) is asked whether it still lets us in."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing more is to be fetched here: the account is gone, switched off, or another now."""


class Fetching:
    """One task an account, for as long as the account is there."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        open_adapter: Callable[[Account], Adapter | None],
        *,
        max_bytes: int,
        accounts_s: float = ACCOUNTS_S,
    ) -> None:
        self._db = db
        self._clock = clock
        self._open = open_adapter
        self._max_bytes = max_bytes
        self._accounts_s = accounts_s
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._values: dict[str, Values] = {}
        """What each task was begun with."""

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                if await self._db.read(standing.missing):
                    await self._db.write(self._complete)
                wanted = await self._db.read(_enabled)
                for account_id, values in wanted.items():
                    task = self._tasks.get(account_id)
                    if task is not None and self._values[account_id] != values:
                        # It would go on with what it was opened with, or wait long to try again.
                        task.cancel()
                        task = None
                    if task is None or task.done():
                        self._values[account_id] = values
                        self._tasks[account_id] = asyncio.create_task(self._follow(account_id))
                for account_id in set(self._tasks) - set(wanted):
                    self._tasks.pop(account_id).cancel()
                await asyncio.sleep(self._accounts_s)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _complete(self, session: Session) -> None:
        standing.complete(session, now_ms=self._clock.now_ms())

    async def _follow(self, account_id: str) -> None:
        """Fetch one account for ever; whatever goes wrong is shown on the account."""
        while True:
            try:
                await self._session_with(account_id)
            except Temporary as error:
                wait_s = min(max(error.retry_after_s, 1.0), 900.0)
                if error.code == "rate_limited":
                    await self._note(account_id, "limited", error.code, limited_s=wait_s)
                else:
                    await self._note(account_id, "down", error.code)
            except SignedOut as error:
                wait_s = 300.0
                await self._note(account_id, "signed_out", error.code)
            except ChannelError as error:
                wait_s = 300.0
                await self._note(account_id, "down", error.code)
            except Exception as error:  # noqa: BLE001  (one account's fault stops no other)
                wait_s = DOWN_S
                log.error("fetching %s: %s", account_id, type(error).__name__)  # noqa: TRY400
                await self._note(account_id, "down", "internal")
            else:
                return
            await asyncio.sleep(wait_s)

    async def _session_with(self, account_id: str) -> None:
        account = await self._db.read(lambda session: session.get(Account, account_id))
        adapter = self._open(account) if account is not None else None
        if account is None or adapter is None:
            return
        try:
            if isinstance(adapter, Source):
                while await self._fetch_once(account, adapter):
                    if isinstance(adapter, Waiting):
                        await adapter.wait(WAIT_S)
                    else:
                        await asyncio.sleep(registry.poll_s_of(account.kind))
            elif isinstance(adapter, Receiver):
                while True:
                    await adapter.check()
                    await self._note(account_id, "working", "")
                    await asyncio.sleep(LOOK_S)
        finally:
            await adapter.close()

    async def _fetch_once(self, account: Account, source: Source) -> bool:
        """Fetch until nothing is left; False when the account is no longer there as it was."""
        more = True
        while more:
            cursor = await self._db.read(lambda session: _cursor(session, account))
            if isinstance(cursor, Stop):
                return False
            began_s = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(FETCH_S):
                    batch = await source.fetch(cursor)
            except TimeoutError:
                raise Temporary("no_answer", account_wide=True) from None
            took_s = asyncio.get_running_loop().time() - began_s
            await self.take(account.id, batch, slow=took_s > SLOW_S)
            more = batch.more
        return True

    async def take(self, account_id: str, batch: Batch, *, slow: bool = False) -> None:
        """Store one batch and the cursor that covers it in one transaction (`batches.store`).

        Nothing of it when the account was given other values meanwhile: it may be another mailbox
        by now, of which this cursor says nothing.
        """
        begun_with = self._values.get(account_id)
        ready = await asyncio.to_thread(
            lambda: intake.prepare_all(batch.items, max_bytes=self._max_bytes)
        )

        now_ms = self._clock.now_ms()

        def still(session: Session) -> Account | None:
            account = session.get(Account, account_id)
            return account if account and begun_with in (None, _values(account)) else None

        def take_some(session: Session, some: Sequence[intake.Ready]) -> None:
            if account := still(session):
                intake.take_all(session, account, some, now_ms=now_ms)

        def finish(session: Session, missing: Gap | None) -> None:
            account = still(session)
            if account is None:
                return
            for external_id in batch.echoes:
                delivery.seen_at_channel(session, account.id, external_id, now_ms=now_ms)
            account.cursor = batch.cursor
            for gap in (batch.gap, missing):
                if gap is not None:
                    add_gap(session, account, gap)
            health.reads(session, account, now_ms=now_ms, slow=slow)

        await batches.store(self._db, ready, take_some, finish, now_ms)

    async def _note(
        self, account_id: str, state: str, detail: str, *, limited_s: float | None = None
    ) -> None:
        def store(session: Session) -> None:
            account = session.get(Account, account_id)
            if account is None:
                return
            now_ms = self._clock.now_ms()
            if state == "working":
                health.reads(session, account, now_ms=now_ms)
                return
            until_ms = now_ms + int(limited_s * 1000) if limited_s is not None else None
            health.does_not_read(session, account, state, detail, now_ms=now_ms, until_ms=until_ms)

        await self._db.write(store)


Values = tuple[dict[str, Any], str]
"""What an account was given: its config, and its secret as it is sealed."""


def _values(account: Account) -> Values:
    return account.config, account.secret


def _enabled(session: Session) -> dict[str, Values]:
    found = session.exec(select(Account).where(col(Account.enabled))).all()
    return {account.id: _values(account) for account in found}


def _cursor(session: Session, opened: Account) -> str | Stop | None:
    account = session.get(Account, opened.id)
    if account is None or not account.enabled or _values(account) != _values(opened):
        return Stop()
    return account.cursor
