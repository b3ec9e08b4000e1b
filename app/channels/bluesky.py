"""Bluesky (AT protocol): mentions, replies and quotes in, replies out, with an app password.

A reply's name is its record key, decided by its delivery before anything is sent, so sending it
again leaves one post. Private messages, for who wants them, are another service without such names:
see `bluesky_chat`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.channels.bluesky_chat import Chat, is_private
from app.channels.bluesky_read import Reading, read_cursor
from app.channels.bluesky_search import search
from app.channels.bluesky_send import CAPABILITIES, Sending, check
from app.channels.bluesky_session import Account
from app.channels.bluesky_text import tid_of
from app.channels.contract import (
    Batch,
    Outgoing,
    Permanent,
    Receipt,
    Setup,
    SetupField,
    SignedOut,
    Temporary,
)
from app.channels.social_http import server_address

__all__ = ["CAPABILITIES", "SETUP", "BlueskyChannel", "build", "external_id"]

SERVICE = "https://bsky.social"

SETUP = Setup(
    intro=(
        (
            "Maak in Bluesky een app-wachtwoord: Instellingen → Privacy en beveiliging → "
            "App-wachtwoorden. Het gewone wachtwoord is niet nodig, en werkt niet als Bluesky "
            "een code per mail stuurt."
        ),
        (
            "Make an app password in Bluesky: Settings → Privacy and security → App passwords. The "
            "ordinary password is not needed, and does not work where Bluesky mails a code."
        ),
    ),
    fields=(
        SetupField(
            "identifier",
            ("Naam op Bluesky", "Name on Bluesky"),
            "text",
            ("Bijvoorbeeld stadsdeel.bsky.social", "For example stadsdeel.bsky.social"),
        ),
        SetupField("app_password", ("App-wachtwoord", "App password"), "secret"),
        SetupField(
            "messages",
            ("Ook privéberichten", "Private messages too"),
            "choice",
            (
                "Zet dan bij het maken van het app-wachtwoord de toegang tot privéberichten aan.",
                "Then allow access to your direct messages when you make the app password.",
            ),
            required=False,
            choices=(("no", ("Nee", "No")), ("yes", ("Ja", "Yes"))),
        ),
        SetupField(
            "service",
            ("Eigen server", "Server of your own"),
            "url",
            (
                "Leeg laten voor een account bij Bluesky zelf.",
                "Leave empty for an account with Bluesky itself.",
            ),
            required=False,
        ),
    ),
)

_IDENTIFIER = re.compile(r"(?:[a-z0-9-]{1,63}\.)+[a-z]{2,63}|did:[a-z]+:[a-zA-Z0-9._:%-]{1,200}")


@dataclass(frozen=True, slots=True)
class BlueskySettings:
    """One account. `since_ms` is the floor: what is older is never taken in."""

    identifier: str
    service: str = SERVICE
    since_ms: int = 0
    private_hosts: tuple[str, ...] = ()
    """Hosts in a private network from which pictures may be fetched all the same."""
    messages: bool = False
    """Private messages come in too."""
    app_password: str = field(default="", repr=False)
    timeout_s: float = 15.0


class BlueskyChannel:
    """Adapter, Source, Searching and Sender of one account."""

    capabilities = CAPABILITIES

    def __init__(self, settings: BlueskySettings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._account = Account(
            settings.service,
            settings.identifier,
            settings.app_password,
            now_ms,
            settings.timeout_s,
        )

    def new_external_id(self, delivery_id: str) -> str:
        return tid_of(delivery_id)

    async def check(self) -> None:
        """Sign in, read one notification, and ask for a chat where these are wanted."""
        answer = await self._account.ask(
            "GET", "app.bsky.notification.listNotifications", params={"limit": "1"}
        )
        answer.table()
        if self._settings.messages:
            await self._chat().check()

    async def known_as(self) -> str:
        """See Known: the DID, which stays when the handle or the server changes."""
        return await self._account.did()

    async def fetch(self, cursor: str | None) -> Batch:
        """See Source. The cursor is JSON: how far was read, what was seen, what is watched."""
        reading = Reading(
            self._account,
            self._now_ms,
            since_ms=self._settings.since_ms,
            private_hosts=self._settings.private_hosts,
        )
        known = read_cursor(cursor)
        batch = await reading.fetch(known)
        if not self._settings.messages:
            return batch
        try:
            said, known.chat = await self._chat().fetch(known.chat)
        except (Temporary, SignedOut):
            if batch.items:  # one service that is away keeps nothing of the other from coming in
                return batch
            raise
        return replace(batch, items=(*batch.items, *said), cursor=known.write())

    async def send(self, reply: Outgoing) -> Receipt:
        """See Sender. Long texts are refused before anybody is asked."""
        if is_private(reply):
            return await self._chat().send(reply)
        check(reply)
        return await Sending(self._account, self._now_ms).send(reply)

    async def find(self, reply: Outgoing) -> Receipt | None:
        """See Sender."""
        if is_private(reply):
            return await self._chat().find(reply)
        return await Sending(self._account, self._now_ms).find(reply)

    async def search(self, query: str, cursor: str | None) -> Batch:
        """See Searching: words, a hashtag, a phrase."""
        return await search(self._account, query, cursor, self._now_ms)

    async def close(self) -> None:
        await self._account.close()

    def _chat(self) -> Chat:
        return Chat(self._account, self._now_ms, since_ms=self._settings.since_ms)


def build(config: Mapping[str, Any], secret: str, now_ms: Callable[[], int]) -> BlueskyChannel:
    """Make the adapter of an account. Raises Permanent("bad_config")."""
    return BlueskyChannel(settings_of(config, secret), now_ms)


def external_id(_config: Mapping[str, Any], delivery_id: str) -> str:
    """Return the record key that a reply will have."""
    return tid_of(delivery_id)


def settings_of(config: Mapping[str, Any], secret: str) -> BlueskySettings:
    """Read an account's config and opened secret. Raises Permanent("bad_config")."""
    identifier = str(config.get("identifier") or "").strip().removeprefix("@")
    identifier = identifier if identifier.startswith("did:") else identifier.lower()
    if not _IDENTIFIER.fullmatch(identifier):
        raise Permanent("bad_config", "identifier is not a name on Bluesky")
    service = server_address(config.get("service") or SERVICE)
    if not service:
        raise Permanent("bad_config", "service is not the address of a server")
    since_ms, timeout_s = config.get("since_ms", 0), config.get("timeout_s", 15.0)
    if not isinstance(since_ms, int) or not isinstance(timeout_s, int | float) or timeout_s <= 0:
        raise Permanent("bad_config", "since_ms and timeout_s must be numbers")
    messages = config.get("messages") or "no"
    if messages not in {"yes", "no"}:
        raise Permanent("bad_config", "messages must be yes or no")
    try:
        opened = json.loads(secret) if secret else {}
        password = str(opened.get("app_password") or "").strip()
    except (ValueError, AttributeError):
        raise Permanent("bad_config", "the secret is unreadable") from None
    return BlueskySettings(
        identifier=identifier,
        service=service,
        since_ms=since_ms,
        private_hosts=tuple(str(host) for host in config.get("private_hosts") or ()),
        messages=messages == "yes",
        app_password=password,
        timeout_s=float(timeout_s),
    )
