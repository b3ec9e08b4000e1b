"""The rota as a calendar: RFC 5545, byte for byte."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.oncall.calendar import Event, escape, fold, write

EVENT = Event(
    uid="01a0@stoep.voorbeeld.example",
    summary="Piket Paddepoel: Anna, of Bram; \\ morgen",
    description="Regel een\nRegel twee",
    starts_at_ms=1_793_610_000_000,
    ends_at_ms=1_793_638_800_000,
    changed_at_ms=1_793_600_000_000,
)


def unfold(body: bytes) -> list[str]:
    """Undo the folding as a calendar program does (RFC 5545, 3.1)."""
    return body.replace(b"\r\n ", b"").decode().split("\r\n")[:-1]


def unescape(value: str) -> str:
    """Undo the escaping of a text value (RFC 5545, 3.3.11)."""
    plain, rest = "", iter(value)
    for one in rest:
        plain += (
            {"n": "\n", "N": "\n"}.get(following := next(rest), following) if one == "\\" else one
        )
    return plain


def test_an_event_as_a_calendar_reads_it() -> None:
    lines = unfold(write("Piket", [EVENT]))
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-1] == "END:VCALENDAR"
    start = lines.index("BEGIN:VEVENT")
    assert lines[start + 1 : start + 7] == [
        "UID:01a0@stoep.voorbeeld.example",
        "DTSTAMP:20261102T061320Z",
        "DTSTART:20261102T090000Z",
        "DTEND:20261102T170000Z",
        "SUMMARY:Piket Paddepoel: Anna\\, of Bram\\; \\\\ morgen",
        "DESCRIPTION:Regel een\\nRegel twee",
    ]


def test_the_same_rota_is_the_same_bytes_in_whatever_order_it_came() -> None:
    other = Event("02", "b", "", 1, 2, 3)
    assert write("Piket", [EVENT, other]) == write("Piket", [other, EVENT])


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_no_line_is_longer_than_the_standard_allows_and_none_is_cut_in_a_character(
    text: str,
) -> None:
    body = fold(f"SUMMARY:{escape(text)}")
    for line in body.removesuffix(b"\r\n").split(b"\r\n"):
        assert len(line) <= 75
        line.decode()  # raises when a character was cut in two


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"])))
def test_a_name_can_end_no_line_and_begin_no_property(text: str) -> None:
    event = Event("1", text, "", 0, 1, 0)
    lines = unfold(write("Piket", [event]))
    assert len(lines) == 9 + 9 + 1
    (summary,) = [line for line in lines if line.startswith("SUMMARY:")]
    wanted = text.replace("\r\n", "\n").replace("\r", "\n")
    wanted = "".join(one for one in wanted if one == "\n" or (one >= " " and one != "\x7f"))
    assert unescape(summary.removeprefix("SUMMARY:")) == wanted
