"""What the policy looks at, read from the database: shifts, absences, rights, phones."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, or_, select

from app.accounts.models import Area, Membership, Person, TeamArea
from app.accounts.policy import RIGHTS, areas_of
from app.channels.models import Account
from app.i18n import ZONE
from app.inbox.models import Conversation
from app.oncall import alerts, policy
from app.oncall.models import Absence, Alert, EscalationPolicy, QuietHours, Shift

AHEAD_MS = 14 * 24 * 3600 * 1000
"""How far ahead the rota is read: who comes after the last rung was used."""

Reach = Callable[[Session, str], str]
"""Says of a person whether her phones can be woken: proven, unproven or none."""


def teams_of(session: Session, area: str, first: str | None = None) -> list[str]:
    """Return the teams that answer for an area or are named by it; `first` before the others."""
    team = area.removeprefix("team:")
    if team != area:
        return [team]
    found = session.exec(select(TeamArea.team_id).where(TeamArea.area == area)).all()
    return sorted(found, key=lambda one: (one != first, one))


def team_of_account(session: Session, conversation: Conversation) -> str | None:
    """Return the team whose mailbox or form a conversation came in by."""
    query = select(Account.team_id).where(Account.id == conversation.account_id)
    return session.exec(query).first()


def of_conversation(
    session: Session, conversation: Conversation, alert: Alert | None, reach: Reach, *, now_ms: int
) -> policy.Roster:
    """Return the roster for a conversation and the alert that runs, as it is now."""
    took_it = alerts.took_it(conversation, alert, now_ms) if alert is not None else None
    # Who marked it urgent knows of it; not of what the resident wrote after it was taken.
    knows = alert.opened_by if alert is not None and alert.acknowledged_by is None else None
    teams = teams_of(session, conversation.area, team_of_account(session, conversation))
    return build(
        session,
        teams,
        conversation.area,
        reach,
        assignee_id=conversation.assignee_id,
        knows=knows,
        took_it=took_it,
        now_ms=now_ms,
    )


def build(
    session: Session,
    teams: Sequence[str],
    area: str,
    reach: Reach,
    *,
    now_ms: int,
    assignee_id: str | None = None,
    knows: str | None = None,
    took_it: str | None = None,
) -> policy.Roster:
    """Return the roster for an area; the first of `teams` lends its ladder."""
    duties = duties_in(session, teams, area, now_ms=now_ms)
    ladder = ladder_of(session, teams[0]) if teams else policy.Ladder()
    ids = {duty.person_id for duty in duties}
    ids |= {one for one in (took_it, assignee_id, ladder.lead_id) if one}
    return policy.Roster(
        duties=duties,
        people={
            one.person_id: replace(one, reach=reach(session, one.person_id))
            for one in colleagues(session, ids, area, now_ms=now_ms)
        },
        ladder=ladder,
        zone=ZoneInfo(ZONE),
        assignee_id=assignee_id,
        knows=knows,
        took_it=took_it,
    )


def duties_in(
    session: Session, teams: Sequence[str], area: str, *, now_ms: int
) -> tuple[policy.Duty, ...]:
    """Return the shifts of these teams that cover an area, now and in the days to come.

    Those of the first team are nearer than any of the others.
    """
    around = _around(session, area)
    query = select(Shift).where(
        col(Shift.team_id).in_(teams),
        or_(col(Shift.area).is_(None), col(Shift.area).in_(around)),
        col(Shift.removed_at_ms).is_(None),
        Shift.ends_at_ms > now_ms,
        Shift.starts_at_ms < now_ms + AHEAD_MS,
    )
    return tuple(
        policy.Duty(
            shift.id,
            shift.person_id,
            (around.index(shift.area) if shift.area else policy.TEAM_WIDE)
            + (0 if shift.team_id == teams[0] else policy.OTHER_TEAM),
            shift.starts_at_ms,
            shift.ends_at_ms,
        )
        for shift in session.exec(query.order_by(col(Shift.id)))
    )


def _around(session: Session, area: str) -> list[str]:
    """Return an area and the larger ones around it, the nearest first."""
    around: list[str] = []
    code: str | None = area
    while code and code not in around:
        around.append(code)
        found = session.get(Area, code)
        code = found.parent if found else None
    return around


def ladder_of(session: Session, team_id: str) -> policy.Ladder:
    """Return what a team does when nobody reacts."""
    found = session.get(EscalationPolicy, team_id) or EscalationPolicy(team_id=team_id)
    return policy.Ladder(
        step_ms=found.step_minutes * policy.MINUTE_MS,
        lead_id=found.lead_id,
        email=found.email,
        sms=found.sms,
        contact_centre_email=found.contact_centre_email,
    )


def colleagues(
    session: Session, ids: Collection[str], area: str, *, now_ms: int
) -> list[policy.Colleague]:
    """Return what counts of these people for an area."""
    away: dict[str, list[tuple[int, int]]] = {one: [] for one in ids}
    absences = select(Absence).where(
        col(Absence.person_id).in_(ids),
        col(Absence.removed_at_ms).is_(None),
        Absence.ends_at_ms > now_ms,
    )
    for absence in session.exec(absences.order_by(col(Absence.starts_at_ms))):
        away[absence.person_id].append((absence.starts_at_ms, absence.ends_at_ms))
    quiet = {
        one.person_id: policy.Quiet(frozenset(one.weekdays), one.from_minute, one.to_minute)
        for one in session.exec(select(QuietHours).where(col(QuietHours.person_id).in_(ids)))
    }
    return [
        policy.Colleague(
            person.id,
            hindrance=_hindrance(session, person, area),
            away=tuple(away[person.id]),
            quiet=quiet.get(person.id),
        )
        for person in session.exec(
            select(Person).where(col(Person.id).in_(ids)).order_by(col(Person.id))
        )
    ]


def on_call_now(session: Session, now_ms: int) -> set[str]:
    """Return who is on call at this moment, anywhere."""
    query = select(Shift.person_id).where(
        Shift.starts_at_ms <= now_ms,
        Shift.ends_at_ms > now_ms,
        col(Shift.removed_at_ms).is_(None),
    )
    return set(session.exec(query))


def _hindrance(session: Session, person: Person, area: str) -> str | None:
    if not person.active:
        return "inactive"
    return None if sees(session, person, area) else "no_access"


def sees(session: Session, person: Person, area: str) -> bool:
    """Say whether somebody could open a conversation in this area and say that she has seen it."""
    if "acknowledge" not in RIGHTS.get(person.role, frozenset()):
        return False
    return area in scopes_of(session, person)


def scopes_of(session: Session, person: Person) -> frozenset[str]:
    """Return the conversation scopes that somebody's teams give her."""
    teams = session.exec(select(Membership.team_id).where(Membership.person_id == person.id)).all()
    areas = session.exec(select(TeamArea.area).where(col(TeamArea.team_id).in_(teams))).all()
    return areas_of(teams, areas)
