"""The minutes of a meeting: what was asked, answered and promised, as a page and as a PDF."""

import asyncio
import base64
import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from fastapi import Request, Response
from sqlmodel import Session, col, func, select

from app import i18n, web
from app.accounts.models import Area, Person
from app.errors import NotFound, Unavailable
from app.inbox import attachments
from app.inbox.models import Attachment, AttachmentData
from app.meetings import words  # noqa: F401 - importing it adds its words
from app.meetings.models import Meeting, MeetingAttendee, MeetingPromise, MeetingQuestion

PDF_TIMEOUT_S = 60
MOST_PICTURES = 40
"""How many photos the PDF has, small; the page has all of them."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question as the minutes tell it; who asked is not told."""

    number: int
    id: str
    text: str
    topic: str
    agenda: str
    fate: str
    fate_text: str
    support: int
    photos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vow:
    """One promise: what, by whom, before when."""

    text: str
    owner: str
    due_at_ms: int
    kept: bool
    about: int | None


@dataclass(frozen=True, slots=True)
class Minutes:
    """Everything that the minutes tell. Organisations are named, residents are counted."""

    id: str
    code: str
    title: str
    area: str
    place: str
    starts_at_ms: int
    hosts: tuple[str, ...]
    agenda: tuple[str, ...]
    heads: int | None
    organisations: tuple[str, ...]
    counts: dict[str, int]
    items: list[Item] = field(default_factory=list)
    vows: list[Vow] = field(default_factory=list)


def gather(session: Session, meeting_id: str) -> Minutes:
    """Return the minutes as they stand now; what was hidden is counted, not told."""
    meeting = session.get_one(Meeting, meeting_id)
    area = session.get(Area, meeting.area)
    query = select(MeetingQuestion).where(MeetingQuestion.meeting_id == meeting_id)
    order = (col(MeetingQuestion.asked_at_ms), col(MeetingQuestion.id))
    asked = session.exec(query.order_by(*order)).all()
    told = [one for one in asked if one.moderation == "shown"]
    unseen = sum(one.moderation == "waiting" for one in asked)
    items = [_item(number, one, meeting) for number, one in enumerate(told, 1)]
    number_of = {item.id: item.number for item in items}
    people = set(meeting.hosts)
    named = select(Person.id, Person.name).where(col(Person.id).in_(people))
    names = dict(session.exec(named).all())
    counts = dict.fromkeys(("open", "answered", "later", "handed", "dropped"), 0)
    for one in told:
        counts[one.fate] += 1
    return Minutes(
        id=meeting.id,
        code=meeting.code,
        title=meeting.title,
        area=area.name if area else meeting.area,
        place=meeting.place,
        starts_at_ms=meeting.starts_at_ms,
        hosts=tuple(names[host] for host in meeting.hosts if host in names),
        agenda=tuple(meeting.agenda),
        heads=meeting.headcount,
        organisations=_organisations(session, meeting_id),
        counts=counts | {"hidden": len(asked) - len(told) - unseen, "unseen": unseen},
        items=items,
        vows=_vows(session, meeting_id, number_of),
    )


def _item(number: int, one: MeetingQuestion, meeting: Meeting) -> Item:
    known = one.agenda_item is not None and one.agenda_item < len(meeting.agenda)
    return Item(
        number=number,
        id=one.id,
        text=one.text,
        topic=one.topic,
        agenda=meeting.agenda[one.agenda_item or 0] if known else "",
        fate=one.fate,
        fate_text=one.fate_text,
        support=one.support,
        photos=tuple(one.photos),
    )


def _organisations(session: Session, meeting_id: str) -> tuple[str, ...]:
    query = select(MeetingAttendee.organisation).where(
        MeetingAttendee.meeting_id == meeting_id, MeetingAttendee.organisation != ""
    )
    return tuple(sorted(set(session.exec(query))))


def _vows(session: Session, meeting_id: str, number_of: dict[str, int]) -> list[Vow]:
    query = (
        select(MeetingPromise, func.coalesce(Person.name, ""))
        .join(Person, col(Person.id) == col(MeetingPromise.owner_id), isouter=True)
        .where(MeetingPromise.meeting_id == meeting_id)
        .order_by(col(MeetingPromise.due_at_ms), col(MeetingPromise.id))
    )
    return [
        Vow(
            text=made.text,
            owner=owner,
            due_at_ms=made.due_at_ms,
            kept=made.kept_at_ms is not None,
            about=number_of.get(made.question_id or ""),
        )
        for made, owner in session.exec(query)
    ]


