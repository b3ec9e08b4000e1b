"""May two residents be one person, and why? Pure: no I/O.

A clue is her own when it is where she writes from or what she gave as hers (the address under a
form, the telephone number of a contact note), and else only something in her words. Words alone
never join two people: both may write of the same doctor.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass

KINDS = ("email", "phone", "handle", "name")
"""What a clue can be, the strongest first; a name is a hint only, and only within one area."""

SHARED_BY_MOST = 4
"""Residents that may share a clue; what more of them share (a flat's caretaker) says nothing."""

MAX_SAID = 10
"""Clues taken from one message: a list of addresses is no introduction."""

_HOST = r"(?:[\w-]{1,63}\.){1,4}[a-z]{2,24}(?![\w@-])"
_EMAIL = re.compile(rf"(?<![\w.@+-])[\w.+-]{{1,64}}@{_HOST}", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w+])(?:\+|00|0)[1-9](?:[ ()./-]{0,2}\d){7,13}(?!\d)")
_FEDIVERSE = re.compile(rf"(?<![\w@/])@[\w.]{{1,64}}@{_HOST}", re.IGNORECASE)
_MATRIX = re.compile(rf"(?<![\w@/])@[\w.=/+-]{{1,64}}:{_HOST}", re.IGNORECASE)
_BLUESKY = re.compile(r"(?<![\w@/.])@?([a-z0-9-]{3,63}\.bsky\.social)(?![\w-])", re.IGNORECASE)
_MAIL_CHANNELS = frozenset({"email", "web", "contact"})
"""Channels in which an address with an @ is an e-mail address."""

DUTCH = "31"
_DUTCH_DIGITS = 11
"""Digits of a Dutch number with its country code."""


@dataclass(frozen=True, slots=True)
class Clue:
    """What may tell who somebody is; `value` is written in one way only, so that it compares."""

    kind: str
    value: str
    own: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """Why two residents may be one: what both conversations have."""

    kind: str
    value: str


def own(channel: str, address: str, *, phone: str = "", name: str = "") -> frozenset[Clue]:
    """Return the clues that a conversation has by where its resident writes from, and her name."""
    clues = {Clue("name", plain, True)} if (plain := plain_name(name)) else set()
    bare = address.strip().partition(" ")[0].lower()
    if channel in _MAIL_CHANNELS and _EMAIL.fullmatch(bare):
        clues.add(Clue("email", bare, True))
    elif channel == "whatsapp" and re.fullmatch(r"\+?[1-9]\d{7,14}", bare):
        clues.add(Clue("phone", bare.removeprefix("+"), True))
    elif channel == "mastodon" and _FEDIVERSE.fullmatch(f"@{bare}"):
        clues.add(Clue("handle", f"@{bare}", True))
    elif channel == "matrix" and _MATRIX.fullmatch(bare):
        clues.add(Clue("handle", bare, True))
    if channel == "bluesky" and (found := _BLUESKY.fullmatch(name.strip())):
        clues.add(Clue("handle", f"@{found[1].lower()}", True))
    if number := plain_number(phone):
        clues.add(Clue("phone", number, True))
    return frozenset(clues)


def said(text: str) -> frozenset[Clue]:
    """Return the addresses, numbers and handles in somebody's words, the first few."""
    found = [("handle", hit[0].lower()) for hit in _FEDIVERSE.finditer(text)]
    found += [("handle", hit[0].lower()) for hit in _MATRIX.finditer(text)]
    found += [("handle", f"@{hit[1].lower()}") for hit in _BLUESKY.finditer(text)]
    found += [("email", hit[0].lower()) for hit in _EMAIL.finditer(text)]
    found += [("phone", plain_number(hit[0])) for hit in _PHONE.finditer(text)]
    kept = [pair for pair in dict.fromkeys(found) if pair[1]][:MAX_SAID]
    return frozenset(Clue(kind, value, False) for kind, value in kept)


def plain_number(number: str) -> str:
    """Return a telephone number as its digits with the country code; "" when it is none.

    What begins with one zero is Dutch: 06-12 34 56 78 is 31612345678 (ITU-T E.164).
    """
    digits = "".join(character for character in number if character.isdigit() or character == "+")
    # As in +31 (0)6: the zero between brackets is dialled within the country only.
    digits = re.sub(r"^(\+|00)31\s*0", r"\g<1>31", digits)
    if digits.startswith("+"):
        digits = digits[1:]
    elif digits.startswith("00"):
        digits = digits[2:]
    elif digits.startswith("0"):
        digits = DUTCH + digits[1:]
    if "+" in digits or not digits.isascii() or not 8 <= len(digits) <= 15 or digits[0] == "0":
        return ""
    if digits.startswith(DUTCH) and len(digits) != _DUTCH_DIGITS:
        return ""
    return digits


def plain_name(name: str) -> str:
    """Return a full name without accents and capitals; "" for what is no first and last name."""
    if "@" in name or len(name) > 80:
        return ""
    flat = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(one for one in flat if not unicodedata.combining(one))
    words = re.findall(r"[^\W\d_]+", letters)
    if len(words) < 2 or any(character.isdigit() for character in letters):
        return ""
    return " ".join(words) if min(len(words[0]), len(words[-1])) > 1 else ""


def why(ours: Collection[Clue], theirs: Collection[Clue], *, same_area: bool) -> Reason | None:
    """Return the strongest reason to think that two are one, or None."""
    found = [
        (KINDS.index(one.kind), one.value)
        for one in ours
        for other in theirs
        if (one.kind, one.value) == (other.kind, other.value) and _counts(one, other, same_area)
    ]
    if not found:
        return None
    strength, value = min(found)
    return Reason(KINDS[strength], value)


def _counts(one: Clue, other: Clue, same_area: bool) -> bool:
    if one.kind == "name":
        return one.own and other.own and same_area
    return one.own or other.own


def together(start: Iterable[str], pairs: Iterable[tuple[str, str]]) -> set[str]:
    """Return whom these residents are one with, by pairs that were said to be the same."""
    found = set(start)
    left = list(pairs)
    grown = True
    while grown:
        fresh = [pair for pair in left if found & set(pair)]
        grown = any(not set(pair) <= found for pair in fresh)
        for pair in fresh:
            found |= set(pair)
    return found
