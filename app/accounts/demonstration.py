"""Signing in by a tap: in the demonstration only, and only for whoever sits at this machine."""

import ipaddress
from typing import Any

from sqlmodel import Session, col, select
from starlette.requests import Request

from app.accounts.models import Membership, Person, Team
from app.errors import NotFound
from app.security import LOOPBACK_NAMES, host_name

_FORWARDED = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip"})


def is_allowed(request: Request) -> bool:
    """Say whether this request may sign in without proof of who it is.

    The peer must be this machine itself, the name in the address one that no other site can point
    at us (DNS rebinding), and nothing may say that a proxy passed the request on.
    """
    return (
        request.app.state.settings.demo is True
        and request.client is not None
        and _is_loopback(request.client.host)
        and host_name(request.headers.get("host", "").encode("latin-1")) in LOOPBACK_NAMES
        and not any(
            name in _FORWARDED or name.startswith("x-forwarded") for name in request.headers
        )
    )


def require(request: Request) -> None:
    """Raise NotFound unless `is_allowed`: elsewhere this door does not exist."""
    if not is_allowed(request):
        raise NotFound


def people(session: Session) -> list[dict[str, Any]]:
    """Return who can be chosen: {id, name, role, teams: [name]}."""
    teams: dict[str, list[str]] = {}
    for person_id, name in session.exec(
        select(Membership.person_id, Team.name)
        .where(col(Team.id) == col(Membership.team_id))
        .order_by(Team.name)
    ):
        teams.setdefault(person_id, []).append(name)
    found = session.exec(select(Person).where(col(Person.active)).order_by(Person.name))
    return [
        {"id": one.id, "name": one.name, "role": one.role, "teams": teams.get(one.id, [])}
        for one in found
    ]


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
