"""Photos that were sent up and that no message took.

A reply may wait long on a phone: held, in a tunnel, on a shelf. So an upload is kept for weeks, and
its phone offers it again when it has not done so for days (`OFFER_AGAIN_MS` in
`static/js/outbox.js`): that renews the time here, or has the photo sent anew. Nothing that a
message has is ever touched.
"""

from sqlmodel import Session, col, delete, select

from app.inbox.models import Attachment
from app.rounds import Rounds

KEPT_MS = 30 * 24 * 3600 * 1000
"""Far beyond the days after which a phone offers a photo again."""

BATCH = 100


def clear(session: Session, *, now_ms: int) -> int:
    """Delete uploads that nobody offered for a month and no message has; return how many."""
    unused = (
        col(Attachment.message_id).is_(None),
        col(Attachment.created_at_ms) < now_ms - KEPT_MS,
    )
    ids = session.exec(select(Attachment.id).where(*unused).limit(BATCH)).all()
    if not ids:
        return 0
    # Asked again: a message that took one meanwhile keeps it. The bytes go along (cascade).
    gone = session.execute(
        delete(Attachment).where(col(Attachment.id).in_(ids), *unused).returning(col(Attachment.id))
    )
    return len(gone.all())


class Leftovers(Rounds):
    """Looks now and then for uploads that nobody needs."""

    every_s = 3600.0
    looks_for = "clearing unused uploads"

    async def once(self) -> int:
        """Clear all that is unused now; how many."""
        total = 0
        while gone := await self._db.write(
            lambda session: clear(session, now_ms=self._clock.now_ms())
        ):
            total += gone
        return total
