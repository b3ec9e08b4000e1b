"""Messages that come in by a channel: how fast, whether what is stored slows them down, and what
one peer that never answers does to the others.
"""

import asyncio
import contextlib
import gc
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, inspect, text
from sqlmodel import Session, SQLModel, col, select

from app import migrate
from app.accounts.models import Area, Team, TeamArea
from app.channels import intake
from app.channels.contract import Adapter, Batch, Capabilities, Incoming, Temporary
from app.channels.fetching import Fetching
from app.channels.models import Account
from app.clock import SystemClock
from app.config import Settings
from app.db import Database
from app.inbox.models import Conversation, Message, RawOriginal, Resident, ResidentAddress
from app.main import open_database
from app.residents.models import Clue
from app.sync.models import Change, FeedHead
from bench.figures import median, percentile, ratio
from bench.words import Writer
from bench.world import World
from tests.support import postgres

STORED = int(os.environ.get("STORED", "100000"))
"""Messages in the full database; 1,000,000 takes about half an hour to fill on both kinds."""

BATCH, BATCHES = 100, 10
"""What one fetch brings, and how many of those are timed in one run."""

A_CONVERSATION = 5
"""One message in five begins a conversation, the others go on in one."""

MESSAGE_CHARS = 600
ACCOUNTS = 200
AREA, TEAM, BOX = "WK001410", "noord", "box"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def run(world: World) -> None:
    """Measure everything of this part."""
    folder = world.folder / "channels"
    folder.mkdir()
    _intake(world, "SQLite", f"sqlite:///{folder / 'one.db'}", f"sqlite:///{folder / 'full.db'}")
    programs = postgres.programs()
    if programs is None:
        world.report.lacks("intake, PostgreSQL", "its server programs are not installed")
    else:
        cluster = postgres.Cluster(programs)
        try:
            one, full = (cluster.url(cluster.create()) for _ in range(2))
            _intake(world, "PostgreSQL", one, full)
        finally:
            cluster.stop()
    asyncio.run(_poll_round(world, folder))


def _open(url: str) -> Database:
    """Return an empty town with one mailbox."""
    migrate.upgrade(url)
    db = open_database(Settings(database_url=url))

    def people(session: Session) -> None:
        session.add(Area(code=AREA, name="Paddepoel", kind="WK"))
        session.add(Team(id=TEAM, name="Noord"))
        session.flush()
        session.add(TeamArea(team_id=TEAM, area=AREA))
        session.add(Account(id=BOX, kind="email", name="noord@x.example", team_id=TEAM, area=AREA))

    db.write_now(people)
    return db


@dataclass
class Street:
    """Residents who write: every fifth message is a new question, the rest go on in one."""

    writer: Writer
    name: str
    count: int = 0

    def write(self, count: int) -> list[Incoming]:
        """Return the next messages, as one fetch brings them."""
        now_ms = SystemClock().now_ms()
        found = []
        for _ in range(count):
            number, self.count = self.count, self.count + 1
            first = number - number % A_CONVERSATION
            said = self.writer.text(MESSAGE_CHARS)
            item = Incoming(
                external_id=f"<{self.name}-{number}@x.example>",
                address=f"{self.name}-{first}@x.example",
                sender_name=self.writer.name(),
                text=said,
                sent_at_ms=now_ms,
                subject="Vraag" if number == first else "Re: Vraag",
                raw=said.encode(),
            )
            if number != first:
                item = replace(item, in_reply_to=(f"<{self.name}-{number - 1}@x.example>",))
            found.append(item)
        return found


def _take(db: Database, items: list[Incoming]) -> None:
    ready = intake.prepare_all(items, max_bytes=1_000_000)
    db.write_now(
        lambda session: intake.take_all(
            session, session.get_one(Account, BOX), ready, now_ms=SystemClock().now_ms()
        )
    )


def _intake(world: World, kind: str, one_url: str, full_url: str) -> None:
    """Take mail in on a database with one message and on a full one, in turn."""
    one, full = _open(one_url), _open(full_url)
    try:
        _take(one, Street(Writer(5), "first").write(1))
        _fill(full, STORED)
        streets = {db.url: Street(Writer(6), f"run-{n}") for n, db in enumerate((one, full))}
        # The first round warms caches up; it is not counted.
        took: dict[str, list[float]] = {one.url: [], full.url: []}
        for turn in range(world.runs + 1):
            for db in (one, full):
                spent_s = _timed(db, [streets[db.url].write(BATCH) for _ in range(BATCHES)])
                if turn:
                    took[db.url].append(spent_s)
        stored = full.read_now(
            lambda session: session.exec(select(func.count(col(Message.id)))).one()
        )
        count = BATCH * BATCHES
        slower = ratio(took[full.url], took[one.url])
        per_s = {url: [count / spent_s for spent_s in all_s] for url, all_s in took.items()}
        world.report.figure(
            f"intake, {kind}, 1 stored message", median(per_s[one.url]), "messages/s",
            runs=per_s[one.url],
        )  # fmt: skip
        world.report.figure(
            f"intake, {kind}, {STORED} stored messages", median(per_s[full.url]), "messages/s",
            goal="takes ≤ 1.3 times as long as with 1", met=slower <= 1.3, times_as_long=slower,
            stored=stored, runs=per_s[full.url],
        )  # fmt: skip
    finally:
        one.close()
        full.close()


def _timed(db: Database, batches: list[list[Incoming]]) -> float:
    gc.collect()
    began_s = time.perf_counter()
    for batch in batches:
        _take(db, batch)
    return time.perf_counter() - began_s


_COPIED: tuple[type[SQLModel], ...] = (
    *(Resident, ResidentAddress, Conversation, Message, RawOriginal, Clue, Change),
)


