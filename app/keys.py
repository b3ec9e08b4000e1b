"""The one secret of an installation: a file beside the database, from which every key is derived.

It lies outside the database, so that a copy of the database alone opens nothing. Machines that
share a database share this file.
"""

import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.config import Settings
from app.errors import ConfigError

KEY_BYTES = 32


def derive(settings: Settings, purpose: str) -> bytes:
    """Return the 32 bytes that serve one purpose; two purposes never share a key (RFC 5869).

    Makes the key file when there is none. Raises ConfigError when it cannot be read or made.
    """
    return _derived(settings.data_dir / "key", purpose)


@lru_cache(maxsize=64)
def _derived(path: Path, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"stoep {purpose}".encode()).derive(
        _load(path)
    )


def _load(path: Path) -> bytes:
    try:
        if not path.exists():
            _make(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise ConfigError(f"The key file {path} cannot be used: {error}.") from None
    if len(key) < KEY_BYTES:
        raise ConfigError(f"The key file {path} is cut short; put back the copy from your backup.")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # Two processes may start at once: a link never replaces, so the first one's key stays.
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
