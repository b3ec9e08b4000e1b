"""Secrets of channel accounts, sealed with a key that lies outside the database."""

import base64

from cryptography.fernet import Fernet, InvalidToken

from app.config import Settings
from app.errors import ConfigError
from app.keys import derive


def seal(settings: Settings, secret: str) -> str:
    """Return `secret` in the form that may be stored. Raises ConfigError without a usable key."""
    return _fernet(settings).encrypt(secret.encode()).decode("ascii") if secret else ""


def unseal(settings: Settings, sealed: str) -> str:
    """Return what `seal` was given.

    Raises ConfigError when it was sealed with another key: a database restored without its key.
    """
    if not sealed:
        return ""
    try:
        return _fernet(settings).decrypt(sealed.encode()).decode()
    except (InvalidToken, UnicodeError):
        raise ConfigError(
            "A channel's password was sealed with another key; put back the key file that belongs "
            "to this database, or enter the password again with `stoep channel add`."
        ) from None


def _fernet(settings: Settings) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derive(settings, "channel secrets")))
