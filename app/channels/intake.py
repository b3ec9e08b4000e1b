"""The bridge inwards: what a channel brought becomes part of a conversation, once.

Runs in the transaction that also stores the channel's cursor, so that nothing is skipped and
nothing counted twice, whenever the process ends.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session, col, select

from app import media
from app.channels import changed, trial
from app.channels.contract import DeliveryReport, Incoming, IncomingAttachment
from app.channels.models import Account
from app.channels.registry import capabilities_of, listens
from app.db import flush_rows, insert_later
from app.delivery import service as delivery
from app.delivery.models import Delivery
from app.ids import new_secret, uuid7
from app.inbox import service as inbox
from app.inbox.models import (
    Attachment,
    AttachmentData,
    Conversation,
    Message,
    ResidentAddress,
)
from app.listening import service as listening
from app.residents import service as residents
from app.text.names import one_line
from app.triage import service as triage

log = logging.getLogger(__name__)

TOKEN_CHARS = 16
MAX_ATTACHMENTS = 10
MAX_LINK_CHARS = 2000
CHAT_GOES_ON_MS = 7 * 24 * 3600 * 1000
"""How long after its last message a closed chat still goes on, instead of a new one beginning."""


MAX_NAME_CHARS = 200
MAX_SUBJECT_CHARS = 300
MAX_ANSWERED = 100
"""Of what a message says that it answers, the nearest are looked up."""

TEXTS = ("external_id", "address", "text", "quoted", "token", "link")
"""What of a message is text of somebody else's, next to her name and what it is about."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An incoming message whose photos were already checked and made again."""

    item: Incoming
    files: tuple[media.Stored, ...]
    notices: tuple[str, ...] = ()
    """What the channel or we could not keep whole."""


def prepare(item: Incoming, *, max_bytes: int) -> Prepared:
    """Check and re-encode what came along. Slow: run it on a thread, never in a transaction."""
    item = storable(item)
    files = [_store(file, max_bytes) for file in item.attachments[:MAX_ATTACHMENTS]]
    kept = tuple(file for file in files if file is not None)
    lost = ("attachments_dropped",) if len(kept) < len(item.attachments) else ()
    return Prepared(item, kept, tuple(dict.fromkeys((*item.notices, *lost))))


def storable(item: Incoming) -> Incoming:
    """Return a message without what no database keeps: a NUL, half a surrogate pair.

    JSON can spell both. What cannot be stored would be fetched again for ever, and all after it.
    """
    said: dict[str, Any] = {
        name: _kept(getattr(item, name)) for name in TEXTS if getattr(item, name)
    }
    return replace(
        item,
        sender_name=one_line(_kept(item.sender_name), MAX_NAME_CHARS),
        subject=one_line(_kept(item.subject), MAX_SUBJECT_CHARS),
        in_reply_to=tuple(map(_kept, item.in_reply_to[:MAX_ANSWERED])),
        **said,
    )


def storable_report(item: DeliveryReport) -> DeliveryReport:
    """Return a report without what no database keeps: somebody else names what it is about."""
    return replace(
        item,
        external_id=_kept(item.external_id) if item.external_id else None,
        token=_kept(item.token) if item.token else None,
    )


