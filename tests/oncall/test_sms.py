"""Text messages over a real line to a gateway that fails at every moment: one at most, ever."""

import dataclasses
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import Settings, load_settings
from app.errors import ConfigError
from app.oncall.outside import Letter, NotSent, Unknown, Way
from app.oncall.sms import SmsGateway
from tests.oncall.duty import Duty
from tests.peers.sms_gateway import Mood
from tests.peers.sms_gateway import SmsGateway as Peer

LETTER = Letter(
    id="01a0",
    account_id=None,
    external_id="01a0",
    recipient="+31612345678",
    subject="",
    text='Spoed in "Paddepoel"\n{to} {id}',
    created_at_ms=0,
)
QUICKLY_S = 0.3


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """A gateway that is in a good mood."""
    async with Peer() as found:
        yield found


def gateway(peer: Peer, **said: Any) -> SmsGateway:
    """Return our side of the line, which waits only briefly."""
    settings = Settings(data_dir=Path("unused"), sms_url=peer.url, **said)
    return SmsGateway(settings, partial(httpx.AsyncClient, timeout=QUICKLY_S, trust_env=False))


async def test_a_message_is_posted_with_its_key_and_the_secret(peer: Peer) -> None:
    await gateway(peer, sms_token="geheim").send(LETTER)
    (taken,) = peer.taken
    assert taken.path == "/messages"
    assert taken.headers["authorization"] == "Bearer geheim"
    assert taken.headers["idempotency-key"] == '"01a0"'
    # What is filled in stays text: it adds no member, and is not filled in again.
    assert taken.body == {"to": "+31612345678", "text": LETTER.text, "reference": "01a0"}


async def test_the_template_is_the_municipalitys_own(peer: Peer) -> None:
    body = '{"messages": [{"msisdn": ["{to}"], "body": "Stoep: {text}"}], "priority": 1}'
    await gateway(peer, sms_body=body, sms_token="AccessKey abc").send(LETTER)
    (taken,) = peer.taken
    assert taken.body == {
        "messages": [{"msisdn": ["+31612345678"], "body": f"Stoep: {LETTER.text}"}],
        "priority": 1,
    }
    assert taken.headers["authorization"] == "AccessKey abc"


async def test_a_long_text_is_cut(peer: Peer) -> None:
    await gateway(peer).send(dataclasses.replace(LETTER, text="a" * 5000))
    assert len(peer.taken[0].body["text"]) == 480


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422, 301, 307])
async def test_a_refusal_is_for_good_and_a_redirect_is_not_followed(peer: Peer, code: int) -> None:
    peer.mood, peer.code = "status", code
    peer.answer_headers = {"Location": f"{peer.url}/elsewhere"}
    with pytest.raises(NotSent) as refused:
        await gateway(peer, sms_token="geheim").send(LETTER)
    assert (refused.value.code, refused.value.retry_after_s) == (f"sms_{code}", None)
    assert peer.asked == 1


@pytest.mark.parametrize(
    ("code", "retry_after", "wait_s"),
    [(429, "7", 7), (503, "", 20), (503, "86400", 300), (429, "soon", 20)],
)
async def test_a_gateway_that_asks_to_come_back_is_come_back_to(
    peer: Peer, code: int, retry_after: str, wait_s: float
) -> None:
    peer.mood, peer.code = "status", code
    peer.answer_headers = {"Retry-After": retry_after} if retry_after else {}
    with pytest.raises(NotSent) as busy:
        await gateway(peer).send(LETTER)
    assert busy.value.retry_after_s == wait_s


@pytest.mark.parametrize("code", [500, 502, 504, 408])
async def test_after_an_error_of_the_gateway_nobody_knows(peer: Peer, code: int) -> None:
    peer.mood, peer.code = "status", code
    with pytest.raises(Unknown):
        await gateway(peer).send(LETTER)


@pytest.mark.parametrize("mood", ["silent", "reset", "reset_after_accept", "cut_answer"])
async def test_when_the_answer_is_lost_nobody_knows(peer: Peer, mood: Mood) -> None:
    peer.mood = mood
    with pytest.raises(Unknown):
        await gateway(peer).send(LETTER)
    assert peer.asked == 1


async def test_a_gateway_that_is_not_there_was_sent_nothing(peer: Peer) -> None:
    ours = gateway(peer)
    await peer.__aexit__(None, None, None)
    with pytest.raises(NotSent) as absent:
        await ours.send(LETTER)
    assert absent.value.retry_after_s is not None


@pytest.mark.parametrize("mood", ["silent", "reset_after_accept", "cut_answer"])
async def test_an_escalation_posts_once_and_goes_on_when_the_answer_is_lost(
    duty: Duty, peer: Peer, mood: Mood
) -> None:
    peer.mood = mood
    ways: dict[str, Way] = {"sms": gateway(peer), "email": duty.mail}
    duty.agree(sms="+31612345678", contact_centre_email="14050@voorbeeld.example")
    duty.restart(ways)
    conversation = duty.urgent()
    for _ in range(12):
        await duty.works(minutes=1)
    assert [(step.kind, step.outcome) for step in duty.steps(conversation)] == [
        ("nobody", None),
        ("sms", "uncertain"),
        ("contact_centre", "sent"),
        ("nobody", None),
    ]
    (taken,) = peer.taken
    assert taken.body["to"] == "+31612345678"
    assert f"/c/{conversation}" in taken.body["text"]


@pytest.mark.parametrize(
    "said",
    [
        {"sms_url": "http://sms.example.nl/messages"},
        {"sms_url": "https://u:p@sms.example.nl/"},
        {"sms_url": "ftp://sms.example.nl/"},
        {"sms_body": "{to} {text}"},
        {"sms_body": '{"to": "{to}"}'},
        {"sms_token": "a\r\nHost: b"},
    ],
)
def test_a_gateway_that_is_not_safe_is_refused_at_the_start(said: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="STOEP_SMS"):
        load_settings(**said)


def test_the_secret_is_not_in_what_is_printed_of_the_settings() -> None:
    assert "geheim" not in repr(Settings(sms_token="geheim"))
