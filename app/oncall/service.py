"""The rota: shifts, hand-over, absence, quiet hours, what a team does when nobody reacts.

What was is never rewritten: a shift that has begun can only end at another time, or be handed over.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, or_, select

from app.accounts.models import Membership, Person, Team, TeamArea
from app.accounts.policy import RIGHTS, Principal
from app.db import touch
from app.errors import BadRequest, Conflict, NotAllowed, NotFound
from app.i18n import ZONE
from app.ids import uuid7
from app.inbox.models import Conversation
from app.oncall.models import Absence, Alert, EscalationPolicy, QuietHours, Shift

DAY_MS = 24 * 3600 * 1000
MAX_SHIFT_MS = 31 * DAY_MS
MAX_ABSENCE_MS = 366 * DAY_MS
MAX_AHEAD_MS = 3 * 366 * DAY_MS
LATE_SHIFT_MS = DAY_MS
"""How long ago a shift may have begun that is planned now: today's, which everybody knew of
and nobody wrote down. It wakes nobody for what is past, and says who holds it from now on."""

LATE_ABSENCE_MS = 31 * DAY_MS
"""How long ago an absence may have begun: illness is often written down on a later day."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_EMAIL = re.compile(r"[!#-'*+./0-9=?A-Z^-~-]{1,64}@[A-Za-z0-9.-]{1,180}\.[A-Za-z]{2,24}")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in epoch milliseconds; the end is not part of it."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """What a team does when nobody reacts, as somebody typed it."""

    step_minutes: int
    lead: str | None
    email: str | None
    sms: str | None
    contact_centre_email: str | None


def team_for(session: Session, who: Principal, team_id: str, right: str) -> Team:
    """Return one of her own teams in which she has this right.

    Raises NotFound for another team, which she may not know of, and NotAllowed without the right.
    """
    team = session.get(Team, team_id)
    if team is None or f"team:{team_id}" not in who.areas or not who.may("read"):
        raise NotFound("There is no such team.")
    if not who.may(right):
        raise NotAllowed("Your role does not plan this.", reason="role")
    return team


def plan_shifts(
    session: Session,
    who: Principal,
    *,
    team_id: str,
    area: str | None,
    person_id: str,
    span: Span,
    repeat_weeks: int = 0,
    shift_id: str | None = None,
    now_ms: int,
) -> list[Shift]:
    """Put somebody on the rota, and the same weekdays and clock for so many weeks after.

    `shift_id` is the first one's, made by whoever asks: the same again plans nothing twice. Raises
    Conflict when it is that of another shift.
    """
    team_for(session, who, team_id, "plan")
    _check_area(session, team_id, area)
    _check_person(session, team_id, person_id)
    _check_span(span, MAX_SHIFT_MS, LATE_SHIFT_MS, now_ms)
    first_id = shift_id or uuid7(now_ms)
    shifts = [
        _add(
            session,
            Shift(
                # Derived, so that a repeated request names the same shifts.
                id=str(uuid5(UUID(first_id), str(week))) if week else first_id,
                team_id=team_id,
                area=area,
                person_id=person_id,
                starts_at_ms=_weeks_later(span.from_ms, week),
                ends_at_ms=_weeks_later(span.to_ms, week),
                created_by=who.person_id,
                created_at_ms=now_ms,
                changed_at_ms=now_ms,
            ),
        )
        for week in range(repeat_weeks + 1)
    ]
    _look_again(session, team_id, min(shift.starts_at_ms for shift in shifts), now_ms)
    return shifts


def change_shift(
    session: Session,
    who: Principal,
    shift_id: str,
    *,
    person_id: str | None,
    from_ms: int | None,
    to_ms: int | None,
    now_ms: int,
) -> Shift:
    """Change a shift; of one that has begun only the end can change. Raises Conflict."""
    shift = _shift_for(session, who, shift_id)
    if shift.ends_at_ms <= now_ms:
        raise Conflict("This shift is over.", reason="over")
    begun = shift.starts_at_ms <= now_ms
    if begun and (
        person_id not in {None, shift.person_id} or from_ms not in {None, shift.starts_at_ms}
    ):
        raise Conflict("This shift has begun; hand it over instead.", reason="begun")
    if person_id is not None:
        _check_person(session, shift.team_id, person_id)
        if person_id != shift.person_id:
            shift.warned_at_ms = None
        shift.person_id = person_id
    span = Span(
        shift.starts_at_ms if from_ms is None else from_ms,
        shift.ends_at_ms if to_ms is None else max(to_ms, now_ms) if begun else to_ms,
    )
    if begun:
        _check_length(span, MAX_SHIFT_MS)
    else:
        _check_span(span, MAX_SHIFT_MS, LATE_SHIFT_MS, now_ms)
    shift.starts_at_ms, shift.ends_at_ms = span.from_ms, span.to_ms
    return _changed(session, shift, now_ms)


def remove_shift(session: Session, who: Principal, shift_id: str, *, now_ms: int) -> None:
    """Take a shift off the rota; one that has begun ends now. Raises Conflict when it is over."""
    shift = _shift_for(session, who, shift_id)
    if shift.ends_at_ms <= now_ms:
        raise Conflict("This shift is over.", reason="over")
    if shift.starts_at_ms < now_ms:
        shift.ends_at_ms = now_ms
    else:
        shift.removed_at_ms = now_ms
    _changed(session, shift, now_ms)


def hand_over(
    session: Session,
    who: Principal,
    shift_id: str,
    *,
    person_id: str,
    from_ms: int,
    new_id: str | None = None,
    now_ms: int,
) -> Shift:
    """Give the rest of a shift to somebody else; whoever holds it may do so too.

    Returns the shift that begins. `new_id` is its id, made by whoever asks: the same again hands
    nothing over twice. Raises Conflict when the shift is over.
    """
    given = session.get(Shift, new_id) if new_id else None
    if given is not None:
        # What had begun already was given from that very moment on.
        before = session.get(Shift, shift_id)
        earliest_ms = max(given.created_at_ms, before.starts_at_ms if before else 0)
        same_start = given.starts_at_ms == max(from_ms, earliest_ms)
        if (given.created_by, given.person_id) == (who.person_id, person_id) and same_start:
            return given
        # Never half of it: the old shift would be cut with nobody after it.
        raise Conflict("There is another shift of this name.", reason="id_reused")
    shift = _shift_for(session, who, shift_id, holder=True)
    if shift.ends_at_ms <= max(now_ms, from_ms):
        raise Conflict("This shift is over by then.", reason="over")
    if person_id == shift.person_id:
        raise BadRequest("She has this shift already.", reason="same_person")
    _check_person(session, shift.team_id, person_id)
    from_ms = max(from_ms, now_ms, shift.starts_at_ms)
    given = _add(
        session,
        Shift(
            id=new_id or uuid7(now_ms),
            team_id=shift.team_id,
            area=shift.area,
            person_id=person_id,
            starts_at_ms=from_ms,
            ends_at_ms=shift.ends_at_ms,
            created_by=who.person_id,
            created_at_ms=now_ms,
            changed_at_ms=now_ms,
        ),
    )
    if from_ms == shift.starts_at_ms:
        shift.removed_at_ms = now_ms
    else:
        shift.ends_at_ms = from_ms
    _changed(session, shift, now_ms)
    _look_again(session, shift.team_id, from_ms, now_ms)
    return given


def _add(session: Session, shift: Shift) -> Shift:
    """Add a shift, or return it when the same request added it before."""
    known = session.get(Shift, shift.id)
    if known is not None:
        if _said(known) != _said(shift):
            raise Conflict("There is another shift of this name.", reason="id_reused")
        return known
    session.add(shift)
    session.flush()
    touch(session, "shift", shift.id)
    return shift


def _said(shift: Shift) -> tuple[object, ...]:
    place = (shift.team_id, shift.area, shift.person_id, shift.created_by)
    return *place, shift.starts_at_ms, shift.ends_at_ms


def _changed(session: Session, shift: Shift, now_ms: int) -> Shift:
    shift.changed_at_ms = now_ms
    session.add(shift)
    session.flush()
    touch(session, "shift", shift.id)
    _look_again(session, shift.team_id, shift.starts_at_ms, now_ms)
    return shift


def _shift_for(session: Session, who: Principal, shift_id: str, *, holder: bool = False) -> Shift:
    """Return a shift that she may change, locked. Raises NotFound or NotAllowed."""
    query = select(Shift).where(Shift.id == shift_id, col(Shift.removed_at_ms).is_(None))
    shift = session.exec(query.with_for_update()).first()
    if shift is None or f"team:{shift.team_id}" not in who.areas or not who.may("read"):
        raise NotFound("There is no such shift.")
    if not (holder and shift.person_id == who.person_id):
        team_for(session, who, shift.team_id, "plan")
    return shift


def _look_again(session: Session, team_id: str, from_ms: int, now_ms: int) -> None:
    """Let alerts of which every rung was used look again when this change of the rota takes hold.

    Others look at the rota anew at their next step anyway.
    """
    areas = session.exec(select(TeamArea.area).where(TeamArea.team_id == team_id)).all()
    scopes = [*areas, f"team:{team_id}"]
    query = (
        select(Alert)
        .join(Conversation, col(Conversation.id) == col(Alert.conversation_id))
        .where(
            Alert.state == "open",
            col(Conversation.area).in_(scopes),
            or_(col(Alert.next_kind).is_(None), Alert.next_kind == "nobody"),
        )
    )
    due_at_ms = max(from_ms, now_ms)
    for alert in session.exec(query.with_for_update(of=Alert)):
        if alert.next_step_at_ms is None or alert.next_step_at_ms > due_at_ms:
            alert.next_step_at_ms = due_at_ms
            session.add(alert)


def add_absence(
    session: Session,
    who: Principal,
    *,
    person_id: str,
    span: Span,
    absence_id: str | None = None,
    now_ms: int,
) -> Absence:
    """Write down that somebody is away: herself, or a colleague of a team that she plans for.

    The same `absence_id` again adds nothing. Raises Conflict when it is that of another absence.
    """
    _check_absent(session, who, person_id)
    _check_span(span, MAX_ABSENCE_MS, LATE_ABSENCE_MS, now_ms)
    known = session.get(Absence, absence_id) if absence_id else None
    if known is not None:
        if (known.created_by, known.person_id) != (who.person_id, person_id):
            raise Conflict("There is another absence of this name.", reason="id_reused")
        return known
    absence = Absence(
        id=absence_id or uuid7(now_ms),
        person_id=person_id,
        starts_at_ms=span.from_ms,
        ends_at_ms=span.to_ms,
        created_by=who.person_id,
        created_at_ms=now_ms,
    )
    session.add(absence)
    session.flush()
    touch(session, "absence", absence.id)
    return absence


def remove_absence(session: Session, who: Principal, absence_id: str, *, now_ms: int) -> None:
    """Take an absence back; one that has begun ends now. Raises Conflict when it is over."""
    query = select(Absence).where(Absence.id == absence_id, col(Absence.removed_at_ms).is_(None))
    absence = session.exec(query.with_for_update()).first()
    if absence is None:
        raise NotFound("There is no such absence.")
    _check_absent(session, who, absence.person_id)
    if absence.ends_at_ms <= now_ms:
        raise Conflict("This absence is over.", reason="over")
    if absence.starts_at_ms < now_ms:
        absence.ends_at_ms = now_ms
    else:
        absence.removed_at_ms = now_ms
    session.flush()
    touch(session, "absence", absence.id)


def _check_absent(session: Session, who: Principal, person_id: str) -> None:
    if person_id == who.person_id:
        return
    teams = session.exec(select(Membership.team_id).where(Membership.person_id == person_id)).all()
    if not any(f"team:{team}" in who.areas for team in teams):
        raise NotFound("There is no such person.")
    if not who.may("plan"):
        raise NotAllowed("Your role does not plan this.", reason="role")


def set_quiet_hours(
    session: Session,
    who: Principal,
    person_id: str,
    *,
    weekdays: Collection[int],
    from_minute: int,
    to_minute: int,
) -> QuietHours | None:
    """Set one's own quiet hours, by the clock on the wall; no weekdays is none. Raises NotFound."""
    if person_id != who.person_id:
        raise NotFound("Only she herself sets her quiet hours.")
    found = session.get(QuietHours, person_id)
    if not weekdays:
        if found is not None:
            session.delete(found)
        return None
    quiet = found or QuietHours(
        person_id=person_id, weekdays=[], from_minute=from_minute, to_minute=to_minute
    )
    quiet.weekdays = sorted(set(weekdays))
    quiet.from_minute, quiet.to_minute = from_minute, to_minute
    session.add(quiet)
    return quiet


def set_ladder(
    session: Session, who: Principal, team_id: str, ladder: Ladder, *, now_ms: int
) -> EscalationPolicy:
    """Set what a team does when nobody reacts. Raises BadRequest for what cannot be reached."""
    team_for(session, who, team_id, "escalation")
    if ladder.lead is not None:
        _check_person(session, team_id, ladder.lead)
    for address in (ladder.email, ladder.contact_centre_email):
        if address is not None and not _EMAIL.fullmatch(address):
            raise BadRequest("An e-mail address looks like piket@example.nl.", reason="bad_email")
    if ladder.sms is not None and not _E164.fullmatch(ladder.sms):
        raise BadRequest("A telephone number is written as +31612345678.", reason="bad_phone")
    found = session.get(EscalationPolicy, team_id) or EscalationPolicy(team_id=team_id)
    found.step_minutes = ladder.step_minutes
    found.lead_id = ladder.lead
    found.email, found.sms = ladder.email, ladder.sms
    found.contact_centre_email = ladder.contact_centre_email
    found.changed_by, found.changed_at_ms = who.person_id, now_ms
    session.add(found)
    return found


def _check_area(session: Session, team_id: str, area: str | None) -> None:
    if area is not None and session.get(TeamArea, (team_id, area)) is None:
        raise BadRequest("This team does not answer for that area.", reason="not_its_area")


def _check_person(session: Session, team_id: str, person_id: str) -> None:
    person = session.get(Person, person_id)
    member = session.get(Membership, (person_id, team_id))
    if person is None or member is None or not person.active:
        raise BadRequest("That person is not in this team.", reason="not_in_team")
    if "acknowledge" not in RIGHTS.get(person.role, frozenset()):
        raise BadRequest("That person's role cannot be on call.", reason="role")


def _check_span(span: Span, longest_ms: int, late_ms: int, now_ms: int) -> None:
    if span.to_ms <= now_ms:
        raise BadRequest("This is over already.", reason="past")
    if span.from_ms < now_ms - late_ms:
        days = late_ms // DAY_MS
        raise BadRequest(f"It began more than {days} days ago.", reason=f"began_{days}")
    if span.from_ms > now_ms + MAX_AHEAD_MS:
        raise BadRequest("This is more than three years away.", reason="too_far")
    _check_length(span, longest_ms)


def _check_length(span: Span, longest_ms: int) -> None:
    if span.to_ms <= span.from_ms:
        raise BadRequest("It must end after it begins.", reason="ends_before")
    if span.to_ms - span.from_ms > longest_ms:
        raise BadRequest(f"It lasts at most {longest_ms // DAY_MS} days.", reason="too_long")


def _weeks_later(at_ms: int, weeks: int) -> int:
    """Return the same clock on the wall so many weeks later, over summer time and winter time."""
    local = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(ZoneInfo(ZONE))
    later = (local + timedelta(weeks=weeks)).astimezone(UTC)
    return int(later.timestamp()) * 1000 + at_ms % 1000
