"""The minutes: a page and a PDF that tell every question's fate, mailed once to who asked."""

import zlib
from typing import Any

import pytest
from sqlmodel import select

from app.delivery.models import Delivery
from app.ids import uuid7
from app.meetings.pdf import make
from tests.meetings.evening import DAY_MS, Evening
from tests.support.neighbourhood import Neighbourhood
from tests.support.visitor import photo
from tests.sync.phone import sign_in

MAIL = "mevrouw@voorbeeld.example"


@pytest.fixture
def hall(neighbourhood: Neighbourhood) -> Evening:
    """A meeting that is over: an answer, a promise, something hidden."""
    made = Evening(neighbourhood.town)
    made.plan()
    made.state("open")
    asked = made.ask(
        "Komt de bank terug?",
        name="De Boer",
        email=MAIL,
        keep=True,
        answer_by="email",
        minutes=True,
    )
    made.fate(asked["question"], "answered", "Ja, in maart.")
    made.do(
        "promise",
        about=asked["conversation"],
        meeting=made.id,
        question=asked["question"],
        text="De bank komt terug.",
        owner=made.town.bram.person_id,
        due_at_ms=made.town.now_ms + 7 * DAY_MS,
    )
    hidden = made.ask("Scheldwoord")
    made.moderate(hidden["question"], "hidden", "Beleefd blijven")
    made.ask("Nog open?", minutes=True)
    made.do(
        "attend", meeting=made.id, organisation="Wijkraad", email="raad@x.example", minutes=True
    )
    made.do("headcount", meeting=made.id, heads=83)
    made.state("closed")
    return made


async def gives_out(neighbourhood: Neighbourhood, hall: Evening) -> dict[str, Any]:
    """Let Anna give the minutes out."""
    async with sign_in(neighbourhood.app, neighbourhood.town.anna) as anna:
        answer = await anna.post(f"/api/v1/meetings/{hall.id}/minutes")
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def mailed(neighbourhood: Neighbourhood) -> list[str]:
    """Return to whom a mail was queued."""
    return sorted(
        neighbourhood.town.db.read_now(
            lambda session: session.exec(select(Delivery.recipient)).all()
        )
    )


async def test_who_asked_for_them_is_mailed_once(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    neighbourhood.opens_mailbox()
    assert await gives_out(neighbourhood, hall) | {"url": ""} == {
        "mailed": 2,
        "wanted": 2,
        "mailbox": True,
        "url": "",
    }
    assert (await gives_out(neighbourhood, hall))["mailed"] == 0
    assert mailed(neighbourhood) == [MAIL, "raad@x.example"]
    hall.do("attend", meeting=hall.id, name="Te laat", email="laat@x.example", minutes=True)
    assert (await gives_out(neighbourhood, hall))["mailed"] == 1


async def test_a_team_without_a_mailbox_is_told_so_and_the_page_is_there(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    said = await gives_out(neighbourhood, hall)
    assert (said["mailed"], said["wanted"], said["mailbox"]) == (0, 2, False)
    page = await neighbourhood.resident.get(f"/m/{hall.meeting().code}/minutes")
    assert page.status_code == 200
    # A mailbox that comes later mails those who still wait.
    neighbourhood.opens_mailbox()
    assert (await gives_out(neighbourhood, hall))["mailed"] == 2


async def test_the_page_tells_every_fate_and_nobodys_name(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    await gives_out(neighbourhood, hall)
    text = (await neighbourhood.resident.get(f"/m/{hall.meeting().code}/minutes")).text
    for said in (
        "Komt de bank terug?",
        "Ja, in maart.",
        "Nog open?",
        "De bank komt terug.",
        "Bram",
        "Wijkraad",
        "83",
        "Beantwoord: 1",
        "Niet getoond: 1",
    ):
        assert said in text, said
    for never in ("De Boer", MAIL, "Scheldwoord", "raad@x.example"):
        assert never not in text, never


async def test_photos_of_what_the_hall_saw_stand_in_the_minutes_and_no_others(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    picture = photo()
    sent = []
    async with sign_in(neighbourhood.app, neighbourhood.town.anna) as anna:
        for _ in range(2):
            sent.append(uuid7())
            put = await anna.put(
                f"/api/v1/uploads/{sent[-1]}",
                params={"offset": 0, "size": len(picture), "type": "image/jpeg"},
                content=picture,
            )
            assert put.status_code == 200, put.text
    seen, hidden = sent
    assert hall.ask("Deze tegel", attachments=[seen])["outcome"] == "applied"
    asked = hall.ask("Deze buurman", attachments=[hidden])
    hall.moderate(asked["question"], "hidden", "Herkenbaar")
    path = f"/m/{hall.meeting().code}/photo"
    assert (await neighbourhood.resident.get(f"{path}/{seen}")).status_code == 404
    await gives_out(neighbourhood, hall)
    page = await neighbourhood.resident.get(f"/m/{hall.meeting().code}/minutes")
    assert f"{path}/{seen}" in page.text
    assert hidden not in page.text
    shown = await neighbourhood.resident.get(f"{path}/{seen}")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    assert (await neighbourhood.resident.get(f"{path}/{hidden}")).status_code == 404
    made = await neighbourhood.resident.get(f"/m/{hall.meeting().code}/minutes.pdf")
    objects = unpacked(made.content)
    assert objects.count(b"/DCTDecode") == 1
    assert b"Foto bij vraag 3" in objects
    assert b"pdfuaid" in objects


async def test_before_they_are_given_out_only_colleagues_read_them(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    code = hall.meeting().code
    for path in (f"/m/{code}/minutes", f"/m/{code}/minutes.pdf"):
        assert (await neighbourhood.resident.get(path)).status_code == 404
    async with sign_in(neighbourhood.app, neighbourhood.town.bram) as bram:
        page = await bram.get(f"/minutes/{hall.id}")
    assert "Ja, in maart." in page.text


async def test_the_pdf_is_tagged_and_has_its_language(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    await gives_out(neighbourhood, hall)
    answer = await neighbourhood.resident.get(f"/m/{hall.meeting().code}/minutes.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    objects = unpacked(answer.content)
    assert b"StructTreeRoot" in objects
    assert b"/Lang" in objects
    assert b"pdfuaid" in objects


def test_what_was_typed_is_never_read_as_markup_and_any_letter_is_set() -> None:
    hostile = '#panic("x") #read("/etc/passwd") *a* $b$ \\ ] 日本 😀'
    said = (
        '{"language": "nl", "municipality": "G", "title": %(x)s, "facts": [["a", %(x)s]],'
        ' "agenda": [%(x)s], "agenda_title": "A", "summary": %(x)s, "questions_title": "V",'
        ' "none": "", "questions": [{"number": 1, "text": %(x)s, "agenda": %(x)s, "topic": "",'
        ' "support_word": "", "fate_word": "B", "fate_text": %(x)s}], "promises_title": "T",'
        ' "no_promises": "", "promise_heads": ["a", "b", "c", "d"],'
        ' "promises": [[%(x)s, "b", "c", "d"]]}'
    )
    import json

    made = make(said % {"x": json.dumps(hostile)})
    assert b"StructTreeRoot" in unpacked(made)


def unpacked(pdf: bytes) -> bytes:
    """Return a PDF with its compressed streams opened."""
    found = [pdf]
    for piece in pdf.split(b"stream\n")[1:]:
        body = piece.partition(b"\nendstream")[0]
        try:
            found.append(zlib.decompress(body))
        except zlib.error:
            continue
    return b"".join(found)
