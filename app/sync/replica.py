"""The first filling of a phone: whole conversations, newest numbers first, ready to be stored.

A page is named by what is in it (which conversations, each at which sequence number), so that its
compressed form can be kept and handed to every phone that may see just these conversations. It is
never stale: a change to any of them gives the page another name.
"""

import hashlib
import json
import struct
import threading
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import String, bindparam, text
from sqlmodel import Session

from app.accounts.policy import Principal
from app.db import Database
from app.sync.entities import chunks
from app.sync.feed import dump

PAGE_CONVERSATIONS = 256
FIRST_CONVERSATIONS = 50
FEW = 8
FIRST_BYTES = 24_000
"""Messages that the first answer carries beside the heads, before compression."""

BROTLI_QUALITY = 7
"""The highest that takes no longer than gzip does at its usual level."""

BROTLI_WINDOW_BITS = 18
"""256 kB, which a whole answer fits; a larger window costs memory and finds no more."""

CACHE_BYTES = 24_000_000
MAX_FIRSTS = 16
MAX_NAMES = 2_000
DAY_MS = 86_400_000

# Closed long ago is found by searching, not kept on the phone.
_BELOW = text(
    "SELECT id, number, last_seq FROM conversation WHERE area IN :areas AND number < :before"
    " AND (status <> 'closed' OR activity_at_ms >= :cutoff) ORDER BY number DESC LIMIT :limit"
).bindparams(bindparam("areas", expanding=True, type_=String))
_BELOW_QUICK = """
SELECT id, number, last_seq FROM conversation WHERE area IN ({areas}) AND number < :before
   AND (status <> 'closed' OR activity_at_ms >= :cutoff) ORDER BY number DESC LIMIT :limit
"""
_BELOW_SQLITE = _BELOW_QUICK.format(areas="SELECT value FROM json_each(:areas)")
_BELOW_POSTGRESQL = _BELOW_QUICK.format(
    areas="SELECT json_array_elements_text(CAST(:areas AS json))"
)
_NEWEST = text(
    "SELECT id, number, last_seq FROM conversation WHERE area IN :areas"
    " AND (status <> 'closed' OR activity_at_ms >= :cutoff)"
    " ORDER BY activity_at_ms DESC, number DESC LIMIT :limit"
).bindparams(bindparam("areas", expanding=True, type_=String))
_TOTAL = text(
    "SELECT count(*), coalesce(max(number), 0) FROM conversation WHERE area IN :areas"
    " AND (status <> 'closed' OR activity_at_ms >= :cutoff)"
).bindparams(bindparam("areas", expanding=True, type_=String))
_ONE = text("SELECT id, number, last_seq FROM conversation WHERE id = :id AND area IN :areas")
_ONE = _ONE.bindparams(bindparam("areas", expanding=True, type_=String))
_BODIES = text(
    "SELECT conversation_id, kind, body FROM change"
    " WHERE conversation_id IN :ids AND kind IN ('conversation', 'message') ORDER BY seq"
).bindparams(bindparam("ids", expanding=True, type_=String))
_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
HEAD = "SELECT seq FROM feed_head WHERE id = 1"
_HEADS = text(
    "SELECT conversation_id, body FROM change"
    " WHERE conversation_id IN :ids AND kind = 'conversation'"
).bindparams(bindparam("ids", expanding=True, type_=String))
_MARKS_QUICK = """
SELECT seq, key, conversation_id, body FROM change
 WHERE kind = 'read' AND scope = :scope AND conversation_id IN ({shown}) ORDER BY seq
"""
_MARKS_SQLITE = _MARKS_QUICK.format(shown="SELECT value FROM json_each(:shown)")
_MARKS_POSTGRESQL = _MARKS_QUICK.format(
    shown="SELECT json_array_elements_text(CAST(:shown AS json))"
)
_REFERENCES = text("SELECT seq, key, conversation_id, body FROM change WHERE scope = 'all'")
_ROTA_QUICK = """
SELECT seq, key, conversation_id, body FROM change WHERE scope IN ({scopes}) ORDER BY seq
"""
_ROTA_SQLITE = _ROTA_QUICK.format(scopes="SELECT value FROM json_each(:scopes)")
_ROTA_POSTGRESQL = _ROTA_QUICK.format(
    scopes="SELECT json_array_elements_text(CAST(:scopes AS json))"
)
_PERSONAL = text(
    "SELECT seq, key, conversation_id, body FROM change WHERE scope IN :scopes"
    # Found as belonging to no conversation: by their scope alone all rows of her areas are read.
    " UNION ALL SELECT seq, key, conversation_id, body FROM change"
    " WHERE conversation_id = '' AND kind IN ('meeting', 'meetingq', 'meetingp')"
    " AND scope IN :areas"
    # Of a pair of residents she must see both areas.
    " UNION ALL SELECT seq, key, conversation_id, body FROM change"
    " WHERE also IN :areas AND scope IN :areas AND kind = 'same' ORDER BY seq"
).bindparams(
    bindparam("scopes", expanding=True, type_=String),
    bindparam("areas", expanding=True, type_=String),
)


