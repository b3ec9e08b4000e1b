"""Opens and closes alerts: looks at each conversation that a transaction touched.

An alert opens in the transaction that makes a conversation urgent, so no crash can come between
the two.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, text
from sqlmodel import Session, select

from app.accounts.models import Person
from app.clock import Clock
from app.db import flush_rows
from app.inbox.models import Conversation, Message
from app.oncall import alerts, policy, roster
from app.oncall.models import Alert

CHUNK = 500
"""Ids in one query."""

_CONCERNED = text(
    "SELECT c.id FROM conversation c WHERE c.id IN :ids AND (c.urgent OR EXISTS"
    " (SELECT 1 FROM alert a WHERE a.conversation_id = c.id AND a.state <> 'closed')) ORDER BY c.id"
).bindparams(bindparam("ids", expanding=True))


def hook(clock: Clock) -> Callable[[Session], object]:
    """Return what runs before every commit, ahead of the feed."""
    return lambda session: watch(session, clock.now_ms())


@dataclass(frozen=True, slots=True)
class Actor:
    """Whose doing it is, on which device."""

    person_id: str
    device_id: str


def watch(session: Session, now_ms: int, *, by: Actor | None = None) -> None:
    """Open or close the alerts of all conversations touched so far; leaves the marks standing.

    `by` is who did it, when it was a person.
    """
    marks: dict[tuple[str, str], Any] = session.info.get("touched", {})
    ids = [entity_id for kind, entity_id in marks if kind == "conversation"]
    if not ids:
        return
    flush_rows(session)
    for start in range(0, len(ids), CHUNK):
        concerned = session.execute(_CONCERNED, {"ids": ids[start : start + CHUNK]}).scalars()
        for conversation_id in concerned.all():
            look(session, conversation_id, now_ms, by=by)


def look(session: Session, conversation_id: str, now_ms: int, *, by: Actor | None) -> None:
    """Open or close one conversation's alert; all that changed it must have been flushed."""
    query = select(Conversation).where(Conversation.id == conversation_id).with_for_update()
    conversation = session.exec(query).one()
    alert = alerts.living(session, conversation_id)
    ended = _ended(session, conversation, alert)
    if alert is not None and ended:
        device_id = by.device_id if by else None
        alerts.close(session, conversation, alert, ended, now_ms=now_ms, device_id=device_id)
    elif alert is not None and alert.state == "acknowledged":
        _go_on(session, conversation, alert, now_ms)
    elif alert is None and not ended:
        before = alerts.newest(session, conversation_id)
        if _begins(conversation, before):
            _open(session, conversation, before, by.person_id if by else None, now_ms)


def _go_on(session: Session, conversation: Conversation, alert: Alert, now_ms: int) -> None:
    """See whether the resident wrote again after somebody took it.

    Judged urgent, it escalates anew, by way of whoever took it; else only she is told.
    """
    if alerts.last_word(conversation) <= alert.heard_position:
        return
    if conversation.urgent_position > alert.heard_position:
        alerts.reopen(session, conversation, alert, now_ms=now_ms)
    else:
        alerts.have_told(session, conversation, alert, now_ms=now_ms)


def _ended(session: Session, conversation: Conversation, alert: Alert | None) -> str | None:
    """Return why a conversation needs nobody to be woken, or None when it does."""
    if conversation.erased_at_ms is not None:
        return "erased"
    if conversation.status == "closed":
        return "closed"
    if not conversation.urgent:
        return "calm"
    if alert is not None:
        answer = select(Message.id).where(
            Message.conversation_id == conversation.id,
            Message.direction == "out",
            Message.position > alert.opened_position,
        )
        if session.exec(answer.limit(1)).first() is not None:
            return "answered"
    return None


def _begins(conversation: Conversation, before: Alert | None) -> bool:
    """Say whether this is a new urgency: after an answer only the resident's next words are."""
    if before is None or before.closed_reason != "answered":
        return True
    return alerts.last_word(conversation) > (before.closed_position or 0)


def _open(
    session: Session,
    conversation: Conversation,
    before: Alert | None,
    by: str | None,
    now_ms: int,
) -> None:
    answered = before if before is not None and before.closed_reason == "answered" else None
    alert = alerts.open_alert(session, conversation, by=by, before=answered, now_ms=now_ms)
    if by is not None and _is_on_call(session, conversation, by, now_ms):
        # She knows: she marked it herself.
        alerts.settle(session, conversation, alert, by, now_ms=now_ms, detail="own")


def _is_on_call(session: Session, conversation: Conversation, by: str, now_ms: int) -> bool:
    first = roster.team_of_account(session, conversation)
    teams = roster.teams_of(session, conversation.area, first)
    duties = roster.duties_in(session, teams, conversation.area, now_ms=now_ms)
    person = session.get_one(Person, by)
    return any(duty.person_id == by for duty in policy.on_call(now_ms, duties)) and roster.sees(
        session, person, conversation.area
    )
