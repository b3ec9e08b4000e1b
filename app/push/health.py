"""What is known of waking people: per device for its owner, per person for who leads a team."""

from collections.abc import Collection
from typing import Any

from sqlmodel import Session, col, select

from app.accounts.models import Membership, Person
from app.accounts.policy import Principal
from app.accounts.service import devices_of
from app.config import Settings
from app.push.models import PushSubscription
from app.push.service import reaches
from app.push.vapid import server_key


def devices(
    session: Session, person_id: str, settings: Settings, *, now_ms: int
) -> list[dict[str, Any]]:
    """Return a person's signed-in devices, each with what is known of waking it.

    `state` is `none` for a device that never subscribed; `error` is a code or None.
    """
    query = select(PushSubscription).where(PushSubscription.person_id == person_id)
    subscribed = {one.device_id: one for one in session.exec(query)}
    ours = server_key(settings).fingerprint
    return [
        _device(device, subscribed.get(device["id"]), ours)
        for device in devices_of(session, person_id, now_ms=now_ms)
    ]


def _device(
    device: dict[str, Any], subscription: PushSubscription | None, ours: str
) -> dict[str, Any]:
    known: dict[str, Any] = {"device_id": device["id"], "name": device["name"], "state": "none"}
    if subscription is None:
        return known
    changed = subscription.server_key != ours
    return known | {
        "browser": subscription.browser,
        "platform": subscription.platform,
        "state": "gone" if changed else subscription.state,
        "proven_ms": subscription.proven_at_ms,
        "tested_ms": subscription.tested_at_ms,
        "error": "key_changed" if changed else subscription.error,
    }


def team(
    session: Session, who: Principal, leads: Collection[str], *, now_ms: int
) -> list[dict[str, Any]]:
    """Return whether colleagues can be woken, of the teams that are this person's to look after.

    An administrator looks after everybody, a manager after her own teams, and whoever leads a team
    (`leads`, ids of teams) after that one. Others get an empty list.
    """
    query = select(Person).where(col(Person.active)).order_by(col(Person.name), col(Person.id))
    if who.role != "admin":
        teams = set(leads)
        if who.role == "manager":
            teams |= {area[5:] for area in who.areas if area.startswith("team:")}
        if not teams:
            return []
        members = select(Membership.person_id).where(col(Membership.team_id).in_(sorted(teams)))
        query = query.where(col(Person.id).in_(members))
    people = session.exec(query).all()
    known = reaches(session, [person.id for person in people], now_ms=now_ms)
    return [
        {"person_id": person.id, "name": person.name, "reach": known[person.id]}
        for person in people
    ]
