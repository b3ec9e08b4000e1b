"""A real Chromium, driven by Playwright."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from scripts import machine
from tests.conftest import StartServer
from tests.support.browser import Office, Phone, launcher
from tests.support.missing import give_up
from tests.support.proxy import Line

NO_FEATURES = [
    # Only the last such list counts, so these are what Playwright itself switches off …
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
    # … and suggestions below the address bar: a page of their own in each browser, loaded at its
    # start for nobody to see, in a third of the time that the start takes.
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
]

ARGUMENTS = [
    "--no-sandbox",  # root has no sandbox; the pages are our own
    "--disable-quic",
    "--no-first-run",
    # Chromium would call its maker, which a test machine's network refuses many times a second.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(NO_FEATURES)}",
]

PATIENCE_MS = 30_000
"""A condition is waited for, however busy the machine is; only what never comes takes so long."""

# For every test here, whichever of them are run and in whatever order they are imported.
expect.set_options(timeout=PATIENCE_MS)

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "locale": "nl-NL",
    "timezone_id": "Europe/Amsterdam",
}
"""What a coordinator holds in her hand."""


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser."""
    path = machine.chromium()
    if path is None:
        give_up("Chromium (Debian: chromium)")
    return path


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright itself, for tests that start and kill browsers of their own."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    """One browser for the whole run; each test has a context of its own."""
    browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    """A new phone: nothing stored, nobody signed in."""
    context = browser.new_context(**PHONE)  # type: ignore[arg-type]
    yield context
    context.close()


@pytest.fixture
def page(phone: BrowserContext) -> Page:
    """The one page that is open on the phone."""
    page = phone.new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


@pytest.fixture
def office(start_server: StartServer) -> Iterator[Office]:
    """The demonstration behind a line that can fail."""
    server = start_server(command="demo")
    with Line(server.port) as line:
        yield Office(server, line)


@pytest.fixture
def new_phone(
    playwright: Playwright, chromium: str, office: Office, tmp_path: Path
) -> Iterator[Callable[[], Phone]]:
    """Make phones with a profile of their own; they are closed at the end."""
    phones: list[Phone] = []

    def make() -> Phone:
        launch = launcher(playwright, chromium, ARGUMENTS, PHONE)
        phones.append(Phone(launch, tmp_path / f"profile-{len(phones)}", office))
        return phones[-1]

    yield make
    for phone in phones:
        phone.close()


@pytest.fixture
def anna(new_phone: Callable[[], Phone]) -> Phone:
    """Anna's phone: signed in, everything stored."""
    phone = new_phone()
    phone.signs_in(phone.start())
    return phone
