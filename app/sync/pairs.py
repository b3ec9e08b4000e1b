"""Pairs of residents as the phones know them: only where somebody sees conversations of both.

One row for each two areas, in which `scope` is the area of the one and `also` that of the other:
who does not see both is never told that there is a pair.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select

from app.inbox.models import Conversation
from app.residents.models import Pair
from app.residents.service import Spot, spots
from app.sync.models import Change

Row = dict[str, Any]


def rows(session: Session, ids: Sequence[str]) -> list[Row]:
    """Return one row for each two areas of these pairs: `same:<pair>@<area>+<area>`.

    Where a pair is not to be known any more its row goes; that comes first, because who sees both
    places keeps what came last.
    """
    found = session.exec(
        select(Pair).where(col(Pair.id).in_(ids)),
        execution_options={"populate_existing": True},
    ).all()
    where = spots(session, found)
    standing: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for change in session.exec(
        select(Change).where(
            col(Change.conversation_id).in_(ids),
            Change.kind == "same",
            col(Change.body).not_like('%"gone":true%'),
        )
    ):
        place = (change.key, change.scope, change.also or change.scope)
        standing[change.conversation_id].append(place)
    pairs = {pair.id: pair for pair in found}
    left: list[Row] = []
    right: list[Row] = []
    for pair_id in ids:
        here = where.get(pair_id, {})
        keys = {_key(pair_id, a, b) for a, b in here}
        left += [
            _row(key, pair_id, a, b, {"id": pair_id, "gone": True})
            for key, a, b in sorted(standing[pair_id])
            if key not in keys
        ]
        right += [
            _row(_key(pair_id, a, b), pair_id, a, b, _state(pairs[pair_id], a, b, spot))
            for (a, b), spot in sorted(here.items())
        ]
    return left + right


def conversations(session: Session, ids: Sequence[str]) -> list[str]:
    """Return the conversations that decide where these pairs are to be known."""
    pairs = session.exec(select(Pair.a_id, Pair.b_id).where(col(Pair.id).in_(ids))).all()
    residents = {resident for pair in pairs for resident in pair}
    query = select(Conversation.id).where(col(Conversation.resident_id).in_(residents))
    return list(session.exec(query))


def _key(pair_id: str, a: str, b: str) -> str:
    return f"same:{pair_id}@{a}+{b}"


def _row(key: str, pair_id: str, a: str, b: str, state: Row) -> Row:
    return {
        "key": key,
        "scope": a,
        "also": b,
        "kind": "same",
        "conversation_id": pair_id,
        "state": state,
    }


def _state(pair: Pair, a: str, b: str, spot: Spot) -> Row:
    return {
        "id": pair.id,
        "a": pair.a_id,
        "b": pair.b_id,
        "a_c": spot.a,
        "b_c": spot.b,
        "in": [a, b],
        "verdict": pair.verdict,
        "why": spot.reason.kind if spot.reason else "",
        "value": spot.reason.value if spot.reason else "",
        "by": pair.said_by,
        "at_ms": pair.said_at_ms,
    }
