"""How many signs a reader sees: grapheme clusters, as platforms count them.

Follows the rules of Unicode Standard Annex 29 (section 3.1.1, read November 2026) with what the
standard library knows of characters. Where a property is not in it (Prepend, conjuncts of Indic
scripts) a cluster is counted as two rather than as one: the count is never too low.
"""

from __future__ import annotations

import unicodedata

_ZWJ = "\u200d"
_VARIATION = range(0xFE00, 0xFE10)
_SKIN = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)
_FLAGS = range(0x1F1E6, 0x1F200)
_HANGUL_V = range(0x1160, 0x11A8)
_HANGUL_T = range(0x11A8, 0x1200)
_HANGUL_L = range(0x1100, 0x1160)
_SYLLABLES = range(0xAC00, 0xD7A4)


def graphemes(text: str) -> int:
    """Count the grapheme clusters of a text."""
    count = 0
    before = ""
    flags = 0
    picture = False
    for sign in text:
        joined = _joins(before, sign, flags, picture)
        count += not joined
        code = ord(sign)
        flags = flags + 1 if code in _FLAGS else 0
        picture = _is_picture(code) or (joined and picture and code not in _FLAGS)
        before = sign
    return count


def _joins(before: str, sign: str, flags: int, picture: bool) -> bool:
    """Say whether `sign` belongs to the cluster that ends in `before`."""
    if not before or before in "\r\n":
        return before == "\r" and sign == "\n"
    code, last = ord(sign), ord(before)
    if unicodedata.category(before) in {"Cc", "Zl", "Zp"}:
        return False
    if sign == _ZWJ or code in _VARIATION or code in _SKIN or code in _TAGS:
        return True
    if unicodedata.category(sign) in {"Mn", "Me", "Mc"}:
        return True
    if before == _ZWJ:
        return picture and _is_picture(code)
    if code in _FLAGS:
        return last in _FLAGS and flags % 2 == 1
    return _is_hangul(last, code)


def _is_hangul(last: int, code: int) -> bool:
    """Say whether two Korean letters stand in one syllable."""
    if last in _HANGUL_L:
        return code in _HANGUL_L or code in _HANGUL_V or code in _SYLLABLES
    open_syllable = last in _SYLLABLES and (last - 0xAC00) % 28 == 0
    if last in _HANGUL_V or open_syllable:
        return code in _HANGUL_V or code in _HANGUL_T
    return (last in _HANGUL_T or last in _SYLLABLES) and code in _HANGUL_T


def _is_picture(code: int) -> bool:
    """Say whether a character is drawn as a picture (Extended_Pictographic, in broad strokes)."""
    if code in _FLAGS or code in _SKIN:
        return False
    return (
        0x1F000 <= code < 0x1FB00
        or 0x2190 <= code < 0x2C00
        or code in {0xA9, 0xAE, 0x203C, 0x2049, 0x2122, 0x2139, 0x3030, 0x303D, 0x3297, 0x3299}
    )
