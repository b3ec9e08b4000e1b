"""What an alert does when its next step is due: one transaction, in which nothing is sent.

A push and a letter are rows that other workers send, so whenever the process ends, a step was
either taken whole, with its clock, or not at all.
"""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, func, or_, select

from app.accounts.models import Person
from app.config import Settings
from app.i18n import say
from app.inbox.models import Conversation, ReadMark, Resident
from app.oncall import alerts, letters, outside, policy, roster
from app.oncall.models import Alert, Snooze
from app.oncall.outside import Ways
from app.push import service as push

PUSH_TTL_S = 3600
NEWS_TTL_S = 4 * 3600


@dataclass(frozen=True, slots=True)
class Means:
    """What steps are taken with."""

    settings: Settings
    ways: Ways

    def reach(self, now_ms: int) -> roster.Reach:
        """Return what says whether a person's phones can be woken now."""
        return lambda session, person_id: push.reach(session, person_id, now_ms=now_ms)


def advance(session: Session, means: Means, conversation_id: str, now_ms: int) -> bool:
    """Take what is due of this conversation's alert; False when there is nothing (any more).

    Whoever acknowledges holds the lock on the conversation: then it is somebody's already, or will
    be looked at again in a moment.
    """
    query = select(Conversation).where(Conversation.id == conversation_id)
    conversation = session.exec(query.with_for_update(skip_locked=True)).first()
    alert = alerts.living(session, conversation_id) if conversation is not None else None
    if conversation is None or alert is None:
        return False
    if alert.next_step_at_ms is None or alert.next_step_at_ms > now_ms:
        return False
    found = roster.of_conversation(session, conversation, alert, means.reach(now_ms), now_ms=now_ms)
    if alert.state == "acknowledged":
        _tell(session, means, conversation, alert, found, now_ms)
        return True
    done = alerts.taken(session, alert.id)
    while True:
        step = policy.next_step(now_ms, found, done)
        if isinstance(step, policy.Wait):
            _rest(alert, step)
            break
        step = _take(session, means, conversation, alert, found.ladder, step, now_ms)
        done.append(step)
        if step.wait_ms:
            at_ms = now_ms + step.wait_ms
            following = policy.expected(at_ms, found, done)
            alert.next_step_at_ms = at_ms
            alert.next_kind = following.kind if following else "nobody"
            alert.next_person_id = following.person_id if following else None
            break
    session.flush()
    return True


def _tell(
    session: Session,
    means: Means,
    conversation: Conversation,
    alert: Alert,
    found: policy.Roster,
    now_ms: int,
) -> None:
    """Tell whoever took it that the resident wrote again; nobody else needs to know.

    Once: what she has not looked at yet says already that there is something.
    """
    alert.next_step_at_ms = None
    session.add(alert)
    person_id = found.took_it
    if person_id is None:
        return
    mark = session.get(ReadMark, (person_id, conversation.id))
    read = mark.position if mark is not None else 0
    if read >= conversation.in_position or read < alert.told_position:
        return
    kind, why = "told", "news"
    in_the_way = policy.hindrance(now_ms, found, person_id)
    if in_the_way:
        kind, why = "skipped", in_the_way
    elif not _notify(session, means, conversation, person_id, "news", NEWS_TTL_S, {}, now_ms):
        kind, why = "skipped", "unreachable"
    else:
        alert.told_position = conversation.in_position
    alerts.record(session, alert, kind, now_ms=now_ms, person_id=person_id, detail=why)


def _rest(alert: Alert, wait: policy.Wait) -> None:
    """Nothing more can be done until somebody else's shift begins, if ever."""
    alert.next_step_at_ms = wait.until_ms
    alert.next_kind = alert.next_person_id = None


