"""What a browser sends from the resident's form: read with bounds, cleaned, checked."""

import re
import unicodedata
from dataclasses import dataclass, field

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from app.channels.web import MAX_CHARS
from app.channels.web_service import Question
from app.channels.web_spam import TRAP
from app.errors import BadRequest

MAX_NAME_CHARS = 100
MAX_PLACE_CHARS = 200
MAX_EMAIL_CHARS = 254
MAX_FIELDS = 20
MAX_FIELD_BYTES = 200_000
"""More than a pasted page of text, so that what is too long can be shown again to be cut."""

# Deliberately wide: whether the address exists, only a mail to it can tell.
_EMAIL = re.compile(
    r"[^\s@<>\"(),:;\[\]\\]{1,64}@[^\s@<>\"(),:;\[\]\\.]+(\.[^\s@<>\"(),:;\[\]\\.]+)+"
)


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong: what it is about (a field, "" for the whole), and the sentence."""

    about: str
    key: str
    values: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as it came in. `photo` is at most one byte longer than is allowed."""

    question: Question
    stamp: str
    trap: str
    photo: bytes
    photo_name: str


async def read(request: Request, max_photo_bytes: int) -> Sent:
    """Read a form. Raises BadRequest when it is none, or has more fields than we ever made."""
    try:
        async with request.form(
            max_files=2, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
        ) as form:
            photo = form.get("photo")
            content, name = b"", ""
            if isinstance(photo, UploadFile):
                content, name = await photo.read(max_photo_bytes + 1), photo.filename or ""
            question = Question(
                text=_text(form, "question"),
                name=_line(form, "name"),
                email=_line(form, "email"),
                place=_line(form, "place"),
                urgent=_line(form, "urgent") == "1",
            )
            return Sent(question, _line(form, "stamp"), _line(form, TRAP), content, name)
    except (HTTPException, ValueError, KeyError, LookupError):
        raise BadRequest from None


def check(question: Question) -> list[Wrong]:
    """Return what is wrong with what was typed, in the order of the form."""
    wrong = []
    if not question.text:
        wrong.append(Wrong("question", "wrong.empty"))
    elif len(question.text) > MAX_CHARS:
        values: dict[str, object] = {"most": MAX_CHARS, "have": len(question.text)}
        wrong.append(Wrong("question", "wrong.too_long", values))
    if len(question.place) > MAX_PLACE_CHARS:
        wrong.append(Wrong("place", "wrong.place", {"most": MAX_PLACE_CHARS}))
    if len(question.name) > MAX_NAME_CHARS:
        wrong.append(Wrong("name", "wrong.name", {"most": MAX_NAME_CHARS}))
    if question.email and not is_email(question.email):
        wrong.append(Wrong("email", "wrong.email"))
    return wrong


def is_email(text: str) -> bool:
    """Say whether this looks like one e-mail address, and nothing that a mail header would mind."""
    return len(text) <= MAX_EMAIL_CHARS and _EMAIL.fullmatch(text) is not None


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    if not isinstance(value, str):
        return ""
    lines = value.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in lines if c == "\n" or _prints(c)).strip()


def _line(form: FormData, name: str) -> str:
    return " ".join(_text(form, name).split())


def _prints(c: str) -> bool:
    """Say whether a character belongs in a text: no controls, no halves of a pair."""
    return c == "\t" or unicodedata.category(c) not in {"Cc", "Cs"}
