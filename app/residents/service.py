"""Clues kept as messages come in, pairs suggested for them, and what people said of a pair.

Nothing here moves a conversation or an address to another resident. Works inside the caller's
transaction; that conversations of a pair do not move meanwhile is the feed's to see to.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select as sql_select
from sqlalchemy import text
from sqlmodel import Session, col, delete, or_, select

from app.db import touch, wait_for_turn
from app.ids import uuid7
from app.inbox.models import Conversation, Message
from app.residents import rules
from app.residents.models import Clue, Pair

VERDICTS = ("open", "same", "different")
MOST_TOGETHER = 100
"""Residents that are looked at to see whom somebody is one with."""

REREAD = 200
"""Messages of a conversation, the newest first, that are read again when one changed."""

_MERGES = 7_240_127
"""The name of PostgreSQL's lock under which residents are joined, one decision at a time."""

_SUGGEST = text(
    "INSERT INTO resident_pair (id, a_id, b_id, verdict, found_at_ms)"
    " VALUES (:id, :a, :b, 'open', :now) ON CONFLICT (a_id, b_id) DO NOTHING"
)


class Refused(Exception):
    """This cannot be said of the pair any more; `reason` is a code of the phone's words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Heard:
    """One message that came in: the channel, the name over it, and its words."""

    message_id: str
    channel: str
    text: str
    name: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Spot:
    """Two areas that a pair is in together: who sees both may know of it.

    `a` and `b` are the newest conversations there by which that can be seen.
    """

    a: str
    b: str
    reason: rules.Reason | None


def notice(
    session: Session,
    conversation: Conversation,
    heard: Heard,
    *,
    now_ms: int,
    begins: bool | None = None,
) -> None:
    """Keep what tells who wrote a message, and suggest whom she may be the same as.

    `begins` says that it is the first from her in this conversation, and is looked up when None.
    The message must have been flushed.
    """
    clues = set(rules.said(heard.text))
    begins = conversation.in_position <= 1 if begins is None else begins
    if clues:
        # What stands under each of her mails is read once a conversation.
        known = select(Clue.kind, Clue.value).where(Clue.conversation_id == conversation.id)
        before = set(session.exec(known))
        clues = {clue for clue in clues if (clue.kind, clue.value) not in before}
    if begins:
        own = rules.own(
            heard.channel, conversation.address or "", phone=heard.phone, name=heard.name
        )
        hers = {(clue.kind, clue.value) for clue in own}
        clues = {clue for clue in clues if (clue.kind, clue.value) not in hers} | own
    for clue in sorted(clues, key=lambda one: (one.kind, one.value)):
        session.add(
            Clue(
                id=uuid7(now_ms),
                conversation_id=conversation.id,
                message_id=None if clue.own else heard.message_id,
                kind=clue.kind,
                value=clue.value,
                own=clue.own,
            )
        )
    session.flush()
    for clue in sorted(clues, key=lambda one: (one.kind, one.value)):
        for other in _others(session, conversation, clue):
            _suggest(session, conversation.resident_id, other, now_ms)
    if clues or begins:
        # A pair that is known already may from now on concern other areas, or have another reason.
        touch_pairs(session, conversation.resident_id)


def _others(session: Session, conversation: Conversation, clue: rules.Clue) -> list[str]:
    """Return the residents who have this clue too; nobody when so many do that it says nothing."""
    query = (
        sql_select(col(Conversation.resident_id), col(Conversation.area), col(Clue.own))
        .join(Conversation, col(Conversation.id) == col(Clue.conversation_id))
        .where(
            col(Clue.kind) == clue.kind,
            col(Clue.value) == clue.value,
            col(Conversation.resident_id) != conversation.resident_id,
            col(Conversation.erased_at_ms).is_(None),
        )
        # What thousands have says nothing, and must not be read for each of them.
        .limit(200)
    )
    if clue.kind == "name":
        query = query.where(col(Conversation.area) == conversation.area)
    found = session.execute(query).all()
    residents = {resident for resident, _, _ in found}
    if len(residents) >= rules.SHARED_BY_MOST:
        return []
    return sorted(
        {
            resident
            for resident, area, own in found
            if rules.why(
                [clue],
                [rules.Clue(clue.kind, clue.value, own)],
                same_area=area == conversation.area,
            )
        }
    )


def _suggest(session: Session, one: str, other: str, now_ms: int) -> None:
    a, b = sorted((one, other))
    session.execute(_SUGGEST, {"id": uuid7(now_ms), "a": a, "b": b, "now": now_ms})


def touch_pairs(session: Session, resident_id: str) -> None:
    """Have the feed say anew what is to be known of a resident's pairs."""
    query = select(Pair.id).where(or_(Pair.a_id == resident_id, Pair.b_id == resident_id))
    for pair_id in session.exec(query.order_by(col(Pair.id))):
        touch(session, "same", pair_id)


def reword(session: Session, conversation: Conversation, channel: str, *, now_ms: int) -> None:
    """Read a conversation's words again: its writer edited one of her messages or took it away."""
    session.exec(
        delete(Clue).where(col(Clue.conversation_id) == conversation.id, col(Clue.own).is_(False))
    )
    touch_pairs(session, conversation.resident_id)
    query = (
        select(Message.id, Message.text)
        .where(Message.conversation_id == conversation.id, Message.direction == "in")
        .order_by(col(Message.position).desc())
        .limit(REREAD)
    )
    for message_id, words in session.exec(query).all():
        heard = Heard(message_id, channel, words)
        notice(session, conversation, heard, now_ms=now_ms, begins=False)


def forget(session: Session, conversation: Conversation) -> None:
    """Forget what a conversation told of its resident. Call it before she herself is forgotten."""
    session.exec(delete(Clue).where(col(Clue.conversation_id) == conversation.id))
    touch_pairs(session, conversation.resident_id)


