"""Chromium, headless, with a profile on disk: what a phone's browser does, as far as a machine can.

A profile on disk matters: in a private window IndexedDB lives in memory, and durability is free.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    BrowserContext,
    CDPSession,
    Page,
    ViewportSize,
    sync_playwright,
)

from scripts import machine

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
]
PHONE: ViewportSize = {"width": 390, "height": 844}
SLOW_CPU = 4


@contextlib.contextmanager
def phone(profile: Path) -> Iterator[BrowserContext]:
    """Start a browser process on a profile; ending it leaves the profile."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            headless=True,
            executable_path=machine.chromium(),
            args=ARGUMENTS,
            viewport=PHONE,
            device_scale_factor=2,
            has_touch=True,
            is_mobile=True,
            locale="nl-NL",
        )
        context.set_default_timeout(120_000)
        try:
            yield context
        finally:
            context.close()


class Tab:
    """One page with a script of ours in it; its functions are called by name."""

    def __init__(self, context: BrowserContext, url: str, script: Path) -> None:
        self.page: Page = context.new_page()
        self.page.goto(url)
        self._session: CDPSession = context.new_cdp_session(self.page)
        self._evaluate(script.read_text())

    def _evaluate(self, expression: str) -> Any:
        # Straight through the debugger's protocol: the page's own policy forbids eval.
        answer = self._session.send(
            "Runtime.evaluate",
            {
                "expression": expression,
                "awaitPromise": True,
                "returnByValue": True,
                "allowUnsafeEvalBlockedByCSP": True,
            },
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            said = details.get("exception", {}).get("description") or details.get("text")
            raise RuntimeError(f"in the page: {said}")
        return answer["result"].get("value")

    def call(self, function: str, *arguments: Any) -> Any:
        """Call a function of the script and wait for what it promises."""
        # A page behind another one is slowed down by the browser, some of it to a standstill.
        self.page.bring_to_front()
        said = ", ".join(json.dumps(argument) for argument in arguments)
        return self._evaluate(f"bench.{function}({said})")

    @contextlib.contextmanager
    def slow_cpu(self) -> Iterator[None]:
        """Make the page's thread four times slower meanwhile: it costs the machine."""
        self._session.send("Emulation.setCPUThrottlingRate", {"rate": SLOW_CPU})
        try:
            yield
        finally:
            self._session.send("Emulation.setCPUThrottlingRate", {"rate": 1})

    def close(self) -> None:
        """Close the page."""
        self.page.close()


def sign_in(context: BrowserContext, url: str, cookie: dict[str, str]) -> None:
    """Put a session's cookie in the browser, for every port of this address's host."""
    context.add_cookies([{"name": cookie["name"], "value": cookie["value"], "url": url}])
