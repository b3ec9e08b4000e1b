"""Operations that say something: replies, notes, what was answered by hand, what is taken back."""

from dataclasses import replace

from sqlmodel import Session, col, select

from app.channels.models import Account
from app.channels.registry import approved_of, capabilities_of, external_id_of, fits
from app.db import flush_rows
from app.delivery import service as delivery
from app.delivery.models import Delivery
from app.errors import Conflict
from app.inbox import service as inbox
from app.inbox.models import Conversation, Message
from app.sync import ledger, payloads
from app.sync.desk import Desk, Held, Rejected, check_attachments, check_conflict
from app.text.approved import Form


def reply(desk: Desk, op: payloads.Op, said: payloads.Reply) -> None:
    """Answer the resident. Raises Held when a colleague did, or she wrote again, meanwhile."""
    conversation = desk.living(op.conversation_id)
    # Before anything else is judged: whatever becomes of this version, the earlier ones end here.
    if sent := ledger.withdraw_earlier(desk, op, said.supersedes):
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
    check_attachments(desk, said.attachments)
    check_conflict(desk, conversation, op, "reply")
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


def note(desk: Desk, op: payloads.Op, said: payloads.Note) -> None:
    """Write a note for colleagues, or what she answered by hand where Stoep cannot."""
    conversation = desk.living(op.conversation_id)
    if sent := ledger.withdraw_earlier(desk, op, said.supersedes):
        raise Held("already_sent", sent)
    check_attachments(desk, said.attachments)
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


def withdraw(desk: Desk, op: payloads.Op, said: payloads.Withdraw) -> None:
    """Take earlier operations of hers back. Raises Rejected when one took effect."""
    desk.conversation(op.conversation_id)
    if ledger.withdraw_earlier(desk, op, said.op_ids):
        raise Rejected("already_sent")


def resolve(desk: Desk, op: payloads.Op, said: payloads.Resolve) -> None:
    """Say what became of a reply that nobody could find, or that she posted herself."""
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
