"""What the worker does with a push, in Chromium: without a page, and without a network.

Chromium has its maker's push service built in, which a test machine does not reach. So the test is
the browser's end of the line: it holds the keys of Anna's subscription, takes from a push service
of ours what the server really sent, and hands the plaintext to the worker as Chromium itself would
(`ServiceWorker.deliverPushMessage`). The whole way without such a joint is in test_push_firefox.py.
"""

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from playwright.sync_api import Page, Playwright, Worker, expect

from tests.browser.conftest import ARGUMENTS, PHONE
from tests.conftest import StartServer
from tests.peers.mail import until
from tests.peers.push_reading import Browser
from tests.peers.push_service import PushService, serving
from tests.support.browser import Office, Phone, launcher
from tests.support.colleague import Colleague
from tests.support.proxy import Line

PATIENCE_S = 60
"""A condition is waited for, however busy the machine is."""

SHOWN = """async () => (await self.registration.getNotifications()).map(
  ({ title, body, tag, silent, requireInteraction, actions, data }) =>
    ({ title, body, tag, silent, requireInteraction, actions, data }))"""

TAP = """async ([tag, action]) => {
  const [notification] = await self.registration.getNotifications({ tag });
  // What Chromium does on a tap, which no automation offers.
  self.dispatchEvent(new NotificationEvent('notificationclick', { notification, action }));
}"""

WATCH = """() => {
  // Chromium forgets a notification that it is asked about while it is being drawn.
  const { prototype } = ServiceWorkerRegistration;
  const show = prototype.showNotification;
  self.drawn = 0;
  prototype.showNotification = async function (...given) {
    await show.apply(this, given);
    self.drawn += 1;
  };
  self.badges = [];
  navigator.setAppBadge = async (count) => void self.badges.push(count);
  navigator.clearAppBadge = async () => void self.badges.push(0);
}"""


class Services:
    """A push service on a thread of its own."""

    def __init__(self) -> None:
        self.service = PushService()
        self._stack = AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        opening = self._stack.enter_async_context(serving(self.service))
        asyncio.run_coroutine_threadsafe(opening, self._loop).result()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stack.aclose(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Woken:
    """Anna's phone, which can be woken: no page of the app is open on it."""

    def __init__(self, phone: Phone, office: Office, service: PushService) -> None:
        self.phone = phone
        self.office = office
        self._service = service
        self._delivered = 0
        page = phone.context.pages[0]
        phone.context.grant_permissions(["notifications"], origin=office.line.url)
        self._subscribe(page)
        self._cdp = phone.context.new_cdp_session(page)
        registrations: list[dict[str, Any]] = []
        self._cdp.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda event: registrations.extend(event["registrations"]),
        )
        self._cdp.send("ServiceWorker.enable")
        # Events only come while Playwright is busy; asking the page is a way to be.
        soon(lambda: page.evaluate("1") and registrations)
        self._registration = registrations[-1]["registrationId"]
        page.goto("about:blank")
        self.worker.evaluate(WATCH)

    def _subscribe(self, page: Page) -> None:
        browser = Browser()
        body = {"endpoint": self._service.subscribe("anna", browser), "keys": browser.keys}
        status = page.evaluate(
            "(body) => fetch('/api/v1/push/subscription', { method: 'PUT', body,"
            " headers: { 'content-type': 'application/json' } }).then((answer) => answer.status)",
            json.dumps(body),
        )
        assert status == 200

    @property
    def worker(self) -> Worker:
        """The service worker."""
        (worker,) = self.phone.context.service_workers
        return worker

    def comes(self) -> dict[str, Any]:
        """Wait for what the server sends next, and let it come in; return it."""
        soon(lambda: len(self._service.taken) > self._delivered)
        plaintext = self._service.taken[self._delivered].plaintext.decode()
        self._delivered += 1
        self.receives(plaintext)
        said: dict[str, Any] = json.loads(plaintext)
        return said

    def receives(self, plaintext: str) -> None:
        """Let a message come in, and wait until something is shown for it."""
        drawn = self._drawn()
        self._cdp.send(
            "ServiceWorker.deliverPushMessage",
            {
                "origin": self.office.line.url,
                "registrationId": self._registration,
                "data": plaintext,
            },
        )
        soon(lambda: self._drawn() > drawn)

    def _drawn(self) -> int:
        return int(self.worker.evaluate("self.drawn"))

    def network_is_back(self) -> None:
        """Do what Chromium does by itself when there is a network again: Background Sync."""
        self._cdp.send(
            "ServiceWorker.dispatchSyncEvent",
            {
                "origin": self.office.line.url,
                "registrationId": self._registration,
                "tag": "stoep-outbox",
                "lastChance": False,
            },
        )

    def shown(self) -> list[dict[str, Any]]:
        """Return the notifications on the screen."""
        found: list[dict[str, Any]] = self.worker.evaluate(SHOWN)
        return found

    def shows(self, what: str) -> dict[str, Any]:
        """Wait for the one notification of a kind: alarm, plain, quiet or queued."""
        soon(lambda: [one["data"]["what"] for one in self.shown()] == [what])
        return self.shown()[0]

    def taps(self, action: str) -> None:
        """Tap an action of the one notification."""
        (one,) = self.shown()
        self.worker.evaluate(TAP, [one["tag"], action])

    def says_so(self, what: str) -> dict[str, Any]:
        """Wait until the worker said what became of a tap; return that notification."""
        soon(lambda: self._drawn() > 1)
        return self.shows(what)

    def operations(self, kind: str) -> int:
        """Count the operations of a kind that the server knows."""
        return int(self.office.ask("SELECT count(*) FROM operation WHERE kind = ?", kind)[0][0])


