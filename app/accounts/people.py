"""People, teams and areas, and the invitations by which somebody is let in."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, delete, func, select, update

from app.accounts.models import (
    Area,
    Device,
    Invitation,
    Membership,
    Person,
    Team,
    TeamArea,
)
from app.accounts.policy import ROLES
from app.config import Settings
from app.db import touch
from app.errors import BadRequest, Conflict, Gone, NotFound
from app.ids import fingerprint, new_secret, uuid7

LANGUAGES = ("nl", "en")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_CODE = re.compile(r"(GM\d{4}|WK\d{6}|BU\d{8})")
_KINDS_BY_PREFIX = ("BU", "WK", "GM")


def add_person(
    session: Session,
    *,
    name: str,
    email: str,
    role: str,
    teams: Sequence[str] = (),
    language: str = "nl",
    now_ms: int,
) -> Person:
    """Add somebody who may sign in once invited; `teams` are names or ids.

    Raises BadRequest for what cannot be, Conflict when the address is somebody else's.
    """
    name, email = " ".join(name.split()), email.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise BadRequest("A person needs a name of at most 100 characters.")
    if role not in ROLES:
        raise BadRequest(f"A role is one of {', '.join(ROLES)}.")
    if language not in LANGUAGES:
        raise BadRequest(f"A language is one of {', '.join(LANGUAGES)}.")
    if not _EMAIL.fullmatch(email) or len(email) > 254 or not email.isprintable():
        raise BadRequest("A person needs an e-mail address, as in anna@example.nl.")
    if find_person(session, email) is not None:
        raise Conflict("Somebody with this e-mail address is here already.")
    person = Person(
        id=uuid7(now_ms), name=name, email=email, role=role, language=language, created_at_ms=now_ms
    )
    session.add(person)
    session.flush()
    put_in_teams(session, person, teams)
    return person


def find_person(session: Session, email: str) -> Person | None:
    """Return who has this e-mail address, whatever its capitals."""
    same = func.lower(col(Person.email)) == email.strip().lower()
    return session.exec(select(Person).where(same)).first()


def get_person(session: Session, email: str) -> Person:
    """Return who has this e-mail address; raises NotFound."""
    person = find_person(session, email)
    if person is None:
        raise NotFound("Nobody here has this e-mail address.")
    return person


def put_in_teams(session: Session, person: Person, teams: Sequence[str]) -> None:
    """Make these (names or ids) the person's teams, and no others; raises NotFound."""
    ids = {get_team(session, team).id for team in teams}
    session.exec(delete(Membership).where(col(Membership.person_id) == person.id))
    session.add_all(Membership(person_id=person.id, team_id=team) for team in sorted(ids))
    session.flush()
    touch(session, "person", person.id)


def disable_person(session: Session, person: Person, *, now_ms: int) -> None:
    """Take away every access somebody has: her devices clear themselves at their next contact."""
    person.active = False
    session.add(person)
    session.exec(
        update(Device)
        .where(col(Device.person_id) == person.id, col(Device.revoked_at_ms).is_(None))
        .values(revoked_at_ms=now_ms)
    )
    session.exec(delete(Invitation).where(col(Invitation.person_id) == person.id))
    touch(session, "person", person.id)


def add_team(session: Session, name: str, areas: Sequence[str] = (), *, now_ms: int) -> Team:
    """Add a team that answers for these areas; raises BadRequest, Conflict or NotFound."""
    name = " ".join(name.split())
    if not name or len(name) > 100 or not name.isprintable():
        raise BadRequest("A team needs a name of at most 100 characters.")
    if session.exec(select(Team).where(Team.name == name)).first():
        raise Conflict("There is a team of this name already.")
    team = Team(id=uuid7(now_ms), name=name)
    session.add(team)
    session.flush()
    give_areas(session, team, areas)
    return team


def give_areas(session: Session, team: Team, areas: Sequence[str]) -> None:
    """Make these (CBS codes) the areas the team answers for, and no others; raises NotFound."""
    for code in areas:
        if session.get(Area, code) is None:
            raise NotFound(f"There is no area {code}; import it first.")
    session.exec(delete(TeamArea).where(col(TeamArea.team_id) == team.id))
    session.add_all(TeamArea(team_id=team.id, area=code) for code in sorted(set(areas)))
    session.flush()
    touch(session, "team", team.id)