@dataclass(frozen=True, slots=True)
class First:
    """What everybody with the same areas is shown first, at one head of the feed."""

    head: int
    counts: dict[str, Any]
    shown: str
    """The ids of its conversations, as JSON."""
    lines: bytes
    packed: bytes
    """`lines` as the end of a deflate stream."""


class PageCache:
    """Compressed pages by their content's name, the least used forgotten first."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._pages: OrderedDict[str, bytes] = OrderedDict()
        self._max_bytes = max_bytes
        self._bytes = 0
        # The loop reads while reading threads put.
        self._lock = threading.Lock()
        self._firsts: OrderedDict[tuple[frozenset[str], int], First] = OrderedDict()
        self._names: OrderedDict[tuple[Any, ...], str] = OrderedDict()

    def first(self, areas: frozenset[str], cutoff_ms: int, head: int) -> "First | None":
        """Return what is shown first in these areas, when it was made at this head of the feed."""
        found = self._firsts.get((areas, cutoff_ms))
        return found if found is not None and found.head == head else None

    def put_first(self, areas: frozenset[str], cutoff_ms: int, first: "First") -> None:
        """Keep what is shown first in these areas, instead of what was shown before."""
        self._firsts[areas, cutoff_ms] = first
        self._firsts.move_to_end((areas, cutoff_ms))
        if len(self._firsts) > MAX_FIRSTS:
            self._firsts.popitem(last=False)

    def named(self, walked: tuple[Any, ...]) -> bytes | None:
        """Return the page of a walk made at the same head of the feed, when it is still kept."""
        name = self._names.get(walked)
        return None if name is None else self.get(name)

    def put_name(self, walked: tuple[Any, ...], name: str) -> None:
        """Remember which page a walk met at a head of the feed."""
        self._names[walked] = name
        if len(self._names) > MAX_NAMES:
            self._names.popitem(last=False)

    def get(self, name: str) -> bytes | None:
        """Return a page, or None when it has to be made."""
        with self._lock:
            page = self._pages.get(name)
            if page is not None:
                self._pages.move_to_end(name)
            return page

    def put(self, name: str, page: bytes) -> None:
        """Keep a page; a page larger than the whole cache is not kept."""
        with self._lock:
            if name in self._pages or len(page) > self._max_bytes:
                return
            self._pages[name] = page
            self._bytes += len(page)
            while self._bytes > self._max_bytes:
                _, dropped = self._pages.popitem(last=False)
                self._bytes -= len(dropped)


def compress(data: bytes) -> bytes:
    """Return data as gzip (RFC 1952), the one encoding every browser and proxy takes."""
    squeezer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return squeezer.compress(data) + squeezer.flush()


def squeeze(data: bytes) -> bytes:
    """Return data as Brotli (RFC 7932), for what is sent once: a tenth smaller in the same time."""
    import brotli  # only where a phone asks

    squeezed: bytes = brotli.compress(
        data, mode=brotli.MODE_TEXT, quality=BROTLI_QUALITY, lgwin=BROTLI_WINDOW_BITS
    )
    return squeezed


def _compress_before(start: bytes, rest: bytes, packed: bytes) -> bytes:
    """Return `start` and `rest` as one gzip member, of which the rest was deflated earlier.

    A full flush ends on a whole byte and forgets what came before (RFC 1951, 3.2.3; zlib's manual,
    Z_FULL_FLUSH), so that what follows may have been made apart.
    """
    squeezer = zlib.compressobj(6, zlib.DEFLATED, -15)
    begun = squeezer.compress(start) + squeezer.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(rest, zlib.crc32(start))
    size = (len(start) + len(rest)) & 0xFFFFFFFF
    return _GZIP_HEAD + begun + packed + struct.pack("<II", crc, size)


def _deflate_end(data: bytes) -> bytes:
    squeezer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return squeezer.compress(data) + squeezer.flush()


def frame(header: dict[str, Any], lines: str) -> bytes:
    """Return an answer: the header's line, which counts and sums the bytes that follow it."""
    rest = _encoded(lines)
    return _headline(header, rest) + rest


