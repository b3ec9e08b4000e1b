"""How often one address may try something, counted in the database in fixed windows.

The database holds no address: only a keyed hash of it, which nobody without the key file can
undo by trying all addresses.
"""

import hashlib
import hmac
import ipaddress

from sqlalchemy import text
from sqlmodel import Session
from starlette.requests import Request

from app import keys
from app.errors import TooMany

_COUNT = text(
    "INSERT INTO rate_count (key, period, count) VALUES (:key, :period, 1)"
    " ON CONFLICT (key, period) DO UPDATE SET count = rate_count.count + 1"
    " RETURNING count"
)
_FORGET = text("DELETE FROM rate_count WHERE period <= :now_ms")


async def limit(
    request: Request, purpose: str, *, times: int, period_s: int, everybody: bool = False
) -> None:
    """Count this request; raise TooMany when its address did so more than `times` in `period_s`.

    With `everybody` all addresses are counted together. It counts in a transaction of its own, so
    that what fails afterwards was counted as well.
    """
    state = request.app.state
    network = "everybody" if everybody else _network(client_address(request))
    key = hmac.new(
        keys.derive(state.settings, "rate limit"),
        f"{purpose} {network}".encode(),
        hashlib.sha256,
    ).hexdigest()
    now_ms = state.clock.now_ms()
    period_ms = period_s * 1000
    # A window is named by its end, so that one comparison finds all that have passed.
    end_ms = (now_ms // period_ms + 1) * period_ms

    def count(session: Session) -> int:
        counted: int = session.execute(_COUNT, {"key": key, "period": end_ms}).scalar_one()
        if counted == 1:
            session.execute(_FORGET, {"now_ms": now_ms})
        return counted

    if await state.db.write(count) > times:
        retry_after_s = -(-(end_ms - now_ms) // 1000)
        raise TooMany("Wait a while and try again.", retry_after_s=retry_after_s)


def client_address(request: Request) -> str:
    """Return the address of whoever asks; a forwarded one counts only from a trusted proxy.

    Proxies add to the right of X-Forwarded-For; the first from the right that is not a proxy of
    ours is the one that a proxy of ours saw. What stands left of it anybody can have written.
    """
    peer = request.client.host if request.client else ""
    trusted = {one.strip() for one in request.app.state.settings.trusted_proxies.split(",")} - {""}
    if peer not in trusted:
        return peer
    forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
    for hop in reversed([hop.strip() for hop in forwarded.split(",")]):
        if not _is_address(hop):
            break
        if hop not in trusted:
            return hop
    return peer


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _network(address: str) -> str:
    """Return what one subscriber holds: an IPv4 address, or a /64 of IPv6."""
    if not _is_address(address):
        return address
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
