"""What stands in a closed group is copied by hand, without a network too, and never sent there."""

import json
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.ids import uuid7
from tests.browser.conftest import PHONE
from tests.peers.mail import until
from tests.support.browser import Office, Phone

AXE = Path(__file__).parents[2] / "static/node_modules/axe-core/axe.min.js"
VIOLATIONS = """async () => {
  await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
  const { violations } = await axe.run();
  return violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
}"""

SHARE = """(text) => {
  const form = document.createElement('form');
  Object.assign(form, { method: 'POST', action: '/share', enctype: 'multipart/form-data' });
  const field = (name, value) => {
    const input = document.createElement('input');
    Object.assign(input, { name, value });
    form.append(input);
  };
  field('title', '');
  field('text', text);
  field('url', '');
  const canvas = Object.assign(document.createElement('canvas'), { width: 40, height: 30 });
  canvas.getContext('2d').fillRect(0, 0, 40, 30);
  return new Promise((done) => canvas.toBlob((blob) => {
    const data = new DataTransfer();
    data.items.add(new File([blob], 'scherm.png', { type: 'image/png' }));
    const files = Object.assign(document.createElement('input'), { type: 'file', name: 'photos' });
    files.files = data.files;
    form.append(files);
    document.body.append(form);
    form.submit();
    done(true);
  }, 'image/png'));
}"""
"""What a browser does when another app shares with an installed one (Web Share Target)."""

HEARD = "Weet iemand wanneer de containers komen?"
ANSWER = "Ze komen donderdag, zei de gemeente."


def area_of(office: Office, name: str) -> str:
    """Return an area that somebody of the demonstration answers for."""
    ((area,),) = office.ask(
        "SELECT t.area FROM team_area t JOIN membership m ON m.team_id = t.team_id"
        " JOIN person p ON p.id = m.person_id WHERE p.name LIKE ? || '%' LIMIT 1",
        name,
    )
    return str(area)


def fills_in(page: Page, area: str) -> None:
    page.locator("[name=source]").select_option("whatsapp")
    page.locator("[name=group]").fill("Onze straat")
    page.locator("[name=area]").select_option(area)


def test_what_is_shared_without_a_network_is_kept_and_becomes_one_conversation(
    anna: Phone, office: Office
) -> None:
    page = anna.context.pages[0]
    office.line.goes_down()
    page.evaluate(SHARE, HEARD)
    page.wait_for_url("**/new?shared=1")
    expect(page.locator("[name=text]")).to_have_value(HEARD)
    expect(page.locator(".attached li")).to_have_count(1)
    expect(page.get_by_label("Besloten groep")).to_be_checked()
    anna.kept(page, HEARD)
    anna.kill()

    page = anna.start()
    page.goto(anna.url("/new"))
    expect(page.locator("[name=text]")).to_have_value(HEARD)
    fills_in(page, area_of(office, "Anna"))
    page.get_by_role("button", name="Leg vast", exact=True).click()
    expect(page.locator(".message.in", has_text=HEARD)).to_be_visible()
    expect(page.locator(".message.in")).to_contain_text("WhatsApp-groep · Onze straat")
    expect(page.get_by_text("Iedereen in de groep leest mee")).to_be_visible()
    page.get_by_label("Dit heb ik daar zelf geantwoord").check()
    page.locator("#composer-text").fill(ANSWER)
    page.get_by_role("button", name="Leg antwoord vast").click()
    expect(page.locator(".message.out", has_text=ANSWER)).to_contain_text("zelf geantwoord")
    assert office.times_said(HEARD) == 0

    office.line.comes_back()
    office.waits_for(ANSWER)
    page.reload()
    expect(page.locator(".message.out", has_text=ANSWER)).to_contain_text("zelf geantwoord")
    assert (office.times_said(HEARD), office.times_said(ANSWER)) == (1, 1)
    rows = office.ask(
        "SELECT m.direction, count(d.id), count(a.id) FROM message m"
        " LEFT JOIN delivery d ON d.message_id = m.id LEFT JOIN attachment a ON a.message_id = m.id"
        " WHERE m.text IN (?, ?) GROUP BY m.id ORDER BY m.position",
        HEARD,
        ANSWER,
    )
    assert rows == [("in", 0, 1), ("out", 0, 0)]
    assert anna.complaints == []


def test_what_is_shared_never_takes_the_place_of_what_was_typed(anna: Phone) -> None:
    page = anna.context.pages[0]
    page.goto(anna.url("/new"))
    page.locator("[name=text]").fill("Eerst dit.")
    anna.kept(page, "Eerst dit.")
    page.evaluate(SHARE, HEARD)
    page.wait_for_url("**/new?shared=1")
    expect(page.locator("[name=text]")).to_have_value(f"Eerst dit.\n\n{HEARD}")
    page.evaluate(SHARE, HEARD)
    page.wait_for_url("**/new?shared=1")
    expect(page.locator("[name=text]")).to_have_value(f"Eerst dit.\n\n{HEARD}\n\n{HEARD}")
    expect(page.locator(".attached li")).to_have_count(2)
    assert anna.complaints == []


