"""The hall on its own phones: asks once, supports once, follows its question, reaches no more."""

import re

import pytest
from sqlmodel import col, update

from app.channels.models import Account
from app.meetings.policy import PER_PHONE
from tests.meetings.evening import Evening
from tests.support.neighbourhood import Neighbourhood
from tests.support.visitor import Visitor

PATIENCE_S = 20


@pytest.fixture
def hall(neighbourhood: Neighbourhood) -> Evening:
    """A meeting that is open, in a town whose application runs."""
    made = Evening(neighbourhood.town)
    made.plan()
    made.state("open")
    return made


async def asks(
    neighbourhood: Neighbourhood, hall: Evening, text: str, who: Visitor | None = None, **typed: str
) -> int:
    """Let somebody in the hall ask; return the answer's status."""
    who = who or neighbourhood.resident
    form = await who.form(path(hall), "/m/")
    neighbourhood.clock.forward(s=PATIENCE_S)
    answer = await who.send(form, question=text, **typed)
    return answer.status_code


def path(hall: Evening) -> str:
    """Return the address of the hall's page."""
    return f"/m/{hall.meeting().code}"


async def supports(who: Visitor, hall: Evening, question: str) -> int:
    """Let somebody tap on *Steun deze vraag*."""
    answer = await who.http.post(f"{path(hall)}/questions/{question}/support")
    return answer.status_code


