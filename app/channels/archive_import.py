"""An archive of a platform that closed, read from a zip that nobody vouches for.

The form is described in `archive.md`: `archive.json` or `messages.csv`, what a Mastodon server
exports (`outbox.json`), or HTML pages (`archive_pages`). Nothing is unpacked to the disk. Of the
zip only what is known is opened, after the list of its members was looked through; it is read to a
limit, whatever size it claims.
"""

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.text.html import html_to_text

MAX_ZIP_BYTES = 500_000_000
MAX_MEMBERS = 50_000
MAX_READ_BYTES = 300_000_000
MAX_RATIO = 200
"""A text shrinks ten times, a file of one letter a thousand times."""
MAX_MESSAGES = 500_000
MAX_TEXT_CHARS = 20_000
MAX_NAME_CHARS = 200

OUR_FILES = ("archive.json", "messages.csv", "outbox.json")
CSV_COLUMNS = frozenset({"conversation", "id", "at", "author", "text"})
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


class BadArchive(Exception):
    """This is no archive that can be taken; the message is one sentence for who offered it."""


@dataclass(frozen=True, slots=True)
class Old:
    """One message of long ago; `id` is unique in its archive."""

    id: str
    at_ms: int
    author: str
    text: str
    ours: bool = False
    cut: bool = False


@dataclass(slots=True)
class Thread:
    """One conversation, its messages in the order of time."""

    id: str
    subject: str = ""
    messages: list[Old] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Archive:
    """What a zip holds."""

    platform: str
    threads: list[Thread]
    left_out: int = 0
    """Entries of pages that had no date, or no words."""


def read(path: Path, now_ms: int, ours: Collection[str] = ()) -> Archive:
    """Read a zip; on pages, what was written by `ours` is the municipality's own.

    Raises BadArchive, and then nothing of it was taken.
    """
    try:
        if path.stat().st_size > MAX_ZIP_BYTES:
            raise BadArchive("The file is larger than 500 MB.")
        with zipfile.ZipFile(path) as zipped:
            members = _looked_through(zipped)
            known = _known(members)
            if known is None:
                return _from_pages(zipped, members, now_ms, ours)
            name, body = known.filename, read_member(zipped, known)
    except FileNotFoundError:
        raise BadArchive(f"There is no file {path}.") from None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError):
        raise BadArchive("This is no zip that can be read.") from None
    try:
        text = body.decode("utf-8-sig")
        if name == "messages.csv":
            platform, rows = "", _from_csv(text)
        elif name == "archive.json":
            platform, rows = _from_json(json.loads(text))
        else:
            platform, rows = "Mastodon", _from_mastodon(json.loads(text))
        threads = _threads(rows, now_ms)
    except UnicodeDecodeError:
        raise BadArchive(f"{name} is not text in UTF-8.") from None
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error, RecursionError) as error:
        raise BadArchive(f"{name} is not in the form that is described: {_brief(error)}") from None
    if not threads:
        raise BadArchive(f"There is no message in {name}.")
    return Archive(_storable(platform)[:MAX_NAME_CHARS], threads)


def _brief(error: Exception) -> str:
    # A message of an error may hold what somebody wrote; the name of a missing field does not.
    return f"{error} is missing." if isinstance(error, KeyError) else type(error).__name__


