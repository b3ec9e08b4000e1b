"""Operations that begin a conversation: what was heard in the street, what was overheard."""

from typing import Any

from sqlmodel import col, select

from app.channels.models import Account
from app.channels.registry import capabilities_of
from app.db import flush_rows
from app.inbox import service as inbox
from app.inbox.models import Conversation
from app.listening import service as listening
from app.listening.models import Hit
from app.residents import service as residents
from app.sync import payloads
from app.sync.desk import Desk, Rejected, check_attachments
from app.triage import service as triage


def contact(desk: Desk, op: payloads.Op, said: payloads.Contact) -> None:
    """Write down what was heard by phone, at the desk, in the street or in a group."""
    account = _contact_account(desk)
    area = said.area or f"team:{account.team_id}"
    if not desk.who.sees(area):
        raise Rejected("not_allowed", "This area is not yours.")
    take_contact(desk, op, said, account, area)


def take_contact(
    desk: Desk, op: payloads.Op, said: payloads.Contact, account: Account, area: str
) -> Conversation:
    """Begin the conversation of something that was heard."""
    if op.conversation_id is None:
        raise Rejected("bad_payload", "conversation_id is missing.")
    if op.conversation_id in desk.conversations:
        raise Rejected("id_reused")
    check_attachments(desk, said.attachments)
    email = said.email.lower()
    in_group = said.via == "group"
    if in_group and not said.source:
        raise Rejected("bad_payload", "source is missing.")
    resident = _contact_resident(desk, said, email)
    conversation = inbox.start(
        desk.session,
        resident,
        conversation_id=op.conversation_id,
        account_id=account.id,
        subject=said.group if in_group else "",
        area=area,
        address=email or None,
        why_not="by_hand" if in_group else None if email else "no_address",
        place=said.place or None,
        now_ms=desk.now_ms,
    )
    conversation.created_at_ms = desk.clamp(said.happened_at_ms or op.written_at_ms)
    desk.conversations[conversation.id] = conversation
    desk.stored_position[conversation.id] = 0
    inbox.receive(
        desk.session,
        conversation,
        inbox.Entry(
            id=op.op_id,
            direction="in",
            author_id=desk.who.person_id,
            sender_name=said.name or None,
            text=said.text,
            attachments=tuple(said.attachments),
            alts=said.alts,
            event={
                "what": "contact",
                "from": said.via,
                "to": {"phone": said.phone, "consent": said.consent}
                | ({"source": said.source, "group": said.group} if in_group else {}),
            },
            written_at_ms=conversation.created_at_ms,
            accepted_at_ms=desk.now_ms,
        ),
    )
    flush_rows(desk.session)
    told = residents.Heard(op.op_id, account.kind, said.text, name=said.name, phone=said.phone)
    residents.notice(desk.session, conversation, told, now_ms=desk.now_ms)
    if said.answered:
        conversation.status, conversation.waiting_since_ms = "closed", None
    if said.urgent:
        conversation.urgent, conversation.urgent_reason = True, desk.who.name
        triage.marked_by_hand(conversation, by=desk.who.person_id, now_ms=desk.now_ms)
    elif not said.answered:
        heard = triage.Heard(op.op_id, account.kind, said.text, name=said.name)
        triage.consider(desk.session, conversation, heard, now_ms=desk.now_ms)
    return conversation


def _contact_account(desk: Desk) -> Account:
    return notes_of(desk, sorted(area[5:] for area in desk.who.areas if area.startswith("team:")))


def notes_of(desk: Desk, teams: list[str]) -> Account:
    """Return where these teams keep contact notes."""
    found = desk.session.exec(
        select(Account)
        .where(Account.kind == "contact", col(Account.team_id).in_(teams))
        .order_by(col(Account.id))
    ).first()
    if found is None:
        raise Rejected("not_allowed", "Your team keeps no contact notes.")
    return found


def _contact_resident(desk: Desk, said: payloads.Contact, email: str) -> Any:
    if email:
        # A slip of the pen must not make one of two people: whose it is, is only suggested.
        return inbox.resident_at(
            desk.session, "contact", email, name=said.name, kind=said.kind, now_ms=desk.now_ms
        )
    resident = inbox.new_resident(desk.session, name=said.name, kind=said.kind, now_ms=desk.now_ms)
    desk.session.flush()
    return resident


def adopt(desk: Desk, op: payloads.Op, said: payloads.Overheard) -> str:
    """Make a conversation of something overheard; return the one it belongs to."""
    if op.conversation_id is None:
        raise Rejected("bad_payload", "conversation_id is missing.")
    if op.conversation_id in desk.conversations:
        raise Rejected("id_reused")
    hit = _hit(desk, said)
    account = desk.account(hit.account_id)
    begun = listening.adopt(
        desk.session,
        hit,
        account,
        conversation_id=op.conversation_id,
        can_reply=account.enabled and capabilities_of(account.kind).max_chars > 0,
        now_ms=desk.now_ms,
    )
    if begun is not None:
        desk.conversations[begun.id] = begun
        desk.stored_position[begun.id] = 0
    # A colleague may have been first: then hers is the conversation.
    return hit.conversation_id or ""


def mute(desk: Desk, _op: payloads.Op, said: payloads.Overheard) -> None:
    """Hear no more from where this came from."""
    by = desk.who.person_id
    listening.mute(desk.session, _hit(desk, said), by=by, now_ms=desk.now_ms)


def _hit(desk: Desk, said: payloads.Overheard) -> Hit:
    desk.session.flush()
    hit = desk.session.get(Hit, said.hit, with_for_update=True)
    if hit is None or not desk.who.sees(hit.scope):
        raise Rejected("gone")
    return hit
