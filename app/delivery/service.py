"""Deliveries: queued with the reply in one transaction, moved only along the table of states."""

import logging
from dataclasses import asdict

from sqlmodel import Session, col, select

from app.db import insert_later, touch
from app.delivery.models import Delivery
from app.delivery.states import may_become
from app.errors import Conflict
from app.ids import uuid7
from app.inbox.models import Message
from app.text.approved import Form

log = logging.getLogger(__name__)

VALID_MS = 48 * 3600 * 1000
"""How long a reply is worth sending; after that its writer is told that it failed."""


def enqueue(
    session: Session,
    *,
    message_id: str,
    account_id: str,
    recipient: str,
    external_id: str,
    delivery_id: str,
    due_at_ms: int,
    notice: bool = False,
    answer_by_ms: int | None = None,
    form: Form | None = None,
) -> None:
    """Queue one message for one address, under an external id that never changes.

    After `answer_by_ms` the channel takes it no more, and so it is not tried any longer. `form` is
    the approved text that it is.
    """
    expires_at_ms = due_at_ms + VALID_MS
    if answer_by_ms is not None:
        expires_at_ms = min(expires_at_ms, answer_by_ms)
    insert_later(
        session,
        Delivery,
        {
            "id": delivery_id,
            "message_id": message_id,
            "account_id": account_id,
            "recipient": recipient,
            "notice": notice,
            "state": "queued",
            "external_id": external_id,
            "attempts": 0,
            "tried": False,
            "form": asdict(form) if form is not None else None,
            "due_at_ms": due_at_ms,
            "expires_at_ms": expires_at_ms,
        },
    )


def new_delivery_id(now_ms: int) -> str:
    """Return the id of a delivery to be; an external id may be derived from it."""
    return uuid7(now_ms)


def move(
    session: Session,
    delivery: Delivery,
    state: str,
    *,
    now_ms: int,
    error: str | None = None,
    external_id: str | None = None,
) -> None:
    """Take one step of the table and let the phones know.

    Raises Conflict when the table has no such step.
    """
    if not may_become(delivery.state, state):
        raise Conflict(f"A delivery that is {delivery.state} cannot become {state}.")
    delivery.state = state
    delivery.error = error
    delivery.leased_until_ms = None
    delivery.leased_by = None
    if external_id:
        delivery.external_id = external_id
    if state in {"sent", "delivered"} and delivery.sent_at_ms is None:
        delivery.sent_at_ms = now_ms
    if state == "delivered":
        delivery.delivered_at_ms = now_ms
    session.flush()
    touch(session, "message", delivery.message_id)


def of_message(session: Session, message_id: str) -> Delivery | None:
    """Return the delivery of a message, if it is one that goes out."""
    query = select(Delivery).where(
        Delivery.message_id == message_id, col(Delivery.notice).is_(False)
    )
    return session.exec(query).first()


def delivered(session: Session, conversation_id: str, *, now_ms: int) -> int:
    """Mark all that was sent in a conversation as delivered: the resident has it on her screen.

    Returns how many changed.
    """
    query = (
        select(Delivery)
        .join(Message, col(Message.id) == col(Delivery.message_id))
        .where(
            Message.conversation_id == conversation_id,
            Delivery.state == "sent",
            col(Delivery.notice).is_(False),
        )
    )
    found = session.exec(query).all()
    for delivery in found:
        move(session, delivery, "delivered", now_ms=now_ms)
    return len(found)


def report(
    session: Session, account_id: str, external_id: str, state: str, *, now_ms: int, error: str
) -> bool:
    """Take the channel's later word on one of our messages: delivered, or failed (a bounce).

    False when no such message is known, or when the table has no such step any more.
    """
    query = select(Delivery).where(
        Delivery.account_id == account_id, Delivery.external_id == external_id
    )
    delivery = session.exec(query).first()
    if delivery is None or not may_become(delivery.state, state):
        return False
    move(session, delivery, state, now_ms=now_ms, error=error or None)
    return True


def seen_at_channel(session: Session, account_id: str, external_id: str, *, now_ms: int) -> None:
    """Take note that one of our own messages was met at the channel: so it was sent.

    Also while its sender still waits for an answer, which may get lost: nobody says it twice.
    """
    query = select(Delivery).where(
        Delivery.account_id == account_id,
        Delivery.external_id == external_id,
        col(Delivery.state).in_(["sending", "uncertain"]),
    )
    delivery = session.exec(query.with_for_update()).first()
    if delivery is not None:
        move(session, delivery, "sent", now_ms=now_ms)


def why_expired(session: Session, delivery: Delivery) -> str:
    """Say why a delivery is tried no longer: the channel's own window, or ours."""
    accepted_ms = session.get_one(Message, delivery.message_id).accepted_at_ms
    return "window" if delivery.expires_at_ms < accepted_ms + VALID_MS else "expired"


def hold_back(session: Session, conversation_id: str, *, after: int, now_ms: int) -> int:
    """Stop what was written after a message that has changed, and has not been tried yet.

    Its writer looks first and may have it sent as it is. Returns how many were stopped.
    """
    query = (
        select(Delivery)
        .join(Message, col(Message.id) == col(Delivery.message_id))
        .where(
            Message.conversation_id == conversation_id,
            Message.position > after,
            Message.direction == "out",
            Delivery.state == "queued",
            col(Delivery.tried).is_(False),
            col(Delivery.notice).is_(False),
        )
    )
    found = session.exec(query.with_for_update(of=Delivery)).all()
    for delivery in found:
        move(session, delivery, "failed", now_ms=now_ms, error="question_changed")
    return len(found)


def posted_by_hand(session: Session, delivery: Delivery, *, now_ms: int) -> None:
    """Stop what a person posted at the channel herself; what had gone wrong stays on record.

    Raises Conflict when the channel has it, or may have it, from us.
    """
    session.refresh(delivery, with_for_update=True)
    move(session, delivery, "cancelled", now_ms=now_ms, error=delivery.error)


def resolve(session: Session, delivery: Delivery, outcome: str, *, now_ms: int) -> None:
    """Carry out a person's verdict on an uncertain or failed delivery: sent, retry or failed.

    Raises Conflict when the delivery is in neither state.
    """
    state = {"sent": "sent", "failed": "failed", "retry": "queued"}[outcome]
    move(session, delivery, state, now_ms=now_ms, error=None)
    if outcome == "retry":
        delivery.tried = False
        delivery.attempts = 0
        delivery.due_at_ms = now_ms
        delivery.expires_at_ms = now_ms + VALID_MS
