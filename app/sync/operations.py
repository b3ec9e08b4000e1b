"""What the phones did: each operation judged once, its outcome kept for ever.

The ledger row, the effect, the feed rows and (for a reply) the delivery commit together. A batch is
taken in order; one bad operation never blocks the others. Whatever an operation says, rights are
looked up here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm.attributes import flag_modified
from sqlmodel import Session, col, select

from app.accounts.policy import Principal
from app.db import flush_rows, waiting_rows
from app.delivery.models import Delivery
from app.inbox import service as inbox
from app.inbox.models import Conversation, Message
from app.meetings.service import Refused
from app.oncall import watch
from app.residents import service as residents
from app.sync import casework, contacts, entities, feed, ledger, meeting_ops, payloads, replies
from app.sync.desk import Desk, Held, Rejected
from app.sync.models import Operation

_SUMMARY = ("position", "activity_at_ms", "preview", "preview_by", "status", "waiting_since_ms")
"""What nearly every operation changes of a conversation."""


def apply(
    session: Session, who: Principal, batch: Sequence[payloads.Op], *, now_ms: int
) -> list[dict[str, Any]]:
    """Judge a batch in order and return one result each: applied, held or rejected.

    An operation judged before gets its first outcome again, with `duplicate` true.
    """
    desk = Desk(session, who, now_ms)
    _load(desk, batch)
    # Read after the conversations were locked: a twin of this request has then either committed
    # its ledger rows or waits behind us.
    ids = [op.op_id for op in batch]
    verdicts = desk.ledger = {
        op_id: (digest, dict(result))
        for op_id, digest, result in session.exec(
            select(Operation.op_id, Operation.digest, Operation.result).where(
                col(Operation.op_id).in_(ids)
            )
        )
    }
    results: list[dict[str, Any]] = []
    fresh: list[tuple[payloads.Op, str, dict[str, Any]]] = []
    # What the handlers read was loaded above or they flush for; flushing before every other query
    # would write each conversation as often as it is touched.
    with session.no_autoflush:
        for op in batch:
            digest = ledger.digest(who, op)
            known = verdicts.get(op.op_id)
            if known is None:
                result = _judge(desk, op)
                fresh.append((op, digest, result))
                verdicts[op.op_id] = (digest, result)
            elif known[0] in {digest, ledger.WITHDRAWN}:
                result = known[1] | {"duplicate": True}
            else:
                result = {"op_id": op.op_id, "outcome": "rejected", "reason": "id_reused", "seq": 0}
            results.append(result)
    if fresh:
        _write_alike(session)
        written = entities.Written(waiting_rows(session, Message), waiting_rows(session, Delivery))
        flush_rows(session)
        inbox.link_attachments(session)
        watch.watch(session, now_ms, by=watch.Actor(who.person_id, who.device_id))
        seq = feed.publish(session, written)
        for op, digest, result in fresh:
            if result["outcome"] == "applied":
                result["seq"] = seq
            ledger.record(desk, op, digest, result)
    return results


def _write_alike(session: Session) -> None:
    """Have all changed conversations name the same columns, so that one statement writes them.

    Otherwise each set of changed columns takes a statement of its own. They are locked, so that
    nobody else's value is overwritten.
    """
    for changed in session.dirty:
        if isinstance(changed, Conversation):
            for column in _SUMMARY:
                flag_modified(changed, column)


def _load(desk: Desk, batch: Sequence[payloads.Op]) -> None:
    """Look up and lock every conversation of the batch, in one order for all, so none deadlock."""
    if any(op.kind == "same" for op in batch):
        residents.one_at_a_time(desk.session)
    ids = sorted({op.conversation_id for op in batch if op.conversation_id})
    query = (
        select(Conversation)
        .where(col(Conversation.id).in_(ids))
        .order_by(col(Conversation.id))
        .with_for_update()
    )
    for conversation in desk.session.exec(query):
        desk.conversations[conversation.id] = conversation
        desk.stored_position[conversation.id] = conversation.position


def _judge(desk: Desk, op: payloads.Op) -> dict[str, Any]:
    result: dict[str, Any] = {"op_id": op.op_id, "outcome": "applied", "duplicate": False, "seq": 0}
    try:
        kind = _kind(desk.who, op)
        detail = kind.carry_out(desk, op, _payload(kind.payload, op))
        if detail:
            result["detail"] = detail
    except Rejected as error:
        result |= {"outcome": "rejected", "reason": error.reason, "detail": error.detail}
    except Held as error:
        changed = feed_bodies(desk.session, error.changed)
        result |= {"outcome": "held", "reason": error.reason, "changed": changed}
    return result


def _kind(who: Principal, op: payloads.Op) -> "_Kind":
    kind = _KINDS.get(op.kind)
    if kind is None:
        raise Rejected("bad_payload", f"Unknown kind of operation: {op.kind}")
    if not who.may(kind.right):
        raise Rejected("not_allowed")
    return kind


def feed_bodies(session: Session, message_ids: list[str]) -> list[dict[str, Any]]:
    """Return the newest state of messages, as the phone knows them, in their order."""
    session.flush()
    states: list[dict[str, Any]] = [row["state"] for row in entities.messages(session, message_ids)]
    return sorted(states, key=lambda state: int(state["position"]))


def _payload(model: type[BaseModel], op: payloads.Op) -> Any:
    try:
        return model.model_validate(op.payload)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = "too_long" if first["type"] == "string_too_long" else "bad_payload"
        raise Rejected(reason, f"{where}: {first['msg']}"[:200]) from None


def _at_meeting(work: meeting_ops.Work) -> Callable[[Desk, payloads.Op, Any], str | None]:
    """Return how an operation of a meeting is carried out here."""

    def carry_out(desk: Desk, op: payloads.Op, said: Any) -> str | None:
        def take(contact: payloads.Contact, team_id: str, area: str) -> Conversation:
            return contacts.take_contact(
                desk, op, contact, contacts.notes_of(desk, [team_id]), area
            )

        def reply(conversation: Conversation, text: str) -> bool:
            # Who wrote to her already was looked at under the same lock.
            seen = op.model_copy(update={"based_on": conversation.position})
            try:
                replies.reply(desk, seen, payloads.Reply(text=text))
            except Rejected:
                return False
            return True

        evening = meeting_ops.Evening(
            desk.session,
            desk.who,
            desk.now_ms,
            clamp=desk.clamp,
            conversation=lambda conversation_id: desk.conversations.get(conversation_id or ""),
            take=take,
            reply=reply,
        )
        try:
            return work(evening, op, said)
        except Refused as error:
            raise Rejected(error.reason, error.detail) from None
        except meeting_ops.Overruled as error:
            raise Held(error.reason, error.changed) from None

    return carry_out


@dataclass(frozen=True, slots=True)
class _Kind:
    right: str
    payload: type[BaseModel]
    carry_out: Callable[[Desk, payloads.Op, Any], str | None]


_KINDS: dict[str, _Kind] = {
    "reply": _Kind("reply", payloads.Reply, replies.reply),
    "note": _Kind("note", payloads.Note, replies.note),
    "status": _Kind("assign", payloads.Status, casework.status),
    "assign": _Kind("assign", payloads.Assign, casework.assign),
    "area": _Kind("assign", payloads.Move, casework.area),
    "topics": _Kind("note", payloads.Topics, casework.topics),
    "urgent": _Kind("note", payloads.Urgent, casework.urgent),
    "acknowledge": _Kind("acknowledge", payloads.Acknowledge, casework.acknowledge),
    "snooze": _Kind("acknowledge", payloads.Snooze, casework.snooze),
    "read": _Kind("read", payloads.Read, casework.read),
    "contact": _Kind("note", payloads.Contact, contacts.contact),
    "adopt": _Kind("assign", payloads.Overheard, contacts.adopt),
    "mute": _Kind("assign", payloads.Overheard, contacts.mute),
    "withdraw": _Kind("note", payloads.Withdraw, replies.withdraw),
    "resolve": _Kind("reply", payloads.Resolve, replies.resolve),
    "same": _Kind("assign", payloads.Same, casework.same),
    **{
        kind: _Kind(right, payload, _at_meeting(work))
        for kind, (right, payload, work) in meeting_ops.KINDS.items()
    },
}
"""Each kind of operation: the right it takes, the shape of its payload, what it does."""
