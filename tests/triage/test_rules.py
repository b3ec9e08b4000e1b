"""Which messages are urgent, which only seem to be, and why."""

import pytest

from app.triage.defaults import BODY
from app.triage.hours import Hours
from app.triage.own_words import own_words
from app.triage.rules import Facts, Rule, Ruleset, Verdict, judge, ruleset

DEFAULT = ruleset(BODY)


def told(text: str, subject: str = "") -> Verdict:
    return judge(DEFAULT, Facts(text=own_words(text, subject)))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Er hangt een gaslucht in de gang", "gaslucht"),
        ("Gevaarlijk! De put ligt open.", "gevaarlijk"),
        ("GEVÁÁRLIJK diep gat in de weg", "gevaarlijk"),
        ("Er is brand", "brand"),
        ("Kom niet te laat het is gevaarlijk", "gevaarlijk"),
        ("Geen spoed was het gisteren, maar nu is er brand", "brand"),
        ("Geen grap er is brand", "brand"),
        ("We hebben geen licht gevaarlijk donker hier", "gevaarlijk"),
        ("De deur gaat niet open brand", "brand"),
        ("Ik kan niet weg, brand!", "brand"),
        ("Kan niet ademen gaslek in huis", "gaslek"),
        ("Het is niet alleen gevaarlijk maar ook lelijk", "gevaarlijk"),
        ("Dit is niet normaal gevaarlijk", "gevaarlijk"),
        ("Het is niet zonder gevaar", "gevaar"),
        ("Nog nooit zo gevaarlijk geweest", "gevaarlijk"),
        ("Is dat niet gevaarlijk?", "gevaarlijk"),
        ("Ik weet niet of het gevaarlijk is", "gevaarlijk"),
        ("Ik weet niet hoe gevaarlijk dit is", "gevaarlijk"),
        ("Het gevaar is niet geweken", "gevaar"),
        ("De brand is niet geblust", "brand"),
        ("De brand is uit de hand gelopen", "brand"),
        ("Dat was gevaarlijk en is nog niet opgelost", "gevaarlijk"),
        ("Niet gevaarlijk, wel dringend", "dringend"),
        ("Niet vergeten\nGaslucht in de gang", "gaslucht"),
        ("Nee: brand in de flat", "brand"),
        ("Het ruikt al een uur naar gas bij de flat", "naar gas"),
        ("Er is haast bij", "haast bij"),
        ("Dit kan niet wachten", "kan niet wachten"),
        ("Please hurry, a tree fell and someone is injured", "injured"),
        ("There's a fire in the hall", "theres a fire"),
        ("No, it is dangerous", "dangerous"),
        ("No it is dangerous", "dangerous"),
        ("I don't have heat it is urgent", "urgent"),
        ("Don't wait, it's urgent", "urgent"),
        ("It is not only dangerous but ugly", "dangerous"),
        ("Surely this isn't urgent, isn't it dangerous though?", "dangerous"),
        ("Is this not dangerous?", "dangerous"),
        ("Isn't that dangerous?", "dangerous"),
        ("Doesn't it look dangerous?", "dangerous"),
        ("We don't know if it's dangerous", "dangerous"),
        ("The danger has not passed", "danger"),
        ("I can't get out, the house is on fire", "on fire"),
        ("It smells like gas here", "smells like gas"),
        ("Not dangerous but urgent", "urgent"),
        ("The fire is out of control, flooding too", "flooding"),
    ],
)
def test_a_word_counts_when_it_is_meant(text: str, word: str) -> None:
    verdict = told(text)
    assert (verdict.urgent, verdict.why) == (True, {"code": "word", "word": word})


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ("Geen spoed, maar de heg moet een keer gesnoeid", "geen"),
        ("Er is geen enkel gevaar, hoor", "geen"),
        ("Er is geen sprake van gevaar", "geen"),
        ("Dit is niet dringend", "niet"),
        ("Het is niet zo heel erg gevaarlijk", "niet"),
        ("Het is niet meer gevaarlijk", "niet"),
        ("Niet langer gevaarlijk sinds het hek er staat", "niet"),
        ("Het is níet gevaarlijk", "niet"),
        ("Zonder gevaar over te steken", "zonder"),
        ("Er is niemand gewond", "niemand"),
        ("Gelukkig raakte niemand ernstig gewond", "niemand"),
        ("Ik denk niet dat het dringend is", "niet"),
        ("Niet gevaarlijk of dringend", "niet"),
        ("Noch gevaarlijk noch dringend", "noch"),
        ("Dringend is het niet", "niet"),
        ("Dringend is het niet hoor.", "niet"),
        ("Spoed is niet nodig.", "niet"),
        ("Gevaar is er niet meer.", "niet"),
        ("Gevaarlijk niet, wel vervelend", "niet"),
        ("Dringend? Nee hoor.", "nee"),
        ("Dringend: nee", "nee"),
        ("Niet dringend, toch?", "niet"),
        ("Het gevaar is geweken", "geweken"),
        ("Het gaslek is inmiddels gedicht", "gedicht"),
        ("De brand is uit.", "uit"),
        ("Het was gevaarlijk maar is nu opgelost", "opgelost"),
        ("Gisteren was het gevaarlijk, nu is het verholpen", "verholpen"),
        ("Er is geen\nspoed", None),
        ("Wij melden dit voor de volledigheid en er is echt geen\nspoed bij", "geen"),
        ("It is not urgent", "not"),
        ("It isn't urgent any more", "isnt"),
        ("It isn\u2019t really all that urgent", "isnt"),
        ("It's not an emergency", "not"),
        ("This is nothing urgent", "nothing"),
        ("There is no immediate danger", "no"),
        ("No sign of danger", "no"),
        ("Nobody was injured", "nobody"),
        ("No one is injured", "one"),
        ("I wouldn't call it urgent", "wouldnt"),
        ("I don't think it is dangerous", "dont"),
        ("I do not think it's urgent", "not"),
        ("It doesn't look dangerous", "doesnt"),
        ("Not dangerous or urgent", "not"),
        ("It is no longer dangerous", "no"),
        ("Urgent? Not really.", "not"),
        ("The danger has passed", "passed"),
        ("It was dangerous but has been fixed", "fixed"),
    ],
)
def test_a_word_that_is_denied_or_over_does_not_count(text: str, by: str | None) -> None:
    verdict = told(text)
    if by is None:
        # A short line was ended by its writer: then it is no one sentence.
        assert verdict.urgent
        return
    assert not verdict.urgent
    assert verdict.why["code"] == "denied"
    assert verdict.why["by"] == by


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Geen haast hoor",
        "No rush at all",
        "De brandweer was hier voor een open dag",
        "De brandnetels groeien over het pad",
        "Ik woon in de Brandstraat",
        "My brand new bike was stolen",
        "Which brand of lamp is this?",
        "De lantaarnpaal brand de hele dag",
        "Het kind is buiten gevaar",
        "...!!! ??? \u200b",
    ],
)
def test_what_only_looks_like_it_says_nothing(text: str) -> None:
    assert told(text).why["code"] == "nothing"


