"""The feed: one row an entity, its newest state already serialised, in the order of commits.

`publish` runs just before a commit. It allots sequence numbers from one locked row, so that on any
database a number becomes visible only after every lower one: a reader can never skip a change that
commits late.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import String, TextClause, bindparam, text
from sqlmodel import Session

from app.db import FEED, departures, flush_rows, touched
from app.sync import entities, pairs

_DENSE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_UPSERT = text(
    "INSERT INTO change (key, seq, scope, also, kind, conversation_id, body)"
    " VALUES (:key, :seq, :scope, :also, :kind, :conversation_id, :body)"
    " ON CONFLICT (key) DO UPDATE SET seq = excluded.seq, scope = excluded.scope,"
    " also = excluded.also, body = excluded.body"
)
_ALLOT = text(
    "UPDATE feed_head SET seq = seq + :rows, number = number + :conversations WHERE id = 1"
    " RETURNING seq, number"
)
_NUMBER = text(
    "UPDATE conversation SET number = :number, last_seq = :last_seq WHERE id = :conversation"
)
_LOCK_CONVERSATIONS = text(
    "SELECT id FROM conversation WHERE id = ANY(:conversations)"
    " OR id IN (SELECT conversation_id FROM message WHERE id = ANY(:messages))"
    " ORDER BY id FOR UPDATE"
)
_LOCK_HEAD = text("SELECT id FROM feed_head WHERE id = 1 FOR UPDATE")
_PULL = text(
    "SELECT seq, key, conversation_id, body FROM change"
    " WHERE scope IN :scopes AND seq > :after AND (also IS NULL OR also IN :scopes)"
    " ORDER BY seq LIMIT :limit"
).bindparams(bindparam("scopes", expanding=True, type_=String))


def publish(session: Session, written: entities.Written | None = None) -> int:
    """Write the newest state of all that was touched; return the highest sequence number, or 0.

    `written` are rows that this transaction inserted itself: a message that was touched only by its
    own insertion is still what was inserted, and is not read again.
    Holds the lock on the feed's head from here to the commit, so it is called last. The lock comes
    before the reading: of two transactions that change one conversation (a colleague closes it,
    the worker notes that a reply was sent) the one that publishes later must also have read later,
    or it would put the older state over the newer one.
    """
    ids: dict[str, list[str]] = defaultdict(list)
    marks = touched(session)
    for kind, entity_id in marks:
        ids[kind].append(entity_id)
    left = departures(session)
    if not ids and not left:
        return 0
    flush_rows(session)
    _lock(session, ids)

    rows = [entities.tombstone(conversation, scope) for conversation, scope in left]
    for kind, build in entities.REFERENCES.items():
        if kind in ids:
            rows += build(session, ids[kind])
    rows += entities.read_marks(session, ids["read"])
    fresh = written.messages(marks) if written else {}
    messages = [
        *fresh.values(),
        *entities.messages(session, [one for one in ids["message"] if one not in fresh]),
    ]
    changed = dict.fromkeys(ids["conversation"])
    changed |= dict.fromkeys(message["conversation_id"] for message in messages)
    heads = entities.conversations(session, list(changed))
    scope_of = {head["conversation_id"]: head["scope"] for head in heads}
    of_conversation: dict[str, list[entities.Row]] = defaultdict(list)
    for message in messages:
        message["scope"] = scope_of[message["conversation_id"]]
        of_conversation[message["conversation_id"]].append(message)
    # A head comes after its messages: its number is the highest of all its conversation's rows,
    # which is how a phone tells whether a whole conversation is older than a tombstone. It comes
    # right after them, because what it repeats of them then costs nothing when compressed.
    for head in heads:
        rows += [*of_conversation[head["conversation_id"]], head]

    unnumbered = [head["state"] for head in heads if head["state"]["number"] is None]
    allotted = session.execute(_ALLOT, {"rows": len(rows), "conversations": len(unnumbered)}).one()
    for number, state in enumerate(unnumbered, allotted.number - len(unnumbered) + 1):
        state["number"] = number
    numbers = []
    for seq, row in enumerate(rows, allotted.seq - len(rows) + 1):
        state = row.pop("state")
        row["seq"] = seq
        row.setdefault("also", None)
        row["body"] = dump({"s": seq} | state)
        if row["kind"] == "conversation":
            numbers.append(
                {"number": state["number"], "last_seq": seq, "conversation": state["id"]}
            )
    _write(session, _UPSERT, rows)
    if numbers:
        _write(session, _NUMBER, numbers)
    seq = int(allotted.seq)
    if session.get_bind().dialect.name == "postgresql":
        session.execute(
            text("SELECT pg_notify(:channel, :seq)"), {"channel": FEED, "seq": str(seq)}
        )
    session.info["head"] = seq
    return seq


def _write(session: Session, statement: TextClause, rows: list[dict[str, Any]]) -> None:
    """Run a statement for many rows; SQLite's driver knows `:names` itself, and far quicker."""
    if session.get_bind().dialect.name == "sqlite":
        session.connection().exec_driver_sql(statement.text, rows)
    else:
        session.execute(statement, rows)


def _lock(session: Session, ids: dict[str, list[str]]) -> None:
    """Lock what is published, conversations before the head as everybody does, so none deadlock."""
    if session.get_bind().dialect.name != "postgresql":
        return  # one transaction writes at a time
    # Of a pair of residents the conversations decide who may know of it: none may move meanwhile.
    decisive = pairs.conversations(session, ids["same"]) if ids["same"] else []
    params = {"conversations": [*ids["conversation"], *decisive], "messages": ids["message"]}
    session.execute(_LOCK_CONVERSATIONS, params)
    session.execute(_LOCK_HEAD)


def pull(session: Session, scopes: Collection[str], after: int, limit: int) -> Sequence[Any]:
    """Return up to `limit` rows (seq, key, conversation_id, body) after a cursor, oldest first."""
    params = {"scopes": sorted(scopes), "after": after, "limit": limit}
    return session.execute(_PULL, params).all()


def dump(value: Any) -> str:
    """Serialise for the wire: compact, on one line, without escapes the reader does not need."""
    return _DENSE.encode(value)