def _kept(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _store(file: IncomingAttachment, max_bytes: int) -> media.Stored | None:
    try:
        return media.store(file.content, file.media_type, file.name, max_bytes=max_bytes)
    except media.MediaError as error:
        log.info("an attachment was not kept: %s", error.code)
        return None
    except Exception as error:  # noqa: BLE001  (her words come in without it)
        log.warning("an attachment could not be looked at: %s", type(error).__name__)
        return None


Ready = Prepared | DeliveryReport


def prepare_all(items: Iterable[Incoming | DeliveryReport], *, max_bytes: int) -> list[Ready]:
    """Prepare what a channel brought, in its order; slow, as `prepare` is."""
    return [
        prepare(item, max_bytes=max_bytes) if isinstance(item, Incoming) else storable_report(item)
        for item in items
    ]


def take_all(session: Session, account: Account, ready: Sequence[Ready], *, now_ms: int) -> None:
    """Take in what a channel brought, fetched or called with, in its order."""
    for item in ready:
        if isinstance(item, DeliveryReport):
            take_report(session, account, item, now_ms=now_ms)
        elif listens(account.kind):
            listening.take(session, listening.Heard.at(account), item.item, now_ms=now_ms)
        else:
            take(session, account, item, now_ms=now_ms)


def take(session: Session, account: Account, prepared: Prepared, *, now_ms: int) -> str | None:
    """Take one message in; return its conversation's id, or None when it was known already."""
    item = prepared.item
    known = session.exec(
        select(Message).where(
            Message.account_id == account.id, Message.external_id == item.external_id
        )
    ).first()
    if item.kind != "new":
        return changed.follow(session, account, known, item, now_ms=now_ms)
    if known is not None:
        return None
    conversation = _belongs_to(session, account, item, now_ms) or _begin(
        session, account, item, now_ms
    )
    message_id = uuid7(now_ms)
    inbox.receive(
        session,
        conversation,
        inbox.Entry(
            id=message_id,
            direction="in",
            sender_name=item.sender_name or None,
            text=item.text[: inbox.MAX_TEXT_CHARS],
            quoted=item.quoted,
            external_id=item.external_id,
            account_id=account.id,
            sender_address=_from_elsewhere(conversation, item),
            notices=prepared.notices,
            public=item.public,
            link=_page(item.link),
            written_at_ms=min(item.sent_at_ms, now_ms),
            accepted_at_ms=now_ms,
        ),
        raw=item.raw,
    )
    window_s = capabilities_of(account.kind).reply_window_s
    if window_s is not None and conversation.account_id == account.id:
        until_ms = min(item.sent_at_ms, now_ms) + window_s * 1000
        conversation.answer_by_ms = max(conversation.answer_by_ms or 0, until_ms)
    flush_rows(session)
    trial.look_for_code(session, account, conversation, item, now_ms=now_ms)
    for file in prepared.files:
        keep_attachment(session, file, message_id=message_id, now_ms=now_ms)
    if not item.automatic:
        heard = triage.Heard(
            message_id, account.kind, item.text, subject=item.subject, name=item.sender_name
        )
        triage.consider(session, conversation, heard, now_ms=now_ms)
        told = residents.Heard(message_id, account.kind, item.text, name=item.sender_name)
        residents.notice(session, conversation, told, now_ms=now_ms)
    # The next message of this batch may answer this one.
    flush_rows(session)
    session.flush()
    return conversation.id


def _page(link: str) -> str | None:
    """Return the message's page on the platform; anything but https leads nowhere."""
    return link if link.startswith("https://") and len(link) <= MAX_LINK_CHARS else None


def _from_elsewhere(conversation: Conversation, item: Incoming) -> str | None:
    """Return the sender's address when answers go to another: a relative wrote, or a stranger."""
    known = conversation.address
    return item.address if item.address and item.address != known else None


def keep_attachment(session: Session, file: media.Stored, *, message_id: str, now_ms: int) -> None:
    """Store one checked file with its message."""
    attachment = Attachment(
        id=uuid7(now_ms),
        message_id=message_id,
        media_type=file.media_type,
        name=file.name,
        size_bytes=len(file.content),
        have_bytes=len(file.content),
        width=file.width,
        height=file.height,
        created_at_ms=now_ms,
    )
    session.add(attachment)
    session.flush()
    parts = {"full": file.content} | ({"thumb": file.thumb} if file.thumb else {})
    for part, content in parts.items():
        row = {"attachment_id": attachment.id, "part": part, "content": content}
        insert_later(session, AttachmentData, row)


def _belongs_to(
    session: Session, account: Account, item: Incoming, now_ms: int
) -> Conversation | None:
    """Find the conversation that this message answers: by its token, else by what it refers to.

    In a channel without threads, else the one that its sender is in already.
    """
    if item.token:
        query = select(Conversation).where(Conversation.token == item.token)
        found = session.exec(query.with_for_update()).first()
        if found is not None and found.erased_at_ms is None:
            return found
    for external_id in item.in_reply_to:
        message_id = session.exec(
            select(Delivery.message_id).where(
                Delivery.account_id == account.id, Delivery.external_id == external_id
            )
        ).first()
        by = (
            (Message.id == message_id)
            if message_id
            else (Message.account_id == account.id) & (Message.external_id == external_id)
        )
        query = (
            select(Conversation)
            .join(Message, col(Message.conversation_id) == col(Conversation.id))
            .where(by)
        )
        found = session.exec(query.with_for_update(of=Conversation)).first()
        if found is not None and found.erased_at_ms is None:
            return found
    if item.address and not capabilities_of(account.kind).threads:
        return _goes_on(session, account, item.address, now_ms)
    return None


def _goes_on(session: Session, account: Account, address: str, now_ms: int) -> Conversation | None:
    """Return the conversation that a chat is in the middle of; a chat has no subjects.

    Where there is none, the one of two processes that has the sender's address first begins it, and
    the other finds it there. Of somebody who was never here the address itself can only be written
    once.
    """
    query = (
        select(Conversation)
        .where(
            Conversation.account_id == account.id,
            Conversation.address == address,
            col(Conversation.erased_at_ms).is_(None),
            (Conversation.status != "closed")
            | (Conversation.activity_at_ms > now_ms - CHAT_GOES_ON_MS),
        )
        .order_by(col(Conversation.activity_at_ms).desc(), col(Conversation.id).desc())
        .limit(1)
    )
    found = session.exec(query.with_for_update()).first()
    if found is not None:
        return found
    known = select(ResidentAddress.id).where(
        ResidentAddress.channel == account.kind, ResidentAddress.address == address
    )
    if session.exec(known.with_for_update()).first() is None:
        return None
    return session.exec(query.with_for_update()).first()


def _begin(session: Session, account: Account, item: Incoming, now_ms: int) -> Conversation:
    resident = inbox.resident_at(
        session,
        account.kind,
        item.address,
        name=item.sender_name,
        kind=item.sender_kind,
        now_ms=now_ms,
    )
    return inbox.start(
        session,
        resident,
        conversation_id=uuid7(now_ms),
        account_id=account.id,
        subject=item.subject[:300],
        area=account.area or f"team:{account.team_id}",
        address=item.address or None,
        why_not="robot" if item.automatic else None if item.address else "no_address",
        token=new_secret()[:TOKEN_CHARS],
        now_ms=now_ms,
    )


def take_report(session: Session, account: Account, item: DeliveryReport, *, now_ms: int) -> bool:
    """Take the channel's later word on one of our replies; False when it is not about one."""
    if item.state == "delayed":
        return False
    external_id = item.external_id
    if external_id is None and item.token:
        external_id = session.exec(
            select(Delivery.external_id)
            .join(Message, col(Message.id) == col(Delivery.message_id))
            .join(Conversation, col(Conversation.id) == col(Message.conversation_id))
            .where(Conversation.token == item.token, Delivery.account_id == account.id)
            .order_by(col(Delivery.id).desc())
        ).first()
    if external_id is None:
        return False
    if item.state == "sent":
        delivery.seen_at_channel(session, account.id, external_id, now_ms=now_ms)
        return True
    error = item.code or "bounced"
    return delivery.report(session, account.id, external_id, item.state, now_ms=now_ms, error=error)
