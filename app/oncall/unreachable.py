"""Somebody is on call and her phone cannot be woken: she and her lead are told, once a shift."""

from typing import Any

from sqlmodel import Session, col, select

from app.accounts.models import Membership, Person
from app.i18n import moment, say
from app.oncall import letters, outside, roster
from app.oncall.models import Absence, EscalationPolicy, Shift
from app.oncall.steps import Means
from app.push import service as push

WARNING_TTL_S = 4 * 3600


def unwarned(session: Session, *, now_ms: int) -> list[str]:
    """Return the shifts of this moment whose holder cannot be woken and was not told so yet."""
    query = (
        select(Shift.id, Shift.person_id)
        .join(Person, col(Person.id) == col(Shift.person_id))
        .where(*_running(now_ms), col(Person.active))
        .order_by(col(Shift.id))
    )
    found = session.exec(query).all()
    reaches = push.reaches(session, sorted({person for _, person in found}), now_ms=now_ms)
    away = set(
        session.exec(
            select(Absence.person_id).where(
                col(Absence.removed_at_ms).is_(None),
                Absence.starts_at_ms <= now_ms,
                Absence.ends_at_ms > now_ms,
            )
        )
    )
    return [shift for shift, person in found if reaches[person] == "none" and person not in away]


def tell(session: Session, means: Means, shift_id: str, now_ms: int) -> bool:
    """Tell her by mail, and the team's lead by push or else by mail; False when it was done."""
    query = select(Shift).where(Shift.id == shift_id, *_running(now_ms))
    shift = session.exec(query.with_for_update(skip_locked=True)).first()
    if shift is None:
        return False
    shift.warned_at_ms = now_ms
    session.add(shift)
    person = session.get_one(Person, shift.person_id)
    _mail(session, means, shift, person, person, "oncall.unreachable", now_ms)
    agreed = session.get(EscalationPolicy, shift.team_id)
    lead = session.get(Person, agreed.lead_id) if agreed and agreed.lead_id else None
    if lead is None or not lead.active or lead.id == person.id:
        return True
    if session.get(Membership, (lead.id, shift.team_id)) is None:
        return True  # she left the team
    notice = push.Notice(
        "warning",
        None,
        topic=f"oncall-{shift.id[-12:]}",
        ttl_s=WARNING_TTL_S,
        words={
            "title": "oncall.unreachable_title",
            "body": "oncall.unreachable_body",
            "area": _place(session, shift),
            "colleague": person.name,
        },
    )
    reach = push.reach(session, lead.id, now_ms=now_ms)
    pushed = push.send(session, lead.id, notice, now_ms=now_ms)
    if not pushed or reach != "proven":
        _mail(session, means, shift, person, lead, "oncall.unreachable_lead", now_ms)
    return True


def _mail(
    session: Session,
    means: Means,
    shift: Shift,
    holder: Person,
    to: Person,
    key: str,
    now_ms: int,
) -> None:
    if not to.email:
        return
    said = {
        "municipality": means.settings.municipality,
        "area": _place(session, shift),
        "until": moment(to.language, shift.ends_at_ms, now_ms),
        "link": f"{means.settings.origin}/{'phone' if to is holder else 'oncall'}",
        "colleague": holder.name,
    }
    outside.queue(
        session,
        means.ways,
        "email",
        team_id=shift.team_id,
        recipient=to.email,
        subject=say(to.language, f"{key}_subject", **said),
        text=say(to.language, f"{key}_text", **said),
        shift_id=shift.id,
        now_ms=now_ms,
    )


def _place(session: Session, shift: Shift) -> str:
    return letters.place_of(session, shift.area or f"team:{shift.team_id}")


def _running(now_ms: int) -> tuple[Any, ...]:
    return (
        Shift.starts_at_ms <= now_ms,
        Shift.ends_at_ms > now_ms,
        col(Shift.removed_at_ms).is_(None),
        col(Shift.warned_at_ms).is_(None),
    )


def is_on_call(session: Session, person_id: str, now_ms: int) -> bool:
    """Say whether somebody is on call at this moment."""
    return person_id in roster.on_call_now(session, now_ms)