async def test_a_phone_asks_and_its_question_waits_for_a_person(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    other = neighbourhood.visitor()
    assert await asks(neighbourhood, hall, "Waar blijft de bus?", agenda="1") == 303
    (asked,) = hall.questions()
    assert (asked.source, asked.moderation, asked.agenda_item) == ("phone", "waiting", 1)
    mine = (await neighbourhood.resident.get(path(hall))).text
    assert "Waar blijft de bus?" in mine
    assert "Wordt bekeken" in mine
    for page in ("", "/board"):
        assert "Waar blijft de bus?" not in (await other.get(path(hall) + page)).text

    hall.moderate(asked.id, "shown")
    for page in ("", "/board"):
        assert "Waar blijft de bus?" in (await other.get(path(hall) + page)).text


async def test_it_is_followed_on_a_page_of_its_own(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    await asks(neighbourhood, hall, "Waar blijft de bus?", name="Jantje")
    page = (await neighbourhood.resident.get(path(hall))).text
    own = re.search(r"/v/[0-9a-f]{40}", page)
    assert own is not None
    neighbourhood.replies(own[0], "Die komt in maart.")
    await neighbourhood.delivers()
    assert "Die komt in maart." in (await neighbourhood.resident.get(own[0])).text


async def test_a_form_sent_twice_is_one_question(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    form = await neighbourhood.resident.form(path(hall), "/m/")
    neighbourhood.clock.forward(s=PATIENCE_S)
    for _ in range(2):
        answer = await neighbourhood.resident.send(form, question="Waar blijft de bus?")
        assert answer.status_code == 303
    assert len(hall.questions()) == 1
    answer = await neighbourhood.resident.send(form, question="Waar blijft bus 3?")
    assert answer.status_code == 303
    (asked,) = hall.questions()
    said = [entry.text for entry in neighbourhood.town.timeline(str(asked.conversation_id))]
    assert said == ["Waar blijft de bus?", "Waar blijft bus 3?"]


async def test_what_somebody_typed_herself_is_never_put_in_other_words(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    await asks(neighbourhood, hall, "Waar blijft de bus?")
    (asked,) = hall.questions()
    hall.moderate(asked.id, "shown")
    about, question = asked.conversation_id, asked.id
    other = hall.do("reword", about=about, question=question, text="De bus is goed.")
    assert other["outcome"] == "rejected"
    moved = hall.do("reword", about=about, question=question, text=asked.text, agenda=1)
    assert moved["outcome"] == "applied"
    stored = hall.question(question)
    assert (stored.text, stored.agenda_item) == ("Waar blijft de bus?", 1)


async def test_an_answer_reaches_a_phone_that_left_its_address(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    neighbourhood.opens_mailbox()
    await asks(neighbourhood, hall, "Waar blijft de bus?", email="mevrouw@voorbeeld.example")
    (asked,) = hall.questions()
    hall.moderate(asked.id, "shown")
    answered = hall.do(
        "fate",
        about=asked.conversation_id,
        based_on=0,
        question=asked.id,
        fate="answered",
        text="Om vijf uur.",
        mail=True,
    )
    assert answered["outcome"] == "applied"
    conversation = hall.conversation(asked.id)
    (out,) = [e for e in hall.town.timeline(conversation.id) if e.direction == "out"]
    assert "Om vijf uur." in out.text


async def test_hidden_is_told_to_its_writer_only_with_the_reason(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    other = neighbourhood.visitor()
    await asks(neighbourhood, hall, "U bent een zakkenvuller")
    (asked,) = hall.questions()
    hall.moderate(asked.id, "hidden", "Blijf beleefd, dan komt uw vraag erop.")
    mine = (await neighbourhood.resident.get(path(hall))).text
    assert "Niet op het bord: Blijf beleefd, dan komt uw vraag erop." in mine
    theirs = (await other.get(path(hall))).text
    assert "zakkenvuller" not in theirs
    assert "Blijf beleefd" not in theirs


async def test_a_phone_supports_a_question_once(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    asked = hall.ask()
    one, other = neighbourhood.resident, neighbourhood.visitor()
    for who in (one, other):
        await who.get(path(hall))
    for _ in range(3):
        assert await supports(one, hall, asked["question"]) == 303
    assert await supports(other, hall, asked["question"]) == 303
    assert hall.question(asked["question"]).support == 2
    page = (await one.get(path(hall))).text
    assert "U steunt deze vraag" in page
    assert "2 keer gesteund" in page


async def test_what_is_not_on_the_board_cannot_be_supported(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    asked = hall.ask(on_board=False)
    other = Evening(neighbourhood.town)
    other.plan(title="Een andere avond")
    other.state("open")
    elsewhere = other.ask()
    await neighbourhood.resident.get(path(hall))
    for question in (asked["question"], elsewhere["question"], "x", "../../x"):
        assert await supports(neighbourhood.resident, hall, question) == 404
    assert other.question(elsewhere["question"]).support == 0


async def test_one_phone_cannot_flood_the_hall_and_the_hall_shares_one_address(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    flooder = neighbourhood.resident
    said = [await asks(neighbourhood, hall, f"Vraag {n}", flooder) for n in range(PER_PHONE + 2)]
    assert said == [303] * PER_PHONE + [429, 429]
    # Somebody else, behind the same address of the hall's wifi, is not kept out.
    other = neighbourhood.visitor(peer="203.0.113.7")
    assert await asks(neighbourhood, hall, "Mijn vraag", other) == 303
    assert len(hall.questions()) == PER_PHONE + 1


async def test_what_was_typed_stays_when_it_is_refused(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    for n in range(PER_PHONE):
        await asks(neighbourhood, hall, f"Vraag {n}")
    form = await neighbourhood.resident.form(path(hall), "/m/")
    neighbourhood.clock.forward(s=PATIENCE_S)
    answer = await neighbourhood.resident.send(form, question="Nog iets belangrijks")
    assert answer.status_code == 429
    assert "Nog iets belangrijks" in answer.text
    assert "vijf vragen in tien minuten" in answer.text


@pytest.mark.parametrize("text", ["", "x" * 501])
async def test_an_empty_or_endless_question_is_told_so(
    neighbourhood: Neighbourhood, hall: Evening, text: str
) -> None:
    assert await asks(neighbourhood, hall, text) == 422
    assert hall.questions() == []


async def test_a_browser_without_cookies_is_told_so(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    form = await neighbourhood.resident.form(path(hall), "/m/")
    neighbourhood.clock.forward(s=PATIENCE_S)
    neighbourhood.resident.http.cookies.clear()
    answer = await neighbourhood.resident.send(form, question="Hallo?")
    assert answer.status_code == 422
    assert "cookies" in answer.text


async def test_before_and_after_the_evening_nobody_asks(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    form = await neighbourhood.resident.form(path(hall), "/m/")
    neighbourhood.clock.forward(s=PATIENCE_S)
    hall.state("closed")
    answer = await neighbourhood.resident.send(form, question="Te laat?")
    assert answer.status_code == 409
    assert "Te laat?" not in [one.text for one in hall.questions()]
    planned = Evening(neighbourhood.town)
    planned.plan()
    assert "nog niet begonnen" in (await neighbourhood.resident.get(path(planned))).text


async def test_nothing_of_who_asked_is_on_the_board(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    asked = hall.ask(
        name="Mevrouw De Boer", email="boer@voorbeeld.example", keep=True, answer_by="email"
    )
    hall.fate(asked["question"], "handed", "Team Verkeer")
    for page in ("", "/board"):
        text = (await neighbourhood.resident.get(path(hall) + page)).text
        assert "Team Verkeer" in text
        assert "De Boer" not in text
        assert "boer@" not in text
        assert neighbourhood.town.anna.name not in text


async def test_what_is_typed_is_never_markup(neighbourhood: Neighbourhood, hall: Evening) -> None:
    hall.ask('<script>alert(1)</script> & "x"')
    for page in ("", "/board"):
        text = (await neighbourhood.resident.get(path(hall) + page)).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text


async def test_a_code_is_found_however_it_is_typed_and_no_other_is(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    code = hall.meeting().code
    for typed in (code.lower(), f"{code[:3]}-{code[3:]}", f"{code[:3]} {code[3:]}"):
        assert (await neighbourhood.resident.get(f"/m/{typed}")).status_code == 200
    for wrong in ("AAAAAA", code + "2", code[:5], "%00", "x" * 5000):
        assert (await neighbourhood.resident.get(f"/m/{wrong}")).status_code == 404


async def test_the_picture_leads_to_the_page(neighbourhood: Neighbourhood, hall: Evening) -> None:
    answer = await neighbourhood.resident.get(f"{path(hall)}/qr.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.text.startswith("<svg")


async def test_erased_by_its_writer_it_leaves_the_board(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    await asks(neighbourhood, hall, "Mijn buurman heet Kees", name="Jantje")
    (asked,) = hall.questions()
    hall.moderate(asked.id, "shown")
    page = (await neighbourhood.resident.get(path(hall))).text
    own = re.search(r"/v/[0-9a-f]{40}", page)
    assert own is not None
    await neighbourhood.resident.http.post(f"{own[0]}/deletion")
    (erased,) = hall.questions()
    assert (erased.text, erased.name, erased.contact) == ("", "", "")
    assert "Kees" not in (await neighbourhood.visitor().get(path(hall))).text


async def test_without_a_form_in_this_area_nobody_answers_to_nowhere(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    neighbourhood.town.db.write_now(
        lambda session: session.execute(
            update(Account).where(col(Account.kind) == "web").values(enabled=False)
        )
    )
    await asks(neighbourhood, hall, "Zonder adres")
    await asks(neighbourhood, hall, "Met adres", email="buur@voorbeeld.example")
    found = {one.text: hall.conversation(one.id) for one in hall.questions()}
    assert (found["Zonder adres"].address, found["Zonder adres"].why_not) == (None, "no_address")
    assert found["Met adres"].address == "buur@voorbeeld.example"
