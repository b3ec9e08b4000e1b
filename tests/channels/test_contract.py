"""What every channel must do, whatever its platform: one suite over all adapters."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace

import pytest

from app.channels import matrix, registry, telegram, whatsapp, x
from app.channels.bluesky import BlueskyChannel
from app.channels.contract import (
    Adapter,
    Incoming,
    Outgoing,
    Permanent,
    Sender,
    Source,
)
from app.channels.email import EmailChannel, build
from app.channels.feed import build as build_feed
from app.channels.matrix import MatrixChannel
from app.channels.open311 import build as build_reports
from app.channels.registry import KINDS
from app.channels.signalen import build as build_map
from app.channels.telegram import TelegramChannel
from app.channels.web import WebPage
from app.channels.whatsapp import WhatsAppChannel
from app.channels.x import XChannel
from app.clock import SystemClock
from app.ids import uuid7
from tests.channels import blueskies, mastodons
from tests.channels.mails import fetch_all, question, reply_to, until
from tests.peers import synapse
from tests.peers import telegram as telegram_peer
from tests.peers import whatsapp as whatsapp_peer
from tests.peers import x as x_peer
from tests.peers.bluesky import Bluesky
from tests.peers.forums import DiscoursePeer, ForumPeer, NodebbPeer
from tests.peers.mail import PASSWORD, MailServers
from tests.peers.mastodon import Mastodon
from tests.peers.open311 import Open311Peer
from tests.peers.signalen import SignalenPeer
from tests.peers.synapse import Synapse
from tests.peers.telegram import Telegram
from tests.peers.whatsapp import WhatsApp
from tests.peers.x import X
from tests.support.site import Site, Visit, says, site


class Peer(ABC):
    """A channel with its far side in the test's hands."""

    adapter: Adapter
    platform_names = False
    """The platform gives a message another name once it is there."""
    addressed = ""
    """What a question to the team begins with, because the platform wants it named."""

    after = ""
    """What the adapter puts under what is asked."""

    finds = True
    """The platform can be asked whether a message is there."""

    forgets = False
    """The platform forgets what lies before a cursor once somebody has asked behind it."""

    @property
    def most_chars(self) -> int:
        """How long such a reply may be."""
        return self.adapter.capabilities.max_chars

    @abstractmethod
    def reply(self) -> Outgoing:
        """Return a reply that can be sent."""

    @abstractmethod
    def received(self) -> list[str]:
        """Return the texts that the resident got."""

    def ask(self, text: str) -> None:
        """Let the resident write."""
        raise NotImplementedError


class Mail(Peer):
    def __init__(self, servers: MailServers) -> None:
        self._servers = servers
        self._team, self._resident = servers.mailbox(), servers.mailbox()
        self.adapter: EmailChannel = build(
            servers.account(self._team), json.dumps({"password": PASSWORD}), SystemClock().now_ms
        )

    def reply(self) -> Outgoing:
        return reply_to(None, self.adapter.new_external_id, self._resident)

    def received(self) -> list[str]:
        return [str(mail.get_content()).strip() for mail in self._servers.mails(self._resident)]

    def ask(self, text: str) -> None:
        mail = question(self._resident, self._team, text)
        self._servers.send(mail, sender=self._resident, to=self._team)


class Web(Peer):
    """The resident's page shows what was sent; the shown page has tests of its own."""

    def __init__(self) -> None:
        self.adapter = WebPage(SystemClock().now_ms)

    def reply(self) -> Outgoing:
        return reply_to(None, self.adapter.new_external_id, "pagina")

    def received(self) -> list[str]:
        return []


class MatrixChat(Peer):
    platform_names = True

    def __init__(self, server: Synapse) -> None:
        self._team, self._fatma = server.person("Stadsdeel Noord"), server.person()
        self._room = self._fatma.chat_with(self._team.user)
        self._team.join(self._room)
        self.adapter: MatrixChannel = matrix.build(
            {"url": server.url, "user": self._team.user},
            json.dumps({"password": synapse.PASSWORD}),
            SystemClock().now_ms,
        )

    def reply(self) -> Outgoing:
        place = f"{self._fatma.user} {self._room}"
        return reply_to(None, self.adapter.new_external_id, place)

    def received(self) -> list[str]:
        seen = self._fatma.sees(self._room, self._team.user)
        return [event["content"]["body"] for event in seen]

    def ask(self, text: str) -> None:
        self._fatma.says(self._room, text)


class Fediverse(Peer):
    platform_names = True
    addressed = f"@{mastodons.TEAM} "

    def __init__(self, server: Mastodon) -> None:
        self._server = server
        self.adapter = mastodons.open_account(server)

    def reply(self) -> Outgoing:
        return reply_to(None, self.adapter.new_external_id, "fatma@stad.example")

    def received(self) -> list[str]:
        return [
            post.text.removeprefix("@fatma@stad.example ")
            for post in self._server.by(mastodons.TEAM)
        ]

    def ask(self, text: str) -> None:
        self._server.post("fatma", self.addressed + text, "direct")


