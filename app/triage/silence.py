"""Conversations to which nobody reacted within the response target.

Nothing sleeps until a conversation is due: when the target began is worked out anew each time, and
an index on how long conversations wait tells which are past it. So changed rules hold at once, and
a restart misses nothing.
"""

from collections.abc import Collection
from typing import Any

from sqlmodel import Session, col, func, select

from app.channels.models import Account
from app.inbox.models import Conversation, Resident
from app.rounds import Rounds
from app.triage import service
from app.triage.rules import Facts, Ruleset, unanswered

BATCH = 100


def _late(query: Any, rules: Ruleset, now_ms: int) -> Any | None:
    """Narrow a query to conversations that wait too long; None when the rules mind no silence."""
    rule = rules.only("no_reaction")
    facts = Facts(open=rules.hours.includes(service.local(now_ms)))
    if rule is None or (rule.when != "always" and (rule.when == "open") != facts.open):
        return None
    query = query.where(
        col(Conversation.waiting_since_ms) <= service.cutoff(rules, rule, now_ms),
        col(Conversation.urgent).is_(False),
        col(Conversation.overdue_position) < col(Conversation.in_position),
        # While it waits for the resident it does not wait for us.
        col(Conversation.status).not_in(["closed", "waiting"]),
        col(Conversation.why_not).is_distinct_from("robot"),
        col(Conversation.erased_at_ms).is_(None),
    )
    if rule.channels:
        channels = select(Account.id).where(col(Account.kind).in_(sorted(rule.channels)))
        query = query.where(col(Conversation.account_id).in_(channels))
    if rule.senders:
        senders = select(Resident.id).where(col(Resident.kind).in_(sorted(rule.senders)))
        query = query.where(col(Conversation.resident_id).in_(senders))
    return query


def count(session: Session, areas: Collection[str], rules: Ruleset, *, now_ms: int) -> int:
    """Return how many conversations of these areas would become urgent for silence now."""
    query = _late(select(func.count()).select_from(Conversation), rules, now_ms)
    if query is None:
        return 0
    found: int = session.exec(query.where(col(Conversation.area).in_(sorted(areas)))).one()
    return found


def any_late(session: Session, *, now_ms: int) -> bool:
    """Say whether some conversation is to become urgent."""
    query = _late(select(Conversation.id), service.live(session).rules, now_ms)
    return query is not None and session.exec(query.limit(1)).first() is not None


def mark(session: Session, *, now_ms: int) -> int:
    """Make conversations urgent that wait too long, those that wait longest first; how many."""
    rules = service.live(session).rules
    query = _late(select(Conversation), rules, now_ms)
    rule = rules.only("no_reaction")
    if query is None or rule is None:
        return 0
    query = query.order_by(col(Conversation.waiting_since_ms)).limit(BATCH)
    found = session.exec(query.with_for_update(skip_locked=True)).all()
    for conversation in found:
        service.silent(session, conversation, unanswered(rule), now_ms=now_ms)
    return len(found)


class Sweep(Rounds):
    """Looks now and then for conversations that wait too long."""

    every_s = 30.0
    looks_for = "looking for silence"

    async def once(self) -> int:
        """Mark all that wait too long now; how many. Writes only when there is something."""
        total = 0
        while await self._db.read(lambda session: any_late(session, now_ms=self._clock.now_ms())):
            marked = await self._db.write(
                lambda session: mark(session, now_ms=self._clock.now_ms())
            )
            total += marked
            if not marked:
                break  # another process holds them
        return total
