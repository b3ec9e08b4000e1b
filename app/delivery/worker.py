"""The bridge outwards: takes due deliveries on a lease, sends them, and never sends one twice.

A delivery is marked as tried in the transaction that leases it, before the first byte leaves.
Whoever finds a lapsed lease therefore knows that the reply may be out, and looks for it at the
channel before anything else. What cannot be found stays `uncertain` until it is, or until a
person decides.

Each account is worked for by itself, one reply after another, and only the reply that is being sent
is leased: one platform that hangs holds up no other, and a death leaves one reply in doubt.

On SQLite one process leases; on PostgreSQL any number do (`SKIP LOCKED`).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import cache, partial

from sqlalchemy import BigInteger, bindparam
from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, col, not_, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from app.channels.contract import Adapter, ChannelError, Outgoing
from app.channels.models import Account
from app.clock import Clock
from app.db import Database
from app.delivery import attempts, health, service
from app.delivery.attempts import LOOK_AGAIN_MS, Job, Outcome, put_off, with_backoff
from app.delivery.models import Delivery
from app.delivery.outgoing import outgoing
from app.ids import uuid7
from app.inbox.models import Conversation, Message
from app.rounds import Woken

log = logging.getLogger(__name__)

LEASE_MS = 120_000
"""Longer than any adapter's own time limit for one send."""

BATCH = 20
IDLE_S = 1.0

Opener = Callable[[Account], Adapter | None]
Writer = Callable[[Session, Delivery, Outgoing], Outgoing]


