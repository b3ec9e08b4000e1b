"""What the resident's form and page do: find the form, take a message in once, show the talk.

Works inside the caller's transaction.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from app import media
from app.accounts.models import Area, TeamArea
from app.channels import intake
from app.channels.models import Account
from app.db import flush_rows
from app.delivery import erasure
from app.delivery import service as delivery
from app.delivery.models import Delivery
from app.ids import fingerprint, uuid7
from app.inbox import by_resident
from app.inbox import service as inbox
from app.inbox.models import Attachment, AttachmentData, Conversation, Message
from app.meetings import erasure as meetings
from app.residents import service as residents
from app.triage import service as triage

SUBJECT_CHARS = 80
VISIBLE = ("sent", "delivered")


@dataclass(frozen=True, slots=True)
class Form:
    """One area's form: where it lands; `mails` when its team can mail of an answer."""

    area: str
    name: str
    account_id: str
    mails: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What a resident typed, cleaned and within bounds."""

    text: str
    name: str = ""
    email: str = ""
    place: str = ""
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A photo or file with a message, by the id under which the page shows it."""

    id: str
    name: str
    alt: str
    photo: bool
    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True)
class Shown:
    """One message as the resident sees it; notes and events never come here."""

    id: str
    ours: bool
    text: str
    at_ms: int
    erased: bool
    files: list[File] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Page:
    """A conversation as its resident sees it. `version` changes with anything on it."""

    conversation_id: str
    account_id: str
    area_name: str
    status: str
    place: str | None
    email: str | None
    mailed: bool
    rating: int | None
    erased: bool
    answered: bool
    unseen: bool
    messages: list[Shown]
    version: str


def forms(session: Session) -> list[Form]:
    """Return the forms that are open, by the name of their area.

    An area has a form when some team answers for it and a web account takes its questions: the
    area's own account, else the team's, else one for the whole municipality.
    """
    accounts = session.exec(
        select(Account).where(Account.kind == "web", col(Account.enabled)).order_by(col(Account.id))
    ).all()
    teams: dict[str, set[str]] = {}
    for link in session.exec(select(TeamArea)):
        teams.setdefault(link.area, set()).add(link.team_id)
    mailing = _mailing(session)
    areas = session.exec(select(Area).order_by(col(Area.name), col(Area.code))).all()
    found = []
    for area in areas:
        account = _account_for(area.code, teams.get(area.code, set()), accounts)
        if account is not None:
            mails = account.team_id in mailing
            found.append(Form(area.code, area.name, account.id, mails))
    return found


def _mailing(session: Session) -> set[str]:
    """Return the teams that have a mailbox to tell of an answer."""
    query = select(Account.team_id).where(Account.kind == "email", col(Account.enabled))
    return set(session.exec(query).all())


def _account_for(area: str, teams: set[str], accounts: Sequence[Account]) -> Account | None:
    own = [account for account in accounts if account.area == area]
    if own or not teams:
        return own[0] if own else None
    wide = [account for account in accounts if account.area is None]
    return next((a for a in wide if a.team_id in teams), wide[0] if wide else None)


def form_of(session: Session, asked: str) -> Form | None:
    """Return the form of an area by its code (`WK001405`) or its name (`paddepoel`)."""
    wanted = slug(asked)
    found = forms(session)
    by_code = next((form for form in found if form.area.lower() == wanted), None)
    return by_code or next((form for form in found if slug(form.name) == wanted), None)


