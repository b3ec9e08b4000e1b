"""Signing in with a token: at Dovecot and Postfix for real, at the provider in memory."""

import json
from collections.abc import AsyncIterator, Callable
from urllib.parse import parse_qs

import httpx
import pytest

from app.channels.contract import Permanent, SignedOut, Temporary
from app.channels.email import EmailChannel, build
from app.channels.email_oauth import AccessToken
from app.channels.email_settings import settings_of
from app.clock import SetClock, SystemClock
from tests.channels.mails import incoming, question, reply_to
from tests.peers.mail import MailServers

OpenWith = Callable[[str], EmailChannel]


@pytest.fixture
async def open_with(mail_servers: MailServers, team: str) -> AsyncIterator[OpenWith]:
    """Open the team's mailbox with an access token."""
    opened: list[EmailChannel] = []

    def open_it(token: str) -> EmailChannel:
        config = mail_servers.account(team, auth="xoauth2")
        channel = build(config, json.dumps({"access_token": token}), SystemClock().now_ms)
        opened.append(channel)
        return channel

    yield open_it
    for channel in opened:
        await channel.close()


async def test_a_token_opens_both_servers(
    mail_servers: MailServers, open_with: OpenWith, team: str, resident: str
) -> None:
    mail_servers.tokens.valid["goed"] = team
    channel = open_with("goed")
    mail_servers.send(question(resident, team), sender=resident, to=team)
    (item,) = await incoming(channel)
    await channel.send(reply_to(item, channel.new_external_id, resident))
    assert len(mail_servers.wait_for_mail(resident)) == 1


async def test_a_token_that_has_ended_is_said(open_with: OpenWith, resident: str) -> None:
    channel = open_with("verlopen")
    with pytest.raises(SignedOut):
        await channel.fetch(None)
    with pytest.raises(SignedOut):
        await channel.send(reply_to(None, channel.new_external_id, resident))


class Provider:
    """A token endpoint: remembers what it was asked, answers what it is told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer = httpx.Response(200, json={"access_token": "t1", "expires_in": 3600})
        self.clock = SetClock(1_000_000)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        form = parse_qs(request.content.decode())
        self.asked.append({name: values[0] for name, values in form.items()})
        return self.answer

    def token(self, url: str = "https://login.example/token", **secret: str) -> AccessToken:
        config = {
            "address": "noord@gemeente.example",
            "imap_host": "imap.example",
            "smtp_host": "smtp.example",
            "auth": "xoauth2",
            "oauth": {"token_url": url, "client_id": "stoep", "scope": "mail"},
        }
        settings = settings_of(config, json.dumps(secret))
        return AccessToken(settings, self.clock.now_ms, httpx.MockTransport(self))


@pytest.fixture
def provider() -> Provider:
    return Provider()


def test_a_token_is_asked_for_once_and_again_before_it_ends(provider: Provider) -> None:
    token = provider.token(client_secret="s")
    assert [token.get(), token.get()] == ["t1", "t1"]
    assert provider.asked == [
        {
            "client_id": "stoep",
            "client_secret": "s",
            "scope": "mail",
            "grant_type": "client_credentials",
        }
    ]
    provider.answer = httpx.Response(200, json={"access_token": "t2", "expires_in": 3600})
    provider.clock.forward(s=3590)
    assert token.get() == "t2"


def test_a_refresh_token_is_used_when_there_is_one(provider: Provider) -> None:
    provider.token(refresh_token="r").get()
    assert provider.asked[0]["grant_type"] == "refresh_token"
    assert provider.asked[0]["refresh_token"] == "r"


def test_a_token_that_the_mail_server_refused_is_not_kept(provider: Provider) -> None:
    token = provider.token(client_secret="s")
    token.get()
    token.drop()
    token.get()
    assert len(provider.asked) == 2


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_needs_a_person(provider: Provider, status: int) -> None:
    provider.answer = httpx.Response(status, json={"error": "invalid_grant"})
    with pytest.raises(SignedOut):
        provider.token(refresh_token="r").get()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(200, text="<html>welcome to the hotel</html>"),
        httpx.Response(200, json=["t"]),
        httpx.Response(200, json={"token": "t"}),
    ],
)
def test_an_answer_that_is_none_is_tried_again(provider: Provider, answer: httpx.Response) -> None:
    provider.answer = answer
    with pytest.raises(Temporary) as later:
        provider.token(refresh_token="r").get()
    assert later.value.account_wide


def test_a_secret_never_travels_in_the_clear(provider: Provider) -> None:
    with pytest.raises(Permanent):
        provider.token("http://login.example/token", client_secret="s").get()
    assert provider.asked == []
