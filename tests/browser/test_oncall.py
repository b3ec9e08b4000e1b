"""Urgent, on a real phone: taken up without a network, handed over, and read by whoever needs it.

The network is cut between browser and server, by a line that counts; each test sees that it was.
"""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from app.ids import uuid7
from tests.browser.conftest import PHONE
from tests.peers.mail import until
from tests.support.browser import Office, Phone
from tests.support.colleague import HOUR_MS, Colleague

AXE = Path(__file__).parents[2] / "static/node_modules/axe-core/axe.min.js"
VIOLATIONS = """async () => {
  await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
  const { violations } = await axe.run();
  return violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
}"""
REASON = "Iemand in gevaar bij de vijver"


@pytest.fixture
def bram(office: Office) -> Iterator[Colleague]:
    """Her colleague of the same team, at another machine."""
    with Colleague(office, "Bram") as colleague:
        yield colleague


def says_urgent(office: Office, bram: Colleague, question: str, reason: str = REASON) -> None:
    """Let Bram mark a question as urgent while Anna is on call; her alert is open."""
    bram.puts_on_call("Anna", question)
    bram.does("urgent", question, urgent=True, reason=reason)
    assert alerts(office, question) == [("open", None)]


def alerts(office: Office, question: str) -> list[tuple[str, str | None]]:
    """Return state and taker of each alert of a conversation."""
    return office.ask(
        "SELECT a.state, p.name FROM alert a LEFT JOIN person p ON p.id = a.acknowledged_by"
        " WHERE a.conversation_id = ?",
        question,
    )


def proves_phone(office: Office, name: str) -> None:
    """Let a person's phone have shown a push a minute ago."""
    ago_ms = int(time.time() * 1000) - 60_000
    ((device, person),) = office.ask(
        "SELECT d.id, d.person_id FROM device d JOIN person p ON p.id = d.person_id"
        " WHERE p.name LIKE ? || '%' LIMIT 1",
        name,
    )
    values = {
        "id": uuid7(),
        "device_id": device,
        "person_id": person,
        "endpoint": f"https://push.example/{device}",
        "p256dh": "",
        "auth": "",
        "server_key": "",
        "browser": "chrome",
        "platform": "android",
        "state": "proven",
        "created_at_ms": ago_ms,
        "proven_at_ms": ago_ms,
        "tested_at_ms": ago_ms,
        "next_test_at_ms": ago_ms + 24 * HOUR_MS,
    }
    marks = ", ".join("?" * len(values))
    office.ask(
        f"INSERT INTO push_subscription ({', '.join(values)}) VALUES ({marks})", *values.values()
    )


def local(page: Page, ms: float) -> str:
    """Return an instant as `datetime-local` wants it on this phone."""
    offset_min = page.evaluate("ms => new Date(ms).getTimezoneOffset()", ms)
    return time.strftime("%Y-%m-%dT%H:%M", time.gmtime(ms / 1000 - offset_min * 60))


def taken_on(page: Page) -> Locator:
    """Return the line that says who took it up."""
    return page.get_by_role("region", name="Opgepakt", exact=True)


