"""What tells that two residents may be one, and what does not."""

import pytest

from app.residents.rules import Clue, Reason, own, plain_name, plain_number, said, together, why


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("06-12345678", "31612345678"),
        ("06 12 34 56 78", "31612345678"),
        ("+31 6 1234 5678", "31612345678"),
        ("+31 (0)6-12345678", "31612345678"),
        ("0031612345678", "31612345678"),
        ("050 - 312 34 56", "31503123456"),
        ("+49 30 901820", "4930901820"),
        ("14 050", ""),
        ("112", ""),
        ("06-1234567", ""),
        ("", ""),
        ("geen", ""),
        ("06+12345678", ""),
        ("0000000000", ""),
        ("٠٦١٢٣٤٥٦٧٨", ""),
    ],
)
def test_one_telephone_number_is_written_in_many_ways(written: str, plain: str) -> None:
    assert plain_number(written) == plain


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Fatima El Idrissi", "fatima el idrissi"),
        ("  JAN  de Vries ", "jan de vries"),
        ("José Núñez", "jose nunez"),
        ("Jan", ""),
        ("J. de V.", ""),
        ("jan@voorbeeld.nl de Vries", ""),
        ("Bewoner 12 Straat", ""),
        ("", ""),
    ],
)
def test_only_a_full_name_is_a_hint(written: str, plain: str) -> None:
    assert plain_name(written) == plain


@pytest.mark.parametrize(
    ("words", "kind", "value"),
    [
        ("Mail me op Jan.Vries+stoep@Voorbeeld.NL.", "email", "jan.vries+stoep@voorbeeld.nl"),
        ("Bel gerust: 06-12345678!", "phone", "31612345678"),
        ("(tel. +31 6 12345678)", "phone", "31612345678"),
        (
            "Ik ben @Jan@mastodon.noord.example daar",
            "handle",
            "@jan@mastodon.noord.example",
        ),
        ("in Matrix @jan:voorbeeld.example", "handle", "@jan:voorbeeld.example"),
        ("zie @jan.bsky.social", "handle", "@jan.bsky.social"),
    ],
)
def test_what_she_types_of_herself_is_found(words: str, kind: str, value: str) -> None:
    assert said(words) == {Clue(kind, value, False)}


@pytest.mark.parametrize(
    "words",
    [
        "Het is nummer 12, al sinds 2019.",
        "IBAN NL02ABNA0123456789",
        "kosten: 0,50 euro of 06",
        "BSN 123456782",
        "melding 2026-0012345",
        "https://voorbeeld.example/@jan/110123456789",
        "jan@localhost en @jan",
        "",
    ],
)
def test_other_numbers_and_words_are_no_clue(words: str) -> None:
    assert said(words) == frozenset()


def test_a_list_of_addresses_is_cut_short() -> None:
    assert len(said(" ".join(f"buur{n}@voorbeeld.nl" for n in range(50)))) == 10


def test_words_that_never_end_are_read_in_no_time() -> None:
    for piece in ("0 ", "a.", "@a.", "+-", "@a:", "06-1 ", "a@a.a."):
        assert len(said(piece * 10_000)) <= 10


@pytest.mark.parametrize(
    ("channel", "address", "kind", "value"),
    [
        ("email", "Jan@Voorbeeld.nl", "email", "jan@voorbeeld.nl"),
        ("web", "jan@voorbeeld.nl", "email", "jan@voorbeeld.nl"),
        ("whatsapp", "31612345678", "phone", "31612345678"),
        ("mastodon", "jan@mastodon.example", "handle", "@jan@mastodon.example"),
        ("matrix", "@jan:thuis.example !room:thuis.example", "handle", "@jan:thuis.example"),
    ],
)
def test_where_she_writes_from_is_her_own(
    channel: str, address: str, kind: str, value: str
) -> None:
    assert own(channel, address) == {Clue(kind, value, True)}


@pytest.mark.parametrize(
    ("channel", "address"),
    [("telegram", "31612345678"), ("web", "0191d5d0-0000-7000-8000-000000000000"), ("x", "1234")],
)
def test_a_platforms_own_number_is_no_telephone(channel: str, address: str) -> None:
    assert own(channel, address) == frozenset()


def test_a_contact_note_has_her_number_and_her_name() -> None:
    assert own("contact", "", phone="06 12345678", name="Jan de Vries") == {
        Clue("phone", "31612345678", True),
        Clue("name", "jan de vries", True),
    }


MAIL = Clue("email", "jan@voorbeeld.nl", True)
SAID = Clue("email", "jan@voorbeeld.nl", False)
NAME = Clue("name", "jan de vries", True)


def test_a_number_weighs_more_than_a_name() -> None:
    reason = why([NAME, MAIL], [NAME, SAID], same_area=True)
    assert reason == Reason("email", "jan@voorbeeld.nl")


def test_two_who_both_write_of_the_same_address_are_not_one() -> None:
    assert why([SAID], [SAID], same_area=True) is None


def test_a_name_tells_something_within_one_area_only() -> None:
    assert why([NAME], [NAME], same_area=True) == Reason("name", "jan de vries")
    assert why([NAME], [NAME], same_area=False) is None


def test_different_addresses_are_no_reason() -> None:
    assert why([MAIL], [Clue("email", "piet@voorbeeld.nl", True)], same_area=True) is None


def test_who_is_one_with_whom_follows_from_the_pairs() -> None:
    pairs = [("c", "d"), ("a", "b"), ("b", "c"), ("x", "y")]
    assert together(["a"], pairs) == {"a", "b", "c", "d"}
    assert together(["x"], pairs) == {"x", "y"}
    assert together(["z"], pairs) == {"z"}
