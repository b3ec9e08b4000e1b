"""Web push as it really travels: stock Firefox, a push service beside it, our server, our worker.

Nothing is simulated but the push service, which speaks Mozilla's own protocol: the browser makes
the keys, decrypts, wakes the worker and draws the notification; the test only taps.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import machine
from tests.conftest import StartServer
from tests.peers.autopush import Autopush
from tests.peers.mail import until
from tests.support.browser import IN_STEP, Office
from tests.support.colleague import Colleague
from tests.support.firefox import PATIENCE_S, Firefox
from tests.support.missing import give_up
from tests.support.proxy import Line

STAND = ".push-stand"
TEXT = "Nog niet af"
DELIVERED = 100
"""What Firefox acknowledges with when it decrypted a message and its worker took it."""


@pytest.fixture
def autopush() -> Iterator[Autopush]:
    """The push service."""
    with Autopush() as service:
        yield service


@pytest.fixture
def office(start_server: StartServer, autopush: Autopush) -> Iterator[Office]:
    """The demonstration, which may send to that push service."""
    server = start_server(command="demo", push_services=f"localhost:{autopush.port}")
    with Line(server.port) as line:
        yield Office(server, line)


@pytest.fixture
def anna(office: Office, autopush: Autopush, tmp_path: Path) -> Iterator[Firefox]:
    """Anna's Firefox: signed in, subscribed by a tap, and proven."""
    path = machine.firefox()
    if path is None:
        give_up("Firefox (Debian: firefox-esr)")
    firefox = Firefox(
        path,
        tmp_path / "firefox",
        {
            "dom.push.serverURL": autopush.socket,
            "dom.push.testing.allowInsecureServerURL": True,
            "dom.push.connection.enabled": True,
            # Firefox draws notifications itself: there is no desktop here that would.
            "alerts.useSystemBackend": False,
        },
    )
    try:
        firefox.allows_notifications(office.line.url)
        firefox.goes_to(f"{office.line.url}/sign-in")
        firefox.taps("button", "Anna")
        soon(lambda: firefox.sees(IN_STEP))
        firefox.says("return navigator.serviceWorker.ready.then(() => true)")
        firefox.goes_to(f"{office.line.url}/phone")
        soon(lambda: firefox.sees("Meldingen staan uit op deze telefoon", STAND))
        firefox.taps("button", "Zet meldingen aan")
        soon(lambda: firefox.sees("Laatst bewezen: zojuist", STAND))
        yield firefox
    finally:
        firefox.close()


def soon(found: object) -> None:
    """Wait for a condition, however busy the machine is."""
    until(found, patience_s=PATIENCE_S)  # type: ignore[arg-type]


def wake(office: Office, question: str) -> str:
    """Have Anna woken for a question; return the title of what she must see."""
    with Colleague(office, "Bram") as bram:
        bram.puts_on_call("Anna", question)
        bram.does("urgent", question, urgent=True)
    ((area,),) = office.ask(
        "SELECT a.name FROM conversation c JOIN area a ON a.code = c.area WHERE c.id = ?", question
    )
    return f"Spoed in {area}"


def states(office: Office, kind: str) -> list[str]:
    """Return what became of the pushes of a kind."""
    return [state for (state,) in office.ask("SELECT state FROM push WHERE kind = ?", kind)]


