"""The one place that encrypts and signs: round the two halves of the push library.

`pywebpush` is made of `http_ece` (RFC 8188 and 8291) and `py_vapid` (RFC 8292, see vapid.py). It
joins them with a client that waits without end and sends `TTL: 0`, so we use the halves.
"""

from base64 import urlsafe_b64decode

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec

RECORD_BYTES = 4096


def seal(plaintext: bytes, p256dh: str, auth: str) -> bytes:
    """Return the body of a push that only the holder of these keys can read, in one record.

    Key pair and salt are made for this message alone (RFC 8291, section 3.1). The keys are those of
    a subscription, which were checked when it was made (`endpoints.check_keys`).
    """
    sealed: bytes = http_ece.encrypt(
        plaintext,
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=urlsafe_b64decode(p256dh + "=="),
        auth_secret=urlsafe_b64decode(auth + "=="),
        rs=RECORD_BYTES,
        version="aes128gcm",
    )
    return sealed
