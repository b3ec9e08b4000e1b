"""Sends what is queued: takes due pushes on a lease, encrypts, posts, and writes down the answers.

A push may arrive twice: when the answer of the push service was lost, or when a worker died after
it had posted, it is posted again. The message would otherwise be lost exactly when it matters, and
a repeat does no harm: it has the same topic and the same notification tag, so that it replaces the
first one, at the push service and on the screen. (Replies to residents are another matter: see
`app/delivery`.)

On SQLite one process leases; on PostgreSQL any number do (`SKIP LOCKED`).
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, String, cast
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select, update

from app.accounts.models import Person
from app.clock import Clock
from app.config import Settings
from app.db import Database
from app.errors import BadRequest
from app.ids import uuid7
from app.push import care, endpoints, payload
from app.push.answers import Outcome, backoff_ms, judge
from app.push.connections import Connections, Unreachable
from app.push.models import Push, PushSubscription
from app.push.sealing import seal
from app.push.service import live_among
from app.push.states import leading_to
from app.push.vapid import Signer
from app.rounds import Woken

log = logging.getLogger(__name__)

LEASE_MS = 60_000
LEASE_MARGIN_S = 35
"""What is left of a lease when no more sends are begun on it: longer than one takes."""

BATCH = 500
MOST_IN_FLIGHT = 2_000
LANES = 16
"""Sends at a time to one push service out of one batch."""

IDLE_S = 1.0
SETTLE_S = 0.25
"""Answers are written down this often, so that one slow push service holds up no other."""

CARE_MS = 30_000
FAILURES_TO_PAUSE = 8
PAUSE_S = 10.0
"""A push service that answered nobody so often in a row is left alone for a moment."""

OnCall = Callable[[Session, str, int], bool]
"""Says whether a person is on call at an instant."""

_DUE = (
    "SELECT 1 FROM push WHERE (state = 'queued' AND due_at_ms <= :now_ms)"
    " OR (state = 'sending' AND leased_until_ms < :now_ms) LIMIT 1"
)


_COLUMNS: tuple[Any, ...] = (
    Push.id,
    Push.subscription_id,
    Push.kind,
    Push.conversation_id,
    Push.topic,
    Push.urgency,
    cast(Push.payload, String),
    Push.expires_at_ms,
    Push.attempts,
    PushSubscription.endpoint,
    PushSubscription.p256dh,
    PushSubscription.auth,
    Person.language,
)


class Job(NamedTuple):
    """One leased push with all that sending it takes; its fields are `_COLUMNS`."""

    push_id: str
    subscription_id: str
    kind: str
    conversation_id: str | None
    topic: str | None
    urgency: str
    words: str
    expires_at_ms: int
    attempts: int
    endpoint: str
    p256dh: str
    auth: str
    language: str


class Letter(NamedTuple):
    """A push as it is posted."""

    job: Job
    path: str
    headers: str
    body: bytes


@dataclass(slots=True)
class _Queue:
    """What one batch has for one push service."""

    jobs: deque[Job] = field(default_factory=deque)
    letters: deque[Letter] = field(default_factory=deque)


Done = list[tuple[Job, Outcome]]


class PushWorker(Woken):
    """Sends what is due, and looks after the subscriptions.

    `on_call` says who may also be tested in the night.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        settings: Settings,
        *,
        connections: Connections | None = None,
        on_call: OnCall | None = None,
    ) -> None:
        super().__init__()
        self._db = db
        self._clock = clock
        self._settings = settings
        self._connections = connections or Connections()
        self._on_call = on_call
        self._signer = Signer(settings)
        self._composer = payload.Composer(settings)
        self._name = uuid7()
        self._in_flight = 0
        self._cared_at_ms = 0
        self._services: dict[str, _Service] = defaultdict(_Service)

    async def run(self) -> None:
        """Work until cancelled. What is leased then is sent again by the next worker."""
        carrying: set[asyncio.Task[None]] = set()
        try:
            while True:
                try:
                    await self._care()
                    jobs = await self._take(min(BATCH, MOST_IN_FLIGHT - self._in_flight))
                except Exception as error:  # noqa: BLE001 - the database may be back in a moment
                    # Not the traceback: a database's message can quote a row.
                    log.error("taking pushes failed: %s", type(error).__name__)  # noqa: TRY400
                    jobs = []
                if jobs:
                    task = asyncio.create_task(self._carry(jobs))
                    carrying.add(task)
                    task.add_done_callback(carrying.discard)
                    continue
                await self.rest(IDLE_S)
        finally:
            for task in carrying:
                task.cancel()
            await asyncio.gather(*carrying, return_exceptions=True)
            await self._connections.close()

    async def once(self) -> int:
        """Take and carry out what is due now; return how many there were."""
        await self._care()
        jobs = await self._take(BATCH)
        await self._carry(jobs)
        return len(jobs)

    async def close(self) -> None:
        """Let go of the connections; `run` does so by itself."""
        await self._connections.close()

    async def _care(self) -> None:
        now_ms = self._clock.now_ms()
        if now_ms - self._cared_at_ms >= CARE_MS:
            self._cared_at_ms = now_ms
            await self._db.write(
                partial(
                    care.look_after, settings=self._settings, on_call=self._on_call, now_ms=now_ms
                )
            )

    async def _take(self, most: int) -> list[Job]:
        # Looked up first: a write transaction each second would be one for nothing.
        if most <= 0 or not await self._db.all(_DUE, {"now_ms": self._clock.now_ms()}):
            return []
        return await self._db.write(partial(self._lease, most))

    def _lease(self, most: int, session: Session) -> list[Job]:
        now_ms = self._clock.now_ms()
        found: list[Job] = []
        lapsed = (col(Push.state) == "sending", col(Push.leased_until_ms) < now_ms)
        for condition in (
            lapsed,
            *(
                (
                    col(Push.state) == "queued",
                    col(Push.urgency) == urgency,
                    col(Push.due_at_ms) <= now_ms,
                )
                for urgency in ("high", "normal", "low")
            ),
        ):
            if len(found) < most:
                found += _due(session, condition, most - len(found))
        # Looked at again as it leaves: the device may have been signed out or taken away meanwhile.
        live = live_among(session, (job.subscription_id for job in found), now_ms=now_ms)
        _finish(session, [job for job in found if job.subscription_id not in live], "gone", "gone")
        alive = [job for job in found if job.subscription_id in live]
        _finish(session, [j for j in alive if j.expires_at_ms <= now_ms], "expired", "expired")
        jobs = [job for job in alive if job.expires_at_ms > now_ms]
        if jobs:
            session.exec(
                update(Push)
                .where(col(Push.id).in_([job.push_id for job in jobs]))
                .values(
                    state="sending",
                    attempts=Push.attempts + 1,
                    leased_until_ms=now_ms + LEASE_MS,
                    leased_by=self._name,
                )
                .execution_options(synchronize_session=False)
            )
        return jobs

    async def _carry(self, jobs: Sequence[Job]) -> None:
        """Send a batch, push services side by side, and write the answers down as they come."""
        if not jobs:
            return
        self._in_flight += len(jobs)
        asked_at_ms = self._clock.now_ms()
        until_s = asyncio.get_running_loop().time() + LEASE_MS / 1000 - LEASE_MARGIN_S
        queues: dict[str, _Queue] = defaultdict(_Queue)
        done: Done = []
        for job in jobs:
            try:
                origin = endpoints.origin(job.endpoint, self._settings.push_services)
            except BadRequest:
                # The setting no longer names it.
                done.append((job, Outcome("failed", "not_allowed")))
            else:
                queues[origin].jobs.append(job)
        lanes = {
            asyncio.create_task(self._send_in_turn(origin, queue, done, until_s))
            for origin, queue in queues.items()
            for _ in range(min(LANES, len(queue.jobs)))
        }
        try:
            while lanes or done:
                if lanes:
                    _, lanes = await asyncio.wait(lanes, timeout=SETTLE_S)
                batch, done[:] = done[:], []
                if batch:
                    await self._db.write(partial(self._settle, batch, asked_at_ms))
        except Exception as error:  # noqa: BLE001 - what was not written down is sent again
            log.error("writing down pushes failed: %s", type(error).__name__)  # noqa: TRY400
        finally:
            for lane in lanes:
                lane.cancel()
            self._in_flight -= len(jobs)
            self.wake()

    async def _send_in_turn(self, origin: str, queue: _Queue, done: Done, until_s: float) -> None:
        time = asyncio.get_running_loop().time
        service = self._services[origin]
        while time() < until_s:
            if not queue.letters:
                self._write_some(origin, queue, done)
                if not queue.letters:
                    return
            letter = queue.letters.popleft()
            if service.paused_until_s > time():
                outcome = Outcome("queued", "service_down", int(PAUSE_S * 1000))
            else:
                outcome = await self._post(origin, letter, service)
            done.append((letter.job, outcome))

    def _write_some(self, origin: str, queue: _Queue, done: Done) -> None:
        """Encrypt the next few. Posted in a row they wake the network far less often."""
        while queue.jobs and len(queue.letters) < LANES:
            job = queue.jobs.popleft()
            try:
                queue.letters.append(self._write(origin, job))
            except payload.TooLong:
                done.append((job, Outcome("failed", "too_long")))
            except Exception as error:  # noqa: BLE001 - one push's fault stops no other
                log.error("push %s: %s", job.push_id, type(error).__name__)  # noqa: TRY400
                done.append((job, Outcome("failed", "internal")))

    def _write(self, origin: str, job: Job) -> Letter:
        now_ms = self._clock.now_ms()
        plaintext = self._composer.compose(
            push_id=job.push_id,
            kind=job.kind,
            conversation_id=job.conversation_id,
            words=job.words,
            language=job.language,
        )
        topic = f"Topic: {job.topic}\r\n" if job.topic else ""
        headers = (
            f"Authorization: {self._signer.authorization(origin, now_ms)}\r\n"
            f"TTL: {max(0, -(-(job.expires_at_ms - now_ms) // 1000))}\r\n"
            f"Urgency: {job.urgency}\r\n{topic}"
            "Content-Encoding: aes128gcm\r\nContent-Type: application/octet-stream\r\n"
        )
        body = seal(plaintext, job.p256dh, job.auth)
        return Letter(job, endpoints.path(job.endpoint), headers, body)

    async def _post(self, origin: str, letter: Letter, service: "_Service") -> Outcome:
        attempts = letter.job.attempts
        try:
            answer = await self._connections.post(origin, letter.path, letter.headers, letter.body)
        except Unreachable as error:
            service.failed(asyncio.get_running_loop().time())
            return Outcome("queued", error.code, backoff_ms(attempts))
        except Exception as error:  # noqa: BLE001 - one push's fault stops no other
            log.error("push %s: %s", letter.job.push_id, type(error).__name__)  # noqa: TRY400
            return Outcome("failed", "internal")
        service.answered()
        outcome = judge(answer, attempts, self._clock.now_ms())
        if outcome.error == "server_key":
            log.warning("%s does not take our signature: %d", origin, answer.status)
            self._signer.forget(origin)
        return outcome

    def _settle(
        self, batch: Sequence[tuple[Job, Outcome]], asked_at_ms: int, session: Session
    ) -> None:
        """Write answers down: one statement for all that was taken, one for each of the others."""
        now_ms = self._clock.now_ms()
        sent = [job for job, outcome in batch if outcome.state == "sent"]
        if sent:
            self._update(
                session,
                [job.push_id for job in sent],
                state="sent",
                sent_at_ms=now_ms,
                payload={},
                error=None,
            )
            asked = [job.subscription_id for job in sent if job.kind != "closed"]
            session.exec(
                update(PushSubscription)
                .where(col(PushSubscription.id).in_(asked))
                .values(tested_at_ms=asked_at_ms, error=None)
                .execution_options(synchronize_session=False)
            )
        for job, outcome in batch:
            if outcome.state != "sent":
                self._settle_one(session, job, outcome, now_ms)

    def _settle_one(self, session: Session, job: Job, outcome: Outcome, now_ms: int) -> None:
        if outcome.state == "queued":
            due_at_ms = now_ms + outcome.wait_ms
            # Read again: a push that nobody needs any more was made to expire meanwhile.
            expires_at_ms = session.exec(
                select(Push.expires_at_ms).where(Push.id == job.push_id)
            ).first()
            if expires_at_ms is None or due_at_ms < expires_at_ms:
                self._update(
                    session,
                    [job.push_id],
                    state="queued",
                    due_at_ms=due_at_ms,
                    error=outcome.error,
                )
                return
            outcome = Outcome("expired", outcome.error)
        self._update(session, [job.push_id], state=outcome.state, payload={}, error=outcome.error)
        if outcome.state == "gone":
            care.mark_gone(session, job.subscription_id, "gone")
        elif outcome.state == "failed":
            session.exec(
                update(PushSubscription)
                .where(col(PushSubscription.id) == job.subscription_id)
                .values(error=outcome.error)
            )

    def _update(self, session: Session, ids: Iterable[str], **values: Any) -> None:
        """Change pushes that are still ours: a lapsed lease or a report may have come before."""
        session.exec(
            update(Push)
            .where(col(Push.id).in_(list(ids)))
            .where(col(Push.leased_by) == self._name)
            .where(col(Push.state) == "sending")
            .values(leased_until_ms=None, leased_by=None, **values)
            .execution_options(synchronize_session=False)
        )


