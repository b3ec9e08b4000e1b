"""A coordinator's phone: a real Chromium on a profile that outlives its process, and what she does.

The network is a `Line` between browser and server, so that it can be cut where networks are cut.
"""

import os
import signal
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page, Playwright, expect

from tests.peers.mail import until
from tests.support.proxy import Line
from tests.support.server import Server

IN_STEP = "Gelijk om"
PATIENCE_MS = 30_000


class Office:
    """The demonstration, the line to it, and what the server's own database says."""

    def __init__(self, server: Server, line: Line) -> None:
        self.server = server
        self.line = line

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return rows of the server's database, or change it: one statement."""
        connection = sqlite3.connect(self.server.data_dir / "stoep.db", timeout=15)
        try:
            with connection:
                return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def times_said(self, text: str) -> int:
        """Count the messages with this text."""
        return int(self.ask("SELECT count(*) FROM message WHERE text = ?", text)[0][0])

    def waits_for(self, text: str, times: int = 1) -> None:
        """Wait until a message with this text is stored so many times."""
        until(lambda: self.times_said(text) == times)

    def question(self, name: str = "Anna") -> str:
        """Return a question from the web form that nobody has taken and she may answer."""
        found = self.ask(
            "SELECT c.id FROM conversation c JOIN account a ON a.id = c.account_id"
            " JOIN team_area t ON t.area = c.area JOIN membership m ON m.team_id = t.team_id"
            " JOIN person p ON p.id = m.person_id WHERE a.kind = 'web' AND c.why_not IS NULL"
            " AND c.status IN ('new', 'open') AND NOT c.urgent AND c.assignee_id IS NULL"
            " AND p.name LIKE ? || '%' ORDER BY c.number DESC",
            name,
        )
        return str(found[0][0])


DRAFTS = """async () => {
  const names = (await indexedDB.databases()).map(({ name }) => name);
  const asked = indexedDB.open(names.find((name) => name.startsWith('stoep-outbox-')));
  const disk = await new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  const all = disk.transaction('drafts').objectStore('drafts').getAll();
  await new Promise((resolve) => (all.onsuccess = resolve));
  disk.close();
  return all.result.map(({ text }) => text);
}"""


class Phone:
    """One person's phone. `start` may be called again after `kill`: the profile is still there."""

    def __init__(
        self, open_context: Callable[[Path], BrowserContext], profile: Path, office: Office
    ) -> None:
        self._open = open_context
        self._profile = profile
        self._context: BrowserContext | None = None
        # Chromium writes a new cookie down after half a minute; she signed in longer ago than that.
        self._cookies: list[Any] = []
        self.office = office
        self.complaints: list[str] = []

    @property
    def context(self) -> BrowserContext:
        """The running browser."""
        assert self._context is not None
        return self._context

    def start(self) -> Page:
        """Start the browser and return its page, at no address yet."""
        self._context = self._open(self._profile)
        self._context.set_default_timeout(PATIENCE_MS)
        self._context.add_cookies(self._cookies)
        return self._watched(self._context.pages[0])

    def tab(self) -> Page:
        """Open one more tab."""
        return self._watched(self.context.new_page())

    def _watched(self, page: Page) -> Page:
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def url(self, path: str) -> str:
        """Return an address as this phone knows it."""
        return self.office.line.url + path

    def signs_in(self, page: Page, name: str = "Anna") -> None:
        """Sign in by a tap, and wait until everything is here: conversations, app, worker."""
        page.goto(self.url("/sign-in"))
        page.get_by_role("button", name=name).click()
        expect(page.locator(".bar-text")).to_contain_text(IN_STEP, timeout=PATIENCE_MS)
        # Loaded by the worker, the page proves that the worker has what it takes.
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        until(lambda: page.evaluate("caches.keys().then((names) => names.length)"))
        page.goto(self.url("/"))
        expect(page.locator("[href^='/c/']").first).to_be_visible()
        until(lambda: page.evaluate("Boolean(navigator.serviceWorker.controller)"))
        self._cookies = list(self.context.cookies())

    def opens(self, page: Page, conversation: str) -> None:
        """Open a conversation at its own address."""
        page.goto(self.url(f"/c/{conversation}"))
        expect(page.locator("#composer-text")).to_be_enabled()

    def writes(self, page: Page, text: str) -> None:
        """Type a reply into the composer."""
        page.locator("#composer-text").fill(text)

    def kept(self, page: Page, text: str) -> None:
        """Wait until what was typed is on the disk: a phone that dies sooner never had it."""
        until(lambda: text in page.evaluate(DRAFTS))

    def sends(self, page: Page) -> None:
        """Tap *Verstuur*."""
        page.locator(".composer").get_by_role("button", name="Verstuur").click()

    def replies(self, page: Page, conversation: str, text: str) -> None:
        """Answer in a conversation; it is in the outbox when this returns."""
        self.opens(page, conversation)
        self.writes(page, text)
        self.sends(page)
        expect(page.locator(".message.out", has_text=text)).to_be_visible()

    def kill(self) -> None:
        """End the browser as an empty battery would."""
        mine = f"--user-data-dir={self._profile}"
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and mine in _command(process):
                try:
                    os.kill(int(process.name), signal.SIGKILL)
                except ProcessLookupError:
                    continue
        until(lambda: not any(mine in _command(p) for p in _processes()))
        # A lock that a dead browser left behind keeps the next one from starting.
        for name in ("SingletonLock", "SingletonCookie", "SingletonSocket"):
            (self._profile / name).unlink(missing_ok=True)
        with suppress(Error):
            self.context.close()
        self._context = None

    def close(self) -> None:
        """End the browser when it still runs."""
        if self._context is not None:
            self.kill()


def _processes() -> list[Path]:
    return [path for path in Path("/proc").iterdir() if path.name.isdigit()]


def _command(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_text().split("\0")
    except OSError:
        return []


def launcher(
    playwright: Playwright, chromium: str, arguments: list[str], device: Mapping[str, Any]
) -> Callable[[Path], BrowserContext]:
    """Return how to start a browser on a profile folder."""

    def launch(profile: Path) -> BrowserContext:
        return playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium, args=arguments, **device
        )

    return launch
