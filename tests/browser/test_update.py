"""A new version never breaks an open page; what the worker answers is as safe as the shell."""

import sys
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

from playwright.sync_api import Page, expect

from tests.conftest import StartServer
from tests.peers.mail import until
from tests.support import next_version
from tests.support.browser import Office, Phone

TEXT = "Het bankje staat er weer."
KEPT = """
caches.keys()
  .then((names) => Promise.all(
    names.filter((name) => name.startsWith('stoep-assets-')).map((name) => caches.open(name))))
  .then((all) => Promise.all(all.map((cache) => cache.keys())))
  .then((all) => all.flat().map((request) => new URL(request.url).pathname))
"""


def is_there(url: str) -> bool:
    """Say whether the server has this file."""
    try:
        with urllib.request.urlopen(url):
            return True
    except HTTPError:
        return False


def test_an_open_page_stays_whole_while_a_new_build_waits(
    anna: Phone, office: Office, start_server: StartServer, tmp_path: Path
) -> None:
    question = office.question()
    page = anna.context.pages[0]
    build = page.locator("meta[name=build]").get_attribute("content")
    before: list[str] = page.evaluate(KEPT)

    office.server.stop()
    office.server = start_server(
        command="demo",
        program=(sys.executable, "-m", "app.cli"),
        cwd=next_version.make(tmp_path / "next"),
    )
    office.line.leads_to(office.server.port)
    page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.update())")
    waiting = "navigator.serviceWorker.getRegistration().then((one) => Boolean(one.waiting))"
    until(lambda: page.evaluate(waiting))
    gone = [path for path in before if not is_there(office.line.url + path)]
    assert any("/new-" in path for path in gone), "the server still has the old build's views"

    # Views that this page never opened, and a reply through them to the newer server.
    for path in ("/new", "/outbox", "/phone"):
        page.locator(f"nav a[href='{path}']").click()
        expect(page.locator("main h1")).to_be_visible()
        expect(page.locator("main [aria-busy=true]")).to_have_count(0)
    page.locator("nav a[href='/']").click()
    page.locator(f"[href='/c/{question}']").first.click()
    expect(page.locator("#composer-text")).to_be_enabled()
    anna.writes(page, TEXT)
    anna.sends(page)
    office.waits_for(TEXT)
    assert page.locator("meta[name=build]").get_attribute("content") == build
    assert anna.complaints == []


def headers_of(page: Page, url: str) -> tuple[dict[str, str], bool]:
    """Open a page; return its headers, and whether the worker answered."""
    response = page.goto(url)
    assert response is not None
    return response.all_headers(), response.from_service_worker


def test_the_last_screen_is_as_protected_as_the_page_of_the_server(
    anna: Phone, office: Office
) -> None:
    page = anna.context.pages[0]
    with urllib.request.urlopen(office.line.url + "/") as response:
        served = {name.lower(): value for name, value in response.headers.items()}
    kept = "caches.match('/', { cacheName: 'stoep-snapshots' }).then(Boolean)"
    until(lambda: page.evaluate(kept))
    # Whoever just signed in may not see what another person left on this phone.
    headers, by_worker = headers_of(page, anna.url("/?signed-in"))
    assert by_worker
    assert "x-stoep-person" not in headers
    anna.kill()
    office.line.goes_down()

    page = anna.start()
    headers, by_worker = headers_of(page, anna.url("/"))
    assert by_worker
    assert headers["x-stoep-person"]
    protecting = (
        "content-security-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "permissions-policy",
        "referrer-policy",
        "x-content-type-options",
    )
    assert {name: headers.get(name) for name in protecting} == {
        name: served[name] for name in protecting
    }
    inline = """() => {
      const script = document.createElement('script');
      try { script.text = 'globalThis.ran = true'; } catch { return 'refused'; }
      document.body.append(script);
      return globalThis.ran ? 'ran' : 'refused';
    }"""
    assert page.evaluate(inline) == "refused"
