"""Faults planted in the server, to see that the simulation finds them.

Each is a change that somebody might make in good faith; the code that is shipped knows none of it.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from app import main
from app.accounts.policy import Principal
from app.channels.contract import Temporary, Unconfirmed
from app.channels.email import EmailChannel
from app.db import Database, flush_rows
from app.delivery import attempts
from app.delivery import service as delivery
from app.delivery.attempts import Outcome
from app.delivery.worker import Worker
from app.ids import uuid7
from app.inbox import service as inbox
from app.oncall import alerts
from app.oncall.models import Alert
from app.sync import conflicts, entities, feed, ledger, operations, payloads
from app.sync.models import Operation


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: how it is planted in this process, and on which database it can be seen."""

    plant: Callable[[], None]
    engine: str

    def plays_on(self, engine: str, engines: list[str]) -> bool:
        """Say whether this lane is the one to look for it."""
        return engine == (self.engine if self.engine in engines else engines[0])


PLANTED: dict[str, Fault] = {}


def put(owner: Any, name: str, value: Any) -> None:
    """Replace something of the program."""
    setattr(owner, name, value)


WORKER: ContextVar[Worker] = ContextVar("WORKER")
"""Which worker sends, in the task in which it does, for a fault that writes as it would."""


def tell_which_worker() -> None:
    """Let each worker say in its tasks who it is."""
    really = Worker._work_for

    @wraps(really)
    async def work_for(self: Worker, job: Any) -> None:
        WORKER.set(self)
        await really(self, job)

    put(Worker, "_work_for", work_for)


def plant(name: str) -> None:
    """Switch on one fault in this process; an empty name is the server as it is."""
    if name:
        PLANTED[name].plant()