class Atmosphere(Peer):
    def __init__(self, server: Bluesky) -> None:
        self._team = blueskies.Team(server, [])
        self._street = server.post(self._team.fatma, "Mijn straat")
        self.addressed = f"@{self._team.us.handle} "
        self.adapter: BlueskyChannel = self._team.opens()

    def reply(self) -> Outgoing:
        return reply_to(
            None,
            self.adapter.new_external_id,
            self._team.fatma.did,
            in_reply_to=self._street.uri,
        )

    def received(self) -> list[str]:
        return [record["value"]["text"] for record in self._team.posts]

    def ask(self, text: str) -> None:
        self._team.asked(text)


class WhatsAppChat(Peer):
    platform_names = True
    finds = False

    def __init__(self, platform: WhatsApp) -> None:
        self._platform = platform
        platform.residents["31612345678"] = platform.now_s
        self.adapter: WhatsAppChannel = whatsapp.build(
            {
                "phone_number_id": whatsapp_peer.NUMBER_ID,
                "api_url": f"{platform.server.url}/v23.0",
            },
            json.dumps(
                {
                    "access_token": whatsapp_peer.TOKEN,
                    "app_secret": whatsapp_peer.APP_SECRET,
                    "verify_token": whatsapp_peer.VERIFY_TOKEN,
                }
            ),
            SystemClock().now_ms,
        )

    def reply(self) -> Outgoing:
        return reply_to(None, self.adapter.new_external_id, "+31612345678")

    def received(self) -> list[str]:
        return [message.text for message in self._platform.taken]


class TelegramChat(Peer):
    platform_names = True
    finds = False
    forgets = True

    def __init__(self, platform: Telegram) -> None:
        self._platform = platform
        platform.started.add(telegram_peer.FATMA)
        self.adapter: TelegramChannel = telegram.build(
            {"api_url": platform.server.url},
            json.dumps({"bot_token": telegram_peer.TOKEN}),
            SystemClock().now_ms,
        )

    def reply(self) -> Outgoing:
        return reply_to(None, self.adapter.new_external_id, str(telegram_peer.FATMA))

    def received(self) -> list[str]:
        return self._platform.texts

    def ask(self, text: str) -> None:
        self._platform.writes(text)


class XMessages(Peer):
    platform_names = True

    def __init__(self, platform: X) -> None:
        self._platform = platform
        self.adapter: XChannel = x.build(
            {"api_url": platform.server.url}, json.dumps(x_peer.KEYS), SystemClock().now_ms
        )

    @property
    def most_chars(self) -> int:
        return x.MESSAGES.max_chars

    def reply(self) -> Outgoing:
        return reply_to(None, self.adapter.new_external_id, f"{x_peer.FATMA} dm")

    def received(self) -> list[str]:
        return self._platform.told

    def ask(self, text: str) -> None:
        self._platform.tell(text)


class Newspaper(Peer):
    """A site with a feed."""

    def __init__(self, here: Site) -> None:
        self._site = here
        config = {"url": here.url("/feed"), "private_hosts": [f"127.0.0.1:{here.port}"]}
        self.adapter = build_feed(config, "", SystemClock().now_ms)
        self._items: list[str] = []

    def reply(self) -> Outgoing:
        raise NotImplementedError

    def received(self) -> list[str]:
        return []

    def ask(self, text: str) -> None:
        number = len(self._items)
        self._items.append(f"<item><guid>{number}</guid><description>{text}</description></item>")

    async def answer(self, visit: Visit, out: asyncio.StreamWriter) -> None:
        await says(f"<rss><channel>{''.join(self._items)}</channel></rss>".encode())(visit, out)


class Desk(Peer):
    """A service of reports on public space."""

    def __init__(self, service: Open311Peer, here: Site) -> None:
        self._service = service
        config = {"url": here.url(""), "private_hosts": [f"127.0.0.1:{here.port}"]}
        self.adapter = build_reports(config, "", SystemClock().now_ms)

    def reply(self) -> Outgoing:
        raise NotImplementedError

    def received(self) -> list[str]:
        return []

    def ask(self, text: str) -> None:
        self._service.reports(text, at_ms=SystemClock().now_ms() - 60_000, status="")


