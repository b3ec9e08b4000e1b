"""The resident's form: a question goes in once, and nothing typed is lost on the way."""

import asyncio
import json
import re

import pytest
from sqlmodel import Session

from app.channels.models import Account
from app.channels.web_spam import MAX_MS, MIN_MS
from app.ids import fingerprint
from app.sync import feed
from tests.support.neighbourhood import PATIENCE_S, Neighbourhood
from tests.support.town import HELPMAN, PADDEPOEL
from tests.support.visitor import form_in, photo

FORM = f"/w/{PADDEPOEL}"


async def test_the_areas_with_a_form_are_listed(neighbourhood: Neighbourhood) -> None:
    page = await neighbourhood.resident.get("/w")
    assert page.status_code == 200
    assert f'href="/w/{PADDEPOEL}">Paddepoel<' in page.text
    assert f'href="/w/{HELPMAN}">Helpman<' in page.text


@pytest.mark.parametrize("asked", ["WK001410", "wk001410", "paddepoel", "Paddepoel", "PADDEPOEL"])
async def test_a_form_is_found_by_code_or_name(neighbourhood: Neighbourhood, asked: str) -> None:
    page = await neighbourhood.resident.get(f"/w/{asked}")
    assert page.status_code == 200
    assert "over Paddepoel" in page.text


@pytest.mark.parametrize("asked", ["nergens", "WK999999", "..%2f..%2fkey", "%00", "é", "a" * 3000])
async def test_an_area_that_is_not_there_is_told_on_a_page(
    neighbourhood: Neighbourhood, asked: str
) -> None:
    page = await neighbourhood.resident.get(f"/w/{asked}")
    assert page.status_code == 404
    assert "Deze pagina is er niet" in page.text


async def test_a_question_starts_a_conversation_in_its_area(neighbourhood: Neighbourhood) -> None:
    await neighbourhood.asks(
        question="De lantaarnpaal\r\nknippert.", name="Jantje", email="Jantje@Voorbeeld.Example",
        place="Zonnelaan 84",
    )  # fmt: skip
    (conversation,) = neighbourhood.conversations()
    (message,) = neighbourhood.town.timeline(conversation.id)
    assert conversation.area == PADDEPOEL
    assert conversation.account_id == "web-noord"
    assert conversation.address == "jantje@voorbeeld.example"
    assert conversation.place == "Zonnelaan 84"
    assert conversation.subject == "De lantaarnpaal knippert."
    assert (message.text, message.sender_name) == ("De lantaarnpaal\nknippert.", "Jantje")
    assert (f"c:{conversation.id}") in dict(neighbourhood.town.sees(neighbourhood.town.anna))
    assert (f"c:{conversation.id}") not in dict(neighbourhood.town.sees(neighbourhood.town.chaima))


async def test_only_a_fingerprint_of_the_page_is_stored(neighbourhood: Neighbourhood) -> None:
    page = await neighbourhood.asks()
    secret = page.removeprefix("/v/")
    assert re.fullmatch(r"[0-9a-f]{40}", secret)
    (conversation,) = neighbourhood.conversations()
    assert conversation.secret_fingerprint == fingerprint(secret)
    assert secret not in repr(conversation)


async def test_a_resident_without_an_address_can_be_answered(neighbourhood: Neighbourhood) -> None:
    page = await neighbourhood.asks()
    assert neighbourhood.replies(page, "We komen kijken.")


async def test_who_left_no_address_has_none_on_a_phone(neighbourhood: Neighbourhood) -> None:
    await neighbourhood.asks(question="De lantaarnpaal knippert.", name="Jantje")
    await neighbourhood.asks(
        question="De stoep ligt los.", name="Piet", email="p@voorbeeld.example"
    )
    anna = neighbourhood.town.anna
    rows = neighbourhood.town.db.read_now(lambda session: feed.pull(session, anna.scopes, 0, 1000))
    heads = [json.loads(row.body) for row in rows if row.key.startswith("c:")]
    addresses = {head["resident"]["name"]: head["resident"]["address"] for head in heads}
    assert addresses == {"Jantje": None, "Piet": "p@voorbeeld.example"}


async def test_urgent_words_mark_the_conversation(neighbourhood: Neighbourhood) -> None:
    await neighbourhood.asks(question="Er hangt een gaslucht in de hal.")
    (conversation,) = neighbourhood.conversations()
    assert conversation.urgent
    assert conversation.urgent_reason == "gaslucht"


async def test_a_form_sent_twice_is_one_message_and_one_page(neighbourhood: Neighbourhood) -> None:
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(s=PATIENCE_S)
    first = await neighbourhood.resident.send(form, question="Een keer?")
    neighbourhood.clock.forward(ms=2 * MAX_MS)
    again = await neighbourhood.resident.send(form, question="Een keer?")
    assert first.status_code == again.status_code == 303
    assert first.headers["location"] == again.headers["location"]
    (conversation,) = neighbourhood.conversations()
    assert len(neighbourhood.town.timeline(conversation.id)) == 1