def test_an_installed_app_offers_itself_to_share_with(anna: Phone) -> None:
    page = anna.context.pages[0]
    manifest = page.evaluate("fetch('/manifest.webmanifest').then((answer) => answer.json())")
    target = manifest["share_target"]
    assert (target["action"], target["method"]) == ("/share", "POST")
    assert target["params"]["files"][0]["name"] == "photos"


def hears(office: Office, text: str, title: str = "Feest op het plein") -> None:
    """Let a feed of Anna's team bring something."""
    office.ask("DELETE FROM listening_hit WHERE account_id <> 'krant'")  # the demonstration's own
    area = area_of(office, "Anna")
    ((team,),) = office.ask("SELECT team_id FROM team_area WHERE area = ? LIMIT 1", area)
    columns = {name for _, name, *_ in office.ask("PRAGMA table_info(account)")}
    if not office.ask("SELECT id FROM account WHERE id = 'krant'"):
        given = {
            "id": "krant", "kind": "feed", "name": "Buurtkrant", "team_id": team, "area": area,
            "config": json.dumps({}), "secret": "", "enabled": 0, "health": "working",
            "health_since_ms": 0, "health_detail": "",
        }  # fmt: skip
        named = [name for name in given if name in columns]
        office.ask(
            f"INSERT INTO account ({', '.join(named)}) VALUES ({', '.join('?' * len(named))})",
            *(given[name] for name in named),
        )
    now_ms = int(time.time() * 1000)
    hit = uuid7()
    office.ask(
        "INSERT INTO listening_hit (id, scope, account_id, external_id, source, title, text,"
        " author, address, link, said_at_ms, heard_at_ms)"
        " VALUES (?, ?, 'krant', ?, 'account:krant', ?, ?, 'Buurtkrant', '',"
        " 'https://krant.example/1', ?, ?)",
        *(hit, area, hit, title, text, now_ms, now_ms),
    )


def test_what_is_overheard_becomes_a_conversation_by_a_tap_without_a_network(
    anna: Phone, office: Office
) -> None:
    hears(office, "Zaterdag is er feest.")
    page = anna.context.pages[0]
    page.goto(anna.url("/phone"))
    page.get_by_role("link", name="Meeluisteren").click()
    expect(page.get_by_role("heading", name="Feest op het plein")).to_be_visible()
    office.line.goes_down()
    page.get_by_role("button", name="Maak er een gesprek van").click()
    expect(page.get_by_role("link", name="Dit is een gesprek geworden")).to_be_visible()
    anna.kill()

    page = anna.start()
    page.goto(anna.url("/listening"))
    expect(page.get_by_text("Deze lijst heeft een verbinding nodig")).to_be_visible()
    office.line.comes_back()
    until(lambda: office.ask("SELECT conversation_id FROM listening_hit")[0][0] is not None)
    ((conversation,),) = office.ask("SELECT conversation_id FROM listening_hit")
    page.goto(anna.url(f"/c/{conversation}"))
    expect(page.locator(".message.in", has_text="Zaterdag is er feest.")).to_be_visible()
    assert anna.complaints == []


def test_a_muted_source_is_gone_from_the_list_and_can_be_heard_again(
    anna: Phone, office: Office
) -> None:
    hears(office, "Zaterdag is er feest.")
    page = anna.context.pages[0]
    page.goto(anna.url("/listening"))
    page.get_by_role("button", name="Demp deze bron").click()
    expect(page.get_by_role("heading", name="Feest op het plein")).to_have_count(0)
    until(lambda: office.ask("SELECT count(*) FROM listening_muted")[0][0])
    page.get_by_role("button", name="Ververs").click()
    page.get_by_role("button", name="Luister weer naar Buurtkrant").click()
    expect(page.get_by_role("heading", name="Feest op het plein")).to_be_visible()
    assert office.ask("SELECT count(*) FROM listening_muted")[0][0] == 0
    assert anna.complaints == []


@pytest.mark.parametrize(("language", "scheme"), [("nl", "light"), ("en", "dark")])
def test_axe_finds_nothing_where_groups_are_copied_and_sites_are_heard(
    browser: Browser, office: Office, language: str, scheme: str
) -> None:
    hears(office, "Zaterdag is er feest. " * 60)
    context = browser.new_context(
        base_url=office.server.url.replace("127.0.0.1", "localhost"),
        bypass_csp=True,  # the page's own rules would keep axe out
        service_workers="block",
        reduced_motion="reduce",
        color_scheme="dark" if scheme == "dark" else "light",
        **{key: value for key, value in PHONE.items() if key != "is_mobile"},  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_role("button", name="Anna").click()
    expect(page.locator("[href^='/c/']").first).to_be_visible()
    if language == "en":
        page.goto("/phone")
        page.locator("select").first.select_option("en")
        expect(page.get_by_role("heading", name="This phone")).to_be_visible()
    page.goto("/listening")
    expect(page.locator(".hit").first).to_be_visible()
    page.add_script_tag(path=AXE)
    assert page.evaluate(VIOLATIONS) == []
    page.goto("/new")
    page.locator("[name=via][value=group]").check()
    expect(page.locator("[name=source]")).to_be_visible()
    page.locator("[name=text]").fill(HEARD)
    page.locator(".button.primary").click()
    expect(page.locator("#problem-source")).to_be_visible()
    page.add_script_tag(path=AXE)
    assert page.evaluate(VIOLATIONS) == []
    context.close()