def soon(found: Callable[[], object]) -> None:
    """Wait for a condition."""
    until(found, patience_s=PATIENCE_S)


@pytest.fixture
def woken(
    playwright: Playwright, chromium: str, start_server: StartServer, tmp_path: Path
) -> Iterator[Woken]:
    """Anna's phone with a subscription, and the demonstration that may send to it."""
    with Services() as services:
        port = services.service.url.rpartition(":")[2]
        server = start_server(command="demo", push_services=f"localhost:{port}")
        with Line(server.port) as line:
            office = Office(server, line)
            launch = launcher(playwright, chromium, ARGUMENTS, PHONE)
            phone = Phone(launch, tmp_path / "profile", office)
            try:
                phone.signs_in(phone.start())
                yield Woken(phone, office, services.service)
                assert services.service.refused == []
            finally:
                phone.close()


@pytest.fixture
def question(woken: Woken) -> str:
    """An urgent question for which Anna, who is on call, is woken."""
    found = woken.office.question()
    with Colleague(woken.office, "Bram") as bram:
        bram.puts_on_call("Anna", found)
        bram.does("urgent", found, urgent=True)
    return found


def test_a_push_is_shown_with_its_conversation_on_the_phone(woken: Woken, question: str) -> None:
    ((resident, area, said),) = woken.office.ask(
        "SELECT r.name, a.name, c.preview FROM conversation c JOIN area a ON a.code = c.area"
        " JOIN resident r ON r.id = c.resident_id WHERE c.id = ?",
        question,
    )
    sent = woken.comes()
    alarm = woken.shows("alarm")
    assert alarm["title"] == f"Spoed in {area}"
    assert alarm["tag"] == question
    assert (alarm["silent"], alarm["requireInteraction"]) == (False, True)
    assert [one["action"] for one in alarm["actions"]] == ["acknowledge", "snooze"]
    assert alarm["data"]["fresh"] is True
    # Neither a push service nor a lock screen has a word of the resident.
    seen = json.dumps([sent, alarm], ensure_ascii=False)
    assert not re.search(rf"\b{re.escape(resident)}\b", seen)
    assert said[:20] not in seen
    soon(
        lambda: (
            woken.office.ask("SELECT state FROM push WHERE id = ?", sent["push"])[0][0] == "shown"
        )
    )
    soon(lambda: (woken.worker.evaluate("self.badges") or [0])[-1] >= 1)

    woken.office.line.goes_down()
    page = woken.phone.tab()
    page.goto(woken.phone.url(f"/c/{question}"))
    expect(page.locator(".message.in", has_text=said[:20]).first).to_be_visible()
    # What she has before her eyes needs no notification.
    soon(lambda: woken.shown() == [])
    soon(lambda: woken.office.line.did["refuse"])


