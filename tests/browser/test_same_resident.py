"""One person, several channels: asked, said and undone on the phone, with and without a network."""

from pathlib import Path

from playwright.sync_api import expect

from app.ids import uuid7
from tests.browser.test_channels import AXE, VIOLATIONS
from tests.peers.mail import until
from tests.support.browser import Office, Phone
from tests.support.colleague import Colleague

AREA = "WK001410"


def verdict(office: Office) -> str:
    return str(office.ask("SELECT verdict FROM resident_pair")[0][0])


def test_two_who_share_a_number_are_joined_and_parted_again_without_a_network(
    anna: Phone, office: Office
) -> None:
    page = anna.context.pages[0]
    street, desk = uuid7(), uuid7()
    with Colleague(office, "Bram") as bram:
        for conversation, via, name, phone in (
            (street, "street", "Fatima El Idrissi", "06-12345678"),
            (desk, "desk", "mevrouw Idrissi", "+31 6 1234 5678"),
        ):
            bram.does(
                "contact", conversation, via=via, name=name, phone=phone, area=AREA,
                text=f"Over de stoep ({via}).",
            )  # fmt: skip
    page.goto(anna.url(f"/c/{desk}"))
    asked = page.get_by_role("complementary", name="Zelfde inwoner")
    expect(asked).to_contain_text("Misschien dezelfde inwoner als Fatima El Idrissi")
    expect(asked).to_contain_text("Zelfde telefoonnummer: +31612345678")
    expect(asked).to_contain_text("de namen verschillen")
    page.evaluate(Path(AXE).read_text())
    assert page.evaluate(VIOLATIONS) == []

    office.line.goes_down()
    asked.get_by_role("button", name="Ja, dezelfde").click()
    other = asked.get_by_role("link", name="Ander gesprek")
    expect(other).to_be_visible()
    assert verdict(office) == "open"
    office.line.comes_back()
    until(lambda: verdict(office) == "same")

    other.click()
    expect(page.get_by_role("heading", name="Fatima El Idrissi")).to_be_visible()
    page.get_by_role("button", name="Zelfde inwoner").click()
    sheet = page.get_by_role("dialog", name="Zelfde inwoner")
    expect(sheet.get_by_role("link", name="+31612345678")).to_be_visible()
    assert page.evaluate(VIOLATIONS) == []
    sheet.get_by_role("button", name="Maak ongedaan").click()
    expect(sheet.get_by_role("button", name="Maak ongedaan")).to_have_count(0)
    until(lambda: verdict(office) == "open")
    sheet.get_by_role("button", name="Sluiten").click()

    asked.get_by_role("button", name="Nee").click()
    until(lambda: verdict(office) == "different")
    page.reload()
    expect(page.get_by_role("heading", name="Fatima El Idrissi")).to_be_visible()
    expect(page.get_by_role("button", name="Zelfde inwoner")).to_be_visible()
    expect(page.get_by_role("button", name="Ja, dezelfde")).to_have_count(0)
    assert anna.complaints == []