def _take(
    session: Session,
    means: Means,
    conversation: Conversation,
    alert: Alert,
    ladder: policy.Ladder,
    step: policy.Step,
    now_ms: int,
) -> policy.Step:
    """Take a step and write it down; return what came of it."""
    wakes = step.person_id if step.kind in {"woken", "lead"} else None
    if wakes and not wake(session, means, conversation, alert, wakes, now_ms):
        step = policy.Step("skipped", "unreachable", wakes, step.shift_id)
    recorded = alerts.record(
        session,
        alert,
        step.kind,
        now_ms=now_ms,
        person_id=step.person_id,
        shift_id=step.shift_id,
        detail=step.why,
    )
    recipient = {
        "email": ladder.email,
        "sms": ladder.sms,
        "contact_centre": ladder.contact_centre_email,
    }.get(step.kind)
    if recipient is None:
        return step
    way = "sms" if step.kind == "sms" else "email"
    if way == "sms":
        subject, text = "", letters.alert_sms(session, means.settings, conversation, alert, now_ms)
    else:
        subject, text = letters.alert_letter(session, means.settings, conversation, alert, now_ms)
    teams = roster.teams_of(
        session, conversation.area, roster.team_of_account(session, conversation)
    )
    if not outside.queue(
        session,
        means.ways,
        way,
        team_id=teams[0],
        recipient=recipient,
        subject=subject,
        text=text,
        step_id=recorded.id,
        now_ms=now_ms,
    ):
        recorded.outcome, recorded.detail = "failed", "no_way"
        return policy.Step(step.kind, "no_way")
    return step


def wake(
    session: Session,
    means: Means,
    conversation: Conversation,
    alert: Alert,
    person_id: str,
    now_ms: int,
) -> bool:
    """Queue a push to all of somebody's phones; False when she has none."""
    language = session.get_one(Person, person_id).language
    reason = {"reason": say(language, f"oncall.reason_{alert.reason}")}
    return _notify(session, means, conversation, person_id, "urgent", PUSH_TTL_S, reason, now_ms)


def _notify(
    session: Session,
    means: Means,
    conversation: Conversation,
    person_id: str,
    kind: str,
    ttl_s: int,
    said: dict[str, str],
    now_ms: int,
) -> bool:
    person = session.get_one(Person, person_id)
    words: dict[str, Any] = {
        "area": letters.place_of(session, conversation.area),
        "badge": _unread(session, person),
        **said,
    }
    if means.settings.push_words:
        resident = session.get_one(Resident, conversation.resident_id)
        words |= {"name": resident.name, "text": conversation.preview}
    notice = push.Notice(kind, conversation.id, ttl_s=ttl_s, words=words)
    return bool(push.send(session, person_id, notice, now_ms=now_ms))


def _unread(session: Session, person: Person) -> int:
    """Return how many urgent conversations she has not read to the end: the number on the icon."""
    mine = (col(ReadMark.conversation_id) == Conversation.id) & (ReadMark.person_id == person.id)
    query = (
        select(func.count())
        .select_from(Alert)
        .join(Conversation, col(Conversation.id) == col(Alert.conversation_id))
        .outerjoin(ReadMark, mine)
        .where(
            col(Alert.state).in_(["open", "acknowledged"]),
            col(Conversation.area).in_(roster.scopes_of(session, person)),
            or_(
                col(Conversation.in_position) > func.coalesce(ReadMark.position, 0),
                col(Conversation.urgent_position) > func.coalesce(ReadMark.position, 0),
            ),
        )
    )
    return session.exec(query).one()


def wake_again(
    session: Session,
    means: Means,
    conversation_id: str,
    alert_id: str,
    person_id: str,
    now_ms: int,
) -> bool:
    """Wake somebody who put it off, as she asked; False when there is nothing to wake her for."""
    query = select(Conversation).where(Conversation.id == conversation_id)
    conversation = session.exec(query.with_for_update(skip_locked=True)).first()
    if conversation is None:
        return False
    alert = alerts.living(session, conversation_id)
    snooze = session.get(Snooze, (alert_id, person_id), populate_existing=True)
    if snooze is None or snooze.due_at_ms > now_ms:
        return False
    session.delete(snooze)
    if alert is None or alert.id != alert_id or alert.state != "open":
        return False
    kind, why = "woken", "snoozed"
    person = session.get(Person, person_id)
    if person is None or not person.active or not roster.sees(session, person, conversation.area):
        kind, why = "skipped", "no_access"
    elif not wake(session, means, conversation, alert, person_id, now_ms):
        kind, why = "skipped", "unreachable"
    alerts.record(session, alert, kind, now_ms=now_ms, person_id=person_id, detail=why)
    return True


def came_out(
    session: Session, alert: Alert, step_number: int, *, failed: bool, now_ms: int
) -> None:
    """Go on at once when the last thing that was tried turned out to reach nobody."""
    if failed and alert.state == "open" and alert.step == step_number:
        alert.next_step_at_ms = now_ms
        session.add(alert)