def spots(session: Session, pairs: Sequence[Pair]) -> dict[str, dict[tuple[str, str], Spot]]:
    """Return by pair where it is to be known: in which two areas, the first those of `a_id`.

    What was said to be the same is known wherever both have conversations; a suggestion only where
    the conversations themselves give a reason for it.
    """
    residents = {one for pair in pairs for one in (pair.a_id, pair.b_id)}
    living = sql_select(
        col(Conversation.id), col(Conversation.resident_id), col(Conversation.area)
    ).where(col(Conversation.resident_id).in_(residents), col(Conversation.erased_at_ms).is_(None))
    # By resident and area; the newest conversation comes last.
    of: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for conversation, resident, area in session.execute(living.order_by(col(Conversation.id))):
        of[resident][area].append(conversation)
    clues = _clues(session, [one for areas in of.values() for ids in areas.values() for one in ids])
    return {
        pair.id: {
            (a, b): Spot(ours[-1], theirs[-1], reason)
            for a, ours in of[pair.a_id].items()
            for b, theirs in of[pair.b_id].items()
            for reason in [
                rules.why(
                    {clue for one in ours for clue in clues[one]},
                    {clue for one in theirs for clue in clues[one]},
                    same_area=a == b,
                )
            ]
            if reason or pair.verdict == "same"
        }
        for pair in pairs
    }


def _clues(session: Session, conversations: list[str]) -> dict[str, list[rules.Clue]]:
    found: dict[str, list[rules.Clue]] = defaultdict(list)
    for start in range(0, len(conversations), 500):
        some = conversations[start : start + 500]
        query = select(Clue).where(col(Clue.conversation_id).in_(some))
        for clue in session.exec(query):
            found[clue.conversation_id].append(rules.Clue(clue.kind, clue.value, clue.own))
    return found


def one_at_a_time(session: Session) -> None:
    """Wait for whoever is joining residents now; call it before anything else is locked.

    Two who join A with B and B with C at once would otherwise make one of three whom nobody saw
    together.
    """
    wait_for_turn(session, _MERGES)


def decide(
    session: Session,
    conversation: Conversation,
    pair_id: str,
    verdict: str,
    *,
    was: str,
    among: Collection[str],
    areas: Collection[str],
    by: str,
    now_ms: int,
) -> None:
    """Write down what a person says of a pair that she saw as `was`, or take it back with "open".

    `among` are the residents that her phone showed as one with either; `areas` is what she sees.
    Raises Refused: pair_gone (nothing to say any more, or not hers), pair_decided (a colleague said
    otherwise), residents_changed (one of them is one with somebody else meanwhile),
    pair_contradicts (a colleague said that two of those are different people).
    """
    pair = session.get(Pair, pair_id, with_for_update=True)
    if pair is None or conversation.resident_id not in {pair.a_id, pair.b_id}:
        raise Refused("pair_gone")
    here = spots(session, [pair])[pair.id]
    if not any(a in areas and b in areas for a, b in here):
        raise Refused("pair_gone")
    if pair.verdict == verdict:
        return
    if pair.verdict != was:
        raise Refused("pair_decided")
    if verdict == "same":
        _check_group(session, pair, set(among), areas)
    pair.verdict, pair.said_by, pair.said_at_ms = verdict, by, now_ms
    session.flush()
    touch(session, "same", pair.id)


def joined(
    session: Session, residents: Sequence[str], areas: Collection[str]
) -> dict[str, set[str]]:
    """Return whom each of these is one with, as far as who sees these areas may know."""
    having: set[str] = set()
    for start in range(0, len(residents), 500):
        for pair in _pairs_of(session, residents[start : start + 500], "same"):
            having |= {pair.a_id, pair.b_id}
    return {one: _one_with(session, one, areas) - {one} for one in residents if one in having}


def _check_group(session: Session, pair: Pair, among: set[str], areas: Collection[str]) -> None:
    """See to it that she joins whom she saw, and nobody whom a colleague kept apart."""
    hers, theirs = (_one_with(session, one, areas) for one in (pair.a_id, pair.b_id))
    if not hers | theirs <= among | {pair.a_id, pair.b_id}:
        raise Refused("residents_changed")
    apart = [other for other in _pairs_of(session, hers, "different") if other.id != pair.id]
    seen = _visible(session, apart, areas)
    if any(
        {one.a_id, one.b_id} & hers and {one.a_id, one.b_id} & theirs
        for one in apart
        if one.id in seen
    ):
        raise Refused("pair_contradicts")


def _one_with(session: Session, resident_id: str, areas: Collection[str]) -> set[str]:
    """Return whom a resident is one with, as far as who sees these areas may know."""
    found = {resident_id}
    fresh = set(found)
    while fresh and len(found) <= MOST_TOGETHER:
        joined = _pairs_of(session, fresh, "same")
        seen = _visible(session, joined, areas)
        reached = rules.together(
            found, [(pair.a_id, pair.b_id) for pair in joined if pair.id in seen]
        )
        fresh, found = reached - found, reached
    return found


def _pairs_of(session: Session, residents: Iterable[str], verdict: str) -> Sequence[Pair]:
    ids = sorted(residents)
    query = select(Pair).where(
        Pair.verdict == verdict, or_(col(Pair.a_id).in_(ids), col(Pair.b_id).in_(ids))
    )
    return session.exec(query.order_by(col(Pair.id))).all()


def _visible(session: Session, pairs: Sequence[Pair], areas: Collection[str]) -> set[str]:
    where = spots(session, pairs) if pairs else {}
    return {pair for pair, here in where.items() if any(a in areas and b in areas for a, b in here)}
