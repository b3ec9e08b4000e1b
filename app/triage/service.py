"""What the rules make of a message, written down; and what a person makes of that.

Works inside the caller's transaction.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, delete, select

from app.db import flush_rows, insert_later, touch
from app.i18n import ZONE
from app.ids import uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation, Message, Resident
from app.triage.defaults import BODY
from app.triage.hours import MINUTE_MS, began
from app.triage.models import TriageRules, TriageVerdict
from app.triage.own_words import own_words
from app.triage.rules import NOTHING, Facts, Rule, Ruleset, Verdict, judge, ruleset

KEPT = 4
"""Rulesets that are kept ready; a live one never changes."""
MAX_COUNTED = 200

_SHORT = {
    "ticked": "door inwoner aangevinkt",
    "every": "volgens de regels",
    "repeated": "{times} berichten",
    "no_reaction": "geen reactie",
}
"""The reason in a word, for phones that do not know verdicts yet."""


@dataclass(frozen=True, slots=True)
class Live:
    """The rules that hold now; version 0 are those that Stoep comes with."""

    version: int
    rules: Ruleset


DEFAULT = Live(0, ruleset(BODY))
_ready: dict[str, Live] = {}


@lru_cache(maxsize=1)
def zone() -> ZoneInfo:
    """Return the municipality's own time."""
    return ZoneInfo(ZONE)


def live(session: Session) -> Live:
    """Return the rules that hold now."""
    current = session.exec(select(TriageRules.id).where(TriageRules.state == "live")).first()
    if current is None:
        return DEFAULT
    if current not in _ready:
        row = session.get_one(TriageRules, current)
        if len(_ready) >= KEPT:
            _ready.clear()
        _ready[current] = Live(row.version, ruleset(row.body))
    return _ready[current]


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that has just come in."""

    message_id: str
    channel: str
    text: str
    subject: str = ""
    name: str = ""
    ticked: bool = False


def consider(session: Session, conversation: Conversation, heard: Heard, *, now_ms: int) -> Verdict:
    """Judge a message and make its conversation urgent when the rules say so.

    The message must have been received into the conversation. A conversation that is urgent already
    keeps the reason it has.
    """
    current = live(session)
    verdict = judge(current.rules, _facts(session, conversation, heard, current, now_ms))
    if verdict.urgent:
        conversation.urgent_position = conversation.in_position
    if verdict is not NOTHING and not conversation.urgent:
        _write_down(session, conversation, verdict, heard.message_id, current.version, now_ms)
    return verdict


def reconsider(
    session: Session, conversation: Conversation, heard: Heard, before: str, *, now_ms: int
) -> None:
    """Judge a message that was edited at its channel; `before` is what it said.

    Only what the edit brought counts: what stood there before was judged, and perhaps corrected by
    a person. Nothing becomes calm by an edit; somebody may have been woken. A conversation that is
    urgent already keeps its reason, and whoever took it hears of the danger that the edit tells of.
    One that was closed is open again, or nobody would look.
    """
    current = live(session)
    facts = _facts(session, conversation, heard, current, now_ms)
    verdict = judge(current.rules, facts)
    earlier = judge(current.rules, replace(facts, text=own_words(before, heard.subject)))
    news = (verdict.rule, verdict.why) != (earlier.rule, earlier.why)
    if not verdict.urgent or not news:
        return
    if conversation.status == "closed":
        inbox.change(session, conversation, "status", "reopened", by=None, now_ms=now_ms)
    # The edit's own place in the timeline, which is behind all that anybody knew before it.
    conversation.urgent_position = conversation.position
    touch(session, "conversation", conversation.id)
    if not conversation.urgent:
        _write_down(session, conversation, verdict, heard.message_id, current.version, now_ms)


def _facts(
    session: Session, conversation: Conversation, heard: Heard, current: Live, now_ms: int
) -> Facts:
    resident = session.get(Resident, conversation.resident_id)
    return Facts(
        text=own_words(heard.text, heard.subject),
        channel=heard.channel,
        sender=resident.kind if resident else "resident",
        name=heard.name,
        open=current.rules.hours.includes(local(now_ms)),
        ticked=heard.ticked,
        recent=_recent(session, conversation, current.rules.only("repeated"), now_ms),
    )


def local(at_ms: int) -> datetime:
    """Return an instant on the municipality's clock."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone())


def _recent(
    session: Session, conversation: Conversation, rule: Rule | None, now_ms: int
) -> dict[int, int]:
    """Return how many messages came in since our last one, within the minutes of the rule."""
    if rule is None:
        return {}
    if conversation.position == 1:
        return {rule.minutes: 1}
    flush_rows(session)
    query = (
        select(Message.direction)
        .where(
            Message.conversation_id == conversation.id,
            Message.accepted_at_ms > now_ms - rule.minutes * MINUTE_MS,
            col(Message.direction).in_(["in", "out"]),
        )
        .order_by(col(Message.position).desc())
        .limit(MAX_COUNTED)
    )
    return {rule.minutes: leading(session.exec(query).all())}


