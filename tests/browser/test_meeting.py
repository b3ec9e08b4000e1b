"""One evening on a tablet: caught without a network, shown to the hall without what is private."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.peers.mail import until
from tests.support.browser import DRAFTS, Office, Phone
from tests.support.colleague import Colleague
from tests.support.hall import TABLET, HallPhone, catches, code_of, goes_to, plans

AXE = Path(__file__).parents[2] / "static/node_modules/axe-core/axe.min.js"
VIOLATIONS = """async () => {
  await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
  const { violations } = await axe.run();
  return violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
}"""
NAME = "Mevrouw Van den Heuvel-Schimmelpenninck van der Oye"


def kept(page: Page, text: str) -> None:
    """Wait until what was typed is a draft on the disk."""
    until(lambda: text in page.evaluate(DRAFTS))


def test_what_was_typed_survives_a_dead_battery_and_what_was_caught_arrives_once(
    anna: Phone, office: Office
) -> None:
    page = anna.context.pages[0]
    meeting = plans(anna, page)
    until(lambda: office.ask("SELECT 1 FROM meeting WHERE id = ?", meeting))
    goes_to(anna, page, meeting)
    office.line.goes_down()
    catches(page, "Wanneer komt de drempel?")
    page.locator(".catch textarea").fill("Halverwege een vr")
    kept(page, "Halverwege een vr")
    anna.kill()

    page = anna.start()
    goes_to(anna, page, meeting)
    expect(page.locator(".catch textarea")).to_have_value("Halverwege een vr")
    expect(page.locator(".stored")).to_contain_text("wacht")
    assert office.times_said("Wanneer komt de drempel?") == 0
    office.line.comes_back()
    office.waits_for("Wanneer komt de drempel?")
    expect(page.locator(".stored")).to_contain_text("En ook op de server")
    assert office.ask("SELECT count(*) FROM meeting_question") == [(1,)]
    assert anna.complaints == []


def test_a_meeting_can_be_made_and_held_without_any_network(anna: Phone, office: Office) -> None:
    page = anna.context.pages[0]
    office.line.goes_down()
    meeting = plans(anna, page, "Op een camping zonder bereik")
    goes_to(anna, page, meeting)
    catches(page, "Is er nog koffie?")
    page.get_by_role("button", name="Vragen").click()
    expect(page.locator(".question")).to_contain_text("Alleen op dit toestel")
    office.line.comes_back()
    until(lambda: office.ask("SELECT text FROM meeting_question") == [("Is er nog koffie?",)])
    assert office.ask("SELECT state FROM meeting WHERE id = ?", meeting) == [("open",)]


def test_who_asks_is_kept_with_her_consent_only(anna: Phone, office: Office) -> None:
    page = anna.context.pages[0]
    meeting = plans(anna, page)
    goes_to(anna, page, meeting)
    page.locator(".catch textarea").fill("Mag ik antwoord?")
    page.locator(".asker summary").click()
    page.locator("[name=name]").fill(NAME)
    page.get_by_role("button", name="Bewaar").click()
    expect(page.locator(".caught")).to_contain_text("Zonder toestemming")
    expect(page.locator("[name=keep]")).to_be_focused()
    assert office.ask("SELECT count(*) FROM meeting_question") == [(0,)]

    page.locator("[name=keep]").check()
    page.locator("[name=email]").fill("oye@voorbeeld.example")
    page.locator(".asker").get_by_text("E-mail", exact=True).click()
    page.get_by_role("button", name="Bewaar").click()
    until(lambda: office.ask("SELECT name FROM meeting_question") == [(NAME,)])
    assert office.ask(
        "SELECT c.address FROM conversation c JOIN meeting_question q ON q.conversation_id = c.id"
    ) == [("oye@voorbeeld.example",)]
    # The next one is somebody else's.
    expect(page.locator("[name=name]")).to_have_value("")


def test_who_decides_is_told_to_whom_the_answer_goes_and_can_take_that_back(
    anna: Phone, office: Office
) -> None:
    page = anna.context.pages[0]
    meeting = plans(anna, page)
    goes_to(anna, page, meeting)
    for text in ("Liever niet gemaild", "Graag gemaild"):
        page.locator(".catch textarea").fill(text)
        if not page.locator("[name=email]").is_visible():
            page.locator(".asker summary").click()
        page.locator("[name=email]").fill("oye@voorbeeld.example")
        page.locator("[name=keep]").check()
        page.locator(".asker").get_by_text("E-mail", exact=True).click()
        page.get_by_role("button", name="Bewaar").click()
        until(lambda text=text: office.ask("SELECT 1 FROM meeting_question WHERE text = ?", text))
    page.get_by_role("button", name="Vragen").click()
    for text, mailed in (("Liever niet gemaild", False), ("Graag gemaild", True)):
        card = page.locator(".question", has_text=text)
        card.get_by_role("button", name="Wat gebeurt ermee").click()
        tick = page.get_by_label("oye@voorbeeld.example")
        expect(tick).to_be_checked()
        page.get_by_text("Wordt beantwoord", exact=True).click()
        expect(tick).to_have_count(0)
        page.locator("dialog").get_by_text("Beantwoord", exact=True).click()
        tick.set_checked(mailed)
        page.locator("dialog [name=text]").fill("In maart.")
        page.locator("dialog .primary").click()
        expect(card.locator(".fate")).to_contain_text("In maart.")
    query = "SELECT text FROM message WHERE text LIKE 'Op de bijeenkomst%' ORDER BY id"
    until(lambda: len(office.ask(query)) == 2)
    (kept_here,), (wanted,) = office.ask(query)
    assert kept_here == "Op de bijeenkomst beantwoord: In maart."
    # This team has no mailbox: it is said, and the question stays in the inbox.
    assert "niet per e-mail verstuurd" in wanted


def test_a_typo_is_put_right_without_a_network(anna: Phone, office: Office) -> None:
    page = anna.context.pages[0]
    meeting = plans(anna, page)
    goes_to(anna, page, meeting)
    office.line.goes_down()
    catches(page, "Wanner komt de drempl?")
    page.get_by_role("button", name="Vragen").click()
    page.get_by_role("button", name="Verbeteren").click()
    page.locator("dialog [name=text]").fill("")
    page.locator("dialog .primary").click()
    expect(page.locator("dialog [role=alert]")).to_contain_text("Een vraag heeft tekst nodig")
    page.locator("dialog [name=text]").fill("Wanneer komt de drempel?")
    page.locator("dialog .primary").click()
    expect(page.locator(".question .asked")).to_have_text("Wanneer komt de drempel?")
    office.line.comes_back()
    known = "SELECT q.text, m.text FROM meeting_question q JOIN message m ON m.id = q.id"
    both = [("Wanneer komt de drempel?", "Wanner komt de drempl?")]
    until(lambda: office.ask(known) == both)


def test_the_hall_looks_on_and_sees_nothing_private(anna: Phone, office: Office) -> None:
    page = anna.context.pages[0]
    meeting = plans(anna, page)
    until(lambda: office.ask("SELECT 1 FROM meeting WHERE id = ?", meeting))
    goes_to(anna, page, meeting)
    page.locator(".catch textarea").fill("Waar blijft de bank?")
    page.locator(".asker summary").click()
    page.locator("[name=name]").fill(NAME)
    page.locator("[name=keep]").check()
    page.locator(".catch textarea").press("Enter")
    expect(page.locator(".caught")).to_contain_text("Bewaard")

    page.get_by_role("button", name="De avond").click()
    page.get_by_role("button", name="Laat de zaal meekijken").click()
    page.locator("dialog [name=pin]").fill("4071")
    page.get_by_role("button", name="Start meekijken").click()
    kiosk = page.locator("dialog.kiosk")

    def only_the_board() -> None:
        expect(kiosk).to_contain_text("Waar blijft de bank?")
        html = page.content()
        assert NAME not in html
        assert page.locator("[href^='/c/']").count() == 0

    only_the_board()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("?")
    only_the_board()
    page.go_back()
    only_the_board()
    # Started again at another address, also without a network: still the board.
    office.line.goes_down()
    for path in ("/", "/outbox", f"/c/{office.question()}"):
        page.goto(anna.url(path))
        only_the_board()

    kiosk.get_by_role("button", name="Terug").click()
    for wrong in ("0000", "1234"):
        kiosk.locator("[name=pin]").fill(wrong)
        kiosk.locator("form .primary").click()
        expect(kiosk).to_contain_text("Dat klopt niet")
    kiosk.locator("[name=pin]").fill("4071")
    kiosk.locator("form .primary").click()
    expect(kiosk).to_have_count(0)
    expect(page.locator(".stored")).to_be_visible()
    page.goto(anna.url("/"))
    expect(page.locator("[href^='/c/']").first).to_be_visible()


def test_lying_down_it_has_two_panes_and_upright_one_with_the_button_under_a_thumb(
    anna: Phone,
) -> None:
    page = anna.context.pages[0]
    page.set_viewport_size({"width": 1180, "height": 820})
    meeting = plans(anna, page)
    goes_to(anna, page, meeting)
    catches(page, "Wanneer komt de drempel?")
    caught = page.locator(".question", has_text="drempel")
    expect(caught).to_be_visible()
    field, beside = page.locator(".catch").bounding_box(), caught.bounding_box()
    assert field is not None
    assert beside is not None
    assert field["x"] + field["width"] <= beside["x"]

    page.set_viewport_size({"width": 390, "height": 844})
    expect(caught).to_be_hidden()
    button = page.get_by_role("button", name="Bewaar").bounding_box()
    assert button is not None
    assert button["y"] > 844 / 2
    assert button["height"] >= 44
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Vragen").click()
    expect(caught).to_be_visible()


def test_gone_out_it_says_what_is_here_and_how_old_it_is(anna: Phone, office: Office) -> None:
    page = anna.context.pages[0]
    meeting = plans(anna, page)
    page.get_by_role("button", name="Zet alles klaar").click()
    expect(page.locator(".ready")).to_contain_text(re.compile(r"Bijgewerkt tot \d\d:\d\d"))
    expect(page.locator(".ready")).to_contain_text(re.compile(r"\d+ kB"))
    facts = page.locator(".around .facts")
    ((there,),) = office.ask(
        "SELECT count(*) FROM conversation c JOIN meeting m ON m.area = c.area"
        " WHERE c.status <> 'closed' AND m.id = ?",
        meeting,
    )
    expect(facts.locator("div", has_text="Open gesprekken").locator("dd")).to_have_text(str(there))
    office.line.goes_down()
    page.get_by_role("button", name="Zet alles klaar").click()
    expect(page.locator(".ready")).to_contain_text("Geen verbinding. Dit is wat er al staat")


def test_the_screen_stays_awake_while_it_is_open(anna: Phone) -> None:
    page = anna.context.pages[0]
    # A browser without a screen grants no lock: this one stands in for the screen.
    page.add_init_script(
        "window.locks = [];"
        "navigator.wakeLock.request = async () => {"
        "  const lock = { released: false, release: async () => void (lock.released = true) };"
        "  window.locks.push(lock); return lock; };"
    )
    meeting = plans(anna, page)
    until(lambda: page.evaluate("locks.filter(({ released }) => !released).length") == 1)
    page.locator("nav a[href='/outbox']").click()
    until(lambda: page.evaluate("locks.filter(({ released }) => !released).length") == 0)
    goes_to(anna, page, meeting)
    until(lambda: page.evaluate("locks.filter(({ released }) => !released).length") == 1)


def test_the_board_and_a_phone_are_live_and_turn_by_a_presenters_keys(
    anna: Phone, office: Office, browser: Browser
) -> None:
    page = anna.context.pages[0]
    meeting = plans(anna, page)
    until(lambda: office.ask("SELECT 1 FROM meeting WHERE id = ? AND state = 'open'", meeting))
    url = f"{office.line.url}/m/{code_of(office, meeting)}"
    context = browser.new_context(viewport={"width": 1920, "height": 1080}, locale="nl-NL")
    board, phone = context.new_page(), context.new_page()
    board.goto(f"{url}/board")
    phone.goto(url)
    expect(board.locator(".none")).to_be_visible()
    goes_to(anna, page, meeting)
    for number in range(8):
        catches(page, f"Vraag {number} over een lang verhaal dat op het bord meer dan een regel is")
    expect(board.locator(".question:visible").first).to_contain_text("Vraag 7")
    expect(board.locator(".more")).to_contain_text("eerdere")
    expect(phone.locator(".question").first).to_contain_text("Vraag 7")
    phone.locator(".question", has_text="Vraag 3").get_by_role("button").click()
    expect(phone.locator(".question", has_text="Vraag 3")).to_contain_text("1 keer gesteund")

    # A long one is not passed over for a shorter one behind it.
    catches(page, "Waarom " + "heel erg " * 30 + "lang?")
    catches(page, "Kort?")
    expect(board.locator(".question:visible").first).to_contain_text("Kort?")
    shown = board.evaluate(
        "[...document.querySelectorAll('.question')].map((row) => row.hidden).join()"
    )
    assert re.fullmatch(r"(false,)+true(,true)*", shown), shown
    for _ in range(12):
        board.keyboard.press("PageDown")
    expect(board.locator(".question:visible").last).to_contain_text("Vraag 0")
    board.keyboard.press("b")
    expect(board.locator(".question:visible")).to_have_count(0)
    board.keyboard.press("b")
    board.keyboard.press("Home")
    expect(board.locator(".question:visible").first).to_contain_text("Kort?")

    office.line.goes_down()
    expect(board.locator("#lost")).to_be_visible()
    expect(board.locator(".question:visible").first).to_contain_text("Kort?")
    catches(page, "Terwijl de zaal niets hoorde")
    office.line.comes_back()
    expect(board.locator(".question:visible").first).to_contain_text("Terwijl de zaal niets hoorde")
    expect(board.locator("#lost")).to_be_hidden()
    context.close()


SIZES = """() => [...document.querySelectorAll('body *')]
  .filter((one) => one.checkVisibility() && [...one.childNodes].some(
    (child) => child.nodeType === 3 && child.textContent.trim()))
  .map((one) => [one.className, parseFloat(getComputedStyle(one).fontSize),
    one.scrollWidth - one.clientWidth])"""

READABLE_PX = 72
"""At eight metres on a 65 inch screen of 1,920 pixels: see static/css/board.css."""


def test_the_board_is_readable_at_eight_metres(
    anna: Phone, office: Office, browser: Browser
) -> None:
    page = anna.context.pages[0]
    meeting = plans(anna, page, "Een avond met een heel erg lange titel die niet past op het bord")
    goes_to(anna, page, meeting)
    for text in ("Kort?", "Waarom " + "heel " * 40 + "lang?"):
        catches(page, text)
    until(lambda: office.ask("SELECT count(*) FROM meeting_question") == [(2,)])
    context = browser.new_context(viewport={"width": 1920, "height": 1080}, locale="nl-NL")
    board = context.new_page()
    board.goto(f"{office.server.url}/m/{code_of(office, meeting)}/board")
    expect(board.locator(".question:visible").first).to_be_visible()
    sizes = board.evaluate(SIZES)
    assert len(sizes) >= 6
    assert [one for one in sizes if one[1] < READABLE_PX] == []
    assert board.evaluate("document.documentElement.scrollWidth") <= 1920
    assert board.evaluate("document.documentElement.scrollHeight") <= 1080
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_screen_has_an_accessibility_fault(
    office: Office, browser: Browser, theme: str, new_phone: Callable[[], Phone]
) -> None:
    context = browser.new_context(
        **(TABLET | {"color_scheme": theme}),
        bypass_csp=True,  # the page's own rules would keep axe out
    )
    page = context.new_page()
    page.goto(f"{office.server.url}/sign-in")
    page.get_by_role("button", name="Chaima").click()  # her team has none yet
    expect(page.locator(".bar-text")).to_contain_text("Gelijk om")

    def is_clean(what: str) -> None:
        if not page.evaluate("'axe' in window"):
            page.add_script_tag(path=AXE)
        assert page.evaluate(VIOLATIONS) == [], what

    page.goto(f"{office.server.url}/meetings")
    expect(page.get_by_text("Nog geen bijeenkomst")).to_be_visible()
    is_clean("no meetings")
    page.get_by_role("button", name="Nieuwe bijeenkomst").click()
    is_clean("a new one")
    page.locator("dialog [name=title]").fill("Avond")
    page.locator("dialog [name=area]").select_option(index=1)
    page.locator("dialog [name=agenda]").fill("Verkeer\nGroen")
    page.locator("dialog .primary").click()
    page.get_by_role("button", name="Open de bijeenkomst").click()
    page.get_by_role("button", name="Zet alles klaar").click()
    expect(page.locator(".ready")).to_contain_text("Bijgewerkt tot")
    is_clean("the evening")
    meeting = page.url.rsplit("/", 1)[1]
    page.get_by_role("button", name="Vangen").click()
    page.locator(".asker summary").click()
    is_clean("catching")
    for text in ("Eerste?", "Tweede?"):
        catches(page, text)
    phone = HallPhone(office.server.url, code_of(office, meeting))
    phone.opens()
    assert phone.asks("Uit de zaal?") == 303
    expect(page.locator(".question", has_text="Uit de zaal?")).to_be_visible()
    is_clean("questions")
    page.get_by_role("button", name="Verbeteren").first.click()
    is_clean("putting right")
    page.locator("dialog").get_by_role("button", name="Annuleren").click()
    page.get_by_role("button", name="Wat gebeurt ermee?").first.click()
    is_clean("a fate")
    page.locator("dialog textarea").fill("Ja.")
    page.locator("dialog .primary").click()
    page.get_by_role("button", name="Niet op het bord").first.click()
    is_clean("hiding")
    page.locator("dialog").get_by_role("button", name="Annuleren").click()
    page.get_by_role("button", name="Toezegging", exact=True).first.click()
    page.locator("dialog textarea").fill("Doen we.")
    is_clean("a promise")
    page.locator("dialog .primary").click()
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Vragen").click()
    is_clean("questions on a phone")
    page.get_by_role("button", name="De avond").click()
    page.get_by_role("button", name="Laat de zaal meekijken").click()
    page.locator("dialog [name=pin]").fill("4071")
    page.get_by_role("button", name="Start meekijken").click()
    expect(page.locator("dialog.kiosk")).to_contain_text("Eerste?")
    page.locator("dialog.kiosk").get_by_role("button", name="Terug").click()
    is_clean("kiosk")
    with Colleague(office, "Chaima") as chaima:
        code = code_of(office, meeting)
        chaima._http.post(f"/api/v1/meetings/{meeting}/minutes")
        invited = chaima._http.post(f"/api/v1/meetings/{meeting}/helpers", json={"name": NAME})
        help_path = "/help/" + invited.json()["url"].rpartition("/")[2]
    for path in (f"/m/{code}", f"/m/{code}/board", f"/m/{code}/minutes", help_path):
        wide = "board" in path
        page.set_viewport_size({"width": 1920 if wide else 390, "height": 1080 if wide else 844})
        page.goto(office.server.url + path)
        is_clean(path)
    context.close()


def test_an_assistant_helps_on_her_own_tablet(
    anna: Phone, office: Office, browser: Browser
) -> None:
    page = anna.context.pages[0]
    meeting = plans(anna, page)
    until(lambda: office.ask("SELECT 1 FROM meeting WHERE id = ?", meeting))
    page.get_by_role("button", name="Nodig uit").click()
    page.locator("dialog [name=name]").fill(NAME)
    page.locator("dialog .primary").click()
    url = page.locator("dialog input[readonly]").input_value()
    context = browser.new_context(**TABLET)
    hers = context.new_page()
    hers.goto(office.line.url + "/help/" + url.rpartition("/")[2])
    hers.get_by_role("button", name="Begin op dit toestel").click()
    expect(hers.locator(".catch textarea")).to_be_visible()
    catches(hers, "Gevangen door de assistent")
    until(
        lambda: office.ask("SELECT text FROM meeting_question") == [("Gevangen door de assistent",)]
    )
    hers.goto(office.line.url + "/")
    expect(hers.locator(".bar-text")).to_contain_text("Gelijk om")
    assert hers.locator("[href^='/c/']").count() == 0
    context.close()


def test_the_three_hundredth_question_is_caught_as_fast_as_the_first(
    anna: Phone, office: Office
) -> None:
    page = anna.context.pages[0]
    meeting = plans(anna, page)
    until(lambda: office.ask("SELECT 1 FROM meeting WHERE id = ?", meeting))
    goes_to(anna, page, meeting)
    office.line.goes_down()
    took: list[float] = []
    for number in range(300):
        began = time.perf_counter()
        catches(page, f"Vraag nummer {number}")
        took.append(time.perf_counter() - began)
    first, last = sorted(took[5:35])[15], sorted(took[-30:])[15]
    assert last < 1.0, "far from five seconds a question"
    assert last < 3 * first + 0.1
    office.line.comes_back()
    until(lambda: office.ask("SELECT count(*) FROM meeting_question") == [(300,)], patience_s=90)
    texts = office.ask("SELECT text FROM meeting_question ORDER BY asked_at_ms, id")
    assert [text for (text,) in texts] == [f"Vraag nummer {number}" for number in range(300)]