class _Service:
    """How one push service is doing, as far as this process saw."""

    def __init__(self) -> None:
        self.paused_until_s = 0.0
        self._failures = 0

    def answered(self) -> None:
        self._failures = 0

    def failed(self, now_s: float) -> None:
        self._failures += 1
        if self._failures >= FAILURES_TO_PAUSE:
            self.paused_until_s = now_s + PAUSE_S


def _due(session: Session, condition: tuple[ColumnElement[bool], ...], most: int) -> list[Job]:
    query = (
        select_columns(*_COLUMNS)
        .join(PushSubscription, col(PushSubscription.id) == col(Push.subscription_id))
        .join(Person, col(Person.id) == col(PushSubscription.person_id))
        .where(*condition)
        .order_by(col(Push.due_at_ms))
        .limit(most)
        .with_for_update(of=Push, skip_locked=True)
    )
    return [Job(*row) for row in session.execute(query)]


def _finish(session: Session, jobs: Sequence[Job], state: str, error: str) -> None:
    if jobs:
        session.exec(
            update(Push)
            .where(col(Push.id).in_([job.push_id for job in jobs]))
            .where(col(Push.state).in_(leading_to(state)))
            .values(state=state, error=error, payload={}, leased_until_ms=None, leased_by=None)
            .execution_options(synchronize_session=False)
        )