QUOTED = """> Er is brand in de kelder
> en een gaslek"""


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        (QUOTED, ""),
        (f"Dank, dat is opgelost.\n\n{QUOTED}", ""),
        (f"Op 3 november om 10:14 schreef Jan <jan@voorbeeld.nl>:\n{QUOTED}\n\nBedankt!", ""),
        ("Dank.\n  > gaslek\nGroet", ""),
        ("Zie onder.\n\n-----Oorspronkelijk bericht-----\nEr is brand!", ""),
        ("FYI\n\n-----Original Message-----\nThere is danger", ""),
        ("Van: Jan\nVerzonden: maandag\nAan: Gemeente\nOnderwerp: brand\n\nEr is brand", ""),
        ("Op 12 november 2026 schreef Piet (piet@x.nl):\nHet is levensgevaarlijk.", ""),
        ("On 12 Nov 2026 at 10:00 Pete <p@x.nl> wrote:\nIt is an emergency.", ""),
        ("Nog iets gehoord?", "Re: Dringend: gaslek"),
        ("Nog iets gehoord?", "Antw: SPOED"),
        ("Zie bijlage", "FW: emergency"),
        ("Dank u wel\n\n-- \nJan, Brand en Zonen", ""),
    ],
)
def test_what_is_quoted_or_passed_on_does_not_count(text: str, subject: str) -> None:
    assert told(text, subject).why["code"] == "nothing"


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        (f"Nu is er weer een gaslek!\n\n{QUOTED}", ""),
        (f"{QUOTED}\n\nEn nu is er weer gevaar.", ""),
        ("Op 12 november schreef ik u al:\nEr is gaslucht in de gang.", ""),
        ("Er komt water uit de muur.", "Dringend: lekkage"),
    ],
)
def test_her_own_words_count_beside_a_quote(text: str, subject: str) -> None:
    assert told(text, subject).urgent


