"""The database: one transaction a request, committed only here.

Services take a session and never commit. What they change they mark with `touch`, so that the
feed can write its newest state just before the commit; rows that come in numbers they hand to
`insert_later`.

SQLite has one writer: all writes run on one thread, first come first served, which is fairer and
faster than many connections that wait for the file's lock. Reads run beside them (write-ahead
log).
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import Session, SQLModel

T = TypeVar("T")
Hook = Callable[[Session], object]
Listener = Callable[[dict[str, Any]], None]

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 15
"""How long a write waits for another process (a command line) that is writing."""

FEED, WORK = "stoep", "stoep_work"
"""What PostgreSQL tells every process: how far the feed has come, what a worker has to do."""

WORK_TO_DO = ("pushes", "alerts", "letters")
"""Marks in `session.info` that a worker is waiting for."""

ATTEMPTS = 4
"""How often a transaction is tried that lost to a concurrent one."""


def wait_for_turn(session: Session, turn: int) -> None:
    """Wait until no other transaction has this turn, and keep it to the end of ours.

    For what is looked up before it is written, and of which there may be only one. Call it before
    anything else is locked. SQLite writes one at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": turn})


def touch(session: Session, kind: str, entity_id: str) -> None:
    """Mark an entity as changed in this transaction; the feed publishes it at commit.

    `kind` is one of conversation, message, read, area, team, person, account, template, shift,
    absence, meeting, meetingq (a question asked there), meetingp (a promise), same (a pair of
    residents who may be one).
    """
    marks = session.info.setdefault("touched", {})
    marks[(kind, entity_id)] = marks.get((kind, entity_id), 0) + 1


def leave(session: Session, conversation_id: str, scope: str) -> None:
    """Mark a conversation as gone from a scope: who sees only that scope is told to drop it."""
    session.info.setdefault("departures", []).append((conversation_id, scope))


def touched(session: Session) -> dict[tuple[str, str], int]:
    """Return what was touched, in order, and how often; and forget it: for the feed."""
    return session.info.pop("touched", {}) or {}


def departures(session: Session) -> list[tuple[str, str]]:
    """Return which conversation left which scope, and forget it: for the feed."""
    return session.info.pop("departures", []) or []


def insert_later(session: Session, table: type[SQLModel], row: dict[str, Any]) -> None:
    """Insert this row together with its like before the commit (or at `flush_rows`).

    Every row of a table must carry the same columns. A statement for many rows costs a fraction of
    as many objects.
    """
    session.info.setdefault("rows", {}).setdefault(table, []).append(row)


def waiting_rows(session: Session, table: type[SQLModel]) -> list[dict[str, Any]]:
    """Return the rows of a table that `flush_rows` would write now."""
    return list(session.info.get("rows", {}).get(table, ()))


def flush_rows(session: Session) -> None:
    """Write what `insert_later` has gathered; of the tables, the one named first goes first."""
    session.flush()
    for table, rows in session.info.pop("rows", {}).items():
        # Into the table, not the class: nobody asks for these as objects, so none are prepared.
        session.execute(insert(inspect(table).local_table), rows)


