"""Whether phones can be woken, for `stoep check`. Nothing is sent to anybody.

That a push service takes our signature can only be seen with a real subscription; that it can be
reached (through the proxy, with TLS) can be seen without.
"""

import asyncio
from urllib.parse import urlsplit

from sqlmodel import Session, col, func, select

from app.config import Settings
from app.db import Database
from app.errors import BadRequest
from app.push import endpoints
from app.push.connections import Connections, Unreachable
from app.push.models import PushSubscription
from app.push.vapid import contact, server_key

Line = tuple[bool, str]
"""Whether it is in order, and what it is."""


def check(settings: Settings) -> list[Line]:
    """Return a line for the key, the contact, and each push service that somebody uses."""
    ours = server_key(settings)
    db = Database(settings.database)
    try:
        made_with = db.read_now(_made_with)
        used = db.read_now(_endpoints)
    finally:
        db.close()
    old = sum(count for key, count in made_with.items() if key != ours.fingerprint)
    lines = [_key_line(ours.fingerprint, old), _contact_line(settings)]
    origins = set()
    for endpoint in used:
        try:
            origins.add(endpoints.origin(endpoint, settings.push_services))
        except BadRequest:
            lines.append((False, "push: a phone uses a push service that is not allowed any more"))
    lines += asyncio.run(_reach_all(sorted(origins)))
    if not used:
        lines.append((True, "push services: nobody is subscribed yet"))
    return lines


def _made_with(session: Session) -> dict[str, int]:
    query = select(PushSubscription.server_key, func.count()).group_by(
        col(PushSubscription.server_key)
    )
    return dict(session.exec(query).all())


def _endpoints(session: Session) -> list[str]:
    """Return one endpoint for each host that live subscriptions are at."""
    query = select(PushSubscription.endpoint).where(PushSubscription.state != "gone")
    by_host = {endpoint.split("/", 3)[2]: endpoint for endpoint in session.exec(query)}
    return [by_host[host] for host in sorted(by_host)]


def _key_line(fingerprint: str, old: int) -> Line:
    if not old:
        return True, f"push key {fingerprint}"
    phones = "1 phone" if old == 1 else f"{old} phones"
    return False, (
        f"push key {fingerprint}: {phones} subscribed with another one and cannot be woken until"
        " the app is opened there; was the file `key` lost?"
    )


def _contact_line(settings: Settings) -> Line:
    if settings.push_contact or settings.origin.startswith("https://"):
        return True, f"push contact {contact(settings)}"
    if urlsplit(settings.origin).hostname == "localhost":
        return True, "push contact: none, which is good enough to try Stoep out on this machine"
    return False, "push contact: none; set STOEP_PUSH_CONTACT to where push services reach you"


async def _reach_all(origins: list[str]) -> list[Line]:
    connections = Connections()
    return list(await asyncio.gather(*(_reach(connections, one) for one in origins)))


async def _reach(connections: Connections, origin: str) -> Line:
    host = origin.partition("://")[2]
    try:
        await connections.reach(origin)
    except Unreachable as error:
        return False, f"push service {host}: {error.code}"
    return True, f"push service {host} can be reached"
