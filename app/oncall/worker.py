"""Takes the steps of alerts when they are due: timers are rows, so a restart forgets none.

Each alert's step is one transaction of its own. Any number of workers may run on PostgreSQL: who
comes second finds the conversation locked, or the step taken.
"""

import logging
from functools import partial

from sqlmodel import Session, col, select

from app.clock import Clock
from app.db import Database
from app.oncall import filing, steps, unreachable
from app.oncall.models import Alert, Snooze
from app.oncall.steps import Means
from app.rounds import Woken

log = logging.getLogger(__name__)

BATCH = 50
LOOK_ROUND_MS = 30_000
"""How often it is looked whether whoever is on call can be woken."""

FILE_MS = 3600 * 1000
"""How often what is long over is taken out of the feed."""


class EscalationWorker(Woken):
    """Wakes one person after another until somebody has seen it."""

    looks_for = "escalating"

    def __init__(self, db: Database, clock: Clock, means: Means) -> None:
        super().__init__()
        self._db = db
        self._clock = clock
        self._means = means
        self._looked_round_at_ms = 0
        self._filed_at_ms = clock.now_ms()

    async def once(self) -> int:
        """Take every step that is due now; return how many were taken."""
        now_ms = self._clock.now_ms()
        due, snoozed = await self._db.read(partial(_due, now_ms=now_ms))
        taken = 0
        for conversation_id in due:
            step = partial(self._advance, conversation_id=conversation_id)
            taken += await self._try(step, conversation_id)
        for conversation_id, alert_id, person_id in snoozed:
            again = partial(
                self._wake_again,
                conversation_id=conversation_id,
                alert_id=alert_id,
                person_id=person_id,
            )
            taken += await self._try(again, conversation_id)
        if now_ms >= self._looked_round_at_ms + LOOK_ROUND_MS:
            self._looked_round_at_ms = now_ms
            await self._look_round(now_ms)
        if now_ms >= self._filed_at_ms + FILE_MS:
            self._filed_at_ms = now_ms
            await self._db.write(partial(filing.file_away, now_ms=now_ms))
        return taken

    async def _try(self, step: "partial[bool]", conversation_id: str) -> bool:
        try:
            return await self._db.write(step)
        except Exception as error:  # noqa: BLE001  (one alert's fault holds up no other)
            log.error("alert of %s: %s", conversation_id, type(error).__name__)  # noqa: TRY400
            return False

    def _advance(self, session: Session, *, conversation_id: str) -> bool:
        return steps.advance(session, self._means, conversation_id, self._clock.now_ms())

    def _wake_again(
        self, session: Session, *, conversation_id: str, alert_id: str, person_id: str
    ) -> bool:
        now_ms = self._clock.now_ms()
        return steps.wake_again(session, self._means, conversation_id, alert_id, person_id, now_ms)

    async def _look_round(self, now_ms: int) -> None:
        for shift_id in await self._db.read(partial(unreachable.unwarned, now_ms=now_ms)):
            tell = partial(unreachable.tell, means=self._means, shift_id=shift_id, now_ms=now_ms)
            await self._db.write(tell)


def _due(session: Session, *, now_ms: int) -> tuple[list[str], list[tuple[str, str, str]]]:
    alerts = (
        select(Alert.conversation_id)
        .where(
            # Not "other than closed": an index is of no use for that.
            col(Alert.state).in_(["open", "acknowledged"]),
            col(Alert.next_step_at_ms) <= now_ms,
        )
        .order_by(col(Alert.next_step_at_ms), col(Alert.id))
    )
    snoozes = (
        select(Alert.conversation_id, Alert.id, Snooze.person_id)
        .join(Alert, col(Alert.id) == col(Snooze.alert_id))
        .where(Snooze.due_at_ms <= now_ms)
        .order_by(col(Snooze.due_at_ms), col(Snooze.person_id))
    )
    return (
        list(session.exec(alerts.limit(BATCH))),
        [(one, alert, person) for one, alert, person in session.exec(snoozes.limit(BATCH))],
    )