class Database:
    """A SQLite file or a PostgreSQL database behind the same few calls."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.before_commit: list[Hook] = []
        self.after_commit: list[Listener] = []
        if self.is_sqlite:
            path = Path(url.removeprefix("sqlite:///"))
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = _sqlite_engine(url, "BEGIN IMMEDIATE", pool_size=1)
            self._reader = _sqlite_engine(url, "BEGIN", pool_size=5)
        else:
            # An error that is logged must not carry a resident's words: no parameters in it.
            self._writer = create_engine(url, pool_size=8, pool_pre_ping=True, hide_parameters=True)
            self._reader = create_engine(
                url,
                pool_size=8,
                pool_pre_ping=True,
                hide_parameters=True,
                isolation_level="REPEATABLE READ",
            )
        self._write_pool = ThreadPoolExecutor(1 if self.is_sqlite else 8, "write")
        self._read_pool = ThreadPoolExecutor(5, "read")
        self._quick = threading.local()

    @property
    def engine(self) -> Engine:
        """The engine that writes; for migrations and the command line."""
        return self._writer

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in one transaction on a writing thread and commit it.

        Whatever `work` raises rolls everything back. A transaction that lost to a concurrent one
        (deadlock, unique key) is run again from the start, so `work` must touch only the session.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._write_pool, self.write_now, work
        )

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` on a reading thread; it sees one state of the database throughout."""
        return await asyncio.get_running_loop().run_in_executor(
            self._read_pool, self.read_now, work
        )

    def write_now(self, work: Callable[[Session], T]) -> T:
        """Do what `write` does on this thread: for the command line."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._write_once(work)
            except (IntegrityError, OperationalError) as error:
                if attempt == ATTEMPTS or not _lost_a_race(error):
                    raise
                log.info("transaction lost to a concurrent one, attempt %d", attempt)
        raise AssertionError("unreachable")

    def _write_once(self, work: Callable[[Session], T]) -> T:
        with Session(self._writer, expire_on_commit=False) as session:
            result = work(session)
            flush_rows(session)
            for hook in self.before_commit:
                hook(session)
            self._tell_workers(session)
            session.commit()
            news = dict(session.info)
        for listener in self.after_commit:
            listener(news)
        return result

    def _tell_workers(self, session: Session) -> None:
        """Wake workers in other processes with the commit; SQLite has no way to, they look often.

        Our own hear of it by `after_commit`.
        """
        what = [mark for mark in WORK_TO_DO if session.info.get(mark)]
        if what and not self.is_sqlite:
            said = {"channel": WORK, "what": " ".join(what)}
            session.execute(text("SELECT pg_notify(:channel, :what)"), said)

    def read_now(self, work: Callable[[Session], T]) -> T:
        """Do what `read` does on this thread."""
        with Session(self._reader) as session:
            return work(session)

    async def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Return the rows of one short SELECT with `:named` parameters.

        For the few queries of the busiest requests: on SQLite it runs right here, in microseconds,
        without a thread or a session. The SQL is a constant of the program, never put together.
        """
        if self.is_sqlite:
            return self._quick_connection().execute(sql, params).fetchall()
        return await asyncio.get_running_loop().run_in_executor(
            self._read_pool, self._all_pooled, sql, params
        )

    def _all_pooled(self, sql: str, params: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        with self._reader.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql), params)]

    def _quick_connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._quick, "connection", None)
        if connection is None:
            path = self.url.removeprefix("sqlite:///")
            connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
            connection.execute("PRAGMA query_only = ON")
            self._quick.connection = connection
        return connection

    async def listen(self, heard: Mapping[str, Callable[[str], None]]) -> None:
        """Hear from PostgreSQL of commits in any process, until cancelled; reconnects by itself.

        `heard` says by channel (`FEED`, `WORK`) what is called with what was told.
        """
        import psycopg  # nine megabytes that SQLite does without
        from psycopg.sql import SQL, Identifier

        address = self.url.replace("postgresql+psycopg://", "postgresql://", 1)
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(address, autocommit=True)
                async with connection:
                    for channel in heard:
                        await connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
                    async for notice in connection.notifies():
                        heard[notice.channel](notice.payload)
            except psycopg.Error as error:
                log.warning("listening for commits failed: %s", type(error).__name__)
                await asyncio.sleep(1)

    def close(self) -> None:
        """Let go of every connection and thread."""
        self._write_pool.shutdown(wait=True)
        self._read_pool.shutdown(wait=True)
        quick: sqlite3.Connection | None = getattr(self._quick, "connection", None)
        if quick is not None:
            quick.close()
            self._quick.connection = None
        self._writer.dispose()
        self._reader.dispose()


def _sqlite_engine(url: str, begin: str, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0 if pool_size == 1 else 10,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_S},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        # The driver would begin transactions by its own rules; we say BEGIN ourselves.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _lost_a_race(error: IntegrityError | OperationalError) -> bool:
    """Say whether running the transaction again can help: another one was faster."""
    if isinstance(error, IntegrityError):
        return True
    # PostgreSQL: 40001 serialization failure, 40P01 deadlock.
    return getattr(error.orig, "sqlstate", None) in {"40001", "40P01"}
