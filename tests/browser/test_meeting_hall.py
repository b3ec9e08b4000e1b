"""A hall of tablets and phones whose network goes in the middle: every question once, in order."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, expect

from tests.browser.conftest import ARGUMENTS
from tests.peers.mail import until
from tests.support.browser import IN_STEP, Office, Phone, launcher
from tests.support.colleague import Colleague
from tests.support.hall import TABLET, HallPhone, catches, code_of, goes_to, plans, together

PHONES = 40


@pytest.fixture
def new_tablet(
    playwright: Playwright, chromium: str, office: Office, tmp_path: Path
) -> Iterator[Callable[[], Phone]]:
    """Make tablets with a profile of their own; they are closed at the end."""
    tablets: list[Phone] = []

    def make() -> Phone:
        launch = launcher(playwright, chromium, ARGUMENTS, TABLET)
        tablets.append(Phone(launch, tmp_path / f"tablet-{len(tablets)}", office))
        tablets[-1].signs_in(tablets[-1].start())
        return tablets[-1]

    yield make
    for tablet in tablets:
        tablet.close()


def test_three_tablets_forty_phones_a_cut_and_a_dead_battery(
    new_tablet: Callable[[], Phone], office: Office
) -> None:
    tablets = [new_tablet() for _ in range(3)]
    pages = [tablet.context.pages[0] for tablet in tablets]
    meeting = plans(tablets[0], pages[0], "Avond in de zaal", ["Verkeer", "Groen"])
    until(lambda: office.ask("SELECT 1 FROM meeting WHERE id = ? AND state = 'open'", meeting))
    for tablet, page in zip(tablets, pages, strict=True):
        goes_to(tablet, page, meeting)
    code = code_of(office, meeting)
    phones = [HallPhone(office.line.url, code) for _ in range(PHONES)]
    together(phones, HallPhone.opens)

    # With a network.
    said: list[str] = []

    def round_of(label: str, times: int) -> None:
        for turn in range(times):
            for number, page in enumerate(pages):
                said.append(f"Tablet {number} vraagt {label} {turn}")
                catches(page, said[-1])

    round_of("met netwerk", 2)
    first, second = phones[: PHONES // 2], phones[PHONES // 2 :]
    words = {phone: f"Telefoon {number} vraagt" for number, phone in enumerate(phones)}
    assert together(first, lambda phone: phone.asks(words[phone])) == [303] * len(first)

    # The hall's network goes. Phones say so; the tablets go on alone, and say that.
    office.line.goes_down()
    assert together(second, lambda phone: phone.asks(words[phone])) == [0] * len(second)
    round_of("zonder netwerk", 2)
    for page in pages:
        expect(page.locator(".stored")).to_contain_text("Alles bewaard op dit toestel")
        expect(page.locator(".stored")).to_contain_text("dit toestel gaat alleen verder")
    # Decided without a network, on the second tablet.
    mine = pages[1].locator(".question", has_text="Tablet 1 vraagt zonder netwerk 0")
    mine.get_by_role("button", name="Wat gebeurt ermee?").click()
    pages[1].locator("dialog textarea").fill("In maart.")
    pages[1].locator("dialog .primary").click()
    expect(mine.locator(".fate.answered")).to_contain_text("In maart.")
    tablets[2].kill()
    assert office.ask("SELECT count(*) FROM meeting_question WHERE text LIKE '%zonder%'") == [(0,)]

    # It is back; the third tablet has been charged a little.
    office.line.comes_back()
    assert together(second, lambda phone: phone.asks(words[phone])) == [303] * len(second)
    pages[2] = tablets[2].start()
    goes_to(tablets[2], pages[2], meeting)
    round_of("weer met netwerk", 1)
    expected = len(said) + PHONES
    asked = partial(office.ask, "SELECT text FROM meeting_question ORDER BY asked_at_ms, id")
    until(lambda: len(asked()) == expected, patience_s=60)
    for page in pages:
        expect(page.locator(".bar-text")).to_contain_text(IN_STEP)
        expect(page.locator(".bar-pill")).to_have_count(0)

    # Every question once, in the order in which it was asked, and followed by a conversation.
    texts = [text for (text,) in asked()]
    assert sorted(texts) == sorted([*said, *words.values()])
    assert [text for text in texts if text.startswith("Tablet")] == said
    assert office.ask("SELECT count(DISTINCT conversation_id), count(*) FROM meeting_question") == [
        (expected, expected)
    ]
    assert office.ask(
        "SELECT count(*) FROM meeting_question q JOIN message m ON m.conversation_id ="
        " q.conversation_id AND m.direction = 'in' AND m.text = q.text"
    ) == [(expected,)]

    # A person looks at what the phones sent, and something becomes of each.
    with Colleague(office, "Anna") as anna:
        for question, conversation, source, fate in office.ask(
            "SELECT id, conversation_id, source, fate FROM meeting_question"
        ):
            if source == "phone":
                anna.does("moderate", conversation, question=question, state="shown", reason="")
            if fate == "open":
                anna.does("fate", conversation, question=question, fate="later", text="Per brief")
    (question,) = office.ask("SELECT id FROM meeting_question WHERE text = ?", words[phones[0]])[0]
    for _ in range(2):
        assert set(together(phones, lambda phone: phone.supports(question))) == {303}
    assert office.ask("SELECT support FROM meeting_question WHERE id = ?", question) == [(PHONES,)]

    # Everyone sees every fate: the hall, and each tablet.
    board = phones[-1].opens().partition('id="all"')[2]
    places = [board.index(f">{text}<") for text in texts]
    assert places == sorted(places, reverse=True)
    assert board.count('<p class="fate later">') == expected - 1
    assert board.count('<p class="fate answered">') == 1
    for page in pages:
        expect(page.locator(".questions h2 .number").last).to_have_text(str(expected))
        shown = page.locator(".question")
        while (seen := shown.count()) < expected:
            page.get_by_role("button", name="Meer").click()
            expect(shown).not_to_have_count(seen)
        expect(page.locator(".question .fate.later")).to_have_count(expected - 1)
        expect(page.locator(".question .fate.answered")).to_have_count(1)
    assert [tablet.complaints for tablet in tablets] == [[], [], []]
    together(phones, HallPhone.leaves)
