"""Folding quotes: what is folded, what never is, and that no line is lost."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.text.quotes import split_quote

FOLDED = {
    "gmail, nl": "Op ma 3 nov 2025 om 10:14 schreef Stadsdeel Noord <noord@x.nl>:\n\n> Donderdag.",
    "gmail, nl, wrapped": "Op ma 3 nov 2025 om 10:14 schreef Noord <\nnoord@x.nl>:\n> Ja.",
    "apple, nl": "Op 3 nov 2025, om 10:14 heeft Stadsdeel Noord <noord@x.nl> het volgende "
    "geschreven:\n\nDonderdag.",
    "apple, nl, wrapped": "Op 3 nov 2025, om 10:14 heeft Stadsdeel Noord\n<noord@x.nl> het "
    "volgende\ngeschreven:\n\n> Donderdag.",
    "thunderbird, nl": "Op 3-11-2025 om 10:14 schreef Stadsdeel Noord:\n> Donderdag.",
    "name first, nl": "Stadsdeel Noord <noord@x.nl> schreef op 3-11-2025 10:14:\n> Donderdag.",
    "het volgende, nl": "Op 3 november 2025 10:14 schreef noord@x.nl het volgende:\n> Donderdag.",
    "gmail, en": "On Mon, Nov 3, 2025 at 10:14 AM Stadsdeel Noord <noord@x.nl> wrote:\n> Thursday.",
    "gmail, en, wrapped": "On Mon, Nov 3, 2025 at 10:14 AM Stadsdeel Noord\n<noord@x.nl> wrote:\n"
    "\n> Thursday.",
    "gmail, de": "Am Mo., 3. Nov. 2025 um 10:14 Uhr schrieb Noord <noord@x.nl>:\n> Donnerstag.",
    "outlook, nl": "Van: Stadsdeel Noord <noord@x.nl>\nVerzonden: maandag 3 november 2025 10:14\n"
    "Aan: Fatma <fatma@x.nl>\nOnderwerp: Re: Lantaarn\n\nDonderdag.",
    "outlook with a rule": "________________________________\nVan: Stadsdeel Noord <noord@x.nl>\n"
    "Verzonden: maandag 3 november 2025\nAan: Fatma\nOnderwerp: Lantaarn\n\nDonderdag.",
    "outlook, en, bold": "*From:* Noord <noord@x.nl>\n*Sent:* Monday\n*To:* F\n\nHi",
    "outlook, de": "Von: Noord\nGesendet: Montag\nAn: Fatma\nBetreff: Lampe\n\nDonnerstag.",
    "divider, nl": "-----Oorspronkelijk bericht-----\nVan: Noord\nDonderdag.",
    "divider, en": "-----Original Message-----\nFrom: Noord\nThursday.",
    "divider, de": "-----Ursprüngliche Nachricht-----\nDonnerstag.",
    "marks alone": "> Donderdag komt er iemand.\n> Groet",
}


@pytest.mark.parametrize("quote", FOLDED.values(), ids=FOLDED)
def test_a_quote_below_the_answer_is_folded(quote: str) -> None:
    assert split_quote(f"Dank u wel!\n\n{quote}\n") == ("Dank u wel!", quote)


def test_an_answer_below_the_quote_is_the_text() -> None:
    quote = "Op 3 nov 2025 schreef Noord <n@x.nl>:\n> Welke dag?"
    assert split_quote(f"{quote}\n\nVrijdag graag.") == ("Vrijdag graag.", quote)


def test_answers_between_the_lines_stay_where_they_are() -> None:
    text = "Op 3 nov 2025 schreef Noord <n@x.nl>:\n> Welke dag?\nVrijdag.\n> Hoe laat?\nNegen uur."
    assert split_quote(f"Zie onder.\n{text}") == (f"Zie onder.\n{text}", None)


@pytest.mark.parametrize(
    "text",
    [
        "Op 3 november was het donker. Mijn buurman schreef mij:\nhelp",
        "Van mijn buurvrouw hoorde ik dat er op 3 november iets gebeurt.",
        "Ik heb drie vragen:\n- wanneer?\n- hoe?\n- wie?",
        "Datum: 3 november\nPlaats: de Vijver",
        "On the pavement there is a hole.",
        "Aan: wie dit leest\n\nGraag antwoord.",
    ],
)
def test_what_only_looks_like_a_quote_stays_text(text: str) -> None:
    assert split_quote(text) == (text, None)


@pytest.mark.parametrize(
    "text",
    [
        "---------- Forwarded message ---------\nVan: W <w@x.nl>\nDatum: ma 3 nov\n\nHuur.",
        "> alleen een citaat",
        "Van: A\nVerzonden: B\nAan: C\nOnderwerp: D\n\nDoorgestuurd zonder een woord erbij",
    ],
)
def test_a_mail_that_is_nothing_but_a_quote_is_shown(text: str) -> None:
    assert split_quote(text) == (text, None)


@pytest.mark.parametrize(
    "signature", ["-- \nFatma\n06-12345678", "Verzonden vanaf mijn iPhone", "Get Outlook for iOS"]
)
def test_a_signature_is_folded_with_the_quote(signature: str) -> None:
    text, quoted = split_quote(f"Dank!\n\n{signature}\n\n> Donderdag.")
    assert text == "Dank!"
    assert quoted is not None
    assert signature.splitlines()[-1] in quoted
    assert "> Donderdag." in quoted


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [line for quote in FOLDED.values() for line in quote.split("\n")]
            + ["", "-- ", "> x", "tekst", "Verzonden vanaf mijn telefoon", "---"]
        ),
        st.text(max_size=30),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=150)
@given(LINES)
def test_no_line_is_ever_lost(lines: list[str]) -> None:
    whole = "\n".join(lines)
    text, quoted = split_quote(whole)

    def words(part: str) -> list[str]:
        normal = part.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return sorted(line.rstrip() for line in normal if line.strip())

    assert words(f"{text}\n{quoted or ''}") == words(whole)
    assert text.strip() or not whole.strip()


@pytest.mark.parametrize(
    "evil",
    [
        "Op " * 33_000,
        "Op 3\n" * 20_000,
        "Van: x\n" * 14_000,
        "> \nx\n" * 20_000,
        "_" * 100_000,
        ("schreef " * 50 + "\n") * 250,
        "-- \n" * 25_000,
    ],
    ids=lambda evil: evil[:8].strip(),
)
def test_the_worst_text_of_a_mail_takes_less_than_a_moment(evil: str) -> None:
    began = time.process_time()
    split_quote(evil)
    assert time.process_time() - began < 3
