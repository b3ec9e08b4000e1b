"""Channels on a phone: added step by step, tried from outside, switched off, ended."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE
from tests.channels.mails import question
from tests.peers.mail import PASSWORD, MailServers, missing, until
from tests.support.browser import Office, Phone
from tests.support.missing import give_up

AXE = Path(__file__).parents[2] / "static/node_modules/axe-core/axe.min.js"
VIOLATIONS = """async () => {
  await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
  const { violations } = await axe.run();
  return violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
}"""


@pytest.fixture(scope="module")
def mail_servers() -> Iterator[MailServers]:
    """Postfix and Dovecot for these tests."""
    lacking = missing()
    if lacking:
        give_up(lacking)
    servers = MailServers()
    try:
        yield servers.start()
    finally:
        servers.stop()


@pytest.fixture
def esther(new_phone: Callable[[], Phone]) -> Phone:
    """The manager's phone, at the channels."""
    phone = new_phone()
    page = phone.start()
    page.goto(phone.url("/sign-in"))
    page.get_by_role("button", name="Esther").click()
    expect(page.locator("[href^='/c/']").first).to_be_visible()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    until(lambda: page.evaluate("caches.keys().then((names) => names.length)"))
    page.goto(phone.url("/phone"))
    page.get_by_role("link", name="Kanalen").click()
    expect(page.get_by_role("button", name="Kanaal toevoegen")).to_be_enabled()
    return phone


def types_mailbox(page: Page, servers: MailServers, address: str, password: str, team: str) -> None:
    """Fill in the form of a mailbox on servers that are this machine's."""
    sheet = page.get_by_role("dialog", name="Kanaal toevoegen")
    sheet.get_by_label("E-mailadres").fill(address)
    sheet.get_by_label("Wachtwoord").fill(password)
    sheet.get_by_label("Server voor inkomende mail").fill("127.0.0.1")
    sheet.get_by_label("Server voor uitgaande mail").fill("127.0.0.1")
    for label, value in (("Beveiliging IMAP", "none"), ("Beveiliging SMTP", "none")):
        sheet.get_by_label(label).select_option(value)
    sheet.get_by_label("Poort IMAP").fill(str(servers.imap_port))
    sheet.get_by_label("Poort SMTP").fill(str(servers.smtp_port))
    sheet.get_by_label("Naam, zoals").fill("Post Noord")
    sheet.get_by_label("Team dat antwoordt").select_option(team)
    sheet.get_by_role("button", name="Probeer en bewaar").click()


def mailboxes(office: Office) -> list[tuple[object, ...]]:
    return office.ask("SELECT name, enabled, ended_at_ms FROM account WHERE name = 'Post Noord'")


def test_a_mailbox_is_added_in_three_steps_and_tried_in_both_directions(
    esther: Phone, new_phone: Callable[[], Phone], office: Office, mail_servers: MailServers
) -> None:
    page = esther.context.pages[0]
    team, resident = mail_servers.mailbox(), mail_servers.mailbox()
    ((annas,),) = office.ask(
        "SELECT team_id FROM membership JOIN person ON person.id = person_id"
        " WHERE name LIKE 'Anna%' LIMIT 1"
    )
    page.get_by_role("button", name="Kanaal toevoegen").click()
    sheet = page.get_by_role("dialog", name="Kanaal toevoegen")
    sheet.get_by_role("button", name="E-mail", exact=False).click()
    sheet.get_by_role("button", name="Probeer en bewaar").click()
    expect(sheet.get_by_text("Vul ‘E-mailadres’ in.")).to_be_visible()
    types_mailbox(page, mail_servers, team, "verkeerd", annas)
    expect(sheet.get_by_role("alert")).to_contain_text("De mailserver weigert de aanmelding.")
    expect(sheet.get_by_role("alert")).to_contain_text("Er is niets bewaard.")
    assert mailboxes(office) == []
    expect(sheet.get_by_label("E-mailadres")).to_have_value(team)
    types_mailbox(page, mail_servers, team, PASSWORD, annas)
    expect(sheet.get_by_role("heading", name="Post Noord is gekoppeld")).to_be_visible()
    assert mailboxes(office) == [("Post Noord", 1, None)]
    sheet.get_by_role("button", name="Maak een code").click()
    code = sheet.locator(".code").inner_text()
    mail_servers.send(question(resident, team, f"Mijn code is {code}."), sender=resident, to=team)
    expect(sheet.get_by_text("Het bericht kwam binnen om")).to_be_visible()
    sheet.get_by_role("link", name="Bekijk het").click()
    expect(sheet).to_have_count(0)
    expect(page.locator(".timeline")).to_contain_text(code)
    ((conversation,),) = office.ask("SELECT conversation_id FROM channel_test")
    phone = new_phone()
    answering = phone.start()
    phone.signs_in(answering)
    phone.opens(answering, str(conversation))
    answering.locator("#composer-text").fill("En dit is het antwoord.")
    answering.locator("#composer-send").click()
    until(lambda: [mail for mail in mail_servers.mails(resident) if "het antwoord" in str(mail)])
    assert esther.complaints == []


