"""An archive that is a zip of HTML pages with microformats2 (`h-entry`), as `archive.md` describes.

Each page is read to a limit, whatever size it claims, and so are all of them together. The same
entry stands on many pages of a site (its own, the list, the tag): it is one message, and the
fullest text of it counts.
"""

import re
import zipfile
from collections.abc import Collection, Iterator

from app.channels.archive_import import (
    MAX_MESSAGES,
    MAX_READ_BYTES,
    BadArchive,
    Row,
    old_of,
    read_member,
)
from app.text.microformats import Entry, Unreadable, entries

PAGE = re.compile(r"\.x?html?$", re.IGNORECASE)
MAX_PAGE_BYTES = 2_000_000

BASE = "https://archive.invalid/"
"""Where a page of the zip is taken to lie, so that links between pages name the same entry."""

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_CODECS = {
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "cp1252", "ascii": "cp1252",
    "windows-1252": "cp1252", "cp1252": "cp1252", "iso-8859-1": "cp1252", "latin1": "cp1252",
    "iso-8859-15": "iso-8859-15",
}  # fmt: skip
"""What a page may say that it is written in; ISO 8859-1 means Windows-1252 (WHATWG Encoding)."""


def is_page(member: zipfile.ZipInfo) -> bool:
    """Say whether this is a page, by its name."""
    return not member.is_dir() and PAGE.search(member.filename) is not None


class Pages:
    """What the pages of a zip say; `left_out` counts entries without a date or words."""

    def __init__(
        self, zipped: zipfile.ZipFile, pages: list[zipfile.ZipInfo], ours: Collection[str]
    ) -> None:
        """Take pages that were looked through; entries by `ours` are the municipality's own."""
        self._zipped = zipped
        self._pages = pages
        self._ours = frozenset(name.strip().casefold() for name in ours)
        self.left_out = 0

    def rows(self) -> Iterator[Row]:
        """Yield each message once, what is answered before its answers. Raises BadArchive."""
        found: dict[str, Row] = {}
        replies: dict[str, str] = {}
        total = 0
        for page in self._pages:
            body = read_member(self._zipped, page, most=MAX_PAGE_BYTES)
            total += len(body)
            if total > MAX_READ_BYTES:
                raise BadArchive("Its pages together are larger than 300 MB.")
            where = BASE + page.filename.replace("\\", "/")
            try:
                told = entries(decoded(body), where)
            except Unreadable:
                raise BadArchive(
                    f"{ascii(page.filename)[:200]} is no page that can be read."
                ) from None
            for number, entry in enumerate(told, 1):
                self._take(entry, f"{where}#{number}", found, replies)
        known: dict[str, str] = {}
        for name, subject, old in sorted(found.values(), key=lambda row: row[2].at_ms):
            yield _begun_with(name, replies, known), subject, old

    def _take(
        self,
        entry: Entry,
        otherwise: str,
        found: dict[str, Row],
        replies: dict[str, str],
        parent: str = "",
    ) -> None:
        name = entry.said.get("uid") or entry.said.get("url") or otherwise
        answers = entry.said.get("in-reply-to") or parent
        text, author = entry.text, entry.said.get("author", "")
        try:
            old = old_of(
                name, entry.said["published"], author, text, author.casefold() in self._ours
            )
        except (KeyError, ValueError, OverflowError):
            self.left_out += 1
            old = None
        if old is not None and not old.text.strip():
            self.left_out += 1
        elif old is not None:
            before = found.get(name)
            if before is None or len(old.text) > len(before[2].text):
                # A note has no title: where the name is how the text begins, it is none.
                title = entry.name if not text.startswith(entry.name.rstrip(".…")) else ""
                found[name] = (name, title, old)
            if answers and answers != name:
                replies.setdefault(name, answers)
        if len(found) > MAX_MESSAGES:
            raise BadArchive(f"There are more than {MAX_MESSAGES} messages in it.")
        for number, comment in enumerate(entry.comments, 1):
            self._take(comment, f"{name}.{number}", found, replies, name)


def _begun_with(name: str, replies: dict[str, str], known: dict[str, str]) -> str:
    """Return with which message the conversation began, as far as the pages have it."""
    way: dict[str, None] = {}
    while name in replies and name not in known:
        if name in way:
            # They answer each other: any of them will do, as long as it is the same one.
            known[name] = min([*way][[*way].index(name) :])
            break
        way[name] = None
        name = replies[name]
    first = known.get(name, name)
    known.update(dict.fromkeys(way, first))
    return first


def decoded(body: bytes) -> str:
    """Return a page as text: by its mark, what it says of itself, or what fits."""
    for mark, codec in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if body.startswith(mark):
            return body.decode(codec, "replace")
    said = _CHARSET.search(body[:4_096])
    codec = _CODECS.get(said[1].decode("ascii", "replace").lower(), "") if said else ""
    if codec:
        return body.decode(codec, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")