def test_a_tap_on_what_was_pushed_opens_the_conversation_in_the_window_that_she_has(
    anna: Firefox, office: Office, autopush: Autopush
) -> None:
    assert states(office, "test") == ["shown"]
    assert office.ask("SELECT state, browser FROM push_subscription") == [("proven", "firefox")]
    question = office.question()
    ((other,),) = office.ask(
        "SELECT id FROM conversation WHERE id <> ? AND area = (SELECT area FROM conversation"
        " WHERE id = ?) AND why_not IS NULL LIMIT 1",
        question,
        question,
    )
    anna.goes_to(f"{office.line.url}/c/{other}")
    soon(lambda: anna.says("return document.querySelector('#composer-text')?.disabled === false"))
    anna.says(
        "const field = document.querySelector('#composer-text'); field.value = arguments[0];"
        " field.dispatchEvent(new Event('input', { bubbles: true })); window.same = true",
        TEXT,
    )

    title = wake(office, question)
    soon(lambda: title in anna.notifications())
    soon(lambda: states(office, "urgent") == ["shown"])
    assert len(autopush.posted) == 2
    assert list(autopush.acknowledged.values()) == [DELIVERED, DELIVERED]
    assert autopush.refused == []
    # Nothing of the resident is on the lock screen.
    shown = anna.says(
        "return navigator.serviceWorker.ready.then((worker) => worker.getNotifications())"
        ".then((all) => all.map(({ title, body }) => `${title} ${body}`))"
    )
    ((name, said),) = office.ask(
        "SELECT r.name, c.preview FROM conversation c JOIN resident r ON r.id = c.resident_id"
        " WHERE c.id = ?",
        question,
    )
    assert not any(re.search(rf"\b{re.escape(name)}\b", one) for one in shown)
    assert not any(said[:20] in one for one in shown)

    # It was stored before it was shown: no network is needed to read it.
    office.line.goes_down()
    anna.taps_notification(title)
    soon(lambda: anna.says("return location.pathname") == f"/c/{question}")
    soon(lambda: anna.sees(said[:20], ".conversation"))
    assert anna.says("return window.same"), "the page was loaded anew"
    assert len(anna.windows()) == 1
    anna.says("history.back()")
    soon(lambda: anna.says("return document.querySelector('#composer-text')?.value") == TEXT)


def test_a_tap_without_a_window_opens_one(anna: Firefox, office: Office) -> None:
    question = office.question()
    anna.goes_to("about:blank")
    title = wake(office, question)
    soon(lambda: title in anna.notifications())
    (here,) = anna.windows()
    anna.taps_notification(title)
    soon(lambda: len(anna.windows()) == 2)
    (opened,) = set(anna.windows()) - {here}
    anna.looks_at(opened)
    soon(lambda: anna.says("return location.pathname") == f"/c/{question}")
    soon(lambda: anna.sees(IN_STEP))


def test_what_a_colleague_takes_up_is_taken_off_the_screen(anna: Firefox, office: Office) -> None:
    question = office.question()
    # No page is open that could do it.
    anna.goes_to("about:blank")
    title = wake(office, question)
    soon(lambda: title in anna.notifications())
    with Colleague(office, "Bram") as bram:
        bram.does("acknowledge", question)
    soon(lambda: title not in anna.notifications())
    soon(lambda: states(office, "closed") == ["shown"])
    soon(lambda: not any(re.search("Spoed", one) for one in anna.notifications()))


def test_a_subscription_that_the_browser_lost_is_made_anew_without_her(
    anna: Firefox, office: Office, autopush: Autopush
) -> None:
    ((endpoint,),) = office.ask("SELECT endpoint FROM push_subscription")
    anna.goes_to("about:blank")
    autopush.forgets_browsers()
    soon(lambda: office.ask("SELECT endpoint FROM push_subscription") != [(endpoint,)])
    title = wake(office, office.question())
    soon(lambda: title in anna.notifications())


def in_step_with_push(anna: Firefox, office: Office) -> None:
    """Open *Deze telefoon* and wait until the app has told the server its subscription again."""
    anna.goes_to(f"{office.line.url}/phone")
    told = "return performance.getEntriesByType('resource').map(({ name }) => name)"
    soon(lambda: f"{office.line.url}/api/v1/push/subscription" in anna.says(told))


def test_a_phone_that_the_push_service_no_longer_knows_is_repaired_with_one_tap(
    anna: Firefox, office: Office, autopush: Autopush
) -> None:
    in_step_with_push(anna, office)
    (channel,) = autopush.channels
    autopush.drops(channel)
    anna.taps("button", "Proef nu")
    soon(lambda: anna.sees("Deze telefoon kan nu niet worden gewekt", STAND))
    anna.taps("button", "Herstel")
    soon(lambda: anna.sees("Laatst bewezen: zojuist", STAND))
    assert list(autopush.channels) != [channel]
    assert [one.channel for one in autopush.posted] == [channel, *autopush.channels]
    assert [one.status for one in autopush.refused] == [404]


def test_a_subscription_that_is_gone_is_made_anew_when_the_app_opens(
    anna: Firefox, office: Office, autopush: Autopush
) -> None:
    in_step_with_push(anna, office)
    (channel,) = autopush.channels
    autopush.drops(channel)
    anna.taps("button", "Proef nu")
    soon(lambda: office.ask("SELECT state FROM push_subscription") == [("gone",)])
    in_step_with_push(anna, office)
    soon(lambda: office.ask("SELECT state FROM push_subscription") == [("new",)])
    assert list(autopush.channels) != [channel]
