"""Which addresses we send to: an endpoint comes from a browser, and a browser can be made to lie.

Our server posts to it from inside the municipality's network, so only the push services of the
browsers are taken, matched on a dot boundary, plus what the setting names.
"""

import base64
import re
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec

from app.errors import BadRequest

SERVICES = (
    "fcm.googleapis.com",  # Chrome, Edge on Android, Samsung Internet, Opera, Brave
    "push.services.mozilla.com",  # Firefox
    "notify.windows.com",  # Edge
    "push.apple.com",  # Safari
)
"""The push services of the browsers, each with all names below it."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
MAX_ENDPOINT_CHARS = 2048
POINT_BYTES = 65
AUTH_BYTES = 16

_ENDPOINT = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*|\[[0-9a-f:]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)"
)


@lru_cache(maxsize=8)
def parse_services(setting: str) -> dict[str, int | None]:
    """Return {host: port or None} of the setting `push_services`, which was checked at start."""
    found: dict[str, int | None] = {}
    for one in filter(None, (part.strip() for part in setting.split(","))):
        host, colon, port = one.rpartition(":")
        if not colon or host.endswith(":") or "]" in port:
            found[one] = None
        else:
            found[host] = int(port)
    return found


def origin(endpoint: str, setting: str) -> str:
    """Return the origin of an endpoint that may be sent to: scheme, host, a port that is not usual.

    `setting` is `push_services`. Plain http is for a loopback host that the setting names with its
    port. Raises BadRequest with `reason` for anything else.
    """
    match = _ENDPOINT.fullmatch(endpoint) if len(endpoint) <= MAX_ENDPOINT_CHARS else None
    if match is None:
        raise _refused("unreadable")
    also = parse_services(setting)
    scheme, host = match["scheme"], match["host"]
    port = int(match["port"]) if match["port"] else {"https": 443, "http": 80}[scheme]
    if not _is_service(host, port, also):
        raise _refused("unknown_service")
    if scheme != "https" and not (host in LOOPBACK and host in also):
        raise _refused("not_https")
    usual = port == (443 if scheme == "https" else 80)
    return f"{scheme}://{host}" if usual else f"{scheme}://{host}:{port}"


def path(endpoint: str) -> str:
    """Return what follows the origin of an endpoint that was checked before."""
    return endpoint[endpoint.index("/", len("https://")) :]


def _is_service(host: str, port: int, also: dict[str, int | None]) -> bool:
    for name, named_port in also.items():
        if _is_at_or_below(host, name) and port == (named_port or 443):
            return True
    return port == 443 and any(_is_at_or_below(host, name) for name in SERVICES)


def _is_at_or_below(host: str, name: str) -> bool:
    """Match on a dot boundary: `evil-push.apple.com.example` is not Apple's."""
    return host == name or (host.endswith(f".{name}") and _is_name(name))


def _is_name(host: str) -> bool:
    # An address in digits has nothing below it.
    return not host.startswith("[") and not host.rpartition(".")[2].isdigit()


def _refused(reason: str) -> BadRequest:
    return BadRequest("This is not the address of a push service that we know.", reason=reason)


def check_keys(p256dh: str, auth: str) -> None:
    """Raise BadRequest unless these are a point on P-256 and a secret of 16 bytes (RFC 8291, 2)."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decode(p256dh, POINT_BYTES))
        decode(auth, AUTH_BYTES)
    except ValueError:
        raise BadRequest("These are not the keys of a subscription.", reason="keys") from None


def decode(text: str, length: int) -> bytes:
    """Return so many bytes of base64url without padding. Raises ValueError for anything else."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text) or len(text) != -(-length * 4 // 3):
        raise ValueError("not so many bytes in base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(content: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(content).decode("ascii").rstrip("=")
