"""Mastodon, and servers that speak its API: mentions and direct messages in, replies out.

A reply has no identity of its own there: the server gives it an id when it takes it. What may be
out is therefore looked for among our own posts, by what it answers and what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.channels import mastodon_oauth
from app.channels.contract import Batch, Outgoing, Receipt, SignedOut
from app.channels.mastodon_read import Me, Reading, read_cursor
from app.channels.mastodon_search import search
from app.channels.mastodon_send import Sending, check
from app.channels.mastodon_settings import (
    CAPABILITIES,
    SETUP,
    Instance,
    MastodonSettings,
    instance_of,
    settings_of,
)
from app.channels.mastodon_stream import Stream
from app.channels.social_http import Caller

__all__ = ["CAPABILITIES", "SETUP", "MastodonChannel", "build", "external_id"]

HASHTAG_S = 60.0
"""How often hashtags are looked at: the stream of an account does not speak of them."""


class MastodonChannel:
    """Adapter, Source, Waiting, Searching, SigningIn and Sender of one account."""

    capabilities = CAPABILITIES

    def __init__(self, settings: MastodonSettings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._caller = Caller(settings.server, now_ms, settings.timeout_s)
        self._known: tuple[Me, Instance] | None = None
        self._stream: Stream | None = None

    def new_external_id(self, delivery_id: str) -> str:
        return external_id({}, delivery_id)

    async def check(self) -> None:
        """Sign in and read one notification, so that a token that may not read is noticed."""
        await self._whoami()
        answer = await self._caller.ask(
            "GET", "/api/v1/notifications", token=self._settings.token, params={"limit": "1"}
        )
        if answer.status == 403:
            raise SignedOut("not_allowed_there", "notifications answered 403")
        answer.rows()

    async def known_as(self) -> str:
        """See Known: the address of its page, which is the same whichever way the server is named.

        A server that leaves it out has a number for each account at least.
        """
        me, _ = await self._whoami()
        return me.page or (f"{self._settings.server} {me.id}" if me.id else "")

    async def fetch(self, cursor: str | None) -> Batch:
        """See Source. The cursor is JSON: how far each list was read, and what is watched."""
        me, instance = await self._whoami()
        changed = set(self._stream.changed) if self._stream else set()
        reading = Reading(self._caller, self._settings, me, instance, self._now_ms)
        batch = await reading.fetch(read_cursor(cursor), changed)
        if self._stream:
            self._stream.changed -= changed
        return batch

    async def wait(self, timeout_s: float) -> bool:
        """See Waiting. Where the server has no stream, the account is looked at now and then."""
        if self._stream is None:
            _, instance = await self._whoami()
            self._stream = Stream(
                instance.streaming or self._settings.server,
                self._settings.token,
                self._settings.timeout_s,
            )
        if not self._settings.hashtags:
            return await self._stream.wait(timeout_s)
        told = await self._stream.wait(min(timeout_s, HASHTAG_S))
        return told or timeout_s >= HASHTAG_S

    async def send(self, reply: Outgoing) -> Receipt:
        """See Sender. Long texts are refused before anybody is asked."""
        check(reply)
        me, instance = await self._whoami()
        return await self._sending(me, instance).send(reply)

    async def find(self, reply: Outgoing) -> Receipt | None:
        """See Sender."""
        me, instance = await self._whoami()
        return await self._sending(me, instance).find(reply)

    async def search(self, query: str, cursor: str | None) -> Batch:
        """See Searching: one hashtag, or words where the server looks for them."""
        who = await self._whoami()
        return await search(self._caller, self._settings, who, query, cursor, self._now_ms)

    async def begin(self, redirect_uri: str, state: str) -> tuple[str, str]:
        """See SigningIn."""
        return await mastodon_oauth.begin(self._caller, self._settings.server, redirect_uri, state)

    async def finish(self, kept: str, redirect_uri: str, code: str) -> str:
        """See SigningIn."""
        return await mastodon_oauth.finish(self._caller, kept, redirect_uri, code)

    async def close(self) -> None:
        if self._stream is not None:
            await self._stream.close()
            self._stream = None
        await self._caller.close()

    def _sending(self, me: Me, instance: Instance) -> Sending:
        return Sending(self._caller, self._settings, me, instance, self._now_ms)

    async def _whoami(self) -> tuple[Me, Instance]:
        """Return who we are and where, asked once a connection. Raises SignedOut."""
        if self._known is None:
            if not self._settings.token:
                raise SignedOut("token_refused", "no access token yet")
            answer = await self._caller.ask(
                "GET", "/api/v1/accounts/verify_credentials", token=self._settings.token
            )
            if answer.status in {404, 410}:
                raise SignedOut("no_such_server", f"answered {answer.status}")
            if answer.status in {403, 422}:
                raise SignedOut("token_refused", f"answered {answer.status}")
            said = answer.table()
            instance = await instance_of(self._caller, self._settings.server)
            self._known = _me(said), instance
        return self._known


def _me(said: Mapping[str, Any]) -> Me:
    return Me(*(str(said.get(name) or "") for name in ("id", "acct", "url")))


def build(config: Mapping[str, Any], secret: str, now_ms: Callable[[], int]) -> MastodonChannel:
    """Make the adapter of an account. Raises Permanent("bad_config")."""
    return MastodonChannel(settings_of(config, secret), now_ms)


def external_id(_config: Mapping[str, Any], _delivery_id: str) -> str:
    """Return "": only the server can name a post."""
    return ""
