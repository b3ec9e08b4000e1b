"""Who we are to a push service: one key pair an installation, and signed tokens (RFC 8292).

The key pair is derived from the installation's one secret. When that is lost and made anew, every
subscription was made with another key: `push_subscription.server_key` tells.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from app import keys
from app.config import Settings
from app.push.endpoints import encode

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256's base point (FIPS 186-5 and SEC 2)."""

VALID_S = 12 * 3600
"""Half of the most that RFC 8292, section 2, allows."""

RENEW_S = 6 * 3600


@dataclass(frozen=True)
class ServerKey:
    """Our key pair; `public` is the uncompressed point in base64url, as browsers want it."""

    private: ec.EllipticCurvePrivateKey
    public: str
    fingerprint: str


def server_key(settings: Settings) -> ServerKey:
    """Return this installation's key pair. Raises ConfigError without a usable key file."""
    # Twice the bytes of the order, so that taking the remainder favours no number.
    return _from_seed(keys.derive(settings, "vapid 1") + keys.derive(settings, "vapid 2"))


@lru_cache(maxsize=8)
def _from_seed(seed: bytes) -> ServerKey:
    private = ec.derive_private_key(int.from_bytes(seed) % (ORDER - 1) + 1, ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return ServerKey(private, encode(point), hashlib.sha256(point).hexdigest()[:16])


class Signer:
    """Signs for each push service its own token, and uses it again for some hours.

    A token says nothing of the message, so one for all messages to a push service is what RFC 8292,
    section 5, expects.
    """

    def __init__(self, settings: Settings) -> None:
        self._vapid = Vapid02(private_key=server_key(settings).private)
        self._contact = contact(settings)
        self._signed: dict[str, tuple[int, str]] = {}

    def authorization(self, origin: str, now_ms: int) -> str:
        """Return the Authorization header for a push service, valid for six hours at least."""
        now_s = now_ms // 1000
        made_s, header = self._signed.get(origin, (0, ""))
        if not header or not 0 <= now_s - made_s < RENEW_S:
            # Claims made for this one signature: the library changes the dict it is given.
            claims = {"aud": origin, "exp": now_s + VALID_S, "sub": self._contact}
            header = self._vapid.sign(claims)["Authorization"]
            self._signed[origin] = (now_s, header)
        return header

    def forget(self, origin: str) -> None:
        """Sign anew next time: the push service did not take the token."""
        self._signed.pop(origin, None)


def contact(settings: Settings) -> str:
    """Return where a push service's people can reach the municipality (RFC 8292, section 2.1)."""
    if settings.push_contact:
        return settings.push_contact
    own = settings.origin
    return own if own.startswith("https://") else "mailto:stoep@localhost"
