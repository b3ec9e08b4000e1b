"""The resident's own page: she follows the talk, writes again, rates, and has it all erased."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlmodel import Session, select

from app.channels.contract import Outgoing
from app.channels.web_notice import write_notice
from app.delivery import service as delivery
from app.delivery.models import Delivery
from app.inbox.models import Attachment, AttachmentData, Conversation, ReadMark
from tests.support.neighbourhood import PATIENCE_S, Neighbourhood
from tests.support.town import op
from tests.support.visitor import form_in, photo

WORDS = "De lantaarnpaal knippert."
JANTJE = "jantje@voorbeeld.example"


async def test_nobody_else_learns_the_address_of_the_page(neighbourhood: Neighbourhood) -> None:
    page = await neighbourhood.resident.get(await neighbourhood.asks())
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in page.headers["X-Robots-Tag"]
    assert '<meta name="robots" content="noindex' in page.text


@pytest.mark.parametrize("secret", ["0" * 40, "x", "%00", "..%2fw", "é" * 40, "a" * 3000])
@pytest.mark.parametrize("rest", ["", "/version", "/deletion", "/photo/x"])
async def test_a_secret_that_opens_nothing_is_told_on_a_page(
    neighbourhood: Neighbourhood, secret: str, rest: str
) -> None:
    page = await neighbourhood.resident.get(f"/v/{secret}{rest}")
    assert page.status_code == 404
    assert "Deze pagina is er niet" in page.text


async def test_the_page_shows_what_was_asked_and_how_she_hears_of_an_answer(
    neighbourhood: Neighbourhood,
) -> None:
    neighbourhood.opens_mailbox()
    assert "Dan mailen wij u" in (await neighbourhood.resident.get("/w/paddepoel")).text
    without = await neighbourhood.resident.get(await neighbourhood.asks(question=WORDS))
    assert WORDS in without.text
    assert "Wij sturen u geen bericht" in without.text
    mailed = await neighbourhood.resident.get(await neighbourhood.asks(email=JANTJE))
    assert "Wij mailen j…@voorbeeld.example" in mailed.text
    assert "jantje@" not in mailed.text


async def test_no_mail_is_promised_where_nobody_has_a_mailbox(
    neighbourhood: Neighbourhood,
) -> None:
    form = await neighbourhood.resident.get("/w/paddepoel")
    assert "Dan mailen wij u" not in form.text
    page = await neighbourhood.resident.get(await neighbourhood.asks(email=JANTJE))
    assert "Wij mailen" not in page.text
    assert "Wij sturen u geen bericht" in page.text


async def test_an_answer_is_on_the_page_once_it_was_sent_and_then_counts_as_delivered(
    neighbourhood: Neighbourhood,
) -> None:
    page = await neighbourhood.asks()
    reply = neighbourhood.replies(page, "We komen kijken.")
    assert "We komen kijken." not in (await neighbourhood.resident.get(page)).text
    before = (await neighbourhood.resident.get(f"{page}/version")).text

    await neighbourhood.delivers()
    assert state_of(neighbourhood, reply) == "sent"
    assert (await neighbourhood.resident.get(f"{page}/version")).text != before
    assert state_of(neighbourhood, reply) == "sent"

    shown = await neighbourhood.resident.get(page)
    assert "We komen kijken." in shown.text
    assert "Gemeente Groningen" in shown.text
    assert "Anna" not in shown.text
    assert state_of(neighbourhood, reply) == "delivered"


def state_of(neighbourhood: Neighbourhood, message_id: str) -> str:
    def look(session: Session) -> str:
        found = delivery.of_message(session, message_id)
        assert found is not None
        return found.state

    return neighbourhood.town.db.read_now(look)


async def test_a_browser_that_looks_ahead_delivers_nothing(neighbourhood: Neighbourhood) -> None:
    page = await neighbourhood.asks()
    reply = neighbourhood.replies(page, "We komen kijken.")
    await neighbourhood.delivers()
    await neighbourhood.resident.http.get(page, headers={"Sec-Purpose": "prefetch;prerender"})
    assert state_of(neighbourhood, reply) == "sent"


async def test_notes_and_events_never_come_to_the_page(neighbourhood: Neighbourhood) -> None:
    page = await neighbourhood.asks()
    conversation = neighbourhood.of_page(page)
    anna = neighbourhood.town.anna
    neighbourhood.town.does(
        anna,
        op("note", conversation.id, text="Lastige meneer."),
        op("assign", conversation.id, 1, person=anna.person_id),
        op("topics", conversation.id, add=["geheim-onderwerp"], remove=[]),
        op("urgent", conversation.id, urgent=True, reason="geheime reden"),
    )
    shown = (await neighbourhood.resident.get(page)).text
    for secret in ("Lastige", "geheim", "Anna"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("open", "In behandeling"),
        ("waiting", "Wij wachten op uw antwoord"),
        ("closed", "Afgehandeld"),
    ],
)
async def test_the_status_is_told_in_plain_words(
    neighbourhood: Neighbourhood, status: str, words: str
) -> None:
    page = await neighbourhood.asks()
    conversation = neighbourhood.of_page(page)
    neighbourhood.town.does(
        neighbourhood.town.anna, op("status", conversation.id, conversation.position, status=status)
    )
    assert words in (await neighbourhood.resident.get(page)).text


async def test_she_writes_again_and_a_closed_conversation_opens(
    neighbourhood: Neighbourhood,
) -> None:
    page = await neighbourhood.asks()
    conversation = neighbourhood.of_page(page)
    neighbourhood.town.does(
        neighbourhood.town.anna,
        op("status", conversation.id, conversation.position, status="closed"),
    )
    form = await neighbourhood.resident.form(page, "messages")
    neighbourhood.clock.forward(s=PATIENCE_S)
    taps = [neighbourhood.resident.send(form, question="Nog steeds.") for _ in range(3)]
    answers = await asyncio.gather(*taps)
    assert {answer.status_code for answer in answers} == {303}
    assert "is verstuurd" in (await neighbourhood.resident.get(answers[0].headers["location"])).text
    assert [message.text for message in neighbourhood.said(page)] == [WORDS, "Nog steeds."]
    assert neighbourhood.of_page(page).status == "reopened"


async def test_what_she_adds_too_fast_is_kept_and_asked_for_again(
    neighbourhood: Neighbourhood,
) -> None:
    page = await neighbourhood.asks()
    form = await neighbourhood.resident.form(page, "messages")
    answer = await neighbourhood.resident.send(form, question="Meteen <b>weer</b>.")
    assert answer.status_code == 422
    kept = form_in(answer.text, "messages")
    assert kept.fields["question"] == "Meteen <b>weer</b>."
    neighbourhood.clock.forward(s=PATIENCE_S)
    assert (await neighbourhood.resident.send(kept)).status_code == 303


async def test_a_stamp_of_another_page_does_not_count(neighbourhood: Neighbourhood) -> None:
    mine, hers = await neighbourhood.asks(), await neighbourhood.asks()
    stamp = (await neighbourhood.resident.form(hers, "messages")).fields["stamp"]
    form = await neighbourhood.resident.form(mine, "messages")
    neighbourhood.clock.forward(s=PATIENCE_S)
    answer = await neighbourhood.resident.send(form, question="Hallo", stamp=stamp)
    assert answer.status_code == 422


async def test_she_says_in_one_tap_whether_it_helped_and_may_change_it(
    neighbourhood: Neighbourhood,
) -> None:
    page = await neighbourhood.asks()
    neighbourhood.replies(page, "We komen kijken.")
    await neighbourhood.delivers()
    form = await neighbourhood.resident.form(page, "rating")
    for tapped, kept in (("1", 1), ("1", 1), ("-1", -1)):
        answer = await neighbourhood.resident.send(form, rating=tapped)
        assert answer.status_code == 303
        conversation = neighbourhood.of_page(page)
        assert conversation.rating == kept
        assert head_of(neighbourhood, conversation.id)["rating"] == kept
    shown = (await neighbourhood.resident.get(page)).text
    assert 'value="-1" aria-pressed="true"' in shown


def head_of(neighbourhood: Neighbourhood, conversation_id: str) -> dict[str, Any]:
    rows = feed_of(neighbourhood, conversation_id)
    return next(json.loads(body) for key, body in rows if key == f"c:{conversation_id}")


def feed_of(neighbourhood: Neighbourhood, conversation_id: str) -> list[tuple[str, str]]:
    query = text("SELECT key, body FROM change WHERE conversation_id = :id")
    return neighbourhood.town.db.read_now(
        lambda session: [
            (row.key, row.body) for row in session.execute(query, {"id": conversation_id})
        ]
    )


@pytest.mark.parametrize("rating", ["0", "2", "", "één", "1e9", "\x00"])
async def test_a_rating_that_is_none_changes_nothing(
    neighbourhood: Neighbourhood, rating: str
) -> None:
    page = await neighbourhood.asks()
    answer = await neighbourhood.resident.http.post(f"{page}/rating", data={"rating": rating})
    assert answer.status_code == 400
    assert neighbourhood.of_page(page).rating is None


async def erased(neighbourhood: Neighbourhood) -> tuple[str, Conversation]:
    page = await neighbourhood.asks(
        question="Geheim-vraag",
        name="Geheim-naam",
        email="geheim@voorbeeld.example",
        place="Geheim-plein",
    )
    form = await neighbourhood.resident.form(page, "messages")
    neighbourhood.clock.forward(s=PATIENCE_S)
    files = {"photo": ("geheim.jpg", photo(), "image/jpeg")}
    await neighbourhood.resident.send(form, files, question="Geheim-vervolg met gaslucht")
    conversation = neighbourhood.of_page(page)
    neighbourhood.town.does(
        neighbourhood.town.anna, op("note", conversation.id, text="Geheim-notitie")
    )
    neighbourhood.replies(page, "Geheim-antwoord")
    form = await neighbourhood.resident.form(f"{page}/deletion", "deletion")
    assert (await neighbourhood.resident.send(form)).status_code == 303
    return page, conversation


async def test_erasing_leaves_nothing_of_her_anywhere_in_the_database(
    neighbourhood: Neighbourhood,
) -> None:
    _, conversation = await erased(neighbourhood)

    def everything(session: Session) -> str:
        tables = inspect(session.get_bind()).get_table_names()
        rows = [
            repr(tuple(row))
            for table in tables
            for row in session.execute(text(f'SELECT * FROM "{table}"'))
        ]
        return "\n".join(rows)

    left = neighbourhood.town.db.read_now(everything)
    assert "geheim" not in left.lower()
    assert conversation.id in left


async def test_erasing_reaches_the_phones_and_leaves_a_neutral_trace(
    neighbourhood: Neighbourhood,
) -> None:
    page, conversation = await erased(neighbourhood)
    head = head_of(neighbourhood, conversation.id)
    assert head["erased"] is True
    assert head["area"] == conversation.area
    assert head["created_ms"] == conversation.created_at_ms
    assert head["status"] == "closed"
    assert head["can_reply"] is False
    messages = [
        json.loads(body)
        for key, body in feed_of(neighbourhood, conversation.id)
        if key.startswith("m:")
    ]
    said = [message for message in messages if message["d"] != "event"]
    assert len(said) == 4
    assert all(one["erased"] and not one["text"] and not one["attachments"] for one in said)
    late = op("reply", conversation.id, head["position"], text="Te laat")
    (result,) = neighbourhood.town.does(neighbourhood.town.anna, late)
    assert result["outcome"] == "rejected"
    gone = await neighbourhood.resident.get(page)
    assert gone.status_code == 410
    assert "Uw gegevens zijn gewist" in gone.text


async def test_an_answer_that_had_not_left_is_not_sent_after_erasing(
    neighbourhood: Neighbourhood,
) -> None:
    await erased(neighbourhood)
    await neighbourhood.delivers()
    states = neighbourhood.town.db.read_now(
        lambda session: [(d.state, d.recipient) for d in session.exec(select(Delivery))]
    )
    assert states == [("cancelled", "")]


async def test_erasing_twice_is_erasing_once(neighbourhood: Neighbourhood) -> None:
    page, conversation = await erased(neighbourhood)
    before = head_of(neighbourhood, conversation.id)
    assert (await neighbourhood.resident.http.post(f"{page}/deletion")).status_code == 303
    assert head_of(neighbourhood, conversation.id) == before


async def test_nothing_can_be_written_on_an_erased_page(neighbourhood: Neighbourhood) -> None:
    page, conversation = await erased(neighbourhood)
    for rest, data in (("messages", {"question": "Hallo"}), ("rating", {"rating": "1"})):
        answer = await neighbourhood.resident.http.post(f"{page}/{rest}", data=data)
        assert answer.status_code == 410
    assert neighbourhood.of_page(page).position == head_of(neighbourhood, conversation.id)["count"]


async def test_her_other_conversations_keep_her_name(neighbourhood: Neighbourhood) -> None:
    email = "jantje@voorbeeld.example"
    first = await neighbourhood.asks(name="Jantje", email=email)
    second = await neighbourhood.asks(name="Jantje", email=email)
    assert neighbourhood.of_page(first).resident_id == neighbourhood.of_page(second).resident_id
    await neighbourhood.resident.http.post(f"{first}/deletion")
    one, other = neighbourhood.of_page(first), neighbourhood.of_page(second)
    assert head_of(neighbourhood, one.id)["resident"]["name"] == ""
    assert head_of(neighbourhood, other.id)["resident"]["name"] == "Jantje"
    assert other.address == email


async def test_her_photo_is_shown_to_her_and_to_no_other_page(neighbourhood: Neighbourhood) -> None:
    form = await neighbourhood.resident.form("/w/paddepoel")
    neighbourhood.clock.forward(s=PATIENCE_S)
    files = {"photo": ("mijn foto.png", photo(kind="PNG"), "image/png")}
    sent = await neighbourhood.resident.send(form, files, question="Kijk")
    page = sent.headers["location"].partition("?")[0]
    (kept,) = neighbourhood.town.db.read_now(lambda session: session.exec(select(Attachment)).all())
    for size in ("", "?size=thumb"):
        shown = await neighbourhood.resident.get(f"{page}/photo/{kept.id}{size}")
        assert shown.status_code == 200
        assert shown.headers["Content-Type"] == "image/jpeg"
        assert shown.headers["Referrer-Policy"] == "no-referrer"
        assert "sandbox" in shown.headers["Content-Security-Policy"]
        assert shown.content.startswith(b"\xff\xd8")
    assert f"{page}/photo/{kept.id}" in (await neighbourhood.resident.get(page)).text
    hers = await neighbourhood.asks(neighbourhood.visitor())
    assert (await neighbourhood.resident.get(f"{hers}/photo/{kept.id}")).status_code == 404


async def test_a_photo_of_a_note_is_not_for_her(neighbourhood: Neighbourhood) -> None:
    page = await neighbourhood.asks()
    conversation = neighbourhood.of_page(page)
    anna = neighbourhood.town.anna

    def keep(session: Session) -> str:
        found = Attachment(
            id="01890a5d-ac96-774b-bcce-b302099a8057", uploader_id=anna.person_id,
            media_type="image/jpeg", size_bytes=3, have_bytes=3, width=1, height=1, created_at_ms=1,
        )  # fmt: skip
        session.add(found)
        session.flush()
        session.add(AttachmentData(attachment_id=found.id, part="full", content=b"jpg"))
        return found.id

    photo_id = neighbourhood.town.db.write_now(keep)
    neighbourhood.town.does(
        anna, op("note", conversation.id, text="Intern", attachments=[photo_id])
    )
    assert (await neighbourhood.resident.get(f"{page}/photo/{photo_id}")).status_code == 404


async def test_the_mail_about_an_answer_tells_where_and_not_what(
    neighbourhood: Neighbourhood,
) -> None:
    page = await neighbourhood.asks(email="jantje@voorbeeld.example")
    reply = neighbourhood.replies(page, "Geheim antwoord")
    outgoing = Outgoing("d", "<d@x>", "jantje@voorbeeld.example", WORDS, "Geheim antwoord", 1)
    settings = neighbourhood.app.state.settings

    def write(session: Session) -> Outgoing:
        row = delivery.of_message(session, reply)
        assert row is not None
        return write_notice(settings, session, row, outgoing)

    mail = neighbourhood.town.db.read_now(write)
    assert f"{settings.origin}{page}\n" in mail.text
    assert "Geheim" not in mail.text
    assert WORDS not in mail.subject
    assert "Er is antwoord" in mail.text
    assert "There is an answer" in mail.text
    assert mail.recipient == "jantje@voorbeeld.example"


async def test_opening_the_page_reads_nothing_for_a_coordinator(
    neighbourhood: Neighbourhood,
) -> None:
    await neighbourhood.resident.get(await neighbourhood.asks())
    marks = neighbourhood.town.db.read_now(lambda session: session.exec(select(ReadMark)).all())
    assert not marks


async def test_an_older_browser_that_hides_where_it_comes_from_can_write_again(
    neighbourhood: Neighbourhood,
) -> None:
    page = await neighbourhood.asks()
    form = await neighbourhood.resident.form(page, "messages")
    neighbourhood.clock.forward(s=PATIENCE_S)
    del neighbourhood.resident.http.headers["Sec-Fetch-Site"]
    neighbourhood.resident.http.headers["Origin"] = "null"
    assert (await neighbourhood.resident.send(form, question="Vervolg")).status_code == 303
