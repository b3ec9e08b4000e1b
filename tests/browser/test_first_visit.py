"""Whoever opens the demonstration for the first time can sign in and read."""

from playwright.sync_api import Page, expect

from tests.conftest import StartServer


def test_anna_signs_in_by_a_tap_and_sees_conversations(
    page: Page, start_server: StartServer
) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    server = start_server(command="demo")

    page.goto(f"{server.url}/sign-in")
    page.get_by_role("button", name="Anna").click()

    expect(page.locator("[href^='/c/']").first).to_be_visible()
    assert complaints == []
