"""The rules of urgency on a real phone: changed, tried out, in use; and one tap says otherwise."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import PHONE
from tests.peers.mail import until
from tests.support.browser import Office, Phone

AXE = Path(__file__).parents[2] / "static/node_modules/axe-core/axe.min.js"
VIOLATIONS = """async () => {
  await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
  const { violations } = await axe.run();
  return violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
}"""
FIRE = "Het ruikt al een uur naar gas"


@pytest.fixture
def esther(new_phone: Callable[[], Phone]) -> Phone:
    """The manager's phone, at the rules."""
    phone = new_phone()
    page = phone.start()
    page.goto(phone.url("/sign-in"))
    page.get_by_role("button", name="Esther").click()
    # The bar tells a lead first whose phone cannot be woken, so not that all is in step.
    expect(page.locator("[href^='/c/']").first).to_be_visible()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    until(lambda: page.evaluate("caches.keys().then((names) => names.length)"))
    opens_rules(phone, page)
    return phone


@pytest.fixture
def dirk(office: Office) -> Iterator[httpx.Client]:
    """Webcare at another machine, without a browser."""
    address = office.server.url.replace("127.0.0.1", "localhost")
    with httpx.Client(base_url=address, headers={"Origin": address}, timeout=30) as http:
        ((person,),) = office.ask("SELECT id FROM person WHERE name LIKE 'Dirk%'")
        assert http.post("/demo/sign-in", data={"person": person}).is_redirect
        yield http


def opens_rules(phone: Phone, page: Page) -> None:
    page.goto(phone.url("/phone"))
    page.get_by_role("link", name="Spoedregels").click()
    expect(page.get_by_role("heading", name="Gevaar")).to_be_visible()


def adds_word(page: Page, rule: str, word: str) -> None:
    page.get_by_role("button", name=f"Wijzig: {rule}").click()
    sheet = page.get_by_role("dialog", name=rule)
    sheet.get_by_label("Woord of zin erbij").fill(word)
    sheet.get_by_role("button", name="Erbij", exact=True).click()
    expect(sheet.get_by_role("button", name=f"Haal weg: {word}")).to_be_visible()
    sheet.get_by_role("button", name="Bewaren").click()
    expect(sheet).to_have_count(0)


def draft(page: Page) -> Locator:
    return page.get_by_role("region", name="Concept: nog niet in gebruik")


def words_of(office: Office, state: str) -> list[str]:
    """Return the words of the first rule, as they are stored."""
    rows = office.ask("SELECT body FROM triage_rules WHERE state = ?", state)
    return list(json.loads(rows[0][0])["rules"][0]["words"]) if rows else []


def test_a_word_is_tried_on_earlier_messages_before_it_counts(
    esther: Phone, office: Office
) -> None:
    page = esther.context.pages[0]
    adds_word(page, "Gevaar", "lantaarnpaal")
    expect(draft(page)).to_contain_text("gewijzigd door Esther Wiersma")
    assert "lantaarnpaal" in words_of(office, "draft")
    draft(page).get_by_role("button", name="Probeer uit").click()
    trial = page.get_by_role("dialog", name="Uitproberen")
    expect(trial).to_contain_text("1 bericht krijgt spoed")
    expect(trial).to_contain_text("De lantaarnpaal bij nummer 84 knippert")
    expect(trial).to_contain_text("er staat “lantaarnpaal” in het bericht")
    assert words_of(office, "live") == []
    trial.get_by_role("button", name="Neem in gebruik").click()
    expect(page.get_by_text("door Esther Wiersma (versie 1)")).to_be_visible()
    expect(draft(page)).to_have_count(0)
    assert "lantaarnpaal" in words_of(office, "live")
    assert esther.complaints == []


def test_a_switch_and_the_waste_basket_change_the_draft_only(esther: Phone, office: Office) -> None:
    page = esther.context.pages[0]
    page.get_by_role("switch", name="Schrijft steeds weer aan").click()
    expect(draft(page)).to_be_visible()
    expect(page.get_by_role("switch", name="Schrijft steeds weer aan")).not_to_be_checked()
    draft(page).get_by_role("button", name="Concept weg").click()
    expect(page.get_by_role("switch", name="Schrijft steeds weer aan")).to_be_checked()
    assert words_of(office, "draft") == []
    page.get_by_role("button", name="Ongedaan maken").click()
    expect(draft(page)).to_be_visible()
    assert words_of(office, "draft") != []


