"""HTML mail as plain text. The words stay; markup, scripts, styles and tracking pictures go.

nh3 (html5ever) reads the HTML first, as a browser would, so that the small parser below only ever
sees well-formed markup. HTML that is nested or stuffed beyond reason would cost it quadratic time
(200,000 open elements took minutes), so that is stripped crudely instead.
"""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from html.parser import HTMLParser

import nh3

MAX_HTML_CHARS = 500_000
MAX_OPEN_ELEMENTS = 300
MAX_REPEATED = 500_000
"""Formatting elements that may have to be opened again, all together."""
MAX_TAG_CHARS = 8_000
MAX_REFERENCES = 50_000
"""A "&" that begins no character reference is looked at again for each one behind it."""
MAX_QUOTE_DEPTH = 20
MAX_LOOKED_BACK = 100
"""Pieces of a line in which the address behind a link may stand to be read."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BLOCKS = _words(
    "address article aside blockquote center div dl dt dd fieldset figure footer form h1 h2 h3 h4 "
    "h5 h6 header hr li main nav ol p pre section table tr ul"
)
_PARAGRAPHS = _words("p h1 h2 h3 h4 h5 h6 ul ol table blockquote pre")
_TAGS = _BLOCKS | _words("a b br em i img span strong td th tbody thead u")
_DROPPED = _words("head style script title template noscript svg math select textarea")
_NOT_NESTING = _words(
    "area base br col dd dt hr img input li link meta option p param source tbody td tfoot th "
    "thead tr wbr"
)
_FORMATTING = _words("a b big code em font i nobr s small strike strong tt u")
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_ANY_TAG = re.compile(r"<[^<>]*>?")
_DATA_URI = re.compile(r"data:[^\s\"'<>]{500,}", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\n\f]+")
_BLANK_LINES = re.compile(r"\n{3,}")


def html_to_text(html: str) -> str:
    """Return what a reader of this HTML would read; a quoted mail gets `> ` before each line."""
    html = _DATA_URI.sub("", html[:MAX_HTML_CHARS])
    if beyond_reason(html):
        return _BLANK_LINES.sub("\n\n", unescape(_ANY_TAG.sub(" ", html))).strip()
    clean = nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED),
        attributes={"a": {"href"}, "img": {"alt"}, "*": {"style", "class"}},
        link_rel=None,
        strip_comments=True,
    )
    writer = _Writer()
    writer.feed(clean)
    writer.close()
    return writer.text()


def beyond_reason(html: str) -> bool:
    """Say whether reading this HTML as a browser would may cost quadratic time."""
    if html.count("&") > MAX_REFERENCES:
        return True
    opened: list[str] = []
    formatting: Counter[str] = Counter()
    repeated = 0
    for tag in _TAG.finditer(html):
        name = tag[2].lower()
        # A browser opens what is bold again in each paragraph until it is closed by its own name.
        if name in _FORMATTING:
            formatting[name] = max(0, formatting[name] + (-1 if tag[1] else 1))
        repeated += formatting.total()
        if name not in _NOT_NESTING:
            if not tag[1]:
                opened.append(name)
            elif name in opened:  # closing what is not open closes nothing
                while opened.pop() != name:
                    pass
        if len(opened) > MAX_OPEN_ELEMENTS or repeated > MAX_REPEATED:
            return True
    # From a "<" to the next ">": attributes without end are as costly as elements without end.
    return any(
        len(piece) - max(0, piece.find("<")) > MAX_TAG_CHARS and "<" in piece
        for piece in html.split(">")
    )


class _Writer(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._line: list[str] = []
        self._quotes = 0
        self._pre = 0
        self._hidden: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._written = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if self._hidden or (
            tag not in {"br", "img", "hr"} and _HIDDEN.search(values.get("style", ""))
        ):
            if tag not in {"br", "img", "hr"}:
                self._hidden.append(tag)
            return
        if tag in _BLOCKS:
            self._break(blank=tag in _PARAGRAPHS)
        if tag == "br":
            self._break(force=True)
        elif tag == "hr":
            self._lines.append(self._prefix() + "_" * 20)
        elif tag == "li":
            self._line.append("- ")
        elif tag in {"td", "th"} and self._line:
            self._line.append(" ")
        elif tag == "blockquote":
            self._quotes = min(self._quotes + 1, MAX_QUOTE_DEPTH)
        elif tag == "pre":
            self._pre += 1
        elif tag == "img" and values.get("alt", "").strip():
            self._line.append(f"[{_SPACES.sub(' ', values['alt']).strip()}]")
        elif tag == "a":
            self._links.append((values.get("href", ""), self._written))

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if self._hidden[-1] == tag:
                self._hidden.pop()
            return
        if tag == "a" and self._links:
            self._end_link(*self._links.pop())
        if tag in _BLOCKS:
            self._break(blank=tag in _PARAGRAPHS)
        if tag == "blockquote":
            self._quotes = max(0, self._quotes - 1)
        elif tag == "pre":
            self._pre = max(0, self._pre - 1)

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._pre:
            first, *rest = data.split("\n")
            self._line.append(first)
            for line in rest:
                self._break(force=True)
                self._line.append(line)
        else:
            self._line.append(_SPACES.sub(" ", data))
        self._written += len(data.strip())

    def text(self) -> str:
        self._break()
        while self._lines and not self._lines[-1].strip("> "):
            self._lines.pop()
        return _BLANK_LINES.sub("\n\n", "\n".join(self._lines)).strip("\n")

    def _end_link(self, href: str, written_before: int) -> None:
        """Write the address behind a link, when the reader could not see it."""
        shown = "".join(self._line[-MAX_LOOKED_BACK:])
        bare = href.removeprefix("mailto:").removeprefix("https://").removeprefix("http://")
        if self._written == written_before or not href.startswith(("http://", "https://")):
            return
        if bare.rstrip("/") not in shown:
            self._line.append(f" ({href})")

    def _break(self, *, blank: bool = False, force: bool = False) -> None:
        line = "".join(self._line)
        line = line.rstrip() if self._pre else _SPACES.sub(" ", line).strip()
        self._line.clear()
        if line or force:
            self._lines.append(
                (self._prefix() + line).rstrip() if line else self._prefix().rstrip()
            )
        if blank and self._lines and self._lines[-1].strip("> "):
            self._lines.append(self._prefix().rstrip())

    def _prefix(self) -> str:
        return "> " * self._quotes
