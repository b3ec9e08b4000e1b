"""Mail servers for the tests of channels, and mailboxes that no two tests share."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from app.channels.email import EmailChannel, build
from app.clock import SystemClock
from tests.peers import bluesky as bluesky_peer
from tests.peers import synapse as matrix_peer
from tests.peers.mail import PASSWORD, MailServers, missing
from tests.support import postgres
from tests.support.missing import give_up


@pytest.fixture(scope="session")
def mail_servers() -> Iterator[MailServers]:
    """Postfix and Dovecot for the whole run."""
    lacking = missing()
    if lacking:
        give_up(lacking)
    servers = MailServers()
    try:
        yield servers.start()
    finally:
        servers.stop()


@pytest.fixture
def team(mail_servers: MailServers) -> str:
    """The address of a team's empty mailbox."""
    return mail_servers.mailbox()


@pytest.fixture
def resident(mail_servers: MailServers) -> str:
    """The address of a resident's empty mailbox."""
    return mail_servers.mailbox()


OpenChannel = Callable[..., EmailChannel]


@pytest.fixture
async def open_channel(mail_servers: MailServers, team: str) -> AsyncIterator[OpenChannel]:
    """Open the team's mailbox: `open_channel(smtp_port=…, password=…)`."""
    opened: list[EmailChannel] = []

    def open_it(*, password: str = PASSWORD, **changes: Any) -> EmailChannel:
        config = mail_servers.account(changes.pop("address", team), **changes)
        channel = build(config, json.dumps({"password": password}), SystemClock().now_ms)
        opened.append(channel)
        return channel

    yield open_it
    for channel in opened:
        await channel.close()


@pytest.fixture
def channel(open_channel: OpenChannel) -> EmailChannel:
    """The team's mailbox."""
    return open_channel()


@pytest.fixture(scope="session")
def synapse() -> Iterator[matrix_peer.Synapse]:
    """A Matrix server for the whole run."""
    lacking = matrix_peer.missing()
    if lacking:
        give_up(lacking)
    server = matrix_peer.Synapse()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def bluesky(postgres_cluster: postgres.Cluster) -> Iterator[bluesky_peer.Bluesky]:
    """Bluesky's own servers for the whole run."""
    lacking = bluesky_peer.missing()
    if lacking:
        give_up(lacking)
    servers = bluesky_peer.Bluesky(postgres_cluster.url(postgres_cluster.create()))
    try:
        yield servers
    finally:
        servers.stop()
