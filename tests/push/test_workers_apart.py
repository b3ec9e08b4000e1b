"""Web and worker in processes of their own: on PostgreSQL a commit wakes who has to act on it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from sqlmodel import Session

from app.db import FEED, WORK, Database
from tests.support.town import build

Heard = asyncio.Queue[tuple[str, str]]


def needs(what: str) -> Callable[[Session], None]:
    """Return a transaction that leaves something to do for this worker."""

    def work(session: Session) -> None:
        session.info[what] = True

    return work


@contextlib.asynccontextmanager
async def apart(url: str) -> AsyncIterator[tuple[Database, Heard]]:
    """Return the database of one process, and what another one hears, which listens by now."""
    web, worker = Database(url), Database(url)
    town = build(web)
    heard: Heard = asyncio.Queue()
    told = {
        FEED: lambda what: heard.put_nowait((FEED, what)),
        WORK: lambda what: heard.put_nowait((WORK, what)),
    }
    listening = asyncio.create_task(worker.listen(told))
    try:
        async with asyncio.timeout(20):
            while heard.empty():
                await web.write(lambda _: None)
                await asyncio.to_thread(town.resident_writes)
            yield web, heard
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        web.close()
        worker.close()


async def test_a_push_that_one_process_queues_wakes_the_worker_of_another(
    postgres_url: str,
) -> None:
    async with apart(postgres_url) as (web, heard):
        await web.write(needs("pushes"))
        while await heard.get() != (WORK, "pushes"):
            pass


async def test_a_transaction_that_fails_wakes_nobody(postgres_url: str) -> None:
    def fails(session: Session) -> None:
        needs("pushes")(session)
        raise LookupError

    async with apart(postgres_url) as (web, heard):
        with contextlib.suppress(LookupError):
            await web.write(fails)
        await web.write(needs("letters"))
        words = [await heard.get()]
        while words[-1] != (WORK, "letters"):
            words.append(await heard.get())
        assert (WORK, "pushes") not in words