def test_taken_up_without_a_network_it_is_hers_once_after_the_browser_died(
    anna: Phone, bram: Colleague, office: Office
) -> None:
    question = office.question()
    says_urgent(office, bram, question)
    page = anna.context.pages[0]
    anna.opens(page, question)
    banner = page.get_by_role("region", name="Nog niet opgepakt")
    expect(banner).to_contain_text(REASON)
    expect(banner).to_contain_text("Open sinds")

    office.line.goes_down()
    banner.get_by_role("button", name="Ik pak het op").press("Enter")
    expect(taken_on(page)).to_contain_text("Jij pakte het op om")
    # The button is gone; the keyboard is not thrown back to the beginning of the page.
    expect(taken_on(page).get_by_role("button", name="Stappen")).to_be_focused()
    expect(taken_on(page)).to_contain_text("Wacht op netwerk")
    until(lambda: office.line.did["refuse"])
    anna.kill()
    assert alerts(office, question) == [("open", None)]

    page = anna.start()
    page.goto(anna.url(f"/c/{question}"))
    expect(taken_on(page)).to_contain_text("Wacht op netwerk")
    office.line.comes_back()
    until(lambda: alerts(office, question) == [("acknowledged", "Anna de Vries")])
    expect(taken_on(page)).to_contain_text("Jij pakte het op om")
    expect(page.locator(".alert-waits")).to_have_count(0)
    expect(page.locator(".event", has_text="Jij pakte de spoed op")).to_have_count(1)
    assert office.ask(
        "SELECT p.name FROM conversation c JOIN person p ON p.id = c.assignee_id WHERE c.id = ?",
        question,
    ) == [("Anna de Vries",)]
    assert office.ask("SELECT count(*) FROM operation WHERE kind = 'acknowledge'") == [(1,)]
    assert anna.complaints == []


def test_a_colleague_who_was_first_is_named_when_the_network_is_back(
    anna: Phone, bram: Colleague, office: Office
) -> None:
    question = office.question()
    says_urgent(office, bram, question)
    page = anna.context.pages[0]
    anna.opens(page, question)
    expect(page.get_by_role("region", name="Nog niet opgepakt")).to_be_visible()
    office.line.goes_down()
    page.get_by_role("button", name="Ik pak het op").click()
    expect(taken_on(page)).to_contain_text("Wacht op netwerk")
    until(lambda: office.line.did["refuse"])
    bram.does("acknowledge", question)

    office.line.comes_back()
    expect(taken_on(page)).to_contain_text("Bram Hofstra pakte het op om")
    until(lambda: office.ask("SELECT count(*) FROM operation WHERE kind = 'acknowledge'") == [(2,)])
    assert alerts(office, question) == [("acknowledged", "Bram Hofstra")]
    expect(page.locator(".alert-waits")).to_have_count(0)


def test_put_off_it_stays_open_for_colleagues(anna: Phone, bram: Colleague, office: Office) -> None:
    question = office.question()
    says_urgent(office, bram, question)
    page = anna.context.pages[0]
    anna.opens(page, question)
    banner = page.get_by_role("region", name="Nog niet opgepakt")
    expect(banner).to_be_visible()
    office.line.goes_down()
    page.get_by_role("button", name="Later (15 min)").click()
    expect(banner).to_contain_text("Jij wordt om")
    expect(banner).to_contain_text("Wacht op netwerk")
    until(lambda: office.line.did["refuse"])
    office.line.comes_back()
    until(lambda: office.ask("SELECT count(*) FROM snooze") == [(1,)])
    expect(banner).to_contain_text("Jij wordt om")
    expect(banner.locator(".alert-waits")).to_have_count(0)
    assert alerts(office, question) == [("open", None)]


def test_the_list_marks_what_nobody_took_up_and_one_tap_does(
    anna: Phone, bram: Colleague, office: Office
) -> None:
    question = office.question()
    says_urgent(office, bram, question)
    page = anna.context.pages[0]
    row = page.locator(f"[data-id='{question}']")
    expect(row.locator(".alert-mark")).to_have_text("Niet opgepakt")
    row.locator(".row-more").click()
    row.get_by_role("button", name="Pak op").click()
    expect(row.locator(".alert-mark")).to_have_count(0)
    until(lambda: alerts(office, question) == [("acknowledged", "Anna de Vries")])


