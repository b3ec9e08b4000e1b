"""Bytes to text, for charsets declared wrongly, half, or not at all. Nothing here raises."""

from __future__ import annotations

import codecs

# What mail programs write and Python does not know, or means more narrowly than the sender.
_ALIASES = {
    "iso-8859-1": "cp1252",  # WHATWG Encoding: the label means windows-1252 in practice
    "iso_8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "ansi_x3.4-1968": "cp1252",
    "unknown-8bit": "utf-8",
    "x-unknown": "utf-8",
    "default": "utf-8",
    "utf8mb4": "utf-8",
    "gb2312": "gb18030",
    "ks_c_5601-1987": "cp949",
    "shift_jis": "cp932",
    "iso-8859-8-i": "iso-8859-8",
}
# Codecs that are no charsets (rot13, zip bombs); a mail has no business with them.
_NOT_TEXT = frozenset({"bz2", "hex", "base64", "quopri", "rot13", "uu", "zlib", "idna", "punycode"})


def decode(content: bytes, charset: str) -> str:
    """Return text: by the declared charset, else UTF-8, else Windows-1252 with gaps marked."""
    for name in (_known(charset), "utf-8"):
        if name is None:
            continue
        try:
            text = content.decode(name)
        except (UnicodeError, LookupError, ValueError):
            continue
        if isinstance(text, str):
            return text.replace("\x00", "")
    return content.decode("cp1252", "replace").replace("\x00", "")


def _known(charset: str) -> str | None:
    label = charset.strip().strip("'\"").lower()
    label = _ALIASES.get(label, label)
    if label == "cp1252":
        # UTF-8 mislabelled as Latin-1 is common; Latin-1 that happens to be valid UTF-8 is not.
        return None
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError, UnicodeError):
        return None
    return None if name in _NOT_TEXT or name.startswith("unicode") else name
