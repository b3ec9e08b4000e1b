"""One message in the room, never two: Matrix over a line that fails at every moment."""

import json
from collections.abc import AsyncIterator

import pytest

from app.channels.contract import Incoming, Outgoing, Temporary, Unconfirmed
from app.channels.matrix import MatrixChannel, build
from app.clock import SystemClock
from tests.channels.mails import fetch_all, reply_to
from tests.peers.synapse import PASSWORD, SERVER, Synapse
from tests.support.proxy import Asked, FaultProxy, Weather, calm


class Talk:
    """A chat with a resident over a line in the test's hands."""

    def __init__(self, server: Synapse, line: FaultProxy) -> None:
        self.server = server
        self.line = line
        self.team, self.fatma = server.person("Stadsdeel Noord"), server.person()
        self.channel: MatrixChannel = self.opened()

    def opened(self) -> MatrixChannel:
        """Open the account as another process would."""
        config = {
            "url": f"http://127.0.0.1:{self.line.port}",
            "user": self.team.user,
            "invite_servers": [SERVER],
        }
        secret = json.dumps({"password": PASSWORD})
        return build(config, secret, SystemClock().now_ms)

    async def begins(self) -> Outgoing:
        """Let the resident ask; return a reply to that."""
        self.room = self.fatma.chat_with(self.team.user)
        self.event = self.fatma.says(self.room, "Wanneer wordt de lantaarn gemaakt?")
        batch = await fetch_all(self.channel)
        (item,) = (one for one in batch.items if isinstance(one, Incoming))
        return reply_to(item, self.channel.new_external_id, item.address)

    @property
    def arrived(self) -> int:
        """How many messages of ours the resident has."""
        return len(self.fatma.sees(self.room, self.team.user))


@pytest.fixture
async def talk(synapse: Synapse) -> AsyncIterator[Talk]:
    """A chat over a line that is whole until the test says otherwise."""
    async with FaultProxy(synapse.port) as line:
        talk = Talk(synapse, line)
        yield talk
        await talk.channel.close()


def puts(*faults: str) -> Weather:
    """Strike each attempt to put a message in turn, and let everything else through."""
    coming = iter(faults)
    return lambda asked: next(coming, "none") if is_put(asked) else "none"


def is_put(asked: Asked) -> bool:
    return asked.method == "PUT" and "/send/m.room.message/" in asked.path


@pytest.mark.parametrize("fault", ["lost", "cut_response", "error_after", "twice", "delay", "slow"])
async def test_what_took_effect_is_not_repeated(talk: Talk, fault: str) -> None:
    reply = await talk.begins()
    talk.line.weather = puts(fault)
    receipt = await talk.channel.send(reply)
    assert talk.line.did[fault] == 1
    (sent,) = talk.fatma.sees(talk.room, talk.team.user)
    assert receipt.external_id == f"{talk.room}/{sent['event_id']}"


@pytest.mark.parametrize("fault", ["refuse", "cut_request", "error", "503"])
async def test_what_did_not_arrive_is_put_again_as_the_same_message(talk: Talk, fault: str) -> None:
    reply = await talk.begins()
    talk.line.weather = puts(fault)
    await talk.channel.send(reply)
    assert talk.line.did[fault] == 1
    assert talk.arrived == 1


@pytest.mark.parametrize(
    ("faults", "arrived"),
    [
        (["lost", "lost"], 1),
        (["cut_request", "cut_request"], 0),
        (["refuse", "error"], 0),
        (["lost", "503"], 1),
        (["lost", "429"], 1),
    ],
)
async def test_without_a_clear_answer_it_is_looked_up_and_never_simply_sent_again(
    talk: Talk, faults: list[str], arrived: int
) -> None:
    reply = await talk.begins()
    strikes = puts(*faults)
    # The look in between fails too: only then does a second try follow on a first that arrived.
    looks = iter(["refuse"])
    talk.line.weather = lambda asked: (
        strikes(asked)
        if is_put(asked)
        else next(looks, "none")
        if "/messages" in asked.path
        else "none"
    )
    with pytest.raises(Unconfirmed):
        await talk.channel.send(reply)
    talk.line.weather = calm
    found = await talk.channel.find(reply)
    assert (found is not None) == (arrived == 1)
    assert talk.arrived == arrived


