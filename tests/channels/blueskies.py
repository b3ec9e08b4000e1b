"""A Bluesky account in the tests' hands."""

from __future__ import annotations

import json
from typing import Any

from app.channels.bluesky import BlueskyChannel, build
from app.channels.contract import Incoming, Outgoing
from app.clock import SystemClock
from tests.channels.mails import fetch_all, reply_to, until
from tests.peers.bluesky import Bluesky, Post


class Team:
    """A team with an account, and Fatma who writes to it."""

    def __init__(self, server: Bluesky, channels: list[BlueskyChannel]) -> None:
        self.server = server
        self.us, self.fatma = server.person("stadsdeel"), server.person("fatma")
        self._channels = channels

    def opens(self, port: int = 0, **config: Any) -> BlueskyChannel:
        """Open the account; `port` is that of a line in between."""
        secret = json.dumps({"app_password": config.pop("app_password", self.us.app_password)})
        given = {
            "identifier": self.us.handle,
            "service": f"http://127.0.0.1:{port or self.server.port}",
            "timeout_s": 10,
            **config,
        }
        channel = build(given, secret, config.pop("now_ms", SystemClock().now_ms))
        self._channels.append(channel)
        return channel

    def asked(self, text: str = "Wanneer komt de lamp?", **more: Any) -> Post:
        """Let Fatma mention the team."""
        return self.server.ask(self.fatma, self.us, text, **more)

    async def asks(self, channel: BlueskyChannel, text: str = "Wanneer komt de lamp?") -> Incoming:
        """Let Fatma mention the team; return that as it came in."""
        post = self.asked(text)
        found = await arrived(channel, post)
        return found[post.uri]

    async def thanks(self, channel: BlueskyChannel) -> Incoming:
        """Let Fatma answer our last post; return that as it came in."""
        ours = self.posts[-1]
        root = Post(**ours["value"]["reply"]["root"])
        self.server.wait_for(Post(ours["uri"], ours["cid"]))
        post = self.server.post(
            self.fatma, "Dank!", answers=Post(ours["uri"], ours["cid"]), root=root
        )
        return (await arrived(channel, post))[post.uri]

    def server_post(self, item: Incoming) -> Post:
        """Return a message that came in as the servers know it."""
        return Post(item.external_id, json.loads(item.raw)["cid"])

    def reply(self, item: Incoming, **changes: Any) -> Outgoing:
        return reply_to(item, self._channels[-1].new_external_id, item.address, **changes)

    @property
    def posts(self) -> list[dict[str, Any]]:
        """What our repository holds."""
        return self.server.by(self.us)


async def arrived(
    channel: BlueskyChannel, *posts: Post, cursor: str | None = None
) -> dict[str, Incoming]:
    """Wait until all these posts are told of; return all that is, by address."""

    async def all_of_them() -> dict[str, Incoming]:
        batch = await fetch_all(channel, cursor)
        found = {item.external_id: item for item in batch.items if isinstance(item, Incoming)}
        return found if all(post.uri in found for post in posts) else {}

    return await until(all_of_them)