def photo(session: Session, meeting_id: str, attachment_id: str) -> tuple[Attachment, bytes] | None:
    """Return a photo of a question that the minutes tell of."""
    query = select(MeetingQuestion.photos).where(
        MeetingQuestion.meeting_id == meeting_id, MeetingQuestion.moderation == "shown"
    )
    if not any(attachment_id in photos for photos in session.exec(query)):
        return None
    found = session.get(Attachment, attachment_id)
    data = session.get(AttachmentData, (attachment_id, "full"))
    return (found, data.content) if found is not None and data is not None else None


async def answer_photo(request: Request, meeting_id: str, attachment_id: str) -> Response:
    """Answer with a photo of the minutes. Raises NotFound."""
    found = await request.app.state.db.read(
        lambda session: photo(session, meeting_id, attachment_id)
    )
    if found is None:
        raise NotFound
    return attachments.answer(*found)


def _pictures(session: Session, told: Minutes) -> dict[str, str]:
    """Return the photos that the PDF shows, small, as base64 by their ids."""
    wanted = [one for item in told.items for one in item.photos][:MOST_PICTURES]
    query = select(AttachmentData.attachment_id, AttachmentData.content).where(
        col(AttachmentData.attachment_id).in_(wanted), AttachmentData.part == "thumb"
    )
    return {
        one: base64.b64encode(content).decode() for one, content in session.exec(query) if content
    }


async def answer_pdf(request: Request, meeting_id: str) -> Response:
    """Answer with the minutes as a PDF in the reader's language."""
    told, pictures = await request.app.state.db.read(
        lambda session: (told := gather(session, meeting_id), _pictures(session, told))
    )
    language = web.language_of(request)
    municipality = request.app.state.settings.municipality
    made = await typeset(written_out(told, language, municipality, pictures))
    name = f"verslag-{told.code.lower()}.pdf" if language == "nl" else f"minutes-{told.code}.pdf"
    return Response(
        made,
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Robots-Tag": "noindex, nofollow",
        },
    )


def written_out(
    told: Minutes, language: str, municipality: str, pictures: dict[str, str]
) -> dict[str, Any]:
    """Return the minutes with every word that the PDF says, so that the typesetter knows none."""

    def say(key: str, **values: object) -> str:
        return i18n.say(language, f"minutes.{key}", **values)

    facts = [
        [say("when"), i18n.moment(language, told.starts_at_ms, 0)],
        [say("place"), told.place],
        [say("area"), told.area],
        [say("hosts"), ", ".join(told.hosts)],
        [say("heads"), "" if told.heads is None else str(told.heads)],
        [say("organisations"), ", ".join(told.organisations)],
    ]
    return {
        "language": language,
        "municipality": municipality,
        "title": say("title", title=told.title),
        "facts": [fact for fact in facts if fact[1]],
        "agenda": list(told.agenda),
        "agenda_title": say("agenda"),
        "summary": summary(told, language),
        "questions_title": say("questions"),
        "none": say("no_questions"),
        "questions": [
            asdict(item)
            | {
                "fate_word": i18n.say(language, f"fate.{item.fate}"),
                "support_word": say("support", n=item.support) if item.support else "",
                "pictures": [
                    {"jpeg": pictures[one], "alt": say("photo", n=item.number)}
                    for one in item.photos
                    if one in pictures
                ],
            }
            for item in told.items
        ],
        "promises_title": say("promises"),
        "no_promises": say("no_promises"),
        "promise_heads": [say("what"), say("who"), say("due"), say("about")],
        "promises": [
            [
                vow.text,
                vow.owner,
                i18n.day(language, vow.due_at_ms) + (f" ({say('kept')})" if vow.kept else ""),
                say("question_number", n=vow.about) if vow.about else "–",
            ]
            for vow in told.vows
        ],
    }


def summary(told: Minutes, language: str) -> str:
    """Return in one sentence what became of the questions, hidden ones included."""
    said = i18n.say(language, "minutes.summary", total=len(told.items), **told.counts)
    for what in ("hidden", "unseen"):
        if told.counts[what]:
            said += " " + i18n.say(language, f"minutes.{what}", n=told.counts[what])
    return said


async def typeset(said: dict[str, Any]) -> bytes:
    """Return a tagged PDF; a process of its own makes it, so that its memory leaves with it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app.meetings.pdf",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PDF_TIMEOUT_S):
            made, _ = await process.communicate(json.dumps(said).encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise Unavailable("The PDF took too long.") from None
    if process.returncode != 0:
        raise Unavailable("The PDF could not be made.")
    return made
