"""One batch stored, with a way round the one message in it that no database takes."""

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import Session

from app.channels.contract import Gap
from app.channels.intake import Prepared, Ready
from app.db import Database

log = logging.getLogger(__name__)

MINUTE_MS = 60_000


async def store(
    db: Database,
    ready: Sequence[Ready],
    take_some: Callable[[Session, Sequence[Ready]], None],
    finish: Callable[[Session, Gap | None], None],
    now_ms: int,
) -> None:
    """Store what came and `finish` (the cursor) in one transaction.

    When that fails and it is one item that nothing can be done with, the others come in without it,
    and where it is missing is said: else it would come first again for ever, and all behind it stay
    out. That others can be stored proves that it is the item. Nothing is given up when none can, or
    when the database is away.
    """

    def whole(session: Session) -> None:
        take_some(session, ready)
        finish(session, None)

    try:
        await db.write(whole)
    except Exception as error:
        if len(ready) < 2 or not _is_of_an_item(error):
            raise
        why = error
    else:
        return
    lost: list[Ready] = []
    for item in ready:
        try:
            await db.write(partial(_alone, take_some, item))
        except Exception as error:
            if not _is_of_an_item(error):
                raise
            log.error("a message could not be stored: %s", type(error).__name__)  # noqa: TRY400
            lost.append(item)
    if len(lost) == len(ready):
        raise why
    await db.write(lambda session: finish(session, _missing(lost, now_ms)))


def _is_of_an_item(error: Exception) -> bool:
    """Say whether an error may come from what was to be stored, and not from where."""
    if isinstance(error, OperationalError | InterfaceError):
        # PostgreSQL, class 54: a limit of the program, as of what an index can hold.
        return str(getattr(error.orig, "sqlstate", None) or "").startswith("54")
    return True


def _missing(lost: Iterable[Ready], now_ms: int) -> Gap | None:
    """Return when what could not be stored was written, for who looks there."""
    instants = [
        min(max(item.item.sent_at_ms, 0), now_ms) for item in lost if isinstance(item, Prepared)
    ]
    if not instants:
        return None
    return Gap(min(instants) // MINUTE_MS * MINUTE_MS, max(instants) + MINUTE_MS)


def _alone(
    take_some: Callable[[Session, Sequence[Ready]], None], item: Ready, session: Session
) -> None:
    take_some(session, [item])
