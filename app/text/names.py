"""Names and headings that somebody else chose, made fit to stand on one line among other words."""

import re
import unicodedata

_UNSEEN = re.compile(r"[\u00ad\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufff9-\ufffb]")
"""Turns the direction of what follows, or shows nothing. Joiners stay: scripts and emoji have them.
"""
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")
_SEEN = frozenset("LNPS")
"""Letters, digits, punctuation and signs (Unicode, General_Category)."""


def one_line(text: str, most: int) -> str:
    """Return a name of at most `most` characters; "" for one of which nothing can be seen.

    A name that turns the direction of writing would turn the words behind it too, and one of only
    blanks that are no spaces could not be tapped.
    """
    line = _BREAKS.sub(" ", _UNSEEN.sub("", text[: most * 20])).strip()[:most].strip()
    return line if any(unicodedata.category(one)[0] in _SEEN for one in line) else ""