def fault(name: str, engine: str = "sqlite") -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Give a function that plants a fault its name."""

    def keep(planter: Callable[[], None]) -> Callable[[], None]:
        PLANTED[name] = Fault(planter, engine)
        return planter

    return keep


@fault("the server forgets the phone's ids")
def _forget_ids() -> None:
    really = operations.apply

    def apply(
        session: Session, who: Principal, batch: Sequence[payloads.Op], *, now_ms: int
    ) -> list[dict[str, Any]]:
        other = [op.model_copy(update={"op_id": uuid7()}) for op in batch]
        results = really(session, who, other, now_ms=now_ms)
        return [result | {"op_id": op.op_id} for result, op in zip(results, batch, strict=True)]

    put(operations, "apply", apply)


@fault("the ledger is written in a transaction of its own, after the effect")
def _ledger_apart() -> None:
    really = Database._write_once

    def write_once(self: Database, work: Callable[[Session], Any]) -> Any:
        late: list[tuple[Any, ...]] = []
        kept = ledger.record
        put(ledger, "record", lambda *given: late.append(given))
        try:
            result = really(self, work)
        finally:
            put(ledger, "record", kept)
        if late:

            def record(session: Session) -> None:
                for desk, *rest in late:
                    kept(replace(desk, session=session), *rest)

            really(self, record)
        return result

    put(Database, "_write_once", write_once)


@fault("the answer leaves before the commit")
def _answer_first() -> None:
    def write_once(
        self: Database, work: Callable[[Session], Any], said: Callable[..., None]
    ) -> None:
        with Session(self._writer, expire_on_commit=False) as session:
            result = work(session)
            flush_rows(session)
            hooks = list(self.before_commit)
            feed.publish(session)
            news = dict(session.info)
            said(result)
            # What the disk takes for a commit.
            time.sleep(0.01)
            for hook in hooks:
                hook(session)
            session.commit()
        for listener in self.after_commit:
            listener(news)

    async def write(self: Database, work: Callable[[Session], Any]) -> Any:
        answer: Future[Any] = Future()

        def run() -> None:
            try:
                write_once(self, work, answer.set_result)
            except BaseException as error:  # noqa: BLE001
                if not answer.done():
                    answer.set_exception(error)

        self._write_pool.submit(run)
        return await asyncio.wrap_future(answer)

    put(Database, "write", write)


@fault("a page of changes is cut short, and the cursor goes to the head")
def _cursor_to_head() -> None:
    really = feed.pull
    put(feed, "pull", lambda session, scopes, after, limit: really(session, scopes, after, 12))


@fault("sequence numbers are taken before others commit", "postgresql")
def _loose_sequence() -> None:
    # Ranges of a sequence: gapless inside a transaction, in no order between them.
    put(
        feed,
        "_ALLOT",
        text(
            "WITH mine AS (SELECT nextval('loose') AS n),"
            " numbered AS (SELECT nextval('loose_number') AS number)"
            " SELECT mine.n * 1000 AS seq, numbered.number * 100 AS number FROM mine, numbered"
            " WHERE CAST(:rows AS int) >= 0 AND CAST(:conversations AS int) >= 0"
        ),
    )
    put(feed, "_LOCK_HEAD", text("SELECT 1"))
    really = feed.publish

    def publish(session: Session) -> int:
        session.execute(text("CREATE SEQUENCE IF NOT EXISTS loose START 100"))
        session.execute(text("CREATE SEQUENCE IF NOT EXISTS loose_number START 100"))
        seq = really(session)
        if seq:
            session.execute(text("UPDATE feed_head SET seq = greatest(seq, :seq)"), {"seq": seq})
        return seq

    put(feed, "publish", publish)


@fault("the feed is read before it is locked", "postgresql")
def _read_before_lock() -> None:
    put(feed, "_lock", lambda _session, _ids: None)
    put(entities, "_newest", lambda session, query: session.exec(query))


@fault("notes get no result")
def _results_dropped() -> None:
    really = operations.apply

    @wraps(really)
    def apply(session: Session, who: Any, batch: Any, *, now_ms: int) -> Any:
        notes = {op.op_id for op in batch if op.kind == "note"}
        results = really(session, who, batch, now_ms=now_ms)
        return [result for result in results if result["op_id"] not in notes]

    put(operations, "apply", apply)


@fault("an operation that was known already is refused")
def _duplicates_refused() -> None:
    really = operations.apply

    @wraps(really)
    def apply(session: Session, who: Any, batch: Any, *, now_ms: int) -> Any:
        results = really(session, who, batch, now_ms=now_ms)
        refused = {"outcome": "rejected", "reason": "id_reused", "seq": 0}
        return [result | refused if result["duplicate"] else result for result in results]

    put(operations, "apply", apply)


@fault("a batch is carried out from its end")
def _backwards() -> None:
    really = operations.apply

    @wraps(really)
    def apply(session: Session, who: Any, batch: Any, *, now_ms: int) -> Any:
        return really(session, who, list(reversed(batch)), now_ms=now_ms)

    put(operations, "apply", apply)


@fault("nobody looks whether a colleague answered")
def _no_conflicts() -> None:
    put(conflicts, "judge", lambda *_given: None)


@fault("read marks are stored and not published")
def _marks_unpublished() -> None:
    put(entities, "read_marks", lambda _session, _ids: [])


@fault("nobody is told that a conversation left her area")
def _no_tombstones() -> None:
    put(feed, "departures", lambda session: session.info.pop("departures", []) and [])


@fault("a conversation's head is published without its new messages")
def _messages_unpublished() -> None:
    really = entities.messages
    chance = random.Random(1)
    put(
        entities,
        "messages",
        lambda session, ids: [
            row for row in really(session, ids) if not ids or chance.random() > 0.05
        ],
    )


@fault("a lost answer of the mail server is tried again")
def _retry_unconfirmed() -> None:
    really = EmailChannel.send

    async def send(self: EmailChannel, reply: Any) -> Any:
        try:
            return await really(self, reply)
        except Unconfirmed as error:
            raise Temporary(error.code, error.detail) from None

    put(EmailChannel, "send", send)


@fault("the lease does not say that a delivery was tried")
def _tried_forgotten() -> None:
    really = Worker._job

    def job(self: Worker, session: Session, found: Any) -> Any:
        return replace(really(self, session, found), tried=False)

    put(Worker, "_job", job)


@fault("what may have been sent counts as sent")
def _look_says_sent() -> None:
    async def look(_adapter: Any, job: Any) -> Any:
        return Outcome("sent", external_id=job.reply.external_id)

    put(attempts, "look", look)


@fault("a reply is stored and its delivery is not")
def _no_delivery() -> None:
    really = delivery.enqueue
    chance = random.Random(2)

    def enqueue(session: Session, **given: Any) -> None:
        if chance.random() > 0.15:
            really(session, **given)

    put(delivery, "enqueue", enqueue)


@fault("a reply is noted as sent before it is")
def _sent_first() -> None:
    async def attempt(adapter: Any, job: Any) -> Any:
        outcome = Outcome("sent", external_id=job.reply.external_id)
        at_work = WORKER.get()
        await at_work._db.write(lambda session: at_work._settle(job, outcome, session))
        await adapter.send(job.reply)
        return outcome

    put(attempts, "attempt", attempt)
    tell_which_worker()


@fault("a photo is taken in and not put with its message")
def _photos_unlinked() -> None:
    put(inbox, "link_attachments", lambda _session: None)
    put(main, "link_attachments", lambda _session: None)


@fault("the phone is told what other areas said")
def _leak() -> None:
    really = feed.pull

    def pull(session: Session, scopes: Any, after: int, limit: int) -> Any:
        every = session.execute(text("SELECT DISTINCT scope FROM change")).scalars()
        other = {scope for scope in every if scope.startswith("WK0000")}
        return really(session, {*scopes, *other}, after, limit)

    put(feed, "pull", pull)


@fault("what was withdrawn takes effect when it comes later")
def _withdrawn_forgotten() -> None:
    really = ledger.withdraw_earlier

    def withdraw_earlier(desk: Any, op: payloads.Op, earlier: list[str]) -> list[str]:
        unknown = {op_id for op_id in earlier if not desk.session.get(Operation, op_id)}
        return really(desk, op, [op_id for op_id in earlier if op_id not in unknown])

    put(ledger, "withdraw_earlier", withdraw_earlier)


@fault("a newer version goes out although an older one did")
def _both_versions() -> None:
    really = ledger.withdraw_earlier

    def withdraw_earlier(desk: Any, op: payloads.Op, earlier: list[str]) -> list[str]:
        sent = really(desk, op, earlier)
        return sent if op.kind == "withdraw" else []

    put(ledger, "withdraw_earlier", withdraw_earlier)


@fault("it says withdrawn of what was sent")
def _withdrawn_too_late() -> None:
    really = ledger.withdraw_earlier

    def withdraw_earlier(desk: Any, op: payloads.Op, earlier: list[str]) -> list[str]:
        sent = really(desk, op, earlier)
        return [] if op.kind == "withdraw" else sent

    put(ledger, "withdraw_earlier", withdraw_earlier)


@fault("who acknowledges later takes the alert over")
def _taken_over() -> None:
    really = alerts.living

    def living(session: Session, conversation_id: str) -> Alert | None:
        found = really(session, conversation_id)
        if found is not None:
            found.state = "open"
        return found

    put(alerts, "living", living)


@fault("an acknowledgement is told in the conversation and wakes others all the same")
def _acknowledged_in_vain() -> None:
    put(alerts, "settle", lambda *_given, **_named: None)