def _looked_through(zipped: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = zipped.infolist()
    if len(members) > MAX_MEMBERS:
        raise BadArchive(f"There are more than {MAX_MEMBERS} files in it.")
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        if member.filename.startswith("/") or ".." in parts or ":" in parts[0]:
            raise BadArchive("A file in it has a path that leads outside.")
    return members


def _known(members: list[zipfile.ZipInfo]) -> zipfile.ZipInfo | None:
    """Return the file that is read; None when there are only pages."""
    from app.channels.archive_pages import is_page

    found = [member for name in OUR_FILES for member in members if member.filename == name]
    if found:
        _only_one(found[0], [member.filename for member in members])
        return found[0]
    if not any(map(is_page, members)):
        raise BadArchive(f"There is none of {', '.join(OUR_FILES)} at its top, and no HTML page.")
    return None


def _only_one(member: zipfile.ZipInfo, names: list[str]) -> None:
    if names.count(member.filename) > 1:
        raise BadArchive(f"There are two files {ascii(member.filename)[1:-1][:200]} in it.")


def read_member(zipped: zipfile.ZipFile, member: zipfile.ZipInfo, most: int = 0) -> bytes:
    """Return one file of a zip, never more than `most` bytes of it. Raises BadArchive."""
    name = ascii(member.filename)[1:-1][:200]
    if member.flag_bits & 1:
        raise BadArchive("It is locked with a password.")
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        # What others unpack has no bound, and no two kinds of damage the same error.
        raise BadArchive(f"{name} is compressed in another way than Deflate.")
    if (member.external_attr >> 16) & 0o170000 == 0o120000:
        raise BadArchive(f"{name} is a link and not a file.")
    most = min(most or MAX_READ_BYTES, max(member.compress_size, 1_000) * MAX_RATIO)
    with zipped.open(member) as opened:
        body = opened.read(most + 1)  # never more, whatever it claims to be
    if len(body) > most:
        raise BadArchive(f"{name} is too large, or squeezed too hard to be a text.")
    return body


def _from_pages(
    zipped: zipfile.ZipFile, members: list[zipfile.ZipInfo], now_ms: int, ours: Collection[str]
) -> Archive:
    from app.channels.archive_pages import Pages, is_page

    found = [member for member in members if is_page(member)]
    if len({member.filename for member in found}) < len(found):
        raise BadArchive("There are two pages of the same name in it.")
    pages = Pages(zipped, found, ours)
    try:
        threads = _threads(pages.rows(), now_ms)
    except ValueError:
        raise BadArchive("A message on its pages is in the future, or no message.") from None
    if not threads:
        raise BadArchive("There is no message on its pages: no h-entry with a date and words.")
    return Archive("", threads, pages.left_out)


Row = tuple[str, str, Old]
"""(conversation, subject, message)"""


def _from_json(told: Any) -> tuple[str, Iterator[Row]]:
    if told["v"] != 1:
        raise ValueError

    def rows() -> Iterator[Row]:
        for thread in told["conversations"]:
            for one in thread["messages"]:
                yield (
                    _name(thread["id"]),
                    str(thread.get("subject") or ""),
                    old_of(
                        one["id"], one["at"], one["author"], one["text"], one.get("ours") is True
                    ),
                )

    return str(told["platform"]), rows()


def _from_csv(text: str) -> Iterator[Row]:
    lines = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    missing = CSV_COLUMNS - set(lines.fieldnames or ())
    if missing:
        raise KeyError(", ".join(sorted(missing)))
    for one in lines:
        ours = (one.get("ours") or "").strip().lower() in {"1", "true", "yes", "ja"}
        old = old_of(one["id"], one["at"], one["author"], one["text"], ours)
        yield _name(one["conversation"]), one.get("subject") or "", old


def _from_mastodon(told: Any) -> Iterator[Row]:
    """Read the posts of one account; boosts and what was not public are left out.

    Source: Mastodon's account export (`outbox.json`: an ActivityStreams OrderedCollection of Create
    activities), docs.joinmastodon.org; read November 2026.
    """
    for activity in told["orderedItems"]:
        note = activity.get("object")
        if activity.get("type") != "Create" or not isinstance(note, dict):
            continue
        if PUBLIC not in [*(note.get("to") or []), *(note.get("cc") or [])]:
            continue
        # What answered another post of this account lies with that; others' posts are not exported.
        first = str(note.get("inReplyTo") or note["id"])
        text = html_to_text(str(note.get("content") or ""))
        old = old_of(note["id"], note["published"], note.get("attributedTo") or "", text, True)
        yield first, str(note.get("summary") or ""), old


def old_of(name: Any, at: Any, author: Any, text: Any, ours: bool) -> Old:
    """Return a message as it is kept. Raises ValueError for what is none."""
    moment = datetime.fromisoformat(str(at))
    at_ms = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    whole = _storable(str(text or ""))
    return Old(
        id=_name(name),
        at_ms=at_ms,
        author=_storable(str(author or ""))[:MAX_NAME_CHARS],
        text=whole[:MAX_TEXT_CHARS],
        ours=ours,
        cut=len(whole) > MAX_TEXT_CHARS,
    )


def _name(value: Any) -> str:
    """Return an id as text. Raises ValueError for none at all."""
    name = _storable(str(value if value is not None else "")).strip()
    if not name or isinstance(value, dict | list):
        raise ValueError
    return name


def _storable(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _threads(rows: Iterator[Row], now_ms: int) -> list[Thread]:
    threads: dict[str, Thread] = {}
    home: dict[str, str] = {}
    seen: set[str] = set()
    for count, (place, subject, old) in enumerate(rows, 1):
        if count > MAX_MESSAGES:
            raise BadArchive(f"There are more than {MAX_MESSAGES} messages in it.")
        if old.id in seen or old.at_ms > now_ms or old.at_ms < 0:
            raise ValueError
        seen.add(old.id)
        place = home.get(place, place)
        home[old.id] = place
        thread = threads.setdefault(place, Thread(place))
        thread.subject = thread.subject or _storable(subject)[:300]
        thread.messages.append(old)
    for thread in threads.values():
        thread.messages.sort(key=lambda old: (old.at_ms, old.id))
    return list(threads.values())
