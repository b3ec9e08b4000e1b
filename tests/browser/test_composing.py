"""What a coordinator has in her hands while she writes: templates, photos, and whom it is about."""

import re
from io import BytesIO

from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.browser import Office, Phone


def chosen(page: Page) -> str:
    """Return what is selected in the composer."""
    return str(
        page.locator("#composer-text").evaluate(
            "(field) => field.value.slice(field.selectionStart, field.selectionEnd)"
        )
    )


def test_no_resident_reads_what_a_template_still_asks(anna: Phone, office: Office) -> None:
    question = office.question()
    page = anna.context.pages[0]
    anna.opens(page, question)
    page.get_by_role("button", name="Standaardteksten").click()
    page.get_by_role("dialog").get_by_role("button", name="Ontvangen").click()
    field = page.locator("#composer-text")
    expect(field).to_be_focused()
    assert chosen(page) == "{datum}"
    expect(field).to_have_value(re.compile("groet,\\nAnna de Vries$"))

    page.locator("#composer-send").click()
    expect(page.get_by_role("alert")).to_have_text("Vul eerst {datum} in, of haal het weg")
    assert chosen(page) == "{datum}"
    page.keyboard.type("vrijdag")
    page.locator("#composer-send").click()
    expect(page.locator(".message.out", has_text="uiterlijk vrijdag weten")).to_be_visible()
    assert office.ask("SELECT count(*) FROM message WHERE text LIKE '%{%'") == [(0,)]
    assert anna.complaints == []


def test_a_photo_of_a_contact_note_is_seen_as_soon_as_it_is_picked(anna: Phone) -> None:
    page = anna.context.pages[0]
    page.goto(anna.url("/new"))
    page.locator("[name=text]").fill("De stoep ligt los.")
    picture = BytesIO()
    Image.new("RGB", (640, 480), "gray").save(picture, "JPEG")
    page.locator("input[type=file][multiple]").set_input_files(
        {"name": "stoep.jpg", "mimeType": "image/jpeg", "buffer": picture.getvalue()}
    )
    expect(page.locator(".attached li")).to_be_in_viewport(ratio=1)
    assert anna.complaints == []


def test_who_left_no_address_has_none_on_the_screen(anna: Phone, office: Office) -> None:
    question = office.question()
    page = anna.context.pages[0]
    anna.opens(page, question)
    page.get_by_role("button", name="Gegevens").click()
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_text("Webformulier")).to_be_visible()
    expect(sheet.get_by_text("Contactgegeven")).to_have_count(0)
    expect(sheet.get_by_text(question)).to_have_count(0)
