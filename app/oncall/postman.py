"""Sends what escalates by mail and SMS: leased, marked as tried before the first byte, never twice.

Whoever finds a lapsed lease knows that it may be out. A mail is looked for in the mailbox, where
each leaves a copy; an SMS cannot be looked for. What cannot be found stays uncertain, is told so,
and the escalation goes on by its own clock.
"""

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from sqlmodel import Session, and_, col, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from app.clock import Clock
from app.db import Database, touch
from app.ids import uuid7
from app.inbox.models import Conversation
from app.oncall import steps
from app.oncall.models import Alert, AlertStep, Dispatch
from app.oncall.outside import Letter, NotSent, Unknown, Ways
from app.rounds import Woken

log = logging.getLogger(__name__)

LEASE_MS = 120_000
"""Longer than any way's own time limit for one letter."""

BATCH = 20
LOOK_AGAIN_MS = (10_000, 30_000, 120_000, 600_000)
"""When an uncertain mail is looked for again; its copy may take minutes."""


@dataclass(frozen=True, slots=True)
class Job:
    """One leased letter."""

    letter: Letter
    way: str
    state: str
    tried: bool
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a letter: the state it goes to, and when to come back to it."""

    state: str
    error: str | None = None
    retry_ms: int | None = None
    tried: bool = True


class Postman(Woken):
    """Sends the letters that are due."""

    looks_for = "sending letters"

    def __init__(self, db: Database, clock: Clock, ways: Ways) -> None:
        super().__init__()
        self._db = db
        self._clock = clock
        self._ways = ways
        self._name = uuid7()

    async def once(self) -> int:
        """Send what is due now; return how many there were."""
        now_ms = self._clock.now_ms()
        if not await self._db.read(lambda session: session.exec(_due(now_ms).limit(1)).first()):
            return 0
        jobs = await self._db.write(self._lease)
        await asyncio.gather(*(self._carry(job) for job in jobs))
        return len(jobs)

    def _lease(self, session: Session) -> list[Job]:
        now_ms = self._clock.now_ms()
        jobs = []
        query = _due(now_ms).order_by(col(Dispatch.due_at_ms), col(Dispatch.id)).limit(BATCH)
        for found in session.exec(query.with_for_update(skip_locked=True)).all():
            jobs.append(_job(found))
            found.tried = True
            if found.state == "queued":
                found.state = "sending"
            found.leased_until_ms, found.leased_by = now_ms + LEASE_MS, self._name
            session.add(found)
        return jobs

    async def _carry(self, job: Job) -> None:
        try:
            outcome = await self._try(job)
        except Exception as error:  # noqa: BLE001  (one letter's fault stops no other)
            log.error("letter %s: %s", job.letter.id, type(error).__name__)  # noqa: TRY400
            outcome = _uncertain(job, "internal")
        await self._db.write(partial(self._settle, job, outcome))

    async def _try(self, job: Job) -> Outcome:
        way = self._ways.get(job.way)
        if way is None:
            return _uncertain(job, "no_way") if job.tried else Outcome("failed", "no_way")
        if job.tried:
            # An earlier try may have taken effect: a lapsed lease, or an answer that was lost.
            try:
                found = await way.find(job.letter)
            except NotSent as error:
                return _uncertain(job, error.code)
            return (
                Outcome("sent") if found else _uncertain(job, "unconfirmed", again=found is False)
            )
        try:
            await way.send(job.letter)
        except NotSent as error:
            if error.retry_after_s is None:
                return Outcome("failed", error.code)
            return Outcome("queued", error.code, int(error.retry_after_s * 1000), tried=False)
        except Unknown as error:
            return _uncertain(job, error.code)
        return Outcome("sent")

    def _settle(self, job: Job, outcome: Outcome, session: Session) -> None:
        now_ms = self._clock.now_ms()
        alert, step = _locked(session, job.letter.id)
        found = session.get(Dispatch, job.letter.id, with_for_update=True, populate_existing=True)
        if found is None or found.leased_by != self._name:
            # The lease lapsed and somebody else looked after it, or the conversation was erased.
            return
        late = outcome.retry_ms is not None and now_ms + outcome.retry_ms > found.expires_at_ms
        state = outcome.state
        if state == "queued" and (late or (alert is not None and alert.state != "open")):
            state = "failed" if late else "cancelled"
        found.state, found.error, found.tried = state, outcome.error, outcome.tried
        found.attempts += 1
        found.leased_until_ms = found.leased_by = None
        found.due_at_ms = now_ms + (outcome.retry_ms or 0)
        if outcome.retry_ms is None:
            found.due_at_ms = found.expires_at_ms
        session.add(found)
        if alert is None or step is None or state == "queued" or step.outcome == state:
            return
        step.outcome = state
        session.add(step)
        steps.came_out(session, alert, step.number, failed=state == "failed", now_ms=now_ms)
        session.flush()
        touch(session, "conversation", alert.conversation_id)


def _uncertain(job: Job, code: str, *, again: bool = True) -> Outcome:
    """It may be out. Only what can be looked for is come back to."""
    looked = job.attempts if job.state == "uncertain" else 0
    if not again or looked >= len(LOOK_AGAIN_MS):
        return Outcome("uncertain", code)
    return Outcome("uncertain", code, LOOK_AGAIN_MS[looked])


def _locked(session: Session, letter_id: str) -> tuple[Alert | None, AlertStep | None]:
    """Return the alert and step of a letter, locked in the order in which everybody locks them."""
    found = session.exec(
        select(AlertStep, Alert)
        .join(Dispatch, col(Dispatch.step_id) == col(AlertStep.id))
        .join(Alert, col(Alert.id) == col(AlertStep.alert_id))
        .where(Dispatch.id == letter_id)
    ).first()
    if found is None:
        return None, None
    step, alert = found
    mine = select(Conversation.id).where(Conversation.id == alert.conversation_id)
    session.exec(mine.with_for_update()).first()
    session.refresh(alert, with_for_update=True)
    session.refresh(step)
    return alert, step


def _due(now_ms: int) -> SelectOfScalar[Dispatch]:
    lapsed = or_(col(Dispatch.leased_until_ms).is_(None), col(Dispatch.leased_until_ms) < now_ms)
    return select(Dispatch).where(
        Dispatch.due_at_ms <= now_ms,
        or_(
            Dispatch.state == "queued",
            and_(col(Dispatch.state).in_(["sending", "uncertain"]), lapsed),
        ),
        or_(Dispatch.state != "uncertain", Dispatch.due_at_ms < Dispatch.expires_at_ms),
    )


def _job(found: Dispatch) -> Job:
    return Job(
        Letter(
            id=found.id,
            account_id=found.account_id,
            external_id=found.external_id,
            recipient=found.recipient,
            subject=found.subject,
            text=found.text,
            created_at_ms=found.created_at_ms,
        ),
        way=found.way,
        state=found.state,
        tried=found.tried,
        attempts=found.attempts,
    )