def test_a_shift_is_put_on_the_rota_handed_over_and_read_without_a_network(
    anna: Phone, office: Office
) -> None:
    page = anna.context.pages[0]
    page.goto(anna.url("/oncall"))
    expect(page.locator(".holders")).to_contain_text("Dirk")
    hers = (
        "SELECT s.removed_at_ms FROM shift s JOIN person p ON p.id = s.created_by"
        " WHERE p.name LIKE 'Anna%'"
    )
    now_ms = time.time() * 1000

    page.get_by_role("button", name="Dienst toevoegen").click()
    page.get_by_label("Van", exact=True).fill(local(page, now_ms - 60_000))
    page.get_by_label("Tot", exact=True).fill(local(page, now_ms - 120_000))
    page.get_by_role("button", name="Zet op het rooster").click()
    expect(page.get_by_role("alert")).to_contain_text("Het einde ligt voor het begin")
    page.get_by_label("Tot", exact=True).fill(local(page, now_ms + 8 * HOUR_MS))
    page.get_by_role("button", name="Zet op het rooster").click()
    expect(page.locator(".holders")).to_contain_text("Jij")
    assert office.ask(hers) == [(None,)]
    # Nobody can wake this phone, and the bar says so wherever she is.
    page.goto(anna.url("/"))
    expect(page.locator(".bar-text")).to_have_text("Piket: je kunt niet gewekt worden")

    page.goto(anna.url("/oncall"))
    today = page.locator(".rota").first
    today.locator("button.turn", has_text="Jij").click()
    page.get_by_role("button", name="Draag over").click()
    page.get_by_label("Aan wie").select_option(label="Bram Hofstra")
    page.get_by_role("dialog").get_by_role("button", name="Draag over").click()
    expect(today).to_contain_text("Bram Hofstra")
    assert len(office.ask(hers)) == 2

    office.line.goes_down()
    refused = office.line.did["refuse"]
    page.reload()
    expect(today).to_contain_text("Bram Hofstra")
    expect(page.get_by_text("Het rooster wijzigen kan alleen met verbinding")).to_be_visible()
    expect(page.get_by_role("button", name="Dienst toevoegen")).to_have_count(0)
    until(lambda: office.line.did["refuse"] > refused)
    assert anna.complaints == []


def test_a_shift_that_was_sent_without_an_answer_is_there_once(anna: Phone, office: Office) -> None:
    page = anna.context.pages[0]
    page.goto(anna.url("/oncall"))
    ((before,),) = office.ask("SELECT count(*) FROM shift")
    page.get_by_role("button", name="Dienst toevoegen").click()
    struck = iter(["error_after"])
    office.line.becomes(
        lambda asked: next(struck, "none") if asked.path == "/api/v1/shifts" else "none"
    )
    send = page.get_by_role("button", name="Zet op het rooster")
    send.click()
    expect(page.get_by_role("alert")).to_contain_text("gaf geen antwoord")
    send.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert office.line.did["error_after"] == 1
    assert office.ask("SELECT count(*) FROM shift") == [(before + 1,)]


def test_a_team_without_anybody_on_call_is_told(
    new_phone: Callable[[], Phone],
) -> None:
    phone = new_phone()
    page = phone.start()
    phone.signs_in(page, "Chaima")
    page.goto(phone.url("/oncall"))
    expect(page.get_by_text("Niemand heeft piket", exact=True)).to_be_visible()
    expect(page.locator(".preview li").first).to_contain_text("Niemand staat op het rooster")


def test_the_preview_names_who_is_woken_now_and_then(
    anna: Phone, bram: Colleague, office: Office
) -> None:
    question = office.question()
    bram.puts_on_call("Anna", question)
    proves_phone(office, "Anna")
    page = anna.context.pages[0]
    page.goto(anna.url("/oncall"))
    first = page.locator(".preview li").first
    expect(first).to_contain_text("Nu")
    expect(first).to_contain_text("Jij")
    expect(first).to_contain_text("Heeft piket")
    expect(first).to_contain_text("Telefoon bewezen")
    expect(page.locator(".preview li").last).to_contain_text(re.compile(r"Over \d+ min"))

    office.line.goes_down()
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.get_by_text("rekent de server uit")).to_be_visible()
    expect(page.locator(".preview")).to_have_count(0)
    assert office.line.did["refuse"] > 0


