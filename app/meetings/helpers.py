"""Whoever helps for one evening: invited by a link, let in on one device, gone by itself."""

from dataclasses import dataclass

from sqlmodel import Session, col, select, update

from app.accounts import service as accounts
from app.accounts.models import Device, Guest, Person
from app.accounts.policy import GUEST, Principal
from app.db import touch
from app.errors import BadRequest, Gone, NotFound
from app.ids import fingerprint, new_secret, uuid7
from app.meetings import policy, service
from app.meetings.models import Meeting, MeetingHelper, MeetingPromise, MeetingQuestion

MOST_HELPERS = 20
SESSION_DAYS = 8
"""Longer than her evening and the time to hand over what was caught; the evening ends by itself."""


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation as its page shows it."""

    id: str
    name: str
    title: str
    until_ms: int


def invite(
    session: Session, who: Principal, meeting_id: str, name: str, *, now_ms: int
) -> tuple[str, int]:
    """Return the secret of a new invitation, and when it ends. Raises NotFound, BadRequest."""
    meeting = _meeting(session, who, meeting_id)
    name = " ".join(name.split())
    if not name or len(name) > 100 or not name.isprintable():
        raise BadRequest("An assistant needs a name of at most 100 characters.")
    helpers = select(MeetingHelper.id).where(MeetingHelper.meeting_id == meeting_id)
    known = session.exec(helpers).all()
    if len(known) >= MOST_HELPERS:
        raise BadRequest(f"A meeting has at most {MOST_HELPERS} assistants.")
    secret = new_secret()
    until_ms = policy.helps_until_ms(now_ms, meeting.starts_at_ms)
    session.add(
        MeetingHelper(
            id=uuid7(now_ms),
            meeting_id=meeting_id,
            name=name,
            fingerprint=fingerprint(secret),
            invited_by=who.person_id,
            created_at_ms=now_ms,
            expires_at_ms=until_ms,
        )
    )
    session.flush()
    service.tell_meeting(session, meeting)
    if not known:
        _publish_all(session, meeting_id)
    return secret, until_ms


def _publish_all(session: Session, meeting_id: str) -> None:
    """From now on somebody sees this meeting by itself: its rows get that scope too."""
    for kind, table in (("meetingq", MeetingQuestion), ("meetingp", MeetingPromise)):
        query = select(table.id).where(table.meeting_id == meeting_id)
        for entity_id in session.exec(query):
            touch(session, kind, entity_id)


def invited(session: Session, secret: str, *, now_ms: int) -> Invited:
    """Return what an invitation is for; looking does not use it. Raises NotFound or Gone."""
    helper = _of(session, secret)
    if helper.used_at_ms is not None or helper.expires_at_ms <= now_ms:
        raise Gone
    meeting = session.get_one(Meeting, helper.meeting_id)
    return Invited(helper.id, helper.name, meeting.title, helper.expires_at_ms)


def begin(
    session: Session, secret: str, *, device_name: str, now_ms: int
) -> tuple[accounts.SignIn, str]:
    """Let an assistant in, once; return her session and the meeting."""
    helper = _of(session, secret)
    used = session.exec(
        update(MeetingHelper)
        .where(col(MeetingHelper.id) == helper.id, col(MeetingHelper.used_at_ms).is_(None))
        .where(col(MeetingHelper.expires_at_ms) > now_ms)
        .values(used_at_ms=now_ms)
    )
    if used.rowcount != 1:
        raise Gone
    person = Person(id=uuid7(now_ms), name=helper.name, role=GUEST, created_at_ms=now_ms)
    session.add(person)
    session.flush()
    touch(session, "person", person.id)
    scope = service.scope_of(helper.meeting_id)
    session.add(Guest(person_id=person.id, scope=scope, expires_at_ms=helper.expires_at_ms))
    begun = accounts.begin_session(
        session, person.id, now_ms=now_ms, session_days=SESSION_DAYS, device_name=device_name
    )
    session.refresh(helper)
    helper.person_id = person.id
    session.add(helper)
    service.tell_meeting(session, session.get_one(Meeting, helper.meeting_id))
    return begun, helper.meeting_id


def dismiss(
    session: Session, who: Principal, meeting_id: str, helper_id: str, *, now_ms: int
) -> None:
    """End an assistant's evening now; her device clears itself at its next contact."""
    meeting = _meeting(session, who, meeting_id)
    helper = session.get(MeetingHelper, helper_id)
    if helper is None or helper.meeting_id != meeting_id:
        raise NotFound("There is no such assistant.")
    helper.expires_at_ms = min(helper.expires_at_ms, now_ms)
    session.add(helper)
    if helper.person_id is not None:
        guest = session.get(Guest, helper.person_id)
        if guest is not None:
            guest.expires_at_ms = min(guest.expires_at_ms, now_ms)
            session.add(guest)
        session.exec(
            update(Device)
            .where(col(Device.person_id) == helper.person_id, col(Device.revoked_at_ms).is_(None))
            .values(revoked_at_ms=now_ms)
        )
    service.tell_meeting(session, meeting)


def _of(session: Session, secret: str) -> MeetingHelper:
    query = select(MeetingHelper).where(MeetingHelper.fingerprint == fingerprint(secret))
    found = session.exec(query).first()
    if found is None:
        raise NotFound
    return found


def _meeting(session: Session, who: Principal, meeting_id: str) -> Meeting:
    found = session.get(Meeting, meeting_id, with_for_update=True)
    if found is None or not service.sees(who, found):
        raise NotFound("There is no such meeting.")
    return found