async def test_a_double_tap_is_one_message(neighbourhood: Neighbourhood) -> None:
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(s=PATIENCE_S)
    taps = [
        neighbourhood.resident.send(
            form,
            {"photo": ("a.jpg", photo(), "image/jpeg")},
            question="Tik tik",
            email="j@v.example",
        )
        for _ in range(5)
    ]
    answers = await asyncio.gather(*taps)
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    (conversation,) = neighbourhood.conversations()
    assert len(neighbourhood.town.timeline(conversation.id)) == 1


async def test_a_form_sent_again_with_other_words_adds_them(neighbourhood: Neighbourhood) -> None:
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(s=PATIENCE_S)
    await neighbourhood.resident.send(form, question="De lamp knippert.")
    await neighbourhood.resident.send(form, question="De lamp knippert. Het is nummer 84.")
    (conversation,) = neighbourhood.conversations()
    said = [message.text for message in neighbourhood.town.timeline(conversation.id)]
    assert said == ["De lamp knippert.", "De lamp knippert. Het is nummer 84."]


async def test_residents_who_ask_the_same_each_have_a_conversation(
    neighbourhood: Neighbourhood,
) -> None:
    pages = {await neighbourhood.asks(), await neighbourhood.asks(neighbourhood.visitor())}
    assert len(pages) == 2
    assert len(neighbourhood.conversations()) == 2


TYPED = {"question": "Wanneer is de speeltuin open?", "name": "Fatima <b>", "place": "Plein & park"}


def assert_kept(html: str) -> None:
    kept = form_in(html).fields
    assert {name: kept[name] for name in TYPED} == TYPED


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"question": " \r\n "}, "Schrijf eerst uw vraag."),
        ({"question": "x" * 5001}, "er passen 5000 tekens, het zijn er 5001"),
        ({"email": "jantje@"}, "Dit e-mailadres klopt niet."),
        ({"email": "a@b.nl\r\nBcc: c@d.nl"}, "Dit e-mailadres klopt niet."),
        ({"email": "a@b.nl, c@d.nl"}, "Dit e-mailadres klopt niet."),
        ({"place": "x" * 201}, "Houd de plek korter"),
        ({"name": "x" * 101}, "Houd uw naam korter"),
    ],
)
async def test_what_is_wrong_is_said_and_the_rest_stays(
    neighbourhood: Neighbourhood, typed: dict[str, str], sentence: str
) -> None:
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(s=PATIENCE_S)
    answer = await neighbourhood.resident.send(form, **(TYPED | typed))
    assert answer.status_code == 422
    assert sentence in answer.text
    assert not neighbourhood.conversations()
    kept = form_in(answer.text)
    for name, value in (TYPED | typed).items():
        assert kept.fields[name].split() == value.split()
    mended = await neighbourhood.resident.send(kept, **({"email": ""} | TYPED))
    assert mended.status_code == 303


async def test_what_was_typed_comes_back_as_text_and_never_as_markup(
    neighbourhood: Neighbourhood,
) -> None:
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(s=PATIENCE_S)
    answer = await neighbourhood.resident.send(
        form, question="</textarea><script>alert(1)</script>", email='"><script>'
    )
    assert answer.status_code == 422
    assert "<script>" not in answer.text


async def test_a_form_sent_within_three_seconds_is_asked_for_again(
    neighbourhood: Neighbourhood,
) -> None:
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(ms=MIN_MS - 1)
    answer = await neighbourhood.resident.send(form, **TYPED)
    assert answer.status_code == 422
    assert "dachten aan een robot" in answer.text
    assert_kept(answer.text)
    neighbourhood.clock.forward(ms=1)
    assert (await neighbourhood.resident.send(form_in(answer.text))).status_code == 303


async def test_a_form_left_open_overnight_is_renewed_with_all_that_was_typed(
    neighbourhood: Neighbourhood,
) -> None:
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(ms=MAX_MS + 1)
    answer = await neighbourhood.resident.send(form, **TYPED)
    assert answer.status_code == 422
    assert "stond lang open" in answer.text
    assert_kept(answer.text)
    neighbourhood.clock.forward(s=PATIENCE_S)
    assert (await neighbourhood.resident.send(form_in(answer.text))).status_code == 303


@pytest.mark.parametrize("stamp", ["", "1.2.3", "9" * 4000, "1793610000000.x.y", "é", "\x00"])
async def test_a_stamp_that_is_not_ours_is_renewed(
    neighbourhood: Neighbourhood, stamp: str
) -> None:
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(s=PATIENCE_S)
    answer = await neighbourhood.resident.send(form, **(TYPED | {"stamp": stamp}))
    assert answer.status_code == 422
    assert_kept(answer.text)
    assert not neighbourhood.conversations()


