"""A Mastodon account in the tests' hands."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.channels.contract import Incoming, Source
from app.channels.mastodon import MastodonChannel, build
from app.clock import SystemClock
from tests.channels.mails import fetch_all
from tests.peers.mastodon import Habits, Mastodon

TEAM = "stadsdeel"


@contextmanager
def running(**habits: Any) -> Iterator[Mastodon]:
    """Run a server on which the team, Fatma, and Jan from elsewhere have an account."""
    with Mastodon(Habits(**habits)) as server:
        for name in (TEAM, "fatma", "jan@elders.example"):
            server.person(name)
        yield server


def open_account(
    server: Mastodon, *, port: int = 0, host: str = "127.0.0.1", token: str = "", **config: Any
) -> MastodonChannel:
    """Open the team's account; `port` is that of a line in between."""
    secret = json.dumps({"access_token": token or server.token(TEAM)})
    address = f"http://{host}:{port or server.port}"
    return build({"server": address, "timeout_s": 5, **config}, secret, SystemClock().now_ms)


async def messages(source: Source, cursor: str | None = None) -> list[Incoming]:
    """Return all that came in."""
    return [item for item in (await fetch_all(source, cursor)).items if isinstance(item, Incoming)]