def leading(directions: Any) -> int:
    """Return how many messages came in after the last that went out; the newest is first."""
    count = 0
    for direction in directions:
        if direction != "in":
            break
        count += 1
    return count


def _write_down(
    session: Session,
    conversation: Conversation,
    verdict: Verdict,
    message_id: str | None,
    version: int,
    now_ms: int,
) -> None:
    if verdict.urgent:
        inbox.set_urgent(session, conversation, True, _short(verdict.why), by=None, now_ms=now_ms)
    conversation.verdict = _shown(verdict.rule, verdict.why, verdict.urgent, None, now_ms)
    touch(session, "conversation", conversation.id)
    _keep(session, conversation.id, verdict, message_id, version, now_ms)


def _shown(
    rule: str | None, why: dict[str, Any], urgent: bool, by: str | None, now_ms: int
) -> dict[str, Any]:
    """Return a verdict as the phone knows it; `urgent` is what the rules said, whoever is `by`."""
    return {"rule": rule, "why": why, "urgent": urgent, "by": by, "at_ms": now_ms}


def _short(why: dict[str, Any]) -> str:
    return str(why["word"]) if why["code"] == "word" else _SHORT[why["code"]].format(**why)


def _keep(
    session: Session,
    conversation_id: str,
    verdict: Verdict,
    message_id: str | None,
    version: int,
    now_ms: int,
    *,
    corrected_by: str | None = None,
) -> None:
    flush_rows(session)
    row = {
        "id": uuid7(now_ms),
        "message_id": message_id,
        "conversation_id": conversation_id,
        "version": version,
        "urgent": verdict.urgent,
        "rule": verdict.rule,
        "why": verdict.why,
        "at_ms": now_ms,
        "corrected_to": None if corrected_by is None else not verdict.urgent,
        "corrected_by": corrected_by,
        "corrected_at_ms": None if corrected_by is None else now_ms,
    }
    insert_later(session, TriageVerdict, row)


def silent(session: Session, conversation: Conversation, verdict: Verdict, *, now_ms: int) -> None:
    """Make a conversation urgent to which nobody reacted in time, once for what has come in."""
    conversation.overdue_position = conversation.in_position
    _write_down(session, conversation, verdict, None, live(session).version, now_ms)


def correct(
    session: Session, conversation: Conversation, urgent: bool, *, by: str, now_ms: int
) -> None:
    """Write down that a person set or took away the urgency, and count it against its rule.

    Back to what the rules had said is no correction any more.
    """
    flush_rows(session)
    newest = session.exec(
        select(TriageVerdict)
        .where(TriageVerdict.conversation_id == conversation.id)
        .order_by(col(TriageVerdict.at_ms).desc(), col(TriageVerdict.id).desc())
    ).first()
    touch(session, "conversation", conversation.id)
    if not urgent and is_overdue(live(session).rules, conversation, now_ms):
        # She has seen that it waits; until something new comes in, that is no news.
        conversation.overdue_position = conversation.in_position
    if newest is None or conversation.verdict is None:
        conversation.verdict = None
        if urgent:
            version = live(session).version
            _keep(session, conversation.id, NOTHING, None, version, now_ms, corrected_by=by)
            conversation.verdict = _shown(None, NOTHING.why, False, by, now_ms)
        return
    different = urgent != newest.urgent
    newest.corrected_to = urgent if different else None
    newest.corrected_by = by if different else None
    newest.corrected_at_ms = now_ms if different else None
    conversation.verdict = conversation.verdict | {"by": by if different else None}
    if newest.rule is None and not different:
        conversation.verdict = None


def is_overdue(rules: Ruleset, conversation: Conversation, now_ms: int) -> bool:
    """Say whether a conversation has waited longer than the rules allow."""
    rule = rules.only("no_reaction")
    since_ms = conversation.waiting_since_ms
    return rule is not None and since_ms is not None and since_ms <= cutoff(rules, rule, now_ms)


def cutoff(rules: Ruleset, rule: Rule, now_ms: int) -> int:
    """Return the instant since when, or longer, a conversation has waited too long."""
    hours = rules.hours if rule.open_hours else None
    return began(hours, now_ms, rule.minutes, zone())


def marked_by_hand(conversation: Conversation, *, by: str, now_ms: int) -> None:
    """Write down that a person found it urgent when she noted it."""
    conversation.verdict = _shown(None, {"code": "person"}, True, by, now_ms)


def forget(session: Session, conversation: Conversation) -> None:
    """Forget what was found in the words of a resident who had them erased."""
    conversation.verdict = None
    session.exec(delete(TriageVerdict).where(col(TriageVerdict.conversation_id) == conversation.id))