def test_an_action_without_page_or_network_reaches_the_server_once(
    woken: Woken, question: str
) -> None:
    woken.comes()
    woken.shows("alarm")
    woken.office.line.goes_down()
    woken.taps("acknowledge")
    queued = woken.says_so("queued")
    assert queued["body"] == "Wordt verstuurd zodra er netwerk is."
    assert queued["silent"] is True
    assert woken.office.line.did["refuse"] > 0
    assert woken.operations("acknowledge") == 0

    woken.office.line.comes_back()
    woken.network_is_back()
    woken.network_is_back()
    soon(lambda: woken.operations("acknowledge"))
    soon(lambda: woken.shown() == [])
    assert woken.operations("acknowledge") == 1
    ((state, name),) = woken.office.ask(
        "SELECT a.state, p.name FROM alert a JOIN person p ON p.id = a.acknowledged_by"
        " WHERE a.conversation_id = ?",
        question,
    )
    assert (state, name.split()[0]) == ("acknowledged", "Anna")


def test_later_is_a_snooze_of_a_quarter_of_an_hour(woken: Woken, question: str) -> None:
    woken.comes()
    woken.shows("alarm")
    woken.taps("snooze")
    soon(lambda: woken.operations("snooze") == 1)
    soon(lambda: woken.shown() == [])
    steps = woken.office.ask(
        "SELECT s.detail FROM alert_step s JOIN alert a ON a.id = s.alert_id"
        " WHERE a.conversation_id = ? AND s.kind = 'snoozed'",
        question,
    )
    assert steps == [("15",)]


def test_a_push_that_comes_too_late_is_quiet(woken: Woken, question: str) -> None:
    with Colleague(woken.office, "Bram") as bram:
        bram.does("acknowledge", question)
        woken.comes()
        late = woken.shows("quiet")
    assert late["title"] == "Spoed is al opgepakt"
    assert late["silent"] is True
    soon(lambda: woken.shown() == [])


def test_what_a_colleague_takes_up_goes_when_the_server_says_so(
    woken: Woken, question: str
) -> None:
    woken.comes()
    woken.shows("alarm")
    with Colleague(woken.office, "Bram") as bram:
        bram.does("acknowledge", question)
    assert woken.comes()["kind"] == "closed"
    woken.shows("quiet")
    soon(lambda: woken.shown() == [])


def test_what_a_colleague_takes_up_goes_with_the_next_sync_of_an_open_page(
    woken: Woken, question: str
) -> None:
    woken.comes()
    woken.shows("alarm")
    page = woken.phone.tab()
    page.goto(woken.phone.url("/"))
    expect(page.locator("[href^='/c/']").first).to_be_visible()
    assert [one["data"]["what"] for one in woken.shown()] == ["alarm"]
    # The push that says so never arrives.
    with Colleague(woken.office, "Bram") as bram:
        bram.does("acknowledge", question)
    soon(lambda: page.evaluate("1") and woken.shown() == [])


def test_an_alarm_goes_when_its_conversation_went_to_another_team(
    woken: Woken, question: str
) -> None:
    woken.comes()
    woken.shows("alarm")
    page = woken.phone.tab()
    page.goto(woken.phone.url("/"))
    expect(page.locator(f"[href='/c/{question}']").first).to_be_visible()
    with Colleague(woken.office, "Bram") as bram:
        bram.does("area", question, area="team:zuid")
    soon(lambda: page.evaluate("1") and woken.shown() == [])


@pytest.mark.parametrize(
    "payload",
    ["", "{", "null", '{"v":1,"kind":"urgent","c":"../sign-in","notification":[]}', "\x00"],
)
def test_whatever_comes_in_something_is_shown(woken: Woken, payload: str) -> None:
    woken.receives(payload)
    (one,) = woken.shown()
    assert one["data"]["path"] == "/"
    assert one["silent"] is False
