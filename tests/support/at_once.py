"""Two transactions of which the second begins before the first is committed."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import text
from sqlmodel import Session

from app.db import Database

T = TypeVar("T")
PATIENCE_S = 60.0
_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def at_once(
    db: Database, first: Callable[[Session], T], second: Callable[[Session], T]
) -> tuple[T, T]:
    """Do both on PostgreSQL, the second while the first is not committed yet; return what they did.

    The first is committed as soon as the second waits for it, or is through. Raises what either
    raised.
    """
    ends_s = time.monotonic() + PATIENCE_S
    other: list[Future[T]] = []

    def while_another_comes(session: Session) -> T:
        done = first(session)
        session.flush()
        other.append(pool.submit(db.write_now, second))
        while not other[0].done() and time.monotonic() < ends_s:
            if db.read_now(lambda session: session.execute(_WAITING).scalar_one()):
                break
            time.sleep(0.01)
        return done

    with ThreadPoolExecutor(1) as pool:
        done = db.write_now(while_another_comes)
        return done, other[0].result(timeout=PATIENCE_S)
