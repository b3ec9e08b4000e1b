"""What she typed arrives exactly once, whatever happens to her phone, her network or the server.

The network is cut between browser and server, by a line that counts; each test sees that it was.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, expect

from tests.conftest import StartServer
from tests.peers.mail import until
from tests.support import next_version
from tests.support.browser import IN_STEP, Office, Phone
from tests.support.proxy import Asked, Line, Weather, always

TEXT = "De lamp wordt morgen gemaakt."
SYNC = "/api/v1/sync"


def first_reply(fault: str) -> Weather:
    """Strike the first request that carries a reply."""
    left = [fault]

    def weather(asked: Asked) -> str:
        carries = asked.path == SYNC and b'"reply"' in asked.raw
        return left.pop() if carries and left else "none"

    return weather


def in_step(page: Page) -> None:
    """Wait until the bar says so, and nothing waits."""
    expect(page.locator(".bar-text")).to_contain_text(IN_STEP)
    expect(page.locator(".bar-pill")).to_have_count(0)


def test_a_reply_written_offline_survives_the_browser_and_arrives_once(
    anna: Phone, office: Office
) -> None:
    question = office.question()
    page = anna.context.pages[0]
    office.line.goes_down()
    anna.replies(page, question, TEXT)
    until(lambda: office.line.did["refuse"])
    anna.kill()
    assert office.times_said(TEXT) == 0

    page = anna.start()
    page.goto(anna.url(f"/c/{question}"))
    expect(page.locator(".message.out", has_text=TEXT)).to_be_visible()
    office.line.comes_back()
    office.waits_for(TEXT)
    in_step(page)
    assert office.times_said(TEXT) == 1
    assert anna.complaints == []


def test_two_tabs_and_the_worker_at_once_send_one(anna: Phone, office: Office) -> None:
    question = office.question()
    page = anna.context.pages[0]
    other = anna.tab()
    office.line.goes_down()
    anna.replies(page, question, TEXT)
    other.goto(anna.url("/outbox"))
    expect(other.locator(".card", has_text=TEXT)).to_be_visible()
    until(lambda: office.line.did["refuse"])

    # The answer is slow, so that whoever sends a second time has the time to.
    office.line.becomes(always("delay"))
    for tab in (page, other):
        tab.evaluate("navigator.serviceWorker.controller.postMessage({ what: 'sync now' })")
        tab.evaluate("dispatchEvent(new Event('online'))")
    office.waits_for(TEXT)
    in_step(page)
    in_step(other)
    assert office.times_said(TEXT) == 1
    assert office.line.did["delay"] > 0


@pytest.mark.parametrize("fault", ["lost", "twice", "cut_response", "error_after", "silent_after"])
def test_an_answer_that_is_lost_does_not_send_the_reply_again(
    anna: Phone, office: Office, fault: str
) -> None:
    question = office.question()
    page = anna.context.pages[0]
    office.line.becomes(first_reply(fault))
    anna.replies(page, question, TEXT)
    office.waits_for(TEXT)
    if fault == "silent_after":
        # A line that says nothing is a dead line; she walks out of the lift.
        office.line.comes_back()
    in_step(page)
    assert office.line.did[fault] == 1
    assert office.times_said(TEXT) == 1
    assert office.ask("SELECT count(*) FROM operation WHERE kind = 'reply'") == [(1,)]


def test_signed_out_meanwhile_loses_nothing(anna: Phone, office: Office) -> None:
    question = office.question()
    page = anna.context.pages[0]
    office.line.goes_down()
    anna.replies(page, question, TEXT)
    until(lambda: office.line.did["refuse"])
    office.ask("UPDATE user_session SET ended_at_ms = created_at_ms + 1")
    office.line.comes_back()
    expect(page.locator(".bar-text")).to_contain_text("Afgemeld")
    expect(page.locator(".message.out", has_text=TEXT)).to_be_visible()
    assert office.times_said(TEXT) == 0

    page.locator("a.bar-main").click()
    page.get_by_role("button", name="Anna").click()
    office.waits_for(TEXT)
    in_step(page)
    assert office.times_said(TEXT) == 1


def test_a_full_phone_says_so_and_loses_nothing(anna: Phone, office: Office) -> None:
    question = office.question()
    anna.kill()
    office.line.goes_down()
    # Before the app opens its databases: Chromium remembers for a while how much room there was.
    page = anna.start()
    page.goto("about:blank")
    cdp = anna.context.new_cdp_session(page)
    cdp.send("Storage.overrideQuotaForOrigin", {"origin": office.line.url, "quotaSize": 1})
    anna.opens(page, question)
    anna.writes(page, TEXT)
    anna.sends(page)
    expect(page.locator(".bar-text")).to_contain_text("opslag van deze telefoon is vol")
    expect(page.locator("#composer-text")).to_have_value(TEXT)
    assert page.locator(".message.out", has_text=TEXT).count() == 0

    cdp.send("Storage.overrideQuotaForOrigin", {"origin": office.line.url})
    anna.sends(page)
    expect(page.locator(".message.out", has_text=TEXT)).to_be_visible()
    expect(page.locator("#composer-text")).to_have_value("")
    assert office.line.did["refuse"] > 0
    assert office.times_said(TEXT) == 0
    office.line.comes_back()
    office.waits_for(TEXT)
    in_step(page)
    assert office.times_said(TEXT) == 1


def test_a_cold_start_without_a_network_shows_everything(anna: Phone, office: Office) -> None:
    question = office.question()
    ((subject,),) = office.ask(
        "SELECT text FROM message WHERE conversation_id = ? AND direction = 'in'"
        " ORDER BY position LIMIT 1",
        question,
    )
    anna.kill()
    office.line.goes_down()
    struck = office.line.did["refuse"]

    page = anna.start()
    page.goto(anna.url("/"))
    expect(page.locator(f"[href='/c/{question}']").first).to_be_visible()
    page.locator(f"[href='/c/{question}']").first.click()
    expect(page.locator(".message.in", has_text=subject[:40]).first).to_be_visible()
    expect(page.locator(".bar-text")).to_contain_text("Geen verbinding")
    until(lambda: office.line.did["refuse"] > struck)


def test_a_held_reply_shows_both_and_goes_when_she_says_so(
    anna: Phone, new_phone: Callable[[], Phone], office: Office
) -> None:
    question = office.question()
    page = anna.context.pages[0]
    anna.opens(page, question)
    office.line.goes_down()
    anna.writes(page, TEXT)
    anna.sends(page)
    expect(page.locator(".message.out", has_text=TEXT)).to_be_visible()
    until(lambda: office.line.did["refuse"])

    # Only Anna's line is cut: her colleague has another one.
    with Line(office.server.port) as other_line:
        colleague = new_phone()
        colleague.office = Office(office.server, other_line)
        there = colleague.start()
        colleague.signs_in(there, "Bram")
        colleague.replies(there, question, "Wij komen vandaag langs.")
        office.waits_for("Wij komen vandaag langs.")
        colleague.close()

    office.line.comes_back()
    page.locator(".bar-pill.look").click()
    card = page.locator(".card.look")
    expect(card).to_contain_text(TEXT)
    expect(card).to_contain_text("Wij komen vandaag langs.")
    assert office.times_said(TEXT) == 0
    # A nervous thumb: both taps come before the first is stored, and another in a second tab.
    second = anna.context.new_page()
    second.goto(anna.url("/outbox"))
    there_too = second.locator(".card.look").get_by_role("button", name="Toch versturen")
    there_too.evaluate(
        "(button) => new BroadcastChannel('tap').addEventListener('message', () => button.click())"
    )
    anyway = card.get_by_role("button", name="Toch versturen")
    anyway.evaluate(
        "(button) => {"
        " new BroadcastChannel('tap').postMessage('now'); button.click(); button.click(); }"
    )
    office.waits_for(TEXT)
    in_step(page)
    assert office.times_said(TEXT) == 1


def test_a_captive_portal_is_shown_as_one_and_takes_nothing(anna: Phone, office: Office) -> None:
    question = office.question()
    page = anna.context.pages[0]
    anna.opens(page, question)
    office.line.becomes(always("portal"))
    anna.writes(page, TEXT)
    anna.sends(page)
    expect(page.locator(".bar-text")).to_contain_text("wifi-netwerk")
    expect(page.locator(".message.out", has_text=TEXT)).to_be_visible()
    assert office.line.did["portal"] > 0
    assert office.times_said(TEXT) == 0
    office.line.comes_back()
    office.waits_for(TEXT)
    in_step(page)
    assert office.times_said(TEXT) == 1


def test_a_revoked_phone_clears_itself(anna: Phone, office: Office) -> None:
    page = anna.context.pages[0]
    anna.opens(page, office.question())
    assert page.evaluate("indexedDB.databases().then((all) => all.length)") >= 3
    office.ask("UPDATE device SET revoked_at_ms = created_at_ms + 1")
    page.goto(anna.url("/"))
    # The worker may hear it before the page does; then the page finds nobody and asks to sign in.
    said = page.get_by_text("toegang van deze telefoon is ingetrokken")
    expect(said.or_(page.get_by_role("heading", name="Aanmelden"))).to_be_visible()
    alone = "indexedDB.databases().then((all) => all.every(({ name }) => name === 'stoep-device'))"
    bare = "caches.keys().then((names) => names.length === 0)"

    def said_by_the_page(what: str) -> bool:
        # Not `evaluate`, which waits for ever for a page that is on its way to the sign-in.
        try:
            page.wait_for_function(what, timeout=2_000)
        except Error:
            return False
        return True

    until(lambda: said_by_the_page(alone))
    until(lambda: said_by_the_page(bare))
    expect(page.locator(".message, [href^='/c/']")).to_have_count(0)


def test_an_upgrade_of_server_and_app_finds_the_whole_outbox(
    anna: Phone, office: Office, start_server: StartServer, tmp_path: Path
) -> None:
    question = office.question()
    page = anna.context.pages[0]
    build = page.locator("meta[name=build]").get_attribute("content")
    office.line.goes_down()
    anna.replies(page, question, TEXT)
    page.locator(".composer").get_by_role("button", name="Notitie").click()
    page.locator("#composer-text").fill("Sleutel ligt bij de buren.")
    page.get_by_role("button", name="Plaats notitie").click()
    expect(page.locator(".message.note", has_text="Sleutel")).to_be_visible()
    page.get_by_role("button", name="Pak op").click()
    expect(page.get_by_role("button", name="Pak op")).to_have_count(0)
    anna.opens(page, question)
    anna.writes(page, "Nog niet af")
    expect(page.locator("#composer-text")).to_be_focused()
    page.locator("#composer-text").blur()
    anna.kept(page, "Nog niet af")
    anna.kill()

    office.server.stop()
    newer = start_server(
        command="demo",
        program=(sys.executable, "-m", "app.cli"),
        cwd=next_version.make(tmp_path / "next"),
    )
    office.server = newer
    office.line.leads_to(newer.port)
    # The new app comes through before anything of the outbox does.
    office.line.becomes(always("refuse", SYNC))
    page = anna.start()
    page.goto(anna.url(f"/c/{question}"))
    page.locator(".bar-main").click()
    expect(page.get_by_role("button", name="Vernieuwen")).to_be_visible()
    # It takes over when the app was closed; a debugger, as this test is, keeps it from doing so
    # while it is open.
    anna.kill()
    page = anna.start()
    page.goto(anna.url(f"/c/{question}"))
    until(lambda: page.locator("meta[name=build]").get_attribute("content") != build)
    expect(page.locator("#composer-text")).to_have_value("Nog niet af")
    versions = "indexedDB.databases().then((all) => all.map((one) => one.version))"
    assert sorted(page.evaluate(versions)) == [1, 2, 2]
    assert office.times_said(TEXT) == 0
    assert office.line.did["refuse"] > 0

    office.line.comes_back()
    office.waits_for(TEXT)
    in_step(page)
    assert office.times_said(TEXT) == 1
    assert office.times_said("Sleutel ligt bij de buren.") == 1
    taken = "SELECT p.name, c.mood FROM conversation c JOIN person p ON p.id = c.assignee_id"
    ((name, mood),) = office.ask(f"{taken} WHERE c.id = ?", question)
    assert name.startswith("Anna")
    assert mood is None
    expect(page.locator("#composer-text")).to_have_value("Nog niet af")
