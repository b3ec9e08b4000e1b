"""What stands in a feed: its items as text, each with the marks by which it is known again.

Sources: RSS 2.0 (rssboard.org), Atom (RFC 4287), feedparser's reference; read November 2026.
"""

import calendar
import hashlib
import io
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from app.channels.contract import Permanent
from app.text.html import html_to_text

MAX_ITEMS = 100
MAX_TAGS = 100_000
"""A parser takes a minute over a million of them, and does nothing else meanwhile."""
MAX_TEXT_CHARS = 8_000
MAX_TITLE_CHARS = 300
MAX_NAME_CHARS = 200
MAX_ENCLOSURES = 5

_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|mc_[ce]id", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_ROOT = re.compile(rb"<(?:\w+:)?(rss|feed|rdf)[\s>]", re.IGNORECASE)
FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml"})
FOLLOWED_PAGE_BYTES = 300_000


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was published."""

    external_id: str
    marks: tuple[str, ...]
    """Any of these met again is this item again."""
    digest: str
    """Changes when its publisher changed it."""
    title: str
    text: str
    author: str
    link: str
    published_ms: int
    notices: tuple[str, ...] = ()


def is_feed(body: bytes) -> bool:
    """Say whether this looks like a feed, before any parser sees it."""
    return _ROOT.search(body[:4_000]) is not None


def tags_in(body: bytes) -> int:
    """Count what a parser may take for a tag; what lies in CDATA it takes for text."""
    count, at = 0, 0
    while True:
        begin = body.find(b"<![CDATA[", at)
        end = body.find(b"]]>", begin) if begin >= 0 else -1
        if end < 0:
            return count + body.count(b"<", at)
        count += body.count(b"<", at, begin)
        at = end


def read(body: bytes, url: str, now_ms: int) -> list[Item]:
    """Return the newest items, oldest first.

    Raises Permanent("not_a_feed"), and "site_too_large" for what would take too long.

    Slow for a large feed: run it on a thread.
    """
    import feedparser

    if not is_feed(body):
        raise Permanent("not_a_feed")
    if tags_in(body) > MAX_TAGS:
        raise Permanent("site_too_large", "tags")
    # A file object: a string could be taken for an address or a path. What is HTML is cleaned by
    # ourselves, afterwards, and only of the items that are kept.
    parsed = feedparser.parse(io.BytesIO(body), sanitize_html=False, resolve_relative_uris=False)
    if not parsed.get("version") and not parsed.entries:
        raise Permanent("not_a_feed")
    site = _line(parsed.feed.get("title"), MAX_NAME_CHARS)
    entries = parsed.entries
    dated = [(_instant(entry, now_ms), -place, entry) for place, entry in enumerate(entries)]
    dated.sort(key=lambda each: each[:2])
    return [_item(entry, url, site, at) for at, _, entry in dated[-MAX_ITEMS:]]


def _item(entry: Any, url: str, site: str, published_ms: int) -> Item:
    title = _line(entry.get("title"), MAX_TITLE_CHARS)
    given = str(entry.get("id") or "")[:1_000]
    # An id counts as the address unless it says otherwise; "17" says otherwise by what it is.
    stated_link = str(entry.get("link") or "")
    link = _link(stated_link, url) if stated_link != given or "://" in given else ""
    whole = _text(entry) + _enclosures(entry, url)
    text = whole[:MAX_TEXT_CHARS]
    if link and not link.startswith("https://"):
        text += f"\n\n{link}"
    stated = str(entry.get("published") or entry.get("updated") or "")
    # A new id under the same address and title is a publisher that makes ids up at every visit; a
    # new title under the same address with an id of its own is another item (a live page).
    same = f"l:{_bare(link)}\n{title}" if link else f"t:{title}\n{stated}\n{text[:500]}"
    names = [f"g:{given}"] if given else []
    marks = tuple(_hash(name) for name in (*names, same))
    return Item(
        external_id=_hash(names[0] if names else (f"l:{_bare(link)}" if link else same)),
        marks=marks if names or not link else (*marks, _hash(f"l:{_bare(link)}")),
        digest=_hash(f"{title}\n{text}")[:16],
        title=title,
        text=text or title,
        author=_line(entry.get("author"), MAX_NAME_CHARS) or site,
        link=link,
        published_ms=published_ms,
        notices=("text_cut",) if len(whole) > MAX_TEXT_CHARS else (),
    )


def _text(entry: Any) -> str:
    contents = entry.get("content") or []
    told = [entry.get("summary_detail") or {}, *contents]
    longest: dict[str, Any] = max(told, key=lambda part: len(part.get("value") or ""), default={})
    value = str(longest.get("value") or "")
    if longest.get("type") == "text/plain":
        return value.strip()
    return html_to_text(value).strip()


def _enclosures(entry: Any, url: str) -> str:
    links = [_link(one.get("href"), url) for one in (entry.get("enclosures") or [])]
    found = [link for link in dict.fromkeys(links) if link][:MAX_ENCLOSURES]
    return "".join(f"\n\n{link}" if not at else f"\n{link}" for at, link in enumerate(found))


def _instant(entry: Any, now_ms: int) -> int:
    """Return when it was published; never later than now, and now when it does not say."""
    # Asked for by `in` first: `get` of the one answers with the other, and complains.
    named = [name for name in ("published_parsed", "updated_parsed") if name in entry]
    when = entry[named[0]] if named else None
    try:
        at_ms = calendar.timegm(when) * 1000 if when else now_ms
    except (ValueError, OverflowError, TypeError):
        at_ms = now_ms
    return min(max(at_ms, 0), now_ms)


def _link(link: Any, base: str) -> str:
    """Return an absolute web address, or "" for anything else (`javascript:`, nonsense)."""
    given = str(link or "").strip()
    if not given:
        return ""
    try:
        whole = urljoin(base, given)
        parts = urlsplit(whole)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return ""
    return whole if fine and len(whole) <= 2_000 and not re.search(r"[\s<>\"]", whole) else ""


def _bare(link: str) -> str:
    """Return an address without what only says which way a reader came."""
    parts = urlsplit(link)
    query = [pair for pair in parse_qsl(parts.query, True) if not _TRACKING.fullmatch(pair[0])]
    return urlunsplit(("", parts.netloc.lower(), parts.path, urlencode(query), parts.fragment))


def _line(value: Any, most: int) -> str:
    text = html_to_text(str(value)[: most * 10]) if value else ""
    return _SPACES.sub(" ", text).strip()[:most]


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def alternate_of(body: bytes, url: str) -> str:
    """Return the feed that a page of HTML names in its head, or ""."""
    finder = _Finder()
    finder.feed(body[:FOLLOWED_PAGE_BYTES].decode("utf-8", "replace"))
    return _link(finder.found, url) if finder.found else ""


class _Finder(HTMLParser):
    found = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "link" or self.found:
            return
        values = {name: (value or "") for name, value in attrs}
        rel = values.get("rel", "").lower().split()
        if "alternate" in rel and values.get("type", "").lower() in FEED_TYPES:
            self.found = values.get("href", "")
