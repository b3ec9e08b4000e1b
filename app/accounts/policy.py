"""Who may do what: pure rules, one table."""

from collections.abc import Iterable
from dataclasses import dataclass

RIGHTS: dict[str, frozenset[str]] = {
    "coordinator": frozenset(
        {"read", "reply", "note", "assign", "acknowledge", "plan", "meet", "host"}
    ),
    "webcare": frozenset(
        {"read", "reply", "note", "assign", "acknowledge", "plan", "rules", "meet", "host"}
    ),
    "coach": frozenset({"read", "note", "acknowledge", "meet"}),
    "archivist": frozenset({"read"}),
    "manager": frozenset(
        {"read", "acknowledge", "plan", "rota", "escalation", "rules", "channels", "meet", "host"}
    ),
    "admin": frozenset(
        {"read", "admin", "acknowledge", "plan", "rota", "escalation", "rules", "channels"}
    ),
    "assistant": frozenset({"meet"}),
}
"""What each role may do; `rota` is seeing who is on call in every team."""

GUEST = "assistant"
"""Somebody who helps for one evening: she sees one meeting, and enters by few doors."""

ROLES = tuple(role for role in RIGHTS if role != GUEST)
"""What a colleague can be; a guest is only ever invited to a meeting."""

_DOORS = ("sync", "replica", "stream", "me", "session", "uploads")
"""The first part of the addresses that a guest's tablet asks for."""


def may_enter(role: str, path: str) -> bool:
    """Say whether somebody of this role has any business at an address of the API."""
    return role != GUEST or path.removeprefix("/api/v1/").partition("/")[0] in _DOORS


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: a person on a device, with the scopes she sees.

    `areas` are the scopes a conversation can be in (area codes and `team:<id>`), or a guest's one
    meeting (`meeting:<id>`); `rota` are the teams whose shifts and absences she sees; `scopes` adds
    what everybody sees and what only she does.
    """

    person_id: str
    device_id: str
    name: str
    role: str
    language: str
    areas: frozenset[str]
    rota: frozenset[str] = frozenset()

    @property
    def scopes(self) -> frozenset[str]:
        """Every scope of the feed that reaches her. What is for all is not for guests."""
        hers = self.areas | self.rota_scopes | {f"person:{self.person_id}"}
        return hers if self.role == GUEST else hers | {"all"}

    @property
    def rota_scopes(self) -> frozenset[str]:
        """The scopes of the feed in which the shifts and absences are that she sees."""
        return frozenset(rota_scope(team) for team in self.rota)

    def may(self, right: str) -> bool:
        """Say whether her role has the right."""
        return right in RIGHTS.get(self.role, frozenset())

    def sees(self, area: str) -> bool:
        """Say whether a conversation in this area is hers to see."""
        return area in self.areas and self.may("read")


def rota_scope(team: str) -> str:
    """Return the scope of the feed in which a team's shifts and absences are."""
    return f"rota:{team}"


def rota_of(role: str, near: Iterable[str]) -> frozenset[str]:
    """Return whose rota somebody sees, of the teams that are near her.

    Whoever can be woken needs to know who else is: an archivist does not.
    """
    return frozenset(near) if "acknowledge" in RIGHTS.get(role, frozenset()) else frozenset()


def areas_of(teams: Iterable[str], team_areas: Iterable[str]) -> frozenset[str]:
    """Return the conversation scopes of somebody in these teams, which answer for these areas."""
    return frozenset(team_areas) | {f"team:{team}" for team in teams}
