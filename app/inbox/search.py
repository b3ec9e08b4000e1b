"""Full-text search over everything that was said: FTS5 on SQLite, `dutch` on PostgreSQL.

The index is kept by the database itself (triggers, an index on an expression: see the first
migration), so no code path can forget it.
"""

import json
import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import String, bindparam, text
from sqlmodel import Session

_SQLITE = text(
    "SELECT c.id, ch.body, m.text FROM message_search s"
    " JOIN message m ON m.id = s.message_id JOIN conversation c ON c.id = m.conversation_id"
    " JOIN change ch ON ch.key = 'c:' || c.id"
    " WHERE message_search MATCH :query AND c.area IN :areas ORDER BY s.rank LIMIT :limit"
).bindparams(bindparam("areas", expanding=True, type_=String))
_POSTGRESQL = text(
    "SELECT c.id, ch.body, m.text FROM message m JOIN conversation c ON c.id = m.conversation_id"
    " JOIN change ch ON ch.key = 'c:' || c.id"
    " WHERE to_tsvector('dutch', m.text) @@ to_tsquery('dutch', :query) AND c.area IN :areas"
    " ORDER BY ts_rank(to_tsvector('dutch', m.text), to_tsquery('dutch', :query)) DESC, m.id DESC"
    " LIMIT :limit"
).bindparams(bindparam("areas", expanding=True, type_=String))

_FORGET = text("INSERT INTO message_search (message_search) VALUES ('optimize')")

SNIPPET_CHARS = 160
MESSAGES_A_RESULT = 5
"""A conversation may match in many messages: so many more are read than results are wanted."""


def find(session: Session, areas: Collection[str], query: str, limit: int) -> list[dict[str, Any]]:
    """Return [{head, snippet}] of conversations with all the words; a word may be a beginning."""
    words = re.findall(r"\w+", query)[:10]
    if not words or not areas:
        return []
    if session.get_bind().dialect.name == "sqlite":
        statement, phrase = _SQLITE, " ".join(f'"{word}"*' for word in words)
    else:
        statement, phrase = _POSTGRESQL, " & ".join(f"{word}:*" for word in words)
    params = {"query": phrase, "areas": sorted(areas), "limit": limit * MESSAGES_A_RESULT}
    results: dict[str, dict[str, Any]] = {}
    for conversation_id, head, said in session.execute(statement, params):
        if conversation_id not in results and len(results) < limit:
            snippet = snippet_around(said, words)
            results[conversation_id] = {"head": json.loads(head), "snippet": snippet}
    return list(results.values())


def snippet_around(said: str, words: list[str]) -> str:
    """Return the part of a text around the first word that was asked for, on one line."""
    flat = " ".join(said.split())
    at = min((i for word in words if (i := flat.lower().find(word.lower())) >= 0), default=0)
    start = max(0, at - SNIPPET_CHARS // 3)
    cut = flat[start : start + SNIPPET_CHARS]
    return ("…" if start else "") + cut + ("…" if start + SNIPPET_CHARS < len(flat) else "")


def forget(session: Session) -> None:
    """Let the index forget words that were erased from the messages.

    FTS5 only marks them as gone until its segments are merged; PostgreSQL's index holds none of its
    own. Call it after the change has reached the table.
    """
    if session.get_bind().dialect.name == "sqlite":
        session.execute(_FORGET)
