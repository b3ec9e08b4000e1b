"""A reply apart from what it quotes, so that a screen can fold the quote.

For display only: nothing is thrown away. Every line of the mail is in the text or in the quote,
and the raw mail is kept besides. When in doubt, all of it is text: showing a quote costs a swipe,
hiding an answer costs a resident. Works line by line with bounded patterns, in linear time.
"""

from __future__ import annotations

import re

MAX_ATTRIBUTION_LINES = 4
MAX_ATTRIBUTION_CHARS = 400
MAX_SIGNATURE_LINES = 12

_STARTS = re.compile(
    r"(?:Op|On|Am|Le)\b"  # "Op ma 3 nov 2025 om 10:14 schreef X:"
    r"|[^\n]{0,120}\b(?:schreef|wrote|schrieb|heeft)\b",  # "X schreef op 3-11-2025 10:14:"
    re.IGNORECASE,
)
_WROTE = r"\b(?:schreef|geschreven|wrote|schrieb|geschrieben|a écrit)\b"
_SAYS_WROTE = re.compile(_WROTE, re.IGNORECASE)
_ENDS_AS_ATTRIBUTION = re.compile(
    rf"(?:{_WROTE}[^:]{{0,160}}"
    r"|[>)\]\d])(?:\s*het volgende|\s*the following|\s*folgendes)?\s*:\s*$",
    re.IGNORECASE,
)
_OWN_ATTRIBUTION = re.compile(r"\bschreef ik\b|\bik\b.*\bgeschreven\b|\bI wrote\b", re.IGNORECASE)
"""What she quotes here are her own words."""
_DIVIDER = re.compile(
    r"\s*>?\s*-{2,}\s*(?:original message|original appointment|forwarded message"
    r"|oorspronkelijk(?:e)? (?:bericht|e-?mail|afspraak)|doorgestuurd bericht"
    r"|urspr(?:ü|ue)ngliche nachricht|weitergeleitete nachricht)\s*-{2,}\s*",
    re.IGNORECASE,
)
_HEADER_LINE = re.compile(
    r"\s*\*?(?P<name>van|from|von|verzonden|verstuurd|sent|gesendet|datum|date|aan|to|an"
    r"|onderwerp|subject|betreff|cc|kopie|bcc)\s*:\*?\s*(?P<value>.*)",
    re.IGNORECASE,
)
_FROM_NAMES = frozenset({"van", "from", "von"})
_WHEN_NAMES = frozenset({"verzonden", "verstuurd", "sent", "gesendet", "datum", "date"})
_RULE = re.compile(r"\s*_{10,}\s*")
_DEVICE = re.compile(
    r"\s*(?:(?:verzonden|verstuurd) (?:vanaf|vanuit|via|met) |sent from |sent via |"
    r"get outlook for |outlook (?:voor|for) (?:ios|android)|download outlook |von mein(?:em)? )"
    r".{0,80}",
    re.IGNORECASE,
)


def split_quote(text: str) -> tuple[str, str | None]:
    """Return (what the sender wrote, what she quoted or None)."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    start = _quote_start(lines)
    if start is None:
        written, quoted = lines, list[str]()
    else:
        end = _quote_end(lines, start)
        after = lines[end:]
        if _blank(lines[:start]) and not _blank(after):
            # She answered below the quote.
            written, quoted = after, lines[start:end]
        elif _blank(after):
            written, quoted = lines[:start], lines[start:]
        else:
            # She answered between the lines: apart, neither half would make sense.
            return _joined(lines), None
    body, signature = _signature(written)
    if _blank(body):
        # A forwarded mail, or nothing but a quote: then that is what she wrote.
        return _joined(lines), None
    folded = _joined([*signature, "", *quoted] if signature and quoted else signature or quoted)
    return _joined(body), folded or None


def _quote_start(lines: list[str]) -> int | None:
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        if line.startswith(">"):
            return index
        if _is_attribution(lines, index) or _DIVIDER.fullmatch(line) or _is_header(lines, index):
            return index
        if _RULE.fullmatch(line) and _is_header(lines, _next_line(lines, index + 1)):
            return index
    return None


def _is_attribution(lines: list[str], index: int) -> bool:
    """Whether "Op … schreef …:" begins here; mail programs wrap it over several lines."""
    return _attribution_length(lines, index) > 0


def _attribution_length(lines: list[str], index: int) -> int:
    if not _STARTS.match(lines[index][:MAX_ATTRIBUTION_CHARS]):
        return 0
    joined = ""
    for length in range(1, MAX_ATTRIBUTION_LINES + 1):
        if index + length > len(lines) or not lines[index + length - 1].strip():
            return 0
        joined = f"{joined} {lines[index + length - 1].strip()}".strip()
        if len(joined) > MAX_ATTRIBUTION_CHARS:
            return 0
        if joined.endswith(":") and _SAYS_WROTE.search(joined):
            named = "@" in joined or any(character.isdigit() for character in joined)
            return length if named and _ENDS_AS_ATTRIBUTION.search(joined) else 0
    return 0


def _is_header(lines: list[str], index: int) -> bool:
    """Whether an Outlook block begins here: Van, Verzonden, Aan, Onderwerp in any order."""
    if index >= len(lines):
        return False
    first = _HEADER_LINE.fullmatch(lines[index][:1000])
    if not first or first["name"].lower() not in _FROM_NAMES | _WHEN_NAMES:
        return False
    names = {
        found["name"].lower()
        for line in lines[index : index + 10]
        if (found := _HEADER_LINE.fullmatch(line[:1000]))
    }
    return len(names) >= 3 and bool(names & _FROM_NAMES) and bool(names & _WHEN_NAMES)


def _quote_end(lines: list[str], start: int) -> int:
    """Return where the quote ends: at the last `>` line, or for quotes without `>` at the end."""
    at = start + _attribution_length(lines, start)
    at = _next_line(lines, at)
    if at >= len(lines) or not lines[at].startswith(">"):
        return len(lines)
    while at < len(lines) and (lines[at].startswith(">") or not lines[at].strip()):
        at += 1
    return at


def _signature(lines: list[str]) -> tuple[list[str], list[str]]:
    """Split off "-- " and what follows, or the line that a telephone adds."""
    for index in range(len(lines) - 1, max(-1, len(lines) - MAX_SIGNATURE_LINES - 2), -1):
        if lines[index].rstrip() == "--":
            return lines[:index], lines[index:]
    last = len(lines) - 1
    while last >= 0 and not lines[last].strip():
        last -= 1
    if last >= 0 and _DEVICE.fullmatch(lines[last][:200]):
        return lines[:last], lines[last:]
    return lines, []


def _next_line(lines: list[str], index: int) -> int:
    while index < len(lines) and not lines[index].strip():
        index += 1
    return index


def _blank(lines: list[str]) -> bool:
    return not any(line.strip() for line in lines)


def _joined(lines: list[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def without_quotes(text: str) -> str:
    """Return only what the sender surely wrote herself, for whoever judges her by it.

    The other way round from `split_quote`: what may be a quote is left out, also between her lines,
    and a mail that was only forwarded has no words of hers.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    own: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith(">"):
            at += 1
            continue
        length = _attribution_length(lines, at)
        if length and not _OWN_ATTRIBUTION.search(" ".join(lines[at : at + length])):
            following = _next_line(lines, at + length)
            if following >= len(lines) or not lines[following].lstrip().startswith(">"):
                break
            at += length
            continue
        if _DIVIDER.fullmatch(line[:200]) or _is_header(lines, at):
            break
        own.append(line)
        at += 1
    return _joined(_signature(own)[0])
