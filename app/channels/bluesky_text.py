"""Posts on Bluesky: names of records, ranges of bytes in a text, and what a post says.

A post is plain text beside a list of facets, each a range of bytes in its UTF-8 form: that is how a
link, a name or a tag is marked. Sources, read November 2026: docs.bsky.app/docs/advanced-guides/
post-richtext; atproto.com/specs/tid and /specs/record-key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from app.text.graphemes import graphemes

MAX_GRAPHEMES = 300
MAX_BYTES = 3000
MAX_TAG_CHARS = 64
_SIGNS = "234567abcdefghijklmnopqrstuvwxyz"
_LINK = re.compile(r"(?<![\w/])https?://[^\s<>\"']+")
_NAME = re.compile(r"(?<![\w@./])@((?:[a-zA-Z0-9-]{1,63}\.)+[a-zA-Z]{2,63})(?![\w.-]*\w)")
_TAG = re.compile(r"(?<!\S)[#＃](?!\d+(?:\s|$))([^\s#＃]+)")
_AFTER = ".,;:!?'\"”’)»]"
"""Signs at the end of a link or tag that belong to the sentence round it."""


def tid_of(delivery_id: str) -> str:
    """Return the record key of a delivery: a valid TID, always the same one.

    A TID is 53 bits of time and 10 of a clock, read as one number in base 32. The time only orders
    keys, so all 63 bits are drawn from the delivery's id.
    """
    number = int.from_bytes(hashlib.sha256(delivery_id.encode()).digest()[:8]) >> 1
    return "".join(_SIGNS[number >> shift & 31] for shift in range(60, -1, -5))


def fits(text: str) -> bool:
    """Say whether a post of this text is taken; both limits hold."""
    return graphemes(text) <= MAX_GRAPHEMES and len(text.encode()) <= MAX_BYTES


def names_in(text: str) -> list[str]:
    """Return the handles that a text mentions, lower case, each once."""
    return list(dict.fromkeys(name[1].lower() for name in _NAME.finditer(text)))


def facets(text: str, dids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Mark links, tags, and the names whose owner is known in `dids` (handle → DID)."""
    found = []
    for match in _LINK.finditer(text):
        end = match.start() + len(_trimmed(match[0]))
        link = {"$type": "app.bsky.richtext.facet#link", "uri": text[match.start() : end]}
        found.append((match.start(), end, link))
    for match in _NAME.finditer(text):
        if did := dids.get(match[1].lower()):
            name = {"$type": "app.bsky.richtext.facet#mention", "did": did}
            found.append((match.start(), match.end(), name))
    for match in _TAG.finditer(text):
        tag = match[1].rstrip(_AFTER)
        if tag and graphemes(tag) <= MAX_TAG_CHARS:
            word = {"$type": "app.bsky.richtext.facet#tag", "tag": tag}
            found.append((match.start(), match.start(1) + len(tag), word))
    return [
        {
            "index": {
                "byteStart": len(text[:start].encode()),
                "byteEnd": len(text[:end].encode()),
            },
            "features": [feature],
        }
        for start, end, feature in sorted(found, key=lambda one: one[0])
    ]


def _trimmed(link: str) -> str:
    """Leave off what closes the sentence; a bracket stays when the link itself opened it."""
    while link and link[-1] in _AFTER:
        if link[-1] == ")" and link.count("(") >= link.count(")"):
            break
        link = link[:-1]
    return link


def post_text(record: Mapping[str, Any]) -> str:
    """Return all there is to read in a post: its own warning, words, links and pictures' words.

    Apps shorten what they show of a link; here it stands in full. What a picture shows stands in
    brackets, as its maker described it.
    """
    embed = table(record.get("embed"))
    media = table(embed.get("media")) or embed
    text = _with_links(str(record.get("text") or ""), rows(record.get("facets")))
    warnings = [str(one.get("val")) for one in rows(table(record.get("labels")).get("values"))]
    card = str(table(media.get("external")).get("uri") or "")
    shown = (str(one.get("alt") or "").strip() for one in rows(media.get("images")))
    parts = [
        f"⚠ {', '.join(warnings)}" if warnings else "",
        text.strip(),
        card if card and card not in text else "",
        *(f"[{words}]" for words in shown if words),
    ]
    return "\n\n".join(part for part in parts if part)


def _with_links(text: str, marked: Iterable[Mapping[str, Any]]) -> str:
    raw = text.encode()
    for start, end, uri in sorted(_links(marked, len(raw)), reverse=True):
        shown = raw[start:end].decode("utf-8", "replace")
        if shown == uri or uri.partition("://")[2].rstrip("/") == shown.rstrip("/"):
            continue
        bare = shown.partition("://")[2] or shown
        shortened = bare.rstrip(".…")
        same = bare != shortened and uri.partition("://")[2].startswith(shortened)
        raw = raw[:start] + (uri if same else f"{shown} ({uri})").encode() + raw[end:]
    return raw.decode("utf-8", "replace")


def _links(marked: Iterable[Mapping[str, Any]], size: int) -> Iterable[tuple[int, int, str]]:
    for facet in marked:
        index = table(facet.get("index"))
        start, end = index.get("byteStart"), index.get("byteEnd")
        for feature in rows(facet.get("features")):
            uri = feature.get("uri")
            if (
                isinstance(start, int)
                and isinstance(end, int)
                and 0 <= start < end <= size
                and isinstance(uri, str)
                and uri.startswith(("https://", "http://"))
            ):
                yield start, end, uri


def rows(value: object) -> list[dict[str, Any]]:
    """Return the objects of what should be a list of them."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def table(value: object) -> dict[str, Any]:
    """Return what should be an object."""
    return value if isinstance(value, dict) else {}