def test_her_own_name_does_not_count() -> None:
    mail = "De heg is te hoog.\n\nGroet, Jan Brand"
    assert judge(DEFAULT, Facts(text=mail)).urgent
    assert not judge(DEFAULT, Facts(text=mail, name="Jan Brand")).urgent
    assert judge(DEFAULT, Facts(text="Jan Brand hier. Er is brand!", name="Jan Brand")).urgent


NINE_TO_FIVE = Hours(((540, 1020),) * 5 + (None, None))


def only(rule: Rule) -> Ruleset:
    return Ruleset((rule,), hours=NINE_TO_FIVE)


def test_a_rule_holds_for_the_channels_and_senders_it_names() -> None:
    rules = only(
        Rule(
            "agents",
            "every",
            channels=frozenset({"email"}),
            senders=frozenset({"professional"}),
        )
    )
    agent = Facts(text="Bel me even", channel="email", sender="professional")
    assert judge(rules, agent).why["code"] == "every"
    assert not judge(rules, Facts(text="Bel me even", channel="web", sender="professional")).urgent
    assert not judge(rules, Facts(text="Bel me even", channel="email")).urgent


@pytest.mark.parametrize(("when", "urgent"), [("open", False), ("closed", True), ("always", True)])
def test_a_rule_may_hold_outside_opening_hours_only(when: str, urgent: bool) -> None:
    rules = only(Rule("rats", "words", words=("ratten",), when=when))
    verdict = judge(rules, Facts(text="Er zijn ratten", open=False))
    assert verdict.urgent is urgent
    assert verdict.why.get("when") == ("closed" if when == "closed" else None)


def test_a_rule_that_is_off_says_nothing() -> None:
    assert not judge(only(Rule("x", "words", on=False, words=("brand",))), Facts("brand")).urgent


def test_a_tick_counts_without_any_word() -> None:
    verdict = judge(DEFAULT, Facts(text="Kom snel", ticked=True))
    assert (verdict.rule, verdict.why) == ("ticked", {"code": "ticked"})
    assert not judge(DEFAULT, Facts(text="Kom snel")).urgent


def test_messages_that_repeat_are_urgent_from_the_number_that_the_rule_says() -> None:
    assert not judge(DEFAULT, Facts(text="Hallo?", recent={60: 3})).urgent
    verdict = judge(DEFAULT, Facts(text="Hallo?", recent={60: 4}))
    assert verdict.why == {"code": "repeated", "times": 4, "minutes": 60}


def test_the_first_rule_that_holds_gives_the_reason() -> None:
    verdict = judge(DEFAULT, Facts(text="Dringend! Gaslek!", ticked=True))
    assert (verdict.rule, verdict.why["word"]) == ("danger", "gaslek")


def test_phrases_and_accents_and_apostrophes_are_found_as_people_type_them() -> None:
    rules = only(Rule("x", "words", words=("café in brand", "can't breathe", "🔥")))
    for text in ("Het CAFE in   brand!", "I can\u2019t breathe", "cant breathe", "help 🔥🔥"):
        assert judge(rules, Facts(text)).urgent, text
    assert not judge(rules, Facts("café. In brand")).urgent
