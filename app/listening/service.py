"""What was heard: kept for a while, made a conversation by a tap, or silenced at its source.

None of these functions asks who may do it: that is the caller's to know.
"""

from dataclasses import dataclass

from sqlmodel import Session, col, delete, select

from app.channels.contract import Incoming
from app.channels.models import Account
from app.db import flush_rows
from app.ids import new_secret, uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation, Message
from app.listening.models import Hit, Muted
from app.residents import service as residents

KEEP_MS = 30 * 24 * 3600 * 1000
"""How long is kept what people said to others than us; what became a conversation stays there."""

MAX_TITLE_CHARS = 300
MAX_NAME_CHARS = 200
MAX_LINK_CHARS = 2_000
TOKEN_CHARS = 16


@dataclass(frozen=True, slots=True)
class Heard:
    """Where something was heard, and for whom."""

    account_id: str
    scope: str
    source: str
    """What a mute silences when the writer has no address."""

    @classmethod
    def at(cls, account: Account) -> "Heard":
        """Return this for an account of which everything is listened to."""
        scope = account.area or f"team:{account.team_id}"
        return cls(account.id, scope, f"account:{account.id}")


def take(session: Session, heard: Heard, item: Incoming, *, now_ms: int) -> str | None:
    """Keep one item; return its id, or None when it was known, is old, or its source is muted."""
    query = select(Hit).where(
        Hit.scope == heard.scope,
        Hit.account_id == heard.account_id,
        Hit.external_id == item.external_id,
    )
    known = session.exec(query).first()
    if known is not None:
        _follow(session, known, item)
        return None
    source = f"{heard.account_id}:{item.address}" if item.address else heard.source
    if item.kind == "delete" or item.sent_at_ms < now_ms - KEEP_MS:
        return None
    muted = select(Muted.id).where(Muted.scope == heard.scope, Muted.source == source[:500])
    if session.exec(muted).first() is not None:
        return None
    said_at_ms = min(item.sent_at_ms, now_ms)
    hit = Hit(
        id=uuid7(said_at_ms),  # in the order in which things were said: the list is read by it
        scope=heard.scope,
        account_id=heard.account_id,
        external_id=item.external_id,
        source=source[:500],
        title=item.subject[:MAX_TITLE_CHARS],
        text=item.text[: inbox.MAX_TEXT_CHARS],
        author=item.sender_name[:MAX_NAME_CHARS],
        address=item.address,
        link=_page(item.link),
        said_at_ms=said_at_ms,
        heard_at_ms=now_ms,
    )
    session.add(hit)
    session.flush()
    return hit.id


def _page(link: str) -> str:
    """Return the item's page; anything but https leads nowhere."""
    return link if link.startswith("https://") and len(link) <= MAX_LINK_CHARS else ""


def _follow(session: Session, hit: Hit, item: Incoming) -> None:
    """Follow an edit or a deletion; what became a conversation is no longer kept here."""
    if hit.conversation_id is not None:
        return
    if item.kind == "delete":
        session.delete(hit)
    elif item.kind == "edit":
        hit.title, hit.text = item.subject[:MAX_TITLE_CHARS], item.text[: inbox.MAX_TEXT_CHARS]
    session.flush()


def forget(session: Session, *, now_ms: int) -> None:
    """Drop what was heard long ago and led to nothing."""
    old = delete(Hit).where(
        col(Hit.heard_at_ms) < now_ms - KEEP_MS, col(Hit.conversation_id).is_(None)
    )
    session.exec(old)


def adopt(
    session: Session,
    hit: Hit,
    account: Account,
    *,
    conversation_id: str,
    can_reply: bool,
    now_ms: int,
) -> Conversation | None:
    """Make a conversation of what was heard; None when it is one already.

    It is answered where it was said, when the channel can; else by hand.
    """
    if hit.conversation_id is not None:
        return None
    known = session.exec(
        select(Message.conversation_id).where(
            Message.account_id == account.id, Message.external_id == hit.external_id
        )
    ).first()
    if known is not None:  # it was said to us as well, and came in by itself
        _became(hit, known)
        return None
    reachable = can_reply and bool(hit.address)
    if hit.address:
        resident = inbox.resident_at(
            session, account.kind, hit.address, name=hit.author, kind="resident", now_ms=now_ms
        )
    else:
        resident = inbox.new_resident(session, name=hit.author, kind="organisation", now_ms=now_ms)
    session.flush()
    conversation = inbox.start(
        session,
        resident,
        conversation_id=conversation_id,
        account_id=account.id,
        subject=hit.title,
        area=hit.scope,
        address=hit.address if reachable else None,
        why_not=None if reachable else "by_hand",
        token=new_secret()[:TOKEN_CHARS],
        now_ms=now_ms,
    )
    message_id = uuid7(now_ms)
    inbox.receive(
        session,
        conversation,
        inbox.Entry(
            id=message_id,
            direction="in",
            sender_name=hit.author or None,
            text=hit.text,
            public=True,
            link=hit.link or None,
            external_id=hit.external_id,
            account_id=account.id,
            notices=("overheard",),
            written_at_ms=hit.said_at_ms,
            accepted_at_ms=now_ms,
        ),
    )
    flush_rows(session)
    told = residents.Heard(message_id, account.kind, hit.text, name=hit.author)
    residents.notice(session, conversation, told, now_ms=now_ms)
    _became(hit, conversation.id)
    return conversation


def _became(hit: Hit, conversation_id: str) -> None:
    """Keep only that it is a conversation: what is erased there must not stay here."""
    hit.conversation_id = conversation_id
    hit.title = hit.text = hit.author = hit.address = hit.link = ""


def mute(session: Session, hit: Hit, *, by: str, now_ms: int) -> None:
    """Stop listening to where this came from, in its area; nothing is thrown away."""
    known = select(Muted).where(Muted.scope == hit.scope, Muted.source == hit.source)
    if session.exec(known).first() is None:
        label = hit.author or hit.address or hit.title
        session.add(
            Muted(
                id=uuid7(now_ms),
                scope=hit.scope,
                source=hit.source,
                label=label[:MAX_NAME_CHARS],
                muted_by=by,
                muted_at_ms=now_ms,
            )
        )
        session.flush()
