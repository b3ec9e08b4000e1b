"""Headers as they arrive: folded, encoded, wrongly encoded, or nonsense. Nothing here raises."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from app.channels.email_charsets import decode

MAX_HEADER_CHARS = 20_000
MAX_SAME_HEADERS = 20
MAX_SUBJECT_CHARS = 500
MAX_NAME_CHARS = 200
EARLIEST_MS = 315_532_800_000  # 1980: before it, no mail; a clock that was never set

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe]+")
_SPACES = re.compile(r"\s+")
_ADDRESS = re.compile(
    r"[^\s<>()\[\]\\,;:\"@\x00-\x1f\x7f]{1,64}@[^\s<>()\[\]\\,;:\"@\x00-\x1f\x7f]{1,253}"
)


def raw_header(message: Message, name: str) -> str:
    """Return the first such header as text, bounded, encoded words left as they are."""
    return next(iter(all_headers(message, name)), "")


def all_headers(message: Message, name: str) -> list[str]:
    """Return every header of this name; raw 8-bit text is read as UTF-8, else Windows-1252."""
    wanted = name.lower()
    found = [value for key, value in message.raw_items() if key.lower() == wanted]
    return [_text(str(value)[:MAX_HEADER_CHARS]) for value in found[:MAX_SAME_HEADERS]]


def _text(value: str) -> str:
    if value.isascii():
        return value
    return decode(value.encode("utf-8", "surrogateescape"), "utf-8")


def one_line(text: str) -> str:
    """Return `text` without line breaks, control and direction characters, spaces made single."""
    return _SPACES.sub(" ", _CONTROL.sub(" ", text)).strip()


def decoded(value: str) -> str:
    """Return a header with its encoded words (RFC 2047) decoded, on one line."""
    try:
        parts = decode_header(value)
    except (HeaderParseError, ValueError):
        return one_line(value)
    out = [
        part if isinstance(part, str) else decode(part, charset or "utf-8")
        for part, charset in parts
    ]
    return one_line("".join(out))


def subject_of(message: Message) -> str:
    return decoded(raw_header(message, "Subject"))[:MAX_SUBJECT_CHARS]


def addresses(message: Message, *names: str) -> list[tuple[str, str]]:
    """Return (display name, address in comparable form) of these headers; nonsense is left out."""
    found: list[tuple[str, str]] = []
    for name in names:
        for value in all_headers(message, name):
            try:
                pairs = getaddresses([value])
            except (ValueError, IndexError, TypeError):
                continue
            for display, address in pairs:
                comparable = comparable_address(address)
                if comparable:
                    found.append((decoded(display)[:MAX_NAME_CHARS], comparable))
    return found


def comparable_address(address: str) -> str:
    """Return an address in the one form that compares equal, or "" when it is none."""
    address = address.strip()
    if not _ADDRESS.fullmatch(address) or ".." in address.rpartition("@")[2]:
        return ""
    # The local part is case-sensitive on paper (RFC 5321, 2.4) and nowhere else.
    return address.lower()


def date_ms(message: Message, now_ms: int) -> int:
    """Return the Date header in epoch milliseconds: never in the future, now when unreadable."""
    try:
        at_ms = int(parsedate_to_datetime(raw_header(message, "Date")).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return now_ms
    return min(at_ms, now_ms) if at_ms >= EARLIEST_MS else now_ms
