"""Operations on where a conversation stands: who has it, what it is about, how urgent it is."""

from sqlmodel import Session, col, select

from app.accounts.models import Area, Membership, Person, Team, TeamArea
from app.accounts.policy import RIGHTS, areas_of
from app.db import flush_rows
from app.inbox import service as inbox
from app.inbox.models import Conversation
from app.oncall import alerts, watch
from app.residents import service as residents
from app.sync import payloads
from app.sync.desk import Desk, Rejected, check_conflict
from app.triage import service as triage


def status(desk: Desk, op: payloads.Op, said: payloads.Status) -> None:
    """Open, wait or close. Raises Held when the resident wrote meanwhile."""
    conversation = desk.living(op.conversation_id)
    if said.status == "closed":
        check_conflict(desk, conversation, op, "close")
    _change(desk, op, conversation, "status", said.status)


def assign(desk: Desk, op: payloads.Op, said: payloads.Assign) -> None:
    """Give it to somebody who sees it, or to nobody. Raises Held when a colleague did."""
    conversation = desk.living(op.conversation_id)
    if said.person is not None and not _can_work_in(desk.session, said.person, conversation.area):
        raise Rejected("not_allowed", "That person does not see this conversation.")
    check_conflict(desk, conversation, op, "assign")
    _change(desk, op, conversation, "assign", said.person)
    if said.person == desk.who.person_id and conversation.urgent:
        # Who takes it has seen it.
        _alerted(desk, op)
        alert = alerts.living(desk.session, conversation.id)
        if alert is not None and alert.state == "open":
            alerts.settle(
                desk.session,
                conversation,
                alert,
                said.person,
                now_ms=desk.now_ms,
                detail="assigned",
                device_id=desk.who.device_id,
            )


def _can_work_in(session: Session, person_id: str, area: str) -> bool:
    person = session.get(Person, person_id)
    if person is None or not person.active or "note" not in RIGHTS.get(person.role, frozenset()):
        return False
    teams = session.exec(select(Membership.team_id).where(Membership.person_id == person_id)).all()
    areas = session.exec(select(TeamArea.area).where(col(TeamArea.team_id).in_(teams))).all()
    return area in areas_of(teams, areas)


def area(desk: Desk, op: payloads.Op, said: payloads.Move) -> None:
    """Move it to another area or team."""
    conversation = desk.living(op.conversation_id)
    if not _is_area(desk.session, said.area):
        raise Rejected("bad_payload", "Unknown area.")
    flush_rows(desk.session)
    _change(desk, op, conversation, "area", said.area)
    residents.touch_pairs(desk.session, conversation.resident_id)


def _is_area(session: Session, area: str) -> bool:
    team = area.removeprefix("team:")
    found = session.get(Team, team) if team != area else session.get(Area, area)
    return found is not None


def _change(
    desk: Desk, op: payloads.Op, conversation: Conversation, what: str, value: str | None
) -> None:
    inbox.change(
        desk.session,
        conversation,
        what,
        value,
        by=desk.who.person_id,
        now_ms=desk.now_ms,
        written_at_ms=desk.clamp(op.written_at_ms),
        event_id=op.op_id,
    )


def topics(desk: Desk, op: payloads.Op, said: payloads.Topics) -> None:
    """Say what it is about."""
    inbox.set_topics(
        desk.session,
        desk.living(op.conversation_id),
        add=said.add,
        remove=said.remove,
        by=desk.who.person_id,
        now_ms=desk.now_ms,
        written_at_ms=desk.clamp(op.written_at_ms),
        event_id=op.op_id,
    )


def urgent(desk: Desk, op: payloads.Op, said: payloads.Urgent) -> None:
    """Call it urgent, or not."""
    conversation = desk.living(op.conversation_id)
    before = conversation.urgent
    inbox.set_urgent(
        desk.session,
        conversation,
        said.urgent,
        said.reason,
        by=desk.who.person_id,
        now_ms=desk.now_ms,
        written_at_ms=desk.clamp(op.written_at_ms),
        event_id=op.op_id,
    )
    if conversation.urgent != before:
        by = desk.who.person_id
        triage.correct(desk.session, conversation, said.urgent, by=by, now_ms=desk.now_ms)


def acknowledge(desk: Desk, op: payloads.Op, _said: payloads.Acknowledge) -> str:
    """Say that she has seen it and takes it; return what came of it."""
    conversation = _alerted(desk, op)
    return alerts.acknowledge(
        desk.session,
        conversation,
        desk.who.person_id,
        takes_it=desk.who.may("note"),
        now_ms=desk.now_ms,
        written_at_ms=desk.clamp(op.written_at_ms),
        event_id=op.op_id,
        device_id=desk.who.device_id,
        seen=op.based_on,
    )


def snooze(desk: Desk, op: payloads.Op, said: payloads.Snooze) -> str:
    """Be woken again later; return what came of it."""
    conversation = _alerted(desk, op)
    return alerts.snooze(
        desk.session, conversation, desk.who.person_id, minutes=said.minutes, now_ms=desk.now_ms
    )


def _alerted(desk: Desk, op: payloads.Op) -> Conversation:
    """Return the conversation with its alert as this batch has left it so far."""
    conversation = desk.living(op.conversation_id)
    flush_rows(desk.session)
    actor = watch.Actor(desk.who.person_id, desk.who.device_id)
    watch.look(desk.session, conversation.id, desk.now_ms, by=actor)
    return conversation


def read(desk: Desk, op: payloads.Op, said: payloads.Read) -> None:
    """Note how far she has read."""
    conversation = desk.conversation(op.conversation_id)
    inbox.mark_read(desk.session, conversation, desk.who.person_id, said.position)


def same(desk: Desk, op: payloads.Op, said: payloads.Same) -> None:
    """Say of two residents whether they are one."""
    conversation = desk.living(op.conversation_id)
    desk.session.flush()
    try:
        residents.decide(
            desk.session,
            conversation,
            said.pair,
            said.verdict,
            was=said.was,
            among=said.among,
            areas=desk.who.areas,
            by=desk.who.person_id,
            now_ms=desk.now_ms,
        )
    except residents.Refused as error:
        raise Rejected(error.reason) from None
