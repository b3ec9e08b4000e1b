"""Identifiers: UUIDs of version 7 as text, and secrets that name a thing only to who holds them."""

import hashlib
import os
import re
import secrets
import time

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def uuid7(now_ms: int | None = None) -> str:
    """Return a new UUID version 7 as lower-case text (RFC 9562, section 5.7).

    The standard library has it from Python 3.14 on only.
    """
    ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    value = (ms & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_uuid(text: object) -> bool:
    """Say whether `text` is a lower-case RFC 9562 UUID; the only form that is stored."""
    return isinstance(text, str) and _UUID.fullmatch(text) is not None


def new_secret() -> str:
    """Return a fresh secret of 160 bits that fits in an address and can be read aloud."""
    return secrets.token_hex(20)


def fingerprint(secret: str) -> str:
    """Return what is stored of a secret: its SHA-256, so that a stolen database opens nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()
