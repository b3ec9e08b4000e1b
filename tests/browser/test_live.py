"""What a resident writes comes onto an open screen by itself: a poke on the stream, then a pull."""

from playwright.sync_api import expect

from tests.support.browser import Office, Phone
from tests.support.colleague import Colleague

TEXT = "Ik heb de bewoner zojuist gesproken."
MARK = "globalThis.neverReloaded = true"


def test_a_colleagues_note_appears_on_an_open_screen_without_reloading(
    anna: Phone, office: Office
) -> None:
    question = office.question()
    page = anna.context.pages[0]
    anna.opens(page, question)
    page.evaluate(MARK)
    with Colleague(office, "Bram") as bram:
        bram.does("note", question, text=TEXT)
    # Sooner than any other reason to look: nothing was tapped, and the stream is what is left.
    expect(page.locator(".message.note", has_text=TEXT)).to_be_visible()
    assert page.evaluate("globalThis.neverReloaded") is True
    assert office.line.did["none"] > 0
