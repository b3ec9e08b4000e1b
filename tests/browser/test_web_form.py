"""A resident asks her question in a real browser with JavaScript switched off."""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.server import Server
from tests.support.visitor import photo

AXE = Path(__file__).parents[2] / "static/node_modules/axe-core/axe.min.js"
VIOLATIONS = """async () => {
  await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
  const { violations } = await axe.run();
  return violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
}"""
QUESTION = "De lantaarnpaal bij het speeltuintje knippert."
OWN_PAGE = re.compile(r"/v/[0-9a-f]{40}")
TAKEN = re.compile(r"[?&]done=(sent|added)\b")
"""Where the form leads when a message was taken, and only then."""
PRESSES = 40
PAUSE_MS = 800
"""Between two presses; all of them together are far more than the time that a person takes."""

HOUSEHOLDS = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demonstration municipality for all tests here, behind a proxy of its own."""
    server = Server(
        tmp_path_factory.mktemp("web-form") / "data", command="demo", trusted_proxies="127.0.0.1"
    )
    yield server
    server.kill()


@pytest.fixture
def plain(browser: Browser, server: Server) -> Iterator[Page]:
    """A phone whose browser runs no JavaScript, in another household in each test.

    One household may send ten messages in ten minutes, which is fewer than all tests here send.
    """
    context = browser.new_context(
        base_url=server.url,
        java_script_enabled=False,
        viewport={"width": 390, "height": 844},
        locale="nl-NL",
        extra_http_headers={"X-Forwarded-For": f"198.51.100.{next(HOUSEHOLDS)}"},
    )
    yield context.new_page()
    context.close()


def send_as_a_person(page: Page, picture: Path | None = None) -> None:
    """Press the button until the message was taken; only a person's time may be waited for.

    What was typed stays in between; a photo must be chosen again.
    """
    for _ in range(PRESSES):
        if picture is not None:
            page.get_by_label("Foto").set_input_files(picture)
        with page.expect_navigation():
            page.locator("main button[type=submit]").first.click()
        if TAKEN.search(page.url):
            return
        expect(page.get_by_role("alert")).to_contain_text("dachten aan een robot")
        page.wait_for_timeout(PAUSE_MS)
    raise AssertionError("the form never believed that a person was writing")


def asks(page: Page, question: str = QUESTION) -> None:
    page.goto("/w/noordoost")
    page.get_by_label("Uw vraag").fill(question)
    send_as_a_person(page)
    expect(page).to_have_url(OWN_PAGE)


def test_a_question_with_a_photo_leads_to_her_own_page(plain: Page, tmp_path: Path) -> None:
    picture = tmp_path / "lamp.jpg"
    picture.write_bytes(photo())
    plain.goto("/w")
    plain.get_by_role("link", name="Noordoost").click()
    plain.get_by_label("Uw vraag").fill(QUESTION)
    plain.get_by_label("Waar is het?").fill("Eikenlaan")
    plain.get_by_label("Uw e-mailadres").fill("jantje@voorbeeld.example")
    send_as_a_person(plain)
    expect(plain).to_have_url(OWN_PAGE)
    expect(plain.get_by_role("heading", name="Uw vraag is verstuurd")).to_be_visible()
    expect(plain.locator(".message-text")).to_have_text(QUESTION)
    # The demonstration has no mailbox, so no mail is promised.
    expect(plain.get_by_text("Wij sturen u geen bericht")).to_be_visible()

    plain.get_by_label("Uw bericht").fill("Hier is een foto.")
    send_as_a_person(plain, picture)
    expect(plain.locator(".message")).to_have_count(2)
    shown = plain.get_by_role("img", name="Foto 1 bij dit bericht")
    expect(shown).to_be_visible()
    expect(shown).to_have_js_property("naturalWidth", 320)


def test_a_double_tap_a_reload_and_the_back_button_make_one_message(plain: Page) -> None:
    asks(plain)
    own_page = plain.url.partition("?")[0]
    plain.reload()
    plain.go_back()
    expect(plain.get_by_label("Uw vraag")).to_have_value(QUESTION)
    with plain.expect_navigation(url=OWN_PAGE):
        plain.locator("main button[type=submit]").dblclick()
    expect(plain).to_have_url(re.compile(re.escape(own_page)))
    expect(plain.locator(".message")).to_have_count(1)


def test_what_is_wrong_is_told_first_and_the_rest_stays(plain: Page) -> None:
    plain.goto("/w/noordoost")
    plain.get_by_label("Uw naam").fill("Fatima & <Bouzid>")
    plain.get_by_label("Uw e-mailadres").fill("fatima@")
    plain.get_by_role("button", name="Verstuur uw vraag").click()
    told = plain.get_by_role("alert")
    expect(told).to_be_focused()
    told.get_by_role("link", name="Schrijf eerst uw vraag.").click()
    expect(plain.get_by_label("Uw vraag")).to_be_in_viewport()
    expect(plain.get_by_label("Uw naam")).to_have_value("Fatima & <Bouzid>")


def test_she_has_her_details_erased(plain: Page) -> None:
    asks(plain)
    own_page = plain.url.partition("?")[0]
    plain.get_by_role("link", name="Laat uw gegevens wissen").click()
    plain.get_by_role("button", name="Wis mijn gegevens").click()
    expect(plain.get_by_role("heading", name="Uw gegevens zijn gewist")).to_be_visible()
    plain.goto(own_page)
    expect(plain.get_by_text("speeltuintje")).to_have_count(0)


def test_no_page_scrolls_sideways_even_in_large_text_on_a_small_phone(plain: Page) -> None:
    asks(plain, question="Donaudampfschifffahrtsgesellschaftskapitän" * 5)
    own_page = plain.url
    plain.set_viewport_size({"width": 320, "height": 600})
    for path in ("/w", "/w/noordoost", own_page):
        plain.goto(path)
        plain.evaluate("document.documentElement.style.fontSize = '200%'")
        width = plain.evaluate("document.documentElement.scrollWidth")
        assert width <= 320, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["nl", "en"])
def test_axe_finds_nothing_on_any_page(
    browser: Browser, server: Server, plain: Page, scheme: str, language: str
) -> None:
    asks(plain)
    own_page = plain.url.partition("?")[0].removeprefix(server.url)
    context = browser.new_context(
        base_url=server.url,
        color_scheme="dark" if scheme == "dark" else "light",
        bypass_csp=True,  # the page's own rules would keep axe out
        viewport={"width": 390, "height": 844},
    )
    page = context.new_page()
    for path in ("/w", "/w/noordoost", own_page, f"{own_page}/deletion", "/w/nergens"):
        page.goto(f"{path}?lang={language}")
        page.add_script_tag(path=AXE)
        assert page.evaluate(VIOLATIONS) == [], path
    page.goto(f"/w/noordoost?lang={language}")
    page.locator("main button[type=submit]").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.add_script_tag(path=AXE)
    assert page.evaluate(VIOLATIONS) == []
    context.close()


def test_a_new_message_is_offered_without_losing_what_she_types(
    browser: Browser, server: Server, plain: Page
) -> None:
    asks(plain)
    own_page = plain.url.partition("?")[0]
    context = browser.new_context(base_url=server.url, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.clock.install()
    page.goto(own_page)
    page.get_by_role("textbox").fill("Ik typ nog")
    send_more(plain, own_page, "Nog iets.")
    page.clock.fast_forward(25_000)
    offered = page.locator(".news a")
    # The page looks again by itself every 20 s, should a loaded machine lose the first look.
    expect(offered).to_be_visible(timeout=60_000)
    expect(page.get_by_role("textbox")).to_have_value("Ik typ nog")
    page.get_by_role("textbox").fill("")
    page.clock.fast_forward(25_000)
    expect(page.locator(".message")).to_have_count(2, timeout=60_000)
    context.close()


def send_more(page: Page, own_page: str, text: str) -> None:
    page.goto(own_page)
    page.get_by_label("Uw bericht").fill(text)
    send_as_a_person(page)
