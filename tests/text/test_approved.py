"""Approved texts: what is read of a line, and what may fill a blank."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.approved import MAX_CHARS, Approved, read

READY = "antwoord_klaar | nl | Beste {{1}}, er is een antwoord over {{2}}. Groet, {{1}}"


def test_a_line_has_a_name_a_language_and_a_text_with_blanks() -> None:
    one = read(READY)
    assert (one.name, one.language, one.blanks) == ("antwoord_klaar", "nl", ("1", "2"))
    assert one.filled({"1": "Fatma", "2": "de lamp"}) == (
        "Beste Fatma, er is een antwoord over de lamp. Groet, Fatma"
    )


def test_numbers_go_by_their_size_and_names_as_they_come() -> None:
    assert read("a | nl | {{2}} voor {{1}}").blanks == ("1", "2")
    assert read("a | nl | {{wijk}} en {{naam}} in {{wijk}}").blanks == ("wijk", "naam")
    assert read("a | nl | Dag | en weer dag").text == "Dag | en weer dag"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a | nl",
        "A b | nl | Dag",
        "a | nl | {{2}}",
        "a | nl | {{1}} {{3}}",
        "a | nl | {{1}} {{naam}}",
        "a | nl | {{Naam}}",
        "a | nl | {{ naam }}",
        "a | nl | {{}}",
        "a | nl | {{naam}",
        "a | nl | naam}}",
        "a | nl | {{{naam}}}",
    ],
)
def test_what_no_platform_would_fill_in_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read(line)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"1": "Fatma"},
        {"1": "Fatma", "2": "de lamp", "3": "x"},
        {"1": "Fatma", "2": "   "},
        {"1": "Fatma", "2": "de\nlamp"},
        {"1": "Fatma", "2": "de\tlamp"},
        {"1": "Fatma", "2": "de     lamp"},
        {"1": "Fatma", "2": "x" * MAX_CHARS},
    ],
)
def test_a_value_that_the_platform_refuses_is_refused_before(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read(READY).filled(values)


@given(st.text(alphabet="ab {}12\\$&", min_size=1, max_size=12).filter(str.strip))
def test_what_stands_in_a_blank_is_never_read_as_a_blank(value: str) -> None:
    if " " * 5 in value:
        return
    filled = Approved("a", "nl", "<{{1}}|{{2}}>").filled({"1": value, "2": "{{1}}"})
    assert filled == f"<{value}|{{{{1}}}}>"
