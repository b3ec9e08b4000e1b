"""Rules tried out on what came in before: what would have been urgent, and what no longer.

Nothing is stored. Only messages of conversations that she may see are looked at.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from app.accounts.policy import Principal
from app.channels.models import Account
from app.inbox.models import Conversation, Message, Resident
from app.triage import service, silence
from app.triage.hours import MINUTE_MS
from app.triage.own_words import own_words
from app.triage.rules import Facts, Ruleset, judge

MAX_MESSAGES = 2_000
DAYS = 90
EXAMPLES = 10
SNIPPET_CHARS = 200
DAY_MS = 24 * 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Past:
    """A message that came in before; `recent` are the instants of it and its like before it."""

    message_id: str
    conversation_id: str
    number: int | None
    at_ms: int
    text: str
    channel: str
    sender: str
    name: str
    ticked: bool
    recent: tuple[int, ...]

    def facts(self, rules: Ruleset) -> Facts:
        """Return what rules would have known of it."""
        rule = rules.only("repeated")
        within = rule.minutes * MINUTE_MS if rule else 0
        return Facts(
            text=self.text,
            channel=self.channel,
            sender=self.sender,
            name=self.name,
            open=rules.hours.includes(service.local(self.at_ms)),
            ticked=self.ticked,
            recent={rule.minutes: sum(at > self.at_ms - within for at in self.recent)}
            if rule
            else {},
        )


def run(session: Session, who: Principal, draft: Ruleset, *, now_ms: int) -> dict[str, Any]:
    """Return how many past messages are urgent by the live rules and by these, with examples."""
    live = service.live(session).rules
    past = _past(session, who, now_ms)
    before = after = 0
    more: list[dict[str, Any]] = []
    fewer: list[dict[str, Any]] = []
    for message in past:
        old, new = judge(live, message.facts(live)), judge(draft, message.facts(draft))
        before += old.urgent
        after += new.urgent
        if old.urgent != new.urgent:
            (more if new.urgent else fewer).append(_example(message, old.why, new.why))
    return {
        "messages": len(past),
        "since_ms": min((message.at_ms for message in past), default=None),
        "before": before,
        "after": after,
        "more": len(more),
        "fewer": len(fewer),
        "examples": {"more": more[-EXAMPLES:][::-1], "fewer": fewer[-EXAMPLES:][::-1]},
        "silent": {
            "before": silence.count(session, who.areas, live, now_ms=now_ms),
            "after": silence.count(session, who.areas, draft, now_ms=now_ms),
        },
    }


def _example(message: Past, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {
        "conversation": message.conversation_id,
        "message": message.message_id,
        "number": message.number,
        "at_ms": message.at_ms,
        "text": _around(message.text, str(after.get("word") or before.get("word") or "")),
        "name": message.name,
        "before": before,
        "after": after,
    }


def _around(text: str, word: str) -> str:
    """Return the part of a text in which a word stands, if it is found as it was spelled."""
    line = " ".join(text.split())
    at = line.lower().find(word.lower()) if word else 0
    start = max(0, at - SNIPPET_CHARS // 2)
    end = start + SNIPPET_CHARS
    return ("…" if start else "") + line[start:end] + ("…" if end < len(line) else "")


def _past(session: Session, who: Principal, now_ms: int) -> list[Past]:
    """Return the newest messages from residents that she may see, the oldest first."""
    if not who.may("read"):
        return []
    query = (
        select(Message, Conversation, Account.kind, Resident.kind)
        .join(Conversation, col(Conversation.id) == col(Message.conversation_id))
        .join(Account, col(Account.id) == col(Conversation.account_id))
        .join(Resident, col(Resident.id) == col(Conversation.resident_id))
        .where(
            col(Conversation.area).in_(sorted(who.areas)),
            col(Conversation.erased_at_ms).is_(None),
            col(Conversation.why_not).is_distinct_from("robot"),
            col(Message.direction).in_(["in", "out"]),
            col(Message.erased_at_ms).is_(None),
            col(Message.accepted_at_ms) > now_ms - DAYS * DAY_MS,
        )
        .order_by(col(Message.accepted_at_ms).desc(), col(Message.position).desc())
        .limit(MAX_MESSAGES)
    )
    return list(_one_by_one(reversed(session.exec(query).all())))


def _one_by_one(rows: Iterable[tuple[Message, Conversation, str, str]]) -> Iterator[Past]:
    unanswered: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=service.MAX_COUNTED))
    for message, conversation, channel, sender in rows:
        recent = unanswered[conversation.id]
        if message.direction == "out":
            recent.clear()
            continue
        recent.append(message.accepted_at_ms)
        # A form has no subject of its own: it is made of the first words.
        subject = conversation.subject if channel == "email" and message.position == 1 else ""
        yield Past(
            message_id=message.id,
            conversation_id=conversation.id,
            number=conversation.number,
            at_ms=message.accepted_at_ms,
            text=own_words(message.text, subject),
            channel=channel,
            sender=sender,
            name=message.sender_name or "",
            ticked=(message.event or {}).get("what") == "ticked",
            recent=tuple(recent),
        )
