"""The rota as a calendar that any program can follow: text/calendar.

Source: RFC 5545 (3.1 folding, 3.3.5 UTC times, 3.3.11 escaping, 3.8.4.7 UID, 3.8.7.2 DTSTAMP), RFC
7986 (5.7 REFRESH-INTERVAL, 5.5 NAME), read 2026-11-23.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

LINE_OCTETS = 75


@dataclass(frozen=True, slots=True)
class Event:
    """One shift: `uid` never changes, `changed_at_ms` is when it was last written down."""

    uid: str
    summary: str
    description: str
    starts_at_ms: int
    ends_at_ms: int
    changed_at_ms: int


def write(name: str, events: Iterable[Event]) -> bytes:
    """Return the calendar; the same events always give the same bytes."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Stoep//Rota//NL",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"NAME:{escape(name)}",
        f"X-WR-CALNAME:{escape(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
    ]
    for event in sorted(events, key=lambda one: (one.starts_at_ms, one.uid)):
        lines += [
            "BEGIN:VEVENT",
            f"UID:{event.uid}",
            f"DTSTAMP:{_utc(event.changed_at_ms)}",
            f"DTSTART:{_utc(event.starts_at_ms)}",
            f"DTEND:{_utc(event.ends_at_ms)}",
            f"SUMMARY:{escape(event.summary)}",
            f"DESCRIPTION:{escape(event.description)}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return b"".join(fold(line) for line in lines)


def escape(text: str) -> str:
    """Return text as the value of a property: what could end it or begin another is disarmed."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    plain = "".join(one for one in plain if one == "\n" or one >= " ").replace("\x7f", "")
    for special in ("\\", ";", ","):
        plain = plain.replace(special, f"\\{special}")
    return plain.replace("\n", "\\n")


def fold(line: str) -> bytes:
    """Return a content line, cut after at most 75 octets and never inside a character."""
    folded, used = bytearray(), 0
    for character in line:
        octets = character.encode("utf-8", "replace")
        if used + len(octets) > LINE_OCTETS:
            folded += b"\r\n "
            used = 1
        folded += octets
        used += len(octets)
    return bytes(folded) + b"\r\n"


def _utc(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y%m%dT%H%M%SZ}"
