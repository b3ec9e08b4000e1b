"""Who is asking, on which device, and what she sees; signing in and out.

The question is asked at every request, so it is one query and, on SQLite, no thread.
"""

import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select, update
from starlette.requests import Request

from app.accounts import cookies, policy
from app.accounts.models import Device, Membership, Person, TeamArea, UserSession
from app.accounts.policy import Principal
from app.db import Database
from app.errors import NotAllowed, NotFound, Revoked, SignedOut
from app.ids import fingerprint, new_secret, uuid7

log = logging.getLogger(__name__)

SEEN_EVERY_MS = 5 * 60 * 1000
"""A device's last sign of life is written down at most this often."""

_WHO = """
SELECT s.person_id, s.device_id, s.expires_at_ms, s.ended_at_ms, d.revoked_at_ms, d.seen_at_ms,
       p.active, p.name, p.role, p.language,
       (SELECT {gather}(m.team_id, ' ') FROM membership m WHERE m.person_id = s.person_id),
       (SELECT {gather}(a.area, ' ') FROM membership m JOIN team_area a ON a.team_id = m.team_id
         WHERE m.person_id = s.person_id),
       CASE WHEN p.role IN ({everywhere}) THEN (SELECT {gather}(t.id, ' ') FROM team t)
       ELSE (SELECT {gather}(o.team_id, ' ') FROM membership m
         JOIN team_area a ON a.team_id = m.team_id JOIN team_area o ON o.area = a.area
         WHERE m.person_id = s.person_id AND o.team_id <> m.team_id) END
  FROM user_session s
  JOIN device d ON d.id = s.device_id
  JOIN person p ON p.id = s.person_id
 WHERE s.fingerprint = :fingerprint
"""
_EVERYWHERE = ", ".join(f"'{role}'" for role, rights in policy.RIGHTS.items() if "rota" in rights)
_WHO_SQLITE = _WHO.format(gather="group_concat", everywhere=_EVERYWHERE)
_WHO_POSTGRESQL = _WHO.format(gather="string_agg", everywhere=_EVERYWHERE)

_GUEST = "SELECT scope, expires_at_ms FROM guest WHERE person_id = :person_id"
GUEST_GRACE_MS = 7 * 86_400_000
"""So long after her evening a guest's device may still hand over what it caught out of reach."""

_SEEN = text(
    "UPDATE device SET seen_at_ms = :now_ms WHERE id = :device_id AND seen_at_ms < :before_ms"
)


async def current(request: Request) -> Principal:
    """Return who is asking: the dependency of every route that needs a signed-in person.

    Raises SignedOut without a session that lives, Revoked when this device's access was taken away
    or the person no longer works here.
    """
    state = request.app.state
    secret = cookies.find(request.scope["headers"], cookies.name(state.settings).encode())
    if secret is None:
        raise SignedOut
    who = await principal(state.db, secret, state.clock.now_ms())
    if not policy.may_enter(who.role, request.url.path):
        raise NotAllowed("This is not part of the evening you help at.")
    return who


async def principal(db: Database, secret: str, now_ms: int) -> Principal:
    """Return whose session this secret opens; raises as `current` does."""
    sql = _WHO_SQLITE if db.is_sqlite else _WHO_POSTGRESQL
    rows = await db.all(sql, {"fingerprint": fingerprint(secret)})
    if not rows:
        raise SignedOut
    (person_id, device_id, expires_ms, ended_ms, revoked_ms, seen_ms) = rows[0][:6]
    (active, name, role, language, teams, areas, near) = rows[0][6:]
    # Revoked comes first: a phone that was taken away must clear itself, also long afterwards.
    if revoked_ms is not None or not active:
        raise Revoked
    if ended_ms is not None or expires_ms <= now_ms:
        raise SignedOut
    if now_ms - seen_ms > SEEN_EVERY_MS:
        await _note_seen(db, device_id, now_ms)
    if role == policy.GUEST:
        scopes = await _guest_scopes(db, person_id, now_ms)
        return Principal(person_id, device_id, name, role, language, scopes)
    rota = _rota(role, teams, near)
    return Principal(person_id, device_id, name, role, language, _areas(teams, areas), rota)


async def _guest_scopes(db: Database, person_id: str, now_ms: int) -> frozenset[str]:
    """Return the one thing that a guest sees; `late:` before it when her evening is over.

    Then nothing reaches her any more, but what she caught out of reach of a network still comes in.
    Raises Revoked, which clears her device, when that has taken too long.
    """
    rows = await db.all(_GUEST, {"person_id": person_id})
    if not rows or rows[0][1] + GUEST_GRACE_MS <= now_ms:
        raise Revoked
    scope, ends_ms = rows[0]
    return frozenset({scope if ends_ms > now_ms else f"late:{scope}"})


@lru_cache(maxsize=1024)
def _rota(role: str, teams: str | None, near: str | None) -> frozenset[str]:
    return policy.rota_of(role, [*(teams or "").split(), *(near or "").split()])


@lru_cache(maxsize=1024)
def _areas(teams: str | None, areas: str | None) -> frozenset[str]:
    return policy.areas_of((teams or "").split(), (areas or "").split())