class Worker(Woken):
    """Sends what is due."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        open_adapter: Opener,
        write_notice: Writer | None = None,
    ) -> None:
        super().__init__()
        self._db = db
        self._clock = clock
        self._open = open_adapter
        self._write_notice = write_notice
        self._name = uuid7()
        self._at_work: dict[str, asyncio.Task[None]] = {}
        """The accounts that are being worked for."""
        self._taken = 0

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                try:
                    await self._begin()
                except Exception as error:  # noqa: BLE001  (a database that is away comes back)
                    # Nor here the traceback: what a database says of a row may hold its words.
                    log.error("delivering: %s; trying again", type(error).__name__)  # noqa: TRY400
                await self.rest(IDLE_S)
        finally:
            working = list(self._at_work.values())
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    async def once(self) -> int:
        """Take and carry out what is due now; return how many there were."""
        before = self._taken
        await self._begin()
        await asyncio.gather(*self._at_work.values())
        return self._taken - before

    async def _begin(self) -> None:
        """Begin to work for each account in which something is due."""
        for job in await self._db.write(partial(self._lease, busy=tuple(self._at_work))):
            task = asyncio.create_task(self._work_for(job))
            self._at_work[job.account.id] = task
            task.add_done_callback(partial(self._ended, job.account.id))

    def _ended(self, account_id: str, _task: "asyncio.Task[None]") -> None:
        self._at_work.pop(account_id, None)
        # Something may have come in after it had looked for the last time.
        self.wake()

    def _lease(
        self, session: Session, account_id: str | None = None, busy: Sequence[str] = ()
    ) -> list[Job]:
        """Take the first that is due in each account, or in one; in no `busy` account."""
        now_ms = self._clock.now_ms()
        jobs: dict[str, Job] = {}
        while True:
            wanted = {"busy": [*busy, *jobs]} if account_id is None else {"account": account_id}
            due = _due(of_one=account_id is not None)
            found = session.exec(due, params={"now_ms": now_ms, **wanted}).all()
            for delivery in found:
                if delivery.account_id in jobs:
                    continue
                if delivery.state == "queued" and delivery.expires_at_ms < now_ms:
                    why = service.why_expired(session, delivery)
                    service.move(session, delivery, "failed", now_ms=now_ms, error=why)
                    continue
                jobs[delivery.account_id] = self._job(session, delivery)
                if delivery.state == "queued":
                    service.move(session, delivery, "sending", now_ms=now_ms)
                delivery.tried = True
                delivery.leased_until_ms = now_ms + LEASE_MS
                delivery.leased_by = self._name
            # One account's long queue must not keep the others out of sight.
            if len(found) < BATCH or (account_id is not None and jobs):
                return list(jobs.values())

    def _job(self, session: Session, delivery: Delivery) -> Job:
        account = session.get_one(Account, delivery.account_id)
        message = session.get_one(Message, delivery.message_id)
        conversation = session.get_one(Conversation, message.conversation_id)
        reply = outgoing(session, delivery, message, conversation, account)
        if delivery.notice and self._write_notice is not None:
            reply = self._write_notice(session, delivery, reply)
        session.expunge(account)
        return Job(
            delivery_id=delivery.id,
            account=account,
            reply=reply,
            tried=delivery.tried,
            state=delivery.state,
            attempts=delivery.attempts,
        )

    async def _work_for(self, job: Job) -> None:
        """Carry out this job and all that is due in its account after it."""
        adapter: Adapter | None = None
        opened = (job.account.config, job.account.secret)
        jobs = [job]
        try:
            while jobs:
                (job,) = jobs
                self._taken += 1
                if adapter is not None and opened != (job.account.config, job.account.secret):
                    await adapter.close()
                    adapter = None
                try:
                    opened = (job.account.config, job.account.secret)
                    adapter = adapter or self._open(job.account)
                    outcome = await attempts.attempt(adapter, job)
                except ChannelError as error:
                    outcome = put_off(job, error.code)
                except Exception as error:  # noqa: BLE001  (one delivery's fault stops no other)
                    # Not the traceback: a message of an error may hold a resident's words.
                    log.error("delivery %s: %s", job.delivery_id, type(error).__name__)  # noqa: TRY400
                    outcome = put_off(job, "internal", may_be_out=adapter is not None)
                await self._db.write(partial(self._settle, job, outcome))
                jobs = await self._db.write(partial(self._lease, account_id=job.account.id))
        except Exception as error:  # noqa: BLE001  (the lease lapses, and it is looked after again)
            log.error("delivering: %s; trying again", type(error).__name__)  # noqa: TRY400
        finally:
            if adapter is not None:
                await adapter.close()

    def _settle(self, job: Job, outcome: Outcome, session: Session) -> None:
        now_ms = self._clock.now_ms()
        delivery = session.get(Delivery, job.delivery_id, with_for_update=True)
        if delivery is None or delivery.leased_by != self._name:
            # The lease lapsed and somebody else looked after it, or the conversation was erased.
            if delivery is not None and outcome.external_id and _is_out(delivery, job):
                # It was met at the channel before the answer came that names it.
                delivery.external_id = outcome.external_id
            return
        was_uncertain = delivery.state == "uncertain"
        if outcome.state in {"sent", "delivered"} and _is_anothers(session, delivery, outcome):
            # The same words of ours, said for another reply: they prove nothing of this one.
            outcome = Outcome("uncertain", error="unconfirmed", retry_ms=LOOK_AGAIN_MS[0])
        if outcome.state == "uncertain":
            # A look that could not be made counts only when it is too late for another.
            looked = outcome.looked or delivery.expires_at_ms < now_ms
            delivery.attempts = delivery.attempts + looked if was_uncertain else 1
        else:
            delivery.attempts += 1
        if was_uncertain and outcome.state == "uncertain":
            delivery.leased_until_ms = None
            delivery.leased_by = None
        else:
            service.move(
                session,
                delivery,
                outcome.state,
                now_ms=now_ms,
                error=outcome.error,
                external_id=outcome.external_id,
            )
        delivery.tried = outcome.spent
        if outcome.retry_ms is not None:
            due_at_ms = now_ms + with_backoff(outcome.retry_ms, delivery.attempts, outcome)
            if outcome.state == "queued":
                # Its writer hears that it is too late as soon as it is.
                due_at_ms = min(due_at_ms, max(now_ms, delivery.expires_at_ms) + 1)
            delivery.due_at_ms = due_at_ms
        account = session.get_one(Account, job.account.id)
        if outcome.took:
            health.sends(session, account, now_ms=now_ms)
        if outcome.health:
            until_ms = now_ms + outcome.limited_ms if outcome.limited_ms is not None else None
            health.does_not_send(
                session,
                account,
                outcome.health,
                outcome.cause or outcome.error or "",
                now_ms=now_ms,
                until_ms=until_ms,
            )


@cache
def _due(*, of_one: bool) -> SelectOfScalar[Delivery]:
    """Return the query for what can be taken `now_ms`, what was due first in front.

    Of one `account`, or of all that are not `busy`. Put together once: that takes ten times as long
    as asking, and it is asked every second.
    """
    now_ms = bindparam("now_ms", type_=BigInteger)
    mine, other, earlier = aliased(Message), aliased(Message), aliased(Delivery)
    # A reply waits for the one before it in its conversation, also when that one is put off.
    held_up = (
        select(earlier.id)
        .join(other, col(other.id) == col(earlier.message_id))
        .join(mine, col(mine.id) == col(Delivery.message_id))
        .where(
            other.conversation_id == mine.conversation_id,
            other.position < mine.position,
            earlier.account_id == Delivery.account_id,
            col(earlier.state).in_(["queued", "sending"]),
        )
        .correlate(Delivery)
        .exists()
    )
    return (
        select(Delivery)
        .where(
            col(Delivery.due_at_ms) <= now_ms,
            not_(held_up),
            Delivery.account_id == bindparam("account")
            if of_one
            else col(Delivery.account_id).not_in(bindparam("busy", expanding=True)),
            or_(
                Delivery.state == "queued",
                and_(
                    or_(
                        Delivery.state == "sending",
                        and_(
                            Delivery.state == "uncertain",
                            Delivery.attempts <= len(LOOK_AGAIN_MS),
                        ),
                    ),
                    or_(
                        col(Delivery.leased_until_ms).is_(None),
                        col(Delivery.leased_until_ms) < now_ms,
                    ),
                ),
            ),
        )
        .order_by(col(Delivery.due_at_ms), col(Delivery.id))
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )


def _is_out(delivery: Delivery, job: Job) -> bool:
    known = delivery.external_id == job.reply.external_id
    return known and delivery.leased_by is None and delivery.state in {"sent", "delivered"}


def _is_anothers(session: Session, delivery: Delivery, outcome: Outcome) -> bool:
    """Say whether what was found at the channel is another reply that was sent there."""
    query = select(Delivery.id).where(
        Delivery.external_id == (outcome.external_id or ""),
        Delivery.external_id != "",
        Delivery.account_id == delivery.account_id,
        Delivery.id != delivery.id,
        col(Delivery.sent_at_ms).is_not(None),
    )
    return session.exec(query).first() is not None
