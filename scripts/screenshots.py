"""Take the README's pictures from the running demonstration.

    python scripts/screenshots.py            into static/screenshots

Everything shown is the real program: a server of its own with a fresh demonstration, and Chromium.
The network is cut by stopping that server.
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import machine  # noqa: E402 - found through the line above
from tests.support.server import Server  # noqa: E402

FOLDER = ROOT / "static" / "screenshots"
PHONE = {"width": 390, "height": 844}
TABLET = {"width": 1180, "height": 820}
COLOURS = 128
"""A picture of flat colours needs no more, and weighs a third."""


def main() -> None:
    """Take all pictures anew."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder) / "data", command="demo")
        browser = playwright.chromium.launch(
            executable_path=machine.chromium(),
            args=["--no-sandbox", "--disable-background-networking"],
        )
        try:
            take_all(browser, server)
        finally:
            browser.close()
            server.stop()


def take_all(browser: Browser, server: Server) -> None:
    """Go through the demonstration as a coordinator and as a resident."""
    dark = signed_in(browser, server.url, PHONE, "dark")
    shoot(dark, "inbox-dark")
    tablet = signed_in(browser, server.url, TABLET, "light")
    open_first(tablet, "Sietse")
    shoot(tablet, "tablet")
    resident = context(browser, PHONE, "light").new_page()
    resident.goto(f"{server.url}/w/nieuw-noord")
    shoot(resident, "form")

    phone = signed_in(browser, server.url, PHONE, "light")
    shoot(phone, "inbox")
    phone.reload()
    phone.locator("a[href^='/c/']").first.wait_for()
    hold_a_meeting(tablet, server.url)
    shoot(tablet, "meeting")
    server.stop()
    open_first(phone, "Corrie")
    composer = phone.get_by_role("textbox").last
    composer.fill("Dag Corrie, dank je wel. Ik ga morgen bij de school kijken.")
    phone.get_by_role("button", name="Verstuur").click()
    phone.get_by_text("In wachtrij").first.wait_for()
    shoot(phone, "offline")
    phone.goto(f"{server.url}/outbox")
    phone.get_by_text("Corrie").first.wait_for()
    shoot(phone, "outbox")


def hold_a_meeting(tablet: Page, url: str) -> None:
    """Plan a residents' meeting, open it, and catch what is asked there."""
    tablet.goto(f"{url}/meetings")
    tablet.get_by_role("button", name="Nieuwe bijeenkomst").click()
    tablet.locator("dialog [name=title]").fill("Bewonersavond Oud-Noord")
    tablet.locator("dialog [name=area]").select_option(index=1)
    tablet.locator("dialog [name=agenda]").fill("Verkeer\nGroen")
    tablet.locator("dialog .primary").click()
    tablet.get_by_role("button", name="Open de bijeenkomst").click()
    tablet.locator(".tag.state-open").wait_for()
    tablet.goto(tablet.url)
    field = tablet.locator(".catch textarea")
    for question in (
        "Wanneer komt de drempel in de Zonnelaan?",
        "Wie maait het gras bij de vijver?",
        "Kan er een bankje bij de apotheek komen?",
    ):
        field.fill(question)
        field.press("Enter")
        tablet.locator(".question", has_text=question).wait_for()
    field.fill("En wanneer worden de bomen")


def context(browser: Browser, size: dict[str, int], theme: str) -> BrowserContext:
    """Return a fresh browser profile in Dutch."""
    return browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        device_scale_factor=2,
        locale="nl-NL",
        timezone_id="Europe/Amsterdam",
        color_scheme="dark" if theme == "dark" else "light",
    )


def signed_in(browser: Browser, url: str, size: dict[str, int], theme: str) -> Page:
    """Sign in as Anna by a tap and wait until the inbox is there and kept for offline."""
    page = context(browser, size, theme).new_page()
    page.goto(f"{url}/sign-in")
    page.get_by_role("button", name="Anna de Vries").click()
    page.locator("a[href^='/c/']").first.wait_for()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    return page


def open_first(page: Page, name: str) -> None:
    """Open the conversation with this resident."""
    page.locator("a[href^='/c/']").filter(has_text=name).first.click()
    page.get_by_role("textbox").last.wait_for()


def shoot(page: Page, name: str) -> None:
    """Keep what the screen shows now, in few colours."""
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    with Image.open(path) as picture:
        small = picture.convert("RGB").resize((picture.width // 2, picture.height // 2))
        if name != "tablet":
            small = picture.convert("RGB")
        small.quantize(COLOURS).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