def _headline(header: dict[str, Any], *rest: bytes) -> bytes:
    summing = hashlib.sha256()
    for piece in rest:
        summing.update(piece)
    return _encoded(dump(header | {"sum": summing.hexdigest()[:16]})) + b"\n"


def _encoded(lines: str) -> bytes:
    return lines.encode("utf-8", "surrogatepass")


def row_lines(rows: Sequence[Any]) -> str:
    """Return feed rows as lines: seq, key, conversation, body."""
    return "".join(
        f"{seq}\t{key}\t{conversation}\t{body}\n" for seq, key, conversation, body in rows
    )


def cutoff(now_ms: int, window_days: int) -> int:
    """Return the instant before which a closed conversation is no longer sent; the same all day."""
    return now_ms // DAY_MS * DAY_MS - window_days * DAY_MS


def walk_page(
    session: Session, cache: PageCache, areas: Collection[str], *, before: int, cutoff_ms: int
) -> bytes:
    """Return one compressed page of whole conversations with numbers below `before`."""
    params = {
        "areas": sorted(areas),
        "before": before,
        "cutoff": cutoff_ms,
        "limit": PAGE_CONVERSATIONS,
    }
    found = session.execute(_BELOW, params).all()
    name = _name(found)
    page = cache.get(name)
    if page is None:
        page = compress(_page(session, found))
        cache.put(name, page)
    return page


async def kept_page(
    db: Database, cache: PageCache, areas: Collection[str], *, before: int, cutoff_ms: int
) -> bytes | None:
    """Return the page that `walk_page` would, when it is kept: at the price of a short query.

    At the same head of the feed it is the same page; else one more query tells its name.
    """
    (head,) = (await db.all(HEAD, {}))[0]
    walked = (frozenset(areas), before, cutoff_ms, head)
    page = cache.named(walked)
    if page is not None:
        return page
    params = {
        "areas": json.dumps(sorted(areas)),
        "before": before,
        "cutoff": cutoff_ms,
        "limit": PAGE_CONVERSATIONS,
    }
    sql = _BELOW_SQLITE if db.is_sqlite else _BELOW_POSTGRESQL
    # Read after the head, so perhaps newer than it; then nobody asks for that head any more.
    name = _name(await db.all(sql, params))
    cache.put_name(walked, name)
    return cache.get(name)


def _name(found: Sequence[Any]) -> str:
    return hashlib.sha256(repr([(row[0], row[2]) for row in found]).encode()).hexdigest()


def _page(session: Session, found: Sequence[Any]) -> bytes:
    last = found[-1].number if len(found) == PAGE_CONVERSATIONS else None
    header = {"v": 1, "conversations": len(found), "next": last}
    return frame(header, _conversation_lines(session, found))


async def first_page(
    db: Database,
    cache: PageCache,
    *,
    areas: frozenset[str],
    who: Principal,
    cutoff_ms: int,
    header: dict[str, Any],
    gzip: bool,
) -> bytes:
    """Return what a new phone shows first: references, the newest heads, the newest few whole.

    The forward cursor starts at `head`, read in the same state of the database as all but her read
    marks and the rota, which are read after it: what they are ahead she is sent again. All but
    those is the same for everybody with her areas, so it is made and compressed once.
    """
    (head,) = (await db.all(HEAD, {}))[0]
    first = cache.first(areas, cutoff_ms, head)
    if first is None:
        first = await db.read(lambda session: _first(session, areas, cutoff_ms))
        cache.put_first(areas, cutoff_ms, first)
    sql = _MARKS_SQLITE if db.is_sqlite else _MARKS_POSTGRESQL
    marks = await db.all(sql, {"scope": f"person:{who.person_id}", "shown": first.shown})
    sql = _ROTA_SQLITE if db.is_sqlite else _ROTA_POSTGRESQL
    rota = await db.all(sql, {"scopes": json.dumps(sorted(who.rota_scopes))})
    hers = _encoded(row_lines([*rota, *marks]))
    counts = first.counts | {"refs": first.counts["refs"] + len(rota) + len(marks)}
    start = _headline(header | {"v": 1, "head": first.head} | counts, hers, first.lines) + hers
    if gzip:
        return _compress_before(start, first.lines, first.packed)
    return start + first.lines


