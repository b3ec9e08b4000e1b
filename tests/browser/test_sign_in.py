"""Invitations and passkeys in a real browser, with Chromium's own virtual authenticator.

Source: Chrome DevTools Protocol, domain WebAuthn (read November 2026).
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect
from sqlmodel import Session

from app.accounts import people
from app.clock import SystemClock
from app.config import Settings
from app.ids import uuid7
from app.main import open_database
from tests.support.server import Server

NOW_MS = 1_793_610_000_000
Administer = Callable[[Callable[[Session, Settings], Any]], Any]
Authenticate = Callable[[Page], CDPSession]


@pytest.fixture
def authenticator() -> Authenticate:
    """Put an authenticator in the phone that says yes to everything it is asked."""

    def put(page: Page) -> CDPSession:
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable", {"enableUI": False})
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return session

    return put


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests here; each has people of its own."""
    server = Server(tmp_path_factory.mktemp("sign-in") / "data")
    yield server
    server.kill()


@pytest.fixture
def administer(server: Server) -> Iterator[Administer]:
    """Change something in the server's data from another process, as the command line does."""
    settings = Settings(data_dir=server.data_dir, base_url=server.url)
    database = open_database(settings)

    def work(change: Callable[[Session, Settings], Any]) -> Any:
        return database.write_now(lambda session: change(session, settings))

    yield work
    database.close()


@pytest.fixture
def anna(administer: Administer) -> str:
    """Anna's e-mail address; another Anna in each test."""
    email = f"{uuid7()}@example.nl"
    administer(
        lambda session, _: people.add_person(
            session, name="Anna", email=email, role="coordinator", now_ms=NOW_MS
        )
    )
    return email


@pytest.fixture
def invite(administer: Administer) -> Callable[[str], str]:
    """Invite somebody by her address; returns the link."""

    def make(session: Session, settings: Settings, email: str) -> str:
        person = people.get_person(session, email)
        return people.invite(session, person, settings, now_ms=SystemClock().now_ms())[0]

    def link(email: str) -> str:
        made: str = administer(lambda session, settings: make(session, settings, email))
        return made

    return link


@pytest.fixture
def link(anna: str, invite: Callable[[str], str]) -> str:
    """Anna's invitation."""
    return invite(anna)


def session_of(context: BrowserContext) -> Any:
    """The session's cookie, or None."""
    found = [one for one in context.cookies() if one["name"] == "stoep_session"]
    return found[0] if found else None


def person_of(page: Page) -> str:
    """Who the server says is signed in."""
    name: str = page.evaluate("async () => (await (await fetch('/api/v1/me')).json()).name")
    return name


def test_she_makes_a_passkey_signs_out_and_signs_in_with_it(
    page: Page, server: Server, link: str, authenticator: Authenticate
) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    authenticator(page)

    page.goto(link)
    expect(page.get_by_role("heading", name="Welkom, Anna")).to_be_visible()
    page.get_by_role("button", name="Passkey maken").click()
    page.wait_for_url(lambda url: "/invite/" not in url)
    assert person_of(page) == "Anna"
    cookie = session_of(page.context)
    assert cookie["httpOnly"] is True
    assert cookie["sameSite"] == "Lax"

    signed_out = page.evaluate(
        "async () => (await fetch('/api/v1/session', {method: 'DELETE'})).status"
    )
    assert signed_out == 204
    assert session_of(page.context) is None

    # The authenticator would answer the field's own offer before the button can be pressed.
    page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false;")
    page.goto(f"{server.url}/sign-in")
    page.get_by_role("button", name="Aanmelden met passkey").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)
    assert person_of(page) == "Anna"
    assert session_of(page.context)["value"] != cookie["value"]
    assert complaints == []


def test_an_invitation_that_was_used_says_what_to_do(
    page: Page, link: str, authenticator: Authenticate
) -> None:
    authenticator(page)
    page.goto(link)
    page.get_by_role("button", name="Passkey maken").click()
    page.wait_for_url(lambda url: "/invite/" not in url)

    again = page.goto(link)
    assert again is not None
    assert again.status == 410
    expect(page.get_by_text("al gebruikt")).to_be_visible()
    page.goto(f"{link}?lang=en")
    expect(page.get_by_text("was used already")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)


def test_a_phone_that_has_the_passkey_already_is_told_so(
    page: Page, anna: str, invite: Callable[[str], str], authenticator: Authenticate
) -> None:
    authenticator(page)
    page.goto(invite(anna))
    page.get_by_role("button", name="Passkey maken").click()
    page.wait_for_url(lambda url: "/invite/" not in url)

    page.goto(invite(anna))
    page.get_by_role("button", name="Passkey maken").click()
    expect(page.get_by_role("status")).to_contain_text("staat je passkey al")


def test_a_phone_without_a_passkey_gets_a_sentence_and_may_try_again(
    page: Page, server: Server, authenticator: Authenticate
) -> None:
    authenticator(page)
    page.goto(f"{server.url}/sign-in")
    button = page.get_by_role("button", name="Aanmelden met passkey")
    button.click()
    expect(page.get_by_role("status")).to_contain_text("Probeer het nog een keer")
    expect(button).to_be_enabled()
    assert session_of(page.context) is None


def test_whose_account_was_closed_reads_so(
    page: Page,
    server: Server,
    anna: str,
    link: str,
    administer: Administer,
    authenticator: Authenticate,
) -> None:
    authenticator(page)
    page.goto(link)
    page.get_by_role("button", name="Passkey maken").click()
    page.wait_for_url(lambda url: "/invite/" not in url)
    # Away from the app, which would leave its page by itself when it hears.
    page.goto(f"{server.url}/offline.html")
    administer(
        lambda session, _: people.disable_person(
            session, people.get_person(session, anna), now_ms=NOW_MS
        )
    )

    refused = page.evaluate("async () => (await fetch('/api/v1/me')).json()")
    assert refused["type"] == "/problems/revoked"
    page.goto(f"{server.url}/sign-in")
    page.get_by_role("button", name="Aanmelden met passkey").click()
    expect(page.get_by_role("status")).to_contain_text("account is gesloten")


def test_the_sign_in_page_fits_a_small_phone_and_speaks_english(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 320, "height": 568})
    page.goto(f"{server.url}/sign-in?lang=en")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert wide is False
    height = page.get_by_role("button", name="Sign in with passkey").bounding_box()
    assert height is not None
    assert height["height"] >= 44
    assert page.locator("html").get_attribute("lang") == "en"
