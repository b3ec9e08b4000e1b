"""`stoep user`, `stoep team`, `stoep area`: the administrator's side of accounts."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlmodel import Session, col, func, select

from app.accounts import people
from app.accounts.models import Area, Device, Membership, Person, Team, TeamArea
from app.accounts.policy import ROLES
from app.clock import SystemClock
from app.config import Settings

T = TypeVar("T")


def register(subparsers: Any) -> None:
    """Add the commands to those of `stoep`."""
    user = _group(subparsers, "user", "who may sign in")

    invite = user.add_parser("invite", help="let somebody in: prints a link and a QR code")
    invite.add_argument("--name", help="as colleagues know her; needed for somebody new")
    invite.add_argument("--email", required=True, help="of somebody known: a link for a new device")
    invite.add_argument("--role", choices=ROLES, default="coordinator")
    invite.add_argument("--team", action="append", default=[], help="name or id; may be repeated")
    invite.add_argument("--language", choices=people.LANGUAGES, default="nl")
    invite.set_defaults(run=_invite)

    listing = user.add_parser("list", help="who is here")
    listing.set_defaults(run=_list)

    disable = user.add_parser("disable", help="take all access away; her devices clear themselves")
    disable.add_argument("email")
    disable.set_defaults(run=_disable)

    teams = user.add_parser("teams", help="put somebody in these teams and no others")
    teams.add_argument("email")
    teams.add_argument("team", nargs="*", help="name or id")
    teams.set_defaults(run=_teams)

    team = _group(subparsers, "team", "teams and the areas they answer for")
    add = team.add_parser("add", help="add a team, or give one other areas")
    add.add_argument("name")
    add.add_argument("--area", action="append", default=[], help="CBS code; may be repeated")
    add.set_defaults(run=_add_team)
    team.add_parser("list", help="all teams").set_defaults(run=_list_teams)

    area = _group(subparsers, "area", "stadsdelen, wijken and buurten")
    take = area.add_parser("import", help="take codes and names from a GeoJSON file of CBS areas")
    take.add_argument("file", type=Path)
    take.set_defaults(run=_import_areas)


def _group(subparsers: Any, name: str, words: str) -> Any:
    parser: argparse.ArgumentParser = subparsers.add_parser(name, help=words)
    return parser.add_subparsers(metavar="COMMAND", required=True)


def _invite(args: argparse.Namespace, settings: Settings) -> int:
    import segno

    now_ms = SystemClock().now_ms()

    def invite(session: Session) -> tuple[str, str]:
        person = people.find_person(session, args.email)
        if person is None:
            person = people.add_person(
                session,
                name=args.name or "",
                email=args.email,
                role=args.role,
                teams=args.team,
                language=args.language,
                now_ms=now_ms,
            )
        link, _ = people.invite(session, person, settings, now_ms=now_ms)
        return person.name, link

    name, link = _write(settings, invite)
    print(f"For {name}, once, within {settings.invitation_hours} hours:\n\n  {link}\n")
    segno.make(link, error="l").terminal(compact=True)
    return 0


def _list(_args: argparse.Namespace, settings: Settings) -> int:
    def lines(session: Session) -> list[str]:
        teams: dict[str, list[str]] = {}
        member = col(Team.id) == col(Membership.team_id)
        for person_id, team in session.exec(
            select(Membership.person_id, Team.name).where(member).order_by(Team.name)
        ):
            teams.setdefault(person_id, []).append(team)
        devices = dict(
            session.exec(
                select(Device.person_id, func.count())
                .where(col(Device.revoked_at_ms).is_(None))
                .group_by(Device.person_id)
            ).all()
        )
        return [
            f"{person.name} <{person.email}>  {person.role}"
            f"  {', '.join(teams.get(person.id, [])) or 'no team'}"
            f"  {devices.get(person.id, 0)} devices{'' if person.active else '  disabled'}"
            for person in session.exec(select(Person).order_by(Person.name))
        ]

    return _print(_write(settings, lines))


def _disable(args: argparse.Namespace, settings: Settings) -> int:
    def disable(session: Session) -> str:
        person = people.get_person(session, args.email)
        people.disable_person(session, person, now_ms=SystemClock().now_ms())
        return person.name

    return _print([f"{_write(settings, disable)} has no access any more."])


def _teams(args: argparse.Namespace, settings: Settings) -> int:
    def put(session: Session) -> str:
        person = people.get_person(session, args.email)
        people.put_in_teams(session, person, args.team)
        return f"{person.name}: {', '.join(args.team) or 'no team'}"

    return _print([_write(settings, put)])


def _add_team(args: argparse.Namespace, settings: Settings) -> int:
    def add(session: Session) -> str:
        team = session.exec(select(Team).where(Team.name == args.name)).first()
        if team is None:
            team = people.add_team(session, args.name, now_ms=SystemClock().now_ms())
        people.give_areas(session, team, args.area)
        return f"{team.name}: {', '.join(args.area) or 'no areas'}"

    return _print([_write(settings, add)])


def _list_teams(_args: argparse.Namespace, settings: Settings) -> int:
    def lines(session: Session) -> list[str]:
        areas: dict[str, list[str]] = {}
        inside = col(Area.code) == col(TeamArea.area)
        for team_id, name in session.exec(
            select(TeamArea.team_id, Area.name).where(inside).order_by(Area.code)
        ):
            areas.setdefault(team_id, []).append(name)
        return [
            f"{team.name}  {', '.join(areas.get(team.id, [])) or 'no areas'}  {team.id}"
            for team in session.exec(select(Team).order_by(Team.name))
        ]

    return _print(_write(settings, lines))


def _import_areas(args: argparse.Namespace, settings: Settings) -> int:
    count = _write(settings, lambda session: people.import_areas(session, args.file))
    return _print([f"{count} areas from {args.file.name}."])


def _print(lines: list[str]) -> int:
    for line in lines:
        print(line)
    return 0


def _write(settings: Settings, work: Callable[[Session], T]) -> T:
    """Run one transaction on a migrated database, with the feed told of it."""
    # The application itself is loaded only when a command needs the database.
    from app.main import open_database
    from app.migrate import upgrade

    upgrade(settings.database)
    db = open_database(settings)
    try:
        return db.write_now(work)
    finally:
        db.close()
