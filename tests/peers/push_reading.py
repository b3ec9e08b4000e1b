"""How a browser reads a push, written from the specifications with primitives only.

It shares no code with the library that the application encrypts with, so that a mistake in one is
not answered by the same mistake in the other.
"""

import base64
import hashlib
import hmac
import os
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def _fresh_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Browser:
    """The receiving side of a subscription: the keys that only it has.

    `server_key` is the application server's key that the subscription was made for, base64url.
    """

    private: ec.EllipticCurvePrivateKey = field(default_factory=_fresh_key)
    auth: bytes = field(default_factory=lambda: os.urandom(16))
    server_key: str | None = None

    @property
    def keys(self) -> dict[str, str]:
        """What `PushSubscription.toJSON()` says of them."""
        return {"p256dh": pack(point_of(self.private)), "auth": pack(self.auth)}


def browser_of(name: str) -> Browser:
    """Return a browser whose keys follow from its name: for measuring with ten thousand."""
    seed = int.from_bytes(hashlib.sha512(name.encode()).digest())
    auth = hashlib.sha256(f"auth {name}".encode()).digest()[:16]
    return Browser(ec.derive_private_key(seed % (1 << 255) + 1, ec.SECP256R1()), auth)


def point_of(private: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a public key as an uncompressed point."""
    return private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def pack(content: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def unpack(text: str) -> bytes:
    """Return the bytes of base64url; padding is refused (RFC 7515, section 2)."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def decrypt(body: bytes, private: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """Return what a browser reads in a message (RFC 8291, section 3.4; RFC 8188, section 2).

    Raises ValueError for what a browser refuses: another record size than fits, several records, a
    sender's key that is no point, a wrong tag, padding that ends in nothing.
    """
    if len(body) < 21 + 65 + 17:
        raise ValueError("too short")
    salt, record_bytes, key_length = body[:16], int.from_bytes(body[16:20]), body[20]
    sender_point, record = body[21 : 21 + key_length], body[21 + key_length :]
    if key_length != 65:
        raise ValueError("the key id is no public key")
    if not 18 <= len(record) <= record_bytes:
        raise ValueError("not one record")
    sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender_point)
    own_point = point_of(private)
    secret = private.exchange(ec.ECDH(), sender)

    def mac(key: bytes, content: bytes) -> bytes:
        return hmac.new(key, content, hashlib.sha256).digest()

    both = b"WebPush: info\x00" + own_point + sender_point
    material = mac(mac(auth, secret), both + b"\x01")
    extracted = mac(salt, material)
    content_key = mac(extracted, b"Content-Encoding: aes128gcm\x00\x01")[:16]
    nonce = mac(extracted, b"Content-Encoding: nonce\x00\x01")[:12]
    try:
        padded = AESGCM(content_key).decrypt(nonce, record, None)
    except InvalidTag:
        raise ValueError("the tag is wrong") from None
    content = padded.rstrip(b"\x00")
    if not content.endswith(b"\x02"):
        raise ValueError("the last record does not end as one")
    return content[:-1]