async def test_a_stamp_of_another_area_does_not_count(neighbourhood: Neighbourhood) -> None:
    other = await neighbourhood.resident.form(f"/w/{HELPMAN}")
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(s=PATIENCE_S)
    answer = await neighbourhood.resident.send(form, **TYPED, stamp=other.fields["stamp"])
    assert answer.status_code == 422


async def test_a_filled_in_trap_is_told_and_emptied(neighbourhood: Neighbourhood) -> None:
    form = await neighbourhood.resident.form(FORM)
    assert form.fields["website"] == ""
    neighbourhood.clock.forward(s=PATIENCE_S)
    answer = await neighbourhood.resident.send(form, **TYPED, website="https://spam.example")
    assert answer.status_code == 422
    assert_kept(answer.text)
    assert form_in(answer.text).fields["website"] == ""
    assert not neighbourhood.conversations()


async def test_the_eleventh_message_in_ten_minutes_waits_and_keeps_its_words(
    neighbourhood: Neighbourhood,
) -> None:
    forms = [await neighbourhood.resident.form(FORM) for _ in range(11)]
    neighbourhood.clock.forward(s=PATIENCE_S)
    for number, form in enumerate(forms[:10]):
        sent = await neighbourhood.resident.send(form, question=f"Vraag {number}")
        assert sent.status_code == 303
    refused = await neighbourhood.resident.send(forms[10], **TYPED)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 600
    assert_kept(refused.text)
    assert re.search(r"over \d+ minuten opnieuw", refused.text)
    neighbour = await neighbourhood.visitor().form(FORM)
    neighbourhood.clock.forward(s=PATIENCE_S)
    assert (await neighbourhood.visitors[0].send(neighbour, **TYPED)).status_code == 303
    neighbourhood.clock.forward(s=600)
    assert (await neighbourhood.resident.send(form_in(refused.text))).status_code == 303


async def test_a_repeat_does_not_count_as_another_message(neighbourhood: Neighbourhood) -> None:
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(s=PATIENCE_S)
    for _ in range(15):
        assert (await neighbourhood.resident.send(form, **TYPED)).status_code == 303


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (b"", 415, "Deze foto is leeg"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "geen foto die wij kunnen lezen"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(50), 415, "formaat HEIC"),
        (photo()[:300], 415, "beschadigd"),
        (photo() + bytes(10_000_001), 413, "groter dan 10 MB"),
    ],
)
async def test_a_photo_that_is_refused_says_why_and_keeps_the_words(
    neighbourhood: Neighbourhood, content: bytes, status: int, sentence: str
) -> None:
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(s=PATIENCE_S)
    files = {"photo": ("../../foto.jpg", content, "image/jpeg")}
    answer = await neighbourhood.resident.send(form, files, **TYPED)
    assert answer.status_code == status
    assert sentence in answer.text
    assert_kept(answer.text)
    assert not neighbourhood.conversations()
    assert (await neighbourhood.resident.send(form_in(answer.text))).status_code == 303


async def test_a_photo_of_ten_megabytes_is_taken(neighbourhood: Neighbourhood) -> None:
    form = await neighbourhood.resident.form(FORM)
    neighbourhood.clock.forward(s=PATIENCE_S)
    large = photo(3000, 2000)
    large += bytes(10_000_000 - len(large))
    files = {"photo": ("foto.jpg", large, "image/jpeg")}
    assert (await neighbourhood.resident.send(form, files, **TYPED)).status_code == 303


async def test_a_body_without_end_is_refused(neighbourhood: Neighbourhood) -> None:
    answer = await neighbourhood.resident.http.post(
        FORM, content=bytes(45_000_000), headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == 413


async def test_the_form_speaks_english_when_asked_and_remembers_it(
    neighbourhood: Neighbourhood,
) -> None:
    visitor = neighbourhood.visitor(language="nl")
    dutch = await visitor.get(FORM)
    assert dutch.headers["Content-Language"] == "nl"
    assert '<html lang="nl">' in dutch.text
    english = await visitor.get(f"{FORM}?lang=en")
    assert english.headers["Content-Language"] == "en"
    assert "Your question" in english.text
    remembered = await visitor.get(FORM)
    assert '<html lang="en">' in remembered.text


async def test_a_browser_that_prefers_english_gets_english(neighbourhood: Neighbourhood) -> None:
    visitor = neighbourhood.visitor(language="fr, en-GB;q=0.8, nl;q=0.5")
    assert '<html lang="en">' in (await visitor.get(FORM)).text


async def test_an_account_that_is_switched_off_has_no_form(neighbourhood: Neighbourhood) -> None:
    def switch_off(session: Session) -> None:
        for account in ("web-noord", "web-zuid"):
            session.get_one(Account, account).enabled = False

    neighbourhood.town.db.write_now(switch_off)
    assert (await neighbourhood.resident.get(FORM)).status_code == 404
    assert "geen formulier open" in (await neighbourhood.resident.get("/w")).text
