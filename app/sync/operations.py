"""What the phones did: each operation judged once, its outcome kept for ever.

The ledger row, the effect, the feed rows and (for a reply) the delivery commit together. A batch is
taken in order; one bad operation never blocks the others. Whatever an operation says, rights are
looked up here.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy.orm.attributes import flag_modified
from sqlmodel import Session, col, select

from app.accounts.models import Area, Membership, Person, Team, TeamArea
from app.accounts.policy import RIGHTS, Principal, areas_of
from app.channels.models import Account
from app.channels.registry import approved_of, capabilities_of, external_id_of, fits
from app.db import flush_rows, insert_later, waiting_rows
from app.delivery import service as delivery
from app.delivery.models import Delivery
from app.errors import Conflict
from app.inbox import service as inbox
from app.inbox.models import Attachment, Conversation, Message
from app.listening import service as listening
from app.listening.models import Hit
from app.meetings.service import Refused
from app.oncall import alerts, watch
from app.residents import service as residents
from app.sync import conflicts, entities, feed, meeting_ops, payloads
from app.sync.models import Operation
from app.text.approved import Form
from app.triage import service as triage

AHEAD_MS = 60_000
"""How far a phone's clock may run ahead before its instants are taken to be the server's."""

OLDEST_MS = 1_577_836_800_000
"""1 January 2020: an operation cannot have been written before Stoep."""


_SUMMARY = ("position", "activity_at_ms", "preview", "preview_by", "status", "waiting_since_ms")
"""What nearly every operation changes of a conversation."""

WITHDRAWN = ""
"""The digest of an operation that was withdrawn before it arrived: it is refused when it comes."""


class Rejected(Exception):
    """This operation will never be applied; nothing was changed."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Held(Exception):
    """Something happened meanwhile that its writer must see first; nothing was changed."""

    def __init__(self, reason: str, changed: list[str]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.changed = changed


@dataclass(slots=True)
class Desk:
    """What one batch works on: who asks, when, and the conversations already looked up."""

    session: Session
    who: Principal
    now_ms: int
    conversations: dict[str, Conversation] = field(default_factory=dict)
    stored_position: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    ledger: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def conversation(self, conversation_id: str | None) -> Conversation:
        """Return a conversation she may see. Raises Rejected, which never tells the two apart."""
        found = self.conversations.get(conversation_id or "")
        if found is None or not self.who.sees(found.area):
            raise Rejected("unknown_conversation")
        return found

    def living(self, conversation_id: str | None) -> Conversation:
        """Return a conversation that can still be worked on."""
        found = self.conversation(conversation_id)
        if found.erased_at_ms is not None:
            raise Rejected("erased")
        return found

    def account(self, account_id: str) -> Account:
        """Return an account, looked up once a batch."""
        if account_id not in self.accounts:
            self.accounts[account_id] = self.session.get_one(Account, account_id)
        return self.accounts[account_id]

    def clamp(self, written_at_ms: int) -> int:
        """Return when it was written, as far as a phone's clock can be believed."""
        if OLDEST_MS <= written_at_ms <= self.now_ms + AHEAD_MS:
            return min(written_at_ms, self.now_ms)
        return self.now_ms


def apply(
    session: Session, who: Principal, batch: Sequence[payloads.Op], *, now_ms: int
) -> list[dict[str, Any]]:
    """Judge a batch in order and return one result each: applied, held or rejected.

    An operation judged before gets its first outcome again, with `duplicate` true.
    """
    desk = Desk(session, who, now_ms)
    _load(desk, batch)
    # Read after the conversations were locked: a twin of this request has then either committed
    # its ledger rows or waits behind us.
    ids = [op.op_id for op in batch]
    ledger = desk.ledger = {
        op_id: (digest, dict(result))
        for op_id, digest, result in session.exec(
            select(Operation.op_id, Operation.digest, Operation.result).where(
                col(Operation.op_id).in_(ids)
            )
        )
    }
    results: list[dict[str, Any]] = []
    fresh: list[tuple[payloads.Op, str, dict[str, Any]]] = []
    # What the handlers read was loaded above or they flush for; flushing before every other query
    # would write each conversation as often as it is touched.
    with session.no_autoflush:
        for op in batch:
            digest = _digest(who, op)
            known = ledger.get(op.op_id)
            if known is None:
                result = _judge(desk, op)
                fresh.append((op, digest, result))
                ledger[op.op_id] = (digest, result)
            elif known[0] in {digest, WITHDRAWN}:
                result = known[1] | {"duplicate": True}
            else:
                result = {"op_id": op.op_id, "outcome": "rejected", "reason": "id_reused", "seq": 0}
            results.append(result)
    if fresh:
        _write_alike(session)
        written = entities.Written(waiting_rows(session, Message), waiting_rows(session, Delivery))
        flush_rows(session)
        inbox.link_attachments(session)
        watch.watch(session, now_ms, by=watch.Actor(who.person_id, who.device_id))
        seq = feed.publish(session, written)
        for op, digest, result in fresh:
            if result["outcome"] == "applied":
                result["seq"] = seq
            _record(desk, op, digest, result)
    return results


def _write_alike(session: Session) -> None:
    """Have all changed conversations name the same columns, so that one statement writes them.

    Otherwise each set of changed columns takes a statement of its own. They are locked, so that
    nobody else's value is overwritten.
    """
    for changed in session.dirty:
        if isinstance(changed, Conversation):
            for column in _SUMMARY:
                flag_modified(changed, column)


def _load(desk: Desk, batch: Sequence[payloads.Op]) -> None:
    """Look up and lock every conversation of the batch, in one order for all, so none deadlock."""
    if any(op.kind == "same" for op in batch):
        residents.one_at_a_time(desk.session)
    ids = sorted({op.conversation_id for op in batch if op.conversation_id})
    query = (
        select(Conversation)
        .where(col(Conversation.id).in_(ids))
        .order_by(col(Conversation.id))
        .with_for_update()
    )
    for conversation in desk.session.exec(query):
        desk.conversations[conversation.id] = conversation
        desk.stored_position[conversation.id] = conversation.position


def _judge(desk: Desk, op: payloads.Op) -> dict[str, Any]:
    result: dict[str, Any] = {"op_id": op.op_id, "outcome": "applied", "duplicate": False, "seq": 0}
    try:
        kind = _kind(desk.who, op)
        detail = kind.carry_out(desk, op, _payload(kind.payload, op))
        if detail:
            result["detail"] = detail
    except Rejected as error:
        result |= {"outcome": "rejected", "reason": error.reason, "detail": error.detail}
    except Held as error:
        changed = feed_bodies(desk.session, error.changed)
        result |= {"outcome": "held", "reason": error.reason, "changed": changed}
    return result


def _kind(who: Principal, op: payloads.Op) -> "_Kind":
    kind = _KINDS.get(op.kind)
    if kind is None:
        raise Rejected("bad_payload", f"Unknown kind of operation: {op.kind}")
    if not who.may(kind.right):
        raise Rejected("not_allowed")
    return kind


def feed_bodies(session: Session, message_ids: list[str]) -> list[dict[str, Any]]:
    """Return the newest state of messages, as the phone knows them, in their order."""
    session.flush()
    states: list[dict[str, Any]] = [row["state"] for row in entities.messages(session, message_ids)]
    return sorted(states, key=lambda state: int(state["position"]))


def _payload(model: type[BaseModel], op: payloads.Op) -> Any:
    try:
        return model.model_validate(op.payload)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = "too_long" if first["type"] == "string_too_long" else "bad_payload"
        raise Rejected(reason, f"{where}: {first['msg']}"[:200]) from None


def _digest(who: Principal, op: payloads.Op) -> str:
    said = feed.dump([who.person_id, op.kind, op.conversation_id, op.based_on, op.payload])
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def _record(desk: Desk, op: payloads.Op, digest: str, result: dict[str, Any]) -> None:
    # What was said in between is looked up afresh by the phone; the ledger keeps only the verdict.
    insert_later(
        desk.session,
        Operation,
        {
            "op_id": op.op_id,
            "person_id": desk.who.person_id,
            "device_id": desk.who.device_id,
            "conversation_id": op.conversation_id,
            "kind": op.kind[:40],
            "digest": digest,
            "result": result,
            "written_at_ms": desk.clamp(op.written_at_ms),
            "applied_at_ms": desk.now_ms,
        },
    )


def _check_conflict(desk: Desk, conversation: Conversation, op: payloads.Op, kind: str) -> None:
    """Raise Held when what happened since the writer looked stands in the way."""
    stored = desk.stored_position.get(conversation.id, 0)
    if op.based_on is None or not 0 <= op.based_on <= conversation.position:
        raise Rejected("bad_payload", "based_on must be a position of this conversation.")
    if op.based_on >= stored:
        return
    since = desk.session.exec(
        select(Message)
        .where(Message.conversation_id == conversation.id, Message.position > op.based_on)
        .order_by(col(Message.position))
    ).all()
    entries = [
        conflicts.Since(entry.id, entry.direction, entry.author_id, entry.event) for entry in since
    ]
    reason = conflicts.judge(kind, desk.who.person_id, entries)
    if reason is not None:
        raise Held(reason, [entry.id for entry in entries])


def _reply(desk: Desk, op: payloads.Op, said: payloads.Reply) -> None:
    conversation = desk.living(op.conversation_id)
    # Before anything else is judged: whatever becomes of this version, the earlier ones end here.
    if sent := _withdraw_earlier(desk, op, said.supersedes):
        raise Held("already_sent", sent)
    if conversation.why_not is not None or not conversation.address:
        raise Rejected("no_address", conversation.why_not or "")
    account = _answering_account(desk, conversation)
    form = _form(account, said)
    if form is None and _is_too_late(desk, conversation, account):
        raise Rejected("window")
    can = capabilities_of(account.kind, public=conversation.public)
    if not fits(account.kind, said.text, public=conversation.public):
        raise Rejected("too_long", str(can.max_chars))
    if len(said.attachments) > can.attachments:
        raise Rejected("attachment_missing", "Too many attachments for this channel.")
    _check_attachments(desk, said.attachments)
    _check_conflict(desk, conversation, op, "reply")
    inbox.reply(desk.session, conversation, _entry(desk, op, "out", said))
    own = account.id == conversation.account_id
    until_ms = conversation.answer_by_ms if own and form is None else None
    _enqueue(desk, op, account, conversation.address, answer_by_ms=until_ms, form=form)
    if account.kind == "web" and "@" in conversation.address:
        # The answer stands on her page; a mail tells her that it does, when there is a mailbox.
        mailbox = _mailbox(desk.session, account.team_id)
        if mailbox is not None:
            _enqueue(desk, op, mailbox, conversation.address, notice=True)


def _enqueue(
    desk: Desk,
    op: payloads.Op,
    account: Account,
    recipient: str,
    *,
    notice: bool = False,
    answer_by_ms: int | None = None,
    form: Form | None = None,
) -> None:
    delivery_id = delivery.new_delivery_id(desk.now_ms)
    delivery.enqueue(
        desk.session,
        message_id=op.op_id,
        account_id=account.id,
        recipient=recipient,
        external_id=external_id_of(account, delivery_id),
        delivery_id=delivery_id,
        due_at_ms=desk.now_ms,
        notice=notice,
        answer_by_ms=answer_by_ms,
        form=form,
    )


def _form(account: Account, said: payloads.Reply) -> Form | None:
    """Return the approved text that a reply is, which the channel takes at any time.

    Raises Rejected when it names one that is not (or no more) approved in these very words: what
    the resident reads is what its writer saw.
    """
    texts = approved_of(account)
    named = said.approved
    if named is None:
        same = [one for one in texts if not one.blanks and one.text == said.text.strip()]
        return Form(same[0].name, same[0].language) if same and not said.attachments else None
    known = [one for one in texts if (one.name, one.language) == (named.name, named.language)]
    if not known or set(known[0].blanks) != set(named.values):
        raise Rejected("approved_gone")
    try:
        whole = known[0].filled(named.values)
    except ValueError as error:
        raise Rejected("approved_values", str(error)) from None
    if whole != said.text or said.attachments:
        raise Rejected("approved_gone")
    values = tuple((blank, named.values[blank]) for blank in known[0].blanks)
    return Form(named.name, named.language, values)


def _is_too_late(desk: Desk, conversation: Conversation, account: Account) -> bool:
    """Say whether the channel takes no answer any more to what the resident wrote last."""
    until_ms = conversation.answer_by_ms
    return (
        account.id == conversation.account_id and until_ms is not None and until_ms <= desk.now_ms
    )


def _answering_account(desk: Desk, conversation: Conversation) -> Account:
    """Return the account that a reply leaves by: the conversation's own, or the team's mailbox."""
    account = desk.account(conversation.account_id)
    if account.kind != "contact":
        if not account.enabled:
            raise Rejected("no_address", "channel_off")
        return account
    mailbox = _mailbox(desk.session, account.team_id)
    if mailbox is None:
        raise Rejected("no_address", "no_mailbox")
    return mailbox


def _mailbox(session: Session, team_id: str) -> Account | None:
    query = select(Account).where(
        Account.kind == "email", Account.team_id == team_id, col(Account.enabled)
    )
    return session.exec(query.order_by(col(Account.id))).first()


def _entry(
    desk: Desk, op: payloads.Op, direction: str, said: payloads.Reply | payloads.Note
) -> inbox.Entry:
    return inbox.Entry(
        id=op.op_id,
        direction=direction,
        author_id=desk.who.person_id,
        text=said.text,
        attachments=tuple(said.attachments),
        alts=said.alts,
        written_at_ms=desk.clamp(op.written_at_ms),
        accepted_at_ms=desk.now_ms,
    )


def _check_attachments(desk: Desk, attachments: list[str]) -> None:
    for attachment_id in attachments:
        found = desk.session.get(Attachment, attachment_id)
        if (
            found is None
            or found.uploader_id != desk.who.person_id
            or found.message_id is not None
            or found.have_bytes != found.size_bytes
        ):
            raise Rejected("attachment_missing", attachment_id)


def _withdraw_earlier(desk: Desk, op: payloads.Op, earlier: list[str]) -> list[str]:
    """See to it that earlier operations of hers never take effect.

    Returns those that did already; then nothing is withdrawn. Her requests to one conversation
    wait for each other, so nothing slips in between.
    """
    for op_id in earlier:
        if op_id not in desk.ledger:
            stored = desk.session.get(Operation, op_id)
            if stored is not None:
                desk.ledger[op_id] = (stored.digest, dict(stored.result))
    unknown = [op_id for op_id in earlier if op_id not in desk.ledger]
    known = [op_id for op_id in earlier if op_id in desk.ledger]
    sent = [op_id for op_id in known if desk.ledger[op_id][1]["outcome"] == "applied"]
    for op_id in () if sent else unknown:
        result = {"op_id": op_id, "outcome": "rejected", "duplicate": False, "seq": 0}
        result |= {"reason": "withdrawn"}
        desk.ledger[op_id] = (WITHDRAWN, result)
        _record(desk, op.model_copy(update={"op_id": op_id, "kind": "withdrawn"}), "", result)
    return sent


def _withdraw(desk: Desk, op: payloads.Op, said: payloads.Withdraw) -> None:
    desk.conversation(op.conversation_id)
    if _withdraw_earlier(desk, op, said.op_ids):
        raise Rejected("already_sent")


def _note(desk: Desk, op: payloads.Op, said: payloads.Note) -> None:
    conversation = desk.living(op.conversation_id)
    if sent := _withdraw_earlier(desk, op, said.supersedes):
        raise Held("already_sent", sent)
    _check_attachments(desk, said.attachments)
    if said.by_hand_at_ms is None:
        entry = _entry(desk, op, "note", said)
        inbox.note(desk.session, conversation, entry)
        return
    if not desk.who.may("reply"):
        raise Rejected("not_allowed")
    if conversation.why_not != "by_hand":
        raise Rejected("bad_payload", "Stoep itself answers in this conversation.")
    # It stands there already: nothing is held and nothing is sent, it is only written down.
    entry = _entry(desk, op, "out", said)
    at_ms = desk.clamp(said.by_hand_at_ms)
    event = {"what": "by_hand", "from": None, "to": None}
    inbox.reply(desk.session, conversation, replace(entry, event=event, written_at_ms=at_ms))


def _status(desk: Desk, op: payloads.Op, said: payloads.Status) -> None:
    conversation = desk.living(op.conversation_id)
    if said.status == "closed":
        _check_conflict(desk, conversation, op, "close")
    _change(desk, op, conversation, "status", said.status)


def _assign(desk: Desk, op: payloads.Op, said: payloads.Assign) -> None:
    conversation = desk.living(op.conversation_id)
    if said.person is not None and not _can_work_in(desk.session, said.person, conversation.area):
        raise Rejected("not_allowed", "That person does not see this conversation.")
    _check_conflict(desk, conversation, op, "assign")
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


def _area(desk: Desk, op: payloads.Op, said: payloads.Move) -> None:
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


def _topics(desk: Desk, op: payloads.Op, said: payloads.Topics) -> None:
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


def _urgent(desk: Desk, op: payloads.Op, said: payloads.Urgent) -> None:
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


def _acknowledge(desk: Desk, op: payloads.Op, _said: payloads.Acknowledge) -> str:
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


def _snooze(desk: Desk, op: payloads.Op, said: payloads.Snooze) -> str:
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


def _read(desk: Desk, op: payloads.Op, said: payloads.Read) -> None:
    conversation = desk.conversation(op.conversation_id)
    inbox.mark_read(desk.session, conversation, desk.who.person_id, said.position)


def _contact(desk: Desk, op: payloads.Op, said: payloads.Contact) -> None:
    account = _contact_account(desk)
    area = said.area or f"team:{account.team_id}"
    if not desk.who.sees(area):
        raise Rejected("not_allowed", "This area is not yours.")
    _take_contact(desk, op, said, account, area)


def _take_contact(
    desk: Desk, op: payloads.Op, said: payloads.Contact, account: Account, area: str
) -> Conversation:
    """Begin the conversation of something that was heard."""
    if op.conversation_id is None:
        raise Rejected("bad_payload", "conversation_id is missing.")
    if op.conversation_id in desk.conversations:
        raise Rejected("id_reused")
    _check_attachments(desk, said.attachments)
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
    return _notes_of(desk, sorted(area[5:] for area in desk.who.areas if area.startswith("team:")))


def _notes_of(desk: Desk, teams: list[str]) -> Account:
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


def _adopt(desk: Desk, op: payloads.Op, said: payloads.Overheard) -> str:
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


def _mute(desk: Desk, _op: payloads.Op, said: payloads.Overheard) -> None:
    by = desk.who.person_id
    listening.mute(desk.session, _hit(desk, said), by=by, now_ms=desk.now_ms)


def _hit(desk: Desk, said: payloads.Overheard) -> Hit:
    desk.session.flush()
    hit = desk.session.get(Hit, said.hit, with_for_update=True)
    if hit is None or not desk.who.sees(hit.scope):
        raise Rejected("gone")
    return hit


def _same(desk: Desk, op: payloads.Op, said: payloads.Same) -> None:
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


def _resolve(desk: Desk, op: payloads.Op, said: payloads.Resolve) -> None:
    conversation = desk.living(op.conversation_id)
    flush_rows(desk.session)
    message = desk.session.get(Message, said.message)
    found = delivery.of_message(desk.session, said.message)
    if message is None or message.conversation_id != conversation.id or found is None:
        raise Rejected("bad_payload", "No such reply in this conversation.")
    if said.outcome == "by_hand":
        _posted_by_hand(desk, op, said, message, found)
        return
    try:
        delivery.resolve(desk.session, found, said.outcome, now_ms=desk.now_ms)
    except Conflict as error:
        raise Rejected("bad_payload", error.detail) from None


def _posted_by_hand(
    desk: Desk, op: payloads.Op, said: payloads.Resolve, message: Message, found: Delivery
) -> None:
    """Write down who posted a reply at the channel, and when, as in a closed group."""
    if message.event is not None:
        return  # A colleague was first: it stands there once.
    try:
        delivery.posted_by_hand(desk.session, found, now_ms=desk.now_ms)
    except Conflict as error:
        raise Rejected("on_its_way", error.detail) from None
    at_ms = desk.clamp(said.by_hand_at_ms or op.written_at_ms)
    message.event = {"what": "by_hand", "from": desk.who.person_id, "to": at_ms}


def _at_meeting(work: meeting_ops.Work) -> Callable[[Desk, payloads.Op, Any], str | None]:
    """Return how an operation of a meeting is carried out here."""

    def carry_out(desk: Desk, op: payloads.Op, said: Any) -> str | None:
        def take(contact: payloads.Contact, team_id: str, area: str) -> Conversation:
            return _take_contact(desk, op, contact, _notes_of(desk, [team_id]), area)

        def reply(conversation: Conversation, text: str) -> bool:
            # Who wrote to her already was looked at under the same lock.
            seen = op.model_copy(update={"based_on": conversation.position})
            try:
                _reply(desk, seen, payloads.Reply(text=text))
            except Rejected:
                return False
            return True

        evening = meeting_ops.Evening(
            desk.session,
            desk.who,
            desk.now_ms,
            clamp=desk.clamp,
            conversation=lambda conversation_id: desk.conversations.get(conversation_id or ""),
            take=take,
            reply=reply,
        )
        try:
            return work(evening, op, said)
        except Refused as error:
            raise Rejected(error.reason, error.detail) from None
        except meeting_ops.Overruled as error:
            raise Held(error.reason, error.changed) from None

    return carry_out


@dataclass(frozen=True, slots=True)
class _Kind:
    right: str
    payload: type[BaseModel]
    carry_out: Callable[[Desk, payloads.Op, Any], str | None]


_KINDS: dict[str, _Kind] = {
    "reply": _Kind("reply", payloads.Reply, _reply),
    "note": _Kind("note", payloads.Note, _note),
    "status": _Kind("assign", payloads.Status, _status),
    "assign": _Kind("assign", payloads.Assign, _assign),
    "area": _Kind("assign", payloads.Move, _area),
    "topics": _Kind("note", payloads.Topics, _topics),
    "urgent": _Kind("note", payloads.Urgent, _urgent),
    "acknowledge": _Kind("acknowledge", payloads.Acknowledge, _acknowledge),
    "snooze": _Kind("acknowledge", payloads.Snooze, _snooze),
    "read": _Kind("read", payloads.Read, _read),
    "contact": _Kind("note", payloads.Contact, _contact),
    "adopt": _Kind("assign", payloads.Overheard, _adopt),
    "mute": _Kind("assign", payloads.Overheard, _mute),
    "withdraw": _Kind("note", payloads.Withdraw, _withdraw),
    "resolve": _Kind("reply", payloads.Resolve, _resolve),
    "same": _Kind("assign", payloads.Same, _same),
    **{
        kind: _Kind(right, payload, _at_meeting(work))
        for kind, (right, payload, work) in meeting_ops.KINDS.items()
    },
}
"""Each kind of operation: the right it takes, the shape of its payload, what it does."""