def _fill(db: Database, count: int) -> None:
    """Store so many messages: a few thousand taken in, then their rows again under other ids.

    The database itself keeps its search index and its keys at every row; only the program's own
    work is not repeated.
    """
    taught = min(count, 2_000)
    street = Street(Writer(7), "fill")
    for _ in range(taught // BATCH):
        _take(db, street.write(BATCH))
    with Session(db.engine) as session:
        rows = {
            table: [
                dict(row._mapping) for row in session.execute(select(*inspect(table).local_table.c))
            ]
            for table in _COPIED
        }
    seq = db.read_now(lambda session: session.get_one(FeedHead, 1).seq)
    numbers = len(rows[Conversation])
    for copy in range(1, count // taught):
        with Session(db.engine) as session:
            for table in _COPIED:
                again = [_again(table, row, copy, numbers) for row in rows[table]]
                if table is Change:
                    again = [row for row in again if row["conversation_id"]]
                    for row in again:
                        seq += 1
                        row["seq"] = seq
                session.execute(insert(inspect(table).local_table), again)
            head = session.get_one(FeedHead, 1)
            head.seq, head.number = seq, (copy + 1) * numbers
            session.commit()
    with db.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))


def _again(table: type[SQLModel], row: dict[str, Any], copy: int, numbers: int) -> dict[str, Any]:
    """Return a row of the same shape that belongs to another resident."""

    def other(value: Any) -> Any:
        if isinstance(value, str):
            return _UUID.sub(lambda found: f"{found[0][:-6]}{copy:06x}", value)
        return value

    made = {name: other(value) for name, value in row.items()}
    for name in ("external_id", "address"):
        if made.get(name):
            made[name] = f"{copy}-{made[name]}"
    if table is Conversation:
        made["number"] = row["number"] + copy * numbers
        made["token"] = f"{copy:x}-{row['token']}"[:24]
        made["last_seq"] = 0
    return made


class Polled:
    """A source that asks a peer over a connection of its own and brings one message."""

    capabilities = Capabilities(max_chars=1000)

    def __init__(self, port: int, account: str) -> None:
        self._port = port
        self._account = account

    def new_external_id(self, delivery_id: str) -> str:
        """Return the delivery's own id."""
        return delivery_id

    async def check(self) -> None:
        """Do nothing: there is no account."""

    async def close(self) -> None:
        """Do nothing: each question has a connection of its own."""

    async def fetch(self, cursor: str | None) -> Batch:
        """See Source."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            raise Temporary("no_answer") from None
        try:
            writer.write(f"{self._account}\n".encode())
            said = (await reader.readline()).decode().strip()
        finally:
            writer.close()
        now_ms = SystemClock().now_ms()
        return Batch((Incoming(f"{said}-1", f"{said}@x", said, said, now_ms),), "1")


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    name = (await reader.readline()).decode().strip()
    with contextlib.suppress(ConnectionError):
        if name.startswith("hangs"):
            await reader.read()  # until the caller gives up
        else:
            writer.write(f"{name}\n".encode())
            await writer.drain()
        writer.close()


async def _poll_round(world: World, folder: Path) -> None:
    """Fetch 200 accounts for the first time, with and without one peer that never answers."""
    peer = await asyncio.start_server(_answer, "127.0.0.1", 0)
    port = peer.sockets[0].getsockname()[1]
    well: list[list[float]] = []
    hung: list[list[float]] = []
    try:
        for turn in range(world.runs + 1):
            for into, first in ((well, "a"), (hung, "hangs")):
                took = await _round(folder / f"poll-{turn}-{first}.db", port, first)
                if turn:
                    into.append(took)
    finally:
        peer.close()
    later = [max(with_it) - max(without) for with_it, without in zip(hung, well, strict=True)]
    world.report.figure(
        "poll round of 200 accounts, the last", median(max(took) for took in well), "s",
        p50=median(percentile(took, 50) for took in well),
    )  # fmt: skip
    world.report.figure(
        "poll round, one peer hangs: the others later by", max(0.0, median(later)), "s",
        goal="≤ 1 s", met=max(later) <= 1.0, worst=max(later), runs=later,
    )  # fmt: skip


async def _round(path: Path, port: int, first: str) -> list[float]:
    """Return when each account but a hanging one had its message stored, in seconds."""
    db = _open(f"sqlite:///{path}")
    names = [f"{first}-0", *(f"a-{number}" for number in range(1, ACCOUNTS))]

    def add(session: Session) -> None:
        session.get_one(Account, BOX).enabled = False
        for name in names:
            session.add(Account(id=name, kind="rss", name=name, team_id=TEAM, area=AREA))

    db.write_now(add)

    def opens(account: Account) -> Adapter | None:
        return Polled(port, account.id) if account.id in names else None

    stored: dict[str, float] = {}
    done = asyncio.Event()
    began_s = time.perf_counter()
    wanted = [name for name in names if not name.startswith("hangs")]

    class Timed(Fetching):
        """The same, with a note of when each batch was stored."""

        async def take(self, account_id: str, batch: Batch, *, slow: bool = False) -> None:
            await super().take(account_id, batch, slow=slow)
            stored.setdefault(account_id, time.perf_counter() - began_s)
            if len(stored) == len(wanted):
                done.set()

    fetching = Timed(db, SystemClock(), opens, max_bytes=1_000_000)
    with _running(fetching) as task:
        async with asyncio.timeout(120):
            await done.wait()
    await asyncio.gather(task, return_exceptions=True)
    db.close()
    return [stored[name] for name in wanted]


@contextlib.contextmanager
def _running(fetching: Fetching) -> Iterator["asyncio.Task[None]"]:
    task = asyncio.create_task(fetching.run())
    try:
        yield task
    finally:
        task.cancel()
