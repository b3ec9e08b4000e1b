"""What is long over leaves the feed: a new phone gets the rota of now, not that of years."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from app.db import touch
from app.oncall.models import Absence, Shift

KEEP_MS = 31 * 24 * 3600 * 1000
BATCH = 500


def file_away(session: Session, now_ms: int) -> int:
    """Take shifts and absences out of the feed that ended a month ago; return how many."""
    before_ms = now_ms - KEEP_MS
    shifts = select(Shift).where(Shift.ends_at_ms < before_ms, col(Shift.filed_at_ms).is_(None))
    absences = select(Absence).where(
        Absence.ends_at_ms < before_ms, col(Absence.filed_at_ms).is_(None)
    )
    return _file(
        session,
        "shift",
        session.exec(shifts.order_by(col(Shift.id)).limit(BATCH).with_for_update()).all(),
        now_ms,
    ) + _file(
        session,
        "absence",
        session.exec(absences.order_by(col(Absence.id)).limit(BATCH).with_for_update()).all(),
        now_ms,
    )


def _file(session: Session, kind: str, entries: Sequence[Shift | Absence], now_ms: int) -> int:
    for entry in entries:
        entry.filed_at_ms = now_ms
        session.add(entry)
        touch(session, kind, entry.id)
    session.flush()
    return len(entries)