def slug(name: str) -> str:
    """Return a name as it can stand in an address: `Oud-Zuid` is `oud-zuid`."""
    plain = unicodedata.normalize("NFKD", name[:200]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def external_id(form_id: str, question: Question, photo: bytes) -> str:
    """Return the name of a message: the form it came on and what stood in it.

    The same form sent twice is one message. A form that was sent, changed and sent again (the back
    button) is a second one: nothing that was typed is lost.
    """
    parts = [question.text, question.name, question.email, question.place]
    said = "\x00".join(parts + ["urgent"] * question.urgent).encode()
    digest = hashlib.sha256(said + b"\x00" + hashlib.sha256(photo).digest()).hexdigest()
    return f"{form_id}.{digest[:16]}"


def known(session: Session, account_id: str, message: str) -> bool:
    """Say whether this message was taken in before."""
    query = select(Message.id).where(
        Message.account_id == account_id, Message.external_id == message
    )
    return session.exec(query).first() is not None


def submit(
    session: Session,
    form: Form,
    question: Question,
    photos: list[media.Stored],
    *,
    form_id: str,
    message: str,
    secret: str,
    now_ms: int,
) -> str | None:
    """Begin the conversation of this form, or add to it when the form was sent before, changed.

    Returns the conversation's id, or None when this very message was there already.
    """
    if known(session, form.account_id, message):
        return None
    conversation = find(session, secret, lock=True)
    if conversation is None:
        conversation = _begin(session, form, question, form_id, secret, now_ms)
    if conversation.erased_at_ms is None:
        _take(session, conversation, question, photos, message, now_ms)
    return conversation.id


def _begin(
    session: Session, form: Form, question: Question, form_id: str, secret: str, now_ms: int
) -> Conversation:
    email = question.email.lower()
    if email:
        # Anybody can type an address: that she is who mails from it is only ever suggested.
        resident = inbox.resident_at(
            session, "web", email, name=question.name, kind="resident", now_ms=now_ms
        )
    else:
        resident = inbox.new_resident(session, name=question.name, kind="resident", now_ms=now_ms)
    session.flush()
    return inbox.start(
        session,
        resident,
        conversation_id=form_id,
        account_id=form.account_id,
        subject=_subject(question.text),
        area=form.area,
        # Who left no address is reached on her own page, which is named by the conversation.
        address=email or form_id,
        why_not=None,
        place=question.place or None,
        secret_fingerprint=fingerprint(secret),
        now_ms=now_ms,
    )


def _subject(text: str) -> str:
    """Return the first words of a question, cut between words."""
    line = " ".join(text.split())
    if len(line) <= SUBJECT_CHARS:
        return line
    return line[:SUBJECT_CHARS].rpartition(" ")[0].rstrip(" ,;:") + "…"


def write_again(
    session: Session,
    secret: str,
    question: Question,
    photos: list[media.Stored],
    *,
    message: str,
    now_ms: int,
) -> bool:
    """Add what the resident wrote on her page, once; False when there is no such page any more."""
    conversation = find(session, secret, lock=True)
    if conversation is None or conversation.erased_at_ms is not None:
        return False
    if not known(session, conversation.account_id, message):
        _take(session, conversation, question, photos, message, now_ms)
    return True


def _take(
    session: Session,
    conversation: Conversation,
    question: Question,
    photos: list[media.Stored],
    message: str,
    now_ms: int,
) -> None:
    message_id = uuid7(now_ms)
    entry = inbox.Entry(
        id=message_id,
        direction="in",
        sender_name=question.name or None,
        text=question.text,
        event={"what": "ticked", "from": None, "to": None} if question.urgent else None,
        external_id=message,
        written_at_ms=now_ms,
        accepted_at_ms=now_ms,
    )
    inbox.receive(session, conversation, entry)
    flush_rows(session)
    for photo in photos:
        intake.keep_attachment(session, photo, message_id=message_id, now_ms=now_ms)
    heard = triage.Heard(
        message_id, "web", question.text, name=question.name, ticked=question.urgent
    )
    triage.consider(session, conversation, heard, now_ms=now_ms)
    told = residents.Heard(message_id, "web", question.text, name=question.name)
    residents.notice(session, conversation, told, now_ms=now_ms)


def find(session: Session, secret: str, *, lock: bool = False) -> Conversation | None:
    """Return the conversation whose page this secret opens."""
    query = select(Conversation).where(Conversation.secret_fingerprint == fingerprint(secret))
    return session.exec(query.with_for_update() if lock else query).first()


def page(session: Session, secret: str) -> Page | None:
    """Return what the resident sees: her messages, and ours as soon as they were sent."""
    conversation = find(session, secret)
    if conversation is None:
        return None
    area = session.get(Area, conversation.area)
    rows = session.exec(
        select(Message)
        .where(
            Message.conversation_id == conversation.id,
            col(Message.direction).in_(["in", "out"]),
        )
        .order_by(col(Message.position))
    ).all()
    ids = [row.id for row in rows]
    states = {
        sent.message_id: sent.state
        for sent in session.exec(
            select(Delivery).where(
                col(Delivery.message_id).in_(ids), col(Delivery.notice).is_(False)
            )
        )
    }
    files: dict[str, list[File]] = {}
    for one in session.exec(
        select(Attachment).where(col(Attachment.message_id).in_(ids)).order_by(col(Attachment.id))
    ):
        photo = media.is_photo(one.media_type, one.width)
        files.setdefault(str(one.message_id), []).append(
            File(one.id, one.name, one.alt, photo, one.width, one.height)
        )
    seen = [row for row in rows if row.direction == "in" or states.get(row.id) in VISIBLE]
    shown = [
        Shown(
            id=row.id,
            ours=row.direction == "out",
            text=row.text,
            at_ms=row.accepted_at_ms,
            erased=row.erased_at_ms is not None,
            files=files.get(row.id, []),
        )
        for row in seen
    ]
    said = f"{conversation.status} {conversation.erased_at_ms} {[row.id for row in seen]}"
    address = conversation.address
    return Page(
        conversation_id=conversation.id,
        account_id=conversation.account_id,
        area_name=area.name if area else "",
        status=conversation.status,
        place=conversation.place,
        email=address if address and "@" in address else None,
        mailed=session.get_one(Account, conversation.account_id).team_id in _mailing(session),
        rating=conversation.rating,
        erased=conversation.erased_at_ms is not None,
        answered=any(one.ours for one in shown),
        unseen=any(states.get(row.id) == "sent" for row in seen),
        messages=shown,
        version=hashlib.sha256(said.encode()).hexdigest()[:16],
    )


def opened(session: Session, conversation_id: str, *, now_ms: int) -> None:
    """Write down that what was sent is on her screen."""
    delivery.delivered(session, conversation_id, now_ms=now_ms)


def photo(
    session: Session, secret: str, attachment_id: str, part: str
) -> tuple[Attachment, bytes] | None:
    """Return one file of this conversation that the page shows, with its bytes."""
    shown = page(session, secret)
    if shown is None or not any(
        one.id == attachment_id for message in shown.messages for one in message.files
    ):
        return None
    attachment = session.get_one(Attachment, attachment_id)
    data = session.get(AttachmentData, (attachment_id, part))
    return (attachment, data.content) if data else None


def rate(session: Session, secret: str, rating: int) -> bool:
    """Keep the resident's verdict; False when there is no such page any more."""
    conversation = find(session, secret, lock=True)
    if conversation is None or conversation.erased_at_ms is not None:
        return False
    by_resident.rate(session, conversation, rating)
    return True


def erase(session: Session, secret: str, *, now_ms: int) -> bool:
    """Erase the conversation and stop what is still on its way; False when there is none."""
    conversation = find(session, secret, lock=True)
    if conversation is None:
        return False
    residents.forget(session, conversation)
    if by_resident.erase(session, conversation, now_ms=now_ms):
        erasure.forget(session, conversation.id, now_ms=now_ms)
        triage.forget(session, conversation)
        meetings.forget(session, conversation.id)
    return True


def masked(email: str) -> str:
    """Return an e-mail address by which only its owner knows it: `a…@voorbeeld.nl`."""
    name, _, host = email.partition("@")
    return f"{name[:1]}…@{host}"
