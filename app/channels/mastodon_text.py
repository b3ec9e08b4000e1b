"""Posts as people read them, and how long one is as Mastodon counts.

A post arrives as HTML from a server that may be anybody's. Only its words are taken, so a reader of
tags one after another is enough. Python's own parser is not used: on some broken HTML it takes time
in the square of its length (152 s for 100,000 characters of `<a `).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from html import unescape
from typing import Any

from app.text.graphemes import graphemes

MAX_HTML_CHARS = 200_000
MAX_ATTRIBUTE_CHARS = 5_000
LINK_CHARS = 23
"""What any link counts, however long (docs.joinmastodon.org, user/posting, read November 2026)."""

_PIECE = re.compile(
    r"<(?P<end>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]*)(?P<attributes>(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*)>"
    r"|<[!?][^<>]*>?"
    r"|(?P<text>[^<]+|<)"
)
"""One tag, comment or run of text; each alternative ends before the next `<`, so none goes back."""

_ATTRIBUTE = re.compile(r"(?<![\w-])([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_BLOCKS = frozenset({"p", "div", "ul", "ol", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5"})
_DROPPED = frozenset({"script", "style", "template", "noscript"})
_SPACES = re.compile(r"[ \t\r\n\f]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_LINK = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_ELSEWHERE = re.compile(r"(?<![\w/])@(\w[\w.-]*+)(?<=\w)@[\w.-]*\w(?::\d+)?")
"""The name is taken whole or not at all: a warning of a stranger's can be one long name."""

_SHORTCODE = re.compile(r":([a-zA-Z0-9_]{2,}):")


def plain_text(html: str) -> str:
    """Return the words of a post: paragraphs apart, links in full, mentions as `@name`."""
    reader = _Reader()
    for piece in _PIECE.finditer(html[:MAX_HTML_CHARS]):
        if piece["text"] is not None:
            reader.says(unescape(piece["text"]))
        elif piece["tag"] is not None and piece["end"]:
            reader.ends(piece["tag"].lower())
        elif piece["tag"] is not None:
            reader.begins(piece["tag"].lower(), _attributes(piece["attributes"]))
    return reader.text()


def shown_name(account: Mapping[str, Any]) -> str:
    """Return how somebody is called, without the pictures that only her server can draw."""
    name = str(account.get("display_name") or "")
    drawn = {str(emoji.get("shortcode")) for emoji in _rows(account.get("emojis"))}
    name = _SHORTCODE.sub(lambda code: "" if code[1] in drawn else code[0], name)
    name = "".join(sign for sign in name if unicodedata.category(sign) not in {"Cc", "Cf", "Co"})
    return _SPACES.sub(" ", name).strip()[:120] or str(account.get("username") or "")[:120]


def post_text(status: Mapping[str, Any]) -> str:
    """Return all there is to read in a post: its warning, words, poll, and what its pictures show.

    The warning comes first, behind a sign that needs no language; what a picture shows stands in
    brackets, as its maker described it.
    """
    parts = []
    if warning := str(status.get("spoiler_text") or "").strip():
        parts.append(f"⚠ {warning}")
    parts.append(plain_text(str(status.get("content") or "")))
    poll = status.get("poll")
    if isinstance(poll, dict):
        parts.append("\n".join(f"○ {row.get('title', '')}" for row in _rows(poll.get("options"))))
    media = _rows(status.get("media_attachments"))
    described = (str(one.get("description") or "").strip() for one in media)
    parts += [f"[{words}]" for words in described if words]
    return "\n\n".join(part for part in parts if part)


def length(text: str) -> int:
    """Count as Mastodon does: signs, a link as 23, `@name@server` as `@name`."""
    text = _LINK.sub("x" * LINK_CHARS, text)
    return graphemes(_ELSEWHERE.sub(r"@\1", text))


def same_words(one: str, other: str) -> bool:
    """Say whether two texts are one, whatever a server made of spaces and of names."""
    return _bare(one) == _bare(other)


def _bare(text: str) -> str:
    text = _ELSEWHERE.sub(r"@\1", unicodedata.normalize("NFKC", text))
    return "".join(text.split())


def _rows(value: object) -> Iterable[dict[str, Any]]:
    return (row for row in value if isinstance(row, dict)) if isinstance(value, list) else ()


def _attributes(text: str) -> dict[str, str]:
    return {
        found[1].lower(): unescape(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(text[:MAX_ATTRIBUTE_CHARS])
    }


class _Reader:
    def __init__(self) -> None:
        self._out: list[str] = []
        self._dropped = ""
        self._link = ""
        self._link_at = 0

    def begins(self, tag: str, values: Mapping[str, str]) -> None:
        if self._dropped:
            return
        if tag in _DROPPED:
            self._dropped = tag
        elif tag in _BLOCKS:
            self._out.append("\n\n")
        elif tag == "br":
            self._out.append("\n")
        elif tag == "li":
            self._out.append("\n- ")
        elif tag == "img":
            self._out.append(_SPACES.sub(" ", values.get("alt", "")))
        elif tag == "a":
            kinds = values.get("class", "").split()
            named = "mention" in kinds or "hashtag" in kinds
            self._link = "" if named else values.get("href", "")
            self._link_at = len(self._out)

    def ends(self, tag: str) -> None:
        if self._dropped:
            self._dropped = "" if tag == self._dropped else self._dropped
        elif tag in _BLOCKS:
            self._out.append("\n\n")
        elif tag == "a" and self._link:
            self._end_link()

    def says(self, words: str) -> None:
        if not self._dropped:
            self._out.append(_SPACES.sub(" ", words))

    def _end_link(self) -> None:
        """Write the address behind a link in full: servers shorten what is shown of it."""
        href, self._link = self._link, ""
        shown = "".join(self._out[self._link_at :]).strip()
        if not href.startswith(("https://", "http://")) or shown == href:
            return
        bare = href.partition("://")[2]
        shortened = shown.rstrip("…").partition("://")[2] or shown.rstrip("…")
        if shortened and bare.startswith(shortened):
            self._out[self._link_at :] = [href]
        elif shown.startswith(("#", "@")):
            return
        else:
            self._out.append(f" ({href})")

    def text(self) -> str:
        lines = "".join(self._out).split("\n")
        return _BLANK_LINES.sub("\n\n", "\n".join(line.strip() for line in lines)).strip()
