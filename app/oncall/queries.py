"""What is asked about the rota and about alerts; nothing here changes anything."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select

from app.accounts.models import Area, Membership, Person, Team
from app.accounts.policy import Principal
from app.config import Settings
from app.errors import NotFound
from app.i18n import moment, say
from app.inbox.models import Conversation
from app.oncall import addresses, alerts, policy, roster
from app.oncall.calendar import Event
from app.oncall.models import EscalationPolicy, QuietHours, Shift

KEEP_MS = 92 * 24 * 3600 * 1000
"""How far back the calendar goes."""


def overview(session: Session, settings: Settings, who: Principal) -> dict[str, Any]:
    """Return her own settings, and for each of her teams what is agreed and what she may change."""
    quiet = session.get(QuietHours, who.person_id)
    url = addresses.url_of(session, settings, who.person_id)
    return {
        "me": {
            "quiet_hours": quiet and quiet.model_dump(exclude={"person_id"}),
            "calendar": url and {"url": url},
        },
        "teams": [_team(session, who, team) for team in _teams_of(session, who)],
    }


def _teams_of(session: Session, who: Principal) -> Sequence[Team]:
    ids = [area.removeprefix("team:") for area in who.areas if area.startswith("team:")]
    query = select(Team).where(col(Team.id).in_(ids)).order_by(col(Team.name))
    return session.exec(query).all() if who.may("read") else []


def _team(session: Session, who: Principal, team: Team) -> dict[str, Any]:
    agreed = session.get(EscalationPolicy, team.id) or EscalationPolicy(team_id=team.id)
    return {
        "id": team.id,
        "name": team.name,
        "may_plan": who.may("plan"),
        "may_set": who.may("escalation"),
        "lead": agreed.lead_id == who.person_id,
        "escalation": ladder_json(agreed),
    }


def ladder_json(agreed: EscalationPolicy) -> dict[str, Any]:
    """Return what a team does when nobody reacts, as the phone knows it."""
    return {
        "step_minutes": agreed.step_minutes,
        "lead": agreed.lead_id,
        "email": agreed.email,
        "sms": agreed.sms,
        "contact_centre_email": agreed.contact_centre_email,
    }


def teams_led_by(session: Session, person_id: str) -> list[str]:
    """Return the teams of which this person is the lead."""
    in_it = (col(Membership.team_id) == EscalationPolicy.team_id) & (
        col(Membership.person_id) == EscalationPolicy.lead_id
    )
    # Who left the team is still named as its lead until somebody else is.
    query = select(EscalationPolicy.team_id).join(Membership, in_it)
    query = query.where(EscalationPolicy.lead_id == person_id)
    return list(session.exec(query.order_by(col(EscalationPolicy.team_id))))


def preview(
    session: Session, who: Principal, area: str, reach: roster.Reach, *, now_ms: int
) -> list[dict[str, Any]]:
    """Return who would be woken when something urgent came in here now. Raises NotFound."""
    if not who.sees(area):
        raise NotFound("There is no such area.")
    # Her own team's ladder, when several answer for the area; their shifts count all the same.
    teams = roster.teams_of(session, area)
    teams.sort(key=lambda team: f"team:{team}" not in who.areas)
    found = roster.build(session, teams, area, reach, now_ms=now_ms)
    return rows(policy.plan(now_ms, found), found, now_ms)


def conversation_for(session: Session, who: Principal, conversation_id: str) -> Conversation:
    """Return a conversation that she may see. Raises NotFound."""
    found = session.get(Conversation, conversation_id)
    if found is None or not who.sees(found.area):
        raise NotFound("There is no such conversation.")
    return found


def preview_of(
    session: Session, conversation: Conversation, reach: roster.Reach, *, now_ms: int
) -> list[dict[str, Any]]:
    """Return who is woken next for this conversation, or would be if it were urgent."""
    alert = alerts.newest(session, conversation.id)
    if alert is not None and alert.state == "acknowledged":
        return []
    running = alert if alert is not None and alert.state == "open" else None
    found = roster.of_conversation(session, conversation, running, reach, now_ms=now_ms)
    if running is None:
        return rows(policy.plan(now_ms, found), found, now_ms)
    if running.next_step_at_ms is None:
        return []
    from_ms = max(now_ms, running.next_step_at_ms)
    done = alerts.taken(session, running.id)
    return rows(policy.plan(from_ms, found, done), found, now_ms)


def rows(
    planned: Sequence[policy.Planned], found: policy.Roster, now_ms: int
) -> list[dict[str, Any]]:
    """Return planned steps as the phone shows them."""
    shown = []
    for one in planned:
        person = found.people.get(one.step.person_id or "")
        shown.append(
            {
                "at_ms": one.at_ms,
                "minutes": (one.at_ms - now_ms) // policy.MINUTE_MS,
                "kind": one.step.kind,
                "person": one.step.person_id,
                "reach": person.reach if person else None,
                "why": {"code": one.step.why},
            }
        )
    return shown


def history(session: Session, conversation: Conversation) -> list[dict[str, Any]]:
    """Return every step of the conversation's latest alert, in order."""
    alert = alerts.newest(session, conversation.id)
    if alert is None:
        return []
    return [
        {
            "number": step.number,
            "kind": step.kind,
            "person": step.person_id,
            "at_ms": step.at_ms,
            "outcome": step.outcome,
            "detail": step.detail,
        }
        for step in alerts.steps_of(session, alert.id)
    ]


def events_for(session: Session, settings: Settings, person: Person, now_ms: int) -> list[Event]:
    """Return the shifts of a person's teams as calendar events, in her language."""
    scopes = roster.scopes_of(session, person)
    teams = [scope.removeprefix("team:") for scope in scopes if scope.startswith("team:")]
    query = (
        select(Shift, Person.name, Team.name)
        .join(Person, col(Person.id) == col(Shift.person_id))
        .join(Team, col(Team.id) == col(Shift.team_id))
        .where(
            col(Shift.team_id).in_(teams),
            col(Shift.removed_at_ms).is_(None),
            Shift.ends_at_ms > now_ms - KEEP_MS,
        )
        .order_by(col(Shift.starts_at_ms), col(Shift.id))
    )
    areas = {area.code: area.name for area in session.exec(select(Area))}
    events = []
    for shift, name, team in session.exec(query):
        place = areas.get(shift.area, shift.area) if shift.area else team
        key = "oncall.calendar_mine" if shift.person_id == person.id else "oncall.calendar_event"
        until = moment(person.language, shift.ends_at_ms, shift.starts_at_ms)
        events.append(
            Event(
                uid=f"{shift.id}@{settings.origin.partition('://')[2]}",
                summary=say(person.language, key, name=name, place=place),
                description=say(
                    person.language, "oncall.calendar_text", name=name, team=team, until=until
                ),
                starts_at_ms=shift.starts_at_ms,
                ends_at_ms=shift.ends_at_ms,
                changed_at_ms=shift.changed_at_ms,
            )
        )
    return events
