"""The secret address by which a person's calendar program follows the rota.

The address is derived from the installation's key, so that it can be shown again without lying in
the database; there is only its fingerprint, by which it is looked up.
"""

import hmac

from sqlmodel import Session, select

from app import keys
from app.accounts.models import Person
from app.config import Settings
from app.errors import NotFound
from app.ids import fingerprint
from app.oncall.models import CalendarAddress

PURPOSE = "rota calendar"


def url_of(session: Session, settings: Settings, person_id: str) -> str | None:
    """Return a person's address, or None when she has none (any more)."""
    found = session.get(CalendarAddress, person_id)
    if found is None or found.fingerprint is None:
        return None
    return _url(settings, _token(settings, person_id, found.version))


def renew(session: Session, settings: Settings, person_id: str) -> str:
    """Give a person a new address; the one she had opens nothing from now on."""
    found = session.get(CalendarAddress, person_id) or CalendarAddress(
        person_id=person_id, version=0
    )
    found.version += 1
    token = _token(settings, person_id, found.version)
    found.fingerprint = fingerprint(token)
    session.add(found)
    return _url(settings, token)


def revoke(session: Session, person_id: str) -> None:
    """Let a person's address open nothing any more; without one nothing happens."""
    found = session.get(CalendarAddress, person_id)
    if found is not None:
        found.fingerprint = None
        session.add(found)


def owner_of(session: Session, token: str) -> Person:
    """Return whose address this is. Raises NotFound, also for somebody who works here no longer."""
    query = select(CalendarAddress).where(CalendarAddress.fingerprint == fingerprint(token))
    found = session.exec(query).first()
    person = session.get(Person, found.person_id) if found else None
    if person is None or not person.active:
        raise NotFound
    return person


def _token(settings: Settings, person_id: str, version: int) -> str:
    said = f"{person_id}:{version}".encode()
    return hmac.digest(keys.derive(settings, PURPOSE), said, "sha256").hex()[:40]


def _url(settings: Settings, token: str) -> str:
    return f"{settings.origin}/api/v1/oncall/{token}.ics"