def get_team(session: Session, name_or_id: str) -> Team:
    """Return a team by its name or id; raises NotFound."""
    team = session.get(Team, name_or_id)
    team = team or session.exec(select(Team).where(Team.name == name_or_id)).first()
    if team is None:
        raise NotFound(f"There is no team {name_or_id!r}.")
    return team


def import_areas(session: Session, path: Path) -> int:
    """Take codes and names from a GeoJSON file of CBS areas; return how many there are now in it.

    Reads `statcode`/`statnaam` (cartomap) or `wijkcode`/`wijknaam` and their like (PDOK, "CBS
    Wijken en Buurten", OGC API, 2025). Shapes are not kept. Raises BadRequest for any other file.
    """
    try:
        features = json.loads(path.read_text(encoding="utf-8-sig"))["features"]
        found = [_read_area(feature["properties"]) for feature in features]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(f"{path.name} is not a GeoJSON file of CBS areas: {error}.") from None
    for area in sorted(found, key=lambda area: len(area.code)):
        session.merge(area)
        touch(session, "area", area.code)
    session.flush()
    return len(found)


def _read_area(properties: dict[str, Any]) -> Area:
    for prefix, word in zip(_KINDS_BY_PREFIX, ("buurt", "wijk", "gemeente"), strict=True):
        code = properties.get("statcode") or properties.get(f"{word}code")
        name = properties.get("statnaam") or properties.get(f"{word}naam")
        if isinstance(code, str) and isinstance(name, str) and code.startswith(prefix):
            break
    else:
        raise ValueError("a feature has no code and name")
    if not _CODE.fullmatch(code):
        raise ValueError(f"{code[:20]!r} is no CBS code")
    return Area(code=code, name=name, kind=prefix, parent=_parent(code))


def _parent(code: str) -> str | None:
    """A CBS code holds that of the area around it: BU0014 07 03 lies in WK0014 07, in GM0014."""
    return {"BU": f"WK{code[2:8]}", "WK": f"GM{code[2:6]}"}.get(code[:2])


def invite(session: Session, person: Person, settings: Settings, *, now_ms: int) -> tuple[str, int]:
    """Make a link by which this person registers one passkey; return it and when it expires.

    An earlier invitation that was not used stops working. Raises Conflict for a closed account.
    """
    if not person.active:
        raise Conflict("This account is closed.")
    session.exec(
        delete(Invitation).where(
            col(Invitation.person_id) == person.id, col(Invitation.used_at_ms).is_(None)
        )
    )
    token = new_secret()
    expires_at_ms = now_ms + settings.invitation_hours * 3_600_000
    session.add(
        Invitation(
            fingerprint=fingerprint(token),
            person_id=person.id,
            created_at_ms=now_ms,
            expires_at_ms=expires_at_ms,
        )
    )
    return f"{settings.origin}/invite/{token}", expires_at_ms


def invited(session: Session, token: str, *, now_ms: int) -> Person:
    """Return whom this invitation is for; looking does not use it, for mail scanners look too.

    Raises NotFound for a link that was never made or was replaced, Gone for one that was used or
    has expired.
    """
    invitation = session.get(Invitation, fingerprint(token))
    person = session.get(Person, invitation.person_id) if invitation else None
    if invitation is None or person is None or not person.active:
        raise NotFound("This invitation does not exist. Ask for a new one.", reason="unknown")
    if invitation.used_at_ms is not None:
        raise _used()
    if invitation.expires_at_ms <= now_ms:
        raise Gone("This invitation has expired. Ask for a new one.", reason="expired")
    return person


def use_invitation(session: Session, token: str, *, now_ms: int) -> Person:
    """Use an invitation up; of two who try at once one succeeds. Raises as `invited` does."""
    person = invited(session, token, now_ms=now_ms)
    used = session.exec(
        update(Invitation)
        .where(col(Invitation.fingerprint) == fingerprint(token))
        .where(col(Invitation.used_at_ms).is_(None))
        .values(used_at_ms=now_ms)
    )
    if used.rowcount != 1:
        raise _used()
    return person


def _used() -> Gone:
    return Gone("This invitation was used already. Sign in, or ask for a new one.", reason="used")
