"""How X counts, what counts as a link there, and the way out: the text ready to post in X itself.

Source: X, "Counting characters" (twitter-text configuration v3) and "Web intents" (read 2026-11).
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

MAX_WEIGHT = 280
LINK_WEIGHT = 23

_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
_BARE = re.compile(
    r"(?<![@\w.-])(?:[a-z0-9-]+\.)+(?:nl|com|org|net|eu|info|gov|amsterdam|frl)\b", re.IGNORECASE
)
"""What X makes a link of without being asked; the commonest endings are enough to ask a person."""

_EMOJI = re.compile(
    "(?:[\U0001f1e6-\U0001f1ff]{2}"
    "|[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\u3030\u303d"
    "\u3297\u3299\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]*"
    "(?:\u200d[\u2190-\u2bff\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]*)*)"
)
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))


def weight(text: str) -> int:
    """Return the length as X counts it: 280 fit in a post."""
    rest, links = _LINK.subn("", unicodedata.normalize("NFC", text))
    rest, emoji = _EMOJI.subn("", rest)
    return links * LINK_WEIGHT + emoji * 2 + sum(_weight_of(ord(one)) for one in rest)


def _weight_of(code: int) -> int:
    return 1 if any(first <= code <= last for first, last in _LIGHT) else 2


def has_link(text: str) -> bool:
    """Say whether X would see a link, which costs over ten times as much to post."""
    return bool(_LINK.search(text) or _BARE.search(text))


def intent_link(text: str, answers: str = "") -> str:
    """Return the page on X where this text stands ready to be posted by hand.

    `answers` is the external id of the post that is answered; a direct message has no such page.
    """
    link = f"https://x.com/intent/post?text={quote(text, safe='')}"
    return f"{link}&in_reply_to={answers}" if answers.isascii() and answers.isdecimal() else link


def same(posted: str, written: str) -> bool:
    """Say whether a post is what was written: X puts names before it and shortens its links."""
    return _bare(re.sub(r"^(?:@\w+\s+)*", "", posted)) == _bare(
        re.sub(r"^(?:@\w+\s+)*", "", written)
    )


def _bare(text: str) -> str:
    whole = unicodedata.normalize("NFC", text)
    whole = whole.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return " ".join(_BARE.sub("~", _LINK.sub("~", whole)).split())
