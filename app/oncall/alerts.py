"""What happens to an alert: opened, stepped, acknowledged, put off, closed.

Each function changes rows inside the caller's transaction and marks the conversation for the
feed. Whoever changes an alert has locked its conversation first, then the alert: of an
acknowledgement and a step that race, one waits for the other and then sees what it did.
"""

from collections import defaultdict
from typing import Any

from sqlmodel import Session, col, delete, select, update

from app.db import touch
from app.ids import uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation
from app.oncall import policy
from app.oncall.models import Alert, AlertStep, Dispatch, Snooze
from app.oncall.words import REASONS
from app.push import service as push

TOOK_IT_MS = 12 * 3600 * 1000
"""For so long what comes after goes to whoever took it first: longer than a working day lasts."""

_OLDEST_FIRST = (col(Alert.opened_at_ms), col(Alert.opened_position), col(Alert.id))


def living(session: Session, conversation_id: str) -> Alert | None:
    """Return a conversation's alert that is open or acknowledged, locked; None when there is none.

    The caller holds the lock on the conversation.
    """
    query = select(Alert).where(Alert.conversation_id == conversation_id, Alert.state != "closed")
    return session.exec(
        query.with_for_update(), execution_options={"populate_existing": True}
    ).first()


def newest(session: Session, conversation_id: str) -> Alert | None:
    """Return the alert that a conversation had last."""
    query = select(Alert).where(Alert.conversation_id == conversation_id)
    newest_first = [one.desc() for one in _OLDEST_FIRST]
    return session.exec(query.order_by(*newest_first)).first()


def open_alert(
    session: Session,
    conversation: Conversation,
    *,
    by: str | None,
    before: Alert | None = None,
    now_ms: int,
) -> Alert:
    """Begin an alert; its first step is due at once. `by` marked it urgent by hand.

    `before` is an alert that ended with an answer: whoever saw to it is the first to be woken.
    """
    verdict = conversation.verdict or {}
    why = str(verdict.get("why", {}).get("code"))
    alert = Alert(
        id=uuid7(now_ms),
        conversation_id=conversation.id,
        opened_at_ms=now_ms,
        opened_by=by,
        opened_position=conversation.position,
        reason="colleague" if by else why if why in REASONS else "words",
        next_step_at_ms=now_ms,
    )
    if before is not None:
        alert.acknowledged_by = conversation.assignee_id or before.acknowledged_by
        alert.acknowledged_at_ms = before.closed_at_ms
    session.add(alert)
    session.flush()
    touch(session, "conversation", conversation.id)
    session.info["alerts"] = True  # told after the commit: the worker wakes up
    return alert


def record(
    session: Session,
    alert: Alert,
    kind: str,
    *,
    now_ms: int,
    person_id: str | None = None,
    shift_id: str | None = None,
    detail: str | None = None,
    outcome: str | None = None,
) -> AlertStep:
    """Write down what was done about an alert, and when."""
    alert.step += 1
    step = AlertStep(
        id=uuid7(now_ms),
        alert_id=alert.id,
        number=alert.step,
        kind=kind,
        person_id=person_id,
        shift_id=shift_id,
        at_ms=now_ms,
        outcome=outcome,
        detail=detail,
    )
    session.add(step)
    session.flush()
    touch(session, "conversation", alert.conversation_id)
    return step


def steps_of(session: Session, alert_id: str) -> list[AlertStep]:
    """Return what was done about an alert, in order."""
    query = select(AlertStep).where(AlertStep.alert_id == alert_id)
    return list(session.exec(query.order_by(col(AlertStep.number))))


def taken(session: Session, alert_id: str) -> list[policy.Step]:
    """Return what was done about an alert since it was opened (again), as the policy reads it."""
    steps: list[policy.Step] = []
    for step in steps_of(session, alert_id):
        if step.kind == "reopened":
            steps.clear()
        else:
            steps.append(policy.Step(step.kind, step.detail or "", step.person_id, step.shift_id))
    return steps