def test_of_two_who_edit_at_once_nobody_loses_what_she_wrote(
    esther: Phone, dirk: httpx.Client, office: Office
) -> None:
    page = esther.context.pages[0]
    body = dirk.get("/api/v1/triage/rules").json()["live"]["body"]
    body["rules"][0]["words"] = ["ratten"]
    stored = dirk.put(
        "/api/v1/triage/rules/draft", json={"version": 0, "revision": 0, "body": body}
    )
    assert stored.status_code == 200, stored.text

    adds_word(page, "Gevaar", "lantaarnpaal")
    clash = page.get_by_role("alert").filter(has_text="heeft het concept intussen gewijzigd")
    expect(clash).to_contain_text("Dirk van der Meulen")
    expect(page.locator(".rule").first).to_contain_text("“ratten”")
    assert words_of(office, "draft") == ["ratten"]
    clash.get_by_role("button", name="Zet de mijne ervoor in de plaats").click()
    expect(clash).to_have_count(0)
    until(lambda: "lantaarnpaal" in words_of(office, "draft"))


def test_without_a_network_the_rules_are_read_and_not_changed(
    esther: Phone, office: Office
) -> None:
    page = esther.context.pages[0]
    office.line.goes_down()
    page.get_by_role("switch", name="Schrijft steeds weer aan").click()
    expect(
        page.get_by_text("Dit zijn de regels zoals ze het laatst zijn opgehaald")
    ).to_be_visible()
    until(lambda: office.line.did["refuse"])
    expect(page.get_by_role("heading", name="Gevaar")).to_be_visible()
    expect(page.get_by_role("button", name="Wijzig: Gevaar")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Regels staan niet op deze telefoon")).to_be_visible()
    office.line.comes_back()
    expect(page.get_by_role("button", name="Wijzig: Gevaar")).to_be_visible()
    assert office.ask("SELECT count(*) FROM triage_rules") == [(0,)]


def test_one_tap_without_a_network_says_that_it_is_not_urgent_and_is_counted(
    anna: Phone, office: Office
) -> None:
    page = anna.context.pages[0]
    ((question,),) = office.ask(
        "SELECT conversation_id FROM message WHERE text LIKE ? || '%'", FIRE
    )
    anna.opens(page, question)
    verdict = page.locator(".verdict")
    expect(verdict).to_contain_text("Spoed: er staat “naar gas” in het bericht.")
    office.line.goes_down()
    verdict.get_by_role("button", name="Geen spoed").click()
    expect(verdict).to_contain_text("Spoed is weggehaald. De regel zag: er staat “naar gas”")
    until(lambda: office.line.did["refuse"])
    assert office.ask("SELECT corrected_to FROM triage_verdict") == [(None,)]
    office.line.comes_back()
    until(lambda: office.ask("SELECT corrected_to FROM triage_verdict") == [(0,)])
    expect(verdict).to_contain_text("Jij haalde de spoed weg.")
    assert anna.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_the_rules(browser: Browser, office: Office, theme: str) -> None:
    context = browser.new_context(**PHONE, color_scheme=theme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{office.line.url}/sign-in")
    page.get_by_role("button", name="Esther").click()
    expect(page.locator("[href^='/c/']").first).to_be_visible()
    page.goto(f"{office.line.url}/rules")
    expect(page.get_by_role("heading", name="Gevaar")).to_be_visible()

    def sound() -> None:
        page.evaluate(AXE.read_text())
        assert page.evaluate(VIOLATIONS) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    page.get_by_role("switch", name="Schrijft steeds weer aan").click()
    expect(draft(page)).to_be_visible()
    sound()
    for opener in ("Wijzig: Gevaar", "Wijzig: Reactietermijn voorbij", "Wijzig: Openingstijden"):
        page.get_by_role("button", name=opener).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        sound()
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Probeer uit").click()
    expect(page.get_by_role("dialog")).to_contain_text("Spoed met het concept")
    sound()
    context.close()