class PublicMap(Peer):
    """A map of reports, which says of each only what it is about and where."""

    after = "\n53.23000, 6.54000"

    def __init__(self, service: SignalenPeer, here: Site) -> None:
        self._service = service
        hosts = [f"127.0.0.1:{here.port}"]
        config = {"url": here.url(""), "box": "53.2,6.5,53.3,6.6", "private_hosts": hosts}
        self.adapter = build_map(config, "", SystemClock().now_ms)

    def reply(self) -> Outgoing:
        raise NotImplementedError

    def received(self) -> list[str]:
        return []

    def ask(self, text: str) -> None:
        self._service.reports("Overig", at_ms=SystemClock().now_ms() - 60_000, parent=text)


class Board(Peer):
    """A forum of either kind, where a neighbour said something that does not concern us."""

    platform_names = True

    def __init__(self, forum: ForumPeer, here: Site) -> None:
        self._forum = forum
        config = {
            "url": here.url(""),
            "private_hosts": [f"127.0.0.1:{here.port}"],
            "words": ["Eén", "Twee", "Hallo"],
            **FORUMS[forum.name].config,
        }
        build = KINDS[forum.name].build
        assert build is not None
        self.adapter = build(config, FORUMS[forum.name].secret, SystemClock().now_ms)
        self._heard = forum.writes("piet", "Mooi weer vandaag.")

    def reply(self) -> Outgoing:
        item = Incoming(str(self._heard), "piet", "Piet", "Mooi weer vandaag.", 0)
        said = reply_to(item, self.adapter.new_external_id, "piet")
        self._forum.now_ms = said.created_at_ms
        return said

    def received(self) -> list[str]:
        return self._forum.ours()

    def ask(self, text: str) -> None:
        self._forum.writes("jan", text)


CHANNELS = ["email", "web", "matrix", "mastodon", "bluesky", "whatsapp", "telegram", "x"]
CHANNELS += ["discourse", "nodebb"]
READ_ONLY = ["feed", "open311", "signalen"]
FORUMS: dict[str, type[ForumPeer]] = {"discourse": DiscoursePeer, "nodebb": NodebbPeer}
SOURCES = ["email", "matrix", "mastodon", "bluesky", "telegram", "x"]
SOURCES += ["discourse", "nodebb", *READ_ONLY]


@pytest.fixture
def fediverse() -> Iterator[Mastodon]:
    with mastodons.running() as server:
        yield server


@pytest.fixture
async def cloud() -> AsyncIterator[WhatsApp]:
    async with WhatsApp() as platform:
        yield platform