def took_it(conversation: Conversation, alert: Alert, now_ms: int) -> str | None:
    """Return who has this conversation in hand, so that what comes after goes to her first."""
    taken_at_ms = alert.acknowledged_at_ms
    if taken_at_ms is None or now_ms - taken_at_ms > TOOK_IT_MS:
        return None
    return conversation.assignee_id or alert.acknowledged_by


def last_word(conversation: Conversation) -> int:
    """Return the position of the resident's last word: a message, or an edit that was urgent."""
    return max(conversation.in_position, conversation.urgent_position)


def reopen(session: Session, conversation: Conversation, alert: Alert, *, now_ms: int) -> None:
    """Have an acknowledged alert escalate anew: the resident wrote something urgent after it."""
    alert.state, alert.next_step_at_ms = "open", now_ms
    alert.heard_position = last_word(conversation)
    record(session, alert, "reopened", now_ms=now_ms, person_id=alert.acknowledged_by)
    session.info["alerts"] = True


def have_told(session: Session, conversation: Conversation, alert: Alert, *, now_ms: int) -> None:
    """Have the worker tell whoever took it that the resident wrote again."""
    alert.heard_position = last_word(conversation)
    alert.next_step_at_ms = now_ms
    touch(session, "conversation", conversation.id)
    session.info["alerts"] = True


def heads(
    session: Session, conversation_ids: list[str], *, living_only: bool = True
) -> dict[str, dict[str, Any]]:
    """Return what is being done about each conversation, as its head shows it on the phone.

    Reads what is stored over what this session read earlier; all that it changed must have been
    flushed. A conversation without an alert that lives is left out.
    """
    query = select(Alert).where(col(Alert.conversation_id).in_(conversation_ids))
    if living_only:
        query = query.where(Alert.state != "closed")
    found = {alert.id: alert for alert in _stored(session, query.order_by(*_OLDEST_FIRST))}
    if not found:
        return {}
    woken: dict[str, list[dict[str, Any]]] = defaultdict(list)
    steps = select(AlertStep).where(
        col(AlertStep.alert_id).in_(found), col(AlertStep.kind).in_(["woken", "lead"])
    )
    for step in _stored(session, steps.order_by(col(AlertStep.number))):
        woken[step.alert_id].append({"person": step.person_id, "at_ms": step.at_ms})
    later: dict[str, list[dict[str, Any]]] = defaultdict(list)
    snoozes = select(Snooze).where(col(Snooze.alert_id).in_(found))
    for one in _stored(session, snoozes.order_by(col(Snooze.due_at_ms))):
        later[one.alert_id].append({"person": one.person_id, "until_ms": one.due_at_ms})
    return {
        alert.conversation_id: _head(alert, woken[alert.id], later[alert.id])
        for alert in found.values()
    }


def _stored(session: Session, query: Any) -> Any:
    return session.exec(query, execution_options={"populate_existing": True})


def _head(
    alert: Alert, woken: list[dict[str, Any]], snoozed: list[dict[str, Any]]
) -> dict[str, Any]:
    following = None
    if alert.next_kind is not None:
        following = {
            "kind": alert.next_kind,
            "person": alert.next_person_id,
            "at_ms": alert.next_step_at_ms,
        }
    return {
        "id": alert.id,
        "state": alert.state,
        "reason": alert.reason,
        "since_ms": alert.opened_at_ms,
        "by": alert.acknowledged_by,
        "at_ms": alert.acknowledged_at_ms,
        "step": alert.step,
        "woken": woken,
        "next": following,
        "snoozed": snoozed,
    }