async def _note_seen(db: Database, device_id: str, now_ms: int) -> None:
    moment = {"device_id": device_id, "now_ms": now_ms, "before_ms": now_ms - SEEN_EVERY_MS}

    def note(session: Session) -> None:
        session.execute(_SEEN, moment)

    try:
        await db.write(note)
    except SQLAlchemyError as error:
        # A full disk must not keep anybody from reading; the next request tries again.
        log.warning("a device's last sign of life was not written: %s", type(error).__name__)


def scope_of(session: Session, person_id: str) -> frozenset[str]:
    """Return the conversation scopes that this person sees: areas of her teams, and her teams."""
    teams = session.exec(select(Membership.team_id).where(Membership.person_id == person_id)).all()
    areas = session.exec(select(TeamArea.area).where(col(TeamArea.team_id).in_(teams))).all()
    return policy.areas_of(teams, areas)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A session that has just begun; `secret` exists here and in the browser's cookie only."""

    secret: str
    person_id: str
    device_id: str


def begin_session(
    session: Session,
    person_id: str,
    *,
    now_ms: int,
    session_days: int,
    device_name: str,
    earlier_secret: str | None = None,
) -> SignIn:
    """Begin a session on this device, under a secret that did not exist before.

    `earlier_secret` is what the browser still held: that session ends, and when it was this
    person's on a device that keeps its access, the device is the same one. Raises SignedOut when
    the person may not sign in.
    """
    person = session.get(Person, person_id)
    if person is None or not person.active:
        raise SignedOut("This account is closed.", reason="closed")
    device = _known_device(session, person_id, earlier_secret)
    if earlier_secret is not None:
        end_session(session, earlier_secret, now_ms=now_ms)
    if device is None:
        device = Device(
            id=uuid7(now_ms),
            person_id=person_id,
            name=device_name,
            created_at_ms=now_ms,
            seen_at_ms=now_ms,
        )
    device.seen_at_ms = now_ms
    session.add(device)
    session.flush()
    secret = new_secret()
    session.add(
        UserSession(
            fingerprint=fingerprint(secret),
            person_id=person_id,
            device_id=device.id,
            created_at_ms=now_ms,
            expires_at_ms=now_ms + session_days * 86_400_000,
        )
    )
    return SignIn(secret, person_id, device.id)


def _known_device(session: Session, person_id: str, secret: str | None) -> Device | None:
    earlier = session.get(UserSession, fingerprint(secret)) if secret else None
    device = session.get(Device, earlier.device_id) if earlier else None
    if device is None or device.person_id != person_id or device.revoked_at_ms is not None:
        return None
    return device


def end_session(session: Session, secret: str, *, now_ms: int) -> None:
    """End the session that this secret opens; one that has ended already is left as it is."""
    session.exec(
        update(UserSession)
        .where(col(UserSession.fingerprint) == fingerprint(secret))
        .where(col(UserSession.ended_at_ms).is_(None))
        .values(ended_at_ms=now_ms)
    )


def devices_of(session: Session, person_id: str, now_ms: int) -> list[dict[str, Any]]:
    """Return a person's devices that are signed in, last used first."""
    lives = (
        select(UserSession.device_id)
        .where(UserSession.person_id == person_id)
        .where(col(UserSession.ended_at_ms).is_(None))
        .where(UserSession.expires_at_ms > now_ms)
    )
    found = session.exec(
        select(Device)
        .where(Device.person_id == person_id)
        .where(col(Device.revoked_at_ms).is_(None))
        .where(col(Device.id).in_(lives))
        .order_by(col(Device.seen_at_ms).desc(), col(Device.id).desc())
    )
    return [
        {
            "id": device.id,
            "name": device.name,
            "signed_in_ms": device.created_at_ms,
            "last_seen_ms": device.seen_at_ms,
        }
        for device in found
    ]


def revoke_device(session: Session, device_id: str, by: Principal, *, now_ms: int) -> None:
    """Take a device's access away; its next contact clears it.

    Raises NotFound when there is none, or it is somebody else's and `by` is no administrator.
    """
    device = session.get(Device, device_id)
    if device is None or not (device.person_id == by.person_id or by.may("admin")):
        raise NotFound("There is no such device.")
    if device.revoked_at_ms is None:
        device.revoked_at_ms = now_ms
        session.add(device)


_KINDS = (
    (re.compile(r"iPhone"), "iPhone"),
    (re.compile(r"iPad"), "iPad"),
    (re.compile(r"Android(?!.*Mobile)"), "Android-tablet"),
    (re.compile(r"Android"), "Android"),
    (re.compile(r"Windows"), "Windows"),
    (re.compile(r"Macintosh"), "Mac"),
    (re.compile(r"CrOS"), "Chromebook"),
    (re.compile(r"Linux"), "Linux"),
)
_BROWSERS = (
    (re.compile(r"Edg[A-Za-z]*/"), "Edge"),
    (re.compile(r"SamsungBrowser/"), "Samsung Internet"),
    (re.compile(r"Firefox/|FxiOS/"), "Firefox"),
    (re.compile(r"Chrome/|CriOS/|Chromium/"), "Chrome"),
    (re.compile(r"Safari/"), "Safari"),
)


def device_name(user_agent: str) -> str:
    """Return what a person recognises her device by, as in "Android, Chrome".

    Only the kind is kept: a whole user agent would be a fingerprint of the device.
    """
    kinds = (
        next((word for pattern, word in table if pattern.search(user_agent)), "")
        for table in (_KINDS, _BROWSERS)
    )
    return ", ".join(kind for kind in kinds if kind) or "Browser"
