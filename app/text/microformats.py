"""What was said on an HTML page that marks it up with microformats2: `h-entry`, author, date, text.

nh3 (html5ever) reads the HTML first, as a browser would; the small parser below sees only markup
that is well-formed and not nested beyond reason. It reads what an archive of messages needs and no
more: entries, their comments (`u-comment`, as `h-cite` or `h-entry`), and of each `u-uid`, `u-url`,
`dt-published`, `p-author`, `p-name`, `e-content`, `p-summary` and `u-in-reply-to`. Left out: the
value class pattern, `<base>`, rel links, other objects, and classic formats (`hentry`).

Source: microformats.org/wiki/microformats2-parsing ("parse an element for class microformats",
"parsing a p-/u-/dt-/e- property") and wiki/h-entry; read November 2026.
"""

import re
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from urllib.parse import urljoin

import nh3

from app.text.html import beyond_reason, html_to_text

MAX_VALUE_CHARS = 2_000
MAX_CONTENT_CHARS = 200_000

_ROOT = re.compile(r"h(-[a-z0-9]+)?(-[a-z]+)+", re.ASCII)
_PROPERTY = re.compile(r"(p|u|dt|e)-([a-z0-9]+-)?([a-z]+(?:-[a-z]+)*)", re.ASCII)
_WANTED = frozenset(
    {"uid", "url", "published", "author", "name", "content", "summary", "in-reply-to", "comment"}
)
_VOID = frozenset({"br", "img", "hr", "area", "input"})
_DROPPED = frozenset({"script", "style", "noscript", "template", "svg", "math", "select"})
_KEPT = frozenset(
    {
        *("a", "abbr", "address", "area", "article", "aside", "b", "blockquote", "br", "cite"),
        *("code", "data", "dd", "del", "div", "dl", "dt", "em", "figcaption", "figure", "footer"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "img", "ins", "li", "main"),
        *("nav", "ol", "p", "pre", "q", "s", "section", "small", "span", "strong", "sub", "sup"),
        *("table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "u", "ul"),
    }
)
_ATTRIBUTES = {
    "*": {"class"},
    "a": {"href"},
    "area": {"href", "alt"},
    "time": {"datetime"},
    "ins": {"datetime"},
    "del": {"datetime"},
    "data": {"value"},
    "abbr": {"title"},
    "img": {"alt", "src"},
}
_SCHEMES = {"http", "https", "tag", "urn", "mailto"}


class Unreadable(ValueError):
    """The page is nested or stuffed beyond reason."""


@dataclass(slots=True)
class Entry:
    """One thing that somebody said; what the page does not say is ""."""

    kind: str = "entry"
    said: dict[str, str] = field(default_factory=dict)
    comments: list["Entry"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The words, as a reader would see them."""
        content = self.said.get("content", "")
        return html_to_text(content) if content else self.said.get("summary", "") or self.name

    @property
    def name(self) -> str:
        """Its title, if it has one."""
        return self.said.get("name", "")


def entries(html: str, base: str) -> list[Entry]:
    """Return the entries of a page in their order, each with its comments.

    Addresses are made whole with `base`, where the page was. Raises Unreadable.
    """
    if beyond_reason(html):
        raise Unreadable
    clean = nh3.clean(
        html,
        tags=set(_KEPT),
        clean_content_tags=set(_DROPPED),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        url_schemes=set(_SCHEMES),
        link_rel=None,
        strip_comments=True,
    )
    reader = _Reader(base)
    reader.feed(clean)
    reader.close()
    return reader.found


@dataclass(slots=True)
class _Capture:
    """A property whose value is what stands in its element."""

    item: Entry
    name: str
    html: bool
    parts: list[str] = field(default_factory=list)
    size: int = 0

    def take(self, text: str) -> None:
        most = MAX_CONTENT_CHARS if self.html else MAX_VALUE_CHARS
        if self.size < most:
            # Markup is not cut in its middle: a piece is the text between two tags, or a tag.
            self.parts.append(text if self.html else text[: most - self.size])
            self.size += len(text)


@dataclass(slots=True)
class _Open:
    """An element that is open: the object that began there, and what is read of it."""

    tag: str
    item: Entry | None = None
    captures: list[_Capture] = field(default_factory=list)
    given_to: tuple[Entry, tuple[str, ...]] | None = None
    """The object around it, and which of its properties this object is."""


class _Reader(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Entry] = []
        self._base = base
        self._open: list[_Open] = []
        self._nowhere = Entry("page")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._write(self.get_starttag_text() or "", markup=True)
        classes = values.get("class", "").split()
        roots = [name for name in classes if _ROOT.fullmatch(name)]
        props = [
            (match[1], (match[2] or "") + match[3])
            for match in map(_PROPERTY.fullmatch, classes)
            if match and (match[2] or "") + match[3] in _WANTED
        ]
        around = self._item()
        opened = _Open(tag)
        if roots:
            opened.item = self._begin(roots, [name for _, name in props], around)
            opened.given_to = (around, tuple(name for _, name in props))
            if opened.item.kind == "other":
                # Without a name of its own, somebody is called what stands there.
                opened.captures.append(_Capture(opened.item, "implied", html=False))
            if values.get("href"):
                opened.item.said.setdefault("implied-url", self._whole(values["href"]))
        else:
            for prefix, name in props:
                value = self._given(prefix, tag, values)
                if value is not None:
                    _say(around, name, value)
                elif tag not in _VOID:
                    opened.captures.append(_Capture(around, name, html=prefix == "e"))
        if tag not in _VOID:
            self._open.append(opened)

    def handle_endtag(self, tag: str) -> None:
        if not any(one.tag == tag for one in self._open):
            return
        while self._open:
            one = self._open.pop()
            self._end(one)
            if one.tag == tag:
                break
        self._write(f"</{tag}>", markup=True)

    def handle_data(self, data: str) -> None:
        self._write(data, markup=False)

    def close(self) -> None:
        super().close()
        while self._open:
            self._end(self._open.pop())

    def _write(self, piece: str, *, markup: bool) -> None:
        for one in self._open:
            for capture in one.captures:
                if capture.html:
                    capture.take(piece if markup else escape(piece, quote=False))
                elif not markup:
                    capture.take(piece)

    def _item(self) -> Entry:
        return next((one.item for one in reversed(self._open) if one.item), self._nowhere)

    def _begin(self, roots: list[str], props: list[str], around: Entry) -> Entry:
        is_comment = "comment" in props and around.kind == "entry"
        if "h-entry" in roots or ("h-cite" in roots and is_comment):
            item = Entry()
            if is_comment:
                around.comments.append(item)
            elif "in-reply-to" not in props:
                self.found.append(item)
            return item
        return Entry("other")

    def _given(self, prefix: str, tag: str, values: dict[str, str]) -> str | None:
        """Return the value that an attribute gives, or None where the text is the value."""
        if prefix == "u":
            address = values.get("href" if tag in {"a", "area"} else "src")
            if address is not None:
                return self._whole(address)
        if prefix == "dt" and "datetime" in values:
            return values["datetime"]
        if prefix != "e":
            for name, tags in (("title", {"abbr"}), ("value", {"data"}), ("alt", {"img", "area"})):
                if tag in tags and name in values:
                    return values[name]
        return None

    def _whole(self, address: str) -> str:
        try:
            return urljoin(self._base, address.strip())[:MAX_VALUE_CHARS]
        except ValueError:
            return address.strip()[:MAX_VALUE_CHARS]

    def _end(self, one: _Open) -> None:
        for capture in one.captures:
            _say(capture.item, capture.name, "".join(capture.parts), html=capture.html)
        if one.item is None or one.given_to is None:
            return
        around, names = one.given_to
        said = one.item.said
        for name in names:
            if name == "author":
                _say(around, name, said.get("name") or said.get("implied", ""))
            elif name in {"in-reply-to", "url", "uid"}:
                _say(around, name, said.get("url") or said.get("implied-url", ""))


def _say(item: Entry, name: str, value: str, *, html: bool = False) -> None:
    """Keep the first value of a property."""
    value = value.strip() if html else " ".join(value.split())[:MAX_VALUE_CHARS]
    if value:
        item.said.setdefault(name, value)
