"""A residents' meeting at the demonstration: its tablets, and the phones in the hall."""

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.support.browser import Office, Phone
from tests.support.visitor import Form, form_in

TABLET: dict[str, Any] = {
    "viewport": {"width": 1180, "height": 820},
    "device_scale_factor": 1,
    "is_mobile": True,
    "has_touch": True,
    "locale": "nl-NL",
    "timezone_id": "Europe/Amsterdam",
}
BREATH_S = 3.1
"""Less than this after a form was handed out no person has typed a question."""


def plans(
    tablet: Phone, page: Page, title: str = "Bewonersavond", agenda: Sequence[str] = ()
) -> str:
    """Plan a meeting on the screen and open it to the hall; return its id."""
    page.goto(tablet.url("/meetings"))
    page.get_by_role("button", name="Nieuwe bijeenkomst").click()
    page.locator("dialog [name=title]").fill(title)
    page.locator("dialog [name=area]").select_option(index=1)
    page.locator("dialog [name=agenda]").fill("\n".join(agenda))
    page.locator("dialog .primary").click()
    page.get_by_role("button", name="Open de bijeenkomst").click()
    expect(page.locator(".tag.state-open")).to_be_visible()
    return page.url.rsplit("/", 1)[1]


def goes_to(tablet: Phone, page: Page, meeting: str) -> None:
    """Open the meeting, ready to catch."""
    page.goto(tablet.url(f"/meetings/{meeting}"))
    # A tablet that has not heard yet that it began shows what is prepared, until somebody taps.
    catching = page.get_by_role("button", name=re.compile("^Vangen"))
    expect(catching).to_be_visible()
    if catching.get_attribute("aria-pressed") == "false":
        catching.click()
    expect(page.locator(".catch textarea")).to_be_visible()


def catches(page: Page, text: str) -> None:
    """Catch a question; it is in the outbox when this returns."""
    field = page.locator(".catch textarea")
    field.fill(text)
    field.press("Enter")
    expect(field).to_have_value("")
    expect(page.locator(".caught")).to_contain_text("Bewaard")


def code_of(office: Office, meeting: str) -> str:
    """Return what the hall types."""
    ((code,),) = office.ask("SELECT code FROM meeting WHERE id = ?", meeting)
    return str(code)


class HallPhone:
    """One resident's phone, without JavaScript: a protocol client with its own cookies."""

    def __init__(self, url: str, code: str) -> None:
        self.http = httpx.Client(
            base_url=url,
            headers={"Sec-Fetch-Site": "same-origin", "Accept-Language": "nl"},
            timeout=60,
        )
        self._path = f"/m/{code}"
        self._form: Form | None = None
        self._opened_s = 0.0

    def opens(self) -> str:
        """Open the hall's page, and have its form at hand."""
        page = self.http.get(self._path)
        assert page.status_code == 200, page.text
        self._form = form_in(page.text, "/m/")
        self._opened_s = time.monotonic()
        return page.text

    def asks(self, text: str) -> int:
        """Send a question; 0 when the line broke. It may be tried again, as a person would."""
        assert self._form is not None
        time.sleep(max(0.0, self._opened_s + BREATH_S - time.monotonic()))
        try:
            sent = self.http.post(self._form.action, data=self._form.fields | {"question": text})
        except httpx.TransportError:
            return 0
        return sent.status_code

    def supports(self, question: str) -> int:
        """Tap on *Steun deze vraag*."""
        return self.http.post(f"{self._path}/questions/{question}/support").status_code

    def leaves(self) -> None:
        """Go home."""
        self.http.close()


def together(phones: Sequence[HallPhone], work: Any) -> list[Any]:
    """Let all phones do something at once; return what each got."""
    with ThreadPoolExecutor(len(phones)) as pool:
        return list(pool.map(work, phones))