def test_an_account_is_tried_switched_off_and_ended_and_its_words_stay(
    esther: Phone, office: Office
) -> None:
    page = esther.context.pages[0]
    office.ask(
        "INSERT INTO account (id, kind, name, team_id, config, secret, enabled, health,"
        " health_since_ms, health_detail) SELECT 'oud', 'email', 'Post Oud', id, '{}', '', 1,"
        " 'working', 0, '' FROM team LIMIT 1"
    )
    office.ask("UPDATE conversation SET account_id = 'oud' WHERE number = 1")
    page.reload()
    # The row was slipped in behind the feed's back; touching it brings it to the phone.
    page.evaluate(
        "fetch('/api/v1/channels/oud/enabled', {method: 'PUT', body: '{\"enabled\": true}',"
        " headers: {'content-type': 'application/json'}}).then((answer) => answer.status)"
    )
    page.get_by_role("button", name="Beheer: Post Oud").click()
    sheet = page.get_by_role("dialog", name="Post Oud")
    sheet.get_by_role("button", name="Probeer nu").click()
    expect(sheet.get_by_text("Aanmelden lukt niet: De instellingen van dit kanaal")).to_be_visible()
    sheet.get_by_role("button", name="Zet uit").click()
    expect(sheet.get_by_text("Staat uit: er komt niets binnen")).to_be_visible()
    sheet.get_by_role("button", name="Hef op").click()
    page.get_by_role("dialog", name="Post Oud opheffen?").get_by_role(
        "button", name="Hef op"
    ).click()
    expect(sheet.get_by_text("Alleen nog om te lezen")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Opgeheven kanalen")).to_be_visible()
    assert office.ask("SELECT count(*) FROM message WHERE conversation_id ="
                      " (SELECT id FROM conversation WHERE number = 1)") != [(0,)]  # fmt: skip


def test_without_a_network_the_phone_says_what_it_heard_last(esther: Phone, office: Office) -> None:
    page = esther.context.pages[0]
    works = page.locator(".channel").filter(has_text="Werkt").first
    expect(works).to_be_visible()
    office.line.goes_down()
    page.reload()
    expect(page.get_by_text("Zonder verbinding zie je wat de telefoon het laatst")).to_be_visible()
    expect(works).to_be_visible()
    expect(page.get_by_role("button", name="Kanaal toevoegen")).to_be_disabled()
    office.line.comes_back()
    expect(page.get_by_role("button", name="Kanaal toevoegen")).to_be_enabled()


def test_a_coordinator_sees_how_channels_are_doing_and_changes_nothing(
    anna: Phone, office: Office
) -> None:
    page = anna.context.pages[0]
    page.goto(anna.url("/channels"))
    expect(page.locator(".channel").filter(has_text="Werkt").first).to_be_visible()
    expect(page.get_by_role("button", name="Kanaal toevoegen")).to_have_count(0)
    expect(page.get_by_role("button", name="Beheer", exact=False)).to_have_count(0)
    assert anna.complaints == []


def test_a_name_without_spaces_stays_within_its_dialog(esther: Phone) -> None:
    page = esther.context.pages[0]
    page.get_by_role("button", name="Beheer: noord@voorbeeldstad.example").click()
    page.get_by_role("button", name="Hef op").click()
    asked = page.get_by_role("dialog", name="noord@voorbeeldstad.example opheffen?")
    expect(asked).to_be_visible()
    assert asked.evaluate(
        "(dialog) => [dialog.scrollLeft, dialog.scrollWidth - dialog.clientWidth]"
    ) == [0, 0]


def test_what_can_only_be_read_promises_no_answers(esther: Phone) -> None:
    page = esther.context.pages[0]
    page.get_by_role("button", name="Kanaal toevoegen").click()
    sheet = page.get_by_role("dialog", name="Kanaal toevoegen")
    feed = sheet.get_by_role("button", name="Nieuwsfeed")
    expect(feed).to_contain_text("Alleen om te lezen")
    expect(feed).not_to_contain_text("antwoorden")
    feed.click()
    expect(sheet.get_by_label("Team dat meeleest")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_the_channels(browser: Browser, office: Office, theme: str) -> None:
    office.ask(
        "INSERT INTO account (id, kind, name, team_id, config, secret, enabled, health,"
        " health_since_ms, health_detail, limited_until_ms, gaps) SELECT 'plein', 'email',"
        " 'Post Noord', id, '{}', '', 1, 'working', 1000, '', NULL,"
        " '[[1000, 2000]]' FROM team LIMIT 1"
    )
    context = browser.new_context(**PHONE, color_scheme=theme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{office.line.url}/sign-in")
    page.get_by_role("button", name="Esther").click()
    expect(page.locator("[href^='/c/']").first).to_be_visible()
    page.evaluate(
        "fetch('/api/v1/channels/plein/enabled', {method: 'PUT', body: '{\"enabled\": true}',"
        " headers: {'content-type': 'application/json'}}).then((answer) => answer.status)"
    )
    page.goto(f"{office.line.url}/channels")
    # The server tried it at once: it has no address.
    expect(page.get_by_text("Ligt eruit sinds")).to_be_visible()

    def sound() -> None:
        page.evaluate(AXE.read_text())
        assert page.evaluate(VIOLATIONS) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    sound()
    page.get_by_role("button", name="Beheer: Post Noord").click()
    sheet = page.get_by_role("dialog", name="Post Noord")
    sheet.get_by_role("button", name="Maak een code").click()
    expect(sheet.locator(".code")).to_be_visible()
    sound()
    sheet.get_by_role("button", name="Wijzig").click()
    expect(sheet.get_by_label("E-mailadres")).to_be_visible()
    sound()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Kanaal toevoegen").click()
    sheet = page.get_by_role("dialog", name="Kanaal toevoegen")
    expect(sheet.get_by_role("heading", name="Welk kanaal?")).to_be_visible()
    sound()
    sheet.get_by_role("button", name="E-mail", exact=False).click()
    sheet.get_by_role("button", name="Probeer en bewaar").click()
    expect(sheet.get_by_text("Vul ‘E-mailadres’ in.")).to_be_visible()
    sound()
    context.close()


def test_she_sees_who_reads_her_reply_and_until_when_it_can_be_given(
    anna: Phone, office: Office
) -> None:
    page = anna.context.pages[0]
    question = office.question()
    anna.opens(page, question)
    composer = page.locator(".composer")
    expect(composer.get_by_text("Openbaar")).to_have_count(0)

    def becomes(public: int, minutes: int, note: str) -> None:
        until_ms = page.evaluate("Date.now()") + minutes * 60_000 + 30_000
        office.ask(
            "UPDATE conversation SET public = ?, answer_by_ms = ? WHERE id = ?",
            public, until_ms, question,
        )  # fmt: skip
        # What was changed behind the feed's back goes along with what she does.
        composer.get_by_role("button", name="Notitie").click()
        composer.locator("textarea").fill(note)
        composer.locator("#composer-send").click()
        office.waits_for(note)

    becomes(1, 192, "Dit staat openbaar.")
    composer.get_by_role("button", name="Antwoord", exact=True).click()
    expect(composer.get_by_text("Openbaar: iedereen kan dit lezen")).to_be_visible()
    expect(composer.get_by_text("Nog 3 u 12 min om te antwoorden")).to_be_visible()
    composer.locator("textarea").fill("Dat zoeken wij uit.")
    composer.locator("#composer-send").click()
    page.get_by_role("button", name="Ongedaan maken").click()
    expect(composer.locator("textarea")).to_have_value("Dat zoeken wij uit.")
    assert office.times_said("Dat zoeken wij uit.") == 0
    office.line.goes_down()
    page.reload()
    expect(composer.get_by_text("Openbaar: iedereen kan dit lezen")).to_be_visible()
    office.line.comes_back()
    becomes(0, -10, "De tijd is om.")
    composer.get_by_role("button", name="Antwoord", exact=False).first.click()
    expect(page.get_by_text("De tijd waarin dit kanaal een antwoord aanneemt")).to_be_visible()
    expect(composer.locator("textarea")).to_have_value("Dat zoeken wij uit.")
    expect(composer.locator("#composer-send")).to_be_disabled()
    assert anna.complaints == []


def test_after_the_time_for_answers_an_approved_text_goes_without_a_network_too(
    anna: Phone, browser: Browser, office: Office
) -> None:
    lines = [
        "antwoord_klaar | nl | Beste {{naam}}, er is een antwoord over {{onderwerp}}.",
        "bel_ons | nl | Beste inwoner, belt u ons even?",
    ]
    office.ask(
        "INSERT INTO account (id, kind, name, team_id, config, secret, enabled, health,"
        " health_since_ms, health_detail) SELECT 'wa', 'whatsapp', 'WhatsApp Noord', team_id,"
        " ?, '', 1, 'working', 0, '' FROM account WHERE kind = 'web' LIMIT 1",
        json.dumps({"phone_number_id": "1", "templates": lines}),
    )
    esther = browser.new_context(**PHONE)  # type: ignore[arg-type]
    manages = esther.new_page()
    manages.goto(f"{office.line.url}/sign-in")
    manages.get_by_role("button", name="Esther").click()
    expect(manages.locator("[href^='/c/']").first).to_be_visible()
    manages.evaluate(
        "fetch('/api/v1/channels/wa/enabled', {method: 'PUT', body: '{\"enabled\": true}',"
        " headers: {'content-type': 'application/json'}}).then((answer) => answer.status)"
    )
    esther.close()
    page = anna.context.pages[0]
    question = office.question()
    anna.opens(page, question)
    composer = page.locator(".composer")

    def becomes(minutes: int, note: str) -> None:
        until_ms = page.evaluate("Date.now()") + minutes * 60_000
        office.ask(
            "UPDATE conversation SET account_id = 'wa', answer_by_ms = ? WHERE id = ?",
            until_ms, question,
        )  # fmt: skip
        composer.get_by_role("button", name="Notitie").click()
        composer.locator("textarea").fill(note)
        composer.locator("#composer-send").click()
        office.waits_for(note)

    def sound() -> None:
        page.evaluate(AXE.read_text())
        assert page.evaluate(VIOLATIONS) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    # The phone still counts down when the server's time is over: it is refused, and not lost.
    becomes(60, "Nog een uur.")
    composer.get_by_role("button", name="Antwoord", exact=True).click()
    expect(composer.get_by_text("om te antwoorden")).to_be_visible()
    office.ask("UPDATE conversation SET answer_by_ms = 1 WHERE id = ?", question)
    composer.locator("textarea").fill("Wij komen morgen kijken.")
    composer.locator("#composer-send").click()
    page.goto(anna.url("/outbox"))
    page.get_by_role("button", name="Stuur een goedgekeurde tekst").click()
    sheet = page.get_by_role("dialog", name="Goedgekeurde tekst")
    sheet.get_by_role("button", name="bel ons").click()
    expect(sheet.get_by_text("Beste inwoner, belt u ons even?")).to_be_visible()
    sound()
    sheet.get_by_role("button", name="Verstuur").click()
    office.waits_for("Beste inwoner, belt u ons even?")
    assert office.times_said("Wij komen morgen kijken.") == 0

    # Her own words are a draft again, which now cannot be sent.
    anna.opens(page, question)
    becomes(-10, "De tijd is om.")
    composer.get_by_role("button", name="Antwoord", exact=False).first.click()
    expect(composer.get_by_text("De tijd waarin dit kanaal een antwoord aan")).to_be_visible()
    expect(composer.locator("textarea")).to_have_value("Wij komen morgen kijken.")
    expect(composer.locator("#composer-send")).to_be_disabled()

    office.line.goes_down()
    page.reload()
    composer.get_by_role("button", name="Goedgekeurde tekst").click()
    sheet.get_by_role("button", name="antwoord klaar").click()
    sheet.get_by_label("naam").fill("Fatma")
    sheet.get_by_role("button", name="Verstuur").click()
    expect(sheet.get_by_role("alert")).to_contain_text("Vul alles in")
    sound()
    # Halfway she is called away; what she filled in lies there.
    page.reload()
    composer.get_by_role("button", name="Goedgekeurde tekst").click()
    expect(sheet.get_by_label("naam")).to_have_value("Fatma")
    sheet.get_by_label("onderwerp").fill(" de   lamp ")
    said = "Beste Fatma, er is een antwoord over de lamp."
    expect(sheet.get_by_text(said)).to_be_visible()
    sheet.get_by_role("button", name="Verstuur").click()
    expect(page.locator(".timeline").get_by_text(said)).to_be_visible()
    assert office.times_said(said) == 0
    office.line.comes_back()
    office.waits_for(said)
    assert office.times_said(said) == 1
    ((form,),) = office.ask(
        "SELECT form FROM delivery JOIN message ON message.id = message_id WHERE text = ?", said
    )
    assert json.loads(str(form))["values"] == [["naam", "Fatma"], ["onderwerp", "de lamp"]]
    expect(composer.locator("textarea")).to_have_value("Wij komen morgen kijken.")
    assert anna.complaints == []


def test_back_from_the_platform_she_hears_what_came_of_it_and_the_address_is_clean(
    esther: Phone, office: Office
) -> None:
    page = esther.context.pages[0]
    for query, said in (
        ("error=access_denied&state=00", "Er is geen toestemming gegeven."),
        ("state=00ff&code=geheim", "Deze aanmelding was al gebruikt of duurde te lang."),
    ):
        page.goto(esther.url(f"/channels/signed-in?{query}"))
        expect(page.get_by_role("alert")).to_contain_text(said)
        assert page.url == esther.url("/channels")
    assert office.ask("SELECT count(*) FROM channel_sign_in") == [(0,)]
    assert esther.complaints == []