async def test_too_many_requests_says_when_to_come_back(talk: Talk) -> None:
    reply = await talk.begins()
    talk.line.weather = puts("429")
    with pytest.raises(Temporary) as limited:
        await talk.channel.send(reply)
    assert (limited.value.code, limited.value.retry_after_s) == ("rate_limited", 7.0)
    assert limited.value.account_wide
    assert talk.arrived == 0
    await talk.channel.send(reply)
    assert talk.arrived == 1


async def test_a_server_that_stays_busy_is_come_back_to(talk: Talk) -> None:
    reply = await talk.begins()
    talk.line.weather = puts("503", "503")
    with pytest.raises(Temporary) as busy:
        await talk.channel.send(reply)
    assert (busy.value.code, busy.value.retry_after_s) == ("platform_busy", 7.0)
    assert talk.arrived == 0


async def test_signed_out_between_two_tries_nothing_is_put_from_a_new_device(talk: Talk) -> None:
    reply = await talk.begins()
    attempts = []

    def weather(asked: Asked) -> str:
        if not is_put(asked):
            return "none"
        attempts.append(asked.path)
        if len(attempts) == 1:
            return "cut_request"
        talk.server.sign_out(talk.team.user)
        return "none"

    talk.line.weather = weather
    with pytest.raises(Unconfirmed):
        await talk.channel.send(reply)
    assert len(attempts) == 2
    assert await talk.channel.find(reply) is None
    assert talk.arrived == 0


async def test_signed_out_before_the_look_what_arrived_is_found_from_a_new_device(
    talk: Talk,
) -> None:
    reply = await talk.begins()
    attempts = []

    def weather(asked: Asked) -> str:
        if is_put(asked):
            attempts.append(asked.path)
            return "lost"
        if attempts and talk.server.devices(talk.team.user) and "/messages" in asked.path:
            talk.server.sign_out(talk.team.user) if len(attempts) == 1 else None
            attempts.append("signed out")
        return "none"

    talk.line.weather = weather
    await talk.channel.send(reply)
    assert attempts[1:2] == ["signed out"]
    assert talk.arrived == 1


async def test_after_a_restart_the_same_transaction_is_the_same_message(talk: Talk) -> None:
    reply = await talk.begins()
    first = await talk.channel.send(reply)
    restarted = talk.opened()
    assert await restarted.send(reply) == first or talk.arrived == 1
    found = await restarted.find(reply)
    await restarted.close()
    assert found is not None
    assert found.external_id == first.external_id
    assert talk.arrived == 1


@pytest.mark.parametrize("change", ["edit", "delete"])
async def test_a_question_that_changes_while_the_answer_is_lost_is_answered_once(
    talk: Talk, change: str
) -> None:
    reply = await talk.begins()

    def weather(asked: Asked) -> str:
        if not is_put(asked) or talk.line.did["lost"]:
            return "none"
        if change == "edit":
            talk.fatma.edits(talk.room, talk.event, "Laat maar")
        else:
            talk.fatma.takes_back(talk.room, talk.event)
        return "lost"

    talk.line.weather = weather
    await talk.channel.send(reply)
    assert talk.line.did["lost"] == 1
    assert talk.arrived == 1


async def test_a_portal_in_between_is_no_answer(talk: Talk) -> None:
    reply = await talk.begins()
    talk.line.weather = puts("portal", "portal")
    with pytest.raises(Unconfirmed):
        await talk.channel.send(reply)
    talk.line.weather = lambda asked: "portal"
    with pytest.raises(Temporary):
        await talk.channel.fetch(None)
    assert talk.arrived == 0