def _first(session: Session, areas: frozenset[str], cutoff_ms: int) -> First:
    params = {"areas": sorted(areas), "cutoff": cutoff_ms, "limit": FIRST_CONVERSATIONS}
    found = session.execute(_NEWEST, params).all()
    total, highest = session.execute(_TOTAL, params).one()
    head = session.execute(text(HEAD)).scalar_one()
    # A guest's one scope is her meeting: what everybody here knows is not hers.
    is_guest = any("meeting:" in area for area in areas)
    references = [] if is_guest else session.execute(_REFERENCES).all()
    lines = _encoded(row_lines(references) + _first_lines(session, found))
    counts = {
        "refs": len(references),
        "conversations": len(found),
        "total": total,
        "next": highest + 1 if total else None,
    }
    shown = json.dumps([row.id for row in found])
    return First(head, counts, shown, lines, _deflate_end(lines))


def _first_lines(session: Session, found: Sequence[Any]) -> str:
    """Return all heads, and the messages of the newest conversations as far as they fit."""
    ids = [row.id for row in found]
    heads = {row[0]: row[1] for row in session.execute(_HEADS, {"ids": ids})}
    whole: dict[str, str] = {}
    room = FIRST_BYTES
    for few in (ids[start : start + FEW] for start in range(0, len(ids), FEW)):
        for conversation, said in _messages(session, few).items():
            room -= len(said)
            if room < 0:
                break
            whole[conversation] = said
        if room < 0:
            break
    return "".join(
        f"{row.id}\t{row.number}\t{heads[row.id]}\t{whole.get(row.id, '-')}\n"
        for row in found
        if row.id in heads
    )


def personal(session: Session, who: Principal) -> bytes:
    """Return what comes with the person: how far she has read what, the rota that she sees, and the
    meetings and pairs of residents of her areas. A phone asks after each walk, so also when an
    area was given to her.
    """
    scopes = [f"person:{who.person_id}", *sorted(who.rota_scopes)]
    params = {"scopes": scopes, "areas": sorted(who.areas)}
    rows = session.execute(_PERSONAL, params).all()
    return frame({"v": 1, "rows": len(rows)}, row_lines(rows))


def one(session: Session, areas: Collection[str], conversation_id: str) -> bytes | None:
    """Return one whole conversation, or None when it is not there or not hers to see."""
    found = session.execute(_ONE, {"id": conversation_id, "areas": sorted(areas)}).all()
    if not found:
        return None
    lines = _conversation_lines(session, found)
    return frame({"v": 1, "conversations": 1, "next": None}, lines)


def _conversation_lines(session: Session, found: Sequence[Any]) -> str:
    """Return a line a conversation: id, number, head, and its messages."""
    heads: dict[str, str] = {}
    messages: dict[str, list[str]] = defaultdict(list)
    ids = [row.id for row in found]
    for some in chunks(ids):
        for conversation, kind, body in session.execute(_BODIES, {"ids": list(some)}):
            if kind == "conversation":
                heads[conversation] = body
            else:
                messages[conversation].append(body)
    return "".join(
        f"{row.id}\t{row.number}\t{heads[row.id]}\t[{','.join(messages[row.id])}]\n"
        for row in found
        if row.id in heads
    )


def _messages(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """Return the messages of a few conversations as JSON lists, in the order of the ids."""
    said: dict[str, list[str]] = {one: [] for one in ids}
    for conversation, kind, body in session.execute(_BODIES, {"ids": list(ids)}):
        if kind == "message":
            said[conversation].append(body)
    return {one: "[" + ",".join(bodies) + "]" for one, bodies in said.items()}