def test_absence_quiet_hours_and_calendar_are_kept(anna: Phone, office: Office) -> None:
    page = anna.context.pages[0]
    page.goto(anna.url("/oncall"))
    page.get_by_role("button", name="Afwezigheid toevoegen").click()
    page.get_by_role("button", name="Bewaren").click()
    expect(page.locator(".card.line")).to_have_count(1)

    quiet = page.get_by_role("heading", name="Mijn stille uren")
    expect(quiet).to_be_visible()
    page.get_by_role("button", name="Wijzig", exact=True).first.click()
    page.get_by_label("zo", exact=True).uncheck(force=True)
    page.get_by_label("Van", exact=True).fill("21:30")
    page.get_by_role("button", name="Bewaren").click()
    expect(page.get_by_text("ma, di, wo, do, vr, za van 21:30 tot 07:00")).to_be_visible()

    page.get_by_role("button", name="Maak een agenda-adres").click()
    address = page.get_by_role("textbox", name="Agenda-adres").input_value()
    calendar = anna.context.request.get(address)
    assert calendar.text().startswith("BEGIN:VCALENDAR")
    page.get_by_role("button", name="Nieuw adres").click()
    page.get_by_role("dialog").get_by_role("button", name="Nieuw adres").click()
    expect(page.get_by_role("textbox", name="Agenda-adres")).not_to_have_value(address)
    assert anna.context.request.get(address).status == 404
    assert anna.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["nl", "en"])
def test_axe_finds_nothing_where_on_call_is_shown(
    browser: Browser, office: Office, bram: Colleague, scheme: str, language: str
) -> None:
    question = office.question("Esther")
    says_urgent(office, bram, question)
    context = browser.new_context(
        base_url=office.server.url.replace("127.0.0.1", "localhost"),
        bypass_csp=True,  # the page's own rules would keep axe out
        service_workers="block",
        reduced_motion="reduce",  # what is still fading in has no contrast yet
        color_scheme="dark" if scheme == "dark" else "light",
        **{key: value for key, value in PHONE.items() if key != "is_mobile"},  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_role("button", name="Esther").click()
    expect(page.locator(f"[href='/c/{question}']").first).to_be_visible()
    if language == "en":
        page.goto("/phone")
        page.locator("select").first.select_option("en")
        expect(page.get_by_role("heading", name="This phone")).to_be_visible()
    for path, shown in (
        ("/oncall", ".oncall .preview li"),
        ("/rules", "h1"),
        ("/phone", ".links"),
        (f"/c/{question}", ".alert"),
        ("/", ".alert-mark"),
    ):
        page.goto(path)
        expect(page.locator(shown).first).to_be_visible()
        page.add_script_tag(path=AXE)
        assert page.evaluate(VIOLATIONS) == [], path
    page.goto("/oncall")
    # What comes in above a button moves it under a finger; a key finds it wherever it is.
    expect(page.locator(".oncall .preview li").first).to_be_visible()
    page.locator(".oncall button[aria-haspopup=dialog]").first.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.add_script_tag(path=AXE)
    assert page.evaluate(VIOLATIONS) == []
    context.close()


def test_large_text_on_a_small_phone_needs_no_sideways_scrolling(
    anna: Phone, bram: Colleague, office: Office
) -> None:
    question = office.question()
    says_urgent(office, bram, question, reason="Donaudampfschifffahrtsgesellschaft" * 3)
    bram.puts_on_call("Dirk", question)
    page = anna.context.pages[0]
    page.set_viewport_size({"width": 320, "height": 640})
    for path, shown in (("/oncall", ".preview li"), (f"/c/{question}", ".alert")):
        page.goto(anna.url(path))
        expect(page.locator(shown).first).to_be_visible()
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        wide = page.evaluate(
            "[...document.querySelectorAll('.oncall, .oncall *, .alert, .alert *')]"
            ".filter((one) => one.getBoundingClientRect().right > 320.5)"
            ".map((one) => `${one.tagName} ${one.textContent.slice(0, 40)}`)"
        )
        assert wide == [], path