def acknowledge(
    session: Session,
    conversation: Conversation,
    person_id: str,
    *,
    takes_it: bool,
    now_ms: int,
    written_at_ms: int,
    event_id: str,
    device_id: str | None = None,
    seen: int | None = None,
) -> str:
    """Stop an alert because this person has seen it; she becomes the assignee if she `takes_it`.

    `seen` is the position up to which she knew the conversation. Returns "" when it was hers to
    stop, else what it had come to before: `already:<person>` or `no_alert`; then nothing changes.
    """
    alert = living(session, conversation.id)
    if alert is None:
        return "no_alert"
    if alert.state == "acknowledged":
        return f"already:{alert.acknowledged_by or ''}"
    settle(session, conversation, alert, person_id, now_ms=now_ms, device_id=device_id, seen=seen)
    before = conversation.assignee_id
    if takes_it:
        conversation.assignee_id = person_id
    inbox.append(
        session,
        conversation,
        inbox.Entry(
            id=event_id,
            direction="event",
            author_id=person_id,
            event={"what": "acknowledged", "from": before, "to": conversation.assignee_id},
            written_at_ms=written_at_ms,
            accepted_at_ms=now_ms,
        ),
    )
    return ""


def settle(
    session: Session,
    conversation: Conversation,
    alert: Alert,
    person_id: str,
    *,
    now_ms: int,
    detail: str | None = None,
    device_id: str | None = None,
    seen: int | None = None,
) -> None:
    """Mark an open alert as acknowledged by this person: nobody else is woken.

    `device_id` is where she did it, which needs not be told. What came in after `seen` is told.
    """
    last = last_word(conversation)
    alert.heard_position = last if seen is None else min(seen, last)
    alert.told_position = 0
    alert.state = "acknowledged"
    alert.acknowledged_by, alert.acknowledged_at_ms = person_id, now_ms
    _stop(session, alert, now_ms, device_id)
    record(session, alert, "acknowledged", now_ms=now_ms, person_id=person_id, detail=detail)


def snooze(
    session: Session, conversation: Conversation, person_id: str, *, minutes: int, now_ms: int
) -> str:
    """Wake this person again in so many minutes; the steps to others go on by their own clock.

    Returns "" or, when there is nothing left to be woken for, what `acknowledge` returns.
    """
    alert = living(session, conversation.id)
    if alert is None:
        return "no_alert"
    if alert.state == "acknowledged":
        return f"already:{alert.acknowledged_by or ''}"
    due_at_ms = now_ms + minutes * policy.MINUTE_MS
    found = session.get(Snooze, (alert.id, person_id))
    if found is None:
        session.add(Snooze(alert_id=alert.id, person_id=person_id, due_at_ms=due_at_ms))
    else:
        found.due_at_ms = due_at_ms
    record(session, alert, "snoozed", now_ms=now_ms, person_id=person_id, detail=str(minutes))
    return ""


def close(
    session: Session,
    conversation: Conversation,
    alert: Alert,
    why: str,
    *,
    now_ms: int,
    device_id: str | None = None,
) -> None:
    """End an alert: answered, closed, calm (urgent no longer) or erased."""
    alert.state, alert.closed_reason, alert.closed_at_ms = "closed", why, now_ms
    alert.closed_position = conversation.position
    _stop(session, alert, now_ms, device_id)
    record(session, alert, "closed", now_ms=now_ms, detail=why)


def _stop(session: Session, alert: Alert, now_ms: int, device_id: str | None) -> None:
    """Let nothing more happen: no step, no second waking, no mail that has not left yet.

    Phones that show the alert take it off their screens.
    """
    push.close(session, alert.conversation_id, now_ms=now_ms, skip_device=device_id)
    alert.next_step_at_ms = alert.next_kind = alert.next_person_id = None
    session.exec(delete(Snooze).where(col(Snooze.alert_id) == alert.id))
    stopped = (
        update(Dispatch)
        .where(
            col(Dispatch.step_id).in_(
                select(AlertStep.id).where(AlertStep.alert_id == alert.id).scalar_subquery()
            ),
            col(Dispatch.state) == "queued",
            col(Dispatch.tried).is_(False),
        )
        .values(state="cancelled")
        .returning(col(Dispatch.step_id))
        .execution_options(synchronize_session=False)
    )
    steps = [one for (one,) in session.execute(stopped)]
    if steps:
        session.exec(
            update(AlertStep).where(col(AlertStep.id).in_(steps)).values(outcome="cancelled")
        )
