"""Many small towns in one database: each history has one for itself, so that many play at once."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlmodel import Session

from app.accounts.models import Area, Membership, Person, Team, TeamArea
from app.channels.models import Account
from app.db import Database, touch
from app.ids import uuid7
from app.inbox.service import link_attachments
from app.meetings.models import Meeting
from app.sync import feed
from tests.torture.doors import sign_in

COUNT = 24
PHONES = 2
"""Sessions that each person has when a history begins."""

TEAMS = {"anna": ("A", "B"), "bram": ("B", "C"), "chris": ("A", "B", "C", "D")}
"""Each person is a team of her own, so that her areas can change alone."""


@dataclass(frozen=True, slots=True)
class Town:
    """What a history must know of its town; areas, teams and people carry its number."""

    number: int
    areas: dict[str, str]
    people: dict[str, str]
    teams: dict[str, list[str]]
    cookies: dict[str, list[str]]
    accounts: dict[str, str]
    meeting: str


def build(
    db: Database, mailboxes: list[dict[str, Any]], password: str, now_ms: int
) -> list[dict[str, Any]]:
    """Fill an empty, migrated database; return the towns as plain values.

    `password` is that of all mailboxes, sealed with the key of the servers that will use them.
    """
    db.before_commit += [link_attachments, feed.publish]
    return [
        asdict(
            db.write_now(
                lambda session, n=number: _town(session, n, mailboxes[n], password, now_ms)
            )
        )
        for number in range(COUNT)
    ]


def _town(
    session: Session, number: int, mailbox: dict[str, Any], password: str, now_ms: int
) -> Town:
    areas = {letter: f"WK{number:04}{letter}" for letter in "ABCD"}
    for code in areas.values():
        session.add(Area(code=code, name=code, kind="WK"))
        touch(session, "area", code)
    people, cookies = {}, {}
    for name, letters in TEAMS.items():
        person = people[name] = f"{name}-{number}"
        team = f"team-{person}"
        session.add(Team(id=team, name=team))
        session.add(
            Person(id=person, name=name.title(), email="", role="coordinator", created_at_ms=now_ms)
        )
        session.flush()
        session.add(Membership(person_id=person, team_id=team))
        for letter in letters:
            session.add(TeamArea(team_id=team, area=areas[letter]))
        session.add(Account(id=f"contact-{person}", kind="contact", name="Notities", team_id=team))
        touch(session, "account", f"contact-{person}")
        touch(session, "team", team)
        touch(session, "person", person)
        session.flush()
        cookies[name] = [sign_in(session, person, now_ms) for _ in range(PHONES)]
    office = f"team-chris-{number}"
    accounts = {"web": f"web-{number}", "email": f"email-{number}"}
    for kind, account in accounts.items():
        config, secret = (mailbox, password) if kind == "email" else ({}, "")
        session.add(
            Account(id=account, kind=kind, name=kind, team_id=office, config=config, secret=secret)
        )
        touch(session, "account", account)
    teams = {name: [areas[letter] for letter in letters] for name, letters in TEAMS.items()}
    meeting = Meeting(
        id=uuid7(now_ms),
        area=areas["B"],  # where everybody is, as long as nobody's areas change
        team_id=office,
        title="Avond",
        starts_at_ms=now_ms,
        agenda=[],
        hosts=[],
        languages=["nl"],
        state="open",
        code=f"TOWN{number:02}",
        created_at_ms=now_ms,
    )
    session.add(meeting)
    touch(session, "meeting", meeting.id)
    return Town(number, areas, people, teams, cookies, accounts, meeting.id)