@pytest.fixture
async def bots() -> AsyncIterator[Telegram]:
    async with Telegram(lambda: SystemClock().now_ms() // 1000) as platform:
        yield platform


@pytest.fixture
async def x_platform() -> AsyncIterator[X]:
    async with X(lambda: SystemClock().now_ms() // 1000) as platform:
        yield platform


@pytest.fixture
async def newspaper() -> AsyncIterator[Newspaper]:
    papers: list[Newspaper] = []
    async with site(lambda visit, out: papers[0].answer(visit, out)) as here:
        papers.append(Newspaper(here))
        yield papers[0]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    service = Open311Peer()
    async with site(service.answer) as here:
        yield Desk(service, here)


@pytest.fixture
async def public_map() -> AsyncIterator[PublicMap]:
    service = SignalenPeer()
    async with site(service.answer) as here:
        yield PublicMap(service, here)


@pytest.fixture
async def discourse() -> AsyncIterator[Board]:
    forum = DiscoursePeer()
    async with site(forum.answer) as here:
        yield Board(forum, here)


@pytest.fixture
async def nodebb() -> AsyncIterator[Board]:
    forum = NodebbPeer()
    async with site(forum.answer) as here:
        yield Board(forum, here)


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Peer:
    if request.param == "web":
        return Web()
    if request.param == "matrix":
        return MatrixChat(request.getfixturevalue("synapse"))
    if request.param == "mastodon":
        return Fediverse(request.getfixturevalue("fediverse"))
    if request.param == "bluesky":
        return Atmosphere(request.getfixturevalue("bluesky"))
    if request.param == "telegram":
        return TelegramChat(request.getfixturevalue("bots"))
    if request.param == "x":
        return XMessages(request.getfixturevalue("x_platform"))
    if request.param == "whatsapp":
        return WhatsAppChat(request.getfixturevalue("cloud"))
    others = {"feed": "newspaper", "open311": "desk", "signalen": "public_map"}
    others |= {"discourse": "discourse", "nodebb": "nodebb"}
    if request.param in others:
        other: Peer = request.getfixturevalue(others[request.param])
        return other
    return Mail(request.getfixturevalue("mail_servers"))


every_channel = pytest.mark.parametrize("peer", CHANNELS, indirect=True)
every_source = pytest.mark.parametrize("peer", SOURCES, indirect=True)
every_conversation = pytest.mark.parametrize(
    "peer", [name for name in SOURCES if name not in READ_ONLY], indirect=True
)
every_reader = pytest.mark.parametrize("peer", READ_ONLY, indirect=True)


def sender(peer: Peer) -> Sender:
    assert isinstance(peer.adapter, Sender)
    return peer.adapter


def source(peer: Peer) -> Source:
    assert isinstance(peer.adapter, Source)
    return peer.adapter


def test_every_kind_that_has_an_adapter_is_in_this_suite() -> None:
    assert {*CHANNELS, *READ_ONLY} == {name for name, kind in KINDS.items() if kind.build}


@every_reader
async def test_where_nothing_can_be_said_the_composer_knows_it(peer: Peer) -> None:
    assert peer.adapter.capabilities.max_chars == 0
    assert not isinstance(peer.adapter, Sender)
    await peer.adapter.close()


def test_a_kind_that_is_gone_is_readable_and_takes_no_reply() -> None:
    assert registry.capabilities_of("hyves").max_chars == 0
    with pytest.raises(Permanent) as gone:
        registry.adapter_of(_Account("hyves", {}), "", SystemClock().now_ms)
    assert gone.value.code == "channel_gone"


class _Account:
    def __init__(self, kind: str, config: dict[str, object]) -> None:
        self.kind = kind
        self.config = config


@every_channel
async def test_it_says_what_a_reply_may_be(peer: Peer) -> None:
    can = peer.adapter.capabilities
    assert can.max_chars > 0
    assert (can.attachments > 0) == (can.max_attachment_bytes > 0)
    await peer.adapter.close()


@every_channel
async def test_the_id_of_a_reply_is_fixed_and_its_own(peer: Peer) -> None:
    one, two = uuid7(), uuid7()
    assert peer.adapter.new_external_id(one) == peer.adapter.new_external_id(one)
    names = {peer.adapter.new_external_id(one), peer.adapter.new_external_id(two)}
    # "" where only the platform can make one.
    assert len(names) == 2 or (peer.platform_names and names == {""})
    await peer.adapter.close()


@every_channel
async def test_what_was_sent_is_found_again_and_arrives_once(peer: Peer) -> None:
    reply = peer.reply()
    receipt = await sender(peer).send(reply)
    assert receipt.state == "sent"
    assert (receipt.external_id != reply.external_id) == peer.platform_names
    if peer.finds:
        found = await until(lambda: sender(peer).find(reply))
        assert found is not None
        assert found.external_id == receipt.external_id
    else:
        assert await sender(peer).find(reply) is None
    if not isinstance(peer, Web):
        assert await until(_received(peer)) == [reply.text]
    await peer.adapter.close()


@every_channel
async def test_too_long_is_refused_and_never_split(peer: Peer) -> None:
    reply = replace(peer.reply(), text="x" * (peer.most_chars + 1))
    with pytest.raises(Permanent) as refused:
        await sender(peer).send(reply)
    assert refused.value.code == "too_long"
    assert peer.received() == []
    await peer.adapter.close()


@every_channel
async def test_closing_twice_is_fine(peer: Peer) -> None:
    await peer.adapter.check()
    await peer.adapter.close()
    await peer.adapter.close()


@every_source
async def test_what_was_fetched_is_not_fetched_again_and_has_one_name(peer: Peer) -> None:
    peer.ask("Eén")
    first = await until(lambda: _messages(peer, None))
    batch = await fetch_all(source(peer))
    assert (await source(peer).fetch(batch.cursor)).items == ()
    if not peer.forgets:
        again = await _messages(peer, None)
        assert [item.external_id for item in again] == [item.external_id for item in first]
    peer.ask("Twee")
    newer = await until(lambda: _messages(peer, batch.cursor))
    assert [item.text for item in newer] == [f"{peer.addressed}Twee{peer.after}"]
    await peer.adapter.close()


@every_source
@pytest.mark.parametrize("cursor", ["", "onzin", "1:2:3", "-1:x", "99999999999999999999:1", "é"])
async def test_a_cursor_that_nobody_knows_starts_over(peer: Peer, cursor: str) -> None:
    peer.ask("Hallo")
    (item,) = await until(lambda: _messages(peer, cursor))
    assert item.text == f"{peer.addressed}Hallo{peer.after}"
    await peer.adapter.close()


@every_conversation
async def test_our_own_reply_does_not_come_in_as_a_question(peer: Peer) -> None:
    reply = peer.reply()
    await sender(peer).send(reply)
    if peer.finds:
        await until(lambda: sender(peer).find(reply))
    assert await _messages(peer, None) == []
    await peer.adapter.close()


async def _messages(peer: Peer, cursor: str | None) -> list[Incoming]:
    batch = await fetch_all(source(peer), cursor)
    return [item for item in batch.items if isinstance(item, Incoming)]


def _received(peer: Peer) -> Callable[[], Awaitable[list[str]]]:
    async def received() -> list[str]:
        return peer.received()

    return received
